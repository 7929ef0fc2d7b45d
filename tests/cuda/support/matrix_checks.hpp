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

template <class Loss, class T, class R>
[[nodiscard]] results<T> on_device(const Loss& loss, const host_matrix<T, R>& in,
                                   rankloss::cuda::context& ctx, const how& h = {}) {
  const device_matrix<T, R> on(in);
  const array<double> value(std::vector<double>(1, -1.0)), per_list(in.rows + in.columns);
  const array<T> gradient(
      std::vector<T>(derivatives_of<Loss>(in.similarity.size()), static_cast<T>(h.filled)));
  on_device(loss, on.batch,
            rankloss::cuda::outputs<T>{.value = value.view(),
                                       .gradient = gradient.view(),
                                       .per_list = per_list.view(),
                                       .scale = h.scale,
                                       .update = h.update},
            ctx);
  return {value.host()[0], gradient.host(), per_list.host()};
}

template <class Loss, class T, class R>
[[nodiscard]] results<double> on_host(const Loss& loss, const host_matrix<T, R>& in, const how& h = {}) {
  const std::vector<double> similarity(in.similarity.begin(), in.similarity.end());
  results<double> out{0.0, std::vector<double>(derivatives_of<Loss>(similarity.size()), h.filled),
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
void agrees(const Loss& loss, const host_matrix<T, R>& in, rankloss::cuda::context& ctx, const how& h = {}) {
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

inline const std::vector<rankloss::directions> all_directions{
    rankloss::directions::both, rankloss::directions::rows, rankloss::directions::columns};

}  // namespace cuda_support
