// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/simd/scan_both_ways.hpp>

#include <catch2/catch.hpp>

#include <cstddef>
#include <vector>

namespace detail_simd_scan_both_ways_test {

namespace {

/// A step that depends on all before it, and notes which were taken.
struct chain {
  std::vector<std::size_t>* taken;
  unsigned state = 1;
  unsigned step(std::size_t k) {
    taken->push_back(k);
    return state = 31 * state + static_cast<unsigned>(k);
  }
};

TEST_CASE("scan_both_ways: each item once, with what the scan from above and that from below are there") {
  for (std::size_t n = 0; n <= 9; ++n) {
    INFO("n " << n);
    std::vector<std::size_t> down, up, ignored, items;
    std::vector<unsigned> expected_above(n), expected_below(n);
    chain above{&ignored}, below{&ignored};
    for (std::size_t k = 0; k < n; ++k) {
      expected_above[k] = above.step(k);
      expected_below[n - 1 - k] = below.step(n - 1 - k);
      items.push_back(k);
    }
    std::vector<unsigned> waiting(n), from_above(n), from_below(n), count(n, 0);
    rankloss::detail::scan_both_ways(n, chain{&down}, chain{&up}, waiting.data(),
                                     [&](std::size_t k, unsigned a, unsigned b) {
                                       from_above[k] = a;
                                       from_below[k] = b;
                                       ++count[k];
                                     });
    CHECK(from_above == expected_above);
    CHECK(from_below == expected_below);
    CHECK(count == std::vector<unsigned>(n, 1));
    CHECK(down == items);
    CHECK(up == std::vector<std::size_t>(items.rbegin(), items.rend()));
  }
}

}  // namespace

}  // namespace detail_simd_scan_both_ways_test
