// SPDX-License-Identifier: BSL-1.0
#include <rankloss/ranks/laplace_ranks.hpp>

#include "ranks.hpp"

namespace bench::laplace_ranks {

void add_all() {
  add_ranks<float>("laplace_ranks", rankloss::laplace_ranks{.temperature = 0.1});
  add_ranks<double>("laplace_ranks", rankloss::laplace_ranks{.temperature = 0.1});
}

}  // namespace bench::laplace_ranks
