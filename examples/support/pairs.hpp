// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/random.hpp>
#include "csv.hpp"
#include "matrix.hpp"
#include "npy.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace examples {

/// Images with their captions: caption c belongs to image c / captions_per_image.
struct pairs {
  matrix<float> images;    ///< [images, image features]
  matrix<float> captions;  ///< [images * captions_per_image, text features]
  std::size_t captions_per_image = 1;

  std::vector<int> categories;     ///< [images] or empty: graded relevance, the same category counts 1 ...
  std::vector<int> subcategories;  ///< [images] or empty: ... the same subcategory 2, the same image 3

  [[nodiscard]] std::size_t image_count() const { return static_cast<std::size_t>(images.rows()); }
  [[nodiscard]] std::size_t caption_count() const { return static_cast<std::size_t>(captions.rows()); }
  [[nodiscard]] std::size_t image_of(std::size_t caption) const { return caption / captions_per_image; }

  /// The given images with their captions and what is known of both.
  [[nodiscard]] pairs take(const std::vector<std::size_t>& chosen) const;
};

inline pairs pairs::take(const std::vector<std::size_t>& chosen) const {
  const std::size_t c = captions_per_image;
  pairs part;
  part.captions_per_image = c;
  part.images.resize(index(chosen.size()), images.cols());
  part.captions.resize(index(chosen.size() * c), captions.cols());
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    part.images.row(index(i)) = images.row(index(chosen[i]));
    part.captions.middleRows(index(i * c), index(c)) = captions.middleRows(index(chosen[i] * c), index(c));
    if (!categories.empty()) part.categories.push_back(categories[chosen[i]]);
    if (!subcategories.empty()) part.subcategories.push_back(subcategories[chosen[i]]);
  }
  return part;
}

/// Splits images into those left and the share that is held out, for choosing options.
template <class Pairs>
[[nodiscard]] std::pair<Pairs, Pairs> hold_out(const Pairs& set, double share, std::uint64_t seed) {
  constexpr std::uint64_t stream = 1;
  std::vector<std::size_t> images(set.image_count());
  std::iota(images.begin(), images.end(), std::size_t{0});
  rankloss::random_stream(seed, stream).shuffle(images);
  const auto held = static_cast<std::size_t>(std::lround(share * static_cast<double>(images.size())));
  if (held == 0 || held == images.size()) throw std::runtime_error("--hold-out: leaves no image on one side");
  std::vector<std::size_t> rest(images.begin() + static_cast<std::ptrdiff_t>(held), images.end());
  images.resize(held);
  std::sort(images.begin(), images.end());
  std::sort(rest.begin(), rest.end());
  return {set.take(rest), set.take(images)};
}

/// A matrix of finite numbers from what a .npy file holds.
/// @throws std::runtime_error naming the file and what was expected.
inline matrix<float> to_features(const std::filesystem::path& path, const npy_array<float>& array) {
  const auto fail = [&](const std::string& what) { throw std::runtime_error(path.string() + ": " + what); };
  if (array.shape.size() != 2)
    fail("has " + std::to_string(array.shape.size()) + " dimensions, expected 2 (rows, features)");
  const std::size_t columns = array.shape[1];
  if (array.values.empty()) fail("is empty, expected at least one row of features");
  const auto bad =
      std::find_if(array.values.begin(), array.values.end(), [](float x) { return !std::isfinite(x); });
  if (bad != array.values.end()) {
    const auto at = static_cast<std::size_t>(bad - array.values.begin());
    fail("row " + std::to_string(at / columns) + ", column " + std::to_string(at % columns) +
         " is not a finite number");
  }
  return Eigen::Map<const matrix<float>>(array.values.data(), static_cast<Eigen::Index>(array.shape[0]),
                                         static_cast<Eigen::Index>(columns));
}

inline matrix<float> read_features(const std::filesystem::path& path) {
  return to_features(path, read_npy<float>(path));
}

inline pairs read_pairs(const std::filesystem::path& images, const std::filesystem::path& captions) {
  pairs set;
  set.images = read_features(images);
  set.captions = read_features(captions);
  if (set.caption_count() % set.image_count() != 0)
    throw std::runtime_error(captions.string() + ": " + std::to_string(set.caption_count()) +
                             " rows, expected a multiple of the " + std::to_string(set.image_count()) +
                             " rows of " + images.filename().string());
  set.captions_per_image = set.caption_count() / set.image_count();
  return set;
}

inline void check_same_width(const matrix<float>& train, const matrix<float>& test,
                             const std::filesystem::path& test_path) {
  if (train.cols() != test.cols())
    throw std::runtime_error(test_path.string() + ": " + std::to_string(test.cols()) + " columns, expected " +
                             std::to_string(train.cols()) + " as in the training file");
}

struct split {
  pairs train;
  pairs test;
};

/// `folder` or the one of that name in it, whichever holds the file; else empty.
inline std::filesystem::path find_in(const std::filesystem::path& folder, const char* name,
                                     const char* file) {
  for (const std::filesystem::path& found : {folder, folder / name})
    if (std::filesystem::exists(found / file)) return found;
  return {};
}

/// The emoji set lies where a program was built from, or beside the program.
inline std::filesystem::path data_beside_program(const std::filesystem::path& source) {
  if (std::filesystem::exists(source)) return source;
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / "data";
}

/// Flickr8k on CLIP features, without people's grades.
inline split read_flickr8k(const std::filesystem::path& folder) {
  split data{read_pairs(folder / "train_images.npy", folder / "train_captions.npy"),
             read_pairs(folder / "test_images.npy", folder / "test_captions.npy")};
  check_same_width(data.train.images, data.test.images, folder / "test_images.npy");
  check_same_width(data.train.captions, data.test.captions, folder / "test_captions.npy");
  return data;
}

/// The emoji set with its categories and subcategories.
inline split read_emoji(const std::filesystem::path& folder) {
  pairs all = read_pairs(folder / "images.npy", folder / "texts.npy");
  const std::size_t count = all.image_count();

  std::map<std::string, int> categories;
  std::map<std::string, int> subcategories;
  const auto id_of = [](std::map<std::string, int>& ids, const std::string& name) {
    return ids.try_emplace(name, static_cast<int>(ids.size())).first->second;
  };
  csv_reader csv(folder / "emoji.csv", {"row", "unified", "category", "subcategory", "cldr_name",
                                        "cldr_keywords", "emojilib_keywords", "unicode_names"});
  while (csv.next()) {
    if (csv.number<std::size_t>(0) != all.categories.size())
      csv.fail("row " + csv[0] + ", expected " + std::to_string(all.categories.size()));
    all.categories.push_back(id_of(categories, csv[2]));
    all.subcategories.push_back(id_of(subcategories, csv[2] + '/' + csv[3]));
  }
  if (all.categories.size() != count)
    throw std::runtime_error((folder / "emoji.csv").string() + ": " + std::to_string(all.categories.size()) +
                             " emoji, expected " + std::to_string(count) + " as in images.npy");

  const auto is_test = read_npy<std::int32_t>(folder / "is_test.npy");
  if (is_test.shape != std::vector<std::size_t>{count})
    throw std::runtime_error((folder / "is_test.npy").string() + ": shape " +
                             npy_detail::shape_text(is_test.shape) + ", expected [" + std::to_string(count) +
                             "]");
  std::vector<std::size_t> train;
  std::vector<std::size_t> test;
  for (std::size_t i = 0; i < count; ++i) (is_test.values[i] != 0 ? test : train).push_back(i);
  if (train.empty() || test.empty())
    throw std::runtime_error((folder / "is_test.npy").string() + ": expected training and test rows");
  return {all.take(train), all.take(test)};
}

}  // namespace examples
