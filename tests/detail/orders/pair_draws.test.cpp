// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/orders/pair_draws.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace detail_orders_pair_draws_test {

namespace {

namespace detail = rankloss::detail;

}  // namespace

TEST_CASE("pair_draws: as many numbers as are wanted, none twice, rising, each as likely as any other") {
  std::vector<double> times(7, 0.0);
  constexpr int draws = 20000;
  for (std::uint64_t seed = 0; seed < draws; ++seed) {
    const std::vector<std::uint64_t> drawn = detail::draw_numbers(7, 3, detail::drawing_bits(6, seed, 5));
    REQUIRE(drawn.size() == 3);
    REQUIRE(drawn[0] < drawn[1]);
    REQUIRE(drawn[1] < drawn[2]);
    REQUIRE(drawn[2] < 7);
    for (const std::uint64_t number : drawn) times[static_cast<std::size_t>(number)] += 1.0;
  }
  const double p = 3.0 / 7;
  for (const double count : times) CHECK(std::abs(count / draws - p) < 4.5 * std::sqrt(p * (1 - p) / draws));
  CHECK(detail::draw_numbers(3, 3, detail::drawing_bits(6, 1, 0)) == std::vector<std::uint64_t>{0, 1, 2});
  CHECK(detail::draw_numbers(3, 0, {}).empty());
}

TEST_CASE("pair_draws: stored pairs are drawn of one list of several, each once") {
  // A list that begins behind two pairs of others: 0 > 3, 0 > 4, 2 > 1.
  const std::vector<std::size_t> begin{2, 4, 4, 5};
  const std::vector<std::uint32_t> worse{8, 9, 3, 4, 1, 7};
  const std::set<std::pair<std::size_t, std::size_t>> stored{{0, 3}, {0, 4}, {2, 1}};
  std::set<std::pair<std::size_t, std::size_t>> met;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const std::vector<detail::item_pair> drawn = detail::draw_stored(begin, worse, 2, seed, 1);
    REQUIRE(drawn.size() == 2);
    CHECK(drawn[0] != drawn[1]);
    for (const detail::item_pair& pair : drawn) met.insert({pair.preferred, pair.other});
  }
  CHECK(met == stored);
}

TEST_CASE(
    "pair_draws: of levels each pair is one of a better and a worse item; by gap as many of each gap as there are") {
  const std::vector<std::uint32_t> sorted{5, 0, 1, 2, 3, 4};  // levels {5}, {0, 1, 2}, {3, 4}
  const std::vector<std::size_t> starts{0, 1, 4, 6};
  const std::map<std::size_t, int> level{{5, 0}, {0, 1}, {1, 1}, {2, 1}, {3, 2}, {4, 2}};
  std::set<std::pair<std::size_t, std::size_t>> met;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const auto plain = detail::draw_of_levels(sorted, starts, 11, 4, seed, 0);
    REQUIRE(plain.size() == 4);
    for (const detail::item_pair& pair : plain) {
      CHECK(level.at(pair.preferred) < level.at(pair.other));
      met.insert({pair.preferred, pair.other});
    }
    // Nine pairs are one level apart and two are two.
    for (const auto& [wanted, far] : {std::pair<std::size_t, int>{2, 1}, {4, 2}, {7, 2}}) {
      const auto balanced = detail::draw_by_level_gap(sorted, starts, wanted, seed, 0);
      REQUIRE(balanced.size() == wanted);
      std::set<std::pair<std::size_t, std::size_t>> once;
      int two_apart = 0;
      for (const detail::item_pair& pair : balanced) {
        const int gap = level.at(pair.other) - level.at(pair.preferred);
        CHECK(gap > 0);
        two_apart += gap == 2 ? 1 : 0;
        once.insert({pair.preferred, pair.other});
      }
      CHECK(once.size() == wanted);
      CHECK(two_apart == far);
    }
  }
  CHECK(met.size() == 11);
}

}  // namespace detail_orders_pair_draws_test
