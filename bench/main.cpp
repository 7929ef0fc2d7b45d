// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <benchmark/benchmark.h>

int main(int argc, char** argv) {
  bench::sndcg::add_all();
  bench::bidirectional_sndcg::add_all();
  bench::triplet::add_all();
  bench::similarity_losses::add_all();
#if defined(RANKLOSS_BENCH_WITH_EIGEN)
  bench::embedding_batch::add_all();
#endif
  bench::cmpc::add_all();
  bench::late_interaction::add_all();
  bench::ndcg::add_all();
  bench::retrieval::add_all();
  bench::neural_sort::add_all();
  bench::argsort::add_all();
  bench::laplace_ranks::add_all();
  bench::sigmoid_ranks::add_all();
  bench::projected_ranks::add_all();
  bench::relaxed_list::add_all();
  bench::soft_sort::add_all();
  bench::soft_top_k::add_all();
  bench::sorting_network::add_all();
  bench::neural_ndcg::add_all();
  bench::ranknet::add_all();
  bench::listnet::add_all();
  bench::item_losses::add_all();
  bench::listmle::add_all();
  bench::std_sort::add_all();
  bench::stream::add_all();
  bench::svmlight::add_all();
  bench::sweep::add_all();
  bench::threads::add_all();
  bench::bradley_terry::add_all();
  bench::gae::add_all();
  bench::ppo::add_all();
  bench::lr2ppo::add_all();
  bench::plackett_luce::add_all();
  bench::plackett_luce_policy::add_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  const bool some_run = benchmark::RunSpecifiedBenchmarks() > 0;
  benchmark::Shutdown();
  return some_run ? 0 : 1;
}
