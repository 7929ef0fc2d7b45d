// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/rank_list.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/ranks/rank.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/sigmoid/laplace_threshold.hpp>
#include <rankloss/sorts/soft_top_k.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// soft_top_k of one list: the threshold from two scans of the sorted scores, shares and products in the order of
/// the items.
struct soft_top_k_list {
  double k, temperature;

  template <class T>
  static constexpr std::size_t item_bytes = 6 * sizeof(double) + sizeof(std::uint32_t);

  [[nodiscard]] static soft_top_k_list of(const soft_top_k& how) { return {how.k, how.temperature}; }

  template <class T>
  class result {
   public:
    template <class Team, class Score>
    __device__ result(const soft_top_k_list& on, const Team& team, std::uint32_t n, Score score,
                      team_scratch& scratch)
        : on_(on), n_(n), values_(scratch.take<double>(n)), relative_(scratch.take<double>(n)) {
      if (!(on.k > 0.0) || !(on.k < static_cast<double>(n))) {
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
      // Shares are relative to the largest one, so that they are right even where all tails underflow.
      const double greatest = found.at.greatest();
      half_ = found.at.vanishes ? 0.0 : 0.5 * greatest;
      near_ = found.at.above >= found.at.below ? found.last_above : found.first_below;
      double own = 0.0;
      for_own(team, [&](std::uint32_t i) {
        const double s = of_item(i);
        const bool above = found.any_above && s >= found.upper;
        const double apart = fabs(s - (above ? found.upper : found.lower));
        const double relative =
            exp(-apart / on.temperature) * ((above ? found.at.above : found.at.below) / greatest);
        relative_[i] = relative;
        values_[i] = above ? 1.0 - half_ * relative : half_ * relative;
        own += relative;
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
    /// The two neighbouring scores around b, and where b lies between them.
    struct threshold {
      double upper, lower;
      rankloss::detail::laplace_threshold at;
      std::uint32_t last_above, first_below;  ///< the items of these scores
      bool any_above;                         ///< whether a score lies above b
    };
    /// What a scan makes of the sum that it is handed: decay * sum + own.
    struct passed {
      double decay, own;
    };

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
      for_own(team,
              [&](std::uint32_t p) { decay[p] = p > 0 ? exp(-(x[p - 1] - x[p]) / on_.temperature) : 0.0; });
      team.sync();
      const auto combine = [](const passed& a, const passed& b) {
        return passed{a.decay * b.decay, fma(b.decay, a.own, b.own)};
      };
      scan_items(
          team, n_, passed{1.0, 0.0},
          [&](std::uint32_t p) {
            return passed{decay[p], 1.0};
          },
          combine, [&](std::uint32_t p, const passed& of) { upper_sum[p] = of.own; });
      scan_items(
          team, n_, passed{1.0, 0.0},
          [&](std::uint32_t p) {
            return passed{p > 0 ? decay[n_ - p] : 0.0, 1.0};
          },
          combine, [&](std::uint32_t p, const passed& of) { lower_sum[n_ - 1 - p] = of.own; });
      team.sync();
      // The first position at which, if b were its score, the sum of all p would be above k.
      std::uint32_t first = n_;
      for_own(team, [&](std::uint32_t p) {
        const double all = static_cast<double>(p) + 1.0 + 0.5 * (lower_sum[p] - 1.0 - upper_sum[p]);
        if (all > on_.k && p < first) first = p;
      });
      const std::uint32_t m = least(team, first);
      return {
          x[m > 0 ? m - 1 : 0],
          x[m < n_ ? m : n_ - 1],
          rankloss::detail::threshold_between(static_cast<double>(m) - on_.k, m > 0 ? upper_sum[m - 1] : 0.0,
                                              m < n_ ? lower_sum[m] : 0.0, m < n_ ? decay[m] : 0.0),
          m > 0 ? order[m - 1] : 0,
          m < n_ ? order[m] : 0,
          m > 0};
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

}  // namespace cuda::detail

template <>
struct engine<soft_top_k, cuda::context>
    : cuda::detail::rank_engine<soft_top_k, cuda::detail::soft_top_k_list> {};

/// top_k: queues what computes the p of lists of scores in the memory of the device, each list for itself;
/// otherwise as `rank`.
template <score T>
void top_k(const soft_top_k& how, const cuda::score_batch<T>& batch,
           std::type_identity_t<cuda::device_span<T>> values, cuda::context& ctx) {
  cuda::detail::run_over_scores<soft_top_k, T>(how, batch, {}, cuda::detail::fault::cotangent,
                                               {"values", values}, ctx);
}

/// top_k_pullback: overwrites gradient_j with sum_i cotangent_i d(p_i) / d(s_j), for each list; otherwise as
/// top_k.
template <score T>
void top_k_pullback(const soft_top_k& how, const cuda::score_batch<T>& batch,
                    std::type_identity_t<cuda::device_span<const T>> cotangent,
                    std::type_identity_t<cuda::device_span<T>> gradient, cuda::context& ctx) {
  rank_pullback(how, batch, cotangent, gradient, ctx);
}

}  // namespace rankloss::inline RANKLOSS_ABI
