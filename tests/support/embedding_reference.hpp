// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/embedding_batch.hpp>
#include <rankloss/threads.hpp>

#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
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

template <class T>
inline constexpr double digits = sizeof(T) == 4 ? 1e-5 : 1e-12;

/// Embeddings of rows and columns, and all that may come with them. Without columns the rows are compared
/// with themselves.
template <class T>
struct embeddings {
  std::size_t m, n, d;
  std::vector<T> x, y;
  std::vector<int> row_classes, column_classes, relevance, column_relevance;
  std::vector<std::uint8_t> matches, mask;
  std::vector<int> row_ids, column_ids;
  std::vector<double> row_weights, column_weights;
  bool without_diagonal = false, extra_columns = false;
  rankloss::similarity similarity = rankloss::similarity::cosine;
  rankloss::reduction reduction = rankloss::reduction::mean;
  std::mt19937_64 random;

  embeddings(std::size_t rows, std::size_t columns, std::size_t dimension, unsigned seed = 1)
      : m(rows), n(columns), d(dimension), random(seed) {
    x = drawn<T>(random, m * d);
    y = drawn<T>(random, n * d);
  }
  embeddings& classes(unsigned count) {
    row_classes = support::whole_numbers<int>(random, m, count);
    column_classes = support::whole_numbers<int>(random, n, count);
    return *this;
  }
  embeddings& grades(bool of_columns = false) {
    relevance = support::whole_numbers<int>(random, m * columns(), 4);
    if (of_columns) column_relevance = support::whole_numbers<int>(random, m * columns(), 3);
    return *this;
  }
  embeddings& weights() {
    row_weights = support::whole_numbers<double>(random, m, 4);
    column_weights = support::whole_numbers<double>(random, columns(), 3);
    return *this;
  }
  [[nodiscard]] std::vector<std::uint8_t> flags(unsigned one_in) {
    auto drawn_flags = support::whole_numbers<std::uint8_t>(random, m * columns(), one_in);
    for (auto& f : drawn_flags) f = f == 0 ? 1 : 0;
    return drawn_flags;
  }
  [[nodiscard]] bool self() const { return n == 0; }
  [[nodiscard]] std::size_t columns() const { return self() ? m : n; }

  [[nodiscard]] rankloss::embedding_batch<T, int> batch() const {
    return {.row_embeddings = x,
            .column_embeddings = y,
            .rows = m,
            .columns = n,
            .dimension = d,
            .similarity = similarity,
            .matches = matches,
            .row_classes = row_classes,
            .column_classes = column_classes,
            .relevance = relevance,
            .column_relevance = column_relevance,
            .mask = mask,
            .without_diagonal = without_diagonal,
            .extra_columns = extra_columns,
            .row_ids = row_ids,
            .column_ids = column_ids,
            .row_weights = row_weights,
            .column_weights = column_weights,
            .reduction = reduction};
  }
  /// Its pairs, for the matrix.
  [[nodiscard]] rankloss::similarity_batch<double, int> pairs() const {
    return {.similarity = {},
            .rows = m,
            .columns = columns(),
            .matches = matches,
            .row_classes = row_classes,
            .column_classes = self() ? row_classes : column_classes,
            .relevance = relevance,
            .column_relevance = column_relevance,
            .mask = mask,
            .without_diagonal = without_diagonal,
            .extra_columns = extra_columns,
            .row_ids = row_ids,
            .column_ids = self() ? row_ids : column_ids,
            .row_weights = row_weights,
            .column_weights = column_weights,
            .reduction = reduction};
  }
  [[nodiscard]] plain_vectors wide_x() const { return widened(std::span<const T>(x), d); }
  [[nodiscard]] std::optional<plain_vectors> wide_y() const {
    if (self()) return std::nullopt;
    return widened(std::span<const T>(y), d);
  }
  template <class Loss>
  [[nodiscard]] embedding_result expected(const Loss& loss, bool with_slopes = false) const {
    return by_matrix(loss, pairs(), similarity, wide_x(), wide_y(), with_slopes);
  }
  template <class Loss, class G = T>
  [[nodiscard]] embedding_result found(const Loss& loss, rankloss::context& ctx,
                                       const rankloss::embedding_outputs& out = {}) const {
    return call<G>(loss, batch(), m, n, d, ctx, out);
  }
};

/// The embedding form is the matrix form, on any number of threads with the same bits.
template <class T, class Loss>
void agrees(const embeddings<T>& e, const Loss& loss, double bound = digits<T>) {
  rankloss::context one, three{rankloss::threads(3)}, two{rankloss::threads(2)};
  const embedding_result found = e.found(loss, one);
  CHECK(distance_of(found, e.expected(loss)) <= bound);
  CHECK(equal(e.found(loss, two), found));
  CHECK(equal(e.found(loss, three), found));
  CHECK(rankloss::evaluate(loss, e.batch()) == Approx(found.value).epsilon(1e-6).margin(1e-9));
}

/// What a call gives; all of it is finite.
template <class T, class Loss>
embedding_result finite(const embeddings<T>& e, const Loss& loss) {
  rankloss::context ctx;
  const auto found = e.found(loss, ctx);
  CHECK(std::isfinite(found.value));
  const auto all_finite = [](const std::vector<double>& numbers) {
    return std::all_of(numbers.begin(), numbers.end(), [](double x) { return std::isfinite(x); });
  };
  CHECK(all_finite(found.row_gradient));
  CHECK(all_finite(found.column_gradient));
  CHECK(all_finite(found.per_list));
  return found;
}

}  // namespace support
