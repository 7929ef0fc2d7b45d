// SPDX-License-Identifier: BSL-1.0
#include <rankloss/lambdarank.hpp>
#include <rankloss/listmle.hpp>
#include <rankloss/listnet.hpp>
#include <rankloss/neural_ndcg.hpp>
#include <rankloss/ranknet.hpp>
#include <rankloss/ranks/laplace_ranks.hpp>
#include <rankloss/ranks/projected_ranks.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/softmax_cross_entropy.hpp>
#include <rankloss/sorts/soft_sort.hpp>

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
void add_loss(const std::string& name, const Loss& loss,
              const std::vector<std::size_t>& lengths = {100000, 1000000}) {
  for (const std::size_t workers : {1, 2}) {
    const std::string ending = "/" + std::to_string(workers);
    for (const std::size_t n : lengths)
      add<T>(name, std::to_string(n) + ending, "gradient", [=](benchmark::State& state) {
        on_threads<T>(state, loss, 1, n, workers);
      })->UseRealTime();
    add<T>(name, "64x128" + ending, "gradient", [=](benchmark::State& state) {
      on_threads<T>(state, loss, 64, 128, workers);
    })->UseRealTime();
  }
}

/// run(list, out, context) of one list of 10^6 floats.
template <class Run>
void add_values(const std::string& name, const Run& run) {
  constexpr std::size_t n = 1000000;
  for (const std::size_t workers : {1, 2})
    add<float>(name, std::to_string(n) + "/" + std::to_string(workers), "value",
               [=](benchmark::State& state) {
                 rankloss::context context{rankloss::threads(workers)};
                 std::vector<float> out(n);
                 measure(state, lists<float>(n), n, [&](const list_data<float>& list) {
                   run(list, out, context);
                   return out[0];
                 });
               })
        ->UseRealTime();
}
template <class Ranks>
void add_ranks(const std::string& name, const Ranks& how) {
  add_values(name, [=](const list_data<float>& list, std::vector<float>& ranks, rankloss::context& context) {
    rankloss::rank(how, list.scores, ranks, context);
  });
}

}  // namespace

void add_all() {
  add_loss<float>("sndcg_threads", rankloss::sndcg{.temperature = 0.1});
  add_loss<float>("ranknet_threads", rankloss::ranknet{});
  add_loss<float>("lambdarank_threads", rankloss::lambdarank{});
  add_loss<float>("listmle_threads", rankloss::listmle{});
  add_loss<float>("listnet_threads", rankloss::listnet());
  add_loss<float>("neural_ndcg_threads", rankloss::neural_ndcg{.temperature = 0.1, .steps = 0},
                  {4096, 100000});
  add_loss<float>("scaled_neural_ndcg_threads", rankloss::neural_ndcg{.temperature = 0.1}, {4096, 20000});
  add_ranks("projected_ranks_threads", rankloss::projected_ranks{});
  add_ranks("laplace_ranks_threads", rankloss::laplace_ranks{.temperature = 0.1});
  add_values("soft_sort_threads", [](const list_data<float>& list, std::vector<float>& out,
                                     rankloss::context& context) {
    rankloss::sort_apply(rankloss::soft_sort{.temperature = 0.1}, list.scores, list.relevance, out, context);
  });
  add<float>("sndcg_call", "8", "gradient", [](benchmark::State& state) {
    on_threads<float>(state, rankloss::sndcg{.temperature = 0.1}, 1, 8, 1);
  });
}

}  // namespace bench::threads
