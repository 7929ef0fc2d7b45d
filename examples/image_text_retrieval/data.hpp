// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/context.hpp>

#include <Eigen/Core>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace retrieval {

template <class T>
using matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <class T>
using row_vector = Eigen::Matrix<T, 1, Eigen::Dynamic>;

/// One person's or several people's verdict on an image and a caption, 0 (unrelated) to 3 (describes it).
struct judgement {
  std::size_t image;
  std::size_t caption;
  float grade;
};

/// Images with their captions: caption c belongs to image c / captions_per_image.
struct pairs {
  matrix<float> images;     ///< [images, image features]
  matrix<float> captions;   ///< [images * captions_per_image, text features]
  matrix<float> sentences;  ///< none, or vectors of the captions to compute RSC from: [rows of captions, any]
  std::size_t captions_per_image = 1;

  std::vector<int> categories;     ///< [images] graded relevance: the same category counts 1 ...
  std::vector<int> subcategories;  ///< [images] ... the same subcategory 2, the same image 3
  std::vector<judgement> judged;   ///< or, where there are no categories, people's grades of some pairs

  [[nodiscard]] std::size_t image_count() const { return static_cast<std::size_t>(images.rows()); }
  [[nodiscard]] std::size_t caption_count() const { return static_cast<std::size_t>(captions.rows()); }
  [[nodiscard]] std::size_t image_of(std::size_t caption) const { return caption / captions_per_image; }

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
