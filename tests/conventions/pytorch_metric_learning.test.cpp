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

TEST_CASE("conventions: PyTorch Metric Learning's losses of the pairs of a query") {
  const doubles s = peers::embedding_cosines();
  const auto check_mean = [&](const auto& loss, reduction how, const peers::of_embeddings& expected) {
    auto batch = peers::embedding_batch(s);
    batch.reduction = how;
    doubles g(s.size());
    CHECK(evaluate(loss, batch, {.gradient = g}) == Approx(expected.value).epsilon(1e-6));
    peers::check_by_embeddings(g, expected);
  };
  check_mean(
      peer::multi_similarity(), peer::reduction,
      {1.20444453, {0.180403113,   -0.227400899, -0.0929904655, -0.0730564892, 0.0149948411,  0.112724259,
                    -0.0970220193, 0.079263553,  0.0445930585,  -0.0108632743, -0.193664104,  0.00649236143,
                    -0.108285524,  0.0349050574, 0.202415496,   -0.107008532,  -0.0185291842, 0.141667366,
                    0.22803925,    -0.180752903, -0.0124332923, -0.156931311,  0.0695834905,  -0.21830973}});
  check_mean(peer::circle(), peer::circle_reduction,
             {158.365051, {33.1936073,  -40.6390495, -15.8044147, -14.2789469, 2.77200174,  17.1749992,
                           -13.6008301, 6.9086895,   12.1753063,  2.49242592,  -30.9689541, -9.09976959,
                           -27.8095551, 10.5825996,  39.3353653,  -19.8282948, 1.57006073,  16.9492493,
                           27.9326668,  -16.4973965, -12.4388828, -27.4474487, 10.018568,   -42.3987885}});
  check_mean(
      peer::nca(), peer::nca_reduction,
      {1.07736933, {0.153324962,   -0.107719027, -0.114857189,  0.125441775,   0.117148705,  0.0921747312,
                    -0.0172236525, 0.0932038873, 0.0746751577,  -0.0344652012, -0.315157145, 0.14828153,
                    0.0447064713,  -0.144067317, 0.329823524,   -0.138818696,  -0.254307568, -0.000524297357,
                    0.12677972,    -0.313895404, -0.0159433503, -0.107018411,  0.0465879627, -0.091333136}});
}

TEST_CASE("conventions: PyTorch Metric Learning's NTXentLoss and SupConLoss") {
  const doubles s = peers::embedding_cosines();
  auto batch = peers::embedding_batch(s);
  doubles g(s.size());
  const doubles counts = peer::pair_counts(peer::nt_xent(), batch);
  CHECK(counts == doubles(peers::embeddings, 2.0));
  batch.row_weights = counts;
  batch.reduction = peer::reduction;
  const peers::of_embeddings nt_xent{
      7.19196177, {2.52522612,  -1.65919721,  -0.80410111,  0.138223469,  1.35805762,  1.12816381,
                   -0.3066248,  1.42257953,   0.436277568,  -0.61726439,  -4.23556423, 0.672405243,
                   -1.14116883, -0.894748271, 4.13253355,   -1.45694101,  -1.1502918,  1.26641965,
                   1.44929862,  -3.0225687,   -0.823065758, -0.657869101, 0.120919734, -2.02511954}};
  CHECK(evaluate(peer::nt_xent(), batch, {.gradient = g}) == Approx(nt_xent.value).epsilon(1e-6));
  peers::check_by_embeddings(g, nt_xent);

  batch = peers::embedding_batch(s);
  batch.reduction = peer::sup_con_reduction;
  const peers::of_embeddings sup_con{
      5.37583685, {1.34804428,    -1.08994365,  -0.460051805, -0.150632173, 0.808901727,  0.443553448,
                   -0.0103846788, 0.946199656,  0.29675585,   -0.309983373, -2.28454781,  0.457730949,
                   -0.690019011,  -0.262804717, 2.37241316,   -1.03368700,  -0.688049495, 0.780256093,
                   0.606458187,   -1.88489699,  -0.565579295, -0.585347176, 0.147848576,  -1.27466214}};
  CHECK(evaluate(peer::sup_con(), batch, {.gradient = g}) == Approx(sup_con.value).epsilon(1e-6));
  peers::check_by_embeddings(g, sup_con);
}

TEST_CASE("conventions: PyTorch Metric Learning's means of unlike classes") {
  // Classes of three, two and one: 6 + 2 positive pairs, and a query that has none.
  const doubles s = peers::embedding_cosines();
  const std::vector<int> classes{0, 0, 0, 1, 1, 2};
  auto batch = peers::embedding_batch(s);
  batch.row_classes = classes;
  batch.column_classes = classes;
  const std::size_t n = peers::embeddings;
  double pairs = 0.0, pair_sum = 0.0, queries = 0.0, query_sum = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    double negatives = 0.0, all = 0.0, own = 0.0, positives = 0.0;
    for (std::size_t j = 0; j < n; ++j) {
      if (j != i) all += std::exp(s[i * n + j] / 0.1);
      if (classes[i] != classes[j]) negatives += std::exp(s[i * n + j] / 0.07);
    }
    for (std::size_t j = 0; j < n; ++j) {
      if (j == i || classes[i] != classes[j]) continue;
      pair_sum += std::log1p(negatives / std::exp(s[i * n + j] / 0.07));
      own += std::log(all) - s[i * n + j] / 0.1;
      positives += 1.0;
    }
    pairs += positives;
    if (!(positives > 0.0)) continue;
    query_sum += own / positives;
    queries += 1.0;
  }
  const doubles counts = peer::pair_counts(peer::nt_xent(), batch);
  CHECK(counts == doubles{2, 2, 2, 1, 1, 0});
  batch.row_weights = counts;
  CHECK(evaluate(peer::nt_xent(), batch) == Approx(pair_sum / pairs).epsilon(1e-13));
  batch.row_weights = doubles{};
  batch.reduction = peer::sup_con_reduction;
  CHECK(evaluate(peer::sup_con(), batch) == Approx(query_sum / queries).epsilon(1e-13));
}

TEST_CASE("conventions: PyTorch Metric Learning's ContrastiveLoss") {
  const peers::of_embeddings expected{
      1.61728001, {0.110008523,  -0.162822276, -0.0829572231, -0.0277012587, 0.116644368,   0.197261825,
                   -0.135605007, 0.278040051,  -0.0664624274, -0.0979584306, -0.163968682,  0.225486681,
                   -0.140235424, 0.0468194187, 0.252320141,   -0.132954806,  -0.0595481843, 0.251888424,
                   0.246751189,  -0.384318858, 0.011223631,   -0.08177495,   0.0399699509,  -0.10649091}};
  const doubles s = peers::embedding_cosines();
  doubles g(s.size());
  double value = 0.0;
  for (const auto& loss : {peer::contrastive_positives(), peer::contrastive_negatives()}) {
    auto batch = peers::embedding_batch(s);
    const doubles counts = peer::pair_counts(loss, batch);
    batch.row_weights = counts;
    value += evaluate(loss, batch, {.gradient = g, .update = update::add});
  }
  CHECK(value == Approx(expected.value).epsilon(1e-6));
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
