// SPDX-License-Identifier: BSL-1.0

// Compiled twice, with and without the flag that is tested; VALUES names the function.

#include "values.hpp"

#include <rankloss/hosts/lightgbm.hpp>
#include <rankloss/hosts/xgboost.hpp>
#include <rankloss/rankloss.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <exception>
#include <limits>
#include <span>
#include <utility>

namespace {

template <class T>
std::vector<T> as(const std::vector<double>& numbers) {
  return {numbers.begin(), numbers.end()};
}

class collector {
 public:
  explicit collector(std::vector<result>& to) : to_(to) {}

  /// run(gradient): writes the gradient and returns the value.
  template <class T, class Run>
  void take(std::string name, std::size_t size, const Run& run) {
    result one{.name = std::move(name), .numbers = {}, .error = {}, .digits = sizeof(T) == 4 ? 2e-5 : 1e-9};
    std::vector<T> gradient(size);
    try {
      const double value = run(gradient);
      one.numbers.push_back(value);
      one.numbers.insert(one.numbers.end(), gradient.begin(), gradient.end());
    } catch (const std::exception& error) {
      one.error = error.what();
    }
    to_.push_back(std::move(one));
  }

 private:
  std::vector<result>& to_;
};

template <class T, class Loss>
void of_lists(collector& to, const char* name, const Loss& loss, const std::vector<case_of_lists>& cases, std::size_t longest = 100000) {
  for (const case_of_lists& one : cases) {
    if (one.scores.size() > longest) continue;
    const std::vector<T> scores = as<T>(one.scores);
    rankloss::list_batch<T, int> batch{.scores = scores, .relevance = one.relevance, .length = one.length};
    if (!one.item_weights.empty()) batch.item_weights = one.item_weights;
    if (!one.mask.empty()) batch.mask = one.mask;
    to.take<T>(std::string(name) + (sizeof(T) == 4 ? ", float, " : ", double, ") + one.name, scores.size(), [&](std::vector<T>& gradient) {
      if constexpr (requires { requires !Loss::has_gradient; }) {
        gradient.clear();
        return rankloss::evaluate(loss, batch);
      } else {
        return rankloss::evaluate(loss, batch, {.gradient = gradient});
      }
    });
  }
}

template <class Loss>
void of_matrix(collector& to, const char* name, const Loss& loss, const std::vector<case_of_lists>& cases) {
  for (const case_of_lists& one : cases) {
    std::size_t side = 1;
    while ((side + 1) * (side + 1) <= std::min<std::size_t>(one.scores.size(), 400)) ++side;
    const std::vector<double> similarity(one.scores.begin(), one.scores.begin() + static_cast<std::ptrdiff_t>(side * side));
    const rankloss::similarity_batch<double> batch{.similarity = similarity, .rows = side, .columns = side};
    to.take<double>(std::string(name) + ", " + one.name, similarity.size(),
                    [&](std::vector<double>& gradient) { return rankloss::evaluate(loss, batch, {.gradient = gradient}); });
  }
}

template <class Loss>
void of_pairs(collector& to, const char* name, const Loss& loss, const std::vector<case_of_lists>& cases) {
  for (const case_of_lists& one : cases) {
    std::vector<std::int32_t> preferred, other;
    for (std::size_t i = 0; i + 1 < one.scores.size(); i += 2) {
      preferred.push_back(static_cast<std::int32_t>(i));
      other.push_back(static_cast<std::int32_t>(i + 1));
    }
    const rankloss::preference_batch<double> batch{.rewards = one.scores, .preferred = preferred, .other = other};
    to.take<double>(std::string(name) + ", " + one.name, one.scores.size(),
                    [&](std::vector<double>& gradient) { return rankloss::evaluate(loss, batch, {.gradient = gradient}); });
  }
}

/// Ranks, or a sort of the relevance, and the pullback of the scores themselves.
template <class How>
void of_ranks(collector& to, const char* name, const How& how, const std::vector<case_of_lists>& cases) {
  for (const case_of_lists& one : cases)
    to.take<double>(std::string(name) + ", " + one.name, 2 * one.scores.size(), [&](std::vector<double>& found) {
      const std::size_t n = one.scores.size();
      const std::vector<double> cotangent(one.relevance.begin(), one.relevance.end());
      rankloss::rank(how, std::span<const double>(one.scores), std::span(found).first(n));
      rankloss::rank_pullback(how, std::span<const double>(one.scores), std::span<const double>(cotangent), std::span(found).last(n));
      return 0.0;
    });
}
template <class How>
void of_sort(collector& to, const char* name, const How& how, const std::vector<case_of_lists>& cases) {
  for (const case_of_lists& one : cases) {
    if (one.scores.size() > 300) continue;
    to.take<double>(std::string(name) + ", " + one.name, 2 * one.scores.size(), [&](std::vector<double>& found) {
      const std::size_t n = one.scores.size();
      const std::vector<double> values(one.relevance.begin(), one.relevance.end());
      rankloss::sort_apply(how, std::span<const double>(one.scores), std::span<const double>(values), std::span(found).first(n));
      rankloss::sort_pullback(how, std::span<const double>(one.scores), std::span<const double>(values), std::span<const double>(values),
                              std::span(found).last(n));
      return 0.0;
    });
  }
}

}  // namespace

std::vector<result> VALUES(const std::vector<case_of_lists>& cases) {
  using namespace rankloss;
  std::vector<result> results;
  collector to(results);
#if !defined(PART) || PART == 1
  of_lists<float>(to, "sndcg", sndcg{.temperature = 0.1}, cases);
  of_lists<double>(to, "sndcg", sndcg{.temperature = 0.1, .cutoff = 5}, cases);
  of_lists<float>(to, "neural_ndcg", neural_ndcg{.temperature = 0.1}, cases, 300);
  of_lists<double>(to, "neural_sort_cross_entropy", neural_sort_cross_entropy{.temperature = 0.1}, cases, 300);
  of_lists<double>(to, "smooth_ap", smooth_ap{}, cases, 300);
  of_lists<float>(to, "soft_spearman", soft_spearman<laplace_ranks>{}, cases);
  of_lists<double>(to, "listnet", listnet{}, cases);
  of_lists<float>(to, "listmle", listmle{}, cases);
  of_lists<double>(to, "listmle of any order", listmle{.ties = tie_order::exact}, cases);
  of_lists<float>(to, "softmax_cross_entropy", softmax_cross_entropy{}, cases);
  of_lists<double>(to, "unique_softmax", unique_softmax{}, cases);
  of_lists<float>(to, "xe_ndcg", xe_ndcg{}, cases);
  of_lists<double>(to, "pointwise_logistic", pointwise_logistic{}, cases);
  const std::array<double, 2> thresholds{-0.5, 0.5};
  of_lists<float>(to, "pointwise_ordinal", pointwise_ordinal{.function = {.thresholds = thresholds}}, cases);
#endif
#if !defined(PART) || PART == 2
  of_lists<float>(to, "ranknet", ranknet{}, cases);
  of_lists<double>(to, "ranknet", ranknet{}, cases);
  of_lists<float>(to, "lambdarank", lambdarank{}, cases);
  of_lists<double>(to, "exponential pairs", pairwise<pairs::exponential>{}, cases, 300);
  of_lists<float>(to, "zero-one pairs", pairwise<pairs::soft_zero_one, pairs::relevance_difference>{}, cases);
  of_lists<double>(to, "hinge pairs", pairwise<pairs::hinge>{}, cases);
  of_lists<double>(to, "XGBoost's ndcg", xgboost::rank_ndcg{}, cases, 300);
  of_lists<float>(to, "LightGBM's lambdarank", lightgbm::lambdarank{}, cases, 300);
#endif
#if !defined(PART) || PART == 3
  of_lists<float>(to, "ndcg", metrics::ndcg{}, cases);
  of_lists<double>(to, "average_precision", metrics::average_precision{}, cases);
  of_lists<double>(to, "reciprocal_rank", metrics::reciprocal_rank{}, cases);
  of_lists<double>(to, "kendall_tau", metrics::kendall_tau{}, cases);
  of_matrix(to, "triplet of the hardest", triplet{}, cases);
  of_matrix(to, "triplet of all", triplet{.mine = mining::all}, cases);
  of_pairs(to, "bradley_terry", bradley_terry{}, cases);
  of_pairs(to, "rao_kupper", rao_kupper{.threshold = 0.1}, cases);
  of_pairs(to, "davidson", davidson{}, cases);
  of_pairs(to, "davidson without ties", davidson{.log_prevalence = -std::numeric_limits<double>::infinity()}, cases);
  of_pairs(to, "margin_ranking", margin_ranking{}, cases);
  of_ranks(to, "sigmoid_ranks", sigmoid_ranks{.temperature = 0.1}, cases);
  of_ranks(to, "laplace_ranks", laplace_ranks{.temperature = 0.1}, cases);
  of_ranks(to, "projected_ranks", projected_ranks{.temperature = 0.1}, cases);
  of_sort(to, "neural_sort", neural_sort{.temperature = 0.1}, cases);
  of_sort(to, "sinkhorn", sinkhorn{.sort = {.temperature = 0.1}}, cases);
  of_sort(to, "soft_sort", soft_sort{.temperature = 0.1}, cases);
  of_sort(to, "sorting_network of normal noise", sorting_network{.temperature = 0.1, .comparator = comparator::gaussian}, cases);
  of_sort(to, "sorting_network of Cauchy noise", sorting_network{.temperature = 0.1, .comparator = comparator::cauchy}, cases);
  // Options that no compiler may take for numbers that they are not.
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), 0.0})
    of_pairs(to, "bradley_terry of a bad temperature", bradley_terry{.temperature = bad}, {cases.front()});
#endif
  return results;
}
