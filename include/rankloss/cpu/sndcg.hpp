// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/loops.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/gains/fill_gains.hpp>
#include <rankloss/detail/gains/group_gains.hpp>
#include <rankloss/detail/gains/ideal_dcg.hpp>
#include <rankloss/detail/gains/lane_discounts.hpp>
#include <rankloss/detail/sigmoid/cell_sums.hpp>
#include <rankloss/detail/sigmoid/decay_rows.hpp>
#include <rankloss/detail/sigmoid/few_gains.hpp>
#include <rankloss/detail/sigmoid/short_sums.hpp>
#include <rankloss/detail/sigmoid/sigmoid_layout.hpp>
#include <rankloss/detail/sigmoid/smooth_dcg.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/workspace.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {
namespace detail {

/// Short lists are computed one in each lane, the shortest of them pair by pair. A long list is cut into
/// cells where its scores are dense, and spread over all lanes where they are not. `Loss` is sndcg, or has its
/// options; `Discount` is one of detail/gains/lane_discounts.hpp.
template <class Loss, class Discount>
struct sndcg_engine {
  using Arch = xsimd::default_arch;  // of this translation unit, as the inline namespace says

  /// Longer lists are spread over all lanes or cut into cells. In double, the long chains of a scan lose
  /// digits if more items than this have scores close to each other.
  template <class T>
  static constexpr std::size_t group_longest() noexcept {
    return tuning::longest_in_lane<T>;
  }

  /// For up to this many items, summing over all pairs is faster than a sort and scans
  /// (docs/algorithms/sigmoid_sums.md).
  template <class T>
  static constexpr std::size_t group_shortest() noexcept {
    return tuning::longest_by_pairs<T>;
  }

  static constexpr std::size_t group_size() noexcept { return lane_count<Arch>; }

  /// One list.
  template <class T, class R>
  static double run(const Loss& loss, const list<T, R>& items, const list_outputs<T>& out,
                    workspace& scratch) {
    using V = lanes<Arch>;
    const std::size_t n = items.size();
    const workspace::scope scope(scratch);
    const std::span<T> gains = scratch.take<T>(n);
    fill_gains<Arch>(loss.gain, loss.gain_table, items.relevance, items.weights, gains, scratch);
    const double best = ideal_dcg<lane_discounts<Arch, Discount>, T>(loss.ideal, loss.cutoff, gains, scratch);
    if (!(best > 0.0)) {
      for (std::size_t i = 0; i < out.gradient.size(); ++i) out.gradient[i] = T{0};
      for (std::size_t i = 0; i < out.hessian.size(); ++i) out.hessian[i] = T{0};
      return 0.0;
    }
    if (out.hessian.empty()) {
      const few_gains<Arch, T> few(items.scores, gains, scratch);
      if (few.apply())
        return 1.0 - few.template dcg<Discount>(gains, loss.temperature, static_cast<double>(loss.cutoff),
                                                -1.0 / best / loss.temperature, out.gradient, scratch) /
                         best;
    }
    const bool in_cells = out.hessian.empty();
    const std::span<T> by_slot = scratch.take<T>(in_cells ? n : 0);
    const sigmoid_layout<Arch, T> in(items.scores, loss.temperature, in_cells, gains, by_slot, scratch);
    if (in.dense) return 1.0 - differentiate(loss, in.cells, by_slot, best, out.gradient, scratch) / best;
    const sorted_rows<Arch>& rows = in.rows;
    const std::span<T> gain_rows = scratch.take<T>(rows.rows * lane_count<Arch>);
    rows.gather(gains.data(), gain_rows.data());
    const V dcg = differentiate<T>(loss, rows, gain_rows.data(), V(1.0 / best), out, scratch);
    return 1.0 - sum_of(dcg) / best;
  }

  /// Short lists, one in each lane; the shortest one after the other, where most lanes would be empty.
  template <class T, class R>
  static void run(const Loss& loss, std::span<const list<T, R>> lists, std::span<const list_outputs<T>> out,
                  std::span<double> values, workspace& scratch) {
    using V = lanes<Arch>;
    constexpr std::size_t w = lane_count<Arch>;
    const bool plain = longest_of(lists) <= group_shortest<T>();
    if (plain && out[0].hessian.empty() && short_group_sums<Arch, T>::fewer_one_by_one(lists)) {
      for (std::size_t l = 0; l < lists.size(); ++l)
        values[l] = run_by_pairs(loss, lists.subspan(l, 1), out[l].gradient, scratch);
      return;
    }
    const workspace::scope scope(scratch);
    const plain_rows<Arch> unsorted = plain ? lay_group<Arch, T, R>(lists, scratch) : plain_rows<Arch>{};
    const sorted_rows<Arch> sorted =
        plain ? unsorted.rows : sort_group<Arch, T, R>(lists, loss.temperature, scratch);
    const std::size_t rows = sorted.rows;
    const std::span<T> gains = scratch.take<T>(rows * w);
    alignas(64) double best[w];
    const V ideals = group_gains<Arch, Discount>(loss.gain, loss.gain_table, loss.ideal, loss.cutoff, lists,
                                                 rows, gains, scratch);
    ideals.store_aligned(best);
    const std::span<T> gain_rows = scratch.take<T>(rows * w);
    sorted.gather(gains.data(), gain_rows.data());

    // The outputs of the lists are written by item, and then copied to their places.
    const bool gradient = !out[0].gradient.empty();
    const bool hessian = !out[0].hessian.empty();
    const std::span<T> gradients = scratch.take<T>(gradient ? rows * w : 0);
    const std::span<T> hessians = scratch.take<T>(hessian ? rows * w : 0);
    const V inverse_ideal = xsimd::select(ideals > V(0.0), V(1.0) / ideals, V(0.0));
    alignas(64) double dcg[w];
    const list_outputs<T> by_item{{gradients}, {hessians}};
    (plain ? differentiate<T>(loss, unsorted, gain_rows.data(), inverse_ideal, by_item, scratch)
           : differentiate<T>(loss, sorted, gain_rows.data(), inverse_ideal, by_item, scratch))
        .store_aligned(dcg);
    for (std::size_t l = 0; l < lists.size(); ++l) {
      values[l] = best[l] > 0.0 ? 1.0 - dcg[l] / best[l] : 0.0;
      if (gradient) copy(gradients.data() + l * rows, best[l] > 0.0, out[l].gradient);
      if (hessian) copy(hessians.data() + l * rows, best[l] > 0.0, out[l].hessian);
    }
  }

 private:
  /// One of the shortest lists, with the bits that it has in a group.
  template <class T, class R>
  static double run_by_pairs(const Loss& loss, std::span<const list<T, R>> one, const strided<T>& gradient,
                             workspace& scratch) {
    using V = lanes<Arch>;
    const workspace::scope scope(scratch);
    const strided<const T>& scores = one[0].scores;
    const std::span<T> gains = scratch.take<T>(scores.size() * lane_count<Arch>);
    const V ideals = group_gains<Arch, Discount>(loss.gain, loss.gain_table, loss.ideal, loss.cutoff, one,
                                                 scores.size(), gains, scratch);
    const double best = ideals.get(0);
    if (!(best > 0.0)) {
      for (std::size_t i = 0; i < gradient.size(); ++i) gradient[i] = T{0};
      return 0.0;
    }
    const auto k = static_cast<double>(loss.cutoff);
    const double dcg = gradient.empty() ? smooth_dcg<T, Discount, wanted::value, Arch>(
                                              scores, loss.temperature, gains.data(), k, scratch,
                                              [](std::size_t, const V&, auto) {})
                                        : smooth_dcg<T, Discount, wanted::gradient, Arch>(
                                              scores, loss.temperature, gains.data(), k, scratch,
                                              [&, factor = -(V(1.0) / V(best)) / V(loss.temperature)](
                                                  std::size_t i, const V& g, auto count) {
                                                alignas(64) double row[lane_count<Arch>];
                                                (g * factor).store_aligned(row);
                                                for (std::size_t l = 0; l < count; ++l)
                                                  gradient[i + l] = static_cast<T>(row[l]);
                                              });
    return 1.0 - dcg / best;
  }

  /// DCG of each lane; writes the derivatives of the loss by item. `inverse_ideal` is 1 / ideal DCG.
  template <class T, class S>
  static lanes<Arch> differentiate(const Loss& loss, const sorted_rows<Arch>& sorted, S* gains,
                                   const lanes<Arch>& inverse_ideal, const list_outputs<T>& out,
                                   workspace& scratch) {
    return differentiate<T>(loss, sorted, inverse_ideal, out, [&]<wanted Wanted>(auto emit) {
      return smooth_dcg<T, Discount, Wanted>(sorted, gains, static_cast<double>(loss.cutoff), scratch, emit);
    });
  }
  template <class T, class S>
  static lanes<Arch> differentiate(const Loss& loss, const plain_rows<Arch>& unsorted, S* gains,
                                   const lanes<Arch>& inverse_ideal, const list_outputs<T>& out,
                                   workspace& scratch) {
    return differentiate<T>(loss, unsorted.rows, inverse_ideal, out, [&]<wanted Wanted>(auto emit) {
      return smooth_dcg<T, Discount, Wanted>(unsorted, loss.temperature, gains,
                                             static_cast<double>(loss.cutoff), scratch, emit);
    });
  }
  /// Calls run.operator()<which outputs are wanted>(emit).
  template <class T, class Run>
  static lanes<Arch> differentiate(const Loss& loss, const sorted_rows<Arch>& rows,
                                   const lanes<Arch>& inverse_ideal, const list_outputs<T>& out, Run run) {
    using V = lanes<Arch>;
    const V first = -inverse_ideal / V(loss.temperature);
    const V second = first / V(loss.temperature);
    if (!out.hessian.empty())
      return run.template operator()<wanted::hessian>([&](std::size_t i, const V& g, const V& h) {
        if (!out.gradient.empty()) rows.scatter(i, g * first, out.gradient);
        rows.scatter(i, h * second, out.hessian);
      });
    if (!out.gradient.empty())
      return run.template operator()<wanted::gradient>(
          [&](std::size_t i, const V& g, const V&) { rows.scatter(i, g * first, out.gradient); });
    return run.template operator()<wanted::value>([](std::size_t, const V&, const V&) {});
  }

  template <class T>
  static double differentiate(const Loss& loss, const cell_list<Arch, T>& cells, std::span<T> by_slot,
                              double best, const strided<T>& gradient, workspace& scratch) {
    using V = lanes<Arch>;
    const std::span<const std::uint32_t> slots = cells.slots();
    const auto k = static_cast<double>(loss.cutoff);
    if (gradient.empty()) return smooth_dcg<T, Discount, wanted::value>(cells, by_slot, k, scratch, V(0.0));
    const double dcg = smooth_dcg<T, Discount, wanted::gradient>(cells, by_slot, k, scratch,
                                                                 V(-1.0 / best / loss.temperature));
    const even_pieces pieces(slots.size(), tuning::piece_items);
    run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
      for (std::size_t i = pieces[p].begin; i < pieces[p].end; ++i) {
        gradient[i] = by_slot[slots[i]];
        prefetch_ahead(by_slot.data() + slots[i]);
      }
    });
    return dcg;
  }

  /// Those of a list without gain are 0, and not the -0 that a product may be.
  template <class T>
  static void copy(const T* from, bool any, const strided<T>& to) noexcept {
    for (std::size_t i = 0; i < to.size(); ++i) to[i] = any ? from[i] : T{0};
  }
};

}  // namespace detail

template <>
struct engine<sndcg, context> : detail::sndcg_engine<sndcg, detail::log2_discount> {};

}  // namespace rankloss::inline RANKLOSS_ABI
