// SPDX-License-Identifier: BSL-1.0
#include <rankloss/plackett_luce_policy.hpp>

#include <rankloss/ppo.hpp>
#include <rankloss/threads.hpp>

#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <numeric>
#include <random>
#include <span>
#include <vector>

namespace plackett_luce_policy_test {

namespace {

using rankloss::evaluate_orders;
using rankloss::order_batch;
using rankloss::plackett_luce_policy;
using rankloss::sample_orders;
using numbers = std::vector<double>;
using order_type = std::vector<std::uint32_t>;

struct chances {
  double log_probability, entropy;
};

/// By the formula, in long double.
template <class T>
chances plain(const plackett_luce_policy& policy, std::span<const T> s,
              std::span<const std::uint32_t> order) {
  const std::size_t n = s.size();
  const std::size_t counted_positions = policy.cutoff > 0 ? std::min(policy.cutoff, n) : n;
  long double log_probability = 0, entropy = 0;
  for (std::size_t k = 0; k < counted_positions; ++k) {
    long double most = s[order[k]], sum = 0;
    for (std::size_t j = k; j < n; ++j) most = std::max(most, static_cast<long double>(s[order[j]]));
    for (std::size_t j = k; j < n; ++j) sum += std::exp((s[order[j]] - most) / policy.temperature);
    for (std::size_t j = k; j < n; ++j) {
      const long double log_p = (s[order[j]] - most) / policy.temperature - std::log(sum);
      if (j == k) log_probability += log_p;
      entropy -= std::exp(log_p) * log_p;
    }
  }
  return {static_cast<double>(log_probability), static_cast<double>(entropy)};
}

template <class T>
chances of(const plackett_luce_policy& policy, const std::vector<T>& s, const order_type& order) {
  numbers log_probability(1), entropy(1);
  evaluate_orders(policy, order_batch<T>{s, order},
                  {.log_probabilities = log_probability, .entropies = entropy});
  return {log_probability[0], entropy[0]};
}

order_type first_order(std::size_t n) {
  order_type order(n);
  std::iota(order.begin(), order.end(), 0u);
  return order;
}

}  // namespace

TEST_CASE("plackett_luce_policy: orders worked by hand") {
  const double e = std::exp(1.0), e2 = std::exp(2.0);
  CHECK(of<double>({}, {0, 1, 2}, {2, 0, 1}).log_probability ==
        Approx(std::log(e2 / (1 + e + e2) / (1 + e))).epsilon(1e-14));
  CHECK(of<double>({.cutoff = 1}, {0, 1, 2}, {2, 0, 1}).log_probability ==
        Approx(std::log(e2 / (1 + e + e2))).epsilon(1e-14));
  CHECK(of<double>({}, {5, 5, 5, 5}, {2, 0, 1, 3}).log_probability == Approx(-std::log(24.0)).epsilon(1e-14));
  CHECK(of<double>({}, {5, 5, 5, 5}, {2, 0, 1, 3}).entropy == Approx(std::log(24.0)).epsilon(1e-14));
  CHECK(of<double>({}, {7}, {0}).log_probability == 0.0);
  CHECK(of<double>({}, {7}, {0}).entropy == 0.0);
  CHECK(of<double>({}, {}, {}).log_probability == 0.0);
}

TEST_CASE(
    "plackett_luce_policy: probabilities of all orders sum to 1, and the expectation of H is their entropy") {
  const numbers s{0.3, -1.2, 2.5, 0.9, 0.3};
  for (const std::size_t cutoff : {0u, 1u, 3u, 9u})
    for (const double t : {0.5, 3.0}) {
      const plackett_luce_policy policy{.temperature = t, .cutoff = cutoff};
      double sum = 0, entropy = 0, expected = 0;
      order_type order = first_order(5);
      do {
        const double whole = std::exp(of<double>({.temperature = t}, s, order).log_probability);
        const chances found = of(policy, s, order);
        sum += whole;
        entropy -= whole * found.log_probability;
        expected += whole * found.entropy;
      } while (std::next_permutation(order.begin(), order.end()));
      CHECK(sum == Approx(1).epsilon(1e-13));
      CHECK(expected == Approx(entropy).epsilon(1e-12));
    }
}

TEMPLATE_TEST_CASE("plackett_luce_policy: values are the plain sums, gradients their slopes, of every list",
                   "", float, double) {
  using T = TestType;
  std::mt19937_64 random(1);
  const std::vector<std::int64_t> offsets{0, 3, 3, 4, 16, 66};
  std::vector<T> s = support::numbers<T>(random, 66);
  for (T& x : s) x *= T(4);
  order_type order;
  for (std::size_t l = 0; l + 1 < offsets.size(); ++l) {
    order_type one = first_order(static_cast<std::size_t>(offsets[l + 1] - offsets[l]));
    std::shuffle(one.begin(), one.end(), random);
    order.insert(order.end(), one.begin(), one.end());
  }
  const numbers upstream{1.5, 7, -2, 0.3, 1}, entropy_upstream{0.1, 1, 2, -0.5, 2};
  for (const std::size_t cutoff : {0u, 1u, 4u})
    for (const double t : {0.3, 1.0, 20.0}) {
      const plackett_luce_policy policy{.temperature = t, .cutoff = cutoff};
      numbers log_probabilities(5), entropies(5);
      std::vector<T> g(66, T(1));
      evaluate_orders(policy, order_batch<T>{s, order, offsets},
                      {.log_probabilities = log_probabilities,
                       .entropies = entropies,
                       .gradient = g,
                       .upstream = upstream,
                       .entropy_upstream = entropy_upstream,
                       .update = rankloss::update::add});
      for (std::size_t l = 0; l < 5; ++l) {
        const auto first = static_cast<std::size_t>(offsets[l]),
                   n = static_cast<std::size_t>(offsets[l + 1]) - first;
        const auto positions = std::span<const std::uint32_t>(order).subspan(first, n);
        const chances expected = plain<T>(policy, std::span<const T>(s).subspan(first, n), positions);
        CHECK(log_probabilities[l] == Approx(expected.log_probability).epsilon(1e-12));
        CHECK(entropies[l] == Approx(expected.entropy).epsilon(1e-12).margin(1e-14));
        numbers wide(s.begin() + static_cast<std::ptrdiff_t>(first),
                     s.begin() + static_cast<std::ptrdiff_t>(first + n));
        for (std::size_t i = 0; i < n; ++i) {
          constexpr double h = 1e-5;
          const double at = wide[i];
          wide[i] = at + h;
          const chances above = plain<double>(policy, wide, positions);
          wide[i] = at - h;
          const chances below = plain<double>(policy, wide, positions);
          wide[i] = at;
          const double slope = (upstream[l] * (above.log_probability - below.log_probability) +
                                entropy_upstream[l] * (above.entropy - below.entropy)) /
                               (2 * h);
          CHECK(static_cast<double>(g[first + i]) - 1 == Approx(slope).margin(sizeof(T) == 4 ? 1e-5 : 2e-7));
        }
      }
    }
}

TEST_CASE(
    "plackett_luce_policy: without upstream the gradient is that of the log probabilities, and it sums to 0") {
  const numbers s{1, -2, 0.5, 3};
  const order_type order{1, 3, 0, 2};
  numbers g(4, 9.0), same(4);
  const numbers one{1};
  evaluate_orders(plackett_luce_policy{}, order_batch<double>{s, order}, {.gradient = g});
  evaluate_orders(plackett_luce_policy{}, order_batch<double>{s, order}, {.gradient = same, .upstream = one});
  CHECK(g == same);
  CHECK(std::accumulate(g.begin(), g.end(), 0.0) == Approx(0).margin(1e-14));
}

TEST_CASE("plackett_luce_policy: with ppo, the first step is REINFORCE") {
  const numbers s{1, -2, 0.5, 3, 0, 1}, advantages{0.7, -1.5};
  const order_type order{1, 3, 0, 2, 1, 0};
  const std::vector<int> offsets{0, 4, 6};
  const order_batch<double> batch{s, order, offsets};
  numbers now(2), upstream(2), g(6), expected(6);
  evaluate_orders(plackett_luce_policy{}, batch, {.log_probabilities = now});
  rankloss::evaluate(rankloss::ppo{}, rankloss::policy_batch<double>{now, now, advantages},
                     {.gradient = upstream});
  evaluate_orders(plackett_luce_policy{}, batch, {.gradient = g, .upstream = upstream});
  const numbers reinforce{-0.35, 0.75};
  evaluate_orders(plackett_luce_policy{}, batch, {.gradient = expected, .upstream = reinforce});
  for (std::size_t i = 0; i < 6; ++i) CHECK(g[i] == Approx(expected[i]).epsilon(1e-14));
}

TEMPLATE_TEST_CASE("plackett_luce_policy: scores however far apart", "", float, double) {
  using T = TestType;
  const T huge = std::numeric_limits<T>::max();
  const T infinity = std::numeric_limits<T>::infinity();
  const std::vector<T> s{huge, -huge, infinity, -infinity, 0, T(1e30), 1};
  std::mt19937_64 random(3);
  for (int trial = 0; trial < 20; ++trial) {
    order_type order = first_order(7);
    std::shuffle(order.begin(), order.end(), random);
    for (const double t : {1e-15, 1.0, 1e300}) {
      const numbers upstream{1e308}, down{-1e308};
      std::vector<T> g(7);
      const chances found = of(plackett_luce_policy{.temperature = t}, s, order);
      CHECK(std::isfinite(found.log_probability));
      CHECK(found.entropy >= 0.0);
      CHECK(found.entropy <= std::log(5040.0) * (1 + 1e-12));
      evaluate_orders(plackett_luce_policy{.temperature = t}, order_batch<T>{s, order},
                      {.gradient = g, .upstream = upstream, .entropy_upstream = down});
      for (const T x : g) CHECK(std::isfinite(x));
    }
  }
  // The last two are as good as alone, 800 below what comes first.
  const chances found = of<T>({}, {T(800), T(0), T(1)}, {0, 1, 2});
  CHECK(found.log_probability == Approx(-std::log1p(std::exp(1.0))).epsilon(1e-12));
}

TEST_CASE("sample_orders draws orders as often as they are probable") {
  const numbers s{0, 1, 0.5};
  const plackett_luce_policy policy{.temperature = 0.8, .seed = 5};
  rankloss::context context;
  std::map<order_type, double> counts;
  constexpr std::uint32_t samples = 20000;
  order_type order(3);
  for (std::uint32_t k = 0; k < samples; ++k) {
    sample_orders<double>(policy, s, {}, k, order, context);
    counts[order] += 1;
  }
  order = first_order(3);
  do {
    const double p = std::exp(of(policy, s, order).log_probability);
    CHECK(std::abs(counts[order] / samples - p) < 4.5 * std::sqrt(p * (1 - p) / samples));
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_CASE("plackett_luce_policy: the same bits on any number of threads, by list and item alone") {
  std::mt19937_64 random(4);
  std::vector<std::int32_t> offsets{0};
  for (int l = 0; l < 300; ++l) offsets.push_back(offsets.back() + static_cast<std::int32_t>(random() % 9));
  const auto items = static_cast<std::size_t>(offsets.back());
  const std::vector<float> s = support::numbers<float>(random, items);
  const plackett_luce_policy policy{.seed = 9};
  rankloss::context alone;
  order_type order(items), other(items);
  numbers log_probabilities(300), again(300);
  std::vector<float> g(items), same(items);
  sample_orders<float>(policy, s, offsets, 0, order, alone);
  evaluate_orders(policy, order_batch<float>{s, order, offsets},
                  {.log_probabilities = log_probabilities, .gradient = g}, alone);
  rankloss::context context{rankloss::threads(3)};
  sample_orders<float>(policy, s, offsets, 0, other, context);
  evaluate_orders(policy, order_batch<float>{s, order, offsets},
                  {.log_probabilities = again, .gradient = same}, context);
  CHECK(order == other);
  CHECK(log_probabilities == again);
  CHECK(g == same);
  sample_orders(policy, s, offsets, 0, other, context);  // of the scores' own type
  CHECK(order == other);
  // The first 10 lists are drawn alike without the others.
  const auto few = static_cast<std::size_t>(offsets[10]);
  order_type part(few);
  sample_orders<float>(policy, std::span<const float>(s).first(few), std::span(offsets).first(11), 0, part,
                       context);
  CHECK(std::equal(part.begin(), part.end(), order.begin()));
  sample_orders<float>(policy, s, offsets, 1, other, context);
  CHECK(order != other);
}

TEST_CASE("plackett_luce_policy names what does not fit, before it writes") {
  const numbers s{1, 2, 3, 4};
  const std::vector<std::int64_t> order{1, 0, 1, 0};
  const std::vector<int> offsets{0, 2, 4};
  numbers g(4, 9.0), log_probabilities(2, 9.0);
  const order_batch<double> good{s, order, offsets};
  auto bad = good;
  const auto run = [&](const plackett_luce_policy& policy = {}) {
    evaluate_orders(policy, bad, {.log_probabilities = log_probabilities, .gradient = g});
  };
  CHECK_THROWS_WITH(run({.temperature = 0}),
                    Catch::Matchers::StartsWith("rankloss: temperature: 0, expected"));
  bad.orders = {};
  CHECK_THROWS_WITH(run(), "rankloss: orders: size 0, expected 4 (one per score)");
  std::vector<std::int64_t> wrong{1, 0, 2, 0};
  bad.orders = wrong;
  CHECK_THROWS_WITH(run(), "rankloss: orders: 2 at list 1, position 0, expected an item from 0 to 1");
  wrong = {1, 0, -1, 0};
  CHECK_THROWS_WITH(run(), "rankloss: orders: -1 at list 1, position 0, expected an item from 0 to 1");
  wrong = {1, 1, 1, 0};
  CHECK_THROWS_WITH(run(), "rankloss: orders: 1 at list 0, position 1, expected each item once");
  bad = good;
  const std::vector<int> short_offsets{0, 2, 3};
  bad.offsets = short_offsets;
  CHECK_THROWS_WITH(run(), "rankloss: offsets: last is 3, expected 4 (the number of scores)");
  bad = good;
  const numbers unsound{1, 2, std::nan(""), 4};
  bad.scores = unsound;
  CHECK_THROWS_WITH(run(), "rankloss: scores: nan at item 2, expected a number");
  const numbers three(3, 1.0), infinite{1, std::numeric_limits<double>::infinity()};
  numbers few(3);
  CHECK_THROWS_WITH(evaluate_orders(plackett_luce_policy{}, good, {.entropies = few}),
                    "rankloss: entropies: size 3, expected 2 (one per list)");
  CHECK_THROWS_WITH(evaluate_orders(plackett_luce_policy{}, good, {.gradient = few}),
                    "rankloss: gradient: size 3, expected 4 (one per score)");
  CHECK_THROWS_WITH(evaluate_orders(plackett_luce_policy{}, good, {.gradient = g, .upstream = three}),
                    "rankloss: upstream: size 3, expected 2 (one per list)");
  CHECK_THROWS_WITH(
      evaluate_orders(plackett_luce_policy{}, good, {.gradient = g, .entropy_upstream = infinite}),
      "rankloss: entropy_upstream: inf at list 1, expected a finite number");
  CHECK(g == numbers(4, 9.0));
  CHECK(log_probabilities == numbers(2, 9.0));
  rankloss::context context;
  order_type short_order(3, 7u);
  CHECK_THROWS_WITH(sample_orders<double>({}, s, offsets, 0, short_order, context),
                    "rankloss: orders: size 3, expected 4 (one per score)");
  order_type orders(4, 7u);
  CHECK_THROWS_WITH(sample_orders<double>({}, unsound, offsets, 0, orders, context),
                    "rankloss: scores: nan at item 2, expected a number");
  CHECK(orders == order_type(4, 7u));
}

}  // namespace plackett_luce_policy_test
