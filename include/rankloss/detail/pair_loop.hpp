// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/simd.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cstddef>
#include <span>

/// Sums over the pairs of a list, pair by pair: O(n^2) time and O(n) memory, a vector of pairs at a time. Lanes are of float or of double: a pair
/// needs no more digits than its scores have, only long sums do.
namespace rankloss::detail {

/// What the loop reads and writes of the items; all arrays by place, with one vector of padding.
template <class S>
struct pair_items {
  std::size_t n = 0;
  std::span<const S> scores;   ///< 0 in the padding
  std::span<const S> levels;   ///< who is more relevant; NaN in the padding, so that it is neither more nor less
  std::span<const S> weights;  ///< of a pair's more relevant item; empty: all 1
  std::span<S> gradient;       ///< added to
  std::span<S> hessian;        ///< added to; empty: not wanted
};

/// What all pairs add up to.
struct pair_totals {
  double value = 0.0;
  double weight = 0.0;  ///< of the pairs
  double count = 0.0;   ///< number of the pairs
};

/// A function of `pairs` as the loop calls it: at(i)(j, wins, d, gap), whether the item at i wins, its score less the other's.
template <class Function>
struct by_difference {
  const Function& function;

  struct row {
    const Function& function;
    template <class Wins, class V>
    [[gnu::always_inline]] auto operator()(std::size_t, const Wins& wins, const V& d, const V& gap) const noexcept {
      return function(xsimd::select(wins, d, -d), gap);
    }
  };
  [[nodiscard]] row at(std::size_t) const noexcept { return {function}; }
};

/// Logistic and sigmoid functions from one exponential an item instead of one a pair: with E_i = exp(s_i / t), sigmoid((s_i - s_j) / t) is the
/// share E_i / (E_i + E_j). For lists whose E are all within the type's range.
template <class Arch, class S, class Function>
struct by_shares {
  using V = xsimd::batch<S, Arch>;
  const Function& function;
  std::span<const S> exponentials;  ///< [n], and a vector of padding that is not 0

  struct row {
    const by_shares& all;
    V own;
    template <class Wins>
    [[gnu::always_inline]] auto operator()(std::size_t j, const Wins& wins, const V& d, const V&) const noexcept {
      const V other = V::load_unaligned(all.exponentials.data() + j);
      const V inverse = V(S(1)) / (own + other);
      return all.function.of_shares(xsimd::select(wins, other, own) * inverse, xsimd::min(own, other) * inverse, xsimd::select(wins, -d, d));
    }
  };
  [[nodiscard]] row at(std::size_t i) const noexcept { return {*this, V(exponentials[i])}; }
};

/// Sums of w(i, j) f(s_winner - s_loser) over the pairs of different level of places i < first_end, j > i. What is added at i goes in
/// registers, what is added at j in memory.
template <class Arch, bool Hessian, class S, class Function, class Weights>
pair_totals loop_over_ordered_pairs(const pair_items<S>& items, std::size_t first_end, const Function& function, const Weights& weights) {
  using V = xsimd::batch<S, Arch>;
  constexpr std::size_t w = V::size;
  const V zero(S(0));
  pair_totals totals;
  for (std::size_t i = 0; i < first_end; ++i) {
    const V score(items.scores[i]);
    const V level(items.levels[i]);
    const V own_weight(items.weights.empty() ? S(1) : items.weights[i]);
    const auto own_function = function.at(i);
    const auto own_weights = weights.at(i);
    V value(zero), weight(zero), count(zero), gradient(zero), hessian(zero);
    for (std::size_t j = i + 1; j < items.n; j += w) {
      const V other = V::load_unaligned(items.levels.data() + j);
      const auto wins = level > other;
      const auto counts = wins || level < other;
      const auto f = own_function(j, wins, score - V::load_unaligned(items.scores.data() + j), xsimd::abs(level - other));
      V factor = own_weights(j);
      if (!items.weights.empty()) factor = factor * xsimd::select(wins, own_weight, V::load_unaligned(items.weights.data() + j));
      factor = xsimd::select(counts, factor, zero);
      value = value + xsimd::select(counts, factor * f.value, zero);
      weight = weight + factor;
      count = count + xsimd::select(counts, V(S(1)), zero);
      const V slope = xsimd::select(counts, factor * f.slope, zero);
      const V pull = xsimd::select(wins, slope, -slope);
      gradient = gradient + pull;
      (V::load_unaligned(items.gradient.data() + j) - pull).store_unaligned(items.gradient.data() + j);
      if constexpr (Hessian) {
        const V bend = xsimd::select(counts, factor * f.curvature, zero);
        hessian = hessian + bend;
        (V::load_unaligned(items.hessian.data() + j) + bend).store_unaligned(items.hessian.data() + j);
      }
    }
    totals.value += static_cast<double>(sum_of(value));
    totals.weight += static_cast<double>(sum_of(weight));
    totals.count += static_cast<double>(sum_of(count));
    items.gradient[i] += sum_of(gradient);
    if constexpr (Hessian) items.hessian[i] += sum_of(hessian);
  }
  return totals;
}

/// The same over all ordered pairs of places of which the first is below first_end or the second is, an item with itself included:
/// weights[i] f(s_i - s_j).
template <class Arch, bool Hessian, class S, class Function>
pair_totals loop_over_all_pairs(const pair_items<S>& items, std::size_t first_end, const Function& function, std::span<const S> weights) {
  using V = xsimd::batch<S, Arch>;
  constexpr std::size_t w = V::size;
  const V zero(S(0));
  pair_totals totals;
  alignas(64) S index[w];
  for (std::size_t l = 0; l < w; ++l) index[l] = static_cast<S>(l);
  const V lane = V::load_aligned(index);
  for (std::size_t i = 0; i < first_end; ++i) {
    const V score(items.scores[i]);
    const S own = items.weights.empty() ? weights[i] : weights[i] * items.weights[i];
    const auto own_function = function.at(i);
    V value(zero), weight(zero), gradient(zero), hessian(zero);
    for (std::size_t j = i + 1; j < items.n; j += w) {
      const auto inside = lane < V(static_cast<S>(std::min(items.n - j, w)));
      V other = V::load_unaligned(weights.data() + j);
      if (!items.weights.empty()) other = other * V::load_unaligned(items.weights.data() + j);
      const V d = score - V::load_unaligned(items.scores.data() + j);
      const auto f = own_function(j, lane >= zero, d, zero);
      const auto g = own_function(j, lane < zero, d, zero);
      value = value + xsimd::select(inside, V(own) * f.value + other * g.value, zero);
      weight = weight + xsimd::select(inside, V(own) + other, zero);
      const V pull = xsimd::select(inside, V(own) * f.slope - other * g.slope, zero);
      gradient = gradient + pull;
      (V::load_unaligned(items.gradient.data() + j) - pull).store_unaligned(items.gradient.data() + j);
      if constexpr (Hessian) {
        const V bend = xsimd::select(inside, V(own) * f.curvature + other * g.curvature, zero);
        hessian = hessian + bend;
        (V::load_unaligned(items.hessian.data() + j) + bend).store_unaligned(items.hessian.data() + j);
      }
    }
    alignas(64) S with_itself[w];
    own_function(i, lane >= zero, zero, zero).value.store_aligned(with_itself);
    totals.value += static_cast<double>(sum_of(value)) + static_cast<double>(own * with_itself[0]);
    totals.weight += static_cast<double>(sum_of(weight)) + static_cast<double>(own);
    totals.count += 2.0 * static_cast<double>(items.n - i) - 1.0;
    items.gradient[i] += sum_of(gradient);
    if constexpr (Hessian) items.hessian[i] += sum_of(hessian);
  }
  return totals;
}

}  // namespace rankloss::detail
