// SPDX-License-Identifier: BSL-1.0
#include <rankloss/sorts/sinkhorn.hpp>

#include "support/counting_threads.hpp"
#include "support/reference.hpp"
#include "vectors/allrank_vectors.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>
#include <span>
#include <stdexcept>
#include <vector>

namespace sorts_sinkhorn_test {

using rankloss::context;
using rankloss::neural_sort;
using rankloss::sinkhorn;
using rankloss::sinkhorn_derivative;
using reference::real;

namespace {

using cspan = std::span<const double>;

/// NeuralSort and the scaling as they are written down, with so many steps at most.
std::vector<real> dense(const std::vector<double>& s, real t, std::size_t steps, real tolerance) {
  const std::size_t n = s.size();
  std::vector<real> p(n * n);
  for (std::size_t i = 0; i < n; ++i) {
    std::vector<real> logit(n);
    for (std::size_t j = 0; j < n; ++j) {
      real distance = 0;
      for (const double x : s) distance += std::abs(real(s[j]) - real(x));
      logit[j] = ((real(n) + 1 - 2 * (real(i) + 1)) * real(s[j]) - distance) / t;
    }
    const real top = *std::max_element(logit.begin(), logit.end());
    real sum = 0;
    for (std::size_t j = 0; j < n; ++j) sum += p[i * n + j] = std::exp(logit[j] - top);
    for (std::size_t j = 0; j < n; ++j) p[i * n + j] /= sum;
  }
  for (std::size_t step = 0; step < steps; ++step) {
    for (std::size_t j = 0; j < n; ++j) {
      real sum = 0;
      for (std::size_t i = 0; i < n; ++i) sum += p[i * n + j];
      for (std::size_t i = 0; i < n; ++i) p[i * n + j] /= sum;
    }
    for (std::size_t i = 0; i < n; ++i) {
      real sum = 0;
      for (std::size_t j = 0; j < n; ++j) sum += p[i * n + j];
      for (std::size_t j = 0; j < n; ++j) p[i * n + j] /= sum;
    }
    real worst = 0;
    for (std::size_t j = 0; j < n; ++j) {
      real sum = 0;
      for (std::size_t i = 0; i < n; ++i) sum += p[i * n + j];
      worst = std::max(worst, std::abs(sum - 1));
    }
    if (worst <= tolerance) break;
  }
  return p;
}

real bilinear(const std::vector<real>& p, const std::vector<double>& u, const std::vector<double>& v) {
  real sum = 0;
  for (std::size_t i = 0; i < u.size(); ++i)
    for (std::size_t j = 0; j < v.size(); ++j) sum += real(u[i]) * p[i * v.size() + j] * real(v[j]);
  return sum;
}

std::vector<double> normals(std::mt19937_64& random, std::size_t n) {
  std::normal_distribution<double> normal;
  std::vector<double> x(n);
  for (double& v : x) v = normal(random);
  return x;
}

}  // namespace

TEST_CASE("sinkhorn: the band equals the dense matrix, with its derivatives") {
  context ctx;
  std::mt19937_64 random(5);
  for (const double temperature : {0.3, 1.0, 5.0})
    for (const std::size_t n : {1, 2, 5, 13, 40})
      for (const std::size_t steps : {0, 1, 2, 7}) {
        INFO("n " << n << ", temperature " << temperature << ", steps " << steps);
        const sinkhorn how{.sort = {.temperature = temperature}, .steps = steps, .tolerance = 0.0};
        auto s = normals(random, n);
        const auto v = normals(random, n), u = normals(random, n);
        std::vector<double> matrix(n * n), y(n), z(n), g(n);
        sort_matrix(how, cspan(s), std::span(matrix), ctx);
        const std::vector<real> p = dense(s, temperature, steps, 0);
        for (std::size_t k = 0; k < n * n; ++k) REQUIRE(std::abs(real(matrix[k]) - p[k]) < 1e-13);
        sort_apply(how, cspan(s), cspan(v), std::span(y), ctx);
        sort_apply_transposed(how, cspan(s), cspan(u), std::span(z), ctx);
        for (std::size_t i = 0; i < n; ++i) {
          real row = 0, column = 0;
          for (std::size_t j = 0; j < n; ++j) {
            row += p[i * n + j] * real(v[j]);
            column += p[j * n + i] * real(u[j]);
          }
          CHECK(std::abs(real(y[i]) - row) < 1e-12);
          CHECK(std::abs(real(z[i]) - column) < 1e-12);
        }
        sort_pullback(how, cspan(s), cspan(v), cspan(u), std::span(g), ctx);
        for (std::size_t k = 0; k < n; ++k) {
          constexpr double h = 1e-5;
          auto up = s, down = s;
          up[k] += h;
          down[k] -= h;
          const real slope = (bilinear(dense(up, temperature, steps, 0), u, v) -
                              bilinear(dense(down, temperature, steps, 0), u, v)) /
                             (real(up[k]) - real(down[k]));
          CHECK(std::abs(real(g[k]) - slope) < 1e-6 * (1 + std::abs(slope)));
        }
      }
}

TEST_CASE("sinkhorn: it stops at its tolerance, and then has sums of 1") {
  context ctx;
  std::mt19937_64 random(6);
  const auto s = normals(random, 30);
  std::vector<double> matrix(900);
  const sinkhorn how{.sort = {.temperature = 1.0}, .steps = 5000, .tolerance = 1e-9};
  sort_matrix(how, cspan(s), std::span(matrix), ctx);
  for (std::size_t i = 0; i < 30; ++i) {
    double row = 0, column = 0;
    for (std::size_t j = 0; j < 30; ++j) {
      row += matrix[i * 30 + j];
      column += matrix[j * 30 + i];
    }
    CHECK(row == Approx(1.0).epsilon(1e-14));
    CHECK(column == Approx(1.0).epsilon(2e-9));
  }
  const rankloss::workspace::scope scope(ctx.scratch());
  const auto taken = how(rankloss::strided<const double>(s.data(), s.size()), ctx.scratch());
  CHECK(taken.steps() > 5);
  CHECK(taken.steps() < 5000);
}

TEST_CASE("sinkhorn: the implicit derivative is the limit of the unrolled one") {
  context ctx;
  std::mt19937_64 random(8);
  for (const std::size_t n : {2, 9, 25}) {
    const auto s = normals(random, n), v = normals(random, n), u = normals(random, n);
    std::vector<double> unrolled(n), implicit(n);
    sinkhorn how{.sort = {.temperature = 2.0}, .steps = 3000, .tolerance = 1e-13};
    sort_pullback(how, cspan(s), cspan(v), cspan(u), std::span(unrolled), ctx);
    how.derivative = sinkhorn_derivative::implicit;
    sort_pullback(how, cspan(s), cspan(v), cspan(u), std::span(implicit), ctx);
    double largest = 0;
    for (const double g : unrolled) largest = std::max(largest, std::abs(g));
    for (std::size_t i = 0; i < n; ++i) CHECK(std::abs(unrolled[i] - implicit[i]) < 1e-9 * largest);
  }
}

TEST_CASE("sinkhorn: matrices of allRank, with and without steps") {
  context ctx;
  for (const allrank::matrix_case& c : allrank::matrices) {
    const sinkhorn how{.sort = {.temperature = c.temperature}, .steps = c.steps, .tolerance = 0.0};
    std::vector<double> first(25), second(9);
    sort_matrix(how, cspan(allrank::scores).first(5), std::span(first), ctx);
    sort_matrix(how, cspan(allrank::scores).subspan(5, 3), std::span(second), ctx);
    for (std::size_t i = 0; i < 25; ++i) CHECK(first[i] == Approx(c.first[i]).margin(3e-6));
    for (std::size_t i = 0; i < 9; ++i) CHECK(second[i] == Approx(c.second[i]).margin(3e-6));
  }
}

TEST_CASE("sinkhorn: rows and columns may end one entry apart") {
  // Gaps of 1 at a temperature of 25 / 17: the reach of 17 falls on an entry but for a rounding, and columns
  // add up their gaps in another order.
  context ctx;
  for (const std::size_t n : {16, 24, 200, 304}) {
    std::vector<float> s(n), a(n), b(n), pa(n), pb(n);
    for (std::size_t i = 0; i < n; ++i) {
      s[i] = static_cast<float>(n - i);
      a[i] = std::sin(static_cast<float>(i));
      b[i] = std::cos(static_cast<float>(3 * i));
    }
    const sinkhorn how{.sort = {.temperature = 25.0 / 17.0}, .steps = 5};
    using floats = std::span<const float>;
    sort_apply(how, floats(s), floats(a), std::span(pa), ctx);
    sort_apply_transposed(how, floats(s), floats(b), std::span(pb), ctx);
    double forth = 0, back = 0;
    for (std::size_t i = 0; i < n; ++i) {
      forth += static_cast<double>(b[i]) * static_cast<double>(pa[i]);
      back += static_cast<double>(pb[i]) * static_cast<double>(a[i]);
    }
    CHECK(std::abs(forth - back) <= 4e-6);
  }
}

TEST_CASE("sinkhorn: workers share the rows of the band, and no bit depends on them") {
  std::mt19937_64 random(13);
  const std::size_t n = 3001;
  const auto s = normals(random, n), v = normals(random, n), c = normals(random, n);
  const sinkhorn how{.sort = {.temperature = 3.0}, .steps = 2};
  const support::counting_threads three(3);
  context alone, shared{three};
  std::vector<double> out(n), expected(n);
  sort_apply(how, cspan(s), cspan(v), std::span(expected), alone);
  sort_apply(how, cspan(s), cspan(v), std::span(out), shared);
  CHECK(out == expected);
  sort_pullback(how, cspan(s), cspan(v), cspan(c), std::span(expected), alone);
  const std::size_t before = three.runs();
  sort_pullback(how, cspan(s), cspan(v), cspan(c), std::span(out), shared);
  CHECK(out == expected);
  CHECK(three.runs() >= before + 2);  // the width of the band, and the sums of its rows
}

TEST_CASE("sinkhorn: many steps are allowed, and cost memory only where they are taken") {
  context ctx;
  std::mt19937_64 random(12);
  const auto s = normals(random, 200);
  std::vector<double> y(200);
  sort_apply(sinkhorn{.steps = 100000, .tolerance = 1e-3, .derivative = sinkhorn_derivative::implicit},
             cspan(s), cspan(s), std::span(y), ctx);
  CHECK(ctx.scratch_capacity() < 16000000);
  CHECK_THROWS_AS(sort_apply(sinkhorn{.steps = 1000001}, cspan(s), cspan(s), std::span(y), ctx),
                  std::invalid_argument);
}

}  // namespace sorts_sinkhorn_test
