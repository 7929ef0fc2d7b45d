// SPDX-License-Identifier: BSL-1.0

#include <rankloss/rankloss.hpp>

#include <array>
#include <cmath>
#include <cstdio>

// The one relevant item is below the other; with these scores it has soft rank 1 + sigmoid(ln 3) = 1.75.
int main() {
  const std::array<double, 2> scores{0.0, std::log(3.0)};
  const std::array<int, 2> relevance{1, 0};
  std::array<double, 2> gradient{};
  const double value = rankloss::evaluate(
      rankloss::sndcg{.temperature = 1.0},
      rankloss::list_batch<double, int>{.scores = scores, .relevance = relevance}, {.gradient = gradient});
  const double expected = 1.0 - 1.0 / std::log2(2.75);
  std::printf("value %.15g, expected %.15g, gradient %.6g %.6g\n", value, expected, gradient[0], gradient[1]);
  return std::abs(value - expected) < 1e-12 && gradient[0] < 0.0 && gradient[1] > 0.0 ? 0 : 1;
}
