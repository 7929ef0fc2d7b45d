// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/draws/softmax_loss.hpp>
#include <rankloss/detail/lists/across_lists.hpp>
#include <rankloss/detail/lists/interleaved_softmax.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/softmax_cross_entropy.hpp>
#include <rankloss/workspace.hpp>

#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {
namespace detail {

/// Targets and loss are computed by softmax_loss.hpp.
struct softmax_cross_entropy_engine {
  using Arch = xsimd::default_arch;  // of this translation unit, as the inline namespace says

  template <class T, class R>
  static double run(const softmax_cross_entropy& loss, const list<T, R>& items, const list_outputs<T>& out,
                    workspace& scratch) {
    const workspace::scope scope(scratch);
    const auto against = [&](const auto& target) {
      return softmax_loss<Arch>(
          items.scores, target,
          [&](const auto& held, double total) {
            return loss.target == rankloss::target::relevance ? held.mass(total) : 1.0;
          },
          loss.poly, loss.temperature, out, scratch);
    };
    if (loss.target == rankloss::target::softmax)
      return against(
          target_of_softmax<Arch, T>(items.relevance, items.weights, loss.relevance_temperature, scratch));
    return against(target_of_relevance<Arch>(items.relevance, items.weights, scratch));
  }

  /// Lists without weights of items, and without the polynomial.
  template <class Source>
  static bool run_across(const softmax_cross_entropy& loss, const across_lists<Source>& lists) {
    const workspace::scope scope(lists.ctx.scratch());
    if (loss.poly != 0.0 || !lists.source.weights(lists.first, lists.ctx.scratch()).empty()) return false;
    const auto against = [&](const auto& target) {
      interleaved_softmax<Arch, Source, std::decay_t<decltype(target)>> run(
          lists.source, lists.first, lists.values.size(), target, loss.temperature,
          loss.target == rankloss::target::relevance, lists.ctx);
      run(lists.values, lists.left, lists.sink, lists.shares);
      return true;
    };
    if (loss.target != rankloss::target::softmax) return against(target_across_relevance<Arch>{});
    using T = typename Source::score_type;
    return against(target_across_softmax<Arch, T>{2.0 / (loss.relevance_temperature * log_of_base<T>)});
  }
};

}  // namespace detail

template <>
struct engine<softmax_cross_entropy, context> : detail::softmax_cross_entropy_engine {};

}  // namespace rankloss::inline RANKLOSS_ABI
