// SPDX-License-Identifier: BSL-1.0
#include <rankloss/ranknet.hpp>

#include "support/pair_checks.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

namespace ranknet_test {

namespace {

using namespace rankloss;
using namespace support;
using reference::real;

}  // namespace

TEST_CASE("pairs: lists wider than the exponentials of their items, and the longest in float") {
  for (const double spread : {40.0, 400.0, 1e4})
    check_ordered(ranknet{.function = {.temperature = 1.0}}, make_list(60, spread, 3, 11),
                  reference::logistic(1), one);
  check_ordered(ranknet{}, make_list(1500, 1.0, 4, 12), reference::logistic(1), one);
}

TEMPLATE_TEST_CASE(
    "ranknet: scores with nothing between them to be a centre, a hundred temperatures apart or a thousand",
    "", float, double) {
  const TestType offset = TestType(2) / std::numeric_limits<TestType>::epsilon();
  const double widest = sizeof(TestType) == 4 ? 160.0 : 1300.0;  // of exponentials
  const std::vector<TestType> s{offset, offset + 2, offset};
  const std::vector<int> y{2, 1, 0};
  std::vector<TestType> g(3);
  for (const double far : {0.6 * widest, widest, 1.1 * widest}) {
    const double value = evaluate(ranknet{.function = {.temperature = 2.0 / far}},
                                  list_batch<TestType, int>{.scores = s, .relevance = y}, {.gradient = g});
    CHECK(value == Approx(far + std::log(2.0)));
    CHECK(static_cast<double>(g[0]) == Approx(-0.75 * far));
    CHECK(static_cast<double>(g[1]) == Approx(0.5 * far));
    CHECK(static_cast<double>(g[2]) == Approx(0.25 * far));
  }
}

TEST_CASE("ranknet: long lists, of few grades and of real relevance, crowded and far apart") {
  for (const int grades : {2, 5, 40, 0})
    for (const double spread : {1e-6, 1.0, 300.0, 1e6}) {
      CAPTURE(grades, spread);
      const random_list list = make_list(1500, spread, grades, 31);
      check_ordered(ranknet{.average = pairs::average::pairs}, list, reference::logistic(1), one);
      if (grades != 2 || spread < 1.0)
        continue;  // curvatures of sigmoids that nearly cancel have fewer digits
      check_ordered(
          pairwise<pairs::soft_zero_one>{.cutoff = 40}, list,
          [](real d, real) -> reference::pair_terms {
            const reference::sigmoid s(-d);
            return {s.value, -s.slope, s.curvature};
          },
          one);
      check_ordered(
          pairwise<pairs::logistic, pairs::relevance_difference>{.cutoff = 700, .keep = pairs::keep::both},
          list, reference::logistic(1),
          [&](std::size_t i, std::size_t j) { return real(list.relevance[i]) - real(list.relevance[j]); });
    }
}

TEST_CASE(
    "ranknet: an item's weight is that of the pairs where it is preferred, such as one over a propensity") {
  const std::vector<double> s{0.0, 1.0, 2.0};
  const std::vector<int> clicked{1, 0, 1};
  const std::vector<double> weights{4.0, 100.0, 0.5};
  std::vector<double> g(3);
  evaluate(ranknet{}, list_batch<double, int>{.scores = s, .relevance = clicked, .item_weights = weights},
           {.gradient = g});
  const auto pull = [](double d) { return 1.0 / (1.0 + std::exp(d)); };
  CHECK(g[0] == Approx(-4.0 * pull(-1.0)));
  CHECK(g[2] == Approx(-0.5 * pull(1.0)));
  // Self-normalised: over the sum of the weights.
  evaluate(ranknet{.average = pairs::average::weight},
           list_batch<double, int>{.scores = s, .relevance = clicked, .item_weights = weights},
           {.gradient = g});
  CHECK(g[0] == Approx(-4.0 * pull(-1.0) / 4.5));
}

}  // namespace ranknet_test
