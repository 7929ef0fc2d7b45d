// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/orders/check_orders.hpp>

#include <rankloss/workspace.hpp>

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace detail_orders_check_orders_test {

namespace {

namespace detail = rankloss::detail;

}  // namespace

TEST_CASE("check_orders: an order has each item of its list once") {
  rankloss::workspace scratch;
  const std::vector<int> bounds{0, 3, 3, 5};
  const rankloss::indices offsets(bounds);
  const detail::ragged_lists lists(offsets, 5);
  const auto check = [&](const std::vector<int>& orders) { detail::check_orders(orders, lists, scratch); };
  CHECK_NOTHROW(check({2, 0, 1, 1, 0}));
  CHECK_THROWS_WITH(check({2, 0, 1, 1}), "rankloss: orders: size 4, expected 5 (one per score)");
  CHECK_THROWS_WITH(check({2, 0, 1, 1, 2}),
                    "rankloss: orders: 2 at list 2, position 1, expected an item from 0 to 1");
  CHECK_THROWS_WITH(check({2, -1, 1, 1, 0}),
                    "rankloss: orders: -1 at list 0, position 1, expected an item from 0 to 2");
  CHECK_THROWS_WITH(check({2, 0, 2, 1, 0}),
                    "rankloss: orders: 2 at list 0, position 2, expected each item once");
}

TEST_CASE("check_orders: factors are one per list and finite, scores are numbers") {
  const std::vector<double> two{1.0, -2.0}, infinite{1.0, HUGE_VAL}, unsound{1.0, std::nan("")};
  CHECK_NOTHROW(detail::check_upstream("upstream", {}, 2));
  CHECK_NOTHROW(detail::check_upstream("upstream", two, 2));
  CHECK_THROWS_WITH(detail::check_upstream("upstream", two, 3),
                    "rankloss: upstream: size 2, expected 3 (one per list)");
  CHECK_THROWS_WITH(detail::check_upstream("upstream", infinite, 2),
                    "rankloss: upstream: inf at list 1, expected a finite number");
  CHECK_NOTHROW(detail::check_policy_scores("scores", std::span<const double>(infinite)));
  CHECK_THROWS_WITH(detail::check_policy_scores("scores", std::span<const double>(unsound)),
                    "rankloss: scores: nan at item 1, expected a number");
}

}  // namespace detail_orders_check_orders_test
