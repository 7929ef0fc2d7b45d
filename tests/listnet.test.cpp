// SPDX-License-Identifier: BSL-1.0
#include <rankloss/listnet.hpp>

#include "support/listwise_checks.hpp"
#include "support/one_list.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <vector>

namespace listnet_test {

using rankloss::evaluate;
using rankloss::list_batch;
using rankloss::listnet;
using reference::real;
using reference::widen;
using support::of;

namespace {

using reals = std::vector<double>;

}  // namespace

TEST_CASE("listnet: values worked by hand") {
  // softmax(1, 0) = (e, 1) / (1 + e); the scores' differ by 0.3
  const double e = std::exp(1.0);
  CHECK(of(listnet{}, reals{0.5, 0.2}, reals{1, 0}) ==
        Approx((e * std::log1p(std::exp(-0.3)) + std::log1p(std::exp(0.3))) / (1 + e)).epsilon(1e-14));
  // p = 16/17 of the relevance and q = 4/13 of the scores
  const listnet twice{.temperature = 0.5, .relevance_temperature = 0.5};
  CHECK(of(twice, reals{std::log(2.0), std::log(3.0)}, reals{std::log(4.0), 0}) ==
        Approx(-16.0 / 17 * std::log(4.0 / 13) - 1.0 / 17 * std::log(9.0 / 13)).epsilon(1e-14));
}

TEST_CASE("listnet: allRank's numbers, with padding") {
  support::agrees_with_allrank(listnet{}, allrank_listwise::listnet);
}

TEMPLATE_TEST_CASE("listnet: value, gradient and Hessian are those of the plain sums", "", float, double) {
  using T = TestType;
  for (const std::size_t n : {1, 2, 9, 64, 1000, 5000})
    for (const double t : {0.2, 1.0}) {
      INFO("n " << n << ", temperature " << t);
      const auto s = reference::normal_scores<T>(n, static_cast<unsigned>(n), 3.0);
      const auto y = reference::whole_grades<T>(n, 7);
      std::vector<real> v;
      for (const T grade : y) v.push_back(std::exp(real(grade) / 2));
      support::agrees(listnet{.temperature = t, .relevance_temperature = 2}, s, y,
                      reference::cross_entropy(widen(s), v, t), {}, t);
    }
}

TEST_CASE("listnet: lists without relevance count, unless only relevant ones are asked for") {
  const reals s{1, 2, 3, 4}, y{0, 0, 0, 1};
  const std::vector<int> offsets{0, 2, 4};
  list_batch<double> batch{.scores = s, .relevance = y, .offsets = offsets};
  reals per_list(2);
  const double both = evaluate(listnet{}, batch, {.per_list = per_list});
  CHECK(per_list[0] == Approx(0.5 * (std::log1p(std::exp(-1.0)) + std::log1p(std::exp(1.0)))).epsilon(1e-14));
  CHECK(both == Approx((per_list[0] + per_list[1]) / 2).epsilon(1e-14));
  batch.reduction = rankloss::reduction::mean_of_relevant;
  CHECK(evaluate(listnet{}, batch) == Approx(per_list[1]).epsilon(1e-14));
}

TEMPLATE_TEST_CASE("listnet: finite for any finite input", "", float, double) {
  for (const double t : {1.0, 1e-15, 1e300})
    support::stays_finite<TestType>(listnet{.temperature = t, .relevance_temperature = t});
}

TEST_CASE("listnet: options out of range are refused") {
  const reals s{1, 2}, y{0, 1};
  CHECK_THROWS_WITH(of(listnet{.temperature = -1}, s, y),
                    "rankloss: temperature: -1, expected 1e-15 to 1e300");
  CHECK_THROWS_WITH(of(listnet{.relevance_temperature = 0}, s, y),
                    "rankloss: relevance_temperature: 0, expected 1e-15 to 1e300");
}

}  // namespace listnet_test
