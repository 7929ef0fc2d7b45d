// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/gains/lane_discounts.hpp>
#include <rankloss/detail/gains/smooth_cut.hpp>
#include <rankloss/detail/sigmoid/cell_sums.hpp>
#include <rankloss/detail/sigmoid/decay_rows.hpp>
#include <rankloss/detail/sigmoid/short_sums.hpp>
#include <rankloss/detail/sigmoid/sigmoid_pull.hpp>
#include <rankloss/detail/sigmoid/skewed_sums.hpp>
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
#include <type_traits>

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
      // Which product is fused with the sum must not be the compiler's choice: it may differ from form to form.
      slope = xsimd::fma(slope, cut.value, opaque(value * cut.slope));
      value *= cut.value;
    }
  }
};

/// Numbers as memory of type S holds them.
template <class S, class Arch>
[[nodiscard]] [[gnu::always_inline]] inline lanes<Arch> rounded_to(const lanes<Arch>& x) noexcept {
  if constexpr (std::is_same_v<S, double>) {
    return x;
  } else {
    alignas(64) S row[lane_count<Arch>];
    store_row<Arch>(row, x);
#if defined(__GNUC__)
    __asm__(
        ""
        : "+m"(
            row));  // else GCC 12 leaves the rounding out: it reads the doubles that the floats were made of
#endif
    return load_row<Arch>(row);
  }
}

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
      dcg += opaque(item.value);  // no sum is fused with it, nor in the form for one list
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

/// The same for groups of the shortest lists, pair by pair. Row i holds item i of each list; `gains` [rows][lanes].
template <class T, class Discount, wanted Wanted, class Arch, class S, class Emit>
lanes<Arch> smooth_dcg(const plain_rows<Arch>& in, double temperature, const S* gains, double cutoff,
                       workspace& scratch, Emit emit) {
  using V = lanes<Arch>;
  constexpr std::size_t w = lane_count<Arch>;
  constexpr bool gradient = Wanted != wanted::value;
  constexpr bool hessian = Wanted == wanted::hessian;
  const workspace::scope scope(scratch);
  short_group_sums<Arch, T, hessian> sums(in, temperature, scratch);
  const std::size_t rows = sums.rows();
  const std::span<double> ranks = scratch.take<double>(rows * w);
  const std::span<double> by_rank = scratch.take<double>(gradient ? rows * w : 0);
  const std::span<double> by_rank2 = scratch.take<double>(hessian ? rows * w : 0);
  const auto row = [](std::span<const double> in_rows, std::size_t i) {
    return V::load_aligned(in_rows.data() + i * w);
  };
  sums.ranks(ranks, {}, {});
  V dcg(0.0);
  with_smooth_cut<Wanted>(cutoff, [&]<bool Cut>(double k) {
    for (std::size_t i = 0; i < rows; ++i) {
      const discounted_gain<T, Discount, Cut, V> here(load_row<Arch>(gains + i * w), row(ranks, i), k);
      dcg += opaque(here.value);  // no sum is fused with it, nor in the form for one list
      if constexpr (gradient) here.slope.store_aligned(by_rank.data() + i * w);
      if constexpr (hessian) here.curvature.store_aligned(by_rank2.data() + i * w);
    }
  });
  if constexpr (gradient) {
    const std::span<double> pulls = scratch.take<double>(rows * w);
    sums.pull(by_rank, pulls);
    struct second {
      V slope = V(0.0), curvature = V(0.0);  // sums of sigmoid' and +-sigmoid'' over the other items
      V square = V(0.0), bend = V(0.0);
    };
    const std::span<second> item = scratch.take<second>(hessian ? rows : 0);
    if constexpr (hessian) {
      std::fill(item.begin(), item.end(), second());
      sums.for_pairs([&](std::size_t i, std::size_t j, std::size_t at) {
        const V slope = sums.slope(at), curvature = sums.curvature(at), square = slope * slope;
        item[i].slope += slope;
        item[j].slope += slope;
        item[i].curvature += curvature;
        item[j].curvature -= curvature;
        item[i].square = xsimd::fma(row(by_rank2, j), square, item[i].square);
        item[j].square = xsimd::fma(row(by_rank2, i), square, item[j].square);
        item[i].bend += row(by_rank, j) * curvature;
        item[j].bend -= row(by_rank, i) * curvature;
      });
    }
    for (std::size_t i = 0; i < rows; ++i) {
      if constexpr (hessian) {
        const second& own = item[i];
        emit(i, row(pulls, i),
             own.square + row(by_rank2, i) * own.slope * own.slope + own.bend -
                 row(by_rank, i) * own.curvature);
      } else {
        emit(i, row(pulls, i), V(0.0));
      }
    }
  }
  return dcg;
}

/// The same for one such list, with the bits that it has in a group. `emit(i, g, count)` receives the derivatives of
/// the items from i on. `gains` [n].
template <class T, class Discount, wanted Wanted, class Arch, class S, class Emit>
double smooth_dcg(const strided<const T>& scores, double temperature, const S* gains, double cutoff,
                  workspace& scratch, Emit emit) {
  using V = lanes<Arch>;
  static_assert(Wanted != wanted::hessian);
  const std::size_t n = scores.size();
  const workspace::scope scope(scratch);
  short_sums<Arch, T> sums(scores, temperature, scratch);
  const std::span<double> ranks = scratch.take<double>(n);
  const std::span<double> terms = scratch.take<double>(n);
  const std::span<double> by_rank = scratch.take<double>(n);
  sums.ranks(ranks);
  with_smooth_cut<Wanted>(cutoff, [&]<bool Cut>(double k) {
    for_rows<Arch>(n, [&](std::size_t i, auto count) {
      const discounted_gain<T, Discount, Cut, V> here(load_items<Arch>(gains + i, count),
                                                      load_items<Arch>(ranks.data() + i, count, 1.0), k);
      store_items<Arch>(terms.data() + i, count, here.value);
      if constexpr (Wanted == wanted::gradient) store_items<Arch>(by_rank.data() + i, count, here.slope);
    });
  });
  double dcg = 0.0;
  for (const double term : terms) dcg += term;
  if constexpr (Wanted == wanted::gradient) {
    const std::span<double> pulls = scratch.take<double>(n);
    sums.pull(by_rank, pulls);
    for_rows<Arch>(
        n, [&](std::size_t i, auto count) { emit(i, load_items<Arch>(pulls.data() + i, count), count); });
  }
  return dcg;
}

/// The same for one list that is sorted, with the bits that it has as one lane of a group. `emit(i, g, count)` as above.
/// `gains` [n], in the order of the sort.
template <class T, class Discount, wanted Wanted, class Arch, std::size_t K, class S, class Emit>
double smooth_dcg(skewed_sums<Arch, K>& sums, std::span<const S> gains, double cutoff, workspace& scratch,
                  Emit emit) {
  using V = lanes<Arch>;
  using constants = kernel_constants<T>;
  using sides = typename skewed_sums<Arch, K>::both_sides;
  static_assert(Wanted != wanted::hessian && K == constants::count);
  constexpr bool gradient = Wanted == wanted::gradient;
  const std::size_t n = gains.size();
  const workspace::scope scope(scratch);
  const auto numbers = [&](bool needed) { return scratch.take<double>(needed ? n : 0); };
  const sides ranks{numbers(true), numbers(true)};
  const sides slope_sides{numbers(gradient), numbers(gradient)};
  const std::span<double> terms = numbers(true), slopes = numbers(gradient), by_rank = numbers(gradient);
  if constexpr (gradient)
    sums.template of_ones<2>({&constants::sigmoid, &constants::slope}, {ranks, slope_sides});
  else
    sums.template of_ones<1>({&constants::sigmoid}, {ranks});

  // A group keeps what lies above in the type of the scores.
  const auto kept = [](const V& x) { return rounded_to<S>(x); };
  with_smooth_cut<Wanted>(cutoff, [&]<bool Cut>(double k) {
    for_rows<Arch>(n, [&](std::size_t i, auto count) {
      const V rank = V(1.0) + (V(static_cast<double>(i)) + lane_numbers<V>()) -
                     kept(load_items<Arch>(ranks.above.data() + i, count)) +
                     load_items<Arch>(ranks.below.data() + i, count);
      const discounted_gain<T, Discount, Cut, V> item(load_items<Arch>(gains.data() + i, count), rank, k);
      store_items<Arch>(terms.data() + i, count, item.value);
      if constexpr (gradient) {
        store_items<Arch>(slopes.data() + i, count,
                          kept(load_items<Arch>(slope_sides.above.data() + i, count)) +
                              load_items<Arch>(slope_sides.below.data() + i, count));
        store_items<Arch>(by_rank.data() + i, count, item.slope);
      }
    });
  });
  double dcg = 0.0;
  pull_centre<Arch> all;
  for (std::size_t i = n; i-- > 0;) {
    dcg += terms[i];
    // A product of vectors that hold one number each may be formed outside of its sum.
    if constexpr (gradient) all.add(opaque(V(slopes[i])), opaque(V(by_rank[i])));
  }
  if constexpr (gradient) {
    const V centre = all.of_each();
    for_rows<Arch>(n, [&](std::size_t i, auto count) {
      store_items<Arch>(by_rank.data() + i, count,
                        kept(load_items<Arch>(by_rank.data() + i, count)) - centre);
    });
    sums.weighted(by_rank, constants::slope, slope_sides);
    for_rows<Arch>(n, [&](std::size_t i, auto count) {
      const V others = kept(load_items<Arch>(slope_sides.above.data() + i, count)) +
                       load_items<Arch>(slope_sides.below.data() + i, count);
      emit(i,
           xsimd::fnma(load_items<Arch>(by_rank.data() + i, count),
                       kept(load_items<Arch>(slopes.data() + i, count)), others),
           count);
    });
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
            // An item's own part of the sums cancels, as what it takes from them is by the slope that is stored.
            sums.add(coordinate, rounded_to<T>(item.slope));
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
