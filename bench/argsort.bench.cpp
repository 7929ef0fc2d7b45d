// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/sorted_rows.hpp>
#include <rankloss/workspace.hpp>

#include "support.hpp"

#include <benchmark/benchmark.h>

#include <cstddef>
#include <string>

namespace bench {


namespace {

/// What every list that is sorted pays first: scores in order, and which item each is of.
template <class T>
void argsort(benchmark::State& state, std::size_t n) {
  rankloss::workspace scratch;
  measure(state, lists<T>(n), n, [&](const list_data<T>& list) {
    const rankloss::workspace::scope scope(scratch);
    return rankloss::detail::sort_list<T>(rankloss::strided<const T>(list.scores.data(), n), scratch).order.front();
  });
}

template <class T>
void add_type() {
  for (const std::size_t n : {128, 4096, 100000, 1000000})
    add<T>("argsort", std::to_string(n), "", [=](benchmark::State& state) { argsort<T>(state, n); });
}

}  // namespace

void add_argsort() {
  add_type<float>();
  add_type<double>();
}

}  // namespace bench
