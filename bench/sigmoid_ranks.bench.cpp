// SPDX-License-Identifier: BSL-1.0
#include <rankloss/ranks/sigmoid_ranks.hpp>

#include "ranks.hpp"

namespace bench::sigmoid_ranks {

void add_all() {
  add_ranks<float>("sigmoid_ranks", rankloss::sigmoid_ranks{.temperature = 0.1});
  add_ranks<double>("sigmoid_ranks", rankloss::sigmoid_ranks{.temperature = 0.1});
}

}  // namespace bench::sigmoid_ranks
