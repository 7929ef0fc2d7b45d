// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/lane_math.hpp>
#include <rankloss/detail/simd.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>

/// Sorted exponential sums: sums of a sigmoid-like kernel over all pairs of a list in O(n K) instead of O(n^2).
///
///     A_i = sum_{j above i} w_j f(x_j - x_i),    B_i = sum_{j below i} w_j f(x_i - x_j),    x sorted, descending, in units of temperature
///
/// With u = exp(-d), f(d) = u q(u), and q analytic on [0, 1], f is a sum of K exponentials: f(d) = sum_k c_k exp(-k d), k = 1..K. So
/// A_i = sum_k c_k S_k(i) with states S_k(i) = sum_{j above i} w_j exp(-k (x_j - x_i)), and one step down the list is
///
///     S_k(i + 1) = q^k (S_k(i) + w_i),   q = exp(-(x_i - x_{i+1})) in [0, 1]
///
/// which never overflows, whatever the scores. B is the same scan upwards.
///
/// Lanes: a scan is a chain of dependent steps, so each SIMD lane scans a sequence of its own: either a list of its own, or one
/// stretch of a long list, whose states at its beginning are then computed by a scan without outputs (`seeds_down`, `seeds_up`).
/// Both use the same inner loop, over rows of lanes: row i holds item i of every lane.
namespace rankloss::detail {

// Made by scripts/fit_terms.py.
// sigmoid_10: largest error 3.2e-08, sum of magnitudes 7.1
inline constexpr std::array<double, 10> sigmoid_10{0.9999999677980759, -0.9999930128873922,  0.9997491054636372, -0.9964687323631288,
                                                   0.9742536113777664, -0.8884026716355734,  0.6874499339069634, -0.3975056687969999,
                                                   0.1455229938302526, -0.024605558895525275};
// slope_10: largest error 2.5e-07, sum of magnitudes 28.0
inline constexpr std::array<double, 10> slope_10{0.9999997467106342, -1.9999445815872212, 2.9979921375465417, -3.971448283838824,
                                                 4.789152580589847,  -5.070308644733057,  4.331918735641884,  -2.6666809752942964,
                                                 1.0154263328163449, -0.17610730114121947};
// curvature_10: largest error 1.9e-06, sum of magnitudes 133.6
inline constexpr std::array<double, 10> curvature_10{0.9999980667410924, -3.999572884043,     8.984364867199721, -15.775027764362871,
                                                     23.313951884580142, -28.417037977438696, 26.61656241090207, -17.365888806668455,
                                                     6.862039287684919,  -1.2193910178538296};
// slope_squared_10: largest error 2.3e-06, sum of magnitudes 109.7
inline constexpr std::array<double, 10> slope_squared_10{2.3356742723248496e-06, 0.9994779766740588, -3.9806561586781517, 9.717693280885417,
                                                         -17.846320383818536,    25.080083705509633, -25.715593452917915, 17.763502775269583,
                                                         -7.281781851883906,     1.326094108959812};
// sigmoid_20: largest error 7.1e-16, sum of magnitudes 14.2
inline constexpr std::array<double, 20> sigmoid_20{0.9999999999999993,  -0.9999999999994067,   0.9999999999177398,   -0.9999999954668448,
                                                   0.9999998675623526,  -0.9999976275775999,   0.9999715687434617,   -0.9997585821028855,
                                                   0.9984878881025357,  -0.9928049912006273,   0.9734012894515172,   -0.9222171598242713,
                                                   0.8172404343722476,  -0.6496370388943886,   0.44221748938681016,  -0.24538890567205596,
                                                   0.10496996586303706, -0.032138543240974135, 0.006224666895051503, -0.0005703263156990415};
// slope_20: largest error 1.1e-14, sum of magnitudes 106.0
inline constexpr std::array<double, 20> slope_20{
    0.9999999999999893, -1.9999999999911178, 2.99999999876574,   -3.9999999318168498, 4.9999980028144515,  -5.999964121313506,   6.999568649382423,
    -7.99632375226132,  8.976873456153445,   -9.889375587798696, 10.588345781421392,  -10.786060713944595, 10.116253081740357,   -8.390048606837915,
    5.8901160652441575, -3.3419069283295832, 1.452789287500584,  -0.4501096121274216, 0.0879595279959651,  -0.008114596597509969};
// curvature_20: largest error 1.6e-13, sum of magnitudes 1003.4
inline constexpr std::array<double, 20> curvature_20{
    0.9999999999998438, -3.999999999869154,  8.999999981772008,  -15.999998990399542, 24.999970344094184, -35.999465596730815, 48.99355278291669,
    -63.94483154249737, 80.65128993141548,   -98.32228036646976, 114.71162326825355,  -125.2838190245754, 123.99777920692507,  -107.02928736908189,
    77.3504863441027,   -44.818032806693445, 19.78432060543686,  -6.199886728645741,  1.2220777936100267, -0.11349783356346631};
// slope_squared_20: largest error 3.7e-13, sum of magnitudes 1729.1
inline constexpr std::array<double, 20> slope_squared_20{
    3.742670072130668e-13, 0.9999999996856892,  -3.999999956093468, 9.999997561132453,  -19.99992813959634,  34.99870066286015,  -55.98426417488011,
    83.8647503100037,      -119.14058730390893, 160.83848596903596, -204.2759004705147, 238.7149970028416,   -248.7595341758312, 223.03690508683013,
    -165.70369866482568,   97.95889730058047,   -43.8862790079202,  13.905831516567988, -2.7643026650555966, 0.25842914908806713};

/// The kernels by the type of the scores: enough terms for a gradient within 2e-6 (float) and 1e-13 (double).
template <class T>
struct kernel_terms {
  static constexpr std::size_t count = 10;
  static constexpr const auto& sigmoid = sigmoid_10;              ///< sigmoid(-d)
  static constexpr const auto& slope = slope_10;                  ///< sigmoid'(d)
  static constexpr const auto& curvature = curvature_10;          ///< -sigmoid''(d)
  static constexpr const auto& slope_squared = slope_squared_10;  ///< sigmoid'(d)^2
  static constexpr const auto& log_tail = log_tail_4;             ///< of the logarithm in the discount
  static constexpr double reach = 24.0;                           ///< exp(-reach) is nothing beside 1
};
template <>
struct kernel_terms<double> {
  static constexpr std::size_t count = 20;
  static constexpr const auto& sigmoid = sigmoid_20;
  static constexpr const auto& slope = slope_20;
  static constexpr const auto& curvature = curvature_20;
  static constexpr const auto& slope_squared = slope_squared_20;
  static constexpr const auto& log_tail = log_tail_7;
  static constexpr double reach = 42.0;
};

/// States of one channel of a scan, one vector of lanes a term.
template <class Arch, std::size_t K>
struct scan_states {
  lanes<Arch> s[K];

  scan_states() noexcept { std::fill(std::begin(s), std::end(s), lanes<Arch>(0.0)); }

  /// sum_k c_k S_k
  [[gnu::always_inline]] lanes<Arch> dot(const std::array<double, K>& c) const noexcept {
    // Two sums, so that the additions do not wait for each other.
    return add_terms<2>(c, lanes<Arch>(c[0]) * s[0]) + add_terms<3>(c, lanes<Arch>(c[1]) * s[1]);
  }

 private:
  template <std::size_t k>
  [[gnu::always_inline]] lanes<Arch> add_terms(const std::array<double, K>& c, const lanes<Arch>& sum) const noexcept {
    if constexpr (k < K)
      return add_terms<k + 2>(c, xsimd::fma(lanes<Arch>(c[k]), s[k], sum));
    else
      return sum;
  }
};

/// Weights that are all 1 need one operation a term less.
struct unit_weights {};

/// To the next item: S_k <- q^k (S_k + w) in every channel. `power` is q^(k + 1) and `factor` q, but 0 where q^2 is nothing beside q:
/// higher powers would then be subnormal numbers, which some processors take a hundred times as long over.
template <std::size_t k = 0, class Arch, std::size_t K, std::size_t C, class Weights>
[[gnu::always_inline]] inline void advance(scan_states<Arch, K> (&states)[C], const lanes<Arch>& factor, const Weights& weights,
                                           const lanes<Arch>& power) noexcept {
  for (std::size_t c = 0; c < C; ++c) {
    auto& s = states[c].s[k];
    if constexpr (std::is_same_v<Weights, unit_weights>)
      s = xsimd::fma(s, power, power);
    else
      s = power * (s + weights[c]);
  }
  if constexpr (k + 1 < K) advance<k + 1>(states, factor, weights, power * factor);
}

/// Scans rows [begin, rows) downwards; `emit(i, states)` sees the states of what is above item i of its lane.
/// decay row i holds exp(-(x_{i-1} - x_i)); row `rows` leads out of the lane.
template <class Arch, std::size_t K, std::size_t C, class Weights, class Emit>
[[gnu::always_inline]] inline void scan_down(const double* decay, std::size_t begin, std::size_t rows, scan_states<Arch, K> (&states)[C],
                                             Weights weights, Emit emit) {
  constexpr std::size_t w = lane_count<Arch>;
  for (std::size_t i = begin; i < rows; ++i) {
    emit(i, states);
    const lanes<Arch> q = lanes<Arch>::load_aligned(decay + (i + 1) * w);
    advance(states, xsimd::select(q < lanes<Arch>(0x1p-51), lanes<Arch>(0.0), q), weights(i), q);
  }
}

/// Scans rows [0, end) upwards; `emit(i, states)` sees the states of what is below item i of its lane.
template <class Arch, std::size_t K, std::size_t C, class Weights, class Emit>
[[gnu::always_inline]] inline void scan_up(const double* decay, std::size_t end, scan_states<Arch, K> (&states)[C], Weights weights, Emit emit) {
  constexpr std::size_t w = lane_count<Arch>;
  for (std::size_t i = end; i-- > 0;) {
    emit(i, states);
    const lanes<Arch> q = lanes<Arch>::load_aligned(decay + i * w);
    advance(states, xsimd::select(q < lanes<Arch>(0x1p-51), lanes<Arch>(0.0), q), weights(i), q);
  }
}

/// How one long sorted list lies in lanes: lane l holds items [l * rows, (l + 1) * rows), the last lanes perhaps fewer.
struct stretches {
  std::size_t rows;
  std::size_t warm_down;              ///< first row from which every lane's end is within reach
  std::size_t warm_up;                ///< rows from each lane's beginning that are within its reach
  std::array<double, 16> decay_down;  ///< [l] over the whole of lane l, from its first item to the first of lane l + 1
  std::array<double, 16> decay_up;    ///< [l] from the last item of lane l - 1 to the last of lane l
};

/// Turns the lanes' own sums, each relative to the next lane's first item, into the states at every lane's beginning.
template <class Arch, std::size_t K, std::size_t C>
void chain_down(scan_states<Arch, K> (&states)[C], const std::array<double, 16>& decay) {
  constexpr std::size_t w = lane_count<Arch>;
  for (auto& channel : states) {
    std::array<double, 16> power;
    power.fill(1.0);
    for (auto& s : channel.s) {
      alignas(64) double own[w];
      s.store_aligned(own);
      double carried = 0.0;
      for (std::size_t l = 0; l < w; ++l) {
        power[l] *= decay[l];
        const double next = own[l] + power[l] * carried;
        own[l] = carried;
        carried = next;
      }
      s = lanes<Arch>::load_aligned(own);
    }
  }
}

template <class Arch, std::size_t K, std::size_t C>
void chain_up(scan_states<Arch, K> (&states)[C], const std::array<double, 16>& decay) {
  constexpr std::size_t w = lane_count<Arch>;
  for (auto& channel : states) {
    std::array<double, 16> power;
    power.fill(1.0);
    for (auto& s : channel.s) {
      alignas(64) double own[w];
      s.store_aligned(own);
      double carried = 0.0;
      for (std::size_t l = w; l-- > 0;) {
        power[l] *= decay[l];
        const double next = own[l] + power[l] * carried;
        own[l] = carried;
        carried = next;
      }
      s = lanes<Arch>::load_aligned(own);
    }
  }
}

}  // namespace rankloss::detail
