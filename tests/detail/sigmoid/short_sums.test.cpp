// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/sigmoid/short_sums.hpp>

#include <rankloss/workspace.hpp>

#include "support/reference.hpp"
#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <span>
#include <vector>

namespace detail_sigmoid_short_sums_test {

using arch = xsimd::default_arch;
using rankloss::strided;
using reference::real;

TEMPLATE_TEST_CASE("short_sums: ranks and pull are those of the plain form, and ties have equal bits", "",
                   float, double) {
  std::mt19937_64 random(1);
  for (std::size_t n = 1; n <= 33; ++n)
    for (const double temperature : {0.01, 1.0, 50.0}) {
      std::vector<TestType> memory(2 * n, TestType(77));  // every other item is one of the list
      const std::vector<TestType> s = support::whole_numbers<TestType>(random, n, static_cast<unsigned>(n));
      for (std::size_t i = 0; i < n; ++i) memory[2 * i] = s[i];
      const std::vector<double> a = support::numbers<double>(random, n);
      std::vector<double> ranks(n, 99.0), pull(n, 99.0);
      rankloss::workspace scratch;
      rankloss::detail::short_sums<arch, TestType> sums(strided<const TestType>(memory.data(), n, 2),
                                                        temperature, scratch);
      sums.ranks(ranks);
      sums.pull(a, pull);
      real scale = std::numeric_limits<float>::min(), worst = 0;
      constexpr double bound = sizeof(TestType) == 4 ? 1e-8 : 1e-14;
      INFO("items " << n << ", temperature " << temperature);
      for (std::size_t i = 0; i < n; ++i) {
        real rank = 1, expected = 0;
        for (std::size_t j = 0; j < n; ++j) {
          if (i == j) continue;
          const reference::sigmoid f((real(s[j]) - real(s[i])) / temperature);
          rank += f.value;
          expected += (real(a[j]) - real(a[i])) * f.slope;
          scale = std::max(scale, std::abs((real(a[j]) - real(a[i])) * f.slope));
          if (s[i] == s[j]) CHECK(ranks[i] == ranks[j]);
        }
        CHECK(std::abs(static_cast<double>((ranks[i] - rank) / rank)) <= bound);
        worst = std::max(worst, std::abs(pull[i] - expected));
      }
      CHECK(static_cast<double>(worst / scale) <= 4 * bound);
    }
}

TEMPLATE_TEST_CASE("short_sums: scores at the ends of the type have the ranks of their order", "", float,
                   double) {
  constexpr TestType most = std::numeric_limits<TestType>::max();
  const std::vector<TestType> s{-most, most, TestType{0}, most};
  const std::vector<double> a{1.0, 2.0, 3.0, 4.0};
  std::vector<double> ranks(4), pull(4);
  rankloss::workspace scratch;
  rankloss::detail::short_sums<arch, TestType> sums(strided<const TestType>(s.data(), s.size()), 0.5,
                                                    scratch);
  sums.ranks(ranks);
  sums.pull(a, pull);
  CHECK(ranks == std::vector<double>{4.0, 1.5, 3.0, 1.5});
  CHECK(pull == std::vector<double>{0.0, 0.5, 0.0, -0.5});
}

}  // namespace detail_sigmoid_short_sums_test
