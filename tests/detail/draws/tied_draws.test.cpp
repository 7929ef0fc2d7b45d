// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/draws/tied_draws.hpp>

#include <rankloss/workspace.hpp>

#include "support/listwise_reference.hpp"
#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <vector>

namespace detail_draws_tied_draws_test {

namespace {

using arch = xsimd::default_arch;
using rankloss::detail::draw_together;
using rankloss::detail::tied_draw;
using reference::real;

/// P by inclusion and exclusion over all subsets: sum_S (-1)^|S| / (1 + sum of exp(d) over S). For few items
/// of about the others' weight.
real loss_of_subsets(const std::vector<real>& d) {
  real p = 0;
  for (unsigned subset = 0; subset < 1U << d.size(); ++subset) {
    real others = 1;
    bool odd = false;
    for (std::size_t j = 0; j < d.size(); ++j)
      if (subset >> j & 1U) {
        others += std::exp(d[j]);
        odd = !odd;
      }
    p += (odd ? -1 : 1) / others;
  }
  return -std::log(p);
}

struct drawn {
  tied_draw draw;
  std::vector<double> slope, curvature;
};
drawn draw(const std::vector<double>& d, bool slope = true, bool curvature = true) {
  rankloss::workspace scratch;
  drawn out{{},
            std::vector<double>(slope ? d.size() : 0, 99.0),
            std::vector<double>(curvature ? d.size() : 0, 99.0)};
  out.draw = draw_together<arch>(d, out.slope, out.curvature, scratch);
  return out;
}

void check(const std::vector<double>& d) {
  INFO("items " << d.size() << ", first " << d[0]);
  const drawn found = draw(d);
  std::vector<real> x = reference::widen(d);
  CHECK(found.draw.loss == Approx(static_cast<double>(loss_of_subsets(x))).epsilon(1e-12));
  // Derivatives by differences in long double; by the others' sum all d move the other way.
  const real step = 1e-4L, here = loss_of_subsets(x);
  const auto moved = [&](std::size_t j, real by) {
    std::vector<real> y = x;
    for (std::size_t i = 0; i < y.size(); ++i) y[i] += i == j || j == y.size() ? by : 0;
    return loss_of_subsets(y);
  };
  double sum = 0.0;
  for (std::size_t j = 0; j <= d.size(); ++j) {
    const auto first = static_cast<double>((moved(j, -step) - moved(j, step)) / (2 * step));
    const auto second = static_cast<double>((2 * here - moved(j, step) - moved(j, -step)) / (step * step));
    CHECK((j < d.size() ? found.slope[j] : found.draw.pull) == Approx(first).epsilon(1e-7).margin(1e-9));
    CHECK((j < d.size() ? found.curvature[j] : found.draw.bend) == Approx(second).epsilon(1e-6).margin(1e-7));
    if (j < d.size()) sum += found.slope[j];
  }
  CHECK(found.draw.pull == Approx(sum).epsilon(1e-13));
}

}  // namespace

TEST_CASE("tied_draws: loss and derivatives are those of the sum over subsets") {
  std::mt19937_64 random(1);
  for (const double d : {-3.0, -0.5, 0.0, 0.7, 4.0, 9.0}) check({d});
  for (std::size_t g = 2; g <= 9; ++g)
    for (const double offset : {-0.5, 0.5}) {
      std::vector<double> d = support::numbers<double>(random, g);
      for (double& x : d) x = 1.5 * x + offset;
      if (g > 3) d[1] = 0.0, d[2] = 8.0;
      check(d);
    }
}

TEST_CASE("tied_draws: equal items by their product form, for groups of any size") {
  // With e^d = 1: P = g! / (2 3 ... (g + 1)) = 1 / (g + 1)
  for (const std::size_t g : {1u, 2u, 7u, 8u, 9u, 100u, 1000u}) {
    const drawn found = draw(std::vector<double>(g, 0.0));
    CHECK(found.draw.loss == Approx(std::log(static_cast<double>(g + 1))).epsilon(1e-12));
    for (const double s : found.slope) CHECK(s == Approx(found.slope[0]).epsilon(1e-10));
    // With others of weight o, P = prod j / (j + o).
    double pull = 0.0, bend = 0.0;
    for (std::size_t j = 1; j <= g; ++j) {
      const double share = 1.0 / (static_cast<double>(j) + 1.0);
      pull += share;
      bend -= share * (1.0 - share);
    }
    CHECK(found.draw.pull == Approx(pull).epsilon(1e-10));
    CHECK(found.draw.bend == Approx(bend).epsilon(1e-9));
  }
}

TEST_CASE(
    "tied_draws: items far below the others are drawn one after the other, far above them they cost nothing") {
  // Far below, P is prod exp(d_j) g!, whatever the d.
  for (const double far : {-40.0, -1e3, -1e15, -1e300}) {
    const drawn found = draw({far, far - 3.0, far});
    CHECK(found.draw.loss == Approx(-3.0 * far + 3.0 - std::log(6.0)).epsilon(1e-12));
    for (const double s : found.slope) CHECK(s == Approx(1.0).epsilon(1e-12));
    for (const double c : found.curvature) CHECK(std::abs(c) <= 1e-10);
    CHECK(found.draw.pull == Approx(3.0).epsilon(1e-12));
  }
  const drawn above = draw({60.0, 1e3, 1e290});
  CHECK(above.draw.loss >= 0.0);
  CHECK(above.draw.loss <= 1e-12);
  for (const double s : above.slope) CHECK(std::abs(s) <= 1e-12);
  // One that is never missed leaves the rest as they are.
  const drawn two = draw({-1.0, 0.5}), three = draw({-1.0, 1e200, 0.5});
  CHECK(three.draw.loss == Approx(two.draw.loss).epsilon(1e-12));
  CHECK(three.slope[0] == Approx(two.slope[0]).epsilon(1e-12));
  CHECK(three.curvature[2] == Approx(two.curvature[1]).epsilon(1e-9));
}

TEST_CASE("tied_draws: what is not wanted changes nothing else") {
  const std::vector<double> three{-1.0, 0.3, 2.0};
  for (const std::vector<double>& d : {std::vector<double>{0.4}, three}) {
    const drawn all = draw(d), slope = draw(d, true, false), none = draw(d, false, false);
    CHECK(slope.draw.loss == all.draw.loss);
    CHECK(none.draw.loss == all.draw.loss);
    CHECK(slope.slope == all.slope);
  }
}

}  // namespace detail_draws_tied_draws_test
