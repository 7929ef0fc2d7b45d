// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>
#include <rankloss/detail/base/host_device.hpp>

#include <algorithm>
#include <cstddef>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Which wires each layer of a sorting network compares: neighbours in n layers (odd-even), or those of
/// Batcher's bitonic network in k (k + 1) / 2 layers for n <= 2^k, whose first 2^k - n wires are unused. The
/// wires of comparators are numbered from the first that is used.
class network_layers {
 public:
  RANKLOSS_HOST_DEVICE network_layers(bool odd_even, std::size_t n) noexcept : odd_even_(odd_even), n_(n) {
    std::size_t stages = 0;
    while (std::size_t{1} << stages < n) ++stages;
    unused_ = odd_even ? 0 : (std::size_t{1} << stages) - n;
    count_ = odd_even ? n : stages * (stages + 1) / 2;
  }

  [[nodiscard]] bool odd_even() const noexcept { return odd_even_; }
  [[nodiscard]] RANKLOSS_HOST_DEVICE std::size_t count() const noexcept { return count_; }
  /// The number of unused wires, which precede the used ones.
  [[nodiscard]] std::size_t unused() const noexcept { return unused_; }
  /// The number of all wires of the network.
  [[nodiscard]] RANKLOSS_HOST_DEVICE std::size_t wires() const noexcept { return unused_ + n_; }

  /// Index of comparator 0 among all pairs of the layer, including those of unused wires.
  [[nodiscard]] RANKLOSS_HOST_DEVICE std::size_t first_pair(std::size_t layer) const noexcept {
    if (odd_even_) return 0;
    const std::size_t distance = step_of(layer).distance;
    const std::size_t block = unused_ / (2 * distance) * (2 * distance);
    return block / 2 + (unused_ - block < distance ? unused_ - block : distance);
  }

  /// The number of comparators of the layer. In a bitonic network these are all pairs from first_pair on,
  /// since unused wires come first.
  [[nodiscard]] RANKLOSS_HOST_DEVICE std::size_t pairs(std::size_t layer) const noexcept {
    return odd_even_ ? (n_ - layer % 2) / 2 : wires() / 2 - first_pair(layer);
  }

  /// The comparators of one layer, any of which can be asked for by itself.
  struct comparators {
    struct pair {
      std::size_t lower, upper;
    };
    /// The wires of comparator c < count; the lesser score is sent to `lower`.
    [[nodiscard]] RANKLOSS_HOST_DEVICE pair operator()(std::size_t c) const noexcept {
      if (of.odd_even_) return {stage + 2 * c, stage + 2 * c + 1};
      const std::size_t at = first + c;
      const std::size_t wire =
          at + (at & ~(distance - 1));  // as many wires are second ones of earlier blocks
      const std::size_t one = wire - of.unused_, other = one + distance;
      return of.upwards(stage, wire) ? pair{one, other} : pair{other, one};
    }

    const network_layers& of;
    std::size_t stage;  // odd-even: the first wire
    std::size_t distance, first, count;
  };
  [[nodiscard]] RANKLOSS_HOST_DEVICE comparators comparators_of(std::size_t layer) const noexcept {
    if (odd_even_) return {*this, layer % 2, 1, 0, pairs(layer)};
    const step own = step_of(layer);
    return {*this, own.stage, own.distance, first_pair(layer), pairs(layer)};
  }

  /// Calls body(c, lower, upper) for the comparators c = 0, 1, ... of a layer; the lesser score is sent to
  /// wire `lower`.
  template <class Body>
  void for_pairs(std::size_t layer, Body body) const {
    std::size_t c = 0;
    if (odd_even_) {
      for (std::size_t i = layer % 2; i + 1 < n_; i += 2) body(c++, i, i + 1);
      return;
    }
    const std::size_t stage = step_of(layer).stage;
    // The shortest distances are constants, because loops of one, two and four steps would cost more than
    // their bodies.
    const auto blocks = [&](const auto distance) {
      for (std::size_t i = unused_ / (2 * distance) * (2 * distance); i < unused_ + n_; i += 2 * distance) {
        const bool rises = upwards(stage, i);
        const std::size_t begin = std::max(i, unused_) - unused_;
        const std::size_t lower = rises ? begin : begin + distance;
        const std::size_t upper = rises ? begin + distance : begin;
        const std::size_t count = distance - std::min<std::size_t>(begin + unused_ - i, distance);
        for (std::size_t l = 0; l < count; ++l) body(c + l, lower + l, upper + l);
        c += count;
      }
    };
    switch (const std::size_t distance = step_of(layer).distance) {
      case 1: return blocks(std::integral_constant<std::size_t, 1>());
      case 2: return blocks(std::integral_constant<std::size_t, 2>());
      case 4: return blocks(std::integral_constant<std::size_t, 4>());
      default: return blocks(distance);
    }
  }

 private:
  /// The stage of the bitonic network, which sorts blocks of 2^(stage + 1) wires in stage + 1 layers, every
  /// other block downwards, and the distance of the pairs of this layer.
  struct step {
    std::size_t stage, distance;
  };
  /// Whether the block of this wire is sorted upwards. Unused wires act as if they held a value less than all
  /// scores. It has to stay where it is, so a block that begins with unused wires is.
  [[nodiscard]] RANKLOSS_HOST_DEVICE bool upwards(std::size_t stage, std::size_t wire) const noexcept {
    const std::size_t block = wire >> (stage + 1);
    return block % 2 == 0 || block << (stage + 1) < unused_;
  }
  [[nodiscard]] RANKLOSS_HOST_DEVICE static step step_of(std::size_t layer) noexcept {
    std::size_t stage = 0;
    while (layer > stage) layer -= ++stage;
    return {stage, std::size_t{1} << (stage - layer)};
  }

  bool odd_even_;
  std::size_t n_;
  std::size_t unused_ = 0;
  std::size_t count_;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
