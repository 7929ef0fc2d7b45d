// SPDX-License-Identifier: BSL-1.0
#include <rankloss/evaluate.hpp>
#include <rankloss/smooth_recall_at_k.hpp>

#include <catch2/catch.hpp>

#include <cmath>
#include <vector>

namespace smooth_recall_at_k_test {

using rankloss::evaluate;
using rankloss::list_batch;
using rankloss::smooth_recall_at_k;

using reals = std::vector<double>;

TEST_CASE("smooth_recall_at_k: by hand") {
  const reals s{2, 1, 0}, y{0, 1, 1};
  // rank_1 = 1 + sigmoid(1) + sigmoid(-1) = 2 and rank_2 = 1 + sigmoid(2) + sigmoid(1) = 2.6118...: within 2
  // wholly, and by the cubic.
  const double rank = 1 + 1 / (1 + std::exp(-2.0)) + 1 / (1 + std::exp(-1.0)), t = rank - 2;
  CHECK(evaluate(smooth_recall_at_k{.metric = {.cutoff = 2}},
                 list_batch<double>{.scores = s, .relevance = y}) ==
        Approx(1 - (1 + 1 - t * t * (3 - 2 * t)) / 2));
  reals g(3);
  evaluate(smooth_recall_at_k{.metric = {.cutoff = 2}}, list_batch<double>{.scores = s, .relevance = y},
           {.gradient = g});
  CHECK(g[2] < 0);
}

}  // namespace smooth_recall_at_k_test
