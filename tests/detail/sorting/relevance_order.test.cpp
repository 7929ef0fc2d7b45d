// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/sorting/relevance_order.hpp>

#include <rankloss/workspace.hpp>

#include "support/listwise_reference.hpp"
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
#include <utility>
#include <vector>

namespace detail_sorting_relevance_order_test {

namespace {

using rankloss::strided;
using rankloss::workspace;
using rankloss::detail::order_by_relevance;
using reference::real;

using order_of_items = std::vector<std::uint32_t>;

order_of_items plain_order(const auto& y, order_of_items items) {
  std::stable_sort(items.begin(), items.end(), [&](std::uint32_t i, std::uint32_t j) {
    return static_cast<double>(y[i]) > static_cast<double>(y[j]);
  });
  return items;
}

/// Against a stable sort, in the order of the list and in a random one.
template <class R>
void check_order(std::mt19937_64& random, const std::vector<R>& y) {
  order_of_items items(y.size());
  std::iota(items.begin(), items.end(), 0u);
  const auto found = [&](const std::uint32_t* from) {
    workspace scratch;
    const std::span<const std::uint32_t> order = order_by_relevance(y.data(), y.size(), from, scratch);
    return order_of_items(order.begin(), order.end());
  };
  CHECK(found(nullptr) == plain_order(y, items));
  for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[random() % i]);
  CHECK(found(items.data()) == plain_order(y, items));
}

}  // namespace

TEMPLATE_TEST_CASE(
    "relevance_order: grades_from_top counts whole grades within 255 of each other, and nothing else", "",
    float, double, int, long) {
  using R = TestType;
  const auto grades = [](const std::vector<R>& y) {
    std::vector<std::uint8_t> from_top(y.size());
    rankloss::workspace scratch;
    const std::size_t count = rankloss::detail::grades_from_top(y.data(), y.size(), from_top.data(), scratch);
    return std::pair(count, std::vector<int>(from_top.begin(), from_top.end()));
  };
  CHECK(grades({2, 0, 4, 2}) == std::pair(std::size_t{5}, std::vector<int>{2, 4, 0, 2}));
  CHECK(grades({-3, -1}) == std::pair(std::size_t{3}, std::vector<int>{2, 0}));
  CHECK(grades({7}).first == 1);
  CHECK(grades({-100, 155}) == std::pair(std::size_t{256}, std::vector<int>{255, 0}));
  CHECK(grades({-100, 156}).first == 0);
  CHECK(grades({999999, 1000000}).first == 2);
  CHECK(grades({1000000, 1000001}).first == 0);
  CHECK(grades({-1000000, -999999}).first == 2);
  CHECK(grades({-1000001, -1000000}).first == 0);
  if constexpr (std::is_floating_point_v<R>) {
    CHECK(grades({1, R(1.5), 2}).first == 0);
    CHECK(grades({R(-0.0), 1}).first == 2);
    CHECK(grades({0, std::numeric_limits<R>::infinity()}).first == 0);
    CHECK(grades({-std::numeric_limits<R>::infinity(), 0}).first == 0);
  }
}

TEMPLATE_TEST_CASE("relevance_order: the greatest first, and ties in the order of the items", "", float,
                   double, int, std::int64_t, std::uint8_t) {
  using R = TestType;
  std::mt19937_64 random(1);
  for (const std::size_t n : {0u, 1u, 2u, 3u, 4u, 5u, 6u, 7u, 100u, 1001u}) {
    INFO("n " << n);
    if (n > 0) check_order(random, support::whole_numbers<R>(random, n, 1));
    if (n > 0) check_order(random, support::whole_numbers<R>(random, n, 5));
    if (n > 0) check_order(random, support::whole_numbers<R>(random, n, 256));
    if (n > 0 && sizeof(R) > 1) {
      std::vector<R> wide(n);
      for (R& y : wide) y = static_cast<R>(static_cast<int>(random() % 7) * 1000 - 3000);
      check_order(random, wide);
      if constexpr (std::is_floating_point_v<R>) check_order(random, support::numbers<R>(random, n));
    }
  }
}

TEST_CASE("relevance_order: integers that a double rounds together are ties, and one grade") {
  std::mt19937_64 random(2);
  const std::vector<std::int64_t> y{(std::int64_t{1} << 53) + 1, std::int64_t{1} << 53,
                                    (std::int64_t{1} << 53) + 2, 5, std::int64_t{1} << 53};
  check_order(random, y);
  const order_of_items order = plain_order(y, {0, 1, 2, 3, 4});
  std::vector<std::pair<std::size_t, std::size_t>> runs;
  rankloss::detail::for_each_level(
      y.data(), std::span(order), [&](std::size_t begin, std::size_t end) { runs.emplace_back(begin, end); });
  CHECK(runs == std::vector<std::pair<std::size_t, std::size_t>>{{0, 1}, {1, 4}, {4, 5}});
}

TEST_CASE("relevance_order: for_each_level of an empty order is nothing") {
  rankloss::detail::for_each_level(static_cast<const double*>(nullptr), {},
                                   [](std::size_t, std::size_t) { FAIL(); });
}

}  // namespace detail_sorting_relevance_order_test
