// SPDX-License-Identifier: BSL-1.0
#pragma once

// Scores that try isotonic regression.

#include "cuda/support/rank_checks.hpp"

#include <cmath>
#include <cstddef>
#include <random>
#include <vector>

namespace cuda_support {

/// Lists whose sorted scores have gaps that grow, shrink, and rise and fall on every scale, so that where halves
/// meet nothing, one item or nearly all is pooled. Gaps are about 1 in the mean.
template <class T>
[[nodiscard]] host_scores<T> shapes_of_gaps(std::size_t n) {
  std::mt19937 random(11);
  host_scores<T> in = scores_of_lengths<T>(std::vector<std::size_t>(7, n), 12);
  const auto gap = [&](std::size_t shape, std::size_t i) {
    const double u = static_cast<double>(i) / static_cast<double>(n);
    const double noise = static_cast<double>(random() % 1024) / 1024.0;
    switch (shape) {
      case 0: return 2.0 * u;
      case 1: return 2.0 * (1.0 - u);
      case 2: return 4.0 * std::abs(u - 0.5);
      case 3: return 2.0 - 4.0 * std::abs(u - 0.5);
      case 4: return 1.0 + 0.9 * std::sin(60.0 * u) + 0.05 * noise;
      case 5: return i == n / 2 ? 0.0 : 1.01 + 0.001 * noise;  // one violator among blocks that nearly pool
      default: return 2.0 * noise;
    }
  };
  for (std::size_t l = 0; l < 7; ++l) {
    std::vector<T> sorted(n);
    double x = 0.0;
    for (std::size_t i = 0; i < n; ++i) sorted[i] = static_cast<T>(x += gap(l, i));
    for (std::size_t i = 0; i < n; ++i) in.lists.scores[l * n + i] = sorted[i * 7 % n];
  }
  return in;
}

/// Scores near each other, and some that are very far away.
template <class T = double>
[[nodiscard]] host_scores<T> outliers(std::size_t n) {
  host_scores<T> in = scores_of_lengths<T>({n, n}, 13);
  constexpr T far = sizeof(T) == sizeof(double) ? static_cast<T>(1e200) : static_cast<T>(1e30);
  for (std::size_t i = 0; i < 2 * n; i += 50) in.lists.scores[i] *= i % 100 == 0 ? static_cast<T>(1e12) : far;
  return in;
}

/// Scores of which many are equal. No two blocks of them just meet at the temperatures of the tests, where
/// rounding decides whether they are pooled.
template <class T = double>
[[nodiscard]] host_scores<T> few_values(std::size_t n) {
  host_scores<T> in = scores_of_lengths<T>({n, n}, 14);
  for (std::size_t i = 0; i < 2 * n; ++i)
    in.lists.scores[i] = std::round((i < n ? T{3} : T{40}) * in.lists.scores[i]) * static_cast<T>(0.3719317);
  return in;
}

}  // namespace cuda_support
