// SPDX-License-Identifier: BSL-1.0
#include <rankloss/lambda_loss.hpp>
#include <rankloss/lambdarank.hpp>
#include <rankloss/ranknet.hpp>

#include "support/pair_checks.hpp"
#include "vectors/allrank_vectors.hpp"
#include "vectors/lambda_vectors.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

namespace lambda_loss_test {

namespace {

using namespace rankloss;
using namespace support;
using reference::real;

}  // namespace

TEST_CASE("pairs: allRank's lambdaLoss and rankNet") {
  const list_batch<double> batch{.scores = allrank::scores,
                                 .relevance = allrank::relevance,
                                 .length = 5,
                                 .mask = allrank::mask,
                                 .reduction = reduction::sum};
  for (const peers::lambda_case& c : peers::lambda_loss) {
    CAPTURE(std::string(c.scheme), c.cutoff, c.mean, c.binary);
    const pairs::logistic f{.logarithm = c.binary ? pairs::logarithm::binary : pairs::logarithm::natural};
    std::vector<double> gradient(10);
    const auto run = [&](auto loss) {
      loss.function = f;
      loss.cutoff = c.cutoff;
      loss.keep = pairs::keep::both;
      if constexpr (requires { loss.weight.cutoff; }) loss.weight.cutoff = c.cutoff;
      // What allRank divides by: the pairs of the whole batch; those of its first scheme are all.
      double count = c.cutoff > 0 ? 6.0 : 12.0;
      if (c.scheme == "ndcgLoss1_scheme") count = c.cutoff > 0 ? 18.0 : 34.0;
      const double value = evaluate(loss, batch, {.gradient = gradient, .scale = c.mean ? 1.0 / count : 1.0});
      return c.mean ? value / count : value;
    };
    double value = 0.0;
    if (c.scheme == "None" || c.scheme == "rankNet_scheme")
      value = run(ranknet{});
    else if (c.scheme == "ndcgLoss1_scheme")
      value = run(ndcg_loss1{});
    else if (c.scheme == "ndcgLoss2_scheme")
      value = run(ndcg_loss2{});
    else if (c.scheme == "ndcgLoss2PP_scheme")
      value = run(ndcg_loss2_plus{});
    else if (c.scheme == "lambdaRank_scheme")
      value = run(lambdarank{});
    else if (c.scheme == "rankNetWeightedByGTDiff_scheme")
      value = run(arp_loss2{});
    else if (c.scheme == "rankNetWeightedByGTDiffPowed_scheme")
      value = run(
          pairwise<pairs::logistic, pairs::relevance_difference>{.weight = {pairs::difference_of::squares}});
    else
      FAIL("an unknown scheme");
    CHECK(value == Approx(c.value).epsilon(2e-6));
    for (std::size_t i = 0; i < 10; ++i)
      CHECK(gradient[i] == Approx(c.gradient[i]).margin(3e-6).epsilon(3e-6));
  }
}

TEST_CASE("pairs: pytorchltr, and the value it has wrong") {
  std::vector<double> relevance = allrank::relevance;
  const list_batch<double> batch{.scores = allrank::scores,
                                 .relevance = relevance,
                                 .length = 5,
                                 .mask = allrank::mask,
                                 .reduction = reduction::sum};
  for (const peers::per_list_case& c : peers::pytorchltr) {
    CAPTURE(std::string(c.name));
    std::vector<double> gradient(10), per_list(2);
    const auto run = [&](const auto& loss) {
      evaluate(loss, batch, {.gradient = gradient, .per_list = per_list});
    };
    constexpr pairs::logistic bits{.logarithm = pairs::logarithm::binary};
    if (c.name == "PairwiseHingeLoss")
      run(pairwise<pairs::hinge>{});
    else if (c.name == "PairwiseLogisticLoss")
      run(ranknet{.function = bits});
    else if (c.name == "LambdaARPLoss1")
      run(arp_loss1{.function = bits});
    else if (c.name == "LambdaARPLoss2")
      run(arp_loss2{.function = bits});
    else if (c.name == "LambdaNDCGLoss1")
      run(ndcg_loss1{.function = bits});
    else
      continue;  // its NDCG-Loss2 is off by one rank, see below; its DCG hinge is a function of a list's whole loss
    for (std::size_t l = 0; l < 2; ++l) CHECK(per_list[l] == Approx(c.value[l]).epsilon(3e-6));
    for (std::size_t i = 0; i < 10; ++i)
      CHECK(gradient[i] == Approx(c.gradient[i]).margin(3e-6).epsilon(3e-6));
  }
  // The values of its own tests, and the paper's for the one that is off by a rank.
  const std::vector<double> s{.5, 2, 1, .9, -1.2};
  const std::vector<int> y{2, 0, 1, 0, 1};
  const std::vector<int> offsets{0, 3, 5};
  const list_batch<double, int> own{.scores = s, .relevance = y, .offsets = offsets};
  std::vector<double> per_list(2);
  constexpr pairs::logistic bits{.logarithm = pairs::logarithm::binary};
  evaluate(arp_loss1{.function = bits}, own, {.per_list = per_list});
  CHECK(per_list[0] == Approx(13.2984171));
  CHECK(per_list[1] == Approx(4.1963186));
  evaluate(arp_loss2{.function = bits}, own, {.per_list = per_list});
  CHECK(per_list[0] == Approx(8.2091732));
  CHECK(per_list[1] == Approx(3.1963189));
  evaluate(ndcg_loss1{.function = bits}, own, {.per_list = per_list});
  CHECK(per_list[0] == Approx(2.6295495));
  CHECK(per_list[1] == Approx(2.6475825));
  evaluate(ndcg_loss2{.function = bits}, own, {.per_list = per_list});
  CHECK(per_list[0] == Approx(0.74381).epsilon(1e-5));
}

}  // namespace lambda_loss_test
