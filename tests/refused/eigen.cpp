// SPDX-License-Identifier: BSL-1.0

// What is refused of Eigen when it is compiled; see refused.cpp.

#include <rankloss/hosts/eigen.hpp>

#if defined(EIGEN_LIST_LOSS)
#include <rankloss/embedding_batch.hpp>
#include <rankloss/listnet.hpp>
#endif

void cases() {
  [[maybe_unused]] const Eigen::VectorXf scores = Eigen::VectorXf::Zero(4);
  [[maybe_unused]] const Eigen::VectorXi grades = Eigen::VectorXi::Zero(4);
  [[maybe_unused]] Eigen::MatrixXf columns = Eigen::MatrixXf::Zero(4, 4);
  [[maybe_unused]] Eigen::Matrix<float, 4, 4, Eigen::RowMajor> rows = columns;
  [[maybe_unused]] const Eigen::MatrixXi column_grades = Eigen::MatrixXi::Zero(4, 4);
  [[maybe_unused]] const Eigen::Matrix<int, 4, 4, Eigen::RowMajor> row_grades = column_grades;
#if defined(EIGEN_COLUMNS)
  (void)rankloss::list_batch<float, int>{.scores = columns, .relevance = column_grades};
#elif defined(EIGEN_STRIDE)
  (void)rankloss::list_batch<float, int>{
      .scores = Eigen::Map<Eigen::VectorXf, 0, Eigen::InnerStride<2> >(columns.data(), 4),
      .relevance = grades};
#elif defined(EIGEN_BLOCK)
  (void)rankloss::list_batch<float, int>{.scores = rows.topLeftCorner<2, 2>(), .relevance = grades};
#elif defined(EIGEN_EXPRESSION)
  (void)rankloss::list_batch<float, int>{.scores = scores + scores, .relevance = grades};
#elif defined(EIGEN_SIMILARITY_EXPRESSION)
  (void)rankloss::similarity_batch<float>{.similarity = columns * columns};
#elif defined(EIGEN_DOUBLE_MATRIX)
  const Eigen::MatrixXd wide = Eigen::MatrixXd::Zero(4, 4);
  (void)rankloss::similarity_batch<float>{.similarity = wide};
#elif defined(EIGEN_CONST_GRADIENT)
  const Eigen::MatrixXf gradient(4, 4);
  (void)rankloss::outputs{.gradient = gradient};
#elif defined(EIGEN_TEMPORARY_GRADIENT)
  (void)rankloss::outputs{.gradient = Eigen::MatrixXf(4, 4)};
#elif defined(EIGEN_INT_GRADIENT)
  Eigen::MatrixXi gradient(4, 4);
  (void)rankloss::outputs{.gradient = gradient};
#elif defined(EIGEN_LIST_LOSS)
  rankloss::evaluate(rankloss::listnet{}, rankloss::embedding_batch<float>{.row_embeddings = rows});
#elif defined(EIGEN_LISTS_OF_COLUMNS)
  (void)rankloss::row_lists(columns, column_grades);
#elif defined(EIGEN_LISTS_OF_ROWS)
  (void)rankloss::column_lists(rows, row_grades);
#elif defined(EIGEN_TEMPORARY_LISTS)
  (void)rankloss::row_lists(decltype(rows)(rows), row_grades);
#else
  (void)rankloss::list_batch<float, int>{.scores = scores, .relevance = grades};
  (void)rankloss::list_batch<float, int>{.scores = rows, .relevance = row_grades, .length = 4};
  (void)rankloss::similarity_batch<float, int>{.similarity = columns, .relevance = row_grades};
  (void)rankloss::row_lists(rows.topLeftCorner<2, 2>(), row_grades.topLeftCorner<2, 2>());
  (void)rankloss::column_lists(columns, column_grades);
  (void)rankloss::outputs{.gradient = columns.block(1, 1, 2, 2)};
#endif
}
