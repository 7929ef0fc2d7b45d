// SPDX-License-Identifier: BSL-1.0
#include <rankloss/conventions/listwise_itr.hpp>

#include "support/convention_checks.hpp"
#include "support/peer_retrieval.hpp"
#include "support/shared_losses.hpp"

#include <catch2/catch.hpp>

#include <vector>

namespace conventions_listwise_itr_test {

// Values are float32 of the peer: 1e-6 of the value, 1e-5 of the gradient.

using namespace rankloss;
using support::doubles;

TEST_CASE("conventions: Listwise_ITR's TripletSNDCGLoss") {
  namespace peer = conventions::listwise_itr;
  const auto relevance = peers::relevance();
  const auto s = peers::similarity();
  const similarity_batch<double> batch{.similarity = s,
                                       .rows = peers::pairs,
                                       .columns = peers::pairs,
                                       .relevance = relevance,
                                       .reduction = peer::reduction};
  const auto check = [&](const auto& loss, const peers::expected& expected) {
    doubles g(s.size());
    CHECK(evaluate(loss, batch, {.gradient = g}) == Approx(expected.value).epsilon(1e-6));
    peers::check_gradient(g, expected);
  };
  check(peer::triplet_sndcg(0.0), peers::triplet);
  check(peer::triplet_sndcg(0.5), peers::half_and_half_001);
  check(peer::triplet_sndcg(1.0), peers::sndcg_001);
  check(peer::triplet_sndcg(0.5, 0.1), peers::half_and_half_01);
  check(peer::sndcg(0.1), peers::sndcg_01);
  check(peer::triplet(), peers::triplet);
  CHECK(evaluate(peer::ndcg(), batch) ==
        Approx((peers::ndcg_of_rows + peers::ndcg_of_columns) / 2).epsilon(1e-6));
}

}  // namespace conventions_listwise_itr_test
