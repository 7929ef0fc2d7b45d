// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/embedding_batch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <limits>
#include <optional>
#include <random>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

/// Similarity losses of embeddings by their matrix: similarities in long double, the loss over their matrix in
/// double, and its gradient pulled back in long double.
namespace support {

using real = long double;

/// What a call over embeddings gives.
struct embedding_result {
  double value = 0.0;
  std::vector<double> row_gradient, column_gradient, per_list;
  double temperature = 0.0, bias = 0.0;
};

/// Vectors one behind the other.
struct plain_vectors {
  std::vector<real> components;
  std::size_t dimension = 0;

  [[nodiscard]] std::size_t count() const { return dimension == 0 ? 0 : components.size() / dimension; }
  [[nodiscard]] const real* operator[](std::size_t i) const { return components.data() + i * dimension; }
  /// The vectors with their first components alone.
  [[nodiscard]] plain_vectors first(std::size_t most) const {
    plain_vectors cut{{}, most};
    for (std::size_t i = 0; i < count(); ++i)
      for (std::size_t k = 0; k < most; ++k) cut.components.push_back((*this)[i][k]);
    return cut;
  }
  [[nodiscard]] real length(std::size_t i) const {
    real most = 0, square = 0;
    for (std::size_t k = 0; k < dimension; ++k) most = std::max(most, std::abs((*this)[i][k]));
    if (most == 0) return 0;
    for (std::size_t k = 0; k < dimension; ++k) square += ((*this)[i][k] / most) * ((*this)[i][k] / most);
    return most * std::sqrt(square);
  }
  /// With length 1; a zero vector stays what it is.
  [[nodiscard]] plain_vectors normalised() const {
    plain_vectors unit = *this;
    for (std::size_t i = 0; i < count(); ++i) {
      const real own = length(i);
      for (std::size_t k = 0; k < dimension && own > 0; ++k) unit.components[i * dimension + k] /= own;
    }
    return unit;
  }
};

template <class T>
plain_vectors widened(std::span<const T> components, std::size_t dimension) {
  plain_vectors of{{}, dimension};
  for (const T& x : components)
    if constexpr (std::is_floating_point_v<T>)
      of.components.push_back(static_cast<real>(x));
    else
      of.components.push_back(static_cast<real>(static_cast<double>(x)));
  return of;
}

/// slope[i] += how the value changes with vector i, when it changes by `by` with the vector in its form.
inline void pull_back(const plain_vectors& raw, const plain_vectors& unit, bool in_unit_form,
                      const std::vector<real>& by, std::vector<real>& slope) {
  const std::size_t d = raw.dimension;
  for (std::size_t i = 0; i < raw.count(); ++i) {
    if (!in_unit_form) {
      for (std::size_t k = 0; k < d; ++k) slope[i * d + k] += by[i * d + k];
      continue;
    }
    const real length = raw.length(i);
    if (length == 0) continue;
    real along = 0;
    for (std::size_t k = 0; k < d; ++k) along += by[i * d + k] * unit[i][k];
    for (std::size_t k = 0; k < d; ++k) slope[i * d + k] += (by[i * d + k] - along * unit[i][k]) / length;
  }
}

/// A loss over the rows or columns of `pairs` alone, or over both where the similarity is the same for both.
/// @param pairs  all but the similarities
/// @param of_columns  whether the columns are the lists: for the projection
template <class Loss, class R>
embedding_result by_matrix(const Loss& loss, rankloss::similarity_batch<double, R> pairs,
                           rankloss::similarity by, const plain_vectors& x,
                           const std::optional<plain_vectors>& given_y, bool with_slopes = false,
                           bool of_columns = false) {
  using rankloss::similarity;
  const bool self = !given_y.has_value();
  const plain_vectors& y = self ? x : *given_y;
  const std::size_t m = x.count(), n = y.count(), d = x.dimension;
  const plain_vectors ux = x.normalised(), uy = y.normalised();
  const bool projected = by == similarity::projection;
  const bool unit_x = by == similarity::cosine || (projected && of_columns);
  const bool unit_y = by == similarity::cosine || (projected && !of_columns);
  const plain_vectors &a = unit_x ? ux : x, &b = unit_y ? uy : y;
  std::vector<double> s(m * n), ds(m * n);
  for (std::size_t i = 0; i < m; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      real sum = 0;
      for (std::size_t k = 0; k < d; ++k) sum += a[i][k] * b[j][k];
      s[i * n + j] = static_cast<double>(sum);
    }
  pairs.similarity = s;
  pairs.rows = m;
  pairs.columns = n;
  embedding_result result;
  result.per_list.assign(m + n, 0.0);
  rankloss::outputs out{.gradient = ds, .per_list = result.per_list};
  if (with_slopes) {
    out.temperature_gradient = &result.temperature;
    out.bias_gradient = &result.bias;
  }
  result.value = rankloss::evaluate(loss, pairs, out);
  std::vector<real> da(m * d), db(n * d), dx(m * d), dy(n * d);
  for (std::size_t i = 0; i < m; ++i)
    for (std::size_t j = 0; j < n; ++j)
      for (std::size_t k = 0; k < d; ++k) {
        da[i * d + k] += static_cast<real>(ds[i * n + j]) * b[j][k];
        db[j * d + k] += static_cast<real>(ds[i * n + j]) * a[i][k];
      }
  pull_back(x, ux, unit_x, da, dx);
  pull_back(y, uy, unit_y, db, self ? dx : dy);
  result.row_gradient.assign(dx.begin(), dx.end());
  if (!self) result.column_gradient.assign(dy.begin(), dy.end());
  return result;
}

/// What a call gives, with buffers of another type than the embeddings where it is asked for.
template <class G, class Loss, class T, class R>
embedding_result call(const Loss& loss, const rankloss::embedding_batch<T, R>& batch, std::size_t rows,
                      std::size_t columns, std::size_t dimension, rankloss::context& ctx,
                      rankloss::embedding_outputs out = {}) {
  constexpr G unset = std::numeric_limits<G>::quiet_NaN();
  const bool self = columns == 0;
  std::vector<G> dx(rows * dimension, unset), dy(columns * dimension, unset);
  embedding_result result;
  result.per_list.assign(rows + (self ? rows : columns), 9.0);
  out.row_gradient = dx;
  if (!self) out.column_gradient = dy;
  out.per_list = result.per_list;
  if (out.temperature_gradient != nullptr) out.temperature_gradient = &result.temperature;
  if (out.bias_gradient != nullptr) out.bias_gradient = &result.bias;
  result.value = rankloss::evaluate(loss, batch, out, ctx);
  result.row_gradient.assign(dx.begin(), dx.end());
  result.column_gradient.assign(dy.begin(), dy.end());
  return result;
}

/// The largest difference of two results, relative to the largest number of its kind.
inline double distance_of(const embedding_result& a, const embedding_result& b) {
  if (a.row_gradient.size() != b.row_gradient.size() ||
      a.column_gradient.size() != b.column_gradient.size() || a.per_list.size() != b.per_list.size())
    return std::numeric_limits<double>::infinity();
  double worst = 0.0;
  const auto compare =
      [&](std::initializer_list<std::pair<std::span<const double>, std::span<const double>>> of,
          double least) {
        double largest = least, most = 0.0;
        for (const auto& [p, q] : of)
          for (std::size_t i = 0; i < p.size(); ++i) {
            largest = std::max(largest, std::abs(q[i]));
            const double apart = std::abs(p[i] - q[i]);
            most = std::max(most, std::isnan(apart) ? std::numeric_limits<double>::infinity() : apart);
          }
        if (most > 0.0) worst = std::max(worst, most / largest);
      };
  compare({{a.row_gradient, b.row_gradient}, {a.column_gradient, b.column_gradient}}, 0.0);
  compare({{a.per_list, b.per_list}}, 1e-3);
  compare({{{&a.value, 1}, {&b.value, 1}}}, 1e-3);
  compare({{{&a.temperature, 1}, {&b.temperature, 1}}, {{&a.bias, 1}, {&b.bias, 1}}}, 1e-3);
  return worst;
}

/// Whether two results are the same in every bit but for the sign of zeros.
inline bool equal(const embedding_result& a, const embedding_result& b) {
  return a.value == b.value && a.row_gradient == b.row_gradient && a.column_gradient == b.column_gradient &&
         a.per_list == b.per_list && a.temperature == b.temperature && a.bias == b.bias;
}

/// Drawn components.
template <class T>
std::vector<T> drawn(std::mt19937_64& random, std::size_t count) {
  std::normal_distribution<double> normal;
  std::vector<T> x;
  for (std::size_t k = 0; k < count; ++k) x.push_back(static_cast<T>(normal(random)));
  return x;
}

}  // namespace support
