// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/loops.hpp>
#include <rankloss/detail/base/pieces.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/data/extremes.hpp>
#include <rankloss/detail/sigmoid/cell_series.hpp>
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
/// nearest singularity is pi away), so items act and are acted on through a polynomial in their coordinate d
/// in [-1, 1] within the cell:
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

/// A list cut into cells. Items are stored cell by cell, in slots; within a cell their order is arbitrary.
template <class Arch, class T>
class cell_list {
  using constants = cell_constants<T>;
  using V = lanes<Arch>;
  static constexpr std::size_t w = lane_count<Arch>;
  static constexpr std::size_t P = constants::coefficients;
  static constexpr double width = 2.0 * constants::half_width;

 public:
  struct cell {
    std::uint32_t begin, end;  // slots
    double offset;             // from the centre up to the item in the first slot, in temperatures
    double distance;           // from the centre of the cell above to this one's, in temperatures
  };

  /// The slots of one cell that are in one piece of the list: most cells lie in one piece.
  struct cell_piece {
    std::uint32_t cell;
    std::uint32_t begin, end;  // slots
    std::uint32_t further;     // 0 for the first piece of its cell; those behind it are counted over the list
  };

  /// Cuts scores [n], in any order, by a grid with steps of half a temperature down from the highest score.
  /// Returns `false` if the cells would hold too few items to pay. There is no sort: one pass counts the
  /// items per cell, and one pass moves each item to its slot. If values are given, they are moved too:
  /// by_slot[slot] = values[i].
  [[nodiscard]] bool divide_by_grid(const strided<const T>& scores, double temperature,
                                    std::span<const T> values, std::span<T> by_slot, workspace& scratch) {
    const std::size_t n = scores.size();
    if (n == 0) return false;
    require_countable(n);
    scale_ = 1.0 / temperature;
    const auto [least, most] = extremes_of(scores, scratch);
    if (!is_finite(least) || !is_finite(most)) return false;
    const auto top = static_cast<double>(most);
    const double cells_a_unit = scale_ / width;
    const double last = (top - static_cast<double>(least)) * cells_a_unit;
    const std::size_t most_cells = n / tuning::cell_items;
    if (!(last < static_cast<double>(most_cells))) return false;

    const std::span<T> x = scratch.take<T>(n);
    const std::span<std::uint32_t> slots = scratch.take<std::uint32_t>(n);
    const std::span<cell> cells = scratch.take<cell>(most_cells);
    {
      const workspace::scope counting(scratch);
      const auto last_cell = static_cast<std::uint32_t>(last);
      const std::size_t grid = std::size_t{last_cell} + 1;
      // Each piece of the list has counts of its own, which are no more than items.
      const even_pieces pieces(n, std::max(tuning::piece_items, grid));
      const std::span<std::uint32_t> starts = scratch.take<std::uint32_t>(pieces.count() * grid);
      run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
        std::uint32_t* const counts = starts.data() + p * grid;
        std::fill_n(counts, grid, 0u);
        for (std::size_t i = pieces[p].begin; i < pieces[p].end; ++i) {
          const double at = (top - static_cast<double>(scores[i])) * cells_a_unit;
          // If data are unchecked, a NaN still goes to a valid cell, even if the compiler assumes that there
          // are no NaNs and drops the first comparison.
          slots[i] = std::min(static_cast<std::uint32_t>(static_cast<std::int32_t>(at < last ? at : last)),
                              last_cell);
          ++counts[slots[i]];
        }
      });
      std::uint32_t start = 0;
      std::size_t count = 0;
      for (std::size_t at = 0; at < grid; ++at) {
        const std::uint32_t begin = start;
        for (std::size_t p = 0; p < pieces.count(); ++p) start += std::exchange(starts[p * grid + at], start);
        if (start == begin) continue;
        // `offset` holds the index of the cell in the grid until it is computed below.
        cells[count++] = {.begin = begin, .end = start, .offset = static_cast<double>(at), .distance = 0.0};
      }
      cells_ = cells.first(count);
      run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
        std::uint32_t* const next = starts.data() + p * grid;
        const auto [begin, end] = pieces[p];
        for (std::size_t i = begin; i < end; ++i) {
          const std::uint32_t slot = next[slots[i]]++;
          slots[i] = slot;
          x[slot] = scores[i];
          prefetch_ahead(x.data() + slot);
        }
        if (values.empty()) return;
        for (std::size_t i = begin; i < end; ++i) {
          by_slot[slots[i]] = values[i];
          prefetch_ahead(by_slot.data() + slots[i]);
        }
      });
    }
    x_ = x;
    slots_ = slots;

    // Coordinates are measured from an item of the cell. Offsets are carried from cell to cell by differences
    // of neighbouring scores, which are exact where differences to the highest score are not.
    double above_at = 0.0;
    for (std::size_t c = 0; c < cells_.size(); ++c) {
      const double at = std::exchange(cells[c].offset, 0.0);
      const double gap = c > 0 ? distance(cells[c - 1].begin, cells[c].begin) : 0.0;
      const bool next = c > 0 && at == above_at + 1.0;
      const double offset =
          next ? cells[c - 1].offset - gap + width
               : (at + 0.5) * width - (top - static_cast<double>(x[cells[c].begin])) * scale_;
      cells[c].offset = std::clamp(offset, -constants::half_width, constants::half_width);
      cells[c].distance = next ? width : c > 0 ? gap - cells[c - 1].offset + cells[c].offset : 0.0;
      above_at = at;
    }
    cut_into_pieces(scratch);
    return true;
  }

  /// Cuts x [n], sorted and descending, into cells that may begin anywhere; order[i] is the item at position
  /// i. Returns `false` if the cells hold too few items to pay. A list with a crowded cell and many isolated
  /// items is cut nevertheless, up to a limit on the number of cells, because the scans would lose digits in
  /// the crowded cell (docs/numerics.md).
  [[nodiscard]] bool divide_sorted(std::span<const T> x, std::span<const std::uint32_t> order,
                                   double temperature, std::span<const T> values, std::span<T> by_slot,
                                   workspace& scratch) {
    x_ = x;
    scale_ = 1.0 / temperature;
    const std::size_t n = x.size();
    // How many items that many positions apart lie within the width of a cell. A crowded cell has such a pair half as many
    // apart as its items; between two that do not, a cell ends. A list of too many cells is given up at once where these
    // ends are too many, or else at the first cell too many.
    const auto pairs_within = [&](std::size_t apart) {
      std::size_t found = 0;
      for (std::size_t i = 0; i + apart < n; i += apart) found += distance(i, i + apart) <= width ? 1u : 0u;
      return found;
    };
    const bool crowded = pairs_within(tuning::crowded_cell / 2) > 0;
    const std::size_t most_cells = n / (crowded ? tuning::crowded_mean : tuning::sorted_cell_items);
    constexpr std::size_t distant = tuning::sorted_cell_items / 2;
    if (!crowded && n > distant && (n - 1) / distant - pairs_within(distant) >= most_cells) return false;
    const std::span<cell> cells = scratch.take<cell>(most_cells);
    std::size_t count = 0;
    std::size_t largest = 0;
    for (std::size_t begin = 0; begin < n;) {
      if (count == cells.size()) return false;
      cell& c = cells[count];
      c.begin = static_cast<std::uint32_t>(begin);
      c.offset = constants::half_width;
      c.distance = 0.0;
      if (count > 0) {
        const cell& above = cells[count - 1];
        const double gap = distance(above.begin, begin);
        // The cell touches the cell above if it then contains its first item, so that centres are never
        // closer than the width of a cell.
        const double offset = above.offset - gap + width;
        const bool next = offset >= -constants::half_width;
        if (next) c.offset = std::min(offset, constants::half_width);
        c.distance = next ? width : gap - above.offset + c.offset;
      }
      // Finds the first item below the cell: in one row of lanes, where most of the small cells end, or else by
      // doubling steps and then by bisection.
      const double width_left = c.offset + constants::half_width;
      const auto inside = [&](std::size_t i) { return distance(begin, i) <= width_left; };
      std::size_t low = begin;  // the last item that is known to be inside
      std::size_t high = n;     // the first one that is known not to be
      if (begin + w < n) {
        const V gaps = (V(static_cast<double>(x[begin])) - load_row<Arch>(x.data() + begin + 1)) * V(scale_);
        const double near = sum_of(xsimd::select(gaps <= V(width_left), V(1.0), V(0.0)));
        low += static_cast<std::size_t>(near);
        if (low < begin + w) high = low + 1;
      }
      for (std::size_t step = 1; low + step < high; step *= 2) {
        if (inside(low + step))
          low += step;
        else
          high = low + step;
      }
      while (low + 1 < high) {
        const std::size_t middle = low + (high - low) / 2;
        (inside(middle) ? low : high) = middle;
      }
      c.end = static_cast<std::uint32_t>(high);
      largest = std::max(largest, high - begin);
      begin = high;
      ++count;
    }
    if (count * tuning::sorted_cell_items > n && largest < tuning::crowded_cell) return false;
    const std::span<std::uint32_t> slots = scratch.take<std::uint32_t>(n);
    for (std::size_t i = 0; i < n; ++i) slots[order[i]] = static_cast<std::uint32_t>(i);
    for (std::size_t i = 0; i < values.size(); ++i) by_slot[i] = values[order[i]];
    cells_ = cells.first(count);
    slots_ = slots;
    cut_into_pieces(scratch);
    return true;
  }

  [[nodiscard]] std::span<const cell> cells() const noexcept { return cells_; }
  /// How many pieces the list has, each of about `tuning::piece_items` items, and the cells of one.
  [[nodiscard]] std::size_t pieces() const noexcept { return piece_ends_.size(); }
  [[nodiscard]] std::span<const cell_piece> cells_of(std::size_t piece) const noexcept {
    const std::size_t begin = piece > 0 ? piece_ends_[piece - 1] : 0;
    return cell_pieces_.subspan(begin, piece_ends_[piece] - begin);
  }
  /// [n] The slot of each item.
  [[nodiscard]] std::span<const std::uint32_t> slots() const noexcept { return slots_; }
  [[nodiscard]] std::size_t moment_count() const noexcept { return cells_.size() * P; }

  /// Calls body(first item, number of items, coordinates d of the items) for the vectors of a cell. The
  /// number is a `whole_row`, except for an incomplete last vector, whose missing items have coordinate 0.
  template <class Body>
  [[gnu::always_inline]] void for_vectors(const cell& c, Body body) const {
    for_vectors(c, c.begin, c.end, body);
  }
  template <class Body>
  [[gnu::always_inline]] void for_vectors(const cell_piece& b, Body body) const {
    for_vectors(cells_[b.cell], b.begin, b.end, body);
  }
  /// The same for the slots [i, end) of a cell.
  template <class Body>
  [[gnu::always_inline]] void for_vectors(const cell& c, std::size_t i, std::size_t end, Body body) const {
    const V first(static_cast<double>(x_[c.begin]));
    const V centre(c.offset / constants::half_width);
    const V factor(scale_ / constants::half_width);
    const T* x = x_.data();
    for (; i + w <= end; i += w)
      body(i, whole_row<Arch>{}, centre - (first - load_row<Arch>(x + i)) * factor);
    if (i == end) return;
    alignas(64) double tail[w];
    for (std::size_t l = 0; l < w; ++l) tail[l] = static_cast<double>(x[std::min(i + l, end - 1)]);
    const V coordinate = centre - (first - V::load_aligned(tail)) * factor;
    body(i, end - i, only_items<Arch>(end - i, coordinate));
  }

  using moment_sums = detail::moment_sums<Arch, P>;

  /// Moments of all cells, [cells][P], from those of their pieces.
  class moments_by_piece {
   public:
    moments_by_piece(const cell_list& cells, std::span<double> moments, workspace& scratch)
        : cells_(cells), moments_(moments), further_(scratch.take<double>(cells.further_count_ * P)) {}

    void store(const cell_piece& b, const moment_sums& sums) const noexcept {
      sums.store(b.further == 0 ? moments_.data() + b.cell * P : further_.data() + (b.further - 1) * P);
    }
    /// Adds up the pieces of each cell, in order, once all are stored.
    void join() const noexcept {
      if (further_.empty()) return;
      for (const cell_piece& b : cells_.cell_pieces_)
        if (b.further > 0)
          for (std::size_t p = 0; p < P; ++p) moments_[b.cell * P + p] += further_[(b.further - 1) * P + p];
    }

   private:
    const cell_list& cells_;
    std::span<double> moments_, further_;
  };

  /// Moments of all items with weight 1.
  void unit_moments(std::span<double> moments, workspace& scratch) const {
    const workspace::scope scope(scratch);
    const moments_by_piece by_piece(*this, moments, scratch);
    run_pieces(scratch, pieces(), [&](workspace&, std::size_t p) {
      for (const cell_piece& b : cells_of(p)) {
        moment_sums sums;
        for_vectors(b, [&](std::size_t, auto count, const V& coordinate) {
          sums.add(coordinate, only_items<Arch>(count, V(1.0)));
        });
        by_piece.store(b, sums);
      }
    });
    by_piece.join();
  }

  /// A kernel, and the memory for its sums: local [cells][P], the coefficients of sum_j w_j f(x_j - x_i) as a
  /// polynomial in the coordinate d_i.
  struct target {
    const typename constants::kernel& kernel;
    double* local;
  };

  /// Computes the sums in all cells from the moments of all cells.
  template <std::size_t Kernels>
  void spread(const double* moments, const std::array<target, Kernels>& targets) const {
    constexpr std::size_t E = constants::exponents;
    for (const target& f : targets) std::fill_n(f.local, moment_count(), 0.0);
    alignas(64) double whole_step[E];  // of the states, over a cell's width: the most frequent one by far
    powers(width, whole_step);

    // One sweep downwards, then one upwards. Cells above act on a coordinate d with exp(k h d), cells below
    // with exp(-k h d); the series differ by the sign of the odd powers of d.
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
          for (std::size_t k = 0; k < constants::K / 2; ++k) {
            const std::size_t j = k + constants::K / 2;
            low.add_scaled(sign * f.kernel.far[k] * by_exponent[k], constants::exponential[k].data());
            high.add_scaled(sign * f.kernel.far[j] * by_exponent[j], constants::exponential[j].data());
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
          even.add_scaled(own[p], constants::exponential_by_coefficient[p].data());
          odd.add_scaled(own[p + 1], constants::exponential_by_coefficient[p + 1].data());
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
  [[gnu::always_inline]] static V at_coordinate(const double* local, const V& coordinate) noexcept {
    if constexpr (p + 1 < P)
      return xsimd::fma(at_coordinate<p + 1>(local, coordinate), coordinate, V(local[p]));
    else
      return V(local[p]);
  }

 private:
  /// Cuts cells where a piece of the list ends. In lists of one piece no cell is cut.
  void cut_into_pieces(workspace& scratch) {
    constexpr std::size_t most = tuning::piece_items;
    const std::size_t n = slots_.size();
    const std::span<std::uint32_t> ends = scratch.take<std::uint32_t>(even_pieces(n, most).count());
    const std::span<cell_piece> all = scratch.take<cell_piece>(cells_.size() + ends.size());
    std::size_t count = 0, piece = 0;
    std::uint32_t further = 0;
    for (std::size_t c = 0; c < cells_.size(); ++c) {
      for (std::size_t begin = cells_[c].begin; begin < cells_[c].end;) {
        while (begin >= (piece + 1) * most) ends[piece++] = static_cast<std::uint32_t>(count);
        const std::size_t end = std::min<std::size_t>(cells_[c].end, (piece + 1) * most);
        all[count++] = {.cell = static_cast<std::uint32_t>(c),
                        .begin = static_cast<std::uint32_t>(begin),
                        .end = static_cast<std::uint32_t>(end),
                        .further = begin == cells_[c].begin ? 0 : ++further};
        begin = end;
      }
    }
    while (piece < ends.size()) ends[piece++] = static_cast<std::uint32_t>(count);
    cell_pieces_ = all.first(count);
    piece_ends_ = ends;
    further_count_ = further;
  }

  /// exp(-k distance), k = 1 .. K
  static void powers(double distance, double* to) noexcept {
    const double q = std::exp(-distance);
    const double factor = q < 0x1p-51 ? 0.0 : q;  // no subnormal numbers, as in `advance`
    double power = q;
    for (std::size_t k = 0; k < constants::exponents; ++k) {
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
  std::span<const cell_piece> cell_pieces_;
  std::span<const std::uint32_t> piece_ends_;  // how many there are up to the end of each piece
  std::size_t further_count_ = 0;              // pieces that are not the first of their cell
  double scale_ = 1.0;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
