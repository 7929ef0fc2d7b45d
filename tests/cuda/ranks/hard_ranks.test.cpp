// SPDX-License-Identifier: BSL-1.0
#include <rankloss/ranks/hard_ranks.hpp>

#include "cuda/support/rank_checks.hpp"

#include <catch2/catch.hpp>

#include <cmath>

namespace cuda_ranks_hard_ranks_test {

using rankloss::hard_ranks;
using rankloss::rank_ties;
using rankloss::sort_direction;

TEST_CASE("cuda: hard_ranks at every length", "[lengths]") {
  cuda_support::agrees_at_every_length<hard_ranks, float>({});
}
TEMPLATE_TEST_CASE("cuda: hard_ranks", "", float, double) {
  cuda_support::keeps_the_promises_of_ranks<hard_ranks, TestType>({});
}
TEMPLATE_TEST_CASE("cuda: hard_ranks of long lists", "", float, double) {
  cuda_support::keeps_the_promises_of_long_ranks<hard_ranks, TestType>({}, 4200);
}

TEMPLATE_TEST_CASE("cuda: hard_ranks are those of the CPU, to the bit", "", float, double) {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::scores_of_lengths<TestType>({1, 7, 32, 100, 600}, 3);
  for (TestType& score : in.lists.scores) score = std::round(TestType{4} * score);
  in.lists.scores[40] = in.lists.scores[45] = static_cast<TestType>(INFINITY);
  for (const auto ties : {rank_ties::average, rank_ties::minimum, rank_ties::maximum, rank_ties::ordinal})
    for (const auto direction : {sort_direction::descending, sort_direction::ascending}) {
      const hard_ranks how{.direction = direction, .base = 0.5, .ties = ties};
      const auto device = cuda_support::on_device(how, cuda_support::asked::values, in, ctx);
      const auto host = cuda_support::on_host(how, cuda_support::asked::values, in);
      CHECK(std::vector<double>(device.begin(), device.end()) == host);
    }
}

}  // namespace cuda_ranks_hard_ranks_test
