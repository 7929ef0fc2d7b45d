// SPDX-License-Identifier: BSL-1.0
#pragma once

// The losses of lists, and lists for them. Which losses there are stands in lists.cpp, so that a file that
// includes this does not compile them.

#include "any_loss.hpp"
#include "calls.hpp"
#include "data.hpp"

#include <algorithm>
#include <cstddef>
#include <random>
#include <vector>

namespace promises {

using list_loss = any_loss<rankloss::list_batch<float>, rankloss::list_batch<double>>;

/// Every loss of lists that keeps the promises, with options that change what it computes.
const std::vector<list_loss>& list_losses();

/// A ragged batch; float and double hold the same numbers.
template <class T>
struct lists {
  std::vector<T> scores, relevance;
  std::vector<std::size_t> offsets{0};
  std::vector<double> list_weights, item_weights;
  std::mt19937_64 random;

  explicit lists(unsigned seed) : random(seed) {}

  void add(std::size_t n, kind k = kind::distinct) {
    const auto s = scores_of<T>(random, n, k);
    auto y = grades_of<T>(random, n);
    if (k == kind::same_grade || k == kind::irrelevant)
      std::fill(y.begin(), y.end(), k == kind::same_grade ? T{2} : T{0});
    scores.insert(scores.end(), s.begin(), s.end());
    relevance.insert(relevance.end(), y.begin(), y.end());
    offsets.push_back(scores.size());
    list_weights.push_back(static_cast<double>(random() % 4) * 0.75);
    for (std::size_t i = 0; i < n; ++i) item_weights.push_back(static_cast<double>(random() % 5) * 0.5);
  }
  [[nodiscard]] std::size_t count() const { return offsets.size() - 1; }
  [[nodiscard]] std::size_t size(std::size_t l) const { return offsets[l + 1] - offsets[l]; }
  [[nodiscard]] rankloss::list_batch<T> batch(rankloss::reduction how = rankloss::reduction::mean) const {
    return {.scores = scores, .relevance = relevance, .offsets = offsets, .reduction = how};
  }
  [[nodiscard]] rankloss::list_batch<T> weighted(rankloss::reduction how) const {
    auto b = batch(how);
    b.list_weights = list_weights;
    b.item_weights = item_weights;
    return b;
  }
  /// The part of an array that belongs to a list.
  template <class X>
  [[nodiscard]] std::vector<X> of(std::size_t l, const std::vector<X>& values) const {
    return {values.begin() + static_cast<std::ptrdiff_t>(offsets[l]),
            values.begin() + static_cast<std::ptrdiff_t>(offsets[l + 1])};
  }
};

/// Lists without an item, with one and with a few; with `ties` those whose scores are equal, too.
template <class T>
lists<T> short_lists(bool ties) {
  lists<T> data(1);
  for (const std::size_t n : {0u, 1u, 2u, 5u, 17u, 3u, 0u}) data.add(n);
  data.add(6, kind::same_grade);
  data.add(7, kind::irrelevant);
  if (ties) {
    data.add(2, kind::level);
    data.add(8, kind::level);
    data.add(10, kind::tied);
    data.add(12, kind::clusters);
  }
  return data;
}

/// Every length that some loss treats in its own way: in lanes, in lanes with others of other lengths, alone.
template <class T>
lists<T> all_lists() {
  lists<T> data = short_lists<T>(true);
  for (int i = 0; i < 9; ++i) data.add(128);
  for (const std::size_t n : {33u, 64u, 100u, 128u, 256u, 257u}) data.add(n, kind::tied);
  for (const kind k : {kind::distinct, kind::tied, kind::clusters}) {
    data.add(300, k);
    data.add(700, k);
  }
  data.add(300, kind::same_grade);
  data.add(300, kind::irrelevant);
  data.add(128, kind::irrelevant);
  return data;
}

// Compiled once, in lists.cpp.
extern template struct lists<float>;
extern template struct lists<double>;
extern template lists<float> short_lists<float>(bool);
extern template lists<double> short_lists<double>(bool);
extern template lists<float> all_lists<float>();
extern template lists<double> all_lists<double>();
extern template result<float> run<list_loss, rankloss::list_batch<float>>(const list_loss&,
                                                                          const rankloss::list_batch<float>&,
                                                                          wanted, rankloss::context&, double);
extern template result<double> run<list_loss, rankloss::list_batch<double>>(
    const list_loss&, const rankloss::list_batch<double>&, wanted, rankloss::context&, double);

}  // namespace promises
