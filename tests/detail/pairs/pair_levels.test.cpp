// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/pairs/pair_levels.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <random>
#include <span>
#include <vector>

namespace detail_pairs_pair_levels_test {

using rankloss::list;
using rankloss::workspace;
using rankloss::detail::pair_levels;
using rankloss::detail::pairs_of_levels;

namespace {

template <bool Binary>
void check(const std::vector<double>& relevance) {
  CAPTURE(Binary, relevance);
  const std::size_t n = relevance.size();
  workspace scratch;
  const workspace::scope scope(scratch);
  const std::vector<double> scores(n);
  const list<double, double> items{{scores.data(), n}, {relevance.data(), n}};
  std::vector<double> levels(n);
  for (std::size_t i = 0; i < n; ++i) {
    levels[i] = Binary ? (relevance[i] > 0.0 ? 1.0 : 0.0) : relevance[i];
    CHECK(pair_levels<Binary>::of(items, i) == levels[i]);
  }
  std::vector<std::uint32_t> expected(n), numbers(n);
  std::iota(expected.begin(), expected.end(), 0u);
  std::stable_sort(expected.begin(), expected.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return levels[a] > levels[b]; });
  const auto order = pair_levels<Binary>::order_items(items, scratch);
  CHECK(std::vector<std::uint32_t>(order.begin(), order.end()) == expected);

  std::vector<double> distinct = levels;
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  const std::uint32_t count = pair_levels<Binary>::number_levels(items, numbers, scratch);
  REQUIRE(count == distinct.size());
  for (std::size_t i = 0; i < n; ++i) CHECK(distinct[numbers[i]] == levels[i]);

  for (std::size_t k = 0; k <= n; ++k) {
    double pairs = 0.0;
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = i + 1; j < n; ++j) pairs += i < k && numbers[i] != numbers[j] ? 1.0 : 0.0;
    CHECK(pairs_of_levels(numbers, k, count, scratch) == pairs);
  }
}

}  // namespace

TEST_CASE(
    "pair_levels: order, numbers and pairs, of small whole grades, of any other numbers and of relevant or not") {
  for (const std::vector<double>& relevance :
       {std::vector<double>{0, 3, 1, 3, 0, 63}, std::vector<double>{0, 3, 1, 64, 0, 3},
        std::vector<double>{0.5, -1, 0.5, 7, 1e300, 0}, std::vector<double>{2, 2, 2},
        std::vector<double>{0, 0}, std::vector<double>{-1, 0, -1}, std::vector<double>{5}}) {
    check<false>(relevance);
    check<true>(relevance);
  }
}

TEST_CASE("pair_levels: long lists, of several pieces, are numbered and counted like short ones") {
  const auto pairs_in = [](std::span<const std::uint32_t> numbers, std::size_t k, std::uint32_t count) {
    std::vector<double> seen(count, 0.0);
    double pairs = 0.0;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      pairs += static_cast<double>(std::min(i, k)) - seen[numbers[i]];
      if (i < k) ++seen[numbers[i]];
    }
    return pairs;
  };
  constexpr std::size_t n = 40001;
  for (const double range : {2.0, 50.0, 1e9}) {
    std::mt19937_64 random(3);
    std::vector<double> relevance(n), distinct;
    for (double& y : relevance) y = std::floor(range * static_cast<double>(random() >> 11) * 0x1p-53);
    relevance[n - 1] = range == 50.0 ? 0.5 : relevance[n - 1];
    distinct = relevance;
    std::sort(distinct.begin(), distinct.end());
    distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
    workspace scratch;
    const workspace::scope scope(scratch);
    const list<double, double> items{{relevance.data(), n}, {relevance.data(), n}};
    std::vector<std::uint32_t> numbers(n);
    const std::uint32_t count = pair_levels<false>::number_levels(items, numbers, scratch);
    REQUIRE(count == distinct.size());
    bool right = true;
    for (std::size_t i = 0; i < n; ++i) right = right && distinct[numbers[i]] == relevance[i];
    CHECK(right);
    for (const std::size_t k : {std::size_t{0}, std::size_t{7}, std::size_t{20000}, n})
      CHECK(pairs_of_levels(numbers, k, count, scratch) == pairs_in(numbers, k, count));
    relevance[0] = 0.0;  // both levels, whatever was drawn
    relevance[1] = 1.0;
    REQUIRE(pair_levels<true>::number_levels(items, numbers, scratch) == 2);
    for (std::size_t i = 0; i < n; ++i) right = right && numbers[i] == (relevance[i] > 0.0 ? 1u : 0u);
    CHECK(right);
  }
}

}  // namespace detail_pairs_pair_levels_test
