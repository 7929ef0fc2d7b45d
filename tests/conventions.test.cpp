// SPDX-License-Identifier: BSL-1.0
#include <rankloss/conventions.hpp>
#include <rankloss/ranks/rank.hpp>

#include "support/one_list.hpp"
#include "support/peer_retrieval.hpp"
#include "support/shared_losses.hpp"
#include "vectors/allrank_vectors.hpp"
#include "vectors/lambda_vectors.hpp"
#include "vectors/listwise_vectors.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>
#include <random>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace conventions_test {

namespace {

using namespace rankloss;
using support::of;

using doubles = std::vector<double>;
using grades = std::vector<double>;
using integers = std::vector<int>;

double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }
double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }
double discount(double rank) { return 1.0 / std::log2(1.0 + rank); }

/// Each case against a peer's value and gradient.
template <class Loss, class Expected>
void agrees(const Loss& loss, const list_batch<double>& batch, double value, const Expected& gradient,
            double tolerance, std::size_t items = 10) {
  doubles g(10);
  CHECK(evaluate(loss, batch, {.gradient = g}) == Approx(value).margin(tolerance));
  for (std::size_t i = 0; i < items; ++i) CHECK(g[i] == Approx(gradient[i]).margin(tolerance));
}

}  // namespace

// ---- allRank, float32: 1e-6 but where the step says otherwise

namespace {

list_batch<double> allrank_batch(rankloss::reduction reduction) {
  return {.scores = allrank::scores,
          .relevance = allrank::relevance,
          .length = 5,
          .mask = allrank::mask,
          .reduction = reduction};
}

/// lambdaLoss by its scheme, sum and mean.
template <conventions::allrank::scheme Scheme>
void check_lambda(const peers::lambda_case& c) {
  namespace peer = conventions::allrank;
  auto loss = peer::lambda_loss<Scheme>(c.cutoff);
  if (!c.binary) loss.function.unit = pairs::logarithm::natural;
  auto batch = allrank_batch(peer::lambda_loss_reduction);
  const doubles counts = conventions::pair_counts(loss, batch);
  if (c.mean) {
    loss.average = pairs::average::pairs;
    batch.reduction = peer::reduction;
    batch.list_weights = counts;
  }
  doubles g(10);
  CHECK(evaluate(loss, batch, {.gradient = g}) == Approx(c.value).epsilon(2e-6));
  for (std::size_t i = 0; i < 10; ++i) CHECK(g[i] == Approx(c.gradient[i]).margin(3e-6).epsilon(3e-6));
}

}  // namespace

TEST_CASE("conventions: allRank's list losses") {
  namespace peer = conventions::allrank;
  const auto batch = allrank_batch(peer::reduction);
  agrees(peer::approx_ndcg(), batch, 1.0 + allrank::approx_ndcg[0].value, allrank::approx_ndcg[0].gradient,
         1e-6);
  agrees(peer::approx_ndcg(10.0), batch, 1.0 + allrank::approx_ndcg[1].value,
         allrank::approx_ndcg[1].gradient, 1e-6);
  const auto listwise = [](const allrank_listwise::vectors& v) {
    return list_batch<double>{.scores = allrank_listwise::scores,
                              .relevance = v.relevance,
                              .length = 5,
                              .mask = allrank_listwise::mask,
                              .reduction = peer::reduction};
  };
  agrees(peer::listnet(), listwise(allrank_listwise::listnet), allrank_listwise::listnet.value,
         allrank_listwise::listnet.gradient, 1e-6);
  agrees(peer::binary_listnet(), listwise(allrank_listwise::softmax_cross_entropy),
         allrank_listwise::softmax_cross_entropy.value, allrank_listwise::softmax_cross_entropy.gradient,
         1e-6);
  agrees(peer::listmle(7), listwise(allrank_listwise::listmle), allrank_listwise::listmle.value,
         allrank_listwise::listmle.gradient, 1e-6);
  // neuralNDCG's lists stop scaling together: the gradient of the second, which is done before the first, is of fewer steps here.
  for (const allrank::ndcg_case& c : allrank::neural_ndcg) {
    CAPTURE(c.temperature, c.cutoff);
    agrees(peer::neural_ndcg(c.temperature, c.cutoff), allrank_batch(peer::neural_ndcg_reduction),
           1.0 + c.value, c.gradient, 3e-6, 5);
  }
}

TEST_CASE("conventions: allRank's -NDCG with a list without relevance") {
  namespace peer = conventions::allrank;
  const doubles s{0.5, 0.3, 0.5, 1, 2, 3};
  const doubles y{0.5, 0.3, 0.5, 0, 0, 0};
  doubles per_list(2);
  const double value =
      evaluate(peer::approx_ndcg(), list_batch<double>{.scores = s, .relevance = y, .length = 3},
               {.per_list = per_list});
  CHECK(per_list[0] - 1 == Approx(-0.8499219417).margin(1e-6));
  CHECK(per_list[1] == 0.0);
  CHECK(
      value - 0.5 ==
      Approx(-0.8499219417 / 2).margin(1e-6));  // their mean over both: ours less the share of relevant lists
}

TEST_CASE("conventions: allRank's rankNet and lambdaLoss over all pairs of the batch") {
  namespace peer = conventions::allrank;
  auto batch = allrank_batch(peer::reduction);
  const doubles counts = conventions::pair_counts(peer::ranknet(), batch);
  CHECK(counts == doubles{9, 3});
  CHECK(conventions::pair_counts(peer::lambda_loss<peer::scheme::ndcg_loss1>(), batch) == doubles{25, 9});
  CHECK(conventions::pair_counts(peer::lambda_loss<peer::scheme::ndcg_loss1>(3), batch) == doubles{9, 9});
  batch.list_weights = counts;
  constexpr double ranknet[]{-0.16289831697940826,
                             0.0684213638305664,
                             0.0772077888250351,
                             -0.11774507164955139,
                             0.13501423597335815,
                             0.06417904794216156,
                             -0.14751237630844116,
                             0.0833333358168602,
                             0.0,
                             0.0};
  agrees(peer::ranknet(), batch, 0.9594539999961853, ranknet, 1e-6);
  CHECK(evaluate(peer::ranknet_by_difference(), batch) == Approx(1.5295201539993286).epsilon(1e-6));
  CHECK(evaluate(peer::ranknet_by_difference(pairs::difference_of::squares), batch) ==
        Approx(4.182254314422607).epsilon(1e-6));

  for (const peers::lambda_case& c : peers::lambda_loss) {
    CAPTURE(std::string(c.scheme), c.cutoff, c.mean, c.binary);
    using enum peer::scheme;
    if (c.scheme == "None" || c.scheme == "rankNet_scheme") check_lambda<none>(c);
    if (c.scheme == "ndcgLoss1_scheme") check_lambda<ndcg_loss1>(c);
    if (c.scheme == "ndcgLoss2_scheme") check_lambda<ndcg_loss2>(c);
    if (c.scheme == "ndcgLoss2PP_scheme") check_lambda<ndcg_loss2_plus>(c);
    if (c.scheme == "lambdaRank_scheme") check_lambda<lambdarank>(c);
    if (c.scheme == "rankNetWeightedByGTDiff_scheme") check_lambda<difference>(c);
    if (c.scheme == "rankNetWeightedByGTDiffPowed_scheme") check_lambda<difference_of_squares>(c);
  }
}

TEST_CASE("conventions: allRank's lambdaLoss saturates by the weighted sigmoid, ours does not") {
  namespace peer = conventions::allrank;
  // One pair in the wrong order by `gap`, as lambdaLoss.py has it.
  const auto clamped = [](double weight, double sigma, double gap) {
    return -std::log2(std::max(std::pow(std::max(sigmoid(-sigma * gap), 1e-10), weight), 1e-10));
  };
  const double end = std::log(1e10);
  for (const double sigma : {1.0, 0.5})
    for (const double grade : {1.0, 2.0, 3.0, 4.0}) {
      const double weight = grade * grade;
      // Where what conventions.hpp says comes true: weight log(1 + exp(sigma gap)) = log 1e10.
      const double last = std::log(std::expm1(end / weight)) / sigma;
      CAPTURE(sigma, grade, last);
      const auto loss = peer::lambda_loss<peer::scheme::difference_of_squares>(0, sigma);
      const auto ours = [&](double gap, doubles& gradient) {
        const doubles s{0, gap};
        const grades y{grade, 0};
        return evaluate(loss, list_batch<double>{.scores = s, .relevance = y}, {.gradient = gradient});
      };
      doubles near(2), far(2);
      CHECK(ours(0.999 * last, near) == Approx(clamped(weight, sigma, 0.999 * last)).epsilon(1e-12));
      CHECK(clamped(weight, sigma, 0.999 * last) < clamped(weight, sigma, last));
      CHECK(clamped(weight, sigma, 1.001 * last) == clamped(weight, sigma, 2 * last));
      CHECK(clamped(weight, sigma, 2 * last) == Approx(end / std::numbers::ln2).epsilon(1e-14));
      CHECK(ours(2 * last, far) > 1.3 * end / std::numbers::ln2);
      CHECK(far[0] < near[0]);
      CHECK(far[0] < -0.7 * weight * sigma / std::numbers::ln2);
    }
  // Of weights below 1 the sigmoid's own clamp is what counts.
  CHECK(clamped(0.25, 1.0, 23.1) == clamped(0.25, 1.0, 50.0));
  CHECK(clamped(0.25, 1.0, 22.9) < clamped(0.25, 1.0, 23.1));
}

TEST_CASE("conventions: allRank's ndcg, and the 1 of its lists without relevance") {
  namespace peer = conventions::allrank;
  constexpr double expected[4][2]{{0.1428571492433548, 0.3333333432674408},
                                  {0.11245065182447433, 0.27541154623031616},
                                  {0.4790908992290497, 0.6885288953781128},
                                  {0.616646409034729, 0.6885288953781128}};
  constexpr std::size_t at[]{1, 2, 3, 5};
  doubles per_list(2);
  for (std::size_t k = 0; k < 4; ++k) {
    evaluate(peer::ndcg(at[k]), allrank_batch(peer::reduction), {.per_list = per_list});
    for (std::size_t l = 0; l < 2; ++l) CHECK(per_list[l] == Approx(expected[k][l]).epsilon(1e-6));
  }
  CHECK(of(peer::ndcg(), doubles{1, 2}, grades{0, 0}) == 1.0);
}

// ---- TensorFlow Ranking: six digits as printed, 1e-6

TEST_CASE("conventions: TensorFlow Ranking's losses and weights of two lists") {
  namespace peer = conventions::tf_ranking;
  const doubles s{1, 3, 2, 1, 3};
  const grades y{0, 0, 1, 0, 2};
  const doubles w{2, 3, 4, 1, 1};
  const integers offsets{0, 3, 5};
  const list_batch<double> plain{.scores = s, .relevance = y, .offsets = offsets};
  const list_batch<double> weighted{.scores = s, .relevance = y, .offsets = offsets, .item_weights = w};
  const auto check = [](const auto& loss, const list_batch<double>& batch, double first, double second) {
    doubles per_list(2);
    evaluate(loss, batch, {.per_list = per_list});
    CHECK(per_list[0] == Approx(first).margin(1e-6));
    CHECK(per_list[1] == Approx(second).margin(1e-6));
  };
  check(peer::sigmoid_cross_entropy(), weighted, 1.3644443, -0.8190755);
  check(peer::mean_squared(), weighted, 3.6666667, 1.0);
  CHECK(conventions::item_weights(weighted) == doubles{9, 2});
  CHECK(conventions::item_weights(plain) == doubles{3, 2});
  check(peer::pairwise_hinge(), weighted, 1.0, 0.0);
  check(peer::pairwise_logistic(), weighted, 0.813262, 0.126928);
  check(peer::pairwise_soft_zero_one(), weighted, 0.5, 0.119203);
  CHECK(conventions::pair_weights(peer::pairwise_hinge(), weighted) == doubles{8, 1});
  CHECK(conventions::pair_counts(peer::pairwise_hinge(), weighted) == doubles{2, 1});
  check(peer::softmax(), weighted, 1.407606, 0.126928);
  CHECK(peer::softmax_list_weights(weighted) == doubles{4, 2});
  CHECK(peer::list_weights(weighted) == doubles{4, 1});
  CHECK(peer::list_weights(plain) == doubles{1, 1});
  check(peer::unique_softmax(), plain, 1.407606, 0.380784);
  check(peer::neural_sort_cross_entropy(), plain, 1.816267, 0.365334);
  check(peer::neural_sort_ndcg(), plain, 1 - 0.761571, 1 - 0.956006);
  check(peer::approx_ndcg(1.0), plain, 1 - 0.63093, 1 - 0.922917);
  check(peer::approx_mrr(1.0), plain, 1 - 0.5, 1 - 0.893493);
  CHECK(of(peer::approx_ndcg(1.0), doubles{1, 2, 3}, grades{0, 0, 2}) == Approx(1 - 0.796248).margin(1e-6));

  // Their two values for one list are those of its two orders of ties: this one's seeds give either.
  bool low = false;
  bool high = false;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const double value = of(peer::list_mle(seed), doubles{1, 3, 2}, grades{0, 0, 1});
    low = low || value == Approx(1.534534).margin(1e-6);
    high = high || value == Approx(3.534534).margin(1e-6);
    CHECK((value == Approx(1.534534).margin(1e-6) || value == Approx(3.534534).margin(1e-6)));
  }
  CHECK((low && high));
}

TEST_CASE(
    "conventions: TensorFlow Ranking leaves a list without relevance out of losses, not out of metrics") {
  namespace peer = conventions::tf_ranking;
  const doubles s{1, 3, 2, 1, 3};
  const grades y{0, 0, 1, 0, 0};
  const integers offsets{0, 3, 5};
  list_batch<double> batch{.scores = s, .relevance = y, .offsets = offsets, .reduction = peer::reduction};
  CHECK(evaluate(peer::ndcg(), batch) == Approx(discount(2) / 2));
  const doubles weights = peer::list_weights(batch);
  CHECK(weights == doubles{1, 0});
  batch.list_weights = weights;
  CHECK(evaluate(peer::approx_ndcg(1.0), batch) == Approx(1 - 0.63093).margin(1e-6));
}

TEST_CASE("conventions: TensorFlow Ranking's ranks, ideal DCG and metrics") {
  namespace peer = conventions::tf_ranking;
  const doubles far{100, 300, 200, 0};
  doubles ranks(4);
  context ctx;
  rank(peer::approx_ranks(), std::span<const double>(far), std::span<double>(ranks), ctx);
  for (std::size_t i = 0; i < 4; ++i)
    CHECK(ranks[i] == Approx(std::vector<double>{3, 1, 2, 4}[i]).epsilon(1e-12));

  // Their natural logarithm: a DCG is log2(e) times ours.
  const doubles falling{4, 3, 2, 1};
  const double e = std::numbers::log2e;
  CHECK(1 / (e * of(metrics::dcg{}, falling, grades{4, 1, 1, 0})) == Approx(0.04297).epsilon(2e-4));
  CHECK(1 / (e * of(metrics::dcg{}, falling, grades{4, 3, 2, 0})) == Approx(0.033139).epsilon(2e-4));
  CHECK(1 / (e * of(metrics::dcg{.cutoff = 1}, falling, grades{4, 1, 1, 0})) ==
        Approx(0.04621).epsilon(2e-4));
  CHECK(of(peer::ndcg(), falling, grades{1, 4, 1, 0}) == Approx(0.679685).margin(1e-6));
  CHECK(of(peer::ndcg(), falling, grades{4, 2, 0, 3}) == Approx(0.95176).margin(1e-6));
  CHECK(of(peer::ndcg(), falling, grades{0, 0, 0, 0}) == 0.0);

  const doubles s{3, 2, 1};
  const grades y{1, 0, 2};
  CHECK(of(peer::precision(6), s, y) == Approx(2.0 / 3));
  CHECK(of(peer::mean_average_precision(1), s, y) == 0.5);
  CHECK(of(peer::mrr(), s, grades{0, 0, 2}) == Approx(1.0 / 3));
  CHECK(of(peer::recall(2), s, y) == 0.5);
  CHECK(of(peer::average_relevance_position(), s, y) == Approx((1 + 2 * 3) / 3.0));
}

// ---- Rax: closed forms, 1e-14; doc strings, their five or six digits

TEST_CASE("conventions: Rax's losses") {
  namespace peer = conventions::rax;
  const doubles s{0, 3, 1, 2};
  const grades y{0, 0, 1, 1};
  const double z = 1 + std::exp(1) + std::exp(2) + std::exp(3);
  const double softmax = 2 * std::log(z) - 3;
  CHECK(of(peer::softmax(), s, y) == Approx(softmax).epsilon(1e-14));
  CHECK(of(peer::softmax(), doubles{1, 3, 2}, grades{0, 0, 1}) == Approx(1.40761).margin(1e-5));
  const double kept = (std::exp(1) + std::exp(2)) / (2 * z);
  CHECK(of(peer::poly1_softmax(), s, y) == Approx(softmax + 1 - kept).epsilon(1e-14));
  CHECK(of(peer::poly1_softmax(0.1), s, y) == Approx(softmax + 0.1 * (1 - kept)).epsilon(1e-14));
  const double below = 1 + std::exp(3);
  CHECK(of(peer::unique_softmax(), s, y) ==
        Approx(std::log(below + std::exp(1)) - 1 + std::log(below + std::exp(2)) - 2).epsilon(1e-14));
  // Items 2, 3, 0, 1: equal relevance as it lies.
  CHECK(of(peer::listmle(), s, y) ==
        Approx(std::log(z) - 1 + std::log(1 + std::exp(2) + std::exp(3)) - 2 + std::log(1 + std::exp(3)))
            .epsilon(1e-14));
  CHECK(4 * of(peer::pairwise_hinge(), s, y) == Approx(5.0));
  CHECK(4 * of(peer::pairwise_logistic(), s, y) ==
        Approx(softplus(-1) + softplus(2) + softplus(1) + softplus(-2)).epsilon(1e-14));
  CHECK(4 * of(peer::pairwise_soft_zero_one(), s, y) ==
        Approx(sigmoid(-1) + sigmoid(2) + sigmoid(1) + sigmoid(-2)).epsilon(1e-14));
  CHECK(4 * of(peer::pointwise_mse(), s, y) == Approx(10.0));
  CHECK(4 * of(peer::pointwise_sigmoid(), s, y) ==
        Approx(softplus(0) + softplus(3) + softplus(-1) + softplus(-2)).epsilon(1e-13));

  const doubles t{0, 1, 3, 2};
  const grades u{0, 0, 1, 2};
  CHECK(of(peer::approx(peer::mrr()), t, u) - 1 == Approx(-0.69659).margin(1e-5));
  CHECK(of(peer::approx_ndcg(), t, u) - 1 == Approx(-0.71789).margin(1e-5));
  CHECK(of(peer::approx(peer::ndcg()), t, u) - 1 == Approx(-0.71789).margin(1e-5));
}

TEST_CASE("conventions: Rax's means over all pairs and items of lists of different length") {
  namespace peer = conventions::rax;
  const doubles s{0, 3, 1, 2, 1, 3, 5};
  const grades y{0, 0, 1, 1, 0, 2, 0};
  const std::vector<std::uint8_t> mask{1, 1, 1, 1, 1, 1, 0};
  const integers offsets{0, 4, 7};
  list_batch<double> batch{
      .scores = s, .relevance = y, .offsets = offsets, .mask = mask, .reduction = peer::reduction};
  const doubles pairs = conventions::pair_counts(peer::pairwise_logistic(), batch);
  CHECK(pairs == doubles{4, 1});
  batch.list_weights = pairs;
  CHECK(evaluate(peer::pairwise_logistic(), batch) ==
        Approx((softplus(-1) + softplus(2) + softplus(1) + softplus(-2) + softplus(-2)) / 5).epsilon(1e-13));
  const doubles items = conventions::item_weights(batch);
  CHECK(items == doubles{4, 2});
  batch.list_weights = items;
  CHECK(evaluate(peer::pointwise_mse(), batch) == Approx((10.0 + 1 + 1) / 6).epsilon(1e-14));
}

TEST_CASE("conventions: Rax's lambda weights") {
  namespace peer = conventions::rax;
  // The weight of one pair: hinges that all count, and an item weight for the pair's more relevant item alone. Ranks are 3, 2, 1.
  const doubles s{0, 1, 2}, y{0, 1, 0.3};
  const auto weight = [&](const auto& lambda, std::size_t more, std::size_t less) {
    using W = std::remove_cvref_t<decltype(lambda.weight)>;
    doubles g(3), only(3);
    only[more] = 1;
    evaluate(pairwise<pairs::hinge, W>{.function = {.margin = 100}, .weight = lambda.weight},
             list_batch<double>{.scores = s, .relevance = y, .item_weights = only}, {.gradient = g});
    return g[less];
  };
  const auto gain = [&](std::size_t i) { return std::exp2(y[i]) - 1; };
  const auto step = [](double distance) { return discount(distance) - discount(distance + 1); };
  const double best = gain(1) + gain(2) * discount(2);
  CHECK(weight(peer::labeldiff_lambda(), 1, 0) == Approx(1.0));
  CHECK(weight(peer::labeldiff_lambda(), 1, 2) == Approx(0.7));
  CHECK(weight(peer::labeldiff_lambda(), 2, 0) == Approx(0.3));
  // Theirs are three times these: the length of the list.
  CHECK(weight(peer::dcg_lambda(), 1, 0) == Approx((discount(2) - discount(3)) * gain(1)).epsilon(1e-14));
  CHECK(weight(peer::dcg_lambda(), 1, 2) ==
        Approx((discount(1) - discount(2)) * (gain(1) - gain(2))).epsilon(1e-14));
  CHECK(weight(peer::dcg_lambda(true), 2, 0) ==
        Approx((discount(1) - discount(3)) * gain(2) / best).epsilon(1e-14));
  CHECK(weight(peer::dcg2_lambda(), 1, 0) == Approx(step(1) * gain(1)).epsilon(1e-14));
  CHECK(weight(peer::dcg2_lambda(), 2, 0) == Approx(step(2) * gain(2)).epsilon(1e-14));
  CHECK(weight(peer::dcg2_lambda(true), 1, 2) == Approx(step(1) * (gain(1) - gain(2)) / best).epsilon(1e-14));
}

TEST_CASE("conventions: Rax's metrics") {
  namespace peer = conventions::rax;
  const doubles s{0, 3, 1, 2};
  const grades y{0, 0, 1, 1};
  CHECK(of(peer::mrr(), s, y) == 0.5);
  CHECK(of(peer::recall(3), s, y) == 1.0);
  CHECK(of(peer::precision(3), s, y) == Approx(2.0 / 3));
  CHECK(of(peer::precision(6), s, y) == 0.5);
  CHECK(of(peer::ap(), s, y) == Approx((0.5 + 2.0 / 3) / 2));
  CHECK(of(peer::dcg(), s, y) == Approx(discount(2) + discount(3)));
  CHECK(of(peer::ndcg(), s, y) == Approx((discount(2) + discount(3)) / (1 + discount(2))));
  CHECK(of(peer::ap(3), s, grades{1, 0, 1, 1}) == Approx((0.5 + 2.0 / 3) / 3));

  const doubles docs{2, 1, 3, 1, 0.5, 1.5};
  const grades labels{2, 0, 1, 0, 0, 1};
  doubles per_list(2);
  const list_batch<double> batch{
      .scores = docs, .relevance = labels, .length = 3, .reduction = peer::reduction};
  CHECK(evaluate(peer::ndcg(), batch, {.per_list = per_list}) == Approx(0.89835).margin(1e-5));
  CHECK(per_list[0] == Approx(0.79671).margin(1e-5));
}

// ---- XGBoost and LightGBM: four digits as printed

TEST_CASE("conventions: XGBoost's metrics") {
  namespace peer = conventions::xgboost;
  // Its scores are .1, .9, .1, .9, and it sorts equal ones as they lie: the same order without ties.
  const doubles s{0.11, 0.91, 0.1, 0.9};
  const grades y{0, 0, 1, 1};
  CHECK(of(peer::ndcg(), s, y) == Approx(0.6509).margin(5e-5));
  CHECK(of(peer::ndcg(2), s, y) == Approx(0.3868).margin(1e-4));
  CHECK(of(peer::map(), s, y) == 0.5);
  CHECK(of(peer::map(2), s, y) == 0.25);
  CHECK(of(peer::pre(), s, y) == 0.5);
  CHECK(of(peer::pre(2), s, y) == 0.5);
  CHECK(of(peer::pre(6), s, y) == 0.5);
  // With them it is the mean of their orders.
  CHECK(of(peer::ndcg(), doubles{0.1, 0.9, 0.1, 0.9}, y) ==
        Approx(0.5 * (1 + discount(2) + discount(3) + discount(4)) / (1 + discount(2))));

  const doubles five{0.1, 0.2, 0.3, 4, 70};
  const grades labels{10, 0, 0, 1, 5};
  CHECK(of(peer::ndcg(), five, labels) == Approx(0.409738).margin(1e-6));
  CHECK(of(peer::ndcg(0, gain::linear), five, labels) == Approx(0.695694).margin(1e-6));

  const doubles grouped{0.1, 0.9, 0.2, 0.8, 0.4, 1.7};
  const grades hits{1, 1, 1, 0, 1, 0};
  const integers offsets{0, 2, 5, 6};
  const list_batch<double> batch{
      .scores = grouped, .relevance = hits, .offsets = offsets, .reduction = peer::reduction};
  CHECK(evaluate(peer::map(), batch) == Approx(0.8611).margin(5e-5));
  CHECK(evaluate(peer::map(0, 0.0), batch) == Approx((1 + 7.0 / 12) / 3));  // map-
  CHECK(of(peer::ndcg(), doubles{1, 2}, grades{0, 0}) == 1.0);
  CHECK(of(peer::ndcg(0, gain::exponential, 0.0), doubles{1, 2}, grades{0, 0}) == 0.0);  // ndcg-
  CHECK(of(peer::pre(), doubles{1, 2}, grades{0, 0}) == 0.0);
}

TEST_CASE("conventions: LightGBM's metrics") {
  namespace peer = conventions::lightgbm;
  const doubles s{4, 3, 2, 1};
  const grades y{1, 0, 1, 0};
  CHECK(of(peer::ndcg(3), s, y) == Approx((1 + discount(3)) / (1 + discount(2))));
  CHECK(of(peer::ndcg(5), s, grades{0, 0, 0, 0}) == 1.0);
  const doubles table{0, 1, 3, 7, 15};
  CHECK(of(peer::ndcg(3, table), s, grades{0, 4, 2, 1}) == Approx(of(peer::ndcg(3), s, grades{0, 4, 2, 1})));
  CHECK(of(peer::map(1), s, y) == 1.0);  // XGBoost: 1/2
  CHECK(of(conventions::xgboost::map(1), s, y) == 0.5);
  CHECK(of(peer::map(3), s, y) == Approx((1 + 2.0 / 3) / 2));
  CHECK(of(peer::map(3), s, grades{0, 0, 0, 0}) == 1.0);
}

// ---- Listwise_ITR, float32: 1e-6 of the value, 1e-5 of the gradient

TEST_CASE("conventions: Listwise_ITR's TripletSNDCGLoss") {
  namespace peer = conventions::listwise_itr;
  const auto relevance = peers::relevance();
  const auto s = peers::similarity();
  const similarity_batch<double> batch{.similarity = s,
                                       .rows = peers::pairs,
                                       .columns = peers::pairs,
                                       .relevance = relevance,
                                       .reduction = peer::reduction};
  const auto check = [&](const auto& loss, const peers::expected& expected) {
    doubles g(s.size());
    CHECK(evaluate(loss, batch, {.gradient = g}) == Approx(expected.value).epsilon(1e-6));
    peers::check_gradient(g, expected);
  };
  check(peer::triplet_sndcg(0.0), peers::triplet);
  check(peer::triplet_sndcg(0.5), peers::half_and_half_001);
  check(peer::triplet_sndcg(1.0), peers::sndcg_001);
  check(peer::triplet_sndcg(0.5, 0.1), peers::half_and_half_01);
  check(peer::sndcg(0.1), peers::sndcg_01);
  check(peer::triplet(), peers::triplet);
  CHECK(evaluate(peer::ndcg(), batch) ==
        Approx((peers::ndcg_of_rows + peers::ndcg_of_columns) / 2).epsilon(1e-6));
}

// ---- What they are made of

TEST_CASE("conventions: a value for lists without relevance") {
  const doubles s{1, 2, 3, 1, 2, 3};
  const grades y{0, 0, 1, 0, 0, 0};
  const conventions::value_without_relevance<metrics::ndcg> metric{.otherwise = 0.25};
  list_batch<double> batch{.scores = s, .relevance = y, .length = 3};
  doubles per_list(2);
  CHECK(evaluate(metric, batch, {.per_list = per_list}) == Approx(1.25 / 2));
  CHECK(per_list == doubles{1, 0.25});
  batch.reduction = reduction::mean_of_relevant;
  CHECK(evaluate(metric, batch) == 1.0);
  const conventions::value_without_relevance<metrics::ndcg> broken{
      .otherwise = std::numeric_limits<double>::infinity()};
  CHECK_THROWS_WITH(evaluate(broken, batch), "rankloss: otherwise: inf, expected a finite number");
  const grades unjudged{0, 0, 1, 0, -1, 0};
  batch.relevance = unjudged;
  CHECK_THROWS_WITH(
      evaluate(metric, batch),
      "rankloss: relevance: -1 at list 1, item 1, expected at least 0; mask items without judgement");
}

namespace {

/// Every ordered pair one by one: those of different relevance, or all, that a cutoff keeps, by their number and by the weight of the more
/// relevant item. Equal scores are in the order of the items.
template <class T, class R>
std::pair<double, double> pairs_one_by_one(const std::vector<T>& s, const std::vector<R>& y, const doubles& w,
                                           std::size_t cutoff, pairs::cut cut, bool all) {
  const std::size_t n = s.size();
  std::vector<std::size_t> rank(n, 0);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) rank[i] += s[j] > s[i] || (s[j] == s[i] && j < i) ? 1 : 0;
  double count = 0.0;
  double weight = 0.0;
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      const bool one = cutoff == 0 || rank[i] < cutoff, other = cutoff == 0 || rank[j] < cutoff;
      if (!(cut == pairs::cut::both ? one && other : one || other) || !(all || y[i] > y[j])) continue;
      count += 1.0;
      weight += w[i];
    }
  return {count, weight};
}

template <class R>
void check_pair_counts(std::size_t n, unsigned scores, unsigned levels, std::mt19937_64& random) {
  std::vector<float> s(n);
  std::vector<R> y(n);
  doubles w(n);
  for (std::size_t i = 0; i < n; ++i) {
    s[i] = static_cast<float>(random() % scores);
    y[i] = static_cast<R>(static_cast<R>(random() % levels) / R(2) - R(1));
    w[i] = static_cast<double>(random() % 5) / 4.0;  // whose sums are exact
  }
  list_batch<float, R> batch{.scores = s, .relevance = y};
  for (const std::size_t cutoff : {std::size_t{0}, std::size_t{1}, std::size_t{7}, n, n + 3})
    for (const pairs::cut cut : {pairs::cut::either, pairs::cut::both}) {
      CAPTURE(n, scores, levels, cutoff, cut == pairs::cut::both);
      const auto [count, weight] = pairs_one_by_one(s, y, w, cutoff, cut, false);
      const ranknet loss{.cutoff = cutoff, .cut = cut};
      CHECK(conventions::pair_counts(loss, batch) == doubles{count});
      CHECK(conventions::pair_counts(arp_loss2{.cutoff = cutoff, .cut = cut}, batch) == doubles{count});
      CHECK(conventions::pair_weights(loss, batch) == doubles{count});
      const double all = pairs_one_by_one(s, y, w, cutoff, cut, true).first;
      CHECK(conventions::pair_counts(ndcg_loss1{.cutoff = cutoff, .cut = cut}, batch) == doubles{all});
      batch.item_weights = w;
      CHECK(conventions::pair_counts(loss, batch) == doubles{count});
      CHECK(conventions::pair_weights(loss, batch) == doubles{weight});
      batch.item_weights = {};
    }
}

}  // namespace

TEST_CASE("conventions: pairs are counted as one by one, by sorting") {
  std::mt19937_64 random(6);
  for (std::size_t n = 0; n <= 20; ++n) {
    check_pair_counts<float>(n, 5, 4, random);
    check_pair_counts<int>(n, 1000, 9, random);
  }
  for (const std::size_t n : {63u, 64u, 65u, 255u, 256u, 257u, 511u, 512u, 600u})
    for (const unsigned scores : {3u, 100000u})
      for (const unsigned levels : {1u, 2u, 40u, 100000u}) {
        check_pair_counts<float>(n, scores, levels, random);
        if (levels == 40) check_pair_counts<double>(n, scores, levels, random);
      }

  // Lists, masks and list weights.
  const doubles s{3, 1, 9, 2, 5, 5, 4}, y{1, 0, 7, 2, 1, 0, 0};
  const std::vector<std::uint8_t> mask{1, 1, 0, 1, 1, 1, 1};
  const std::vector<std::size_t> offsets{0, 4, 4, 7};
  const doubles weights{0, 1, 5};
  const list_batch<double> lists{
      .scores = s, .relevance = y, .offsets = offsets, .list_weights = weights, .mask = mask};
  CHECK(conventions::pair_counts(ranknet{}, lists) == doubles{3, 0, 2});
  CHECK(conventions::pair_counts(ranknet{.cutoff = 1}, lists) == doubles{2, 0, 2});
  CHECK(conventions::pair_counts(ndcg_loss1{}, lists) == doubles{9, 0, 9});
}

TEST_CASE("conventions: pairs of float lists, long lists and a batch without pairs") {
  const std::size_t n = 700;
  std::vector<float> s(n);
  integers y(n);
  for (std::size_t i = 0; i < n; ++i) {
    s[i] = static_cast<float>((i * 37) % 101);
    y[i] = static_cast<int>(i % 2);
  }
  const list_batch<float, int> batch{.scores = s, .relevance = y};
  CHECK(conventions::pair_counts(ranknet{}, batch) == doubles{350.0 * 350.0});
  CHECK(conventions::pair_counts(ndcg_loss1{}, batch) == doubles{700.0 * 700.0});
  const integers alike(n, 1);
  const integers offsets{0, 700, 700};
  const list_batch<float, int> none{.scores = s, .relevance = alike, .offsets = offsets};
  CHECK(conventions::pair_counts(ranknet{}, none) == doubles{0, 0});
  const integers wrong{0, 701};
  const list_batch<float, int> beyond{.scores = s, .relevance = y, .offsets = wrong};
  CHECK_THROWS_WITH(conventions::pair_counts(ranknet{}, beyond),
                    "rankloss: offsets: last is 701, expected 700 (the number of scores)");
  CHECK_THROWS_WITH(conventions::item_weights(beyond),
                    "rankloss: offsets: last is 701, expected 700 (the number of scores)");
}

TEST_CASE("conventions: each is told in words") {
  using namespace conventions;
  for (const convention& row : {ours, conventions::allrank::row, tf_ranking::row, rax::row, xgboost::row,
                                lightgbm::row, listwise_itr::row}) {
    const std::string text = describe(row);
    CHECK(text.substr(0, row.name.size() + 1) == std::string(row.name) + "\n");
    for (const auto what : {row.value, row.gain, row.discount, row.ties, row.without_relevance, row.reduction,
                            row.cutoff, row.logarithm, row.temperature}) {
      CHECK(!what.empty());
      CHECK(text.find(what) != std::string::npos);
    }
  }
}

}  // namespace conventions_test
