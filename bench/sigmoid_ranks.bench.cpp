// SPDX-License-Identifier: BSL-1.0
#include <rankloss/ranks/sigmoid_ranks.hpp>
#include <rankloss/smooth_ap.hpp>

#include "ranks.hpp"

#include <benchmark/benchmark.h>

#include <cstddef>
#include <string>
#include <vector>

namespace bench::sigmoid_ranks {
namespace {

/// Many short lists in one call.
template <class T>
void batch(benchmark::State& state, std::size_t count, std::size_t n) {
  rankloss::context context;
  std::vector<T> gradient(count * n);
  measure(state, lists<T>(count * n), count * n, [&](const list_data<T>& all) {
    return rankloss::evaluate(
        rankloss::smooth_ap{.ranks = {.temperature = 0.1}},
        rankloss::list_batch<T>{.scores = all.scores, .relevance = all.relevance, .length = n},
        {.gradient = gradient}, context);
  });
}

template <class T>
void add_batches() {
  for (const std::size_t n : {8, 16, 32, 64})
    add<T>("smooth_ap_batch", std::to_string(8192 / n) + "x" + std::to_string(n), "gradient",
           [=](benchmark::State& state) { batch<T>(state, 8192 / n, n); });
}

}  // namespace

void add_all() {
  add_ranks<float>("sigmoid_ranks", rankloss::sigmoid_ranks{.temperature = 0.1});
  add_ranks<double>("sigmoid_ranks", rankloss::sigmoid_ranks{.temperature = 0.1});
  add_batches<float>();
  add_batches<double>();
}

}  // namespace bench::sigmoid_ranks
