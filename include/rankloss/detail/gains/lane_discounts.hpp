// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/sorting/few_values.hpp>

#include <algorithm>
#include <cstddef>
#include <numbers>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// gain * D(rank), D a discount, and its derivatives by the rank.
template <class V>
struct discounted {
  V value, slope, curvature;
};

/// D(rank) = 1 / log2(1 + rank), the discount of DCG.
struct log2_discount {
  template <class V>
  [[gnu::always_inline]] static V at(const V& rank) noexcept {
    return V(std::numbers::ln2) / log_positive(V(1.0) + rank, log_tail_7);
  }
  /// `log_tail`: as many coefficients of the logarithm as the type of the scores needs.
  template <class V>
  [[gnu::always_inline]] static discounted<V> of(const V& gain, const V& rank,
                                                 const auto& log_tail) noexcept {
    const V argument = V(1.0) + rank;
    const V logarithm = log_positive(argument, log_tail);
    const V both = V(1.0) / (logarithm * argument);  // one division instead of two
    const V inverse_log = both * argument;
    const V inverse = both * logarithm;
    const V value = gain * V(std::numbers::ln2) * inverse_log;
    const V slope = -value * both;
    return {value, slope, -slope * inverse * (V(1.0) + V(2.0) * inverse_log)};
  }
};

/// The discounts of w ranks from `first` (counted from 1) on.
template <class Arch, class Discount = log2_discount>
[[gnu::always_inline]] inline lanes<Arch> discounts_from(std::size_t first) noexcept {
  return Discount::at(lanes<Arch>(static_cast<double>(first)) + lane_numbers<lanes<Arch>>());
}

/// The discounts of the first ranks, computed once in a program: a logarithm and a division take as long as all else that
/// a short list does with one.
template <class Arch, class Discount>
struct first_discounts {
  static constexpr std::size_t count = 1024;
  alignas(64) double of[count];

  first_discounts() noexcept {
    for (std::size_t i = 0; i < count; i += lane_count<Arch>)
      discounts_from<Arch, Discount>(i + 1).store_aligned(of + i);
  }
  [[nodiscard]] static const first_discounts& get() noexcept {
    static const first_discounts discounts;
    return discounts;
  }
};

/// Writes the discounts of the ranks from `begin` to `end`, counted from 0, and up to a whole row beyond: to[i] is that of
/// rank begin + i.
template <class Arch, class Discount = log2_discount, class S>
void fill_discounts(std::size_t begin, std::size_t end, S* to) noexcept {
  using kept = first_discounts<Arch, Discount>;
  const kept& first = kept::get();
  std::size_t at = begin;
  for (const std::size_t known = std::min(end, kept::count); at < known; ++at)
    to[at - begin] = static_cast<S>(first.of[at]);
  for (; at < end; at += lane_count<Arch>)
    store_row<Arch>(to + (at - begin), discounts_from<Arch, Discount>(at + 1));
}

/// The discounts of one list for ideal_dcg, computed one vector at a time and summed before they are
/// multiplied. Successive calls go from the first rank to the last.
template <class Arch, class Discount = log2_discount>
class lane_discounts {
 public:
  /// How the different gains of a list are found where it has few of them.
  template <class T>
  using few_values = detail::few_values<T>;

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
    for (const std::size_t known = std::min(end, kept::count); begin + w <= known; begin += w)
      whole += lanes<Arch>::load_aligned(first_.of + begin);
    for (; begin + w <= end; begin += w) whole += discounts_from<Arch, Discount>(begin + 1);
    for (total += sum_of(whole); begin < end; ++begin) total += one(begin);
    return total;
  }

 private:
  using kept = first_discounts<Arch, Discount>;
  static constexpr std::size_t w = lane_count<Arch>;
  double one(std::size_t at) noexcept {
    if (at < kept::count) return first_.of[at];
    if (at / w != held_) {
      held_ = at / w;
      discounts_from<Arch, Discount>(held_ * w + 1).store_aligned(row_);
    }
    return row_[at % w];
  }

  const kept& first_ = kept::get();
  alignas(64) double row_[w];
  std::size_t held_ = static_cast<std::size_t>(-1);
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
