// SPDX-License-Identifier: BSL-1.0
#include <rankloss/metrics/ndcg.hpp>

#include <rankloss/bidirectional.hpp>
#include <rankloss/metrics/average_precision.hpp>
#include <rankloss/metrics/recall.hpp>
#include <rankloss/metrics/together.hpp>

#include "support.hpp"

#include <benchmark/benchmark.h>

#include <cstddef>
#include <string>
#include <tuple>

namespace bench::ndcg {
namespace {

/// `count` lists of n items in one call.
template <class T, class Metric>
void batch(benchmark::State& state, const Metric& metric, std::size_t count, std::size_t n, relevance kind) {
  rankloss::context context;
  measure(state, lists<T>(count * n, kind), count * n, [&](const list_data<T>& all) {
    return rankloss::evaluate(
        metric, rankloss::list_batch<T>{.scores = all.scores, .relevance = all.relevance, .length = n},
        context);
  });
}

using rankloss::metrics::average_precision;
using rankloss::metrics::recall;
const rankloss::metrics::together several{rankloss::metrics::ndcg{.cutoff = 5},
                                          rankloss::metrics::ndcg{.cutoff = 10}, recall{.cutoff = 10},
                                          average_precision{.cutoff = 10}};

/// Several metrics in one call, and each in a call of its own.
template <class T>
void in_one_call(benchmark::State& state, std::size_t count, std::size_t n) {
  rankloss::context context;
  measure(state, lists<T>(count * n), count * n, [&](const list_data<T>& all) {
    return rankloss::evaluate(
        several, rankloss::list_batch<T>{.scores = all.scores, .relevance = all.relevance, .length = n},
        context)[0];
  });
}
template <class T>
void in_calls(benchmark::State& state, std::size_t count, std::size_t n) {
  rankloss::context context;
  measure(state, lists<T>(count * n), count * n, [&](const list_data<T>& all) {
    const rankloss::list_batch<T> batch{.scores = all.scores, .relevance = all.relevance, .length = n};
    return std::apply(
        [&](const auto&... metric) { return (rankloss::evaluate(metric, batch, context) + ...); },
        several.all);
  });
}

/// Both directions of a square matrix.
template <class T>
void matrix(benchmark::State& state, std::size_t n) {
  rankloss::context context;
  measure(state, matrices<T>(n), n * n, [&](const matrix_data<T>& matrix) {
    return rankloss::evaluate(
        rankloss::bidirectional<rankloss::metrics::ndcg>{},
        rankloss::similarity_batch<T>{
            .similarity = matrix.similarity, .rows = n, .columns = n, .relevance = matrix.relevance},
        context);
  });
}

template <class T>
void add_type() {
  using metric = rankloss::metrics::ndcg;
  const auto add_batch = [](const std::string& name, const metric& how, std::size_t count, std::size_t n,
                            relevance kind) {
    add<T>(name, std::to_string(count) + "x" + std::to_string(n), "",
           [=](benchmark::State& state) { batch<T>(state, how, count, n, kind); });
  };
  add_batch("ndcg_metric", {.cutoff = 10}, 10000, 100, relevance::grades);
  add_batch("ndcg_metric", {.cutoff = 10}, 512, 16, relevance::grades);
  add_batch("ndcg_metric_whole", {}, 10000, 100, relevance::grades);
  add_batch("ndcg_metric_whole", {}, 512, 16, relevance::grades);
  add_batch("ndcg_metric_real", {.cutoff = 10}, 10000, 100, relevance::real);
  add_batch("ndcg_metric", {.cutoff = 10}, 1, 100000, relevance::grades);
  add<T>("metrics_together", "10000x100", "",
         [](benchmark::State& state) { in_one_call<T>(state, 10000, 100); });
  add<T>("metrics_apart", "10000x100", "", [](benchmark::State& state) { in_calls<T>(state, 10000, 100); });
  add<T>("ndcg_metric_matrix", "512", "", [](benchmark::State& state) { matrix<T>(state, 512); });
}

}  // namespace

void add_all() {
  add_type<float>();
  add_type<double>();
}

}  // namespace bench::ndcg
