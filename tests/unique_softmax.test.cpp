// SPDX-License-Identifier: BSL-1.0
#include <rankloss/unique_softmax.hpp>

#include "support/below_zero.hpp"
#include "support/listwise_checks.hpp"
#include "support/one_list.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace unique_softmax_test {

using rankloss::evaluate;
using rankloss::gain;
using rankloss::list_batch;
using rankloss::unique_softmax;
using reference::real;
using reference::widen;
using support::of;

namespace {

using reals = std::vector<double>;

TEST_CASE("unique_softmax refuses gains below 0") {
  support::refuses_below_0(unique_softmax{});
  support::refuses_below_0(unique_softmax{.gain = gain::linear});
  const reals table{0, 1};
  CHECK(support::said_of_below_0(unique_softmax{.gain = gain::table, .gain_table = table}).empty());
}

}  // namespace

TEST_CASE("unique_softmax: values of Rax and TensorFlow Ranking, worked by hand") {
  const double below = 1 + std::exp(3);
  CHECK(of(unique_softmax{}, reals{0, 3, 1, 2}, reals{0, 0, 1, 1}) ==
        Approx(-std::log(std::exp(1) / (below + std::exp(1))) - std::log(std::exp(2) / (below + std::exp(2))))
            .epsilon(1e-14));
  CHECK(of(unique_softmax{}, reals{1, 3, 2}, reals{0, 0, 1}) == Approx(1.407606).margin(1e-6));
  CHECK(of(unique_softmax{}, reals{1, 3}, reals{0, 2}) == Approx(0.380784).margin(1e-6));
  CHECK(of(unique_softmax{.gain = gain::linear}, reals{1, 3}, reals{0, 2}) ==
        Approx(2 * 0.126928).margin(2e-6));
  const reals table{0.5, 1, 7};
  CHECK(of(unique_softmax{.gain = gain::table, .gain_table = table}, reals{1, 3}, reals{0, 2}) ==
        Approx(7 * 0.126928).margin(7e-6));
  CHECK(of(unique_softmax{.gain = gain::table, .gain_table = table}, reals{1, 3}, reals{0, 3}) == 0.0);
}

TEMPLATE_TEST_CASE("unique_softmax: value, gradient and Hessian are those of the plain sums", "", float,
                   double) {
  using T = TestType;
  for (const std::size_t n : {1, 2, 3, 8, 9, 31, 257})
    for (const double spread : {0.1, 1.0, 10.0, 300.0}) {
      INFO("n " << n << ", spread " << spread);
      const auto s = reference::normal_scores<T>(n, static_cast<unsigned>(n), spread);
      const auto y = reference::whole_grades<T>(n, 7);
      std::vector<real> gains, weighted;
      std::vector<double> w;
      for (std::size_t i = 0; i < n; ++i) {
        gains.push_back(std::exp2(real(y[i])) - 1);
        w.push_back(static_cast<double>(i % 3));
        weighted.push_back(gains[i] * real(w[i]));
      }
      support::agrees(unique_softmax{}, s, y, reference::unique_softmax(widen(s), y, gains, 1));
      support::agrees(unique_softmax{.temperature = 0.3}, s, y,
                      reference::unique_softmax(widen(s), y, weighted, real(0.3)), w, 0.3);
      auto smooth = reference::normal_scores<T>(n, 5);
      for (T& y_i : smooth) y_i = std::max(y_i, T(0));
      for (std::size_t i = 0; i < n; ++i) gains[i] = real(smooth[i]);
      support::agrees(unique_softmax{.gain = gain::linear}, s, smooth,
                      reference::unique_softmax(widen(s), smooth, gains, 1));
    }
}

TEST_CASE("unique_softmax: nothing relevant, or nothing below") {
  for (const reals& y : {reals{0, 0, 0}, reals{2, 2, 2}}) {
    reals g(3, 7), h(3, 7);
    const reals s{1, 2, 3};
    CHECK(evaluate(unique_softmax{}, list_batch<double>{.scores = s, .relevance = y},
                   {.gradient = g, .hessian = h}) == 0.0);
    CHECK(g == reals{0, 0, 0});
    CHECK(h == reals{0, 0, 0});
  }
}

TEMPLATE_TEST_CASE("unique_softmax: finite for any finite input, and right where scores are huge", "", float,
                   double) {
  for (const double t : {1.0, 1e-15, 1e300})
    support::stays_finite<TestType>(unique_softmax{.temperature = t});
  support::stays_finite<TestType>(unique_softmax{.gain = gain::linear});
  const std::vector<float> s{0, -2.1e26f, 3.4e37f, 42}, y{0, 1, 1, 0};
  std::vector<float> g(4);
  CHECK(evaluate(unique_softmax{}, list_batch<float>{.scores = s, .relevance = y}, {.gradient = g}) ==
        Approx(static_cast<double>(2.1e26f)).epsilon(1e-15));
  CHECK(g[0] == Approx(std::exp(-42.0)).epsilon(1e-6));
  CHECK(std::vector<float>(g.begin() + 1, g.end()) == std::vector<float>{-1, 0, 1});
}

TEST_CASE("unique_softmax: options out of range are refused") {
  const reals s{1, 2}, y{0, 1}, table{-1};
  CHECK_THROWS_WITH(of(unique_softmax{.temperature = 0}, s, y),
                    "rankloss: temperature: 0, expected 1e-15 to 1e300");
  CHECK_THROWS_WITH(of(unique_softmax{.gain = gain::table}, s, y),
                    "rankloss: gain_table: size 0, expected one gain a grade");
  CHECK_THROWS_WITH(of(unique_softmax{.gain = gain::table, .gain_table = table}, s, y),
                    "rankloss: gain_table: -1 at grade 0, expected 0 to 1e30");
}

}  // namespace unique_softmax_test
