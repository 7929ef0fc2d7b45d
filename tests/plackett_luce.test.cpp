// SPDX-License-Identifier: BSL-1.0
#include <rankloss/plackett_luce.hpp>

#include <rankloss/listmle.hpp>
#include <rankloss/threads.hpp>

#include "support/order_reference.hpp"
#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

namespace plackett_luce_test {

namespace {

using rankloss::evaluate;
using rankloss::order_likelihood;
using rankloss::partial_order;
using rankloss::partial_order_batch;
using rankloss::plackett_luce;
using rankloss::reduction;
using reference::real;

using reals = std::vector<double>;
using ints = std::vector<int>;
using pair_list = std::vector<std::pair<std::size_t, std::size_t>>;
constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr plackett_luce composite{.likelihood = order_likelihood::by_pairs};

double of(const plackett_luce& loss, const reals& s, const partial_order& order) {
  return evaluate(loss, partial_order_batch<double>{.scores = s, .order = order});
}

struct found {
  double value;
  reals gradient, hessian;
};
template <class T>
found derivatives_of(const plackett_luce& loss, const std::vector<T>& s, const partial_order& order) {
  found out{0, reals(s.size(), 9), reals(s.size(), 9)};
  const partial_order_batch<T> batch{.scores = s, .order = order};
  out.value = evaluate(loss, batch, {.gradient = out.gradient, .hessian = out.hessian});
  reals alone(s.size());
  CHECK(evaluate(loss, batch) == Approx(out.value).epsilon(1e-14));
  CHECK(evaluate(loss, batch, {.gradient = alone}) == Approx(out.value).epsilon(1e-14));
  double steepest = 1.0;
  for (const double g : alone) steepest = std::max(steepest, std::abs(g));
  for (std::size_t i = 0; i < s.size(); ++i) CHECK(std::abs(alone[i] - out.gradient[i]) <= 1e-13 * steepest);
  return out;
}

std::vector<real> widened(const reals& s, double temperature = 1.0) {
  std::vector<real> out;
  for (const double x : s) out.push_back(static_cast<real>(x) / static_cast<real>(temperature));
  return out;
}

TEST_CASE("plackett_luce: values worked by hand") {
  const double a = 1, b = std::exp(1.0), c = std::exp(2.0), d = std::exp(-1.0);
  const reals s{0, 1, 2, -1};
  // 2 > 0 > 1 > 3, by ranks and as a chain
  const double full = -std::log(c / (a + b + c + d) * a / (a + b + d) * b / (b + d));
  CHECK(of({}, s, partial_order::from_ranks({}, ints{2, 3, 1, 4})) == Approx(full).epsilon(1e-15));
  CHECK(of({}, s, partial_order::from_chains(ints{0, 4}, ints{2, 0, 1, 3})) == Approx(full).epsilon(1e-15));
  // The first two positions.
  CHECK(of({}, s, partial_order::from_ranks({}, ints{2, 3, 1, 3})) ==
        Approx(-std::log(c / (a + b + c + d) * a / (a + b + d))).epsilon(1e-15));
  // 2 and 0 before 1 and 3, in whatever order.
  const double both = c / (a + b + c + d) * a / (a + b + d) + a / (a + b + c + d) * c / (b + c + d);
  CHECK(of({}, s, partial_order::from_ranks({}, ints{1, 2, 1, 2})) == Approx(-std::log(both)).epsilon(1e-14));
  // One pair: the others have no say. Two that are apart: the sum.
  CHECK(of({}, s, reference::order_of(4, {{0, 2}})) == Approx(-std::log(a / (a + c))).epsilon(1e-15));
  CHECK(of({}, s, reference::order_of(4, {{0, 2}, {1, 3}})) ==
        Approx(-std::log(a / (a + c) * b / (b + d))).epsilon(1e-15));
  // A tree: each item the first of those below it.
  CHECK(of({}, s, reference::order_of(4, {{0, 1}, {0, 2}, {2, 3}})) ==
        Approx(-std::log(a / (a + b + c + d) * c / (c + d))).epsilon(1e-15));
  // N: 0 and 1 before 2, 1 before 3: 0123, 1023, 0132, 1032, 1302.
  const auto order = [&](double w, double x, double y, double z) {
    return w / (w + x + y + z) * x / (x + y + z) * y / (y + z);
  };
  const double n =
      order(a, b, c, d) + order(b, a, c, d) + order(a, b, d, c) + order(b, a, d, c) + order(b, d, a, c);
  CHECK(of({}, s, reference::order_of(4, {{0, 2}, {1, 2}, {1, 3}})) == Approx(-std::log(n)).epsilon(1e-14));
  CHECK(of({.temperature = 2}, reals{0, 2, 4, -2}, reference::order_of(4, {{0, 2}, {1, 2}, {1, 3}})) ==
        Approx(-std::log(n)).epsilon(1e-14));
  // By pairs.
  const double pairs = std::log((a + c) / a) + std::log((b + c) / b) + std::log((b + d) / b);
  CHECK(of(composite, s, reference::order_of(4, {{0, 2}, {1, 2}, {1, 3}})) == Approx(pairs).epsilon(1e-14));
  CHECK(of(composite, s, partial_order::from_ranks({}, ints{1, 1, 2, 1})) ==
        Approx(std::log((a + c) / a) + std::log((b + c) / b) + std::log((d + c) / d)).epsilon(1e-13));
}

TEMPLATE_TEST_CASE(
    "plackett_luce: value, gradient and Hessian of any order are those of all orders one by one", "", float,
    double) {
  std::mt19937_64 random(1);
  for (const std::size_t n : {2u, 3u, 4u, 5u, 6u, 7u})
    for (const double chance : {0.1, 0.25, 0.4, 0.6})
      for (const double spread : {0.1, 2.0, 30.0}) {
        auto s = support::numbers<TestType>(random, n);
        for (TestType& x : s) x *= static_cast<TestType>(spread);
        const double t = n % 2 == 0 ? 1.0 : 0.25;
        const auto pairs = reference::random_pairs(random, n, chance);
        const auto expected =
            reference::order_loss(widened(reals(s.begin(), s.end()), t), reference::better_of(n, pairs));
        const partial_order given = reference::order_of(n, pairs);
        for (const auto& order : {given, given.closure(), given.reduction()}) {
          const found got = derivatives_of<TestType>({.temperature = t}, s, order);
          CHECK(got.value == Approx(static_cast<double>(expected.value)).epsilon(1e-13).margin(1e-13));
          double sum = 0;
          for (std::size_t i = 0; i < n; ++i) {
            CHECK(std::abs(t * got.gradient[i] - static_cast<double>(expected.gradient[i])) <= 1e-12);
            CHECK(std::abs(t * t * got.hessian[i] - static_cast<double>(expected.hessian[i])) <= 1e-12);
            sum += got.gradient[i];
          }
          CHECK(std::abs(sum) <= 1e-12);
        }
      }
}

TEST_CASE("plackett_luce: the reference's derivatives are those of its value") {
  std::mt19937_64 random(2);
  const auto pairs = pair_list{{0, 2}, {1, 2}, {1, 3}, {2, 4}};
  const auto better = reference::better_of(5, pairs);
  const auto s = widened(support::numbers<double>(random, 5));
  const auto at = reference::order_loss(s, better);
  for (std::size_t i = 0; i < 5; ++i) {
    const real step = 1e-3L;
    const auto moved = [&](real by) {
      auto x = s;
      x[i] += by;
      return reference::order_loss(x, better).value;
    };
    const real low = moved(-step), lower = moved(-2 * step), high = moved(step), higher = moved(2 * step);
    CHECK(std::abs(at.gradient[i] - (lower - 8 * low + 8 * high - higher) / (12 * step)) <= 1e-10L);
    CHECK(std::abs(at.hessian[i] -
                   (16 * (low + high) - lower - higher - 30 * at.value) / (12 * step * step)) <= 1e-8L);
  }
}

TEST_CASE("plackett_luce: long tiers, trees and series by finite differences") {
  // Two chains side by side with a rung, over a chain, over a tree with a tier in it.
  pair_list pairs;
  for (std::size_t i = 0; i < 14; ++i) pairs.emplace_back(i, i + 2);
  pairs.emplace_back(3, 8);
  for (std::size_t i = 14; i < 20; ++i)
    pairs.emplace_back(i - (i == 14 || i == 15 ? 0 : 1), i == 14 || i == 15 ? 16 : i);
  for (const auto& [a, b] :
       pair_list{{19, 20}, {19, 21}, {20, 22}, {20, 23}, {22, 24}, {23, 24}, {23, 25}, {21, 26}, {21, 27}})
    pairs.emplace_back(a, b);
  const partial_order order = reference::order_of(30, pairs);
  std::mt19937_64 random(3);
  const reals s = support::numbers<double>(random, 30);
  const found got = derivatives_of<double>({}, s, order);
  const auto at = [&](std::size_t i, double by) {
    reals moved = s;
    moved[i] += by;
    reals g(30);
    evaluate(plackett_luce{}, partial_order_batch<double>{.scores = moved, .order = order}, {.gradient = g});
    return std::pair{of({}, moved, order), g[i]};
  };
  for (std::size_t i = 0; i < 30; ++i) {
    const double step = 1e-3;
    const auto low = at(i, -step), lower = at(i, -2 * step), high = at(i, step), higher = at(i, 2 * step);
    CHECK(std::abs(got.gradient[i] -
                   (lower.first - 8 * low.first + 8 * high.first - higher.first) / (12 * step)) <= 1e-9);
    CHECK(std::abs(got.hessian[i] -
                   (lower.second - 8 * low.second + 8 * high.second - higher.second) / (12 * step)) <= 1e-10);
  }
  CHECK(got.gradient[28] == 0.0);
  CHECK(got.hessian[29] == 0.0);
  reals shifted = s;
  for (double& x : shifted) x += 8;
  const found moved = derivatives_of<double>({}, shifted, order);
  CHECK(moved.value == Approx(got.value).epsilon(1e-14));
  for (std::size_t i = 0; i < 30; ++i) CHECK(std::abs(moved.gradient[i] - got.gradient[i]) <= 1e-13);
}

TEMPLATE_TEST_CASE("plackett_luce: full orders are listmle, buckets listmle with exact ties", "", float,
                   double) {
  std::mt19937_64 random(4);
  for (const std::size_t n : {1u, 2u, 9u, 200u, 1500u})
    for (const unsigned grades : {2u, 4u, 1000000u}) {
      const auto s = support::numbers<TestType>(random, n);
      const auto y = support::whole_numbers<int>(random, n, grades);
      std::vector<int> ranks;
      for (const int grade : y) ranks.push_back(3 * (static_cast<int>(grades) - grade));
      const rankloss::listmle like{.temperature = 0.5, .ties = rankloss::tie_order::exact};
      reals g(n), h(n);
      const double value = evaluate(
          like, rankloss::list_batch<double, int>{.scores = reals(s.begin(), s.end()), .relevance = y},
          {.gradient = g, .hessian = h});
      std::vector<partial_order> orders{partial_order::from_grades({}, y),
                                        partial_order::from_ranks({}, ranks)};
      if (grades > 4 || n < 100) orders.push_back(orders[0].reduction());
      for (const partial_order& order : orders) {
        // Levels are found in pairs too: no tier needs down-sets.
        const found got = derivatives_of<TestType>({.temperature = 0.5, .most_sets = 2}, s, order);
        CHECK(got.value == Approx(value).epsilon(1e-13).margin(1e-13));
        for (std::size_t i = 0; i < n; ++i) {
          CHECK(std::abs(got.gradient[i] - g[i]) <= 1e-11);
          CHECK(std::abs(got.hessian[i] - h[i]) <= 1e-11);
        }
      }
    }
}

TEMPLATE_TEST_CASE("plackett_luce: items that nobody ranked have no say, those of rank 0 may be the last", "",
                   float, double) {
  using T = TestType;
  std::mt19937_64 random(8);
  for (const std::size_t n : {1u, 2u, 3u, 9u, 200u, 700u})
    for (const unsigned grades : {2u, 4u, 1000u})
      for (const order_likelihood likelihood : {order_likelihood::exact, order_likelihood::by_pairs}) {
        CAPTURE(n, grades, likelihood == order_likelihood::exact);
        const auto s = support::numbers<T>(random, n);
        const auto ranks = support::whole_numbers<int>(random, n, grades);
        std::vector<T> ranked;
        std::vector<int> their_ranks, lower = ranks;
        for (std::size_t i = 0; i < n; ++i) {
          if (ranks[i] == 0) lower[i] = 2000;
          if (ranks[i] == 0) continue;
          ranked.push_back(s[i]);
          their_ranks.push_back(ranks[i]);
        }
        const plackett_luce loss{.temperature = 0.5, .likelihood = likelihood};
        const auto got =
            derivatives_of<T>(loss, s, partial_order::from_ranks({}, ranks, rankloss::rank_zero::unranked));
        const auto alone = derivatives_of<T>(loss, ranked, partial_order::from_ranks({}, their_ranks));
        CHECK(got.value == alone.value);
        std::size_t k = 0;
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < n; ++i) {
          wrong += got.gradient[i] != (ranks[i] == 0 ? 0.0 : alone.gradient[k]);
          wrong += got.hessian[i] != (ranks[i] == 0 ? 0.0 : alone.hessian[k]);
          k += ranks[i] == 0 ? 0 : 1;
        }
        CHECK(wrong == 0);

        const auto last =
            derivatives_of<T>(loss, s, partial_order::from_ranks({}, ranks, rankloss::rank_zero::last));
        const auto as_last = derivatives_of<T>(loss, s, partial_order::from_ranks({}, lower));
        CHECK(last.value == as_last.value);
        CHECK(last.gradient == as_last.gradient);
      }
}

TEST_CASE("plackett_luce: a long chain and a deep tree go without down-sets") {
  constexpr std::size_t n = 3000;
  std::mt19937_64 random(5);
  const reals s = support::numbers<double>(random, n);
  std::vector<std::size_t> chain(n);
  std::iota(chain.begin(), chain.end(), std::size_t{0});
  const auto by_chain = partial_order::from_chains(std::vector<std::size_t>{0, n}, chain);
  CHECK(of({.most_sets = 2}, s, by_chain) ==
        Approx(of({}, s, partial_order::from_ranks({}, chain, rankloss::rank_zero::best))).epsilon(1e-13));
  // Item i over items 2 i + 1 and 2 i + 2: P is the product of w_i over what is in its tree.
  pair_list pairs;
  for (std::size_t i = 1; i < n; ++i) pairs.emplace_back((i - 1) / 2, i);
  reals below(n, 0.0);
  double expected = 0.0;
  for (std::size_t i = n; i-- > 0;) {
    below[i] += std::exp(s[i]);
    expected += std::log(below[i]) - s[i];
    if (i > 0) below[(i - 1) / 2] += below[i];
  }
  CHECK(of({.most_sets = 2}, s, reference::order_of(n, pairs)) == Approx(expected).epsilon(1e-13));
  // A comb: item 2 i over 2 i + 1 and 2 i + 2.
  pairs.clear();
  for (std::size_t i = 0; i + 2 < 400; i += 2) {
    pairs.emplace_back(i, i + 1);
    pairs.emplace_back(i, i + 2);
  }
  double rest = std::exp(s[398]);
  expected = 0.0;
  for (std::size_t i = 396;; i -= 2) {
    rest += std::exp(s[i]) + std::exp(s[i + 1]);
    expected += std::log(rest) - s[i];
    if (i == 0) break;
  }
  CHECK(of({.most_sets = 2}, reals(s.begin(), s.begin() + 400), reference::order_of(400, pairs)) ==
        Approx(expected).epsilon(1e-13));
}

TEMPLATE_TEST_CASE("plackett_luce: by pairs, of levels and of pairs alike", "", float, double) {
  std::mt19937_64 random(6);
  for (const std::size_t n : {2u, 7u, 40u, 700u}) {
    const auto s = support::numbers<TestType>(random, n);
    auto y = support::whole_numbers<int>(random, n, 5);
    y[0] = 5;
    const plackett_luce loss{.temperature = 0.5, .likelihood = order_likelihood::by_pairs};
    const auto order = partial_order::from_grades({}, y);
    const auto pairs = order.pairs();
    const found levels = derivatives_of<TestType>(loss, s, order);
    const found plain = derivatives_of<TestType>(
        loss, s, partial_order::from_pairs(std::vector<std::size_t>{0, n}, pairs.preferred, pairs.other));
    const reals wide(s.begin(), s.end());
    reals g(n), h(n);
    const double value = evaluate(
        rankloss::bradley_terry{.temperature = 0.5},
        rankloss::preference_batch<double>{
            .rewards = wide, .preferred = pairs.preferred, .other = pairs.other, .reduction = reduction::sum},
        {.gradient = g, .hessian = h});
    double steepest = 1.0;
    for (const double x : h) steepest = std::max(steepest, x);
    for (const found& got : {levels, plain}) {
      CHECK(got.value == Approx(value).epsilon(1e-12));
      for (std::size_t i = 0; i < n; ++i) {
        CHECK(std::abs(got.gradient[i] - g[i]) <= 1e-12 * steepest);
        CHECK(std::abs(got.hessian[i] - h[i]) <= 1e-12 * steepest);
      }
    }
  }
}

TEMPLATE_TEST_CASE("plackett_luce: scores of any size", "", float, double) {
  const TestType big = std::numeric_limits<TestType>::max(),
                 infinity = std::numeric_limits<TestType>::infinity();
  const auto n_order = reference::order_of(4, {{0, 2}, {1, 2}, {1, 3}});
  const auto diamond = reference::order_of(5, {{0, 1}, {0, 2}, {1, 3}, {2, 3}, {4, 3}});
  const auto buckets = partial_order::from_ranks({}, ints{1, 1, 2, 2, 3});
  for (const auto& order : {n_order, diamond, buckets})
    for (const double temperature : {1e-15, 1.0, 1e300})
      for (const auto likelihood : {order_likelihood::exact, order_likelihood::by_pairs})
        for (const auto& scores : {std::vector<TestType>{-big, big, big, -big, 0},
                                   std::vector<TestType>{infinity, -infinity, infinity, 0, 1},
                                   std::vector<TestType>{big, big, big, big, big},
                                   std::vector<TestType>{-infinity, -infinity, 0, 0, -infinity}}) {
          const std::vector<TestType> s(scores.begin(),
                                        scores.begin() + static_cast<std::ptrdiff_t>(order.items()));
          std::vector<TestType> g(s.size()), h(s.size());
          const double value = evaluate(plackett_luce{.temperature = temperature, .likelihood = likelihood},
                                        partial_order_batch<TestType>{.scores = s, .order = order},
                                        {.gradient = g, .hessian = h, .scale = 3});
          CHECK((std::isfinite(value) && value >= 0.0));
          for (std::size_t i = 0; i < s.size(); ++i) CHECK((std::isfinite(g[i]) && std::isfinite(h[i])));
        }
  // All equal: the part of all 24 orders, 5 of them.
  CHECK(of({}, reals(4, 1e300), n_order) == Approx(std::log(24.0 / 5)).epsilon(1e-14));
  CHECK(of({}, reals(4, -1e300), n_order) == Approx(std::log(24.0 / 5)).epsilon(1e-14));
  // Two worlds 1e300 apart: 1 comes first for sure; 0 and 3 then share the far end with 2, in orders 032, 023
  // and 302.
  const reals apart{1, 1e300, 1, 1};
  const found got = derivatives_of<double>({}, apart, n_order);
  CHECK(got.value == Approx(std::log(2.0)).epsilon(1e-14));
  CHECK(got.gradient[1] == 0.0);
  CHECK(std::abs(got.gradient[0] + 0.5) <= 1e-14);
  CHECK(std::abs(got.gradient[2] - 0.5) <= 1e-14);
  CHECK(std::abs(got.gradient[3]) <= 1e-14);
  // 2 far above what is better than it.
  const found wrong = derivatives_of<double>({}, reals{0, 0, 1e100, 0}, n_order);
  CHECK(wrong.value == Approx(2e100).epsilon(1e-14));
  CHECK(std::abs(wrong.gradient[2] - 2) <= 1e-14);
}

TEST_CASE("plackett_luce: weights, reductions and outputs") {
  // Lists of 2, 0, 3 and 2 items; the second has no item, the last no pair.
  const auto order = partial_order::from_grades(ints{0, 2, 2, 5, 7}, ints{1, 0, 2, 1, 0, 4, 4});
  const reals s{0, 0, 1, 1, 1, 3, 2}, w{1, 5, 3, 4};
  const double two = std::log(2.0), three = std::log(6.0);
  reals lists(4);
  partial_order_batch<double> batch{.scores = s, .order = order};
  CHECK(evaluate(plackett_luce{}, batch, {.per_list = lists}) == Approx((two + three) / 4).epsilon(1e-15));
  CHECK(lists[0] == Approx(two).epsilon(1e-15));
  CHECK(lists[1] == 0.0);
  CHECK(lists[2] == Approx(three).epsilon(1e-15));
  CHECK(lists[3] == 0.0);
  const auto with = [&](reduction how, const reals& weights) {
    return evaluate(
        plackett_luce{},
        partial_order_batch<double>{.scores = s, .order = order, .list_weights = weights, .reduction = how});
  };
  CHECK(with(reduction::mean_of_relevant, {}) == Approx((two + three) / 2).epsilon(1e-15));
  CHECK(with(reduction::sum, {}) == Approx(two + three).epsilon(1e-15));
  CHECK(with(reduction::mean, w) == Approx((two + 3 * three) / 13).epsilon(1e-15));
  CHECK(with(reduction::mean_of_relevant, w) == Approx((two + 3 * three) / 4).epsilon(1e-15));
  CHECK(with(reduction::sum, w) == Approx(two + 3 * three).epsilon(1e-15));
  CHECK(with(reduction::mean, reals(4, 0.0)) == 0.0);
  for (const double same : {1e308, std::numeric_limits<double>::min(), 1e-320, 5e-324}) {
    CHECK(with(reduction::mean, reals(4, same)) == Approx((two + three) / 4).epsilon(1e-15));
    CHECK(with(reduction::mean_of_relevant, reals(4, same)) == Approx((two + three) / 2).epsilon(1e-15));
  }

  reals g(7);
  std::vector<float> added(7, 1.0f);
  const partial_order_batch<double> weighted{
      .scores = s, .order = order, .list_weights = w, .reduction = reduction::sum};
  evaluate(plackett_luce{}, weighted, {.gradient = g});
  const reals expected{-0.5, 0.5, 3 * (1.0 / 3 - 1), 3 * (1.0 / 3 + 0.5 - 1), 3 * (1.0 / 3 + 0.5), 0, 0};
  evaluate(plackett_luce{}, weighted, {.gradient = added, .scale = -2, .update = rankloss::update::add});
  for (std::size_t i = 0; i < 7; ++i) {
    CHECK(std::abs(g[i] - expected[i]) <= 1e-14);
    CHECK(std::abs(static_cast<double>(added[i]) - (1 - 2 * expected[i])) <= 1e-6);
  }
  CHECK(of({}, {}, partial_order{}) == 0.0);
}

TEST_CASE(
    "plackett_luce: the same bits on any number of threads, and nothing allocated after the first call") {
  std::mt19937_64 random(7);
  std::vector<std::size_t> offsets{0}, a, b;
  for (int l = 0; l < 60; ++l) {
    const std::size_t n = random() % 9;
    for (const auto& [i, j] : reference::random_pairs(random, n, 0.3)) {
      a.push_back(offsets.back() + i);
      b.push_back(offsets.back() + j);
    }
    offsets.push_back(offsets.back() + n);
  }
  const auto order = partial_order::from_pairs(offsets, a, b);
  const reals s = support::numbers<double>(random, order.items());
  const auto run = [&](rankloss::context& ctx, const plackett_luce& loss) {
    reals all(2 * order.items() + 61);
    const std::span<double> out(all);
    all.back() = evaluate(loss, partial_order_batch<double>{.scores = s, .order = order},
                          {.gradient = out.first(order.items()),
                           .per_list = out.subspan(2 * order.items(), 60),
                           .hessian = out.subspan(order.items(), order.items())},
                          ctx);
    return all;
  };
  rankloss::context one, two{rankloss::threads(2)}, seven{rankloss::threads(7)};
  for (const plackett_luce& loss : {plackett_luce{}, composite}) {
    const reals alone = run(one, loss);
    CHECK(alone.back() > 0.0);
    CHECK(run(two, loss) == alone);
    CHECK(run(seven, loss) == alone);
    const std::size_t held = one.scratch_capacity();
    CHECK(run(one, loss) == alone);
    CHECK(one.scratch_capacity() == held);
  }
}

TEST_CASE("plackett_luce: what does not fit is named, and nothing is written") {
  const auto n_order = reference::order_of(4, {{0, 2}, {1, 2}, {1, 3}});
  reals g(4, 9.0), lists(1, 9.0), three(3);
  const auto with = [&](const plackett_luce& loss, const reals& s, const partial_order& order,
                        const rankloss::outputs& out = {}, reals w = {}) {
    return evaluate(loss, partial_order_batch<double>{.scores = s, .order = order, .list_weights = w}, out);
  };
  const rankloss::outputs out{.gradient = g, .per_list = lists};
  const reals s(4, 0.0);
  CHECK_THROWS_WITH(with({.temperature = 0}, s, n_order, out),
                    "rankloss: temperature: 0, expected 1e-15 to 1e300");
  CHECK_THROWS_WITH(with({.most_sets = 1}, s, n_order, out), "rankloss: most_sets: 1, expected 2 to 2^26");
  CHECK_THROWS_WITH(with({}, reals{1}, n_order),
                    "rankloss: scores: size 1, expected 4 (one per item of the order)");
  CHECK_THROWS_WITH(with({}, s, n_order, {.gradient = three}),
                    "rankloss: gradient: size 3, expected 4 (one per score)");
  CHECK_THROWS_WITH(with({}, s, n_order, {.hessian = three}),
                    "rankloss: hessian: size 3, expected 4 (one per score)");
  CHECK_THROWS_WITH(with({}, s, n_order, {.per_list = three}),
                    "rankloss: per_list: size 3, expected 1 (one per list)");
  CHECK_THROWS_WITH(with({}, s, n_order, {.scale = nan}), "rankloss: scale: nan, expected a finite number");
  CHECK_THROWS_WITH(with({}, s, n_order, out, reals{1, 2}),
                    "rankloss: list_weights: size 2, expected 1 (one per list)");
  CHECK_THROWS_WITH(with({}, s, n_order, out, reals{-1}),
                    "rankloss: list_weights: -1 at list 0, expected a finite number >= 0");
  CHECK_THROWS_WITH(with({}, reals{0, nan, 0, 0}, n_order, out),
                    "rankloss: scores: nan at list 0, item 1, expected a number");
  CHECK(of({.most_sets = 9}, s, n_order) == Approx(std::log(24.0 / 5)).epsilon(1e-14));
  CHECK_THROWS_WITH(
      with({.most_sets = 8}, s, n_order, out),
      "rankloss: order: a tier of 4 items in list 0 takes a table of 9 sets, expected at most 8 (most_sets); "
      "order_likelihood::by_pairs has no limit");
  pair_list fence;
  for (std::size_t i = 0; i + 1 < 2050; ++i)
    fence.push_back(i % 2 == 0 ? std::pair{i, i + 1} : std::pair{i + 1, i});
  CHECK_THROWS_WITH(
      with({}, reals(2050, 0.0), reference::order_of(2050, fence)),
      "rankloss: order: a tier of 2050 items in list 0, expected at most 2048; order_likelihood::by_pairs has no limit");
  fence.resize(79);
  CHECK_THROWS_WITH(
      with({}, reals(80, 0.0), reference::order_of(80, fence)),
      "rankloss: order: a tier of 80 items in list 0 takes a table of 1.21576655e+19 sets, expected at most 1048576 (most_sets); "
      "order_likelihood::by_pairs has no limit");
  CHECK(g == reals(4, 9.0));
  CHECK(lists == reals{9.0});
  // A host that vouches for its data gets what it gets, and memory is safe.
  rankloss::context unchecked{rankloss::data_checks::off};
  for (const auto& order : {n_order, partial_order::from_ranks({}, ints{1, 1, 2, 2})}) {
    const reals bad{0, nan, 0, 0};
    evaluate(plackett_luce{}, partial_order_batch<double>{.scores = bad, .order = order}, {.gradient = g},
             unchecked);
  }
}

}  // namespace

}  // namespace plackett_luce_test
