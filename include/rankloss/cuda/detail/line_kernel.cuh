// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/embedding_shape.hpp>
#include <rankloss/cuda/detail/embedding_side.cuh>
#include <rankloss/cuda/detail/launch.cuh>
#include <rankloss/cuda/detail/line_panels.cuh>
#include <rankloss/cuda/detail/line_sums.cuh>
#include <rankloss/cuda/detail/line_tasks.cuh>
#include <rankloss/cuda/detail/product_tile.cuh>
#include <rankloss/cuda/detail/scratch_plan.hpp>
#include <rankloss/cuda/embedding_batch.hpp>
#include <rankloss/cuda/error.hpp>
#include <rankloss/loss.hpp>

#include <algorithm>
#include <cstddef>
#include <type_traits>

/// Runs a similarity loss over embeddings: lines are the rows and the columns of the matrix of similarities,
/// and a loss knows of a few pairs of one line only.
///
/// The matrix is formed tile by tile, and summed up as line_sums.cuh says. Where a loss looks at its positives
/// once more, knowing the sums, all this happens twice. Then the tiles are formed once more and become slopes. A
/// panel of some rows is in memory at a time, and two products add it to the derivatives by rows and by columns;
/// each entry of those has one owner.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// Pairs of a panel, at least; more of them where the embeddings take more memory.
inline constexpr std::size_t least_panel = std::size_t{1} << 22;

/// What tiles of similarities are products of.
template <class T>
struct tile_operands {
  product_operand<T, true> rows, columns;
  std::size_t dimension;
};

/// Fills the sums of a panel. One tile a block.
template <class Look, class T>
__global__ void __launch_bounds__(product_threads, least_sum_blocks<T>)
    sum_segments(const tile_operands<T> operands, const pair_task task, const Look look,
                 const panel_sums<typename Look::result> sums) {
  __shared__ sum_memory<T, typename Look::result> memory;
  const std::size_t column_tiles = (sums.columns + tile_side - 1) / tile_side;
  const std::size_t row = sums.first_row + blockIdx.x / column_tiles * tile_side;
  const std::size_t column = blockIdx.x % column_tiles * tile_side;
  T own[own_side][own_side];
  multiply_tile(operands.rows, operands.columns, row, column, operands.dimension, memory.product, own);
#pragma unroll
  for (unsigned r = 0; r < own_side; ++r)
#pragma unroll
    for (unsigned c = 0; c < own_side; ++c) memory.scores[own_row() + r][own_column() + c] = own[r][c];
  sum_tile(task, look, sums, row, column, memory);
}

/// The slopes of the rows of a panel: [rows, columns]. One tile a block.
template <class Lines, class T>
__global__ void __launch_bounds__(product_threads)
    write_slopes(const tile_operands<T> operands, const pair_task task, const Lines lines,
                 const typename Lines::slope* of_lines, std::size_t first_row, T* slopes) {
  __shared__ product_memory<T> memory;
  const std::size_t column_tiles = (task.columns + tile_side - 1) / tile_side;
  const std::size_t row = first_row + blockIdx.x / column_tiles * tile_side;
  const std::size_t column = blockIdx.x % column_tiles * tile_side;
  T own[own_side][own_side];
  multiply_tile(operands.rows, operands.columns, row, column, operands.dimension, memory, own);
#pragma unroll
  for (unsigned c = 0; c < own_side; ++c) {
    const std::size_t j = column + own_column() + c;
    if (j >= task.columns) continue;
#pragma unroll
    for (unsigned r = 0; r < own_side; ++r) {
      const std::size_t i = row + own_row() + r;
      if (i < task.rows)
        slopes[(i - first_row) * task.columns + j] =
            pair_slope(task, lines, of_lines[i], of_lines[task.rows + j], task.kind(i, j), own[r][c], i, j);
    }
  }
}

/// The engine of a loss over embeddings. `Lines<T>` is what kernels are given of the loss, by value; it has
///
///     first, second, slope     numbers without holes between them: what is summed up of a line at the first
///                              and the second look, and what the slopes of its items need.
///                              first::none() and second::none() are the sums of no items, and
///                              first::has_positives() says whether the line counts for mean_of_relevant
///     of(loss, several, by_temperature)
///                              made on the host; `several` says whether a line may have several positives,
///                              by_temperature whether that derivative is wanted
///     looks_twice              whether it does
///     sum_up(segment), sum_up(segment, first)
///                              the sums of a few items of a line
///     merge(a, b)              of two sums; it commutes, to the bit
///     finish(first, second, share, slope)
///                              what a line adds; fills the slope for a line of that share in the mean
///     slope_of(slope, score, positive)
///                              d(value) / d(similarity) through one line
///     largest_slope(slope)     not below any of those, of either sign
///
/// A loss that takes weights of items has `weights`, which are set before kernels are given the lines. It may
/// ask a segment for log_weight(k) and log_unit(), and slope_of has the logarithm of the item's as its last
/// parameter.
template <class Loss, template <class> class Lines>
struct embedding_engine : private panel_engine<Loss, Lines> {
  template <class T>
  [[nodiscard]] static std::size_t scratch_bytes(const Loss&, const embedding_batch<T>& batch) {
    return plan<T>(batch, panel_rows(batch)).bytes;
  }
  template <class T>
  static void run(const Loss& loss, const embedding_batch<T>& batch, const embedding_outputs<T>& out,
                  context& ctx) {
    run_in_panels(loss, batch, out, ctx, panel_rows(batch));
  }
  /// By products of matrices that `products` forms.
  template <class T, class Products>
  [[nodiscard]] static std::size_t scratch_bytes(const Loss&, const embedding_batch<T>& batch,
                                                 const Products& products) {
    return panel_engine<Loss, Lines>::scratch_bytes(batch, products);
  }
  template <class T, class Products>
  static void run(const Loss& loss, const embedding_batch<T>& batch, const embedding_outputs<T>& out,
                  context& ctx, Products& products, std::size_t most_rows = 0) {
    panel_engine<Loss, Lines>::run(loss, batch, out, ctx, products, most_rows);
  }

  /// @param height  rows of a panel, a multiple of tile_side
  template <class T>
  static void run_in_panels(const Loss& loss, const embedding_batch<T>& batch,
                            const embedding_outputs<T>& out, context& ctx, std::size_t height) {
    using lines_type = Lines<T>;
    const plan<T> to(batch, height);
    lines_type lines = lines_type::of(loss, !by_index(batch), !out.temperature_gradient.empty());
    void* const memory = ctx.scratch(to.bytes);
    const cudaStream_t stream = ctx.stream();
    const std::size_t rows = batch.rows, columns = to.columns, d = batch.dimension;
    to.places.weigh_items(lines, batch.row_probabilities, column_probabilities_of(batch), rows, columns,
                          memory, stream);

    const embedding_side<T> row_side = to.row_side.side(memory, batch, false, d, loss.over);
    const embedding_side<T> column_side =
        to.self ? row_side : to.column_side.side(memory, batch, true, d, loss.over);
    const auto prepare = [&](const embedding_side<T>& side) {
      if (side.count > 0)
        launch("prepare_vectors", prepare_vectors<T, T>, blocks_for(side.count, vectors_of_block),
               vectors_of_block * warp_size, 0, stream, side);
    };
    prepare(row_side);
    if (!to.self) prepare(column_side);

    const tile_operands<T> operands{
        .rows = {row_side.vectors, d, rows}, .columns = {column_side.vectors, d, columns}, .dimension = d};
    const pair_task pairs = pairs_of(loss, batch);
    const auto task = task_of(lines, pairs, batch, out, row_side, column_side, to.places, memory, ctx);
    sum_up_lines(task, pairs, height, to.template at<void>(memory, to.panel), to.places, memory, stream,
                 [&](const auto& look, const auto& sums) {
                   using look_type = std::remove_cvref_t<decltype(look)>;
                   launch("sum_segments", sum_segments<look_type, T>,
                          blocks_for(sums.rows, tile_side) * blocks_for(columns, tile_side), product_threads,
                          0, stream, operands, pairs, look, sums);
                 });

    const std::size_t row_slopes = out.row_gradient.empty() ? 0 : rows;
    const std::size_t column_slopes = to.self ? row_slopes : d > 0 ? out.column_gradient.size() / d : 0;
    if (row_slopes + column_slopes == 0) return;
    T* const row_sums = to.template at<T>(memory, to.row_sums);
    T* const column_sums = to.template at<T>(memory, to.column_sums);
    const auto clear = [&](T* sums, std::size_t count) {
      if (count > 0)
        require_success(cudaMemsetAsync(sums, 0, count * d * sizeof(T), stream), "cudaMemsetAsync");
    };
    clear(row_sums, row_slopes);
    if (!to.self) clear(column_sums, column_slopes);
    T* const slopes = to.template at<T>(memory, to.panel);
    for (std::size_t first = 0; first < rows && columns > 0; first += height) {
      const std::size_t own = std::min(height, rows - first);
      launch("write_slopes", write_slopes<lines_type, T>,
             blocks_for(own, tile_side) * blocks_for(columns, tile_side), product_threads, 0, stream,
             operands, pairs, lines, task.slopes, first, slopes);
      if (row_slopes > 0)
        launch("add_product", add_product<T, true, false>,
               blocks_for(own, tile_side) * blocks_for(d, tile_side), product_threads, 0, stream,
               product_operand<T, true>{slopes, columns, own},
               product_operand<T, false>{column_side.vectors, d, d}, columns, row_sums + first * d, d);
      if (column_slopes > 0)
        launch("add_product", add_product<T, false, false>,
               blocks_for(column_slopes, tile_side) * blocks_for(d, tile_side), product_threads, 0, stream,
               product_operand<T, false>{slopes, columns, column_slopes},
               product_operand<T, false>{row_side.vectors + first * d, d, d}, own, column_sums, d);
    }
    const auto commit = [&](const embedding_side<T>& side, const T* sums, std::size_t count,
                            const device_span<T>& gradient) {
      if (count > 0)
        launch("commit_vectors", commit_vectors<T, T>, blocks_for(count, vectors_of_block),
               vectors_of_block * warp_size, 0, stream, side, sums, std::size_t{0}, count, gradient.data(),
               out.scale, out.update == update::add ? 1u : 0u, task.bad, nullptr, 1.0);
    };
    commit(row_side, row_sums, row_slopes, out.row_gradient);
    if (!to.self) commit(column_side, column_sums, column_slopes, out.column_gradient);
  }

 private:
  /// As many rows as take no more memory than the embeddings, or than is little.
  template <class T>
  [[nodiscard]] static std::size_t panel_rows(const embedding_batch<T>& batch) {
    const std::size_t columns = std::max<std::size_t>(1, columns_of(batch));
    const std::size_t pairs = std::max(least_panel, (batch.rows + columns) * batch.dimension);
    return std::max<std::size_t>(1, pairs / columns / tile_side) * tile_side;
  }

  /// Where what lies in scratch.
  template <class T>
  struct plan : scratch_plan {
    plan(const embedding_batch<T>& batch, std::size_t height)
        : columns(columns_of(batch)),
          self(compares_with_itself(batch)),
          row_side(*this, batch.rows, batch.dimension),
          column_side(self ? row_side : side_places<T>(*this, columns, batch.dimension)),
          row_sums(take<T>(batch.rows * batch.dimension)),
          column_sums(self ? row_sums : take<T>(columns * batch.dimension)),
          places(*this, batch.rows + columns),
          panel(take(std::max(std::min(height, batch.rows) * columns * sizeof(T),
                              sum_bytes<Lines<T>>(std::min(height, batch.rows), columns)))) {}

    std::size_t columns;
    bool self;
    side_places<T> row_side, column_side;
    std::size_t row_sums, column_sums;
    line_places<Lines<T>> places;
    std::size_t panel;
  };
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
