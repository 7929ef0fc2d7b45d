// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/loops.hpp>
#include <rankloss/detail/sorting/network_layers.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The columns of the product of a network's layers, each of which mixes the wires of its pairs: unit vectors
/// are sent through the layers, in the type of the scores. As many columns are processed together as stay in
/// the cache for all layers, and as many layers as a few rows stay in registers.
template <class Arch, class T>
class mixed_columns {
  using scores_lanes = xsimd::batch<T, Arch>;

 public:
  static constexpr std::size_t width = 32;  // number of columns processed together

  /// @param kept  [layers][stride] the share of its own value that each wire of a pair keeps
  mixed_columns(const network_layers& layers, std::span<const double> kept, std::size_t stride,
                workspace& scratch)
      : layers_(layers),
        pairs_(layers.wires() / 2),
        stay_(scratch.take<T>(layers.count() * pairs_)),
        go_(scratch.take<T>(layers.count() * pairs_)),
        columns_(scratch.take<T>(layers.wires() * width)) {
    std::fill(stay_.begin(), stay_.end(), T{1});
    std::fill(go_.begin(), go_.end(), T{0});
    for (std::size_t layer = 0; layer < layers.count(); ++layer) {
      const double* from = kept.data() + layer * stride;
      const std::size_t first = layers.first_pair(layer);
      const std::size_t count = layers.pairs(layer);
      T* s = stay_.data() + layer * pairs_ + first;
      T* g = go_.data() + layer * pairs_ + first;
      for (std::size_t c = 0; c < count; ++c) {
        s[c] = static_cast<T>(from[c]);
        g[c] = static_cast<T>(1.0 - from[c]);
      }
    }
  }

  /// Columns [begin, end), at most `width` of them: [wires][width], valid until the next call.
  [[nodiscard]] std::span<const T> operator()(std::size_t begin, std::size_t end) const {
    const network_layers& layers = layers_;
    const std::span<T> columns = columns_;
    const std::size_t unused = layers.unused();
    const std::size_t size = layers.wires();
    std::fill(columns.begin(), columns.end(), T{0});
    for (std::size_t j = begin; j < end; ++j) columns[(unused + j) * width + j - begin] = T{1};
    if (layers.odd_even()) {
      for (std::size_t layer = 0; layer < layers.count(); ++layer) {
        const std::size_t reached = begin - std::min(begin, layer + 1);
        mix_rows<1, 0>(layer, reached + (reached + layer) % 2, std::min(end + layer, size - 1), 1,
                       columns.data());
      }
    } else {
      std::size_t block = 2;  // a column is 0 outside of the block of this size that it begins in
      std::size_t layer = 0;
      const auto next = [&]<std::size_t log_rows, std::size_t... which>(std::size_t nearest,
                                                                        std::index_sequence<which...>) {
        const std::size_t rows = nearest << log_rows;
        const std::size_t first = std::max((unused + begin) / block * block, unused / rows * rows);
        const std::size_t last = (unused + end + block - 1) / block * block;
        mix_rows<log_rows, which...>(layer, first, last, nearest, columns.data());
        layer += sizeof...(which);
      };
      if (size >= 8) {
        block = 8;
        next.template operator()<3>(1, std::index_sequence<2, 1, 2, 0, 1, 2>());
        block = 16;
      }
      for (; layer < layers.count(); block *= 2)
        for (std::size_t left = block; left > 1;) {
          const std::size_t log_rows = left >= 8 ? 3 : left / 2;
          left >>= log_rows;
          if (log_rows == 3) next.template operator()<3>(left, std::index_sequence<0, 1, 2>());
          if (log_rows == 2) next.template operator()<2>(left, std::index_sequence<0, 1>());
          if (log_rows == 1) next.template operator()<1>(left, std::index_sequence<0>());
        }
    }
    return columns;
  }

 private:
  /// Rows of columns, `apart` numbers from each other. They are members of an object, because compilers then
  /// keep them in registers.
  template <std::size_t count>
  struct row_block {
    scores_lanes row[count];

    [[gnu::always_inline]] void load(const T* from, std::size_t apart) noexcept {
      unrolled<count>([&]<std::size_t k> { row[k] = scores_lanes::load_aligned(from + k * apart); });
    }
    [[gnu::always_inline]] void store(T* to, std::size_t apart) const noexcept {
      unrolled<count>([&]<std::size_t k> { row[k].store_aligned(to + k * apart); });
    }
    /// One layer, whose pairs are count / 2^(which + 1) rows apart.
    template <std::size_t which, std::size_t... p>
    [[gnu::always_inline]] void mix(const T* stay, const T* go, std::size_t nearest,
                                    std::index_sequence<p...>) noexcept {
      constexpr std::size_t apart = count >> (which + 1);
      (exchange(row[p / apart * 2 * apart + p % apart], row[p / apart * 2 * apart + p % apart + apart],
                scores_lanes(stay[p * nearest]), scores_lanes(go[p * nearest])),
       ...);
    }
    [[gnu::always_inline]] static void exchange(scores_lanes& a, scores_lanes& b, const scores_lanes& stays,
                                                const scores_lanes& goes) noexcept {
      const scores_lanes own = a;
      a = xsimd::fma(stays, own, goes * b);
      b = xsimd::fma(stays, b, goes * own);
    }
  };

  /// Mixes the rows [first, last) through consecutive layers, whose pairs are 2^(log_rows - 1 - which) *
  /// nearest wires apart. Groups of 2^log_rows rows are then mixed only among themselves, in registers. Which
  /// wire of a pair is the lower one makes no difference.
  ///
  /// Not inlined: with all the layers in one function the compiler runs out of registers.
  template <std::size_t log_rows, std::size_t... which>
  [[gnu::noinline]] void mix_rows(std::size_t layer, std::size_t first, std::size_t last, std::size_t nearest,
                                  T* columns) const {
    constexpr std::size_t rows = std::size_t{1} << log_rows;
    for (std::size_t start = first; start < last; start += rows * nearest)
      for (std::size_t wire = start; wire < start + nearest; ++wire) {
        const std::size_t pair = layer * pairs_ + start / 2 + wire - start;
        for (std::size_t j = 0; j < width; j += scores_lanes::size) {
          T* const at = columns + wire * width + j;
          const T* stay = stay_.data() + pair;
          const T* go = go_.data() + pair;
          row_block<rows> block;
          block.load(at, nearest * width);
          ((block.template mix<which>(stay, go, nearest, std::make_index_sequence<rows / 2>()),
            stay += pairs_, go += pairs_),
           ...);
          block.store(at, nearest * width);
        }
      }
  }

  network_layers layers_;
  std::size_t pairs_;  // of a layer of all wires, unused ones included
  std::span<T> stay_,
      go_;  // [layers][pairs] what each wire keeps and what goes to the other one: unused ones keep all
  std::span<T> columns_;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
