// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/data/counted_by.hpp>

#include <catch2/catch.hpp>

namespace detail_data_counted_by_test {

TEST_CASE("counted_by keeps as many as there are, or all") {
  CHECK(rankloss::detail::counted_by(0, 7) == 7);
  CHECK(rankloss::detail::counted_by(3, 7) == 3);
  CHECK(rankloss::detail::counted_by(7, 7) == 7);
  CHECK(rankloss::detail::counted_by(8, 7) == 7);
  CHECK(rankloss::detail::counted_by(8, 0) == 0);
}

}  // namespace detail_data_counted_by_test
