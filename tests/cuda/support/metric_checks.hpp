// SPDX-License-Identifier: BSL-1.0
#pragma once

// What metrics are held to besides the promises of lists.

#include "cuda/support/list_checks.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <limits>

namespace cuda_support {

/// A metric with several cutoffs, and others with options of their own, are those of the CPU where scores tie,
/// where they are infinite, and with weights of any size.
template <class Metric, class T = double, class R = double>
void agrees_with_ties(std::initializer_list<Metric> others = {}) {
  const stream own;
  rankloss::cuda::context ctx(own);
  auto in = lists_of_lengths<T, R>({1, 7, 20, 70, 300}, 3);
  const auto all_agree = [&] {
    for (const std::size_t cutoff : {0, 1, 3, 10, 1000}) {
      Metric metric{};
      metric.cutoff = cutoff;
      INFO("cutoff " << cutoff);
      agrees(metric, in, ctx);
    }
    for (const Metric& other : others) agrees(other, in, ctx);
  };
  for (T& score : in.scores) score = std::round(T{2} * score);
  all_agree();
  constexpr T infinity = std::numeric_limits<T>::infinity();
  in.scores[5] = in.scores[40] = infinity;
  in.scores[30] = in.scores[31] = -infinity;
  all_agree();
  for (const double size : {1e-200, 1.0, 1e200}) {
    in.item_weights.clear();
    for (std::size_t i = 0; i < in.scores.size(); ++i)
      in.item_weights.push_back(size * static_cast<double>(i % 3));
    INFO("size " << size);
    all_agree();
  }
  for (std::size_t i = 0; i < in.scores.size(); ++i)
    in.item_weights[i] = i % 4 == 0 ? 0.0 : std::pow(10.0, static_cast<double>(i * 7 % 121) - 60.0);
  INFO("weights of all sizes");
  all_agree();
}

/// The same of lists that the whole grid computes: runs of equal scores reach over many tiles.
template <class Metric>
void agrees_with_ties_in_long_lists(std::initializer_list<Metric> metrics) {
  const stream own;
  rankloss::cuda::context ctx(own);
  auto in = lists_of_lengths<double, double>({10000, 5000}, 3);
  for (std::size_t i = 0; i < in.scores.size(); ++i)
    in.scores[i] = i % 3 == 0 ? -std::numeric_limits<double>::infinity() : std::round(in.scores[i]);
  for (const Metric& metric : metrics) agrees(metric, in, ctx);
  for (std::size_t i = 0; i < in.scores.size(); ++i)
    in.item_weights.push_back(1e200 * static_cast<double>(i % 3));
  agrees(*metrics.begin(), in, ctx);
}

/// A metric of lists in their ideal order is 1, without any rounding.
template <class Metric>
void is_one_in_ideal_order() {
  const stream own;
  rankloss::cuda::context ctx(own);
  for (const std::size_t size : {1, 3, 70, 300, 5000}) {
    host_lists<float, int> in;
    for (std::size_t i = 0; i < size; ++i) {
      in.scores.push_back(-static_cast<float>(i));
      in.relevance.push_back(static_cast<int>(4 - 4 * i / size));
      in.item_weights.push_back(1.0 / 3.0);
    }
    CHECK(on_device(Metric{}, in, ctx).value == 1.0);
  }
}

}  // namespace cuda_support
