// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {

namespace detail {

/// The values f(s, y) of one item in each lane, and the first two derivatives by s.
template <class V>
struct item_term {
  V value, slope, curvature;
};

/// log(1 + e^x) and its first two derivatives, for any x.
template <class Arch>
[[nodiscard]] [[gnu::always_inline]] inline item_term<lanes<Arch>> softplus(const lanes<Arch>& x) noexcept {
  using V = lanes<Arch>;
  const V u = exp_minus(xsimd::abs(x));
  const V high = V(1.0) / (V(1.0) + u);
  // log(1 + u) = 2 atanh(u / (2 + u)) would keep the digits of small u, but they are lost anyway when the
  // terms of other items are added.
  return {xsimd::max(x, V(0.0)) + log_positive(V(1.0) + u, log_tail_7), xsimd::select(x >= V(0.0), high, u * high), u * high * high};
}

}  // namespace detail

/// Losses of single items, f(s, y).
namespace item_functions {

/// (s - y)^2
struct squared {
  template <class V>
  detail::item_term<V> operator()(const V& s, const V& y) const noexcept {
    const V d = s - y;
    return {d * d, V(2.0) * d, V(2.0)};
  }
};

/// Binary cross entropy with sigmoid(s): log(1 + e^s) - y s. Relevance is at least 0 and used as it is: a
/// probability in [0, 1], or a grade as in TensorFlow Ranking; for y > 1 the function is not bounded from
/// below.
struct logistic {
  [[nodiscard]] bool takes(double y) const noexcept { return y >= 0.0; }
  [[nodiscard]] std::string_view expects() const noexcept { return "at least 0"; }

  template <class Arch>
  detail::item_term<detail::lanes<Arch>> operator()(const detail::lanes<Arch>& s, const detail::lanes<Arch>& y) const noexcept {
    const auto f = detail::softplus(s);
    return {f.value - y * s, f.slope - y, f.curvature};
  }
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

  void validate() const {
    detail::require(!thresholds.empty(), "thresholds: size 0, expected one less than there are grades");
    for (std::size_t k = 0; k < thresholds.size(); ++k) {
      detail::require(detail::is_finite(thresholds[k]), "thresholds: ", thresholds[k], " at ", k, ", expected a finite number");
      detail::require(k == 0 || thresholds[k] > thresholds[k - 1], "thresholds: ", thresholds[k], " at ", k, ", expected more than ",
                      thresholds[k > 0 ? k - 1 : 0]);
    }
  }
  [[nodiscard]] bool takes(double y) const noexcept { return y >= 0.0; }
  [[nodiscard]] std::string_view expects() const noexcept { return "at least 0"; }

  template <class Arch>
  detail::item_term<detail::lanes<Arch>> operator()(const detail::lanes<Arch>& s, const detail::lanes<Arch>& y) const noexcept {
    using V = detail::lanes<Arch>;
    constexpr std::size_t w = detail::lane_count<Arch>;
    alignas(64) double grade[w], below[w], above[w], gap[w], has_below[w], has_above[w];
    y.store_aligned(grade);
    const auto last = static_cast<double>(thresholds.size());
    for (std::size_t l = 0; l < w; ++l) {
      const double bounded = std::min(std::max(grade[l], 0.0), last);
      const auto k = static_cast<std::size_t>(bounded > 0.0 ? bounded : 0.0);
      has_below[l] = k > 0 ? 1.0 : 0.0;
      has_above[l] = k < thresholds.size() ? 1.0 : 0.0;
      below[l] = k > 0 ? thresholds[k - 1] : 0.0;
      above[l] = k < thresholds.size() ? thresholds[k] : 0.0;
      gap[l] = k > 0 && k < thresholds.size() ? -std::log(-std::expm1(below[l] - above[l])) : 0.0;
    }
    const auto from = [&](const V& x, const double* has) {
      const auto counts = V::load_aligned(has) > V(0.0);
      const auto f = detail::softplus<Arch>(x);
      return detail::item_term<V>{xsimd::select(counts, f.value, V(0.0)), xsimd::select(counts, f.slope, V(0.0)),
                                  xsimd::select(counts, f.curvature, V(0.0))};
    };
    const auto f = from(s - V::load_aligned(above), has_above);
    const auto g = from(V::load_aligned(below) - s, has_below);
    return {f.value + g.value + V::load_aligned(gap), f.slope - g.slope, f.curvature + g.curvature};
  }
};

/// (s - y)^2 / (2 beta) where |s - y| < beta, else |s - y| - beta / 2.
struct smooth_l1 {
  double beta = 1.0;  ///< 1e-15 to 1e300, in units of the scores

  void validate() const { detail::require(detail::within(beta, 1e-15, 1e300), "beta: ", beta, ", expected 1e-15 to 1e300"); }

  template <class V>
  detail::item_term<V> operator()(const V& s, const V& y) const noexcept {
    const V d = s - y;
    const V size = xsimd::abs(d);
    const V share = xsimd::min(size, V(beta)) / V(beta);
    const auto near = size < V(beta);
    return {xsimd::select(near, V(0.5) * size * share, size - V(0.5 * beta)), xsimd::select(d < V(0.0), -share, share),
            xsimd::select(near, V(1.0 / beta), V(0.0))};
  }
};

}  // namespace item_functions

/// How the values of the items are combined into the value of a list.
enum class item_reduction {
  mean,  ///< sum of weight * f / sum of weights
  sum,   ///< sum of weight * f
};

/// pointwise: a loss of each item separately, averaged over the list.
///
///     loss             = sum_i w_i f(s_i, y_i) / sum_i w_i        (without the division for item_reduction::sum)
///     d(loss)/d(s_m)   = w_m f'(s_m, y_m) / sum_i w_i
///     d2(loss)/d(s_m)2 = w_m f''(s_m, y_m) / sum_i w_i
///
///     const rankloss::pointwise<rankloss::item_functions::smooth_l1> loss{.function = {.beta = 0.1}};
///
/// f is one of `item_functions`: squared, logistic, ordinal, smooth_l1. Cossock, Zhang: Subset ranking using regression, COLT 2006.
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

  void validate() const {
    if constexpr (requires { function.validate(); }) function.validate();
  }

  /// The function, so that its own checks of the data are made.
  template <class Visit>
  void for_each_part(const Visit& visit) const {
    detail::for_each_part(function, visit);
  }

  template <class T, class R, class Arch = xsimd::default_arch>
  double operator()(const list<T, R>& items, const list_outputs<T>& out, workspace& scratch) const {
    using V = detail::lanes<Arch>;
    const std::size_t n = items.size();
    const workspace::scope scope(scratch);
    const T* s = detail::contiguous_items(items.scores, scratch);
    const R* y = detail::contiguous_items(items.relevance, scratch);
    const double* weights = items.weights.empty() ? nullptr : detail::contiguous_items(items.weights, scratch);
    T* g = detail::contiguous_output(out.gradient, scratch);
    T* h = detail::contiguous_output(out.hessian, scratch);

    const bool summed = over_items == item_reduction::sum;
    const reduction how = summed ? reduction::sum : reduction::mean;
    const detail::weighted_mean mean = weights == nullptr ? detail::weighted_mean(n, how)
                                                          : detail::weighted_mean(
                                                                n, [&](std::size_t i) { return weights[i]; }, how);
    const double unit = summed ? 1.0 : mean.scaled(1.0);
    const double share = summed ? 1.0 : mean.share();
    const V largest(static_cast<double>(std::numeric_limits<T>::max()));
    const auto held = [&](const V& x) { return xsimd::min(xsimd::max(x, -largest), largest); };
    const auto clipped = [](const V& x) { return xsimd::min(xsimd::max(x, V(-detail::largest_term)), V(detail::largest_term)); };
    V sum(0.0);
    const auto add_up = [&](const auto& weight_at, const auto& write) {
      detail::for_rows<Arch>(n, [&](std::size_t i, auto count) {
        const V score = held(detail::load_items<Arch>(s + i, count));
        const auto f = function(score, detail::load_items<Arch>(y + i, count));
        const V weight = weight_at(i, count);
        sum += detail::only_items<Arch>(count, clipped(weight * clipped(f.value)));
        // Infinite numbers are made finite before they are multiplied by a weight that may be 0.
        write(i, count, weight, f);
      });
    };
    const auto with_outputs = [&](const auto& weight_at) {
      const auto gradient = [&](std::size_t i, auto count, const V& weight, const auto& f) {
        detail::store_items<Arch>(g + i, count, held(weight * held(f.slope)));
      };
      if (g == nullptr && h == nullptr) return add_up(weight_at, [](std::size_t, auto, const V&, const auto&) {});
      if (h == nullptr) return add_up(weight_at, gradient);
      if (g == nullptr) g = scratch.take<T>(n).data();  // a Hessian alone is rare: its gradient is written and forgotten
      add_up(weight_at, [&](std::size_t i, auto count, const V& weight, const auto& f) {
        gradient(i, count, weight, f);
        detail::store_items<Arch>(h + i, count, held(weight * held(f.curvature)));
      });
    };
    if (weights == nullptr)
      with_outputs([&](std::size_t, auto) { return V(share); });
    else
      with_outputs([&](std::size_t i, auto count) { return V(share) * (detail::load_items<Arch>(weights + i, count) * V(unit)); });
    detail::spread(g, out.gradient);
    detail::spread(h, out.hessian);
    return std::clamp(detail::sum_of(sum), -detail::largest_term, detail::largest_term);
  }
};

using pointwise_squared = pointwise<item_functions::squared>;
using pointwise_logistic = pointwise<item_functions::logistic>;
using pointwise_ordinal = pointwise<item_functions::ordinal>;
using pointwise_smooth_l1 = pointwise<item_functions::smooth_l1>;

}  // namespace rankloss::inline RANKLOSS_ABI
