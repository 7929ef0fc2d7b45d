// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/ranks/hard_ranks.hpp>
#include <rankloss/workspace.hpp>

#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {

/// Ranks are read off the sorted scores, one run of equal scores after the other.
template <class T>
class hard_ranks::result {
 public:
  result(const hard_ranks& how, const strided<const T>& scores, workspace& scratch)
      : values_(scratch.take<double>(scores.size())) {
    const workspace::scope sorting(scratch);
    const detail::sorted_list<T> sorted = detail::sort_list<T>(scores, scratch);
    const std::size_t n = scores.size();
    for (std::size_t begin = 0, end; begin < n; begin = end) {
      for (end = begin + 1; end < n && sorted.x[end] == sorted.x[begin];) ++end;
      const auto first =
          how.base + static_cast<double>(how.direction == sort_direction::descending ? begin : n - end);
      const auto last = first + static_cast<double>(end - begin - 1);
      const double shared = how.ties == rank_ties::minimum   ? first
                            : how.ties == rank_ties::maximum ? last
                                                             : first + 0.5 * (last - first);
      for (std::size_t i = begin; i < end; ++i)
        values_[sorted.order[i]] =
            how.ties == rank_ties::ordinal ? first + static_cast<double>(i - begin) : shared;
    }
  }

  [[nodiscard]] std::span<const double> values() const noexcept { return values_; }

 private:
  std::span<double> values_;
};

}  // namespace rankloss::inline RANKLOSS_ABI
