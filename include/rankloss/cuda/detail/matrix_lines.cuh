// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/faults.hpp>
#include <rankloss/cuda/detail/field_faults.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/term_kernel.cuh>
#include <rankloss/cuda/similarity_batch.hpp>
#include <rankloss/detail/base/finite.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

/// The rows or the columns of a matrix as lists that lie side by side, and back. A block moves a tile by way of
/// shared memory, so that neighbours in memory are read and written together in both layouts.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

inline constexpr unsigned line_tile = 32;
inline constexpr unsigned line_tile_threads = 256;

[[nodiscard]] inline unsigned line_tiles(std::size_t rows, std::size_t columns) noexcept {
  const auto tiles = [](std::size_t size) { return (size + line_tile - 1) / line_tile; };
  return static_cast<unsigned>(tiles(rows) * tiles(columns));
}

/// What there is to know of the pairs of a matrix.
template <class T, class R>
struct matrix_pairs {
  similarity_batch<T, R> batch;
  bool columns_by_rows;        ///< column j takes the relevance of row j
  bool matches_alone = false;  ///< relevance is 1 for a match, whatever relevance is given

  [[nodiscard]] __device__ T similarity(std::size_t i, std::size_t j) const {
    return batch.similarity[i * (batch.stride > 0 ? batch.stride : batch.columns) + j];
  }
  [[nodiscard]] __device__ bool matches(std::size_t i, std::size_t j) const {
    if (!batch.matches.empty()) return batch.matches[i * batch.columns + j];
    if (!batch.row_classes.empty()) return batch.row_classes[i] == batch.column_classes[j];
    return i == j;
  }
  [[nodiscard]] __device__ bool keeps(std::size_t i, std::size_t j) const {
    if (batch.without_diagonal && i == j) return false;
    if (!batch.row_ids.empty() && batch.row_ids[i] == batch.column_ids[j] && !matches(i, j)) return false;
    return batch.mask.empty() || batch.mask[i * batch.columns + j];
  }
  /// In a row, or in a column.
  [[nodiscard]] __device__ R relevance(std::size_t i, std::size_t j, bool of_column) const {
    if (matches_alone || batch.relevance.empty()) return matches(i, j) ? R{1} : R{0};
    if (!of_column) return batch.relevance[i * batch.columns + j];
    if (columns_by_rows) return batch.relevance[j * batch.columns + i];
    return (batch.column_relevance.empty() ? batch.relevance : batch.column_relevance)[i * batch.columns + j];
  }
};

/// What is told of the fields, in the order in which they are looked at. Those of relevance have other words for
/// numbers that are not finite and for those below 0.
enum class matrix_field : unsigned {
  row_weight,
  column_weight,
  row_probability,
  column_probability,
  similarity,
  relevance,
  column_relevance,
  relevance_not_finite,
  column_relevance_not_finite,
  relevance_below_0,
  column_relevance_below_0,
};
inline constexpr const char* matrix_words[] = {
    "row_weights: $x at row $i, expected a finite number >= 0",
    "column_weights: $x at column $i, expected a finite number >= 0",
    "row_probabilities: $x at row $i, expected 1e-300 to 1",
    "column_probabilities: $x at column $i, expected 1e-300 to 1",
    "similarity: $x at row $l, column $i, expected a number",
    "relevance: $x at row $l, column $i, expected $e",
    "column_relevance: $x at row $l, column $i, expected $e",
    "relevance: $x at row $l, column $i, expected a finite number",
    "column_relevance: $x at row $l, column $i, expected a finite number",
    "relevance: $x at row $l, column $i, expected $e; pairs without judgement are left out by the mask, or 0",
    // One string; without parentheses clang takes the second half for a forgotten element.
    ("column_relevance: $x at row $l, column $i, expected $e; pairs without judgement are left out by the mask, "
     "or 0")};

template <class Compute, class T, class R>
struct matrix_fields {
  Compute compute;
  matrix_pairs<T, R> pairs;
  std::size_t looked;

  [[nodiscard]] __device__ bool refuses(const R& y) const {
    bool takes = true;
    if constexpr (std::is_floating_point_v<R>) takes = is_finite(y);
    if constexpr (takes_relevance<Compute>) takes = takes && compute.takes(static_cast<double>(y));
    return !takes;
  }
  [[nodiscard]] __device__ fault_word fault(std::size_t i) const {
    const auto& batch = pairs.batch;
    const auto of = [i](matrix_field of) { return fault_of_field(static_cast<unsigned>(of), i); };
    if (bad_weight_at(batch.row_weights, i)) return of(matrix_field::row_weight);
    if (bad_weight_at(batch.column_weights, i)) return of(matrix_field::column_weight);
    if (bad_probability_at(batch.row_probabilities, i)) return of(matrix_field::row_probability);
    if (bad_probability_at(batch.column_probabilities, i)) return of(matrix_field::column_probability);
    if (i >= batch.rows * batch.columns) return no_fault;
    const std::size_t row = i / batch.columns, column = i % batch.columns;
    const bool bad_similarity = is_nan(pairs.similarity(row, column));
    const bool bad = !batch.relevance.empty() && refuses(batch.relevance[i]);
    const bool bad_of_column = !batch.column_relevance.empty() && refuses(batch.column_relevance[i]);
    if (!(bad_similarity || bad || bad_of_column) || !pairs.keeps(row, column)) return no_fault;
    return of(bad_similarity ? matrix_field::similarity
              : bad          ? matrix_field::relevance
                             : matrix_field::column_relevance);
  }
  __device__ void describe(fault_word word, fault_record& record) const {
    const auto& batch = pairs.batch;
    const std::size_t i = item_of(word);
    auto field = static_cast<matrix_field>(field_of(word));
    const device_reals* const numbers[] = {&batch.row_weights, &batch.column_weights,
                                           &batch.row_probabilities, &batch.column_probabilities};
    if (field < matrix_field::similarity) {
      record.number = (*numbers[static_cast<unsigned>(field)])[i];
      return;
    }
    const std::size_t row = i / batch.columns, column = i % batch.columns;
    if (field == matrix_field::similarity) {
      record.number = static_cast<double>(pairs.similarity(row, column));
    } else {
      const bool of_column = field == matrix_field::column_relevance;
      record.number = static_cast<double>(of_column ? batch.column_relevance[i] : batch.relevance[i]);
      if (!is_finite(record.number))
        field = of_column ? matrix_field::column_relevance_not_finite : matrix_field::relevance_not_finite;
      else if (record.number < 0.0)
        field = of_column ? matrix_field::column_relevance_below_0 : matrix_field::relevance_below_0;
    }
    record.list = row;
    record.word = fault_of_field(static_cast<unsigned>(field), column);
  }
};

/// What kernels of one call leave to each other.
struct matrix_state {
  double value[2];    ///< of the rows and of the columns
  std::uint64_t bad;  ///< not 0: a number of the matrix is bad
};
template <class Fields>
__global__ void __launch_bounds__(1)
    begin_matrix(const Fields fields, const fault_words words, fault_record* faults, matrix_state* state) {
  *state = {{0.0, 0.0}, faults->places != no_fault ? 1u : 0u};
  keep_fault(fields, words, faults);  // before engines of lists look for faults of their own
}

/// The lists of one direction in scratch: [lines, items of a line].
template <class T, class R>
struct line_arrays {
  bool columns;
  T* scores;
  R* relevance;
  std::uint8_t* mask;  ///< null: all pairs take part
};

/// Calls body(row in the tile, column in the tile) for the elements of a tile that this thread has.
template <class Body>
__device__ inline void over_tile(Body body) {
  for (unsigned k = threadIdx.x; k < line_tile * line_tile; k += line_tile_threads)
    body(k / line_tile, k % line_tile);
}

/// Lays out the rows or the columns. One tile a block.
template <class T, class R>
__global__ void __launch_bounds__(line_tile_threads)
    lay_out_lines(const matrix_pairs<T, R> pairs, const line_arrays<T, R> to) {
  __shared__ T scores[line_tile][line_tile + 1];
  __shared__ R relevance[line_tile][line_tile + 1];
  __shared__ std::uint8_t mask[line_tile][line_tile + 1];
  const std::size_t rows = pairs.batch.rows, columns = pairs.batch.columns;
  const std::size_t across = (columns + line_tile - 1) / line_tile;
  const std::size_t row = blockIdx.x / across * line_tile, column = blockIdx.x % across * line_tile;
  over_tile([&](unsigned r, unsigned c) {
    const std::size_t i = row + r, j = column + c;
    if (i >= rows || j >= columns) return;
    scores[r][c] = pairs.similarity(i, j);
    relevance[r][c] = pairs.relevance(i, j, to.columns);
    mask[r][c] = to.mask == nullptr || pairs.keeps(i, j) ? 1 : 0;
  });
  __syncthreads();
  over_tile([&](unsigned l, unsigned k) {
    const unsigned r = to.columns ? k : l, c = to.columns ? l : k;
    const std::size_t i = row + r, j = column + c;
    if (i >= rows || j >= columns) return;
    const std::size_t at = to.columns ? j * rows + i : i * columns + j;
    to.scores[at] = scores[r][c];
    to.relevance[at] = relevance[r][c];
    if (to.mask != nullptr) to.mask[at] = mask[r][c];
  });
}

/// What is written of a matrix.
template <class T>
struct matrix_results {
  outputs<T> out;
  std::size_t rows, columns, stride;
  double direction;  ///< factor on the value of a direction
  bool over_rows, over_columns;
  const matrix_state* state;
};

/// Writes the derivatives of the lists of one direction to where the similarities are. One tile a block.
template <class T>
__global__ void __launch_bounds__(line_tile_threads)
    put_lines(const matrix_results<T> to, const T* gradient, bool of_columns, update how) {
  __shared__ T slopes[line_tile][line_tile + 1];
  const std::size_t across = (to.columns + line_tile - 1) / line_tile;
  const std::size_t row = blockIdx.x / across * line_tile, column = blockIdx.x % across * line_tile;
  over_tile([&](unsigned l, unsigned k) {
    const unsigned r = of_columns ? k : l, c = of_columns ? l : k;
    const std::size_t i = row + r, j = column + c;
    if (i < to.rows && j < to.columns)
      slopes[r][c] = gradient[of_columns ? j * to.rows + i : i * to.columns + j];
  });
  __syncthreads();
  const bool bad = to.state->bad != 0;
  over_tile([&](unsigned r, unsigned c) {
    const std::size_t i = row + r, j = column + c;
    if (i >= to.rows || j >= to.columns) return;
    T& own = to.out.gradient[i * to.stride + j];
    if (bad)
      own = not_a_number<T>;
    else
      put_number(own, static_cast<double>(slopes[r][c]), how);
  });
}

/// The value of the matrix, and the values of lists that have not been computed. One block.
template <class T>
__global__ void __launch_bounds__(reduce_threads) end_matrix(const matrix_results<T> to) {
  const bool bad = to.state->bad != 0;
  for (std::size_t l = threadIdx.x; l < to.out.per_list.size(); l += reduce_threads) {
    const bool computed = l < to.rows ? to.over_rows : to.over_columns;
    if (bad || !computed) to.out.per_list[l] = bad ? not_a_number<double> : 0.0;
  }
  if (threadIdx.x != 0 || to.out.value.empty()) return;
  const double rows = to.over_rows ? held_as<double>(to.direction * to.state->value[0]) : 0.0;
  const double columns = to.over_columns ? held_as<double>(to.direction * to.state->value[1]) : 0.0;
  to.out.value[0] = bad ? not_a_number<double> : rankloss::detail::held_sum(rows, columns);
}

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
