// SPDX-License-Identifier: BSL-1.0
#include "step.hpp"

#include <rankloss/cuda/sndcg.cuh>

namespace cuda_stream {
namespace {

using rankloss::cuda::device_span;

constexpr unsigned threads = 128;

/// The score of an item is the product of its features and the weights. One thread an item.
__global__ void score_items(const float* features, const float* weights, float* scores, std::size_t items,
                            std::size_t dimension) {
  const std::size_t i = std::size_t{blockIdx.x} * threads + threadIdx.x;
  if (i >= items) return;
  float score = 0.0f;
  for (std::size_t k = 0; k < dimension; ++k) score += features[i * dimension + k] * weights[k];
  scores[i] = score;
}

/// The gradient by weight k = blockIdx.x, and the weight after the step. Its sum is a tree of one shape, so
/// training is the same, bit by bit, whenever it is repeated.
__global__ void update_weight(const float* features, const float* score_gradient, float* weight_gradient,
                              float* weights, std::size_t items, std::size_t dimension, float rate) {
  __shared__ float part[threads];
  float sum = 0.0f;
  for (std::size_t i = threadIdx.x; i < items; i += threads)
    sum += features[i * dimension + blockIdx.x] * score_gradient[i];
  part[threadIdx.x] = sum;
  __syncthreads();
  for (unsigned half = threads / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
    __syncthreads();
  }
  if (threadIdx.x > 0) return;
  weight_gradient[blockIdx.x] = part[0];
  weights[blockIdx.x] -= rate * part[0];
}

void queue_scores(const data& of, const model& to, cudaStream_t stream) {
  const std::size_t items = of.lists * of.items;
  score_items<<<static_cast<unsigned>((items + threads - 1) / threads), threads, 0, stream>>>(
      of.features, to.weights, to.scores, items, of.dimension);
}

[[nodiscard]] rankloss::cuda::list_batch<float, int> batch_of(const data& of, const float* scores) {
  const std::size_t items = of.lists * of.items;
  return {.scores = device_span<const float>(scores, items),
          .relevance = device_span<const int>(of.grades, items),
          .length = of.items};
}

}  // namespace

std::size_t scratch_bytes(const rankloss::sndcg& loss, const data& of) {
  return rankloss::cuda::scratch_bytes(loss, batch_of(of, nullptr));
}

void queue_step(const rankloss::sndcg& loss, const data& of, const model& to, float rate,
                rankloss::cuda::context& ctx) {
  const std::size_t items = of.lists * of.items;
  queue_scores(of, to, ctx.stream());
  rankloss::evaluate(
      loss, batch_of(of, to.scores),
      {.value = device_span<double>(to.value, 1), .gradient = device_span<float>(to.score_gradient, items)},
      ctx);
  update_weight<<<static_cast<unsigned>(of.dimension), threads, 0, ctx.stream()>>>(
      of.features, to.score_gradient, to.weight_gradient, to.weights, items, of.dimension, rate);
}

void queue_loss(const rankloss::sndcg& loss, const data& of, const model& to, rankloss::cuda::context& ctx) {
  queue_scores(of, to, ctx.stream());
  rankloss::evaluate(loss, batch_of(of, to.scores), {.value = device_span<double>(to.value, 1)}, ctx);
}

}  // namespace cuda_stream
