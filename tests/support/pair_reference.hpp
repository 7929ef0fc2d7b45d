// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "reference.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <map>
#include <numeric>
#include <tuple>
#include <vector>

/// Sums over pairs, pair by pair in long double.
namespace reference {

/// A function of a pair: of d = s_preferred - s_other and relevance_gap = y_preferred - y_other.
struct pair_terms {
  real value, slope, curvature;
};
using pair_function = std::function<pair_terms(real d, real relevance_gap)>;

inline pair_function logistic(real temperature) {
  return [=](real d, real) -> pair_terms {
    const sigmoid s(-d / temperature);
    const real x = d / temperature;
    return {std::max(-x, real(0)) + std::log1p(std::exp(-std::abs(x))), -s.value / temperature,
            s.slope / (temperature * temperature)};
  };
}

/// What a pair loss is made of. `weight(i, j)` is that of item i winning over item j; `pairs(i, j)` says
/// whether the pair counts so.
struct pair_sums {
  derivatives total;
  real count = 0, weight = 0;
};
inline pair_sums sum_over_pairs(const std::vector<real>& s, const std::vector<real>& y,
                                const pair_function& f,
                                const std::function<real(std::size_t, std::size_t)>& weight,
                                const std::function<bool(std::size_t, std::size_t)>& counts) {
  const std::size_t n = s.size();
  pair_sums out;
  out.total.gradient.assign(n, 0);
  out.total.hessian.assign(n, 0);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      if (!counts(i, j)) continue;
      const pair_terms t = f(s[i] - s[j], y[i] - y[j]);
      const real w = weight(i, j);
      out.count += 1;
      out.weight += w;
      out.total.value += w * t.value;
      if (i == j) continue;
      out.total.gradient[i] += w * t.slope;
      out.total.gradient[j] -= w * t.slope;
      out.total.hessian[i] += w * t.curvature;
      out.total.hessian[j] += w * t.curvature;
    }
  return out;
}

/// The mean for all items that are alike in score, relevance and weight (none: all 1): what items have whose
/// order decides on their positions.
template <class S, class Y, class W>
void average_alike(std::vector<real>& derivatives, const std::vector<S>& s, const std::vector<Y>& y,
                   const std::vector<W>& weights) {
  std::map<std::tuple<S, Y, W>, std::vector<std::size_t>> alike;
  for (std::size_t i = 0; i < derivatives.size(); ++i)
    alike[{s[i], y[i], weights.empty() ? W(1) : weights[i]}].push_back(i);
  for (const auto& [kind, items] : alike) {
    real sum = 0;
    for (const std::size_t i : items) sum += derivatives[i];
    for (const std::size_t i : items) derivatives[i] = sum / real(items.size());
  }
}

/// Ranks by score from 1, equal scores in the order of the items.
inline std::vector<std::size_t> ordinal_ranks(const std::vector<real>& s) {
  std::vector<std::size_t> order(s.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return s[a] > s[b]; });
  std::vector<std::size_t> rank(s.size());
  for (std::size_t p = 0; p < order.size(); ++p) rank[order[p]] = p + 1;
  return rank;
}

inline real discount(std::size_t rank) { return 1 / std::log2(real(1) + real(rank)); }

inline real ideal_dcg(std::vector<real> gains, std::size_t cutoff) {
  std::sort(gains.begin(), gains.end(), std::greater<>());
  const std::size_t k = cutoff > 0 ? std::min(cutoff, gains.size()) : gains.size();
  real sum = 0;
  for (std::size_t p = 0; p < k; ++p) sum += gains[p] * discount(p + 1);
  return sum;
}

/// A metric of relevant positions before and after two items change their ranks.
inline real average_precision(const std::vector<bool>& relevant_at) {
  real sum = 0, count = 0;
  for (std::size_t p = 0; p < relevant_at.size(); ++p)
    if (relevant_at[p]) sum += ++count / real(p + 1);
  return count > 0 ? sum / count : 0;
}
inline real reciprocal_rank(const std::vector<bool>& relevant_at) {
  for (std::size_t p = 0; p < relevant_at.size(); ++p)
    if (relevant_at[p]) return 1 / real(p + 1);
  return 0;
}
/// |metric after - metric before| when items i and j change their ranks.
inline real change(const std::function<real(const std::vector<bool>&)>& metric,
                   const std::vector<std::size_t>& rank, const std::vector<real>& y, std::size_t i,
                   std::size_t j) {
  std::vector<bool> at(y.size());
  for (std::size_t m = 0; m < y.size(); ++m) at[rank[m] - 1] = y[m] > 0;
  const real before = metric(at);
  const bool held = at[rank[i] - 1];
  at[rank[i] - 1] = at[rank[j] - 1];
  at[rank[j] - 1] = held;
  return std::abs(metric(at) - before);
}

}  // namespace reference
