// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/bidirectional.hpp>
#include <rankloss/cuda/similarity_batch.hpp>
#include <rankloss/evaluate.hpp>

#include "cuda/support/list_checks.hpp"
#include "cuda/support/matrices_on_device.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

/// What every loss of matrices on the device is held to: to write what the loss writes on the CPU.
namespace cuda_support {

/// A matrix in the memory of the host. Empty vectors are fields that are not given.
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
  std::vector<double> row_probabilities{}, column_probabilities{};
  std::vector<double> row_weights{};
  std::vector<float> column_weights{};
  rankloss::reduction reduction = rankloss::reduction::mean;
};

/// Its arrays on the device, and views of them.
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
        row_probabilities(in.row_probabilities),
        column_probabilities(in.column_probabilities),
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
              .row_probabilities = row_probabilities.view(),
              .column_probabilities = column_probabilities.view(),
              .row_weights = row_weights.view(),
              .column_weights = column_weights.view(),
              .reduction = in.reduction} {}

  array<T> similarity;
  array<std::uint8_t> matches;
  array<std::int64_t> row_classes, column_classes;
  array<R> relevance, column_relevance;
  array<std::uint8_t> mask;
  array<std::int64_t> row_ids, column_ids;
  array<double> row_probabilities, column_probabilities;
  array<double> row_weights;
  array<float> column_weights;
  rankloss::cuda::similarity_batch<T, R> batch;
};

/// What a call writes.
template <class T>
struct matrix_results : results<T> {
  double by_temperature = 0.0, by_bias = 0.0;
};

struct matrix_how {
  double scale = 1.0;
  rankloss::update update = rankloss::update::overwrite;
  double filled = 0.0;  ///< what is in the derivatives before
  std::size_t panel_rows = 0;
};

template <class Loss, class T, class R>
[[nodiscard]] matrix_results<T> on_device(const Loss& loss, const host_matrix<T, R>& in,
                                          rankloss::cuda::context& ctx, const matrix_how& h = {}) {
  const device_matrix<T, R> on(in);
  const array<double> value(std::vector<double>(1, -1.0)), per_list(in.rows + in.columns);
  const array<T> gradient(
      std::vector<T>(derivatives_of<Loss>(in.similarity.size()), static_cast<T>(h.filled)));
  const array<double> by_temperature(std::vector<double>(1, h.filled)),
      by_bias(std::vector<double>(1, h.filled));
  rankloss::cuda::outputs<T> out{.value = value.view(),
                                 .gradient = gradient.view(),
                                 .per_list = per_list.view(),
                                 .scale = h.scale,
                                 .update = h.update};
  if constexpr (rankloss::detail::gives_temperature_gradient<Loss>)
    out.temperature_gradient = by_temperature.view();
  if constexpr (rankloss::detail::gives_bias_gradient<Loss>) out.bias_gradient = by_bias.view();
  on_device(loss, on.batch, out, ctx, h.panel_rows);
  return {{value.host()[0], gradient.host(), per_list.host()}, by_temperature.host()[0], by_bias.host()[0]};
}

template <class Loss, class T, class R>
[[nodiscard]] matrix_results<double> on_host(const Loss& loss, const host_matrix<T, R>& in,
                                             const matrix_how& h = {}) {
  const std::vector<double> similarity(in.similarity.begin(), in.similarity.end());
  matrix_results<double> out{{0.0, std::vector<double>(derivatives_of<Loss>(similarity.size()), h.filled),
                              std::vector<double>(in.rows + in.columns)},
                             h.filled,
                             h.filled};
  rankloss::outputs to{
      .gradient = out.gradient, .per_list = out.per_list, .scale = h.scale, .update = h.update};
  if constexpr (rankloss::detail::gives_temperature_gradient<Loss>)
    to.temperature_gradient = &out.by_temperature;
  if constexpr (rankloss::detail::gives_bias_gradient<Loss>) to.bias_gradient = &out.by_bias;
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
                                            .row_probabilities = in.row_probabilities,
                                            .column_probabilities = in.column_probabilities,
                                            .row_weights = in.row_weights,
                                            .column_weights = in.column_weights,
                                            .reduction = in.reduction},
      to);
  return out;
}

/// The value and the values of all lines are those of the CPU, and the gradient relative to its largest entry.
template <class Loss, class T, class R>
void agrees(const Loss& loss, const host_matrix<T, R>& in, rankloss::cuda::context& ctx,
            const matrix_how& h = {}) {
  const matrix_results<T> device = on_device(loss, in, ctx, h);
  CHECK_NOTHROW(ctx.check());
  const matrix_results<double> host = on_host(loss, in, h);
  const auto close = [](double a, double b) {
    INFO(a << " on the device, " << b << " on the host");
    CHECK(std::abs(a - b) <= tolerance<T> * std::max(1.0, std::abs(b)));
  };
  close(device.value, host.value);
  close(device.by_temperature, host.by_temperature);
  close(device.by_bias, host.by_bias);
  for (std::size_t l = 0; l < host.per_list.size(); ++l) close(device.per_list[l], host.per_list[l]);
  double largest = 0.0, error = 0.0;
  for (std::size_t i = 0; i < host.gradient.size(); ++i) {
    const double g = static_cast<double>(device.gradient[i]);
    largest = std::max(largest, std::abs(host.gradient[i]));
    error = std::isfinite(g) && std::isfinite(host.gradient[i])
                ? std::max(error, std::abs(g - host.gradient[i]))
                : INFINITY;
  }
  INFO("largest " << largest << ", error " << error);
  CHECK(error <= tolerance<T> * largest + static_cast<double>(std::numeric_limits<T>::min()));
}

template <class T, class R>
[[nodiscard]] host_matrix<T, R> random_matrix(std::size_t rows, std::size_t columns, unsigned seed,
                                              bool relevance = true, std::size_t stride = 0) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  host_matrix<T, R> in{.similarity = {}, .rows = rows, .columns = columns, .stride = stride};
  for (std::size_t i = 0; i < rows * std::max(stride, columns); ++i)
    in.similarity.push_back(static_cast<T>(normal(random)));
  for (std::size_t i = 0; i < rows * columns && relevance; ++i)
    in.relevance.push_back(static_cast<R>(random() % 3 == 0 ? random() % 4 : 0));
  return in;
}

/// A matrix whose pairs of the same index match, on the diagonal a little more similar.
template <class T>
[[nodiscard]] host_matrix<T, T> random_pairs(std::size_t rows, std::size_t columns, unsigned seed,
                                             std::size_t stride = 0) {
  host_matrix<T, T> in = random_matrix<T, T>(rows, columns, seed, false, stride);
  for (T& s : in.similarity) s *= static_cast<T>(0.25);
  in.extra_columns = columns > rows;
  for (std::size_t i = 0; i < rows && i < columns; ++i)
    in.similarity[i * std::max(stride, columns) + i] += static_cast<T>(0.5);
  return in;
}

/// Calls visit(matrix, what it is) for matrices whose pairs match and are left out in every way there is.
template <class T, class Visit>
void for_each_matching(std::size_t rows, std::size_t columns, const Visit& visit) {
  std::mt19937 random(5);
  const auto numbers = [&](std::size_t size, unsigned count) {
    std::vector<std::int64_t> ids(size);
    for (auto& id : ids) id = static_cast<std::int64_t>(random() % count) - 2;
    return ids;
  };
  const auto flags = [&](unsigned out_of) {
    std::vector<std::uint8_t> given(rows * columns);
    for (auto& flag : given) flag = random() % out_of == 0 ? 0 : 7;
    return given;
  };
  auto in = random_pairs<T>(rows, columns, 3, columns + 2);
  visit(in, "by index");
  in.mask = flags(4);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j)
      if (in.mask[i * columns + j] == 0) in.similarity[i * (columns + 2) + j] = static_cast<T>(NAN);
  visit(in, "by index with a mask");
  in = random_pairs<T>(rows, columns, 4);
  in.row_ids = numbers(rows, 5);
  in.column_ids = numbers(columns, 5);
  visit(in, "by index with ids");
  in.extra_columns = false;
  in.matches = flags(2);
  visit(in, "by matches with ids");
  in = random_pairs<T>(rows, columns, 5);
  in.extra_columns = false;
  in.row_classes = numbers(rows, 6);
  in.column_classes = numbers(columns, 6);
  in.mask = flags(5);
  visit(in, "by class with a mask");
  in = random_pairs<T>(rows, rows, 6);
  in.row_classes = in.column_classes = numbers(rows, 7);
  in.without_diagonal = true;
  visit(in, "by class without the diagonal");
}

inline const std::vector<rankloss::directions> all_directions{
    rankloss::directions::both, rankloss::directions::rows, rankloss::directions::columns};

/// A loss of pairs at shapes around those of tiles, in one panel and in several. In double the longest are left out,
/// which differ from the others by no code.
template <class T, class Loss>
void agrees_at_all_shapes(const Loss& loss) {
  const stream own;
  rankloss::cuda::context ctx(own);
  struct shape {
    std::size_t rows, columns, stride, panel_rows;
  };
  for (const shape& s : {shape{1, 1, 0, 0},
                         {1, 70, 0, 0},
                         {2, 2, 5, 0},
                         {31, 33, 35, 0},
                         {32, 32, 0, 0},
                         {63, 65, 0, 0},
                         {65, 65, 0, 64},
                         {5, 300, 0, 0},
                         {66, 130, 131, 64},
                         {2, 4097, 0, 0}}) {
    if (sizeof(T) == sizeof(double) && s.columns > 130) continue;
    INFO(s.rows << " rows, " << s.columns << " columns, stride " << s.stride << ", panels of "
                << s.panel_rows);
    agrees(loss, random_pairs<T>(s.rows, s.columns, 1, s.stride), ctx, {.panel_rows = s.panel_rows});
  }
}

/// Matches, reductions, weights, directions, scale and update of a loss of pairs.
template <class T, class Loss>
void agrees_with_all_fields(Loss loss, std::size_t rows = 35, std::size_t columns = 40) {
  const stream own;
  rankloss::cuda::context ctx(own);
  unsigned number = 0;
  for_each_matching<T>(rows, columns, [&](host_matrix<T, T> in, const char* matching) {
    constexpr rankloss::reduction reductions[] = {rankloss::reduction::mean, rankloss::reduction::sum,
                                                  rankloss::reduction::mean_of_relevant};
    in.reduction = reductions[number % 3];
    for (std::size_t i = 0; number % 2 > 0 && i < in.rows; ++i)
      in.row_weights.push_back(static_cast<double>(i % 3));
    for (std::size_t j = 0; number % 4 > 1 && j < in.columns; ++j)
      in.column_weights.push_back(static_cast<float>(j % 4));
    loss.over = number < 4 ? rankloss::directions::both : all_directions[number - 3];
    INFO(matching << ", reduction " << static_cast<int>(in.reduction) << ", over "
                  << static_cast<int>(loss.over));
    agrees(loss, in, ctx);
    ++number;
    agrees(loss, in, ctx, {.scale = -3.0, .update = rankloss::update::add, .filled = 1.0});
  });
}

}  // namespace cuda_support
