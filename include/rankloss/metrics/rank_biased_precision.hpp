// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/data/counted_by.hpp>
#include <rankloss/detail/gains/list_gains.hpp>
#include <rankloss/detail/gains/rank_terms.hpp>
#include <rankloss/detail/sorting/first_positions.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/gain.hpp>
#include <rankloss/options.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI::metrics {

/// rank_biased_precision: the gain per step of a user who goes on from each item to the next with probability
/// `persistence`.
///
///     RBP@k = (1 - persistence) sum_{i: rank_i <= k} w_i G(y_i) persistence^(rank_i - 1)
///
/// Moffat, Zobel: Rank-biased precision for measurement of retrieval effectiveness, TOIS 27 (2008), where
/// relevance is 0 to 1 and there is no cutoff. Items of equal score are in random order; the value is the
/// expectation over it.
///
/// - Time O(n) after a radix sort; scratch O(n). No gradient by scores.
/// - Between 0 and 1 if the weighted gains are; a list of n items with gains of 1 has value 1 -
///   persistence^n.
/// - Edge cases: a list without gain has value 0 and is left out by reduction::mean_of_relevant. Infinite
///   scores rank first or last. Exponential gains of grades beyond 1023 are infinite. Other products and sums
///   beyond the largest double are set to it; for functions of ranks this includes infinite gains.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range or a relevance is below
/// 0, except with gain::table.
struct rank_biased_precision {
  double persistence = 0.8;                      ///< 0 to 1, both excluded; 0.5: impatient, 0.95: patient
  rankloss::gain gain = rankloss::gain::linear;  ///< what a grade is worth
  std::span<const double> gain_table{};  ///< [grades] >= 0, for gain::table; other relevance is worth 0
  std::size_t cutoff = 0;                ///< k; 0: the whole list

  static constexpr bool has_gradient = false;
  static constexpr bool counts_missed = true;
  static constexpr double best = 1.0;

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("persistence", self.persistence, options::real{.least = 0.0, .most = 1.0, .open = true});
    visit("gain", self.gain, options::choice<rankloss::gain>{});
    visit("gain_table", self.gain_table, options::gain_table);
    visit("cutoff", self.cutoff, options::cutoff);
  }
  void validate() const { detail::check_gain(gain, gain_table); }
  [[nodiscard]] bool takes(double y) const noexcept { return detail::takes_gain(gain, y); }
  [[nodiscard]] std::string_view expects() const noexcept { return detail::expects_gain; }

  template <class T, class R>
  double operator()(const list<T, R>& items, const list_outputs<T>&, workspace& scratch) const {
    return detail::value_of_positions(*this, items, scratch);
  }

  /// The value from the first positions by score.
  template <class T, class R>
  [[nodiscard]] double of_positions(const list<T, R>& items, detail::first_positions<T>& first,
                                    workspace& scratch) const {
    const workspace::scope scope(scratch);
    const std::size_t k = detail::counted_by(cutoff, items.size());
    const std::span<double> gains = scratch.take<double>(items.size_with_missed());
    detail::weighted_gains(items, gain, gain_table, false, gains);
    const double log_persistence = std::log(persistence);
    double sum = 0.0;
    first.for_each_run(k, [&](const detail::score_run<T>& run) {
      const double reached = std::exp(static_cast<double>(run.begin) * log_persistence);
      if (reached == 0.0) return;  // gains may be infinite
      double mean = 0.0;
      for (const auto& item : run.items) mean += gains[item.payload] / static_cast<double>(run.items.size());
      // (1 - p) (p^begin + ... + p^(end - 1)) = p^begin (1 - p^(end - begin))
      const auto count = static_cast<double>(std::min(run.end, k) - run.begin);
      sum = detail::held_sum(sum, -mean * reached * std::expm1(count * log_persistence));
    });
    return sum;
  }

  /// As a function of real ranks >= 1:
  ///
  ///     RBP@k      = (1 - persistence) sum_i w_i G(y_i) cut(rank_i) persistence^(rank_i - 1)
  ///     by_rank[i] = d(RBP@k) / d(rank_i)    [n] or empty: not wanted
  ///
  /// cut is 1 up to rank k, 0 from k + 1 on, and a cubic between. At whole, distinct ranks this is the
  /// metric.
  template <class T, class R>
  double of_ranks(std::span<const double> ranks, const list<T, R>& items, std::span<double> by_rank,
                  workspace& scratch) const {
    const workspace::scope scope(scratch);
    const std::span<double> gains = scratch.take<double>(items.size_with_missed());
    detail::weighted_gains(items, gain, gain_table, false, gains);
    const double log_persistence = std::log(persistence);
    double sum = 0.0;
    std::fill(by_rank.begin(), by_rank.end(), 0.0);
    for (std::size_t i = 0; i < items.size(); ++i) {
      const detail::rank_term term =
          detail::persistent_term(ranks[i], gains[i], cutoff, persistence, log_persistence);
      sum += term.value;
      if (!by_rank.empty()) by_rank[i] = term.slope;
    }
    return detail::held_as<double>(sum);
  }

  template <class T, class R>
  [[nodiscard]] bool has_relevance(const list<T, R>& items) const {
    return detail::any_gain(items, gain, gain_table);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::metrics
