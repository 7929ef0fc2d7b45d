// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/band/neural_band.hpp>
#include <rankloss/workspace.hpp>

#include "lay_lists.hpp"
#include "listwise_reference.hpp"
#include "tied_orders.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <random>
#include <span>
#include <vector>

namespace support {

using reference::real;
using matrix = std::vector<std::vector<real>>;

/// NeuralSort's logits of falling scores, as in neural_band.
inline matrix logits(const std::vector<double>& x, double t) {
  const std::size_t n = x.size();
  matrix l(n, std::vector<real>(n));
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      real distance = 0;
      for (const double s : x) distance += std::abs(real(x[j]) - real(s));
      l[i][j] = ((real(n) - 1 - 2 * real(i)) * real(x[j]) - distance) / t;
    }
  return l;
}

inline std::vector<double> falling(std::mt19937_64& random, std::size_t n) {
  std::vector<double> x = numbers<double>(random, n);
  for (double& s : x) s = static_cast<float>(2.0 * s);
  if (n > 3) x[1] = x[2];
  std::sort(x.begin(), x.end(), std::greater<>());
  return x;
}

/// Lists, one over all lanes or one a lane, and their bands, whose row sums are known. Arrays are by slot:
/// [lane][row], or the sorted order of the one list.
template <class T>
struct bands {
  rankloss::workspace scratch;
  rankloss::detail::neural_band<xsimd::default_arch, T> band;
  std::size_t slots = 0;

  bands(const std::vector<std::vector<double>>& lists, bool one_list, double t) {
    if (one_list) {
      const std::vector<T> x(lists[0].begin(), lists[0].end());
      slots = x.size();
      band = rankloss::detail::neural_band<xsimd::default_arch, T>(std::span<const T>(x), t, scratch);
    } else {
      const auto group = lay_lists<xsimd::default_arch>(lists, scratch);
      slots = group.rows.items;
      band = rankloss::detail::neural_band<xsimd::default_arch, T>(group, t, scratch);
    }
    const std::span<double> ones = band.take(), out = band.take();
    std::fill(ones.begin(), ones.end(), 1.0);
    band.apply(ones, out);  // for the row sums
  }
  std::span<double> load(const std::vector<double>& by_slot) {
    const std::span<double> to = band.take();
    band.load(by_slot, to);
    return to;
  }
  std::vector<double> store(std::span<const double> from) {
    std::vector<double> by_slot(slots, 0.0);
    band.store(from, by_slot);
    return by_slot;
  }
};

}  // namespace support
