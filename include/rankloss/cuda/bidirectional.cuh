// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/bidirectional.hpp>
#include <rankloss/cuda/detail/matrix_list_engine.cuh>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/cuda/similarity_batch.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/loss.hpp>

#include <cstddef>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// The engine of a list loss over the rows and the columns of a matrix.
template <class ListLoss>
struct bidirectional_engine {
  using loss_type = bidirectional<ListLoss>;
  using lists_type = matrix_list_engine<ListLoss, engine<ListLoss, context>>;

  template <class T, class R>
  requires has_engine<ListLoss, list_batch<T, R>>
  [[nodiscard]] static std::size_t scratch_bytes(const loss_type& loss, const similarity_batch<T, R>& batch) {
    return lists_type::scratch_bytes(loss.loss, lists_of(loss), batch);
  }

  template <class T, class R>
  static void run(const loss_type& loss, const similarity_batch<T, R>& batch, const outputs<T>& out,
                  context& ctx) {
    using rankloss::detail::require;
    require(loss.columns_by == column_relevance::own || batch.rows == batch.columns,
            "columns_by: of_rows for ", batch.rows, " rows and ", batch.columns,
            " columns, expected a square matrix");
    lists_type::run(loss.loss, lists_of(loss), batch, out, ctx);
  }

 private:
  [[nodiscard]] static line_lists lists_of(const loss_type& loss) noexcept {
    return {loss.over, loss.columns_by == column_relevance::of_rows, false};
  }
};

}  // namespace cuda::detail

template <class ListLoss>
struct engine<bidirectional<ListLoss>, cuda::context> : cuda::detail::bidirectional_engine<ListLoss> {};

}  // namespace rankloss::inline RANKLOSS_ABI
