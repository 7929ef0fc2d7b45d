// SPDX-License-Identifier: BSL-1.0
#include <rankloss/evaluate.hpp>
#include <rankloss/smooth_precision_at_k.hpp>

#include <catch2/catch.hpp>

#include <cmath>
#include <vector>

namespace smooth_precision_at_k_test {

using rankloss::evaluate;
using rankloss::list_batch;
using rankloss::smooth_precision_at_k;

using reals = std::vector<double>;

TEST_CASE("smooth_precision_at_k: by hand") {
  const reals s{2, 1, 0}, y{0, 1, 1};
  const double rank = 1 + 1 / (1 + std::exp(-2.0)) + 1 / (1 + std::exp(-1.0)), t = rank - 2;
  CHECK(evaluate(smooth_precision_at_k{.metric = {.cutoff = 2}},
                 list_batch<double>{.scores = s, .relevance = y}) ==
        Approx(1 - (1 + 1 - t * t * (3 - 2 * t)) / 2));
  CHECK(evaluate(smooth_precision_at_k{.metric = {.cutoff = 2}, .ranks = {.temperature = 1e-9}},
                 list_batch<double>{.scores = s, .relevance = y}) == Approx(0.5));
}

}  // namespace smooth_precision_at_k_test
