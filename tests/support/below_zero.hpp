// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/evaluate.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <vector>

namespace support {

/// What `evaluate` says of relevance below 0 in the second item of the second list; nothing when it takes it.
template <class Loss>
std::string said_of_below_0(const Loss& loss) {
  const std::vector<double> s{0.3, 0.1, 0.9, 0.5, 1, 1}, y{1, 0, 0, -1, 1, -1};
  const std::vector<std::size_t> offsets{0, 2, 6};
  try {
    rankloss::evaluate(loss, rankloss::list_batch<double>{.scores = s, .relevance = y, .offsets = offsets});
  } catch (const std::exception& error) {
    return error.what();
  }
  return {};
}

template <class Loss>
constexpr bool differentiable = !requires {
  requires !Loss::has_gradient;
};

/// Checks that relevance below 0 is refused with list and item; that a mask takes the item out, as if the
/// list did not have it; and that what comes unchecked gives finite numbers.
template <class Loss>
void refuses_below_0(const Loss& loss, const std::string& expected = "at least 0") {
  CHECK(said_of_below_0(loss) ==
        "rankloss: relevance: -1 at list 1, item 1, expected " + expected + "; mask items without judgement");

  const std::vector<double> s{0.9, 7, 0.5, 1}, y{1, -1, 0, 2}, short_s{0.9, 0.5, 1}, short_y{1, 0, 2};
  const std::vector<std::uint8_t> mask{1, 0, 1, 1};
  CHECK(rankloss::evaluate(loss, rankloss::list_batch<double>{.scores = s, .relevance = y, .mask = mask}) ==
        rankloss::evaluate(loss, rankloss::list_batch<double>{.scores = short_s, .relevance = short_y}));

  rankloss::context unchecked;
  unchecked.checks = rankloss::data_checks::off;
  const std::vector<std::vector<double>> all{{1, 0, -1, -1, -1, -1},
                                             {-0.886, -0.53, -0.47, 0.39, 0.56},
                                             {-1, -1, -1},
                                             {-1e300, 1e-300, -1e300, 0},
                                             {1e-30, -1e-300, -1e9},
                                             {1e-320, -1e-300, -1e9},
                                             {1, -0.63092975357145743, -1e308, 2},
                                             {-1100, 101},
                                             {-0.5, 1023, 1022, -3}};
  for (const std::vector<double>& relevance : all) {
    const std::size_t n = relevance.size();
    std::vector<double> scores(n), gradient(differentiable<Loss> ? n : 0, 7.0);
    for (std::size_t i = 0; i < n; ++i) scores[i] = static_cast<double>(i * 5 % n);
    CAPTURE(relevance);
    const double value =
        rankloss::evaluate(loss, rankloss::list_batch<double>{.scores = scores, .relevance = relevance},
                           {.gradient = gradient}, unchecked);
    CHECK(std::isfinite(value));
    CHECK(std::all_of(gradient.begin(), gradient.end(), [](double x) { return std::isfinite(x); }));
  }
}

}  // namespace support
