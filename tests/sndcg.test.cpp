// SPDX-License-Identifier: BSL-1.0
#include <rankloss/sndcg.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "support/below_zero.hpp"
#include "support/reference.hpp"

namespace sndcg_test {

namespace {

using reference::real;
using reference::relative_error;
using reference::widen;

/// Scores that are hard on the kernels in different ways; the spread of most of them is about 1.
enum class shape { normal, ties, few_far_away, crowd_and_loners, equal, clusters };

template <class T>
std::vector<T> make_scores(shape kind, std::size_t n, unsigned seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  std::vector<T> s(n);
  for (T& x : s) {
    double v = normal(random);
    switch (kind) {
      case shape::normal: break;
      case shape::ties: v = std::round(4 * v) / 4; break;
      case shape::few_far_away: v *= random() % 20 == 0 ? 1e6 : 1; break;
      case shape::crowd_and_loners: v *= random() % 5 == 0 ? 1e5 : 0.3; break;
      case shape::equal: v = 0.75; break;
      case shape::clusters: v = 1e-6 * v + static_cast<double>(random() % 3) * 50; break;
    }
    x = static_cast<T>(v);
  }
  return s;
}

std::vector<real> exponential_gains(const auto& grades) {
  std::vector<real> gains;
  for (const auto y : grades) gains.push_back(std::expm1(real(y) * std::numbers::ln2_v<real>));
  return gains;
}

template <class T>
constexpr double gradient_bound = sizeof(T) == 4 ? 2e-6 : 1e-13;

std::vector<double> make_grades(std::size_t n, unsigned seed, bool graded) {
  std::mt19937_64 random(seed);
  std::vector<double> y(n);
  for (double& grade : y)
    grade = graded ? static_cast<double>(random() % 5)
                   : static_cast<float>(0x1p-32 * static_cast<double>(random() >> 32));
  return y;
}

template <class T>
void check(const std::vector<T>& s, const std::vector<double>& grades, double temperature,
           const reference::derivatives& expected) {
  const std::vector<T> y(grades.begin(), grades.end());
  std::vector<T> g(s.size());
  const double value =
      rankloss::evaluate(rankloss::sndcg{.temperature = temperature},
                         rankloss::list_batch<T>{.scores = s, .relevance = y}, {.gradient = g});
  INFO("n " << s.size() << ", temperature " << temperature << ", bytes " << sizeof(T));
  CHECK(std::abs(static_cast<double>(value - expected.value)) <= (sizeof(T) == 4 ? 2e-7 : 1e-14));
  INFO("error " << std::to_string(1e13 * relative_error(g, expected.gradient)) << "e-13");
  CHECK(relative_error(g, expected.gradient) <= gradient_bound<T>);
}

template <class T>
void check_against_reference(shape kind, std::size_t n, double temperature, bool graded = true) {
  const auto seed = static_cast<unsigned>(n * 31 + static_cast<unsigned>(kind));
  const std::vector<T> s = make_scores<T>(kind, n, seed);
  const auto [lowest, highest] = std::minmax_element(s.begin(), s.end());
  const double spread = static_cast<double>(*highest) - static_cast<double>(*lowest);
  if (spread > 0 && temperature > 10 * spread)
    return;  // ranks then differ by so little that their own last digits decide
  const std::vector<double> y = make_grades(n, seed + 1, graded);
  INFO("shape " << static_cast<int>(kind));
  check(s, y, temperature, reference::sndcg(widen(s), exponential_gains(y), temperature));
}

TEST_CASE("sndcg refuses gains below 0") {
  for (const rankloss::gain kind : {rankloss::gain::exponential, rankloss::gain::linear}) {
    support::refuses_below_0(rankloss::sndcg{.temperature = 0.5, .gain = kind});
    support::refuses_below_0(rankloss::sndcg{
        .temperature = 0.5, .gain = kind, .cutoff = 2, .ideal = rankloss::ideal::competition_ranks});
  }
  const std::vector<double> table{0, 1};
  CHECK(
      support::said_of_below_0(rankloss::sndcg{.gain = rankloss::gain::table, .gain_table = table}).empty());
}

}  // namespace

TEMPLATE_TEST_CASE("sndcg: value and gradient are those of the O(n^2) sums", "[sndcg]", float, double) {
  // Up to 256 or 512 items, by the lanes, a list is one of a group, beyond it is cut into lanes or cells, as its density
  // asks for.
  for (const shape kind : {shape::normal, shape::ties, shape::few_far_away, shape::crowd_and_loners,
                           shape::equal, shape::clusters})
    for (const double temperature : {1e-3, 1e-2, 0.3, 10.0})
      for (const std::size_t n : {1, 2, 3, 7, 16, 33, 128, 255, 256, 257, 512, 513, 600})
        check_against_reference<TestType>(kind, n, temperature, n % 2 == 0);
}

TEST_CASE("sndcg: long lists", "[sndcg]") {
  // Scores are floats: one reference is that of both types.
  const auto compare = [](shape kind, double temperature) {
    const std::vector<float> s = make_scores<float>(kind, 3000, 3);
    const std::vector<double> y = make_grades(s.size(), 4, true);
    const reference::derivatives expected = reference::sndcg(widen(s), exponential_gains(y), temperature);
    check(s, y, temperature, expected);
    check(std::vector<double>(s.begin(), s.end()), y, temperature, expected);
  };
  for (const double temperature : {1e-4, 1e-2, 10.0}) compare(shape::normal, temperature);
  compare(shape::ties, 0.1);
}

TEMPLATE_TEST_CASE("sndcg: sampled entries of a list of 100 000", "[sndcg]", float, double) {
  // The whole reference would take minutes: ranks of all items in O(n^2) are needed for one gradient entry,
  // so ranks come from double sums over a window that holds everything within 50 temperatures.
  const std::size_t n = 100000;
  const double t = 0.003;
  const std::vector<TestType> s = make_scores<TestType>(shape::normal, n, 7);
  std::mt19937_64 random(8);
  std::vector<int> y(n);
  for (int& grade : y) grade = static_cast<int>(random() % 5);
  std::vector<std::size_t> order(n);
  for (std::size_t i = 0; i < n; ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return s[i] > s[j]; });
  std::vector<double> x(n);
  for (std::size_t i = 0; i < n; ++i) x[i] = static_cast<double>(s[order[i]]);

  const auto window = [&](std::size_t i) {
    const auto first = std::partition_point(x.begin(), x.end(), [&](double v) { return v > x[i] + 45 * t; });
    const auto last = std::partition_point(x.begin(), x.end(), [&](double v) { return v >= x[i] - 45 * t; });
    return std::pair(static_cast<std::size_t>(first - x.begin()), static_cast<std::size_t>(last - x.begin()));
  };
  std::vector<double> a(n, std::numeric_limits<double>::quiet_NaN());
  const auto by_rank = [&](std::size_t i) {  // d(DCG) / d(rank), negative
    if (!std::isnan(a[i])) return a[i];
    const auto [first, last] = window(i);
    double rank = 1 + static_cast<double>(first);
    for (std::size_t j = first; j < last; ++j)
      if (j != i) rank += 1 / (1 + std::exp((x[i] - x[j]) / t));
    const double l = std::log1p(rank);
    return a[i] = (std::exp2(y[order[i]]) - 1) * std::numbers::ln2 / ((1 + rank) * l * l);
  };
  std::vector<int> best = y;
  std::sort(best.begin(), best.end(), std::greater<>());
  real ideal = 0;
  for (std::size_t i = 0; i < n; ++i) ideal += (std::exp2(best[i]) - 1) / std::log2(real(i) + 2);

  std::vector<TestType> g(n);
  rankloss::evaluate(rankloss::sndcg{.temperature = t},
                     rankloss::list_batch<TestType, int>{.scores = s, .relevance = y}, {.gradient = g});
  double largest = 0;
  for (const TestType v : g) largest = std::max(largest, std::abs(static_cast<double>(v)));
  for (const std::size_t i :
       {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{5}, std::size_t{40}, n - 1}) {
    const auto [first, last] = window(i);
    real sum = 0;
    for (std::size_t j = first; j < last; ++j)
      if (j != i)
        sum += (by_rank(j) - by_rank(i)) * reference::sigmoid((real(x[j]) - real(x[i])) / real(t)).slope;
    INFO("position " << i);
    CHECK(std::abs(static_cast<double>(sum / ideal / t) - static_cast<double>(g[order[i]])) <=
          gradient_bound<TestType> * largest);
  }
}

TEMPLATE_TEST_CASE("sndcg: cutoff, gains, weights, competition ranks and the Hessian diagonal", "[sndcg]",
                   float, double) {
  using T = TestType;
  for (const std::size_t n : {1, 2, 6, 40, 200, 257, 700})
    for (const double temperature : {0.05, 1.0}) {
      const std::vector<T> s = make_scores<T>(n % 2 == 0 ? shape::normal : shape::ties, n, 3);
      std::mt19937_64 random(n);
      std::vector<int> y(n);
      std::vector<double> w(n);
      for (int& grade : y) grade = static_cast<int>(random() % 4);
      for (double& weight : w) weight = static_cast<double>(random() % 3);
      const std::vector<double> table{0, 0.5, 3, 10};
      const auto check = [&](const rankloss::sndcg& loss, auto&& gain_of, bool weighted) {
        std::vector<real> gains(n);
        for (std::size_t i = 0; i < n; ++i) gains[i] = gain_of(y[i]) * (weighted ? real(w[i]) : real(1));
        const auto expected = reference::sndcg(widen(s), gains, loss.temperature, loss.cutoff,
                                               loss.ideal == rankloss::ideal::competition_ranks);
        rankloss::list_batch<T, int> batch{.scores = s, .relevance = y};
        if (weighted) batch.item_weights = w;
        std::vector<T> g(n), h(n), g_alone(n);
        const double value = rankloss::evaluate(loss, batch, {.gradient = g, .hessian = h});
        CHECK(value == rankloss::evaluate(loss, batch, {.hessian = h}));
        CHECK(rankloss::evaluate(loss, batch, {.gradient = g_alone}) ==
              Approx(value).margin(sizeof(T) == 4 ? 1e-6 : 1e-13));
        INFO("n " << n << ", temperature " << temperature << ", cutoff " << loss.cutoff);
        CHECK(std::abs(static_cast<double>(value - expected.value)) <= (sizeof(T) == 4 ? 1e-6 : 1e-13));
        const double slack =
            loss.cutoff > 0 ? 10
                            : 1;  // the cut's own slope of up to 3/2 a rank magnifies the error of a rank
        CHECK(relative_error(g, expected.gradient) <= slack * gradient_bound<T>);
        CHECK(relative_error(g_alone, expected.gradient) <= slack * gradient_bound<T>);
        CHECK(relative_error(h, expected.hessian) <= (sizeof(T) == 4 ? 1e-4 : 1e-10));
      };
      const auto exponential = [](int v) { return std::exp2(real(v)) - 1; };
      check({.temperature = temperature}, exponential, false);
      check({.temperature = temperature}, exponential, true);
      check(
          {.temperature = temperature, .gain = rankloss::gain::linear}, [](int v) { return real(v); }, false);
      check(
          {.temperature = temperature, .gain = rankloss::gain::table, .gain_table = table},
          [&](int v) { return real(table[static_cast<std::size_t>(v)]); }, true);
      check({.temperature = temperature, .cutoff = 5}, exponential, false);
      check({.temperature = temperature, .cutoff = 5, .ideal = rankloss::ideal::competition_ranks},
            exponential, true);
      check({.temperature = temperature, .ideal = rankloss::ideal::competition_ranks}, exponential, false);
    }
}

TEST_CASE("sndcg: values worked by hand", "[sndcg]") {
  // One relevant item of two, the other above it by d: rank = 1 + sigmoid(d).
  const std::vector<double> s{3.0, 1.0};
  const std::vector<int> y{0, 2};
  const double rank = 1 + 1 / (1 + std::exp(-2.0));
  CHECK(rankloss::evaluate(rankloss::sndcg{.temperature = 1},
                           rankloss::list_batch<double, int>{.scores = s, .relevance = y}) ==
        Approx(1 - 1 / std::log2(1 + rank)).epsilon(1e-14));

  // ApproxNDCG as TF-Ranking and allRank compute it, negated there.
  const auto ndcg = [](std::vector<double> scores, std::vector<double> grades) {
    return 1 - rankloss::evaluate(rankloss::sndcg{.temperature = 1},
                                  rankloss::list_batch<double>{.scores = scores, .relevance = grades});
  };
  CHECK(ndcg({1, 3, 2}, {0, 0, 1}) == Approx(0.63093).epsilon(1e-5));
  CHECK(ndcg({1, 3}, {0, 2}) == Approx(0.922917).epsilon(1e-5));
  CHECK(ndcg({1, 2, 3}, {0, 0, 2}) == Approx(0.796248).epsilon(1e-5));
  CHECK(ndcg({0.5, 0.3, 0.5}, {0.5, 0.3, 0.5}) == Approx(0.8499219417).epsilon(1e-7));
}

TEMPLATE_TEST_CASE("sndcg: edge cases are finite and as documented", "[sndcg]", float, double) {
  using T = TestType;
  const T huge = std::numeric_limits<T>::max();
  const T infinite = std::numeric_limits<T>::infinity();
  for (const std::size_t n : {4, 300}) {
    std::vector<T> y(n, T{0});
    y[0] = 1, y[1] = 3;
    std::vector<T> g(n, T{9});
    const auto value = [&](const std::vector<T>& s, const std::vector<T>& grades, double temperature = 0.01) {
      const double v =
          rankloss::evaluate(rankloss::sndcg{.temperature = temperature},
                             rankloss::list_batch<T>{.scores = s, .relevance = grades}, {.gradient = g});
      CHECK(std::isfinite(v));
      CHECK(std::all_of(g.begin(), g.end(), [](T x) { return std::isfinite(x); }));
      return v;
    };
    std::vector<T> s(n, T{0});
    // Nothing relevant: no loss, and the gradient is written.
    CHECK(value(s, std::vector<T>(n, T{0})) == 0.0);
    CHECK(std::all_of(g.begin(), g.end(), [](T x) { return x == 0; }));
    // Everything the same and all alike: any order is the best one.
    value(s, std::vector<T>(n, T{2}));
    // Scores at the ends of the type, and beyond.
    s[0] = -huge / 2, s[1] = huge / 2, s[2] = infinite, s[3] = -infinite;
    value(s, y);
    CHECK(std::abs(g[2]) < 1e-6);  // nothing is near them
    CHECK(std::abs(g[3]) < 1e-6);
    value(s, y, 1e30);
    // Two equal infinities are a tie: both are at rank 1.5.
    std::fill(s.begin(), s.end(), -infinite);
    s[0] = s[1] = infinite;
    CHECK(value(s, y) == Approx(1 - 8 / std::log2(2.5) / (7 + 1 / std::log2(3))).epsilon(1e-6));
    // Grades whose gains would overflow: only the ratio counts.
    std::vector<T> large(n, T{0});
    large[0] = 999, large[1] = 1000;
    std::vector<T> distinct(n);
    for (std::size_t i = 0; i < n; ++i) distinct[i] = static_cast<T>(n - i);
    CHECK(value(distinct, large) ==
          Approx(1 - (0.5 + 1 / std::log2(3)) / (1 + 0.5 / std::log2(3))).epsilon(1e-6));
  }
}

TEST_CASE("sndcg: as the temperature falls it becomes 1 - NDCG@k", "[sndcg]") {
  std::mt19937_64 random(5);
  std::vector<double> s(400);
  std::vector<int> y(s.size());
  for (std::size_t i = 0; i < s.size(); ++i)
    s[i] = static_cast<double>(i) + 0.3 * static_cast<double>(random() % 2),
    y[i] = static_cast<int>(random() % 5);
  for (const std::size_t k : {std::size_t{1}, std::size_t{10}, std::size_t{400}}) {
    std::vector<int> by_score(y.rbegin(), y.rend());
    std::vector<int> best = y;
    std::sort(best.begin(), best.end(), std::greater<>());
    double dcg = 0;
    double ideal = 0;
    for (std::size_t i = 0; i < k; ++i) {
      dcg += (std::exp2(by_score[i]) - 1) / std::log2(2.0 + static_cast<double>(i));
      ideal += (std::exp2(best[i]) - 1) / std::log2(2.0 + static_cast<double>(i));
    }
    CHECK(rankloss::evaluate(rankloss::sndcg{.temperature = 1e-3, .cutoff = k},
                             rankloss::list_batch<double, int>{.scores = s, .relevance = y}) ==
          Approx(1 - dcg / ideal).margin(1e-12));
  }
}

TEST_CASE("sndcg: scratch is linear in the list", "[sndcg]") {
  // One bound for float lists of every density, in bytes an item; at the second, three times larger call
  // nothing is left over.
  for (const double temperature : {1e-5, 1e-2, 10.0})
    for (const std::size_t n : {std::size_t{20000}, std::size_t{200000}}) {
      const std::vector<float> s = make_scores<float>(shape::normal, n, 1);
      const std::vector<float> y(n, 1.0F);
      std::vector<float> g(n);
      rankloss::context context;
      rankloss::evaluate(rankloss::sndcg{.temperature = temperature},
                         rankloss::list_batch<float>{.scores = s, .relevance = y}, {.gradient = g}, context);
      INFO("n " << n << ", temperature " << temperature << ": "
                << static_cast<double>(context.scratch_capacity()) / static_cast<double>(n)
                << " bytes an item");
      CHECK(context.scratch_capacity() <= 160 * n);
    }
}

TEST_CASE("sndcg: options out of range are refused", "[sndcg]") {
  const std::vector<float> s{1, 2};
  const rankloss::list_batch<float> batch{.scores = s, .relevance = s};
  const auto with = [&](const rankloss::sndcg& loss) { return rankloss::evaluate(loss, batch); };
  CHECK_THROWS_WITH(with({.temperature = 0}), "rankloss: temperature: 0, expected 1e-15 to 1e300");
  CHECK_THROWS_WITH(with({.temperature = std::numeric_limits<double>::quiet_NaN()}),
                    Catch::Contains("temperature: ") && Catch::Contains("expected 1e-15 to 1e300"));
  CHECK_THROWS_WITH(with({.gain = rankloss::gain::table}),
                    "rankloss: gain_table: size 0, expected one gain a grade");
  const std::vector<double> table{1, -1};
  CHECK_THROWS_WITH(with({.gain = rankloss::gain::table, .gain_table = table}),
                    "rankloss: gain_table: -1 at grade 1, expected 0 to 1e30");
}

TEST_CASE("sndcg: relevant items that are lighter than others by any factor", "[sndcg]") {
  // What the others weigh does not matter. In groups, of few gains, by rows and by cells.
  for (const std::size_t n : {std::size_t{2}, std::size_t{40}, std::size_t{65}, std::size_t{300}})
    for (const bool few : {true, false})
      for (const double temperature : {1e-15, 1e-9, 1e-2, 1.0, 30.0}) {
        std::vector<double> s(n), y(n, 0.0), w(n, 1.0), g(n), expected(n);
        for (std::size_t i = 0; i < n; ++i) s[i] = static_cast<double>(i % 7) + 0.01 * static_cast<double>(i);
        for (std::size_t i = 0; i < n; i += few ? n : 3) y[i] = 1.0;
        const rankloss::sndcg loss{.temperature = temperature};
        const rankloss::list_batch<double> batch{.scores = s, .relevance = y, .item_weights = w};
        const double value = rankloss::evaluate(loss, batch, {.gradient = expected});
        for (std::size_t i = 0; i < n; ++i)
          if (y[i] > 0.0) w[i] = 0x1p-1000;
        INFO(n << " items, few " << few << ", temperature " << temperature);
        CHECK(rankloss::evaluate(loss, batch, {.gradient = g}) == value);
        CHECK(g == expected);
      }
}

TEST_CASE("sndcg: the heaviest relevant item is worth the least", "[sndcg]") {
  // Both products of gain and weight are far below 1, and of one size.
  const std::vector<double> s{0.3, 0.1, 0.2};
  const rankloss::sndcg loss{.temperature = 1e-12, .gain = rankloss::gain::linear};
  std::vector<double> g(3);
  const std::vector<double> y{0x1p-1000, 1.0, 0.0}, w{1.0, 0x1p-1000, 1.0};
  const double value = rankloss::evaluate(
      loss, rankloss::list_batch<double>{.scores = s, .relevance = y, .item_weights = w}, {.gradient = g});
  const std::vector<double> alike{1.0, 1.0, 0.0};
  CHECK(value ==
        Approx(rankloss::evaluate(loss, rankloss::list_batch<double>{.scores = s, .relevance = alike}))
            .epsilon(1e-12));
  for (const double x : g) CHECK(x == 0.0);
}

TEST_CASE("sndcg: large gains and a high temperature do not lose the gradient together", "[sndcg]") {
  // Where the temperature is far above all scores, the gradient falls as 1 / temperature and nothing else.
  // The gain of grade 60 times 1e300 is above all doubles, and one by both is a subnormal number of some five
  // digits.
  const std::size_t n = 65;
  const std::vector<double> s = make_scores<double>(shape::normal, n, 1);
  for (const bool few : {true, false}) {
    std::vector<double> y(n, 0.0), low(n), high(n);
    for (std::size_t i = 0; i < n; ++i) y[i] = i == 7 ? 60.0 : few ? 0.0 : static_cast<double>(40 + i % 5);
    const auto with = [&](double temperature, std::vector<double>& g) {
      rankloss::evaluate(rankloss::sndcg{.temperature = temperature},
                         rankloss::list_batch<double>{.scores = s, .relevance = y},
                         {.gradient = g, .scale = temperature});
    };
    with(1e14, low);
    with(1e300, high);
    INFO("few " << few);
    CHECK(low[7] < 0.0);
    for (std::size_t i = 0; i < n; ++i)
      CHECK(high[i] == Approx(low[i]).epsilon(1e-5).margin(1e-5 * std::abs(low[7])));
  }
}

TEST_CASE("sndcg: weights of any size", "[sndcg]") {
  const std::vector<double> s{1, 2, 3}, y{1, 0, 2}, ones(3, 1.0);
  std::vector<double> expected(3), g(3);
  const double value =
      rankloss::evaluate(rankloss::sndcg{.temperature = 1},
                         rankloss::list_batch<double>{.scores = s, .relevance = y}, {.gradient = expected});
  for (const double size : {1e-310, 1e-300, 1e-46, 1e200}) {
    const std::vector<double> w(3, size);
    CHECK(rankloss::evaluate(rankloss::sndcg{.temperature = 1},
                             rankloss::list_batch<double>{.scores = s, .relevance = y, .item_weights = w},
                             {.gradient = g}) == Approx(value).epsilon(1e-12));
    for (std::size_t i = 0; i < 3; ++i) CHECK(g[i] == Approx(expected[i]).epsilon(1e-12));
  }
}

TEMPLATE_TEST_CASE("sndcg: the grade of an item that weighs nothing changes nothing", "", float, double) {
  for (const std::size_t n : {2u, 5u, 9u, 40u, 300u, 3000u}) {
    std::vector<TestType> s(n), y(n), g(n), expected(n);
    std::vector<double> w(n, 1.0);
    for (std::size_t i = 0; i < n; ++i) {
      s[i] = static_cast<TestType>(i * 7919 % 101) / TestType(32);
      y[i] = static_cast<TestType>(i * 31 % 4);
    }
    w[n / 2] = 0.0;
    const rankloss::sndcg loss{.temperature = 0.5};
    const auto run = [&](double grade, std::vector<TestType>& to) {
      y[n / 2] = static_cast<TestType>(grade);
      return rankloss::evaluate(
          loss, rankloss::list_batch<TestType>{.scores = s, .relevance = y, .item_weights = w},
          {.gradient = to});
    };
    const double value = run(3.0, expected);
    for (const double grade : {0.0, 100.0, 101.0, 160.0, 1e30}) {
      INFO(n << " items, grade " << grade);
      CHECK(run(grade, g) == value);
      CHECK(g == expected);
    }
  }
}

TEST_CASE("sndcg: a list without gain has gradient 0, and not -0, alone and beside others") {
  for (const std::size_t other : {1u, 2u, 3u, 8u, 16u, 20u, 21u, 40u})
    for (std::size_t copies = 0; copies <= 9; ++copies) {
      std::vector<double> s(copies * other, 0.5), y(copies * other, 1.0);
      std::vector<std::size_t> offsets{0};
      for (std::size_t l = 1; l <= copies; ++l) offsets.push_back(l * other);
      s.insert(s.end(), {0.5, -0.25, 0.125});
      y.insert(y.end(), {0.0, 0.0, 0.0});
      offsets.push_back(s.size());
      std::vector<double> g(s.size(), 1.0);
      rankloss::evaluate(rankloss::sndcg{},
                         rankloss::list_batch<double>{.scores = s, .relevance = y, .offsets = offsets},
                         {.gradient = g});
      INFO(copies << " lists of " << other);
      for (std::size_t i = s.size() - 3; i < s.size(); ++i) CHECK((g[i] == 0.0 && !std::signbit(g[i])));
    }
}

TEMPLATE_TEST_CASE("sndcg: a few items of gain, with cutoffs that leave out some of them", "", float,
                   double) {
  using T = TestType;
  std::size_t within_cutoff = 0;
  for (const std::size_t n : {40u, 64u, 100u, 300u, 600u})
    for (const std::size_t worthy : {1u, 2u, 4u, 5u})
      for (const std::size_t cutoff : {0u, 1u, 2u, 3u})
        for (const rankloss::ideal kind : {rankloss::ideal::sorted, rankloss::ideal::competition_ranks}) {
          std::vector<T> s = make_scores<T>(shape::normal, n, static_cast<unsigned>(n + worthy));
          std::vector<T> y(n), g(n);
          for (std::size_t i = 0; i < worthy; ++i) {
            y[7 * i] = static_cast<T>(1 + i % 2);
            s[7 * i] += T{3};  // among the first ranks
          }
          const rankloss::sndcg loss{.temperature = 0.2, .cutoff = cutoff, .ideal = kind};
          const double value =
              rankloss::evaluate(loss, rankloss::list_batch<T>{.scores = s, .relevance = y}, {.gradient = g});
          const auto expected = reference::sndcg(widen(s), exponential_gains(y), 0.2, cutoff,
                                                 kind == rankloss::ideal::competition_ranks);
          INFO(n << " items, " << worthy << " of gain, cutoff " << cutoff);
          within_cutoff += value < 0.999 ? 1u : 0u;
          CHECK(std::abs(static_cast<double>(value - expected.value)) <= (sizeof(T) == 4 ? 1e-6 : 1e-13));
          if (cutoff == 0) CHECK(relative_error(g, expected.gradient) <= gradient_bound<T>);
        }
  CHECK(within_cutoff > 100);
}

TEST_CASE("sndcg: items of gain far from all others, beside a crowd without gain, in float") {
  // All but two have a gradient of 0, and what those have is small beside what an item by itself adds to the sums.
  for (const std::size_t n : {600u, 900u})
    for (const double distance : {3.0, 5.0, 8.0}) {
      std::mt19937_64 random(n);
      std::normal_distribution<double> normal;
      std::vector<float> s(n), y(n), g(n);
      const double temperature = 8.0;
      for (std::size_t i = 0; i < n; ++i) {
        const bool alone = i % 6 == 0;
        s[i] = static_cast<float>(alone ? 1e5 * (static_cast<double>(i) - 0.5 * static_cast<double>(n) + 1.0)
                                        : normal(random));
        y[i] = i % 12 == 0 ? 1.0f : 0.0f;
      }
      s[6] = s[0] + static_cast<float>(distance * temperature);
      rankloss::evaluate(rankloss::sndcg{.temperature = temperature},
                         rankloss::list_batch<float>{.scores = s, .relevance = y}, {.gradient = g});
      const auto expected = reference::sndcg(widen(s), exponential_gains(y), temperature);
      INFO("items " << n << ", distance " << distance);
      CHECK(relative_error(g, expected.gradient) <= gradient_bound<float>);
    }
}

TEMPLATE_TEST_CASE("sndcg: beside a Hessian the gradient of a long list has the bits that it has alone", "",
                   float, double) {
  using T = TestType;
  // Scores that lie side by side, which scans lose digits of.
  for (const std::size_t n : {513u, 700u, 1500u})
    for (const double temperature : {0.1, 10.0, 1000.0})
      for (const std::size_t worthy : {std::size_t{3}, n}) {
        std::vector<T> s(n), y(n), g(n), h(n), g_alone(n), h_alone(n);
        for (std::size_t i = 0; i < n; ++i) {
          s[i] = static_cast<T>(static_cast<double>(i) / static_cast<double>(n));
          y[i] = i < worthy ? static_cast<T>(1 + i * 7 % 3) : T{0};
        }
        const rankloss::sndcg loss{.temperature = temperature};
        const rankloss::list_batch<T> batch{.scores = s, .relevance = y};
        const double value = rankloss::evaluate(loss, batch, {.gradient = g, .hessian = h});
        CHECK(rankloss::evaluate(loss, batch, {.gradient = g_alone}) == value);
        CHECK(rankloss::evaluate(loss, batch, {.hessian = h_alone}) == value);
        CHECK(g == g_alone);
        CHECK(h == h_alone);
        INFO("items " << n << ", temperature " << temperature << ", of gain " << worthy);
        if (n <= 700) {
          const auto expected = reference::sndcg(widen(s), exponential_gains(y), temperature);
          CHECK(relative_error(g, expected.gradient) <= gradient_bound<T>);
          CHECK(relative_error(h, expected.hessian) <= (sizeof(T) == 4 ? 1e-4 : 1e-10));
        }
      }
}

TEMPLATE_TEST_CASE("sndcg: a list has the same bits alone and beside others", "", float, double) {
  using T = TestType;
  // Some with few items of gain, some with none, and of lengths that are computed in several ways.
  std::mt19937_64 random(11);
  for (const std::size_t longest : {24u, 63u, 64u, 65u, 128u, 257u, 513u})
    for (const std::size_t count : {2u, 3u, 5u, 8u, 9u, 17u})
      for (const double temperature : {0.02, 1.0}) {
        std::vector<std::size_t> offsets{0};
        for (std::size_t l = 0; l < count; ++l)
          offsets.push_back(offsets.back() + (l == 0 ? longest : 1 + random() % longest));
        const std::vector<T> s =
            make_scores<T>(shape::crowd_and_loners, offsets.back(), static_cast<unsigned>(random()));
        std::vector<T> y(s.size());
        std::vector<double> weights(s.size());
        for (std::size_t l = 0; l < count; ++l) {
          const std::size_t kind = random() % 4;  // graded, real-valued, few items of gain, none
          for (std::size_t i = offsets[l]; i < offsets[l + 1]; ++i)
            y[i] = kind == 0   ? T(random() % 4)
                   : kind == 1 ? T(random() % 4096) / 1024
                   : kind == 2 ? T((i - offsets[l]) % 60 == 7)
                               : T{0};
        }
        for (double& x : weights) x = static_cast<double>(random() % 5);
        const std::size_t cutoff = random() % 2 == 0 ? 0 : 10;
        const rankloss::sndcg loss{.temperature = temperature, .cutoff = cutoff};
        std::vector<T> g(s.size());
        std::vector<double> values(count);
        rankloss::evaluate(loss,
                           rankloss::list_batch<T>{.scores = s,
                                                   .relevance = y,
                                                   .offsets = offsets,
                                                   .item_weights = weights,
                                                   .reduction = rankloss::reduction::sum},
                           {.gradient = g, .per_list = values});
        std::size_t different = 0;
        for (std::size_t l = 0; l < count; ++l) {
          const std::size_t at = offsets[l], n = offsets[l + 1] - at;
          const auto part = [&](const auto& all) { return std::span(all).subspan(at, n); };
          const rankloss::list_batch<T> batch{
              .scores = part(s), .relevance = part(y), .item_weights = part(weights)};
          std::vector<T> alone(n);
          different += rankloss::evaluate(loss, batch, {.gradient = alone}) == values[l] ? 0u : 1u;
          different += rankloss::evaluate(loss, batch, {}) == values[l] ? 0u : 1u;
          for (std::size_t i = 0; i < n; ++i) different += alone[i] == g[at + i] ? 0u : 1u;
        }
        INFO("up to " << longest << " items, " << count << " lists, temperature " << temperature
                      << ", cutoff " << cutoff);
        CHECK(different == 0);
      }
}

}  // namespace sndcg_test
