// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/batch.hpp>
#include <rankloss/cuda/context.hpp>
#include <rankloss/sndcg.hpp>

#include <cuda_runtime_api.h>

#include <cstddef>

/// One step of training a linear ranker on a device: scores, the loss and its gradient, and new weights.
/// step.cu is compiled by nvcc; whoever queues a step need not be.
namespace cuda_stream {

/// Lists of one length, in the memory of the device.
struct data {
  const float* features = nullptr;  ///< [lists * items, dimension]
  const int* grades = nullptr;      ///< [lists * items]
  std::size_t lists = 0, items = 0, dimension = 0;
};

/// What a step reads and writes, in the memory of the device.
struct model {
  float* weights = nullptr;          ///< [dimension]
  float* weight_gradient = nullptr;  ///< [dimension]
  float* scores = nullptr;           ///< [lists * items]
  float* score_gradient = nullptr;   ///< [lists * items]
  double* value = nullptr;           ///< [1] the loss before the step
};

/// Scratch that the context has to hold before a step is captured.
[[nodiscard]] std::size_t scratch_bytes(const rankloss::sndcg& loss, const data& of);

/// Queues a step on the stream of the context. It neither waits nor allocates once scratch is large enough.
void queue_step(const rankloss::sndcg& loss, const data& of, const model& to, float rate,
                rankloss::cuda::context& ctx);

/// Queues the loss alone, without a gradient.
void queue_loss(const rankloss::sndcg& loss, const data& of, const model& to, rankloss::cuda::context& ctx);

}  // namespace cuda_stream
