// SPDX-License-Identifier: BSL-1.0
#include <rankloss/circle.hpp>

#include "cuda/support/line_checks.hpp"

#include <catch2/catch.hpp>

#include <vector>

namespace cuda_circle_test {

using rankloss::circle;

namespace {

const circle mild{.gamma = 20.0};
const std::vector<circle> options{
    circle{}, circle{.weights = rankloss::circle_weights::differentiated},
    circle{.margin = 0.25, .gamma = 2.0, .weights = rankloss::circle_weights::differentiated}};

}  // namespace

TEST_CASE("cuda: circle of matrices at all shapes", "[lengths]") {
  cuda_support::agrees_at_all_shapes<float>(circle{.gamma = 20.0});
  cuda_support::agrees_at_all_shapes<double>(circle{});
}

TEST_CASE("cuda: circle of matrices with all fields and options") {
  cuda_support::lines_agree_with_all_fields(mild, options);
}

TEST_CASE("cuda: circle of matrices with infinite similarities and outliers") {
  cuda_support::lines_agree_at_infinity(options);
}

TEST_CASE("cuda: circle of matrices of floats of any size") {
  cuda_support::lines_agree_on_odd_floats(std::vector<circle>{
      circle{.gamma = 8.0}, circle{.margin = -0.5, .gamma = 20.0},
      circle{.margin = 0.25, .gamma = 2.0, .weights = rankloss::circle_weights::differentiated},
      circle{.gamma = 1e-30}, circle{.gamma = 1e8}, circle{.margin = 1e9}});
}

TEST_CASE("cuda: circle of embeddings") { cuda_support::lines_agree_from_embeddings(mild, options); }

}  // namespace cuda_circle_test
