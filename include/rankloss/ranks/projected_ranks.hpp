// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/sorting/isotonic.hpp>
#include <rankloss/ranks/rank.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <cmath>
#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {

/// projected_ranks: smooth ranks by projecting the scores onto the permutahedron, the convex hull of all
/// orders of the ranks 1..n.
///
///     ranks               = argmin |r - z|^2 / 2                                          quadratic, z = -s / temperature descending,
///     ranks               = argmin sum_i r_i (log r_i - z_i) - r_i                         entropic       s / temperature ascending
///     rank_i              = mean of the block's ranks + z_i - mean of the block's z        quadratic, blocks by isotonic regression
///     rank_i              = sum of the block's ranks * p_i,  p = softmax of its z          entropic
///     d(rank_i) / d(z_j)  = [i = j] - 1 / block's size;  rank_i ([i = j] - p_j)            within a block, 0 outside
///
/// Blondel, Teboul, Berthet, Djolonga: Fast differentiable sorting and ranking, ICML 2020, arXiv 2002.08871;
/// soft_rank of fast-soft-sort and torchsort, where temperature is called epsilon and the default order is
/// ascending.
///
/// - Exact to rounding. Time O(n) after the sort for values and for a product with the Jacobian; scratch
///   O(n). Entropic sums are relative to the largest term of each block, so scores may have any spread.
/// - Invariant under shifts. The Jacobian is symmetric, and a gradient sums to 0 up to rounding. Ranks sum to
///   n (n - 1) / 2 + n base. Quadratic ascending ranks are n - 1 + 2 base minus the descending ones; this
///   does not hold for entropic ranks.
/// - Piecewise linear (quadratic) or smooth (entropic) while the blocks do not change. Two blocks that just
///   meet count as separate, and have the derivatives of separate blocks. Equal scores are in one block.
/// - Edge cases: equal scores have equal ranks. Scores that are much further apart than the temperature have
///   hard ranks and no gradient, and so have infinite scores.
/// @throws std::invalid_argument from the functions of rank.hpp when an option is out of its range.
struct projected_ranks {
  double temperature = 1.0;                                                       ///< 1e-15 to 1e300, in units of the scores
  rank_order order = rank_order::descending;                                      ///< which score has the first rank
  double base = 1.0;                                                              ///< rank of the first; ranks are shifted after the projection
  rankloss::regularization regularization = rankloss::regularization::quadratic;  ///< the distance that is least

  void validate() const {
    detail::require(detail::within(temperature, 1e-15, 1e300), "temperature: ", temperature, ", expected 1e-15 to 1e300");
    detail::require(detail::is_finite(base), "base: ", base, ", expected a finite number");
  }

  /// Ranks of one list; see smooth_ranks.
  template <class T, class Arch = xsimd::default_arch>
  class result {
   public:
    result(const projected_ranks& how, const strided<const T>& scores, workspace& scratch)
        : values_(scratch.take<double>(scores.size())),
          slope_((how.order == rank_order::ascending ? 1.0 : -1.0) / how.temperature),
          list_(detail::sort_falling<T>(scores, how.order == rank_order::ascending, scratch)) {
      const std::size_t n = scores.size();
      const double scale = 1.0 / how.temperature;
      const double shift = how.base - 1.0;
      if (how.regularization == rankloss::regularization::quadratic) {
        const auto together = [](double gap, double items) { return gap < 0.5 * items; };
        blocks_ = detail::pool_adjacent(n, 0.0, scratch, detail::pool_means(list_, scale, together));
        detail::for_blocks(blocks_, [&](const detail::pooled_block& block, std::size_t begin, std::size_t end) {
          const double first = mean_rank(begin, end) + block.sum + shift;
          for (std::size_t i = begin; i < end; ++i) values_[list_.order[i]] = first - list_.distance(begin, i) * scale;
        });
      } else {
        blocks_ = detail::pool_adjacent(n, 1.0, scratch, [&](detail::pooled_block& before, const detail::pooled_block& block, std::size_t end) {
          const double sum = std::exp(-scale * list_.distance(before.begin, block.begin)) * block.sum;
          if (before.sum * sum_of_ranks(block.begin, end) >= sum * sum_of_ranks(before.begin, block.begin)) return false;
          before.sum += sum;
          return true;
        });
        shares_ = detail::block_shares<Arch>(list_, blocks_, scale, scratch);
        detail::for_blocks(blocks_, [&](const detail::pooled_block&, std::size_t begin, std::size_t end) {
          const double sum = sum_of_ranks(begin, end);
          for (std::size_t i = begin; i < end; ++i) values_[list_.order[i]] = sum * shares_[i] + shift;
        });
      }
    }

    [[nodiscard]] std::span<const double> values() const noexcept { return values_; }

    void pullback(std::span<const double> cotangent, std::span<double> gradient) const {
      const auto c = [&](std::size_t i) { return cotangent[list_.order[i]]; };
      detail::for_blocks(blocks_, [&](const detail::pooled_block&, std::size_t begin, std::size_t end) {
        const double first = c(begin);
        double mean = 0.0;
        if (shares_.empty()) {
          for (std::size_t i = begin; i < end; ++i) mean += c(i) - first;
          mean = first + mean / static_cast<double>(end - begin);
          for (std::size_t i = begin; i < end; ++i) gradient[list_.order[i]] = slope_ * (c(i) - mean);
        } else {
          for (std::size_t i = begin; i < end; ++i) mean += shares_[i] * (c(i) - first);
          mean += first;
          const double sum = slope_ * sum_of_ranks(begin, end);
          for (std::size_t i = begin; i < end; ++i) gradient[list_.order[i]] = sum * shares_[i] * (c(i) - mean);
        }
      });
    }
    void push(std::span<const double> tangent, std::span<double> change) const { pullback(tangent, change); }  // the Jacobian is symmetric

   private:
    /// For places [begin, end); the first place has rank n.
    [[nodiscard]] double mean_rank(std::size_t begin, std::size_t end) const noexcept {
      return static_cast<double>(list_.size()) - 0.5 * static_cast<double>(begin + end - 1);
    }
    [[nodiscard]] double sum_of_ranks(std::size_t begin, std::size_t end) const noexcept {
      return static_cast<double>(end - begin) * mean_rank(begin, end);
    }

    std::span<double> values_;
    double slope_;
    detail::falling_list<T> list_;
    std::span<const detail::pooled_block> blocks_;
    std::span<const double> shares_;  // [n] by place; empty: equal in each block
  };

  template <class T, class Arch = xsimd::default_arch>
  [[nodiscard]] result<T, Arch> operator()(const strided<const T>& scores, workspace& scratch) const {
    return {*this, scores, scratch};
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI
