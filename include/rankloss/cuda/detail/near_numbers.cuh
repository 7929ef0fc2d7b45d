// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/float_functions.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/detail/base/host_device.hpp>

#include <cstdint>
#include <type_traits>

/// Numbers that are near to each other, and sums of many numbers, in lanes of float or double.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// The sum of two floats, of which the second one is what the first one lacks.
struct alignas(8) two_floats {
  float high, low;
};

/// A number in lanes of S of which differences are formed: a float would lose the digits in which two of them
/// differ, and double is slow on many devices.
template <class S>
using exact_number = std::conditional_t<sizeof(S) == sizeof(float), two_floats, double>;

/// What long sums over scores of type T consist of. Two floats take about ten instructions for an operation,
/// a double the time of two on devices that are made for them, and that of 64 on others.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ % 100 == 0 && __CUDA_ARCH__ <= 1000
template <class>
using state_number = double;
#else
template <class T>
using state_number = exact_number<T>;
#endif
static_assert(sizeof(state_number<float>) == sizeof(double) &&
                  alignof(state_number<float>) == alignof(double),
              "memory for states is the same on every device");

/// x as an N, which is double or two_floats.
template <class N>
[[nodiscard]] RANKLOSS_HOST_DEVICE constexpr N number(double x) {
  if constexpr (std::is_same_v<N, double>) {
    return x;
  } else {
    const auto high = static_cast<float>(x);
    return {high, static_cast<float>(x - static_cast<double>(high))};
  }
}
template <class N>
[[nodiscard]] __device__ inline N number(float x) {
  if constexpr (std::is_same_v<N, double>)
    return static_cast<double>(x);
  else
    return {x, 0.0f};
}
template <class N>
[[nodiscard]] __device__ inline N number(std::uint32_t x) {
  if constexpr (std::is_same_v<N, double>) {
    return static_cast<double>(x);
  } else {
    const auto high = static_cast<float>(x);
    return {high, static_cast<float>(static_cast<std::int64_t>(x) - static_cast<std::int64_t>(high))};
  }
}
template <class N>
[[nodiscard]] __device__ inline N number(const two_floats& x) {
  if constexpr (std::is_same_v<N, double>)
    return static_cast<double>(x.high) + static_cast<double>(x.low);
  else
    return x;
}
[[nodiscard]] __device__ inline two_floats as_two_floats(const two_floats& x) { return x; }
[[nodiscard]] __device__ inline two_floats as_two_floats(double x) { return number<two_floats>(x); }
template <class S>
[[nodiscard]] __device__ constexpr exact_number<S> exactly(double x) {
  return number<exact_number<S>>(x);
}

[[nodiscard]] __device__ inline float difference(const two_floats& a, const two_floats& b) {
  return (a.high - b.high) + (a.low - b.low);
}
[[nodiscard]] __device__ inline double difference(double a, double b) { return a - b; }
[[nodiscard]] __device__ inline float total(const two_floats& a, const two_floats& b) {
  return (a.high + b.high) + (a.low + b.low);
}
[[nodiscard]] __device__ inline double total(double a, double b) { return a + b; }

[[nodiscard]] __device__ inline float rounded(const two_floats& x) { return x.high + x.low; }
[[nodiscard]] __device__ inline double rounded(double x) { return x; }
/// x to about a unit in the last place of S.
[[nodiscard]] __device__ inline float leading(const two_floats& x) { return x.high; }
[[nodiscard]] __device__ inline double leading(double x) { return x; }
/// The same number, of which the first float is the nearest one.
[[nodiscard]] __device__ inline two_floats normalised(const two_floats& x) {
  const float high = x.high + x.low;
  return {high, x.low - (high - x.high)};
}
/// a b, rounded before anything is added to it: a compiler may make one operation of a product and a sum, and then
/// what the rounding took is not what is computed of it.
[[nodiscard]] __device__ inline float rounded_product(float a, float b) { return __fmul_rn(a, b); }
[[nodiscard]] __device__ inline double rounded_product(double a, double b) { return __dmul_rn(a, b); }

/// a x
[[nodiscard]] __device__ inline double product(double a, double x) { return a * x; }
[[nodiscard]] __device__ inline two_floats product(float a, const two_floats& x) {
  const float high = rounded_product(a, x.high);
  return {high, fmaf(a, x.low, fmaf(a, x.high, -high))};
}
[[nodiscard]] __device__ inline two_floats product(const two_floats& a, const two_floats& x) {
  const float high = rounded_product(a.high, x.high);
  return {high, fmaf(a.low, x.high, fmaf(a.high, x.low, fmaf(a.high, x.high, -high)))};
}

// Arithmetic of two_floats, to some 2^-44 of the numbers that go into it.
[[nodiscard]] __device__ inline two_floats operator+(const two_floats& a, const two_floats& b) {
  const float high = a.high + b.high, grown = high - a.high;
  return {high, ((a.high - (high - grown)) + (b.high - grown)) + (a.low + b.low)};
}
[[nodiscard]] __device__ inline two_floats operator-(const two_floats& a) { return {-a.high, -a.low}; }
[[nodiscard]] __device__ inline two_floats operator-(const two_floats& a, const two_floats& b) {
  return a + -b;
}
[[nodiscard]] __device__ inline two_floats operator*(const two_floats& a, const two_floats& b) {
  return product(a, b);
}
[[nodiscard]] __device__ inline two_floats multiply_add(const two_floats& a, const two_floats& b,
                                                        const two_floats& c) {
  return a * b + c;
}
[[nodiscard]] __device__ inline double multiply_add(double a, double b, double c) { return fma(a, b, c); }
[[nodiscard]] __device__ inline float multiply_add(float a, float b, float c) { return fmaf(a, b, c); }

/// Whether a float has all digits of a number.
template <class R>
[[nodiscard]] __device__ inline bool is_float(R x) {
  if constexpr (std::is_integral_v<R> && sizeof(R) < sizeof(float)) {
    return true;
  } else if constexpr (std::is_integral_v<R>) {
    constexpr R most = 1 << 24;
    if constexpr (std::is_signed_v<R>)
      if (x < -most) return false;
    return x <= most;
  } else {
    return static_cast<R>(static_cast<float>(x)) == x;
  }
}

[[nodiscard]] __device__ inline double exact_value(double x) { return x; }
[[nodiscard]] __device__ inline double exact_value(const two_floats& x) {
  return static_cast<double>(x.high) + static_cast<double>(x.low);
}

/// 1 / x
[[nodiscard]] __device__ inline two_floats inverse(const two_floats& x) {
  const float near = inverse(x.high);
  return {near, -near * fmaf(near, x.low, fmaf(near, x.high, -1.0f))};
}

/// 2^raise exp(-x) for x >= 0, relative error 2^-34; 0 from 87 + raise ln 2 on.
template <int raise = 0>
[[nodiscard]] __device__ inline two_floats exp_below(const two_floats& x) {
  // x is m quarters of ln 2 and a rest of at most an eighth of it. The first part of the quarter has 15 bits,
  // so that its multiples are exact.
  constexpr float first = 0x1.62e4000000000p-3f, second = 0x1.7f7d1c0000000p-22f,
                  third = 0x1.ef357a0000000p-47f;
  const float m = rintf(x.high * 5.7707802f);
  const float near = fmaf(-m, first, x.high), step = rounded_product(m, second);
  two_floats rest = two_floats{near, 0.0f} - two_floats{step, fmaf(m, second, -step)};
  rest = rest + two_floats{fmaf(-m, third, x.low), 0.0f};
  const float y = -rest.high;
  const two_floats square = rest * rest;
  const float series = fmaf(y, fmaf(y, fmaf(y, 1.0f / 720.0f, 1.0f / 120.0f), 1.0f / 24.0f), 1.0f / 6.0f);
  two_floats sum = two_floats{0.5f * square.high, 0.5f * square.low} - rest;
  sum.low = fmaf(square.high * y, series, sum.low);
  sum = two_floats{1.0f, 0.0f} + sum;
  const int quarters = static_cast<int>(m), part = quarters & 3;
  const two_floats root = part == 0   ? two_floats{1.0f, 0.0f}
                          : part == 1 ? two_floats{0x1.ae89fa0000000p-1f, -0x1.a94b140000000p-27f}
                          : part == 2 ? two_floats{0x1.6a09e60000000p-1f, 0x1.9fcef40000000p-27f}
                                      : two_floats{0x1.306fe00000000p-1f, 0x1.4636e20000000p-26f};
  sum = sum * root;
  // Of the cubic term on all is in the second number, of which products leave out the square.
  sum = normalised(sum);
  const bool nothing = !(x.high < 87.0f + static_cast<float>(raise) * 0.693147181f);
  const float scale = nothing ? 0.0f : __int_as_float((127 + raise - (quarters >> 2)) << 23);
  return nothing ? two_floats{0.0f, 0.0f} : two_floats{sum.high * scale, sum.low * scale};
}

/// x, or 0 where it is below that.
[[nodiscard]] __device__ inline double not_below_0(double x) { return fmax(x, 0.0); }
[[nodiscard]] __device__ inline two_floats not_below_0(const two_floats& x) {
  return rounded(x) > 0.0f ? x : two_floats{0.0f, 0.0f};
}
/// The square root of x, or 0 where it is below that.
[[nodiscard]] __device__ inline double root_of(double x) { return x > 0.0 ? sqrt(x) : 0.0; }
[[nodiscard]] __device__ inline two_floats root_of(const two_floats& x) {
  const float square = rounded(x);
  if (!(square > 0.0f)) return {0.0f, 0.0f};
  const float high = __fsqrt_rn(square);
  return {high, quotient((x.high - square + x.low) + fmaf(-high, high, square), high + high)};
}

/// A long sum in lanes of S: of floats with the rounding error of each addition beside it, of doubles as it
/// is. It has to stay finite.
template <class S>
class long_sum;
template <>
class long_sum<float> {
 public:
  __device__ void add(float x) {
    const float sum = of_.high + x, grown = sum - of_.high;
    of_.low += (of_.high - (sum - grown)) + (x - grown);
    of_.high = sum;
  }
  __device__ void add(const two_floats& x) {
    add(x.high);
    of_.low += x.low;
  }
  /// The same bits whichever of the two is joined to the other one.
  [[nodiscard]] __device__ long_sum joined(const long_sum& other) const {
    const float sum = of_.high + other.of_.high, grown = sum - of_.high;
    long_sum both;
    both.of_ = {sum, ((of_.high - (sum - grown)) + (other.of_.high - grown)) + (of_.low + other.of_.low)};
    return both;
  }
  [[nodiscard]] __device__ two_floats number() const { return normalised(of_); }
  [[nodiscard]] __device__ double exact_value() const {
    return static_cast<double>(of_.high) + static_cast<double>(of_.low);
  }

 private:
  two_floats of_{0.0f, 0.0f};
};
template <>
class long_sum<double> {
 public:
  __device__ void add(double x) { sum_ += x; }
  [[nodiscard]] __device__ long_sum joined(const long_sum& other) const {
    long_sum both;
    both.sum_ = sum_ + other.sum_;
    return both;
  }
  [[nodiscard]] __device__ double number() const { return sum_; }
  [[nodiscard]] __device__ double exact_value() const { return sum_; }

 private:
  double sum_ = 0.0;
};

/// The sum of those of all threads.
template <class Team, class S>
[[nodiscard]] __device__ inline long_sum<S> sum(const Team& team, const long_sum<S>& own) {
  return combine_all(team, own, long_sum<S>{},
                     [](const long_sum<S>& a, const long_sum<S>& b) { return a.joined(b); });
}

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
