// SPDX-License-Identifier: BSL-1.0

#include <rankloss/rankloss.hpp>

#include <array>
#include <cstdio>
#include <span>

double value_in_second_unit(std::span<const double> scores, std::span<const int> relevance,
                            double temperature);

int main() {
  const std::array<double, 3> scores{0.5, 2.0, -1.0};
  const std::array<int, 3> relevance{2, 0, 1};
  const double value =
      rankloss::evaluate(rankloss::sndcg{.temperature = 0.7},
                         rankloss::list_batch<double, int>{.scores = scores, .relevance = relevance});
  if (value != value_in_second_unit(scores, relevance, 0.7)) return 1;
  std::printf("both units agree: %.15g\n", value);
  std::fflush(stdout);
  value_in_second_unit(scores, relevance, 0.0);  // ends the program
  return 1;
}
