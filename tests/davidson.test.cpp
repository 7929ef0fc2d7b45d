// SPDX-License-Identifier: BSL-1.0
#include <rankloss/davidson.hpp>

#include <rankloss/bradley_terry.hpp>

#include "support/tie_checks.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace davidson_test {

namespace {

using rankloss::bradley_terry;
using rankloss::davidson;
using rankloss::evaluate;
using rankloss::preference_batch;
using support::of_pair;

using real = long double;
constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// As the paper has it, of strengths i and 1.
real plain(real temperature, real log_nu, real preferred, real other, real margin, bool tie) {
  const real nu = std::exp(log_nu);
  const real i = std::exp((preferred - other - margin) / temperature);
  return -std::log((tie ? nu * std::sqrt(i) : i) / (i + 1 + nu * std::sqrt(i)));
}

TEST_CASE("davidson: values worked by hand") {
  const davidson loss{.log_prevalence = std::log(3.0)};
  // Equals: 1 / (2 + nu) to win, nu / (2 + nu) to tie. Strengths 4 to 1: 4, 1 and 6 of 11.
  CHECK(of_pair(loss, 2, 2).value == Approx(std::log(5.0)).epsilon(1e-15));
  CHECK(of_pair(loss, 2, 2, true).value == Approx(std::log(5.0 / 3.0)).epsilon(1e-15));
  CHECK(of_pair(loss, std::log(4.0), 0).value == Approx(std::log(11.0 / 4.0)).epsilon(1e-15));
  CHECK(of_pair(loss, 0, std::log(4.0)).value == Approx(std::log(11.0)).epsilon(1e-15));
  CHECK(of_pair(loss, std::log(4.0), 0, true).value == Approx(std::log(11.0 / 6.0)).epsilon(1e-15));
  CHECK(of_pair(loss, 0, std::log(4.0), true).value == Approx(std::log(11.0 / 6.0)).epsilon(1e-15));
  // The default: three outcomes alike. Rewards and margin are in units of the temperature, the prevalence is
  // not.
  CHECK(of_pair(davidson{}, 1, 1).value == Approx(std::log(3.0)).epsilon(1e-15));
  CHECK(of_pair(davidson{}, 1, 1, true).value == Approx(std::log(3.0)).epsilon(1e-15));
  for (const bool tie : {false, true})
    CHECK(of_pair(davidson{.temperature = 2, .log_prevalence = 1.5}, 8, 1, tie, 3).value ==
          Approx(of_pair(davidson{.log_prevalence = 1.5}, 2, 0, tie).value).epsilon(1e-15));
}

TEST_CASE(
    "davidson: what a pair may come to has probabilities that sum to 1, and ties leave the odds of win to loss") {
  for (const double t : {0.3, 1.0})
    for (const double log_nu : {-30.0, -1.0, 0.0, 4.0, 40.0})
      for (const double d : {-30.0, -1.0, 0.0, 0.25, 8.0}) {
        const davidson loss{.temperature = t, .log_prevalence = log_nu};
        const double win = of_pair(loss, d, 0).value, lose = of_pair(loss, 0, d).value;
        CHECK(std::exp(-win) + std::exp(-lose) + std::exp(-of_pair(loss, d, 0, true).value) ==
              Approx(1.0).epsilon(1e-13));
        CHECK(lose - win == Approx(d / t).epsilon(1e-13).margin(1e-14));
      }
}

TEMPLATE_TEST_CASE("davidson: value and derivatives, that by log nu too, are those of the plain sums", "",
                   float, double) {
  for (const double spread : {0.1, 1.0, 20.0, 500.0})
    for (const davidson loss : {davidson{}, davidson{.temperature = 0.5, .log_prevalence = -5},
                                davidson{.temperature = 3, .log_prevalence = 20}})
      support::are_those_of_plain_sums<TestType>(
          loss, spread, 1e-3L, [&](real preferred, real other, real margin, bool tie, real by) {
            return plain(static_cast<real>(loss.temperature), static_cast<real>(loss.log_prevalence) + by,
                         preferred, other, margin, tie);
          });
}

TEST_CASE("davidson: without ties and nu = 0 it is bradley_terry") {
  std::mt19937_64 random(2);
  auto r = support::numbers<double>(random, 20);
  for (double& x : r) x *= 50.0;
  const auto margins = support::numbers<double>(random, 30);
  std::vector<int> p, o;
  for (int k = 0; k < 30; ++k) {
    p.push_back(static_cast<int>(random() % 10));
    o.push_back(10 + static_cast<int>(random() % 10));
  }
  const std::vector<std::uint8_t> none(30, 0);
  const preference_batch<double> batch{
      .rewards = r, .preferred = p, .other = o, .margins = margins, .ties = none};
  std::vector<double> g(20), h(20), expected_g(20), expected_h(20), pairs(30), expected_pairs(30);
  evaluate(bradley_terry{.temperature = 0.7}, batch,
           {.gradient = expected_g, .per_list = expected_pairs, .hessian = expected_h});
  for (const double log_nu : {-infinity, -1e100, -1000.0}) {
    double by_ties = nan;
    rankloss::context ctx;
    evaluate(davidson{.temperature = 0.7, .log_prevalence = log_nu}, batch,
             {.gradient = g, .per_list = pairs, .hessian = h}, by_ties, ctx);
    for (std::size_t k = 0; k < 30; ++k)
      CHECK(pairs[k] == Approx(expected_pairs[k]).epsilon(1e-15).margin(0));
    for (std::size_t i = 0; i < 20; ++i) {
      CHECK(g[i] == Approx(expected_g[i]).epsilon(1e-14).margin(0));
      CHECK(h[i] == Approx(expected_h[i]).epsilon(1e-14).margin(0));
    }
    CHECK(by_ties == 0.0);
  }
}

TEST_CASE("davidson: huge and tiny differences and prevalences keep their digits") {
  CHECK(of_pair(davidson{}, -1e6, 1e6).value == 2e6);
  CHECK(of_pair(davidson{}, -1e6, 1e6, true).value == 1e6);
  CHECK(of_pair(davidson{}, 80, 0).value == Approx(std::exp(-40.0)).epsilon(1e-14).margin(0));
  CHECK(of_pair(davidson{.log_prevalence = 1e50}, 3, 0).value == 1e50);
  CHECK(of_pair(davidson{.log_prevalence = -1e50}, 3, 0, true).value == 1e50);
  CHECK(of_pair(davidson{.log_prevalence = -1e50}, 3, 0, true).slope_of_ties == Approx(-1.0).epsilon(1e-15));
  // Ties are all but certain: what is left of the loss is 2 / nu.
  const auto wide = of_pair(davidson{.log_prevalence = 40}, 0, 0, true);
  CHECK(wide.value == Approx(2 * std::exp(-40.0)).epsilon(1e-14).margin(0));
  CHECK(wide.slope_of_ties == Approx(-2 * std::exp(-40.0)).epsilon(1e-14).margin(0));
  CHECK(wide.curvature == Approx(0.5 * std::exp(-40.0)).epsilon(1e-14).margin(0));
  // All but certain to win: neither slope nor curvature is a difference.
  const auto won = of_pair(davidson{.log_prevalence = -infinity}, 60, 0);
  CHECK(won.slope == Approx(-std::exp(-60.0)).epsilon(1e-14).margin(0));
  CHECK(won.curvature == Approx(std::exp(-60.0)).epsilon(1e-14).margin(0));
  CHECK(of_pair(davidson{}, 1e-12, 0, true).slope == Approx(1e-12 / 6).epsilon(1e-11).margin(0));
}

TEMPLATE_TEST_CASE("davidson: finite for rewards, margins, weights and prevalences of any size", "", float,
                   double) {
  for (const double t : {1e-15, 1.0, 1e300})
    for (const double log_nu : {-1e100, -700.0, 0.5, 1e100})
      support::stays_finite<TestType>(davidson{.temperature = t, .log_prevalence = log_nu});
}

TEST_CASE("davidson: options out of range are refused, and ties without a prevalence") {
  CHECK_THROWS_WITH(of_pair(davidson{.temperature = 0}, 1, 0),
                    "rankloss: temperature: 0, expected 1e-15 to 1e300");
  CHECK_THROWS_WITH(of_pair(davidson{.log_prevalence = infinity}, 1, 0),
                    "rankloss: log_prevalence: inf, expected -1e100 to 1e100, or -inf");
  CHECK_THROWS_WITH(of_pair(davidson{.log_prevalence = nan}, 1, 0),
                    Catch::Matchers::StartsWith("rankloss: log_prevalence: "));
  CHECK_THROWS_WITH(of_pair(davidson{.log_prevalence = -infinity}, 1, 0, true),
                    "rankloss: log_prevalence: -inf, expected a finite number, for the tie at pair 0");
}

}  // namespace

}  // namespace davidson_test
