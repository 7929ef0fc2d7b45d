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
