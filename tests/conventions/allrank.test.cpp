// SPDX-License-Identifier: BSL-1.0
#include <rankloss/conventions/allrank.hpp>

#include "support/convention_checks.hpp"
#include "support/one_list.hpp"
#include "support/shared_losses.hpp"
#include "vectors/allrank_vectors.hpp"
#include "vectors/lambda_vectors.hpp"
#include "vectors/listwise_vectors.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <string>
#include <vector>

namespace conventions_allrank_test {

// Values are float32 of the peer: 1e-6 except where a step says otherwise.

using namespace rankloss;
using support::agrees;
using support::doubles;
using support::grades;
using support::of;
using support::sigmoid;

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
  if (!c.binary) loss.function.logarithm = pairs::logarithm::natural;
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
  // neuralNDCG's lists stop scaling together: the gradient of the second, which is done before the first, is
  // of fewer steps here.
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

}  // namespace conventions_allrank_test
