// SPDX-License-Identifier: BSL-1.0
#include <rankloss/conventions/tf_ranking.hpp>
#include <rankloss/ranks/rank.hpp>

#include "support/convention_checks.hpp"
#include "support/one_list.hpp"
#include "support/shared_losses.hpp"

#include <catch2/catch.hpp>

#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>
#include <vector>

namespace conventions_tf_ranking_test {

// Values are the six digits that the peer prints: 1e-6.

using namespace rankloss;
using support::discount;
using support::doubles;
using support::grades;
using support::integers;
using support::of;

TEST_CASE("conventions: TensorFlow Ranking's losses and weights of two lists") {
  namespace peer = conventions::tf_ranking;
  const doubles s{1, 3, 2, 1, 3};
  const grades y{0, 0, 1, 0, 2};
  const doubles w{2, 3, 4, 1, 1};
  const integers offsets{0, 3, 5};
  const list_batch<double> plain{.scores = s, .relevance = y, .offsets = offsets};
  const list_batch<double> weighted{.scores = s, .relevance = y, .offsets = offsets, .item_weights = w};
  const auto check = [](const auto& loss, const list_batch<double>& batch, double first, double second) {
    doubles per_list(2);
    evaluate(loss, batch, {.per_list = per_list});
    CHECK(per_list[0] == Approx(first).margin(1e-6));
    CHECK(per_list[1] == Approx(second).margin(1e-6));
  };
  check(peer::sigmoid_cross_entropy(), weighted, 1.3644443, -0.8190755);
  check(peer::mean_squared(), weighted, 3.6666667, 1.0);
  CHECK(conventions::item_weights(weighted) == doubles{9, 2});
  CHECK(conventions::item_weights(plain) == doubles{3, 2});
  check(peer::pairwise_hinge(), weighted, 1.0, 0.0);
  check(peer::pairwise_logistic(), weighted, 0.813262, 0.126928);
  check(peer::pairwise_soft_zero_one(), weighted, 0.5, 0.119203);
  CHECK(conventions::pair_weights(peer::pairwise_hinge(), weighted) == doubles{8, 1});
  CHECK(conventions::pair_counts(peer::pairwise_hinge(), weighted) == doubles{2, 1});
  check(peer::softmax(), weighted, 1.407606, 0.126928);
  CHECK(peer::softmax_list_weights(weighted) == doubles{4, 2});
  CHECK(peer::list_weights(weighted) == doubles{4, 1});
  CHECK(peer::list_weights(plain) == doubles{1, 1});
  check(peer::unique_softmax(), plain, 1.407606, 0.380784);
  check(peer::neural_sort_cross_entropy(), plain, 1.816267, 0.365334);
  check(peer::neural_sort_ndcg(), plain, 1 - 0.761571, 1 - 0.956006);
  check(peer::approx_ndcg(1.0), plain, 1 - 0.63093, 1 - 0.922917);
  check(peer::approx_mrr(1.0), plain, 1 - 0.5, 1 - 0.893493);
  CHECK(of(peer::approx_ndcg(1.0), doubles{1, 2, 3}, grades{0, 0, 2}) == Approx(1 - 0.796248).margin(1e-6));

  // Their two values for one list are those of its two orders of ties: this one's seeds give either.
  bool low = false;
  bool high = false;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const double value = of(peer::list_mle(seed), doubles{1, 3, 2}, grades{0, 0, 1});
    low = low || value == Approx(1.534534).margin(1e-6);
    high = high || value == Approx(3.534534).margin(1e-6);
    CHECK((value == Approx(1.534534).margin(1e-6) || value == Approx(3.534534).margin(1e-6)));
  }
  CHECK((low && high));
}

TEST_CASE(
    "conventions: TensorFlow Ranking leaves a list without relevance out of losses, not out of metrics") {
  namespace peer = conventions::tf_ranking;
  const doubles s{1, 3, 2, 1, 3};
  const grades y{0, 0, 1, 0, 0};
  const integers offsets{0, 3, 5};
  list_batch<double> batch{.scores = s, .relevance = y, .offsets = offsets, .reduction = peer::reduction};
  CHECK(evaluate(peer::ndcg(), batch) == Approx(discount(2) / 2));
  const doubles weights = peer::list_weights(batch);
  CHECK(weights == doubles{1, 0});
  batch.list_weights = weights;
  CHECK(evaluate(peer::approx_ndcg(1.0), batch) == Approx(1 - 0.63093).margin(1e-6));
}

TEST_CASE("conventions: TensorFlow Ranking's ranks, ideal DCG and metrics") {
  namespace peer = conventions::tf_ranking;
  const doubles far{100, 300, 200, 0};
  doubles ranks(4);
  context ctx;
  rank(peer::approx_ranks(), std::span<const double>(far), std::span<double>(ranks), ctx);
  for (std::size_t i = 0; i < 4; ++i)
    CHECK(ranks[i] == Approx(std::vector<double>{3, 1, 2, 4}[i]).epsilon(1e-12));

  // Their natural logarithm: a DCG is log2(e) times ours.
  const doubles falling{4, 3, 2, 1};
  const double e = std::numbers::log2e;
  CHECK(1 / (e * of(metrics::dcg{}, falling, grades{4, 1, 1, 0})) == Approx(0.04297).epsilon(2e-4));
  CHECK(1 / (e * of(metrics::dcg{}, falling, grades{4, 3, 2, 0})) == Approx(0.033139).epsilon(2e-4));
  CHECK(1 / (e * of(metrics::dcg{.cutoff = 1}, falling, grades{4, 1, 1, 0})) ==
        Approx(0.04621).epsilon(2e-4));
  CHECK(of(peer::ndcg(), falling, grades{1, 4, 1, 0}) == Approx(0.679685).margin(1e-6));
  CHECK(of(peer::ndcg(), falling, grades{4, 2, 0, 3}) == Approx(0.95176).margin(1e-6));
  CHECK(of(peer::ndcg(), falling, grades{0, 0, 0, 0}) == 0.0);

  const doubles s{3, 2, 1};
  const grades y{1, 0, 2};
  CHECK(of(peer::precision(6), s, y) == Approx(2.0 / 3));
  CHECK(of(peer::mean_average_precision(1), s, y) == 0.5);
  CHECK(of(peer::mrr(), s, grades{0, 0, 2}) == Approx(1.0 / 3));
  CHECK(of(peer::recall(2), s, y) == 0.5);
  CHECK(of(peer::average_relevance_position(), s, y) == Approx((1 + 2 * 3) / 3.0));
}

}  // namespace conventions_tf_ranking_test
