// SPDX-License-Identifier: BSL-1.0
#include <rankloss/conventions/lightgbm.hpp>
#include <rankloss/conventions/xgboost.hpp>

#include "support/convention_checks.hpp"
#include "support/one_list.hpp"
#include "support/shared_losses.hpp"

#include <catch2/catch.hpp>

#include <vector>

namespace conventions_lightgbm_test {

// Values are the four digits that the peer prints.

using namespace rankloss;
using support::discount;
using support::doubles;
using support::grades;
using support::of;

TEST_CASE("conventions: LightGBM's metrics") {
  namespace peer = conventions::lightgbm;
  const doubles s{4, 3, 2, 1};
  const grades y{1, 0, 1, 0};
  CHECK(of(peer::ndcg(3), s, y) == Approx((1 + discount(3)) / (1 + discount(2))));
  CHECK(of(peer::ndcg(5), s, grades{0, 0, 0, 0}) == 1.0);
  const doubles table{0, 1, 3, 7, 15};
  CHECK(of(peer::ndcg(3, table), s, grades{0, 4, 2, 1}) == Approx(of(peer::ndcg(3), s, grades{0, 4, 2, 1})));
  CHECK(of(peer::map(1), s, y) == 1.0);  // XGBoost: 1/2
  CHECK(of(conventions::xgboost::map(1), s, y) == 0.5);
  CHECK(of(peer::map(3), s, y) == Approx((1 + 2.0 / 3) / 2));
  CHECK(of(peer::map(3), s, grades{0, 0, 0, 0}) == 1.0);
}

}  // namespace conventions_lightgbm_test
