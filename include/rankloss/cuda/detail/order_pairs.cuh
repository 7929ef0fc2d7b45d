// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/bradley_terry.hpp>
#include <rankloss/cuda/batch.hpp>
#include <rankloss/cuda/context.hpp>
#include <rankloss/cuda/detail/faults.hpp>
#include <rankloss/cuda/detail/field_faults.cuh>
#include <rankloss/cuda/detail/item_ends.cuh>
#include <rankloss/cuda/detail/launch.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/merge_sort.cuh>
#include <rankloss/cuda/detail/ragged_lists.cuh>
#include <rankloss/cuda/detail/scratch_plan.hpp>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/device_span.hpp>
#include <rankloss/cuda/error.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/preference_batch.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

/// Partial orders by pairs: the likelihood by pairs, and what is wrong with the pairs. Each pair has two
/// ends, one at each of its items. Sorted, the ends of an item lie side by side, and a pair that is given
/// again lies beside itself, so that it counts once.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// An end as one number: its item, whether that is the worse one of the two, and the other one.
[[nodiscard]] RANKLOSS_HOST_DEVICE constexpr item_end order_end(std::int64_t item, bool worse,
                                                                std::int64_t other) noexcept {
  return static_cast<item_end>(item) << 32 | static_cast<item_end>(worse ? 1 : 0) << 31 |
         static_cast<item_end>(other);
}
[[nodiscard]] RANKLOSS_HOST_DEVICE constexpr bool is_worse(item_end e) noexcept { return (e >> 31 & 1) != 0; }
[[nodiscard]] RANKLOSS_HOST_DEVICE constexpr std::uint32_t other_of(item_end e) noexcept {
  return static_cast<std::uint32_t>(e) & 0x7fffffffu;
}

/// The sorted ends of all items.
struct order_ends {
  const item_end* ends;       ///< [2 pairs]
  const std::uint32_t* runs;  ///< [items, 2] where the ends of each item begin and end

  /// Combines take(sum, k, end) over the ends of each of n items, item(k), and hands the result to put(k,
  /// sum). Items of many ends are shared by the threads of a warp, so the order of a sum depends on its item
  /// alone.
  template <class Team, class X, class Item, class Take, class Join, class Put>
  __device__ void combine(const Team& team, std::uint32_t n, const X& nothing, Item item, Take take,
                          Join join, Put put) const {
    const unsigned lane = team.rank() % warp_size;
    for (std::uint32_t first = team.rank() - lane; first < n; first += team.size()) {
      const std::uint32_t own = first + lane;
      std::uint32_t begin = 0, end = 0;
      if (own < n) {
        const std::size_t i = item(own);
        begin = runs[2 * i];
        end = runs[2 * i + 1];
      }
      const auto over = [&](std::uint32_t k, std::uint32_t from, std::uint32_t begin, std::uint32_t end,
                            std::uint32_t step) {
        X sum = nothing;
        for (std::uint32_t e = from; e < end; e += step)
          if (e == begin || ends[e] != ends[e - 1]) sum = take(sum, k, ends[e]);
        return sum;
      };
      const bool many = end - begin > most_ends_of_thread;
      if (own < n && !many) put(own, over(own, begin, begin, end, 1));
      for (unsigned left = __ballot_sync(all_lanes, many ? 1 : 0); left != 0; left &= left - 1) {
        const auto of = static_cast<unsigned>(__ffs(static_cast<int>(left))) - 1;
        const std::uint32_t from = from_lane(begin, of), to = from_lane(end, of);
        const X sum = combine_lanes(over(first + of, from + lane, from, to, warp_size), join);
        if (lane == of) put(own, sum);
      }
    }
  }
};

/// What is told of the pairs, in the order in which they are looked at.
enum class pair_order_field : unsigned { preferred, other, same_item, other_list, cycle };
inline constexpr const char* pair_order_words[] = {
    "preferred: $w at pair $i, expected an item from 0 to below $o (the number of items)",
    "other: $w at pair $i, expected an item from 0 to below $o (the number of items)",
    "other: $w at pair $i, expected an item other than the preferred one",
    "other: $w at pair $i, expected an item of list $l like the preferred one",
    "pairs: list $l has a cycle of $w items through item $o, expected none"};

/// Checks of the pairs. Their items are indices into memory, so they are looked at also where numbers are
/// not; cycles are not, as a product over pairs has no use for their absence.
struct pairs_check {
  ragged_lists lists;
  device_indices preferred, other;
  std::size_t looked;  ///< pairs
  order_ends sorted;
  std::uint32_t* waits;  ///< [items] how many better items have not been reached
  std::uint32_t* queue;  ///< [items] those of each list that have been reached, in the order of that
  std::uint32_t* count;  ///< [lists] how many these are; the greatest number where nothing was looked at

  [[nodiscard]] __device__ fault_word fault(std::size_t k) const {
    const auto of = [k](pair_order_field field) { return fault_of_field(static_cast<unsigned>(field), k); };
    const auto items = static_cast<std::int64_t>(lists.items);
    const std::int64_t p = preferred[k], o = other[k];
    if (p < 0 || p >= items) return of(pair_order_field::preferred);
    if (o < 0 || o >= items) return of(pair_order_field::other);
    if (p == o) return of(pair_order_field::same_item);
    // Where offsets are bad this is no list, and the fault is that of the offsets.
    const std::size_t l = lists.of_item(static_cast<std::size_t>(p)), i = static_cast<std::size_t>(o);
    return i >= lists.first(l) && i < lists.first(l + 1) ? no_fault : of(pair_order_field::other_list);
  }
  __device__ void describe(fault_word word, fault_record& record) const {
    const std::size_t k = item_of(word);
    const auto field = static_cast<pair_order_field>(field_of(word));
    record.other = static_cast<std::int64_t>(lists.items);
    if (field == pair_order_field::cycle) {
      record.list = k;
      describe_cycle(k, record);
      return;
    }
    record.whole = field == pair_order_field::preferred ? preferred[k] : other[k];
    if (field == pair_order_field::other_list)
      record.list = lists.of_item(static_cast<std::size_t>(preferred[k]));
  }

 private:
  /// The cycle that the host names: each item that has not been reached has a better one of that kind, and
  /// whoever goes on to the first of these ends up in a cycle.
  __device__ void describe_cycle(std::size_t l, fault_record& record) const {
    const auto better = [this](std::size_t i) {
      std::uint32_t e = sorted.runs[2 * i];
      while (!is_worse(sorted.ends[e]) || waits[other_of(sorted.ends[e])] == 0) ++e;
      return std::size_t{other_of(sorted.ends[e])};
    };
    std::size_t at = lists.first(l);
    while (waits[at] == 0) ++at;
    for (std::uint32_t k = 0; k < lists.size(l); ++k) at = better(at);
    const std::size_t start = at;
    std::size_t lowest = at;
    record.whole = 0;
    do {
      at = better(at);
      lowest = at < lowest ? at : lowest;
      ++record.whole;
    } while (at != start);
    record.other = static_cast<std::int64_t>(lowest);
  }
};

/// Names the two ends of each pair. Where a pair names no item the batch has a fault, and no end is used.
template <class Indices>
__global__ void __launch_bounds__(term_threads)
    name_pairs(const Indices preferred, const Indices other, const fault_record* faults, item_end* ends) {
  const std::size_t k = std::size_t{blockIdx.x} * term_threads + threadIdx.x;
  if (k >= preferred.size()) return;
  const bool bad = faults->places != no_fault;
  const std::int64_t p = bad ? 0 : preferred[k], o = bad ? 0 : other[k];
  ends[2 * k] = order_end(p, false, o);
  ends[2 * k + 1] = order_end(o, true, p);
}
/// Whether each item is better than another one, by which a list counts in reduction::mean_of_relevant.
template <class Ends>
__global__ void __launch_bounds__(term_threads)
    mark_better(const Ends sorted, std::size_t items, std::uint8_t* better) {
  const std::size_t i = std::size_t{blockIdx.x} * term_threads + threadIdx.x;
  if (i >= items) return;
  const std::uint32_t begin = sorted.runs[2 * i];
  better[i] = sorted.runs[2 * i + 1] > begin && !is_worse(sorted.ends[begin]) ? 1 : 0;
}

/// Reaches items from the best ones on, each behind all that are better (Kahn 1962). Those on a cycle and
/// behind one are not reached.
template <class Check>
__global__ void __launch_bounds__(ragged_threads, 1)
    reach_items(const Check check, const fault_record* faults) {
  if (faults->places != no_fault) return;
  for_each_list(check.lists, [&](const auto& team, std::size_t l) {
    const std::size_t first = check.lists.first(l);
    const std::uint32_t n = check.lists.size(l);
    std::uint32_t* const queue = check.queue + first;
    const auto add = [](std::uint32_t a, std::uint32_t b) { return a + b; };
    check.sorted.combine(
        team, n, std::uint32_t{0}, [&](std::uint32_t k) { return first + k; },
        [&](std::uint32_t sum, std::uint32_t, item_end e) { return sum + (is_worse(e) ? 1 : 0); }, add,
        [&](std::uint32_t k, std::uint32_t sum) { check.waits[first + k] = sum; });
    if (team.rank() == 0) check.count[l] = 0;
    team.sync();
    for (std::uint32_t k = team.rank(); k < n; k += team.size())
      if (check.waits[first + k] == 0)
        queue[atomicAdd(&check.count[l], 1u)] = static_cast<std::uint32_t>(first + k);
    for (std::uint32_t begin = 0;;) {
      team.sync();
      const std::uint32_t end = check.count[l];
      team.sync();
      if (begin == end) break;
      check.sorted.combine(
          team, end - begin, std::uint32_t{0}, [&](std::uint32_t k) { return queue[begin + k]; },
          [&](std::uint32_t, std::uint32_t, item_end e) {
            if (!is_worse(e) && atomicSub(&check.waits[other_of(e)], 1u) == 1)
              queue[atomicAdd(&check.count[l], 1u)] = other_of(e);
            return std::uint32_t{0};
          },
          add, [](std::uint32_t, std::uint32_t) {});
      begin = end;
    }
  });
}
/// Lists of which items have not been reached have a cycle.
template <class Check>
__global__ void __launch_bounds__(term_threads) find_cycles(const Check check, fault_record* faults) {
  const std::size_t l = std::size_t{blockIdx.x} * term_threads + threadIdx.x;
  if (l >= check.lists.count() || check.count[l] == ~std::uint32_t{0}) return;
  if (check.count[l] < check.lists.size(l))
    atomicMin(reinterpret_cast<unsigned long long*>(&faults->places),
              fault_of_field(static_cast<unsigned>(pair_order_field::cycle), l));
}

/// What is told of where lists lie, before their pairs are looked at.
template <class T, class R>
struct order_places {
  list_batch<T, R> batch;
  std::size_t lists;
  std::uint32_t longest;
  fault_record* faults;
};

/// The likelihood by pairs of one list, in doubles.
struct order_pairs_list {
  double temperature;
  pairs_check check;
  const char* const* words;

  static constexpr bool has_hessian = true;
  template <class T>
  static constexpr std::size_t item_bytes = 0;
  [[nodiscard]] static order_pairs_list of(const order_pairs_list& own) { return own; }

  __device__ void describe(fault_word word, fault_record& record) const { check.describe(word, record); }

  template <class Team, class T, class R>
  __device__ double operator()(const Team& team, const device_list<T, R>& items, const device_sink<T>& sink,
                               team_scratch) const {
    struct end_sums {
      double value, slope, curvature;
    };
    const std::size_t first = items.at(0);
    const bool both = sink.derivatives_wanted();
    const bradley_terry of_pair{.temperature = temperature};
    const auto score = [&](std::uint32_t i) {
      constexpr double largest =
          static_cast<double>(greatest_number<T>) < 1e300 ? static_cast<double>(greatest_number<T>) : 1e300;
      return rankloss::detail::limited(static_cast<double>(rankloss::detail::bounded(items.score(i))),
                                       -largest, largest);
    };
    double value = 0.0;
    check.sorted.combine(
        team, items.size(), end_sums{0.0, 0.0, 0.0}, [&](std::uint32_t i) { return first + i; },
        [&](const end_sums& sums, std::uint32_t i, item_end e) {
          const bool worse = is_worse(e);
          if (worse && !both) return sums;
          const double own = score(i), other = score(static_cast<std::uint32_t>(other_of(e) - first));
          const preference_term term = of_pair(worse ? other : own, worse ? own : other, 0.0);
          return end_sums{sums.value + (worse ? 0.0 : term.value),
                          sums.slope + (worse ? term.slope_other : term.slope_preferred),
                          sums.curvature + (worse ? term.curvature_other : term.curvature_preferred)};
        },
        [](const end_sums& a, const end_sums& b) {
          return end_sums{a.value + b.value, a.slope + b.slope, a.curvature + b.curvature};
        },
        [&](std::uint32_t i, const end_sums& sums) {
          value += sums.value;
          sink.put_wanted(i, held_as<T>(sums.slope), held_as<T>(sums.curvature));
        });
    return rankloss::detail::lesser(sum(team, value), rankloss::detail::largest_term);
  }
};

/// The pairs of a batch, and what their sorting and checks take of scratch.
class order_pairs {
 public:
  order_pairs(const device_indices& offsets, const device_indices& preferred, const device_indices& other,
              std::size_t items)
      : lists_{offsets, items},
        preferred_(preferred),
        other_(other),
        ends_(to_, items, preferred.size()),
        better_(to_.take<std::uint8_t>(items)),
        waits_(to_.take<std::uint32_t>(items)),
        queue_(to_.take<std::uint32_t>(items)),
        count_(to_.take<std::uint32_t>(lists_.count())) {}

  [[nodiscard]] std::size_t scratch_bytes() const noexcept { return to_.bytes; }
  [[nodiscard]] const std::uint8_t* better(void* memory) const noexcept {
    return scratch_plan::at<std::uint8_t>(memory, better_);
  }

  /// Queues the checks of the pairs, and sorts them. Places are those of the lists.
  template <class Places>
  [[nodiscard]] pairs_check sort(const Places& places, void* memory, context& ctx) const {
    const cudaStream_t stream = ctx.stream();
    const std::size_t items = lists_.items, pairs = preferred_.size(), lists = lists_.count();
    auto* ends = scratch_plan::at<item_end>(memory, ends_.ends);
    auto* const runs = scratch_plan::at<std::uint32_t>(memory, ends_.runs);
    pairs_check check{.lists = lists_,
                      .preferred = preferred_,
                      .other = other_,
                      .looked = pairs,
                      .sorted = {ends, runs},
                      .waits = scratch_plan::at<std::uint32_t>(memory, waits_),
                      .queue = scratch_plan::at<std::uint32_t>(memory, queue_),
                      .count = scratch_plan::at<std::uint32_t>(memory, count_)};
    if (lists > 0)
      launch("check_places", check_places<Places>,
             static_cast<unsigned>(std::min(most_blocks, (lists + block_threads - 1) / block_threads)),
             block_threads, 0, stream, places);
    look(check, ctx.faults(), stream);
    if (items == 0) return check;
    require_success(cudaMemsetAsync(runs, 0, 2 * items * sizeof(std::uint32_t), stream), "cudaMemsetAsync");
    if (pairs > 0) {
      const auto count = static_cast<std::uint32_t>(2 * pairs);
      launch("name_pairs", name_pairs<device_indices>, blocks(pairs), term_threads, 0, stream, preferred_,
             other_, ctx.faults(), ends);
      check.sorted.ends = ends =
          merge_sort(ends, scratch_plan::at<item_end>(memory, ends_.merged), count, stream);
      launch("mark_runs", mark_runs<std::uint32_t>, blocks(count), term_threads, 0, stream, ends, count,
             runs);
    }
    launch("mark_better", mark_better<order_ends>, blocks(items), term_threads, 0, stream, check.sorted,
           items, scratch_plan::at<std::uint8_t>(memory, better_));
    if (ctx.checks != data_checks::on || pairs == 0 || lists == 0) return check;
    require_success(cudaMemsetAsync(check.count, 0xff, lists * sizeof(std::uint32_t), stream),
                    "cudaMemsetAsync");
    launch("reach_items", reach_items<pairs_check>, ragged_blocks(lists), ragged_threads, 0, stream, check,
           ctx.faults());
    launch("find_cycles", find_cycles<pairs_check>, blocks(lists), term_threads, 0, stream, check,
           ctx.faults());
    return check;
  }

 private:
  [[nodiscard]] static unsigned blocks(std::size_t count) {
    return static_cast<unsigned>((count + term_threads - 1) / term_threads);
  }

  scratch_plan to_;
  ragged_lists lists_;
  device_indices preferred_, other_;
  item_ends_plan ends_;
  std::size_t better_, waits_, queue_, count_;
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
