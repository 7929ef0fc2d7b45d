// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/batch.hpp>
#include <rankloss/cuda/context.hpp>
#include <rankloss/cuda/detail/list_shape.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/loss.hpp>

#include <cstddef>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

template <class Loss, class Batch>
concept has_engine = requires(const Loss& loss, const Batch& batch) {
  sizeof(engine<Loss, context>);
  engine<Loss, context>::scratch_bytes(loss, batch);
};

/// Whether the kernel of a loss writes a Hessian.
template <class Loss>
concept has_hessian = requires {
  requires engine<Loss, context>::has_hessian;
};

template <class Loss, class Batch>
constexpr void expect_engine() {
  static_assert(
      has_engine<Loss, Batch>,
      "rankloss: this loss has no kernel for this batch here; include <rankloss/cuda/NAME.cuh> in a file that nvcc compiles, where docs/cuda.md lists it");
}

/// Probabilities are for losses that correct for them.
template <class Loss, class Batch>
void check_probabilities(const Batch& batch) {
  if constexpr (!rankloss::detail::takes_probabilities<Loss>)
    for (const bool columns : {false, true})
      rankloss::detail::require(
          columns ? batch.column_probabilities.empty() : batch.row_probabilities.empty(),
          columns ? "column_probabilities" : "row_probabilities",
          ": given, expected none: this loss does not correct for how items were sampled");
}

/// Derivatives by options are for losses that have them.
template <class Loss, class Outputs>
void check_option_gradients(const Outputs& out) {
  using rankloss::detail::require;
  if constexpr (!rankloss::detail::gives_temperature_gradient<Loss>)
    require(out.temperature_gradient.empty(),
            "temperature_gradient: this loss has none, expected an empty output");
  if constexpr (!rankloss::detail::gives_bias_gradient<Loss>)
    require(out.bias_gradient.empty(), "bias_gradient: this loss has none, expected an empty output");
}

}  // namespace cuda::detail

/// evaluate: queues on the stream of the context what computes the value of a list loss over a batch, and its
/// gradient and Hessian, in the memory of the device. The same words as for a batch in the memory of the host.
///
/// - It neither waits nor reads back: the value is there when the stream has come so far. Inputs must stay as
///   they are until then.
/// - Results are the same bits on every run, on every stream and beside every other batch.
/// - After the first calls nothing is allocated. A call may be captured into a CUDA graph once scratch holds
///   `scratch_bytes`.
/// - Edge cases: as on the host, but for bad numbers, which `context::check` reports.
/// @throws std::invalid_argument naming the field when sizes or options are invalid, cuda::error naming the
/// call of the runtime that failed, and std::logic_error when the context has been moved from or would have
/// to allocate while its stream is captured. Sizes and options are checked before anything is queued.
template <class Loss, score T, class Relevance>
void evaluate(const Loss& loss, const cuda::list_batch<T, Relevance>& batch, const cuda::outputs<T>& out,
              cuda::context& ctx) {
  using batch_type = cuda::list_batch<T, Relevance>;
  cuda::detail::expect_engine<Loss, batch_type>();
  if constexpr (cuda::detail::has_engine<Loss, batch_type>) {
    rankloss::validate(loss);
    if constexpr (!detail::gives_gradient<Loss>)
      detail::require(out.gradient.empty(), "gradient: a metric has none, expected an empty output");
    cuda::detail::check_option_gradients<Loss>(out);
    if constexpr (!detail::gives_hessian<Loss>)
      detail::require(out.hessian.empty(), "hessian: this loss has none, expected an empty output");
    else if constexpr (!cuda::detail::has_hessian<Loss>)
      cuda::detail::refuse_hessian(out);
    cuda::detail::check_shape(batch, out);
    engine<Loss, cuda::context>::run(loss, batch, out, ctx);
  }
}

namespace cuda {

/// scratch_bytes: what `evaluate` takes of the scratch of a context, for `context::reserve`.
template <class Loss, score T, class Relevance>
[[nodiscard]] std::size_t scratch_bytes(const Loss& loss, const list_batch<T, Relevance>& batch) {
  using batch_type = list_batch<T, Relevance>;
  detail::expect_engine<Loss, batch_type>();
  if constexpr (detail::has_engine<Loss, batch_type>) {
    detail::check_shape(batch, outputs<T>{});
    return engine<Loss, context>::scratch_bytes(loss, batch);
  }
  return 0;
}

}  // namespace cuda
}  // namespace rankloss::inline RANKLOSS_ABI
