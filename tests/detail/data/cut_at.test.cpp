// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/data/cut_at.hpp>

#include <catch2/catch.hpp>

namespace detail_data_cut_at_test {

TEST_CASE("cut_at keeps as many as there are, or all") {
  CHECK(rankloss::detail::cut_at(0, 7) == 7);
  CHECK(rankloss::detail::cut_at(3, 7) == 3);
  CHECK(rankloss::detail::cut_at(7, 7) == 7);
  CHECK(rankloss::detail::cut_at(8, 7) == 7);
  CHECK(rankloss::detail::cut_at(8, 0) == 0);
}

}  // namespace detail_data_cut_at_test
