// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/data/check_data.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The power of two that brings a number > 0 near 1, so that it and its inverse are normal numbers whatever the number is; 1 for others.
[[nodiscard]] inline double unit_of(double largest) noexcept {
  return is_finite(opaque(largest)) && largest > 0.0
             ? std::ldexp(1.0, -std::clamp(std::ilogb(largest), -1022, 1022))
             : 1.0;
}

/// weighted_mean: from weights to shares to a value, for lists, pairs, steps and items alike.
///
///     value = share * sum_k w_k x_k / sum_k w_k,      part(w_k) = share * w_k / sum w      (reduction::sum: without the divisions)
///
/// - Weights are numbers >= 0 of any size. They are scaled by the power of two that brings the greatest of them near 1, which is exact: no sum
///   of weights is too large, no inverse of one infinite, and weights of 1 stay what they are.
/// - What does not count, such as a list without relevance under reduction::mean_of_relevant, has weight 0.
/// - Edge cases: weights that sum to 0: every part and the value 0. What a double cannot hold is its largest number.
class weighted_mean {
 public:
  /// All of `count` weigh 1.
  weighted_mean(std::size_t count, reduction how, double share = 1.0) noexcept : weighted_mean(how, share) {
    divide_by(static_cast<double>(count));
  }

  /// weight(k) for k < count
  template <class Weight>
  weighted_mean(std::size_t count, Weight weight, reduction how, double share = 1.0)
      : weighted_mean(how, share) {
    double most = 0.0;
    for (std::size_t k = 0; k < count; ++k) most = std::max(most, weight(k));
    unit_ = unit_of(most);
    double total = 0.0;
    for (std::size_t k = 0; k < count; ++k) total += scaled(weight(k));
    divide_by(total);
  }

  /// A weight in units in which the greatest is below 4; sums of these times numbers up to 1e290 are finite.
  [[nodiscard]] double scaled(double weight) const noexcept { return weight * unit_; }
  /// What a sum of scaled weights times numbers is to be multiplied by.
  [[nodiscard]] double share() const noexcept { return held(summed_ ? share_ / unit_ : share_); }
  /// What one element's number is multiplied by in the value.
  [[nodiscard]] double part(double weight) const noexcept {
    return held((summed_ ? weight : scaled(weight)) * share_);
  }

  /// The value: of weight(k) and x(k) for k < count, the weights those of the constructor. Where an x that weighs something is infinite, it is.
  template <class Weight, class X>
  [[nodiscard]] double operator()(std::size_t count, Weight weight, X x) const {
    double sum = 0.0;
    for (std::size_t k = 0; k < count; ++k) sum += (summed_ ? weight(k) : scaled(weight(k))) * x(k);
    const double value = sum * share_;
    if (is_finite(opaque(value))) return value;
    sum = 0.0;
    for (std::size_t k = 0; k < count; ++k) {
      if (!(weight(k) > 0.0)) continue;
      if (!is_finite(opaque(x(k)))) return share_ < 0.0 ? -x(k) : share_ > 0.0 ? x(k) : 0.0;
      sum += scaled(weight(k)) * (x(k) * 0x1p-600);
    }
    return held(held(sum * share()) * 0x1p600);
  }

 private:
  weighted_mean(reduction how, double share) noexcept : summed_(how == reduction::sum), share_(share) {}

  void divide_by(double total) noexcept {
    if (!summed_) share_ = total > 0.0 ? share_ / total : 0.0;
  }
  [[nodiscard]] static double held(double x) noexcept { return held_as<double>(x); }

  bool summed_;
  double share_;  // over the sum of the scaled weights, or of none
  double unit_ = 1.0;
};

/// Writes factor * sums to an output, limited to what its type can hold.
inline void write_scaled(const real_output& out, std::span<const double> sums, double factor, update how) {
  out.visit([&](auto* memory) {
    using G = std::remove_pointer_t<decltype(memory)>;
    for (std::size_t i = 0; i < sums.size(); ++i) {
      const double before = how == update::add ? static_cast<double>(memory[i]) : 0.0;
      memory[i] = held_as<G>(before + held_as<double>(factor * sums[i]));
    }
  });
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
