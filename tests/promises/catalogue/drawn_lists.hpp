// SPDX-License-Identifier: BSL-1.0
#pragma once

// Lists with scores as data have them and not as tests draw them: long tails, crowds and outliers.

#include <array>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <random>
#include <vector>

namespace promises {

enum class shape { normal, tail, lower_tail, cauchy, crowds, outliers, one_outlier, few_scores, far_from_0 };
inline constexpr std::array shapes{shape::normal,      shape::tail,       shape::lower_tail,
                                   shape::cauchy,      shape::crowds,     shape::outliers,
                                   shape::one_outlier, shape::few_scores, shape::far_from_0};
enum class levels { two, five, distinct, real_valued, equal };
inline constexpr std::array all_levels{levels::two, levels::five, levels::distinct, levels::real_valued,
                                       levels::equal};

inline double uniform(std::mt19937_64& random) {
  return (static_cast<double>(random() >> 11) + 0.5) * 0x1p-53;
}

/// Of spread 1, but for what lies outside.
inline double draw(std::mt19937_64& random, shape how, std::size_t i) {
  const double u = uniform(random);
  const double centred = u + uniform(random) + uniform(random) - 1.5;
  switch (how) {
    case shape::normal: return 2.0 * centred;
    case shape::tail: return -std::log(u);
    case shape::lower_tail: return std::log(u);
    case shape::cauchy: return std::tan(std::numbers::pi * (u - 0.5));
    case shape::crowds:
      return 60.0 * static_cast<double>(random() % 3) + (random() % 5 == 0 ? 1.0 : 0.01) * centred;
    case shape::outliers: return i % 10 == 0 ? 100.0 : u;  // as of the list whose gradient was NaN
    case shape::one_outlier: return i == 3 ? -1e6 : centred;
    case shape::few_scores: return std::floor(4.0 * u);
    default:
      return 0x1p22 +
             2.0 *
                 centred;  // neighbouring floats are a quarter of the spread apart, with nothing between them
  }
}

inline double level(std::mt19937_64& random, levels how, std::size_t i, std::size_t n) {
  switch (how) {
    case levels::two: return random() % 4 == 0 ? 1.0 : 0.0;
    case levels::five: return static_cast<double>(random() % 5);
    case levels::distinct: return 4.0 * static_cast<double>(i * 7919 % n) / static_cast<double>(n);
    case levels::real_valued: return 4.0 * uniform(random);
    default: return 2.0;
  }
}

/// Floats, so that both types see the same numbers.
struct drawn_list {
  std::vector<float> scores, relevance;
};

/// Scores of the given spread, in temperatures of 1.
inline drawn_list draw_list(unsigned seed, std::size_t n, shape how, levels grades, double spread) {
  std::mt19937_64 random(seed);
  drawn_list out;
  for (std::size_t i = 0; i < n; ++i) {
    out.scores.push_back(static_cast<float>(spread * draw(random, how, i)));
    out.relevance.push_back(static_cast<float>(level(random, grades, i, n)));
  }
  return out;
}

}  // namespace promises
