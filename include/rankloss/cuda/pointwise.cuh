// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/tile_scan.cuh>
#include <rankloss/cuda/detail/tiles.cuh>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/pointwise.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// The value f(s, y) of an item, and its first two derivatives by s.
struct item_term {
  double value, slope, curvature;
};

/// log(1 + e^x) and its first two derivatives, for any x.
[[nodiscard]] __device__ inline item_term softplus(double x) {
  const double u = exp(-fabs(x));
  const double high = 1.0 / (1.0 + u);
  return {fmax(x, 0.0) + log1p(u), x >= 0.0 ? high : u * high, u * high * high};
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
    return {d * d, 2.0 * d, 2.0};
  }
};

template <>
struct device_item_function<item_functions::logistic> {
  item_functions::logistic function;

  [[nodiscard]] static device_item_function of(const item_functions::logistic& f) noexcept { return {f}; }
  [[nodiscard]] __device__ bool takes(double y) const { return function.takes(y); }
  [[nodiscard]] __device__ item_term operator()(double s, double y) const {
    const item_term f = softplus(s);
    return {f.value - y * s, f.slope - y, f.curvature};
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
    item_term f{0.0, 0.0, 0.0};
    if (k < count) f = softplus(s - thresholds[k]);
    if (k > 0) {
      const item_term g = softplus(thresholds[k - 1] - s);
      f = {f.value + g.value, f.slope - g.slope, f.curvature + g.curvature};
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
    return {size < beta ? 0.5 * size * fraction : size - 0.5 * beta, copysign(fraction, d),
            size < beta ? 1.0 / beta : 0.0};
  }
};

/// pointwise of one list. In double: the slope is a small difference where scores are good, and there is
/// little to compute for what is read.
template <class Function>
struct pointwise_list {
  device_item_function<Function> function;
  bool summed;

  static constexpr bool has_hessian = true;
  template <class T>
  static constexpr std::size_t item_bytes = 0;

  [[nodiscard]] static pointwise_list of(const pointwise<Function>& loss) {
    return {device_item_function<Function>::of(loss.function), loss.over_items == item_reduction::sum};
  }
  [[nodiscard]] __device__ bool takes(double y) const { return function.takes(y); }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items,
                                             const device_sink<T>& sink, team_scratch) const {
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
      const item_term f = term_of(items, i, factor * (items.weight(i) * unit));
      value += f.value;
      sink.put_wanted(i, static_cast<T>(f.slope), static_cast<T>(f.curvature));
    }
    return clipped(sum(team, value));
  }

  /// What an item of this weight adds. Infinite numbers are made finite before they are multiplied by a weight that
  /// may be 0.
  template <class T, class R>
  [[nodiscard]] __device__ item_term term_of(const device_list<T, R>& items, std::uint32_t i,
                                             double weight) const {
    constexpr auto largest = static_cast<double>(greatest_number<T>);
    const auto held = [](double x) { return fmin(fmax(x, -largest), largest); };
    const auto s = static_cast<double>(rankloss::detail::bounded(items.score(i)));
    const item_term f = function(s, static_cast<double>(items.relevance(i)));
    return {clipped(weight * clipped(f.value)), held(weight * held(f.slope)),
            held(weight * held(f.curvature))};
  }
  [[nodiscard]] static __device__ double clipped(double x) {
    constexpr double largest_term = rankloss::detail::largest_term;
    return fmin(fmax(x, -largest_term), largest_term);
  }
};

/// pointwise of long lists, over the grid. Where items have weights, these are summed up first.
struct pointwise_steps {
  static constexpr std::uint32_t longest_of_block = longest_passed_by_block;

  template <class T, class R>
  struct arrays {
    tile_maxima heaviest;
    tile_sums weights, values;
    double *unit, *factor;  ///< [lists]

    explicit arrays(tile_arrays& from)
        : heaviest(from),
          weights(from),
          values(from),
          unit(from.of_lists<double>()),
          factor(from.of_lists<double>()) {}
  };

  template <class Grid, class T, class R>
  static void run(const Grid& grid, const arrays<T, R>& of) {
    const bool shares = grid.weighted() && !grid.compute().summed;
    if (shares) {
      grid.tiles("pointwise: find_heaviest", find_heaviest<T, R>{of});
      grid.lists("pointwise: choose_unit", choose_unit<T, R>{of});
      grid.tiles("pointwise: sum_weights", sum_weights<T, R>{of});
      grid.lists("pointwise: choose_factor", choose_factor<T, R>{of});
    }
    grid.tiles("pointwise: sum_terms", sum_terms<T, R>{of, shares});
    grid.lists("pointwise: find_value", find_value<T, R>{of});
  }

  template <class T, class R>
  struct find_heaviest {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      double own = 0.0;
      tile.for_own(team, [&](std::uint32_t i) { own = fmax(own, list.items.weight(i)); });
      of.heaviest.leave(team, list, tile, own);
    }
  };

  template <class T, class R>
  struct choose_unit {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list) const {
      const double all = of.heaviest.of(team, list);
      if (team.rank() == 0) of.unit[list.at] = unit_of(all);
    }
  };

  template <class T, class R>
  struct sum_weights {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      double own = 0.0;
      tile.for_own(team, [&](std::uint32_t i) { own += list.items.weight(i) * of.unit[list.at]; });
      of.weights.leave(team, list, tile, own);
    }
  };

  template <class T, class R>
  struct choose_factor {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list) const {
      const double total = of.weights.of(team, list);
      if (team.rank() == 0) of.factor[list.at] = total > 0.0 ? 1.0 / total : 0.0;
    }
  };

  template <class T, class R>
  struct sum_terms {
    arrays<T, R> of;
    bool shares;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& loss, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const double unit = shares ? of.unit[list.at] : 1.0;
      const double factor = shares        ? of.factor[list.at]
                            : loss.summed ? 1.0
                                          : 1.0 / static_cast<double>(list.size());
      double value = 0.0;
      tile.for_own(team, [&](std::uint32_t i) {
        const item_term f = loss.term_of(list.items, i, factor * (list.items.weight(i) * unit));
        value += f.value;
        list.sink.put_wanted(i, static_cast<T>(f.slope), static_cast<T>(f.curvature));
      });
      of.values.leave(team, list, tile, value);
    }
  };

  template <class T, class R>
  struct find_value {
    arrays<T, R> of;

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list) const {
      const double value = of.values.of(team, list);
      if (team.rank() == 0) *list.value = Compute::clipped(value);
    }
  };
};

}  // namespace cuda::detail

/// For the functions of item_functions. Those of others have no kernel.
template <class Function>
requires requires { sizeof(cuda::detail::device_item_function<Function>); }
struct engine<pointwise<Function>, cuda::context>
    : cuda::detail::list_engine<pointwise<Function>, cuda::detail::pointwise_list<Function>,
                                cuda::detail::over_grid<cuda::detail::pointwise_steps>> {};

}  // namespace rankloss::inline RANKLOSS_ABI
