// SPDX-License-Identifier: BSL-1.0
#include <rankloss/bradley_terry.hpp>
#include <rankloss/davidson.hpp>
#include <rankloss/margin_ranking.hpp>
#include <rankloss/rao_kupper.hpp>
#include <rankloss/threads.hpp>

#include "support.hpp"

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace bench::bradley_terry {
namespace {

/// Rewards of a tenth as many items as pairs, and pairs of any two of them, each fourth a tie.
template <class T>
struct pair_data {
  pair_data(std::size_t pairs, std::mt19937_64& random) : ties(pairs) {
    const std::size_t items = pairs / 10;
    std::normal_distribution<double> reward;
    for (std::size_t i = 0; i < items; ++i) rewards.push_back(static_cast<T>(reward(random)));
    for (std::size_t k = 0; k < pairs; ++k) {
      preferred.push_back(static_cast<std::int32_t>(random() % items));
      other.push_back(static_cast<std::int32_t>(
          (static_cast<std::size_t>(preferred.back()) + 1 + random() % (items - 1)) % items));
      ties[k] = random() % 4 == 0 ? 1 : 0;
    }
  }

  std::vector<T> rewards;                      ///< [items]
  std::vector<std::int32_t> preferred, other;  ///< [pairs]
  std::vector<std::uint8_t> ties;              ///< [pairs]
};

template <class T>
const std::vector<pair_data<T>>& pairs(std::size_t n) {
  static std::vector<pair_data<T>> pool;
  if (pool.empty()) {
    std::mt19937_64 random(n);
    for (std::size_t l = 0; l < pool_size(n); ++l) pool.emplace_back(n, random);
  }
  return pool;
}

template <class T, class Loss>
void of_pairs(benchmark::State& state, const Loss& loss, std::size_t n, wanted what,
              std::size_t workers = 1) {
  rankloss::context context{rankloss::threads(workers)};
  const std::vector<pair_data<T>>& pool = pairs<T>(n);
  std::vector<T> gradient(what == wanted::gradient ? pool.front().rewards.size() : 0);
  measure(state, pool, n, [&](const pair_data<T>& data) {
    rankloss::preference_batch<T> batch{
        .rewards = data.rewards, .preferred = data.preferred, .other = data.other};
    if constexpr (rankloss::tie_loss<Loss>) batch.ties = data.ties;
    return rankloss::evaluate(loss, batch, {.gradient = gradient}, context);
  });
}

template <class T>
void add_type() {
  constexpr std::size_t n = 1000000;
  for (const wanted what : both_wanted) {
    const auto run = [=](const auto& loss) {
      return [=](benchmark::State& state) { of_pairs<T>(state, loss, n, what); };
    };
    add<T>("bradley_terry", std::to_string(n), to_string(what), run(rankloss::bradley_terry{}));
    add<T>("margin_ranking", std::to_string(n), to_string(what), run(rankloss::margin_ranking{}));
    add<T>("rao_kupper", std::to_string(n), to_string(what), run(rankloss::rao_kupper{}));
    add<T>("davidson", std::to_string(n), to_string(what), run(rankloss::davidson{}));
  }
  for (const std::size_t workers : {1, 2})
    add<T>("bradley_terry_threads", std::to_string(n) + "/" + std::to_string(workers), "gradient",
           [=](benchmark::State& state) {
             of_pairs<T>(state, rankloss::bradley_terry{}, n, wanted::gradient, workers);
           })
        ->UseRealTime();
}

}  // namespace

void add_all() {
  add_type<float>();
  add_type<double>();
}

}  // namespace bench::bradley_terry
