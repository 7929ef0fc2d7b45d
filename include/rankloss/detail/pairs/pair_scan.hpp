// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>
#include <rankloss/detail/base/pieces.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/pairs/ordered_items.hpp>
#include <rankloss/detail/pairs/pair_loop.hpp>
#include <rankloss/detail/pairs/pair_piece.hpp>
#include <rankloss/detail/pairs/pair_series.hpp>
#include <rankloss/detail/pairs/pair_walk.hpp>
#include <rankloss/detail/pairs/sorted_items.hpp>
#include <rankloss/detail/pairs/window_pairs.hpp>
#include <rankloss/detail/sorting/argsort.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <span>

/// Sums over the pairs of different relevance of a long list in near-linear time. The exponential states of
/// sorted_sums.hpp, one set per level of relevance, are carried from window to window of the sorted scores.
///
/// - A window consists of neighbouring items within a quarter of a temperature. Its own pairs are computed
///   from moments, by the Taylor series of the kernel at 0. Where the weight depends on which item is above,
///   the moments of the items above and below each item are used, in narrow windows with a short series, or
///   pairs are computed one by one in windows of up to 64 items.
/// - The past of a window is what lies above it or, on the way back, below it. It acts through the states, a
///   sum of K exponentials per level and channel of the weight. Within the window they are a polynomial of P
///   terms in the coordinate z of an item. The levels below an item's own and those above it are added up
///   once per window, so an item costs P operations per channel and not K per level.
/// - The items of a window enter the states by their moments, the sum of z^p per level and channel.
/// - Where a quarter of a temperature holds few items, a window is wide: it holds some tens, whose pairs are computed
///   one by one, and the past acts on each item by itself, as each enters the states, by K powers of one exponential.
///
/// Besides the sort the time is O(n P C + windows L C K P) for L levels and C channels (L C (K P + L K) where
/// gains weigh the differences of levels), and O(64 n) where pairs are computed one by one. The latter is the
/// case where scores are sparse, and where the weight depends on which item is above and either there are more
/// than eight levels or the sign of the weight depends on the order of the pair. An item of a wide window takes
/// O(C K). With more than 32 levels, as with real-valued relevance, neighbouring levels share a bucket. The pairs
/// within each bucket form a smaller list of the same kind, with its items in the same order.
namespace rankloss::inline RANKLOSS_ABI::detail {

/// The sums of one list. `Function` is a function of pairs of temperature `score_scale()`, 1 by default, with
/// `of_probabilities` and `kernel`.
template <class Arch, class T, std::size_t C, bool Weighted, bool Oriented, bool ByLevel, bool Differences,
          class Function>
class pair_scan {
  static_assert(!ByLevel || Oriented);
  using constants = pair_series<T>;
  // With many levels the change of NDCG is a product of differences in four channels. Its sign depends on the
  // order of a pair, which the sums of a narrow window do not represent.
  static constexpr bool has_narrow = Oriented && C <= 2;
  using items_type = sorted_items<T, C>;
  using windows_of = window_pairs<Arch, T, C, Weighted, ByLevel, Differences, Function>;
  using walk_type = pair_walk<Arch, T, C, Weighted, Oriented, ByLevel, Function>;
  using piece_type = typename walk_type::piece_type;
  using parts = typename walk_type::parts;
  using state = typename walk_type::state;
  using polynomial = typename walk_type::polynomial;

 public:
  /// @param wrong_sign  factor on the weight of pairs whose upper item is the less relevant one
  /// @param piece_items  items of a piece of the list; a test takes short ones
  pair_scan(const Function& function, double wrong_sign, workspace& scratch,
            std::size_t piece_items = tuning::piece_items)
      : scale_(1.0 / function.score_scale()),
        wrong_sign_(wrong_sign),
        scratch_(scratch),
        piece_items_(piece_items) {}

  /// @param gradient  [n] by position, added to: derivatives by s / temperature, in natural logarithms
  void run(items_type sorted, std::uint32_t level_count, std::span<double> gradient) {
    const workspace::scope scope(scratch_);
    // Levels without items, as after a cutoff that removes most items, cost time without effect. Beyond 2^24
    // levels float cannot distinguish neighbouring level numbers.
    if (!ByLevel && level_count > sorted.n) level_count = renumber(sorted);
    descend(sorted, 0, level_count, gradient);
  }

  /// Value and weight; the count is not computed.
  [[nodiscard]] const pair_totals& totals() const noexcept { return totals_; }

 private:
  /// Renumbers the levels that occur, from 0; returns how many there are.
  std::uint32_t renumber(items_type& sorted) {
    const std::span<std::uint32_t> levels = scratch_.take<std::uint32_t>(sorted.n);
    const auto by_level =
        items_by_key<std::uint32_t>(sorted.n, scratch_, [&](std::size_t i) { return sorted.levels[i]; });
    std::uint32_t last = 0;
    for (std::size_t k = 0; k < by_level.size(); ++k) {
      if (k > 0 && by_level[k].key != by_level[k - 1].key) ++last;
      levels[by_level[k].payload] = last;
    }
    sorted.levels = levels;
    return last + 1;
  }

  /// Adds the pairs of a list whose levels are numbered from `first_level` to `end_level`.
  void descend(const items_type& sorted, std::uint32_t first_level, std::uint32_t end_level,
               std::span<double> gradient) {
    if (sorted.n < 2 || end_level - first_level < 2) return;
    const workspace::scope scope(scratch_);
    const std::size_t level_count = end_level - first_level;
    const std::span<std::uint32_t> bucket_of = scratch_.take<std::uint32_t>(level_count);
    std::size_t buckets = level_count;
    const std::size_t most_by_pairs =
        level_count <= tuning::most_levels ? tuning::shortest_scan<T> - 1 : tuning::scanned_by_pairs;
    if (sorted.n <= most_by_pairs) {
      // Each level is a bucket of its own, and pairs are computed one by one.
      std::iota(bucket_of.begin(), bucket_of.end(), 0u);
      const std::span<const std::uint32_t> by_position = buckets_by_position(sorted, first_level, bucket_of);
      windows_of(sorted, by_position, scale_, wrong_sign_, gradient, totals_, scratch_)
          .add_one_by_one(0, sorted.n);
      return;
    }
    // Lists by level never have more levels than this.
    if (level_count <= tuning::most_levels) {
      std::iota(bucket_of.begin(), bucket_of.end(), 0u);
    } else {
      buckets = buckets_for(sorted.n);
      std::fill(bucket_of.begin(), bucket_of.end(), 0u);
      for (std::size_t i = 0; i < sorted.n; ++i) ++bucket_of[sorted.levels[i] - first_level];
      // Buckets have about the same number of items; a level is never split.
      std::size_t before = 0;
      for (std::uint32_t& count : bucket_of) {
        const std::size_t items = count;
        count = static_cast<std::uint32_t>((before + items / 2) * buckets / sorted.n);
        before += items;
      }
    }
    const std::span<const std::uint32_t> by_position = buckets_by_position(sorted, first_level, bucket_of);
    sum(sorted, by_position, buckets, gradient);
    if (level_count > tuning::most_levels)
      split(sorted, first_level, bucket_of, by_position, buckets, gradient);
  }

  /// The number of buckets with which the fewest rounds of splitting lead to lists of about a hundred items,
  /// which are computed pair by pair.
  [[nodiscard]] static std::size_t buckets_for(std::size_t n) noexcept {
    const double lists = static_cast<double>(n) / 128.0;
    const double rounds =
        std::max(std::ceil(std::log(lists) / std::log(static_cast<double>(tuning::most_levels))), 1.0);
    return std::clamp(static_cast<std::size_t>(std::ceil(std::pow(lists, 1.0 / rounds))), std::size_t{2},
                      tuning::most_levels);
  }

  /// The buckets by position.
  [[nodiscard]] std::span<const std::uint32_t> buckets_by_position(const items_type& sorted,
                                                                   std::uint32_t first_level,
                                                                   std::span<const std::uint32_t> bucket_of) {
    const std::span<std::uint32_t> by_position = scratch_.take<std::uint32_t>(sorted.n);
    const even_pieces pieces(sorted.n, piece_items_);
    run_pieces(scratch_, pieces.count(), [&](workspace&, std::size_t p) {
      const auto [begin, end] = pieces[p];
      const std::span<const std::uint32_t> levels = sorted.levels, buckets = bucket_of;
      const std::span<std::uint32_t> to = by_position;
      const std::uint32_t first = first_level;
      for (std::size_t i = begin; i < end; ++i) to[i] = buckets[levels[i] - first];
    });
    return by_position;
  }

  /// Adds the pairs within each bucket, as lists of their own.
  void split(const items_type& sorted, std::uint32_t first_level, std::span<const std::uint32_t> bucket_of,
             std::span<const std::uint32_t> by_position, std::size_t buckets, std::span<double> gradient) {
    std::array<std::size_t, tuning::most_levels + 1> start{};
    std::array<std::size_t, tuning::most_levels> counted{};
    std::array<std::uint32_t, tuning::most_levels + 1> first{};
    for (std::size_t l = 0, b = 0; b <= buckets; ++b) {
      while (l < bucket_of.size() && bucket_of[l] < b) ++l;
      first[b] = first_level + static_cast<std::uint32_t>(l);
    }
    for (std::size_t i = 0; i < sorted.n; ++i) {
      ++start[by_position[i] + 1];
      if (i < sorted.counted) ++counted[by_position[i]];
    }
    std::partial_sum(start.begin(), start.end(), start.begin());
    const std::span<std::uint32_t> by_bucket = scratch_.take<std::uint32_t>(sorted.n);
    std::array<std::size_t, tuning::most_levels + 1> next = start;
    for (std::size_t i = 0; i < sorted.n; ++i)
      by_bucket[next[by_position[i]]++] = static_cast<std::uint32_t>(i);
    // Each bucket has a place of its own, with room for a whole vector behind it: buckets are computed at the same
    // time, and no vector of one may lie over items of the next.
    std::array<pair_totals, tuning::most_levels> totals{};
    const auto one = [&](workspace& own, std::size_t b) {
      const std::size_t n = start[b + 1] - start[b];
      items_type items = sorted;
      items.n = n;
      items.counted = counted[b];
      items.scores = own.take<double>(n);
      items.levels = own.take<std::uint32_t>(n);
      for (std::size_t c = 0; c < C; ++c) {
        items.upper[c] = own.take<double>(n);
        items.lower[c] = own.take<double>(n);
      }
      if (Weighted) items.weights = padded<T, Arch>(n, own);
      const std::span<const std::uint32_t> from = by_bucket.subspan(start[b], n);
      const std::span<double> sums = own.take<double>(n);
      std::fill(sums.begin(), sums.end(), 0.0);
      for (std::size_t to = 0; to < n; ++to) {
        const std::size_t i = from[to];
        items.scores[to] = sorted.scores[i];
        items.levels[to] = sorted.levels[i];
        for (std::size_t c = 0; c < C; ++c) {
          items.upper[c][to] = sorted.upper[c][i];
          items.lower[c][to] = sorted.lower[c][i];
        }
        if (Weighted) items.weights[to] = sorted.weights[i];
      }
      pair_scan within(*this, own);
      within.descend(items, first[b], first[b + 1], sums);
      totals[b] = within.totals_;
      for (std::size_t i = 0; i < n; ++i) gradient[from[i]] += sums[i];
    };
    run_pieces(scratch_, buckets, one);
    for (std::size_t b = 0; b < buckets; ++b) totals_.add(totals[b]);
  }

  /// Adds the pairs of different buckets. The list is computed in pieces: first what is within their windows, and
  /// what each piece leaves behind it; with what lies before each piece known, the walks over all of them.
  void sum(const items_type& sorted, std::span<const std::uint32_t> by_position, std::size_t levels,
           std::span<double> gradient) {
    const workspace::scope scope(scratch_);
    const even_pieces pieces(sorted.n, piece_items_);
    const std::size_t count = pieces.count();
    const std::size_t room = piece_type::kept_room(std::min(piece_items_, sorted.n), levels);
    const std::size_t sums = piece_type::sets * levels * C;
    const std::span<piece_type> of_piece = scratch_.take<piece_type>(count);
    const std::span<pair_totals> totals = scratch_.take<pair_totals>(count);
    const std::span<window_mark> marks = scratch_.take<window_mark>(sorted.n + count);
    const std::span<polynomial> kept = scratch_.take<polynomial>(count * room);
    // What lies before each piece, on the way down and on the way up.
    const std::span<state> past_down = scratch_.take<state>(count * sums);
    const std::span<state> past_up = scratch_.take<state>(count * sums);
    const auto of = [&](std::span<state> states, std::size_t p) { return states.subspan(p * sums, sums); };
    run_pieces(scratch_, count, [&](workspace& own, std::size_t p) {
      const auto [begin, end] = pieces[p];
      piece_type& piece = of_piece[p];
      piece = {.sorted = sorted.part(begin, end),
               .buckets = by_position.subspan(begin, end - begin),
               .levels = levels,
               .scale = scale_,
               .marks = marks.subspan(begin + p, end - begin + 1),
               .kept = kept.subspan(p * room, room)};
      totals[p] = {};
      cut(piece, gradient.subspan(begin, end - begin), totals[p], own);
      if (p + 1 < count) walk_type::template states_behind<true>(piece, of(past_down, p + 1), own);
      if (p > 0) walk_type::template states_behind<false>(piece, of(past_up, p - 1), own);
    });
    std::fill_n(past_down.begin(), sums, state{});
    std::fill_n(past_up.end() - static_cast<std::ptrdiff_t>(sums), sums, state{});
    // What a piece leaves behind it comes on top of what lies before it, moved on to the far end of the piece.
    const auto end_of = [&](std::size_t p) {
      return of_piece[p].template leave<true>(of_piece[p].windows - 1);
    };
    const auto begin_of = [&](std::size_t p) { return of_piece[p].template leave<false>(0); };
    const std::span<state> moved = scratch_.take<state>(sums);
    const auto hand_on = [&](std::span<const state> before, double gap, std::span<state> behind) {
      std::copy(before.begin(), before.end(), moved.begin());
      parts::carry(moved, gap);
      parts::add(moved, behind);
    };
    for (std::size_t p = 1; p + 1 < count; ++p) {
      const std::size_t up = count - 1 - p;
      hand_on(of(past_down, p), of_piece[p].gap(end_of(p - 1), end_of(p)), of(past_down, p + 1));
      hand_on(of(past_up, up), of_piece[up].gap(begin_of(up + 1), begin_of(up)), of(past_up, up - 1));
    }
    run_pieces(scratch_, count, [&](workspace& own, std::size_t p) {
      const auto [begin, end] = pieces[p];
      const walk_type walk{of_piece[p], wrong_sign_, gradient.subspan(begin, end - begin), totals[p], own};
      walk.template run<true>(of(past_down, p), p > 0 ? end_of(p - 1) : window_centre{}, p > 0);
      walk.template run<false>(of(past_up, p), p + 1 < count ? begin_of(p + 1) : window_centre{},
                               p + 1 < count);
    });
    for (const pair_totals& of_one : totals) totals_.add(of_one);
  }

  /// Cuts a piece into windows, and adds the pairs within them where the weight depends on which item is above.
  void cut(piece_type& piece, std::span<double> gradient, pair_totals& totals, workspace& scratch) const {
    const workspace::scope scope(scratch);
    const items_type& sorted = piece.sorted;
    std::optional<windows_of> pairs;
    const auto one_by_one = [&]() -> windows_of& {
      if (!pairs) pairs.emplace(sorted, piece.buckets, scale_, wrong_sign_, gradient, totals, scratch);
      return *pairs;
    };
    bool series_fit = false;
    typename windows_of::level_differences by_difference;
    if constexpr (has_narrow) {
      series_fit = wrong_sign_ == 1.0 && piece.levels <= tuning::narrow_levels;
      if (series_fit) by_difference = one_by_one().differences(piece.levels);
    }
    const std::size_t of_levels =
        Oriented
            ? tuning::sparse_items
            : static_cast<std::size_t>(tuning::sparse_items_of_level * static_cast<double>(piece.levels));
    const std::size_t sparse = std::min(of_levels, tuning::sparse_items);
    for (std::size_t begin = 0, end = 0; begin < sorted.n; begin = end) {
      // No window extends across the cutoff.
      const std::size_t last = begin < sorted.counted ? sorted.counted : sorted.n;
      end = begin + 1;
      const auto grow = [&](double width, std::size_t most) {
        const std::size_t stop = std::min(begin + most, last);
        const auto within = [&](std::size_t i) {
          return (sorted.scores[begin] - sorted.scores[i]) * scale_ <= width;
        };
        // Scores descend, so that one that is within has all before it within, too.
        constexpr std::size_t stride = 16;
        while (end + stride <= stop && within(end + stride - 1)) end += stride;
        while (end < stop && within(end)) ++end;
      };
      grow(2.0 * constants::half_width, Oriented ? tuning::window_items : tuning::large_window);
      bool by_series = false;
      if constexpr (has_narrow) {
        const double width = (sorted.scores[begin] - sorted.scores[end - 1]) * scale_;
        by_series = series_fit && end - begin >= tuning::narrow_items && width <= constants::narrow_width;
        if (by_series) {
          grow(constants::narrow_width, tuning::large_window);
          one_by_one().add_by_series(begin, end, by_difference);
        }
      }
      // Where few items are within reach of a polynomial, the past acts on each by itself, and a window goes as far as
      // its pairs may be computed one by one.
      const bool wide = !by_series && end - begin < sparse;
      if (wide) grow(constants::widest, tuning::wide_items);
      if ((wide || Oriented) && !by_series) one_by_one().add_one_by_one(begin, end);
      piece.add_window(end, wide);
    }
  }

  /// The same sums in other scratch, of nothing yet.
  pair_scan(const pair_scan& other, workspace& scratch)
      : scale_(other.scale_),
        wrong_sign_(other.wrong_sign_),
        scratch_(scratch),
        piece_items_(other.piece_items_) {}

  double scale_;
  double wrong_sign_;
  workspace& scratch_;
  std::size_t piece_items_;
  pair_totals totals_;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
