// SPDX-License-Identifier: BSL-1.0
#include <rankloss/metrics/average_precision.hpp>

#include "cuda/support/list_checks.hpp"

#include <catch2/catch.hpp>

namespace cuda_metrics_average_precision_test {

using rankloss::metrics::average_precision;

TEST_CASE("cuda: average_precision at every length", "[lengths]") {
  cuda_support::agrees_at_every_length<average_precision, double, double>({});
}
TEST_CASE("cuda: average_precision of floats") {
  cuda_support::keeps_the_promises_of_lists<average_precision, float, int>({.cutoff = 5});
}
TEST_CASE("cuda: average_precision of doubles") {
  cuda_support::keeps_the_promises_of_lists<average_precision, double, double>({});
}
TEST_CASE("cuda: average_precision with ties, infinite scores and weights of any size") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::lists_of_lengths<double, double>({1, 7, 20, 70, 300}, 3);
  const auto with = [&](const average_precision& metric) { cuda_support::agrees(metric, in, ctx); };
  const auto with_all = [&] {
    for (const std::size_t cutoff : {0, 1, 3, 10, 1000}) {
      average_precision metric{};
      metric.cutoff = cutoff;
      INFO("cutoff " << cutoff);
      with(metric);
    }
    with(average_precision{.cutoff = 7, .over = rankloss::metrics::average_precision_over::attainable});
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

}  // namespace cuda_metrics_average_precision_test
