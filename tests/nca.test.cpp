// SPDX-License-Identifier: BSL-1.0
#include <rankloss/nca.hpp>

#include "support/one_list.hpp"
#include "support/peer_embeddings.hpp"
#include "support/similarity_checks.hpp"
#include "support/similarity_reference.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace nca_test {

using rankloss::distance;
using rankloss::evaluate;
using rankloss::nca;
using rankloss::similarity_batch;
using reference::real;
using support::of;

namespace {

using reals = std::vector<double>;

/// Value, and the gradient in `g`.
double slopes(const nca& loss, const reals& s, const reals& y, reals& g) {
  g.assign(s.size(), 7.0);
  return evaluate(loss, rankloss::list_batch<double>{.scores = s, .relevance = y}, {.gradient = g});
}

}  // namespace

TEST_CASE("nca: values by hand") {
  const reals s{0.5, 0.25, -0.5}, y{0, 1, 0};
  reals g;
  const double a = std::exp(1.0), b = std::exp(0.5), c = std::exp(-1.0), z = a + b + c;
  CHECK(slopes(nca{}, s, y, g) == Approx(-std::log(b / z)).epsilon(1e-14));
  CHECK(g[0] == Approx(2 * a / z).epsilon(1e-14));
  CHECK(g[1] == Approx(2 * (b / z - 1)).epsilon(1e-14));
  CHECK(g[2] == Approx(2 * c / z).epsilon(1e-14));
  CHECK(slopes(nca{.scale = 2, .distance = distance::cosine}, s, y, g) ==
        Approx(-std::log(b / z)).epsilon(1e-14));
  // Distances sqrt(1) and sqrt(4).
  CHECK(slopes(nca{.scale = 3, .distance = distance::euclidean}, {0.5, -1.0}, {1, 0}, g) ==
        Approx(std::log1p(std::exp(-3.0))).epsilon(1e-14));
  const double q = std::exp(-3.0) / (1 + std::exp(-3.0));
  CHECK(g[0] == Approx(-3 * q).epsilon(1e-14));
  CHECK(g[1] == Approx(1.5 * q).epsilon(1e-14));
}

TEST_CASE("nca: pytorch-metric-learning's NCALoss") {
  const peers::of_embeddings peer{
      1.07736933, {0.153324962,   -0.107719027, -0.114857189,  0.125441775,   0.117148705,  0.0921747312,
                   -0.0172236525, 0.0932038873, 0.0746751577,  -0.0344652012, -0.315157145, 0.14828153,
                   0.0447064713,  -0.144067317, 0.329823524,   -0.138818696,  -0.254307568, -0.000524297357,
                   0.12677972,    -0.313895404, -0.0159433503, -0.107018411,  0.0465879627, -0.091333136}};

  const auto cosines = peers::embedding_cosines();
  for (const auto over : {rankloss::directions::rows, rankloss::directions::both}) {
    reals g(cosines.size());
    const auto batch = peers::embedding_batch(cosines);
    CHECK(evaluate(nca{.over = over}, batch, {.gradient = g}) == Approx(peer.value).epsilon(1e-6));
    peers::check_by_embeddings(g, peer);
  }
}

TEMPLATE_TEST_CASE("nca: value and gradient are those of the plain sums", "", float, double) {
  for (const distance kind : {distance::cosine, distance::euclidean, distance::squared_euclidean})
    for (const double scale : {0.01, 1.0, 20.0, 1000.0}) {
      INFO("distance " << static_cast<int>(kind) << ", scale " << scale);
      support::queries_agree<TestType>(nca{.scale = scale, .distance = kind},
                                       [&](const auto& s, const auto& y) {
                                         const reference::distances of(s, static_cast<int>(kind));
                                         return reference::nca(y, scale, of.d, of.slopes);
                                       },
                                       {.digits = 0.05 * scale + 1});
    }
}

TEMPLATE_TEST_CASE("nca: scores far from 0 with small gaps keep the digits of the gaps", "", float, double) {
  using T = TestType;
  for (const distance kind : {distance::cosine, distance::squared_euclidean})
    for (const double scale : {0.7, 30.0, 1e6})
      for (const double at : {100.0, -12345.0, 1e9}) {
        INFO("distance " << static_cast<int>(kind) << ", scale " << scale << ", scores at " << at);
        std::vector<T> s, g(12);
        std::vector<real> y;
        for (std::size_t i = 0; i < 12; ++i) {
          s.push_back(static_cast<T>(at * (1 + 3 * std::numeric_limits<T>::epsilon() * double(i * i % 7))));
          y.push_back(i % 3 == 0 ? 1 : 0);
        }
        // Distances are taken from the first score, of which the loss does not depend.
        std::vector<real> d, slopes(12, kind == distance::cosine ? -1 : -2);
        for (const T x : s) d.push_back(slopes[0] * (static_cast<real>(x) - static_cast<real>(s[0])));
        const reference::derivatives expected = reference::nca(y, scale, d, slopes);
        const std::vector<T> relevance(y.begin(), y.end());
        const double value =
            evaluate(nca{.scale = scale, .distance = kind},
                     rankloss::list_batch<T>{.scores = s, .relevance = relevance}, {.gradient = g});
        CHECK(value == Approx(static_cast<double>(expected.value)).epsilon(sizeof(T) == 4 ? 2e-7 : 1e-13));
        real largest = 0;
        for (const real x : expected.gradient) largest = std::max(largest, std::abs(x));
        for (std::size_t i = 0; i < 12; ++i)
          CHECK(std::abs(static_cast<real>(g[i]) - expected.gradient[i]) <=
                (sizeof(T) == 4 ? 2e-6L : 1e-13L) * largest);
      }
}

TEST_CASE("nca: a matrix is its rows, its columns, or both") {
  support::matrix_is_its_lists(nca{.scale = 3});
  support::matrix_is_its_lists(nca{.scale = 3, .distance = distance::euclidean});
}

TEST_CASE("nca: all equal, no positive, positives only, duplicates") {
  const reals level(6, 0.5);
  reals g;
  for (const distance kind : {distance::cosine, distance::euclidean, distance::squared_euclidean}) {
    const nca loss{.distance = kind};
    for (const double y : {0.0, 1.0}) {
      CHECK(slopes(loss, level, reals(6, y), g) == 0.0);
      CHECK(g == reals(6, 0.0));
    }
    CHECK(of(loss, level, reals{1, 1, 0, 0, 0, -2}) == Approx(std::log(3.0)).epsilon(1e-14));
    CHECK(of(loss, level, std::vector<int>{1, 0, 0, 0, 0, 0}) == Approx(std::log(6.0)).epsilon(1e-14));
    CHECK(evaluate(loss, similarity_batch<double>{}) == 0.0);
  }
  // At a Euclidean distance of 0 the slope is 0.
  slopes(nca{.distance = distance::euclidean}, {1.0, 1.0, 0.5}, {1, 0, 0}, g);
  CHECK(g[0] == 0.0);
  CHECK(g[1] == 0.0);
  CHECK(g[2] > 0.0);
  // Probabilities near 1 keep their digits, and none rounds to 0.
  CHECK(of(nca{.scale = 100}, reals{1.0, 0.5}, reals{1, 0}) ==
        Approx(std::exp(-100.0)).epsilon(1e-13).margin(0));
  CHECK(of(nca{.scale = 1e4}, reals{1.0, 0.5}, reals{0, 1}) == Approx(1e4).epsilon(1e-14));
}

TEMPLATE_TEST_CASE("nca: finite whatever scores and scale are", "", float, double) {
  for (const double scale : {1e-300, 1.0, 1e15})
    for (const distance kind : {distance::cosine, distance::euclidean, distance::squared_euclidean})
      support::query_stays_finite<TestType>(nca{.scale = scale, .distance = kind});
}

TEST_CASE("nca: options out of their ranges are refused") {
  CHECK_THROWS_WITH(of(nca{.scale = 0}, reals{0.5}, reals{1}), "rankloss: scale: 0, expected 1e-300 to 1e15");
}

}  // namespace nca_test
