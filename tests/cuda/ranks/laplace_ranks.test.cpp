// SPDX-License-Identifier: BSL-1.0
#include <rankloss/metrics/average_precision.hpp>
#include <rankloss/ranks/laplace_ranks.hpp>
#include <rankloss/smooth_metric.hpp>
#include <rankloss/soft_spearman.hpp>

#include "cuda/support/list_checks.hpp"
#include "cuda/support/rank_checks.hpp"

#include <catch2/catch.hpp>

#include <cstddef>
#include <cstdint>

namespace cuda_ranks_laplace_ranks_test {

using rankloss::laplace_ranks;
using rankloss::sort_direction;

TEST_CASE("cuda: laplace_ranks at every length", "[lengths]") {
  SECTION("of floats") { cuda_support::agrees_at_every_length<laplace_ranks, float>({.temperature = 0.1}); }
  SECTION("of doubles") { cuda_support::agrees_at_every_length<laplace_ranks, double>({.temperature = 0.1}); }
}
TEMPLATE_TEST_CASE("cuda: laplace_ranks", "", float, double) {
  cuda_support::keeps_the_promises_of_ranks<laplace_ranks, TestType>({.temperature = 0.1});
}
TEMPLATE_TEST_CASE("cuda: laplace_ranks of long lists", "", float, double) {
  cuda_support::keeps_the_promises_of_long_ranks<laplace_ranks, TestType>({.temperature = 0.1}, 4200);
}
TEST_CASE("cuda: laplace_ranks of 100 000 items", "[lengths]") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  cuda_support::agrees(laplace_ranks{.temperature = 0.01, .direction = sort_direction::ascending},
                       cuda_support::scores_of_lengths<float>({100000}, 3), ctx,
                       {cuda_support::asked::pullback});
}

TEMPLATE_TEST_CASE("cuda: laplace_ranks with every option", "", float, double) {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  const auto in = cuda_support::scores_of_lengths<TestType>({1, 7, 32, 100, 600}, 3);
  for (const double t : {1e-3, 0.5, 30.0}) {
    INFO("temperature " << t);
    cuda_support::agrees(laplace_ranks{.temperature = t, .base = -2.5}, in, ctx);
    cuda_support::agrees(laplace_ranks{.temperature = t, .direction = sort_direction::ascending}, in, ctx);
  }
}

// Two floats hold most of them; others are computed in doubles.
TEST_CASE("cuda: laplace_ranks of odd floats") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  std::uint32_t seed = 1;
  for (const double t : {1e-15, 1e-3, 1.0, 1e6, 1e33}) {
    INFO("temperature " << t);
    const auto in = cuda_support::odd_scores(60, t, seed++);
    cuda_support::agrees(laplace_ranks{.temperature = t}, in, ctx,
                         {cuda_support::asked::values, cuda_support::asked::pullback});
  }
}
// Ranks are counted from their mean, so that all of them are small.
TEST_CASE("cuda: laplace_ranks of floats that are all but equal") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  for (const double spread : {1e-7, 1e-4, 1e-2, 1.0})
    cuda_support::agrees(laplace_ranks{.base = -50.0},
                         cuda_support::scores_of_lengths<float>({101}, 5, spread), ctx);
}

// Losses of ranks pull doubles through them.
TEST_CASE("cuda: laplace_ranks of floats in losses") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  using smooth_ap = rankloss::smooth_metric<rankloss::metrics::average_precision, laplace_ranks>;
  unsigned seed = 1;
  for (const double t : {0.01, 0.3, 30.0}) {
    INFO("temperature " << t);
    const auto in = cuda_support::lists_of_lengths<float, int>({3, 20, 33, 64, 150, 300, 700}, seed++);
    cuda_support::agrees(smooth_ap{.ranks = {.temperature = t}}, in, ctx);
    cuda_support::agrees(smooth_ap{.metric = {.cutoff = 5}, .ranks = {.temperature = t}}, in, ctx);
    cuda_support::agrees(rankloss::soft_spearman<laplace_ranks>{.ranks = {.temperature = t}}, in, ctx);
  }
}

// Sums are formed from differences, so that what cotangents have in common within a crowd is lost nowhere.
TEST_CASE("cuda: laplace_ranks of crowds whose cotangents are far apart") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::scores_of_lengths<double>({700}, 3, 1e-2);
  for (std::size_t i = 0; i < 700; ++i) {
    in.lists.scores[i] += i % 2 == 0 ? 1e3 : -1e3;
    in.input[i] = (i % 2 == 0 ? 1e9 : -1e9) + static_cast<double>(i / 2 % 8);
  }
  cuda_support::agrees(laplace_ranks{}, in, ctx);
}

}  // namespace cuda_ranks_laplace_ranks_test
