// SPDX-License-Identifier: BSL-1.0
#include <rankloss/circle.hpp>

#include "support/one_list.hpp"
#include "support/peer_embeddings.hpp"
#include "support/similarity_checks.hpp"
#include "support/similarity_reference.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace circle_test {

using rankloss::circle;
using rankloss::circle_weights;
using rankloss::evaluate;
using rankloss::similarity_batch;
using reference::real;
using support::of;

namespace {

using reals = std::vector<double>;

/// Value, and the gradient in `g`.
double slopes(const circle& loss, const reals& s, const reals& y, reals& g) {
  g.assign(s.size(), 7.0);
  return evaluate(loss, rankloss::list_batch<double>{.scores = s, .relevance = y}, {.gradient = g});
}

}  // namespace

TEST_CASE("circle: values by hand") {
  circle loss{.margin = 0.25, .gamma = 8};
  const reals s{0.5, 0.75, 0.5, -0.5}, y{1, 1, 0, 0};
  // Weights 0.75 and 0.5 of the positives, 0.75 and 0 of the negatives.
  const double p = std::exp(-8 * 0.75 * -0.25) + std::exp(0.0), q = std::exp(8 * 0.75 * 0.25) + 1;
  reals g;
  CHECK(slopes(loss, s, y, g) == Approx(std::log(1 + p * q)).epsilon(1e-14));
  const double c = p * q / (1 + p * q);
  const reals shares{std::exp(1.5) / p, 1 / p, std::exp(1.5) / q, 1 / q};
  CHECK(g[0] == Approx(-c * 8 * 0.75 * shares[0]).epsilon(1e-14));
  CHECK(g[1] == Approx(-c * 8 * 0.5 * shares[1]).epsilon(1e-14));
  CHECK(g[2] == Approx(c * 8 * 0.75 * shares[2]).epsilon(1e-14));
  CHECK(g[3] == 0.0);
  loss.weights = circle_weights::differentiated;
  slopes(loss, s, y, g);
  CHECK(g[0] == Approx(-c * 8 * (0.75 + 0.25) * shares[0]).epsilon(1e-14));
  CHECK(g[1] == Approx(-c * 8 * 0.5 * shares[1]).epsilon(1e-14));
  CHECK(g[2] == Approx(c * 8 * (0.75 + 0.25) * shares[2]).epsilon(1e-14));
  CHECK(g[3] == 0.0);
}

TEST_CASE("circle: pytorch-metric-learning's CircleLoss") {
  const peers::of_embeddings peer{
      158.365051, {33.1936073,  -40.6390495, -15.8044147, -14.2789469, 2.77200174,  17.1749992,
                   -13.6008301, 6.9086895,   12.1753063,  2.49242592,  -30.9689541, -9.09976959,
                   -27.8095551, 10.5825996,  39.3353653,  -19.8282948, 1.57006073,  16.9492493,
                   27.9326668,  -16.4973965, -12.4388828, -27.4474487, 10.018568,   -42.3987885}};

  const auto cosines = peers::embedding_cosines();
  for (const auto over : {rankloss::directions::rows, rankloss::directions::both}) {
    reals g(cosines.size());
    const auto batch = peers::embedding_batch(cosines);
    CHECK(evaluate(circle{.over = over}, batch, {.gradient = g}) == Approx(peer.value).epsilon(1e-6));
    peers::check_by_embeddings(g, peer);
  }
}

TEMPLATE_TEST_CASE("circle: value and gradient are those of the plain sums", "", float, double) {
  for (const auto weights : {circle_weights::constant, circle_weights::differentiated})
    for (const double gamma : {1.0, 80.0, 1000.0})
      for (const double margin : {0.4, -0.25}) {
        INFO("gamma " << gamma << ", margin " << margin);
        support::queries_agree<TestType>(
            circle{.margin = margin, .gamma = gamma, .weights = weights},
            [&](const auto& s, const auto& y) {
              return reference::circle(s, y, margin, gamma, weights == circle_weights::differentiated);
            },
            {.digits = 0.05 * gamma + 1});
      }
}

TEST_CASE("circle: with weights that are differentiated the gradient is the slope") {
  support::classed_matrix m(6, 9, 3);
  const circle loss{.gamma = 5, .weights = circle_weights::differentiated};
  reals g(m.s.size());
  evaluate(loss, m.batch(), {.gradient = g});
  for (std::size_t k = 0; k < m.s.size(); ++k) {
    const double middle = m.s[k], h = 0x1p-18;
    m.s[k] = middle + h;
    const double above = evaluate(loss, m.batch());
    m.s[k] = middle - h;
    const double below = evaluate(loss, m.batch());
    m.s[k] = middle;
    CHECK(g[k] == Approx((above - below) / (2 * h)).margin(1e-8));
  }
}

TEST_CASE("circle: slopes of scores that are far smaller than the margin keep their digits") {
  // Where nothing else differs, d(a s - a margin) / ds = 2 s for a negative, 2 (s - 1) for a positive.
  const circle loss{.margin = 0.4, .gamma = 2, .weights = circle_weights::differentiated};
  for (const double tiny : {1e-8, -1e-12, 1e-20, -1e-300}) {
    reals g;
    slopes(loss, {0.75, tiny}, {1, 0}, g);
    const double exponent = -2 * 0.65 * 0.15 - 2 * 0.4 * 0.4;
    const double c = 1 / (1 + std::exp(-exponent));
    CHECK(g[1] == Approx(c * 2 * 2 * tiny).epsilon(1e-13).margin(0));
    CHECK(g[0] == Approx(-c * 2 * 2 * 0.25).epsilon(1e-13));
  }
}

TEST_CASE("circle: a matrix is its rows, its columns, or both") {
  support::matrix_is_its_lists(circle{.gamma = 10});
}

TEST_CASE("circle: all equal, no positive, positives only, duplicates") {
  const circle loss{.margin = 0.25, .gamma = 8};
  const reals level(6, 0.5);
  reals g;
  for (const double y : {0.0, 1.0}) {
    CHECK(slopes(loss, level, reals(6, y), g) == 0.0);
    CHECK(g == reals(6, 0.0));
  }
  CHECK(of(loss, level, reals{1, 1, 0, 0, 0, -2}) ==
        Approx(std::log(1 + 2 * std::exp(1.5) * 4 * std::exp(1.5))).epsilon(1e-14));
  CHECK(of(loss, level, std::vector<int>{1, 0, 0, 0, 0, 0}) ==
        Approx(std::log(1 + std::exp(1.5) * 5 * std::exp(1.5))).epsilon(1e-14));
  CHECK(evaluate(loss, similarity_batch<double>{}) == 0.0);
  // Values keep the digits of small products: weights of 0.3 and 0.1.
  CHECK(of(circle{}, reals{1.1, -0.3}, reals{1, 0}) ==
        Approx(std::exp(-80 * (0.3 * 0.5 + 0.1 * 0.7))).epsilon(1e-6));
}

TEMPLATE_TEST_CASE("circle: finite whatever scores and options are", "", float, double) {
  for (const double gamma : {1e-300, 80.0, 1e15})
    for (const double margin : {-1e100, 0.4, 1e100})
      for (const auto weights : {circle_weights::constant, circle_weights::differentiated})
        support::query_stays_finite<TestType>(circle{.margin = margin, .gamma = gamma, .weights = weights});
}

TEST_CASE("circle: options out of their ranges are refused") {
  CHECK_THROWS_WITH(of(circle{.margin = 1.5e100}, reals{0.5}, reals{1}),
                    "rankloss: margin: 1.5e+100, expected -1e100 to 1e100");
  CHECK_THROWS_WITH(of(circle{.gamma = 0}, reals{0.5}, reals{1}),
                    "rankloss: gamma: 0, expected 1e-300 to 1e15");
}

}  // namespace circle_test
