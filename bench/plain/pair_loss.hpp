// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/simd/lanes.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <span>
#include <vector>

namespace bench::plain {

enum class pair_weight { one, delta_ndcg };

/// pair_loss: the yardstick of rankloss::ranknet and rankloss::lambdarank, the loop over all pairs as one
/// would write it by hand.
///
/// Lanes of the scores' own type, each pair once, its exponential and logarithm by the library of vectors,
/// scratch O(n) that is made once.
template <class T>
class pair_loss {
 public:
  pair_loss(pair_weight weight, std::size_t longest)
      : weight_(weight),
        scores_(longest + w),
        relevance_(longest + w),
        gains_(longest + w),
        discounts_(longest + w),
        sums_(longest + w),
        order_(longest) {}

  double operator()(std::span<const T> scores, std::span<const T> relevance, std::span<T> gradient) {
    const std::size_t n = scores.size();
    std::iota(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(n), 0u);
    if (weight_ == pair_weight::delta_ndcg)
      std::stable_sort(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(n),
                       [&](std::uint32_t a, std::uint32_t b) { return scores[a] > scores[b]; });
    T ideal(0);
    if (weight_ == pair_weight::delta_ndcg) {
      for (std::size_t p = 0; p < n; ++p) gains_[p] = std::exp2(relevance[p]) - T(1);
      std::sort(gains_.begin(), gains_.begin() + static_cast<std::ptrdiff_t>(n), std::greater<>());
      for (std::size_t p = 0; p < n; ++p) discounts_[p] = T(1) / std::log2(static_cast<T>(p + 2));
      for (std::size_t p = 0; p < n; ++p) ideal += gains_[p] * discounts_[p];
    }
    for (std::size_t p = 0; p < n; ++p) {
      scores_[p] = scores[order_[p]];
      relevance_[p] = relevance[order_[p]];
      if (weight_ == pair_weight::delta_ndcg) gains_[p] = (std::exp2(relevance_[p]) - T(1)) / ideal;
    }
    std::fill_n(sums_.begin(), n + w, T(0));
    const double value = weight_ == pair_weight::one ? loop<false>(n) : loop<true>(n);
    for (std::size_t p = 0; p < n; ++p) gradient[order_[p]] = sums_[p];
    return value;
  }

 private:
  using V = xsimd::batch<T>;
  static constexpr std::size_t w = V::size;

  template <bool Weighted>
  double loop(std::size_t n) {
    double total = 0.0;
    alignas(64) T index[w];
    for (std::size_t l = 0; l < w; ++l) index[l] = static_cast<T>(l);
    const V lane = V::load_aligned(index);
    const V zero(T(0)), one(T(1));
    for (std::size_t i = 0; i < n; ++i) {
      V value(zero), gradient(zero);
      for (std::size_t j = i + 1; j < n; j += w) {
        const V y = V::load_unaligned(&relevance_[j]);
        const auto inside = lane < V(static_cast<T>(std::min(n - j, w)));
        const auto wins = V(relevance_[i]) > y;
        const auto counts = inside && (wins || V(relevance_[i]) < y);
        const V gap = V(scores_[i]) - V::load_unaligned(&scores_[j]);
        const V d = xsimd::select(wins, gap, -gap);
        const V u = xsimd::exp(-xsimd::abs(d));
        V loss = xsimd::max(-d, zero) + xsimd::log1p(u);
        V slope = -xsimd::select(d > zero, u, one) / (one + u);
        if constexpr (Weighted) {
          const V weight = xsimd::abs((V(gains_[i]) - V::load_unaligned(&gains_[j])) *
                                      (V(discounts_[i]) - V::load_unaligned(&discounts_[j])));
          loss = loss * weight;
          slope = slope * weight;
        }
        value = value + xsimd::select(counts, loss, zero);
        const V pull = xsimd::select(counts, xsimd::select(wins, slope, -slope), zero);
        gradient = gradient + pull;
        (V::load_unaligned(&sums_[j]) - pull).store_unaligned(&sums_[j]);
      }
      total += static_cast<double>(rankloss::detail::sum_of(value));
      sums_[i] += rankloss::detail::sum_of(gradient);
    }
    return total;
  }

  pair_weight weight_;
  std::vector<T> scores_, relevance_, gains_, discounts_, sums_;
  std::vector<std::uint32_t> order_;
};

}  // namespace bench::plain
