// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/gains.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/score_runs.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/gains/list_gains.hpp>
#include <rankloss/detail/gains/rank_terms.hpp>

#include <cstdint>

/// Metrics of one list as functions of real ranks, as `of_ranks` of each metric defines them: what kernels
/// are given of a metric, by value. It has
///
///     of(metric)                   made on the host
///     item_bytes                   bytes of scratch for each item
///     (team, items, r, scratch)    the value. All threads of the team call it and get the same number. r holds
///                                  the ranks by item, which it replaces by the derivatives of the value
///     takes(y), counts(y)          optional, as of a list loss
///
/// and one of the following for long lists, which the grid computes: a sum of terms, the term of the first
/// relevant item, or a sum over items at which a user stops who has not stopped before.
///
///     factor(n, total), term(items, i, rank, factor, units), value(sum, factor)
///     first_term(rank)
///     stop(items, i, most), stop_term(rank, stop, reached, tied)
///
/// `total` is the sum of the amounts of all items, where there are any:
///
///     amount(items, i, units)      that of an item
///     units(most, weighted)        in which units amounts and terms are, by the greatest_numbers of the list
///     sorts(), shares(n)           optional: whether, as the host knows, an amount counts with the share
///                                  shares(n)(runs, p) of its position p in falling order
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

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
