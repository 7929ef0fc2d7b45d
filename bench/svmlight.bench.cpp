// SPDX-License-Identifier: BSL-1.0
#include <rankloss/data/svmlight.hpp>

#include "support.hpp"

#include <benchmark/benchmark.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <random>
#include <string>

namespace bench::svmlight {

namespace {

/// What LETOR files look like: 46 features of six decimals, many of them 0, some 20 items a query, the
/// document's name behind them.
std::string letor_text(std::size_t bytes) {
  std::mt19937_64 random(bytes);
  std::uniform_real_distribution<double> value(0.0, 1.0);
  std::string text;
  text.reserve(bytes + 1024);
  std::array<char, 64> part{};
  const auto add = [&](const char* form, auto... values) {
    text.append(part.data(),
                static_cast<std::size_t>(std::snprintf(part.data(), part.size(), form, values...)));
  };
  for (std::size_t item = 0; text.size() < bytes; ++item) {
    add("%d qid:%d", static_cast<int>(random() % 3), static_cast<int>(10000 + item / 20));
    for (int feature = 1; feature <= 46; ++feature)
      add(" %d:%.6f", feature, random() % 4 == 0 ? 0.0 : value(random));
    add(" #docid = GX%03d-%02d-%07d\n", static_cast<int>(random() % 300), static_cast<int>(random() % 100),
        static_cast<int>(random() % 10000000));
  }
  return text;
}

void parse(benchmark::State& state, rankloss::svmlight_form form) {
  const std::string text = letor_text(10'000'000);
  while (state.KeepRunning()) {
    const rankloss::svmlight_data data = rankloss::parse_svmlight(text, {.form = form});
    benchmark::DoNotOptimize(data.features.data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}

void add_form(const char* name, rankloss::svmlight_form form) {
  benchmark::RegisterBenchmark(name, [=](benchmark::State& state) {
    parse(state, form);
  })->Unit(benchmark::kMicrosecond);
}

}  // namespace

void add_all() {
  add_form("svmlight/dense/10MB", rankloss::svmlight_form::dense);
  add_form("svmlight/sparse/10MB", rankloss::svmlight_form::sparse);
}

}  // namespace bench::svmlight
