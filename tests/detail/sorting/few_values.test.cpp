// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/sorting/few_values.hpp>

#include <catch2/catch.hpp>

#include <cstddef>
#include <functional>
#include <limits>
#include <map>
#include <random>
#include <span>
#include <vector>

namespace detail_sorting_few_values_test {

TEMPLATE_TEST_CASE("few_values: different values and their numbers, or none where they are more", "", float,
                   double) {
  using rankloss::detail::few_values;
  constexpr TestType most = std::numeric_limits<TestType>::max();
  std::mt19937_64 random(3);
  for (const std::size_t distinct : {1u, 2u, 7u, 8u, 9u, 30u})
    for (const std::size_t n : {1u, 7u, 31u, 32u, 33u, 64u, 100u, 511u, 65536u, 65537u}) {
      // From the greatest number down to the lowest, so that padding of a row would be found among them.
      std::vector<TestType> values(n);
      for (TestType& x : values) {
        const auto kind = random() % distinct;
        x = kind == 0 ? most : kind == 1 ? -most : static_cast<TestType>(kind) / TestType(3) - TestType(1.5);
      }
      std::map<TestType, std::size_t, std::greater<>> counts;
      for (const TestType x : values) ++counts[x];
      const few_values<TestType> few{std::span<const TestType>(values)};
      INFO(distinct << " different values, n " << n);
      REQUIRE(few.apply() ==
              (counts.size() <= few_values<TestType>::most && n <= few_values<TestType>::longest));
      if (!few.apply()) continue;
      REQUIRE(few.size() == counts.size());
      std::size_t k = 0;
      for (const auto& [value, count] : counts) {
        CHECK(few.value(k) == value);
        CHECK(few.count(k) == count);
        ++k;
      }
    }
}

}  // namespace detail_sorting_few_values_test
