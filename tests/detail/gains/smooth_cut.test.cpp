// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/gains/smooth_cut.hpp>

#include <rankloss/detail/simd/lanes.hpp>

#include <catch2/catch.hpp>

#include <cstddef>

namespace detail_gains_smooth_cut_test {

namespace {

using rankloss::detail::smooth_cut;

TEST_CASE("smooth_cut is exact at whole ranks") {
  for (const std::size_t k : {1u, 2u, 5u})
    for (std::size_t r = 1; r <= 8; ++r) {
      CHECK(smooth_cut(static_cast<double>(r), k).value == (r <= k ? 1.0 : 0.0));
      CHECK(smooth_cut(static_cast<double>(r), k).slope == 0.0);
    }
  CHECK(smooth_cut(1e9, std::size_t{0}).value == 1.0);
  CHECK(smooth_cut(1e9, std::size_t{0}).slope == 0.0);
}

TEST_CASE("smooth_cut falls by a cubic from k to k + 1") {
  const std::size_t k = 3;
  CHECK(smooth_cut(3.5, k).value == 0.5);
  CHECK(smooth_cut(3.5, k).slope == -1.5);
  CHECK(smooth_cut(3.5, k).curvature == 0.0);
  CHECK(smooth_cut(3.25, k).value == 1.0 - 0.0625 * 2.5);
  CHECK(smooth_cut(3.25, k).curvature == -3.0);
  CHECK(smooth_cut(3.0, k).curvature == 0.0);
  CHECK(smooth_cut(4.0, k).curvature == 0.0);
  const double step = 0x1p-20;
  for (double r = 2.51; r < 4.5; r += 0.06) {
    const double slope = (smooth_cut(r + step, k).value - smooth_cut(r - step, k).value) / (2.0 * step);
    const double curvature = (smooth_cut(r + step, k).slope - smooth_cut(r - step, k).slope) / (2.0 * step);
    CHECK(smooth_cut(r, k).slope == Approx(slope).margin(2e-5));
    CHECK(smooth_cut(r, k).curvature == Approx(curvature).margin(2e-5));
    CHECK(smooth_cut(r, k).value >= smooth_cut(r + 0.06, k).value);
  }
}

TEST_CASE("smooth_cut of lanes is that of each rank") {
  using V = rankloss::detail::lanes<xsimd::default_arch>;
  alignas(64) double ranks[V::size];
  for (double from = 2.0; from < 5.0; from += 0.04) {
    for (std::size_t l = 0; l < V::size; ++l) ranks[l] = from + 0.01 * static_cast<double>(l);
    const auto cut = smooth_cut(V::load_aligned(ranks), 3.0);
    for (std::size_t l = 0; l < V::size; ++l) {
      const auto own = smooth_cut(ranks[l], std::size_t{3});
      CHECK(cut.value.get(l) == Approx(own.value).margin(1e-15));
      CHECK(cut.slope.get(l) == Approx(own.slope).margin(1e-15));
      CHECK(cut.curvature.get(l) == Approx(own.curvature).margin(1e-14));
    }
  }
}

}  // namespace

}  // namespace detail_gains_smooth_cut_test
