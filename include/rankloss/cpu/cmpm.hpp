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
    std::size_t positives = 0;
    for (std::size_t i = 0; i < n; ++i) positives += items.relevance[i] > R{0} ? 1u : 0u;
    if (positives == 0) {
      clear(out);
      return 0.0;
    }
    const workspace::scope scope(scratch);
    const T* s = contiguous_items(items.scores, scratch);
    const R* y = contiguous_items(items.relevance, scratch);
    const score_distance<Arch, T> below(largest_of<Arch>(s, n), loss.temperature);
    const auto count_of_matches = static_cast<double>(positives);
    const double match =
        1.0 / (loss.matches_by == match_norm::sum ? count_of_matches : std::sqrt(count_of_matches));
    // log(p / (q + epsilon)) is minus the distance below the largest score, less a constant and one of these.
    const V of_positive(std::log(match + loss.epsilon)), of_negative(std::log(loss.epsilon));
    const auto without_constant = [&](std::size_t i, auto count, const V& distance) {
      const auto positive = load_items<Arch>(y + i, count) > V(0.0);
      return -distance - xsimd::select(positive, of_positive, of_negative);
    };

    V sum(0.0), weighted(0.0);
    for_rows<Arch>(n, [&](std::size_t i, auto count) {
      const V distance = below(load_items<Arch>(s + i, count, below.greatest()));
      const V e = only_items<Arch>(count, exp_below<T>(distance));
      sum += e;
      weighted = xsimd::fma(e, without_constant(i, count, distance), weighted);
    });
    const double z = sum_of(sum), mean = sum_of(weighted) / z;
    if (!out.gradient.empty()) {
      T* g = contiguous_output(out.gradient, scratch);
      const V inverse(1.0 / z), middle(mean), unit(bounded_factor<T>(1.0 / loss.temperature));
      const V largest(static_cast<double>(std::numeric_limits<T>::max()));
      // The constant, log z, is in the mean too. The exponential is computed once more, which is faster than
      // to keep it.
      for_rows<Arch>(n, [&](std::size_t i, auto count) {
        const V distance = below(load_items<Arch>(s + i, count, below.greatest()));
        const V p = exp_below<T>(distance) * inverse;
        const V slope = p * (without_constant(i, count, distance) - middle) * unit;
        store_items<Arch>(g + i, count, xsimd::min(xsimd::max(slope, -largest), largest));
      });
      spread(g, out.gradient);
    }
    return mean - std::log(z);
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
