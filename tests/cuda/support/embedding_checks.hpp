// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/context.hpp>
#include <rankloss/cuda/embedding_batch.hpp>
#include <rankloss/embedding_batch.hpp>

#include "cuda/support/device.hpp"
#include "cuda/support/embeddings_on_device.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

/// What every loss over embeddings on the device is held to: to write what the loss writes on the CPU.
namespace cuda_support {

/// A batch in the memory of the host. Empty vectors are fields that are not given.
template <class T>
struct host_embeddings {
  std::size_t rows = 0, columns = 0, dimension = 0;
  std::vector<T> x, y{};
  std::size_t row_stride = 0, column_stride = 0;
  rankloss::similarity similarity = rankloss::similarity::cosine;
  std::vector<std::int64_t> row_classes{};
  std::vector<std::int32_t> column_classes{};
  std::vector<std::int32_t> prefixes{};
  std::vector<double> prefix_weights{};
  std::vector<std::uint8_t> matches{}, mask{};
  bool without_diagonal = false, extra_columns = false;
  std::vector<std::int64_t> row_ids{}, column_ids{};
  std::vector<double> row_probabilities{}, column_probabilities{};
  std::vector<double> row_weights{};
  std::vector<float> column_weights{};
  rankloss::reduction reduction = rankloss::reduction::mean;

  [[nodiscard]] bool self() const { return columns == 0 && y.empty(); }
  [[nodiscard]] std::size_t all_columns() const { return self() ? rows : columns; }
};

/// What a call writes.
template <class T>
struct embedding_results {
  double value = 0.0;
  std::vector<T> dx, dy;
  std::vector<double> per_list;
  double by_temperature = 0.0, by_bias = 0.0;
};

/// The arrays of a batch on the device, and views of them.
template <class T>
struct device_embeddings {
  explicit device_embeddings(const host_embeddings<T>& in)
      : x(in.x),
        y(in.y),
        matches(in.matches),
        row_classes(in.row_classes),
        column_classes(in.column_classes),
        mask(in.mask),
        row_ids(in.row_ids),
        column_ids(in.column_ids),
        row_probabilities(in.row_probabilities),
        column_probabilities(in.column_probabilities),
        row_weights(in.row_weights),
        column_weights(in.column_weights),
        batch{.row_embeddings = x.view(),
              .column_embeddings = y.view(),
              .rows = in.rows,
              .columns = in.columns,
              .dimension = in.dimension,
              .row_stride = in.row_stride,
              .column_stride = in.column_stride,
              .similarity = in.similarity,
              .prefixes = in.prefixes,
              .prefix_weights = in.prefix_weights,
              .matches = matches.view(),
              .row_classes = row_classes.view(),
              .column_classes = column_classes.view(),
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

  array<T> x, y;
  array<std::uint8_t> matches;
  array<std::int64_t> row_classes;
  array<std::int32_t> column_classes;
  array<std::uint8_t> mask;
  array<std::int64_t> row_ids, column_ids;
  array<double> row_probabilities, column_probabilities;
  array<double> row_weights;
  array<float> column_weights;
  rankloss::cuda::embedding_batch<T> batch;
};

struct embedding_how {
  double scale = 1.0;
  rankloss::update update = rankloss::update::overwrite;
  double filled = 0.0;                           ///< what is in the gradients before
  std::size_t sloped_columns = ~std::size_t{0};  ///< columns that have a gradient, at most
  std::size_t panel_rows = 0;
};

/// What `call(batch, outputs)` writes.
template <class Loss, class T, class Call>
[[nodiscard]] embedding_results<T> embeddings_by(const Call& call, const Loss&, const host_embeddings<T>& in,
                                                 const embedding_how& h) {
  const device_embeddings<T> on(in);
  const std::size_t sloped = in.self() ? 0 : std::min(in.columns, h.sloped_columns);
  const array<double> value(std::vector<double>(1, -1.0)), per_list(in.rows + in.all_columns());
  const array<T> dx(std::vector<T>(in.rows * in.dimension, static_cast<T>(h.filled)));
  const array<T> dy(std::vector<T>(sloped * in.dimension, static_cast<T>(h.filled)));
  const array<double> by_temperature(std::vector<double>(1, h.filled)),
      by_bias(std::vector<double>(1, h.filled));
  rankloss::cuda::embedding_outputs<T> out{.value = value.view(),
                                           .row_gradient = dx.view(),
                                           .column_gradient = dy.view(),
                                           .per_list = per_list.view(),
                                           .scale = h.scale,
                                           .update = h.update};
  if constexpr (rankloss::detail::gives_temperature_gradient<Loss>)
    out.temperature_gradient = by_temperature.view();
  if constexpr (rankloss::detail::gives_bias_gradient<Loss>) out.bias_gradient = by_bias.view();
  call(on.batch, out);
  return {value.host()[0],          dx.host(),        dy.host(), per_list.host(),
          by_temperature.host()[0], by_bias.host()[0]};
}
template <class Loss, class T>
[[nodiscard]] embedding_results<T> embeddings_on_device(const Loss& loss, const host_embeddings<T>& in,
                                                        rankloss::cuda::context& ctx,
                                                        const embedding_how& h = {}) {
  return embeddings_by(
      [&](const auto& batch, const auto& out) { on_device(loss, batch, out, ctx, h.panel_rows); }, loss, in,
      h);
}

/// The same on the CPU, in double: the numbers of floats are those of the same numbers as doubles.
template <class Loss, class T>
[[nodiscard]] embedding_results<double> embeddings_on_host(const Loss& loss, const host_embeddings<T>& in,
                                                           const embedding_how& h = {}) {
  const std::vector<double> x(in.x.begin(), in.x.end()), y(in.y.begin(), in.y.end());
  const std::size_t sloped = in.self() ? 0 : std::min(in.columns, h.sloped_columns);
  embedding_results<double> out{0.0,
                                std::vector<double>(in.rows * in.dimension, h.filled),
                                std::vector<double>(sloped * in.dimension, h.filled),
                                std::vector<double>(in.rows + in.all_columns()),
                                h.filled,
                                h.filled};
  rankloss::embedding_outputs to{.row_gradient = out.dx,
                                 .column_gradient = out.dy,
                                 .per_list = out.per_list,
                                 .scale = h.scale,
                                 .update = h.update};
  if constexpr (rankloss::detail::gives_temperature_gradient<Loss>)
    to.temperature_gradient = &out.by_temperature;
  if constexpr (rankloss::detail::gives_bias_gradient<Loss>) to.bias_gradient = &out.by_bias;
  out.value =
      rankloss::evaluate(loss,
                         rankloss::embedding_batch<double>{.row_embeddings = x,
                                                           .column_embeddings = y,
                                                           .rows = in.rows,
                                                           .columns = in.columns,
                                                           .dimension = in.dimension,
                                                           .row_stride = in.row_stride,
                                                           .column_stride = in.column_stride,
                                                           .similarity = in.similarity,
                                                           .prefixes = in.prefixes,
                                                           .prefix_weights = in.prefix_weights,
                                                           .matches = in.matches,
                                                           .row_classes = in.row_classes,
                                                           .column_classes = in.column_classes,
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

/// Relative to the largest entry. A similarity of floats is off by some 1e-7, and an exponent by that divided by
/// the temperature.
template <class T>
[[nodiscard]] constexpr double embedding_tolerance(double temperature = 1.0) {
  return sizeof(T) == sizeof(double) ? 1e-12 : temperature < 0.2 ? 1e-5 : 2e-6;
}

/// Value and gradients are those of the CPU.
template <class T>
void agree(const embedding_results<T>& device, const embedding_results<double>& host, double tolerance) {
  CHECK(std::abs(device.value - host.value) <= tolerance * std::max(1.0, std::abs(host.value)));
  const auto same = [&](const char* name, const std::vector<T>& own, const std::vector<double>& expected) {
    REQUIRE(own.size() == expected.size());
    double largest = 0.0, error = 0.0;
    for (std::size_t i = 0; i < own.size(); ++i) {
      const double g = static_cast<double>(own[i]);
      largest = std::max(largest, std::abs(expected[i]));
      error = std::isfinite(g) && std::isfinite(expected[i]) ? std::max(error, std::abs(g - expected[i]))
                                                             : INFINITY;
    }
    INFO(name << ": largest " << largest << ", error " << error << ", relative " << error / largest);
    // What is the rest of a difference of sums, as of vectors of one component, has no relative digits.
    CHECK(error <= tolerance * std::max(largest, 1e-3));
  };
  same("row_gradient", device.dx, host.dx);
  same("column_gradient", device.dy, host.dy);
  for (std::size_t l = 0; l < host.per_list.size(); ++l) {
    INFO("line " << l << ": " << device.per_list[l] << " on the device, " << host.per_list[l]
                 << " on the host");
    CHECK(std::abs(device.per_list[l] - host.per_list[l]) <=
          tolerance * std::max(1.0, std::abs(host.per_list[l])));
  }
  INFO("by_temperature " << device.by_temperature << ", " << host.by_temperature);
  CHECK(std::abs(device.by_temperature - host.by_temperature) <=
        10 * tolerance * std::max(1.0, std::abs(host.by_temperature)));
  INFO("by_bias " << device.by_bias << ", " << host.by_bias);
  CHECK(std::abs(device.by_bias - host.by_bias) <= tolerance * std::max(1.0, std::abs(host.by_bias)));
}

template <class Loss, class T>
void agrees(const Loss& loss, const host_embeddings<T>& in, rankloss::cuda::context& ctx,
            const embedding_how& h = {}, double tolerance = embedding_tolerance<T>()) {
  const embedding_results<T> device = embeddings_on_device(loss, in, ctx, h);
  CHECK_NOTHROW(ctx.check());
  agree(device, embeddings_on_host(loss, in, h), tolerance);
}

/// Embeddings of pairs that are alike, the columns behind them without a row.
template <class T>
[[nodiscard]] host_embeddings<T> random_embeddings(std::size_t rows, std::size_t columns,
                                                   std::size_t dimension, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  host_embeddings<T> in{
      .rows = rows, .columns = columns, .dimension = dimension, .x = std::vector<T>(rows * dimension)};
  for (T& x : in.x) x = static_cast<T>(normal(random));
  in.extra_columns = columns > rows;
  for (std::size_t j = 0; j < columns * dimension; ++j)
    in.y.push_back(static_cast<T>(normal(random) + (j < in.x.size() ? static_cast<double>(in.x[j]) : 0.0)));
  return in;
}

/// Classes of the rows and of the columns, of which there are `count`.
template <class T>
void give_classes(host_embeddings<T>& in, unsigned count, unsigned seed) {
  std::mt19937 random(seed);
  in.extra_columns = false;
  in.row_classes.clear();
  in.column_classes.clear();
  for (std::size_t i = 0; i < in.rows; ++i) in.row_classes.push_back(random() % count);
  for (std::size_t j = 0; j < in.columns; ++j)
    in.column_classes.push_back(static_cast<std::int32_t>(random() % count));
}

/// Probabilities of the rows and of the columns from `least` to 1, some of them equal.
template <class Batch>
void give_probabilities(Batch& in, std::size_t rows, std::size_t columns, double least, unsigned seed) {
  std::mt19937 random(seed);
  const auto draw = [&](std::size_t count) {
    std::vector<double> drawn(count);
    for (double& q : drawn) q = std::pow(least, static_cast<double>(random() % 17) / 16.0);
    return drawn;
  };
  in.row_probabilities = draw(rows);
  in.column_probabilities = draw(columns);
}

}  // namespace cuda_support
