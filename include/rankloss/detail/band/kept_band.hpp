// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/band/neural_band.hpp>
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
/// while the chunk is still in the nearest cache.
template <class Arch, class T>
class kept_band {
  using V = lanes<Arch>;
  static constexpr std::size_t w = lane_count<Arch>;
  static constexpr std::size_t height =
      4;  // rows of a chunk: their sums, two each, fit the registers of every target

 public:
  /// @param band  a band whose row sums are known, that is, after its `apply`
  kept_band(const neural_band<Arch, T>& band, workspace& scratch) : band_(band) {
    const std::size_t rows = band.rows();
    chunks_ = scratch.take<chunk>((rows + height - 1) / height);
    std::size_t columns = 0;
    for (std::size_t b = 0; b < chunks_.size(); ++b) {
      const auto top = static_cast<std::ptrdiff_t>(b * height);
      std::ptrdiff_t begin = top;
      std::ptrdiff_t end = top + 1;
      for (std::size_t i = b * height; i < std::min(rows, (b + 1) * height); ++i) {
        const auto row = static_cast<std::ptrdiff_t>(i);
        end = std::max(end, row + 1);
        band.walk_rows(i, [&](std::ptrdiff_t m, const V&, std::size_t) {
          begin = std::min(begin, row + m);
          end = std::max(end, row + m + 1);
        });
      }
      // A chunk begins at an even column and has an even number of columns, so that the sum of `product` to
      // which an entry is added, even or odd, does not depend on other lanes.
      begin -= begin & 1;
      end += end & 1;
      chunks_[b] = {top, begin, end, columns * height * w};
      columns += static_cast<std::size_t>(end - begin);
    }
    entries_ = scratch.take<T>(columns * height * w);
    std::fill(entries_.begin(), entries_.end(), T{0});
    const std::span<const double> inverse = band.inverse_sums();
    for (std::size_t i = 0; i < rows; ++i) {
      const chunk& own = chunks_[i / height];
      T* diagonal = entries_.data() + own.entries + (i % height) * w +
                    static_cast<std::size_t>(static_cast<std::ptrdiff_t>(i) - own.begin) * height * w;
      const V scale = V::load_aligned(inverse.data() + band.index(i));
      store_row<Arch>(diagonal, scale);
      band.walk_rows(i, [&](std::ptrdiff_t m, const V& e, std::size_t) {
        store_row<Arch>(diagonal + m * static_cast<std::ptrdiff_t>(height * w), e * scale);
      });
    }
  }

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
  /// if `moments` is empty, no moments. The halo of y is read.
  template <class Body>
  [[gnu::always_inline]] void walk(std::span<const double> y, Body body, std::span<double> sums,
                                   std::span<double> moments) const {
    std::fill(sums.begin(), sums.end(), 0.0);
    std::fill(moments.begin(), moments.end(), 0.0);
    std::array<V, height> x;
    for (std::size_t b = 0; b < chunks_.size(); ++b) {
      x.fill(V(0.0));
      if (!y.empty()) x = product(chunks_[b], y.data());
      for (std::size_t h = 0; h < height; ++h) {
        const std::size_t i = b * height + h;
        if (i < band_.rows()) x[h] = body(band_.index(i), x[h]);
      }
      if (!sums.empty()) add_columns(chunks_[b], x, sums.data(), moments.empty() ? nullptr : moments.data());
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
  /// Adds a chunk's part to sums_j = sum_i P_ij x_i and, where wanted, moments_j = sum_i P_ij (i - j) x_i.
  [[gnu::noinline]] void add_columns(const chunk of, const std::array<V, height>& x, double* sums,
                                     double* moments) const {
    static_assert(height == 4);
    const V x0 = x[0], x1 = x[1], x2 = x[2],
            x3 = x[3];  // copies, because the compiler must assume that stores to the sums may change x
    const T* entry = entries_.data() + of.entries;
    double* sum_to = sums + band_.index(of.begin);
    const auto add = [](double* to, const V& more) { (V::load_aligned(to) + more).store_aligned(to); };
    const auto sum_of_column = [&](const V& a, const V& b, const V& c, const V& d) {
      return xsimd::fma(a, x0, b * x1) + xsimd::fma(c, x2, d * x3);
    };
    if (moments == nullptr) {
      for (std::ptrdiff_t j = of.begin; j < of.end; ++j, entry += height * w, sum_to += w)
        add(sum_to, sum_of_column(load_row<Arch>(entry), load_row<Arch>(entry + w),
                                  load_row<Arch>(entry + 2 * w), load_row<Arch>(entry + 3 * w)));
      return;
    }
    double* moment_to = moments + band_.index(of.begin);
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
  std::span<chunk> chunks_;
  std::span<T> entries_;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
