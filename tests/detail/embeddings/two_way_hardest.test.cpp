// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/embeddings/two_way_hardest.hpp>

#include "support/two_way_checks.hpp"

#include <rankloss/triplet.hpp>

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace detail_embeddings_two_way_hardest_test {

using rankloss::reduction;
using rankloss::similarity;
using rankloss::triplet;
using support::two_way_shape;

TEMPLATE_TEST_CASE("two_way_hardest: the hardest negatives of rows and columns, counted, the first of them",
                   "", float, double) {
  using T = TestType;
  for (const std::size_t n : {1u, 2u, 16u, 17u, 300u, 600u})
    for (const std::size_t columns : {n, n + 1, 2 * n + 5}) {
      INFO(n << " rows, " << columns << " columns");
      const std::size_t d = 3;
      std::mt19937_64 random(n);
      std::vector<T> x(n * d), y(columns * d);
      // Whole numbers: many ties, no rounding.
      for (T& v : x) v = static_cast<T>(random() % 5) - T(2);
      for (T& v : y) v = static_cast<T>(random() % 5) - T(2);
      rankloss::context ctx;
      const rankloss::detail::two_way_hardest<xsimd::default_arch, T> hardest({x.data(), n, d, d},
                                                                              {y.data(), columns, d, d}, ctx);
      const auto product = [&](std::size_t i, std::size_t j) {
        T sum = 0;
        for (std::size_t k = 0; k < d; ++k) sum += x[i * d + k] * y[j * d + k];
        return sum;
      };
      bool right = true;
      const auto check = [&](const auto& line, std::size_t own, std::size_t others, auto&& at) {
        T top = std::numeric_limits<T>::lowest();
        std::uint32_t index = 0, count = 0;
        for (std::size_t k = 0; k < others; ++k) {
          if (k == own) continue;
          if (at(k) > top) {
            top = at(k);
            index = static_cast<std::uint32_t>(k);
            count = 0;
          }
          count += at(k) == top ? 1u : 0u;
        }
        right = right && line.top == top && line.count == count && (count == 0 || line.index == index);
      };
      for (std::size_t i = 0; i < n; ++i)
        check(hardest.rows()[i], i, columns, [&](std::size_t j) { return product(i, j); });
      CHECK(right);
      for (std::size_t j = 0; j < columns; ++j)
        check(hardest.columns()[j], j, n, [&](std::size_t i) { return product(i, j); });
      CHECK(right);
      CHECK(hardest.matches() == n);
      for (std::size_t i = 0; i < n; ++i)
        right = right && hardest.match(i) == static_cast<double>(product(i, i));
      CHECK(right);
    }
}

TEMPLATE_TEST_CASE("two_way_hardest: triplet is that of one direction after the other", "", float, double) {
  const double bound = sizeof(TestType) == 4 ? 2e-6 : 1e-14;
  for (const std::size_t n : {1u, 2u, 15u, 16u, 17u, 255u, 256u, 257u, 511u, 512u, 513u, 600u})
    for (const double margin : {0.0, 0.2, 2.0}) {
      INFO("margin " << margin);
      support::two_ways_agree<TestType>(triplet{.margin = margin}, {.rows = n, .columns = n}, bound);
    }
}

TEMPLATE_TEST_CASE("two_way_hardest: extra columns, weights, reductions and ties", "", float, double) {
  const double bound = sizeof(TestType) == 4 ? 2e-6 : 1e-14;
  for (const reduction how : {reduction::mean, reduction::sum, reduction::mean_of_relevant})
    for (const two_way_shape& shape :
         {two_way_shape{.rows = 1, .columns = 4},
          {.rows = 3, .columns = 20, .duplicates = true},
          {.rows = 257, .columns = 257, .duplicates = true, .weights = true},
          {.rows = 300, .columns = 613, .weights = true},
          {.rows = 300, .columns = 613, .size = 0.0},
          {.rows = 257, .columns = 513, .dimension = 1, .constants = 300},
          {.rows = 16, .columns = 600, .constants = 590},
          {.rows = 40, .columns = 300, .size = 1e3, .weights = true, .similarity = similarity::dot}}) {
      two_way_shape own = shape;
      own.reduction = how;
      support::two_ways_agree<TestType>(triplet{.margin = 0.3}, own, bound);
    }
}

TEMPLATE_TEST_CASE("two_way_hardest: the same bits on any number of threads, whatever is asked", "", float,
                   double) {
  for (const std::size_t n : {1u, 17u, 257u, 600u, 1100u}) {
    support::two_way_has_its_bits<TestType>(triplet{}, {.rows = n, .columns = n});
    support::two_way_has_its_bits<TestType>(triplet{}, {.rows = n, .columns = n + 100, .weights = true});
  }
}

TEMPLATE_TEST_CASE("two_way_hardest: finite at the ends of components", "", float, double) {
  using T = TestType;
  const double most = std::sqrt(static_cast<double>(std::numeric_limits<T>::max()) / 8);
  for (const double size : {0.0, 1e-30, most / 8})
    for (const double margin : {0.0, 1e300}) {
      const support::two_way_data<T> data(
          {.rows = 20, .columns = 30, .dimension = 4, .size = size, .similarity = similarity::dot});
      for (const bool one_after_the_other : {false, true}) {
        const auto found = support::two_way(triplet{.margin = margin}, data, one_after_the_other);
        bool finite = std::isfinite(found.value);
        for (const double v : found.per_list) finite = finite && std::isfinite(v);
        for (const T v : found.x) finite = finite && std::isfinite(v);
        for (const T v : found.y) finite = finite && std::isfinite(v);
        INFO("components of " << size << ", margin " << margin << ": " << found.value);
        CHECK(finite);
      }
    }
}

}  // namespace detail_embeddings_two_way_hardest_test
