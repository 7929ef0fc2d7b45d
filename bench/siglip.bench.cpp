// SPDX-License-Identifier: BSL-1.0
#include <rankloss/siglip.hpp>

#include "support.hpp"

#include <benchmark/benchmark.h>

#include <cstddef>
#include <string>
#include <vector>

namespace bench::siglip {
namespace {

/// Row i matches column i.
template <class T>
void matrix(benchmark::State& state, std::size_t n, wanted what) {
  rankloss::context context;
  std::vector<T> gradient(what == wanted::gradient ? n * n : 0);
  measure(state, matrices<T>(n), n * n, [&](const matrix_data<T>& matrix) {
    const rankloss::similarity_batch<T> batch{.similarity = matrix.similarity, .rows = n, .columns = n};
    return rankloss::evaluate(rankloss::siglip{}, batch, {.gradient = gradient}, context);
  });
}

template <class T>
void add_type() {
  for (const std::size_t n : {std::size_t{128}, std::size_t{512}})
    for (const wanted what : both_wanted)
      add<T>("siglip", std::to_string(n), to_string(what),
             [=](benchmark::State& state) { matrix<T>(state, n, what); });
}

}  // namespace

void add_all() {
  add_type<float>();
  add_type<double>();
}

}  // namespace bench::siglip
