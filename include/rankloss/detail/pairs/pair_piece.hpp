// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/pairs/pair_states.hpp>
#include <rankloss/detail/pairs/sorted_items.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The centre of a window, or where a wide one begins or ends. It is kept as the score of the first item of the window and an offset in temperatures: as
/// one score it could be rounded by more than the width of a window where scores are far from 0. Coordinates are
/// relative to it, so that those of a narrow window are near 0 and the truncated series is accurate.
struct window_centre {
  double top = 0.0;
  double half = 0.0;
};

/// Where a window begins, and whether it is wide: whether the past acts on its items, and they enter the states, one by one.
struct window_mark {
  std::uint32_t begin;
  bool wide;
};

/// A piece of a sorted list, cut into windows, with the moments of those windows that hold many items.
template <class Arch, class T, std::size_t C, bool Weighted, bool ByLevel, class Function>
struct pair_piece {
  using parts = pair_states<Arch, T, C, Weighted, ByLevel, Function>;
  using constants = typename parts::constants;
  using polynomial = typename parts::polynomial;
  using state = typename parts::state;
  using V = lanes<Arch>;
  static constexpr std::size_t sets = parts::sets;

  sorted_items<T, C> sorted;
  std::span<const std::uint32_t> buckets;  ///< [n] by position: the levels that are compared
  std::size_t levels = 0;                  ///< the number of buckets
  double scale = 1.0;                      ///< 1 / temperature
  std::span<window_mark> marks;            ///< [n + 1] of the windows, and the end of the last one
  std::span<polynomial> kept;              ///< [kept_room] of the upper and of the lower factors of a window
  std::size_t windows = 0;
  std::size_t kept_windows = 0;

  /// Numbers by [set][level][channel].
  [[nodiscard]] std::size_t sums() const noexcept { return sets * levels * C; }
  [[nodiscard]] std::size_t index(std::size_t set, std::size_t level, std::size_t c) const noexcept {
    return (set * levels + level) * C + c;
  }
  /// How much is kept of a piece of n items, at most.
  [[nodiscard]] static std::size_t kept_room(std::size_t n, std::size_t levels) noexcept {
    return n / (tuning::kept_moments * levels) * 2 * sets * levels * C;
  }

  /// What states are relative to that act on a window, down the list or up, and that its items have entered: its centre,
  /// or the item of a wide window that comes first or last in that direction.
  template <bool Down>
  [[nodiscard]] window_centre arrival(std::size_t window) const noexcept {
    return marks[window].wide ? window_centre{Down ? top(window) : bottom(window), 0.0} : centre(window);
  }
  template <bool Down>
  [[nodiscard]] window_centre leave(std::size_t window) const noexcept {
    return arrival<!Down>(window);
  }
  [[nodiscard]] window_centre centre(std::size_t window) const noexcept {
    return {top(window), 0.5 * (top(window) - bottom(window)) * scale};
  }
  [[nodiscard]] double top(std::size_t window) const noexcept { return sorted.scores[marks[window].begin]; }
  [[nodiscard]] double bottom(std::size_t window) const noexcept {
    return sorted.scores[marks[window + 1].begin - 1];
  }
  /// The distance of two centres, in temperatures.
  [[nodiscard]] double gap(const window_centre& a, const window_centre& b) const noexcept {
    return std::min(std::abs((a.top - b.top) * scale - a.half + b.half), 1e290);
  }
  /// The powers of the coordinate of an item of a window, which is in [-1, 1], because the window is at most
  /// 2 half_width wide. Coordinates rise in the direction of the walk.
  template <bool Down>
  [[nodiscard]] [[gnu::always_inline]] polynomial powers_at(std::size_t i,
                                                            const window_centre& centre) const noexcept {
    const double below = (centre.top - sorted.scores[i]) * scale - centre.half;
    return parts::powers_of((Down ? below : -below) / constants::half_width);
  }

  /// Calls body(i, d, exp(-d)) for the items [begin, end), d being their distance from a place, in temperatures.
  template <class Body>
  [[gnu::always_inline]] void for_distances(std::size_t begin, std::size_t end, const window_centre& from,
                                            Body body) const {
    for_rows<Arch>(end - begin, [&](std::size_t i, auto count) {
      const V x = load_items<Arch>(sorted.scores.data() + begin + i, count, from.top);
      const V d = xsimd::min(xsimd::abs((V(from.top) - x) * V(scale) - V(from.half)), V(1e290));
      alignas(64) double distance[V::size], decay[V::size];
      d.store_aligned(distance);
      exp_minus(d).store_aligned(decay);
      for (std::size_t l = 0; l < count; ++l) body(begin + i + l, distance[l], decay[l]);
    });
  }

  /// Adds the items [begin, end) to the states one by one, as upper items on the way down and as lower ones on the way up.
  /// @param at  what the states are relative to
  template <bool Down>
  void enter(std::size_t begin, std::size_t end, const window_centre& at, std::span<state> states) const {
    for_distances(begin, end, at, [&](std::size_t i, double distance, double decay) {
      const auto powers = parts::powers_of_decay(decay);
      for (std::size_t c = 0; c < C; ++c) {
        const double factor = (Down ? sorted.upper : sorted.lower)[c][i];
        parts::enter(powers, distance, factor, states[index(0, buckets[i], c)]);
        if constexpr (Weighted)  // of the pairs in which item i is preferred
          parts::enter(powers, distance, factor * static_cast<double>(sorted.weights[i]),
                       states[index(1, buckets[i], c)]);
      }
    });
  }

  /// Adds the window that ends before position `end`, and keeps its moments if it holds many items.
  void add_window(std::size_t end, bool wide) {
    const std::size_t begin = windows > 0 ? marks[windows].begin : 0;
    marks[windows] = {.begin = static_cast<std::uint32_t>(begin), .wide = wide};
    marks[++windows] = {.begin = static_cast<std::uint32_t>(end), .wide = false};
    if (wide || !is_kept(end - begin)) return;
    const std::span<polynomial> to = kept.subspan(kept_windows++ * 2 * sums(), 2 * sums());
    std::fill(to.begin(), to.end(), polynomial{});
    add_moments<true, true>(begin, end, centre(windows - 1), to.data(), to.data() + sums());
  }
  [[nodiscard]] bool is_kept(std::size_t items) const noexcept {
    return items >= tuning::kept_moments * levels;
  }

  /// Adds up the moments of a window: of the upper factors and of the lower ones, as wanted.
  /// They are those of coordinates down the list.
  template <bool Upper, bool Lower>
  void add_moments(std::size_t begin, std::size_t end, const window_centre& centre, polynomial* upper,
                   polynomial* lower) const {
    const std::size_t second = index(1, 0, 0);
    for (std::size_t i = begin; i < end; ++i) {
      const polynomial powers = powers_at<true>(i, centre);
      for (std::size_t c = 0; c < C; ++c) {
        const std::size_t at = buckets[i] * C + c;
        const auto add = [&](const std::span<double>& factors, polynomial* to) {
          const double factor = factors[i];
          to[at].add(factor, powers);
          if constexpr (Weighted)  // of the pairs in which item i is preferred
            to[second + at].add(factor * static_cast<double>(sorted.weights[i]), powers);
        };
        if constexpr (Upper) add(sorted.upper[c], upper);
        if constexpr (Lower) add(sorted.lower[c], lower);
      }
    }
  }
};

/// The windows of a piece one after the other, down the list or up, with their moments.
template <class Piece, bool Down>
class window_cursor {
  using polynomial = typename Piece::polynomial;

 public:
  window_cursor(const Piece& of, workspace& scratch)
      : of_(of), present_(of.levels, scratch), own_(scratch.take<polynomial>(2 * of.sums())) {}

  /// Goes to the next window; false if there is none.
  bool next() {
    if (step_ == of_.windows) return false;
    window_ = Down ? step_ : of_.windows - 1 - step_;
    ++step_;
    begin_ = of_.marks[window_].begin;
    end_ = of_.marks[window_ + 1].begin;
    centre_ = of_.centre(window_);
    is_kept_ = !is_wide() && of_.is_kept(end_ - begin_);
    present_.clear();
    upper_ = lower_ = nullptr;
    if (is_kept_) {
      const std::size_t at = Down ? kept_ : of_.kept_windows - 1 - kept_;
      ++kept_;
      upper_ = of_.kept.data() + at * 2 * of_.sums();
      lower_ = upper_ + of_.sums();
      present_.fill();
    } else if (end_ - begin_ >
               of_.levels) {  // a look at each item would cost more than levels that are not there
      present_.fill();
    } else {
      for (std::size_t i = begin_; i < end_; ++i) present_.add(of_.buckets[i]);
    }
    return true;
  }

  [[nodiscard]] std::size_t begin() const noexcept { return begin_; }
  [[nodiscard]] std::size_t end() const noexcept { return end_; }
  [[nodiscard]] bool is_wide() const noexcept { return of_.marks[window_].wide; }
  [[nodiscard]] window_centre arrival() const noexcept { return of_.template arrival<Down>(window_); }
  [[nodiscard]] window_centre leave() const noexcept { return of_.template leave<Down>(window_); }
  [[nodiscard]] const window_centre& centre() const noexcept { return centre_; }
  [[nodiscard]] const window_levels& present() const noexcept { return present_; }

  /// Forms the moments that are wanted, unless they are kept.
  template <bool Upper, bool Lower>
  void form_moments() {
    if (is_kept_) return;
    polynomial* const upper = own_.data();
    polynomial* const lower = upper + of_.sums();
    for (std::size_t set = 0; set < Piece::sets; ++set)
      for (std::size_t level = 0; level < of_.levels; ++level) {
        if (!present_(level)) continue;
        const std::size_t first = of_.index(set, level, 0);
        const std::size_t count = of_.index(set, level + 1, 0) - first;
        if (Upper) std::fill_n(upper + first, count, polynomial{});
        if (Lower) std::fill_n(lower + first, count, polynomial{});
      }
    of_.template add_moments<Upper, Lower>(begin_, end_, centre_, upper, lower);
    upper_ = upper;
    lower_ = lower;
  }
  /// Of the levels that are present.
  [[nodiscard]] std::span<const polynomial> upper() const noexcept { return {upper_, of_.sums()}; }
  [[nodiscard]] std::span<const polynomial> lower() const noexcept { return {lower_, of_.sums()}; }

 private:
  const Piece& of_;
  window_levels present_;
  std::span<polynomial> own_;
  const polynomial* upper_ = nullptr;
  const polynomial* lower_ = nullptr;
  window_centre centre_;
  std::size_t step_ = 0, window_ = 0, kept_ = 0, begin_ = 0, end_ = 0;
  bool is_kept_ = false;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
