// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cmath>
#include <cstdint>
#include <random>

namespace cuda_support {

/// Numbers of any size, the same ones for the same seed.
class odd_numbers {
 public:
  explicit odd_numbers(std::uint32_t seed) : random_(seed) {}

  /// 32 random bits.
  std::uint32_t operator()() { return static_cast<std::uint32_t>(random_()); }
  double any(double from, double to) { return std::uniform_real_distribution<double>(from, to)(random_); }
  /// 10 to a power between these, of either sign.
  double sized(double from, double to) {
    const double size = std::pow(10.0, any(from, to));
    return operator()() % 2 == 0 ? -size : size;
  }

 private:
  std::mt19937 random_;
};

}  // namespace cuda_support
