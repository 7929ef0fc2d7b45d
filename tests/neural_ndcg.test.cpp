// SPDX-License-Identifier: BSL-1.0
#include <rankloss/metrics/ndcg.hpp>
#include <rankloss/neural_ndcg.hpp>
#include <rankloss/neural_sort_cross_entropy.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/stochastic.hpp>
#include <rankloss/weighted_sum.hpp>

#include "vectors/allrank_vectors.hpp"

#include "support/below_zero.hpp"
#include "support/counting_threads.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

namespace neural_ndcg_test {

using rankloss::context;
using rankloss::evaluate;
using rankloss::list_batch;
using rankloss::neural_ndcg;

namespace {

using reals = std::vector<double>;
using cspan = std::span<const double>;

void check(const allrank::ndcg_case& expected, bool float_scores) {
  INFO("temperature " << expected.temperature << ", cutoff " << expected.cutoff);
  // allRank's lists go on until the whole batch has converged, ours stop by themselves: so many steps, and
  // the derivative is that of them.
  const neural_ndcg loss{.temperature = expected.temperature,
                         .cutoff = expected.cutoff,
                         .steps = expected.steps,
                         .tolerance = 0.0};
  const auto agree = [&](const auto& s) {
    using T = typename std::remove_cvref_t<decltype(s)>::value_type;
    std::vector<T> g(10);
    const double value =
        evaluate(loss,
                 list_batch<T, double>{
                     .scores = s, .relevance = allrank::relevance, .length = 5, .mask = allrank::mask},
                 {.gradient = g});
    CHECK(value == Approx(1.0 + expected.value).margin(2e-6));
    for (std::size_t i = 0; i < 10; ++i)
      CHECK(static_cast<double>(g[i]) == Approx(expected.gradient[i]).margin(2e-6));
  };
  if (float_scores)
    agree(std::vector<float>(allrank::scores.begin(), allrank::scores.end()));
  else
    agree(allrank::scores);
}

TEST_CASE("neural_ndcg refuses gains below 0") {
  support::refuses_below_0(neural_ndcg{});
  support::refuses_below_0(neural_ndcg{.gain = rankloss::gain::linear, .cutoff = 2, .steps = 0});
}

}  // namespace

TEST_CASE("neural_ndcg: values and gradients of allRank, in its normal and its transposed form") {
  for (const bool float_scores : {false, true}) {
    for (const allrank::ndcg_case& c : allrank::neural_ndcg) check(c, float_scores);
    for (const allrank::ndcg_case& c : allrank::neural_ndcg_transposed) check(c, float_scores);
  }
}

TEST_CASE("neural_ndcg: the implicit derivative does not depend on where a list stops") {
  // The second list's gaps are equal: its sums converge so fast that it stops where the unrolled derivative
  // is still 2 % off its limit.
  const list_batch<double> batch{
      .scores = allrank::scores, .relevance = allrank::relevance, .length = 5, .mask = allrank::mask};
  reals stopped(10), limit(10), implicit(10);
  evaluate(neural_ndcg{}, batch, {.gradient = stopped});
  evaluate(neural_ndcg{.steps = 200, .tolerance = 0.0}, batch, {.gradient = limit});
  evaluate(neural_ndcg{.tolerance = 1e-9, .derivative = rankloss::sinkhorn_derivative::implicit}, batch,
           {.gradient = implicit});
  CHECK(std::abs(stopped[7] - limit[7]) > 1e-4);
  for (std::size_t i = 0; i < 10; ++i) CHECK(implicit[i] == Approx(limit[i]).margin(1e-8));
}

TEST_CASE("neural_ndcg: padding anywhere changes nothing") {
  // allRank gives -0.645480 where padding is in between and -0.690182 where it is last: its scaling counts
  // positions, not items.
  const reals s{0.5, 2, -1, 0.1, 7}, y{1, 2, 0, 1, 9};
  const reals padded{9, 0.5, 2, -5, -1, 0.1, 7, 3}, labels{4, 1, 2, 4, 0, 1, 9, 4};
  const std::vector<std::uint8_t> mask{0, 1, 1, 0, 1, 1, 1, 0};
  reals g(5), padded_g(8);
  const double value =
      evaluate(neural_ndcg{}, list_batch<double>{.scores = s, .relevance = y}, {.gradient = g});
  CHECK(evaluate(neural_ndcg{},
                 list_batch<double>{.scores = padded, .relevance = labels, .length = 8, .mask = mask},
                 {.gradient = padded_g}) == value);
  CHECK(padded_g == reals{0, g[0], g[1], 0, g[2], g[3], g[4], 0});
}

TEST_CASE("neural_ndcg: without Sinkhorn as TF-Ranking's NeuralSortNDCG") {
  const reals a{1, 3, 2}, ya{0, 0, 1}, b{1, 3}, yb{0, 2};
  const neural_ndcg loss{.steps = 0};
  CHECK(evaluate(loss, list_batch<double>{.scores = a, .relevance = ya}) ==
        Approx(1 - 0.761571).margin(1e-6));
  CHECK(evaluate(loss, list_batch<double>{.scores = b, .relevance = yb}) ==
        Approx(1 - 0.956006).margin(1e-6));
}

TEMPLATE_TEST_CASE("neural_ndcg: a list in a group, alone and beyond the groups' length is the same function",
                   "", float, double) {
  using T = TestType;
  std::mt19937_64 random(4);
  std::normal_distribution<double> normal;
  for (const std::size_t steps : {0, 3, 50})
    for (const std::size_t n : {3, 60, 300}) {
      INFO("n " << n << ", steps " << steps);
      std::vector<T> s(n), y(n), g(n), alone(n);
      for (T& x : s) x = static_cast<T>(normal(random));
      for (T& x : y) x = static_cast<T>(random() % 4);
      const neural_ndcg loss{.temperature = 0.5, .cutoff = 10, .steps = steps, .tolerance = 0};
      const double value = evaluate(loss, list_batch<T>{.scores = s, .relevance = y}, {.gradient = g});
      rankloss::workspace scratch;
      const rankloss::list<T, T> items{{s.data(), n}, {y.data(), n}};
      const double other = rankloss::engine<neural_ndcg>::run(
          loss, items, rankloss::list_outputs<T>{{std::span<T>(alone)}}, scratch);
      CHECK(value == Approx(other).epsilon(sizeof(T) == 4 ? 1e-7 : 1e-12));
      double largest = 0;
      for (const T x : g) largest = std::max(largest, std::abs(static_cast<double>(x)));
      for (std::size_t i = 0; i < n; ++i)
        CHECK(std::abs(static_cast<double>(g[i]) - static_cast<double>(alone[i])) <=
              (sizeof(T) == 4 ? 1e-6 : 1e-11) * largest);

      if constexpr (sizeof(T) == 8) {
        for (const std::size_t k : {std::size_t{0}, n / 2, n - 1}) {
          constexpr double h = 1e-6;
          auto up = s, down = s;
          up[k] += h;
          down[k] -= h;
          const double slope = (evaluate(loss, list_batch<T>{.scores = up, .relevance = y}) -
                                evaluate(loss, list_batch<T>{.scores = down, .relevance = y})) /
                               (up[k] - down[k]);
          CHECK(std::abs(g[k] - slope) <= 1e-6 * largest + 1e-9);
        }
      }
    }
}

TEST_CASE("neural_ndcg: as the temperature falls it becomes 1 - NDCG@k") {
  std::mt19937_64 random(9);
  std::normal_distribution<double> normal;
  for (const std::size_t cutoff : {0, 1, 5}) {
    reals s(40), y(40);
    for (double& x : s) x = normal(random);
    for (double& x : y) x = static_cast<double>(random() % 5);
    const list_batch<double> batch{.scores = s, .relevance = y};
    const double exact = evaluate(rankloss::metrics::ndcg{.cutoff = cutoff}, batch);
    CHECK(evaluate(neural_ndcg{.temperature = 1e-6, .cutoff = cutoff}, batch) ==
          Approx(1 - exact).margin(1e-12));
  }
}

TEMPLATE_TEST_CASE("neural_ndcg: workers share a list of some thousand items, and no bit depends on them", "",
                   float, double) {
  using T = TestType;
  std::mt19937_64 random(12);
  std::normal_distribution<double> normal;
  const std::size_t n = 3 * rankloss::detail::tuning::shortest_shared_band + 5;
  std::vector<T> s(n), y(n), g(n), expected(n);
  for (T& x : s) x = static_cast<T>(normal(random));
  for (T& x : y) x = static_cast<T>(random() % 5);
  const support::counting_threads three(3);
  context alone, shared{three};
  const auto compare = [&](const auto& loss, std::size_t items, bool is_shared) {
    const list_batch<T> batch{.scores = std::span(s).first(items), .relevance = std::span(y).first(items)};
    const double value = evaluate(loss, batch, {.gradient = std::span(expected).first(items)}, alone);
    const std::size_t before = three.runs();
    CHECK(evaluate(loss, batch, {.gradient = std::span(g).first(items)}, shared) == value);
    CHECK((three.runs() > before) == is_shared);
    CHECK(g == expected);
  };
  const neural_ndcg loss{.temperature = 0.1, .steps = 0}, scaled{.temperature = 0.01, .steps = 3};
  compare(loss, n, true);
  compare(scaled, n, true);
  compare(rankloss::neural_sort_cross_entropy{.temperature = 0.1, .relevance_temperature = 1e-4}, n, true);
  compare(rankloss::stochastic<neural_ndcg>{.loss = loss, .samples = 2}, n, true);
  compare(rankloss::weighted_sum{rankloss::weighted{0.5, loss}, rankloss::weighted{2.0, rankloss::sndcg{}}},
          n, true);
  compare(loss, rankloss::detail::tuning::shortest_shared_band, true);
  compare(loss, rankloss::detail::tuning::shortest_shared_band - 1, false);
  // Many lists are shared list by list.
  const std::vector<std::int64_t> offsets{0, 1500, static_cast<std::int64_t>(n)};
  const list_batch<T> two{.scores = s, .relevance = y, .offsets = offsets};
  CHECK(evaluate(loss, two, {.gradient = expected}, alone) == evaluate(loss, two, {.gradient = g}, shared));
  CHECK(g == expected);
}

TEST_CASE("neural_ndcg: edge cases") {
  const reals s{1, 2, 3}, none{0, 0, 0};
  reals g(3, 9.0);
  CHECK(evaluate(neural_ndcg{}, list_batch<double>{.scores = s, .relevance = none}, {.gradient = g}) == 0.0);
  CHECK(g == reals{0, 0, 0});
  const reals huge{3e38, -3e38, 0}, y{0, 1, 2};
  CHECK(std::isfinite(
      evaluate(neural_ndcg{}, list_batch<double>{.scores = huge, .relevance = y}, {.gradient = g})));
  for (const double x : g) CHECK(std::isfinite(x));
  const reals equal(3, 0.5);
  const double value =
      evaluate(neural_ndcg{}, list_batch<double>{.scores = equal, .relevance = y}, {.gradient = g});
  // Every item is everywhere with weight 1/3.
  const double discounts = 1 + 1 / std::log2(3.0) + 0.5;
  CHECK(value == Approx(1 - (4.0 / 3 * discounts) / (3 + 1 / std::log2(3.0))));
  const reals one{4}, grade{2};
  CHECK(evaluate(neural_ndcg{}, list_batch<double>{.scores = one, .relevance = grade}) ==
        Approx(0.0).margin(1e-15));
}

}  // namespace neural_ndcg_test
