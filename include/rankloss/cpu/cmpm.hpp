// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/cmpm.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/data/contiguous_items.hpp>
#include <rankloss/detail/lists/matrix_source.hpp>
#include <rankloss/detail/lists/similarity_run.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <cmath>
#include <cstddef>
#include <limits>

namespace rankloss::inline RANKLOSS_ABI {
namespace detail {

/// One pass for the sums over the softmax, and one for the gradient.
struct cmpm_engine {
  using Arch = xsimd::default_arch;  // of this translation unit, as the inline namespace says
  using V = lanes<Arch>;

  template <class T, class R>
  static double run(const cmpm& loss, const list<T, R>& items, const list_outputs<T>& out,
                    workspace& scratch) {
    const std::size_t n = items.size();
    const workspace::scope scope(scratch);
    const T* s = contiguous_items(items.scores, scratch);
    const R* y = contiguous_items(items.relevance, scratch);
    const T greatest = largest_of<Arch>(s, n);
    std::size_t positives = 0;
    bool best_is_positive = false;
    for (std::size_t i = 0; i < n; ++i) {
      const bool positive = y[i] > R{0};
      positives += positive ? 1u : 0u;
      best_is_positive = best_is_positive || (positive && s[i] == greatest);
    }
    if (positives == 0) {
      clear(out);
      return 0.0;
    }
    const score_distance<Arch, T> below(greatest, loss.temperature);
    const auto count_of_matches = static_cast<double>(positives);
    const double match =
        1.0 / (loss.matches_by == match_norm::sum ? count_of_matches : std::sqrt(count_of_matches));
    // log(match + epsilon) as two numbers: the small one keeps its digits where the other is taken away.
    const double beside_match = std::log1p(loss.epsilon / match);
    const double positive_target = std::log(match) + beside_match, negative_target = std::log(loss.epsilon);
    // log(p / (q + epsilon)) is taken relative to that of an item with the greatest score: where it has nearly
    // all of the probability, what is left of the gradient keeps its digits.
    const double best_target = best_is_positive ? positive_target : negative_target;
    const V of_positive(positive_target - best_target), of_negative(negative_target - best_target);
    const auto relative = [&](std::size_t i, auto count, const V& distance) {
      const auto positive = load_items<Arch>(y + i, count) > V(0.0);
      return -distance - xsimd::select(positive, of_positive, of_negative);
    };

    V sum(0.0), weighted(0.0);
    for_rows<Arch>(n, [&](std::size_t i, auto count) {
      const V distance = below(load_items<Arch>(s + i, count, below.greatest()));
      const V e = only_items<Arch>(count, exp_below<T>(distance));
      sum += e;
      weighted = xsimd::fma(e, relative(i, count, distance), weighted);
    });
    const double z = sum_of(sum), mean = sum_of(weighted) / z;
    if (!out.gradient.empty()) {
      T* g = contiguous_output(out.gradient, scratch);
      const V inverse(1.0 / z), middle(mean), unit(bounded_factor<T>(1.0 / loss.temperature));
      const V largest(static_cast<double>(std::numeric_limits<T>::max()));
      // The exponential is computed once more, so that no scratch is needed.
      for_rows<Arch>(n, [&](std::size_t i, auto count) {
        const V distance = below(load_items<Arch>(s + i, count, below.greatest()));
        const V p = exp_below<T>(distance) * inverse;
        const V slope = p * (relative(i, count, distance) - middle) * unit;
        store_items<Arch>(g + i, count, xsimd::min(xsimd::max(slope, -largest), largest));
      });
      spread(g, out.gradient);
    }
    return mean - (best_is_positive ? std::log(z * match) + beside_match : std::log(z) + negative_target);
  }

  template <class T, class R>
  static double run(const cmpm& loss, const similarity_batch<T, R>& batch, const outputs& out, context& ctx,
                    double factor) {
    return run_directions(loss, batch, loss.over, list_relevance::matches, out, ctx, factor);
  }
};

}  // namespace detail

template <>
struct engine<cmpm, context> : detail::cmpm_engine {};

}  // namespace rankloss::inline RANKLOSS_ABI
