// SPDX-License-Identifier: BSL-1.0
#include <rankloss/pairs/function.hpp>
#include <rankloss/pairwise.hpp>

#include "support/pair_checks.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

namespace pairs_function_test {

namespace {

using namespace rankloss;
using namespace support;
using reference::real;

}  // namespace

TEST_CASE("functions of pairs against their formulas") {
  // 83 items go pair by pair, 300 by merging where the function can.
  for (const std::size_t n : {std::size_t{83}, std::size_t{300}, std::size_t{301}}) {
    const int grades = n == 301 ? 0 : 5;
    CAPTURE(n);
    const random_list list = make_list(n, 1.5, grades, 3);
    check_ordered(pairwise<pairs::logistic>{.function = {.temperature = 0.7}}, list,
                  reference::logistic(0.7L), one);
    check_ordered(
        pairwise<pairs::soft_zero_one>{.function = {.temperature = 0.7}}, list,
        [](real d, real) -> reference::pair_terms {
          const reference::sigmoid s(-d / 0.7L);
          return {s.value, -s.slope / 0.7L, s.curvature / 0.49L};
        },
        one);
    check_ordered(
        pairwise<pairs::hinge>{.function = {.margin = 0.6}}, list,
        [](real d, real) -> reference::pair_terms {
          return {std::max(0.6L - d, real(0)), real(d < 0.6L ? -1 : 0), 0};
        },
        one);
    check_ordered(
        pairwise<pairs::squared_hinge>{.function = {.margin = 0.6}}, list,
        [](real d, real) -> reference::pair_terms {
          const real rest = std::max(0.6L - d, real(0));
          return {rest * rest, -2 * rest, real(rest > 0 ? 2 : 0)};
        },
        one);
    check_ordered(
        pairwise<pairs::exponential>{.function = {.temperature = 0.7}}, list,
        [](real d, real) -> reference::pair_terms {
          const real e = std::exp(-d / 0.7L);
          return {e, -e / 0.7L, e / 0.49L};
        },
        one);
    check_ordered(
        pairwise<pairs::squared_difference>{}, list,
        [](real d, real gap) -> reference::pair_terms {
          return {(d - gap) * (d - gap), 2 * (d - gap), 2};
        },
        one);
    check_ordered(
        pairwise<pairs::quantile>{.function = {.tau = 0.3}}, list,
        [](real d, real gap) -> reference::pair_terms {
          const real rest = gap - d;
          return {rest > 0 ? 0.3L * rest : -0.7L * rest, rest > 0 ? -0.3L : rest < 0 ? 0.7L : 0, 0};
        },
        one);
  }
}

}  // namespace pairs_function_test
