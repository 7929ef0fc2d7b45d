// SPDX-License-Identifier: BSL-1.0
#include <rankloss/sndcg.hpp>

#include "plain/sndcg.hpp"
#include "support.hpp"

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace bench::sndcg {
namespace {

constexpr double temperature = 0.1;

template <class T>
void one_list(benchmark::State& state, const rankloss::sndcg& loss, const std::vector<list_data<T>>& pool,
              wanted what) {
  const std::size_t n = pool.front().scores.size();
  rankloss::context context;
  std::vector<T> gradient(what == wanted::gradient ? n : 0);
  measure(state, pool, n, [&](const list_data<T>& list) {
    return rankloss::evaluate(loss,
                              rankloss::list_batch<T>{.scores = list.scores, .relevance = list.relevance},
                              {.gradient = gradient}, context);
  });
}

template <class T>
void one_list_plain(benchmark::State& state, std::size_t n) {
  const std::vector<list_data<T>>& pool = lists<T>(n);
  plain::sndcg<T> loss(temperature, n);
  std::vector<T> gradient(n);

  const list_data<T>& first = pool.front();
  std::vector<T> expected(n);
  const double value = rankloss::evaluate(
      rankloss::sndcg{.temperature = temperature},
      rankloss::list_batch<T>{.scores = first.scores, .relevance = first.relevance}, {.gradient = expected});
  const double plain_value = loss(first.scores, first.relevance, gradient);
  if (!agree<T>(value, plain_value, expected, gradient)) return state.SkipWithError(disagreement);

  measure(state, pool, n,
          [&](const list_data<T>& list) { return loss(list.scores, list.relevance, gradient); });
}

/// Many lists in one call, separated by offsets.
template <class T>
void batch(benchmark::State& state, std::size_t count, std::size_t n, double t = temperature) {
  rankloss::context context;
  std::vector<T> gradient(count * n);
  std::vector<std::int32_t> offsets;
  for (std::size_t l = 0; l <= count; ++l) offsets.push_back(static_cast<std::int32_t>(l * n));
  measure(state, lists<T>(count * n), count * n, [&](const list_data<T>& all) {
    return rankloss::evaluate(
        rankloss::sndcg{.temperature = t},
        rankloss::list_batch<T>{.scores = all.scores, .relevance = all.relevance, .offsets = offsets},
        {.gradient = gradient}, context);
  });
}

template <class T>
void add_type() {
  for (const std::size_t n : lengths)
    for (const wanted what : both_wanted)
      add<T>("sndcg", std::to_string(n), to_string(what), [=](benchmark::State& state) {
        one_list<T>(state, {.temperature = temperature}, lists<T>(n), what);
      });

  for (const std::size_t n : lengths)
    if (n <= 4096)
      add<T>("sndcg_plain", std::to_string(n), "gradient",
             [=](benchmark::State& state) { one_list_plain<T>(state, n); });

  for (const std::size_t n : {4, 8, 12, 13, 16, 32, 64, 128})
    add<T>("sndcg_batch", std::to_string(8192 / n) + "x" + std::to_string(n), "gradient",
           [=](benchmark::State& state) { batch<T>(state, 8192 / n, n); });

  // Lists on both sides of the length up to which each has a lane of its own.
  for (const std::size_t n : {256, 320, 512, 1024, 4096}) {
    const std::string name = "64x" + std::to_string(n);
    add<T>("sndcg_batch", name, "gradient", [=](benchmark::State& state) { batch<T>(state, 64, n); });
    for (const char* t : {"0.01", "1"})
      add<T>("sndcg_batch_temperature", name, t,
             [=, t = std::stod(t)](benchmark::State& state) { batch<T>(state, 64, n, t); });
  }

  // One item of gain, which is compared with all others.
  for (const std::size_t n : {512, 4096, 65536})
    add<T>("sndcg_single", std::to_string(n), "gradient", [=](benchmark::State& state) {
      one_list<T>(state, {.temperature = temperature}, lists<T>(n, relevance::single), wanted::gradient);
    });

  // How the time depends on the data: gradients of lists that differ in nothing else.
  constexpr std::size_t n = 65536;
  for (const char* t : {"0.001", "0.01", "0.1", "1", "10"})
    add<T>("sndcg_temperature", std::to_string(n), t, [t = std::stod(t)](benchmark::State& state) {
      one_list<T>(state, {.temperature = t}, lists<T>(n), wanted::gradient);
    });
  for (const auto& [name, of] :
       {std::pair{"grades", relevance::grades}, {"real", relevance::real}, {"single", relevance::single}})
    add<T>("sndcg_relevance", std::to_string(n), name, [kind = of](benchmark::State& state) {
      one_list<T>(state, {.temperature = temperature}, lists<T>(n, kind), wanted::gradient);
    });
}

}  // namespace

void add_all() {
  add_type<float>();
  add_type<double>();
}

}  // namespace bench::sndcg
