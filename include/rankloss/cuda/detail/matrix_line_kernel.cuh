// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/field_faults.cuh>
#include <rankloss/cuda/detail/launch.cuh>
#include <rankloss/cuda/detail/line_kernel.cuh>
#include <rankloss/cuda/detail/line_sums.cuh>
#include <rankloss/cuda/detail/line_tasks.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/matrix_lines.cuh>
#include <rankloss/cuda/detail/product_tile.cuh>
#include <rankloss/cuda/detail/scratch_plan.hpp>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/term_kernel.cuh>
#include <rankloss/cuda/device_span.hpp>
#include <rankloss/cuda/similarity_batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/loss.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

/// Runs a similarity loss over a matrix of similarities, by what line_sums.cuh and line_tasks.cuh know of lines.
///
/// A block reads a tile once, row by row, into shared memory, where its rows and its columns are both at hand. So
/// a look reads every similarity once, for both directions. The derivatives are written where the similarities lie,
/// each by one thread.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

using rankloss::detail::bounded;

/// Loss kernels that know what an infinite score means. Others are given the largest numbers in place of it.
template <class Lines>
inline constexpr bool takes_infinite = requires {
  requires Lines::takes_infinite;
};

/// The similarities.
template <class Lines, class T>
struct matrix_scores {
  const T* similarity;
  std::size_t stride;

  [[nodiscard]] __device__ T operator()(std::size_t i, std::size_t j) const {
    const T s = similarity[i * stride + j];
    return takes_infinite<Lines> ? s : bounded(s);
  }
};

/// Fills the sums of a panel. One tile a block.
template <class Look, class Lines, class T>
__global__ void __launch_bounds__(product_threads, least_sum_blocks<T>)
    sum_matrix_tiles(const matrix_scores<Lines, T> scores, const pair_task pairs, const Look look,
                     const panel_sums<typename Look::result> sums) {
  __shared__ sum_memory<T, typename Look::result> memory;
  const std::size_t column_tiles = (sums.columns + tile_side - 1) / tile_side;
  const std::size_t row = sums.first_row + blockIdx.x / column_tiles * tile_side;
  const std::size_t column = blockIdx.x % column_tiles * tile_side;
  const unsigned c = threadIdx.x % tile_side;
  if (column + c < pairs.columns)
    for (unsigned r = threadIdx.x / tile_side; r < tile_side && row + r < pairs.rows;
         r += product_threads / tile_side)
      memory.scores[r][c] = scores(row + r, column + c);
  sum_tile(pairs, look, sums, row, column, memory);
}

/// What becomes of the sums of all lines: what `finish_lines` and `reduce_lines` ask for.
template <class Lines, class T>
struct matrix_line_task {
  using score_type = T;

  Lines lines;
  matrix_scores<Lines, T> scores;
  pair_task pairs;
  device_reals row_weights, column_weights;
  reduction reduced;
  outputs<T> out;
  std::size_t rows, columns;
  bool over_rows, over_columns, check, looks_twice;
  const typename Lines::first* first;    ///< [rows + columns]
  const typename Lines::second* second;  ///< [rows + columns]
  typename Lines::slope* slopes;         ///< [rows + columns]
  double* values;                        ///< [rows + columns]
  double* by_temperature;                ///< [rows + columns]
  double* by_bias;                       ///< [rows + columns]
  list_mean* means;                      ///< of rows and of columns
  const std::uint64_t* bad;              ///< not 0: a number of the batch is bad

  [[nodiscard]] __device__ bool is_over(bool of_columns) const {
    return of_columns ? over_columns : over_rows;
  }
  [[nodiscard]] __device__ std::size_t count(bool of_columns) const { return of_columns ? columns : rows; }
  /// Of row or column k.
  [[nodiscard]] __device__ double weight(bool of_columns, std::size_t k) const {
    if (reduced == reduction::mean_of_relevant && !first[(of_columns ? rows : 0) + k].has_positives())
      return 0.0;
    const device_reals& weights = of_columns ? column_weights : row_weights;
    if (weights.empty()) return 1.0;
    return check && bad_weight_at(weights, k) ? 0.0 : weights[k];
  }
};

/// Finds the shares of rows and of columns. One block.
template <class Task>
__global__ void __launch_bounds__(reduce_threads) weigh_matrix_lines(const Task task) {
  __shared__ block_team::slots slots;
  weigh_directions(block_team(slots), task, task.reduced);
}

/// Columns of a block that writes slopes, one a lane, and its rows.
inline constexpr unsigned slope_columns = warp_size, slope_rows = 64, slope_threads = 256;

/// Writes the derivatives by the similarities. What a column needs stays with its thread.
template <class Task>
__global__ void __launch_bounds__(slope_threads) write_matrix_slopes(const Task task) {
  using T = typename Task::score_type;
  using slope = std::remove_pointer_t<decltype(task.slopes)>;
  const std::size_t across = (task.columns + slope_columns - 1) / slope_columns;
  const std::size_t j = blockIdx.x % across * slope_columns + threadIdx.x % slope_columns;
  if (j >= task.columns) return;
  const std::size_t first = blockIdx.x / across * slope_rows;
  const bool bad = *task.bad != 0;
  slope of_column{};
  if (task.over_columns) of_column = task.slopes[task.rows + j];
  for (unsigned r = threadIdx.x / slope_columns; r < slope_rows && first + r < task.rows;
       r += slope_threads / slope_columns) {
    const std::size_t i = first + r;
    T& to = task.out.gradient[i * task.scores.stride + j];
    if (bad) {
      to = not_a_number<T>;
      continue;
    }
    const T own = pair_slope(task.pairs, task.lines, task.slopes[i], of_column, task.pairs.kind(i, j),
                             task.scores(i, j), i, j);
    put_number(to, held_as<double>(task.out.scale * static_cast<double>(own)), task.out.update);
  }
}

/// A similarity loss looks at matches alone: any finite relevance will do.
struct any_relevance {};

/// The engine of a loss over a matrix. `Lines<T>` is what `embedding_engine` takes.
template <class Loss, template <class> class Lines>
struct matrix_line_engine {
  template <class T, class R>
  [[nodiscard]] static std::size_t scratch_bytes(const Loss&, const similarity_batch<T, R>& batch) {
    return plan<T>(batch.rows, batch.columns, panel_rows(batch)).bytes;
  }
  template <class T, class R>
  static void run(const Loss& loss, const similarity_batch<T, R>& batch, const outputs<T>& out,
                  context& ctx) {
    run_in_panels(loss, batch, out, ctx, panel_rows(batch));
  }

  /// @param height  rows of a panel, a multiple of tile_side
  template <class T, class R>
  static void run_in_panels(const Loss& loss, const similarity_batch<T, R>& batch, const outputs<T>& out,
                            context& ctx, std::size_t height) {
    using lines_type = Lines<T>;
    using task_type = matrix_line_task<lines_type, T>;
    using fields_type = matrix_fields<any_relevance, T, R>;
    check_matches(batch);
    const std::size_t rows = batch.rows, columns = batch.columns;
    const plan<T> to(rows, columns, height);
    const bool several = !batch.matches.empty() || !batch.row_classes.empty();
    lines_type lines = lines_type::of(loss, several, !out.temperature_gradient.empty());
    void* const memory = ctx.scratch(to.bytes);
    const cudaStream_t stream = ctx.stream();
    to.lines.weigh_items(lines, batch.row_probabilities, batch.column_probabilities, rows, columns, memory,
                         stream);

    auto* const state = scratch_plan::at<matrix_state>(memory, to.state);
    const bool check = ctx.checks == data_checks::on;
    const fields_type fields{.compute = {},
                             .pairs = {batch, false},
                             .looked = check ? std::max({rows * columns, rows, columns}) : 0};
    look(fields, ctx.faults(), stream);
    launch("begin_matrix", begin_matrix<fields_type>, 1, 1, 0, stream, fields, fault_words{matrix_words},
           ctx.faults(), state);

    const pair_task pairs{.rows = rows,
                          .columns = columns,
                          .matches = batch.matches,
                          .row_classes = batch.row_classes,
                          .column_classes = batch.column_classes,
                          .mask = batch.mask,
                          .row_ids = batch.row_ids,
                          .column_ids = batch.column_ids,
                          .by_class = !batch.row_classes.empty(),
                          .without_diagonal = batch.without_diagonal,
                          .over_rows = loss.over != directions::columns,
                          .over_columns = loss.over != directions::rows};
    using first_type = typename lines_type::first;
    using second_type = typename lines_type::second;
    auto* const first = scratch_plan::at<first_type>(memory, to.lines.first);
    auto* const second = scratch_plan::at<second_type>(memory, to.lines.second);
    const task_type task{.lines = lines,
                         .scores = {batch.similarity.data(), batch.stride > 0 ? batch.stride : columns},
                         .pairs = pairs,
                         .row_weights = batch.row_weights,
                         .column_weights = batch.column_weights,
                         .reduced = batch.reduction,
                         .out = out,
                         .rows = rows,
                         .columns = columns,
                         .over_rows = pairs.over_rows,
                         .over_columns = pairs.over_columns,
                         .check = check,
                         .looks_twice = lines.looks_twice,
                         .first = first,
                         .second = second,
                         .slopes = scratch_plan::at<typename lines_type::slope>(memory, to.lines.slopes),
                         .values = scratch_plan::at<double>(memory, to.lines.values),
                         .by_temperature = scratch_plan::at<double>(memory, to.lines.by_temperature),
                         .by_bias = scratch_plan::at<double>(memory, to.lines.by_bias),
                         .means = scratch_plan::at<list_mean>(memory, to.lines.means),
                         .bad = &state->bad};
    const auto form = [&](const auto& look, const auto& sums) {
      using look_type = std::remove_cvref_t<decltype(look)>;
      launch("sum_matrix_tiles", sum_matrix_tiles<look_type, lines_type, T>,
             blocks_for(sums.rows, tile_side) * blocks_for(columns, tile_side), product_threads, 0, stream,
             task.scores, pairs, look, sums);
    };
    void* const panel = scratch_plan::at<void>(memory, to.panel);
    look_at_lines(first_look<lines_type>{lines}, pairs, height, panel, first, stream, form);
    if constexpr (!std::same_as<second_type, no_sums>)
      if (lines.looks_twice)
        look_at_lines(second_look<lines_type>{lines, first}, pairs, height, panel, second, stream, form);
    launch("weigh_matrix_lines", weigh_matrix_lines<task_type>, 1, reduce_threads, 0, stream, task);
    if (rows + columns > 0)
      launch("finish_lines", finish_lines<task_type>, blocks_for(rows + columns, line_threads), line_threads,
             0, stream, task);
    launch("reduce_lines", reduce_lines<task_type>, 1, reduce_threads, 0, stream, task);
    if (!out.gradient.empty() && rows * columns > 0)
      launch("write_matrix_slopes", write_matrix_slopes<task_type>,
             blocks_for(rows, slope_rows) * blocks_for(columns, slope_columns), slope_threads, 0, stream,
             task);
  }

 private:
  /// Rows whose sums take no more memory than is little.
  template <class T, class R>
  [[nodiscard]] static std::size_t panel_rows(const similarity_batch<T, R>& batch) {
    const std::size_t columns = std::max<std::size_t>(1, batch.columns);
    return std::max<std::size_t>(1, least_panel / columns / tile_side) * tile_side;
  }

  /// Where what lies in scratch.
  template <class T>
  struct plan : scratch_plan {
    plan(std::size_t rows, std::size_t columns, std::size_t height)
        : state(take<matrix_state>(1)),
          lines(*this, rows + columns),
          panel(take(sum_bytes<Lines<T>>(std::min(height, rows), columns))) {}

    std::size_t state;
    line_places<Lines<T>> lines;
    std::size_t panel;
  };
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
