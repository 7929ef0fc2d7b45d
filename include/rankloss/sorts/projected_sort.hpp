// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/sorting/isotonic.hpp>
#include <rankloss/ranks/rank.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <cmath>
#include <concepts>
#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {

/// projected_sort: soft-sorted scores, by projecting the ranks n..1 over temperature onto the convex hull of
/// all orders of the scores.
///
///     values               = argmin |v - z|^2 / 2                    quadratic, z = (n, ..., 1) / temperature
///     exp(values)          = argmin sum_i m_i (log m_i - z_i) - m_i  entropic, over the orders of exp(scores) and their mixtures
///     value_i              = z_i - mean of the block's z + mean of its scores           blocks by isotonic regression
///     value_i              = z_i - logsumexp of the block's z + logsumexp of its scores
///     d(value_i) / d(s_k)  = 1 / block's size; softmax of the block's scores at k       within a block, 0 outside
///
/// Values fall (descending) or rise (ascending; scores and values change sign before and after). Blondel,
/// Teboul, Berthet, Djolonga: Fast differentiable sorting and ranking, ICML 2020, arXiv 2002.08871; soft_sort
/// of fast-soft-sort and torchsort, where temperature is called epsilon and the default order is ascending.
/// The entropic derivative in fast-soft-sort differs and is wrong.
///
/// - Exact to rounding. Time O(n) after the sort for values and for a product with the Jacobian; scratch
///   O(n). This is not a soft permutation matrix applied to the scores; for those see soft_sort and
///   neural_sort.
/// - Quadratic values sum to the sum of the scores and shift with them. Entropic values keep the sum of
///   exponentials instead (of minus the scores when ascending). They contract towards the score that comes
///   first, and are not suited to scores much further apart than 1.
/// - Gaps up to 1 / temperature stay as they are, and wider gaps become smaller: low temperatures sort hard,
///   high temperatures mix.
/// - Two blocks that just meet count as separate, and have the derivatives of separate blocks; equal scores
///   in different blocks have the derivatives of their places.
/// - Edge cases: infinite scores count as the largest finite number of their type.
/// @throws std::invalid_argument from the functions below when an option is out of its range.
struct projected_sort {
  double temperature = 1.0;                                                       ///< 1e-15 to 1e300, in units of 1 / scores
  rank_order order = rank_order::descending;                                      ///< which score comes first
  rankloss::regularization regularization = rankloss::regularization::quadratic;  ///< the distance that is least

  void validate() const { detail::require(detail::within(temperature, 1e-15, 1e300), "temperature: ", temperature, ", expected 1e-15 to 1e300"); }

  /// Soft-sorted values of one list, and products with the Jacobian as in smooth_ranks. Values and cotangents
  /// are by place, tangents and gradients by item.
  template <class T, class Arch = xsimd::default_arch>
  class result {
   public:
    result(const projected_sort& how, const strided<const T>& scores, workspace& scratch)
        : values_(scratch.take<double>(scores.size())), list_(detail::sort_falling<T>(scores, how.order == rank_order::descending, scratch)) {
      const std::size_t n = scores.size();
      const double step = 1.0 / how.temperature;
      const double sign = how.order == rank_order::descending ? -1.0 : 1.0;
      if (how.regularization == rankloss::regularization::quadratic) {
        // Quarters of any scores have finite differences, and so has everything computed from them.
        list_.unit = 0.25;
        const auto together = [step](double gap, double items) { return gap > 0.125 * step * items; };
        blocks_ = detail::pool_adjacent(n, 0.0, scratch, detail::pool_means(list_, 1.0, together));
        detail::for_blocks(blocks_, [&](const detail::pooled_block& block, std::size_t begin, std::size_t end) {
          const double first = 0.25 * static_cast<double>(list_.x[begin]);
          const double middle = 0.5 * static_cast<double>(end - begin - 1);
          for (std::size_t i = begin; i < end; ++i)
            values_[i] = 4.0 * (first + sign * (block.sum + 0.25 * step * (static_cast<double>(i - begin) - middle)));
        });
      } else {
        // Sums of exponentials relative to the first item of the block: of the scores, stored in the blocks,
        // and of z.
        const auto steps = [step](std::size_t items) { return step * static_cast<double>(items); };
        const auto sum_of_z = [steps](std::size_t items) { return std::expm1(-steps(items)); };  // times a constant
        blocks_ = detail::pool_adjacent(n, 1.0, scratch, [&](detail::pooled_block& before, const detail::pooled_block& block, std::size_t end) {
          const std::size_t items = block.begin - before.begin;
          const double distance = list_.distance(before.begin, block.begin);
          if (distance - steps(items) <= std::log(block.sum * sum_of_z(items) / (before.sum * sum_of_z(end - block.begin)))) return false;
          before.sum += std::exp(-distance) * block.sum;
          return true;
        });
        shares_ = detail::block_shares<Arch>(list_, blocks_, 1.0, scratch);
        detail::for_blocks(blocks_, [&](const detail::pooled_block& block, std::size_t begin, std::size_t end) {
          const double above = std::log(block.sum * sum_of_z(1) / sum_of_z(end - begin));
          for (std::size_t i = begin; i < end; ++i) values_[i] = static_cast<double>(list_.x[begin]) - sign * (above - steps(i - begin));
        });
      }
    }

    [[nodiscard]] std::span<const double> values() const noexcept { return values_; }

    void pullback(std::span<const double> cotangent, std::span<double> gradient) const {
      detail::for_blocks(blocks_, [&](const detail::pooled_block&, std::size_t begin, std::size_t end) {
        double sum = 0.0;
        for (std::size_t i = begin; i < end; ++i) sum += cotangent[i];
        for (std::size_t i = begin; i < end; ++i) gradient[list_.order[i]] = sum * share(i, begin, end);
      });
    }
    void push(std::span<const double> tangent, std::span<double> change) const {
      detail::for_blocks(blocks_, [&](const detail::pooled_block&, std::size_t begin, std::size_t end) {
        double sum = 0.0;
        for (std::size_t i = begin; i < end; ++i) sum += share(i, begin, end) * tangent[list_.order[i]];
        for (std::size_t i = begin; i < end; ++i) change[i] = sum;
      });
    }

   private:
    [[nodiscard]] double share(std::size_t i, std::size_t begin, std::size_t end) const noexcept {
      return shares_.empty() ? 1.0 / static_cast<double>(end - begin) : shares_[i];
    }

    std::span<double> values_;
    detail::falling_list<T> list_;
    std::span<const detail::pooled_block> blocks_;
    std::span<const double> shares_;  // [n] by place; empty: equal in each block
  };

  template <class T, class Arch = xsimd::default_arch>
  [[nodiscard]] result<T, Arch> operator()(const strided<const T>& scores, workspace& scratch) const {
    return {*this, scores, scratch};
  }
};

/// sort_values: the soft-sorted scores, by place.
///
/// - Scratch O(n) of the context's first worker.
/// - Edge cases: an empty list has no values.
/// @throws std::invalid_argument naming the field when a size or an option is invalid, or (data_checks::on) a
/// score is NaN; then nothing has been written.
template <detail::array Scores, score T = detail::element_of<Scores>>
void sort_values(const projected_sort& how, const Scores& scores, detail::view_of<T> values, detail::call_context ctx = {}) {
  detail::with_object<T>(how, scores, {}, "values", values, detail::size_of(scores), "one per score", ctx,
                         [](auto& object, std::span<double> out, workspace&) { std::ranges::copy(object.values(), out.begin()); });
}

/// sort_values_pullback: overwrites gradient_k with sum_i cotangent_i d(value_i) / d(s_k); otherwise as
/// sort_values.
template <detail::array Scores, score T = detail::element_of<Scores>>
void sort_values_pullback(const projected_sort& how, const Scores& scores, detail::view_of<const T> cotangent, detail::view_of<T> gradient,
                          detail::call_context ctx = {}) {
  rank_pullback(how, scores, cotangent, gradient, ctx);
}

/// sort_values_push: overwrites change_i with sum_k d(value_i) / d(s_k) tangent_k; otherwise as sort_values.
template <detail::array Scores, score T = detail::element_of<Scores>>
void sort_values_push(const projected_sort& how, const Scores& scores, detail::view_of<const T> tangent, detail::view_of<T> change,
                      detail::call_context ctx = {}) {
  rank_push(how, scores, tangent, change, ctx);
}

}  // namespace rankloss::inline RANKLOSS_ABI
