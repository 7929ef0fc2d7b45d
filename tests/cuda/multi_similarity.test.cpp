// SPDX-License-Identifier: BSL-1.0
#include <rankloss/multi_similarity.hpp>

#include "cuda/support/line_checks.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <vector>

namespace cuda_multi_similarity_test {

using rankloss::multi_similarity;

namespace {

const multi_similarity mild{.beta = 20.0};
const std::vector<multi_similarity> options{
    multi_similarity{}, multi_similarity{.epsilon = 0.1}, multi_similarity{.epsilon = 0.0},
    multi_similarity{.alpha = 5.0, .beta = 1.0, .base = -0.5, .epsilon = 1.0}};

}  // namespace

TEST_CASE("cuda: multi_similarity of matrices at all shapes", "[lengths]") {
  cuda_support::agrees_at_all_shapes<float>(multi_similarity{.beta = 20.0});
  cuda_support::agrees_at_all_shapes<double>(multi_similarity{.epsilon = 0.3});
}

TEST_CASE("cuda: multi_similarity of matrices with all fields and options") {
  cuda_support::lines_agree_with_all_fields(mild, options);
}

TEST_CASE("cuda: multi_similarity of matrices with infinite similarities and outliers") {
  cuda_support::lines_agree_at_infinity(options);
}

TEST_CASE("cuda: multi_similarity of matrices of floats of any size") {
  cuda_support::lines_agree_on_odd_floats(std::vector<multi_similarity>{
      multi_similarity{.beta = 20.0}, multi_similarity{.epsilon = 0.1}, multi_similarity{.epsilon = 0.0},
      multi_similarity{.alpha = 1e-30, .beta = 5.0, .base = -0.5, .epsilon = 1e20},
      multi_similarity{.alpha = 1e8, .base = 1e9}});
}

TEST_CASE("cuda: multi_similarity of floats beside the bounds of hard pairs") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  // 0.5 + 0.1 and 0.5 - 0.1 are no floats: a positive and a negative just inside them are hard.
  auto in = cuda_support::random_pairs<float>(1, 4, 1);
  in.extra_columns = false;
  in.matches = {1, 1, 0, 0};
  in.similarity = {0.5f, std::nextafter(0.6f, 0.0f), 0.5f, std::nextafter(0.4f, 0.0f)};
  cuda_support::agrees(multi_similarity{.epsilon = 0.1, .over = rankloss::directions::rows}, in, ctx);
  in.similarity[3] = 0.4f;
  cuda_support::agrees(multi_similarity{.epsilon = 0.1, .over = rankloss::directions::rows}, in, ctx);
}

TEST_CASE("cuda: multi_similarity of embeddings") {
  cuda_support::lines_agree_from_embeddings(mild, options);
}

}  // namespace cuda_multi_similarity_test
