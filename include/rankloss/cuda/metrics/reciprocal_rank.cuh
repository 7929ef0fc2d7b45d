// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/grid_lists.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/score_runs.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/tile_scan.cuh>
#include <rankloss/cuda/detail/tiles.cuh>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/metrics/reciprocal_rank.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// The best score of a relevant item, where there is one; minus infinity is a score.
struct first_match {
  double score;
  std::uint64_t found;

  [[nodiscard]] static __device__ first_match none() { return {0.0, 0}; }
  template <class T, class R>
  __device__ void add(const device_list<T, R>& items, std::uint32_t i) {
    if (relevant_weight(items, i) > 0.0) *this = with({static_cast<double>(items.score(i)), 1});
  }
  [[nodiscard]] __device__ first_match with(const first_match& other) const {
    return other.found != 0 && (found == 0 || other.score > score) ? other : *this;
  }
  template <class Team>
  [[nodiscard]] __device__ first_match of_all(const Team& team) const {
    return combine_all(team, *this, none(),
                       [](const first_match& a, const first_match& b) { return a.with(b); });
  }
};

/// How many items are above it, share its score, and are relevant of these.
struct match_counts {
  std::uint32_t above, tied, matching;

  [[nodiscard]] static __device__ match_counts none() { return {0, 0, 0}; }
  template <class T, class R>
  __device__ void add(const device_list<T, R>& items, std::uint32_t i, double score) {
    const auto s = static_cast<double>(items.score(i));
    above += s > score ? 1 : 0;
    tied += s == score ? 1 : 0;
    matching += s == score && relevant_weight(items, i) > 0.0 ? 1 : 0;
  }
  [[nodiscard]] __device__ match_counts with(const match_counts& other) const {
    return {above + other.above, tied + other.tied, matching + other.matching};
  }
  template <class Team>
  [[nodiscard]] __device__ match_counts of_all(const Team& team) const {
    return {sum(team, above), sum(team, tied), sum(team, matching)};
  }
  /// The first match is at position p >= 0 of the run with probability C(tied - 1 - p, matching - 1) /
  /// C(tied, matching): the product of these up to p.
  [[nodiscard]] __device__ double factor(std::uint32_t p) const {
    if (p == 0) return static_cast<double>(matching) / static_cast<double>(tied);
    return p + matching <= tied ? static_cast<double>(tied - matching - p + 1) / static_cast<double>(tied - p)
                                : 0.0;
  }
  /// The reciprocal rank of position p of the run.
  [[nodiscard]] __device__ double reciprocal(std::uint32_t p) const {
    return 1.0 / static_cast<double>(above + p + 1);
  }
  /// How many positions of the run are among the first k of the list.
  [[nodiscard]] __device__ std::uint32_t counted(std::uint32_t k) const {
    return k <= above ? 0 : k - above < tied ? k - above : tied;
  }
};

/// reciprocal_rank of one list.
struct reciprocal_rank_list {
  std::size_t cutoff;

  template <class T>
  static constexpr std::size_t item_bytes = 0;

  [[nodiscard]] static reciprocal_rank_list of(const metrics::reciprocal_rank& metric) {
    return {metric.cutoff};
  }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items,
                                             const device_sink<T>&, team_scratch) const {
    const std::uint32_t n = items.size();
    first_match first = first_match::none();
    for (std::uint32_t i = team.rank(); i < n; i += team.size()) first.add(items, i);
    first = first.of_all(team);
    if (first.found == 0) return 0.0;
    match_counts counts = match_counts::none();
    for (std::uint32_t i = team.rank(); i < n; i += team.size()) counts.add(items, i, first.score);
    counts = counts.of_all(team);
    const std::uint32_t counted = counts.counted(counted_by(cutoff, n));
    double expected = 0.0, probability = 1.0;
    for (std::uint32_t p = 0; p < counted; ++p) {
      probability *= counts.factor(p);
      if (!(probability > 0.0)) break;
      expected += probability * counts.reciprocal(p);
    }
    return expected;
  }
};

/// reciprocal_rank of long lists, over the grid: the first match; the items above it and tied with it; the
/// probabilities of its positions, by a scan.
struct reciprocal_rank_steps {
  static constexpr std::uint32_t longest_of_block = longest_passed_by_block;

  template <class T, class R>
  struct arrays {
    first_match* firsts;    ///< [tiles]
    match_counts* counted;  ///< [tiles]
    tile_scan<double> probabilities;
    tile_sums expected;
    first_match* first;    ///< [lists]
    match_counts* counts;  ///< [lists]

    explicit arrays(tile_arrays& from)
        : firsts(from.of_tiles<first_match>()),
          counted(from.of_tiles<match_counts>()),
          probabilities(from),
          expected(from),
          first(from.of_lists<first_match>()),
          counts(from.of_lists<match_counts>()) {}

    /// Scans the probabilities of the positions of a tile. Each is that of the position of the run with the
    /// same number.
    template <class Team, class Put>
    __device__ double scan(const Team& team, const grid_list<T, R>& list, const grid_tile& tile, Put put,
                           double before) const {
      const match_counts all = counts[list.at];
      const std::uint32_t n = all.tied > tile.begin ? all.tied - tile.begin : 0;
      return scan_items(
          team, n < tile.size() ? n : tile.size(), 1.0,
          [&](std::uint32_t k) { return all.factor(tile.begin + k); }, times,
          [&](std::uint32_t k, double x) { put(tile.begin + k, x); }, before);
    }
    [[nodiscard]] static __device__ double times(double a, double b) { return a * b; }
  };

  template <class Grid, class T, class R>
  static void run(const Grid& grid, const arrays<T, R>& of) {
    grid.tiles("reciprocal_rank: find_first", find_first<T, R>{of});
    grid.lists("reciprocal_rank: take_first", take_first<T, R>{of});
    grid.tiles("reciprocal_rank: count", count<T, R>{of});
    grid.lists("reciprocal_rank: take_counts", take_counts<T, R>{of});
    grid.tiles("reciprocal_rank: multiply", multiply<T, R>{of});
    grid.lists("reciprocal_rank: hand_on", hand_on<T, R>{of});
    grid.tiles("reciprocal_rank: expect", expect<T, R>{of});
    grid.lists("reciprocal_rank: find_value", find_value<T, R>{of});
  }

  template <class T, class R>
  struct find_first {
    arrays<T, R> of;

    template <class Team>
    __device__ void operator()(const Team& team, const reciprocal_rank_list&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      first_match own = first_match::none();
      tile.for_own(team, [&](std::uint32_t i) { own.add(list.items, i); });
      own = own.of_all(team);
      if (team.rank() == 0) of.firsts[list.tile + tile.index] = own;
    }
  };

  template <class T, class R>
  struct take_first {
    arrays<T, R> of;

    template <class Team>
    __device__ void operator()(const Team& team, const reciprocal_rank_list&,
                               const grid_list<T, R>& list) const {
      const first_match all = list.combine(team, of.firsts, first_match::none());
      if (team.rank() == 0) of.first[list.at] = all;
    }
  };

  template <class T, class R>
  struct count {
    arrays<T, R> of;

    template <class Team>
    __device__ void operator()(const Team& team, const reciprocal_rank_list&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      // Where nothing is relevant nothing matches either, whatever the score is, and all probabilities are 0.
      const double score = of.first[list.at].score;
      match_counts own = match_counts::none();
      tile.for_own(team, [&](std::uint32_t i) { own.add(list.items, i, score); });
      own = own.of_all(team);
      if (team.rank() == 0) of.counted[list.tile + tile.index] = own;
    }
  };

  template <class T, class R>
  struct take_counts {
    arrays<T, R> of;

    template <class Team>
    __device__ void operator()(const Team& team, const reciprocal_rank_list&,
                               const grid_list<T, R>& list) const {
      const match_counts all = list.combine(team, of.counted, match_counts::none());
      if (team.rank() == 0) of.counts[list.at] = all;
    }
  };

  template <class T, class R>
  struct multiply {
    arrays<T, R> of;

    template <class Team>
    __device__ void operator()(const Team& team, const reciprocal_rank_list&, const grid_list<T, R>& list,
                               const grid_tile& tile) const {
      of.probabilities.leave(team, list, tile,
                             of.scan(
                                 team, list, tile, [](std::uint32_t, double) {}, 1.0));
    }
  };

  template <class T, class R>
  struct hand_on {
    arrays<T, R> of;

    template <class Team>
    __device__ void operator()(const Team& team, const reciprocal_rank_list&,
                               const grid_list<T, R>& list) const {
      of.probabilities.hand_on(team, list, 1.0, arrays<T, R>::times);
    }
  };

  template <class T, class R>
  struct expect {
    arrays<T, R> of;

    template <class Team>
    __device__ void operator()(const Team& team, const reciprocal_rank_list& metric,
                               const grid_list<T, R>& list, const grid_tile& tile) const {
      const match_counts all = of.counts[list.at];
      const std::uint32_t counted = all.counted(counted_by(metric.cutoff, list.size()));
      double expected = 0.0;
      of.scan(
          team, list, tile,
          [&](std::uint32_t p, double probability) {
            if (p < counted) expected += probability * all.reciprocal(p);
          },
          of.probabilities.of(list, tile));
      of.expected.leave(team, list, tile, expected);
    }
  };

  template <class T, class R>
  struct find_value {
    arrays<T, R> of;

    template <class Team>
    __device__ void operator()(const Team& team, const reciprocal_rank_list&,
                               const grid_list<T, R>& list) const {
      const double expected = of.expected.of(team, list);
      if (team.rank() == 0) *list.value = expected;
    }
  };
};

}  // namespace cuda::detail

template <>
struct engine<metrics::reciprocal_rank, cuda::context>
    : cuda::detail::list_engine<metrics::reciprocal_rank, cuda::detail::reciprocal_rank_list,
                                cuda::detail::over_grid<cuda::detail::reciprocal_rank_steps>> {};

}  // namespace rankloss::inline RANKLOSS_ABI
