// SPDX-License-Identifier: BSL-1.0
#pragma once

// Numbers that the catalogue's data are drawn from: the same on every machine, and in float and double.

#include <rankloss/batch.hpp>

#include "support/tied_orders.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <numeric>
#include <random>
#include <type_traits>
#include <utility>
#include <vector>

namespace promises {

inline constexpr double nan = std::numeric_limits<double>::quiet_NaN();
inline constexpr rankloss::reduction reductions[] = {
    rankloss::reduction::mean, rankloss::reduction::mean_of_relevant, rankloss::reduction::sum};

/// All scores are whole multiples of 2^-6, so that they are the same in float and double and stay so when
/// shifted, and hinges at a margin of 0.2 are at least 0.003 from their kinks.
inline constexpr double grid = 0x1p-6;

/// The same on every machine, unlike std::shuffle.
template <class X>
void shuffle(std::mt19937_64& random, std::vector<X>& values) {
  for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[random() % i]);
}

/// Of a list.
enum class kind {
  distinct,    ///< no ties
  tied,        ///< few scores, each many times
  level,       ///< one score
  clusters,    ///< far apart, with ties
  same_grade,  ///< one relevance above 0
  irrelevant,  ///< nothing relevant
};

template <class T>
std::vector<T> scores_of(std::mt19937_64& random, std::size_t n, kind k) {
  std::vector<T> s(n);
  std::vector<std::size_t> positions(std::max<std::size_t>(n, 256));
  std::iota(positions.begin(), positions.end(), std::size_t{0});
  shuffle(random, positions);
  for (std::size_t i = 0; i < n; ++i) {
    double x = (static_cast<double>(positions[i]) - static_cast<double>(positions.size() / 2)) * grid;
    if (k == kind::tied) x = static_cast<double>(random() % 33) * 0.25 - 4.0;
    if (k == kind::level) x = 1.25;
    if (k == kind::clusters)
      x = static_cast<double>(random() % 5) * 256.0 - 512.0 + static_cast<double>(random() % 128) * grid;
    s[i] = static_cast<T>(x);
  }
  return s;
}

/// Whole grades from 0 to 3, most of them 0.
template <class T>
std::vector<T> grades_of(std::mt19937_64& random, std::size_t n) {
  std::vector<T> y = support::whole_numbers<T>(random, n, 8);
  for (T& x : y) x = std::max(x - T{4}, T{0});
  return y;
}

/// Whole multiples of 2^-6, the same in float and double: hinges at a margin of 0.51 are 0.005 from their
/// kinks.
template <class T>
std::vector<T> on_grid(std::mt19937_64& random, std::size_t n) {
  std::vector<T> x(n);
  for (T& v : x) v = static_cast<T>((static_cast<double>(random() % 256) - 128.0) * 0x1p-6);
  return x;
}

/// Scores at the ends of what T can hold, and next to 0.
template <class T>
std::vector<std::vector<T>> extreme_scores(std::mt19937_64& random, std::size_t n) {
  const T big = std::is_same_v<T, float> ? T(3e38) : static_cast<T>(1e300);
  const T tiny = std::numeric_limits<T>::denorm_min();
  const std::vector<T> mixture{big,  -big,  T{0},   -T{0}, tiny, -tiny, std::numeric_limits<T>::min(),
                               T{1}, T{-1}, big / 2};
  std::vector<std::vector<T>> all(4, std::vector<T>(n));
  for (std::size_t i = 0; i < n; ++i) {
    const T x = static_cast<T>(static_cast<double>(random() >> 11) * 0x1p-52 - 1.0);
    all[0][i] = mixture[random() % mixture.size()];
    all[1][i] = x * big;
    all[2][i] = static_cast<T>(static_cast<int>(random() % 64) - 32) * tiny;
    all[3][i] = i % 2 == 0 ? big : -big;
  }
  return all;
}

/// Of the lists that go through every loss. Some of these take all pairs: under the sanitizers, where each
/// instruction counts for many, lists are just longer than where losses change from one way to another; the
/// release preset has the long ones.
#if defined(RANKLOSS_ADDRESS_SANITIZER)
inline constexpr std::size_t longest = 700;
#else
inline constexpr std::size_t longest = 3000;
#endif

// Compiled once, in lists.cpp.
extern template std::vector<float> scores_of<float>(std::mt19937_64&, std::size_t, kind);
extern template std::vector<double> scores_of<double>(std::mt19937_64&, std::size_t, kind);
extern template std::vector<float> grades_of<float>(std::mt19937_64&, std::size_t);
extern template std::vector<double> grades_of<double>(std::mt19937_64&, std::size_t);
extern template std::vector<float> on_grid<float>(std::mt19937_64&, std::size_t);
extern template std::vector<double> on_grid<double>(std::mt19937_64&, std::size_t);
extern template std::vector<std::vector<float>> extreme_scores<float>(std::mt19937_64&, std::size_t);
extern template std::vector<std::vector<double>> extreme_scores<double>(std::mt19937_64&, std::size_t);

}  // namespace promises
