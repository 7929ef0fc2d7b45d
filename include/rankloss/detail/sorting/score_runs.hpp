// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/sorting/first_positions.hpp>
#include <rankloss/workspace.hpp>

#include <cstddef>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Calls visit(run) for the runs of equal scores that begin among the first k positions, in descending order
/// of scores.
template <class T, class Visit>
void for_each_run(const strided<const T>& scores, std::size_t k, workspace& scratch, Visit visit) {
  const workspace::scope scope(scratch);
  first_positions<T>(scores, k, scratch).for_each_run(k, visit);
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
