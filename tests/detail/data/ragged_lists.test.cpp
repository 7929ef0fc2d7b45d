// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/data/ragged_lists.hpp>

#include <rankloss/threads.hpp>

#include <catch2/catch.hpp>

#include <cstddef>
#include <vector>

namespace detail_data_ragged_lists_test {

namespace detail = rankloss::detail;

TEST_CASE("ragged_lists: without offsets there is one list, and every list is gone through once") {
  const rankloss::indices none;
  const detail::ragged_lists whole(none, 5);
  CHECK(whole.count() == 1);
  CHECK(whole.first(0) == 0);
  CHECK(whole.first(1) == 5);
  CHECK(whole.size(0) == 5);

  std::vector<int> bounds{0};
  for (int l = 0; l < 150; ++l) bounds.push_back(bounds.back() + l % 3);
  const rankloss::indices offsets(bounds);
  const detail::ragged_lists lists(offsets, static_cast<std::size_t>(bounds.back()));
  REQUIRE(lists.count() == 150);
  CHECK(lists.first(2) == 1);
  CHECK(lists.first(150) == lists.items());
  CHECK(lists.size(2) == 2);
  CHECK(lists.size(3) == 0);
  rankloss::context context{rankloss::threads(3)};
  std::vector<int> visits(150, 0);
  lists.run(context, [&](std::size_t, std::size_t l) { ++visits[l]; });
  CHECK(visits == std::vector<int>(150, 1));
}

TEST_CASE("ragged_lists: what is wrong with offsets is named") {
  const auto check = [](const std::vector<int>& offsets) {
    return detail::checked_lists(offsets, 4, "steps").count();
  };
  CHECK(check({0, 1, 1, 4}) == 3);
  CHECK(check({}) == 1);
  CHECK_THROWS_WITH(check({1, 4}), "rankloss: offsets: first is 1, expected 0");
  CHECK_THROWS_WITH(check({0, 3, 2, 4}), "rankloss: offsets: 2 at 2 after 3, expected them to rise");
  CHECK_THROWS_WITH(check({0, 3}), "rankloss: offsets: last is 3, expected 4 (the number of steps)");
  const std::vector<int> open{0, 3};
  CHECK_THROWS_WITH(detail::checked_lists(open, 4, "items", "chain_offsets"),
                    "rankloss: chain_offsets: last is 3, expected 4 (the number of items)");
}

}  // namespace detail_data_ragged_lists_test
