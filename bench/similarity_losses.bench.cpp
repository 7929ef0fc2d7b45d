// SPDX-License-Identifier: BSL-1.0
#include <rankloss/bidirectional.hpp>
#include <rankloss/circle.hpp>
#include <rankloss/cmpm.hpp>
#include <rankloss/contrastive.hpp>
#include <rankloss/info_nce.hpp>
#include <rankloss/multi_similarity.hpp>
#include <rankloss/nca.hpp>
#include <rankloss/siglip.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/softmax_cross_entropy.hpp>

#include "support.hpp"

#include <benchmark/benchmark.h>

#include <cstddef>
#include <string>
#include <vector>

namespace bench::similarity_losses {
namespace {

/// The losses of one pass or two over a query, over the rows of a matrix; row i matches column i.
template <class T, class Loss>
void matrix(benchmark::State& state, const Loss& loss, std::size_t n, wanted what) {
  rankloss::context context;
  std::vector<T> gradient(what == wanted::gradient ? n * n : 0);
  measure(state, matrices<T>(n), n * n, [&](const matrix_data<T>& matrix) {
    const rankloss::similarity_batch<T> batch{.similarity = matrix.similarity, .rows = n, .columns = n};
    return rankloss::evaluate(loss, batch, {.gradient = gradient}, context);
  });
}

template <class T, class Loss>
void add_loss(const std::string& name, Loss loss) {
  loss.over = rankloss::directions::rows;
  for (const std::size_t n : {std::size_t{128}, std::size_t{512}})
    for (const wanted what : both_wanted)
      add<T>(name, std::to_string(n), to_string(what),
             [=](benchmark::State& state) { matrix<T>(state, loss, n, what); });
}

/// A list loss over the rows of a matrix, or over its columns: the same work, but for how the memory lies.
template <class T, class Loss>
void directions_of(benchmark::State& state, const Loss& loss, rankloss::directions over, std::size_t n) {
  rankloss::context context;
  std::vector<T> gradient(n * n);
  measure(state, matrices<T>(n), n * n, [&](const matrix_data<T>& matrix) {
    const rankloss::similarity_batch<T> batch{
        .similarity = matrix.similarity, .rows = n, .columns = n, .relevance = matrix.relevance};
    return rankloss::evaluate(rankloss::bidirectional<Loss>{.loss = loss, .over = over}, batch,
                              {.gradient = gradient}, context);
  });
}

template <class T, class Loss>
void add_directions(const std::string& name, const Loss& loss) {
  for (const std::size_t n : {1024u, 4096u}) {
    add<T>(name + "_rows", std::to_string(n), "gradient",
           [=](benchmark::State& state) { directions_of<T>(state, loss, rankloss::directions::rows, n); });
    add<T>(name + "_columns", std::to_string(n), "gradient",
           [=](benchmark::State& state) { directions_of<T>(state, loss, rankloss::directions::columns, n); });
  }
}

template <class T>
void add_type() {
  add_directions<T>("softmax", rankloss::softmax_cross_entropy{});
  add_directions<T>("sndcg", rankloss::sndcg{});
  add_loss<T>("info_nce", rankloss::info_nce{});
  add_loss<T>("siglip", rankloss::siglip{});
  add_loss<T>("multi_similarity", rankloss::multi_similarity{});
  add_loss<T>("circle", rankloss::circle{});
  add_loss<T>("contrastive", rankloss::contrastive{});
  add_loss<T>("nca", rankloss::nca{});
  add_loss<T>("cmpm", rankloss::cmpm{});
}

}  // namespace

void add_all() {
  add_type<float>();
  add_type<double>();
}

}  // namespace bench::similarity_losses
