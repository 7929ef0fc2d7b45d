// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "matrix.hpp"

#include <Eigen/Cholesky>
#include <Eigen/SVD>

#include <algorithm>
#include <cstddef>

namespace examples {

/// What makes of features x the embedding (x - mean) * weights, before it is brought to unit length.
struct projection {
  row_vector<double> mean;  ///< [features]
  matrix<double> weights;   ///< [features, dimensions]
};

struct cca {
  projection images;
  projection captions;
};

/// fit_cca: canonical correlation analysis of images and captions (Hotelling 1936) with a ridge on both
/// covariances.
///
///     Cxx = X'X / n + ridge * trace / features * I, Cyy likewise, Cxy = X'Y / n
///           of centred rows, an image once for each caption
///     Cxx^-1/2 Cxy Cyy^-1/2 = U diag(correlations) V'
///     weights = Cxx^-1/2 U diag(correlations^power),  Cyy^-1/2 V diag(correlations^power)
///
/// The power weighs the directions by how much they correlate, as Gong et al. do for retrieval (arXiv
/// 1212.4522). Image i stands beside the captions i * c to i * c + c - 1, c of them for each image.
[[nodiscard]] inline cca fit_cca(const matrix<float>& image_features, const matrix<float>& caption_features,
                                 std::size_t dimensions, double ridge, double power) {
  const Eigen::Index c = caption_features.rows() / image_features.rows();
  const auto n = static_cast<double>(caption_features.rows());
  const matrix<double> captions = caption_features.cast<double>();
  const matrix<double> images = image_features.cast<double>();

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
  // With Cholesky factors in place of square roots the singular values and the embeddings' angles are the
  // same.
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

}  // namespace examples
