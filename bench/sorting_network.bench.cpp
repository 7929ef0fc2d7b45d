// SPDX-License-Identifier: BSL-1.0
#include <rankloss/sorts/sorting_network.hpp>

#include "plain/sorting_network.hpp"
#include "support.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace bench::sorting_network {

namespace {

constexpr double temperature = 0.1;

/// value: the soft-sorted scores; gradient: those and the pullback of their sum weighted by the relevance.
template <class T>
void one_list(benchmark::State& state, const rankloss::sorting_network& how, std::size_t n, wanted what) {
  rankloss::workspace scratch;
  std::vector<double> cotangent(n), gradient(n);
  measure(state, lists<T>(n), n, [&](const list_data<T>& list) {
    const rankloss::workspace::scope scope(scratch);
    for (std::size_t i = 0; i < n; ++i) cotangent[i] = static_cast<double>(list.relevance[i]);
    const auto sorted = how(rankloss::strided<const T>(list.scores.data(), n), scratch);
    if (what == wanted::gradient) sorted.pullback(cotangent, gradient);
    return sorted.values()[0];
  });
}

template <class T>
void matrix(benchmark::State& state, std::size_t n) {
  rankloss::workspace scratch;
  std::vector<double> out(n * n);
  measure(state, lists<T>(n), n, [&](const list_data<T>& list) {
    const rankloss::workspace::scope scope(scratch);
    rankloss::sorting_network{.temperature = temperature}(rankloss::strided<const T>(list.scores.data(), n),
                                                          scratch)
        .to_matrix(out);
    return out[0];
  });
}

template <class T>
void matrix_plain(benchmark::State& state, std::size_t n) {
  const std::vector<list_data<T>>& pool = lists<T>(n);
  plain::sorting_network<T> network(temperature, n);
  std::vector<T> out(n * n);

  rankloss::context context;
  std::vector<T> expected(n * n);
  const std::vector<T>& scores = pool.front().scores;
  rankloss::sort_matrix(rankloss::sorting_network{.temperature = temperature}, std::span<const T>(scores),
                        std::span<T>(expected), context);
  network(scores, out);
  if (!agree<T>(0.0, 0.0, expected, out)) return state.SkipWithError(disagreement);

  measure(state, pool, n, [&](const list_data<T>& list) {
    network(list.scores, out);
    return out[0];
  });
}

template <class T>
void add_type() {
  for (const std::size_t n : lengths)
    for (const wanted what : both_wanted) {
      add<T>("bitonic", std::to_string(n), to_string(what),
             [=](benchmark::State& state) { one_list<T>(state, {.temperature = temperature}, n, what); });
      if (n <= 1024)
        add<T>("odd_even", std::to_string(n), to_string(what), [=](benchmark::State& state) {
          one_list<T>(state, {.temperature = temperature, .network = rankloss::network::odd_even}, n, what);
        });
    }
  for (const std::size_t n : {16, 64, 128, 256, 512}) {
    add<T>("bitonic_matrix", std::to_string(n), "", [=](benchmark::State& state) { matrix<T>(state, n); });
    add<T>("bitonic_matrix_plain", std::to_string(n), "",
           [=](benchmark::State& state) { matrix_plain<T>(state, n); });
  }
}

}  // namespace

void add_all() {
  add_type<float>();
  add_type<double>();
}

}  // namespace bench::sorting_network
