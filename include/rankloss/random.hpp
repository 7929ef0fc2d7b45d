// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>
#include <rankloss/detail/base/host_device.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <utility>
#include <vector>

namespace rankloss::inline RANKLOSS_ABI {

namespace detail {

[[nodiscard]] RANKLOSS_HOST_DEVICE constexpr std::uint32_t low_half(std::uint64_t x) noexcept {
  return static_cast<std::uint32_t>(x);
}
[[nodiscard]] RANKLOSS_HOST_DEVICE constexpr std::uint32_t high_half(std::uint64_t x) noexcept {
  return static_cast<std::uint32_t>(x >> 32);
}

/// Replaces a counter by the random bits of it and the key.
RANKLOSS_HOST_DEVICE constexpr void philox_rounds(std::uint32_t (&counter)[4], std::uint32_t first_key,
                                                  std::uint32_t second_key) noexcept {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * counter[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57} * counter[2];
    counter[0] = high_half(b) ^ counter[1] ^ first_key;
    counter[1] = low_half(b);
    counter[2] = high_half(a) ^ counter[3] ^ second_key;
    counter[3] = low_half(a);
    first_key += 0x9E3779B9;  // the golden ratio and the square root of 3, less 1
    second_key += 0xBB67AE85;
  }
}

}  // namespace detail

/// philox: 128 random bits as a function of a 128-bit counter and a 64-bit key. They are the same on every
/// machine, in any order of calls and for any number of threads.
///
/// Philox4x32-10 of Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3, SC 2011.
[[nodiscard]] constexpr std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                                            std::array<std::uint32_t, 2> key) noexcept {
  std::uint32_t bits[4] = {counter[0], counter[1], counter[2], counter[3]};
  detail::philox_rounds(bits, key[0], key[1]);
  return {bits[0], bits[1], bits[2], bits[3]};
}

/// random_stream: consecutive numbers of one stream of a seed, each a function of (seed, stream, position)
/// alone.
class random_stream {
 public:
  random_stream(std::uint64_t seed, std::uint64_t stream)
      : key_{detail::low_half(seed), detail::high_half(seed)},
        counter_{0, 0, detail::low_half(stream), detail::high_half(stream)} {}

  /// 32 random bits.
  std::uint32_t bits() {
    if (used_ == 4) {
      block_ = philox(counter_, key_);
      used_ = 0;
      if (++counter_[0] == 0) ++counter_[1];
    }
    return block_[used_++];
  }

  /// A number in (0, 1).
  double uniform() { return (static_cast<double>(bits()) + 0.5) * 0x1p-32; }

  /// A whole number in [0, count), for a count from 1 to 2^32. Rejects the few values that would favour small
  /// results (Lemire 2019).
  std::size_t below(std::size_t count) {
    const std::uint64_t n = count;
    std::uint64_t product = bits() * n;
    while (detail::low_half(product) < (std::uint64_t{1} << 32) % n) product = bits() * n;
    return static_cast<std::size_t>(product >> 32);
  }

  /// A normal number with mean 0 and standard deviation 1 (Box and Muller).
  double normal() {
    const double radius = std::sqrt(-2.0 * std::log(uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * uniform());
  }

  template <class T>
  void shuffle(std::vector<T>& items) {
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }

 private:
  std::array<std::uint32_t, 2> key_;
  std::array<std::uint32_t, 4> counter_;
  std::array<std::uint32_t, 4> block_{};
  std::size_t used_ = 4;
};

}  // namespace rankloss::inline RANKLOSS_ABI
