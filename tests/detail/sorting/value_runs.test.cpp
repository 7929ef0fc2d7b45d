// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/sorting/value_runs.hpp>

#include <rankloss/workspace.hpp>

#include "support/gains_reference.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <functional>
#include <map>
#include <random>
#include <span>
#include <tuple>
#include <vector>

namespace detail_sorting_value_runs_test {

using gains_reference::draw;
using gains_reference::kinds_of_gains;

TEMPLATE_TEST_CASE("value_runs: runs are those of a plain count", "", float, double) {
  std::mt19937_64 random(1);
  rankloss::workspace scratch;
  for (const std::vector<TestType>& from : kinds_of_gains<TestType>())
    for (const std::size_t n : {0u, 1u, 2u, 3u, 15u, 16u, 255u, 256u, 1000u, 5000u}) {
      const std::vector<TestType> gains = draw(random, n, from);
      std::map<double, std::size_t, std::greater<>> counts;
      for (const TestType g : gains) ++counts[static_cast<double>(g)];
      std::vector<std::tuple<double, std::size_t, std::size_t>> expected, found;
      std::size_t begin = 0;
      for (const auto& [gain, count] : counts) {
        expected.emplace_back(gain, begin, begin + count);
        begin += count;
      }
      rankloss::detail::runs_of_equals(std::span<const TestType>(gains), scratch,
                                       [&](double gain, std::size_t from_here, std::size_t to) {
                                         found.emplace_back(gain, from_here, to);
                                       });
      INFO("n " << n);
      CHECK(found == expected);
    }
}

TEST_CASE("value_runs: counting takes no more memory than there are items") {
  // Keys that differ in 16 bits: 2^16 counts for a list of 100 would be felt.
  std::mt19937_64 random(2);
  std::vector<float> gains(100);
  for (float& g : gains) g = 1.0F + std::ldexp(static_cast<float>(random() % 0x10000), -23);
  rankloss::workspace scratch;
  rankloss::detail::runs_of_equals(std::span<const float>(gains), scratch,
                                   [](double, std::size_t, std::size_t) {});
  CHECK(scratch.capacity() <= 0x10000);
}

}  // namespace detail_sorting_value_runs_test
