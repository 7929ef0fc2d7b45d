// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <benchmark/benchmark.h>

int main(int argc, char** argv) {
  bench::add_sndcg();
  bench::add_bidirectional_sndcg();
  bench::add_triplet();
  bench::add_neural_sort();
  bench::add_argsort();
  bench::add_laplace_ranks();
  bench::add_sigmoid_ranks();
  bench::add_projected_ranks();
  bench::add_soft_sort();
  bench::add_soft_top_k();
  bench::add_sorting_network();
  bench::add_neural_ndcg();
  bench::add_ranknet();
  bench::add_listnet();
  bench::add_listmle();
  bench::add_std_sort();
  bench::add_svmlight();
  bench::add_bradley_terry();
  bench::add_gae();
  bench::add_ppo();
  bench::add_lr2ppo();
  bench::add_plackett_luce();
  bench::add_plackett_luce_policy();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  const bool some_run = benchmark::RunSpecifiedBenchmarks() > 0;
  benchmark::Shutdown();
  return some_run ? 0 : 1;
}
