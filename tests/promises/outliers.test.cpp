// SPDX-License-Identifier: BSL-1.0

// Every loss of lists is finite and right for scores as data have them: long tails, crowds and outliers, at
// temperatures from far below to far above what lies between them. Right is the plain O(n^2) sum in long
// double.

#include <rankloss/detail/data/check_data.hpp>

#include "promises/catalogue/referenced_losses.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <limits>
#include <string>
#include <vector>

namespace promises_outliers_test {

namespace {

using namespace promises;
using reference::derivatives;
using reference::real;

std::string number(double x) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.17g", x);
  return text;
}

/// What is wrong, or nothing. No expectation: whether all is finite.
template <class T>
std::string fault(const referenced_loss& loss, const drawn_list& items, double spread,
                  const derivatives* expected) {
  const std::size_t n = items.scores.size();
  const std::vector<T> s(items.scores.begin(), items.scores.end()),
      y(items.relevance.begin(), items.relevance.end());
  std::vector<T> g(n, std::numeric_limits<T>::quiet_NaN());
  double value = 0.0;
  if constexpr (sizeof(T) == 4)
    value = loss.in_float(s, y, g);
  else
    value = loss.in_double(s, y, g);
  if (!rankloss::detail::is_finite(value)) return "value " + number(value);
  for (const T x : g)
    if (!rankloss::detail::is_finite(x)) return "gradient " + number(static_cast<double>(x));
  if (expected == nullptr || spread < loss.held.least_spread) return {};
  // What pairs beyond 1e290 and types at their ends cut off has no reference.
  real steepest = 0;
  for (const real x : expected->gradient) steepest = std::max(steepest, std::abs(x));
  if (!(expected->value < 1e280L && steepest < real(std::numeric_limits<T>::max()) / 4)) return {};

  const auto [lowest, highest] = std::minmax_element(s.begin(), s.end());
  const double distance =
      loss.held.by_distance ? static_cast<double>(*highest) - static_cast<double>(*lowest) : 0.0;
  const double digits = loss.held.digits * (sizeof(T) == 4 ? 2e-6 : 1e-13 + 1e-18 * distance);
  const real size =
      std::max({std::abs(expected->value), real(loss.held.size), real(std::numeric_limits<T>::min())});
  if (!(std::abs(real(value) - expected->value) <= digits * size))
    return "value " + number(value) + ", expected " + number(static_cast<double>(expected->value));
  if (expected->gradient.empty()) return {};
  const double error =
      reference::relative_error(g, expected->gradient, 0.01L * real(loss.held.size) / real(n));
  return error <= digits ? ""
                         : "gradient off by " + number(error) + " of its largest, " +
                               number(static_cast<double>(steepest));
}

TEST_CASE(
    "outliers: every loss is finite and right for long tails, crowds and outliers, at every temperature") {
  constexpr std::array<std::size_t, 7> sizes{1, 2, 3, 9, 40, 130, 600};
  constexpr std::array spreads{1e-4, 1e-2, 0.3, 1.0, 7.0, 30.0, 300.0, 1e4};
  for (const referenced_loss& loss : referenced_losses()) {
    INFO(loss.name);
    unsigned seed = 0;
    for (const shape how : shapes)
      for (const levels grades : all_levels)
        for (const double spread : spreads) {
          // Each time another size, so that all meet all sooner or later.
          const std::size_t n = sizes[++seed * 5 % sizes.size()];
          const bool right = loss.right && n <= loss.held.longest;
          INFO(n << " items, shape " << static_cast<int>(how) << ", levels " << static_cast<int>(grades)
                 << ", spread " << spread << ", seed " << seed);
          const drawn_list items = draw_list(seed, n, how, grades, spread);
          derivatives expected;
          if (right) expected = expectation(loss, items);
          CHECK(fault<float>(loss, items, spread, right ? &expected : nullptr) == "");
          CHECK(fault<double>(loss, items, spread, right ? &expected : nullptr) == "");
        }
  }
}

TEST_CASE("outliers: every loss at 3000 items is finite, and some sums over pairs are right") {
#if defined(RANKLOSS_ADDRESS_SANITIZER)
  constexpr std::size_t longest = 1000;
#else
  constexpr std::size_t longest = 3000;
#endif
  for (const referenced_loss& loss : referenced_losses()) {
    INFO(loss.name);
    unsigned seed = 1000;
    for (const shape how : shapes) {
      const levels grades = how == shape::tail ? levels::real_valued : all_levels[++seed % all_levels.size()];
      INFO("shape " << static_cast<int>(how) << ", levels " << static_cast<int>(grades));
      // Rows of soft permutations are as long as scores are near.
      const bool rows = loss.name.starts_with("neural");
      const drawn_list items = draw_list(seed, longest, how, grades, rows ? 300.0 : 20.0);
      const bool right = (loss.name == "ranknet" && (how == shape::tail || how == shape::outliers)) ||
                         (loss.name == "lambdarank" && how == shape::tail);
      derivatives expected;
      if (right) expected = expectation(loss, items);
      CHECK(fault<float>(loss, items, 20.0, right ? &expected : nullptr) == "");
      CHECK(fault<double>(loss, items, 20.0, right ? &expected : nullptr) == "");
    }
  }
}

}  // namespace

}  // namespace promises_outliers_test
