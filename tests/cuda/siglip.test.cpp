// SPDX-License-Identifier: BSL-1.0
#include <rankloss/siglip.hpp>

#include "cuda/support/embedding_checks.hpp"
#include "cuda/support/matrix_checks.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>

namespace cuda_siglip_test {

using cuda_support::agrees;
using cuda_support::give_classes;
using cuda_support::random_embeddings;
using rankloss::directions;
using rankloss::siglip;

namespace {

template <class T>
void at_all_sizes() {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  struct size {
    std::size_t rows, columns, dimension;
    double temperature;
  };
  for (const size& s :
       {size{1, 1, 3, 0.1}, {2, 2, 1, 0.5}, {31, 31, 64, 10.0}, {33, 33, 16, 0.05}, {70, 100, 3, 0.1}}) {
    INFO(s.rows << " rows, " << s.columns << " columns, dimension " << s.dimension << ", temperature "
                << s.temperature);
    agrees(siglip{.temperature = s.temperature, .bias = -1.0 / s.temperature},
           random_embeddings<T>(s.rows, s.columns, s.dimension, 1), ctx, {},
           cuda_support::embedding_tolerance<T>(s.temperature));
  }
}

}  // namespace

TEST_CASE("cuda: siglip of embeddings at all sizes, floats", "[lengths]") { at_all_sizes<float>(); }
TEST_CASE("cuda: siglip of embeddings at all sizes, doubles", "[lengths]") { at_all_sizes<double>(); }

TEST_CASE("cuda: siglip of embeddings with classes, directions and ends of its options") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = random_embeddings<double>(35, 40, 5, 2);
  give_classes(in, 6, 3);
  for (const auto over : {directions::both, directions::rows, directions::columns})
    agrees(siglip{.over = over}, in, ctx);
  auto floats = random_embeddings<float>(5, 5, 3, 2);
  for (const siglip& loss : {siglip{.temperature = 1e-9}, siglip{.bias = 1e100}, siglip{.bias = -1e100}}) {
    INFO("temperature " << loss.temperature << ", bias " << loss.bias);
    agrees(loss, floats, ctx, {}, 1e-5);
  }
}

TEST_CASE("cuda: siglip of matrices at all shapes", "[lengths]") {
  cuda_support::agrees_at_all_shapes<float>(siglip{.bias = -3.0});
  cuda_support::agrees_at_all_shapes<double>(siglip{.bias = -3.0, .over = directions::both});
}

TEST_CASE("cuda: siglip of matrices with all fields, infinite similarities and ends of its options") {
  cuda_support::agrees_with_all_fields<double>(siglip{.bias = -5.0});
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::random_pairs<double>(6, 6, 2);
  for (const siglip& loss : {siglip{.temperature = 1e-9}, siglip{.bias = 1e100}, siglip{.bias = -1e100}}) {
    INFO("temperature " << loss.temperature << ", bias " << loss.bias);
    agrees(loss, in, ctx);
  }
  in.similarity[3] = -INFINITY;
  in.similarity[20] = INFINITY;
  in.similarity[7] = INFINITY;
  in.similarity[14] = 1e300;
  agrees(siglip{.over = directions::both}, in, ctx);
}

}  // namespace cuda_siglip_test
