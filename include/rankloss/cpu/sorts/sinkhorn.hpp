// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/band/neural_band.hpp>
#include <rankloss/detail/band/sinkhorn_band.hpp>
#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/sorts/sinkhorn.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {

/// Products with the scaled band of sinkhorn_band.hpp, one list over all lanes.
template <class T>
class sinkhorn::result {
  using Arch = xsimd::default_arch;  // of this translation unit, as the inline namespace says
  using band_type = detail::neural_band<Arch, T>;
  using scaled_type = detail::sinkhorn_band<Arch, T>;

 public:
  result(const sinkhorn& how, const strided<const T>& scores, workspace& scratch)
      : temperature_(how.sort.temperature),
        derivative_(how.derivative),
        scratch_(scratch),
        sorted_(detail::sort_list<T>(scores, scratch)),
        band_(sorted_.x, how.sort.temperature, scratch) {
    const std::span<double> zeros = band_.take();
    const std::span<double> product = band_.take();
    std::fill(zeros.begin(), zeros.end(), 0.0);
    band_.apply(zeros, product);
    scaled_.emplace(band_, true, how.steps, how.tolerance, how.derivative == sinkhorn_derivative::unrolled,
                    scratch);
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
  void pullback(std::span<const double> values, std::span<const double> cotangent,
                std::span<double> gradient) const {
    const std::size_t n = gradient.size();
    const workspace::scope scope(scratch_);
    const std::span<double> columns = by_column(values);
    const std::span<double> rows = band_.take();
    const std::span<double> sums = band_.take();
    const std::span<double> moments = band_.take();
    band_.load(cotangent, rows);
    scaled_->pull(columns, rows, sums, moments,
                  derivative_ == sinkhorn_derivative::unrolled ? scaled_type::derivative::unrolled
                                                               : scaled_type::derivative::implicit);
    const std::span<double> sum = scratch_.take<double>(n);
    const std::span<double> moment = scratch_.take<double>(n);
    band_.store(sums, sum);
    band_.store(moments, moment);
    detail::neural_gradient([&](std::size_t i) { return sorted_.x[i]; }, n, temperature_, sum.data(),
                            moment.data());
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

}  // namespace rankloss::inline RANKLOSS_ABI
