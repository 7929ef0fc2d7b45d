// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/pairs/pair_loop.hpp>
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
#include <span>

/// Sums over the pairs of different relevance of a long list in near-linear time. The exponential states of
/// sorted_sums.hpp, one set per level of relevance, are carried from window to window of the sorted scores.
///
/// - A window consists of neighbouring items within a quarter of a temperature. Its own pairs are computed
///   from moments, by the Taylor series of the kernel at 0. Where the weight depends on which item is above,
///   the moments of the items above and below each item are used, in narrow windows with a short series, or,
///   where scores are sparse, pairs are computed one by one in windows of up to 64 items.
/// - The past of a window is what lies above it or, on the way back, below it. It acts through the states, a
///   sum of K exponentials per level and channel of the weight. Within the window they are a polynomial of P
///   terms in the coordinate z of an item. The levels below an item's own and those above it are added up
///   once per window, so an item costs P operations per channel and not K per level.
/// - The items of a window enter the states by their moments, the sum of z^p per level and channel.
///
/// Besides the sort the time is O(n P C + windows L C K P) for L levels and C channels (L C (K P + L K) where
/// gains weigh the differences of levels), and O(64 n) where pairs are computed one by one. The latter is the
/// case where the weight depends on which item is above and scores are sparse, there are more than eight
/// levels, or the sign of the weight depends on the order of the pair. With more than 32 levels, as with
/// real-valued relevance, neighbouring levels share a bucket. The pairs within each bucket form a smaller
/// list of the same kind, with its items in the same order.
namespace rankloss::inline RANKLOSS_ABI::detail {

/// The sums of one list. `Function` is a function of pairs of temperature `score_scale()`, 1 by default, with
/// `of_probabilities` and `kernel`.
template <class Arch, class T, std::size_t C, bool Weighted, bool Oriented, bool ByLevel, class Function>
class pair_scan {
  static_assert(!ByLevel || Oriented);
  using constants = pair_series<T>;
  // With many levels the change of NDCG is a product of differences in four channels. Its sign depends on the
  // order of a pair, which the sums of a narrow window do not represent.
  static constexpr bool has_narrow = Oriented && C <= 2;
  using items_type = sorted_items<T, C>;
  using windows_of = window_pairs<Arch, T, C, Weighted, ByLevel, Function>;

 public:
  /// @param wrong_sign  factor on the weight of pairs whose upper item is the less relevant one
  pair_scan(const Function& function, double wrong_sign, workspace& scratch)
      : scale_(1.0 / function.score_scale()), wrong_sign_(wrong_sign), scratch_(scratch) {}

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
    if (sorted.n <= tuning::scanned_by_pairs) {
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
    for (std::size_t i = 0; i < sorted.n; ++i) by_position[i] = bucket_of[sorted.levels[i] - first_level];
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
    items_type all = sorted;
    constexpr std::size_t padding = xsimd::batch<T, Arch>::size;
    const auto take = [&] { return scratch_.take<T>(sorted.n + padding); };
    all.scores = scratch_.take<double>(sorted.n);
    all.levels = scratch_.take<std::uint32_t>(sorted.n);
    const std::span<std::uint32_t> from = scratch_.take<std::uint32_t>(sorted.n);
    const std::span<double> sums = scratch_.take<double>(sorted.n);
    std::fill(sums.begin(), sums.end(), 0.0);
    for (std::size_t c = 0; c < C; ++c) {
      all.upper[c] = take();
      all.lower[c] = take();
    }
    if (Weighted) all.weights = take();
    std::array<std::size_t, tuning::most_levels + 1> next = start;
    for (std::size_t i = 0; i < sorted.n; ++i) {
      const std::size_t to = next[by_position[i]]++;
      all.scores[to] = sorted.scores[i];
      all.levels[to] = sorted.levels[i];
      from[to] = static_cast<std::uint32_t>(i);
      for (std::size_t c = 0; c < C; ++c) {
        all.upper[c][to] = sorted.upper[c][i];
        all.lower[c][to] = sorted.lower[c][i];
      }
      if (Weighted) all.weights[to] = sorted.weights[i];
    }
    for (std::size_t b = 0; b < buckets; ++b) {
      items_type bucket_items;
      bucket_items.n = start[b + 1] - start[b];
      bucket_items.counted = counted[b];
      bucket_items.scores = all.scores.subspan(start[b], bucket_items.n);
      bucket_items.levels = all.levels.subspan(start[b], bucket_items.n);
      for (std::size_t c = 0; c < C; ++c) {
        bucket_items.upper[c] = all.upper[c].subspan(start[b]);
        bucket_items.lower[c] = all.lower[c].subspan(start[b]);
      }
      if (Weighted) bucket_items.weights = all.weights.subspan(start[b]);
      descend(bucket_items, first[b], first[b + 1], sums.subspan(start[b], bucket_items.n));
    }
    for (std::size_t i = 0; i < sorted.n; ++i) gradient[from[i]] += sums[i];
  }

  /// Adds the pairs of different buckets.
  void sum(const items_type& sorted, std::span<const std::uint32_t> by_position, std::size_t levels,
           std::span<double> gradient) {
    const workspace::scope scope(scratch_);
    windows_of pairs(sorted, by_position, scale_, wrong_sign_, gradient, totals_, scratch_);
    const std::span<std::uint32_t> starts = scratch_.take<std::uint32_t>(sorted.n + 1);
    std::size_t windows = 0;
    bool series_fit = false;
    typename windows_of::level_differences by_difference;
    if constexpr (has_narrow) {
      series_fit = wrong_sign_ == 1.0 && levels <= tuning::narrow_levels;
      if (series_fit) by_difference = pairs.differences(levels);
    }
    for (std::size_t begin = 0; begin < sorted.n; ++windows) {
      starts[windows] = static_cast<std::uint32_t>(begin);
      // No window extends across the cutoff.
      const std::size_t last = begin < sorted.counted ? sorted.counted : sorted.n;
      std::size_t end = begin + 1;
      const auto grow = [&](double width, std::size_t most) {
        const std::size_t stop = std::min(begin + most, last);
        while (end < stop && (sorted.scores[begin] - sorted.scores[end]) * scale_ <= width) ++end;
      };
      grow(2.0 * constants::half_width, Oriented ? tuning::window_items : tuning::large_window);
      if constexpr (has_narrow) {
        const double width = (sorted.scores[begin] - sorted.scores[end - 1]) * scale_;
        if (series_fit && end - begin >= tuning::narrow_items && width <= constants::narrow_width) {
          grow(constants::narrow_width, tuning::large_window);
          pairs.add_by_series(begin, end, by_difference);
          begin = end;
          continue;
        }
      }
      if constexpr (Oriented) pairs.add_one_by_one(begin, end);
      begin = end;
    }
    starts[windows] = static_cast<std::uint32_t>(sorted.n);
    const pair_walk<Arch, T, C, Weighted, Oriented, ByLevel, Function> walk{
        sorted,   by_position, levels,  starts.first(windows + 1), scale_, wrong_sign_,
        gradient, totals_,     scratch_};
    walk.template run<true>();
    walk.template run<false>();
  }

  double scale_;
  double wrong_sign_;
  workspace& scratch_;
  pair_totals totals_;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
