// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/field_faults.cuh>
#include <rankloss/cuda/detail/launch.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/matrix_lines.cuh>
#include <rankloss/cuda/detail/scratch_behind.hpp>
#include <rankloss/cuda/detail/scratch_plan.hpp>
#include <rankloss/cuda/similarity_batch.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/loss.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// Which lines of a matrix are lists, and by which relevance.
struct line_lists {
  directions over;
  bool columns_by_rows;  ///< column j takes the relevance of row j
  bool matches_alone;    ///< relevance is 1 for a match, whatever relevance is given
};

/// Computes the rows and the columns of a matrix as lists of one length, by an engine of lists.
template <class ListLoss, class ListEngine>
struct matrix_list_engine {
  template <class T, class R>
  [[nodiscard]] static std::size_t scratch_bytes(const ListLoss& loss, const line_lists& lists,
                                                 const similarity_batch<T, R>& batch) {
    const plan<T, R> to(batch);
    std::size_t of_lists = 0;
    for (const bool columns : {false, true})
      if (is_over(lists, columns) && to.pairs > 0)
        of_lists = std::max(of_lists, ListEngine::scratch_bytes(loss, lists_of(batch, to, columns, nullptr)));
    return to.scratch.bytes + of_lists;
  }

  template <class T, class R>
  static void run(const ListLoss& loss, const line_lists& lists, const similarity_batch<T, R>& batch,
                  const outputs<T>& out, context& ctx) {
    const plan<T, R> to(batch);
    ctx.reserve(ctx.held() + scratch_bytes(loss, lists, batch));
    void* const memory = ctx.scratch(to.scratch.bytes);
    const cudaStream_t stream = ctx.stream();
    const bool check = ctx.checks == data_checks::on;
    auto* const state = scratch_plan::at<matrix_state>(memory, to.state);

    using compute_type = typename ListEngine::on_list;
    std::string_view expected;
    rankloss::detail::for_each_inner(loss, [&](const auto& inner) {
      if constexpr (requires { inner.expects(); }) expected = inner.expects();
    });
    const matrix_fields<compute_type, T, R> fields{
        .compute = compute_type::of(loss),
        .pairs = {batch, lists.columns_by_rows, lists.matches_alone},
        .looked = check ? std::max({to.pairs, batch.rows, batch.columns}) : 0};
    look(fields, ctx.faults(), stream);
    launch("begin_matrix", begin_matrix<matrix_fields<compute_type, T, R>>, 1, 1, 0, stream, fields,
           fault_words{matrix_words, expected.data(), expected.size()}, ctx.faults(), state);

    const bool both = lists.over == directions::both;
    const double direction = batch.reduction == reduction::sum || !both ? 1.0 : 0.5;
    const matrix_results<T> results{.out = out,
                                    .rows = batch.rows,
                                    .columns = batch.columns,
                                    .stride = batch.stride > 0 ? batch.stride : batch.columns,
                                    .direction = direction,
                                    .over_rows = is_over(lists, false) && to.pairs > 0,
                                    .over_columns = is_over(lists, true) && to.pairs > 0,
                                    .state = state};
    const alone_with_scratch rest(ctx, to.scratch.bytes);
    for (const bool columns : {false, true}) {
      if (!(columns ? results.over_columns : results.over_rows)) continue;
      const unsigned tiles = line_tiles(batch.rows, batch.columns);
      auto* const gradient = scratch_plan::at<T>(memory, to.gradient);
      launch(
          "lay_out_lines", lay_out_lines<T, R>, tiles, line_tile_threads, 0, stream, fields.pairs,
          line_arrays<T, R>{.columns = columns,
                            .scores = scratch_plan::at<T>(memory, to.scores),
                            .relevance = scratch_plan::at<R>(memory, to.relevance),
                            .mask = to.masked ? scratch_plan::at<std::uint8_t>(memory, to.mask) : nullptr});
      const bool slopes = !out.gradient.empty();
      const std::size_t lines = columns ? batch.columns : batch.rows;
      double* const values =
          out.per_list.empty() ? nullptr : out.per_list.data() + (columns ? batch.rows : 0);
      ListEngine::run(loss, lists_of(batch, to, columns, memory),
                      outputs<T>{.value = device_span<double>(&state->value[columns], 1),
                                 .gradient = device_span<T>(gradient, slopes ? to.pairs : 0),
                                 .per_list = device_span<double>(values, values != nullptr ? lines : 0),
                                 .scale = rankloss::detail::held_as<double>(direction * out.scale)},
                      ctx);
      if (slopes)
        launch("put_lines", put_lines<T>, tiles, line_tile_threads, 0, stream, results, gradient, columns,
               columns && results.over_rows ? update::add : out.update);
    }
    launch("end_matrix", end_matrix<T>, 1, reduce_threads, 0, stream, results);
  }

 private:
  /// While it lasts engines of lists take the scratch behind the first bytes, and look at no numbers: those of
  /// the matrix have been looked at.
  struct alone_with_scratch {
    alone_with_scratch(context& ctx, std::size_t bytes) : behind(ctx, bytes), checks(ctx.checks) {
      ctx.checks = data_checks::off;
    }
    ~alone_with_scratch() { behind.of.checks = checks; }
    alone_with_scratch(const alone_with_scratch&) = delete;
    alone_with_scratch& operator=(const alone_with_scratch&) = delete;

    scratch_behind behind;
    data_checks checks;
  };

  [[nodiscard]] static bool is_over(const line_lists& lists, bool columns) noexcept {
    return lists.over != (columns ? directions::rows : directions::columns);
  }

  template <class T, class R>
  struct plan {
    explicit plan(const similarity_batch<T, R>& batch)
        : pairs(batch.rows * batch.columns),
          masked(!batch.mask.empty() || batch.without_diagonal || !batch.row_ids.empty()),
          state(scratch.take<matrix_state>(1)),
          scores(scratch.take<T>(pairs)),
          relevance(scratch.take<R>(pairs)),
          mask(scratch.take<std::uint8_t>(masked ? pairs : 0)),
          gradient(scratch.take<T>(pairs)) {}

    scratch_plan scratch;
    std::size_t pairs;
    bool masked;
    std::size_t state, scores, relevance, mask, gradient;
  };

  /// The rows or the columns as they are laid out.
  template <class T, class R>
  [[nodiscard]] static list_batch<T, R> lists_of(const similarity_batch<T, R>& batch, const plan<T, R>& to,
                                                 bool columns, void* memory) {
    const auto array = [&]<class X>(std::size_t offset, std::size_t count, X*) {
      return device_span<const X>(scratch_plan::at<X>(memory, offset), count);
    };
    return {.scores = array(to.scores, to.pairs, static_cast<T*>(nullptr)),
            .relevance = array(to.relevance, to.pairs, static_cast<R*>(nullptr)),
            .list_weights = columns ? batch.column_weights : batch.row_weights,
            .length = columns ? batch.rows : batch.columns,
            .mask = array(to.mask, to.masked ? to.pairs : 0, static_cast<std::uint8_t*>(nullptr)),
            .reduction = batch.reduction};
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
