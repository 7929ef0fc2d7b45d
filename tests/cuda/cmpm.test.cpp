// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cmpm.hpp>

#include "cuda/support/line_checks.hpp"

#include <catch2/catch.hpp>

#include <vector>

namespace cuda_cmpm_test {

using rankloss::cmpm;

namespace {

const cmpm mild{.temperature = 0.2};
const std::vector<cmpm> options{cmpm{}, cmpm{.temperature = 0.02}, cmpm{.temperature = 0.5, .epsilon = 0.1},
                                cmpm{.temperature = 0.2, .matches_by = rankloss::match_norm::root}};

}  // namespace

TEST_CASE("cuda: cmpm of matrices at all shapes", "[lengths]") {
  cuda_support::agrees_at_all_shapes<float>(cmpm{.temperature = 0.2});
  cuda_support::agrees_at_all_shapes<double>(cmpm{});
}

TEST_CASE("cuda: cmpm of matrices with all fields and options") {
  cuda_support::lines_agree_with_all_fields(mild, options);
}

TEST_CASE("cuda: cmpm of matrices with infinite similarities and outliers") {
  cuda_support::lines_agree_at_infinity(options);
}

TEST_CASE("cuda: cmpm of matrices of floats of any size") {
  cuda_support::lines_agree_on_odd_floats(std::vector<cmpm>{
      cmpm{.temperature = 0.2}, cmpm{.temperature = 0.5, .epsilon = 0.1}, cmpm{.temperature = 1e-10},
      cmpm{.temperature = 1e10}, cmpm{.temperature = 0.2, .matches_by = rankloss::match_norm::root}});
}

TEST_CASE("cuda: cmpm of embeddings") { cuda_support::lines_agree_from_embeddings(mild, options); }

TEST_CASE("cuda: cmpm of projections, as in the paper") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::random_embeddings<double>(40, 40, 7, 2);
  in.similarity = rankloss::similarity::projection;
  cuda_support::give_classes(in, 9, 3);
  for (const cmpm& loss : options) cuda_support::agrees(loss, in, ctx);
}

}  // namespace cuda_cmpm_test
