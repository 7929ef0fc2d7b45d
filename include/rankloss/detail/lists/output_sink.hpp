// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/data/outputs.hpp>
#include <rankloss/detail/lists/list_block.hpp>
#include <rankloss/detail/lists/list_source.hpp>
#include <rankloss/detail/lists/transpose.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <type_traits>
#include <utility>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// A gradient or Hessian of the host, as list_run writes it. A loss writes directly to the host's memory if
/// the type, the mask and the update mode allow it; otherwise it writes to scratch, from which `commit`
/// copies.
template <list_source Source>
class output_sink {
  using T = typename Source::score_type;

 public:
  output_sink(const Source& source, const shaped<real_output>& out, const outputs& how)
      : source_(source),
        out_(out),
        scale_(how.scale),
        update_(how.update),
        direct_(how.update == update::overwrite && !source.masked() &&
                out.visit([](auto* memory) { return std::is_same_v<decltype(memory), T*>; })) {}

  /// The memory to which the loss writes: the host's or scratch.
  [[nodiscard]] strided<T> target(std::size_t l, std::size_t n, workspace& scratch) const {
    if (out_.empty()) return {};
    if (!direct_) return {scratch.take<T>(n)};
    const std::pair<std::size_t, std::ptrdiff_t> at = source_.layout(l, out_);
    return out_.visit([&](auto* memory) -> strided<T> {
      if constexpr (std::is_same_v<decltype(memory), T*>)
        return {memory + at.first, n, at.second};
      else
        return {};
    });
  }

  /// Scales the values that the loss has written and copies them to their final place where necessary.
  void commit(std::size_t l, const strided<T>& written, double factor) const {
    if (out_.empty()) return;
    bring(l, written, held_as<double>(scale_ * factor));
    clear_padding(l);
  }

  /// The same for the lists [first, first + written.size()) of a list_block, which lie `pitch` apart in memory;
  /// what was written may be changed.
  template <class Block>
  void commit(const Block& block, std::size_t first, std::span<const strided<T>> written,
              std::span<const double> factors, std::size_t pitch) const {
    if (out_.empty()) return;
    out_.visit([&](auto* memory) {
      using G = std::remove_pointer_t<decltype(memory)>;
      std::array<std::size_t, tuning::block_lists> from{};
      std::array<double, tuning::block_lists> rounded;
      std::array<std::pair<std::size_t, std::ptrdiff_t>, tuning::block_lists> place;
      bool plain = !source_.masked();
      for (std::size_t k = 0; k < written.size(); ++k) {
        const double factor = held_as<double>(scale_ * factors[k]);
        plain = plain && narrow<T>(factor);
        rounded[k] = rounded_factor<G>(factor);
        place[k] = source_.layout(first + k, out_);
      }
      if constexpr (std::is_same_v<G, T>) {
        const bool side_by_side = written.size() > 1 && place[1].first == place[0].first + 1;
        if (plain && side_by_side) {
          for (std::size_t k = 0; k < written.size(); ++k) {
            T* const items = written[k].data();
            const T own = static_cast<T>(rounded[k]);
            for (std::size_t i = 0; i < written[k].size(); ++i) items[i] *= own;
          }
          bring_block(written[0].data(), pitch, written.size(), written[0].size(), memory + place[0].first,
                      static_cast<std::size_t>(place[0].second));
          return;
        }
      }
      block.for_pieces(written.size(), [&](std::size_t k, std::size_t i) {
        G& to = *(memory + place[k].first + static_cast<std::ptrdiff_t>(i) * place[k].second);
        if (block.kept(first + k, i))
          bring(to, written[k][from[k]++], rounded[k]);
        else
          put(to, 0.0, update_);
      });
    });
  }

  /// How numbers of T reach the outputs of neighbouring lists item by item.
  struct across_target {
    std::span<const double> factors;  // of each list, rounded
    std::span<const T> narrow_factors;
    bool plain = false;  // whether outputs are of T, side by side, and all factors may be applied in T
  };
  [[nodiscard]] across_target target_across(std::size_t first, std::span<const double> factors,
                                            workspace& scratch) const {
    const std::span<double> rounded = scratch.take<double>(factors.size());
    const std::span<T> narrowed = scratch.take<T>(factors.size());
    bool plain = source_.layout(first + 1, out_).first == source_.layout(first, out_).first + 1;
    out_.visit([&](auto* memory) {
      using G = std::remove_pointer_t<decltype(memory)>;
      plain = plain && std::is_same_v<G, T>;
      for (std::size_t k = 0; k < factors.size(); ++k) {
        const double factor = held_as<double>(scale_ * factors[k]);
        plain = plain && narrow<T>(factor);
        rounded[k] = rounded_factor<G>(factor);
        narrowed[k] = held_as<T>(factor);
      }
    });
    return {rounded, narrowed, plain};
  }

  /// Brings item i of neighbouring lists, times factors from to.factors[k] on, to its place; what was written may be
  /// changed.
  void commit_across(std::size_t first, std::size_t i, std::span<T> written, const across_target& to,
                     std::size_t k) const {
    out_.visit([&](auto* memory) {
      using G = std::remove_pointer_t<decltype(memory)>;
      const auto [at, next_item] = source_.layout(first, out_);
      G* const place = memory + at + static_cast<std::ptrdiff_t>(i) * next_item;
      const std::size_t count = written.size(), next_list = source_.layout(first + 1, out_).first - at;
      T* const items = written.data();
      if constexpr (std::is_same_v<G, T>)
        if (to.plain) {
          const T* const factors = to.narrow_factors.data() + k;
          T* const products = update_ == update::overwrite ? place : items;
          for (std::size_t l = 0; l < count; ++l) products[l] = items[l] * factors[l];
          if (update_ == update::overwrite) return;
          hide(items);
          return add_row(items, count, place);
        }
      for (std::size_t l = 0; l < count; ++l) bring(place[l * next_list], items[l], to.factors[k + l]);
    });
  }

  /// The same for item i of list l alone, whose others stay as they are.
  void commit_item(std::size_t l, std::size_t i, const T& written, double factor) const {
    out_.visit([&](auto* memory) {
      using G = std::remove_pointer_t<decltype(memory)>;
      const auto [first, stride] = source_.layout(l, out_);
      bring(*(memory + first + static_cast<std::ptrdiff_t>(i) * stride), written,
            rounded_factor<G>(held_as<double>(scale_ * factor)));
    });
  }
  /// Writes 0 for all items of list l.
  void clear(std::size_t l) const {
    out_.visit([&](auto* memory) {
      const auto [first, stride] = source_.layout(l, out_);
      const std::size_t n = source_.size(l);
      if (stride == 1)
        return static_cast<void>(std::fill_n(memory + first, n, std::remove_pointer_t<decltype(memory)>{0}));
      for (std::size_t i = 0; i < n; ++i) *(memory + first + static_cast<std::ptrdiff_t>(i) * stride) = 0;
    });
  }

 private:
  /// Whether a factor may be applied in the type S: it is not subnormal in S, so that it keeps its digits,
  /// and its product with a number of S never overflows.
  template <class S>
  [[nodiscard]] static bool narrow(double factor) noexcept {
    return std::abs(factor) <= 1.0 && std::abs(factor) >= static_cast<double>(std::numeric_limits<S>::min());
  }

  void bring(std::size_t l, const strided<T>& written, double factor) const {
    if (direct_) {
      if (factor == 1.0) return;
      if (!narrow<T>(factor)) {
        for (std::size_t i = 0; i < written.size(); ++i)
          written[i] = held_as<T>(static_cast<double>(written[i]) * factor);
      } else if (written.stride() == 1) {
        T* memory = written.data();
        for (std::size_t i = 0; i < written.size(); ++i) memory[i] *= static_cast<T>(factor);
      } else {
        for (std::size_t i = 0; i < written.size(); ++i) written[i] *= static_cast<T>(factor);
      }
      return;
    }
    out_.visit([&](auto* memory) {
      using G = std::remove_pointer_t<decltype(memory)>;
      const double rounded = rounded_factor<G>(factor);
      const auto [first, stride] = source_.layout(l, out_);
      std::size_t from = 0;
      for (std::size_t i = 0; i < source_.size(l); ++i) {
        G& to = *(memory + first + static_cast<std::ptrdiff_t>(i) * stride);
        if (!source_.masked() || source_.kept(l, i))
          bring(to, written[from++], rounded);
        else
          put(to, 0.0, update_);
      }
    });
  }

  /// The factor as it multiplies numbers of T on their way to an output of G.
  template <class G>
  [[nodiscard]] static double rounded_factor(double factor) noexcept {
    using wide = std::common_type_t<G, T>;
    return narrow<wide>(factor) ? static_cast<double>(static_cast<wide>(factor)) : factor;
  }
  /// Brings lists, of n items each and `pitch` apart, to memory where they lie side by side.
  void bring_block(const T* lists, std::size_t pitch, std::size_t count, std::size_t n, T* to,
                   std::size_t row) const {
    constexpr std::size_t rows = tuning::block_rows, wide = tuning::block_lists;
    std::array<T, rows * wide> piece;
    for (std::size_t begin = 0; begin < n; begin += rows) {
      const std::size_t own = std::min(rows, n - begin), next = std::min(begin + 2 * rows, n);
      for (std::size_t i = begin + own; i < next; ++i) prefetch_row<true>(to + i * row, count);
      if (update_ == update::overwrite) {
        transpose(lists + begin, pitch, count, own, to + begin * row, row);
        continue;
      }
      transpose(lists + begin, pitch, count, own, piece.data(), wide);
      for (std::size_t i = 0; i < own; ++i) add_row(piece.data() + i * wide, count, to + (begin + i) * row);
    }
  }

  /// What `put` makes of numbers that are added: a sum in T is that in double, rounded to T.
  static void add_row(T* items, std::size_t count, T* to) noexcept {
    for (std::size_t k = 0; k < count; ++k) items[k] += to[k];
    hide(items);
    for (std::size_t k = 0; k < count; ++k) to[k] = bounded(items[k]);
  }

  /// `opaque` of numbers in memory.
  static void hide([[maybe_unused]] T* items) noexcept {
#if defined(__GNUC__)
    __asm__("" : : "r"(items) : "memory");
#endif
  }

  template <class G>
  void bring(G& to, const T& written, double rounded) const {
    using wide = std::common_type_t<G, T>;
    put(to, static_cast<double>(held_as<wide>(static_cast<double>(written) * rounded)), update_);
  }

  void clear_padding(std::size_t l) const {
    const std::size_t padding = source_.padding(l);
    if (padding == 0 || update_ == update::add) return;
    const std::pair<std::size_t, std::ptrdiff_t> at = source_.layout(l, out_);
    out_.visit([&](auto* memory) {
      for (std::size_t i = 0; i < padding; ++i)
        memory[static_cast<std::ptrdiff_t>(at.first) +
               static_cast<std::ptrdiff_t>(source_.size(l) + i) * at.second] = 0;
    });
  }

  const Source& source_;
  const shaped<real_output>& out_;
  double scale_;
  rankloss::update update_;
  bool direct_;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
