// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/listmle_steps.cuh>
#include <rankloss/cuda/detail/near_numbers.cuh>
#include <rankloss/cuda/detail/order_draws.cuh>
#include <rankloss/cuda/detail/random_bits.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/listmle.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// listmle of one list, except with exact ties.
struct listmle_list {
  listmle loss;

  static constexpr bool has_hessian = true;
  template <class T>
  static constexpr std::size_t item_bytes = bytes_of_order_draws;

  [[nodiscard]] static listmle_list of(const listmle& loss) {
    rankloss::detail::require(loss.ties != tie_order::exact,
                              "ties: exact, expected stable or random on a device");
    return {loss};
  }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items,
                                             const device_sink<T>& sink, team_scratch scratch) const {
    const std::uint32_t n = items.size();
    const relevance_order order(
        team, items, loss.ties == tie_order::random,
        [&](std::uint32_t i) { return random_bits(loss.seed, items.number, i); }, scratch);
    double heaviest = 1.0;
    if (items.weighted()) {
      heaviest = 0.0;
      const std::uint32_t counted = order_weights::counted_of(loss, n);
      for (std::uint32_t k = team.rank(); k < counted; k += team.size())
        heaviest = fmax(heaviest, items.weight(order.item(k)));
      heaviest = greatest(team, heaviest);
    }
    const order_weights weights = order_weights::of(loss, n, heaviest);
    if (weights.none()) {
      for (std::uint32_t i = team.rank(); i < n; i += team.size()) sink.put_wanted(i, T{0}, T{0});
      return 0.0;
    }
    const choices<T, R> draws{items, order, weights};
    return order_draws<T, R, choices<T, R>>{items, sink, draws, loss.temperature, heaviest}(team, scratch);
  }

 private:
  /// Each position is a grade of its own.
  template <class T, class R>
  struct choices {
    const device_list<T, R>& items;
    const relevance_order& order;
    const order_weights& weights;

    [[nodiscard]] __device__ std::uint32_t item(std::uint32_t k) const { return order.item(k); }
    [[nodiscard]] __device__ static constexpr bool begins(std::uint32_t) { return true; }
    template <class N>
    [[nodiscard]] __device__ N weight(std::uint32_t k) const {
      if (!weights.by_position && !items.weighted()) return number<N>(k < weights.counted ? 1.0f : 0.0f);
      return weight_number<N>(weights.of_item(items, k, order.item(k)));
    }
  };
};

}  // namespace cuda::detail

/// Not with tie_order::exact.
template <>
struct engine<listmle, cuda::context>
    : cuda::detail::list_engine<listmle, cuda::detail::listmle_list,
                                cuda::detail::over_grid<cuda::detail::listmle_steps>> {};

}  // namespace rankloss::inline RANKLOSS_ABI
