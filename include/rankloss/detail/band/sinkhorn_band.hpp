// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/band/kept_band.hpp>
#include <rankloss/detail/band/neural_band.hpp>
#include <rankloss/detail/band/sinkhorn_pullback.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Sinkhorn's scaling of a NeuralSort band to row and column sums of 1. Every step scales only rows and
/// columns, so the scaled matrix is always diag(r) P diag(c): P is stored once, and a step consists of two
/// vectors.
///
///     c_j = 1 / sum_i r_i P_ij,   r_i = 1 / sum_j P_ij c_j            columns, then rows; from r = 1
///
/// The time of a step is that of loading P from the cache, so a step reads P once, in chunks of a few rows:
/// the products of a chunk with c give its r, which is added at once to the column sums of the next step. The
/// steps of the derivative proceed in the same way (`walk`). P is stored in the type of the scores, which
/// halves the memory for float.
///
/// Each list (one lane, or all lanes together) stops separately: when all its column sums are within the
/// tolerance of 1, or at the last step.
template <class Arch, class T>
class sinkhorn_band {
  using V = lanes<Arch>;
  using bool_row = decltype(std::declval<V>() > std::declval<V>());
  using pullback = sinkhorn_pullback<Arch, T>;
  static constexpr std::size_t w = lane_count<Arch>;

 public:
  using derivative = typename pullback::derivative;
  static constexpr std::size_t most_steps = 1000000;

  /// @param band  a band whose row sums are known, that is, after its `apply`
  /// @param keep  whether all steps are kept, as the unrolled derivative needs them, or only the last
  sinkhorn_band(const neural_band<Arch, T>& band, bool one_list, std::size_t steps, double tolerance,
                bool keep, workspace& scratch)
      : band_(band), matrix_(band, scratch), one_list_(one_list), tolerance_(tolerance), scratch_(scratch) {
    scale(std::min(steps, most_steps), keep);
  }

  [[nodiscard]] std::size_t steps() const noexcept { return steps_; }

  /// out_i = r_i sum_j P_ij c_j values_j
  void apply(std::span<const double> values, std::span<double> out) const {
    const workspace::scope scope(scratch_);
    const std::span<double> y = band_.take();
    matrix_.multiply(values, c(), y);
    matrix_.products(y, [&](std::size_t at, const V& product) {
      (V::load_aligned(r().data() + at) * product).store_aligned(out.data() + at);
    });
  }
  /// out_j = c_j sum_i P_ij r_i values_i
  void apply_transposed(std::span<const double> values, std::span<double> out) const {
    matrix_.column_sums(
        [&](std::size_t at) {
          return V::load_aligned(values.data() + at) * V::load_aligned(r().data() + at);
        },
        out, {});
    matrix_.for_rows([&](std::size_t at) {
      (V::load_aligned(c().data() + at) * V::load_aligned(out.data() + at)).store_aligned(out.data() + at);
    });
  }

  /// Column sums and first moments of d(f)/d(logits); see sinkhorn_pullback.
  void pull(std::span<const double> values, std::span<const double> cotangent, std::span<double> sums,
            std::span<double> moments, derivative how) const {
    pullback(band_, matrix_, *last_, one_list_, scratch_).pull(values, cotangent, sums, moments, how);
  }

 private:
  [[nodiscard]] std::span<const double> c() const noexcept { return last_->c; }
  [[nodiscard]] std::span<const double> r() const noexcept { return last_->r; }

  void scale(std::size_t most, bool keep) {
    const auto take = [&](sinkhorn_step* before) {
      const std::span<sinkhorn_step> one = scratch_.take<sinkhorn_step>(1);
      one[0] = {band_.take(), band_.take(), keep ? band_.take() : std::span<double>{},
                scratch_.take<double>(w), before};
      return one.data();
    };
    last_ = take(nullptr);
    matrix_.for_rows([&](std::size_t at) {
      V(1.0).store_aligned(last_->c.data() + at);
      V(1.0).store_aligned(last_->r.data() + at);
    });
    if (most == 0) return;
    const std::span<double> sums = band_.take();
    matrix_.column_sums([](std::size_t) { return V(1.0); }, sums, last_->moment);
    V going(1.0);  // 1 in the lanes that have not stopped
    for (; steps_ < most; ++steps_) {
      const sinkhorn_step& before = *last_;
      if (steps_ > 0) {
        V worst(0.0);
        matrix_.for_rows([&](std::size_t at) {
          worst = xsimd::max(
              worst,
              xsimd::abs(V::load_aligned(before.c.data() + at) * V::load_aligned(sums.data() + at) - V(1.0)));
        });
        if (one_list_) worst = V(most_of<Arch>(worst));
        going = xsimd::select(worst > V(tolerance_), going, V(0.0));
        if (xsimd::all(going == V(0.0))) break;
      }
      // If steps are not kept, two records of steps are used alternately.
      sinkhorn_step& now = keep || steps_ < 1 ? *take(last_) : *last_->before;
      if (!keep) now.before = last_;
      going.store_aligned(now.going.data());
      const bool_row goes = going != V(0.0);
      matrix_.for_rows([&](std::size_t at) {
        const V c = V::load_aligned(before.c.data() + at);
        xsimd::select(goes, next_sinkhorn_column(V::load_aligned(sums.data() + at), c), c)
            .store_aligned(now.c.data() + at);
      });
      band_.spread(now.c);
      const bool another = steps_ + 1 < most;
      matrix_.walk(
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

  const neural_band<Arch, T>& band_;
  kept_band<Arch, T> matrix_;
  bool one_list_;
  double tolerance_;
  workspace& scratch_;
  std::size_t steps_ = 0;
  sinkhorn_step* last_ = nullptr;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
