// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cuda/similarity_batch.hpp>

#include <rankloss/bidirectional.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/softmax_cross_entropy.hpp>

#include "cuda/support/matrix_checks.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace cuda_similarity_batch_test {

using rankloss::bidirectional;
using rankloss::column_relevance;
using rankloss::data_checks;
using rankloss::cuda::context;
using softmax = bidirectional<rankloss::softmax_cross_entropy>;
using sndcg = bidirectional<rankloss::sndcg>;

TEMPLATE_TEST_CASE("cuda similarity_batch: matrices of all shapes", "[lengths]", float, double) {
  const cuda_support::stream own;
  context ctx(own);
  struct shape {
    std::size_t rows, columns, stride;
  };
  for (const shape& s : {shape{1, 1, 0},
                         {1, 40, 0},
                         {40, 1, 3},
                         {2, 3, 0},
                         {31, 33, 35},
                         {32, 32, 0},
                         {33, 64, 0},
                         {65, 70, 0},
                         {7, 300, 301},
                         {129, 96, 0},
                         {2, 2600, 0}}) {
    INFO(s.rows << " rows, " << s.columns << " columns, stride " << s.stride);
    cuda_support::agrees(
        softmax{}, cuda_support::random_matrix<TestType, TestType>(s.rows, s.columns, 1, true, s.stride), ctx,
        {.update = rankloss::update::add, .filled = 1.0});
  }
}

TEST_CASE("cuda similarity_batch: matches, classes, pairs that are left out") {
  const cuda_support::stream own;
  context ctx(own);
  std::mt19937 random(4);
  auto square = cuda_support::random_matrix<double, double>(40, 40, 4, false);
  cuda_support::agrees(softmax{}, square, ctx);  // by index
  auto wide = cuda_support::random_matrix<double, double>(30, 45, 4, false);
  wide.extra_columns = true;
  cuda_support::agrees(softmax{}, wide, ctx);
  for (std::size_t i = 0; i < 45; ++i) {
    if (i < 30) wide.row_ids.push_back(static_cast<std::int64_t>(i % 9));
    wide.column_ids.push_back(static_cast<std::int64_t>(i % 9));
  }
  cuda_support::agrees(softmax{}, wide, ctx);
  auto matched = cuda_support::random_matrix<double, double>(30, 45, 5, false);
  for (std::size_t p = 0; p < 30 * 45; ++p) matched.matches.push_back(random() % 5 == 0 ? 3 : 0);
  cuda_support::agrees(softmax{}, matched, ctx);
  for (std::size_t p = 0; p < 30 * 45; ++p) {
    matched.mask.push_back(random() % 4 > 0 ? 9 : 0);
    if (matched.mask.back() == 0) matched.similarity[p] = NAN;
  }
  for (const auto over : cuda_support::all_directions)
    cuda_support::agrees(softmax{.over = over}, matched, ctx, {.filled = 5.0});
  auto classes = cuda_support::random_matrix<double, double>(33, 33, 6, false);
  for (std::size_t i = 0; i < 33; ++i) {
    classes.row_classes.push_back(static_cast<std::int64_t>(i / 4) - 3);
    classes.column_classes.push_back(static_cast<std::int64_t>(i % 9) - 3);
  }
  cuda_support::agrees(softmax{}, classes, ctx);
  classes.without_diagonal = true;
  for (std::size_t i = 0; i < 33; ++i) classes.similarity[i * 34] = NAN;
  cuda_support::agrees(softmax{}, classes, ctx, {.filled = 5.0});
}

TEST_CASE("cuda similarity_batch: without rows, columns or both") {
  const cuda_support::stream own;
  context ctx(own);
  for (const auto& [rows, columns] :
       std::vector<std::pair<std::size_t, std::size_t>>{{0, 3}, {3, 0}, {0, 0}}) {
    INFO(rows << " rows, " << columns << " columns");
    cuda_support::agrees(softmax{}, cuda_support::random_matrix<double, double>(rows, columns, 1), ctx);
  }
}

TEST_CASE("cuda similarity_batch: bad numbers are told as on the host, the first of them") {
  const cuda_support::stream own;
  context ctx(own);
  const auto same_words = [&](const auto& loss, auto in, const auto& spoil) {
    in.mask.assign(in.rows * in.columns, 1);
    in.mask[0] = 0;
    in.similarity[0] = NAN;
    spoil(in);
    std::string expected = "nothing";
    try {
      (void)cuda_support::on_host(loss, in);
    } catch (const std::invalid_argument& refused) {
      expected = refused.what();
    }
    const auto out = cuda_support::on_device(loss, in, ctx, {.update = rankloss::update::add, .filled = 5.0});
    CHECK(std::isnan(out.value));
    const auto all_nan = [](const auto& numbers) {
      return std::all_of(numbers.begin(), numbers.end(), [](auto x) { return std::isnan(x); });
    };
    CHECK(all_nan(out.gradient));
    CHECK(all_nan(out.per_list));
    CHECK_THROWS_WITH(ctx.check(), expected);
    CHECK_NOTHROW(ctx.check());  // it is reported once
    CHECK(ctx.checks == data_checks::on);
    cuda_support::agrees(softmax{}, cuda_support::random_matrix<float, float>(4, 5, 1), ctx);
  };
  const auto floats = cuda_support::random_matrix<float, float>(20, 35, 8);
  same_words(softmax{}, floats, [](auto& in) {
    in.row_weights.assign(20, 1.0);
    in.row_weights[7] = -1.0;
    in.column_weights.assign(35, NAN);
  });
  same_words(softmax{}, floats, [](auto& in) {
    in.column_weights.assign(35, 1.0f);
    in.column_weights[34] = INFINITY;
    in.similarity[3] = NAN;
  });
  same_words(softmax{}, floats, [](auto& in) {
    in.similarity[600] = in.similarity[400] = NAN;
    in.relevance[3] = -1.0f;
  });
  same_words(softmax{}, floats, [](auto& in) { in.relevance[500] = -1.0f; });
  same_words(softmax{}, floats, [](auto& in) { in.relevance[500] = NAN; });
  same_words(softmax{}, floats, [](auto& in) {
    in.column_relevance = in.relevance;
    in.column_relevance[300] = -2.0f;
  });
  same_words(sndcg{}, cuda_support::random_matrix<float, int>(20, 35, 8),
             [](auto& in) { in.relevance[500] = -4; });
  ctx.checks = data_checks::off;
  auto in = floats;
  in.similarity[400] = NAN;
  (void)cuda_support::on_device(softmax{}, in, ctx);
  CHECK_NOTHROW(ctx.check());
  CHECK(ctx.checks == data_checks::off);
}

TEST_CASE("cuda similarity_batch: shapes and options are refused in the words of the host") {
  const cuda_support::stream own;
  context ctx(own);
  const auto refused = [&](const std::function<void(cuda_support::host_matrix<double, double>&)>& spoil,
                           const softmax& loss = {}) {
    auto in = cuda_support::random_matrix<double, double>(3, 4, 1);
    spoil(in);
    std::string expected = "nothing";
    try {
      (void)cuda_support::on_host(loss, in);
    } catch (const std::invalid_argument& words) {
      expected = words.what();
    }
    CHECK_THROWS_WITH(cuda_support::on_device(loss, in, ctx), expected);
  };
  refused([](auto& in) { in.similarity.pop_back(); });
  refused([](auto& in) { in.stride = 2; });
  refused([](auto& in) { in.relevance.pop_back(); });
  refused([](auto& in) { in.relevance.clear(); });
  refused([](auto& in) {
    in.column_relevance = in.relevance;
    in.relevance.clear();
  });
  refused([](auto& in) { in.mask = {1}; });
  refused([](auto& in) { in.matches = {1}; });
  refused([](auto& in) { in.without_diagonal = true; });
  refused([](auto& in) { in.row_classes = {1, 2, 3}; });
  refused([](auto& in) { in.row_ids = {1, 2}; });
  refused([](auto& in) { in.row_weights = {1.0}; });
  refused([](auto& in) { in.column_weights = {1.0f}; });
  refused([](auto&) {}, {.columns_by = column_relevance::of_rows});
  refused([](auto&) {}, {.loss = {.temperature = -1.0}});
}

}  // namespace cuda_similarity_batch_test
