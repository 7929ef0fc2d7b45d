// SPDX-License-Identifier: BSL-1.0
#pragma once

// The losses of lists with all their lengths (temperatures, margins) times a factor, what a factor on scores,
// weights or relevance makes of them, and a list for them. Which losses there are stands in scaled_lists.cpp.

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/loss.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace promises {

/// What a factor on all item weights of a list, or on all its relevance, makes of a loss.
enum class scaling {
  none,        ///< nothing
  factor,      ///< the same factor
  complement,  ///< what is missing to 1 times the factor
  other
};

/// What a loss of scaled lists claims of itself.
struct scaling_claims {
  scaling by_weight = scaling::none;
  scaling by_relevance = scaling::other;
  double degree = 0.0;   ///< scores and lengths times c: the value times c^degree
  bool lengths = true;   ///< what is in units of the scores is all among its lengths
  bool bounded = false;  ///< scores further apart than some hundred lengths are as far as any
  bool ordered = false;  ///< equal items are ordered by their position, as its header says
};

/// A loss whose type has been forgotten, with lengths of any size.
template <class T>
struct scaled_loss {
  std::string name;
  scaling_claims claimed;
  bool has_hessian;
  std::function<double(const rankloss::list_batch<T>&, const rankloss::outputs&, double)>
      at;  ///< with all lengths times a factor

  /// `make(c)` is the loss with all its lengths times c.
  template <class Make>
  scaled_loss(std::string label, const scaling_claims& c, Make make)
      : name(std::move(label)),
        claimed(c),
        has_hessian(rankloss::detail::gives_hessian<decltype(make(1.0))>),
        at([make](const rankloss::list_batch<T>& batch, const rankloss::outputs& out, double length) {
          return evaluate(make(length), batch, out);
        }) {}
};

/// Every loss of lists that keeps the promises at the ends of what numbers can be, in float and double.
template <class T>
const std::vector<scaled_loss<T>>& scaled_losses();

/// All that a call gives.
struct solution {
  double value = 0.0;
  std::vector<double> gradient, hessian;
};

/// One list.
template <class T>
struct problem {
  std::vector<T> scores, relevance;
  std::vector<double> item_weights{};

  [[nodiscard]] solution solved_by(const scaled_loss<T>& loss, double length = 1.0) const {
    std::vector<T> g(scores.size(), T{7}), h(loss.has_hessian ? scores.size() : 0, T{7});
    const rankloss::list_batch<T> batch{
        .scores = scores, .relevance = relevance, .item_weights = item_weights};
    const double value = loss.at(batch, {.gradient = g, .hessian = h}, length);
    return {value, {g.begin(), g.end()}, {h.begin(), h.end()}};
  }
};

/// Whether all numbers of it are.
inline bool finite(const solution& r) {
  const auto all = [](const std::vector<double>& x) {
    return std::all_of(x.begin(), x.end(), [](double v) { return std::isfinite(v); });
  };
  return std::isfinite(r.value) && all(r.gradient) && all(r.hessian);
}

/// Scores with ties, grades 0 to 3 and weights 1 to 3, all of few bits.
template <class T>
problem<T> plain_problem(std::size_t n, unsigned seed) {
  std::mt19937_64 random(seed);
  problem<T> p;
  for (std::size_t i = 0; i < n; ++i) {
    p.scores.push_back(static_cast<T>(static_cast<double>(random() % 64) / 16 - 2));
    p.relevance.push_back(static_cast<T>(random() % 4));
    p.item_weights.push_back(static_cast<double>(1 + random() % 3));
  }
  return p;
}

// Compiled once, in scaled_lists.cpp.
extern template struct problem<float>;
extern template struct problem<double>;
extern template problem<float> plain_problem<float>(std::size_t, unsigned);
extern template problem<double> plain_problem<double>(std::size_t, unsigned);

}  // namespace promises
