// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/precision.hpp>
#include <rankloss/detail/pairs/ordered_items.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Numbers by position, of which differences are wanted in lanes of S with all digits of S, however near to each other
/// the numbers are. Where S is float, a number is kept as a float and what that leaves of it, as another one. The
/// first ones of two numbers that are near to each other have an exact difference.
template <class Arch, class S>
class near_numbers {
  using V = xsimd::batch<S, Arch>;
  static constexpr bool has_rest = single_precision<S>;

 public:
  near_numbers() = default;
  near_numbers(std::size_t n, workspace& scratch)
      : first_(padded<S, Arch>(n, scratch)), rest_(has_rest ? padded<S, Arch>(n, scratch) : std::span<S>{}) {}
  near_numbers(std::span<const double> values, workspace& scratch) : near_numbers(values.size(), scratch) {
    for (std::size_t p = 0; p < values.size(); ++p) set(p, values[p]);
  }

  void set(std::size_t p, double value) const noexcept {
    first_[p] = static_cast<S>(value);
    if constexpr (has_rest) rest_[p] = static_cast<S>(value - opaque(static_cast<double>(first_[p])));
  }

  struct pairs_of_item {
    const S* first;
    const S* rest;
    V own, own_rest;
    /// The number of the item minus those of the others, from position j on.
    [[gnu::always_inline]] V operator()(std::size_t j) const noexcept {
      const V difference = own - V::load_unaligned(first + j);
      if constexpr (has_rest)
        return opaque(difference) + (own_rest - V::load_unaligned(rest + j));
      else
        return difference;
    }
  };
  [[nodiscard]] pairs_of_item at(std::size_t i) const noexcept { return at(i, *this); }
  [[nodiscard]] pairs_of_item at(std::size_t i, const near_numbers& others) const noexcept {
    return {others.first_.data(), others.rest_.data(), V(first_[i]), V(has_rest ? rest_[i] : S(0))};
  }

 private:
  std::span<S> first_, rest_;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
