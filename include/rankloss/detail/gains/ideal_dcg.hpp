// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/data/counted_by.hpp>
#include <rankloss/detail/sorting/value_runs.hpp>
#include <rankloss/gain.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The discount of a rank, counted from 1.
[[nodiscard]] inline double discount_at(std::size_t rank) noexcept {
  return 1.0 / std::log2(1.0 + static_cast<double>(rank));
}

/// The discounts of one list for ideal_dcg, multiplied and added item by item. A metric uses them because its
/// DCG is summed in this way: the NDCG of an ideal order is then exactly 1.
struct single_discounts {
  /// sum plus gain times the discounts of the ranks [begin, end), counted from 0.
  [[nodiscard]] double add(double sum, double gain, std::size_t begin, std::size_t end) const noexcept {
    for (std::size_t at = begin; at < end; ++at) sum += gain * discount_at(at + 1);
    return sum;
  }
  /// sum plus gain times the discount of one rank, `count` times.
  [[nodiscard]] double add_at(double sum, double gain, std::size_t at, std::size_t count) const noexcept {
    const double term = gain * discount_at(at + 1);
    for (std::size_t i = 0; i < count; ++i) sum += term;
    return sum;
  }
};

/// The largest DCG that the gains of one list allow at a cutoff; 0 means no cutoff. Discounts is
/// single_discounts for metrics and lane_discounts for engines; ideal_dcg_of_group is the same for lists in
/// lanes.
template <class Discounts, class T>
[[nodiscard]] double ideal_dcg(ideal kind, std::size_t cutoff, std::span<const T> gains, workspace& scratch) {
  const std::size_t last = counted_by(cutoff, gains.size());
  Discounts discounts;
  double sum = 0.0;
  runs_of_equals(gains, scratch, [&](double gain, std::size_t begin, std::size_t end) {
    if (gain == 0.0 || begin >= last) return;
    if (kind == ideal::competition_ranks)
      sum = discounts.add_at(sum, gain, begin, end - begin);
    else
      sum = discounts.add(sum, gain, begin, std::min(end, last));
  });
  return sum;
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
