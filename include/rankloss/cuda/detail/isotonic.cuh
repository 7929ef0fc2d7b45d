// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/near_numbers.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/team_sort.cuh>
#include <rankloss/detail/base/finite.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

/// Isotonic regression of one list by a team (docs/algorithms/projections.md).
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// One list sorted by score such that what is projected falls along it. As on the CPU, equal scores that are
/// met backwards are in falling order of their items.
template <class T>
class falling_list {
 public:
  /// Sorts score(i); x and order are [n].
  template <class Team, class Score>
  __device__ falling_list(const Team& team, std::uint32_t n, bool scores_fall, double unit, Score score, T* x,
                          std::uint32_t* order)
      : x_(x), order_(order), n_(n), backwards_(!scores_fall), unit_(unit) {
    for (std::uint32_t i = team.rank(); i < n; i += team.size()) {
      x[i] = rankloss::detail::bounded(score(i));
      order[i] = i;
    }
    sort_falling(team, n, x, order);
    team.sync();
  }

  /// The same of x and order that are sorted, or are to be before x is read.
  __device__ falling_list(const T* x, const std::uint32_t* order, std::uint32_t n, bool scores_fall,
                          double unit)
      : x_(x), order_(order), n_(n), backwards_(!scores_fall), unit_(unit) {}

  [[nodiscard]] __device__ std::uint32_t size() const { return n_; }
  [[nodiscard]] __device__ double x(std::uint32_t p) const { return static_cast<double>(score(p)); }
  [[nodiscard]] __device__ T score(std::uint32_t p) const { return x_[at(p)]; }
  [[nodiscard]] __device__ std::uint32_t item(std::uint32_t p) const { return order_[at(p)]; }
  /// The distance of two positions, in a unit that is a power of two. The difference is taken before any other
  /// scale is applied, so that it is exact for close numbers.
  [[nodiscard]] __device__ double distance(std::uint32_t p, std::uint32_t q) const {
    if constexpr (sizeof(T) == sizeof(float))
      return fabs(unit_ * (x(p) - x(q)));  // nothing overflows
    else
      return fabs(unit_ * x(p) - unit_ * x(q));
  }
  /// Where a position stands in x and order.
  [[nodiscard]] __device__ std::uint32_t at(std::uint32_t p) const { return backwards_ ? n_ - 1 - p : p; }

 private:
  const T* x_;
  const std::uint32_t* order_;
  std::uint32_t n_;
  bool backwards_;
  double unit_;
};

/// The blocks of a list: neighbours that share one value. Arrays are [n].
struct pooled_blocks {
  std::uint32_t* begin;  ///< of each position: where its block begins
  std::uint32_t* end;    ///< of each position where a block begins: where it ends
  double* state;         ///< of each such position: what the rule knows of the block
};

/// The state of blocks of which a rule needs none.
struct no_state {};

/// What happens where two solved halves of a segment meet.
template <class Rule>
struct seam {
  using state = decltype(std::declval<const Rule&>().one());
  static constexpr bool keeps_states = !std::is_same_v<state, no_state>;

  const Rule& rule;
  const pooled_blocks& blocks;
  double* after;   ///< states from a position to the end of its half
  double* before;  ///< states from the beginning of its half to a position
  std::uint32_t first, middle, last;

  /// Pools the blocks at the seam. Returns where the pooled block begins; that of a block that stays as it is
  /// where nothing is pooled. By one thread, or by a warp, whose threads look at as many blocks at once.
  [[nodiscard]] __device__ std::uint32_t meet() const {
    const std::uint32_t nearest = blocks.begin[middle - 1];
    if (!pools_left(nearest)) return nearest;
    std::uint32_t low = first, high = nearest;
    while (low < high) {  // all blocks from `high` on are pooled, those before `low` are not
      const std::uint32_t b = blocks.begin[low + (high - low) / 2];
      if (pools_left(b))
        high = b;
      else
        low = blocks.end[b];
    }
    pool(high);
    return high;
  }
  [[nodiscard]] __device__ std::uint32_t meet(const warp_team& warp) const {
    const std::uint32_t nearest = blocks.begin[middle - 1];
    if (!pools_left(nearest)) return nearest;
    std::uint32_t low = first, high = nearest;
    while (low < high) {
      const auto step = static_cast<std::uint32_t>(std::uint64_t{high - low} * warp.rank() / warp_size);
      const std::uint32_t b = blocks.begin[low + step];
      // The lanes that find their block pooled are the last ones.
      const unsigned pooled = __ballot_sync(all_lanes, pools_left(b) ? 1 : 0);
      const unsigned others =
          pooled != 0 ? static_cast<unsigned>(__ffs(static_cast<int>(pooled))) - 1 : warp_size;
      if (others < warp_size) high = from_lane(b, others);
      if (others > 0) low = blocks.end[from_lane(b, others - 1)];
    }
    warp.sync();
    if (warp.rank() == 0) pool(high);
    return high;
  }
  /// What position p of the halves knows of the whole, once the blocks from l on have been pooled.
  __device__ void join(std::uint32_t l, std::uint32_t p) const {
    if (p > l && p < blocks.end[l]) blocks.begin[p] = l;
    if constexpr (!keeps_states)
      return;
    else if (p < middle)
      after[p] = rule.joined(p, after[p], middle, after[middle], last);
    else
      before[p] = rule.joined(first, before[middle - 1], middle, before[p], p + 1);
  }

 private:
  /// Pools the blocks from l on.
  __device__ void pool(std::uint32_t l) const {
    const std::uint32_t r = pooled_right(l);
    if (r == middle) return;  // rounding says so where the two sides nearly tie
    if constexpr (keeps_states) blocks.state[l] = around(l, r);
    blocks.end[l] = r;
  }
  /// The state of [l, r), l < middle <= r.
  [[nodiscard]] __device__ state around(std::uint32_t l, std::uint32_t r) const {
    if constexpr (!keeps_states)
      return {};
    else
      return r > middle ? rule.joined(l, after[l], middle, before[r - 1], r) : after[l];
  }
  [[nodiscard]] __device__ state of_block(std::uint32_t b) const {
    if constexpr (!keeps_states)
      return {};
    else
      return blocks.state[b];
  }
  /// Up to where blocks of the right half are pooled with [l, middle).
  [[nodiscard]] __device__ std::uint32_t pooled_right(std::uint32_t l) const {
    std::uint32_t low = middle, high = last;
    while (low < high) {  // all blocks before `low` are pooled, those from `high` on are not
      const std::uint32_t b = blocks.begin[low + (high - low) / 2];
      if (rule.pools(l, around(l, b), b, of_block(b), blocks.end[b]))
        low = blocks.end[b];
      else
        high = b;
    }
    return low;
  }
  /// Whether the block of the left half that begins at b is pooled with what lies between it and the seam.
  [[nodiscard]] __device__ bool pools_left(std::uint32_t b) const {
    const std::uint32_t l = blocks.end[b];
    if (l == middle) return rule.pools(b, of_block(b), middle, of_block(middle), blocks.end[middle]);
    const std::uint32_t r = pooled_right(l);
    return rule.pools(b, of_block(b), l, around(l, r), r);
  }
};

/// Pools adjacent violators by divide and conquer: segments of one item, two items, four and so on are solved
/// from their halves. Where two solved halves meet, either nothing is pooled, or the last blocks of the left one
/// and the first ones of the right one become one block; all others stay. Which blocks these are is found by
/// two binary searches, one within the other, because the further a block lies from the seam, the less it is to
/// be pooled. For that, the states of the items from any position to the end of its segment are kept, and those
/// from the beginning of the segment to it.
///
/// O(n log n) steps, of which each thread takes its share; besides, O(log^2 n) steps for each seam, which a warp
/// shares from 32 items a half on.
/// The order of all operations depends on the positions alone, so the bits do not depend on the team.
///
/// A rule has
///
///     one()                       the state of one item: a double, or no_state
///     joined(a, s, b, t, end)     where there are states: that of [a, end), from s of [a, b) and t of [b, end)
///     pools(a, s, b, t, end)      whether these two would be in the wrong order
///
/// @param begin, end           the positions that are pooled: all of a list, or those of a tile
/// @param after, before, from  [n] scratch; after and before are for states
template <class Team, class Rule>
__device__ inline void pool_adjacent(const Team& team, std::uint32_t begin, std::uint32_t end,
                                     const Rule& rule, const pooled_blocks& blocks, double* after,
                                     double* before, std::uint32_t* from) {
  const std::uint32_t n = end - begin;
  for (std::uint32_t p = begin + team.rank(); p < end; p += team.size()) {
    blocks.begin[p] = p;
    blocks.end[p] = p + 1;
    if constexpr (seam<Rule>::keeps_states) blocks.state[p] = after[p] = before[p] = rule.one();
  }
  team.sync();
  for (std::uint32_t half = 1; half < n; half *= 2) {
    const std::uint32_t seams = (n - 1 - half) / (2 * half) + 1;
    const auto seam_of = [&](std::uint32_t k) {
      const std::uint32_t first = begin + k * 2 * half, middle = first + half;
      return seam<Rule>{
          rule, blocks, after, before, first, middle, end - middle > half ? middle + half : end};
    };
    if (half < warp_size) {
      for (std::uint32_t k = team.rank(); k < seams; k += team.size()) from[begin + k] = seam_of(k).meet();
    } else {
      const warp_team warp;
      for (std::uint32_t k = team.rank() / warp_size; k < seams; k += team.size() / warp_size) {
        const std::uint32_t l = seam_of(k).meet(warp);
        if (warp.rank() == 0) from[begin + k] = l;
      }
    }
    team.sync();
    for (std::uint32_t p = begin + team.rank(); p < end; p += team.size()) {
      const std::uint32_t k = (p - begin) / (2 * half);
      if (k < seams) seam_of(k).join(from[begin + k], p);
    }
    team.sync();
  }
}

/// Sums over the first positions of a list in whole numbers, of which those over any neighbours are exact
/// differences. As a rule of pooling: neighbours are in the wrong order where the mean of the later ones is
/// less.
class whole_sums {
 public:
  __device__ explicit whole_sums(double* sums) : sums_(sums) {}

  /// Fills the sums of x(p).
  template <class Team, class X>
  __device__ void fill(const Team& team, std::uint32_t n, X x) const {
    scan_items(
        team, n, 0ll, x, [](long long a, long long b) { return a + b; },
        [&](std::uint32_t p, long long sum) { sums_[p] = __longlong_as_double(sum); });
    team.sync();
  }
  [[nodiscard]] __device__ long long sum(std::uint32_t begin, std::uint32_t end) const {
    return before(end) - before(begin);
  }

  [[nodiscard]] static __device__ no_state one() { return {}; }
  [[nodiscard]] __device__ bool pools(std::uint32_t a, no_state, std::uint32_t b, no_state,
                                      std::uint32_t end) const {
    const long long at = before(b);
    return (before(end) - at) * static_cast<long long>(b - a) <
           (at - before(a)) * static_cast<long long>(end - b);
  }

 private:
  [[nodiscard]] __device__ long long before(std::uint32_t p) const {
    return p > 0 ? __double_as_longlong(sums_[p - 1]) : 0;
  }

  double* sums_;  // [n] the bits of the sums up to each position
};

/// What the quadratic form projects: the steps of a rank along the scores, or the scores along such steps.
enum class projected_along : bool { scores, steps };

/// Pools a list of the quadratic form by whole numbers, and so without states and nearly without doubles: the
/// distances of the scores from the first one, in steps, have 26 to 40 binary places. Where that is not
/// enough for the distances of the list it returns false and does nothing.
///
/// @param steps  steps that a distance of 1 is
/// @param unit   what a step is in states, which are those of the rules
/// @param sums   [n] scratch, which may be `after` or `before` of pool_adjacent
template <class Team>
[[nodiscard]] __device__ inline bool pool_by_whole_sums(const Team& team, const falling_list<float>& falling,
                                                        projected_along along, double steps, double unit,
                                                        const pooled_blocks& blocks, double* sums,
                                                        std::uint32_t* from) {
  const std::uint32_t n = falling.size();
  const double first = falling.x(0), span = first - falling.x(n - 1), items = static_cast<double>(n);
  // Products of a sum and a number of items are below 2^62.
  const double most = fmax(steps * fabs(span), items) * items * items;
  const int exponent = (__double2hiint(most) >> 20) - 1022, places = 61 - exponent < 40 ? 61 - exponent : 40;
  // Scores are halved, so that no difference overflows.
  const double scale = 2.0 * steps * __hiloint2double((1023 + places) << 20, 0);
  if (places < 26 || !(scale < 1e38)) return false;
  const two_floats factor = number<two_floats>(span < 0.0 ? -scale : scale),
                   half = number<two_floats>(0.5f * falling.score(0));
  const long long step = 1ll << places;
  const bool of_scores = along == projected_along::scores;
  const whole_sums rule(sums);
  rule.fill(team, n, [&](std::uint32_t p) {
    const two_floats distance = (half - number<two_floats>(0.5f * falling.score(p))) * factor;
    const long long behind = __float2ll_rn(distance.high) + __float2ll_rn(distance.low) - step * p;
    return of_scores ? behind : -behind;
  });
  pool_adjacent(team, 0, n, rule, blocks, nullptr, nullptr, from);
  const double back = unit / static_cast<double>(step);
  for (std::uint32_t p = team.rank(); p < n; p += team.size()) {
    if (blocks.begin[p] != p) continue;
    const std::uint32_t size = blocks.end[p] - p;
    if (size == 1) {
      blocks.state[p] = 0.0;
      continue;
    }
    const long long own = rule.sum(p, blocks.end[p]) - size * rule.sum(p, p + 1);
    const long long distances = (of_scores ? own : -own) + (step * size * (size - 1) >> 1);
    blocks.state[p] = static_cast<double>(distances) * back / static_cast<double>(size);
  }
  team.sync();
  return true;
}

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
