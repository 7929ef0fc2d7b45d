// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/band/neural_band.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <utility>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Sinkhorn's scaling of a NeuralSort band to row and column sums of 1. It only ever scales rows and columns, so the scaled matrix is
/// diag(r) P diag(c) at every step: P is kept once, and a step is two vectors.
///
///     c_j = 1 / sum_i r_i P_ij,   r_i = 1 / sum_j P_ij c_j            columns, then rows; from r = 1
///
/// What a step waits for is P coming from the cache, so a step reads it once: in blocks of a few rows, whose products with c give their r,
/// which go at once into the column sums of the next step. Steps back go the same way (`walk`). P is kept in the type of the scores, half
/// the memory for float.
///
/// A list, which is a lane or all lanes, stops by itself where all its column sums are within the tolerance of 1, or at the last step.
template <class Arch, class T>
class sinkhorn_band {
  using V = lanes<Arch>;
  using bool_row = decltype(std::declval<V>() > std::declval<V>());
  static constexpr std::size_t w = lane_count<Arch>;
  static constexpr std::size_t height = 4;  // rows of a block: their sums, two each, fit the registers of every target

 public:
  enum class derivative { unrolled, implicit };
  static constexpr std::size_t most_steps = 1000000;

  /// @param band  whose row sums are known: after `apply`
  /// @param keep  whether all steps are kept, as the unrolled derivative needs them, or only the last
  sinkhorn_band(const neural_band<Arch, T>& band, bool one_list, std::size_t steps, double tolerance, bool keep, workspace& scratch)
      : band_(band), one_list_(one_list), tolerance_(tolerance), scratch_(scratch) {
    const std::size_t rows = band.rows();
    blocks_ = scratch.take<block>((rows + height - 1) / height);
    std::size_t columns = 0;
    for (std::size_t b = 0; b < blocks_.size(); ++b) {
      const auto top = static_cast<std::ptrdiff_t>(b * height);
      std::ptrdiff_t begin = top;
      std::ptrdiff_t end = top + 1;
      for (std::size_t i = b * height; i < std::min(rows, (b + 1) * height); ++i) {
        const auto row = static_cast<std::ptrdiff_t>(i);
        end = std::max(end, row + 1);
        band.walk_rows(i, [&](std::ptrdiff_t m, const V&, std::size_t) {
          begin = std::min(begin, row + m);
          end = std::max(end, row + m + 1);
        });
      }
      // An even number of columns from an even one on: which of the two sums of `product` an entry goes to does not depend on other lanes.
      begin -= begin & 1;
      end += end & 1;
      blocks_[b] = {top, begin, end, columns * height * w};
      columns += static_cast<std::size_t>(end - begin);
    }
    entries_ = scratch.take<T>(columns * height * w);
    std::fill(entries_.begin(), entries_.end(), T{0});
    const std::span<const double> inverse = band.inverse_sums();
    for (std::size_t i = 0; i < rows; ++i) {
      const block& own = blocks_[i / height];
      T* diagonal =
          entries_.data() + own.entries + (i % height) * w + static_cast<std::size_t>(static_cast<std::ptrdiff_t>(i) - own.begin) * height * w;
      const V scale = V::load_aligned(inverse.data() + band.index(i));
      store_row<Arch>(diagonal, scale);
      band.walk_rows(
          i, [&](std::ptrdiff_t m, const V& e, std::size_t) { store_row<Arch>(diagonal + m * static_cast<std::ptrdiff_t>(height * w), e * scale); });
    }
    scale(std::min(steps, most_steps), keep);
  }

  [[nodiscard]] std::size_t steps() const noexcept { return steps_; }

  /// out_i = r_i sum_j P_ij c_j values_j
  void apply(std::span<const double> values, std::span<double> out) const {
    const workspace::scope scope(scratch_);
    const std::span<double> y = band_.take();
    times_c(values, y);
    products(y, [&](std::size_t at, const V& product) { (V::load_aligned(r().data() + at) * product).store_aligned(out.data() + at); });
  }
  /// out_j = c_j sum_i P_ij r_i values_i
  void apply_transposed(std::span<const double> values, std::span<double> out) const {
    column_sums([&](std::size_t at) { return V::load_aligned(values.data() + at) * V::load_aligned(r().data() + at); }, out, {});
    for_rows([&](std::size_t at) { (V::load_aligned(c().data() + at) * V::load_aligned(out.data() + at)).store_aligned(out.data() + at); });
  }

  /// Column sums and first moments of d(f)/d(logits), as neural_band::pull, for f = sum_ij cotangent_i r_i P_ij c_j values_j.
  ///
  /// d(f)/d(P_ij) is a sum of products of a row's and a column's number, two a step. So what is wanted of it, its sums against P by columns
  /// (with and without the weight i - j) and by rows, comes out of the products with P that the steps take anyway.
  void pull(std::span<const double> values, std::span<const double> cotangent, std::span<double> sums, std::span<double> moments,
            derivative how) const {
    const workspace::scope scope(scratch_);
    adjoint bar{.r = band_.take(), .c = band_.take(), .by_row = band_.take(), .sums = sums, .moments = moments};
    const columns_of own = take_columns();
    times_c(values, own.y);
    walk(
        own.y,
        [&](std::size_t at, const V& product) {
          const V weight = V::load_aligned(cotangent.data() + at);
          const V row = weight * V::load_aligned(r().data() + at);
          (weight * product).store_aligned(bar.r.data() + at);
          (row * product).store_aligned(bar.by_row.data() + at);
          return row;
        },
        own.sums, own.moments);
    for_rows([&](std::size_t at) {
      const V sum = V::load_aligned(own.sums.data() + at);
      const V column = V::load_aligned(own.y.data() + at);
      (V::load_aligned(values.data() + at) * sum).store_aligned(bar.c.data() + at);
      (column * sum).store_aligned(sums.data() + at);
      (column * V::load_aligned(own.moments.data() + at)).store_aligned(moments.data() + at);
    });
    if (steps_ > 0) how == derivative::unrolled ? steps_back(bar, own) : at_fixed_point(bar, own);
    // The softmax of the rows: D_ij = P_ij (d(f)/d(P_ij) - by_row_i).
    column_sums([&](std::size_t at) { return V::load_aligned(bar.by_row.data() + at); }, own.sums, own.moments);
    for_rows([&](std::size_t at) {
      (V::load_aligned(sums.data() + at) - V::load_aligned(own.sums.data() + at)).store_aligned(sums.data() + at);
      (V::load_aligned(moments.data() + at) - V::load_aligned(own.moments.data() + at)).store_aligned(moments.data() + at);
    });
  }

 private:
  /// Columns [begin, end) of `height` rows from `top` on: a column's entries one after the other, zero where a row ends sooner.
  struct block {
    std::ptrdiff_t top, begin, end;
    std::size_t entries;  // where they start
  };
  /// What a step leaves behind: c, r, sum_i P_ij (i - j) r_i (where kept), which lanes took it, and the step before it.
  struct generation {
    std::span<double> c, r, moment, going;
    generation* before;
  };
  /// d(f)/d(r), d(f)/d(c), and of d(f)/d(P_ij) what `pull` adds up: sum_j P_ij d(f)/d(P_ij), the same by columns, and with i - j.
  struct adjoint {
    std::span<double> r, c, by_row, sums, moments;
  };
  /// Scratch of a walk: what it multiplies P with, and what it adds up by columns.
  struct columns_of {
    std::span<double> y, sums, moments;
  };
  [[nodiscard]] columns_of take_columns() const { return {band_.take(), band_.take(), band_.take()}; }

  [[nodiscard]] static double most_of(const V& values) noexcept {
    alignas(64) double all[w];
    values.store_aligned(all);
    return *std::max_element(all, all + w);
  }
  template <class Body>
  [[gnu::always_inline]] void for_rows(Body body) const {
    for (std::size_t i = 0; i < band_.rows(); ++i) body(band_.index(i));
  }
  void times_c(std::span<const double> values, std::span<double> y) const {
    for_rows([&](std::size_t at) { (V::load_aligned(values.data() + at) * V::load_aligned(c().data() + at)).store_aligned(y.data() + at); });
    band_.spread(y);
  }

  /// sum_j P_ij y_j of a block's rows.
  [[gnu::noinline]] std::array<V, height> product(const block of, const double* y) const {
    std::array<V, height> even;
    std::array<V, height> odd;
    even.fill(V(0.0));
    odd.fill(V(0.0));
    const T* entry = entries_.data() + of.entries;
    const double* from = y + band_.index(of.begin);
    for (std::ptrdiff_t j = of.begin; j < of.end; j += 2, entry += 2 * height * w, from += 2 * w) {
      const V left = V::load_aligned(from);
      const V right = V::load_aligned(from + w);
      for (std::size_t h = 0; h < height; ++h) even[h] = xsimd::fma(load_row<Arch>(entry + h * w), left, even[h]);
      for (std::size_t h = 0; h < height; ++h) odd[h] = xsimd::fma(load_row<Arch>(entry + (height + h) * w), right, odd[h]);
    }
    for (std::size_t h = 0; h < height; ++h) even[h] += odd[h];
    return even;
  }
  /// Adds a block's part to sums_j = sum_i P_ij x_i and, where wanted, moments_j = sum_i P_ij (i - j) x_i.
  [[gnu::noinline]] void add_columns(const block of, const std::array<V, height>& x, double* sums, double* moments) const {
    static_assert(height == 4);
    const V x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3];  // copies: for all the compiler knows, the sums could be stored into x
    const T* entry = entries_.data() + of.entries;
    double* sum_to = sums + band_.index(of.begin);
    const auto add = [](double* to, const V& more) { (V::load_aligned(to) + more).store_aligned(to); };
    const auto sum_of_column = [&](const V& a, const V& b, const V& c, const V& d) { return xsimd::fma(a, x0, b * x1) + xsimd::fma(c, x2, d * x3); };
    if (moments == nullptr) {
      for (std::ptrdiff_t j = of.begin; j < of.end; ++j, entry += height * w, sum_to += w)
        add(sum_to, sum_of_column(load_row<Arch>(entry), load_row<Arch>(entry + w), load_row<Arch>(entry + 2 * w), load_row<Arch>(entry + 3 * w)));
      return;
    }
    double* moment_to = moments + band_.index(of.begin);
    const V twice = V(2.0) * x2;
    const V thrice = V(3.0) * x3;
    // i - j is how far i is from the block's first row, and that from j.
    V offset(static_cast<double>(of.top - of.begin));
    for (std::ptrdiff_t j = of.begin; j < of.end; ++j, entry += height * w, sum_to += w, moment_to += w) {
      const V b = load_row<Arch>(entry + w);
      const V c = load_row<Arch>(entry + 2 * w);
      const V d = load_row<Arch>(entry + 3 * w);
      const V sum = sum_of_column(load_row<Arch>(entry), b, c, d);
      add(sum_to, sum);
      add(moment_to, xsimd::fma(offset, sum, xsimd::fma(b, x1, xsimd::fma(c, twice, d * thrice))));
      offset -= V(1.0);
    }
  }

  /// One reading of P. x_i = body(index of row i, sum_j P_ij y_j), and of these x the sums and moments by columns. No y: its products are 0.
  /// No sums, no moments: they are left out. The halo of y is read.
  template <class Body>
  [[gnu::always_inline]] void walk(std::span<const double> y, Body body, std::span<double> sums, std::span<double> moments) const {
    std::fill(sums.begin(), sums.end(), 0.0);
    std::fill(moments.begin(), moments.end(), 0.0);
    std::array<V, height> x;
    for (std::size_t b = 0; b < blocks_.size(); ++b) {
      x.fill(V(0.0));
      if (!y.empty()) x = product(blocks_[b], y.data());
      for (std::size_t h = 0; h < height; ++h) {
        const std::size_t i = b * height + h;
        if (i < band_.rows()) x[h] = body(band_.index(i), x[h]);
      }
      if (!sums.empty()) add_columns(blocks_[b], x, sums.data(), moments.empty() ? nullptr : moments.data());
    }
    if (!sums.empty()) band_.gather(sums);
    if (!moments.empty()) band_.gather(moments);
  }
  /// Only the products.
  template <class Body>
  [[gnu::always_inline]] void products(std::span<const double> y, Body body) const {
    const auto no_x = [&](std::size_t at, const V& product) {
      body(at, product);
      return V(0.0);
    };
    walk(y, no_x, {}, {});
  }
  /// Only the sums by columns.
  template <class Body>
  [[gnu::always_inline]] void column_sums(Body x, std::span<double> sums, std::span<double> moments) const {
    walk(
        {}, [&](std::size_t at, const V&) { return x(at); }, sums, moments);
  }

  [[nodiscard]] std::span<const double> c() const noexcept { return last_->c; }
  [[nodiscard]] std::span<const double> r() const noexcept { return last_->r; }

  /// 1 / sum. A column out of every row's reach has no sum to speak of: it stays as it is.
  [[gnu::always_inline]] static V next_c(const V& sum, const V& before) noexcept {
    const bool_row moves = sum > V(std::numeric_limits<double>::min());
    return xsimd::select(moves, V(1.0) / xsimd::select(moves, sum, V(1.0)), before);
  }

  void scale(std::size_t most, bool keep) {
    const auto take = [&](generation* before) {
      const std::span<generation> one = scratch_.take<generation>(1);
      one[0] = {band_.take(), band_.take(), keep ? band_.take() : std::span<double>{}, scratch_.take<double>(w), before};
      return one.data();
    };
    last_ = take(nullptr);
    for_rows([&](std::size_t at) {
      V(1.0).store_aligned(last_->c.data() + at);
      V(1.0).store_aligned(last_->r.data() + at);
    });
    if (most == 0) return;
    const std::span<double> sums = band_.take();
    column_sums([](std::size_t) { return V(1.0); }, sums, last_->moment);
    V going(1.0);  // 1 in the lanes that have not stopped
    for (; steps_ < most; ++steps_) {
      const generation& before = *last_;
      if (steps_ > 0) {
        V worst(0.0);
        for_rows([&](std::size_t at) {
          worst = xsimd::max(worst, xsimd::abs(V::load_aligned(before.c.data() + at) * V::load_aligned(sums.data() + at) - V(1.0)));
        });
        if (one_list_) worst = V(most_of(worst));
        going = xsimd::select(worst > V(tolerance_), going, V(0.0));
        if (xsimd::all(going == V(0.0))) break;
      }
      // Where steps are not kept, two take turns.
      generation& now = keep || steps_ < 1 ? *take(last_) : *last_->before;
      if (!keep) now.before = last_;
      going.store_aligned(now.going.data());
      const bool_row goes = going != V(0.0);
      for_rows([&](std::size_t at) {
        const V c = V::load_aligned(before.c.data() + at);
        xsimd::select(goes, next_c(V::load_aligned(sums.data() + at), c), c).store_aligned(now.c.data() + at);
      });
      band_.spread(now.c);
      const bool another = steps_ + 1 < most;
      walk(
          now.c,
          [&](std::size_t at, const V& sum) {
            const V row = xsimd::select(goes, V(1.0) / sum, V::load_aligned(before.r.data() + at));
            row.store_aligned(now.r.data() + at);
            return row;
          },
          another ? sums : std::span<double>{}, another ? now.moment : std::span<double>{});
      last_ = &now;
    }
  }

  /// From d(f)/d(r, c) of the last step to that of the first, through every step; what P adds on the way goes to by_row, sums and moments.
  void steps_back(const adjoint& bar, const columns_of& own) const {
    // What a step makes of d(f)/d(its r): d(f)/d(row sum).
    const auto row_of = [&](const generation& step, std::size_t at) {
      const V scaling = V::load_aligned(step.r.data() + at);
      const V ratio = V::load_aligned(step.going.data()) * scaling * V::load_aligned(bar.r.data() + at);
      (V::load_aligned(bar.by_row.data() + at) - ratio).store_aligned(bar.by_row.data() + at);
      return -scaling * ratio;
    };
    column_sums([&](std::size_t at) { return row_of(*last_, at); }, own.sums, own.moments);
    for (const generation* step = last_; step->before != nullptr; step = step->before) {
      const generation& before = *step->before;
      const V going = V::load_aligned(step->going.data());
      const bool_row goes = going != V(0.0);
      for_rows([&](std::size_t at) {
        const V scaling = V::load_aligned(step->c.data() + at);
        const V sum = V::load_aligned(own.sums.data() + at);
        const V ratio = -going * scaling * (V::load_aligned(bar.c.data() + at) + sum);
        const V column = scaling * ratio;  // d(f)/d(column sum)
        column.store_aligned(own.y.data() + at);
        // Of the r that led to this step, the sum by columns is 1 / scaling, the moment kept.
        (V::load_aligned(bar.sums.data() + at) + xsimd::fma(scaling, sum, ratio)).store_aligned(bar.sums.data() + at);
        const V moment = xsimd::fma(scaling, V::load_aligned(own.moments.data() + at), column * V::load_aligned(before.moment.data() + at));
        (V::load_aligned(bar.moments.data() + at) + moment).store_aligned(bar.moments.data() + at);
        xsimd::select(goes, V(0.0), V::load_aligned(bar.c.data() + at)).store_aligned(bar.c.data() + at);
      });
      band_.spread(own.y);
      const auto row_before = [&](std::size_t at, const V& product) {
        xsimd::select(goes, product, V::load_aligned(bar.r.data() + at)).store_aligned(bar.r.data() + at);
        xsimd::fma(V::load_aligned(before.r.data() + at), product, V::load_aligned(bar.by_row.data() + at)).store_aligned(bar.by_row.data() + at);
      };
      if (before.before == nullptr) {
        products(own.y, row_before);
        break;
      }
      walk(
          own.y,
          [&](std::size_t at, const V& product) {
            row_before(at, product);
            return row_of(before, at);
          },
          own.sums, own.moments);
    }
  }

  /// The derivative of the fixed point, taken at the last scalings: with the rows summing to 1, the columns to k near 1. With A = diag(r) P
  /// diag(c), K = diag(k), u = r d(f)/d(r) and v = c d(f)/d(c) it is that of steps back without end, a geometric series,
  ///
  ///     s = u + M (A' u - v) + M A' M (A' u - v) + ... = u + (I - M A')^-1 M (A' u - v),       M = A K^-1
  ///
  /// which conjugate gradients solve in about the square root of the terms it takes to add it up. With K, I - M A' is symmetric, nowhere negative,
  /// and singular along 1 only (along each island's 1), where there is nothing on the right and from where nothing reaches f, converged or not.
  void at_fixed_point(const adjoint& bar, const columns_of& own) const {
    constexpr std::size_t most = 10000;
    constexpr double solved = 1e-12;  // of the residual's first norm
    constexpr double flat = 1e-14;    // curvature that is rounding error
    const workspace::scope scope(scratch_);
    const std::span<double> solution = band_.take();
    const std::span<double> residual = band_.take();
    const std::span<double> direction = band_.take();
    const std::span<double> image = band_.take();
    const std::span<double> both_c = band_.take();  // c times what the next step would make of it
    const auto load = [](std::span<const double> from, std::size_t at) { return V::load_aligned(from.data() + at); };
    const auto dot = [&](std::span<const double> a, std::span<const double> b) {
      V sum(0.0);
      for_rows([&](std::size_t at) { sum = xsimd::fma(load(a, at), load(b, at), sum); });
      return one_list_ ? V(sum_of(sum)) : sum;
    };
    column_sums([&](std::size_t at) { return load(r(), at); }, own.sums, {});
    for_rows([&](std::size_t at) { (load(c(), at) * next_c(load(own.sums, at), load(c(), at))).store_aligned(both_c.data() + at); });
    // image = M (A' x - minus)
    const auto multiply = [&](std::span<const double> x, auto minus) {
      column_sums([&](std::size_t at) { return load(r(), at) * load(x, at); }, own.sums, {});
      for_rows([&](std::size_t at) { (load(both_c, at) * (load(own.sums, at) - minus(at))).store_aligned(own.y.data() + at); });
      band_.spread(own.y);
      products(own.y, [&](std::size_t at, const V& product) { (load(r(), at) * product).store_aligned(image.data() + at); });
    };
    for_rows([&](std::size_t at) { (load(r(), at) * load(bar.r, at)).store_aligned(solution.data() + at); });
    multiply(solution, [&](std::size_t at) { return load(bar.c, at); });
    // In units of the largest, whose squares are numbers.
    V largest(0.0);
    for_rows([&](std::size_t at) { largest = xsimd::max(largest, xsimd::abs(load(image, at))); });
    if (one_list_) largest = V(most_of(largest));
    bool_row goes = largest > V(std::numeric_limits<double>::min());
    const V unit = xsimd::select(goes, largest, V(1.0));
    for_rows([&](std::size_t at) {
      const V first = load(image, at) / unit;
      first.store_aligned(residual.data() + at);
      first.store_aligned(direction.data() + at);
    });
    V norm = dot(residual, residual);
    const V enough = norm * V(solved * solved);
    for (std::size_t k = 0; k < most && xsimd::any(goes); ++k) {
      multiply(direction, [](std::size_t) { return V(0.0); });
      for_rows([&](std::size_t at) { (load(direction, at) - load(image, at)).store_aligned(image.data() + at); });
      const V curvature = dot(direction, image);
      goes = goes && curvature > V(flat) * dot(direction, direction);
      const V length = xsimd::select(goes, norm / xsimd::select(goes, curvature, V(1.0)), V(0.0));
      for_rows([&](std::size_t at) {
        xsimd::fma(length * unit, load(direction, at), load(solution, at)).store_aligned(solution.data() + at);
        xsimd::fnma(length, load(image, at), load(residual, at)).store_aligned(residual.data() + at);
      });
      const V now = dot(residual, residual);
      goes = goes && now > enough;
      const V turn = xsimd::select(goes, now / xsimd::select(goes, norm, V(1.0)), V(0.0));
      for_rows([&](std::size_t at) { xsimd::fma(turn, load(direction, at), load(residual, at)).store_aligned(direction.data() + at); });
      norm = now;
    }
    // Rows get -r s, columns c K^-1 (A' s - v), each once for all steps; what they do to P, as in a step back.
    const auto row = [&](std::size_t at) { return -load(r(), at) * load(solution, at); };
    column_sums(row, own.sums, own.moments);
    for_rows([&](std::size_t at) {
      const V scaling = load(c(), at);
      (-load(both_c, at) * (load(bar.c, at) + load(own.sums, at))).store_aligned(own.y.data() + at);
      xsimd::fma(scaling, load(own.sums, at), load(bar.sums, at)).store_aligned(bar.sums.data() + at);
      xsimd::fma(scaling, load(own.moments, at), load(bar.moments, at)).store_aligned(bar.moments.data() + at);
    });
    band_.spread(own.y);
    walk(
        own.y,
        [&](std::size_t at, const V& product) {
          xsimd::fma(load(r(), at), product, load(bar.by_row, at)).store_aligned(bar.by_row.data() + at);
          return load(r(), at);
        },
        own.sums, own.moments);
    for_rows([&](std::size_t at) {
      xsimd::fma(load(own.y, at), load(own.sums, at), load(bar.sums, at)).store_aligned(bar.sums.data() + at);
      xsimd::fma(load(own.y, at), load(own.moments, at), load(bar.moments, at)).store_aligned(bar.moments.data() + at);
    });
    products(c(),
             [&](std::size_t at, const V& product) { xsimd::fma(row(at), product, load(bar.by_row, at)).store_aligned(bar.by_row.data() + at); });
  }

  const neural_band<Arch, T>& band_;
  bool one_list_;
  double tolerance_;
  workspace& scratch_;
  std::span<block> blocks_;
  std::span<T> entries_;
  std::size_t steps_ = 0;
  generation* last_ = nullptr;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
