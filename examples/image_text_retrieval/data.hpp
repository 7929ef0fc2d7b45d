// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/context.hpp>
#include "../support/pairs.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace retrieval {

using examples::matrix;
using examples::row_vector;

/// One person's or several people's verdict on an image and a caption, 0 (unrelated) to 3 (describes it).
struct judgement {
  std::size_t image;
  std::size_t caption;
  float grade;
};

/// Images with their captions, and where there are no categories, people's grades of some pairs.
struct pairs : examples::pairs {
  matrix<float> sentences{};  ///< none, or vectors of the captions to compute RSC from: [captions, any]
  std::vector<judgement> judged{};

  /// The given images with their captions and what is known of both.
  [[nodiscard]] pairs take(const std::vector<std::size_t>& chosen) const;
};

/// For each query the candidates whose relevance is known, and that relevance.
struct graded_lists {
  std::vector<std::size_t> queries;
  std::vector<std::int64_t> offsets{0};  ///< [queries + 1]
  std::vector<std::size_t> candidates;
  std::vector<float> grades;
};

struct graded_relevance {
  graded_lists captions_of_image;
  graded_lists images_of_caption;
};

[[nodiscard]] graded_relevance grade(const pairs& set);

struct dataset {
  std::string name;
  std::string grades;  ///< what the graded relevance is, in a few words
  pairs train;
  pairs test;
};

/// The set found in `folder`: Flickr8k on CLIP features in it or in its flickr8k_clip, else the emoji set in it or in its emoji.
/// @throws std::runtime_error naming the file and what was expected.
[[nodiscard]] dataset load(const std::filesystem::path& folder);

/// Vectors of the captions of `set`, one a row in their order, float32 or int8, of any length: see
/// sentence_vectors.py.
/// @throws std::runtime_error naming the file and what was expected.
[[nodiscard]] matrix<float> read_sentences(const std::filesystem::path& path, const pairs& set);

/// The relevance of each caption for each image, [images, captions], by rankloss::relevance_scores: from the
/// sentences if there are any, else from the captions' features.
[[nodiscard]] std::vector<float> caption_relevance(const pairs& set, rankloss::context& context);

/// Whether `load` would find one there.
[[nodiscard]] bool has_set(const std::filesystem::path& folder);

/// Splits the training images: `train` keeps the rest, `test` is the share held out; the real test images are gone. For choosing options.
[[nodiscard]] dataset hold_out(const dataset& data, double share, std::uint64_t seed);

}  // namespace retrieval
