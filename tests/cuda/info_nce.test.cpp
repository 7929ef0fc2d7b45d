// SPDX-License-Identifier: BSL-1.0
#include <rankloss/info_nce.hpp>

#include "cuda/support/embedding_checks.hpp"
#include "cuda/support/matrix_checks.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <vector>

namespace cuda_info_nce_test {

using cuda_support::agrees;
using cuda_support::embedding_tolerance;
using cuda_support::give_classes;
using cuda_support::host_embeddings;
using cuda_support::random_embeddings;
using rankloss::directions;
using rankloss::info_nce;
using rankloss::positive_share;

namespace {

template <class T>
void at_all_sizes() {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  struct size {
    std::size_t rows, columns, dimension;
    double temperature;
  };
  for (const size& s : {size{1, 1, 3, 0.07},
                        {2, 2, 1, 0.5},
                        {2, 2, 16, 0.01},
                        {31, 31, 64, 10.0},
                        {33, 33, 3, 0.07},
                        {64, 64, 16, 0.2},
                        {65, 65, 100, 0.01},
                        {70, 100, 64, 0.05},
                        {1, 70, 1, 1.0}}) {
    INFO(s.rows << " rows, " << s.columns << " columns, dimension " << s.dimension << ", temperature "
                << s.temperature);
    agrees(info_nce{.temperature = s.temperature}, random_embeddings<T>(s.rows, s.columns, s.dimension, 1),
           ctx, {}, embedding_tolerance<T>(s.temperature));
  }
}

}  // namespace

TEST_CASE("cuda: info_nce of embeddings at all sizes, floats", "[lengths]") { at_all_sizes<float>(); }
TEST_CASE("cuda: info_nce of embeddings at all sizes, doubles", "[lengths]") { at_all_sizes<double>(); }

TEST_CASE("cuda: info_nce of embeddings with classes and all options") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  host_embeddings<double> in = random_embeddings<double>(35, 40, 5, 2);
  give_classes(in, 6, 3);
  for (const info_nce& loss :
       {info_nce{}, info_nce{.over = directions::columns}, info_nce{.positives = positive_share::inside},
        info_nce{.positives = positive_share::separate},
        info_nce{.temperature = 0.5, .label_smoothing = 0.1, .over = directions::rows},
        info_nce{.temperature = 0.5, .positives = positive_share::separate, .positive_prior = 0.1}}) {
    INFO("positives " << static_cast<int>(loss.positives) << ", over " << static_cast<int>(loss.over)
                      << ", smoothing " << loss.label_smoothing << ", prior " << loss.positive_prior);
    agrees(loss, in, ctx);
  }
  SECTION("by index") {
    in = random_embeddings<double>(35, 40, 5, 2);
    agrees(info_nce{.temperature = 0.5, .label_smoothing = 0.1}, in, ctx);
    agrees(info_nce{.temperature = 0.5, .positives = positive_share::separate, .positive_prior = 0.1}, in,
           ctx);
    agrees(info_nce{.temperature = 0.5, .positives = positive_share::separate, .positive_prior = 0.99}, in,
           ctx);
  }
}

TEST_CASE("cuda: info_nce of matrices at all shapes", "[lengths]") {
  cuda_support::agrees_at_all_shapes<float>(info_nce{.temperature = 0.2});
  cuda_support::agrees_at_all_shapes<double>(info_nce{.positives = positive_share::separate});
}

TEST_CASE("cuda: info_nce of matrices with all fields and options") {
  cuda_support::agrees_with_all_fields<float>(info_nce{.temperature = 0.2});
  for (const info_nce& loss :
       {info_nce{.positives = positive_share::inside}, info_nce{.positives = positive_share::separate},
        info_nce{.temperature = 0.5, .label_smoothing = 0.1},
        info_nce{.temperature = 0.5, .positives = positive_share::separate, .positive_prior = 0.1}}) {
    INFO("positives " << static_cast<int>(loss.positives) << ", smoothing " << loss.label_smoothing
                      << ", prior " << loss.positive_prior);
    cuda_support::agrees_with_all_fields<double>(loss, 10, 13);
  }
}

TEST_CASE("cuda: info_nce of matrices with infinite similarities and outliers") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::random_pairs<double>(6, 6, 2);
  in.similarity[3] = -INFINITY;
  in.similarity[20] = INFINITY;
  in.similarity[7] = INFINITY;
  in.similarity[14] = 1e300;
  in.similarity[30] = -1e308;
  for (const auto share : {positive_share::outside, positive_share::inside, positive_share::separate})
    agrees(info_nce{.positives = share}, in, ctx);
}

}  // namespace cuda_info_nce_test
