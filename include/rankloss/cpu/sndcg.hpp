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
#include <rankloss/detail/sigmoid/skewed_sums.hpp>
#include <rankloss/detail/sigmoid/smooth_dcg.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
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
    return tuning::longest_in_lane<T>(group_size());
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
    const std::size_t n = items.size();
    const workspace::scope scope(scratch);
    const std::span<T> gains = scratch.take<T>(n);
    fill_gains<Arch>(loss.gain, loss.gain_table, items.relevance, items.weights, gains, scratch);
    const few_gains<Arch, T> few(items.scores, gains, scratch);
    if (few.apply() && out.hessian.empty()) return run_few<T>(loss, few, gains, out.gradient, scratch);
    const double best = ideal_dcg<lane_discounts<Arch, Discount>, T>(loss.ideal, loss.cutoff, gains, scratch);
    if (!(best > 0.0)) {
      clear(out.gradient);
      clear(out.hessian);
      return 0.0;
    }
    // Cells have no Hessian. They keep more digits of a crowd than scans do, so the gradient beside one is theirs too.
    if (!out.hessian.empty()) {
      const workspace::scope curving(scratch);
      run_stretches<T>(loss,
                       lay_in_rows<Arch, T>(sort_list<T>(items.scores, scratch), loss.temperature, scratch),
                       gains, best, {.hessian = out.hessian}, scratch);
    }
    if (few.apply()) return run_few<T>(loss, few, gains, out.gradient, scratch);
    const std::span<T> by_slot = scratch.take<T>(n);
    const sigmoid_layout<Arch, T> in(items.scores, loss.temperature, gains, by_slot, scratch);
    if (in.dense) return 1.0 - differentiate(loss, in.cells, by_slot, best, out.gradient, scratch) / best;
    return run_stretches<T>(loss, in.rows, gains, best, {.gradient = out.gradient}, scratch);
  }

  /// Short lists, one in each lane or, where most lanes would be empty, one after the other.
  template <class T, class R>
  static void run(const Loss& loss, std::span<const list<T, R>> lists, std::span<const list_outputs<T>> out,
                  std::span<double> values, workspace& scratch) {
    if (longest_of(lists) <= group_shortest<T>())
      run_by_pairs(loss, lists, out, values, scratch);
    else
      run_by_scans(loss, lists, out, values, scratch);
  }

 private:
  /// One list over all lanes, a stretch a lane.
  template <class T>
  static double run_stretches(const Loss& loss, const sorted_rows<Arch>& rows, std::span<const T> gains,
                              double best, const list_outputs<T>& out, workspace& scratch) {
    const std::span<T> gain_rows = scratch.take<T>(rows.rows * lane_count<Arch>);
    rows.gather(gains.data(), gain_rows.data());
    const lanes<Arch> dcg =
        differentiate<T>(loss, rows, gain_rows.data(), lanes<Arch>(1.0 / best), out, scratch);
    return 1.0 - sum_of(dcg) / best;
  }

  template <class T, class R>
  static void run_by_pairs(const Loss& loss, std::span<const list<T, R>> lists,
                           std::span<const list_outputs<T>> out, std::span<double> values,
                           workspace& scratch) {
    using V = lanes<Arch>;
    if (out[0].hessian.empty() && short_group_sums<Arch, T>::fewer_one_by_one(lists)) {
      for (std::size_t l = 0; l < lists.size(); ++l)
        values[l] = run_by_pairs(loss, lists[l], out[l].gradient, scratch);
      return;
    }
    const workspace::scope scope(scratch);
    const plain_rows<Arch> unsorted = lay_group<Arch, T, R>(lists, scratch);
    const std::size_t rows = unsorted.rows.rows;
    const std::span<T> gains = scratch.take<T>(rows * lane_count<Arch>);
    const V ideals = group_gains<Arch, Discount>(loss.gain, loss.gain_table, loss.ideal, loss.cutoff, lists,
                                                 rows, gains, scratch);
    run_lanes<T>(loss, unsorted, gains, ideals, out, values, scratch);
  }

  template <class T>
  using skewed = skewed_sums<Arch, kernel_constants<T>::count>;

  /// Lists with few items of gain are done with these alone, and long ones with a Hessian by themselves.
  template <class T, class R>
  static void run_by_scans(const Loss& loss, std::span<const list<T, R>> lists,
                           std::span<const list_outputs<T>> out, std::span<double> values,
                           workspace& scratch) {
    constexpr std::size_t w = lane_count<Arch>;
    const workspace::scope scope(scratch);
    const std::size_t room = longest_of(lists);
    const std::span<T> gains = scratch.take<T>(room * w);
    // Those that are left.
    std::array<list<T, R>, w> left;
    std::array<list_outputs<T>, w> left_out;
    std::array<std::size_t, w> number;
    std::size_t count = 0, items = 0;
    for (std::size_t l = 0; l < lists.size(); ++l) {
      const std::size_t n = lists[l].size();
      if (!out[l].hessian.empty() && n > tuning::longest_hessian_in_lane) {
        values[l] = run(loss, lists[l], out[l], scratch);
        continue;
      }
      const std::span<T> own = gains.subspan(count * room, n);
      fill_gains<Arch>(loss.gain, loss.gain_table, lists[l].relevance, lists[l].weights, own, scratch);
      if (out[l].hessian.empty() && n >= tuning::shortest_few_gains) {
        const workspace::scope trying(scratch);
        if (const few_gains<Arch, T> few(lists[l].scores, own, scratch); few.apply()) {
          values[l] = run_few<T>(loss, few, own, out[l].gradient, scratch);
          continue;
        }
      }
      left[count] = lists[l];
      left_out[count] = out[l];
      number[count++] = l;
      items += n;
    }
    if (count == 0) return;
    const std::span<const list<T, R>> lists_left(left.data(), count);
    const std::size_t rows = longest_of(lists_left);
    const auto gains_of = [&](std::size_t k) { return gains.subspan(k * room, left[k].size()); };
    if (out[0].hessian.empty() && skewed<T>::fewer_one_by_one(items, rows)) {
      for (std::size_t k = 0; k < count; ++k)
        values[number[k]] = run_by_scans<T>(loss, left[k], gains_of(k), left_out[k].gradient, scratch);
      return;
    }
    if (rows < room)
      for (std::size_t k = 1; k < count; ++k)
        std::copy(gains_of(k).begin(), gains_of(k).end(), gains.data() + k * rows);
    const auto fill_rests = [&](T rest) {
      for (std::size_t k = 0; k < w; ++k) {
        const std::size_t n = k < count ? left[k].size() : 0;
        std::fill_n(gains.data() + k * rows + n, rows - n, rest);
      }
    };
    fill_rests(std::numeric_limits<T>::lowest());
    const lanes<Arch> ideals =
        ideal_dcg_of_group<Arch, Discount>(loss.ideal, loss.cutoff, gains.data(), rows, scratch);
    fill_rests(T{0});
    std::array<double, w> values_left;
    run_lanes<T>(loss, sort_group<Arch, T, R>(lists_left, loss.temperature, scratch), gains, ideals,
                 std::span<const list_outputs<T>>(left_out.data(), count), values_left, scratch);
    for (std::size_t k = 0; k < count; ++k) values[number[k]] = values_left[k];
  }

  /// Lists in lanes, sorted or not. `gains` [lane][rows].
  template <class T, class Rows>
  static void run_lanes(const Loss& loss, const Rows& in, std::span<const T> gains, const lanes<Arch>& ideals,
                        std::span<const list_outputs<T>> out, std::span<double> values, workspace& scratch) {
    using V = lanes<Arch>;
    constexpr std::size_t w = lane_count<Arch>;
    const sorted_rows<Arch>& sorted = rows_of(in);
    const std::size_t rows = sorted.rows;
    const std::span<T> gain_rows = scratch.take<T>(rows * w);
    sorted.gather(gains.data(), gain_rows.data());

    // The outputs of the lists are written by item, and then copied to their places.
    const bool gradient = !out[0].gradient.empty();
    const bool hessian = !out[0].hessian.empty();
    const std::span<T> gradients = scratch.take<T>(gradient ? rows * w : 0);
    const std::span<T> hessians = scratch.take<T>(hessian ? rows * w : 0);
    const V inverse_ideal = xsimd::select(ideals > V(0.0), V(1.0) / ideals, V(0.0));
    alignas(64) double best[w], dcg[w];
    ideals.store_aligned(best);
    const list_outputs<T> by_item{{gradients}, {hessians}};
    differentiate<T>(loss, in, gain_rows.data(), inverse_ideal, by_item, scratch).store_aligned(dcg);
    for (std::size_t l = 0; l < out.size(); ++l) {
      values[l] = best[l] > 0.0 ? 1.0 - dcg[l] / best[l] : 0.0;
      if (gradient) copy(gradients.data() + l * rows, best[l] > 0.0, out[l].gradient);
      if (hessian) copy(hessians.data() + l * rows, best[l] > 0.0, out[l].hessian);
    }
  }
  static const sorted_rows<Arch>& rows_of(const sorted_rows<Arch>& in) noexcept { return in; }
  static const sorted_rows<Arch>& rows_of(const plain_rows<Arch>& in) noexcept { return in.rows; }

  template <class T>
  static double run_few(const Loss& loss, const few_gains<Arch, T>& few, std::span<const T> gains,
                        const strided<T>& gradient, workspace& scratch) {
    const double best = few.template ideal<Discount>(loss.ideal, loss.cutoff, gains, scratch);
    if (!(best > 0.0)) {
      clear(gradient);
      return 0.0;
    }
    return 1.0 - few.template dcg<Discount>(gains, loss.temperature, static_cast<double>(loss.cutoff),
                                            -1.0 / best / loss.temperature, gradient, scratch) /
                     best;
  }
  template <class T>
  static void clear(const strided<T>& derivatives) noexcept {
    for (std::size_t i = 0; i < derivatives.size(); ++i) derivatives[i] = T{0};
  }

  /// One list, with the bits that it has in a group.
  template <class T, class R>
  static double run_by_pairs(const Loss& loss, const list<T, R>& items, const strided<T>& gradient,
                             workspace& scratch) {
    const workspace::scope scope(scratch);
    const std::span<T> gains = scratch.take<T>(items.size());
    fill_gains<Arch>(loss.gain, loss.gain_table, items.relevance, items.weights, gains, scratch);
    return run_alone<T>(
        loss, gains, gradient, scratch, [](std::size_t i) { return i; },
        [&]<wanted Wanted>(auto emit) {
          return smooth_dcg<T, Discount, Wanted, Arch>(items.scores, loss.temperature, gains.data(),
                                                       static_cast<double>(loss.cutoff), scratch, emit);
        });
  }
  template <class T, class R>
  static double run_by_scans(const Loss& loss, const list<T, R>& items, std::span<const T> gains,
                             const strided<T>& gradient, workspace& scratch) {
    const workspace::scope scope(scratch);
    const std::size_t n = items.size();
    const sorted_list<T> sorted = sort_list<T>(items.scores, scratch);
    const std::span<const double> decay =
        neighbour_decays<Arch, T>(sorted.x, 1.0 / loss.temperature, 1.0, scratch);
    skewed<T> sums(decay, scratch);
    const std::span<T> in_order = scratch.take<T>(n);
    for (std::size_t i = 0; i < n; ++i) in_order[i] = gains[sorted.order[i]];
    return run_alone<T>(
        loss, gains, gradient, scratch, [&](std::size_t i) { return std::size_t{sorted.order[i]}; },
        [&]<wanted Wanted>(auto emit) {
          return smooth_dcg<T, Discount, Wanted>(sums, std::span<const T>(in_order),
                                                 static_cast<double>(loss.cutoff), scratch, emit);
        });
  }
  /// Calls dcg.operator()<which outputs are wanted>(emit), and emit(i, g, count) is called with the derivatives of the
  /// items from item(i) on.
  template <class T, class Item, class Dcg>
  static double run_alone(const Loss& loss, std::span<const T> gains, const strided<T>& gradient,
                          workspace& scratch, const Item& item, const Dcg& dcg) {
    using V = lanes<Arch>;
    const double best = ideal_dcg_as_in_group<Arch, Discount>(loss.ideal, loss.cutoff, gains, scratch);
    if (!(best > 0.0)) {
      clear(gradient);
      return 0.0;
    }
    const V factor = -(V(1.0) / V(best)) / V(loss.temperature);
    const double sum =
        gradient.empty()
            ? dcg.template operator()<wanted::value>([](std::size_t, const V&, auto) {})
            : dcg.template operator()<wanted::gradient>([&](std::size_t i, const V& g, auto count) {
                alignas(64) double row[lane_count<Arch>];
                (g * factor).store_aligned(row);
                for (std::size_t l = 0; l < count; ++l) gradient[item(i + l)] = static_cast<T>(row[l]);
              });
    return 1.0 - sum / best;
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
