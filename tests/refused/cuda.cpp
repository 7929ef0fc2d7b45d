// SPDX-License-Identifier: BSL-1.0

// What is refused of the words for a device. Each case is compiled by itself with its name defined.

#define RANKLOSS_FACES_ONLY
#include <rankloss/cuda/embedding_batch.hpp>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/cuda/ranks/rank.hpp>
#include <rankloss/listnet.hpp>
#include <rankloss/ranks/sigmoid_ranks.hpp>

#include <cstddef>
#include <span>
#include <vector>

void cases(rankloss::cuda::context& ctx, const float* scores, const int* grades) {
  using rankloss::cuda::device_span;
  const std::vector<float> host(4);
#if defined(NO_KERNEL)
  rankloss::evaluate(rankloss::listnet{},
                     rankloss::cuda::list_batch<float, int>{.scores = device_span<const float>(scores, 4),
                                                            .relevance = device_span<const int>(grades, 4)},
                     {}, ctx);
#elif defined(NO_KERNEL_OF_EMBEDDINGS)
  rankloss::evaluate(rankloss::listnet{},
                     rankloss::cuda::embedding_batch<float>{
                         .row_embeddings = device_span<const float>(scores, 4), .rows = 2, .dimension = 2},
                     {}, ctx);
#elif defined(NO_KERNEL_OF_RANKS)
  rankloss::rank(rankloss::sigmoid_ranks{},
                 rankloss::cuda::score_batch<float>{.scores = device_span<const float>(scores, 4)}, {}, ctx);
#elif defined(DOUBLE_EMBEDDINGS)
  (void)rankloss::cuda::embedding_batch<float>{.row_embeddings = device_span<const double>(nullptr, 4)};
#elif defined(HOST_VECTOR)
  (void)rankloss::cuda::list_batch<float, int>{.scores = host};
#elif defined(HOST_SPAN)
  (void)rankloss::cuda::list_batch<float, int>{.scores = std::span<const float>(host)};
#elif defined(POINTER_AND_SIZE)
  (void)rankloss::cuda::list_batch<float, int>{.scores = {scores, 4}};
#elif defined(CONST_OUTPUT)
  (void)rankloss::cuda::outputs<float>{.gradient = device_span<const float>(scores, 4)};
#elif defined(ON_THE_HOST)
  (void)device_span<const float>(scores, 4)[0];
#elif defined(NO_STREAM)
  rankloss::cuda::context without;
#else
  (void)rankloss::cuda::list_batch<float, int>{.scores = device_span<const float>(scores, 4),
                                               .relevance = device_span<const int>(grades, 4)};
  (void)ctx;
#endif
}
