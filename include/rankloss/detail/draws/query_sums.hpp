// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/softplus.hpp>
#include <rankloss/detail/data/contiguous_items.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// A number for an item that is a positive, and another one for the same item if it is a negative.
template <class V>
struct by_part {
  V positive, negative;
};

/// An exponent, as 1e290 where it is beyond that.
template <class Arch>
[[nodiscard]] [[gnu::always_inline]] inline lanes<Arch> held_exponent(const lanes<Arch>& x) noexcept {
  return xsimd::min(xsimd::max(x, lanes<Arch>(-largest_term)), lanes<Arch>(largest_term));
}

/// The logarithms of two sums of exponentials of a query, one over its positives, of relevance > 0, and one
/// over its negatives:
///
///     positives = log sum_p exp(x_p),  negatives = log sum_n exp(x_n)
///
/// `exponents(s)` gives x as a by_part of lanes for scores s: each a held_exponent or no_exponent. Scores
/// beyond 1e290 count as that. Sums are relative to the greatest exponent of their part, so nothing
/// overflows. The scratch that it takes must outlive it.
template <class Arch, class T, class R>
class query_sums {
  using V = lanes<Arch>;

 public:
  template <class Exponents>
  query_sums(const list<T, R>& items, workspace& scratch, const Exponents& exponents)
      : scratch_(scratch),
        n_(items.size()),
        s_(contiguous_items(items.scores, scratch)),
        y_(contiguous_items(items.relevance, scratch)),
        e_(scratch.take<double>(padded_rows(n_, lane_count<Arch>)).data()) {
    // Pass 1: the exponents and the greatest of each part.
    V high_positive(no_exponent), high_negative(no_exponent);
    for_rows<Arch>(n_, [&](std::size_t i, auto count) {
      const by_part<V> x = exponents(score(i, count));
      const auto positive = is_positive(i, count);
      const V listed = only_listed(count, xsimd::select(positive, x.positive, x.negative));
      high_positive = xsimd::max(high_positive, xsimd::select(positive, listed, V(no_exponent)));
      high_negative = xsimd::max(high_negative, xsimd::select(positive, V(no_exponent), listed));
      listed.store_aligned(e_ + i);
    });
    const V top_positive(largest_lane(high_positive)), top_negative(largest_lane(high_negative));
    // Pass 2: their exponentials and the sums of them.
    V sum(0.0), sum_positive(0.0);
    for_rows<Arch>(n_, [&](std::size_t i, auto count) {
      const auto positive = is_positive(i, count);
      const V below = xsimd::select(positive, top_positive, top_negative) - V::load_aligned(e_ + i);
      const V own = only_items<Arch>(count, exp_below<T>(below));
      own.store_aligned(e_ + i);
      sum_positive += xsimd::select(positive, own, V(0.0));
      sum += xsimd::select(positive, V(0.0), own);
    });
    positives_ = {largest_lane(high_positive), sum_of(sum_positive)};
    negatives_ = {largest_lane(high_negative), sum_of(sum)};
  }

  [[nodiscard]] double positives() const noexcept { return positives_.logarithm(); }
  [[nodiscard]] double negatives() const noexcept { return negatives_.logarithm(); }
  /// negatives() - positives(), without the rounding of their sizes; no_exponent where one of them is empty.
  [[nodiscard]] double log_odds() const noexcept {
    if (positives_.empty() || negatives_.empty()) return no_exponent;
    return (negatives_.top - positives_.top) + std::log(negatives_.total / positives_.total);
  }
  [[nodiscard]] bool has_positives() const noexcept { return !positives_.empty(); }
  [[nodiscard]] bool has_negatives() const noexcept { return !negatives_.empty(); }

  /// The gradient of a function whose derivatives by the two logarithms are `by_positives` and
  /// `by_negatives`. `slopes(s)` are the derivatives of the exponents by s. Call it once: it reuses the
  /// exponentials.
  template <class Slopes>
  void differentiate(double by_positives, double by_negatives, const Slopes& slopes,
                     const strided<T>& gradient) const {
    if (gradient.empty()) return;
    const V largest(static_cast<double>(std::numeric_limits<T>::max()));
    const V of_positives(by_positives * positives_.inverse()),
        of_negatives(by_negatives * negatives_.inverse());
    T* g = contiguous_output(gradient, scratch_);
    for_rows<Arch>(n_, [&](std::size_t i, auto count) {
      const by_part<V> slope = slopes(score(i, count));
      const auto positive = is_positive(i, count);
      const V share = V::load_aligned(e_ + i) * xsimd::select(positive, of_positives, of_negatives);
      const V own = xsimd::select(positive, slope.positive, slope.negative);
      store_items<Arch>(g + i, count, xsimd::min(xsimd::max(share * own, -largest), largest));
    });
    spread(g, gradient);
  }

 private:
  /// A sum of exponentials as exp(top) * total.
  struct log_sum {
    double top = no_exponent, total = 0.0;

    [[nodiscard]] bool empty() const noexcept { return !(top > 0.5 * no_exponent); }
    [[nodiscard]] double logarithm() const noexcept { return empty() ? no_exponent : top + std::log(total); }
    [[nodiscard]] double inverse() const noexcept { return empty() ? 0.0 : 1.0 / total; }
  };

  template <class Count>
  [[gnu::always_inline]] V score(std::size_t i, Count count) const noexcept {
    const V largest(std::min(largest_term, static_cast<double>(std::numeric_limits<T>::max())));
    return xsimd::min(xsimd::max(load_items<Arch>(s_ + i, count), -largest), largest);
  }
  template <class Count>
  [[gnu::always_inline]] auto is_positive(std::size_t i, Count count) const noexcept {
    return load_items<Arch>(y_ + i, count) > V(0.0);
  }
  /// What a row that is not full holds behind its items is no exponent.
  template <class Count>
  [[gnu::always_inline]] static V only_listed(Count count, const V& x) noexcept {
    if constexpr (std::is_same_v<Count, whole_row<Arch>>)
      return x;
    else
      return xsimd::select(lane_numbers<V>() < V(static_cast<double>(count)), x, V(no_exponent));
  }
  [[nodiscard]] static double largest_lane(const V& x) noexcept {
    alignas(64) double row[lane_count<Arch>];
    x.store_aligned(row);
    return *std::max_element(row, row + lane_count<Arch>);
  }

  workspace& scratch_;
  std::size_t n_;
  const T* s_;
  const R* y_;
  double* e_;  // [n] the exponents, then exp(x_i - the greatest of the part of i)
  log_sum positives_, negatives_;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
