// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/loops.hpp>
#include <rankloss/detail/sigmoid/cell_sums.hpp>
#include <rankloss/detail/sigmoid/decay_rows.hpp>
#include <rankloss/detail/sigmoid/sorted_sums.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Sums over all pairs of one list in O(n K): by cells if the list is dense, otherwise by scans.
///
///     ranks(out)          out_i = 1 + sum_{j != i} sigmoid((s_j - s_i) / t)
///     pull(weights, out)  out_i = sum_{j != i} (weights_j - weights_i) sigmoid'((s_j - s_i) / t)
///
/// Arrays hold doubles in the order of the items. All memory is taken from the workspace that the constructor
/// receives; the workspace scope in which the object is constructed has to outlive the object.
template <class Arch, class T>
class sigmoid_sums {
  using V = lanes<Arch>;
  using constants = kernel_constants<T>;
  using in_cells = cell_constants<T>;
  static constexpr std::size_t w = lane_count<Arch>;
  static constexpr std::size_t K = constants::count;
  static constexpr std::size_t P = in_cells::coefficients;

 public:
  sigmoid_sums(const strided<const T>& scores, double temperature, workspace& scratch)
      : n_(scores.size()), scratch_(scratch) {
    dense_ = cells_.divide_by_grid(scores, temperature, {}, {}, scratch);
    if (!dense_) {
      const sorted_list<T> sorted = sort_list<T>(scores, scratch);
      dense_ = cells_.divide_sorted(sorted.x, sorted.order, temperature, {}, {}, scratch);
      if (!dense_) rows_ = lay_in_rows<Arch, T>(sorted, temperature, scratch);
    }
    if (dense_) {
      moments_ = scratch.take<double>(cells_.moment_count());
      slopes_ = scratch.take<double>(cells_.moment_count());
      cells_.unit_moments(moments_.data());
    } else {
      slopes_ = scratch.take<double>(rows_.rows * w);
    }
  }

  void ranks(std::span<double> out) {
    const workspace::scope scope(scratch_);
    if (dense_) {
      const std::span<double> local = scratch_.take<double>(cells_.moment_count());
      const std::span<double> by_slot = scratch_.take<double>(n_);
      cells_.template spread<2>(
          moments_.data(), {{{in_cells::for_sigmoid, local.data()}, {in_cells::for_slope, slopes_.data()}}});
      for (std::size_t at = 0; at < cells_.cells().size(); ++at) {
        const auto& cell = cells_.cells()[at];
        const V hard(static_cast<double>(cell.begin) +
                     0.5);  // 1 + the items of the cells above - this item's own 1/2
        cells_.for_vectors(cell, [&](std::size_t i, auto count, const V& coordinate) {
          store_items<Arch>(by_slot.data() + i, count,
                            hard + cells_type::at_coordinate(local.data() + at * P, coordinate));
        });
      }
      from_slots(by_slot, out);
      return;
    }
    const std::size_t rows = rows_.rows;
    const std::span<double> above = scratch_.take<double>(rows * w);
    const auto unit = [](std::size_t) { return unit_weights{}; };
    const auto nothing = [](std::size_t, const auto&) {};
    {
      scan_states<Arch, K> states[1];
      scan_down(rows_.decay.data(), rows_.seams.warm_down, rows, states, unit, nothing);
      link_down(states, rows_.seams.decay_down);
      scan_down(rows_.decay.data(), 0, rows, states, unit, [&](std::size_t i, const auto& state) {
        state[0].dot(constants::sigmoid).store_aligned(above.data() + i * w);
        state[0].dot(constants::slope).store_aligned(slopes_.data() + i * w);
      });
    }
    scan_states<Arch, K> states[1];
    scan_up(rows_.decay.data(), rows_.seams.warm_up, states, unit, nothing);
    link_up(states, rows_.seams.decay_up);
    scan_up(rows_.decay.data(), rows, states, unit, [&](std::size_t i, const auto& state) {
      const V below = state[0].dot(constants::sigmoid);
      rows_.scatter(
          i, rows_.rank_of_first + V(static_cast<double>(i)) - V::load_aligned(above.data() + i * w) + below,
          strided<double>(out));
      (V::load_aligned(slopes_.data() + i * w) + state[0].dot(constants::slope))
          .store_aligned(slopes_.data() + i * w);
    });
  }

  /// Requires a previous call of `ranks`, which computes the sums of slopes.
  void pull(std::span<const double> weights, std::span<double> out) const {
    const workspace::scope scope(scratch_);
    // The result does not change when a constant is subtracted from all weights. The fewest digits are lost
    // if this constant is the mean of the weights, weighted by how much each item acts on others.
    V mass(std::numeric_limits<double>::min());
    V moment(0.0);
    if (dense_) {
      const std::span<double> by_slot = scratch_.take<double>(n_);
      const std::span<double> moments = scratch_.take<double>(cells_.moment_count());
      const std::span<double> local = scratch_.take<double>(cells_.moment_count());
      const std::span<const std::uint32_t> slots = cells_.slots();
      for (std::size_t i = 0; i < n_; ++i) by_slot[slots[i]] = weights[i];
      for (std::size_t at = 0; at < cells_.cells().size(); ++at) {
        typename cells_type::moment_sums sums;
        cells_.for_vectors(cells_.cells()[at], [&](std::size_t i, auto count, const V& coordinate) {
          const V own =
              only_items<Arch>(count, cells_type::at_coordinate(slopes_.data() + at * P, coordinate));
          const V weight = load_items<Arch>(by_slot.data() + i, count);
          mass += own;
          moment = xsimd::fma(own, weight, moment);
          sums.add(coordinate, weight);
        });
        sums.store(moments.data() + at * P);
      }
      const double middle = sum_of(moment) / sum_of(mass);
      for (std::size_t p = 0; p < moments.size(); ++p) moments[p] -= middle * moments_[p];
      cells_.template spread<1>(moments.data(), {{{in_cells::for_slope, local.data()}}});
      for (std::size_t at = 0; at < cells_.cells().size(); ++at)
        cells_.for_vectors(cells_.cells()[at], [&](std::size_t i, auto count, const V& coordinate) {
          const V own = cells_type::at_coordinate(slopes_.data() + at * P, coordinate);
          const V weight = load_items<Arch>(by_slot.data() + i, count) - V(middle);
          store_items<Arch>(by_slot.data() + i, count,
                            cells_type::at_coordinate(local.data() + at * P, coordinate) - weight * own);
        });
      from_slots(by_slot, out);
      return;
    }
    const std::size_t rows = rows_.rows;
    const std::span<double> in_rows = scratch_.take<double>(rows * w);
    const std::span<double> above = scratch_.take<double>(rows * w);
    rows_.gather(weights.data(), in_rows.data());
    for (std::size_t i = 0; i < rows; ++i) {
      const V own = V::load_aligned(slopes_.data() + i * w);
      mass += own;
      moment = xsimd::fma(own, V::load_aligned(in_rows.data() + i * w), moment);
    }
    const V middle(sum_of(moment) / sum_of(mass));
    const auto weight = [&](std::size_t i) {
      return std::array<V, 1>{V::load_aligned(in_rows.data() + i * w) - middle};
    };
    const auto nothing = [](std::size_t, const auto&) {};
    {
      scan_states<Arch, K> states[1];
      scan_down(rows_.decay.data(), rows_.seams.warm_down, rows, states, weight, nothing);
      link_down(states, rows_.seams.decay_down);
      scan_down(rows_.decay.data(), 0, rows, states, weight, [&](std::size_t i, const auto& state) {
        state[0].dot(constants::slope).store_aligned(above.data() + i * w);
      });
    }
    scan_states<Arch, K> states[1];
    scan_up(rows_.decay.data(), rows_.seams.warm_up, states, weight, nothing);
    link_up(states, rows_.seams.decay_up);
    scan_up(rows_.decay.data(), rows, states, weight, [&](std::size_t i, const auto& state) {
      const V both = V::load_aligned(above.data() + i * w) + state[0].dot(constants::slope);
      rows_.scatter(i, both - weight(i)[0] * V::load_aligned(slopes_.data() + i * w), strided<double>(out));
    });
  }

 private:
  using cells_type = cell_list<Arch, T>;

  void from_slots(std::span<const double> by_slot, std::span<double> out) const {
    const std::span<const std::uint32_t> slots = cells_.slots();
    for (std::size_t i = 0; i < n_; ++i) {
      out[i] = by_slot[slots[i]];
      prefetch_ahead(by_slot.data() + slots[i]);
    }
  }

  std::size_t n_;
  workspace& scratch_;
  cell_list<Arch, T> cells_;
  sorted_rows<Arch> rows_;
  bool dense_ = false;
  std::span<double> moments_;  // of the cells' items with weight 1
  std::span<double> slopes_;   // sum_j sigmoid': local coefficients of the cells, or rows
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
