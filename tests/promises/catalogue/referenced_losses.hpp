// SPDX-License-Identifier: BSL-1.0
#pragma once

// The losses of lists, each with its plain sum in long double, and by how much they may differ. Which losses
// there are stands in referenced_losses.cpp.

#include <rankloss/batch.hpp>

#include "drawn_lists.hpp"
#include "support/reference.hpp"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace promises {

/// From scores and relevance; an empty gradient stands for one without a reference.
using formula = std::function<reference::derivatives(const std::vector<reference::real>& s,
                                                     const std::vector<reference::real>& y)>;

/// By how much a loss may be off.
struct error_bounds {
  double digits = 1.0;  ///< times 2e-6 in float, 1e-13 in double
  /// A value is a difference of numbers of this size, a derivative that of an item's share of them: errors
  /// are held against them where value and derivatives are less; 0: always against value and derivatives.
  double size = 1.0;
  std::size_t longest = 600;  ///< list with a reference
  double least_spread = 0.0;  ///< of scores: below it the loss divides by what is nearly nothing
  bool by_distance = false;   ///< digits are lost to the distance of the scores from each other
  bool shift_invariant = true;
};

/// A loss whose type has been forgotten, in float and double, and what is right; nullptr: it is held to be
/// finite.
struct referenced_loss {
  std::string name;
  error_bounds held;
  formula right;
  std::function<double(const std::vector<float>&, const std::vector<float>&, std::vector<float>&)> in_float;
  std::function<double(const std::vector<double>&, const std::vector<double>&, std::vector<double>&)>
      in_double;

  template <class Loss>
  referenced_loss(std::string label, const error_bounds& bound, const Loss& loss, formula reference)
      : name(std::move(label)), held(bound), right(std::move(reference)) {
    in_float = [loss](const auto& s, const auto& y, auto& g) {
      return evaluate(loss, rankloss::list_batch<float>{.scores = s, .relevance = y}, {.gradient = g});
    };
    in_double = [loss](const auto& s, const auto& y, auto& g) {
      return evaluate(loss, rankloss::list_batch<double>{.scores = s, .relevance = y}, {.gradient = g});
    };
  }
};

/// Every loss of lists, at a temperature of 1.
const std::vector<referenced_loss>& referenced_losses();

/// What is right. Where a shift changes nothing the reference takes the scores as they differ from the
/// median, so that it has digits for what lies between scores that are far from 0.
inline reference::derivatives expectation(const referenced_loss& loss, const drawn_list& items) {
  std::vector<reference::real> s = reference::widen(items.scores);
  if (loss.held.shift_invariant) {
    std::vector<reference::real> sorted = s;
    std::sort(sorted.begin(), sorted.end());
    for (reference::real& x : s) x -= sorted[sorted.size() / 2];
  }
  return loss.right(s, reference::widen(items.relevance));
}

}  // namespace promises
