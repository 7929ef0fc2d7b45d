// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "listwise_reference.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

/// The losses of a query with positives, of relevance above 0, and negatives: formulas as in the headers' doc
/// comments, in long double.
namespace reference {

inline derivatives siglip(const std::vector<real>& s, const std::vector<real>& y, real temperature,
                          real bias) {
  derivatives out;
  for (std::size_t i = 0; i < s.size(); ++i) {
    const real z = s[i] / temperature + bias;
    out.value += softplus(y[i] > 0 ? -z : z);
    out.gradient.push_back((y[i] > 0 ? -sigmoid(-z).value : sigmoid(z).value) / temperature);
  }
  return out;
}

/// log sum exp(x_i) over the items of one part, as a number and as the share of each item; without items
/// minus infinity.
struct part {
  real logarithm;
  std::vector<real> shares;
  part(const std::vector<real>& x, const std::vector<bool>& own) {
    logarithm = -std::numeric_limits<real>::infinity();
    shares.assign(x.size(), 0);
    if (std::find(own.begin(), own.end(), true) != own.end())
      shares = softmax(
          x, [&](std::size_t i) { return own[i]; }, logarithm);
  }
};

/// The sides of a query: which items are positives, which negatives.
inline std::vector<bool> side(const std::vector<real>& y, bool positives) {
  std::vector<bool> own;
  for (const real v : y) own.push_back((v > 0) == positives);
  return own;
}

inline derivatives multi_similarity(const std::vector<real>& s, const std::vector<real>& y, real alpha,
                                    real beta, real base,
                                    real epsilon = std::numeric_limits<real>::infinity()) {
  const std::size_t n = s.size();
  std::vector<bool> positive = side(y, true), negative = side(y, false);
  real least = std::numeric_limits<real>::infinity(), most = -least;
  for (std::size_t i = 0; i < n; ++i)
    (positive[i] ? least : most) = positive[i] ? std::min(least, s[i]) : std::max(most, s[i]);
  std::vector<real> p, q;
  for (std::size_t i = 0; i < n; ++i) {
    if (!std::isinf(epsilon)) {
      positive[i] = positive[i] && s[i] < most + epsilon;
      negative[i] = negative[i] && s[i] > least - epsilon;
    }
    p.push_back(-alpha * (s[i] - base));
    q.push_back(beta * (s[i] - base));
  }
  const part of_positives(p, positive), of_negatives(q, negative);
  derivatives out{softplus(of_positives.logarithm) / alpha + softplus(of_negatives.logarithm) / beta, {}, {}};
  for (std::size_t i = 0; i < n; ++i)
    out.gradient.push_back(sigmoid(of_negatives.logarithm).value * of_negatives.shares[i] -
                           sigmoid(of_positives.logarithm).value * of_positives.shares[i]);
  return out;
}

inline derivatives circle(const std::vector<real>& s, const std::vector<real>& y, real margin, real gamma,
                          bool differentiated) {
  const std::vector<bool> positive = side(y, true), negative = side(y, false);
  std::vector<real> x, slope;
  for (std::size_t i = 0; i < s.size(); ++i) {
    const real a = std::max(real(0), positive[i] ? 1 + margin - s[i] : s[i] + margin);
    const real off = positive[i] ? s[i] - 1 + margin : s[i] - margin;
    x.push_back((positive[i] ? -1 : 1) * gamma * a * off);
    slope.push_back(gamma * (positive[i] ? -a : a));
    if (differentiated && a > 0) slope.back() += gamma * off;
  }
  const part of_positives(x, positive), of_negatives(x, negative);
  derivatives out;
  const real both = of_positives.logarithm + of_negatives.logarithm;
  out.value = softplus(both);
  for (std::size_t i = 0; i < s.size(); ++i)
    out.gradient.push_back(sigmoid(both).value * slope[i] *
                           (of_positives.shares[i] + of_negatives.shares[i]));
  return out;
}

/// The distances of cosines and their derivatives; kind: 0 cosine, 1 Euclidean, 2 its square.
struct distances {
  std::vector<real> d, slopes;
  distances(const std::vector<real>& s, int kind) {
    for (const real x : s) {
      d.push_back(kind == 0 ? 1 - x : kind == 1 ? std::sqrt(2 - 2 * x) : 2 - 2 * x);
      slopes.push_back(kind == 0 ? -1 : kind == 1 ? -1 / d.back() : -2);
    }
  }
};

/// Of distances d with derivatives by s.
inline derivatives nca(const std::vector<real>& y, real scale, const std::vector<real>& d,
                       const std::vector<real>& slopes) {
  std::vector<real> x;
  for (const real v : d) x.push_back(-scale * v);
  const part of_positives(x, side(y, true)), of_negatives(x, side(y, false));
  derivatives out{0, std::vector<real>(x.size(), 0), {}};
  if (std::isinf(of_positives.logarithm)) return out;
  const real odds = of_negatives.logarithm - of_positives.logarithm;
  out.value = softplus(odds);
  for (std::size_t i = 0; i < x.size(); ++i)
    out.gradient[i] =
        -scale * slopes[i] * sigmoid(odds).value * (of_negatives.shares[i] - of_positives.shares[i]);
  return out;
}

/// Of distances d with derivatives by s.
inline derivatives contrastive(const std::vector<real>& y, const std::vector<real>& d,
                               const std::vector<real>& slopes, real positive_margin, real negative_margin,
                               bool squared, bool active) {
  std::vector<real> cost, slope;
  real sums[2]{}, counts[2]{};
  for (std::size_t i = 0; i < y.size(); ++i) {
    const real h = std::max(real(0), y[i] > 0 ? d[i] - positive_margin : negative_margin - d[i]);
    cost.push_back(squared ? h * h / 2 : h);
    slope.push_back((y[i] > 0 ? 1 : -1) * slopes[i] * (squared ? h : h > 0 ? 1 : 0));
    sums[y[i] > 0 ? 1 : 0] += cost[i];
    counts[y[i] > 0 ? 1 : 0] += !active || cost[i] > 0 ? 1 : 0;
  }
  derivatives out;
  for (const int part : {0, 1}) out.value += sums[part] / std::max(counts[part], real(1));
  for (std::size_t i = 0; i < y.size(); ++i)
    out.gradient.push_back(slope[i] / std::max(counts[y[i] > 0 ? 1 : 0], real(1)));
  return out;
}

/// info_nce; `kind`: 0 outside, 1 inside, 2 separate; `weights`: of the items, empty: all 1.
inline derivatives info_nce(const std::vector<real>& s, const std::vector<real>& y, real temperature,
                            int kind, real smoothing = 0, real prior = 0,
                            const std::vector<real>& weights = {}) {
  const std::size_t n = s.size();
  std::vector<bool> positive = side(y, true), negative = side(y, false), listed(n, true);
  std::vector<real> z, target;
  for (std::size_t i = 0; i < n; ++i) {
    const real weight = weights.empty() ? real(1) : weights[i];
    listed[i] = weight > 0;
    positive[i] = positive[i] && listed[i];
    negative[i] = negative[i] && listed[i];
    z.push_back(listed[i] ? s[i] / temperature + std::log(weight) : real(0));
  }
  const auto positives = static_cast<real>(std::count(positive.begin(), positive.end(), true));
  const auto negatives = static_cast<real>(std::count(negative.begin(), negative.end(), true));
  derivatives out{0, std::vector<real>(n, 0), {}};
  if (!(positives > 0)) return out;
  const part all(z, listed), of_positives(z, positive), of_negatives(z, negative);
  if (kind == 0) {
    for (std::size_t i = 0; i < n; ++i) {
      if (!listed[i]) continue;
      const real t = smoothing / (positives + negatives) + (positive[i] ? (1 - smoothing) / positives : 0);
      out.value += t * (all.logarithm - z[i]);
      out.gradient[i] = (all.shares[i] - t) / temperature;
    }
  } else if (kind == 1) {
    const real odds = of_negatives.logarithm - of_positives.logarithm;
    out.value = softplus(odds) + std::log(positives);
    for (std::size_t i = 0; i < n; ++i)
      out.gradient[i] = sigmoid(odds).value * (of_negatives.shares[i] - of_positives.shares[i]) / temperature;
  } else if (negatives > 0) {
    real logarithm = of_negatives.logarithm, by_negatives = 1, by_positives = 0;
    if (prior > 0) {
      // Relative to the greatest of the sums.
      const real top = std::max(of_negatives.logarithm, of_positives.logarithm);
      const real own = std::exp(of_negatives.logarithm - top);
      const real expected = prior * negatives / positives * std::exp(of_positives.logarithm - top);
      const real rest = (own - expected) / (1 - prior);
      const real least = std::log(negatives) - 1 / temperature;
      const bool at_least = rest <= 0 || std::log(rest) + top <= least;
      logarithm = at_least ? least : std::log(rest) + top;
      by_negatives = at_least ? 0 : own / (own - expected);
      by_positives = at_least ? 0 : -expected / (own - expected);
    }
    real slope = 0;
    for (std::size_t i = 0; i < n; ++i) {
      if (!positive[i]) continue;
      out.value += softplus(logarithm - z[i]) / positives;
      const real own = sigmoid(logarithm - z[i]).value / positives;
      slope += own;
      out.gradient[i] -= own / temperature;
    }
    for (std::size_t i = 0; i < n; ++i)
      out.gradient[i] += slope / temperature *
                         (by_negatives * of_negatives.shares[i] + by_positives * of_positives.shares[i]);
  }
  return out;
}

inline derivatives cmpm(const std::vector<real>& s, const std::vector<real>& y, real temperature,
                        real epsilon, bool by_root = false) {
  const std::vector<bool> positive = side(y, true);
  const auto count = static_cast<real>(std::count(positive.begin(), positive.end(), true));
  const real match = by_root ? 1 / std::sqrt(count) : 1 / count;
  derivatives out{0, std::vector<real>(s.size(), 0), {}};
  if (!(count > 0)) return out;
  const auto x = in_temperatures(s, temperature);
  const part all(x, std::vector<bool>(s.size(), true));
  std::vector<real> logarithms;
  for (std::size_t i = 0; i < s.size(); ++i) {
    logarithms.push_back(x[i] - all.logarithm - std::log((positive[i] ? match : 0) + epsilon));
    out.value += all.shares[i] * logarithms[i];
  }
  for (std::size_t i = 0; i < s.size(); ++i)
    out.gradient[i] = all.shares[i] * (logarithms[i] - out.value) / temperature;
  return out;
}

}  // namespace reference
