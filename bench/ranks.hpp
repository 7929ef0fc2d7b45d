// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "support.hpp"

#include <rankloss/batch.hpp>
#include <rankloss/workspace.hpp>

#include <benchmark/benchmark.h>

#include <cstddef>
#include <string>
#include <vector>

namespace bench {

/// Ranks of `count` lists, one after the other, and with `gradient` the product of each Jacobian with a
/// vector.
template <class T, class Ranks>
void ranks(benchmark::State& state, const Ranks& how, std::size_t count, std::size_t n, wanted what) {
  rankloss::workspace scratch;
  std::vector<double> gradient(n);
  const std::vector<double> cotangent(lists<double>(n).front().scores);
  measure(state, lists<T>(count * n), count * n, [&](const list_data<T>& all) {
    double last = 0.0;
    for (std::size_t l = 0; l < count; ++l) {
      const rankloss::workspace::scope scope(scratch);
      auto soft = how(rankloss::strided<const T>(all.scores.data() + l * n, n), scratch);
      if (what == wanted::gradient) soft.pullback(cotangent, gradient);
      last += soft.values()[0];
    }
    benchmark::DoNotOptimize(gradient.data());
    return last;
  });
}

/// The lengths that all ranks are measured at.
template <class T, class Ranks>
void add_ranks(const std::string& name, const Ranks& how) {
  for (const wanted what : both_wanted) {
    for (const std::size_t n : {128, 100000, 1000000})
      add<T>(name, std::to_string(n), to_string(what),
             [=](benchmark::State& state) { ranks<T>(state, how, 1, n, what); });
    add<T>(name, "64x128", to_string(what),
           [=](benchmark::State& state) { ranks<T>(state, how, 64, 128, what); });
  }
}

}  // namespace bench
