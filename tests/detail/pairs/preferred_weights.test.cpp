// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/pairs/preferred_weights.hpp>

#include <rankloss/detail/pairs/pair_levels.hpp>

#include <catch2/catch.hpp>

#include <vector>

namespace detail_pairs_preferred_weights_test {

using rankloss::list;
using rankloss::workspace;
using rankloss::detail::pair_levels;
using rankloss::detail::preferred_weights;

TEST_CASE("preferred_weights: items that are never preferred have no say in the unit, and weigh nothing") {
  const std::vector<double> scores{1, 2, 3, 4}, relevance{-2, 3, -2, 1};
  const std::vector<double> given{0x1p1000, 0x1p-30, 0x1p900, 0x1.8p-31};
  list<double, double> items{{scores.data(), 4}, {relevance.data(), 4}};
  workspace scratch;
  using levels = pair_levels<false>;
  const preferred_weights<levels, double, double> none(items, false, scratch);
  CHECK(none.empty());
  CHECK(none.unit() == 1.0);
  items.weights = {given.data(), 4};
  const preferred_weights<levels, double, double> weights(items, false, scratch);
  CHECK(!weights.empty());
  CHECK(weights.unit() == 0x1p30);
  CHECK(weights[0] == 0.0);
  CHECK(weights[1] == 1.0);
  CHECK(weights[2] == 0.0);
  CHECK(weights[3] == 0.75);
  const preferred_weights<levels, double, double> all(items, true, scratch);
  CHECK(all.unit() == 0x1p-1000);
  CHECK(all[0] == 1.0);
  const preferred_weights<pair_levels<true>, double, double> binary(items, false, scratch);
  CHECK(binary.unit() == 0x1p30);
}

}  // namespace detail_pairs_preferred_weights_test
