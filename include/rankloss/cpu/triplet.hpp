// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/lists/matrix_source.hpp>
#include <rankloss/detail/lists/similarity_run.hpp>
#include <rankloss/detail/pairs/triplet_hinges.hpp>
#include <rankloss/detail/sorting/argsort.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/triplet.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <cstddef>

namespace rankloss::inline RANKLOSS_ABI {
namespace detail {

/// The hinges of one query, and of every row and every column.
struct triplet_engine {
  template <class T, class R>
  static double run(const triplet& loss, const list<T, R>& items, const list_outputs<T>& out,
                    workspace& scratch) {
    using Arch = xsimd::default_arch;  // of this translation unit, as the inline namespace says
    require_countable(items.size());
    for (std::size_t i = 0; i < out.gradient.size(); ++i) out.gradient[i] = T{0};
    const workspace::scope scope(scratch);
    const triplet_hinges hinges{loss.margin};
    return loss.mine == mining::hardest ? hinges.against_hardest(items, out.gradient, scratch)
                                        : hinges.against_all<Arch>(items, out.gradient, scratch);
  }

  template <class T, class R>
  static double run(const triplet& loss, const similarity_batch<T, R>& batch, const outputs& out,
                    context& ctx, double factor) {
    return run_directions(loss, batch, loss.over, list_relevance::matches, out, ctx, factor);
  }
};

}  // namespace detail

template <>
struct engine<triplet, context> : detail::triplet_engine {};

}  // namespace rankloss::inline RANKLOSS_ABI
