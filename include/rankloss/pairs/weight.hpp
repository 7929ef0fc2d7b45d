// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/extremes.hpp>
#include <rankloss/detail/gains/fill_gains.hpp>
#include <rankloss/detail/gains/ideal_dcg.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/gain.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>
#include <string_view>

/// Weights of pairs, which `pairwise` multiplies with the function of a pair. Weights by position take
/// positions in the order of the scores, with equal scores in the order of the items. The gradient takes them
/// as constants; they jump where two items change places. Items that are alike in score, relevance and weight
/// have the mean of the slopes that they have in all orders of these items. Weights that use gains, or
/// relevance as a factor, refuse relevance below 0.
namespace rankloss::inline RANKLOSS_ABI::pairs {

/// Whether weights are divided by the ideal DCG of the list.
enum class scale_by {
  ideal,  ///< lists count the same for any number of relevant items; without gain the weights are 0
  none,   ///< not divided; grades up to 100
};

namespace detail {

template <class S, class Arch>
using row_of = xsimd::batch<S, Arch>;

/// The item at each place, and the rank of each place by score, from 0. For weights that declare `by_place`,
/// places are these ranks.
struct places {
  std::span<const std::uint32_t> item;  ///< [n]
  std::span<const std::uint32_t> rank;  ///< [n], for weights that declare `by_position`

  [[nodiscard]] std::size_t size() const noexcept { return item.size(); }
};

/// Minus the exponent of the unit of the relevance: if relevance is very large or very small, weights
/// computed from it are in units of a power of two.
template <class T, class R>
[[nodiscard]] int relevance_exponent(const list<T, R>& items) noexcept {
  if (items.size() == 0) return 0;
  const auto [least, most] = rankloss::detail::extremes_of(items.relevance);
  const double largest = std::max(std::abs(static_cast<double>(least)), std::abs(static_cast<double>(most)));
  return largest > 0.0 && !(largest >= 1e-10 && largest <= 1e10) ? std::clamp(std::ilogb(largest), -1022, 1022) : 0;
}

/// Values by place, padded so that a whole vector can be read from any place.
template <class S, class Arch>
[[nodiscard]] std::span<S> padded(std::size_t n, workspace& scratch) {
  constexpr std::size_t w = row_of<S, Arch>::size;
  const std::span<S> values = scratch.take<S>(n + w);
  std::fill_n(values.data() + n, w, S{0});
  return values;
}

/// One weight for each pair as a sum of products over channels: weight(upper, lower) = sum_c upper_c(item
/// above) lower_c(item below), times `wrong_sign` if the item above is the less relevant one. Sums over all
/// pairs are computed from these.
template <class S, std::size_t Channels>
struct channels {
  static constexpr std::size_t count = Channels;
  std::span<S> upper[Channels];
  std::span<S> lower[Channels];
};

/// Minus the exponent of the unit in which gains_by_place returns gains. It matters only if they are not
/// divided by the ideal DCG.
template <class T, class R>
[[nodiscard]] int gain_exponent(gain kind, std::span<const double> table, scale_by scale, const list<T, R>& items) {
  return scale == scale_by::none ? -std::ilogb(rankloss::detail::unit_of_gains(kind, table, items.relevance)) : 0;
}

/// Gains by place, divided by the ideal DCG on request. Returns `false` if all weights are 0.
template <class Arch, class S, class T, class R>
[[nodiscard]] bool gains_by_place(gain kind, std::span<const double> table, scale_by scale, std::size_t cutoff, const list<T, R>& items,
                                  const places& at, std::span<S> to, workspace& scratch) {
  const workspace::scope scope(scratch);
  const std::span<double> gains = scratch.take<double>(items.size());
  rankloss::detail::fill_gains<Arch>(kind, table, items.relevance, strided<const double>{}, gains);
  double factor = 1.0;
  if (scale == scale_by::ideal) {
    const double best = rankloss::detail::ideal_dcg<Arch, double>(ideal::sorted, cutoff, gains, scratch);
    factor = best > 0.0 ? 1.0 / best : 0.0;
  }
  for (std::size_t p = 0; p < at.size(); ++p) to[p] = static_cast<S>(factor * gains[at.item[p]]);
  return factor > 0.0;
}

/// Discounts 1 / log2(1 + rank) by place; 0 from rank cutoff + 1 on.
template <class Arch, class S>
void discounts_by_place(std::size_t cutoff, const places& at, std::span<S> to, workspace& scratch) {
  constexpr std::size_t w = rankloss::detail::lane_count<Arch>;
  const workspace::scope scope(scratch);
  std::uint32_t last = 0;
  for (const std::uint32_t rank : at.rank) last = std::max(last, rank);
  const std::size_t n = at.size() > 0 ? std::size_t{last} + 1 : 0;
  const std::size_t k = cutoff > 0 ? std::min(cutoff, n) : n;
  const std::span<S> table = scratch.take<S>(n + w);
  for (std::size_t r = 0; r < k; r += w) rankloss::detail::store_row<Arch>(table.data() + r, rankloss::detail::discounts_from<Arch>(r + 1));
  std::fill(table.begin() + static_cast<std::ptrdiff_t>(k), table.end(), S{0});
  for (std::size_t p = 0; p < at.size(); ++p) to[p] = table[at.rank[p]];
}

/// |G_i - G_j| (by_discounts |1/D_i - 1/D_j| + by_distance |1/D(|i - j|) - 1/D(|i - j| + 1)|)
template <class Arch, class S, bool ByDiscounts, bool ByDistance>
struct gain_difference {
  using V = row_of<S, Arch>;
  std::span<const S> gains, discounts, steps;  ///< steps: by_distance times the difference of two neighbouring discounts; empty where not wanted

  struct row {
    const S* gains;
    const S* discounts;  // null: not wanted
    const S* steps;      // null: not wanted
    V gain, discount;
    [[gnu::always_inline]] V operator()(std::size_t j) const noexcept {
      const V gap = xsimd::abs(gain - V::load_unaligned(gains + j));
      if constexpr (!ByDiscounts) {
        return V::load_unaligned(steps + j) * gap;
      } else {
        const V factor = xsimd::abs(discount - V::load_unaligned(discounts + j));
        if constexpr (ByDistance)
          return (factor + V::load_unaligned(steps + j)) * gap;
        else
          return factor * gap;
      }
    }
  };
  [[nodiscard]] row at(std::size_t i) const noexcept {
    return {gains.data(), discounts.data(), ByDistance ? steps.data() - i : nullptr, V(gains[i]), V(ByDiscounts ? discounts[i] : S(0))};
  }
};

template <class Arch, class S, bool ByDiscounts, bool ByDistance, class T, class R>
[[nodiscard]] gain_difference<Arch, S, ByDiscounts, ByDistance> prepare_gain_difference(gain kind, std::span<const double> table, scale_by scale,
                                                                                        std::size_t cutoff, std::size_t discount_cutoff,
                                                                                        double by_distance, const list<T, R>& items, const places& at,
                                                                                        workspace& scratch) {
  static_assert(ByDiscounts || ByDistance);
  const std::size_t n = at.size();
  gain_difference<Arch, S, ByDiscounts, ByDistance> rows;
  const std::span<S> gains = padded<S, Arch>(n, scratch);
  static_cast<void>(gains_by_place<Arch>(kind, table, scale, cutoff, items, at, gains, scratch));
  rows.gains = gains;
  if constexpr (ByDiscounts) {
    const std::span<S> discounts = padded<S, Arch>(n, scratch);
    discounts_by_place<Arch>(discount_cutoff, at, discounts.first(n), scratch);
    rows.discounts = discounts;
  }
  if constexpr (ByDistance) {
    // [m]: for places m apart. Each small difference of discounts is computed from a quotient, not from two
    // rounded discounts.
    const std::span<S> steps = padded<S, Arch>(n + 1, scratch);
    for (std::size_t m = 1; m <= n; ++m) {
      const double here = std::log2(1.0 + static_cast<double>(m));
      const double next = std::log2(2.0 + static_cast<double>(m));
      steps[m] = static_cast<S>(by_distance * std::log1p(1.0 / (1.0 + static_cast<double>(m))) / std::numbers::ln2 / (here * next));
    }
    steps[0] = S(0);
    rows.steps = steps;
  }
  return rows;
}

}  // namespace detail

/// equal: every pair has weight 1.
struct equal {
  static constexpr bool unit = true;
  void validate() const noexcept {}

  template <class Arch, class S>
  struct rows {
    struct row {
      [[gnu::always_inline]] detail::row_of<S, Arch> operator()(std::size_t) const noexcept { return detail::row_of<S, Arch>(S(1)); }
    };
    [[nodiscard]] row at(std::size_t) const noexcept { return {}; }
  };
  template <class Arch, class S, class T, class R>
  [[nodiscard]] rows<Arch, S> prepare(const list<T, R>&, const detail::places&, workspace&) const noexcept {
    return {};
  }

  static constexpr std::size_t channel_count = 1;
  static constexpr double wrong_sign = 1.0;
  template <class Arch, class S, class T, class R>
  void fill(const list<T, R>&, const detail::places&, const detail::channels<S, 1>& to, workspace&) const {
    std::fill(to.upper[0].begin(), to.upper[0].end(), S{1});
    std::fill(to.lower[0].begin(), to.lower[0].end(), S{1});
  }
};

/// The quantity whose difference is taken.
enum class difference_of {
  relevance,  ///< y
  squares,    ///< y^2
};

/// relevance_difference: |y_i - y_j|, as in ARP-Loss2, or |y_i^2 - y_j^2|. The latter increases with the
/// difference only if no relevance is below 0, so it refuses relevance below 0.
struct relevance_difference {
  difference_of of = difference_of::relevance;
  void validate() const noexcept {}
  [[nodiscard]] bool takes(double y) const noexcept { return of == difference_of::relevance || y >= 0.0; }
  [[nodiscard]] std::string_view expects() const noexcept { return "at least 0"; }

  template <class Arch, class S>
  struct rows {
    using V = detail::row_of<S, Arch>;
    std::span<const S> y;
    struct row {
      const S* y;
      V own;
      [[gnu::always_inline]] V operator()(std::size_t j) const noexcept { return xsimd::abs(own - V::load_unaligned(y + j)); }
    };
    [[nodiscard]] row at(std::size_t i) const noexcept { return {y.data(), V(y[i])}; }
  };
  template <class Arch, class S, class T, class R>
  [[nodiscard]] rows<Arch, S> prepare(const list<T, R>& items, const detail::places& at, workspace& scratch) const {
    const std::span<S> y = detail::padded<S, Arch>(at.size(), scratch);
    const double unit = std::ldexp(1.0, -detail::relevance_exponent(items));
    for (std::size_t p = 0; p < at.size(); ++p) y[p] = static_cast<S>(value(items, at.item[p], unit));
    return {y};
  }

  static constexpr std::size_t channel_count = 2;
  static constexpr double wrong_sign = -1.0;
  template <class Arch, class S, class T, class R>
  void fill(const list<T, R>& items, const detail::places& at, const detail::channels<S, 2>& to, workspace&) const {
    const double unit = std::ldexp(1.0, -detail::relevance_exponent(items));
    for (std::size_t p = 0; p < at.size(); ++p) {
      to.upper[0][p] = static_cast<S>(value(items, at.item[p], unit));
      to.lower[1][p] = -to.upper[0][p];
      to.lower[0][p] = to.upper[1][p] = S(1);
    }
  }

  /// The weights are divided by 2^exponent.
  template <class T, class R>
  [[nodiscard]] int exponent(const list<T, R>& items) const noexcept {
    return (of == difference_of::squares ? 2 : 1) * detail::relevance_exponent(items);
  }

 private:
  template <class T, class R>
  [[nodiscard]] double value(const list<T, R>& items, std::size_t i, double unit) const noexcept {
    const double y = static_cast<double>(items.relevance[i]) * unit;
    return of == difference_of::squares ? y * y : y;
  }
};

/// delta_ndcg: the change of NDCG when the two items swap places: |G_i - G_j| |1/D(r_i) - 1/D(r_j)|, D(r) =
/// log2(1 + r). The weight of LambdaRank.
struct delta_ndcg {
  rankloss::gain gain = rankloss::gain::exponential;  ///< the gain of a grade
  std::span<const double> gain_table{};               ///< [grades] >= 0, for gain::table
  std::size_t cutoff = 0;                             ///< k of NDCG@k: discounts beyond it are 0; 0: the whole list
  pairs::scale_by scale = pairs::scale_by::ideal;     ///< NDCG or DCG

  static constexpr bool by_position = true;
  void validate() const { rankloss::detail::check_gain(gain, gain_table); }
  [[nodiscard]] bool takes(double y) const noexcept { return rankloss::detail::takes_gain(gain, y); }
  [[nodiscard]] std::string_view expects() const noexcept { return rankloss::detail::expects_gain; }

  /// The weights are divided by 2^exponent.
  template <class T, class R>
  [[nodiscard]] int exponent(const list<T, R>& items) const {
    return detail::gain_exponent(gain, gain_table, scale, items);
  }

  template <class Arch, class S, class T, class R>
  [[nodiscard]] auto prepare(const list<T, R>& items, const detail::places& at, workspace& scratch) const {
    return detail::prepare_gain_difference<Arch, S, true, false>(gain, gain_table, scale, cutoff, cutoff, 0.0, items, at, scratch);
  }

  static constexpr std::size_t channel_count = 4;
  static constexpr double wrong_sign = -1.0;
  /// (G_u - G_l) (d_u - d_l)
  template <class Arch, class S, class T, class R>
  void fill(const list<T, R>& items, const detail::places& at, const detail::channels<S, 4>& to, workspace& scratch) const {
    const std::size_t n = at.size();
    static_cast<void>(detail::gains_by_place<Arch>(gain, gain_table, scale, cutoff, items, at, to.lower[2], scratch));
    detail::discounts_by_place<Arch>(cutoff, at, to.lower[1].first(n), scratch);
    for (std::size_t p = 0; p < n; ++p) {
      const S g = to.lower[2][p];
      const S d = to.lower[1][p];
      to.upper[0][p] = to.lower[3][p] = g * d;
      to.upper[1][p] = -g;
      to.upper[2][p] = -d;
      to.upper[3][p] = to.lower[0][p] = S(1);
    }
  }

  /// With few levels of relevance, gains are stored by level, and half the channels are enough: |G_u - G_l|
  /// (d_u - d_l).
  static constexpr std::size_t graded_channel_count = 2;
  template <class Arch, class S, class T, class R>
  void fill_graded(const list<T, R>& items, const detail::places& at, std::span<const std::uint32_t> levels, const detail::channels<S, 2>& to,
                   std::span<double> gains, workspace& scratch) const {
    const std::size_t n = at.size();
    // The gains by place are stored temporarily where the discounts will be.
    static_cast<void>(detail::gains_by_place<Arch>(gain, gain_table, scale, cutoff, items, at, to.upper[0], scratch));
    std::fill(gains.begin(), gains.end(), 0.0);
    for (std::size_t p = 0; p < n; ++p) gains[levels[p]] = static_cast<double>(to.upper[0][p]);
    detail::discounts_by_place<Arch>(cutoff, at, to.upper[0].first(n), scratch);
    for (std::size_t p = 0; p < n; ++p) {
      to.lower[1][p] = -to.upper[0][p];
      to.lower[0][p] = to.upper[1][p] = S(1);
    }
  }
};

/// ndcg_loss2: |G_i - G_j| |1/D(|r_i - r_j|) - 1/D(|r_i - r_j| + 1)|, the tighter bound on NDCG of the LambdaLoss framework.
struct ndcg_loss2 {
  rankloss::gain gain = rankloss::gain::exponential;  ///< the gain of a grade
  std::span<const double> gain_table{};               ///< [grades] >= 0, for gain::table
  std::size_t cutoff = 0;                             ///< k of the ideal DCG@k; 0: the whole list
  pairs::scale_by scale = pairs::scale_by::ideal;     ///< NDCG or DCG

  static constexpr bool by_position = true;
  static constexpr bool by_place = true;
  void validate() const { rankloss::detail::check_gain(gain, gain_table); }
  [[nodiscard]] bool takes(double y) const noexcept { return rankloss::detail::takes_gain(gain, y); }
  [[nodiscard]] std::string_view expects() const noexcept { return rankloss::detail::expects_gain; }

  /// The weights are divided by 2^exponent.
  template <class T, class R>
  [[nodiscard]] int exponent(const list<T, R>& items) const {
    return detail::gain_exponent(gain, gain_table, scale, items);
  }

  template <class Arch, class S, class T, class R>
  [[nodiscard]] auto prepare(const list<T, R>& items, const detail::places& at, workspace& scratch) const {
    return detail::prepare_gain_difference<Arch, S, false, true>(gain, gain_table, scale, cutoff, 0, 1.0, items, at, scratch);
  }
};

/// ndcg_loss2_plus: the weight of delta_ndcg plus mu times that of ndcg_loss2, as in NDCG-Loss2++.
struct ndcg_loss2_plus {
  rankloss::gain gain = rankloss::gain::exponential;  ///< the gain of a grade
  std::span<const double> gain_table{};               ///< [grades] >= 0, for gain::table
  double mu = 10.0;                                   ///< 0 to 1e30
  std::size_t cutoff = 0;                             ///< k of the ideal DCG@k; 0: the whole list
  pairs::scale_by scale = pairs::scale_by::ideal;     ///< NDCG or DCG

  static constexpr bool by_position = true;
  static constexpr bool by_place = true;
  void validate() const {
    rankloss::detail::check_gain(gain, gain_table);
    rankloss::detail::require(rankloss::detail::within(mu, 0.0, 1e30), "mu: ", mu, ", expected 0 to 1e30");
  }
  [[nodiscard]] bool takes(double y) const noexcept { return rankloss::detail::takes_gain(gain, y); }
  [[nodiscard]] std::string_view expects() const noexcept { return rankloss::detail::expects_gain; }

  /// The weights are divided by 2^exponent.
  template <class T, class R>
  [[nodiscard]] int exponent(const list<T, R>& items) const {
    return detail::gain_exponent(gain, gain_table, scale, items);
  }

  template <class Arch, class S, class T, class R>
  [[nodiscard]] auto prepare(const list<T, R>& items, const detail::places& at, workspace& scratch) const {
    return detail::prepare_gain_difference<Arch, S, true, true>(gain, gain_table, scale, cutoff, 0, mu, items, at, scratch);
  }
};

/// ndcg_loss1: G_i / D(r_i) of the first item of every ordered pair, including pairs of equal relevance and
/// pairs of an item with itself.
struct ndcg_loss1 {
  rankloss::gain gain = rankloss::gain::exponential;  ///< the gain of a grade
  std::span<const double> gain_table{};               ///< [grades] >= 0, for gain::table
  std::size_t cutoff = 0;                             ///< k of the ideal DCG@k; 0: the whole list
  pairs::scale_by scale = pairs::scale_by::ideal;     ///< NDCG or DCG

  static constexpr bool by_position = true;
  static constexpr bool all_pairs = true;
  void validate() const { rankloss::detail::check_gain(gain, gain_table); }
  [[nodiscard]] bool takes(double y) const noexcept { return rankloss::detail::takes_gain(gain, y); }
  [[nodiscard]] std::string_view expects() const noexcept { return rankloss::detail::expects_gain; }

  /// The weights are divided by 2^exponent.
  template <class T, class R>
  [[nodiscard]] int exponent(const list<T, R>& items) const {
    return detail::gain_exponent(gain, gain_table, scale, items);
  }

  template <class Arch, class S, class T, class R>
  [[nodiscard]] std::span<const S> prepare(const list<T, R>& items, const detail::places& at, workspace& scratch) const {
    const std::size_t n = at.size();
    const std::span<S> weights = detail::padded<S, Arch>(n, scratch);
    static_cast<void>(detail::gains_by_place<Arch>(gain, gain_table, scale, cutoff, items, at, weights, scratch));
    const workspace::scope scope(scratch);
    const std::span<S> discounts = scratch.take<S>(n);
    detail::discounts_by_place<Arch>(0, at, discounts, scratch);
    for (std::size_t p = 0; p < n; ++p) weights[p] *= discounts[p];
    return weights;
  }
};

/// arp_loss1: y_i of the first item of every ordered pair, including pairs of equal relevance and pairs of an
/// item with itself.
struct arp_loss1 {
  static constexpr bool all_pairs = true;
  void validate() const noexcept {}
  [[nodiscard]] bool takes(double y) const noexcept { return y >= 0.0; }
  [[nodiscard]] std::string_view expects() const noexcept { return "at least 0"; }

  template <class Arch, class S, class T, class R>
  [[nodiscard]] std::span<const S> prepare(const list<T, R>& items, const detail::places& at, workspace& scratch) const {
    const std::span<S> weights = detail::padded<S, Arch>(at.size(), scratch);
    const double unit = std::ldexp(1.0, -exponent(items));
    for (std::size_t p = 0; p < at.size(); ++p) weights[p] = static_cast<S>(std::max(static_cast<double>(items.relevance[at.item[p]]), 0.0) * unit);
    return weights;
  }

  /// The weights are divided by 2^exponent.
  template <class T, class R>
  [[nodiscard]] int exponent(const list<T, R>& items) const noexcept {
    return detail::relevance_exponent(items);
  }
};

namespace detail {

/// weight(i above j) = upper0_i lower0_j + upper1_i lower1_j
template <class Arch, class S>
struct two_channels {
  using V = row_of<S, Arch>;
  channels<S, 2> c;
  struct row {
    const S* lower0;
    const S* lower1;
    V first, second;
    [[gnu::always_inline]] V operator()(std::size_t j) const noexcept {
      return xsimd::fma(first, V::load_unaligned(lower0 + j), second * V::load_unaligned(lower1 + j));
    }
  };
  [[nodiscard]] row at(std::size_t i) const noexcept { return {c.lower[0].data(), c.lower[1].data(), V(c.upper[0][i]), V(c.upper[1][i])}; }
};

template <class Arch, class S, class Weight, class T, class R>
[[nodiscard]] two_channels<Arch, S> prepare_two(const Weight& weight, const list<T, R>& items, const detail::places& at, workspace& scratch) {
  two_channels<Arch, S> rows;
  for (auto* side : {rows.c.upper, rows.c.lower})
    for (std::size_t k = 0; k < 2; ++k) side[k] = padded<S, Arch>(at.size(), scratch);
  weight.template fill<Arch>(items, at, rows.c, scratch);
  return rows;
}

}  // namespace detail

/// delta_map: the change of average precision when the two items swap places. Items of relevance > 0 are
/// relevant; pairs of two relevant items have weight 0.
struct delta_map {
  static constexpr bool by_position = true;
  static constexpr bool by_place = true;
  static constexpr bool binary = true;
  void validate() const noexcept {}

  template <class Arch, class S, class T, class R>
  [[nodiscard]] auto prepare(const list<T, R>& items, const detail::places& at, workspace& scratch) const {
    return detail::prepare_two<Arch, S>(*this, items, at, scratch);
  }

  static constexpr std::size_t channel_count = 2;
  static constexpr double wrong_sign = 1.0;
  /// Let c_r be the number of relevant items among the first r, and h_r the sum of 1/r over them. Moving a
  /// relevant item from rank q up to p < q, or down from p to q, changes c_r / r at both ends, and 1 / r for
  /// each relevant item between them.
  template <class Arch, class S, class T, class R>
  void fill(const list<T, R>& items, const detail::places& at, const detail::channels<S, 2>& to, workspace&) const {
    double relevant = 0.0;
    for (std::size_t i = 0; i < items.size(); ++i) relevant += items.relevance[i] > R{0} ? 1.0 : 0.0;
    const double share = relevant > 0.0 ? 1.0 / relevant : 0.0;
    double count = 0.0;
    double harmonic = 0.0;
    for (std::size_t p = 0; p < at.size(); ++p) {
      const double rank = static_cast<double>(p + 1);
      const bool is_relevant = items.relevance[at.item[p]] > R{0};
      const double before = harmonic;
      if (is_relevant) {
        count += 1.0;
        harmonic += 1.0 / rank;
      }
      to.upper[0][p] = static_cast<S>(share * ((is_relevant ? count : count + 1.0) / rank - harmonic));
      to.lower[0][p] = S(1);
      to.upper[1][p] = S(1);
      to.lower[1][p] = static_cast<S>(share * (before - count / rank));
    }
  }
};

/// delta_mrr: the change of the reciprocal rank of the first relevant item when the two items swap places.
/// Items of relevance > 0 are relevant.
struct delta_mrr {
  static constexpr bool by_position = true;
  static constexpr bool by_place = true;
  static constexpr bool binary = true;
  void validate() const noexcept {}

  template <class Arch, class S, class T, class R>
  [[nodiscard]] auto prepare(const list<T, R>& items, const detail::places& at, workspace& scratch) const {
    return detail::prepare_two<Arch, S>(*this, items, at, scratch);
  }

  static constexpr std::size_t channel_count = 2;
  static constexpr double wrong_sign = 1.0;
  /// One channel for an item that moves above the first relevant one, one for the first relevant item that
  /// moves down.
  template <class Arch, class S, class T, class R>
  void fill(const list<T, R>& items, const detail::places& at, const detail::channels<S, 2>& to, workspace&) const {
    const auto relevant = [&](std::size_t p) { return items.relevance[at.item[p]] > R{0}; };
    const std::size_t n = at.size();
    std::size_t first = 0;
    while (first < n && !relevant(first)) ++first;
    std::size_t second = first + 1;
    while (second < n && !relevant(second)) ++second;
    const auto reciprocal = [](std::size_t p) { return 1.0 / static_cast<double>(p + 1); };
    for (std::size_t p = 0; p < n; ++p) {
      to.upper[0][p] = static_cast<S>(p < first && first < n ? reciprocal(p) - reciprocal(first) : 0.0);
      to.lower[0][p] = S(relevant(p) ? 1 : 0);
      to.upper[1][p] = S(p == first ? 1 : 0);
      to.lower[1][p] = static_cast<S>(relevant(p) || first >= n ? 0.0 : reciprocal(first) - reciprocal(std::min(p, second)));
    }
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::pairs
