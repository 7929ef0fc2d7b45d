// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/lists/list_run.hpp>
#include <rankloss/detail/lists/matrix_source.hpp>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Runs a list loss over the rows and over the columns of a matrix. The result is the mean of the two
/// directions' means, or with reduction::sum the sum of their sums.
template <class Loss, class T, class R>
double run_both_directions(const Loss& loss, const similarity_batch<T, R>& batch, list_relevance kind,
                           const outputs& out, context& ctx, double factor) {
  const double direction = batch.reduction == reduction::sum ? factor : 0.5 * factor;
  outputs rows_out = out;
  outputs columns_out = out;
  columns_out.update = update::add;
  if (!out.per_list.empty()) {
    rows_out.per_list = out.per_list.first(batch.rows);
    columns_out.per_list = out.per_list.last(batch.columns);
  }
  const matrix_source<T, R> rows(batch, false, kind);
  const matrix_source<T, R> columns(batch, true, kind);
  const double by_rows =
      list_run<Loss, matrix_source<T, R>>(loss, rows, batch.reduction, rows_out, ctx)(direction);
  return held_sum(by_rows, list_run<Loss, matrix_source<T, R>>(loss, columns, batch.reduction, columns_out,
                                                               ctx)(direction));
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
