// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cmpm.hpp>

#include "support/one_list.hpp"
#include "support/similarity_checks.hpp"
#include "support/similarity_reference.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace cmpm_test {

using rankloss::cmpm;
using rankloss::evaluate;
using rankloss::match_norm;
using rankloss::similarity_batch;
using reference::real;
using support::of;

namespace {

using reals = std::vector<double>;

/// Value, and the gradient in `g`.
double slopes(const cmpm& loss, const reals& s, const reals& y, reals& g) {
  g.assign(s.size(), 7.0);
  return evaluate(loss, rankloss::list_batch<double>{.scores = s, .relevance = y}, {.gradient = g});
}

}  // namespace

TEST_CASE("cmpm: values by hand") {
  const double a = std::exp(1.0), b = std::exp(0.5), z = a + b + 1;
  const reals s{2, 1, 0}, y{1, 1, 0}, p{a / z, b / z, 1 / z};
  for (const auto by : {match_norm::sum, match_norm::root}) {
    const double q = by == match_norm::sum ? 0.5 : std::sqrt(0.5);
    const cmpm loss{.temperature = 2, .epsilon = 1e-3, .matches_by = by};
    const reals c{std::log(p[0] / (q + 1e-3)), std::log(p[1] / (q + 1e-3)), std::log(p[2] / 1e-3)};
    const double expected = p[0] * c[0] + p[1] * c[1] + p[2] * c[2];
    reals g;
    CHECK(slopes(loss, s, y, g) == Approx(expected).epsilon(1e-13));
    for (std::size_t i = 0; i < 3; ++i) CHECK(g[i] == Approx(p[i] * (c[i] - expected) / 2).epsilon(1e-13));
  }
}

TEST_CASE("cmpm: the published loss of images and texts, whose directions have matrices of their own") {
  // Two images and two texts of the same person, one of each of another.
  const std::vector<int> person{0, 0, 1};
  const reals x{0.3, -1.2, 2.0, 0.7, -0.4, 1.1}, t{1.5, 0.2, -0.6, 0.9, -1.3, 0.8};  // [3, 2]
  reals rows(9), columns(9);
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t j = 0; j < 3; ++j) {
      const double product = x[2 * i] * t[2 * j] + x[2 * i + 1] * t[2 * j + 1];
      rows[3 * i + j] = product / std::hypot(t[2 * j], t[2 * j + 1]);
      columns[3 * i + j] = product / std::hypot(x[2 * i], x[2 * i + 1]);
    }
  // As the code has it: the sum of two means, matches divided by their norm.
  double expected = 0.0;
  for (const bool of_texts : {false, true})
    for (std::size_t k = 0; k < 3; ++k) {
      reals line;
      for (std::size_t l = 0; l < 3; ++l) line.push_back(of_texts ? columns[3 * l + k] : rows[3 * k + l]);
      double z = 0.0;
      for (const double s : line) z += std::exp(s);
      for (std::size_t l = 0; l < 3; ++l) {
        const double p = std::exp(line[l]) / z;
        const double q = person[k] != person[l] ? 0.0 : person[k] == 0 ? 1 / std::sqrt(2.0) : 1.0;
        expected += p * (std::log(p) - std::log(q + 1e-8)) / 3;
      }
    }
  const auto direction = [&](const reals& s, rankloss::directions over) {
    const similarity_batch<double> batch{
        .similarity = s, .rows = 3, .columns = 3, .row_classes = person, .column_classes = person};
    return evaluate(cmpm{.matches_by = match_norm::root, .over = over}, batch);
  };
  CHECK(direction(rows, rankloss::directions::rows) + direction(columns, rankloss::directions::columns) ==
        Approx(expected).epsilon(1e-13));
}

TEMPLATE_TEST_CASE("cmpm: value and gradient are those of the plain sums", "", float, double) {
  for (const double t : {0.001, 0.02, 1.0, 50.0})
    for (const double epsilon : {1e-300, 1e-8, 1.0})
      for (const auto by : {match_norm::sum, match_norm::root}) {
        INFO("temperature " << t << ", epsilon " << epsilon << ", by " << static_cast<int>(by));
        const cmpm loss{.temperature = t, .epsilon = epsilon, .matches_by = by};
        support::queries_agree<TestType>(
            loss,
            [&](const auto& s, const auto& y) {
              return reference::cmpm(s, y, t, epsilon, by == match_norm::root);
            },
            // A divergence is a difference of numbers that may be -log epsilon times as large.
            {.digits = 2.0,
             .size = 1.0 - std::log(epsilon),
             .steepness = 0.02 * (1.0 - std::log(epsilon)) / t});
      }
}

TEST_CASE("cmpm: a matrix is its rows, its columns, or both") {
  support::matrix_is_its_lists(cmpm{.temperature = 0.3});
}

TEST_CASE("cmpm: all equal, no positive, positives only, duplicates") {
  const reals level(6, 0.25);
  reals g;
  CHECK(slopes(cmpm{}, level, reals(6, 0.0), g) == 0.0);
  CHECK(g == reals(6, 0.0));
  CHECK(slopes(cmpm{}, level, reals(6, 1.0), g) == Approx(-std::log1p(6e-8)).epsilon(1e-14));
  for (const double x : g) CHECK(std::abs(x) < 1e-16);
  CHECK(of(cmpm{.epsilon = 1e-3}, level, reals{1, 1, 0, 0, 0, -2}) ==
        Approx(-std::log(6.0) - std::log(0.501) / 3 - 2 * std::log(1e-3) / 3).epsilon(1e-13));
  CHECK(of(cmpm{.epsilon = 1}, reals{0.5}, std::vector<int>{3}) == Approx(-std::log(2)));
  // The one item holds all probability, and epsilon alone is left.
  for (const double epsilon : {1e-8, 1e-20})
    CHECK(of(cmpm{.epsilon = epsilon}, reals{0.5}, std::vector<int>{3}) ==
          Approx(-std::log1p(epsilon)).epsilon(1e-14).margin(0.0));
  CHECK(evaluate(cmpm{}, similarity_batch<double>{}) == 0.0);
}

TEMPLATE_TEST_CASE("cmpm: finite whatever scores and options are", "", float, double) {
  for (const double t : {1e-15, 1.0, 1e300})
    for (const double epsilon : {1e-300, 1e-8, 1.0})
      support::query_stays_finite<TestType>(cmpm{.temperature = t, .epsilon = epsilon});
}

TEST_CASE("cmpm: options out of their ranges are refused") {
  CHECK_THROWS_WITH(of(cmpm{.epsilon = 0}, reals{0.5}, reals{1}),
                    "rankloss: epsilon: 0, expected 1e-300 to 1");
  CHECK_THROWS_WITH(of(cmpm{.epsilon = 1.5}, reals{0.5}, reals{1}),
                    "rankloss: epsilon: 1.5, expected 1e-300 to 1");
}

}  // namespace cmpm_test
