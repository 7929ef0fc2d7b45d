// SPDX-License-Identifier: BSL-1.0
#include <rankloss/multi_similarity.hpp>

#include "cuda/support/line_checks.hpp"

#include <catch2/catch.hpp>

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

TEST_CASE("cuda: multi_similarity of embeddings") {
  cuda_support::lines_agree_from_embeddings(mild, options);
}

}  // namespace cuda_multi_similarity_test
