// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/sorting/isotonic.hpp>
#include <rankloss/sorts/projected_sort.hpp>
#include <rankloss/workspace.hpp>

#include <cmath>
#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {

/// Blocks are found by isotonic regression along the sorted scores; all else is a loop over each block.
template <class T>
class projected_sort::result {
  using Arch = xsimd::default_arch;  // of this translation unit, as the inline namespace says

 public:
  result(const projected_sort& how, const strided<const T>& scores, workspace& scratch)
      : values_(scratch.take<double>(scores.size())),
        falling_(detail::sort_falling<T>(scores, how.direction == sort_direction::descending, scratch)) {
    const std::size_t n = scores.size();
    const double step = 1.0 / how.temperature;
    const double sign = how.direction == sort_direction::descending ? -1.0 : 1.0;
    if (how.regularization == rankloss::regularization::quadratic) {
      // Scores are divided by 4, so that their differences, and all that is computed from them, are finite.
      falling_.unit = 0.25;
      const auto together = [step](double gap, double items) { return gap > 0.125 * step * items; };
      blocks_ = detail::pool_adjacent(n, 0.0, scratch, detail::pool_means(falling_, 1.0, together));
      detail::for_blocks(blocks_, [&](const detail::pooled_block& block, std::size_t begin, std::size_t end) {
        const double first = 0.25 * static_cast<double>(falling_.x[begin]);
        const double middle = 0.5 * static_cast<double>(end - begin - 1);
        for (std::size_t i = begin; i < end; ++i)
          values_[i] =
              4.0 * (first + sign * (block.sum + 0.25 * step * (static_cast<double>(i - begin) - middle)));
      });
    } else {
      // Sums of exponentials relative to the first item of the block: of the scores, stored in the blocks,
      // and of z.
      const auto steps = [step](std::size_t items) { return step * static_cast<double>(items); };
      const auto sum_of_z = [steps](std::size_t items) {
        return std::expm1(-steps(items));
      };  // times a constant
      blocks_ = detail::pool_adjacent(
          n, 1.0, scratch,
          [&](detail::pooled_block& before, const detail::pooled_block& block, std::size_t end) {
            const std::size_t items = block.begin - before.begin;
            const double distance = falling_.distance(before.begin, block.begin);
            if (distance - steps(items) <=
                std::log(block.sum * sum_of_z(items) / (before.sum * sum_of_z(end - block.begin))))
              return false;
            before.sum += std::exp(-distance) * block.sum;
            return true;
          });
      softmax_ = detail::block_softmax<Arch>(falling_, blocks_, 1.0, scratch);
      detail::for_blocks(blocks_, [&](const detail::pooled_block& block, std::size_t begin, std::size_t end) {
        const double above = std::log(block.sum * sum_of_z(1) / sum_of_z(end - begin));
        for (std::size_t i = begin; i < end; ++i)
          values_[i] = static_cast<double>(falling_.x[begin]) - sign * (above - steps(i - begin));
      });
    }
  }

  [[nodiscard]] std::span<const double> values() const noexcept { return values_; }

  void pullback(std::span<const double> cotangent, std::span<double> gradient) const {
    detail::for_blocks(blocks_, [&](const detail::pooled_block&, std::size_t begin, std::size_t end) {
      double sum = 0.0;
      for (std::size_t i = begin; i < end; ++i) sum += cotangent[i];
      for (std::size_t i = begin; i < end; ++i) gradient[falling_.order[i]] = sum * softmax_at(i, begin, end);
    });
  }
  void push(std::span<const double> tangent, std::span<double> change) const {
    detail::for_blocks(blocks_, [&](const detail::pooled_block&, std::size_t begin, std::size_t end) {
      double sum = 0.0;
      for (std::size_t i = begin; i < end; ++i) sum += softmax_at(i, begin, end) * tangent[falling_.order[i]];
      for (std::size_t i = begin; i < end; ++i) change[i] = sum;
    });
  }

 private:
  [[nodiscard]] double softmax_at(std::size_t i, std::size_t begin, std::size_t end) const noexcept {
    return softmax_.empty() ? 1.0 / static_cast<double>(end - begin) : softmax_[i];
  }

  std::span<double> values_;
  detail::falling_list<T> falling_;
  std::span<const detail::pooled_block> blocks_;
  std::span<const double> softmax_;  // [n] by position; empty: equal in each block
};

}  // namespace rankloss::inline RANKLOSS_ABI
