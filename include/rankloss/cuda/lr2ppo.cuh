// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/faults.hpp>
#include <rankloss/cuda/detail/field_faults.cuh>
#include <rankloss/cuda/detail/launch.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/order_faults.cuh>
#include <rankloss/cuda/detail/ragged_lists.cuh>
#include <rankloss/cuda/detail/scratch_plan.hpp>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/term_kernel.cuh>
#include <rankloss/cuda/lr2ppo.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/lr2ppo.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// What is told of the fields, in the order in which they are looked at; behind offsets and orders.
enum class label_field : unsigned {
  order = ragged_lists::fields,
  score = order + 2,
  old_score,
  reward,
  old_value
};
inline constexpr const char* label_words[] = {RANKLOSS_OFFSET_WORDS("scores"),
                                              RANKLOSS_ORDER_WORDS,
                                              "scores: nan at item $i, expected a number",
                                              "old_scores: nan at item $i, expected a number",
                                              "rewards: $x at list $i, expected a finite number",
                                              "old_values: $x at list $i, expected a finite number"};

/// What is computed of a list before its slopes are.
struct label_state {
  double divergence, entropy, advantage;
  double hinge_sum, hinge_count;
};
/// The same of all lists together.
struct label_totals {
  double rank_loss, hinge_count, mean_advantage;
};

/// What a launch is given, by value.
template <class T>
struct label_task {
  lr2ppo loss;
  label_policy_batch<T> batch;
  outputs<T> out;
  device_span<double> shaped;
  order_check check;
  std::size_t looked;
  bool of_numbers;       ///< whether numbers are looked at, or offsets
  label_state* states;   ///< [lists]
  label_totals* totals;  ///< [1]
  double* terms;         ///< [lists]
  double* scratch;       ///< [items, arrays]
  fault_record* faults;

  static constexpr std::size_t arrays = 3;

  [[nodiscard]] __device__ fault_word fault(std::size_t i) const {
    const auto of = [i](label_field of) { return fault_of_field(static_cast<unsigned>(of), i); };
    if (!of_numbers) return check.lists.fault(i);
    if (i < batch.scores.size() && is_nan(batch.scores[i])) return of(label_field::score);
    if (i < batch.old_scores.size() && is_nan(batch.old_scores[i])) return of(label_field::old_score);
    if (not_finite_at(batch.rewards, i)) return of(label_field::reward);
    return not_finite_at(batch.old_values, i) ? of(label_field::old_value) : no_fault;
  }
  __device__ void describe(fault_word word, fault_record& record) const {
    if (check.lists.describe(word, record)) return;
    switch (static_cast<label_field>(field_of(word))) {
      case label_field::score:
      case label_field::old_score: break;
      case label_field::reward: record.number = batch.rewards[item_of(word)]; break;
      case label_field::old_value: record.number = batch.old_values[item_of(word)]; break;
      default: check.describe(word, record);
    }
  }
  /// Of one list among all.
  [[nodiscard]] __device__ double share() const { return 1.0 / static_cast<double>(check.lists.count()); }
};

/// A score, limited to the range of its type and to a limit.
template <class T>
[[nodiscard]] __device__ inline double limited_score(const T& score, double limit) {
  const double largest = fmin(static_cast<double>(greatest_number<T>), limit);
  return rankloss::detail::limited(static_cast<double>(rankloss::detail::bounded(score)), -largest, largest);
}

/// The log probabilities of a list's softmax.
template <class Team, class T>
__device__ inline void log_softmax(const Team& team, const T* scores, std::uint32_t n, double* logs) {
  double most = lowest_number<double>, whole = 0.0;
  for (std::uint32_t i = team.rank(); i < n; i += team.size())
    most = fmax(most, logs[i] = limited_score(scores[i], 1e300));
  most = greatest(team, most);
  for (std::uint32_t i = team.rank(); i < n; i += team.size()) whole += exp(logs[i] - most);
  const double log_sum = log(sum(team, whole));
  for (std::uint32_t i = team.rank(); i < n; i += team.size()) logs[i] = logs[i] - most - log_sum;
}

/// One list: its state, and the sums of the slopes of its hinges, -1 and 1, in scratch.
template <class Team, class T>
__device__ inline void find_state(const Team& team, const label_task<T>& task, std::size_t l) {
  const std::size_t first = task.check.lists.first(l);
  const std::uint32_t n = task.check.lists.size(l);
  double* const logs = task.scratch + first * label_task<T>::arrays;
  double *const old_logs = logs + n, *const slopes = old_logs + n;
  label_state state{0.0, 0.0, 0.0, 0.0, 0.0};
  if (n > 0) {
    log_softmax(team, task.batch.scores.data() + first, n, logs);
    log_softmax(team, task.batch.old_scores.data() + first, n, old_logs);
    for (std::uint32_t i = team.rank(); i < n; i += team.size()) {
      // A probability of 0 contributes nothing: 0 log 0 = 0.
      const double p = exp(logs[i]), old = exp(old_logs[i]);
      if (p > 0.0) state.entropy -= p * logs[i];
      if (old > 0.0) state.divergence += old * (old_logs[i] - logs[i]);
    }
  }
  state.entropy = sum(team, state.entropy);
  state.divergence = rankloss::detail::limited(sum(team, state.divergence), 0.0, 1e290);
  state.advantage =
      rankloss::detail::bounded_term(task.batch.rewards[l] - task.loss.kl_coefficient * state.divergence -
                                     (task.batch.old_values.empty() ? 0.0 : task.batch.old_values[l]));

  const bool reversed = task.loss.reverses(state.advantage);
  const auto item = [&](std::uint32_t position) {
    return static_cast<std::size_t>(task.batch.orders[first + (reversed ? n - 1 - position : position)]);
  };
  const auto score = [&](std::size_t i) { return limited_score(task.batch.scores[first + i], 1e290); };
  for (std::uint32_t a = team.rank(); a < n; a += team.size()) {
    const std::size_t own = item(a);
    const double s = score(own);
    double slope = 0.0;
    for (std::uint32_t b = 0; b < n; ++b) {
      if (b == a) continue;
      const double other = score(item(b));
      const double h = task.loss.margin - (a < b ? s - other : other - s);
      if (!(h > 0.0)) continue;
      slope += a < b ? -1.0 : 1.0;
      if (a > b) continue;
      state.hinge_sum = fmin(state.hinge_sum + h, 1e300);
      state.hinge_count += 1.0;
    }
    slopes[own] = slope;
  }
  state.hinge_sum = fmin(sum(team, state.hinge_sum), 1e300);
  state.hinge_count = sum(team, state.hinge_count);
  if (team.rank() != 0) return;
  task.states[l] = state;
  if (!task.shaped.empty())
    task.shaped[l] = held_as<double>(task.batch.rewards[l] - task.loss.kl_coefficient * state.divergence);
}
[[nodiscard]] __device__ inline double mean_hinge(double sum, double count) {
  return count > 0.0 ? fmin(sum / count, 1e290) : 0.0;
}

template <class T>
__global__ void __launch_bounds__(ragged_threads, 1) find_states(const label_task<T> task) {
  if (task.faults->places == no_fault) {
    for_each_list(task.check.lists, [&](const auto& team, std::size_t l) { find_state(team, task, l); });
    return;
  }
  const std::size_t begin = std::size_t{blockIdx.x} * ragged_threads + threadIdx.x;
  const std::size_t step = std::size_t{gridDim.x} * ragged_threads;
  for (std::size_t l = begin; l < task.check.lists.count(); l += step) {
    task.terms[l] = not_a_number<double>;
    if (!task.shaped.empty()) task.shaped[l] = not_a_number<double>;
  }
  for (std::size_t i = begin; i < task.out.gradient.size(); i += step) task.out.gradient[i] = not_a_number<T>;
}

/// What all lists have together. One block.
template <class Task>
__global__ void __launch_bounds__(reduce_threads) add_states(const Task task) {
  __shared__ block_team::slots slots;
  const block_team team(slots);
  if (task.faults->places != no_fault) return;
  label_state all{0.0, 0.0, 0.0, 0.0, 0.0};
  for (std::size_t l = team.rank(); l < task.check.lists.count(); l += team.size()) {
    const label_state own = task.states[l];
    all.hinge_sum = fmin(all.hinge_sum + own.hinge_sum, 1e300);
    all.hinge_count += own.hinge_count;
    all.advantage += task.share() * fabs(own.advantage);
  }
  const double hinges = fmin(sum(team, all.hinge_sum), 1e300), count = sum(team, all.hinge_count);
  const double advantage = sum(team, all.advantage);
  if (team.rank() == 0) *task.totals = {mean_hinge(hinges, count), count, advantage};
}

/// The terms of the lists and their slopes.
template <class T>
__global__ void __launch_bounds__(ragged_threads, 1) write_labels(const label_task<T> task) {
  if (task.faults->places != no_fault) return;
  const bool published = task.loss.form == lr2ppo_form::published;
  const label_totals all = *task.totals;
  const double share = task.share();
  for_each_list(task.check.lists, [&](const auto& team, std::size_t l) {
    const label_state state = task.states[l];
    const double size = task.loss.size_of(state.advantage);
    const double rank_loss = published ? all.rank_loss : mean_hinge(state.hinge_sum, state.hinge_count);
    if (team.rank() == 0) task.terms[l] = task.loss.term(rank_loss, size, state.entropy);
    if (task.out.gradient.empty()) return;
    const double count = published ? all.hinge_count : state.hinge_count;
    const double of_hinge = count > 0.0 ? (published ? all.mean_advantage : share * size) / count : 0.0;
    const double sign = state.advantage < 0.0 ? -1.0 : state.advantage > 0.0 ? 1.0 : 0.0;
    const double of_divergence =
        published ? held_as<double>(share * rank_loss * task.loss.kl_coefficient) * sign : 0.0;
    const std::size_t first = task.check.lists.first(l);
    const std::uint32_t n = task.check.lists.size(l);
    const double* const logs = task.scratch + first * label_task<T>::arrays;
    const double *const old_logs = logs + n, *const slopes = old_logs + n;
    for (std::uint32_t i = team.rank(); i < n; i += team.size()) {
      const double p = exp(logs[i]);
      const double of_entropy = p > 0.0 ? p * (logs[i] + state.entropy) : 0.0;
      const double slope =
          lr2ppo::slope(of_hinge * slopes[i], share * task.loss.entropy_coefficient * of_entropy,
                        of_divergence * (p - exp(old_logs[i])));
      put_number(task.out.gradient[first + i], held_as<double>(task.out.scale * slope), task.out.update);
    }
  });
}

/// The value, and the fault if there is one. One block.
template <class Task>
__global__ void __launch_bounds__(reduce_threads) add_labels(const Task task, const fault_words words) {
  __shared__ block_team::slots slots;
  const block_team team(slots);
  const bool bad = task.faults->places != no_fault;
  double value = 0.0;
  for (std::size_t l = team.rank(); !bad && l < task.check.lists.count(); l += team.size())
    value += task.share() * task.terms[l];
  value = sum(team, value);
  if (team.rank() != 0) return;
  if (!task.out.value.empty())
    task.out.value[0] = bad ? not_a_number<double> : rankloss::detail::bounded_term(value);
  keep_fault(task, words, task.faults);
}

/// The engine of lr2ppo.
struct label_engine {
  template <class T>
  [[nodiscard]] static std::size_t scratch_bytes(const lr2ppo&, const label_policy_batch<T>& batch) {
    return plan(batch).scratch.bytes;
  }

  template <class T>
  static void run(const lr2ppo& loss, const label_policy_batch<T>& batch, const outputs<T>& out,
                  const device_span<double>& shaped, context& ctx) {
    const plan to(batch);
    void* const memory = ctx.scratch(to.scratch.bytes);
    const std::size_t items = batch.scores.size(), lists = lists_of(batch.offsets);
    label_task<T> task{
        .loss = loss,
        .batch = batch,
        .out = out,
        .shaped = shaped,
        .check = {.lists = {batch.offsets, items},
                  .orders = batch.orders,
                  .first = scratch_plan::at<std::uint32_t>(memory, to.first),
                  .field = static_cast<unsigned>(label_field::order)},
        .looked = batch.offsets.size(),
        .of_numbers = false,
        .states = scratch_plan::at<label_state>(memory, to.states),
        .totals = scratch_plan::at<label_totals>(memory, to.totals),
        .terms = out.per_list.empty() ? scratch_plan::at<double>(memory, to.terms) : out.per_list.data(),
        .scratch = scratch_plan::at<double>(memory, to.arrays),
        .faults = ctx.faults()};
    const cudaStream_t stream = ctx.stream();
    // Offsets are reported before orders, and orders before numbers.
    look(task, task.faults, stream);
    look_at_orders(task.check, task.faults, stream);
    if (ctx.checks == data_checks::on) {
      task.of_numbers = true;
      task.looked = std::max(items, lists);
      look(task, task.faults, stream);
    }
    if (lists > 0) {
      launch("find_states", find_states<T>, ragged_blocks(lists), ragged_threads, 0, stream, task);
      launch("add_states", add_states<label_task<T>>, 1, reduce_threads, 0, stream, task);
      launch("write_labels", write_labels<T>, ragged_blocks(lists), ragged_threads, 0, stream, task);
    }
    launch("add_labels", add_labels<label_task<T>>, 1, reduce_threads, 0, stream, task,
           fault_words{label_words});
  }

 private:
  struct plan {
    template <class T>
    explicit plan(const label_policy_batch<T>& batch)
        : scratch{},
          arrays(scratch.take<double>(batch.scores.size() * label_task<T>::arrays)),
          first(scratch.take<std::uint32_t>(batch.scores.size() + 1)),
          states(scratch.take<label_state>(lists_of(batch.offsets))),
          terms(scratch.take<double>(lists_of(batch.offsets))),
          totals(scratch.take<label_totals>(1)) {}

    scratch_plan scratch;
    std::size_t arrays, first, states, terms, totals;
  };
};

}  // namespace cuda::detail

template <>
struct engine<lr2ppo, cuda::context> : cuda::detail::label_engine {};

}  // namespace rankloss::inline RANKLOSS_ABI
