// SPDX-License-Identifier: BSL-1.0
#include <rankloss/bradley_terry.hpp>

#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <vector>

namespace bradley_terry_test {

namespace {

using rankloss::bradley_terry;
using rankloss::evaluate;
using rankloss::preference_batch;
using rankloss::reduction;

using reals = std::vector<double>;
using real = long double;

real log_sigmoid(real z) { return z > 0 ? -std::log1p(std::exp(-z)) : z - std::log1p(std::exp(z)); }

/// Of one pair, as the formula stands.
real plain(const bradley_terry& loss, real preferred, real other, real margin) {
  const real z = (preferred - other - margin) / static_cast<real>(loss.temperature);
  const real e = static_cast<real>(loss.smoothing);
  return -(1 - e) * log_sigmoid(z) - e * log_sigmoid(-z) +
         static_cast<real>(loss.centring) * (preferred + other) * (preferred + other);
}

double of_pair(const bradley_terry& loss, double preferred, double other, double margin = 0.0) {
  const reals r{preferred, other}, margins{margin};
  const std::vector<int> p{0}, o{1};
  return evaluate(loss,
                  preference_batch<double>{.rewards = r, .preferred = p, .other = o, .margins = margins});
}

TEST_CASE("bradley_terry: values worked by hand") {
  CHECK(of_pair({}, 0, 0) == Approx(std::log(2.0)).epsilon(1e-15));
  CHECK(of_pair({}, 1, 0) == Approx(std::log1p(std::exp(-1.0))).epsilon(1e-15));
  CHECK(of_pair({}, 1, 0, 1) == Approx(std::log(2.0)).epsilon(1e-15));
  CHECK(of_pair({.temperature = 2}, 5, 1) == Approx(std::log1p(std::exp(-2.0))).epsilon(1e-15));
  CHECK(of_pair({.smoothing = 0.1}, 3, 0) == Approx(std::log1p(std::exp(-3.0)) + 0.3).epsilon(1e-15));
  CHECK(of_pair({.centring = 0.01}, 3, 2) == Approx(std::log1p(std::exp(-1.0)) + 0.25).epsilon(1e-15));
  // A mean of pairs, margins and centring together: what reward trainers take.
  const reals r{1.5, 0.25, -0.75, 0.5}, margins{0.5, 1};
  const std::vector<int> p{0, 2}, o{1, 3};
  const double expected =
      0.5 * (std::log1p(std::exp(-0.75)) + std::log1p(std::exp(2.25)) + 0.01 * (1.75 * 1.75 + 0.25 * 0.25));
  CHECK(evaluate(bradley_terry{.centring = 0.01},
                 preference_batch<double>{.rewards = r, .preferred = p, .other = o, .margins = margins}) ==
        Approx(expected).epsilon(1e-15));
}

TEMPLATE_TEST_CASE("bradley_terry: value, gradient and Hessian are those of the plain sums", "", float,
                   double) {
  std::mt19937_64 random(1);
  for (const double spread : {0.1, 1.0, 20.0, 500.0})
    for (const bradley_terry loss :
         {bradley_terry{}, bradley_terry{.temperature = 0.5, .smoothing = 0.2, .centring = 0.03}}) {
      const std::size_t n = 12, pairs = 40;
      auto r = support::numbers<TestType>(random, n);
      for (TestType& x : r) x *= static_cast<TestType>(spread);
      const auto margins = support::numbers<double>(random, pairs);
      auto w = support::whole_numbers<double>(random, pairs, 4);
      w[0] = 1;
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
          sum += static_cast<real>(w[k]) *
                 plain(loss, reward(p[k]), reward(o[k]), static_cast<real>(margins[k]));
        }
        return sum / total;
      };
      reals g(n), h(n);
      const preference_batch<TestType> batch{
          .rewards = r, .preferred = p, .other = o, .pair_weights = w, .margins = margins};
      const real value = at(0, 0);
      CHECK(evaluate(loss, batch, {.gradient = g, .hessian = h}) ==
            Approx(static_cast<double>(value)).epsilon(1e-13));
      for (std::size_t i = 0; i < n; ++i) {
        const real step = 1e-3L;
        const real low = at(i, -step), lower = at(i, -2 * step), high = at(i, step), higher = at(i, 2 * step);
        CHECK(std::abs(static_cast<real>(g[i]) - (lower - 8 * low + 8 * high - higher) / (12 * step)) <=
              1e-10L);
        CHECK(std::abs(static_cast<real>(h[i]) -
                       (16 * (low + high) - lower - higher - 30 * value) / (12 * step * step)) <= 1e-8L);
      }
      if (loss.centring == 0.0) {
        double sum = 0.0;
        for (const double x : g) sum += x;
        CHECK(std::abs(sum) <= 1e-15);
      }
    }
}

TEST_CASE("bradley_terry: huge and tiny differences keep their digits") {
  CHECK(of_pair({}, -1e6, 1e6) == 2e6);
  CHECK(of_pair({}, 40, 0) == Approx(std::exp(-40.0)).epsilon(1e-14));
  CHECK(of_pair({}, 700, 0) == Approx(std::exp(-700.0)).epsilon(1e-13));
  CHECK(of_pair({.smoothing = 0.25}, 1e6, 0) == 0.25e6);
  const reals r{60, 0};
  const std::vector<int> p{0}, o{1};
  reals g(2), h(2);
  evaluate(bradley_terry{}, preference_batch<double>{.rewards = r, .preferred = p, .other = o},
           {.gradient = g, .hessian = h});
  CHECK(g[0] == Approx(-std::exp(-60.0)).epsilon(1e-14));
  CHECK(g[1] == -g[0]);
  CHECK(h[0] == Approx(std::exp(-60.0)).epsilon(1e-14));
}

TEMPLATE_TEST_CASE("bradley_terry: finite for rewards, margins and weights of any size", "", float, double) {
  const TestType big = std::numeric_limits<TestType>::max(),
                 infinity = std::numeric_limits<TestType>::infinity();
  const std::vector<TestType> r{-big, big, -infinity, infinity, TestType(0)};
  const std::vector<int> p{0, 1, 2, 3, 4, 1}, o{1, 0, 3, 2, 1, 3};
  const reals margins{1e308, -1e308, 0, 1, 1e308, 1e-308};
  for (const double unit : {1e-310, 1.0, 1e308})
    for (const bradley_terry loss :
         {bradley_terry{}, bradley_terry{.temperature = 1e-15, .smoothing = 0.5, .centring = 1e100},
          bradley_terry{.temperature = 1e300, .centring = 0.01}})
      for (const auto how : {reduction::mean, reduction::mean_of_relevant, reduction::sum}) {
        const reals w{unit, unit, 0, unit, unit, unit};
        std::vector<TestType> g(5), h(5);
        CHECK(std::isfinite(evaluate(loss,
                                     preference_batch<TestType>{.rewards = r,
                                                                .preferred = p,
                                                                .other = o,
                                                                .pair_weights = w,
                                                                .margins = margins,
                                                                .reduction = how},
                                     {.gradient = g, .hessian = h, .scale = 3.0})));
        for (std::size_t i = 0; i < 5; ++i) CHECK((std::isfinite(g[i]) && std::isfinite(h[i])));
      }
}

TEST_CASE("bradley_terry: options out of range are refused") {
  CHECK_THROWS_WITH(of_pair({.temperature = 0}, 1, 0), "rankloss: temperature: 0, expected 1e-15 to 1e300");
  CHECK_THROWS_WITH(of_pair({.smoothing = 0.75}, 1, 0), "rankloss: smoothing: 0.75, expected 0 to 0.5");
  CHECK_THROWS_WITH(of_pair({.centring = -1}, 1, 0), "rankloss: centring: -1, expected 0 to 1e100");
}

}  // namespace

}  // namespace bradley_terry_test
