// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/pointwise.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// The value f(s, y) of an item, and its derivative by s.
struct item_term {
  double value, slope;
};

/// log(1 + e^x) and its derivative, for any x.
[[nodiscard]] __device__ inline item_term softplus(double x) {
  const double u = exp(-fabs(x));
  const double high = 1.0 / (1.0 + u);
  return {fmax(x, 0.0) + log1p(u), x >= 0.0 ? high : u * high};
}

/// device_item_function: a function of items together with its computation in a kernel, by the formulas of
/// cpu/pointwise.hpp. For other functions there is none.
template <class Function>
struct device_item_function;

template <>
struct device_item_function<item_functions::squared> {
  [[nodiscard]] static device_item_function of(const item_functions::squared&) noexcept { return {}; }
  [[nodiscard]] __device__ bool takes(double) const { return true; }
  [[nodiscard]] __device__ item_term operator()(double s, double y) const {
    const double d = s - y;
    return {d * d, 2.0 * d};
  }
};

template <>
struct device_item_function<item_functions::logistic> {
  item_functions::logistic function;

  [[nodiscard]] static device_item_function of(const item_functions::logistic& f) noexcept { return {f}; }
  [[nodiscard]] __device__ bool takes(double y) const { return function.takes(y); }
  [[nodiscard]] __device__ item_term operator()(double s, double y) const {
    const item_term f = softplus(s);
    return {f.value - y * s, f.slope - y};
  }
};

template <>
struct device_item_function<item_functions::ordinal> {
  static constexpr std::size_t most_thresholds = 64;
  std::size_t count;
  double thresholds[most_thresholds];  // a copy, as the host's memory is not the device's

  [[nodiscard]] static device_item_function of(const item_functions::ordinal& f) {
    rankloss::detail::require(f.thresholds.size() <= most_thresholds, "thresholds: size ",
                              f.thresholds.size(), ", expected at most ", most_thresholds, " on a device");
    device_item_function made{f.thresholds.size(), {}};
    for (std::size_t k = 0; k < made.count; ++k) made.thresholds[k] = f.thresholds[k];
    return made;
  }
  [[nodiscard]] __device__ bool takes(double y) const { return y >= 0.0; }
  [[nodiscard]] __device__ item_term operator()(double s, double y) const {
    const auto k = static_cast<std::size_t>(fmin(fmax(y, 0.0), static_cast<double>(count)));
    item_term f{0.0, 0.0};
    if (k < count) f = softplus(s - thresholds[k]);
    if (k > 0) {
      const item_term g = softplus(thresholds[k - 1] - s);
      f = {f.value + g.value, f.slope - g.slope};
      if (k < count) f.value -= log(-expm1(thresholds[k - 1] - thresholds[k]));
    }
    return f;
  }
};

template <>
struct device_item_function<item_functions::smooth_l1> {
  double beta;

  [[nodiscard]] static device_item_function of(const item_functions::smooth_l1& f) noexcept {
    return {f.beta};
  }
  [[nodiscard]] __device__ bool takes(double) const { return true; }
  [[nodiscard]] __device__ item_term operator()(double s, double y) const {
    const double d = s - y;
    const double size = fabs(d);
    const double fraction = fmin(size, beta) / beta;
    return {size < beta ? 0.5 * size * fraction : size - 0.5 * beta, copysign(fraction, d)};
  }
};

/// pointwise of one list. In double: the slope is a small difference where scores are good, and there is
/// little to compute for what is read.
template <class Function>
struct pointwise_list {
  device_item_function<Function> function;
  bool summed;

  template <class T>
  static constexpr std::size_t item_bytes = 0;

  [[nodiscard]] static pointwise_list of(const pointwise<Function>& loss) {
    return {device_item_function<Function>::of(loss.function), loss.over_items == item_reduction::sum};
  }
  [[nodiscard]] __device__ bool takes(double y) const { return function.takes(y); }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items,
                                             const device_sink<T>& sink, team_scratch) const {
    constexpr double largest_term = rankloss::detail::largest_term;
    constexpr auto largest = static_cast<double>(greatest_number<T>);
    const auto clipped = [](double x) { return fmin(fmax(x, -largest_term), largest_term); };
    const auto held = [](double x) { return fmin(fmax(x, -largest), largest); };
    const std::uint32_t n = items.size();
    double unit = 1.0, factor = 1.0;
    if (!summed && items.weighted()) {
      double heaviest = 0.0, total = 0.0;
      for (std::uint32_t i = team.rank(); i < n; i += team.size()) heaviest = fmax(heaviest, items.weight(i));
      unit = unit_of(greatest(team, heaviest));
      for (std::uint32_t i = team.rank(); i < n; i += team.size()) total += items.weight(i) * unit;
      total = sum(team, total);
      factor = total > 0.0 ? 1.0 / total : 0.0;
    } else if (!summed) {
      factor = 1.0 / static_cast<double>(n);
    }
    double value = 0.0;
    for (std::uint32_t i = team.rank(); i < n; i += team.size()) {
      const auto s = static_cast<double>(rankloss::detail::bounded(items.score(i)));
      const item_term f = function(s, static_cast<double>(items.relevance(i)));
      const double weight = factor * (items.weight(i) * unit);
      // Infinite numbers are made finite before they are multiplied by a weight that may be 0.
      value += clipped(weight * clipped(f.value));
      if (sink.wanted()) sink.put(i, static_cast<T>(held(weight * held(f.slope))));
    }
    return clipped(sum(team, value));
  }
};

}  // namespace cuda::detail

/// For the functions of item_functions. Those of others have no kernel.
template <class Function>
requires requires { sizeof(cuda::detail::device_item_function<Function>); }
struct engine<pointwise<Function>, cuda::context>
    : cuda::detail::list_engine<pointwise<Function>, cuda::detail::pointwise_list<Function>> {};

}  // namespace rankloss::inline RANKLOSS_ABI
