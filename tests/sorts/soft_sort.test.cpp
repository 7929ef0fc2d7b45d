// SPDX-License-Identifier: BSL-1.0
#include <rankloss/sorts/soft_sort.hpp>

#include <rankloss/threads.hpp>

#include "support/reference.hpp"
#include "vectors/soft_sort_vectors.hpp"

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

namespace sorts_soft_sort_test {

using rankloss::context;
using rankloss::soft_sort;
using rankloss::sort_distance;
using rankloss::sort_forward;
using reference::real;

namespace {

template <class T>
using cspan = std::span<const T>;

/// P of the formula, and its products and derivatives, in O(n^2).
struct plain_soft_sort {
  std::size_t n;
  std::vector<real> s, top, p;
  real t;
  bool squared;

  template <class T>
  plain_soft_sort(const std::vector<T>& scores, const soft_sort& how)
      : n(scores.size()),
        s(scores.begin(), scores.end()),
        top(s),
        p(n * n),
        t(how.temperature),
        squared(how.distance == sort_distance::squared) {
    std::sort(top.begin(), top.end(), std::greater<>());
    for (std::size_t i = 0; i < n; ++i) {
      real sum = 0;
      for (std::size_t j = 0; j < n; ++j)
        sum += p[i * n + j] =
            std::exp(-(squared ? (top[i] - s[j]) * (top[i] - s[j]) : std::abs(top[i] - s[j])) / t);
      for (std::size_t j = 0; j < n; ++j) p[i * n + j] /= sum;
    }
  }

  template <class U>
  std::vector<real> apply(const std::vector<U>& v) const {
    std::vector<real> out(n, 0);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) out[i] += p[i * n + j] * real(v[j]);
    return out;
  }
  template <class U>
  std::vector<real> apply_transposed(const std::vector<U>& u) const {
    std::vector<real> out(n, 0);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) out[j] += p[i * n + j] * real(u[i]);
    return out;
  }
  template <class U>
  std::vector<real> pullback(const std::vector<U>& v, const std::vector<U>& c) const {
    const std::vector<real> o = apply(v);
    std::vector<real> by_top(n, 0), gradient(n, 0);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) {
        const real d = top[i] - s[j];
        const real slope = -(squared ? 2 * d : real(d > 0) - real(d < 0)) / t;
        const real pull = real(c[i]) * p[i * n + j] * (real(v[j]) - o[i]) * slope;
        by_top[i] += pull;
        gradient[j] -= pull;
      }
    // Equal scores share: their rows are the same, so who gets which does not matter but for the cotangent.
    std::vector<std::size_t> order(n);
    for (std::size_t i = 0; i < n; ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return s[i] > s[j]; });
    for (std::size_t i = 0; i < n; ++i) gradient[order[i]] += by_top[i];
    return gradient;
  }
};

template <class T>
double worst(const std::vector<T>& got, const std::vector<real>& expected, real least = 0) {
  real largest = least, error = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    largest = std::max(largest, std::abs(expected[i]));
    error = std::max(error, std::abs(real(got[i]) - expected[i]));
  }
  return largest > 0 ? static_cast<double>(error / largest) : static_cast<double>(error);
}

template <class T>
std::vector<T> scores_of(std::size_t n, unsigned kind, std::mt19937_64& random) {
  std::normal_distribution<double> normal;
  std::vector<T> s(n);
  for (T& x : s) {
    double v = normal(random);
    if (kind == 1) v = std::round(4 * v) / 4;
    if (kind == 2) v = 0.75;
    if (kind == 3) v = 1e-6 * v + static_cast<double>(random() % 3) * 50;
    x = static_cast<T>(v);
  }
  return s;
}

}  // namespace

TEMPLATE_TEST_CASE("soft_sort: matrix, products and derivatives are those of the formula", "[sorts]", float,
                   double) {
  using T = TestType;
  const double bound = sizeof(T) == 4 ? 1e-6 : 1e-13;
  context ctx;
  std::mt19937_64 random(11);
  std::normal_distribution<double> normal;
  for (const sort_distance distance : {sort_distance::absolute, sort_distance::squared})
    for (const double temperature : {1e-3, 0.1, 1.0, 30.0})
      for (const unsigned kind : {0, 1, 2, 3})
        for (const std::size_t n : {1, 2, 3, 7, 8, 9, 33, 200}) {
          const soft_sort how{.temperature = temperature, .distance = distance};
          const std::vector<T> s = scores_of<T>(n, kind, random);
          std::vector<T> v(n), c(n), out(n), back(n), gradient(n), matrix(n * n);
          for (T& x : v) x = static_cast<T>(normal(random));
          for (T& x : c) x = static_cast<T>(normal(random));
          const plain_soft_sort plain(s, how);
          INFO("n " << n << ", temperature " << temperature << ", kind " << kind << ", squared "
                    << plain.squared);
          sort_matrix(how, cspan<T>(s), std::span(matrix), ctx);
          CHECK(worst(matrix, plain.p) <= bound);
          sort_apply(how, cspan<T>(s), cspan<T>(v), std::span(out), ctx);
          CHECK(worst(out, plain.apply(v), 1) <= bound);
          sort_apply_transposed(how, cspan<T>(s), cspan<T>(c), std::span(back), ctx);
          CHECK(worst(back, plain.apply_transposed(c)) <= bound);
          sort_pullback(how, cspan<T>(s), cspan<T>(v), cspan<T>(c), std::span(gradient), ctx);
          CHECK(worst(gradient, plain.pullback(v, c), real(sizeof(T) == 4 ? 1e-4 : 1e-13) / temperature) <=
                bound);
        }
}

TEST_CASE("soft_sort: a long list, and values far from 0", "[sorts]") {
  context ctx;
  std::mt19937_64 random(3);
  std::normal_distribution<double> normal;
  const std::size_t n = 3000;
  for (const sort_distance distance : {sort_distance::absolute, sort_distance::squared})
    for (const double temperature : {1e-4, 0.05, 10.0}) {
      std::vector<double> s = scores_of<double>(n, 0, random), v(n), c(n), gradient(n);
      for (double& x : v) x = 1e3 + normal(random);
      for (double& x : c) x = normal(random);
      const soft_sort how{.temperature = temperature, .distance = distance};
      sort_pullback(how, cspan<double>(s), cspan<double>(v), cspan<double>(c), std::span(gradient), ctx);
      const double error = worst(gradient, plain_soft_sort(s, how).pullback(v, c));
      INFO("temperature " << temperature << ", error " << 1e13 * error << "e-13");
      CHECK(error <= 1e-12);
      CHECK(std::abs(std::accumulate(gradient.begin(), gradient.end(), 0.0)) <= 1e-9 / temperature);
    }
}

TEMPLATE_TEST_CASE("soft_sort: lists of several pieces, with ties, on any number of threads", "[sorts]",
                   float, double) {
  using T = TestType;
  constexpr std::size_t n = 3 * rankloss::detail::tuning::stretched_items + 5001;
  const double bound = sizeof(T) == 4 ? 1e-6 : 1e-13;
  std::mt19937_64 random(4);
  std::normal_distribution<double> normal;
  std::vector<T> s(n), v(n), c(n);
  for (std::size_t i = 0; i < n; ++i) {
    s[i] = static_cast<T>(i % 3 == 0 ? std::round(2 * normal(random)) : normal(random));
    v[i] = static_cast<T>(normal(random));
    c[i] = static_cast<T>(normal(random));
  }
  s[n / 2] = T{100};
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return s[i] > s[j]; });
  for (const double temperature : {1e-5, 0.01, 1.0, 10.0}) {
    INFO("temperature " << temperature);
    const real t = temperature;
    // For each sorted item the sum of a_j kernel over the items of greater scores, of equal ones, and of
    // smaller ones.
    struct sides {
      std::vector<real> above, equal, below;
    };
    const auto sides_of = [&](const auto& a) {
      sides found{std::vector<real>(n), std::vector<real>(n), std::vector<real>(n)};
      for (const bool down : {true, false}) {
        real passed = 0;
        for (std::size_t begin = 0; begin < n;) {
          const auto at = [&](std::size_t k) { return down ? k : n - 1 - k; };
          std::size_t end = begin;
          real own = 0;
          for (; end < n && s[order[at(end)]] == s[order[at(begin)]]; ++end) own += a(at(end));
          for (std::size_t k = begin; k < end; ++k) {
            (down ? found.above : found.below)[at(k)] = passed;
            found.equal[at(k)] = own;
          }
          if (end < n)
            passed =
                (passed + own) * std::exp(-std::abs(real(s[order[at(begin)]]) - real(s[order[at(end)]])) / t);
          begin = end;
        }
      }
      return found;
    };
    const auto all = [&](const sides& of, std::size_t k) { return of.above[k] + of.equal[k] + of.below[k]; };
    const sides one = sides_of([](std::size_t) { return real(1); });
    const sides value = sides_of([&](std::size_t k) { return real(v[order[k]]); });
    std::vector<real> applied(n), by_row(n), transposed(n), gradient(n);
    for (std::size_t k = 0; k < n; ++k) applied[k] = all(value, k) / all(one, k);
    for (std::size_t k = 0; k < n; ++k) by_row[k] = real(c[k]) / all(one, k);
    const sides row = sides_of([&](std::size_t k) { return by_row[k]; });
    const sides moved = sides_of([&](std::size_t k) { return by_row[k] * applied[k]; });
    for (std::size_t k = 0; k < n; ++k) {
      transposed[order[k]] = all(row, k);
      gradient[order[k]] = (real(v[order[k]]) * (row.above[k] - row.below[k]) - moved.above[k] +
                            moved.below[k] - by_row[k] * (value.below[k] - value.above[k]) +
                            by_row[k] * applied[k] * (one.below[k] - one.above[k])) /
                           t;
    }
    const soft_sort how{.temperature = temperature};
    std::vector<T> out[2], back[2], slopes[2];
    for (const std::size_t more : {0u, 1u}) {
      context ctx{rankloss::threads(1 + 2 * more)};
      for (auto* result : {&out[more], &back[more], &slopes[more]}) result->resize(n);
      sort_apply(how, cspan<T>(s), cspan<T>(v), std::span(out[more]), ctx);
      sort_apply_transposed(how, cspan<T>(s), cspan<T>(c), std::span(back[more]), ctx);
      sort_pullback(how, cspan<T>(s), cspan<T>(v), cspan<T>(c), std::span(slopes[more]), ctx);
    }
    CHECK(worst(out[0], applied, 1) <= bound);
    CHECK(worst(back[0], transposed) <= bound);
    CHECK(worst(slopes[0], gradient) <= 10 * bound);  // what is left of 10^5 terms
    CHECK(out[0] == out[1]);
    CHECK(back[0] == back[1]);
    CHECK(slopes[0] == slopes[1]);
  }
}

TEST_CASE("soft_sort: derivatives are those of finite differences", "[sorts]") {
  context ctx;
  const std::vector<double> s{0.31, -0.22, 1.41, 0.05, 0.93, 0.62}, v{1, -2, 0.5, 3, 0, -1},
      c{0.3, 1, -1, 2, 0.1, -0.7};
  const std::size_t n = s.size();
  for (const soft_sort how :
       {soft_sort{.temperature = 0.4}, soft_sort{.temperature = 0.4, .distance = sort_distance::squared}}) {
    std::vector<double> gradient(n), high(n), low(n);
    sort_pullback(how, cspan<double>(s), cspan<double>(v), cspan<double>(c), std::span(gradient), ctx);
    for (std::size_t k = 0; k < n; ++k) {
      std::vector<double> up = s, down = s;
      up[k] += 1e-6;
      down[k] -= 1e-6;
      sort_apply(how, cspan<double>(up), cspan<double>(v), std::span(high), ctx);
      sort_apply(how, cspan<double>(down), cspan<double>(v), std::span(low), ctx);
      double slope = 0;
      for (std::size_t i = 0; i < n; ++i) slope += c[i] * (high[i] - low[i]) / 2e-6;
      CHECK(gradient[k] == Approx(slope).epsilon(1e-7).margin(1e-8));
    }
  }
}

TEST_CASE("soft_sort: the published code's numbers", "[sorts]") {
  context ctx;
  for (const vectors::soft_sort& expected : vectors::soft_sort_cases) {
    const soft_sort how{.temperature = expected.temperature,
                        .distance = expected.power == 1 ? sort_distance::absolute : sort_distance::squared};
    for (std::size_t list = 0; list < 2; ++list) {
      const std::vector<double>& s = vectors::soft_sort_scores[list];
      std::vector<double> matrix(25), sum(5, 0.0), unit(5), cotangent(5), gradient(5);
      sort_matrix(how, cspan<double>(s), std::span(matrix), ctx);
      for (std::size_t e = 0; e < 25; ++e)
        CHECK(matrix[e] == Approx(expected.matrix[list][e]).epsilon(1e-12));
      for (std::size_t j = 0; j < 5; ++j) {
        for (std::size_t i = 0; i < 5; ++i) {
          unit[i] = i == j ? 1.0 : 0.0;
          cotangent[i] = static_cast<double>(list * 25 + i * 5 + j + 1) / 10;
        }
        sort_pullback(how, cspan<double>(s), cspan<double>(unit), cspan<double>(cotangent),
                      std::span(gradient), ctx);
        for (std::size_t k = 0; k < 5; ++k) sum[k] += gradient[k];
      }
      for (std::size_t k = 0; k < 5; ++k)
        CHECK(sum[k] == Approx(expected.gradient[list][k]).epsilon(1e-9).margin(1e-12));
    }
  }
}

TEST_CASE("soft_sort: rows worked by hand", "[sorts]") {
  context ctx;
  const std::vector<double> s{3, 1, 0};  // as rankit's example, temperature 2
  std::vector<double> matrix(9);
  sort_matrix(soft_sort{.temperature = 2}, cspan<double>(s), std::span(matrix), ctx);
  const double exponents[3][3] = {{0, -1, -1.5}, {-1, 0, -0.5}, {-1.5, -0.5, 0}};
  for (std::size_t i = 0; i < 3; ++i) {
    const double sum = std::exp(exponents[i][0]) + std::exp(exponents[i][1]) + std::exp(exponents[i][2]);
    for (std::size_t j = 0; j < 3; ++j)
      CHECK(matrix[i * 3 + j] == Approx(std::exp(exponents[i][j]) / sum).epsilon(1e-14));
  }
}

TEST_CASE("soft_sort: straight-through is exact forwards and soft backwards", "[sorts]") {
  context ctx;
  const std::vector<double> s{0.3, -1.0, 2.0, 0.5, 0.5}, v{1e20, 1, 2, 3, 4}, c{1, -2, 0.5, 3, 0};
  for (const sort_distance distance : {sort_distance::absolute, sort_distance::squared}) {
    const soft_sort soft{.temperature = 0.7, .distance = distance};
    soft_sort hard = soft;
    hard.forward = sort_forward::hard;
    std::vector<double> out(5), back(5), matrix(25), gradient(5), expected(5);
    sort_apply(hard, cspan<double>(s), cspan<double>(v), std::span(out), ctx);
    CHECK(out == std::vector<double>{2, 3, 4, 1e20, 1});
    sort_apply_transposed(hard, cspan<double>(s), cspan<double>(c), std::span(back), ctx);
    CHECK(back == std::vector<double>{3, 0, 1, -2, 0.5});
    sort_matrix(hard, cspan<double>(s), std::span(matrix), ctx);
    std::vector<double> ones(25, 0.0);
    ones[2] = ones[5 + 3] = ones[10 + 4] = ones[15] = ones[20 + 1] = 1;
    CHECK(matrix == ones);
    sort_pullback(hard, cspan<double>(s), cspan<double>(v), cspan<double>(c), std::span(gradient), ctx);
    sort_pullback(soft, cspan<double>(s), cspan<double>(v), cspan<double>(c), std::span(expected), ctx);
    CHECK(gradient == expected);
  }
}

TEMPLATE_TEST_CASE("soft_sort: any finite or infinite score", "[sorts]", float, double) {
  using T = TestType;
  constexpr T huge = static_cast<T>(3e38);
  constexpr T infinity = std::numeric_limits<T>::infinity();
  context ctx;
  const std::vector<T> s{huge,
                         -huge,
                         0,
                         infinity,
                         -infinity,
                         infinity,
                         1,
                         std::numeric_limits<T>::max(),
                         std::numeric_limits<T>::lowest(),
                         1,
                         2,
                         3};
  const std::vector<T> v{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  const std::size_t n = s.size();
  for (const sort_distance distance : {sort_distance::absolute, sort_distance::squared})
    for (const double temperature : {1e-15, 1e-3, 1.0, 1e30, 1e300}) {
      const soft_sort how{.temperature = temperature, .distance = distance};
      std::vector<T> out(n), back(n), gradient(n), matrix(n * n);
      sort_apply(how, cspan<T>(s), cspan<T>(v), std::span(out), ctx);
      sort_apply_transposed(how, cspan<T>(s), cspan<T>(v), std::span(back), ctx);
      sort_pullback(how, cspan<T>(s), cspan<T>(v), cspan<T>(v), std::span(gradient), ctx);
      sort_matrix(how, cspan<T>(s), std::span(matrix), ctx);
      for (const auto& all : {out, back, gradient, matrix})
        for (const T x : all) CHECK(std::isfinite(static_cast<double>(x)));
      if (temperature > 1e-2) continue;
      CHECK(out[0] == Approx(6));  // both infinities and the greatest finite score: 4, 6, 8
      CHECK(out[4] == Approx(12));
      CHECK(out[6] == Approx(8.5));
      CHECK(out[8] == Approx(3));
    }
}

TEST_CASE("soft_sort: limits of the temperature, and no items", "[sorts]") {
  context ctx;
  const std::vector<double> s{0.3, -1.0, 2.0, 0.5}, v{1, 2, 3, 4}, none;
  for (const sort_distance distance : {sort_distance::absolute, sort_distance::squared}) {
    std::vector<double> out(4), nothing;
    sort_apply(soft_sort{.temperature = 1e-15, .distance = distance}, cspan<double>(s), cspan<double>(v),
               std::span(out), ctx);
    CHECK(out == std::vector<double>{3, 4, 1, 2});
    sort_apply(soft_sort{.temperature = 1e300, .distance = distance}, cspan<double>(s), cspan<double>(v),
               std::span(out), ctx);
    for (const double x : out) CHECK(x == Approx(2.5));
    const soft_sort how{.distance = distance};
    sort_apply(how, cspan<double>(none), cspan<double>(none), std::span(nothing), ctx);
    sort_apply_transposed(how, cspan<double>(none), cspan<double>(none), std::span(nothing), ctx);
    sort_pullback(how, cspan<double>(none), cspan<double>(none), cspan<double>(none), std::span(nothing),
                  ctx);
    sort_matrix(how, cspan<double>(none), std::span(nothing), ctx);
  }
}

TEST_CASE("soft_sort: scratch is linear in the list", "[sorts]") {
  for (const sort_distance distance : {sort_distance::absolute, sort_distance::squared}) {
    context ctx;
    const std::size_t n = 20000;
    std::mt19937_64 random(1);
    const std::vector<double> s = scores_of<double>(n, 0, random);
    std::vector<double> gradient(n);
    sort_pullback(soft_sort{.temperature = 1e-7, .distance = distance}, cspan<double>(s), cspan<double>(s),
                  cspan<double>(s), std::span(gradient), ctx);
    CHECK(ctx.scratch_capacity() <= 200 * n);
  }
}

TEST_CASE("soft_sort: what does not fit is named", "[sorts]") {
  context ctx;
  std::vector<double> s{1, 2, std::nan("")}, out(3), few(2), matrix(8);
  using Catch::Matchers::Message;
  CHECK_THROWS_MATCHES(sort_apply(soft_sort{}, cspan<double>(s), cspan<double>(out), std::span(out), ctx),
                       std::invalid_argument, Message("rankloss: scores: nan at item 2, expected a number"));
  s[2] = 0;
  CHECK_THROWS_MATCHES(sort_apply(soft_sort{}, cspan<double>(s), cspan<double>(few), std::span(out), ctx),
                       std::invalid_argument,
                       Message("rankloss: values: size 2, expected 3 (one per score)"));
  CHECK_THROWS_MATCHES(sort_matrix(soft_sort{}, cspan<double>(s), std::span(matrix), ctx),
                       std::invalid_argument,
                       Message("rankloss: matrix: size 8, expected 9 (scores times scores)"));
  CHECK_THROWS_MATCHES(
      sort_apply(soft_sort{.temperature = 0}, cspan<double>(s), cspan<double>(s), std::span(out), ctx),
      std::invalid_argument, Message("rankloss: temperature: 0, expected 1e-15 to 1e300"));
  CHECK_THROWS_MATCHES(sort_apply(soft_sort{.temperature = std::nan("")}, cspan<double>(s), cspan<double>(s),
                                  std::span(out), ctx),
                       std::invalid_argument, Message("rankloss: temperature: nan, expected 1e-15 to 1e300"));
}

TEST_CASE("soft_sort: derivatives that a float cannot hold are the largest one that it can") {
  const std::vector<float> s{0.0f, 1.0f, 2.5f}, values{1e30f, -1e30f, 0.0f}, cotangent{1e30f, 1e30f, 1e30f};
  std::vector<float> g(3);
  rankloss::sort_pullback(soft_sort{}, s, values, cotangent, g);
  constexpr float largest = std::numeric_limits<float>::max();
  for (const float x : g) CHECK(std::abs(x) == largest);
  // Their sum is 0 where nothing is cut off.
  std::vector<double> wide(3);
  rankloss::sort_pullback(soft_sort{}, std::vector<double>(s.begin(), s.end()),
                          std::vector<double>(values.begin(), values.end()),
                          std::vector<double>(cotangent.begin(), cotangent.end()), wide);
  for (std::size_t i = 0; i < 3; ++i) CHECK((wide[i] > 0) == (g[i] > 0));
}

}  // namespace sorts_soft_sort_test
