// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/draws/order_chances.hpp>

#include <rankloss/workspace.hpp>

#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>
#include <span>
#include <vector>

namespace detail_draws_order_chances_test {

namespace {

namespace detail = rankloss::detail;
using numbers = std::vector<double>;

}  // namespace

TEMPLATE_TEST_CASE("order_chances: the way of near scores is that of scores however far apart", "", float,
                   double) {
  using T = TestType;
  using arch = xsimd::default_arch;
  std::mt19937_64 random(5);
  rankloss::workspace scratch;
  for (const std::size_t n : {1u, 2u, 7u, 8u, 9u, 31u, 511u, 512u, 513u, 1029u, 5000u})
    for (const double spread : {0.0, 1.0, 31.9}) {
      std::vector<T> s = support::numbers<T>(random, n);
      for (T& x : s) x *= static_cast<T>(spread);
      std::vector<std::uint32_t> order(n);
      std::iota(order.begin(), order.end(), 0u);
      std::shuffle(order.begin(), order.end(), random);
      const T most = *std::max_element(s.begin(), s.end());
      for (const std::size_t cutoff :
           {std::size_t{0}, std::size_t{1}, std::size_t{3}, std::size_t{8}, std::size_t{513}, n - 1}) {
        REQUIRE(detail::near_enough(static_cast<T>(-spread), static_cast<T>(spread), 0.999));
        numbers g, expected(n);
        const auto into = [](numbers& to) { return [&to](std::size_t i, double slope) { to[i] = slope; }; };
        const detail::order_wants all{0.999, cutoff, true, true, 1.5, -0.25};
        const auto plain = detail::along_order_apart<xsimd::default_arch>(
            rankloss::strided<const T>(std::span<const T>(s)), std::span<const std::uint32_t>(order), all,
            into(expected), scratch);
        const double size = std::max(1.0, std::abs(plain.log_probability));
        const auto near = [&](const detail::order_wants& want) {
          g.assign(n, 7.0);
          return detail::along_order_near<arch>(std::span<const T>(s), std::span<const std::uint32_t>(order),
                                                most, want, into(g), scratch);
        };
        const auto found = near(all);
        CHECK(std::abs(found.log_probability - plain.log_probability) <= 1e-13 * size);
        CHECK(std::abs(found.entropy - plain.entropy) <= 1e-13 * std::max(1.0, plain.entropy));
        double largest = 1.0, gap = 0.0;
        for (const double x : expected) largest = std::max(largest, std::abs(x));
        for (std::size_t i = 0; i < n; ++i) gap = std::max(gap, std::abs(g[i] - expected[i]));
        CHECK(gap <= 1e-12 * largest);
        // What is not wanted is not written, and changes no bit of what is.
        CHECK(near({0.999, cutoff, false, true, 1.5, -0.25}).entropy == found.entropy);
        CHECK(g == numbers(n, 7.0));
        CHECK(near({0.999, cutoff, false, false, 1.5, 0.0}).log_probability == found.log_probability);
        CHECK(near({0.999, cutoff, true, false, 1.5, 0.0}).log_probability == found.log_probability);
        const numbers without = g;
        near({0.999, cutoff, true, true, 1.5, 0.0});
        CHECK(g == without);
      }
    }
  CHECK_FALSE(detail::near_enough(T(-32), T(33), 1.0));
  CHECK_FALSE(detail::near_enough(-std::numeric_limits<T>::infinity(), T(33), 1e300));
  CHECK(detail::near_enough(-std::numeric_limits<T>::max(), std::numeric_limits<T>::max(), 1e300) ==
        (sizeof(T) == 4));
}

TEST_CASE("order_chances: an empty list has no choice, and one item is no choice") {
  rankloss::workspace scratch;
  const detail::order_wants want{1.0, 0, true, true, 1.0, 1.0};
  const auto never = [](std::size_t, double) { FAIL("nothing is to be written"); };
  const detail::order_chances none = detail::along_order<xsimd::default_arch>(
      std::span<const double>{}, std::span<const std::uint32_t>{}, want, never, scratch);
  CHECK(none.log_probability == 0.0);
  CHECK(none.entropy == 0.0);

  const numbers s{3.0};
  const std::vector<std::uint32_t> order{0};
  double slope = 7.0;
  const detail::order_chances sure = detail::along_order<xsimd::default_arch>(
      std::span<const double>(s), order, want, [&](std::size_t, double x) { slope = x; }, scratch);
  CHECK(sure.log_probability == 0.0);
  CHECK(sure.entropy == 0.0);
  CHECK(slope == 0.0);
}

}  // namespace detail_draws_order_chances_test
