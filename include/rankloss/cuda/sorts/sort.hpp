// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/batch.hpp>
#include <rankloss/cuda/context.hpp>
#include <rankloss/cuda/detail/list_shape.hpp>
#include <rankloss/cuda/ranks/rank.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/options.hpp>

#include <cstdint>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// What is asked of a soft sort.
enum class sort_product : std::uint64_t { apply, transposed, pullback };

/// Makes all checks that the host can make, then queues. `cotangent` is empty but in a pullback.
template <class Sort, class T>
void run_sort(const Sort& how, const score_batch<T>& batch, sort_product what, device_span<const T> values,
              device_span<const T> cotangent, named_array<T> out, context& ctx) {
  using rankloss::detail::check_size;
  expect_score_engine<Sort, T>();
  if constexpr (has_score_engine<Sort, T>) {
    rankloss::validate(how);
    check_lists(batch);
    const std::size_t items = batch.scores.size();
    check_size("values", values.size(), items, "one per score");
    if (what == sort_product::pullback) check_size("cotangent", cotangent.size(), items, "one per score");
    check_size(out.field, out.values.size(), items, "one per score");
    engine<Sort, context>::run(how, batch, what, values, cotangent, out.values, ctx);
  }
}

}  // namespace cuda::detail

/// sort_apply: queues on the stream of the context what computes P(scores) values for lists of scores in the
/// memory of the device, each list for itself. The same words as for scores in the memory of the host.
///
/// Row i of P is for the i-th largest score of its list, and its number stands at the i-th item of the list; of a
/// list with a mask at the i-th item that the mask keeps.
///
/// - It neither waits nor reads back, and gives the same bits on every run and beside every other list, as
///   cuda's `evaluate` does.
/// - Edge cases: elements that belong to no item, because of a mask or of lengths, are 0. A list with a bad number
///   is NaN, and `context::check` reports it.
/// @throws std::invalid_argument naming the field when sizes or options are invalid, cuda::error naming the
/// call of the runtime that failed, and std::logic_error when the context has been moved from or would have
/// to allocate while its stream is captured. Sizes and options are checked before anything is queued.
template <class Sort, score T>
void sort_apply(const Sort& how, const cuda::score_batch<T>& batch,
                std::type_identity_t<cuda::device_span<const T>> values,
                std::type_identity_t<cuda::device_span<T>> out, cuda::context& ctx) {
  cuda::detail::run_sort<Sort, T>(how, batch, cuda::detail::sort_product::apply, values, {}, {"out", out},
                                  ctx);
}

/// sort_apply_transposed: the transpose of P(scores) times values, for each list; otherwise as sort_apply.
template <class Sort, score T>
void sort_apply_transposed(const Sort& how, const cuda::score_batch<T>& batch,
                           std::type_identity_t<cuda::device_span<const T>> values,
                           std::type_identity_t<cuda::device_span<T>> out, cuda::context& ctx) {
  cuda::detail::run_sort<Sort, T>(how, batch, cuda::detail::sort_product::transposed, values, {},
                                  {"out", out}, ctx);
}

/// sort_pullback: the gradient by the scores of sum_ij cotangent_i P_ij values_j, for each list; otherwise as
/// sort_apply.
template <class Sort, score T>
void sort_pullback(const Sort& how, const cuda::score_batch<T>& batch,
                   std::type_identity_t<cuda::device_span<const T>> values,
                   std::type_identity_t<cuda::device_span<const T>> cotangent,
                   std::type_identity_t<cuda::device_span<T>> gradient, cuda::context& ctx) {
  cuda::detail::run_sort<Sort, T>(how, batch, cuda::detail::sort_product::pullback, values, cotangent,
                                  {"gradient", gradient}, ctx);
}

}  // namespace rankloss::inline RANKLOSS_ABI
