// SPDX-License-Identifier: BSL-1.0
#include <rankloss/lambdarank.hpp>

#include "support/pair_checks.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <vector>

namespace lambdarank_test {

using namespace rankloss;
using namespace support;
using reference::real;

TEST_CASE("lambdarank: two items of equal score, as Burges has them") {
  const std::vector<float> s{0, 0};
  const std::vector<int> y{1, 0};
  std::vector<float> lambda(2);
  evaluate(lambdarank{}, list_batch<float, int>{.scores = s, .relevance = y}, {.gradient = lambda});
  CHECK(lambda[0] == Approx(-0.5 * (1.0 - 1.0 / std::log2(3.0))).epsilon(1e-6));
  CHECK(lambda[1] == Approx(0.18453512).epsilon(1e-6));
}

TEST_CASE("lambdarank: the weight is what the metric changes by, of NDCG@k, AP and RR") {
  const std::vector<double> s{0.3, 2.0, -1.0, 0.9};
  const std::vector<int> y{2, 0, 1, 0};  // ranked: 0, 0, 2, 1
  std::vector<double> g(4);
  const auto pull = [](double d) { return 1.0 / (1.0 + std::exp(d)); };
  const auto d = [](int rank) { return 1.0 / std::log2(1.0 + rank); };
  const double best = 3.0 + 1.0 * d(2);
  const list_batch<double, int> batch{.scores = s, .relevance = y};
  evaluate(lambdarank{}, batch, {.gradient = g});
  CHECK(g[0] == Approx(-(3.0 * (d(1) - d(3)) * pull(0.3 - 2.0) + 3.0 * (d(2) - d(3)) * pull(0.3 - 0.9) +
                         2.0 * (d(3) - d(4)) * pull(1.3)) /
                       best));
  // Average precision: (1/3 + 2/4) / 2; with the item of rank 3 at rank 1: (1 + 2/4) / 2.
  evaluate(lambdarank_map{}, batch, {.gradient = g});
  CHECK(g[0] == Approx(-((1.0 - 1.0 / 3.0) / 2.0 * pull(-1.7) + (1.0 / 2.0 - 1.0 / 3.0) / 2.0 * pull(-0.6))));
  // Reciprocal rank: 1/3; only what comes before rank 3, or takes its place, changes it.
  evaluate(lambdarank_mrr{}, batch, {.gradient = g});
  CHECK(g[0] == Approx(-((1.0 - 1.0 / 3.0) * pull(-1.7) + (1.0 / 2.0 - 1.0 / 3.0) * pull(-0.6))));
  CHECK(g[2] == Approx(-((1.0 - 1.0 / 3.0) * pull(-3.0) + (1.0 / 2.0 - 1.0 / 3.0) * pull(-1.9))));
}

TEST_CASE(
    "lambdarank: long lists, of few grades and of real relevance, in near-linear time and pair by pair") {
  for (const int grades : {2, 5, 40, 0}) {
    CAPTURE(grades);
    const random_list list = make_list(2000, 1.0, grades, 21);
    const std::vector<std::size_t> rank = reference::ordinal_ranks(reference::widen(list.scores));
    std::vector<real> gains(list.scores.size());
    for (std::size_t i = 0; i < gains.size(); ++i) gains[i] = std::exp2(real(list.relevance[i])) - 1;
    const real best = reference::ideal_dcg(gains, 0);
    check_ordered(lambdarank{.cutoff = grades == 5 ? 100u : 0u}, list, reference::logistic(1),
                  [&](std::size_t i, std::size_t j) {
                    return (gains[i] - gains[j]) *
                           std::abs(reference::discount(rank[i]) - reference::discount(rank[j])) / best;
                  });
  }
}

}  // namespace lambdarank_test
