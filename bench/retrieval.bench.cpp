// SPDX-License-Identifier: BSL-1.0
#include <rankloss/metrics/retrieval.hpp>

#include "support.hpp"

#include <benchmark/benchmark.h>

#include <cstddef>
#include <string>

namespace bench::retrieval {
namespace {

/// Both directions of a square matrix whose row i matches column i.
template <class T>
void matrix(benchmark::State& state, std::size_t n) {
  rankloss::context context;
  measure(state, matrices<T>(n), n * n, [&](const matrix_data<T>& matrix) {
    const rankloss::similarity_batch<T> batch{.similarity = matrix.similarity, .rows = n, .columns = n};
    return rankloss::metrics::retrieval<>{}(batch, context).rsum;
  });
}

}  // namespace

void add_all() {
  for (const std::size_t n : {std::size_t{1024}, std::size_t{4096}})
    add<float>("retrieval", std::to_string(n), "", [=](benchmark::State& state) { matrix<float>(state, n); });
}

}  // namespace bench::retrieval
