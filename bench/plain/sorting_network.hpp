// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <span>
#include <utility>
#include <vector>

namespace bench::plain {

/// sorting_network: the yardstick of rankloss::sorting_network's matrix: a bitonic network of 2^k wires with
/// the Cauchy distribution's comparators, descending, whose layers are mixing matrices that are multiplied,
/// dense, as in the published code (which takes four products of half the size a layer where this takes one).
///
/// Lanes of the scores' own type, four rows of the result at a time in registers, memory that is made once.
template <class T>
class sorting_network {
 public:
  sorting_network(double temperature, std::size_t n)
      : scale_(static_cast<T>(1.0 / temperature)),
        n_(n),
        width_((n + w - 1) / w * w),
        mixing_(n * width_),
        p_(n * width_),
        next_(n * width_) {}

  /// P of n = 2^k scores, [n, n].
  void operator()(std::span<const T> scores, std::span<T> matrix) {
    std::vector<T>& x = x_;
    x.assign(scores.begin(), scores.end());
    std::fill(p_.begin(), p_.end(), T{0});
    for (std::size_t i = 0; i < n_; ++i) p_[i * width_ + i] = T{1};
    for (std::size_t block = 2; block <= n_; block *= 2)
      for (std::size_t distance = block / 2; distance > 0; distance /= 2) {
        std::fill(mixing_.begin(), mixing_.end(), T{0});
        for (std::size_t i = 0; i < n_; ++i) {
          if (i / distance % 2 == 1) continue;
          const std::size_t a = i / block % 2 == 0 ? i : i + distance;
          const std::size_t b = i / block % 2 == 0 ? i + distance : i;
          const T q = std::atan(scale_ * (x[b] - x[a])) * std::numbers::inv_pi_v<T> + T{0.5};
          mixing_[a * width_ + a] = mixing_[b * width_ + b] = q;
          mixing_[a * width_ + b] = mixing_[b * width_ + a] = T{1} - q;
          const T lower = q * x[a] + (T{1} - q) * x[b];
          x[b] = (T{1} - q) * x[a] + q * x[b];
          x[a] = lower;
        }
        multiply();
        std::swap(p_, next_);
      }
    for (std::size_t i = 0; i < n_; ++i) std::copy_n(&p_[(n_ - 1 - i) * width_], n_, &matrix[i * n_]);
  }

 private:
  using lanes = xsimd::batch<T>;
  using aligned = std::vector<T, xsimd::aligned_allocator<T, 64>>;
  static constexpr std::size_t w = lanes::size;

  /// next = mixing p
  void multiply() {
    constexpr std::size_t rows = 4;
    constexpr std::size_t columns = 4;
    for (std::size_t i = 0; i < n_; i += rows)
      for (std::size_t j = 0; j < width_; j += columns * w) {
        lanes sum[rows][columns];
        for (auto& row : sum) std::fill(std::begin(row), std::end(row), lanes(T{0}));
        for (std::size_t k = 0; k < n_; ++k)
          for (std::size_t c = 0; c < columns && j + c * w < width_; ++c) {
            const lanes p = lanes::load_aligned(&p_[k * width_ + j + c * w]);
            for (std::size_t r = 0; r < rows && i + r < n_; ++r)
              sum[r][c] = xsimd::fma(lanes(mixing_[(i + r) * width_ + k]), p, sum[r][c]);
          }
        for (std::size_t r = 0; r < rows && i + r < n_; ++r)
          for (std::size_t c = 0; c < columns && j + c * w < width_; ++c)
            sum[r][c].store_aligned(&next_[(i + r) * width_ + j + c * w]);
      }
  }

  T scale_;
  std::size_t n_;
  std::size_t width_;  // of a row, in whole lanes
  std::vector<T> x_;
  aligned mixing_, p_, next_;
};

}  // namespace bench::plain
