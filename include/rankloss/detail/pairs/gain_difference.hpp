// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/pieces.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/data/counted_by.hpp>
#include <rankloss/detail/data/extremes.hpp>
#include <rankloss/detail/gains/fill_gains.hpp>
#include <rankloss/detail/gains/ideal_dcg.hpp>
#include <rankloss/detail/gains/lane_discounts.hpp>
#include <rankloss/detail/pairs/near_numbers.hpp>
#include <rankloss/detail/pairs/ordered_items.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/gain.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <numeric>
#include <span>

/// Weights of pairs, computed from the gains of the two items and the discounts of their ranks.
namespace rankloss::inline RANKLOSS_ABI::detail {

/// How the gains of a list are computed.
struct gain_rule {
  gain kind = gain::exponential;
  std::span<const double> table{};  ///< for gain::table
  bool over_ideal = true;           ///< whether gains are divided by the ideal DCG
  std::size_t cutoff = 0;           ///< cutoff of the ideal DCG; 0: none
};

/// The exponent e of the unit of gains_by_position, which returns gains divided by 2^e. It is 0 where gains
/// are divided by the ideal DCG, because the unit then cancels.
template <class T, class R>
[[nodiscard]] int gain_exponent(const gain_rule& rule, const list<T, R>& items) {
  return rule.over_ideal ? 0 : -std::ilogb(unit_of_gains(rule.kind, rule.table, items.relevance, {}));
}

/// Calls put(p, gain) for all positions. All gains are 0 where they are to be divided by an ideal DCG that is 0.
/// @param relative  whether only differences are wanted: gains are then relative to the least of them, so that where
///                  all are nearly equal their sums keep the digits in which they differ, and where some are
///                  great those of the others keep their own
template <class Arch, class T, class R, class Put>
void gains_by_position(const gain_rule& rule, const list<T, R>& items, const ordered_items& at, bool relative,
                       Put put, workspace& scratch) {
  if (at.size() == 0) return;
  const workspace::scope scope(scratch);
  const std::span<double> gains = scratch.take<double>(items.size());
  fill_gains<Arch>(rule.kind, rule.table, items.relevance, strided<const double>{}, gains, scratch);
  double factor = 1.0;
  if (rule.over_ideal) {
    const double best = ideal_dcg<lane_discounts<Arch>, double>(ideal::sorted, rule.cutoff, gains, scratch);
    factor = best > 0.0 ? 1.0 / best : 0.0;
  }
  const std::span<const std::uint32_t> item = at.item;
  const double centre = relative ? extremes_of(gains, scratch).least : 0.0;
  for_each_item(scratch, at.size(), [=](std::size_t p) { put(p, factor * (gains[item[p]] - centre)); });
}

/// The gains of up to most_by_level levels, relative to the least of them: what gains_by_position gives their items.
/// @param numbers  [items] the number of the level of each item; every level has one
template <class Arch, class T, class R>
void gains_by_level(const gain_rule& rule, const list<T, R>& items, std::span<const std::uint32_t> numbers,
                    std::span<double> gains, workspace& scratch) {
  constexpr std::size_t most = tuning::most_by_level, tables = 4;
  const std::size_t n = items.size(), levels = gains.size();
  const workspace::scope scope(scratch);
  // Items are counted in tables in turn, since increments of one count wait for each other.
  struct level_counts {
    std::array<std::uint32_t, tables * most> count;
    std::array<std::uint32_t, most> item;  // one of the level, where there is any
  };
  const even_pieces pieces(n, tuning::piece_items);
  const std::span<level_counts> of_piece = scratch.take<level_counts>(pieces.count());
  run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
    const std::span<const std::uint32_t> level_of = numbers;
    level_counts own{};
    for (std::size_t i = pieces[p].begin, end = pieces[p].end; i < end; ++i) {
      ++own.count[i % tables * most + level_of[i]];
      own.item[level_of[i]] = static_cast<std::uint32_t>(i);
    }
    of_piece[p] = own;
  });
  std::array<std::size_t, most> count{};
  std::array<R, most> grade{};
  for (const level_counts& own : of_piece)
    for (std::size_t c = 0; c < own.count.size(); ++c) {
      const std::size_t level = c % most;
      count[level] += own.count[c];
      if (own.count[c] > 0) grade[level] = items.relevance[own.item[level]];
    }
  fill_gains<Arch>(rule.kind, rule.table, strided<const R>(grade.data(), levels), strided<const double>{},
                   gains, scratch);
  double factor = 1.0;
  if (rule.over_ideal) {
    std::array<std::uint32_t, most> by_gain;
    const auto end = by_gain.begin() + static_cast<std::ptrdiff_t>(levels);
    std::iota(by_gain.begin(), end, 0u);
    std::sort(by_gain.begin(), end, [gains](auto a, auto b) { return gains[a] > gains[b]; });
    ideal_sum<lane_discounts<Arch>> sum(ideal::sorted, counted_by(rule.cutoff, n));
    std::size_t begin = 0;
    for (auto level = by_gain.begin(); level != end; begin += count[*level++])
      sum.add(gains[*level], begin, begin + count[*level]);
    factor = sum.value() > 0.0 ? 1.0 / sum.value() : 0.0;
  }
  const double centre = levels > 0 ? *std::min_element(gains.begin(), gains.end()) : 0.0;
  for (double& gain : gains) gain = factor * (gain - centre);
}

/// Discounts 1 / log2(1 + rank) by position; 0 from rank cutoff + 1 on.
template <class Arch, class S>
void discounts_by_position(std::size_t cutoff, const ordered_items& at, std::span<S> to, workspace& scratch) {
  constexpr std::size_t w = lane_count<Arch>;
  const workspace::scope scope(scratch);
  if (at.size() == 0) return;
  const std::span<const std::uint32_t> ranks = at.position_by_score;
  const std::size_t n = std::size_t{extremes_of(ranks, scratch).most} + 1;
  const std::size_t k = counted_by(cutoff, n);
  const std::span<S> table = scratch.take<S>(n + w);
  const even_pieces pieces(n, tuning::piece_items);
  static_assert(tuning::piece_items % w == 0);
  run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
    const auto [begin, end] = pieces[p];
    const std::size_t counted = std::clamp(k, begin, end);
    S* const own = table.data();
    fill_discounts<Arch>(begin, counted, own + begin);
    std::fill(own + counted, own + end, S{0});
  });
  for_each_item(scratch, at.size(), [=](std::size_t p) { to[p] = table[ranks[p]]; });
}

/// |G_i - G_j| (by_discounts |1/D_i - 1/D_j| + by_distance |1/D(|i - j|) - 1/D(|i - j| + 1)|)
template <class Arch, class S, bool ByDiscounts, bool ByDistance>
struct gain_difference {
  using V = xsimd::batch<S, Arch>;
  /// discount_differences: by_distance times the difference of two neighbouring discounts; empty where not
  /// wanted
  near_numbers<Arch, S> gains, discounts;
  std::span<const S> discount_differences;

  struct pairs_of_item {
    typename near_numbers<Arch, S>::pairs_of_item gains, discounts;
    const S* discount_differences;  // null: not wanted
    [[gnu::always_inline]] V operator()(std::size_t j) const noexcept {
      const V gap = xsimd::abs(gains(j));
      if constexpr (!ByDiscounts) {
        return V::load_unaligned(discount_differences + j) * gap;
      } else {
        const V factor = xsimd::abs(discounts(j));
        if constexpr (ByDistance)
          return (factor + V::load_unaligned(discount_differences + j)) * gap;
        else
          return factor * gap;
      }
    }
  };
  [[nodiscard]] pairs_of_item at(std::size_t i) const noexcept {
    return {gains.at(i), discounts.at(ByDiscounts ? i : 0),
            ByDistance ? discount_differences.data() - i : nullptr};
  }
};

/// [m]: factor (1/D(m) - 1/D(m + 1)), for positions m apart, m from 1 to n; 0 for m = 0. Each difference is computed as one
/// quotient, because subtracting two rounded discounts would lose digits.
template <class Arch, class S>
[[nodiscard]] std::span<const S> discount_differences(double factor, std::size_t n, workspace& scratch) {
  const std::span<S> to = padded<S, Arch>(n + 1, scratch);
  to[0] = S(0);
  for (std::size_t m = 1; m <= n; ++m) {
    const double here = std::log2(1.0 + static_cast<double>(m));
    const double next = std::log2(2.0 + static_cast<double>(m));
    to[m] = static_cast<S>(factor * std::log1p(1.0 / (1.0 + static_cast<double>(m))) / std::numbers::ln2 /
                           (here * next));
  }
  return to;
}

/// @param discount_cutoff  k: the discounts are 0 from rank k + 1 on; 0: no cutoff
template <class Arch, class S, bool ByDiscounts, bool ByDistance, class T, class R>
[[nodiscard]] gain_difference<Arch, S, ByDiscounts, ByDistance> prepare_gain_difference(
    const gain_rule& rule, std::size_t discount_cutoff, double by_distance, const list<T, R>& items,
    const ordered_items& at, workspace& scratch) {
  static_assert(ByDiscounts || ByDistance);
  const std::size_t n = at.size();
  gain_difference<Arch, S, ByDiscounts, ByDistance> weights;
  weights.gains = near_numbers<Arch, S>(n, scratch);
  gains_by_position<Arch>(
      rule, items, at, true, [&](std::size_t p, double gain) { weights.gains.set(p, gain); }, scratch);
  weights.discounts = near_numbers<Arch, S>(ByDiscounts ? n : 1, scratch);
  if constexpr (ByDiscounts) {
    const workspace::scope scope(scratch);
    const std::span<double> discounts = scratch.take<double>(n);
    discounts_by_position<Arch>(discount_cutoff, at, discounts, scratch);
    for (std::size_t p = 0; p < n; ++p) weights.discounts.set(p, discounts[p]);
  }
  if constexpr (ByDistance)
    weights.discount_differences = discount_differences<Arch, S>(by_distance, n, scratch);
  return weights;
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
