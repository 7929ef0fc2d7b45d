// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/faults.hpp>
#include <rankloss/cuda/detail/field_faults.cuh>
#include <rankloss/cuda/detail/launch.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/ragged_lists.cuh>
#include <rankloss/cuda/detail/scratch_plan.hpp>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/whitening.cuh>
#include <rankloss/cuda/gae.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/gae.hpp>
#include <rankloss/loss.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// What is told of the fields of trajectories, in the order in which they are looked at.
enum class trajectory_field : unsigned { reward = ragged_lists::fields, value, last_value, discount };
inline constexpr const char* trajectory_words[] = {
    RANKLOSS_OFFSET_WORDS("rewards"), "rewards: $x at step $i, expected a finite number",
    "values: $x at step $i, expected a finite number",
    "last_values: $x at trajectory $i, expected a finite number",
    "discounts: $x at step $i, expected 0 to 1"};

/// What a launch is given, by value.
template <class T>
struct trajectory_task {
  gae options;
  trajectory_batch<T> batch;
  ragged_lists lists;
  std::size_t looked;  ///< steps or offsets, whichever are more
  bool check;
  device_span<T> advantages, returns;
  double* raw;  ///< [steps] advantages before they are whitened; null: they are written as they are
  double*
      most;  ///< [trajectories] the largest number that an advantage was summed from, if they are whitened
  fault_record* faults;

  [[nodiscard]] __device__ bool keeps(std::size_t i) const { return batch.mask.empty() || batch.mask[i]; }
  [[nodiscard]] __device__ double discount(std::size_t i) const {
    return batch.discounts.empty() ? options.discount : batch.discounts[i];
  }

  [[nodiscard]] __device__ fault_word fault(std::size_t i) const {
    using field = trajectory_field;
    const auto of = [i](field of) { return fault_of_field(static_cast<unsigned>(of), i); };
    fault_word first = lists.fault(i);
    const auto find = [&](bool found, field where) {
      if (found && of(where) < first) first = of(where);
    };
    if (!check) return first;
    const bool kept = i < lists.items && keeps(i);
    find(kept && !is_finite(batch.rewards[i]), field::reward);
    find(kept && !is_finite(batch.values[i]), field::value);
    find(not_finite_at(batch.last_values, i), field::last_value);
    if (kept && !batch.discounts.empty()) {
      const double d = batch.discounts[i];
      find(!(is_finite(d) && d >= 0.0 && d <= 1.0), field::discount);
    }
    return first;
  }
  __device__ void describe(fault_word word, fault_record& record) const {
    if (lists.describe(word, record)) return;
    const std::size_t i = item_of(word);
    switch (static_cast<trajectory_field>(field_of(word))) {
      case trajectory_field::reward: record.number = static_cast<double>(batch.rewards[i]); break;
      case trajectory_field::value: record.number = static_cast<double>(batch.values[i]); break;
      case trajectory_field::last_value: record.number = batch.last_values[i]; break;
      default: record.number = batch.discounts[i];
    }
  }

  __device__ void put(std::size_t i, double advantage, double value) const {
    if (raw != nullptr)
      raw[i] = advantage;
    else if (!advantages.empty())
      advantages[i] = held_as<T>(advantage);
    if (!returns.empty()) returns[i] = held_as<T>(advantage + value);
  }
};

/// The value of the next step that counts, if there is one.
struct next_value {
  double value;
  std::uint64_t known;  // wide, so that no byte is left unwritten
};
/// An advantage as a function of that of the next step: slope * next + begin.
struct advantage_step {
  double slope, begin;

  [[nodiscard]] __device__ double after(double next) const { return held_as<double>(begin + slope * next); }
};

/// One trajectory, from its end.
template <class Team, class T>
__device__ inline void scan_trajectory(const Team& team, const trajectory_task<T>& task, std::size_t q) {
  const std::size_t last = task.lists.first(q + 1);
  const std::uint32_t n = task.lists.size(q);
  double value_ahead = task.batch.last_values.empty() ? 0.0 : task.batch.last_values[q];
  double advantage_ahead = 0.0, most = 0.0;
  for (std::uint32_t begin = 0; begin < n; begin += team.size()) {
    const std::uint32_t k = begin + team.rank();
    const std::size_t i = last - 1 - k;
    const bool counts = k < n && task.keeps(i);
    const double reward = counts ? static_cast<double>(task.batch.rewards[i]) : 0.0;
    const double value = counts ? static_cast<double>(task.batch.values[i]) : 0.0;
    const double discount = counts ? task.discount(i) : 0.0;
    const auto later = scan(team, next_value{value, counts ? 1u : 0u}, next_value{0.0, 0},
                            [](const next_value& a, const next_value& b) { return b.known != 0 ? b : a; });
    const double next = later.before.known != 0 ? later.before.value : value_ahead;
    const double ahead = discount * next;
    const double slope = discount * task.options.lambda;
    const double delta = held_as<double>(reward + ahead - value);
    const auto steps = scan(team, counts ? advantage_step{slope, delta} : advantage_step{1.0, 0.0},
                            advantage_step{1.0, 0.0}, [](const advantage_step& a, const advantage_step& b) {
                              return advantage_step{a.slope * b.slope, b.after(a.begin)};
                            });
    const double rest = slope * steps.before.after(advantage_ahead);
    if (counts) {
      task.put(i, held_as<double>(delta + rest), value);
      most = fmax(most, fmax(fmax(fabs(reward), fabs(ahead)), fmax(fabs(value), fabs(rest))));
    } else if (k < n) {
      task.put(i, 0.0, 0.0);
    }
    if (later.total.known != 0) value_ahead = later.total.value;
    advantage_ahead = steps.total.after(advantage_ahead);
  }
  if (task.raw == nullptr) return;
  most = greatest(team, most);
  if (team.rank() == 0) task.most[q] = most;
}

template <class T>
__global__ void __launch_bounds__(ragged_threads) scan_trajectories(const trajectory_task<T> task) {
  if (task.faults->places == no_fault) {
    for_each_list(task.lists, [&](const auto& team, std::size_t q) { scan_trajectory(team, task, q); });
    return;
  }
  for (std::size_t i = std::size_t{blockIdx.x} * ragged_threads + threadIdx.x; i < task.lists.items;
       i += std::size_t{gridDim.x} * ragged_threads) {
    if (!task.advantages.empty()) task.advantages[i] = not_a_number<T>;
    if (!task.returns.empty()) task.returns[i] = not_a_number<T>;
  }
}

/// The engine of estimate_advantages.
struct gae_engine {
  template <class T>
  [[nodiscard]] static std::size_t scratch_bytes(const gae& options, const trajectory_batch<T>& batch) {
    return plan(batch, options.whitening != whitening::none).scratch.bytes;
  }

  template <class T>
  static void run(const gae& options, const trajectory_batch<T>& batch, const device_span<T>& advantages,
                  const device_span<T>& returns, context& ctx) {
    const bool whitens = options.whitening != whitening::none && !advantages.empty();
    const plan to(batch, whitens);
    void* const memory = ctx.scratch(to.scratch.bytes);
    const ragged_lists lists{batch.offsets, batch.rewards.size()};
    const trajectory_task<T> task{.options = options,
                                  .batch = batch,
                                  .lists = lists,
                                  .looked = std::max({lists.items, batch.offsets.size(), lists.count()}),
                                  .check = ctx.checks == data_checks::on,
                                  .advantages = advantages,
                                  .returns = returns,
                                  .raw = whitens ? scratch_plan::at<double>(memory, to.raw) : nullptr,
                                  .most = whitens ? scratch_plan::at<double>(memory, to.most) : nullptr,
                                  .faults = ctx.faults()};
    const cudaStream_t stream = ctx.stream();
    look(task, ctx.faults(), stream);
    if (lists.count() > 0)
      launch("scan_trajectories", scan_trajectories<T>, ragged_blocks(lists.count()), ragged_threads, 0,
             stream, task);
    if (whitens)
      whiten(whitening_task<T>{.raw = task.raw,
                               .count = lists.items,
                               .mask = batch.mask,
                               .how = options.whitening,
                               .most = task.most,
                               .parts = lists.count(),
                               .whitened = advantages,
                               .faults = ctx.faults()},
             to.whitening, memory, stream);
    launch("keep_found", keep_found<trajectory_task<T>>, 1, 1, 0, stream, task, fault_words{trajectory_words},
           ctx.faults());
  }

 private:
  struct plan {
    template <class T>
    plan(const trajectory_batch<T>& batch, bool whitens)
        : scratch{},
          raw(scratch.take<double>(whitens ? batch.rewards.size() : 0)),
          most(scratch.take<double>(whitens ? ragged_lists{batch.offsets, batch.rewards.size()}.count() : 0)),
          whitening(scratch, whitens ? batch.rewards.size() : 0) {}

    scratch_plan scratch;
    std::size_t raw, most;
    whitening_plan whitening;
  };
};

}  // namespace cuda::detail

template <>
struct engine<gae, cuda::context> : cuda::detail::gae_engine {};

}  // namespace rankloss::inline RANKLOSS_ABI
