// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/simd/product_tile.hpp>

#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <vector>

namespace detail_simd_product_tile_test {

namespace {

namespace detail = rankloss::detail;

template <class T>
double worst_error(const std::vector<T>& found, const std::vector<long double>& wanted) {
  double worst = 0.0;
  for (std::size_t i = 0; i < found.size(); ++i)
    worst = std::max(worst, std::abs(static_cast<double>(static_cast<long double>(found[i]) - wanted[i])));
  return worst;
}

}  // namespace

TEMPLATE_TEST_CASE("add_product: any number of rows, of a matrix or of its transpose", "", float, double) {
  using T = TestType;
  using arch = xsimd::default_arch;
  constexpr std::size_t width = detail::product_tile<T, arch>::width;
  std::mt19937_64 random(1);
  for (const std::size_t rows : {1u, 2u, 3u, 4u, 5u, 6u, 7u, 13u})
    for (const std::size_t terms : {0u, 1u, 5u, 40u})
      for (const std::size_t columns : {width, 3 * width}) {
        const std::vector<T> left = support::numbers<T>(random, rows * terms);
        const std::vector<T> right = support::numbers<T>(random, (terms + 1) * (columns + 3));
        const std::vector<T> before = support::numbers<T>(random, rows * (columns + 1));
        std::vector<long double> product(rows * (columns + 1)), sum(before.begin(), before.end());
        for (std::size_t r = 0; r < rows; ++r)
          for (std::size_t c = 0; c <= columns; ++c) {
            const std::size_t at = r * (columns + 1) + c;
            if (c == columns) {  // beyond the last column nothing is written
              product[at] = before[at];
              continue;
            }
            for (std::size_t k = 0; k < terms; ++k)
              product[at] += static_cast<long double>(left[r * terms + k]) * right[k * (columns + 3) + c];
            sum[at] += product[at];
          }
        const double tolerance =
            static_cast<double>(std::numeric_limits<T>::epsilon()) * static_cast<double>(terms + 1);
        std::vector<T> out = before;
        detail::add_product<arch, false, T>(rows, {left.data(), terms}, terms, right.data(), columns + 3,
                                            columns, out.data(), columns + 1);
        CHECK(worst_error(out, product) <= tolerance);
        const std::vector<T> alone = out;
        out = before;
        detail::add_product<arch, true, T>(rows, {left.data(), terms}, terms, right.data(), columns + 3,
                                           columns, out.data(), columns + 1);
        CHECK(worst_error(out, sum) <= 2 * tolerance);

        std::vector<T> transposed(left.size() + rows);
        for (std::size_t r = 0; r < rows; ++r)
          for (std::size_t k = 0; k < terms; ++k) transposed[k * rows + r] = left[r * terms + k];
        out = before;
        detail::add_product<arch, false, T>(rows, {transposed.data(), 1, rows}, terms, right.data(),
                                            columns + 3, columns, out.data(), columns + 1);
        CHECK(out == alone);
      }
}

}  // namespace detail_simd_product_tile_test
