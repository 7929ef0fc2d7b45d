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

/// Exponents as they are computed: items are compared by them.
template <class Arch, class Exponents>
struct any_exponents {
  using V = lanes<Arch>;
  const Exponents& of;  ///< of(s): by_part of exponents, each a held_exponent or no_exponent

  [[nodiscard]] [[gnu::always_inline]] by_part<V> keys(const V& s) const noexcept { return of(s); }
  template <class Positive>
  [[nodiscard]] [[gnu::always_inline]] V below(const Positive&, const V& top, const V& key) const noexcept {
    return top - key;
  }
  [[nodiscard]] by_part<double> exponents(const by_part<double>& keys) const noexcept { return keys; }
  [[nodiscard]] double odds(const by_part<double>& keys) const noexcept {
    return keys.negative - keys.positive;
  }
};

/// Exponents sharpness * (key - base), by keys that are a score or minus it, or no_exponent. Items are
/// compared by their keys, of which differences are formed first: those of close scores are exact, and those
/// of products and of distances from a base are not.
template <class Arch, class Keys>
struct linear_exponents {
  using V = lanes<Arch>;
  by_part<double> sharpness;  ///< above 0
  by_part<double> base;       ///< the key whose exponent is 0
  const Keys& of;             ///< of(s): by_part of keys

  [[nodiscard]] [[gnu::always_inline]] by_part<V> keys(const V& s) const noexcept { return of(s); }
  template <class Positive>
  [[nodiscard]] [[gnu::always_inline]] V below(const Positive& positive, const V& top,
                                               const V& key) const noexcept {
    const V by = xsimd::select(positive, V(sharpness.positive), V(sharpness.negative));
    // Hidden, since a compiler that may reorder would multiply first.
    return xsimd::min(by * opaque(top - key), V(largest_term));
  }
  [[nodiscard]] by_part<double> exponents(const by_part<double>& keys) const noexcept {
    return {bounded_term(sharpness.positive * (keys.positive - base.positive)),
            bounded_term(sharpness.negative * (keys.negative - base.negative))};
  }
  /// For parts of one sharpness and one base.
  [[nodiscard]] double odds(const by_part<double>& keys) const noexcept {
    return bounded_term(sharpness.negative * (keys.negative - keys.positive));
  }
};

/// The logarithms of two sums of exponentials of a query, one over its positives, of relevance > 0, and one
/// over its negatives:
///
///     positives = log sum_p exp(x_p),  negatives = log sum_n exp(x_n)
///
/// The exponents x of scores s are those of any_exponents or linear_exponents. Scores beyond 1e290 count as
/// that. Sums are relative to the greatest exponent of their part, so nothing overflows. The scratch that it
/// takes must outlive it.
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
    // Pass 1: what the exponents are compared by, and the greatest of each part.
    V high_positive(no_exponent), high_negative(no_exponent);
    for_rows<Arch>(n_, [&](std::size_t i, auto count) {
      const by_part<V> x = exponents.keys(score(i, count));
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
      const V top = xsimd::select(positive, top_positive, top_negative);
      const V below = exponents.below(positive, top, V::load_aligned(e_ + i));
      const V own = only_items<Arch>(count, exp_below<T>(below));
      own.store_aligned(e_ + i);
      sum_positive += xsimd::select(positive, own, V(0.0));
      sum += xsimd::select(positive, V(0.0), own);
    });
    const by_part<double> greatest{largest_lane(high_positive), largest_lane(high_negative)};
    const by_part<double> tops = exponents.exponents(greatest);
    positives_ = {tops.positive, sum_of(sum_positive), is_exponent(greatest.positive)};
    negatives_ = {tops.negative, sum_of(sum), is_exponent(greatest.negative)};
    apart_ = exponents.odds(greatest);
  }

  [[nodiscard]] double positives() const noexcept { return positives_.logarithm(); }
  [[nodiscard]] double negatives() const noexcept { return negatives_.logarithm(); }
  /// negatives() - positives(), without the rounding of their sizes; no_exponent where one of them is empty.
  [[nodiscard]] double log_odds() const noexcept {
    if (positives_.empty() || negatives_.empty()) return no_exponent;
    return apart_ + std::log(negatives_.total / positives_.total);
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
    double top = 0.0, total = 0.0;
    bool any = false;

    [[nodiscard]] bool empty() const noexcept { return !any; }
    [[nodiscard]] double logarithm() const noexcept { return empty() ? no_exponent : top + std::log(total); }
    [[nodiscard]] double inverse() const noexcept { return empty() ? 0.0 : 1.0 / total; }
  };

  [[nodiscard]] static bool is_exponent(double key) noexcept { return key > 0.5 * no_exponent; }
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
  double* e_;  // [n] the keys, then exp(x_i - the greatest of the part of i)
  log_sum positives_, negatives_;
  double apart_ = 0.0;  // greatest exponent of the negatives minus that of the positives
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
