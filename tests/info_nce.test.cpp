// SPDX-License-Identifier: BSL-1.0
#include <rankloss/info_nce.hpp>

#include "support/one_list.hpp"
#include "support/peer_embeddings.hpp"
#include "support/similarity_checks.hpp"
#include "support/similarity_reference.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace info_nce_test {

using rankloss::directions;
using rankloss::evaluate;
using rankloss::info_nce;
using rankloss::list_batch;
using rankloss::positive_share;
using rankloss::similarity_batch;
using reference::real;
using support::of;

namespace {

using reals = std::vector<double>;

constexpr positive_share all_shares[] = {positive_share::outside, positive_share::inside,
                                         positive_share::separate};

/// Every way of the loss, at a temperature.
std::vector<info_nce> all_ways(double temperature) {
  std::vector<info_nce> all;
  for (const positive_share share : all_shares)
    all.push_back({.temperature = temperature, .positives = share});
  for (const double smoothing : {0.1, 1.0})
    all.push_back({.temperature = temperature, .label_smoothing = smoothing});
  for (const double prior : {0.1, 0.9})
    all.push_back(
        {.temperature = temperature, .positives = positive_share::separate, .positive_prior = prior});
  return all;
}

reference::softmax_options options_of(const info_nce& loss) {
  return {loss.temperature, static_cast<int>(loss.positives), loss.label_smoothing, loss.positive_prior};
}

}  // namespace

TEST_CASE("info_nce: values by hand") {
  const reals s{0.3, 0.1, -0.2}, y{1, 0, 0};
  const double a = std::exp(0.6), b = std::exp(0.2), c = std::exp(-0.4), z = a + b + c;
  for (const positive_share share : all_shares)
    CHECK(of(info_nce{.temperature = 0.5, .positives = share}, s, y) ==
          Approx(-std::log(a / z)).epsilon(1e-14));
  const reals two{1, 1, 0};
  CHECK(of(info_nce{.temperature = 0.5}, s, two) ==
        Approx(-0.5 * (std::log(a / z) + std::log(b / z))).epsilon(1e-14));
  CHECK(of(info_nce{.temperature = 0.5, .positives = positive_share::inside}, s, two) ==
        Approx(-std::log(0.5 * (a + b) / z)).epsilon(1e-14));
  CHECK(of(info_nce{.temperature = 0.5, .positives = positive_share::separate}, s, two) ==
        Approx(-0.5 * (std::log(a / (a + c)) + std::log(b / (b + c)))).epsilon(1e-14));
  CHECK(of(info_nce{.temperature = 0.5, .label_smoothing = 0.3}, s, y) ==
        Approx(-0.8 * std::log(a / z) - 0.1 * std::log(b / z) - 0.1 * std::log(c / z)).epsilon(1e-14));
  // Debiased: two negatives, of which a tenth is expected to be positive.
  const double rest = (b + c - 0.1 * 2 * a) / 0.9;
  CHECK(of(info_nce{.temperature = 0.5, .positives = positive_share::separate, .positive_prior = 0.1}, s,
           y) == Approx(-std::log(a / (a + rest))).epsilon(1e-14));
  // So likely a positive that the least sum of the negatives is taken.
  const double least = 2 * std::exp(-2.0);
  CHECK(of(info_nce{.temperature = 0.5, .positives = positive_share::separate, .positive_prior = 0.9}, s,
           y) == Approx(-std::log(a / (a + least))).epsilon(1e-14));
}

TEST_CASE("info_nce: CLIP's loss of a matrix, over rows and columns") {
  const std::size_t n = 6;
  const support::classed_matrix m(n, n, 1);
  double sum = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    double row = 0.0, column = 0.0;
    for (std::size_t j = 0; j < n; ++j) {
      row += std::exp(m.s[i * n + j] / 0.07);
      column += std::exp(m.s[j * n + i] / 0.07);
    }
    sum += 0.5 * (std::log(row) + std::log(column)) - m.s[i * n + i] / 0.07;
  }
  CHECK(evaluate(info_nce{}, similarity_batch<double>{.similarity = m.s, .rows = n, .columns = n}) ==
        Approx(sum / n).epsilon(1e-13));
}

TEMPLATE_TEST_CASE("info_nce: value and gradient are those of the plain sums", "", float, double) {
  for (const double t : {0.001, 0.07, 1.0, 50.0})
    for (const info_nce& loss : all_ways(t)) {
      INFO("temperature " << t << ", positives " << static_cast<int>(loss.positives) << ", smoothing "
                          << loss.label_smoothing << ", prior " << loss.positive_prior);
      // The rest of the negatives is a difference, whose digits are lost where the prior takes nearly all.
      const double digits = loss.positive_prior > 0.0 ? 300 : 4;
      support::queries_agree<TestType>(
          loss, [&](const auto& s, const auto& y) { return reference::info_nce(s, y, options_of(loss)); },
          {.digits = digits});
    }
}

TEST_CASE("info_nce: slopes by the temperature, with weights or without") {
  std::mt19937_64 random(3);
  std::uniform_real_distribution<double> cosine(-1.0, 1.0);
  for (const double t : {0.05, 0.4})
    for (const info_nce& loss : all_ways(t))
      for (const bool weighted : {false, true})
        for (const std::size_t n : {1u, 2u, 9u, 40u}) {
          reals s, y, w;
          for (std::size_t i = 0; i < n; ++i) {
            s.push_back(cosine(random));
            y.push_back(random() % 4 == 0 ? 1 : 0);
            if (weighted) w.push_back(std::exp(2 * cosine(random)));
          }
          double slope = 7.0;
          std::vector<double> g(n);
          const list_batch<double> batch{.scores = s, .relevance = y, .item_weights = w};
          const double value = evaluate(loss, batch, {.gradient = g, .temperature_gradient = &slope});
          real expected = 0;
          const auto plain = reference::info_nce(reference::widen(s), reference::widen(y), options_of(loss),
                                                 reference::widen(w), &expected);
          INFO("temperature " << t << ", positives " << static_cast<int>(loss.positives) << ", n " << n);
          CHECK(value == Approx(static_cast<double>(plain.value)).epsilon(1e-11).margin(1e-13));
          CHECK(slope == Approx(static_cast<double>(expected)).epsilon(1e-9).margin(1e-10));
          for (std::size_t i = 0; i < n; ++i)
            CHECK(g[i] == Approx(static_cast<double>(plain.gradient[i])).epsilon(1e-9).margin(1e-10));
          double alone = 7.0;
          CHECK(evaluate(loss, batch, {.temperature_gradient = &alone}) == value);
          CHECK(alone == slope);
          // And the reference's slope is that of its value.
          const real h = 1e-6L * loss.temperature;
          auto above = options_of(loss), below = above;
          above.temperature += h;
          below.temperature -= h;
          const auto at = [&](const reference::softmax_options& o) {
            return reference::info_nce(reference::widen(s), reference::widen(y), o, reference::widen(w))
                .value;
          };
          CHECK(static_cast<double>(expected) ==
                Approx(static_cast<double>((at(above) - at(below)) / (2 * h))).epsilon(1e-6).margin(1e-6));
        }
}

TEST_CASE("info_nce: an item of weight 0 is not there") {
  const reals s{0.3, 0.9, -0.2, 0.4, 0.1}, y{1, 0, 0, 1, 0}, w{2, 0, 1, 0, 0.5};
  const reals kept_s{0.3, -0.2, 0.1}, kept_y{1, 0, 0}, kept_w{2, 1, 0.5};
  for (const info_nce& loss : all_ways(0.3)) {
    std::vector<double> g(5, 7.0), kept(3, 7.0);
    CHECK(
        evaluate(loss, list_batch<double>{.scores = s, .relevance = y, .item_weights = w}, {.gradient = g}) ==
        evaluate(loss, list_batch<double>{.scores = kept_s, .relevance = kept_y, .item_weights = kept_w},
                 {.gradient = kept}));
    CHECK(g == std::vector<double>{kept[0], 0, kept[1], 0, kept[2]});
    const reals none(5, 0.0);
    CHECK(evaluate(loss, list_batch<double>{.scores = s, .relevance = y, .item_weights = none},
                   {.gradient = g}) == 0.0);
    CHECK(g == std::vector<double>(5, 0.0));
  }
}

TEST_CASE("info_nce: logQ, accidental hits and hard negatives") {
  // Two queries, their items, and one more negative.
  const reals s{0.5, 0.2, -0.1, 0.3, 0.6, 0.4};
  const reals probabilities{0.5, 0.1, 0.01};
  const info_nce loss{.temperature = 0.2, .over = directions::rows};
  similarity_batch<double> batch{.similarity = s, .rows = 2, .columns = 3, .extra_columns = true};
  const auto row = [&](std::size_t i, std::vector<int> columns, bool corrected) {
    double z = 0.0;
    const auto logit = [&](std::size_t j) {
      return s[i * 3 + j] / 0.2 - (corrected ? std::log(probabilities[j]) : 0.0);
    };
    for (const int j : columns) z += std::exp(logit(static_cast<std::size_t>(j)));
    return std::log(z) - logit(i);
  };
  CHECK(evaluate(loss, batch) == Approx(0.5 * (row(0, {0, 1, 2}, false) + row(1, {0, 1, 2}, false))));
  batch.column_probabilities = probabilities;
  CHECK(evaluate(loss, batch) == Approx(0.5 * (row(0, {0, 1, 2}, true) + row(1, {0, 1, 2}, true))));
  const std::vector<int> row_ids{7, 8}, column_ids{7, 8, 8};
  batch.row_ids = row_ids;
  batch.column_ids = column_ids;
  CHECK(evaluate(loss, batch) == Approx(0.5 * (row(0, {0, 1, 2}, true) + row(1, {0, 1}, true))));
  // Over both directions the extra column has no positive and the value 0.
  std::vector<double> per_list(5, 7.0);
  evaluate(info_nce{.temperature = 0.2}, batch, {.per_list = per_list});
  CHECK(per_list[4] == 0.0);
}

TEST_CASE("info_nce: pytorch-metric-learning's NTXentLoss and SupConLoss") {
  const peers::of_embeddings nt_xent{
      7.19196177, {2.52522612,  -1.65919721, -0.80410111, 0.138223469, 1.35805762,  1.12816381,
                   -0.3066248,  1.42257953,  0.436277568, -0.61726439, -4.23556423, 0.672405243,
                   -1.14116883, -0.89474827, 4.13253355,  -1.45694101, -1.1502918,  1.26641965,
                   1.44929862,  -3.0225687,  -0.82306576, -0.6578691,  0.120919734, -2.02511954}};
  const peers::of_embeddings supcon{
      5.37583685, {1.34804428,    -1.08994365,  -0.460051805, -0.150632173, 0.808901720,  0.443553448,
                   -0.0103846781, 0.946199656,  0.29675585,   -0.309983373, -2.28454781,  0.457730949,
                   -0.690019011,  -0.262804717, 2.37241316,   -1.03368699,  -0.688049495, 0.780256093,
                   0.606458187,   -1.88489699,  -0.565579295, -0.585347176, 0.147848576,  -1.27466214}};
  const auto cosines = peers::embedding_cosines();
  const auto batch = peers::embedding_batch(cosines);
  for (const auto over : {directions::rows, directions::both}) {
    reals g(cosines.size());
    CHECK(evaluate(info_nce{.temperature = 0.07, .positives = positive_share::separate, .over = over}, batch,
                   {.gradient = g}) == Approx(nt_xent.value).epsilon(1e-6));
    peers::check_by_embeddings(g, nt_xent);
    CHECK(evaluate(info_nce{.temperature = 0.1, .over = over}, batch, {.gradient = g}) ==
          Approx(supcon.value).epsilon(1e-6));
    peers::check_by_embeddings(g, supcon);
  }
}

TEST_CASE("info_nce: a matrix is its rows, its columns, or both") {
  for (const info_nce& loss : all_ways(0.3)) support::matrix_is_its_lists(loss);
}

TEST_CASE("info_nce: all equal, no positive, positives only, duplicates") {
  const reals level(6, 0.25);
  for (const positive_share share : all_shares) {
    const info_nce loss{.positives = share};
    std::vector<double> g(6, 7.0);
    CHECK(evaluate(loss, list_batch<double>{.scores = level, .relevance = reals(6, 0.0)}, {.gradient = g}) ==
          0.0);
    CHECK(g == std::vector<double>(6, 0.0));
    const double only_positives =
        evaluate(loss, list_batch<double>{.scores = level, .relevance = reals(6, 1.0)}, {.gradient = g});
    CHECK(only_positives == Approx(share == positive_share::separate ? 0.0 : std::log(6.0)).margin(1e-15));
    for (const double x : g) CHECK(x == Approx(0.0).margin(1e-14));
    CHECK(of(loss, level, reals{1, 0, 0, 0, 0, -2}) == Approx(std::log(6.0)).epsilon(1e-14));
    CHECK(of(loss, level, std::vector<std::int64_t>{3, 0, 0, 0, 0, 0}) ==
          Approx(std::log(6.0)).epsilon(1e-14));
    CHECK(of(loss, reals{0.4}, reals{1}) == 0.0);
    CHECK(evaluate(loss, similarity_batch<double>{}) == 0.0);
  }
  // Nearly right, and nearly wrong.
  CHECK(of(info_nce{.temperature = 0.01}, reals{0.9, 0.1}, reals{1, 0}) ==
        Approx(std::exp(-80.0)).epsilon(1e-12).margin(0));
  CHECK(of(info_nce{.temperature = 0.001}, reals{0.1, 0.9}, reals{1, 0}) == Approx(800.0).epsilon(1e-14));
}

TEST_CASE("info_nce: positives that are far from each other keep their own softmax") {
  // Of `separate` the second positive competes with a negative that is nothing beside the first one.
  const reals s{0.0, -1000.0, -900.0}, y{1, 1, 0};
  CHECK(of(info_nce{.temperature = 1, .positives = positive_share::separate}, s, y) ==
        Approx(50.0).epsilon(1e-14));
  CHECK(of(info_nce{.temperature = 1}, s, y) == Approx(500.0).epsilon(1e-14));
}

TEMPLATE_TEST_CASE("info_nce: finite whatever scores and temperature are", "", float, double) {
  for (const double t : {1e-15, 0.001, 1.0, 1e300})
    for (const info_nce& loss : all_ways(t)) support::query_stays_finite<TestType>(loss);
}

TEST_CASE("info_nce: what it refuses") {
  const reals s(6, 0.0);
  CHECK_THROWS_WITH(evaluate(info_nce{}, similarity_batch<double>{.similarity = s, .rows = 2, .columns = 3}),
                    Catch::StartsWith("rankloss: matches: none given for 2 rows and 3 columns"));
  CHECK_THROWS_WITH(of(info_nce{.temperature = 0}, s, s),
                    "rankloss: temperature: 0, expected 1e-15 to 1e300");
  CHECK_THROWS_WITH(of(info_nce{.positives = positive_share::inside, .label_smoothing = 0.1}, s, s),
                    "rankloss: label_smoothing: 0.1, expected 0 unless positives is outside");
  CHECK_THROWS_WITH(of(info_nce{.positive_prior = 0.1}, s, s),
                    "rankloss: positive_prior: 0.1, expected 0 unless positives is separate");
  CHECK_THROWS_WITH(of(info_nce{.label_smoothing = 1.5}, s, s),
                    Catch::StartsWith("rankloss: label_smoothing: 1.5, expected 0 to 1"));
  CHECK_THROWS_WITH(of(info_nce{.positives = positive_share::separate, .positive_prior = 1.0}, s, s),
                    "rankloss: positive_prior: 1, expected 0 to 0.99");
}

}  // namespace info_nce_test
