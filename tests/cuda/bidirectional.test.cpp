// SPDX-License-Identifier: BSL-1.0
#include <rankloss/bidirectional.hpp>

#include <rankloss/cuda/similarity_batch.hpp>
#include <rankloss/listnet.hpp>
#include <rankloss/metrics/ndcg.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/softmax_cross_entropy.hpp>

#include "cuda/support/matrix_checks.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstddef>

namespace cuda_bidirectional_test {

using cuda_support::array;
using rankloss::bidirectional;
using rankloss::column_relevance;
using rankloss::reduction;
using rankloss::cuda::context;
using softmax = bidirectional<rankloss::softmax_cross_entropy>;
using sndcg = bidirectional<rankloss::sndcg>;
using ndcg = bidirectional<rankloss::metrics::ndcg>;

TEST_CASE("cuda bidirectional: losses and metrics with every direction and relevance of columns") {
  const cuda_support::stream own;
  context ctx(own);
  auto in = cuda_support::random_matrix<float, int>(35, 35, 2);
  for (const auto over : cuda_support::all_directions)
    for (const auto by : {column_relevance::own, column_relevance::of_rows}) {
      INFO("over " << static_cast<int>(over) << ", columns by " << static_cast<int>(by));
      cuda_support::agrees(sndcg{.loss = {.temperature = 0.2}, .columns_by = by, .over = over}, in, ctx);
      cuda_support::agrees(ndcg{.columns_by = by, .over = over}, in, ctx);
      cuda_support::agrees(bidirectional<rankloss::listnet>{.columns_by = by, .over = over}, in, ctx);
    }
  in.column_relevance = cuda_support::random_matrix<float, int>(35, 35, 3).relevance;
  cuda_support::agrees(sndcg{.loss = {.temperature = 0.2}}, in, ctx);
  cuda_support::agrees(sndcg{.loss = {.temperature = 0.2}, .columns_by = column_relevance::of_rows}, in, ctx);
}

TEST_CASE("cuda bidirectional: reductions, weights, scale and update") {
  const cuda_support::stream own;
  context ctx(own);
  for (const auto kind : {reduction::mean, reduction::sum, reduction::mean_of_relevant})
    for (const bool weighted : {false, true})
      for (const auto over : cuda_support::all_directions) {
        auto in = cuda_support::random_matrix<double, double>(9, 12, 7);
        in.reduction = kind;
        std::fill(in.relevance.begin(), in.relevance.begin() + 12, 0.0);
        for (std::size_t i = 0; i < 9 && weighted; ++i) in.row_weights.push_back(static_cast<double>(i % 3));
        for (std::size_t j = 0; j < 12 && weighted; ++j)
          in.column_weights.push_back(static_cast<float>(j % 4));
        INFO("reduction " << static_cast<int>(kind) << ", weighted " << weighted << ", over "
                          << static_cast<int>(over));
        cuda_support::agrees(softmax{.over = over}, in, ctx,
                             {.scale = -3.0, .update = rankloss::update::add, .filled = 1.0});
      }
}

TEST_CASE("cuda bidirectional: the same bits on every run, and what is reserved is enough") {
  const cuda_support::stream own;
  cuda_support::counted_memory memory;
  context ctx(own, memory.resource());
  auto in = cuda_support::random_matrix<float, float>(40, 300, 9);
  in.mask.assign(in.rows * in.columns, 1);
  const cuda_support::device_matrix<float, float> on(in);
  ctx.reserve(cuda_support::scratch_bytes(softmax{}, on.batch));
  const std::size_t before = memory.allocations;
  const auto once = cuda_support::on_device(softmax{}, in, ctx),
             again = cuda_support::on_device(softmax{}, in, ctx);
  CHECK(once.value == again.value);
  CHECK(once.gradient == again.gradient);
  const array<double> value(1);
  cuda_support::on_device(softmax{}, on.batch, rankloss::cuda::outputs<float>{.value = value.view()}, ctx);
  CHECK(value.host()[0] == once.value);
  CHECK(memory.allocations == before);
}

}  // namespace cuda_bidirectional_test
