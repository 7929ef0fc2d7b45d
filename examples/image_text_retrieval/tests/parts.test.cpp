// SPDX-License-Identifier: BSL-1.0
#include <catch2/catch.hpp>

#include <rankloss/random.hpp>
#include "../../support/adam.hpp"
#include "../../support/cca.hpp"
#include "../../support/csv.hpp"
#include "../../support/head.hpp"
#include "../../support/npy.hpp"
#include "../data.hpp"
#include "../losses.hpp"
#include "../report.hpp"
#include "../train.hpp"

#include <rankloss/threads.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace retrieval;
using examples::adam;
using examples::cca;
using examples::parameter_array;
using examples::projection;
using rankloss::random_stream;
namespace fs = std::filesystem;

matrix<double> random_matrix(Eigen::Index rows, Eigen::Index columns, random_stream& random) {
  matrix<double> m(rows, columns);
  for (Eigen::Index i = 0; i < m.size(); ++i) m.data()[i] = random.normal();
  return m;
}

/// A folder that is gone after the test.
struct scratch {
  fs::path path = fs::temp_directory_path() /
                  ("image_text_retrieval_" + std::to_string(reinterpret_cast<std::uintptr_t>(this)));
  scratch() { fs::create_directories(path); }
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;
  ~scratch() { fs::remove_all(path); }
};

void write(const fs::path& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

template <class T>
std::string npy(std::string shape, const std::vector<T>& values, const std::string& type = "<f4",
                const std::string& order = "False") {
  std::string header = "{'descr': '" + type + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }";
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  const auto size = static_cast<std::uint16_t>(header.size());
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes.append(reinterpret_cast<const char*>(&size), 2);
  bytes += header;
  bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  return bytes;
}

/// A small set: images of 3 groups, captions that are noisy copies of another view of them.
pairs toy_pairs(std::size_t images, std::uint64_t seed) {
  random_stream random(seed, 0);
  pairs set;
  set.captions_per_image = 2;
  const auto n = static_cast<Eigen::Index>(images);
  set.images = random_matrix(n, 6, random).cast<float>();
  const matrix<float> mixing = random_matrix(6, 5, random).cast<float>();
  set.captions.resize(2 * n, 5);
  for (Eigen::Index c = 0; c < 2 * n; ++c)
    set.captions.row(c) = set.images.row(c / 2) * mixing + 0.3F * random_matrix(1, 5, random).cast<float>();
  for (std::size_t i = 0; i < images; ++i) {
    set.categories.push_back(static_cast<int>(i % 3));
    set.subcategories.push_back(static_cast<int>(i % 6));
  }
  return set;
}

loss_of_run named(const std::string& option, const loss_options& options = {}) {
  const std::vector<named_loss> found = chosen_losses({option});
  REQUIRE(found.size() == 1);
  return found.front().make(options);
}
batch_loss mixed_loss() { return named("both", {.weight = 0.5, .temperature = 0.1}).loss; }

two_towers toy_towers() {
  return {head<float>({.features = 6, .outputs = 4}, random_stream(1, 2)),
          head<float>({.features = 5, .outputs = 4}, random_stream(1, 3))};
}

}  // namespace

TEST_CASE("gradients of a head are the slopes of its output") {
  const auto [hidden, linear] =
      GENERATE(std::pair<std::size_t, bool>{0, true}, std::pair<std::size_t, bool>{7, false},
               std::pair<std::size_t, bool>{7, true});
  CAPTURE(hidden, linear);
  random_stream random(3, hidden);
  head<double> tower({.features = 5, .outputs = 4, .hidden = hidden, .linear = linear}, random);
  for (double& p : tower.parameters()) p += 0.1 * random.normal();  // biases too
  matrix<double> features = random_matrix(6, 5, random);
  features.row(2).setZero();
  const matrix<double> weights = random_matrix(6, 4, random);
  head<double>::tape kept;
  const auto value = [&] {
    tower.forward(features, kept);
    return (kept.output.array() * weights.array()).sum();
  };

  tower.forward(features, kept);
  parameter_array<double> gradient;
  tower.backward(features, kept, weights, gradient);

  const double step = 1e-6;
  REQUIRE(gradient.size() == tower.parameters().size());
  for (Eigen::Index i = 0; i < gradient.size(); ++i) {
    double& p = tower.parameters()[i];
    const double at = p;
    p = at + step;
    const double above = value();
    p = at - step;
    const double below = value();
    p = at;
    INFO("parameter " << i);
    REQUIRE(gradient[i] == Approx((above - below) / (2.0 * step)).margin(1e-7));
  }
}

TEST_CASE("a head that gives nothing has output 0, also at unit length, and its weights gradient 0") {
  head<double> tower({.features = 3, .outputs = 2}, random_stream(1, 1));
  const matrix<double> features = matrix<double>::Zero(2, 3);
  head<double>::tape kept;
  tower.forward(features, kept);
  parameter_array<double> gradient;
  tower.backward(features, kept, matrix<double>::Ones(2, 2), gradient);
  REQUIRE(kept.output.isZero(0.0));
  REQUIRE(tower.unit(features).isZero(0.0));
  REQUIRE(gradient.head(2).isConstant(2.0));  // the bias a
  REQUIRE(gradient.tail(6).isZero(0.0));
}

TEST_CASE("a head made of a projection does what it does") {
  random_stream random(5, 0);
  const projection start{random_matrix(1, 5, random), random_matrix(5, 3, random)};
  const matrix<double> features = random_matrix(4, 5, random);
  const matrix<double> embedded = ((features.rowwise() - start.mean) * start.weights).rowwise().normalized();
  REQUIRE(head<double>(start, 0, random).unit(features).isApprox(embedded, 1e-12));
  REQUIRE(head<double>(start, 9, random).unit(features).isApprox(embedded, 1e-12));
}

TEST_CASE("Adam walks down a bowl, and decay leads back to the start") {
  using array = parameter_array<double>;
  array x{{3.0, -2.0}};
  const array lowest{{1.0, 0.5}};
  const array steepness{{1.0, 4.0}};
  adam<double> free(x, 0.0);
  for (int i = 0; i < 2000; ++i) free.step(x, steepness * (x - lowest), 0.02);
  REQUIRE(x.isApprox(lowest, 1e-3));

  array y{{3.0}};
  adam<double> pulled(y, 1.0);
  y[0] = 5.0;
  for (int i = 0; i < 1000; ++i) pulled.step(y, array::Zero(1), 0.02);
  REQUIRE(y[0] == Approx(3.0).margin(1e-6));
}

TEST_CASE("CCA finds the directions that two views share") {
  // Both views hold the same signal, hidden in larger noise of their own.
  random_stream random(7, 0);
  const Eigen::Index n = 2000;
  pairs set;
  const matrix<double> signal = random_matrix(n, 1, random);
  matrix<double> images = 3.0 * random_matrix(n, 3, random);
  matrix<double> captions = 3.0 * random_matrix(n, 4, random);
  images.col(1) = signal;
  captions.col(2) = signal;
  set.images = images.cast<float>();
  set.captions = captions.cast<float>();
  const cca fit = examples::fit_cca(set.images, set.captions, 1, 1e-6, 0.0);
  const matrix<double> u = (images.rowwise() - fit.images.mean) * fit.images.weights;
  const matrix<double> v = (captions.rowwise() - fit.captions.mean) * fit.captions.weights;
  REQUIRE(u.squaredNorm() / static_cast<double>(n) == Approx(1.0).margin(1e-3));
  REQUIRE((u.array() * v.array()).sum() / static_cast<double>(n) > 0.99);
}

TEST_CASE("training is the same for any number of threads and anywhere in memory, and depends on the seed") {
  const pairs set = toy_pairs(40, 11);
  const auto trained = [&](std::size_t threads, std::uint64_t seed) {
    two_towers towers{head<float>({.features = 6, .outputs = 7}, random_stream(1, 2)),
                      head<float>({.features = 5, .outputs = 7, .hidden = 9}, random_stream(1, 3))};
    rankloss::context context{rankloss::threads(threads)};
    train(towers, set, {}, mixed_loss(), {.epochs = 3, .batch = 32, .seed = seed}, context,
          [](const train_state&) {});
    return towers.captions.parameters();
  };
  const parameter_array<float> one = trained(1, 1);
  std::vector<std::vector<char>> clutter;
  for (std::size_t i = 1; i < 20; ++i) {
    clutter.emplace_back(24 + 16 * i);  // moves what is allocated next
    REQUIRE((one == trained(1 + i % 3, 1)).all());
  }
  REQUIRE((one != trained(1, 2)).any());
}

TEST_CASE("training tells of every pair once an epoch and brings the loss down") {
  const pairs set = toy_pairs(40, 13);
  const named_loss loss = GENERATE(from_range(chosen_losses({"every"})));
  CAPTURE(loss.option);
  two_towers towers = toy_towers();
  rankloss::context context;
  std::vector<double> losses;
  std::size_t pairs_seen = 0;
  const loss_of_run now = loss.make({.weight = 0.5, .temperature = 0.1});
  train(towers, set, {}, now.loss, {.epochs = 30, .batch = 0, .rate = 0.05}, context,
        [&](const train_state& state) {
          pairs_seen = state.pairs;
          if (state.epoch_ends) losses.push_back(state.loss);
        });
  REQUIRE(losses.size() == 30);
  REQUIRE(pairs_seen == 30 * 80);
  // How low a loss can come in four dimensions depends on the loss.
  REQUIRE(losses.back() < (loss.option == "both" ? 0.5 : 0.95) * losses.front());
}

TEST_CASE("a temperature is learned where the loss says so, and stays at 0.01 or above") {
  const pairs set = toy_pairs(40, 13);
  const auto learned_by = [&](const std::string& option, const loss_options& options) {
    two_towers towers = toy_towers();
    rankloss::context context;
    const loss_of_run run = named(option, options);
    train(towers, set, {}, run.loss, {.epochs = 20, .batch = 0, .rate = 0.05}, context,
          [](const train_state&) {});
    return run.learned ? std::optional<learned_numbers>(*run.learned) : std::nullopt;
  };
  for (const named_loss& loss : all_losses())
    REQUIRE(learned_by(loss.option, {}).has_value() ==
            (loss.option == "infonce-learned" || loss.option == "siglip"));
  const learned_numbers infonce = *learned_by("infonce-learned", {.learned_rate = 0.05});
  REQUIRE_FALSE(infonce.has_bias);
  REQUIRE(std::abs(infonce.temperature - 0.07) > 0.01);
  REQUIRE(learned_by("infonce-learned", {.learned_rate = 5.0})->temperature >= 0.01 * (1.0 - 1e-12));
  REQUIRE(learned_by("infonce-learned", {.learned_rate = 0.0})->temperature == Approx(0.07));
  const learned_numbers siglip = *learned_by("siglip", {.learned_rate = 0.05});
  REQUIRE(siglip.has_bias);
  REQUIRE(siglip.temperature != 0.1);
  REQUIRE(siglip.bias != -10.0);
}

TEST_CASE("a run of a loss that learns does not go on from the last") {
  const pairs set = toy_pairs(40, 13);
  const auto trained = [&] {
    two_towers towers = toy_towers();
    rankloss::context context;
    train(towers, set, {}, named("siglip").loss, {.epochs = 3, .batch = 16}, context,
          [](const train_state&) {});
    return towers.images.parameters();
  };
  const parameter_array<float> first = trained();
  REQUIRE((first == trained()).all());
}

TEST_CASE("names of losses are chosen once each, in the order of the table") {
  const auto options_of = [](const std::vector<std::string>& names) {
    std::vector<std::string> found;
    for (const named_loss& loss : chosen_losses(names)) found.push_back(loss.option);
    return found;
  };
  using list = std::vector<std::string>;
  REQUIRE(options_of({"all"}) == list{"triplet", "sndcg", "both"});
  REQUIRE(options_of({"cmpm", "triplet", "cmpm"}) == list{"triplet", "cmpm"});
  REQUIRE(options_of({"all", "siglip"}) == list{"triplet", "sndcg", "both", "siglip"});
  REQUIRE(options_of({"every"}).size() == all_losses().size());
}

TEST_CASE("relevance of a batch is that of its pairs in the set, by rows and by columns") {
  const pairs set = toy_pairs(5, 3);  // 10 captions
  std::vector<float> relevance(50);
  std::iota(relevance.begin(), relevance.end(), 0.0F);
  examples::towers_batch batch;
  batch.gather(set, std::vector<std::size_t>{9, 2, 3}, {0, 1, 2, 3, 4});
  REQUIRE(batch.images == std::vector<std::size_t>{1, 4});
  rankloss::context context;
  const examples::batch_relevance grades(relevance, 10, batch);
  std::vector<float> row(3);
  grades.rows(1, 1, row, context);
  REQUIRE(row == std::vector<float>{49, 42, 43});
  std::vector<float> columns(4);
  grades.columns(1, 2, columns, context);
  REQUIRE(columns == std::vector<float>{12, 42, 13, 43});
}

TEST_CASE("scratch does not grow with the square of a batch") {
  const auto scratch_of = [](std::size_t images, const std::string& option) {
    const pairs set = toy_pairs(images, 5);
    const std::vector<float> relevance(option == "both" ? images * 2 * images : 0, 0.5F);
    two_towers towers = toy_towers();
    rankloss::context context;
    train(towers, set, relevance, named(option).loss, {.epochs = 1, .batch = 0}, context,
          [](const train_state&) {});
    return static_cast<double>(context.scratch_capacity());
  };
  for (const char* option : {"both", "infonce", "siglip"}) {
    CAPTURE(option);
    REQUIRE(scratch_of(3200, option) < 2.5 * scratch_of(1600, option));
    REQUIRE(scratch_of(3200, option) < 0.3 * 3200 * 6400 * sizeof(float));
  }
}

TEST_CASE("the evaluator knows a perfect model, and what chance is") {
  const pairs set = toy_pairs(30, 17);
  rankloss::context context;
  const evaluator measure(set, context);
  matrix<float> images = matrix<float>::Identity(30, 30);
  matrix<float> captions(60, 30);
  for (Eigen::Index c = 0; c < 60; ++c) captions.row(c) = images.row(c / 2);
  const quality best = measure(images, captions);
  REQUIRE(best.values[quality::rsum] == Approx(600.0));
  const quality chance = measure.chance();
  REQUIRE(chance.values[quality::text_r1] == Approx(100.0 / 30.0));
  REQUIRE(chance.values[quality::text_r10] == Approx(1000.0 / 30.0));
  REQUIRE(chance.values[quality::image_r1] == Approx(100.0 * 2.0 / 60.0));
  REQUIRE(chance.values[quality::image_ndcg] < best.values[quality::image_ndcg]);
}

TEST_CASE("rsum is the mean of what its images have of it, and a row differs from itself by nothing") {
  const pairs set = toy_pairs(30, 17);
  rankloss::context context;
  const evaluator measure(set, context);
  random_stream random(5, 0);
  const matrix<float> images = random_matrix(30, 8, random).cast<float>();
  const matrix<float> captions = random_matrix(60, 8, random).cast<float>();
  const quality some = measure(images, captions);
  for (const quality& q : {some, measure.chance()}) {
    REQUIRE(q.rsum_by_image.size() == 30);
    double sum = 0.0;
    for (const double of_image : q.rsum_by_image) sum += of_image;
    REQUIRE(sum / 30.0 == Approx(q.values[quality::rsum]));
  }
  const result found{.name = "x", .runs = {some, some}, .seconds = {}};
  const result chance{.name = "chance", .runs = {measure.chance()}, .seconds = {}};
  REQUIRE(compare(found, found, 200, 1).high == 0.0);
  const examples::interval d = compare(found, chance, 200, 1);
  REQUIRE(d.value == Approx(found.mean(quality::rsum) - chance.mean(quality::rsum)));
  REQUIRE(d.low < d.value);
  REQUIRE(d.value < d.high);
}

TEST_CASE("NDCG of judged pairs looks at these alone") {
  pairs set;
  set.images = matrix<float>::Zero(3, 1);
  set.captions = matrix<float>::Zero(3, 1);
  set.judged = {{0, 0, 3.0F}, {0, 2, 1.0F}, {1, 2, 0.0F}};
  rankloss::context context;
  const evaluator measure(set, context);
  // Image 0 puts the unjudged caption 1 first, then 2, then 0: of the judged the lesser one first. Image 1 has no relevant caption.
  matrix<float> images(3, 3);
  images << 0.1F, 0.9F, 0.5F, 0.0F, 0.0F, 0.0F, 0.0F, 0.0F, 0.0F;
  const quality q = measure(images, matrix<float>::Identity(3, 3));
  const double log3 = std::log2(3.0);
  REQUIRE(q.values[quality::image_ndcg] == Approx(100.0 * (1.0 + 7.0 / log3) / (7.0 + 1.0 / log3)));
  REQUIRE(q.values[quality::text_ndcg] == Approx(100.0));
}

TEST_CASE("mean and deviation of several runs") {
  result r{.name = "x", .runs = std::vector<quality>(3), .seconds = {}};
  r.runs[0].values[quality::rsum] = 1.0;
  r.runs[1].values[quality::rsum] = 2.0;
  r.runs[2].values[quality::rsum] = 6.0;
  REQUIRE(r.mean(quality::rsum) == Approx(3.0));
  REQUIRE(r.deviation(quality::rsum) == Approx(std::sqrt(7.0)));
}

TEST_CASE("the emoji set is what it says") {
  const dataset data = load(RANKLOSS_EXAMPLE_DATA);
  REQUIRE(data.train.image_count() == 1172);
  REQUIRE(data.test.image_count() == 400);
  REQUIRE(data.test.captions_per_image == 4);
  const graded_relevance graded = grade(data.test);
  REQUIRE(graded.captions_of_image.grades.size() == 400 * 1600);
  REQUIRE(std::set<float>(graded.captions_of_image.grades.begin(), graded.captions_of_image.grades.end()) ==
          std::set<float>{0, 1, 2, 3});
  REQUIRE(std::count(graded.images_of_caption.grades.begin(), graded.images_of_caption.grades.end(), 3.0F) ==
          1600);
}

TEST_CASE("held-out images are training images that are no longer trained on") {
  dataset data;
  data.train = toy_pairs(50, 19);
  data.test = toy_pairs(10, 23);
  data.train.judged = {{0, 0, 3.0F}, {1, 99, 1.0F}};
  data.train.sentences = 2.0F * data.train.captions;
  const dataset part = hold_out(data, 0.2, 1);
  REQUIRE(part.test.image_count() == 10);
  REQUIRE(part.train.image_count() == 40);
  const auto row_of_image = [&](const matrix<float>& images, Eigen::Index row) {
    for (Eigen::Index i = 0; i < data.train.images.rows(); ++i)
      if (data.train.images.row(i) == images.row(row)) return i;
    return Eigen::Index{-1};
  };
  std::set<Eigen::Index> seen;
  for (const pairs* side : {&part.train, &part.test})
    for (Eigen::Index i = 0; i < side->images.rows(); ++i) {
      const Eigen::Index from = row_of_image(side->images, i);
      REQUIRE(from >= 0);
      REQUIRE(seen.insert(from).second);
      REQUIRE(side->captions.middleRows(2 * i, 2) == data.train.captions.middleRows(2 * from, 2));
      REQUIRE(side->sentences.middleRows(2 * i, 2) == data.train.sentences.middleRows(2 * from, 2));
      REQUIRE(side->subcategories[static_cast<std::size_t>(i)] ==
              data.train.subcategories[static_cast<std::size_t>(from)]);
    }
  for (const pairs* side : {&part.train, &part.test})
    for (const judgement& j : side->judged)
      REQUIRE(j.grade == (row_of_image(side->images, static_cast<Eigen::Index>(j.image)) == 0 ? 3.0F : 1.0F));
  const dataset other = hold_out(data, 0.2, 2);
  REQUIRE(other.test.images != part.test.images);
}

TEST_CASE("Flickr8k folders are checked before anything is trained") {
  const scratch folder;
  const auto fill = [&](const std::string& judgements) {
    for (const char* split : {"train", "test"}) {
      write(folder.path / (std::string(split) + "_images.npy"), npy("(2, 3)", std::vector<float>(6, 0.5F)));
      write(folder.path / (std::string(split) + "_captions.npy"), npy("(4, 2)", std::vector<float>(8, 0.5F)));
    }
    write(folder.path / "judgements.csv",
          "source,image_split,image_row,caption_split,caption_row,score\n" + judgements);
  };
  using Catch::Contains;

  fill("expert,test,1,test,3,2.5\ncrowd,test,1,test,3,0\ncrowd,test,0,test,0,1\nexpert,train,0,test,1,4\n");
  const dataset data = load(folder.path);
  REQUIRE(data.train.judged.empty());
  REQUIRE(data.test.judged.size() == 2);
  REQUIRE(data.test.judged[0].grade == 3.0F);
  REQUIRE(data.test.judged[1].grade == 1.5F);  // the expert is believed

  fill("expert,test,1,test\n");
  REQUIRE_THROWS_WITH(load(folder.path), Contains("judgements.csv, line 2: 4 fields, expected 6"));
  fill("expert,test,1,test,4,2\n");
  REQUIRE_THROWS_WITH(load(folder.path), Contains("line 2: caption row 4, expected less than 4"));
  fill("expert,test,1,test,3,2\nexpert,test,1,test,3,5\n");
  REQUIRE_THROWS_WITH(load(folder.path), Contains("line 3: score 5, expected 1 to 4"));
  fill("neighbour,test,1,test,3,2\n");
  REQUIRE_THROWS_WITH(load(folder.path), Contains("source 'neighbour', expected expert or crowd"));
  fill("crowd,test,1,test,3,nan\n");
  REQUIRE_THROWS_WITH(load(folder.path), Contains("score nan"));
  fill("");
  write(folder.path / "test_captions.npy", npy("(3, 2)", std::vector<float>(6)));
  REQUIRE_THROWS_WITH(load(folder.path),
                      Contains("test_captions.npy: 3 rows, expected a multiple of the 2 rows"));
  fill("");
  write(folder.path / "test_images.npy", npy("(2, 4)", std::vector<float>(8)));
  REQUIRE_THROWS_WITH(load(folder.path), Contains("test_images.npy: 4 columns, expected 3"));
  fill("");
  write(folder.path / "train_images.npy",
        npy("(2, 3)", std::vector<float>{0, 0, 0, 0, std::numeric_limits<float>::quiet_NaN(), 0}));
  REQUIRE_THROWS_WITH(load(folder.path),
                      Contains("train_images.npy: row 1, column 1 is not a finite number"));
  fill("");
  fs::remove(folder.path / "judgements.csv");
  REQUIRE_THROWS_WITH(load(folder.path), Contains("judgements.csv: cannot be read"));
}

TEST_CASE("RSC from given vectors is what a plain computation gives") {
  pairs set = toy_pairs(7, 29);
  random_stream random(31, 0);
  set.sentences = random_matrix(14, 9, random).cast<float>();
  set.sentences.row(5).setZero();
  rankloss::context context;
  const std::vector<float> given = caption_relevance(set, context);
  const auto expect = [](const matrix<float>& vectors, const std::vector<float>& relevance) {
    REQUIRE(relevance.size() == 7 * 14);
    for (Eigen::Index i = 0; i < 7; ++i)
      for (Eigen::Index c = 0; c < 14; ++c) {
        double best = -1.0;
        for (const Eigen::Index own : {2 * i, 2 * i + 1}) {
          const double length = static_cast<double>(vectors.row(own).norm() * vectors.row(c).norm());
          const double product = static_cast<double>(vectors.row(own).dot(vectors.row(c)));
          best = std::max(best, length > 0.0 ? product / length : 0.0);
        }
        CAPTURE(i, c);
        REQUIRE(relevance[static_cast<std::size_t>(14 * i + c)] ==
                Approx(c / 2 == i ? 1.0 : 0.5 + 0.5 * best).margin(1e-6));
      }
  };
  expect(set.sentences, given);

  // Without them the captions' own features serve.
  set.sentences.resize(0, 0);
  expect(set.captions, caption_relevance(set, context));
}

TEST_CASE("vectors of sentences are read, as float32 or int8, and fit the captions") {
  const scratch folder;
  const fs::path path = folder.path / "vectors.npy";
  pairs set = toy_pairs(2, 37);  // 4 captions
  using Catch::Contains;
  const auto read = [&](const std::string& bytes) {
    write(path, bytes);
    return read_sentences(path, set);
  };
  matrix<float> expected(4, 2);
  expected << 1, -2, 3, -4, 5, -6, 7, -127;
  const std::vector<float> floats(expected.data(), expected.data() + 8);
  const std::vector<std::int8_t> bytes{1, -2, 3, -4, 5, -6, 7, -127};
  REQUIRE(read(npy("(4, 2)", floats)) == expected);
  REQUIRE(read(npy("(4, 2)", bytes, "|i1")) == expected);

  REQUIRE_THROWS_WITH(read(npy("(2, 4)", floats)),
                      Contains("vectors.npy: 2 rows, expected 4, one for each caption to train on"));
  REQUIRE_THROWS_WITH(read(npy("(8,)", floats)), Contains("has 1 dimensions, expected 2"));
  REQUIRE_THROWS_WITH(read(npy("(4, 0)", std::vector<float>{})), Contains("is empty"));
  REQUIRE_THROWS_WITH(read(npy("(4, 2)", bytes, "|u1")), Contains("holds type '|u1', expected '<f4'"));
  REQUIRE_THROWS_WITH(read(npy("(4, 3)", bytes, "|i1")), Contains("holds 8 bytes of data, expected 12"));
  std::vector<float> broken = floats;
  broken[5] = std::numeric_limits<float>::infinity();
  REQUIRE_THROWS_WITH(read(npy("(4, 2)", broken)), Contains("row 2, column 1 is not a finite number"));
  fs::remove(path);
  REQUIRE_THROWS_WITH(read_sentences(path, set), Contains("vectors.npy: cannot be read, expected"));
}

TEST_CASE("the sentences that come with the emoji are of their training texts") {
  dataset data = load(RANKLOSS_EXAMPLE_DATA);
  data.train.sentences =
      read_sentences(fs::path(RANKLOSS_EXAMPLE_DATA) / "emoji" / "train_sentences.npy", data.train);
  const pairs& train = data.train;
  REQUIRE(train.sentences.cols() == 384);
  // The four texts of an emoji say much the same, those of the next emoji something else.
  const auto texts = static_cast<Eigen::Index>(train.caption_count());
  const matrix<float> unit = train.sentences.rowwise().normalized();
  double own = 0.0;
  double other = 0.0;
  for (Eigen::Index t = 0; t < texts; ++t) {
    own += static_cast<double>(unit.row(t).dot(unit.row(t / 4 * 4 + (t + 1) % 4)));
    other += static_cast<double>(unit.row(t).dot(unit.row((t + texts / 2) % texts)));
  }
  REQUIRE(own / static_cast<double>(texts) > 0.6);
  REQUIRE(other / static_cast<double>(texts) < 0.3);
}

TEST_CASE("queries' NDCG has the mean that the table shows") {
  const pairs set = toy_pairs(12, 41);
  rankloss::context context;
  const evaluator measure(set, context);
  random_stream random(43, 0);
  const matrix<float> images = random_matrix(12, 4, random).cast<float>().rowwise().normalized();
  const matrix<float> captions = random_matrix(24, 4, random).cast<float>().rowwise().normalized();
  const quality shown = measure(images, captions);
  double sums[2] = {0.0, 0.0};
  std::size_t counts[2] = {0, 0};
  for (const query_ndcg& q : measure.of_queries(images, captions)) {
    REQUIRE(q.image == (q.by_image ? q.query : q.query / 2));
    sums[q.by_image ? 0 : 1] += q.ndcg;
    ++counts[q.by_image ? 0 : 1];
  }
  REQUIRE(counts[0] == 12);
  REQUIRE(counts[1] == 24);
  REQUIRE(sums[0] / 12.0 == Approx(shown.values[quality::image_ndcg]));
  REQUIRE(sums[1] / 24.0 == Approx(shown.values[quality::text_ndcg]));
}

TEST_CASE("npy files are read, and what is none is refused") {
  const scratch folder;
  const fs::path path = folder.path / "x.npy";
  const std::vector<float> values{1, 2, 3, 4, 5, 6};
  using Catch::Contains;
  const auto read = [&](const std::string& bytes) {
    write(path, bytes);
    return examples::read_npy<float>(path);
  };
  const auto array = read(npy("(2, 3)", values));
  REQUIRE(array.shape == std::vector<std::size_t>{2, 3});
  REQUIRE(array.values == values);
  REQUIRE(read(npy("(6,)", values)).shape == std::vector<std::size_t>{6});
  REQUIRE(read(npy("()", std::vector<float>{7})).values == std::vector<float>{7});
  REQUIRE_THROWS_WITH(read(npy("(2, 3)", values, "<f8")), Contains("holds type '<f8', expected '<f4'"));
  REQUIRE_THROWS_WITH(read(npy("(2, 3)", values, ">f4")), Contains("holds type '>f4'"));
  REQUIRE(read(npy("(2, 3)", values, "<f4", "True")).values == std::vector<float>{1, 3, 5, 2, 4, 6});
  REQUIRE_THROWS_WITH(read(npy("(1, 2, 3)", values, "<f4", "True")), Contains("is not in C order"));
  REQUIRE_THROWS_WITH(read(npy("(2, 4)", values)),
                      Contains("holds 24 bytes of data, expected 32 for shape [2, 4]"));
  REQUIRE_THROWS_WITH(read(npy("(4294967296, 4294967296)", values)), Contains("the shape is too large"));
  REQUIRE_THROWS_WITH(read(npy("(2, 3)", values).substr(0, 30)), Contains("the header is cut off"));
  REQUIRE_THROWS_WITH(read("PK"), Contains("does not begin with the .npy signature"));
  REQUIRE_THROWS_WITH(examples::read_npy<float>(folder.path / "none.npy"), Contains("cannot be read"));
}

TEST_CASE("random streams: the published values of Philox, and a fair shuffle") {
  random_stream random(0, 0);
  for (const std::uint32_t expected : {0x6627e8d5U, 0xe169c58dU, 0xbc57ac4cU, 0x9b00dbd8U})
    REQUIRE(random.bits() == expected);
  REQUIRE(random_stream(1, 0).bits() != random_stream(0, 0).bits());
  REQUIRE(random_stream(0, 1).bits() != random_stream(0, 0).bits());

  std::vector<int> first(4);
  random_stream shuffles(9, 9);
  for (int i = 0; i < 40000; ++i) {
    std::vector<int> items{0, 1, 2, 3};
    shuffles.shuffle(items);
    ++first[static_cast<std::size_t>(items[0])];
  }
  for (const int count : first) REQUIRE(std::abs(count - 10000) < 400);  // 4.6 deviations
}
