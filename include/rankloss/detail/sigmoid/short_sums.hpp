// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/arrays.hpp>
#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The sums of sigmoid_sums.hpp for short lists, pair by pair: without a sort, and with each slope kept for the pull.
/// Lanes hold neighbouring items of one list, or a list each. Either way a sum runs over its list in its order and
/// has the same summands, so its bits are the same, and items of equal score have ranks of equal bits.

/// sigmoid(d), sigmoid(-d) and sigmoid'(d).
template <class V>
struct two_sigmoids {
  V value, of_opposite, slope;
};
/// By one exponential, that of a number that is not above 0.
template <class T, class Arch>
[[nodiscard]] [[gnu::always_inline]] inline two_sigmoids<lanes<Arch>> sigmoids_at(
    const lanes<Arch>& d) noexcept {
  using V = lanes<Arch>;
  const V u = exp_below<T>(xsimd::min(xsimd::abs(d), V(1e300)));
  const V high = V(1.0) / (V(1.0) + u);
  const V low = u * high;
  const auto positive = d > V(0.0);
  return {xsimd::select(positive, high, low), xsimd::select(positive, low, high), low * high};
}

/// One list.
template <class Arch, class T>
class short_sums {
  using V = lanes<Arch>;
  static constexpr std::size_t w = lane_count<Arch>;

 public:
  short_sums() = default;

  short_sums(const strided<const T>& scores, double temperature, workspace& scratch)
      : n_(scores.size()),
        padded_(padded_rows(n_, w)),
        // Scores are halved first: their difference may overflow.
        scale_(2.0 / temperature),
        halves_(scratch.take<double>(padded_)),
        slopes_(scratch.take<double>(n_ * padded_)) {
    for (std::size_t i = 0; i < n_; ++i) halves_[i] = 0.5 * static_cast<double>(bounded(scores[i]));
    std::fill(halves_.begin() + static_cast<std::ptrdiff_t>(n_), halves_.end(), 0.0);
  }

  /// out_i = 1 + sum_{j != i} sigmoid((s_j - s_i) / t)
  void ranks(std::span<double> out) {
    for_rows<Arch>(n_, [&](std::size_t i, auto count) {
      const V own = V::load_unaligned(halves_.data() + i);
      V rank(0.5);  // the item itself counts 1/2 among the others
      for (std::size_t j = 0; j < n_; ++j) {
        const two_sigmoids<V> pair = sigmoids_at<T>((V(halves_[j]) - own) * V(scale_));
        rank += pair.value;
        pair.slope.store_unaligned(slopes_.data() + j * padded_ + i);
      }
      store_items<Arch>(out.data() + i, count, rank);
    });
  }

  /// out_i = sum_{j != i} (a_j - a_i) sigmoid'((s_j - s_i) / t). Requires a previous call of `ranks`.
  void pull(std::span<const double> a, std::span<double> out) const {
    for_rows<Arch>(n_, [&](std::size_t i, auto count) {
      const V own = load_items<Arch>(a.data() + i, count);
      V sum(0.0);
      for (std::size_t j = 0; j < n_; ++j)
        sum = xsimd::fma(V(a[j]) - own, V::load_unaligned(slopes_.data() + j * padded_ + i), sum);
      store_items<Arch>(out.data() + i, count, sum);
    });
  }

 private:
  std::size_t n_ = 0;
  std::size_t padded_ = 0;
  double scale_ = 0.0;
  std::span<double> halves_;  // [padded] half of each score
  std::span<double> slopes_;  // [n][padded] sigmoid' of each pair
};

/// One list in each lane, with each pair computed once. Arrays hold a row of lanes for each item, [rows][lanes]; what is
/// in the rows behind a list is unspecified. With `Curvatures` those of the sigmoid are kept too.
template <class Arch, class T, bool Curvatures = false>
class short_group_sums {
  using V = lanes<Arch>;
  static constexpr std::size_t w = lane_count<Arch>;

 public:
  short_group_sums(const plain_rows<Arch>& in, double temperature, workspace& scratch)
      : in_(in),
        rows_(in.rows.rows),
        scale_(2.0 / temperature),
        halves_(scratch.take<double>(rows_ * w)),
        slopes_(scratch.take<double>(rows_ * (rows_ - 1) / 2 * w)),
        curvatures_(scratch.take<double>(Curvatures ? slopes_.size() : 0)) {
    for (std::size_t at = 0; at < rows_ * w; ++at) halves_[at] = 0.5 * in.x[at];
  }

  [[nodiscard]] std::size_t rows() const noexcept { return rows_; }

  /// The ranks among all items of a list, and those among the items for which `counts` is 1 and not 0, unless that is
  /// empty.
  void ranks(std::span<double> out, std::span<const double> counts, std::span<double> among) {
    if (counts.empty())
      sum_ranks<false>(out, counts, among);
    else
      sum_ranks<true>(out, counts, among);
  }

  /// The pull among all items of a list. Requires a previous call of `ranks`.
  void pull(std::span<const double> a, std::span<double> out) const {
    sum_pull(a, out, [this](std::size_t, std::size_t, std::size_t at) { return slope(at); });
  }
  /// The same among the items that count; 0 for the others.
  void pull(std::span<const double> a, std::span<const double> counts, std::span<double> out) const {
    sum_pull(a, out, [&](std::size_t i, std::size_t j, std::size_t at) {
      return slope(at) * (row(counts, i) * row(counts, j));
    });
  }

  /// Calls body(i, j, at) for the pairs i < j, counted by `at`.
  template <class Body>
  [[gnu::always_inline]] void for_pairs(const Body& body) const {
    std::size_t at = 0;
    for (std::size_t i = 0; i < rows_; ++i)
      for (std::size_t j = i + 1; j < rows_; ++j, ++at) body(i, j, at);
  }
  /// sigmoid' of a pair and -sigmoid'' at (s_j - s_i) / t; both are 0 where j is behind a list.
  [[nodiscard]] V slope(std::size_t at) const noexcept { return row(slopes_, at); }
  [[nodiscard]] V curvature(std::size_t at) const noexcept requires Curvatures {
    return row(curvatures_, at);
  }

  /// Whether short_sums take less time for the lists than lanes of which some are empty.
  template <class R>
  [[nodiscard]] static bool fewer_one_by_one(std::span<const list<T, R>> lists) noexcept {
    const std::size_t rows = longest_of(lists);
    std::size_t vectors = 0;
    for (const auto& items : lists) vectors += items.size() * padded_rows(items.size(), w) / w;
    return vectors < rows * (rows - 1) / 2;
  }

 private:
  [[nodiscard]] [[gnu::always_inline]] static V row(std::span<const double> rows, std::size_t i) noexcept {
    return V::load_aligned(rows.data() + i * w);
  }
  [[gnu::always_inline]] static void put(const V& numbers, std::span<double> rows, std::size_t i) noexcept {
    numbers.store_aligned(rows.data() + i * w);
  }

  template <class Slope>
  [[gnu::always_inline]] void sum_pull(std::span<const double> a, std::span<double> out,
                                       const Slope& slope_of) const {
    std::fill(out.begin(), out.end(), 0.0);
    std::size_t at = 0;
    for (std::size_t i = 0; i < rows_; ++i) {
      const V own = row(a, i);
      V sum = row(out, i);
      for (std::size_t j = i + 1; j < rows_; ++j, ++at) {
        const V difference = row(a, j) - own, derivative = slope_of(i, j, at);
        sum = xsimd::fma(difference, derivative, sum);
        put(xsimd::fnma(difference, derivative, row(out, j)), out, j);
      }
      put(sum, out, i);
    }
  }

  template <bool Some>
  void sum_ranks(std::span<double> out, std::span<const double> counts, std::span<double> among) {
    std::fill(out.begin(), out.end(), 0.5);
    std::fill(among.begin(), among.end(), 0.5);
    std::size_t at = 0;
    for (std::size_t i = 0; i < rows_; ++i) {
      // The item itself counts 1/2 among the others, in its turn.
      V rank = row(out, i) + V(0.5), rank_among(0.0);
      if constexpr (Some) rank_among = row(among, i) + V(0.5);
      for (std::size_t j = i + 1; j < rows_; ++j, ++at) {
        const V distance = (row(halves_, j) - row(halves_, i)) * V(scale_);
        const two_sigmoids<V> pair = sigmoids_at<T>(xsimd::select(in_.holds(j), distance, V(-1e300)));
        rank += pair.value;
        put(row(out, j) + pair.of_opposite, out, j);
        if constexpr (Some) {
          rank_among = xsimd::fma(pair.value, row(counts, j), rank_among);
          put(xsimd::fma(pair.of_opposite, row(counts, i), row(among, j)), among, j);
        }
        put(pair.slope, slopes_, at);
        if constexpr (Curvatures) put(pair.slope * (pair.value - pair.of_opposite), curvatures_, at);
      }
      put(rank, out, i);
      if constexpr (Some) put(rank_among, among, i);
    }
  }

  plain_rows<Arch> in_;
  std::size_t rows_;
  double scale_;
  std::span<double> halves_;  // half of each score
  std::span<double> slopes_;  // [rows (rows - 1) / 2][lanes] sigmoid' of each pair
  std::span<double> curvatures_;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
