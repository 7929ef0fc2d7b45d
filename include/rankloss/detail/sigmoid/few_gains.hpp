// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/arrays.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/data/contiguous_items.hpp>
#include <rankloss/detail/gains/ideal_dcg.hpp>
#include <rankloss/detail/gains/lane_discounts.hpp>
#include <rankloss/detail/sigmoid/smooth_dcg.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The items of a list that have gain, where they are so few that each is best compared with all items: only
/// their ranks count. A sort and scans of the whole list take longer. Infinite scores are left to those.
template <class Arch, class T>
class few_gains {
  using V = lanes<Arch>;

 public:
  few_gains(const strided<const T>& scores, std::span<const T> gains, workspace& scratch) {
    const std::size_t n = gains.size();
    std::size_t found = 0;
    std::array<std::uint32_t, tuning::few_gains> own{};
    for (std::size_t i = 0; i < n; ++i) {
      if (!(gains[i] > T{0})) continue;
      if (found == tuning::few_gains) return;
      own[found++] = static_cast<std::uint32_t>(i);
    }
    s_ = contiguous_items(scores, scratch);
    unsigned infinite = 0;
    for (std::size_t i = 0; i < n; ++i) infinite |= is_finite(s_[i]) ? 0u : 1u;
    if (infinite != 0) return;
    items_ = own;
    count_ = found;
    few_ = true;
  }

  /// The ideal DCG of the list.
  template <class Discount>
  [[nodiscard]] double ideal(rankloss::ideal kind, std::size_t cutoff, std::span<const T> gains,
                             workspace& scratch) const {
    std::array<T, tuning::few_gains> own{};
    for (std::size_t k = 0; k < count_; ++k) own[k] = gains[items_[k]];
    return ideal_dcg<lane_discounts<Arch, Discount>, T>(kind, cutoff, std::span<const T>(own.data(), count_),
                                                        scratch);
  }

  /// Whether this is the way.
  [[nodiscard]] bool apply() const noexcept { return few_; }

  /// The smooth DCG; with `gradient` [n] factor * d(DCG) / d(s / temperature).
  template <class Discount>
  double dcg(std::span<const T> gains, double temperature, double cutoff, double factor,
             const strided<T>& gradient, workspace& scratch) const {
    const std::size_t n = gains.size();
    const workspace::scope scope(scratch);
    const std::size_t padded = gradient.empty() ? 0 : padded_rows(n, lane_count<Arch>);
    const std::span<double> slopes = scratch.take<double>(padded);
    const std::span<double> sums = scratch.take<double>(padded);
    std::fill(sums.begin(), sums.end(), 0.0);
    double total = 0.0;
    for (const std::uint32_t item : std::span(items_).first(count_)) {
      const double own = rank(item, n, temperature, slopes);
      with_smooth_cut<wanted::gradient>(cutoff, [&]<bool Cut>(double k) {
        const discounted_gain<T, Discount, Cut, V> term(V(static_cast<double>(gains[item])), V(own), k);
        total += sum_of(term.value) / static_cast<double>(lane_count<Arch>);
        if (gradient.empty()) return;
        const double by_rank = factor * (sum_of(term.slope) / static_cast<double>(lane_count<Arch>));
        slopes[item] = 0.0;
        V of_others(0.0);
        for (std::size_t i = 0; i < padded; i += lane_count<Arch>) {
          const V slope = V::load_aligned(slopes.data() + i);
          of_others += slope;
          xsimd::fma(V(by_rank), slope, V::load_aligned(sums.data() + i)).store_aligned(sums.data() + i);
        }
        sums[item] -= by_rank * sum_of(of_others);
      });
    }
    for (std::size_t i = 0; i < gradient.size(); ++i) gradient[i] = held_as<T>(sums[i]);
    return total;
  }

 private:
  /// The soft rank of an item, and sigmoid' of all items in `slopes`, unless that is empty.
  [[nodiscard]] double rank(std::size_t item, std::size_t n, double temperature,
                            std::span<double> slopes) const {
    const double unit = 2.0 / temperature;
    const V half(0.5 * static_cast<double>(s_[item]));
    V ranks(0.0);
    const auto each = [&](auto keep) {
      for_rows<Arch>(n, [&](std::size_t i, auto count) {
        // Scores are halved first: their difference may overflow.
        const V d = xsimd::fma(load_items<Arch>(s_ + i, count), V(0.5), -half) * V(unit);
        const V e = exp_below<T>(xsimd::min(xsimd::abs(d), V(1e300)));
        const V inverse = V(1.0) / (V(1.0) + e);
        ranks += only_items<Arch>(count, xsimd::select(d > V(0.0), inverse, e * inverse));
        keep(i, count, e * inverse * inverse);
      });
    };
    if (slopes.empty())
      each([](std::size_t, auto, const V&) {});
    else
      each([&](std::size_t i, auto count, const V& slope) {
        only_items<Arch>(count, slope).store_aligned(slopes.data() + i);
      });
    return 0.5 + sum_of(ranks);  // the item itself counts 1/2 among the others
  }

  const T* s_ = nullptr;
  std::array<std::uint32_t, tuning::few_gains> items_{};
  std::size_t count_ = 0;
  bool few_ = false;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
