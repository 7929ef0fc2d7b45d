// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>

/// Functions of floats whose errors are the same whatever the compiler is told: with --use_fast_math quotients
/// of two floats, sqrtf, expf and logf are others, whose errors grow with the number, or which are 0 beyond
/// 2^126. Code of kernels names these instead. Those of doubles are beside them for code that is written once
/// for both.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// a / b
[[nodiscard]] __device__ inline float quotient(float a, float b) { return __fdiv_rn(a, b); }
[[nodiscard]] __device__ inline double quotient(double a, double b) { return a / b; }
/// 1 / x
[[nodiscard]] __device__ inline float inverse(float x) { return __frcp_rn(x); }
[[nodiscard]] __device__ inline double inverse(double x) { return 1.0 / x; }

/// a / b to two units in the last place, by few instructions, for b between 2^-126 and 2^126.
[[nodiscard]] __device__ inline float near_quotient(float a, float b) { return __fdividef(a, b); }

/// e^x, as 2^power times what is left of x. The power is the nearest one to `held`: x, or a number near the end
/// of the range where the power of x is beyond it, and what is left then makes the result 0 or infinite. A
/// device has an instruction for 2^x.
[[nodiscard]] __device__ inline float exp_by_power_of(float held, float x) {
  constexpr float inverse_ln2 = 0x1.715476p+0f, further = 0x1.4ae0c0p-26f;
  // A number of which the last bits are the power + 127: the bits of an exponent.
  constexpr float magic = 0x1.8p23f + 127.0f;
  const float raised = fmaf(held, inverse_ln2, magic), power = raised - magic;
  const float rest = fmaf(x, further, fmaf(x, inverse_ln2, -power));
  return exp2f(rest) * __int_as_float(__float_as_int(raised) << 23);
}
/// e^x to 3 units in the last place.
[[nodiscard]] __device__ inline float exp_of(float x) {
  return exp_by_power_of(fminf(fmaxf(x, -87.0f), 88.0f), x);
}
[[nodiscard]] __device__ inline double exp_of(double x) { return exp(x); }
/// The same where x is below 88.
[[nodiscard]] __device__ inline float exp_up_to_88(float x) { return exp_by_power_of(fmaxf(x, -87.0f), x); }

/// log(x) of a normal x > 0 to 1.5 units in the last place.
[[nodiscard]] __device__ inline float log_of(float x) {
  // x is m times a power of 2, with m from 2/3 to 4/3. The bits of m are those of x less the power's. The polynomial is
  // log1p_tail_9 of scripts/fit_terms.py.
  const int bits = __float_as_int(x), power = (bits - 0x3f2aaaab) & static_cast<int>(0xff800000u);
  const float y = __int_as_float(bits - power) - 1.0f;
  float tail = -0x1.064746p-3f;
  tail = fmaf(tail, y, 0x1.1aa92cp-3f);
  tail = fmaf(tail, y, -0x1.f3908cp-4f);
  tail = fmaf(tail, y, 0x1.1fac62p-3f);
  tail = fmaf(tail, y, -0x1.559c62p-3f);
  tail = fmaf(tail, y, 0x1.99c1e2p-3f);
  tail = fmaf(tail, y, -0x1.fffed8p-3f);
  tail = fmaf(tail, y, 0x1.55552ap-2f);
  tail = fmaf(tail, y, -0.5f);
  return fmaf(static_cast<float>(power), 0x1.62e430p-24f, fmaf(y * y, tail, y));
}
[[nodiscard]] __device__ inline double log_of(double x) { return log(x); }

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
