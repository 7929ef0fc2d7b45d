// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Reads n indices from `first` on.
template <class To>
void read_indices(const indices& from, std::size_t first, std::size_t n, To* to) {
  from.visit([=](const auto* index) {
    for (std::size_t k = 0; k < n; ++k) to[k] = static_cast<To>(std::int64_t{index[first + k]});
  });
}

/// The items of a chunk of pairs.
struct chunk_items {
  static constexpr std::size_t longest = tuning::preference_chunk;
  std::size_t preferred[longest], other[longest];

  void read(const indices& of_preferred, const indices& of_other, std::size_t first, std::size_t n) {
    read_indices(of_preferred, first, n, preferred);
    read_indices(of_other, first, n, other);
  }

  /// Whether the first n pairs are each of two of so many items. Without a branch, so that it takes little time.
  [[nodiscard]] bool are_pairs(std::size_t n, std::size_t count) const noexcept {
    std::size_t bad = 0;
    for (std::size_t k = 0; k < n; ++k)
      bad |= static_cast<std::size_t>(preferred[k] >= count) | static_cast<std::size_t>(other[k] >= count) |
             static_cast<std::size_t>(preferred[k] == other[k]);
    return bad == 0;
  }
};

/// Adds what n pairs give to their items, in the order of the pairs.
inline void add_to_items(const chunk_items& items, const double* to_preferred, const double* to_other,
                         std::size_t n, double* sums) noexcept {
  for (std::size_t k = 0; k < n; ++k) {
    sums[items.preferred[k]] += to_preferred[k];
    sums[items.other[k]] += to_other[k];
  }
}

/// Sums, by item, of a derivative of pairs, each formed in the order of the pairs, so that it has the same bits whoever
/// adds. One worker adds chunk by chunk. Several keep what the pairs give, and add when all pairs before are added.
class pair_derivatives {
 public:
  /// @param sums   [items]; empty: the derivative is not wanted
  /// @param keeps  whether several workers add
  pair_derivatives(std::span<double> sums, std::size_t pairs, bool keeps, workspace& scratch) : sums_(sums) {
    if (sums.empty() || !keeps) return;
    to_preferred_ = scratch.take<double>(pairs);
    to_other_ = scratch.take<double>(pairs);
  }

  [[nodiscard]] bool wanted() const noexcept { return !sums_.empty(); }

  /// Takes what the n pairs from `first` on give.
  void take(const chunk_items& items, std::size_t first, std::size_t n, const double* to_preferred,
            const double* to_other) const {
    if (to_preferred_.empty()) return add_to_items(items, to_preferred, to_other, n, sums_.data());
    std::copy_n(to_preferred, n, to_preferred_.data() + first);
    std::copy_n(to_other, n, to_other_.data() + first);
  }

  /// Adds what the n pairs from `first` on gave.
  void add_kept(const chunk_items& items, std::size_t first, std::size_t n) const {
    add_to_items(items, to_preferred_.data() + first, to_other_.data() + first, n, sums_.data());
  }

 private:
  std::span<double> sums_;
  std::span<double> to_preferred_, to_other_;  // [pairs] where they are kept
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
