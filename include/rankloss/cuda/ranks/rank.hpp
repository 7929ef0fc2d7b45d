// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/batch.hpp>
#include <rankloss/cuda/context.hpp>
#include <rankloss/cuda/detail/faults.hpp>
#include <rankloss/cuda/detail/list_shape.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/options.hpp>

#include <cstddef>
#include <string_view>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

template <class How, class T>
concept has_score_engine = requires(const How& how, const score_batch<T>& batch) {
  sizeof(engine<How, context>);
  engine<How, context>::scratch_bytes(how, batch);
};

template <class How, class T>
constexpr void expect_score_engine() {
  static_assert(
      has_score_engine<How, T>,
      "rankloss: these ranks or this sort have no kernel here; include <rankloss/cuda/ranks/NAME.cuh> or <rankloss/cuda/sorts/NAME.cuh> in a file that nvcc compiles, where docs/cuda.md lists it");
}

/// An array of a call, by the name of its field.
template <class T>
struct named_array {
  std::string_view field;
  device_span<T> values;
};

/// Shared part of the functions over lists of scores: makes all checks that the host can make, then queues.
/// @param input  what the function reads besides the scores, of the kind `kind`; without a field where it reads
///               nothing else
template <class How, class T>
void run_over_scores(const How& how, const score_batch<T>& batch, named_array<const T> input, fault kind,
                     named_array<T> out, context& ctx) {
  using rankloss::detail::check_size;
  expect_score_engine<How, T>();
  if constexpr (has_score_engine<How, T>) {
    rankloss::validate(how);
    check_lists(batch);
    const std::size_t items = batch.scores.size();
    if (!input.field.empty()) check_size(input.field, input.values.size(), items, "one per score");
    check_size(out.field, out.values.size(), items, "one per score");
    engine<How, context>::run(how, batch, input.values, kind, out.values, ctx);
  }
}

}  // namespace cuda::detail

/// rank: queues on the stream of the context what computes the ranks of lists of scores in the memory of the
/// device, each list for itself. The same words as for scores in the memory of the host.
///
/// - It neither waits nor reads back, and gives the same bits on every run and beside every other list, as
///   cuda's `evaluate` does.
/// - Edge cases: elements that belong to no item, because of a mask or of lengths, are 0. The ranks of a list
///   with NaN among its scores are NaN, and `context::check` reports it.
/// @throws std::invalid_argument naming the field when sizes or options are invalid, cuda::error naming the
/// call of the runtime that failed, and std::logic_error when the context has been moved from or would have
/// to allocate while its stream is captured. Sizes and options are checked before anything is queued.
template <class Ranks, score T>
void rank(const Ranks& how, const cuda::score_batch<T>& batch,
          std::type_identity_t<cuda::device_span<T>> ranks, cuda::context& ctx) {
  cuda::detail::run_over_scores<Ranks, T>(how, batch, {}, cuda::detail::fault::cotangent, {"ranks", ranks},
                                          ctx);
}

/// rank_pullback: overwrites gradient_i with sum_j cotangent_j d(rank_j) / d(s_i), for each list; otherwise as
/// rank.
template <class Ranks, score T>
requires(rankloss::detail::gives_gradient<Ranks>) void rank_pullback(
    const Ranks& how, const cuda::score_batch<T>& batch,
    std::type_identity_t<cuda::device_span<const T>> cotangent,
    std::type_identity_t<cuda::device_span<T>> gradient, cuda::context& ctx) {
  cuda::detail::run_over_scores<Ranks, T>(how, batch, {"cotangent", cotangent},
                                          cuda::detail::fault::cotangent, {"gradient", gradient}, ctx);
}

/// rank_push: overwrites change_j with sum_i d(rank_j) / d(s_i) tangent_i, for each list; otherwise as rank.
template <class Ranks, score T>
requires(rankloss::detail::gives_gradient<Ranks>) void rank_push(
    const Ranks& how, const cuda::score_batch<T>& batch,
    std::type_identity_t<cuda::device_span<const T>> tangent,
    std::type_identity_t<cuda::device_span<T>> change, cuda::context& ctx) {
  cuda::detail::run_over_scores<Ranks, T>(how, batch, {"tangent", tangent}, cuda::detail::fault::tangent,
                                          {"change", change}, ctx);
}

namespace cuda {

/// scratch_bytes: what a function over lists of scores takes of the scratch of a context, for
/// `context::reserve`.
template <class How, score T>
[[nodiscard]] std::size_t scratch_bytes(const How& how, const score_batch<T>& batch) {
  detail::expect_score_engine<How, T>();
  if constexpr (detail::has_score_engine<How, T>) {
    detail::check_lists(batch);
    return engine<How, context>::scratch_bytes(how, batch);
  }
  return 0;
}

}  // namespace cuda
}  // namespace rankloss::inline RANKLOSS_ABI
