// SPDX-License-Identifier: BSL-1.0
#include <rankloss/contrastive.hpp>

#include "cuda/support/line_checks.hpp"

#include <catch2/catch.hpp>

#include <vector>

namespace cuda_contrastive_test {

using rankloss::contrastive;

namespace {

const contrastive mild{};
const std::vector<contrastive> options{
    contrastive{}, contrastive{.form = rankloss::contrastive_form::half_square},
    contrastive{.average = rankloss::contrastive_average::active},
    contrastive{.positive_margin = 0.2, .negative_margin = 0.5, .distance = rankloss::distance::cosine},
    contrastive{.positive_margin = 0.5,
                .negative_margin = 1.5,
                .distance = rankloss::distance::squared_euclidean,
                .form = rankloss::contrastive_form::half_square,
                .average = rankloss::contrastive_average::active}};

}  // namespace

TEST_CASE("cuda: contrastive of matrices at all shapes", "[lengths]") {
  cuda_support::agrees_at_all_shapes<float>(contrastive{});
  cuda_support::agrees_at_all_shapes<double>(contrastive{.form = rankloss::contrastive_form::half_square});
}

TEST_CASE("cuda: contrastive of matrices with all fields and options") {
  cuda_support::lines_agree_with_all_fields(mild, options);
}

TEST_CASE("cuda: contrastive of matrices with infinite similarities and outliers") {
  cuda_support::lines_agree_at_infinity(options);
}

TEST_CASE("cuda: contrastive of matrices of floats of any size") {
  cuda_support::lines_agree_on_odd_floats(
      std::vector<contrastive>{contrastive{}, contrastive{.form = rankloss::contrastive_form::half_square},
                               contrastive{.positive_margin = 0.125,
                                           .negative_margin = 0.5,
                                           .distance = rankloss::distance::cosine,
                                           .average = rankloss::contrastive_average::active},
                               contrastive{.positive_margin = 0.25,
                                           .negative_margin = 2.25,
                                           .distance = rankloss::distance::squared_euclidean,
                                           .form = rankloss::contrastive_form::half_square},
                               contrastive{.positive_margin = -1e9, .negative_margin = 1e9}});
}

TEST_CASE("cuda: contrastive of embeddings") { cuda_support::lines_agree_from_embeddings(mild, options); }

}  // namespace cuda_contrastive_test
