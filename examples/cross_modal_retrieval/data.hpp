// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../support/pairs.hpp"

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace cross_modal {

using examples::matrix;

/// Images with their texts. Without categories only an image's own texts are relevant to it.
struct documents : examples::pairs {
  matrix<float> topics{};  ///< [images, topics] or empty: unit vectors that grade images of one category

  [[nodiscard]] documents take(const std::vector<std::size_t>& chosen) const;

  /// How relevant the texts of document b are to the image of document a, and the reverse: 0 or more.
  [[nodiscard]] float relevance(std::size_t a, std::size_t b) const;

  /// `relevance` of each image and each text, [images, captions].
  [[nodiscard]] std::vector<float> grades() const;

  /// [images] the same number where documents are relevant to each other.
  [[nodiscard]] std::vector<std::size_t> classes() const;
};

struct dataset {
  std::string name;
  std::string grades;  ///< what the relevance is, in a few words
  documents train;
  documents test;
};

/// The names that `load` knows.
[[nodiscard]] std::vector<std::string> known_sets();

/// Those of them that are in the folder.
[[nodiscard]] std::vector<std::string> sets_in(const std::filesystem::path& folder);

/// A set by its name. `topics` grades the documents of a category of Wikipedia by their LDA topics.
/// @throws std::runtime_error naming the file and what was expected.
[[nodiscard]] dataset load(const std::filesystem::path& folder, const std::string& set, bool topics);

}  // namespace cross_modal
