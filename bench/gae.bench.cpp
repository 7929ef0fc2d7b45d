// SPDX-License-Identifier: BSL-1.0
#include <rankloss/gae.hpp>
#include <rankloss/threads.hpp>

#include "support.hpp"

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace bench::gae {
namespace {

/// Trajectories of 1000 steps each; scores and relevance stand for rewards and values.
template <class T>
void trajectories(benchmark::State& state, rankloss::whitening how, std::size_t n, std::size_t workers = 1) {
  rankloss::context context{rankloss::threads(workers)};
  std::vector<T> advantages(n), returns(n);
  std::vector<std::int32_t> offsets;
  for (std::size_t l = 0; l <= n / 1000; ++l) offsets.push_back(static_cast<std::int32_t>(l * 1000));
  const rankloss::gae options{.discount = 0.99, .whitening = how};
  measure(state, lists<T>(n), n, [&](const list_data<T>& list) {
    const rankloss::trajectory_batch<T> batch{
        .rewards = list.scores, .values = list.relevance, .offsets = offsets};
    rankloss::estimate_advantages(batch, options, advantages, returns, context);
    return advantages.front();
  });
}

template <class T>
void add_type() {
  constexpr std::size_t n = 1000000;
  add<T>("gae", "1000x1000", "",
         [](benchmark::State& state) { trajectories<T>(state, rankloss::whitening::none, n); });
  add<T>("gae", "1000x1000", "whitened",
         [](benchmark::State& state) { trajectories<T>(state, rankloss::whitening::population, n); });
  for (const std::size_t workers : {1, 2})
    add<T>("gae_threads", "1000x1000/" + std::to_string(workers), "", [=](benchmark::State& state) {
      trajectories<T>(state, rankloss::whitening::none, n, workers);
    })->UseRealTime();
}

}  // namespace

void add_all() {
  add_type<float>();
  add_type<double>();
}

}  // namespace bench::gae
