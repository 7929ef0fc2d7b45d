// SPDX-License-Identifier: BSL-1.0
#include <rankloss/lr2ppo.hpp>

#include "support.hpp"

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace bench::lr2ppo {
namespace {

/// States of two labels, as published, each list of scores cut into them.
template <class T>
void pairs(benchmark::State& state, std::size_t states, rankloss::lr2ppo_form form) {
  rankloss::context context;
  std::vector<std::int32_t> orders, offsets{0};
  std::vector<double> rewards;
  for (std::size_t q = 0; q < states; ++q) {
    orders.push_back(static_cast<std::int32_t>(q % 2));
    orders.push_back(static_cast<std::int32_t>(1 - q % 2));
    offsets.push_back(static_cast<std::int32_t>(2 * (q + 1)));
    rewards.push_back(q % 3 == 0 ? -0.5 : 1.0);
  }
  std::vector<T> gradient(2 * states);
  const rankloss::lr2ppo loss{.form = form};
  measure(state, lists<T>(2 * states), states, [&](const list_data<T>& list) {
    return rankloss::evaluate(loss,
                              rankloss::label_policy_batch<T>{.scores = list.scores,
                                                              .old_scores = list.scores,
                                                              .orders = orders,
                                                              .offsets = offsets,
                                                              .rewards = rewards},
                              {.gradient = gradient}, context);
  });
}

template <class T>
void add_type() {
  add<T>("lr2ppo", "100000x2", "gradient",
         [](benchmark::State& state) { pairs<T>(state, 100000, rankloss::lr2ppo_form::corrected); });
  add<T>("lr2ppo_published", "100000x2", "gradient",
         [](benchmark::State& state) { pairs<T>(state, 100000, rankloss::lr2ppo_form::published); });
}

}  // namespace

void add_all() {
  add_type<float>();
  add_type<double>();
}

}  // namespace bench::lr2ppo
