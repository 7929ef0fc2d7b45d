// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/host_device.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/options.hpp>

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI {

/// Losses of single items, f(s, y).
namespace item_functions {

/// (s - y)^2
struct squared {};

/// Binary cross entropy with sigmoid(s): log(1 + e^s) - y s. Relevance is at least 0 and used as it is: a
/// probability in [0, 1], or a grade as in TensorFlow Ranking; for y > 1 the function is not bounded from
/// below.
struct logistic {
  [[nodiscard]] RANKLOSS_HOST_DEVICE bool takes(double y) const noexcept { return y >= 0.0; }
  [[nodiscard]] std::string_view expects() const noexcept { return "at least 0"; }
};

/// Ordinal regression on one score, with fixed thresholds t_0 < t_1 < ...: the grade is y with probability
/// sigmoid(t_y - s) - sigmoid(t_{y-1} - s), with t_{-1} = -infinity, and infinity after the last threshold. f
/// is minus the logarithm of this probability,
///
///     softplus(s - t_y) + softplus(t_{y-1} - s) - log(1 - exp(t_{y-1} - t_y))
///
/// McCullagh: Regression models for ordinal data, JRSS B 42 (1980). TensorFlow Ranking's ordinal loss uses
/// several scores for each item instead. Relevance is at least 0 and rounded down to a grade; grades beyond
/// the number of thresholds count as that number.
struct ordinal {
  std::span<const double> thresholds{};  ///< [grades - 1] finite, rising, in units of the scores

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("thresholds", self.thresholds,
          options::each<options::real>{.shape = "[grades - 1]", .rising = true});
  }
  void validate() const {
    detail::require(!thresholds.empty(), "thresholds: size 0, expected one less than there are grades");
  }
  [[nodiscard]] RANKLOSS_HOST_DEVICE bool takes(double y) const noexcept { return y >= 0.0; }
  [[nodiscard]] std::string_view expects() const noexcept { return "at least 0"; }
};

/// (s - y)^2 / (2 beta) where |s - y| < beta, else |s - y| - beta / 2.
struct smooth_l1 {
  double beta = 1.0;  ///< 1e-15 to 1e300, in units of the scores

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("beta", self.beta, options::temperature);
  }
};

}  // namespace item_functions

/// How the values of the items are combined into the value of a list.
enum class item_reduction {
  mean,  ///< sum of weight * f / sum of weights
  sum,   ///< sum of weight * f
};
[[nodiscard]] constexpr std::array<std::string_view, 2> enumerators(item_reduction) noexcept {
  return {"mean", "sum"};
}

/// pointwise: a loss of each item separately, averaged over the list.
///
///     loss             = sum_i w_i f(s_i, y_i) / sum_i w_i
///                        (without the division for item_reduction::sum)
///     d(loss)/d(s_m)   = w_m f'(s_m, y_m) / sum_i w_i
///     d2(loss)/d(s_m)2 = w_m f''(s_m, y_m) / sum_i w_i
///
///     const rankloss::pointwise<rankloss::item_functions::smooth_l1> loss{.function = {.beta = 0.1}};
///
/// f is one of `item_functions`: squared, logistic, ordinal, smooth_l1. Cossock, Zhang: Subset ranking using
/// regression, COLT 2006.
///
/// - Time O(n). No scratch, except for the columns of a matrix. Not invariant under shifts; convex.
/// - Edge cases: every item counts, whether relevant or not. Weights that sum to 0: value 0, gradient 0.
///   Infinite scores count as the largest finite number of the type, and so does a derivative beyond it.
///   Losses beyond 1e290 are set to 1e290.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range or the function does not
/// accept a relevance.
template <class Function = item_functions::squared>
struct pointwise {
  Function function{};
  item_reduction over_items = item_reduction::mean;  ///< how the items are combined

  static constexpr bool has_hessian = true;

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("function", self.function, options::inner{});
    visit("over_items", self.over_items, options::choice<item_reduction>{});
  }

  /// The function, so that its own checks of the data are made.
  template <class Visit>
  void for_each_inner(const Visit& visit) const {
    detail::for_each_inner(function, visit);
  }
};

using pointwise_squared = pointwise<item_functions::squared>;
using pointwise_logistic = pointwise<item_functions::logistic>;
using pointwise_ordinal = pointwise<item_functions::ordinal>;
using pointwise_smooth_l1 = pointwise<item_functions::smooth_l1>;

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/pointwise.hpp>
#endif
