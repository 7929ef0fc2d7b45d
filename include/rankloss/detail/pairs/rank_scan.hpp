// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/pieces.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/pairs/gain_difference.hpp>
#include <rankloss/detail/pairs/near_numbers.hpp>
#include <rankloss/detail/pairs/pair_kernel.hpp>
#include <rankloss/detail/pairs/pair_loop.hpp>
#include <rankloss/detail/pairs/pair_series.hpp>
#include <rankloss/detail/pairs/pair_states.hpp>
#include <rankloss/detail/pairs/rank_terms.hpp>
#include <rankloss/detail/pairs/sorted_items.hpp>
#include <rankloss/detail/pairs/window_pairs.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The logistic function over the pairs of a long list with few levels, in near-linear time, where the weight of a pair
/// is the difference of the gains of its levels times 1/D(m) - 1/D(m + 1), m being the distance of its two ranks.
///
/// Both factors are sums of exponentials: the function those of the distance of the scores (kernel_terms.hpp), the
/// weight those of m (rank_terms.hpp). What lies before an item acts on it through one row of states for each level and
/// each exponential of m:
///
///     [level][q]: sum of exp(-rate_q m) exp(-k d), k = 1..K | sum of exp(-rate_q m) | sum of exp(-rate_q m) d
///
/// The list is cut into windows of a few items. The pairs within a window are computed one by one. The rows of the
/// levels below and above a level are added up once a window, times the differences of the gains; an item adds up Q rows,
/// takes what acts on it from the sum, and adds itself to Q rows. The walk goes down the list and up again. On the way up
/// no distances are needed: of what acts on an item, the last sum but one has the weights of the pairs in the wrong order,
/// and the last one those in the right order.
template <class Arch, class T, std::size_t C, bool Weighted, class Function>
class rank_scan {
  static_assert(Function::kernel == pair_kernel::logistic);
  using V = lanes<Arch>;
  using items_type = sorted_items<T, C>;  // whose channels are not read
  using constants = pair_series<T>;
  using terms = rank_terms<T>;
  using parts = pair_states<Arch, T, 1, Weighted, true, Function>;
  using row = typename parts::exponents;
  static constexpr std::size_t w = lane_count<Arch>;
  static constexpr std::size_t K = constants::K, Q = terms::count;
  static constexpr std::size_t sets = Weighted ? 2 : 1;  // of the levels below an item and above it
  static constexpr std::size_t most = tuning::rank_window_items;
  // The lanes of a row behind the exponentials, which are of one vector.
  static constexpr std::size_t weight_lane = K, distance_lane = K + 1, last = K / w;
  static_assert(distance_lane < constants::exponents && distance_lane / w == last);
  // Distances beyond this count as that, so that their sums, times gains, are finite.
  static constexpr double farthest = 1e250;

 public:
  /// @param levels    the number of levels, up to tuning::most_by_level
  /// @param scale     1 / temperature
  /// @param factor    on the weight of every pair, above 0
  /// @param gradient  [n] by position, zeros: derivatives by s / temperature, in natural logarithms
  rank_scan(const items_type& sorted, std::size_t levels, double scale, double factor,
            std::span<double> gradient, workspace& scratch)
      : sorted_(sorted),
        levels_(levels),
        scale_(scale),
        gradient_(gradient),
        scratch_(scratch),
        pass_(scratch.take<double>(Q)),
        ends_(scratch.take<std::uint32_t>(sorted.n / most + 2)) {
    cut();
    walk<true>();
    walk<false>();
    // Last, since the factor may be greater than floats are.
    for_each_item(scratch, sorted.n, [=](std::size_t p) { gradient[p] *= factor; });
    totals_.value = factor * std::min(totals_.value, largest_term / std::max(factor, 1.0));
    totals_.weight *= factor;
  }

  /// Value and weight; the count is not computed.
  [[nodiscard]] const pair_totals& totals() const noexcept { return totals_; }

 private:
  using decays_by_rank = std::array<double, (most + 1) * Q>;

  template <class Body>
  static void for_rates(const Body& body) {
    double rate = terms::first;
    for (std::size_t q = 0; q < Q; ++q, rate /= terms::ratio) body(q, rate);
  }
  /// [m][q]: exp(-rate_q m), computed once in a program.
  [[nodiscard]] static const decays_by_rank& decays_of_ranks() {
    static const decays_by_rank table = [] {
      decays_by_rank to;
      for_rates([&to](std::size_t q, double rate) {
        for (std::size_t m = 0; m <= most; ++m) to[m * Q + q] = std::exp(-rate * static_cast<double>(m));
      });
      return to;
    }();
    return table;
  }

  /// Cuts the list into windows, and adds the pairs within them.
  void cut() {
    const workspace::scope scope(scratch_);
    gain_difference<Arch, T, false, true> near;
    near.gains = near_numbers<Arch, T>(sorted_.n, scratch_);
    for (std::size_t p = 0; p < sorted_.n; ++p) near.gains.set(p, sorted_.gains[sorted_.levels[p]]);
    near.discounts = near_numbers<Arch, T>(1, scratch_);
    near.discount_differences = discount_differences<Arch, T>(1.0, most, scratch_);
    window_pairs<Arch, T, C, Weighted, true, false, Function, decltype(near)> pairs(
        sorted_, sorted_.levels, scale_, 1.0, gradient_, totals_, near, scratch_);
    for (std::size_t begin = 0, end = 0; begin < sorted_.n; begin = end) {
      // No window extends across the cutoff.
      end = std::min(begin + most, begin < sorted_.counted ? sorted_.counted : sorted_.n);
      pairs.add_one_by_one(begin, end);
      ends_[windows_++] = static_cast<std::uint32_t>(end);
    }
  }

  [[nodiscard]] std::size_t begin_of(std::size_t window) const noexcept {
    return window == 0 ? 0 : ends_[window - 1];
  }
  [[nodiscard]] double gap(double a, double b) const noexcept {
    return std::min(std::abs(a - b) * scale_, farthest);
  }

  /// Lanes of the last vector of a row: `weight` and `distance` in theirs, the others as they are.
  [[nodiscard]] [[gnu::always_inline]] static V with_last(const V& x, const V& weight,
                                                          const V& distance) noexcept {
    const V lane = lane_numbers<V>() + V(static_cast<double>(last * w));
    return xsimd::select(lane == V(static_cast<double>(weight_lane)), weight,
                         xsimd::select(lane == V(static_cast<double>(distance_lane)), distance, x));
  }

  /// The items of a window by level. What is done with a row is done for a group of them, while it is in registers; a
  /// group that is not full repeats an item.
  static constexpr std::size_t group_size = row::vectors <= 3 ? 4 : row::vectors <= 6 ? 2 : 1;
  using group = std::array<std::size_t, group_size>;
  class items_of_levels {
   public:
    items_of_levels(const items_type& sorted, std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) ++start_[sorted.levels[i] + 1];
      for (std::size_t level = 0; level < tuning::most_by_level; ++level) start_[level + 1] += start_[level];
      auto next = start_;
      for (std::size_t i = begin; i < end; ++i)
        items_[next[sorted.levels[i]]++] = static_cast<std::uint32_t>(i);
    }
    [[nodiscard]] std::span<const std::uint32_t> of(std::size_t level) const noexcept {
      return std::span(items_).subspan(start_[level], start_[level + 1] - start_[level]);
    }
    /// Calls body(group, count) for the items of a level.
    template <class Body>
    void for_groups(std::size_t level, const Body& body) const {
      const std::span<const std::uint32_t> all = of(level);
      for (std::size_t first = 0; first < all.size(); first += group_size) {
        group which;
        for (std::size_t g = 0; g < group_size; ++g) which[g] = all[std::min(first + g, all.size() - 1)];
        body(which, std::min(group_size, all.size() - first));
      }
    }

   private:
    std::array<std::uint32_t, most> items_;
    std::array<std::uint32_t, tuning::most_by_level + 1> start_{};
  };

  /// The distances d of the items of a window from a place, in temperatures, and exp(-d).
  struct distances {
    std::array<double, most> distance, decay;
    distances(const items_type& sorted, double scale, std::size_t begin, std::size_t end,
              double from) noexcept {
      for_rows<Arch>(end - begin, [&](std::size_t i, auto count) {
        const V x = load_items<Arch>(sorted.scores.data() + begin + i, count, from);
        const V d = xsimd::min(xsimd::abs(x - V(from)) * V(scale), V(farthest));
        store_items<Arch>(distance.data() + i, count, d);
        store_items<Arch>(decay.data() + i, count, exp_minus(d));
      });
    }
  };

  /// For each item of a group the sum of the Q rows, times by_rank.
  [[nodiscard]] [[gnu::always_inline]] static std::array<row, group_size> sum_of_rows(
      const std::array<const double*, group_size>& by_rank, const row* rows) noexcept {
    std::array<row, group_size> sums;
    for (std::size_t q = 0; q < Q; ++q)
      for (std::size_t g = 0; g < group_size; ++g) sums[g].add(by_rank[g][q], rows[q]);
    return sums;
  }
  /// Adds the rows of the items of a group, times by_rank, to the Q rows of their level.
  [[gnu::always_inline]] static void enter(const std::array<const double*, group_size>& by_rank,
                                           const std::array<row, group_size>& powers, row* to) noexcept {
    for (std::size_t q = 0; q < Q; ++q) {
      row sum = to[q];
      for (std::size_t g = 0; g < group_size; ++g) sum.add(by_rank[g][q], powers[g]);
      to[q] = sum;
    }
  }

  /// One direction: items above act on items below, or the other way round. The value is summed on the way down.
  template <bool Down>
  void walk() {
    const workspace::scope scope(scratch_);
    const std::span<row> states = scratch_.take<row>(sets * levels_ * Q);
    std::fill(states.begin(), states.end(), row{});
    const std::span<row> acting = scratch_.take<row>(sets * Q);
    // The factors of what acts on an item in its slope and in its value.
    alignas(64) double slope_terms[constants::exponents]{}, value_terms[constants::exponents]{};
    for (std::size_t k = 0; k < K; ++k) {
      slope_terms[k] = (Down ? 1.0 : -1.0) * constants::slope_of_logistic.terms[k];
      value_terms[k] = constants::value_of_logistic.terms[k];
    }
    slope_terms[weight_lane] = Down ? -1.0 : 1.0;
    value_terms[weight_lane] = value_terms[distance_lane] = 1.0;
    row of_slope, values, weights;
    of_slope.load(slope_terms);
    const double* const decays = decays_of_ranks().data();
    for (std::size_t step = 0; step < windows_; ++step) {
      const std::size_t window = Down ? step : windows_ - 1 - step;
      const std::size_t begin = begin_of(window), end = ends_[window];
      const double arrival = sorted_.scores[Down ? begin : end - 1];
      const bool counts = begin < sorted_.counted;
      const items_of_levels items(sorted_, begin, end);
      if (step > 0 && (Down || counts)) {
        const distances from_arrival(sorted_, scale_, begin, end, arrival);
        for (std::size_t level = 0; level < levels_; ++level) {
          if (items.of(level).empty()) continue;
          act_on<Down>(level, states, acting);
          items.for_groups(level, [&](const group& which, std::size_t count) {
            std::array<const double*, group_size> by_rank;
            for (std::size_t g = 0; g < group_size; ++g)
              by_rank[g] = decays + (Down ? which[g] - begin : end - 1 - which[g]) * Q;
            std::array<row, group_size> sums = sum_of_rows(by_rank, acting.data());
            if constexpr (Weighted) {  // of the pairs in which the item is preferred
              const std::array<row, group_size> preferred = sum_of_rows(by_rank, acting.data() + Q);
              for (std::size_t g = 0; g < group_size; ++g)
                sums[g].add(static_cast<double>(sorted_.weights[which[g]]), preferred[g]);
            }
            for (std::size_t g = 0; g < count; ++g) {
              const std::size_t i = which[g];
              row powers = parts::powers_of_decay(from_arrival.decay[i - begin]);
              const V whole = powers.v[last], one(1.0);
              if constexpr (Down) {
                powers.v[last] = with_last(whole, V(from_arrival.distance[i - begin]), one);
                values.add_product(sums[g], powers);
              }
              powers.v[last] = with_last(whole, one, one);
              weights.add(sums[g]);
              for (std::size_t v = 0; v < row::vectors; ++v) powers.v[v] = powers.v[v] * of_slope.v[v];
              gradient_[i] += sums[g].dot(powers);
            }
          });
        }
      }
      if (step + 1 == windows_) break;
      const std::size_t next = Down ? window + 1 : window - 1;
      const double onward = sorted_.scores[Down ? begin_of(next) : ends_[next] - 1];
      if (step > 0) carry<Down>(states, gap(arrival, onward), end - begin);
      if (Down && !counts) continue;
      const distances to_next(sorted_, scale_, begin, end, onward);
      for (std::size_t level = 0; level < levels_; ++level)
        items.for_groups(level, [&](const group& which, std::size_t count) {
          std::array<const double*, group_size> by_rank;
          std::array<row, group_size> powers;  // 0 behind the items of the group
          for (std::size_t g = 0; g < group_size; ++g) {
            const std::size_t i = which[g];
            by_rank[g] = decays + (Down ? end - i : i - begin + 1) * Q;
            if (g >= count) continue;
            powers[g] = parts::powers_of_decay(to_next.decay[i - begin]);
            powers[g].v[last] =
                with_last(powers[g].v[last], V(1.0), V(Down ? to_next.distance[i - begin] : 1.0));
          }
          row* const to = states.data() + level * Q;
          enter(by_rank, powers, to);
          if constexpr (Weighted) {  // of the pairs in which the item is preferred
            for (std::size_t g = 0; g < group_size; ++g)
              for (std::size_t v = 0; v < row::vectors; ++v)
                powers[g].v[v] = powers[g].v[v] * V(static_cast<double>(sorted_.weights[which[g]]));
            enter(by_rank, powers, to + levels_ * Q);
          }
        });
    }
    alignas(64) double sums[constants::exponents];
    weights.store(sums);
    totals_.weight += sums[Down ? weight_lane : distance_lane];
    if constexpr (Down) {
      row of_value;
      of_value.load(value_terms);
      totals_.value = bounded_term(totals_.value + values.dot(of_value));
    }
  }

  /// What acts on items of a level: [Q] of the levels above, and with weights [Q] of those below; else of both. On the way
  /// down the pairs with the levels below are in the wrong order, and on the way up those with the levels above are: they
  /// have weights and distances. On the way up the last lane has the weights of the others.
  template <bool Down>
  void act_on(std::size_t level, std::span<const row> states, std::span<row> acting) const {
    const V zero(0.0), one(1.0);
    std::fill(acting.begin(), acting.end(), row{});
    const auto add = [&](std::size_t other, const row* from, row* to, const V& mask) {
      row difference;
      for (std::size_t v = 0; v < row::vectors; ++v) difference.v[v] = V(sorted_.difference(level, other));
      difference.v[last] = difference.v[last] * mask;
      for (std::size_t q = 0; q < Q; ++q) to[q].add_product(difference, from[other * Q + q]);
    };
    const V of_below = Down ? with_last(one, one, one) : with_last(one, zero, one);
    for (std::size_t other = 0; other < level; ++other)
      add(other, states.data(), acting.data() + (sets - 1) * Q, of_below);
    const V of_above = Down ? with_last(one, zero, zero) : with_last(one, one, zero);
    for (std::size_t other = level + 1; other < levels_; ++other)
      add(other, states.data() + (sets - 1) * levels_ * Q, acting.data(), of_above);
    for (std::size_t at = 0; at < acting.size(); ++at)
      for (V& x : acting[at].v) x = x * V(terms::factors[at % Q]);
  }

  /// Moves the states on, past `items` ranks and by a distance of `gap`.
  template <bool Down>
  void carry(std::span<row> states, double gap, std::size_t items) noexcept {
    if (items != passed_)  // all windows but a few have as many
      for_rates([this, items](std::size_t q, double rate) {
        pass_[q] = std::expm1(-rate * static_cast<double>(items));
      });
    passed_ = items;
    row decay = parts::decays(gap);
    decay.v[last] = with_last(decay.v[last], V(1.0), V(1.0));
    const V distance = with_last(V(0.0), V(0.0), V(Down ? gap : 0.0));
    for (std::size_t level = 0; level < sets * levels_; ++level)
      for (std::size_t q = 0; q < Q; ++q) {
        row& s = states[level * Q + q];
        row moved;
        moved.add_product(s, decay);
        moved.v[last] = xsimd::fma(distance, lane_before(s.v[last]), moved.v[last]);
        // As a change, which is exact to the last digit where the decay is all but 1; and what is next to the numbers
        // without all their digits, which some processors take long for, is 0.
        for (std::size_t v = 0; v < row::vectors; ++v) {
          const V x = xsimd::fma(V(pass_[q]), moved.v[v], moved.v[v]);
          s.v[v] = xsimd::select(x < V(1e-290), V(0.0), x);
        }
      }
  }

  /// Each lane has the number of the lane before it.
  [[nodiscard]] [[gnu::always_inline]] static V lane_before(const V& x) noexcept {
    return [&]<std::size_t... l>(std::index_sequence<l...>) {
      return lanes_of<Arch>(x, x, std::index_sequence<(l + w - 1) % w...>{});
    }
    (std::make_index_sequence<w>{});
  }

  const items_type& sorted_;
  std::size_t levels_;
  double scale_;
  std::span<double> gradient_;
  workspace& scratch_;
  std::span<double> pass_;  // [q]: exp(-rate_q passed_) - 1
  std::size_t passed_ = 0;
  std::span<std::uint32_t> ends_;  // [windows]
  std::size_t windows_ = 0;
  pair_totals totals_;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
