// SPDX-License-Identifier: BSL-1.0
#include <rankloss/neural_ndcg.hpp>

#include "plain/neural_ndcg.hpp"
#include "support.hpp"

#include <benchmark/benchmark.h>

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace bench::neural_ndcg {
namespace {

constexpr std::size_t count = 16;

/// Lists of n items in one call, 50 steps of Sinkhorn at most.
template <class T>
void batch(benchmark::State& state, std::size_t n, const rankloss::neural_ndcg& loss) {
  rankloss::context context;
  std::vector<T> gradient(count * n);
  measure(state, lists<T>(count * n), count * n, [&](const list_data<T>& all) {
    return rankloss::evaluate(
        loss, rankloss::list_batch<T>{.scores = all.scores, .relevance = all.relevance, .length = n},
        {.gradient = gradient}, context);
  });
}

template <class T>
void batch_plain(benchmark::State& state, std::size_t n) {
  plain::neural_ndcg<T> loss(1.0, 50, 1e-6, n);
  std::vector<T> gradient(count * n), expected(count * n);
  const auto run = [&](const list_data<T>& all) {
    double sum = 0.0;
    for (std::size_t l = 0; l < count; ++l)
      sum += loss(std::span(all.scores).subspan(l * n, n), std::span(all.relevance).subspan(l * n, n),
                  std::span(gradient).subspan(l * n, n));
    return sum / count;
  };
  const list_data<T>& first = lists<T>(count * n).front();
  const double value = rankloss::evaluate(
      rankloss::neural_ndcg{},
      rankloss::list_batch<T>{.scores = first.scores, .relevance = first.relevance, .length = n});
  if (std::abs(run(first) - value) > 1e-4) return state.SkipWithError(disagreement);
  measure(state, lists<T>(count * n), count * n, run);
}

template <class T>
void add_type() {
  for (const std::size_t n : {32, 128}) {
    const std::string size = "16x" + std::to_string(n);
    add<T>("neural_ndcg", size, "gradient", [=](benchmark::State& state) { batch<T>(state, n, {}); });
    add<T>("neural_ndcg_implicit", size, "gradient", [=](benchmark::State& state) {
      batch<T>(state, n, {.derivative = rankloss::sinkhorn_derivative::implicit});
    });
    add<T>("neural_ndcg_unscaled", size, "gradient",
           [=](benchmark::State& state) { batch<T>(state, n, {.steps = 0}); });
    add<T>("neural_ndcg_plain", size, "gradient", [=](benchmark::State& state) { batch_plain<T>(state, n); });
  }
}

}  // namespace

void add_all() {
  add_type<float>();
  add_type<double>();
}

}  // namespace bench::neural_ndcg
