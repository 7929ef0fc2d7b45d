// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/orders/level_order.hpp>

#include <rankloss/workspace.hpp>

#include <catch2/catch.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace detail_orders_level_order_test {

namespace {

namespace detail = rankloss::detail;
using items = std::vector<std::uint32_t>;
using detail::standing;

constexpr std::uint32_t none = 0xffffffffu;

struct sorted_levels {
  items sorted, levels;
};

sorted_levels sort(const std::vector<standing>& items_stand) {
  rankloss::workspace scratch;
  sorted_levels found{items(items_stand.size()), items(items_stand.size())};
  const std::size_t ranked = detail::sort_into_levels(
      items_stand.size(), [&](std::size_t i) { return items_stand[i]; }, found.sorted.data(),
      found.levels.data(), none, scratch);
  found.sorted.resize(ranked);
  return found;
}

}  // namespace

TEST_CASE("level_order: level after level, equal values as they come, then the last, without those of none") {
  const sorted_levels found = sort({{standing::by_value, 1.5},
                                    {standing::last, 0},
                                    {standing::by_value, -2},
                                    {standing::none, 0},
                                    {standing::by_value, 1.5},
                                    {standing::last, 9},
                                    {standing::by_value, 300}});
  CHECK(found.sorted == items{6, 0, 4, 2, 1, 5});
  CHECK(found.levels == items{1, 3, 2, none, 1, 3, 0});
  CHECK(detail::level_starts(found.levels, found.sorted) == std::vector<std::size_t>{0, 1, 3, 4, 6});
}

TEST_CASE("level_order: nothing, only last ones, only ones of no level") {
  CHECK(sort({}).sorted.empty());
  const sorted_levels last = sort({{standing::last, 0}, {standing::last, 0}});
  CHECK(last.sorted == items{0, 1});
  CHECK(last.levels == items{0, 0});
  const sorted_levels unranked = sort({{standing::none, 0}, {standing::none, 0}});
  CHECK(unranked.sorted.empty());
  CHECK(unranked.levels == items{none, none});
  CHECK(detail::level_starts(unranked.levels, unranked.sorted) == std::vector<std::size_t>{0});
}

}  // namespace detail_orders_level_order_test
