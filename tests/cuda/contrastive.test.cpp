// SPDX-License-Identifier: BSL-1.0
#include <rankloss/contrastive.hpp>

#include "cuda/support/embedding_checks.hpp"
#include "cuda/support/matrix_checks.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>

namespace cuda_contrastive_test {

using cuda_support::agrees;
using rankloss::contrastive;

namespace {

/// Calls visit(loss) with its options in several ways.
template <class Visit>
void for_each_option(const Visit& visit) {
  std::size_t number = 0;
  for (const contrastive& loss :
       {contrastive{}, contrastive{.form = rankloss::contrastive_form::half_square},
        contrastive{.average = rankloss::contrastive_average::active},
        contrastive{.positive_margin = 0.2, .negative_margin = 0.5, .distance = rankloss::distance::cosine},
        contrastive{.positive_margin = 0.5,
        .negative_margin = 1.5,
        .distance = rankloss::distance::squared_euclidean,
        .form = rankloss::contrastive_form::half_square,
        .average = rankloss::contrastive_average::active}}) {
    INFO("options " << number++);
    visit(loss);
  }
}

}  // namespace

TEST_CASE("cuda: contrastive of matrices at all shapes", "[lengths]") {
  cuda_support::agrees_at_all_shapes<float>(contrastive{});
  cuda_support::agrees_at_all_shapes<double>(contrastive{.form = rankloss::contrastive_form::half_square});
}

TEST_CASE("cuda: contrastive of matrices with all fields and options") {
  cuda_support::agrees_with_all_fields<float>(contrastive{});
  for_each_option(
      [](const contrastive& loss) { cuda_support::agrees_with_all_fields<double>(loss, 10, 13); });
}

TEST_CASE("cuda: contrastive of matrices with infinite similarities and outliers") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::random_pairs<double>(6, 6, 2);
  in.similarity[3] = -INFINITY;
  in.similarity[20] = INFINITY;
  in.similarity[7] = INFINITY;
  in.similarity[14] = 1e300;
  in.similarity[28] = -1e308;
  for_each_option([&](const contrastive& loss) { agrees(loss, in, ctx); });
}

TEST_CASE("cuda: contrastive of embeddings") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::random_embeddings<double>(9, 12, 4, 2);
  for_each_option([&](const contrastive& loss) { agrees(loss, in, ctx); });
  auto classes = cuda_support::random_embeddings<float>(66, 70, 8, 3);
  cuda_support::give_classes(classes, 9, 3);
  agrees(contrastive{}, classes, ctx, {}, cuda_support::embedding_tolerance<float>(0.1));
}

}  // namespace cuda_contrastive_test
