// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/all_pairs.cuh>
#include <rankloss/cuda/detail/gains.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/pair_functions.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/detail/gains/gain_unit.hpp>
#include <rankloss/pairs/weight.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// What the items of a list are to the sums over its pairs, in lanes of S. Arrays have one entry an item.
template <class S>
struct pair_arrays {
  pair_item<S>* item;
  std::uint32_t* rank;      // counted from 0; null: not wanted
  exact_number<S>* own[2];  // for the weight of pairs, as many as it asks for
  S* by_distance;           // [n] for pairs whose ranks are so far apart
  double* sum;              // scratch, and then the gradient
  double* bend;             // the Hessian; null: not wanted
};

/// How the weights of the pairs of one list are scaled: they are divided by 2^exponent, and at most
/// `greatest` then.
struct weight_scale {
  double unit, greatest;
  int exponent;
  double largest;  ///< relevance, or gain in a table
};

/// device_pair_weight: a weight of pairs together with its computation in a kernel, by the formulas of
/// cpu/pairs/weight.hpp. For other weights there is none.
///
///     of(weight)                made on the host
///     own, by_distance          how many arrays of pair_arrays it asks for
///     takes(y)                  which relevance it accepts
///     scale_of(team, list)
///     prepare(team, list, scale, arrays)
///                               where scores, levels and weights are filled, but not yet ranks
///     sum_up(team, arrays, n, range)
///                               of each thread, for the items of a range, a number whose sum over all `fill`
///                               wants
///     fill(team, list, scale, arrays, range, sum)
///                               fills its arrays for the items of a range; all other arrays are filled
///     (arrays, i, j)            the weight of a pair. Where all ordered pairs count, that of i before j
template <class Weight>
struct device_pair_weight;

/// Most weights have nothing to prepare and nothing to sum up.
struct unprepared_weight {
  template <class Team, class T, class R, class S>
  __device__ void prepare(const Team&, const device_list<T, R>&, const weight_scale&,
                          const pair_arrays<S>&) const {}
  template <class Team, class S>
  [[nodiscard]] __device__ double sum_up(const Team&, const pair_arrays<S>&, std::uint32_t,
                                         const item_range&) const {
    return 0.0;
  }
};

template <>
struct device_pair_weight<pairs::equal> : unprepared_weight {
  static constexpr unsigned own = 0, by_distance = 0;

  [[nodiscard]] static device_pair_weight of(const pairs::equal&) noexcept { return {}; }
  [[nodiscard]] __device__ bool takes(double) const { return true; }
  template <class Team, class T, class R>
  [[nodiscard]] __device__ weight_scale scale_of(const Team&, const device_list<T, R>&) const {
    return {1.0, 1.0, 0, 0.0};
  }
  template <class Team, class T, class R, class S>
  __device__ void fill(const Team&, const device_list<T, R>&, const weight_scale&, const pair_arrays<S>&,
                       const item_range&, double) const {}
  template <class S>
  [[nodiscard]] __device__ S operator()(const pair_arrays<S>&, std::uint32_t, std::uint32_t) const {
    return S{1};
  }
};

/// The exponent of the largest relevance of a list by size, where that is very large or very small; see
/// relevance_exponent.
template <class Team, class T, class R>
[[nodiscard]] __device__ inline weight_scale relevance_scale(const Team& team, const device_list<T, R>& items,
                                                             bool squared) {
  double largest = 0.0;
  for (std::uint32_t i = team.rank(); i < items.size(); i += team.size())
    largest = fmax(largest, fabs(static_cast<double>(items.relevance(i))));
  largest = greatest(team, largest);
  int exponent = 0;
  if (largest > 0.0 && !(largest >= 1e-10 && largest <= 1e10)) {
    exponent = ilogb(largest);
    exponent = exponent < -1022 ? -1022 : exponent > 1022 ? 1022 : exponent;
  }
  const double unit = ldexp(1.0, -exponent);
  largest *= unit;
  return {unit, squared ? largest * largest : 2.0 * largest, squared ? 2 * exponent : exponent, largest};
}

template <>
struct device_pair_weight<pairs::relevance_difference> : unprepared_weight {
  static constexpr unsigned own = 1, by_distance = 0;
  pairs::relevance_difference weight;

  [[nodiscard]] static device_pair_weight of(const pairs::relevance_difference& w) noexcept {
    return {{}, w};
  }
  [[nodiscard]] __device__ bool takes(double y) const { return weight.takes(y); }
  template <class Team, class T, class R>
  [[nodiscard]] __device__ weight_scale scale_of(const Team& team, const device_list<T, R>& items) const {
    return relevance_scale(team, items, squared());
  }
  template <class Team, class T, class R, class S>
  __device__ void fill(const Team& team, const device_list<T, R>& items, const weight_scale& scale,
                       const pair_arrays<S>& to, const item_range& range, double) const {
    range.for_own(team, [&](std::uint32_t i) {
      const double y = static_cast<double>(items.relevance(i)) * scale.unit;
      to.own[0][i] = exactly<S>(squared() ? y * y : y);
    });
  }
  template <class S>
  [[nodiscard]] __device__ S operator()(const pair_arrays<S>& of, std::uint32_t i, std::uint32_t j) const {
    return magnitude(difference(of.own[0][i], of.own[0][j]));
  }

 private:
  [[nodiscard]] __device__ bool squared() const { return weight.of == pairs::difference_of::squares; }
};

template <>
struct device_pair_weight<pairs::arp_loss1> : unprepared_weight {
  static constexpr unsigned own = 1, by_distance = 0;
  pairs::arp_loss1 weight;

  [[nodiscard]] static device_pair_weight of(const pairs::arp_loss1& w) noexcept { return {{}, w}; }
  [[nodiscard]] __device__ bool takes(double y) const { return weight.takes(y); }
  template <class Team, class T, class R>
  [[nodiscard]] __device__ weight_scale scale_of(const Team& team, const device_list<T, R>& items) const {
    return relevance_scale(team, items, false);
  }
  template <class Team, class T, class R, class S>
  __device__ void fill(const Team& team, const device_list<T, R>& items, const weight_scale& scale,
                       const pair_arrays<S>& to, const item_range& range, double) const {
    range.for_own(team, [&](std::uint32_t i) {
      to.own[0][i] = exactly<S>(fmax(static_cast<double>(items.relevance(i)), 0.0) * scale.unit);
    });
  }
  template <class S>
  [[nodiscard]] __device__ S operator()(const pair_arrays<S>& of, std::uint32_t i, std::uint32_t) const {
    return total(of.own[0][i], exact_number<S>{});
  }
};

/// What the weights by gains have in common: the gains, divided by the ideal DCG unless they are not to be.
/// Gains are in double and without item weights here: pairs have those.
struct gain_weights {
  gain_options gains;
  bool over_ideal;

  template <class Weight>
  [[nodiscard]] static gain_weights of(const Weight& w) {
    return {gain_options::of(w.gain, w.gain_table, ideal::sorted, w.cutoff),
            w.scale == pairs::scale_by::ideal};
  }
  [[nodiscard]] __device__ bool takes(double y) const { return rankloss::detail::takes_gain(gains.kind, y); }
  template <class Team, class T, class R>
  [[nodiscard]] __device__ weight_scale scale_of(const Team& team, const device_list<T, R>& items) const {
    double largest = 0.0;
    for (std::uint32_t i = team.rank(); i < items.size(); i += team.size())
      largest = fmax(largest, worth_of(static_cast<double>(items.relevance(i))));
    largest = detail::greatest(team, largest);
    const bool as_they_are = gains.kind == gain::exponential && largest >= 1e-30;
    const double unit = as_they_are ? 1.0 : rankloss::detail::gain_unit(largest);
    // No gain is above the ideal DCG.
    if (over_ideal) return {unit, 1.0, 0, largest};
    return {unit, largest > 10.0 ? greatest_number<double> : 1e3, -ilogb(unit), largest};
  }
  /// The gains, into `sum`.
  template <class Team, class T, class R, class S>
  __device__ void prepare(const Team& team, const device_list<T, R>& items, const weight_scale& scale,
                          const pair_arrays<S>& to) const {
    for (std::uint32_t i = team.rank(); i < items.size(); i += team.size())
      to.sum[i] = gain_of(scale, fmax(worth_of(static_cast<double>(items.relevance(i))), 0.0));
  }
  /// The ideal DCG, by the ranks of gains.
  template <class Team, class S>
  [[nodiscard]] __device__ double sum_up(const Team& team, const pair_arrays<S>& of, std::uint32_t n,
                                         const item_range& range) const {
    double best = 0.0;
    if (!over_ideal) return best;
    // No gain is below 0, so their bits are in the order of the numbers; comparing doubles is slow on many
    // devices.
    const auto bits = [&](std::uint32_t i) { return __double_as_longlong(of.sum[i]); };
    sum_pairs<std::uint32_t>(
        team, range,
        [&](std::uint32_t i, std::uint32_t part) {
          const auto own = bits(i);
          if (own == 0) return std::uint32_t{0};
          return count_before(
              n, i, part, [&](std::uint32_t j) { return bits(j) >= own; },
              [&](std::uint32_t j) { return bits(j) > own; });
        },
        [&](std::uint32_t i, std::uint32_t before) { best += gains.ideal_term(of.sum[i], before, 0); });
    return best;
  }
  template <class Team, class T, class R, class S>
  __device__ void fill(const Team& team, const device_list<T, R>&, const weight_scale&,
                       const pair_arrays<S>& to, const item_range& range, double best) const {
    const double factor = !over_ideal ? 1.0 : best > 0.0 ? 1.0 / best : 0.0;
    range.for_own(team, [&](std::uint32_t i) { to.own[0][i] = exactly<S>(factor * to.sum[i]); });
    team.sync();
  }

 private:
  /// The gain itself, or what it is made of.
  [[nodiscard]] __device__ double worth_of(double y) const {
    return gains.kind == gain::table ? gains.worth(y) : y;
  }
  /// See fill_gains.
  [[nodiscard]] __device__ double gain_of(const weight_scale& scale, double x) const {
    if (gains.kind != gain::exponential) return scale.unit * x;
    if (scale.largest < 1e-30) return 0.6931471805599453 * (scale.unit * x);  // 2^x - 1 up to rounding
    // Beyond 2^100 the "- 1" is below the rounding error.
    return scale.largest > 100.0 ? exp2(fmax(x - scale.largest, -1000.0)) : exp2_minus_1(x);
  }
};

/// The discount of the item at a position, counted from 0; 0 from position `cutoff` on, if that is not 0.
[[nodiscard]] __device__ inline double discount_of(std::uint32_t position, std::size_t cutoff) {
  return cutoff == 0 || position < cutoff ? 1.0 / log2(2.0 + static_cast<double>(position)) : 0.0;
}

/// |G_i - G_j| (by_discounts |1/D_i - 1/D_j| + by_distance |1/D(|r_i - r_j|) - 1/D(|r_i - r_j| + 1)|)
template <bool ByDiscounts, bool ByDistance>
struct gain_differences : gain_weights {
  static constexpr unsigned own = 1 + ByDiscounts, by_distance = ByDistance;
  std::size_t discount_cutoff;
  double mu;

  template <class Team, class T, class R>
  [[nodiscard]] __device__ weight_scale scale_of(const Team& team, const device_list<T, R>& items) const {
    weight_scale scale = gain_weights::scale_of(team, items);
    scale.greatest *= 1.0 + mu;
    return scale;
  }
  template <class Team, class T, class R, class S>
  __device__ void fill(const Team& team, const device_list<T, R>& items, const weight_scale& scale,
                       const pair_arrays<S>& to, const item_range& range, double best) const {
    gain_weights::fill(team, items, scale, to, range, best);
    range.for_own(team, [&](std::uint32_t i) {
      if constexpr (ByDiscounts) to.own[1][i] = exactly<S>(discount_of(to.rank[i], discount_cutoff));
      if constexpr (ByDistance) {
        // As one quotient, because subtracting two rounded discounts would lose digits.
        constexpr double ln2 = 0.69314718055994530942;
        const double here = 1.0 + static_cast<double>(i);
        const double step = log1p(1.0 / here) / ln2 / (log2(here) * log2(1.0 + here));
        to.by_distance[i] = static_cast<S>(i == 0 ? 0.0 : mu * step);
      }
    });
  }
  template <class S>
  [[nodiscard]] __device__ S operator()(const pair_arrays<S>& of, std::uint32_t i, std::uint32_t j) const {
    S factor{0};
    if constexpr (ByDiscounts) factor = magnitude(difference(of.own[1][i], of.own[1][j]));
    if constexpr (ByDistance) {
      const std::uint32_t r = of.rank[i], s = of.rank[j];
      factor += of.by_distance[r < s ? s - r : r - s];
    }
    return factor * magnitude(difference(of.own[0][i], of.own[0][j]));
  }
};

template <>
struct device_pair_weight<pairs::delta_ndcg> : gain_differences<true, false> {
  [[nodiscard]] static device_pair_weight of(const pairs::delta_ndcg& w) {
    return {{gain_weights::of(w), w.cutoff, 0.0}};
  }
};
template <>
struct device_pair_weight<pairs::ndcg_loss2> : gain_differences<false, true> {
  [[nodiscard]] static device_pair_weight of(const pairs::ndcg_loss2& w) {
    return {{gain_weights::of(w), 0, 1.0}};
  }
};
template <>
struct device_pair_weight<pairs::ndcg_loss2_plus> : gain_differences<true, true> {
  [[nodiscard]] static device_pair_weight of(const pairs::ndcg_loss2_plus& w) {
    return {{gain_weights::of(w), 0, w.mu}};
  }
};

template <>
struct device_pair_weight<pairs::ndcg_loss1> : gain_weights {
  static constexpr unsigned own = 1, by_distance = 0;

  [[nodiscard]] static device_pair_weight of(const pairs::ndcg_loss1& w) { return {gain_weights::of(w)}; }
  template <class Team, class T, class R, class S>
  __device__ void fill(const Team& team, const device_list<T, R>& items, const weight_scale& scale,
                       const pair_arrays<S>& to, const item_range& range, double best) const {
    gain_weights::fill(team, items, scale, to, range, best);
    range.for_own(team, [&](std::uint32_t i) {
      const exact_number<S> gain = to.own[0][i];
      to.own[0][i] =
          exactly<S>(static_cast<double>(total(gain, exact_number<S>{})) * discount_of(to.rank[i], 0));
    });
  }
  template <class S>
  [[nodiscard]] __device__ S operator()(const pair_arrays<S>& of, std::uint32_t i, std::uint32_t) const {
    return total(of.own[0][i], exact_number<S>{});
  }
};

/// Let c be the number of relevant items up to the rank of an item, and h the sum of 1/rank over them. Moving
/// a relevant item from rank q up to p < q, or down from p to q, changes c / rank at both ends, and adds or
/// subtracts 1 / rank for each relevant item in between.
template <>
struct device_pair_weight<pairs::delta_map> : unprepared_weight {
  static constexpr unsigned own = 2, by_distance = 0;

  [[nodiscard]] static device_pair_weight of(const pairs::delta_map&) noexcept { return {}; }
  [[nodiscard]] __device__ bool takes(double) const { return true; }
  template <class Team, class T, class R>
  [[nodiscard]] __device__ weight_scale scale_of(const Team&, const device_list<T, R>&) const {
    return {1.0, 1.0, 0, 0.0};
  }
  template <class Team, class T, class R, class S>
  __device__ void fill(const Team& team, const device_list<T, R>& items, const weight_scale&,
                       const pair_arrays<S>& to, const item_range& range, double) const {
    const std::uint32_t n = items.size();
    double relevant = 0.0;
    for (std::uint32_t i = team.rank(); i < n; i += team.size())
      relevant += to.item[i].level > S{0} ? 1.0 : 0.0;
    relevant = sum(team, relevant);
    const double share = relevant > 0.0 ? 1.0 / relevant : 0.0;
    sum_pairs<two_sums>(
        team, range,
        [&](std::uint32_t i, std::uint32_t part) {
          two_sums sums{};
          for (std::uint32_t j = part; j < n; j += lanes_of_item)
            if (to.item[j].level > S{0} && to.rank[j] < to.rank[i])
              sums = sums + two_sums{1.0, 1.0 / (1.0 + static_cast<double>(to.rank[j]))};
          return sums;
        },
        [&](std::uint32_t i, const two_sums& above) {  // the number of relevant items above, and their 1/rank
          const double rank = 1.0 + static_cast<double>(to.rank[i]);
          const double itself = to.item[i].level > S{0} ? 1.0 : 0.0;
          to.own[0][i] = exactly<S>(share * ((above.first + 1.0) / rank - (above.second + itself / rank)));
          to.own[1][i] = exactly<S>(share * (above.second - (above.first + itself) / rank));
        });
  }
  template <class S>
  [[nodiscard]] __device__ S operator()(const pair_arrays<S>& of, std::uint32_t i, std::uint32_t j) const {
    return of.rank[i] < of.rank[j] ? total(of.own[0][i], of.own[1][j]) : total(of.own[0][j], of.own[1][i]);
  }
};

/// The change when an item changes ranks with the first relevant one, which is below it; below 0 where it is
/// above it.
template <>
struct device_pair_weight<pairs::delta_mrr> : unprepared_weight {
  static constexpr unsigned own = 1, by_distance = 0;

  [[nodiscard]] static device_pair_weight of(const pairs::delta_mrr&) noexcept { return {}; }
  [[nodiscard]] __device__ bool takes(double) const { return true; }
  template <class Team, class T, class R>
  [[nodiscard]] __device__ weight_scale scale_of(const Team&, const device_list<T, R>&) const {
    return {1.0, 1.0, 0, 0.0};
  }
  template <class Team, class T, class R, class S>
  __device__ void fill(const Team& team, const device_list<T, R>& items, const weight_scale&,
                       const pair_arrays<S>& to, const item_range& range, double) const {
    const std::uint32_t n = items.size();
    // The ranks of the first two relevant items; n where there are none.
    std::uint32_t first = n;
    for (std::uint32_t i = team.rank(); i < n; i += team.size())
      if (to.item[i].level > S{0} && to.rank[i] < first) first = to.rank[i];
    first = least(team, first);
    std::uint32_t second = n;
    for (std::uint32_t i = team.rank(); i < n; i += team.size())
      if (to.item[i].level > S{0} && to.rank[i] != first && to.rank[i] < second) second = to.rank[i];
    second = least(team, second);
    const auto reciprocal = [](std::uint32_t rank) { return 1.0 / (1.0 + static_cast<double>(rank)); };
    range.for_own(team, [&](std::uint32_t i) {
      const std::uint32_t rank = to.rank[i];
      double change = 0.0;
      if (to.item[i].level > S{0})
        change = rank == first ? 1.0 : 0.0;  // which of the relevant items is the first one
      else if (first < n)
        change = rank < first ? reciprocal(rank) - reciprocal(first)
                              : reciprocal(rank < second ? rank : second) - reciprocal(first);
      to.own[0][i] = exactly<S>(change);
    });
  }
  template <class S>
  [[nodiscard]] __device__ S operator()(const pair_arrays<S>& of, std::uint32_t i, std::uint32_t j) const {
    const bool of_i = of.item[i].level > of.item[j].level;  // of a pair, one item is relevant
    const std::uint32_t relevant = of_i ? i : j, other = of_i ? j : i;
    const S change = total(of.own[0][other], exact_number<S>{});
    if (of.rank[other] < of.rank[relevant]) return change > S{0} ? change : S{0};
    return -change * total(of.own[0][relevant], exact_number<S>{});
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
