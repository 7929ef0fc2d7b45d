// SPDX-License-Identifier: BSL-1.0
#include <rankloss/late_interaction.hpp>

#include "support.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace bench::late_interaction {
namespace {

/// Sizes of a batch that ColBERT trains on: each query with all documents.
constexpr std::size_t queries = 32;
constexpr std::size_t query_length = 32;
constexpr std::size_t documents = 256;
constexpr std::size_t document_length = 180;
constexpr std::size_t dimension = 128;

template <class T>
struct tokens {
  explicit tokens(std::mt19937_64& random)
      : x(queries * query_length * dimension), y(documents * document_length * dimension) {
    std::normal_distribution<double> component;
    for (T& c : x) c = static_cast<T>(component(random));
    for (T& c : y) c = static_cast<T>(component(random));
    for (std::size_t q = 0; q <= queries; ++q)
      query_offsets.push_back(static_cast<std::int64_t>(q * query_length));
    for (std::size_t d = 0; d <= documents; ++d)
      document_offsets.push_back(static_cast<std::int64_t>(d * document_length));
  }
  [[nodiscard]] rankloss::token_batch<T> batch() const {
    return {.query_tokens = x,
            .document_tokens = y,
            .dimension = dimension,
            .query_offsets = query_offsets,
            .document_offsets = document_offsets};
  }

  std::vector<T> x, y;
  std::vector<std::int64_t> query_offsets, document_offsets;
};

template <class T>
const std::vector<tokens<T>>& batches() {
  static const std::vector<tokens<T>> pool = [] {
    std::mt19937_64 random(1);
    std::vector<tokens<T>> some;
    for (int k = 0; k < 3; ++k) some.emplace_back(random);
    return some;
  }();
  return pool;
}

void count(benchmark::State& state) {
  const double pairs = static_cast<double>(queries * query_length) * documents * document_length;
  state.counters["GFLOP/s"] = benchmark::Counter(
      2e-9 * pairs * dimension * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

enum class kind { scores, scores_and_best, pullback, pullback_alone };

template <class T>
void run(benchmark::State& state, kind what) {
  rankloss::context context;
  std::vector<T> scores(queries * documents);
  std::vector<std::uint32_t> best(queries * query_length * documents);
  std::vector<T> dx(queries * query_length * dimension), dy(documents * document_length * dimension);
  const std::vector<T> upstream(scores.size(), T(0.01));
  rankloss::late_interaction(batches<T>().front().batch(), scores, best, context);
  measure(state, batches<T>(), queries * query_length * documents * document_length,
          [&](const tokens<T>& of) {
            switch (what) {
              case kind::scores: rankloss::late_interaction(of.batch(), scores, context); break;
              case kind::scores_and_best:
                rankloss::late_interaction(of.batch(), scores, best, context);
                break;
              case kind::pullback:  // the best tokens of one batch will do for all
                rankloss::late_interaction_pullback(of.batch(), upstream,
                                                    {.queries = dx, .documents = dy, .best = best}, context);
                break;
              case kind::pullback_alone:
                rankloss::late_interaction_pullback(of.batch(), upstream, {.queries = dx, .documents = dy},
                                                    context);
                break;
            }
            return scores[0];
          });
  if (what != kind::pullback) count(state);
}

/// The yardstick: vectors of length 1, and then token by token, with the sums of a product in 16 lanes for
/// the compiler to vectorise.
template <class T>
void plain(const tokens<T>& of, std::span<T> scores, std::vector<T>& x, std::vector<T>& y) {
  const auto normalised = [](const std::vector<T>& from, std::vector<T>& to) {
    to.resize(from.size());
    for (std::size_t i = 0; i < from.size(); i += dimension) {
      T square{0};
      for (std::size_t k = 0; k < dimension; ++k) square += from[i + k] * from[i + k];
      const T inverse = T{1} / std::sqrt(square);
      for (std::size_t k = 0; k < dimension; ++k) to[i + k] = from[i + k] * inverse;
    }
  };
  normalised(of.x, x);
  normalised(of.y, y);
  for (std::size_t q = 0; q < queries; ++q)
    for (std::size_t d = 0; d < documents; ++d) {
      T score{0};
      for (std::size_t i = q * query_length; i < (q + 1) * query_length; ++i) {
        T best{-2};
        for (std::size_t j = d * document_length; j < (d + 1) * document_length; ++j) {
          std::array<T, 16> sums{};
          for (std::size_t k = 0; k < dimension; k += 16)
            for (std::size_t l = 0; l < 16; ++l)
              sums[l] += x[i * dimension + k + l] * y[j * dimension + k + l];
          T dot{0};
          for (const T part : sums) dot += part;
          best = std::max(best, dot);
        }
        score += best;
      }
      scores[q * documents + d] = score;
    }
}

template <class T>
void yardstick(benchmark::State& state) {
  std::vector<T> scores(queries * documents), found(scores.size()), x, y;
  plain<T>(batches<T>().front(), scores, x, y);
  rankloss::late_interaction<T>(batches<T>().front().batch(), found);
  if (!agree<T>(0.0, 0.0, found, scores)) return state.SkipWithError(disagreement);
  measure(state, batches<T>(), queries * query_length * documents * document_length,
          [&](const tokens<T>& of) {
            plain<T>(of, scores, x, y);
            return scores[0];
          });
  count(state);
}

template <class T>
void add_type() {
  const std::string size = "32x32_256x180_128";
  add<T>("late_interaction", size, "value", [](benchmark::State& state) { run<T>(state, kind::scores); });
  add<T>("late_interaction", size, "best",
         [](benchmark::State& state) { run<T>(state, kind::scores_and_best); });
  add<T>("late_interaction", size, "pullback",
         [](benchmark::State& state) { run<T>(state, kind::pullback); });
  add<T>("late_interaction", size, "pullback_without_best",
         [](benchmark::State& state) { run<T>(state, kind::pullback_alone); });
  add<T>("late_interaction_plain", size, "value", [](benchmark::State& state) { yardstick<T>(state); });
}

}  // namespace

void add_all() {
  add_type<float>();
  add_type<double>();
}

}  // namespace bench::late_interaction
