// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/band/neural_band.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/sorts/neural_sort.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {

/// Products with the band of neural_band.hpp, one list over all lanes.
template <class T>
class neural_sort::result {
  using Arch = xsimd::default_arch;  // of this translation unit, as the inline namespace says

 public:
  result(const neural_sort& how, const strided<const T>& scores, workspace& scratch)
      : temperature_(how.temperature),
        sorted_(detail::sort_list<T>(scores, scratch)),
        band_(sorted_.x, how.temperature, scratch),
        scratch_(scratch),
        values_(band_.take()),
        product_(band_.take()) {}

  void apply(std::span<const double> values, std::span<double> out) {
    multiply(values);
    band_.store(product_, out);
  }

  void apply_transposed(std::span<const double> values, std::span<double> out) {
    if (!summed_) multiply({});
    const workspace::scope scope(scratch_);
    const std::span<double> from = band_.take();
    const std::span<double> to = band_.take();
    const std::span<double> slots = scratch_.take<double>(out.size());
    band_.load(values, from);
    band_.apply_transposed(from, to);
    band_.store(to, slots);
    for (std::size_t i = 0; i < out.size(); ++i) out[sorted_.order[i]] = slots[i];
  }

  void pullback(std::span<const double> values, std::span<const double> cotangent,
                std::span<double> gradient) {
    multiply(values);
    const std::size_t n = gradient.size();
    const workspace::scope scope(scratch_);
    const std::span<double> from = band_.take();
    const std::span<double> sums = band_.take();
    const std::span<double> moments = band_.take();
    band_.load(cotangent, from);
    band_.spread(product_);
    band_.pull(values_, product_, from, sums, moments);
    const std::span<double> sum = scratch_.take<double>(n);
    const std::span<double> moment = scratch_.take<double>(n);
    band_.store(sums, sum);
    band_.store(moments, moment);
    detail::neural_gradient([&](std::size_t i) { return sorted_.x[i]; }, n, temperature_, sum.data(),
                            moment.data());
    for (std::size_t i = 0; i < n; ++i) gradient[sorted_.order[i]] = moment[i];
  }

  /// One product with a unit vector for each column: O(n) for each column beside the time for the band.
  void to_matrix(std::span<double> out) {
    const std::size_t n = sorted_.x.size();
    if (!summed_) multiply({});
    const workspace::scope scope(scratch_);
    const std::span<double> inverse = scratch_.take<double>(n);
    band_.store(band_.inverse_sums(), inverse);
    std::fill(out.begin(), out.end(), 0.0);
    constexpr std::size_t w = detail::lane_count<Arch>;
    for (std::size_t i = 0; i < band_.rows(); ++i) {
      for (std::size_t l = 0; l < w && l * band_.rows() + i < n; ++l) {
        const std::size_t row = l * band_.rows() + i;
        out[row * n + sorted_.order[row]] = inverse[row];
      }
      band_.walk_rows(i, [&](std::ptrdiff_t m, const detail::lanes<Arch>& e, std::size_t) {
        alignas(64) double entries[w];
        e.store_aligned(entries);
        for (std::size_t l = 0; l < w; ++l) {
          const std::size_t row = l * band_.rows() + i;
          const std::size_t column = row + static_cast<std::size_t>(m);  // beyond n if m is negative
          if (row < n && column < n) out[row * n + sorted_.order[column]] = entries[l] * inverse[row];
        }
      });
    }
  }

 private:
  /// Computes P values into product_, unless it holds that already, as in a pullback after its apply.
  void multiply(std::span<const double> values) {
    const workspace::scope scope(scratch_);
    const std::span<double> slots = scratch_.take<double>(sorted_.x.size());
    for (std::size_t i = 0; i < slots.size(); ++i) slots[i] = values.empty() ? 0.0 : values[sorted_.order[i]];
    const std::span<double> columns = band_.take();
    band_.load(slots, columns);
    if (summed_ && std::equal(columns.begin(), columns.end(), values_.begin())) return;
    std::copy(columns.begin(), columns.end(), values_.begin());
    band_.apply(values_, product_);
    summed_ = true;
  }

  double temperature_;
  detail::sorted_list<T> sorted_;
  detail::neural_band<Arch, T> band_;
  workspace& scratch_;
  std::span<double> values_;   // the last vector that was multiplied
  std::span<double> product_;  // P times that vector
  bool summed_ = false;
};

}  // namespace rankloss::inline RANKLOSS_ABI
