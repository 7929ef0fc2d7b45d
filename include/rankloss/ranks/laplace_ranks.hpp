// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/sigmoid/decay_rows.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/simd/scan_both_ways.hpp>
#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/ranks/rank.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {

/// laplace_ranks: smooth ranks, in which each item counts the others by the distribution function of the
/// Laplace distribution.
///
///     rank_i             = base + sum_{j != i} F((s_j - s_i) / temperature)   descending; else s_i - s_j
///     F(z)               = e^z / 2 for z < 0, 1 - e^-z / 2 otherwise
///     d(rank_i) / d(s_j) = e^-|(s_j - s_i) / temperature| / (2 temperature)       j != i, and minus their sum for j = i
///
/// Struski, Bednarczyk, Podolak, Tabor: LapSum - One Method to Differentiate Them All: Ranking, Sorting and
/// Top-k Selection, ICML 2025, arXiv 2503.06242, whose ranks are ascending from base 0; the published code
/// takes O(n^2) for their derivatives.
///
/// - Exact to rounding. Time O(n) after the sort: one exponential for each item and two running sums for the
///   ranks, and two more for a product with the Jacobian. Scratch O(n).
/// - Invariant under shifts. The Jacobian is symmetric and its rows sum to 0; a gradient sums to 0 up to
///   rounding, because it is computed from differences of cotangents. Ranks sum to n (n - 1) / 2 + n base.
/// - Edge cases: equal scores share the rank in the middle. Infinite scores rank first or last. As
///   temperature -> 0 these are the ranks of hard_ranks with ties by average.
/// @throws std::invalid_argument from the functions of rank.hpp when an option is out of its range.
struct laplace_ranks {
  double temperature = 1.0;                   ///< 1e-15 to 1e300, in units of the scores
  rank_order order = rank_order::descending;  ///< which score has the first rank
  double base = 1.0;                          ///< rank of the first

  void validate() const {
    detail::require(detail::within(temperature, 1e-15, 1e300), "temperature: ", temperature, ", expected 1e-15 to 1e300");
    detail::require(detail::is_finite(base), "base: ", base, ", expected a finite number");
  }

  /// Ranks of one list; see smooth_ranks.
  template <class T, class Arch = xsimd::default_arch>
  class result {
   public:
    result(const laplace_ranks& how, const strided<const T>& scores, workspace& scratch)
        : scratch_(scratch),
          values_(scratch.take<double>(scores.size())),
          slope_((how.order == rank_order::descending ? 0.5 : -0.5) / how.temperature) {
      const std::size_t n = scores.size();
      const detail::sorted_list<T> sorted = detail::sort_list<T>(scores, scratch);
      order_ = sorted.order;
      decay_ = detail::neighbour_decays<Arch>(sorted.x, 1.0 / how.temperature, 1.0, scratch);
      const double sign = how.order == rank_order::descending ? 1.0 : -1.0;
      const double first = how.order == rank_order::descending ? how.base : how.base + static_cast<double>(n) - 1.0;
      const workspace::scope scope(scratch);
      detail::scan_both_ways(
          n, others{decay_.data()}, others{decay_.data() + 1}, scratch.take<double>(n),
          [&](std::size_t i, double above, double below) { values_[order_[i]] = first + sign * (static_cast<double>(i) + 0.5 * (below - above)); });
    }

    [[nodiscard]] std::span<const double> values() const noexcept { return values_; }

    void pullback(std::span<const double> cotangent, std::span<double> gradient) const {
      const std::size_t n = order_.size();
      const workspace::scope scope(scratch_);
      const std::span<double> c = scratch_.take<double>(n);
      for (std::size_t i = 0; i < n; ++i) c[i] = cotangent[order_[i]];
      detail::scan_both_ways(n, differences{{decay_.data()}, c.data()}, differences{{decay_.data() + 1}, c.data()}, scratch_.take<double>(n),
                             [&](std::size_t i, double above, double below) { gradient[order_[i]] = slope_ * (above + below); });
    }
    void push(std::span<const double> tangent, std::span<double> change) const { pullback(tangent, change); }  // the Jacobian is symmetric

   private:
    /// sum_j e^-|x_j - x_i| over the items above or below, from that of the neighbour. `decay` is the
    /// exponential of the gap between the two, and 0 where there is no neighbour.
    struct others {
      const double* decay;
      double sum = 0.0;

      [[gnu::always_inline]] double step(std::size_t i) noexcept { return sum = decay[i] * sum + decay[i]; }
    };
    /// sum_j (c_j - c_i) e^-|x_j - x_i|, in the same way.
    struct differences {
      others counted;
      const double* c;
      double sum = 0.0;
      double neighbour = 0.0;

      [[gnu::always_inline]] double step(std::size_t i) noexcept {
        sum = counted.decay[i] * sum + (neighbour - c[i]) * counted.step(i);
        neighbour = c[i];
        return sum;
      }
    };

    workspace& scratch_;
    std::span<double> values_;
    double slope_;
    std::span<const std::uint32_t> order_;
    std::span<const double> decay_;  // [n + 1]
  };

  template <class T, class Arch = xsimd::default_arch>
  [[nodiscard]] result<T, Arch> operator()(const strided<const T>& scores, workspace& scratch) const {
    return {*this, scores, scratch};
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI
