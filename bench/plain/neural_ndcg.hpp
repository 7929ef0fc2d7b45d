// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "neural_sort.hpp"

#include <rankloss/detail/simd/lanes.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <span>
#include <vector>

namespace bench::plain {

/// neural_ndcg: the yardstick of rankloss::neural_ndcg, as published: the dense matrix of NeuralSort, divided
/// by its column and its row sums until these are within the tolerance of 1, every matrix on the way kept and
/// walked back through, as automatic differentiation does. Lanes of the scores' own type; one list at a time,
/// each with its own stop.
template <class T>
class neural_ndcg {
 public:
  neural_ndcg(double temperature, std::size_t steps, double tolerance, std::size_t n)
      : sort_(temperature, n),
        steps_(steps),
        tolerance_(static_cast<T>(tolerance)),
        n_(n),
        stride_(neural_sort<T>::padded(n)) {
    tape_.resize((2 * steps + 1) * n_ * stride_);
    row_sums_.resize(steps * n_);
    column_sums_.resize(steps * stride_);
    bar_.resize(n_ * stride_);
    gains_.resize(stride_);
    discounts_.resize(n_);
    ones_.assign(n_, T{0});
    out_.resize(n_);
    work_.resize(stride_);
    for (std::size_t i = 0; i < n_; ++i)
      discounts_[i] = static_cast<T>(1.0 / std::log2(2.0 + static_cast<double>(i)));
  }

  double operator()(std::span<const T> scores, std::span<const T> relevance, std::span<T> gradient) {
    sort_.apply(scores, ones_, out_);
    for (std::size_t i = 0; i < n_; ++i) {
      sort_.row_of_logits(i);
      for (std::size_t j = 0; j < stride_; j += w)
        (xsimd::exp(lanes::load_aligned(&sort_.logits_[j]) - lanes(sort_.top_[i])) * lanes(sort_.scale_[i]))
            .store_aligned(matrix(0) + i * stride_ + j);
    }
    std::size_t taken = 0;
    while (taken < steps_) {
      const T* from = matrix(2 * taken);
      T* by_columns = matrix(2 * taken + 1);
      T* by_rows = matrix(2 * taken + 2);
      T* columns = &column_sums_[taken * stride_];
      add_rows(from, columns);
      for (std::size_t j = 0; j < stride_; j += w)
        (lanes(T{1}) / xsimd::max(lanes::load_aligned(columns + j), lanes(static_cast<T>(1e-10))))
            .store_aligned(columns + j);
      for (std::size_t i = 0; i < n_; ++i) {
        lanes sum(T{0});
        for (std::size_t j = 0; j < stride_; j += w) {
          const lanes m = lanes::load_aligned(from + i * stride_ + j) * lanes::load_aligned(columns + j);
          m.store_aligned(by_columns + i * stride_ + j);
          sum += m;
        }
        const T inverse = T{1} / std::max(rankloss::detail::sum_of(sum), static_cast<T>(1e-10));
        row_sums_[taken * n_ + i] = inverse;
        for (std::size_t j = 0; j < stride_; j += w)
          (lanes::load_aligned(by_columns + i * stride_ + j) * lanes(inverse))
              .store_aligned(by_rows + i * stride_ + j);
      }
      ++taken;
      add_rows(by_rows, work_.data());
      T worst{0};
      for (std::size_t j = 0; j < n_; ++j) worst = std::max(worst, std::abs(work_[j] - T{1}));
      if (worst <= tolerance_) break;
    }

    for (std::size_t j = 0; j < n_; ++j) gains_[j] = std::exp2(relevance[j]) - T{1};
    std::copy_n(gains_.data(), n_, work_.data());
    std::sort(work_.begin(), work_.begin() + static_cast<std::ptrdiff_t>(n_), std::greater<>());
    T ideal{0};
    for (std::size_t i = 0; i < n_; ++i) ideal += work_[i] * discounts_[i];
    if (!(ideal > T{0})) {
      std::fill(gradient.begin(), gradient.end(), T{0});
      return 0.0;
    }
    T dcg{0};
    for (std::size_t i = 0; i < n_; ++i) {
      lanes sum(T{0});
      for (std::size_t j = 0; j < stride_; j += w) {
        const lanes g = lanes::load_aligned(&gains_[j]);
        sum += lanes::load_aligned(matrix(2 * taken) + i * stride_ + j) * g;
        (g * lanes(-discounts_[i] / ideal)).store_aligned(&bar_[i * stride_ + j]);
      }
      dcg += rankloss::detail::sum_of(sum) * discounts_[i];
    }

    for (std::size_t k = taken; k-- > 0;) {
      const T* by_columns = matrix(2 * k + 1);
      const T* by_rows = matrix(2 * k + 2);
      // rows: A = B / sum(B): B' = (A' - sum(A' A)) / sum(B)
      for (std::size_t i = 0; i < n_; ++i)
        dot_out(by_rows + i * stride_, &bar_[i * stride_], row_sums_[k * n_ + i]);
      // columns, likewise
      std::fill(work_.begin(), work_.end(), T{0});
      for (std::size_t i = 0; i < n_; ++i)
        for (std::size_t j = 0; j < stride_; j += w)
          (lanes::load_aligned(&work_[j]) +
           lanes::load_aligned(by_columns + i * stride_ + j) * lanes::load_aligned(&bar_[i * stride_ + j]))
              .store_aligned(&work_[j]);
      for (std::size_t i = 0; i < n_; ++i)
        for (std::size_t j = 0; j < stride_; j += w)
          ((lanes::load_aligned(&bar_[i * stride_ + j]) - lanes::load_aligned(&work_[j])) *
           lanes::load_aligned(&column_sums_[k * stride_ + j]))
              .store_aligned(&bar_[i * stride_ + j]);
    }
    std::fill(sort_.sums_.begin(), sort_.sums_.end(), T{0});
    std::fill(sort_.moments_.begin(), sort_.moments_.end(), T{0});
    for (std::size_t i = 0; i < n_; ++i) {
      const T* p = matrix(0) + i * stride_;
      lanes sum(T{0});
      for (std::size_t j = 0; j < stride_; j += w)
        sum += lanes::load_aligned(p + j) * lanes::load_aligned(&bar_[i * stride_ + j]);
      const lanes mean(rankloss::detail::sum_of(sum));
      const lanes slope(sort_.row_factor(i));
      for (std::size_t j = 0; j < stride_; j += w) {
        const lanes d = lanes::load_aligned(p + j) * (lanes::load_aligned(&bar_[i * stride_ + j]) - mean);
        (lanes::load_aligned(&sort_.sums_[j]) + d).store_aligned(&sort_.sums_[j]);
        (lanes::load_aligned(&sort_.moments_[j]) + d * slope).store_aligned(&sort_.moments_[j]);
      }
    }
    sort_.add_distances(gradient);
    return 1.0 - static_cast<double>(dcg / ideal);
  }

 private:
  using lanes = xsimd::batch<T>;
  static constexpr std::size_t w = lanes::size;
  template <class U>
  using aligned = std::vector<U, xsimd::aligned_allocator<U, 64>>;

  [[nodiscard]] T* matrix(std::size_t k) { return tape_.data() + k * n_ * stride_; }
  void add_rows(const T* from, T* sums) {
    std::fill_n(sums, stride_, T{0});
    for (std::size_t i = 0; i < n_; ++i)
      for (std::size_t j = 0; j < stride_; j += w)
        (lanes::load_aligned(sums + j) + lanes::load_aligned(from + i * stride_ + j)).store_aligned(sums + j);
  }
  void dot_out(const T* row, T* bar, T inverse) {
    lanes sum(T{0});
    for (std::size_t j = 0; j < stride_; j += w)
      sum += lanes::load_aligned(row + j) * lanes::load_aligned(bar + j);
    const lanes mean(rankloss::detail::sum_of(sum));
    for (std::size_t j = 0; j < stride_; j += w)
      ((lanes::load_aligned(bar + j) - mean) * lanes(inverse)).store_aligned(bar + j);
  }

  neural_sort<T> sort_;
  std::size_t steps_;
  T tolerance_;
  std::size_t n_, stride_;
  aligned<T> tape_, row_sums_, column_sums_, bar_, gains_, discounts_, ones_, out_, work_;
};

}  // namespace bench::plain
