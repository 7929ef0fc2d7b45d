// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>

#include <cstddef>
#include <numbers>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// 1 / log2(1 + rank) of w ranks from `first` (counted from 1) on.
template <class Arch>
[[gnu::always_inline]] inline lanes<Arch> discounts_from(std::size_t first) noexcept {
  constexpr std::size_t w = lane_count<Arch>;
  alignas(64) double step[w];
  for (std::size_t l = 0; l < w; ++l) step[l] = static_cast<double>(l + 1);
  return lanes<Arch>(std::numbers::ln2) /
         log_positive(lanes<Arch>(static_cast<double>(first)) + lanes<Arch>::load_aligned(step), log_tail_7);
}

/// The discounts of one list for ideal_dcg, computed one vector at a time and summed before they are
/// multiplied. Successive calls go from the first rank to the last.
template <class Arch>
class lane_discounts {
 public:
  /// sum plus gain times the discounts of the ranks [begin, end), counted from 0.
  [[nodiscard]] double add(double sum, double gain, std::size_t begin, std::size_t end) noexcept {
    return sum + gain * this->sum(begin, end);
  }
  /// sum plus gain times the discount of one rank, `count` times.
  [[nodiscard]] double add_at(double sum, double gain, std::size_t at, std::size_t count) noexcept {
    return sum + gain * static_cast<double>(count) * this->sum(at, at + 1);
  }

  /// The sum of the discounts of the ranks [begin, end), counted from 0.
  [[nodiscard]] double sum(std::size_t begin, std::size_t end) noexcept {
    double total = 0.0;
    while (begin < end && begin % w != 0) total += one(begin++);
    lanes<Arch> whole(0.0);
    for (; begin + w <= end; begin += w) whole += discounts_from<Arch>(begin + 1);
    for (total += sum_of(whole); begin < end; ++begin) total += one(begin);
    return total;
  }

 private:
  static constexpr std::size_t w = lane_count<Arch>;
  double one(std::size_t at) noexcept {
    if (at / w != held_) {
      held_ = at / w;
      discounts_from<Arch>(held_ * w + 1).store_aligned(row_);
    }
    return row_[at % w];
  }

  alignas(64) double row_[w];
  std::size_t held_ = static_cast<std::size_t>(-1);
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
