// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <benchmark/benchmark.h>

#include <cstddef>
#include <string>
#include <vector>

namespace bench::stream {
namespace {

/// The yardstick of losses that take each item for itself: a loop that reads two arrays and writes a third.
template <class T>
void stream(benchmark::State& state, std::size_t n) {
  std::vector<T> sums(n);
  measure(state, lists<T>(n), n, [&](const list_data<T>& list) {
    const T* const a = list.scores.data();
    const T* const b = list.relevance.data();
    T* const to = sums.data();
    for (std::size_t i = 0; i < n; ++i) to[i] = a[i] + b[i];
    return to[0];
  });
}

template <class T>
void add_type() {
  for (const std::size_t n : {1000u, 100000u, 1000000u})
    add<T>("stream", std::to_string(n), "", [=](benchmark::State& state) { stream<T>(state, n); });
}

}  // namespace

void add_all() {
  add_type<float>();
  add_type<double>();
}

}  // namespace bench::stream
