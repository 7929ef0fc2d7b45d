// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/simd/lanes.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

namespace bench::plain {

/// neural_sort: the yardstick of rankloss::neural_sort, the dense formula as one would write it by hand:
/// lanes of the scores' own type, every entry of the n x n matrix, computed once for the product and once for
/// its derivative, never kept. Distances are summed in O(n^2), as published.
template <class T>
class neural_sort {
 public:
  neural_sort(double temperature, std::size_t longest)
      : temperature_(static_cast<T>(temperature)),
        s_(padded(longest)),
        distance_(s_),
        v_(s_),
        sums_(s_),
        moments_(s_),
        logits_(s_),
        product_(s_),
        scale_(s_),
        top_(s_) {}

  /// out_i = sum_j P_ij values_j
  void apply(std::span<const T> scores, std::span<const T> values, std::span<T> out) {
    n_ = scores.size();
    end_ = padded(n_);
    std::copy_n(scores.data(), n_, s_.data());
    std::copy_n(values.data(), n_, v_.data());
    std::fill(v_.begin() + static_cast<std::ptrdiff_t>(n_), v_.end(), T{0});
    for (std::size_t j = 0; j < n_; ++j) {
      lanes sum(T{0});
      std::size_t k = 0;
      for (; k + w <= n_; k += w) sum += xsimd::abs(lanes(s_[j]) - lanes::load_aligned(&s_[k]));
      T rest = rankloss::detail::sum_of(sum);
      for (; k < n_; ++k) rest += std::abs(s_[j] - s_[k]);
      distance_[j] = rest;
    }
    for (std::size_t i = 0; i < n_; ++i) {
      row_of_logits(i);
      lanes most(std::numeric_limits<T>::lowest());
      for (std::size_t j = 0; j < end_; j += w) most = xsimd::max(most, lanes::load_aligned(&logits_[j]));
      alignas(64) T all[w];
      most.store_aligned(all);
      top_[i] = *std::max_element(all, all + w);
      lanes sum(T{0}), product(T{0});
      for (std::size_t j = 0; j < end_; j += w) {
        const lanes e = xsimd::exp(lanes::load_aligned(&logits_[j]) - lanes(top_[i]));
        sum += e;
        product += e * lanes::load_aligned(&v_[j]);
      }
      scale_[i] = T{1} / rankloss::detail::sum_of(sum);
      out[i] = product_[i] = rankloss::detail::sum_of(product) * scale_[i];
    }
  }

  /// d(sum_i cotangent_i out_i) / d(scores), after apply.
  void pullback(std::span<const T> cotangent, std::span<T> gradient) {
    std::fill(sums_.begin(), sums_.end(), T{0});
    std::fill(moments_.begin(), moments_.end(), T{0});
    for (std::size_t i = 0; i < n_; ++i) {
      row_of_logits(i);
      const lanes factor(cotangent[i] * scale_[i]);
      const lanes slope(row_factor(i));
      for (std::size_t j = 0; j < end_; j += w) {
        const lanes p = xsimd::exp(lanes::load_aligned(&logits_[j]) - lanes(top_[i])) * factor;
        const lanes d = p * (lanes::load_aligned(&v_[j]) - lanes(product_[i]));
        (lanes::load_aligned(&sums_[j]) + d).store_aligned(&sums_[j]);
        (lanes::load_aligned(&moments_[j]) + d * slope).store_aligned(&moments_[j]);
      }
    }
    add_distances(gradient);
  }

 private:
  template <class>
  friend class neural_ndcg;
  using lanes = xsimd::batch<T>;
  static constexpr std::size_t w = lanes::size;
  template <class U>
  using aligned = std::vector<U, xsimd::aligned_allocator<U, 64>>;
  static std::size_t padded(std::size_t n) { return (n + w - 1) / w * w; }

  [[nodiscard]] T row_factor(std::size_t i) const {
    return static_cast<T>(n_) - T{1} - T{2} * static_cast<T>(i);
  }
  void row_of_logits(std::size_t i) {
    const lanes factor(row_factor(i) / temperature_);
    const lanes inverse(T{1} / temperature_);
    for (std::size_t j = 0; j < end_; j += w)
      (lanes::load_aligned(&s_[j]) * factor - lanes::load_aligned(&distance_[j]) * inverse)
          .store_aligned(&logits_[j]);
    for (std::size_t j = n_; j < end_; ++j) logits_[j] = std::numeric_limits<T>::lowest() / T{2};
  }
  /// From the columns' sums of d(f)/d(logits) and of those times the row's factor.
  void add_distances(std::span<T> gradient) {
    for (std::size_t j = 0; j < n_; ++j) {
      const lanes own(s_[j]);
      const lanes own_sum(sums_[j]);
      lanes sum(T{0});
      std::size_t k = 0;
      for (; k + w <= n_; k += w) {
        const lanes other = lanes::load_aligned(&s_[k]);
        const lanes both = own_sum + lanes::load_aligned(&sums_[k]);
        sum += xsimd::select(own > other, both, xsimd::select(own < other, -both, lanes(T{0})));
      }
      T rest = rankloss::detail::sum_of(sum);
      for (; k < n_; ++k)
        rest += (s_[j] > s_[k] ? T{1} : s_[j] < s_[k] ? T{-1} : T{0}) * (sums_[j] + sums_[k]);
      gradient[j] = (moments_[j] - rest) / temperature_;
    }
  }

  T temperature_;
  std::size_t n_ = 0;
  std::size_t end_ = 0;
  aligned<T> s_, distance_, v_, sums_, moments_, logits_, product_, scale_, top_;
};

}  // namespace bench::plain
