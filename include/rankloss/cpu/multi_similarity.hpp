// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/data/contiguous_items.hpp>
#include <rankloss/detail/draws/query_sums.hpp>
#include <rankloss/detail/lists/matrix_source.hpp>
#include <rankloss/detail/lists/similarity_run.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/multi_similarity.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cstddef>

namespace rankloss::inline RANKLOSS_ABI {
namespace detail {

/// Two logarithms of sums, of the pairs that count.
struct multi_similarity_engine {
  using Arch = xsimd::default_arch;  // of this translation unit, as the inline namespace says
  using V = lanes<Arch>;

  template <class T, class R>
  static double run(const multi_similarity& loss, const list<T, R>& items, const list_outputs<T>& out,
                    workspace& scratch) {
    const workspace::scope scope(scratch);
    const auto keys = [](const V& s) { return by_part<V>{-s, s}; };
    if (!(loss.epsilon < every_pair)) return of_sums(loss, sums_of(loss, items, scratch, keys), out);

    const hardest_items hardest(items);
    if (!hardest.both) {
      clear(out);
      return 0.0;
    }
    const V negative(hardest.negative), positive(hardest.positive), epsilon(loss.epsilon), none(no_exponent);
    const auto of_hard = [&](const V& s) {
      // By differences, which are exact where scores are close: a score plus a small epsilon is that score.
      return by_part<V>{xsimd::select(opaque(s - negative) < epsilon, -s, none),
                        xsimd::select(opaque(positive - s) < epsilon, s, none)};
    };
    return of_sums(loss, sums_of(loss, items, scratch, of_hard), out);
  }

 private:
  static constexpr double every_pair = 1e300;  ///< the epsilon for which no pair is left out

  /// The least score of a positive and the greatest of a negative, as query_sums bounds them.
  struct hardest_items {
    double positive = largest_term, negative = -largest_term;
    bool both = false;

    template <class T, class R>
    explicit hardest_items(const list<T, R>& items) {
      bool any_positive = false, any_negative = false;
      for (std::size_t i = 0; i < items.size(); ++i) {
        const double s =
            std::clamp(static_cast<double>(bounded(items.scores[i])), -largest_term, largest_term);
        if (items.relevance[i] > R{0}) {
          positive = std::min(positive, s);
          any_positive = true;
        } else {
          negative = std::max(negative, s);
          any_negative = true;
        }
      }
      both = any_positive && any_negative;
    }
  };

  template <class T, class R, class Keys>
  static query_sums<Arch, T, R> sums_of(const multi_similarity& loss, const list<T, R>& items,
                                        workspace& scratch, const Keys& keys) {
    return {items, scratch,
            linear_exponents<Arch, Keys>{{loss.alpha, loss.beta}, {-loss.base, loss.base}, keys}};
  }

  template <class T, class R>
  static double of_sums(const multi_similarity& loss, const query_sums<Arch, T, R>& sums,
                        const list_outputs<T>& out) {
    const softplus_of positives(sums.positives()), negatives(sums.negatives());
    // The exponents' slopes are -alpha and beta, which the factors 1 / alpha and 1 / beta take away.
    sums.differentiate(
        positives.slope, negatives.slope,
        [](const V&) {
          return by_part<V>{V(-1.0), V(1.0)};
        },
        out.gradient);
    return std::min(positives.value / loss.alpha + negatives.value / loss.beta, largest_term);
  }

 public:
  template <class T, class R>
  static double run(const multi_similarity& loss, const similarity_batch<T, R>& batch, const outputs& out,
                    context& ctx, double factor) {
    return run_directions(loss, batch, loss.over, list_relevance::matches, out, ctx, factor);
  }
};

}  // namespace detail

template <>
struct engine<multi_similarity, context> : detail::multi_similarity_engine {};

}  // namespace rankloss::inline RANKLOSS_ABI
