// SPDX-License-Identifier: BSL-1.0
#include <rankloss/ranks/projected_ranks.hpp>

#include "ranks.hpp"

#include <benchmark/benchmark.h>

#include <cstddef>
#include <string>

namespace bench::projected_ranks {
namespace {

template <class T>
void add_type() {
  add_ranks<T>("projected_ranks", rankloss::projected_ranks{.temperature = 0.1});
  add_ranks<T>(
      "entropic_ranks",
      rankloss::projected_ranks{.temperature = 0.1, .regularization = rankloss::regularization::entropic});

  // How the time depends on the blocks: none, few items each, all in one.
  constexpr std::size_t n = 100000;
  for (const char* t : {"1e-7", "1e-5", "1e-4", "1"})
    add<T>("projected_ranks_temperature", std::to_string(n), t,
           [how = rankloss::projected_ranks{.temperature = std::stod(t)}](benchmark::State& state) {
             ranks<T>(state, how, 1, n, wanted::gradient);
           });
}

}  // namespace

void add_all() {
  add_type<float>();
  add_type<double>();
}

}  // namespace bench::projected_ranks
