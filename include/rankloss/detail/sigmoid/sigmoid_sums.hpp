// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/loops.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/sigmoid/cell_sums.hpp>
#include <rankloss/detail/sigmoid/decay_rows.hpp>
#include <rankloss/detail/sigmoid/short_sums.hpp>
#include <rankloss/detail/sigmoid/sigmoid_layout.hpp>
#include <rankloss/detail/sigmoid/sigmoid_pull.hpp>
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

/// Sums over all pairs of one list in O(n K): by cells if the list is dense, otherwise by scans; those of
/// a short list pair by pair.
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
    if (by_pairs()) {
      pairs_ = short_sums<Arch, T>(scores, temperature, scratch);
      return;
    }
    in_ = sigmoid_layout<Arch, T>(scores, temperature, {}, {}, scratch);
    if (in_.dense) {
      moments_ = scratch.take<double>(in_.cells.moment_count());
      slopes_ = scratch.take<double>(in_.cells.moment_count());
      in_.cells.unit_moments(moments_, scratch);
    } else {
      slopes_ = scratch.take<double>(in_.rows.rows * w);
    }
  }

  void ranks(std::span<double> out) {
    if (by_pairs()) return pairs_.ranks(out);
    const workspace::scope scope(scratch_);
    if (in_.dense) {
      const std::span<double> local = scratch_.take<double>(in_.cells.moment_count());
      const std::span<double> by_slot = scratch_.take<double>(n_);
      in_.cells.template spread<2>(
          moments_.data(), {{{in_cells::for_sigmoid, local.data()}, {in_cells::for_slope, slopes_.data()}}});
      run_pieces(scratch_, in_.cells.pieces(), [&](workspace&, std::size_t p) {
        for (const auto& part : in_.cells.cells_of(p)) {
          const V hard(static_cast<double>(in_.cells.cells()[part.cell].begin) +
                       0.5);  // 1 + the items of the cells above - this item's own 1/2
          in_.cells.for_vectors(part, [&](std::size_t i, auto count, const V& coordinate) {
            store_items<Arch>(by_slot.data() + i, count,
                              hard + cells_type::at_coordinate(local.data() + part.cell * P, coordinate));
          });
        }
      });
      from_slots(by_slot, out);
      return;
    }
    const sorted_rows<Arch>& rows = in_.rows;
    const std::span<double> above = scratch_.take<double>(rows.rows * w);
    const auto unit = [](std::size_t) { return unit_weights{}; };
    scan_rows_down<K, 1>(rows, unit, [&](std::size_t i, const auto& state) {
      state[0].dot(constants::sigmoid).store_aligned(above.data() + i * w);
      state[0].dot(constants::slope).store_aligned(slopes_.data() + i * w);
    });
    scan_rows_up<K, 1>(rows, unit, [&](std::size_t i, const auto& state) {
      const V below = state[0].dot(constants::sigmoid);
      rows.scatter(
          i, rows.rank_of_first + V(static_cast<double>(i)) - V::load_aligned(above.data() + i * w) + below,
          strided<double>(out));
      (V::load_aligned(slopes_.data() + i * w) + state[0].dot(constants::slope))
          .store_aligned(slopes_.data() + i * w);
    });
  }

  /// Requires a previous call of `ranks`, which computes the sums of slopes.
  void pull(std::span<const double> weights, std::span<double> out) const {
    if (by_pairs()) return pairs_.pull(weights, out);
    const workspace::scope scope(scratch_);
    pull_centre<Arch> centre;
    if (in_.dense) {
      const cells_type& cells = in_.cells;
      const std::span<double> by_slot = scratch_.take<double>(n_);
      const std::span<double> moments = scratch_.take<double>(cells.moment_count());
      const std::span<const std::uint32_t> slots = cells.slots();
      const even_pieces pieces(n_, tuning::piece_items);
      run_pieces(scratch_, pieces.count(), [&](workspace&, std::size_t p) {
        for (std::size_t i = pieces[p].begin; i < pieces[p].end; ++i) by_slot[slots[i]] = weights[i];
      });
      const std::span<pull_centre<Arch>> centres = scratch_.take<pull_centre<Arch>>(cells.pieces());
      const typename cells_type::moments_by_piece by_piece(cells, moments, scratch_);
      run_pieces(scratch_, cells.pieces(), [&](workspace&, std::size_t p) {
        pull_centre<Arch> own_centre;
        for (const auto& part : cells.cells_of(p)) {
          typename cells_type::moment_sums sums;
          cells.for_vectors(part, [&](std::size_t i, auto count, const V& coordinate) {
            const V weight = load_items<Arch>(by_slot.data() + i, count);
            const V own = cells_type::at_coordinate(slopes_.data() + part.cell * P, coordinate);
            own_centre.add(only_items<Arch>(count, own), weight);
            sums.add(coordinate, weight);
          });
          by_piece.store(part, sums);
        }
        centres[p] = own_centre;
      });
      by_piece.join();
      centre = centres[0];
      for (const pull_centre<Arch>& other : centres.subspan(1)) centre.add(other);
      pull_cells<Arch, T>(cells, by_slot.data(), moments, moments_, slopes_, centre.of_all(), V(1.0),
                          scratch_);
      from_slots(by_slot, out);
      return;
    }
    const sorted_rows<Arch>& rows = in_.rows;
    const std::span<double> in_rows = scratch_.take<double>(rows.rows * w);
    const std::span<double> above = scratch_.take<double>(rows.rows * w);
    rows.gather(weights.data(), in_rows.data());
    for (std::size_t i = 0; i < rows.rows; ++i)
      centre.add(V::load_aligned(slopes_.data() + i * w), V::load_aligned(in_rows.data() + i * w));
    pull_rows<T, false>(
        rows, pull_rows_memory<double>{in_rows.data(), slopes_.data(), above.data()}, V(centre.of_all()),
        [&](std::size_t i, const V& pull, const V&) { rows.scatter(i, pull, strided<double>(out)); });
  }

 private:
  using cells_type = cell_list<Arch, T>;

  [[nodiscard]] bool by_pairs() const noexcept { return n_ <= tuning::longest_short_sums<T>; }

  void from_slots(std::span<const double> by_slot, std::span<double> out) const {
    const std::span<const std::uint32_t> slots = in_.cells.slots();
    const even_pieces pieces(n_, tuning::piece_items);
    run_pieces(scratch_, pieces.count(), [&](workspace&, std::size_t p) {
      for (std::size_t i = pieces[p].begin; i < pieces[p].end; ++i) {
        out[i] = by_slot[slots[i]];
        prefetch_ahead(by_slot.data() + slots[i]);
      }
    });
  }

  std::size_t n_;
  workspace& scratch_;
  short_sums<Arch, T> pairs_;
  sigmoid_layout<Arch, T> in_;
  std::span<double> moments_;  // of the cells' items with weight 1
  std::span<double> slopes_;   // sum_j sigmoid': local coefficients of the cells, or rows
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
