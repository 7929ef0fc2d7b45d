// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/pairs/pair_states.hpp>
#include <rankloss/detail/pairs/sorted_items.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The centre of a window. It is kept as the score of the first item of the window and an offset in temperatures: as
/// one score it could be rounded by more than the width of a window where scores are far from 0. Coordinates are
/// relative to it, so that those of a narrow window are near 0 and the truncated series is accurate.
struct window_centre {
  double top = 0.0;
  double half = 0.0;
};

/// A piece of a sorted list, cut into windows, with the moments of those windows that hold many items.
template <class Arch, class T, std::size_t C, bool Weighted, bool ByLevel, class Function>
struct pair_piece {
  using parts = pair_states<Arch, T, C, Weighted, ByLevel, Function>;
  using constants = typename parts::constants;
  using polynomial = typename parts::polynomial;
  static constexpr std::size_t sets = parts::sets;

  sorted_items<T, C> sorted;
  std::span<const std::uint32_t> buckets;  ///< [n] by position: the levels that are compared
  std::size_t levels = 0;                  ///< the number of buckets
  double scale = 1.0;                      ///< 1 / temperature
  std::span<std::uint32_t> starts;         ///< [n + 1] beginnings of the windows, and the end of the last one
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

  [[nodiscard]] window_centre centre(std::size_t window) const noexcept {
    const double top = sorted.scores[starts[window]];
    return {top, 0.5 * (top - sorted.scores[starts[window + 1] - 1]) * scale};
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

  /// Adds the window that ends before position `end`, and keeps its moments if it holds many items.
  void add_window(std::size_t end) {
    const std::size_t begin = windows > 0 ? starts[windows] : 0;
    starts[windows] = static_cast<std::uint32_t>(begin);
    starts[++windows] = static_cast<std::uint32_t>(end);
    if (!is_kept(end - begin)) return;
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
    begin_ = of_.starts[window_];
    end_ = of_.starts[window_ + 1];
    centre_ = of_.centre(window_);
    is_kept_ = of_.is_kept(end_ - begin_);
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
