// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The probability that a Plackett-Luce draw takes a group of items, in any order, before all others. It is
/// an integral over the time of an exponential race (DeLong, Guirguis, So: Efficient computation of subset
/// selection probabilities with application to Cox regression, Biometrika 81, 1994). With d_j the log weight
/// of item j minus the log of the sum of the others' weights, and u the log of the time multiplied by that
/// sum,
///
///     P = integral e^(u - e^u) prod_j F(d_j + u) du,   F(v) = 1 - exp(-e^v)
///
/// The integrand is log-concave and analytic, so each halving of the step squares the error of the trapezoid
/// rule.
struct tied_draw {
  double loss;  ///< -log P
  double pull;  ///< d(loss) / d(log of the others' sum), which is the sum of the slopes
  double bend;  ///< d2(log P) / d(log of the others' sum)^2
};

template <class Arch>
class race {
 public:
  using V = lanes<Arch>;

  /// @param d  [g] log weights minus the log of the others' sum, finite
  race(std::span<const double> d, workspace& scratch)
      : size_(d.size()),
        rows_(padded_rows(d.size(), lane_count<Arch>)),
        d_(scratch.take<double>(rows_)),
        slopes_(scratch.take<double>(rows_)) {
    std::copy(d.begin(), d.end(), d_.begin());
    // Padding has so large a weight that its factor F is 1.
    std::fill(d_.begin() + static_cast<std::ptrdiff_t>(size_), d_.end(), 1e300);
    // For an item of less weight than the others, log F(d + u) is close to d + u. Its d, which may have any
    // magnitude, is added once here and left out of the value of each node.
    for (const double own : d)
      if (own <= 0.0) {
        constant_ += own;
        below_ += 1.0;
      }
  }

  /// @param slope      [g] or empty: d(log P) / d(d_j)
  /// @param curvature  [g], or empty if only the loss and `slope` are wanted: d2(log P) / d(d_j)^2
  tied_draw operator()(std::span<double> slope, std::span<double> curvature, workspace& scratch) {
    // The peak lies where 1 <= e^u <= 1 + g. The logarithm of the integrand is concave, so Newton's method
    // finds the peak; a step that leaves the bracket is replaced by a bisection.
    double low = 0.0;
    double high = std::log1p(static_cast<double>(size_));
    double u = 0.5 * (low + high);
    node top = at(u);
    for (int step = 0; step < 50 && std::abs(top.slope) > 1e-3 * std::sqrt(-top.curvature); ++step) {
      (top.slope > 0.0 ? low : high) = u;
      const double next = u - top.slope / top.curvature;
      u = next > low && next < high ? next : 0.5 * (low + high);
      top = at(u);
    }

    const std::span<double> first_moments = scratch.take<double>(slope.empty() ? 0 : rows_);
    const std::span<double> second_moments = scratch.take<double>(curvature.empty() ? 0 : rows_);
    std::fill(first_moments.begin(), first_moments.end(), 0.0);
    std::fill(second_moments.begin(), second_moments.end(), 0.0);
    double mass = 0.0;
    double square = 0.0;  // of the others: sum of mass * (bend + slope^2)
    const auto add = [&](double v) {
      const double weight = std::exp(at(v).value - top.value);
      const double x = std::exp(v);
      mass += weight;
      square += weight * (x * x - 3.0 * x + 1.0);
      for (std::size_t j = 0; j < first_moments.size(); j += lane_count<Arch>) {
        const V own = V::load_aligned(slopes_.data() + j);
        xsimd::fma(V(weight), own, V::load_aligned(first_moments.data() + j))
            .store_aligned(first_moments.data() + j);
        if (second_moments.empty()) continue;
        // The second derivative plus the squared slope is slope (1 - e^v); the other terms cancel.
        const V bend = own * (V(1.0) - time(V::load_aligned(d_.data() + j) + V(v)));
        xsimd::fma(V(weight), bend, V::load_aligned(second_moments.data() + j))
            .store_aligned(second_moments.data() + j);
      }
      return weight > 1e-17 * mass;
    };
    double h = std::min(0.4, 1.2 / std::sqrt(-top.curvature));
    int last = 0;
    int first = 0;
    add(u);
    while (add(u + h * ++last)) {
    }
    while (add(u + h * --first)) {
    }
    // Halves the step until that changes the integral by no more than the square root of the error that may
    // remain.
    for (int halving = 0; halving < 5; ++halving) {
      const double before = mass;
      for (int k = first; k < last; ++k) add(u + h * (k + 0.5));
      h *= 0.5;
      first *= 2;
      last *= 2;
      if (std::abs(0.5 * mass - before) <= 1e-8 * before) break;
    }

    double pull = 0.0;
    for (std::size_t j = 0; j < slope.size(); ++j) pull += slope[j] = first_moments[j] / mass;
    for (std::size_t j = 0; j < curvature.size(); ++j)
      curvature[j] = second_moments[j] / mass - slope[j] * slope[j];
    return {std::max(-constant_ - top.value - std::log(mass * h), 0.0), pull, square / mass - pull * pull};
  }

 private:
  struct node {
    double value, slope, curvature;
  };

  /// e^min(v, 7); exp(-e^7) is 0 in double.
  [[gnu::always_inline]] static V time(const V& v) noexcept {
    return V(1096.6331584284585) * exp_minus(xsimd::max(V(7.0) - v, V(0.0)));
  }

  /// The logarithm of the integrand and its derivatives by u. Stores the slopes of log F in slopes_.
  node at(double u) noexcept {
    V value(0.0), slope(0.0), curvature(0.0);
    for (std::size_t j = 0; j < rows_; j += lane_count<Arch>) {
      const V d = V::load_aligned(d_.data() + j);
      const V v = d + V(u);
      const V x = time(v);
      const V kept = -exp2_minus_1(xsimd::max(x * V(-std::numbers::log2e), V(-1000.0)));
      const auto early = v < V(-36.0);  // F is e^v
      const V own = xsimd::select(early, V(1.0), x * (V(1.0) - kept) / kept);
      const V log = xsimd::select(early, v, log_positive(xsimd::select(early, V(1.0), kept), log_tail_7));
      value += log - xsimd::select(d <= V(0.0), v, V(0.0));
      slope += own;
      curvature = xsimd::fma(own, V(1.0) - x - own, curvature);
      own.store_aligned(slopes_.data() + j);
    }
    const double x = std::exp(u);
    return {u * (1.0 + below_) - x + sum_of(value), 1.0 - x + sum_of(slope), sum_of(curvature) - x};
  }

  std::size_t size_, rows_;
  std::span<double> d_, slopes_;
  double constant_ = 0.0;
  double below_ = 0.0;
};

/// @param d, slope, curvature  as in `race`
template <class Arch>
[[nodiscard]] tied_draw draw_together(std::span<const double> d, std::span<double> slope,
                                      std::span<double> curvature, workspace& scratch) {
  if (d.size() == 1) {
    const double u = std::exp(-std::abs(d[0]));
    const double lost = (d[0] > 0.0 ? u : 1.0) / (1.0 + u);
    const double kept = (d[0] > 0.0 ? 1.0 : u) / (1.0 + u);
    if (!slope.empty()) slope[0] = lost;
    if (!curvature.empty()) curvature[0] = -lost * kept;
    return {std::max(-d[0], 0.0) + std::log1p(u), lost, -lost * kept};
  }
  const workspace::scope scope(scratch);
  return race<Arch>(d, scratch)(slope, curvature, scratch);
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
