// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/sigmoid/decay_rows.hpp>
#include <rankloss/detail/sigmoid/sorted_sums.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <utility>

/// The scans of sorted_sums.hpp for one short list, with the bits that the list has as one lane of a group. There the
/// lanes hold lists, and all but one would be empty. Here they hold the terms k, each one item behind the term before
/// it: the power q^k of an item is made from its q^(k - 1), which the lane beside has made one step earlier, and so is
/// the sum of the terms up to k.
///
///     step t    term 1: item t     term 2: item t - 1     term 3: item t - 2   ...
namespace rankloss::inline RANKLOSS_ABI::detail {

/// Lane l of the result is lane l + 1 of x, but lane `End` is the first one of y. Lanes behind it are unspecified.
template <std::size_t End, class Arch>
[[nodiscard]] [[gnu::always_inline]] inline lanes<Arch> moved_down(const lanes<Arch>& x,
                                                                   const lanes<Arch>& y) noexcept {
  constexpr std::size_t w = lane_count<Arch>;
  return [&]<std::size_t... l>(std::index_sequence<l...>) {
    return lanes_of<Arch>(x, y, std::index_sequence<(l == End ? w : (l + 1) % w)...>{});
  }
  (std::make_index_sequence<w>());
}

/// Sums of K exponentials over the items above and below each item of one list.
template <class Arch, std::size_t K>
class skewed_sums {
  using V = lanes<Arch>;
  static constexpr std::size_t w = lane_count<Arch>;
  /// Terms are summed in two halves, as in `dot`, and each half fills vectors of its own: from its last term, in the
  /// first lane, to its first one.
  static constexpr std::size_t half = K / 2;
  static constexpr std::size_t vectors = (half + w - 1) / w;
  static constexpr std::size_t end = (half - 1) % w;  // the lane of the first term in the last vector
  /// Numbers before and behind those of the items, which lanes read that have no item yet or no more.
  static constexpr std::size_t before = K, behind = K + w;

 public:
  using coefficients = std::array<double, K>;
  /// Sums of one kernel over the items above and below, [n].
  struct both_sides {
    std::span<double> above, below;
  };

  /// Whether lists with so many items, of which the longest has `rows`, take less time one by one than in lanes of which
  /// some are empty. One of 64 to 256 takes 0.3 to 0.4 of the time of a group of eight lanes, and 0.6 to 0.8 of one of four.
  [[nodiscard]] static bool fewer_one_by_one(std::size_t items, std::size_t rows) noexcept {
    return w > 2 && 16 * items <= 5 * rows * w;
  }

  /// `decay` [n + 1] as of neighbour_decays.
  skewed_sums(std::span<const double> decay, workspace& scratch) : n_(decay.size() - 1), scratch_(&scratch) {
    for (direction& way : ways_) {
      way.first = numbers();
      way.others = numbers();
    }
    for (std::size_t i = 0; i < n_; ++i) {
      ways_[0].first[before + i] = decay[i];
      ways_[1].first[before + i] = decay[n_ - i];
    }
    for (direction& way : ways_)
      for (std::size_t i = 0; i < way.first.size(); ++i)
        way.others[i] = way.first[i] < 0x1p-51 ? 0.0 : way.first[i];
  }

  /// sum_j f(d), for kernels f of coefficients c.
  template <std::size_t C>
  void of_ones(const std::array<const coefficients*, C>& c, const std::array<both_sides, C>& to) const {
    const workspace::scope scope(*scratch_);
    run<false>(c, to, {});
  }
  /// sum_j weights_j f(d)
  void weighted(std::span<const double> weights, const coefficients& c, const both_sides& to) const {
    const workspace::scope scope(*scratch_);
    const std::span<double> moved[2] = {numbers(), numbers()};  // [i + 1] that of item i
    for (std::size_t way = 0; way < 2; ++way) {
      double* const item = moved[way].data() + before + 1;
      item[-1] = 0.0;  // nothing is before the first item, but this is read
      for (std::size_t i = 0; i < n_; ++i) item[i] = weights[way == 0 ? i : n_ - 1 - i];
    }
    run<true, 1>({&c}, {to}, {moved[0].data() + before, moved[1].data() + before});
  }

 private:
  /// What a scan reads, in the order in which it passes the items. Each array begins `before` numbers before the first
  /// one.
  struct direction {
    std::span<double> first;   ///< the factors from item to item: of the first term
    std::span<double> others;  ///< and of all others
  };
  [[nodiscard]] std::span<double> numbers() const {
    const std::span<double> all = scratch_->template take<double>(before + n_ + behind);
    std::fill_n(all.begin(), before, 0.0);
    std::fill(all.end() - behind, all.end(), 0.0);
    return all;
  }

  /// C kernels by one scan.
  template <std::size_t C>
  struct scan {
    V power[2][vectors], sum[2][vectors], dot[C][2][vectors];

    scan() noexcept {
      for (std::size_t h = 0; h < 2; ++h)
        for (std::size_t v = 0; v < vectors; ++v) {
          power[h][v] = sum[h][v] = V(0.0);
          for (std::size_t c = 0; c < C; ++c) dot[c][h][v] = V(0.0);
        }
    }

    /// Moves each term by one item.
    template <bool Weighted, class Coefficients>
    [[gnu::always_inline]] void step(const double* first, const double* others, const double* weights,
                                     const Coefficients& c, const auto& is_first) noexcept {
      // The second half takes from the first what that had before.
      half_step<1, Weighted>(first, others, weights, c, is_first);
      half_step<0, Weighted>(first, others, weights, c, is_first);
    }
    template <std::size_t h, bool Weighted, class Coefficients>
    [[gnu::always_inline]] void half_step(const double* first, const double* others, const double* weights,
                                          const Coefficients& c, const auto& is_first) noexcept {
      unrolled<vectors>([&]<std::size_t v> {
        constexpr bool last = v + 1 == vectors;
        // The item of lane 0, seen from that of the first term.
        constexpr auto behind_first =
            static_cast<std::ptrdiff_t>(v * w) - static_cast<std::ptrdiff_t>((h + 1) * half - 1);
        V factor = V::load_unaligned(others + behind_first);
        V& p = power[h][v];
        if constexpr (!last) {
          p = moved_down<w - 1, Arch>(p, power[h][v + 1]);
        } else if constexpr (h == 1) {
          p = moved_down<end, Arch>(p, power[0][0]);
        } else {
          p = moved_down<end, Arch>(p, V(1.0));
          factor = xsimd::select(is_first, V::load_unaligned(first + behind_first), factor);
        }
        p = p * factor;
        V& s = sum[h][v];
        if constexpr (Weighted)
          s = p * (s + V::load_unaligned(weights + behind_first));
        else
          s = xsimd::fma(s, p, p);
        unrolled<C>([&]<std::size_t k> {
          V& d = dot[k][h][v];
          if constexpr (last)
            d = moved_down<end, Arch>(d, V(0.0));
          else
            d = moved_down<w - 1, Arch>(d, dot[k][h][v + 1]);
          d = xsimd::fma(c[k][h][v], s, d);
        });
      });
    }
  };

  template <bool Weighted, std::size_t C>
  [[gnu::noinline]] void run(const std::array<const coefficients*, C>& c, const std::array<both_sides, C>& to,
                             std::array<const double*, 2> weights) const {
    V in_lanes[C][2][vectors];
    for (std::size_t k = 0; k < C; ++k)
      for (std::size_t h = 0; h < 2; ++h)
        for (std::size_t v = 0; v < vectors; ++v) {
          alignas(64) double row[w]{};
          for (std::size_t l = 0; l < w && v * w + l < half; ++l)
            row[l] = (*c[k])[(h + 1) * half - 1 - (v * w + l)];
          in_lanes[k][h][v] = V::load_aligned(row);
        }
    alignas(64) double lane[w]{};
    lane[end] = 1.0;
    const auto is_first = V::load_aligned(lane) > V(0.5);

    // The sums of the two halves, in the order of the scan: [way][kernel][half].
    double* halves[2][C][2];
    for (auto& way : halves)
      for (auto& kernel : way)
        for (double*& sums : kernel) sums = numbers().data() + before;
    scan<C> down, up;
    const double* const first[2] = {ways_[0].first.data() + before, ways_[1].first.data() + before};
    const double* const others[2] = {ways_[0].others.data() + before, ways_[1].others.data() + before};
    if constexpr (!Weighted) weights = {first[0], first[1]};  // not read
    for (std::size_t t = 0; t < n_ + K - 1; ++t) {
      const auto at = static_cast<std::ptrdiff_t>(t);
      down.template step<Weighted>(first[0] + at, others[0] + at, weights[0] + at, in_lanes, is_first);
      up.template step<Weighted>(first[1] + at, others[1] + at, weights[1] + at, in_lanes, is_first);
      unrolled<C>([&]<std::size_t k> {
        unrolled<2>([&]<std::size_t h> {
          constexpr auto last = static_cast<std::ptrdiff_t>((h + 1) * half - 1);
          halves[0][k][h][at - last] = first_of<Arch>(down.dot[k][h][0]);
          halves[1][k][h][at - last] = first_of<Arch>(up.dot[k][h][0]);
        });
      });
    }
    for (std::size_t k = 0; k < C; ++k)
      for (std::size_t i = 0; i < n_; ++i) {
        to[k].above[i] = halves[0][k][0][i] + halves[0][k][1][i];
        to[k].below[n_ - 1 - i] = halves[1][k][0][i] + halves[1][k][1][i];
      }
  }

  std::size_t n_;
  workspace* scratch_;
  direction ways_[2];  // down and up
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
