// SPDX-License-Identifier: BSL-1.0
#include <rankloss/cmpc.hpp>

#include "support.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace bench::cmpc {
namespace {

constexpr std::size_t pairs = 128;
constexpr std::size_t classes = 10000;
constexpr std::size_t dimension = 256;

template <class T>
struct embeddings {
  explicit embeddings(std::mt19937_64& random)
      : x(pairs * dimension), y(pairs * dimension), w(classes * dimension), labels(pairs) {
    std::normal_distribution<double> component;
    for (std::vector<T>* all : {&x, &y, &w})
      for (T& c : *all) c = static_cast<T>(component(random));
    for (int& label : labels) label = static_cast<int>(random() % classes);
  }
  [[nodiscard]] rankloss::cmpc_batch<T> batch() const {
    return {.x = x, .y = y, .class_weights = w, .labels = labels, .dimension = dimension};
  }

  std::vector<T> x, y, w;
  std::vector<int> labels;
};

template <class T>
const std::vector<embeddings<T>>& batches() {
  static const std::vector<embeddings<T>> pool = [] {
    std::mt19937_64 random(1);
    std::vector<embeddings<T>> some;
    for (int k = 0; k < 3; ++k) some.emplace_back(random);
    return some;
  }();
  return pool;
}

template <class T>
void run(benchmark::State& state, wanted what) {
  const bool gradient = what == wanted::gradient;
  rankloss::context context;
  std::vector<T> dx(gradient ? pairs * dimension : 0), dy(dx.size()), dw(gradient ? classes * dimension : 0);
  measure(state, batches<T>(), pairs * classes, [&](const embeddings<T>& of) {
    return rankloss::evaluate(rankloss::cmpc{}, of.batch(), {.x = dx, .y = dy, .class_weights = dw}, context);
  });
  // Two directions; one product for the value, three more for the gradients.
  state.counters["GFLOP/s"] =
      benchmark::Counter(2e-9 * 2 * (gradient ? 4 : 1) * static_cast<double>(pairs * classes * dimension) *
                             static_cast<double>(state.iterations()),
                         benchmark::Counter::kIsRate);
}

/// The yardstick: the value alone, class by class, with the sums of a product in 16 lanes for the compiler to
/// vectorise.
template <class T>
double plain(const embeddings<T>& of, std::vector<T>& logits) {
  const auto dot = [](const T* a, const T* b) {
    T lanes[16] = {};
    for (std::size_t k = 0; k < dimension; k += 16)
      for (std::size_t l = 0; l < 16; ++l) lanes[l] += a[k + l] * b[k + l];
    T sum{0};
    for (const T part : lanes) sum += part;
    return sum;
  };
  std::vector<T> inverse(classes);
  for (std::size_t c = 0; c < classes; ++c) {
    const T* w = of.w.data() + c * dimension;
    inverse[c] = T{1} / std::sqrt(dot(w, w));
  }
  logits.resize(classes);
  double value = 0.0;
  for (std::size_t i = 0; i < pairs; ++i)
    for (const bool projects_x : {true, false}) {
      const T* v = (projects_x ? of.x : of.y).data() + i * dimension;
      const T* onto = (projects_x ? of.y : of.x).data() + i * dimension;
      const T factor = dot(v, onto) / dot(onto, onto);
      double sum = 0.0;
      for (std::size_t c = 0; c < classes; ++c)
        logits[c] = factor * inverse[c] * dot(onto, of.w.data() + c * dimension);
      const T most = *std::max_element(logits.begin(), logits.end());
      for (const T l : logits) sum += static_cast<double>(std::exp(l - most));
      value += static_cast<double>(most) + std::log(sum) -
               static_cast<double>(logits[static_cast<std::size_t>(of.labels[i])]);
    }
  return value / (2 * pairs);
}

template <class T>
void yardstick(benchmark::State& state) {
  std::vector<T> logits;
  const embeddings<T>& first = batches<T>().front();
  const double value = rankloss::evaluate(rankloss::cmpc{}, first.batch());
  if (!agree<T>(value, plain<T>(first, logits), {}, {})) return state.SkipWithError(disagreement);
  measure(state, batches<T>(), pairs * classes,
          [&](const embeddings<T>& of) { return plain<T>(of, logits); });
}

template <class T>
void add_type() {
  for (const wanted what : both_wanted)
    add<T>("cmpc", "128x10000_256", to_string(what),
           [what](benchmark::State& state) { run<T>(state, what); });
  add<T>("cmpc_plain", "128x10000_256", "value", [](benchmark::State& state) { yardstick<T>(state); });
}

}  // namespace

void add_all() {
  add_type<float>();
  add_type<double>();
}

}  // namespace bench::cmpc
