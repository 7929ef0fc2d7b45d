// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/triplet_terms.cuh>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/distance.hpp>
#include <rankloss/triplet.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// triplet of one list with any mining, by the formulas of detail/pairs/triplet_pairs.hpp and mined_negatives.hpp.
/// The team takes one positive after the other, and each thread the negatives that are its own.
struct triplet_list {
  triplet_terms terms;

  /// Minus the distances, slopes, chances, and what items are.
  template <class T>
  static constexpr std::size_t item_bytes = 3 * sizeof(double) + 2 * sizeof(std::uint32_t);

  [[nodiscard]] static triplet_list of(const triplet& loss) { return {{loss}}; }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items,
                                             const device_sink<T>& sink, team_scratch scratch) const {
    const std::uint32_t n = items.size();
    const arrays at{scratch.take<double>(n), scratch.take<double>(n), scratch.take<double>(n),
                    scratch.take<std::uint32_t>(n)};
    auto* const used = scratch.take<std::uint32_t>(n);
    prepare(team, items, at);
    const std::uint32_t positives =
        keep_if(team, n, used, [&](std::uint32_t i) { return at.side[i] == positive; });
    if (terms.loss.mine == mining::distance_weighted) weigh(team, items, at);

    terms_of own{};
    for (std::uint32_t p = 0; p < positives; ++p) add_positive(team, n, used[p], at, own);
    const double value = sum(team, own.value), triplets = sum(team, own.triplets),
                 active = sum(team, own.active);
    const triplet& loss = terms.loss;
    const double z = loss.average == triplet_average::triplets ? triplets
                     : loss.average == triplet_average::active ? active
                                                               : static_cast<double>(positives);
    if (sink.wanted())
      for (std::uint32_t i = team.rank(); i < n; i += team.size()) {
        const double s = static_cast<double>(bounded(items.score(i)));
        sink.put(i, z > 0.0 ? held_as<T>(at.slope[i] / z * -distance_slope(s, loss.distance)) : T{0});
      }
    return z > 0.0 ? value / z : 0.0;
  }

 private:
  enum : std::uint32_t { absent, negative, positive };

  struct arrays {
    double* score;  ///< minus the distance
    double* slope;
    double* chance;       ///< of a negative, with mining by distance
    std::uint32_t* side;  ///< absent, negative or positive
  };
  /// The part of the sums that is a thread's.
  struct terms_of {
    double value, triplets, active;
  };

  template <class Team, class T, class R>
  __device__ void prepare(const Team& team, const device_list<T, R>& items, const arrays& at) const {
    const triplet& loss = terms.loss;
    const bool lowest = loss.positives == mined_positives::hardest;
    double mined = 0.0;
    bool any = false;
    for (std::uint32_t i = team.rank(); i < items.size(); i += team.size()) {
      const auto s = static_cast<double>(items.score(i));
      const bool matches = items.relevance(i) > R{0};
      at.score[i] = terms.minus_distance(s);
      at.slope[i] = 0.0;
      at.side[i] = matches ? positive : rankloss::detail::is_minus_infinity(s) ? absent : negative;
      // In the order of the numbers that are compared infinite ones are the ends.
      if (!matches) continue;
      mined = !any || (lowest ? at.score[i] < mined : mined < at.score[i]) ? at.score[i] : mined;
      any = true;
    }
    if (loss.positives == mined_positives::all) return team.sync();
    const double end = __builtin_bit_cast(double, rankloss::detail::bits_of_infinity<double>);
    mined = combine_all(team,
                        any      ? mined
                        : lowest ? end
                                 : -end,
                        lowest ? end : -end,
                        [=](double a, double b) { return (lowest ? b < a : a < b) ? b : a; });
    for (std::uint32_t i = team.rank(); i < items.size(); i += team.size())
      if (at.side[i] == positive && at.score[i] != mined) at.side[i] = absent;
    team.sync();
  }

  /// Chances of negatives when one is drawn by distance: see detail/pairs/distance_chances.hpp.
  template <class Team, class T, class R>
  __device__ void weigh(const Team& team, const device_list<T, R>& items, const arrays& at) const {
    constexpr double none = -1e300;
    const triplet& loss = terms.loss;
    const auto d = static_cast<double>(loss.dimension);
    const double nearest = loss.least_distance * loss.least_distance,
                 farthest = loss.most_distance * loss.most_distance;
    double top = none;
    for (std::uint32_t i = team.rank(); i < items.size(); i += team.size()) {
      at.chance[i] = none;
      if (at.side[i] != negative) continue;
      const double s = static_cast<double>(bounded(items.score(i)));
      const double square = fmax(fmin(2.0 * (1.0 - fmax(s, -2.0)), 8.0), nearest);
      if (!(square < farthest)) continue;
      const double rest = fmax(fma(square, -0.25, 1.0), 0x1p-60);
      at.chance[i] = 0.5 * (2.0 - d) * log(square) + 0.5 * (3.0 - d) * log(rest);
      top = fmax(top, at.chance[i]);
    }
    top = greatest(team, top);
    double total = 0.0;
    for (std::uint32_t i = team.rank(); i < items.size(); i += team.size()) {
      at.chance[i] = at.chance[i] > none ? exp(at.chance[i] - top) : 0.0;
      total += at.chance[i];
    }
    total = sum(team, total);
    for (std::uint32_t i = team.rank(); i < items.size(); i += team.size())
      at.chance[i] = total > 0.0 ? at.chance[i] / total : 0.0;
  }

  /// Adds the triplets of item p to the sums and to the slopes.
  template <class Team>
  __device__ void add_positive(const Team& team, std::uint32_t n, std::uint32_t p, const arrays& at,
                               terms_of& own) const {
    const mining mine = terms.loss.mine;
    const double score = at.score[p];
    double slope = 0.0;
    if (mine == mining::all || mine == mining::all_semi_hard || mine == mining::distance_weighted) {
      for (std::uint32_t i = team.rank(); i < n; i += team.size()) {
        if (at.side[i] != negative) continue;
        const double x = terms.shortfall(at.score[i], score);
        if (mine == mining::all_semi_hard && !(x >= 0.0 && at.score[i] < score)) continue;
        const double weight = mine == mining::distance_weighted ? at.chance[i] : 1.0;
        if (!(weight > 0.0)) continue;
        const triplet_cost_of cost = terms.cost(x);
        own.value += weight * cost.value;
        own.triplets += weight;
        own.active += weight * cost.active;
        at.slope[i] += weight * cost.slope;
        slope += weight * cost.slope;
      }
      slope = sum(team, slope);
    } else {
      const mined_negative found = mine_one(team, n, score, at);
      if (!(found.ties > 0.0)) return;
      const triplet_cost_of cost = terms.cost(terms.shortfall(found.score, score));
      if (team.rank() == 0) {
        own.value += cost.value;
        own.triplets += 1.0;
        own.active += cost.active;
      }
      slope = cost.slope;
      // Equally hard negatives share the derivative equally.
      for (std::uint32_t i = team.rank(); i < n; i += team.size())
        if (at.side[i] == negative && at.score[i] == found.score) at.slope[i] += slope / found.ties;
    }
    if (p % team.size() == team.rank()) at.slope[p] = -slope;
  }

  struct mined_negative {
    double score;
    double ties;
  };
  /// The hardest negative, or the hardest of those below a positive.
  template <class Team>
  [[nodiscard]] __device__ mined_negative mine_one(const Team& team, std::uint32_t n, double score,
                                                   const arrays& at) const {
    const mining mine = terms.loss.mine;
    const mined_negative hardest =
        best_of(team, n, at, false, [&](double s) { return mine == mining::hardest || s < score; });
    if (hardest.ties > 0.0 || mine != mining::semi_hard_or_easiest) return hardest;
    return best_of(team, n, at, true, [](double) { return true; });
  }
  template <class Team, class Takes>
  [[nodiscard]] __device__ mined_negative best_of(const Team& team, std::uint32_t n, const arrays& at,
                                                  bool easiest, Takes takes) const {
    mined_negative found{0.0, 0.0};
    const auto merge = [=](const mined_negative& a, const mined_negative& b) {
      if (!(a.ties > 0.0)) return b;
      if (!(b.ties > 0.0)) return a;
      if (a.score == b.score) return mined_negative{a.score, a.ties + b.ties};
      return (easiest ? b.score < a.score : a.score < b.score) ? b : a;
    };
    for (std::uint32_t i = team.rank(); i < n; i += team.size())
      if (at.side[i] == negative && takes(at.score[i]))
        found = merge(found, mined_negative{at.score[i], 1.0});
    return combine_all(team, found, mined_negative{0.0, 0.0}, merge);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
