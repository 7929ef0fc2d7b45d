// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/line_kernel.cuh>
#include <rankloss/cuda/detail/matrix_line_kernel.cuh>
#include <rankloss/cuda/detail/prefix_sums.cuh>
#include <rankloss/cuda/embedding_batch.hpp>
#include <rankloss/cuda/similarity_batch.hpp>

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
    return bytes_of_prefixes(
        batch, [&](const embedding_batch<T>& own) { return on_embeddings::scratch_bytes(loss, own); });
  }
  template <class T>
  static void run(const Loss& loss, const embedding_batch<T>& batch, const embedding_outputs<T>& out,
                  context& ctx) {
    run_prefixes(
        batch, out, ctx,
        [&](const embedding_batch<T>& own) { return on_embeddings::scratch_bytes(loss, own); },
        [&](const embedding_batch<T>& own, const embedding_outputs<T>& own_out) {
          on_embeddings::run(loss, own, own_out, ctx);
        });
  }

  /// By products of matrices that `products` forms.
  template <class T, class Products>
  [[nodiscard]] static std::size_t scratch_bytes(const Loss& loss, const embedding_batch<T>& batch,
                                                 const Products& products) {
    return bytes_of_prefixes(batch, [&](const embedding_batch<T>& own) {
      return on_embeddings::scratch_bytes(loss, own, products);
    });
  }
  template <class T, class Products>
  static void run(const Loss& loss, const embedding_batch<T>& batch, const embedding_outputs<T>& out,
                  context& ctx, Products& products, std::size_t most_rows = 0) {
    run_prefixes(
        batch, out, ctx,
        [&](const embedding_batch<T>& own) { return on_embeddings::scratch_bytes(loss, own, products); },
        [&](const embedding_batch<T>& own, const embedding_outputs<T>& own_out) {
          on_embeddings::run(loss, own, own_out, ctx, products, most_rows);
        });
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
