// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/bidirectional.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/sorting/argsort.hpp>
#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/gain.hpp>
#include <rankloss/lambda_loss.hpp>
#include <rankloss/lambdarank.hpp>
#include <rankloss/listmle.hpp>
#include <rankloss/listnet.hpp>
#include <rankloss/metrics/average_precision.hpp>
#include <rankloss/metrics/average_relevance_position.hpp>
#include <rankloss/metrics/ndcg.hpp>
#include <rankloss/metrics/precision.hpp>
#include <rankloss/metrics/recall.hpp>
#include <rankloss/metrics/reciprocal_rank.hpp>
#include <rankloss/neural_ndcg.hpp>
#include <rankloss/neural_sort_cross_entropy.hpp>
#include <rankloss/pairwise.hpp>
#include <rankloss/pointwise.hpp>
#include <rankloss/ranknet.hpp>
#include <rankloss/ranks/sigmoid_ranks.hpp>
#include <rankloss/smooth_metric.hpp>
#include <rankloss/smooth_mrr.hpp>
#include <rankloss/sndcg.hpp>
#include <rankloss/softmax_cross_entropy.hpp>
#include <rankloss/triplet.hpp>
#include <rankloss/unique_softmax.hpp>
#include <rankloss/weighted_sum.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

/// Losses and metrics of rankloss, set as other libraries set them by default.
///
///     namespace peer = rankloss::conventions::rax;
///     const auto loss = peer::pairwise_logistic();
///     const std::vector<double> pairs = rankloss::conventions::pair_counts(loss, batch);
///     batch.list_weights = pairs;  // and batch.reduction = peer::reduction: the mean over all pairs
///     evaluate(loss, batch);
///
/// Each preset documents what it sets and what no option reproduces. All of them have in common:
///
/// - A loss that is minus a metric in the library is one minus the metric here. The library's value is ours -
///   1 for a list that contains a relevant item; for a list that does not, both are 0. The gradients are the
///   same.
/// - Clamps of probabilities and sigmoids, which stop gradients, and constants added to logarithms are left
///   out.
/// - Equal scores share their places here, and metrics are expectations over their random order. Other
///   libraries sort them, stably or not.
/// - Padding is masked by the batch, never by a label. Labels below 0 mark padding in TensorFlow Ranking, and
///   the label -1 does in allRank. Here losses and metrics that turn relevance into a gain refuse labels
///   below 0; losses that only compare relevance take them as the least relevant.
///
/// Where a library takes the mean over all pairs or items of the batch, here the mean over lists is taken,
/// with the numbers of their pairs or items as list weights. docs/conventions.md has all conventions as
/// tables; `describe` returns those of one library as text.
namespace rankloss::inline RANKLOSS_ABI::conventions {

/// The conventions of one library where libraries differ: a row of the tables.
struct convention {
  std::string_view name;
  std::string_view value;              ///< of a loss that stands for a metric
  std::string_view gain;               ///< of grade y
  std::string_view discount;           ///< of rank r, from 1
  std::string_view ties;               ///< of equal scores, and of equal relevance where it matters
  std::string_view without_relevance;  ///< value of a list without a relevant item
  std::string_view reduction;
  std::string_view cutoff;
  std::string_view logarithm;    ///< of logistic losses
  std::string_view temperature;  ///< of scores in losses
};

inline constexpr convention ours{.name = "rankloss",
                                 .value = "1 - metric",
                                 .gain = "2^y - 1",
                                 .discount = "1 / log2(1 + r)",
                                 .ties = "metrics: the expectation over their order; listmle: as they lie",
                                 .without_relevance = "0, in the mean",
                                 .reduction = "mean over lists",
                                 .cutoff = "none; a smooth cut between ranks k and k + 1",
                                 .logarithm = "natural",
                                 .temperature = "divides; sndcg 0.01, others 1"};

/// The conventions as lines of "name: text".
[[nodiscard]] inline std::string describe(const convention& row) {
  std::string text(row.name);
  const auto add = [&](std::string_view what, std::string_view how) { text.append("\n  ").append(what).append(": ").append(how); };
  add("value", row.value);
  add("gain", row.gain);
  add("discount", row.discount);
  add("ties", row.ties);
  add("lists without relevance", row.without_relevance);
  add("reduction", row.reduction);
  add("cutoff", row.cutoff);
  add("logarithm", row.logarithm);
  add("temperature", row.temperature);
  return text;
}

/// value_without_relevance: a metric with another value for lists without relevance.
///
///     value = metric(list) if the list contains a relevant item, else `otherwise`
///
///     const rankloss::conventions::value_without_relevance<rankloss::metrics::ndcg> metric{
///         .metric = {.cutoff = 10}, .otherwise = 1.0};
///
/// The metric defines what is relevant. Lists without relevance count in reduction::mean;
/// reduction::mean_of_relevant leaves them out as usual. An empty list has value 0.
template <class Metric>
struct value_without_relevance {
  Metric metric{};
  double otherwise = 1.0;  ///< any finite number

  static constexpr bool has_gradient = false;

  void validate() const {
    if constexpr (requires { metric.validate(); }) metric.validate();
    detail::require(detail::is_finite(otherwise), "otherwise: ", otherwise, ", expected a finite number");
  }

  /// The metric, so that its own checks of the data are made.
  template <class Visit>
  void for_each_part(const Visit& visit) const {
    detail::for_each_part(metric, visit);
  }

  template <class T, class R>
  double operator()(const list<T, R>& items, const list_outputs<T>& out, workspace& scratch) const {
    return metric.has_relevance(items) ? detail::compute(metric, items, out, scratch) : otherwise;
  }

  template <class T, class R>
  [[nodiscard]] bool has_relevance(const list<T, R>& items) const {
    return metric.has_relevance(items);
  }
};

namespace counting {

/// The constant 1 as a function of pairs.
struct one {
  void validate() const noexcept {}
  [[nodiscard]] double length() const noexcept { return 1.0; }

  template <class V>
  [[nodiscard]] pairs::terms<V> operator()(const V&, const V&) const noexcept {
    using S = typename V::value_type;
    return {V(S(1)), V(S(0)), V(S(0))};
  }
};

/// The sum of the item weights over the pairs of a list. The weight of a pair is that of its more relevant
/// item, or with `all` that of its first item. Without item weights this is the number of pairs, exact up to
/// 2^53. Time: sorts, then O(n); scratch O(n).
struct equal_pairs {
  std::size_t cutoff;
  pairs::cut cut;
  bool all;  ///< all ordered pairs, an item with itself included

  static constexpr bool has_gradient = false;

  template <class T, class R>
  double operator()(const list<T, R>& items, const list_outputs<T>&, workspace& scratch) const {
    const std::size_t n = items.size();
    detail::require_countable(n);
    const workspace::scope scope(scratch);
    const std::size_t k = cutoff > 0 ? std::min(cutoff, n) : n;
    const std::span<std::uint8_t> first = scratch.take<std::uint8_t>(n);
    std::fill(first.begin(), first.end(), static_cast<std::uint8_t>(k == n));
    if (k < n)
      for (const std::uint32_t i : detail::sort_list<T>(items.scores, scratch).order.first(k)) first[i] = 1;
    const auto weight = [&](std::size_t i) { return items.weights.empty() ? 1.0 : items.weights[i]; };
    const bool both = cut == pairs::cut::both;
    double sum = 0.0;
    if (all) {
      for (std::size_t i = 0; i < n; ++i) sum += weight(i) * static_cast<double>(first[i] != 0 ? (both ? k : n) : (both ? 0 : k));
      return std::min(sum, std::numeric_limits<double>::max());
    }

    using record = detail::keyed<std::uint64_t, std::uint32_t>;
    std::span<record> sorted = scratch.take<record>(n);
    const auto level = [&](std::size_t i) { return static_cast<double>(items.relevance[i]); };
    for (std::size_t i = 0; i < n; ++i) sorted[i] = {detail::descending_key(level(i)), static_cast<std::uint32_t>(i)};
    sorted = detail::sort_by_key(sorted, scratch.take<record>(n), scratch);
    // From the least relevant up: an item among the first k is paired with all below it, any other item with
    // those of the first k.
    std::size_t below_first = 0;
    std::size_t below = 0;
    for (std::size_t end = n; end > 0;) {
      std::size_t begin = end;
      for (; begin > 0 && level(sorted[begin - 1].payload) == level(sorted[end - 1].payload); --begin) {
        const std::uint32_t i = sorted[begin - 1].payload;
        const std::size_t others = first[i] != 0 ? (both ? below_first : below) : (both ? 0 : below_first);
        sum += weight(i) * static_cast<double>(others);
      }
      for (std::size_t p = begin; p < end; ++p) below_first += first[sorted[p].payload];
      below += end - begin;
      end = begin;
    }
    return std::min(sum, std::numeric_limits<double>::max());
  }
};

/// The values of a loss for each list.
template <class Loss, class T, class R>
[[nodiscard]] std::vector<double> values(const Loss& loss, const list_batch<T, R>& batch) {
  std::vector<double> all(detail::batch_source<T, R>(batch).lists());
  evaluate(loss, batch, {.per_list = all});
  return all;
}

/// sum of term(index) over the kept items of each list
template <class T, class R, class Term>
[[nodiscard]] std::vector<double> sums_over_items(const list_batch<T, R>& batch, Term term) {
  detail::check_shape(batch, {});
  detail::check_weights("item_weights", batch.item_weights, batch.scores.size(), "item", false);
  const detail::batch_source<T, R> lists(batch);
  std::vector<double> sums(lists.lists());
  for (std::size_t l = 0; l < sums.size(); ++l)
    for (std::size_t i = 0; i < lists.size(l); ++i)
      if (lists.kept(l, i)) sums[l] += term(lists.first(l) + i);
  return sums;
}

}  // namespace counting

/// The sum of the weights of each list's pairs, including item weights, with the cutoff of the loss. Passed
/// as list_weights of a loss with pairs::average::weight under reduction::mean, they give the mean over all
/// pairs of the batch. Time: two sorts of each list for pairs::equal, otherwise pair by pair in O(n^2).
/// @throws std::invalid_argument as `evaluate` does; so do all functions here that count.
template <class Function, class Weight, class T, class R>
[[nodiscard]] std::vector<double> pair_weights(const pairwise<Function, Weight>& loss, const list_batch<T, R>& batch) {
  if constexpr (std::is_same_v<Weight, pairs::equal>)
    return counting::values(counting::equal_pairs{loss.cutoff, loss.cut, false}, batch);
  else
    return counting::values(pairwise<counting::one, Weight>{.weight = loss.weight, .cutoff = loss.cutoff, .cut = loss.cut}, batch);
}

/// The number of each list's pairs, with the cutoff of the loss: list_weights for pairs::average::pairs.
/// Time: two sorts of each list. Not for weights that only look at relevance > 0 (delta_map, delta_mrr).
template <class Function, class Weight, class T, class R>
[[nodiscard]] std::vector<double> pair_counts(const pairwise<Function, Weight>& loss, list_batch<T, R> batch) {
  constexpr bool binary = requires { requires Weight::binary; };
  static_assert(!binary, "pairs by relevance > 0 are not counted");
  constexpr bool all_pairs = requires { requires Weight::all_pairs; };
  batch.item_weights = {};
  return counting::values(counting::equal_pairs{loss.cutoff, loss.cut, all_pairs}, batch);
}

/// The sum of each list's item weights, or without them its number of items: list_weights of `pointwise` for
/// the mean over all items of the batch.
template <class T, class R>
[[nodiscard]] std::vector<double> item_weights(const list_batch<T, R>& batch) {
  return counting::sums_over_items(batch, [&](std::size_t at) { return batch.item_weights.empty() ? 1.0 : batch.item_weights[at]; });
}

/// allRank, at c884756.
namespace allrank {

inline constexpr convention row{.name = "allRank",
                                .value = "-metric",
                                .gain = "2^y - 1",
                                .discount = "1 / log2(1 + r)",
                                .ties = "in the order of the sort; listMLE: shuffled",
                                .without_relevance = "losses 0, in the mean (neuralNDCG: left out); ndcg 1",
                                .reduction = "mean over lists; rankNet: over the pairs of the batch; lambdaLoss: their sum",
                                .cutoff = "lambdaLoss: both items among the first k; approxNDCG: none",
                                .logarithm = "binary in lambdaLoss, natural in rankNet",
                                .temperature = "alpha and sigma multiply, 1"};

/// For list losses, and for rankNet with pair_counts. By default lambdaLoss sums, and neuralNDCG leaves out
/// lists without relevance.
inline constexpr rankloss::reduction reduction = rankloss::reduction::mean;
inline constexpr rankloss::reduction lambda_loss_reduction = rankloss::reduction::sum;
inline constexpr rankloss::reduction neural_ndcg_reduction = rankloss::reduction::mean_of_relevant;

/// approxNDCGLoss, whose alpha multiplies scores. allRank's sigmoids are at least 1e-10.
[[nodiscard]] constexpr rankloss::sndcg approx_ndcg(double alpha = 1.0) { return {.temperature = 1.0 / alpha}; }

/// listNet, which has a target for lists without relevance too. allRank adds 1e-10 to probabilities.
[[nodiscard]] constexpr rankloss::listnet listnet() { return {}; }

/// binary_listNet, whose target is the relevance divided by its sum.
[[nodiscard]] constexpr softmax_cross_entropy binary_listnet() { return {.target = target::normalised}; }

/// listMLE, with equal relevance in random order, by other random numbers. allRank adds 1e-10 inside the
/// logarithm, which changes the value of lists with a wide spread of scores.
[[nodiscard]] constexpr rankloss::listmle listmle(std::uint64_t seed = 0) { return {.ties = tie_order::random, .seed = seed}; }

/// neuralNDCG, and its transposed form, with at most 50 steps of Sinkhorn's scaling. In allRank all lists of
/// a batch stop together, and padding must be last.
[[nodiscard]] constexpr rankloss::neural_ndcg neural_ndcg(double tau = 1.0, std::size_t k = 0) {
  return {.temperature = tau, .cutoff = k, .steps = 50, .tolerance = 1e-6};
}

/// rankNet, and below it weightByDiff and weightByDiff_powed. With pair_counts the mean over all pairs of the
/// batch.
[[nodiscard]] constexpr rankloss::ranknet ranknet() { return {.average = pairs::average::pairs}; }
[[nodiscard]] constexpr pairwise<pairs::logistic, pairs::relevance_difference> ranknet_by_difference(
    pairs::difference_of of = pairs::difference_of::relevance) {
  return {.weight = {of}, .average = pairs::average::pairs};
}

/// The weighing schemes of lambdaLoss; rankNet_scheme is the same as none.
enum class scheme { none, ndcg_loss1, ndcg_loss2, ndcg_loss2_plus, lambdarank, difference, difference_of_squares };

/// lambdaLoss with weighing_scheme, k, sigma, mu: both items of a pair are among the first k, the ideal DCG
/// is that of k places, and the logarithm is binary. For its reduction "sum" use lambda_loss_reduction; for
/// "mean" use average = pairs::average::pairs, pair_counts and `reduction`.
///
/// In allRank the sigmoids p are at least 1e-10, and so are their powers p^w with w the weight of the pair;
/// nothing is clamped here. A pair in the wrong order by a gap d has no gradient there where log(1 +
/// exp(sigma d)), or w times that, exceeds log 1e10 = 23.03: from d = 23 / sigma on, and for weights above 1
/// from about 23 / (w sigma) on (1.17 / sigma for the squares of the grades 0 and 4). Its loss stays at 33.2
/// bits, or at w times that if w < 1.
template <scheme Scheme = scheme::none>
[[nodiscard]] constexpr auto lambda_loss(std::size_t k = 0, double sigma = 1.0, double mu = 10.0) {
  const auto weighed = [&](const auto& weight) {
    pairwise<pairs::logistic, std::remove_cvref_t<decltype(weight)>> loss{
        .function = {.temperature = 1.0 / sigma, .unit = pairs::logarithm::binary}, .weight = weight, .cutoff = k, .cut = pairs::cut::both};
    if constexpr (requires { loss.weight.cutoff; }) loss.weight.cutoff = k;
    if constexpr (requires { loss.weight.mu; }) loss.weight.mu = mu;
    return loss;
  };
  using enum scheme;
  if constexpr (Scheme == ndcg_loss1) return weighed(pairs::ndcg_loss1{});
  if constexpr (Scheme == ndcg_loss2) return weighed(pairs::ndcg_loss2{});
  if constexpr (Scheme == ndcg_loss2_plus) return weighed(pairs::ndcg_loss2_plus{});
  if constexpr (Scheme == lambdarank) return weighed(pairs::delta_ndcg{});
  if constexpr (Scheme == difference) return weighed(pairs::relevance_difference{});
  if constexpr (Scheme == difference_of_squares) return weighed(pairs::relevance_difference{pairs::difference_of::squares});
  if constexpr (Scheme == none) return weighed(pairs::equal{});
}

/// metrics.ndcg: lists without relevance count 1, its filler value. (allRank's metrics.mrr takes only the
/// highest grade as relevant: pass relevance 1 for it, else 0.)
[[nodiscard]] constexpr value_without_relevance<metrics::ndcg> ndcg(std::size_t k = 0) { return {.metric = {.cutoff = k}, .otherwise = 1.0}; }

}  // namespace allrank

/// TensorFlow Ranking, at 5b1d133: its per-list losses and weights.
///
/// Its estimators divide the sum of weight * loss by the number of lists with a weight above 0, its Keras
/// losses by the number of lists; here the divisor is the sum of the weights. For weights of 0 and 1 that is
/// the same as in the estimators; without list_weights it is the same as in the Keras losses.
namespace tf_ranking {

inline constexpr convention row{.name = "TensorFlow Ranking",
                                .value = "-metric",
                                .gain = "2^y - 1; y in DCGLambdaWeight",
                                .discount = "1 / ln(1 + r), which cancels in NDCG; 1 / r in DCGLambdaWeight",
                                .ties = "shuffled",
                                .without_relevance = "losses: weight 0; metrics: 0, in the mean",
                                .reduction = "weighted mean; a list's weight is sum w y / sum y",
                                .cutoff = "topn of metrics and lambda weights; losses: none",
                                .logarithm = "natural",
                                .temperature = "divides; ApproxNDCG and ApproxMRR 0.1, others 1"};

inline constexpr rankloss::reduction reduction = rankloss::reduction::mean;  ///< with the list weights below

/// List weights for listwise losses, in which item weights are not part of the loss: sum w y / sum y, 0
/// without relevance.
template <class T, class R>
[[nodiscard]] std::vector<double> list_weights(const list_batch<T, R>& batch) {
  const auto relevance = [&](std::size_t at) { return std::max(static_cast<double>(batch.relevance[at]), 0.0); };
  const auto weight = [&](std::size_t at) { return batch.item_weights.empty() ? 1.0 : batch.item_weights[at]; };
  std::vector<double> weights = counting::sums_over_items(batch, [&](std::size_t at) { return weight(at) * relevance(at); });
  const std::vector<double> totals = counting::sums_over_items(batch, relevance);
  for (std::size_t l = 0; l < weights.size(); ++l) weights[l] = totals[l] > 0.0 ? weights[l] / totals[l] : 0.0;
  return weights;
}

/// List weights for `softmax`, in which item weights multiply the relevance: sum w y.
template <class T, class R>
[[nodiscard]] std::vector<double> softmax_list_weights(const list_batch<T, R>& batch) {
  return counting::sums_over_items(batch, [&](std::size_t at) {
    return std::max(static_cast<double>(batch.relevance[at]), 0.0) * (batch.item_weights.empty() ? 1.0 : batch.item_weights[at]);
  });
}

/// approx_ranks, of scores already divided by the temperature. The library counts the item itself and adds
/// 1/2, which gives the same number.
[[nodiscard]] constexpr sigmoid_ranks approx_ranks(double temperature = 1.0) { return {.temperature = temperature}; }

/// ApproxNDCGLoss, with list_weights.
[[nodiscard]] constexpr rankloss::sndcg approx_ndcg(double temperature = 0.1) { return {.temperature = temperature}; }

/// ApproxMRRLoss, for lists with one relevant item. With several, the library takes the mean of 1 / rank
/// weighted by relevance; here it is the first one. With list_weights.
[[nodiscard]] constexpr rankloss::smooth_mrr approx_mrr(double temperature = 0.1) { return {.ranks = {.temperature = temperature}}; }

/// SoftmaxLoss: the target is the relevance, times item weights, divided by its sum; that sum is the weight
/// of the list: softmax_list_weights.
[[nodiscard]] constexpr softmax_cross_entropy softmax(double temperature = 1.0) { return {.temperature = temperature, .target = target::normalised}; }

/// UniqueSoftmaxLoss, with list_weights.
[[nodiscard]] constexpr rankloss::unique_softmax unique_softmax(double temperature = 1.0) { return {.temperature = temperature}; }

/// ListMLELoss, with equal relevance in random order, by other random numbers; with list_weights. In the
/// library padding adds to the value.
[[nodiscard]] constexpr rankloss::listmle list_mle(std::uint64_t seed = 0) { return {.ties = tie_order::random, .seed = seed}; }

/// NeuralSortCrossEntropyLoss and NeuralSortNDCGLoss, with list_weights: NeuralSort without Sinkhorn's scaling.
[[nodiscard]] constexpr rankloss::neural_sort_cross_entropy neural_sort_cross_entropy(double temperature = 1.0) {
  return {.temperature = temperature};
}
[[nodiscard]] constexpr rankloss::neural_ndcg neural_sort_ndcg(double temperature = 1.0) { return {.temperature = temperature, .steps = 0}; }

/// PairwiseHingeLoss, PairwiseLogisticLoss, PairwiseSoftZeroOneLoss: the mean over pairs, weighted by the
/// item weight of the more relevant item; list weights are pair_weights. Lambda weights are not set: in the
/// library they are multiplied by the length of the list, and their default discounts are 1 / r.
[[nodiscard]] constexpr pairwise<pairs::hinge> pairwise_hinge() { return {.average = pairs::average::weight}; }
[[nodiscard]] constexpr pairwise<pairs::logistic> pairwise_logistic(double temperature = 1.0) {
  return {.function = {.temperature = temperature}, .average = pairs::average::weight};
}
[[nodiscard]] constexpr pairwise<pairs::soft_zero_one> pairwise_soft_zero_one(double temperature = 1.0) {
  return {.function = {.temperature = temperature}, .average = pairs::average::weight};
}

/// MeanSquaredLoss, SigmoidCrossEntropyLoss: the weighted mean over items; list weights are item_weights.
[[nodiscard]] constexpr pointwise_squared mean_squared() { return {}; }
[[nodiscard]] constexpr pointwise_logistic sigmoid_cross_entropy() { return {}; }

/// Metrics: a list without relevance has value 0 and counts. Items are relevant there if y >= 1, here if y >
/// 0; precision divides by the number of retrieved items.
[[nodiscard]] constexpr metrics::ndcg ndcg(std::size_t topn = 0) { return {.cutoff = topn}; }
[[nodiscard]] constexpr metrics::reciprocal_rank mrr(std::size_t topn = 0) { return {.cutoff = topn}; }
[[nodiscard]] constexpr metrics::average_precision mean_average_precision(std::size_t topn = 0) { return {.cutoff = topn}; }
[[nodiscard]] constexpr metrics::precision precision(std::size_t topn = 0) { return {.cutoff = topn, .over = metrics::precision_over::retrieved}; }
[[nodiscard]] constexpr metrics::recall recall(std::size_t topn = 0) { return {.cutoff = topn}; }
[[nodiscard]] constexpr metrics::average_relevance_position average_relevance_position() { return {}; }

}  // namespace tf_ranking

/// Rax, at af92de1.
namespace rax {

inline constexpr convention row{.name = "Rax",
                                .value = "-metric",
                                .gain = "2^y - 1",
                                .discount = "1 / log2(1 + r)",
                                .ties = "as they lie, or by a random key",
                                .without_relevance = "0, in the mean",
                                .reduction = "mean over lists, pairs or items of the batch",
                                .cutoff = "topn; in losses a sigmoid between the scores of ranks n and n + 1",
                                .logarithm = "natural",
                                .temperature = "divides, 1"};

inline constexpr rankloss::reduction reduction = rankloss::reduction::mean;  ///< with pair_counts or item_weights for pairs and items

/// softmax_loss, with the relevance itself as target. poly1_softmax_loss adds epsilon (1 - sum y p / sum y),
/// which in Rax is not 0 without relevance.
[[nodiscard]] constexpr softmax_cross_entropy softmax() { return {.target = target::relevance}; }
[[nodiscard]] constexpr softmax_cross_entropy poly1_softmax(double epsilon = 1.0) { return {.target = target::relevance, .poly = epsilon}; }

[[nodiscard]] constexpr rankloss::unique_softmax unique_softmax() { return {}; }             ///< unique_softmax_loss
[[nodiscard]] constexpr rankloss::listmle listmle() { return {.ties = tie_order::stable}; }  ///< listmle_loss

/// pairwise_hinge_loss, pairwise_logistic_loss, pairwise_soft_zero_one_loss: the mean over all pairs of the batch with pair_counts.
/// pairwise_mse_loss also counts pairs of equal relevance and pairs of an item with itself, and has no
/// preset.
[[nodiscard]] constexpr pairwise<pairs::hinge> pairwise_hinge() { return {.average = pairs::average::pairs}; }
[[nodiscard]] constexpr pairwise<pairs::logistic> pairwise_logistic() { return {.average = pairs::average::pairs}; }
[[nodiscard]] constexpr pairwise<pairs::soft_zero_one> pairwise_soft_zero_one() { return {.average = pairs::average::pairs}; }

/// pairwise_logistic_loss with labeldiff_, dcg_ and dcg2_lambdaweight; the mean over all pairs as above. In
/// Rax the latter two are multiplied by the length of the list, which is one common factor if all lists are
/// equally long. normalise: divided by the ideal DCG. There is no topn: in Rax it cuts the discounts, here it
/// would also cut the ideal DCG.
[[nodiscard]] constexpr arp_loss2 labeldiff_lambda() { return {.average = pairs::average::pairs}; }
[[nodiscard]] constexpr lambdarank dcg_lambda(bool normalise = false) {
  return {.weight = {.scale = normalise ? pairs::scale_by::ideal : pairs::scale_by::none}, .average = pairs::average::pairs};
}
[[nodiscard]] constexpr ndcg_loss2 dcg2_lambda(bool normalise = false) {
  return {.weight = {.scale = normalise ? pairs::scale_by::ideal : pairs::scale_by::none}, .average = pairs::average::pairs};
}

/// pointwise_mse_loss, pointwise_sigmoid_loss: the mean over all items of the batch with item_weights.
[[nodiscard]] constexpr pointwise_squared pointwise_mse() { return {}; }
[[nodiscard]] constexpr pointwise_logistic pointwise_sigmoid() { return {}; }

/// approx_t12n of ndcg_metric, and of any metric below. In Rax its topn is approx_cutoff, a sigmoid of
/// scores; here it is a cut of the smooth ranks, so the two agree only without a cutoff. bound_t12n, ranks by
/// hinges, has no counterpart.
[[nodiscard]] constexpr rankloss::sndcg approx_ndcg(double temperature = 1.0) { return {.temperature = temperature}; }
template <class Metric>
[[nodiscard]] constexpr smooth_metric<Metric> approx(const Metric& metric, double temperature = 1.0) {
  return {.metric = metric, .ranks = {.temperature = temperature}};
}

/// Metrics. Items are relevant there if y >= 1, here if y > 0; precision divides by the number of retrieved
/// items, average precision by that of all relevant items.
[[nodiscard]] constexpr metrics::ndcg ndcg(std::size_t topn = 0) { return {.cutoff = topn}; }
[[nodiscard]] constexpr metrics::dcg dcg(std::size_t topn = 0) { return {.cutoff = topn}; }
[[nodiscard]] constexpr metrics::reciprocal_rank mrr(std::size_t topn = 0) { return {.cutoff = topn}; }
[[nodiscard]] constexpr metrics::average_precision ap(std::size_t topn = 0) { return {.cutoff = topn}; }
[[nodiscard]] constexpr metrics::precision precision(std::size_t topn = 0) { return {.cutoff = topn, .over = metrics::precision_over::retrieved}; }
[[nodiscard]] constexpr metrics::recall recall(std::size_t topn = 0) { return {.cutoff = topn}; }

}  // namespace rax

/// XGBoost's metrics, at 379b29f08. For its gradients see hosts/xgboost.hpp.
namespace xgboost {

inline constexpr convention row{.name = "XGBoost",
                                .value = "metrics alone",
                                .gain = "2^y - 1, grades to 31; y without ndcg_exp_gain",
                                .discount = "1 / log2(1 + r)",
                                .ties = "as they lie",
                                .without_relevance = "ndcg and map 1, with the suffix - 0; pre 0",
                                .reduction = "mean over lists by their weights",
                                .cutoff = "ndcg@k, map@k, pre@k",
                                .logarithm = "natural",
                                .temperature = "1"};

inline constexpr rankloss::reduction reduction = rankloss::reduction::mean;

/// ndcg@k; with `otherwise` = 0 it is `ndcg@k-`. gain::linear is ndcg_exp_gain = false.
[[nodiscard]] constexpr value_without_relevance<metrics::ndcg> ndcg(std::size_t k = 0, rankloss::gain gain = rankloss::gain::exponential,
                                                                    double otherwise = 1.0) {
  return {.metric = {.gain = gain, .cutoff = k}, .otherwise = otherwise};
}
/// map@k; divides by the number of all relevant items.
[[nodiscard]] constexpr value_without_relevance<metrics::average_precision> map(std::size_t k = 0, double otherwise = 1.0) {
  return {.metric = {.cutoff = k, .over = metrics::average_precision_over::relevant}, .otherwise = otherwise};
}
/// pre@k; divides by min(k, n), like the versions of XGBoost that have ranking caches; older ones divide by
/// k.
[[nodiscard]] constexpr metrics::precision pre(std::size_t k = 0) { return {.cutoff = k, .over = metrics::precision_over::retrieved}; }

}  // namespace xgboost

/// LightGBM's metrics, at bae0b7ba9. For its gradients see hosts/lightgbm.hpp. Its rank_xendcg is
/// rankloss::xe_ndcg with other random numbers.
namespace lightgbm {

inline constexpr convention row{.name = "LightGBM",
                                .value = "metrics alone",
                                .gain = "a table, 2^y - 1 up to 30",
                                .discount = "1 / log2(1 + r)",
                                .ties = "as they lie",
                                .without_relevance = "ndcg and map 1",
                                .reduction = "mean over lists by their weights",
                                .cutoff = "metrics at 1 to 5",
                                .logarithm = "natural",
                                .temperature = "1"};

inline constexpr rankloss::reduction reduction = rankloss::reduction::mean;

/// ndcg@k; label_gain is passed as a gain_table. In LightGBM a list without relevance adds 1 to the weighted
/// sum, whatever its weight.
[[nodiscard]] constexpr value_without_relevance<metrics::ndcg> ndcg(std::size_t k, std::span<const double> label_gain = {}) {
  return {.metric = {.gain = label_gain.empty() ? gain::exponential : gain::table, .gain_table = label_gain, .cutoff = k}, .otherwise = 1.0};
}
/// map@k; divides by min(k, number of relevant items). Items are relevant there if y > 1/2, here if y > 0.
[[nodiscard]] constexpr value_without_relevance<metrics::average_precision> map(std::size_t k) {
  return {.metric = {.cutoff = k, .over = metrics::average_precision_over::attainable}, .otherwise = 1.0};
}

}  // namespace lightgbm

/// Listwise_ITR, at 9c5d9fa: the published code of S-NDCG, arXiv 2305.16566. It is for square matrices, uses
/// the relevance of rows in both directions, and has an ideal DCG in which ties share the best rank; both are
/// options here that are off by default. Relevance comes from relevance_scores. The published code clamps
/// exponents at 50.
namespace listwise_itr {

inline constexpr convention row{.name = "Listwise_ITR",
                                .value = "1 - metric",
                                .gain = "2^y - 1",
                                .discount = "1 / log2(1 + r)",
                                .ties = "relevance: share the best rank of the ideal DCG",
                                .without_relevance = "none: a pair is relevant to itself",
                                .reduction = "half the mean of either direction",
                                .cutoff = "none",
                                .logarithm = "none",
                                .temperature = "divides, 0.01"};

inline constexpr rankloss::reduction reduction = rankloss::reduction::mean;

/// The listwise part: tau divides, the ideal DCG is by competition ranks, columns use the relevance of rows.
[[nodiscard]] constexpr bidirectional<rankloss::sndcg> sndcg(double tau = 0.01) {
  return {.loss = {.temperature = tau, .ideal = ideal::competition_ranks}, .columns_by = column_relevance::of_rows};
}
/// The pairwise part: the mean of the hinges to the hardest negative (VSE++ takes their sum).
[[nodiscard]] constexpr rankloss::triplet triplet(double margin = 0.2) { return {.margin = margin, .mine = mining::hardest}; }

/// TripletSNDCGLoss: (1 - w) of the pairwise part and w of the listwise one.
[[nodiscard]] inline weighted_sum<rankloss::triplet, bidirectional<rankloss::sndcg>> triplet_sndcg(double w, double tau = 0.01, double margin = 0.2) {
  return {weighted{1.0 - w, triplet(margin)}, weighted{w, sndcg(tau)}};
}

/// The NDCG that it reports beside the loss: the mean of both directions.
[[nodiscard]] constexpr bidirectional<metrics::ndcg> ndcg() {
  return {.loss = {.ideal = ideal::competition_ranks}, .columns_by = column_relevance::of_rows};
}

}  // namespace listwise_itr

}  // namespace rankloss::inline RANKLOSS_ABI::conventions
