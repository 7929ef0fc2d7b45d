// SPDX-License-Identifier: BSL-1.0
#include "data.hpp"

#include <rankloss/relevance_scores.hpp>
#include "../support/csv.hpp"

#include <algorithm>
#include <map>
#include <span>
#include <stdexcept>
#include <tuple>
#include <utility>

namespace retrieval {
namespace {

namespace fs = std::filesystem;
using examples::csv_reader;

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
  auto [train, test] = examples::read_flickr8k(folder);
  data.train = {std::move(train)};
  data.test = {std::move(test)};
  data.train.judged = read_judgements(folder / "judgements.csv", "train", data.train);
  data.test.judged = read_judgements(folder / "judgements.csv", "test", data.test);
  return data;
}

dataset load_emoji(const fs::path& folder) {
  auto [train, test] = examples::read_emoji(folder);
  return {.name = "emoji",
          .grades = "same emoji 3, same subcategory 2, same category 1",
          .train = {std::move(train)},
          .test = {std::move(test)}};
}

fs::path flickr8k_in(const fs::path& folder) {
  return examples::find_in(folder, "flickr8k_clip", "train_images.npy");
}
fs::path emoji_in(const fs::path& folder) { return examples::find_in(folder, "emoji", "emoji.csv"); }

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
  const std::size_t c = captions_per_image;
  pairs part{examples::pairs::take(chosen)};
  if (sentences.size() > 0) {
    using examples::index;
    part.sentences.resize(index(chosen.size() * c), sentences.cols());
    for (std::size_t i = 0; i < chosen.size(); ++i)
      part.sentences.middleRows(index(i * c), index(c)) =
          sentences.middleRows(index(chosen[i] * c), index(c));
  }
  std::vector<std::size_t> index_of(image_count(), absent);
  for (std::size_t i = 0; i < chosen.size(); ++i) index_of[chosen[i]] = i;
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
  matrix<float> sentences = examples::to_features(path, array);
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
  auto [rest, held] = examples::hold_out(data.train, share, seed);
  return {.name = data.name + ", held-out training images",
          .grades = data.grades,
          .train = std::move(rest),
          .test = std::move(held)};
}

}  // namespace retrieval
