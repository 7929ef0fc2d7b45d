// SPDX-License-Identifier: BSL-1.0

// The losses with a plain sum: a new one joins by a line here, and by one in support/shared_losses.hpp.

#include "referenced_losses.hpp"

#include <rankloss/circle.hpp>
#include <rankloss/cmpm.hpp>
#include <rankloss/contrastive.hpp>
#include <rankloss/fast_ap.hpp>
#include <rankloss/info_nce.hpp>
#include <rankloss/lambda_loss.hpp>
#include <rankloss/lambdarank.hpp>
#include <rankloss/listmle.hpp>
#include <rankloss/listnet.hpp>
#include <rankloss/metrics/average_relevance_position.hpp>
#include <rankloss/metrics/expected_reciprocal_rank.hpp>
#include <rankloss/multi_similarity.hpp>
#include <rankloss/nca.hpp>
#include <rankloss/neural_ndcg.hpp>
#include <rankloss/neural_sort_cross_entropy.hpp>
#include <rankloss/pairwise.hpp>
#include <rankloss/pointwise.hpp>
#include <rankloss/ranknet.hpp>
#include <rankloss/ranks/laplace_ranks.hpp>
#include <rankloss/ranks/projected_ranks.hpp>
#include <rankloss/siglip.hpp>
#include <rankloss/smooth_ap.hpp>
#include <rankloss/smooth_metric.hpp>
#include <rankloss/smooth_mrr.hpp>
#include <rankloss/smooth_recall_at_k.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/soft_spearman.hpp>
#include <rankloss/softmax_cross_entropy.hpp>
#include <rankloss/triplet.hpp>
#include <rankloss/unique_softmax.hpp>
#include <rankloss/xe_ndcg.hpp>

#include "support/fast_ap_reference.hpp"
#include "support/listwise_reference.hpp"
#include "support/pair_reference.hpp"
#include "support/projection_reference.hpp"
#include "support/rank_reference.hpp"
#include "support/shared_losses.hpp"
#include "support/similarity_reference.hpp"
#include "support/triplet_reference.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <map>
#include <numbers>
#include <numeric>
#include <utility>
#include <vector>

namespace promises {

using reference::derivatives;
using reference::real;
using reals = std::vector<real>;
using std::size_t;

namespace {

real exponential_gain(real y) { return std::expm1(y * std::numbers::ln2_v<real>); }
reals exponential_gains(const reals& y) {
  reals gains;
  for (const real v : y) gains.push_back(exponential_gain(v));
  return gains;
}

/// sum over y_i > y_j of weight(y, rank, i, j) f(s_i - s_j)
using pair_weight = std::function<real(const reals& y, const std::vector<size_t>& rank, size_t i, size_t j)>;
formula by_pairs(reference::pair_function f, pair_weight weight) {
  return [=](const reals& s, const reals& y) {
    const auto rank = reference::ordinal_ranks(s);
    return reference::sum_over_pairs(
               s, y, f, [&](size_t i, size_t j) { return weight(y, rank, i, j); },
               [&](size_t i, size_t j) { return y[i] > y[j]; })
        .total;
  };
}
reference::pair_terms soft_zero_one(real d, real) {
  const reference::sigmoid s(-d);
  return {s.value, -s.slope, s.curvature};
}
reference::pair_terms exponential(real d, real) { return {std::exp(-d), -std::exp(-d), std::exp(-d)}; }
reference::pair_terms squared_hinge(real d, real) {
  const real rest = std::max(1 - d, real(0));
  return {rest * rest, -2 * rest, 2};
}
real one(const reals&, const std::vector<size_t>&, size_t, size_t) { return 1; }
real difference(const reals& y, const std::vector<size_t>&, size_t i, size_t j) { return y[i] - y[j]; }

derivatives lambdarank(const reals& s, const reals& y) {
  const reals gains = exponential_gains(y);
  const real ideal = reference::ideal_dcg(gains, 0);
  if (!(ideal > 0)) return {0, reals(s.size(), 0), {}};
  reals discounts;
  for (size_t p = 0; p <= s.size(); ++p) discounts.push_back(reference::discount(p));
  derivatives out = by_pairs(
      reference::logistic(1), [&](const reals&, const std::vector<size_t>& rank, size_t i, size_t j) {
        return (gains[i] - gains[j]) * std::abs(discounts[rank[i]] - discounts[rank[j]]) / ideal;
      })(s, y);
  // The order of the items decides on the ranks of equal scores: those that are alike have the mean of their
  // slopes.
  std::map<std::pair<real, real>, std::pair<real, real>> alike;
  for (size_t i = 0; i < s.size(); ++i) {
    auto& [sum, count] = alike[{s[i], y[i]}];
    sum += out.gradient[i];
    count += 1;
  }
  for (size_t i = 0; i < s.size(); ++i)
    out.gradient[i] = alike[{s[i], y[i]}].first / alike[{s[i], y[i]}].second;
  return out;
}

/// Every ordered pair, an item with itself included: y_i log2(1 + exp(s_j - s_i)).
derivatives all_pairs(const reals& s, const reals& y) {
  return reference::sum_over_pairs(
             s, y, reference::logistic(1), [&](size_t i, size_t) { return y[i]; },
             [](size_t, size_t) { return true; })
      .total;
}

std::vector<bool> relevant(const reals& y) {
  std::vector<bool> all;
  for (const real v : y) all.push_back(v > 0);
  return all;
}
const rankloss::triplet soft_triplet{
    .margin = 1.0, .mine = rankloss::mining::all, .form = rankloss::triplet_form::soft};
const rankloss::triplet batch_hard{
    .margin = 0.0, .positives = rankloss::mined_positives::hardest, .form = rankloss::triplet_form::soft};

/// Of each item by itself.
template <class Function>
formula by_items(Function f) {
  return [=](const reals& s, const reals& y) {
    derivatives out{0, reals(s.size(), 0), {}};
    for (size_t i = 0; i < s.size(); ++i) {
      const auto [value, slope] = f(s[i], y[i]);
      out.value += value / real(s.size());
      out.gradient[i] = slope / real(s.size());
    }
    return out;
  };
}

derivatives projected_position(const reals& s, const reals& y) {
  const real total = std::accumulate(y.begin(), y.end(), real(0));
  derivatives out;
  if (!(total > 0)) return out;
  const reals ranks = reference::projected_ranks(rankloss::regularization::entropic,
                                                 rankloss::sort_direction::descending, 1, s);
  for (size_t i = 0; i < s.size(); ++i) out.value += y[i] / total * ranks[i];
  return out;
}
derivatives listnet(const reals& s, const reals& y) {
  real log_sum = 0;
  return reference::cross_entropy(
      s,
      reference::softmax(
          reference::in_temperatures(y, 0.01), [](size_t) { return true; }, log_sum),
      1);
}
derivatives xe_ndcg(const reals& s, const reals& y) {
  reals v;
  for (const real x : y) v.push_back(std::exp2(x) - 0.5L);
  return reference::cross_entropy(s, v, 1);
}

}  // namespace

const std::vector<referenced_loss>& referenced_losses() {
  namespace pairs = rankloss::pairs;
  namespace metrics = rankloss::metrics;
  static const std::vector<referenced_loss> all{
      // Sums over the pairs of a long list, by one mechanism.
      {"ranknet", {.size = 0}, rankloss::ranknet{}, by_pairs(reference::logistic(1), one)},
      {"lambdarank", {.digits = 2, .size = 0}, rankloss::lambdarank{}, lambdarank},
      {"arp_loss2", {.size = 0}, rankloss::arp_loss2{}, by_pairs(reference::logistic(1), difference)},
      {"soft_zero_one",
       {.size = 0},
       rankloss::pairwise<pairs::soft_zero_one>{},
       by_pairs(soft_zero_one, one)},
      {"soft_zero_one by differences of relevance",
       {.size = 0},
       rankloss::pairwise<pairs::soft_zero_one, pairs::relevance_difference>{},
       by_pairs(soft_zero_one, difference)},
      // Pair by pair, and merged.
      {"arp_loss1", {.size = 1e5}, rankloss::arp_loss1{}, all_pairs},
      {"exponential",
       {.digits = 2, .size = 0},
       rankloss::pairwise<pairs::exponential>{},
       by_pairs(exponential, one)},
      {"squared_hinge",
       {.digits = 2, .size = 0},
       rankloss::pairwise<pairs::squared_hinge>{},
       by_pairs(squared_hinge, one)},
      // Ranks.
      {"sndcg",
       {.digits = 4},
       rankloss::sndcg{.temperature = 1.0},
       [](const reals& s, const reals& y) { return reference::sndcg(s, exponential_gains(y), 1); }},
      {"sndcg, cutoff 5",
       {.digits = 20, .size = 5},
       rankloss::sndcg{.temperature = 1.0, .cutoff = 5},
       [](const reals& s, const reals& y) { return reference::sndcg(s, exponential_gains(y), 1, 5); }},
      {"smooth_ap", {.digits = 10}, rankloss::smooth_ap{.ranks = {.temperature = 1.0}}, reference::smooth_ap},
      {"smooth_recall_at_k",
       {.digits = 20},
       rankloss::smooth_recall_at_k{.metric = {.cutoff = 5}, .ranks = {.temperature = 1.0}},
       [](const reals& s, const reals& y) { return reference::smooth_recall(s, y, 5); }},
      {"average relevance position of Laplace ranks",
       {},
       rankloss::smooth_metric<metrics::average_relevance_position, rankloss::laplace_ranks>{
           {}, {.temperature = 1.0}},
       [](const reals& s, const reals& y) {
         return reference::smooth_position(reference::rank_kind::laplace, s, y);
       }},
      {"average relevance position of projected ranks",
       {.longest = 300, .by_distance = true},
       rankloss::smooth_metric<metrics::average_relevance_position, rankloss::projected_ranks>{
           {}, {.temperature = 1.0, .regularization = rankloss::regularization::entropic}},
       projected_position},
      {"soft_spearman",
       {.digits = 20, .least_spread = 0.1},
       rankloss::soft_spearman<>{{.temperature = 1.0}},
       reference::soft_spearman},
      // Positives and negatives.
      {"triplet, all, soft",
       {.digits = 2, .size = 0, .longest = 130},
       soft_triplet,
       [](const reals& s, const reals& y) {
         return reference::triplet(soft_triplet, s, relevant(y)).result;
       }},
      {"triplet, batch-hard, soft",
       {.digits = 2, .size = 0, .longest = 130},
       batch_hard,
       [](const reals& s, const reals& y) { return reference::triplet(batch_hard, s, relevant(y)).result; }},
      {"fast_ap",
       {.digits = 10, .shift_invariant = false},
       rankloss::fast_ap{},
       [](const reals& s, const reals& y) {
         return reference::fast_ap(s, relevant(y), reals(s.size(), 1), 10);
       }},
      // Softmax.
      {"softmax_cross_entropy",
       {},
       rankloss::softmax_cross_entropy{},
       [](const reals& s, const reals& y) { return reference::cross_entropy(s, y, 1); }},
      {"softmax_cross_entropy, as it is, poly",
       {.size = 1e3},
       rankloss::softmax_cross_entropy{.target = rankloss::target::relevance, .poly = 0.7},
       [](const reals& s, const reals& y) {
         return reference::cross_entropy(s, y, 1, std::accumulate(y.begin(), y.end(), real(0)), 0.7L);
       }},
      {"listnet", {}, rankloss::listnet{.relevance_temperature = 0.01}, listnet},
      {"xe_ndcg", {}, rankloss::xe_ndcg{.gammas = rankloss::gammas::constant}, xe_ndcg},
      {"listmle",
       {},
       rankloss::listmle{},
       [](const reals& s, const reals& y) {
         return reference::listmle(s, reference::by_relevance(y), reals(s.size(), 1), 1);
       }},
      {"listmle, exact ties",
       {.longest = 130},
       rankloss::listmle{.ties = rankloss::tie_order::exact},
       reference::exact_ties},
      {"unique_softmax",
       {},
       rankloss::unique_softmax{},
       [](const reals& s, const reals& y) {
         return reference::unique_softmax(s, y, exponential_gains(y), 1);
       }},
      // Soft permutations.
      {"neural_sort_cross_entropy",
       {.digits = 10, .longest = 130},
       rankloss::neural_sort_cross_entropy{},
       reference::neural_cross_entropy},
      {"neural_ndcg without Sinkhorn",
       {.digits = 40, .longest = 130},
       rankloss::neural_ndcg{.temperature = 1.0, .steps = 0},
       [](const reals& s, const reals& y) { return reference::neural_ndcg(s, exponential_gains(y)); }},
      // Queries with positives and negatives.
      {"info_nce",
       {.digits = 4},
       rankloss::info_nce{.temperature = 1.0},
       [](const reals& s, const reals& y) { return reference::info_nce(s, y, 1, 0); }},
      {"info_nce, positives inside",
       {.digits = 4},
       rankloss::info_nce{.temperature = 1.0, .positives = rankloss::positive_share::inside},
       [](const reals& s, const reals& y) { return reference::info_nce(s, y, 1, 1); }},
      {"info_nce, separate positives",
       {.digits = 4},
       rankloss::info_nce{.temperature = 1.0, .positives = rankloss::positive_share::separate},
       [](const reals& s, const reals& y) { return reference::info_nce(s, y, 1, 2); }},
      {"siglip",
       {.size = 10, .shift_invariant = false},
       rankloss::siglip{.temperature = 1.0, .bias = -1.0},
       [](const reals& s, const reals& y) { return reference::siglip(s, y, 1, -1); }},
      {"multi_similarity",
       {.digits = 2, .shift_invariant = false},
       rankloss::multi_similarity{.alpha = 1.0, .beta = 1.0, .base = 0.0},
       [](const reals& s, const reals& y) { return reference::multi_similarity(s, y, 1, 1, 0); }},
      {"circle", {.shift_invariant = false}, rankloss::circle{}, nullptr},
      {"contrastive",
       {.digits = 4, .shift_invariant = false},
       rankloss::contrastive{.distance = rankloss::distance::squared_euclidean},
       [](const reals& s, const reals& y) {
         const reference::distances of(s, 2);
         return reference::contrastive(y, of.d, of.slopes, 0, 1, false, false);
       }},
      {"nca",
       {.digits = 2},
       rankloss::nca{.distance = rankloss::distance::cosine},
       [](const reals& s, const reals& y) {
         reals distances;
         for (const real x : s) distances.push_back(-x);
         return reference::nca(y, 1, distances, reals(s.size(), -1));
       }},
      {"cmpm",
       {.digits = 4, .size = 20},
       rankloss::cmpm{},
       [](const reals& s, const reals& y) { return reference::cmpm(s, y, 1, 1e-8L); }},
      // Items by themselves.
      {"pointwise squared",
       {.shift_invariant = false},
       rankloss::pointwise_squared{},
       by_items([](real s, real y) {
         return std::pair{(s - y) * (s - y), 2 * (s - y)};
       })},
      {"pointwise logistic",
       {.size = 10, .shift_invariant = false},
       rankloss::pointwise_logistic{},
       by_items([](real s, real y) {
         return std::pair{reference::softplus(s) - y * s, reference::sigmoid(s).value - y};
       })},
      // Held to be finite: their ranks jump where a rounding decides, or the formula is a loop of its own.
      {"smooth_mrr", {}, rankloss::smooth_mrr{.ranks = {.temperature = 1.0}}, nullptr},
      {"smooth_metric of ERR",
       {},
       rankloss::smooth_metric<metrics::expected_reciprocal_rank>{{}, {.temperature = 1.0}},
       nullptr},
      {"neural_ndcg", {}, rankloss::neural_ndcg{.temperature = 1.0, .steps = 20}, nullptr},
      {"neural_ndcg, implicit",
       {},
       rankloss::neural_ndcg{
           .temperature = 1.0, .steps = 20, .derivative = rankloss::sinkhorn_derivative::implicit},
       nullptr},
  };
  return all;
}

}  // namespace promises
