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
      : scratch_(scratch),
        values_(scratch.take<double>(scores.size())),
        falling_(detail::sort_falling<T>(scores, how.direction == sort_direction::descending, scratch)) {
    const std::size_t n = scores.size();
    const double step = 1.0 / how.temperature;
    const double sign = how.direction == sort_direction::descending ? -1.0 : 1.0;
    if (how.regularization == rankloss::regularization::quadratic) {
      // Scores are divided by 4, so that their differences, and all that is computed from them, are finite.
      falling_.unit = 0.25;
      const auto together = [step](double gap, double items) { return gap > 0.125 * step * items; };
      blocks_ = {n, 0.0, scratch, detail::pool_means(falling_, 1.0, together)};
      for_blocks([=, x = falling_.x, values = values_](const block& own, const auto& items) {
        const double first = 0.25 * static_cast<double>(x[items.begin]);
        const double middle = 0.5 * static_cast<double>(items.size() - 1);
        items.each([=, begin = items.begin, mean = own.sum](std::size_t i) {
          values[i] = 4.0 * (first + sign * (mean + 0.25 * step * (static_cast<double>(i - begin) - middle)));
        });
      });
    } else {
      // Sums of exponentials relative to the first item of the block: of the scores, stored in the blocks,
      // and of z.
      const auto steps = [step](std::size_t items) { return step * static_cast<double>(items); };
      const auto sum_of_z = [steps](std::size_t items) {
        return std::expm1(-steps(items));
      };  // times a constant
      const auto pool = [=, falling = falling_](block& before, const block& own, std::size_t end) {
        const std::size_t items = own.begin - before.begin;
        const double distance = falling.distance(before.begin, own.begin);
        if (distance - steps(items) <=
            std::log(own.sum * sum_of_z(items) / (before.sum * sum_of_z(end - own.begin))))
          return false;
        before.sum += std::exp(-distance) * own.sum;
        return true;
      };
      blocks_ = {n, 1.0, scratch, pool};
      softmax_ = detail::block_softmax<Arch>(falling_, blocks_, 1.0, scratch);
      for_blocks([=, x = falling_.x, values = values_](const block& own, const auto& items) {
        const double above = std::log(own.sum * sum_of_z(1) / sum_of_z(items.size()));
        items.each([=, begin = items.begin](std::size_t i) {
          values[i] = static_cast<double>(x[begin]) - sign * (above - steps(i - begin));
        });
      });
    }
  }

  [[nodiscard]] std::span<const double> values() const noexcept { return values_; }

  void pullback(std::span<const double> cotangent, std::span<double> gradient) const {
    for_blocks([=, order = falling_.order, softmax = softmax_](const block&, const auto& items) {
      const double sum = items.sum([=](std::size_t i) { return cotangent[i]; });
      items.each(
          [=, n = items.size()](std::size_t i) { gradient[order[i]] = sum * softmax_at(softmax, i, n); });
    });
  }
  void push(std::span<const double> tangent, std::span<double> change) const {
    for_blocks([=, order = falling_.order, softmax = softmax_](const block&, const auto& items) {
      const double sum = items.sum(
          [=, n = items.size()](std::size_t i) { return softmax_at(softmax, i, n) * tangent[order[i]]; });
      items.each([=](std::size_t i) { change[i] = sum; });
    });
  }

 private:
  using block = detail::pooled_block;

  template <class Body>
  void for_blocks(const Body& body) const {
    blocks_.for_each(scratch_, body);
  }

  /// The share of position i of a block of n.
  [[nodiscard]] static double softmax_at(std::span<const double> softmax, std::size_t i,
                                         std::size_t n) noexcept {
    return softmax.empty() ? 1.0 / static_cast<double>(n) : softmax[i];
  }

  workspace& scratch_;
  std::span<double> values_;
  detail::falling_list<T> falling_;
  detail::pooled_blocks blocks_;
  std::span<const double> softmax_;  // [n] by position; empty: equal in each block
};

}  // namespace rankloss::inline RANKLOSS_ABI
