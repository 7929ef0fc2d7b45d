// SPDX-License-Identifier: BSL-1.0
#include <rankloss/ranks/laplace_ranks.hpp>
#include <rankloss/ranks/projected_ranks.hpp>
#include <rankloss/soft_spearman.hpp>

#include "cuda/support/list_checks.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>

// Two items have a correlation of 1 or -1 whatever their scores are.
template <class Ranks>
inline constexpr double cuda_support::left_of_zero<rankloss::soft_spearman<Ranks>> = 1e-15;

namespace cuda_soft_spearman_test {

using rankloss::soft_spearman;
using by_laplace = soft_spearman<rankloss::laplace_ranks>;
using by_projection = soft_spearman<rankloss::projected_ranks>;

TEST_CASE("cuda: soft_spearman at every length", "[lengths]") {
  SECTION("of sigmoid_ranks") {
    cuda_support::agrees_at_every_length<soft_spearman<>, float, int>({.ranks = {.temperature = 0.1}});
  }
  SECTION("of laplace_ranks") {
    cuda_support::agrees_at_every_length<by_laplace, double, double>({.ranks = {.temperature = 0.1}});
  }
  SECTION("of projected_ranks") {
    cuda_support::agrees_at_every_length<by_projection, double, double>({.ranks = {.temperature = 0.005}});
  }
}
TEST_CASE("cuda: soft_spearman") {
  cuda_support::keeps_the_promises_of_lists<soft_spearman<>, float, int>({.ranks = {.temperature = 0.1}});
}
TEST_CASE("cuda: soft_spearman of projected_ranks") {
  cuda_support::keeps_the_promises_of_lists<by_projection, double, double>({.ranks = {.temperature = 0.1}});
}

TEST_CASE("cuda: soft_spearman of long lists") {
  cuda_support::keeps_the_promises_of_long_lists<by_laplace, double, double>({.ranks = {.temperature = 0.1}},
                                                                             4200);
}
TEST_CASE("cuda: soft_spearman of long lists, of other ranks") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::lists_of_lengths<float, int>({4700, 4200, 4200}, 3);
  std::fill(in.relevance.begin() + 4700, in.relevance.begin() + 8900, 2);
  std::fill(in.scores.begin() + 8900, in.scores.end(), -1.5f);
  cuda_support::agrees(soft_spearman<>{.ranks = {.temperature = 0.1}}, in, ctx);
  const auto out = cuda_support::on_device(soft_spearman<>{}, in, ctx);
  CHECK(out.per_list[1] == 0.0);
  CHECK(out.per_list[2] == 1.0);
  std::size_t wrong = 0;
  for (std::size_t i = 4700; i < in.scores.size(); ++i) wrong += out.gradient[i] != 0.0f;
  CHECK(wrong == 0);
  cuda_support::agrees(by_projection{.ranks = {.temperature = 0.001}},
                       cuda_support::lists_of_lengths<double, double>({7000}, 3), ctx);
}

TEST_CASE("cuda: soft_spearman of lists that are flat on one side") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::lists_of_lengths<float, int>({20, 300, 20, 300, 40}, 3);
  std::fill(in.relevance.begin(), in.relevance.begin() + 320, 2);
  std::fill(in.scores.begin() + 320, in.scores.begin() + 640, -1.5f);
  cuda_support::agrees(soft_spearman<>{}, in, ctx);
  const auto out = cuda_support::on_device(soft_spearman<>{}, in, ctx);
  CHECK(out.per_list[0] == 0.0);
  CHECK(out.per_list[1] == 0.0);
  CHECK(out.per_list[2] == 1.0);
  CHECK(out.per_list[3] == 1.0);
  for (std::size_t i = 0; i < 640; ++i) CHECK(out.gradient[i] == 0.0f);
}

}  // namespace cuda_soft_spearman_test
