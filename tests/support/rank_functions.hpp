// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/evaluate.hpp>

#include "tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <random>
#include <span>
#include <vector>

namespace support {

/// A list as a metric sees it, over vectors that outlive it.
template <class T, class R>
rankloss::list<T, R> list_of(const std::vector<T>& scores, const std::vector<R>& relevance,
                             const std::vector<double>& weights = {}) {
  return {
      {scores.data(), scores.size()}, {relevance.data(), relevance.size()}, {weights.data(), weights.size()}};
}

/// Number of relevant items that stand where item i does or before it.
template <class R>
std::vector<double> ranks_among_relevant(const std::vector<double>& ranks, const std::vector<R>& relevance,
                                         const std::vector<double>& weights) {
  std::vector<double> out(ranks.size(), 77.0);  // any number where not relevant
  const auto relevant = [&](std::size_t i) { return relevance[i] > R{0} && weights[i] > 0.0; };
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    if (!relevant(i)) continue;
    out[i] = 0.0;
    for (std::size_t j = 0; j < ranks.size(); ++j) out[i] += relevant(j) && ranks[j] <= ranks[i] ? 1.0 : 0.0;
  }
  return out;
}

/// Value of a metric as a function of ranks, and its derivatives unless not wanted.
template <class Metric, class T, class R>
double of_ranks(const Metric& metric, const std::vector<double>& ranks, const rankloss::list<T, R>& items,
                std::span<double> by_rank = {}) {
  rankloss::workspace scratch;
  return metric.of_ranks(std::span<const double>(ranks), items, by_rank, scratch);
}

/// Ranks 1 to n in random order.
inline std::vector<double> shuffled_ranks(std::mt19937_64& random, std::size_t n) {
  std::vector<double> ranks(n);
  std::iota(ranks.begin(), ranks.end(), 1.0);
  for (std::size_t i = n; i > 1; --i) std::swap(ranks[i - 1], ranks[random() % i]);
  return ranks;
}

/// Real ranks in [1, n], no two closer than 0.1 and none within 0.01 of a whole number, where cuts have kinks
/// in their slopes.
inline std::vector<double> real_ranks(std::mt19937_64& random, std::size_t n) {
  std::vector<double> ranks = shuffled_ranks(random, n);
  for (double& r : ranks)
    r = 1.0 + (r - 1.0) * 0.83 + 0.02 + 0.1 * static_cast<double>(random() % 100) / 100.0;
  for (double& r : ranks)
    if (std::abs(r - std::round(r)) < 0.01) r += 0.02;
  return ranks;
}

/// Derivatives against central differences of a value with one rank moved.
template <class Value>
void check_slopes(Value value, std::vector<double> ranks, const std::vector<double>& by_rank) {
  constexpr double step = 0x1p-17;
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    const double at = ranks[i];
    ranks[i] = at + step;
    const double up = value(ranks);
    ranks[i] = at - step;
    const double down = value(ranks);
    ranks[i] = at;
    CHECK(by_rank[i] == Approx((up - down) / (2.0 * step)).epsilon(1e-7).margin(1e-8));
  }
}

/// What every metric that is a function of ranks promises: at whole ranks it is the metric, and its
/// derivatives are those of its value. `make(k)` gives the metric with cutoff k.
template <class T, class Make>
void check_rank_function(Make make, unsigned grades) {
  std::mt19937_64 random(11);
  for (std::size_t round = 0; round < 30; ++round) {
    const std::size_t n = 1 + random() % 9;
    const auto y = whole_numbers<int>(random, n, grades);
    const auto w = whole_numbers<double>(random, n, 4);
    const auto whole = shuffled_ranks(random, n);
    const auto between = real_ranks(random, n);
    std::vector<T> s(n);
    for (std::size_t i = 0; i < n; ++i) s[i] = static_cast<T>(3.0 - whole[i]);
    const std::vector<double> weights = round % 3 == 0 ? std::vector<double>{} : w;
    const auto items = list_of(s, y, weights);
    const rankloss::list_batch<T, int> batch{.scores = s, .relevance = y, .item_weights = weights};
    for (std::size_t k = 0; k <= n + 1; ++k) {
      const auto metric = make(k);
      CHECK(of_ranks(metric, whole, items) == Approx(rankloss::evaluate(metric, batch)).epsilon(1e-14));

      std::vector<double> by_rank(n, 99.0);
      const double value = of_ranks(metric, between, items, by_rank);
      CHECK(of_ranks(metric, between, items) == Approx(value).epsilon(1e-13));
      check_slopes([&](const std::vector<double>& ranks) { return of_ranks(metric, ranks, items); }, between,
                   by_rank);
    }
  }
}

/// A list without relevance has value 0 and no slope.
template <class Metric>
void check_nothing_relevant(const Metric& metric) {
  const std::vector<double> s{3, 2, 1};
  const std::vector<int> y{0, 0, 0};
  std::vector<double> by_rank(3, 99.0);
  CHECK(of_ranks(metric, {1, 2.5, 3}, list_of(s, y), by_rank) == 0.0);
  CHECK(by_rank == std::vector<double>(3, 0.0));
  CHECK(of_ranks(metric, {}, list_of(std::vector<float>{}, std::vector<int>{})) == 0.0);
}

}  // namespace support
