// SPDX-License-Identifier: BSL-1.0
#include <rankloss/ranks/sigmoid_ranks.hpp>

#include "cuda/support/rank_checks.hpp"

#include <catch2/catch.hpp>

#include <cstddef>
#include <vector>

namespace cuda_ranks_sigmoid_ranks_test {

using rankloss::sigmoid_ranks;
using rankloss::sort_direction;

TEST_CASE("cuda: sigmoid_ranks of floats, at every length", "[lengths]") {
  cuda_support::agrees_at_every_length<sigmoid_ranks, float>({.temperature = 0.1});
}
TEST_CASE("cuda: sigmoid_ranks of doubles, at every length", "[lengths]") {
  cuda_support::agrees_at_every_length<sigmoid_ranks, double>({.temperature = 0.1}, 1025);
}
TEMPLATE_TEST_CASE("cuda: sigmoid_ranks", "", float, double) {
  cuda_support::keeps_the_promises_of_ranks<sigmoid_ranks, TestType>({.temperature = 0.1});
}
TEST_CASE("cuda: sigmoid_ranks of long lists") {
  cuda_support::keeps_the_promises_of_long_ranks<sigmoid_ranks, float>({.temperature = 0.1}, 4200);
}
TEST_CASE("cuda: sigmoid_ranks of long lists of doubles") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::scores_of_lengths<double>({4700}, 3);
  cuda_support::agrees(
      sigmoid_ranks{.temperature = 0.01, .direction = sort_direction::ascending, .base = 0.5}, in, ctx,
      {cuda_support::asked::values, cuda_support::asked::pullback});
  for (double& c : in.input) c *= 0x1p1000;
  cuda_support::agrees(sigmoid_ranks{.temperature = 30.0}, in, ctx, {cuda_support::asked::pullback});
}
TEST_CASE("cuda: sigmoid_ranks of 50 000 items", "[lengths]") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  cuda_support::agrees(sigmoid_ranks{.temperature = 0.01}, cuda_support::scores_of_lengths<float>({50000}, 3),
                       ctx, {cuda_support::asked::pullback});
}

TEMPLATE_TEST_CASE("cuda: sigmoid_ranks with every option", "", float, double) {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  const auto in = cuda_support::scores_of_lengths<TestType>({1, 7, 32, 60, 300}, 3);
  for (const double t : {1e-3, 30.0}) {
    INFO("temperature " << t);
    cuda_support::agrees(sigmoid_ranks{.temperature = t, .base = -2.5}, in, ctx);
    cuda_support::agrees(sigmoid_ranks{.temperature = t, .direction = sort_direction::ascending}, in, ctx);
  }
}

TEST_CASE("cuda: sigmoid_ranks with cotangents of any size") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  for (const double size : {1e-300, 1e200, 1e307}) {
    auto in = cuda_support::scores_of_lengths<double>({1, 7, 100}, 3);
    for (double& c : in.input) c *= size;
    INFO("size " << size);
    cuda_support::agrees(sigmoid_ranks{.temperature = 30.0}, in, ctx);
  }
}

TEST_CASE("cuda: rank takes no more scratch than it says, which is nothing more for short lists") {
  const cuda_support::stream own;
  cuda_support::counted_memory memory;
  rankloss::cuda::context ctx(own, memory.resource());
  for (const std::size_t longest : {100, 4000}) {
    const auto in = cuda_support::scores_of_lengths<float>({40, 0, longest}, 3);
    const cuda_support::array<float> scores(in.lists.scores), input(in.input), out(scores.view().size());
    const cuda_support::array<std::int64_t> offsets(in.lists.offsets);
    const rankloss::cuda::score_batch<float> batch{
        .scores = scores.view(), .offsets = offsets.view(), .longest = longest};
    const std::size_t bytes = cuda_support::rank_scratch_bytes(sigmoid_ranks{}, batch);
    ctx.reserve(bytes);
    const std::size_t held = memory.bytes;
    cuda_support::ranks_on_device<sigmoid_ranks, float>({}, cuda_support::asked::pullback, batch,
                                                        input.view(), out.view(), ctx);
    ctx.check();
    CHECK(memory.bytes == held);
    CHECK((bytes > 4000) == (longest == 4000));
  }
}

}  // namespace cuda_ranks_sigmoid_ranks_test
