// SPDX-License-Identifier: BSL-1.0
#include <rankloss/approx_ndcg.hpp>
#include <rankloss/hosts/lightgbm.hpp>
#include <rankloss/random.hpp>
#include <rankloss/sndcg.hpp>

#include "support/tree_promises.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

namespace hosts_lightgbm_test {

namespace {

using namespace rankloss;
using lightgbm::lambdarank;
using lightgbm::normalize;
using lightgbm::rank_xendcg;
using reference::real;

constexpr double near = static_cast<double>(0.01f);

struct written {
  double value;
  std::vector<double> gradient, hessian;
};
template <class Loss>
written one(const Loss& loss, const std::vector<double>& scores, const std::vector<int>& relevance) {
  written w{0.0, std::vector<double>(scores.size()), std::vector<double>(scores.size())};
  w.value = evaluate(loss, list_batch<double, int>{.scores = scores, .relevance = relevance},
                     {.gradient = w.gradient, .hessian = w.hessian});
  return w;
}

/// phi of one list: what its documentation says of gamma.
std::vector<real> phi_of(const std::vector<float>& relevance, std::uint32_t list, std::uint32_t seed) {
  std::vector<real> phi;
  for (std::size_t i = 0; i < relevance.size(); ++i)
    phi.push_back(
        std::exp2(static_cast<real>(relevance[i])) -
        (static_cast<real>(philox({static_cast<std::uint32_t>(i), 0, list, 0}, {seed, 0})[0]) + 0.5L) *
            0x1p-32L);
  return phi;
}

}  // namespace

TEST_CASE("lightgbm: two and three documents by hand") {
  const auto sigmoid = [](double x) { return 1.0 / (1.0 + std::exp(x)); };
  const double d2 = 1.0 / std::log2(3.0);
  const double d3 = 0.5;
  {
    // Two documents, equal scores: Burges, and the norm of the list.
    const written raw = one(lambdarank{.norm = normalize::off}, {0, 0}, {1, 0});
    CHECK(raw.gradient[0] == Approx(-0.5 * (1.0 - d2)).epsilon(1e-14));
    CHECK(raw.gradient[1] == Approx(0.18453512).epsilon(1e-7));
    CHECK(raw.hessian[0] == Approx(0.25 * (1.0 - d2)).epsilon(1e-14));
    CHECK(raw.value == Approx(std::log(2.0) * (1.0 - d2)).epsilon(1e-14));
    // Two items of one pair: the norm makes each gradient log2(1 + L) / 2.
    const written normed = one(lambdarank{}, {0, 0}, {1, 0});
    CHECK(normed.gradient[1] == Approx(0.5 * std::log2(1.0 + (1.0 - d2))).epsilon(1e-14));
    CHECK(normed.gradient[0] == -normed.gradient[1]);
  }
  {
    // Two documents the wrong way round, with a sigmoid and a table of gains: gains 5 and 1, ideal DCG 5 +
    // d2.
    const std::vector<double> table{1.0, 3.0, 5.0};
    const lambdarank loss{.sigmoid = 2.0, .gain = gain::table, .gain_table = table};
    const written w = one(loss, {-0.4, 0.6}, {2, 0});
    const double delta = 4.0 * (1.0 - d2) / (5.0 + d2) / (near + 1.0);
    const double p = sigmoid(-2.0);
    const double lambda = 2.0 * delta * p;
    const double norm = std::log2(1.0 + 2.0 * lambda) / (2.0 * lambda);
    CHECK(w.gradient[0] == Approx(-norm * lambda).epsilon(1e-13));
    CHECK(w.gradient[1] == Approx(norm * lambda).epsilon(1e-13));
    CHECK(w.hessian[0] == Approx(norm * 4.0 * delta * p * (1.0 - p)).epsilon(1e-13));
    CHECK(w.hessian[1] == w.hessian[0]);
  }
  {
    // Three documents by score: grades 0, 2, 1, gains 0, 3, 1; ideal DCG 3 + d2.
    const std::vector<double> s{2.0, 0.5, -1.0};
    const std::vector<int> y{0, 2, 1};
    const double best = 3.0 + d2;
    const double a = 3.0 * (1.0 - d2) / best / (near + 1.5);  // first and second
    const double b = 1.0 * (1.0 - d3) / best / (near + 3.0);  // first and third
    const double c = 2.0 * (d2 - d3) / best / (near + 1.5);   // second and third
    const double la = a * sigmoid(-1.5);
    const double lb = b * sigmoid(-3.0);
    const double lc = c * sigmoid(1.5);
    const auto bend = [&](double x) { return sigmoid(x) * sigmoid(-x); };
    const double sum = 2.0 * (la + lb + lc);
    const double norm = std::log2(1.0 + sum) / sum;
    const written w = one(lambdarank{}, s, y);
    CHECK(w.gradient[0] == Approx(norm * (la + lb)).epsilon(1e-13));
    CHECK(w.gradient[1] == Approx(norm * (-la - lc)).epsilon(1e-13));
    CHECK(w.gradient[2] == Approx(norm * (-lb + lc)).epsilon(1e-13));
    CHECK(w.hessian[0] == Approx(norm * (a * bend(1.5) + b * bend(3.0))).epsilon(1e-13));
    CHECK(w.hessian[1] == Approx(norm * (a + c) * bend(1.5)).epsilon(1e-13));
    CHECK(w.hessian[2] == Approx(norm * (b * bend(3.0) + c * bend(1.5))).epsilon(1e-13));
    // At truncation level 1 the second and the third make no pair, and the ideal DCG is 3. The norm makes
    // factors cancel: off.
    const written first = one(lambdarank{.truncation_level = 1, .norm = normalize::off}, s, y);
    CHECK(first.gradient[1] == Approx(-(1.0 - d2) * sigmoid(-1.5)).epsilon(1e-13));
    CHECK(first.gradient[2] == Approx(-(1.0 - d3) / 3.0 * sigmoid(-3.0)).epsilon(1e-13));
  }
}

TEST_CASE("lightgbm: lambdarank against the plain form") {
  const std::vector<double> table{0.0, 2.0, 0.5, 7.0, 1.0};
  for (const std::size_t n : {1u, 2u, 3u, 9u, 40u, 130u})
    for (const std::size_t k : {0u, 1u, 5u, 30u})
      for (const auto norm : {normalize::off, normalize::on})
        for (const double spread : {0.0, 2.0, 300.0}) {
          if (spread != 2.0 && n != 40) continue;
          CAPTURE(n, k, static_cast<int>(norm), spread);
          const support::tree_data data = support::make_tree_data({n}, 5, static_cast<unsigned>(n), spread);
          const std::vector<real> s = reference::widen(data.scores);
          const std::vector<real> y = reference::widen(data.relevance);
          const bool divided = norm == normalize::on && spread > 0.0 && n > 1;
          for (const double sigmoid : {1.0, 0.3, 2.0}) {
            const reference::tree_rules rules{.k = k,
                                              .sigmoid = sigmoid,
                                              .near = divided ? near : 0.0L,
                                              .hessian = static_cast<real>(sigmoid) * sigmoid,
                                              .logarithmic = norm == normalize::on};
            std::vector<real> gains, by_table;
            for (const real grade : y) {
              gains.push_back(std::exp2(grade) - 1);
              by_table.push_back(table[static_cast<std::size_t>(grade)]);
            }
            support::check_list(lambdarank{.sigmoid = sigmoid, .truncation_level = k, .norm = norm}, data,
                                reference::lambdamart(s, y, rules, reference::change_of_ndcg(s, gains, k)));
            if (sigmoid != 1.0) continue;
            // The preferred item is that of the higher grade, also where the table gives it less.
            support::check_list(
                lambdarank{.truncation_level = k, .gain = gain::table, .gain_table = table, .norm = norm},
                data, reference::lambdamart(s, y, rules, reference::change_of_ndcg(s, by_table, k)));
          }
        }
}

TEST_CASE("lightgbm: items of score -infinity") {
  constexpr double none = -std::numeric_limits<double>::infinity();
  // They make no pairs, but count in the ideal DCG; one of them does not make all other scores unequal.
  const double d2 = 1.0 / std::log2(3.0);
  const written w = one(lambdarank{}, {1.0, none, 1.0}, {1, 1, 0});
  CHECK(w.gradient[1] == 0.0);
  CHECK(w.hessian[1] == 0.0);
  CHECK(w.gradient[2] == Approx(0.5 * std::log2(1.0 + (1.0 - d2) / (1.0 + d2))).epsilon(1e-13));
  const written two = one(lambdarank{}, {1.0, none, 1.0, none}, {1, 0, 0, 0});
  CHECK(two.gradient[2] == Approx(0.5 * std::log2(1.0 + (1.0 - d2) / near)).epsilon(1e-13));
  for (const int i : {1, 3}) CHECK(two.gradient[static_cast<std::size_t>(i)] == 0.0);
  const written all = one(lambdarank{}, {none, none, none}, {1, 0, 2});
  CHECK(all.gradient == std::vector<double>(3));
  CHECK(all.value == 0.0);
}

TEST_CASE("lightgbm: rank_xendcg by hand and against the plain form") {
  {
    // Two documents: 1 - rho of one is rho of the other, so b = -a and c = a.
    const std::vector<real> phi = phi_of({2, 0}, 0, 5);
    const real rho = 1 / (1 + std::exp(-0.5L));
    const real p = phi[0] / (phi[0] + phi[1]);
    const written w = one(rank_xendcg{.seed = 5}, {0.75, 0.25}, {2, 0});
    CHECK(w.gradient[0] == Approx(static_cast<double>(rho - p)).epsilon(1e-13));
    CHECK(w.gradient[1] == Approx(static_cast<double>(p - rho)).epsilon(1e-13));
    CHECK(w.hessian[0] == Approx(static_cast<double>(rho * (1 - rho))).epsilon(1e-13));
    CHECK(w.value ==
          Approx(static_cast<double>(-p * std::log(rho) - (1 - p) * std::log(1 - rho))).epsilon(1e-13));
  }
  for (const std::size_t n : {2u, 3u, 17u, 130u})
    for (const double spread : {0.0, 1.0, 3.0}) {
      CAPTURE(n, spread);
      const support::tree_data data = support::make_tree_data({n}, 5, static_cast<unsigned>(n), spread);
      support::check_list(rank_xendcg{.seed = 77}, data,
                          reference::xendcg(reference::widen(data.scores), phi_of(data.relevance, 0, 77)));
    }
  // A softmax that is 1 to the last digit: LightGBM divides by 0 there. The limit: long double still has
  // digits at a gap of 40, and the far gap is its limit.
  const auto far = [](double gap) {
    return one(rank_xendcg{.seed = 9}, {gap, 0.0, 0.5, -0.5}, {0, 2, 1, 0});
  };
  const reference::derivatives expected = reference::xendcg({40, 0, 0.5L, -0.5L}, phi_of({0, 2, 1, 0}, 0, 9));
  for (const double gap : {40.0, 100.0, 1e5})
    for (std::size_t i = 0; i < 4; ++i)
      CHECK(far(gap).gradient[i] == Approx(static_cast<double>(expected.gradient[i])).epsilon(0.01));
  CHECK(far(1e5).gradient == far(1e300).gradient);
  CHECK(far(100.0).hessian[0] ==
        Approx((1.0 + std::exp(0.5) + std::exp(-0.5)) * std::exp(-100.0)).epsilon(1e-12));
  // Another seed, another list of the batch: other numbers.
  CHECK(one(rank_xendcg{.seed = 1}, {0, 1, 2}, {1, 0, 0}).gradient !=
        one(rank_xendcg{.seed = 2}, {0, 1, 2}, {1, 0, 0}).gradient);
  const std::vector<double> s{0, 1, 2, 0, 1, 2};
  const std::vector<int> y{1, 0, 0, 1, 0, 0};
  const std::vector<int> offsets{0, 3, 6};
  std::vector<double> g(6);
  evaluate(
      rank_xendcg{},
      list_batch<double, int>{.scores = s, .relevance = y, .offsets = offsets, .reduction = reduction::sum},
      {.gradient = g});
  const std::vector<real> second = phi_of({1, 0, 0}, 1, 0);
  const reference::derivatives of_second = reference::xendcg({0, 1, 2}, second);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(g[3 + i] == Approx(static_cast<double>(of_second.gradient[i])).epsilon(1e-12));
    CHECK(g[i] != g[3 + i]);
  }
}

TEST_CASE("lightgbm: what every loss promises") {
  support::check_promises(lambdarank{}, 5);
  support::check_promises(lambdarank{.sigmoid = 3.0, .truncation_level = 2, .norm = normalize::off}, 5);
  support::check_promises(lambdarank{}, 1);  // one grade: no pairs
  support::check_promises(rank_xendcg{.seed = 3}, 5);
  support::check_permutation(lambdarank{}, 5);
}

TEST_CASE("lightgbm: relevance and options out of their ranges") {
  const std::vector<float> s{1, 2, 3};
  const std::vector<float> y{0, 31, 1};
  const std::vector<float> large{0, 2000, 1};
  const std::vector<double> table{0.0, 1.0, 3.0};
  const list_batch<float> batch{.scores = s, .relevance = y};
  CHECK(support::message(lambdarank{}, batch) ==
        "rankloss: relevance: 31 at list 0, item 1, expected a whole number, 0 to 30, or gain::table");
  CHECK(support::message(lambdarank{.gain = gain::table, .gain_table = table}, batch) ==
        "rankloss: relevance: 31 at list 0, item 1, expected a whole number, 0 to the last of gain_table");
  CHECK(support::message(lambdarank{.gain = gain::linear}, batch).empty());
  CHECK(support::message(lambdarank{.sigmoid = 0.0}, batch) ==
        "rankloss: sigmoid: 0, expected 1e-15 to 1e15");
  CHECK(support::message(lambdarank{.gain = gain::table}, batch) ==
        "rankloss: gain_table: size 0, expected one gain a grade");
  CHECK(support::message(rank_xendcg{}, batch).empty());
  CHECK(support::message(rank_xendcg{}, list_batch<float>{.scores = s, .relevance = large}) ==
        "rankloss: relevance: 2000 at list 0, item 1, expected 0 to 1000, of which the whole part counts");
  const std::vector<float> unjudged{0, 2, -1};
  const list_batch<float> below_0{.scores = s, .relevance = unjudged};
  CHECK(support::message(lambdarank{.gain = gain::linear}, below_0) ==
        "rankloss: relevance: -1 at list 0, item 2, expected at least 0; mask items without judgement");
  CHECK(
      support::message(rank_xendcg{}, below_0) ==
      "rankloss: relevance: -1 at list 0, item 2, expected 0 to 1000, of which the whole part counts; mask items without judgement");
  // Padding may hold anything.
  const std::vector<std::uint8_t> mask{1, 0, 1};
  CHECK(support::message(lambdarank{}, list_batch<float>{.scores = s, .relevance = y, .mask = mask}).empty());
  context unchecked;
  unchecked.checks = data_checks::off;
  CHECK(std::isfinite(
      evaluate(rank_xendcg{}, list_batch<float>{.scores = s, .relevance = large}, {}, unchecked)));
  CHECK(std::isfinite(evaluate(lambdarank{.gain = gain::table, .gain_table = table}, batch, {}, unchecked)));
  static_assert(!lambdarank::is_slope && !rank_xendcg::is_slope);
}

TEST_CASE(
    "lightgbm: beside it, losses with an exact Hessian diagonal go down by Newton's step with a floor") {
  const support::tree_data data = support::make_tree_data({30, 80, 5, 200}, 4, 21, 1.0);
  const auto steps = [&](const auto& loss) {
    std::vector<double> s = data.scores;
    std::vector<float> g(s.size()), h(s.size());  // as LightGBM holds them
    const list_batch<double, float> batch{
        .scores = s, .relevance = data.relevance, .offsets = data.offsets, .reduction = reduction::sum};
    double before = std::numeric_limits<double>::infinity();
    for (int round = 0; round < 20; ++round) {
      const double value = evaluate(loss, batch, {.gradient = g, .hessian = h});
      CHECK(value < before);
      before = value;
      for (std::size_t i = 0; i < s.size(); ++i)
        s[i] -= 0.1 * static_cast<double>(g[i] / std::max(h[i], 1e-2f));
    }
  };
  steps(sndcg{.temperature = 1.0});
  steps(approx_ndcg{.temperature = 0.5});
}

}  // namespace hosts_lightgbm_test
