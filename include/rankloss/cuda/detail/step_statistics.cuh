// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/faults.hpp>
#include <rankloss/cuda/detail/field_faults.cuh>
#include <rankloss/cuda/detail/launch.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/term_kernel.cuh>
#include <rankloss/cuda/detail/whitening.cuh>
#include <rankloss/cuda/device_span.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/ppo.hpp>

#include <cstddef>
#include <cstdint>

/// Statistics of steps: diagnose, explained_variance and shape_rewards, in doubles and by the formulas of
/// cpu/ppo.hpp. Sums are those of chunks, in the order of term_kernel.cuh.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

[[nodiscard]] __device__ inline policy_diagnostics sum(const block_team& team,
                                                       const policy_diagnostics& own) {
  return {sum(team, own.mean_ratio), sum(team, own.clip_fraction),   sum(team, own.kl_k1),
          sum(team, own.kl_k3),      sum(team, own.reference_kl_k1), sum(team, own.reference_kl_k3),
          sum(team, own.entropy)};
}

/// Sums up the diagnostics of the actions of a chunk. One chunk a block.
template <class Task>
__global__ void __launch_bounds__(term_threads) diagnose_chunks(const Task task, policy_diagnostics* sums) {
  __shared__ block_team::slots slots;
  const block_team team(slots);
  if (task.fault() != no_fault) return;
  const list_mean mean = task.mean();
  policy_diagnostics own;
  for_chunk(team, task.terms.count, [&](std::size_t i) {
    const double share = mean.share(task.terms.weight(i));
    if (share > 0.0) task.terms.diagnose(i, share, own);
  });
  own = sum(team, own);
  if (team.rank() == 0) sums[blockIdx.x] = own;
}
/// The diagnostics of all of them, and the fault if there is one. One block.
template <class Task>
__global__ void __launch_bounds__(reduce_threads)
    add_diagnostics(const Task task, const policy_diagnostics* sums, policy_diagnostics* found) {
  __shared__ block_team::slots slots;
  const block_team team(slots);
  const bool bad = task.fault() != no_fault;
  policy_diagnostics all;
  for (std::size_t c = team.rank(); !bad && c < chunks_of(task.terms.count); c += team.size()) {
    const policy_diagnostics own = sums[c];
    all = {all.mean_ratio + own.mean_ratio,
           all.clip_fraction + own.clip_fraction,
           all.kl_k1 + own.kl_k1,
           all.kl_k3 + own.kl_k3,
           all.reference_kl_k1 + own.reference_kl_k1,
           all.reference_kl_k3 + own.reference_kl_k3,
           all.entropy + own.entropy};
  }
  all = sum(team, all);
  if (team.rank() != 0) return;
  constexpr double nan = not_a_number<double>;
  *found = bad ? policy_diagnostics{nan, nan, nan, nan, nan, nan, nan} : all;
  keep_fault(task.terms, task.words, task.faults);
}

/// Weighted means of the returns and of what the values leave of them, relative to those of the first state
/// that counts and divided by the largest number.
struct return_moments {
  double whole, rest;
};
/// What of all states is known before their variances are.
struct return_state {
  whitening_extent extent;
  return_moments first, mean;
};

/// What a launch is given, by value.
template <class Task>
struct variance_task {
  Task steps;
  std::size_t count;
  whitening_extent* extents;  ///< [chunks]
  return_moments* sums;       ///< [chunks]
  return_state* state;        ///< [1]
  double* explained;          ///< [1]

  [[nodiscard]] __device__ double share(std::size_t i) const {
    return steps.mean().share(steps.terms.weight(i));
  }
  [[nodiscard]] __device__ bool faulty() const { return steps.fault() != no_fault; }
  [[nodiscard]] __device__ bool keeps(std::size_t i) const { return share(i) > 0.0; }
  [[nodiscard]] __device__ double magnitude(std::size_t i) const {
    const auto& batch = steps.terms.batch;
    return fmax(fabs(static_cast<double>(batch.values[i])), fabs(static_cast<double>(batch.returns[i])));
  }
  [[nodiscard]] __device__ return_moments at(std::size_t i, double largest) const {
    const double whole = static_cast<double>(steps.terms.batch.returns[i]) / largest;
    return {whole, whole - static_cast<double>(steps.terms.batch.values[i]) / largest};
  }
};

/// One block.
template <class Task>
__global__ void __launch_bounds__(reduce_threads) merge_return_extents(const Task task) {
  __shared__ block_team::slots slots;
  const block_team team(slots);
  if (task.faulty()) return;
  const whitening_extent all = merged(team, task.extents, chunks_of(task.count));
  if (team.rank() == 0)
    *task.state = {
        all, all.largest > 0.0 ? task.at(all.first, all.largest) : return_moments{0.0, 0.0}, {0.0, 0.0}};
}

/// Sums up what returns differ by from the first, or the squares of their distances from the mean of that.
template <class Task>
__global__ void __launch_bounds__(term_threads) sum_returns(const Task task, bool squares) {
  __shared__ block_team::slots slots;
  const block_team team(slots);
  if (task.faulty()) return;
  const return_state state = *task.state;
  return_moments own{0.0, 0.0};
  if (state.extent.largest > 0.0)
    over_chunk(team, task, [&](std::size_t i) {
      const return_moments x = task.at(i, state.extent.largest);
      const double share = task.share(i), whole = x.whole - state.first.whole - state.mean.whole,
                   rest = x.rest - state.first.rest - state.mean.rest;
      own.whole += share * (squares ? whole * whole : whole);
      own.rest += share * (squares ? rest * rest : rest);
    });
  own = {sum(team, own.whole), sum(team, own.rest)};
  if (team.rank() == 0) task.sums[blockIdx.x] = own;
}
/// The means, or the share of the variance and the fault if there is one. One block.
template <class Task>
__global__ void __launch_bounds__(reduce_threads) merge_returns(const Task task, bool squares) {
  __shared__ block_team::slots slots;
  const block_team team(slots);
  const bool bad = task.steps.fault() != no_fault;
  return_moments all{0.0, 0.0};
  for (std::size_t c = team.rank(); !bad && c < chunks_of(task.count); c += team.size()) {
    all.whole += task.sums[c].whole;
    all.rest += task.sums[c].rest;
  }
  all = {sum(team, all.whole), sum(team, all.rest)};
  if (team.rank() != 0) return;
  if (!squares) {
    if (!bad) task.state->mean = all;
    return;
  }
  *task.explained = bad               ? not_a_number<double>
                    : all.whole > 0.0 ? rankloss::detail::larger(1.0 - all.rest / all.whole, -1e290)
                                      : 0.0;
  keep_fault(task.steps.terms, task.steps.words, task.steps.faults);
}

/// Queues all of it but for what the mean takes.
template <class Task>
void explain_variance(const variance_task<Task>& task, cudaStream_t stream) {
  using task_type = variance_task<Task>;
  const auto chunks = static_cast<unsigned>(chunks_of(task.count));
  if (chunks > 0) launch("find_extents", find_extents<task_type>, chunks, term_threads, 0, stream, task);
  launch("merge_return_extents", merge_return_extents<task_type>, 1, reduce_threads, 0, stream, task);
  for (const bool squares : {false, true}) {
    if (chunks > 0)
      launch("sum_returns", sum_returns<task_type>, chunks, term_threads, 0, stream, task, squares);
    launch("merge_returns", merge_returns<task_type>, 1, reduce_threads, 0, stream, task, squares);
  }
}

inline constexpr const char* reward_words[] = {
    "rewards: $x at step $i, expected a finite number",
    "log_probabilities: $x at step $i, expected a finite number",
    "reference_log_probabilities: $x at step $i, expected a finite number"};

/// What a launch of shape_rewards is given, by value.
template <class T>
struct shaping_task {
  device_span<const T> rewards, log_probabilities, reference_log_probabilities;
  device_flags mask;
  double coefficient;
  kl_estimator estimator;
  device_span<T> shaped;
  std::size_t looked;

  [[nodiscard]] __device__ bool keeps(std::size_t i) const { return mask.empty() || mask[i]; }
  [[nodiscard]] __device__ fault_word fault(std::size_t i) const {
    if (!keeps(i)) return no_fault;
    if (not_finite_at(rewards, i)) return fault_of_field(0, i);
    if (not_finite_at(log_probabilities, i)) return fault_of_field(1, i);
    return not_finite_at(reference_log_probabilities, i) ? fault_of_field(2, i) : no_fault;
  }
  __device__ void describe(fault_word word, fault_record& record) const {
    const std::size_t i = item_of(word);
    const unsigned field = field_of(word);
    record.number = static_cast<double>(field == 0   ? rewards[i]
                                        : field == 1 ? log_probabilities[i]
                                                     : reference_log_probabilities[i]);
  }
};

template <class T>
__global__ void __launch_bounds__(term_threads)
    shape_steps(const shaping_task<T> task, const fault_record* faults) {
  const std::size_t i = std::size_t{blockIdx.x} * term_threads + threadIdx.x;
  if (i >= task.shaped.size()) return;
  if (faults->places != no_fault) {
    task.shaped[i] = not_a_number<T>;
  } else if (!task.keeps(i)) {
    task.shaped[i] = T{0};
  } else {
    const rankloss::detail::policy_ratio q(static_cast<double>(task.reference_log_probabilities[i]),
                                           static_cast<double>(task.log_probabilities[i]));
    const double penalty = held_as<double>(task.coefficient * q.kl(task.estimator));
    task.shaped[i] = held_as<T>(static_cast<double>(task.rewards[i]) - penalty);
  }
}

/// Queues all of it.
template <class T>
void shape_steps_of(const shaping_task<T>& task, bool check, fault_record* faults, cudaStream_t stream) {
  if (task.shaped.empty()) return;
  if (check) look(task, faults, stream);
  launch("shape_steps", shape_steps<T>,
         static_cast<unsigned>((task.shaped.size() + term_threads - 1) / term_threads), term_threads, 0,
         stream, task, static_cast<const fault_record*>(faults));
  launch("keep_found", keep_found<shaping_task<T>>, 1, 1, 0, stream, task, fault_words{reward_words}, faults);
}

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
