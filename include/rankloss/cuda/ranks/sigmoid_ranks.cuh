// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/rank_list.cuh>
#include <rankloss/cuda/detail/score_runs.cuh>
#include <rankloss/cuda/detail/sigmoid_sums.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/ranks/rank.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/ranks/sigmoid_ranks.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// sigmoid_ranks of one list: pair by pair where it is short, else by scans of the sorted scores.
struct sigmoid_ranks_list {
  double temperature, base;
  bool ascending;

  template <class T>
  static constexpr std::size_t item_bytes = 4 * sizeof(T) + sizeof(double) + sizeof(std::uint32_t);

  [[nodiscard]] static sigmoid_ranks_list of(const sigmoid_ranks& how) {
    return {how.temperature, how.base, how.direction == sort_direction::ascending};
  }

  template <class T>
  class result {
   public:
    template <class Team, class Score>
    __device__ result(const sigmoid_ranks_list& on, const Team& team, std::uint32_t n, Score score,
                      team_scratch& scratch)
        : on_(on),
          n_(n),
          by_pairs_(Team::one_warp && n <= longest_by_pairs),
          x_(scratch.take<T>(n)),
          slopes_(scratch.take<T>(n)),
          above_(scratch.take<T>(n)),
          weights_(scratch.take<T>(n)),
          decay_(scratch.take<double>(n)),
          order_(scratch.take<std::uint32_t>(n)) {
      for (std::uint32_t i = team.rank(); i < n; i += team.size()) {
        x_[i] = rankloss::detail::bounded(score(i));
        order_[i] = i;
      }
      team.sync();
      if (by_pairs_) return;
      sort_falling(team, n, x_, order_);
      (void)scan_sums<T>(team, x_, n, on.temperature, decay_, above_);
    }

    template <class Team, class Emit>
    __device__ void values(const Team& team, Emit emit) {
      const double sign = on_.ascending ? -1.0 : 1.0;
      const double first = on_.base + (on_.ascending ? static_cast<double>(n_) : -1.0);
      const auto keep = [&](std::uint32_t p, auto rank, T slope) {
        slopes_[p] = slope;
        emit(order_[p], first + sign * static_cast<double>(rank));
      };
      if (by_pairs_)
        pairs().ranks(team, keep);
      else
        scan_sums<T>(n_, decay_, above_).ranks(team, slopes_, keep);
      has_slopes_ = true;
    }

    template <class Team, class Emit>
    __device__ void pull(const Team& team, const double* c, Emit emit) {
      if (!has_slopes_) values(team, [](std::uint32_t, double) {});
      team.sync();
      // In units in which nothing overflows, less their mean by the sums of slopes.
      double most = 0.0, mass = 0.0, moment = 0.0;
      for_own(team, [&](std::uint32_t p) { most = fmax(most, fabs(c[p])); });
      const double unit = unit_of(greatest(team, most));
      for_own(team, [&](std::uint32_t p) {
        mass += static_cast<double>(slopes_[p]);
        moment += static_cast<double>(slopes_[p]) * (c[order_[p]] * unit);
      });
      mass = sum(team, mass);
      moment = sum(team, moment);
      const double centre = mass > 0.0 ? moment / mass : 0.0;
      for_own(team, [&](std::uint32_t p) { weights_[p] = static_cast<T>(c[order_[p]] * unit - centre); });
      team.sync();
      const double slope = (on_.ascending ? -1.0 : 1.0) / on_.temperature;
      const auto to_item = [&](std::uint32_t p, T pull) {
        emit(order_[p], slope * static_cast<double>(pull) / unit);
      };
      if (by_pairs_)
        pairs().pull(team, weights_, slopes_, 0.0, to_item);
      else
        scan_sums<T>(n_, decay_, above_).pull(team, weights_, slopes_, 0.0, to_item);
    }

    template <class Team>
    __device__ void unite(const Team& team, double* r) const {
      if (!by_pairs_) unite_runs(team, n_, x_, order_, r);
    }

   private:
    template <class Team, class Body>
    __device__ void for_own(const Team& team, Body body) const {
      for (std::uint32_t p = team.rank(); p < n_; p += team.size()) body(p);
    }
    [[nodiscard]] __device__ pair_sums<T> pairs() const { return {x_, n_, on_.temperature}; }

    const sigmoid_ranks_list& on_;
    std::uint32_t n_;
    bool by_pairs_, has_slopes_ = false;
    T* x_;                  // by position, as are slopes and weights; by item where pairs are summed
    T *slopes_, *above_;    // sums of slopes; scratch of the scans
    T* weights_;            // of a pull
    double* decay_;         // to a position from the one before
    std::uint32_t* order_;  // the item of a position
  };
};

}  // namespace cuda::detail

template <>
struct engine<sigmoid_ranks, cuda::context>
    : cuda::detail::rank_engine<sigmoid_ranks, cuda::detail::sigmoid_ranks_list> {};

}  // namespace rankloss::inline RANKLOSS_ABI
