// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/data/vector_rows.hpp>

#include <catch2/catch.hpp>

#include <bit>
#include <cstddef>
#include <limits>
#include <vector>

namespace detail_data_vector_rows_test {

namespace {

namespace detail = rankloss::detail;
using input = rankloss::shaped<rankloss::array_view<const double>>;

}  // namespace

TEST_CASE("vectors_of: plain arrays, and matrices with row strides") {
  const std::vector<double> memory(24);
  const input plain = memory;
  const input block = rankloss::matrix_view<const double>(memory.data(), 4, 3, 6, 1);
  CHECK(detail::dimension_of(3, plain) == 3);
  CHECK(detail::dimension_of(0, plain, block) == 3);
  CHECK_THROWS_WITH(detail::dimension_of(0, plain), "rankloss: dimension: 0, expected at least 1");
  CHECK(detail::vectors_of("x", plain, 3).count == 8);
  CHECK(detail::vectors_of("x", plain, 3).stride == 3);
  CHECK(detail::vectors_of("x", block, 3).count == 4);
  CHECK(detail::vectors_of("x", block, 3).stride == 6);
  CHECK_THROWS_WITH(detail::vectors_of("x", plain, 7),
                    "rankloss: x: size 24, expected whole vectors of dimension 7");
  CHECK_THROWS_WITH(detail::vectors_of("x", block, 2),
                    "rankloss: x: a matrix of 3 columns, expected 2 (the dimension)");
  const input across = rankloss::matrix_view<const double>(memory.data(), 4, 3, 1, 4);
  CHECK_THROWS_WITH(detail::vectors_of("x", across, 3),
                    "rankloss: x: a matrix with column stride 4, expected 1 (the components of a vector one "
                    "behind the other)");
  // A vector that is repeated may be read, but not written.
  std::vector<double> written(3);
  const input repeated = rankloss::matrix_view<const double>(written.data(), 4, 3, 0, 1);
  CHECK(detail::vectors_of("x", repeated, 3).stride == 0);
  const rankloss::shaped<rankloss::real_output> out =
      rankloss::matrix_view<double>(written.data(), 4, 3, 0, 1);
  CHECK_THROWS_WITH(detail::output_vectors("dx", out, 3, 4, "one per x"),
                    "rankloss: dx: a matrix with row stride 0, expected rows that do not overlap");
  CHECK_THROWS_WITH(detail::output_vectors("dx", written, 3, 4, "one per x"),
                    "rankloss: dx: 1 vectors, expected 4 (one per x)");
  CHECK(detail::output_vectors("dx", {}, 3, 4, "one per x").count == 0);
}

TEMPLATE_TEST_CASE("unit_length_of: vectors of any length", "", float, double) {
  for (const TestType unit : {TestType(1), std::numeric_limits<TestType>::denorm_min() * 4,
                              std::numeric_limits<TestType>::max() / 8}) {
    const std::vector<TestType> x{2 * unit, -3 * unit, 6 * unit};
    const detail::unit_length by = detail::unit_length_of(x.data(), 3);
    CHECK(by(static_cast<double>(x[1])) == Approx(-3.0 / 7).epsilon(1e-6));
    CHECK(std::bit_cast<TestType>(detail::largest_bits(x.data(), 3)) == 6 * unit);
  }
  const std::vector<TestType> zero(3);
  CHECK(detail::unit_length_of(zero.data(), 3).inverse == 0.0);
  const std::vector<TestType> infinite{1, std::numeric_limits<TestType>::infinity()};
  CHECK(detail::largest_bits(infinite.data(), 2) == detail::bits_of_infinity<TestType>);
  CHECK_THROWS_WITH(detail::refuse_vector("x", "vector", 5, infinite.data(), 2),
                    "rankloss: x: inf at vector 5, component 1, expected a finite number");
}

}  // namespace detail_data_vector_rows_test
