// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cpu/pairs/function.hpp>
#include <rankloss/detail/pairs/soft_triplets.hpp>
#include <rankloss/detail/pairs/triplet_pairs.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <vector>

namespace detail_pairs_soft_triplets_test {

using namespace rankloss::detail;
using doubles = std::vector<double>;
using arch = xsimd::default_arch;

triplet_sides sides_of(const doubles& scores, const doubles& relevance, rankloss::workspace& scratch) {
  return {
      rankloss::list<double, double>{{scores.data(), scores.size()}, {relevance.data(), relevance.size()}},
      [](double s) { return s; }, scratch};
}

TEST_CASE("soft_triplets: by a scan and pair by pair they are the same") {
  std::mt19937_64 random(2);
  rankloss::workspace scratch;
  for (const std::size_t n : {2u, 40u, 300u, 900u})
    for (const double spread : {0.01, 1.0, 300.0})
      for (const double offset : {0.0, 1e9})
        for (const double margin : {0.0, 0.5, 40.0}) {
          doubles s, y;
          for (std::size_t i = 0; i < n; ++i) {
            // On a grid, so that an offset changes nothing.
            s.push_back(offset + std::round(spread * static_cast<double>(random() % 4096)) / 256);
            y.push_back(i % 3 == 0 ? 1.0 : 0.0);
          }
          triplet_sides a = sides_of(s, y, scratch);
          triplet_sides b = sides_of(s, y, scratch);
          const triplet_shortfall shortfall{margin};
          const triplet_sums sums =
              soft_in_sorted_order<arch>(shortfall, pair_function<rankloss::pairs::logistic>{}, a, scratch);
          const triplet_sums right =
              over_pairs<arch, negatives_taken::all>(shortfall, soft_term{}, {}, b, scratch);
          INFO(n << " items, spread " << spread << ", offset " << offset << ", margin " << margin);
          CHECK(sums.value == Approx(right.value).epsilon(1e-12));
          CHECK(sums.triplets == right.triplets);
          CHECK(sums.active == right.active);
          double worst = 0.0;
          double largest = 0.0;
          const auto compare = [&](const triplet_side& found, const triplet_side& expected) {
            for (std::size_t k = 0; k < found.size(); ++k) {
              worst = std::max(worst, std::abs(found.slopes[k] - expected.slopes[k]));
              largest = std::max(largest, std::abs(expected.slopes[k]));
            }
          };
          compare(a.positives, b.positives);
          compare(a.negatives, b.negatives);
          CHECK(worst <= 1e-12 * largest);
        }
}

TEST_CASE("soft_triplets: scores and margins as large as a double have finite sums") {
  constexpr double most = std::numeric_limits<double>::max();
  rankloss::workspace scratch;
  doubles s, y;
  for (std::size_t i = 0; i < 600; ++i) {
    s.push_back(i % 4 == 0 ? most : i % 4 == 1 ? -most : static_cast<double>(i));
    y.push_back(i % 3 == 0 ? 1.0 : 0.0);
  }
  triplet_sides sides = sides_of(s, y, scratch);
  const triplet_sums sums =
      soft_in_sorted_order<arch>({most}, pair_function<rankloss::pairs::logistic>{}, sides, scratch);
  CHECK(std::isfinite(sums.value));
  CHECK(sums.value > 1e289);
  for (const triplet_side* side : {&sides.positives, &sides.negatives})
    CHECK(std::all_of(side->slopes.begin(), side->slopes.end(), [](double x) { return std::isfinite(x); }));
}

}  // namespace detail_pairs_soft_triplets_test
