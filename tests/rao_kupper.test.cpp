// SPDX-License-Identifier: BSL-1.0
#include <rankloss/rao_kupper.hpp>

#include "support/tie_checks.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace rao_kupper_test {

namespace {

using rankloss::bradley_terry;
using rankloss::evaluate;
using rankloss::preference_batch;
using rankloss::rao_kupper;
using support::of_pair;

using real = long double;
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// As the paper has it, of the ratio of the two strengths.
real plain(real temperature, real threshold, real preferred, real other, real margin, bool tie) {
  const real theta = std::exp(threshold / temperature);
  const real i = std::exp((preferred - other - margin) / temperature);
  return -std::log(tie ? (theta * theta - 1) * i / ((i + theta) * (theta * i + 1)) : i / (i + theta));
}

TEST_CASE("rao_kupper: values worked by hand") {
  const double theta = 3.0;
  const rao_kupper loss{.threshold = std::log(theta)};
  // Equals: 1 / (1 + theta) to win, (theta - 1) / (theta + 1) to tie.
  CHECK(of_pair(loss, 2, 2).value == Approx(std::log(4.0)).epsilon(1e-15));
  CHECK(of_pair(loss, 2, 2, true).value == Approx(std::log(2.0)).epsilon(1e-15));
  // Strengths 5 to 1: 5 / 8, 1 / 16, and (9 - 1) 5 / (8 * 16).
  CHECK(of_pair(loss, std::log(5.0), 0).value == Approx(std::log(8.0 / 5.0)).epsilon(1e-15));
  CHECK(of_pair(loss, 0, std::log(5.0)).value == Approx(std::log(16.0)).epsilon(1e-15));
  CHECK(of_pair(loss, std::log(5.0), 0, true).value == Approx(std::log(16.0 / 5.0)).epsilon(1e-15));
  CHECK(of_pair(loss, 0, std::log(5.0), true).value == Approx(std::log(16.0 / 5.0)).epsilon(1e-15));
  // The default: three outcomes alike. Rewards, threshold and margin are all in units of the temperature.
  CHECK(of_pair(rao_kupper{}, 1, 1).value == Approx(std::log(3.0)).epsilon(1e-15));
  CHECK(of_pair(rao_kupper{}, 1, 1, true).value == Approx(std::log(3.0)).epsilon(1e-15));
  for (const bool tie : {false, true})
    CHECK(of_pair(rao_kupper{.temperature = 2, .threshold = 6}, 8, 1, tie, 3).value ==
          Approx(of_pair(rao_kupper{.threshold = 3}, 2, 0, tie).value).epsilon(1e-15));
  // At a lead of the threshold a win is as likely as not, and so is what else may come.
  CHECK(of_pair(loss, std::log(theta), 0).value == Approx(std::log(2.0)).epsilon(1e-15));
}

TEST_CASE("rao_kupper: what a pair may come to has probabilities that sum to 1") {
  for (const double t : {0.3, 1.0})
    for (const double threshold : {1e-9, 0.5, 4.0, 40.0})
      for (const double d : {-30.0, -1.0, 0.0, 0.25, 8.0}) {
        const rao_kupper loss{.temperature = t, .threshold = threshold};
        const double sum = std::exp(-of_pair(loss, d, 0).value) + std::exp(-of_pair(loss, 0, d).value) +
                           std::exp(-of_pair(loss, d, 0, true).value);
        CHECK(sum == Approx(1.0).epsilon(1e-13));
      }
}

TEMPLATE_TEST_CASE(
    "rao_kupper: value and derivatives, that by the threshold too, are those of the plain sums", "", float,
    double) {
  for (const double spread : {0.1, 1.0, 20.0, 500.0})
    for (const rao_kupper loss : {rao_kupper{}, rao_kupper{.temperature = 0.5, .threshold = 0.01},
                                  rao_kupper{.temperature = 3, .threshold = 20}})
      support::are_those_of_plain_sums<TestType>(
          loss, spread, 1e-3L * static_cast<real>(loss.threshold),
          [&](real preferred, real other, real margin, bool tie, real by) {
            return plain(static_cast<real>(loss.temperature), static_cast<real>(loss.threshold) + by,
                         preferred, other, margin, tie);
          });
}

TEST_CASE("rao_kupper: without ties and threshold it is bradley_terry, to the bit") {
  std::mt19937_64 random(2);
  const auto r = support::numbers<double>(random, 20), margins = support::numbers<double>(random, 30);
  std::vector<int> p, o;
  for (int k = 0; k < 30; ++k) {
    p.push_back(static_cast<int>(random() % 10));
    o.push_back(10 + static_cast<int>(random() % 10));
  }
  const std::vector<std::uint8_t> none(30, 0);
  const preference_batch<double> batch{
      .rewards = r, .preferred = p, .other = o, .margins = margins, .ties = none};
  std::vector<double> g(20), h(20), expected_g(20), expected_h(20);
  const double expected =
      evaluate(bradley_terry{.temperature = 0.7}, batch, {.gradient = expected_g, .hessian = expected_h});
  CHECK(evaluate(rao_kupper{.temperature = 0.7, .threshold = 0}, batch, {.gradient = g, .hessian = h}) ==
        expected);
  CHECK(g == expected_g);
  CHECK(h == expected_h);
}

TEST_CASE("rao_kupper: huge and tiny differences and thresholds keep their digits") {
  CHECK(of_pair(rao_kupper{.threshold = 1}, -1e6, 1e6).value == 2e6 + 1);
  CHECK(of_pair(rao_kupper{.threshold = 1}, -1e6, 1e6, true).value ==
        Approx(2e6 - 1 - std::log1p(-std::exp(-2.0))).epsilon(1e-15));
  CHECK(of_pair(rao_kupper{.threshold = 5}, 45, 0).value == Approx(std::exp(-40.0)).epsilon(1e-14));
  // A threshold of 2^-900: e^(2 eta) - 1 is 2 eta.
  const double small = 0x1p-900;
  CHECK(of_pair(rao_kupper{.threshold = small}, 0, 0, true).value ==
        Approx(901 * std::log(2.0)).epsilon(1e-15));
  CHECK(of_pair(rao_kupper{.threshold = small}, 0, 0, true).slope_of_ties ==
        Approx(-0x1p900).epsilon(1e-13).margin(0));
  CHECK(of_pair(rao_kupper{.threshold = small}, 50, 0, true).value ==
        Approx(50 + 899 * std::log(2.0)).epsilon(1e-15));
  // Less than any number, in temperatures: as the least of the normal ones.
  CHECK(of_pair(rao_kupper{.temperature = 100, .threshold = 5e-324}, 0, 0, true).value ==
        Approx(1023 * std::log(2.0)).epsilon(1e-15));
  // A wide one: ties are all but certain, and what is left of the loss is 2 e^-eta.
  const auto wide = of_pair(rao_kupper{.threshold = 30}, 0, 0, true);
  CHECK(wide.value == Approx(2 * std::exp(-30.0)).epsilon(1e-12).margin(0));
  CHECK(wide.slope_of_ties == Approx(-2 * std::exp(-30.0)).epsilon(1e-12).margin(0));
  CHECK(wide.curvature == Approx(2 * std::exp(-30.0)).epsilon(1e-12).margin(0));
  CHECK(of_pair(rao_kupper{.threshold = 18}, 0, 0, true).value ==
        Approx(2 * std::log1p(std::exp(-18.0)) - std::log1p(-std::exp(-36.0))).epsilon(1e-14).margin(0));
  // Near equals: the slope is z times the curvature, and neither is a difference.
  const auto near = of_pair(rao_kupper{.threshold = 40}, 1e-12, 0, true);
  CHECK(near.slope == Approx(1e-12 * 2 * std::exp(-40.0)).epsilon(1e-12).margin(0));
  CHECK(of_pair(rao_kupper{.threshold = 40}, -1e-12, 0, true).slope == -near.slope);
}

TEMPLATE_TEST_CASE("rao_kupper: finite for rewards, margins, weights and thresholds of any size", "", float,
                   double) {
  for (const double t : {1e-15, 1.0, 1e300})
    for (const double threshold : {5e-324, 1e-300, 0.5, 1e100})
      support::stays_finite<TestType>(rao_kupper{.temperature = t, .threshold = threshold});
}

TEST_CASE("rao_kupper: options out of range are refused, and ties without a threshold") {
  CHECK_THROWS_WITH(of_pair(rao_kupper{.temperature = 0}, 1, 0),
                    "rankloss: temperature: 0, expected 1e-15 to 1e300");
  CHECK_THROWS_WITH(of_pair(rao_kupper{.threshold = -1}, 1, 0),
                    "rankloss: threshold: -1, expected 0 to 1e100");
  CHECK_THROWS_WITH(of_pair(rao_kupper{.threshold = nan}, 1, 0),
                    "rankloss: threshold: nan, expected 0 to 1e100");
  CHECK_THROWS_WITH(of_pair(rao_kupper{.threshold = 0}, 1, 0, true),
                    "rankloss: threshold: 0, expected above 0, for the tie at pair 0");
  CHECK(of_pair(rao_kupper{.threshold = 0}, 1, 0).slope_of_ties ==
        Approx(1 / (1 + std::exp(1.0))).epsilon(1e-15));
}

}  // namespace

}  // namespace rao_kupper_test
