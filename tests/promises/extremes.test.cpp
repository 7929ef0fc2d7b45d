// SPDX-License-Identifier: BSL-1.0

// Every loss of lists holds at the ends of what numbers can be: scores, relevance, weights and lengths that
// are the largest, the smallest normal and subnormal ones. So do the weights of matrices, and the objectives
// of tree hosts. Items that are alike have the same gradient.

#include <rankloss/bidirectional.hpp>
#include <rankloss/hosts/lightgbm.hpp>
#include <rankloss/hosts/xgboost.hpp>
#include <rankloss/lambdarank.hpp>
#include <rankloss/triplet.hpp>

#include "promises/catalogue/scaled_lists.hpp"
#include "promises/compare.hpp"
#include "support/shared_losses.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <type_traits>
#include <vector>

namespace promises_extremes_test {

namespace {

using namespace promises;
using rankloss::list_batch;

/// Two solutions of one problem, the latter's numbers times powers of two: to the digits of T, but for what T
/// holds as a subnormal number, or not at all.
template <class T>
void same(const solution& a, const solution& b, double value_factor, double slope_factor, double bend_factor,
          double value_least) {
  constexpr double digits = std::is_same_v<T, float> ? 4e-6 : 1e-12;
  constexpr auto normal = static_cast<double>(std::numeric_limits<T>::min());
  const auto most = static_cast<double>(std::numeric_limits<T>::max());
  const auto times = [most](std::vector<double> x, double factor) {
    for (double& v : x) v = std::clamp(v * factor, -most, most);
    return x;
  };
  CHECK(first_gap(std::vector{a.value}, std::vector{b.value * value_factor}, digits,
                  std::max(value_least, std::numeric_limits<double>::min() / digits)) == "");
  CHECK(first_gap(a.gradient, times(b.gradient, slope_factor), digits,
                  std::max(slope_factor * 1e-3, normal / digits)) == "");
  CHECK(first_gap(a.hessian, times(b.hessian, bend_factor), 100 * digits,
                  std::max(bend_factor * 1e-3, normal / digits)) == "");
}

template <class T>
void same(const solution& a, const solution& b, double value_factor, double slope_factor,
          double bend_factor) {
  same<T>(a, b, value_factor, slope_factor, bend_factor, value_factor);
}

/// The same, where a factor on weights or relevance is what is claimed of it.
template <class T>
void same(const solution& a, const solution& b, scaling how, double factor) {
  if (how == scaling::none) same<T>(a, b, 1.0, 1.0, 1.0);
  if (how == scaling::factor) same<T>(a, b, factor, factor, factor);
  if (how != scaling::complement) return;
  if (a.value == 0.0 && b.value == 0.0) return same<T>(a, b, 1.0, 1.0, 1.0);  // a list without relevance
  same<T>({1.0 - a.value, a.gradient, {}}, {1.0 - b.value, b.gradient, {}}, factor, factor, 1.0,
          std::max(factor, 1.0));
}

constexpr std::size_t sizes[] = {2, 7, 40, 300, 600};

template <class T>
constexpr bool narrow = std::is_same_v<T, float>;

/// Calls body(loss, problem, solution) for every loss and length.
template <class T, class Body>
void for_each_loss(unsigned seed, Body body) {
  for (const scaled_loss<T>& loss : scaled_losses<T>())
    for (const std::size_t n : sizes) {
      INFO(loss.name << ", " << n << " items");
      const problem<T> p = plain_problem<T>(n, seed);
      body(loss, p, p.solved_by(loss));
    }
}

TEMPLATE_TEST_CASE("extremes: item weights of any size", "", float, double) {
  using T = TestType;
  for_each_loss<T>(3, [](const scaled_loss<T>& loss, const problem<T>& base, const solution& expected) {
    for (const int power : {900, 1020, -900, -1022, -1060}) {
      INFO("weights times 2^" << power);
      problem<T> p = base;
      for (double& w : p.item_weights) w = std::ldexp(w, power);
      const solution r = p.solved_by(loss);
      CHECK(finite(r));
      // A loss beyond 1e290 is that.
      if (power < 1000 || loss.claimed.by_weight == scaling::none)
        same<T>(r, expected, loss.claimed.by_weight, std::ldexp(1.0, power));
    }
    using limits = std::numeric_limits<double>;
    const double any[] = {limits::max(), limits::denorm_min(), limits::min(), 0.0, 1.0};
    problem<T> p = base;
    for (std::size_t i = 0; i < p.item_weights.size(); ++i) p.item_weights[i] = any[i % 5];
    CHECK(finite(p.solved_by(loss)));
    // The heaviest items are those without relevance, of a list with some and of one with none.
    for (const double light : {1.0, 1e-300}) {
      INFO("relevant items weigh " << light);
      for (std::size_t i = 0; i < p.item_weights.size(); ++i)
        p.item_weights[i] = p.relevance[i] > 0 ? light : i % 3 == 0 ? 1e300 : limits::max();
      CHECK(finite(p.solved_by(loss)));
    }
    problem<T> none = p;
    for (auto& y : none.relevance) y = 0;
    CHECK(finite(none.solved_by(loss)));
  });
}

TEMPLATE_TEST_CASE("extremes: scores and lengths of any size", "", float, double) {
  using T = TestType;
  for_each_loss<T>(4, [](const scaled_loss<T>& loss, const problem<T>& base, const solution& expected) {
    for (const int power : {-49, narrow<T> ? 110 : 900}) {
      INFO("scores and lengths times 2^" << power);
      problem<T> p = base;
      for (T& s : p.scores) s = std::ldexp(s, power);
      const solution r = p.solved_by(loss, std::ldexp(1.0, power));
      CHECK(finite(r));
      const auto factor = [&](double by) {
        return std::ldexp(1.0, static_cast<int>(loss.claimed.degree - by) * power);
      };
      if (loss.claimed.lengths && (loss.claimed.degree < 2 || power < 0))
        same<T>(r, expected, factor(0), factor(1), factor(2));
    }
    for (const double length : {1e-15, 1e299, 1e300}) {
      INFO("lengths times " << length);
      CHECK(finite(base.solved_by(loss, length)));
    }
  });
}

TEMPLATE_TEST_CASE("extremes: relevance of any size", "", float, double) {
  using T = TestType;
  using limits = std::numeric_limits<T>;
  for_each_loss<T>(5, [](const scaled_loss<T>& loss, const problem<T>& base, const solution& expected) {
    for (const int power : {narrow<T> ? 100 : 900, narrow<T> ? -140 : -1060}) {
      INFO("relevance times 2^" << power);
      problem<T> p = base;
      for (T& y : p.relevance) y = std::ldexp(y, power);
      const solution r = p.solved_by(loss);
      CHECK(finite(r));
      same<T>(r, expected, loss.claimed.by_relevance, std::ldexp(1.0, power));
    }
    for (const T most : {limits::max(), limits::min(), limits::denorm_min()})
      for (const bool weighted : {false, true}) {
        INFO("relevance of " << most << ", weighted " << weighted);
        problem<T> p = base;
        if (!weighted) p.item_weights.clear();
        for (std::size_t i = 0; i < p.relevance.size(); ++i) p.relevance[i] = i % 3 == 0 ? T{0} : most;
        CHECK(finite(p.solved_by(loss)));
        for (std::size_t i = 0; i < p.relevance.size(); ++i)
          p.relevance[i] = i % 3 == 0 ? T{1} : i % 3 == 1 ? T{0} : most;
        CHECK(finite(p.solved_by(loss)));
      }
  });
}

TEMPLATE_TEST_CASE("extremes: items at the ends of the scores", "", float, double) {
  using T = TestType;
  using limits = std::numeric_limits<T>;
  for_each_loss<T>(6, [](const scaled_loss<T>& loss, const problem<T>& base, const solution&) {
    const T ends[] = {-limits::infinity(), limits::lowest(),     limits::max(),
                      limits::infinity(),  limits::denorm_min(), limits::min()};
    for (const T low : ends)
      for (const T high : ends) {
        INFO("scores of " << low << " and " << high);
        problem<T> p = base;
        problem<T> near = base;  // with scores as far as any
        const auto stand_in = [](T s) { return std::abs(s) < T(1) ? s : std::copysign(T(1 << 20), s); };
        for (std::size_t i = 0; i < p.scores.size(); ++i)
          if (i % 4 < 2) {
            p.scores[i] = i % 2 == 0 ? low : high;
            near.scores[i] = stand_in(p.scores[i]);
          }
        const solution r = p.solved_by(loss);
        CHECK(finite(r));
        if (loss.claimed.bounded) same<T>(r, near.solved_by(loss), 1.0, 1.0, 1.0);
      }
  });
}

TEMPLATE_TEST_CASE("extremes: weights of rows and columns of any size", "", float, double) {
  using T = TestType;
  using rankloss::bidirectional;
  std::mt19937_64 random(7);
  std::vector<T> s(5 * 5);
  for (T& x : s) x = static_cast<T>(random() % 16) / 4;
  const auto solved = [&](const auto& loss, const std::vector<double>& weights) {
    std::vector<T> g(s.size());
    const rankloss::similarity_batch<T> batch{
        .similarity = s, .rows = 5, .columns = 5, .row_weights = weights, .column_weights = weights};
    const double value = evaluate(loss, batch, {.gradient = g});
    return solution{value, {g.begin(), g.end()}, {}};
  };
  const auto check = [&](const auto& loss) {
    const solution even = solved(loss, {}), uneven = solved(loss, {1, 2, 3, 2, 1});
    for (const double w : {std::ldexp(1.0, 1022), std::numeric_limits<double>::min(), 1e-320,
                           std::numeric_limits<double>::denorm_min()}) {
      INFO("weights of " << w);
      same<T>(solved(loss, std::vector<double>(5, w)), even, 1.0, 1.0, 1.0);
      same<T>(solved(loss, {w / 2, w, w / 2 * 3, w, w / 2}),
              w / 2 > 0 ? uneven : solved(loss, {0, 1, 0, 1, 0}), 1.0, 1.0, 1.0);
      CHECK(finite(solved(loss, {w, 1e308, 1.0, 0.0, 1e-320})));
    }
  };
  check(bidirectional<rankloss::sndcg>{});
  check(bidirectional<rankloss::softmax_cross_entropy>{});
  check(rankloss::triplet{});
  check(rankloss::triplet{.mine = rankloss::mining::all});
}

TEST_CASE("extremes: tree hosts, with weights and scores of any size") {
  using limits = std::numeric_limits<double>;
  problem<double> base = plain_problem<double>(40, 8);
  const auto check = [&](const auto& loss) {
    for (const double weight : {limits::max(), limits::min(), limits::denorm_min()})
      for (const double score : {limits::max(), -limits::infinity(), limits::denorm_min()}) {
        problem<double> p = base;
        for (std::size_t i = 0; i < p.scores.size(); i += 3) p.item_weights[i] = weight;
        for (std::size_t i = 0; i < p.scores.size(); i += 4) p.scores[i] = score;
        std::vector<double> g(40), h(40);
        const list_batch<double> batch{
            .scores = p.scores, .relevance = p.relevance, .item_weights = p.item_weights};
        const double value = evaluate(loss, batch, {.gradient = g, .hessian = h});
        CHECK(finite({value, g, h}));
      }
  };
  check(rankloss::xgboost::ndcg{});
  check(rankloss::xgboost::pairwise{});
  check(rankloss::lightgbm::lambdarank{});
  check(rankloss::lightgbm::rank_xendcg{});
  for (double& y : base.relevance) y = std::min(y, 1.0);
  check(rankloss::xgboost::map{});
}

TEMPLATE_TEST_CASE("alike: items alike in score, relevance and weight have the same gradient", "", float,
                   double) {
  using T = TestType;
  constexpr double digits = narrow<T> ? 4e-6 : 1e-11;
  for (const scaled_loss<T>& loss : scaled_losses<T>())
    for (const std::size_t n : sizes)
      for (const std::size_t levels : {1u, 2u, 5u}) {
        if (loss.claimed.ordered) continue;
        INFO(loss.name << ", " << n << " items, " << levels << " scores");
        std::mt19937_64 random(n + levels);
        problem<T> p;
        std::vector<std::size_t> kind;
        for (std::size_t i = 0; i < n; ++i) {
          const std::size_t s = random() % levels, y = random() % 3, w = random() % 2;
          kind.push_back((s * 3 + y) * 2 + w);
          p.scores.push_back(static_cast<T>(s));  // a margin of 1 apart: hinges at their kinks
          p.relevance.push_back(static_cast<T>(y));
          p.item_weights.push_back(static_cast<double>(1 + w));
        }
        const solution r = p.solved_by(loss);
        std::vector<double> g = r.gradient, h = r.hessian;
        for (std::size_t i = 0; i < n; ++i) {
          const auto first =
              static_cast<std::size_t>(std::find(kind.begin(), kind.end(), kind[i]) - kind.begin());
          g[i] = g[first];
          if (!h.empty()) h[i] = h[first];
        }
        CHECK(first_gap(r.gradient, g, digits, 1e-3) == "");
        CHECK(first_gap(r.hessian, h, 100 * digits, 1e-3) == "");
      }
}

TEST_CASE("alike: of a matrix, columns alike in similarity and match have the same gradient") {
  std::mt19937_64 random(9);
  const auto check = [&](const auto& loss, std::size_t rows, std::size_t columns) {
    std::vector<double> s(rows * columns), g(rows * columns);
    std::vector<int> row_classes(rows), column_classes(columns);
    for (std::size_t i = 0; i < rows; ++i) row_classes[i] = static_cast<int>(i % 3);
    for (std::size_t j = 0; j < columns; ++j) column_classes[j] = static_cast<int>(j % 3);
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < 6; ++j) {
        const auto x = static_cast<double>(random() % 3) / 4;  // at margins of 1/4
        for (std::size_t k = j; k < columns; k += 6) s[i * columns + k] = x;
      }
    const rankloss::similarity_batch<double> batch{.similarity = s,
                                                   .rows = rows,
                                                   .columns = columns,
                                                   .row_classes = row_classes,
                                                   .column_classes = column_classes};
    evaluate(loss, batch, {.gradient = g});
    std::vector<double> first = g;
    for (std::size_t at = 0; at < g.size(); ++at) first[at] = g[at / columns * columns + at % columns % 6];
    CHECK(first_gap(g, first, 1e-12, 1e-3) == "");
  };
  for (const auto mine : {rankloss::mining::hardest, rankloss::mining::all}) {
    check(rankloss::triplet{.margin = 0.25, .mine = mine}, 5, 24);
    check(rankloss::triplet{.margin = 0.25, .mine = mine}, 100, 120);  // in sorted order
  }
  check(rankloss::bidirectional<rankloss::lambdarank>{}, 9, 24);
}

}  // namespace

}  // namespace promises_extremes_test
