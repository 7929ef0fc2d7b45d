// SPDX-License-Identifier: BSL-1.0
#include <rankloss/sorts/soft_top_k.hpp>

#include "support/reference.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <random>
#include <span>
#include <stdexcept>
#include <vector>

namespace sorts_soft_top_k_test {

using rankloss::context;
using rankloss::soft_top_k;
using rankloss::strided;
using rankloss::workspace;
using reference::real;

namespace {

template <class T>
using cspan = std::span<const T>;

/// The definition, its threshold found by halving.
struct plain_top_k {
  std::vector<real> p, density;
  std::vector<real> s;
  real t;
  real total = 0;

  template <class T>
  plain_top_k(const std::vector<T>& scores, const soft_top_k& how)
      : p(scores.size()), density(p), s(scores.begin(), scores.end()), t(how.temperature) {
    const auto [least, most] = std::minmax_element(s.begin(), s.end());
    real low = *least - 100 * t, high = *most + 100 * t, b = 0;
    for (int step = 0; step < 400; ++step) {
      b = (low + high) / 2;
      // sum p - k, the whole numbers and the tails each by themselves: far from all scores the tails are
      // nothing beside 1.
      real whole = -real(how.k), tails = 0;
      for (const real x : s) {
        whole += x < b ? 0 : 1;
        tails += std::exp(-std::abs(x - b) / t) / (x < b ? 2 : -2);
      }
      (whole + tails > 0 ? low : high) = b;
    }
    for (std::size_t i = 0; i < s.size(); ++i) {
      p[i] = share(s[i] - b);
      density[i] = std::exp(-std::abs(s[i] - b) / t) / (2 * t);
      total += density[i];
    }
  }
  real share(real d) const { return d < 0 ? std::exp(d / t) / 2 : 1 - std::exp(-d / t) / 2; }

  template <class U>
  real mean(const std::vector<U>& of) const {
    real sum = 0;
    for (std::size_t i = 0; i < s.size(); ++i) sum += density[i] * real(of[i]);
    return sum / total;
  }
  template <class U>
  std::vector<real> pullback(const std::vector<U>& c) const {
    std::vector<real> out;
    const real middle = mean(c);
    for (std::size_t i = 0; i < s.size(); ++i) out.push_back(density[i] * (real(c[i]) - middle));
    return out;
  }
  std::vector<real> by_k() const {
    std::vector<real> out;
    for (const real f : density) out.push_back(f / total);
    return out;
  }
  std::vector<real> by_temperature() const {
    std::vector<real> out;
    const real middle = mean(s);
    for (std::size_t i = 0; i < s.size(); ++i) out.push_back(-density[i] * (s[i] - middle) / t);
    return out;
  }
};

double worst(const auto& got, const std::vector<real>& expected, real least = 0) {
  real largest = least, error = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::abs(expected[i]));
    error = std::max(error, std::abs(real(got[i]) - expected[i]));
  }
  return largest > 0 ? static_cast<double>(error / largest) : static_cast<double>(error);
}

/// Everything that a selection offers.
struct selection {
  std::vector<double> p, pulled, pushed, by_k, by_temperature;

  template <class T>
  selection(const std::vector<T>& s, const soft_top_k& how, const std::vector<double>& c)
      : pulled(s.size()), pushed(s.size()), by_k(s.size()), by_temperature(s.size()) {
    workspace scratch;
    const auto result = how(strided<const T>(s.data(), s.size()), scratch);
    p.assign(result.values().begin(), result.values().end());
    result.pullback(c, pulled);
    result.push(c, pushed);
    result.by_k(by_k);
    result.by_temperature(by_temperature);
  }
  [[nodiscard]] bool finite() const {
    for (const auto* all : {&p, &pulled, &pushed, &by_k, &by_temperature})
      if (!std::all_of(all->begin(), all->end(), [](double x) { return std::isfinite(x); })) return false;
    return true;
  }
};

}  // namespace

TEMPLATE_TEST_CASE("soft_top_k: values and derivatives are those of the definition", "[sorts]", float,
                   double) {
  using T = TestType;
  std::mt19937_64 random(21);
  std::normal_distribution<double> normal;
  for (const double temperature : {0.02, 0.3, 5.0, 1e3})
    for (const int kind : {0, 1, 2})
      for (const std::size_t n : {1, 2, 3, 8, 17, 200, 1500})
        for (const double part : {0.001, 0.2, 0.5, 0.77, 0.999}) {
          for (const double k : {part * static_cast<double>(n), std::floor(part * static_cast<double>(n))}) {
            if (!(k > 0)) continue;
            std::vector<T> s(n);
            std::vector<double> c(n);
            for (T& x : s)
              x = static_cast<T>(kind == 0   ? normal(random)
                                 : kind == 1 ? std::round(3 * normal(random)) / 3
                                             : 0.75);
            for (double& x : c) x = normal(random);
            const soft_top_k how{.k = k, .temperature = temperature};
            const plain_top_k plain(s, how);
            const selection got(s, how, c);
            INFO("n " << n << ", k " << k << ", temperature " << temperature << ", kind " << kind);
            CHECK(worst(got.p, plain.p) <= 1e-13);
            CHECK(static_cast<double>(std::accumulate(got.p.begin(), got.p.end(), real(0))) ==
                  Approx(k).epsilon(1e-14));
            CHECK(worst(got.pulled, plain.pullback(c), plain.total * 1e-2L / static_cast<real>(n)) <= 1e-11);
            CHECK(got.pushed == got.pulled);
            CHECK(worst(got.by_k, plain.by_k()) <= 1e-11);
            CHECK(worst(got.by_temperature, plain.by_temperature(), 1e-3L / (plain.t * plain.t)) <= 1e-11);
          }
        }
}

TEST_CASE("soft_top_k: derivatives are those of finite differences", "[sorts]") {
  const std::vector<double> s{0.31, -0.22, 1.41, 0.05, 0.93, 0.62}, c{0.3, 1, -1, 2, 0.1, -0.7};
  const double h = 1e-6;
  for (const double k : {0.4, 2.0, 2.7, 5.5}) {
    const soft_top_k how{.k = k, .temperature = 0.4};
    const selection at(s, how, c);
    const selection more_k(s, {.k = k + h, .temperature = 0.4}, c),
        less_k(s, {.k = k - h, .temperature = 0.4}, c);
    const selection warmer(s, {.k = k, .temperature = 0.4 + h}, c),
        colder(s, {.k = k, .temperature = 0.4 - h}, c);
    for (std::size_t j = 0; j < s.size(); ++j) {
      std::vector<double> up = s, down = s;
      up[j] += h;
      down[j] -= h;
      const selection high(up, how, c), low(down, how, c);
      double slope = 0;
      for (std::size_t i = 0; i < s.size(); ++i) slope += c[i] * (high.p[i] - low.p[i]) / (2 * h);
      CHECK(at.pulled[j] == Approx(slope).epsilon(1e-7).margin(1e-8));
      CHECK(at.by_k[j] == Approx((more_k.p[j] - less_k.p[j]) / (2 * h)).epsilon(1e-7).margin(1e-8));
      CHECK(at.by_temperature[j] == Approx((warmer.p[j] - colder.p[j]) / (2 * h)).epsilon(1e-7).margin(1e-8));
    }
    CHECK(std::abs(std::accumulate(at.pulled.begin(), at.pulled.end(), 0.0)) <= 1e-15);
    CHECK(std::accumulate(at.by_k.begin(), at.by_k.end(), 0.0) == Approx(1));
  }
}

TEST_CASE("soft_top_k: worked by hand", "[sorts]") {
  // Two scores d apart, one to take: the threshold is in the middle.
  const selection two(std::vector<double>{1.0, 3.0}, {.k = 1, .temperature = 0.5}, {1.0, 0.0});
  CHECK(two.p[1] == Approx(1 - 0.5 * std::exp(-2)).epsilon(1e-15));
  CHECK(two.p[0] == Approx(0.5 * std::exp(-2)).epsilon(1e-15));
  CHECK(two.by_k[0] == Approx(0.5).epsilon(1e-15));
  // One score: all of k is its.
  const selection one(std::vector<double>{7.0}, {.k = 0.3, .temperature = 2}, {1.0});
  CHECK(one.p[0] == Approx(0.3).epsilon(1e-15));
  CHECK(one.pulled[0] == 0);
  CHECK(one.by_k[0] == 1);
  CHECK(one.by_temperature[0] == 0);
}

TEST_CASE("soft_top_k: limits of the temperature", "[sorts]") {
  const std::vector<double> s{0.3, -1.0, 2.0, 0.5, 0.5, 2.5}, c{1, 2, 3, 4, 5, 6};
  CHECK(selection(s, {.k = 2, .temperature = 1e-15}, c).p == std::vector<double>{0, 0, 1, 0, 0, 1});
  CHECK(selection(s, {.k = 5, .temperature = 1e-15}, c).p == std::vector<double>{1, 0, 1, 1, 1, 1});
  const selection shared(s, {.k = 2.5, .temperature = 1e-3}, c);
  CHECK(shared.p[3] == Approx(0.25));  // the half that is left is for both of the equal ones
  CHECK(shared.p[4] == shared.p[3]);
  CHECK(shared.p[2] == 1);
  CHECK(shared.p[0] == Approx(0).margin(1e-15));
  const selection even(s, {.k = 2, .temperature = 1e300}, c);
  for (const double p : even.p) CHECK(p == Approx(2.0 / 6));
  // Nothing is left of the density, but how it is shared out is.
  const selection far(s, {.k = 2, .temperature = 1e-15}, c);
  CHECK(far.by_k == std::vector<double>{0, 0, 0.5, 0.25, 0.25, 0});
}

TEST_CASE("soft_top_k: none and all", "[sorts]") {
  const std::vector<double> s{3, 1, 2}, c{1, 2, 3}, zeros(3, 0.0), ones(3, 1.0);
  for (const double k : {0.0, 3.0, 3.5, 1e300, std::numeric_limits<double>::infinity()}) {
    const selection got(s, {.k = k}, c);
    CHECK(got.p == (k > 0 ? ones : zeros));
    CHECK(got.pulled == zeros);
    CHECK(got.by_k == zeros);
    CHECK(got.by_temperature == zeros);
  }
  // Next to it everything is continuous.
  CHECK(selection(s, {.k = 1e-300}, c).finite());
  CHECK(selection(s, {.k = 1e-300}, c).by_k[0] == Approx(1 / (1 + std::exp(-1) + std::exp(-2))));
  // A sum that is subnormal, and nothing beside the number of items that share it.
  for (const double k : {std::numeric_limits<double>::denorm_min(), std::numeric_limits<double>::min()})
    for (const double temperature : {1e-15, 1.0, 1e300}) {
      INFO("k " << k << ", temperature " << temperature);
      const selection least(std::vector<double>{2, 2, 2, 1}, {.k = k, .temperature = temperature},
                            {1, 2, 3, 4});
      CHECK(least.finite());
      for (const double p : least.p) CHECK(p <= k);
      CHECK(std::accumulate(least.by_k.begin(), least.by_k.end(), 0.0) == Approx(1));
      CHECK(least.by_k[0] == least.by_k[2]);
    }
  const selection most(s, {.k = std::nextafter(3.0, 0.0)}, c);
  CHECK(most.finite());
  CHECK(most.by_k[1] == Approx(1 / (1 + std::exp(-1) + std::exp(-2))));
}

TEMPLATE_TEST_CASE("soft_top_k: any finite or infinite score", "[sorts]", float, double) {
  using T = TestType;
  constexpr T huge = static_cast<T>(3e38);
  constexpr T infinity = std::numeric_limits<T>::infinity();
  const std::vector<T> s{huge,
                         -huge,
                         0,
                         infinity,
                         -infinity,
                         infinity,
                         1,
                         std::numeric_limits<T>::max(),
                         std::numeric_limits<T>::lowest(),
                         1};
  const std::vector<double> c{1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  for (const double temperature : {1e-15, 1e-3, 1.0, 1e30, 1e300})
    for (const double k : {1e-9, 0.5, 1.0, 2.0, 3.0, 4.0, 4.5, 7.0, 8.0, 9.9}) {
      const selection got(s, {.k = k, .temperature = temperature}, c);
      INFO("k " << k << ", temperature " << temperature);
      CHECK(got.finite());
      CHECK(std::accumulate(got.p.begin(), got.p.end(), 0.0) == Approx(k));
      CHECK(std::accumulate(got.by_k.begin(), got.by_k.end(), 0.0) == Approx(1));
    }
  CHECK(selection(s, {.k = 4, .temperature = 1e-3}, c).p ==
        std::vector<double>{1, 0, 0, 1, 0, 1, 0, 1, 0, 0});
}

TEST_CASE("soft_top_k: a NaN that nobody looked for ends", "[sorts]") {
  // LapSum's own walk does not: every comparison is false.
  context ctx(rankloss::data_checks::off);
  const std::vector<double> s{1, std::nan(""), 2, std::nan("")};
  std::vector<double> out(4);
  top_k(soft_top_k{.k = 2}, cspan<double>(s), std::span(out), ctx);
  CHECK(out.size() == 4);
}

TEMPLATE_TEST_CASE("soft_top_k: through its verbs", "[sorts]", float, double) {
  using T = TestType;
  context ctx;
  std::vector<T> s{3, 1, 2, 0}, c{1, -1, 2, 5}, p(4), gradient(4), none;
  const soft_top_k how{.k = 1.5, .temperature = 0.5};
  const selection expected(s, how, std::vector<double>(c.begin(), c.end()));
  top_k(how, cspan<T>(s), std::span(p), ctx);
  top_k_pullback(how, cspan<T>(s), cspan<T>(c), std::span(gradient), ctx);
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(p[i] == static_cast<T>(expected.p[i]));
    CHECK(gradient[i] == static_cast<T>(expected.pulled[i]));
  }
  top_k(how, cspan<T>(none), std::span(none), ctx);
  top_k_pullback(how, cspan<T>(none), cspan<T>(none), std::span(none), ctx);

  using Catch::Matchers::Message;
  std::vector<T> few(3);
  CHECK_THROWS_MATCHES(top_k(how, cspan<T>(s), std::span(few), ctx), std::invalid_argument,
                       Message("rankloss: values: size 3, expected 4 (one per score)"));
  CHECK_THROWS_MATCHES(top_k_pullback(how, cspan<T>(s), cspan<T>(few), std::span(gradient), ctx),
                       std::invalid_argument,
                       Message("rankloss: cotangent: size 3, expected 4 (one per score)"));
  CHECK_THROWS_MATCHES(top_k_pullback(how, cspan<T>(s), cspan<T>(c), std::span(few), ctx),
                       std::invalid_argument,
                       Message("rankloss: gradient: size 3, expected 4 (one per score)"));
  CHECK_THROWS_MATCHES(top_k(soft_top_k{.k = -1}, cspan<T>(s), std::span(p), ctx), std::invalid_argument,
                       Message("rankloss: k: -1, expected a finite number >= 0, or inf"));
  CHECK_THROWS_MATCHES(top_k(soft_top_k{.k = std::nan("")}, cspan<T>(s), std::span(p), ctx),
                       std::invalid_argument,
                       Message("rankloss: k: nan, expected a finite number >= 0, or inf"));
  CHECK_THROWS_MATCHES(top_k(soft_top_k{.temperature = 0}, cspan<T>(s), std::span(p), ctx),
                       std::invalid_argument, Message("rankloss: temperature: 0, expected 1e-15 to 1e300"));
  s[1] = std::numeric_limits<T>::quiet_NaN();
  CHECK_THROWS_MATCHES(top_k(how, cspan<T>(s), std::span(p), ctx), std::invalid_argument,
                       Message("rankloss: scores: nan at item 1, expected a number"));
}

TEST_CASE("soft_top_k: vectors as they are, without a context") {
  context ctx;
  const soft_top_k how{.k = 2};
  const std::vector<double> s{0.5, -1, 2}, c{1, 0, 2};
  std::vector<double> expected(3), found(3);
  top_k(how, cspan<double>(s), std::span(expected), ctx);
  top_k(how, s, found);
  CHECK(found == expected);
  top_k_pullback(how, cspan<double>(s), cspan<double>(c), std::span(expected), ctx);
  top_k_pullback(how, s, c, found);
  CHECK(found == expected);
}

}  // namespace sorts_soft_top_k_test
