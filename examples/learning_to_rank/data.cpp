// SPDX-License-Identifier: BSL-1.0
#include "data.hpp"

#include <rankloss/data/svmlight.hpp>
#include <rankloss/random.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <stdexcept>

namespace ranker {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t part_count = 5;

/// A set of files: where they are and how wide.
struct source {
  const char* name;
  const char* title;
  const char* file;  ///< before the number of the part
  std::size_t features;
};
constexpr std::array<source, 2> sources{
    {{"mq2008", "MQ2008", "S", 46}, {"clueweb09", "ClueWeb09", "part", 42}}};

fs::path path_of(const fs::path& folder, const source& from, std::size_t part) {
  return folder / from.name / (from.file + std::to_string(part + 1) + ".txt");
}

lists read_part(const fs::path& path, std::size_t features) {
  rankloss::svmlight_data data = rankloss::read_svmlight(path, {.feature_count = features});
  lists part;
  part.features =
      Eigen::Map<const matrix<float>>(data.features.data(), index(data.relevance.size()), index(features));
  part.grades = std::move(data.relevance);
  part.offsets = std::move(data.offsets);
  return part;
}

/// What makes an item good, which the ranker has to find out: three features by themselves, two together.
double utility(const Eigen::Ref<const Eigen::RowVectorXf>& x) {
  const auto f = [&](Eigen::Index i) { return static_cast<double>(x(i)); };
  return f(0) + 0.7 * std::tanh(2.0 * f(1)) - 0.4 * f(2) * f(2) + 0.6 * f(3) * f(4);
}

lists make_part(std::size_t count, rankloss::random_stream random) {
  constexpr std::array<double, 4> steps{0.6, 1.5, 2.3,
                                        3.1};  // some 60 % of the items are of grade 0, 3 % of grade 4
  constexpr std::size_t features = 12;
  constexpr double noise = 0.7;
  lists part;
  for (std::size_t q = 0; q < count; ++q) part.offsets.push_back(part.offsets.back() + 8 + random.below(33));
  part.features.resize(index(part.offsets.back()), features);
  for (std::size_t q = 0; q < count; ++q) {
    const double ease = 0.5 * random.normal();  // of the query
    std::array<double, features> at{};
    std::array<double, features> width{};
    for (std::size_t f = 0; f < features; ++f) at[f] = 3.0 * random.normal();
    for (std::size_t f = 0; f < features; ++f) width[f] = std::exp(random.normal());
    for (std::size_t i = part.offsets[q]; i < part.offsets[q + 1]; ++i) {
      auto x = part.features.row(index(i));
      for (float& value : x) value = static_cast<float>(random.normal());
      const double u = utility(x) + ease + noise * random.normal();
      part.grades.push_back(static_cast<float>(
          std::count_if(steps.begin(), steps.end(), [&](double step) { return u > step; })));
      // What a feature means differs from query to query by an offset and a unit.
      for (std::size_t f = 0; f < features; ++f)
        x(index(f)) = static_cast<float>(at[f] + width[f] * static_cast<double>(x(index(f))));
    }
  }
  return part;
}

}  // namespace

fold make_fold(const dataset& data, std::size_t number) {
  const auto part = [&](std::size_t ahead) -> const lists& {
    return data.parts[(number + ahead) % part_count];
  };
  fold result;
  result.validation = part(3);
  result.test = part(4);
  lists& train = result.train;
  for (std::size_t p = 0; p < 3; ++p) {
    lists chosen;
    std::vector<std::size_t> which;
    for (std::size_t q = 0; q < part(p).count(); ++q)
      if (part(p).has_relevance(q)) which.push_back(q);
    chosen.take(part(p), which);
    const std::size_t before = train.items();
    train.features.conservativeResize(index(before + chosen.items()), chosen.features.cols());
    train.features.bottomRows(index(chosen.items())) = chosen.features;
    train.grades.insert(train.grades.end(), chosen.grades.begin(), chosen.grades.end());
    for (std::size_t q = 1; q < chosen.offsets.size(); ++q)
      train.offsets.push_back(before + chosen.offsets[q]);
  }
  return result;
}

std::vector<std::string> sets_in(const fs::path& folder) {
  std::vector<std::string> found;
  for (const source& s : sources)
    if (fs::exists(folder / s.name)) found.emplace_back(s.name);
  return found;
}

dataset load(const fs::path& folder, const std::string& set) {
  const auto* const from =
      std::find_if(sources.begin(), sources.end(), [&](const source& s) { return set == s.name; });
  if (from == sources.end()) throw std::runtime_error("no set '" + set + "'");
  if (!fs::is_directory(folder))
    throw std::runtime_error(folder.string() + ": no such folder, expected one with " + set + " in it");
  dataset data{.name = from->title, .about = "read from " + (folder / from->name).string(), .parts = {}};
  for (std::size_t p = 0; p < part_count; ++p) {
    const fs::path path = path_of(folder, *from, p);
    lists part = read_part(path, from->features);
    if (part.items() == 0) throw std::runtime_error(path.string() + ": holds no item");
    for (const float y : part.grades)
      if (y < 0.0F) throw std::runtime_error(path.string() + ": a grade below 0, expected 0 or more");
    standardise(part);
    data.parts.push_back(std::move(part));
  }
  return data;
}

dataset make(std::uint64_t seed) {
  constexpr std::size_t lists_a_part = 60;
  dataset data{.name = "made lists",
               .about = "made from seed " + std::to_string(seed) + ", not real data",
               .parts = {}};
  for (std::size_t p = 0; p < part_count; ++p) {
    data.parts.push_back(make_part(lists_a_part, rankloss::random_stream(seed, 100 + p)));
    standardise(data.parts.back());
  }
  return data;
}

}  // namespace ranker
