// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/band/neural_band.hpp>
#include <rankloss/detail/band/sinkhorn_band.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/sorts/neural_sort.hpp>
#include <rankloss/sorts/sort.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {

/// How Sinkhorn's scaling is differentiated.
enum class sinkhorn_derivative {
  unrolled,  ///< through the steps taken: the derivative of exactly what was computed
  implicit,  ///< at the fixed point: exact in the limit of many steps
};

/// sinkhorn: the soft permutation of neural_sort, scaled until its columns sum to 1 like its rows.
///
///     repeat: columns of P / their sums, then rows of P / their sums
///
/// The rows are exact at the end. Sinkhorn: A relationship between arbitrary positive matrices and doubly
/// stochastic matrices, Annals of Mathematical Statistics 35 (1964). Order of the steps and stopping are as
/// in NeuralNDCG (Pobrotyn, Bialobrzeski 2021, arXiv 2102.07831), but each list stops by itself, not with its
/// batch: when all its column sums are within `tolerance` of 1, or after `steps` steps.
///
/// - The band is stored once, and read once for each step forwards and backwards; each step stores three
///   vectors. Time O(steps * band), scratch O(band + steps * n). The implicit derivative takes scratch O(band
///   + n), and as many rounds of conjugate gradients as it needs, at most 10 000.
/// - The unrolled derivative converges later than the column sums by which a list stops; see neural_ndcg. The
///   error of the implicit derivative is of the size of the scaling's error or smaller (docs/numerics.md).
/// - Edge cases: as neural_sort. With `steps` = 0 its matrix is unchanged.
/// @throws std::invalid_argument from the functions of sort.hpp when an option is out of its range.
struct sinkhorn {
  neural_sort sort{};                                              ///< the matrix that is scaled
  std::size_t steps = 50;                                          ///< largest number of steps, 0 to 1e6
  double tolerance = 1e-6;                                         ///< 0 to 1: of the column sums from 1
  sinkhorn_derivative derivative = sinkhorn_derivative::unrolled;  ///< how it is differentiated

  void validate() const {
    sort.validate();
    detail::require(steps <= 1000000, "steps: ", steps, ", expected at most 1000000");
    detail::require(detail::within(tolerance, 0.0, 1.0), "tolerance: ", tolerance, ", expected 0 to 1");
  }

  /// The operator of one list; see soft_sort_operator.
  template <class T, class Arch = xsimd::default_arch>
  class result {
    using band_type = detail::neural_band<Arch, T>;
    using scaled_type = detail::sinkhorn_band<Arch, T>;

   public:
    result(const sinkhorn& how, const strided<const T>& scores, workspace& scratch)
        : temperature_(how.sort.temperature),
          derivative_(how.derivative),
          scratch_(scratch),
          sorted_(detail::sort_list<T>(scores, scratch)),
          band_(sorted_.x, how.sort.temperature, scratch) {
      const std::span<double> sums = band_.take();
      std::fill(sums.begin(), sums.end(), 0.0);
      band_.apply(sums, sums);
      scaled_.emplace(band_, true, how.steps, how.tolerance, how.derivative == sinkhorn_derivative::unrolled, scratch);
    }
    result(const result&) = delete;
    result& operator=(const result&) = delete;

    void apply(std::span<const double> values, std::span<double> out) const {
      const workspace::scope scope(scratch_);
      const std::span<double> from = by_column(values);
      const std::span<double> to = band_.take();
      scaled_->apply(from, to);
      band_.store(to, out);
    }
    void apply_transposed(std::span<const double> values, std::span<double> out) const {
      const workspace::scope scope(scratch_);
      const std::span<double> from = band_.take();
      const std::span<double> to = band_.take();
      band_.load(values, from);
      scaled_->apply_transposed(from, to);
      by_item(to, out);
    }
    void pullback(std::span<const double> values, std::span<const double> cotangent, std::span<double> gradient) const {
      const std::size_t n = gradient.size();
      const workspace::scope scope(scratch_);
      const std::span<double> columns = by_column(values);
      const std::span<double> rows = band_.take();
      const std::span<double> sums = band_.take();
      const std::span<double> moments = band_.take();
      band_.load(cotangent, rows);
      scaled_->pull(columns, rows, sums, moments,
                    derivative_ == sinkhorn_derivative::unrolled ? scaled_type::derivative::unrolled : scaled_type::derivative::implicit);
      const std::span<double> sum = scratch_.take<double>(n);
      const std::span<double> moment = scratch_.take<double>(n);
      band_.store(sums, sum);
      band_.store(moments, moment);
      detail::neural_gradient([&](std::size_t i) { return sorted_.x[i]; }, n, temperature_, sum.data(), moment.data());
      for (std::size_t i = 0; i < n; ++i) gradient[sorted_.order[i]] = moment[i];
    }
    /// Column by column: O(n * band).
    void to_matrix(std::span<double> out) const {
      const std::size_t n = sorted_.x.size();
      const workspace::scope scope(scratch_);
      const std::span<double> unit = scratch_.take<double>(n);
      const std::span<double> column = scratch_.take<double>(n);
      std::fill(unit.begin(), unit.end(), 0.0);
      for (std::size_t j = 0; j < n; ++j) {
        unit[j] = 1.0;
        apply(unit, column);
        for (std::size_t i = 0; i < n; ++i) out[i * n + j] = column[i];
        unit[j] = 0.0;
      }
    }

    /// Number of steps taken.
    [[nodiscard]] std::size_t steps() const noexcept { return scaled_->steps(); }

   private:
    [[nodiscard]] std::span<double> by_column(std::span<const double> values) const {
      const std::span<double> slots = scratch_.take<double>(values.size());
      for (std::size_t i = 0; i < slots.size(); ++i) slots[i] = values[sorted_.order[i]];
      const std::span<double> columns = band_.take();
      band_.load(slots, columns);
      return columns;
    }
    void by_item(std::span<const double> columns, std::span<double> out) const {
      const std::span<double> slots = scratch_.take<double>(out.size());
      band_.store(columns, slots);
      for (std::size_t i = 0; i < out.size(); ++i) out[sorted_.order[i]] = slots[i];
    }

    double temperature_;
    sinkhorn_derivative derivative_;
    workspace& scratch_;
    detail::sorted_list<T> sorted_;
    band_type band_;
    std::optional<scaled_type> scaled_;  // refers to band_
  };

  template <class T, class Arch = xsimd::default_arch>
  [[nodiscard]] result<T, Arch> operator()(const strided<const T>& scores, workspace& scratch) const {
    return result<T, Arch>(*this, scores, scratch);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI
