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
// sigmoid_22: largest error 2.1e-17, sum of magnitudes 15.6
inline constexpr std::array<double, 22> sigmoid_22{1.0,
                                                   -0.9999999999999789,
                                                   0.9999999999964795,
                                                   -0.9999999997658134,
                                                   0.9999999917273309,
                                                   -0.9999998203955762,
                                                   0.9999973834668506,
                                                   -0.999972891136164,
                                                   0.9997919259983514,
                                                   -0.9987808271343822,
                                                   0.9944213275557529,
                                                   -0.9797064865882261,
                                                   0.9404500761854825,
                                                   -0.8572230088991545,
                                                   0.7167863372982579,
                                                   -0.5286586093793192,
                                                   0.3300303559153956,
                                                   -0.16690929044346095,
                                                   0.06494431697607454,
                                                   -0.018102592905981003,
                                                   0.0032004349148675097,
                                                   -0.0002686233867866872};
// slope_22: largest error 3.4e-16, sum of magnitudes 127.6
inline constexpr std::array<double, 22> slope_22{
    0.9999999999999997, -1.9999999999996552, 2.99999999994222,    -3.999999996148662,  4.999999863661765,  -5.9999970332283565,
    6.999956669814174,  -7.99954979355124,   8.996533102246648,   -9.979607879112189,  10.906256405561216, -11.657038008443898,
    11.986345121094446, -11.547074637111534, 10.074886389010622,  -7.669611416353635,  4.900365644939898,  -2.5208138716937314,
    0.9932818334260483, -0.2795072108425158, 0.04977665265309731, -0.00420183586471719};
// curvature_22: largest error 5.5e-15, sum of magnitudes 1328.0
inline constexpr std::array<double, 22> curvature_22{
    0.9999999999999944, -3.9999999999944325, 8.999999999065416, -15.99999993757054,  24.999997784935978, -35.99995168037819,
    48.99929235887065,  -63.99262485916571,  80.94300433449568, -99.66334667886971,  119.44454404342707, -138.27373170727228,
    151.941709864846,   -154.29976855671484, 140.1487626657051, -109.91978342770062, 71.78690079849719,  -37.52915282231524,
    14.966879178700756, -4.250323541328722,  0.762300894040696, -0.06470871127427034};
// slope_squared_22: largest error 1.5e-14, sum of magnitudes 2525.3
inline constexpr std::array<double, 22> slope_squared_22{
    1.452602806971592e-14, 0.999999999985312,  -3.999999997528925,  9.999999834547094,  -19.999994114985153, 34.99987127869893,
    -55.998109264147175,   83.98022803931526,  -119.84660437763034, 164.08976037270466, -215.77085789000236, 270.3230293633311,
    -316.8899202913609,    338.5328607470793,  -319.49208753284574, 257.789734732469,   -171.91259501118935, 91.27576754010992,
    -36.827376620426776,   10.551783211166887, -1.9056462525321496, 0.16265623324142203};

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
  static constexpr std::size_t count = 22;
  static constexpr const auto& sigmoid = sigmoid_22;
  static constexpr const auto& slope = slope_22;
  static constexpr const auto& curvature = curvature_22;
  static constexpr const auto& slope_squared = slope_squared_22;
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
    // Two sums, so that the additions do not wait for each other; of neighbours, since signs alternate and each sum so stays small.
    return sum_terms<0, K / 2>(c) + sum_terms<K / 2, K>(c);
  }

 private:
  template <std::size_t k, std::size_t end>
  [[gnu::always_inline]] lanes<Arch> sum_terms(const std::array<double, K>& c) const noexcept {
    if constexpr (k + 1 == end)
      return lanes<Arch>(c[k]) * s[k];
    else
      return xsimd::fma(lanes<Arch>(c[k]), s[k], sum_terms<k + 1, end>(c));
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
