// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/pairs/distance_chances.hpp>

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <random>
#include <span>
#include <vector>

namespace detail_pairs_distance_chances_test {

using rankloss::detail::distance_chances;
using doubles = std::vector<double>;

doubles chances(const distance_chances& by, const doubles& cosines) {
  rankloss::workspace scratch;
  const std::span<const double> all = by.operator()<xsimd::default_arch>(
      cosines.size(), [&](std::size_t k) { return cosines[k]; }, scratch);
  return {all.begin(), all.end()};
}

TEST_CASE("distance_chances: one over the density of the distance, between the cutoffs") {
  std::mt19937_64 random(3);
  for (const double dimension : {2.0, 3.0, 16.0, 512.0})
    for (const std::size_t n : {1u, 7u, 50u}) {
      doubles cosines;
      std::vector<long double> weights;
      long double sum = 0;
      for (std::size_t k = 0; k < n; ++k) {
        const double c = k == 0 ? 0.5 : std::uniform_real_distribution<double>(-0.9, 1.0)(random);
        cosines.push_back(c);
        const long double d = std::max(std::sqrt(2 - 2 * static_cast<long double>(c)), 0.5L);
        const long double m = dimension;
        weights.push_back(d < 1.4L ? std::exp((2 - m) * std::log(d / 0.5L) +
                                              (3 - m) / 2 * std::log((1 - d * d / 4) / (1 - 0.0625L)))
                                   : 0);
        sum += weights.back();
      }
      const doubles found = chances({dimension, 0.5, 1.4}, cosines);
      for (std::size_t k = 0; k < n; ++k)
        CHECK(found[k] == Approx(static_cast<double>(weights[k] / sum)).epsilon(1e-12).margin(1e-290));
    }
}

TEST_CASE("distance_chances: cosines of any size, and items of which none may be drawn") {
  constexpr double most = std::numeric_limits<double>::max();
  CHECK(chances({8.0, 0.5, 1.4}, {most, -most, 1.0, -0.5}) == doubles{0.5, 0.0, 0.5, 0.0});
  CHECK(chances({8.0, 0.5, 1.4}, {-1.0, -most, -0.5}) == doubles{0.0, 0.0, 0.0});
  CHECK(chances({8.0, 0.5, 2.0}, {-1.0}) == doubles{0.0});
  CHECK(chances({1e7, 0.5, 1.4}, {0.9, 0.2}) == doubles{1.0, 0.0});
}

}  // namespace detail_pairs_distance_chances_test
