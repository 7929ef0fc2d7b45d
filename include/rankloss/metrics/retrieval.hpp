// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/data/best_match.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/lists/best_matches.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/options.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::metrics {

/// retrieval: how well the rows of a similarity matrix find the columns that match them, and the columns the
/// rows.
///
///     recall[c]   = mean over queries of [a match is among the first cutoffs[c]]
///     mean_rank   = mean over queries of the rank of the first match, counted from 1
///     median_rank = median over queries of the same; for an even number the mean of the middle two
///     rsum        = 100 sum over c and over both directions of recall[c]
///
/// These are the measures Recall@1/5/10 of image-text retrieval: Faghri et al.: VSE++, BMVC 2018, arXiv
/// 1707.05612. Items of equal score are in random order. Recall and rank of a query are expectations over it,
/// so a constant model scores like chance and not as perfect.
///
/// - Time O(rows columns), in parallel; scratch O(rows + columns). The same numbers for any executor. No
///   gradient.
/// - Row and column weights apply to the means and the median; relevance and reduction are not used.
/// - Edge cases: queries without a match or of weight 0 are left out; if none is left every number is 0.
/// @throws std::invalid_argument naming the field when sizes, cutoffs or (data_checks::on) data are invalid.
template <std::size_t Cutoffs = 3>
struct retrieval {
  std::array<std::size_t, Cutoffs> cutoffs{1, 5, 10};  ///< k of each Recall@k, at least 1

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("cutoffs", self.cutoffs, options::each<options::whole>{"[cutoffs]", {.least = 1}});
  }

  /// The measures of one direction.
  struct direction {
    std::array<double, Cutoffs> recall{};  ///< 0 to 1, one for each cutoff
    double median_rank = 0.0;
    double mean_rank = 0.0;
    std::size_t queries = 0;  ///< number of queries that count
  };
  struct result {
    direction rows;     ///< each row finds columns
    direction columns;  ///< each column finds rows
    double rsum = 0.0;  ///< in percent: 0 to 200 for each cutoff
  };

  template <class T, class R>
  [[nodiscard]] result operator()(const similarity_batch<T, R>& given, context& ctx) const {
    const detail::sole_use alone(ctx);
    const similarity_batch<T, R> batch = detail::with_shape(given);
    validate(*this);
    detail::check_shape(batch, outputs{});
    detail::check_matches(batch);
    const bool check = ctx.checks == data_checks::on;
    detail::check_weights("row_weights", batch.row_weights, batch.rows, "row", check);
    detail::check_weights("column_weights", batch.column_weights, batch.columns, "column", check);
    if (check) detail::check_values(*this, batch);

    const workspace::scope scope(ctx.scratch());
    // A column-major matrix is read as its transpose, whose rows are contiguous.
    const detail::pair_strides strides = detail::similarity_strides(batch);
    const bool by_columns = strides.row < strides.column && batch.rows > 1 && batch.columns > 1;
    const similarity_batch<T, R> read = by_columns ? detail::transposed(batch) : batch;
    const detail::best_matches<T, R> found(read, ctx);
    result all{summary(by_columns ? found.columns() : found.rows(), batch.row_weights, ctx.scratch()),
               summary(by_columns ? found.rows() : found.columns(), batch.column_weights, ctx.scratch())};
    for (std::size_t c = 0; c < Cutoffs; ++c)
      all.rsum += 100.0 * (all.rows.recall[c] + all.columns.recall[c]);
    return all;
  }

  /// On the calling thread with a context of its own.
  template <class T, class R>
  [[nodiscard]] result operator()(const similarity_batch<T, R>& batch) const {
    context ctx;
    return (*this)(batch, ctx);
  }

 private:
  struct ranked {
    double rank;
    double weight;
  };

  [[nodiscard]] direction summary(std::span<const detail::best_match> queries, const reals& weights,
                                  workspace& scratch) const {
    const workspace::scope scope(scratch);
    const std::span<ranked> all = scratch.take<ranked>(queries.size());
    direction out;
    double total = 0.0;
    for (std::size_t q = 0; q < queries.size(); ++q) {
      const double weight = weights.empty() ? 1.0 : weights[q];
      if (queries[q].matching == 0 || !(weight > 0.0)) continue;
      all[out.queries++] = {queries[q].rank(), weight};
      total += weight;
      out.mean_rank += weight * queries[q].rank();
      for (std::size_t c = 0; c < Cutoffs; ++c) out.recall[c] += weight * queries[q].within(cutoffs[c]);
    }
    if (out.queries == 0) return out;
    out.mean_rank /= total;
    for (double& recall : out.recall) recall /= total;
    out.median_rank = median(all.first(out.queries), total);
    return out;
  }

  /// The rank that divides the weight into halves; if two do, the middle between them.
  [[nodiscard]] static double median(std::span<ranked> all, double total) {
    std::sort(all.begin(), all.end(), [](const ranked& a, const ranked& b) { return a.rank < b.rank; });
    double below = 0.0;
    for (std::size_t q = 0;; ++q) {
      below += all[q].weight;
      if (q + 1 == all.size() || 2.0 * below > total) return all[q].rank;
      if (2.0 * below == total) return 0.5 * (all[q].rank + all[q + 1].rank);
    }
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::metrics
