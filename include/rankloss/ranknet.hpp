// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/pairwise.hpp>

namespace rankloss::inline RANKLOSS_ABI {

/// ranknet: the logistic loss of label-ordered pairs.
///
///     loss = sum_{i, j: y_i > y_j} log(1 + exp(-(s_i - s_j) / temperature))
///
///     const rankloss::ranknet loss{.function = {.temperature = 1.0},
///                                  .average = rankloss::pairs::average::pairs};
///
/// Burges et al.: Learning to rank using gradient descent, ICML 2005. Everything else as in `pairwise`.
using ranknet = pairwise<pairs::logistic, pairs::equal>;

}  // namespace rankloss::inline RANKLOSS_ABI
