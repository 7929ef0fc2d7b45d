// SPDX-License-Identifier: BSL-1.0
#include <rankloss/listmle.hpp>

#include <rankloss/random.hpp>

#include "support/listwise_checks.hpp"
#include "support/one_list.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <numeric>
#include <vector>

namespace listmle_test {

using rankloss::evaluate;
using rankloss::list_batch;
using rankloss::listmle;
using rankloss::position_weights;
using rankloss::tie_order;
using reference::real;
using reference::widen;
using support::of;

namespace {

using reals = std::vector<double>;

real p_weight(std::size_t position, std::size_t n) {  // from 1
  if (n < 2) return 0;
  real sum = 0;
  for (std::size_t k = 1; k <= n; ++k) sum += std::exp2(real(n - k)) - 1;
  return (std::exp2(real(n - position)) - 1) / sum;
}

}  // namespace

TEST_CASE("listmle: values worked by hand") {
  // Rax: items 2, 3, 0, 1
  const double e0 = 1, e1 = std::exp(1), e2 = std::exp(2), e3 = std::exp(3);
  CHECK(of(listmle{}, reals{0, 3, 1, 2}, reals{0, 0, 1, 1}) ==
        Approx(std::log((e0 + e1 + e2 + e3) / e1) + std::log((e0 + e2 + e3) / e2) + std::log((e0 + e3) / e0))
            .epsilon(1e-14));
  // TensorFlow Ranking: one of its two values for tied orders, and a list of two.
  CHECK(of(listmle{}, reals{1, 3, 2}, reals{0, 0, 1}) == Approx(3.534534).margin(1e-6));
  CHECK(of(listmle{}, reals{3, 1, 2}, reals{0, 0, 1}) == Approx(1.534534).margin(1e-6));
  CHECK(of(listmle{}, reals{1, 3}, reals{0, 2}) == Approx(0.126928).margin(1e-6));
  // allRank
  CHECK(of(listmle{}, reals{0.5, 0.3}, reals{1, 0}) == Approx(0.5981389284).margin(1e-10));
  CHECK(of(listmle{}, reals{0, -30, -40}, reals{2, 1, 0}) ==
        Approx(std::log1p(std::exp(-30.0) + std::exp(-40.0)) + std::log1p(std::exp(-10.0))));
  CHECK(of(listmle{.temperature = 2}, reals{1, 0.6}, reals{1, 0}) == Approx(0.5981389284).margin(1e-10));
}

TEST_CASE("listmle: whatever the padding, the numbers of the list alone") {
  for (const std::size_t length : {2u, 3u, 9u, 200u}) {
    reals s(length, 1e9), y(length, -1), g(length);
    std::vector<std::uint8_t> mask(length, 0);
    s[0] = 1.5, s[1] = 0.3, y[0] = 2, y[1] = 1;
    mask[0] = mask[1] = 1;
    CHECK(evaluate(listmle{}, list_batch<double>{.scores = s, .relevance = y, .mask = mask},
                   {.gradient = g}) == Approx(0.2633).margin(5e-5));
    CHECK(g[0] == Approx(-0.2315).margin(5e-5));
    CHECK(g[1] == Approx(0.2315).margin(5e-5));
    for (std::size_t i = 2; i < length; ++i) CHECK(g[i] == 0.0);
  }
}

TEST_CASE("listmle: allRank's numbers, with padding") {
  support::agrees_with_allrank(listmle{}, allrank_listwise::listmle);
}

TEMPLATE_TEST_CASE("listmle: value, gradient and Hessian are those of the plain sums", "", float, double) {
  using T = TestType;
  for (const std::size_t n : {1, 2, 3, 7, 8, 9, 16, 31, 100, 257})
    // The last spread is more than sums relative to one score can hold.
    for (const double spread : {0.1, 1.0, 10.0, 300.0}) {
      INFO("n " << n << ", spread " << spread);
      const auto s = reference::normal_scores<T>(n, static_cast<unsigned>(n), spread);
      const auto y = reference::whole_grades<T>(n, 7);
      const auto order = reference::by_relevance(y);
      std::vector<real> c(n, 1);
      support::agrees(listmle{}, s, y, reference::listmle(widen(s), order, c, 1));
      const std::vector<int> whole(y.begin(), y.end());
      support::agrees(listmle{}, s, whole, reference::listmle(widen(s), order, c, 1));
      for (std::size_t i = 0; i < n; ++i) c[i] = i < 5 ? 1 : 0;
      support::agrees(listmle{.temperature = 0.5, .cutoff = 5}, s, y,
                      reference::listmle(widen(s), order, c, real(0.5)), {}, 0.5);
      std::vector<double> w;
      for (std::size_t i = 0; i < n; ++i) w.push_back(static_cast<double>((i + 2) % 3));
      for (std::size_t i = 0; i < n; ++i) c[i] = p_weight(i + 1, n);
      support::agrees(listmle{.weights = position_weights::exponential}, s, y,
                      reference::listmle(widen(s), order, c, 1));
      for (std::size_t i = 0; i < n; ++i) c[i] *= real(w[order[i]]);
      support::agrees(listmle{.weights = position_weights::exponential}, s, y,
                      reference::listmle(widen(s), order, c, 1), w);
      for (std::size_t i = 0; i < n; ++i) c[i] = real(w[order[i]]);
      support::agrees(listmle{}, s, y, reference::listmle(widen(s), order, c, 1), w);
    }
}

TEST_CASE("listmle: relevance that is no grade is sorted all the same") {
  const std::size_t n = 300;
  const auto s = reference::normal_scores<double>(n, 1);
  std::vector<real> c(n, 1);
  const auto check = [&](const reals& y) {
    support::agrees(listmle{}, s, y, reference::listmle(widen(s), reference::by_relevance(y), c, 1));
  };
  check(reference::normal_scores<double>(n, 2));
  auto y = reference::whole_grades<double>(n, 3);
  y[17] = 0.5;
  check(y);
  y[17] = 1e9;  // too far from the others to be counted
  check(y);
  for (double& grade : y) grade -= 256.0;
  check(y);
  y = reference::whole_grades<double>(n, 3, 255);
  y[0] = -0.0, y[1] = 255.0;
  check(y);
  y[0] = -1.0;
  check(y);
  for (std::size_t i = 0; i < n; ++i)
    y[i] = 16777216.0 + static_cast<double>(i % 7);  // whole, but a float would not tell them apart
  check(y);
  const std::vector<std::int64_t> big{std::int64_t{1} << 40, 0, -5};
  CHECK(of(listmle{}, reals{0, 1, 2}, big) == of(listmle{}, reals{0, 1, 2}, reals{3, 2, 1}));
}

TEST_CASE("listmle: exact ties are the sum over all their orders") {
  const reals six = reference::normal_scores<double>(6, 3);
  for (const double t : {0.05, 1.0, 20.0})
    for (const reals& y : {reals{1, 1, 0, 0, 0, 0}, reals{1, 1, 1, 1, 1, 0}, reals{2, 1, 2, 1, 0, 1},
                           reals{0, 0, 0, 0, 0, 0}, reals{5, 4, 3, 2, 1, 0}, reals{1, 1, 1, 1, 2, 0}}) {
      const listmle loss{.temperature = t, .ties = tie_order::exact};
      const real expected = reference::all_tied_orders(widen(six), y, t);
      INFO("temperature " << t);
      reals g(6), h(6);
      const double value =
          evaluate(loss, list_batch<double>{.scores = six, .relevance = y}, {.gradient = g, .hessian = h});
      CHECK(std::abs(real(value) - expected) <= real(1e-14) * (1 + expected));
      CHECK(of(loss, six, y) == value);
      for (std::size_t i = 0; i < 6; ++i) {
        const auto at = [&](real step) {
          auto s = widen(six);
          s[i] += step;
          return reference::all_tied_orders(s, y, t);
        };
        const real step = real(1e-3) * real(t);
        const real slope = (at(-2 * step) - 8 * at(-step) + 8 * at(step) - at(2 * step)) / (12 * step);
        const real curvature =
            (-at(-2 * step) + 16 * at(-step) - 30 * expected + 16 * at(step) - at(2 * step)) /
            (12 * step * step);
        CHECK(std::abs(real(g[i]) - slope) <= real(1e-11) / t);
        CHECK(std::abs(real(h[i]) - curvature) <= real(1e-10) / (t * t));
      }
    }
}

TEST_CASE("listmle: exact ties of large groups") {
  // g equal scores above m others of the same score: one of n choose g subsets.
  for (const std::size_t g : {2u, 30u, 1000u})
    for (const std::size_t m : {1u, 5u, 3000u}) {
      reals s(g + m, 0.25), y(g + m, 0.0), gradient(g + m);
      std::fill_n(y.begin(), g, 1.0);
      const double expected = std::lgamma(static_cast<double>(g + m + 1)) -
                              std::lgamma(static_cast<double>(g + 1)) -
                              std::lgamma(static_cast<double>(m + 1));
      INFO(g << " above " << m);
      CHECK(evaluate(listmle{.ties = tie_order::exact}, list_batch<double>{.scores = s, .relevance = y},
                     {.gradient = gradient}) == Approx(expected).epsilon(1e-11));
      double sum = 0.0;
      for (const double x : gradient) sum += x;
      CHECK(std::abs(sum) <= 1e-12 * static_cast<double>(g));
      // Scaled by a common factor P does not change: the pull on each of the group is the same.
      CHECK(gradient[0] == Approx(gradient[g - 1]).epsilon(1e-12));
    }
  // Far above and far below: nothing to lose, and all of the distance, in two orders.
  CHECK(of(listmle{.ties = tie_order::exact}, reals{1000, 2000, 0, -500}, reals{1, 1, 0, 0}) ==
        Approx(0.0).margin(1e-15));
  CHECK(of(listmle{.ties = tie_order::exact}, reals{-1000, -2000, 0}, reals{1, 1, 0}) ==
        Approx(3000.0 - std::log(2.0)).epsilon(1e-14));
  CHECK(of(listmle{.ties = tie_order::exact}, reals{-1000, 500, 0}, reals{1, 1, 0}) ==
        Approx(1000.0).epsilon(1e-14));
}

TEST_CASE("listmle: random ties take each order alike, by seed, list and item") {
  // Six orders of three tied items, distinguished by the value.
  const reals s{0, 1, 3}, y{0, 0, 0};
  std::map<double, int> seen;
  for (std::uint64_t seed = 0; seed < 3000; ++seed)
    ++seen[of(listmle{.ties = tie_order::random, .seed = seed}, s, y)];
  CHECK(seen.size() == 6);
  for (const auto& [value, count] : seen) CHECK(std::abs(count - 500) < 100);

  const auto n = std::size_t{50};
  const auto scores = reference::normal_scores<double>(2 * n, 1);
  const reals level(2 * n, 1.0);
  const std::vector<int> offsets{0, static_cast<int>(n), static_cast<int>(2 * n)};
  reals first(2);
  evaluate(listmle{.ties = tie_order::random, .seed = 9},
           list_batch<double>{.scores = scores, .relevance = level, .offsets = offsets}, {.per_list = first});
  for (std::uint32_t list = 0; list < 2; ++list) {
    // As documented: by the word i % 4 of block i / 4 of the list's stream.
    std::vector<std::uint32_t> key(n);
    for (std::uint32_t i = 0; i < n; ++i)
      key[i] = rankloss::philox({i / 4, 0xffffffffu, list, 0}, {9, 0})[i % 4];
    std::vector<std::size_t> order(n);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return key[i] < key[j]; });
    const auto from = scores.begin() + static_cast<std::ptrdiff_t>(list * n);
    const std::vector<real> own(from, from + static_cast<std::ptrdiff_t>(n));
    CHECK(first[list] ==
          Approx(static_cast<double>(reference::listmle(own, order, std::vector<real>(n, 1), 1).value))
              .epsilon(1e-13));
  }
  // Without ties there is nothing to draw.
  CHECK(of(listmle{.ties = tie_order::random, .seed = 3}, s, reals{1, 0.5, 7}) ==
        of(listmle{}, s, reals{1, 0.5, 7}));
}

TEST_CASE(
    "listmle: however great the weight of the last item, which is drawn for certain, it counts for nothing") {
  const reals s{0.25, -1.5, 0.75, 1.25}, y{3, 2, 1, 0}, weights{1e-20, 3e-20, 2e-20, 1e20};
  const auto expected = reference::listmle(widen(s), reference::by_relevance(y), {1, 3, 2, 0}, 1);
  reals g(4), h(4);
  const double value =
      evaluate(listmle{}, list_batch<double>{.scores = s, .relevance = y, .item_weights = weights},
               {.gradient = g, .hessian = h});
  CHECK(value == Approx(static_cast<double>(expected.value) * 1e-20).epsilon(1e-14).margin(0.0));
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(g[i] == Approx(static_cast<double>(expected.gradient[i]) * 1e-20).epsilon(1e-13).margin(0.0));
    CHECK(h[i] == Approx(static_cast<double>(expected.hessian[i]) * 1e-20).epsilon(1e-13).margin(0.0));
  }
  // Where only that item has a weight, nothing is left.
  const reals alone{0, 0, 0, 1};
  CHECK(evaluate(listmle{}, list_batch<double>{.scores = s, .relevance = y, .item_weights = alone},
                 {.gradient = g}) == 0.0);
  CHECK(g == reals(4, 0.0));
}

TEST_CASE("listmle: weights of positions of long lists") {
  // (2^(n - i) - 1) would be beyond the largest double.
  const std::size_t n = 3000;
  const auto s = reference::normal_scores<double>(n, 1);
  reals y(n);
  for (std::size_t i = 0; i < n; ++i) y[i] = static_cast<double>(n - i);
  std::vector<real> c(n, 0);
  for (std::size_t i = 0; i < 200; ++i) c[i] = std::exp2(-real(i + 1));
  CHECK(of(listmle{.weights = position_weights::exponential}, s, y) ==
        Approx(static_cast<double>(reference::listmle(widen(s), reference::by_relevance(y), c, 1).value))
            .epsilon(1e-14));
}

TEMPLATE_TEST_CASE("listmle: finite for any finite input, and right where scores are huge", "", float,
                   double) {
  for (const tie_order ties : {tie_order::stable, tie_order::random, tie_order::exact})
    for (const double t : {1.0, 1e-15, 1e300}) {
      INFO("temperature " << t << ", ties " << static_cast<int>(ties));
      support::stays_finite<TestType>(listmle{.temperature = t, .ties = ties});
    }
  support::stays_finite<TestType>(listmle{.cutoff = 2, .weights = position_weights::exponential});
  const std::vector<float> s{0, -2.1e26f, 3.4e37f, 42}, y{0, 1, 1, 0};
  std::vector<float> g(4);
  // Item 1 against the greatest, then item 0 against 42.
  CHECK(evaluate(listmle{}, list_batch<float>{.scores = s, .relevance = y}, {.gradient = g}) ==
        Approx(static_cast<double>(3.4e37f) + static_cast<double>(2.1e26f)).epsilon(1e-15));
  CHECK(g == std::vector<float>{-1, -1, 1, 1});
}

TEST_CASE("listmle: options out of range are refused") {
  const reals s{1, 2}, y{0, 1};
  CHECK_THROWS_WITH(of(listmle{.temperature = 0}, s, y), "rankloss: temperature: 0, expected 1e-15 to 1e300");
  CHECK_THROWS_WITH(of(listmle{.cutoff = 3, .ties = tie_order::exact}, s, y),
                    "rankloss: cutoff: 3, expected 0 with tie_order::exact");
  CHECK_THROWS_WITH(of(listmle{.weights = position_weights::exponential, .ties = tie_order::exact}, s, y),
                    "rankloss: weights: exponential, expected none with tie_order::exact");
}

}  // namespace listmle_test
