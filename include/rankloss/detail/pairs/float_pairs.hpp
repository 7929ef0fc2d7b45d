// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/data/extremes.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <span>
#include <type_traits>

/// Where the pairs of lists of floats are summed in float lanes, which take half the time of double lanes.
namespace rankloss::inline RANKLOSS_ABI::detail {

/// Whether no sum over n of the items is long, no number is large, and no two different grades become equal in float. A
/// function that takes the difference of two scores from a margin or a gap of relevance needs more digits of it
/// than a float has.
template <class Function, class T, class R>
[[nodiscard]] bool fits_float(double score_scale, const list<T, R>& items, std::size_t n) noexcept {
  if constexpr (requires(const Function& f) { f.hinges(); }) return false;
  if (n > tuning::longest_float_sum || items.size() == 0) return false;
  const auto [least, most] = extremes_of(items.scores);
  double range = 160.0;
  if constexpr (requires { Function::float_range; }) range = Function::float_range;
  if (!(static_cast<double>(most) - static_cast<double>(least) <= range * score_scale)) return false;
  constexpr double largest = 1e10;  // squares of numbers up to this, summed over all pairs, fit in a float
  if (!(score_scale >= 1.0 / largest && score_scale <= largest)) return false;
  if constexpr (!std::is_same_v<R, float> && !(std::integral<R> && sizeof(R) <= 2)) {
    for (std::size_t i = 0; i < items.size(); ++i)
      if (static_cast<double>(static_cast<float>(items.relevance[i])) !=
          static_cast<double>(items.relevance[i]))
        return false;
  }
  return true;
}

/// Whether sums over pairs are so small that what floats cannot hold may be missing from them: where pairs of great
/// weight are solved, or have no weight by rank, those of small weight are what counts.
[[nodiscard]] inline bool lost_in_float(double value, std::span<const double> derivatives) noexcept {
  double largest = 0.0;
  for (const double x : derivatives) largest = std::max(largest, std::abs(x));
  return std::min(value, largest) < 1e-27;
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
