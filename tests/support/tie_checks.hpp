// SPDX-License-Identifier: BSL-1.0
#pragma once

// What rao_kupper and davidson are both held to.

#include <rankloss/preference_batch.hpp>

#include "support/reference.hpp"
#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace support {

using reference::real;

/// What a call gives of one pair.
struct pair_result {
  double value, slope, curvature, slope_of_ties;  ///< slope and curvature by the reward of the preferred item
};

template <class Loss>
pair_result of_pair(const Loss& loss, double preferred, double other, bool tie = false, double margin = 0.0) {
  const std::vector<double> rewards{preferred, other}, margins{margin};
  const std::vector<int> p{0}, o{1};
  const std::vector<std::uint8_t> ties{tie};
  std::vector<double> g(2), h(2);
  rankloss::context ctx;
  double by_ties = 0.0;
  const double value =
      evaluate(loss,
               rankloss::preference_batch<double>{
                   .rewards = rewards, .preferred = p, .other = o, .margins = margins, .ties = ties},
               {.gradient = g, .hessian = h}, by_ties, ctx);
  CHECK(g[1] == -g[0]);
  CHECK(h[1] == h[0]);
  return {value, g[0], h[0], by_ties};
}

/// Value, gradient, Hessian and the slope by the tie parameter of wins and ties, with weights and margins,
/// against plain sums and their differences. `plain(preferred, other, margin, tie, by)`: -log of the
/// probability in long double, the tie parameter moved by `by`, of which `step` is a small piece.
template <class T, class Loss, class Plain>
void are_those_of_plain_sums(const Loss& loss, double spread, long double step_of_ties, Plain plain) {
  std::mt19937_64 random(1);
  const std::size_t n = 12, pairs = 60;
  auto r = numbers<T>(random, n);
  for (T& x : r) x *= static_cast<T>(spread);
  const auto margins = numbers<double>(random, pairs);
  auto w = whole_numbers<double>(random, pairs, 4);
  w[0] = 1;
  auto ties = whole_numbers<std::uint8_t>(random, pairs, 3);
  std::vector<std::size_t> p, o;
  for (std::size_t k = 0; k < pairs; ++k) {
    p.push_back(random() % n);
    o.push_back((p.back() + 1 + random() % (n - 1)) % n);
  }
  real total = 0;
  for (const double x : w) total += static_cast<real>(x);
  const auto at = [&](std::size_t moved, real by) {
    real sum = 0;
    for (std::size_t k = 0; k < pairs; ++k) {
      const auto reward = [&](std::size_t i) { return static_cast<real>(r[i]) + (i == moved ? by : 0); };
      sum += static_cast<real>(w[k]) * plain(reward(p[k]), reward(o[k]), static_cast<real>(margins[k]),
                                             ties[k] != 0, moved == n ? by : 0);
    }
    return sum / total;
  };
  const auto slope = [&](std::size_t moved, real step) {
    return (at(moved, -2 * step) - 8 * at(moved, -step) + 8 * at(moved, step) - at(moved, 2 * step)) /
           (12 * step);
  };
  std::vector<double> g(n), h(n);
  double by_ties = std::numeric_limits<double>::quiet_NaN();
  rankloss::context ctx;
  const rankloss::preference_batch<T> batch{
      .rewards = r, .preferred = p, .other = o, .pair_weights = w, .margins = margins, .ties = ties};
  const real value = at(0, 0);
  CHECK(evaluate(loss, batch, {.gradient = g, .hessian = h}, by_ties, ctx) ==
        Approx(static_cast<double>(value)).epsilon(1e-13));
  CHECK(by_ties == Approx(static_cast<double>(slope(n, step_of_ties))).epsilon(1e-9).margin(1e-11));
  double sum = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    const real step = 1e-3L;
    const real curvature =
        (16 * (at(i, -step) + at(i, step)) - at(i, -2 * step) - at(i, 2 * step) - 30 * value) /
        (12 * step * step);
    CHECK(std::abs(static_cast<real>(g[i]) - slope(i, step)) <= 1e-10L);
    CHECK(std::abs(static_cast<real>(h[i]) - curvature) <= 1e-8L);
    sum += g[i];
  }
  CHECK(std::abs(sum) <= 1e-14);
}

/// Wins and ties of rewards, margins and weights of any size.
template <class T, class Loss>
void stays_finite(const Loss& loss) {
  constexpr double most = 1e300, limit = 1e290;
  for (const double d : {-most, -1.0, 0.0, 1.0, most})
    for (const auto& term : {loss(d, -d, 0.0), loss.tie(d, -d, 0.0)})
      for (const double x : {term.value, term.slope_preferred, term.slope_other, term.curvature_preferred,
                             term.curvature_other, term.slope_of_ties})
        CHECK(std::abs(x) <= limit);
  using rankloss::reduction;
  const T big = std::numeric_limits<T>::max(), infinity = std::numeric_limits<T>::infinity(),
          tiny = std::numeric_limits<T>::denorm_min();
  const std::vector<T> r{-big, big, -infinity, infinity, T(0), tiny};
  const std::vector<int> p{0, 1, 2, 3, 4, 1, 4}, o{1, 0, 3, 2, 1, 3, 5};
  const std::vector<double> margins{1e308, -1e308, 0, 1, 1e308, 1e-308, -5e-324};
  for (const bool tie : {false, true})
    for (const double unit : {1e-310, 1.0, 1e308})
      for (const auto how : {reduction::mean, reduction::mean_of_relevant, reduction::sum}) {
        const std::vector<double> w{unit, unit, 0, unit, unit, unit, unit};
        const std::vector<std::uint8_t> ties(7, static_cast<std::uint8_t>(tie));
        std::vector<T> g(6), h(6);
        std::vector<double> pairs(7);
        double by_ties = 0.0;
        rankloss::context ctx;
        CHECK(std::isfinite(evaluate(loss,
                                     rankloss::preference_batch<T>{.rewards = r,
                                                                   .preferred = p,
                                                                   .other = o,
                                                                   .pair_weights = w,
                                                                   .margins = margins,
                                                                   .ties = ties,
                                                                   .reduction = how},
                                     {.gradient = g, .per_list = pairs, .hessian = h, .scale = 3.0}, by_ties,
                                     ctx)));
        CHECK(std::isfinite(by_ties));
        for (std::size_t i = 0; i < 6; ++i) CHECK((std::isfinite(g[i]) && std::isfinite(h[i])));
        for (const double x : pairs) CHECK((x >= 0.0 && x <= 1e290));
      }
}

}  // namespace support
