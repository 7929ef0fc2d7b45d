// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/float_functions.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/product_tile.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/device_span.hpp>
#include <rankloss/detail/base/host_device.hpp>
#include <rankloss/distance.hpp>

#include <cstddef>
#include <cstdint>

/// What a similarity loss sums up of the lines of the matrix of similarities, which are its rows and its columns.
/// The matrix is there tile by tile. A line of a tile, a segment, becomes sums of the loss; these are written, and
/// merged line by line in a fixed order, so no result depends on which block came first.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

using rankloss::detail::bounded;

/// exp(-x) for x >= 0 in numbers of type T.
[[nodiscard]] __device__ inline float exp_minus(float x) { return exp_up_to_88(-fmaxf(x, 0.0f)); }
[[nodiscard]] __device__ inline double exp_minus(double x) { return exp(-fmax(x, 0.0)); }
/// The same of a double: what sums are multiplied by which are relative to something else.
template <class T>
[[nodiscard]] __device__ inline double share_below(double x) {
  return static_cast<double>(exp_minus(static_cast<T>(fmin(x, 1e4))));
}

/// Not below any derivative of a distance of floats: the next one below a cosine of 1 has the Euclidean
/// distance 2^-11.5.
[[nodiscard]] __device__ inline double steepest_of(distance kind) {
  return kind == distance::cosine ? 1.0 : kind == distance::euclidean ? 2897.0 : 2.0;
}

enum class pair_kind { none, negative, positive };

/// What there is to know of pairs.
struct pair_task {
  std::size_t rows, columns;
  device_flags matches;
  device_indices row_classes, column_classes;
  device_flags mask;
  device_indices row_ids, column_ids;
  bool by_class, without_diagonal;
  bool over_rows, over_columns;

  [[nodiscard]] __device__ pair_kind kind(std::size_t i, std::size_t j) const {
    if (without_diagonal && i == j) return pair_kind::none;
    if (!mask.empty() && !mask[i * columns + j]) return pair_kind::none;
    const bool match = !matches.empty() ? matches[i * columns + j]
                       : by_class       ? row_classes[i] == column_classes[j]
                                        : i == j;
    if (match) return pair_kind::positive;
    return !row_ids.empty() && row_ids[i] == column_ids[j] ? pair_kind::none : pair_kind::negative;
  }
  /// Whether pairs have to be asked for one by one: a line knows the others by index and class.
  [[nodiscard]] RANKLOSS_HOST_DEVICE bool is_each() const {
    return !matches.empty() || !mask.empty() || !row_ids.empty();
  }
  /// Whether all pairs of a tile are negatives, where the host can know it.
  [[nodiscard]] __device__ bool all_negative(std::size_t row, std::size_t column) const {
    return !by_class && !is_each() && row != column;
  }
};

/// Neighbouring items of a line that are all negatives.
template <class T>
class negative_segment {
 public:
  __device__ negative_segment(const T* scores, unsigned stride, unsigned count)
      : scores_(scores), stride_(stride), count_(count) {}

  [[nodiscard]] __device__ unsigned size() const { return count_; }
  [[nodiscard]] __device__ T score(unsigned k) const { return scores_[k * stride_]; }
  [[nodiscard]] __device__ pair_kind kind(unsigned) const { return pair_kind::negative; }

 private:
  const T* scores_;
  unsigned stride_;
  unsigned count_;
};

/// Neighbouring items of a line, the kinds of which are known one by one.
template <class T>
class kind_segment {
 public:
  __device__ kind_segment(const T* scores, unsigned stride, const std::uint8_t* kinds, unsigned kind_stride,
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

/// Neighbouring items of a line.
template <class T>
class line_segment {
 public:
  /// @param classes  of the items; null: the item of the number of the line is its positive
  /// @param own      where that item is among these
  __device__ line_segment(const T* scores, unsigned stride, unsigned count, const std::int64_t* classes,
                          std::int64_t own_class, std::int64_t own, bool without_own)
      : scores_(scores),
        stride_(stride),
        count_(count),
        classes_(classes),
        own_class_(own_class),
        own_(own),
        without_own_(without_own) {}

  [[nodiscard]] __device__ unsigned size() const { return count_; }
  [[nodiscard]] __device__ T score(unsigned k) const { return scores_[k * stride_]; }
  [[nodiscard]] __device__ pair_kind kind(unsigned k) const {
    const bool is_own = own_ == static_cast<std::int64_t>(k);
    if (without_own_ && is_own) return pair_kind::none;
    const bool matches = classes_ != nullptr ? classes_[k] == own_class_ : is_own;
    return matches ? pair_kind::positive : pair_kind::negative;
  }

 private:
  const T* scores_;
  unsigned stride_;
  unsigned count_;
  const std::int64_t* classes_;
  std::int64_t own_class_;
  std::int64_t own_;
  bool without_own_;
};

/// Weights of rows, as items of columns, then of columns: their logarithms, relative to the greatest weight
/// of the side.
template <class Number>
struct item_weights {
  using number_type = Number;

  const Number* logarithms;  ///< [rows + columns]
  const double* units;       ///< minus the logarithm of the greatest weight: of rows and of columns
};

/// Lines of a loss that takes weights of items.
template <class Lines>
concept weighs_items = requires(const Lines& lines) {
  lines.weights.logarithms;
};

/// Neighbouring items of a line, and their weights.
template <class Segment, class Number>
class weighted_segment {
 public:
  __device__ weighted_segment(const Segment& items, const Number* logarithms, double log_unit)
      : items_(items), logarithms_(logarithms), log_unit_(log_unit) {}

  [[nodiscard]] __device__ unsigned size() const { return items_.size(); }
  [[nodiscard]] __device__ auto score(unsigned k) const { return items_.score(k); }
  [[nodiscard]] __device__ pair_kind kind(unsigned k) const { return items_.kind(k); }
  [[nodiscard]] __device__ Number log_weight(unsigned k) const { return logarithms_[k]; }
  [[nodiscard]] __device__ double log_unit() const { return log_unit_; }

 private:
  const Segment& items_;
  const Number* logarithms_;
  double log_unit_;
};

/// What a loss sums up of a line when it looks at it for the first time, and for the second time.
template <class Lines>
struct first_look {
  using result = typename Lines::first;
  Lines lines;

  template <class Segment>
  [[nodiscard]] __device__ result sum_up(const Segment& segment, std::size_t) const {
    return lines.sum_up(segment);
  }
};
template <class Lines>
struct second_look {
  using result = typename Lines::second;
  Lines lines;
  const typename Lines::first* known;  ///< [rows + columns]

  template <class Segment>
  [[nodiscard]] __device__ result sum_up(const Segment& segment, std::size_t line) const {
    return lines.sum_up(segment, known[line]);
  }
};

/// The sums of a panel of rows: of its rows, and of all columns over these rows.
template <class Result>
struct panel_sums {
  std::size_t first_row, rows, columns;
  Result* of_rows;     ///< [rows, row_segments]
  Result* of_columns;  ///< [columns, column_segments]

  [[nodiscard]] RANKLOSS_HOST_DEVICE std::size_t row_segments() const {
    return (columns + tile_side - 1) / tile_side;
  }
  [[nodiscard]] RANKLOSS_HOST_DEVICE std::size_t column_segments() const {
    return (rows + tile_side - 1) / tile_side;
  }
};

/// Blocks of a processor that kernels which sum up tiles leave registers for; without it ptxas spills some to
/// leave room for one block more.
template <class T>
inline constexpr unsigned least_sum_blocks = sizeof(T) == sizeof(float) ? 3 : 2;

/// The shared memory of a block that sums up a tile.
template <class T, class Result>
struct sum_memory {
  union {
    product_memory<T> product;
    T scores[tile_side][tile_side + 1];
    Result halves[2 * tile_side];
  };
  union {
    std::int64_t classes[2][tile_side];            ///< of rows and of columns
    std::uint8_t kinds[tile_side][tile_side + 4];  ///< of pairs; so that threads of rows meet in no bank
  };
};

/// What a look sums up of a segment of a line, with the weights of its items where the loss takes such. Lines and
/// items are numbered rows first, then columns.
///
/// @param from, side  the first item, and whether the items are rows (0) or columns (1)
template <class Look, class Segment>
[[nodiscard]] __device__ inline typename Look::result sum_segment(const Look& look, const Segment& segment,
                                                                  std::size_t line, std::size_t from,
                                                                  unsigned side) {
  if constexpr (weighs_items<decltype(look.lines)>)
    return look.sum_up(
        weighted_segment(segment, look.lines.weights.logarithms + from, look.lines.weights.units[side]),
        line);
  else
    return look.sum_up(segment, line);
}

/// Sums up the tile whose first row and column these are, and whose scores lie in shared memory. All threads of a
/// block call it: each has half of a line.
template <class Look, class T>
__device__ inline void sum_tile(const pair_task& task, const Look& look,
                                const panel_sums<typename Look::result>& sums, std::size_t row,
                                std::size_t column, sum_memory<T, typename Look::result>& memory) {
  using result = typename Look::result;
  constexpr unsigned half_size = tile_side / 2;
  if (task.is_each()) {
    for (unsigned n = threadIdx.x; n < tile_side * tile_side; n += product_threads) {
      const std::size_t i = row + n / tile_side, j = column + n % tile_side;
      if (i < task.rows && j < task.columns)
        memory.kinds[n / tile_side][n % tile_side] = static_cast<std::uint8_t>(task.kind(i, j));
    }
  } else if (task.by_class && threadIdx.x < 2 * tile_side) {
    const bool of_column = threadIdx.x >= tile_side;
    const std::size_t k = threadIdx.x % tile_side + (of_column ? column : row);
    if (k < (of_column ? task.columns : task.rows))
      memory.classes[of_column][threadIdx.x % tile_side] =
          of_column ? task.column_classes[k] : task.row_classes[k];
  }
  __syncthreads();

  // First halves of rows, then of columns, and second halves.
  const unsigned line = threadIdx.x % tile_side, half = threadIdx.x / (2 * tile_side);
  const bool is_column = threadIdx.x / tile_side % 2 != 0;
  const std::size_t number = line + (is_column ? column : row);
  const std::size_t first = half * half_size + (is_column ? row : column);
  const std::size_t items = is_column ? task.rows : task.columns;
  const bool is_wanted =
      (is_column ? task.over_columns : task.over_rows) && number < (is_column ? task.columns : task.rows);
  result own = result::none();
  if (is_wanted && first < items) {
    const T* const scores =
        is_column ? &memory.scores[half * half_size][line] : &memory.scores[line][half * half_size];
    const unsigned stride = is_column ? tile_side + 1 : 1;
    const auto count = static_cast<unsigned>(items - first < half_size ? items - first : half_size);
    const std::size_t of_all = (is_column ? task.rows : 0) + number;
    const std::size_t items_from = (is_column ? 0 : task.rows) + first;
    const auto sum_up = [&](const auto& segment) {
      return sum_segment(look, segment, of_all, items_from, !is_column);
    };
    if (task.all_negative(row, column))
      own = sum_up(negative_segment<T>(scores, stride, count));
    else if (task.is_each())
      own = sum_up(kind_segment<T>(
          scores, stride,
          is_column ? &memory.kinds[half * half_size][line] : &memory.kinds[line][half * half_size],
          is_column ? tile_side + 4 : 1, count));
    else
      own = sum_up(line_segment<T>(
          scores, stride, count, task.by_class ? &memory.classes[!is_column][half * half_size] : nullptr,
          task.by_class ? memory.classes[is_column][line] : 0,
          static_cast<std::int64_t>(number) - static_cast<std::int64_t>(first), task.without_diagonal));
  }
  __syncthreads();
  if (half == 1) memory.halves[threadIdx.x % (2 * tile_side)] = own;
  __syncthreads();
  if (half == 1 || !is_wanted) return;
  own = look.lines.merge(own, memory.halves[threadIdx.x]);
  if (is_column)
    sums.of_columns[number * sums.column_segments() + (row - sums.first_row) / tile_side] = own;
  else
    sums.of_rows[(number - sums.first_row) * sums.row_segments() + column / tile_side] = own;
}

/// Merges the segments of each line of a panel into its sums: those of its rows, and of all columns, which
/// later panels add to. A warp for each line.
template <class Look>
__global__ void __launch_bounds__(warps_of_block* warp_size)
    merge_segments(const Look look, const panel_sums<typename Look::result> sums, bool over_rows,
                   bool over_columns, std::size_t columns_from, typename Look::result* of_lines) {
  using result = typename Look::result;
  const warp_team team;
  const std::size_t l = std::size_t{blockIdx.x} * warps_of_block + threadIdx.x / warp_size;
  if (l >= sums.rows + sums.columns) return;
  const bool is_column = l >= sums.rows;
  if (!(is_column ? over_columns : over_rows)) return;
  const std::size_t segments = is_column ? sums.column_segments() : sums.row_segments();
  const result* const parts =
      is_column ? sums.of_columns + (l - sums.rows) * segments : sums.of_rows + l * segments;
  result merged = result::none();
  for (std::size_t s = team.rank(); s < segments; s += team.size())
    merged = look.lines.merge(merged, parts[s]);
  merged = combine_lanes(merged, [&](const result& a, const result& b) { return look.lines.merge(a, b); });
  if (team.rank() != 0) return;
  result& to = of_lines[is_column ? columns_from + (l - sums.rows) : sums.first_row + l];
  to = is_column && sums.first_row > 0 ? look.lines.merge(to, merged) : merged;
}

/// The sums of a loss that looks once.
struct no_sums {
  double unused;
};

/// What a line adds to what the loss returns besides slopes, before its share in the mean.
struct line_outcome {
  double value = 0.0;
  double by_temperature = 0.0;
  double by_bias = 0.0;
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
