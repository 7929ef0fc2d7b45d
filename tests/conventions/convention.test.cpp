// SPDX-License-Identifier: BSL-1.0
#include <rankloss/conventions/convention.hpp>
#include <rankloss/metrics/ndcg.hpp>

#include "support/convention_checks.hpp"
#include "support/shared_losses.hpp"

#include <catch2/catch.hpp>

#include <limits>
#include <vector>

namespace conventions_convention_test {

using namespace rankloss;
using support::doubles;
using support::grades;

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

}  // namespace conventions_convention_test
