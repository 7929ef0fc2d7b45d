// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/pieces.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Gives items of equal score, relevance and weight the mean of their derivatives. Where the order of the
/// items decides between equal scores, that mean is the mean over all orders of these items: the value is the
/// same in each order, and exchanging two items exchanges their derivatives. Sums of derivatives do not
/// change.
///
/// Time O(n), and O(m log m) for m items of equal score that differ in relevance or weight.
template <class T, class R>
void average_alike(const list<T, R>& items, const sorted_list<T>& by_score, const list_outputs<T>& out,
                   workspace& scratch) {
  if (out.gradient.empty() && out.hessian.empty()) return;
  const std::size_t n = by_score.x.size();
  const auto weight = [&](std::uint32_t i) { return items.weights.empty() ? 1.0 : items.weights[i]; };
  const auto same = [&](std::uint32_t i, std::uint32_t j) {
    return items.relevance[i] == items.relevance[j] && weight(i) == weight(j);
  };
  const auto average = [](const strided<T>& values, std::span<const std::uint32_t> alike) {
    if (values.empty()) return;
    const auto first = static_cast<double>(values[alike[0]]);
    double sum = 0.0;
    for (const std::uint32_t i : alike)
      sum +=
          // halves, as their difference cannot overflow
          0.5 * static_cast<double>(values[i]) - 0.5 * first;
    const T mean = held_as<T>(first + 2.0 * (sum / static_cast<double>(alike.size())));
    for (const std::uint32_t i : alike) values[i] = mean;
  };
  const auto average_run = [&](std::span<const std::uint32_t> run, workspace& own) {
    const workspace::scope scope(own);
    if (!std::all_of(run.begin(), run.end(), [&](std::uint32_t i) { return same(i, run[0]); })) {
      const std::span<std::uint32_t> sorted = own.take<std::uint32_t>(run.size());
      std::copy(run.begin(), run.end(), sorted.begin());
      std::sort(sorted.begin(), sorted.end(), [&](std::uint32_t i, std::uint32_t j) {
        if (items.relevance[i] != items.relevance[j]) return items.relevance[i] > items.relevance[j];
        return weight(i) != weight(j) ? weight(i) > weight(j) : i < j;
      });
      run = sorted;
    }
    for (std::size_t from = 0, to = 0; from < run.size(); from = to) {
      while (to < run.size() && same(run[to], run[from])) ++to;
      if (to - from < 2) continue;
      average(out.gradient, run.subspan(from, to - from));
      average(out.hessian, run.subspan(from, to - from));
    }
  };
  const even_pieces pieces(n, tuning::piece_items);
  run_pieces(scratch, pieces.count(), [&](workspace& own, std::size_t p) {
    const std::span<const T> x = by_score.x;
    // A run belongs to the piece that it begins in.
    std::size_t begin = pieces[p].begin;
    if (begin > 0)
      while (begin < pieces[p].end && x[begin] == x[begin - 1]) ++begin;
    for (std::size_t end = begin; begin < pieces[p].end; begin = end) {
      while (end < n && x[end] == x[begin]) ++end;
      if (end - begin > 1) average_run(by_score.order.subspan(begin, end - begin), own);
    }
  });
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
