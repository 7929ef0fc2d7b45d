// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/loops.hpp>
#include <rankloss/detail/pairs/pair_kernel.hpp>
#include <rankloss/detail/pairs/pair_loop.hpp>
#include <rankloss/detail/pairs/weight_channels.hpp>
#include <rankloss/detail/sigmoid/cell_sums.hpp>
#include <rankloss/detail/sigmoid/sorted_sums.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>

/// Sums over the pairs of different relevance of a long list in near-linear time: the exponential states of sorted_sums.hpp, one set a level of
/// relevance, carried from block to block of the sorted scores.
///
///     a block    neighbouring items within a quarter temperature. Its own pairs act through moments, by the Taylor series of the kernel at 0; where
///                the weight asks which item is above, through those of the items above and below each item, for which the block is narrow and the
///                series short, or, where scores are sparse, one by one in blocks of up to 64 items
///     its past   what lies above it (below it, on the way back) acts through the states, a sum of K exponentials per level and channel of the
///                weight, which in the block are a polynomial of P terms in the place z of an item: the levels below an item's own and those
///                above it are added up once a block, so that an item costs P operations a channel and not K a level
///     its items  enter the states by their moments, sum of z^p a level and channel
///
/// A sort apart, O(n P C + blocks L C K P) for L levels and C channels (L C (K P + L K) where gains weigh the differences of levels), and O(64 n)
/// where pairs go one by one: where the weight asks which item is above and scores are sparse, there are more than eight levels, or the weight
/// changes its sign with the order of a pair. With more than 32 levels, as real-valued relevance has, neighbouring levels share a bucket; the pairs
/// of each bucket are a smaller list of the same kind, its items in the same order.
namespace rankloss::inline RANKLOSS_ABI::detail {

template <class T>
struct scan_terms {
  static constexpr std::size_t K = kernel_terms<T>::count;
  static constexpr std::size_t exponents = sizeof(T) == 4 ? 16 : 24;    // K, padded to whole vectors
  static constexpr std::size_t places = sizeof(T) == 4 ? 8 : 16;        // P
  static constexpr double half_width = 0.125;                           // of a block, in temperatures
  static constexpr std::size_t block_items = 64;                        // where the pairs of a block go one by one
  static constexpr std::size_t large_block = 4096;                      // where they do not
  static constexpr double narrow_width = sizeof(T) == 4 ? 0.02 : 0.01;  // of a block whose kernel is a short series, in temperatures
  static constexpr std::size_t narrow_terms = sizeof(T) == 4 ? 3 : 6;   // of that series
  static constexpr std::size_t narrow_levels = 8;                       // of which it knows at most
  static constexpr std::size_t narrow_items = 32;                       // of a block, where it pays: at least
  static constexpr std::size_t most_levels = 32;                        // of which each has states of its own
  static constexpr std::size_t most_graded = 16;                        // of which each looks at every other: quadratic

  /// [p]: z^p itself
  static constexpr auto unit = [] {
    std::array<std::array<double, places>, places> rows{};
    for (std::size_t p = 0; p < places; ++p) rows[p][p] = 1.0;
    return rows;
  }();

  /// [k][p]: c_k exp(-k h z) = sum_p .. z^p
  using from_states = std::array<std::array<double, places>, K>;
  template <std::size_t N>
  static constexpr from_states expand(const std::array<double, N>& kernel) {
    from_states rows{};
    for (std::size_t k = 0; k < K; ++k) {
      const double rate = static_cast<double>(k + 1) * half_width;
      double term = kernel[k];
      for (std::size_t p = 0; p < places; ++p) {
        rows[k][p] = term;
        term *= -rate / static_cast<double>(p + 1);
      }
    }
    return rows;
  }
  static constexpr auto slope_of_logistic = expand(kernel_terms<T>::sigmoid);
  static constexpr auto slope_of_sigmoid = expand(kernel_terms<T>::slope);
  static constexpr auto value_of_logistic = expand(kernel_terms<T>::softplus);

  /// [p][k]: what moment p adds to state k, exp(k h z) = sum_p .. z^p
  static constexpr std::array<std::array<double, exponents>, places> from_moments() {
    std::array<std::array<double, exponents>, places> rows{};
    for (std::size_t k = 0; k < K; ++k) {
      const double rate = static_cast<double>(k + 1) * half_width;
      double term = 1.0;
      for (std::size_t p = 0; p < places; ++p) {
        rows[p][k] = term;
        term *= rate / static_cast<double>(p + 1);
      }
    }
    return rows;
  }
  static constexpr auto to_states = from_moments();

  /// [q][p]: what moment q of a block's losers adds to place p of its winners, f(h (z_winner - z_loser)) with f the Taylor series from 0 of the
  /// sigmoid (its integral, its derivative): scores fall as places rise.
  using within = std::array<std::array<double, places>, places>;
  static constexpr within own_terms(int derivative) {
    const auto series = series_of(derivative);
    within rows{};
    for (std::size_t q = 0; q < places; ++q)
      for (std::size_t p = 0; p < places; ++p) {
        double term = series[p + q];  // (p + q)! / (p! q!) h^(p + q) (-1)^q
        for (std::size_t r = 1; r <= p; ++r) term *= static_cast<double>(q + r) / static_cast<double>(r) * half_width;
        for (std::size_t r = 0; r < q; ++r) term *= -half_width;
        rows[q][p] = term;
      }
    return rows;
  }
  /// The Taylor series from 0 of the sigmoid, or of its derivative or, for -1, of its integral softplus.
  static constexpr std::array<double, 2 * places> series_of(int derivative) {
    // sigmoid = 1/2 + s, s' = 1/4 - s^2
    std::array<double, 2 * places + 2> sigmoid{};
    for (std::size_t n = 0; n + 1 < sigmoid.size(); ++n) {
      double square = 0.0;
      for (std::size_t m = 0; m <= n; ++m) square += (m == 0 ? 0.0 : sigmoid[m]) * (m == n ? 0.0 : sigmoid[n - m]);
      sigmoid[n + 1] = ((n == 0 ? 0.25 : 0.0) - square) / static_cast<double>(n + 1);
    }
    sigmoid[0] = 0.5;
    std::array<double, 2 * places> series{};
    for (std::size_t n = 0; n < series.size(); ++n)
      series[n] = derivative == 0   ? sigmoid[n]
                  : derivative == 1 ? static_cast<double>(n + 1) * sigmoid[n + 1]
                  : n == 0          ? 0.69314718055994530942
                                    : sigmoid[n - 1] / static_cast<double>(n);
    return series;
  }
  static constexpr auto own_sigmoid = own_terms(0);
  static constexpr auto own_slope = own_terms(1);
  static constexpr auto own_softplus = own_terms(-1);

  /// [q][n - q]: what power n of a difference x_i - x_j makes of power q of x_j: factors of the powers of x_i. Only even n, or odd ones.
  using narrow_series = std::array<std::array<double, narrow_terms>, narrow_terms>;
  /// f(d) = sign * (the series above at -d)
  static constexpr narrow_series narrow_of(int derivative, double sign, std::size_t parity) {
    const auto series = series_of(derivative);
    narrow_series rows{};
    for (std::size_t n = parity; n < narrow_terms; n += 2)
      for (std::size_t q = 0; q <= n; ++q) {
        double term = sign * (parity == 0 ? 1.0 : -1.0) * (q % 2 == 0 ? 1.0 : -1.0) * series[n];
        for (std::size_t r = 1; r <= q; ++r) term *= static_cast<double>(n - q + r) / static_cast<double>(r);
        rows[q][n - q] = term;
      }
    return rows;
  }
};

/// A list of items in the order of their scores.
template <class T, std::size_t C>
struct scan_list {
  std::size_t n = 0;
  std::size_t counted = 0;            ///< pairs count of which the upper item is among the first so many
  std::span<double> scores;           ///< [n] descending
  std::span<std::uint32_t> levels;    ///< [n] numbers of the levels of relevance, rising with it
  std::array<std::span<T>, C> upper;  ///< [n] factors of the weight, see weight_channels
  std::array<std::span<T>, C> lower;  ///< [n]
  std::span<T> weights;               ///< [n] of a pair's more relevant item, or empty
  std::span<const double> gains;      ///< [levels] or empty: the weight of a pair is times the difference of those of its levels
};

/// The sums of one list. `Function` is a function of pairs, of temperature `length()`, with `of_shares` and `kernel`; by default of temperature 1.
template <class Arch, class T, std::size_t C, bool Weighted, bool Oriented, bool Graded, class Function>
class pair_scan {
  static_assert(!Graded || Oriented);
  using terms = scan_terms<T>;
  using V = lanes<Arch>;
  static constexpr std::size_t w = lane_count<Arch>;
  static constexpr std::size_t K = terms::K;
  static constexpr std::size_t E = terms::exponents;
  static constexpr std::size_t P = terms::places;
  static constexpr std::size_t sets = Weighted ? 2 : 1;  // of the levels below an item and above it
  static constexpr std::size_t smallest = 256;           // lists that go pair by pair
  // The change of NDCG where levels are many is a product of differences in four channels, whose sign a narrow block could not tell.
  static constexpr bool has_narrow = Oriented && C <= 2;
  using list_type = scan_list<T, C>;
  using exponents = wide_row<Arch, E>;
  using polynomial = wide_row<Arch, P>;

 public:
  /// @param wrong_sign  factor on the weight of pairs whose upper item is the less relevant one
  pair_scan(const Function& function, double wrong_sign, workspace& scratch)
      : scale_(1.0 / function.length()), wrong_sign_(wrong_sign), scratch_(scratch) {}

  /// @param gradient  [n] by place, added to: derivatives by s / temperature, in natural logarithms
  void run(list_type list, std::uint32_t level_count, std::span<double> gradient) {
    const workspace::scope scope(scratch_);
    // Levels that no item has, as where a cutoff has taken most items, only cost; and beyond 2^24 float does not tell neighbours apart.
    if (!Graded && level_count > list.n) level_count = renumber(list);
    descend(list, 0, level_count, gradient);
  }

  /// But for the count.
  [[nodiscard]] const pair_totals& totals() const noexcept { return totals_; }

 private:
  /// Numbers the levels that the items have from 0; returns how many there are.
  std::uint32_t renumber(list_type& list) {
    const std::span<std::uint32_t> levels = scratch_.take<std::uint32_t>(list.n);
    const std::span<std::uint32_t> present = scratch_.take<std::uint32_t>(list.n);
    std::copy_n(list.levels.begin(), list.n, present.begin());
    std::sort(present.begin(), present.end());
    const auto end = std::unique(present.begin(), present.end());
    for (std::size_t i = 0; i < list.n; ++i)
      levels[i] = static_cast<std::uint32_t>(std::lower_bound(present.begin(), end, list.levels[i]) - present.begin());
    list.levels = levels;
    return static_cast<std::uint32_t>(end - present.begin());
  }

  /// The pairs of a list whose levels are numbered from `first_level` to `end_level`.
  void descend(const list_type& list, std::uint32_t first_level, std::uint32_t end_level, std::span<double> gradient) {
    if (list.n < 2 || end_level - first_level < 2) return;
    const workspace::scope scope(scratch_);
    gradient_ = gradient;
    const std::size_t level_count = end_level - first_level;
    const std::span<std::uint32_t> bucket_of = scratch_.take<std::uint32_t>(level_count);
    std::size_t buckets = level_count;
    if (list.n <= smallest) {
      // The numbers of the levels themselves, pair by pair.
      std::iota(bucket_of.begin(), bucket_of.end(), 0u);
      levels_of(list, first_level, bucket_of);
      near_pairs(list, 0, list.n);
      return;
    }
    // Graded lists have no more levels than that.
    if (level_count <= terms::most_levels) {
      std::iota(bucket_of.begin(), bucket_of.end(), 0u);
    } else {
      buckets = buckets_for(list.n);
      std::fill(bucket_of.begin(), bucket_of.end(), 0u);
      for (std::size_t i = 0; i < list.n; ++i) ++bucket_of[list.levels[i] - first_level];
      // Buckets of about as many items each; one level is never cut.
      std::size_t before = 0;
      for (std::uint32_t& count : bucket_of) {
        const std::size_t items = count;
        count = static_cast<std::uint32_t>((before + items / 2) * buckets / list.n);
        before += items;
      }
    }
    levels_of(list, first_level, bucket_of);
    sum(list, buckets);
    if (level_count > terms::most_levels) split(list, first_level, bucket_of, buckets, gradient);
  }

  /// As many buckets as make, in the fewest rounds, lists of about a hundred items, which go pair by pair.
  [[nodiscard]] static std::size_t buckets_for(std::size_t n) noexcept {
    const double lists = static_cast<double>(n) / 128.0;
    const double rounds = std::max(std::ceil(std::log(lists) / std::log(static_cast<double>(terms::most_levels))), 1.0);
    return std::clamp(static_cast<std::size_t>(std::ceil(std::pow(lists, 1.0 / rounds))), std::size_t{2}, terms::most_levels);
  }

  /// The buckets by place, as the pair loop compares them.
  void levels_of(const list_type& list, std::uint32_t first_level, std::span<const std::uint32_t> bucket_of) {
    constexpr std::size_t padding = xsimd::batch<T, Arch>::size;
    buckets_ = scratch_.take<std::uint32_t>(list.n);
    near_levels_ = scratch_.take<T>(list.n + padding);
    near_gains_ = scratch_.take<T>(Graded ? list.n + padding : 0);
    gains_ = list.gains;
    near_scores_ = scratch_.take<T>(list.n + padding);
    near_exponentials_ = scratch_.take<T>(list.n + padding);
    // The pair loop takes differences of scores, which are exact where those to a centre are not, so they are only scaled by a power of two, which
    // rounds nothing: the one below 1 / temperature, or less where differences would not be finite.
    const double largest = std::max({std::abs(list.scores[0]), std::abs(list.scores[list.n - 1]), std::numeric_limits<double>::min()});
    near_unit_ = std::ldexp(1.0, std::min(std::ilogb(scale_), std::numeric_limits<T>::max_exponent - 3 - std::ilogb(largest)));
    near_gradient_ = scratch_.take<T>(list.n + padding);
    std::fill(near_gradient_.begin(), near_gradient_.end(), T{0});
    for (std::size_t i = 0; i < list.n; ++i) {
      buckets_[i] = bucket_of[list.levels[i] - first_level];
      near_levels_[i] = static_cast<T>(buckets_[i]);
      near_scores_[i] = static_cast<T>(list.scores[i] * near_unit_);
      if constexpr (Graded) near_gains_[i] = static_cast<T>(list.gains[list.levels[i]]);
    }
    if constexpr (Graded) std::fill_n(near_gains_.data() + list.n, padding, T{0});
    std::fill_n(near_levels_.data() + list.n, padding, T{0});
    std::fill_n(near_scores_.data() + list.n, padding, T{0});
  }

  /// The pairs of each bucket, as lists of their own.
  void split(const list_type& list, std::uint32_t first_level, std::span<const std::uint32_t> bucket_of, std::size_t buckets,
             std::span<double> gradient) {
    std::array<std::size_t, terms::most_levels + 1> start{};
    std::array<std::size_t, terms::most_levels> counted{};
    std::array<std::uint32_t, terms::most_levels + 1> first{};
    for (std::size_t l = 0, b = 0; b <= buckets; ++b) {
      while (l < bucket_of.size() && bucket_of[l] < b) ++l;
      first[b] = first_level + static_cast<std::uint32_t>(l);
    }
    for (std::size_t i = 0; i < list.n; ++i) {
      ++start[buckets_[i] + 1];
      if (i < list.counted) ++counted[buckets_[i]];
    }
    std::partial_sum(start.begin(), start.end(), start.begin());
    list_type all = list;
    constexpr std::size_t padding = xsimd::batch<T, Arch>::size;
    const auto take = [&] { return scratch_.take<T>(list.n + padding); };
    all.scores = scratch_.take<double>(list.n);
    all.levels = scratch_.take<std::uint32_t>(list.n);
    const std::span<std::uint32_t> from = scratch_.take<std::uint32_t>(list.n);
    const std::span<double> sums = scratch_.take<double>(list.n);
    std::fill(sums.begin(), sums.end(), 0.0);
    for (std::size_t c = 0; c < C; ++c) {
      all.upper[c] = take();
      all.lower[c] = take();
    }
    if (Weighted) all.weights = take();
    std::array<std::size_t, terms::most_levels + 1> next = start;
    for (std::size_t i = 0; i < list.n; ++i) {
      const std::size_t to = next[buckets_[i]]++;
      all.scores[to] = list.scores[i];
      all.levels[to] = list.levels[i];
      from[to] = static_cast<std::uint32_t>(i);
      for (std::size_t c = 0; c < C; ++c) {
        all.upper[c][to] = list.upper[c][i];
        all.lower[c][to] = list.lower[c][i];
      }
      if (Weighted) all.weights[to] = list.weights[i];
    }
    for (std::size_t b = 0; b < buckets; ++b) {
      list_type part;
      part.n = start[b + 1] - start[b];
      part.counted = counted[b];
      part.scores = all.scores.subspan(start[b], part.n);
      part.levels = all.levels.subspan(start[b], part.n);
      for (std::size_t c = 0; c < C; ++c) {
        part.upper[c] = all.upper[c].subspan(start[b]);
        part.lower[c] = all.lower[c].subspan(start[b]);
      }
      if (Weighted) part.weights = all.weights.subspan(start[b]);
      descend(part, first[b], first[b + 1], sums.subspan(start[b], part.n));
    }
    for (std::size_t i = 0; i < list.n; ++i) gradient[from[i]] += sums[i];
  }

  /// States of one channel of one level: exponentials, the sum of the weights, and that of the distances.
  struct state {
    exponents s;
    double hard = 0.0;
    double distance = 0.0;
  };
  /// What a block's past does to an item of one level, by channel and set: polynomials in the item's place.
  struct action {
    polynomial slope;
    polynomial value;
    double weight = 0.0;
  };

  /// The pairs of different buckets.
  void sum(const list_type& list, std::size_t levels) {
    const workspace::scope scope(scratch_);
    const std::span<std::uint32_t> starts = scratch_.take<std::uint32_t>(list.n + 1);
    std::size_t blocks = 0;
    bool series_fit = false;
    level_differences by_difference;
    if constexpr (has_narrow) {
      series_fit = wrong_sign_ == 1.0 && levels <= terms::narrow_levels;
      if (series_fit) by_difference = differences(levels);
    }
    for (std::size_t begin = 0; begin < list.n; ++blocks) {
      starts[blocks] = static_cast<std::uint32_t>(begin);
      // No block is cut by the cutoff.
      const std::size_t last = begin < list.counted ? list.counted : list.n;
      std::size_t end = begin + 1;
      const auto grow = [&](double width, std::size_t most) {
        const std::size_t stop = std::min(begin + most, last);
        while (end < stop && (list.scores[begin] - list.scores[end]) * scale_ <= width) ++end;
      };
      grow(2.0 * terms::half_width, Oriented ? terms::block_items : terms::large_block);
      if constexpr (has_narrow) {
        const double width = (list.scores[begin] - list.scores[end - 1]) * scale_;
        if (series_fit && end - begin >= terms::narrow_items && width <= terms::narrow_width) {
          grow(terms::narrow_width, terms::large_block);
          narrow_pairs(list, begin, end, by_difference);
          begin = end;
          continue;
        }
      }
      if constexpr (Oriented) near_pairs(list, begin, end);
      begin = end;
    }
    starts[blocks] = static_cast<std::uint32_t>(list.n);
    walk<true>(list, levels, starts.first(blocks + 1));
    walk<false>(list, levels, starts.first(blocks + 1));
  }

  /// One way: what lies above acts on what lies below, or the other way round. The value is summed on the way down.
  template <bool Down>
  void walk(const list_type& list, std::size_t levels, std::span<const std::uint32_t> starts) {
    const workspace::scope scope(scratch_);
    const std::span<state> states = scratch_.take<state>(sets * levels * C);  // [set][level][channel]
    const std::span<action> actions = scratch_.take<action>(sets * levels * C);
    const std::span<state> above = scratch_.take<state>(levels);
    const std::span<polynomial> moments = scratch_.take<polynomial>(sets * levels * C);
    const std::span<polynomial> losers = scratch_.take<polynomial>(Down && !Oriented ? levels * C : 0);  // of a block's own pairs
    const std::span<action> own_actions = scratch_.take<action>(losers.size());
    std::fill(states.begin(), states.end(), state{});
    const auto index = [&](std::size_t set, std::size_t level, std::size_t c) { return (set * levels + level) * C + c; };
    const std::size_t blocks = starts.size() - 1;
    // Places are seen from the block's centre, where those of a narrow block are near 0 and no term is cut off. It is kept as the score of the
    // block's first item and what lies between, in temperatures: a score would round by more than a block, where scores are far from 0.
    double top = 0.0;
    double half = 0.0;
    polynomial value_sum;
    for (std::size_t step = 0; step < blocks; ++step) {
      const std::size_t b = Down ? step : blocks - 1 - step;
      const std::size_t begin = starts[b];
      const std::size_t end = starts[b + 1];
      const double next_top = list.scores[begin];
      const double next_half = 0.5 * (next_top - list.scores[end - 1]) * scale_;
      if (step > 0) {
        carry(states, std::min(std::abs((top - next_top) * scale_ - half + next_half), 1e290));
        act<Down>(states, levels, actions, above);
      }
      top = next_top;
      half = next_half;

      // In [-1, 1], as the block is not wider than twice half_width.
      const auto powers_at = [&](std::size_t i) {
        const double below = (top - list.scores[i]) * scale_ - half;
        return powers_of((Down ? below : -below) / terms::half_width);
      };
      // Below the cutoff items are acted on, but do not act.
      const bool counts = begin < list.counted;
      const bool own = Down && !Oriented && counts;
      if (counts || !Down) {
        std::fill(moments.begin(), moments.end(), polynomial{});
        for (std::size_t i = begin; i < end; ++i) {
          const polynomial powers = powers_at(i);
          for (std::size_t c = 0; c < C; ++c) {
            const auto factor = static_cast<double>((Down ? list.upper : list.lower)[c][i]);
            moments[index(0, buckets_[i], c)].add(factor, powers);
            if (Weighted) moments[index(1, buckets_[i], c)].add(factor * static_cast<double>(list.weights[i]), powers);  // where it is the winner
          }
        }
      }
      if (own) {
        std::fill(losers.begin(), losers.end(), polynomial{});
        for (std::size_t i = begin; i < end; ++i) {
          const polynomial powers = powers_at(i);
          for (std::size_t c = 0; c < C; ++c) losers[buckets_[i] * C + c].add(static_cast<double>(list.lower[c][i]), powers);
        }
        act_within(moments, losers, levels, step > 0, actions, own_actions);
      }
      if (Down ? step > 0 || own : step > 0 && counts) {
        for (std::size_t i = begin; i < end; ++i) {
          polynomial slope, value;
          const std::size_t level = buckets_[i];
          const double weight = Weighted ? static_cast<double>(list.weights[i]) : 1.0;
          const auto add = [&](const action& a, double factor) {
            slope.add(factor, a.slope);
            if constexpr (Down) {
              value.add(factor, a.value);
              totals_.weight += factor * a.weight;
            }
          };
          for (std::size_t c = 0; c < C; ++c) {
            const auto factor = static_cast<double>((Down ? list.lower : list.upper)[c][i]);
            // As a winner over the levels below the item's weight counts, as a loser that of the others.
            add(actions[index(0, level, c)], Weighted ? weight * factor : factor);
            if (Weighted) add(actions[index(1, level, c)], factor);
            if (own) add(own_actions[level * C + c], weight * static_cast<double>(list.upper[c][i]));
          }
          const polynomial powers = powers_at(i);
          gradient_[i] += slope.dot(powers);
          if constexpr (Down)
            for (std::size_t v = 0; v < value.vectors; ++v) value_sum.v[v] = xsimd::fma(value.v[v], powers.v[v], value_sum.v[v]);
        }
      }
      if (Down && !counts) continue;
      for (std::size_t k = 0; k < states.size(); ++k) enter(moments[k], states[k]);
    }
    if constexpr (Down)
      for (std::size_t v = 0; v < value_sum.vectors; ++v) totals_.value += sum_of(value_sum.v[v]);
  }

  /// 1, z, z^2, ...
  [[gnu::always_inline]] static polynomial powers_of(double z) noexcept {
    // z^p from the bits of p.
    static constexpr auto factors = [] {
      std::array<std::array<double, P>, 4> bit{};
      for (std::size_t k = 0; k < 4; ++k)
        for (std::size_t p = 0; p < P; ++p) bit[k][p] = (p >> k & 1) != 0 ? 1.0 : 0.0;
      return bit;
    }();
    polynomial powers;
    for (std::size_t v = 0; v < powers.vectors; ++v) {
      V square(z);
      V product(1.0);
      for (std::size_t k = 0; (std::size_t{1} << k) < P; ++k) {
        const V has = V::load_unaligned(factors[k].data() + v * w);
        product = product * xsimd::fma(has, square - V(1.0), V(1.0));
        square = square * square;
      }
      powers.v[v] = product;
    }
    return powers;
  }

  /// The states, seen from `gap` further on.
  static void carry(std::span<state> states, double gap) noexcept {
    alignas(64) double power[E]{};
    const double q = std::exp(-gap);
    const double factor = q < 0x1p-51 ? 0.0 : q;  // no subnormal numbers, as in `advance`
    double product = q < 1e-300 ? 0.0 : q;
    for (std::size_t k = 0; k < K; ++k) {
      power[k] = product;
      product *= factor;
    }
    exponents powers;
    powers.load(power);
    for (state& s : states) {
      for (std::size_t v = 0; v < powers.vectors; ++v) s.s.v[v] = s.s.v[v] * powers.v[v];
      s.distance += s.hard * gap;
    }
  }

  /// The items of a block, by their moments, enter a state.
  static void enter(const polynomial& moments, state& to) noexcept {
    alignas(64) double m[P];
    moments.store(m);
    for (std::size_t p = 0; p < P; ++p) to.s.add_scaled(m[p], terms::to_states[p].data());
    to.hard += m[0];
    to.distance -= terms::half_width * m[1];  // they are further on by h z
  }

  /// From the states to what they do, by level: the levels below an item's own and those above it. `all_above` is scratch, one a level, and
  /// will hold the sums over the latter, of the set of winners.
  template <bool Down>
  void act(std::span<const state> states, std::size_t levels, std::span<action> actions, std::span<state> all_above) const {
    constexpr bool logistic = Function::kernel == pair_kernel::logistic;
    constexpr const auto& slope_rows = logistic ? terms::slope_of_logistic : terms::slope_of_sigmoid;
    const auto expand = [](const exponents& s, const typename terms::from_states& rows) {
      alignas(64) double e[E];
      s.store(e);
      polynomial low, high;  // two sums, as in scan_states::dot
      for (std::size_t k = 0; k < K / 2; ++k) {
        low.add_scaled(e[k], rows[k].data());
        high.add_scaled(e[k + K / 2], rows[k + K / 2].data());
      }
      for (std::size_t v = 0; v < low.vectors; ++v) low.v[v] = low.v[v] + high.v[v];
      return low;
    };
    // On the way down the states are of items above: a level below an item's own is wrongly above it. On the way up it is the other way round.
    const double below_sign = Down ? wrong_sign_ : 1.0;
    const double above_sign = Down ? 1.0 : wrong_sign_;
    for (std::size_t c = 0; c < C; ++c) {
      const auto of = [&](std::size_t set, std::size_t level) -> const state& { return states[(set * levels + level) * C + c]; };
      // Sums of what is there, never differences, which would leave a rest of what is gone.
      if (!Graded) {
        exponents sum;
        double hard = 0.0;
        double distance = 0.0;
        all_above[levels - 1] = state{};
        for (std::size_t level = levels - 1; level > 0; --level) {
          const state& next = of(sets - 1, level);
          sum.add(1.0, next.s);
          hard += next.hard;
          distance += next.distance;
          all_above[level - 1] = {sum, hard, distance};
        }
      }
      state below;  // of the set of losers
      for (std::size_t level = 0; level < levels; ++level) {
        if (Graded) {
          below = state{};
          all_above[level] = state{};
          for (std::size_t other = 0; other < level; ++other) add(below, of(0, other), difference(level, other));
          for (std::size_t other = level + 1; other < levels; ++other) add(all_above[level], of(sets - 1, other), difference(level, other));
        } else if (level > 0) {
          add(below, of(0, level - 1), 1.0);
        }
        const state& above = all_above[level];
        const auto make = [&](double of_below, double of_above) {
          state both;
          add(both, below, of_below);
          add(both, above, of_above);
          action a;
          const double wrong = Down ? of_below * below.hard : of_above * above.hard;
          if constexpr (logistic) {
            // Down: a winner is pulled by -(1 - p) of what is wrongly above, a loser by +p; up: a winner by -p, a loser by 1 - p.
            a.slope.add(Down ? 1.0 : -1.0, expand(both.s, slope_rows));
            a.slope.add_scaled(Down ? -wrong : wrong, terms::unit[0].data());
          } else {
            // A winner is pulled by -slope, a loser by +slope.
            a.slope = expand(both.s, slope_rows);
            a.slope.add(-2.0 * of_below, expand(below.s, slope_rows));
          }
          if constexpr (Down) {
            if constexpr (logistic) {
              a.value = expand(both.s, terms::value_of_logistic);
              a.value.add_scaled(of_below * below.distance, terms::unit[0].data());
              a.value.add_scaled(of_below * terms::half_width * below.hard, terms::unit[1].data());
            } else {
              // Right: p; wrong: 1 - p.
              state signed_sum;
              add(signed_sum, below, -of_below);
              add(signed_sum, above, of_above);
              a.value = expand(signed_sum.s, terms::slope_of_logistic);
              a.value.add_scaled(wrong, terms::unit[0].data());
            }
          }
          a.weight = of_below * below.hard + of_above * above.hard;
          return a;
        };
        if constexpr (Weighted) {
          actions[level * C + c] = make(below_sign, 0.0);
          actions[(levels + level) * C + c] = make(0.0, above_sign);
        } else {
          actions[level * C + c] = make(below_sign, above_sign);
        }
      }
    }
  }

  /// What the weight of a pair of two levels is times.
  [[nodiscard]] double difference(std::size_t level, std::size_t other) const noexcept {
    return Graded ? std::abs(gains_[level] - gains_[other]) : 1.0;
  }

  /// Of a block's own pairs, where the weight does not ask which item is above: what its losers do to a winner goes to `own`, with the weight's
  /// upper factor, what its winners do to a loser to `actions`, with the lower one.
  void act_within(std::span<const polynomial> winners, std::span<const polynomial> losers, std::size_t levels, bool add, std::span<action> actions,
                  std::span<action> own) const {
    constexpr bool logistic = Function::kernel == pair_kernel::logistic;
    constexpr const auto& slope_rows = logistic ? terms::own_sigmoid : terms::own_slope;
    constexpr const auto& value_rows = logistic ? terms::own_softplus : terms::own_sigmoid;
    const auto expand = [](const polynomial& moments, const typename terms::within& rows) {
      alignas(64) double m[P];
      moments.store(m);
      polynomial sum;
      for (std::size_t q = 0; q < P; ++q) sum.add_scaled(m[q], rows[q].data());
      return sum;
    };
    for (std::size_t c = 0; c < C; ++c) {
      polynomial below;
      for (std::size_t level = 0; level < levels; ++level) {
        action& a = own[level * C + c];
        a.slope = polynomial{};
        a.slope.add(-1.0, expand(below, slope_rows));
        a.value = expand(below, value_rows);
        alignas(64) double m[P];
        below.store(m);
        a.weight = m[0];
        below.add(1.0, losers[level * C + c]);
      }
      polynomial above;
      for (std::size_t level = levels; level-- > 0;) {
        action& a = actions[((sets - 1) * levels + level) * C + c];
        if (!add) {
          a = action{};
          if (Weighted) actions[level * C + c] = action{};
        }
        // The same from the other side: places are mirrored, which changes the sign of odd powers on both sides.
        alignas(64) double m[P];
        above.store(m);
        for (std::size_t q = 1; q < P; q += 2) m[q] = -m[q];
        polynomial mirrored;
        mirrored.load(m);
        polynomial acted = expand(mirrored, slope_rows);
        acted.store(m);
        for (std::size_t p = 1; p < P; p += 2) m[p] = -m[p];
        acted.load(m);
        a.slope.add(1.0, acted);
        above.add(1.0, winners[((sets - 1) * levels + level) * C + c]);
      }
    }
  }

  static void add(state& to, const state& from, double factor) noexcept {
    for (std::size_t v = 0; v < to.s.vectors; ++v) to.s.v[v] = xsimd::fma(V(factor), from.s.v[v], to.s.v[v]);
    to.hard += factor * from.hard;
    to.distance += factor * from.distance;
  }

  using by_level = wide_row<Arch, terms::narrow_levels>;
  /// By set and level: what the weight of pairs with the other levels is times, and that with the sign of the level's difference to them. The
  /// first set is of the levels below, the last of those above.
  struct level_differences {
    std::array<std::array<by_level, terms::narrow_levels>, sets> size, signed_size;
  };
  [[nodiscard]] level_differences differences(std::size_t levels) const {
    level_differences all;
    for (std::size_t set = 0; set < sets; ++set)
      for (std::size_t level = 0; level < levels; ++level) {
        alignas(64) double size[terms::narrow_levels]{};
        alignas(64) double signed_size[terms::narrow_levels]{};
        for (std::size_t other = 0; other < levels; ++other) {
          if (other == level || (sets == 2 && (set == 0) != (other < level))) continue;
          size[other] = difference(level, other);
          signed_size[other] = other < level ? size[other] : -size[other];
        }
        all.size[set][level].load(size);
        all.signed_size[set][level].load(signed_size);
      }
    return all;
  }

  /// Pairs of places [begin, end), whose scores are so near that f is a short series in their difference. An item takes the sums of powers of
  /// the scores above it and below it, kept by level. The pull on it is by f' at its score less theirs, of which pairs that it wins and those
  /// that it loses share the odd part and differ in the sign of the even one; so with f itself, the other way round.
  void narrow_pairs(const list_type& list, std::size_t begin, std::size_t end, const level_differences& weight) {
    if (begin >= list.counted) return;
    constexpr std::size_t Q = terms::narrow_terms;
    constexpr bool logistic = Function::kernel == pair_kernel::logistic;
    static constexpr auto even_slope = terms::narrow_of(logistic ? 0 : 1, -1.0, 0);
    static constexpr auto odd_slope = terms::narrow_of(logistic ? 0 : 1, -1.0, 1);
    static constexpr auto even_value = terms::narrow_of(logistic ? -1 : 0, 1.0, 0);
    static constexpr auto odd_value = terms::narrow_of(logistic ? -1 : 0, 1.0, 1);
    static constexpr auto unit = [] {
      std::array<std::array<double, terms::narrow_levels>, terms::narrow_levels> rows{};
      for (std::size_t level = 0; level < rows.size(); ++level) rows[level][level] = 1.0;
      return rows;
    }();
    const double middle = 0.5 * list.scores[begin] + 0.5 * list.scores[end - 1];
    by_level above[sets][C][Q];
    by_level below[sets][C][Q];
    const auto enter = [&](by_level(&sums)[sets][C][Q], const std::array<std::span<T>, C>& factors, std::size_t i, double sign) {
      const double* own = unit[buckets_[i]].data();
      const double x = (list.scores[i] - middle) * scale_;
      for (std::size_t set = 0; set < sets; ++set)
        for (std::size_t c = 0; c < C; ++c) {
          double term = sign * static_cast<double>(factors[c][i]);
          if (Weighted && set == 1) term *= static_cast<double>(list.weights[i]);  // as the winner
          for (std::size_t q = 0; q < Q; ++q, term *= x) sums[set][c][q].add_scaled(term, own);
        }
    };
    for (std::size_t i = begin; i < end; ++i) enter(below, list.lower, i, 1.0);
    by_level value_sum, weight_sum;
    for (std::size_t i = begin; i < end; ++i) {
      enter(below, list.lower, i, -1.0);
      double x[Q]{1.0};
      for (std::size_t q = 1; q < Q; ++q) x[q] = x[q - 1] * (list.scores[i] - middle) * scale_;
      const std::size_t level = buckets_[i];
      by_level pull;
      for (std::size_t set = 0; set < sets; ++set) {
        const double own = Weighted && set == 0 ? static_cast<double>(list.weights[i]) : 1.0;
        by_level of_above[Q], of_both[Q];
        for (std::size_t q = 0; q < Q; ++q) {
          for (std::size_t c = 0; c < C; ++c) of_above[q].add(own * static_cast<double>(list.lower[c][i]), above[set][c][q]);
          of_both[q] = of_above[q];
          for (std::size_t c = 0; c < C; ++c) of_both[q].add(own * static_cast<double>(list.upper[c][i]), below[set][c][q]);
        }
        const auto series_of = [&]<const auto & series>(const by_level(&powers)[Q]) {
          by_level sum;
          unrolled<Q>([&]<std::size_t q> {
            if constexpr (series[q] != std::array<double, Q>{}) {
              double factor = 0.0;
              unrolled<Q>([&]<std::size_t p> {
                if constexpr (series[q][p] != 0.0) factor += series[q][p] * x[p];
              });
              sum.add(factor, powers[q]);
            }
          });
          return sum;
        };
        const by_level& size = weight.size[set][level];
        const by_level& signed_size = weight.signed_size[set][level];
        pull.add_product(signed_size, series_of.template operator()<even_slope>(of_both));
        pull.add_product(size, series_of.template operator()<odd_slope>(of_both));
        value_sum.add_product(size, series_of.template operator()<even_value>(of_above));
        value_sum.add_product(signed_size, series_of.template operator()<odd_value>(of_above));
        weight_sum.add_product(size, of_above[0]);
      }
      gradient_[i] += pull.sum();
      enter(above, list.upper, i, 1.0);
    }
    totals_.value += value_sum.sum();
    totals_.weight += weight_sum.sum();
  }

  /// Pairs of places [begin, end), one by one.
  void near_pairs(const list_type& list, std::size_t begin, std::size_t end) {
    const std::size_t first_end = std::min(end, list.counted);
    if (begin >= first_end) return;
    const pair_items<T> items{begin, end, near_scores_, near_levels_, list.weights, near_gradient_, {}};
    const channel_weights<Arch, T, C, Graded> weights{list.upper, list.lower, near_gains_};
    Function function{};  // natural logarithms
    function.temperature = near_unit_ / scale_;
    const auto loop = [&](const auto& of_pair) {
      return loop_over_places<Arch, false>(items, first_end, of_pair, weights, static_cast<T>(wrong_sign_));
    };
    const std::span<const double> scores = list.scores.subspan(begin, end - begin);
    const bool shares = fill_exponentials<Arch, T>(scores, scores.back(), scores.front(), scale_, near_exponentials_.subspan(begin));
    const pair_totals near = shares ? loop(by_shares<Arch, T, Function>{function, near_exponentials_}) : loop(by_difference<Function>{function});
    totals_.value += near.value;
    totals_.weight += near.weight;
    for (std::size_t i = begin; i < end; ++i) {
      gradient_[i] += function.temperature * static_cast<double>(near_gradient_[i]);
      near_gradient_[i] = T{0};
    }
  }

  double scale_;
  double wrong_sign_;
  std::span<double> gradient_;
  workspace& scratch_;
  pair_totals totals_;
  // Of the list at hand, by place.
  std::span<std::uint32_t> buckets_;
  std::span<const double> gains_;
  std::span<T> near_levels_, near_gains_, near_scores_, near_exponentials_, near_gradient_;
  double near_unit_ = 1.0;  ///< near_scores_ are the scores times that
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
