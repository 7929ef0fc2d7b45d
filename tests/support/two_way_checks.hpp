// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/embedding_batch.hpp>
#include <rankloss/threads.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <vector>

/// What is computed for rows and columns at the same time, where row i matches column i, against the same loss
/// in the two directions one after the other: a mask that leaves out no pair forces that.
namespace support {

/// Embeddings for it. The number of components is small, so that similarities are not all alike.
struct two_way_shape {
  std::size_t rows = 1;
  std::size_t columns = 1;
  std::size_t dimension = 8;
  double size = 1.0;          ///< of components
  bool duplicates = false;    ///< pairs of equal rows, and of equal columns
  bool weights = false;       ///< of rows and columns, some of them 0
  std::size_t constants = 0;  ///< last columns without a gradient
  rankloss::similarity similarity = rankloss::similarity::cosine;
  rankloss::reduction reduction = rankloss::reduction::mean;
};

template <class T>
struct two_way_data {
  two_way_shape shape;
  std::vector<T> x, y;
  std::vector<double> row_weights, column_weights;
  std::vector<unsigned char> ones;

  explicit two_way_data(const two_way_shape& of) : shape(of), ones(of.rows * of.columns, 1) {
    std::mt19937_64 random(of.rows * 1000 + of.columns);
    std::normal_distribution<double> normal(0.0, of.size);
    const auto fill = [&](std::vector<T>& to, std::size_t count) {
      for (std::size_t k = 0; k < count * of.dimension; ++k) to.push_back(static_cast<T>(normal(random)));
      for (std::size_t i = 1; of.duplicates && i < count; i += 2)
        std::copy_n(to.begin() + static_cast<std::ptrdiff_t>((i - 1) * of.dimension), of.dimension,
                    to.begin() + static_cast<std::ptrdiff_t>(i * of.dimension));
    };
    fill(x, of.rows);
    fill(y, of.columns);
    if (!of.weights) return;
    for (std::size_t i = 0; i < of.rows; ++i) row_weights.push_back(static_cast<double>(random() % 3));
    for (std::size_t j = 0; j < of.columns; ++j) column_weights.push_back(static_cast<double>(random() % 4));
  }

  [[nodiscard]] rankloss::embedding_batch<T> batch(bool one_after_the_other) const {
    rankloss::embedding_batch<T> made{.row_embeddings = x,
                                      .column_embeddings = y,
                                      .rows = shape.rows,
                                      .columns = shape.columns,
                                      .dimension = shape.dimension,
                                      .similarity = shape.similarity,
                                      .extra_columns = shape.columns > shape.rows,
                                      .row_weights = row_weights,
                                      .column_weights = column_weights,
                                      .reduction = shape.reduction};
    if (one_after_the_other) made.mask = ones;
    return made;
  }
};

/// All that `evaluate` says of a loss.
template <class T>
struct two_way_result {
  double value = 0.0;
  std::vector<T> x, y;
  std::vector<double> per_list;
  double temperature = 0.0;

  bool operator==(const two_way_result&) const = default;
};

/// What of it is asked for.
struct two_way_wanted {
  bool x = true, y = true, per_list = true, temperature = true;
};

template <class T, class Loss>
two_way_result<T> two_way(const Loss& loss, const two_way_data<T>& data, bool one_after_the_other,
                          std::size_t workers = 1, const two_way_wanted& wanted = {}) {
  const two_way_shape& shape = data.shape;
  two_way_result<T> out;
  out.x.assign(wanted.x ? data.x.size() : 0, std::numeric_limits<T>::quiet_NaN());
  out.y.assign(wanted.y ? (shape.columns - shape.constants) * shape.dimension : 0,
               std::numeric_limits<T>::quiet_NaN());
  out.per_list.assign(wanted.per_list ? shape.rows + shape.columns : 0, 7.0);
  rankloss::embedding_outputs outputs{
      .row_gradient = out.x, .column_gradient = out.y, .per_list = out.per_list};
  if constexpr (requires { Loss::has_temperature_gradient; }) {
    if (wanted.temperature) outputs.temperature_gradient = &out.temperature;
  }
  rankloss::context context{rankloss::threads(workers)};
  out.value = rankloss::evaluate(loss, data.batch(one_after_the_other), outputs, context);
  return out;
}

template <class A>
double largest(const std::vector<A>& of) {
  double most = 0.0;
  for (const A x : of) most = std::max(most, std::abs(static_cast<double>(x)));
  return most;
}

/// Each within `bound` of the largest of what is right.
template <class A>
void all_near(const std::vector<A>& found, const std::vector<A>& right, double bound) {
  REQUIRE(found.size() == right.size());
  const double most = largest(right);
  double worst = 0.0;
  for (std::size_t k = 0; k < right.size(); ++k) {
    const double off = std::abs(static_cast<double>(found[k]) - static_cast<double>(right[k]));
    worst = std::isfinite(off) ? std::max(worst, off) : std::numeric_limits<double>::infinity();
  }
  CHECK(worst <= bound * most + std::numeric_limits<A>::min());
}

/// @param bound  relative to the largest, of gradients and values
template <class T, class Loss>
void two_ways_agree(const Loss& loss, const two_way_shape& shape, double bound) {
  INFO(shape.rows << " x " << shape.columns << ", " << shape.dimension << " components of " << shape.size);
  const two_way_data<T> data(shape);
  const two_way_result<T> found = two_way(loss, data, false);
  const two_way_result<T> right = two_way(loss, data, true);
  CHECK(std::isfinite(right.value));
  // The value is a difference of similarities where it is small.
  CHECK(std::abs(found.value - right.value) <= bound * std::max(1.0, std::abs(right.value)));
  all_near(found.per_list, right.per_list, bound);
  all_near(found.x, right.x, bound);
  all_near(found.y, right.y, bound);
  CHECK(std::abs(found.temperature - right.temperature) <=
        bound * std::max(1.0, std::abs(right.temperature)));
}

/// The same bits on any number of threads and for whatever else is asked.
template <class T, class Loss>
void two_way_has_its_bits(const Loss& loss, const two_way_shape& shape) {
  INFO(shape.rows << " x " << shape.columns);
  const two_way_data<T> data(shape);
  const two_way_result<T> found = two_way(loss, data, false);
  CHECK(two_way(loss, data, false, 2) == found);
  CHECK(two_way(loss, data, false, 3) == found);
  const auto x_alone = two_way(loss, data, false, 1, {.y = false, .per_list = false, .temperature = false});
  CHECK(x_alone.value == found.value);
  CHECK(x_alone.x == found.x);
  const auto y_alone = two_way(loss, data, false, 2, {.x = false, .temperature = false});
  CHECK(y_alone.y == found.y);
  CHECK(y_alone.per_list == found.per_list);
  const auto none = two_way(loss, data, false, 2, {.x = false, .y = false, .per_list = false});
  CHECK(none.value == found.value);
  CHECK(none.temperature == found.temperature);
  // Fewer gradients of columns are the first of all.
  auto fewer = data;
  fewer.shape.constants = shape.columns / 3;
  const auto first = two_way(loss, fewer, false);
  CHECK(first.value == found.value);
  CHECK(first.x == found.x);
  all_near(first.y,
           std::vector<T>(found.y.begin(), found.y.begin() + static_cast<std::ptrdiff_t>(first.y.size())),
           sizeof(T) == 4 ? 1e-5 : 1e-13);
}

}  // namespace support
