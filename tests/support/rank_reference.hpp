// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "listwise_reference.hpp"
#include "reference.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <numeric>
#include <vector>

/// Losses of soft ranks and of soft permutations, and the likelihood of tied orders, by their definitions:
/// pair by pair, entry by entry and node by node in long double, at a temperature of 1.
namespace reference {

using reals = std::vector<real>;

enum class rank_kind { sigmoid, laplace };

/// F(x) of a rank, and F'.
struct rank_step {
  real value, slope;
};
inline rank_step step_of(rank_kind kind, real x) {
  if (kind == rank_kind::sigmoid) {
    const sigmoid s(x);
    return {s.value, s.slope};
  }
  const real half = std::exp(-std::abs(x)) / 2;
  return {x < 0 ? half : 1 - half, half};
}

inline reals soft_ranks(rank_kind kind, const reals& s) {
  reals ranks(s.size(), 1);
  for (std::size_t i = 0; i < s.size(); ++i)
    for (std::size_t j = 0; j < s.size(); ++j)
      if (j != i) ranks[i] += step_of(kind, s[j] - s[i]).value;
  return ranks;
}

/// Adds sum_i c_i d(rank_i) / d(s_m) to the gradient.
inline void pull_ranks(rank_kind kind, const reals& s, const reals& c, reals& gradient) {
  for (std::size_t m = 0; m < s.size(); ++m)
    for (std::size_t j = 0; j < s.size(); ++j)
      if (j != m) gradient[m] += (c[j] - c[m]) * step_of(kind, s[j] - s[m]).slope;
}

inline derivatives smooth_ap(const reals& s, const reals& y) {
  derivatives out{0, reals(s.size(), 0), {}};
  std::vector<std::size_t> which;
  reals scores;
  for (std::size_t i = 0; i < s.size(); ++i)
    if (y[i] > 0) {
      which.push_back(i);
      scores.push_back(s[i]);
    }
  if (which.empty()) return out;
  const real share = 1 / real(which.size());
  const reals ranks = soft_ranks(rank_kind::sigmoid, s), among = soft_ranks(rank_kind::sigmoid, scores);
  reals by_rank(s.size(), 0), by_own(which.size(), 0), own(which.size(), 0);
  out.value = 1;
  for (std::size_t r = 0; r < which.size(); ++r) {
    const real rank = ranks[which[r]];
    out.value -= share * among[r] / rank;
    by_rank[which[r]] = share * among[r] / (rank * rank);
    by_own[r] = -share / rank;
  }
  pull_ranks(rank_kind::sigmoid, s, by_rank, out.gradient);
  pull_ranks(rank_kind::sigmoid, scores, by_own, own);
  for (std::size_t r = 0; r < which.size(); ++r) out.gradient[which[r]] += own[r];
  return out;
}

inline derivatives smooth_recall(const reals& s, const reals& y, std::size_t cutoff) {
  derivatives out{0, reals(s.size(), 0), {}};
  const auto relevant = static_cast<real>(std::count_if(y.begin(), y.end(), [](real v) { return v > 0; }));
  if (!(relevant > 0)) return out;
  const reals ranks = soft_ranks(rank_kind::sigmoid, s);
  reals by_rank(s.size(), 0);
  out.value = 1;
  for (std::size_t i = 0; i < s.size(); ++i) {
    if (!(y[i] > 0)) continue;
    const real t = std::clamp(ranks[i] - real(cutoff), real(0), real(1));
    out.value -= (1 - t * t * (3 - 2 * t)) / relevant;
    by_rank[i] = 6 * t * (1 - t) / relevant;
  }
  pull_ranks(rank_kind::sigmoid, s, by_rank, out.gradient);
  return out;
}

/// sum y rank / sum y
inline derivatives smooth_position(rank_kind kind, const reals& s, const reals& y) {
  derivatives out{0, reals(s.size(), 0), {}};
  const real total = std::accumulate(y.begin(), y.end(), real(0));
  if (!(total > 0)) return out;
  const reals ranks = soft_ranks(kind, s);
  reals shares;
  for (std::size_t i = 0; i < s.size(); ++i) {
    shares.push_back(y[i] / total);
    out.value += shares[i] * ranks[i];
  }
  pull_ranks(kind, s, shares, out.gradient);
  return out;
}

inline derivatives soft_spearman(const reals& s, const reals& y) {
  const std::size_t n = s.size();
  derivatives out{0, reals(n, 0), {}};
  reals a = soft_ranks(rank_kind::sigmoid, s), b(n, 0.5);
  for (std::size_t i = 0; i < n; ++i)
    for (const real other : y) b[i] += other > y[i] ? real(1) : other == y[i] ? real(0.5) : real(0);
  const auto product = [](const reals& u, const reals& v) {
    return std::inner_product(u.begin(), u.end(), v.begin(), real(0));
  };
  for (real& x : a) x -= real(n + 1) / 2;
  for (real& x : b) x -= real(n + 1) / 2;
  const real size_a = std::sqrt(product(a, a)), size_b = std::sqrt(product(b, b));
  if (!(size_b > 0)) return out;
  out.value = 1;
  if (!(size_a > 1e-9 * real(n))) return out;
  const real rho = product(a, b) / (size_a * size_b);
  out.value -= rho;
  reals by_rank(n);
  for (std::size_t i = 0; i < n; ++i) by_rank[i] = (rho * a[i] / size_a - b[i] / size_b) / size_a;
  pull_ranks(rank_kind::sigmoid, s, by_rank, out.gradient);
  return out;
}

/// -log of the probability that a Plackett-Luce draw falls in relevance: each grade's items before all lower
/// ones, in whatever order, as an integral over the log time u of an exponential race, by the trapezoid rule.
inline derivatives exact_ties(const reals& s, const reals& y) {
  const std::size_t n = s.size();
  derivatives out{0, reals(n, 0), {}};
  const std::vector<std::size_t> order = by_relevance(y);
  for (std::size_t begin = 0, end = 0; begin < n; begin = end) {
    while (end < n && y[order[end]] == y[order[begin]]) ++end;
    if (end == n) break;
    const real grade = y[order[begin]];
    real others = 0;
    const reals p = softmax(
        s, [&](std::size_t j) { return y[j] < grade; }, others);
    const auto node = [&](real u, reals& slopes) {
      real log = u - std::exp(u);
      for (std::size_t k = begin; k < end; ++k) {
        const real v = s[order[k]] - others + u;
        const real x = std::exp(std::min(v, real(10)));
        const real kept = -std::expm1(-x);
        log += v < -50 ? v : std::log(kept);
        slopes[k - begin] = v < -50 ? 1 : x * (1 - kept) / kept;
      }
      return log;
    };
    constexpr real h = 0.03125L;
    reals slopes(end - begin), means(end - begin, 0);
    real top = node(0, slopes);
    for (real u = 0; u < 9; u += h) top = std::max(top, node(u, slopes));
    real mass = 0;
    for (real u = -48; u < 9; u += h) {
      const real weight = std::exp(node(u, slopes) - top);
      mass += weight;
      for (std::size_t k = 0; k < means.size(); ++k) means[k] += weight * slopes[k];
    }
    out.value -= top + std::log(mass * h);
    for (std::size_t k = 0; k < means.size(); ++k) {
      const real slope = means[k] / mass;
      out.gradient[order[begin + k]] -= slope;
      for (std::size_t j = 0; j < n; ++j) out.gradient[j] += slope * p[j];
    }
  }
  return out;
}

/// Rows of NeuralSort, softmax over j of L_ij = (n + 1 - 2 i) s_j - sum_k |s_j - s_k|, and the logarithms of
/// their entries.
struct neural_rows {
  std::vector<reals> p, log_p;
  explicit neural_rows(const reals& s) {
    const std::size_t n = s.size();
    reals distance(n, 0);
    for (std::size_t j = 0; j < n; ++j)
      for (const real x : s) distance[j] += std::abs(s[j] - x);
    for (std::size_t i = 0; i < n; ++i) {
      reals logits(n);
      for (std::size_t j = 0; j < n; ++j) logits[j] = (real(n) - 1 - 2 * real(i)) * s[j] - distance[j];
      real log_sum = 0;
      p.push_back(softmax(
          logits, [](std::size_t) { return true; }, log_sum));
      for (real& x : logits) x -= log_sum;
      log_p.push_back(logits);
    }
  }
};
/// From d(f)/d(L_ij) to the gradient by the scores; |x| has slope 0 at 0.
inline reals pull_logits(const reals& s, const std::vector<reals>& by_logit) {
  const std::size_t n = s.size();
  reals columns(n, 0), gradient(n, 0);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      columns[j] += by_logit[i][j];
      gradient[j] += by_logit[i][j] * (real(n) - 1 - 2 * real(i));
    }
  for (std::size_t m = 0; m < n; ++m)
    for (std::size_t k = 0; k < n; ++k)
      if (s[k] != s[m]) gradient[m] -= (columns[k] + columns[m]) * (s[m] > s[k] ? real(1) : real(-1));
  return gradient;
}

inline derivatives neural_cross_entropy(const reals& s, const reals& y) {
  const std::size_t n = s.size();
  derivatives out;
  const neural_rows of_scores(s), of_relevance(y);
  std::vector<reals> by_logit(n, reals(n));
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      const real q = of_relevance.p[i][j];
      if (q > 0) out.value -= q * of_scores.log_p[i][j] / real(n);
      by_logit[i][j] = (of_scores.p[i][j] - q) / real(n);
    }
  out.gradient = pull_logits(s, by_logit);
  return out;
}

/// 1 - DCG / ideal DCG of gains sorted by NeuralSort's rows as they are.
inline derivatives neural_ndcg(const reals& s, const reals& gains) {
  const std::size_t n = s.size();
  derivatives out{0, reals(n, 0), {}};
  reals sorted = gains;
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  const auto discount = [](std::size_t i) { return 1 / std::log2(real(2) + real(i)); };
  real ideal = 0;
  for (std::size_t i = 0; i < n; ++i) ideal += sorted[i] * discount(i);
  if (!(ideal > 0)) return out;
  const neural_rows rows(s);
  std::vector<reals> by_logit(n, reals(n));
  out.value = 1;
  for (std::size_t i = 0; i < n; ++i) {
    const real gain = std::inner_product(gains.begin(), gains.end(), rows.p[i].begin(), real(0));
    const real factor = discount(i) / ideal;
    out.value -= factor * gain;
    for (std::size_t j = 0; j < n; ++j) by_logit[i][j] = -factor * rows.p[i][j] * (gains[j] - gain);
  }
  out.gradient = pull_logits(s, by_logit);
  return out;
}

}  // namespace reference
