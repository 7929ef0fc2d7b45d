// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/rank_steps.cuh>
#include <rankloss/cuda/detail/tiles.cuh>
#include <rankloss/cuda/sorts/sort.hpp>

#include <cstdint>

/// Soft sorts of lists that are too long for one block, over the grid. Steps<T, R> of a sort are a struct
/// made from tile_arrays, with
///
///     multiply(grid, on, what, values, cotangent, emit)
///                              queues steps that call emit(list, i, x) on the device for each row or item;
///                              values(list, i) and cotangent(list, i) are numbers of each; the cotangent is
///                              no_numbers but in a pullback
///
/// `on` is the struct that sort_list.cuh describes.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// Whether there are such numbers.
template <class Numbers, class T, class R>
inline constexpr bool is_given = requires(const Numbers& numbers, const grid_list<T, R>& list) {
  numbers(list, std::uint32_t{0});
};
struct no_numbers {};

/// The steps of sort_list: a product with the soft permutation, or its pullback.
template <template <class, class> class Steps>
struct sort_steps {
  static constexpr std::uint32_t longest_of_block = longest_sorted_by_block;

  template <class T, class R>
  struct arrays {
    Steps<T, R> sort;
    product_units values, cotangents;

    explicit arrays(tile_arrays& from) : sort(from), values(from), cotangents(from) {}
  };

  template <class Grid, class T, class R>
  static void run(const Grid& grid, const arrays<T, R>& of) {
    const auto& call = grid.compute();
    const auto values = of.values.measure(grid, numbers_of_items<T>{call.values.data()});
    const auto multiply = [&](const auto& cotangent, const auto& put) {
      of.sort.multiply(grid, call.on, call.what, values, cotangent, of.values.undo(put));
    };
    if (call.what == sort_product::pullback)
      multiply(of.cotangents.measure(grid, numbers_of_items<T>{call.cotangent.data()}),
               of.cotangents.undo(to_sink{}));
    else
      multiply(no_numbers{}, to_sink{});
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
