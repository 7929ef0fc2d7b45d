// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/gains.cuh>
#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/near_numbers.cuh>
#include <rankloss/cuda/detail/order_draws.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/unique_softmax_steps.cuh>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/unique_softmax.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// unique_softmax of one list. In the order by relevance, the items that are less relevant than an item are
/// those from the end of its grade on.
struct unique_softmax_list {
  double temperature;
  gain_options gains;

  static constexpr bool has_hessian = true;
  template <class T>
  static constexpr std::size_t item_bytes = bytes_of_order_draws;

  [[nodiscard]] static unique_softmax_list of(const unique_softmax& loss) {
    return {loss.temperature, gain_options::of(loss.gain, loss.gain_table, ideal::sorted, 0)};
  }
  [[nodiscard]] __device__ bool takes(double y) const { return rankloss::detail::takes_gain(gains.kind, y); }
  [[nodiscard]] __device__ bool counts(double y) const { return gains.counts(y); }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items,
                                             const device_sink<T>& sink, team_scratch scratch) const {
    const std::uint32_t n = items.size();
    double mass = 0.0;
    float whole_mass = 0.0f;
    for (std::uint32_t i = team.rank(); i < n; i += team.size()) {
      float whole = 0.0f;
      if (whole_gain(items, i, whole))
        whole_mass = fmaxf(whole_mass, whole);
      else
        mass = fmax(mass, gain_of(items, i));
    }
    mass = greatest(team, fmax(mass, static_cast<double>(whole_mass)));
    if (!(mass > 0.0)) {
      for (std::uint32_t i = team.rank(); i < n; i += team.size()) sink.put_wanted(i, T{0}, T{0});
      return 0.0;
    }
    const relevance_order order(
        team, items, false, [](std::uint32_t) { return std::uint32_t{0}; }, scratch);
    const terms<T, R> draws{*this, items, order, mass, weight_number<two_floats>(1.0 / mass)};
    return order_draws<T, R, terms<T, R>>{items, sink, draws, temperature, mass}(team, scratch);
  }

  /// The gain of an item times its weight.
  template <class T, class R>
  [[nodiscard]] __device__ double gain_of(const device_list<T, R>& items, std::uint32_t i) const {
    return fmin(worth(static_cast<double>(items.relevance(i))) * items.weight(i),
                rankloss::detail::largest_term);
  }

 private:
  template <class T, class R>
  struct terms {
    const unique_softmax_list& loss;
    const device_list<T, R>& items;
    const relevance_order& order;
    double mass;
    two_floats inverse;

    [[nodiscard]] __device__ std::uint32_t item(std::uint32_t k) const { return order.item(k); }
    [[nodiscard]] __device__ bool begins(std::uint32_t k) const { return order.begins(k); }
    template <class N>
    [[nodiscard]] __device__ N weight(std::uint32_t k) const {
      if constexpr (std::is_same_v<N, two_floats>) {
        float whole = 0.0f;
        if (loss.whole_gain(items, item(k), whole)) return product(whole, inverse);
      }
      return weight_number<N>(loss.gain_of(items, item(k)) / mass);
    }
  };

  /// The gain of a small whole grade of a list without weights, which a float holds exactly. Returns whether it
  /// is one.
  template <class T, class R>
  [[nodiscard]] __device__ bool whole_gain(const device_list<T, R>& items, std::uint32_t i,
                                           float& gain) const {
    const R y = items.relevance(i);
    if (items.weighted() || gains.kind == gain::table || !(y <= R{24})) return false;
    if constexpr (std::is_signed_v<R>)
      if (y < R{0}) return false;
    const auto grade = static_cast<std::uint32_t>(y);
    if (static_cast<R>(grade) != y) return false;
    gain = static_cast<float>(gains.kind == gain::linear ? grade : (std::uint32_t{1} << grade) - 1);
    return true;
  }
  [[nodiscard]] __device__ double worth(double y) const {
    if (gains.kind == gain::table) return gains.worth(y);
    // expm1 keeps the digits of small grades.
    const double g = gains.kind == gain::linear ? y : expm1(0.6931471805599453 * fmin(y, 1000.0));
    return fmin(fmax(g, 0.0), rankloss::detail::largest_term);
  }
};

}  // namespace cuda::detail

template <>
struct engine<unique_softmax, cuda::context>
    : cuda::detail::list_engine<unique_softmax, cuda::detail::unique_softmax_list,
                                cuda::detail::over_grid<cuda::detail::unique_softmax_steps>> {};

}  // namespace rankloss::inline RANKLOSS_ABI
