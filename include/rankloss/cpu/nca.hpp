// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/draws/query_sums.hpp>
#include <rankloss/detail/lists/matrix_source.hpp>
#include <rankloss/detail/lists/similarity_run.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/nca.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>

namespace rankloss::inline RANKLOSS_ABI {
namespace detail {

/// Sums of exponentials of the positives and of the negatives.
struct nca_engine {
  using Arch = xsimd::default_arch;  // of this translation unit, as the inline namespace says
  using V = lanes<Arch>;

  template <class T, class R>
  static double run(const nca& loss, const list<T, R>& items, const list_outputs<T>& out,
                    workspace& scratch) {
    const auto as_both = [](const V& x) { return by_part<V>{x, x}; };
    if (loss.distance == distance::euclidean) {
      const V scale(loss.scale), zero(0.0), one(1.0), two(2.0);
      const auto exponents = [&](const V& s) {
        return as_both(held_exponent(-scale * xsimd::sqrt(xsimd::max(zero, two * (one - s)))));
      };
      return of_exponents(
          items, out, scratch, any_exponents<Arch, decltype(exponents)>{exponents}, [&](const V& s) {
            const V square = two * (one - s);
            return xsimd::select(square > zero, scale / xsimd::sqrt(xsimd::max(square, V(1e-300))), zero);
          });
    }
    // Without the distance at a score of 0, which all items share.
    const double factor = loss.distance == distance::cosine ? loss.scale : 2.0 * loss.scale;
    return of_exponents(
        items, out, scratch,
        linear_exponents<Arch, decltype(as_both)>{{factor, factor}, {0.0, 0.0}, as_both},
        [&](const V&) { return V(factor); });
  }

 private:
  template <class T, class R, class Exponents, class Slope>
  static double of_exponents(const list<T, R>& items, const list_outputs<T>& out, workspace& scratch,
                             const Exponents& exponents, const Slope& slope) {
    const workspace::scope scope(scratch);
    const query_sums<Arch, T, R> sums(items, scratch, exponents);
    const softplus_of odds(sums.log_odds());
    sums.differentiate(
        -odds.slope, odds.slope,
        [&](const V& s) {
          const V x = slope(s);
          return by_part<V>{x, x};
        },
        out.gradient);
    return std::min(odds.value, largest_term);
  }

 public:
  template <class T, class R>
  static double run(const nca& loss, const similarity_batch<T, R>& batch, const outputs& out, context& ctx,
                    double factor) {
    return run_directions(loss, batch, loss.over, list_relevance::matches, out, ctx, factor);
  }
};

}  // namespace detail

template <>
struct engine<nca, context> : detail::nca_engine {};

}  // namespace rankloss::inline RANKLOSS_ABI
