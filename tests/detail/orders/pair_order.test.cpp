// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/orders/pair_order.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

namespace detail_orders_pair_order_test {

namespace {

namespace detail = rankloss::detail;
using items = std::vector<std::uint32_t>;

/// What each item is better than, and nothing else.
struct graph {
  std::vector<items> below;
  [[nodiscard]] std::size_t size() const { return below.size(); }
  [[nodiscard]] std::span<const std::uint32_t> operator()(std::size_t i) const { return below[i]; }
};

/// Pairs from smaller to greater numbers, under other names: no cycle.
graph random_graph(std::mt19937_64& random, std::size_t n, double density) {
  items name(n);
  for (std::size_t i = 0; i < n; ++i) name[i] = static_cast<std::uint32_t>(i);
  std::shuffle(name.begin(), name.end(), random);
  graph g{std::vector<items>(n)};
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = i + 1; j < n; ++j)
      if (std::bernoulli_distribution(density)(random)) g.below[name[i]].push_back(name[j]);
  for (items& own : g.below) std::sort(own.begin(), own.end());
  return g;
}

/// Warshall's closure.
std::vector<std::vector<bool>> closure(const graph& g) {
  const std::size_t n = g.size();
  std::vector<std::vector<bool>> better(n, std::vector<bool>(n, false));
  for (std::size_t i = 0; i < n; ++i)
    for (const std::uint32_t j : g(i)) better[i][j] = true;
  for (std::size_t k = 0; k < n; ++k)
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j)
        if (better[i][k] && better[k][j]) better[i][j] = true;
  return better;
}

}  // namespace

TEST_CASE("pair_order: sorted, closed and reduced as the definitions say") {
  std::mt19937_64 random(11);
  for (const std::size_t n : {1u, 2u, 9u, 63u, 64u, 65u, 130u})
    for (const double density : {0.0, 0.05, 0.5}) {
      const graph g = random_graph(random, n, density);
      items sorted(n), waits, position(n);
      REQUIRE(detail::sort_by_pairs(n, g, sorted.data(), waits) == n);
      for (std::size_t k = 0; k < n; ++k) position[sorted[k]] = static_cast<std::uint32_t>(k);
      const auto better = closure(g);
      const detail::bit_rows below = detail::close_pairs(sorted, g);
      for (std::size_t i = 0; i < n; ++i) {
        items found, direct, all, fewest;
        below.for_each(i, [&](std::uint32_t j) { found.push_back(j); });
        detail::for_each_direct(g(i), position, below, [&](std::uint32_t j) { direct.push_back(j); });
        std::sort(direct.begin(), direct.end());
        for (std::uint32_t j = 0; j < n; ++j) {
          if (!better[i][j]) continue;
          CHECK(position[i] < position[j]);
          all.push_back(j);
          bool between = false;
          for (std::size_t k = 0; k < n; ++k) between = between || (better[i][k] && better[k][j]);
          if (!between) fewest.push_back(j);
        }
        CHECK(found == all);
        CHECK(direct == fewest);
      }
      for (std::uint32_t j = 0; j < n; ++j) CHECK(detail::leads_to(n, g, 0, j) == better[0][j]);
    }
}

TEST_CASE(
    "pair_order: a cycle keeps its items and those below from being sorted, and is named from its least item on") {
  const graph g{{{1}, {4}, {1, 5}, {2}, {3}, {}}};  // 0 > 1 > 4 > 3 > 2 > 1, 2 > 5
  items sorted(6), waits;
  CHECK(detail::sort_by_pairs(6, g, sorted.data(), waits) == 1);
  CHECK(sorted[0] == 0);
  CHECK(detail::find_cycle(6, g, waits) == items{1, 4, 3, 2});
}

}  // namespace detail_orders_pair_order_test
