// SPDX-License-Identifier: BSL-1.0
#include <rankloss/bidirectional.hpp>
#include <rankloss/hosts/xgboost.hpp>
#include <rankloss/metrics/ndcg.hpp>
#include <rankloss/ranknet.hpp>
#include <rankloss/stochastic.hpp>
#include <rankloss/weighted_sum.hpp>

#include "support/tree_promises.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

namespace hosts_xgboost_test {

namespace {

using namespace rankloss;
using reference::real;
using xgboost::normalize;
using xgboost::pair_method;

const std::vector<float> scores{0.0f, 0.1f, 0.0f, 0.1f};
const std::vector<float> relevance{0.0f, 1.0f, 0.0f, 1.0f};
const std::vector<int> groups{0, 2, 4};

}  // namespace

TEST_CASE("xgboost: the gradients and Hessians that its own tests expect") {
  std::vector<float> g(4), h(4);
  const auto check = [&](const auto& loss, const std::vector<float>& weights, double scale,
                         const std::vector<float>& gradient, const std::vector<float>& hessian) {
    evaluate(loss,
             list_batch<float>{.scores = scores,
                               .relevance = relevance,
                               .offsets = groups,
                               .list_weights = weights,
                               .reduction = reduction::mean},
             {.gradient = g, .hessian = h, .scale = scale});
    for (std::size_t i = 0; i < 4; ++i) {
      CHECK(g[i] == Approx(gradient[i]).epsilon(3e-6));
      CHECK(h[i] == Approx(hessian[i]).epsilon(3e-6));
    }
  };
  // Group weights enter as w n_groups / sum w: the mean over lists times their number. (XGBoost's test of
  // NDCG goes on with the sum of an earlier call's weights, 1 and 1, which is why 2 and 2 double everything
  // there.)
  check(xgboost::map{}, {2, 2}, 2.0, {1.2054923f, -1.2054923f, 1.2054923f, -1.2054923f},
        {1.2657166f, 1.2657166f, 1.2657166f, 1.2657166f});
  check(xgboost::ndcg{}, {2, 0}, 2.0, {2.06611f, -2.06611f, 0, 0}, {2.169331f, 2.169331f, 0, 0});
  check(xgboost::ndcg{}, {2, 2}, 4.0, {2.06611f, -2.06611f, 2.06611f, -2.06611f},
        {2.169331f, 2.169331f, 2.169331f, 2.169331f});
  check(xgboost::ndcg{}, {}, 4.0, {2.06611f, -2.06611f, 2.06611f, -2.06611f},
        {2.169331f, 2.169331f, 2.169331f, 2.169331f});
  // The sum is what it writes without weights.
  evaluate(xgboost::map{},
           list_batch<float>{
               .scores = scores, .relevance = relevance, .offsets = groups, .reduction = reduction::sum},
           {.gradient = g, .hessian = h});
  CHECK(g[1] == Approx(-1.2054923f).epsilon(1e-6));
  CHECK(h[2] == Approx(1.2657166f).epsilon(1e-6));
  // Nothing to be gained from changing their ranks.
  const std::vector<float> same(4, 1.0f);
  CHECK(evaluate(xgboost::ndcg{}, list_batch<float>{.scores = same, .relevance = same, .offsets = groups},
                 {.gradient = g, .hessian = h}) == 0.0);
  CHECK(g == std::vector<float>(4));
  CHECK(h == std::vector<float>(4));
}

TEST_CASE("xgboost: ideal DCG, gains and numbers of pairs that its own tests expect") {
  // Equal scores, so that item i is at position i: the first item loses to all, 2 g_0 = sum_j j (1/D(1) -
  // 1/D(j + 1)) / ideal DCG@k.
  std::vector<double> s(32), y(32), g(32);
  std::iota(y.begin(), y.end(), 0.0);
  double sum = 0.0;
  for (std::size_t j = 1; j < 32; ++j) sum += y[j] * (1.0 - 1.0 / std::log2(2.0 + static_cast<double>(j)));
  for (const auto& [k, expected] : {std::pair<std::size_t, double>{0, 0.00551782}, {3, 0.01552123}}) {
    const xgboost::ndcg loss{
        .weight = {.gain = gain::linear}, .pairs_per_item = k, .list_normalization = normalize::off};
    evaluate(loss, list_batch<double>{.scores = s, .relevance = y}, {.gradient = g});
    CHECK(2.0 * g[0] / sum == Approx(expected).margin(1e-6));
  }
  // The two gains, by the metric.
  const std::vector<float> five{0.1f, 0.2f, 0.3f, 4.0f, 70.0f};
  const std::vector<float> grades{10, 0, 0, 1, 5};
  CHECK(evaluate(metrics::ndcg{}, list_batch<float>{.scores = five, .relevance = grades}) ==
        Approx(0.409738).epsilon(1e-5));
  CHECK(evaluate(metrics::ndcg{.gain = gain::linear},
                 list_batch<float>{.scores = five, .relevance = grades}) == Approx(0.695694).epsilon(1e-5));
  // Pairs count log 2 each where scores are equal.
  std::vector<double> level(128), grade(128);
  std::iota(grade.begin(), grade.end(), 0.0);
  const auto pairs_of = [&](const xgboost::pairwise& loss, const std::vector<double>& labels) {
    return evaluate(loss, list_batch<double>{.scores = level, .relevance = labels}) / std::log(2.0);
  };
  CHECK(pairs_of({.list_normalization = normalize::off}, grade) == Approx(3568.0));
  for (std::size_t i = 0; i < 128; ++i) grade[i] = static_cast<double>(i % 2);
  for (const std::size_t k : {0u, 1u, 2u}) {
    const double draws = k == 2 ? 2.0 : 1.0;
    CHECK(pairs_of({.pairs = pair_method::mean, .pairs_per_item = k, .list_normalization = normalize::off},
                   grade) == Approx(128.0 * draws));
    CHECK(pairs_of({.pairs = pair_method::mean, .pairs_per_item = k}, grade) == Approx(128.0));
  }
}

TEST_CASE("xgboost: against the plain form") {
  for (const std::size_t n : {1u, 2u, 3u, 9u, 40u, 130u})
    for (const std::size_t k : {0u, 1u, 5u})
      for (const auto list_normalization : {normalize::off, normalize::on})
        for (const auto score_normalization : {normalize::off, normalize::on})
          for (const double spread : {0.0, 2.0, 300.0}) {
            if (spread != 2.0 && n != 40) continue;
            CAPTURE(n, k, static_cast<int>(list_normalization), static_cast<int>(score_normalization),
                    spread);
            const reference::tree_rules rules{
                .k = k > 0 ? k : 32,
                .near = score_normalization == normalize::on && spread > 0.0 && n > 1 ? 0.01L : 0.0L,
                .hessian = 2,
                .floor = 1e-16L,
                .logarithmic = list_normalization == normalize::on};
            const support::tree_data graded =
                support::make_tree_data({n}, 5, static_cast<unsigned>(n), spread);
            const std::vector<real> s = reference::widen(graded.scores);
            const std::vector<real> y = reference::widen(graded.relevance);
            std::vector<real> gains;
            for (const real grade : y) gains.push_back(std::exp2(grade) - 1);
            support::check_list(
                xgboost::ndcg{.pairs_per_item = k,
                              .list_normalization = list_normalization,
                              .score_normalization = score_normalization},
                graded, reference::lambdamart(s, y, rules, reference::change_of_ndcg(s, gains, rules.k)));
            support::check_list(xgboost::ndcg{.weight = {.gain = gain::linear},
                                              .pairs_per_item = k,
                                              .list_normalization = list_normalization,
                                              .score_normalization = score_normalization},
                                graded,
                                reference::lambdamart(s, y, rules, reference::change_of_ndcg(s, y, rules.k)));
            support::check_list(
                xgboost::pairwise{.pairs_per_item = k,
                                  .list_normalization = list_normalization,
                                  .score_normalization = score_normalization},
                graded, reference::lambdamart(s, y, rules, [](std::size_t, std::size_t) { return real(1); }));
            const support::tree_data binary =
                support::make_tree_data({n}, 2, static_cast<unsigned>(n) + 7, spread);
            const std::vector<real> t = reference::widen(binary.scores);
            const std::vector<real> z = reference::widen(binary.relevance);
            support::check_list(xgboost::map{.pairs_per_item = k,
                                             .list_normalization = list_normalization,
                                             .score_normalization = score_normalization},
                                binary, reference::lambdamart(t, z, rules, reference::change_of_map(t, z)));
          }
}

TEST_CASE("xgboost: pairs drawn at random") {
  // As many draws as here come near what is drawn on average: each item with the others of another relevance,
  // all alike.
  const std::vector<double> s{0.3, -1.0, 2.0, 0.5, 0.1, -0.2};
  const std::vector<int> y{2, 0, 1, 0, 0, 2};
  std::vector<double> g(6), h(6), expected(6);
  for (std::size_t i = 0; i < 6; ++i) {
    double others = 0.0;
    for (std::size_t j = 0; j < 6; ++j) others += y[j] != y[i] ? 1.0 : 0.0;
    for (std::size_t j = 0; j < 6; ++j) {
      if (y[j] == y[i]) continue;
      const std::size_t preferred = y[i] > y[j] ? i : j;
      const std::size_t other = y[i] > y[j] ? j : i;
      const double lambda =
          1.0 / (1.0 + std::exp(s[preferred] - s[other])) / (0.01 + std::abs(s[i] - s[j])) / others;
      expected[preferred] -= lambda;
      expected[other] += lambda;
    }
  }
  const xgboost::pairwise loss{.pairs = pair_method::mean, .pairs_per_item = 40000, .seed = 3};
  const list_batch<double, int> batch{.scores = s, .relevance = y};
  evaluate(loss, batch, {.gradient = g, .hessian = h});
  for (std::size_t i = 0; i < 6; ++i) CHECK(g[i] == Approx(expected[i]).margin(0.05));
  // A seed is a draw; lists of different numbers draw differently.
  const auto drawn = [&](std::uint64_t seed) {
    std::vector<double> twice(12);
    std::vector<double> scores_twice = s;
    scores_twice.insert(scores_twice.end(), s.begin(), s.end());
    std::vector<int> relevance_twice = y;
    relevance_twice.insert(relevance_twice.end(), y.begin(), y.end());
    const std::vector<int> offsets{0, 6, 12};
    evaluate(
        xgboost::ndcg{.pairs = pair_method::mean, .seed = seed},
        list_batch<double, int>{.scores = scores_twice, .relevance = relevance_twice, .offsets = offsets},
        {.gradient = twice});
    return twice;
  };
  CHECK(drawn(1) == drawn(1));
  CHECK(drawn(1) != drawn(2));
  const std::vector<double> lists = drawn(1);
  CHECK(std::vector<double>(lists.begin(), lists.begin() + 6) !=
        std::vector<double>(lists.begin() + 6, lists.end()));
  // Two items have but each other: their pair comes twice. The ideal DCG is that of both, also with one draw
  // an item.
  const std::vector<double> two{0.0, 1.0};
  const std::vector<int> labels{2, 1};
  std::vector<double> once(2), both(2);
  evaluate(xgboost::ndcg{.list_normalization = normalize::off},
           list_batch<double, int>{.scores = two, .relevance = labels}, {.gradient = once});
  evaluate(xgboost::ndcg{.pairs = pair_method::mean},
           list_batch<double, int>{.scores = two, .relevance = labels}, {.gradient = both});
  CHECK(both[0] == Approx(2.0 * once[0]).epsilon(1e-14));
  CHECK(both[1] == Approx(2.0 * once[1]).epsilon(1e-14));
}

TEST_CASE("xgboost: far scores meet the floor of the Hessian") {
  const std::vector<double> s{0.0, 1000.0};
  std::vector<double> g(2), h(2);
  const xgboost::pairwise loss{.list_normalization = normalize::off, .score_normalization = normalize::off};
  const std::vector<int> right{0, 1};
  const std::vector<int> wrong{1, 0};
  CHECK(evaluate(loss, list_batch<double, int>{.scores = s, .relevance = right},
                 {.gradient = g, .hessian = h}) == 0.0);
  CHECK(std::abs(g[0]) <= 1e-300);
  CHECK(h == std::vector<double>{2e-16, 2e-16});
  CHECK(evaluate(loss, list_batch<double, int>{.scores = s, .relevance = wrong},
                 {.gradient = g, .hessian = h}) == 1000.0);
  CHECK(g == std::vector<double>{-1.0, 1.0});
  CHECK(h == std::vector<double>{2e-16, 2e-16});
}

TEST_CASE("xgboost: what every loss promises") {
  support::check_promises(xgboost::ndcg{}, 5);
  support::check_promises(xgboost::map{.pairs_per_item = 3}, 2);
  support::check_promises(xgboost::pairwise{.score_normalization = normalize::off}, 5);
  support::check_promises(xgboost::ndcg{.pairs = pair_method::mean, .pairs_per_item = 4}, 5);
  support::check_promises(xgboost::map{.pairs = pair_method::mean, .list_normalization = normalize::off}, 2);
  support::check_promises(xgboost::ndcg{}, 1);  // one grade: no pairs
  support::check_permutation(xgboost::ndcg{}, 5);
  support::check_permutation(xgboost::map{}, 2);
  support::check_permutation(xgboost::pairwise{}, 5);
}

TEST_CASE("xgboost: relevance and options out of their ranges") {
  const std::vector<float> s{1, 2, 3, 4};
  const std::vector<int> offsets{0, 2, 4};
  const std::vector<float> large{0, 31, 32, 1};
  const std::vector<float> fraction{0, 1.5f, 1, 0};
  const std::vector<float> negative{0, 1, 1, -1};
  const auto batch = [&](const std::vector<float>& y) {
    return list_batch<float>{.scores = s, .relevance = y, .offsets = offsets};
  };
  CHECK(support::message(xgboost::ndcg{}, batch(large)) ==
        "rankloss: relevance: 32 at list 1, item 0, expected a whole number, 0 to 31, or gain::linear");
  CHECK(support::message(xgboost::ndcg{}, batch(fraction)) ==
        "rankloss: relevance: 1.5 at list 0, item 1, expected a whole number, 0 to 31, or gain::linear");
  CHECK(
      support::message(xgboost::ndcg{}, batch(negative)) ==
      "rankloss: relevance: -1 at list 1, item 1, expected a whole number, 0 to 31, or gain::linear; mask items without judgement");
  CHECK(support::message(xgboost::ndcg{.weight = {.gain = gain::linear}}, batch(large)).empty());
  CHECK(support::message(xgboost::ndcg{.weight = {.gain = gain::linear}}, batch(negative)) ==
        "rankloss: relevance: -1 at list 1, item 1, expected at least 0; mask items without judgement");
  CHECK(support::message(xgboost::map{}, batch(large)) ==
        "rankloss: relevance: 31 at list 0, item 1, expected 0 or 1");
  CHECK(support::message(xgboost::pairwise{}, batch(negative)).empty());
  const std::vector<double> table{0.0, 1.0};
  CHECK(support::message(xgboost::ndcg{.weight = {.gain = gain::table, .gain_table = table}}, batch(large)) ==
        "rankloss: relevance: 31 at list 0, item 1, expected a whole number, 0 to the last of gain_table");
  CHECK(support::message(xgboost::ndcg{.weight = {.gain_table = table}}, batch(fraction)) ==
        "rankloss: gain_table: size 2, expected none unless gain is gain::table");
  // Losses made of others ask each of them.
  const stochastic<xgboost::ndcg> noisy{.samples = 2};
  CHECK(support::message(noisy, batch(fraction)) == support::message(xgboost::ndcg{}, batch(fraction)));
  CHECK(support::message(weighted_sum{weighted{0.5, ranknet{}}, weighted{0.5, xgboost::map{}}},
                         batch(large)) == support::message(xgboost::map{}, batch(large)));
  CHECK(support::message(weighted_sum{weighted{0.5, noisy}, weighted{0.5, ranknet{}}}, batch(negative)) ==
        support::message(xgboost::ndcg{}, batch(negative)));
  CHECK(support::message(weighted_sum{weighted{0.0, xgboost::map{}}, weighted{1.0, ranknet{}}}, batch(large))
            .empty());
  const std::vector<float> grades{0, 1, 2, 31}, by_column{0, 1, 1.5f, 2};
  const auto matrix = [&](const std::vector<float>& columns) {
    return similarity_batch<float>{
        .similarity = s, .rows = 2, .columns = 2, .relevance = grades, .column_relevance = columns};
  };
  CHECK(support::message(bidirectional<xgboost::map>{}, matrix(grades)) ==
        "rankloss: relevance: 2 at row 1, column 0, expected 0 or 1");
  CHECK(support::message(bidirectional<xgboost::ndcg>{}, matrix(grades)).empty());
  CHECK(
      support::message(bidirectional<xgboost::ndcg>{}, matrix(by_column)) ==
      "rankloss: column_relevance: 1.5 at row 1, column 0, expected a whole number, 0 to 31, or gain::linear");
  // Nothing has been written, and nothing overflows where the host vouches for data that do not fit.
  std::vector<float> g(4, 9.0f);
  CHECK_THROWS(evaluate(xgboost::ndcg{}, batch(large), {.gradient = g}));
  CHECK(g == std::vector<float>(4, 9.0f));
  context unchecked;
  unchecked.checks = data_checks::off;
  for (const auto& y : {large, fraction, negative}) {
    CHECK(std::isfinite(evaluate(xgboost::ndcg{}, batch(y), {.gradient = g}, unchecked)));
    for (const float x : g) CHECK(std::isfinite(x));
  }
  static_assert(!xgboost::ndcg::is_slope && xgboost::ndcg::has_hessian);
}

}  // namespace hosts_xgboost_test
