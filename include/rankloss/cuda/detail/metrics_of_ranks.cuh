// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/gains.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/score_runs.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/terms_of_ranks.cuh>
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

/// The kernels of metrics of ranks; see terms_of_ranks.cuh.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

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
    return value(sum_terms(team, n, r,
                           [&](std::uint32_t i, double rank) {
                             return rankloss::detail::dcg_term(rank, g[i], gains.cutoff, best);
                           }),
                 best);
  }
  [[nodiscard]] static __device__ gain_options::units units(const gain_options::greatest_numbers& most,
                                                            bool weighted) {
    return gain_options::units::of(most, weighted);
  }
  template <class T, class R>
  [[nodiscard]] __device__ double amount(const device_list<T, R>& items, std::uint32_t i,
                                         const gain_options::units& by) const {
    return gains.template gain_of<double>(items, i, by);
  }
  [[nodiscard]] static bool sorts() { return true; }
  [[nodiscard]] __device__ ideal_discount<double> shares(std::uint32_t n) const {
    return ideal_discount<double>::of(gains, n);
  }
  [[nodiscard]] static __device__ double factor(std::uint32_t, double best) { return best; }
  template <class T, class R>
  [[nodiscard]] __device__ rank_term term(const device_list<T, R>& items, std::uint32_t i, double rank,
                                          double best, const gain_options::units& by) const {
    if (!(best > 0.0)) return {0.0, 0.0};
    return rankloss::detail::dcg_term(rank, amount(items, i, by), gains.cutoff, best);
  }
  [[nodiscard]] static __device__ double value(double sum, double) { return held_as<double>(sum); }
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
    gain_options::linear().fill(team, items, g);
    double total = 0.0;
    for_own(team, n, [&](std::uint32_t i) { total += g[i]; });
    total = sum(team, total);
    return value(sum_terms(team, n, r, [&](std::uint32_t i, double rank) { return term(g[i], rank, total); }),
                 total);
  }
  [[nodiscard]] static __device__ gain_options::units units(const gain_options::greatest_numbers& most,
                                                            bool weighted) {
    return gain_options::units::of(most, weighted);
  }
  template <class T, class R>
  [[nodiscard]] static __device__ double amount(const device_list<T, R>& items, std::uint32_t i,
                                                const gain_options::units& by) {
    return gain_options::linear().template gain_of<double>(items, i, by);
  }
  [[nodiscard]] static __device__ double factor(std::uint32_t, double total) { return total; }
  template <class T, class R>
  [[nodiscard]] static __device__ rank_term term(const device_list<T, R>& items, std::uint32_t i, double rank,
                                                 double total, const gain_options::units& by) {
    return term(amount(items, i, by), rank, total);
  }
  [[nodiscard]] static __device__ double value(double sum, double total) {
    return total > 0.0 ? sum / total : 0.0;
  }

 private:
  [[nodiscard]] static __device__ rank_term term(double gain, double rank, double total) {
    return total > 0.0 ? rank_term{gain * rank, gain / total} : rank_term{0.0, 0.0};
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
    for_own(team, n, [&](std::uint32_t i) { total += amount(items, i, unit); });
    const double over = factor(n, sum(team, total));
    return value(
        sum_terms(team, n, r, [&](std::uint32_t i, double rank) { return term(items, i, rank, over, unit); }),
        over);
  }
  [[nodiscard]] static __device__ double units(const gain_options::greatest_numbers& most, bool weighted) {
    return most.weight_unit(weighted);
  }
  template <class T, class R>
  [[nodiscard]] static __device__ double amount(const device_list<T, R>& items, std::uint32_t i,
                                                double unit) {
    return relevant_weight(items, i) * unit;
  }
  [[nodiscard]] static __device__ double factor(std::uint32_t, double total) { return 1.0 / total; }
  template <class T, class R>
  [[nodiscard]] __device__ rank_term term(const device_list<T, R>& items, std::uint32_t i, double rank,
                                          double factor, double unit) const {
    const auto cut = smooth_cut(rank, cutoff);
    const double w = amount(items, i, unit);
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
    double most = 0.0;
    for_own(team, n, [&](std::uint32_t i) { most = fmax(most, grade(items, i)); });
    most = greatest(team, most);
    for_own(team, n, [&](std::uint32_t i) { stops[i] = stop(items, i, most); });
    const falling_runs runs(team, n, keys, order, [&](std::uint32_t i) { return -r[i]; });
    const auto product = [](double a, double b) { return a * b; };
    // passed[p]: the share of the users who are satisfied by none of the positions up to p.
    scan_items(
        team, n, 1.0, [&](std::uint32_t p) { return 1.0 - stops[order[p]]; }, product,
        [&](std::uint32_t p, double x) { passed[p] = x; });
    combine_runs(
        team, n, [&](std::uint32_t p) { return p == 0 || keys[p - 1] != keys[p]; }, tied,
        [&](std::uint32_t p) { return 1.0 - stops[order[p]] / 2.0; }, product, 1.0);
    double value = 0.0;
    for_own(team, n, [&](std::uint32_t p) {
      const std::uint32_t i = order[p], begin = runs.begin(p);
      const double reached = begin > 0 ? passed[begin - 1] : 1.0;
      const rank_term term = stop_term(-keys[p], stops[i], reached, tied[runs.end(p) - 1]);
      value += term.value;
      r[i] = term.slope;
    });
    return sum(team, value);
  }
  /// The share of the users at an item who stop there; `most` is the greatest relevance of the list.
  template <class T, class R>
  [[nodiscard]] __device__ double stop(const device_list<T, R>& items, std::uint32_t i, double most) const {
    const double y = grade(items, i), top = max_grade > 0.0 ? max_grade : most;
    return y > 0.0 ? rankloss::detail::gain_of(gain::exponential, fmin(y, top), top) : 0.0;
  }
  /// `reached`: the share of the users who reach the rank; `tied`: the product of 1 - stop / 2 over its
  /// items.
  [[nodiscard]] __device__ rank_term stop_term(double rank, double stop, double reached, double tied) const {
    // The product over the others is that over all divided by the factor of the item itself, which is at
    // least 1/2.
    const double others = tied / (1.0 - stop / 2.0);
    return rankloss::detail::reciprocal_term(rank, reached * stop * others, cutoff);
  }

 private:
  template <class T, class R>
  [[nodiscard]] static __device__ double grade(const device_list<T, R>& items, std::uint32_t i) {
    return relevant_weight(items, i) > 0.0 ? static_cast<double>(items.relevance(i)) : 0.0;
  }
};

/// This one also reads the ranks of the relevant items among themselves, and replaces them by its
/// derivatives. `which` [count] are the relevant items, and `among` [count] their ranks.
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
    double found = 0.0;
    for_own(team, count, [&](std::uint32_t k) {
      const std::uint32_t i = which[k];
      found += take_rank(rankloss::detail::reciprocal_term(r[i], w[i] / total, cutoff), r[i], among[k]);
    });
    for_own(team, n, [&](std::uint32_t i) {
      if (!(relevant_weight(items, i) > 0.0)) r[i] = 0.0;
    });
    return value(sum(team, found), total);
  }
  /// Replaces both ranks of a relevant item by the derivatives by them, and returns the value of its term.
  [[nodiscard]] static __device__ double take_rank(const rank_term& term, double& rank, double& among) {
    const double found = among * term.value;
    rank = among * term.slope;
    among = term.value;
    return found;
  }
  [[nodiscard]] static __device__ double units(const gain_options::greatest_numbers& most, bool weighted) {
    return most.weight_unit(weighted);
  }
  template <class T, class R>
  [[nodiscard]] static __device__ double amount(const device_list<T, R>& items, std::uint32_t i,
                                                double unit) {
    return relevant_weight(items, i) * unit;
  }
  [[nodiscard]] bool sorts() const { return attainable && cutoff > 0; }
  [[nodiscard]] __device__ share_of_greatest shares(std::uint32_t) const { return {cutoff}; }
  [[nodiscard]] static __device__ double factor(std::uint32_t, double total) { return total; }
  template <class T, class R>
  [[nodiscard]] __device__ rank_term term(const device_list<T, R>& items, std::uint32_t i, double rank,
                                          double total, double unit) const {
    return rankloss::detail::reciprocal_term(rank, amount(items, i, unit) / total, cutoff);
  }
  [[nodiscard]] static __device__ double value(double sum, double) { return sum; }
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
