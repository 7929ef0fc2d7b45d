// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/ideal_dcg.hpp>
#include <rankloss/detail/neural_band.hpp>
#include <rankloss/detail/require.hpp>
#include <rankloss/detail/simd.hpp>
#include <rankloss/detail/sinkhorn_band.hpp>
#include <rankloss/detail/sorted_rows.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/gain.hpp>
#include <rankloss/sorts/sinkhorn.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI {

/// neural_ndcg: smooth NDCG, one minus the NDCG of gains sorted by NeuralSort.
///
///     P     = Sinkhorn(NeuralSort(s / temperature))         row i: where the i-th largest score is
///     DCG   = sum_{i <= k} (P g)_i / log2(1 + i),  g_j = w_j G(y_j)
///     loss  = 1 - DCG / ideal DCG@k
///
/// Pobrotyn, Bialobrzeski: NeuralNDCG: Direct optimisation of a ranking metric via differentiable relaxation
/// of sorting, 2021, arXiv 2102.07831. With `steps` = 0 it is the loss of Swezey et al.: PiRank, NeurIPS
/// 2021, arXiv 2012.06731, without its deep sorting. The paper's transposed form is the same number, sum_j
/// g_j (P' d)_j with d the discounts, and needs no option; its stochastic form is stochastic<neural_ndcg>.
///
/// - Computed on the band of neural_sort: time O(steps * band), scratch O(band + steps taken * n). Without
///   steps the band is not stored, and scratch is O(n). Lists of up to 256 items are computed several at
///   once, one in each SIMD lane. Each list stops scaling by itself, not with its batch: when all its column
///   sums are within `tolerance` of 1, or after `steps` steps.
/// - Invariant under shifts; the gradient of a list sums to 0 up to rounding. As temperature -> 0 this is 1 -
///   NDCG@k.
/// - The unrolled derivative is that of the steps taken. It converges later than the column sums by which a
///   list stops: on a list of equal gaps it was seen 2 % from its limit. The implicit derivative is the limit
///   itself; its error is of the size of the scaling's error or smaller (docs/numerics.md).
/// - Edge cases: a list without positive ideal DCG has loss 0 and gradient 0. Equal scores share their
///   places. Infinite scores count as the largest finite number of the type. If all scores are equal, the
///   band is the whole matrix, which is the slowest case.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range or a relevance is below
/// 0, except with gain::table.
struct neural_ndcg {
  double temperature = 1.0;                                        ///< 1e-15 to 1e300, in units of the scores
  rankloss::gain gain = rankloss::gain::exponential;               ///< the gain of a grade
  std::span<const double> gain_table{};                            ///< [grades] >= 0, for gain::table; other relevance is worth 0
  std::size_t cutoff = 0;                                          ///< k of NDCG@k; 0: the whole list
  std::size_t steps = 50;                                          ///< of Sinkhorn's scaling, at most, 0 (none) to 1e6
  double tolerance = 1e-6;                                         ///< 0 to 1: of the column sums from 1
  sinkhorn_derivative derivative = sinkhorn_derivative::unrolled;  ///< how the scaling is differentiated

  template <class T>
  static constexpr std::size_t group_longest() noexcept {
    return 256;
  }
  template <class Arch>
  static constexpr std::size_t group_size() noexcept {
    return detail::lane_count<Arch>;
  }

  void validate() const {
    sinkhorn{.sort = {.temperature = temperature}, .steps = steps, .tolerance = tolerance}.validate();
    detail::check_gain(gain, gain_table);
  }
  [[nodiscard]] bool takes(double y) const noexcept { return detail::takes_gain(gain, y); }
  [[nodiscard]] std::string_view expects() const noexcept { return detail::expects_gain; }

  /// One list.
  template <class T, class R, class Arch = xsimd::default_arch>
  double operator()(const list<T, R>& items, const list_outputs<T>& out, workspace& scratch) const {
    using V = detail::lanes<Arch>;
    const std::size_t n = items.size();
    const workspace::scope scope(scratch);
    const std::span<T> gains = scratch.take<T>(n);
    detail::fill_gains<Arch>(gain, gain_table, items.relevance, items.weights, gains);
    const double best = detail::ideal_dcg<Arch, T>(ideal::sorted, cutoff, gains, scratch);
    if (!(best > 0.0)) {
      for (std::size_t i = 0; i < out.gradient.size(); ++i) out.gradient[i] = T{0};
      return 0.0;
    }
    const detail::sorted_list<T> sorted = detail::sort_list<T>(items.scores, scratch);
    detail::neural_band<Arch, T> band(sorted.x, temperature, scratch);
    const std::span<double> slots = scratch.take<double>(n);
    const std::span<double> values = band.take();
    for (std::size_t i = 0; i < n; ++i) slots[i] = static_cast<double>(gains[sorted.order[i]]);
    band.load(slots, values);
    const std::span<double> discounts = band.take();
    for (std::size_t i = 0; i < n; ++i) slots[i] = discount(i);
    band.load(slots, discounts);
    const sums_and_moments d = sums_of(band, !out.gradient.empty());
    const V dcg = differentiate(band, true, values, discounts, d, scratch);
    if (!out.gradient.empty()) {
      const std::span<double> moment = scratch.take<double>(n);
      band.store(d.sums, slots);
      band.store(d.moments, moment);
      detail::neural_gradient([&](std::size_t i) { return sorted.x[i]; }, n, temperature, slots.data(), moment.data());
      for (std::size_t i = 0; i < n; ++i) out.gradient[sorted.order[i]] = static_cast<T>(-moment[i] / best);
    }
    return 1.0 - detail::sum_of(dcg) / best;
  }

  /// Short lists, one in each lane.
  template <class T, class R, class Arch = xsimd::default_arch>
  void operator()(std::span<const list<T, R>> lists, std::span<const list_outputs<T>> out, std::span<double> values, workspace& scratch) const {
    constexpr std::size_t w = detail::lane_count<Arch>;
    const workspace::scope scope(scratch);
    const detail::plain_rows<Arch> sorted = detail::sort_lanes<Arch, T, R>(lists, scratch);
    const std::size_t rows = sorted.rows.rows;
    const std::span<T> gains = scratch.take<T>(rows * w);
    alignas(64) double best[w];
    detail::group_gains<Arch>(gain, gain_table, ideal::sorted, cutoff, lists, rows, gains, scratch).store_aligned(best);

    detail::neural_band<Arch, T> band(sorted, temperature, scratch);
    const std::span<double> by_column = band.take();
    const std::span<double> discounts = band.take();
    std::fill(by_column.begin(), by_column.end(), 0.0);
    std::fill(discounts.begin(), discounts.end(), 0.0);
    sorted.rows.gather(gains.data(), by_column.data() + band.index(std::size_t{0}));
    for (std::size_t i = 0; i < rows; ++i) detail::lanes<Arch>(discount(i)).store_aligned(discounts.data() + band.index(i));
    const bool gradient = !out[0].gradient.empty();
    const sums_and_moments d = sums_of(band, gradient);
    alignas(64) double dcg[w];
    differentiate(band, false, by_column, discounts, d, scratch).store_aligned(dcg);
    const std::span<double> sum = scratch.take<double>(gradient ? rows : 0);
    const std::span<double> moment = scratch.take<double>(gradient ? rows : 0);
    for (std::size_t l = 0; l < lists.size(); ++l) {
      values[l] = best[l] > 0.0 ? 1.0 - dcg[l] / best[l] : 0.0;
      if (!gradient) continue;
      const std::size_t n = lists[l].size();
      for (std::size_t i = 0; i < n; ++i) {
        sum[i] = d.sums[band.index(i) + l];
        moment[i] = d.moments[band.index(i) + l];
      }
      detail::neural_gradient([&](std::size_t i) { return sorted.x[i * w + l]; }, n, temperature, sum.data(), moment.data());
      const double factor = best[l] > 0.0 ? -1.0 / best[l] : 0.0;
      for (std::size_t i = 0; i < n; ++i) out[l].gradient[sorted.rows.order[i * w + l] - l * rows] = static_cast<T>(factor * moment[i]);
    }
  }

  /// Whether the list counts in reduction::mean_of_relevant: any item has a gain above 0.
  template <class T, class R>
  [[nodiscard]] bool has_relevance(const list<T, R>& items) const noexcept {
    return detail::any_gain(items, gain, gain_table);
  }

 private:
  struct sums_and_moments {
    std::span<double> sums, moments;
  };
  template <class Arch, class T>
  static sums_and_moments sums_of(const detail::neural_band<Arch, T>& band, bool wanted) {
    if (!wanted) return {};
    const std::span<double> sums = band.take();
    return {sums, band.take()};
  }

  [[nodiscard]] double discount(std::size_t position) const noexcept {
    return cutoff > 0 && position >= cutoff ? 0.0 : 1.0 / std::log2(2.0 + static_cast<double>(position));
  }

  /// DCG of each lane, and the column sums and moments of its derivative by the logits.
  template <class Arch, class T>
  detail::lanes<Arch> differentiate(detail::neural_band<Arch, T>& band, bool one_list, std::span<const double> gains,
                                    std::span<const double> discounts, const sums_and_moments& d, workspace& scratch) const {
    using V = detail::lanes<Arch>;
    const std::span<double> product = band.take();
    band.apply(gains, product);
    if (steps > 0) {
      using scaled = detail::sinkhorn_band<Arch, T>;
      const bool keep = !d.sums.empty() && derivative == sinkhorn_derivative::unrolled;
      const scaled matrix(band, one_list, steps, tolerance, keep, scratch);
      matrix.apply(gains, product);
      if (!d.sums.empty())
        matrix.pull(gains, discounts, d.sums, d.moments,
                    derivative == sinkhorn_derivative::unrolled ? scaled::derivative::unrolled : scaled::derivative::implicit);
    } else if (!d.sums.empty()) {
      band.spread(product);
      band.pull(gains, product, discounts, d.sums, d.moments);
    }
    V dcg(0.0);
    for (std::size_t i = 0; i < band.rows(); ++i)
      dcg = xsimd::fma(V::load_aligned(product.data() + band.index(i)), V::load_aligned(discounts.data() + band.index(i)), dcg);
    return dcg;
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI
