// SPDX-License-Identifier: BSL-1.0
#include <rankloss/xe_ndcg.hpp>

#include <rankloss/random.hpp>

#include "support/below_zero.hpp"
#include "support/listwise_checks.hpp"
#include "support/one_list.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace xe_ndcg_test {

using rankloss::evaluate;
using rankloss::gammas;
using rankloss::list_batch;
using rankloss::xe_ndcg;
using reference::real;
using reference::widen;
using support::of;

namespace {

using reals = std::vector<double>;

/// As documented: the word i % 4 of block i / 4 of the list's stream.
double gamma_of(std::uint64_t seed, std::uint32_t list, std::uint32_t item) {
  const auto block =
      rankloss::philox({item / 4, 0xffffffffu, list, 0},
                       {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
  return (static_cast<double>(block[item % 4]) + 0.5) / 4294967296.0;
}

TEST_CASE("xe_ndcg refuses relevance below 0") {
  support::refuses_below_0(xe_ndcg{.gammas = gammas::constant});
}

}  // namespace

TEST_CASE("xe_ndcg: values worked by hand") {
  // Gains 1 - 1/2 and 2 - 1/2: a quarter and three.
  const double l = std::log1p(std::exp(1.0));
  CHECK(of(xe_ndcg{.gammas = gammas::constant}, reals{0, 1}, reals{0, 1}) ==
        Approx(0.25 * l + 0.75 * (l - 1)).epsilon(1e-14));
  // With gamma 1 the gains are those of NDCG, and what is irrelevant counts nothing.
  CHECK(of(xe_ndcg{.gammas = gammas::constant, .gamma = 1}, reals{0, 1}, reals{0, 1}) ==
        Approx(l - 1).epsilon(1e-14));
  CHECK(of(xe_ndcg{.gammas = gammas::constant, .gamma = 1}, reals{0, 1}, reals{0, 0}) == 0.0);
}

TEMPLATE_TEST_CASE("xe_ndcg: value, gradient and Hessian are those of the plain sums", "", float, double) {
  using T = TestType;
  for (const std::size_t n : {1, 2, 5, 8, 13, 300})
    for (const auto kind : {gammas::constant, gammas::random}) {
      INFO("n " << n);
      const auto s = reference::normal_scores<T>(n, static_cast<unsigned>(n));
      const auto y = reference::whole_grades<T>(n, 3);
      const std::uint64_t seed = 0x123456789abcdef;
      std::vector<real> v, weighted;
      std::vector<double> w;
      for (std::size_t i = 0; i < n; ++i) {
        v.push_back(std::exp2(real(y[i])) -
                    (kind == gammas::random ? gamma_of(seed, 0, static_cast<std::uint32_t>(i)) : 0.25));
        w.push_back(static_cast<double>(1 + i % 3));
        weighted.push_back(v[i] * w[i]);
      }
      const xe_ndcg loss{.temperature = 0.7, .gammas = kind, .gamma = 0.25, .seed = seed};
      support::agrees(loss, s, y, reference::cross_entropy(widen(s), v, real(0.7)));
      support::agrees(loss, s, y, reference::cross_entropy(widen(s), weighted, real(0.7)), w);
    }
}

TEST_CASE("xe_ndcg: gammas depend on seed, list and item and on nothing else") {
  const reals s{0, 1, 2, 0, 1, 2}, y{0, 1, 2, 0, 1, 2};
  const std::vector<int> offsets{0, 3, 6};
  reals first(2), second(2);
  evaluate(xe_ndcg{.seed = 5}, list_batch<double>{.scores = s, .relevance = y, .offsets = offsets},
           {.per_list = first});
  CHECK(first[0] != first[1]);
  evaluate(xe_ndcg{.seed = 6}, list_batch<double>{.scores = s, .relevance = y, .offsets = offsets},
           {.per_list = second});
  CHECK(first[0] != second[0]);
  evaluate(xe_ndcg{.seed = 5}, list_batch<double>{.scores = s, .relevance = y, .offsets = offsets},
           {.per_list = second});
  CHECK(first == second);
  std::vector<real> v;
  for (std::uint32_t i = 0; i < 3; ++i) v.push_back(std::exp2(real(i)) - gamma_of(5, 1, i));
  CHECK(first[1] ==
        Approx(static_cast<double>(reference::cross_entropy({0, 1, 2}, v, 1).value)).epsilon(1e-13));
}

TEST_CASE("xe_ndcg: grades too large for a power of two") {
  // 2^2000 beside 2^1999 is 2 : 1, beside 2^1 it is everything.
  const double l = std::log1p(std::exp(1.0));
  CHECK(of(xe_ndcg{}, reals{0, 1}, reals{1999, 2000}) == Approx(l / 3 + (l - 1) * 2 / 3).epsilon(1e-13));
  CHECK(of(xe_ndcg{}, reals{0, 1}, reals{1, 2000}) == Approx(l - 1).epsilon(1e-13));
  CHECK(of(xe_ndcg{.gammas = gammas::constant, .gamma = 1}, reals{0, 1}, reals{100, 101}) ==
        Approx(l / 3 + (l - 1) * 2 / 3).epsilon(1e-13));
}

TEMPLATE_TEST_CASE("xe_ndcg: finite for any finite input", "", float, double) {
  support::stays_finite<TestType>(xe_ndcg{});
  support::stays_finite<TestType>(xe_ndcg{.temperature = 1e-15, .gammas = gammas::constant, .gamma = 1});
}

TEST_CASE("xe_ndcg: options out of range are refused") {
  const reals s{1, 2}, y{0, 1};
  CHECK_THROWS_WITH(of(xe_ndcg{.temperature = 0}, s, y), "rankloss: temperature: 0, expected 1e-15 to 1e300");
  CHECK_THROWS_WITH(of(xe_ndcg{.gamma = 1.5}, s, y), "rankloss: gamma: 1.5, expected 0 to 1");
  CHECK_THROWS_WITH(of(xe_ndcg{.gamma = -0.5}, s, y), "rankloss: gamma: -0.5, expected 0 to 1");
}

}  // namespace xe_ndcg_test
