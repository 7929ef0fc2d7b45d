// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/band/neural_band.hpp>
#include <rankloss/detail/band/sinkhorn_band.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/gains/fill_gains.hpp>
#include <rankloss/detail/gains/group_gains.hpp>
#include <rankloss/detail/gains/ideal_dcg.hpp>
#include <rankloss/detail/gains/lane_discounts.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/neural_ndcg.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {
namespace detail {

/// Short lists are computed one in each lane, a long list over all lanes. Either is sorted, and computed with
/// the band of neural_band.hpp.
struct neural_ndcg_engine {
  using Arch = xsimd::default_arch;  // of this translation unit, as the inline namespace says

  static constexpr std::size_t shortest_shared() noexcept { return tuning::shortest_shared_band; }
  static constexpr std::size_t group_size() noexcept { return lane_count<Arch>; }
  template <class T>
  static constexpr std::size_t group_longest() noexcept {
    return tuning::longest_band_in_lane;
  }

  /// One list.
  template <class T, class R>
  static double run(const neural_ndcg& loss, const list<T, R>& items, const list_outputs<T>& out,
                    workspace& scratch) {
    using V = lanes<Arch>;
    const std::size_t n = items.size();
    const workspace::scope scope(scratch);
    const std::span<T> gains = scratch.take<T>(n);
    fill_gains<Arch>(loss.gain, loss.gain_table, items.relevance, items.weights, gains, scratch);
    const double best = ideal_dcg<lane_discounts<Arch>, T>(ideal::sorted, loss.cutoff, gains, scratch);
    if (!(best > 0.0)) {
      for (std::size_t i = 0; i < out.gradient.size(); ++i) out.gradient[i] = T{0};
      return 0.0;
    }
    const sorted_list<T> sorted = sort_list<T>(items.scores, scratch);
    neural_band<Arch, T> band(sorted.x, loss.temperature, scratch);
    const std::span<double> slots = scratch.take<double>(n);
    const std::span<double> values = band.take();
    for (std::size_t i = 0; i < n; ++i) slots[i] = static_cast<double>(gains[sorted.order[i]]);
    band.load(slots, values);
    const std::span<double> discounts = band.take();
    for (std::size_t i = 0; i < n; ++i) slots[i] = discount(loss, i);
    band.load(slots, discounts);
    const sums_and_moments d = sums_of(band, !out.gradient.empty());
    const V dcg = differentiate(loss, band, true, values, discounts, d, scratch);
    if (!out.gradient.empty()) {
      const std::span<double> moment = scratch.take<double>(n);
      band.store(d.sums, slots);
      band.store(d.moments, moment);
      neural_gradient([&](std::size_t i) { return sorted.x[i]; }, n, loss.temperature, slots.data(),
                      moment.data());
      for (std::size_t i = 0; i < n; ++i) out.gradient[sorted.order[i]] = static_cast<T>(-moment[i] / best);
    }
    return 1.0 - sum_of(dcg) / best;
  }

  /// Short lists, one in each lane.
  template <class T, class R>
  static void run(const neural_ndcg& loss, std::span<const list<T, R>> lists,
                  std::span<const list_outputs<T>> out, std::span<double> values, workspace& scratch) {
    constexpr std::size_t w = lane_count<Arch>;
    const workspace::scope scope(scratch);
    const plain_rows<Arch> sorted = sort_lanes<Arch, T, R>(lists, scratch);
    const std::size_t rows = sorted.rows.rows;
    const std::span<T> gains = scratch.take<T>(rows * w);
    alignas(64) double best[w];
    group_gains<Arch>(loss.gain, loss.gain_table, ideal::sorted, loss.cutoff, lists, rows, gains, scratch)
        .store_aligned(best);

    neural_band<Arch, T> band(sorted, loss.temperature, scratch);
    const std::span<double> by_column = band.take();
    const std::span<double> discounts = band.take();
    std::fill(by_column.begin(), by_column.end(), 0.0);
    std::fill(discounts.begin(), discounts.end(), 0.0);
    sorted.rows.gather(gains.data(), by_column.data() + band.index(std::size_t{0}));
    for (std::size_t i = 0; i < rows; ++i)
      lanes<Arch>(discount(loss, i)).store_aligned(discounts.data() + band.index(i));
    const bool gradient = !out[0].gradient.empty();
    const sums_and_moments d = sums_of(band, gradient);
    alignas(64) double dcg[w];
    differentiate(loss, band, false, by_column, discounts, d, scratch).store_aligned(dcg);
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
      neural_gradient([&](std::size_t i) { return sorted.x[i * w + l]; }, n, loss.temperature, sum.data(),
                      moment.data());
      const double factor = best[l] > 0.0 ? -1.0 / best[l] : 0.0;
      for (std::size_t i = 0; i < n; ++i)
        out[l].gradient[sorted.rows.order[i * w + l] - l * rows] = static_cast<T>(factor * moment[i]);
    }
  }

 private:
  struct sums_and_moments {
    std::span<double> sums, moments;
  };
  template <class T>
  static sums_and_moments sums_of(const neural_band<Arch, T>& band, bool wanted) {
    if (!wanted) return {};
    const std::span<double> sums = band.take();
    return {sums, band.take()};
  }

  [[nodiscard]] static double discount(const neural_ndcg& loss, std::size_t position) noexcept {
    return loss.cutoff > 0 && position >= loss.cutoff ? 0.0
                                                      : 1.0 / std::log2(2.0 + static_cast<double>(position));
  }

  /// DCG of each lane, and the column sums and moments of its derivative by the logits.
  template <class T>
  static lanes<Arch> differentiate(const neural_ndcg& loss, neural_band<Arch, T>& band, bool one_list,
                                   std::span<const double> gains, std::span<const double> discounts,
                                   const sums_and_moments& d, workspace& scratch) {
    using V = lanes<Arch>;
    const std::span<double> product = band.take();
    band.apply(gains, product);
    if (loss.steps > 0) {
      using scaled = sinkhorn_band<Arch, T>;
      const bool keep = !d.sums.empty() && loss.derivative == sinkhorn_derivative::unrolled;
      const scaled matrix(band, one_list, loss.steps, loss.tolerance, keep, scratch);
      matrix.apply(gains, product);
      if (!d.sums.empty())
        matrix.pull(gains, discounts, d.sums, d.moments,
                    loss.derivative == sinkhorn_derivative::unrolled ? scaled::derivative::unrolled
                                                                     : scaled::derivative::implicit);
    } else if (!d.sums.empty()) {
      band.spread(product);
      band.pull(gains, product, discounts, d.sums, d.moments);
    }
    V dcg(0.0);
    for (std::size_t i = 0; i < band.rows(); ++i)
      dcg = xsimd::fma(V::load_aligned(product.data() + band.index(i)),
                       V::load_aligned(discounts.data() + band.index(i)), dcg);
    return dcg;
  }
};

}  // namespace detail

template <>
struct engine<neural_ndcg, context> : detail::neural_ndcg_engine {};

}  // namespace rankloss::inline RANKLOSS_ABI
