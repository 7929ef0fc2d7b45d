// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/segmented_sort.cuh>
#include <rankloss/cuda/detail/tiles.cuh>
#include <rankloss/detail/base/finite.hpp>

#include <cstdint>

/// The order of long lists by score, and by relevance, over the grid.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// The items of long lists by score.
template <class T, class R>
struct score_order {
  using key = typename falling_bits<T>::type;
  sorted_arrays<key> scores;
  digit_counts counts;

  explicit score_order(tile_arrays& from)
      : scores(sorted_arrays<key>::of(from, true)), counts(digit_counts::of(from, 1)) {}

  /// The item at a position, its score, and the runs of equal scores.
  [[nodiscard]] __device__ std::uint32_t item(const grid_list<T, R>& list, std::uint32_t p) const {
    return scores.indices[0][list.first + p];
  }
  [[nodiscard]] __device__ T score(const grid_list<T, R>& list, std::uint32_t p) const {
    return falling_bits<T>::number(scores.keys[0][list.first + p]);
  }
  [[nodiscard]] __device__ key_runs<key> runs(const grid_list<T, R>& list) const {
    return {scores.keys[0] + list.first, list.size()};
  }
};

/// `bounded`: infinite scores are the greatest numbers of their type, as soft ranks take them.
template <class T, class R, bool bounded>
struct take_scores {
  score_order<T, R> of;

  template <class Team, class Compute>
  __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                             const grid_tile& tile) const {
    tile.for_own(team, [&](std::uint32_t i) {
      const T x = list.items.score(i);
      of.scores.keys[0][list.first + i] = falling_bits<T>::of(bounded ? rankloss::detail::bounded(x) : x);
    });
  }
};
template <class Grid, class T, class R>
void sort_by_score(const Grid& grid, const score_order<T, R>& order) {
  grid.tiles("take_scores", take_scores<T, R, false>{order});
  grid.sort(order.counts, {order.scores});
}
template <class Grid, class T, class R>
void sort_by_bounded_score(const Grid& grid, const score_order<T, R>& order) {
  grid.tiles("take_scores", take_scores<T, R, true>{order});
  grid.sort(order.counts, {order.scores});
}

/// Sorts the items of long lists by relevance.
template <class R>
struct take_relevance {
  sorted_arrays<typename falling_bits<R>::type> to;

  template <class Team, class Compute, class T>
  __device__ void operator()(const Team& team, const Compute&, const grid_list<T, R>& list,
                             const grid_tile& tile) const {
    tile.for_own(team, [&](std::uint32_t i) {
      to.keys[0][list.first + i] = falling_bits<R>::of(list.items.relevance(i));
    });
  }
};
template <class R, class Grid>
void sort_by_relevance(const Grid& grid, const digit_counts& counts,
                       const sorted_arrays<typename falling_bits<R>::type>& relevance) {
  grid.tiles("take_relevance", take_relevance<R>{relevance});
  grid.sort(counts, {relevance});
}

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
