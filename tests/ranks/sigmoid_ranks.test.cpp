// SPDX-License-Identifier: BSL-1.0
#include <rankloss/ranks/sigmoid_ranks.hpp>

#include "support/reference.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <span>
#include <stdexcept>
#include <vector>

namespace ranks_sigmoid_ranks_test {

using rankloss::context;
using rankloss::sigmoid_ranks;
using rankloss::sort_direction;
using reference::real;

namespace {

template <class T>
using cspan = std::span<const T>;

/// Ranks, and with `c` the product of the symmetric Jacobian.
template <class T>
struct plain_ranks {
  std::vector<real> ranks, product;

  plain_ranks(const std::vector<T>& s, const std::vector<T>& c, real t)
      : ranks(s.size(), 1), product(s.size(), 0) {
    for (std::size_t i = 0; i < s.size(); ++i)
      for (std::size_t j = 0; j < s.size(); ++j) {
        if (i == j) continue;
        const reference::sigmoid f((real(s[j]) - real(s[i])) / t);
        ranks[i] += f.value;
        product[i] += (real(c[j]) - real(c[i])) * f.slope / t;
      }
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

}  // namespace

TEMPLATE_TEST_CASE("sigmoid_ranks: ranks and their derivatives are those of the O(n^2) sums", "", float,
                   double) {
  using T = TestType;
  const double bound = sizeof(T) == 4 ? 2e-6 : 1e-13;
  context ctx;
  std::mt19937_64 random(7);
  std::normal_distribution<double> normal;
  for (const double temperature : {1e-3, 0.03, 1.0, 20.0})
    for (const std::size_t n : {1, 2, 5, 17, 128, 500, 2000}) {
      std::vector<T> s(n), c(n), ranks(n), pulled(n), pushed(n);
      for (T& x : s) x = static_cast<T>(random() % 3 == 0 ? std::round(2 * normal(random)) : normal(random));
      for (T& x : c) x = static_cast<T>(normal(random));
      const sigmoid_ranks how{.temperature = temperature};
      rank(how, cspan<T>(s), std::span(ranks), ctx);
      rank_pullback(how, cspan<T>(s), cspan<T>(c), std::span(pulled), ctx);
      rank_push(how, cspan<T>(s), cspan<T>(c), std::span(pushed), ctx);
      const plain_ranks<T> expected(s, c, temperature);
      INFO("n " << n << ", temperature " << temperature);
      CHECK(worst(ranks, expected.ranks) <= (sizeof(T) == 4 ? 1e-6 : 1e-13));
      CHECK(worst(pulled, expected.product, sizeof(T) == 4 ? 1e-30 : 1e-290) <= bound);
      CHECK(pushed == pulled);
    }
}

TEST_CASE("sigmoid_ranks: direction and base") {
  context ctx;
  const std::vector<double> s{0.3, -1.0, 2.0, 0.5, 0.5}, c{1, -2, 0.5, 3, 0};
  std::vector<double> down(5), up(5), g_down(5), g_up(5);
  const sigmoid_ranks descending{.temperature = 0.5},
      ascending{.temperature = 0.5, .direction = sort_direction::ascending, .base = 0.0};
  rank(descending, cspan<double>(s), std::span(down), ctx);
  rank(ascending, cspan<double>(s), std::span(up), ctx);
  rank_pullback(descending, cspan<double>(s), cspan<double>(c), std::span(g_down), ctx);
  rank_pullback(ascending, cspan<double>(s), cspan<double>(c), std::span(g_up), ctx);
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK(down[i] + up[i] == Approx(5.0).margin(1e-14));
    CHECK(g_up[i] == Approx(-g_down[i]).margin(1e-15));
  }
}

TEMPLATE_TEST_CASE("sigmoid_ranks: any finite or infinite score has a rank", "", float, double) {
  using T = TestType;
  constexpr T huge = static_cast<T>(3e38);
  constexpr T infinity = std::numeric_limits<T>::infinity();
  context ctx;
  const std::vector<T> s{huge, -huge, 0, infinity, -infinity, infinity, 1};
  std::vector<T> ranks(s.size()), g(s.size());
  const std::vector<T> c{1, 2, 3, 4, 5, 6, 7};
  rank(sigmoid_ranks{.temperature = 1e-3}, cspan<T>(s), std::span(ranks), ctx);
  const std::vector<double> expected{3, 6, 5, 1.5, 7, 1.5, 4};
  for (std::size_t i = 0; i < s.size(); ++i) CHECK(static_cast<double>(ranks[i]) == Approx(expected[i]));
  rank_pullback(sigmoid_ranks{.temperature = 1e-3}, cspan<T>(s), cspan<T>(c), std::span(g), ctx);
  for (const T x : g) CHECK(std::isfinite(static_cast<double>(x)));

  std::vector<T> none;
  rank(sigmoid_ranks{}, cspan<T>(none), std::span(none), ctx);
}

TEST_CASE("sigmoid_ranks: what does not fit is named") {
  context ctx;
  std::vector<double> s{1, 2, std::nan("")}, out(3), short_out(2), ones(3, 1.0);
  using Catch::Matchers::Message;
  CHECK_THROWS_MATCHES(rank(sigmoid_ranks{}, cspan<double>(s), std::span(out), ctx), std::invalid_argument,
                       Message("rankloss: scores: nan at item 2, expected a number"));
  s[2] = 0;
  CHECK_THROWS_MATCHES(rank(sigmoid_ranks{}, cspan<double>(s), std::span(short_out), ctx),
                       std::invalid_argument, Message("rankloss: ranks: size 2, expected 3 (one per score)"));
  CHECK_THROWS_MATCHES(rank(sigmoid_ranks{.temperature = 0}, cspan<double>(s), std::span(out), ctx),
                       std::invalid_argument, Message("rankloss: temperature: 0, expected 1e-15 to 1e300"));
  ones[1] = std::nan("");
  CHECK_THROWS_MATCHES(
      rank_pullback(sigmoid_ranks{}, cspan<double>(s), cspan<double>(ones), std::span(out), ctx),
      std::invalid_argument, Message("rankloss: cotangent: nan at item 1, expected a finite number"));
  CHECK(out == std::vector<double>(3, 0.0));
}

TEST_CASE("sigmoid_ranks: vectors and arrays as they are, with a context or without") {
  context ctx;
  const sigmoid_ranks how{.temperature = 0.5};
  const std::vector<double> s{0.5, -1, 2}, c{1, 0, 2};
  std::vector<double> expected(3), found(3);
  rank(how, cspan<double>(s), std::span(expected), ctx);
  rank(how, s, found);
  CHECK(found == expected);
  double plain[3];
  rank(how, s, plain, ctx);
  CHECK(std::vector<double>(plain, plain + 3) == expected);
  rank(how, s, {found.data(), 3});
  CHECK(found == expected);
  rank_pullback(how, cspan<double>(s), cspan<double>(c), std::span(expected), ctx);
  rank_pullback(how, s, c, found);
  CHECK(found == expected);
  rank_push(how, cspan<double>(s), cspan<double>(c), std::span(expected), ctx);
  rank_push(how, s, {c.data(), 3}, found);
  CHECK(found == expected);
}

}  // namespace ranks_sigmoid_ranks_test
