// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/cuda/context.hpp>
#include <rankloss/cuda/detail/faults.hpp>
#include <rankloss/cuda/detail/field_faults.cuh>
#include <rankloss/cuda/detail/launch.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/near_numbers.cuh>
#include <rankloss/cuda/detail/scratch_plan.hpp>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/device_span.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/host_device.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

/// Runs a loss over terms that are in no list: pairs of a preference batch, steps of a policy. Checks, weights,
/// reduction and the value are here, and a loss knows of one term only.
///
/// Neighbouring terms are a chunk. A block sums up a chunk, and one more block the sums of all chunks, so the
/// order of every sum depends on the number of terms alone.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

inline constexpr unsigned term_threads = 256;
/// Terms of a chunk.
inline constexpr std::size_t term_chunk = 2048;

[[nodiscard]] RANKLOSS_HOST_DEVICE constexpr std::size_t chunks_of(std::size_t terms) noexcept {
  return (terms + term_chunk - 1) / term_chunk;
}

/// Weights of a chunk: the greatest one, and their sum in units in which that is near 1.
struct chunk_weights {
  double most, total;
};

/// What a chunk adds to the value, to the value in numbers of which no sum overflows, and to the derivative by a
/// parameter of the loss.
struct chunk_sums {
  double value, small, by_parameter;
};

/// What a launch is given, by value. `Terms` is what kernels are given of a loss and its batch; it has
///
///     count               the number of terms
///     looked, fault, describe
///                         what field_faults.cuh asks for
///     of_relevant         whether only terms of values above 0 have a weight
///     term(k)             value, slopes; {} of a term that the mask leaves out
///     weight(k)           0 of such a term
///     put(k, term, weight, mean)
///                         writes what is written of a term, given its weight in the mean
///     put_nan(k)          the same where a number of the batch is bad
///     by_parameter(term)  its derivative by the parameter of the loss, or 0
///     has_floats          whether terms are computed in floats where these are enough; then also
///     near_term, in_floats(k, near_term&)
///                         whether they are enough for term k, and then the term: its `value` in two floats,
///                         and its `slope_of_ties` where the loss has such a parameter
///     put_near(k, near_term, share)
///                         put of such a term
///     weighted(), keeps(k)
///                         whether terms have weights, and whether the mask keeps term k
template <class Terms>
struct term_task {
  Terms terms;
  device_span<double> value;         ///< [1] or empty
  device_span<double> by_parameter;  ///< [1] or empty
  double scale;
  update how;
  chunk_weights* weights;  ///< [chunks]
  chunk_sums* sums;        ///< [chunks]
  list_mean* computed;     ///< null: the mean is known to the host
  list_mean known;
  fault_record* faults;
  fault_words words;

  [[nodiscard]] __device__ list_mean mean() const { return computed != nullptr ? *computed : known; }
  /// What is wrong with the batch, known to kernels behind `look`.
  [[nodiscard]] __device__ fault_word fault() const { return faults->places; }
  template <class Term>
  [[nodiscard]] __device__ double weight(std::size_t k, const Term& term) const {
    return terms.of_relevant && !(term.value > 0.0) ? 0.0 : terms.weight(k);
  }
};

/// Calls body(k) for the terms of the chunk of this block, each thread for its own.
template <class Body>
__device__ inline void for_chunk(const block_team& team, std::size_t terms, Body body) {
  const std::size_t begin = std::size_t{blockIdx.x} * term_chunk;
  for (std::size_t k = begin + team.rank(); k < begin + term_chunk && k < terms; k += team.size()) body(k);
}

/// Sums up the weights of a chunk. One chunk a block.
template <class Task>
__global__ void __launch_bounds__(term_threads) weigh_chunks(const Task task) {
  __shared__ block_team::slots slots;
  const block_team team(slots);
  if (task.fault() != no_fault) return;
  const auto over = [&](auto body) { for_chunk(team, task.terms.count, body); };
  const auto weight = [&](std::size_t k) {
    return task.terms.of_relevant ? task.weight(k, task.terms.term(k)) : task.terms.weight(k);
  };
  double most = 0.0;
  over([&](std::size_t k) { most = fmax(most, weight(k)); });
  most = greatest(team, most);
  const double unit = unit_of(most);
  double total = 0.0;
  over([&](std::size_t k) { total += weight(k) * unit; });
  total = sum(team, total);
  if (team.rank() == 0) task.weights[blockIdx.x] = {most, total};
}

/// The mean, from the weights of all chunks. One block.
template <class Task>
__global__ void __launch_bounds__(reduce_threads) weigh_terms(const Task task) {
  __shared__ block_team::slots slots;
  const block_team team(slots);
  if (task.fault() != no_fault) {
    if (team.rank() == 0) *task.computed = task.known;
    return;
  }
  const std::size_t chunks = chunks_of(task.terms.count);
  double most = 0.0;
  for (std::size_t c = team.rank(); c < chunks; c += team.size()) most = fmax(most, task.weights[c].most);
  const double unit = unit_of(greatest(team, most));
  double total = 0.0;
  for (std::size_t c = team.rank(); c < chunks; c += team.size()) {
    // Both units are powers of two, so only what is negligible is rounded.
    const chunk_weights own = task.weights[c];
    if (own.most > 0.0) total += own.total * (unit / unit_of(own.most));
  }
  total = sum(team, total);
  if (team.rank() == 0)
    *task.computed = {task.known.summed != 0 ? 1.0
                      : total > 0.0          ? 1.0 / total
                                             : 0.0,
                      unit, task.known.summed};
}

/// What a term of floats gets: its weight in units in which the greatest is near 1, and the factor of its
/// slope.
struct near_share {
  two_floats weight;
  float factor;
};
/// Those of the terms of a task, where floats hold their products with terms.
template <class Task>
class near_shares {
 public:
  __device__ near_shares(const Task& task, const list_mean& mean)
      : task_(task), mean_(mean), takes_equal_(find(1.0, equal_)) {}

  [[nodiscard]] __device__ bool operator()(std::size_t k, near_share& own) const {
    if (task_.terms.weighted()) return find(task_.terms.weight(k), own);
    const bool kept = task_.terms.keeps(k);
    own.weight = kept ? equal_.weight : two_floats{0.0f, 0.0f};
    own.factor = kept ? equal_.factor : 0.0f;
    return takes_equal_ || !kept;
  }

 private:
  [[nodiscard]] __device__ bool find(double weight, near_share& own) const {
    const double factor = held_as<double>(task_.scale * mean_.share(weight));
    own = {number<two_floats>(mean_.scaled(weight)), static_cast<float>(factor)};
    const float size = fabsf(own.factor);
    return (own.weight.high >= 1e-12f || weight == 0.0) &&
           ((size >= 1e-18f && size <= 1e18f) || factor == 0.0);
  }

  const Task& task_;
  const list_mean& mean_;
  near_share equal_;  // of terms without weights
  bool takes_equal_;
};

/// Computes the terms of a chunk, and sums them up. One chunk a block.
template <class Task>
__global__ void __launch_bounds__(term_threads, 1) sum_chunks(const Task task) {
  __shared__ block_team::slots slots;
  const block_team team(slots);
  const bool bad = task.fault() != no_fault;
  const list_mean mean = task.mean();
  chunk_sums sums{0.0, 0.0, 0.0};
  const auto add = [&](std::size_t k) {
    const auto term = task.terms.term(k);
    const double w = task.weight(k, term);
    sums.value += mean.summand(w) * term.value;
    sums.small += mean.scaled(w) * (term.value * 0x1p-600);
    sums.by_parameter += mean.scaled(w) * task.terms.by_parameter(term);
    task.terms.put(k, term, w, mean);
  };
  const auto over = [&](auto body) { for_chunk(team, task.terms.count, body); };
  if (bad) {
    over([&](std::size_t k) { task.terms.put_nan(k); });
  } else if constexpr (std::remove_cvref_t<decltype(task.terms)>::has_floats) {
    const near_shares<Task> shares(task, mean);
    long_sum<float> values, by_parameter;
    over([&](std::size_t k) {
      near_share share;
      typename std::remove_cvref_t<decltype(task.terms)>::near_term term;
      if (shares(k, share) && task.terms.in_floats(k, term)) {
        values.add(product(share.weight, term.value));
        if constexpr (requires { term.slope_of_ties; })
          by_parameter.add(product(share.weight, term.slope_of_ties));
        task.terms.put_near(k, term, share);
      } else {
        add(k);
      }
    });
    const double near = values.exact_value();
    sums.value += mean.summed != 0 ? near / mean.unit : near;
    sums.small += near * 0x1p-600;
    sums.by_parameter += by_parameter.exact_value();
  } else {
    over(add);
  }
  sums.value = sum(team, sums.value);
  // What is finite is scaled as it is, where the sum over all chunks is not.
  if (is_finite(sums.value))
    sums.small = sums.value * (mean.summed != 0 ? mean.unit : 1.0) * 0x1p-600;
  else
    sums.small = sum(team, sums.small);
  if (!task.by_parameter.empty()) sums.by_parameter = sum(team, sums.by_parameter);
  if (team.rank() == 0) task.sums[blockIdx.x] = sums;
}

/// The value of the batch, and its first fault. One block.
template <class Task>
__global__ void __launch_bounds__(reduce_threads) reduce_chunks(const Task task) {
  __shared__ block_team::slots slots;
  const block_team team(slots);
  const fault_word word = task.fault();
  const list_mean mean = task.mean();
  chunk_sums sums{0.0, 0.0, 0.0};
  const std::size_t chunks = word == no_fault ? chunks_of(task.terms.count) : 0;
  for (std::size_t c = team.rank(); c < chunks; c += team.size()) {
    const chunk_sums own = task.sums[c];
    sums.value += own.value;
    sums.small += own.small;
    sums.by_parameter += own.by_parameter;
  }
  double value = sum(team, sums.value) * mean.scale;
  const double small = sum(team, sums.small);
  double slope = sum(team, sums.by_parameter);
  if (!is_finite(value)) value = held_as<double>(held_as<double>(small * mean.factor()) * 0x1p600);
  slope = held_as<double>(held_as<double>(task.scale * mean.factor()) * slope);
  if (team.rank() != 0) return;
  if (word != no_fault) {
    value = slope = not_a_number<double>;
    keep_fault(task.terms, task.words, task.faults);
  }
  if (!task.value.empty()) task.value[0] = value;
  if (task.by_parameter.empty()) return;
  double& to = task.by_parameter[0];
  to = word == no_fault && task.how == update::add ? held_as<double>(to + slope) : slope;
}

/// Writes a derivative, or adds it to what is there.
template <class T>
__device__ inline void put_number(T& to, double x, update how) {
  to = held_as<T>((how == update::add ? static_cast<double>(to) : 0.0) + x);
}

/// What the frame takes of scratch.
struct term_plan {
  /// @param weighs  whether the mean depends on what is in the memory of the device
  term_plan(scratch_plan& scratch, std::size_t terms, bool weighs)
      : mean(scratch.take<list_mean>(1)),
        weights(scratch.take<chunk_weights>(weighs ? chunks_of(terms) : 0)),
        sums(scratch.take<chunk_sums>(chunks_of(terms))),
        weighs(weighs) {}

  std::size_t mean, weights, sums;
  bool weighs;
};

/// Looks at the batch, and finds the mean.
template <class Terms>
[[nodiscard]] term_task<Terms> prepare_terms(const Terms& terms, const term_plan& to, reduction kind,
                                             device_span<double> value, device_span<double> by_parameter,
                                             double scale, update how, const fault_words& words, void* memory,
                                             context& ctx) {
  using task_type = term_task<Terms>;
  task_type task{.terms = terms,
                 .value = value,
                 .by_parameter = by_parameter,
                 .scale = scale,
                 .how = how,
                 .weights = scratch_plan::at<chunk_weights>(memory, to.weights),
                 .sums = scratch_plan::at<chunk_sums>(memory, to.sums),
                 .computed = to.weighs ? scratch_plan::at<list_mean>(memory, to.mean) : nullptr,
                 .known = {.scale = 1.0, .unit = 1.0, .summed = kind == reduction::sum ? 1u : 0u},
                 .faults = ctx.faults(),
                 .words = words};
  if (task.known.summed == 0)
    task.known.scale = terms.count > 0 ? 1.0 / static_cast<double>(terms.count) : 0.0;
  const cudaStream_t stream = ctx.stream();
  look(terms, task.faults, stream);
  if (to.weighs) {
    const auto chunks = static_cast<unsigned>(chunks_of(terms.count));
    if (chunks > 0) launch("weigh_chunks", weigh_chunks<task_type>, chunks, term_threads, 0, stream, task);
    launch("weigh_terms", weigh_terms<task_type>, 1, reduce_threads, 0, stream, task);
  }
  return task;
}
/// Sums up the terms. What is left is `reduce_terms`: so that a loss can use the mean between.
template <class Terms>
void sum_terms(const term_task<Terms>& task, context& ctx) {
  const auto chunks = static_cast<unsigned>(chunks_of(task.terms.count));
  if (chunks > 0)
    launch("sum_chunks", sum_chunks<term_task<Terms>>, chunks, term_threads, 0, ctx.stream(), task);
}
template <class Terms>
void reduce_terms(const term_task<Terms>& task, context& ctx) {
  launch("reduce_chunks", reduce_chunks<term_task<Terms>>, 1, reduce_threads, 0, ctx.stream(), task);
}

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
