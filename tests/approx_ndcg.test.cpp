// SPDX-License-Identifier: BSL-1.0
#include <rankloss/approx_ndcg.hpp>

#include "vectors/allrank_vectors.hpp"

#include <catch2/catch.hpp>

#include <cstddef>
#include <vector>

namespace approx_ndcg_test {

using rankloss::approx_ndcg;
using rankloss::evaluate;
using rankloss::list_batch;

using reals = std::vector<double>;

TEST_CASE("approx_ndcg: values and gradients of allRank") {
  for (const allrank::ndcg_case& c : allrank::approx_ndcg) {
    reals g(10);
    const double value = evaluate(
        approx_ndcg{.temperature = c.temperature},
        list_batch<double>{
            .scores = allrank::scores, .relevance = allrank::relevance, .length = 5, .mask = allrank::mask},
        {.gradient = g});
    CHECK(value == Approx(1.0 + c.value).margin(1e-6));
    for (std::size_t i = 0; i < 10; ++i) CHECK(g[i] == Approx(c.gradient[i]).margin(1e-6));
  }
}

TEST_CASE("approx_ndcg: values of peers' own tests") {
  const auto loss = [](double temperature, const reals& s, const reals& y) {
    return evaluate(approx_ndcg{.temperature = temperature}, list_batch<double>{.scores = s, .relevance = y});
  };
  CHECK(loss(1, {0.5, 0.3, 0.5}, {0.5, 0.3, 0.5}) == Approx(1 - 0.8499219417));  // allRank
  CHECK(loss(1, {1, 3, 2}, {0, 0, 1}) == Approx(1 - 0.63093).margin(1e-6));      // TensorFlow Ranking
  CHECK(loss(1, {1, 3}, {0, 2}) == Approx(1 - 0.922917).margin(1e-6));
  CHECK(loss(1, {1, 2, 3}, {0, 0, 2}) == Approx(1 - 0.796248).margin(1e-6));
}

}  // namespace approx_ndcg_test
