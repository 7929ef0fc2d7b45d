// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>

namespace rankloss::detail {

/// The probability that a Plackett-Luce draw takes a group of items, in whatever order, before all others, as an integral over the time of an
/// exponential race (DeLong, Guirguis, So: Efficient computation of subset selection probabilities with application to Cox regression,
/// Biometrika 81, 1994). With d_j the log weight of item j less the log of the others' sum, and u the log of the time in units of the others,
///
///     P = integral e^(u - e^u) prod_j F(d_j + u) du,   F(v) = 1 - exp(-e^v)
///
/// The integrand is log-concave and analytic: each halving of its step squares the error of the trapezoid rule.
struct tied_draw {
  double loss;  ///< -log P
  double pull;  ///< d(loss) / d(log of the others' sum), which is the sum of the slopes
  double bend;  ///< d2(log P) / d(log of the others' sum)^2
};

/// log F(v), its derivative, and the second.
struct race_term {
  double value, slope, curvature;
};
[[nodiscard]] inline race_term race(double v) noexcept {
  if (v < -36.0) return {v, 1.0, 0.0};
  const double x = std::exp(std::min(v, 7.0));  // e^7 = 1097: nothing is left of exp(-x)
  const double lost = std::exp(-x);
  const double kept = -std::expm1(-x);
  const double slope = x * lost / kept;
  return {x < 0.5 ? std::log(kept) : std::log1p(-lost), slope, slope * (1.0 - x - slope)};
}

/// @param d          [g] log weights less the log of the others' sum, finite
/// @param slope      [g] or empty: d(log P) / d(d_j)
/// @param curvature  [g] or empty: d2(log P) / d(d_j)^2
[[nodiscard]] inline tied_draw draw_together(std::span<const double> d, std::span<double> slope, std::span<double> curvature) {
  const std::size_t g = d.size();
  if (d.size() == 1) {
    const double u = std::exp(-std::abs(d[0]));
    const double lost = (d[0] > 0.0 ? u : 1.0) / (1.0 + u);
    const double kept = (d[0] > 0.0 ? 1.0 : u) / (1.0 + u);
    if (!slope.empty()) slope[0] = lost;
    if (!curvature.empty()) curvature[0] = -lost * kept;
    return {std::max(-d[0], 0.0) + std::log1p(u), lost, -lost * kept};
  }
  // Of items below the others, log F(d + u) is d + u and little else: the d, which may be of any size, are added once and not to each node.
  double constant = 0.0;
  double below = 0.0;
  for (const double own : d)
    if (own <= 0.0) {
      constant += own;
      below += 1.0;
    }
  struct node {
    double value, slope, curvature;
  };
  const auto at = [&](double u) {
    const double x = std::exp(u);
    node sum{u * (1.0 + below) - x, 1.0 - x, -x};
    for (const double own : d) {
      const race_term term = race(own + u);
      sum.value += own <= 0.0 ? term.value - (own + u) : term.value;
      sum.slope += term.slope;
      sum.curvature += term.curvature;
    }
    return sum;
  };

  // The peak lies where 1 <= e^u <= 1 + g. Its logarithm is concave: Newton's steps, kept between the ends.
  double low = 0.0;
  double high = std::log1p(static_cast<double>(g));
  double u = 0.5 * (low + high);
  node top = at(u);
  for (int step = 0; step < 50 && std::abs(top.slope) > 1e-3 * std::sqrt(-top.curvature); ++step) {
    (top.slope > 0.0 ? low : high) = u;
    const double next = u - top.slope / top.curvature;
    u = next > low && next < high ? next : 0.5 * (low + high);
    top = at(u);
  }

  double mass = 0.0;
  double square = 0.0;  // of the others: sum of mass * (bend + slope^2)
  std::fill(slope.begin(), slope.end(), 0.0);
  std::fill(curvature.begin(), curvature.end(), 0.0);
  const auto add = [&](double v) {
    const double weight = std::exp(at(v).value - top.value);
    mass += weight;
    const double x = std::exp(v);
    square += weight * (x * x - 3.0 * x + 1.0);
    for (std::size_t j = 0; j < slope.size(); ++j) {
      const race_term term = race(d[j] + v);
      slope[j] += weight * term.slope;
      if (!curvature.empty()) curvature[j] += weight * (term.curvature + term.slope * term.slope);
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
  // The nodes in between, until they change the integral by no more than the square root of what is to be left.
  for (int halving = 0; halving < 8; ++halving) {
    const double before = mass;
    for (int k = first; k < last; ++k) add(u + h * (k + 0.5));
    h *= 0.5;
    first *= 2;
    last *= 2;
    if (std::abs(0.5 * mass - before) <= 1e-8 * before) break;
  }

  double pull = 0.0;
  for (double& s : slope) pull += s /= mass;
  for (std::size_t j = 0; j < curvature.size(); ++j) curvature[j] = curvature[j] / mass - slope[j] * slope[j];
  return {std::max(-constant - top.value - std::log(mass * h), 0.0), pull, square / mass - pull * pull};
}

}  // namespace rankloss::detail
