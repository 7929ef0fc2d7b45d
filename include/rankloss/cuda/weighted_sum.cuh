// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/context.hpp>
#include <rankloss/cuda/detail/launch.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/scratch_behind.hpp>
#include <rankloss/cuda/detail/value_sums.cuh>
#include <rankloss/cuda/embedding_batch.hpp>
#include <rankloss/cuda/error.hpp>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/cuda/similarity_batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/weighted_sum.hpp>

#include <algorithm>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// Sets the derivatives by the pairs of a matrix to 0, and nothing between its rows.
template <class T>
__global__ void __launch_bounds__(reduce_threads)
    clear_pairs(const device_span<T> gradient, std::size_t pairs, std::size_t columns, std::size_t stride) {
  for (std::size_t n = std::size_t{blockIdx.x} * reduce_threads + threadIdx.x; n < pairs;
       n += std::size_t{gridDim.x} * reduce_threads)
    gradient[n / columns * stride + n % columns] = T{0};
}

/// Batches of embeddings and matrices.
template <class Batch>
concept has_lines = requires(const Batch& batch) {
  batch.row_weights;
};

/// The engine of a sum of similarity losses: each term in turn, which adds to the gradients of those before it.
template <class... Losses>
struct weighted_sum_engine {
  using loss_type = weighted_sum<Losses...>;

  /// @param products  none, or what forms products of matrices
  template <class Batch, class... Products>
  requires(has_lines<Batch> && (has_engine<Losses, Batch> && ...)) [[nodiscard]] static std::size_t
      scratch_bytes(const loss_type& loss, const Batch& batch, const Products&... products) {
    std::size_t most = 0;
    for_each(loss, [&](const auto& term) {
      most = std::max(most, engine_of<decltype(term)>::scratch_bytes(term.loss, batch, products...));
    });
    return value_plan(lines_of(batch)).bytes + most;
  }

  template <class Batch, class Outputs, class... Products>
  requires(sizeof...(Products) <= 1) static void run(const loss_type& loss, const Batch& batch,
                                                     const Outputs& out, context& ctx,
                                                     Products&... products) {
    const value_plan to(lines_of(batch));
    ctx.reserve(ctx.held() + scratch_bytes(loss, batch, products...));
    void* const memory = ctx.scratch(to.bytes);
    const cudaStream_t stream = ctx.stream();
    Outputs own = to.outputs_of_term(out, memory);
    bool first = true;
    {
      const scratch_behind rest(ctx, to.bytes);
      for_each(loss, [&](const auto& term) {
        own.scale = rankloss::detail::held_as<double>(term.weight * out.scale);
        engine_of<decltype(term)>::run(term.loss, batch, own, ctx, products...);
        to.add(out, memory, term.weight, term.weight, first, stream);
        own.update = update::add;
        first = false;
      });
    }
    if (!first) return;
    const auto clear = [&](const auto& numbers) {
      if (!numbers.empty())
        require_success(cudaMemsetAsync(numbers.data(), 0, numbers.size() * sizeof *numbers.data(), stream),
                        "cudaMemsetAsync");
    };
    clear(out.value);
    clear(out.per_list);
    if (out.update == update::overwrite) clear_gradients(batch, out, clear, stream);
  }

 private:
  template <class T>
  [[nodiscard]] static std::size_t lines_of(const embedding_batch<T>& batch) {
    return batch.rows + columns_of(batch);
  }
  template <class T, class R>
  [[nodiscard]] static std::size_t lines_of(const similarity_batch<T, R>& batch) {
    return batch.rows + batch.columns;
  }

  template <class Term>
  using engine_of = engine<std::remove_cvref_t<decltype(std::declval<Term>().loss)>, context>;

  /// Terms of weight 0 are left out.
  template <class Visit>
  static void for_each(const loss_type& loss, const Visit& visit) {
    const auto unless_0 = [&](const auto& term) {
      if (term.weight != 0.0) visit(term);
    };
    std::apply([&](const auto&... term) { (unless_0(term), ...); }, loss.terms);
  }

  template <class T, class Clear>
  static void clear_gradients(const embedding_batch<T>&, const embedding_outputs<T>& out, const Clear& clear,
                              cudaStream_t) {
    clear(out.row_gradient);
    clear(out.column_gradient);
  }
  template <class T, class R, class Clear>
  static void clear_gradients(const similarity_batch<T, R>& batch, const outputs<T>& out, const Clear&,
                              cudaStream_t stream) {
    const std::size_t pairs = batch.rows * batch.columns;
    if (!out.gradient.empty() && pairs > 0)
      launch("clear_pairs", clear_pairs<T>,
             static_cast<unsigned>(std::min(most_blocks, (pairs + reduce_threads - 1) / reduce_threads)),
             reduce_threads, 0, stream, out.gradient, pairs, batch.columns,
             batch.stride > 0 ? batch.stride : batch.columns);
  }
};

}  // namespace cuda::detail

template <class... Losses>
struct engine<weighted_sum<Losses...>, cuda::context> : cuda::detail::weighted_sum_engine<Losses...> {};

}  // namespace rankloss::inline RANKLOSS_ABI
