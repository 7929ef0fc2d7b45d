// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/launch.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/order_pairs.cuh>
#include <rankloss/cuda/detail/pair_list.cuh>
#include <rankloss/cuda/detail/pair_steps.cuh>
#include <rankloss/cuda/detail/scratch_behind.hpp>
#include <rankloss/cuda/detail/scratch_plan.hpp>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/tied_draws.cuh>
#include <rankloss/cuda/plackett_luce.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/plackett_luce.hpp>
#include <rankloss/ranknet.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// The exact likelihood of one list.
struct plackett_luce_list : levels_list {
  static constexpr bool counts_pairs = true;

  [[nodiscard]] static plackett_luce_list of(const plackett_luce& loss) { return {{loss.temperature}}; }
};

/// The likelihood by pairs, as ranknet has it.
using pairs_of_levels = pair_list<pairs::logistic, pairs::equal>;
struct plackett_luce_pairs : pairs_of_levels {
  static constexpr bool counts_pairs = true;

  [[nodiscard]] static plackett_luce_pairs of(const plackett_luce& loss) {
    return {pairs_of_levels::of(ranknet{.function = {.temperature = loss.temperature}})};
  }
};

/// Writes levels as relevance, and which items have one.
template <class T>
__global__ void __launch_bounds__(block_threads)
    take_levels(const partial_order_batch<T> batch, double* relevance, unsigned char* mask) {
  for (std::size_t i = std::size_t{blockIdx.x} * block_threads + threadIdx.x; i < batch.levels.size();
       i += std::size_t{gridDim.x} * block_threads) {
    relevance[i] = -static_cast<double>(batch.levels[i]);
    mask[i] = batch.levels[i] != partial_order::no_level ? 1 : 0;
  }
}

/// Levels become relevance, and lists are computed as such. Pairs are sorted by item.
struct plackett_luce_engine {
  static constexpr bool has_hessian = true;

  template <class T>
  [[nodiscard]] static std::size_t scratch_bytes(const plackett_luce& loss,
                                                 const partial_order_batch<T>& batch) {
    if (batch.levels.empty()) {
      return pairs_in(batch).scratch_bytes() +
             of_order_pairs::scratch_bytes({}, lists_of_orders<T, std::uint8_t>(batch, nullptr));
    }
    const auto lists = lists_of_levels(batch, nullptr, nullptr);
    const std::size_t own = plan(batch.scores.size()).scratch.bytes;
    return own +
           (by_pairs(loss) ? of_pairs::scratch_bytes(loss, lists) : of_orders::scratch_bytes(loss, lists));
  }

  template <class T>
  static void run(const plackett_luce& loss, const partial_order_batch<T>& batch, const outputs<T>& out,
                  context& ctx) {
    ctx.reserve(scratch_bytes(loss, batch));
    if (batch.levels.empty()) return run_pairs(loss, batch, out, ctx);
    const plan to(batch.scores.size());
    void* const memory = ctx.scratch(to.scratch.bytes);
    auto* const relevance = scratch_plan::at<double>(memory, to.relevance);
    auto* const mask = scratch_plan::at<unsigned char>(memory, to.mask);
    const std::size_t items = batch.scores.size();
    launch("take_levels", take_levels<T>,
           static_cast<unsigned>(std::min(most_blocks, (items + block_threads - 1) / block_threads)),
           block_threads, 0, ctx.stream(), batch, relevance, mask);
    const scratch_behind rest(ctx, to.scratch.bytes);
    const auto lists = lists_of_levels(batch, relevance, mask);
    by_pairs(loss) ? of_pairs::run(loss, lists, out, ctx) : of_orders::run(loss, lists, out, ctx);
  }

 private:
  using of_orders = list_engine<plackett_luce, plackett_luce_list>;
  using of_pairs =
      list_engine<plackett_luce, plackett_luce_pairs, over_grid<pair_steps<pairs::logistic, pairs::equal>>>;
  using of_order_pairs = list_engine<order_pairs_list, order_pairs_list>;

  [[nodiscard]] static bool by_pairs(const plackett_luce& loss) noexcept {
    return loss.likelihood == order_likelihood::by_pairs;
  }
  template <class T>
  [[nodiscard]] static list_batch<T, double> lists_of_levels(const partial_order_batch<T>& batch,
                                                             const double* relevance,
                                                             const unsigned char* mask) {
    auto lists = lists_of_orders<T, double>(batch, relevance);
    lists.mask = device_span<const unsigned char>(mask, batch.scores.size());
    return lists;
  }
  template <class T>
  [[nodiscard]] static order_pairs pairs_in(const partial_order_batch<T>& batch) {
    return {batch.offsets, batch.preferred, batch.other, batch.scores.size()};
  }

  template <class T>
  static void run_pairs(const plackett_luce& loss, const partial_order_batch<T>& batch, const outputs<T>& out,
                        context& ctx) {
    const order_pairs pairs = pairs_in(batch);
    void* const memory = ctx.scratch(pairs.scratch_bytes());
    const auto lists = lists_of_orders<T, std::uint8_t>(batch, pairs.better(memory));
    const order_places<T, std::uint8_t> places{.batch = lists,
                                               .lists = count_of(lists),
                                               .longest = static_cast<std::uint32_t>(longest_of(lists)),
                                               .faults = ctx.faults()};
    const pairs_check check = pairs.sort(places, memory, ctx);
    const scratch_behind rest(ctx, pairs.scratch_bytes());
    of_order_pairs::run({.temperature = loss.temperature, .check = check, .words = pair_order_words}, lists,
                        out, ctx);
  }

  struct plan {
    explicit plan(std::size_t items)
        : relevance(scratch.take<double>(items)), mask(scratch.take<unsigned char>(items)) {}

    scratch_plan scratch;
    std::size_t relevance, mask;
  };
};

}  // namespace cuda::detail

template <>
struct engine<plackett_luce, cuda::context> : cuda::detail::plackett_luce_engine {};

}  // namespace rankloss::inline RANKLOSS_ABI
