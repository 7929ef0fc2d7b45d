// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/circle.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/draws/query_sums.hpp>
#include <rankloss/detail/lists/matrix_source.hpp>
#include <rankloss/detail/lists/similarity_run.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>

namespace rankloss::inline RANKLOSS_ABI {
namespace detail {

/// The logarithm of a product of two sums is the sum of their logarithms.
struct circle_engine {
  using Arch = xsimd::default_arch;  // of this translation unit, as the inline namespace says
  using V = lanes<Arch>;

  template <class T, class R>
  static double run(const circle& loss, const list<T, R>& items, const list_outputs<T>& out,
                    workspace& scratch) {
    const workspace::scope scope(scratch);
    const V zero(0.0), gamma(loss.gamma), margin(loss.margin), centre(1.0 - loss.margin);
    const V to_positive(1.0 + loss.margin);
    const auto weights = [&](const V& s) {
      return by_part<V>{xsimd::max(zero, to_positive - s), xsimd::max(zero, s + margin)};
    };
    const auto exponents = [&](const V& s) {
      const by_part<V> a = weights(s);
      return by_part<V>{held_exponent(gamma * a.positive * (centre - s)),
                        held_exponent(gamma * a.negative * (s - margin))};
    };
    const query_sums<Arch, T, R> sums(items, scratch, any_exponents<Arch, decltype(exponents)>{exponents});
    const softplus_of both(sums.positives() + sums.negatives());
    if (loss.weights == circle_weights::constant)
      sums.differentiate(
          both.slope, both.slope,
          [&](const V& s) {
            const by_part<V> a = weights(s);
            return by_part<V>{-gamma * a.positive, gamma * a.negative};
          },
          out.gradient);
    else
      sums.differentiate(
          both.slope, both.slope,
          [&](const V& s) {
            const by_part<V> a = weights(s);
            // The margin cancels, by hand, since what it is added to may be far smaller.
            return by_part<V>{xsimd::select(a.positive > zero, gamma * (V(2.0) * (s - V(1.0))), zero),
                              xsimd::select(a.negative > zero, gamma * (V(2.0) * s), zero)};
          },
          out.gradient);
    return std::min(both.value, largest_term);
  }

  template <class T, class R>
  static double run(const circle& loss, const similarity_batch<T, R>& batch, const outputs& out, context& ctx,
                    double factor) {
    return run_directions(loss, batch, loss.over, list_relevance::matches, out, ctx, factor);
  }
};

}  // namespace detail

template <>
struct engine<circle, context> : detail::circle_engine {};

}  // namespace rankloss::inline RANKLOSS_ABI
