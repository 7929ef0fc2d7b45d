// SPDX-License-Identifier: BSL-1.0
#include <rankloss/triplet.hpp>

#include "cuda/support/embedding_checks.hpp"

#include <catch2/catch.hpp>

#include <cstddef>
#include <random>

namespace cuda_triplet_test {

using Catch::Matchers::Contains;
using cuda_support::agrees;
using cuda_support::give_classes;
using cuda_support::host_embeddings;
using cuda_support::random_embeddings;
using rankloss::directions;
using rankloss::triplet;

namespace {

template <class T>
void at_all_sizes() {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  struct size {
    std::size_t rows, columns, dimension;
  };
  for (const size& s : {size{1, 1, 3}, {2, 2, 16}, {33, 33, 64}, {70, 100, 3}}) {
    INFO(s.rows << " rows, " << s.columns << " columns, dimension " << s.dimension);
    agrees(triplet{}, random_embeddings<T>(s.rows, s.columns, s.dimension, 1), ctx);
  }
}

}  // namespace

TEST_CASE("cuda: triplet of embeddings at all sizes, floats", "[lengths]") { at_all_sizes<float>(); }
TEST_CASE("cuda: triplet of embeddings at all sizes, doubles", "[lengths]") { at_all_sizes<double>(); }

TEST_CASE("cuda: triplet of embeddings with classes and directions") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  host_embeddings<double> in = random_embeddings<double>(35, 40, 5, 2);
  give_classes(in, 6, 3);
  for (const auto over : {directions::both, directions::rows, directions::columns})
    agrees(triplet{.margin = 0.5, .over = over}, in, ctx);
}

TEST_CASE("cuda: triplet of embeddings with equally hard negatives") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  // Products of small whole numbers are exact, and many of them are equal.
  std::mt19937 random(1);
  host_embeddings<float> in = random_embeddings<float>(20, 70, 3, 2);
  in.similarity = rankloss::similarity::dot;
  for (auto* numbers : {&in.x, &in.y})
    for (float& x : *numbers) x = static_cast<float>(random() % 3);
  agrees(triplet{.margin = 1.0}, in, ctx);
  give_classes(in, 5, 3);
  agrees(triplet{.margin = 1.0}, in, ctx);
}

TEST_CASE("cuda: triplet refuses what has no kernel") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  CHECK_THROWS_WITH(cuda_support::embeddings_on_device(triplet{.mine = rankloss::mining::all},
                                                       random_embeddings<float>(2, 2, 1, 1), ctx),
                    Contains("triplet: options that have no kernel"));
}

}  // namespace cuda_triplet_test
