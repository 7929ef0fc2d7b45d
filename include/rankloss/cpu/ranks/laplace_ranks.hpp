// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/sigmoid/decay_rows.hpp>
#include <rankloss/detail/simd/scan_both_ways.hpp>
#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/ranks/laplace_ranks.hpp>
#include <rankloss/workspace.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {

/// Sums over the items above and below are two scans of the sorted scores, which meet at each item.
template <class T>
class laplace_ranks::result {
  using Arch = xsimd::default_arch;  // of this translation unit, as the inline namespace says

 public:
  result(const laplace_ranks& how, const strided<const T>& scores, workspace& scratch)
      : scratch_(scratch),
        values_(scratch.take<double>(scores.size())),
        slope_((how.direction == sort_direction::descending ? 0.5 : -0.5) / how.temperature) {
    const std::size_t n = scores.size();
    const detail::sorted_list<T> sorted = detail::sort_list<T>(scores, scratch);
    order_ = sorted.order;
    decay_ = detail::neighbour_decays<Arch>(sorted.x, 1.0 / how.temperature, 1.0, scratch);
    const double sign = how.direction == sort_direction::descending ? 1.0 : -1.0;
    const double first =
        how.direction == sort_direction::descending ? how.base : how.base + static_cast<double>(n) - 1.0;
    const workspace::scope scope(scratch);
    detail::scan_both_ways(n, others{decay_.data()}, others{decay_.data() + 1}, scratch.take<double>(n),
                           [&](std::size_t i, double above, double below) {
                             values_[order_[i]] =
                                 first + sign * (static_cast<double>(i) + 0.5 * (below - above));
                           });
  }

  [[nodiscard]] std::span<const double> values() const noexcept { return values_; }

  void pullback(std::span<const double> cotangent, std::span<double> gradient) const {
    const std::size_t n = order_.size();
    const workspace::scope scope(scratch_);
    const std::span<double> c = scratch_.take<double>(n);
    for (std::size_t i = 0; i < n; ++i) c[i] = cotangent[order_[i]];
    detail::scan_both_ways(
        n, differences{{decay_.data()}, c.data()}, differences{{decay_.data() + 1}, c.data()},
        scratch_.take<double>(n),
        [&](std::size_t i, double above, double below) { gradient[order_[i]] = slope_ * (above + below); });
  }
  void push(std::span<const double> tangent, std::span<double> change) const {
    pullback(tangent, change);
  }  // the Jacobian is symmetric

 private:
  /// sum_j e^-|x_j - x_i| over the items above or below, computed from the sum of the neighbour. `decay` is
  /// the exponential of the gap between the two, and 0 where there is no neighbour.
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

}  // namespace rankloss::inline RANKLOSS_ABI
