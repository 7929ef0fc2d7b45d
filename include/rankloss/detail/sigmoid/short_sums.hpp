// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/arrays.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The sums of sigmoid_sums.hpp for one short list, pair by pair: without a sort, and with each slope kept for
/// the pull. Lanes hold neighbouring items, and the sum of each runs over the list in its order, so that items
/// of equal score have ranks of equal bits.
template <class Arch, class T>
class short_sums {
  using V = lanes<Arch>;
  static constexpr std::size_t w = lane_count<Arch>;

 public:
  short_sums() = default;

  short_sums(const strided<const T>& scores, double temperature, workspace& scratch)
      : n_(scores.size()),
        padded_(padded_rows(n_, w)),
        // Scores are halved first: their difference may overflow.
        scale_(2.0 / temperature),
        halves_(scratch.take<double>(padded_)),
        slopes_(scratch.take<double>(n_ * padded_)) {
    for (std::size_t i = 0; i < n_; ++i) halves_[i] = 0.5 * static_cast<double>(bounded(scores[i]));
    std::fill(halves_.begin() + static_cast<std::ptrdiff_t>(n_), halves_.end(), 0.0);
  }

  /// out_i = 1 + sum_{j != i} sigmoid((s_j - s_i) / t)
  void ranks(std::span<double> out) {
    for_rows<Arch>(n_, [&](std::size_t i, auto count) {
      const V own = V::load_unaligned(halves_.data() + i);
      V rank(0.5);  // the item itself counts 1/2 among the others
      for (std::size_t j = 0; j < n_; ++j) {
        const V d = (V(halves_[j]) - own) * V(scale_);
        const V u = exp_below<T>(xsimd::min(xsimd::abs(d), V(1e300)));
        const V high = V(1.0) / (V(1.0) + u);
        const V low = u * high;
        rank += xsimd::select(d > V(0.0), high, low);
        (low * high).store_unaligned(slopes_.data() + j * padded_ + i);
      }
      store_items<Arch>(out.data() + i, count, rank);
    });
  }

  /// out_i = sum_{j != i} (a_j - a_i) sigmoid'((s_j - s_i) / t). Requires a previous call of `ranks`.
  void pull(std::span<const double> a, std::span<double> out) const {
    for_rows<Arch>(n_, [&](std::size_t i, auto count) {
      const V own = load_items<Arch>(a.data() + i, count);
      V sum(0.0);
      for (std::size_t j = 0; j < n_; ++j)
        sum = xsimd::fma(V(a[j]) - own, V::load_unaligned(slopes_.data() + j * padded_ + i), sum);
      store_items<Arch>(out.data() + i, count, sum);
    });
  }

 private:
  std::size_t n_ = 0;
  std::size_t padded_ = 0;
  double scale_ = 0.0;
  std::span<double> halves_;  // [padded] half of each score
  std::span<double> slopes_;  // [n][padded] sigmoid' of each pair
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
