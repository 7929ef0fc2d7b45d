// SPDX-License-Identifier: BSL-1.0
#include <rankloss/conventions/xgboost.hpp>

#include "support/convention_checks.hpp"
#include "support/one_list.hpp"
#include "support/shared_losses.hpp"

#include <catch2/catch.hpp>

#include <vector>

namespace conventions_xgboost_test {

// Values are the four digits that the peer prints.

using namespace rankloss;
using support::discount;
using support::doubles;
using support::grades;
using support::integers;
using support::of;

TEST_CASE("conventions: XGBoost's metrics") {
  namespace peer = conventions::xgboost;
  // Its scores are .1, .9, .1, .9, and it sorts equal ones as they lie: the same order without ties.
  const doubles s{0.11, 0.91, 0.1, 0.9};
  const grades y{0, 0, 1, 1};
  CHECK(of(peer::ndcg(), s, y) == Approx(0.6509).margin(5e-5));
  CHECK(of(peer::ndcg(2), s, y) == Approx(0.3868).margin(1e-4));
  CHECK(of(peer::map(), s, y) == 0.5);
  CHECK(of(peer::map(2), s, y) == 0.25);
  CHECK(of(peer::pre(), s, y) == 0.5);
  CHECK(of(peer::pre(2), s, y) == 0.5);
  CHECK(of(peer::pre(6), s, y) == 0.5);
  // With them it is the mean of their orders.
  CHECK(of(peer::ndcg(), doubles{0.1, 0.9, 0.1, 0.9}, y) ==
        Approx(0.5 * (1 + discount(2) + discount(3) + discount(4)) / (1 + discount(2))));

  const doubles five{0.1, 0.2, 0.3, 4, 70};
  const grades labels{10, 0, 0, 1, 5};
  CHECK(of(peer::ndcg(), five, labels) == Approx(0.409738).margin(1e-6));
  CHECK(of(peer::ndcg(0, gain::linear), five, labels) == Approx(0.695694).margin(1e-6));

  const doubles grouped{0.1, 0.9, 0.2, 0.8, 0.4, 1.7};
  const grades hits{1, 1, 1, 0, 1, 0};
  const integers offsets{0, 2, 5, 6};
  const list_batch<double> batch{
      .scores = grouped, .relevance = hits, .offsets = offsets, .reduction = peer::reduction};
  CHECK(evaluate(peer::map(), batch) == Approx(0.8611).margin(5e-5));
  CHECK(evaluate(peer::map(0, 0.0), batch) == Approx((1 + 7.0 / 12) / 3));  // map-
  CHECK(of(peer::ndcg(), doubles{1, 2}, grades{0, 0}) == 1.0);
  CHECK(of(peer::ndcg(0, gain::exponential, 0.0), doubles{1, 2}, grades{0, 0}) == 0.0);  // ndcg-
  CHECK(of(peer::pre(), doubles{1, 2}, grades{0, 0}) == 0.0);
}

}  // namespace conventions_xgboost_test
