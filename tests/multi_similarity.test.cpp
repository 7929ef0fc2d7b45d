// SPDX-License-Identifier: BSL-1.0
#include <rankloss/multi_similarity.hpp>

#include "support/one_list.hpp"
#include "support/peer_embeddings.hpp"
#include "support/similarity_checks.hpp"
#include "support/similarity_reference.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace multi_similarity_test {

using rankloss::evaluate;
using rankloss::multi_similarity;
using rankloss::similarity_batch;
using reference::real;
using support::of;

namespace {

using reals = std::vector<double>;

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Value, and the gradient in `g`.
double slopes(const multi_similarity& loss, const reals& s, const reals& y, reals& g) {
  g.assign(s.size(), 7.0);
  return evaluate(loss, rankloss::list_batch<double>{.scores = s, .relevance = y}, {.gradient = g});
}

}  // namespace

TEST_CASE("multi_similarity: values by hand") {
  const multi_similarity loss{.alpha = 2, .beta = 4, .base = 0.5};
  const reals s{0.7, 0.25, 0.5, 0.1}, y{1, 1, 0, 0};
  const double p = std::exp(-0.4) + std::exp(0.5), q = 1 + std::exp(-1.6);
  reals g;
  CHECK(slopes(loss, s, y, g) == Approx(std::log(1 + p) / 2 + std::log(1 + q) / 4).epsilon(1e-14));
  CHECK(g[0] == Approx(-std::exp(-0.4) / (1 + p)).epsilon(1e-14));
  CHECK(g[1] == Approx(-std::exp(0.5) / (1 + p)).epsilon(1e-14));
  CHECK(g[2] == Approx(1 / (1 + q)).epsilon(1e-14));
  CHECK(g[3] == Approx(std::exp(-1.6) / (1 + q)).epsilon(1e-14));
}

TEST_CASE("multi_similarity: pytorch-metric-learning's MultiSimilarityLoss") {
  const peers::of_embeddings peer{
      1.20444453, {0.180403113,   -0.227400899, -0.0929904655, -0.0730564892, 0.0149948411,  0.112724259,
                   -0.0970220193, 0.079263553,  0.0445930585,  -0.0108632743, -0.193664104,  0.00649236143,
                   -0.108285524,  0.0349050574, 0.202415496,   -0.107008532,  -0.0185291842, 0.141667366,
                   0.22803925,    -0.180752903, -0.0124332923, -0.156931311,  0.0695834905,  -0.21830973}};

  const auto cosines = peers::embedding_cosines();
  for (const auto over : {rankloss::directions::rows, rankloss::directions::both}) {
    reals g(cosines.size());
    const auto batch = peers::embedding_batch(cosines);
    CHECK(evaluate(multi_similarity{.over = over}, batch, {.gradient = g}) ==
          Approx(peer.value).epsilon(1e-6));
    peers::check_by_embeddings(g, peer);
  }
}

TEST_CASE("multi_similarity: with epsilon only hard pairs count") {
  multi_similarity loss{.alpha = 2, .beta = 4, .base = 0.5, .epsilon = 0.1};
  // The hardest negative is at 0.45 and the hardest positive at 0.25.
  const reals s{0.7, 0.25, 0.5, 0.45, 0.16, 0.1}, y{1, 1, 1, 0, 0, 0};
  reals g;
  CHECK(slopes(loss, s, y, g) == Approx(std::log(1 + std::exp(0.5) + std::exp(0.0)) / 2 +
                                        std::log(1 + std::exp(-0.2) + std::exp(-1.36)) / 4)
                                     .epsilon(1e-14));
  CHECK(g[0] == 0.0);
  CHECK(g[5] == 0.0);
  for (const std::size_t i : {1u, 2u}) CHECK(g[i] < 0.0);
  for (const std::size_t i : {3u, 4u}) CHECK(g[i] > 0.0);
  // None is hard where positives and negatives are far apart.
  CHECK(slopes(loss, {0.9, 0.1}, {1, 0}, g) == 0.0);
  CHECK(g == reals{0, 0});
  // Just as far as epsilon is not hard.
  loss.epsilon = 0.25;
  CHECK(slopes(loss, {0.75, 0.5}, {1, 0}, g) == 0.0);
  CHECK(slopes(loss, {0.75, 0.5001}, {1, 0}, g) > 0.0);
  // Nothing is hard for a query that has only positives, or only negatives.
  CHECK(slopes(loss, {0.75, 0.5}, {1, 1}, g) == 0.0);
  CHECK(g == reals{0, 0});
  CHECK(slopes(loss, {0.75, 0.5}, {0, 0}, g) == 0.0);
  CHECK(g == reals{0, 0});
  // One that is large enough keeps all.
  loss.epsilon = 1e299;
  const double mined = slopes(loss, s, y, g);
  reals all;
  loss.epsilon = 1e300;
  CHECK(mined == slopes(loss, s, y, all));
  CHECK(g == all);
}

TEMPLATE_TEST_CASE("multi_similarity: value and gradient are those of the plain sums", "", float, double) {
  for (const double epsilon : {1e300, 0.1, 0.0})
    for (const auto& [alpha, beta, base] :
         {std::array{2.0, 50.0, 0.5}, std::array{1.0, 1.0, 0.0}, std::array{1000.0, 0.001, -0.5}}) {
      INFO("alpha " << alpha << ", beta " << beta << ", base " << base << ", epsilon " << epsilon);
      const multi_similarity loss{.alpha = alpha, .beta = beta, .base = base, .epsilon = epsilon};
      support::queries_agree<TestType>(
          loss,
          [&, a = real(alpha), b = real(beta), c = real(base)](const auto& s, const auto& y) {
            return reference::multi_similarity(s, y, a, b, c, epsilon < 1e300 ? epsilon : infinity);
          },
          {.digits = 10});
    }
}

TEST_CASE("multi_similarity: scores far from the base with small gaps keep the digits of the gaps") {
  // Both sums are far above 1, so that the slopes are those of a softmax.
  for (const double at : {1e3, -1e6, 1e9})
    for (const double sharpness : {0.7, 30.0, 1e5}) {
      INFO("scores at " << at << ", sharpness " << sharpness);
      const double gap = 8 * std::numeric_limits<double>::epsilon() * std::abs(at);
      const reals s{at, at + gap, at + 3 * gap, at - gap};
      reals g;
      slopes({.alpha = sharpness, .beta = sharpness, .base = at + 1e9}, s, {1, 1, 0, 1}, g);
      real z = 0;
      for (const std::size_t i : {0u, 1u, 3u})
        z += std::exp(-static_cast<real>(sharpness) * (static_cast<real>(s[i]) - static_cast<real>(at)));
      for (const std::size_t i : {0u, 1u, 3u}) {
        const real e =
            std::exp(-static_cast<real>(sharpness) * (static_cast<real>(s[i]) - static_cast<real>(at)));
        CHECK(g[i] == Approx(static_cast<double>(-e / z)).epsilon(1e-13).margin(0));
      }
      slopes({.alpha = sharpness, .beta = sharpness, .base = at - 1e9}, s, {0, 0, 1, 0}, g);
      z = 0;
      for (const std::size_t i : {0u, 1u, 3u})
        z += std::exp(static_cast<real>(sharpness) * (static_cast<real>(s[i]) - static_cast<real>(at)));
      for (const std::size_t i : {0u, 1u, 3u}) {
        const real e =
            std::exp(static_cast<real>(sharpness) * (static_cast<real>(s[i]) - static_cast<real>(at)));
        CHECK(g[i] == Approx(static_cast<double>(e / z)).epsilon(1e-13).margin(0));
      }
    }
}

TEST_CASE("multi_similarity: equal scores are hard for any epsilon above 0") {
  for (const double epsilon : {1e-3, 1e-30, 1e-300})
    for (const double at : {0.5, 1e20, -1e300}) {
      INFO("epsilon " << epsilon << ", scores at " << at);
      reals g;
      slopes({.epsilon = epsilon}, {at, at}, {1, 0}, g);
      const double most = std::max(-g[0], g[1]);  // one of them is far on the right side of the base
      CHECK(most > 0.3);
    }
}

TEST_CASE("multi_similarity: a matrix is its rows, its columns, or both") {
  support::matrix_is_its_lists(multi_similarity{.beta = 10});
  support::matrix_is_its_lists(multi_similarity{.beta = 10, .epsilon = 0.2});
}

TEST_CASE("multi_similarity: all equal, no positive, positives only, duplicates") {
  const multi_similarity loss{.alpha = 2, .beta = 4, .base = 0.5};
  const reals level(6, 0.25);
  reals g;
  CHECK(slopes(loss, level, reals(6, 0.0), g) == Approx(std::log(1 + 6 * std::exp(-1.0)) / 4));
  for (const double x : g) CHECK(x == Approx(std::exp(-1.0) / (1 + 6 * std::exp(-1.0))));
  CHECK(slopes(loss, level, reals(6, 1.0), g) == Approx(std::log(1 + 6 * std::exp(0.5)) / 2));
  CHECK(of(loss, level, reals{1, 1, 0, 0, 0, -2}) ==
        Approx(std::log(1 + 2 * std::exp(0.5)) / 2 + std::log(1 + 4 * std::exp(-1.0)) / 4));
  CHECK(of(loss, reals{0.5}, std::vector<int>{3}) == Approx(std::log(2) / 2));
  CHECK(evaluate(loss, similarity_batch<double>{}) == 0.0);
  // Values keep the digits of small sums.
  CHECK(of(multi_similarity{}, reals{-0.5}, reals{0}) == Approx(std::exp(-50.0) / 50).epsilon(1e-13));
}

TEMPLATE_TEST_CASE("multi_similarity: finite whatever scores and options are", "", float, double) {
  for (const double sharpness : {1e-300, 1.0, 1e15})
    for (const double base : {-1e100, 0.5, 1e100})
      for (const double epsilon : {1e300, 0.1, 1e299})
        support::query_stays_finite<TestType>(
            multi_similarity{.alpha = sharpness, .beta = sharpness, .base = base, .epsilon = epsilon});
}

TEST_CASE("multi_similarity: options out of their ranges are refused") {
  CHECK_THROWS_WITH(of(multi_similarity{.alpha = 1e-301}, reals{0.5}, reals{1}),
                    "rankloss: alpha: 1e-301, expected 1e-300 to 1e15");
  CHECK_THROWS_WITH(of(multi_similarity{.beta = 1.5e15}, reals{0.5}, reals{1}),
                    "rankloss: beta: 1.5e+15, expected 1e-300 to 1e15");
  CHECK_THROWS_WITH(of(multi_similarity{.base = 1.5e100}, reals{0.5}, reals{1}),
                    "rankloss: base: 1.5e+100, expected -1e100 to 1e100");
  CHECK_THROWS_WITH(of(multi_similarity{.base = -1.5e100}, reals{0.5}, reals{1}),
                    "rankloss: base: -1.5e+100, expected -1e100 to 1e100");
  CHECK_THROWS_WITH(of(multi_similarity{.epsilon = -0.5}, reals{0.5}, reals{1}),
                    "rankloss: epsilon: -0.5, expected 0 to 1e300");
  CHECK_THROWS_WITH(of(multi_similarity{.epsilon = 1.5e300}, reals{0.5}, reals{1}),
                    "rankloss: epsilon: 1.5e+300, expected 0 to 1e300");
}

}  // namespace multi_similarity_test
