// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/data/contiguous_items.hpp>
#include <rankloss/detail/sorting/relevance_order.hpp>
#include <rankloss/detail/sorting/score_runs.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The total weight of the pairs of a list, by how scores and relevance order them. Only terms >= 0 are
/// added, so a class without pairs is exactly 0.
struct concordance {
  double concordant = 0.0;      ///< the more relevant item has the greater score
  double discordant = 0.0;      ///< the more relevant item has the smaller score
  double tied_scores = 0.0;     ///< equal scores, different relevance
  double tied_relevance = 0.0;  ///< equal relevance, different scores
  double tied_both = 0.0;       ///< equal scores and relevance
  std::size_t scores = 0;       ///< distinct scores
  std::size_t grades = 0;       ///< distinct relevances
};

/// An item in a sequence whose ordered pairs are counted.
struct pair_record {
  double earlier;       // weight as the earlier item of a pair
  double later;         // weight as the later item of a pair
  std::uint32_t level;  // level of its score; the greatest score has level 0
};

/// The sum of earlier_k later_l over all k < l where record k has the lower level. Computed by a merge sort,
/// which sorts the records.
[[nodiscard]] inline double count_rising(std::span<pair_record> records,
                                         std::span<pair_record> buffer) noexcept {
  const std::size_t n = records.size();
  double sum = 0.0;
  for (std::size_t width = 1; width < n; width *= 2) {
    for (std::size_t begin = 0; begin < n; begin += 2 * width) {
      const std::size_t middle = std::min(begin + width, n);
      const std::size_t end = std::min(middle + width, n);
      double before = 0.0;
      std::size_t left = begin;
      std::size_t right = middle;
      for (std::size_t to = begin; to < end; ++to) {
        if (right == end || (left < middle && records[left].level < records[right].level)) {
          before += records[left].earlier;
          buffer[to] = records[left++];
        } else {
          sum += before * records[right].later;
          buffer[to] = records[right++];
        }
      }
    }
    std::swap(records, buffer);
  }
  return sum;
}

/// The weight of a pair is that of its more relevant item or, with both_weights, the product of the weights
/// of both items. Time O(n log n), scratch O(n). Without weights the counts are exact up to 2^53 pairs. Items
/// of weight 0 take no part. Weights are divided by the greatest one.
///
/// Knight: A computer method for calculating Kendall's tau with ungrouped data, Journal of the American
/// Statistical Association 61 (1966).
template <class T, class R>
[[nodiscard]] concordance count_concordance(const list<T, R>& items, bool both_weights, workspace& scratch) {
  concordance counts;
  const workspace::scope scope(scratch);
  const std::size_t all = items.size();
  const R* y = contiguous_items(items.relevance, scratch);
  const std::span<std::uint32_t> ascending = scratch.take<std::uint32_t>(all);
  const std::span<std::uint32_t> level = scratch.take<std::uint32_t>(all);
  std::size_t levels = 0;
  for_each_run(items.scores, all, scratch, [&](const score_run<T>& run) {
    for (std::size_t j = 0; j < run.items.size(); ++j) {
      ascending[all - 1 - run.begin - j] = run.items[j].payload;
      level[run.items[j].payload] = static_cast<std::uint32_t>(levels);
    }
    ++levels;
  });

  double most = 0.0;
  for (std::size_t i = 0; i < items.weights.size(); ++i) most = std::max(most, items.weights[i]);
  if (!items.weights.empty() && !(most > 0.0)) return counts;
  const auto weight = [&](std::size_t i) { return items.weights.empty() ? 1.0 : items.weights[i] / most; };
  const auto of_other = [&](std::size_t i) { return both_weights ? weight(i) : 1.0; };

  // The more relevant items come first, and among equal relevance the smaller scores.
  const std::span<const std::uint32_t> sorted = order_by_relevance(y, all, ascending.data(), scratch);
  const std::span<std::uint32_t> order = scratch.take<std::uint32_t>(all);
  const std::size_t n =
      static_cast<std::size_t>(std::copy_if(sorted.begin(), sorted.end(), order.begin(),
                                            [&](std::uint32_t i) { return weight(i) > 0.0; }) -
                               order.begin());
  const std::span<const std::uint32_t> kept = order.first(n);

  const std::span<pair_record> records = scratch.take<pair_record>(n);
  const std::span<pair_record> buffer = scratch.take<pair_record>(n);
  for (std::size_t k = 0; k < n; ++k) records[k] = {weight(kept[k]), of_other(kept[k]), level[kept[k]]};
  counts.concordant = count_rising(records, buffer);

  // The less relevant items come first, and among equal relevance again the smaller scores.
  const std::span<std::uint32_t> grade = scratch.take<std::uint32_t>(all);
  for_each_level(y, kept, [&](std::size_t begin, std::size_t end) {
    double other = 0.0;
    double same = 0.0;
    for (std::size_t k = begin; k < end; ++k) {
      const std::uint32_t i = kept[k];
      grade[i] = static_cast<std::uint32_t>(counts.grades);
      if (k > begin && level[kept[k - 1]] != level[i]) other += std::exchange(same, 0.0);
      counts.tied_relevance += other * of_other(i);
      counts.tied_both += same * of_other(i);
      same += weight(i);
      records[n - end + (k - begin)] = {of_other(i), weight(i), level[i]};
    }
    ++counts.grades;
  });
  counts.discordant = count_rising(records, buffer);

  // Pairs of equal scores: the more relevant items come first.
  const workspace::scope placing(scratch);
  const std::span<std::uint32_t> start = scratch.take<std::uint32_t>(levels + 1);
  const std::span<std::uint32_t> by_level = scratch.take<std::uint32_t>(n);
  std::fill(start.begin(), start.end(), 0u);
  for (const std::uint32_t i : kept) ++start[level[i] + 1];
  for (std::size_t l = 0; l < levels; ++l) {
    counts.scores += start[l + 1] > 0 ? 1u : 0u;
    start[l + 1] += start[l];
  }
  for (const std::uint32_t i : kept) by_level[start[level[i]]++] = i;
  double other = 0.0;
  double same = 0.0;
  for (std::size_t k = 0; k < n; ++k) {
    const std::uint32_t i = by_level[k];
    if (k > 0 && level[by_level[k - 1]] != level[i])
      other = same = 0.0;
    else if (k > 0 && grade[by_level[k - 1]] != grade[i])
      other += std::exchange(same, 0.0);
    counts.tied_scores += other * of_other(i);
    same += weight(i);
  }
  return counts;
}

/// Whether two items of positive weight differ in relevance. Measures of agreement count only such lists as
/// having something to order.
template <class T, class R>
[[nodiscard]] bool has_ordered_pair(const list<T, R>& items) noexcept {
  std::size_t first = items.size();
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!items.weights.empty() && !(items.weights[i] > 0.0)) continue;
    if (first == items.size()) first = i;
    if (static_cast<double>(items.relevance[i]) != static_cast<double>(items.relevance[first])) return true;
  }
  return false;
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
