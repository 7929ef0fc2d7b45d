// SPDX-License-Identifier: BSL-1.0
#include <rankloss/hosts/lightgbm.hpp>
#include <rankloss/lambda_loss.hpp>
#include <rankloss/lambdarank.hpp>
#include <rankloss/pairwise.hpp>
#include <rankloss/ranknet.hpp>

#include "plain/pair_loss.hpp"
#include "support.hpp"

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace bench::ranknet {
namespace {

/// Lists of n items in one call, by offsets.
template <class T, class Loss>
void pair_lists(benchmark::State& state, const Loss& loss, std::size_t count, std::size_t n, relevance kind) {
  rankloss::context context;
  std::vector<T> gradient(count * n);
  std::vector<std::int64_t> offsets;
  for (std::size_t l = 0; l <= count; ++l) offsets.push_back(static_cast<std::int64_t>(l * n));
  measure(state, lists<T>(count * n, kind), count * n, [&](const list_data<T>& all) {
    return rankloss::evaluate(loss,
                              rankloss::list_batch<T>{.scores = all.scores,
                                                      .relevance = all.relevance,
                                                      .offsets = offsets,
                                                      .reduction = rankloss::reduction::sum},
                              {.gradient = gradient}, context);
  });
}

template <class T, class Loss>
void pair_lists_plain(benchmark::State& state, const Loss& loss, plain::pair_weight weight, std::size_t count,
                      std::size_t n, relevance kind) {
  const std::vector<list_data<T>>& pool = lists<T>(count * n, kind);
  plain::pair_loss<T> plain_loss(weight, n);
  std::vector<T> gradient(count * n);
  const auto run = [&](const list_data<T>& all) {
    double value = 0.0;
    for (std::size_t l = 0; l < count; ++l)
      value += plain_loss(std::span(all.scores).subspan(l * n, n), std::span(all.relevance).subspan(l * n, n),
                          std::span(gradient).subspan(l * n, n));
    return value;
  };
  std::vector<T> expected(count * n);
  std::vector<std::int64_t> offsets;
  for (std::size_t l = 0; l <= count; ++l) offsets.push_back(static_cast<std::int64_t>(l * n));
  const double value = rankloss::evaluate(loss,
                                          rankloss::list_batch<T>{.scores = pool.front().scores,
                                                                  .relevance = pool.front().relevance,
                                                                  .offsets = offsets,
                                                                  .reduction = rankloss::reduction::sum},
                                          {.gradient = expected});
  const double plain_value = run(pool.front());
  if (!agree<T>(value, plain_value, expected, gradient)) return state.SkipWithError(disagreement);
  measure(state, pool, count * n, run);
}

template <class T, class Loss>
void add_loss(const std::string& name, const Loss& loss, plain::pair_weight weight) {
  const auto both = [&](const std::string& length, std::size_t count, std::size_t n,
                        const std::string& suffix, relevance kind, bool plain_too) {
    add<T>(name + suffix, length, "gradient",
           [=](benchmark::State& state) { pair_lists<T>(state, loss, count, n, kind); });
    if (plain_too)
      add<T>(name + suffix + "_plain", length, "gradient",
             [=](benchmark::State& state) { pair_lists_plain<T>(state, loss, weight, count, n, kind); });
  };
  // Of 100 000 items the plain loop adds up too many roundings of float, where weights differ, to be a
  // yardstick.
  const bool sums_long = weight == plain::pair_weight::one || sizeof(T) == 8;
  for (const std::size_t n : lengths)
    if (n >= 64)
      both(std::to_string(n), 1, n, "", relevance::grades, n <= 4096 || (n == 100000 && sums_long));
  both("64x128", 64, 128, "", relevance::grades, true);
  for (const std::size_t n : {1024, 100000, 1000000})
    both(std::to_string(n), 1, n, "_real", relevance::real, n == 1024);
  both("64x128", 64, 128, "_real", relevance::real, true);
}

/// Many lists in one call, short ones and those about the length at which sums of exponentials begin, and where the
/// loss has a temperature lists of that length and longer over temperatures.
template <class Loss>
void add_batches(const std::string& name, Loss loss) {
  using T = float;
  const auto batch = [&](std::size_t count, std::size_t n) {
    add<T>(name + "_batch", std::to_string(count) + "x" + std::to_string(n), "gradient",
           [=](benchmark::State& state) { pair_lists<T>(state, loss, count, n, relevance::grades); });
  };
  batch(1024, 8);
  batch(512, 16);
  batch(256, 32);
  for (const std::size_t n : {64, 128, 192, 256, 257, 320, 384, 448, 512}) batch(64, n);
  if constexpr (requires { loss.function.temperature; })
    for (const double temperature : {0.01, 0.03, 0.1, 0.3, 1.0}) {
      loss.function.temperature = temperature;
      for (const std::size_t n : {256, 320, 512, 1024, 2048, 4096})
        for (const auto kind : {relevance::binary, relevance::grades, relevance::real}) {
          const std::string of = kind == relevance::binary   ? "binary"
                                 : kind == relevance::grades ? "grades"
                                                             : "real";
          add<T>(name + "_temperature",
                 std::to_string(n) + "/" + of + "/" + std::to_string(temperature).substr(0, 4), "gradient",
                 [=](benchmark::State& state) { pair_lists<T>(state, loss, 8, n, kind); });
        }
    }
}

/// The weight by the distance of two ranks. Lists are near-linear from 385 floats and 769 doubles on.
template <class T, class Loss>
void add_by_distance(const std::string& name, const Loss& loss) {
  for (const std::size_t n : {128, 256, 384, 385, 512, 768, 769, 1024, 2048, 8192, 100000})
    add<T>(name, std::to_string(n), "gradient",
           [=](benchmark::State& state) { pair_lists<T>(state, loss, 1, n, relevance::grades); });
}

template <class T>
void add_hinge() {
  for (const std::size_t n : lengths)
    if (n >= 64)
      add<T>("hinge", std::to_string(n), "gradient", [=](benchmark::State& state) {
        pair_lists<T>(state, rankloss::pairwise<rankloss::pairs::hinge>{}, 1, n, relevance::grades);
      });
}

}  // namespace

void add_all() {
  add_loss<float>("ranknet", rankloss::ranknet{}, plain::pair_weight::one);
  add_loss<double>("ranknet", rankloss::ranknet{}, plain::pair_weight::one);
  add_loss<float>("lambdarank", rankloss::lambdarank{}, plain::pair_weight::delta_ndcg);
  add_loss<double>("lambdarank", rankloss::lambdarank{}, plain::pair_weight::delta_ndcg);
  add_batches("ranknet", rankloss::ranknet{});
  add_batches("lambdarank", rankloss::lambdarank{});
  add_batches("lightgbm_lambdarank", rankloss::lightgbm::lambdarank{});
  add_by_distance<float>("ndcg_loss2", rankloss::ndcg_loss2{});
  add_by_distance<double>("ndcg_loss2", rankloss::ndcg_loss2{});
  add_by_distance<float>("ndcg_loss2_plus", rankloss::ndcg_loss2_plus{});
  add_by_distance<double>("ndcg_loss2_plus", rankloss::ndcg_loss2_plus{});
  add_hinge<float>();
  add_hinge<double>();
}

}  // namespace bench::ranknet
