// SPDX-License-Identifier: BSL-1.0

#include <rankloss/strided.hpp>

#include <catch2/catch.hpp>

#include <cstddef>
#include <span>
#include <type_traits>
#include <vector>

namespace strided_test {

using rankloss::strided;

TEST_CASE("strided: rows, columns and arrays that run backwards") {
  std::vector<float> matrix{0, 1, 2, 3, 4, 5};  // [2, 3]
  const strided<float> row(matrix.data() + 3, 3), column(matrix.data() + 1, 2, 3),
      back(matrix.data() + 5, 6, -1);
  REQUIRE(row.size() == 3);
  REQUIRE(column.size() == 2);
  CHECK(column.stride() == 3);
  for (std::size_t i = 0; i < 3; ++i) CHECK(row[i] == static_cast<float>(3 + i));
  CHECK(column[0] == 1.0f);
  CHECK(column[1] == 4.0f);
  for (std::size_t i = 0; i < 6; ++i) CHECK(back[i] == static_cast<float>(5 - i));
  column[1] = 9.0f;
  CHECK(matrix[4] == 9.0f);
}

TEST_CASE("strided: spans, views of const, and nothing") {
  std::vector<double> numbers{1, 2};
  const strided<double> all{std::span(numbers)};
  CHECK(all.stride() == 1);
  const strided<const double> read = all;
  CHECK(read.data() == numbers.data());
  CHECK(read.size() == 2);
  static_assert(!std::is_convertible_v<strided<const double>, strided<double>>);
  CHECK(strided<double>().empty());
  CHECK(strided<double>().data() == nullptr);
}

}  // namespace strided_test
