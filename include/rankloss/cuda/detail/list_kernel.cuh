// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/batch.hpp>
#include <rankloss/cuda/context.hpp>
#include <rankloss/cuda/detail/faults.hpp>
#include <rankloss/cuda/detail/launch.cuh>
#include <rankloss/cuda/detail/list_shape.hpp>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>
#include <rankloss/loss.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

/// Runs a list loss over the lists of a batch on the device, as list_run does on the CPU: which team computes
/// which list, masks, weights, reduction, checks and outputs are here, and a loss knows of one list only.
///
/// A team of threads computes a list: a warp where it is short, else a block; its scratch is in shared memory
/// where that is large enough. Which of them depends on the number of items alone, so the bits of a list do
/// not depend on the batch around it.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

using rankloss::detail::held_as;
using rankloss::detail::is_finite;
using rankloss::detail::is_nan;
using rankloss::detail::unit_of;

// Sizes at which one way takes over from another.

/// Lists of up to so many items are computed by a warp: it needs no barriers, and shares a scan among few
/// threads.
inline constexpr std::uint32_t longest_of_warp = 256;
/// Warps of a block, each with a list of its own; fewer where their scratch is large.
inline constexpr unsigned warps_of_block = 4;
/// Threads of a block that computes a list in shared memory, and of one that computes a longer one.
inline constexpr unsigned block_threads = 256;
inline constexpr unsigned long_block_threads = 512;
/// Threads of the block that reduces the values of lists.
inline constexpr unsigned reduce_threads = 512;
/// Shared memory of a block that needs no permission, less what teams use of it.
inline constexpr std::size_t shared_bytes = 48 * 1024 - sizeof(block_team::slots);
/// Bytes by which arrays of a list are rounded up, altogether.
inline constexpr std::size_t scratch_slack = 64;
/// Blocks of a launch, at most; each takes several lists where there are more.
inline constexpr std::size_t most_blocks = std::size_t{1} << 20;

/// Whether what kernels are given of a loss says which relevance it takes, and which makes an item count. These
/// have names because nvcc 12.0 says yes to any requires-expression in a member function that names a member.
template <class Compute>
concept takes_relevance = requires(const Compute& compute) {
  compute.takes(0.0);
};
template <class Compute>
concept counts_relevance = requires(const Compute& compute) {
  compute.counts(0.0);
};

/// One list, as a loss reads it: the items that the mask keeps, in their order.
template <class T, class R>
class device_list {
 public:
  __device__ device_list(const list_batch<T, R>& batch, std::size_t first, std::uint32_t n,
                         const std::uint32_t* kept, std::size_t list)
      : number(list), batch_(batch), first_(first), n_(n), kept_(kept) {}
  /// The same list with other scores, [n].
  __device__ device_list(const device_list& of, const T* scores)
      : number(of.number),
        batch_(of.batch_),
        first_(of.first_),
        n_(of.n_),
        kept_(of.kept_),
        scores_(scores) {}

  [[nodiscard]] __device__ std::uint32_t size() const { return n_; }
  [[nodiscard]] __device__ T score(std::uint32_t i) const {
    return scores_ != nullptr ? scores_[i] : batch_.scores[at(i)];
  }
  [[nodiscard]] __device__ R relevance(std::uint32_t i) const { return batch_.relevance[at(i)]; }
  [[nodiscard]] __device__ bool weighted() const { return !batch_.item_weights.empty(); }
  [[nodiscard]] __device__ double weight(std::uint32_t i) const {
    return weighted() ? batch_.item_weights[at(i)] : 1.0;
  }
  /// Where item i lies in the arrays of the batch.
  [[nodiscard]] __device__ std::size_t at(std::uint32_t i) const {
    return first_ + (kept_ != nullptr ? kept_[i] : i);
  }

  const std::size_t number;  ///< index of the list in its batch: a key of random numbers

 private:
  const list_batch<T, R>& batch_;
  std::size_t first_;
  std::uint32_t n_;
  const std::uint32_t* kept_;  // [n] null: all
  const T* scores_ = nullptr;  // [n] null: those of the batch
};

/// Where a loss writes the derivatives of one list.
template <class T>
class device_sink {
 public:
  __device__ device_sink(const outputs<T>& out, std::size_t first, const std::uint32_t* kept, double factor)
      : gradient_(out.gradient.empty() ? nullptr : out.gradient.data() + first),
        hessian_(out.hessian.empty() ? nullptr : out.hessian.data() + first),
        kept_(kept),
        factor_(factor),
        narrow_(fabs(factor) <= 1.0 && fabs(factor) >= static_cast<double>(least_normal<T>)),
        add_(out.update == update::add) {}

  /// Whether the gradient is wanted.
  [[nodiscard]] __device__ bool wanted() const { return gradient_ != nullptr; }
  [[nodiscard]] __device__ bool hessian_wanted() const { return hessian_ != nullptr; }
  [[nodiscard]] __device__ bool derivatives_wanted() const { return wanted() || hessian_wanted(); }
  /// Writes d(value) / d(score) of item i, where it is wanted; once for each item.
  __device__ void put(std::uint32_t i, T slope) const { write(gradient_, i, slope); }
  /// The same of d2(value) / d(score)^2.
  __device__ void put_hessian(std::uint32_t i, T curvature) const { write(hessian_, i, curvature); }
  /// Those of both that are wanted.
  __device__ void put_wanted(std::uint32_t i, T slope, T curvature) const {
    if (wanted()) put(i, slope);
    if (hessian_wanted()) put_hessian(i, curvature);
  }
  /// Writes NaN, for an item of a list that cannot be computed, to what is wanted.
  __device__ void put_nan(std::uint32_t i) const {
    const std::uint32_t at = kept_ != nullptr ? kept_[i] : i;
    if (wanted()) gradient_[at] = not_a_number<T>;
    if (hessian_wanted()) hessian_[at] = not_a_number<T>;
  }

 private:
  __device__ void write(T* derivatives, std::uint32_t i, T own) const {
    T& to = derivatives[kept_ != nullptr ? kept_[i] : i];
    const T x = narrow_ ? own * static_cast<T>(factor_) : held_as<T>(static_cast<double>(own) * factor_);
    to = add_ ? held_as<T>(static_cast<double>(to) + static_cast<double>(x)) : x;
  }

  T* gradient_;
  T* hessian_;
  const std::uint32_t* kept_;
  double factor_;
  bool narrow_;
  bool add_;
};

/// Writes 0 to the derivatives at an element that belongs to no item, where they are overwritten.
template <class T>
__device__ inline void clear_derivatives(const outputs<T>& out, std::size_t at) {
  if (out.update != update::overwrite) return;
  if (!out.gradient.empty()) out.gradient[at] = T{0};
  if (!out.hessian.empty()) out.hessian[at] = T{0};
}

/// How the lists become one number: their shares in it. See weighted_mean.hpp, whose formulas these are.
struct list_mean {
  double scale;  ///< divided by the sum of the scaled weights, except for reduction::sum
  double unit;
  std::uint64_t summed;  ///< not 0: without the division; wide, so that no byte is left unwritten

  [[nodiscard]] __device__ double scaled(double weight) const { return weight * unit; }
  [[nodiscard]] __device__ double summand(double weight) const {
    return summed != 0 ? weight : scaled(weight);
  }
  [[nodiscard]] __device__ double share(double weight) const {
    return held_as<double>(summand(weight) * scale);
  }
  [[nodiscard]] __device__ double factor() const {
    return held_as<double>(summed != 0 ? scale / unit : scale);
  }
};

/// What a launch is given, by value.
template <class Compute, class T, class R>
struct list_task {
  Compute compute;
  list_batch<T, R> batch;
  outputs<T> out;
  std::size_t lists;
  std::uint32_t longest;
  bool check;
  double* values;          ///< [lists]
  fault_word* words;       ///< [lists]
  unsigned char* counted;  ///< [lists] whether the list counts; null: all do
  list_mean* computed;     ///< null: the mean is known to the host
  list_mean known;
  unsigned char* arena;  ///< scratch of the lists that are too long for shared memory
  unsigned char* kept;   ///< memory of the device for every item, where the loss asks for some
  std::size_t kept_bytes;
  fault_record* faults;
  const char* expected;
  std::size_t expected_size;

  [[nodiscard]] __device__ list_mean mean() const { return computed != nullptr ? *computed : known; }
  [[nodiscard]] __device__ bool bad_weight(std::size_t l) const {
    if (batch.list_weights.empty()) return false;
    const double w = batch.list_weights[l];
    return !(is_finite(w) && w >= 0.0);
  }
  [[nodiscard]] __device__ double weight(std::size_t l) const {
    if (counted != nullptr && counted[l] == 0) return 0.0;
    if (batch.list_weights.empty()) return 1.0;
    return check && bad_weight(l) ? 0.0 : batch.list_weights[l];
  }
};

/// Where a list lies, and what is wrong with that.
struct list_place {
  std::size_t first;
  std::uint32_t size;
  fault_word word;
};
template <class Task>
[[nodiscard]] __device__ inline list_place place_of(const Task& task, std::size_t l) {
  const auto& batch = task.batch;
  const auto items = static_cast<std::int64_t>(batch.scores.size());
  if (batch.length > 0) {
    const std::size_t first = l * (batch.stride > 0 ? batch.stride : batch.length);
    if (batch.lengths.empty()) return {first, static_cast<std::uint32_t>(batch.length), no_fault};
    const std::int64_t size = batch.lengths[l];
    if (size < 0 || size > static_cast<std::int64_t>(batch.length))
      return {first, 0, fault_of(fault::length, l)};
    return {first, static_cast<std::uint32_t>(size), no_fault};
  }
  const std::int64_t begin = batch.offsets.empty() ? 0 : batch.offsets[l];
  const std::int64_t end = batch.offsets.empty() ? items : batch.offsets[l + 1];
  if (l == 0 && begin != 0) return {0, 0, fault_of(fault::first_offset, l)};
  if (begin > end || begin < 0) return {0, 0, fault_of(fault::falling_offset, l)};
  if (end > items || (l + 1 == task.lists && end != items)) return {0, 0, fault_of(fault::last_offset, l)};
  if (end - begin > static_cast<std::int64_t>(task.longest)) return {0, 0, fault_of(fault::too_long, l)};
  return {static_cast<std::size_t>(begin), static_cast<std::uint32_t>(end - begin), no_fault};
}

/// What is wrong with the relevance and the weight of item i of a list, or no_fault.
template <class Task>
[[nodiscard]] __device__ inline fault_word judgement_fault(const Task& task, std::size_t first,
                                                           std::uint32_t i) {
  const auto& batch = task.batch;
  const auto y = batch.relevance[first + i];
  bool takes = true;
  if constexpr (std::is_floating_point_v<decltype(batch.relevance[0] + 0)>) takes = is_finite(y);
  if constexpr (takes_relevance<decltype(task.compute)>)
    takes = takes && task.compute.takes(static_cast<double>(y));
  if (!takes) return fault_of(fault::relevance, i);
  if (batch.item_weights.empty()) return no_fault;
  const double w = batch.item_weights[first + i];
  return is_finite(w) && w >= 0.0 ? no_fault : fault_of(fault::item_weight, i);
}

/// What is wrong with item i of a list, or no_fault.
template <class Task>
[[nodiscard]] __device__ inline fault_word item_fault(const Task& task, std::size_t first, std::uint32_t i) {
  const auto& batch = task.batch;
  if (is_nan(batch.scores[first + i])) return fault_of(fault::scores, i);
  // A function over scores alone has no relevance and no weights.
  if constexpr (requires { task.compute.input_fault(first, i); }) {
    return task.compute.input_fault(first + i, i);
  } else {
    return judgement_fault(task, first, i);
  }
}

/// Computes list l, and writes all that is written of it.
template <class Team, class Task>
__device__ inline void compute_list(const Team& team, const Task& task, std::size_t l,
                                    const list_place& place, team_scratch scratch) {
  using T = std::remove_const_t<std::remove_reference_t<decltype(task.batch.scores[0])>>;
  using R = std::remove_const_t<std::remove_reference_t<decltype(task.batch.relevance[0])>>;
  const auto& batch = task.batch;
  if (task.faults->places != no_fault) return;

  std::uint32_t n = place.size;
  const std::uint32_t* kept = nullptr;
  if (!batch.mask.empty() && n > 0) {
    std::uint32_t* to = scratch.take<std::uint32_t>(n);
    n = keep_if(team, place.size, to, [&](std::uint32_t i) {
      const bool keep = batch.mask[place.first + i];
      if (!keep) clear_derivatives(task.out, place.first + i);
      return keep;
    });
    kept = to;
  }
  if (!batch.lengths.empty())
    for (std::size_t i = place.size + team.rank(); i < batch.length; i += team.size())
      clear_derivatives(task.out, place.first + i);

  fault_word word = no_fault;
  if (task.check) {
    if (task.bad_weight(l)) word = fault_of(fault::list_weight);
    for (std::uint32_t i = team.rank(); i < n; i += team.size()) {
      const fault_word own = item_fault(task, place.first, kept != nullptr ? kept[i] : i);
      word = own < word ? own : word;
    }
    word = least(team, word);
  }

  const double factor = held_as<double>(task.out.scale * task.mean().share(task.weight(l)));
  const device_sink<T> sink(task.out, place.first, kept, factor);
  double value = 0.0;
  if (word != no_fault) {
    value = not_a_number<double>;
    for (std::uint32_t i = team.rank(); i < n; i += team.size()) sink.put_nan(i);
  } else if (n > 0) {
    const device_list<T, R> items(batch, place.first, n, kept, l);
    if constexpr (requires { task.compute(team, items, sink, scratch, scratch); })
      value =
          task.compute(team, items, sink, scratch, team_scratch(task.kept + place.first * task.kept_bytes));
    else
      value = task.compute(team, items, sink, scratch);
  }
  if (team.rank() == 0) {
    task.values[l] = value;
    task.words[l] = word;
  }
  team.sync();  // scratch may be used again
}

// Kernels of lists may take all registers of a processor for one block: else the compiler keeps to fewer, for
// the sake of more blocks, and spills.

/// Blocks with a list of their own for which a processor is to have registers: of floats two, since one alone
/// hardly hides the time that its warps wait; states of doubles need all of them.
template <class Task>
inline constexpr int blocks_beside =
    sizeof(std::remove_cvref_t<decltype(std::declval<Task>().batch.scores[0])>) == sizeof(float) ? 2 : 1;

/// Lists of [least, most] items, one a warp, in shared memory. `bytes` of it are for each warp.
template <class Task>
__global__ void __launch_bounds__(warps_of_block* warp_size, 1)
    warp_lists(const Task task, std::uint32_t least, std::uint32_t most, std::uint32_t bytes) {
  extern __shared__ __align__(16) unsigned char memory[];
  const warp_team team;
  const unsigned warp = threadIdx.x / warp_size, warps = blockDim.x / warp_size;
  for (std::size_t l = std::size_t{blockIdx.x} * warps + warp; l < task.lists;
       l += std::size_t{gridDim.x} * warps) {
    const list_place place = place_of(task, l);
    if (place.size < least || place.size > most) continue;
    compute_list(team, task, l, place, team_scratch(memory + warp * bytes));
  }
}

/// The same, one a block.
template <class Task>
__global__ void __launch_bounds__(block_threads, blocks_beside<Task>)
    block_lists(const Task task, std::uint32_t least, std::uint32_t most) {
  extern __shared__ __align__(16) unsigned char memory[];
  __shared__ block_team::slots slots;
  const block_team team(slots);
  for (std::size_t l = blockIdx.x; l < task.lists; l += gridDim.x) {
    const list_place place = place_of(task, l);
    if (place.size < least || place.size > most) continue;
    compute_list(team, task, l, place, team_scratch(memory));
  }
}

/// The same, one a block, in memory of the device. `bytes` of it are for each item.
template <class Task>
__global__ void __launch_bounds__(long_block_threads, 1)
    long_lists(const Task task, std::uint32_t least, std::uint32_t most, std::uint32_t bytes) {
  __shared__ block_team::slots slots;
  const block_team team(slots);
  for (std::size_t l = blockIdx.x; l < task.lists; l += gridDim.x) {
    const list_place place = place_of(task, l);
    if (place.size < least || place.size > most) continue;
    compute_list(team, task, l, place, team_scratch(task.arena + place.first * bytes + l * scratch_slack));
  }
}

/// Whether all lists lie where they can. The least of the faults is the same in whatever order they are
/// found.
template <class Task>
__global__ void __launch_bounds__(block_threads) check_places(const Task task) {
  for (std::size_t l = std::size_t{blockIdx.x} * block_threads + threadIdx.x; l < task.lists;
       l += std::size_t{gridDim.x} * block_threads) {
    const fault_word word = place_of(task, l).word;
    if (word != no_fault) atomicMin(reinterpret_cast<unsigned long long*>(&task.faults->places), word);
  }
}

/// counted[l]: whether list l has a relevant item, by the rule of the loss where it defines one.
template <class Task>
__global__ void __launch_bounds__(warps_of_block* warp_size) count_lists(const Task task) {
  const auto& batch = task.batch;
  for (std::size_t l = std::size_t{blockIdx.x} * warps_of_block + threadIdx.x / warp_size; l < task.lists;
       l += std::size_t{gridDim.x} * warps_of_block) {
    const list_place place = place_of(task, l);
    bool any = false;
    double lowest = greatest_number<double>, highest = lowest_number<double>;
    for (std::uint32_t i = threadIdx.x % warp_size; i < place.size; i += warp_size) {
      const std::size_t at = place.first + i;
      if (!batch.mask.empty() && !batch.mask[at]) continue;
      if constexpr (requires { requires decltype(task.compute)::counts_pairs; }) {
        lowest = fmin(lowest, static_cast<double>(batch.relevance[at]));
        highest = fmax(highest, static_cast<double>(batch.relevance[at]));
        continue;
      }
      if (!batch.item_weights.empty() && !(batch.item_weights[at] > 0.0)) continue;
      const auto y = static_cast<double>(batch.relevance[at]);
      if constexpr (counts_relevance<decltype(task.compute)>)
        any = any || task.compute.counts(y);
      else
        any = any || y > 0.0;
    }
    if constexpr (requires { requires decltype(task.compute)::counts_pairs; })
      any = least(warp_team{}, lowest) < greatest(warp_team{}, highest);
    else
      any = __any_sync(all_lanes, any ? 1 : 0) != 0;
    if (threadIdx.x % warp_size == 0) task.counted[l] = any ? 1 : 0;
  }
}

/// The mean, from the weights of the lists. One block.
template <class Task>
__global__ void __launch_bounds__(reduce_threads) weigh_lists(const Task task) {
  __shared__ block_team::slots slots;
  const block_team team(slots);
  double most = 0.0;
  for (std::size_t l = team.rank(); l < task.lists; l += team.size()) most = fmax(most, task.weight(l));
  const double unit = unit_of(greatest(team, most));
  double total = 0.0;
  for (std::size_t l = team.rank(); l < task.lists; l += team.size()) total += task.weight(l) * unit;
  total = sum(team, total);
  if (team.rank() == 0)
    *task.computed = {task.known.summed != 0 ? 1.0
                      : total > 0.0          ? 1.0 / total
                                             : 0.0,
                      unit, task.known.summed};
}

/// The first fault of a batch.
struct first_fault {
  fault_word word;
  std::uint64_t list;
};
/// Weights of lists are reported first, and then items, list by list. Without a fault the list is none.
[[nodiscard]] __device__ inline bool comes_before(const first_fault& a, const first_fault& b) {
  const bool of_list = kind_of(a.word) == fault::list_weight;
  if (of_list != (kind_of(b.word) == fault::list_weight)) return of_list;
  return a.list < b.list;
}

/// What is told of a fault.
template <class Task>
[[nodiscard]] __device__ inline fault_record record_of(const Task& task, const first_fault& found) {
  const auto& batch = task.batch;
  const std::size_t l = found.list;
  fault_record record{no_fault, found.word, found.list, 0.0, 0, 0, task.expected, task.expected_size};
  if constexpr (requires { task.compute.describe(found.word, record); })
    if (is_of_field(found.word)) {
      record.words = task.compute.words;
      task.compute.describe(found.word, record);
      return record;
    }
  const fault kind = kind_of(found.word);
  switch (kind) {
    case fault::first_offset: record.whole = batch.offsets[0]; break;
    case fault::falling_offset:
      record.whole = batch.offsets[l + 1];
      record.other = batch.offsets[l];
      break;
    case fault::last_offset:
      record.whole = batch.offsets[task.lists];
      record.other = static_cast<std::int64_t>(batch.scores.size());
      break;
    case fault::length:
      record.whole = batch.lengths[l];
      record.other = static_cast<std::int64_t>(batch.length);
      break;
    case fault::too_long:
      record.whole = batch.offsets[l + 1] - batch.offsets[l];
      record.other = static_cast<std::int64_t>(task.longest);
      break;
    case fault::list_weight: record.number = batch.list_weights[l]; break;
    case fault::values:
    case fault::cotangent:
    case fault::tangent:
      if constexpr (requires { task.compute.input_number(kind, l); })
        record.number = task.compute.input_number(kind, place_of(task, l).first + item_of(found.word));
      break;
    default: {
      const std::size_t at = place_of(task, l).first + item_of(found.word);
      record.number = kind == fault::scores      ? static_cast<double>(batch.scores[at])
                      : kind == fault::relevance ? static_cast<double>(batch.relevance[at])
                                                 : batch.item_weights[at];
    }
  }
  return record;
}

/// Writes what is left to write, by one thread.
template <class Task>
__device__ inline void finish(const Task& task, double value, const first_fault& found) {
  task.faults->places = no_fault;
  if (found.word != no_fault && task.faults->word == no_fault) *task.faults = record_of(task, found);
  if (!task.out.value.empty()) task.out.value[0] = value;
}

/// The value of the batch, and its first fault. One block.
template <class Task>
__global__ void __launch_bounds__(reduce_threads) reduce_lists(const Task task) {
  __shared__ block_team::slots slots;
  const block_team team(slots);
  const fault_word places = task.faults->places;
  if (places != no_fault) {
    team.sync();
    if (team.rank() == 0) finish(task, not_a_number<double>, {places, item_of(places)});
    return;
  }
  const list_mean mean = task.mean();
  first_fault found{no_fault, ~std::uint64_t{0}};
  double value = 0.0;
  for (std::size_t l = team.rank(); l < task.lists; l += team.size()) {
    const first_fault own{task.words[l], l};
    if (own.word != no_fault && comes_before(own, found)) found = own;
    value += mean.summand(task.weight(l)) * task.values[l];
  }
  value = sum(team, value) * mean.scale;
  if (!is_finite(value)) {
    // A sum that overflows is formed again in smaller numbers, unless a list is infinite.
    double small = 0.0;
    std::uint64_t infinite = ~std::uint64_t{0};
    for (std::size_t l = team.rank(); l < task.lists; l += team.size()) {
      const double w = task.weight(l);
      if (!(w > 0.0)) continue;
      if (!is_finite(task.values[l])) infinite = l < infinite ? l : infinite;
      small += mean.scaled(w) * (task.values[l] * 0x1p-600);
    }
    small = sum(team, small);
    infinite = least(team, infinite);
    value = infinite < task.lists ? (mean.scale > 0.0 ? task.values[infinite] : 0.0)
                                  : held_as<double>(held_as<double>(small * mean.factor()) * 0x1p600);
  }
  found = combine_all(team, found, first_fault{no_fault, ~std::uint64_t{0}},
                      [](const first_fault& a, const first_fault& b) { return comes_before(b, a) ? b : a; });
  if (team.rank() == 0) finish(task, found.word == no_fault ? value : not_a_number<double>, found);
}

/// Lists of any length are computed by a block.
struct one_block_each {
  static constexpr std::uint32_t longest_of_block = ~std::uint32_t{0};
};

/// The engine of a list loss. `Compute` is what kernels are given of the loss, by value; it has
///
///     of(loss)                 made on the host
///     item_bytes<T>            bytes of scratch for each item
///     (team, list, sink, scratch) const
///                              the value of a list of at least one item; writes its gradient if it is
///                              wanted (and its Hessian, see has_hessian). All threads of the team call it and get the same number
///     kept_bytes(loss, longest)
///                              optional: bytes for each item, a multiple of 8, in the memory of the device, by
///                              the options of the loss and the most items of a list; the call has one more
///                              team_scratch, of these
///     takes(y), counts(y)      optional: which relevance the loss accepts, and which makes a list count in
///                              reduction::mean_of_relevant (by definition: > 0)
///     counts_pairs             optional, true: a list counts there if it has two items of different relevance
///     has_hessian              optional, true: it writes the Hessian too, where that is wanted
///     input_fault(at, i), input_number(kind, at)
///                              optional, of a function over scores alone (score_functions.cuh): what is wrong
///                              with what else it reads of item i, which lies at `at`; and that number
///     words, describe(word, record)
///                              optional: what is told of faults of fields that have been found before the
///                              call, see field_faults.cuh
///
/// `Long` says how lists are computed that one block would take too long for; see grid_lists.cuh.
template <class Loss, class Compute, class Long = one_block_each>
struct list_engine {
  using on_list = Compute;
  static constexpr bool has_hessian = requires { requires Compute::has_hessian; };

  /// Bytes of scratch of an item, mask included.
  template <class T>
  static constexpr std::size_t item_bytes = (Compute::template item_bytes<T> + sizeof(std::uint32_t) + 7) /
                                            8 * 8;
  /// Longer lists have their scratch in the memory of the device.
  template <class T>
  static constexpr auto longest_of_block = static_cast<std::uint32_t>((shared_bytes - scratch_slack) /
                                                                      item_bytes<T>);

  template <class T, class R>
  [[nodiscard]] static std::size_t scratch_bytes(const Loss& loss, const list_batch<T, R>& batch) {
    return plan<T, R>(loss, batch).bytes;
  }

  template <class T, class R>
  static void run(const Loss& loss, const list_batch<T, R>& batch, const outputs<T>& out, context& ctx) {
    using task_type = list_task<Compute, T, R>;
    static_assert(longest_of_warp <= longest_of_block<T>,
                  "scratch of a list of a warp has to fit into shared memory");
    static_assert(longest_of_block<T> <= Long::longest_of_block,
                  "lists in shared memory are computed by a block");
    const plan<T, R> to(loss, batch);
    auto* const memory = static_cast<unsigned char*>(ctx.scratch(to.bytes));
    task_type task{
        .compute = Compute::of(loss),
        .batch = batch,
        .out = out,
        .lists = to.lists,
        .longest = to.longest,
        .check = ctx.checks == data_checks::on,
        .values = out.per_list.empty() ? at<double>(memory, to.values) : out.per_list.data(),
        .words = at<fault_word>(memory, to.words),
        .counted = to.counts ? memory + to.counted : nullptr,
        .computed = to.weighs ? at<list_mean>(memory, to.mean) : nullptr,
        .known = {.scale = 1.0, .unit = 1.0, .summed = batch.reduction == reduction::sum ? 1u : 0u},
        .arena = memory + to.arena,
        .kept = memory + to.kept,
        .kept_bytes = to.kept_bytes,
        .faults = ctx.faults(),
        .expected = nullptr,
        .expected_size = 0};
    if (task.known.summed == 0 && to.lists > 0) task.known.scale = 1.0 / static_cast<double>(to.lists);
    rankloss::detail::for_each_inner(loss, [&](const auto& inner) {
      if constexpr (requires { inner.expects(); }) {
        const std::string_view expected = inner.expects();
        task.expected = expected.data();
        task.expected_size = expected.size();
      }
    });

    const cudaStream_t stream = ctx.stream();
    const auto blocks = [&](unsigned lists) {
      return static_cast<unsigned>(std::min(most_blocks, (to.lists + lists - 1) / lists));
    };
    constexpr unsigned warps_threads = warps_of_block * warp_size;
    if (to.lists > 0) {
      if (to.reads_places)
        launch("check_places", check_places<task_type>, blocks(block_threads), block_threads, 0, stream,
               task);
      if (to.counts)
        launch("count_lists", count_lists<task_type>, blocks(warps_of_block), warps_threads, 0, stream, task);
      if (to.weighs) launch("weigh_lists", weigh_lists<task_type>, 1, reduce_threads, 0, stream, task);
      if (to.shortest <= longest_of_warp) {
        const std::uint32_t most = std::min(to.longest, longest_of_warp);
        const auto bytes = static_cast<std::uint32_t>(most * item_bytes<T> + scratch_slack);
        const auto warps =
            static_cast<unsigned>(std::clamp<std::size_t>(shared_bytes / bytes, 1, warps_of_block));
        launch("warp_lists", warp_lists<task_type>, blocks(warps), warps * warp_size, warps * bytes, stream,
               task, std::uint32_t{0}, most, bytes);
      }
      if (to.longest > longest_of_warp && to.shortest <= longest_of_block<T>) {
        const std::uint32_t most = std::min(to.longest, longest_of_block<T>);
        launch("block_lists", block_lists<task_type>, blocks(1), block_threads,
               most * item_bytes<T> + scratch_slack, stream, task, longest_of_warp + 1, most);
      }
      if (to.longest > longest_of_block<T> && to.shortest <= Long::longest_of_block)
        launch("long_lists", long_lists<task_type>, blocks(1), long_block_threads, 0, stream, task,
               longest_of_block<T> + 1, std::min(to.longest, Long::longest_of_block),
               static_cast<std::uint32_t>(item_bytes<T>));
      if constexpr (goes_over_grid)
        if (to.longest > Long::longest_of_block) Long::run(task, task.arena, stream);
    }
    launch("reduce_lists", reduce_lists<task_type>, 1, reduce_threads, 0, stream, task);
  }

 private:
  static constexpr bool goes_over_grid = !std::is_base_of_v<one_block_each, Long>;

  /// What the host knows of a batch, and where what lies in scratch.
  template <class T, class R>
  struct plan {
    plan(const Loss& loss, const list_batch<T, R>& batch)
        : lists(count_of(batch)),
          longest(static_cast<std::uint32_t>(longest_of(batch))),
          shortest((batch.length > 0 ? batch.lengths.empty() : batch.offsets.empty()) ? longest : 0),
          reads_places(batch.length > 0 ? !batch.lengths.empty()
                                        : !batch.offsets.empty() || longest < batch.scores.size()),
          counts(batch.reduction == reduction::mean_of_relevant),
          weighs(counts || !batch.list_weights.empty()) {
      const auto take = [this](std::size_t size) {
        const std::size_t begin = bytes;
        bytes += (size + 255) / 256 * 256;
        return begin;
      };
      mean = take(sizeof(list_mean));
      values = take(lists * sizeof(double));
      words = take(lists * sizeof(fault_word));
      counted = take(counts ? lists : 0);
      // Lists of a block and those of the whole grid are computed one after the other.
      std::size_t of_lists = 0;
      if (longest > longest_of_block<T> && shortest <= Long::longest_of_block)
        of_lists = batch.scores.size() * item_bytes<T> + lists * scratch_slack;
      if constexpr (goes_over_grid)
        if (longest > Long::longest_of_block) of_lists = std::max(of_lists, Long::scratch_bytes(batch));
      arena = take(of_lists);
      if constexpr (requires { Compute::kept_bytes(loss, longest); })
        kept_bytes = Compute::kept_bytes(loss, longest);
      rankloss::detail::require(kept_bytes == 0 || batch.scores.size() <= (std::size_t{1} << 62) / kept_bytes,
                                "longest: ", longest, ", expected fewer items: each takes ", kept_bytes,
                                " bytes of scratch");
      kept = take(batch.scores.size() * kept_bytes);
    }

    std::size_t lists;
    std::uint32_t longest, shortest;
    bool reads_places;  ///< whether where lists lie is in the memory of the device
    bool counts, weighs;
    std::size_t bytes = 0;
    std::size_t kept_bytes = 0;                             // of an item
    std::size_t mean, values, words, counted, arena, kept;  // offsets
  };

  template <class X>
  [[nodiscard]] static X* at(unsigned char* memory, std::size_t offset) noexcept {
    return reinterpret_cast<X*>(memory + offset);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
