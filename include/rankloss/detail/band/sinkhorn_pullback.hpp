// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/band/kept_band.hpp>
#include <rankloss/detail/band/neural_band.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>
#include <utility>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The result of a step: c, r, the moments sum_i P_ij (i - j) r_i (if steps are kept), which lanes took the
/// step (1 or 0), and the previous step.
struct sinkhorn_step {
  std::span<double> c, r, moment, going;
  sinkhorn_step* before;
};

/// c = 1 / sum of each column of diag(r) P. Where the sum is (nearly) 0, because no row reaches the column, c
/// keeps its previous value.
template <class V>
[[gnu::always_inline]] inline V next_sinkhorn_column(const V& sum, const V& before) noexcept {
  const auto moves = sum > V(std::numeric_limits<double>::min());
  return xsimd::select(moves, V(1.0) / xsimd::select(moves, sum, V(1.0)), before);
}

/// The greatest value of all lanes.
template <class Arch>
[[nodiscard]] double most_of(const lanes<Arch>& values) noexcept {
  alignas(64) double all[lane_count<Arch>];
  values.store_aligned(all);
  return *std::max_element(all, all + lane_count<Arch>);
}

/// Derivatives of the scaling of sinkhorn_band.hpp: through the steps that it took (unrolled), or at the
/// fixed point to which they converge (implicit).
template <class Arch, class T>
class sinkhorn_pullback {
  using V = lanes<Arch>;
  using bool_row = decltype(std::declval<V>() > std::declval<V>());

 public:
  enum class derivative { unrolled, implicit };

  sinkhorn_pullback(const neural_band<Arch, T>& band, const kept_band<Arch, T>& matrix,
                    const sinkhorn_step& last, bool one_list, workspace& scratch) noexcept
      : band_(band), matrix_(matrix), last_(last), one_list_(one_list), scratch_(scratch) {}

  /// Column sums and first moments of d(f)/d(logits), as in neural_band::pull, for
  /// f = sum_ij cotangent_i r_i P_ij c_j values_j.
  ///
  /// d(f)/d(P_ij) is a sum of rank-one terms, each a factor of row i times a factor of column j, two per
  /// step. The sums of P_ij d(f)/d(P_ij) by columns (with and without the weight i - j) and by rows therefore
  /// result from the products with P that the steps compute anyway.
  void pull(std::span<const double> values, std::span<const double> cotangent, std::span<double> sums,
            std::span<double> moments, derivative how) const {
    const workspace::scope scope(scratch_);
    adjoint bar{
        .r = band_.take(), .c = band_.take(), .by_row = band_.take(), .sums = sums, .moments = moments};
    const columns_of own = take_columns();
    matrix_.multiply(values, c(), own.y);
    matrix_.walk(
        own.y,
        [&](std::size_t at, const V& product) {
          const V weight = V::load_aligned(cotangent.data() + at);
          const V row = weight * V::load_aligned(r().data() + at);
          (weight * product).store_aligned(bar.r.data() + at);
          (row * product).store_aligned(bar.by_row.data() + at);
          return row;
        },
        own.sums, own.moments);
    matrix_.for_rows([&](std::size_t at) {
      const V sum = V::load_aligned(own.sums.data() + at);
      const V column = V::load_aligned(own.y.data() + at);
      (V::load_aligned(values.data() + at) * sum).store_aligned(bar.c.data() + at);
      (column * sum).store_aligned(sums.data() + at);
      (column * V::load_aligned(own.moments.data() + at)).store_aligned(moments.data() + at);
    });
    if (last_.before != nullptr)
      how == derivative::unrolled ? steps_back(bar, own) : at_fixed_point(bar, own);
    // The derivative of the softmax of the rows: D_ij = P_ij (d(f)/d(P_ij) - by_row_i).
    matrix_.column_sums([&](std::size_t at) { return V::load_aligned(bar.by_row.data() + at); }, own.sums,
                        own.moments);
    matrix_.for_rows([&](std::size_t at) {
      (V::load_aligned(sums.data() + at) - V::load_aligned(own.sums.data() + at))
          .store_aligned(sums.data() + at);
      (V::load_aligned(moments.data() + at) - V::load_aligned(own.moments.data() + at))
          .store_aligned(moments.data() + at);
    });
  }

 private:
  /// d(f)/d(r), d(f)/d(c), and the sums of P_ij d(f)/d(P_ij) that `pull` accumulates: by rows, by columns,
  /// and by columns with the weight i - j.
  struct adjoint {
    std::span<double> r, c, by_row, sums, moments;
  };
  /// Scratch of a walk: the vector y by which it multiplies P, and its column sums and moments.
  struct columns_of {
    std::span<double> y, sums, moments;
  };
  [[nodiscard]] columns_of take_columns() const { return {band_.take(), band_.take(), band_.take()}; }

  [[nodiscard]] std::span<const double> c() const noexcept { return last_.c; }
  [[nodiscard]] std::span<const double> r() const noexcept { return last_.r; }

  /// Carries d(f)/d(r, c) from the last step back through every step to the first. The contributions of the
  /// steps to d(f)/d(P) are added to by_row, sums and moments.
  void steps_back(const adjoint& bar, const columns_of& own) const {
    // Turns d(f)/d(r) of a step into d(f)/d(row sum), and adds its contribution to by_row.
    const auto row_of = [&](const sinkhorn_step& step, std::size_t at) {
      const V scaling = V::load_aligned(step.r.data() + at);
      const V ratio = V::load_aligned(step.going.data()) * scaling * V::load_aligned(bar.r.data() + at);
      (V::load_aligned(bar.by_row.data() + at) - ratio).store_aligned(bar.by_row.data() + at);
      return -scaling * ratio;
    };
    matrix_.column_sums([&](std::size_t at) { return row_of(last_, at); }, own.sums, own.moments);
    for (const sinkhorn_step* step = &last_; step->before != nullptr; step = step->before) {
      const sinkhorn_step& before = *step->before;
      const V going = V::load_aligned(step->going.data());
      const bool_row goes = going != V(0.0);
      matrix_.for_rows([&](std::size_t at) {
        const V scaling = V::load_aligned(step->c.data() + at);
        const V sum = V::load_aligned(own.sums.data() + at);
        const V ratio = -going * scaling * (V::load_aligned(bar.c.data() + at) + sum);
        const V column = scaling * ratio;  // d(f)/d(column sum)
        column.store_aligned(own.y.data() + at);
        // For the r of the previous step, the column sums are 1 / scaling, and the moments are stored.
        (V::load_aligned(bar.sums.data() + at) + xsimd::fma(scaling, sum, ratio))
            .store_aligned(bar.sums.data() + at);
        const V moment = xsimd::fma(scaling, V::load_aligned(own.moments.data() + at),
                                    column * V::load_aligned(before.moment.data() + at));
        (V::load_aligned(bar.moments.data() + at) + moment).store_aligned(bar.moments.data() + at);
        xsimd::select(goes, V(0.0), V::load_aligned(bar.c.data() + at)).store_aligned(bar.c.data() + at);
      });
      band_.spread(own.y);
      const auto row_before = [&](std::size_t at, const V& product) {
        xsimd::select(goes, product, V::load_aligned(bar.r.data() + at)).store_aligned(bar.r.data() + at);
        xsimd::fma(V::load_aligned(before.r.data() + at), product, V::load_aligned(bar.by_row.data() + at))
            .store_aligned(bar.by_row.data() + at);
      };
      if (before.before == nullptr) {
        matrix_.products(own.y, row_before);
        break;
      }
      matrix_.walk(
          own.y,
          [&](std::size_t at, const V& product) {
            row_before(at, product);
            return row_of(before, at);
          },
          own.sums, own.moments);
    }
  }

  /// The derivative of the fixed point, taken at the last scalings, where the rows sum to 1 and the columns
  /// to k near 1. It is the limit of infinitely many steps back. With A = diag(r) P diag(c), K = diag(k),
  /// u = r d(f)/d(r) and v = c d(f)/d(c) this is a geometric series,
  ///
  ///     s = u + M (A' u - v) + M A' M (A' u - v) + ... = u + (I - M A')^-1 M (A' u - v),       M = A K^-1
  ///
  /// Conjugate gradients solve this system in about the square root of the number of terms that summing the
  /// series takes. Thanks to K, I - M A' is symmetric and positive semidefinite. It is singular only along
  /// the vector of ones (along that of each connected block, if P has several). The right-hand side has no
  /// component in that direction, and a component of the solution in it does not change f, whether or not the
  /// scaling has converged.
  void at_fixed_point(const adjoint& bar, const columns_of& own) const {
    constexpr std::size_t most = 10000;
    constexpr double solved = 1e-12;  // of the residual's first norm
    constexpr double flat = 1e-14;    // curvature that is rounding error
    const workspace::scope scope(scratch_);
    const std::span<double> solution = band_.take();
    const std::span<double> residual = band_.take();
    const std::span<double> direction = band_.take();
    const std::span<double> image = band_.take();
    const std::span<double> both_c = band_.take();  // c times the c of the next step
    const auto load = [](std::span<const double> from, std::size_t at) {
      return V::load_aligned(from.data() + at);
    };
    const auto dot = [&](std::span<const double> a, std::span<const double> b) {
      V sum(0.0);
      matrix_.for_rows([&](std::size_t at) { sum = xsimd::fma(load(a, at), load(b, at), sum); });
      return one_list_ ? V(sum_of(sum)) : sum;
    };
    matrix_.column_sums([&](std::size_t at) { return load(r(), at); }, own.sums, {});
    matrix_.for_rows([&](std::size_t at) {
      (load(c(), at) * next_sinkhorn_column(load(own.sums, at), load(c(), at)))
          .store_aligned(both_c.data() + at);
    });
    // image = M (A' x - minus)
    const auto multiply = [&](std::span<const double> x, auto minus) {
      matrix_.column_sums([&](std::size_t at) { return load(r(), at) * load(x, at); }, own.sums, {});
      matrix_.for_rows([&](std::size_t at) {
        (load(both_c, at) * (load(own.sums, at) - minus(at))).store_aligned(own.y.data() + at);
      });
      band_.spread(own.y);
      matrix_.products(own.y, [&](std::size_t at, const V& product) {
        (load(r(), at) * product).store_aligned(image.data() + at);
      });
    };
    matrix_.for_rows(
        [&](std::size_t at) { (load(r(), at) * load(bar.r, at)).store_aligned(solution.data() + at); });
    multiply(solution, [&](std::size_t at) { return load(bar.c, at); });
    // The system is scaled by its largest entry, so that squares neither overflow nor underflow.
    V largest(0.0);
    matrix_.for_rows([&](std::size_t at) { largest = xsimd::max(largest, xsimd::abs(load(image, at))); });
    if (one_list_) largest = V(most_of<Arch>(largest));
    bool_row goes = largest > V(std::numeric_limits<double>::min());
    const V unit = xsimd::select(goes, largest, V(1.0));
    matrix_.for_rows([&](std::size_t at) {
      const V first = load(image, at) / unit;
      first.store_aligned(residual.data() + at);
      first.store_aligned(direction.data() + at);
    });
    V norm = dot(residual, residual);
    const V enough = norm * V(solved * solved);
    for (std::size_t k = 0; k < most && xsimd::any(goes); ++k) {
      multiply(direction, [](std::size_t) { return V(0.0); });
      matrix_.for_rows(
          [&](std::size_t at) { (load(direction, at) - load(image, at)).store_aligned(image.data() + at); });
      const V curvature = dot(direction, image);
      goes = goes && curvature > V(flat) * dot(direction, direction);
      const V length = xsimd::select(goes, norm / xsimd::select(goes, curvature, V(1.0)), V(0.0));
      matrix_.for_rows([&](std::size_t at) {
        xsimd::fma(length * unit, load(direction, at), load(solution, at))
            .store_aligned(solution.data() + at);
        xsimd::fnma(length, load(image, at), load(residual, at)).store_aligned(residual.data() + at);
      });
      const V now = dot(residual, residual);
      goes = goes && now > enough;
      const V turn = xsimd::select(goes, now / xsimd::select(goes, norm, V(1.0)), V(0.0));
      matrix_.for_rows([&](std::size_t at) {
        xsimd::fma(turn, load(direction, at), load(residual, at)).store_aligned(direction.data() + at);
      });
      norm = now;
    }
    // For all steps together the row factor is -r s and the column factor c K^-1 (A' s - v). Their
    // contributions to the sums over P are added as in a step back.
    const auto row = [&](std::size_t at) { return -load(r(), at) * load(solution, at); };
    matrix_.column_sums(row, own.sums, own.moments);
    matrix_.for_rows([&](std::size_t at) {
      const V scaling = load(c(), at);
      (-load(both_c, at) * (load(bar.c, at) + load(own.sums, at))).store_aligned(own.y.data() + at);
      xsimd::fma(scaling, load(own.sums, at), load(bar.sums, at)).store_aligned(bar.sums.data() + at);
      xsimd::fma(scaling, load(own.moments, at), load(bar.moments, at))
          .store_aligned(bar.moments.data() + at);
    });
    band_.spread(own.y);
    matrix_.walk(
        own.y,
        [&](std::size_t at, const V& product) {
          xsimd::fma(load(r(), at), product, load(bar.by_row, at)).store_aligned(bar.by_row.data() + at);
          return load(r(), at);
        },
        own.sums, own.moments);
    matrix_.for_rows([&](std::size_t at) {
      xsimd::fma(load(own.y, at), load(own.sums, at), load(bar.sums, at)).store_aligned(bar.sums.data() + at);
      xsimd::fma(load(own.y, at), load(own.moments, at), load(bar.moments, at))
          .store_aligned(bar.moments.data() + at);
    });
    matrix_.products(c(), [&](std::size_t at, const V& product) {
      xsimd::fma(row(at), product, load(bar.by_row, at)).store_aligned(bar.by_row.data() + at);
    });
  }

  const neural_band<Arch, T>& band_;
  const kept_band<Arch, T>& matrix_;
  const sinkhorn_step& last_;
  bool one_list_;
  workspace& scratch_;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
