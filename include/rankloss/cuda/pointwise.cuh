// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/item_functions.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/near_numbers.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/tile_scan.cuh>
#include <rankloss/cuda/detail/tiles.cuh>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/pointwise.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// What items get in the mean of their list.
struct item_shares {
  double factor, unit;
  two_floats equal;  ///< of each, where items have no weights

  __device__ item_shares(double factor, double unit)
      : factor(factor), unit(unit), equal(number<two_floats>(factor)) {}

  template <class T, class R>
  [[nodiscard]] __device__ double of(const device_list<T, R>& items, std::uint32_t i) const {
    return factor * (items.weight(i) * unit);
  }
  /// Whether floats hold the product of that and of what in_floats of a function gives, and then that.
  template <class T, class R>
  [[nodiscard]] __device__ bool in_floats(const device_list<T, R>& items, std::uint32_t i,
                                          two_floats& share) const {
    share = items.weighted() ? number<two_floats>(of(items, i)) : equal;
    return (share.high >= 1e-12f && share.high <= 1e12f) || of(items, i) == 0.0;
  }
};

/// The sum of what items add to the value of their list.
struct item_sum {
  long_sum<float> near;
  double exact = 0.0;  ///< of items that floats are not enough for

  [[nodiscard]] __device__ double value() const { return near.exact_value() + exact; }
};

/// pointwise of one list. Items of lists of floats are computed in floats, and in doubles where these are not
/// enough.
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
    const item_shares shares(factor, unit);
    item_sum own;
    for (std::uint32_t i = team.rank(); i < n; i += team.size()) add_item(items, sink, i, shares, own);
    return clipped(sum(team, own.value()));
  }

  /// Adds what an item adds to the value, and writes its derivatives.
  template <class T, class R>
  __device__ void add_item(const device_list<T, R>& items, const device_sink<T>& sink, std::uint32_t i,
                           const item_shares& shares, item_sum& to) const {
    if constexpr (sizeof(T) == sizeof(float)) {
      two_floats share;
      const R y = items.relevance(i);
      near_item_term f;
      if (shares.in_floats(items, i, share) && is_float(y) &&
          function.in_floats(rankloss::detail::bounded(items.score(i)), static_cast<float>(y), f)) {
        to.near.add(product(share, f.value));
        sink.put_wanted(i, share.high * f.slope, share.high * f.curvature);
        return;
      }
    }
    const item_term f = term_of(items, i, shares.of(items, i));
    to.exact += f.value;
    sink.put_wanted(i, static_cast<T>(f.slope), static_cast<T>(f.curvature));
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
    constexpr double largest = rankloss::detail::largest_term;
    return fmin(fmax(x, -largest), largest);
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
    const bool weighted = grid.weighted() && !grid.compute().summed;
    if (weighted) {
      grid.tiles("pointwise: find_heaviest", find_heaviest<T, R>{of});
      grid.lists("pointwise: choose_unit", choose_unit<T, R>{of});
      grid.tiles("pointwise: sum_weights", sum_weights<T, R>{of});
      grid.lists("pointwise: choose_factor", choose_factor<T, R>{of});
    }
    grid.tiles("pointwise: sum_terms", sum_terms<T, R>{of, weighted});
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
    bool weighted;  ///< whether their list has a unit and a factor

    template <class Team, class Compute>
    __device__ void operator()(const Team& team, const Compute& loss, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      const double factor = weighted      ? of.factor[list.at]
                            : loss.summed ? 1.0
                                          : 1.0 / static_cast<double>(list.size());
      const item_shares shares(factor, weighted ? of.unit[list.at] : 1.0);
      item_sum own;
      tile.for_own(team, [&](std::uint32_t i) { loss.add_item(list.items, list.sink, i, shares, own); });
      of.values.leave(team, list, tile, own.value());
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
