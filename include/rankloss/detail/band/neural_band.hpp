// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/pieces.hpp>
#include <rankloss/detail/base/precision.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// NeuralSort in sorted coordinates. With scores descending and gaps g_l = (s_l - s_{l+1}) / t >= 0 the
/// logits of row i peak at column i, and
///
///     L_{i,i} - L_{i,i+m} = sum_{l=0}^{m-1} (2 l + 1) g_{i+l}
///     L_{i,i} - L_{i,i-m} = sum_{l=1}^{m} (2 l - 1) g_{i-l}
///
/// so that no row sums of distances are needed, no digits cancel, and entries outside a band around the
/// diagonal are below the rounding error of the peak. Entries are computed when they are needed: products
/// with P walk along rows, products with its transpose along columns. Both only read their operands; no sum
/// is scattered. (kept_band, which sinkhorn_band uses, stores the entries and scatters its column sums; see
/// `gather`.)
///
/// Lanes hold either several lists, one per lane, or one long list cut into one stretch per lane. Arrays over
/// items, called "columns" below, have one row of lanes per item, and before and after these a halo of rows
/// in which a stretch sees its neighbours.
template <class Arch, class T>
class neural_band {
  using V = lanes<Arch>;
  static constexpr std::size_t w = lane_count<Arch>;
  static constexpr double beyond = 1e100;  // a gap that no band reaches across; larger gaps are cut to it

 public:
  /// Entries below exp(-reach) times the peak of their row are dropped: they are less than T's rounding error
  /// of the peak.
  static constexpr double reach = by_precision<T>(17.0, 39.0);

  neural_band() = default;

  /// One list: x [n] sorted, descending.
  neural_band(std::span<const T> x, double temperature, workspace& scratch)
      : rows_((x.size() + w - 1) / w), items_(x.size()), single_(true), scratch_(&scratch) {
    const std::size_t n = x.size();
    const double scale = 1.0 / temperature;
    {
      // Finds the greatest width of the band by a walk over all rows without the exponentials.
      const workspace::scope scope(scratch);
      const std::span<double> gaps = scratch.take<double>(n + 2 * w + 2);
      std::fill(gaps.begin(), gaps.end(), beyond);
      double* gap = gaps.data() + w + 1;
      for (std::size_t i = 0; i + 1 < n; ++i)
        gap[i] = std::min((static_cast<double>(x[i]) - static_cast<double>(x[i + 1])) * scale, beyond);
      const V limit(reach);
      const auto width_at = [=](std::size_t i) {
        std::size_t width = 0;
        // The walks along rows and along columns add up the same gaps in different orders. Because of
        // rounding, an entry at the edge of the band may be within reach of only one of them.
        V down(0.0), up(0.0), factor(1.0);
        V column_down(0.0), column_up(0.0), distance_down(0.0), distance_up(0.0);
        for (std::size_t m = 1;; ++m) {
          if (i + m - 1 < n) {
            const V g = V::load_unaligned(gap + i + m - 1);
            up = xsimd::fma(g, factor, up);
            column_up += xsimd::fma(V(2.0), distance_up, g);
            distance_up += g;
          }
          if (m <= i + w) {
            const V g =
                V::load_unaligned(gap + static_cast<std::ptrdiff_t>(i) - static_cast<std::ptrdiff_t>(m));
            down = xsimd::fma(g, factor, down);
            column_down += xsimd::fma(V(2.0), distance_down, g);
            distance_down += g;
          }
          const auto past = [&](const V& row, const V& column) {
            return xsimd::all(xsimd::min(row, column) > limit);
          };
          const bool ended =
              (i + m - 1 >= n || past(up, column_up)) && (m > i + w || past(down, column_down));
          if (ended) return width;
          width = m;
          factor += V(2.0);
        }
      };
      const even_pieces pieces(rows_, tuning::band_rows);
      const std::span<std::size_t> widths = scratch.take<std::size_t>(pieces.count());
      run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
        widths[p] = 0;
        for (std::size_t i = pieces[p].begin; i < pieces[p].end; ++i)
          widths[p] = std::max(widths[p], width_at(i * w));
      });
      width_ = *std::max_element(widths.begin(), widths.end());
    }
    width_ = std::min(width_, n - 1);
    halo_ = width_ + 1;
    gaps_ = take();
    for (std::ptrdiff_t i = -static_cast<std::ptrdiff_t>(halo_);
         i < static_cast<std::ptrdiff_t>(rows_ + halo_); ++i)
      for (std::size_t l = 0; l < w; ++l) {
        const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(l * rows_) + i;
        const bool inside = at >= 0 && at + 1 < static_cast<std::ptrdiff_t>(n);
        const auto p = static_cast<std::size_t>(at);
        gaps_[index(i) + l] =
            inside ? std::min((static_cast<double>(x[p]) - static_cast<double>(x[p + 1])) * scale, beyond)
                   : beyond;
      }
    inverse_sums_ = take();
  }

  /// Several lists, each sorted, descending.
  neural_band(const plain_rows<Arch>& lists, double temperature, workspace& scratch)
      : rows_(lists.rows.rows), items_(lists.x.size()), scratch_(&scratch) {
    const std::span<const double> x = lists.x;
    const V scale(1.0 / temperature);
    const auto measure = [&] {
      gaps_ = take();
      std::fill(gaps_.begin(), gaps_.end(), beyond);
      for (std::size_t i = 0; i + 1 < rows_; ++i) {
        const V gap = xsimd::min(
            (V::load_aligned(x.data() + i * w) - V::load_aligned(x.data() + (i + 1) * w)) * scale, V(beyond));
        xsimd::select(lists.holds(i + 1), gap, V(beyond)).store_aligned(gaps_.data() + index(i));
      }
    };
    {
      const workspace::scope scope(scratch);
      halo_ = rows_ + 1;  // as far as a band can reach
      measure();
      const auto note = [&](std::ptrdiff_t m, const V&, std::size_t) {
        width_ = std::max(width_, static_cast<std::size_t>(m < 0 ? -m : m));
      };
      for (std::size_t i = 0; i < rows_; ++i) {
        walk_rows(i, note);
        walk_columns(
            i, note);  // the same gaps added up in another order: at the very edge one may reach further
      }
    }
    halo_ = width_ + 1;
    measure();
    inverse_sums_ = take();
  }

  [[nodiscard]] std::size_t rows() const noexcept { return rows_; }
  /// Whether all lanes hold one list.
  [[nodiscard]] bool of_one_list() const noexcept { return single_; }
  /// Entries on each side of the diagonal, at most.
  [[nodiscard]] std::size_t width() const noexcept { return width_; }
  /// Takes an array over items, with its halo, from the workspace; its values are not initialized.
  [[nodiscard]] std::span<double> take() const { return scratch_->take<double>((rows_ + 2 * halo_) * w); }
  /// Where row i begins in such an array.
  [[nodiscard]] std::size_t index(std::ptrdiff_t i) const noexcept {
    return static_cast<std::size_t>(i + static_cast<std::ptrdiff_t>(halo_)) * w;
  }
  [[nodiscard]] std::size_t index(std::size_t i) const noexcept { return (i + halo_) * w; }

  /// `load` copies from slots, [lane][row] (for one list this is the sorted order), to an array over items,
  /// and `store` copies back. Beyond the end of a list the array holds zeros.
  void load(std::span<const double> slots, std::span<double> to) const noexcept {
    for (std::size_t i = 0; i < rows_; ++i)
      for (std::size_t l = 0; l < w; ++l)
        to[index(i) + l] = l * rows_ + i < slots.size() ? slots[l * rows_ + i] : 0.0;
    spread(to);
  }
  void store(std::span<const double> from, std::span<double> slots) const noexcept {
    for (std::size_t l = 0; l < w; ++l)
      for (std::size_t i = 0; i < rows_ && l * rows_ + i < slots.size(); ++i)
        slots[l * rows_ + i] = from[index(i) + l];
  }
  /// Fills the halo with the items of the neighbouring stretches, or with zeros.
  void spread(std::span<double> columns) const noexcept {
    if (!single_) {
      std::fill_n(columns.begin(), halo_ * w, 0.0);
      std::fill_n(columns.end() - static_cast<std::ptrdiff_t>(halo_ * w), halo_ * w, 0.0);
      return;
    }
    for_halo([&](std::ptrdiff_t i, std::ptrdiff_t row, std::ptrdiff_t lanes_on) {
      for (std::size_t l = 0; l < w; ++l)
        columns[index(i) + l] = holds(row, l, lanes_on) ? columns[beside(row, l, lanes_on)] : 0.0;
    });
  }

  /// The transpose of `spread`: adds the values in the halo to the items that they stand for. With one list
  /// per lane the halo stands for no items, and nothing is done.
  void gather(std::span<double> columns) const noexcept {
    if (!single_) return;
    for_halo([&](std::ptrdiff_t i, std::ptrdiff_t row, std::ptrdiff_t lanes_on) {
      for (std::size_t l = 0; l < w; ++l)
        if (holds(row, l, lanes_on)) columns[beside(row, l, lanes_on)] += columns[index(i) + l];
    });
  }

  /// Calls body(m, e, at) for the off-diagonal entries of row i: column i + m, e = exp(L_{i,i+m} - L_{i,i}),
  /// and the index `at` of the column's items.
  template <class Body>
  [[gnu::always_inline]] void walk_rows(std::size_t i, Body body) const {
    V sum(0.0), factor(1.0);
    for (std::size_t m = 1;; ++m) {
      const std::size_t at = index(i) + m * w;
      sum = xsimd::fma(V::load_aligned(gaps_.data() + at - w), factor, sum);
      if (xsimd::all(sum > V(reach))) break;
      body(static_cast<std::ptrdiff_t>(m), entry(sum), at);
      factor += V(2.0);
    }
    sum = V(0.0);
    factor = V(1.0);
    for (std::size_t m = 1;; ++m) {
      const std::size_t at = index(i) - m * w;
      sum = xsimd::fma(V::load_aligned(gaps_.data() + at), factor, sum);
      if (xsimd::all(sum > V(reach))) break;
      body(-static_cast<std::ptrdiff_t>(m), entry(sum), at);
      factor += V(2.0);
    }
  }

  /// Calls body(m, e, at) for the off-diagonal entries of column j: row j + m,
  /// e = exp(L_{j+m,j} - L_{j+m,j+m}), and the index `at` of the row's items.
  template <class Body>
  [[gnu::always_inline]] void walk_columns(std::size_t j, Body body) const {
    // With each row further away the weights of all previous gaps grow by 2, and the new gap has weight 1.
    V sum(0.0), distance(0.0);
    for (std::size_t m = 1;; ++m) {
      const std::size_t at = index(j) + m * w;
      const V gap = V::load_aligned(gaps_.data() + at - w);
      sum += xsimd::fma(V(2.0), distance, gap);
      distance += gap;
      if (xsimd::all(sum > V(reach))) break;
      body(static_cast<std::ptrdiff_t>(m), entry(sum), at);
    }
    sum = V(0.0);
    distance = V(0.0);
    for (std::size_t m = 1;; ++m) {
      const std::size_t at = index(j) - m * w;
      const V gap = V::load_aligned(gaps_.data() + at);
      sum += xsimd::fma(V(2.0), distance, gap);
      distance += gap;
      if (xsimd::all(sum > V(reach))) break;
      body(-static_cast<std::ptrdiff_t>(m), entry(sum), at);
    }
  }

  // Workers share the rows or columns of a long list, so what is written must not overlap what is read.

  /// out_i = sum_j P_ij values_j. Also computes the row sums, which the other products need.
  void apply(std::span<const double> values, std::span<double> out) {
    in_pieces([&](item_range rows) { apply_rows(rows, values, out); });
    spread(inverse_sums_);
  }

  /// After `apply`: 1 / sum_j exp(L_ij - L_ii) of each row.
  [[nodiscard]] std::span<const double> inverse_sums() const noexcept { return inverse_sums_; }

  /// out_j = sum_i P_ij values_i, after `apply`.
  void apply_transposed(std::span<const double> values, std::span<double> out) const {
    in_pieces([&](item_range columns) { apply_columns(columns, values, out); });
  }

  /// Column sums of D = d(f)/d(L) and their first moments, sum_i D_ij (i - j), for
  /// f = sum_ij cotangent_i P_ij values_j, so that D_ij = P_ij cotangent_i (values_j - (P values)_i).
  void pull(std::span<const double> values, std::span<const double> product,
            std::span<const double> cotangent, std::span<double> sums, std::span<double> moments) const {
    in_pieces([&](item_range columns) { pull_columns(columns, values, product, cotangent, sums, moments); });
  }

 private:
  /// Calls body(i, row, lanes_on) for the rows i of the halo, outwards from the first and the last row: what lane l has
  /// there is item `row` of lane l + lanes_on.
  template <class Body>
  [[gnu::always_inline]] void for_halo(Body body) const noexcept {
    const auto rows = static_cast<std::ptrdiff_t>(rows_);
    std::ptrdiff_t above = 0, below = 0, up = 0, down = 0;  // rows, and lanes on
    for (std::ptrdiff_t m = 1; m <= static_cast<std::ptrdiff_t>(halo_); ++m) {
      if (above-- == 0) above = rows - 1, --up;
      if (m == 1 || ++below == rows) below = 0, ++down;
      body(-m, above, up);
      body(rows + m - 1, below, down);
    }
  }
  /// Whether the list has item `row` of lane l + lanes_on, and where it is.
  [[nodiscard]] bool holds(std::ptrdiff_t row, std::size_t l, std::ptrdiff_t lanes_on) const noexcept {
    const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(l) + lanes_on;
    return at >= 0 && at * static_cast<std::ptrdiff_t>(rows_) + row < static_cast<std::ptrdiff_t>(items_);
  }
  [[nodiscard]] std::size_t beside(std::ptrdiff_t row, std::size_t l,
                                   std::ptrdiff_t lanes_on) const noexcept {
    return static_cast<std::size_t>(static_cast<std::ptrdiff_t>(index(row) + l) + lanes_on);
  }

  /// Calls body(range) for the rows or columns of each piece: they do not depend on each other.
  template <class Body>
  void in_pieces(const Body& body) const {
    const even_pieces pieces(rows_, tuning::band_rows);
    run_pieces(*scratch_, pieces.count(), [&](workspace&, std::size_t p) { body(pieces[p]); });
  }

  // The loops are functions of their own: as parts of those above they were slower by a tenth.

  [[gnu::noinline]] void apply_rows(item_range rows, std::span<const double> values,
                                    std::span<double> out) const {
    for (std::size_t i = rows.begin; i < rows.end; ++i) {
      V total(1.0);
      V product = V::load_aligned(values.data() + index(i));
      walk_rows(i, [&](std::ptrdiff_t, const V& e, std::size_t at) {
        total += e;
        product = xsimd::fma(e, V::load_aligned(values.data() + at), product);
      });
      const V inverse = V(1.0) / total;
      inverse.store_aligned(inverse_sums_.data() + index(i));
      (product * inverse).store_aligned(out.data() + index(i));
    }
  }

  [[gnu::noinline]] void apply_columns(item_range columns, std::span<const double> values,
                                       std::span<double> out) const {
    for (std::size_t j = columns.begin; j < columns.end; ++j) {
      const auto scaled = [&](std::size_t at) {
        return V::load_aligned(values.data() + at) * V::load_aligned(inverse_sums_.data() + at);
      };
      V product = scaled(index(j));
      walk_columns(j, [&](std::ptrdiff_t, const V& e, std::size_t at) {
        product = xsimd::fma(e, scaled(at), product);
      });
      product.store_aligned(out.data() + index(j));
    }
  }

  [[gnu::noinline]] void pull_columns(item_range columns, std::span<const double> values,
                                      std::span<const double> product, std::span<const double> cotangent,
                                      std::span<double> sums, std::span<double> moments) const {
    for (std::size_t j = columns.begin; j < columns.end; ++j) {
      const V value = V::load_aligned(values.data() + index(j));
      const auto entry = [&](std::size_t at) {
        return V::load_aligned(inverse_sums_.data() + at) * V::load_aligned(cotangent.data() + at) *
               (value - V::load_aligned(product.data() + at));
      };
      V sum = entry(index(j));
      V moment(0.0);
      walk_columns(j, [&](std::ptrdiff_t m, const V& e, std::size_t at) {
        const V d = e * entry(at);
        sum += d;
        moment = xsimd::fma(d, V(static_cast<double>(m)), moment);
      });
      sum.store_aligned(sums.data() + index(j));
      moment.store_aligned(moments.data() + index(j));
    }
  }

  /// exp(-sum), and 0 beyond the reach, also where the list of another lane reaches further, so that no bit
  /// of a list's result depends on the lists in other lanes.
  [[gnu::always_inline]] V entry(const V& sum) const noexcept {
    if constexpr (single_precision<T>)
      return xsimd::select(sum > V(reach), V(0.0), exp_minus_near(sum, exp2m1_7));
    else
      return xsimd::select(sum > V(reach), V(0.0), exp_minus_near(sum, exp2m1_12));
  }

  std::size_t rows_ = 0;
  std::size_t items_ = 0;
  std::size_t halo_ = 0;
  std::size_t width_ = 0;
  bool single_ = false;
  workspace* scratch_ = nullptr;
  std::span<double> gaps_;          // in units of temperature; `beyond` behind a list's end
  std::span<double> inverse_sums_;  // of rows
};

/// Computes the gradient of f by the n sorted scores x from the column sums and moments of D = d(f)/d(L),
/// whose rows sum to 0. The gradient overwrites the moments. With
/// L_ij = ((n + 1 - 2 i) x_j - sum_k |x_j - x_k|) / t it is
///
///     d(f)/d(x_j) = (1/t) [ sums_j (begin + end - 1 - 2 j) - 2 moments_j
///                           + sum_{k < begin} sums_k - sum_{k >= end} sums_k ]
///
/// for the item j (from 0) of a run [begin, end) of equal scores. The derivative of |x_j - x_k| is taken as 0
/// where the two scores are equal.
template <class X>
void neural_gradient(const X& x, std::size_t n, double temperature, const double* sums,
                     double* moments) noexcept {
  double before = 0.0;
  double after = 0.0;
  for (std::size_t j = 0; j < n; ++j) after += sums[j];
  for (std::size_t begin = 0; begin < n;) {
    std::size_t end = begin;
    double run = 0.0;
    for (; end < n && x(end) == x(begin); ++end) run += sums[end];
    after -= run;
    for (std::size_t j = begin; j < end; ++j) {
      const double offset = static_cast<double>(begin + end) - 1.0 - 2.0 * static_cast<double>(j);
      moments[j] = (sums[j] * offset - 2.0 * moments[j] + before - after) / temperature;
    }
    before += run;
    begin = end;
  }
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
