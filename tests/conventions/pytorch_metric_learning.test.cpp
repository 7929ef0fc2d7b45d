// SPDX-License-Identifier: BSL-1.0
#include <rankloss/conventions/pytorch_metric_learning.hpp>

#include "support/peer_embeddings.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <vector>

namespace conventions_pytorch_metric_learning_test {

namespace {

// Values are float32 of the peer.

using namespace rankloss;
namespace peer = conventions::pytorch_metric_learning;
using doubles = std::vector<double>;
using triplets = std::vector<std::array<std::size_t, 3>>;  // query, positive, negative

void check(const triplet& loss, const peers::of_embeddings& expected) {
  const doubles s = peers::embedding_cosines();
  auto batch = peers::embedding_batch(s);
  const doubles counts = peer::triplet_counts(loss, batch);
  batch.row_weights = counts;
  batch.reduction = peer::reduction;
  doubles g(s.size());
  CHECK(evaluate(loss, batch, {.gradient = g}) == Approx(expected.value).epsilon(1e-6));
  peers::check_by_embeddings(g, expected);
}

TEST_CASE("conventions: PyTorch Metric Learning's TripletMarginLoss") {
  check(peer::triplet_margin(),
        {0.443939894,
         {0.117661729,   -0.107071638, -0.0729976445, 0.0333112925,  0.0358118266,  0.0963064805,
          -0.0781137869, 0.126421466,  0.0436502323,  -0.0285478272, -0.203424305,  0.123878345,
          -0.108606875,  0.0100868195, 0.202826321,   -0.0853924304, -0.0696370006, 0.111006252,
          0.211196154,   -0.208943903, -0.0398201905, -0.0751483366, 0.0264152102,  -0.101703964}});
  check(peer::smooth_triplet_margin(),
        {0.799764395,
         {0.0607657135,  -0.0520064086,  -0.0437942445, 0.033469297,   0.0272459183,  0.0439581499,
          -0.0259107742, 0.0411374494,   0.0297862645,  -0.0100728292, -0.100162104,  0.0670536533,
          -0.0445695035, -0.00548598543, 0.102524593,   -0.0404549055, -0.0472629666, 0.0359984748,
          0.0847121924,  -0.0976082534,  -0.015826432,  -0.0421734415, 0.0163225047,  -0.0430393964}});
}

TEST_CASE("conventions: PyTorch Metric Learning's FastAPLoss") {
  const peers::of_embeddings expected{
      0.575825751,
      {0.266434163,   -0.00924109668, -0.0511120781, 0.180075049,   -0.0265047923, 0.310095578,
       -0.26938504,   -0.0236370154,  0.00856369734, 0.0221285522,  0.109946147,   0.0234455355,
       -0.0098085925, -0.255872667,   0.294814825,   0.0186332613,  -0.115668952,  -0.0277606398,
       0.0386515372,  -0.108008079,   0.0177101772,  -0.0511323102, 0.0275697112,  -0.0331363492}};
  const doubles s = peers::embedding_cosines();
  auto batch = peers::embedding_batch(s);
  batch.reduction = peer::fast_ap_reduction;
  doubles g(s.size());
  CHECK(evaluate(peer::fast_ap(), batch, {.gradient = g}) == Approx(expected.value).epsilon(1e-6));
  peers::check_by_embeddings(g, expected);
}

/// The slopes by the distances count the triplets that a pair is part of.
void check_mined(const triplet& loss, const triplets& expected) {
  const doubles s = peers::embedding_cosines();
  const std::size_t n = peers::embeddings;
  auto batch = peers::embedding_batch(s);
  const doubles counts = peer::triplet_counts(loss, batch);
  CHECK(std::accumulate(counts.begin(), counts.end(), 0.0) == static_cast<double>(expected.size()));
  batch.row_weights = counts;
  batch.reduction = reduction::sum;
  doubles g(s.size());
  evaluate(loss, batch, {.gradient = g});
  doubles found(s.size());
  doubles right(s.size());
  for (std::size_t k = 0; k < s.size(); ++k) found[k] = g[k] * distance_of(s[k], distance::euclidean);
  for (const auto& [query, positive, negative] : expected) {
    right[query * n + positive] -= 1.0;
    right[query * n + negative] += 1.0;
  }
  for (std::size_t k = 0; k < s.size(); ++k) CHECK(found[k] == Approx(right[k]).margin(1e-12));
}

TEST_CASE("conventions: PyTorch Metric Learning's miners") {
  const triplets all{{0, 1, 3}, {0, 2, 3}, {0, 2, 4}, {0, 2, 5}, {1, 0, 3}, {1, 0, 4}, {1, 2, 3},
                     {1, 2, 4}, {2, 0, 3}, {2, 0, 4}, {2, 0, 5}, {2, 1, 4}, {3, 4, 0}, {3, 4, 1},
                     {3, 4, 2}, {3, 5, 0}, {3, 5, 1}, {3, 5, 2}, {4, 3, 1}, {4, 3, 2}, {4, 5, 0},
                     {4, 5, 1}, {4, 5, 2}, {5, 3, 0}, {5, 3, 2}, {5, 4, 0}, {5, 4, 2}};
  const triplets semi_hard{{0, 1, 3}, {1, 2, 3}, {3, 4, 0}, {3, 4, 2}, {5, 4, 0}, {5, 4, 2}};
  check_mined(peer::triplet_margin(0.2), all);
  check_mined(peer::semi_hard(0.2), semi_hard);
  // Those of type "hard" are the rest, and those of type "easy" cost nothing.
  const triplets hard{{0, 2, 3}, {0, 2, 4}, {0, 2, 5}, {1, 0, 3}, {1, 0, 4}, {1, 2, 4}, {2, 0, 3},
                      {2, 0, 4}, {2, 0, 5}, {2, 1, 4}, {3, 4, 1}, {3, 5, 0}, {3, 5, 1}, {3, 5, 2},
                      {4, 3, 1}, {4, 3, 2}, {4, 5, 0}, {4, 5, 1}, {4, 5, 2}, {5, 3, 0}, {5, 3, 2}};
  CHECK(hard.size() + semi_hard.size() == all.size());
  triplet every = peer::triplet_margin(0.2);
  every.average = triplet_average::triplets;
  const doubles s = peers::embedding_cosines();
  const doubles counts = peer::triplet_counts(every, peers::embedding_batch(s));
  CHECK(std::accumulate(counts.begin(), counts.end(), 0.0) == static_cast<double>(all.size()) + 9);

  check_mined(peer::batch_hard(), {{0, 2, 3}, {1, 0, 4}, {2, 0, 4}, {3, 5, 1}, {4, 5, 2}, {5, 3, 2}});
}

TEST_CASE("conventions: triplet counts name what does not fit, and there may be none") {
  CHECK(peer::triplet_counts(triplet{}, similarity_batch<double>{}).empty());
  CHECK_THROWS_WITH(peer::triplet_counts(triplet{.margin = -1.0}, similarity_batch<double>{}),
                    "rankloss: margin: -1, expected a finite number >= 0");
  // A triplet that may be drawn counts by its chance: one for each positive, where there is any.
  const doubles s = peers::embedding_cosines();
  const triplet loss = peer::distance_weighted(peers::embedding_size, 1.9);
  const doubles counts = peer::triplet_counts(loss, peers::embedding_batch(s));
  for (std::size_t i = 0; i < counts.size(); ++i) CHECK(counts[i] == Approx(i < 5 ? 2.0 : 0.0));
}

}  // namespace

}  // namespace conventions_pytorch_metric_learning_test
