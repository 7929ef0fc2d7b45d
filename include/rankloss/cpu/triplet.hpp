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

/// One query of `triplet`, as a loss of lists.
struct triplet_query {
  double margin;
  rankloss::mining mine;

  template <class T, class R>
  double operator()(const list<T, R>& items, const list_outputs<T>& out, workspace& scratch) const {
    using Arch = xsimd::default_arch;  // of this translation unit, as the inline namespace says
    require_countable(items.size());
    for (std::size_t i = 0; i < out.gradient.size(); ++i) out.gradient[i] = T{0};
    const workspace::scope scope(scratch);
    const triplet_hinges hinges{margin};
    return mine == mining::hardest ? hinges.against_hardest(items, out.gradient, scratch)
                                   : hinges.against_all<Arch>(items, out.gradient, scratch);
  }
};

/// The hinges of every row and of every column.
struct triplet_engine {
  template <class T, class R>
  static double run(const triplet& loss, const similarity_batch<T, R>& batch, const outputs& out,
                    context& ctx, double factor) {
    return run_both_directions(triplet_query{loss.margin, loss.mine}, batch, list_relevance::matches, out,
                               ctx, factor);
  }
};

}  // namespace detail

template <>
struct engine<triplet, context> : detail::triplet_engine {};

}  // namespace rankloss::inline RANKLOSS_ABI
