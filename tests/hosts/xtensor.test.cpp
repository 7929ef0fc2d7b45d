// SPDX-License-Identifier: BSL-1.0
#include <rankloss/hosts/xtensor.hpp>

#include <rankloss/bidirectional.hpp>
#include <rankloss/metrics/retrieval.hpp>
#include <rankloss/softmax_cross_entropy.hpp>
#include <rankloss/triplet.hpp>

#include <catch2/catch.hpp>

#if __has_include(<xtensor/containers/xtensor.hpp>)
#include <xtensor/containers/xadapt.hpp>
#include <xtensor/containers/xarray.hpp>
#include <xtensor/containers/xfixed.hpp>
#include <xtensor/containers/xtensor.hpp>
#include <xtensor/views/xdynamic_view.hpp>
#include <xtensor/views/xstrided_view.hpp>
#include <xtensor/views/xview.hpp>
#else
#include <xtensor/xadapt.hpp>
#include <xtensor/xarray.hpp>
#include <xtensor/xdynamic_view.hpp>
#include <xtensor/xfixed.hpp>
#include <xtensor/xstrided_view.hpp>
#include <xtensor/xtensor.hpp>
#include <xtensor/xview.hpp>
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <utility>
#include <vector>

namespace hosts_xtensor_test {

namespace {

using rankloss::array_view;
using rankloss::evaluate;
using rankloss::list_batch;
using rankloss::similarity_batch;
using rankloss::softmax_cross_entropy;

using matrix = xt::xtensor<float, 2>;
using column_matrix = xt::xtensor<float, 2, xt::layout_type::column_major>;
using grades = xt::xtensor<int, 2>;

matrix some_scores() {
  matrix s = xt::xtensor<float, 2>::from_shape({5, 4});
  for (std::size_t i = 0; i < 20; ++i) s.storage()[i] = static_cast<float>((7 * i) % 20) / 8.0f - 1.0f;
  return s;
}
grades some_grades() {
  grades y = grades::from_shape({5, 4});
  for (std::size_t i = 0; i < 20; ++i) y.storage()[i] = static_cast<int>((3 * i + i / 4) % 4);
  return y;
}

using rankloss::detail::host_array;
using rankloss::detail::owner;
static_assert(host_array<matrix> && host_array<column_matrix> &&
              host_array<xt::xarray<double, xt::layout_type::dynamic>>);
static_assert(!host_array<decltype(matrix() + matrix())> &&
              !host_array<decltype(xt::view(matrix() + matrix(), 1))>);
// Rows that are picked one by one have no stride.
static_assert(!host_array<decltype(xt::view(std::declval<matrix&>(), xt::keep(0, 3), xt::all()))>);
static_assert(!host_array<decltype(xt::dynamic_view(std::declval<matrix&>(), {xt::keep(0, 3), xt::all()}))>);
// A view of an array that stays may be a temporary.
static_assert(owner<matrix> && owner<xt::xarray<float>> && owner<xt::xtensor_fixed<float, xt::xshape<3>>>);
static_assert(!owner<decltype(xt::view(std::declval<xt::xarray<float>&>(), 1))> &&
              owner<decltype(xt::view(xt::xarray<float>(), 1))>);
static_assert(!owner<decltype(xt::adapt(std::declval<std::vector<float>&>(), std::vector<std::size_t>{2}))>);
static_assert(owner<decltype(xt::adapt(std::vector<float>(), std::vector<std::size_t>{2}))>);

/// Where a view of an array begins, and how many items it has.
template <class T, class Source>
std::pair<T*, std::size_t> seen(Source&& source) {
  const array_view<T> view(source);
  return {view.data(), view.size()};
}
template <class T>
std::pair<T*, std::size_t> at(T* first, std::size_t size) {
  return {first, size};
}

}  // namespace

TEST_CASE("xtensor: arrays, tensors and adaptors are read where they lie") {
  matrix s = some_scores();
  const matrix& constant = s;
  CHECK(seen<float>(s) == at(s.data(), 20));
  CHECK(seen<const float>(constant) == at(constant.data(), 20));
  xt::xarray<double> a = xt::xarray<double>::from_shape({2, 3, 2});
  CHECK(seen<double>(a) == at(a.data(), 12));
  xt::xarray<double, xt::layout_type::dynamic> d(std::vector<std::size_t>{2, 3}, xt::layout_type::row_major);
  CHECK(seen<double>(d) == at(d.data(), 6));
  xt::xtensor_fixed<float, xt::xshape<3>> fixed{1.0f, 2.0f, 3.0f};
  CHECK(seen<float>(fixed) == at(fixed.data(), 3));
  std::vector<float> memory(6);
  auto adapted = xt::adapt(memory, std::vector<std::size_t>{2, 3});
  CHECK(seen<float>(adapted) == at(memory.data(), 6));
  CHECK(seen<float>(xt::adapt(memory.data() + 1, 4, xt::no_ownership(), std::vector<std::size_t>{4})) ==
        at(memory.data() + 1, 4));
  xt::xtensor<bool, 1> mask{true, false};
  CHECK(rankloss::flags(mask).size() == 2);
  CHECK(seen<float>(xt::xtensor<float, 1>::from_shape({0})).second == 0);
}

TEST_CASE("xtensor: a view begins at its offset") {
  matrix s = some_scores();
  const matrix& constant = s;
  xt::xarray<float> a = s;
  CHECK(seen<float>(xt::view(s, 2)) == at(s.data() + 8, 4));
  CHECK(seen<float>(xt::view(s, 2, xt::all())) == at(s.data() + 8, 4));
  CHECK(seen<const float>(xt::view(constant, 3, xt::range(1, 3))) == at(constant.data() + 13, 2));
  CHECK(seen<float>(xt::view(s, xt::range(1, 4))) == at(s.data() + 4, 12));
  CHECK(seen<float>(xt::view(s, xt::range(1, 4), xt::all())) == at(s.data() + 4, 12));
  CHECK(seen<float>(xt::view(xt::view(s, xt::range(1, 4)), 1)) == at(s.data() + 8, 4));
  CHECK(seen<float>(xt::row(s, 4)) == at(s.data() + 16, 4));
  CHECK(seen<float>(xt::view(a, 2)) == at(a.data() + 8, 4));
  CHECK(seen<float>(xt::strided_view(s, {3, xt::all()})) == at(s.data() + 12, 4));
  CHECK(seen<float>(xt::strided_view(a, {xt::range(2, 4), xt::all()})) == at(a.data() + 8, 8));
  CHECK(seen<float>(xt::view(s, xt::newaxis(), 2)) == at(s.data() + 8, 4));
  column_matrix c = s;
  CHECK(seen<float>(xt::col(c, 3)) == at(c.data() + 15, 5));
  CHECK(seen<float>(xt::view(c, xt::all(), 1)) == at(c.data() + 5, 5));
}

TEST_CASE("xtensor: lists of views, and outputs that are views") {
  const matrix s = some_scores();
  const grades y = some_grades();
  const xt::xtensor<bool, 2> mask = xt::not_equal(y, 3);
  const xt::xarray<double> weights = xt::xarray<double>::from_shape({5, 4}) * 0.0 + 1.5;
  for (std::size_t q = 0; q < 5; ++q) {
    std::vector<float> expected(4);
    std::vector<std::uint8_t> plain_mask(4);
    for (std::size_t i = 0; i < 4; ++i) plain_mask[i] = y(q, i) != 3;
    const double value = evaluate(softmax_cross_entropy{},
                                  list_batch<float, int>{.scores = {s.data() + 4 * q, 4},
                                                         .relevance = {y.data() + 4 * q, 4},
                                                         .item_weights = {weights.data() + 4 * q, 4},
                                                         .mask = plain_mask},
                                  {.gradient = expected});
    matrix gradient = matrix::from_shape({5, 4});
    gradient.fill(9.0f);
    CHECK(evaluate(softmax_cross_entropy{},
                   list_batch<float, int>{.scores = xt::view(s, q),
                                          .relevance = xt::row(y, static_cast<std::ptrdiff_t>(q)),
                                          .item_weights = xt::view(weights, q),
                                          .mask = xt::view(mask, q)},
                   {.gradient = xt::view(gradient, q)}) == value);
    for (std::size_t i = 0; i < 5; ++i)
      for (std::size_t j = 0; j < 4; ++j) CHECK(gradient(i, j) == (i == q ? expected[j] : 9.0f));
  }
}

TEST_CASE("xtensor: strides that would need a copy are named") {
  matrix s = some_scores();
  column_matrix c = s;
  xt::xarray<float> cube = xt::xarray<float>::from_shape({2, 3, 4});
  CHECK_THROWS_AS(array_view<float>(xt::col(s, 1)), std::invalid_argument);
  CHECK_THROWS_WITH(
      array_view<float>(xt::col(s, 1)),
      "rankloss: stride: 4 of an array of 5 elements, expected 1 (its elements one behind the other)");
  CHECK_THROWS_WITH(array_view<float>(xt::view(s, 1, xt::range(0, 4, 2))),
                    Catch::Contains("stride: 2 of an array of 2 elements"));
  CHECK_THROWS_WITH(array_view<float>(xt::view(s, 1, xt::range(3, xt::placeholders::_, -1))),
                    Catch::Contains("column stride: -1 of a matrix"));
  CHECK_THROWS_WITH(array_view<float>(xt::view(s, xt::all(), xt::range(1, 3))),
                    Catch::Contains("strides: 4 and 1 of an array of 5 rows and 2 columns"));
  CHECK_THROWS_WITH(
      array_view<float>(c),
      Catch::Contains("strides: 1 and 5 of an array of 5 rows and 4 columns, expected 4 and 1"));
  CHECK_THROWS_WITH(array_view<float>(xt::strided_view(cube, {xt::all(), xt::all(), xt::range(0, 2)})),
                    Catch::Contains("stride: 4 of dimension 1 of an array of 3, expected 2"));
  CHECK_THROWS_WITH(rankloss::real_output(xt::col(s, 0)),
                    Catch::Contains("stride: 4 of an array of 5 elements"));
  CHECK_THROWS_WITH(rankloss::reals(xt::col(s, 0)), Catch::Contains("stride: 4 of an array of 5 elements"));
}

TEST_CASE("xtensor: the rows of an array are padded lists") {
  matrix s = some_scores();
  const grades y = some_grades();
  const auto part = [](auto& all) { return xt::view(all, xt::range(1, 4), xt::range(1, 4)); };
  const matrix part_s = part(s);
  const grades part_y = part(y);
  std::vector<float> expected(9);
  const double value = evaluate(softmax_cross_entropy{},
                                list_batch<float, int>{.scores = part_s, .relevance = part_y, .length = 3},
                                {.gradient = expected});
  matrix gradient = matrix::from_shape({5, 4});
  gradient.fill(9.0f);
  const auto batch = rankloss::row_lists(part(s), part(y));
  CHECK(batch.scores.data() == s.data() + 5);
  CHECK(evaluate(softmax_cross_entropy{}, batch, {.gradient = rankloss::rows_of(part(gradient))}) == value);
  const column_matrix c = xt::transpose(s);
  const xt::xtensor<int, 2, xt::layout_type::column_major> cy = xt::transpose(y);
  CHECK(evaluate(softmax_cross_entropy{}, rankloss::column_lists(part(c), part(cy))) == value);
  for (std::size_t i = 0; i < 5; ++i)
    for (std::size_t j = 0; j < 4; ++j)
      CHECK(gradient(i, j) == (i == 0 || i == 4 || j == 0 ? 9.0f : expected[3 * (i - 1) + j - 1]));
  CHECK_THROWS_WITH(rankloss::row_lists(c, cy),
                    Catch::Contains("column stride: 4 of a matrix whose rows are lists, expected 1"));
}

TEST_CASE("xtensor: similarity matrices of any layout and their views") {
  const matrix s = xt::view(some_scores(), xt::range(0, 4));
  const grades y = xt::view(some_grades(), xt::range(0, 4));
  const auto check_loss = [&](const auto& loss, const similarity_batch<float, int>& batch, auto&& gradient) {
    std::vector<float> expected(16);
    std::vector<double> expected_lists(8), lists(8);
    const similarity_batch<float, int> plain{
        .similarity = {s.data(), 16}, .rows = 4, .columns = 4, .relevance = {y.data(), 16}};
    const double value = evaluate(loss, plain, {.gradient = expected, .per_list = expected_lists});
    CHECK(evaluate(loss, batch, {.gradient = gradient, .per_list = lists}) == value);
    CHECK(lists == expected_lists);
    for (std::size_t i = 0; i < 4; ++i)
      for (std::size_t j = 0; j < 4; ++j) CHECK(gradient(i, j) == expected[4 * i + j]);
    const auto found = rankloss::metrics::retrieval<>{}(batch),
               wanted = rankloss::metrics::retrieval<>{}(plain);
    CHECK(found.rows.mean_rank == wanted.rows.mean_rank);
    CHECK(found.columns.mean_rank == wanted.columns.mean_rank);
  };
  const auto check = [&](const similarity_batch<float, int>& batch, auto&& gradient) {
    check_loss(rankloss::triplet{.margin = 0.5}, batch, gradient);
    check_loss(rankloss::bidirectional<softmax_cross_entropy>{}, batch, gradient);
    check_loss(
        rankloss::bidirectional<softmax_cross_entropy>{.columns_by = rankloss::column_relevance::of_rows},
        batch, gradient);
  };
  matrix g = matrix::from_shape({4, 4});
  column_matrix c = s, cg = s;
  const xt::xtensor<int, 2, xt::layout_type::column_major> cy = y;
  check({.similarity = s, .relevance = y}, g);
  check({.similarity = c, .relevance = cy}, cg);
  check({.similarity = c, .relevance = y}, g);
  check({.similarity = xt::xarray<float>(s), .relevance = cy}, cg);
  matrix large = matrix::from_shape({9, 9}), large_g = matrix::from_shape({9, 9});
  xt::view(large, xt::range(2, 6), xt::range(0, 8, 2)) = s;
  check({.similarity = xt::view(large, xt::range(2, 6), xt::range(0, 8, 2)), .relevance = y},
        xt::view(large_g, xt::range(1, 5), xt::range(1, 8, 2)));
  check({.similarity = xt::transpose(matrix(xt::transpose(s))), .relevance = y}, g);

  CHECK_THROWS_WITH(evaluate(rankloss::triplet{},
                             similarity_batch<float, int>{.similarity = s, .relevance = some_grades()}),
                    "rankloss: relevance: 5 rows of 4 columns, expected 4 of 4");
  CHECK_THROWS_WITH(evaluate(rankloss::triplet{}, similarity_batch<float, int>{.similarity = s},
                             {.gradient = xt::view(large_g, xt::range(0, 4))}),
                    "rankloss: gradient: 4 rows of 9 columns, expected 4 of 4");
  // A flat array of one dimension has no shape of its own.
  xt::xtensor<float, 1> flat = xt::xtensor<float, 1>::from_shape({16});
  std::copy(s.data(), s.data() + 16, flat.data());
  check({.similarity = flat, .rows = 4, .columns = 4, .relevance = y}, g);
}

}  // namespace hosts_xtensor_test
