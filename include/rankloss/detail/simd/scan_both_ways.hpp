// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>
#include <rankloss/detail/base/pieces.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/workspace.hpp>

#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// One scan down the items [begin, end) and one up, interleaved. Each is a chain of dependent steps, so the two hide
/// each other's latency. Until they meet, the result of each at an item is kept in `waiting` for the other scan.
/// above.step(k), for k = begin, ..., end - 1, and below.step(k), for k = end - 1, ..., begin, return the state of the
/// scan at item k, waiting[k - begin] holds one such state, and emit(k, from above, from below) is called once for
/// each item, in unspecified order.
///
/// `above` and `below` are passed by value and their steps are inlined: states passed by reference would live
/// in memory, where each step would wait for the store of the one before.
template <class Above, class Below, class Waiting, class Emit>
void scan_both_ways(item_range items, Above above, Below below, Waiting waiting, const Emit& emit) {
  const auto [begin, end] = items;
  const std::size_t n = items.size(), half = begin + n / 2;
  for (std::size_t i = begin, j = end - 1; i < half; ++i, --j) {
    waiting[i - begin] = above.step(i);
    waiting[j - begin] = below.step(j);
  }
  if (n % 2 == 1) waiting[half - begin] = below.step(half);
  for (std::size_t i = half; i < end; ++i) emit(i, above.step(i), waiting[i - begin]);
  for (std::size_t j = half; j-- > begin;) emit(j, waiting[j - begin], below.step(j));
}

/// What the items of a piece leave below it and above it: the states of both scans at its last and at its first item when
/// nothing lies before them. Its quarters are scanned side by side, so that more chains of steps hide each other's latency,
/// and joined. A piece has at least four items.
template <class Above, class Below>
void scan_alone(item_range items, Above& above, Below& below) {
  constexpr std::size_t quarters = 4;
  const std::size_t whole = items.size() / quarters;
  const std::size_t starts[quarters + 1]{items.begin, items.begin + whole, items.begin + 2 * whole,
                                         items.begin + 3 * whole, items.end};
  Above downs[quarters]{above, above, above, above};
  Below ups[quarters]{below, below, below, below};
  for (std::size_t q = 0; q < quarters; ++q) {
    downs[q].begin_at(starts[q]);
    ups[q].begin_at(starts[q + 1] - 1);
  }
  for (std::size_t i = 1; i < whole; ++i)
    for (std::size_t q = 0; q < quarters; ++q) {
      static_cast<void>(downs[q].step(starts[q] + i));
      static_cast<void>(ups[q].step(starts[q + 1] - 1 - i));
    }
  // The last quarter has the items that are left over.
  constexpr std::size_t last = quarters - 1;
  for (std::size_t i = whole; i < items.end - starts[last]; ++i) {
    static_cast<void>(downs[last].step(starts[last] + i));
    static_cast<void>(ups[last].step(items.end - 1 - i));
  }
  for (std::size_t q = 1; q < quarters; ++q) downs[q].join(downs[q - 1], starts[q] - 1, starts[q + 1] - 1);
  for (std::size_t q = last; q-- > 0;) ups[q].join(ups[q + 1], starts[q + 1], starts[q]);
  above = downs[last];
  below = ups[0];
}

/// scan_both_ways over a whole list, by all workers where it is long: then each piece is scanned by itself; what lies
/// before each piece is handed on, from piece to piece; and the pieces are scanned with it.
///
/// A scan has, beside step(k),
///
///     begin_at(k)             becomes the state at item k when nothing lies before it
///     join(before, from, to)  adds what lies before its items, of which `to` is the last one, given the state `before`
///                             of the item `from` next to them
///
/// @param T        of what a step returns
/// @param prepare  prepare(range) is called before the items of a piece are scanned by itself
template <class T, class Above, class Below, class Prepare, class Emit>
void scan_list(std::size_t n, const Above& above, const Below& below, workspace& scratch,
               const Prepare& prepare, const Emit& emit,
               std::size_t longest_single = tuning::longest_single_scan,
               std::size_t piece_items = tuning::piece_items) {
  const workspace::scope scope(scratch);
  if (n <= longest_single) {
    prepare(item_range{0, n});
    return scan_both_ways({0, n}, above, below, scratch.take<T>(n), emit);
  }
  // The last piece has the items that are left over.
  const std::size_t count = n / piece_items;
  const auto piece = [=](std::size_t p) {
    return item_range{p * piece_items, p + 1 < count ? (p + 1) * piece_items : n};
  };
  // The states next to each piece, above and below it.
  const std::span<Above> over = scratch.take<Above>(count + 1);
  const std::span<Below> under = scratch.take<Below>(count + 1);
  run_pieces(scratch, count, [&](workspace&, std::size_t p) {
    prepare(piece(p));
    over[p + 1] = above;
    under[p] = below;
    scan_alone(piece(p), over[p + 1], under[p]);
  });
  over[0] = above;
  under[count] = below;
  for (std::size_t p = 2; p < count; ++p) {
    const std::size_t q = count - p;
    over[p].join(over[p - 1], piece(p - 1).begin - 1, piece(p - 1).end - 1);
    under[q].join(under[q + 1], piece(q).end, piece(q).begin);
  }
  run_pieces(scratch, count, [&](workspace& own, std::size_t p) {
    const Emit own_emit = emit;  // which no store can change
    scan_both_ways(piece(p), over[p], under[p + 1], own.take<T>(piece(p).size()), own_emit);
  });
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
