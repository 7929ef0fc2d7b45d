// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "listwise_reference.hpp"
#include "vectors/listwise_vectors.hpp"

#include <rankloss/evaluate.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace support {

using reference::real;

/// Value and derivatives of one list, held against a reference: to the digits of T, relative to the largest.
/// What 1 - p leaves beside 1 is nothing to losses that take it so.
template <class T, class R, class Loss>
void agrees(const Loss& loss, const std::vector<T>& s, const std::vector<R>& y,
            const reference::derivatives& expected, const std::vector<double>& weights = {},
            double temperature = 1.0) {
  std::vector<T> g(s.size()), h(s.size()), alone(s.size());
  const rankloss::list_batch<T, R> batch{.scores = s, .relevance = y, .item_weights = weights};
  const double both = rankloss::evaluate(loss, batch, {.gradient = g, .hessian = h});
  const double value = rankloss::evaluate(loss, batch, {.gradient = alone});
  constexpr double digits = sizeof(T) == 4 ? 2e-7 : 2e-14;
  const double size = 1 + std::abs(static_cast<double>(expected.value));
  CHECK(std::abs(both - static_cast<double>(expected.value)) <= digits * size);
  CHECK(std::abs(value - static_cast<double>(expected.value)) <= digits * size);
  CHECK(std::abs(rankloss::evaluate(loss, batch) - static_cast<double>(expected.value)) <= digits * size);
  constexpr double bound = sizeof(T) == 4 ? 2e-6 : 1e-13;
  CHECK(reference::relative_error(g, expected.gradient, real(0.01) / temperature) <= bound);
  CHECK(reference::relative_error(alone, expected.gradient, real(0.01) / temperature) <= bound);
  real steepest = 1 / real(temperature);
  for (const real x : expected.gradient) steepest = std::max(steepest, std::abs(x));
  CHECK(reference::relative_error(h, expected.hessian, real(0.01) * steepest / temperature) <= 10 * bound);
}

template <class Loss>
void agrees_with_allrank(const Loss& loss, const allrank_listwise::vectors& expected) {
  std::vector<double> g(10);
  const rankloss::list_batch<double> batch{.scores = allrank_listwise::scores,
                                           .relevance = expected.relevance,
                                           .length = 5,
                                           .mask = allrank_listwise::mask};
  CHECK(rankloss::evaluate(loss, batch, {.gradient = g}) == Approx(expected.value).margin(1e-6));
  for (std::size_t i = 0; i < g.size(); ++i) CHECK(g[i] == Approx(expected.gradient[i]).margin(1e-6));
}

/// Finite whatever scores, relevance and weights are, and for infinite scores. Unchecked: of relevance that
/// the loss refuses too.
template <class T, class Loss>
void stays_finite(const Loss& loss) {
  const T big = std::numeric_limits<T>::max();
  const T infinity = std::numeric_limits<T>::infinity();
  const std::vector<std::vector<T>> scores{{T(0), T(-2.1e26), T(3.4e37), T(42)},
                                           {big, -big, T(0), T(1)},
                                           {big, big, big, big},
                                           {infinity, T(0), -infinity, T(1)},
                                           {-infinity, -infinity, -infinity, -infinity},
                                           {infinity, infinity, -infinity, big},
                                           {-big, -big, T(0), T(0)}};
  const std::vector<std::vector<T>> relevances{{0, 1, 1, 0},       {0, 0, 0, 0}, {big, 0, big, 1},
                                               {-big, big, 0, -1}, {3, 2, 1, 0}, {T(0.5), T(1e-30), 1, 1}};
  const std::vector<std::vector<double>> weights{
      {}, {1e308, 0, 1, 1e308}, {0, 0, 0, 0}, {1e-308, 1e-308, 0, 1}};
  for (const auto& s : scores)
    for (const auto& y : relevances)
      for (const auto& w : weights) {
        std::vector<T> g(4), h(4);
        rankloss::context unchecked;
        unchecked.checks = rankloss::data_checks::off;
        INFO("scores " << &s - scores.data() << ", relevance " << &y - relevances.data() << ", weights "
                       << &w - weights.data());
        CHECK(std::isfinite(
            rankloss::evaluate(loss, rankloss::list_batch<T>{.scores = s, .relevance = y, .item_weights = w},
                               {.gradient = g, .hessian = h}, unchecked)));
        CHECK(std::all_of(g.begin(), g.end(), [](T x) { return std::isfinite(x); }));
        CHECK(std::all_of(h.begin(), h.end(), [](T x) { return std::isfinite(x); }));
      }
}

}  // namespace support
