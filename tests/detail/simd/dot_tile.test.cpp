// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/simd/dot_tile.hpp>

#include <rankloss/workspace.hpp>

#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <span>
#include <vector>

namespace detail_simd_dot_tile_test {

namespace {

namespace detail = rankloss::detail;

}  // namespace

TEMPLATE_TEST_CASE("dot_tile: each caption's dot product with each text of the panel", "", float, double) {
  using T = TestType;
  using tile = detail::dot_tile<T, xsimd::default_arch>;
  std::mt19937_64 random(3);
  for (const std::size_t dimension : {1u, 2u, 3u, 17u, 64u}) {
    const std::vector<T> captions = support::numbers<T>(random, tile::captions * dimension);
    const std::vector<T> texts = support::numbers<T>(random, tile::width * dimension);
    // Aligned as scratch is.
    rankloss::workspace scratch;
    const std::span<T> panel = scratch.take<T>(tile::width * dimension);
    const std::span<T> dots = scratch.take<T>(tile::captions * tile::width);
    for (std::size_t t = 0; t < tile::width; ++t)
      for (std::size_t k = 0; k < dimension; ++k) panel[k * tile::width + t] = texts[t * dimension + k];
    tile::run(captions.data(), dimension, panel.data(), dots.data());
    for (std::size_t c = 0; c < tile::captions; ++c)
      for (std::size_t t = 0; t < tile::width; ++t) {
        long double sum = 0, size = 0;
        for (std::size_t k = 0; k < dimension; ++k) {
          const long double product =
              static_cast<long double>(captions[c * dimension + k]) * texts[t * dimension + k];
          sum += product;
          size += std::abs(product);
        }
        const auto rounding = static_cast<double>(size) *
                              static_cast<double>(std::numeric_limits<T>::epsilon()) *
                              static_cast<double>(dimension);
        CHECK(std::abs(static_cast<double>(dots[c * tile::width + t]) - static_cast<double>(sum)) <=
              rounding);
      }
  }
}

TEMPLATE_TEST_CASE("normalise: a vector of any length has length 1, a zero vector stays zero", "", float,
                   double) {
  using T = TestType;
  constexpr T largest = std::numeric_limits<T>::max();
  constexpr T least = std::numeric_limits<T>::min();
  std::array<T, 6> to{};
  for (const T unit : {T(1), least, largest / T(8)}) {
    to.fill(T(7));
    const std::array<T, 3> x{T(2) * unit, T(-3) * unit, T(6) * unit};
    detail::normalise(x.data(), 3, to.data(), 2);
    CHECK(static_cast<double>(to[0]) == Approx(2.0 / 7));
    CHECK(static_cast<double>(to[2]) == Approx(-3.0 / 7));
    CHECK(static_cast<double>(to[4]) == Approx(6.0 / 7));
    // What lies between the steps is another vector's.
    CHECK(to[1] == T(7));
    CHECK(to[3] == T(7));
  }
  const std::array<T, 3> zero{};
  detail::normalise(zero.data(), 3, to.data(), 1);
  for (std::size_t k = 0; k < 3; ++k) CHECK(to[k] == T(0));
}

}  // namespace detail_simd_dot_tile_test
