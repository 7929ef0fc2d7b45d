// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/embeddings/embedding_side.hpp>

#include "support/embedding_reference.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <vector>

namespace detail_embeddings_embedding_side_test {

namespace {

using rankloss::context;
using rankloss::half;
using rankloss::matrix_shape;
using rankloss::real_output;
using rankloss::update;
using rankloss::vectors;
using rankloss::detail::embedding_side;
using rankloss::detail::vector_form;

TEMPLATE_TEST_CASE("embedding_side: vectors as they are lie where the host has them, if they can", "", float,
                   double) {
  using T = TestType;
  std::vector<T> x(40);
  for (std::size_t k = 0; k < x.size(); ++k) x[k] = static_cast<T>(k);
  context ctx;
  const auto look = [&](const vectors<T>& given, const matrix_shape& shape, bool in_place) {
    embedding_side<T> side(given, shape);
    CHECK(side.count() == shape.rows);
    CHECK(side.dimension() == shape.columns);
    side.prepare(vector_form::raw, 2, ctx);
    const auto v = side.vectors_as(vector_form::raw);
    for (std::size_t i = 0; i < shape.rows; ++i)
      for (std::size_t k = 0; k < shape.columns; ++k)
        CHECK(v[i][k] == x[i * shape.row_stride + k * shape.column_stride]);
    CHECK((v.data == x.data()) == in_place);
    const auto sums = side.sums_as(vector_form::raw);
    CHECK(sums.count == 2);
    for (std::size_t k = 0; k < 2 * shape.columns; ++k) CHECK(sums.data[k] == T(0));
    CHECK(side.sums_as(vector_form::unit).count == 0);
  };
  look(x, {3, 4, 4, 1}, true);
  look(x, {3, 4, 7, 1}, true);
  look(x, {3, 4, 1, 5}, false);  // by columns
  look(x, {3, 4, 12, 2}, false);
  look(x, {3, 1, 5, 0}, true);  // one component: the stride of columns has no meaning
  look(x, {1, 4, 0, 1}, true);
  std::vector<half> halves(12);
  for (std::size_t k = 0; k < 12; ++k) halves[k].bits = 0x4000;
  x.assign(40, T(2));
  look(halves, {3, 4, 4, 1}, false);
}

TEMPLATE_TEST_CASE("embedding_side: vectors of length 1, whatever their length", "", float, double) {
  using T = TestType;
  using limits = std::numeric_limits<T>;
  const std::vector<T> x{3, 4, 0, 0, limits::max(), limits::max(), limits::denorm_min(), 0, -3e-20f, 4e-20f};
  context ctx;
  const vectors<T> given = x;
  embedding_side<T> side(given, {5, 2, 2, 1});
  side.prepare(vector_form::unit, 5, ctx);
  const auto u = side.vectors_as(vector_form::unit);
  const double r = std::sqrt(0.5);
  const double expected[] = {0.6, 0.8, 0, 0, r, r, 1, 0, -0.6, 0.8};
  for (std::size_t k = 0; k < 10; ++k) CHECK(std::abs(static_cast<double>(u.data[k]) - expected[k]) <= 1e-6);
}

TEMPLATE_TEST_CASE("embedding_side: derivatives go through the length, or not", "", float, double) {
  using T = TestType;
  const std::vector<T> x{3, 4, 0, 0, -1, 2};
  context ctx;
  const vectors<T> given = x;
  embedding_side<T> side(given, {3, 2, 2, 1});
  side.prepare(vector_form::raw, 3, ctx);
  side.prepare(vector_form::unit, 2, ctx);  // of the first two alone
  const auto raw = side.sums_as(vector_form::raw), unit = side.sums_as(vector_form::unit);
  const T of_raw[] = {1, 2, 3, 4, 5, 6}, of_unit[] = {10, 5, 7, 7};
  std::copy(of_raw, of_raw + 6, raw.data);
  std::copy(of_unit, of_unit + 4, unit.data);
  // (10, 5) - ((10, 5) (0.6, 0.8)) (0.6, 0.8) = (4, -3), over 5; nothing through the length of 0.
  const double expected[] = {1.8, 1.4, 3, 4, 5, 6};
  std::vector<double> out(6, 100.0), slopes(2 * ctx.workers());
  side.commit(real_output(out.data(), 6), {3, 2, 2, 1}, 1.0, update::overwrite, slopes, ctx);
  for (std::size_t k = 0; k < 6; ++k) CHECK(out[k] == Approx(expected[k]).epsilon(1e-6));
  side.commit(real_output(out.data(), 6), {3, 2, 2, 1}, -2.0, update::add, slopes, ctx);
  for (std::size_t k = 0; k < 6; ++k) CHECK(out[k] == Approx(-expected[k]).epsilon(1e-6));
  std::vector<float> turned(9, 7.0f);
  side.commit(real_output(turned.data(), 9), {2, 2, 1, 4}, 1.0, update::overwrite, slopes,
              ctx);  // the first two
  CHECK(static_cast<double>(turned[0]) == Approx(1.8));
  CHECK(static_cast<double>(turned[4]) == Approx(1.4));
  CHECK(turned[1] == 3.0f);
  CHECK(turned[5] == 4.0f);
  CHECK(turned[2] == 7.0f);
}

TEMPLATE_TEST_CASE("embedding_side: the first component that is not finite is named", "", float, double) {
  using T = TestType;
  std::vector<T> x{1, -5, 2, 3, 4, 0};
  const vectors<T> given = x;
  const embedding_side<T> side(given, {2, 3, 3, 1}), turned(given, {3, 2, 1, 3});
  CHECK(side.check("field", "row") == 5.0);
  x[4] = std::numeric_limits<T>::infinity();
  x[5] = std::numeric_limits<T>::quiet_NaN();
  CHECK_THROWS_WITH(side.check("field", "row"),
                    "rankloss: field: inf at row 1, component 1, expected a finite number");
  CHECK_THROWS_WITH(turned.check("field", "row"),
                    "rankloss: field: inf at row 1, component 1, expected a finite number");
  CHECK(embedding_side<T>(given, {0, 3, 3, 1}).check("field", "row") == 0.0);
}

}  // namespace

}  // namespace detail_embeddings_embedding_side_test
