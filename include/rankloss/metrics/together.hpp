// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/lists/batch_source.hpp>
#include <rankloss/detail/lists/list_run.hpp>
#include <rankloss/detail/sorting/first_positions.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <tuple>
#include <utility>

namespace rankloss::inline RANKLOSS_ABI {

namespace metrics {

/// together: several metrics of the same lists, or one at several cutoffs, whose values come from one call and
/// one sort of each list.
///
///     using namespace rankloss::metrics;
///     const auto [at_5, at_10, found] =
///         rankloss::evaluate(together{ndcg{.cutoff = 5}, ndcg{.cutoff = 10}, recall{.cutoff = 10}}, batch, ctx);
///
/// `evaluate` returns an array with the value of each, in their order, to the bit what `evaluate` of that
/// metric alone returns.
///
/// - Metrics that read the first positions by score share them: as many as the metric needs that reads most.
///   The others (reciprocal_rank, hit, ...) are computed as they are alone.
/// - It takes metrics of lists, not losses: metrics have no gradient.
template <class... Metrics>
struct together {
  static_assert(sizeof...(Metrics) > 0);
  std::tuple<Metrics...> all;

  explicit together(const Metrics&... metrics) : all(metrics...) {}
};

}  // namespace metrics

namespace detail {

/// Several metrics as one: the value of the first, and beside it the values of all.
template <class... Metrics>
class shared_metrics {
 public:
  static constexpr bool has_gradient = false;
  static constexpr bool counts_missed = (detail::counts_missed<Metrics> && ...);

  /// @param values  [metrics, lists]
  shared_metrics(const std::tuple<Metrics...>& all, std::span<double> values, std::size_t lists)
      : all_(all), values_(values), lists_(lists) {}

  template <class Visit>
  void for_each_inner(const Visit& visit) const {
    std::apply([&](const Metrics&... metric) { (detail::for_each_inner(metric, visit), ...); }, all_);
  }

  template <class T, class R>
  double operator()(const list<T, R>& items, const list_outputs<T>& out, workspace& scratch) const {
    const workspace::scope scope(scratch);
    std::size_t positions = 0;
    for_each([&](const auto& metric, std::size_t) {
      if constexpr (reads_positions<std::remove_cvref_t<decltype(metric)>, T, R>)
        positions = std::max(positions, positions_read(metric, items));
    });
    first_positions<T> first(items.scores, positions, scratch);
    for_each([&](const auto& metric, std::size_t m) {
      const workspace::scope own(scratch);
      double& value = values_[m * lists_ + items.number];
      if constexpr (reads_positions<std::remove_cvref_t<decltype(metric)>, T, R>)
        value = metric.of_positions(items, first, scratch);
      else
        value = compute(metric, items, out, scratch);
    });
    return values_[items.number];
  }

  template <class T, class R>
  [[nodiscard]] bool has_relevance(const list<T, R>& items) const {
    return detail::has_relevance(std::get<0>(all_), items);
  }

 private:
  template <class Visit>
  void for_each(const Visit& visit) const {
    std::apply(
        [&](const Metrics&... metric) {
          std::size_t m = 0;
          (visit(metric, m++), ...);
        },
        all_);
  }

  const std::tuple<Metrics...>& all_;
  std::span<double> values_;
  std::size_t lists_;
};

/// A metric whose values of lists are known; what is left is their mean.
template <class Metric>
struct known_metric {
  const Metric& metric;
  std::span<const double> values;  ///< [lists]

  static constexpr bool has_gradient = false;
  static constexpr bool counts_missed = detail::counts_missed<Metric>;

  template <class T, class R>
  double operator()(const list<T, R>& items, const list_outputs<T>&, workspace&) const noexcept {
    return values[items.number];
  }
  template <class T, class R>
  [[nodiscard]] bool has_relevance(const list<T, R>& items) const {
    return detail::has_relevance(metric, items);
  }
};

}  // namespace detail

/// evaluate: the values of several metrics over a batch.
///
/// @param per_list  for each metric [lists] or empty: its values of the lists
/// @throws as `evaluate` of one metric; then no output has been written, unless it is memory that is missing
/// or the executor that fails.
template <class... Metrics, score T, class Relevance>
requires(ranking_loss<Metrics, T, Relevance>&&...) std::array<double, sizeof...(Metrics)> evaluate(
    const metrics::together<Metrics...>& metrics, const list_batch<T, Relevance>& batch,
    const std::array<array_view<double>, sizeof...(Metrics)>& per_list, context& ctx) {
  static_assert((!detail::gives_gradient<Metrics> && ...), "rankloss: together takes metrics, not losses");
  using shared = detail::shared_metrics<Metrics...>;
  const detail::sole_use alone(ctx);
  std::apply([](const auto&... metric) { (validate(metric), ...); }, metrics.all);
  for (const array_view<double>& values : per_list) detail::check_shape(batch, outputs{.per_list = values});
  if constexpr (!shared::counts_missed)
    detail::require(batch.missed.empty(),
                    "missed: given, expected none: a metric without a value for items that have no rank");
  const detail::batch_source<T, Relevance> source(batch);
  const bool check = ctx.checks == data_checks::on;
  detail::check_weights("list_weights", batch.list_weights, source.lists(), "list", check);
  detail::check_weights("item_weights", batch.item_weights, batch.scores.size(), "item", false);

  const std::size_t lists = source.lists();
  const workspace::scope scope(ctx.scratch());
  const std::span<double> values = ctx.scratch().take<double>(sizeof...(Metrics) * lists);
  const shared all(metrics.all, values, lists);
  if (check) detail::check_values(all, source, ctx);

  std::array<double, sizeof...(Metrics)> means;
  const auto mean_of = [&](const auto& metric, std::size_t m) {
    const outputs out{.per_list = per_list[m]};
    means[m] = detail::list_run<std::remove_cvref_t<decltype(metric)>, decltype(source)>(
        metric, source, batch.reduction, out, ctx)();
  };
  mean_of(all, 0);
  [&]<std::size_t... M>(std::index_sequence<M...>) {
    (mean_of(
         detail::known_metric<std::remove_cvref_t<decltype(std::get<M + 1>(metrics.all))>>{
             std::get<M + 1>(metrics.all), values.subspan((M + 1) * lists, lists)},
         M + 1),
     ...);
  }
  (std::make_index_sequence<sizeof...(Metrics) - 1>{});
  return means;
}

/// evaluate for the values of the batch alone.
template <class... Metrics, score T, class Relevance>
requires(ranking_loss<Metrics, T, Relevance>&&...) std::array<double, sizeof...(Metrics)> evaluate(
    const metrics::together<Metrics...>& metrics, const list_batch<T, Relevance>& batch, context& ctx) {
  return evaluate(metrics, batch, std::array<array_view<double>, sizeof...(Metrics)>{}, ctx);
}

/// evaluate on the calling thread with a context of its own, which allocates in each call.
template <class... Metrics, score T, class Relevance>
requires(ranking_loss<Metrics, T, Relevance>&&...) std::array<double, sizeof...(Metrics)> evaluate(
    const metrics::together<Metrics...>& metrics, const list_batch<T, Relevance>& batch) {
  context ctx;
  return evaluate(metrics, batch, ctx);
}

}  // namespace rankloss::inline RANKLOSS_ABI
