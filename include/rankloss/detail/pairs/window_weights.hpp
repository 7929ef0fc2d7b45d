// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>
#include <rankloss/detail/pairs/near_numbers.hpp>
#include <rankloss/detail/pairs/ordered_items.hpp>
#include <rankloss/detail/pairs/sorted_items.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <array>
#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The weights of the pairs of a sorted list for the pair loop, in lanes of T: weight(i, j) for positions i < j.
/// Differences: whether the channels are those of products of differences, see weight_channels. Such a weight is formed
/// from the differences, as its channels cancel each other out.
template <class Arch, class T, std::size_t C, bool ByLevel, bool Differences>
class window_weights {
  using V = xsimd::batch<T, Arch>;
  static_assert(C == 1 || C == 2 || C == 4);
  static constexpr std::size_t numbers = C == 4 ? 2 : 1;

 public:
  window_weights(const sorted_items<T, C>& sorted, workspace& scratch) {
    if constexpr (Differences) {
      numbers_[0] = {C == 4 ? sorted.lower[C - 2] : sorted.upper[0], scratch};
      if constexpr (C == 4) {
        numbers_[1] = {sorted.lower[1], scratch};
      } else {
        below_ = {sorted.n, scratch};
        for (std::size_t p = 0; p < sorted.n; ++p) below_.set(p, -sorted.lower[1][p]);
      }
    } else {
      const auto copied = [&](std::span<const double> from) {
        const std::span<T> to = padded<T, Arch>(from.size(), scratch);
        for (std::size_t p = 0; p < from.size(); ++p) to[p] = static_cast<T>(from[p]);
        return to;
      };
      for (std::size_t c = 0; c < C; ++c) {
        upper_[c] = copied(sorted.upper[c]);
        lower_[c] = copied(sorted.lower[c]);
      }
    }
    if constexpr (ByLevel) {
      gains_ = {sorted.n, scratch};
      for (std::size_t p = 0; p < sorted.n; ++p) gains_.set(p, sorted.gains[sorted.levels[p]]);
    }
  }

  struct pairs_of_item {
    using differences = typename near_numbers<Arch, T>::pairs_of_item;
    std::array<differences, Differences ? numbers : 0> of;
    std::array<differences, ByLevel ? 1 : 0> gains;
    std::array<const T*, Differences ? 0 : C> lower;
    std::array<V, Differences ? 0 : C> own;
    [[gnu::always_inline]] V operator()(std::size_t j) const noexcept {
      V weight;
      if constexpr (Differences) {
        weight = of[0](j);
        if constexpr (numbers == 2) weight = weight * of[1](j);
      } else {
        weight = own[0] * V::load_unaligned(lower[0] + j);
        for (std::size_t c = 1; c < C; ++c)
          weight = xsimd::fma(own[c], V::load_unaligned(lower[c] + j), weight);
      }
      if constexpr (ByLevel) weight = weight * xsimd::abs(gains[0](j));
      return weight;
    }
  };
  [[nodiscard]] pairs_of_item at(std::size_t i) const noexcept {
    pairs_of_item r;
    if constexpr (Differences) {
      for (std::size_t k = 0; k < numbers; ++k) r.of[k] = numbers_[k].at(i, C == 2 ? below_ : numbers_[k]);
    } else {
      for (std::size_t c = 0; c < C; ++c) {
        r.lower[c] = lower_[c].data();
        r.own[c] = V(upper_[c][i]);
      }
    }
    if constexpr (ByLevel) r.gains[0] = gains_.at(i);
    return r;
  }

 private:
  std::array<near_numbers<Arch, T>, Differences ? numbers : 0> numbers_;
  near_numbers<Arch, T> below_;  // of the items below, where they are not those of the items above
  near_numbers<Arch, T> gains_;
  std::array<std::span<const T>, Differences ? 0 : C> upper_, lower_;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
