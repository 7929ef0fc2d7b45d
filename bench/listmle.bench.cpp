// SPDX-License-Identifier: BSL-1.0
#include <rankloss/listmle.hpp>

#include "plain/listwise.hpp"
#include "support.hpp"

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace bench::listmle {
namespace {

template <class T>
void one_list(benchmark::State& state, const rankloss::listmle& loss, std::size_t n,
              wanted what = wanted::gradient, relevance kind = relevance::grades) {
  rankloss::context context;
  std::vector<T> gradient(what == wanted::gradient ? n : 0);
  measure(state, lists<T>(n, kind), n, [&](const list_data<T>& list) {
    return rankloss::evaluate(loss,
                              rankloss::list_batch<T>{.scores = list.scores, .relevance = list.relevance},
                              {.gradient = gradient}, context);
  });
}

template <class T>
void one_list_plain(benchmark::State& state, std::size_t n) {
  const std::vector<list_data<T>>& pool = lists<T>(n);
  plain::listmle<T> loss(n);
  std::vector<T> gradient(n);

  const list_data<T>& first = pool.front();
  std::vector<T> expected(n);
  const double value = rankloss::evaluate(
      rankloss::listmle{}, rankloss::list_batch<T>{.scores = first.scores, .relevance = first.relevance},
      {.gradient = expected});
  const double plain_value = loss(first.scores, first.relevance, gradient);
  if (!agree<T>(value, plain_value, expected, gradient)) return state.SkipWithError(disagreement);

  measure(state, pool, n,
          [&](const list_data<T>& list) { return loss(list.scores, list.relevance, gradient); });
}

/// Many short lists in one call, separated by offsets.
template <class T>
void batch(benchmark::State& state, std::size_t count, std::size_t n) {
  rankloss::context context;
  std::vector<T> gradient(count * n);
  std::vector<std::int32_t> offsets;
  for (std::size_t l = 0; l <= count; ++l) offsets.push_back(static_cast<std::int32_t>(l * n));
  measure(state, lists<T>(count * n), count * n, [&](const list_data<T>& all) {
    return rankloss::evaluate(
        rankloss::listmle{},
        rankloss::list_batch<T>{.scores = all.scores, .relevance = all.relevance, .offsets = offsets},
        {.gradient = gradient}, context);
  });
}

template <class T>
void add_type() {
  for (const std::size_t n : {16, 128, 1024, 65536}) {
    for (const wanted what : both_wanted)
      add<T>("listmle", std::to_string(n), to_string(what),
             [=](benchmark::State& state) { one_list<T>(state, {}, n, what); });
    add<T>("listmle_plain", std::to_string(n), "gradient",
           [=](benchmark::State& state) { one_list_plain<T>(state, n); });
  }
  for (const std::size_t n : {8, 16, 64})
    add<T>("listmle_batch", std::to_string(8192 / n) + "x" + std::to_string(n), "gradient",
           [=](benchmark::State& state) { batch<T>(state, 8192 / n, n); });
  for (const std::size_t n : {1024, 65536}) {
    add<T>("listmle_ties", std::to_string(n), "random",
           [=](benchmark::State& state) { one_list<T>(state, {.ties = rankloss::tie_order::random}, n); });
    add<T>("listmle_ties", std::to_string(n), "exact",
           [=](benchmark::State& state) { one_list<T>(state, {.ties = rankloss::tie_order::exact}, n); });
    add<T>("listmle_relevance", std::to_string(n), "real",
           [=](benchmark::State& state) { one_list<T>(state, {}, n, wanted::gradient, relevance::real); });
  }
}

}  // namespace

void add_all() {
  add_type<float>();
  add_type<double>();
}

}  // namespace bench::listmle
