// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/band/neural_band.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/neural_sort_cross_entropy.hpp>
#include <rankloss/sorts/neural_sort.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {
namespace detail {

/// Computes two bands, one after the other: that of the relevance by neural_sort, that of the scores by
/// neural_band.hpp.
struct neural_sort_cross_entropy_engine {
  using Arch = xsimd::default_arch;  // of this translation unit, as the inline namespace says

  static constexpr std::size_t shortest_shared() noexcept { return tuning::shortest_shared_band; }
  template <class T, class R>
  static double run(const neural_sort_cross_entropy& loss, const list<T, R>& items,
                    const list_outputs<T>& out, workspace& scratch) {
    const std::size_t n = items.size();
    if (n == 0) return 0.0;
    const workspace::scope scope(scratch);
    const sorted_list<T> sorted = sort_list<T>(items.scores, scratch);
    const auto x = [&](std::size_t i) { return static_cast<double>(sorted.x[i]); };
    // Column sums of Q in the order of the scores, and the sums of Q_ij (i - j), where j is the position of
    // the column among the scores.
    const std::span<double> target_sums = scratch.take<double>(n);
    const std::span<double> target_moments = scratch.take<double>(n);
    {
      const workspace::scope targets(scratch);
      const std::span<double> relevance = scratch.take<double>(n);
      for (std::size_t i = 0; i < n; ++i) relevance[i] = static_cast<double>(items.relevance[i]);
      auto order = neural_sort{.temperature = loss.relevance_temperature}(
          strided<const double>(relevance.data(), n), scratch);
      const std::span<double> rows = scratch.take<double>(n);
      const std::span<double> by_item = scratch.take<double>(n);
      std::fill(rows.begin(), rows.end(), 1.0);
      order.apply_transposed(rows, by_item);
      for (std::size_t j = 0; j < n; ++j) target_sums[j] = by_item[sorted.order[j]];
      for (std::size_t i = 0; i < n; ++i) rows[i] = static_cast<double>(i);
      order.apply_transposed(rows, by_item);
      for (std::size_t j = 0; j < n; ++j)
        target_moments[j] = by_item[sorted.order[j]] - target_sums[j] * static_cast<double>(j);
    }

    neural_band<Arch, T> band(sorted.x, loss.temperature, scratch);
    const std::span<double> ones = band.take();
    const std::span<double> zeros = band.take();
    const std::span<double> row_sums = scratch.take<double>(n);
    std::fill(ones.begin(), ones.end(), 1.0);
    band.apply(ones, zeros);
    band.store(band.inverse_sums(), row_sums);
    // With c_j and m_j those sums and moments, and L_jj = (sum_{k > j} x_k - sum_{k < j} x_k) / t,
    //   n loss = sum_i log sum_j exp(L_ij - L_ii) + sum_j (1 - c_j) L_jj + 2/t sum_j m_j x_j
    // in which a shift of x cancels. x is shifted so that the middle score is 0, which avoids cancellation.
    // The terms in x are summed separately from the logarithms, in units in which no sum of finite scores
    // overflows.
    constexpr double scale = 0x1p-128;
    const double middle = scale * x(n / 2);
    double above = 0.0;
    double below = 0.0;
    for (std::size_t j = 0; j < n; ++j) below += scale * x(j) - middle;
    double distances = 0.0;
    double logarithms = 0.0;
    for (std::size_t j = 0; j < n; ++j) {
      const double own = scale * x(j) - middle;
      below -= own;
      distances += (1.0 - target_sums[j]) * (below - above) + 2.0 * target_moments[j] * own;
      logarithms -= std::log(row_sums[j]);
      above += own;
    }
    const auto count = static_cast<double>(n);
    const double value = held_as<double>(distances / count / loss.temperature / scale) + logarithms / count;
    if (!out.gradient.empty()) {
      // d(n loss)/d(L) = P - Q, whose rows sum to 0.
      const std::span<double> sums = band.take();
      const std::span<double> moments = band.take();
      std::fill(zeros.begin(), zeros.end(), 0.0);
      band.pull(ones, zeros, ones, sums, moments);
      const std::span<double> sum = scratch.take<double>(n);
      const std::span<double> moment = scratch.take<double>(n);
      band.store(sums, sum);
      band.store(moments, moment);
      for (std::size_t j = 0; j < n; ++j) {
        sum[j] -= target_sums[j];
        moment[j] -= target_moments[j];
      }
      neural_gradient(x, n, loss.temperature, sum.data(), moment.data());
      for (std::size_t j = 0; j < n; ++j) out.gradient[sorted.order[j]] = held_as<T>(moment[j] / count);
    }
    return held_as<double>(value);
  }
};

}  // namespace detail

template <>
struct engine<neural_sort_cross_entropy, context> : detail::neural_sort_cross_entropy_engine {};

}  // namespace rankloss::inline RANKLOSS_ABI
