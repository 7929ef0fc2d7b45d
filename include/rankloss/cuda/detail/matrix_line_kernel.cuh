// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/field_faults.cuh>
#include <rankloss/cuda/detail/launch.cuh>
#include <rankloss/cuda/detail/line_kernel.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/matrix_lines.cuh>
#include <rankloss/cuda/detail/product_tile.cuh>
#include <rankloss/cuda/detail/scratch_plan.hpp>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/term_kernel.cuh>
#include <rankloss/cuda/similarity_batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/loss.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

/// Runs a similarity loss over a matrix of similarities, by what line_kernel.cuh knows of a line.
///
/// A block reads a tile once, row by row, into shared memory, where its rows and its columns are both at hand. So
/// a look reads every similarity once, for both directions. Sums of segments are merged as those of tiles of
/// products are. The derivatives are written where the similarities lie, each by one thread.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

using rankloss::detail::bounded;

/// Loss kernels that know what an infinite score means. Others are given the largest numbers in place of it.
template <class Lines>
inline constexpr bool takes_infinite = requires {
  requires Lines::takes_infinite;
};

template <class T, class R>
[[nodiscard]] __device__ inline pair_kind kind_of_pair(const matrix_pairs<T, R>& pairs, std::size_t i,
                                                       std::size_t j) {
  if (!pairs.keeps(i, j)) return pair_kind::none;
  return pairs.matches(i, j) ? pair_kind::positive : pair_kind::negative;
}
template <class Lines, class T, class R>
[[nodiscard]] __device__ inline T score_of_pair(const matrix_pairs<T, R>& pairs, std::size_t i,
                                                std::size_t j) {
  const T s = pairs.similarity(i, j);
  return takes_infinite<Lines> ? s : bounded(s);
}

/// A few neighbouring items of a row or a column, in shared memory.
template <class T>
class matrix_segment {
 public:
  __device__ matrix_segment(const T* scores, unsigned stride, const std::uint8_t* kinds, unsigned kind_stride,
                            unsigned count)
      : scores_(scores), kinds_(kinds), stride_(stride), kind_stride_(kind_stride), count_(count) {}

  [[nodiscard]] __device__ unsigned size() const { return count_; }
  [[nodiscard]] __device__ T score(unsigned k) const { return scores_[k * stride_]; }
  [[nodiscard]] __device__ pair_kind kind(unsigned k) const {
    return static_cast<pair_kind>(kinds_[k * kind_stride_]);
  }

 private:
  const T* scores_;
  const std::uint8_t* kinds_;
  unsigned stride_, kind_stride_;
  unsigned count_;
};

/// Fills the sums of a panel. One tile a block.
template <class Look, class T, class R>
__global__ void __launch_bounds__(product_threads)
    sum_matrix_segments(const matrix_pairs<T, R> pairs, const Look look, bool over_rows, bool over_columns,
                        const panel_sums<typename Look::result> sums) {
  using lines_type = std::remove_cvref_t<decltype(look.lines)>;
  // So far apart that neither threads of rows nor those of columns meet in a bank.
  constexpr unsigned scores_apart = tile_side + 1, kinds_apart = tile_side + 4;
  __shared__ T scores[tile_side * scores_apart];
  __shared__ std::uint8_t kinds[tile_side * kinds_apart];
  const std::size_t rows = pairs.batch.rows, columns = pairs.batch.columns;
  const std::size_t column_tiles = (columns + tile_side - 1) / tile_side;
  const std::size_t row = sums.first_row + blockIdx.x / column_tiles * tile_side;
  const std::size_t column = blockIdx.x % column_tiles * tile_side;
  for (unsigned n = threadIdx.x; n < tile_side * tile_side; n += product_threads) {
    const unsigned r = n / tile_side, c = n % tile_side;
    const std::size_t i = row + r, j = column + c;
    if (i >= rows || j >= columns) continue;
    scores[r * scores_apart + c] = score_of_pair<lines_type>(pairs, i, j);
    kinds[r * kinds_apart + c] = static_cast<std::uint8_t>(kind_of_pair(pairs, i, j));
  }
  __syncthreads();

  // A thread for each segment: of rows, then of columns, first halves before second ones.
  const unsigned line = threadIdx.x % tile_side, begin = threadIdx.x / (2 * tile_side) * segment_size;
  const bool is_column = threadIdx.x / tile_side % 2 != 0;
  if (!(is_column ? over_columns : over_rows)) return;
  const std::size_t number = line + (is_column ? column : row);
  const std::size_t first = begin + (is_column ? row : column);
  const std::size_t items = is_column ? rows : columns;
  if (number >= (is_column ? columns : rows) || first >= items) return;
  const matrix_segment<T> segment(
      scores + (is_column ? begin * scores_apart + line : line * scores_apart + begin),
      is_column ? scores_apart : 1,
      kinds + (is_column ? begin * kinds_apart + line : line * kinds_apart + begin),
      is_column ? kinds_apart : 1,
      static_cast<unsigned>(items - first < segment_size ? items - first : segment_size));
  if (is_column)
    sums.of_columns[number * sums.column_segments() + (first - sums.first_row) / segment_size] =
        look.sum_up(segment, rows + number);
  else
    sums.of_rows[(number - sums.first_row) * sums.row_segments() + first / segment_size] =
        look.sum_up(segment, number);
}

/// What becomes of the sums of all lines: what `finish_lines` and `reduce_lines` ask for.
template <class Lines, class T, class R>
struct matrix_line_task {
  using score_type = T;

  Lines lines;
  matrix_pairs<T, R> pairs;
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
    const auto& batch = pairs.batch;
    if (batch.reduction == reduction::mean_of_relevant && !first[(of_columns ? rows : 0) + k].has_positives())
      return 0.0;
    const device_reals& weights = of_columns ? batch.column_weights : batch.row_weights;
    if (weights.empty()) return 1.0;
    return check && bad_weight_at(weights, k) ? 0.0 : weights[k];
  }
};

/// Finds the shares of rows and of columns. One block.
template <class Task>
__global__ void __launch_bounds__(reduce_threads) weigh_matrix_lines(const Task task) {
  __shared__ block_team::slots slots;
  weigh_directions(block_team(slots), task, task.pairs.batch.reduction);
}

/// Columns of a block that writes slopes, one a lane, and its rows.
inline constexpr unsigned slope_columns = warp_size, slope_rows = 64, slope_threads = 256;

/// Writes the derivatives by the similarities. What a column needs stays with its thread.
template <class Task>
__global__ void __launch_bounds__(slope_threads) write_matrix_slopes(const Task task) {
  using T = typename Task::score_type;
  using lines_type = std::remove_cvref_t<decltype(task.lines)>;
  using slope = std::remove_pointer_t<decltype(task.slopes)>;
  const std::size_t across = (task.columns + slope_columns - 1) / slope_columns;
  const std::size_t j = blockIdx.x % across * slope_columns + threadIdx.x % slope_columns;
  if (j >= task.columns) return;
  const std::size_t stride = task.pairs.batch.stride > 0 ? task.pairs.batch.stride : task.columns;
  const std::size_t first = blockIdx.x / across * slope_rows;
  const bool bad = *task.bad != 0;
  slope of_column{};
  if (task.over_columns) of_column = task.slopes[task.rows + j];
  for (unsigned r = threadIdx.x / slope_columns; r < slope_rows; r += slope_threads / slope_columns) {
    const std::size_t i = first + r;
    if (i >= task.rows) return;
    T& to = task.out.gradient[i * stride + j];
    if (bad) {
      to = not_a_number<T>;
      continue;
    }
    double sum = 0.0;
    const pair_kind kind = kind_of_pair(task.pairs, i, j);
    if (kind != pair_kind::none) {
      const T s = score_of_pair<lines_type>(task.pairs, i, j);
      const bool positive = kind == pair_kind::positive;
      if (task.over_rows) sum = static_cast<double>(task.lines.slope_of(task.slopes[i], s, positive));
      if (task.over_columns) sum += static_cast<double>(task.lines.slope_of(of_column, s, positive));
    }
    put_number(to, held_as<double>(task.out.scale * sum), task.out.update);
  }
}

/// A similarity loss looks at matches alone: any finite relevance will do.
struct any_relevance {};

/// The engine of a loss over a matrix. `Lines<T>` is what `embedding_engine` takes.
template <class Loss, template <class> class Lines>
struct matrix_line_engine {
  template <class T, class R>
  [[nodiscard]] static std::size_t scratch_bytes(const Loss&, const similarity_batch<T, R>& batch) {
    return plan<T>(batch.rows, batch.columns, panel_rows(batch)).scratch.bytes;
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
    using task_type = matrix_line_task<lines_type, T, R>;
    using fields_type = matrix_fields<any_relevance, T, R>;
    check_matches(batch);
    const std::size_t rows = batch.rows, columns = batch.columns;
    const plan<T> to(rows, columns, height);
    const bool by_index = batch.matches.empty() && batch.row_classes.empty();
    const lines_type lines = lines_type::of(loss, !by_index, !out.temperature_gradient.empty());
    void* const memory = ctx.scratch(to.scratch.bytes);
    const cudaStream_t stream = ctx.stream();
    const auto blocks = [](std::size_t count, std::size_t of_block) {
      return static_cast<unsigned>((count + of_block - 1) / of_block);
    };
    const auto at = [&]<class X>(std::size_t offset, X*) { return scratch_plan::at<X>(memory, offset); };
    const auto numbers = [&](std::size_t offset) { return scratch_plan::at<double>(memory, offset); };

    auto* const state = scratch_plan::at<matrix_state>(memory, to.state);
    const bool check = ctx.checks == data_checks::on;
    const matrix_pairs<T, R> pairs{batch, false};
    const fields_type fields{
        .compute = {}, .pairs = pairs, .looked = check ? std::max({rows * columns, rows, columns}) : 0};
    look(fields, ctx.faults(), stream);
    launch("begin_matrix", begin_matrix<fields_type>, 1, 1, 0, stream, fields, fault_words{matrix_words},
           ctx.faults(), state);

    const task_type task{.lines = lines,
                         .pairs = pairs,
                         .out = out,
                         .rows = rows,
                         .columns = columns,
                         .over_rows = loss.over != directions::columns,
                         .over_columns = loss.over != directions::rows,
                         .check = check,
                         .looks_twice = lines.looks_twice,
                         .first = at(to.first, static_cast<typename lines_type::first*>(nullptr)),
                         .second = at(to.second, static_cast<typename lines_type::second*>(nullptr)),
                         .slopes = at(to.slopes, static_cast<typename lines_type::slope*>(nullptr)),
                         .values = numbers(to.values),
                         .by_temperature = numbers(to.by_temperature),
                         .by_bias = numbers(to.by_bias),
                         .means = scratch_plan::at<list_mean>(memory, to.means),
                         .bad = &state->bad};
    const auto sum_up = [&](const auto& look, std::size_t of_lines) {
      using look_type = std::remove_cvref_t<decltype(look)>;
      using result = typename look_type::result;
      // Columns have sums even where there is no row.
      for (std::size_t first = 0; first == 0 || first < rows; first += height) {
        panel_sums<result> sums{.first_row = first,
                                .rows = std::min(height, rows - first),
                                .columns = columns,
                                .of_rows = scratch_plan::at<result>(memory, to.panel),
                                .of_columns = nullptr};
        sums.of_columns = sums.of_rows + sums.rows * sums.row_segments();
        if (sums.rows > 0 && columns > 0)
          launch("sum_matrix_segments", sum_matrix_segments<look_type, T, R>,
                 blocks(sums.rows, tile_side) * blocks(columns, tile_side), product_threads, 0, stream, pairs,
                 look, task.over_rows, task.over_columns, sums);
        if (sums.rows + columns > 0)
          launch("merge_segments", merge_segments<look_type>, blocks(sums.rows + columns, warps_of_block),
                 warps_of_block * warp_size, 0, stream, look, sums, task.over_rows, task.over_columns, rows,
                 scratch_plan::at<result>(memory, of_lines));
      }
    };
    sum_up(first_look<lines_type>{lines}, to.first);
    if constexpr (!std::same_as<typename lines_type::second, no_sums>)
      if (lines.looks_twice) sum_up(second_look<lines_type>{lines, task.first}, to.second);
    launch("weigh_matrix_lines", weigh_matrix_lines<task_type>, 1, reduce_threads, 0, stream, task);
    if (rows + columns > 0)
      launch("finish_lines", finish_lines<task_type>, blocks(rows + columns, line_threads), line_threads, 0,
             stream, task);
    launch("reduce_lines", reduce_lines<task_type>, 1, reduce_threads, 0, stream, task);
    if (!out.gradient.empty() && rows * columns > 0)
      launch("write_matrix_slopes", write_matrix_slopes<task_type>,
             blocks(rows, slope_rows) * blocks(columns, slope_columns), slope_threads, 0, stream, task);
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
  struct plan {
    using lines_type = Lines<T>;
    using first_type = typename lines_type::first;
    using second_type = typename lines_type::second;

    plan(std::size_t rows, std::size_t columns, std::size_t height)
        : state(scratch.take<matrix_state>(1)),
          first(scratch.take<first_type>(rows + columns)),
          second(scratch.take<second_type>(rows + columns)),
          slopes(scratch.take<typename lines_type::slope>(rows + columns)),
          values(scratch.take<double>(rows + columns)),
          by_temperature(scratch.take<double>(rows + columns)),
          by_bias(scratch.take<double>(rows + columns)),
          means(scratch.take<list_mean>(2)) {
      const panel_sums<first_type> sums{0, std::min(height, rows), columns, nullptr, nullptr};
      const std::size_t segments = sums.rows * sums.row_segments() + columns * sums.column_segments();
      panel = scratch.take(segments * std::max(sizeof(first_type), sizeof(second_type)));
    }

    scratch_plan scratch;
    std::size_t state, first, second, slopes, values, by_temperature, by_bias, means, panel;
  };
};

/// Over embeddings and over a matrix.
template <class Loss, template <class> class Lines>
struct line_engine : embedding_engine<Loss, Lines>, matrix_line_engine<Loss, Lines> {
  using embedding_engine<Loss, Lines>::run;
  using matrix_line_engine<Loss, Lines>::run;
  using embedding_engine<Loss, Lines>::run_in_panels;
  using matrix_line_engine<Loss, Lines>::run_in_panels;
  using embedding_engine<Loss, Lines>::scratch_bytes;
  using matrix_line_engine<Loss, Lines>::scratch_bytes;
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
