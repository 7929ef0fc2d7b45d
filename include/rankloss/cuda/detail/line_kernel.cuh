// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/embedding_shape.hpp>
#include <rankloss/cuda/detail/embedding_side.cuh>
#include <rankloss/cuda/detail/faults.hpp>
#include <rankloss/cuda/detail/launch.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/product_tile.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/embedding_batch.hpp>
#include <rankloss/cuda/error.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/loss.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

/// Runs a similarity loss over embeddings: lines are the rows and the columns of the matrix of similarities,
/// and a loss knows of a few pairs of one line only.
///
/// The matrix is formed tile by tile. Each half of a line of a tile, a segment, becomes sums of the loss.
/// These are written, and merged line by line in a fixed order, so no result depends on which block came
/// first. Where a loss looks at its positives once more, knowing the sums, all this happens twice. Then the
/// tiles are formed once more and become slopes. A panel of some rows is in memory at a time, and two
/// products add it to the derivatives by rows and by columns; each entry of those has one owner.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// Items of a segment: half of a tile's line.
inline constexpr unsigned segment_size = tile_side / 2;
/// Pairs of a panel, at least; more of them where the embeddings take more memory.
inline constexpr std::size_t least_panel = std::size_t{1} << 22;
/// exp(-x) for x >= 0 in numbers of type T.
[[nodiscard]] __device__ inline float exp_minus(float x) { return expf(-fmaxf(x, 0.0f)); }
[[nodiscard]] __device__ inline double exp_minus(double x) { return exp(-fmax(x, 0.0)); }

/// Threads of a block that has a line in each thread.
inline constexpr unsigned line_threads = 128;

enum class pair_kind { none, negative, positive };

/// What there is to know of pairs.
template <class T>
struct pair_task {
  product_operand<T, true> rows, columns;
  std::size_t dimension;
  device_indices row_classes, column_classes;
  bool by_class, without_diagonal;
  bool over_rows, over_columns;

  [[nodiscard]] __device__ pair_kind kind(std::size_t i, std::size_t j) const {
    if (without_diagonal && i == j) return pair_kind::none;
    return (by_class ? row_classes[i] == column_classes[j] : i == j) ? pair_kind::positive
                                                                     : pair_kind::negative;
  }
};

/// A few neighbouring items of a line.
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
    return (columns + segment_size - 1) / segment_size;
  }
  [[nodiscard]] RANKLOSS_HOST_DEVICE std::size_t column_segments() const {
    return (rows + segment_size - 1) / segment_size;
  }
};

/// Fills the sums of a panel. One tile a block.
template <class Look, class T>
__global__ void __launch_bounds__(product_threads)
    sum_segments(const pair_task<T> task, const Look look, const panel_sums<typename Look::result> sums) {
  __shared__ union {
    product_memory<T> product;
    T scores[tile_side][tile_side + 1];
  } memory;
  __shared__ std::int64_t classes[2][tile_side];
  const std::size_t column_tiles = (sums.columns + tile_side - 1) / tile_side;
  const std::size_t row = sums.first_row + blockIdx.x / column_tiles * tile_side;
  const std::size_t column = blockIdx.x % column_tiles * tile_side;
  T own[own_side][own_side];
  multiply_tile(task.rows, task.columns, row, column, task.dimension, memory.product, own);
#pragma unroll
  for (unsigned r = 0; r < own_side; ++r)
#pragma unroll
    for (unsigned c = 0; c < own_side; ++c) memory.scores[own_row() + r][own_column() + c] = own[r][c];
  if (task.by_class && threadIdx.x < 2 * tile_side) {
    const bool of_column = threadIdx.x >= tile_side;
    const std::size_t k = threadIdx.x % tile_side + (of_column ? column : row);
    if (k < (of_column ? task.columns.lines : task.rows.lines))
      classes[of_column][threadIdx.x % tile_side] = of_column ? task.column_classes[k] : task.row_classes[k];
  }
  __syncthreads();

  // A thread for each segment: of rows, then of columns, first halves before second ones.
  const unsigned line = threadIdx.x % tile_side, half = threadIdx.x / (2 * tile_side);
  const bool is_column = threadIdx.x / tile_side % 2 != 0;
  if (!(is_column ? task.over_columns : task.over_rows)) return;
  const std::size_t number = line + (is_column ? column : row);
  const std::size_t first = half * segment_size + (is_column ? row : column);
  const std::size_t lines = is_column ? task.columns.lines : task.rows.lines;
  const std::size_t items = is_column ? task.rows.lines : task.columns.lines;
  if (number >= lines || first >= items) return;
  const line_segment<T> segment(
      is_column ? &memory.scores[half * segment_size][line] : &memory.scores[line][half * segment_size],
      is_column ? tile_side + 1 : 1,
      static_cast<unsigned>(items - first < segment_size ? items - first : segment_size),
      task.by_class ? &classes[!is_column][half * segment_size] : nullptr,
      task.by_class ? classes[is_column][line] : 0,
      static_cast<std::int64_t>(number) - static_cast<std::int64_t>(first), task.without_diagonal);
  if (is_column)
    sums.of_columns[number * sums.column_segments() + (first - sums.first_row) / segment_size] =
        look.sum_up(segment, task.rows.lines + number);
  else
    sums.of_rows[(number - sums.first_row) * sums.row_segments() + first / segment_size] =
        look.sum_up(segment, number);
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

/// What becomes of the sums of all lines.
template <class Lines, class T>
struct line_task {
  using score_type = T;

  Lines lines;
  embedding_batch<T> batch;
  embedding_outputs<T> out;
  embedding_side<T> row_side, column_side;
  std::size_t rows, columns;
  bool self, over_rows, over_columns, check, looks_twice;
  const typename Lines::first* first;    ///< [rows + columns]
  const typename Lines::second* second;  ///< [rows + columns]
  typename Lines::slope* slopes;         ///< [rows + columns]
  double* values;                        ///< [rows + columns]
  double* by_temperature;                ///< [rows + columns]
  double* by_bias;                       ///< [rows + columns]
  list_mean* means;                      ///< of rows and of columns
  std::uint64_t* bad;                    ///< not 0: a number of the batch is bad
  fault_record* faults;

  [[nodiscard]] __device__ bool is_over(bool of_columns) const {
    return of_columns ? over_columns : over_rows;
  }
  [[nodiscard]] __device__ std::size_t count(bool of_columns) const { return of_columns ? columns : rows; }
  [[nodiscard]] __device__ const device_reals& weights(bool of_columns) const {
    return of_columns ? batch.column_weights : batch.row_weights;
  }
  [[nodiscard]] __device__ bool bad_weight(bool of_columns, std::size_t k) const {
    if (weights(of_columns).empty()) return false;
    const double w = weights(of_columns)[k];
    return !(is_finite(w) && w >= 0.0);
  }
  /// Of row or column k.
  [[nodiscard]] __device__ double weight(bool of_columns, std::size_t k) const {
    if (batch.reduction == reduction::mean_of_relevant && !first[(of_columns ? rows : 0) + k].has_positives())
      return 0.0;
    if (weights(of_columns).empty()) return 1.0;
    return check && bad_weight(of_columns, k) ? 0.0 : weights(of_columns)[k];
  }
};

/// Finds the shares of rows and of columns.
template <class Team, class Task>
__device__ inline void weigh_directions(const Team& team, const Task& task, reduction kind) {
  const bool summed = kind == reduction::sum;
  const double factor = summed || !(task.over_rows && task.over_columns) ? 1.0 : 0.5;
#pragma unroll
  for (const bool of_columns : {false, true}) {
    if (!task.is_over(of_columns)) continue;
    double most = 0.0;
    for (std::size_t k = team.rank(); k < task.count(of_columns); k += team.size())
      most = fmax(most, task.weight(of_columns, k));
    const double unit = unit_of(greatest(team, most));
    double total = 0.0;
    for (std::size_t k = team.rank(); k < task.count(of_columns); k += team.size())
      total += task.weight(of_columns, k) * unit;
    total = sum(team, total);
    if (team.rank() == 0)
      task.means[of_columns] = {summed ? factor : total > 0.0 ? factor / total : 0.0, unit, summed ? 1u : 0u};
  }
}

/// Looks for bad numbers, and finds the shares of rows and of columns. One block.
template <class Task>
__global__ void __launch_bounds__(reduce_threads) weigh_lines(const Task task) {
  __shared__ block_team::slots slots;
  const block_team team(slots);
  first_fault found{no_fault, ~std::uint64_t{0}};
  const auto comes_first = [](const first_fault& a, const first_fault& b) {
    if (kind_of(a.word) != kind_of(b.word)) return kind_of(a.word) < kind_of(b.word);
    return a.list != b.list ? a.list < b.list : a.word < b.word;
  };
  double largest[2] = {0.0, 0.0};
#pragma unroll
  for (const bool of_columns : {false, true}) {
    const bool has_side = !of_columns || !task.self;
    const auto& side = of_columns ? task.column_side : task.row_side;
    for (std::size_t k = team.rank(); task.check && k < task.count(of_columns); k += team.size()) {
      const auto look = [&](const first_fault& own) {
        if (comes_first(own, found)) found = own;
      };
      if (task.bad_weight(of_columns, k))
        look({fault_of(of_columns ? fault::column_weight : fault::row_weight), k});
      if (!has_side) continue;
      if (side.not_finite[k] != no_component)
        look({fault_of(of_columns ? fault::column_embedding : fault::row_embedding, side.not_finite[k]), k});
      largest[of_columns] = fmax(largest[of_columns], side.largest[k]);
    }
    largest[of_columns] = greatest(team, largest[of_columns]);
  }
  if (task.self) largest[1] = largest[0];
  if (task.check && task.batch.similarity == similarity::dot) {
    // By halves of the exponent, so that the product itself cannot overflow, and twice as far as the exact
    // sum may reach, so that neither its rounding nor a difference of two overflows.
    const double reach = 2.0 * static_cast<double>(task.batch.dimension > 0 ? task.batch.dimension : 1);
    const double most = static_cast<double>(greatest_number<typename Task::score_type>) / reach;
    const bool fits =
        largest[0] <= most / fmax(1.0, largest[1]) && largest[1] <= most / fmax(1.0, largest[0]);
    const first_fault own{fault_of(fault::dot_products), 0};
    if (!fits && comes_first(own, found)) found = own;
  }
  found = combine_all(team, found, first_fault{no_fault, ~std::uint64_t{0}},
                      [&](const first_fault& a, const first_fault& b) { return comes_first(b, a) ? b : a; });
  if (team.rank() == 0) {
    *task.bad = found.word != no_fault ? 1 : 0;
    if (found.word != no_fault && task.faults->word == no_fault) {
      fault_record record{.places = no_fault,
                          .word = found.word,
                          .list = found.list,
                          .number = 0.0,
                          .whole = 0,
                          .other = 0,
                          .expected = nullptr,
                          .expected_size = 0};
      switch (kind_of(found.word)) {
        case fault::row_weight: record.number = task.batch.row_weights[found.list]; break;
        case fault::column_weight: record.number = task.batch.column_weights[found.list]; break;
        case fault::row_embedding:
          record.number = static_cast<double>(
              task.batch.row_embeddings[found.list * task.row_side.stride + item_of(found.word)]);
          break;
        case fault::column_embedding:
          record.number = static_cast<double>(
              task.batch.column_embeddings[found.list * task.column_side.stride + item_of(found.word)]);
          break;
        default: record.number = largest[0]; record.other = __builtin_bit_cast(std::int64_t, largest[1]);
      }
      *task.faults = record;
    }
  }
  weigh_directions(team, task, task.batch.reduction);
}

/// The value of each line, and what its slopes need. A thread for each.
template <class Task>
__global__ void __launch_bounds__(line_threads) finish_lines(const Task task) {
  const std::size_t l = std::size_t{blockIdx.x} * line_threads + threadIdx.x;
  if (l >= task.rows + task.columns) return;
  const bool is_column = l >= task.rows;
  line_outcome outcome;
  if (task.is_over(is_column)) {
    const double share = task.means[is_column].share(task.weight(is_column, l - (is_column ? task.rows : 0)));
    outcome =
        task.lines.finish(task.first[l], task.looks_twice ? task.second + l : nullptr, share, task.slopes[l]);
    outcome.by_temperature = held_as<double>(share * outcome.by_temperature);
    outcome.by_bias = held_as<double>(share * outcome.by_bias);
  }
  task.values[l] = outcome.value;
  task.by_temperature[l] = outcome.by_temperature;
  task.by_bias[l] = outcome.by_bias;
  if (!task.out.per_list.empty())
    task.out.per_list[l] = *task.bad != 0 ? not_a_number<double> : outcome.value;
}

/// The value of the batch, and the derivatives by the options of the loss. One block.
template <class Task>
__global__ void __launch_bounds__(reduce_threads) reduce_lines(const Task task) {
  __shared__ block_team::slots slots;
  const block_team team(slots);
  double value = 0.0, by_temperature = 0.0, by_bias = 0.0;
#pragma unroll
  for (const bool of_columns : {false, true}) {
    if (!task.is_over(of_columns)) continue;
    const std::size_t from = of_columns ? task.rows : 0;
    const list_mean mean = task.means[of_columns];
    double own = 0.0, temperature = 0.0, bias = 0.0;
    for (std::size_t k = team.rank(); k < task.count(of_columns); k += team.size()) {
      own += mean.summand(task.weight(of_columns, k)) * task.values[from + k];
      temperature += task.by_temperature[from + k];
      bias += task.by_bias[from + k];
    }
    own = sum(team, own) * mean.scale;
    if (!is_finite(own)) {  // in smaller numbers
      double small = 0.0;
      for (std::size_t k = team.rank(); k < task.count(of_columns); k += team.size())
        small += mean.scaled(task.weight(of_columns, k)) * (task.values[from + k] * 0x1p-600);
      own = held_as<double>(held_as<double>(sum(team, small) * mean.factor()) * 0x1p600);
    }
    value = held_as<double>(value + own);
    by_temperature = held_as<double>(by_temperature + sum(team, temperature));
    by_bias = held_as<double>(by_bias + sum(team, bias));
  }
  if (team.rank() != 0) return;
  const bool bad = *task.bad != 0;
  if (!task.out.value.empty()) task.out.value[0] = bad ? not_a_number<double> : value;
  const auto write = [&](const device_span<double>& to, double slope) {
    if (to.empty()) return;
    const double x = held_as<double>(task.out.scale * slope);
    to[0] = bad ? not_a_number<double> : task.out.update == update::add ? held_as<double>(to[0] + x) : x;
  };
  write(task.out.temperature_gradient, by_temperature);
  write(task.out.bias_gradient, by_bias);
}

/// The slopes of the rows of a panel: [rows, columns]. One tile a block.
template <class Lines, class T>
__global__ void __launch_bounds__(product_threads)
    write_slopes(const pair_task<T> task, const Lines lines, const typename Lines::slope* of_lines,
                 std::size_t first_row, T* slopes) {
  __shared__ product_memory<T> memory;
  const std::size_t rows = task.rows.lines, columns = task.columns.lines;
  const std::size_t column_tiles = (columns + tile_side - 1) / tile_side;
  const std::size_t row = first_row + blockIdx.x / column_tiles * tile_side;
  const std::size_t column = blockIdx.x % column_tiles * tile_side;
  T own[own_side][own_side];
  multiply_tile(task.rows, task.columns, row, column, task.dimension, memory, own);
#pragma unroll
  for (unsigned c = 0; c < own_side; ++c) {
    const std::size_t j = column + own_column() + c;
    if (j >= columns) continue;
#pragma unroll
    for (unsigned r = 0; r < own_side; ++r) {
      const std::size_t i = row + own_row() + r;
      if (i >= rows) continue;
      const pair_kind kind = task.kind(i, j);
      T slope{0};
      if (kind != pair_kind::none) {
        const bool positive = kind == pair_kind::positive;
        if (task.over_rows) slope = lines.slope_of(of_lines[i], own[r][c], positive);
        if (task.over_columns) slope += lines.slope_of(of_lines[rows + j], own[r][c], positive);
      }
      slopes[(i - first_row) * columns + j] = slope;
    }
  }
}

/// The engine of a loss over embeddings. `Lines<T>` is what kernels are given of the loss, by value; it has
///
///     first, second, slope     numbers without holes between them: what is summed up of a line at the first
///                              and the second look, and what the slopes of its items need.
///                              first::none() and second::none() are the sums of no items, and
///                              first::has_positives() says whether the line counts for mean_of_relevant
///     of(loss, by_class, by_temperature)
///                              made on the host; by_temperature says whether that derivative is wanted
///     looks_twice              whether it does
///     sum_up(segment), sum_up(segment, first)
///                              the sums of a few items of a line
///     merge(a, b)              of two sums; it commutes, to the bit
///     finish(first, second, share, slope)
///                              what a line adds; fills the slope for a line of that share in the mean
///     slope_of(slope, score, positive)
///                              d(value) / d(similarity) through one line
template <class Loss, template <class> class Lines>
struct embedding_engine {
  template <class T>
  [[nodiscard]] static std::size_t scratch_bytes(const Loss&, const embedding_batch<T>& batch) {
    return plan<T>(batch, panel_rows(batch)).bytes;
  }
  template <class T>
  static void run(const Loss& loss, const embedding_batch<T>& batch, const embedding_outputs<T>& out,
                  context& ctx) {
    run_in_panels(loss, batch, out, ctx, panel_rows(batch));
  }

  /// @param height  rows of a panel, a multiple of tile_side
  template <class T>
  static void run_in_panels(const Loss& loss, const embedding_batch<T>& batch,
                            const embedding_outputs<T>& out, context& ctx, std::size_t height) {
    using lines_type = Lines<T>;
    using task_type = line_task<lines_type, T>;
    const plan<T> to(batch, height);
    const lines_type lines = lines_type::of(loss, by_class(batch), !out.temperature_gradient.empty());
    auto* const memory = static_cast<unsigned char*>(ctx.scratch(to.bytes));
    const cudaStream_t stream = ctx.stream();
    const std::size_t rows = to.rows, columns = to.columns, d = batch.dimension;
    const auto blocks = [](std::size_t count, std::size_t of_block) {
      return static_cast<unsigned>((count + of_block - 1) / of_block);
    };

    const auto side_of = [&](const device_vectors<T>& given, std::size_t count, std::size_t stride,
                             bool is_column) {
      const auto& own = is_column ? to.column_side : to.row_side;
      return embedding_side<T>{.given = given,
                               .count = count,
                               .dimension = d,
                               .stride = stride > 0 ? stride : d,
                               .unit = batch.similarity == similarity::cosine ? 1u : 0u,
                               .vectors = at<T>(memory, own.vectors),
                               .lengths = at<unit_length>(memory, own.lengths),
                               .largest = at<double>(memory, own.largest),
                               .not_finite = at<std::uint64_t>(memory, own.not_finite)};
    };
    const embedding_side<T> row_side = side_of(batch.row_embeddings, rows, batch.row_stride, false);
    const embedding_side<T> column_side =
        to.self ? row_side : side_of(batch.column_embeddings, columns, batch.column_stride, true);
    const auto prepare = [&](const embedding_side<T>& side) {
      if (side.count > 0)
        launch("prepare_vectors", prepare_vectors<T>, blocks(side.count, vectors_of_block),
               vectors_of_block * warp_size, 0, stream, side);
    };
    prepare(row_side);
    if (!to.self) prepare(column_side);

    const pair_task<T> pairs{.rows = {row_side.vectors, d, rows},
                             .columns = {column_side.vectors, d, columns},
                             .dimension = d,
                             .row_classes = batch.row_classes,
                             .column_classes = to.self ? batch.row_classes : batch.column_classes,
                             .by_class = by_class(batch),
                             .without_diagonal = batch.without_diagonal,
                             .over_rows = loss.over != directions::columns,
                             .over_columns = loss.over != directions::rows};
    const task_type task{.lines = lines,
                         .batch = batch,
                         .out = out,
                         .row_side = row_side,
                         .column_side = column_side,
                         .rows = rows,
                         .columns = columns,
                         .self = to.self,
                         .over_rows = pairs.over_rows,
                         .over_columns = pairs.over_columns,
                         .check = ctx.checks == data_checks::on,
                         .looks_twice = lines.looks_twice,
                         .first = at<typename lines_type::first>(memory, to.first),
                         .second = at<typename lines_type::second>(memory, to.second),
                         .slopes = at<typename lines_type::slope>(memory, to.slopes),
                         .values = at<double>(memory, to.values),
                         .by_temperature = at<double>(memory, to.by_temperature),
                         .by_bias = at<double>(memory, to.by_bias),
                         .means = at<list_mean>(memory, to.means),
                         .bad = at<std::uint64_t>(memory, to.bad),
                         .faults = ctx.faults()};

    const auto sum_up = [&](const auto& look, auto* of_lines) {
      using look_type = std::remove_cvref_t<decltype(look)>;
      using result = typename look_type::result;
      // Columns have sums even where there is no row.
      for (std::size_t first = 0; first == 0 || first < rows; first += height) {
        panel_sums<result> sums{.first_row = first,
                                .rows = std::min(height, rows - first),
                                .columns = columns,
                                .of_rows = at<result>(memory, to.panel),
                                .of_columns = nullptr};
        sums.of_columns = sums.of_rows + sums.rows * sums.row_segments();
        if (sums.rows > 0 && columns > 0)
          launch("sum_segments", sum_segments<look_type, T>,
                 blocks(sums.rows, tile_side) * blocks(columns, tile_side), product_threads, 0, stream, pairs,
                 look, sums);
        if (sums.rows + columns > 0)
          launch("merge_segments", merge_segments<look_type>, blocks(sums.rows + columns, warps_of_block),
                 warps_of_block * warp_size, 0, stream, look, sums, pairs.over_rows, pairs.over_columns, rows,
                 of_lines);
      }
    };
    sum_up(first_look<lines_type>{lines}, at<typename lines_type::first>(memory, to.first));
    if constexpr (!std::same_as<typename lines_type::second, no_sums>)
      if (lines.looks_twice)
        sum_up(second_look<lines_type>{lines, task.first},
               at<typename lines_type::second>(memory, to.second));
    launch("weigh_lines", weigh_lines<task_type>, 1, reduce_threads, 0, stream, task);
    if (rows + columns > 0)
      launch("finish_lines", finish_lines<task_type>, blocks(rows + columns, line_threads), line_threads, 0,
             stream, task);
    launch("reduce_lines", reduce_lines<task_type>, 1, reduce_threads, 0, stream, task);

    const std::size_t row_slopes = out.row_gradient.empty() ? 0 : rows;
    const std::size_t column_slopes = to.self ? row_slopes : d > 0 ? out.column_gradient.size() / d : 0;
    if (row_slopes + column_slopes == 0) return;
    T* const row_sums = at<T>(memory, to.row_sums);
    T* const column_sums = to.self ? row_sums : at<T>(memory, to.column_sums);
    const auto clear = [&](T* sums, std::size_t count) {
      if (count > 0)
        require_success(cudaMemsetAsync(sums, 0, count * d * sizeof(T), stream), "cudaMemsetAsync");
    };
    clear(row_sums, row_slopes);
    if (!to.self) clear(column_sums, column_slopes);
    T* const slopes = at<T>(memory, to.panel);
    for (std::size_t first = 0; first < rows && columns > 0; first += height) {
      const std::size_t own = std::min(height, rows - first);
      launch("write_slopes", write_slopes<lines_type, T>, blocks(own, tile_side) * blocks(columns, tile_side),
             product_threads, 0, stream, pairs, lines, task.slopes, first, slopes);
      if (row_slopes > 0)
        launch("add_product", add_product<T, true, false>, blocks(own, tile_side) * blocks(d, tile_side),
               product_threads, 0, stream, product_operand<T, true>{slopes, columns, own},
               product_operand<T, false>{column_side.vectors, d, d}, columns, row_sums + first * d, d);
      if (column_slopes > 0)
        launch("add_product", add_product<T, false, false>,
               blocks(column_slopes, tile_side) * blocks(d, tile_side), product_threads, 0, stream,
               product_operand<T, false>{slopes, columns, column_slopes},
               product_operand<T, false>{row_side.vectors + first * d, d, d}, own, column_sums, d);
    }
    const auto commit = [&](const embedding_side<T>& side, const T* sums, std::size_t count,
                            const device_span<T>& gradient) {
      if (count > 0)
        launch("commit_vectors", commit_vectors<T>, blocks(count, vectors_of_block),
               vectors_of_block * warp_size, 0, stream, side, sums, count, gradient.data(), out.scale,
               out.update == update::add ? 1u : 0u, task.bad);
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
  struct plan {
    struct side {
      std::size_t vectors, lengths, largest, not_finite;
    };

    plan(const embedding_batch<T>& batch, std::size_t height)
        : rows(batch.rows), columns(columns_of(batch)), self(compares_with_itself(batch)) {
      using lines_type = Lines<T>;
      const std::size_t d = batch.dimension, all = rows + columns;
      const auto take = [this](std::size_t size) {
        const std::size_t begin = bytes;
        bytes += (size + 255) / 256 * 256;
        return begin;
      };
      const auto take_side = [&](std::size_t count) {
        side own{};
        own.vectors = take(count * d * sizeof(T));
        own.lengths = take(count * sizeof(unit_length));
        own.largest = take(count * sizeof(double));
        own.not_finite = take(count * sizeof(std::uint64_t));
        return own;
      };
      row_side = take_side(rows);
      column_side = self ? row_side : take_side(columns);
      row_sums = take(rows * d * sizeof(T));
      column_sums = self ? row_sums : take(columns * d * sizeof(T));
      first = take(all * sizeof(typename lines_type::first));
      second = take(all * sizeof(typename lines_type::second));
      slopes = take(all * sizeof(typename lines_type::slope));
      values = take(all * sizeof(double));
      by_temperature = take(all * sizeof(double));
      by_bias = take(all * sizeof(double));
      means = take(2 * sizeof(list_mean));
      bad = take(sizeof(std::uint64_t));
      const std::size_t own = std::min(height, rows);
      const panel_sums<typename lines_type::first> sums{0, own, columns, nullptr, nullptr};
      const std::size_t segments = own * sums.row_segments() + columns * sums.column_segments();
      panel = take(std::max({own * columns * sizeof(T), segments * sizeof(typename lines_type::first),
                             segments * sizeof(typename lines_type::second)}));
    }

    std::size_t rows, columns;
    bool self;
    std::size_t bytes = 0;
    side row_side{}, column_side{};
    std::size_t row_sums, column_sums, first, second, slopes, values, by_temperature, by_bias, means, bad,
        panel;
  };

  template <class X>
  [[nodiscard]] static X* at(unsigned char* memory, std::size_t offset) noexcept {
    return reinterpret_cast<X*>(memory + offset);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
