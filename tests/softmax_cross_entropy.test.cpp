// SPDX-License-Identifier: BSL-1.0
#include <rankloss/softmax_cross_entropy.hpp>

#include "support/below_zero.hpp"
#include "support/listwise_checks.hpp"
#include "support/one_list.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <numeric>
#include <random>
#include <vector>

namespace softmax_cross_entropy_test {

using rankloss::evaluate;
using rankloss::list_batch;
using rankloss::softmax_cross_entropy;
using rankloss::target;
using reference::real;
using reference::widen;
using support::of;

namespace {

using reals = std::vector<double>;

}  // namespace

TEST_CASE("softmax_cross_entropy: values of Rax and TensorFlow Ranking, worked by hand") {
  const reals s{0, 3, 1, 2}, y{0, 0, 1, 1};
  const double z = 1 + std::exp(3) + std::exp(1) + std::exp(2);
  const double sum = std::log(z) - 2 + std::log(z) - 1;
  CHECK(of(softmax_cross_entropy{.target = target::relevance}, s, y) == Approx(sum).epsilon(1e-14));
  CHECK(of(softmax_cross_entropy{}, s, y) == Approx(sum / 2).epsilon(1e-14));
  for (const double poly : {1.0, 0.1, -0.5})
    CHECK(of(softmax_cross_entropy{.target = target::relevance, .poly = poly}, s, y) ==
          Approx(sum + poly * (1 - 0.5 * (std::exp(2) + std::exp(1)) / z)).epsilon(1e-14));
  CHECK(of(softmax_cross_entropy{.temperature = 2, .target = target::relevance}, reals{0, 6, 2, 4}, y) ==
        Approx(sum).epsilon(1e-14));

  CHECK(of(softmax_cross_entropy{}, reals{1, 3, 2}, reals{0, 0, 1}) == Approx(1.407606).margin(1e-6));
  CHECK(of(softmax_cross_entropy{}, reals{1, 3}, reals{0, 2}) == Approx(0.126928).margin(1e-6));
  CHECK(of(softmax_cross_entropy{.target = target::relevance}, reals{1, 3}, reals{0, 2}) ==
        Approx(2 * 0.126928).margin(2e-6));
}

TEST_CASE("softmax_cross_entropy: allRank's numbers, with padding") {
  support::agrees_with_allrank(softmax_cross_entropy{}, allrank_listwise::softmax_cross_entropy);
}

TEMPLATE_TEST_CASE("softmax_cross_entropy: value, gradient and Hessian are those of the plain sums", "",
                   float, double) {
  using T = TestType;
  for (const std::size_t n : {1, 2, 3, 7, 8, 9, 16, 31, 100, 257})
    for (const double t : {0.1, 1.0, 30.0}) {
      INFO("n " << n << ", temperature " << t);
      const auto s = reference::normal_scores<T>(n, static_cast<unsigned>(n));
      const auto y = reference::whole_grades<T>(n, 7);
      const auto v = widen(y);
      const real total = std::accumulate(v.begin(), v.end(), real(0));
      support::agrees(softmax_cross_entropy{.temperature = t}, s, y, reference::cross_entropy(widen(s), v, t),
                      {}, t);
      support::agrees(softmax_cross_entropy{.temperature = t, .target = target::relevance}, s, y,
                      reference::cross_entropy(widen(s), v, t, total), {}, t);
      support::agrees(softmax_cross_entropy{.temperature = t, .target = target::relevance, .poly = 2.5}, s, y,
                      reference::cross_entropy(widen(s), v, t, total, total > 0 ? 2.5 : 0), {}, t);
      std::vector<real> exponentials, weighted;
      std::vector<double> w;
      for (std::size_t i = 0; i < n; ++i) {
        exponentials.push_back(std::exp(v[i] / real(0.5)));
        w.push_back(static_cast<double>(i % 3));
        weighted.push_back(v[i] * w[i]);
      }
      support::agrees(
          softmax_cross_entropy{
              .temperature = t, .target = target::softmax, .relevance_temperature = 0.5, .poly = -1},
          s, y, reference::cross_entropy(widen(s), exponentials, t, 1, -1), {}, t);
      support::agrees(softmax_cross_entropy{.temperature = t}, s, y,
                      reference::cross_entropy(widen(s), weighted, t), w, t);
      for (std::size_t i = 0; i < n; ++i) weighted[i] = exponentials[i] * w[i];
      support::agrees(
          softmax_cross_entropy{.temperature = t, .target = target::softmax, .relevance_temperature = 0.5}, s,
          y, reference::cross_entropy(widen(s), weighted, t), w, t);
      // Relevance of another type.
      const std::vector<int> whole(y.begin(), y.end());
      support::agrees(softmax_cross_entropy{.temperature = t}, s, whole,
                      reference::cross_entropy(widen(s), v, t), {}, t);
    }
}

TEST_CASE("softmax_cross_entropy: nothing relevant, relevance below 0, one item") {
  reals g(3, 7), h(3, 7);
  const reals s{1, 2, 3};
  const reals y{0, 0, 0};
  for (const target kind : {target::relevance, target::normalised}) {
    CHECK(evaluate(softmax_cross_entropy{.target = kind, .poly = 1},
                   list_batch<double>{.scores = s, .relevance = y}, {.gradient = g, .hessian = h}) == 0.0);
    CHECK(g == reals{0, 0, 0});
    CHECK(h == reals{0, 0, 0});
    support::refuses_below_0(softmax_cross_entropy{.target = kind, .poly = 1});
  }
  CHECK(support::said_of_below_0(softmax_cross_entropy{.target = target::softmax}).empty());
  const double log_z = std::log(std::exp(1) + std::exp(2) + std::exp(3));
  CHECK(of(softmax_cross_entropy{.target = target::softmax}, s, reals{0, 0, 0}) ==
        Approx(log_z - 2).epsilon(1e-14));
  CHECK(of(softmax_cross_entropy{}, reals{5}, reals{3}) == 0.0);
}

TEMPLATE_TEST_CASE("softmax_cross_entropy: finite for any finite input, and right where scores are huge", "",
                   float, double) {
  for (const target kind : {target::relevance, target::normalised, target::softmax})
    for (const double t : {1.0, 1e-15, 1e300}) {
      INFO("temperature " << t);
      support::stays_finite<TestType>(
          softmax_cross_entropy{.temperature = t, .target = kind, .relevance_temperature = t, .poly = 1});
    }
  const std::vector<float> s{0, -2.1e26f, 3.4e37f, 42}, y{0, 1, 1, 0};
  std::vector<float> g(4);
  const double value = evaluate(softmax_cross_entropy{.target = target::relevance},
                                list_batch<float>{.scores = s, .relevance = y}, {.gradient = g});
  CHECK(value == Approx(static_cast<double>(3.4e37f) + static_cast<double>(2.1e26f)).epsilon(1e-15));
  CHECK(g == std::vector<float>{0, -1, 1, 0});
  // The difference of these is beyond the largest double, in temperatures it is not.
  CHECK(of(softmax_cross_entropy{.temperature = 1e300}, reals{1.5e308, -1.5e308}, reals{0, 1}) ==
        Approx(3e8).epsilon(1e-12));
}

TEST_CASE(
    "softmax_cross_entropy: weights of items without relevance, and relevance without weight, have no say") {
  const reals s{0, 3, 1, 2}, y{0, 1, 2, 1}, huge{1e300, 1, 2, 1};
  const auto value = [&](const reals& relevance, const reals& weights) {
    reals g(4);
    const double of_list = evaluate(
        softmax_cross_entropy{},
        list_batch<double>{.scores = s, .relevance = relevance, .item_weights = weights}, {.gradient = g});
    CHECK(g[0] > 0.0);
    return of_list;
  };
  const double expected = value(y, {1, 1, 1, 1});
  CHECK(value(y, {1e300, 1e-300, 1e-300, 1e-300}) == Approx(expected).epsilon(1e-14));
  CHECK(value(huge, {0, 1e-300, 1e-300, 1e-300}) == Approx(expected).epsilon(1e-14));
}

TEST_CASE("softmax_cross_entropy: options out of range are refused") {
  const reals s{1, 2}, y{0, 1};
  CHECK_THROWS_WITH(of(softmax_cross_entropy{.temperature = 0}, s, y),
                    "rankloss: temperature: 0, expected 1e-15 to 1e300");
  CHECK_THROWS_WITH(of(softmax_cross_entropy{.relevance_temperature = -1}, s, y),
                    "rankloss: relevance_temperature: -1, expected 1e-15 to 1e300");
  CHECK_THROWS_WITH(of(softmax_cross_entropy{.poly = -2}, s, y), "rankloss: poly: -2, expected -1 to 1e30");
}

}  // namespace softmax_cross_entropy_test
