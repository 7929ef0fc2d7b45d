// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../support/lists.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace label_ranker {

using examples::index;
using examples::lists;
using examples::matrix;
using examples::vector;

/// A task of transfer: labels (or documents) to be ranked in two domains, with grades in the source and a few pairs in the target.
struct transfer {
  std::string name;
  std::string about;          ///< where it is from, in a few words
  std::string split;          ///< what source and target are
  lists source{};             ///< all grades may be looked at
  lists source_validation{};  ///< of the source: the base model stops by them
  lists target{};             ///< of whose pairs a budget is known; its grades are looked at by nothing else
  lists target_validation{};  ///< by which every choice is made
  lists target_test{};        ///< measured once
  std::vector<float>
      truth{};  ///< [items of target_test] of made data: scores that no model can beat; else empty
};

/// The sets that `load` knows: movie_tags, mslr_mq2008, and the partial label rankings glass, libras, satimage, segment, vehicle, vowel, yeast.
[[nodiscard]] std::vector<std::string> known_sets();
/// Those of them that are in `folder`.
[[nodiscard]] std::vector<std::string> sets_in(const std::filesystem::path& folder);

/// @throws std::runtime_error naming the file, the line and what was expected.
[[nodiscard]] transfer load(const std::filesystem::path& folder, const std::string& set);

/// Label rankings made from a seed: how relevant a label is for a sample is known, and not quite the same in both domains.
[[nodiscard]] transfer make(std::uint64_t seed);

/// The chosen lists.
[[nodiscard]] lists chosen_of(const lists& from, std::span<const std::size_t> which);

}  // namespace label_ranker
