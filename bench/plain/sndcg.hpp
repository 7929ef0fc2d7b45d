// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/simd/lanes.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <numbers>
#include <span>
#include <vector>

namespace bench::plain {

/// sndcg: the yardstick of rankloss::sndcg, the O(n^2) sums of its formula as one would write them by hand.
///
/// Lanes of the scores' own type, sigmoids computed again for the gradient, scratch O(n) that is made once, a
/// table of discounts.
template <class T>
class sndcg {
 public:
  sndcg(double temperature, std::size_t longest)
      : temperature_(temperature),
        x_(padded(longest)),
        gains_(x_.size()),
        sorted_(x_.size()),
        ranks_(x_.size()),
        by_rank_(x_.size()),
        discounts_(longest) {
    for (std::size_t i = 0; i < longest; ++i)
      discounts_[i] = static_cast<T>(1.0 / std::log2(2.0 + static_cast<double>(i)));
  }

  /// The loss of one list; writes its gradient where that is not empty.
  double operator()(std::span<const T> scores, std::span<const T> relevance, std::span<T> gradient) {
    const std::size_t n = scores.size();
    const std::size_t end = padded(n);
    const T factor = static_cast<T>(1.0 / temperature_);
    for (std::size_t i = 0; i < n; ++i) x_[i] = factor * scores[i];
    std::copy_n(relevance.data(), n, gains_.data());
    // Padding is so far below that its sigmoids are 0, and is worth nothing.
    std::fill(x_.data() + n, x_.data() + end, std::numeric_limits<T>::lowest() / T{2});
    std::fill(gains_.data() + n, gains_.data() + end, T{0});
    std::fill(ranks_.data() + n, ranks_.data() + end, T{1});
    for (std::size_t i = 0; i < end; i += w)
      (xsimd::exp2(lanes::load_aligned(&gains_[i])) - lanes(T{1})).store_aligned(&gains_[i]);

    const T ideal = ideal_dcg(n);
    if (!(ideal > T{0})) {
      std::fill(gradient.begin(), gradient.end(), T{0});
      return 0.0;
    }

    for (std::size_t i = 0; i < n; ++i) {
      lanes sum(T{0});
      for (std::size_t j = 0; j < end; j += w) sum += above(i, j);
      ranks_[i] = T{0.5} + rankloss::detail::sum_of(sum);  // 1 + the sum without the item's own 1/2
    }

    lanes dcg(T{0});
    for (std::size_t i = 0; i < end; i += w) {
      const lanes argument = lanes::load_aligned(&ranks_[i]) + lanes(T{1});
      const lanes discount = lanes(T{1}) / xsimd::log2(argument);
      const lanes item = lanes::load_aligned(&gains_[i]) * discount;
      dcg += item;
      (item * discount / (argument * lanes(-std::numbers::ln2_v<T>))).store_aligned(&by_rank_[i]);
    }

    if (!gradient.empty()) {
      const T scale = -factor / ideal;
      for (std::size_t i = 0; i < n; ++i) {
        const lanes own(by_rank_[i]);
        lanes sum(T{0});
        for (std::size_t j = 0; j < end; j += w) {
          const lanes p = above(i, j);
          sum += (lanes::load_aligned(&by_rank_[j]) - own) * (p * (lanes(T{1}) - p));
        }
        gradient[i] = scale * rankloss::detail::sum_of(sum);
      }
    }
    return 1.0 - static_cast<double>(rankloss::detail::sum_of(dcg) / ideal);
  }

 private:
  using lanes = xsimd::batch<T>;
  using aligned = std::vector<T, xsimd::aligned_allocator<T, 64>>;
  static constexpr std::size_t w = lanes::size;

  static std::size_t padded(std::size_t n) { return (n + w - 1) / w * w; }

  /// sigmoid(x_j - x_i) of w items from j on: how far each is above item i. An exponential that overflows
  /// gives 0, as it should.
  lanes above(std::size_t i, std::size_t j) const {
    return lanes(T{1}) / (lanes(T{1}) + xsimd::exp(lanes(x_[i]) - lanes::load_aligned(&x_[j])));
  }

  T ideal_dcg(std::size_t n) {
    std::copy_n(gains_.data(), n, sorted_.data());
    std::sort(sorted_.data(), sorted_.data() + n, std::greater<>());
    T sum{0};
    for (std::size_t i = 0; i < n; ++i) sum += sorted_[i] * discounts_[i];
    return sum;
  }

  double temperature_;
  aligned x_;          // scores / temperature
  aligned gains_;      // 2^relevance - 1
  aligned sorted_;     // gains, the greatest first
  aligned ranks_;      // smooth, from 1
  aligned by_rank_;    // d(DCG) / d(rank)
  aligned discounts_;  // of ranks 1, 2, ...
};

}  // namespace bench::plain
