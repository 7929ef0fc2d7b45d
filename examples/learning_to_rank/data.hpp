// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <Eigen/Core>

#include <rankloss/batch.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace ranker {

template <class T>
using matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <class T>
using vector = Eigen::Matrix<T, Eigen::Dynamic, 1>;

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

/// Brings each feature of each list to mean 0 and deviation 1, by the items of that list alone; where all are equal, to 0.
void standardise(lists& set);

/// A set in five parts, of which each fold trains on three.
struct dataset {
  std::string name;
  std::string about;  ///< where it is from, in a few words
  std::vector<lists> parts;
};

/// Fold f trains on the parts f, f + 1 and f + 2, stops by part f + 3 and is measured on part f + 4, counted round.
struct fold {
  lists train;  ///< only lists in which something is relevant: the others teach nothing
  lists validation;
  lists test;
};
[[nodiscard]] fold make_fold(const dataset& data, std::size_t number);

/// mq2008/S1.txt to S5.txt or clueweb09/part1.txt to part5.txt in `folder`, standardised.
/// @throws std::runtime_error naming the file, the line and what was expected.
[[nodiscard]] dataset load(const std::filesystem::path& folder, const std::string& set);

/// The sets that `load` knows and that are in `folder`.
[[nodiscard]] std::vector<std::string> sets_in(const std::filesystem::path& folder);

/// Lists made from a seed: grades 0 to 4 by a nonlinear function of some of the features, with noise. Standardised as well.
[[nodiscard]] dataset make(std::uint64_t seed);

}  // namespace ranker
