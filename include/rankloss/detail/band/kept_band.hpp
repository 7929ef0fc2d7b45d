// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/band/neural_band.hpp>
#include <rankloss/detail/base/pieces.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The entries P of a NeuralSort band, its rows summing to 1, kept in the type of the scores: half the memory
/// for float.
///
/// The time of a product is that of loading P from the cache, so `walk` computes products and column sums in
/// one pass over P: it goes in chunks of a few rows and uses the products of a chunk for the column sums
/// while the chunk is still in the nearest cache. Workers share the chunks of a large band, in pieces with column sums
/// of their own.
template <class Arch, class T>
class kept_band {
  using V = lanes<Arch>;
  static constexpr std::size_t w = lane_count<Arch>;
  static constexpr std::size_t height =
      4;  // rows of a chunk: their sums, two each, fit the registers of every target

 public:
  /// @param band  a band whose row sums are known, that is, after its `apply`
  kept_band(const neural_band<Arch, T>& band, workspace& scratch) : band_(band), scratch_(scratch) {
    const std::size_t rows = band.rows();
    chunks_ = scratch.take<chunk>((rows + height - 1) / height);
    const even_pieces stretches(chunks_.size(), tuning::band_rows / height);
    run_pieces(scratch, stretches.count(), [&](workspace&, std::size_t p) {
      for (std::size_t b = stretches[p].begin; b < stretches[p].end; ++b) chunks_[b] = extent_of(b);
    });
    std::size_t columns = 0;
    for (chunk& one : chunks_) {
      one.entries = columns * height * w;
      columns += static_cast<std::size_t>(one.end - one.begin);
    }
    entries_ = scratch.take<T>(columns * height * w);
    run_pieces(scratch, stretches.count(), [&](workspace&, std::size_t p) {
      for (std::size_t b = stretches[p].begin; b < stretches[p].end; ++b) fill(b);
    });
    cut(columns);
  }

  /// Parts of the band, each the work of one worker.
  [[nodiscard]] std::size_t pieces() const noexcept { return pieces_.size(); }

  template <class Body>
  [[gnu::always_inline]] void for_rows(Body body) const {
    for (std::size_t i = 0; i < band_.rows(); ++i) body(band_.index(i));
  }

  /// y_j = a_j b_j, including the halo that `walk` and `products` read.
  void multiply(std::span<const double> a, std::span<const double> b, std::span<double> y) const {
    for_rows([&](std::size_t at) {
      (V::load_aligned(a.data() + at) * V::load_aligned(b.data() + at)).store_aligned(y.data() + at);
    });
    band_.spread(y);
  }

  /// One pass over P: computes x_i = body(index of row i, sum_j P_ij y_j) and the column sums and moments of
  /// these x. If y is empty, the products are 0. If `sums` is empty, neither sums nor moments are computed;
  /// if `moments` is empty, no moments. The halo of y is read. Workers share the rows of a long list, so what `body`
  /// writes must be of its row, and must not be y.
  template <class Body>
  [[gnu::always_inline]] void walk(std::span<const double> y, Body body, std::span<double> sums,
                                   std::span<double> moments) const {
    if (pieces_.size() == 1) {
      walk_piece(pieces_[0], y, body, sums.empty() ? nullptr : sums.data(),
                 moments.empty() ? nullptr : moments.data());
    } else {
      const bool summed = !sums.empty(), weighed = !moments.empty();
      run_pieces(scratch_, pieces_.size(), [&](workspace&, std::size_t p) {
        walk_piece(pieces_[p], y, body, summed ? sums_.data() + pieces_[p].at : nullptr,
                   weighed ? moments_.data() + pieces_[p].at : nullptr);
      });
      join(sums_.data(), sums);
      join(moments_.data(), moments);
    }
    if (!sums.empty()) band_.gather(sums);
    if (!moments.empty()) band_.gather(moments);
  }
  /// Computes the products only.
  template <class Body>
  [[gnu::always_inline]] void products(std::span<const double> y, Body body) const {
    const auto no_x = [&](std::size_t at, const V& product) {
      body(at, product);
      return V(0.0);
    };
    walk(y, no_x, {}, {});
  }
  /// Computes the column sums, and the moments unless `moments` is empty, for x_i = x(index of row i).
  template <class Body>
  [[gnu::always_inline]] void column_sums(Body x, std::span<double> sums, std::span<double> moments) const {
    walk(
        {}, [&](std::size_t at, const V&) { return x(at); }, sums, moments);
  }

 private:
  /// Columns [begin, end) of `height` rows from `top` on, stored column by column, with zeros where a row has
  /// no entry.
  struct chunk {
    std::ptrdiff_t top, begin, end;
    std::size_t entries;  // index of the first entry
  };

  /// Chunks whose column sums are formed by one worker, and the columns [begin, end) that these reach.
  struct piece {
    item_range chunks;
    std::ptrdiff_t begin, end;
    std::size_t at;  // where its sums begin among those of all pieces
  };

  template <class Body>
  [[gnu::always_inline]] void walk_piece(const piece& of, std::span<const double> y, Body body, double* sums,
                                         double* moments) const {
    const std::size_t size = static_cast<std::size_t>(of.end - of.begin) * w;
    if (sums != nullptr) std::fill_n(sums, size, 0.0);
    if (moments != nullptr) std::fill_n(moments, size, 0.0);
    std::array<V, height> x;
    for (std::size_t b = of.chunks.begin; b < of.chunks.end; ++b) {
      x.fill(V(0.0));
      if (!y.empty()) x = product(chunks_[b], y.data());
      for (std::size_t h = 0; h < height; ++h) {
        const std::size_t i = b * height + h;
        if (i < band_.rows()) x[h] = body(band_.index(i), x[h]);
      }
      const std::size_t from = static_cast<std::size_t>(chunks_[b].begin - of.begin) * w;
      if (sums != nullptr)
        add_columns(chunks_[b], x, sums + from, moments == nullptr ? nullptr : moments + from);
    }
  }

  /// The columns that the rows of chunk b reach.
  [[nodiscard]] chunk extent_of(std::size_t b) const {
    const auto top = static_cast<std::ptrdiff_t>(b * height);
    std::ptrdiff_t begin = top;
    std::ptrdiff_t end = top + 1;
    for (std::size_t i = b * height; i < std::min(band_.rows(), (b + 1) * height); ++i) {
      const auto row = static_cast<std::ptrdiff_t>(i);
      end = std::max(end, row + 1);
      band_.walk_rows(i, [&](std::ptrdiff_t m, const V&, std::size_t) {
        begin = std::min(begin, row + m);
        end = std::max(end, row + m + 1);
      });
    }
    // A chunk begins at an even column and has an even number of columns, so that the sum of `product` to
    // which an entry is added, even or odd, does not depend on other lanes.
    begin -= begin & 1;
    end += end & 1;
    return {top, begin, end, 0};
  }
  void fill(std::size_t b) const {
    const chunk& own = chunks_[b];
    std::fill_n(entries_.data() + own.entries, static_cast<std::size_t>(own.end - own.begin) * height * w,
                T{0});
    for (std::size_t i = b * height; i < std::min(band_.rows(), (b + 1) * height); ++i) {
      T* diagonal = entries_.data() + own.entries + (i % height) * w +
                    static_cast<std::size_t>(static_cast<std::ptrdiff_t>(i) - own.begin) * height * w;
      const V scale = V::load_aligned(band_.inverse_sums().data() + band_.index(i));
      store_row<Arch>(diagonal, scale);
      band_.walk_rows(i, [&](std::ptrdiff_t m, const V& e, std::size_t) {
        store_row<Arch>(diagonal + m * static_cast<std::ptrdiff_t>(height * w), e * scale);
      });
    }
  }
  /// Cuts the chunks of one list into pieces by the number of their entries. Those of lists in lanes are one piece,
  /// since a cut would depend on the other lists.
  /// @param columns  those of all chunks
  void cut(std::size_t columns) {
    const auto halo = static_cast<std::ptrdiff_t>(band_.index(std::size_t{0}) / w);
    const auto rows = static_cast<std::ptrdiff_t>(band_.rows());
    const std::size_t most = band_.of_one_list() ? tuning::band_columns : columns;
    pieces_ = scratch_.take<piece>(columns / most + 1);
    std::size_t count = 0, sums = 0;
    for (std::size_t b = 0; b < chunks_.size();) {
      piece own{{b, b}, rows + halo, -halo, sums};
      for (std::size_t held = 0; b < chunks_.size() && held < most; ++b) {
        held += static_cast<std::size_t>(chunks_[b].end - chunks_[b].begin);
        own.begin = std::min(own.begin, chunks_[b].begin);
        own.end = std::max(own.end, chunks_[b].end);
      }
      own.chunks.end = b;
      sums += static_cast<std::size_t>(own.end - own.begin) * w;
      pieces_[count++] = own;
    }
    pieces_ = pieces_.first(count);
    if (count == 1) {
      // Its sums are those of all columns.
      pieces_[0].begin = -halo;
      pieces_[0].end = rows + halo;
      return;
    }
    sums_ = scratch_.take<double>(sums);
    moments_ = scratch_.take<double>(sums);
  }
  /// Adds up the sums of all pieces in their order, unless `to` is empty.
  void join(const double* from, std::span<double> to) const {
    const even_pieces parts(to.size() / w, tuning::joined_columns);
    run_pieces(scratch_, parts.count(), [&](workspace&, std::size_t p) {
      const auto halo = static_cast<std::ptrdiff_t>(band_.index(std::size_t{0}) / w);
      const auto begin = static_cast<std::ptrdiff_t>(parts[p].begin) - halo;
      const auto end = static_cast<std::ptrdiff_t>(parts[p].end) - halo;
      double* const columns = to.data();
      std::fill_n(columns + parts[p].begin * w, parts[p].size() * w, 0.0);
      for (const piece& own : pieces_) {
        const std::ptrdiff_t last = std::min(end, own.end);
        for (std::ptrdiff_t j = std::max(begin, own.begin); j < last; ++j) {
          double* const sum = columns + band_.index(j);
          const double* const more = from + own.at + static_cast<std::size_t>(j - own.begin) * w;
          (V::load_aligned(sum) + V::load_aligned(more)).store_aligned(sum);
        }
      }
    });
  }

  /// sum_j P_ij y_j for the rows of a chunk.
  [[gnu::noinline]] std::array<V, height> product(const chunk of, const double* y) const {
    std::array<V, height> even;
    std::array<V, height> odd;
    even.fill(V(0.0));
    odd.fill(V(0.0));
    const T* entry = entries_.data() + of.entries;
    const double* from = y + band_.index(of.begin);
    for (std::ptrdiff_t j = of.begin; j < of.end; j += 2, entry += 2 * height * w, from += 2 * w) {
      const V left = V::load_aligned(from);
      const V right = V::load_aligned(from + w);
      for (std::size_t h = 0; h < height; ++h)
        even[h] = xsimd::fma(load_row<Arch>(entry + h * w), left, even[h]);
      for (std::size_t h = 0; h < height; ++h)
        odd[h] = xsimd::fma(load_row<Arch>(entry + (height + h) * w), right, odd[h]);
    }
    for (std::size_t h = 0; h < height; ++h) even[h] += odd[h];
    return even;
  }
  /// Adds a chunk's part to sums_j = sum_i P_ij x_i and, where wanted, moments_j = sum_i P_ij (i - j) x_i, which begin
  /// with the chunk's first column.
  [[gnu::noinline]] void add_columns(const chunk of, const std::array<V, height>& x, double* sum_to,
                                     double* moment_to) const {
    static_assert(height == 4);
    const V x0 = x[0], x1 = x[1], x2 = x[2],
            x3 = x[3];  // copies, because the compiler must assume that stores to the sums may change x
    const T* entry = entries_.data() + of.entries;
    const auto add = [](double* to, const V& more) { (V::load_aligned(to) + more).store_aligned(to); };
    const auto sum_of_column = [&](const V& a, const V& b, const V& c, const V& d) {
      return xsimd::fma(a, x0, b * x1) + xsimd::fma(c, x2, d * x3);
    };
    if (moment_to == nullptr) {
      for (std::ptrdiff_t j = of.begin; j < of.end; ++j, entry += height * w, sum_to += w)
        add(sum_to, sum_of_column(load_row<Arch>(entry), load_row<Arch>(entry + w),
                                  load_row<Arch>(entry + 2 * w), load_row<Arch>(entry + 3 * w)));
      return;
    }
    const V twice = V(2.0) * x2;
    const V thrice = V(3.0) * x3;
    // i - j = (i - top) + (top - j), and `offset` is top - j.
    V offset(static_cast<double>(of.top - of.begin));
    for (std::ptrdiff_t j = of.begin; j < of.end; ++j, entry += height * w, sum_to += w, moment_to += w) {
      const V b = load_row<Arch>(entry + w);
      const V c = load_row<Arch>(entry + 2 * w);
      const V d = load_row<Arch>(entry + 3 * w);
      const V sum = sum_of_column(load_row<Arch>(entry), b, c, d);
      add(sum_to, sum);
      add(moment_to, xsimd::fma(offset, sum, xsimd::fma(b, x1, xsimd::fma(c, twice, d * thrice))));
      offset -= V(1.0);
    }
  }

  const neural_band<Arch, T>& band_;
  workspace& scratch_;
  std::span<chunk> chunks_;
  std::span<T> entries_;
  std::span<piece> pieces_;
  std::span<double> sums_, moments_;  // of all pieces, if there are several
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
