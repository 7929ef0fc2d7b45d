// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/neural_band.hpp>
#include <rankloss/detail/simd.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>

namespace rankloss::detail {

/// Sinkhorn's scaling of a NeuralSort band to row and column sums of 1. It only ever scales rows and columns, so the scaled matrix is
/// diag(r) P diag(c) at every step: P is kept once, by rows and by columns so that all products are sums in registers, and a step is two
/// vectors. P is kept in the type of the scores, half the memory for float, which is what the steps wait for.
///
///     c_j = 1 / sum_i r_i P_ij,   r_i = 1 / sum_j P_ij c_j            columns, then rows; from r = 1
///
/// A list, which is a lane or all lanes, stops by itself where all its column sums are within the tolerance of 1, or at the last step.
template <class Arch, class T>
class sinkhorn_band {
  using V = lanes<Arch>;
  static constexpr std::size_t w = lane_count<Arch>;
  static constexpr auto row_step = static_cast<std::ptrdiff_t>(w);

 public:
  enum class derivative { unrolled, implicit };
  static constexpr std::size_t most_steps = 1000000;

  /// @param band  whose row sums are known: after `apply`
  /// @param keep  whether all steps are kept, as the unrolled derivative needs them, or only the last
  sinkhorn_band(const neural_band<Arch, T>& band, bool one_list, std::size_t steps, double tolerance, bool keep, workspace& scratch)
      : band_(band), one_list_(one_list), tolerance_(tolerance), scratch_(scratch), entries_(2 * band.width() + 1) {
    const std::size_t rows = band.rows();
    const std::size_t width = band.width();
    by_rows_ = scratch.take<T>(rows * entries_ * w);
    by_columns_ = scratch.take<T>(rows * entries_ * w);
    row_width_ = scratch.take<std::uint32_t>(rows);
    column_width_ = scratch.take<std::uint32_t>(rows);
    std::fill(by_rows_.begin(), by_rows_.end(), T{0});
    std::fill(by_columns_.begin(), by_columns_.end(), T{0});
    const std::span<const double> inverse = band.inverse_sums();
    for (std::size_t i = 0; i < rows; ++i) {
      T* row = by_rows_.data() + (i * entries_ + width) * w;
      T* column = by_columns_.data() + (i * entries_ + width) * w;
      const V own = V::load_aligned(inverse.data() + band.index(i));
      store_row<Arch>(row, own);
      store_row<Arch>(column, own);
      std::ptrdiff_t reached = 0;
      const auto note = [&](std::ptrdiff_t m) { reached = std::max(reached, m < 0 ? -m : m); };
      band.walk_rows(i, [&](std::ptrdiff_t m, const V& e, std::size_t) {
        note(m);
        store_row<Arch>(row + m * row_step, e * own);
      });
      row_width_[i] = static_cast<std::uint32_t>(reached);
      reached = 0;
      band.walk_columns(i, [&](std::ptrdiff_t m, const V& e, std::size_t at) {
        note(m);
        store_row<Arch>(column + m * row_step, e * V::load_aligned(inverse.data() + at));
      });
      column_width_[i] = static_cast<std::uint32_t>(reached);
    }
    scale(std::min(steps, most_steps), keep);
  }

  [[nodiscard]] std::size_t steps() const noexcept { return steps_; }

  /// out_i = r_i sum_j P_ij c_j values_j. `values` are used up.
  void apply(std::span<double> values, std::span<double> out) const {
    multiply(values, c());
    for_rows([&](std::size_t i, std::size_t at) { (V::load_aligned(r().data() + at) * row_sum(i, values)).store_aligned(out.data() + at); });
  }
  /// out_j = c_j sum_i P_ij r_i values_i. `values` are used up.
  void apply_transposed(std::span<double> values, std::span<double> out) const {
    multiply(values, r());
    for_rows([&](std::size_t j, std::size_t at) { (V::load_aligned(c().data() + at) * column_sum(j, values)).store_aligned(out.data() + at); });
  }

  /// Column sums and first moments of d(f)/d(logits), as neural_band::pull, for f = sum_ij cotangent_i r_i P_ij c_j values_j.
  ///
  /// d(f)/d(P_ij) is a sum of products of a row's and a column's number, two a step. So what is wanted of it, its sums against P by columns
  /// (with and without the weight i - j) and by rows, comes out of the products with P that the steps take anyway.
  void pull(std::span<const double> values, std::span<const double> cotangent, std::span<double> sums, std::span<double> moments,
            derivative how) const {
    const workspace::scope scope(scratch_);
    const std::span<double> x = band_.take();       // by rows
    const std::span<double> y = band_.take();       // by columns
    const std::span<double> r_bar = band_.take();   // d(f)/d(r)
    const std::span<double> c_bar = band_.take();   // d(f)/d(c)
    const std::span<double> by_row = band_.take();  // sum_j P_ij d(f)/d(P_ij)
    copy(cotangent, x);
    multiply(x, r());
    copy(values, y);
    multiply(y, c());
    for_rows([&](std::size_t i, std::size_t at) {
      const V product = row_sum(i, y);
      (V::load_aligned(cotangent.data() + at) * product).store_aligned(r_bar.data() + at);
      (V::load_aligned(x.data() + at) * product).store_aligned(by_row.data() + at);
    });
    for_rows([&](std::size_t j, std::size_t at) {
      const auto [sum, moment] = column_moments(j, x);
      (V::load_aligned(values.data() + at) * sum).store_aligned(c_bar.data() + at);
      const V column = V::load_aligned(y.data() + at);
      (column * sum).store_aligned(sums.data() + at);
      (column * moment).store_aligned(moments.data() + at);
    });
    if (how == derivative::unrolled)
      for (std::size_t k = steps_; k > 0; --k) step_back(k, r_bar, c_bar, by_row, sums, moments, x, y);
    else if (steps_ > 0)
      at_fixed_point(r_bar, c_bar, by_row, sums, moments, x, y);
    // The softmax of the rows: D_ij = P_ij (d(f)/d(P_ij) - by_row_i).
    band_.spread(by_row);
    for_rows([&](std::size_t j, std::size_t at) {
      const auto [sum, moment] = column_moments(j, by_row);
      (V::load_aligned(sums.data() + at) - sum).store_aligned(sums.data() + at);
      (V::load_aligned(moments.data() + at) - moment).store_aligned(moments.data() + at);
    });
  }

 private:
  template <class Body>
  [[gnu::always_inline]] void for_rows(Body body) const {
    for (std::size_t i = 0; i < band_.rows(); ++i) body(i, band_.index(i));
  }
  static void copy(std::span<const double> from, std::span<double> to) noexcept { std::copy(from.begin(), from.end(), to.begin()); }
  void multiply(std::span<double> x, std::span<const double> by) const {
    for_rows([&](std::size_t, std::size_t at) { (V::load_aligned(x.data() + at) * V::load_aligned(by.data() + at)).store_aligned(x.data() + at); });
    band_.spread(x);
  }

  /// Sums over the entries of a row or column: from the diagonal outwards, so that where a list's own band ends only zeros follow, however wide
  /// its neighbours' are; in four sums, since each addition waits for the one before it.
  [[gnu::always_inline]] V dot(const T* entries, const double* x, std::uint32_t reached) const {
    const auto term = [&](const V& sum, std::ptrdiff_t m) {
      return xsimd::fma(load_row<Arch>(entries + m * row_step), V::load_aligned(x + m * row_step), sum);
    };
    V up[2]{term(V(0.0), 0), V(0.0)};
    V down[2]{V(0.0), V(0.0)};
    const auto width = static_cast<std::ptrdiff_t>(reached);
    std::ptrdiff_t m = 1;
    for (; m + 1 <= width; m += 2) {
      up[0] = term(up[0], m);
      down[0] = term(down[0], -m);
      up[1] = term(up[1], m + 1);
      down[1] = term(down[1], -m - 1);
    }
    if (m <= width) {
      up[0] = term(up[0], m);
      down[0] = term(down[0], -m);
    }
    return (up[0] + up[1]) + (down[0] + down[1]);
  }
  /// sum_j P_ij x_j
  [[gnu::always_inline]] V row_sum(std::size_t i, std::span<const double> x) const {
    return dot(by_rows_.data() + (i * entries_ + band_.width()) * w, x.data() + band_.index(i), row_width_[i]);
  }
  /// sum_i P_ij x_i
  [[gnu::always_inline]] V column_sum(std::size_t j, std::span<const double> x) const {
    return dot(by_columns_.data() + (j * entries_ + band_.width()) * w, x.data() + band_.index(j), column_width_[j]);
  }
  struct sum_and_moment {
    V sum, moment;
  };
  /// The same, and sum_i P_ij (i - j) x_i.
  [[gnu::always_inline]] sum_and_moment column_moments(std::size_t j, std::span<const double> x) const {
    const T* entries = by_columns_.data() + (j * entries_ + band_.width()) * w;
    const double* from = x.data() + band_.index(j);
    const auto term = [&](std::ptrdiff_t m) { return load_row<Arch>(entries + m * row_step) * V::load_aligned(from + m * row_step); };
    V sum[2]{term(0), V(0.0)};
    V moment[2]{V(0.0), V(0.0)};
    V offset(1.0);
    for (std::ptrdiff_t m = 1; m <= static_cast<std::ptrdiff_t>(column_width_[j]); ++m) {
      const V up = term(m);
      const V down = term(-m);
      sum[0] += up;
      sum[1] += down;
      moment[0] = xsimd::fma(up, offset, moment[0]);
      moment[1] = xsimd::fma(-down, offset, moment[1]);
      offset += V(1.0);
    }
    return {sum[0] + sum[1], moment[0] + moment[1]};
  }

  [[nodiscard]] static double most_of(const V& values) noexcept {
    alignas(64) double all[w];
    values.store_aligned(all);
    return *std::max_element(all, all + w);
  }

  [[nodiscard]] std::span<const double> c() const noexcept { return c_of(steps_); }
  [[nodiscard]] std::span<const double> r() const noexcept { return r_of(steps_); }
  [[nodiscard]] std::span<double> c_of(std::size_t step) const noexcept { return {history_[step].c, size_}; }
  [[nodiscard]] std::span<double> r_of(std::size_t step) const noexcept { return {history_[step].r, size_}; }
  [[nodiscard]] std::span<double> moment_of(std::size_t step) const noexcept { return {history_[step].moment, size_}; }
  [[nodiscard]] V running(std::size_t step) const noexcept { return V::load_aligned(history_[step].going); }

  void scale(std::size_t most, bool keep) {
    size_ = band_.index(band_.rows()) + band_.index(std::size_t{0});
    history_ = scratch_.take<generation>(most + 1);
    const auto take = [&] {
      return generation{scratch_.take<double>(size_).data(), scratch_.take<double>(size_).data(), scratch_.take<double>(size_).data(),
                        scratch_.take<double>(w).data()};
    };
    history_[0] = take();
    std::fill_n(history_[0].c, size_, 0.0);
    std::fill_n(history_[0].r, size_, 0.0);
    for_rows([&](std::size_t, std::size_t at) {
      V(1.0).store_aligned(history_[0].c + at);
      V(1.0).store_aligned(history_[0].r + at);
    });
    band_.spread(c_of(0));
    band_.spread(r_of(0));
    V going(1.0);  // 1 in the lanes that have not stopped
    for (std::size_t k = 1; k <= most; ++k) {
      history_[k] = keep || k == 1 ? take() : history_[k - 2];
      const std::span<double> c_now = c_of(k);
      const std::span<double> r_now = r_of(k);
      V worst(0.0);
      for_rows([&](std::size_t j, std::size_t at) {
        const auto [sum, moment] = column_moments(j, r_of(k - 1));
        moment.store_aligned(moment_of(k).data() + at);
        const V before = V::load_aligned(c_of(k - 1).data() + at);
        worst = xsimd::max(worst, xsimd::abs(before * sum - V(1.0)));
        // A column out of every row's reach has no sum to speak of: it stays as it is.
        const bool_row whole = sum > V(std::numeric_limits<double>::min());
        xsimd::select(whole, V(1.0) / xsimd::select(whole, sum, V(1.0)), before).store_aligned(c_now.data() + at);
      });
      if (k > 1) {
        if (one_list_) worst = V(most_of(worst));
        going = xsimd::select(worst > V(tolerance_), going, V(0.0));
      }
      if (xsimd::all(going == V(0.0))) break;
      const auto keep_stopped = [&](std::span<double> now, std::span<const double> before) {
        if (xsimd::all(going != V(0.0))) return;
        for_rows([&](std::size_t, std::size_t at) {
          xsimd::select(going != V(0.0), V::load_aligned(now.data() + at), V::load_aligned(before.data() + at)).store_aligned(now.data() + at);
        });
      };
      keep_stopped(c_now, c_of(k - 1));
      band_.spread(c_now);
      for_rows([&](std::size_t i, std::size_t at) { (V(1.0) / row_sum(i, c_now)).store_aligned(r_now.data() + at); });
      keep_stopped(r_now, r_of(k - 1));
      band_.spread(r_now);
      going.store_aligned(history_[k].going);
      steps_ = k;
    }
  }

  /// From d(f)/d(r_k, c_k) to d(f)/d(r_{k-1}); what P adds on the way goes to by_row, sums and moments.
  void step_back(std::size_t k, std::span<double> r_bar, std::span<double> c_bar, std::span<double> by_row, std::span<double> sums,
                 std::span<double> moments, std::span<double> x, std::span<double> y) const {
    const V going = running(k);
    const std::span<const double> c_now = c_of(k);
    const std::span<const double> r_now = r_of(k);
    const std::span<const double> r_before = r_of(k - 1);
    for_rows([&](std::size_t, std::size_t at) {
      const V ratio = going * V::load_aligned(r_now.data() + at) * V::load_aligned(r_bar.data() + at);
      (-V::load_aligned(r_now.data() + at) * ratio).store_aligned(x.data() + at);  // d(f)/d(row sum)
      (V::load_aligned(by_row.data() + at) - ratio).store_aligned(by_row.data() + at);
    });
    band_.spread(x);
    for_rows([&](std::size_t j, std::size_t at) {
      const auto [sum, moment] = column_moments(j, x);
      const V scaling = V::load_aligned(c_now.data() + at);
      const V all = V::load_aligned(c_bar.data() + at) + sum;
      const V column = -going * scaling * scaling * all;  // d(f)/d(column sum)
      column.store_aligned(y.data() + at);
      // Of the r that led to this step, the sum by columns is 1 / scaling (or nothing where the column stayed as it was), the moment kept.
      const V before = V::load_aligned(moment_of(k).data() + at);
      (V::load_aligned(sums.data() + at) + xsimd::fma(scaling, sum, column / scaling)).store_aligned(sums.data() + at);
      (V::load_aligned(moments.data() + at) + xsimd::fma(scaling, moment, column * before)).store_aligned(moments.data() + at);
      xsimd::select(going != V(0.0), V(0.0), V::load_aligned(c_bar.data() + at)).store_aligned(c_bar.data() + at);
    });
    band_.spread(y);
    for_rows([&](std::size_t i, std::size_t at) {
      const V product = row_sum(i, y);
      xsimd::select(going != V(0.0), product, V::load_aligned(r_bar.data() + at)).store_aligned(r_bar.data() + at);
      (V::load_aligned(by_row.data() + at) + V::load_aligned(r_before.data() + at) * product).store_aligned(by_row.data() + at);
    });
  }

  /// The same steps at the last scalings, as often as they still change anything: the derivative of the fixed point. Rows' and columns'
  /// numbers are added up, so that P's moments are taken once.
  void at_fixed_point(std::span<double> r_bar, std::span<double> c_bar, std::span<double> by_row, std::span<double> sums, std::span<double> moments,
                      std::span<double> x, std::span<double> y) const {
    constexpr std::size_t most = 10000;
    const workspace::scope scope(scratch_);
    const std::span<double> rows = band_.take();
    const std::span<double> columns = band_.take();
    std::fill(rows.begin(), rows.end(), 0.0);
    std::fill(columns.begin(), columns.end(), 0.0);
    V first(0.0);
    V going(1.0);  // 1 in the lanes that still change
    for (std::size_t k = 0; k < most; ++k) {
      V largest(0.0);
      for_rows([&](std::size_t, std::size_t at) {
        const V ratio = V::load_aligned(r().data() + at) * V::load_aligned(r_bar.data() + at);
        largest = xsimd::max(largest, xsimd::abs(ratio));
        const V row = -going * V::load_aligned(r().data() + at) * ratio;
        row.store_aligned(x.data() + at);
        (V::load_aligned(rows.data() + at) + row).store_aligned(rows.data() + at);
      });
      if (one_list_) largest = V(most_of(largest));
      if (k == 0) first = largest;
      band_.spread(x);
      for_rows([&](std::size_t j, std::size_t at) {
        const V scaling = V::load_aligned(c().data() + at);
        const V column = -scaling * scaling * (V::load_aligned(c_bar.data() + at) + column_sum(j, x));
        column.store_aligned(y.data() + at);
        (V::load_aligned(columns.data() + at) + column).store_aligned(columns.data() + at);
        V(0.0).store_aligned(c_bar.data() + at);
      });
      band_.spread(y);
      for_rows([&](std::size_t i, std::size_t at) { (going * row_sum(i, y)).store_aligned(r_bar.data() + at); });
      if (k == 0) continue;
      going = xsimd::select(largest > V(tolerance_) * first, going, V(0.0));
      if (xsimd::all(going == V(0.0))) break;
    }
    band_.spread(rows);
    band_.spread(columns);
    for_rows([&](std::size_t j, std::size_t at) {
      const auto [sum, moment] = column_moments(j, rows);
      const auto own = column_moments(j, r());
      const V scaling = V::load_aligned(c().data() + at);
      const V column = V::load_aligned(columns.data() + at);
      (V::load_aligned(sums.data() + at) + xsimd::fma(scaling, sum, column * own.sum)).store_aligned(sums.data() + at);
      (V::load_aligned(moments.data() + at) + xsimd::fma(scaling, moment, column * own.moment)).store_aligned(moments.data() + at);
    });
    for_rows([&](std::size_t i, std::size_t at) {
      const V row = V::load_aligned(rows.data() + at) * row_sum(i, c());
      const V product = V::load_aligned(r().data() + at) * row_sum(i, columns);
      (V::load_aligned(by_row.data() + at) + row + product).store_aligned(by_row.data() + at);
    });
  }

  /// What a step leaves behind: c, r, sum_i P_ij (i - j) r_i of the r before it, and which lanes took it.
  struct generation {
    double* c;
    double* r;
    double* moment;
    double* going;
  };

  using bool_row = decltype(std::declval<V>() > std::declval<V>());

  const neural_band<Arch, T>& band_;
  bool one_list_;
  double tolerance_;
  workspace& scratch_;
  std::size_t entries_;                                // a row: 2 width + 1
  std::span<T> by_rows_;                               // P_{i, i - width + m}
  std::span<T> by_columns_;                            // P_{j - width + m, j}
  std::span<std::uint32_t> row_width_, column_width_;  // how far from the diagonal there are any
  std::size_t steps_ = 0;
  std::size_t size_ = 0;
  std::span<generation> history_;
};

}  // namespace rankloss::detail
