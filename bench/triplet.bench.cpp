// SPDX-License-Identifier: BSL-1.0
#include <rankloss/triplet.hpp>

#include "support.hpp"

#include <benchmark/benchmark.h>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace bench::triplet {
namespace {

/// Row i matches column i.
template <class T>
void matrix(benchmark::State& state, const rankloss::triplet& loss, std::size_t n, wanted what) {
  rankloss::context context;
  std::vector<T> gradient(what == wanted::gradient ? n * n : 0);
  measure(state, matrices<T>(n), n * n, [&](const matrix_data<T>& matrix) {
    const rankloss::similarity_batch<T> batch{.similarity = matrix.similarity, .rows = n, .columns = n};
    return rankloss::evaluate(loss, batch, {.gradient = gradient}, context);
  });
}

template <class T>
void add_type() {
  using rankloss::mined_positives;
  using rankloss::mining;
  using rankloss::triplet_form;
  const std::pair<const char*, rankloss::triplet> losses[] = {
      {"triplet", {}},
      {"triplet_all", {.mine = mining::all}},
      {"triplet_soft", {.positives = mined_positives::hardest, .form = triplet_form::soft}},
      {"triplet_all_soft", {.mine = mining::all, .form = triplet_form::soft}},
      {"triplet_semi_hard", {.mine = mining::semi_hard}},
      {"triplet_distance_weighted", {.mine = mining::distance_weighted, .dimension = 256}}};
  for (const auto& [name, mined] : losses)
    for (const std::size_t n : {std::size_t{128}, std::size_t{512}})
      for (const wanted what : both_wanted)
        add<T>(name, std::to_string(n), to_string(what),
               [=, loss = mined](benchmark::State& state) { matrix<T>(state, loss, n, what); });
  using rankloss::directions;
  const std::pair<const char*, directions> lines[] = {{"triplet_rows", directions::rows},
                                                      {"triplet_columns", directions::columns},
                                                      {"triplet_both", directions::both}};
  for (const auto& [name, line] : lines)
    for (const std::size_t n : {std::size_t{1024}, std::size_t{4096}})
      add<T>(name, std::to_string(n), "gradient", [=, over = line](benchmark::State& state) {
        matrix<T>(state, {.over = over}, n, wanted::gradient);
      });
}

}  // namespace

void add_all() {
  add_type<float>();
  add_type<double>();
}

}  // namespace bench::triplet
