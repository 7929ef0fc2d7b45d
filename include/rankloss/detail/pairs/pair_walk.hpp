// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>
#include <rankloss/detail/pairs/pair_loop.hpp>
#include <rankloss/detail/pairs/pair_states.hpp>
#include <rankloss/detail/pairs/sorted_items.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The pairs of different windows and, where the weight does not depend on which item is above, those within
/// windows. The walk goes from window to window, down the list and up again.
template <class Arch, class T, std::size_t C, bool Weighted, bool Oriented, bool ByLevel, class Function>
struct pair_walk {
  using parts = pair_states<Arch, T, C, Weighted, ByLevel, Function>;
  using constants = typename parts::constants;
  using state = typename parts::state;
  using action = typename parts::action;
  using polynomial = typename parts::polynomial;
  static constexpr std::size_t sets = parts::sets;

  const sorted_items<T, C>& sorted;
  std::span<const std::uint32_t> buckets;  ///< [n] by position: the levels that are compared
  std::size_t levels;                      ///< the number of buckets
  std::span<const std::uint32_t> starts;   ///< beginnings of the windows, and the end of the list
  double scale;                            ///< 1 / temperature
  double wrong_sign;           ///< factor on the weight of pairs whose upper item is the less relevant one
  std::span<double> gradient;  ///< [n] by position, added to
  pair_totals& totals;         ///< value and weight are added to, the count is not
  workspace& scratch;

  /// One direction: items above act on items below, or the other way round. The value is summed on the way
  /// down.
  template <bool Down>
  void run() const {
    const workspace::scope scope(scratch);
    const std::span<state> states = scratch.take<state>(sets * levels * C);  // [set][level][channel]
    const std::span<action> actions = scratch.take<action>(sets * levels * C);
    const std::span<state> above = scratch.take<state>(levels);
    const std::span<polynomial> moments = scratch.take<polynomial>(sets * levels * C);
    const std::span<polynomial> others =
        scratch.take<polynomial>(Down && !Oriented ? levels * C : 0);  // of a window's own pairs
    const std::span<action> own_actions = scratch.take<action>(others.size());
    std::fill(states.begin(), states.end(), state{});
    window_levels present(levels, scratch);
    const auto index = [&](std::size_t set, std::size_t level, std::size_t c) {
      return (set * levels + level) * C + c;
    };
    const std::size_t windows = starts.size() - 1;
    // Coordinates are relative to the centre of the window, so that those of a narrow window are near 0 and
    // the truncated series is accurate. The centre is kept as the score of the first item of the window and
    // an offset in temperatures: as one score it could be rounded by more than the width of a window where
    // scores are far from 0.
    double top = 0.0;
    double half = 0.0;
    polynomial value_sum;
    for (std::size_t step = 0; step < windows; ++step) {
      const std::size_t b = Down ? step : windows - 1 - step;
      const std::size_t begin = starts[b];
      const std::size_t end = starts[b + 1];
      const double next_top = sorted.scores[begin];
      const double next_half = 0.5 * (next_top - sorted.scores[end - 1]) * scale;
      present.clear();
      if (end - begin > levels) {  // a look at each item would cost more than levels that are not there
        present.fill();
        std::fill(moments.begin(), moments.end(), polynomial{});
      } else {
        for (std::size_t i = begin; i < end; ++i)
          if (present.add(buckets[i]))
            for (std::size_t set = 0; set < sets; ++set)
              std::fill_n(moments.data() + index(set, buckets[i], 0), C, polynomial{});
      }
      if (step > 0) {
        parts::carry(states, std::min(std::abs((top - next_top) * scale - half + next_half), 1e290));
        parts::template act<Down>(sorted, wrong_sign, states, present, actions, above);
      }
      top = next_top;
      half = next_half;

      // In [-1, 1], because the window is at most 2 half_width wide.
      const auto powers_at = [&](std::size_t i) {
        const double below = (top - sorted.scores[i]) * scale - half;
        return parts::powers_of((Down ? below : -below) / constants::half_width);
      };
      // On the way down, items below the cutoff are acted on but do not act; on the way up they act but are
      // not acted on.
      const bool counts = begin < sorted.counted;
      const bool own = Down && !Oriented && counts && end - begin > 1;
      if (counts || !Down) {
        for (std::size_t i = begin; i < end; ++i) {
          const polynomial powers = powers_at(i);
          for (std::size_t c = 0; c < C; ++c) {
            const auto factor = static_cast<double>((Down ? sorted.upper : sorted.lower)[c][i]);
            moments[index(0, buckets[i], c)].add(factor, powers);
            if (Weighted)
              moments[index(1, buckets[i], c)].add(factor * static_cast<double>(sorted.weights[i]),
                                                   powers);  // of the pairs in which item i is preferred
          }
        }
      }
      if (own) {
        std::fill(others.begin(), others.end(), polynomial{});
        for (std::size_t i = begin; i < end; ++i) {
          const polynomial powers = powers_at(i);
          for (std::size_t c = 0; c < C; ++c)
            others[buckets[i] * C + c].add(static_cast<double>(sorted.lower[c][i]), powers);
        }
        parts::act_within(moments, others, present, step > 0, actions, own_actions);
      }
      if (Down ? step > 0 || own : step > 0 && counts) {
        for (std::size_t i = begin; i < end; ++i) {
          polynomial slope, value;
          const std::size_t level = buckets[i];
          const double weight = Weighted ? static_cast<double>(sorted.weights[i]) : 1.0;
          const auto add = [&](const action& a, double factor) {
            slope.add(factor, a.slope);
            if constexpr (Down) {
              value.add(factor, a.value);
              totals.weight += factor * a.weight;
            }
          };
          for (std::size_t c = 0; c < C; ++c) {
            const auto factor = static_cast<double>((Down ? sorted.lower : sorted.upper)[c][i]);
            // Where the item is preferred to the levels below, its own weight counts; where it is the other
            // one, the weight of the preferred item does.
            add(actions[index(0, level, c)], Weighted ? weight * factor : factor);
            if (Weighted) add(actions[index(1, level, c)], factor);
            if (own) add(own_actions[level * C + c], weight * static_cast<double>(sorted.upper[c][i]));
          }
          const polynomial powers = powers_at(i);
          gradient[i] += slope.dot(powers);
          if constexpr (Down)
            for (std::size_t v = 0; v < value.vectors; ++v)
              value_sum.v[v] = xsimd::fma(value.v[v], powers.v[v], value_sum.v[v]);
        }
      }
      if (Down && !counts) continue;
      for (std::size_t level = 0; level < levels; ++level)
        if (present(level))
          for (std::size_t set = 0; set < sets; ++set)
            for (std::size_t c = 0; c < C; ++c)
              parts::enter(moments[index(set, level, c)], states[index(set, level, c)]);
    }
    if constexpr (Down)
      for (std::size_t v = 0; v < value_sum.vectors; ++v) totals.value += sum_of(value_sum.v[v]);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
