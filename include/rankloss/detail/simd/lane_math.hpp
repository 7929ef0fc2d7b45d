// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/precision.hpp>
#include <rankloss/detail/simd/lanes.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>

/// The elementary functions of the kernels, on lanes of double. Those of xsimd handle every argument; these
/// are restricted to the range of arguments that the kernels need, have no branches, and take about a third
/// of the time (docs/algorithms/elementary_functions.md). scripts/fit_terms.py generates the constants.
namespace rankloss::inline RANKLOSS_ABI::detail {

// exp2m1_7: largest error 1.8e-10, sum of magnitudes 1.0
inline constexpr std::array<double, 7> exp2m1_7{
    0.6931471805376672,    0.24022650939133777,    0.0555041107740715,    0.009618053177850316,
    0.0013333262215383035, 0.00015462809920406155, 1.5369930148679753e-05};
// exp2m1_12: largest error 1.7e-19, sum of magnitudes 1.0
inline constexpr std::array<double, 12> exp2m1_12{
    0.6931471805599453,     0.24022650695910072,    0.05550410866482163,    0.009618129107628506,
    0.0013333558146405731,  0.00015403530393304403, 1.5252733842494798e-05, 1.321548687457335e-06,
    1.0178056609311428e-07, 7.0548689042949225e-09, 4.4559022490334113e-10, 2.57735673882256e-11};
// log_tail_4: largest error 6.6e-10, sum of magnitudes 0.8
inline constexpr std::array<double, 4> log_tail_4{0.3333333326690074, 0.20000069034193999, 0.1427451990178459,
                                                  0.11688781279828947};
// log_tail_7: largest error 1.7e-16, sum of magnitudes 1.0
inline constexpr std::array<double, 7> log_tail_7{
    0.3333333333333335,  0.19999999999945214, 0.1428571431500185, 0.11111105244710158,
    0.09091467692553253, 0.07665103068835803, 0.0731746792303213};
// atan_tail_11: largest error 3.1e-17, sum of magnitudes 1.2
inline constexpr std::array<double, 11> atan_tail_11{
    -0.3333333333333333,  0.1999999999999557,   -0.14285714284672538, 0.11111111015416242,
    -0.09090904573434884, 0.07692182857484327,  -0.06664503996666248, 0.058580631590046964,
    -0.05084903631426215, 0.039213377994990355, -0.019151756014613348};

// log_share_9: largest error 3.0e-08, sum of magnitudes 7.3
inline constexpr std::array<double, 9> log_share_9{
    1.000000029697763,   0.4999910102207384, 0.33378037226832036, 0.24149123732087444, 0.2802300740076692,
    -0.2500865386374098, 1.3706188223276563, -1.8384047021703027, 1.514181356376221};
// log_share_21: largest error 8.3e-18, sum of magnitudes 1266.5
inline constexpr std::array<double, 21> log_share_21{
    1.0,
    0.49999999999998584,
    0.3333333333373703,
    0.24999999954299382,
    0.20000002737849085,
    0.16666566369009336,
    0.14288162943258298,
    0.12457866553088051,
    0.11641987211230509,
    0.04969525536415802,
    0.4560713812080545,
    -1.9719662680973464,
    9.106966863760158,
    -30.949010897489075,
    83.08095035657064,
    -171.2731154241178,
    267.75368448785275,
    -306.61564016243085,
    243.6962990343059,
    -120.44556449948779,
    28.25823105458562,
};

/// c[first] + c[first + step] x + c[first + 2 step] x^2 + ...
template <std::size_t first = 0, std::size_t step = 1, class V, std::size_t N>
[[gnu::always_inline]] inline V polynomial(const std::array<double, N>& c, const V& x) noexcept {
  const V own(static_cast<typename V::value_type>(c[first]));
  if constexpr (first + step < N)
    return xsimd::fma(polynomial<first + step, step>(c, x), x, own);
  else
    return own;
}
/// c[1] + c[2] x + c[3] x^2 + ..., in the way of swift_polynomial.
template <class V, std::size_t N>
[[gnu::always_inline]] inline V swift_tail(const std::array<double, N>& c, const V& x) noexcept {
  const V square = x * x;
  return xsimd::fma(polynomial<2, 2>(c, square), x, polynomial<1, 2>(c, square));
}
/// The same, but for its first term as two polynomials in x^2 that do not wait for each other: for functions of which few
/// rows are under way at a time, so that how long one takes counts, and not how many instructions it has.
template <class V, std::size_t N>
[[gnu::always_inline]] inline V swift_polynomial(const std::array<double, N>& c, const V& x) noexcept {
  return xsimd::fma(swift_tail(c, x), x, V(static_cast<typename V::value_type>(c[0])));
}

/// The same lanes, hidden from the optimiser. A compiler that may reorder sums would otherwise simplify (x +
/// c) - c to x, and so remove the rounding for which c is added.
template <class S, class Arch>
[[nodiscard]] [[gnu::always_inline]] inline xsimd::batch<S, Arch> opaque(xsimd::batch<S, Arch> x) noexcept {
#if defined(__GNUC__) && defined(__SSE2__)
  __asm__("" : "+x"(x.data));
#elif defined(__GNUC__) && defined(__aarch64__)
  __asm__("" : "+w"(x.data));
#endif
  return x;
}

/// The nearest whole numbers, ties to even, for |x| < 2^50 (2^20 in float).
///
/// Where there is no instruction for it, this adds a number so large that the last digit of the sum is worth
/// 1.
template <class S, class Arch>
[[nodiscard]] [[gnu::always_inline]] inline xsimd::batch<S, Arch> rounded(
    const xsimd::batch<S, Arch>& x) noexcept {
#if (defined(__SSE2__) || defined(_M_X64)) && !defined(__SSE4_1__)
  using V = xsimd::batch<S, Arch>;
  constexpr S unit = S(1.5) * by_precision<S>(S(0x1p23), S(0x1p52));
  return opaque(opaque(x + V(unit)) - V(unit));
#else
  return xsimd::nearbyint(x);
#endif
}

/// 2^k for whole k in [-1022, 1023]. The low bits of k + 3 * 2^51 are those of k. No compiler option folds
/// this sum, since nothing is subtracted from it.
template <class Arch>
[[gnu::always_inline]] inline lanes<Arch> power_of_two(const lanes<Arch>& k) noexcept {
  const bits<Arch> shifted = to_bits(k + lanes<Arch>(6755399441055744.0));
  return from_bits((shifted << 52) + to_bits(lanes<Arch>(1.0)));
}

/// exp(-x) for x >= 0, including infinity. The result is 0 from x = 708 on, so that none is subnormal.
/// Relative error (2 + 1.2 x) 2^-53.
template <class Arch>
[[gnu::always_inline]] inline lanes<Arch> exp_minus(const lanes<Arch>& x) noexcept {
  using V = lanes<Arch>;
  const V bounded = xsimd::min(x, V(708.0));
  const V k = rounded(bounded * V(-std::numbers::log2e));
  const V f = xsimd::fma(bounded, V(-std::numbers::log2e), -k);
  const V value = xsimd::fma(swift_polynomial(exp2m1_12, f), f, V(1.0)) * power_of_two(k);
  return xsimd::select(x >= V(708.0), V(0.0), value);
}

/// exp(-x) for |x| <= 700, unspecified beyond. Number of terms: 12 for the precision of double, 7 for 2e-10.
template <class Arch, std::size_t N>
[[gnu::always_inline]] inline lanes<Arch> exp_minus_near(const lanes<Arch>& x,
                                                         const std::array<double, N>& terms) noexcept {
  using V = lanes<Arch>;
  const V k = rounded(x * V(-std::numbers::log2e));
  const V f = xsimd::fma(x, V(-std::numbers::log2e), -k);
  return xsimd::fma(polynomial(terms, f), f, V(1.0)) * power_of_two(k);
}

/// 2^-x for x in [0, 1000]. Number of terms as above.
template <class Arch, std::size_t N>
[[nodiscard]] [[gnu::always_inline]] inline lanes<Arch> exp2_minus_near(
    const lanes<Arch>& x, const std::array<double, N>& terms) noexcept {
  using V = lanes<Arch>;
  // The low bits of `shifted` are those of the whole number nearest to -x, and are added to the exponent.
  const V whole(6755399441055744.0);
  const V shifted = opaque(whole - x);
  const V f = opaque(whole - shifted) - x;
  return from_bits((to_bits(shifted) << 52) + to_bits(xsimd::fma(polynomial(terms, f), f, V(1.0))));
}

/// exp(-x) of floats x >= 0. The result is 0 from x = 87 on, so that none is subnormal. Relative error 4 *
/// 2^-24.
template <class Arch>
[[nodiscard]] [[gnu::always_inline]] inline xsimd::batch<float, Arch> exp_minus(
    const xsimd::batch<float, Arch>& x) noexcept {
  using V = xsimd::batch<float, Arch>;
  using B = xsimd::batch<std::uint32_t, Arch>;
  const V bounded = xsimd::min(x, V(87.0f));
  const V k = rounded(bounded * V(-std::numbers::log2e_v<float>));
  // -x - k ln 2, with ln 2 split into two constants; the product with the first one is exact.
  const V r = xsimd::fma(k, V(2.12194440e-4f), xsimd::fma(k, V(-0.693359375f), -bounded));
  const V f = r * V(std::numbers::log2e_v<float>);
  const B power = (to_bits(k + V(12582912.0f)) << 23) + to_bits(V(1.0f));
  return xsimd::select(x < V(87.0f), xsimd::fma(polynomial(exp2m1_7, f), f, V(1.0f)) * from_bits(power),
                       V(0.0f));
}

/// exp(x), exp(x) - 1 and exp(x) - 1 - x, which are computed without cancellation, for x <= 700. From x = -700 down
/// they are those of -700. Relative error 2 * 2^-53, 5 * 2^-53 and 16 * 2^-53.
template <class Arch>
struct exp_lanes {
  lanes<Arch> value, less_1, less_line;
};
template <class Arch>
[[nodiscard]] [[gnu::always_inline]] inline exp_lanes<Arch> exp_and_less_1(const lanes<Arch>& x) noexcept {
  using V = lanes<Arch>;
  const V bounded = xsimd::max(x, V(-700.0));
  const V k = rounded(bounded * V(std::numbers::log2e));
  // x - k ln 2, with ln 2 split into two constants; the product with the first one is exact.
  // Hidden, since a compiler that may reorder would add the two constants up.
  const V near = opaque(xsimd::fma(k, V(-6.93147180369123816490e-01), bounded));
  const V r = xsimd::fma(k, V(-1.90821492927058770002e-10), near);
  const V f = r * V(std::numbers::log2e);
  // 2^f - 1 = f (ln 2 + f tail), and f ln 2 is x where k is 0.
  const V tail = swift_tail(exp2m1_12, f);
  const V grown = xsimd::fma(tail, f, V(exp2m1_12[0])) * f, scale = power_of_two(k);
  const V less_1 = xsimd::fma(grown, scale, scale - V(1.0));
  return {xsimd::fma(grown, scale, scale), less_1,
          xsimd::select(k == V(0.0), tail * f * f, less_1 - bounded)};
}

/// exp(x) of floats or doubles; infinite where it exceeds the largest number.
template <class S, class Arch>
[[nodiscard]] [[gnu::always_inline]] inline xsimd::batch<S, Arch> exp_of(
    const xsimd::batch<S, Arch>& x) noexcept {
  using V = xsimd::batch<S, Arch>;
  // Computed as the square of exp(x / 2), which does not overflow and has a finite inverse.
  const V half = exp_minus(xsimd::min(xsimd::abs(x) * V(S(0.5)), V(by_precision<S>(S(80), S(700)))));
  const V root = xsimd::select(x > V(S(0)), V(S(1)) / half, half);
  return root * root;
}

/// 2^x - 1 for |x| <= 1000, without cancellation near 0; exact for whole x up to 53.
template <class Arch>
[[gnu::always_inline]] inline lanes<Arch> exp2_minus_1(const lanes<Arch>& x) noexcept {
  using V = lanes<Arch>;
  const V k = rounded(x);
  const V f = x - k;
  const V scale = power_of_two(k);
  return xsimd::fma(polynomial(exp2m1_12, f) * f, scale, scale - V(1.0));
}

/// x = 2^exponent * mantissa.
template <class Arch>
struct scaled_lanes {
  lanes<Arch> exponent, mantissa;
};
/// Splits normal x > 0, with a mantissa in [sqrt(1/2), sqrt(2)).
template <class Arch>
[[gnu::always_inline]] inline scaled_lanes<Arch> split_positive(const lanes<Arch>& x) noexcept {
  using V = lanes<Arch>;
  using B = bits<Arch>;
  // exponent << 52 is the exponent field of x / sqrt(1/2). It is converted to double through 2^52 + 1024 +
  // exponent.
  const B pattern = to_bits(x);
  const B exponent = (pattern - B(0x3fe6a09e667f3bcdu)) & B(0xfff0000000000000u);
  return {opaque(from_bits(((exponent + B(0x4000000000000000u)) >> 52) + B(0x4330000000000000u)) -
                 V(4503599627370496.0 + 1024.0)),
          from_bits(pattern - exponent)};
}

/// log(x) for normal x > 0. Number of terms: 7 for the precision of double, 4 for 1e-10.
template <class Arch, std::size_t N>
[[gnu::always_inline]] inline lanes<Arch> log_positive(const lanes<Arch>& x,
                                                       const std::array<double, N>& terms) noexcept {
  using V = lanes<Arch>;
  const auto [k, m] = split_positive(x);
  const V s = (m - V(1.0)) / (m + V(1.0));
  const V z = s * s;
  const V tail = s * z * polynomial(terms, z);
  return xsimd::fma(k, V(std::numbers::ln2), V(2.0) * (s + tail));
}

/// log(1 + u), without loss of small u, and 1 / (1 + u), by one division.
template <class Arch>
struct log_and_inverse {
  lanes<Arch> log, inverse;
};
/// For u in [0, 4]. Relative error of the logarithm 5 * 2^-53 with 7 terms, 1e-10 with 4, and of the inverse 3 * 2^-53.
template <class Arch, std::size_t N>
[[nodiscard]] [[gnu::always_inline]] inline log_and_inverse<Arch> of_1_plus(
    const lanes<Arch>& u, const std::array<double, N>& terms) noexcept {
  using V = lanes<Arch>;
  // 1 + u = c m with c = 1, 2 or 4 and m in [sqrt(1/2), sqrt(2)); log(m) = 2 atanh((m - 1) / (m + 1)).
  const auto past_1 = u > V(std::numbers::sqrt2 - 1.0), past_2 = u > V(2.0 * std::numbers::sqrt2 - 1.0);
  const auto of_c = [&](double of_1, double of_2, double of_4) {
    return xsimd::select(past_2, V(of_4), xsimd::select(past_1, V(of_2), V(of_1)));
  };
  const V sum = V(1.0) + u, under = u + of_c(2.0, 3.0, 5.0);
  const V both = V(1.0) / (sum * under);
  const V s = (u + of_c(0.0, -1.0, -3.0)) * (both * sum);
  const V z = s * s;
  const V tail = s * z * swift_polynomial(terms, z);
  return {of_c(0.0, std::numbers::ln2, 2.0 * std::numbers::ln2) + V(2.0) * (s + tail), both * under};
}

/// Sums of logarithms of normal numbers > 0, computed as the logarithm of their product.
template <class Arch>
class log_product {
  using V = lanes<Arch>;

 public:
  [[gnu::always_inline]] void multiply(const V& x) noexcept {
    const auto [k, m] = split_positive(x);
    exponent_ += k;
    mantissa_ = mantissa_ * m;
  }
  /// settle() has to be called after at most this many factors. Mantissas lie in [1/sqrt(2), sqrt(2)), so the
  /// product of that many stays far from overflow and underflow.
  static constexpr std::size_t most_factors = 1024;
  [[gnu::always_inline]] void settle() noexcept {
    const auto [k, m] = split_positive(mantissa_);
    exponent_ += k;
    mantissa_ = m;
  }
  [[nodiscard]] V sum() const noexcept {
    return xsimd::fma(exponent_, V(std::numbers::ln2), log_positive(mantissa_, log_tail_7));
  }

 private:
  V exponent_ = V(0.0);
  V mantissa_ = V(1.0);
};

/// Sums of log(1 + u) for u in [0, 1], without loss of small u: the product of all 1 + u is kept less 1, as a
/// sum of numbers that are all positive. Such a step is two instructions, and there is one logarithm at the
/// end.
template <class Arch>
class log1p_product {
  using V = lanes<Arch>;

 public:
  /// The product of that many rows of factors does not overflow.
  static constexpr std::size_t most_rows = 1000 / lane_count<Arch>;
  [[gnu::always_inline]] void multiply(const V& u) noexcept { less_1_ = xsimd::fma(less_1_, u, less_1_ + u); }
  /// Of all lanes.
  [[nodiscard]] double sum() const noexcept {
    alignas(64) double lane[lane_count<Arch>];
    less_1_.store_aligned(lane);
    double all = 0.0;
    for (const double x : lane) all += x + all * x;
    return std::log1p(all);
  }

 private:
  V less_1_ = V(0.0);
};

/// -log(1 - p) for p in [0, 1/2], without cancellation for small p; lanes of float or double, to the precision of T.
template <class V, class T = typename V::value_type>
[[gnu::always_inline]] inline V minus_log_rest(const V& p) noexcept {
  if constexpr (single_precision<T>)
    return p * polynomial(log_share_9, p);
  else
    return p * polynomial(log_share_21, p);
}

/// atan(1 / x) for finite x >= 0: pi / 2 at 0. Relative error 4 * 2^-53.
template <class Arch>
[[gnu::always_inline]] inline lanes<Arch> arc_cotangent(const lanes<Arch>& x) noexcept {
  using V = lanes<Arch>;
  // atan(1 / x) is computed as the arc tangent of 1 / x, as pi / 4 plus that of (1 - x) / (1 + x), or as pi /
  // 2 plus that of -x, whichever argument is within sqrt(2) - 1 of 0.
  const V one(1.0);
  const auto far = x > V(std::numbers::sqrt2 + 1.0);
  const auto near = x < V(std::numbers::sqrt2 - 1.0);
  const V q = xsimd::select(far, one, xsimd::select(near, -x, one - x)) /
              xsimd::select(far, x, xsimd::select(near, one, one + x));
  const V z = q * q;
  const V angle = xsimd::fma(q * z, polynomial(atan_tail_11, z), q);
  return angle + xsimd::select(far, V(0.0),
                               xsimd::select(near, V(std::numbers::pi / 2.0), V(std::numbers::pi / 4.0)));
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
