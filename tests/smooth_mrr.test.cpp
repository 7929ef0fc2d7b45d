// SPDX-License-Identifier: BSL-1.0
#include <rankloss/evaluate.hpp>
#include <rankloss/smooth_mrr.hpp>

#include <catch2/catch.hpp>

#include <vector>

namespace smooth_mrr_test {

using rankloss::evaluate;
using rankloss::list_batch;
using rankloss::smooth_mrr;

using reals = std::vector<double>;

TEST_CASE("smooth_mrr: TensorFlow Ranking's ApproxMRR where one item is relevant") {
  CHECK(evaluate(smooth_mrr{}, list_batch<double>{.scores = reals{1, 3, 2}, .relevance = reals{0, 0, 1}}) ==
        Approx(1 - 0.5));
  CHECK(evaluate(smooth_mrr{}, list_batch<double>{.scores = reals{1, 3}, .relevance = reals{0, 2}}) ==
        Approx(1 - 0.893493).margin(1e-6));
}

TEST_CASE("smooth_mrr: of several relevant items the first counts") {
  const reals s{3, 2, 1, 0}, y{0, 1, 0, 1};
  reals g(4);
  CHECK(evaluate(smooth_mrr{.ranks = {.temperature = 1e-6}},
                 list_batch<double>{.scores = s, .relevance = y}) == Approx(0.5));
  evaluate(smooth_mrr{.ranks = {.temperature = 1.0}}, list_batch<double>{.scores = s, .relevance = y},
           {.gradient = g});
  CHECK(g[1] < 0);
  CHECK(g[0] > 0);
}

}  // namespace smooth_mrr_test
