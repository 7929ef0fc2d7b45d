// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/sigmoid_sums.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/team_sort.cuh>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/sigmoid/laplace_threshold.hpp>
#include <rankloss/sorts/soft_top_k.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// soft_top_k of one list: the threshold from two scans of the sorted scores, shares and products in the order of
/// the items.
struct soft_top_k_list {
  double k, temperature;

  template <class T>
  static constexpr std::size_t item_bytes = 6 * sizeof(double) + sizeof(std::uint32_t);

  [[nodiscard]] static soft_top_k_list of(const soft_top_k& how) { return {how.k, how.temperature}; }

  /// Whether all p are 0 or all are 1.
  [[nodiscard]] __device__ bool takes_none_or_all(std::uint32_t n) const {
    return !(k > 0.0) || !(k < static_cast<double>(n));
  }
  [[nodiscard]] __device__ double decay(double upper, double lower) const {
    return exp(-(upper - lower) / temperature);
  }
  /// The sum of all p if b were the score at position p, by the sums of exponentials up to there and from there
  /// on, both relative to it.
  [[nodiscard]] static __device__ double sum_at(std::uint32_t p, double upper_sum, double lower_sum) {
    return static_cast<double>(p) + 1.0 + 0.5 * (lower_sum - 1.0 - upper_sum);
  }

  /// The two neighbouring scores around b, and where b lies between them.
  struct threshold {
    double upper, lower;
    rankloss::detail::laplace_threshold at;
    std::uint32_t last_above, first_below;  ///< the items of these scores
    bool any_above;                         ///< whether a score lies above b

    /// That above which m of n scores lie, from what x(p), item(p), upper_sum(p), lower_sum(p) and decay(p) say of
    /// positions.
    template <class X, class Item, class Upper, class Lower, class Decay>
    [[nodiscard]] static __device__ threshold below(std::uint32_t m, std::uint32_t n, double k, X x,
                                                    Item item, Upper upper_sum, Lower lower_sum,
                                                    Decay decay) {
      return {x(m > 0 ? m - 1 : 0),
              x(m < n ? m : n - 1),
              rankloss::detail::threshold_between(static_cast<double>(m) - k, m > 0 ? upper_sum(m - 1) : 0.0,
                                                  m < n ? lower_sum(m) : 0.0, m < n ? decay(m) : 0.0),
              m > 0 ? item(m - 1) : 0,
              m < n ? item(m) : 0,
              m > 0};
    }
    /// Densities are relative to the largest one, so that they are right even where all tails underflow: that of a
    /// score, the value of min(p, 1 - p) where it is 1, and the item where it is.
    [[nodiscard]] __device__ bool is_above(double s) const { return any_above && s >= upper; }
    [[nodiscard]] __device__ double relative(double s, double scale) const {
      const bool above = is_above(s);
      return exp(-fabs(s - (above ? upper : lower)) / scale) *
             ((above ? at.above : at.below) / at.greatest());
    }
    [[nodiscard]] __device__ double half() const { return at.vanishes ? 0.0 : 0.5 * at.greatest(); }
    [[nodiscard]] __device__ std::uint32_t nearest() const {
      return at.above >= at.below ? last_above : first_below;
    }
    [[nodiscard]] __device__ double value(double s, double relative) const {
      return is_above(s) ? 1.0 - half() * relative : half() * relative;
    }
  };

  template <class T>
  class result {
   public:
    template <class Team, class Score>
    __device__ result(const soft_top_k_list& on, const Team& team, std::uint32_t n, Score score,
                      team_scratch& scratch)
        : on_(on), n_(n), values_(scratch.take<double>(n)), relative_(scratch.take<double>(n)) {
      if (on.takes_none_or_all(n)) {
        for_own(team, [&](std::uint32_t i) {
          values_[i] = on.k > 0.0 ? 1.0 : 0.0;
          relative_[i] = 0.0;
        });
        return;
      }
      const auto of_item = [&](std::uint32_t i) {
        return static_cast<double>(rankloss::detail::bounded(score(i)));
      };
      const threshold found = find(team, of_item, scratch);
      half_ = found.half();
      near_ = found.nearest();
      double own = 0.0;
      for_own(team, [&](std::uint32_t i) {
        const double x = of_item(i);
        relative_[i] = found.relative(x, on.temperature);
        values_[i] = found.value(x, relative_[i]);
        own += relative_[i];
      });
      total_ = sum(team, own);
    }

    template <class Team, class Emit>
    __device__ void values(const Team& team, Emit emit) const {
      for_own(team, [&](std::uint32_t i) { emit(i, values_[i]); });
    }

    /// The Jacobian is symmetric. Cotangents are relative to that of the item with the largest share, which is
    /// close to the mean if that item has almost the whole of the shares.
    template <class Team, class Emit>
    __device__ void pull(const Team& team, const double* c, Emit emit) const {
      const double nearest = c[near_];
      double own = 0.0;
      for_own(team, [&](std::uint32_t i) { own = fma(relative_[i], c[i] - nearest, own); });
      const double mean = sum(team, own) / total_;
      for_own(team, [&](std::uint32_t i) {
        emit(i, half_ / on_.temperature * relative_[i] * (c[i] - nearest - mean));
      });
    }

   private:
    template <class Team, class Body>
    __device__ void for_own(const Team& team, Body body) const {
      for (std::uint32_t i = team.rank(); i < n_; i += team.size()) body(i);
    }

    template <class Team, class OfItem>
    [[nodiscard]] __device__ threshold find(const Team& team, OfItem of_item, team_scratch& scratch) const {
      double* const x = scratch.take<double>(n_);
      double* const decay = scratch.take<double>(n_);      // to a position from the one before
      double* const upper_sum = scratch.take<double>(n_);  // over the positions up to one, relative to it
      double* const lower_sum = scratch.take<double>(n_);  // from one on
      std::uint32_t* const order = scratch.take<std::uint32_t>(n_);
      for_own(team, [&](std::uint32_t i) {
        x[i] = of_item(i);
        order[i] = i;
      });
      sort_falling(team, n_, x, order);
      team.sync();
      for_own(team, [&](std::uint32_t p) { decay[p] = p > 0 ? on_.decay(x[p - 1], x[p]) : 0.0; });
      team.sync();
      scan_items(
          team, n_, decayed_sum{1.0, 0.0},
          [&](std::uint32_t p) {
            return decayed_sum{decay[p], 1.0};
          },
          decayed_sum::joined, [&](std::uint32_t p, const decayed_sum& of) { upper_sum[p] = of.sum; });
      scan_items(
          team, n_, decayed_sum{1.0, 0.0},
          [&](std::uint32_t p) {
            return decayed_sum{p > 0 ? decay[n_ - p] : 0.0, 1.0};
          },
          decayed_sum::joined,
          [&](std::uint32_t p, const decayed_sum& of) { lower_sum[n_ - 1 - p] = of.sum; });
      team.sync();
      // The first position at which, if b were its score, the sum of all p would be above k.
      std::uint32_t first = n_;
      for_own(team, [&](std::uint32_t p) {
        if (sum_at(p, upper_sum[p], lower_sum[p]) > on_.k && p < first) first = p;
      });
      const auto in = [](const auto* of) { return [of](std::uint32_t p) { return of[p]; }; };
      return threshold::below(least(team, first), n_, on_.k, in(x), in(order), in(upper_sum), in(lower_sum),
                              in(decay));
    }

    const soft_top_k_list& on_;
    std::uint32_t n_;
    double* values_;
    double* relative_;        // densities, scaled so that the largest is 1
    double total_ = 1.0;      // their sum
    double half_ = 0.0;       // the value of min(p, 1 - p) where relative_ is 1
    std::uint32_t near_ = 0;  // the item whose relative_ is 1
  };
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
