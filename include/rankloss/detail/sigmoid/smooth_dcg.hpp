// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/gains/lane_discounts.hpp>
#include <rankloss/detail/gains/smooth_cut.hpp>
#include <rankloss/detail/sigmoid/cell_sums.hpp>
#include <rankloss/detail/sigmoid/decay_rows.hpp>
#include <rankloss/detail/sigmoid/sigmoid_pull.hpp>
#include <rankloss/detail/sigmoid/sorted_sums.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The term of an item of gain g in the DCG at a soft rank r, and its derivatives by r: g D(r), times the cut
/// if there is one.
template <class T, class Discount, bool Cut, class V>
struct discounted_gain {
  V value, slope, curvature;

  [[gnu::always_inline]] discounted_gain(const V& g, const V& rank, [[maybe_unused]] double cutoff) noexcept {
    const discounted<V> whole = Discount::of(g, rank, kernel_constants<T>::log_tail);
    value = whole.value;
    slope = whole.slope;
    curvature = whole.curvature;
    if constexpr (Cut) {
      const auto cut = smooth_cut(rank, cutoff);
      curvature = curvature * cut.value + V(2.0) * slope * cut.slope + value * cut.curvature;
      slope = slope * cut.value + value * cut.slope;
      value *= cut.value;
    }
  }
};

enum class wanted { value, gradient, hessian };

/// Calls run.operator()<whether there is a cutoff>(cutoff), so that the loops over the items do not test it. A
/// Hessian, which is asked for more seldom, has one loop for both: no rank is near the largest number.
template <wanted Wanted, class Run>
[[gnu::always_inline]] inline void with_smooth_cut(double cutoff, const Run& run) {
  if constexpr (Wanted == wanted::hessian) {
    run.template operator()<true>(cutoff > 0.0 ? cutoff : std::numeric_limits<double>::max());
  } else {
    if (cutoff > 0.0)
      run.template operator()<true>(cutoff);
    else
      run.template operator()<false>(cutoff);
  }
}

/// Smooth DCG of each lane. `gains` [rows][lanes] is overwritten. `emit(i, g, h)` receives, for row i, the
/// derivatives of the DCG by s / temperature.
template <class T, class Discount, wanted Wanted, class Arch, class S, class Emit>
lanes<Arch> smooth_dcg(const sorted_rows<Arch>& in, S* gains, double cutoff, workspace& scratch, Emit emit) {
  using V = lanes<Arch>;
  using constants = kernel_constants<T>;
  constexpr std::size_t w = lane_count<Arch>;
  constexpr bool gradient = Wanted != wanted::value;
  constexpr bool hessian = Wanted == wanted::hessian;
  constexpr std::size_t K = hessian ? constants::hessian_count : constants::count;
  const std::size_t rows = in.rows;
  const workspace::scope scope(scratch);
  const auto buffer = [&](bool needed) { return scratch.take<S>(needed ? rows * w : 0).data(); };
  S* above = buffer(true);          // sum of sigmoids over the items above; later sums of the gradient
  S* slopes = buffer(gradient);     // sum_j sigmoid'
  S* by_rank = gains;               // d(DCG) / d(rank), overwrites the gains
  S* curvatures = buffer(hessian);  // sum_{above} - sum_{below} of -sigmoid''
  S* by_rank2 = buffer(hessian);    // d2(DCG) / d(rank)^2
  S* squares = buffer(hessian);     // sum_j by_rank2_j sigmoid'^2
  S* bends = buffer(hessian);       // sum_{above} - sum_{below} of by_rank_j -sigmoid''

  const auto unit = [](std::size_t) { return unit_weights{}; };
  scan_rows_down<K, 1>(in, unit, [&](std::size_t i, const auto& state) {
    store_row<Arch>(above + i * w, state[0].dot(constants::sigmoid));
    if constexpr (gradient) store_row<Arch>(slopes + i * w, state[0].dot(constants::slope));
    if constexpr (hessian) store_row<Arch>(curvatures + i * w, state[0].dot(constants::curvature));
  });

  V dcg(0.0);
  pull_centre<Arch> centre;
  with_smooth_cut<Wanted>(cutoff, [&]<bool Cut>(double k) {
    scan_rows_up<K, 1>(in, unit, [&](std::size_t i, const auto& state) {
      const V rank = in.rank_of_first + V(static_cast<double>(i)) - load_row<Arch>(above + i * w) +
                     state[0].dot(constants::sigmoid);
      const V g = load_row<Arch>(gains + i * w);
      const discounted_gain<T, Discount, Cut, V> item(g, rank, k);
      dcg += item.value;
      if constexpr (gradient) {
        const V slopes_here = load_row<Arch>(slopes + i * w) + state[0].dot(constants::slope);
        store_row<Arch>(slopes + i * w, slopes_here);
        store_row<Arch>(by_rank + i * w, item.slope);
        centre.add(slopes_here, item.slope);
      }
      if constexpr (hessian) store_row<Arch>(by_rank2 + i * w, item.curvature);
      if constexpr (hessian)
        store_row<Arch>(curvatures + i * w,
                        load_row<Arch>(curvatures + i * w) - state[0].dot(constants::curvature));
    });
  });

  if constexpr (gradient)
    pull_rows<T, hessian>(in,
                          pull_rows_memory<S>{by_rank, slopes, above, by_rank2, curvatures, squares, bends},
                          in.single ? V(centre.of_all()) : centre.of_each(), emit);
  return dcg;
}

/// The same for groups of the shortest lists, pair by pair: without a sort, and with each sigmoid and slope
/// computed once.
template <class T, class Discount, wanted Wanted, class Arch, class S, class Emit>
lanes<Arch> smooth_dcg(const plain_rows<Arch>& in, double temperature, const S* gains, double cutoff,
                       workspace& scratch, Emit emit) {
  using V = lanes<Arch>;
  constexpr std::size_t w = lane_count<Arch>;
  constexpr bool gradient = Wanted != wanted::value;
  constexpr bool hessian = Wanted == wanted::hessian;
  const std::size_t rows = in.rows.rows;
  const std::size_t pairs = rows * (rows - 1) / 2;
  const workspace::scope scope(scratch);
  struct sums {
    V rank = V(1.0);                        // 1 + the sum of sigmoids over the other items
    V slope = V(0.0), curvature = V(0.0);   // sums of sigmoid' and +-sigmoid'' over the other items
    V by_rank = V(0.0), by_rank2 = V(0.0);  // derivatives of the DCG
    V gradient = V(0.0), square = V(0.0), bend = V(0.0);  // by s / temperature
  };
  const std::span<sums> item = scratch.take<sums>(rows);
  const std::span<V> slopes = scratch.take<V>(gradient ? pairs : 0);
  const std::span<V> bends = scratch.take<V>(hessian ? pairs : 0);
  std::fill(item.begin(), item.end(), sums());
  const V scale(1.0 / temperature);
  std::size_t at = 0;
  for (std::size_t i = 0; i < rows; ++i) {
    const V x = V::load_aligned(in.x.data() + i * w);
    for (std::size_t j = i + 1; j < rows; ++j, ++at) {
      const V other = V::load_aligned(in.x.data() + j * w);
      const V gap = xsimd::select(in.holds(j), (x - other) * scale, V(1e300));  // padding is far below
      const V u = exp_minus(xsimd::abs(gap));
      const V high = V(1.0) / (V(1.0) + u);
      const V low = u * high;
      const auto first = gap > V(0.0);
      item[i].rank += xsimd::select(first, low, high);
      item[j].rank += xsimd::select(first, high, low);
      if constexpr (gradient) {
        const V slope = low * high;
        item[i].slope += slope;
        item[j].slope += slope;
        slopes[at] = slope;
        if constexpr (hessian) {
          const V curvature = slope * (high - low);
          const V bend = xsimd::select(first, curvature, -curvature);
          item[i].curvature -= bend;
          item[j].curvature += bend;
          bends[at] = bend;
        }
      }
    }
  }
  V dcg(0.0);
  with_smooth_cut<Wanted>(cutoff, [&]<bool Cut>(double k) {
    for (std::size_t i = 0; i < rows; ++i) {
      const discounted_gain<T, Discount, Cut, V> here(load_row<Arch>(gains + i * w), item[i].rank, k);
      dcg += here.value;
      item[i].by_rank = here.slope;
      item[i].by_rank2 = here.curvature;
    }
  });
  if constexpr (gradient) {
    at = 0;
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = i + 1; j < rows; ++j, ++at) {
        const V pull = (item[j].by_rank - item[i].by_rank) * slopes[at];
        item[i].gradient += pull;
        item[j].gradient -= pull;
        if constexpr (hessian) {
          const V square = slopes[at] * slopes[at];
          item[i].square = xsimd::fma(item[j].by_rank2, square, item[i].square);
          item[j].square = xsimd::fma(item[i].by_rank2, square, item[j].square);
          item[i].bend -= item[j].by_rank * bends[at];
          item[j].bend += item[i].by_rank * bends[at];
        }
      }
    for (std::size_t i = 0; i < rows; ++i) {
      const sums& own = item[i];
      emit(i, own.gradient,
           own.square + own.by_rank2 * own.slope * own.slope + own.bend - own.by_rank * own.curvature);
    }
  }
  return dcg;
}

/// The same for one list that is cut into cells. `gains` [n], in the order of the slots, are overwritten by
/// `factor` times the derivatives.
template <class T, class Discount, wanted Wanted, class Arch>
double smooth_dcg(const cell_list<Arch, T>& cells, std::span<T> gains, double cutoff, workspace& scratch,
                  const lanes<Arch>& factor) {
  using V = lanes<Arch>;
  using in_cells = cell_constants<T>;
  using cells_type = cell_list<Arch, T>;
  constexpr std::size_t P = in_cells::coefficients;
  constexpr bool gradient = Wanted != wanted::value;
  const workspace::scope scope(scratch);
  const std::span<double> moments = scratch.take<double>(cells.moment_count());
  const std::span<double> ranks = scratch.take<double>(cells.moment_count());
  const std::span<double> slopes = scratch.take<double>(gradient ? cells.moment_count() : 0);
  const std::span<double> by_rank_moments = scratch.take<double>(slopes.size());
  T* by_rank = gains.data();  // overwrites the gains

  cells.unit_moments(moments, scratch);
  if constexpr (gradient)
    cells.template spread<2>(moments.data(),
                             {{{in_cells::for_sigmoid, ranks.data()}, {in_cells::for_slope, slopes.data()}}});
  else
    cells.template spread<1>(moments.data(), {{{in_cells::for_sigmoid, ranks.data()}}});

  struct piece_sums {
    V dcg = V(0.0);
    pull_centre<Arch> centre;
  };
  const std::span<piece_sums> of_piece = scratch.take<piece_sums>(cells.pieces());
  const typename cells_type::moments_by_piece by_piece(cells, by_rank_moments, scratch);
  run_pieces(scratch, cells.pieces(), [&](workspace&, std::size_t p) {
    piece_sums all;
    for (const auto& part : cells.cells_of(p)) {
      const std::size_t at = part.cell;
      const V hard(static_cast<double>(cells.cells()[at].begin) +
                   0.5);  // 1 + the items of the cells above - this item's own 1/2
      typename cells_type::moment_sums sums;
      with_smooth_cut<Wanted>(cutoff, [&]<bool Cut>(double k) {
        cells.for_vectors(part, [&](std::size_t i, auto count, const V& coordinate) {
          const V rank = hard + cells_type::at_coordinate(ranks.data() + at * P, coordinate);
          const discounted_gain<T, Discount, Cut, V> item(load_items<Arch>(gains.data() + i, count), rank, k);
          all.dcg += item.value;
          if constexpr (gradient) {
            const V own =
                only_items<Arch>(count, cells_type::at_coordinate(slopes.data() + at * P, coordinate));
            all.centre.add(own, item.slope);
            sums.add(coordinate, item.slope);
            store_items<Arch>(by_rank + i, count, item.slope);
          }
        });
      });
      if constexpr (gradient) by_piece.store(part, sums);
    }
    of_piece[p] = all;
  });
  piece_sums all = of_piece[0];
  for (const piece_sums& sums : of_piece.subspan(1)) {
    all.dcg += sums.dcg;
    all.centre.add(sums.centre);
  }
  if constexpr (gradient) {
    by_piece.join();
    pull_cells<Arch, T>(cells, by_rank, by_rank_moments, moments, slopes, all.centre.of_all(), factor,
                        scratch);
  }
  return sum_of(all.dcg);
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
