// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/pairs/ordered_items.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <array>
#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The weight of a pair as a sum of products over channels, weight(upper, lower) = sum_c upper_c(item above)
/// lower_c(item below); where the item above is the less relevant one, it is multiplied by `wrong_sign`. The
/// near-linear sums over all pairs need weights of this form.
template <class S, std::size_t Channels>
struct weight_channels {
  static constexpr std::size_t count = Channels;
  std::span<S> upper[Channels];
  std::span<S> lower[Channels];
};

/// weight(i above j) = upper0_i lower0_j + upper1_i lower1_j
template <class Arch, class S>
struct two_channels {
  using V = xsimd::batch<S, Arch>;
  weight_channels<S, 2> c;
  struct pairs_of_item {
    const S* lower0;
    const S* lower1;
    V first, second;
    [[gnu::always_inline]] V operator()(std::size_t j) const noexcept {
      return xsimd::fma(first, V::load_unaligned(lower0 + j), second * V::load_unaligned(lower1 + j));
    }
  };
  [[nodiscard]] pairs_of_item at(std::size_t i) const noexcept {
    return {c.lower[0].data(), c.lower[1].data(), V(c.upper[0][i]), V(c.upper[1][i])};
  }
};

template <class Arch, class S, class Weight, class T, class R>
[[nodiscard]] two_channels<Arch, S> prepare_two(const Weight& weight, const list<T, R>& items,
                                                const ordered_items& at, workspace& scratch) {
  two_channels<Arch, S> weights;
  for (auto* side : {weights.c.upper, weights.c.lower})
    for (std::size_t k = 0; k < 2; ++k) side[k] = padded<S, Arch>(at.size(), scratch);
  weight.template fill<Arch>(items, at, weights.c, scratch);
  return weights;
}

/// weight(i, j) for positions i < j, computed from channels for the pair loop.
template <class Arch, class T, std::size_t C, bool ByLevel>
struct channel_weights {
  using V = xsimd::batch<T, Arch>;
  const std::array<std::span<T>, C>& upper;
  const std::array<std::span<T>, C>& lower;
  std::span<const T> gains;  ///< [n], where ByLevel

  struct pairs_of_item {
    const T* lower[C];
    const T* gains;
    V own[C];
    V gain;
    [[gnu::always_inline]] V operator()(std::size_t j) const noexcept {
      V sum = own[0] * V::load_unaligned(lower[0] + j);
      for (std::size_t c = 1; c < C; ++c) sum = xsimd::fma(own[c], V::load_unaligned(lower[c] + j), sum);
      if constexpr (ByLevel) sum = sum * xsimd::abs(gain - V::load_unaligned(gains + j));
      return sum;
    }
  };
  [[nodiscard]] pairs_of_item at(std::size_t i) const noexcept {
    pairs_of_item r{{}, gains.data(), {}, V(ByLevel ? gains[i] : T{0})};
    for (std::size_t c = 0; c < C; ++c) {
      r.lower[c] = lower[c].data();
      r.own[c] = V(upper[c][i]);
    }
    return r;
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
