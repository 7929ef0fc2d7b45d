// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/precision.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cstddef>
#include <span>

/// Sums over the pairs of a list, pair by pair: O(n^2) time and O(n) memory, with one vector of pairs at a
/// time. Lanes are float or double: a pair needs no more digits than its scores have, only long sums need
/// more.
namespace rankloss::inline RANKLOSS_ABI::detail {

/// What the loops read and write for the items at positions [begin, end). Each array must be padded by one
/// vector behind the end: the loops may read it and add 0 to it.
template <class S>
struct pair_items {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::span<const S> scores;
  std::span<const S> levels;   ///< the item of the higher level is the more relevant one
  std::span<const S> weights;  ///< of a pair's more relevant item; empty: all 1
  std::span<S> gradient;       ///< added to
  std::span<S> hessian;        ///< added to; empty: not wanted
};

/// Moves the sums of the items from `begin` on to `to`, or none where there are none.
template <class S>
void move_sums(std::span<S> sums, std::size_t begin, std::span<double> to) noexcept {
  for (std::size_t p = begin; p < to.size(); ++p) {
    to[p] += static_cast<double>(sums[p]);
    sums[p] = S{0};
  }
}

/// Sums over all pairs.
struct pair_totals {
  double value = 0.0;
  double weight = 0.0;  ///< sum of the weights of the pairs
  double count = 0.0;   ///< number of the pairs

  void add(const pair_totals& more) noexcept {
    value += more.value;
    weight += more.weight;
    count += more.count;
  }
};

/// A function of `pairs` in the form that the loops call: at(i)(j, d, relevance_gap) where item i is
/// preferred to all items j of the vector, and at(i)(j, preferred, d, relevance_gap) where it need not be. d
/// is the score of item i minus that of item j.
template <class Function>
struct by_difference {
  Function function;

  struct pairs_of_item {
    // Held by value: otherwise the compiler would have to assume that stores through pointers to S may change
    // it.
    Function function;
    template <class V>
    [[gnu::always_inline]] auto operator()(std::size_t, const V& d, const V& relevance_gap) const noexcept {
      return function(d, relevance_gap);
    }
    template <class Preferred, class V>
    [[gnu::always_inline]] auto operator()(std::size_t, const Preferred& preferred, const V& d,
                                           const V& relevance_gap) const noexcept {
      return function(xsimd::select(preferred, d, -d), relevance_gap);
    }
  };
  [[nodiscard]] pairs_of_item at(std::size_t) const noexcept { return {function}; }
};

/// Writes, by position, exp(scale (s - c)) with c the middle of [least, most], followed by one vector of
/// ones. Returns `false` and writes nothing where the range is too wide. Sums of two of these exponentials,
/// and their reciprocals, are normal numbers of S: the distances below the greatest score are in [0, 2 half]
/// after rounding, so the exponents are in [-half, half], with half <= 80 (650 in double). This holds however
/// a centre that is itself a score would be rounded. exp(80) = 5.6e34, exp(650) = 2e282. The exponentials are
/// computed in double, which leaves enough digits for float at an exponent of 80.
template <class Arch, class S, class Score>
[[nodiscard]] bool fill_exponentials(std::span<const Score> scores, Score least, Score most, double scale,
                                     std::span<S> to) {
  using V = lanes<Arch>;
  constexpr std::size_t w = lane_count<Arch>;
  constexpr double widest = by_precision<S>(160.0, 1300.0);
  const double width = (static_cast<double>(most) - static_cast<double>(least)) * scale;
  if (!(width <= widest)) return false;
  const V top(static_cast<double>(most));
  const V half(0.5 * width);
  const auto exponentials = [&](const Score* from) {
    const V below = xsimd::fma(top - load_row<Arch>(from), V(scale), -half);
    if constexpr (single_precision<S>)
      return exp_minus_near<Arch>(below, exp2m1_7);
    else
      return exp_minus_near<Arch>(below, exp2m1_12);
  };
  const std::size_t n = scores.size();
  std::size_t i = 0;
  for (; i + w <= n; i += w) store_row<Arch>(to.data() + i, exponentials(scores.data() + i));
  if (i < n) {
    Score tail[w];
    S last[w];
    std::fill_n(tail, w, most);
    std::copy_n(scores.data() + i, n - i, tail);
    store_row<Arch>(last, exponentials(tail));
    std::copy_n(last, n - i, to.data() + i);
  }
  std::fill_n(to.data() + n, xsimd::batch<S, Arch>::size, S{1});
  return true;
}

/// Logistic and sigmoid functions from one exponential per item instead of one per pair: with E_i = exp(s_i /
/// t), sigmoid((s_i - s_j) / t) is the probability E_i / (E_i + E_j). For lists whose E can be made by
/// `fill_exponentials`. Probabilities are opaque: under -ffast-math a small E would otherwise be multiplied by the weight
/// of the pair first, and what is below the normal numbers then becomes 0.
template <class Arch, class S, class Function>
struct by_probabilities {
  using V = xsimd::batch<S, Arch>;
  Function function;
  std::span<const S> exponentials;  ///< [n], and a vector of padding that is not 0

  struct pairs_of_item {
    Function function;
    const S* exponentials;
    V own;
    [[gnu::always_inline]] auto operator()(std::size_t j, const V& d, const V&) const noexcept {
      const V other = V::load_unaligned(exponentials + j);
      const V inverse = V(S(1)) / (own + other);
      return function.of_probabilities(opaque(other * inverse), opaque(xsimd::min(own, other) * inverse), -d);
    }
    template <class Preferred>
    [[gnu::always_inline]] auto operator()(std::size_t j, const Preferred& preferred, const V& d,
                                           const V&) const noexcept {
      const V other = V::load_unaligned(exponentials + j);
      const V inverse = V(S(1)) / (own + other);
      return function.of_probabilities(opaque(xsimd::select(preferred, other, own) * inverse),
                                       opaque(xsimd::min(own, other) * inverse),
                                       xsimd::select(preferred, -d, d));
    }
  };
  [[nodiscard]] pairs_of_item at(std::size_t i) const noexcept {
    return {function, exponentials.data(), V(exponentials[i])};
  }
};

/// Sums over pairs in registers: gradient and Hessian over the pairs of one item, the others over those of
/// several.
template <class V>
struct item_sums {
  using S = typename V::value_type;
  V value = V(S(0)), weight = V(S(0)), count = V(S(0)), gradient = V(S(0)), hessian = V(S(0));

  /// Ends the pairs of item i. The sums across lanes that belong to no single item are taken once every 8
  /// items: they cost as much as several vectors of pairs, and a float lane is accurate enough for the sum of
  /// a few items.
  template <bool Hessian>
  [[gnu::always_inline]] void end_item(const pair_items<S>& items, std::size_t i, pair_totals& totals) {
    items.gradient[i] += sum_of(gradient);
    gradient = V(S(0));
    if constexpr (Hessian) {
      items.hessian[i] += sum_of(hessian);
      hessian = V(S(0));
    }
    if (i % 8 == 7) flush(totals);
  }
  void flush(pair_totals& totals) {
    totals.value += static_cast<double>(sum_of(value));
    totals.weight += static_cast<double>(sum_of(weight));
    totals.count += static_cast<double>(sum_of(count));
    value = weight = count = V(S(0));
  }
};

/// Adds a vector of pairs of one item with the items from j on. Contributions to the one item are added in
/// registers, contributions to the others in memory.
template <bool Hessian, class S, class V>
[[gnu::always_inline]] inline void add_pairs(const pair_items<S>& items, std::size_t j, const V& value,
                                             const V& slope, const V& bend, item_sums<V>& own) {
  own.value = own.value + value;
  own.gradient = own.gradient + slope;
  (V::load_unaligned(items.gradient.data() + j) - slope).store_unaligned(items.gradient.data() + j);
  if constexpr (Hessian) {
    own.hessian = own.hessian + bend;
    (V::load_unaligned(items.hessian.data() + j) + bend).store_unaligned(items.hessian.data() + j);
  }
}

/// Item weights as the loops read them. Where none are given, every read returns the same vector of ones, so
/// that the loops need no branch.
template <class Arch, class S>
class weight_reader {
  using V = xsimd::batch<S, Arch>;

 public:
  explicit weight_reader(std::span<const S> given) noexcept
      : from_(given.empty() ? ones_ : given.data()), stride_(given.empty() ? 0 : 1) {
    std::fill_n(ones_, V::size, S{1});
  }
  weight_reader(const weight_reader&) = delete;
  weight_reader& operator=(const weight_reader&) = delete;
  [[nodiscard]] [[gnu::always_inline]] V operator()(std::size_t j) const noexcept {
    return V::load_unaligned(from_ + j * stride_);
  }
  [[nodiscard]] S at(std::size_t i) const noexcept { return from_[i * stride_]; }

 private:
  alignas(64) S ones_[V::size];
  const S* from_;
  std::size_t stride_;
};

/// Sums of w(i, j) f(s_i - s_j) over the pairs of different level whose first position is below first_end. The
/// items are in descending order of level, so every item is preferred to all items behind its own level.
template <class Arch, bool Hessian, class S, class Function, class Weights>
pair_totals loop_over_levels(const pair_items<S> items, std::size_t first_end, const Function& function,
                             const Weights& weights) {
  using V = xsimd::batch<S, Arch>;
  constexpr std::size_t w = V::size;
  const V zero(S(0));
  const V lane = lane_numbers<V>();
  pair_totals totals;
  item_sums<V> own;
  for (std::size_t i = items.begin, next = i; i < first_end; ++i) {
    if (i == next)
      while (next < items.end && items.levels[next] == items.levels[i]) ++next;
    if (next == items.end) break;
    const V score(items.scores[i]);
    const V level(items.levels[i]);
    const V own_weight(items.weights.empty() ? S(1) : items.weights[i]);
    const auto own_function = function.at(i);
    const auto own_weights = weights.at(i);
    const auto add = [&](std::size_t j, auto keep) {
      const V d = opaque(score - V::load_unaligned(items.scores.data() + j));  // before a margin is added
      const auto f = own_function(j, d, level - V::load_unaligned(items.levels.data() + j));
      const V factor = own_weight * own_weights(j);
      own.weight = own.weight + keep(factor);
      V bend(zero);
      if constexpr (Hessian) bend = keep(factor * f.curvature);
      add_pairs<Hessian>(items, j, keep(factor * f.value), keep(factor * f.slope), bend, own);
    };
    std::size_t j = next;
    for (; j + w <= items.end; j += w) add(j, [](const V& v) { return v; });
    if (j < items.end) {
      const auto inside = lane < V(static_cast<S>(items.end - j));
      add(j, [&](const V& v) { return xsimd::select(inside, v, zero); });
    }
    totals.count += static_cast<double>(items.end - next);
    own.template end_item<Hessian>(items, i, totals);
  }
  own.flush(totals);
  return totals;
}

/// The same for items in any order of levels: over the pairs of positions i < first_end, j > i. Where item j
/// is preferred, the weight is multiplied by `later_preferred`. Factors: whether there are item weights or
/// later_preferred is not 1.
template <class Arch, bool Hessian, bool Factors, class S, class Function, class Weights>
pair_totals loop_over_positions(const pair_items<S> items, std::size_t first_end, const Function& function,
                                const Weights& weights, S later_preferred) {
  using V = xsimd::batch<S, Arch>;
  constexpr std::size_t w = V::size;
  const weight_reader<Arch, S> given(items.weights);
  const V later(later_preferred);
  const V zero(S(0));
  const V lane = lane_numbers<V>();
  pair_totals totals;
  item_sums<V> own;
  for (std::size_t i = items.begin; i < first_end; ++i) {
    const V score(items.scores[i]);
    const V level(items.levels[i]);
    const V own_weight(given.at(i));
    const auto own_function = function.at(i);
    const auto own_weights = weights.at(i);
    const auto add = [&](std::size_t j, const V& other) {
      const auto preferred = level > other;
      const auto counts = preferred || level < other;
      const V d = opaque(score - V::load_unaligned(items.scores.data() + j));  // before a margin is added
      const auto f = own_function(j, preferred, d, xsimd::abs(level - other));
      V factor = own_weights(j);
      if constexpr (Factors) factor = factor * xsimd::select(preferred, own_weight, later * given(j));
      const V slope = xsimd::select(counts, factor * f.slope, zero);
      own.weight = own.weight + xsimd::select(counts, factor, zero);
      own.count = own.count + xsimd::select(counts, V(S(1)), zero);
      V bend(zero);
      if constexpr (Hessian) bend = xsimd::select(counts, factor * f.curvature, zero);
      add_pairs<Hessian>(items, j, xsimd::select(counts, factor * f.value, zero),
                         xsimd::select(preferred, slope, -slope), bend, own);
    };
    std::size_t j = i + 1;
    for (; j + w <= items.end; j += w) add(j, V::load_unaligned(items.levels.data() + j));
    // Lanes beyond the end get the level of item i, so that their pairs do not count.
    if (j < items.end)
      add(j, xsimd::select(lane < V(static_cast<S>(items.end - j)),
                           V::load_unaligned(items.levels.data() + j), level));
    own.template end_item<Hessian>(items, i, totals);
  }
  own.flush(totals);
  return totals;
}

template <class Arch, bool Hessian, class S, class Function, class Weights>
pair_totals loop_over_positions(const pair_items<S> items, std::size_t first_end, const Function& function,
                                const Weights& weights, S later_preferred = S(1)) {
  return items.weights.empty() && later_preferred == S(1)
             ? loop_over_positions<Arch, Hessian, false>(items, first_end, function, weights, later_preferred)
             : loop_over_positions<Arch, Hessian, true>(items, first_end, function, weights, later_preferred);
}

/// The same over all ordered pairs of positions of which the first or the second is below first_end,
/// including the pair of an item with itself: weights[i] f(s_i - s_j).
template <class Arch, bool Hessian, class S, class Function>
pair_totals loop_over_all_pairs(const pair_items<S> items, std::size_t first_end, const Function& function,
                                std::span<const S> weights) {
  using V = xsimd::batch<S, Arch>;
  constexpr std::size_t w = V::size;
  const weight_reader<Arch, S> given(items.weights);
  const V zero(S(0));
  const V lane = lane_numbers<V>();
  pair_totals totals;
  item_sums<V> own;
  for (std::size_t i = items.begin; i < first_end; ++i) {
    const V score(items.scores[i]);
    const S own_weight = weights[i] * given.at(i);
    const auto own_function = function.at(i);
    for (std::size_t j = i + 1; j < items.end; j += w) {
      const auto inside = lane < V(static_cast<S>(std::min(items.end - j, w)));
      const V other = V::load_unaligned(weights.data() + j) * given(j);
      const V d = opaque(score - V::load_unaligned(items.scores.data() + j));  // before a margin is added
      const auto f = own_function(j, lane >= zero, d, zero);
      const auto g = own_function(j, lane < zero, d, zero);
      own.weight = own.weight + xsimd::select(inside, V(own_weight) + other, zero);
      V bend(zero);
      if constexpr (Hessian)
        bend = xsimd::select(inside, V(own_weight) * f.curvature + other * g.curvature, zero);
      add_pairs<Hessian>(items, j, xsimd::select(inside, V(own_weight) * f.value + other * g.value, zero),
                         xsimd::select(inside, V(own_weight) * f.slope - other * g.slope, zero), bend, own);
    }
    alignas(64) S with_itself[w];
    own_function(i, zero, zero).value.store_aligned(with_itself);
    totals.value += static_cast<double>(own_weight * with_itself[0]);
    totals.weight += static_cast<double>(own_weight);
    totals.count += 2.0 * static_cast<double>(items.end - i) - 1.0;
    own.template end_item<Hessian>(items, i, totals);
  }
  own.flush(totals);
  return totals;
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
