// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/host_device.hpp>
#include <rankloss/detail/gains/smooth_cut.hpp>

#include <cmath>
#include <cstddef>
#include <numbers>

/// What one item adds to a metric as a function of its real rank >= 1. With a cutoff it is multiplied by the
/// smooth cut.
namespace rankloss::inline RANKLOSS_ABI::detail {

/// Such a summand and its derivative by the rank.
struct rank_term {
  double value, slope;
};

/// gain cut(rank) / log2(1 + rank) / best
[[nodiscard]] RANKLOSS_HOST_DEVICE inline rank_term dcg_term(double rank, double gain, std::size_t cutoff,
                                                             double best) noexcept {
  const auto cut = smooth_cut(rank, cutoff);
  const double logarithm = std::log2(1.0 + rank);
  const double discounted = held_as<double>(gain / (logarithm * best));
  return {
      discounted * cut.value,
      held_as<double>(discounted * (cut.slope - cut.value / (logarithm * std::numbers::ln2 * (1.0 + rank))))};
}

/// x cut(rank) / rank
[[nodiscard]] RANKLOSS_HOST_DEVICE inline rank_term reciprocal_term(double rank, double x,
                                                                    std::size_t cutoff) noexcept {
  const auto cut = smooth_cut(rank, cutoff);
  const double quotient = cut.value / rank;
  return {x * quotient, x * (cut.slope - quotient) / rank};
}

/// (1 - persistence) gain cut(rank) persistence^(rank - 1)
[[nodiscard]] RANKLOSS_HOST_DEVICE inline rank_term persistent_term(double rank, double gain,
                                                                    std::size_t cutoff, double persistence,
                                                                    double log_persistence) noexcept {
  const auto cut = smooth_cut(rank, cutoff);
  const double reached = std::exp((rank - 1.0) * log_persistence);
  const double here = (1.0 - persistence) * held_as<double>(gain) * reached;
  return {here * cut.value, held_as<double>(here * (cut.slope + cut.value * log_persistence))};
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
