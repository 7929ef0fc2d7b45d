// SPDX-License-Identifier: BSL-1.0
#include <rankloss/hosts/eigen.hpp>

#include <rankloss/bidirectional.hpp>
#include <rankloss/metrics/retrieval.hpp>
#include <rankloss/softmax_cross_entropy.hpp>
#include <rankloss/triplet.hpp>
#include <rankloss/weighted_sum.hpp>

#include <catch2/catch.hpp>

#include <Eigen/Core>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

namespace hosts_eigen_test {

namespace {

using rankloss::array_view;
using rankloss::evaluate;
using rankloss::list_batch;
using rankloss::outputs;
using rankloss::similarity_batch;
using rankloss::softmax_cross_entropy;

using row_matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using row_grades = Eigen::Matrix<int, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

template <class Source>
constexpr bool is_array = rankloss::detail::array<Source>;

// What no copy could be left out of is no array by its type.
static_assert(is_array<Eigen::VectorXf> && is_array<const Eigen::ArrayXd> && is_array<Eigen::Vector4f> &&
              is_array<Eigen::RowVectorXi>);
static_assert(is_array<row_matrix> && is_array<Eigen::Map<const row_matrix>> &&
              is_array<Eigen::Ref<row_matrix>>);
static_assert(is_array<Eigen::Block<row_matrix>> &&
              is_array<Eigen::Map<Eigen::VectorXf, 0, Eigen::InnerStride<>>>);
static_assert(!is_array<Eigen::MatrixXf> && !is_array<Eigen::Block<Eigen::MatrixXf>> &&
              !is_array<Eigen::Map<Eigen::ArrayXXf>>);
static_assert(!is_array<Eigen::Map<Eigen::VectorXf, 0, Eigen::InnerStride<2>>>);
static_assert(!is_array<Eigen::Block<Eigen::Matrix<float, 4, 4, Eigen::RowMajor>, 2, 2>>);
static_assert(!is_array<decltype(Eigen::VectorXf() + Eigen::VectorXf())> &&
              !is_array<const Eigen::VectorXf::ConstantReturnType>);
// A Map, Block or Ref of an output may be a temporary; its memory stays.
static_assert(!rankloss::detail::owner<Eigen::Map<Eigen::VectorXf>> &&
              !rankloss::detail::owner<Eigen::Block<row_matrix>>);
static_assert(!rankloss::detail::owner<Eigen::Ref<Eigen::MatrixXf>> &&
              rankloss::detail::owner<Eigen::MatrixXf>);
static_assert(rankloss::detail::owner<Eigen::Vector4f> && rankloss::detail::owner<const Eigen::Array22d>);

/// Where a view of an array begins, and how many items it has.
template <class T, class Source>
std::pair<T*, std::size_t> seen(Source&& source) {
  const array_view<T> view(source);
  return {view.data(), view.size()};
}

/// Scores of 5 by 4 that are all different.
row_matrix some_scores() {
  row_matrix s(5, 4);
  for (Eigen::Index i = 0; i < s.size(); ++i) s.data()[i] = static_cast<float>((7 * i) % 20) / 8.0f - 1.0f;
  return s;
}
row_grades some_grades() {
  row_grades y(5, 4);
  for (Eigen::Index i = 0; i < y.size(); ++i) y.data()[i] = static_cast<int>((3 * i + i / 4) % 4);
  return y;
}

}  // namespace

TEST_CASE("eigen: vectors, arrays, maps and segments are read where they lie") {
  Eigen::VectorXf s(4);
  s << 0.5f, -1.0f, 2.0f, 0.25f;
  Eigen::ArrayXi y(4);
  y << 1, 0, 2, 0;
  const Eigen::RowVectorXd w = Eigen::RowVectorXd::LinSpaced(4, 1.0, 2.0);
  Eigen::Array<bool, Eigen::Dynamic, 1> mask(4);
  mask << true, true, false, true;
  Eigen::VectorXd gradient(4);
  CHECK(seen<float>(s) == std::pair(s.data(), std::size_t{4}));
  CHECK(seen<float>(s.segment(1, 2)) == std::pair(s.data() + 1, std::size_t{2}));
  CHECK(seen<const float>(Eigen::Map<const Eigen::VectorXf>(s.data() + 2, 2)) ==
        std::pair<const float*, std::size_t>(s.data() + 2, 2));
  CHECK(seen<const int>(y.tail(3)) == std::pair<const int*, std::size_t>(y.data() + 1, 3));

  const std::vector<float> plain_s(s.begin(), s.end());
  const std::vector<int> plain_y(y.begin(), y.end());
  const std::vector<double> plain_w(w.begin(), w.end());
  const std::vector<std::uint8_t> plain_mask{1, 1, 0, 1};
  std::vector<double> expected(4);
  const double value =
      evaluate(softmax_cross_entropy{},
               list_batch<float, int>{
                   .scores = plain_s, .relevance = plain_y, .item_weights = plain_w, .mask = plain_mask},
               {.gradient = expected});
  CHECK(evaluate(softmax_cross_entropy{},
                 list_batch<float, int>{.scores = s, .relevance = y, .item_weights = w, .mask = mask},
                 {.gradient = gradient}) == value);
  CHECK(std::vector<double>(gradient.begin(), gradient.end()) == expected);
  CHECK(evaluate(softmax_cross_entropy{},
                 list_batch<float, int>{
                     .scores = s, .relevance = y.matrix(), .item_weights = w.transpose(), .mask = mask},
                 {.gradient = gradient.array()}) == value);
}

TEST_CASE("eigen: rows, columns and blocks are read from their own beginning") {
  row_matrix rows = some_scores();
  Eigen::MatrixXf columns = rows;
  CHECK(seen<float>(rows.row(2)) == std::pair(rows.data() + 8, std::size_t{4}));
  CHECK(seen<float>(columns.col(3)) == std::pair(columns.data() + 15, std::size_t{5}));
  CHECK(seen<float>(rows.row(2).segment(1, 2)) == std::pair(rows.data() + 9, std::size_t{2}));
  CHECK(seen<float>(rows) == std::pair(rows.data(), std::size_t{20}));
  CHECK(seen<float>(rows.middleRows(1, 3)) == std::pair(rows.data() + 4, std::size_t{12}));
  CHECK(seen<float>(rows.block(1, 0, 2, 4)) == std::pair(rows.data() + 4, std::size_t{8}));
  CHECK(seen<float>(rows.block(3, 1, 1, 2)) == std::pair(rows.data() + 13, std::size_t{2}));
  CHECK(seen<float>(Eigen::Ref<row_matrix>(rows)) == std::pair(rows.data(), std::size_t{20}));
  CHECK(seen<const float>(columns.col(0).head(0)).second == 0);
}

TEST_CASE("eigen: strides that the run of the program knows are named") {
  row_matrix rows = some_scores();
  Eigen::MatrixXf columns = rows;
  using strided_map = Eigen::Map<Eigen::VectorXf, 0, Eigen::InnerStride<>>;
  CHECK_THROWS_AS(array_view<float>(rows.col(1)), std::invalid_argument);
  CHECK_THROWS_WITH(
      array_view<float>(rows.col(1)),
      "rankloss: stride: 4 of an array of 5 elements, expected 1 (its elements one behind the other)");
  CHECK_THROWS_WITH(
      array_view<float>(columns.row(1)),
      "rankloss: stride: 5 of an array of 4 elements, expected 1 (its elements one behind the other)");
  CHECK_THROWS_WITH(rankloss::reals(strided_map(rows.data(), 4, Eigen::InnerStride<>(3))),
                    Catch::Contains("stride: 3 of an array of 4 elements"));
  CHECK_THROWS_WITH(rankloss::real_output(strided_map(rows.data(), 4, Eigen::InnerStride<>(2))),
                    Catch::Contains("stride: 2 of an array"));
  CHECK_THROWS_WITH(rankloss::indices(some_grades().col(2)), Catch::Contains("stride: 4 of an array"));
  CHECK_THROWS_WITH(
      array_view<float>(rows.leftCols(3)),
      Catch::Contains("strides: 4 and 1 of an array of 5 rows and 3 columns, expected 3 and 1") &&
          Catch::Contains("row_lists"));
  CHECK_THROWS_AS(evaluate(softmax_cross_entropy{},
                           list_batch<float, int>{.scores = rows.col(0), .relevance = some_grades().row(0)}),
                  std::invalid_argument);
  CHECK(seen<float>(strided_map(rows.data(), 4, Eigen::InnerStride<>(1))) ==
        std::pair(rows.data(), std::size_t{4}));
  CHECK(seen<float>(strided_map(rows.data(), 1, Eigen::InnerStride<>(3))) ==
        std::pair(rows.data(), std::size_t{1}));
}

TEST_CASE("eigen: the rows of a matrix or block are padded lists") {
  const row_matrix s = some_scores();
  const row_grades y = some_grades();
  Eigen::Matrix<std::uint8_t, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> mask(5, 4);
  for (Eigen::Index i = 0; i < 20; ++i) mask.data()[i] = i % 6 != 0;
  const Eigen::VectorXf weights = Eigen::VectorXf::LinSpaced(3, 1.0f, 3.0f);

  // Lists 1 to 3 of items 1 to 3.
  const row_matrix part_s = s.block(1, 1, 3, 3);
  const row_grades part_y = y.block(1, 1, 3, 3);
  const decltype(mask) part_mask = mask.block(1, 1, 3, 3);
  std::vector<float> expected(9);
  std::vector<double> expected_lists(3);
  const double value = evaluate(softmax_cross_entropy{},
                                list_batch<float, int>{.scores = {part_s.data(), 9},
                                                       .relevance = {part_y.data(), 9},
                                                       .list_weights = weights,
                                                       .length = 3,
                                                       .mask = {part_mask.data(), 9}},
                                {.gradient = expected, .per_list = expected_lists});

  auto batch = rankloss::row_lists(s.block(1, 1, 3, 3), y.block(1, 1, 3, 3));
  static_assert(std::is_same_v<decltype(batch), list_batch<float, int>>);
  CHECK(batch.scores.data() == s.data() + 5);
  CHECK(batch.scores.size() == 11);
  CHECK(batch.length == 3);
  CHECK(batch.stride == 4);
  batch.mask = rankloss::rows_of(mask.block(1, 1, 3, 3));
  batch.list_weights = weights;
  row_matrix gradient = row_matrix::Constant(5, 4, 9.0f);
  Eigen::VectorXd lists(3);
  CHECK(evaluate(softmax_cross_entropy{}, batch,
                 {.gradient = rankloss::rows_of(gradient.block(1, 1, 3, 3)), .per_list = lists}) == value);
  row_matrix wanted = row_matrix::Constant(5, 4, 9.0f);
  wanted.block(1, 1, 3, 3) = Eigen::Map<row_matrix>(expected.data(), 3, 3);
  CHECK(gradient == wanted);
  CHECK(std::vector<double>(lists.begin(), lists.end()) == expected_lists);
  gradient.setConstant(9.0f);
  CHECK(evaluate(softmax_cross_entropy{}, batch, {.gradient = gradient.block(1, 1, 3, 3)}) ==
        value);  // a block says how it lies
  CHECK(gradient == wanted);

  // The same as columns of matrices by columns.
  const Eigen::MatrixXf turned_s = s.transpose();
  const Eigen::MatrixXi turned_y = y.transpose();
  const Eigen::Matrix<std::uint8_t, Eigen::Dynamic, Eigen::Dynamic> turned_mask = mask.transpose();
  auto turned = rankloss::column_lists(turned_s.block(1, 1, 3, 3), turned_y.block(1, 1, 3, 3));
  turned.mask = rankloss::columns_of(turned_mask.block(1, 1, 3, 3));
  turned.list_weights = weights;
  Eigen::MatrixXf turned_gradient = Eigen::MatrixXf::Constant(4, 5, 9.0f);
  CHECK(evaluate(softmax_cross_entropy{}, turned,
                 {.gradient = rankloss::columns_of(turned_gradient.block(1, 1, 3, 3))}) == value);
  CHECK(turned_gradient.transpose() == wanted);

  Eigen::MatrixXf by_columns(3, 3);
  CHECK_THROWS_WITH(
      evaluate(softmax_cross_entropy{}, batch, {.gradient = by_columns}),
      Catch::Contains("gradient: a matrix with strides 1 and 3, expected 4 and 1, as the scores lie"));
  CHECK_THROWS_WITH(rankloss::row_lists(s.leftCols(3), part_y),
                    "rankloss: relevance: 3 lists of 3 items, expected 5 of 3, as the scores have");
  CHECK_THROWS_WITH(rankloss::row_lists(part_s, y.block(1, 1, 3, 3)),
                    "rankloss: relevance: lists 4 items apart, expected 3, as those of the scores are");
  using outer_map = Eigen::Map<const row_matrix, 0, Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>>;
  CHECK_THROWS_WITH(rankloss::rows_of(outer_map(s.data(), 2, 3, {8, 2})),
                    Catch::Contains("column stride: 2 of a matrix whose rows are lists"));
  CHECK_THROWS_WITH(rankloss::rows_of(outer_map(s.data(), 2, 3, {2, 1})),
                    Catch::Contains("row stride: 2 of a matrix whose rows are lists"));
}

namespace {

/// Every loss of matrices on `similarity` and the fields of `batch`, which are the same as in `plain`; the
/// outputs by a matrix like `Out`.
template <class Out, class R>
void check_same(const similarity_batch<float, R>& batch, const similarity_batch<float, R>& plain,
                Out& gradient) {
  const std::size_t rows = plain.rows, columns = plain.columns;
  const auto check = [&](const auto& loss) {
    std::vector<float> expected(rows * columns);
    std::vector<double> expected_lists(rows + columns);
    Eigen::VectorXd lists(static_cast<Eigen::Index>(rows + columns));
    const double value = evaluate(loss, plain, {.gradient = expected, .per_list = expected_lists});
    gradient.setConstant(9.0f);
    CHECK(evaluate(loss, batch, {.gradient = gradient, .per_list = lists}) == value);
    CHECK(row_matrix(gradient) == Eigen::Map<row_matrix>(expected.data(), gradient.rows(), gradient.cols()));
    CHECK(std::vector<double>(lists.begin(), lists.end()) == expected_lists);
  };
  const rankloss::bidirectional<softmax_cross_entropy> both{};
  check(both);
  check(rankloss::triplet{.margin = 0.5});
  check(
      rankloss::weighted_sum{rankloss::weighted{0.25, rankloss::triplet{}}, rankloss::weighted{0.75, both}});
  check(rankloss::weighted_sum{rankloss::weighted{0.0, rankloss::triplet{}}});
  if (rows == columns)
    check(rankloss::bidirectional<softmax_cross_entropy>{.columns_by = rankloss::column_relevance::of_rows});
  const rankloss::metrics::retrieval<2> metric{.cutoffs = {1, 2}};
  const auto found = metric(batch), expected = metric(plain);
  CHECK(found.rows.recall == expected.rows.recall);
  CHECK(found.columns.recall == expected.columns.recall);
  CHECK(found.rows.mean_rank == expected.rows.mean_rank);
  CHECK(found.columns.mean_rank == expected.columns.mean_rank);
}

/// Rows and columns of a matrix that are not alike in anything: relevance is not symmetric, classes, weights
/// and both relevances differ.
template <class Matrix, class Grades, class Flags>
void check_matrix(Eigen::Index rows, Eigen::Index columns) {
  const row_matrix s = some_scores().topLeftCorner(rows, columns);
  const row_grades y = some_grades().topLeftCorner(rows, columns),
                   z = some_grades().colwise().reverse().topLeftCorner(rows, columns);
  Eigen::Matrix<bool, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> m(rows, columns);
  for (Eigen::Index i = 0; i < m.size(); ++i) m.data()[i] = i % 3 == 1;
  const Eigen::VectorXd row_weights = Eigen::VectorXd::LinSpaced(rows, 1.0, 2.0),
                        column_weights = Eigen::VectorXd::LinSpaced(columns, 3.0, 1.0);
  const auto n = static_cast<std::size_t>(rows * columns);
  const Matrix similarity = s;
  const Grades relevance = y, column_relevance = z;
  const Flags matches = m;
  similarity_batch<float, int> plain{.similarity = {s.data(), n},
                                     .rows = static_cast<std::size_t>(rows),
                                     .columns = static_cast<std::size_t>(columns)};
  similarity_batch<float, int> batch{.similarity = similarity};
  Matrix gradient(rows, columns);
  row_matrix other(rows, columns);
  Eigen::MatrixXd wide(rows, columns);
  const auto check = [&] {
    check_same(batch, plain, gradient);
    check_same(batch, plain, other);  // of another storage order
  };
  if (rows == columns) check();
  Eigen::VectorXi row_classes(rows), column_classes(columns);
  for (Eigen::Index i = 0; i < rows; ++i) row_classes[i] = static_cast<int>(i % 2);
  for (Eigen::Index j = 0; j < columns; ++j) column_classes[j] = static_cast<int>(j % 3);
  plain.row_classes = batch.row_classes = row_classes;
  plain.column_classes = batch.column_classes = column_classes;
  plain.row_weights = batch.row_weights = row_weights;
  plain.column_weights = batch.column_weights = column_weights;
  check();
  batch.matches = matches;
  plain.matches = {m.data(), n};
  check();
  batch.relevance = relevance;
  plain.relevance = {y.data(), n};
  check();
  batch.column_relevance = column_relevance;
  plain.column_relevance = {z.data(), n};
  check();
  plain.reduction = batch.reduction = rankloss::reduction::sum;
  check();
}

}  // namespace

TEST_CASE("eigen: a matrix by columns has the rows and columns that it is written with") {
  check_matrix<Eigen::MatrixXf, Eigen::MatrixXi, Eigen::Matrix<bool, Eigen::Dynamic, Eigen::Dynamic>>(4, 4);
  check_matrix<Eigen::MatrixXf, row_grades, Eigen::Matrix<bool, Eigen::Dynamic, Eigen::Dynamic>>(5, 3);
  check_matrix<row_matrix, Eigen::MatrixXi,
               Eigen::Matrix<bool, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(3, 4);
}

TEST_CASE("eigen: blocks, transposes and maps of a similarity matrix, each with strides of its own") {
  const row_matrix s = some_scores().topLeftCorner(4, 4);
  const row_grades y = some_grades().topLeftCorner(4, 4);
  const similarity_batch<float, int> plain{
      .similarity = {s.data(), 16}, .rows = 4, .columns = 4, .relevance = {y.data(), 16}};
  Eigen::MatrixXf large = Eigen::MatrixXf::Constant(9, 8, -5.0f), out = Eigen::MatrixXf::Constant(9, 8, 7.0f);
  row_grades large_y = row_grades::Constant(7, 7, 3);
  large.block(2, 3, 4, 4) = s;
  large_y.block(1, 2, 4, 4) = y;
  auto gradient = out.block(4, 1, 4, 4);
  check_same({.similarity = large.block(2, 3, 4, 4), .relevance = large_y.block(1, 2, 4, 4)}, plain,
             gradient);
  gradient.setConstant(7.0f);
  CHECK(out == Eigen::MatrixXf::Constant(9, 8, 7.0f));  // nothing around the block is written

  const Eigen::MatrixXf turned = s.transpose();
  check_same({.similarity = turned.transpose(), .relevance = y.transpose().eval().transpose()}, plain,
             gradient);

  Eigen::MatrixXf sparse = Eigen::MatrixXf::Constant(8, 8, -5.0f);
  using strided_map = Eigen::Map<Eigen::MatrixXf, 0, Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>>;
  strided_map even(sparse.data(), 4, 4, {16, 2});
  even = s;
  Eigen::MatrixXf apart(8, 8);
  strided_map even_gradient(apart.data(), 4, 4, {16, 2});
  check_same({.similarity = even, .relevance = y}, plain, even_gradient);
}

TEST_CASE("eigen: a matrix of another shape, or strides that write an item twice, are named") {
  const Eigen::MatrixXf s = some_scores();
  const Eigen::MatrixXi y = some_grades();
  const rankloss::triplet loss;
  similarity_batch<float, int> batch{.similarity = s, .relevance = y};
  const Eigen::VectorXi row_classes = Eigen::VectorXi::Zero(5), column_classes = Eigen::VectorXi::Zero(4);
  batch.row_classes = row_classes;
  batch.column_classes = column_classes;
  Eigen::MatrixXf gradient(5, 4), turned(4, 5);
  CHECK_NOTHROW(evaluate(loss, batch, {.gradient = gradient}));
  CHECK_THROWS_WITH(evaluate(loss, batch, {.gradient = turned}),
                    "rankloss: gradient: 4 rows of 5 columns, expected 5 of 4");
  const Eigen::MatrixXi turned_y = y.transpose();
  batch.relevance = turned_y;
  CHECK_THROWS_WITH(evaluate(loss, batch), "rankloss: relevance: 4 rows of 5 columns, expected 5 of 4");
  batch.relevance = y;
  batch.rows = 4;
  CHECK_THROWS_WITH(evaluate(loss, batch), "rankloss: similarity: 5 rows of 4 columns, expected 4 of 4");
  batch.rows = 0;
  batch.stride = 6;
  CHECK_THROWS_WITH(evaluate(loss, batch),
                    "rankloss: stride: 6, expected none: similarity is a matrix with strides of its own");
  batch.stride = 0;
  using strided_map = Eigen::Map<Eigen::MatrixXf, 0, Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>>;
  CHECK_THROWS_WITH(evaluate(loss, batch, {.gradient = strided_map(gradient.data(), 5, 4, {4, 1})}),
                    Catch::Contains("gradient: strides 1 and 4"));
  std::vector<float> plain(20);
  CHECK_NOTHROW(evaluate(loss, batch, {.gradient = plain}));  // lies as the similarity: by columns
  evaluate(loss, batch, {.gradient = gradient});
  CHECK(Eigen::Map<Eigen::MatrixXf>(plain.data(), 5, 4) == gradient);
  Eigen::MatrixXf with_nan = s;
  with_nan(3, 1) = std::numeric_limits<float>::quiet_NaN();
  batch.similarity = with_nan;
  CHECK_THROWS_WITH(evaluate(loss, batch), Catch::Contains("row 3, column 1"));
}

}  // namespace hosts_eigen_test
