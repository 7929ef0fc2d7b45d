// SPDX-License-Identifier: BSL-1.0
#pragma once

// What the tests of the presets of peers share.

#include <rankloss/evaluate.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace support {

using doubles = std::vector<double>;
using grades = std::vector<double>;
using integers = std::vector<int>;

inline double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }
inline double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }
inline double discount(double rank) { return 1.0 / std::log2(1.0 + rank); }

/// Each case against a peer's value and gradient.
template <class Loss, class Expected>
void agrees(const Loss& loss, const rankloss::list_batch<double>& batch, double value,
            const Expected& gradient, double tolerance, std::size_t items = 10) {
  doubles g(10);
  CHECK(rankloss::evaluate(loss, batch, {.gradient = g}) == Approx(value).margin(tolerance));
  for (std::size_t i = 0; i < items; ++i) CHECK(g[i] == Approx(gradient[i]).margin(tolerance));
}

}  // namespace support
