// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/gain.hpp>
#include <rankloss/listmle.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/options.hpp>
#include <rankloss/sndcg.hpp>

#include <string>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI::conventions {

/// The conventions of one library where libraries differ.
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
[[nodiscard]] inline std::string describe(const convention& description) {
  std::string text(description.name);
  const auto add = [&](std::string_view what, std::string_view how) {
    text.append("\n  ").append(what).append(": ").append(how);
  };
  add("value", description.value);
  add("gain", description.gain);
  add("discount", description.discount);
  add("ties", description.ties);
  add("lists without relevance", description.without_relevance);
  add("reduction", description.reduction);
  add("cutoff", description.cutoff);
  add("logarithm", description.logarithm);
  add("temperature", description.temperature);
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

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("metric", self.metric, options::inner{});
    visit("otherwise", self.otherwise, options::any_finite);
  }

  /// The metric, so that its own checks of the data are made.
  template <class Visit>
  void for_each_inner(const Visit& visit) const {
    detail::for_each_inner(metric, visit);
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

}  // namespace rankloss::inline RANKLOSS_ABI::conventions
