// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace bench::std_sort {
namespace {

/// The yardstick: std::sort of (score, index) by descending score, over the lists that the losses are timed
/// on.
template <class T>
void std_sort(benchmark::State& state, std::size_t n) {
  using pair = std::pair<T, std::uint32_t>;
  std::vector<std::vector<pair>> unsorted;
  for (const list_data<T>& list : lists<T>(n)) {
    std::vector<pair>& pairs = unsorted.emplace_back();
    for (std::size_t i = 0; i < n; ++i) pairs.emplace_back(list.scores[i], static_cast<std::uint32_t>(i));
  }

  // The whole pool is copied at once, because to stop the clock before each of the short lists would take
  // longer than to sort it.
  std::vector<std::vector<pair>> pool = unsorted;
  while (state.KeepRunningBatch(static_cast<benchmark::IterationCount>(pool.size()))) {
    state.PauseTiming();
    for (std::size_t l = 0; l < pool.size(); ++l)
      std::copy(unsorted[l].begin(), unsorted[l].end(), pool[l].begin());
    state.ResumeTiming();
    for (std::vector<pair>& pairs : pool) {
      std::sort(pairs.begin(), pairs.end(), [](const pair& a, const pair& b) { return a.first > b.first; });
      benchmark::DoNotOptimize(pairs.data());
      benchmark::ClobberMemory();
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(n));
}

template <class T>
void add_type() {
  for (const std::size_t n : lengths)
    add<T>("std_sort", std::to_string(n), "", [=](benchmark::State& state) { std_sort<T>(state, n); });
}

}  // namespace

void add_all() {
  add_type<float>();
  add_type<double>();
}

}  // namespace bench::std_sort
