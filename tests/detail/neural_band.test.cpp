// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/neural_band.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

namespace {

using arch = xsimd::default_arch;
using rankloss::workspace;
using rankloss::detail::lane_count;
using rankloss::detail::lanes;
using rankloss::detail::neural_band;
constexpr std::size_t w = lane_count<arch>;

/// How far from the diagonal the walks of all rows and columns go.
template <class T>
std::size_t furthest(const neural_band<arch, T>& band) {
  std::ptrdiff_t most = 0;
  const auto note = [&](std::ptrdiff_t m, const lanes<arch>&, std::size_t) { most = std::max(most, m < 0 ? -m : m); };
  for (std::size_t i = 0; i < band.rows(); ++i) {
    band.walk_rows(i, note);
    band.walk_columns(i, note);
  }
  return static_cast<std::size_t>(most);
}

template <class T>
std::vector<T> falling(std::size_t n) {
  std::vector<T> x(n);
  for (std::size_t i = 0; i < n; ++i) x[i] = static_cast<T>(n - i);
  return x;
}

}  // namespace

TEMPLATE_TEST_CASE("neural_band: no walk goes beyond the width that arrays are made for", "", float, double) {
  using T = TestType;
  // Gaps of 1 at temperatures around m^2 / reach: the edge falls on an entry but for a rounding, and columns add their gaps up in another order.
  for (const std::size_t n : {16, 24, 200})
    for (const int m : {3, 4, 5, 7, 9, 14, 31})
      for (int ulp = -6; ulp <= 6; ++ulp) {
        double t = m * m / neural_band<arch, T>::reach;
        for (int k = 0; k < std::abs(ulp); ++k) t = std::nextafter(t, ulp < 0 ? 0.0 : 1e9);
        INFO("n " << n << ", m " << m << ", ulp " << ulp);
        workspace scratch;
        const std::vector<T> x = falling<T>(n);
        const neural_band<arch, T> alone(std::span<const T>(x), t, scratch);
        REQUIRE(furthest(alone) <= alone.width());

        std::vector<double, xsimd::aligned_allocator<double, 64>> rows(n * w);
        for (std::size_t i = 0; i < n; ++i)
          for (std::size_t l = 0; l < w; ++l) rows[i * w + l] = l == 0 ? static_cast<double>(x[i]) : -std::numeric_limits<double>::infinity();
        rankloss::detail::plain_rows<arch> group;
        group.rows.rows = n;
        group.x = rows;
        const neural_band<arch, T> one_lane(group, t, scratch);
        REQUIRE(furthest(one_lane) <= one_lane.width());
      }
}

TEST_CASE("neural_band: rows and columns are those of the logits") {
  const std::vector<double> x{3, 2.5, 2.5, 1, 0.2, -1, -1.5, -4, -4.1};
  const std::size_t n = x.size();
  const double t = 2.0;
  const auto logit = [&](std::size_t i, std::size_t j) {
    double distance = 0;
    for (const double s : x) distance += std::abs(x[j] - s);
    return ((static_cast<double>(n) - 1 - 2 * static_cast<double>(i)) * x[j] - distance) / t;
  };
  workspace scratch;
  const neural_band<arch, double> band(std::span<const double>(x), t, scratch);
  const auto check = [&](std::size_t row, bool by_rows) {
    const auto body = [&](std::ptrdiff_t m, const lanes<arch>& e, std::size_t) {
      alignas(64) double entries[w];
      e.store_aligned(entries);
      for (std::size_t l = 0; l < w; ++l) {
        const std::size_t here = l * band.rows() + row, there = here + static_cast<std::size_t>(m);
        if (here >= n || there >= n) continue;
        const std::size_t i = by_rows ? here : there, j = by_rows ? there : here;
        CHECK(entries[l] == Approx(std::exp(logit(i, j) - logit(i, i))).epsilon(1e-12).margin(1e-16));
      }
    };
    if (by_rows)
      band.walk_rows(row, body);
    else
      band.walk_columns(row, body);
  };
  for (std::size_t row = 0; row < band.rows(); ++row) {
    check(row, true);
    check(row, false);
  }
}
