// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/partial_order.hpp>

#include "reference.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

namespace reference {

/// Which item (row) is better than which (column), by what follows from pairs (Warshall).
inline std::vector<std::vector<bool>> better_of(
    std::size_t n, const std::vector<std::pair<std::size_t, std::size_t>>& pairs) {
  std::vector<std::vector<bool>> better(n, std::vector<bool>(n, false));
  for (const auto& [a, b] : pairs) better[a][b] = true;
  for (std::size_t k = 0; k < n; ++k)
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j)
        if (better[i][k] && better[k][j]) better[i][j] = true;
  return better;
}

/// -log of the Plackett-Luce probability of the orders that `better` allows, one by one: for short lists.
/// @param s  scores over temperature
inline derivatives order_loss(const std::vector<real>& s, const std::vector<std::vector<bool>>& better) {
  const std::size_t n = s.size();
  struct drawn {
    real log_p;
    std::vector<real> first, second;
  };
  std::vector<drawn> all;
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  do {
    bool allowed = true;
    for (std::size_t a = 0; a < n; ++a)
      for (std::size_t b = a + 1; b < n; ++b) allowed = allowed && !better[order[b]][order[a]];
    if (!allowed) continue;
    drawn own{0, std::vector<real>(n, 0), std::vector<real>(n, 0)};
    for (std::size_t k = 0; k < n; ++k) {
      real most = s[order[k]];
      for (std::size_t j = k; j < n; ++j) most = std::max(most, s[order[j]]);
      real sum = 0;
      for (std::size_t j = k; j < n; ++j) sum += std::exp(s[order[j]] - most);
      own.log_p += s[order[k]] - most - std::log(sum);
      own.first[order[k]] += 1;
      for (std::size_t j = k; j < n; ++j) {
        const real p = std::exp(s[order[j]] - most) / sum;
        own.first[order[j]] -= p;
        own.second[order[j]] -= p * (1 - p);
      }
    }
    all.push_back(own);
  } while (std::next_permutation(order.begin(), order.end()));
  real top = all.front().log_p;
  for (const drawn& own : all) top = std::max(top, own.log_p);
  real mass = 0;
  for (const drawn& own : all) mass += std::exp(own.log_p - top);
  derivatives found{-top - std::log(mass), std::vector<real>(n, 0), std::vector<real>(n, 0)};
  for (std::size_t i = 0; i < n; ++i) {
    real mean = 0;
    real bend = 0;
    for (const drawn& own : all) mean += std::exp(own.log_p - top) / mass * own.first[i];
    for (const drawn& own : all)
      bend +=
          std::exp(own.log_p - top) / mass * (own.second[i] + (own.first[i] - mean) * (own.first[i] - mean));
    found.gradient[i] = -mean;
    found.hessian[i] = -bend;
  }
  return found;
}

/// Pairs of n items that hold no cycle: each pair of a random order with the given chance.
inline std::vector<std::pair<std::size_t, std::size_t>> random_pairs(std::mt19937_64& random, std::size_t n,
                                                                     double chance) {
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t i = n; i > 1; --i) std::swap(order[i - 1], order[random() % i]);
  std::vector<std::pair<std::size_t, std::size_t>> pairs;
  for (std::size_t a = 0; a < n; ++a)
    for (std::size_t b = a + 1; b < n; ++b)
      if (static_cast<double>(random() >> 11) * 0x1p-53 < chance) pairs.emplace_back(order[a], order[b]);
  return pairs;
}

/// The order of one list by pairs.
inline rankloss::partial_order order_of(std::size_t n,
                                        const std::vector<std::pair<std::size_t, std::size_t>>& pairs) {
  std::vector<std::size_t> preferred, other;
  for (const auto& [a, b] : pairs) {
    preferred.push_back(a);
    other.push_back(b);
  }
  return rankloss::partial_order::from_pairs(std::vector<std::size_t>{0, n}, preferred, other);
}

}  // namespace reference
