// SPDX-License-Identifier: BSL-1.0
#include <rankloss/contrastive.hpp>

#include "support/one_list.hpp"
#include "support/peer_embeddings.hpp"
#include "support/similarity_checks.hpp"
#include "support/similarity_reference.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace contrastive_test {

using rankloss::contrastive;
using rankloss::contrastive_average;
using rankloss::contrastive_form;
using rankloss::distance;
using rankloss::evaluate;
using rankloss::similarity_batch;
using support::of;

namespace {

using reals = std::vector<double>;

/// Value, and the gradient in `g`.
double slopes(const contrastive& loss, const reals& s, const reals& y, reals& g) {
  g.assign(s.size(), 7.0);
  return evaluate(loss, rankloss::list_batch<double>{.scores = s, .relevance = y}, {.gradient = g});
}

}  // namespace

TEST_CASE("contrastive: values by hand") {
  // Distances of the positives 0.5 and 0.25, of the negatives 0.75 and 1.25.
  contrastive loss{.positive_margin = 0.375, .negative_margin = 1.0, .distance = distance::cosine};
  const reals s{0.5, 0.75, 0.25, -0.25}, y{1, 1, 0, 0};
  reals g;
  CHECK(slopes(loss, s, y, g) == 0.125 / 2 + 0.25 / 2);
  CHECK(g == reals{-0.5, 0, 0.5, 0});
  loss.average = contrastive_average::active;
  CHECK(slopes(loss, s, y, g) == 0.125 + 0.25);
  CHECK(g == reals{-1, 0, 1, 0});
  loss.form = contrastive_form::half_square;
  CHECK(slopes(loss, s, y, g) == 0.125 * 0.125 / 2 + 0.25 * 0.25 / 2);
  CHECK(g == reals{-0.125, 0, 0.25, 0});
  loss.distance = distance::squared_euclidean;  // 1, 0.5, 1.5, 2.5
  loss.form = contrastive_form::hinge;
  loss.negative_margin = 2.0;
  CHECK(slopes(loss, s, y, g) == (0.625 + 0.125) / 2 + 0.5);
  CHECK(g == reals{-1, -1, 2, 0});
  loss.distance = distance::euclidean;
  loss.positive_margin = 0.0;
  CHECK(slopes(loss, {0.5, -1.0}, {1, 0}, g) == 1.0);  // distances 1 and 2
  CHECK(g == reals{-1, 0});
}

TEST_CASE("contrastive: pytorch-metric-learning's ContrastiveLoss, by parts") {
  const peers::of_embeddings peer{
      1.61728001, {0.110008523,  -0.162822276, -0.0829572231, -0.0277012587, 0.116644368,   0.197261825,
                   -0.135605007, 0.278040051,  -0.0664624274, -0.0979584306, -0.163968682,  0.225486681,
                   -0.140235424, 0.0468194187, 0.252320141,   -0.132954806,  -0.0595481843, 0.251888424,
                   0.246751189,  -0.384318858, 0.011223631,   -0.08177495,   0.0399699509,  -0.10649091}};
  // It averages over the active pairs of the batch: positives and negatives apart, and queries weighted by
  // how many of them are active, it is the weighted mean of the queries.
  const auto cosines = peers::embedding_cosines();
  double value = 0.0;
  reals both(cosines.size());
  for (const bool positives : {true, false}) {
    const contrastive loss{.positive_margin = positives ? 0.0 : 1e3,
                           .negative_margin = positives ? -1e3 : 1.0,
                           .average = contrastive_average::active,
                           .over = rankloss::directions::rows};
    reals weights(peers::embeddings);
    for (std::size_t i = 0; i < peers::embeddings; ++i)
      for (std::size_t j = 0; j < peers::embeddings; ++j) {
        const bool match = peers::embedding_classes[i] == peers::embedding_classes[j];
        const double d = rankloss::distance_of(cosines[i * peers::embeddings + j], distance::euclidean);
        if (i != j && match == positives && (positives || d < 1.0)) weights[i] += 1.0;
      }
    auto batch = peers::embedding_batch(cosines);
    batch.row_weights = weights;
    reals g(cosines.size());
    value += evaluate(loss, batch, {.gradient = g});
    for (std::size_t k = 0; k < g.size(); ++k) both[k] += g[k];
  }
  CHECK(value == Approx(peer.value).epsilon(1e-6));
  peers::check_by_embeddings(both, peer);
}

TEMPLATE_TEST_CASE("contrastive: value and gradient are those of the plain sums", "", float, double) {
  for (const distance kind : {distance::cosine, distance::euclidean, distance::squared_euclidean})
    for (const auto form : {contrastive_form::hinge, contrastive_form::half_square})
      for (const auto average : {contrastive_average::all, contrastive_average::active}) {
        INFO("distance " << static_cast<int>(kind) << ", form " << static_cast<int>(form));
        const contrastive loss{.positive_margin = 0.25,
                               .negative_margin = 1.25,
                               .distance = kind,
                               .form = form,
                               .average = average};
        support::queries_agree<TestType>(loss, [&](const auto& s, const auto& y) {
          const reference::distances of(s, static_cast<int>(kind));
          return reference::contrastive(y, of.d, of.slopes, 0.25L, 1.25L,
                                        form == contrastive_form::half_square,
                                        average == contrastive_average::active);
        });
      }
}

TEST_CASE("contrastive: the gradient is the slope of the value") {
  for (const distance kind : {distance::cosine, distance::euclidean, distance::squared_euclidean})
    for (const auto form : {contrastive_form::hinge, contrastive_form::half_square})
      for (const auto average : {contrastive_average::all, contrastive_average::active}) {
        INFO("distance " << static_cast<int>(kind));
        support::classed_matrix m(6, 9, 3);
        const contrastive loss{.positive_margin = 0.3, .distance = kind, .form = form, .average = average};
        reals g(m.s.size());
        evaluate(loss, m.batch(), {.gradient = g});
        for (std::size_t k = 0; k < m.s.size(); ++k) {
          const double middle = m.s[k], h = 0x1p-20;
          m.s[k] = middle + h;
          const double above = evaluate(loss, m.batch());
          m.s[k] = middle - h;
          const double below = evaluate(loss, m.batch());
          m.s[k] = middle;
          CHECK(g[k] == Approx((above - below) / (2 * h)).epsilon(1e-6).margin(1e-8));
        }
      }
}

TEST_CASE("contrastive: a matrix is its rows, its columns, or both") {
  support::matrix_is_its_lists(contrastive{});
  support::matrix_is_its_lists(contrastive{.average = contrastive_average::active});
}

TEST_CASE("contrastive: kinks, no positive, positives only, duplicates") {
  const contrastive loss{.positive_margin = 0.5, .distance = distance::cosine};
  reals g;
  // At both kinks the slope is 0.
  CHECK(slopes(loss, {0.5, 0.0}, {1, 0}, g) == 0.0);
  CHECK(g == reals{0, 0});
  // A part without items is 0.
  CHECK(slopes(loss, {0.25, 0.25}, {1, 1}, g) == 0.25);
  CHECK(g == reals{-0.5, -0.5});
  CHECK(slopes(loss, {0.25, 0.25}, {0, -1}, g) == 0.25);
  CHECK(g == reals{0.5, 0.5});
  CHECK(of(loss, reals{0.25}, std::vector<int>{2}) == 0.25);
  // At a Euclidean distance of 0 there is no slope.
  CHECK(slopes(contrastive{}, {1.0, 1.0, 1.5}, {1, 0, 1}, g) == 1.0);
  CHECK(g == reals{0, 0, 0});
  CHECK(evaluate(loss, similarity_batch<double>{}) == 0.0);
}

TEMPLATE_TEST_CASE("contrastive: finite whatever scores and margins are", "", float, double) {
  for (const distance kind : {distance::cosine, distance::euclidean, distance::squared_euclidean})
    for (const auto form : {contrastive_form::hinge, contrastive_form::half_square})
      for (const double margin : {-1e100, 0.0, 1e100})
        support::query_stays_finite<TestType>(contrastive{
            .positive_margin = margin, .negative_margin = margin, .distance = kind, .form = form});
}

TEST_CASE("contrastive: options out of their ranges are refused") {
  CHECK_THROWS_WITH(of(contrastive{.positive_margin = 1.5e100}, reals{0.5}, reals{1}),
                    "rankloss: positive_margin: 1.5e+100, expected -1e100 to 1e100");
  CHECK_THROWS_WITH(of(contrastive{.negative_margin = -1.5e100}, reals{0.5}, reals{1}),
                    "rankloss: negative_margin: -1.5e+100, expected -1e100 to 1e100");
}

}  // namespace contrastive_test
