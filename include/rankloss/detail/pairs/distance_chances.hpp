// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The chances of n items, given their cosines, when one is drawn with a weight of 1 / density of its
/// distance D from the query: that of two random points of the sphere,
///
///     density(D) = D^(dimension - 2) (1 - D^2 / 4)^((dimension - 3) / 2),   D^2 = 2 - 2 cosine
///
/// Logarithms of weights are compared with the largest of them, so that no dimension is too large.
struct distance_chances {
  double dimension;
  double least;  ///< distance that nearer items have, > 0
  double most;   ///< distance from which on an item has no chance, in (least, 2]

  /// Chances that sum to 1, or are all 0 where no item has one.
  /// @param cosine_of  of item k; infinities count as the largest numbers
  template <class Arch, class CosineOf>
  [[nodiscard]] std::span<const double> operator()(std::size_t n, const CosineOf& cosine_of,
                                                   workspace& scratch) const {
    using V = lanes<Arch>;
    const std::size_t padded = padded_rows(n, lane_count<Arch>);
    const std::span<double> chance = scratch.take<double>(padded);
    const V nearest(least * least);
    const V farthest(most * most);
    for (std::size_t k = 0; k < padded; ++k)
      chance[k] = k < n ? std::min(2.0 * (1.0 - std::max(cosine_of(k), -2.0)), 8.0) : 8.0;

    // An item without a chance has this weight's logarithm.
    constexpr double none = -1e300;
    V greatest(none);
    for (std::size_t k = 0; k < padded; k += lane_count<Arch>) {
      const V square = xsimd::max(V::load_aligned(chance.data() + k), nearest);
      const V held = xsimd::min(square, farthest);
      const V rest = xsimd::max(xsimd::fma(held, V(-0.25), V(1.0)), V(0x1p-60));
      const V weight = V(0.5 * (2.0 - dimension)) * log_positive(held, log_tail_7) +
                       V(0.5 * (3.0 - dimension)) * log_positive(rest, log_tail_7);
      const V kept = xsimd::select(square < farthest, weight, V(none));
      greatest = xsimd::max(greatest, kept);
      kept.store_aligned(chance.data() + k);
    }
    alignas(64) double row[lane_count<Arch>];
    greatest.store_aligned(row);
    const double top = *std::max_element(row, row + lane_count<Arch>);
    V sum(0.0);
    for (std::size_t k = 0; k < padded; k += lane_count<Arch>) {
      const V weight = V::load_aligned(chance.data() + k);
      const V kept = xsimd::select(weight > V(none), exp_minus(xsimd::max(V(top) - weight, V(0.0))), V(0.0));
      sum += kept;
      kept.store_aligned(chance.data() + k);
    }
    const double total = sum_of(sum);
    const V share(total > 0.0 ? 1.0 / total : 0.0);
    for (std::size_t k = 0; k < padded; k += lane_count<Arch>)
      (V::load_aligned(chance.data() + k) * share).store_aligned(chance.data() + k);
    return chance.first(n);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
