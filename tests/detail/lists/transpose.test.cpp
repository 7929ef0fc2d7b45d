// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/lists/transpose.hpp>

#include <catch2/catch.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace detail_lists_transpose_test {

TEMPLATE_TEST_CASE("transpose: each number is at its place, and nothing else is written", "", std::uint8_t,
                   std::int16_t, float, std::int32_t, double, std::int64_t) {
  for (const std::size_t rows : {1u, 3u, 8u, 16u, 17u, 40u, 61u})
    for (const std::size_t lists : {1u, 4u, 5u, 8u, 13u, 16u, 63u, 64u, 70u}) {
      INFO(rows << " rows of " << lists);
      const std::size_t from_row = lists + 3, to_row = rows + 2;
      std::vector<TestType> from(rows * from_row), to(lists * to_row, TestType{111});
      for (std::size_t k = 0; k < from.size(); ++k) from[k] = static_cast<TestType>(k % 101);
      rankloss::detail::transpose(from.data(), from_row, rows, lists, to.data(), to_row);
      bool right = true;
      for (std::size_t l = 0; l < lists; ++l)
        for (std::size_t i = 0; i < to_row; ++i)
          right = right && to[l * to_row + i] == (i < rows ? from[i * from_row + l] : TestType{111});
      CHECK(right);
    }
}

}  // namespace detail_lists_transpose_test
