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
///
/// Where they are products of `differences`, the channels are those of
/// - x(upper) - z(lower): upper (x, 1), lower (1, -z);
/// - (x(upper) - x(lower)) (z(upper) - z(lower)): upper (x z, -x, -z, 1), lower (1, z, x, x z).
template <class S, std::size_t Channels>
struct weight_channels {
  static constexpr std::size_t count = Channels;
  std::array<std::span<S>, Channels> upper, lower;
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
  for (auto* side : {&weights.c.upper, &weights.c.lower})
    for (std::span<S>& channel : *side) channel = padded<S, Arch>(at.size(), scratch);
  weight.template fill<Arch>(items, at, weights.c, scratch);
  return weights;
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
