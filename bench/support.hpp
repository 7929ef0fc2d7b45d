// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace bench {

/// What the items of a list are worth.
enum class relevance {
  grades,  ///< 0 to 4, each as likely as the others
  binary,  ///< 0 or 1, the one as likely as the other
  real,    ///< anywhere in [0, 1]
  single,  ///< 1 for one item, 0 for all others
};

/// One list; scores are normal with deviation 1.
template <class T>
struct list_data {
  list_data(std::size_t n, bench::relevance kind, std::mt19937_64& random) : scores(n), relevance(n) {
    std::normal_distribution<double> score;
    std::uniform_int_distribution<int> grade(0, 4);
    std::uniform_real_distribution<double> real(0.0, 1.0);
    for (T& s : scores) s = static_cast<T>(score(random));
    switch (kind) {
      case bench::relevance::grades:
        for (T& y : relevance) y = static_cast<T>(grade(random));
        break;
      case bench::relevance::binary:
        for (T& y : relevance) y = static_cast<T>(random() % 2);
        break;
      case bench::relevance::real:
        for (T& y : relevance) y = static_cast<T>(real(random));
        break;
      case bench::relevance::single: relevance[random() % n] = T{1}; break;
    }
  }

  std::vector<T> scores;     ///< [n]
  std::vector<T> relevance;  ///< [n]
};

/// A square matrix of what looks like cosines of embeddings, and real-valued relevance, 1 on the diagonal.
template <class T>
struct matrix_data {
  matrix_data(std::size_t size, std::mt19937_64& random)
      : rows(size), similarity(size * size), relevance(size * size) {
    std::normal_distribution<double> cosine(0.0, 0.1);
    std::uniform_real_distribution<double> real(0.0, 1.0);
    for (T& s : similarity) s = static_cast<T>(cosine(random));
    for (T& y : relevance) y = static_cast<T>(real(random));
    for (std::size_t i = 0; i < size; ++i) relevance[i * (size + 1)] = T{1};
  }

  std::size_t rows;           ///< and columns
  std::vector<T> similarity;  ///< [rows, rows]
  std::vector<T> relevance;   ///< [rows, rows]
};

/// Every benchmark takes turns through a pool of different inputs: a branch predictor learns a single one by
/// heart.
inline std::size_t pool_size(std::size_t items) {
  return std::max<std::size_t>(3, (std::size_t{1} << 17) / items);
}

/// The pool of lists of n items: one for all benchmarks of that type, length and relevance.
template <class T>
const std::vector<list_data<T>>& lists(std::size_t n, relevance kind = relevance::grades) {
  static std::map<std::pair<std::size_t, relevance>, std::vector<list_data<T>>> pools;
  const auto [pool, is_new] = pools.try_emplace({n, kind});
  if (is_new) {
    std::mt19937_64 random(n);
    pool->second.reserve(pool_size(n));
    for (std::size_t l = 0; l < pool_size(n); ++l) pool->second.emplace_back(n, kind, random);
  }
  return pool->second;
}

/// The pool of matrices of n rows and columns.
template <class T>
const std::vector<matrix_data<T>>& matrices(std::size_t n) {
  static std::map<std::size_t, std::vector<matrix_data<T>>> pools;
  const auto [pool, is_new] = pools.try_emplace(n);
  if (is_new) {
    std::mt19937_64 random(n);
    pool->second.reserve(pool_size(n * n));
    for (std::size_t l = 0; l < pool_size(n * n); ++l) pool->second.emplace_back(n, random);
  }
  return pool->second;
}

/// Times `run(input)` over the inputs in turn, of `items` scores each.
template <class Input, class Run>
void measure(benchmark::State& state, const std::vector<Input>& inputs, std::size_t items, Run run) {
  run(inputs.front());  // scratch grows once, not in the time measured
  std::size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(run(inputs[next]));
    benchmark::ClobberMemory();
    if (++next == inputs.size()) next = 0;
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(items));
}

/// Whether a yardstick computes what the library computes: value and gradient to 1e-4 of the largest.
template <class T>
bool agree(double value, double plain_value, std::span<const T> gradient, std::span<const T> plain_gradient) {
  constexpr double tolerance = 1e-4;
  double largest = 0.0;
  bool close = std::abs(value - plain_value) <= tolerance * std::abs(value);
  for (const T g : gradient) largest = std::max(largest, std::abs(static_cast<double>(g)));
  for (std::size_t i = 0; i < gradient.size(); ++i)
    close = close && std::abs(static_cast<double>(gradient[i]) - static_cast<double>(plain_gradient[i])) <=
                         tolerance * largest;
  return close;
}

inline constexpr auto disagreement = "the yardstick and the library differ in value or gradient";

template <std::floating_point T>
inline constexpr auto type_name = std::same_as<T, float> ? "float" : "double";

enum class wanted { value, gradient };
inline constexpr wanted both_wanted[] = {wanted::value, wanted::gradient};
inline std::string to_string(wanted what) { return what == wanted::value ? "value" : "gradient"; }

/// Registers `body(state)` as LOSS/TYPE/LENGTH or LOSS/TYPE/LENGTH/WHAT.
template <class T, class Body>
benchmark::internal::Benchmark* add(const std::string& loss, const std::string& length,
                                    const std::string& what, Body body) {
  const std::string name = loss + "/" + type_name<T> + "/" + length + (what.empty() ? "" : "/") + what;
  return benchmark::RegisterBenchmark(name.c_str(), body)->Unit(benchmark::kMicrosecond);
}

// The tables, a file each.
namespace sndcg {
void add_all();
}
namespace bidirectional_sndcg {
void add_all();
}
namespace triplet {
void add_all();
}
namespace similarity_losses {
void add_all();
}
namespace embedding_batch {
void add_all();
}
namespace cmpc {
void add_all();
}
namespace late_interaction {
void add_all();
}
namespace ndcg {
void add_all();
}
namespace retrieval {
void add_all();
}
namespace neural_sort {
void add_all();
}
namespace argsort {
void add_all();
}
namespace laplace_ranks {
void add_all();
}
namespace sigmoid_ranks {
void add_all();
}
namespace projected_ranks {
void add_all();
}
namespace relaxed_list {
void add_all();
}
namespace soft_sort {
void add_all();
}
namespace soft_top_k {
void add_all();
}
namespace sorting_network {
void add_all();
}
namespace neural_ndcg {
void add_all();
}
namespace ranknet {
void add_all();
}
namespace listnet {
void add_all();
}
namespace item_losses {
void add_all();
}
namespace listmle {
void add_all();
}
namespace std_sort {
void add_all();
}
namespace stream {
void add_all();
}
namespace svmlight {
void add_all();
}
namespace sweep {
void add_all();
}
namespace threads {
void add_all();
}
namespace bradley_terry {
void add_all();
}
namespace gae {
void add_all();
}
namespace ppo {
void add_all();
}
namespace lr2ppo {
void add_all();
}
namespace plackett_luce {
void add_all();
}
namespace plackett_luce_policy {
void add_all();
}

/// Lengths of single lists.
inline constexpr std::size_t lengths[] = {16,   64,    128,   256,    512,    1024,
                                          4096, 16384, 65536, 100000, 262144, 1000000};

}  // namespace bench
