// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "pair_reference.hpp"
#include "reference.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <vector>

/// The objectives of tree libraries, pair by pair in long double.
namespace reference {

/// What LambdaMART makes of a pair.
struct tree_rules {
  std::size_t k = 0;  // of two items one is among the first k by score; 0: any
  real sigmoid = 1;   // times the difference of scores
  real near = 0;      // weights are divided by near + |d|; 0: not
  real hessian = 1;   // factor on max(p (1 - p), floor)
  real floor = 0;
  bool logarithmic = true;  // all times log2(1 + L) / L, L the sum of |gradient| over both items of all pairs
};

/// change(i, j): of the metric when items i and j change their ranks.
inline derivatives lambdamart(const std::vector<real>& s, const std::vector<real>& y, const tree_rules& rules,
                              const std::function<real(std::size_t, std::size_t)>& change) {
  const std::size_t n = s.size();
  const std::vector<std::size_t> rank = ordinal_ranks(s);
  derivatives out;
  out.gradient.assign(n, 0);
  out.hessian.assign(n, 0);
  real lambdas = 0;
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      if (!(y[i] > y[j])) continue;
      if (rules.k > 0 && rank[i] > rules.k && rank[j] > rules.k) continue;
      const real d = s[i] - s[j];
      real weight = change(i, j);
      if (rules.near > 0) weight /= rules.near + std::abs(d);
      const sigmoid wrong(-rules.sigmoid * d);
      const real lambda = rules.sigmoid * weight * wrong.value;
      const real bend = rules.hessian * weight * std::max(wrong.slope, rules.floor);
      const real x = rules.sigmoid * d;
      out.value += weight * (std::max(-x, real(0)) + std::log1p(std::exp(-std::abs(x))));
      out.gradient[i] -= lambda;
      out.gradient[j] += lambda;
      out.hessian[i] += bend;
      out.hessian[j] += bend;
      lambdas += 2 * lambda;
    }
  if (!rules.logarithmic || !(lambdas > 0)) return out;
  const real norm = std::log1p(lambdas) / std::log(real(2)) / lambdas;
  out.value *= norm;
  for (std::size_t i = 0; i < n; ++i) {
    out.gradient[i] *= norm;
    out.hessian[i] *= norm;
  }
  return out;
}

/// |G_i - G_j| |1/D(r_i) - 1/D(r_j)| / ideal DCG@k
inline std::function<real(std::size_t, std::size_t)> change_of_ndcg(const std::vector<real>& s,
                                                                    const std::vector<real>& gains,
                                                                    std::size_t k) {
  const real best = ideal_dcg(gains, k);
  return [gains, best, rank = ordinal_ranks(s)](std::size_t i, std::size_t j) {
    return best > 0 ? std::abs((gains[i] - gains[j]) * (discount(rank[i]) - discount(rank[j]))) / best
                    : real(0);
  };
}
inline std::function<real(std::size_t, std::size_t)> change_of_map(const std::vector<real>& s,
                                                                   const std::vector<real>& y) {
  return [y, rank = ordinal_ranks(s)](std::size_t i, std::size_t j) {
    return change(average_precision, rank, y, i, j);
  };
}

/// XE-NDCG with the terms of LightGBM, from the numbers phi.
inline derivatives xendcg(const std::vector<real>& s, const std::vector<real>& phi) {
  const std::size_t n = s.size();
  const real most = *std::max_element(s.begin(), s.end());
  real total = 0, mass = 0;
  for (std::size_t i = 0; i < n; ++i) {
    total += phi[i];
    mass += std::exp(s[i] - most);
  }
  derivatives out;
  out.gradient.assign(n, 0);
  out.hessian.assign(n, 0);
  std::vector<real> rho(n), term(n), before(n);
  for (std::size_t i = 0; i < n; ++i) {
    rho[i] = std::exp(s[i] - most) / mass;
    out.value -= phi[i] / total * (s[i] - most - std::log(mass));
    term[i] = rho[i] - phi[i] / total;
    out.hessian[i] = rho[i] * (1 - rho[i]);
  }
  for (int order = 1; order <= 3; ++order) {
    for (std::size_t i = 0; i < n; ++i) out.gradient[i] += term[i];
    before = term;
    for (std::size_t i = 0; i < n; ++i) {
      term[i] = 0;
      for (std::size_t j = 0; j < n; ++j)
        if (j != i) term[i] += rho[i] * before[j] / (1 - rho[j]);
    }
  }
  return out;
}

}  // namespace reference
