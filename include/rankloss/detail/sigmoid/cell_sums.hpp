// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/loops.hpp>
#include <rankloss/detail/data/extremes.hpp>
#include <rankloss/detail/sigmoid/sorted_sums.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/sorting/argsort.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

/// Sums over all pairs of a long, dense list by cells: the sums that sorted_sums.hpp computes item by item
/// are computed cell by cell.
///
/// A cell holds the items of a stretch of half a temperature. The sigmoid is smooth on that scale (its
/// nearest singularity is pi away), so items act and are acted on through a polynomial in their place d in
/// [-1, 1] within the cell:
///
///     moments          m_p = sum_j w_j d_j^p                            one pass over the items
///     between cells    exponential states of sorted_sums.hpp            one step per cell
///     within a cell    the Taylor series of the kernel itself
///     result           sum_j w_j f(x_j - x_i) = sum_p local_p d_i^p     one pass over the items
///
/// Cutting both series after P terms leaves an error of (h / (pi - h))^P with h = 1/4 the half width: 3e-9
/// for P = 8, 1e-17 for P = 16. Per item this takes a third of the operations of the scans, and sums over
/// thousands of items do not lose digits in long chains of additions.
namespace rankloss::inline RANKLOSS_ABI::detail {

// Made by scripts/fit_terms.py: the kernels of sorted_sums.hpp for distances from half a temperature on.
// far_sigmoid_8: largest error 6.4e-08, sum of magnitudes 6.3
inline constexpr std::array<double, 8> far_sigmoid_8{
    0.9999999361209279, -0.9999857395421965, 0.999475715276096,  -0.9925656864285941,
    0.9469208698100708, -0.7840549404058366, 0.4634108705490211, -0.13571857177554075};
// far_slope_8: largest error 4.6e-07, sum of magnitudes 22.6
inline constexpr std::array<double, 8> far_slope_8{
    0.9999995442307129, -1.9998974263000187, 2.996196506364949, -3.9455119574268855,
    4.6056328507805855, -4.363160030862625,  2.800406684045359, -0.8609978308407724};
// far_sigmoid_18: largest error 3.2e-17, sum of magnitudes 14.2
inline constexpr std::array<double, 18> far_sigmoid_18{1.0,
                                                       -0.9999999999999647,
                                                       0.9999999999935457,
                                                       -0.9999999995326122,
                                                       0.9999999821190286,
                                                       -0.9999995826759052,
                                                       0.9999935283641403,
                                                       -0.9999295175853171,
                                                       0.9994400997108286,
                                                       -0.9966684094680811,
                                                       0.9848666536332791,
                                                       -0.9467997167678751,
                                                       0.8537406777205895,
                                                       -0.68255549098993,
                                                       0.4495582626815543,
                                                       -0.22211682638563862,
                                                       0.07159536571016639,
                                                       -0.011128454714737276};
// far_slope_18: largest error 4.8e-16, sum of magnitudes 106.9
inline constexpr std::array<double, 18> far_slope_18{
    0.9999999999999996,  -1.9999999999994675, 2.9999999999026494,  -3.9999999929374623, 4.999999729278028,
    -5.9999936680236186, 6.999901568674756,   -7.998924969077862,  8.99143149218546,    -9.948804866226837,
    10.766243441777199,  -11.172668818960895, 10.704658434576785,  -8.954544246650318,  6.091440626436377,
    -3.07843593592559,   1.008123198442119,   -0.15847666979639277};

template <class T>
struct cell_terms {
  static constexpr std::size_t places = sizeof(T) == 4 ? 8 : 16;  // P
  static constexpr std::size_t K = sizeof(T) == 4 ? 8 : 18;
  static constexpr std::size_t exponents = sizeof(T) == 4 ? 8 : 24;  // K, padded to whole vectors
  static constexpr double half_width = 0.25;                         // of a cell, in temperatures

  using by_place = std::array<double, places>;

  /// (k h)^p / p!, the series of exp(k h d) in d.
  static constexpr std::array<by_place, K> exponential_series() {
    std::array<by_place, K> series{};
    for (std::size_t k = 0; k < K; ++k) {
      double term = 1.0;
      for (std::size_t p = 0; p < places; ++p) {
        series[k][p] = term;
        term *= static_cast<double>(k + 1) * half_width / static_cast<double>(p + 1);
      }
    }
    return series;
  }
  static constexpr auto exponential = exponential_series();

  /// The same by place: [p][k], for sums over p.
  static constexpr std::array<std::array<double, exponents>, places> transposed_series() {
    std::array<std::array<double, exponents>, places> series{};
    for (std::size_t p = 0; p < places; ++p)
      for (std::size_t k = 0; k < K; ++k) series[p][k] = exponential[k][p];
    return series;
  }
  static constexpr auto exponential_by_place = transposed_series();

  /// Taylor coefficients of the kernel f at x: f(x + z) = sum_n c_n z^n, for f = sigmoid or sigmoid'.
  static constexpr std::array<double, 2 * places> kernel_series(bool slope, double exp_minus_x) {
    // 1 / (1 + e^-x e^-z), by inverting the series of the denominator.
    std::array<double, 2 * places + 1> denominator{}, sigmoid{};
    double term = exp_minus_x;
    for (std::size_t p = 0; p < sigmoid.size(); ++p) {
      denominator[p] = term + (p == 0 ? 1.0 : 0.0);
      term *= -1.0 / static_cast<double>(p + 1);
    }
    for (std::size_t p = 0; p < sigmoid.size(); ++p) {
      double sum = p == 0 ? 1.0 : 0.0;
      for (std::size_t q = 1; q <= p; ++q) sum -= denominator[q] * sigmoid[p - q];
      sigmoid[p] = sum / denominator[0];
    }
    std::array<double, 2 * places> series{};
    for (std::size_t n = 0; n < series.size(); ++n)
      series[n] = slope ? static_cast<double>(n + 1) * sigmoid[n + 1] : sigmoid[n];
    return series;
  }

  /// [q][p]: what moment q of a cell adds to the coefficient of d^p of another cell, or of the same cell, for
  /// f(x_j - x_i) = f(x + h (d_j - d_i)).
  using matrix = std::array<by_place, places>;
  static constexpr matrix direct_terms(bool slope, double exp_minus_x) {
    const auto series = kernel_series(slope, exp_minus_x);
    matrix direct{};
    for (std::size_t q = 0; q < places; ++q)
      for (std::size_t p = 0; p < places; ++p) {
        double term = series[p + q];  // (p + q)! / (p! q!) h^(p + q) (-1)^p
        for (std::size_t r = 1; r <= p; ++r)
          term *= -static_cast<double>(q + r) / static_cast<double>(r) * half_width;
        for (std::size_t r = 0; r < q; ++r) term *= half_width;
        direct[q][p] = term;
      }
    return direct;
  }

  /// A kernel in the forms that cells need: the effect of a cell on itself, on the touching cells below and
  /// above it, and on cells further away.
  struct kernel {
    matrix own, on_below, on_above;
    const std::array<double, K>& far;
    double above,
        below;  ///< factors of the far terms; where one is -1, they are f - 1: the caller adds the 1 per item
  };
  static constexpr double exp_half = 1.6487212707001281468;
  static constexpr const std::array<double, K>& far_sigmoid() {
    if constexpr (sizeof(T) == 4)
      return far_sigmoid_8;
    else
      return far_sigmoid_18;
  }
  static constexpr const std::array<double, K>& far_slope() {
    if constexpr (sizeof(T) == 4)
      return far_slope_8;
    else
      return far_slope_18;
  }
  /// sigmoid(x_j - x_i), minus 1 for items of the cells above: the terms that are added to the hard rank.
  static constexpr kernel make_sigmoid() {
    kernel f{direct_terms(false, 1.0),
             direct_terms(false, 1.0 / exp_half),
             direct_terms(false, exp_half),
             far_sigmoid(),
             -1.0,
             1.0};
    f.on_below[0][0] -= 1.0;
    return f;
  }
  static constexpr kernel for_sigmoid = make_sigmoid();
  static constexpr kernel for_slope{direct_terms(true, 1.0),
                                    direct_terms(true, 1.0 / exp_half),
                                    direct_terms(true, exp_half),
                                    far_slope(),
                                    1.0,
                                    1.0};
};

/// N doubles in registers, for products with the matrices of a cell.
template <class Arch, std::size_t N>
struct wide_row {
  static constexpr std::size_t vectors = N / lane_count<Arch>;
  static_assert(N % lane_count<Arch> == 0);
  lanes<Arch> v[vectors];

  wide_row() noexcept { std::fill(std::begin(v), std::end(v), lanes<Arch>(0.0)); }

  [[gnu::always_inline]] void add_scaled(double factor, const double* row) noexcept {
    for (std::size_t i = 0; i < vectors; ++i)
      v[i] = xsimd::fma(lanes<Arch>(factor), lanes<Arch>::load_unaligned(row + i * lane_count<Arch>), v[i]);
  }
  [[gnu::always_inline]] void add(double factor, const wide_row& other) noexcept {
    for (std::size_t i = 0; i < vectors; ++i) v[i] = xsimd::fma(lanes<Arch>(factor), other.v[i], v[i]);
  }
  [[gnu::always_inline]] void add(const wide_row& other) noexcept {
    for (std::size_t i = 0; i < vectors; ++i) v[i] = v[i] + other.v[i];
  }
  [[gnu::always_inline]] void add_product(const wide_row& a, const wide_row& b) noexcept {
    for (std::size_t i = 0; i < vectors; ++i) v[i] = xsimd::fma(a.v[i], b.v[i], v[i]);
  }
  [[nodiscard]] [[gnu::always_inline]] double sum() const noexcept {
    lanes<Arch> all = v[0];
    for (std::size_t i = 1; i < vectors; ++i) all = all + v[i];
    return sum_of(all);
  }
  [[nodiscard]] [[gnu::always_inline]] double dot(const wide_row& other) const noexcept {
    lanes<Arch> sum = v[0] * other.v[0];
    for (std::size_t i = 1; i < vectors; ++i) sum = xsimd::fma(v[i], other.v[i], sum);
    return sum_of(sum);
  }
  [[gnu::always_inline]] void load(const double* row) noexcept {
    for (std::size_t i = 0; i < vectors; ++i) v[i] = lanes<Arch>::load_unaligned(row + i * lane_count<Arch>);
  }
  [[gnu::always_inline]] void store(double* row) const noexcept {
    for (std::size_t i = 0; i < vectors; ++i) v[i].store_unaligned(row + i * lane_count<Arch>);
  }
};

/// A list cut into cells. Items are stored cell by cell, in slots; within a cell their order is arbitrary.
template <class Arch, class T>
class cell_list {
  using terms = cell_terms<T>;
  using V = lanes<Arch>;
  static constexpr std::size_t w = lane_count<Arch>;
  static constexpr std::size_t P = terms::places;
  static constexpr double width = 2.0 * terms::half_width;
  static constexpr std::size_t fewest_items =
      8;  // mean items per cell from which on cells pay (docs/algorithms/sigmoid_sums.md)

 public:
  struct cell {
    std::uint32_t begin, end;  // slots
    double offset;             // from the centre up to the item in the first slot, in temperatures
    double distance;           // from the centre of the cell above to this one's, in temperatures
  };

  /// Cuts scores [n], in any order, by a grid with steps of half a temperature down from the highest score.
  /// Returns `false` if the cells would hold too few items to pay. There is no sort: one pass counts the
  /// items per cell, and one pass moves each item to its slot. If values are given, they are moved too:
  /// by_slot[slot] = values[i].
  [[nodiscard]] bool cut_by_grid(const strided<const T>& scores, double temperature,
                                 std::span<const T> values, std::span<T> by_slot, workspace& scratch) {
    const std::size_t n = scores.size();
    if (n == 0) return false;
    require_countable(n);
    scale_ = 1.0 / temperature;
    const auto [least, most] = extremes_of(scores);
    if (!is_finite(least) || !is_finite(most)) return false;
    const auto top = static_cast<double>(most);
    const double cells_a_unit = scale_ / width;
    const double last = (top - static_cast<double>(least)) * cells_a_unit;
    const std::size_t most_cells = n / fewest_items;
    if (!(last < static_cast<double>(most_cells))) return false;

    const std::span<T> x = scratch.take<T>(n);
    const std::span<std::uint32_t> slots = scratch.take<std::uint32_t>(n);
    const std::span<cell> cells = scratch.take<cell>(most_cells);
    {
      const workspace::scope counting(scratch);
      const auto last_cell = static_cast<std::uint32_t>(last);
      const std::span<std::uint32_t> starts = scratch.take<std::uint32_t>(std::size_t{last_cell} + 1);
      std::fill(starts.begin(), starts.end(), 0u);
      for (std::size_t i = 0; i < n; ++i) {
        const double at = (top - static_cast<double>(scores[i])) * cells_a_unit;
        // If data are unchecked, a NaN still goes to a valid cell, even if the compiler assumes that there
        // are no NaNs and drops the first comparison.
        slots[i] =
            std::min(static_cast<std::uint32_t>(static_cast<std::int32_t>(at < last ? at : last)), last_cell);
        ++starts[slots[i]];
      }
      std::uint32_t start = 0;
      std::size_t count = 0;
      for (std::size_t at = 0; at < starts.size(); ++at) {
        const std::uint32_t items = std::exchange(starts[at], start);
        if (items == 0) continue;
        // `offset` holds the index of the cell in the grid until it is computed below.
        cells[count++] = {
            .begin = start, .end = start + items, .offset = static_cast<double>(at), .distance = 0.0};
        start += items;
      }
      cells_ = cells.first(count);
      for (std::size_t i = 0; i < n; ++i) {
        const std::uint32_t slot = starts[slots[i]]++;
        slots[i] = slot;
        x[slot] = scores[i];
        prefetch_ahead(x.data() + slot);
      }
      for (std::size_t i = 0; i < values.size(); ++i) {
        by_slot[slots[i]] = values[i];
        prefetch_ahead(by_slot.data() + slots[i]);
      }
    }
    x_ = x;
    slots_ = slots;

    // Places are measured from an item of the cell. Offsets are carried from cell to cell by differences of
    // neighbouring scores, which are exact where differences to the highest score are not.
    double above_at = 0.0;
    for (std::size_t c = 0; c < cells_.size(); ++c) {
      const double at = std::exchange(cells[c].offset, 0.0);
      const double gap = c > 0 ? distance(cells[c - 1].begin, cells[c].begin) : 0.0;
      const bool next = c > 0 && at == above_at + 1.0;
      const double offset =
          next ? cells[c - 1].offset - gap + width
               : (at + 0.5) * width - (top - static_cast<double>(x[cells[c].begin])) * scale_;
      cells[c].offset = std::clamp(offset, -terms::half_width, terms::half_width);
      cells[c].distance = next ? width : c > 0 ? gap - cells[c - 1].offset + cells[c].offset : 0.0;
      above_at = at;
    }
    return true;
  }

  /// Cuts x [n], sorted and descending, into cells that may begin anywhere; order[i] is the item at position
  /// i. Returns `false` if the cells hold too few items to pay. A list with a crowded cell and many isolated
  /// items is cut nevertheless, up to a limit on the number of cells, because the scans would lose digits in
  /// the crowded cell (docs/numerics.md).
  [[nodiscard]] bool cut_sorted(std::span<const T> x, std::span<const std::uint32_t> order,
                                double temperature, std::span<const T> values, std::span<T> by_slot,
                                workspace& scratch) {
    constexpr std::size_t crowd = 256;
    x_ = x;
    scale_ = 1.0 / temperature;
    const std::size_t n = x.size();
    const std::span<cell> cells = scratch.take<cell>(2 * n / fewest_items);
    std::size_t count = 0;
    std::size_t largest = 0;
    for (std::size_t begin = 0; begin < n;) {
      if (count == cells.size()) return false;
      cell& c = cells[count];
      c.begin = static_cast<std::uint32_t>(begin);
      c.offset = terms::half_width;
      c.distance = 0.0;
      if (count > 0) {
        const cell& above = cells[count - 1];
        const double gap = distance(above.begin, begin);
        // The cell touches the cell above if it then contains its first item, so that centres are never
        // closer than the width of a cell.
        const double offset = above.offset - gap + width;
        const bool next = offset >= -terms::half_width;
        if (next) c.offset = std::min(offset, terms::half_width);
        c.distance = next ? width : gap - above.offset + c.offset;
      }
      // Finds the first item below the cell by doubling steps and then by bisection.
      const auto inside = [&](std::size_t i) { return distance(begin, i) <= c.offset + terms::half_width; };
      std::size_t step = 1;
      while (begin + step < n && inside(begin + step)) step *= 2;
      std::size_t low = begin + step / 2;
      std::size_t high = std::min(begin + step, n);
      while (low + 1 < high) {
        const std::size_t middle = low + (high - low) / 2;
        (inside(middle) ? low : high) = middle;
      }
      c.end = static_cast<std::uint32_t>(high);
      largest = std::max(largest, high - begin);
      begin = high;
      ++count;
    }
    if (count * fewest_items > n && largest < crowd) return false;
    const std::span<std::uint32_t> slots = scratch.take<std::uint32_t>(n);
    for (std::size_t i = 0; i < n; ++i) slots[order[i]] = static_cast<std::uint32_t>(i);
    for (std::size_t i = 0; i < values.size(); ++i) by_slot[i] = values[order[i]];
    cells_ = cells.first(count);
    slots_ = slots;
    return true;
  }

  [[nodiscard]] std::span<const cell> cells() const noexcept { return cells_; }
  /// [n] The slot of each item.
  [[nodiscard]] std::span<const std::uint32_t> slots() const noexcept { return slots_; }
  [[nodiscard]] std::size_t moment_count() const noexcept { return cells_.size() * P; }

  /// Calls body(first item, number of items, places d of the items) for the vectors of a cell. The number is
  /// a `whole_row`, except for an incomplete last vector, whose missing items have place 0.
  template <class Body>
  [[gnu::always_inline]] void for_vectors(const cell& c, Body body) const {
    const V first(static_cast<double>(x_[c.begin]));
    const V centre(c.offset / terms::half_width);
    const V factor(scale_ / terms::half_width);
    const T* x = x_.data();
    std::size_t i = c.begin;
    for (; i + w <= c.end; i += w)
      body(i, whole_row<Arch>{}, centre - (first - load_row<Arch>(x + i)) * factor);
    if (i == c.end) return;
    alignas(64) double rest[w];
    for (std::size_t l = 0; l < w; ++l)
      rest[l] = static_cast<double>(x[std::min<std::size_t>(i + l, c.end - 1)]);
    const V place = centre - (first - V::load_aligned(rest)) * factor;
    body(i, c.end - i, only_items<Arch>(c.end - i, place));
  }

  /// Sums w d^p over a cell: call `add` for each vector, then `store`.
  struct moment_sums {
    V sum[P];
    moment_sums() noexcept { std::fill(std::begin(sum), std::end(sum), V(0.0)); }

    template <std::size_t p = 0>
    [[gnu::always_inline]] void add(const V& place, const V& weight) noexcept {
      sum[p] += weight;
      if constexpr (p + 1 < P) add<p + 1>(place, weight * place);
    }
    void store(double* moments) const noexcept {
      for (std::size_t p = 0; p < P; ++p) moments[p] = sum_of(sum[p]);
    }
  };

  /// Moments of all items with weight 1.
  void unit_moments(double* moments) const {
    for (const cell& c : cells_) {
      moment_sums sums;
      for_vectors(c, [&](std::size_t, auto count, const V& place) {
        sums.add(place, only_items<Arch>(count, V(1.0)));
      });
      sums.store(moments);
      moments += P;
    }
  }

  /// A kernel, and the memory for its sums: local [cells][P], the coefficients of sum_j w_j f(x_j - x_i) as a
  /// polynomial in the place d_i.
  struct target {
    const typename terms::kernel& kernel;
    double* local;
  };

  /// Computes the sums in all cells from the moments of all cells.
  template <std::size_t Kernels>
  void spread(const double* moments, const std::array<target, Kernels>& targets) const {
    constexpr std::size_t E = terms::exponents;
    for (const target& f : targets) std::fill_n(f.local, moment_count(), 0.0);
    alignas(64) double whole_step[E];  // of the states, over a cell's width: the most frequent one by far
    powers(width, whole_step);

    // One sweep downwards, then one upwards. Cells above act on a place d with exp(k h d), cells below with
    // exp(-k h d); the series differ by the sign of the odd powers of d.
    for (const bool down : {true, false}) {
      wide_row<Arch, E> states;   // of the cells before the previous one
      wide_row<Arch, E> pending;  // of the previous cell
      const V flip = down ? V(1.0) : alternating();
      const std::size_t count = cells_.size();
      for (std::size_t step = 0; step < count; ++step) {
        const std::size_t at = down ? step : count - 1 - step;
        const double distance = step == 0 ? width : cells_[down ? at : at + 1].distance;
        const bool touching = step > 0 && distance == width;
        alignas(64) double other_step[E];
        if (distance != width) powers(distance, other_step);
        for (std::size_t i = 0; i < states.vectors; ++i) {
          const V q = V::load_aligned((distance == width ? whole_step : other_step) + i * w);
          pending.v[i] = pending.v[i] * q;
          states.v[i] = states.v[i] * q;
        }
        if (!touching) states.add(pending);
        alignas(64) double by_exponent[E];
        states.store(by_exponent);
        const double* last = moments + (step == 0 ? at
                                        : down    ? at - 1
                                                  : at + 1) *
                                           P;  // read only where the cells touch
        const double* own = moments + at * P;
        for (const target& f : targets) {
          const double sign = down ? f.kernel.above : f.kernel.below;
          wide_row<Arch, P> low, high;  // two sums, as in scan_states::dot
          for (std::size_t k = 0; k < terms::K / 2; ++k) {
            const std::size_t j = k + terms::K / 2;
            low.add_scaled(sign * f.kernel.far[k] * by_exponent[k], terms::exponential[k].data());
            high.add_scaled(sign * f.kernel.far[j] * by_exponent[j], terms::exponential[j].data());
          }
          wide_row<Arch, P> local;
          local.load(f.local + at * P);
          for (std::size_t i = 0; i < local.vectors; ++i)
            local.v[i] = xsimd::fma(low.v[i] + high.v[i], flip, local.v[i]);
          if (touching)
            for (std::size_t q = 0; q < P; ++q)
              local.add_scaled(last[q], (down ? f.kernel.on_below : f.kernel.on_above)[q].data());
          if (down)
            for (std::size_t q = 0; q < P; ++q) local.add_scaled(own[q], f.kernel.own[q].data());
          local.store(f.local + at * P);
        }
        wide_row<Arch, E> even, odd;
        for (std::size_t p = 0; p < P; p += 2) {
          even.add_scaled(own[p], terms::exponential_by_place[p].data());
          odd.add_scaled(own[p + 1], terms::exponential_by_place[p + 1].data());
        }
        if (touching) states.add(pending);
        const V odd_sign(down ? -1.0 : 1.0);
        for (std::size_t i = 0; i < states.vectors; ++i)
          pending.v[i] = xsimd::fma(odd_sign, odd.v[i], even.v[i]);
      }
    }
  }

  /// sum_p local_p d^p
  template <std::size_t p = 0>
  [[gnu::always_inline]] static V at_place(const double* local, const V& place) noexcept {
    if constexpr (p + 1 < P)
      return xsimd::fma(at_place<p + 1>(local, place), place, V(local[p]));
    else
      return V(local[p]);
  }

 private:
  /// exp(-k distance), k = 1 .. K
  static void powers(double distance, double* to) noexcept {
    const double q = std::exp(-distance);
    const double factor = q < 0x1p-51 ? 0.0 : q;  // no subnormal numbers, as in `advance`
    double power = q;
    for (std::size_t k = 0; k < terms::exponents; ++k) {
      to[k] = power;
      power *= factor;
    }
  }

  /// 1, -1, 1, -1, ...
  [[nodiscard]] static V alternating() noexcept {
    alignas(64) double sign[w];
    for (std::size_t l = 0; l < w; ++l) sign[l] = l % 2 == 0 ? 1.0 : -1.0;
    return V::load_aligned(sign);
  }

  [[nodiscard]] double distance(std::size_t upper, std::size_t lower) const noexcept {
    return (static_cast<double>(x_[upper]) - static_cast<double>(x_[lower])) * scale_;
  }

  std::span<const T> x_;  // by slot
  std::span<const std::uint32_t> slots_;
  std::span<const cell> cells_;
  double scale_ = 1.0;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
