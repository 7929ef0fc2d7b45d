// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/lists/matrix_source.hpp>
#include <rankloss/detail/lists/similarity_run.hpp>
#include <rankloss/detail/pairs/scaled_factor.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/options.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {

/// fast_ap: one minus average precision, computed from a histogram of the distances of a query to its items.
///
///     D2_i      = 2 - 2 s_i, the squared Euclidean distance of two vectors of length 1 with cosine s_i
///     h_l, h+_l = number of items, and of positives, in bin l, where item i counts
///                 max(0, 1 - |D2_i - c_l| / delta)
///                 c_l = l delta,  delta = 4 / bins,  l = 0 ... bins
///     H_l, H+_l = sum_{k <= l} h_k, h+_k
///     loss      = 1 - 1/P sum_l h+_l H+_l / H_l
///
/// An item is shared between the two bins that its distance lies between, so the loss is continuous, and its
/// gradient is that of the histogram. Cakir, He, Xia, Kulis, Sclaroff: Deep metric learning to rank, CVPR
/// 2019. PyTorch Metric Learning's FastAPLoss takes the mean over the queries that have a positive:
/// reduction::mean_of_relevant, of the rows alone.
///
/// - Scores are cosines: the dot products of vectors of length 1. Beyond -1 and 1 they count as these, with
///   slope 0, and so do infinite ones.
/// - Time O(n + bins) for each query, scratch O(bins).
/// - Items of relevance > 0 are positives, all others negatives; P is the number of positives. With item
///   weights an item counts by its weight.
/// - Not invariant under shifts of the scores. Piecewise smooth: at a distance of exactly c_l there is a
///   kink, where the slope is 0.
/// - Items in one bin have no order. A list of equal scores has the loss 1 - (share of positives) if it lies
///   at a c_l.
/// - Edge cases: a query without positives has value 0, and one without negatives, too.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range, or when a matrix is not
/// square and no matches are given.
struct fast_ap {
  std::size_t bins = 10;               ///< 1 to 2^20: intervals of the squared distance, from 0 to 4
  directions over = directions::both;  ///< which lines of a matrix are queries

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("bins", self.bins, options::whole{.least = 1, .most = std::size_t{1} << 20});
    visit("over", self.over, options::choice<directions>{});
  }

  template <class T, class R>
  double operator()(const list<T, R>& items, const list_outputs<T>& out, workspace& scratch) const {
    const workspace::scope scope(scratch);
    const std::span<double> positives = scratch.take<double>(bins + 1);  // h+, then what a positive adds
    const std::span<double> negatives = scratch.take<double>(bins + 1);  // h - h+, then what a negative adds
    std::fill(positives.begin(), positives.end(), 0.0);
    std::fill(negatives.begin(), negatives.end(), 0.0);
    const double unit = detail::weight_unit(items);
    const auto weight = [&](std::size_t i) { return items.weights.empty() ? 1.0 : unit * items.weights[i]; };
    double total = 0.0;
    for (std::size_t i = 0; i < items.size(); ++i) {
      const bin_position at = position_of(items.scores[i]);
      const double w = weight(i);
      const bool positive = items.relevance[i] > R{0};
      const std::span<double> histogram = positive ? positives : negatives;
      histogram[at.bin] += w * (1.0 - at.part);
      histogram[at.bin + 1] += w * at.part;
      if (positive) total += w;
    }
    const bool sloped = !out.gradient.empty();
    if (!(total > 0.0)) {
      for (std::size_t i = 0; i < out.gradient.size(); ++i) out.gradient[i] = T{0};
      return 0.0;
    }
    const double sum = sloped ? sum_over_bins<true>(positives, negatives, scratch)
                              : sum_over_bins<false>(positives, negatives, scratch);
    for (std::size_t i = 0; i < out.gradient.size(); ++i) {
      const bin_position at = position_of(items.scores[i]);
      const std::span<const double> adds = items.relevance[i] > R{0} ? positives : negatives;
      // Towards the query: from the farther bin to the nearer one.
      const double change = at.part > 0.0 && at.part < 1.0 ? adds[at.bin + 1] - adds[at.bin] : 0.0;
      out.gradient[i] = static_cast<T>(weight(i) * change * (0.5 * static_cast<double>(bins)) / total);
    }
    return std::max(1.0 - sum / total, 0.0);
  }

  template <class T, class R>
  void validate(const similarity_batch<T, R>& batch) const {
    detail::check_matches(batch);
  }
  template <score T, class R>
  double run(const similarity_batch<T, R>& batch, const outputs& out, context& ctx, double factor) const {
    return detail::run_directions(*this, batch, over, detail::list_relevance::matches, out, ctx, factor);
  }

 private:
  /// An item is in the bins `bin` and `bin + 1`, by `part` in the latter.
  struct bin_position {
    std::size_t bin;
    double part;
  };
  template <class T>
  [[nodiscard]] bin_position position_of(const T& score) const noexcept {
    const double cosine = std::clamp(static_cast<double>(detail::bounded(score)), -1.0, 1.0);
    const double x = (1.0 - cosine) * (0.5 * static_cast<double>(bins));
    const std::size_t bin = std::min(static_cast<std::size_t>(x), bins - 1);
    return {bin, x - static_cast<double>(bin)};
  }

  /// sum_l h+_l H+_l / H_l. With `Sloped` the histograms are replaced by its derivatives by them.
  template <bool Sloped>
  double sum_over_bins(std::span<double> positives, std::span<double> negatives, workspace& scratch) const {
    const std::span<double> precision = scratch.take<double>(Sloped ? bins + 1 : 0);  // H+ / H
    const std::span<double> gain = scratch.take<double>(Sloped ? bins + 1 : 0);       // by one more positive
    const std::span<double> cost = scratch.take<double>(Sloped ? bins + 1 : 0);       // by one more negative
    double sum = 0.0;
    double near = 0.0;   // H+
    double wrong = 0.0;  // H - H+
    for (std::size_t l = 0; l <= bins; ++l) {
      near += positives[l];
      wrong += negatives[l];
      const double all = near + wrong;
      const double share = all > 0.0 ? near / all : 0.0;
      sum += positives[l] * share;
      if constexpr (Sloped) {
        const double each = all > 0.0 ? positives[l] / all : 0.0;
        precision[l] = share;
        gain[l] = all > 0.0 ? each * (wrong / all) : 0.0;
        cost[l] = each * share;
      }
    }
    if constexpr (Sloped) {
      double gains = 0.0;
      double costs = 0.0;
      for (std::size_t l = bins + 1; l-- > 0;) {
        gains += gain[l];
        costs += cost[l];
        positives[l] = precision[l] + gains;
        negatives[l] = -costs;
      }
    }
    return sum;
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI
