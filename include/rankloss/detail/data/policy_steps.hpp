// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/data/outputs.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>

#include <algorithm>
#include <cstddef>
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
template <class Steps>
void check_finite(std::string_view field, const Steps& values, const flags& mask,
                  std::string_view unit = "step") {
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!finite_at(values, i))
      require(!keeps(mask, i), field, ": ", values[i], " at ", unit, " ", i, ", expected a finite number");
}

/// The share of each step in a mean. Shares sum to 1, or are all 0 when no step counts.
class step_shares {
 public:
  step_shares(const reals& weights, const flags& mask, std::size_t steps)
      : weights_(weights),
        mask_(mask),
        mean_(
            steps, [this](std::size_t i) { return weight(i); }, reduction::mean) {}

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

/// Sums the terms of the steps that count, each multiplied by its share, and writes the gradient if it is
/// requested. `term(i)` returns a value and a slope, and does not throw: each step is written at once, so
/// that no scratch is needed.
template <class Term>
double mean_of_terms(std::size_t n, const step_shares& shares, const outputs& out, Term term) {
  double value = 0.0;
  const auto run = [&](auto write) {
    for (std::size_t i = 0; i < n; ++i) {
      const double share = shares[i];
      if (!(share > 0.0)) {
        write(i, 0.0);
        continue;
      }
      const auto one = term(i);
      value += share * one.value;
      write(i, share * one.slope);
    }
  };
  if (out.gradient.empty()) {
    run([](std::size_t, double) {});
    return value;
  }
  out.gradient.visit([&](auto* g) {
    run([&](std::size_t i, double slope) { put(g[i], held_as<double>(out.scale * slope), out.update); });
  });
  return value;
}

inline void check_step_outputs(const outputs& out, std::size_t n) {
  require(out.per_list.empty(), "per_list: steps have none, expected an empty output");
  check_outputs(out, n, "one per step", 0, "none");
}

inline void check_step_weights(const reals& weights, const flags& mask, std::size_t n, bool check) {
  check_weights("weights", weights, n, "step", check);
  check_optional("mask", mask.size(), n, "one per step");
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
