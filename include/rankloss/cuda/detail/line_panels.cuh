// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/embedding_side.cuh>
#include <rankloss/cuda/detail/launch.cuh>
#include <rankloss/cuda/detail/line_sums.cuh>
#include <rankloss/cuda/detail/line_tasks.cuh>
#include <rankloss/cuda/detail/matrix_product.hpp>
#include <rankloss/cuda/detail/scratch_plan.hpp>
#include <rankloss/cuda/embedding_batch.hpp>
#include <rankloss/cuda/error.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/vectors.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>

/// Losses over embeddings by products of matrices that another library forms. Such products are in memory: a
/// panel of rows of the matrix of similarities at a time, which kernels sum up, then turn into slopes.
///
/// Where both sides are halves, or both bfloat16, and the batch is of floats, products are of these numbers as
/// they are, so that similarities are not rounded: lengths are divided out of the products. Slopes are rounded
/// to the same type for the products that make them gradients.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// Bytes of the similarities of a panel, at most, unless a tile's rows take more.
inline constexpr std::size_t panel_bytes = std::size_t{1} << 28;
/// Rows that lie apart by a multiple of this many numbers begin at addresses that tensor cores take.
inline constexpr std::size_t aligned_numbers = 8;
[[nodiscard]] constexpr std::size_t aligned_apart(std::size_t numbers) noexcept {
  return (numbers + aligned_numbers - 1) / aligned_numbers * aligned_numbers;
}

/// Products of the vectors of a panel of rows with those of all columns, and what makes them similarities.
template <class T, bool Packed>
struct product_panel {
  const T* products;  ///< [rows, apart]
  std::size_t apart;
  std::size_t first_row;
  const unit_length* row_lengths;  ///< where vectors are packed and taken with length 1, else null
  const unit_length* column_lengths;

  [[nodiscard]] __device__ std::size_t place(std::size_t i, std::size_t j) const {
    return (i - first_row) * apart + j;
  }
  /// 1 / length of a packed vector.
  [[nodiscard]] static __device__ T inverse(const unit_length* lengths, std::size_t k) {
    return Packed && lengths != nullptr ? static_cast<T>(lengths[k].inverse) : T{1};
  }
  /// Brings those of the rows of a tile to shared memory. All threads of a block call it.
  __device__ void fetch_inverses(std::size_t row, std::size_t rows, T (&to)[tile_side]) const {
    if (Packed && threadIdx.x < tile_side && row + threadIdx.x < rows)
      to[threadIdx.x] = inverse(row_lengths, row + threadIdx.x);
    if (Packed) __syncthreads();
  }
  [[nodiscard]] static __device__ T similarity(T product, T row_inverse, T column_inverse) {
    return Packed ? product * row_inverse * column_inverse : product;
  }
};

/// Rows of a tile from one that a thread looks at to the next: its threads look at whole rows together.
inline constexpr unsigned row_step = product_threads / tile_side;

/// Fills the sums of a panel. One tile a block.
template <class Look, class T, bool Packed>
__global__ void __launch_bounds__(product_threads, least_sum_blocks<T>)
    sum_panel(const product_panel<T, Packed> panel, const pair_task task, const Look look,
              const panel_sums<typename Look::result> sums) {
  __shared__ sum_memory<T, typename Look::result> memory;
  __shared__ T row_inverses[tile_side];
  const std::size_t column_tiles = (sums.columns + tile_side - 1) / tile_side;
  const std::size_t row = sums.first_row + blockIdx.x / column_tiles * tile_side;
  const std::size_t column = blockIdx.x % column_tiles * tile_side;
  panel.fetch_inverses(row, task.rows, row_inverses);
  const unsigned c = threadIdx.x % tile_side, first = threadIdx.x / tile_side;
  if (column + c < task.columns) {
    const T column_inverse = panel.inverse(panel.column_lengths, column + c);
    const T* from = panel.products + panel.place(row + first, column + c);
    const unsigned rows = task.rows - row < tile_side ? static_cast<unsigned>(task.rows - row) : tile_side;
#pragma unroll 4
    for (unsigned r = first; r < rows; r += row_step, from += row_step * panel.apart)
      memory.scores[r][c] = panel.similarity(*from, Packed ? row_inverses[r] : T{1}, column_inverse);
  }
  sum_tile(task, look, sums, row, column, memory);
}

/// The power of two that slopes are multiplied by before they are rounded to E. One block.
///
/// With it the largest that a slope of any line can be is near 1, for bfloat16, whose range is that of floats;
/// and near 2^15 for halves, which hold numbers down to 2^-14 with all of their digits.
template <class Task, class E>
__global__ void __launch_bounds__(reduce_threads) find_unit(const Task task, double* unit) {
  __shared__ block_team::slots slots;
  const block_team team(slots);
  double most = 0.0;
#pragma unroll
  for (const bool of_columns : {false, true}) {
    if (!task.is_over(of_columns)) continue;
    double own = 0.0;
    for (std::size_t k = team.rank(); k < task.count(of_columns); k += team.size())
      own = fmax(own, task.lines.largest_slope(task.slopes[(of_columns ? task.rows : 0) + k]));
    most += fmin(greatest(team, own), static_cast<double>(greatest_number<typename Task::score_type>));
  }
  constexpr double target = std::is_same_v<E, half> ? 0x1p14 : 1.0;
  // Beyond these its products with slopes may be out of the range of floats.
  if (team.rank() == 0) *unit = fmin(fmax(unit_of(most), 0x1p-120), 0x1p100) * target;
}

/// A slope as a factor of vectors of E: times this number where these are packed.
template <class E, class T>
[[nodiscard]] __device__ inline E panel_slope(T slope, T unpacked) {
  if constexpr (is_packed<T, E>)
    return rounded<E>(slope * unpacked);
  else
    return slope;
}

/// Makes the products of a panel the factors of vectors in gradients: slopes, or slopes divided by both lengths
/// where vectors are packed. One tile a block.
template <class Lines, class T, class E>
__global__ void __launch_bounds__(product_threads, weighs_items<Lines> ? 3 : 0)
    write_panel_slopes(const product_panel<T, is_packed<T, E>> panel, const pair_task task, const Lines lines,
                       const typename Lines::slope* of_lines, E* slopes, const double* unit) {
  constexpr bool packed = is_packed<T, E>;
  __shared__ T row_inverses[tile_side];
  const std::size_t column_tiles = (task.columns + tile_side - 1) / tile_side;
  const std::size_t row = panel.first_row + blockIdx.x / column_tiles * tile_side;
  const std::size_t column = blockIdx.x % column_tiles * tile_side;
  panel.fetch_inverses(row, task.rows, row_inverses);
  const unsigned first = threadIdx.x / tile_side;
  const std::size_t j = column + threadIdx.x % tile_side;
  if (j >= task.columns) return;
  const T column_inverse = panel.inverse(panel.column_lengths, j);
  T factor{1};
  if constexpr (packed) {
    factor = static_cast<T>(*unit) * column_inverse;
    if (panel.row_lengths != nullptr) factor *= T(packed_length);
    if (panel.column_lengths != nullptr) factor *= T(packed_length);
  }
  const unsigned rows = task.rows - row < tile_side ? static_cast<unsigned>(task.rows - row) : tile_side;
  const auto write = [&](const typename Lines::slope& of_column, const auto& kind_of_row) {
    const T* from = panel.products + panel.place(row + first, j);
    E* to = slopes + panel.place(row + first, j);
    const typename Lines::slope* of_row = of_lines + row + first;
    for (unsigned r = first; r < rows; r += row_step) {
      const T row_inverse = packed ? row_inverses[r] : T{1};
      const T slope = pair_slope(task, lines, *of_row, of_column, kind_of_row(row + r),
                                 panel.similarity(*from, row_inverse, column_inverse), row + r, j);
      *to = panel_slope<E>(slope, row_inverse * factor);
      from += row_step * panel.apart;
      to += row_step * panel.apart;
      of_row += row_step;
    }
  };
  const typename Lines::slope& of_own = of_lines[task.rows + j];
  if (task.all_negative(row, column)) {
    typename Lines::slope kept{};  // in registers
    if (task.over_columns) kept = of_own;
    write(kept, [](std::size_t) { return pair_kind::negative; });
  } else {
    write(of_own, [&](std::size_t i) { return task.kind(i, j); });
  }
}

/// Where what lies in the scratch of a call whose vectors are of E.
template <class Lines, class T, class E>
struct panel_plan : scratch_plan {
  panel_plan(const embedding_batch<T>& batch, std::size_t most_rows, std::size_t workspace_bytes)
      : columns(columns_of(batch)),
        self(compares_with_itself(batch)),
        vector_apart(aligned_apart(batch.dimension)),
        panel_apart(aligned_apart(columns)),
        height(std::min(batch.rows, most_rows > 0 ? most_rows : rows_of_panel(panel_apart))),
        row_side(*this, batch.rows, vector_apart),
        column_side(self ? row_side : side_places<E>(*this, columns, vector_apart)),
        places(*this, batch.rows + columns),
        unit(take<double>(1)),
        row_sums(take<T>((self ? batch.rows : height) * vector_apart)),
        column_sums(self ? row_sums : take<T>(columns * vector_apart)),
        workspace(take(workspace_bytes)),
        products(take<T>(height * panel_apart)),
        panel(take(std::max(sum_bytes<Lines>(height, columns),
                            is_packed<T, E> ? height * panel_apart * sizeof(E) : 0))) {}

  std::size_t columns;
  bool self;
  std::size_t vector_apart, panel_apart, height;
  side_places<E> row_side, column_side;
  line_places<Lines> places;
  std::size_t unit, row_sums, column_sums, workspace, products;
  std::size_t panel;  ///< sums of segments, then slopes of packed vectors

 private:
  [[nodiscard]] static std::size_t rows_of_panel(std::size_t apart) {
    return std::max<std::size_t>(1, panel_bytes / sizeof(T) / std::max<std::size_t>(1, apart) / tile_side) *
           tile_side;
  }
};

/// The engine of a loss over embeddings by products of `Products`, which has
///
///     workspace_bytes          of the memory that it needs beside the operands
///     bind(stream, workspace)  an object whose multiply(matrix_product) queues a product, until it is destroyed.
///                              The same product of the same numbers has the same bits every time.
template <class Loss, template <class> class Lines>
struct panel_engine {
  template <class T, class Products>
  [[nodiscard]] static std::size_t scratch_bytes(const embedding_batch<T>& batch, const Products&) {
    return with_type_of(batch, [&]<class E>(type<E>) {
      return panel_plan<Lines<T>, T, E>(batch, 0, Products::workspace_bytes).bytes;
    });
  }
  /// @param most_rows  of a panel, a multiple of tile_side; 0: as many as fit
  template <class T, class Products>
  static void run(const Loss& loss, const embedding_batch<T>& batch, const embedding_outputs<T>& out,
                  context& ctx, Products& products, std::size_t most_rows = 0) {
    with_type_of(batch, [&]<class E>(type<E>) { run_as<E>(loss, batch, out, ctx, products, most_rows); });
  }

 private:
  template <class E>
  struct type {};
  /// Calls `f` with the type of the numbers that products are of.
  template <class T, class F>
  static auto with_type_of(const embedding_batch<T>& batch, const F& f) {
    if constexpr (std::is_same_v<T, float>) {
      const bool self = compares_with_itself(batch);
      if (batch.row_embeddings.holds_halves() && (self || batch.column_embeddings.holds_halves()))
        return f(type<half>{});
      if (batch.row_embeddings.holds_bfloat16() && (self || batch.column_embeddings.holds_bfloat16()))
        return f(type<bfloat16>{});
    }
    return f(type<T>{});
  }

  template <class E, class T, class Products>
  static void run_as(const Loss& loss, const embedding_batch<T>& batch, const embedding_outputs<T>& out,
                     context& ctx, Products& products, std::size_t most_rows) {
    using lines_type = Lines<T>;
    using task_type = line_task<lines_type, T, E>;
    constexpr bool packed = is_packed<T, E>;
    const panel_plan<lines_type, T, E> to(batch, most_rows, Products::workspace_bytes);
    lines_type lines = lines_type::of(loss, !by_index(batch), !out.temperature_gradient.empty());
    void* const memory = ctx.scratch(to.bytes);
    const cudaStream_t stream = ctx.stream();
    const std::size_t rows = batch.rows, columns = to.columns, d = batch.dimension;
    to.places.weigh_items(lines, batch.row_probabilities, column_probabilities_of(batch), rows, columns,
                          memory, stream);
    auto bound = products.bind(stream, to.template at<void>(memory, to.workspace));

    const embedding_side<T, E> row_side = to.row_side.side(memory, batch, false, to.vector_apart, loss.over);
    const embedding_side<T, E> column_side =
        to.self ? row_side : to.column_side.side(memory, batch, true, to.vector_apart, loss.over);
    const auto prepare = [&](const embedding_side<T, E>& side) {
      if (side.count > 0)
        launch("prepare_vectors", prepare_vectors<T, E>, blocks_for(side.count, vectors_of_block),
               vectors_of_block * warp_size, 0, stream, side);
    };
    prepare(row_side);
    if (!to.self) prepare(column_side);

    // A matrix of one panel is formed once.
    const std::size_t height = std::max<std::size_t>(to.height, 1);
    T* const similarities = to.template at<T>(memory, to.products);
    std::size_t formed = rows;
    const auto form = [&](std::size_t first) {
      if (formed != first)
        bound.multiply(matrix_product<E, T>{.rows = std::min(height, rows - first),
                                            .columns = columns,
                                            .terms = d,
                                            .a = row_side.vectors + first * to.vector_apart,
                                            .a_apart = to.vector_apart,
                                            .a_flipped = false,
                                            .b = column_side.vectors,
                                            .b_apart = to.vector_apart,
                                            .b_flipped = true,
                                            .to = similarities,
                                            .to_apart = to.panel_apart,
                                            .adds = false});
      formed = first;
      return product_panel<T, packed>{
          .products = similarities,
          .apart = to.panel_apart,
          .first_row = first,
          .row_lengths = row_side.unit != 0 ? row_side.lengths : nullptr,
          .column_lengths = column_side.unit != 0 ? column_side.lengths : nullptr};
    };
    const pair_task pairs = pairs_of(loss, batch);
    const task_type task = task_of(lines, pairs, batch, out, row_side, column_side, to.places, memory, ctx);
    void* const panel = to.template at<void>(memory, to.panel);
    sum_up_lines(task, pairs, height, panel, to.places, memory, stream,
                 [&](const auto& look, const auto& sums) {
                   using look_type = std::remove_cvref_t<decltype(look)>;
                   const product_panel<T, packed> own = form(sums.first_row);
                   launch("sum_panel", sum_panel<look_type, T, packed>,
                          blocks_for(sums.rows, tile_side) * blocks_for(columns, tile_side), product_threads,
                          0, stream, own, pairs, look, sums);
                 });

    const std::size_t row_slopes = out.row_gradient.empty() ? 0 : rows;
    const std::size_t column_slopes = to.self ? row_slopes : d > 0 ? out.column_gradient.size() / d : 0;
    if (row_slopes + column_slopes == 0) return;
    double* const unit = to.template at<double>(memory, to.unit);
    if constexpr (packed)
      launch("find_unit", find_unit<task_type, E>, 1, reduce_threads, 0, stream, task, unit);
    T* const row_sums = to.template at<T>(memory, to.row_sums);
    T* const column_sums = to.template at<T>(memory, to.column_sums);
    const auto clear = [&](T* sums, std::size_t count) {
      if (count > 0)
        require_success(cudaMemsetAsync(sums, 0, count * to.vector_apart * sizeof(T), stream),
                        "cudaMemsetAsync");
    };
    const double lengths =
        (row_side.unit != 0 ? packed_length : 1.0) * (column_side.unit != 0 ? packed_length : 1.0);
    const auto commit = [&](const embedding_side<T, E>& side, const T* sums, std::size_t first,
                            std::size_t count, const device_span<T>& gradient) {
      if (count > 0)
        launch("commit_vectors", commit_vectors<T, E>, blocks_for(count, vectors_of_block),
               vectors_of_block * warp_size, 0, stream, side, sums, first, count, gradient.data(), out.scale,
               out.update == update::add ? 1u : 0u, task.bad, unit, lengths);
    };
    clear(row_sums, to.self ? row_slopes : std::min(row_slopes, height));
    if (!to.self) clear(column_sums, column_slopes);
    E* pair_slopes;
    if constexpr (packed)
      pair_slopes = static_cast<E*>(panel);
    else
      pair_slopes = similarities;  // each in the place of its similarity
    for (std::size_t first = 0; first < rows; first += height) {
      const std::size_t own = std::min(height, rows - first);
      if (columns > 0) {
        launch("write_panel_slopes", write_panel_slopes<lines_type, T, E>,
               blocks_for(own, tile_side) * blocks_for(columns, tile_side), product_threads, 0, stream,
               form(first), pairs, lines, task.slopes, pair_slopes, unit);
        if (row_slopes > 0)
          bound.multiply(matrix_product<E, T>{.rows = own,
                                              .columns = d,
                                              .terms = columns,
                                              .a = pair_slopes,
                                              .a_apart = to.panel_apart,
                                              .a_flipped = false,
                                              .b = column_side.vectors,
                                              .b_apart = to.vector_apart,
                                              .b_flipped = false,
                                              .to = row_sums + (to.self ? first * to.vector_apart : 0),
                                              .to_apart = to.vector_apart,
                                              .adds = to.self});
        if (column_slopes > 0)
          bound.multiply(matrix_product<E, T>{.rows = column_slopes,
                                              .columns = d,
                                              .terms = own,
                                              .a = pair_slopes,
                                              .a_apart = to.panel_apart,
                                              .a_flipped = true,
                                              .b = row_side.vectors + first * to.vector_apart,
                                              .b_apart = to.vector_apart,
                                              .b_flipped = false,
                                              .to = column_sums,
                                              .to_apart = to.vector_apart,
                                              .adds = true});
      }
      // Derivatives by rows are complete with their panel, unless the rows are the columns, too.
      if (!to.self) commit(row_side, row_sums, first, row_slopes > 0 ? own : 0, out.row_gradient);
    }
    if (to.self)
      commit(row_side, row_sums, 0, row_slopes, out.row_gradient);
    else
      commit(column_side, column_sums, 0, column_slopes, out.column_gradient);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
