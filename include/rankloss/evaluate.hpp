// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/lists/batch_source.hpp>
#include <rankloss/detail/lists/list_run.hpp>
#include <rankloss/detail/lists/matrix_source.hpp>
#include <rankloss/loss.hpp>

namespace rankloss::inline RANKLOSS_ABI {

/// evaluate: the value of a list loss over a batch, and on request its gradient.
///
///     value         = sum_l w_l loss(list l) / sum_l w_l     (reduction::mean; for sum without the division)
///     gradient[i]   = out.scale * d(value) / d(scores[i])
///
/// - Results are bit-identical for every executor and every run. Lists run in parallel; a long list may
///   be shared by all workers.
/// - Scratch O(longest list) for each worker, and O(lists). After the first calls nothing is allocated.
/// - Edge cases: without lists, or with empty lists only, the value is 0. Weights that sum to 0: value 0,
///   gradient 0.
/// @throws std::invalid_argument naming the field when sizes, offsets, options or (data_checks::on) data are
/// invalid, and std::logic_error when the context is in use or has been moved from; then no output has been
/// written. std::bad_alloc while scratch grows, std::logic_error when the executor breaks its rules, and
/// whatever the executor or a loss throws; then gradient and hessian may have been written for some lists,
/// per_list is unchanged, and the context can be used again.
template <class Loss, score T, class Relevance>
requires ranking_loss<Loss, T, Relevance>
double evaluate(const Loss& loss, const list_batch<T, Relevance>& batch, const outputs& out, context& ctx) {
  const detail::sole_use alone(ctx);
  detail::check_options(loss, out);
  detail::check_shape(batch, out);
  if constexpr (!detail::counts_missed<Loss>)
    detail::require(
        batch.missed.empty(),
        "missed: given, expected none: a loss, or a metric without a value for items that have no rank");
  const detail::batch_source<T, Relevance> source(batch);
  const bool check = ctx.checks == data_checks::on;
  detail::check_weights("list_weights", batch.list_weights, source.lists(), "list", check);
  detail::check_weights("item_weights", batch.item_weights, batch.scores.size(), "item", false);
  if (check) detail::check_values(loss, source, ctx);
  return detail::list_run<Loss, decltype(source)>(loss, source, batch.reduction, out, ctx)();
}

/// evaluate: the value of a similarity loss over a matrix, and on request its gradient. Otherwise as for
/// lists.
template <class Loss, score T, class Relevance>
requires similarity_loss<Loss, T, Relevance>
double evaluate(const Loss& loss, const similarity_batch<T, Relevance>& given, const outputs& out,
                context& ctx) {
  const detail::sole_use alone(ctx);
  const similarity_batch<T, Relevance> batch = detail::with_shape(given);
  detail::check_options(loss, out);
  detail::check_shape(batch, out);
  if constexpr (requires { loss.validate(batch); }) loss.validate(batch);
  const bool check = ctx.checks == data_checks::on;
  detail::check_weights("row_weights", batch.row_weights, batch.rows, "row", check);
  detail::check_weights("column_weights", batch.column_weights, batch.columns, "column", check);
  detail::check_probabilities<Loss>("row_probabilities", batch.row_probabilities, batch.rows, "row", check);
  detail::check_probabilities<Loss>("column_probabilities", batch.column_probabilities, batch.columns,
                                    "column", check);
  if (check) detail::check_values(loss, batch);
  return detail::compute(loss, batch, out, ctx, 1.0);
}

namespace detail {

/// Batches whose outputs are not `outputs`; they bring functions of their own.
template <class Batch>
concept has_own_outputs = requires {
  typename Batch::outputs_type;
};

}  // namespace detail

/// evaluate on the calling thread with a context of its own, which allocates in each call. For tests and
/// single values.
template <class Loss, class Batch>
requires(!detail::has_own_outputs<Batch>) double evaluate(const Loss& loss, const Batch& batch,
                                                          const outputs& out = {}) {
  context ctx;
  return evaluate(loss, batch, out, ctx);
}

/// evaluate for the value alone.
template <class Loss, class Batch>
requires(!detail::has_own_outputs<Batch>) double evaluate(const Loss& loss, const Batch& batch,
                                                          context& ctx) {
  return evaluate(loss, batch, outputs{}, ctx);
}

}  // namespace rankloss::inline RANKLOSS_ABI
