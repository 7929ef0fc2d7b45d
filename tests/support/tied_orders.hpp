// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <random>
#include <vector>

namespace support {

/// Mean of measure(order) over every order of items in which no score follows a smaller one: what a metric is
/// expected to be when equal scores are shuffled. order[p] is the item at position p. Goes through all
/// permutations: for short lists.
template <class T, class Measure>
double mean_over_tied_orders(const std::vector<T>& scores, Measure measure) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  double sum = 0.0;
  double count = 0.0;
  do {
    if (!std::is_sorted(order.begin(), order.end(),
                        [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; }))
      continue;
    sum += measure(order);
    count += 1.0;
  } while (std::next_permutation(order.begin(), order.end()));
  return sum / count;
}

/// Whole numbers in [0, below), the same on every machine.
template <class T>
std::vector<T> whole_numbers(std::mt19937_64& random, std::size_t count, unsigned below) {
  std::vector<T> out(count);
  for (T& x : out) x = static_cast<T>(random() % below);
  return out;
}

/// Numbers spread evenly over [-1, 1), the same on every machine.
template <class T>
std::vector<T> numbers(std::mt19937_64& random, std::size_t count) {
  std::vector<T> out(count);
  for (T& x : out) x = static_cast<T>(static_cast<double>(random() >> 11) * 0x1p-52 - 1.0);
  return out;
}

}  // namespace support
