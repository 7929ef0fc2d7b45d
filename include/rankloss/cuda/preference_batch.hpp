// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/cuda/batch.hpp>
#include <rankloss/cuda/context.hpp>
#include <rankloss/cuda/device_span.hpp>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/preference_batch.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda {

/// preference_batch: rewards of items, and pairs of items of which one is preferred to the other, in the memory
/// of a device. Its fields mean what those of the rankloss::preference_batch of the same names mean.
template <score T>
struct preference_batch {
  using score_type = T;

  device_span<const T> rewards;  ///< [items] any finite number
  device_indices preferred{};    ///< [pairs] item, from 0
  device_indices other{};        ///< [pairs] another item
  device_reals pair_weights{};   ///< [pairs] >= 0, finite; empty: all 1
  device_reals margins{};        ///< [pairs] wanted lead of the preferred item, finite; empty: all 0
  device_flags ties{};           ///< [pairs] not zero: a tie, which most losses refuse; empty: no ties
  rankloss::reduction reduction = rankloss::reduction::mean;
};

namespace detail {

/// Checks what the host knows of a batch, in the words of rankloss::evaluate.
template <class T>
void check_shape(const preference_batch<T>& batch, const outputs<T>& out,
                 const device_span<double>& tie_gradient) {
  using rankloss::detail::check_optional;
  using rankloss::detail::check_size;
  using rankloss::detail::require;
  constexpr auto most = static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max());
  const std::size_t items = batch.rewards.size(), pairs = batch.preferred.size();
  check_size("other", batch.other.size(), pairs, "one per preferred");
  check_optional("margins", batch.margins.size(), pairs, "one per pair");
  check_optional("ties", batch.ties.size(), pairs, "one per pair");
  check_optional("value", out.value.size(), 1, "one per batch");
  check_optional("gradient", out.gradient.size(), items, "one per reward");
  check_optional("hessian", out.hessian.size(), items, "one per reward");
  check_optional("per_list", out.per_list.size(), pairs, "one per pair");
  check_optional("tie_gradient", tie_gradient.size(), 1, "one per batch");
  require(rankloss::detail::is_finite(out.scale), "scale: ", out.scale, ", expected a finite number");
  require(batch.pair_weights.empty() || batch.pair_weights.size() == pairs, "pair_weights: size ",
          batch.pair_weights.size(), ", expected ", pairs, " (one per pair)");
  require(items <= most, "rewards: size ", items, ", expected at most 2^31 - 1 on a device");
  require(pairs <= most / 2, "preferred: size ", pairs, ", expected at most 2^30 - 1 on a device");
}

/// What both `evaluate` do.
template <class Loss, class T>
void evaluate_preferences(const Loss& loss, const preference_batch<T>& batch, const outputs<T>& out,
                          const device_span<double>& tie_gradient, context& ctx) {
  expect_engine<Loss, preference_batch<T>>();
  if constexpr (has_engine<Loss, preference_batch<T>>) {
    rankloss::validate(loss);
    if constexpr (!rankloss::detail::gives_hessian<Loss>)
      rankloss::detail::require(out.hessian.empty(), "hessian: this loss has none, expected an empty output");
    check_shape(batch, out, tie_gradient);
    engine<Loss, context>::run(loss, batch, out, tie_gradient, ctx);
  }
}

}  // namespace detail

/// scratch_bytes: what `evaluate` takes of the scratch of a context, for `context::reserve`.
template <class Loss, score T>
[[nodiscard]] std::size_t scratch_bytes(const Loss& loss, const preference_batch<T>& batch) {
  detail::expect_engine<Loss, preference_batch<T>>();
  if constexpr (detail::has_engine<Loss, preference_batch<T>>) {
    detail::check_shape(batch, {}, {});
    return engine<Loss, context>::scratch_bytes(loss, batch);
  }
  return 0;
}

}  // namespace cuda

/// evaluate: queues on the stream of the context what computes the value of a preference loss over pairs, and
/// its gradient and Hessian diagonal by the rewards, in the memory of the device. The same words as for pairs
/// in the memory of the host; out.per_list receives the value of each pair.
///
/// - It neither waits nor reads back. A call may be captured into a CUDA graph once scratch holds
///   `scratch_bytes`.
/// - Terms and sums are of doubles, or of numbers of two floats where rewards are floats and that is enough.
///   For derivatives the two ends of all pairs are sorted by their items, and each item adds up its own in the
///   order of the pairs: the bits of its derivative depend on its own pairs, on the weights of the batch and, in
///   mean_of_relevant, on which pairs count, and are the same on every run.
/// - Scratch for a gradient: 48 bytes a pair, and 8 an item; 16 bytes a pair more for a Hessian beside it.
/// - Edge cases: as on the host, but for bad numbers and indices, which `context::check` reports. Value,
///   gradient, Hessian, per_list and tie_gradient of a batch that has one are NaN.
/// @throws std::invalid_argument naming the field when sizes or options are invalid, cuda::error naming the
/// call of the runtime that failed, and std::logic_error when the context has been moved from or would have
/// to allocate while its stream is captured. Sizes and options are checked before anything is queued.
template <class Loss, score T>
requires preference_loss<Loss>
void evaluate(const Loss& loss, const cuda::preference_batch<T>& batch, const cuda::outputs<T>& out,
              cuda::context& ctx) {
  cuda::detail::evaluate_preferences(loss, batch, out, {}, ctx);
}

/// evaluate, and the derivative by the tie parameter of the loss, to [1] in the memory of the device: out.scale *
/// d(value) / d(parameter), or with update::add this number added to it.
template <class Loss, score T>
requires tie_loss<Loss>
void evaluate(const Loss& loss, const cuda::preference_batch<T>& batch, const cuda::outputs<T>& out,
              const cuda::device_span<double>& tie_gradient, cuda::context& ctx) {
  cuda::detail::evaluate_preferences(loss, batch, out, tie_gradient, ctx);
}

}  // namespace rankloss::inline RANKLOSS_ABI
