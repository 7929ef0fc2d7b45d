// SPDX-License-Identifier: BSL-1.0
#include <rankloss/plackett_luce_policy.hpp>

#include "support.hpp"

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <tuple>
#include <vector>

namespace bench::plackett_luce_policy {
namespace {

/// Scores, and orders drawn by them.
template <class T>
struct order_data {
  const list_data<T>* list;
  std::vector<std::uint32_t> orders;
};

template <class T>
std::vector<order_data<T>> drawn(const rankloss::plackett_luce_policy& policy,
                                 const std::vector<std::int32_t>& offsets) {
  rankloss::context context;
  std::vector<order_data<T>> all;
  for (const list_data<T>& list : lists<T>(static_cast<std::size_t>(offsets.back()))) {
    all.push_back({&list, std::vector<std::uint32_t>(list.scores.size())});
    rankloss::sample_orders(policy, std::span<const T>(list.scores), offsets, 0, all.back().orders, context);
  }
  return all;
}

/// Log probabilities of `count` orders of n items, their gradient, and the entropies along them where asked
/// for.
template <class T>
void orders(benchmark::State& state, std::size_t count, std::size_t n, bool gradient_too,
            bool entropies_too) {
  rankloss::context context;
  std::vector<std::int32_t> offsets;
  for (std::size_t l = 0; l <= count; ++l) offsets.push_back(static_cast<std::int32_t>(l * n));
  const rankloss::plackett_luce_policy policy{};
  std::vector<T> gradient(gradient_too ? count * n : 0);
  std::vector<double> log_probabilities(count), entropies(entropies_too ? count : 0);
  const std::vector<double> upstream(entropies_too ? count : 0, 0.01);
  measure(state, drawn<T>(policy, offsets), count * n, [&](const order_data<T>& data) {
    rankloss::evaluate_orders(
        policy,
        rankloss::order_batch<T>{.scores = data.list->scores, .orders = data.orders, .offsets = offsets},
        {.log_probabilities = log_probabilities,
         .entropies = entropies,
         .gradient = gradient,
         .entropy_upstream = upstream},
        context);
    return log_probabilities.front();
  });
}

template <class T>
void add_type() {
  for (const auto& [name, lists, items] : {std::tuple{"1000000", 1u, 1000000u}, {"64x128", 64u, 128u}}) {
    const auto run = [count = lists, n = items](bool gradient, bool entropies) {
      return [=](benchmark::State& state) { orders<T>(state, count, n, gradient, entropies); };
    };
    add<T>("plackett_luce_policy", name, "value", run(false, false));
    add<T>("plackett_luce_policy", name, "gradient", run(true, false));
    add<T>("plackett_luce_policy", name, "entropy", run(true, true));
  }
}

}  // namespace

void add_all() {
  add_type<float>();
  add_type<double>();
}

}  // namespace bench::plackett_luce_policy
