// SPDX-License-Identifier: BSL-1.0
#include <rankloss/relaxed_list.hpp>

#include <rankloss/ranks/laplace_ranks.hpp>

#include "support.hpp"

#include <benchmark/benchmark.h>

#include <cstddef>
#include <string>
#include <vector>

namespace bench::relaxed_list {
namespace {

const rankloss::laplace_ranks how{.temperature = 0.1};

/// Ranks and gradient, once as two calls and once from one object.
template <class T>
void two_calls(benchmark::State& state, std::size_t n) {
  rankloss::context context;
  std::vector<T> ranks(n), gradient(n);
  const std::vector<T> cotangent(lists<T>(n).front().scores);
  measure(state, lists<T>(n), n, [&](const list_data<T>& list) {
    rankloss::rank(how, list.scores, ranks, context);
    rankloss::rank_pullback(how, list.scores, cotangent, gradient, context);
    return gradient[0];
  });
}
template <class T>
void one_object(benchmark::State& state, std::size_t n) {
  rankloss::relaxed_list<rankloss::laplace_ranks, T> held(how);
  std::vector<T> ranks(n), gradient(n);
  const std::vector<T> cotangent(lists<T>(n).front().scores);
  measure(state, lists<T>(n), n, [&](const list_data<T>& list) {
    held.assign(list.scores);
    held.values(ranks);
    held.pullback(cotangent, gradient);
    return gradient[0];
  });
}

}  // namespace

void add_all() {
  for (const std::size_t n : {std::size_t{128}, std::size_t{100000}}) {
    add<float>("relaxed_list_two_calls", std::to_string(n), "gradient",
               [=](benchmark::State& state) { two_calls<float>(state, n); });
    add<float>("relaxed_list", std::to_string(n), "gradient",
               [=](benchmark::State& state) { one_object<float>(state, n); });
  }
}

}  // namespace bench::relaxed_list
