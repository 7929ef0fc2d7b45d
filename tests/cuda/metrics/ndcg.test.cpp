// SPDX-License-Identifier: BSL-1.0
#include <rankloss/metrics/ndcg.hpp>

#include "cuda/support/list_checks.hpp"

#include <catch2/catch.hpp>

namespace cuda_metrics_ndcg_test {

using rankloss::metrics::ndcg;

TEST_CASE("cuda: ndcg at every length", "[lengths]") {
  cuda_support::agrees_at_every_length<ndcg, double, double>({});
}
TEST_CASE("cuda: ndcg of floats") {
  cuda_support::keeps_the_promises_of_lists<ndcg, float, int>({.cutoff = 5});
}
TEST_CASE("cuda: ndcg of doubles") { cuda_support::keeps_the_promises_of_lists<ndcg, double, double>({}); }
TEST_CASE("cuda: ndcg with ties, infinite scores and weights of any size") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::lists_of_lengths<double, double>({1, 7, 20, 70, 300}, 3);
  const auto with = [&](const ndcg& metric) { cuda_support::agrees(metric, in, ctx); };
  const auto with_all = [&] {
    for (const std::size_t cutoff : {0, 1, 3, 10, 1000}) {
      ndcg metric{};
      metric.cutoff = cutoff;
      INFO("cutoff " << cutoff);
      with(metric);
    }
    with(ndcg{.gain = rankloss::gain::linear, .cutoff = 7, .ideal = rankloss::ideal::competition_ranks});
  };
  for (std::size_t i = 0; i < in.scores.size(); ++i) in.scores[i] = std::round(2.0 * in.scores[i]);
  with_all();
  in.scores[5] = in.scores[40] = INFINITY;
  in.scores[30] = in.scores[31] = -INFINITY;
  with_all();
  for (const double size : {1e-200, 1.0, 1e200}) {
    in.item_weights.clear();
    for (std::size_t i = 0; i < in.scores.size(); ++i)
      in.item_weights.push_back(size * static_cast<double>(i % 3));
    INFO("size " << size);
    with_all();
  }
}
TEST_CASE("cuda: ndcg of an ideal order is exactly 1") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  for (const std::size_t size : {1, 3, 70, 300}) {
    cuda_support::host_lists<float, int> in;
    for (std::size_t i = 0; i < size; ++i) {
      in.scores.push_back(-static_cast<float>(i));
      in.relevance.push_back(static_cast<int>(4 - 4 * i / size));
      in.item_weights.push_back(1.0 / 3.0);
    }
    CHECK(cuda_support::on_device(ndcg{}, in, ctx).value == 1.0);
  }
}

}  // namespace cuda_metrics_ndcg_test
