// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/workspace.hpp>

#include "support.hpp"

#include <benchmark/benchmark.h>

#include <cstddef>
#include <string>

namespace bench::argsort {

namespace {

/// What every list that is sorted pays first: scores in order, and which item each is of; of `count` lists,
/// one after the other.
template <class T>
void argsort(benchmark::State& state, std::size_t count, std::size_t n) {
  rankloss::workspace scratch;
  measure(state, lists<T>(count * n), count * n, [&](const list_data<T>& all) {
    std::size_t sum = 0;
    for (std::size_t l = 0; l < count; ++l) {
      const rankloss::workspace::scope scope(scratch);
      sum += rankloss::detail::sort_list<T>(rankloss::strided<const T>(all.scores.data() + l * n, n), scratch)
                 .order.front();
    }
    return sum;
  });
}

template <class T>
void add_type() {
  for (const std::size_t n : {128, 4096, 100000, 1000000})
    add<T>("argsort", std::to_string(n), "", [=](benchmark::State& state) { argsort<T>(state, 1, n); });
  add<T>("argsort", "64x128", "", [](benchmark::State& state) { argsort<T>(state, 64, 128); });
}

}  // namespace

void add_all() {
  add_type<float>();
  add_type<double>();
}

}  // namespace bench::argsort
