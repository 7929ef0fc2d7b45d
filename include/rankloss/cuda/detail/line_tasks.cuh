// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/embedding_shape.hpp>
#include <rankloss/cuda/detail/embedding_side.cuh>
#include <rankloss/cuda/detail/faults.hpp>
#include <rankloss/cuda/detail/field_faults.cuh>
#include <rankloss/cuda/detail/launch.cuh>
#include <rankloss/cuda/detail/line_sums.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/near_numbers.cuh>
#include <rankloss/cuda/detail/scratch_plan.hpp>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/embedding_batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/loss.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>

/// What becomes of the sums of all lines: their values, the value of the batch, and what makes a similarity its slope.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// Threads of a block that has a line in each thread.
inline constexpr unsigned line_threads = 128;

/// What becomes of the sums of all lines.
template <class Lines, class T, class E>
struct line_task {
  using score_type = T;

  Lines lines;
  embedding_batch<T> batch;
  embedding_outputs<T> out;
  embedding_side<T, E> row_side, column_side;
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
  [[nodiscard]] __device__ const device_reals& probabilities(bool of_columns) const {
    return of_columns && !self ? batch.column_probabilities : batch.row_probabilities;
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
      if (bad_probability_at(task.probabilities(of_columns), k))
        look({fault_of(of_columns ? fault::column_probability : fault::row_probability), k});
      if (!has_side) continue;
      if (side.not_finite[k] != no_component)
        look({fault_of(of_columns ? fault::column_embedding : fault::row_embedding, side.not_finite[k]), k});
      largest[of_columns] = fmax(largest[of_columns], side.largest[k]);
    }
    largest[of_columns] = greatest(team, largest[of_columns]);
  }
  if (task.self) largest[1] = largest[0];
  if (task.check && task.batch.similarity != similarity::cosine) {
    // By halves of the exponent, so that the product itself cannot overflow, and twice as far as the exact
    // sum may reach, so that neither its rounding nor a difference of two overflows.
    const double reach = 2.0 * static_cast<double>(task.batch.dimension > 0 ? task.batch.dimension : 1);
    const double most = static_cast<double>(greatest_number<typename Task::score_type>) / reach;
    const bool is_dot = task.batch.similarity == similarity::dot;
    const auto within_reach = [&](double own, double other) {
      return own <= most / fmax(1.0, is_dot ? other : 1.0);
    };
    const bool fits = within_reach(largest[0], largest[1]) && within_reach(largest[1], largest[0]);
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
        case fault::row_probability: record.number = task.batch.row_probabilities[found.list]; break;
        case fault::column_probability: record.number = task.batch.column_probabilities[found.list]; break;
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

/// d(value) / d(similarity) of the pair of row i and column j of which this is the similarity.
template <class Lines, class T>
[[nodiscard]] __device__ inline T pair_slope(const pair_task& task, const Lines& lines,
                                             const typename Lines::slope& of_row,
                                             const typename Lines::slope& of_column, pair_kind kind, T score,
                                             std::size_t i, std::size_t j) {
  T slope{0};
  if (kind != pair_kind::none) {
    const bool positive = kind == pair_kind::positive;
    const auto slope_of = [&](const typename Lines::slope& of_line, std::size_t item) {
      if constexpr (weighs_items<Lines>)
        return lines.slope_of(of_line, score, positive, lines.weights.logarithms[item]);
      else
        return lines.slope_of(of_line, score, positive);
    };
    if (task.over_rows) slope = slope_of(of_row, task.rows + j);
    if (task.over_columns) slope += slope_of(of_column, i);
  }
  return slope;
}

/// Takes the inverses of probabilities as weights; where none are given all are 1. A block for each side.
template <class Number>
__global__ void __launch_bounds__(reduce_threads)
    take_logarithms(const device_reals of_rows, const device_reals of_columns, std::size_t rows,
                    std::size_t columns, Number* logarithms, double* units) {
  __shared__ block_team::slots slots;
  const block_team team(slots);
  const bool is_column = blockIdx.x != 0;
  const device_reals& probabilities = is_column ? of_columns : of_rows;
  const std::size_t count = is_column ? columns : rows;
  Number* const to = logarithms + (is_column ? rows : 0);
  double own = 1.0;
  for (std::size_t k = team.rank(); k < probabilities.size(); k += team.size())
    own = fmin(own, probabilities[k]);
  const double lowest = least(team, own);
  for (std::size_t k = team.rank(); k < count; k += team.size())
    to[k] = number<Number>(probabilities.empty() ? 0.0 : log(lowest / probabilities[k]));
  if (team.rank() == 0) units[is_column] = log(lowest);
}

[[nodiscard]] inline unsigned blocks_for(std::size_t count, std::size_t of_block) {
  return static_cast<unsigned>((count + of_block - 1) / of_block);
}

/// Where what is known of lines lies in scratch.
template <class Lines>
struct line_places {
  std::size_t first, second, slopes, values, by_temperature, by_bias, means, bad;
  std::size_t logarithms = 0, units = 0;

  line_places(scratch_plan& plan, std::size_t lines)
      : first(plan.take<typename Lines::first>(lines)),
        second(plan.take<typename Lines::second>(lines)),
        slopes(plan.take<typename Lines::slope>(lines)),
        values(plan.take<double>(lines)),
        by_temperature(plan.take<double>(lines)),
        by_bias(plan.take<double>(lines)),
        means(plan.take<list_mean>(2)),
        bad(plan.take<std::uint64_t>(1)) {
    if constexpr (weighs_items<Lines>) {
      using number_type = typename decltype(Lines::weights)::number_type;
      logarithms = plan.take<number_type>(lines);
      units = plan.take<double>(2);
    }
  }

  /// Gives the lines the weights of items where they take such.
  void weigh_items(Lines& lines, const device_reals& row_probabilities,
                   const device_reals& column_probabilities, std::size_t rows, std::size_t columns,
                   void* memory, cudaStream_t stream) const {
    if constexpr (weighs_items<Lines>) {
      using number_type = typename decltype(Lines::weights)::number_type;
      auto* const to = scratch_plan::at<number_type>(memory, logarithms);
      auto* const to_units = scratch_plan::at<double>(memory, units);
      launch("take_logarithms", take_logarithms<number_type>, 2, reduce_threads, 0, stream, row_probabilities,
             column_probabilities, rows, columns, to, to_units);
      lines.weights = {to, to_units};
    }
  }
};

/// Where what is known of the vectors of a side lies in scratch.
template <class E>
struct side_places {
  std::size_t vectors = 0, lengths = 0, largest = 0, not_finite = 0;

  side_places() = default;
  side_places(scratch_plan& plan, std::size_t count, std::size_t apart)
      : vectors(plan.take<E>(count * apart)),
        lengths(plan.take<unit_length>(count)),
        largest(plan.take<double>(count)),
        not_finite(plan.take<std::uint64_t>(count)) {}

  template <class T>
  [[nodiscard]] embedding_side<T, E> side(void* memory, const embedding_batch<T>& batch, bool is_column,
                                          std::size_t apart, directions over) const {
    const std::size_t stride = is_column ? batch.column_stride : batch.row_stride;
    return {.given = is_column ? batch.column_embeddings : batch.row_embeddings,
            .count = is_column ? columns_of(batch) : batch.rows,
            .dimension = batch.dimension,
            .stride = stride > 0 ? stride : batch.dimension,
            .unit = takes_unit_vectors(batch, is_column, over) ? 1u : 0u,
            .vectors = scratch_plan::at<E>(memory, vectors),
            .apart = apart,
            .lengths = scratch_plan::at<unit_length>(memory, lengths),
            .largest = scratch_plan::at<double>(memory, largest),
            .not_finite = scratch_plan::at<std::uint64_t>(memory, not_finite)};
  }
};

template <class Loss, class T>
[[nodiscard]] pair_task pairs_of(const Loss& loss, const embedding_batch<T>& batch) {
  return {.rows = batch.rows,
          .columns = columns_of(batch),
          .matches = batch.matches,
          .row_classes = batch.row_classes,
          .column_classes = compares_with_itself(batch) ? batch.row_classes : batch.column_classes,
          .mask = batch.mask,
          .row_ids = batch.row_ids,
          .column_ids = compares_with_itself(batch) ? batch.row_ids : batch.column_ids,
          .by_class = !batch.row_classes.empty(),
          .without_diagonal = batch.without_diagonal,
          .over_rows = loss.over != directions::columns,
          .over_columns = loss.over != directions::rows};
}

template <class Lines, class T, class E>
[[nodiscard]] line_task<Lines, T, E> task_of(const Lines& lines, const pair_task& pairs,
                                             const embedding_batch<T>& batch, const embedding_outputs<T>& out,
                                             const embedding_side<T, E>& row_side,
                                             const embedding_side<T, E>& column_side,
                                             const line_places<Lines>& places, void* memory,
                                             const context& ctx) {
  return {.lines = lines,
          .batch = batch,
          .out = out,
          .row_side = row_side,
          .column_side = column_side,
          .rows = pairs.rows,
          .columns = pairs.columns,
          .self = compares_with_itself(batch),
          .over_rows = pairs.over_rows,
          .over_columns = pairs.over_columns,
          .check = ctx.checks == data_checks::on,
          .looks_twice = lines.looks_twice,
          .first = scratch_plan::at<typename Lines::first>(memory, places.first),
          .second = scratch_plan::at<typename Lines::second>(memory, places.second),
          .slopes = scratch_plan::at<typename Lines::slope>(memory, places.slopes),
          .values = scratch_plan::at<double>(memory, places.values),
          .by_temperature = scratch_plan::at<double>(memory, places.by_temperature),
          .by_bias = scratch_plan::at<double>(memory, places.by_bias),
          .means = scratch_plan::at<list_mean>(memory, places.means),
          .bad = scratch_plan::at<std::uint64_t>(memory, places.bad),
          .faults = ctx.faults()};
}

/// Has the lines looked at by `form(look, sums)`, which sums up a panel, in panels of `height` rows.
template <class Look, class Form>
void look_at_lines(const Look& look, const pair_task& pairs, std::size_t height, void* panel,
                   typename Look::result* of_lines, cudaStream_t stream, const Form& form) {
  using result = typename Look::result;
  // Columns have sums even where there is no row.
  for (std::size_t first = 0; first == 0 || first < pairs.rows; first += height) {
    panel_sums<result> sums{.first_row = first,
                            .rows = std::min(height, pairs.rows - first),
                            .columns = pairs.columns,
                            .of_rows = static_cast<result*>(panel),
                            .of_columns = nullptr};
    sums.of_columns = sums.of_rows + sums.rows * sums.row_segments();
    if (sums.rows > 0 && pairs.columns > 0) form(look, sums);
    if (sums.rows + pairs.columns > 0)
      launch("merge_segments", merge_segments<Look>, blocks_for(sums.rows + pairs.columns, warps_of_block),
             warps_of_block * warp_size, 0, stream, look, sums, pairs.over_rows, pairs.over_columns,
             pairs.rows, of_lines);
  }
}

/// Finds the sums of all lines, then what becomes of them: all but slopes. `form` as for look_at_lines.
template <class Lines, class T, class E, class Form>
void sum_up_lines(const line_task<Lines, T, E>& task, const pair_task& pairs, std::size_t height, void* panel,
                  const line_places<Lines>& places, void* memory, cudaStream_t stream, const Form& form) {
  using task_type = line_task<Lines, T, E>;
  look_at_lines(first_look<Lines>{task.lines}, pairs, height, panel,
                scratch_plan::at<typename Lines::first>(memory, places.first), stream, form);
  if constexpr (!std::same_as<typename Lines::second, no_sums>)
    if (task.looks_twice)
      look_at_lines(second_look<Lines>{task.lines, task.first}, pairs, height, panel,
                    scratch_plan::at<typename Lines::second>(memory, places.second), stream, form);
  launch("weigh_lines", weigh_lines<task_type>, 1, reduce_threads, 0, stream, task);
  if (task.rows + task.columns > 0)
    launch("finish_lines", finish_lines<task_type>, blocks_for(task.rows + task.columns, line_threads),
           line_threads, 0, stream, task);
  launch("reduce_lines", reduce_lines<task_type>, 1, reduce_threads, 0, stream, task);
}

/// Bytes of the sums of a panel.
template <class Lines>
[[nodiscard]] std::size_t sum_bytes(std::size_t height, std::size_t columns) {
  const panel_sums<typename Lines::first> sums{0, height, columns, nullptr, nullptr};
  return (height * sums.row_segments() + columns * sums.column_segments()) *
         std::max(sizeof(typename Lines::first), sizeof(typename Lines::second));
}

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
