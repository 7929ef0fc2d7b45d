// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../support/lists.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace ranker {

using examples::index;
using examples::lists;
using examples::matrix;
using examples::standardise;
using examples::vector;

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
