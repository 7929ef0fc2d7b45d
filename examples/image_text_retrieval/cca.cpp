// SPDX-License-Identifier: BSL-1.0
#include "cca.hpp"

#include <Eigen/Cholesky>
#include <Eigen/SVD>

#include <algorithm>

namespace retrieval {

cca fit_cca(const pairs& train, std::size_t dimensions, double ridge, double power) {
  const auto c = static_cast<Eigen::Index>(train.captions_per_image);
  const auto n = static_cast<double>(train.caption_count());
  const matrix<double> captions = train.captions.cast<double>();
  const matrix<double> images = train.images.cast<double>();

  cca fit;
  fit.images.mean = images.colwise().mean();
  fit.captions.mean = captions.colwise().mean();
  const matrix<double> x = images.rowwise() - fit.images.mean;
  const matrix<double> y = captions.rowwise() - fit.captions.mean;

  // Each image stands beside each of its captions, so what it meets is their sum.
  matrix<double> sums(x.rows(), y.cols());
  for (Eigen::Index i = 0; i < x.rows(); ++i) sums.row(i) = y.middleRows(i * c, c).colwise().sum();
  const auto covariance = [&](const matrix<double>& a, double times) -> Eigen::MatrixXd {
    Eigen::MatrixXd product = a.transpose() * a * (times / n);
    product.diagonal().array() += ridge * product.trace() / static_cast<double>(a.cols());
    return product;
  };
  // With Cholesky factors in place of square roots the singular values and the embeddings' angles are the same.
  const Eigen::LLT<Eigen::MatrixXd> xx(covariance(x, static_cast<double>(c)));
  const Eigen::LLT<Eigen::MatrixXd> yy(covariance(y, 1.0));
  const Eigen::MatrixXd xy = x.transpose() * sums / n;
  const Eigen::MatrixXd half = xx.matrixL().solve(xy);
  const Eigen::MatrixXd whitened = yy.matrixL().solve(half.transpose()).transpose();
  const Eigen::BDCSVD<Eigen::MatrixXd> svd(whitened, Eigen::ComputeThinU | Eigen::ComputeThinV);

  const auto k = std::min(static_cast<Eigen::Index>(dimensions), svd.singularValues().size());
  const Eigen::VectorXd scale = svd.singularValues().head(k).array().pow(power);
  fit.images.weights = xx.matrixU().solve(svd.matrixU().leftCols(k)) * scale.asDiagonal();
  fit.captions.weights = yy.matrixU().solve(svd.matrixV().leftCols(k)) * scale.asDiagonal();
  return fit;
}

}  // namespace retrieval
