// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/random.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

namespace examples {

/// A difference of means with its 95 % interval.
struct interval {
  double value = 0.0;
  double low = 0.0;
  double high = 0.0;
};

/// bootstrap: the mean of a[q] - b[q] over the lists, and where the middle 95 % of `resamples` draws of as many lists with replacement lie.
/// Resample r draws from stream r of the seed, whatever a and b are.
[[nodiscard]] inline interval bootstrap(const std::vector<double>& a, const std::vector<double>& b,
                                        std::size_t resamples, std::uint64_t seed) {
  constexpr std::uint64_t first_stream = std::uint64_t{1} << 40;  // clear of what training draws from
  const std::size_t n = a.size();
  std::vector<double> difference(n);
  for (std::size_t q = 0; q < n; ++q) difference[q] = a[q] - b[q];
  if (n == 0) return {};
  std::vector<double> means(resamples);
  for (std::size_t r = 0; r < resamples; ++r) {
    rankloss::random_stream random(seed, first_stream + r);
    double sum = 0.0;
    for (std::size_t q = 0; q < n; ++q) sum += difference[random.below(n)];
    means[r] = sum / static_cast<double>(n);
  }
  std::sort(means.begin(), means.end());
  const auto at = [&](double share) {
    return means[static_cast<std::size_t>(std::lround(share * static_cast<double>(resamples - 1)))];
  };
  return {std::accumulate(difference.begin(), difference.end(), 0.0) / static_cast<double>(n), at(0.025),
          at(0.975)};
}

}  // namespace examples
