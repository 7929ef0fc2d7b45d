// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/embeddings/embedding_side.hpp>
#include <rankloss/detail/embeddings/index_panels.hpp>
#include <rankloss/detail/embeddings/products.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The softmax of the rows and of the columns at the same time, where row i matches column i, in two passes
/// over the similarities: four products where one direction after the other takes six.
///
/// The first pass sums the exponentials of the negatives of each row and of each column, relative to the
/// greatest of them; those of a column are rescaled where a later panel has a greater one. The second pass
/// turns the same similarities into their slopes.
template <class Arch, class T>
class two_way_softmax {
  using V = xsimd::batch<T, Arch>;
  static constexpr std::size_t w = V::size;
  static constexpr T lowest = std::numeric_limits<T>::lowest();

 public:
  /// The negatives of a row or a column.
  struct line_sums {
    T top = lowest;         ///< greatest similarity
    double total = 0.0;     ///< sum of exp((s - top) / temperature)
    double distance = 0.0;  ///< sum of those times (top - s) / temperature
  };

  two_way_softmax(const vector_block<const T>& rows, const vector_block<const T>& columns, double temperature,
                  bool distances, context& ctx)
      : panels_(rows, columns, ctx),
        row_vectors_(rows),
        column_vectors_(columns),
        unit_(held_as<T>(1.0 / temperature)),
        wide_unit_(1.0 / temperature),
        distances_(distances),
        context_(ctx),
        rows_(ctx.scratch().take<line_sums>(rows.count)),
        columns_(ctx.scratch().take<line_sums>(columns.count)) {
    std::fill(rows_.begin(), rows_.end(), line_sums{});
    std::fill(columns_.begin(), columns_.end(), line_sums{});
    const std::span<line_sums> parts = ctx.scratch().take<line_sums>(panels_.height() * panels_.parts());
    panels_.for_each(
        [&](std::size_t worker, const similarity_part<T>& part, std::size_t number) {
          sum_rows(part, parts.subspan(number * panels_.height(), panels_.height()));
          sum_columns(part, context_.scratch(worker));
        },
        [&](std::size_t first, std::size_t last, const vector_block<T>&) {
          for (std::size_t i = first; i < last; ++i)
            for (std::size_t number = 0; number < panels_.parts(); ++number)
              add(rows_[i], parts[number * panels_.height() + (i - first)]);
        });
  }

  [[nodiscard]] std::span<const line_sums> rows() const noexcept { return rows_; }
  [[nodiscard]] std::span<const line_sums> columns() const noexcept { return columns_; }
  [[nodiscard]] std::size_t matches() const noexcept { return panels_.matches(); }
  [[nodiscard]] double match(std::size_t i) const noexcept { return panels_.match(i); }

  /// The second pass: adds to the sums of derivatives by the vectors, for the slopes
  ///
  ///     of_row[i] exp((s_ij - top of row i) / temperature)
  ///     + of_column[j] exp((s_ij - top of column j) / temperature)
  ///
  /// by negatives and of_match[i] by matches.
  void pull(std::span<const T> of_row, std::span<const T> of_column, std::span<const T> of_match,
            const vector_block<T>& row_sums, const vector_block<T>& column_sums) {
    const std::span<T> tops = context_.scratch().take<T>(columns_.size());
    for (std::size_t j = 0; j < tops.size(); ++j) tops[j] = columns_[j].top;
    panels_.for_each(
        [&](std::size_t, const similarity_part<T>& part, std::size_t) {
          make_slopes(part, of_row, of_column, of_match, tops);
          const std::size_t end = std::min(part.last_column, column_sums.count);
          if (part.first_column >= end) return;
          const vector_block<const T> slopes{part.scores + part.first_column, part.last_row - part.first_row,
                                             end - part.first_column, part.stride};
          add_by_columns<T>(slopes, row_vectors_.part(part.first_row, part.last_row),
                            column_sums.part(part.first_column, end));
        },
        [&](std::size_t first, std::size_t last, const vector_block<T>& panel) {
          const std::size_t end = std::min(last, row_sums.count);
          if (first >= end) return;
          context_.run(pieces(end - first, tuning::product_lists), [&](std::size_t, std::size_t task) {
            const std::size_t from = first + task * tuning::product_lists;
            const std::size_t to = std::min(end, from + tuning::product_lists);
            const vector_block<const T> slopes = panel.part(from - first, to - first);
            add_by_rows<T>(slopes, column_vectors_, row_sums.part(from, to));
          });
        });
  }

 private:
  /// Adds the sums of some other items of the same line.
  void add(line_sums& line, const line_sums& other) const noexcept {
    if (!(other.total > 0.0)) return;
    if (!(line.total > 0.0)) {
      line = other;
      return;
    }
    const bool rises = other.top > line.top;
    const line_sums& high = rises ? other : line;
    const line_sums& low = rises ? line : other;
    const double below =
        std::min((static_cast<double>(high.top) - static_cast<double>(low.top)) * wide_unit_, largest_term);
    const double share = std::exp(-below);
    line = {high.top, high.total + share * low.total,
            high.distance + (share > 0.0 ? share * (low.distance + below * low.total) : 0.0)};
  }

  /// exp((s - top) / temperature), and 0 for what stands in place of a match.
  [[gnu::always_inline]] V exponential(const V& s, const V& top, V& distance) const noexcept {
    distance = (top - s) * V(unit_);
    return exp_minus(xsimd::max(distance, V(T{0})));
  }

  /// Sums of the rows of a part, each by itself.
  void sum_rows(const similarity_part<T>& part, std::span<line_sums> sums) const {
    const std::size_t n = part.last_column - part.first_column;
    for (std::size_t i = part.first_row; i < part.last_row; ++i) {
      const T* s = part.row(i) + part.first_column;
      line_sums& line = sums[i - part.first_row] = {};
      line.top = greatest(s, n);
      if (line.top == lowest) continue;  // no negatives
      V total(T{0}), distances(T{0}), d;
      const V top(line.top);
      std::size_t j = 0;
      for (; j + w <= n; j += w) {
        const V e = exponential(V::load_unaligned(s + j), top, d);
        total += e;
        distances += e * xsimd::min(d, V(T(1000)));
      }
      line.total = static_cast<double>(sum_of(total));
      line.distance = static_cast<double>(sum_of(distances));
      if (j < n) {
        alignas(64) T rest[w];
        std::fill_n(rest, w, lowest);
        std::copy_n(s + j, n - j, rest);
        const V e = exponential(V::load_aligned(rest), top, d);
        line.total += static_cast<double>(sum_of(e));
        line.distance += static_cast<double>(sum_of(e * xsimd::min(d, V(T(1000)))));
      }
    }
  }

  [[nodiscard]] static T greatest(const T* s, std::size_t n) noexcept {
    V most(lowest);
    std::size_t j = 0;
    for (; j + w <= n; j += w) most = xsimd::max(most, V::load_unaligned(s + j));
    alignas(64) T row[w];
    most.store_aligned(row);
    T top = *std::max_element(row, row + w);
    for (; j < n; ++j) top = std::max(top, s[j]);
    return top;
  }

  /// Adds the columns of a part to the sums of the columns. No other part of the panel has these columns.
  void sum_columns(const similarity_part<T>& part, workspace& scratch) {
    const workspace::scope scope(scratch);
    const std::size_t n = part.last_column - part.first_column;
    const std::size_t padded = pieces(n, w) * w;
    const std::span<T> tops = scratch.take<T>(padded);
    const std::span<T> totals = scratch.take<T>(padded);
    const std::span<T> distances = scratch.take<T>(padded);
    const std::span<T> rest = scratch.take<T>(w);
    std::fill(tops.begin(), tops.end(), lowest);
    std::fill(totals.begin(), totals.end(), T{0});
    std::fill(distances.begin(), distances.end(), T{0});
    std::fill(rest.begin(), rest.end(), lowest);
    const std::size_t whole = n / w * w;
    const auto for_rows_of = [&](auto body) {
      for (std::size_t i = part.first_row; i < part.last_row; ++i) {
        const T* s = part.row(i) + part.first_column;
        for (std::size_t j = 0; j < whole; j += w) body(j, V::load_unaligned(s + j));
        if (whole == n) continue;
        std::copy_n(s + whole, n - whole, rest.data());
        body(whole, V::load_aligned(rest.data()));
      }
    };
    for_rows_of([&](std::size_t j, const V& s) {
      xsimd::max(V::load_aligned(tops.data() + j), s).store_aligned(tops.data() + j);
    });
    V d;
    if (distances_) {
      for_rows_of([&](std::size_t j, const V& s) {
        const V e = exponential(s, V::load_aligned(tops.data() + j), d);
        (V::load_aligned(totals.data() + j) + e).store_aligned(totals.data() + j);
        (V::load_aligned(distances.data() + j) + e * xsimd::min(d, V(T(1000))))
            .store_aligned(distances.data() + j);
      });
    } else {
      for_rows_of([&](std::size_t j, const V& s) {
        const V e = exponential(s, V::load_aligned(tops.data() + j), d);
        (V::load_aligned(totals.data() + j) + e).store_aligned(totals.data() + j);
      });
    }
    for (std::size_t j = 0; j < n; ++j)
      if (tops[j] > lowest)
        add(columns_[part.first_column + j],
            {tops[j], static_cast<double>(totals[j]), static_cast<double>(distances[j])});
  }

  void make_slopes(const similarity_part<T>& part, std::span<const T> of_row, std::span<const T> of_column,
                   std::span<const T> of_match, std::span<const T> tops) const {
    for (std::size_t i = part.first_row; i < part.last_row; ++i) {
      T* s = part.row(i);
      const V row_top(rows_[i].top), row_factor(of_row[i]);
      const auto slope = [&](const V& score, const V& top, const V& factor) {
        V d;
        const V by_row = row_factor * exponential(score, row_top, d);
        return xsimd::fma(factor, exponential(score, top, d), by_row);
      };
      std::size_t j = part.first_column;
      for (; j + w <= part.last_column; j += w)
        slope(V::load_unaligned(s + j), V::load_unaligned(tops.data() + j),
              V::load_unaligned(of_column.data() + j))
            .store_unaligned(s + j);
      if (j < part.last_column) {
        const std::size_t n = part.last_column - j;
        alignas(64) T scores[w], top[w], factor[w];
        std::fill_n(scores, w, lowest);
        std::fill_n(top, w, lowest);
        std::fill_n(factor, w, T{0});
        std::copy_n(s + j, n, scores);
        std::copy_n(tops.data() + j, n, top);
        std::copy_n(of_column.data() + j, n, factor);
        slope(V::load_aligned(scores), V::load_aligned(top), V::load_aligned(factor)).store_aligned(scores);
        std::copy_n(scores, n, s + j);
      }
      if (i >= part.first_column && i < part.last_column && i < of_match.size()) s[i] = of_match[i];
    }
  }

  index_panels<T> panels_;
  vector_block<const T> row_vectors_;
  vector_block<const T> column_vectors_;
  T unit_;
  double wide_unit_;
  bool distances_;
  context& context_;
  std::span<line_sums> rows_;
  std::span<line_sums> columns_;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
