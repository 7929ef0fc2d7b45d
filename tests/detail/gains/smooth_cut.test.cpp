// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/gains/smooth_cut.hpp>

#include <catch2/catch.hpp>

#include <cstddef>

namespace detail_gains_smooth_cut_test {

namespace {

using rankloss::detail::smooth_cut;

TEST_CASE("smooth_cut is exact at whole ranks") {
  for (const std::size_t k : {1u, 2u, 5u})
    for (std::size_t r = 1; r <= 8; ++r)
      for (const double width : {0.25, 1.0}) {
        CHECK(smooth_cut(static_cast<double>(r), k, width).value == (r <= k ? 1.0 : 0.0));
        CHECK(smooth_cut(static_cast<double>(r), k, width).slope == 0.0);
      }
  CHECK(smooth_cut(1e9, 0).value == 1.0);
  CHECK(smooth_cut(1e9, 0).slope == 0.0);
}

TEST_CASE("smooth_cut falls by a cubic from k to k + width") {
  CHECK(smooth_cut(3.5, 3).value == 0.5);
  CHECK(smooth_cut(3.5, 3).slope == -1.5);
  CHECK(smooth_cut(3.25, 3).value == 1.0 - 0.0625 * 2.5);
  CHECK(smooth_cut(4.0, 3, 2.0).value == 0.5);
  CHECK(smooth_cut(4.0, 3, 2.0).slope == -0.75);
  const double step = 0x1p-20;
  for (double r = 2.5; r < 6.5; r += 0.06)
    for (const double width : {0.5, 1.0, 3.0}) {
      const double difference =
          (smooth_cut(r + step, 3, width).value - smooth_cut(r - step, 3, width).value) / (2.0 * step);
      CHECK(smooth_cut(r, 3, width).slope == Approx(difference).margin(2e-5));
      CHECK(smooth_cut(r, 3, width).value >= smooth_cut(r + 0.06, 3, width).value);
    }
}

TEST_CASE("counted_by lets by as many as there are, or all") {
  CHECK(rankloss::detail::counted_by(0, 7) == 7);
  CHECK(rankloss::detail::counted_by(3, 7) == 3);
  CHECK(rankloss::detail::counted_by(7, 7) == 7);
  CHECK(rankloss::detail::counted_by(8, 7) == 7);
  CHECK(rankloss::detail::counted_by(8, 0) == 0);
}

}  // namespace

}  // namespace detail_gains_smooth_cut_test
