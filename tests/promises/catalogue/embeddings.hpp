// SPDX-License-Identifier: BSL-1.0
#pragma once

// Losses of similarity matrices from embeddings. Which there are stands in embeddings.cpp.

#include "subjects.hpp"

#include <vector>

namespace promises {

/// Similarity losses of embeddings and of embeddings against themselves, as functions of the vectors of the
/// rows, followed by those of the columns. None where there is no Eigen. In float and double.
template <class T>
std::vector<subject<T>> embedding_subjects();

}  // namespace promises
