// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/lists/list_run.hpp>
#include <rankloss/detail/lists/matrix_source.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Runs a list loss over the rows and over the columns of a matrix. The result is the mean of the two
/// directions' means, or with reduction::sum the sum of their sums. The values of the rows are written after
/// those of the columns have been computed, so that per_list is either written whole or not at all.
template <class Loss, class T, class R>
double run_both_directions(const Loss& loss, const similarity_batch<T, R>& batch, list_relevance kind,
                           const outputs& out, context& ctx, double factor) {
  const double direction = batch.reduction == reduction::sum ? factor : 0.5 * factor;
  outputs rows_out = out;
  outputs columns_out = out;
  columns_out.update = update::add;
  const workspace::scope scope(ctx.scratch());
  const std::span<double> of_rows = ctx.scratch().take<double>(out.per_list.empty() ? 0 : batch.rows);
  rows_out.per_list = of_rows;
  if (!out.per_list.empty()) columns_out.per_list = out.per_list.last(batch.columns);
  const matrix_source<T, R> rows(batch, false, kind);
  const matrix_source<T, R> columns(batch, true, kind);
  const double by_rows =
      list_run<Loss, matrix_source<T, R>>(loss, rows, batch.reduction, rows_out, ctx)(direction);
  const double by_columns =
      list_run<Loss, matrix_source<T, R>>(loss, columns, batch.reduction, columns_out, ctx)(direction);
  std::copy(of_rows.begin(), of_rows.end(), out.per_list.begin());
  return held_sum(by_rows, by_columns);
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
