// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/data/relevant_items.hpp>
#include <rankloss/detail/lists/transpose.hpp>
#include <rankloss/detail/sigmoid/short_sums.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/smooth_metric.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {
namespace detail {

/// Computes the ranks of the scores, the metric as a function of the ranks, and the gradient by the ranks'
/// pullback.
template <class Metric, class Ranks>
struct smooth_metric_engine {
  template <class T, class R>
  static double run(const smooth_metric<Metric, Ranks>& loss, const list<T, R>& items,
                    const list_outputs<T>& out, workspace& scratch) {
    const std::size_t n = items.size();
    for (std::size_t i = 0; i < out.gradient.size(); ++i) out.gradient[i] = T{0};
    if (!loss.metric.has_relevance(items)) return 0.0;
    const workspace::scope scope(scratch);
    const std::span<double> by_rank = scratch.take<double>(out.gradient.size());
    const auto soft = loss.ranks(items.scores, scratch);
    double value = 0.0;
    if constexpr (among_relevant) {
      // The relevant items are ranked as a list of their own.
      const std::span<std::size_t> which = scratch.take<std::size_t>(n);
      std::size_t count = 0;
      for (std::size_t i = 0; i < n; ++i)
        if (relevant(items, i)) which[count++] = i;
      const std::span<T> scores = scratch.take<T>(count);
      for (std::size_t r = 0; r < count; ++r) scores[r] = items.scores[which[r]];
      const auto among = loss.ranks(strided<const T>(scores.data(), count), scratch);
      const std::span<double> relevant_ranks = scratch.take<double>(n);
      std::fill(relevant_ranks.begin(), relevant_ranks.end(), 1.0);
      for (std::size_t r = 0; r < count; ++r) relevant_ranks[which[r]] = among.values()[r];
      const std::span<double> by_relevant_rank = scratch.take<double>(by_rank.size());
      value = loss.metric.of_ranks(soft.values(), relevant_ranks, items, by_rank, by_relevant_rank, scratch);
      if (!by_rank.empty()) {
        const std::span<double> cotangent = scratch.take<double>(count);
        const std::span<double> gradient = scratch.take<double>(count);
        for (std::size_t r = 0; r < count; ++r) cotangent[r] = by_relevant_rank[which[r]];
        among.pullback(cotangent, gradient);
        const std::span<double> all = scratch.take<double>(n);
        soft.pullback(by_rank, all);
        for (std::size_t r = 0; r < count; ++r) all[which[r]] += gradient[r];
        for (std::size_t i = 0; i < n; ++i) out.gradient[i] = held_as<T>(sign * all[i]);
      }
    } else {
      value = loss.metric.of_ranks(ranks_of(soft.values(), items.scores, scratch), items, by_rank, scratch);
      if (!by_rank.empty()) {
        // The derivatives of a metric that is multiplied by weights or gains may have any magnitude.
        const product_input in(std::span<const double>(by_rank), scratch);
        const std::span<double> all = scratch.take<double>(n);
        soft.pullback(in.numbers(), all);
        in.out_of_units(all);
        for (std::size_t i = 0; i < n; ++i) out.gradient[i] = held_as<T>(sign * all[i]);
      }
    }
    return loss_of(value);
  }

 protected:
  [[nodiscard]] static double loss_of(double value) noexcept {
    if constexpr (less_is_better)
      return value;
    else
      return held_as<double>(Metric::best - value);
  }

  static constexpr bool among_relevant = requires { requires Metric::needs_relevant_ranks; };
  /// The ranks. Those of equal scores have the same bits if the metric asks which of two ranks comes first.
  template <class T>
  [[nodiscard]] static std::span<const double> ranks_of(std::span<const double> values,
                                                        const strided<const T>& scores, workspace& scratch) {
    if constexpr (requires { requires Metric::compares_ranks; }) {
      const std::span<double> united = scratch.take<double>(values.size());
      const workspace::scope sorting(scratch);
      const sorted_list<T> sorted = sort_list<T>(scores, scratch);
      double rank = 0.0;
      for (std::size_t p = 0; p < values.size(); ++p) {
        if (p == 0 || sorted.x[p] != sorted.x[p - 1]) rank = values[sorted.order[p]];
        united[sorted.order[p]] = rank;
      }
      return united;
    } else {
      return values;
    }
  }

  static constexpr bool less_is_better = requires { requires Metric::lower_is_better; };
  static constexpr double sign = less_is_better ? 1.0 : -1.0;
};

/// The same, with the ranks of short lists and their pullbacks computed for one list in each lane.
template <class Metric>
struct sigmoid_metric_engine : smooth_metric_engine<Metric, sigmoid_ranks> {
  using Arch = xsimd::default_arch;  // of this translation unit, as the inline namespace says
  using one_by_one = smooth_metric_engine<Metric, sigmoid_ranks>;
  using one_by_one::run;

  static constexpr std::size_t group_size() noexcept { return lane_count<Arch>; }
  template <class T>
  static constexpr std::size_t group_longest() noexcept {
    return tuning::longest_short_sums<T>;
  }

  template <class T, class R>
  static void run(const smooth_metric<Metric, sigmoid_ranks>& loss, std::span<const list<T, R>> lists,
                  std::span<const list_outputs<T>> out, std::span<double> values, workspace& scratch) {
    using V = lanes<Arch>;
    constexpr std::size_t w = lane_count<Arch>;
    constexpr bool among_relevant = one_by_one::among_relevant;
    if (short_group_sums<Arch, T>::fewer_one_by_one(lists)) {
      for (std::size_t l = 0; l < lists.size(); ++l) values[l] = run(loss, lists[l], out[l], scratch);
      return;
    }
    const workspace::scope scope(scratch);
    const bool gradient = !out[0].gradient.empty();
    short_group_sums<Arch, T> sums(lay_group<Arch, T, R>(lists, scratch), loss.ranks.temperature, scratch);
    const std::size_t rows = sums.rows();
    const auto take = [&](bool wanted) { return scratch.take<double>(wanted ? rows * w : 0); };

    // What lanes compute lies by row, [rows][lanes], and what the metric computes by list, [lane][rows].
    const std::span<double> by_row = take(true), among_by_row = take(among_relevant),
                            counts = take(among_relevant);
    const std::span<double> ranks = take(true), relevant_ranks = take(among_relevant);
    if constexpr (among_relevant) {
      std::fill(ranks.begin(), ranks.end(), 0.0);  // not needed yet
      for (std::size_t l = 0; l < lists.size(); ++l)
        for (std::size_t i = 0; i < lists[l].size(); ++i)
          ranks[l * rows + i] = relevant(lists[l], i) ? 1.0 : 0.0;
      to_rows(ranks, counts);
    }
    sums.ranks(by_row, counts, among_by_row);
    to_lists(by_row, ranks);
    to_lists(among_by_row, relevant_ranks);

    const std::span<double> by_rank = take(gradient), by_relevant_rank = take(gradient && among_relevant);
    std::fill(by_rank.begin(), by_rank.end(), 0.0);
    std::fill(by_relevant_rank.begin(), by_relevant_rank.end(), 0.0);
    std::array<product_input, w> units;
    std::array<bool, w> any{};  // whether a list has relevance
    for (std::size_t l = 0; l < lists.size(); ++l) {
      const list<T, R>& items = lists[l];
      const auto own = [&, n = items.size()](std::span<double> numbers) {
        return numbers.empty() ? numbers : numbers.subspan(l * rows, n);
      };
      values[l] = 0.0;
      any[l] = loss.metric.has_relevance(items);
      if (!any[l]) continue;
      const workspace::scope measuring(scratch);
      if constexpr (among_relevant) {
        values[l] = one_by_one::loss_of(loss.metric.of_ranks(own(ranks), own(relevant_ranks), items,
                                                             own(by_rank), own(by_relevant_rank), scratch));
      } else {
        const std::span<const double> of_items = one_by_one::ranks_of(own(ranks), items.scores, scratch);
        values[l] = one_by_one::loss_of(loss.metric.of_ranks(of_items, items, own(by_rank), scratch));
        units[l] = product_input(std::span<const double>(own(by_rank)), scratch);
        std::copy(units[l].numbers().begin(), units[l].numbers().end(), own(by_rank).begin());
      }
    }
    if (!gradient) return;

    const auto row = [](std::span<double> numbers, std::size_t i) { return numbers.data() + i * w; };
    const V slope(1.0 / loss.ranks.temperature);
    const std::span<double> cotangents = take(true);
    to_rows(by_rank, cotangents);
    sums.pull(cotangents, by_row);
    // No sum is fused with the products, nor where lists go one by one.
    for (std::size_t i = 0; i < rows; ++i)
      opaque(V::load_aligned(row(by_row, i)) * slope).store_aligned(row(by_row, i));
    if constexpr (among_relevant) {
      to_rows(by_relevant_rank, cotangents);
      sums.pull(cotangents, counts, among_by_row);
      for (std::size_t i = 0; i < rows; ++i)
        (V::load_aligned(row(by_row, i)) + opaque(V::load_aligned(row(among_by_row, i)) * slope))
            .store_aligned(row(by_row, i));
    }
    to_lists(by_row, ranks);
    for (std::size_t l = 0; l < lists.size(); ++l) {
      const std::span<double> all = ranks.subspan(l * rows, lists[l].size());
      if constexpr (!among_relevant) units[l].out_of_units(all);
      // Those of a list without relevance are 0, and not the -0 that a product with a sign may be.
      for (std::size_t i = 0; i < all.size(); ++i)
        out[l].gradient[i] = any[l] ? held_as<T>(one_by_one::sign * all[i]) : T{0};
    }
  }

 private:
  /// to[row][lane] = from[lane][row]
  static void to_rows(std::span<const double> from, std::span<double> to) noexcept {
    const std::size_t rows = from.size() / lane_count<Arch>;
    transpose(from.data(), rows, lane_count<Arch>, rows, to.data(), lane_count<Arch>);
  }
  /// to[lane][row] = from[row][lane]
  static void to_lists(std::span<const double> from, std::span<double> to) noexcept {
    const std::size_t rows = from.size() / lane_count<Arch>;
    transpose(from.data(), lane_count<Arch>, rows, lane_count<Arch>, to.data(), rows);
  }
};

}  // namespace detail

template <class Metric, class Ranks>
struct engine<smooth_metric<Metric, Ranks>, context> : detail::smooth_metric_engine<Metric, Ranks> {};
template <class Metric>
struct engine<smooth_metric<Metric, sigmoid_ranks>, context> : detail::sigmoid_metric_engine<Metric> {};

}  // namespace rankloss::inline RANKLOSS_ABI
