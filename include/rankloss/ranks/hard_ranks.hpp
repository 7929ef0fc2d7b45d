// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/ranks/rank.hpp>
#include <rankloss/workspace.hpp>

#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {

/// The rank that each of several equal scores gets.
enum class rank_ties {
  average,  ///< the mean of their ranks, which may be a half number
  minimum,  ///< the first of their ranks, as in competitions
  maximum,  ///< the last of their ranks
  ordinal,  ///< different ranks, in the order of the items
};

/// hard_ranks: the places of the scores in sorted order.
///
///     rank_i = base + #{j: s_j > s_i}        descending; s_j < s_i when ascending; equal scores by `ties`
///
/// - Time O(n) after the sort, scratch O(n); exact. Average ranks sum to n (n - 1) / 2 + n base.
/// - Piecewise constant: there are values only, no derivatives.
/// - Edge cases: infinite scores rank first or last. Equal infinities are tied, also with the largest finite
///   number of their type.
/// @throws std::invalid_argument from the functions of rank.hpp when an option is out of its range.
struct hard_ranks {
  rank_order order = rank_order::descending;  ///< which score has the first rank
  double base = 1.0;                          ///< rank of the first: 1, 0 or any finite number
  rank_ties ties = rank_ties::average;        ///< which rank equal scores get

  static constexpr bool has_gradient = false;

  void validate() const { detail::require(detail::is_finite(base), "base: ", base, ", expected a finite number"); }

  /// Ranks of one list; see smooth_ranks.
  class result {
   public:
    template <class T>
    result(const hard_ranks& how, const strided<const T>& scores, workspace& scratch) : values_(scratch.take<double>(scores.size())) {
      const workspace::scope sorting(scratch);
      const detail::sorted_list<T> sorted = detail::sort_list<T>(scores, scratch);
      const std::size_t n = scores.size();
      for (std::size_t begin = 0, end; begin < n; begin = end) {
        for (end = begin + 1; end < n && sorted.x[end] == sorted.x[begin];) ++end;
        const auto first = how.base + static_cast<double>(how.order == rank_order::descending ? begin : n - end);
        const auto last = first + static_cast<double>(end - begin - 1);
        const double shared = how.ties == rank_ties::minimum ? first : how.ties == rank_ties::maximum ? last : first + 0.5 * (last - first);
        for (std::size_t i = begin; i < end; ++i)
          values_[sorted.order[i]] = how.ties == rank_ties::ordinal ? first + static_cast<double>(i - begin) : shared;
      }
    }

    [[nodiscard]] std::span<const double> values() const noexcept { return values_; }

   private:
    std::span<double> values_;
  };

  template <class T>
  [[nodiscard]] result operator()(const strided<const T>& scores, workspace& scratch) const {
    return {*this, scores, scratch};
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI
