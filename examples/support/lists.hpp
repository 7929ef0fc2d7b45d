// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/evaluate.hpp>
#include "net.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace examples {

/// Lists of items: list q is the items offsets[q] to offsets[q + 1].
struct lists {
  matrix<float> features;     ///< [items, features]
  std::vector<float> grades;  ///< [items] >= 0
  std::vector<std::size_t> offsets{0};

  [[nodiscard]] std::size_t count() const { return offsets.size() - 1; }
  [[nodiscard]] std::size_t items() const { return grades.size(); }
  [[nodiscard]] bool has_relevance(std::size_t list) const;

  /// The chosen lists, in that order.
  void take(const lists& from, std::span<const std::size_t> chosen);

  /// As losses and metrics take them; lists in which nothing is relevant are left out of the mean.
  [[nodiscard]] rankloss::list_batch<float> with(const vector<float>& scores) const {
    return {.scores = {scores.data(), static_cast<std::size_t>(scores.size())},
            .relevance = grades,
            .offsets = offsets,
            .reduction = rankloss::reduction::mean_of_relevant};
  }
};

inline bool lists::has_relevance(std::size_t list) const {
  return std::any_of(grades.begin() + static_cast<std::ptrdiff_t>(offsets[list]),
                     grades.begin() + static_cast<std::ptrdiff_t>(offsets[list + 1]),
                     [](float y) { return y > 0.0F; });
}

inline void lists::take(const lists& from, std::span<const std::size_t> chosen) {
  std::size_t total = 0;
  for (const std::size_t q : chosen) total += from.offsets[q + 1] - from.offsets[q];
  features.resize(static_cast<Eigen::Index>(total), from.features.cols());
  grades.clear();
  offsets.assign(1, 0);
  for (const std::size_t q : chosen) {
    const std::size_t first = from.offsets[q];
    const std::size_t size = from.offsets[q + 1] - first;
    features.middleRows(static_cast<Eigen::Index>(offsets.back()), static_cast<Eigen::Index>(size)) =
        from.features.middleRows(static_cast<Eigen::Index>(first), static_cast<Eigen::Index>(size));
    grades.insert(grades.end(), from.grades.begin() + static_cast<std::ptrdiff_t>(first),
                  from.grades.begin() + static_cast<std::ptrdiff_t>(first + size));
    offsets.push_back(offsets.back() + size);
  }
}

/// Brings each feature of each list to mean 0 and deviation 1, by the items of that list alone; where all are equal, to 0.
inline void standardise(lists& set) {
  for (std::size_t q = 0; q < set.count(); ++q) {
    const std::size_t size = set.offsets[q + 1] - set.offsets[q];
    for (Eigen::Index f = 0; f < set.features.cols(); ++f) {
      auto column = set.features.col(f).segment(static_cast<Eigen::Index>(set.offsets[q]),
                                                static_cast<Eigen::Index>(size));
      double sum = 0.0;
      for (const float x : column) sum += static_cast<double>(x);
      const double mean = sum / static_cast<double>(size);
      double squares = 0.0;
      for (const float x : column)
        squares += (static_cast<double>(x) - mean) * (static_cast<double>(x) - mean);
      const double deviation = std::sqrt(squares / static_cast<double>(size));
      // Below that they differ by the rounding of the mean.
      const double scale = deviation > 1e-6 * (1e-6 + std::abs(mean)) ? 1.0 / deviation : 0.0;
      for (float& x : column) x = static_cast<float>(scale * (static_cast<double>(x) - mean));
    }
  }
}

/// What each metric says of each list.
template <class... Metrics>
[[nodiscard]] std::vector<std::array<double, sizeof...(Metrics)>> measure_each(const lists& set,
                                                                               const vector<float>& scores,
                                                                               rankloss::context& context,
                                                                               const Metrics&... metrics) {
  std::vector<std::array<double, sizeof...(Metrics)>> all(set.count());
  std::vector<double> per_list(set.count());
  std::size_t column = 0;
  const auto fill = [&](const auto& metric) {
    (void)rankloss::evaluate(metric, set.with(scores), {.per_list = per_list}, context);
    for (std::size_t q = 0; q < all.size(); ++q) all[q][column] = per_list[q];
    ++column;
  };
  (fill(metrics), ...);
  return all;
}

}  // namespace examples
