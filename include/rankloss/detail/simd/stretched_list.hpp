// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The lanes of a row of U: those of a batch, or a single double.
template <class U>
inline constexpr std::size_t row_width = sizeof(U) / sizeof(double);

/// A row from an array, and into it.
template <class U>
[[nodiscard]] [[gnu::always_inline]] inline U row_at(const double* from) noexcept {
  if constexpr (std::is_same_v<U, double>)
    return *from;
  else
    return U::load_unaligned(from);
}
template <class U>
[[gnu::always_inline]] inline void put_row(const U& row, double* to) noexcept {
  if constexpr (std::is_same_v<U, double>)
    *to = row;
  else
    row.store_unaligned(to);
}

/// How a list lies in pieces, and each piece over all lanes, one stretch of neighbours in each lane: row r of
/// a piece that begins at item b holds the items b + r, b + rows + r, b + 2 rows + r and so on. The last
/// stretches of a piece may end earlier, or be empty; what their lanes hold there is padding. A short list is
/// one stretch, and its rows are its items. All this depends on the length of the list alone.
///
/// An array over the items has one row more than there are in each piece.
template <class Arch>
class stretched_list {
  using V = lanes<Arch>;
  static constexpr std::size_t w = lane_count<Arch>;

 public:
  struct piece {
    std::size_t begin, size;  ///< its items
    std::size_t rows;
    std::size_t at;  ///< its first row in an array over the items

    [[nodiscard]] std::size_t end() const noexcept { return begin + size; }
    /// The item of lane l in row r, or what would be one in a longer list.
    [[nodiscard]] std::size_t item(std::size_t r, std::size_t l) const noexcept {
      return begin + l * rows + r;
    }
  };

  /// @param piece_items  a multiple of the lanes
  /// @param shortest     fewer items are one stretch
  explicit stretched_list(std::size_t n, std::size_t piece_items = tuning::stretched_items,
                          std::size_t shortest = tuning::shortest_stretched) noexcept
      : n_(n),
        piece_items_(piece_items),
        count_(n > 0 ? std::max<std::size_t>(n / piece_items, 1) : 0),
        width_(n < shortest ? 1 : w) {
    static_assert(tuning::stretched_items % w == 0);
  }

  [[nodiscard]] std::size_t pieces() const noexcept { return count_; }
  /// Lanes of a row: all, or one where the list is short.
  [[nodiscard]] std::size_t width() const noexcept { return width_; }
  /// The last piece has the items that are left over.
  [[nodiscard]] piece operator[](std::size_t p) const noexcept {
    const std::size_t begin = p * piece_items_, end = p + 1 < count_ ? begin + piece_items_ : n_;
    return {begin, end - begin, (end - begin + width_ - 1) / width_, begin + p * width_};
  }

  /// An array over the items, not initialised.
  [[nodiscard]] std::span<double> take(workspace& scratch) const {
    if (count_ == 0) return {};
    const piece last = (*this)[count_ - 1];
    return scratch.take<double>(last.at + (last.rows + 1) * width_);
  }

  /// Writes get(i) for each item i of a piece to an array over the items, and 0 to its padding.
  /// @param rows  of the piece, or one more: each stretch then has the item behind it, too
  /// @param end   get(i) is read for items before it: of.end(), or one more
  template <class Get>
  void fill(const piece& of, std::size_t rows, std::size_t end, double* to, const Get& get) const {
    to += of.at;
    if (width_ == 1) {
      for (std::size_t r = 0; r < rows; ++r) to[r] = get(of.begin + r);
      return;
    }
    // Rows in which every lane has an item before `end`.
    const std::size_t last = of.item(0, w - 1), whole = std::min(end > last ? end - last : 0, rows);
    std::size_t r = 0;
    for (; r < whole; ++r)
      for (std::size_t l = 0; l < w; ++l) to[r * w + l] = get(of.item(r, l));
    for (; r < rows; ++r)
      for (std::size_t l = 0; l < w; ++l) to[r * w + l] = of.item(r, l) < end ? get(of.item(r, l)) : 0.0;
  }
  template <class Get>
  void fill(const piece& of, double* to, const Get& get) const {
    fill(of, of.rows, of.end(), to, get);
  }

  /// put(i, number) for the number of each item i in row r, whose width is that of the list.
  template <class Put>
  [[gnu::always_inline]] static void for_items(const piece& of, std::size_t r, const V& row,
                                               const Put& put) noexcept {
    alignas(64) double numbers[w];
    row.store_aligned(numbers);
    if (of.item(r, w - 1) < of.end()) {
      for (std::size_t l = 0; l < w; ++l) put(of.item(r, l), numbers[l]);
    } else {
      for (std::size_t l = 0; l < w; ++l)
        if (of.item(r, l) < of.end()) put(of.item(r, l), numbers[l]);
    }
  }
  template <class Put>
  [[gnu::always_inline]] static void for_items(const piece& of, std::size_t r, double number,
                                               const Put& put) noexcept {
    put(of.begin + r, number);
  }

 private:
  std::size_t n_, piece_items_, count_, width_;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
