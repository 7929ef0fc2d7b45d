// SPDX-License-Identifier: BSL-1.0
#include "data.hpp"

#include <rankloss/random.hpp>
#include <rankloss/relevance_scores.hpp>
#include "../support/csv.hpp"
#include "../support/npy.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <span>
#include <stdexcept>
#include <tuple>

namespace retrieval {
namespace {

namespace fs = std::filesystem;
using examples::csv_reader;

matrix<float> to_features(const fs::path& path, const examples::npy_array<float>& array) {
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

matrix<float> read_features(const fs::path& path) {
  return to_features(path, examples::read_npy<float>(path));
}

pairs read_pairs(const fs::path& images, const fs::path& captions) {
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

void check_same_width(const matrix<float>& train, const matrix<float>& test, const fs::path& test_path) {
  if (train.cols() != test.cols())
    throw std::runtime_error(test_path.string() + ": " + std::to_string(test.cols()) + " columns, expected " +
                             std::to_string(train.cols()) + " as in the training file");
}

/// People's grades of pairs of one split. Experts' 1 .. 4 become 0 .. 3; the share of a crowd that said yes, 0 .. 1, is stretched to that.
/// Where both judged a pair the experts, who had a scale to choose from, are believed.
std::vector<judgement> read_judgements(const fs::path& path, const std::string& split, const pairs& set) {
  csv_reader csv(path, {"source", "image_split", "image_row", "caption_split", "caption_row", "score"});
  std::map<std::pair<std::size_t, std::size_t>, std::pair<bool, float>> found;
  while (csv.next()) {
    const bool expert = csv[0] == "expert";
    if (!expert && csv[0] != "crowd") csv.fail("source '" + csv[0] + "', expected expert or crowd");
    for (const std::size_t field : {std::size_t{1}, std::size_t{3}})
      if (csv[field] != "train" && csv[field] != "test")
        csv.fail("split '" + csv[field] + "', expected train or test");
    const auto image = csv.number<std::size_t>(2);
    const auto caption = csv.number<std::size_t>(4);
    const auto score = csv.number<float>(5);
    if (!(expert ? score >= 1.0F && score <= 4.0F : score >= 0.0F && score <= 1.0F))
      csv.fail("score " + csv[5] +
               (expert ? ", expected 1 to 4 from an expert" : ", expected 0 to 1 from the crowd"));
    if (csv[1] != split || csv[3] != split) continue;
    if (image >= set.image_count())
      csv.fail("image row " + csv[2] + ", expected less than " + std::to_string(set.image_count()));
    if (caption >= set.caption_count())
      csv.fail("caption row " + csv[4] + ", expected less than " + std::to_string(set.caption_count()));
    auto& [by_expert, grade] = found[{image, caption}];
    if (by_expert && !expert) continue;
    by_expert = expert;
    grade = expert ? score - 1.0F : 3.0F * score;
  }
  std::vector<judgement> judged;
  judged.reserve(found.size());
  for (const auto& [pair, verdict] : found) judged.push_back({pair.first, pair.second, verdict.second});
  return judged;
}

dataset load_flickr8k(const fs::path& folder) {
  dataset data{.name = "Flickr8k on CLIP features",
               .grades = "people's grades of some pairs",
               .train = {},
               .test = {}};
  data.train = read_pairs(folder / "train_images.npy", folder / "train_captions.npy");
  data.test = read_pairs(folder / "test_images.npy", folder / "test_captions.npy");
  check_same_width(data.train.images, data.test.images, folder / "test_images.npy");
  check_same_width(data.train.captions, data.test.captions, folder / "test_captions.npy");
  data.train.judged = read_judgements(folder / "judgements.csv", "train", data.train);
  data.test.judged = read_judgements(folder / "judgements.csv", "test", data.test);
  return data;
}

dataset load_emoji(const fs::path& folder) {
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

  const auto is_test = examples::read_npy<std::int32_t>(folder / "is_test.npy");
  if (is_test.shape != std::vector<std::size_t>{count})
    throw std::runtime_error((folder / "is_test.npy").string() + ": shape " +
                             examples::npy_detail::shape_text(is_test.shape) + ", expected [" +
                             std::to_string(count) + "]");
  std::vector<std::size_t> train;
  std::vector<std::size_t> test;
  for (std::size_t i = 0; i < count; ++i) (is_test.values[i] != 0 ? test : train).push_back(i);
  if (train.empty() || test.empty())
    throw std::runtime_error((folder / "is_test.npy").string() + ": expected training and test rows");
  return {.name = "emoji",
          .grades = "same emoji 3, same subcategory 2, same category 1",
          .train = all.take(train),
          .test = all.take(test)};
}

/// `folder` or the one of that name in it, whichever holds the file; else empty.
fs::path find_in(const fs::path& folder, const char* name, const char* file) {
  for (const fs::path& found : {folder, folder / name})
    if (fs::exists(found / file)) return found;
  return {};
}
fs::path flickr8k_in(const fs::path& folder) { return find_in(folder, "flickr8k_clip", "train_images.npy"); }
fs::path emoji_in(const fs::path& folder) { return find_in(folder, "emoji", "emoji.csv"); }

void append(graded_lists& lists, std::size_t candidate, float grade) {
  lists.candidates.push_back(candidate);
  lists.grades.push_back(grade);
}
void end_list(graded_lists& lists, std::size_t query) {
  lists.queries.push_back(query);
  lists.offsets.push_back(static_cast<std::int64_t>(lists.candidates.size()));
}

}  // namespace

pairs pairs::take(const std::vector<std::size_t>& chosen) const {
  constexpr auto absent = static_cast<std::size_t>(-1);
  const auto index = [](std::size_t i) { return static_cast<Eigen::Index>(i); };
  const std::size_t c = captions_per_image;
  pairs part;
  part.captions_per_image = c;
  part.images.resize(index(chosen.size()), images.cols());
  part.captions.resize(index(chosen.size() * c), captions.cols());
  if (sentences.size() > 0) part.sentences.resize(index(chosen.size() * c), sentences.cols());
  std::vector<std::size_t> index_of(image_count(), absent);
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    index_of[chosen[i]] = i;
    part.images.row(index(i)) = images.row(index(chosen[i]));
    part.captions.middleRows(index(i * c), index(c)) = captions.middleRows(index(chosen[i] * c), index(c));
    if (sentences.size() > 0)
      part.sentences.middleRows(index(i * c), index(c)) =
          sentences.middleRows(index(chosen[i] * c), index(c));
    if (!categories.empty()) {
      part.categories.push_back(categories[chosen[i]]);
      part.subcategories.push_back(subcategories[chosen[i]]);
    }
  }
  for (const judgement& j : judged) {
    const std::size_t image = index_of[j.image];
    const std::size_t caption_image = index_of[image_of(j.caption)];
    if (image != absent && caption_image != absent)
      part.judged.push_back({image, caption_image * c + j.caption % c, j.grade});
  }
  return part;
}

graded_relevance grade(const pairs& set) {
  graded_relevance graded;
  if (!set.categories.empty()) {
    const auto relevance = [&](std::size_t a, std::size_t b) {
      if (a == b) return 3.0F;
      if (set.subcategories[a] == set.subcategories[b]) return 2.0F;
      return set.categories[a] == set.categories[b] ? 1.0F : 0.0F;
    };
    for (std::size_t i = 0; i < set.image_count(); ++i) {
      for (std::size_t c = 0; c < set.caption_count(); ++c)
        append(graded.captions_of_image, c, relevance(i, set.image_of(c)));
      end_list(graded.captions_of_image, i);
    }
    for (std::size_t c = 0; c < set.caption_count(); ++c) {
      for (std::size_t i = 0; i < set.image_count(); ++i)
        append(graded.images_of_caption, i, relevance(i, set.image_of(c)));
      end_list(graded.images_of_caption, c);
    }
    return graded;
  }
  std::vector<judgement> sorted = set.judged;
  const auto by_image = [](const judgement& a, const judgement& b) {
    return std::tie(a.image, a.caption) < std::tie(b.image, b.caption);
  };
  const auto by_caption = [](const judgement& a, const judgement& b) {
    return std::tie(a.caption, a.image) < std::tie(b.caption, b.image);
  };
  std::sort(sorted.begin(), sorted.end(), by_image);
  for (std::size_t k = 0; k < sorted.size(); ++k) {
    append(graded.captions_of_image, sorted[k].caption, sorted[k].grade);
    if (k + 1 == sorted.size() || sorted[k + 1].image != sorted[k].image)
      end_list(graded.captions_of_image, sorted[k].image);
  }
  std::sort(sorted.begin(), sorted.end(), by_caption);
  for (std::size_t k = 0; k < sorted.size(); ++k) {
    append(graded.images_of_caption, sorted[k].image, sorted[k].grade);
    if (k + 1 == sorted.size() || sorted[k + 1].caption != sorted[k].caption)
      end_list(graded.images_of_caption, sorted[k].caption);
  }
  return graded;
}

matrix<float> read_sentences(const fs::path& path, const pairs& set) {
  examples::npy_array<float> array;
  if (examples::npy_type(path) == "|i1") {
    const auto stored = examples::read_npy<std::int8_t>(path);
    array = {stored.shape, {stored.values.begin(), stored.values.end()}};
  } else {
    array = examples::read_npy<float>(path);
  }
  matrix<float> sentences = to_features(path, array);
  if (sentences.rows() != set.captions.rows())
    throw std::runtime_error(path.string() + ": " + std::to_string(sentences.rows()) + " rows, expected " +
                             std::to_string(set.caption_count()) + ", one for each caption to train on");
  return sentences;
}

std::vector<float> caption_relevance(const pairs& set, rankloss::context& context) {
  const matrix<float>& vectors = set.sentences.size() > 0 ? set.sentences : set.captions;
  const std::span<const float> captions(vectors.data(), static_cast<std::size_t>(vectors.size()));
  std::vector<float> relevance(set.image_count() * set.caption_count());
  rankloss::relevance_scores<float>({.captions = captions,
                                     .texts = captions,
                                     .dimension = static_cast<std::size_t>(vectors.cols()),
                                     .captions_per_image = set.captions_per_image,
                                     .pairing = rankloss::pairing::by_caption},
                                    relevance, context);
  return relevance;
}

bool has_set(const fs::path& folder) { return !flickr8k_in(folder).empty() || !emoji_in(folder).empty(); }

dataset load(const fs::path& folder) {
  if (!fs::is_directory(folder))
    throw std::runtime_error(folder.string() +
                             ": no such folder, expected one with flickr8k_clip or emoji in it");
  if (const fs::path found = flickr8k_in(folder); !found.empty()) return load_flickr8k(found);
  if (const fs::path found = emoji_in(folder); !found.empty()) return load_emoji(found);
  throw std::runtime_error(
      folder.string() +
      ": holds neither flickr8k_clip/train_images.npy nor emoji/emoji.csv, expected one of them");
}

dataset hold_out(const dataset& data, double share, std::uint64_t seed) {
  constexpr std::uint64_t stream = 1;
  std::vector<std::size_t> images(data.train.image_count());
  std::iota(images.begin(), images.end(), std::size_t{0});
  rankloss::random_stream(seed, stream).shuffle(images);
  const auto held = static_cast<std::size_t>(std::lround(share * static_cast<double>(images.size())));
  if (held == 0 || held == images.size()) throw std::runtime_error("--hold-out: leaves no image on one side");
  std::vector<std::size_t> rest(images.begin() + static_cast<std::ptrdiff_t>(held), images.end());
  images.resize(held);
  std::sort(images.begin(), images.end());
  std::sort(rest.begin(), rest.end());
  return {.name = data.name + ", held-out training images",
          .grades = data.grades,
          .train = data.train.take(rest),
          .test = data.train.take(images)};
}

}  // namespace retrieval
