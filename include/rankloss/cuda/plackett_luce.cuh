// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/launch.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/pair_list.cuh>
#include <rankloss/cuda/detail/pair_steps.cuh>
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

/// Levels become relevance, and lists are computed as such.
struct plackett_luce_engine {
  static constexpr bool has_hessian = true;

  template <class T>
  [[nodiscard]] static std::size_t scratch_bytes(const plackett_luce& loss,
                                                 const partial_order_batch<T>& batch) {
    const auto lists = lists_of_orders(batch, nullptr, nullptr);
    const std::size_t own = plan(batch.scores.size()).scratch.bytes;
    return own +
           (by_pairs(loss) ? of_pairs::scratch_bytes(loss, lists) : of_orders::scratch_bytes(loss, lists));
  }

  template <class T>
  static void run(const plackett_luce& loss, const partial_order_batch<T>& batch, const outputs<T>& out,
                  context& ctx) {
    ctx.reserve(scratch_bytes(loss, batch));
    const plan to(batch.scores.size());
    void* const memory = ctx.scratch(to.scratch.bytes);
    auto* const relevance = scratch_plan::at<double>(memory, to.relevance);
    auto* const mask = scratch_plan::at<unsigned char>(memory, to.mask);
    const std::size_t items = batch.scores.size();
    if (items > 0)
      launch("take_levels", take_levels<T>,
             static_cast<unsigned>(std::min(most_blocks, (items + block_threads - 1) / block_threads)),
             block_threads, 0, ctx.stream(), batch, relevance, mask);
    const held_scratch held(ctx, to.scratch.bytes);
    const auto lists = lists_of_orders(batch, relevance, mask);
    by_pairs(loss) ? of_pairs::run(loss, lists, out, ctx) : of_orders::run(loss, lists, out, ctx);
  }

 private:
  using of_orders = list_engine<plackett_luce, plackett_luce_list>;
  using of_pairs =
      list_engine<plackett_luce, plackett_luce_pairs, over_grid<pair_steps<pairs::logistic, pairs::equal>>>;

  [[nodiscard]] static bool by_pairs(const plackett_luce& loss) noexcept {
    return loss.likelihood == order_likelihood::by_pairs;
  }

  struct plan {
    explicit plan(std::size_t items)
        : relevance(scratch.take<double>(items)), mask(scratch.take<unsigned char>(items)) {}

    scratch_plan scratch;
    std::size_t relevance, mask;
  };
  /// The lists are computed with what lies behind.
  struct held_scratch {
    held_scratch(context& ctx, std::size_t bytes) : of(ctx) { of.hold(bytes); }
    ~held_scratch() { of.hold(0); }
    held_scratch(const held_scratch&) = delete;
    held_scratch& operator=(const held_scratch&) = delete;

    context& of;
  };
};

}  // namespace cuda::detail

template <>
struct engine<plackett_luce, cuda::context> : cuda::detail::plackett_luce_engine {};

}  // namespace rankloss::inline RANKLOSS_ABI
