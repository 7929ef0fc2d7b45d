// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/loops.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/sorts/sorting_network.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <limits>
#include <numbers>
#include <span>
#include <type_traits>
#include <utility>

namespace rankloss::inline RANKLOSS_ABI {

/// X
template <class T>
class sorting_network::result {
  using Arch = xsimd::default_arch;  // of this translation unit, as the inline namespace says
  using V = detail::lanes<Arch>;
  using scores_lanes = xsimd::batch<T, Arch>;
  static constexpr std::size_t w = detail::lane_count<Arch>;

 public:
  result(const sorting_network& how, const strided<const T>& scores, workspace& scratch)
      : scale_(1.0 / how.temperature),
        network_(how.network),
        comparator_(how.comparator),
        order_(how.order),
        scratch_(scratch),
        n_(scores.size()),
        unused_(how.network == network::bitonic ? std::bit_ceil(n_) - n_ : 0),
        pairs_((n_ / 2 + w - 1) / w * w),
        values_(scratch.take<double>(n_)) {
    const auto stages = static_cast<std::size_t>(n_ < 2 ? 0 : std::bit_width(n_ - 1));
    layers_ = network_ == network::odd_even ? n_ : stages * (stages + 1) / 2;
    kept_ = scratch.take<double>(layers_ * pairs_);
    apart_ = scratch.take<double>(layers_ * pairs_);
    // Beyond, nothing but digits is lost, and no square overflows.
    const V farthest(std::min(1e100 * how.temperature, std::numeric_limits<double>::max()));

    const workspace::scope scope(scratch);
    const std::span<double> x = scratch.take<double>(n_);
    const std::span<double> first = scratch.take<double>(pairs_);
    const std::span<double> second = scratch.take<double>(pairs_);
    std::fill(first.begin(), first.end(), 0.0);
    std::fill(second.begin(), second.end(), 0.0);
    for (std::size_t i = 0; i < n_; ++i) x[i] = static_cast<double>(detail::bounded(scores[i]));
    for (std::size_t layer = 0; layer < layers_; ++layer) {
      for_pairs(layer, [&](std::size_t c, std::size_t lower, std::size_t upper) {
        first[c] = x[lower];
        second[c] = x[upper];
      });
      for (std::size_t c = 0; c < pairs_; c += w) {
        const V a = V::load_aligned(first.data() + c);
        const V b = V::load_aligned(second.data() + c);
        const V least = xsimd::min(a, b);
        const V most = xsimd::max(a, b);
        const V d = xsimd::min(most - least, farthest);
        const V tail = mix(d).tail;
        const V moved = tail * d;
        xsimd::select(b >= a, V(1.0) - tail, tail).store_unaligned(kept_.data() + layer * pairs_ + c);
        xsimd::select(b >= a, d, -d).store_unaligned(apart_.data() + layer * pairs_ + c);
        (least + moved).store_aligned(first.data() + c);
        (most - moved).store_aligned(second.data() + c);
      }
      for_pairs(layer, [&](std::size_t c, std::size_t lower, std::size_t upper) {
        x[lower] = first[c];
        x[upper] = second[c];
      });
    }
    from_wires(x, values_);
  }

  [[nodiscard]] std::span<const double> values() const noexcept { return values_; }

  void pullback(std::span<const double> cotangent, std::span<double> gradient) const {
    const workspace::scope scope(scratch_);
    const std::span<double> slopes = scratch_.take<double>(pairs_);
    to_wires(cotangent, gradient);
    for (std::size_t layer = layers_; layer-- > 0;) {
      slopes_of(layer, slopes);
      const double* kept = kept_.data() + layer * pairs_;
      const double* apart = apart_.data() + layer * pairs_;
      for_pairs(layer, [&](std::size_t c, std::size_t lower, std::size_t upper) {
        exchange(gradient[lower], gradient[upper], kept[c] + apart[c] * slopes[c]);
      });
    }
  }

  void apply(std::span<const double> values, std::span<double> out) const {
    const workspace::scope scope(scratch_);
    const std::span<double> v = scratch_.take<double>(n_);
    std::copy(values.begin(), values.end(), v.begin());
    for (std::size_t layer = 0; layer < layers_; ++layer) exchange_layer(layer, v);
    from_wires(v, out);
  }

  void apply_transposed(std::span<const double> values, std::span<double> out) const {
    to_wires(values, out);
    for (std::size_t layer = layers_; layer-- > 0;) exchange_layer(layer, out);
  }

  void pullback(std::span<const double> values, std::span<const double> cotangent, std::span<double> gradient) const {
    const workspace::scope scope(scratch_);
    const std::span<double> v = scratch_.take<double>(n_);
    const std::span<double> by_value = scratch_.take<double>(n_);
    const std::span<double> slopes = scratch_.take<double>(pairs_);
    const std::span<double> differences = scratch_.take<double>(layers_ * pairs_);
    std::copy(values.begin(), values.end(), v.begin());
    for (std::size_t layer = 0; layer < layers_; ++layer) {
      double* to = differences.data() + layer * pairs_;
      for_pairs(layer, [&](std::size_t c, std::size_t lower, std::size_t upper) { to[c] = v[lower] - v[upper]; });
      exchange_layer(layer, v);
    }
    to_wires(cotangent, by_value);
    std::fill(gradient.begin(), gradient.end(), 0.0);
    for (std::size_t layer = layers_; layer-- > 0;) {
      slopes_of(layer, slopes);
      const double* kept = kept_.data() + layer * pairs_;
      const double* apart = apart_.data() + layer * pairs_;
      const double* difference = differences.data() + layer * pairs_;
      for_pairs(layer, [&](std::size_t c, std::size_t lower, std::size_t upper) {
        const double by_apart = (by_value[lower] - by_value[upper]) * difference[c] * slopes[c];
        exchange(by_value[lower], by_value[upper], kept[c]);
        exchange(gradient[lower], gradient[upper], kept[c] + apart[c] * slopes[c]);
        gradient[lower] -= by_apart;
        gradient[upper] += by_apart;
      });
    }
  }

  void to_matrix(std::span<double> out) const {
    constexpr std::size_t width = 32;  // columns at a time: they stay in the cache for all layers
    const workspace::scope scope(scratch_);
    const std::size_t size = unused_ + n_;
    const shares<T> mixed = mixed_shares();
    const std::span<T> columns = scratch_.take<T>(size * width);
    for (std::size_t begin = 0; begin < n_; begin += width) {
      const std::size_t end = std::min(begin + width, n_);
      std::fill(columns.begin(), columns.end(), T{0});
      for (std::size_t j = begin; j < end; ++j) columns[(unused_ + j) * width + j - begin] = T{1};
      if (network_ == network::odd_even) {
        for (std::size_t layer = 0; layer < layers_; ++layer) {
          const std::size_t reached = begin - std::min(begin, layer + 1);
          mix_rows<width, 1, 0>(mixed, layer, reached + (reached + layer) % 2, std::min(end + layer, n_ - 1), 1, columns.data());
        }
      } else {
        std::size_t block = 2;  // those of the last stage; only these that the columns begin in hold anything of them
        std::size_t layer = 0;
        const auto next = [&]<std::size_t log_rows, std::size_t... which>(std::size_t nearest, std::index_sequence<which...>) {
          const std::size_t rows = nearest << log_rows;
          const std::size_t first = std::max((unused_ + begin) / block * block, unused_ / rows * rows);
          const std::size_t last = (unused_ + end + block - 1) / block * block;
          mix_rows<width, log_rows, which...>(mixed, layer, first, last, nearest, columns.data());
          layer += sizeof...(which);
        };
        if (size >= 8) {
          block = 8;
          next.template operator()<3>(1, std::index_sequence<2, 1, 2, 0, 1, 2>());
          block = 16;
        }
        for (; layer < layers_; block *= 2)
          for (std::size_t left = block; left > 1;) {
            const std::size_t log_rows = left >= 8 ? 3 : left / 2;
            left >>= log_rows;
            if (log_rows == 3) next.template operator()<3>(left, std::index_sequence<0, 1, 2>());
            if (log_rows == 2) next.template operator()<2>(left, std::index_sequence<0, 1>());
            if (log_rows == 1) next.template operator()<1>(left, std::index_sequence<0>());
          }
      }
      for (std::size_t i = 0; i < n_; ++i) {
        const T* from = columns.data() + (unused_ + wire(i)) * width;
        double* to = out.data() + i * n_ + begin;
        if (end - begin == width)
          for (std::size_t j = 0; j < width; j += w) detail::load_row<Arch>(from + j).store_unaligned(to + j);
        else
          std::copy_n(from, end - begin, to);
      }
    }
  }

 private:
  /// What of the greater wire goes to the lower one, 1 - F, and the slope of F by the difference d >= 0.
  struct mixing {
    V tail, slope;
  };
  [[nodiscard]] mixing mix(const V& d) const noexcept {
    const V scale(scale_);
    const V one(1.0);
    const V z = d * scale;
    switch (comparator_) {
      case comparator::logistic: {
        const V u = detail::exp_minus(z);
        const V rest = one / (one + u);
        return {u * rest, u * rest * rest * scale};
      }
      case comparator::logistic_phi: {
        const V shifted = d + V(1e-10);
        const V root = one / xsimd::sqrt(xsimd::sqrt(shifted));
        const V u = detail::exp_minus(z * root);
        const V rest = one / (one + u);
        return {u * rest, u * rest * rest * scale * root * (one - V(0.25) * d / shifted)};
      }
      case comparator::gaussian: {
        const V near = xsimd::min(z, V(38.0));  // the tail is 0 to the type beyond
        return {V(0.5) * xsimd::erfc(near * V(std::numbers::sqrt2 / 2.0)),
                detail::exp_minus(V(0.5) * z * z) * V(std::numbers::inv_sqrtpi * std::numbers::sqrt2 / 2.0) * scale};
      }
      case comparator::reciprocal: {
        const V tail = one / (V(2.0) + z);
        return {tail, tail * tail * scale};
      }
      case comparator::cauchy: {
        return {detail::arc_cotangent(z) * V(std::numbers::inv_pi), V(std::numbers::inv_pi) * scale / xsimd::fma(z, z, one)};
      }
      default: {
        const auto far = z > V(0.25);
        const V inverse = V(0.25) / xsimd::max(z, V(0.25));
        return {xsimd::select(far, V(0.25) * inverse, V(0.5) - z), inverse * inverse * scale};
      }
    }
  }

  void slopes_of(std::size_t layer, std::span<double> slopes) const {
    for (std::size_t c = 0; c < pairs_; c += w)
      mix(xsimd::abs(V::load_unaligned(apart_.data() + layer * pairs_ + c))).slope.store_aligned(slopes.data() + c);
  }

  /// What each wire keeps and what goes to the other one, [layers][size / 2], of all pairs of the network's 2^k wires: unused ones keep all.
  template <class S>
  struct shares {
    std::span<const S> stay, go;
    std::size_t pairs;
  };
  [[nodiscard]] shares<T> mixed_shares() const {
    const std::size_t pairs = (unused_ + n_) / 2;
    const std::span<T> stay = scratch_.take<T>(layers_ * pairs);
    const std::span<T> go = scratch_.take<T>(layers_ * pairs);
    std::fill(stay.begin(), stay.end(), T{1});
    std::fill(go.begin(), go.end(), T{0});
    for (std::size_t layer = 0; layer < layers_; ++layer) {
      const double* kept = kept_.data() + layer * pairs_;
      const std::size_t first = first_pair(layer);
      const std::size_t count = network_ == network::odd_even ? (n_ - layer % 2) / 2 : pairs - first;
      T* s = stay.data() + layer * pairs + first;
      T* g = go.data() + layer * pairs + first;
      for (std::size_t c = 0; c < count; ++c) {
        s[c] = static_cast<T>(kept[c]);
        g[c] = static_cast<T>(1.0 - kept[c]);
      }
    }
    return {stay, go, pairs};
  }

  /// Rows of columns, `apart` numbers from each other. Members of an object, since those stay in registers.
  template <std::size_t count>
  struct row_block {
    scores_lanes row[count];

    [[gnu::always_inline]] void load(const T* from, std::size_t apart) noexcept {
      detail::unrolled<count>([&]<std::size_t k> { row[k] = scores_lanes::load_aligned(from + k * apart); });
    }
    [[gnu::always_inline]] void store(T* to, std::size_t apart) const noexcept {
      detail::unrolled<count>([&]<std::size_t k> { row[k].store_aligned(to + k * apart); });
    }
    /// One layer, whose pairs are count / 2^(which + 1) rows apart.
    template <std::size_t which, std::size_t... p>
    [[gnu::always_inline]] void mix(const T* stay, const T* go, std::size_t nearest, std::index_sequence<p...>) noexcept {
      constexpr std::size_t apart = count >> (which + 1);
      (exchange(row[p / apart * 2 * apart + p % apart], row[p / apart * 2 * apart + p % apart + apart], scores_lanes(stay[p * nearest]),
                scores_lanes(go[p * nearest])),
       ...);
    }
    [[gnu::always_inline]] static void exchange(scores_lanes& a, scores_lanes& b, const scores_lanes& stays, const scores_lanes& goes) noexcept {
      const scores_lanes own = a;
      a = xsimd::fma(stays, own, goes * b);
      b = xsimd::fma(stays, b, goes * own);
    }
  };

  /// Mixes the rows of [first, last) through layers that follow one another, whose pairs are 2^(log_rows - 1 - which) nearest wires apart: so
  /// 2^log_rows rows at a time are mixed with each other alone, in registers. Which wire of a pair is the lower one makes no difference.
  /// Not inlined: with all of to_matrix around it the compiler runs out of registers.
  template <std::size_t width, std::size_t log_rows, std::size_t... which>
  [[gnu::noinline]] static void mix_rows(const shares<T>& mixed, std::size_t layer, std::size_t first, std::size_t last, std::size_t nearest,
                                         T* columns) {
    constexpr std::size_t rows = std::size_t{1} << log_rows;
    for (std::size_t start = first; start < last; start += rows * nearest)
      for (std::size_t wire = start; wire < start + nearest; ++wire) {
        const std::size_t pair = layer * mixed.pairs + start / 2 + wire - start;
        for (std::size_t j = 0; j < width; j += scores_lanes::size) {
          T* const at = columns + wire * width + j;
          const T* stay = mixed.stay.data() + pair;
          const T* go = mixed.go.data() + pair;
          row_block<rows> block;
          block.load(at, nearest * width);
          ((block.template mix<which>(stay, go, nearest, std::make_index_sequence<rows / 2>()), stay += mixed.pairs, go += mixed.pairs), ...);
          block.store(at, nearest * width);
        }
      }
  }

  static void exchange(double& lower, double& upper, double kept) noexcept {
    const double a = lower;
    const double b = upper;
    lower = kept * a + (1.0 - kept) * b;
    upper = (1.0 - kept) * a + kept * b;
  }
  void exchange_layer(std::size_t layer, std::span<double> v) const {
    const double* kept = kept_.data() + layer * pairs_;
    for_pairs(layer, [&](std::size_t c, std::size_t lower, std::size_t upper) { exchange(v[lower], v[upper], kept[c]); });
  }

  /// The bitonic network's stage, which sorts blocks of 2^(stage + 1) wires, every other one downwards, in stage + 1 layers, and how far apart
  /// the pairs of this layer are.
  struct step {
    std::size_t stage, distance;
  };
  [[nodiscard]] static step step_of(std::size_t layer) noexcept {
    std::size_t stage = 0;
    while (layer > stage) layer -= ++stage;
    return {stage, std::size_t{1} << (stage - layer)};
  }
  /// Number of comparator 0 among all pairs of the layer, those of unused wires included.
  [[nodiscard]] std::size_t first_pair(std::size_t layer) const noexcept {
    if (network_ == network::odd_even) return 0;
    const std::size_t distance = step_of(layer).distance;
    const std::size_t block = unused_ / (2 * distance) * (2 * distance);
    return block / 2 + std::min(unused_ - block, distance);
  }

  /// Calls body(c, lower, upper) for the comparators c = 0, 1, ... of a layer, the lesser score being sent to wire `lower`.
  template <class Body>
  void for_pairs(std::size_t layer, Body body) const {
    std::size_t c = 0;
    if (network_ == network::odd_even) {
      for (std::size_t i = layer % 2; i + 1 < n_; i += 2) body(c++, i, i + 1);
      return;
    }
    const std::size_t stage = step_of(layer).stage;
    // The shortest distances are constants: their loops of one, two and four steps would cost more than what is done in them.
    const auto blocks = [&](const auto distance) {
      for (std::size_t i = unused_ / (2 * distance) * (2 * distance); i < unused_ + n_; i += 2 * distance) {
        const std::size_t block = i >> (stage + 1);
        // Unused wires hold, as it were, what is less than all scores, so it stays where it is only if it belongs at the beginning.
        const bool upwards = block % 2 == 0 || block << (stage + 1) < unused_;
        const std::size_t begin = std::max(i, unused_) - unused_;
        const std::size_t lower = upwards ? begin : begin + distance;
        const std::size_t upper = upwards ? begin + distance : begin;
        const std::size_t count = distance - std::min<std::size_t>(begin + unused_ - i, distance);
        for (std::size_t l = 0; l < count; ++l) body(c + l, lower + l, upper + l);
        c += count;
      }
    };
    switch (const std::size_t distance = step_of(layer).distance) {
      case 1: return blocks(std::integral_constant<std::size_t, 1>());
      case 2: return blocks(std::integral_constant<std::size_t, 2>());
      case 4: return blocks(std::integral_constant<std::size_t, 4>());
      default: return blocks(distance);
    }
  }

  /// The wire of row i.
  [[nodiscard]] std::size_t wire(std::size_t i) const noexcept { return order_ == rank_order::ascending ? i : n_ - 1 - i; }
  void to_wires(std::span<const double> rows, std::span<double> wires) const {
    for (std::size_t i = 0; i < n_; ++i) wires[wire(i)] = rows[i];
  }
  void from_wires(std::span<const double> wires, std::span<double> rows) const {
    for (std::size_t i = 0; i < n_; ++i) rows[i] = wires[wire(i)];
  }

  double scale_;
  rankloss::network network_;
  rankloss::comparator comparator_;
  rank_order order_;
  workspace& scratch_;
  std::size_t n_;
  std::size_t unused_;  // wires before the first score's
  std::size_t pairs_;   // of a layer, at most, in whole rows of lanes
  std::size_t layers_ = 0;
  std::span<double> values_;
  std::span<double> kept_;   // [layers][pairs] q: what of its own each wire keeps
  std::span<double> apart_;  // [layers][pairs] upper wire - lower wire
};

}  // namespace rankloss::inline RANKLOSS_ABI
