// SPDX-License-Identifier: BSL-1.0
#include <rankloss/lambdarank.hpp>
#include <rankloss/listmle.hpp>
#include <rankloss/metrics/ndcg.hpp>
#include <rankloss/ranknet.hpp>
#include <rankloss/smooth_ap.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/softmax_cross_entropy.hpp>

#include "support.hpp"

#include <benchmark/benchmark.h>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

/// Lists of 8 to 8192 items, some 8192 items in each call, so that a length at which an item costs more than its
/// neighbours is seen: what changes its algorithm with the length has an edge somewhere. sweep.py draws them.
namespace bench::sweep {
namespace {

constexpr std::size_t lengths[] = {8,   16,  24,  32,  48,  64,   96,   128,  192,  256,  257,  288, 320,
                                   384, 511, 512, 640, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192};
constexpr std::size_t items_of_a_call = 8192;
constexpr std::pair<const char*, double> temperatures[] = {{"0.01", 0.01}, {"0.1", 0.1}, {"1", 1.0}};

/// body(batch, gradient) for batches of lists of n items, of `kind` relevance.
template <class Body>
void batches(benchmark::State& state, std::size_t n, relevance kind, const Body& body) {
  const std::size_t items = items_of_a_call / n * n;
  std::vector<float> gradient(items);
  measure(state, lists<float>(items, kind), items, [&](const list_data<float>& data) {
    return body(rankloss::list_batch<float>{.scores = data.scores, .relevance = data.relevance, .length = n},
                gradient);
  });
}

template <class Loss>
void add_loss(const std::string& name, relevance kind, const Loss& loss_at) {
  for (const auto& [text, temperature] : temperatures)
    for (const std::size_t n : lengths)
      add<float>("sweep_" + name, std::to_string(n), text,
                 [n, kind, loss = loss_at(temperature)](benchmark::State& state) {
                   rankloss::context context;
                   batches(state, n, kind, [&](const auto& batch, std::vector<float>& gradient) {
                     return rankloss::evaluate(loss, batch, {.gradient = gradient}, context);
                   });
                 });
}

void add_metric() {
  for (const std::size_t n : lengths)
    add<float>("sweep_ndcg", std::to_string(n), "whole", [n](benchmark::State& state) {
      rankloss::context context;
      batches(state, n, relevance::grades, [&](const auto& batch, std::vector<float>&) {
        return rankloss::evaluate(rankloss::metrics::ndcg{}, batch, context);
      });
    });
}

}  // namespace

void add_all() {
  add_loss("sndcg", relevance::grades, [](double t) { return rankloss::sndcg{.temperature = t}; });
  add_loss("smooth_ap", relevance::binary,
           [](double t) { return rankloss::smooth_ap{.ranks = {.temperature = t}}; });
  add_loss("ranknet", relevance::grades,
           [](double t) { return rankloss::ranknet{.function = {.temperature = t}}; });
  add_loss("lambdarank", relevance::grades,
           [](double t) { return rankloss::lambdarank{.function = {.temperature = t}}; });
  add_loss("softmax_cross_entropy", relevance::grades,
           [](double t) { return rankloss::softmax_cross_entropy{.temperature = t}; });
  add_loss("listmle", relevance::grades, [](double t) { return rankloss::listmle{.temperature = t}; });
  add_metric();
}

}  // namespace bench::sweep
