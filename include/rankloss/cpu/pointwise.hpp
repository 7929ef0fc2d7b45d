// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/softplus.hpp>
#include <rankloss/detail/data/contiguous_items.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/pointwise.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace rankloss::inline RANKLOSS_ABI {
namespace detail {

/// The values f(s, y) of one item in each lane, and the first two derivatives by s.
template <class V>
struct item_term {
  V value, slope, curvature;
};

/// log(1 + e^x) and its first two derivatives, for any x, to the digits that scores of type T require.
template <class T, class Arch>
[[nodiscard]] [[gnu::always_inline]] inline item_term<lanes<Arch>> softplus(const lanes<Arch>& x) noexcept {
  using V = lanes<Arch>;
  const V u = exp_below<T>(xsimd::abs(x));
  const auto [log, high] = [&] {
    if constexpr (single_precision<T>)
      return of_1_plus(u, log_tail_4);
    else
      return of_1_plus(u, log_tail_7);
  }();
  return {xsimd::max(x, V(0.0)) + log, xsimd::select(x >= V(0.0), high, u * high), u * high * high};
}

/// A function that is not in item_functions computes its terms itself: function(s, y), on lanes.
template <class T, class Function, class Arch>
[[nodiscard]] [[gnu::always_inline]] inline item_term<lanes<Arch>> term_of(const Function& function,
                                                                           const lanes<Arch>& s,
                                                                           const lanes<Arch>& y) noexcept {
  return function(s, y);
}

template <class T, class Arch>
[[nodiscard]] [[gnu::always_inline]] inline item_term<lanes<Arch>> term_of(const item_functions::squared&,
                                                                           const lanes<Arch>& s,
                                                                           const lanes<Arch>& y) noexcept {
  using V = lanes<Arch>;
  const V d = s - y;
  return {d * d, V(2.0) * d, V(2.0)};
}

template <class T, class Arch>
[[nodiscard]] [[gnu::always_inline]] inline item_term<lanes<Arch>> term_of(const item_functions::logistic&,
                                                                           const lanes<Arch>& s,
                                                                           const lanes<Arch>& y) noexcept {
  using V = lanes<Arch>;
  // By what is missing: |s| is large for items that are right, and so close to it is what would be taken from it.
  const auto above = s > V(0.0);
  const V size = xsimd::abs(s), missing = xsimd::select(above, V(1.0) - y, y);
  const auto f = softplus<T>(-size);
  const V slope = missing - f.slope;
  return {f.value + size * missing, xsimd::select(above, slope, -slope), f.curvature};
}

/// What the rounded difference d = a - b, which the compiler must not see through, lacks of the exact one; 0 where d
/// is so large that its parts may be infinite.
template <class Arch>
[[nodiscard]] [[gnu::always_inline]] inline lanes<Arch> lost_in_difference(const lanes<Arch>& a,
                                                                           const lanes<Arch>& b,
                                                                           const lanes<Arch>& d) noexcept {
  using V = lanes<Arch>;
  const V taken = opaque(a - d);
  const V lost = opaque(a - opaque(d + taken)) + opaque(taken - b);
  return xsimd::select(xsimd::abs(d) < V(1e300), lost, V(0.0));
}

template <class T, class Arch>
[[nodiscard]] [[gnu::always_inline]] inline item_term<lanes<Arch>> term_of(
    const item_functions::ordinal& function, const lanes<Arch>& s, const lanes<Arch>& y) noexcept {
  using V = lanes<Arch>;
  constexpr std::size_t w = lane_count<Arch>;
  alignas(64) double grade[w], below[w], above[w], gap[w], has_below[w], has_above[w];
  y.store_aligned(grade);
  const auto last = static_cast<double>(function.thresholds.size());
  for (std::size_t l = 0; l < w; ++l) {
    const double bounded = std::min(std::max(grade[l], 0.0), last);
    const auto k = static_cast<std::size_t>(bounded > 0.0 ? bounded : 0.0);
    has_below[l] = k > 0 ? 1.0 : 0.0;
    has_above[l] = k < function.thresholds.size() ? 1.0 : 0.0;
    below[l] = k > 0 ? function.thresholds[k - 1] : 0.0;
    above[l] = k < function.thresholds.size() ? function.thresholds[k] : 0.0;
    gap[l] = k > 0 && k < function.thresholds.size() ? -log_of_rest(above[l] - below[l]) : 0.0;
  }
  const auto from = [&](const V& x, const double* has) {
    const auto counts = V::load_aligned(has) > V(0.0);
    const auto f = softplus<T>(x);
    return item_term<V>{xsimd::select(counts, f.value, V(0.0)), xsimd::select(counts, f.slope, V(0.0)),
                        xsimd::select(counts, f.curvature, V(0.0))};
  };
  // Hidden, so that what is lost in them is not simplified to 0.
  const V upper = opaque(s - V::load_aligned(above)), lower = opaque(V::load_aligned(below) - s);
  const auto f = from(upper, has_above);
  const auto g = from(lower, has_below);
  // Midway between two thresholds the slopes are equal, and their difference has no digits: it is
  // sigmoid(x) - sigmoid(y) = sigmoid(x) (1 - sigmoid(y)) (1 - exp(y - x)), where y, the lesser one, is below 0.
  const V apart = opaque(upper - lower) + (lost_in_difference(s, V::load_aligned(above), upper) -
                                           lost_in_difference(V::load_aligned(below), s, lower));
  const auto both = (V::load_aligned(has_below) > V(0.0)) & (V::load_aligned(has_above) > V(0.0));
  const V share = xsimd::select(both, -exp_and_less_1(-xsimd::abs(apart)).less_1, V(1.0));
  const V size = xsimd::max(f.slope, g.slope) * (V(1.0) - xsimd::min(f.slope, g.slope)) * share;
  const V side = xsimd::select(both, apart, f.slope - g.slope);
  return {f.value + g.value + V::load_aligned(gap), xsimd::select(side < V(0.0), -size, size),
          f.curvature + g.curvature};
}

template <class T, class Arch>
[[nodiscard]] [[gnu::always_inline]] inline item_term<lanes<Arch>> term_of(
    const item_functions::smooth_l1& function, const lanes<Arch>& s, const lanes<Arch>& y) noexcept {
  using V = lanes<Arch>;
  const V d = s - y;
  const V size = xsimd::abs(d);
  const V fraction = xsimd::min(size, V(function.beta)) / V(function.beta);
  const auto near = size < V(function.beta);
  return {xsimd::select(near, V(0.5) * size * fraction, size - V(0.5 * function.beta)),
          xsimd::select(d < V(0.0), -fraction, fraction),
          xsimd::select(near, V(1.0 / function.beta), V(0.0))};
}

/// Computes a row of items at a time, in the order in which they are stored.
struct pointwise_engine {
  using Arch = xsimd::default_arch;  // of this translation unit, as the inline namespace says

  template <class Function, class T, class R>
  static double run(const pointwise<Function>& loss, const list<T, R>& items, const list_outputs<T>& out,
                    workspace& scratch) {
    using V = lanes<Arch>;
    const std::size_t n = items.size();
    const workspace::scope scope(scratch);
    const T* s = contiguous_items(items.scores, scratch);
    const R* y = contiguous_items(items.relevance, scratch);
    const double* weights = items.weights.empty() ? nullptr : contiguous_items(items.weights, scratch);
    T* g = contiguous_output(out.gradient, scratch);
    T* h = contiguous_output(out.hessian, scratch);

    const bool summed = loss.over_items == item_reduction::sum;
    const reduction how = summed ? reduction::sum : reduction::mean;
    const weighted_mean mean = weights == nullptr ? weighted_mean(n, how)
                                                  : weighted_mean(
                                                        n, [&](std::size_t i) { return weights[i]; }, how);
    const double unit = summed ? 1.0 : mean.scaled(1.0);
    const double factor = summed ? 1.0 : mean.factor();
    const V largest(static_cast<double>(std::numeric_limits<T>::max()));
    const auto held = [&](const V& x) { return xsimd::min(xsimd::max(x, -largest), largest); };
    const auto clipped = [](const V& x) {
      return xsimd::min(xsimd::max(x, V(-largest_term)), V(largest_term));
    };
    V sum(0.0);
    const auto add_up = [&](const auto& weight_at, const auto& write) {
      for_rows<Arch>(n, [&](std::size_t i, auto count) {
        const V score = held(load_items<Arch>(s + i, count));
        const auto f = term_of<T>(loss.function, score, load_items<Arch>(y + i, count));
        const V weight = weight_at(i, count);
        sum += only_items<Arch>(count, clipped(weight * clipped(f.value)));
        // Infinite numbers are made finite before they are multiplied by a weight that may be 0.
        write(i, count, weight, f);
      });
    };
    const auto with_outputs = [&](const auto& weight_at) {
      const auto gradient = [&](std::size_t i, auto count, const V& weight, const auto& f) {
        store_items<Arch>(g + i, count, held(weight * held(f.slope)));
      };
      if (g == nullptr && h == nullptr)
        return add_up(weight_at, [](std::size_t, auto, const V&, const auto&) {});
      if (h == nullptr) return add_up(weight_at, gradient);
      if (g == nullptr)
        g = scratch.take<T>(n).data();  // a Hessian alone is rare: its gradient is computed and discarded
      add_up(weight_at, [&](std::size_t i, auto count, const V& weight, const auto& f) {
        gradient(i, count, weight, f);
        store_items<Arch>(h + i, count, held(weight * held(f.curvature)));
      });
    };
    if (weights == nullptr)
      with_outputs([&](std::size_t, auto) { return V(factor); });
    else
      with_outputs([&](std::size_t i, auto count) {
        return V(factor) * (load_items<Arch>(weights + i, count) * V(unit));
      });
    spread(g, out.gradient);
    spread(h, out.hessian);
    return std::clamp(sum_of(sum), -largest_term, largest_term);
  }
};

}  // namespace detail

template <class Function>
struct engine<pointwise<Function>, context> : detail::pointwise_engine {};

}  // namespace rankloss::inline RANKLOSS_ABI
