// SPDX-License-Identifier: BSL-1.0
#include <rankloss/triplet.hpp>

#include "cuda/support/embedding_checks.hpp"
#include "cuda/support/matrix_checks.hpp"

#include <catch2/catch.hpp>

#include <cmath>
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
                    Contains("mine: all, expected hardest"));
}

namespace {

/// All options of hinges and soft terms against the hardest negatives.
template <class Visit>
void for_each_option(const Visit& visit) {
  using rankloss::distance;
  for (const auto positives : {rankloss::mined_positives::all, rankloss::mined_positives::hardest,
                               rankloss::mined_positives::easiest})
    for (const auto form : {rankloss::triplet_form::hinge, rankloss::triplet_form::soft})
      for (const auto average : {rankloss::triplet_average::positives, rankloss::triplet_average::triplets,
                                 rankloss::triplet_average::active})
        for (const auto d : {distance::cosine, distance::euclidean, distance::squared_euclidean}) {
          INFO("positives " << static_cast<int>(positives) << ", form " << static_cast<int>(form)
                            << ", average " << static_cast<int>(average) << ", distance "
                            << static_cast<int>(d));
          visit(triplet{
              .margin = 0.3, .positives = positives, .form = form, .average = average, .distance = d});
        }
}

}  // namespace

TEST_CASE("cuda: triplet of embeddings with other options") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  host_embeddings<double> in = random_embeddings<double>(9, 12, 3, 2);
  give_classes(in, 4, 3);
  agrees(triplet{.form = rankloss::triplet_form::soft, .distance = rankloss::distance::euclidean}, in, ctx);
  agrees(triplet{.positives = rankloss::mined_positives::hardest,
                 .average = rankloss::triplet_average::active,
                 .distance = rankloss::distance::squared_euclidean},
         in, ctx);
}

TEST_CASE("cuda: triplet of matrices at all shapes", "[lengths]") {
  cuda_support::agrees_at_all_shapes<float>(triplet{});
  cuda_support::agrees_at_all_shapes<double>(triplet{.form = rankloss::triplet_form::soft});
}

TEST_CASE("cuda: triplet of matrices with other mining at all shapes", "[lengths]") {
  using rankloss::mining;
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  for (const std::size_t columns : {1, 7, 33, 70, 129, 513}) {
    INFO(columns << " columns");
    auto in = cuda_support::random_matrix<float, float>(3, columns, 3, false);
    for (std::size_t p = 0; p < 3 * columns; ++p) in.matches.push_back(p % 5 == 0 ? 1 : 0);
    for (const auto mine : {mining::all, mining::semi_hard}) agrees(triplet{.mine = mine}, in, ctx);
  }
  auto longest = cuda_support::random_matrix<double, double>(1, 2100, 3, false);
  longest.extra_columns = true;
  agrees(triplet{.margin = 0.5, .mine = mining::all, .form = rankloss::triplet_form::soft}, longest, ctx);
}

TEST_CASE("cuda: triplet of matrices with all mining") {
  using rankloss::mining;
  for (const auto mine : {mining::all, mining::semi_hard_or_easiest}) {
    INFO("mining " << static_cast<int>(mine));
    cuda_support::agrees_with_all_fields<double>(triplet{.mine = mine}, 10, 13);
  }
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::random_matrix<double, double>(9, 12, 2, false);
  std::mt19937 random(1);
  for (double& s : in.similarity) s = static_cast<double>(random() % 13) / 10.0;
  for (std::size_t p = 0; p < 9 * 12; ++p) in.matches.push_back(random() % 3 == 0 ? 1 : 0);
  in.relevance =
      cuda_support::random_matrix<double, double>(9, 12, 3).relevance;  // which it does not look at
  for (const bool infinite : {false, true}) {
    for (std::size_t p = 0; infinite && p < 9 * 12; ++p)
      if (random() % 5 == 0) in.similarity[p] = in.matches[p] != 0 ? INFINITY : -INFINITY;
    unsigned number = 0;
    for_each_option([&](const triplet& loss) {
      triplet mined = loss;
      mined.dimension = 4;
      constexpr mining others[] = {mining::all, mining::semi_hard, mining::semi_hard_or_easiest,
                                   mining::all_semi_hard, mining::distance_weighted};
      mined.mine = others[number++ % 5];
      agrees(mined, in, ctx);
    });
  }
}

TEST_CASE("cuda: triplet of matrices with all fields and options") {
  cuda_support::agrees_with_all_fields<float>(triplet{});
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  auto in = cuda_support::random_matrix<double, double>(9, 12, 2, false);
  std::mt19937 random(1);
  for (double& s : in.similarity) s = static_cast<double>(random() % 13) / 10.0;  // ties, and some above 1
  for (std::size_t p = 0; p < 9 * 12; ++p) in.matches.push_back(random() % 3 == 0 ? 1 : 0);
  for_each_option([&](const triplet& loss) { agrees(loss, in, ctx); });
  // Negatives of -infinity are absent, and positives of infinity never fall short.
  for (std::size_t p = 0; p < 9 * 12; ++p)
    if (random() % 5 == 0) in.similarity[p] = in.matches[p] != 0 ? INFINITY : -INFINITY;
  for_each_option([&](const triplet& loss) { agrees(loss, in, ctx); });
}

}  // namespace cuda_triplet_test
