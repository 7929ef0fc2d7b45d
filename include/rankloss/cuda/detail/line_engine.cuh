// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/line_kernel.cuh>
#include <rankloss/cuda/detail/matrix_line_kernel.cuh>
#include <rankloss/cuda/detail/prefix_sums.cuh>
#include <rankloss/cuda/detail/scratch_behind.hpp>
#include <rankloss/cuda/detail/value_sums.cuh>
#include <rankloss/cuda/embedding_batch.hpp>
#include <rankloss/cuda/similarity_batch.hpp>
#include <rankloss/loss.hpp>

#include <cstddef>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// The engine of a loss over embeddings, of all their components or of several prefixes, and over a matrix.
template <class Loss, template <class> class Lines>
struct line_engine : embedding_engine<Loss, Lines>, matrix_line_engine<Loss, Lines> {
  using on_embeddings = embedding_engine<Loss, Lines>;
  using on_matrix = matrix_line_engine<Loss, Lines>;
  using on_embeddings::run_in_panels;
  using on_matrix::run;
  using on_matrix::run_in_panels;
  using on_matrix::scratch_bytes;

  template <class T>
  [[nodiscard]] static std::size_t scratch_bytes(const Loss& loss, const embedding_batch<T>& batch) {
    return bytes_of_prefixes(batch, [&](const embedding_batch<T>& own) { return bytes(loss, own); });
  }
  template <class T>
  static void run(const Loss& loss, const embedding_batch<T>& batch, const embedding_outputs<T>& out,
                  context& ctx) {
    run_prefixes(
        batch, out, ctx, [&](const embedding_batch<T>& own) { return bytes(loss, own); },
        [&](const embedding_batch<T>& own, const embedding_outputs<T>& own_out) {
          run_directions(loss, own, own_out, ctx, bytes(loss, own));
        });
  }

  /// By products of matrices that `products` forms.
  template <class T, class Products>
  [[nodiscard]] static std::size_t scratch_bytes(const Loss& loss, const embedding_batch<T>& batch,
                                                 const Products& products) {
    return bytes_of_prefixes(batch,
                             [&](const embedding_batch<T>& own) { return bytes(loss, own, products); });
  }
  template <class T, class Products>
  static void run(const Loss& loss, const embedding_batch<T>& batch, const embedding_outputs<T>& out,
                  context& ctx, Products& products, std::size_t most_rows = 0) {
    run_prefixes(
        batch, out, ctx, [&](const embedding_batch<T>& own) { return bytes(loss, own, products); },
        [&](const embedding_batch<T>& own, const embedding_outputs<T>& own_out) {
          run_directions(loss, own, own_out, ctx, bytes(loss, own, products), products, most_rows);
        });
  }

 private:
  template <class T>
  [[nodiscard]] static value_plan plan_of_directions(const Loss& loss, const embedding_batch<T>& batch) {
    return value_plan(differs_by_direction(batch, loss.over) ? batch.rows + batch.columns : 0);
  }
  template <class T, class... Products>
  [[nodiscard]] static std::size_t bytes(const Loss& loss, const embedding_batch<T>& batch,
                                         const Products&... products) {
    const std::size_t own = on_embeddings::scratch_bytes(loss, batch, products...);
    return differs_by_direction(batch, loss.over) ? plan_of_directions(loss, batch).bytes + own : own;
  }
  /// Over both directions at once, or over one after the other where their similarities are different ones.
  /// @param enough  bytes of scratch
  template <class T, class... Products>
  static void run_directions(const Loss& loss, const embedding_batch<T>& batch,
                             const embedding_outputs<T>& out, context& ctx, std::size_t enough,
                             Products&&... products) {
    if (!differs_by_direction(batch, loss.over))
      return on_embeddings::run(loss, batch, out, ctx, products...);
    const value_plan to = plan_of_directions(loss, batch);
    ctx.reserve(ctx.held() + enough);
    void* const memory = ctx.scratch(to.bytes);
    const scratch_behind rest(ctx, to.bytes);
    const double half = batch.reduction == reduction::sum ? 1.0 : 0.5;
    embedding_outputs<T> own = to.outputs_of_term(out, memory);
    own.scale = half * out.scale;
    for (const bool columns : {false, true}) {
      Loss of_direction = loss;
      of_direction.over = columns ? directions::columns : directions::rows;
      on_embeddings::run(of_direction, batch, own, ctx, products...);
      to.add(out, memory, half, 1.0, !columns, ctx.stream());
      own.update = update::add;
    }
  }
};

/// The engine of a loss that corrects for how items were sampled, by other lines where their probabilities
/// are given.
template <class Loss, template <class> class Lines, template <class> class SampledLines>
struct sampled_line_engine {
  using plain = line_engine<Loss, Lines>;
  using sampled = line_engine<Loss, SampledLines>;

  template <class Batch, class... Products>
  requires requires(const Loss& loss, const Batch& batch) { plain::scratch_bytes(loss, batch); }
  [[nodiscard]] static std::size_t scratch_bytes(const Loss& loss, const Batch& batch,
                                                 const Products&... products) {
    return is_sampled(batch) ? sampled::scratch_bytes(loss, batch, products...)
                             : plain::scratch_bytes(loss, batch, products...);
  }
  template <class Batch, class Outputs, class... Products>
  static void run(const Loss& loss, const Batch& batch, const Outputs& out, context& ctx,
                  Products&&... products) {
    if (is_sampled(batch))
      sampled::run(loss, batch, out, ctx, products...);
    else
      plain::run(loss, batch, out, ctx, products...);
  }
  template <class Batch, class Outputs>
  static void run_in_panels(const Loss& loss, const Batch& batch, const Outputs& out, context& ctx,
                            std::size_t height) {
    if (is_sampled(batch))
      sampled::run_in_panels(loss, batch, out, ctx, height);
    else
      plain::run_in_panels(loss, batch, out, ctx, height);
  }

 private:
  template <class Batch>
  [[nodiscard]] static bool is_sampled(const Batch& batch) noexcept {
    return !batch.row_probabilities.empty() || !batch.column_probabilities.empty();
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
