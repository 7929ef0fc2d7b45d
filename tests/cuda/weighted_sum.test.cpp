// SPDX-License-Identifier: BSL-1.0
#include <rankloss/weighted_sum.hpp>

#include <rankloss/bidirectional.hpp>
#include <rankloss/info_nce.hpp>
#include <rankloss/listnet.hpp>
#include <rankloss/siglip.hpp>
#include <rankloss/triplet.hpp>

#include "cuda/support/embedding_checks.hpp"
#include "cuda/support/matrix_checks.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>

namespace cuda_weighted_sum_test {

using cuda_support::agrees;
using rankloss::weighted;
using rankloss::cuda::context;
using listnet = rankloss::bidirectional<rankloss::listnet>;
using of_matrices = rankloss::weighted_sum<rankloss::triplet, listnet>;
using of_matches = rankloss::weighted_sum<rankloss::info_nce, rankloss::siglip, rankloss::triplet>;

TEST_CASE("cuda weighted_sum: losses of a matrix") {
  const cuda_support::stream own;
  context ctx(own);
  auto in = cuda_support::random_matrix<double, double>(9, 12, 2, true, 14);
  for (std::size_t p = 0; p < 9 * 12; ++p) in.matches.push_back(p % 4 == 0 ? 1 : 0);
  for (const auto mine : {rankloss::mining::hardest, rankloss::mining::all})
    for (const double weight : {0.3, 0.0}) {
      INFO("mining " << static_cast<int>(mine) << ", weight " << weight);
      const of_matrices loss{weighted{weight, rankloss::triplet{.mine = mine}}, weighted{-2.0, listnet{}}};
      agrees(loss, in, ctx, {.filled = 5.0});
      agrees(loss, in, ctx, {.scale = -3.0, .update = rankloss::update::add, .filled = 1.0});
    }
  in.reduction = rankloss::reduction::sum;
  agrees(of_matrices{weighted{1.0, rankloss::triplet{}}, weighted{1.0, listnet{}}}, in, ctx);
}

TEST_CASE("cuda weighted_sum: losses over embeddings") {
  const cuda_support::stream own;
  context ctx(own);
  auto in = cuda_support::random_embeddings<double>(9, 12, 4, 2);
  for (const double weight : {0.5, 0.0}) {
    const of_matches loss{weighted{1.0, rankloss::info_nce{.temperature = 0.3}},
                          weighted{weight, rankloss::siglip{}}, weighted{-0.1, rankloss::triplet{}}};
    agrees(loss, in, ctx, {.scale = 2.0, .update = rankloss::update::add, .filled = 1.0});
    agrees(loss, in, ctx, {.filled = 3.0, .sloped_columns = 5});
  }
}

TEST_CASE("cuda weighted_sum: without a term value and derivatives are 0, and nothing else is written") {
  const cuda_support::stream own;
  context ctx(own);
  const of_matrices none{weighted{0.0, rankloss::triplet{}}, weighted{0.0, listnet{}}};
  const auto in = cuda_support::random_pairs<double>(5, 7, 1, 9);
  agrees(none, in, ctx, {.filled = 5.0});
  agrees(none, in, ctx, {.update = rankloss::update::add, .filled = 5.0});
  const of_matches nothing{weighted{0.0, rankloss::info_nce{}}, weighted{0.0, rankloss::siglip{}},
                           weighted{0.0, rankloss::triplet{}}};
  agrees(nothing, cuda_support::random_embeddings<double>(5, 7, 2, 1), ctx, {.filled = 5.0});
}

TEST_CASE("cuda weighted_sum: a bad number is told once, and what is reserved is enough") {
  const cuda_support::stream own;
  cuda_support::counted_memory memory;
  context ctx(own, memory.resource());
  auto in = cuda_support::random_pairs<double>(9, 12, 2);
  const of_matrices loss{weighted{1.0, rankloss::triplet{.mine = rankloss::mining::all}},
                         weighted{2.0, listnet{}}};
  ctx.reserve(cuda_support::scratch_bytes(loss, cuda_support::device_matrix<double, double>(in).batch));
  const std::size_t before = memory.allocations;
  agrees(loss, in, ctx);
  CHECK(memory.allocations == before);
  in.similarity[17] = NAN;
  const auto out = cuda_support::on_device(loss, in, ctx);
  CHECK(std::isnan(out.value));
  for (const double g : out.gradient) CHECK(std::isnan(g));
  for (const double v : out.per_list) CHECK(std::isnan(v));
  CHECK_THROWS_WITH(ctx.check(), Catch::Matchers::Contains("similarity: nan at row 1, column 5"));
  CHECK_NOTHROW(ctx.check());
  in.similarity[17] = 0.0;
  agrees(loss, in, ctx);
}

}  // namespace cuda_weighted_sum_test
