// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>
#include <rankloss/detail/pairs/block_pairs.hpp>
#include <rankloss/detail/pairs/pair_loop.hpp>
#include <rankloss/detail/pairs/pair_series.hpp>
#include <rankloss/detail/pairs/pair_walk.hpp>
#include <rankloss/detail/pairs/scan_list.hpp>
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
/// sorted_sums.hpp, one set per level of relevance, are carried from block to block of the sorted scores.
///
/// - A block consists of neighbouring items within a quarter of a temperature. Its own pairs are computed
///   from moments, by the Taylor series of the kernel at 0. Where the weight depends on which item is above,
///   the moments of the items above and below each item are used, in narrow blocks with a short series, or,
///   where scores are sparse, pairs are computed one by one in blocks of up to 64 items.
/// - The past of a block is what lies above it or, on the way back, below it. It acts through the states, a
///   sum of K exponentials per level and channel of the weight. Within the block they are a polynomial of P
///   terms in the place z of an item. The levels below an item's own and those above it are added up once per
///   block, so an item costs P operations per channel and not K per level.
/// - The items of a block enter the states by their moments, the sum of z^p per level and channel.
///
/// Besides the sort the time is O(n P C + blocks L C K P) for L levels and C channels (L C (K P + L K) where
/// gains weigh the differences of levels), and O(64 n) where pairs are computed one by one. The latter is the
/// case where the weight depends on which item is above and scores are sparse, there are more than eight
/// levels, or the sign of the weight depends on the order of the pair. With more than 32 levels, as with
/// real-valued relevance, neighbouring levels share a bucket. The pairs within each bucket form a smaller
/// list of the same kind, with its items in the same order.
namespace rankloss::inline RANKLOSS_ABI::detail {

/// The sums of one list. `Function` is a function of pairs of temperature `length()`, 1 by default, with
/// `of_shares` and `kernel`.
template <class Arch, class T, std::size_t C, bool Weighted, bool Oriented, bool Graded, class Function>
class pair_scan {
  static_assert(!Graded || Oriented);
  using terms = pair_series<T>;
  static constexpr std::size_t smallest = 256;  // up to this size a list is computed pair by pair
  // With many levels the change of NDCG is a product of differences in four channels. Its sign depends on the
  // order of a pair, which the sums of a narrow block do not represent.
  static constexpr bool has_narrow = Oriented && C <= 2;
  using list_type = scan_list<T, C>;
  using blocks_of = block_pairs<Arch, T, C, Weighted, Graded, Function>;

 public:
  /// @param wrong_sign  factor on the weight of pairs whose upper item is the less relevant one
  pair_scan(const Function& function, double wrong_sign, workspace& scratch)
      : scale_(1.0 / function.length()), wrong_sign_(wrong_sign), scratch_(scratch) {}

  /// @param gradient  [n] by place, added to: derivatives by s / temperature, in natural logarithms
  void run(list_type list, std::uint32_t level_count, std::span<double> gradient) {
    const workspace::scope scope(scratch_);
    // Levels without items, as after a cutoff that removes most items, cost time without effect. Beyond 2^24
    // levels float cannot distinguish neighbouring level numbers.
    if (!Graded && level_count > list.n) level_count = renumber(list);
    descend(list, 0, level_count, gradient);
  }

  /// Value and weight; the count is not computed.
  [[nodiscard]] const pair_totals& totals() const noexcept { return totals_; }

 private:
  /// Renumbers the levels that occur, from 0; returns how many there are.
  std::uint32_t renumber(list_type& list) {
    const std::span<std::uint32_t> levels = scratch_.take<std::uint32_t>(list.n);
    const auto sorted =
        sorted_items<std::uint32_t>(list.n, scratch_, [&](std::size_t i) { return list.levels[i]; });
    std::uint32_t last = 0;
    for (std::size_t k = 0; k < sorted.size(); ++k) {
      if (k > 0 && sorted[k].key != sorted[k - 1].key) ++last;
      levels[sorted[k].payload] = last;
    }
    list.levels = levels;
    return last + 1;
  }

  /// Adds the pairs of a list whose levels are numbered from `first_level` to `end_level`.
  void descend(const list_type& list, std::uint32_t first_level, std::uint32_t end_level,
               std::span<double> gradient) {
    if (list.n < 2 || end_level - first_level < 2) return;
    const workspace::scope scope(scratch_);
    const std::size_t level_count = end_level - first_level;
    const std::span<std::uint32_t> bucket_of = scratch_.take<std::uint32_t>(level_count);
    std::size_t buckets = level_count;
    if (list.n <= smallest) {
      // Each level is a bucket of its own, and pairs are computed one by one.
      std::iota(bucket_of.begin(), bucket_of.end(), 0u);
      const std::span<const std::uint32_t> by_place = buckets_by_place(list, first_level, bucket_of);
      blocks_of(list, by_place, scale_, wrong_sign_, gradient, totals_, scratch_).add_one_by_one(0, list.n);
      return;
    }
    // Graded lists never have more levels than this.
    if (level_count <= terms::most_levels) {
      std::iota(bucket_of.begin(), bucket_of.end(), 0u);
    } else {
      buckets = buckets_for(list.n);
      std::fill(bucket_of.begin(), bucket_of.end(), 0u);
      for (std::size_t i = 0; i < list.n; ++i) ++bucket_of[list.levels[i] - first_level];
      // Buckets have about the same number of items; a level is never split.
      std::size_t before = 0;
      for (std::uint32_t& count : bucket_of) {
        const std::size_t items = count;
        count = static_cast<std::uint32_t>((before + items / 2) * buckets / list.n);
        before += items;
      }
    }
    const std::span<const std::uint32_t> by_place = buckets_by_place(list, first_level, bucket_of);
    sum(list, by_place, buckets, gradient);
    if (level_count > terms::most_levels) split(list, first_level, bucket_of, by_place, buckets, gradient);
  }

  /// The number of buckets with which the fewest rounds of splitting lead to lists of about a hundred items,
  /// which are computed pair by pair.
  [[nodiscard]] static std::size_t buckets_for(std::size_t n) noexcept {
    const double lists = static_cast<double>(n) / 128.0;
    const double rounds =
        std::max(std::ceil(std::log(lists) / std::log(static_cast<double>(terms::most_levels))), 1.0);
    return std::clamp(static_cast<std::size_t>(std::ceil(std::pow(lists, 1.0 / rounds))), std::size_t{2},
                      terms::most_levels);
  }

  /// The buckets by place.
  [[nodiscard]] std::span<const std::uint32_t> buckets_by_place(const list_type& list,
                                                                std::uint32_t first_level,
                                                                std::span<const std::uint32_t> bucket_of) {
    const std::span<std::uint32_t> by_place = scratch_.take<std::uint32_t>(list.n);
    for (std::size_t i = 0; i < list.n; ++i) by_place[i] = bucket_of[list.levels[i] - first_level];
    return by_place;
  }

  /// Adds the pairs within each bucket, as lists of their own.
  void split(const list_type& list, std::uint32_t first_level, std::span<const std::uint32_t> bucket_of,
             std::span<const std::uint32_t> by_place, std::size_t buckets, std::span<double> gradient) {
    std::array<std::size_t, terms::most_levels + 1> start{};
    std::array<std::size_t, terms::most_levels> counted{};
    std::array<std::uint32_t, terms::most_levels + 1> first{};
    for (std::size_t l = 0, b = 0; b <= buckets; ++b) {
      while (l < bucket_of.size() && bucket_of[l] < b) ++l;
      first[b] = first_level + static_cast<std::uint32_t>(l);
    }
    for (std::size_t i = 0; i < list.n; ++i) {
      ++start[by_place[i] + 1];
      if (i < list.counted) ++counted[by_place[i]];
    }
    std::partial_sum(start.begin(), start.end(), start.begin());
    list_type all = list;
    constexpr std::size_t padding = xsimd::batch<T, Arch>::size;
    const auto take = [&] { return scratch_.take<T>(list.n + padding); };
    all.scores = scratch_.take<double>(list.n);
    all.levels = scratch_.take<std::uint32_t>(list.n);
    const std::span<std::uint32_t> from = scratch_.take<std::uint32_t>(list.n);
    const std::span<double> sums = scratch_.take<double>(list.n);
    std::fill(sums.begin(), sums.end(), 0.0);
    for (std::size_t c = 0; c < C; ++c) {
      all.upper[c] = take();
      all.lower[c] = take();
    }
    if (Weighted) all.weights = take();
    std::array<std::size_t, terms::most_levels + 1> next = start;
    for (std::size_t i = 0; i < list.n; ++i) {
      const std::size_t to = next[by_place[i]]++;
      all.scores[to] = list.scores[i];
      all.levels[to] = list.levels[i];
      from[to] = static_cast<std::uint32_t>(i);
      for (std::size_t c = 0; c < C; ++c) {
        all.upper[c][to] = list.upper[c][i];
        all.lower[c][to] = list.lower[c][i];
      }
      if (Weighted) all.weights[to] = list.weights[i];
    }
    for (std::size_t b = 0; b < buckets; ++b) {
      list_type part;
      part.n = start[b + 1] - start[b];
      part.counted = counted[b];
      part.scores = all.scores.subspan(start[b], part.n);
      part.levels = all.levels.subspan(start[b], part.n);
      for (std::size_t c = 0; c < C; ++c) {
        part.upper[c] = all.upper[c].subspan(start[b]);
        part.lower[c] = all.lower[c].subspan(start[b]);
      }
      if (Weighted) part.weights = all.weights.subspan(start[b]);
      descend(part, first[b], first[b + 1], sums.subspan(start[b], part.n));
    }
    for (std::size_t i = 0; i < list.n; ++i) gradient[from[i]] += sums[i];
  }

  /// Adds the pairs of different buckets.
  void sum(const list_type& list, std::span<const std::uint32_t> by_place, std::size_t levels,
           std::span<double> gradient) {
    const workspace::scope scope(scratch_);
    blocks_of pairs(list, by_place, scale_, wrong_sign_, gradient, totals_, scratch_);
    const std::span<std::uint32_t> starts = scratch_.take<std::uint32_t>(list.n + 1);
    std::size_t blocks = 0;
    bool series_fit = false;
    typename blocks_of::level_differences by_difference;
    if constexpr (has_narrow) {
      series_fit = wrong_sign_ == 1.0 && levels <= terms::narrow_levels;
      if (series_fit) by_difference = pairs.differences(levels);
    }
    for (std::size_t begin = 0; begin < list.n; ++blocks) {
      starts[blocks] = static_cast<std::uint32_t>(begin);
      // No block extends across the cutoff.
      const std::size_t last = begin < list.counted ? list.counted : list.n;
      std::size_t end = begin + 1;
      const auto grow = [&](double width, std::size_t most) {
        const std::size_t stop = std::min(begin + most, last);
        while (end < stop && (list.scores[begin] - list.scores[end]) * scale_ <= width) ++end;
      };
      grow(2.0 * terms::half_width, Oriented ? terms::block_items : terms::large_block);
      if constexpr (has_narrow) {
        const double width = (list.scores[begin] - list.scores[end - 1]) * scale_;
        if (series_fit && end - begin >= terms::narrow_items && width <= terms::narrow_width) {
          grow(terms::narrow_width, terms::large_block);
          pairs.add_by_series(begin, end, by_difference);
          begin = end;
          continue;
        }
      }
      if constexpr (Oriented) pairs.add_one_by_one(begin, end);
      begin = end;
    }
    starts[blocks] = static_cast<std::uint32_t>(list.n);
    const pair_walk<Arch, T, C, Weighted, Oriented, Graded, Function> walk{
        list, by_place, levels, starts.first(blocks + 1), scale_, wrong_sign_, gradient, totals_, scratch_};
    walk.template run<true>();
    walk.template run<false>();
  }

  double scale_;
  double wrong_sign_;
  workspace& scratch_;
  pair_totals totals_;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
