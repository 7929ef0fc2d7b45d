// SPDX-License-Identifier: BSL-1.0
#pragma once

// Six embeddings of two classes, for the losses of pytorch-metric-learning (KevinMusgrave at 216a792, version
// 2.8.1, in float32), which take embeddings: their cosines, and what a gradient by the cosines is as one by
// the embeddings.

#include <rankloss/batch.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace peers {

inline constexpr std::size_t embeddings = 6;
inline constexpr std::size_t embedding_size = 4;

using embedded = std::array<double, embeddings * embedding_size>;

inline constexpr embedded embedding{-0.137088299, -0.534879506, 0.739387453,  0.385249197,   -0.438117087,
                                    0.568129539,  0.686936677,  0.115759231,  -0.489683896,  0.850463212,
                                    -0.156733349, 0.111159988,  0.387196213,  0.534168422,   0.43789193,
                                    0.610732138,  -0.61089462,  0.638353467,  -0.0805407763, 0.461330473,
                                    0.181912214,  -0.422392815, -0.887911618, 0.0102649685};  // [6, 4]
inline constexpr std::array<int, embeddings> embedding_classes{0, 0, 0, 1, 1, 1};

/// A value of a peer, and its gradient by the embeddings.
struct of_embeddings {
  double value;
  embedded gradient;
};

/// The embeddings divided by their lengths.
inline embedded directions_of_embeddings() {
  embedded u = embedding;
  for (std::size_t i = 0; i < embeddings; ++i) {
    double square = 0.0;
    for (std::size_t k = 0; k < embedding_size; ++k)
      square += u[i * embedding_size + k] * u[i * embedding_size + k];
    for (std::size_t k = 0; k < embedding_size; ++k) u[i * embedding_size + k] /= std::sqrt(square);
  }
  return u;
}

/// The cosines of the embeddings with each other, [6, 6].
inline std::vector<double> embedding_cosines() {
  const embedded u = directions_of_embeddings();
  std::vector<double> s(embeddings * embeddings, 0.0);
  for (std::size_t i = 0; i < embeddings; ++i)
    for (std::size_t j = 0; j < embeddings; ++j)
      for (std::size_t k = 0; k < embedding_size; ++k)
        s[i * embeddings + j] += u[i * embedding_size + k] * u[j * embedding_size + k];
  return s;
}

/// The cosines as a batch of items with themselves, whose pairs of equal class match.
inline rankloss::similarity_batch<double> embedding_batch(const std::vector<double>& cosines) {
  return {.similarity = cosines,
          .rows = embeddings,
          .columns = embeddings,
          .row_classes = embedding_classes,
          .column_classes = embedding_classes,
          .without_diagonal = true};
}

/// The gradient by the embeddings from the one by their cosines.
inline embedded by_embeddings(std::span<const double> by_cosines) {
  const embedded u = directions_of_embeddings();
  embedded g{};
  for (std::size_t i = 0; i < embeddings; ++i) {
    double along = 0.0;
    double length = 0.0;
    for (std::size_t k = 0; k < embedding_size; ++k) {
      double& slope = g[i * embedding_size + k];
      for (std::size_t j = 0; j < embeddings; ++j)
        slope +=
            (by_cosines[i * embeddings + j] + by_cosines[j * embeddings + i]) * u[j * embedding_size + k];
      along += slope * u[i * embedding_size + k];
      length += embedding[i * embedding_size + k] * embedding[i * embedding_size + k];
    }
    for (std::size_t k = 0; k < embedding_size; ++k)
      g[i * embedding_size + k] =
          (g[i * embedding_size + k] - along * u[i * embedding_size + k]) / std::sqrt(length);
  }
  return g;
}

/// Checks the gradient by the cosines against a peer's by the embeddings, up to the digits of float32.
inline void check_by_embeddings(std::span<const double> by_cosines, const of_embeddings& expected) {
  const embedded g = by_embeddings(by_cosines);
  double largest = 0.0;
  for (const double x : expected.gradient) largest = std::max(largest, std::abs(x));
  for (std::size_t k = 0; k < g.size(); ++k)
    CHECK(g[k] == Approx(expected.gradient[k]).margin(1e-5 * largest));
}

}  // namespace peers
