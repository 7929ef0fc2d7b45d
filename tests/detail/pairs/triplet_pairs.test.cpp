// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/pairs/triplet_pairs.hpp>

#include <catch2/catch.hpp>

#include <cstddef>
#include <limits>
#include <random>
#include <span>
#include <vector>

namespace detail_pairs_triplet_pairs_test {

using namespace rankloss::detail;
using doubles = std::vector<double>;
using arch = xsimd::default_arch;
constexpr double infinity = std::numeric_limits<double>::infinity();

triplet_sides sides_of(const doubles& scores, const doubles& relevance, rankloss::workspace& scratch) {
  return {
      rankloss::list<double, double>{{scores.data(), scores.size()}, {relevance.data(), relevance.size()}},
      [](double s) { return s; }, scratch};
}

TEST_CASE("triplet_pairs: the sides of a query, without negatives that are absent") {
  rankloss::workspace scratch;
  triplet_sides sides = sides_of({0.5, -infinity, 0.25, 0.5, 1.0}, {1, 0, 2, 3, -1}, scratch);
  CHECK(sides.finite);
  CHECK(doubles(sides.positives.scores.begin(), sides.positives.scores.end()) == doubles{0.5, 0.25, 0.5});
  CHECK(doubles(sides.negatives.scores.begin(), sides.negatives.scores.end()) == doubles{1.0});
  CHECK(sides.negatives.items[0] == 4);
  for (const triplet_side* side : {&sides.positives, &sides.negatives}) {
    CHECK(side->slopes.size() == side->size());
    CHECK(side->items.size() == side->size());
  }
  sides.positives.keep_only(0.5);
  CHECK(sides.positives.slopes.size() == 2);
  CHECK(sides.positives.items.size() == 2);
  CHECK(sides.positives.size() == 2);
  CHECK(sides.positives.items[1] == 3);
  CHECK(!sides_of({infinity, 0.0}, {0, 1}, scratch).finite);
}

TEST_CASE("triplet_pairs: by lanes and one by one they are the same") {
  std::mt19937_64 random(1);
  rankloss::workspace scratch;
  const auto check = [&](auto taken, const auto& term, bool weighted) {
    for (const std::size_t n : {2u, 3u, 10u, 37u}) {
      doubles s, y, w;
      for (std::size_t i = 0; i < n; ++i) {
        s.push_back(static_cast<double>(random() % 64) / 16);
        y.push_back(i % 3 == 0 ? 1.0 : 0.0);
        if (weighted) w.push_back(static_cast<double>(random() % 3));
      }
      triplet_sides a = sides_of(s, y, scratch);
      triplet_sides b = sides_of(s, y, scratch);
      const std::span<const double> weights = std::span(w).first(weighted ? a.negatives.size() : 0);
      const triplet_shortfall shortfall{0.75};
      const triplet_sums sums = over_pairs<arch, taken()>(shortfall, term, weights, a, scratch);
      const triplet_sums right = over_pairs_one_by_one<taken()>(shortfall, term, weights, b);
      CHECK(sums.value == Approx(right.value).epsilon(1e-13));
      CHECK(sums.triplets == right.triplets);
      CHECK(sums.active == right.active);
      for (std::size_t k = 0; k < a.positives.size(); ++k)
        CHECK(a.positives.slopes[k] == Approx(b.positives.slopes[k]).epsilon(1e-13));
      for (std::size_t k = 0; k < a.negatives.size(); ++k)
        CHECK(a.negatives.slopes[k] == Approx(b.negatives.slopes[k]).epsilon(1e-13));
    }
  };
  const std::integral_constant<negatives_taken, negatives_taken::all> all;
  const std::integral_constant<negatives_taken, negatives_taken::semi_hard> semi_hard;
  for (const bool weighted : {false, true}) {
    check(all, hinge_term{}, weighted);
    check(all, soft_term{}, weighted);
    check(semi_hard, hinge_term{}, weighted);
    check(semi_hard, soft_term{}, weighted);
  }
}

TEST_CASE("triplet_pairs: semi-hard negatives are below the positive by at most the margin") {
  rankloss::workspace scratch;
  triplet_sides sides = sides_of({1.0, 1.5, 1.0, 0.75, 0.5, 0.25}, {1, 0, 0, 0, 0, 0}, scratch);
  const triplet_sums sums =
      over_pairs<arch, negatives_taken::semi_hard>({0.5}, hinge_term{}, {}, sides, scratch);
  CHECK(sums.value == 0.25);  // 0.75, and 0.5 at the kink
  CHECK(sums.triplets == 2.0);
  CHECK(sums.active == 1.0);
}

}  // namespace detail_pairs_triplet_pairs_test
