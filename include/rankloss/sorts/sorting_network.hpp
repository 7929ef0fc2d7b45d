// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/lane_math.hpp>
#include <rankloss/detail/require.hpp>
#include <rankloss/detail/simd.hpp>
#include <rankloss/detail/sorted_rows.hpp>
#include <rankloss/ranks/rank.hpp>
#include <rankloss/sorts/sort.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <limits>
#include <numbers>
#include <span>

namespace rankloss {

/// Which pairs of wires are compared, in which order.
enum class network {
  odd_even,  ///< neighbours, n layers
  bitonic,   ///< Batcher's, k (k + 1) / 2 layers for n <= 2^k
};

/// How much of a pair is in order, F(z) for the difference z of two wires in units of temperature; F(-z) = 1 - F(z).
enum class comparator {
  logistic,      ///< 1 / (1 + exp(-z))
  logistic_phi,  ///< the logistic of z / (|s_j - s_i| + 1e-10)^(1/4): not invariant under a common scale of scores and temperature
  gaussian,      ///< the normal distribution's
  reciprocal,    ///< (1 + z / (2 + |z|)) / 2
  cauchy,        ///< 1/2 + atan(z) / pi
  optimal,       ///< 1/2 + z up to |z| = 1/4, beyond 1 - 1 / (16 z): the least error of all that are monotonic
};

/// sorting_network: a differentiable sorting network, whose comparators exchange their two wires in part.
///
///     each layer, each of its pairs of wires (a, b):   q = F((b - a) / temperature)
///                                                      a <- q a + (1 - q) b
///                                                      b <- (1 - q) a + q b
///
/// P is the product of the layers' mixing matrices, its row i what is on the i-th wire in the end.
///
/// Petersen, Borgelt, Kuehne, Deussen: Differentiable Sorting Networks for Scalable Sorting and Ranking Supervision, ICML 2021,
/// arXiv 2105.04019; Monotonic Differentiable Sorting Networks, ICLR 2022, arXiv 2203.09630, for the last three comparators. Their
/// steepness is 1 / temperature, and they sort ascending. Lists shorter than a bitonic network leave its first wires unused, as in the
/// authors' code; where these begin in the middle of a block that is sorted downwards (first with 11 items), that block is sorted upwards here:
/// as published, the network does not sort, however steep (first with 22 items).
///
/// - Time and scratch O(n) a layer, recorded in the forward pass: O(n log^2 n) bitonic, O(n^2) odd_even, for values, products with P and
///   pullbacks; to_matrix O(n^2) a layer, two rows a comparator. There is no sort.
/// - Rows and columns of P sum to 1. Invariant under shifts. Ascending order gives the same rows as descending, the last first. Values and P
///   depend on the order of the list; with the last three comparators the sorted values are monotonic in the scores.
/// - Edge cases: equal scores mix evenly. As temperature -> 0 this is the exact sort of distinct scores. Infinite scores are at the ends of the
///   type's range.
/// @throws std::invalid_argument from the verbs of sort.hpp when an option is out of its range.
struct sorting_network {
  double temperature = 0.1;                                        ///< 1e-15 to 1e300, in units of the scores
  rankloss::network network = rankloss::network::bitonic;          ///< which pairs are compared
  rankloss::comparator comparator = rankloss::comparator::cauchy;  ///< how they are exchanged
  rank_order order = rank_order::descending;                       ///< which score is first

  void validate() const { detail::require(temperature >= 1e-15 && temperature <= 1e300, "temperature: ", temperature, ", expected 1e-15 to 1e300"); }

  /// The permutation of one list; see soft_sort_operator. And the scores as the network leaves them:
  ///
  ///     values()                       [n] P(scores) scores
  ///     pullback(cotangent, gradient)  gradient_k = d(sum_i cotangent_i values_i) / d(s_k)
  template <class T, class Arch = xsimd::default_arch>
  class result {
    using V = detail::lanes<Arch>;
    static constexpr std::size_t w = detail::lane_count<Arch>;

   public:
    result(const sorting_network& how, const strided<const T>& scores, workspace& scratch)
        : scale_(1.0 / how.temperature),
          network_(how.network),
          comparator_(how.comparator),
          order_(how.order),
          scratch_(scratch),
          n_(scores.size()),
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
      constexpr std::size_t vectors = 4;
      constexpr std::size_t width = vectors * w;
      const workspace::scope scope(scratch_);
      const std::span<double> columns = scratch_.take<double>(n_ * width);  // so many at a time stay in the cache for all layers
      for (std::size_t begin = 0; begin < n_; begin += width) {
        const std::size_t end = std::min(begin + width, n_);
        std::fill(columns.begin(), columns.end(), 0.0);
        for (std::size_t j = begin; j < end; ++j) columns[j * width + j - begin] = 1.0;
        std::size_t least = begin;  // no wire before it and none after `most` holds anything of these columns yet
        std::size_t most = end - 1;
        for (std::size_t layer = 0; layer < layers_; ++layer) {
          const double* kept = kept_.data() + layer * pairs_;
          for_pairs(layer, [&](std::size_t c, std::size_t lower, std::size_t upper) {
            const std::size_t first = std::min(lower, upper);
            const std::size_t second = std::max(lower, upper);
            if (second < least || first > most) return;
            least = std::min(least, first);
            most = std::max(most, second);
            double* const a = columns.data() + lower * width;
            double* const b = columns.data() + upper * width;
            const V stay(kept[c]);
            const V go(1.0 - kept[c]);
            detail::unrolled<vectors>([&]<std::size_t k> {
              const V own = V::load_aligned(a + k * w);
              const V other = V::load_aligned(b + k * w);
              xsimd::fma(stay, own, go * other).store_aligned(a + k * w);
              xsimd::fma(go, own, stay * other).store_aligned(b + k * w);
            });
          });
        }
        for (std::size_t i = 0; i < n_; ++i) std::copy_n(columns.data() + wire(i) * width, end - begin, out.data() + i * n_ + begin);
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
          const auto far = z > one;
          const V angle = xsimd::atan(xsimd::select(far, one / z, z)) * V(std::numbers::inv_pi);
          return {xsimd::select(far, angle, V(0.5) - angle), V(std::numbers::inv_pi) * scale / xsimd::fma(z, z, one)};
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

    /// Calls body(c, lower, upper) for the comparators c = 0, 1, ... of a layer, the lesser score being sent to wire `lower`.
    template <class Body>
    void for_pairs(std::size_t layer, Body body) const {
      std::size_t c = 0;
      if (network_ == network::odd_even) {
        for (std::size_t i = layer % 2; i + 1 < n_; i += 2) body(c++, i, i + 1);
        return;
      }
      std::size_t stage = 0;  // sorts blocks of 2^(stage + 1) wires, every other one downwards, in stage + 1 layers
      while (layer > stage) layer -= ++stage;
      const std::size_t distance = std::size_t{1} << (stage - layer);
      const std::size_t size = std::bit_ceil(n_);
      const std::size_t unused = size - n_;
      for (std::size_t i = unused / (2 * distance) * (2 * distance); i < size; i += 2 * distance) {
        const std::size_t block = i >> (stage + 1);
        // Unused wires hold, as it were, what is less than all scores, so it stays where it is only if it belongs at the beginning.
        const bool upwards = block % 2 == 0 || block << (stage + 1) < unused;
        const std::size_t begin = std::max(i, unused) - unused;
        const std::size_t end = std::max(i + distance, unused) - unused;
        if (upwards)
          for (std::size_t a = begin; a < end; ++a) body(c++, a, a + distance);
        else
          for (std::size_t a = begin; a < end; ++a) body(c++, a + distance, a);
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
    std::size_t pairs_;  // of a layer, at most, in whole rows of lanes
    std::size_t layers_ = 0;
    std::span<double> values_;
    std::span<double> kept_;   // [layers][pairs] q: what of its own each wire keeps
    std::span<double> apart_;  // [layers][pairs] upper wire - lower wire
  };

  template <class T, class Arch = xsimd::default_arch>
  [[nodiscard]] result<T, Arch> operator()(const strided<const T>& scores, workspace& scratch) const {
    return {*this, scores, scratch};
  }
};

}  // namespace rankloss
