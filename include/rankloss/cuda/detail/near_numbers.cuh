// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/team.cuh>

#include <type_traits>

/// Numbers that are near to each other, and sums of many numbers, in lanes of float or double.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// The sum of two floats, of which the second one is what the first one lacks.
struct alignas(8) two_floats {
  float high, low;
};

/// A number in lanes of S of which differences are formed: a float would lose the digits in which two of them differ,
/// and double is slow on many devices.
template <class S>
using exact_number = std::conditional_t<sizeof(S) == sizeof(float), two_floats, double>;

template <class S>
[[nodiscard]] __device__ inline exact_number<S> exactly(double x) {
  if constexpr (sizeof(S) == sizeof(float)) {
    const auto high = static_cast<float>(x);
    return {high, static_cast<float>(x - static_cast<double>(high))};
  } else {
    return x;
  }
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
/// a x
[[nodiscard]] __device__ inline two_floats product(float a, const two_floats& x) {
  const float high = a * x.high;
  return {high, fmaf(a, x.low, fmaf(a, x.high, -high))};
}
[[nodiscard]] __device__ inline two_floats product(const two_floats& a, const two_floats& x) {
  const float high = a.high * x.high;
  return {high, fmaf(a.low, x.high, fmaf(a.high, x.low, fmaf(a.high, x.high, -high)))};
}

/// A long sum in lanes of S: of floats with the rounding error of each addition beside it, of doubles as it is. It has to
/// stay finite.
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
  /// The same bits whichever of the two is joined to the other one.
  [[nodiscard]] __device__ long_sum joined(const long_sum& other) const {
    const float sum = of_.high + other.of_.high, grown = sum - of_.high;
    long_sum both;
    both.of_ = {sum, ((of_.high - (sum - grown)) + (other.of_.high - grown)) + (of_.low + other.of_.low)};
    return both;
  }
  [[nodiscard]] __device__ two_floats number() const {
    const float high = of_.high + of_.low;
    return {high, of_.low - (high - of_.high)};
  }
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
