// SPDX-License-Identifier: BSL-1.0
#include <rankloss/sorts/soft_sort.hpp>

#include "support.hpp"

#include <benchmark/benchmark.h>

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace bench::soft_sort {

namespace {

/// value: the soft-sorted relevance; gradient: that and the pullback of its sum weighted by the scores.
template <class T>
void one_list(benchmark::State& state, const rankloss::soft_sort& how, std::size_t n, wanted what) {
  rankloss::workspace scratch;
  std::vector<double> values(n), cotangent(n), out(n), gradient(n);
  measure(state, lists<T>(n), n, [&](const list_data<T>& list) {
    const rankloss::workspace::scope scope(scratch);
    for (std::size_t i = 0; i < n; ++i) {
      values[i] = static_cast<double>(list.relevance[i]);
      cotangent[i] = static_cast<double>(list.scores[i]);
    }
    const auto sort = how(rankloss::strided<const T>(list.scores.data(), n), scratch);
    sort.apply(values, out);
    if (what == wanted::gradient) sort.pullback(values, cotangent, gradient);
    return out[0];
  });
}

template <class T>
void add_type() {
  for (const std::size_t n : lengths)
    for (const wanted what : both_wanted) {
      add<T>("soft_sort", std::to_string(n), to_string(what),
             [=](benchmark::State& state) { one_list<T>(state, {.temperature = 0.1}, n, what); });
      // As dense as the lists are long, so that the band has the same width.
      const double temperature = 1e2 / static_cast<double>(n) / static_cast<double>(n);
      add<T>("soft_sort_squared", std::to_string(n), to_string(what), [=](benchmark::State& state) {
        one_list<T>(state, {.temperature = temperature, .distance = rankloss::sort_distance::squared}, n,
                    what);
      });
    }
}

}  // namespace

void add_all() {
  add_type<float>();
  add_type<double>();
}

}  // namespace bench::soft_sort
