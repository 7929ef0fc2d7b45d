// SPDX-License-Identifier: BSL-1.0
#include <rankloss/ppo.hpp>

#include "support.hpp"

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstddef>
#include <random>
#include <string>
#include <vector>

namespace bench::ppo {
namespace {

/// Steps of a policy that has moved from the old one by some tenth of a logarithm, and of a critic.
template <class T>
struct step_data {
  step_data(std::size_t n, std::mt19937_64& random) : now(n), old(n), advantages(n) {
    std::normal_distribution<double> normal;
    for (std::size_t i = 0; i < n; ++i) {
      old[i] = static_cast<T>(-std::abs(3.0 * normal(random)));
      now[i] = old[i] + static_cast<T>(0.2 * normal(random));
      advantages[i] = static_cast<T>(normal(random));
    }
  }

  std::vector<T> now, old, advantages;  ///< [n]
};

template <class T>
const std::vector<step_data<T>>& steps(std::size_t n) {
  static std::vector<step_data<T>> pool;
  if (pool.empty()) {
    std::mt19937_64 random(n);
    for (std::size_t l = 0; l < pool_size(n); ++l) pool.emplace_back(n, random);
  }
  return pool;
}

template <class T>
void policy(benchmark::State& state, const rankloss::ppo& loss, std::size_t n, wanted what,
            std::size_t workers = 1) {
  rankloss::context context{rankloss::threads(workers)};
  std::vector<T> gradient(what == wanted::gradient ? n : 0);
  measure(state, steps<T>(n), n, [&](const step_data<T>& data) {
    const rankloss::policy_batch<T> batch{
        .log_probabilities = data.now, .old_log_probabilities = data.old, .advantages = data.advantages};
    return rankloss::evaluate(loss, batch, {.gradient = gradient}, context);
  });
}

template <class T>
void values(benchmark::State& state, std::size_t n, wanted what, std::size_t workers = 1) {
  rankloss::context context{rankloss::threads(workers)};
  std::vector<T> gradient(what == wanted::gradient ? n : 0);
  measure(state, steps<T>(n), n, [&](const step_data<T>& data) {
    const rankloss::value_batch<T> batch{
        .values = data.now, .returns = data.advantages, .old_values = data.old};
    return rankloss::evaluate(rankloss::critic{}, batch, {.gradient = gradient}, context);
  });
}

template <class T>
void add_type() {
  constexpr std::size_t n = 1000000;
  for (const wanted what : both_wanted) {
    add<T>("ppo", std::to_string(n), to_string(what),
           [=](benchmark::State& state) { policy<T>(state, {}, n, what); });
    add<T>("ppo_kl", std::to_string(n), to_string(what), [=](benchmark::State& state) {
      policy<T>(state, {.dual_clip = 3, .kl_coefficient = 0.1}, n, what);
    });
    add<T>("critic", std::to_string(n), to_string(what),
           [=](benchmark::State& state) { values<T>(state, n, what); });
  }
  for (const std::size_t workers : {1, 2}) {
    const std::string size = std::to_string(n) + "/" + std::to_string(workers);
    add<T>("ppo_threads", size, "gradient", [=](benchmark::State& state) {
      policy<T>(state, {}, n, wanted::gradient, workers);
    })->UseRealTime();
    add<T>("critic_threads", size, "gradient", [=](benchmark::State& state) {
      values<T>(state, n, wanted::gradient, workers);
    })->UseRealTime();
  }
}

}  // namespace

void add_all() {
  add_type<float>();
  add_type<double>();
}

}  // namespace bench::ppo
