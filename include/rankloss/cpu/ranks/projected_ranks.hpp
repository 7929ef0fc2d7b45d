// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/sorting/isotonic.hpp>
#include <rankloss/ranks/projected_ranks.hpp>
#include <rankloss/workspace.hpp>

#include <cmath>
#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {

/// Blocks are found by isotonic regression along the sorted scores; all else is a loop over each block.
template <class T>
class projected_ranks::result {
  using Arch = xsimd::default_arch;  // of this translation unit, as the inline namespace says

 public:
  result(const projected_ranks& how, const strided<const T>& scores, workspace& scratch)
      : values_(scratch.take<double>(scores.size())),
        slope_((how.direction == sort_direction::ascending ? 1.0 : -1.0) / how.temperature),
        falling_(detail::sort_falling<T>(scores, how.direction == sort_direction::ascending, scratch)) {
    const std::size_t n = scores.size();
    const double scale = 1.0 / how.temperature;
    const double shift = how.base - 1.0;
    if (how.regularization == rankloss::regularization::quadratic) {
      const auto together = [](double gap, double items) { return gap < 0.5 * items; };
      blocks_ = detail::pool_adjacent(n, 0.0, scratch, detail::pool_means(falling_, scale, together));
      detail::for_blocks(blocks_, [&](const detail::pooled_block& block, std::size_t begin, std::size_t end) {
        const double first = mean_rank(begin, end) + block.sum + shift;
        for (std::size_t i = begin; i < end; ++i)
          values_[falling_.order[i]] = first - falling_.distance(begin, i) * scale;
      });
    } else {
      blocks_ = detail::pool_adjacent(
          n, 1.0, scratch,
          [&](detail::pooled_block& before, const detail::pooled_block& block, std::size_t end) {
            const double sum = std::exp(-scale * falling_.distance(before.begin, block.begin)) * block.sum;
            if (before.sum * sum_of_ranks(block.begin, end) >= sum * sum_of_ranks(before.begin, block.begin))
              return false;
            before.sum += sum;
            return true;
          });
      softmax_ = detail::block_softmax<Arch>(falling_, blocks_, scale, scratch);
      detail::for_blocks(blocks_, [&](const detail::pooled_block&, std::size_t begin, std::size_t end) {
        const double sum = sum_of_ranks(begin, end);
        for (std::size_t i = begin; i < end; ++i) values_[falling_.order[i]] = sum * softmax_[i] + shift;
      });
    }
  }

  [[nodiscard]] std::span<const double> values() const noexcept { return values_; }

  void pullback(std::span<const double> cotangent, std::span<double> gradient) const {
    const auto c = [&](std::size_t i) { return cotangent[falling_.order[i]]; };
    detail::for_blocks(blocks_, [&](const detail::pooled_block&, std::size_t begin, std::size_t end) {
      const double first = c(begin);
      double mean = 0.0;
      if (softmax_.empty()) {
        for (std::size_t i = begin; i < end; ++i) mean += c(i) - first;
        mean = first + mean / static_cast<double>(end - begin);
        for (std::size_t i = begin; i < end; ++i) gradient[falling_.order[i]] = slope_ * (c(i) - mean);
      } else {
        for (std::size_t i = begin; i < end; ++i) mean += softmax_[i] * (c(i) - first);
        mean += first;
        const double sum = slope_ * sum_of_ranks(begin, end);
        for (std::size_t i = begin; i < end; ++i)
          gradient[falling_.order[i]] = sum * softmax_[i] * (c(i) - mean);
      }
    });
  }
  void push(std::span<const double> tangent, std::span<double> change) const {
    pullback(tangent, change);
  }  // the Jacobian is symmetric

 private:
  /// For positions [begin, end); the first position has rank n.
  [[nodiscard]] double mean_rank(std::size_t begin, std::size_t end) const noexcept {
    return static_cast<double>(falling_.size()) - 0.5 * static_cast<double>(begin + end - 1);
  }
  [[nodiscard]] double sum_of_ranks(std::size_t begin, std::size_t end) const noexcept {
    return static_cast<double>(end - begin) * mean_rank(begin, end);
  }

  std::span<double> values_;
  double slope_;
  detail::falling_list<T> falling_;
  std::span<const detail::pooled_block> blocks_;
  std::span<const double> softmax_;  // [n] by position; empty: equal in each block
};

}  // namespace rankloss::inline RANKLOSS_ABI
