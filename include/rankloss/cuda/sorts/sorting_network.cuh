// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/sort_list.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/sorts/sort.hpp>
#include <rankloss/detail/sorting/network_layers.hpp>
#include <rankloss/sorts/sorting_network.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// sorting_network of one list, in doubles: a layer is shared among the threads of the team. For what goes back
/// through the layers, each comparator keeps the difference of its two wires, and that of the values on them.
struct sorting_network_list {
  sorting_network how;

  template <class T>
  static constexpr std::size_t item_bytes = 4 * sizeof(double);
  [[nodiscard]] std::size_t kept_bytes(std::size_t longest, sort_product what) const {
    return what == sort_product::apply ? 0 : layers(longest).count() * sizeof(double);
  }

  [[nodiscard]] static sorting_network_list of(const sorting_network& how) { return {how}; }

  template <class T, class Team, class Score, class Emit>
  __device__ void multiply(const Team& team, std::uint32_t n, Score score, sort_product what, const double* v,
                           const double* c, Emit emit, team_scratch scratch, team_scratch kept) const {
    const rankloss::detail::network_layers net = layers(n);
    double* const x = scratch.take<double>(n);
    double* const values = scratch.take<double>(n);  // on the wires, on the way there
    double* const back = scratch.take<double>(n);    // and back
    double* const gradient = scratch.take<double>(n);
    const std::size_t pairs = n / 2;
    double* const apart = kept.take<double>(net.count() * pairs);
    double* const difference = kept.take<double>(net.count() * pairs);
    // The wire of row i.
    const auto wire = [&](std::uint32_t i) {
      return how.direction == sort_direction::ascending ? i : n - 1 - i;
    };
    const auto for_own = [&](auto body) {
      for (std::uint32_t i = team.rank(); i < n; i += team.size()) body(i);
    };
    const auto for_pairs = [&](std::size_t layer, auto body) {
      const auto comparators = net.comparators_of(layer);
      for (std::size_t p = team.rank(); p < comparators.count; p += team.size()) {
        const auto [lower, upper] = comparators(p);
        body(layer * pairs + p, lower, upper);
      }
      team.sync();
    };
    for_own([&](std::uint32_t i) {
      x[i] = static_cast<double>(score(i));
      values[i] = v[i];
      gradient[i] = 0.0;
      if (what != sort_product::apply) back[wire(i)] = what == sort_product::transposed ? v[i] : c[i];
    });
    team.sync();

    const double farthest =
        fmin(1e100 * how.temperature, greatest_number<double>);  // so that no square overflows
    for (std::size_t layer = 0; layer < net.count(); ++layer)
      for_pairs(layer, [&](std::size_t at, std::size_t lower, std::size_t upper) {
        const double a = x[lower], b = x[upper];
        const double low = fmin(a, b), high = fmax(a, b), d = fmin(high - low, farthest);
        const double tail = mix(d).tail, moved = tail * d;
        x[lower] = low + moved;
        x[upper] = high - moved;
        if (what != sort_product::apply) apart[at] = b >= a ? d : -d;
        if (what == sort_product::pullback) difference[at] = values[lower] - values[upper];
        if (what != sort_product::transposed)
          exchange(values[lower], values[upper], b >= a ? 1.0 - tail : tail);
      });
    if (what == sort_product::apply) {
      for_own([&](std::uint32_t i) { emit(i, values[wire(i)]); });
      return;
    }
    for (std::size_t layer = net.count(); layer-- > 0;)
      for_pairs(layer, [&](std::size_t at, std::size_t lower, std::size_t upper) {
        const double d = apart[at];
        const mixing own = mix(fabs(d));
        const double share = d >= 0.0 ? 1.0 - own.tail : own.tail;
        if (what == sort_product::pullback) {
          const double by_apart = (back[lower] - back[upper]) * difference[at] * own.slope;
          exchange(gradient[lower], gradient[upper], fma(d, own.slope, share));
          gradient[lower] -= by_apart;
          gradient[upper] += by_apart;
        }
        exchange(back[lower], back[upper], share);
      });
    const double* const out = what == sort_product::pullback ? gradient : back;
    for_own([&](std::uint32_t i) { emit(i, out[i]); });
  }

 private:
  /// The part of the larger wire that goes to the lower one, 1 - F, and the slope of F by the difference d >= 0.
  struct mixing {
    double tail, slope;
  };

  [[nodiscard]] RANKLOSS_HOST_DEVICE rankloss::detail::network_layers layers(std::size_t n) const {
    return {how.network == network::odd_even, n};
  }

  [[nodiscard]] __device__ mixing mix(double d) const {
    constexpr double inverse_pi = 0.3183098861837907, root_half = 0.7071067811865476;
    const double scale = 1.0 / how.temperature, z = d * scale;
    switch (how.comparator) {
      case comparator::logistic: {
        const double u = exp(-z), rest = 1.0 / (1.0 + u);
        return {u * rest, u * rest * rest * scale};
      }
      case comparator::logistic_phi: {
        const double shifted = d + 1e-10, root = 1.0 / sqrt(sqrt(shifted));
        const double u = exp(-z * root), rest = 1.0 / (1.0 + u);
        return {u * rest, u * rest * rest * scale * root * (1.0 - 0.25 * d / shifted)};
      }
      case comparator::gaussian:
        return {0.5 * erfc(fmin(z, 38.0) * root_half),  // beyond this the tail is 0
                exp(-0.5 * z * z) * (0.5641895835477563 * root_half) * scale};
      case comparator::reciprocal: {
        const double tail = 1.0 / (2.0 + z);
        return {tail, tail * tail * scale};
      }
      case comparator::cauchy: return {atan2(1.0, z) * inverse_pi, inverse_pi * scale / fma(z, z, 1.0)};
      default: {
        const double inverse = 0.25 / fmax(z, 0.25);
        return {z > 0.25 ? 0.25 * inverse : 0.5 - z, inverse * inverse * scale};
      }
    }
  }

  static __device__ void exchange(double& lower, double& upper, double kept) {
    const double a = lower, b = upper;
    lower = kept * a + (1.0 - kept) * b;
    upper = (1.0 - kept) * a + kept * b;
  }
};

}  // namespace cuda::detail

template <>
struct engine<sorting_network, cuda::context>
    : cuda::detail::sort_engine<sorting_network, cuda::detail::sorting_network_list> {};

}  // namespace rankloss::inline RANKLOSS_ABI
