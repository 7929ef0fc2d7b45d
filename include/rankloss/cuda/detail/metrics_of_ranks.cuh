// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/gains.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/score_runs.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/metrics/average_precision.cuh>
#include <rankloss/cuda/metrics/ndcg.cuh>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/gains/list_gains.hpp>
#include <rankloss/detail/gains/rank_terms.hpp>
#include <rankloss/metrics/average_precision.hpp>
#include <rankloss/metrics/average_relevance_position.hpp>
#include <rankloss/metrics/expected_reciprocal_rank.hpp>
#include <rankloss/metrics/ndcg.hpp>
#include <rankloss/metrics/precision.hpp>
#include <rankloss/metrics/rank_biased_precision.hpp>
#include <rankloss/metrics/recall.hpp>
#include <rankloss/metrics/reciprocal_rank.hpp>

#include <cstddef>
#include <cstdint>

/// Metrics of one list as functions of real ranks, as `of_ranks` of each metric defines them: what kernels are
/// given of a metric, by value. It has
///
///     of(metric)                   made on the host
///     item_bytes                   bytes of scratch for each item
///     (team, items, r, scratch)    the value. All threads of the team call it and get the same number. r holds
///                                  the ranks by item, which it replaces by the derivatives of the value
///     takes(y), counts(y)          optional, as of a list loss
///     factor(n, total), term(items, i, rank, factor, unit), value(sum, factor)
///                                  optional, of a sum of terms: they make the value from those of n items. `unit`
///                                  is that of the weights of relevant items, and `total` their sum in it
///     first_term(rank)             optional, of the term of the first relevant item
///
/// It is only asked of lists with a relevant item.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

using rankloss::detail::rank_term;
using rankloss::detail::smooth_cut;

/// The kernel of a metric; there is none by definition.
template <class Metric>
struct metric_of_ranks;

template <class Team, class Body>
__device__ inline void for_own(const Team& team, std::uint32_t n, Body body) {
  for (std::uint32_t i = team.rank(); i < n; i += team.size()) body(i);
}

/// A value of 0 that does not depend on the ranks.
template <class Team>
[[nodiscard]] __device__ inline double no_terms(const Team& team, std::uint32_t n, double* r) {
  for_own(team, n, [&](std::uint32_t i) { r[i] = 0.0; });
  return 0.0;
}

/// Replaces the ranks by the slopes of term(i, rank), and returns the sum of the values.
template <class Team, class Term>
[[nodiscard]] __device__ inline double sum_terms(const Team& team, std::uint32_t n, double* r, Term term) {
  double value = 0.0;
  for_own(team, n, [&](std::uint32_t i) {
    const rank_term own = term(i, r[i]);
    value += own.value;
    r[i] = own.slope;
  });
  return sum(team, value);
}

/// The gains of a metric without an ideal, not scaled, times the weights.
struct plain_gains {
  gain_options options;

  template <class T, class R>
  [[nodiscard]] __device__ double operator()(const device_list<T, R>& items, std::uint32_t i) const {
    const auto y = static_cast<double>(items.relevance(i));
    const double g =
        options.kind == gain::table ? options.worth(y) : rankloss::detail::gain_of(options.kind, y, 0.0);
    if (!items.weighted()) return g;
    const double product = items.weight(i) > 0.0 ? g * items.weight(i) : 0.0;
    return is_finite(g) ? held_as<double>(product) : product;
  }
};

template <>
struct metric_of_ranks<metrics::dcg> {
  gain_options gains;

  static constexpr std::size_t item_bytes = 0;

  [[nodiscard]] static metric_of_ranks of(const metrics::dcg& metric) {
    return {gain_options::of(metric.gain, metric.gain_table, ideal::sorted, metric.cutoff)};
  }
  [[nodiscard]] __device__ bool takes(double y) const { return rankloss::detail::takes_gain(gains.kind, y); }
  [[nodiscard]] __device__ bool counts(double y) const { return gains.counts(y); }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items, double* r,
                                             team_scratch) const {
    return value(sum_terms(team, items.size(), r,
                           [&](std::uint32_t i, double rank) { return term(items, i, rank, 1.0, 1.0); }),
                 1.0);
  }
  [[nodiscard]] static __device__ double factor(std::uint32_t, double) { return 1.0; }
  template <class T, class R>
  [[nodiscard]] __device__ rank_term term(const device_list<T, R>& items, std::uint32_t i, double rank,
                                          double, double) const {
    return rankloss::detail::dcg_term(rank, plain_gains{gains}(items, i), gains.cutoff, 1.0);
  }
  [[nodiscard]] static __device__ double value(double sum, double) { return held_as<double>(sum); }
};

template <>
struct metric_of_ranks<metrics::ndcg> {
  gain_options gains;

  static constexpr std::size_t item_bytes = 2 * sizeof(double) + sizeof(std::uint32_t);

  [[nodiscard]] static metric_of_ranks of(const metrics::ndcg& metric) {
    return {gain_options::of(metric.gain, metric.gain_table, metric.ideal, metric.cutoff)};
  }
  [[nodiscard]] __device__ bool takes(double y) const { return rankloss::detail::takes_gain(gains.kind, y); }
  [[nodiscard]] __device__ bool counts(double y) const { return gains.counts(y); }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items, double* r,
                                             team_scratch scratch) const {
    const std::uint32_t n = items.size();
    double* const g = scratch.take<double>(n);
    double* const keys = scratch.take<double>(n);
    std::uint32_t* const order = scratch.take<std::uint32_t>(n);
    gains.fill(team, items, g);
    const double best = best_dcg(team, gains, g, n, keys, order);
    if (!(best > 0.0)) return no_terms(team, n, r);
    return held_as<double>(sum_terms(team, n, r, [&](std::uint32_t i, double rank) {
      return rankloss::detail::dcg_term(rank, g[i], gains.cutoff, best);
    }));
  }
};

template <>
struct metric_of_ranks<metrics::rank_biased_precision> {
  double persistence;
  gain_options gains;

  static constexpr std::size_t item_bytes = 0;

  [[nodiscard]] static metric_of_ranks of(const metrics::rank_biased_precision& metric) {
    return {metric.persistence,
            gain_options::of(metric.gain, metric.gain_table, ideal::sorted, metric.cutoff)};
  }
  [[nodiscard]] __device__ bool takes(double y) const { return rankloss::detail::takes_gain(gains.kind, y); }
  [[nodiscard]] __device__ bool counts(double y) const { return gains.counts(y); }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items, double* r,
                                             team_scratch) const {
    return value(sum_terms(team, items.size(), r,
                           [&](std::uint32_t i, double rank) { return term(items, i, rank, 1.0, 1.0); }),
                 1.0);
  }
  [[nodiscard]] static __device__ double factor(std::uint32_t, double) { return 1.0; }
  template <class T, class R>
  [[nodiscard]] __device__ rank_term term(const device_list<T, R>& items, std::uint32_t i, double rank,
                                          double, double) const {
    return rankloss::detail::persistent_term(rank, plain_gains{gains}(items, i), gains.cutoff, persistence,
                                             log(persistence));
  }
  [[nodiscard]] static __device__ double value(double sum, double) { return held_as<double>(sum); }
};

template <>
struct metric_of_ranks<metrics::average_relevance_position> {
  static constexpr std::size_t item_bytes = sizeof(double);

  [[nodiscard]] static metric_of_ranks of(const metrics::average_relevance_position&) { return {}; }
  [[nodiscard]] __device__ bool takes(double y) const { return y >= 0.0; }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items, double* r,
                                             team_scratch scratch) const {
    const std::uint32_t n = items.size();
    double* const g = scratch.take<double>(n);
    gain_options{gain::linear, ideal::sorted, 0, 0, {}}.fill(team, items, g);
    double total = 0.0;
    for_own(team, n, [&](std::uint32_t i) { total += g[i]; });
    total = sum(team, total);
    if (!(total > 0.0)) return no_terms(team, n, r);
    return sum_terms(team, n, r,
                     [&](std::uint32_t i, double rank) {
                       return rank_term{g[i] * rank, g[i] / total};
                     }) /
           total;
  }
};

template <>
struct metric_of_ranks<metrics::precision> {
  std::size_t cutoff;
  bool over_retrieved;

  static constexpr std::size_t item_bytes = 0;

  [[nodiscard]] static metric_of_ranks of(const metrics::precision& metric) {
    return {metric.cutoff, metric.over == metrics::precision_over::retrieved};
  }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items, double* r,
                                             team_scratch) const {
    const double over = factor(items.size(), 0.0);
    return value(sum_terms(team, items.size(), r,
                           [&](std::uint32_t i, double rank) { return term(items, i, rank, over, 1.0); }),
                 over);
  }
  [[nodiscard]] __device__ double factor(std::uint32_t n, double) const {
    const bool shortened = cutoff == 0 || (over_retrieved && n < cutoff);
    return 1.0 / static_cast<double>(shortened ? n : cutoff);
  }
  template <class T, class R>
  [[nodiscard]] __device__ rank_term term(const device_list<T, R>& items, std::uint32_t i, double rank,
                                          double factor, double) const {
    const auto cut = smooth_cut(rank, cutoff);
    const double w = relevant_weight(items, i);
    return {w * cut.value, held_as<double>(factor * w * cut.slope)};
  }
  [[nodiscard]] static __device__ double value(double sum, double factor) {
    return held_as<double>(factor * sum);
  }
};

template <>
struct metric_of_ranks<metrics::recall> {
  std::size_t cutoff;

  static constexpr std::size_t item_bytes = 0;

  [[nodiscard]] static metric_of_ranks of(const metrics::recall& metric) { return {metric.cutoff}; }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items, double* r,
                                             team_scratch) const {
    const std::uint32_t n = items.size();
    double heaviest = 0.0, total = 0.0;
    for_own(team, n, [&](std::uint32_t i) { heaviest = fmax(heaviest, relevant_weight(items, i)); });
    const double unit = unit_of(greatest(team, heaviest));
    for_own(team, n, [&](std::uint32_t i) { total += relevant_weight(items, i) * unit; });
    const double over = factor(n, sum(team, total));
    return value(
        sum_terms(team, n, r, [&](std::uint32_t i, double rank) { return term(items, i, rank, over, unit); }),
        over);
  }
  [[nodiscard]] static __device__ double factor(std::uint32_t, double total) { return 1.0 / total; }
  template <class T, class R>
  [[nodiscard]] __device__ rank_term term(const device_list<T, R>& items, std::uint32_t i, double rank,
                                          double factor, double unit) const {
    const auto cut = smooth_cut(rank, cutoff);
    const double w = relevant_weight(items, i) * unit;
    return {w * cut.value, factor * w * cut.slope};
  }
  [[nodiscard]] static __device__ double value(double sum, double factor) { return factor * sum; }
};

template <>
struct metric_of_ranks<metrics::reciprocal_rank> {
  std::size_t cutoff;

  static constexpr std::size_t item_bytes = 0;

  [[nodiscard]] static metric_of_ranks of(const metrics::reciprocal_rank& metric) { return {metric.cutoff}; }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items, double* r,
                                             team_scratch) const {
    const std::uint32_t n = items.size();
    const auto relevant = [&](std::uint32_t i) { return relevant_weight(items, i) > 0.0; };
    double first = greatest_number<double>;
    for_own(team, n, [&](std::uint32_t i) { first = relevant(i) ? fmin(first, r[i]) : first; });
    first = least(team, first);
    std::uint32_t sharing = 0;
    for_own(team, n, [&](std::uint32_t i) { sharing += relevant(i) && r[i] == first ? 1 : 0; });
    sharing = sum(team, sharing);
    const rank_term term = first_term(first);
    for_own(team, n, [&](std::uint32_t i) {
      r[i] = relevant(i) && r[i] == first ? term.slope / static_cast<double>(sharing) : 0.0;
    });
    return term.value;
  }
  [[nodiscard]] __device__ rank_term first_term(double rank) const {
    return rankloss::detail::reciprocal_term(rank, 1.0, cutoff);
  }
};

template <>
struct metric_of_ranks<metrics::expected_reciprocal_rank> {
  std::size_t cutoff;
  double max_grade;

  static constexpr std::size_t item_bytes = 4 * sizeof(double) + sizeof(std::uint32_t);

  [[nodiscard]] static metric_of_ranks of(const metrics::expected_reciprocal_rank& metric) {
    return {metric.cutoff, metric.max_grade};
  }
  [[nodiscard]] __device__ bool takes(double y) const { return y >= 0.0; }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items, double* r,
                                             team_scratch scratch) const {
    const std::uint32_t n = items.size();
    double* const stops = scratch.take<double>(n);
    double* const keys = scratch.take<double>(n);
    double* const passed = scratch.take<double>(n);
    double* const tied = scratch.take<double>(n);
    std::uint32_t* const order = scratch.take<std::uint32_t>(n);
    const auto grade = [&](std::uint32_t i) {
      return relevant_weight(items, i) > 0.0 ? static_cast<double>(items.relevance(i)) : 0.0;
    };
    double most = 0.0;
    for_own(team, n, [&](std::uint32_t i) { most = fmax(most, grade(i)); });
    most = max_grade > 0.0 ? max_grade : greatest(team, most);
    for_own(team, n, [&](std::uint32_t i) {
      stops[i] =
          grade(i) > 0.0 ? rankloss::detail::gain_of(gain::exponential, fmin(grade(i), most), most) : 0.0;
    });
    const falling_runs runs(team, n, keys, order, [&](std::uint32_t i) { return -r[i]; });
    const auto product = [](double a, double b) { return a * b; };
    // passed[p]: the share of the users who are satisfied by none of the positions up to p.
    scan_items(
        team, n, 1.0, [&](std::uint32_t p) { return 1.0 - stops[order[p]]; }, product,
        [&](std::uint32_t p, double x) { passed[p] = x; });
    combine_runs(
        team, n, [&](std::uint32_t p) { return p == 0 || keys[p - 1] != keys[p]; }, tied,
        [&](std::uint32_t p) { return 1.0 - stops[order[p]] / 2.0; }, product);
    double value = 0.0;
    for_own(team, n, [&](std::uint32_t p) {
      const std::uint32_t i = order[p], begin = runs.begin(p);
      const double reached = begin > 0 ? passed[begin - 1] : 1.0;
      // The product over the others of a run is that over the whole run divided by the factor of the item
      // itself, which is at least 1/2.
      const double others = tied[runs.end(p) - 1] / (1.0 - stops[i] / 2.0);
      const rank_term term = rankloss::detail::reciprocal_term(-keys[p], reached * stops[i] * others, cutoff);
      value += term.value;
      r[i] = term.slope;
    });
    return sum(team, value);
  }
};

/// This one also reads the ranks of the relevant items among themselves, and replaces them by its derivatives.
/// `which` [count] are the relevant items, and `among` [count] their ranks.
template <>
struct metric_of_ranks<metrics::average_precision> {
  std::size_t cutoff;
  bool attainable;

  static constexpr std::size_t item_bytes = 2 * sizeof(double) + sizeof(std::uint32_t);

  [[nodiscard]] static metric_of_ranks of(const metrics::average_precision& metric) {
    return {metric.cutoff, metric.over == metrics::average_precision_over::attainable};
  }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items, double* r,
                                             const std::uint32_t* which, double* among, std::uint32_t count,
                                             team_scratch scratch) const {
    const std::uint32_t n = items.size();
    double* const w = scratch.take<double>(n);
    double* const keys = scratch.take<double>(n);
    std::uint32_t* const order = scratch.take<std::uint32_t>(n);
    const double total = share_relevant(team, items, cutoff, attainable, w, keys, order);
    team.sync();
    double value = 0.0;
    for_own(team, count, [&](std::uint32_t k) {
      const std::uint32_t i = which[k];
      const double share = w[i] / total;
      const rank_term term = rankloss::detail::reciprocal_term(r[i], share * among[k], cutoff);
      among[k] = rankloss::detail::reciprocal_term(r[i], share, cutoff).value;
      value += term.value;
      r[i] = term.slope;
    });
    for_own(team, n, [&](std::uint32_t i) {
      if (!(relevant_weight(items, i) > 0.0)) r[i] = 0.0;
    });
    return sum(team, value);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
