// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/contrastive.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/data/contiguous_items.hpp>
#include <rankloss/detail/lists/matrix_source.hpp>
#include <rankloss/detail/lists/similarity_run.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>

namespace rankloss::inline RANKLOSS_ABI {
namespace detail {

/// One pass for the sums and counts of both parts, and one for the gradient.
struct contrastive_engine {
  using Arch = xsimd::default_arch;  // of this translation unit, as the inline namespace says
  using V = lanes<Arch>;

  template <class T, class R>
  static double run(const contrastive& loss, const list<T, R>& items, const list_outputs<T>& out,
                    workspace& scratch) {
    const V zero(0.0), one(1.0), two(2.0);
    if (loss.distance == distance::euclidean)
      return of_distance(
          loss, items, out, scratch,
          [&](const V& s) { return xsimd::sqrt(xsimd::max(zero, two * (one - s))); },
          [&](const V& d) { return xsimd::select(d > zero, -one / xsimd::max(d, V(1e-300)), zero); });
    const V unit(loss.distance == distance::cosine ? 1.0 : 2.0);
    return of_distance(
        loss, items, out, scratch, [&](const V& s) { return unit * (one - s); },
        [&](const V&) { return -unit; });
  }

  template <class T, class R>
  static double run(const contrastive& loss, const similarity_batch<T, R>& batch, const outputs& out,
                    context& ctx, double factor) {
    return run_directions(loss, batch, loss.over, list_relevance::matches, out, ctx, factor);
  }

 private:
  /// `of(s)` is the distance, `slope_of(of(s))` its derivative by s.
  template <class T, class R, class Distance, class Slope>
  static double of_distance(const contrastive& loss, const list<T, R>& items, const list_outputs<T>& out,
                            workspace& scratch, const Distance& of, const Slope& slope_of) {
    const std::size_t n = items.size();
    const workspace::scope scope(scratch);
    const T* s = contiguous_items(items.scores, scratch);
    const R* y = contiguous_items(items.relevance, scratch);
    const V zero(0.0), one(1.0), largest(largest_term);
    const V largest_score(std::min(largest_term, static_cast<double>(std::numeric_limits<T>::max())));
    const V positive_margin(loss.positive_margin), negative_margin(loss.negative_margin);
    // A hinge h costs h (linear + square h).
    const bool squared = loss.form == contrastive_form::half_square;
    const V linear(squared ? 0.0 : 1.0), square(squared ? 0.5 : 0.0), twice_square(squared ? 1.0 : 0.0);
    const V counted_above(loss.average == contrastive_average::all ? -1.0 : 0.0);
    const auto score = [&](std::size_t i, auto count) {
      return xsimd::min(xsimd::max(load_items<Arch>(s + i, count), -largest_score), largest_score);
    };
    const auto is_positive = [&](std::size_t i, auto count) { return load_items<Arch>(y + i, count) > zero; };
    const auto hinge_of = [&](const auto& positive, const V& d) {
      return xsimd::max(zero, xsimd::select(positive, d - positive_margin, negative_margin - d));
    };

    V sum_positive(0.0), sum_negative(0.0), count_positive(0.0), count_negative(0.0);
    for_rows<Arch>(n, [&](std::size_t i, auto count) {
      const auto positive = is_positive(i, count);
      const V h = hinge_of(positive, of(score(i, count)));
      const V cost = only_items<Arch>(count, xsimd::min(h * (linear + square * h), largest));
      const V counted = only_items<Arch>(count, xsimd::select(cost > counted_above, one, zero));
      sum_positive += xsimd::select(positive, cost, zero);
      sum_negative += xsimd::select(positive, zero, cost);
      count_positive += xsimd::select(positive, counted, zero);
      count_negative += xsimd::select(positive, zero, counted);
    });
    const double share_positive = 1.0 / std::max(sum_of(count_positive), 1.0);
    const double share_negative = 1.0 / std::max(sum_of(count_negative), 1.0);
    if (!out.gradient.empty()) {
      T* g = contiguous_output(out.gradient, scratch);
      const V largest_slope(static_cast<double>(std::numeric_limits<T>::max()));
      const V of_positive(share_positive), of_negative(-share_negative);
      for_rows<Arch>(n, [&](std::size_t i, auto count) {
        const auto positive = is_positive(i, count);
        const V d = of(score(i, count));
        const V h = hinge_of(positive, d);
        const V by_hinge = xsimd::select(h > zero, linear + twice_square * h, zero);
        const V slope = by_hinge * slope_of(d) * xsimd::select(positive, of_positive, of_negative);
        store_items<Arch>(g + i, count, xsimd::min(xsimd::max(slope, -largest_slope), largest_slope));
      });
      spread(g, out.gradient);
    }
    return std::min(sum_of(sum_positive) * share_positive + sum_of(sum_negative) * share_negative,
                    largest_term);
  }
};

}  // namespace detail

template <>
struct engine<contrastive, context> : detail::contrastive_engine {};

}  // namespace rankloss::inline RANKLOSS_ABI
