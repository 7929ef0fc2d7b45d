// SPDX-License-Identifier: BSL-1.0
#include <rankloss/siglip.hpp>

#include "support/one_list.hpp"
#include "support/similarity_checks.hpp"
#include "support/similarity_reference.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace siglip_test {

using rankloss::directions;
using rankloss::evaluate;
using rankloss::siglip;
using rankloss::similarity_batch;
using reference::real;
using support::of;

namespace {

using reals = std::vector<double>;

double softplus(double x) { return std::log1p(std::exp(x)); }

}  // namespace

TEST_CASE("siglip: values by hand") {
  CHECK(of(siglip{.temperature = 1, .bias = 0}, reals{0.0}, reals{1}) == Approx(std::log(2)).epsilon(1e-15));
  CHECK(of(siglip{.temperature = 0.5, .bias = -1}, reals{0.3, 0.7, -0.2}, reals{1, 0, 0}) ==
        Approx(softplus(0.4) + softplus(0.4) + softplus(-1.4)).epsilon(1e-15));
  // The published start: t = 10 and b = -10, positives at z = -4 and negatives at -9.
  CHECK(of(siglip{}, reals{0.6, 0.1}, reals{1, 0}) == Approx(softplus(4.0) + softplus(-9.0)).epsilon(1e-14));
  std::vector<double> g(3);
  const reals s{0.3, 0.7, -0.2}, y{1, 0, 0};
  evaluate(siglip{.temperature = 0.5, .bias = -1}, rankloss::list_batch<double>{.scores = s, .relevance = y},
           {.gradient = g});
  const auto sigmoid = [](double x) { return 1.0 / (1.0 + std::exp(-x)); };
  CHECK(g[0] == Approx(2 * (sigmoid(-0.4) - 1)).epsilon(1e-14));
  CHECK(g[1] == Approx(2 * sigmoid(0.4)).epsilon(1e-14));
  CHECK(g[2] == Approx(2 * sigmoid(-1.4)).epsilon(1e-14));
}

TEST_CASE("siglip: the published loss of a matrix, each pair once") {
  const std::size_t n = 5;
  const support::classed_matrix m(n, n, 1);
  double sum = 0.0;
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      const double z = 10.0 * m.s[i * n + j] - 10.0;
      sum -= std::log(1.0 / (1.0 + std::exp(i == j ? -z : z)));
    }
  const similarity_batch<double> batch{.similarity = m.s, .rows = n, .columns = n};
  CHECK(evaluate(siglip{}, batch) == Approx(sum / n).epsilon(1e-13));
  // Each pair twice as halves: the same of a square matrix.
  CHECK(evaluate(siglip{.over = directions::both}, batch) == Approx(sum / n).epsilon(1e-13));
  auto all = batch;
  all.reduction = rankloss::reduction::sum;
  CHECK(evaluate(siglip{}, all) == Approx(sum).epsilon(1e-13));
  CHECK(evaluate(siglip{.over = directions::both}, all) == Approx(2 * sum).epsilon(1e-13));
}

TEMPLATE_TEST_CASE("siglip: value and gradient are those of the plain sums", "", float, double) {
  for (const double t : {0.001, 0.1, 1.0, 50.0})
    for (const double bias : {-10.0, 0.0, 3.0}) {
      INFO("temperature " << t << ", bias " << bias);
      support::queries_agree<TestType>(
          siglip{.temperature = t, .bias = bias},
          [&](const auto& s, const auto& y) { return reference::siglip(s, y, t, bias); });
    }
}

TEST_CASE("siglip: small terms keep their digits") {
  const reals s(5000, 0.0), y(5000, 0.0);
  for (const double z : {-5.0, -20.0, -40.0, -300.0})
    CHECK(of(siglip{.temperature = 1, .bias = z}, s, y) ==
          Approx(5000 * std::log1p(std::exp(z))).epsilon(1e-12));
  CHECK(of(siglip{.temperature = 1, .bias = -1e100}, s, y) == 0.0);
  CHECK(of(siglip{.temperature = 1, .bias = 1e100}, s, y) == Approx(5e103));
}

TEST_CASE("siglip: slopes by temperature and bias") {
  const support::classed_matrix m(7, 11, 3);
  for (const auto over : {directions::rows, directions::columns, directions::both})
    for (const auto how : {rankloss::reduction::mean, rankloss::reduction::sum}) {
      const siglip loss{.temperature = 0.4, .bias = -1.5, .over = over};
      const auto batch = m.batch(how);
      double by_temperature = 7.0, by_bias = 7.0;
      std::vector<double> g(m.s.size()), alone(m.s.size());
      const double value = evaluate(
          loss, batch, {.gradient = g, .temperature_gradient = &by_temperature, .bias_gradient = &by_bias});
      const auto more = [&](double t, double b) {
        siglip changed = loss;
        changed.temperature += t;
        changed.bias += b;
        return changed;
      };
      support::check_option_slope([&](double x) { return more(x, 0); }, batch, by_temperature);
      support::check_option_slope([&](double x) { return more(0, x); }, batch, by_bias);
      // The same without the gradient, and the gradient without them.
      double same_temperature = 7.0, same_bias = 7.0;
      CHECK(evaluate(loss, batch, {.temperature_gradient = &same_temperature}) == value);
      CHECK(evaluate(loss, batch, {.bias_gradient = &same_bias}) == value);
      CHECK(evaluate(loss, batch, {.gradient = alone}) == value);
      CHECK(same_temperature == by_temperature);
      CHECK(same_bias == by_bias);
      CHECK(alone == g);
    }
}

TEST_CASE("siglip: a matrix is its rows, its columns, or both") {
  support::matrix_is_its_lists(siglip{.temperature = 0.3, .bias = -1});
}

TEST_CASE("siglip: all equal, no positive, positives only, duplicates") {
  const siglip loss{.temperature = 0.5, .bias = 0.5};
  const reals level(6, 0.25);
  CHECK(of(loss, level, reals(6, 0.0)) == Approx(6 * softplus(1.0)));
  CHECK(of(loss, level, reals(6, 1.0)) == Approx(6 * softplus(-1.0)));
  CHECK(of(loss, reals{0.25, 0.25, 0.1}, reals{1, 0, 0}) ==
        Approx(softplus(-1.0) + softplus(1.0) + softplus(0.7)));
  // Relevance below 0 is that of a negative.
  CHECK(of(loss, reals{0.25}, reals{-2}) == Approx(softplus(1.0)));
  CHECK(of(loss, reals{0.25}, std::vector<std::int64_t>{5}) == Approx(softplus(-1.0)));
  CHECK(evaluate(loss, similarity_batch<double>{}) == 0.0);
}

TEMPLATE_TEST_CASE("siglip: finite whatever scores, temperature and bias are", "", float, double) {
  for (const double t : {1e-15, 0.001, 1.0, 1e300})
    for (const double bias : {-1e100, -10.0, 1e100})
      support::query_stays_finite<TestType>(siglip{.temperature = t, .bias = bias});
  // And by the options.
  const TestType big = std::numeric_limits<TestType>::max();
  const std::vector<TestType> s(9000, big), y(9000, TestType{0});
  double by_temperature = 0.0, by_bias = 0.0;
  const double value =
      evaluate(siglip{.temperature = 1e-15}, rankloss::list_batch<TestType>{.scores = s, .relevance = y},
               {.temperature_gradient = &by_temperature, .bias_gradient = &by_bias});
  CHECK(std::isfinite(value));
  CHECK(std::isfinite(by_temperature));
  CHECK(by_bias == 9000.0);
}

TEST_CASE("siglip: what it refuses") {
  const reals s(6, 0.0);
  CHECK_THROWS_WITH(evaluate(siglip{}, similarity_batch<double>{.similarity = s, .rows = 2, .columns = 3}),
                    Catch::StartsWith("rankloss: matches: none given for 2 rows and 3 columns"));
  CHECK_THROWS_WITH(evaluate(siglip{.temperature = 0}, similarity_batch<double>{}),
                    Catch::StartsWith("rankloss: temperature: 0, expected 1e-15 to 1e300"));
}

TEST_CASE("siglip: options out of their ranges are refused") {
  CHECK_THROWS_WITH(of(siglip{.bias = 1.5e100}, reals{0.5}, reals{1}),
                    "rankloss: bias: 1.5e+100, expected -1e100 to 1e100");
  CHECK_THROWS_WITH(of(siglip{.bias = -1.5e100}, reals{0.5}, reals{1}),
                    "rankloss: bias: -1.5e+100, expected -1e100 to 1e100");
}

}  // namespace siglip_test
