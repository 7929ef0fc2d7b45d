// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "reference.hpp"

#include <rankloss/ranks/projected_ranks.hpp>
#include <rankloss/ranks/rank.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <vector>

/// Projections onto permutahedra by their definition (Blondel et al. 2020, arXiv 2002.08871): the minimax
/// form of isotonic regression, which pools nothing, and derivatives by central differences in long double.
namespace reference {

using rankloss::regularization;
using rankloss::sort_direction;

/// v falls and is nearest to z - w: v_i = min over a <= i of max over b >= i of the best constant for a..b.
inline std::vector<real> isotonic(regularization how, const std::vector<real>& z,
                                  const std::vector<real>& w) {
  const std::size_t n = z.size();
  std::vector<real> v(n, std::numeric_limits<real>::infinity());
  for (std::size_t a = 0; a < n; ++a) {
    std::vector<real> constant(n);
    real sum_z = 0, sum_w = 0, top_z = -std::numeric_limits<real>::infinity(), top_w = top_z;
    for (std::size_t b = a; b < n; ++b) {
      if (how == regularization::quadratic) {
        sum_z += z[b];
        sum_w += w[b];
        constant[b] = (sum_z - sum_w) / real(b - a + 1);
      } else {  // logsumexp, always relative to the largest term
        const auto add = [](real& sum, real& top, real x) {
          const real largest = std::max(top, x);
          sum = sum * std::exp(top - largest) + std::exp(x - largest);
          top = largest;
        };
        add(sum_z, top_z, z[b]);
        add(sum_w, top_w, w[b]);
        constant[b] = top_z - top_w + std::log(sum_z / sum_w);
      }
    }
    real most = -std::numeric_limits<real>::infinity();
    for (std::size_t i = n; i-- > a;) {
      most = std::max(most, constant[i]);
      v[i] = std::min(v[i], most);
    }
  }
  return v;
}

inline std::vector<std::size_t> falling_order(const std::vector<real>& x) {
  std::vector<std::size_t> order(x.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return x[i] > x[j]; });
  return order;
}

inline std::vector<real> projected_ranks(regularization how, sort_direction direction, real temperature,
                                         const std::vector<real>& s) {
  const std::size_t n = s.size();
  std::vector<real> z(n), sorted(n), w(n), ranks(n);
  for (std::size_t i = 0; i < n; ++i)
    z[i] = (direction == sort_direction::ascending ? s[i] : -s[i]) / temperature;
  const std::vector<std::size_t> order = falling_order(z);
  for (std::size_t i = 0; i < n; ++i) {
    sorted[i] = z[order[i]];
    w[i] = how == regularization::quadratic ? real(n - i) : std::log(real(n - i));
  }
  const std::vector<real> v = isotonic(how, sorted, w);
  for (std::size_t i = 0; i < n; ++i)
    ranks[order[i]] = how == regularization::quadratic ? sorted[i] - v[i] : std::exp(sorted[i] - v[i]);
  return ranks;
}

inline std::vector<real> projected_sort(regularization how, sort_direction direction, real temperature,
                                        const std::vector<real>& s) {
  const std::size_t n = s.size();
  const real sign = direction == sort_direction::descending ? 1 : -1;
  std::vector<real> z(n), w(n);
  for (std::size_t i = 0; i < n; ++i) {
    z[i] = real(n - i) / temperature;
    w[i] = sign * s[i];
  }
  std::sort(w.begin(), w.end(), std::greater<>());
  const std::vector<real> v = isotonic(how, z, w);
  std::vector<real> values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = sign * (z[i] - v[i]);
  return values;
}

/// jacobian[i][j] = d(value_i) / d(s_j)
template <class Function>
std::vector<std::vector<real>> jacobian(Function function, std::vector<real> s, real step) {
  const std::size_t n = s.size();
  std::vector<std::vector<real>> rows(n, std::vector<real>(n));
  for (std::size_t j = 0; j < n; ++j) {
    const real at = s[j];
    s[j] = at + step;
    const std::vector<real> above = function(s);
    s[j] = at - step;
    const std::vector<real> below = function(s);
    s[j] = at;
    for (std::size_t i = 0; i < n; ++i) rows[i][j] = (above[i] - below[i]) / (2 * step);
  }
  return rows;
}

template <class T>
std::vector<real> product(const std::vector<std::vector<real>>& rows, const std::vector<T>& right) {
  std::vector<real> out(rows.size(), 0);
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (std::size_t j = 0; j < right.size(); ++j) out[i] += rows[i][j] * real(right[j]);
  return out;
}
template <class T>
std::vector<real> product_from_left(const std::vector<std::vector<real>>& rows, const std::vector<T>& left) {
  std::vector<real> out(rows.size(), 0);
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (std::size_t j = 0; j < left.size(); ++j) out[j] += rows[i][j] * real(left[i]);
  return out;
}

}  // namespace reference
