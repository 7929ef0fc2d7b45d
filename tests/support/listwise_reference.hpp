// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "reference.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

namespace reference {

/// log(1 + e^x)
inline real softplus(real x) { return std::max(x, real(0)) + std::log1p(std::exp(-std::abs(x))); }

/// Softmax of x among the items from `first` on that `among` keeps, and the logarithm of the sum.
template <class Among>
std::vector<real> softmax(const std::vector<real>& x, Among among, real& log_sum) {
  real top = -std::numeric_limits<real>::infinity();
  for (std::size_t i = 0; i < x.size(); ++i)
    if (among(i)) top = std::max(top, x[i]);
  real sum = 0;
  std::vector<real> p(x.size(), 0);
  for (std::size_t i = 0; i < x.size(); ++i)
    if (among(i)) sum += p[i] = std::exp(x[i] - top);
  for (real& v : p) v /= sum;
  log_sum = top + std::log(sum);
  return p;
}

inline std::vector<real> in_temperatures(const std::vector<real>& s, real t) {
  std::vector<real> x;
  for (const real v : s) x.push_back(v / t);
  return x;
}

/// - mass sum q log p + poly (1 - sum q p), q = v / sum v.
inline derivatives cross_entropy(const std::vector<real>& s, std::vector<real> v, real t, real mass = 1,
                                 real poly = 0) {
  const std::size_t n = s.size();
  derivatives out{0, std::vector<real>(n, 0), std::vector<real>(n, 0)};
  const real total = std::accumulate(v.begin(), v.end(), real(0));
  if (!(total > 0)) return out;
  const auto x = in_temperatures(s, t);
  real log_sum = 0, agreement = 0;
  const auto p = softmax(
      x, [](std::size_t) { return true; }, log_sum);
  for (std::size_t i = 0; i < n; ++i) {
    v[i] /= total;
    if (v[i] > 0) out.value += mass * v[i] * (log_sum - x[i]);
    agreement += v[i] * p[i];
  }
  out.value += poly * (1 - agreement);
  for (std::size_t m = 0; m < n; ++m) {
    out.gradient[m] = (mass * (p[m] - v[m]) - poly * p[m] * (v[m] - agreement)) / t;
    out.hessian[m] = (mass * p[m] * (1 - p[m]) - poly * p[m] * (1 - 2 * p[m]) * (v[m] - agreement)) / (t * t);
  }
  return out;
}

/// What item i draws against the items that `among(i, j)` keeps, weighted by c_i.
template <class Among>
derivatives draws(const std::vector<real>& s, const std::vector<real>& c, real t, Among among) {
  const std::size_t n = s.size();
  derivatives out{0, std::vector<real>(n, 0), std::vector<real>(n, 0)};
  const auto x = in_temperatures(s, t);
  for (std::size_t i = 0; i < n; ++i) {
    if (!(c[i] > 0)) continue;
    real log_sum = 0;
    const auto p = softmax(
        x, [&](std::size_t j) { return among(i, j); }, log_sum);
    out.value += c[i] * (log_sum - x[i]);
    real others = 0;  // 1 - p_i, with the digits of a small one
    for (std::size_t m = 0; m < n; ++m) others += m == i ? 0 : p[m];
    for (std::size_t m = 0; m < n; ++m) {
      out.gradient[m] += c[i] * (m == i ? -others : p[m]) / t;
      out.hessian[m] += c[i] * p[m] * (m == i ? others : 1 - p[m]) / (t * t);
    }
  }
  return out;
}

/// The items by y, descending and stable.
template <class Y>
std::vector<std::size_t> by_relevance(const std::vector<Y>& y) {
  std::vector<std::size_t> order(y.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return y[i] > y[j]; });
  return order;
}

/// ListMLE of an order; c[i] belongs to the i-th position.
inline derivatives listmle(const std::vector<real>& s, const std::vector<std::size_t>& order,
                           const std::vector<real>& c, real t) {
  std::vector<std::size_t> position(s.size());
  std::vector<real> own(s.size());
  for (std::size_t k = 0; k < order.size(); ++k) {
    position[order[k]] = k;
    own[order[k]] = c[k];
  }
  return draws(s, own, t, [&](std::size_t i, std::size_t j) { return position[j] >= position[i]; });
}

template <class Y>
derivatives unique_softmax(const std::vector<real>& s, const std::vector<Y>& y,
                           const std::vector<real>& gains, real t) {
  return draws(s, gains, t, [&](std::size_t i, std::size_t j) { return i == j || y[j] < y[i]; });
}

/// -log of the probability of all orders that fall in y, by going through every order of every tied group.
template <class Y>
real all_tied_orders(const std::vector<real>& s, const std::vector<Y>& y, real t) {
  const auto x = in_temperatures(s, t);
  const auto order = by_relevance(y);
  real loss = 0;
  for (std::size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    while (end < order.size() && y[order[end]] == y[order[begin]]) ++end;
    std::vector<std::size_t> group(order.begin() + static_cast<std::ptrdiff_t>(begin),
                                   order.begin() + static_cast<std::ptrdiff_t>(end));
    std::sort(group.begin(), group.end());
    std::vector<real> logs;
    do {
      real log_p = 0;
      for (std::size_t k = 0; k < group.size(); ++k) {
        real log_sum = 0;
        softmax(
            x,
            [&](std::size_t j) {
              return y[j] < y[group[0]] ||
                     std::find(group.begin() + static_cast<std::ptrdiff_t>(k), group.end(), j) != group.end();
            },
            log_sum);
        log_p += x[group[k]] - log_sum;
      }
      logs.push_back(log_p);
    } while (std::next_permutation(group.begin(), group.end()));
    real log_sum = 0;
    softmax(
        logs, [](std::size_t) { return true; }, log_sum);
    loss -= log_sum;
  }
  return loss;
}

/// Scores of deviation `spread`, rounded to T, so that a reference begins from the same numbers.
template <class T>
std::vector<T> normal_scores(std::size_t n, unsigned seed, double spread = 1.0) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal(0.5, spread);
  std::vector<T> s(n);
  for (T& x : s) x = static_cast<T>(normal(random));
  return s;
}

template <class T>
std::vector<T> whole_grades(std::size_t n, unsigned seed, unsigned count = 5) {
  std::mt19937_64 random(seed);
  std::vector<T> y(n);
  for (T& x : y) x = static_cast<T>(random() % count);
  return y;
}

}  // namespace reference
