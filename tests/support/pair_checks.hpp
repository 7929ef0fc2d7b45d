// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/pairwise.hpp>

#include "pair_reference.hpp"
#include "shared_losses.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <random>
#include <vector>

/// Pair losses against the sums of pair_reference.hpp.
namespace support {

using namespace rankloss;
using reference::real;

struct random_list {
  std::vector<double> scores, weights;
  std::vector<double> relevance;
};

/// Scores with ties, grades 0 .. grades - 1 (0: real-valued relevance), weights 0 to 2.
inline random_list make_list(std::size_t n, double spread, int grades, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> uniform;
  random_list list;
  for (std::size_t i = 0; i < n; ++i) {
    // Floats, so that both types of scores see the same numbers.
    list.scores.push_back(i % 7 == 3 ? list.scores[i - 1]
                                     : static_cast<double>(static_cast<float>(spread * normal(random))));
    list.relevance.push_back(grades > 0 ? static_cast<double>(static_cast<int>(uniform(random) * grades))
                                        : static_cast<float>(uniform(random)));
    list.weights.push_back(static_cast<float>(2.0 * uniform(random)));
  }
  return list;
}

inline double largest(const std::vector<real>& values) {
  real most = 0;
  for (const real v : values) most = std::max(most, std::abs(v));
  return static_cast<double>(most);
}

/// The loss against a reference, in both types; weighted or not.
template <class Loss>
void check(const Loss& loss, const random_list& list, bool weighted, reference::pair_sums expected) {
  if (loss.cutoff > 0 || requires { requires decltype(loss.weight)::uses_ranks; })
    for (std::vector<real>* derivatives : {&expected.total.gradient, &expected.total.hessian})
      reference::average_alike(*derivatives, list.scores, list.relevance,
                               weighted ? list.weights : std::vector<double>{});
  real divisor = 1;
  if (loss.average == pairs::average::pairs) divisor = expected.count;
  if (loss.average == pairs::average::weight) divisor = expected.weight;
  const real share = divisor > 0 ? 1 / divisor : 0;
  const auto run = [&]<class T>(T, double tolerance) {
    const std::vector<T> s(list.scores.begin(), list.scores.end()),
        y(list.relevance.begin(), list.relevance.end());
    std::vector<T> g(s.size(), T(7)), h(s.size(), T(7));
    const double value = evaluate(
        loss,
        list_batch<T>{.scores = s, .relevance = y, .item_weights = weighted ? reals(list.weights) : reals{}},
        {.gradient = g, .hessian = h});
    CHECK(value ==
          Approx(static_cast<double>(share * expected.total.value)).epsilon(tolerance).margin(1e-300));
    const double g_scale = largest(expected.total.gradient) * static_cast<double>(share);
    const double h_scale = largest(expected.total.hessian) * static_cast<double>(share);
    double g_error = 0.0;
    double h_error = 0.0;
    for (std::size_t i = 0; i < s.size(); ++i) {
      g_error = std::max(g_error, std::abs(static_cast<double>(static_cast<real>(g[i]) -
                                                               share * expected.total.gradient[i])));
      h_error = std::max(h_error, std::abs(static_cast<double>(static_cast<real>(h[i]) -
                                                               share * expected.total.hessian[i])));
    }
    CHECK(g_error <= tolerance * g_scale);
    CHECK(h_error <= tolerance * h_scale);
    std::vector<T> only(s.size());
    const double again = evaluate(
        loss,
        list_batch<T>{.scores = s, .relevance = y, .item_weights = weighted ? reals(list.weights) : reals{}},
        {.gradient = only});
    CHECK(again == Approx(value).epsilon(tolerance));
    for (std::size_t i = 0; i < s.size(); ++i)
      CHECK(std::abs(static_cast<double>(only[i] - g[i])) <= tolerance * g_scale);
  };
  run(0.0, 1e-13);
  run(0.0f, 2e-6);
}

/// sum over pairs y_i > y_j with the weights w(i, j) of the formula.
template <class Loss>
void check_ordered(const Loss& loss, const random_list& list, const reference::pair_function& f,
                   const std::function<real(std::size_t, std::size_t)>& w) {
  const std::vector<real> s = reference::widen(list.scores);
  const std::vector<real> y = reference::widen(list.relevance);
  const std::vector<std::size_t> rank = reference::ordinal_ranks(s);
  for (const bool weighted : {false, true}) {
    CAPTURE(weighted);
    check(loss, list, weighted,
          reference::sum_over_pairs(
              s, y, f,
              [&](std::size_t i, std::size_t j) {
                return w(i, j) * (weighted ? real(list.weights[i]) : real(1));
              },
              [&](std::size_t i, std::size_t j) {
                if (loss.cutoff > 0) {
                  const bool first = rank[i] <= loss.cutoff;
                  const bool second = rank[j] <= loss.cutoff;
                  if (loss.keep == pairs::keep::both ? !(first && second) : !(first || second)) return false;
                }
                return y[i] > y[j];
              }));
  }
}

inline const auto one = [](std::size_t, std::size_t) { return real(1); };

}  // namespace support
