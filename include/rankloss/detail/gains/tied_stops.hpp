// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The number of items, at most `count`, after which less than 2^-60 of the users go on: by Maclaurin's
/// inequality this share is at most (1 - mean p)^t.
[[nodiscard]] inline std::size_t enough_to_stop(double mean, std::size_t count) noexcept {
  const double t = -42.0 / std::log1p(-std::min(mean, 0.5));
  return t < static_cast<double>(count) ? static_cast<std::size_t>(t) + 1 : count;
}

/// D_0 to D_count, where D_s is the mean of 1 - prod (1 - p_i) over all sets of s of the relevant items,
/// whose p_i are given.
[[nodiscard]] inline std::span<const double> stopped_by(std::span<const double> relevant, std::size_t count,
                                                        workspace& scratch) {
  const std::span<double> d = scratch.take<double>(count + 1);
  std::fill(d.begin(), d.end(), 0.0);
  for (std::size_t r = 1; r <= relevant.size(); ++r) {
    const double p = relevant[r - 1];
    const double one = 1.0 / static_cast<double>(r);
    for (std::size_t s = std::min(r, count); s > 0; --s) {
      const double with = static_cast<double>(s) * one;  // share of the sets of s that contain the new item
      d[s] = (1.0 - with) * d[s] + with * (p + (1.0 - p) * d[s - 1]);
    }
  }
  return d;
}

/// What a run of m equal scores, at the positions from `begin` on, contributes to expected_reciprocal_rank at
/// its positions before `end`, for a user who reaches it. `relevant` holds the p of its relevant items, all
/// above 0. The recurrence is in metrics/expected_reciprocal_rank.hpp; h_t(s) and D_s of its doc comment are
/// h and `stopped` here.
[[nodiscard]] inline double stops_in_run(std::size_t begin, std::size_t m, std::size_t end,
                                         std::span<const double> relevant, workspace& scratch) {
  double p = 0.0;
  for (const double q : relevant) p += q;
  const std::size_t r = relevant.size();
  const std::size_t positions = enough_to_stop(p / static_cast<double>(m), end - begin);
  const std::size_t steps = enough_to_stop(p / static_cast<double>(r), std::min(r, positions));
  const workspace::scope scope(scratch);
  const std::span<const double> stopped = stopped_by(relevant, steps, scratch);
  const std::span<double> h = scratch.take<double>(steps);
  std::fill(h.begin(), h.end(), 0.0);
  h[0] = 1.0;
  double sum = 0.0;
  for (std::size_t t = 0; t < positions; ++t) {
    const auto left = static_cast<double>(m - t);
    const double one = 1.0 / left;
    double here = 0.0;
    for (std::size_t s = std::min(t + 2, steps); s-- > 0;) {
      const auto left_relevant = static_cast<double>(r - s);
      here += h[s] * left_relevant * (stopped[s + 1] - stopped[s]);
      h[s] *= std::max(left - left_relevant, 0.0) * one;
      if (s > 0) h[s] += h[s - 1] * (left_relevant + 1.0) * one;
    }
    sum += here * one / static_cast<double>(begin + t + 1);
  }
  return sum;
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
