// SPDX-License-Identifier: BSL-1.0
#include <rankloss/bidirectional.hpp>
#include <rankloss/sndcg.hpp>

#include "plain/bidirectional_sndcg.hpp"
#include "support.hpp"

#include <benchmark/benchmark.h>

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace bench::bidirectional_sndcg {
namespace {

constexpr rankloss::bidirectional<rankloss::sndcg> loss{.loss = {.temperature = 0.01}};

template <class T>
rankloss::similarity_batch<T> batch_of(const matrix_data<T>& matrix) {
  return {.similarity = matrix.similarity,
          .rows = matrix.rows,
          .columns = matrix.rows,
          .relevance = matrix.relevance};
}

template <class T>
void matrix(benchmark::State& state, std::size_t n, wanted what) {
  rankloss::context context;
  std::vector<T> gradient(what == wanted::gradient ? n * n : 0);
  measure(state, matrices<T>(n), n * n, [&](const matrix_data<T>& matrix) {
    return rankloss::evaluate(loss, batch_of(matrix), {.gradient = gradient}, context);
  });
}

template <class T>
void matrix_plain(benchmark::State& state, std::size_t n, wanted what) {
  const std::vector<matrix_data<T>>& pool = matrices<T>(n);
  plain::bidirectional_sndcg<T> plain_loss(loss.loss.temperature, n);
  std::vector<T> gradient(n * n);

  const matrix_data<T>& first = pool.front();
  std::vector<T> expected(n * n);
  const double value = rankloss::evaluate(loss, batch_of(first), {.gradient = expected});
  const double plain_value = plain_loss(first.similarity, first.relevance, gradient);
  if (!agree<T>(value, plain_value, expected, gradient)) return state.SkipWithError(disagreement);

  const std::span<T> out = what == wanted::gradient ? std::span<T>(gradient) : std::span<T>();
  measure(state, pool, n * n,
          [&](const matrix_data<T>& matrix) { return plain_loss(matrix.similarity, matrix.relevance, out); });
}

template <class T>
void add_type() {
  for (const std::size_t n : {std::size_t{128}, std::size_t{512}})
    for (const wanted what : both_wanted) {
      add<T>("bidirectional_sndcg", std::to_string(n), to_string(what),
             [=](benchmark::State& state) { matrix<T>(state, n, what); });
      add<T>("bidirectional_sndcg_plain", std::to_string(n), to_string(what),
             [=](benchmark::State& state) { matrix_plain<T>(state, n, what); });
    }
}

}  // namespace

void add_all() {
  add_type<float>();
  add_type<double>();
}

}  // namespace bench::bidirectional_sndcg
