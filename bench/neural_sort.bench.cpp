// SPDX-License-Identifier: BSL-1.0
#include <rankloss/sorts/neural_sort.hpp>

#include "plain/neural_sort.hpp"
#include "support.hpp"

#include <benchmark/benchmark.h>

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace bench::neural_sort {
namespace {

constexpr double temperature = 0.1;

/// P relevance, and on request the gradient by the scores of its product with the scores.
template <class T>
void one_list(benchmark::State& state, std::size_t n, wanted what) {
  const rankloss::neural_sort how{.temperature = temperature};
  rankloss::context context;
  std::vector<double> out(n), gradient(n), values(n), cotangent(n);
  measure(state, lists<T>(n), n, [&](const list_data<T>& list) {
    for (std::size_t i = 0; i < n; ++i) {
      values[i] = static_cast<double>(list.relevance[i]);
      cotangent[i] = static_cast<double>(list.scores[i]);
    }
    const rankloss::workspace::scope scope(context.scratch());
    auto p = how(rankloss::strided<const T>(list.scores.data(), n), context.scratch());
    p.apply(values, out);
    if (what == wanted::gradient) p.pullback(values, cotangent, gradient);
    return out[0] + gradient[0];
  });
}

template <class T>
void one_list_plain(benchmark::State& state, std::size_t n) {
  plain::neural_sort<T> sort(temperature, n);
  std::vector<T> out(n), gradient(n), expected(n), wide(n);
  const list_data<T>& first = lists<T>(n).front();
  rankloss::context context;
  sort.apply(first.scores, first.relevance, out);
  sort.pullback(first.scores, gradient);
  rankloss::sort_pullback(rankloss::neural_sort{.temperature = temperature}, std::span<const T>(first.scores),
                          std::span<const T>(first.relevance), std::span<const T>(first.scores),
                          std::span(expected), context);
  double largest = 0.0, error = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
    error = std::max(error, std::abs(static_cast<double>(expected[i]) - static_cast<double>(gradient[i])));
  }
  // The dense form adds and subtracts numbers n times as large as what is left.
  if (error > (sizeof(T) == 4 ? 0.05 : 1e-9) * largest) return state.SkipWithError(disagreement);
  measure(state, lists<T>(n), n, [&](const list_data<T>& list) {
    sort.apply(list.scores, list.relevance, out);
    sort.pullback(list.scores, gradient);
    return out[0];
  });
}

template <class T>
void add_type() {
  for (const std::size_t n : {128, 1024, 4096, 100000})
    for (const wanted what : both_wanted)
      add<T>("neural_sort", std::to_string(n), to_string(what),
             [=](benchmark::State& state) { one_list<T>(state, n, what); });
  for (const std::size_t n : {128, 1024, 4096})
    add<T>("neural_sort_plain", std::to_string(n), "gradient",
           [=](benchmark::State& state) { one_list_plain<T>(state, n); });
}

}  // namespace

void add_all() {
  add_type<float>();
  add_type<double>();
}

}  // namespace bench::neural_sort
