// SPDX-License-Identifier: BSL-1.0
#include <catch2/catch.hpp>

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/neural_ndcg.hpp>
#include <rankloss/random.hpp>
#include <rankloss/sorts/neural_sort.hpp>
#include <rankloss/sorts/sinkhorn.hpp>
#include "../data.hpp"
#include "../report.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

namespace {

using namespace cross_modal;
using Catch::Contains;
using rankloss::random_stream;
namespace fs = std::filesystem;

/// A folder that is gone after the test.
struct scratch {
  fs::path path = fs::temp_directory_path() /
                  ("cross_modal_retrieval_" + std::to_string(reinterpret_cast<std::uintptr_t>(this)));
  scratch() { fs::create_directories(path); }
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;
  ~scratch() { fs::remove_all(path); }
};

template <class T>
void write_npy(const fs::path& path, const std::string& shape, const std::vector<T>& values,
               const std::string& order = "False") {
  const std::string type = std::is_same_v<T, float> ? "<f4" : "<i4";
  std::string header = "{'descr': '" + type + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }";
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  const auto size = static_cast<std::uint16_t>(header.size());
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes.append(reinterpret_cast<const char*>(&size), 2);
  bytes += header;
  bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  std::ofstream(path, std::ios::binary) << bytes;
}

/// Four documents of two categories to train on, two to test on.
void write_wikipedia(const fs::path& folder) {
  fs::create_directories(folder);
  write_npy<float>(folder / "train_images.npy", "(4, 2)", {1, 3, 5, 7, 2, 4, 6, 8}, "True");
  write_npy<float>(folder / "train_texts_lda10.npy", "(4, 3)", {1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 0});
  write_npy<float>(folder / "train_texts_lda100.npy", "(4, 2)", {1, 0, 0, 1, 1, 1, 2, 0});
  write_npy<std::int32_t>(folder / "train_categories.npy", "(4,)", {1, 2, 1, 1});
  write_npy<float>(folder / "test_images.npy", "(2, 2)", {1, 2, 3, 4});
  write_npy<float>(folder / "test_texts_lda10.npy", "(2, 3)", {1, 0, 0, 0, 1, 0});
  write_npy<float>(folder / "test_texts_lda100.npy", "(2, 2)", {1, 0, 0, 1});
  write_npy<std::int32_t>(folder / "test_categories.npy", "(2,)", {1, 2});
}

documents toy(std::size_t images, std::uint64_t seed) {
  random_stream random(seed, 0);
  documents set;
  set.captions_per_image = 2;
  const auto draw = [&](std::size_t rows) {
    matrix<float> m(static_cast<Eigen::Index>(rows), 5);
    for (Eigen::Index i = 0; i < m.size(); ++i) m.data()[i] = static_cast<float>(random.normal());
    m.rowwise().normalize();
    return m;
  };
  set.images = draw(images);
  set.captions = draw(2 * images);
  for (std::size_t i = 0; i < images; ++i) {
    set.categories.push_back(static_cast<int>(i % 3));
    set.subcategories.push_back(static_cast<int>(i % 6));
  }
  return set;
}

/// AP and NDCG@10 of one query, from their definitions.
struct plain {
  double precision = 0.0;
  double ndcg = 0.0;

  plain(const std::vector<float>& scores, const std::vector<float>& grades) {
    std::vector<std::size_t> order(scores.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
    std::vector<float> ideal = grades;
    std::sort(ideal.rbegin(), ideal.rend());
    double relevant = 0.0, dcg = 0.0, best = 0.0;
    for (std::size_t r = 0; r < order.size(); ++r) {
      const float y = grades[order[r]];
      if (y > 0.0F) precision += ++relevant / static_cast<double>(r + 1);
      if (r >= 10) continue;
      dcg += (std::exp2(y) - 1.0) / std::log2(static_cast<double>(r) + 2.0);
      best += (std::exp2(ideal[r]) - 1.0) / std::log2(static_cast<double>(r) + 2.0);
    }
    precision /= relevant;
    ndcg = dcg / best;
  }
};

}  // namespace

TEST_CASE("Wikipedia: matrices in either order, features of mean 0, relevance by category and by topics") {
  const scratch folder;
  write_wikipedia(folder.path / "wikipedia");
  REQUIRE(sets_in(folder.path) == std::vector<std::string>{"wikipedia"});
  const dataset data = load(folder.path, "wikipedia", false);
  REQUIRE(data.train.image_count() == 4);
  REQUIRE(data.test.image_count() == 2);
  REQUIRE(data.train.images.colwise().mean().isZero(1e-6F));
  REQUIRE(data.train.images.norm() == Approx(2.0));  // 4 rows of length 1 in the mean square
  REQUIRE(data.train.images(1, 0) - data.train.images(0, 0) ==
          Approx(data.train.images(3, 0) - data.train.images(2, 0)));
  REQUIRE(data.train.relevance(0, 2) == 1.0F);
  REQUIRE(data.train.relevance(0, 1) == 0.0F);
  REQUIRE(data.train.classes() == std::vector<std::size_t>{1, 2, 1, 1});

  const dataset topics = load(folder.path, "wikipedia", true);
  REQUIRE(topics.train.relevance(0, 3) == 3.0F);
  REQUIRE(topics.train.relevance(0, 2) == Approx(1.0 + std::sqrt(2.0)));
  REQUIRE(topics.train.relevance(0, 1) == 0.0F);
  REQUIRE(topics.train.take({2, 3}).relevance(0, 1) == Approx(1.0 + std::sqrt(2.0)));
}

TEST_CASE("Wikipedia folders are checked before anything is trained") {
  const scratch folder;
  const fs::path set = folder.path / "wikipedia";
  write_wikipedia(set);
  REQUIRE_THROWS_WITH(load(folder.path, "emoji", false), Contains("holds no emoji"));
  write_npy<std::int32_t>(set / "train_categories.npy", "(3,)", {1, 2, 1});
  REQUIRE_THROWS_WITH(load(folder.path, "wikipedia", false),
                      Contains("train_categories.npy: 3 rows, expected 4"));
  write_npy<std::int32_t>(set / "train_categories.npy", "(4,)", {1, 2, -1, 1});
  REQUIRE_THROWS_WITH(load(folder.path, "wikipedia", false), Contains("category -1"));
  write_wikipedia(set);
  write_npy<float>(set / "test_images.npy", "(2, 1)", {1, 2});
  REQUIRE_THROWS_WITH(load(folder.path, "wikipedia", false),
                      Contains("test_images.npy: 1 columns, expected 2"));
  write_wikipedia(set);
  write_npy<float>(set / "test_texts_lda100.npy", "(1, 2)", {1, 2});
  REQUIRE_THROWS_WITH(load(folder.path, "wikipedia", true),
                      Contains("test_texts_lda100.npy: 1 rows, expected 2"));
}

TEST_CASE("the emoji set is graded by emoji, subcategory and category") {
  const dataset data = load(RANKLOSS_EXAMPLE_DATA, "emoji", false);
  REQUIRE(data.train.image_count() == 1172);
  REQUIRE(data.test.caption_count() == 1600);
  const std::vector<float> grades = data.test.grades();
  REQUIRE(grades.size() == 400 * 1600);
  REQUIRE(std::count(grades.begin(), grades.end(), 3.0F) == 1600);
  REQUIRE(std::count(grades.begin(), grades.end(), 2.0F) > 1600);
  REQUIRE(std::count(grades.begin(), grades.end(), 0.0F) > 300000);
  REQUIRE_THROWS_WITH(load(RANKLOSS_EXAMPLE_DATA, "emoji", true), Contains("has no topics"));
}

TEST_CASE("without categories only an image's own texts are relevant") {
  documents set = toy(3, 1);
  set.categories.clear();
  set.subcategories.clear();
  REQUIRE(set.grades() == std::vector<float>{1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1});
}

TEST_CASE("the evaluator counts as the definitions do") {
  const documents set = toy(12, 5);
  rankloss::context context;
  const evaluator measure(set);
  const quality found = measure(set.images, set.captions, context);
  const matrix<float> similarity = set.images * set.captions.transpose();
  const std::vector<float> grades = set.grades();

  double map = 0.0, ndcg = 0.0;
  std::vector<double> of_document(12);
  for (std::size_t i = 0; i < 12; ++i) {
    std::vector<float> s, y;
    for (std::size_t c = 0; c < 24; ++c) {
      s.push_back(similarity(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(c)));
      y.push_back(grades[i * 24 + c]);
    }
    const plain query(s, y);
    map += query.precision / 12.0;
    ndcg += query.ndcg / 12.0;
    of_document[i] += 0.5 * query.precision;
  }
  REQUIRE(found.images.map == Approx(map));
  REQUIRE(found.images.ndcg10 == Approx(ndcg));
  map = ndcg = 0.0;
  for (std::size_t c = 0; c < 24; ++c) {
    std::vector<float> s, y;
    for (std::size_t i = 0; i < 12; ++i) {
      s.push_back(similarity(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(c)));
      y.push_back(grades[i * 24 + c]);
    }
    const plain query(s, y);
    map += query.precision / 24.0;
    ndcg += query.ndcg / 24.0;
    of_document[c / 2] += 0.25 * query.precision;
  }
  REQUIRE(found.texts.map == Approx(map));
  REQUIRE(found.texts.ndcg10 == Approx(ndcg));
  for (std::size_t d = 0; d < 12; ++d) REQUIRE(found.precision_of[d] == Approx(of_document[d]));
  REQUIRE(found.map() ==
          Approx(std::accumulate(found.precision_of.begin(), found.precision_of.end(), 0.0) / 12.0));
  // The precision falls with the recall, and is that of the best prefix at recall 0.
  for (std::size_t p = 1; p < recall_points; ++p)
    REQUIRE(found.images.precision[p] <= found.images.precision[p - 1]);
  REQUIRE(found.images.precision[recall_points - 1] >= 1.0 / 3.0 - 1e-9);
}

TEST_CASE("a perfect model has 1 everywhere, and chance what its share of relevant items is") {
  documents set = toy(12, 7);
  set.subcategories.clear();
  rankloss::context context;
  matrix<float> one(12, 3), two(24, 3);
  one.setZero();
  two.setZero();
  for (Eigen::Index i = 0; i < 12; ++i) one(i, i % 3) = 1.0F;
  for (Eigen::Index c = 0; c < 24; ++c) two(c, (c / 2) % 3) = 1.0F;
  const evaluator measure(set);
  const quality best = measure(one, two, context);
  REQUIRE(best.map() == Approx(1.0));
  REQUIRE(best.ndcg10() == Approx(1.0));
  REQUIRE(best.images.recall[0] == Approx(1.0));
  REQUIRE(best.texts.precision[recall_points - 1] == Approx(1.0));
  const quality chance = measure.chance(context);
  REQUIRE(chance.texts.recall[0] == Approx(1.0 / 3.0));
  REQUIRE(chance.images.precision[5] == Approx(1.0 / 3.0));
}

TEST_CASE("differences are those from the baseline with the best validation") {
  const auto row = [](const char* name, bool baseline, double validation, double value) {
    quality q;
    q.precision_of = {value, value, value};
    q.ndcg_of = q.precision_of;
    q.images.map = q.texts.map = value;
    return result{.name = name, .baseline = baseline, .runs = {q}, .validation = validation};
  };
  report r{.set = "toy",
           .rows = {row("a", true, 0.2, 0.6), row("b", true, 0.3, 0.4), row("c", false, 0.9, 0.7)}};
  r.compare(100, 1);
  REQUIRE(r.against == 1);
  REQUIRE(r.map[2].value == Approx(0.3));
  REQUIRE(r.map[2].low == Approx(0.3));
  REQUIRE(r.map[0].value == Approx(0.2));
}

TEST_CASE("the transposed form of NeuralNDCG is the same number as the normal form") {
  // Normal: the discounts meet the sorted gains P g. Transposed: the gains meet the discounts of the items,
  // P' d.
  random_stream random(11, 0);
  const std::size_t n = 20;
  std::vector<double> scores(n), gains(n), discounts(n), of_items(n);
  std::vector<float> grades(n);
  for (std::size_t i = 0; i < n; ++i) {
    scores[i] = random.normal();
    grades[i] = static_cast<float>(random.below(4));
    gains[i] = std::exp2(grades[i]) - 1.0;
    discounts[i] = 1.0 / std::log2(static_cast<double>(i) + 2.0);
  }
  const rankloss::neural_ndcg loss{.temperature = 0.3};
  rankloss::sort_apply_transposed(
      rankloss::sinkhorn{.sort = {.temperature = 0.3}, .steps = loss.steps, .tolerance = loss.tolerance},
      scores, discounts, of_items);
  const double dcg = std::inner_product(gains.begin(), gains.end(), of_items.begin(), 0.0);
  std::vector<double> sorted = gains;
  std::sort(sorted.rbegin(), sorted.rend());
  const double ideal = std::inner_product(sorted.begin(), sorted.end(), discounts.begin(), 0.0);

  const std::vector<std::size_t> offsets{0, n};
  const rankloss::list_batch<double, float> list{.scores = scores, .relevance = grades, .offsets = offsets};
  REQUIRE(rankloss::evaluate(loss, list) == Approx(1.0 - dcg / ideal).epsilon(1e-9));
}
