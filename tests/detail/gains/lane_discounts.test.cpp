// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/gains/lane_discounts.hpp>

#include "support/gains_reference.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>

namespace detail_gains_lane_discounts_test {

using arch = xsimd::default_arch;
using gains_reference::discount;
using reference::real;

constexpr std::size_t w = rankloss::detail::lane_count<arch>;

TEST_CASE("lane_discounts: sums of discounts from anywhere to anywhere") {
  for (std::size_t begin = 0; begin < 3 * w; ++begin) {
    rankloss::detail::lane_discounts<arch> discounts;  // goes on where it stopped
    std::size_t from = begin;
    for (const std::size_t length :
         {std::size_t{0}, std::size_t{1}, w, std::size_t{1}, 2 * w + 1, std::size_t{3}, std::size_t{1000}}) {
      real expected = 0;
      for (std::size_t i = from; i < from + length; ++i) expected += discount(i + 1);
      const double found = discounts.sum(from, from + length);
      INFO("positions " << from << " to " << from + length);
      CHECK(std::abs(real(found) - expected) <= real(2e-15) * expected);
      from += length;
    }
  }
}

}  // namespace detail_gains_lane_discounts_test
