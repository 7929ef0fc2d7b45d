// SPDX-License-Identifier: BSL-1.0
#include <rankloss/nca.hpp>

#include "cuda/support/embedding_checks.hpp"
#include "cuda/support/matrix_checks.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>

namespace cuda_nca_test {

using cuda_support::agrees;
using rankloss::nca;

namespace {

/// Calls visit(loss) with its options in several ways.
template <class Visit>
void for_each_option(const Visit& visit) {
  std::size_t number = 0;
  for (const nca& loss : {nca{}, nca{.scale = 32.0, .distance = rankloss::distance::euclidean},
                          nca{.scale = 5.0, .distance = rankloss::distance::cosine}}) {
    INFO("options " << number++);
    visit(loss);
  }
}

}  // namespace

TEST_CASE("cuda: nca of matrices at all shapes", "[lengths]") {
  cuda_support::agrees_at_all_shapes<float>(nca{.scale = 8.0});
  cuda_support::agrees_at_all_shapes<double>(nca{.distance = rankloss::distance::euclidean});
}

TEST_CASE("cuda: nca of matrices with all fields and options") {
  cuda_support::agrees_with_all_fields<float>(nca{.scale = 8.0});
  for_each_option([](const nca& loss) { cuda_support::agrees_with_all_fields<double>(loss, 10, 13); });
}

TEST_CASE("cuda: nca of matrices with infinite similarities and outliers") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::random_pairs<double>(6, 6, 2);
  in.similarity[3] = -INFINITY;
  in.similarity[20] = INFINITY;
  in.similarity[7] = INFINITY;
  in.similarity[14] = 1e300;
  in.similarity[28] = -1e308;
  for_each_option([&](const nca& loss) { agrees(loss, in, ctx); });
}

TEST_CASE("cuda: nca of embeddings") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::random_embeddings<double>(9, 12, 4, 2);
  for_each_option([&](const nca& loss) { agrees(loss, in, ctx); });
  auto classes = cuda_support::random_embeddings<float>(66, 70, 8, 3);
  cuda_support::give_classes(classes, 9, 3);
  agrees(nca{.scale = 8.0}, classes, ctx, {}, cuda_support::embedding_tolerance<float>(0.1));
}

}  // namespace cuda_nca_test
