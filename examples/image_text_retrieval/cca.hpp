// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "data.hpp"

namespace retrieval {

/// What makes of features x the embedding (x - mean) * weights, before it is brought to unit length.
struct projection {
  row_vector<double> mean;  ///< [features]
  matrix<double> weights;   ///< [features, dimensions]
};

struct cca {
  projection images;
  projection captions;
};

/// fit_cca: canonical correlation analysis of images and captions (Hotelling 1936) with a ridge on both covariances.
///
///     Cxx = X'X / n + ridge * trace / features * I, Cyy likewise, Cxy = X'Y / n       of centred rows, an image once for each caption
///     Cxx^-1/2 Cxy Cyy^-1/2 = U diag(correlations) V'
///     weights = Cxx^-1/2 U diag(correlations^power),  Cyy^-1/2 V diag(correlations^power)
///
/// The power weighs the directions by how much they correlate, as Gong et al. do for retrieval (arXiv 1212.4522).
[[nodiscard]] cca fit_cca(const pairs& train, std::size_t dimensions, double ridge, double power);

}  // namespace retrieval
