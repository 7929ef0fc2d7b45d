// SPDX-License-Identifier: BSL-1.0
#include <rankloss/circle.hpp>

#include "cuda/support/embedding_checks.hpp"
#include "cuda/support/matrix_checks.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>

namespace cuda_circle_test {

using cuda_support::agrees;
using rankloss::circle;

namespace {

/// Calls visit(loss) with its options in several ways.
template <class Visit>
void for_each_option(const Visit& visit) {
  std::size_t number = 0;
  for (const circle& loss :
       {circle{}, circle{.weights = rankloss::circle_weights::differentiated},
        circle{.margin = 0.25, .gamma = 2.0, .weights = rankloss::circle_weights::differentiated}}) {
    INFO("options " << number++);
    visit(loss);
  }
}

}  // namespace

TEST_CASE("cuda: circle of matrices at all shapes", "[lengths]") {
  cuda_support::agrees_at_all_shapes<float>(circle{.gamma = 20.0});
  cuda_support::agrees_at_all_shapes<double>(circle{});
}

TEST_CASE("cuda: circle of matrices with all fields and options") {
  cuda_support::agrees_with_all_fields<float>(circle{.gamma = 20.0});
  for_each_option([](const circle& loss) { cuda_support::agrees_with_all_fields<double>(loss, 10, 13); });
}

TEST_CASE("cuda: circle of matrices with infinite similarities and outliers") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::random_pairs<double>(6, 6, 2);
  in.similarity[3] = -INFINITY;
  in.similarity[20] = INFINITY;
  in.similarity[7] = INFINITY;
  in.similarity[14] = 1e300;
  in.similarity[28] = -1e308;
  for_each_option([&](const circle& loss) { agrees(loss, in, ctx); });
}

TEST_CASE("cuda: circle of embeddings") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::random_embeddings<double>(9, 12, 4, 2);
  for_each_option([&](const circle& loss) { agrees(loss, in, ctx); });
  auto classes = cuda_support::random_embeddings<float>(66, 70, 8, 3);
  cuda_support::give_classes(classes, 9, 3);
  agrees(circle{.gamma = 20.0}, classes, ctx, {}, cuda_support::embedding_tolerance<float>(0.1));
}

}  // namespace cuda_circle_test
