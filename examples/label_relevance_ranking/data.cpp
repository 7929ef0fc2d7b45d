// SPDX-License-Identifier: BSL-1.0
#include "data.hpp"
#include "../support/csv.hpp"
#include "../support/npy.hpp"
#include "stages.hpp"

#include <rankloss/data/svmlight.hpp>
#include <rankloss/random.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fstream>
#include <map>
#include <numeric>
#include <stdexcept>
#include <utility>

namespace label_ranker {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 7> partial_sets{"glass",   "libras", "satimage", "segment",
                                                  "vehicle", "vowel",  "yeast"};
constexpr std::uint64_t split_seed = 1;  // splits are the same for every seed of the models

/// Every feature to mean 0 and deviation 1 on the source, and the others by the same numbers; where all are equal, to 0.
void scale_by_source(transfer& data) {
  const auto n = static_cast<double>(data.source.features.rows());
  for (Eigen::Index f = 0; f < data.source.features.cols(); ++f) {
    const Eigen::VectorXd column = data.source.features.col(f).cast<double>();
    const double mean = column.sum() / n;
    const double deviation = std::sqrt((column.array() - mean).square().sum() / n);
    const double scale = deviation > 1e-6 * (1e-6 + std::abs(mean)) ? 1.0 / deviation : 0.0;
    for (lists* set :
         {&data.source, &data.source_validation, &data.target, &data.target_validation, &data.target_test})
      for (float& x : set->features.col(f)) x = static_cast<float>(scale * (static_cast<double>(x) - mean));
  }
}

/// The first part of the lists, shuffled; the next; and the rest.
std::array<std::vector<std::size_t>, 3> split(std::vector<std::size_t> which, double first, double second,
                                              std::uint64_t stream) {
  rankloss::random_stream(split_seed, stream).shuffle(which);
  const auto n = static_cast<double>(which.size());
  const auto a = static_cast<std::ptrdiff_t>(first * n);
  const auto b = static_cast<std::ptrdiff_t>((first + second) * n);
  return {std::vector<std::size_t>(which.begin(), which.begin() + a),
          std::vector<std::size_t>(which.begin() + a, which.begin() + b),
          std::vector<std::size_t>(which.begin() + b, which.end())};
}

/// Four fifths of the source to learn from, a fifth to stop by; of the target a half, a fifth and the rest.
void divide(transfer& data, const lists& all, const std::vector<std::size_t>& source,
            const std::vector<std::size_t>& target) {
  const auto s = split(source, 0.8, 0.2, 1);
  data.source = chosen_of(all, s[0]);
  data.source_validation = chosen_of(all, s[1]);
  const auto t = split(target, 0.5, 0.2, 2);
  data.target = chosen_of(all, t[0]);
  data.target_validation = chosen_of(all, t[1]);
  data.target_test = chosen_of(all, t[2]);
  scale_by_source(data);
}

matrix<float> read_rows(const fs::path& path, std::size_t rows) {
  examples::npy_array<float> array = examples::read_npy<float>(path);
  if (array.shape.size() != 2 || array.shape[0] != rows)
    throw std::runtime_error(path.string() + ": shape " + examples::npy_detail::shape_text(array.shape) +
                             ", expected " + std::to_string(rows) + " rows");
  return Eigen::Map<const matrix<float>>(array.values.data(), index(rows), index(array.shape[1]));
}

/// An item is a movie and a tag: what is known of either, and where the two texts agree.
transfer load_movie_tags(const fs::path& folder) {
  std::vector<bool> in_target;
  examples::csv_reader movies(folder / "movies.csv", {"row", "movie_id", "title", "genres", "domain"});
  while (movies.next()) {
    if (movies[4] != "source" && movies[4] != "target")
      movies.fail("domain '" + movies[4] + "', expected source or target");
    in_target.push_back(movies[4] == "target");
  }
  std::size_t tags = 0;
  for (examples::csv_reader names(folder / "tags.csv", {"row", "tag"}); names.next();) ++tags;
  const matrix<float> texts = read_rows(folder / "movie_texts_lsa96.npy", in_target.size());
  const matrix<float> ratings = read_rows(folder / "movie_ratings_svd32.npy", in_target.size());
  const matrix<float> words = read_rows(folder / "tags_lsa96.npy", tags);
  if (words.cols() != texts.cols())
    throw std::runtime_error((folder / "tags_lsa96.npy").string() +
                             ": expected as many columns as the texts have");

  std::map<std::size_t, std::vector<std::pair<std::size_t, float>>> of_movie;
  examples::csv_reader scores(folder / "relevance.csv", {"movie_row", "tag_row", "mean_score", "raters"});
  while (scores.next()) {
    const auto movie = scores.number<std::size_t>(0);
    const auto tag = scores.number<std::size_t>(1);
    const auto score = scores.number<float>(2);
    if (movie >= in_target.size() || tag >= tags) scores.fail("no such movie or tag");
    if (!(score >= 1.0F && score <= 5.0F)) scores.fail("score " + scores[2] + ", expected 1 to 5");
    of_movie[movie].emplace_back(tag, score - 1.0F);
  }
  lists all;
  std::vector<std::size_t> source, target;
  for (const auto& [movie, labels] : of_movie) {
    (in_target[movie] ? target : source).push_back(all.count());
    for (const auto& label : labels) all.grades.push_back(label.second);
    all.offsets.push_back(all.grades.size());
  }
  all.features.resize(index(all.items()), 3 * texts.cols() + ratings.cols());
  Eigen::Index row = 0;
  for (const auto& [movie, labels] : of_movie)
    for (const auto& label : labels) {
      const auto text = texts.row(index(movie));
      const auto word = words.row(index(label.first));
      all.features.row(row++) << text, ratings.row(index(movie)), word, text.cwiseProduct(word);
    }
  transfer data{.name = "movie tags",
                .about = "read from " + folder.string(),
                .split = "tags of movies by people's grades; target: Sci-Fi, Fantasy, Animation, Horror"};
  divide(data, all, source, target);
  return data;
}

/// First line: samples,features,labels; then features and a rank a label, 1 the best. An item is a sample and a label. Source and target are the
/// samples whose first feature is below its median and those above.
transfer load_partial(const fs::path& path, const std::string& set) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error(path.string() + ": cannot be read, expected a .csv file");
  std::size_t line = 0;
  const auto next = [&](std::size_t expected) {
    std::string text;
    if (!std::getline(file, text))
      throw std::runtime_error(path.string() + ": ends after line " + std::to_string(line));
    ++line;
    std::vector<double> values;
    for (const char *at = text.data(), *end = at + text.size(); at < end;) {
      double x = 0.0;
      const auto [rest, error] = std::from_chars(at, end, x);
      const bool ends = rest == end || *rest == ',' || *rest == '\r';
      if (error != std::errc{} || !ends)
        throw std::runtime_error(path.string() + ", line " + std::to_string(line) +
                                 ": expected numbers with commas between");
      values.push_back(x);
      at = rest == end || *rest == '\r' ? end : rest + 1;
    }
    if (values.size() != expected)
      throw std::runtime_error(path.string() + ", line " + std::to_string(line) + ": " +
                               std::to_string(values.size()) + " numbers, expected " +
                               std::to_string(expected));
    return values;
  };
  const std::vector<double> head = next(3);
  for (const double x : head)
    if (!(x >= 1.0 && x <= 1e6))
      throw std::runtime_error(path.string() + ", line 1: expected samples,features,labels");
  const auto samples = static_cast<std::size_t>(head[0]), features = static_cast<std::size_t>(head[1]),
             labels = static_cast<std::size_t>(head[2]);

  lists all;
  all.features = matrix<float>::Zero(index(samples * labels), index(features + labels));
  std::vector<double> first;
  for (std::size_t s = 0; s < samples; ++s) {
    const std::vector<double> values = next(features + labels);
    const auto ranks = std::span(values).subspan(features);
    const double last = *std::max_element(ranks.begin(), ranks.end());
    first.push_back(values[0]);
    for (std::size_t l = 0; l < labels; ++l) {
      auto x = all.features.row(index(s * labels + l));
      for (std::size_t f = 0; f < features; ++f) x(index(f)) = static_cast<float>(values[f]);
      x(index(features + l)) = 1.0F;
      // Grades 0 to 4, however many ranks there are.
      all.grades.push_back(static_cast<float>(last > 1.0 ? 4.0 * (last - ranks[l]) / (last - 1.0) : 0.0));
    }
    all.offsets.push_back(all.grades.size());
  }
  std::vector<double> sorted = first;
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(samples / 2), sorted.end());
  std::vector<std::size_t> source, target;
  for (std::size_t s = 0; s < samples; ++s) (first[s] < sorted[samples / 2] ? source : target).push_back(s);
  transfer data{
      .name = set,
      .about = "read from " + path.string(),
      .split = "partial label rankings; target: samples whose first feature is at its median or above"};
  divide(data, all, source, target);
  return data;
}

lists read_letor(const fs::path& path, std::size_t features) {
  rankloss::svmlight_data read = rankloss::read_svmlight(path, {.feature_count = features});
  lists set;
  set.features =
      Eigen::Map<const matrix<float>>(read.features.data(), index(read.relevance.size()), index(features));
  set.grades = std::move(read.relevance);
  set.offsets = std::move(read.offsets);
  examples::standardise(set);
  return set;
}

/// Lists of both domains under each other, in columns of their own.
lists side_by_side(const lists& source, const lists& target) {
  lists both = source;
  both.features = matrix<float>::Zero(index(source.items() + target.items()),
                                      source.features.cols() + target.features.cols());
  both.features.topLeftCorner(source.features.rows(), source.features.cols()) = source.features;
  both.features.bottomRightCorner(target.features.rows(), target.features.cols()) = target.features;
  both.grades.insert(both.grades.end(), target.grades.begin(), target.grades.end());
  for (std::size_t q = 1; q < target.offsets.size(); ++q)
    both.offsets.push_back(source.items() + target.offsets[q]);
  return both;
}

/// Two sets of other features meet in a common space: what a net with a layer for each of them and one for both has before its score, fitted to
/// the grades of lists that are used for nothing else (the paper: of another fold).
transfer load_letor(const fs::path& source_folder, const fs::path& target_folder) {
  constexpr std::size_t source_features = 136, target_features = 46;
  const auto source = [&](const char* file) { return read_letor(source_folder / file, source_features); };
  const auto target = [&](int part) {
    return read_letor(target_folder / ("S" + std::to_string(part) + ".txt"), target_features);
  };
  const lists none_of_source{.features = matrix<float>::Zero(0, source_features), .grades = {}};
  const lists none_of_target{.features = matrix<float>::Zero(0, target_features), .grades = {}};

  rankloss::context context;
  const examples::net<float> aligner = align(side_by_side(source("vali.txt"), target(1)),
                                             side_by_side(source("test.txt"), none_of_target), context);
  const auto common = [&](const lists& from) {
    examples::net<float>::tape tape;
    aligner.forward(from.features, tape);
    lists to{.features = tape.hidden.back(), .grades = from.grades, .offsets = from.offsets};
    examples::standardise(to);
    return to;
  };
  transfer data{
      .name = "MSLR-WEB10K to MQ2008",
      .about = "read from " + source_folder.string() + " and " + target_folder.string(),
      .split = "documents of queries; aligned on the grades of vali.txt and S1, pairs from S2 and S3"};
  data.source = common(side_by_side(source("train.txt"), none_of_target));
  data.source_validation = common(side_by_side(source("test.txt"), none_of_target));
  lists known = target(2);
  const lists more = target(3);
  const std::size_t before = known.items();
  known.features.conservativeResize(index(before + more.items()), Eigen::NoChange);
  known.features.bottomRows(more.features.rows()) = more.features;
  known.grades.insert(known.grades.end(), more.grades.begin(), more.grades.end());
  for (std::size_t q = 1; q < more.offsets.size(); ++q) known.offsets.push_back(before + more.offsets[q]);
  data.target = common(side_by_side(none_of_source, known));
  data.target_validation = common(side_by_side(none_of_source, target(4)));
  data.target_test = common(side_by_side(none_of_source, target(5)));
  return data;
}

}  // namespace

lists chosen_of(const lists& from, std::span<const std::size_t> which) {
  lists set;
  set.take(from, which);
  return set;
}

std::vector<std::string> known_sets() {
  std::vector<std::string> all{"movie_tags", "mslr_mq2008"};
  all.insert(all.end(), partial_sets.begin(), partial_sets.end());
  return all;
}

std::vector<std::string> sets_in(const fs::path& folder) {
  std::vector<std::string> found;
  if (fs::exists(folder / "movie_tags")) found.emplace_back("movie_tags");
  if (fs::exists(folder / "mslr_web10k_sample") && fs::exists(folder / "mq2008"))
    found.emplace_back("mslr_mq2008");
  for (const char* set : partial_sets)
    if (fs::exists(folder / "partial_label_ranking" / (std::string(set) + ".csv"))) found.emplace_back(set);
  return found;
}

transfer load(const fs::path& folder, const std::string& set) {
  if (!fs::is_directory(folder))
    throw std::runtime_error(folder.string() + ": no such folder, expected one with " + set + " in it");
  if (set == "movie_tags") return load_movie_tags(folder / "movie_tags");
  if (set == "mslr_mq2008") return load_letor(folder / "mslr_web10k_sample", folder / "mq2008");
  return load_partial(folder / "partial_label_ranking" / (set + ".csv"), set);
}

transfer make(std::uint64_t seed) {
  constexpr std::size_t samples = 600, labels = 12, features = 6;
  constexpr double noise = 0.4;
  rankloss::random_stream random(seed, 100);
  // How relevant label l is: a linear and a bent part of the sample, and of the target's samples a shift of some labels besides.
  matrix<double> linear(labels, features), bent(labels, features);
  vector<double> shift(labels);
  for (double& x : linear.reshaped()) x = random.normal() / std::sqrt(static_cast<double>(features));
  for (double& x : bent.reshaped()) x = random.normal() / std::sqrt(static_cast<double>(features));
  for (double& x : shift) x = 0.9 * random.normal();

  lists all;
  std::vector<float> utilities;
  std::vector<std::size_t> source, target;
  all.features = matrix<float>::Zero(index(samples * labels), index(features + labels));
  for (std::size_t s = 0; s < samples; ++s) {
    const bool is_target = s % 2 == 1;
    (is_target ? target : source).push_back(s);
    vector<double> x(features);
    for (double& value : x) value = random.normal();
    for (std::size_t l = 0; l < labels; ++l) {
      const double known = linear.row(index(l)).dot(x) + std::sin(1.5 * bent.row(index(l)).dot(x)) +
                           (is_target ? shift(index(l)) : 0.0);
      const double seen = known + noise * random.normal();
      all.grades.push_back(static_cast<float>(std::clamp(std::floor(2.0 + 1.3 * seen), 0.0, 4.0)));
      utilities.push_back(static_cast<float>(known));
      auto row = all.features.row(index(s * labels + l));
      row.head(features) = x.transpose().cast<float>();
      row(index(features + l)) = 1.0F;
    }
    all.offsets.push_back(all.grades.size());
  }
  transfer data{.name = "made label rankings",
                .about = "made from seed " + std::to_string(seed) + ", not real data",
                .split = "target: the same labels, some more or less relevant"};
  // The truth goes through the split in place of the grades.
  lists known = all;
  known.grades = utilities;
  divide(data, known, source, target);
  data.truth = data.target_test.grades;
  divide(data, all, source, target);
  return data;
}

}  // namespace label_ranker
