// SPDX-License-Identifier: BSL-1.0
#include <rankloss/lambdarank.hpp>
#include <rankloss/listmle.hpp>
#include <rankloss/listnet.hpp>
#include <rankloss/ranknet.hpp>
#include <rankloss/ranks/projected_ranks.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/softmax_cross_entropy.hpp>

#include "support.hpp"

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

/// Wall time on one thread and on two: one long list, and a batch of short ones; and what a call costs that has
/// next to nothing to compute.
namespace bench::threads {
namespace {

template <class T, class Loss>
void on_threads(benchmark::State& state, const Loss& loss, std::size_t count, std::size_t n,
                std::size_t workers) {
  rankloss::context context{rankloss::threads(workers)};
  std::vector<T> gradient(count * n);
  std::vector<std::int64_t> offsets;
  for (std::size_t l = 0; l <= count; ++l) offsets.push_back(static_cast<std::int64_t>(l * n));
  measure(state, lists<T>(count * n), count * n, [&](const list_data<T>& all) {
    return rankloss::evaluate(
        loss, rankloss::list_batch<T>{.scores = all.scores, .relevance = all.relevance, .offsets = offsets},
        {.gradient = gradient}, context);
  });
}

template <class T, class Loss>
void add_loss(const std::string& name, const Loss& loss) {
  for (const std::size_t workers : {1, 2}) {
    const std::string ending = "/" + std::to_string(workers);
    for (const std::size_t n : {100000, 1000000})
      add<T>(name, std::to_string(n) + ending, "gradient", [=](benchmark::State& state) {
        on_threads<T>(state, loss, 1, n, workers);
      })->UseRealTime();
    add<T>(name, "64x128" + ending, "gradient", [=](benchmark::State& state) {
      on_threads<T>(state, loss, 64, 128, workers);
    })->UseRealTime();
  }
}

template <class T>
void ranks_on_threads(benchmark::State& state, std::size_t n, std::size_t workers) {
  rankloss::context context{rankloss::threads(workers)};
  std::vector<T> ranks(n);
  measure(state, lists<T>(n), n, [&](const list_data<T>& list) {
    rankloss::rank(rankloss::projected_ranks{}, list.scores, ranks, context);
    return ranks[0];
  });
}

}  // namespace

void add_all() {
  add_loss<float>("sndcg_threads", rankloss::sndcg{.temperature = 0.1});
  add_loss<float>("ranknet_threads", rankloss::ranknet{});
  add_loss<float>("lambdarank_threads", rankloss::lambdarank{});
  add_loss<float>("listmle_threads", rankloss::listmle{});
  add_loss<float>("listnet_threads", rankloss::listnet());
  for (const std::size_t workers : {1, 2})
    add<float>("projected_ranks_threads", "1000000/" + std::to_string(workers), "value",
               [=](benchmark::State& state) { ranks_on_threads<float>(state, 1000000, workers); })
        ->UseRealTime();
  add<float>("sndcg_call", "8", "gradient", [](benchmark::State& state) {
    on_threads<float>(state, rankloss::sndcg{.temperature = 0.1}, 1, 8, 1);
  });
}

}  // namespace bench::threads
