// SPDX-License-Identifier: BSL-1.0
#include <rankloss/ranks/laplace_ranks.hpp>

#include <rankloss/threads.hpp>

#include "support/projection_reference.hpp"

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

namespace ranks_laplace_ranks_test {

using rankloss::context;
using rankloss::laplace_ranks;
using rankloss::sort_direction;
using reference::real;
using reference::relative_error;

namespace {

template <class T>
using cspan = std::span<const T>;

/// Descending ranks from 1, and with `c` the product of the symmetric Jacobian.
template <class T>
struct plain_ranks {
  std::vector<real> ranks, product;

  plain_ranks(const std::vector<T>& s, const std::vector<T>& c, real t)
      : ranks(s.size(), 1), product(s.size(), 0) {
    for (std::size_t i = 0; i < s.size(); ++i)
      for (std::size_t j = 0; j < s.size(); ++j) {
        if (i == j) continue;
        const real z = (real(s[j]) - real(s[i])) / t;
        const real tail = std::exp(-std::abs(z)) / 2;
        ranks[i] += z < 0 ? tail : 1 - tail;
        product[i] += (real(c[j]) - real(c[i])) * tail / t;
      }
  }
};

template <class T>
std::vector<T> ranks_of(const laplace_ranks& how, const std::vector<T>& s) {
  context ctx;
  std::vector<T> out(s.size());
  rank(how, cspan<T>(s), std::span(out), ctx);
  return out;
}
template <class T>
std::vector<T> pulled(const laplace_ranks& how, const std::vector<T>& s, const std::vector<T>& c) {
  context ctx;
  std::vector<T> out(s.size());
  rank_pullback(how, cspan<T>(s), cspan<T>(c), std::span(out), ctx);
  return out;
}
template <class T>
std::vector<T> pushed(const laplace_ranks& how, const std::vector<T>& s, const std::vector<T>& c) {
  context ctx;
  std::vector<T> out(s.size());
  rank_push(how, cspan<T>(s), cspan<T>(c), std::span(out), ctx);
  return out;
}

}  // namespace

TEMPLATE_TEST_CASE("laplace_ranks: ranks and their derivatives are those of the O(n^2) sums", "", float,
                   double) {
  using T = TestType;
  const double bound = sizeof(T) == 4 ? 7e-8 : 1e-13;  // float: the rounding of the results alone
  std::mt19937_64 random(7);
  std::normal_distribution<double> normal;
  for (const double temperature : {1e-15, 1e-3, 0.03, 1.0, 20.0, 1e6})
    for (const std::size_t n : {1, 2, 3, 5, 17, 128, 500, 2000}) {
      std::vector<T> s(n), c(n);
      for (T& x : s) x = static_cast<T>(random() % 3 == 0 ? std::round(2 * normal(random)) : normal(random));
      for (T& x : c) x = static_cast<T>(normal(random));
      const laplace_ranks how{.temperature = temperature};
      const plain_ranks<T> expected(s, c, how.temperature);
      INFO("n " << n << ", temperature " << temperature);
      CHECK(relative_error(ranks_of(how, s), expected.ranks) <= bound);
      const std::vector<T> gradient = pulled(how, s, c);
      CHECK(relative_error(gradient, expected.product, sizeof(T) == 4 ? 1e-30L : 1e-290L) <= bound);
      CHECK(pushed(how, s, c) == gradient);
    }
}

TEMPLATE_TEST_CASE(
    "laplace_ranks: long lists, which are scanned in pieces, have the same ranks and derivatives", "", float,
    double) {
  using T = TestType;
  constexpr std::size_t n = 16 * rankloss::detail::tuning::stretched_items + 5001;
  const double bound = sizeof(T) == 4 ? 7e-8 : 1e-13;
  std::mt19937_64 random(8);
  std::normal_distribution<double> normal;
  std::vector<T> s(n), c(n);
  for (T& x : s) x = static_cast<T>(random() % 3 == 0 ? std::round(2 * normal(random)) : normal(random));
  for (T& x : c) x = static_cast<T>(normal(random));
  s[n / 3] = T{1000};
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return s[i] > s[j]; });
  for (const double temperature : {1e-6, 0.01, 1.0, 100.0}) {
    INFO("temperature " << temperature);
    const laplace_ranks how{.temperature = temperature};
    // The sums over the items on either side, from neighbour to neighbour.
    std::vector<real> ranks(n), product(n, 0);
    for (const bool down : {true, false}) {
      real mass = 0, moved = 0;
      for (std::size_t k = 0; k < n; ++k) {
        const std::size_t i = order[down ? k : n - 1 - k];
        if (k > 0) {
          const std::size_t before = order[down ? k - 1 : n - k];
          const real decay = std::exp(-std::abs(real(s[before]) - real(s[i])) / real(temperature));
          moved = decay * (moved + (real(c[before]) - real(c[i])) * (mass + 1));
          mass = decay * (mass + 1);
        }
        ranks[i] += down ? real(k + 1) - mass / 2 : mass / 2;
        product[i] += moved / 2 / real(temperature);
      }
    }
    std::vector<T> one(n), three(n), one_gradient(n), three_gradient(n);
    context ctx, threads{rankloss::threads(3)};
    rank(how, cspan<T>(s), std::span(one), ctx);
    rank(how, cspan<T>(s), std::span(three), threads);
    CHECK(relative_error(one, ranks) <= bound);
    CHECK(one == three);
    rank_pullback(how, cspan<T>(s), cspan<T>(c), std::span(one_gradient), ctx);
    rank_pullback(how, cspan<T>(s), cspan<T>(c), std::span(three_gradient), threads);
    CHECK(relative_error(one_gradient, product) <= bound);
    CHECK(one_gradient == three_gradient);
  }
}

TEST_CASE("laplace_ranks: derivatives are those of the ranks") {
  std::mt19937_64 random(8);
  std::normal_distribution<double> normal;
  for (const sort_direction direction : {sort_direction::descending, sort_direction::ascending}) {
    std::vector<double> s(9), c(9);
    for (double& x : s) x = normal(random);
    for (double& x : c) x = normal(random);
    const laplace_ranks how{.temperature = 0.5, .direction = direction};
    const std::vector<double> gradient = pulled(how, s, c);
    constexpr double step = 1e-6;
    for (std::size_t k = 0; k < s.size(); ++k) {
      std::vector<double> above = s, below = s;
      above[k] += step;
      below[k] -= step;
      const std::vector<double> high = ranks_of(how, above), low = ranks_of(how, below);
      double difference = 0;
      for (std::size_t i = 0; i < s.size(); ++i) difference += c[i] * (high[i] - low[i]) / (2 * step);
      CHECK(gradient[k] == Approx(difference).epsilon(1e-7));
    }
  }
}

TEST_CASE("laplace_ranks: LapSum counts upwards from 0") {
  const std::vector<double> s{4, 1, 2};
  const double one = std::exp(-1.0) / 2, two = std::exp(-2.0) / 2, three = std::exp(-3.0) / 2;
  const std::vector<double> ranks =
      ranks_of(laplace_ranks{.direction = sort_direction::ascending, .base = 0.0}, s);
  CHECK(ranks[0] == Approx(2 - three - two).epsilon(1e-15));
  CHECK(ranks[1] == Approx(one + three).epsilon(1e-15));
  CHECK(ranks[2] == Approx(1 - one + two).epsilon(1e-15));
}

TEST_CASE("laplace_ranks: direction and base") {
  const std::vector<double> s{0.3, -1.0, 2.0, 0.5, 0.5}, c{1, -2, 0.5, 3, 0};
  const laplace_ranks descending{.temperature = 0.5},
      ascending{.temperature = 0.5, .direction = sort_direction::ascending, .base = 0.0};
  const std::vector<double> down = ranks_of(descending, s), up = ranks_of(ascending, s);
  const std::vector<double> g_down = pulled(descending, s, c), g_up = pulled(ascending, s, c);
  double sum = 0;
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK(down[i] + up[i] == Approx(5.0).epsilon(1e-15));
    CHECK(g_up[i] == -g_down[i]);
    sum += down[i];
  }
  CHECK(sum == Approx(15.0).epsilon(1e-15));
  CHECK(down[3] == Approx(down[4]).epsilon(1e-15));
}

TEST_CASE("laplace_ranks: a gradient sums to 0, and that of equal cotangents is 0") {
  std::mt19937_64 random(9);
  std::normal_distribution<double> normal;
  const std::size_t n = 100000;
  std::vector<double> s(n), c(n);
  for (double& x : s) x = normal(random);
  for (double& x : c) x = 1e6 + normal(random);
  for (const double temperature : {1e-5, 0.01, 1.0, 100.0}) {
    real sum = 0, size = 0;
    for (const double g : pulled(laplace_ranks{.temperature = temperature}, s, c)) {
      sum += g;
      size += std::abs(g);
    }
    CHECK(static_cast<double>(std::abs(sum) / size) <= 1e-12);
    CHECK(pulled(laplace_ranks{.temperature = temperature}, s, std::vector<double>(n, 0.3)) ==
          std::vector<double>(n, 0.0));
  }
}

TEMPLATE_TEST_CASE("laplace_ranks: any finite or infinite score has a rank", "", float, double) {
  using T = TestType;
  constexpr T huge = static_cast<T>(3e38);
  constexpr T infinity = std::numeric_limits<T>::infinity();
  const std::vector<T> s{huge, -huge, 0, infinity, -infinity, infinity, 1}, c{1, 2, 3, 4, 5, 6, 7};
  CHECK(ranks_of(laplace_ranks{.temperature = 1e-3}, s) == std::vector<T>{3, 6, 5, 1.5, 7, 1.5, 4});
  for (const double temperature : {1e-15, 1e-3, 1.0, 1e38, 1e300}) {
    for (const T r : ranks_of(laplace_ranks{.temperature = temperature}, s)) CHECK(std::isfinite(r));
    for (const T g : pulled(laplace_ranks{.temperature = temperature}, s, c)) CHECK(std::isfinite(g));
  }
  if (sizeof(T) == 4)
    for (const T r : ranks_of(laplace_ranks{.temperature = 1e300}, s)) CHECK(r == T{4});

  const std::vector<T> equal(4, T{-2}), one{T{2}}, none;
  CHECK(ranks_of(laplace_ranks{}, equal) == std::vector<T>(4, T{2.5}));
  CHECK(ranks_of(laplace_ranks{}, one) == std::vector<T>{1});
  CHECK(pulled(laplace_ranks{}, one, one) == std::vector<T>{0});
  CHECK(ranks_of(laplace_ranks{}, none).empty());
  CHECK(pulled(laplace_ranks{}, none, none).empty());
}

TEST_CASE("laplace_ranks: what does not fit is named") {
  context ctx;
  const std::vector<double> s{1, 2, 0};
  std::vector<double> out(3);
  using Catch::Matchers::Message;
  CHECK_THROWS_MATCHES(rank(laplace_ranks{.temperature = 1e301}, cspan<double>(s), std::span(out), ctx),
                       std::invalid_argument,
                       Message("rankloss: temperature: 1e+301, expected 1e-15 to 1e300"));
  CHECK_THROWS_MATCHES(rank(laplace_ranks{.base = std::nan("")}, cspan<double>(s), std::span(out), ctx),
                       std::invalid_argument, Message("rankloss: base: nan, expected a finite number"));
  CHECK(out == std::vector<double>(3, 0.0));
}

}  // namespace ranks_laplace_ranks_test
