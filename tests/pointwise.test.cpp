// SPDX-License-Identifier: BSL-1.0
#include <rankloss/pointwise.hpp>

#include "support/below_zero.hpp"
#include "support/listwise_checks.hpp"
#include "support/one_list.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace pointwise_test {

using rankloss::evaluate;
using rankloss::item_reduction;
using rankloss::list_batch;
using rankloss::pointwise_logistic;
using rankloss::pointwise_ordinal;
using rankloss::pointwise_smooth_l1;
using rankloss::pointwise_squared;
using reference::real;
using reference::widen;
using support::of;

namespace {

using reals = std::vector<double>;

/// Sum or mean of what `f(s, y)` says of each item: value, slope, curvature.
template <class T, class F>
reference::derivatives plain(const std::vector<T>& s, const std::vector<T>& y, const std::vector<double>& w,
                             bool mean, F f) {
  reference::derivatives out;
  real total = 0;
  for (std::size_t i = 0; i < s.size(); ++i) total += w.empty() ? 1 : real(w[i]);
  if (!mean) total = 1;
  for (std::size_t i = 0; i < s.size(); ++i) {
    const reference::derivatives d = f(real(s[i]), real(y[i]));
    const real share = total > 0 ? (w.empty() ? 1 : real(w[i])) / total : 0;
    out.value += share * d.value;
    out.gradient.push_back(share * d.gradient[0]);
    out.hessian.push_back(share * d.hessian[0]);
  }
  return out;
}

template <class T, class Loss, class F>
void agrees(Loss loss, F f) {
  for (const std::size_t n : {1, 2, 7, 8, 9, 31, 100}) {
    INFO("n " << n);
    const auto s = reference::normal_scores<T>(n, static_cast<unsigned>(n), 3.0);
    const auto y = reference::whole_grades<T>(n, 7);
    std::vector<double> w;
    for (std::size_t i = 0; i < n; ++i) w.push_back(static_cast<double>(i % 3) * 0.5);
    for (const auto& weights : {std::vector<double>{}, w})
      for (const item_reduction how : {item_reduction::mean, item_reduction::sum}) {
        loss.over_items = how;
        support::agrees(loss, s, y, plain(s, y, weights, how == item_reduction::mean, f), weights);
      }
  }
}

TEST_CASE("pointwise: probabilities and grades are not below 0, targets of a regression may be") {
  const reals thresholds{-1, 0.5, 2};
  support::refuses_below_0(pointwise_logistic{});
  support::refuses_below_0(pointwise_ordinal{.function = {.thresholds = thresholds}});
  CHECK(support::said_of_below_0(pointwise_squared{}).empty());
  CHECK(support::said_of_below_0(pointwise_smooth_l1{}).empty());
}

}  // namespace

TEST_CASE("pointwise: TensorFlow Ranking's values") {
  const reals three{1, 3, 2}, third{0, 0, 1}, two{1, 3}, second{0, 2};
  CHECK(of(pointwise_squared{}, three, third) == Approx(11.0 / 3).epsilon(1e-14));
  CHECK(of(pointwise_squared{}, two, second) == Approx(1.0).epsilon(1e-14));
  CHECK(of(pointwise_squared{.over_items = item_reduction::sum}, reals{0, 3, 1, 2}, reals{0, 0, 1, 1}) ==
        Approx(10.0).epsilon(1e-14));
  CHECK(of(pointwise_logistic{}, three, third) == Approx((1.313262 + 3.048587 + 0.126928) / 3).margin(1e-6));
  CHECK(of(pointwise_logistic{}, two, second) == Approx((1.313262 - 2.951413) / 2).margin(1e-6));
}

TEMPLATE_TEST_CASE("pointwise: value, gradient and Hessian are those of the formulas", "", float, double) {
  using T = TestType;
  using reference::derivatives;
  agrees<T>(pointwise_squared{}, [](real s, real y) {
    return derivatives{(s - y) * (s - y), {2 * (s - y)}, {2}};
  });
  agrees<T>(pointwise_logistic{}, [](real s, real y) {
    const reference::sigmoid p(s);
    return derivatives{reference::softplus(s) - y * s, {p.value - y}, {p.slope}};
  });
  for (const double beta : {0.25, 1.0, 5.0})
    agrees<T>(pointwise_smooth_l1{.function = {.beta = beta}}, [&](real s, real y) {
      const real d = s - y;
      if (std::abs(d) < beta) return derivatives{d * d / (2 * real(beta)), {d / beta}, {1 / real(beta)}};
      return derivatives{std::abs(d) - real(beta) / 2, {d < 0 ? real(-1) : real(1)}, {0}};
    });
  const reals thresholds{-1.0, 0.5, 0.5000001, 3.0};
  agrees<T>(pointwise_ordinal{.function = {.thresholds = thresholds}}, [&](real s, real y) {
    // The probability itself, in digits enough for the two close thresholds.
    const auto k = static_cast<std::size_t>(y);
    const reference::sigmoid above(k < 4 ? real(thresholds[k]) - s : real(1e4)),
        below(k > 0 ? real(thresholds[k - 1]) - s : real(-1e4));
    const real log_gap =
        k > 0 && k < 4 ? std::log(-std::expm1(real(thresholds[k - 1]) - real(thresholds[k]))) : 0;
    return derivatives{-std::log(above.value) - std::log(1 - below.value) - log_gap,
                       {(1 - above.value) - below.value},
                       {above.slope + below.slope}};
  });
}

TEMPLATE_TEST_CASE("pointwise: the ordinal loss keeps the digits between its thresholds", "", float, double) {
  using T = TestType;
  const double digits = sizeof(T) == 4 ? 2e-6 : 1e-13;
  // Powers of two, so that all sums here are exact: what the score is off the middle, and half the gap.
  for (const double gap : {0x1p-31, 0x1p-10, 1.0, 8.0, 16.0, 24.0})
    for (const double off : {0x1p-45, 0x1p-33, -0x1p-40, 0x1p-12, 0.25}) {
      const double at = off * gap;
      INFO("half the gap " << gap << ", off the middle " << at);
      const reals thresholds{-gap, gap};
      const std::vector<T> s{static_cast<T>(at)}, y{1};
      std::vector<T> g(1);
      const double value = evaluate(pointwise_ordinal{.function = {.thresholds = thresholds}},
                                    list_batch<T>{.scores = s, .relevance = y}, {.gradient = g});
      // sigmoid(s - t) - sigmoid(-t - s) for thresholds -t and t
      const real slope = std::sinh(real(at)) /
                         (2 * std::cosh((real(at) - real(gap)) / 2) * std::cosh((real(at) + real(gap)) / 2));
      CHECK(std::abs(real(g[0]) / slope - 1) < real(digits));
      const real wide = std::exp(-2 * real(gap));
      const real log_gap = gap > 0.5 ? std::log1p(-wide) : std::log(-std::expm1(-2 * real(gap)));
      const real expected =
          reference::softplus(real(at) - real(gap)) + reference::softplus(-real(gap) - real(at)) - log_gap;
      CHECK(std::abs(real(value) / expected - 1) < real(digits));
    }
}

TEMPLATE_TEST_CASE("pointwise: the logistic loss keeps the digits of items that are right", "", float,
                   double) {
  using T = TestType;
  for (const T score : {T(9), T(20), T(36), T(60)})
    for (const bool relevant : {false, true}) {
      INFO("score " << score << ", relevant " << relevant);
      const std::vector<T> s{relevant ? score : -score}, y{relevant ? T(1) : T(0)};
      std::vector<T> g(1);
      const double digits = sizeof(T) == 4 ? 2e-6 : 1e-13;
      const real x = std::exp(-real(score));
      CHECK(evaluate(pointwise_logistic{}, list_batch<T>{.scores = s, .relevance = y}, {.gradient = g}) ==
            Approx(static_cast<double>(std::log1p(x))).epsilon(digits));
      CHECK(static_cast<double>(g[0]) ==
            Approx(static_cast<double>((relevant ? -1 : 1) * x / (1 + x))).epsilon(digits));
    }
}

TEST_CASE("pointwise: ordinal probabilities sum to 1, and grades beyond the last are the last") {
  const reals thresholds{-1, 0.5, 2};
  const pointwise_ordinal loss{.function = {.thresholds = thresholds}};
  for (const double s : {-40.0, -3.0, 0.0, 0.7, 5.0, 40.0}) {
    double sum = 0.0;
    for (const double y : {0.0, 1.0, 2.0, 3.0}) sum += std::exp(-of(loss, reals{s}, reals{y}));
    CHECK(sum == Approx(1.0).epsilon(1e-13));
    CHECK(std::exp(-of(loss, reals{s}, reals{1})) ==
          Approx(1 / (1 + std::exp(s - 0.5)) - 1 / (1 + std::exp(s + 1))).epsilon(1e-9).margin(1e-15));
    CHECK(of(loss, reals{s}, reals{0.99}) == of(loss, reals{s}, reals{0}));
    CHECK(of(loss, reals{s}, reals{1e9}) == of(loss, reals{s}, reals{3}));
  }
  // Where a difference of sigmoids is 0 in double.
  CHECK(of(loss, reals{1000}, reals{1}) == Approx(1000 - 0.5 - std::log(-std::expm1(-1.5))).epsilon(1e-14));
}

TEMPLATE_TEST_CASE("pointwise: finite for any finite input", "", float, double) {
  using T = TestType;
  const reals thresholds{-1e308, 0, 1e-300, 1e308};
  for (const item_reduction how : {item_reduction::mean, item_reduction::sum}) {
    support::stays_finite<T>(pointwise_squared{.over_items = how});
    support::stays_finite<T>(pointwise_logistic{.over_items = how});
    support::stays_finite<T>(pointwise_ordinal{.function = {.thresholds = thresholds}, .over_items = how});
    support::stays_finite<T>(pointwise_smooth_l1{.function = {.beta = 1e-15}, .over_items = how});
  }
}

TEST_CASE("pointwise: options out of range are refused") {
  const reals s{1, 2}, y{0, 1}, falling{1, 0}, infinite{0, std::numeric_limits<double>::infinity()};
  CHECK_THROWS_WITH(of(pointwise_smooth_l1{.function = {.beta = 0}}, s, y),
                    "rankloss: function.beta: 0, expected 1e-15 to 1e300");
  CHECK_THROWS_WITH(of(pointwise_ordinal{}, s, y),
                    "rankloss: thresholds: size 0, expected one less than there are grades");
  CHECK_THROWS_WITH(of(pointwise_ordinal{.function = {.thresholds = falling}}, s, y),
                    "rankloss: function.thresholds: 0 at 1, expected more than 1");
  CHECK_THROWS_WITH(of(pointwise_ordinal{.function = {.thresholds = infinite}}, s, y),
                    "rankloss: function.thresholds: inf at 1, expected a finite number");
}

}  // namespace pointwise_test
