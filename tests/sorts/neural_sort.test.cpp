// SPDX-License-Identifier: BSL-1.0
#include <rankloss/sorts/neural_sort.hpp>

#include "support/reference.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <random>
#include <span>
#include <vector>

namespace sorts_neural_sort_test {

using rankloss::context;
using rankloss::neural_sort;
using reference::real;

namespace {

template <class T>
using cspan = std::span<const T>;

/// The formula as it stands, and the derivative of the bilinear form u P v; |s_j - s_k| is flat where the
/// scores are equal.
template <class T>
struct dense {
  std::size_t n;
  std::vector<real> p;

  dense(const std::vector<T>& s, real t) : n(s.size()), p(n * n) {
    for (std::size_t i = 0; i < n; ++i) {
      std::vector<real> logit(n);
      for (std::size_t j = 0; j < n; ++j) {
        real distance = 0;
        for (const T x : s) distance += std::abs(real(s[j]) - real(x));
        logit[j] = ((real(n) + 1 - 2 * (real(i) + 1)) * real(s[j]) - distance) / t;
      }
      const real top = *std::max_element(logit.begin(), logit.end());
      real sum = 0;
      for (std::size_t j = 0; j < n; ++j) sum += p[i * n + j] = std::exp(logit[j] - top);
      for (std::size_t j = 0; j < n; ++j) p[i * n + j] /= sum;
    }
  }

  std::vector<real> apply(const std::vector<T>& v) const {
    std::vector<real> y(n, 0);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) y[i] += p[i * n + j] * real(v[j]);
    return y;
  }
  std::vector<real> apply_transposed(const std::vector<T>& u) const {
    std::vector<real> y(n, 0);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) y[j] += p[i * n + j] * real(u[i]);
    return y;
  }
  std::vector<real> pullback(const std::vector<T>& s, real t, const std::vector<T>& v,
                             const std::vector<T>& u) const {
    const std::vector<real> y = apply(v);
    std::vector<real> g(n, 0);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) {
        const real d = p[i * n + j] * real(u[i]) * (real(v[j]) - y[i]) / t;
        g[j] += d * (real(n) + 1 - 2 * (real(i) + 1));
        for (std::size_t k = 0; k < n; ++k) {
          const real sign = s[j] > s[k] ? 1 : s[j] < s[k] ? -1 : 0;
          g[j] -= d * sign;
          g[k] += d * sign;
        }
      }
    return g;
  }
};

template <class T>
double worst(const std::vector<T>& got, const std::vector<real>& expected) {
  real largest = 0, error = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    largest = std::max(largest, std::abs(expected[i]));
    error = std::max(error, std::abs(real(got[i]) - expected[i]));
  }
  return static_cast<double>(largest > 0 ? error / largest : error);
}

}  // namespace

TEMPLATE_TEST_CASE("neural_sort: the band equals the dense matrix", "", float, double) {
  using T = TestType;
  const double bound = sizeof(T) == 4 ? 1e-6 : 1e-12;
  context ctx;
  std::mt19937_64 random(11);
  std::normal_distribution<double> normal;
  for (const double temperature : {1e-3, 0.1, 1.0, 30.0})
    for (const std::size_t n : {1, 2, 3, 8, 9, 33, 100, 150}) {
      std::vector<T> s(n), v(n), u(n), y(n), z(n), g(n), matrix(n * n);
      for (T& x : s) x = static_cast<T>(n % 3 == 0 ? std::round(2 * normal(random)) / 2 : normal(random));
      for (T& x : v) x = static_cast<T>(normal(random));
      for (T& x : u) x = static_cast<T>(normal(random));
      const neural_sort how{.temperature = temperature};
      const dense<T> expected(s, temperature);
      sort_apply(how, cspan<T>(s), cspan<T>(v), std::span(y), ctx);
      sort_apply_transposed(how, cspan<T>(s), cspan<T>(u), std::span(z), ctx);
      sort_pullback(how, cspan<T>(s), cspan<T>(v), cspan<T>(u), std::span(g), ctx);
      sort_matrix(how, cspan<T>(s), std::span(matrix), ctx);
      INFO("n " << n << ", temperature " << temperature);
      CHECK(worst(matrix, expected.p) <= bound);
      CHECK(worst(y, expected.apply(v)) <= bound);
      CHECK(worst(z, expected.apply_transposed(u)) <= bound);
      const std::vector<real> gradient = expected.pullback(s, temperature, v, u);
      // What is far below the gradient of a pair that overlaps is rounding.
      if (*std::max_element(gradient.begin(), gradient.end()) > 1e-3) CHECK(worst(g, gradient) <= 20 * bound);
      CHECK(std::accumulate(g.begin(), g.end(), 0.0) ==
            Approx(0.0).margin(100 * bound * (1.0 + static_cast<double>(n) / temperature)));
    }
}

TEST_CASE("neural_sort: worked by hand") {
  context ctx;
  const auto check = [&](const std::vector<double>& s, double temperature,
                         const std::vector<std::vector<double>>& logits) {
    const std::size_t n = s.size();
    std::vector<double> matrix(n * n);
    sort_matrix(neural_sort{.temperature = temperature}, cspan<double>(s), std::span(matrix), ctx);
    for (std::size_t i = 0; i < n; ++i) {
      const double sum = std::accumulate(logits[i].begin(), logits[i].end(), 0.0,
                                         [](double all, double l) { return all + std::exp(l); });
      for (std::size_t j = 0; j < n; ++j)
        CHECK(matrix[i * n + j] == Approx(std::exp(logits[i][j]) / sum).epsilon(1e-14));
    }
  };
  check({3, 1, 0}, 2, {{0.5, -0.5, -2}, {-2.5, -1.5, -2}, {-5.5, -2.5, -2}});
  // The valid items of TF-Ranking's masked list 3, 1, -1, (1000), (5), 2: what is masked there is not in a
  // list here.
  check({3, 1, -1, 2}, 1, {{2, -2, -12, 1}, {-4, -4, -10, -3}, {-10, -6, -8, -7}, {-16, -8, -6, -11}});
}

TEMPLATE_TEST_CASE("neural_sort: edge cases", "", float, double) {
  using T = TestType;
  constexpr T huge = static_cast<T>(3e38);
  context ctx;
  const std::vector<T> s{0, huge, -huge, std::numeric_limits<T>::infinity(), 1};
  std::vector<T> sorted(5), g(5);
  const std::vector<T> v{1, 2, 3, 4, 5}, u{5, 4, 3, 2, 1};
  sort_apply(neural_sort{.temperature = 1e-3}, cspan<T>(s), cspan<T>(v), std::span(sorted), ctx);
  CHECK(sorted == std::vector<T>{4, 2, 5, 1, 3});
  sort_pullback(neural_sort{.temperature = 1e-3}, cspan<T>(s), cspan<T>(v), cspan<T>(u), std::span(g), ctx);
  for (const T x : g) CHECK(std::isfinite(static_cast<double>(x)));

  const std::vector<T> equal(70, static_cast<T>(0.7));
  std::vector<T> ones(70, 1), numbers(70), out(70), gradient(70);
  std::iota(numbers.begin(), numbers.end(), T{0});
  sort_apply(neural_sort{}, cspan<T>(equal), cspan<T>(numbers), std::span(out), ctx);
  for (const T x : out) CHECK(static_cast<double>(x) == Approx(34.5));
  std::vector<T> none;
  sort_apply(neural_sort{}, cspan<T>(none), cspan<T>(none), std::span(none), ctx);
}

TEST_CASE("neural_sort: as the temperature falls it sorts, in memory linear in the list") {
  context ctx;
  std::mt19937_64 random(3);
  std::normal_distribution<double> normal;
#if defined(RANKLOSS_ADDRESS_SANITIZER)
  const std::size_t n = 20000;  // the sanitizers are slow
#else
  const std::size_t n = 100000;  // the matrix alone would take 80 GB
#endif
  std::vector<double> s(n), sorted(n), gradient(n);
  for (double& x : s) x = normal(random);
  sort_apply(neural_sort{.temperature = 1e-9}, cspan<double>(s), cspan<double>(s), std::span(sorted), ctx);
  std::sort(s.begin(), s.end(), std::greater<>());
  double error = 0;
  for (std::size_t i = 0; i < s.size(); ++i) error = std::max(error, std::abs(s[i] - sorted[i]));
  CHECK(error < 1e-8);
  CHECK(ctx.scratch_capacity() < n * sizeof(double) * 40);

  // A wider band, and back: a shift of all scores changes nothing.
  sort_pullback(neural_sort{.temperature = 0.1}, cspan<double>(s), cspan<double>(s), cspan<double>(s),
                std::span(gradient), ctx);
  double sum = 0, size = 0;
  for (const double g : gradient) sum += g, size += std::abs(g);
  CHECK(size > 1.0);
  CHECK(std::abs(sum) <= 1e-9 * size);
  CHECK(ctx.scratch_capacity() < n * sizeof(double) * 40);
}

TEST_CASE("neural_sort: vectors and arrays as they are, with a context or without") {
  context ctx;
  const neural_sort how{.temperature = 0.5};
  const std::vector<float> s{0.5, -1, 2}, v{3, 1, 2}, c{1, 0, 2};
  std::vector<float> expected(3), found(3), matrix(9), found_matrix(9);
  sort_apply(how, cspan<float>(s), cspan<float>(v), std::span(expected), ctx);
  sort_apply(how, s, v, found);
  CHECK(found == expected);
  float plain[3];
  sort_apply(how, s, v, plain, ctx);
  CHECK(std::vector<float>(plain, plain + 3) == expected);
  sort_apply_transposed(how, cspan<float>(s), cspan<float>(v), std::span(expected), ctx);
  sort_apply_transposed(how, s, v, found);
  CHECK(found == expected);
  sort_pullback(how, cspan<float>(s), cspan<float>(v), cspan<float>(c), std::span(expected), ctx);
  sort_pullback(how, s, v, {c.data(), 3}, found);
  CHECK(found == expected);
  sort_matrix(how, cspan<float>(s), std::span(matrix), ctx);
  sort_matrix(how, s, found_matrix);
  CHECK(found_matrix == matrix);
}

}  // namespace sorts_neural_sort_test
