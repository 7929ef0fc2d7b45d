// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/evaluate.hpp>

#include <vector>

namespace support {

/// Value of one list alone.
template <class Loss, class T, class R>
double of(const Loss& loss, const std::vector<T>& scores, const std::vector<R>& relevance) {
  return rankloss::evaluate(loss, rankloss::list_batch<T, R>{.scores = scores, .relevance = relevance});
}

}  // namespace support
