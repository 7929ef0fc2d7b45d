// SPDX-License-Identifier: BSL-1.0
#include <rankloss/neural_sort_cross_entropy.hpp>

#include "support/reference.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <vector>

namespace neural_sort_cross_entropy_test {

using rankloss::evaluate;
using rankloss::list_batch;
using rankloss::neural_sort_cross_entropy;
using reference::real;

namespace {

using reals = std::vector<double>;

std::vector<real> log_neural_sort(const reals& s, real t) {
  const std::size_t n = s.size();
  std::vector<real> p(n * n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      real distance = 0;
      for (const double x : s) distance += std::abs(real(s[j]) - real(x));
      p[i * n + j] = ((real(n) - 1 - 2 * real(i)) * real(s[j]) - distance) / t;
    }
    const auto row = p.begin() + static_cast<std::ptrdiff_t>(i * n);
    const real top = *std::max_element(row, row + static_cast<std::ptrdiff_t>(n));
    real sum = 0;
    for (std::size_t j = 0; j < n; ++j) sum += std::exp(p[i * n + j] - top);
    for (std::size_t j = 0; j < n; ++j) p[i * n + j] -= top + std::log(sum);
  }
  return p;
}

real plain(const reals& s, const reals& y, real t, real ty) {
  const auto p = log_neural_sort(s, t), q = log_neural_sort(y, ty);
  real sum = 0;
  for (std::size_t k = 0; k < p.size(); ++k) sum -= std::exp(q[k]) * p[k];
  return sum / real(s.size());
}

}  // namespace

TEST_CASE("neural_sort_cross_entropy: TF-Ranking's values") {
  CHECK(evaluate(neural_sort_cross_entropy{},
                 list_batch<double>{.scores = reals{1, 3, 2}, .relevance = reals{0, 0, 1}}) ==
        Approx(1.816267).margin(1e-6));
  CHECK(evaluate(neural_sort_cross_entropy{},
                 list_batch<double>{.scores = reals{1, 3}, .relevance = reals{0, 2}}) ==
        Approx(0.365334).margin(1e-6));
}

TEST_CASE("neural_sort_cross_entropy: value and gradient are those of the matrices") {
  std::mt19937_64 random(2);
  std::normal_distribution<double> normal;
  for (const std::size_t n : {1, 2, 7, 20, 70})
    for (const double t : {0.05, 1.0, 10.0}) {
      INFO("n " << n << ", temperature " << t);
      reals s(n), y(n), g(n);
      for (double& x : s) x = 5 + normal(random);
      for (double& x : y) x = static_cast<double>(random() % 4);
      const neural_sort_cross_entropy loss{.temperature = t, .relevance_temperature = 0.5};
      const double value = evaluate(loss, list_batch<double>{.scores = s, .relevance = y}, {.gradient = g});
      const real expected = plain(s, y, t, 0.5);
      CHECK(std::abs(real(value) - expected) <= 1e-12 * (1 + expected));
      double sum = 0, largest = 0;
      for (const double x : g) {
        sum += x;
        largest = std::max(largest, std::abs(x));
      }
      CHECK(std::abs(sum) <= 1e-11 * (1 + largest));
      for (std::size_t k = 0; k < n; ++k) {
        constexpr double h = 1e-6;
        auto up = s, down = s;
        up[k] += h;
        down[k] -= h;
        const real slope = (plain(up, y, t, 0.5) - plain(down, y, t, 0.5)) / (real(up[k]) - real(down[k]));
        CHECK(std::abs(real(g[k]) - slope) <= 1e-5 * (1e-3 + real(largest)));
      }
    }
}

TEST_CASE("neural_sort_cross_entropy: edge cases") {
  const reals huge{3e38, -3e38, 0}, y{0, 1, 2}, none;
  reals g(3);
  CHECK(std::isfinite(evaluate(neural_sort_cross_entropy{},
                               list_batch<double>{.scores = huge, .relevance = y}, {.gradient = g})));
  for (const double x : g) CHECK(std::isfinite(x));
  CHECK(evaluate(neural_sort_cross_entropy{}, list_batch<double>{.scores = none, .relevance = none}) == 0.0);
  const double infinity = std::numeric_limits<double>::infinity();
  for (const reals& far :
       {reals{1e308, 1e308, -1e308}, reals{infinity, 0, -infinity}, reals{infinity, infinity, -infinity}}) {
    CHECK(std::isfinite(evaluate(neural_sort_cross_entropy{},
                                 list_batch<double>{.scores = far, .relevance = y}, {.gradient = g})));
    for (const double x : g) CHECK(std::isfinite(x));
  }
  // By exact rational arithmetic: scores at the ends of their type count as its largest finite number, alone
  // or several together.
  const reals order{0, 0, 2, 1};
  const auto largest = static_cast<double>(std::numeric_limits<float>::max());
  const struct {
    reals s;
    double of_double, of_float;
    reals gradient;
  } ends[] = {{{-infinity, -infinity, 0.5, 0.75},
               2.9805308600215864e+307,
               5.641797343540374e+37,
               {-0.08289876626385026, -0.08289876626385026, -0.06463423482576786, 0.2304317673534683}},
              {{-infinity, -infinity, infinity, infinity},
               5.961061720043173e+307,
               1.1283594687080749e+38,
               {-0.08289876626385023, -0.08289876626385023, -0.08093159968656448, 0.24672913221426493}},
              {{-infinity, -infinity, -infinity, 3},
               8.077817555450192e+307,
               1.5290366638113798e+38,
               {0.1644712214546116, 0.1644712214546116, -0.7782859598197924, 0.4493435169105693}},
              {{-infinity, -infinity, -infinity, -infinity},
               1.3862943611198906,
               1.3862943611198906,
               {0.4171012337361497, 0.4171012337361497, -0.5756715751234881, -0.2585308923488113}},
              {{infinity, infinity, 0.5, 0.25},
               std::numeric_limits<double>::max(),
               6.241467198416539e+38,
               {0.9171012337361497, 0.9171012337361497, -1.0867089154212084, -0.747493552051091}}};
  for (const auto& end : ends)
    for (const bool lowest : {false, true}) {
      INFO("scores " << Catch::StringMaker<reals>::convert(end.s));
      reals s = end.s;
      for (double& x : s)
        if (lowest && !std::isfinite(x))
          x = x < 0 ? std::numeric_limits<double>::lowest() : std::numeric_limits<double>::max();
      reals at_ends(4);
      CHECK(evaluate(neural_sort_cross_entropy{}, list_batch<double>{.scores = s, .relevance = order},
                     {.gradient = at_ends}) == Approx(end.of_double).epsilon(1e-12));
      std::vector<float> narrow, grades(order.begin(), order.end()), slopes(4);
      for (const double x : s) narrow.push_back(static_cast<float>(std::clamp(x, -largest, largest)));
      CHECK(evaluate(neural_sort_cross_entropy{}, list_batch<float>{.scores = narrow, .relevance = grades},
                     {.gradient = slopes}) == Approx(end.of_float).epsilon(1e-6));
      for (std::size_t k = 0; k < 4; ++k) {
        CHECK(at_ends[k] == Approx(end.gradient[k]).margin(1e-12));
        CHECK(static_cast<double>(slopes[k]) == Approx(end.gradient[k]).margin(1e-5));
      }
    }
  // Scores far apart in the right order: only the relevance's own softness costs anything, and its size is
  // the distance.
  CHECK(evaluate(neural_sort_cross_entropy{.relevance_temperature = 1e-6},
                 list_batch<double>{.scores = reals{-1e4, 0, 1e4}, .relevance = y}) ==
        Approx(0.0).margin(1e-9));
  CHECK(evaluate(neural_sort_cross_entropy{.relevance_temperature = 1e-6},
                 list_batch<double>{.scores = reals{1e4, 0, -1e4}, .relevance = y}) > 1e3);
}

}  // namespace neural_sort_cross_entropy_test
