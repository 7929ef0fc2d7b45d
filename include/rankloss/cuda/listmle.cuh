// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/listmle_steps.cuh>
#include <rankloss/cuda/detail/order_rests.cuh>
#include <rankloss/cuda/detail/random_bits.cuh>
#include <rankloss/cuda/detail/softmax_list.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/listmle.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// listmle of one list, except with exact ties.
struct listmle_list {
  listmle loss;

  template <class T>
  static constexpr std::size_t item_bytes = 3 * sizeof(double) + 2 * sizeof(std::uint32_t);

  [[nodiscard]] static listmle_list of(const listmle& loss) {
    rankloss::detail::require(loss.ties != tie_order::exact,
                              "ties: exact, expected stable or random on a device");
    return {loss};
  }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items,
                                             const device_sink<T>& sink, team_scratch scratch) const {
    const std::uint32_t n = items.size();
    double* const s = scratch.take<double>(n);
    double* const most = scratch.take<double>(n);
    double* const sums = scratch.take<double>(n);
    std::uint32_t* const order = scratch.take<std::uint32_t>(n);
    std::uint32_t* const bits = scratch.take<std::uint32_t>(n);
    const auto for_own = [&](auto body) {
      for (std::uint32_t k = team.rank(); k < n; k += team.size()) body(k);
    };
    sort_items(team, items, most, order, bits);

    double heaviest = 1.0;
    if (items.weighted()) {
      heaviest = 0.0;
      const std::uint32_t counted = order_weights::counted_of(loss, n);
      for_own([&](std::uint32_t k) {
        if (k < counted) heaviest = fmax(heaviest, items.weight(order[k]));
      });
      heaviest = greatest(team, heaviest);
    }
    const order_weights weights = order_weights::of(loss, n, heaviest);
    if (weights.none()) {
      if (sink.wanted()) for_own([&](std::uint32_t i) { sink.put(i, T{0}); });
      return 0.0;
    }
    const auto weight = [&](std::uint32_t k) { return weights.of_item(items, k, order[k]); };

    for_own([&](std::uint32_t k) { s[k] = score_of(items, order[k]); });
    const order_rests rests(team, n, loss.temperature, s, most, sums);
    double value = 0.0;
    for_own([&](std::uint32_t k) { value += weight(k) * (log(sums[k]) + rests.between(most[k], s[k])); });
    value = sum(team, value);
    if (sink.wanted()) {
      const double factor = bounded_factor<T>(heaviest / loss.temperature);
      rests.pull(
          team, n, [](std::uint32_t k) { return k; }, [&](std::uint32_t k) { return weight(k) / sums[k]; },
          [&](std::uint32_t k, double pull) {
            sink.put(order[k], held_as<T>(factor * (rests.pulled(pull, k, k) - weight(k))));
          });
    }
    return fmin(heaviest * value, rankloss::detail::largest_term);
  }

 private:
  /// The items by relevance, the greatest first. `keys` and `bits` are scratch.
  template <class Team, class T, class R>
  __device__ void sort_items(const Team& team, const device_list<T, R>& items, double* keys,
                             std::uint32_t* order, std::uint32_t* bits) const {
    const std::uint32_t n = items.size();
    const bool drawn = loss.ties == tie_order::random;
    for (std::uint32_t i = team.rank(); i < n; i += team.size()) {
      keys[i] = static_cast<double>(items.relevance(i));
      order[i] = i;
      bits[i] = drawn ? random_bits(loss.seed, items.number, i) : 0;
    }
    sort(
        team, n,
        [=](std::uint32_t a, std::uint32_t b) {
          if (keys[a] != keys[b]) return keys[a] > keys[b];
          return bits[a] != bits[b] ? bits[a] < bits[b] : order[a] < order[b];
        },
        [=](std::uint32_t a, std::uint32_t b) {
          const double key = keys[a];
          keys[a] = keys[b];
          keys[b] = key;
          const std::uint32_t of[2] = {order[a], bits[a]};
          order[a] = order[b];
          bits[a] = bits[b];
          order[b] = of[0];
          bits[b] = of[1];
        });
  }
};

}  // namespace cuda::detail

/// Not with tie_order::exact.
template <>
struct engine<listmle, cuda::context>
    : cuda::detail::list_engine<listmle, cuda::detail::listmle_list,
                                cuda::detail::over_grid<cuda::detail::listmle_steps>> {};

}  // namespace rankloss::inline RANKLOSS_ABI
