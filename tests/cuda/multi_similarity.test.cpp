// SPDX-License-Identifier: BSL-1.0
#include <rankloss/multi_similarity.hpp>

#include "cuda/support/embedding_checks.hpp"
#include "cuda/support/matrix_checks.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>

namespace cuda_multi_similarity_test {

using cuda_support::agrees;
using rankloss::multi_similarity;

namespace {

/// Calls visit(loss) with its options in several ways.
template <class Visit>
void for_each_option(const Visit& visit) {
  std::size_t number = 0;
  for (const multi_similarity& loss :
       {multi_similarity{}, multi_similarity{.epsilon = 0.1}, multi_similarity{.epsilon = 0.0},
        multi_similarity{.alpha = 5.0, .beta = 1.0, .base = -0.5, .epsilon = 1.0}}) {
    INFO("options " << number++);
    visit(loss);
  }
}

}  // namespace

TEST_CASE("cuda: multi_similarity of matrices at all shapes", "[lengths]") {
  cuda_support::agrees_at_all_shapes<float>(multi_similarity{.beta = 20.0});
  cuda_support::agrees_at_all_shapes<double>(multi_similarity{.epsilon = 0.3});
}

TEST_CASE("cuda: multi_similarity of matrices with all fields and options") {
  cuda_support::agrees_with_all_fields<float>(multi_similarity{.beta = 20.0});
  for_each_option(
      [](const multi_similarity& loss) { cuda_support::agrees_with_all_fields<double>(loss, 10, 13); });
}

TEST_CASE("cuda: multi_similarity of matrices with infinite similarities and outliers") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::random_pairs<double>(6, 6, 2);
  in.similarity[3] = -INFINITY;
  in.similarity[20] = INFINITY;
  in.similarity[7] = INFINITY;
  in.similarity[14] = 1e300;
  in.similarity[28] = -1e308;
  for_each_option([&](const multi_similarity& loss) { agrees(loss, in, ctx); });
}

TEST_CASE("cuda: multi_similarity of embeddings") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::random_embeddings<double>(9, 12, 4, 2);
  for_each_option([&](const multi_similarity& loss) { agrees(loss, in, ctx); });
  auto classes = cuda_support::random_embeddings<float>(66, 70, 8, 3);
  cuda_support::give_classes(classes, 9, 3);
  agrees(multi_similarity{.beta = 20.0}, classes, ctx, {}, cuda_support::embedding_tolerance<float>(0.1));
}

}  // namespace cuda_multi_similarity_test
