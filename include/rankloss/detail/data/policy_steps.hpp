// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/pieces.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/data/outputs.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI::detail {

// Helpers for arrays of steps, the input of policy losses and advantages.

[[nodiscard]] inline bool keeps(const flags& mask, std::size_t i) { return mask.empty() || mask[i]; }

/// Whether value i is finite, judged by its bits in memory.
template <class Steps>
[[nodiscard]] bool finite_at(const Steps& values, std::size_t i) noexcept {
  if constexpr (requires { values.is_finite(i); })
    return values.is_finite(i);
  else
    return is_finite(values[i]);
}

/// Requires finite values in all steps that the mask keeps. Masked steps may hold anything.
/// @param scratch  of the context whose workers look through many steps together; null: the caller does
template <class Steps>
void check_finite(std::string_view field, const Steps& values, const flags& mask,
                  std::string_view unit = "step", workspace* scratch = nullptr) {
  const auto check_one = [&](std::size_t i) {
    if (!finite_at(values, i))
      require(!keeps(mask, i), field, ": ", values[i], " at ", unit, " ", i, ", expected a finite number");
  };
  // What is finite is passed over by rows.
  std::size_t i = 0;
  if constexpr (requires { values.data(); }) {
    const strided all(values.data(), values.size());
    const auto is_bad = [](const auto& x) { return !is_finite(x); };
    i = scratch ? find_first(all, is_bad, *scratch) : find_first(all, is_bad);
  }
  for (; i < values.size(); ++i) check_one(i);
}

/// The share of each step in a mean. Shares sum to 1, or are all 0 when no step counts.
class step_shares {
 public:
  step_shares(const reals& weights, const flags& mask, std::size_t steps)
      : weights_(weights),
        mask_(mask),
        mean_(equal() ? weighted_mean(steps, reduction::mean)
                      : weighted_mean(
                            steps, [this](std::size_t i) { return weight(i); }, reduction::mean)) {}

  /// Whether all steps have the same share.
  [[nodiscard]] bool equal() const { return weights_.empty() && mask_.empty(); }
  [[nodiscard]] double operator[](std::size_t i) const { return mean_.share(weight(i)); }

 private:
  [[nodiscard]] double weight(std::size_t i) const { return keeps(mask_, i) ? weight_of(weights_, i) : 0.0; }

  const reals& weights_;
  const flags& mask_;
  weighted_mean mean_;
};

/// Steps in pieces of which each has as many steps that count, but for the last one. What a piece sums therefore
/// does not depend on the steps that do not count, nor on whether they are there. There is at least one piece.
class step_pieces {
 public:
  step_pieces(std::size_t n, const step_shares& shares, workspace& scratch) : even_(n, size), starts_{} {
    if (shares.equal() || n <= size) return;
    // Where the first of a piece is, is found by the numbers of steps that count in stretches of equal length.
    std::span<std::size_t> before = scratch.take<std::size_t>(even_.count() + 1);
    run_pieces(scratch, even_.count(), [&](workspace&, std::size_t p) {
      const auto [begin, end] = even_[p];
      std::size_t counted = 0;
      for (std::size_t i = begin; i < end; ++i) counted += shares[i] > 0.0 ? 1u : 0u;
      before[p + 1] = counted;
    });
    before[0] = 0;
    for (std::size_t p = 0; p < even_.count(); ++p) before[p + 1] += before[p];
    const even_pieces counted(before[even_.count()], size);
    starts_ = scratch.take<std::size_t>(counted.count() + 1);
    run_pieces(scratch, even_.count(), [&](workspace&, std::size_t p) {
      const auto [begin, end] = even_[p];
      std::size_t at = before[p];
      for (std::size_t i = begin; i < end; ++i)
        if (shares[i] > 0.0 && at++ % size == 0) starts_[(at - 1) / size] = i;
    });
    starts_.front() = 0;
    starts_.back() = n;
  }

  [[nodiscard]] std::size_t count() const noexcept {
    return starts_.empty() ? even_.count() : starts_.size() - 1;
  }
  [[nodiscard]] item_range operator[](std::size_t piece) const noexcept {
    return starts_.empty() ? even_[piece] : item_range{starts_[piece], starts_[piece + 1]};
  }

 private:
  static constexpr std::size_t size = tuning::piece_items;
  even_pieces even_;
  std::span<std::size_t> starts_;  ///< of the pieces, and n; empty: they are even
};

/// The term of one action in a policy loss.
struct policy_term {
  double value;  ///< the term of the sum
  double slope;  ///< d(value) / d(log probability)
  bool clipped;  ///< whether a bound replaces the ratio
};

inline void check_step_outputs(const outputs& out, std::size_t n) {
  require(out.per_list.empty(), "per_list: steps have none, expected an empty output");
  check_outputs(out, n, "one per step", 0, "none");
}

inline void check_step_weights(const reals& weights, const flags& mask, std::size_t n, bool check) {
  check_weights("weights", weights, n, "step", check);
  check_optional("mask", mask.size(), n, "one per step");
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
