// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/gains/ideal_dcg.hpp>

#include <rankloss/detail/gains/lane_discounts.hpp>
#include <rankloss/workspace.hpp>

#include "support/gains_reference.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <random>
#include <span>
#include <vector>

namespace detail_gains_ideal_dcg_test {

using gains_reference::draw;
using gains_reference::kinds_of_gains;
using gains_reference::plain;
using lane_discounts = rankloss::detail::lane_discounts<xsimd::default_arch>;
using rankloss::ideal;
using rankloss::detail::single_discounts;
using reference::real;

TEMPLATE_TEST_CASE("ideal_dcg: one list", "", float, double) {
  std::mt19937_64 random(3);
  rankloss::workspace scratch;
  for (const std::vector<TestType>& from : kinds_of_gains<TestType>())
    for (const std::size_t n : {0u, 1u, 2u, 7u, 8u, 9u, 33u, 100u, 1025u})
      for (const std::size_t cutoff : {0u, 1u, 2u, 5u, 33u, 2000u})
        for (const ideal kind : {ideal::sorted, ideal::competition_ranks}) {
          const std::vector<TestType> gains = draw(random, n, from);
          const auto [expected, scale] = plain(kind, cutoff, gains);
          const std::span<const TestType> list = gains;
          const double by_lanes = rankloss::detail::ideal_dcg<lane_discounts>(kind, cutoff, list, scratch);
          const double by_item = rankloss::detail::ideal_dcg<single_discounts>(kind, cutoff, list, scratch);
          INFO("n " << n << ", cutoff " << cutoff << ", " << by_lanes << ", " << by_item << " and "
                    << static_cast<double>(expected));
          CHECK(std::abs(real(by_lanes) - expected) <= real(1e-14) * scale);
          CHECK(std::abs(real(by_item) - expected) <= real(1e-13) * scale);
        }
}

TEST_CASE("ideal_dcg: single discounts are added item by item, from the greatest gain on") {
  rankloss::workspace scratch;
  const std::vector<double> gains{0.1, 0.7, 0.1, 0.1, 0.0, 0.3, 0.1};
  double sorted = 0.0;
  double shared = 0.0;
  const std::vector<double> order{0.7, 0.3, 0.1, 0.1, 0.1, 0.1};
  for (std::size_t k = 0; k < order.size(); ++k) {
    sorted += order[k] * rankloss::detail::discount_at(k + 1);
    shared += order[k] * rankloss::detail::discount_at(k < 3 ? k + 1 : 3);
  }
  const std::span<const double> list = gains;
  CHECK(rankloss::detail::ideal_dcg<single_discounts>(ideal::sorted, 0, list, scratch) == sorted);
  CHECK(rankloss::detail::ideal_dcg<single_discounts>(ideal::competition_ranks, 0, list, scratch) == shared);
}

}  // namespace detail_gains_ideal_dcg_test
