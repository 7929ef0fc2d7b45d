// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>
#include <rankloss/detail/base/loops.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/pairs/pair_kernel.hpp>
#include <rankloss/detail/pairs/pair_loop.hpp>
#include <rankloss/detail/pairs/pair_series.hpp>
#include <rankloss/detail/pairs/sorted_items.hpp>
#include <rankloss/detail/pairs/window_weights.hpp>
#include <rankloss/detail/sigmoid/cell_sums.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The pairs of different levels within a window of neighbouring positions: one by one, or by a short series
/// where all scores of the window are close together.
template <class Arch, class T, std::size_t C, bool Weighted, bool ByLevel, bool Differences, class Function,
          class Weights = window_weights<Arch, T, C, ByLevel, Differences> >
class window_pairs {
  using constants = pair_series<T>;
  static constexpr std::size_t sets = Weighted ? 2 : 1;  // of the levels below an item and above it

 public:
  /// @param buckets     [n] by position: the levels that decide which item of a pair is more relevant
  /// @param scale       1 / temperature
  /// @param wrong_sign  factor on the weight of pairs whose upper item is the less relevant one
  /// @param gradient    [n] by position, added to
  /// @param totals      value and weight are added to, the count is not
  window_pairs(const sorted_items<T, C>& sorted, std::span<const std::uint32_t> buckets, double scale,
               double wrong_sign, std::span<double> gradient, pair_totals& totals, workspace& scratch)
      : window_pairs(sorted, buckets, scale, wrong_sign, gradient, totals, Weights(sorted, scratch),
                     scratch) {}
  /// @param weights  those of the pairs, for the pair loop
  window_pairs(const sorted_items<T, C>& sorted, std::span<const std::uint32_t> buckets, double scale,
               double wrong_sign, std::span<double> gradient, pair_totals& totals, const Weights& weights,
               workspace& scratch)
      : sorted_(sorted),
        buckets_(buckets),
        scale_(scale),
        wrong_sign_(wrong_sign),
        gradient_(gradient),
        totals_(totals),
        near_weights_(weights) {
    constexpr std::size_t padding = xsimd::batch<T, Arch>::size;
    near_levels_ = scratch.take<T>(sorted_.n + padding);
    near_scores_ = scratch.take<T>(sorted_.n + padding);
    near_exponentials_ = scratch.take<T>(sorted_.n + padding);
    // The pair loop subtracts scores, which is exact where their differences to a centre would be rounded.
    // The scores are therefore only scaled by a power of two, which rounds nothing: the largest one that is
    // at most 1 / temperature, or a smaller one where differences would overflow.
    const double largest = std::max({std::abs(sorted_.scores[0]), std::abs(sorted_.scores[sorted_.n - 1]),
                                     std::numeric_limits<double>::min()});
    near_unit_ = std::ldexp(
        1.0, std::min(std::ilogb(scale_), std::numeric_limits<T>::max_exponent - 3 - std::ilogb(largest)));
    near_gradient_ = scratch.take<T>(sorted_.n + padding);
    std::fill(near_gradient_.begin(), near_gradient_.end(), T{0});
    for (std::size_t i = 0; i < sorted_.n; ++i) {
      near_levels_[i] = static_cast<T>(buckets_[i]);
      near_scores_[i] = static_cast<T>(sorted_.scores[i] * near_unit_);
    }
    std::fill_n(near_levels_.data() + sorted_.n, padding, T{0});
    std::fill_n(near_scores_.data() + sorted_.n, padding, T{0});
  }

  using by_level = wide_row<Arch, tuning::narrow_levels>;
  /// By set and level: the factors on the weights of pairs with each other level (`size`), and the same
  /// factors with the sign of the difference of the two levels (`signed_size`). The first set holds the
  /// levels below, the last one the levels above.
  struct level_differences {
    std::array<std::array<by_level, tuning::narrow_levels>, sets> size, signed_size;
  };
  [[nodiscard]] level_differences differences(std::size_t levels) const {
    level_differences all;
    for (std::size_t set = 0; set < sets; ++set)
      for (std::size_t level = 0; level < levels; ++level) {
        alignas(64) double size[tuning::narrow_levels]{};
        alignas(64) double signed_size[tuning::narrow_levels]{};
        for (std::size_t other = 0; other < levels; ++other) {
          if (other == level || (sets == 2 && (set == 0) != (other < level))) continue;
          size[other] = ByLevel ? sorted_.difference(level, other) : 1.0;
          signed_size[other] = other < level ? size[other] : -size[other];
        }
        all.size[set][level].load(size);
        all.signed_size[set][level].load(signed_size);
      }
    return all;
  }

  /// Adds the pairs of positions [begin, end), whose scores are so close that f is a short series in their
  /// difference. Each item is combined with the sums of powers of the scores above it and below it, kept by
  /// level. The gradient of an item is made of f' at its score minus theirs: the pairs in which it is
  /// preferred and those in which it is not share the odd part of f' and differ in the sign of the even part.
  /// For f itself they share the even part and differ in the sign of the odd one.
  void add_by_series(std::size_t begin, std::size_t end, const level_differences& weight) {
    if (begin >= sorted_.counted) return;
    constexpr std::size_t Q = constants::narrow_order;
    constexpr bool logistic = Function::kernel == pair_kernel::logistic;
    static constexpr auto even_slope = constants::narrow_of(logistic ? 0 : 1, -1.0, 0);
    static constexpr auto odd_slope = constants::narrow_of(logistic ? 0 : 1, -1.0, 1);
    static constexpr auto even_value = constants::narrow_of(logistic ? -1 : 0, 1.0, 0);
    static constexpr auto odd_value = constants::narrow_of(logistic ? -1 : 0, 1.0, 1);
    static constexpr auto unit = [] {
      std::array<std::array<double, tuning::narrow_levels>, tuning::narrow_levels> rows{};
      for (std::size_t level = 0; level < rows.size(); ++level) rows[level][level] = 1.0;
      return rows;
    }();
    const double middle = 0.5 * sorted_.scores[begin] + 0.5 * sorted_.scores[end - 1];
    by_level above[sets][C][Q];
    by_level below[sets][C][Q];
    const auto enter = [&](by_level(&sums)[sets][C][Q], const std::array<std::span<double>, C>& factors,
                           std::size_t i, double sign) {
      const double* own = unit[buckets_[i]].data();
      const double x = (sorted_.scores[i] - middle) * scale_;
      for (std::size_t set = 0; set < sets; ++set)
        for (std::size_t c = 0; c < C; ++c) {
          double term = sign * factors[c][i];
          // of pairs in which item i is preferred
          if (Weighted && set == 1) term *= static_cast<double>(sorted_.weights[i]);
          for (std::size_t q = 0; q < Q; ++q, term *= x) sums[set][c][q].add_scaled(term, own);
        }
    };
    for (std::size_t i = begin; i < end; ++i) enter(below, sorted_.lower, i, 1.0);
    by_level value_sum, weight_sum;
    for (std::size_t i = begin; i < end; ++i) {
      enter(below, sorted_.lower, i, -1.0);
      double x[Q]{1.0};
      for (std::size_t q = 1; q < Q; ++q) x[q] = x[q - 1] * (sorted_.scores[i] - middle) * scale_;
      const std::size_t level = buckets_[i];
      by_level pull;
      for (std::size_t set = 0; set < sets; ++set) {
        const double own = Weighted && set == 0 ? static_cast<double>(sorted_.weights[i]) : 1.0;
        by_level of_above[Q], of_both[Q];
        for (std::size_t q = 0; q < Q; ++q) {
          for (std::size_t c = 0; c < C; ++c) of_above[q].add(own * sorted_.lower[c][i], above[set][c][q]);
          of_both[q] = of_above[q];
          for (std::size_t c = 0; c < C; ++c) of_both[q].add(own * sorted_.upper[c][i], below[set][c][q]);
        }
        const auto series_of = [&]<const auto & series>(const by_level(&powers)[Q]) {
          by_level sum;
          unrolled<Q>([&]<std::size_t q> {
            if constexpr (series[q] != std::array<double, Q>{}) {
              double factor = 0.0;
              unrolled<Q>([&]<std::size_t p> {
                if constexpr (series[q][p] != 0.0) factor += series[q][p] * x[p];
              });
              sum.add(factor, powers[q]);
            }
          });
          return sum;
        };
        const by_level& size = weight.size[set][level];
        const by_level& signed_size = weight.signed_size[set][level];
        pull.add_product(signed_size, series_of.template operator()<even_slope>(of_both));
        pull.add_product(size, series_of.template operator()<odd_slope>(of_both));
        value_sum.add_product(size, series_of.template operator()<even_value>(of_above));
        value_sum.add_product(signed_size, series_of.template operator()<odd_value>(of_above));
        weight_sum.add_product(size, of_above[0]);
      }
      gradient_[i] += pull.sum();
      enter(above, sorted_.upper, i, 1.0);
    }
    totals_.value += value_sum.sum();
    totals_.weight += weight_sum.sum();
  }

  /// Adds the pairs of positions [begin, end), one by one.
  void add_one_by_one(std::size_t begin, std::size_t end) {
    const std::size_t first_end = std::min(end, sorted_.counted);
    if (begin >= first_end) return;
    const pair_items<T> items{begin, end, near_scores_, near_levels_, sorted_.weights, near_gradient_, {}};
    Function function{};  // natural logarithms
    function.temperature = near_unit_ / scale_;
    const auto loop = [&](const auto& of_pair) {
      return loop_over_positions<Arch, false>(items, first_end, of_pair, near_weights_,
                                              static_cast<T>(wrong_sign_));
    };
    const std::span<const double> scores = sorted_.scores.subspan(begin, end - begin);
    const bool fits = fill_exponentials<Arch, T>(scores, scores.back(), scores.front(), scale_,
                                                 near_exponentials_.subspan(begin));
    const pair_totals near = fits ? loop(by_probabilities<Arch, T, Function>{function, near_exponentials_})
                                  : loop(by_difference<Function>{function});
    totals_.value += near.value;
    totals_.weight += near.weight;
    for (std::size_t i = begin; i < end; ++i) {
      gradient_[i] += function.temperature * static_cast<double>(near_gradient_[i]);
      near_gradient_[i] = T{0};
    }
  }

 private:
  const sorted_items<T, C>& sorted_;
  std::span<const std::uint32_t> buckets_;
  double scale_;
  double wrong_sign_;
  std::span<double> gradient_;
  pair_totals& totals_;
  // By position, in the form that the pair loop reads.
  std::span<T> near_levels_, near_scores_, near_exponentials_, near_gradient_;
  Weights near_weights_;
  double near_unit_ = 1.0;  ///< near_scores_ are the scores times this
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
