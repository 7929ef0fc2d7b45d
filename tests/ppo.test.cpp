// SPDX-License-Identifier: BSL-1.0
#include <rankloss/ppo.hpp>

#include <rankloss/gae.hpp>
#include <rankloss/plackett_luce_policy.hpp>

#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <map>
#include <numeric>
#include <random>
#include <span>
#include <utility>
#include <vector>

namespace ppo_test {

namespace {

using rankloss::critic;
using rankloss::diagnose;
using rankloss::evaluate;
using rankloss::explained_variance;
using rankloss::kl_estimator;
using rankloss::policy_batch;
using rankloss::ppo;
using rankloss::value_batch;
using numbers = std::vector<double>;

template <class T>
void check_near(const std::vector<T>& found, const numbers& expected, double margin) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    INFO("step " << i);
    CHECK(static_cast<double>(found[i]) == Approx(expected[i]).margin(margin));
  }
}

/// Slopes of value(x) by each x, by differences.
template <class Value>
numbers differences(numbers x, Value value) {
  constexpr double h = 1e-6;
  numbers out(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double at = x[i];
    x[i] = at + h;
    const double above = value(x);
    x[i] = at - h;
    out[i] = (above - value(x)) / (2 * h);
    x[i] = at;
  }
  return out;
}

const std::vector<std::uint8_t> all_but_last{1, 1, 1, 1, 1, 1, 1, 0};

}  // namespace

TEST_CASE("ppo: rlax's values") {
  const auto log_softmax = [](const numbers& s, std::size_t k) {
    double sum = 0;
    for (const double x : s) sum += std::exp(x);
    return s[k] - std::log(sum);
  };
  const numbers now{log_softmax({1, 1, 1}, 0), log_softmax({2, 0, 0}, 1), log_softmax({-1, -2, -3}, 2)};
  const numbers old{log_softmax({1, 1, 1}, 0), log_softmax({2, 0, 0}, 1), log_softmax({-3, -2, -1}, 2)};
  const numbers a{0.3, 0.2, 0.1}, negative{-0.3, -0.2, -0.1};
  CHECK(evaluate(ppo{}, policy_batch<double>{now, old, a}) == Approx(-0.1711778).margin(1e-7));
  CHECK(evaluate(ppo{}, policy_batch<double>{now, old, a}) ==
        Approx(-(0.5 + 0.1 * std::exp(-2.0)) / 3).epsilon(1e-14));
  CHECK(evaluate(ppo{}, policy_batch<double>{now, old, negative}) ==
        Approx((0.5 + 0.1 * 0.8) / 3).epsilon(1e-14));
}

TEMPLATE_TEST_CASE("ppo and critic: TRL's numbers", "", float, double) {
  using T = TestType;
  const T padding = std::numeric_limits<T>::quiet_NaN();
  {
    const std::vector<T> now{T(-1), T(-0.5), T(-2), T(-0.1), T(-0.3), T(-1.2), T(-0.8), padding};
    const std::vector<T> old{T(-1.2), T(-0.9), T(-1), T(-0.3), T(-0.3), T(-0.2), T(-1.9), padding};
    const std::vector<T> a{T(1), T(-0.5), T(0.3), T(2), T(-1), T(0.7), T(0.2), padding};
    const policy_batch<T> batch{
        .log_probabilities = now, .old_log_probabilities = old, .advantages = a, .mask = all_but_last};
    std::vector<T> g(8, T(9));
    CHECK(evaluate(ppo{}, batch, {.gradient = g}) == Approx(-0.3517096).margin(1e-6));
    check_near(
        g, {0, 0.1065589040517807, -0.015766264870762825, 0, 0.1428571492433548, -0.03678794577717781, 0, 0},
        1e-7);
    CHECK(g[7] == T(0));
    CHECK(diagnose(ppo{}, batch).clip_fraction == Approx(3.0 / 7).epsilon(1e-14));
  }
  const std::vector<T> v{T(0.5), T(0.1), T(-0.4), T(0.9), T(0.3), T(0.4), T(0.2), padding};
  const std::vector<T> old{T(0.2), T(0.1), T(0), T(0.4), T(0.3), T(-0.1), T(0.2), padding};
  const std::vector<T> returns{T(0.1), T(-0.2), T(0.3), T(1), T(0), T(0.5), T(-1), padding};
  std::vector<T> g(8, T(9));
  const value_batch<T> batch{.values = v, .returns = returns, .old_values = old, .mask = all_but_last};
  CHECK(evaluate(critic{}, batch, {.gradient = g}) == Approx(0.185).margin(1e-6));
  check_near(g,
             {0.05714286118745804, 0.04285714775323868, -0.10000000894069672, 0, 0.04285714775323868, 0,
              0.1714285910129547, 0},
             1e-7);
}

TEST_CASE("critic: LR2PPO's value and slopes, which are twice these, and plain squares without old values") {
  const numbers v{0.5, -0.2, 1}, returns{0.9, 0.1, -0.3}, old{0.1, 0, 0.2};
  numbers g(3);
  CHECK(
      2 * evaluate(critic{.clip = 0.5}, value_batch<double>{v, returns, old}, {.gradient = g, .scale = 2}) ==
      Approx(0.6466666).margin(1e-7));
  check_near(g, {-0.2666666507720947, -0.2, 0.8666666746139526}, 1e-7);
  CHECK(evaluate(critic{}, value_batch<double>{v, returns}, {.gradient = g}) ==
        Approx((0.16 + 0.09 + 1.69) / 6).epsilon(1e-14));
  check_near(g, {-0.4 / 3, -0.1, 1.3 / 3}, 1e-15);
}

TEST_CASE("ppo: at the first step the ratio is 1 and the gradient that of REINFORCE") {
  std::mt19937_64 random(1);
  const numbers now = support::numbers<double>(random, 20), a = support::numbers<double>(random, 20);
  const policy_batch<double> batch{now, now, a};
  for (const double clip : {0.0, 0.2})
    for (const double coefficient : {0.0, 3.0}) {
      numbers g(20);
      const ppo loss{.clip = clip, .dual_clip = 2, .kl_coefficient = coefficient};
      double mean = 0;
      for (const double x : a) mean += x / 20;
      CHECK(evaluate(loss, batch, {.gradient = g}) == Approx(-mean).epsilon(1e-12));
      for (std::size_t i = 0; i < 20; ++i) CHECK(g[i] == Approx(-a[i] / 20).epsilon(1e-14));
      const auto found = diagnose(loss, batch);
      CHECK(found.mean_ratio == Approx(1).epsilon(1e-14));
      CHECK(found.clip_fraction == 0.0);
      CHECK(found.kl_k1 == 0.0);
      CHECK(found.kl_k3 == 0.0);
    }
}

TEST_CASE("ppo and critic: gradients are slopes of the value, values their formula") {
  std::mt19937_64 random(2);
  const std::size_t n = 60;
  const numbers now = support::numbers<double>(random, n), old = support::numbers<double>(random, n),
                a = support::numbers<double>(random, n);
  numbers weights = support::numbers<double>(random, n);
  for (double& w : weights) w = std::abs(w);
  const auto mask = support::whole_numbers<std::uint8_t>(random, n, 3);
  long double total = 0;
  for (std::size_t i = 0; i < n; ++i)
    if (mask[i] != 0) total += weights[i];
  for (const double clip : {0.1, 0.5, 1.5})
    for (const double dual : {0.0, 1.7})
      for (const kl_estimator k : {kl_estimator::k1, kl_estimator::k2, kl_estimator::k3})
        for (const double coefficient : {0.0, 0.3}) {
          const ppo loss{.clip = clip, .dual_clip = dual, .kl_coefficient = coefficient, .estimator = k};
          const auto value = [&](const numbers& x) {
            return evaluate(loss, policy_batch<double>{.log_probabilities = x,
                                                       .old_log_probabilities = old,
                                                       .advantages = a,
                                                       .weights = weights,
                                                       .mask = mask});
          };
          long double expected = 0;
          for (std::size_t i = 0; i < n; ++i) {
            if (mask[i] == 0) continue;
            const long double d = static_cast<long double>(now[i]) - old[i], rho = std::exp(d), e = clip;
            long double gain = std::min(rho * a[i], std::clamp(rho, 1 - e, 1 + e) * a[i]);
            if (dual > 0 && a[i] < 0) gain = std::max(gain, static_cast<long double>(dual) * a[i]);
            const long double kl = k == kl_estimator::k1   ? -d
                                   : k == kl_estimator::k2 ? d * d / 2
                                                           : rho - 1 - d;
            expected += weights[i] / total * (coefficient * kl - gain);
          }
          CHECK(value(now) == Approx(static_cast<double>(expected)).epsilon(1e-12).margin(1e-14));
          numbers g(n, 1.0);
          evaluate(loss,
                   policy_batch<double>{.log_probabilities = now,
                                        .old_log_probabilities = old,
                                        .advantages = a,
                                        .weights = weights,
                                        .mask = mask},
                   {.gradient = g, .scale = -2, .update = rankloss::update::add});
          numbers slopes = differences(now, value);
          for (double& x : slopes) x = 1 - 2 * x;
          check_near(g, slopes, 1e-8);
        }
  for (const double clip : {0.0, 0.2, 0.8}) {
    const auto value = [&](const numbers& x) {
      return evaluate(critic{.clip = clip},
                      value_batch<double>{
                          .values = x, .returns = a, .old_values = old, .weights = weights, .mask = mask});
    };
    numbers g(n);
    evaluate(
        critic{.clip = clip},
        value_batch<double>{.values = now, .returns = a, .old_values = old, .weights = weights, .mask = mask},
        {.gradient = g});
    check_near(g, differences(now, value), 1e-8);
  }
}

TEMPLATE_TEST_CASE("ppo and critic: every step of any number of steps is the formula of one", "", float,
                   double) {
  using T = TestType;
  constexpr T largest = std::numeric_limits<T>::max();
  // Beside numbers as they are: none, those at bounds, ends of the type, and ratios beyond it.
  const std::vector<T> odd{
      T(0), largest, -largest, T(-800), T(800), T(-699), std::numeric_limits<T>::denorm_min()};
  std::mt19937_64 random(11);
  std::vector<std::size_t> sizes(34);
  std::iota(sizes.begin(), sizes.end(), std::size_t{1});
  for (const std::size_t n : {511u, 512u, 513u, 1030u}) sizes.push_back(n);
  for (const std::size_t n : sizes) {
    const auto drawn = [&] {
      auto x = support::numbers<T>(random, n);
      for (T& number : x)
        if (random() % 8 == 0) number = odd[random() % odd.size()];
      return x;
    };
    const auto now = drawn(), old = drawn(), a = drawn(), reference = drawn();
    const auto check = [&](const auto& term, const auto& batch, const auto& loss,
                           long double bound = 1e-13L) {
      std::vector<T> g(n, T(3));
      const double value = evaluate(loss, batch, {.gradient = g, .scale = 0.5});
      long double expected = 0, size = 0;
      for (std::size_t i = 0; i < n; ++i) {
        INFO("step " << i << " of " << n);
        const rankloss::detail::policy_term one = term(i);
        expected += static_cast<long double>(one.value) / static_cast<long double>(n);
        size += std::abs(static_cast<long double>(one.value)) / static_cast<long double>(n);
        const double slope =
            std::clamp(0.5 * one.slope / static_cast<double>(n), -double{largest}, double{largest});
        CHECK(static_cast<double>(g[i]) ==
              Approx(slope).epsilon(sizeof(T) == 4 ? 4e-7 : 1e-13).margin(std::numeric_limits<T>::min()));
      }
      CHECK(std::abs(static_cast<long double>(value) - expected) <= bound * size);
    };
    for (const kl_estimator estimator : {kl_estimator::k1, kl_estimator::k2, kl_estimator::k3})
      for (const double coefficient : {0.0, 0.3})
        for (const bool to_reference : {false, true}) {
          const ppo loss{.clip = 0.2,
                         .dual_clip = n % 2 == 0 ? 3.0 : 0.0,
                         .kl_coefficient = coefficient,
                         .estimator = estimator};
          policy_batch<T> batch{.log_probabilities = now, .old_log_probabilities = old, .advantages = a};
          if (to_reference) batch.reference_log_probabilities = reference;
          check(
              [&](std::size_t i) {
                using rankloss::detail::policy_ratio;
                const double x = static_cast<double>(now[i]);
                const policy_ratio rho(x, static_cast<double>(old[i]));
                const auto term = loss.surrogate(rho.ratio, static_cast<double>(a[i]));
                if (coefficient == 0.0) return term;
                return loss.penalised(
                    term, to_reference
                              ? policy_ratio::to_reference(static_cast<double>(reference[i]), x, estimator)
                              : rho.penalty(estimator));
              },
              batch, loss, sizeof(T) == 4 && coefficient == 0.0 ? 2e-7L : 1e-13L);
        }
    for (const bool clips : {false, true}) {
      const critic loss{.clip = 0.3};
      value_batch<T> batch{.values = now, .returns = a};
      if (clips) batch.old_values = old;
      check(
          [&](std::size_t i) {
            const double v = static_cast<double>(now[i]), r = static_cast<double>(a[i]);
            return clips ? loss.term(v, r, static_cast<double>(old[i])) : loss.term(v, r);
          },
          batch, loss);
    }
  }
}

TEST_CASE("ppo: at a bound the gradient is that of the unclipped side") {
  const numbers zero{0, 0}, a{1, -1};
  numbers g(2);
  evaluate(ppo{.clip = 0}, policy_batch<double>{zero, zero, a}, {.gradient = g});
  CHECK(g == numbers{-0.5, 0.5});
  const numbers v{1}, r{0}, old{0.5};
  numbers slope(1);
  evaluate(critic{.clip = 0.5}, value_batch<double>{v, r, old}, {.gradient = slope});
  CHECK(slope[0] == 1.0);
}

TEST_CASE("ppo: the dual clip bounds what a negative advantage costs") {
  const numbers now{2}, old{0}, a{-0.5};
  numbers g(1);
  CHECK(evaluate(ppo{}, policy_batch<double>{now, old, a}, {.gradient = g}) == Approx(0.5 * std::exp(2.0)));
  CHECK(g[0] == Approx(0.5 * std::exp(2.0)));
  CHECK(evaluate(ppo{.dual_clip = 3}, policy_batch<double>{now, old, a}, {.gradient = g}) == Approx(1.5));
  CHECK(g[0] == 0.0);
  CHECK(diagnose(ppo{}, policy_batch<double>{now, old, a}).clip_fraction == 0.0);
  CHECK(diagnose(ppo{.dual_clip = 3}, policy_batch<double>{now, old, a}).clip_fraction == 1.0);
}

TEST_CASE("ppo: estimates of a divergence between policies that are nearly equal keep their digits") {
  for (const double size : {1e-1, 0.3, 1e-3, 1e-6, 1e-12}) {
    INFO("size " << size);
    std::vector<double> now, old, advantages;
    long double expected = 0;
    for (std::size_t i = 0; i < 21; ++i) {
      now.push_back(size * std::sin(static_cast<double>(i)));
      old.push_back(0.0);
      advantages.push_back(0.0);
      const long double x = now[i];
      long double own = 0, power = x * x / 2;
      for (int k = 3; k < 40; power *= x / k++) own += power;
      expected += own / 21;
    }
    const rankloss::policy_batch<double> batch{
        .log_probabilities = now, .old_log_probabilities = old, .advantages = advantages};
    const auto close = Approx(static_cast<double>(expected)).epsilon(1e-14).margin(0.0);
    CHECK(evaluate(ppo{.kl_coefficient = 1.0, .estimator = kl_estimator::k3}, batch) == close);
    CHECK(rankloss::diagnose(ppo{}, batch).kl_k3 == close);
  }
}

TEST_CASE("critic: clipped values that are far from 0 keep the digits of their distances") {
  for (const double far : {1e6, -3e12}) {
    INFO("values around " << far);
    std::vector<double> values, old, returns, gradient(50), slopes(50);
    for (std::size_t i = 0; i < 50; ++i) {
      const double x = static_cast<double>(i);
      returns.push_back(far + std::sin(x));
      old.push_back(returns[i] + std::cos(3.0 * x));
      values.push_back(old[i] + 0.5 * std::sin(7.0 * x));
    }
    long double expected = 0;
    for (std::size_t i = 0; i < 50; ++i) {
      const long double error = values[i] - static_cast<long double>(returns[i]), clip = 0.2;
      const long double apart = old[i] - static_cast<long double>(returns[i]);
      const long double moved = values[i] - static_cast<long double>(old[i]);
      const long double other = apart + std::clamp(moved, -clip, clip);
      const long double larger = std::abs(other) > std::abs(error) ? other : error;
      expected += larger * larger / 100;
      slopes[i] = static_cast<double>(std::abs(other) > std::abs(error) ? 0 : error / 50);
    }
    const rankloss::value_batch<double> batch{.values = values, .returns = returns, .old_values = old};
    CHECK(evaluate(critic{.clip = 0.2}, batch, {.gradient = gradient}) ==
          Approx(static_cast<double>(expected)).epsilon(1e-14));
    for (std::size_t i = 0; i < 50; ++i) CHECK(std::abs(gradient[i] - slopes[i]) <= 1e-16);
  }
}

TEST_CASE("diagnose: ratios and estimates are their means") {
  const numbers now{-1, -0.5, -2.5, 5}, old{-1.2, -0.9, -1, 0}, a{1, -1, 1, 1}, weights{1, 2, 1, 0};
  const auto found = diagnose(
      ppo{},
      policy_batch<double>{
          .log_probabilities = now, .old_log_probabilities = old, .advantages = a, .weights = weights});
  const double mean_ratio = (std::exp(0.2) + 2 * std::exp(0.4) + std::exp(-1.5)) / 4;
  CHECK(found.mean_ratio == Approx(mean_ratio).epsilon(1e-14));
  CHECK(found.kl_k1 == Approx(0.125).epsilon(1e-14));
  CHECK(found.kl_k3 == Approx(mean_ratio - 1 + 0.125).epsilon(1e-13));
  CHECK(found.clip_fraction == Approx(0.25));
  // What is small stays exact: half the square of the difference.
  const numbers near{1e-9}, zero{0};
  CHECK(diagnose(ppo{}, policy_batch<double>{near, zero, zero}).kl_k3 == Approx(5e-19).margin(1e-24));
}

TEST_CASE("explained_variance: 1 for right values, 0 for constant ones") {
  const numbers r{1, 2, 4, 9}, constant(4, 0.1), shifted{2, 3, 5, 10}, opposite{-1, -2, -4, -9};
  CHECK(explained_variance(value_batch<double>{r, r}) == 1.0);
  CHECK(explained_variance(value_batch<double>{shifted, r}) == Approx(1).epsilon(1e-14));
  CHECK(explained_variance(value_batch<double>{constant, r}) == Approx(0).margin(1e-14));
  CHECK(explained_variance(value_batch<double>{opposite, r}) == Approx(-3).epsilon(1e-14));
  CHECK(explained_variance(value_batch<double>{r, constant}) == 0.0);
  CHECK(explained_variance(value_batch<double>{}) == 0.0);
  const numbers huge{1e308, -1e308, 1e308}, values{-1e308, 1e308, -1e308};
  CHECK(explained_variance(value_batch<double>{values, huge}) == Approx(-3).epsilon(1e-14));
  const numbers weights{2, 1, 0, 0},
      wrong{1, 2, 0, 0};  // not {1, 1, 0, 0}, of which GCC 12 makes {1, 1, 1, 1} with AVX-512 (bug 108599)
  CHECK(explained_variance(value_batch<double>{.values = wrong, .returns = r, .weights = weights}) == 1.0);
}

TEST_CASE("explained_variance: by its definition, whatever the means and the weights") {
  const numbers v{0.5, -3, 2, 7.25, 1, 4}, r{11, 8, 17.5, 19, 8, 30}, w{0, 1, 2.5, 1, 0, 3};
  const auto variance = [](const numbers& x, const numbers& weights) {
    double total = 0, mean = 0, squares = 0;
    for (std::size_t i = 0; i < x.size(); ++i) total += weights[i];
    for (std::size_t i = 0; i < x.size(); ++i) mean += weights[i] * x[i] / total;
    for (std::size_t i = 0; i < x.size(); ++i) squares += weights[i] * (x[i] - mean) * (x[i] - mean) / total;
    return squares;
  };
  numbers rest(r.size());
  for (std::size_t i = 0; i < r.size(); ++i) rest[i] = r[i] - v[i];
  const numbers ones(r.size(), 1.0);
  CHECK(explained_variance(value_batch<double>{v, r}) ==
        Approx(1 - variance(rest, ones) / variance(r, ones)).epsilon(1e-14));
  const value_batch<double> weighted{.values = v, .returns = r, .weights = w};
  CHECK(explained_variance(weighted) == Approx(1 - variance(rest, w) / variance(r, w)).epsilon(1e-14));
  // Steps that do not count are not looked at, whatever they hold.
  const std::vector<std::uint8_t> mask{0, 1, 1, 0, 1, 1};
  const numbers kept{0, 1, 1, 0, 1, 1};
  numbers with_holes = v;
  with_holes[0] = with_holes[3] = std::numeric_limits<double>::quiet_NaN();
  const value_batch<double> masked{.values = with_holes, .returns = r, .mask = mask};
  CHECK(explained_variance(masked) == Approx(1 - variance(rest, kept) / variance(r, kept)).epsilon(1e-14));
}

TEST_CASE("explained_variance: keeps its digits where numbers are close to each other and far from 0") {
  // The first step hardly counts and lies far from the rest, which differ by 1e-8.
  constexpr double unit = 0x1p-27;
  const numbers r{-2, 1, 1 + unit, 1 + 3 * unit}, v{0, 0, 0, 2 * unit};
  const numbers weights{1e-30, 1, 1, 1};
  const value_batch<double> batch{.values = v, .returns = r, .weights = weights};
  CHECK(explained_variance(batch) == Approx(1 - 1.0 / 7).epsilon(1e-12));  // of 0, 1, 1 and of 0, 1, 3
}

TEMPLATE_TEST_CASE("ppo and critic: no ratio and no square overflows to a NaN", "", float, double) {
  using T = TestType;
  const T huge = std::numeric_limits<T>::max();
  const std::vector<T> now{huge, -huge, T(1000), T(-1000), huge, T(1000), T(1000)};
  const std::vector<T> old{-huge, huge, 0, 0, -huge, 0, 0};
  const std::vector<T> a{huge, huge, -huge, -huge, 0, 0, T(-1)};
  for (const kl_estimator k : {kl_estimator::k1, kl_estimator::k2, kl_estimator::k3})
    for (const double coefficient : {0.0, 1.0, 1e300}) {
      std::vector<T> g(7);
      const policy_batch<T> batch{.log_probabilities = now, .old_log_probabilities = old, .advantages = a};
      const double value =
          evaluate(ppo{.kl_coefficient = coefficient, .estimator = k}, batch, {.gradient = g});
      CHECK(std::isfinite(value));
      for (const T x : g) CHECK(std::isfinite(x));
      if (coefficient == 0.0) CHECK(g[4] == T(0));
      if (coefficient == 0.0) CHECK(g[5] == T(0));
      const auto found = diagnose(ppo{}, batch);
      CHECK(std::isfinite(found.mean_ratio));
      CHECK(std::isfinite(found.kl_k1));
      CHECK(std::isfinite(found.kl_k3));
    }
  std::vector<T> g(7);
  CHECK(std::isfinite(evaluate(critic{}, value_batch<T>{now, old, a}, {.gradient = g})));
  for (const T x : g) CHECK(std::isfinite(x));
}

TEST_CASE("ppo and critic: where nothing counts, 0") {
  const numbers x{1, 2};
  const std::vector<std::uint8_t> none(2, 0);
  const numbers zero{0, 0};
  numbers g(2, 9.0);
  CHECK(evaluate(ppo{}, policy_batch<double>{}) == 0.0);
  CHECK(evaluate(ppo{},
                 policy_batch<double>{
                     .log_probabilities = x, .old_log_probabilities = x, .advantages = x, .mask = none},
                 {.gradient = g}) == 0.0);
  CHECK(g == zero);
  g = {9, 9};
  CHECK(evaluate(critic{}, value_batch<double>{.values = x, .returns = x, .weights = zero},
                 {.gradient = g}) == 0.0);
  CHECK(g == zero);
}

TEST_CASE("ppo and critic name what does not fit, before they write") {
  const numbers x(4, -1.0), three(3, -1.0);
  numbers unsound = x;
  unsound[2] = std::nan("");
  numbers g(4, 9.0);
  const policy_batch<double> good{.log_probabilities = x, .old_log_probabilities = x, .advantages = x};
  auto bad = good;
  const auto run = [&](const ppo& loss = {}) { return evaluate(loss, bad, {.gradient = g}); };
  CHECK_THROWS_WITH(run({.clip = -1}), "rankloss: clip: -1, expected a finite number >= 0");
  CHECK_THROWS_WITH(run({.dual_clip = 1}), "rankloss: dual_clip: 1, expected a finite number > 1, or 0");
  CHECK_THROWS_WITH(run({.kl_coefficient = -0.5}),
                    "rankloss: kl_coefficient: -0.5, expected a finite number >= 0");
  bad.old_log_probabilities = three;
  CHECK_THROWS_WITH(run(), "rankloss: old_log_probabilities: size 3, expected 4 (one per step)");
  CHECK_THROWS_WITH(diagnose(ppo{}, bad),
                    "rankloss: old_log_probabilities: size 3, expected 4 (one per step)");
  bad = good;
  bad.advantages = three;
  CHECK_THROWS_WITH(run(), "rankloss: advantages: size 3, expected 4 (one per step)");
  bad = good;
  bad.weights = x;
  CHECK_THROWS_WITH(run(), "rankloss: weights: -1 at step 0, expected a finite number >= 0");
  bad = good;
  bad.log_probabilities = unsound;
  CHECK_THROWS_WITH(run(), "rankloss: log_probabilities: nan at step 2, expected a finite number");
  bad = good;
  bad.advantages = unsound;
  CHECK_THROWS_WITH(run(), "rankloss: advantages: nan at step 2, expected a finite number");
  const std::vector<std::uint8_t> mask{1, 1, 0};
  bad = good;
  bad.mask = mask;
  CHECK_THROWS_WITH(run(), "rankloss: mask: size 3, expected 4 (one per step)");
  numbers few(2, 9.0);
  CHECK_THROWS_WITH(evaluate(ppo{}, good, {.gradient = few}),
                    "rankloss: gradient: size 2, expected 4 (one per step)");
  CHECK_THROWS_WITH(evaluate(ppo{}, good, {.hessian = g}),
                    "rankloss: hessian: this loss has none, expected an empty output");
  CHECK_THROWS_WITH(evaluate(ppo{}, good, {.per_list = g}),
                    "rankloss: per_list: steps have none, expected an empty output");

  CHECK_THROWS_WITH(evaluate(critic{}, value_batch<double>{x, three}),
                    "rankloss: returns: size 3, expected 4 (one per step)");
  CHECK_THROWS_WITH(evaluate(critic{}, value_batch<double>{x, x, three}),
                    "rankloss: old_values: size 3, expected 4 (one per step)");
  CHECK_THROWS_WITH(evaluate(critic{}, value_batch<double>{x, unsound}, {.gradient = g}),
                    "rankloss: returns: nan at step 2, expected a finite number");
  CHECK_THROWS_WITH(evaluate(critic{.clip = std::nan("")}, value_batch<double>{x, x}),
                    "rankloss: clip: nan, expected a finite number >= 0");
  CHECK(g == numbers(4, 9.0));
}

TEST_CASE("ppo: a penalty on the way from a reference, by estimates whose ratio is the other way up") {
  std::mt19937_64 random(5);
  const numbers now = support::numbers<double>(random, 9), old = support::numbers<double>(random, 9),
                a = support::numbers<double>(random, 9), reference = support::numbers<double>(random, 9),
                entropies = support::numbers<double>(random, 9);
  const auto batch_of = [&](const numbers& x) {
    return policy_batch<double>{.log_probabilities = x,
                                .old_log_probabilities = old,
                                .advantages = a,
                                .reference_log_probabilities = reference,
                                .entropies = entropies};
  };
  double k1 = 0, k2 = 0, k3 = 0, entropy = 0;
  for (std::size_t i = 0; i < 9; ++i) {
    const double away = now[i] - reference[i];
    k1 += away / 9;
    k2 += away * away / 18;
    k3 += (std::exp(-away) - 1 + away) / 9;
    entropy += entropies[i] / 9;
  }
  const auto found = diagnose(ppo{}, batch_of(now));
  CHECK(found.reference_kl_k1 == Approx(k1).epsilon(1e-13));
  CHECK(found.reference_kl_k3 == Approx(k3).epsilon(1e-13));
  CHECK(found.entropy == Approx(entropy).epsilon(1e-13));
  const double bare = evaluate(ppo{}, batch_of(now));
  for (const auto& [estimator, expected] :
       {std::pair{kl_estimator::k1, k1}, std::pair{kl_estimator::k2, k2}, std::pair{kl_estimator::k3, k3}}) {
    const ppo loss{.kl_coefficient = 0.3, .estimator = estimator};
    numbers g(9);
    CHECK(evaluate(loss, batch_of(now), {.gradient = g}) == Approx(bare + 0.3 * expected).epsilon(1e-13));
    check_near(g, differences(now, [&](const numbers& x) { return evaluate(loss, batch_of(x)); }), 1e-8);
  }
  // Where the policy is the reference nothing is paid, and k3 pulls nowhere.
  numbers g(9), plain(9);
  policy_batch<double> same = batch_of(now);
  same.reference_log_probabilities = now;
  CHECK(evaluate(ppo{.kl_coefficient = 3}, same, {.gradient = g}) == bare);
  evaluate(ppo{}, same, {.gradient = plain});
  CHECK(g == plain);
  // Without these nothing is told of them.
  CHECK(diagnose(ppo{}, policy_batch<double>{now, old, a}).reference_kl_k3 == 0.0);
  CHECK(diagnose(ppo{}, policy_batch<double>{now, old, a}).entropy == 0.0);
  const numbers short_reference(8);
  same.reference_log_probabilities = short_reference;
  CHECK_THROWS_WITH(evaluate(ppo{}, same),
                    "rankloss: reference_log_probabilities: size 8, expected 9 (one per step)");
}

TEMPLATE_TEST_CASE("shape_rewards: rewards less the estimate, in place as well", "", float, double) {
  using T = TestType;
  const std::vector<T> rewards{T(1), T(2), T(-1)}, acted{T(-1), T(-0.5), T(-2)},
      reference{T(-1.5), T(-0.5), T(-1)};
  std::vector<T> shaped(3);
  // As TRL pays it: 0.05 (log p - log p_reference) a token.
  rankloss::shape_rewards<T>(rewards, acted, reference, 0.05, kl_estimator::k1, shaped);
  check_near(shaped, {1 - 0.05 * 0.5, 2, -1 + 0.05}, 1e-7);
  shaped = rewards;
  rankloss::shape_rewards<T>(shaped, acted, reference, 0.5, kl_estimator::k3, shaped);
  check_near(shaped, {1 - 0.5 * (std::exp(-0.5) - 0.5), 2, -1 - 0.5 * (std::exp(1.0) - 2)}, 1e-6);
  const std::vector<T> before = shaped, two(2);
  CHECK_THROWS_WITH(rankloss::shape_rewards<T>(rewards, two, reference, 1, kl_estimator::k1, shaped),
                    "rankloss: log_probabilities: size 2, expected 3 (one per shaped reward)");
  CHECK_THROWS_WITH(rankloss::shape_rewards<T>(rewards, acted, reference, -1, kl_estimator::k1, shaped),
                    "rankloss: coefficient: -1, expected a finite number >= 0");
  const std::vector<T> with_nan{0, std::numeric_limits<T>::quiet_NaN(), 0};
  CHECK_THROWS_WITH(rankloss::shape_rewards<T>(rewards, acted, with_nan, 1, kl_estimator::k1, shaped),
                    "rankloss: reference_log_probabilities: nan at step 1, expected a finite number");
  CHECK(shaped == before);

  // Padding may hold anything, and gets nothing.
  const T nan = std::numeric_limits<T>::quiet_NaN();
  const std::vector<T> padded{T(1), nan, T(2), T(-1)}, padded_acted{T(-1), T(5), T(-0.5), T(-2)},
      padded_reference{T(-1.5), nan, T(-0.5), T(-1)};
  const std::vector<std::uint8_t> mask{1, 0, 1, 1}, short_mask(3, 1);
  std::vector<T> all(4, T(9)), some(3);
  rankloss::shape_rewards<T>(rewards, acted, reference, 0.5, kl_estimator::k3, some);
  rankloss::shape_rewards<T>(padded, padded_acted, padded_reference, 0.5, kl_estimator::k3, all, mask);
  CHECK(all == std::vector<T>{some[0], T(0), some[1], some[2]});
  all = padded;
  rankloss::shape_rewards<T>(all, padded_acted, padded_reference, 0.5, kl_estimator::k3, all, mask);
  CHECK(all == std::vector<T>{some[0], T(0), some[1], some[2]});
  CHECK_THROWS_WITH(rankloss::shape_rewards<T>(padded, padded_acted, padded_reference, 0.5, kl_estimator::k3,
                                               all, short_mask),
                    "rankloss: mask: size 3, expected 4 (one per shaped reward)");
  CHECK_THROWS_WITH(
      rankloss::shape_rewards<T>(padded, padded_acted, padded_reference, 0.5, kl_estimator::k3, all),
      "rankloss: rewards: nan at step 1, expected a finite number");
}

TEMPLATE_TEST_CASE("ppo: many steps have the same bits on any number of workers, and whatever does not count",
                   "", float, double) {
  using T = TestType;
  constexpr std::size_t n = 70001;
  std::mt19937_64 random(5);
  std::normal_distribution<double> normal;
  std::vector<T> now(n), old(n), advantages(n);
  std::vector<std::uint8_t> mask(n);
  numbers weights(n);
  for (std::size_t i = 0; i < n; ++i) {
    old[i] = static_cast<T>(normal(random) - 2.0);
    now[i] = static_cast<T>(static_cast<double>(old[i]) + 0.3 * normal(random));
    advantages[i] = static_cast<T>(normal(random));
    mask[i] = i < 30000 || random() % 3 > 0;
    weights[i] = random() % 5 > 0 ? 0.5 + static_cast<double>(random() % 8) : 0.0;
  }
  // Advantages that floats are not enough for, and steps that do not count and hold anything.
  for (std::size_t i = 100; i < n; i += 1000) {
    advantages[i] = static_cast<T>(i % 2000 == 100 ? 1e-33 : -1e-31);
    if (i > 30000) now[i] = static_cast<T>(static_cast<double>(old[i]) + 3.0);
  }
  for (std::size_t i = 30001; i < n; i += 777) {
    mask[i] = 0;
    weights[i] = 0.0;
    advantages[i] = i % 2 == 0 ? static_cast<T>(1e37) : T(0);
  }
  const ppo policy{.kl_coefficient = 0.1}, plain{}, dual{.dual_clip = 1.5};
  const critic value{.clip = 0.2};
  const auto run = [&](bool masked, bool weighted, const auto& kept, rankloss::context& ctx) {
    const auto some = [&](const auto& all) {
      auto of = all;
      of.clear();
      for (const std::size_t i : kept) of.push_back(all[i]);
      return of;
    };
    const auto a = some(now), b = some(old), c = some(advantages);
    const auto m = some(mask);
    const auto w = some(weights);
    std::pair<numbers, std::vector<T>> found{{}, std::vector<T>(4 * kept.size())};
    const auto part = [&](std::size_t k) {
      return std::span(found.second).subspan(k * kept.size(), kept.size());
    };
    policy_batch<T> steps{.log_probabilities = a, .old_log_probabilities = b, .advantages = c};
    value_batch<T> states{.values = a, .returns = c, .old_values = b};
    if (masked) steps.mask = states.mask = m;
    if (weighted) steps.weights = states.weights = w;
    found.first = {evaluate(policy, steps, {.gradient = part(0)}, ctx),
                   evaluate(value, states, {.gradient = part(1)}, ctx),
                   evaluate(plain, steps, {.gradient = part(2)}, ctx),
                   evaluate(dual, steps, {.gradient = part(3), .scale = 3.0}, ctx)};
    CHECK(evaluate(dual, steps, {.scale = 1e-35}, ctx) == found.first[3]);  // no slope changes the value
    return found;
  };
  std::vector<std::size_t> all(n), counted;
  std::iota(all.begin(), all.end(), std::size_t{0});
  for (const bool masked : {false, true})
    for (const bool weighted : {false, true}) {
      INFO("masked " << masked << ", weighted " << weighted);
      rankloss::context one, two{rankloss::threads(2)}, seven{rankloss::threads(7)};
      const auto expected = run(masked, weighted, all, one);
      CHECK(run(masked, weighted, all, two) == expected);
      CHECK(run(masked, weighted, all, seven) == expected);
      counted.clear();
      long double sum = 0.0L, total = 0.0L;
      for (std::size_t i = 0; i < n; ++i) {
        if ((masked && !mask[i]) || (weighted && !(weights[i] > 0.0))) continue;
        counted.push_back(i);
        const long double w = weighted ? weights[i] : 1.0L, log = static_cast<long double>(now[i]) - old[i];
        const long double rho = std::exp(log), advantage = advantages[i];
        sum += w * (std::max(-rho * advantage, -std::clamp(rho, 0.8L, 1.2L) * advantage) +
                    0.1L * (rho - 1.0L - log));
        total += w;
      }
      CHECK(expected.first[0] == Approx(static_cast<double>(sum / total)).epsilon(1e-12));
      const auto alone = run(false, weighted, counted, two);
      CHECK(alone.first == expected.first);
      std::size_t of_all = 0, of_alone = 0;
      for (std::size_t k = 0; k < counted.size(); ++k)
        for (const std::size_t part : {0u, 1u, 2u, 3u})
          if (alone.second[part * counted.size() + k] != expected.second[part * n + counted[k]]) ++of_alone;
      for (const T slope : expected.second) of_all += slope != T{0} ? 1 : 0;
      CHECK(of_alone == 0);
      CHECK(of_all > counted.size());
    }
}

TEST_CASE("ppo: finds the best of 5! orders from every seed") {
  // An arm is an order. What it pays grows with the pairs that it has in common with the best one, by no more
  // than chance may take away.
  constexpr std::size_t n = 5, orders_a_step = 64, steps = 150, passes = 3;
  using order_type = std::vector<std::uint32_t>;
  rankloss::context ctx;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    std::mt19937_64 random(seed);
    order_type best(n);
    std::iota(best.begin(), best.end(), 0u);
    std::shuffle(best.begin(), best.end(), random);
    std::map<order_type, double> pays;
    order_type arm(n);
    std::iota(arm.begin(), arm.end(), 0u);
    do {
      double common = 0;
      for (std::size_t a = 0; a < n; ++a)
        for (std::size_t b = a + 1; b < n; ++b)
          if (std::find(best.begin(), best.end(), arm[a]) < std::find(best.begin(), best.end(), arm[b]))
            common += 0.1;
      pays[arm] = common - 0.09 * static_cast<double>(random() % 1000) / 1000;
    } while (std::next_permutation(arm.begin(), arm.end()));
    pays[best] = 1;
    REQUIRE(pays.size() == 120);
    for (const auto& [order, reward] : pays) REQUIRE((order == best || reward < 1));

    numbers scores(n), spread(n * orders_a_step), old(orders_a_step), now(orders_a_step),
        entropies(orders_a_step), rewards(orders_a_step), baseline(orders_a_step), advantages(orders_a_step),
        upstream(orders_a_step), gradient(n * orders_a_step);
    order_type orders(n * orders_a_step), offsets(orders_a_step + 1);
    for (std::size_t q = 0; q <= orders_a_step; ++q) offsets[q] = static_cast<std::uint32_t>(n * q);
    const rankloss::plackett_luce_policy policy{.seed = seed};
    const ppo loss{.clip = 0.2};
    double first_entropy = 0, last_entropy = 0;
    for (std::size_t step = 0; step < steps; ++step) {
      const auto fill = [&] {
        for (std::size_t i = 0; i < spread.size(); ++i) spread[i] = scores[i % n];
      };
      fill();
      rankloss::sample_orders<double>(policy, spread, offsets, static_cast<std::uint32_t>(step), orders, ctx);
      const rankloss::order_batch<double> acted{spread, orders, offsets};
      rankloss::evaluate_orders(policy, acted, {.log_probabilities = old}, ctx);
      for (std::size_t q = 0; q < orders_a_step; ++q)
        rewards[q] = pays.at(order_type(orders.begin() + static_cast<std::ptrdiff_t>(n * q),
                                        orders.begin() + static_cast<std::ptrdiff_t>(n * (q + 1))));
      std::fill(baseline.begin(), baseline.end(),
                std::accumulate(rewards.begin(), rewards.end(), 0.0) / orders_a_step);
      rankloss::estimate_advantages(
          rankloss::trajectory_batch<double>{.rewards = rewards, .values = baseline},
          {.discount = 0, .whitening = rankloss::whitening::population}, advantages, {}, ctx);
      for (std::size_t pass = 0; pass < passes; ++pass) {
        fill();
        rankloss::evaluate_orders(policy, acted, {.log_probabilities = now, .entropies = entropies}, ctx);
        const policy_batch<double> batch{.log_probabilities = now,
                                         .old_log_probabilities = old,
                                         .advantages = advantages,
                                         .entropies = entropies};
        evaluate(loss, batch, {.gradient = upstream}, ctx);
        rankloss::evaluate_orders(policy, acted, {.gradient = gradient, .upstream = upstream}, ctx);
        for (std::size_t i = 0; i < gradient.size(); ++i) scores[i % n] -= 0.5 * gradient[i];
        const auto found = diagnose(loss, batch);
        if (pass == 0) {
          CHECK(found.mean_ratio == Approx(1).epsilon(1e-12));
          CHECK(found.clip_fraction == 0.0);
          CHECK(found.kl_k3 == Approx(0).margin(1e-12));
          last_entropy = found.entropy;
          if (step == 0) first_entropy = last_entropy;
        } else {
          CHECK(found.kl_k3 < 0.5);
          CHECK(found.clip_fraction <= 1.0);
        }
      }
    }
    order_type likeliest(n);
    std::iota(likeliest.begin(), likeliest.end(), 0u);
    std::sort(likeliest.begin(), likeliest.end(),
              [&](std::uint32_t a, std::uint32_t b) { return scores[a] > scores[b]; });
    CHECK(likeliest == best);
    numbers log_probability(1);
    rankloss::evaluate_orders(policy, rankloss::order_batch<double>{scores, best},
                              {.log_probabilities = log_probability}, ctx);
    CHECK(std::exp(log_probability[0]) > 0.8);
    // It began without a preference: log 5!.
    CHECK(first_entropy == Approx(std::log(120.0)).epsilon(1e-12));
    CHECK(last_entropy < 1.0);
  }
}

}  // namespace ppo_test
