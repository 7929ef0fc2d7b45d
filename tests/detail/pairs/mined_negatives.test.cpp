// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/pairs/mined_negatives.hpp>

#include <catch2/catch.hpp>

#include <span>
#include <vector>

namespace detail_pairs_mined_negatives_test {

using namespace rankloss::detail;
using doubles = std::vector<double>;

const doubles scores{0.5, 0.875, 0.25, 0.75, 0.125, 0.75, 0.125};
const doubles relevance{1, 1, 1, 0, 0, 0, 0};

triplet_sides sides_of(rankloss::workspace& scratch) {
  return {
      rankloss::list<double, double>{{scores.data(), scores.size()}, {relevance.data(), relevance.size()}},
      [](double s) { return s; }, scratch};
}

doubles slopes_of(const triplet_side& side) { return {side.slopes.begin(), side.slopes.end()}; }

TEST_CASE("mined_negatives: the hardest, which equal ones share") {
  rankloss::workspace scratch;
  triplet_sides sides = sides_of(scratch);
  const triplet_sums sums = against_hardest({0.125}, hinge_term{}, sides);
  CHECK(sums.value == 0.375 + 0.0 + 0.625);
  CHECK(sums.triplets == 3.0);
  CHECK(sums.active == 2.0);
  CHECK(slopes_of(sides.positives) == doubles{-1, 0, -1});
  CHECK(slopes_of(sides.negatives) == doubles{1, 0, 1, 0});
}

TEST_CASE("mined_negatives: the hardest below each positive, or the easiest where there is none") {
  rankloss::workspace scratch;
  triplet_sides sides = sides_of(scratch);
  const triplet_sums sums = against_semi_hard({0.5}, hinge_term{}, false, sides, scratch);
  CHECK(sums.value == 0.125 + 0.375 + 0.375);
  CHECK(sums.triplets == 3.0);
  CHECK(slopes_of(sides.positives) == doubles{-1, -1, -1});
  CHECK(slopes_of(sides.negatives) == doubles{0.5, 1, 0.5, 1});

  // A positive as similar as the easiest negatives has none below it.
  const doubles low{0.125, 0.75, 0.125};
  const doubles first{1, 0, 0};
  const rankloss::list<double, double> items{{low.data(), 3}, {first.data(), 3}};
  const auto as_it_is = [](double s) { return s; };
  triplet_sides without(items, as_it_is, scratch);
  CHECK(against_semi_hard({0.5}, hinge_term{}, false, without, scratch).triplets == 0.0);
  CHECK(slopes_of(without.negatives) == doubles{0, 0});
  triplet_sides easiest(items, as_it_is, scratch);
  CHECK(against_semi_hard({0.5}, soft_term{}, true, easiest, scratch).active == 1.0);
  CHECK(easiest.negatives.slopes[0] == 0.0);
  CHECK(easiest.negatives.slopes[1] == -easiest.positives.slopes[0]);

  const doubles tied{0.125, 0.75, 0.75};
  triplet_sides equals(rankloss::list<double, double>{{tied.data(), 3}, {first.data(), 3}}, as_it_is,
                       scratch);
  CHECK(against_semi_hard({0.5}, hinge_term{}, true, equals, scratch).value == 1.125);
  CHECK(slopes_of(equals.negatives) == doubles{0.5, 0.5});
}

}  // namespace detail_pairs_mined_negatives_test
