// SPDX-License-Identifier: BSL-1.0
#pragma once

// One query of a triplet loss in long double, triplet by triplet, by the formulas of its doc comment.

#include <rankloss/triplet.hpp>

#include "support/reference.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace reference {

struct triplet_of_query {
  std::size_t positive, negative;
  real weight;
};

inline real distance_from_cosine(real s, rankloss::distance kind) {
  if (kind == rankloss::distance::cosine) return 1 - s;
  const real square = 2 - 2 * s;
  if (kind == rankloss::distance::squared_euclidean) return square;
  return std::sqrt(std::max(square, real(0)));
}

/// The triplets that a loss takes; those of equally hard items share a weight of 1.
inline std::vector<triplet_of_query> mined_triplets(const rankloss::triplet& loss, const std::vector<real>& s,
                                                    const std::vector<bool>& positive) {
  using rankloss::mined_positives;
  using rankloss::mining;
  const std::size_t n = s.size();
  std::vector<real> d;
  for (const real x : s) d.push_back(distance_from_cosine(x, loss.distance));
  std::vector<std::size_t> positives, negatives;
  for (std::size_t i = 0; i < n; ++i) (positive[i] ? positives : negatives).push_back(i);
  std::vector<triplet_of_query> all;
  if (positives.empty() || negatives.empty()) return all;
  if (loss.positives != mined_positives::all) {
    real chosen = d[positives[0]];
    for (const std::size_t p : positives)
      chosen = loss.positives == mined_positives::hardest ? std::max(chosen, d[p]) : std::min(chosen, d[p]);
    std::erase_if(positives, [&](std::size_t p) { return d[p] != chosen; });
  }
  std::vector<real> chance(n, 0);
  if (loss.mine == mining::distance_weighted) {
    const real m = static_cast<real>(loss.dimension);
    real sum = 0;
    for (const std::size_t k : negatives) {
      const real far = std::max(distance_from_cosine(s[k], rankloss::distance::euclidean),
                                static_cast<real>(loss.least_distance));
      if (far < loss.most_distance)
        chance[k] = std::exp((2 - m) * std::log(far) + (3 - m) / 2 * std::log(1 - far * far / 4));
      sum += chance[k];
    }
    for (const std::size_t k : negatives) chance[k] = sum > 0 ? chance[k] / sum : 0;
  }
  for (const std::size_t p : positives) {
    std::vector<std::size_t> taken;
    for (const std::size_t k : negatives) {
      const real short_by = loss.margin + d[p] - d[k];
      if (loss.mine == mining::semi_hard || loss.mine == mining::semi_hard_or_easiest ||
          loss.mine == mining::all_semi_hard) {
        if (!(d[k] > d[p])) continue;
        if (loss.mine == mining::all_semi_hard && short_by < 0) continue;
      }
      taken.push_back(k);
    }
    bool easiest = false;
    if (taken.empty() && loss.mine == mining::semi_hard_or_easiest) {
      taken = negatives;
      easiest = true;
    }
    const bool one = loss.mine != mining::all && loss.mine != mining::all_semi_hard &&
                     loss.mine != mining::distance_weighted;
    if (one && !taken.empty()) {
      real chosen = d[taken[0]];
      for (const std::size_t k : taken) chosen = easiest ? std::max(chosen, d[k]) : std::min(chosen, d[k]);
      std::erase_if(taken, [&](std::size_t k) { return d[k] != chosen; });
    }
    for (const std::size_t k : taken)
      all.push_back({p, k,
                     loss.mine == mining::distance_weighted ? chance[k]
                     : one                                  ? 1 / static_cast<real>(taken.size())
                                                            : real(1)});
  }
  return all;
}

struct triplet_query {
  derivatives result;
  real triplets = 0, active = 0;
};

inline triplet_query triplet(const rankloss::triplet& loss, const std::vector<real>& s,
                             const std::vector<bool>& positive) {
  triplet_query out;
  out.result.gradient.assign(s.size(), 0);
  const auto slope_of_distance = [&](real x) {
    const real d = distance_from_cosine(x, loss.distance);
    if (loss.distance == rankloss::distance::cosine) return real(-1);
    if (loss.distance == rankloss::distance::squared_euclidean) return real(-2);
    return d > 0 ? -1 / d : real(0);
  };
  for (const triplet_of_query& t : mined_triplets(loss, s, positive)) {
    const real x = loss.margin + distance_from_cosine(s[t.positive], loss.distance) -
                   distance_from_cosine(s[t.negative], loss.distance);
    const bool soft = loss.form == rankloss::triplet_form::soft;
    const real slope = soft ? sigmoid(x).value : x > 0 ? real(1) : real(0);
    out.triplets += t.weight;
    if (soft || x > 0) out.active += t.weight;
    out.result.value +=
        t.weight * (soft ? std::max(x, real(0)) + std::log1p(std::exp(-std::abs(x))) : std::max(x, real(0)));
    out.result.gradient[t.positive] += t.weight * slope * slope_of_distance(s[t.positive]);
    out.result.gradient[t.negative] -= t.weight * slope * slope_of_distance(s[t.negative]);
  }
  real z = out.active;
  if (loss.average == rankloss::triplet_average::triplets) z = out.triplets;
  if (loss.average == rankloss::triplet_average::positives) {
    // Positives that are used, with triplets or without.
    rankloss::triplet every = loss;
    every.mine = rankloss::mining::hardest;
    z = 0;
    for (const triplet_of_query& t : mined_triplets(every, s, positive)) z += t.weight;
  }
  out.result.value = z > 0 ? out.result.value / z : 0;
  for (real& g : out.result.gradient) g = z > 0 ? g / z : 0;
  return out;
}

}  // namespace reference
