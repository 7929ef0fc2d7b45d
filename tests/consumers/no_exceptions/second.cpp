// SPDX-License-Identifier: BSL-1.0

#include <rankloss/rankloss.hpp>

#include <span>

double value_in_second_unit(std::span<const double> scores, std::span<const int> relevance,
                            double temperature) {
  rankloss::context context{rankloss::threads(2)};
  return rankloss::evaluate(rankloss::sndcg{.temperature = temperature},
                            rankloss::list_batch<double, int>{.scores = scores, .relevance = relevance}, {},
                            context);
}
