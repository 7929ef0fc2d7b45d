// SPDX-License-Identifier: BSL-1.0
#pragma once

// The losses of preferences between two items, and pairs for them. Which losses there are stands in
// subjects.cpp.

#include <rankloss/preference_batch.hpp>

#include "data.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace promises {

/// A loss of pairs whose type has been forgotten.
template <class T>
struct pair_loss {
  std::string name;
  bool knows_ties, has_hessian;
  std::function<double(const rankloss::preference_batch<T>&, const rankloss::outputs&, rankloss::context&)>
      call;

  template <class Loss>
  pair_loss(std::string label, const Loss& loss)
      : name(std::move(label)),
        knows_ties(rankloss::tie_loss<Loss>),
        has_hessian(rankloss::detail::gives_hessian<Loss>),
        call([loss](const rankloss::preference_batch<T>& batch, const rankloss::outputs& out,
                    rankloss::context& ctx) { return evaluate(loss, batch, out, ctx); }) {}
};

/// Every loss of pairs that keeps the promises, in float and double.
template <class T>
const std::vector<pair_loss<T>>& pair_losses();

/// Pairs of items, and all that may come with them.
template <class T>
struct pairs {
  std::vector<T> rewards;
  std::vector<int> preferred, other;
  std::vector<double> weights, margins;
  std::vector<std::uint8_t> ties;

  explicit pairs(unsigned seed, std::size_t items = 40, std::size_t count = 150) {
    std::mt19937_64 random(seed);
    rewards = on_grid<T>(random, items);
    weights = support::whole_numbers<double>(random, count, 4);
    margins = on_grid<double>(random, count);
    ties = support::whole_numbers<std::uint8_t>(random, count, 3);
    for (std::size_t k = 0; k < count; ++k) {
      preferred.push_back(static_cast<int>(random() % items));
      other.push_back(static_cast<int>(
          (static_cast<std::size_t>(preferred.back()) + 1 + random() % (items - 1)) % items));
    }
  }
  [[nodiscard]] rankloss::preference_batch<T> batch(
      const pair_loss<T>& loss, rankloss::reduction how = rankloss::reduction::mean) const {
    rankloss::preference_batch<T> b{.rewards = rewards,
                                    .preferred = preferred,
                                    .other = other,
                                    .pair_weights = weights,
                                    .margins = margins,
                                    .reduction = how};
    if (loss.knows_ties) b.ties = ties;
    return b;
  }
};

// Compiled once, in subjects.cpp.
extern template struct pairs<float>;
extern template struct pairs<double>;

}  // namespace promises
