// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/sorting/mixed_columns.hpp>
#include <rankloss/detail/sorting/network_layers.hpp>
#include <rankloss/sorts/sorting_network.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <numbers>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {

/// Scores pass through the layers as doubles, a row of comparators at a time. For products and pullbacks,
/// each comparator stores the share that each wire keeps and the difference of its two wires.
/// network_layers.hpp defines which wires meet, and mixed_columns.hpp builds the matrix.
template <class T>
class sorting_network::result {
  using Arch = xsimd::default_arch;  // of this translation unit, as the inline namespace says
  using V = detail::lanes<Arch>;
  using columns_type = detail::mixed_columns<Arch, T>;
  static constexpr std::size_t w = detail::lane_count<Arch>;

 public:
  result(const sorting_network& how, const strided<const T>& scores, workspace& scratch)
      : scale_(1.0 / how.temperature),
        comparator_(how.comparator),
        direction_(how.direction),
        scratch_(scratch),
        n_(scores.size()),
        layers_(how.network == network::odd_even, n_),
        pairs_((n_ / 2 + w - 1) / w * w),
        values_(scratch.take<double>(n_)),
        kept_(scratch.take<double>(layers_.count() * pairs_)),
        apart_(scratch.take<double>(layers_.count() * pairs_)) {
    // Differences are bounded by this, so that no square overflows.
    const V farthest(std::min(1e100 * how.temperature, std::numeric_limits<double>::max()));

    const workspace::scope scope(scratch);
    const std::span<double> x = scratch.take<double>(n_);
    const std::span<double> first = scratch.take<double>(pairs_);
    const std::span<double> second = scratch.take<double>(pairs_);
    std::fill(first.begin(), first.end(), 0.0);
    std::fill(second.begin(), second.end(), 0.0);
    for (std::size_t i = 0; i < n_; ++i) x[i] = static_cast<double>(detail::bounded(scores[i]));
    const double offset = nearest_to_0(x);
    for (double& score : x) score -= offset;
    for (std::size_t layer = 0; layer < layers_.count(); ++layer) {
      layers_.for_pairs(layer, [&](std::size_t c, std::size_t lower, std::size_t upper) {
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
      layers_.for_pairs(layer, [&](std::size_t c, std::size_t lower, std::size_t upper) {
        x[lower] = first[c];
        x[upper] = second[c];
      });
    }
    for (double& score : x) score += offset;
    from_wires(x, values_);
  }

  [[nodiscard]] std::span<const double> values() const noexcept { return values_; }

  void pullback(std::span<const double> cotangent, std::span<double> gradient) const {
    const workspace::scope scope(scratch_);
    const std::span<double> slopes = scratch_.take<double>(pairs_);
    to_wires(cotangent, gradient);
    for (std::size_t layer = layers_.count(); layer-- > 0;) {
      slopes_of(layer, slopes);
      const double* kept = kept_.data() + layer * pairs_;
      const double* apart = apart_.data() + layer * pairs_;
      layers_.for_pairs(layer, [&](std::size_t c, std::size_t lower, std::size_t upper) {
        exchange(gradient[lower], gradient[upper], kept[c] + apart[c] * slopes[c]);
      });
    }
  }

  void apply(std::span<const double> values, std::span<double> out) const {
    const workspace::scope scope(scratch_);
    const std::span<double> v = scratch_.take<double>(n_);
    std::copy(values.begin(), values.end(), v.begin());
    for (std::size_t layer = 0; layer < layers_.count(); ++layer) exchange_layer(layer, v);
    from_wires(v, out);
  }

  void apply_transposed(std::span<const double> values, std::span<double> out) const {
    to_wires(values, out);
    for (std::size_t layer = layers_.count(); layer-- > 0;) exchange_layer(layer, out);
  }

  void pullback(std::span<const double> values, std::span<const double> cotangent,
                std::span<double> gradient) const {
    const workspace::scope scope(scratch_);
    const std::span<double> v = scratch_.take<double>(n_);
    const std::span<double> by_value = scratch_.take<double>(n_);
    const std::span<double> slopes = scratch_.take<double>(pairs_);
    const std::span<double> differences = scratch_.take<double>(layers_.count() * pairs_);
    std::copy(values.begin(), values.end(), v.begin());
    for (std::size_t layer = 0; layer < layers_.count(); ++layer) {
      double* to = differences.data() + layer * pairs_;
      layers_.for_pairs(
          layer, [&](std::size_t c, std::size_t lower, std::size_t upper) { to[c] = v[lower] - v[upper]; });
      exchange_layer(layer, v);
    }
    to_wires(cotangent, by_value);
    std::fill(gradient.begin(), gradient.end(), 0.0);
    for (std::size_t layer = layers_.count(); layer-- > 0;) {
      slopes_of(layer, slopes);
      const double* kept = kept_.data() + layer * pairs_;
      const double* apart = apart_.data() + layer * pairs_;
      const double* difference = differences.data() + layer * pairs_;
      layers_.for_pairs(layer, [&](std::size_t c, std::size_t lower, std::size_t upper) {
        const double by_apart = (by_value[lower] - by_value[upper]) * difference[c] * slopes[c];
        exchange(by_value[lower], by_value[upper], kept[c]);
        exchange(gradient[lower], gradient[upper], kept[c] + apart[c] * slopes[c]);
        gradient[lower] -= by_apart;
        gradient[upper] += by_apart;
      });
    }
  }

  void to_matrix(std::span<double> out) const {
    const workspace::scope scope(scratch_);
    const columns_type columns(layers_, kept_, pairs_, scratch_);
    constexpr std::size_t width = columns_type::width;
    for (std::size_t begin = 0; begin < n_; begin += width) {
      const std::size_t end = std::min(begin + width, n_);
      const std::span<const T> mixed = columns(begin, end);
      for (std::size_t i = 0; i < n_; ++i) {
        const T* from = mixed.data() + (layers_.unused() + wire(i)) * width;
        double* to = out.data() + i * n_ + begin;
        if (end - begin == width)
          for (std::size_t j = 0; j < width; j += w) detail::load_row<Arch>(from + j).store_unaligned(to + j);
        else
          std::copy_n(from, end - begin, to);
      }
    }
  }

 private:
  /// The score nearest to 0 where all are on the same side of it, else 0. Scores are mixed without it,
  /// because what layers round would be digits of their differences where they lie far from 0.
  [[nodiscard]] static double nearest_to_0(std::span<const double> scores) noexcept {
    if (scores.empty()) return 0.0;
    const auto [least, most] = std::minmax_element(scores.begin(), scores.end());
    return std::max(*least, 0.0) + std::min(*most, 0.0);
  }

  /// The part of the larger wire that goes to the lower one, 1 - F, and the slope of F by the
  /// difference d >= 0.
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
        const V near = xsimd::min(z, V(38.0));  // beyond this the tail is 0 in the type
        return {V(0.5) * xsimd::erfc(near * V(std::numbers::sqrt2 / 2.0)),
                detail::exp_minus(V(0.5) * z * z) * V(std::numbers::inv_sqrtpi * std::numbers::sqrt2 / 2.0) *
                    scale};
      }
      case comparator::reciprocal: {
        const V tail = one / (V(2.0) + z);
        return {tail, tail * tail * scale};
      }
      case comparator::cauchy: {
        return {detail::arc_cotangent(z) * V(std::numbers::inv_pi),
                V(std::numbers::inv_pi) * scale / xsimd::fma(z, z, one)};
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
      mix(xsimd::abs(V::load_unaligned(apart_.data() + layer * pairs_ + c)))
          .slope.store_aligned(slopes.data() + c);
  }

  static void exchange(double& lower, double& upper, double kept) noexcept {
    const double a = lower;
    const double b = upper;
    lower = kept * a + (1.0 - kept) * b;
    upper = (1.0 - kept) * a + kept * b;
  }
  void exchange_layer(std::size_t layer, std::span<double> v) const {
    const double* kept = kept_.data() + layer * pairs_;
    layers_.for_pairs(layer, [&](std::size_t c, std::size_t lower, std::size_t upper) {
      exchange(v[lower], v[upper], kept[c]);
    });
  }

  /// The wire of row i.
  [[nodiscard]] std::size_t wire(std::size_t i) const noexcept {
    return direction_ == sort_direction::ascending ? i : n_ - 1 - i;
  }
  void to_wires(std::span<const double> rows, std::span<double> wires) const {
    for (std::size_t i = 0; i < n_; ++i) wires[wire(i)] = rows[i];
  }
  void from_wires(std::span<const double> wires, std::span<double> rows) const {
    for (std::size_t i = 0; i < n_; ++i) rows[i] = wires[wire(i)];
  }

  double scale_;
  rankloss::comparator comparator_;
  sort_direction direction_;
  workspace& scratch_;
  std::size_t n_;
  detail::network_layers layers_;
  std::size_t pairs_;  // of a layer, at most, in whole rows of lanes
  std::span<double> values_;
  std::span<double> kept_;   // [layers][pairs] q: the share that each wire keeps
  std::span<double> apart_;  // [layers][pairs] upper wire - lower wire
};

}  // namespace rankloss::inline RANKLOSS_ABI
