// SPDX-License-Identifier: BSL-1.0
#include <rankloss/info_nce.hpp>

#include "cuda/support/embedding_checks.hpp"
#include "cuda/support/matrix_checks.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
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

TEST_CASE("cuda: info_nce of matrices without rows or columns, and of those of which nothing takes part") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  for (const auto& [rows, columns] :
       std::vector<std::pair<std::size_t, std::size_t>>{{0, 3}, {3, 0}, {0, 0}}) {
    INFO(rows << " rows, " << columns << " columns");
    agrees(info_nce{}, cuda_support::random_pairs<double>(rows, columns, 1), ctx);
  }
  auto in = cuda_support::random_pairs<double>(4, 4, 1);
  in.mask.assign(16, 0);
  agrees(info_nce{}, in, ctx);
}

TEST_CASE("cuda: bad numbers of matrices are told as on the host, whatever the loss looks at") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  const auto same_words = [&](const auto& spoil) {
    auto in = cuda_support::random_pairs<float>(20, 35, 8);
    in.mask.assign(20 * 35, 1);
    in.mask[0] = 0;
    in.similarity[0] = NAN;
    spoil(in);
    std::string expected = "nothing";
    try {
      (void)cuda_support::on_host(info_nce{}, in);
    } catch (const std::invalid_argument& refused) {
      expected = refused.what();
    }
    const auto out =
        cuda_support::on_device(info_nce{}, in, ctx, {.update = rankloss::update::add, .filled = 5.0});
    CHECK_THROWS_WITH(ctx.check(), expected);
    CHECK_NOTHROW(ctx.check());
    CHECK(std::isnan(out.value));
    CHECK(std::isnan(out.by_temperature));
    for (const float g : out.gradient) REQUIRE(std::isnan(g));
    for (const double v : out.per_list) REQUIRE(std::isnan(v));
  };
  same_words([](auto& in) { in.similarity[600] = in.similarity[400] = NAN; });
  same_words([](auto& in) {
    in.row_weights.assign(20, 1.0);
    in.row_weights[7] = -1.0;
    in.similarity[3] = NAN;
  });
  same_words([](auto& in) { in.column_weights.assign(35, INFINITY); });
  same_words([](auto& in) {
    in.relevance.assign(20 * 35, 1.0f);
    in.relevance[30] = NAN;
  });
  agrees(info_nce{}, cuda_support::random_pairs<double>(4, 5, 1), ctx);
}

TEST_CASE("cuda: info_nce of matrices has the same bits on every run, and what is reserved is enough") {
  const cuda_support::stream own;
  cuda_support::counted_memory memory;
  rankloss::cuda::context ctx(own, memory.resource());
  auto in = cuda_support::random_pairs<float>(70, 300, 9);
  const cuda_support::device_matrix<float, float> on(in);
  ctx.reserve(cuda_support::scratch_bytes(info_nce{}, on.batch));
  const std::size_t before = memory.allocations;
  const auto once = cuda_support::on_device(info_nce{}, in, ctx),
             again = cuda_support::on_device(info_nce{}, in, ctx);
  CHECK(once.value == again.value);
  CHECK(once.gradient == again.gradient);
  // A row has the value that it has beside every other row.
  auto other = in;
  for (std::size_t p = 300; p < other.similarity.size(); ++p) other.similarity[p] = -other.similarity[p];
  CHECK(cuda_support::on_device(info_nce{}, other, ctx).per_list[0] == once.per_list[0]);
  CHECK(memory.allocations == before);
}

TEST_CASE("cuda: info_nce of matrices refuses what the host refuses, in its words") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  const auto refused = [&](const auto& spoil) {
    auto in = cuda_support::random_pairs<double>(3, 4, 1);
    spoil(in);
    std::string expected = "nothing";
    try {
      (void)cuda_support::on_host(info_nce{}, in);
    } catch (const std::invalid_argument& words) {
      expected = words.what();
    }
    CHECK_THROWS_WITH(cuda_support::on_device(info_nce{}, in, ctx), expected);
  };
  refused([](auto& in) { in.extra_columns = false; });
  refused([](auto& in) {
    in.extra_columns = false;
    in.relevance.assign(12, 1.0);  // which it does not look at
  });
  refused([](auto& in) { in.row_classes = {1, 2, 3}; });
  CHECK_THROWS_WITH(cuda_support::on_device(info_nce{.temperature = -1.0},
                                            cuda_support::random_pairs<double>(3, 3, 1), ctx),
                    Catch::Matchers::Contains("temperature: -1"));
}

TEMPLATE_TEST_CASE("cuda: info_nce corrects for how items were sampled", "", float, double) {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  const auto all_agree = [&](const auto& in, const char* what) {
    for (const info_nce& loss :
         {info_nce{.temperature = 0.3}, info_nce{.temperature = 0.3, .positives = positive_share::inside},
          info_nce{.temperature = 0.3, .positives = positive_share::separate},
          info_nce{.temperature = 0.5, .label_smoothing = 0.1, .over = directions::rows},
          info_nce{.temperature = 0.5, .positives = positive_share::separate, .positive_prior = 0.1},
          info_nce{.temperature = 0.5, .positives = positive_share::separate, .positive_prior = 0.99},
          info_nce{.temperature = 2e-7}, info_nce{.temperature = 1e8}}) {
      // In floats exponents of 1e7, and the rest of a sum of which 99 % are taken away, have no digits.
      if (sizeof(TestType) == sizeof(float) && (loss.temperature < 1e-6 || loss.positive_prior > 0.9))
        continue;
      INFO(what << ", positives " << static_cast<int>(loss.positives) << ", temperature " << loss.temperature
                << ", smoothing " << loss.label_smoothing << ", prior " << loss.positive_prior);
      agrees(loss, in, ctx);
    }
  };
  for (const double least : {1e-3, 1e-12, 1e-290}) {
    INFO("probabilities from " << least);
    auto matrix = cuda_support::random_pairs<TestType>(35, 70, 3, 71);
    cuda_support::give_probabilities(matrix, 35, 70, least, 1);
    all_agree(matrix, "a matrix by index");
    matrix.extra_columns = false;
    for (std::size_t i = 0; i < 70; ++i) {
      if (i < 35) matrix.row_classes.push_back(static_cast<std::int64_t>(i % 6));
      matrix.column_classes.push_back(static_cast<std::int64_t>(i % 7));
    }
    matrix.row_probabilities.clear();
    all_agree(matrix, "a matrix by class, columns alone");
    host_embeddings<TestType> in = random_embeddings<TestType>(35, 40, 5, 2);
    cuda_support::give_probabilities(in, 35, 40, least, 2);
    // Where few items have nearly all of the weight, gradients are differences of their vectors.
    const double tolerance = embedding_tolerance<TestType>(least < 1e-100 ? 0.1 : 1.0);
    agrees(info_nce{.temperature = 0.3}, in, ctx, {}, tolerance);
    give_classes(in, 6, 3);
    in.column_probabilities.clear();
    agrees(info_nce{.temperature = 0.3, .positives = positive_share::separate}, in, ctx, {}, tolerance);
    in = random_embeddings<TestType>(33, 0, 6, 3);
    in.extra_columns = false;
    in.without_diagonal = true;
    for (std::size_t i = 0; i < in.rows; ++i) in.row_classes.push_back(static_cast<std::int64_t>(i / 3) - 2);
    cuda_support::give_probabilities(in, 33, 0, least, 2);
    agrees(info_nce{.temperature = 0.3, .label_smoothing = 0.2}, in, ctx, {}, tolerance);
  }
}

TEST_CASE("cuda: probabilities of items are refused in the words of the host") {
  const cuda_support::stream own;
  rankloss::cuda::context ctx(own);
  const auto told = [&](const auto& in) {
    std::string expected = "nothing";
    try {
      if constexpr (requires { in.dimension; })
        (void)cuda_support::embeddings_on_host(info_nce{}, in);
      else
        (void)cuda_support::on_host(info_nce{}, in);
    } catch (const std::invalid_argument& refused) {
      expected = refused.what();
    }
    if constexpr (requires { in.dimension; }) {
      CHECK(std::isnan(cuda_support::embeddings_on_device(info_nce{}, in, ctx).value));
    } else {
      CHECK(std::isnan(cuda_support::on_device(info_nce{}, in, ctx).value));
    }
    CHECK_THROWS_WITH(ctx.check(), expected);
  };
  const auto bad_numbers = [&](auto in) {
    cuda_support::give_probabilities(in, 5, 7, 0.1, 1);
    auto bad = in;
    bad.column_probabilities[6] = 0.0;
    told(bad);
    bad.row_probabilities[2] = NAN;
    told(bad);
    bad.row_probabilities[1] = 1.5;
    told(bad);
    bad.column_weights.assign(7, -1.0f);
    told(bad);
  };
  bad_numbers(random_embeddings<double>(5, 7, 3, 1));
  bad_numbers(cuda_support::random_pairs<double>(5, 7, 1));
  auto in = random_embeddings<double>(5, 7, 3, 1);
  in.row_probabilities = {0.5};
  CHECK_THROWS_WITH(cuda_support::embeddings_on_device(info_nce{}, in, ctx),
                    Catch::Matchers::Contains("row_probabilities: size 1, expected 5 (one per row)"));
  auto matrix = cuda_support::random_pairs<double>(5, 7, 1);
  matrix.column_probabilities = {0.5};
  CHECK_THROWS_WITH(cuda_support::on_device(info_nce{}, matrix, ctx),
                    Catch::Matchers::Contains("column_probabilities: size 1, expected 7 (one per column)"));
}

}  // namespace cuda_info_nce_test
