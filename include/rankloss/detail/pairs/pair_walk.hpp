// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>
#include <rankloss/detail/pairs/pair_loop.hpp>
#include <rankloss/detail/pairs/pair_piece.hpp>
#include <rankloss/detail/pairs/pair_states.hpp>
#include <rankloss/detail/pairs/sorted_items.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The pairs of different windows and, where the weight does not depend on which item is above, those within
/// windows, of the items of one piece of a list: with each other, and with what lies before the piece. The walk goes
/// from window to window, down the piece and up again.
template <class Arch, class T, std::size_t C, bool Weighted, bool Oriented, bool ByLevel, class Function>
struct pair_walk {
  using piece_type = pair_piece<Arch, T, C, Weighted, ByLevel, Function>;
  using parts = typename piece_type::parts;
  using state = typename parts::state;
  using action = typename parts::action;
  using wide_action = typename parts::wide_action;
  using exponents = typename parts::exponents;
  using polynomial = typename parts::polynomial;

  const piece_type& piece;
  double wrong_sign;           ///< factor on the weight of pairs whose upper item is the less relevant one
  std::span<double> gradient;  ///< [n] by position of the piece, added to
  pair_totals& totals;         ///< value and weight are added to, the count is not
  workspace& scratch;

  /// The states behind the piece, as its own items make them: by [set][level][channel], relative to the centre of the
  /// last window of the direction.
  template <bool Down>
  static void states_behind(const piece_type& piece, std::span<state> to, workspace& scratch) {
    const workspace::scope scope(scratch);
    std::fill(to.begin(), to.end(), state{});
    const window_centre last = piece.template leave<Down>(Down ? piece.windows - 1 : 0);
    window_cursor<piece_type, Down> window(piece, scratch);
    while (window.next()) {
      if (Down && window.begin() >= piece.sorted.counted) break;
      if (window.is_wide()) {
        piece.template enter<Down>(window.begin(), window.end(), last, to);
        continue;
      }
      window.template form_moments<Down, !Down>();
      const std::span<const polynomial> moments = Down ? window.upper() : window.lower();
      const double gap = piece.gap(window.centre(), last);
      const auto decay = parts::decays(gap);
      for (std::size_t set = 0; set < piece.sets; ++set)
        for (std::size_t level = 0; level < piece.levels; ++level) {
          if (!window.present()(level)) continue;
          for (std::size_t at = piece.index(set, level, 0); at < piece.index(set, level + 1, 0); ++at)
            parts::template enter<Down>(moments[at], decay, gap, to[at]);
        }
    }
  }

  /// One direction: items above act on items below, or the other way round. The value is summed on the way
  /// down.
  /// @param states    what lies before the piece, by [set][level][channel]; changed
  /// @param centre    what the states are relative to
  /// @param has_past  whether anything lies before the piece
  template <bool Down>
  void run(std::span<state> states, window_centre centre, bool has_past) const {
    const workspace::scope scope(scratch);
    const sorted_items<T, C>& sorted = piece.sorted;
    const std::size_t levels = piece.levels;
    const std::span<action> actions = scratch.take<action>(piece.sums());
    const std::span<wide_action> wide_actions = scratch.take<wide_action>(piece.sums());
    const std::span<state> above = scratch.take<state>(levels);
    const std::span<action> own_actions =
        scratch.take<action>(Down && !Oriented ? levels * C : 0);  // of a window's own pairs
    polynomial value_sum;
    exponents wide_value_sum;
    double value_rest = 0.0;
    double weight_sum = 0.0;
    window_cursor<piece_type, Down> window(piece, scratch);
    while (window.next()) {
      const std::size_t begin = window.begin();
      const std::size_t end = window.end();
      const window_levels& present = window.present();
      // On the way down, items below the cutoff are acted on but do not act; on the way up they act but are
      // not acted on.
      const bool counts = begin < sorted.counted;
      if (window.is_wide()) {
        if (has_past) {
          parts::carry(states, piece.gap(centre, window.arrival()));
          if (Down || counts) {
            parts::template act<Down>(sorted, wrong_sign, states, present, wide_actions, above);
            piece.for_distances(
                begin, end, window.arrival(), [&](std::size_t i, double distance, double decay) {
                  exponents slope, value;
                  double slope_one = 0.0;
                  for_actions<Down>(i, std::span<const wide_action>(wide_actions),
                                    [&](const wide_action& a, double factor) {
                                      slope.add(factor, a.slope);
                                      slope_one += factor * a.slope_one;
                                      if constexpr (Down) {
                                        value.add(factor, a.value);
                                        value_rest += factor * (a.value_one + a.value_distance * distance);
                                        weight_sum += factor * a.weight;
                                      }
                                    });
                  const exponents powers = parts::powers_of_decay(decay);
                  gradient[i] += slope.dot(powers) + slope_one;
                  if constexpr (Down) wide_value_sum.add_product(value, powers);
                });
          }
          parts::carry(states, piece.gap(window.arrival(), window.leave()));
        }
        centre = window.leave();
        if (!Down || counts) piece.template enter<Down>(begin, end, centre, states);
        has_past = true;
        continue;
      }
      if (has_past) {
        parts::carry(states, piece.gap(centre, window.centre()));
        parts::template act<Down>(sorted, wrong_sign, states, present, actions, above);
      }
      centre = window.centre();

      const bool own = Down && !Oriented && counts && end - begin > 1;
      if constexpr (Down) {
        if (own) {
          window.template form_moments<true, true>();
          parts::act_within(window.upper(), window.lower(), present, has_past, actions, own_actions);
        } else if (counts) {
          window.template form_moments<true, false>();
        }
      } else {
        window.template form_moments<false, true>();
      }
      if (Down ? has_past || own : has_past && counts) {
        for (std::size_t i = begin; i < end; ++i) {
          polynomial slope, value;
          const auto add = [&](const action& a, double factor) {
            slope.add(factor, a.slope);
            if constexpr (Down) {
              value.add(factor, a.value);
              weight_sum += factor * a.weight;
            }
          };
          for_actions<Down>(i, std::span<const action>(actions), add);
          for (std::size_t c = 0; own && c < C; ++c)
            add(own_actions[piece.buckets[i] * C + c], weight_of(i) * sorted.upper[c][i]);
          const polynomial powers = piece.template powers_at<Down>(i, centre);
          gradient[i] += slope.dot(powers);
          if constexpr (Down) value_sum.add_product(value, powers);
        }
      }
      has_past = true;
      if (Down && !counts) continue;
      const std::span<const polynomial> moments = Down ? window.upper() : window.lower();
      for (std::size_t set = 0; set < piece.sets; ++set)
        for (std::size_t level = 0; level < levels; ++level) {
          if (!present(level)) continue;
          for (std::size_t at = piece.index(set, level, 0); at < piece.index(set, level + 1, 0); ++at)
            parts::template enter<Down>(moments[at], states[at]);
        }
    }
    totals.weight += weight_sum;
    if constexpr (Down) totals.value += value_sum.sum() + wide_value_sum.sum() + value_rest;
  }

 private:
  [[nodiscard]] double weight_of([[maybe_unused]] std::size_t i) const noexcept {
    if constexpr (Weighted)
      return static_cast<double>(piece.sorted.weights[i]);
    else
      return 1.0;
  }
  /// Calls add(action, factor) for what acts on item i.
  template <bool Down, class Action, class Add>
  [[gnu::always_inline]] void for_actions(std::size_t i, std::span<const Action> actions,
                                          const Add& add) const {
    const std::size_t level = piece.buckets[i];
    for (std::size_t c = 0; c < C; ++c) {
      const double factor = (Down ? piece.sorted.lower : piece.sorted.upper)[c][i];
      // Where the item is preferred to the levels below, its own weight counts; where it is the other
      // one, the weight of the preferred item does.
      add(actions[piece.index(0, level, c)], weight_of(i) * factor);
      if constexpr (Weighted) add(actions[piece.index(1, level, c)], factor);
    }
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
