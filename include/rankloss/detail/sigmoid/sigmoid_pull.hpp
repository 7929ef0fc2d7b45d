// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/sigmoid/cell_sums.hpp>
#include <rankloss/detail/sigmoid/decay_rows.hpp>
#include <rankloss/detail/sigmoid/sorted_sums.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/workspace.hpp>

#include <array>
#include <cstddef>
#include <limits>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

// The gradient of any function of sigmoid ranks, from its derivatives a_i by the ranks:
//
//     pull_i = sum_{j != i} (a_j - a_i) sigmoid'((s_j - s_i) / t)

/// The constant that is subtracted from all a. The pull does not change by it, and loses the fewest digits
/// where it is the mean of a, weighted by how much each item acts on others: by its sum of slopes.
template <class Arch>
struct pull_centre {
  using V = lanes<Arch>;
  V mass = V(std::numeric_limits<double>::min());
  V moment = V(0.0);

  [[gnu::always_inline]] void add(const V& slopes, const V& a) noexcept {
    mass += slopes;
    moment = xsimd::fma(slopes, a, moment);
  }
  void add(const pull_centre& other) noexcept {
    mass += other.mass;
    moment += other.moment;
  }
  /// Over all lanes, where they hold one list.
  [[nodiscard]] double of_all() const noexcept { return sum_of(moment) / sum_of(mass); }
  [[nodiscard]] V of_each() const noexcept { return moment / mass; }
};

/// What the pull of rows reads and needs, each [rows][lanes].
template <class S>
struct pull_rows_memory {
  const S* a = nullptr;           ///< derivatives by the ranks
  const S* slopes = nullptr;      ///< sum_j sigmoid'
  S* above = nullptr;             ///< scratch
  const S* a2 = nullptr;          ///< second derivatives by the ranks; these four for the Hessian alone
  const S* curvatures = nullptr;  ///< sum_{above} - sum_{below} of -sigmoid''
  S* squares = nullptr;           ///< scratch
  S* bends = nullptr;             ///< scratch
};

/// Calls emit(i, pull, h) for each row, from the last to the first. With Hessian, h is the second derivative
/// by s / t: sum_j a2_j sigmoid'^2 + a2_i (sum_j sigmoid')^2 and the terms of sigmoid''; otherwise 0.
template <class T, bool Hessian, class Arch, class S, class Emit>
[[gnu::always_inline]] inline void pull_rows(const sorted_rows<Arch>& in, const pull_rows_memory<S>& at,
                                             const lanes<Arch>& centre, Emit emit) {
  using V = lanes<Arch>;
  using constants = kernel_constants<T>;
  constexpr std::size_t w = lane_count<Arch>;
  constexpr std::size_t K = Hessian ? constants::hessian_count : constants::count;
  constexpr std::size_t channels = Hessian ? 2 : 1;
  const auto weights = [&](std::size_t i) {
    if constexpr (Hessian)
      return std::array<V, 2>{load_row<Arch>(at.a + i * w) - centre, load_row<Arch>(at.a2 + i * w)};
    else
      return std::array<V, 1>{load_row<Arch>(at.a + i * w) - centre};
  };
  scan_rows_down<K, channels>(in, weights, [&](std::size_t i, const auto& state) {
    store_row<Arch>(at.above + i * w, state[0].dot(constants::slope));
    if constexpr (Hessian) {
      store_row<Arch>(at.bends + i * w, state[0].dot(constants::curvature));
      store_row<Arch>(at.squares + i * w, state[1].dot(constants::slope_squared));
    }
  });
  scan_rows_up<K, channels>(in, weights, [&](std::size_t i, const auto& state) {
    const V a = load_row<Arch>(at.a + i * w) - centre;
    const V slope = load_row<Arch>(at.slopes + i * w);
    const V g = xsimd::fnma(a, slope, load_row<Arch>(at.above + i * w) + state[0].dot(constants::slope));
    V h(0.0);
    if constexpr (Hessian) {
      const V bend = load_row<Arch>(at.bends + i * w) - state[0].dot(constants::curvature);
      const V square = load_row<Arch>(at.squares + i * w) + state[1].dot(constants::slope_squared);
      h = square + load_row<Arch>(at.a2 + i * w) * slope * slope + bend -
          a * load_row<Arch>(at.curvatures + i * w);
    }
    emit(i, g, h);
  });
}

/// a[i], by slot, becomes factor * pull_i for a list in cells. `moments` are those of a, and are overwritten;
/// `units` those of items of weight 1; `slopes` the coefficients of sum_j sigmoid' in each cell.
template <class Arch, class T, class S>
void pull_cells(const cell_list<Arch, T>& cells, S* a, std::span<double> moments,
                std::span<const double> units, std::span<const double> slopes, double centre,
                const lanes<Arch>& factor, workspace& scratch) {
  using V = lanes<Arch>;
  using cells_type = cell_list<Arch, T>;
  constexpr std::size_t P = cell_constants<T>::coefficients;
  const workspace::scope scope(scratch);
  const std::span<double> local = scratch.take<double>(cells.moment_count());
  for (std::size_t p = 0; p < moments.size(); ++p) moments[p] -= centre * units[p];
  cells.template spread<1>(moments.data(), {{{cell_constants<T>::for_slope, local.data()}}});
  run_pieces(scratch, cells.pieces(), [&](workspace&, std::size_t p) {
    for (const auto& part : cells.cells_of(p))
      cells.for_vectors(part, [&](std::size_t i, auto count, const V& coordinate) {
        const V from = load_items<Arch>(a + i, count) - V(centre);
        // The sum of slopes is computed again: this takes less time than storing it.
        const V own = cells_type::at_coordinate(slopes.data() + part.cell * P, coordinate);
        const V others = cells_type::at_coordinate(local.data() + part.cell * P, coordinate);
        store_items<Arch>(a + i, count, factor * (others - from * own));
      });
  });
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
