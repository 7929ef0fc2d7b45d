// SPDX-License-Identifier: BSL-1.0
#pragma once

// The losses of orders, by a policy that sorts labels or of a partial order, and orders for them. Which
// losses there are stands in subjects.cpp.

#include <rankloss/partial_order.hpp>

#include "data.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace promises {

/// Scores of a few lists, one of them empty and one of one item, partial orders of them, and what an old
/// policy made of them.
template <class T>
struct orders {
  std::vector<T> scores, old_scores;
  std::vector<std::int32_t> offsets{0, 2, 4, 9, 9, 10, 17, 25, 40};
  std::vector<std::int32_t> acted;
  std::vector<double> rewards{2, -2, 1, 5, 1, -1, 3, -3};
  std::vector<double> weights{1, 2, 0.5, 1, 1, 0, 3, 1};
  rankloss::partial_order by_pairs, by_levels;

  explicit orders(unsigned seed) {
    std::mt19937_64 random(seed);
    const auto n = static_cast<std::size_t>(offsets.back());
    scores = on_grid<T>(random, n);
    old_scores = on_grid<T>(random, n);
    std::vector<std::int32_t> preferred, other;
    for (std::size_t q = 0; q + 1 < offsets.size(); ++q) {
      const std::int32_t first = offsets[q], size = offsets[q + 1] - first;
      for (std::int32_t k = size; k-- > 0;) acted.push_back(k);
      for (std::int32_t k = 0; k < size / 2; ++k) {
        const auto a = static_cast<std::int32_t>(random() % static_cast<std::uint64_t>(size - 1));
        preferred.push_back(first + a);
        other.push_back(first + a + 1 +
                        static_cast<std::int32_t>(random() % static_cast<std::uint64_t>(size - 1 - a)));
      }
    }
    by_pairs = rankloss::partial_order::from_pairs(offsets, preferred, other);
    by_levels =
        rankloss::partial_order::from_grades(offsets, support::whole_numbers<std::uint8_t>(random, n, 4));
  }
};

/// A loss of orders whose type has been forgotten.
template <class T>
struct order_loss {
  std::string name;
  bool has_hessian;
  std::function<double(std::span<const T>, const orders<T>&, const rankloss::outputs&, rankloss::context&)>
      call;
};

/// Every loss of orders that keeps the promises, in float and double.
template <class T>
const std::vector<order_loss<T>>& order_losses();

}  // namespace promises
