// SPDX-License-Identifier: BSL-1.0
#include "data.hpp"

#include "../support/npy.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <stdexcept>
#include <utility>

namespace cross_modal {
namespace {

namespace fs = std::filesystem;
using examples::index;

struct known {
  const char* name;
  const char* file;
};
constexpr known sets[] = {
    {"wikipedia", "train_texts_lda10.npy"}, {"flickr8k_clip", "train_captions.npy"}, {"emoji", "emoji.csv"}};

documents read_wikipedia(const fs::path& folder, const std::string& part, bool topics) {
  documents set{examples::read_pairs(folder / (part + "_images.npy"), folder / (part + "_texts_lda10.npy"))};
  const auto fail = [](const fs::path& path, std::size_t rows, std::size_t expected) {
    throw std::runtime_error(path.string() + ": " + std::to_string(rows) + " rows, expected " +
                             std::to_string(expected) + " as there are images");
  };
  if (set.captions_per_image != 1)
    fail(folder / (part + "_texts_lda10.npy"), set.caption_count(), set.image_count());
  const fs::path categories = folder / (part + "_categories.npy");
  const auto read = examples::read_npy<std::int32_t>(categories);
  if (read.values.size() != set.image_count()) fail(categories, read.values.size(), set.image_count());
  for (const std::int32_t category : read.values) {
    if (category < 0)
      throw std::runtime_error(categories.string() + ": category " + std::to_string(category) +
                               ", expected at least 0");
    set.categories.push_back(category);
  }
  if (topics) {
    const fs::path path = folder / (part + "_texts_lda100.npy");
    set.topics = examples::read_features(path);
    if (set.topics.rows() != set.images.rows())
      fail(path, static_cast<std::size_t>(set.topics.rows()), set.image_count());
    set.topics.rowwise().normalize();
  }
  return set;
}

/// Brings features to mean 0 and to length 1 in the mean square, by the training set; visual words are counts
/// that are small, and one learning rate serves all sets.
void standardise(matrix<float>& train, matrix<float>& test) {
  const examples::row_vector<float> mean = train.colwise().mean();
  train.rowwise() -= mean;
  test.rowwise() -= mean;
  const float length = train.norm() / std::sqrt(static_cast<float>(train.rows()));
  if (!(length > 0.0F)) return;
  train /= length;
  test /= length;
}

}  // namespace

documents documents::take(const std::vector<std::size_t>& chosen) const {
  documents part{examples::pairs::take(chosen)};
  if (topics.size() == 0) return part;
  part.topics.resize(index(chosen.size()), topics.cols());
  for (std::size_t i = 0; i < chosen.size(); ++i) part.topics.row(index(i)) = topics.row(index(chosen[i]));
  return part;
}

float documents::relevance(std::size_t a, std::size_t b) const {
  if (categories.empty()) return a == b ? 1.0F : 0.0F;
  if (categories[a] != categories[b]) return 0.0F;
  if (topics.size() > 0) return 1.0F + 2.0F * std::max(0.0F, topics.row(index(a)).dot(topics.row(index(b))));
  if (subcategories.empty()) return 1.0F;
  return a == b ? 3.0F : subcategories[a] == subcategories[b] ? 2.0F : 1.0F;
}

std::vector<float> documents::grades() const {
  std::vector<float> all(image_count() * caption_count());
  auto to = all.begin();
  for (std::size_t i = 0; i < image_count(); ++i)
    for (std::size_t d = 0; d < image_count(); ++d) to = std::fill_n(to, captions_per_image, relevance(i, d));
  return all;
}

std::vector<std::size_t> documents::classes() const {
  std::vector<std::size_t> all(categories.begin(), categories.end());
  if (!all.empty()) return all;
  all.resize(image_count());
  std::iota(all.begin(), all.end(), std::size_t{0});
  return all;
}

std::vector<std::string> known_sets() {
  std::vector<std::string> names;
  for (const known& set : sets) names.emplace_back(set.name);
  return names;
}

std::vector<std::string> sets_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const known& set : sets)
    if (!examples::find_in(folder, set.name, set.file).empty()) names.emplace_back(set.name);
  return names;
}

dataset load(const fs::path& folder, const std::string& set, bool topics) {
  const auto* const found =
      std::find_if(std::begin(sets), std::end(sets), [&](const known& k) { return set == k.name; });
  const fs::path where = examples::find_in(folder, found->name, found->file);
  if (where.empty())
    throw std::runtime_error(folder.string() + ": holds no " + set + ", expected " + set + "/" + found->file);
  if (topics && set != "wikipedia")
    throw std::runtime_error("--grades topics: the set " + set + " has no topics, expected --set wikipedia");
  if (set == "wikipedia") {
    dataset data{
        .name = "Wikipedia",
        .grades = topics ? "same category 1, and up to 2 more by the topics of the texts" : "same category 1",
        .train = read_wikipedia(where, "train", topics),
        .test = read_wikipedia(where, "test", topics)};
    examples::check_same_width(data.train.images, data.test.images, where / "test_images.npy");
    examples::check_same_width(data.train.captions, data.test.captions, where / "test_texts_lda10.npy");
    standardise(data.train.images, data.test.images);
    standardise(data.train.captions, data.test.captions);
    return data;
  }
  auto [train, test] = set == "emoji" ? examples::read_emoji(where) : examples::read_flickr8k(where);
  return {.name = set == "emoji" ? "emoji" : "Flickr8k on CLIP features",
          .grades = set == "emoji" ? "same emoji 3, same subcategory 2, same category 1" : "own captions 1",
          .train = {std::move(train)},
          .test = {std::move(test)}};
}

}  // namespace cross_modal
