// SPDX-License-Identifier: BSL-1.0
#include <rankloss/sorts/soft_top_k.hpp>

#include "support.hpp"

#include <benchmark/benchmark.h>

#include <cstddef>
#include <string>
#include <vector>

namespace bench::soft_top_k {

namespace {

/// A tenth of the list.
template <class T>
void one_list(benchmark::State& state, std::size_t n, wanted what) {
  rankloss::workspace scratch;
  std::vector<double> cotangent(n), gradient(n);
  const rankloss::soft_top_k how{.k = static_cast<double>(n) / 10, .temperature = 0.1};
  measure(state, lists<T>(n), n, [&](const list_data<T>& list) {
    const rankloss::workspace::scope scope(scratch);
    for (std::size_t i = 0; i < n; ++i) cotangent[i] = static_cast<double>(list.relevance[i]);
    const auto selected = how(rankloss::strided<const T>(list.scores.data(), n), scratch);
    if (what == wanted::gradient) selected.pullback(cotangent, gradient);
    return selected.values()[0];
  });
}

template <class T>
void add_type() {
  for (const std::size_t n : lengths)
    for (const wanted what : both_wanted)
      add<T>("soft_top_k", std::to_string(n), to_string(what),
             [=](benchmark::State& state) { one_list<T>(state, n, what); });
}

}  // namespace

void add_all() {
  add_type<float>();
  add_type<double>();
}

}  // namespace bench::soft_top_k
