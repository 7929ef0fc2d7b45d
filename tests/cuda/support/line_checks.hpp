// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "cuda/support/embedding_checks.hpp"
#include "cuda/support/matrix_checks.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
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

/// Similarities of floats of any size, spread and number of ties, most lines with others than their
/// neighbours.
template <class Loss>
void lines_agree_on_odd_floats(const std::vector<Loss>& options) {
  const stream own;
  rankloss::cuda::context ctx(own);
  std::mt19937 random(7);
  for (const float spread : {0.0f, 1e-42f, 1e-30f, 1e-4f, 1.0f, 12.0f, 1e3f, 1e6f, 1e12f, 1e20f, 3e37f})
    for (const float centre : {0.0f, 0.875f, -3.0f}) {
      auto in = random_pairs<float>(9, 40, static_cast<unsigned>(random() % 1000));
      if (random() % 2 == 0) {
        in.extra_columns = false;
        for (std::size_t i = 0; i < 9; ++i) in.row_classes.push_back(static_cast<std::int64_t>(i % 3));
        for (std::size_t j = 0; j < 40; ++j)
          in.column_classes.push_back(static_cast<std::int64_t>(random() % 4));
      }
      const bool tied = random() % 2 == 0;
      for (std::size_t p = 0; p < in.similarity.size(); ++p) {
        float& s = in.similarity[p];
        if (tied) s = std::rint(s * 2.0f) * 0.5f;
        if (p / 40 % 3 != 2) s *= spread;
        s += centre;
      }
      if (random() % 2 == 0)
        for (std::size_t i = 0; i < 9; ++i)
          in.row_weights.push_back(std::pow(10.0, static_cast<double>(random() % 61) - 30.0));
      INFO("spread " << spread << ", centre " << centre << ", tied " << tied << ", by class "
                     << !in.row_classes.empty() << ", weighted " << !in.row_weights.empty());
      for_each_of(options, [&](const Loss& loss) {
        const std::vector<double> slopes = on_host(loss, in).gradient;
        if (std::all_of(slopes.begin(), slopes.end(), [](double g) { return std::abs(g) < 3e38; }))
          agrees(loss, in, ctx);
      });
    }
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
