// SPDX-License-Identifier: BSL-1.0
#include <rankloss/matrix_view.hpp>

#include <catch2/catch.hpp>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <type_traits>

namespace matrix_view_test {

using rankloss::matrix_shape;
using rankloss::matrix_view;

TEST_CASE("matrix_view: a pointer, rows, columns and strides of any integer type") {
  float memory[12] = {};
  const matrix_view view(memory, std::int64_t{3}, 4u, 1L, short{3});
  CHECK(std::is_same_v<decltype(view), const matrix_view<float>>);
  CHECK(view.data() == memory);
  CHECK(view.rows() == 3);
  CHECK(view.columns() == 4);
  CHECK(view.row_stride() == 1);
  CHECK(view.column_stride() == 3);
  const matrix_view<const float> constant = view;
  CHECK(constant.data() == memory);
  CHECK(constant.column_stride() == 3);
  const matrix_view rows(memory, 3, 4);
  CHECK(rows.row_stride() == 4);
  CHECK(rows.column_stride() == 1);
  CHECK(matrix_view<float>().rows() == 0);
}

TEST_CASE("matrix_view: a stride that leads nowhere has no meaning") {
  float memory[4] = {};
  CHECK(matrix_view(memory, 1, 4, -7, 1).row_stride() == 0);
  CHECK(matrix_view(memory, 4, 1, 1, -7).column_stride() == 0);
  CHECK(matrix_view(memory, 0, 0, -1, -1).columns() == 0);
}

TEST_CASE("matrix_view: negative numbers are refused by name") {
  float memory[4] = {};
  CHECK_THROWS_AS(matrix_view(memory, -1, 2), std::invalid_argument);
  CHECK_THROWS_WITH(matrix_view(memory, -1, 2), Catch::Contains("rows: -1 of a matrix, expected 0 or more"));
  CHECK_THROWS_WITH(matrix_view(memory, 1, -2), Catch::Contains("columns: -2 of a matrix"));
  CHECK_THROWS_WITH(matrix_view(memory, 2, 2, -2, 1), Catch::Contains("row stride: -2 of a matrix"));
  CHECK_THROWS_WITH(matrix_view(memory, 2, 2, 2, -1), Catch::Contains("column stride: -1 of a matrix"));
}

TEST_CASE("matrix_view: the shape says how far the memory reaches and how the items lie") {
  CHECK(matrix_shape{3, 4, 4, 1}.extent() == 12);
  CHECK(matrix_shape{3, 4, 1, 3}.extent() == 12);
  CHECK(matrix_shape{3, 4, 10, 2}.extent() == 27);
  CHECK(matrix_shape{3, 0, 10, 2}.extent() == 0);
  CHECK(matrix_shape{0, 3, 10, 2}.extent() == 0);
  CHECK(matrix_shape{1, 1, 10, 2}.extent() == 1);
  CHECK(matrix_shape{3, 4, 4, 1}.lies_in_rows(4));
  CHECK(!matrix_shape{3, 4, 5, 1}.lies_in_rows(4));
  CHECK(matrix_shape{3, 4, 5, 1}.lies_in_rows(5));
  CHECK(!matrix_shape{3, 4, 4, 2}.lies_in_rows(4));
  CHECK(matrix_shape{1, 4, 9, 1}.lies_in_rows(4));
  CHECK(matrix_shape{3, 1, 1, 9}.lies_in_rows(1));
  CHECK(matrix_shape{0, 4, 9, 9}.lies_in_rows(4));
  const matrix_shape turned = matrix_shape{3, 4, 10, 2}.transposed();
  CHECK(turned.rows == 4);
  CHECK(turned.columns == 3);
  CHECK(turned.row_stride == 2);
  CHECK(turned.column_stride == 10);
}

TEST_CASE("matrix_view: items are distinct where none of two lines share one") {
  CHECK(matrix_shape{3, 4, 4, 1}.has_distinct_elements());
  CHECK(matrix_shape{3, 4, 1, 3}.has_distinct_elements());
  CHECK(matrix_shape{3, 4, 7, 2}.has_distinct_elements());
  CHECK(!matrix_shape{3, 4, 6, 2}.has_distinct_elements());
  CHECK(!matrix_shape{3, 4, 3, 1}.has_distinct_elements());
  CHECK(!matrix_shape{3, 4, 1, 2}.has_distinct_elements());
  CHECK(!matrix_shape{3, 4, 0, 1}.has_distinct_elements());
  CHECK(!matrix_shape{3, 4, 1, 0}.has_distinct_elements());
  CHECK(!matrix_shape{2, 2, 1, 1}.has_distinct_elements());
  CHECK(!matrix_shape{1, 4, 1, 0}.has_distinct_elements());
  CHECK(matrix_shape{1, 4, 0, 1}.has_distinct_elements());
  CHECK(matrix_shape{4, 1, 1, 0}.has_distinct_elements());
  CHECK(!matrix_shape{4, 1, 0, 1}.has_distinct_elements());
  CHECK(matrix_shape{1, 1, 0, 0}.has_distinct_elements());
  CHECK(matrix_shape{0, 4, 0, 0}.has_distinct_elements());
}

}  // namespace matrix_view_test
