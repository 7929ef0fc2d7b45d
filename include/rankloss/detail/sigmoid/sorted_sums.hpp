// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/sigmoid/kernel_terms.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>

/// Sorted exponential sums: sums of a sigmoid-like kernel over all pairs of a list in O(n K) instead of
/// O(n^2). x is sorted, descending, in units of temperature.
///
///     A_i = sum_{j above i} w_j f(x_j - x_i),    B_i = sum_{j below i} w_j f(x_i - x_j)
///
/// With u = exp(-d), f(d) = u q(u), and q analytic on [0, 1], f is a sum of K exponentials:
/// f(d) = sum_k c_k exp(-k d), k = 1..K. So A_i = sum_k c_k S_k(i) with the states
/// S_k(i) = sum_{j above i} w_j exp(-k (x_j - x_i)), and one step down the list is
///
///     S_k(i + 1) = q^k (S_k(i) + w_i),   q = exp(-(x_i - x_{i+1})) in [0, 1]
///
/// which never overflows, whatever the scores. B is the same scan upwards.
///
/// Lanes: a scan is a chain of dependent steps, so each SIMD lane scans a sequence of its own. This is either
/// a separate list or one stretch of a long list. In the second case a scan without outputs comes first, from
/// which `link_lanes` computes the states at the beginning of each stretch. Both cases use the
/// same inner loop over rows of lanes: row i holds item i of every lane.
namespace rankloss::inline RANKLOSS_ABI::detail {

/// The kernels for each type of scores, and as many terms of the logarithm in the discount as it needs.
template <class T>
struct kernel_constants : kernel_terms<T> {
  static constexpr const auto& log_tail = log_tail_4;
};
template <>
struct kernel_constants<double> : kernel_terms<double> {
  static constexpr const auto& log_tail = log_tail_7;
};

/// States of one channel of a scan, one vector of lanes per term.
template <class Arch, std::size_t K>
struct scan_states {
  lanes<Arch> s[K];

  scan_states() noexcept { std::fill(std::begin(s), std::end(s), lanes<Arch>(0.0)); }

  /// sum_k c_k S_k, over as many terms as there are coefficients.
  template <std::size_t N>
  [[gnu::always_inline]] lanes<Arch> dot(const std::array<double, N>& c) const noexcept {
    static_assert(N % 2 == 0 && N <= K);
    // Two independent sums halve the chain of dependent additions. Each sum is over neighbouring terms: their
    // signs alternate, so that each sum stays small. They run upwards, as those of skewed_sums.hpp have to.
    return sum_terms<0, N / 2>(c, lanes<Arch>(0.0)) + sum_terms<N / 2, N>(c, lanes<Arch>(0.0));
  }

 private:
  template <std::size_t k, std::size_t end, std::size_t N>
  [[gnu::always_inline]] lanes<Arch> sum_terms(const std::array<double, N>& c,
                                               const lanes<Arch>& sum) const noexcept {
    const lanes<Arch> next = xsimd::fma(lanes<Arch>(c[k]), s[k], sum);
    if constexpr (k + 1 == end)
      return next;
    else
      return sum_terms<k + 1, end>(c, next);
  }
};

/// Stands for weights that are all 1, which take one operation less per term.
struct unit_weights {};

/// One step to the next item: S_k <- q^k (S_k + w) in every channel. `power` is q^(k + 1). `factor` is q, but
/// 0 where q^2 is negligible beside q: higher powers could be subnormal numbers there, with which some
/// processors take a hundred times as long. Terms from `End` on stay as they are.
template <std::size_t End, std::size_t k = 0, class Arch, std::size_t K, std::size_t C, class Weights>
[[gnu::always_inline]] inline void advance(scan_states<Arch, K> (&states)[C], const lanes<Arch>& factor,
                                           const Weights& weights, const lanes<Arch>& power) noexcept {
  for (std::size_t c = 0; c < C; ++c) {
    auto& s = states[c].s[k];
    if constexpr (std::is_same_v<Weights, unit_weights>)
      s = xsimd::fma(s, power, power);
    else
      s = power * (s + weights[c]);
  }
  if constexpr (k + 1 < End) advance<End, k + 1>(states, factor, weights, power * factor);
}

/// Scans rows [begin, end) downwards. `emit(i, states)` receives, for item i of each lane, the states of the
/// items above it. Row i of `decay` holds exp(-(x_{i-1} - x_i)); the row behind the last one leads out of the lane.
/// Of the states, the first `Terms` are moved.
template <std::size_t Terms, class Arch, std::size_t K, std::size_t C, class Weights, class Emit>
[[gnu::always_inline]] inline void scan_down(const double* decay, std::size_t begin, std::size_t end,
                                             scan_states<Arch, K> (&states)[C], Weights weights, Emit emit) {
  constexpr std::size_t w = lane_count<Arch>;
  for (std::size_t i = begin; i < end; ++i) {
    emit(i, states);
    const lanes<Arch> q = lanes<Arch>::load_aligned(decay + (i + 1) * w);
    advance<Terms>(states, xsimd::select(q < lanes<Arch>(0x1p-51), lanes<Arch>(0.0), q), weights(i), q);
  }
}

/// Scans rows [begin, end) upwards. `emit(i, states)` receives, for item i of each lane, the states of the items
/// below it.
template <std::size_t Terms, class Arch, std::size_t K, std::size_t C, class Weights, class Emit>
[[gnu::always_inline]] inline void scan_up(const double* decay, std::size_t begin, std::size_t end,
                                           scan_states<Arch, K> (&states)[C], Weights weights, Emit emit) {
  constexpr std::size_t w = lane_count<Arch>;
  for (std::size_t i = end; i-- > begin;) {
    emit(i, states);
    const lanes<Arch> q = lanes<Arch>::load_aligned(decay + i * w);
    advance<Terms>(states, xsimd::select(q < lanes<Arch>(0x1p-51), lanes<Arch>(0.0), q), weights(i), q);
  }
}

/// A scan that has no outputs.
inline constexpr auto no_output = [](std::size_t, const auto&) {};

/// Turns the sums over each lane alone, taken relative to the first item of the next lane, into the states at
/// the beginning of every lane; `decay` is over the whole of a lane. On the way up the next lane is the one before.
/// The terms do not wait for each other, so what is carried of all of them goes from lane to lane together.
template <bool Down, class Arch, std::size_t K, std::size_t C>
void link_lanes(scan_states<Arch, K> (&states)[C], const std::array<double, 16>& decay) {
  constexpr std::size_t w = lane_count<Arch>;
  for (auto& channel : states) {
    alignas(64) double own[K][w];
    for (std::size_t k = 0; k < K; ++k) channel.s[k].store_aligned(own[k]);
    double carried[K]{};
    for (std::size_t step = 0; step < w; ++step) {
      const std::size_t l = Down ? step : w - 1 - step;
      double power = 1.0;
      for (std::size_t k = 0; k < K; ++k) {
        power *= decay[l];
        const double next = own[k][l] + power * carried[k];
        own[k][l] = carried[k];
        carried[k] = next;
      }
    }
    for (std::size_t k = 0; k < K; ++k) channel.s[k] = lanes<Arch>::load_aligned(own[k]);
  }
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
