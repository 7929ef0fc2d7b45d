// SPDX-License-Identifier: BSL-1.0
#include <rankloss/nca.hpp>

#include "cuda/support/line_checks.hpp"

#include <catch2/catch.hpp>

#include <vector>

namespace cuda_nca_test {

using rankloss::nca;

namespace {

const nca mild{.scale = 8.0};
const std::vector<nca> options{nca{}, nca{.scale = 32.0, .distance = rankloss::distance::euclidean},
                               nca{.scale = 5.0, .distance = rankloss::distance::cosine}};

}  // namespace

TEST_CASE("cuda: nca of matrices at all shapes", "[lengths]") {
  cuda_support::agrees_at_all_shapes<float>(nca{.scale = 8.0});
  cuda_support::agrees_at_all_shapes<double>(nca{.distance = rankloss::distance::euclidean});
}

TEST_CASE("cuda: nca of matrices with all fields and options") {
  cuda_support::lines_agree_with_all_fields(mild, options);
}

TEST_CASE("cuda: nca of matrices with infinite similarities and outliers") {
  cuda_support::lines_agree_at_infinity(options);
}

TEST_CASE("cuda: nca of matrices of floats of any size") {
  cuda_support::lines_agree_on_odd_floats(
      std::vector<nca>{nca{.scale = 4.0}, nca{.scale = 8.0, .distance = rankloss::distance::euclidean},
                       nca{.scale = 5.0, .distance = rankloss::distance::cosine}, nca{.scale = 1e-30},
                       nca{.scale = 1e9}, nca{.scale = 1e-10, .distance = rankloss::distance::euclidean}});
}

TEST_CASE("cuda: nca of embeddings") { cuda_support::lines_agree_from_embeddings(mild, options); }

}  // namespace cuda_nca_test
