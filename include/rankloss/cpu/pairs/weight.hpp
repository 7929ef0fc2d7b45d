// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/pieces.hpp>
#include <rankloss/detail/data/extremes.hpp>
#include <rankloss/detail/pairs/gain_difference.hpp>
#include <rankloss/detail/pairs/near_numbers.hpp>
#include <rankloss/detail/pairs/ordered_items.hpp>
#include <rankloss/detail/pairs/weight_channels.hpp>
#include <rankloss/pairs/weight.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// pair_weight: a weight of pairs together with its computation. A weight without a specialisation provides
/// these members itself:
///
///     prepare<Arch, S>(list, order, scratch)
///         The weights of all pairs: with of_item = weights.at(i), of_item(j) is a vector of the weights of
///         the pairs of position i with the positions from j on. Where all ordered pairs count, an array by
///         position instead: the weight of the pairs whose first item is at that position.
///     in_score_order
///         Declares that positions must be by score.
///     exponent(list)
///         Weights are divided by 2^exponent. Without this member they are not divided.
///     fill<Arch>(list, order, channels, scratch), channel_count, wrong_sign
///         Weights as sums of products, see weight_channels.hpp.
///     differences
///         Declares that these sums are products of differences, in the order that weight_channels.hpp has.
///     fill_by_level<Arch>(list, order, numbers, channels, gains, scratch), level_channel_count
///         The same for few levels, whose numbers the items have, without the factor that is the difference of the gains
///         of the two levels.
///     by_distance()
///         A factor: by_distance() (1/D(m) - 1/D(m + 1)), m being the distance of the two ranks, is added to what channels
///         give, if there are any.
template <class Weight>
struct pair_weight : Weight {};

/// The exponent e by which weights computed from very large or very small relevance are scaled: they are
/// divided by 2^e. It is 0 for other lists.
template <class T, class R>
[[nodiscard]] int relevance_exponent(const list<T, R>& items) noexcept {
  if (items.size() == 0) return 0;
  const auto [least, most] = extremes_of(items.relevance);
  const double largest = std::max(std::abs(static_cast<double>(least)), std::abs(static_cast<double>(most)));
  return largest > 0.0 && !(largest >= 1e-10 && largest <= 1e10)
             ? std::clamp(std::ilogb(largest), -1022, 1022)
             : 0;
}

/// The gain rule of a weight.
template <class Weight>
[[nodiscard]] gain_rule gain_rule_of(const Weight& weight) noexcept {
  return {weight.gain, weight.gain_table, weight.scale == pairs::scale_by::ideal, weight.cutoff};
}

template <>
struct pair_weight<pairs::equal> : pairs::equal {
  template <class Arch, class S>
  struct pair_weights {
    using V = xsimd::batch<S, Arch>;
    struct pairs_of_item {
      [[gnu::always_inline]] V operator()(std::size_t) const noexcept { return V(S(1)); }
    };
    [[nodiscard]] pairs_of_item at(std::size_t) const noexcept { return {}; }
  };
  template <class Arch, class S, class T, class R>
  [[nodiscard]] pair_weights<Arch, S> prepare(const list<T, R>&, const ordered_items&,
                                              workspace&) const noexcept {
    return {};
  }

  static constexpr std::size_t channel_count = 1;
  static constexpr double wrong_sign = 1.0;
  template <class Arch, class S, class T, class R>
  void fill(const list<T, R>&, const ordered_items& at, const weight_channels<S, 1>& to,
            workspace& scratch) const {
    const std::span<S> upper = to.upper[0], lower = to.lower[0];
    for_each_item(scratch, at.size(), [=](std::size_t p) { upper[p] = lower[p] = S{1}; });
  }
};

template <>
struct pair_weight<pairs::relevance_difference> : pairs::relevance_difference {
  template <class Arch, class S>
  struct pair_weights {
    near_numbers<Arch, S> y;
    struct pairs_of_item {
      typename near_numbers<Arch, S>::pairs_of_item y;
      [[gnu::always_inline]] xsimd::batch<S, Arch> operator()(std::size_t j) const noexcept {
        return xsimd::abs(y(j));
      }
    };
    [[nodiscard]] pairs_of_item at(std::size_t i) const noexcept { return {y.at(i)}; }
  };
  template <class Arch, class S, class T, class R>
  [[nodiscard]] pair_weights<Arch, S> prepare(const list<T, R>& items, const ordered_items& at,
                                              workspace& scratch) const {
    const near_numbers<Arch, S> y(at.size(), scratch);
    const double unit = std::ldexp(1.0, -relevance_exponent(items));
    for (std::size_t p = 0; p < at.size(); ++p) y.set(p, value(items, at.item[p], unit));
    return {y};
  }

  static constexpr std::size_t channel_count = 2;
  static constexpr bool differences = true;
  static constexpr double wrong_sign = -1.0;
  template <class Arch, class S, class T, class R>
  void fill(const list<T, R>& items, const ordered_items& at, const weight_channels<S, 2>& to,
            workspace& scratch) const {
    if (at.size() == 0) return;
    const double unit = std::ldexp(1.0, -relevance_exponent(items));
    const double centre = value(items, at.item[at.size() / 2], unit);  // as in gains_by_position
    for_each_item(scratch, at.size(), [=, *this](std::size_t p) {
      to.upper[0][p] = static_cast<S>(value(items, at.item[p], unit) - centre);
      to.lower[1][p] = -to.upper[0][p];
      to.lower[0][p] = to.upper[1][p] = S(1);
    });
  }

  template <class T, class R>
  [[nodiscard]] int exponent(const list<T, R>& items) const noexcept {
    return (of == pairs::difference_of::squares ? 2 : 1) * relevance_exponent(items);
  }

 private:
  template <class T, class R>
  [[nodiscard]] double value(const list<T, R>& items, std::size_t i, double unit) const noexcept {
    const double y = static_cast<double>(items.relevance[i]) * unit;
    return of == pairs::difference_of::squares ? y * y : y;
  }
};

template <>
struct pair_weight<pairs::delta_ndcg> : pairs::delta_ndcg {
  template <class T, class R>
  [[nodiscard]] int exponent(const list<T, R>& items) const {
    return gain_exponent(gain_rule_of(*this), items);
  }

  template <class Arch, class S, class T, class R>
  [[nodiscard]] auto prepare(const list<T, R>& items, const ordered_items& at, workspace& scratch) const {
    return prepare_gain_difference<Arch, S, true, false>(gain_rule_of(*this), cutoff, 0.0, items, at,
                                                         scratch);
  }

  static constexpr std::size_t channel_count = 4;
  static constexpr bool differences = true;
  static constexpr double wrong_sign = -1.0;
  /// (G_u - G_l) (d_u - d_l)
  template <class Arch, class S, class T, class R>
  void fill(const list<T, R>& items, const ordered_items& at, const weight_channels<S, 4>& to,
            workspace& scratch) const {
    const std::size_t n = at.size();
    gains_by_position<Arch>(
        gain_rule_of(*this), items, at, true,
        [to](std::size_t p, double value) { to.lower[2][p] = static_cast<S>(value); }, scratch);
    discounts_by_position<Arch>(cutoff, at, to.lower[1].first(n), scratch);
    for_each_item(scratch, n, [=](std::size_t p) {
      const S g = to.lower[2][p];
      const S d = to.lower[1][p];
      to.upper[0][p] = to.lower[3][p] = g * d;
      to.upper[1][p] = -g;
      to.upper[2][p] = -d;
      to.upper[3][p] = to.lower[0][p] = S(1);
    });
  }

  /// With few levels the gains are kept by level, and half the channels suffice: |G_u - G_l| (d_u - d_l).
  static constexpr std::size_t level_channel_count = 2;
  template <class Arch, class S, class T, class R>
  void fill_by_level(const list<T, R>& items, const ordered_items& at, std::span<const std::uint32_t> numbers,
                     const weight_channels<S, 2>& to, std::span<double> gains, workspace& scratch) const {
    gains_by_level<Arch>(gain_rule_of(*this), items, numbers, gains, scratch);
    discount_channels<Arch>(cutoff, at, to, scratch);
  }
  /// d_u - d_l
  template <class Arch, class S>
  static void discount_channels(std::size_t cutoff, const ordered_items& at, const weight_channels<S, 2>& to,
                                workspace& scratch) {
    const std::size_t n = at.size();
    discounts_by_position<Arch>(cutoff, at, to.upper[0].first(n), scratch);
    for_each_item(scratch, n, [=](std::size_t p) {
      to.lower[1][p] = -to.upper[0][p];
      to.lower[0][p] = to.upper[1][p] = S(1);
    });
  }
};

template <>
struct pair_weight<pairs::ndcg_loss2> : pairs::ndcg_loss2 {
  static constexpr bool in_score_order = true;

  template <class T, class R>
  [[nodiscard]] int exponent(const list<T, R>& items) const {
    return gain_exponent(gain_rule_of(*this), items);
  }

  template <class Arch, class S, class T, class R>
  [[nodiscard]] auto prepare(const list<T, R>& items, const ordered_items& at, workspace& scratch) const {
    return prepare_gain_difference<Arch, S, false, true>(gain_rule_of(*this), 0, 1.0, items, at, scratch);
  }

  static constexpr std::size_t level_channel_count = 0;
  template <class Arch, class S, class T, class R>
  void fill_by_level(const list<T, R>& items, const ordered_items&, std::span<const std::uint32_t> numbers,
                     const weight_channels<S, 0>&, std::span<double> gains, workspace& scratch) const {
    gains_by_level<Arch>(gain_rule_of(*this), items, numbers, gains, scratch);
  }
  [[nodiscard]] double by_distance() const noexcept { return 1.0; }
};

template <>
struct pair_weight<pairs::ndcg_loss2_plus> : pairs::ndcg_loss2_plus {
  static constexpr bool in_score_order = true;

  template <class T, class R>
  [[nodiscard]] int exponent(const list<T, R>& items) const {
    return gain_exponent(gain_rule_of(*this), items);
  }

  template <class Arch, class S, class T, class R>
  [[nodiscard]] auto prepare(const list<T, R>& items, const ordered_items& at, workspace& scratch) const {
    return prepare_gain_difference<Arch, S, true, true>(gain_rule_of(*this), 0, mu, items, at, scratch);
  }

  static constexpr std::size_t level_channel_count = 2;
  static constexpr bool differences = true;
  template <class Arch, class S, class T, class R>
  void fill_by_level(const list<T, R>& items, const ordered_items& at, std::span<const std::uint32_t> numbers,
                     const weight_channels<S, 2>& to, std::span<double> gains, workspace& scratch) const {
    gains_by_level<Arch>(gain_rule_of(*this), items, numbers, gains, scratch);
    pair_weight<pairs::delta_ndcg>::discount_channels<Arch>(0, at, to, scratch);
  }
  [[nodiscard]] double by_distance() const noexcept { return mu; }
};

template <>
struct pair_weight<pairs::ndcg_loss1> : pairs::ndcg_loss1 {
  template <class T, class R>
  [[nodiscard]] int exponent(const list<T, R>& items) const {
    return gain_exponent(gain_rule_of(*this), items);
  }

  template <class Arch, class S, class T, class R>
  [[nodiscard]] std::span<const S> prepare(const list<T, R>& items, const ordered_items& at,
                                           workspace& scratch) const {
    const std::size_t n = at.size();
    const std::span<S> weights = padded<S, Arch>(n, scratch);
    gains_by_position<Arch>(
        gain_rule_of(*this), items, at, false,
        [weights](std::size_t p, double value) { weights[p] = static_cast<S>(value); }, scratch);
    const workspace::scope scope(scratch);
    const std::span<S> discounts = scratch.take<S>(n);
    discounts_by_position<Arch>(0, at, discounts, scratch);
    for (std::size_t p = 0; p < n; ++p) weights[p] *= discounts[p];
    return weights;
  }
};

template <>
struct pair_weight<pairs::arp_loss1> : pairs::arp_loss1 {
  template <class Arch, class S, class T, class R>
  [[nodiscard]] std::span<const S> prepare(const list<T, R>& items, const ordered_items& at,
                                           workspace& scratch) const {
    const std::span<S> weights = padded<S, Arch>(at.size(), scratch);
    const double unit = std::ldexp(1.0, -exponent(items));
    for (std::size_t p = 0; p < at.size(); ++p)
      weights[p] = static_cast<S>(std::max(static_cast<double>(items.relevance[at.item[p]]), 0.0) * unit);
    return weights;
  }

  template <class T, class R>
  [[nodiscard]] int exponent(const list<T, R>& items) const noexcept {
    return relevance_exponent(items);
  }
};

template <>
struct pair_weight<pairs::delta_map> : pairs::delta_map {
  static constexpr bool in_score_order = true;

  template <class Arch, class S>
  struct pair_weights {
    near_numbers<Arch, S> above, below;
    [[nodiscard]] auto at(std::size_t i) const noexcept { return above.at(i, below); }
  };
  template <class Arch, class S, class T, class R>
  [[nodiscard]] pair_weights<Arch, S> prepare(const list<T, R>& items, const ordered_items& at,
                                              workspace& scratch) const {
    const pair_weights<Arch, S> weights{{at.size(), scratch}, {at.size(), scratch}};
    for_each_change(items, at, [&](std::size_t p, double up, double down) {
      weights.above.set(p, up);
      weights.below.set(p, down);
    });
    return weights;
  }

  static constexpr std::size_t channel_count = 2;
  static constexpr bool differences = true;
  static constexpr double wrong_sign = 1.0;
  template <class Arch, class S, class T, class R>
  void fill(const list<T, R>& items, const ordered_items& at, const weight_channels<S, 2>& to,
            workspace&) const {
    for_each_change(items, at, [&](std::size_t p, double up, double down) {
      to.upper[0][p] = static_cast<S>(up);
      to.lower[1][p] = -static_cast<S>(down);
      to.lower[0][p] = to.upper[1][p] = S(1);
    });
  }

 private:
  /// of(p, up, down) for every position p; the weight of p above q is up(p) - down(q).
  ///
  /// Let c_r be the number of relevant items among the first r, and h_r the sum of 1/rank over them. Moving a
  /// relevant item from rank q up to p < q, or down from p to q, changes c_r / r at both ends, and adds or
  /// subtracts 1 / r for each relevant item at a rank r in between. The sums h are relative to that at the middle of the
  /// list: a weight is a difference of two, and most are of ranks whose sums are near to that one.
  template <class T, class R, class Of>
  static void for_each_change(const list<T, R>& items, const ordered_items& at, const Of& of) {
    double relevant = 0.0;
    for (std::size_t i = 0; i < items.size(); ++i) relevant += items.relevance[i] > R{0} ? 1.0 : 0.0;
    const double share = relevant > 0.0 ? 1.0 / relevant : 0.0;
    double count = 0.0;
    double harmonic = 0.0;
    for (std::size_t p = 0; p < at.size() / 2; ++p)
      if (items.relevance[at.item[p]] > R{0}) harmonic -= 1.0 / static_cast<double>(p + 1);
    for (std::size_t p = 0; p < at.size(); ++p) {
      const double rank = static_cast<double>(p + 1);
      const bool is_relevant = items.relevance[at.item[p]] > R{0};
      const double before = harmonic;
      if (is_relevant) {
        count += 1.0;
        harmonic += 1.0 / rank;
      }
      of(p, share * ((is_relevant ? count : count + 1.0) / rank - harmonic), share * (count / rank - before));
    }
  }
};

template <>
struct pair_weight<pairs::delta_mrr> : pairs::delta_mrr {
  static constexpr bool in_score_order = true;

  template <class Arch, class S, class T, class R>
  [[nodiscard]] auto prepare(const list<T, R>& items, const ordered_items& at, workspace& scratch) const {
    return prepare_two<Arch, S>(*this, items, at, scratch);
  }

  static constexpr std::size_t channel_count = 2;
  static constexpr double wrong_sign = 1.0;
  /// One channel for an item that moves above the first relevant one, one for the first relevant item that
  /// moves down.
  template <class Arch, class S, class T, class R>
  void fill(const list<T, R>& items, const ordered_items& at, const weight_channels<S, 2>& to,
            workspace&) const {
    const auto relevant = [&](std::size_t p) { return items.relevance[at.item[p]] > R{0}; };
    const std::size_t n = at.size();
    std::size_t first = 0;
    while (first < n && !relevant(first)) ++first;
    std::size_t second = first + 1;
    while (second < n && !relevant(second)) ++second;
    // 1 / rank of p minus 1 / rank of q, as one quotient: deep ranks differ by little of their reciprocals.
    const auto apart = [](std::size_t p, std::size_t q) {
      return static_cast<double>(q - p) / (static_cast<double>(p + 1) * static_cast<double>(q + 1));
    };
    for (std::size_t p = 0; p < n; ++p) {
      to.upper[0][p] = static_cast<S>(p < first && first < n ? apart(p, first) : 0.0);
      to.lower[0][p] = S(relevant(p) ? 1 : 0);
      to.upper[1][p] = S(p == first ? 1 : 0);
      to.lower[1][p] =
          static_cast<S>(relevant(p) || p < first || first >= n ? 0.0 : apart(first, std::min(p, second)));
    }
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
