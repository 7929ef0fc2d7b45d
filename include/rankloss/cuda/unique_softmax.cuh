// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/gains.cuh>
#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/order_rests.cuh>
#include <rankloss/cuda/detail/softmax_list.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/unique_softmax_steps.cuh>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/unique_softmax.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// unique_softmax of one list. In the order by relevance, the items that are less relevant than an item are
/// those from the end of its grade on.
struct unique_softmax_list {
  double temperature;
  gain_options gains;

  template <class T>
  static constexpr std::size_t item_bytes = 5 * sizeof(double) + sizeof(std::uint32_t);

  [[nodiscard]] static unique_softmax_list of(const unique_softmax& loss) {
    return {loss.temperature, gain_options::of(loss.gain, loss.gain_table, ideal::sorted, 0)};
  }
  [[nodiscard]] __device__ bool takes(double y) const { return rankloss::detail::takes_gain(gains.kind, y); }
  [[nodiscard]] __device__ bool counts(double y) const { return gains.counts(y); }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items,
                                             const device_sink<T>& sink, team_scratch scratch) const {
    const std::uint32_t n = items.size();
    double* const y = scratch.take<double>(n);
    double* const s = scratch.take<double>(n);
    double* const most = scratch.take<double>(n);
    double* const sums = scratch.take<double>(n);
    double* const pulls = scratch.take<double>(n);
    std::uint32_t* const order = scratch.take<std::uint32_t>(n);
    const auto for_own = [&](auto body) {
      for (std::uint32_t k = team.rank(); k < n; k += team.size()) body(k);
    };
    double mass = 0.0;
    for_own([&](std::uint32_t i) {
      y[i] = static_cast<double>(items.relevance(i));
      order[i] = i;
      mass = fmax(mass, gain_of(items, i));
    });
    mass = greatest(team, mass);
    if (!(mass > 0.0)) {
      if (sink.wanted()) for_own([&](std::uint32_t i) { sink.put(i, T{0}); });
      return 0.0;
    }
    sort_falling(team, n, y, order);
    for_own([&](std::uint32_t k) { s[k] = score_of(items, order[k]); });
    const order_rests rests(team, n, temperature, s, most, sums);

    /// The number of positions whose relevance is above y; with y itself.
    const auto end_of = [&](double of, bool with_itself) {
      std::uint32_t begin = 0, end = n;
      while (begin < end) {
        const std::uint32_t middle = begin + (end - begin) / 2;
        if (y[middle] > of || (with_itself && y[middle] == of))
          begin = middle + 1;
        else
          end = middle;
      }
      return begin;
    };
    const auto end_at = [&](std::uint32_t k) { return end_of(y[k], true); };
    const auto draw = [&](std::uint32_t k, std::uint32_t end) {
      return item_draw::of(rests, s[k], {most[end], sums[end]});
    };
    const auto own = [&](std::uint32_t k) { return gain_of(items, order[k]) / mass; };
    double value = 0.0;
    rests.pull(
        team, n, end_at,
        [&](std::uint32_t k) {
          const std::uint32_t end = end_at(k);
          const double g = own(k);
          if (!(g > 0.0)) return 0.0;
          const item_draw drawn = draw(k, end);
          value += g * drawn.term;
          return g * drawn.other / sums[end];
        },
        [&](std::uint32_t k, double pull) { pulls[k] = pull; });
    value = sum(team, value);
    if (sink.wanted()) {
      const double factor = bounded_factor<T>(mass / temperature);
      for_own([&](std::uint32_t k) {
        const std::uint32_t begin = end_of(y[k], false), end = end_at(k);
        const double g = own(k);
        double slope = begin > 0 ? rests.pulled(pulls[begin - 1], begin, k) : 0.0;
        if (end < n && g > 0.0) slope -= g * draw(k, end).other;
        sink.put(order[k], held_as<T>(factor * slope));
      });
    }
    return fmin(mass * value, rankloss::detail::largest_term);
  }

  /// The gain of an item times its weight.
  template <class T, class R>
  [[nodiscard]] __device__ double gain_of(const device_list<T, R>& items, std::uint32_t i) const {
    return fmin(worth(static_cast<double>(items.relevance(i))) * items.weight(i),
                rankloss::detail::largest_term);
  }

 private:
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
