// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "cuda/support/embedding_checks.hpp"
#include "cuda/support/matrix_checks.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <vector>

/// What a loss of the rows and columns of a matrix is held to, given its options in several ways; `mild` has slopes
/// that are small enough for the bounds of floats.
namespace cuda_support {

template <class Loss, class Visit>
void for_each_of(const std::vector<Loss>& options, const Visit& visit) {
  std::size_t number = 0;
  for (const Loss& loss : options) {
    INFO("options " << number++);
    visit(loss);
  }
}

template <class Loss>
void lines_agree_with_all_fields(const Loss& mild, const std::vector<Loss>& options) {
  agrees_with_all_fields<float>(mild);
  for_each_of(options, [](const Loss& loss) { agrees_with_all_fields<double>(loss, 10, 13); });
}

template <class Loss>
void lines_agree_at_infinity(const std::vector<Loss>& options) {
  const stream own;
  rankloss::cuda::context ctx(own);
  auto in = random_pairs<double>(6, 6, 2);
  in.similarity[3] = -INFINITY;
  in.similarity[20] = INFINITY;
  in.similarity[7] = INFINITY;
  in.similarity[14] = 1e300;
  in.similarity[28] = -1e308;
  for_each_of(options, [&](const Loss& loss) { agrees(loss, in, ctx); });
}

template <class Loss>
void lines_agree_from_embeddings(const Loss& mild, const std::vector<Loss>& options) {
  const stream own;
  rankloss::cuda::context ctx(own);
  auto in = random_embeddings<double>(9, 12, 4, 2);
  for_each_of(options, [&](const Loss& loss) { agrees(loss, in, ctx); });
  auto classes = random_embeddings<float>(66, 70, 8, 3);
  give_classes(classes, 9, 3);
  agrees(mild, classes, ctx, {}, embedding_tolerance<float>(0.1));
}

}  // namespace cuda_support
