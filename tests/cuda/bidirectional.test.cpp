// SPDX-License-Identifier: BSL-1.0
#include <rankloss/bidirectional.hpp>

#include <rankloss/cuda/similarity_batch.hpp>
#include <rankloss/listnet.hpp>
#include <rankloss/metrics/ndcg.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/softmax_cross_entropy.hpp>

#include "cuda/bidirectional.hpp"
#include "cuda/support/list_checks.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace cuda_bidirectional_test {

using cuda_support::array;
using cuda_support::how;
using cuda_support::tolerance;
using rankloss::bidirectional;
using rankloss::column_relevance;
using rankloss::data_checks;
using rankloss::directions;
using rankloss::reduction;
using rankloss::cuda::context;
using softmax = bidirectional<rankloss::softmax_cross_entropy>;
using sndcg = bidirectional<rankloss::sndcg>;
using ndcg = bidirectional<rankloss::metrics::ndcg>;

namespace {

template <class T, class R>
struct host_matrix {
  std::vector<T> similarity;
  std::size_t rows = 0, columns = 0, stride = 0;
  std::vector<std::uint8_t> matches{};
  std::vector<std::int64_t> row_classes{}, column_classes{};
  std::vector<R> relevance{}, column_relevance{};
  std::vector<std::uint8_t> mask{};
  bool without_diagonal = false, extra_columns = false;
  std::vector<std::int64_t> row_ids{}, column_ids{};
  std::vector<double> row_weights{};
  std::vector<float> column_weights{};
  rankloss::reduction reduction = reduction::mean;
};

template <class T, class R>
struct device_matrix {
  explicit device_matrix(const host_matrix<T, R>& in)
      : similarity(in.similarity),
        matches(in.matches),
        row_classes(in.row_classes),
        column_classes(in.column_classes),
        relevance(in.relevance),
        column_relevance(in.column_relevance),
        mask(in.mask),
        row_ids(in.row_ids),
        column_ids(in.column_ids),
        row_weights(in.row_weights),
        column_weights(in.column_weights),
        batch{.similarity = similarity.view(),
              .rows = in.rows,
              .columns = in.columns,
              .stride = in.stride,
              .matches = matches.view(),
              .row_classes = row_classes.view(),
              .column_classes = column_classes.view(),
              .relevance = relevance.view(),
              .column_relevance = column_relevance.view(),
              .mask = mask.view(),
              .without_diagonal = in.without_diagonal,
              .extra_columns = in.extra_columns,
              .row_ids = row_ids.view(),
              .column_ids = column_ids.view(),
              .row_weights = row_weights.view(),
              .column_weights = column_weights.view(),
              .reduction = in.reduction} {}

  array<T> similarity;
  array<std::uint8_t> matches;
  array<std::int64_t> row_classes, column_classes;
  array<R> relevance, column_relevance;
  array<std::uint8_t> mask;
  array<std::int64_t> row_ids, column_ids;
  array<double> row_weights;
  array<float> column_weights;
  rankloss::cuda::similarity_batch<T, R> batch;
};

template <class T>
struct results {
  double value = 0.0;
  std::vector<T> gradient;
  std::vector<double> per_list;
};

template <class Loss, class T, class R>
results<T> on_device(const Loss& loss, const host_matrix<T, R>& in, context& ctx, const how& h = {}) {
  const device_matrix<T, R> on(in);
  const array<double> value(std::vector<double>(1, -1.0)), per_list(in.rows + in.columns);
  const array<T> gradient(
      std::vector<T>(cuda_support::derivatives_of<Loss>(in.similarity.size()), static_cast<T>(h.filled)));
  cuda_support::on_device(loss, on.batch,
                          rankloss::cuda::outputs<T>{.value = value.view(),
                                                     .gradient = gradient.view(),
                                                     .per_list = per_list.view(),
                                                     .scale = h.scale,
                                                     .update = h.update},
                          ctx);
  return {value.host()[0], gradient.host(), per_list.host()};
}

template <class Loss, class T, class R>
results<double> on_host(const Loss& loss, const host_matrix<T, R>& in, const how& h = {}) {
  const std::vector<double> similarity(in.similarity.begin(), in.similarity.end());
  results<double> out{0.0,
                      std::vector<double>(cuda_support::derivatives_of<Loss>(similarity.size()), h.filled),
                      std::vector<double>(in.rows + in.columns)};
  out.value = rankloss::evaluate(
      loss,
      rankloss::similarity_batch<double, R>{.similarity = similarity,
                                            .rows = in.rows,
                                            .columns = in.columns,
                                            .stride = in.stride,
                                            .matches = in.matches,
                                            .row_classes = in.row_classes,
                                            .column_classes = in.column_classes,
                                            .relevance = in.relevance,
                                            .column_relevance = in.column_relevance,
                                            .mask = in.mask,
                                            .without_diagonal = in.without_diagonal,
                                            .extra_columns = in.extra_columns,
                                            .row_ids = in.row_ids,
                                            .column_ids = in.column_ids,
                                            .row_weights = in.row_weights,
                                            .column_weights = in.column_weights,
                                            .reduction = in.reduction},
      {.gradient = out.gradient, .per_list = out.per_list, .scale = h.scale, .update = h.update});
  return out;
}

/// The value and the values of all lines are those of the CPU, and the gradient relative to its largest entry.
template <class Loss, class T, class R>
void agrees(const Loss& loss, const host_matrix<T, R>& in, context& ctx, const how& h = {}) {
  const results<T> device = on_device(loss, in, ctx, h);
  CHECK_NOTHROW(ctx.check());
  const results<double> host = on_host(loss, in, h);
  const auto close = [](double a, double b) {
    INFO(a << " on the device, " << b << " on the host");
    CHECK(std::abs(a - b) <= tolerance<T> * std::max(1.0, std::abs(b)));
  };
  close(device.value, host.value);
  for (std::size_t l = 0; l < host.per_list.size(); ++l) close(device.per_list[l], host.per_list[l]);
  double largest = 0.0, error = 0.0;
  for (std::size_t i = 0; i < host.gradient.size(); ++i) {
    const double g = static_cast<double>(device.gradient[i]);
    largest = std::max(largest, std::abs(host.gradient[i]));
    error = std::isnan(g) ? INFINITY : std::max(error, std::abs(g - host.gradient[i]));
  }
  INFO("largest " << largest << ", error " << error);
  CHECK(error <= tolerance<T> * largest + static_cast<double>(std::numeric_limits<T>::min()));
}

template <class T, class R>
host_matrix<T, R> random_matrix(std::size_t rows, std::size_t columns, unsigned seed, bool relevance = true,
                                std::size_t stride = 0) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  host_matrix<T, R> in{.similarity = {}, .rows = rows, .columns = columns, .stride = stride};
  for (std::size_t i = 0; i < rows * std::max(stride, columns); ++i)
    in.similarity.push_back(static_cast<T>(normal(random)));
  for (std::size_t i = 0; i < rows * columns && relevance; ++i)
    in.relevance.push_back(static_cast<R>(random() % 3 == 0 ? random() % 4 : 0));
  return in;
}

const std::vector<directions> all_directions{directions::both, directions::rows, directions::columns};

}  // namespace

TEMPLATE_TEST_CASE("cuda bidirectional: matrices of all shapes", "[lengths]", float, double) {
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
    agrees(softmax{}, random_matrix<TestType, TestType>(s.rows, s.columns, 1, true, s.stride), ctx,
           {.update = rankloss::update::add, .filled = 1.0});
  }
}

TEST_CASE("cuda bidirectional: losses and metrics with every direction and relevance of columns") {
  const cuda_support::stream own;
  context ctx(own);
  auto in = random_matrix<float, int>(35, 35, 2);
  for (const auto over : all_directions)
    for (const auto by : {column_relevance::own, column_relevance::of_rows}) {
      INFO("over " << static_cast<int>(over) << ", columns by " << static_cast<int>(by));
      agrees(sndcg{.loss = {.temperature = 0.2}, .columns_by = by, .over = over}, in, ctx);
      agrees(ndcg{.columns_by = by, .over = over}, in, ctx);
      agrees(bidirectional<rankloss::listnet>{.columns_by = by, .over = over}, in, ctx);
    }
  in.column_relevance = random_matrix<float, int>(35, 35, 3).relevance;
  agrees(sndcg{.loss = {.temperature = 0.2}}, in, ctx);
  agrees(sndcg{.loss = {.temperature = 0.2}, .columns_by = column_relevance::of_rows}, in, ctx);
}

TEST_CASE("cuda bidirectional: matches, classes, pairs that are left out") {
  const cuda_support::stream own;
  context ctx(own);
  std::mt19937 random(4);
  auto square = random_matrix<double, double>(40, 40, 4, false);
  agrees(softmax{}, square, ctx);  // by index
  auto wide = random_matrix<double, double>(30, 45, 4, false);
  wide.extra_columns = true;
  agrees(softmax{}, wide, ctx);
  for (std::size_t i = 0; i < 45; ++i) {
    if (i < 30) wide.row_ids.push_back(static_cast<std::int64_t>(i % 9));
    wide.column_ids.push_back(static_cast<std::int64_t>(i % 9));
  }
  agrees(softmax{}, wide, ctx);
  auto matched = random_matrix<double, double>(30, 45, 5, false);
  for (std::size_t p = 0; p < 30 * 45; ++p) matched.matches.push_back(random() % 5 == 0 ? 3 : 0);
  agrees(softmax{}, matched, ctx);
  for (std::size_t p = 0; p < 30 * 45; ++p) {
    matched.mask.push_back(random() % 4 > 0 ? 9 : 0);
    if (matched.mask.back() == 0) matched.similarity[p] = NAN;
  }
  for (const auto over : all_directions) agrees(softmax{.over = over}, matched, ctx, {.filled = 5.0});
  auto classes = random_matrix<double, double>(33, 33, 6, false);
  for (std::size_t i = 0; i < 33; ++i) {
    classes.row_classes.push_back(static_cast<std::int64_t>(i / 4) - 3);
    classes.column_classes.push_back(static_cast<std::int64_t>(i % 9) - 3);
  }
  agrees(softmax{}, classes, ctx);
  classes.without_diagonal = true;
  for (std::size_t i = 0; i < 33; ++i) classes.similarity[i * 34] = NAN;
  agrees(softmax{}, classes, ctx, {.filled = 5.0});
}

TEST_CASE("cuda bidirectional: reductions, weights, scale and update") {
  const cuda_support::stream own;
  context ctx(own);
  for (const auto kind : {reduction::mean, reduction::sum, reduction::mean_of_relevant})
    for (const bool weighted : {false, true})
      for (const auto over : all_directions) {
        auto in = random_matrix<double, double>(9, 12, 7);
        in.reduction = kind;
        std::fill(in.relevance.begin(), in.relevance.begin() + 12, 0.0);
        for (std::size_t i = 0; i < 9 && weighted; ++i) in.row_weights.push_back(static_cast<double>(i % 3));
        for (std::size_t j = 0; j < 12 && weighted; ++j)
          in.column_weights.push_back(static_cast<float>(j % 4));
        INFO("reduction " << static_cast<int>(kind) << ", weighted " << weighted << ", over "
                          << static_cast<int>(over));
        agrees(softmax{.over = over}, in, ctx,
               {.scale = -3.0, .update = rankloss::update::add, .filled = 1.0});
      }
}

TEST_CASE("cuda bidirectional: without rows, columns or both") {
  const cuda_support::stream own;
  context ctx(own);
  for (const auto& [rows, columns] :
       std::vector<std::pair<std::size_t, std::size_t>>{{0, 3}, {3, 0}, {0, 0}}) {
    INFO(rows << " rows, " << columns << " columns");
    agrees(softmax{}, random_matrix<double, double>(rows, columns, 1), ctx);
  }
}

TEST_CASE("cuda bidirectional: bad numbers are told as on the host, the first of them") {
  const cuda_support::stream own;
  context ctx(own);
  const auto same_words = [&](const auto& loss, auto in, const auto& spoil) {
    in.mask.assign(in.rows * in.columns, 1);
    in.mask[0] = 0;
    in.similarity[0] = NAN;
    spoil(in);
    std::string expected = "nothing";
    try {
      (void)on_host(loss, in);
    } catch (const std::invalid_argument& refused) {
      expected = refused.what();
    }
    const auto out = on_device(loss, in, ctx, {.update = rankloss::update::add, .filled = 5.0});
    CHECK(std::isnan(out.value));
    const auto all_nan = [](const auto& numbers) {
      return std::all_of(numbers.begin(), numbers.end(), [](auto x) { return std::isnan(x); });
    };
    CHECK(all_nan(out.gradient));
    CHECK(all_nan(out.per_list));
    CHECK_THROWS_WITH(ctx.check(), expected);
    CHECK_NOTHROW(ctx.check());  // it is reported once
    CHECK(ctx.checks == data_checks::on);
    agrees(softmax{}, random_matrix<float, float>(4, 5, 1), ctx);
  };
  const auto floats = random_matrix<float, float>(20, 35, 8);
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
  same_words(sndcg{}, random_matrix<float, int>(20, 35, 8), [](auto& in) { in.relevance[500] = -4; });
  ctx.checks = data_checks::off;
  auto in = floats;
  in.similarity[400] = NAN;
  (void)on_device(softmax{}, in, ctx);
  CHECK_NOTHROW(ctx.check());
  CHECK(ctx.checks == data_checks::off);
}

TEST_CASE("cuda bidirectional: shapes and options are refused in the words of the host") {
  const cuda_support::stream own;
  context ctx(own);
  const auto refused = [&](const std::function<void(host_matrix<double, double>&)>& spoil,
                           const softmax& loss = {}) {
    auto in = random_matrix<double, double>(3, 4, 1);
    spoil(in);
    std::string expected = "nothing";
    try {
      (void)on_host(loss, in);
    } catch (const std::invalid_argument& words) {
      expected = words.what();
    }
    CHECK_THROWS_WITH(on_device(loss, in, ctx), expected);
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

TEST_CASE("cuda bidirectional: the same bits on every run, and what is reserved is enough") {
  const cuda_support::stream own;
  cuda_support::counted_memory memory;
  context ctx(own, memory.resource());
  auto in = random_matrix<float, float>(40, 300, 9);
  in.mask.assign(in.rows * in.columns, 1);
  const device_matrix<float, float> on(in);
  ctx.reserve(cuda_support::scratch_bytes(softmax{}, on.batch));
  const std::size_t before = memory.allocations;
  const auto once = on_device(softmax{}, in, ctx), again = on_device(softmax{}, in, ctx);
  CHECK(once.value == again.value);
  CHECK(once.gradient == again.gradient);
  const array<double> value(1);
  cuda_support::on_device(softmax{}, on.batch, rankloss::cuda::outputs<float>{.value = value.view()}, ctx);
  CHECK(value.host()[0] == once.value);
  CHECK(memory.allocations == before);
}

}  // namespace cuda_bidirectional_test
