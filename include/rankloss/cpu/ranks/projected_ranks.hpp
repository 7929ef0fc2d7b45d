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
      : scratch_(scratch),
        values_(scratch.take<double>(scores.size())),
        slope_((how.direction == sort_direction::ascending ? 1.0 : -1.0) / how.temperature),
        falling_(detail::sort_falling<T>(scores, how.direction == sort_direction::ascending, scratch)) {
    const std::size_t n = scores.size();
    const double scale = 1.0 / how.temperature;
    const double shift = how.base - 1.0;
    if (how.regularization == rankloss::regularization::quadratic) {
      const auto together = [](double gap, double items) { return gap < 0.5 * items; };
      blocks_ = {n, 0.0, scratch, detail::pool_means(falling_, scale, together)};
      for_blocks([=, falling = falling_, values = values_](const block& own, const auto& items) {
        const double first = mean_rank(n, items.begin, items.end) + own.sum + shift;
        items.each_by_order([=, begin = items.begin](std::size_t i) {
          values[falling.order[i]] = first - falling.distance(begin, i) * scale;
        });
      });
    } else {
      const auto pool = [=, falling = falling_](block& before, const block& own, std::size_t end) {
        const double sum = std::exp(-scale * falling.distance(before.begin, own.begin)) * own.sum;
        if (before.sum * sum_of_ranks(n, own.begin, end) >= sum * sum_of_ranks(n, before.begin, own.begin))
          return false;
        before.sum += sum;
        return true;
      };
      blocks_ = {n, 1.0, scratch, pool};
      softmax_ = detail::block_softmax<Arch>(falling_, blocks_, scale, scratch);
      for_blocks(
          [=, order = falling_.order, values = values_, softmax = softmax_](const block&, const auto& items) {
            const double sum = sum_of_ranks(n, items.begin, items.end);
            items.each_by_order([=](std::size_t i) { values[order[i]] = sum * softmax[i] + shift; });
          });
    }
  }

  [[nodiscard]] std::span<const double> values() const noexcept { return values_; }

  void pullback(std::span<const double> cotangent, std::span<double> gradient) const {
    for_blocks([=, n = falling_.size(), slope = slope_, order = falling_.order, softmax = softmax_](
                   const block&, const auto& items) {
      const auto c = [=](std::size_t i) { return cotangent[order[i]]; };
      const double first = c(items.begin);
      if (softmax.empty()) {
        const double apart = items.sum([=](std::size_t i) { return c(i) - first; });
        const double mean = first + apart / static_cast<double>(items.size());
        items.each_by_order([=](std::size_t i) { gradient[order[i]] = slope * (c(i) - mean); });
      } else {
        const double mean = items.sum([=](std::size_t i) { return softmax[i] * (c(i) - first); }) + first;
        const double sum = slope * sum_of_ranks(n, items.begin, items.end);
        items.each_by_order([=](std::size_t i) { gradient[order[i]] = sum * softmax[i] * (c(i) - mean); });
      }
    });
  }
  void push(std::span<const double> tangent, std::span<double> change) const {
    pullback(tangent, change);
  }  // the Jacobian is symmetric

 private:
  using block = detail::pooled_block;

  template <class Body>
  void for_blocks(const Body& body) const {
    blocks_.for_each(scratch_, body);
  }

  /// For positions [begin, end) of n; the first position has rank n.
  [[nodiscard]] static double mean_rank(std::size_t n, std::size_t begin, std::size_t end) noexcept {
    return static_cast<double>(n) - 0.5 * static_cast<double>(begin + end - 1);
  }
  [[nodiscard]] static double sum_of_ranks(std::size_t n, std::size_t begin, std::size_t end) noexcept {
    return static_cast<double>(end - begin) * mean_rank(n, begin, end);
  }

  workspace& scratch_;
  std::span<double> values_;
  double slope_;
  detail::falling_list<T> falling_;
  detail::pooled_blocks blocks_;
  std::span<const double> softmax_;  // [n] by position; empty: equal in each block
};

}  // namespace rankloss::inline RANKLOSS_ABI
