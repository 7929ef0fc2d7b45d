// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/faults.hpp>
#include <rankloss/cuda/detail/field_faults.cuh>
#include <rankloss/cuda/detail/launch.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/order_faults.cuh>
#include <rankloss/cuda/detail/order_rests.cuh>
#include <rankloss/cuda/detail/ragged_lists.cuh>
#include <rankloss/cuda/detail/scratch_plan.hpp>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/team_sort.cuh>
#include <rankloss/cuda/detail/term_kernel.cuh>
#include <rankloss/cuda/plackett_luce_policy.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/plackett_luce_policy.hpp>
#include <rankloss/stochastic.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// What is told of the fields, in the order in which they are looked at.
enum class order_field : unsigned { upstream = ragged_lists::fields, entropy_upstream, score, order };
inline constexpr const char* order_words[] = {
    RANKLOSS_OFFSET_WORDS("scores"), "upstream: $x at list $i, expected a finite number",
    "entropy_upstream: $x at list $i, expected a finite number", "scores: nan at item $i, expected a number",
    RANKLOSS_ORDER_WORDS};

/// What a launch is given, by value.
template <class T>
struct order_task {
  plackett_luce_policy policy;
  order_batch<T> batch;
  order_results<T> out;
  order_check check;
  std::size_t looked;
  bool checks_scores;
  double* scratch;  ///< [items, arrays]
  fault_record* faults;

  static constexpr std::size_t arrays = 6;

  [[nodiscard]] __device__ fault_word fault(std::size_t i) const {
    const auto of = [i](order_field of) { return fault_of_field(static_cast<unsigned>(of), i); };
    const fault_word of_offset = check.lists.fault(i);
    if (of_offset != no_fault) return of_offset;
    if (not_finite_at(out.upstream, i)) return of(order_field::upstream);
    if (not_finite_at(out.entropy_upstream, i)) return of(order_field::entropy_upstream);
    return checks_scores && i < batch.scores.size() && is_nan(batch.scores[i]) ? of(order_field::score)
                                                                               : no_fault;
  }
  __device__ void describe(fault_word word, fault_record& record) const {
    if (check.lists.describe(word, record)) return;
    const std::size_t i = item_of(word);
    switch (static_cast<order_field>(field_of(word))) {
      case order_field::upstream: record.number = out.upstream[i]; break;
      case order_field::entropy_upstream: record.number = out.entropy_upstream[i]; break;
      case order_field::score: break;
      default: check.describe(word, record);
    }
  }
};

/// x as a function of an earlier one: slope * x + begin.
struct linear_step {
  double slope, begin;

  [[nodiscard]] __device__ double after(double x) const { return begin + slope * x; }
};
[[nodiscard]] __device__ inline linear_step composed(const linear_step& a, const linear_step& b) {
  return {a.slope * b.slope, b.after(a.begin)};
}

/// One list, as along_order_apart of detail/draws/order_chances.hpp computes it on the CPU. What is summed up
/// from position to position is relative to the greatest score of the rest, which is known before: so each sum is
/// a composition of linear steps.
template <class Team, class T>
__device__ inline void evaluate_order(const Team& team, const order_task<T>& task, std::size_t l) {
  const std::size_t first = task.check.lists.first(l);
  const std::uint32_t n = task.check.lists.size(l);
  const plackett_luce_policy& policy = task.policy;
  const auto counted =
      static_cast<std::uint32_t>(policy.cutoff == 0 || policy.cutoff > n ? n : policy.cutoff);
  double* const s = task.scratch + first * order_task<T>::arrays;
  double *const most = s + n, *const sums = most + n, *const mean = sums + n, *const p = mean + n,
                *const bent = p + n;
  const auto for_own = [&](auto body) {
    for (std::uint32_t k = team.rank(); k < n; k += team.size()) body(k);
  };
  const auto item = [&](std::uint32_t k) {
    return first + static_cast<std::size_t>(task.batch.orders[first + k]);
  };
  for_own([&](std::uint32_t k) {
    s[k] = static_cast<double>(rankloss::detail::bounded(task.batch.scores[item(k)]));
  });
  const order_rests rests(team, n, policy.temperature, s, most, sums);
  // The mean distance, in temperatures, of the remaining items from the greatest of them: first its numerator,
  // from the last position on.
  scan_items(
      team, n, linear_step{1.0, 0.0},
      [&](std::uint32_t turned) {
        const std::uint32_t k = n - 1 - turned;
        if (k + 1 < n && most[k] > most[k + 1]) {
          const double rise = rests.between(most[k], most[k + 1]), fall = exp(-rise);
          return linear_step{fall, fall * rise * sums[k + 1]};
        }
        const double own = rests.between(most[k], s[k]);
        return linear_step{1.0, own * exp(-own)};
      },
      composed, [&](std::uint32_t turned, const linear_step& of) { mean[n - 1 - turned] = of.begin; });
  team.sync();
  double log_probability = 0.0, entropy = 0.0;
  for_own([&](std::uint32_t k) {
    mean[k] /= sums[k];
    if (k >= counted) return;
    const double log_sum = log(sums[k]);
    log_probability -= log_sum + rests.between(most[k], s[k]);
    entropy += log_sum + mean[k];
  });
  log_probability = sum(team, log_probability);
  entropy = sum(team, entropy);
  if (team.rank() == 0) {
    if (!task.out.log_probabilities.empty())
      task.out.log_probabilities[l] = rankloss::detail::larger(log_probability, -1e290);
    if (!task.out.entropies.empty()) task.out.entropies[l] = entropy;
  }
  if (task.out.gradient.empty()) return;
  team.sync();  // all means are there

  // Sums over the positions so far of p and of p (log p + H), where p is the probability that the position takes
  // an item whose score is that of the greatest remaining one.
  const auto drop = [&](std::uint32_t k) { return k > 0 ? rests.between(most[k - 1], most[k]) : 0.0; };
  scan_items(
      team, counted, linear_step{1.0, 0.0},
      [&](std::uint32_t k) {
        return linear_step{exp(-drop(k)), 1.0 / sums[k]};
      },
      composed, [&](std::uint32_t k, const linear_step& of) { p[k] = of.begin; });
  team.sync();
  scan_items(
      team, counted, linear_step{1.0, 0.0},
      [&](std::uint32_t k) {
        const double fallen = drop(k), fall = exp(-fallen);
        return linear_step{fall, mean[k] / sums[k] - (k > 0 ? fall * fallen * p[k - 1] : 0.0)};
      },
      composed, [&](std::uint32_t k, const linear_step& of) { bent[k] = of.begin; });
  team.sync();
  const double upstream = task.out.upstream.empty() ? 1.0 : task.out.upstream[l];
  const double entropy_upstream = task.out.entropy_upstream.empty() ? 0.0 : task.out.entropy_upstream[l];
  for_own([&](std::uint32_t k) {
    const std::uint32_t at = k < counted ? k : counted - 1;
    const double below = rests.between(most[at], s[k]), exponential = exp(-below);
    const double of_log = (k < counted ? 1.0 : 0.0) - exponential * p[at];
    const double of_entropy = (exponential * below) * p[at] - exponential * bent[at];
    const double slope =
        (held_as<double>(upstream * of_log) + held_as<double>(entropy_upstream * of_entropy)) /
        policy.temperature;
    put_number(task.out.gradient[item(k)], held_as<double>(slope), task.out.update);
  });
}

/// Fills an output with NaN, by all threads of a grid.
template <class T>
__device__ inline void fill_nan(const device_span<T>& out) {
  for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < out.size();
       i += std::size_t{gridDim.x} * blockDim.x)
    out[i] = not_a_number<T>;
}

template <class T>
__global__ void __launch_bounds__(ragged_threads, 1) evaluate_lists(const order_task<T> task) {
  if (task.faults->places == no_fault) {
    for_each_list(task.check.lists, [&](const auto& team, std::size_t l) { evaluate_order(team, task, l); });
    return;
  }
  fill_nan(task.out.log_probabilities);
  fill_nan(task.out.entropies);
  fill_nan(task.out.gradient);
}

/// Draws the orders: the items by falling score with noise. `keys` are scratch, [items].
template <class T>
__global__ void __launch_bounds__(ragged_threads)
    draw_lists(const order_task<T> task, std::uint32_t sample, double* keys, std::uint32_t* orders) {
  if (task.faults->places != no_fault) return;
  const plackett_luce_policy& policy = task.policy;
  for_each_list(task.check.lists, [&](const auto& team, std::size_t l) {
    const std::size_t first = task.check.lists.first(l);
    const std::uint32_t n = task.check.lists.size(l);
    for (std::uint32_t i = team.rank(); i < n; i += team.size()) {
      keys[first + i] = static_cast<double>(task.batch.scores[first + i]) +
                        policy.temperature * gumbel(policy.seed, l, i, sample);
      orders[first + i] = i;
    }
    sort_falling(team, n, keys + first, orders + first);
  });
}

/// The engine of evaluate_orders and sample_orders.
struct order_engine {
  template <class T>
  [[nodiscard]] static std::size_t scratch_bytes(const plackett_luce_policy&, const order_batch<T>& batch) {
    return plan<T>(batch.scores.size()).scratch.bytes;
  }

  template <class T>
  static void run(const plackett_luce_policy& policy, const order_batch<T>& batch,
                  const order_results<T>& out, context& ctx) {
    const order_task<T> task = looked_at(policy, batch, out, ctx);
    const cudaStream_t stream = ctx.stream();
    look_at_orders(task.check, ctx.faults(), stream);
    if (task.check.lists.count() > 0)
      launch("evaluate_lists", evaluate_lists<T>, ragged_blocks(task.check.lists.count()), ragged_threads, 0,
             stream, task);
    finish(task, ctx);
  }
  template <class T>
  static void run(const plackett_luce_policy& policy, const device_span<const T>& scores,
                  const device_indices& offsets, std::uint32_t sample,
                  const device_span<std::uint32_t>& orders, context& ctx) {
    const order_task<T> task =
        looked_at(policy, order_batch<T>{.scores = scores, .orders = {}, .offsets = offsets}, {}, ctx);
    if (task.check.lists.count() > 0)
      launch("draw_lists", draw_lists<T>, ragged_blocks(task.check.lists.count()), ragged_threads, 0,
             ctx.stream(), task, sample, task.scratch, orders.data());
    finish(task, ctx);
  }

 private:
  template <class T>
  struct plan {
    explicit plan(std::size_t items)
        : arrays(scratch.take<double>(items * order_task<T>::arrays)),
          first(scratch.take<std::uint32_t>(items + 1)) {}

    scratch_plan scratch;
    std::size_t arrays, first;
  };

  template <class T>
  [[nodiscard]] static order_task<T> looked_at(const plackett_luce_policy& policy,
                                               const order_batch<T>& batch, const order_results<T>& out,
                                               context& ctx) {
    const std::size_t items = batch.scores.size();
    const plan<T> to(items);
    void* const memory = ctx.scratch(to.scratch.bytes);
    const ragged_lists lists{batch.offsets, items};
    const order_task<T> task{.policy = policy,
                             .batch = batch,
                             .out = out,
                             .check = {.lists = lists,
                                       .orders = batch.orders,
                                       .first = scratch_plan::at<std::uint32_t>(memory, to.first),
                                       .field = static_cast<unsigned>(order_field::order)},
                             .looked = std::max({items, batch.offsets.size(), lists.count()}),
                             .checks_scores = ctx.checks == data_checks::on,
                             .scratch = scratch_plan::at<double>(memory, to.arrays),
                             .faults = ctx.faults()};
    look(task, ctx.faults(), ctx.stream());
    return task;
  }
  template <class T>
  static void finish(const order_task<T>& task, context& ctx) {
    launch("keep_found", keep_found<order_task<T>>, 1, 1, 0, ctx.stream(), task, fault_words{order_words},
           ctx.faults());
  }
};

}  // namespace cuda::detail

template <>
struct engine<plackett_luce_policy, cuda::context> : cuda::detail::order_engine {};

}  // namespace rankloss::inline RANKLOSS_ABI
