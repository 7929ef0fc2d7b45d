// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/lists/list_run.hpp>
#include <rankloss/detail/lists/matrix_source.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <concepts>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Losses that for_each_query takes apart.
template <class Loss>
concept made_of_queries = requires(const Loss& loss) {
  { loss.over } -> std::convertible_to<directions>;
}
|| requires(const Loss& loss) {
  loss.for_each_query(1.0, [](const auto&, directions, list_relevance, double) {});
};

/// A similarity loss as what it is made of: calls visit(list loss, directions, relevance of the lists, factor)
/// for each list loss. A list loss with a member `over` is one itself, of the matches.
template <class Loss, class Visit>
void for_each_query(const Loss& loss, double factor, const Visit& visit) {
  if constexpr (requires { loss.for_each_query(factor, visit); })
    loss.for_each_query(factor, visit);
  else
    visit(loss, loss.over, list_relevance::matches, factor);
}

/// Runs a list loss over the rows and over the columns of a matrix, or over one of them. The result for both
/// is the mean of the two directions' means, or with reduction::sum the sum of their sums. The values of the
/// rows are written after those of the columns have been computed, so that per_list is either written whole
/// or not at all.
template <class Loss, class T, class R>
double run_directions(const Loss& loss, const similarity_batch<T, R>& batch, directions over,
                      list_relevance kind, const outputs& out, context& ctx, double factor) {
  const bool both = over == directions::both;
  const double direction = batch.reduction == reduction::sum || !both ? factor : 0.5 * factor;
  const workspace::scope scope(ctx.scratch());
  const std::span<double> values =
      ctx.scratch().take<double>(out.per_list.empty() ? 0 : batch.rows + batch.columns);
  std::fill(values.begin(), values.end(), 0.0);
  double sum = 0.0;
  outputs own = out;
  for (const bool columns : {false, true}) {
    if (over == (columns ? directions::rows : directions::columns)) continue;
    own.per_list = values.empty() ? values : columns ? values.last(batch.columns) : values.first(batch.rows);
    const matrix_source<T, R> source(batch, columns, kind, takes_probabilities<Loss>);
    sum = held_sum(sum,
                   list_run<Loss, matrix_source<T, R>>(loss, source, batch.reduction, own, ctx)(direction));
    own.update = update::add;
  }
  std::copy(values.begin(), values.end(), out.per_list.begin());
  return sum;
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
