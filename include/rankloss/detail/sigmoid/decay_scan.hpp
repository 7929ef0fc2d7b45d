// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>
#include <rankloss/detail/base/pieces.hpp>
#include <rankloss/detail/sigmoid/decay_rows.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/simd/stretched_list.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Scans of a sorted list downwards and upwards, from neighbour to neighbour, in lanes: each lane has a
/// stretch of a piece of the list, and each piece is the work of one worker. First each stretch is scanned by
/// itself; what lies before each of them is handed on, from stretch to stretch; and then each is scanned with
/// what lies before it.
///
/// A scan has the sums over the items that it has passed, relative to the last one of them, and what it needs
/// of that item:
///
///     state<U>                         for lanes and for a single double U; by default, nothing has been passed
///     advance(before, decay, at)       the state at the item, or row of items, at index `at` of arrays over the items, given
///                                      that at its neighbour, or at any item before it, and exp(-distance) of the two.
///                                      With a decay of 0 it is that of nothing passed
///     join(state, more)                adds the sums of `more`, which is a state at the same item
///     state.for_each(visit)            visits its numbers one after the other
template <class Arch>
class decay_scan {
  using V = lanes<Arch>;
  static constexpr std::size_t w = lane_count<Arch>;

 public:
  using list_type = stretched_list<Arch>;
  using piece = typename list_type::piece;

  /// @param x      [n] sorted, descending
  /// @param equal  the decay between equal scores
  template <class T>
  decay_scan(std::span<const T> x, double scale, double equal, workspace& scratch, const list_type& list)
      : list_(list), scratch_(scratch), decay_(list_.take(scratch)) {
    if (stretched()) across_ = scratch.take<double>(2 * w * list_.pieces());
    run_pieces(scratch, list_.pieces(), [&](workspace& own, std::size_t p) {
      const piece of = list_[p];
      double* const near = own.take<double>(of.size + 1).data();
      fill_neighbour_decays<Arch, T>(x, {of.begin, of.end()}, scale, equal, near);
      list_.fill(of, of.rows + 1, of.end() + 1, decay_.data(),
                 [=](std::size_t i) { return near[i - of.begin]; });
      if (!stretched()) return;
      // From the last item before a stretch to its own last one, and the same upwards.
      fill_across(x, scale, equal, of, of.rows - 1, false, across_.data() + 2 * w * p);
      fill_across(x, scale, equal, of, 0, true, across_.data() + 2 * w * p + w);
    });
  }

  [[nodiscard]] const list_type& list() const noexcept { return list_; }

  /// Scans both ways, and calls emit(piece, r, above, below) once for each row, from the last one of a piece
  /// to its first. Rows are those of the list: of lanes, or of single items.
  /// @param prepare  prepare(piece) is called before a piece is scanned
  /// @param keep     keep(state): what of a state on the way down waits for the way up, where it is `above`
  template <class Scan, class Prepare, class Keep, class Emit>
  void operator()(const Scan& scan, const Prepare& prepare, const Keep& keep, const Emit& emit) const {
    if (list_.pieces() == 0) return;
    const workspace::scope scope(scratch_);
    if (!stretched()) {
      prepare(list_[0]);
      return scan_piece<double>(list_[0], scan, {}, {}, scratch_, keep, emit);
    }
    using state = typename Scan::template state<V>;
    constexpr std::size_t numbers = sizeof(state) / sizeof(double);  // of the states of a row
    const std::span<double> states = scratch_.take<double>(2 * numbers * list_.pieces());
    run_pieces(scratch_, list_.pieces(), [&](workspace&, std::size_t p) {
      const piece of = list_[p];
      prepare(of);
      const Scan own = scan;
      const double* const decay = decay_.data() + of.at;
      const std::size_t last = of.rows - 1;
      state down = own.advance(state{}, V(0.0), of.at), up = own.advance(state{}, V(0.0), of.at + last * w);
      for (std::size_t r = 1; r < of.rows; ++r) {
        const std::size_t s = of.rows - r;
        down = own.advance(down, row_at<V>(decay + r * w), of.at + r * w);
        up = own.advance(up, row_at<V>(decay + s * w), of.at + (s - 1) * w);
      }
      store(down, states.data() + 2 * numbers * p);
      store(up, states.data() + 2 * numbers * p + numbers);
    });
    hand_on(scan, states.data());
    run_pieces(scratch_, list_.pieces(), [&](workspace& own, std::size_t p) {
      const double* const before = states.data() + 2 * numbers * p;
      scan_piece<V>(list_[p], scan, load<state>(before), load<state>(before + numbers), own, keep, emit);
    });
  }

 private:
  /// Whether rows are those of lanes.
  [[nodiscard]] bool stretched() const noexcept { return list_.width() > 1; }

  /// Scans the rows of a piece down and up again, given the states before it.
  template <class U, class Scan, class Keep, class Emit>
  void scan_piece(const piece of, const Scan scan, typename Scan::template state<U> down,
                  typename Scan::template state<U> up, workspace& scratch, const Keep keep,
                  const Emit emit) const {  // copies, which no store can change
    constexpr std::size_t width = row_width<U>;
    const double* const decay = decay_.data() + of.at;
    auto* const waiting = scratch.take<std::decay_t<decltype(keep(down))>>(of.rows).data();
    for (std::size_t r = 0; r < of.rows; ++r) {
      down = scan.advance(down, row_at<U>(decay + r * width), of.at + r * width);
      waiting[r] = keep(down);
    }
    for (std::size_t r = of.rows; r-- > 0;) {
      up = scan.advance(up, row_at<U>(decay + (r + 1) * width), of.at + r * width);
      emit(of, r, waiting[r], up);
    }
  }

  /// States in memory: the lanes of their first number, then those of the second one, and so on. Numbers are
  /// named one by one, since a state whose bytes are copied would stay in memory, where each step would wait
  /// for the store before it.
  template <class State>
  [[nodiscard]] [[gnu::always_inline]] static State load(const double* from) noexcept {
    State state;
    state.for_each([&from](V& number) {
      number = V::load_aligned(from);
      from += w;
    });
    return state;
  }
  template <class State>
  static void store(State state, double* to) noexcept {
    state.for_each([&to](V& number) {
      number.store_aligned(to);
      to += w;
    });
  }
  /// The state of one lane.
  template <class One>
  [[nodiscard]] static One lane_of(const double* states, std::size_t l) noexcept {
    One one;
    states += l;
    one.for_each([&states](double& number) {
      number = *states;
      states += w;
    });
    return one;
  }
  template <class One>
  static void put_lane(One one, double* states, std::size_t l) noexcept {
    states += l;
    one.for_each([&states](double& number) {
      *states = number;
      states += w;
    });
  }

  /// Makes the states that stretches leave when they are scanned by themselves those that they begin with: of
  /// the item before each of them.
  template <class Scan>
  void hand_on(const Scan& scan, double* states) const {
    using one = typename Scan::template state<double>;
    constexpr std::size_t numbers = sizeof(one) / sizeof(double) * w;
    one down{}, up{};
    const auto next = [&](one& before, std::size_t p, std::size_t l, bool upwards) {
      const piece of = list_[p];
      double* const here = states + 2 * numbers * p + (upwards ? numbers : 0);
      const one alone = lane_of<one>(here, l);
      put_lane(before, here, l);
      const double decay = across_[2 * w * p + (upwards ? w : 0) + l];
      before = scan.advance(before, decay, of.at + (upwards ? 0 : of.rows - 1) * w + l);
      scan.join(before, alone);
    };
    for (std::size_t p = 0; p < list_.pieces(); ++p)
      for (std::size_t l = 0; l < w; ++l) next(down, p, l, false);
    for (std::size_t p = list_.pieces(); p-- > 0;)
      for (std::size_t l = w; l-- > 0;) next(up, p, l, true);
  }

  /// The decay of each lane between its item in row r and the one that a scan passes before the stretch.
  template <class T>
  static void fill_across(std::span<const T> x, double scale, double equal, const piece& of, std::size_t r,
                          bool upwards, double* to) {
    T upper[w], lower[w];
    alignas(64) double inside[w];
    for (std::size_t l = 0; l < w; ++l) {
      // Before item 0 there is none; its number wraps around.
      const std::size_t own = of.item(r, l), before = upwards ? of.item(of.rows, l) : of.item(0, l) - 1;
      const bool both = own < x.size() && before < x.size();
      upper[l] = both ? x[std::min(own, before)] : T{0};
      lower[l] = both ? x[std::max(own, before)] : T{0};
      inside[l] = both ? 1.0 : 0.0;
    }
    const V gap = load_row<Arch>(upper) - load_row<Arch>(lower);
    const V decay = xsimd::select(gap > V(0.0), exp_minus(gap * V(scale)), V(equal));
    xsimd::select(V::load_aligned(inside) > V(0.0), decay, V(0.0)).store_aligned(to);
  }

  const list_type list_;
  workspace& scratch_;
  std::span<double> decay_;   // [rows + 1][lanes] of each piece
  std::span<double> across_;  // [pieces][2][lanes] over a whole stretch, downwards and upwards
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
