// SPDX-License-Identifier: BSL-1.0
#include <catch2/catch.hpp>

#include <rankloss/evaluate.hpp>
#include <rankloss/metrics/ndcg.hpp>
#include <rankloss/random.hpp>
#include "../data.hpp"
#include "../losses.hpp"
#include "../report.hpp"
#include "../train.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <string>
#include <vector>

namespace {

using namespace ranker;
using rankloss::random_stream;

template <class T>
matrix<T> random_matrix(Eigen::Index rows, Eigen::Index columns, random_stream random) {
  matrix<T> m(rows, columns);
  for (Eigen::Index i = 0; i < m.size(); ++i) m.data()[i] = static_cast<T>(random.normal());
  return m;
}

/// Lists whose grades follow from the features.
lists toy_lists(std::size_t count, std::uint64_t seed) {
  random_stream random(seed, 0);
  lists set;
  for (std::size_t q = 0; q < count; ++q) set.offsets.push_back(set.offsets.back() + 1 + random.below(9));
  set.features =
      random_matrix<float>(static_cast<Eigen::Index>(set.offsets.back()), 5, random_stream(seed, 1));
  for (Eigen::Index i = 0; i < set.features.rows(); ++i)
    set.grades.push_back(static_cast<float>(
        std::clamp(std::floor(set.features(i, 0) - set.features(i, 1) + 1.0F), 0.0F, 4.0F)));
  return set;
}

TEST_CASE("the gradient of the parameters is that of finite differences") {
  const lists set = toy_lists(6, 3);
  const matrix<double> features = set.features.cast<double>();
  for (const std::vector<std::size_t>& hidden : {std::vector<std::size_t>{}, {7}, {6, 4}}) {
    net<double> model(5, hidden, random_stream(1, 1));
    // No ReLU near its kink.
    model.parameters() += 0.01;
    const vector<double> weights = random_matrix<double>(features.rows(), 1, random_stream(1, 2)).col(0);
    const auto value = [&] { return std::log1p(std::exp(model(features).dot(weights) / 10.0)); };
    net<double>::tape tape;
    model.forward(features, tape);
    const double slope = 1.0 - 1.0 / std::exp(value());
    const vector<double> upstream = slope / 10.0 * weights;
    parameter_array<double> gradient;
    model.backward(features, tape, upstream, gradient);
    REQUIRE(gradient.size() == model.parameters().size());
    for (Eigen::Index p = 0; p < gradient.size(); ++p) {
      const double kept = model.parameters()(p);
      constexpr double step = 1e-6;
      model.parameters()(p) = kept + step;
      const double above = value();
      model.parameters()(p) = kept - step;
      const double below = value();
      model.parameters()(p) = kept;
      REQUIRE(gradient(p) == Approx((above - below) / (2.0 * step)).margin(1e-7));
    }
  }
}

TEST_CASE("along the gradient each loss changes as fast as the gradient says") {
  const lists set = toy_lists(12, 5);
  rankloss::context context;
  for (const loss_entry& entry : all_losses()) {
    INFO(entry.name);
    net<float> model(5, {8}, random_stream(2, 1));
    const list_loss loss = entry.make(1.0);
    net<float>::tape tape;
    model.forward(set.features, tape);
    vector<float> slopes(tape.scores.size());
    loss(set.with(tape.scores),
         {.gradient = std::span(slopes.data(), static_cast<std::size_t>(slopes.size()))}, context);
    parameter_array<float> gradient;
    model.backward(set.features, tape, slopes, gradient);
    const double squares = static_cast<double>(gradient.square().sum());
    REQUIRE(squares > 0.0);
    const auto along = [&](double step) {
      net<float> moved = model;
      moved.parameters() += static_cast<float>(step) * gradient;
      return loss(set.with(moved(set.features)), {}, context);
    };
    const double step = 1e-3 / std::sqrt(squares);
    REQUIRE((along(step) - along(-step)) / (2.0 * step * squares) == Approx(1.0).epsilon(0.02));
  }
}

TEST_CASE("every loss has its name once, scales to choose from, and teaches") {
  const dataset data = make(7);
  const fold f = make_fold(data, 0);
  rankloss::context context;
  std::set<std::string> names;
  for (const loss_entry& entry : all_losses()) {
    INFO(entry.name);
    REQUIRE(names.insert(entry.name).second);
    REQUIRE(!entry.scales.empty());
    const trained before = train(f, entry.make(1.0), {.hidden = {}, .epochs = 1, .rate = 0.0}, context,
                                 [](const train_state&) {});
    const trained after = train(f, entry.make(1.0), {.hidden = {}, .epochs = 10, .rate = 3e-2}, context,
                                [](const train_state&) {});
    REQUIRE(after.validation > before.validation + 0.05);
  }
  REQUIRE(find_losses("all").size() == all_losses().size());
  REQUIRE(find_losses("sndcg,ranknet").front().name == "ranknet");
  using Catch::Contains;
  REQUIRE_THROWS_WITH(find_losses("sndgc"), Contains("no loss 'sndgc'") && Contains("sndcg"));
}

TEST_CASE("training depends on the seed and on nothing else") {
  const fold f = make_fold(make(7), 1);
  const list_loss loss = find_losses("sndcg").front().make(0.3);
  const auto parameters = [&](std::uint64_t seed) {
    rankloss::context context;
    return train(f, loss, {.hidden = {9, 5}, .epochs = 4, .seed = seed}, context, [](const train_state&) {})
        .model.parameters();
  };
  const parameter_array<float> one = parameters(1);
  std::vector<std::vector<char>> clutter;
  for (std::size_t i = 1; i < 8; ++i) {
    clutter.emplace_back(24 + 16 * i);  // moves what is allocated next
    REQUIRE((one == parameters(1)).all());
  }
  REQUIRE((one != parameters(2)).any());
}

TEST_CASE(
    "training stops when the validation lists have been no better for so long, and keeps the best model") {
  const fold f = make_fold(make(7), 2);
  rankloss::context context;
  std::vector<double> seen;
  const trained found = train(f, find_losses("ranknet").front().make(1.0),
                              {.hidden = {16}, .epochs = 1000, .patience = 3, .rate = 1e-2}, context,
                              [&](const train_state& state) { seen.push_back(state.validation); });
  REQUIRE(seen.size() == found.epoch + 3);
  REQUIRE(found.validation == *std::max_element(seen.begin(), seen.end()));
  const double again = rankloss::evaluate(rankloss::metrics::ndcg{.cutoff = 10},
                                          f.validation.with(found.model(f.validation.features)), {}, context);
  REQUIRE(again == found.validation);
}

TEST_CASE("features are standardised list by list, and equal ones become 0") {
  lists set = toy_lists(20, 9);
  set.features.array() = set.features.array() * 3.0F + 100.0F;
  set.features.col(2).setConstant(0.1F);
  standardise(set);
  for (std::size_t q = 0; q < set.count(); ++q) {
    const auto rows = set.features.middleRows(static_cast<Eigen::Index>(set.offsets[q]),
                                              static_cast<Eigen::Index>(set.offsets[q + 1] - set.offsets[q]));
    REQUIRE(rows.allFinite());
    REQUIRE(rows.col(2).isZero(0.0F));
    if (rows.rows() == 1) {
      REQUIRE(rows.isZero(0.0F));
      continue;
    }
    REQUIRE(std::abs(rows.col(0).mean()) < 1e-5F);
    REQUIRE(rows.col(0).squaredNorm() / static_cast<float>(rows.rows()) == Approx(1.0F).epsilon(1e-3));
  }
}

TEST_CASE("each part is trained on in three folds, stopped by in one and tested in one") {
  const dataset data = make(3);
  std::size_t tested = 0;
  for (std::size_t f = 0; f < 5; ++f) {
    const fold now = make_fold(data, f);
    REQUIRE(now.validation.features == data.parts[(f + 3) % 5].features);
    REQUIRE(now.test.features == data.parts[(f + 4) % 5].features);
    tested += now.test.count();
    std::size_t expected = 0;
    for (std::size_t p = 0; p < 3; ++p)
      for (std::size_t q = 0; q < data.parts[(f + p) % 5].count(); ++q)
        expected += data.parts[(f + p) % 5].has_relevance(q) ? 1 : 0;
    REQUIRE(now.train.count() == expected);
    REQUIRE(now.train.offsets.back() == now.train.items());
    REQUIRE(static_cast<std::size_t>(now.train.features.rows()) == now.train.items());
    for (std::size_t q = 0; q < now.train.count(); ++q) REQUIRE(now.train.has_relevance(q));
  }
  REQUIRE(tested == 300);
  REQUIRE(make(4).parts[0].grades != data.parts[0].grades);
  for (const float y : data.parts[0].grades) REQUIRE((y >= 0.0F && y <= 4.0F && y == std::floor(y)));
}

TEST_CASE("a batch takes whole lists") {
  const lists all = toy_lists(8, 4);
  lists batch;
  const std::vector<std::size_t> chosen{5, 0};
  batch.take(all, chosen);
  REQUIRE(batch.count() == 2);
  const std::size_t size = all.offsets[6] - all.offsets[5];
  REQUIRE(batch.offsets[1] == size);
  REQUIRE(
      batch.features.topRows(static_cast<Eigen::Index>(size)) ==
      all.features.middleRows(static_cast<Eigen::Index>(all.offsets[5]), static_cast<Eigen::Index>(size)));
  REQUIRE(std::equal(batch.grades.begin(), batch.grades.begin() + static_cast<std::ptrdiff_t>(size),
                     all.grades.begin() + static_cast<std::ptrdiff_t>(all.offsets[5])));
}

TEST_CASE("lists are measured by the exact metrics, those without relevance not at all") {
  lists set;
  set.grades = {0, 2, 1, 0, 0, 0, 1};
  set.offsets = {0, 3, 5, 7};
  set.features = matrix<float>::Zero(7, 1);
  vector<float> scores(7);
  scores << 3, 2, 1, 0, 0, 5, 5;
  rankloss::context context;
  const std::vector<quality> q = measure(set, scores, context);
  REQUIRE(q.size() == 2);
  const double log3 = std::log2(3.0);
  REQUIRE(q[0].values[quality::ndcg1] == 0.0);
  REQUIRE(q[0].values[quality::ndcg10] == Approx((3.0 / log3 + 0.5) / (3.0 + 1.0 / log3)));
  REQUIRE(q[0].values[quality::map] == Approx((1.0 / 2.0 + 2.0 / 3.0) / 2.0));
  REQUIRE(q[1].values[quality::ndcg1] == Approx(0.5));  // a tie: half of the orders
  REQUIRE(q[1].values[quality::map] == Approx(0.75));
}

TEST_CASE("the interval of a difference: right for the mean of many draws, 0 for the same lists") {
  random_stream random(1, 1);
  std::vector<double> a(400);
  for (double& x : a) x = 0.1 + random.normal();
  const std::vector<double> zero(400);
  const double mean = std::accumulate(a.begin(), a.end(), 0.0) / 400.0;
  double squares = 0.0;
  for (const double x : a) squares += (x - mean) * (x - mean);
  const double error = std::sqrt(squares / 400.0) / 20.0;  // of the mean
  const interval found = bootstrap(a, zero, 20000, 1);
  REQUIRE(found.value == Approx(mean));
  REQUIRE(found.low == Approx(mean - 1.96 * error).margin(0.1 * error));
  REQUIRE(found.high == Approx(mean + 1.96 * error).margin(0.1 * error));
  const interval same = bootstrap(a, a, 200, 1);
  REQUIRE(same.value == 0.0);
  REQUIRE(same.low == 0.0);
  REQUIRE(same.high == 0.0);
  REQUIRE(bootstrap(a, zero, 100, 1).low == bootstrap(a, zero, 100, 1).low);
  REQUIRE(bootstrap(a, zero, 100, 1).low != bootstrap(a, zero, 100, 2).low);
}

TEST_CASE("mean over lists and seeds, and the deviation of the seeds") {
  result r{.name = "x", .runs = {std::vector<quality>(2), std::vector<quality>(2)}};
  r.runs[0][0].values[quality::map] = 1.0;
  r.runs[0][1].values[quality::map] = 0.0;
  r.runs[1][0].values[quality::map] = 1.0;
  r.runs[1][1].values[quality::map] = 0.5;
  REQUIRE(r.mean(quality::map) == Approx(0.625));
  REQUIRE(r.per_list(quality::map) == std::vector<double>{1.0, 0.25});
  REQUIRE(r.deviation(quality::map) == Approx(0.25 / std::sqrt(2.0)));
}

}  // namespace
