// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/data/counted_by.hpp>
#include <rankloss/detail/gains/fill_gains.hpp>
#include <rankloss/detail/gains/group_gains.hpp>
#include <rankloss/detail/gains/lane_discounts.hpp>
#include <rankloss/detail/pairs/gain_difference.hpp>
#include <rankloss/detail/pairs/lambda_sums.hpp>
#include <rankloss/detail/pairs/pair_loop.hpp>
#include <rankloss/detail/pairs/scaled_factor.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

/// Sums over the pairs of short lists, one list in each lane: O(n^2) pairs in rows of lanes that are full whatever
/// the lengths of the lists, and no sum across lanes.
namespace rankloss::inline RANKLOSS_ABI::detail {

/// Up to `lane_count` lists of floats in descending order of scores, with what their pairs are made of. Lanes are of
/// double, so sums need no look at their lengths. The results for a list do not depend on the other lists.
template <class Arch>
class lane_pairs {
  using V = lanes<Arch>;
  static constexpr std::size_t w = lane_count<Arch>;

 public:
  template <class T, class R>
  lane_pairs(std::span<const list<T, R>> lists, double temperature, workspace& scratch)
      : sorted_(sort_lanes<Arch, T, R>(lists, scratch)), rows_(sorted_.rows.rows) {
    scores_ = scratch.take<double>(rows_ * w);
    exponentials_ = scratch.take<double>(rows_ * w);
    levels_ = scratch.take<double>(rows_ * w);
    gradient_ = scratch.take<double>(rows_ * w);
    std::fill(gradient_.begin(), gradient_.end(), 0.0);
    {
      const workspace::scope laying(scratch);
      const std::span<double> by_lane = scratch.take<double>(rows_ * w);
      std::fill(by_lane.begin(), by_lane.end(), 0.0);
      for (std::size_t l = 0; l < lists.size(); ++l)
        for (std::size_t i = 0; i < lists[l].size(); ++i)
          by_lane[l * rows_ + i] = static_cast<double>(lists[l].relevance[i]);
      sorted_.rows.gather(by_lane.data(), levels_.data());
    }
    // Where a list has ended, its last score goes on.
    V last = row(sorted_.x, 0);
    V ties(0.0);
    for (std::size_t i = 0; i < rows_; ++i) {
      const V score = row(sorted_.x, i);
      const auto inside = sorted_.holds(i);
      if (i > 0) ties = ties + xsimd::select(inside && score == last, V(1.0), V(0.0));
      last = xsimd::select(inside, score, last);
      last.store_unaligned(scores_.data() + i * w);
    }
    // As in fill_exponentials: exp(s / temperature) from the middle of the scores of each list.
    const V scale(1.0 / temperature);
    const V top = row(scores_, 0);
    const V width = (top - last) * scale;
    const V half = xsimd::min(width * V(0.5), V(650.0));
    for (std::size_t i = 0; i < rows_; ++i) {
      const V below = xsimd::min((top - row(scores_, i)) * scale, V(1300.0)) - half;
      exp_minus_near(below, exp2m1_12).store_unaligned(exponentials_.data() + i * w);
    }
    ties.store_unaligned(ties_.data());
    width.store_unaligned(width_.data());
  }

  /// Weighs pairs by |G_i - G_j| |1/D_i - 1/D_j|.
  /// @param discount_cutoff  k: the discounts are 0 from rank k + 1 on; 0: no cutoff
  template <class T, class R>
  void weigh(std::span<const list<T, R>> lists, const gain_rule& rule, std::size_t discount_cutoff,
             workspace& scratch) {
    gains_ = scratch.take<double>(rows_ * w);
    discounts_ = scratch.take<double>(rows_ + w);
    const std::size_t k = counted_by(discount_cutoff, rows_);
    fill_discounts<Arch>(0, k, discounts_.data());
    std::fill(discounts_.begin() + static_cast<std::ptrdiff_t>(k), discounts_.end(), 0.0);
    const workspace::scope scope(scratch);
    // In double: the difference of two gains that are rounded to float has lost what the bound asks for.
    const std::span<double> by_lane = scratch.take<double>(rows_ * w);
    std::fill(by_lane.begin(), by_lane.end(), std::numeric_limits<double>::lowest());
    for (std::size_t l = 0; l < lists.size(); ++l)
      fill_gains<Arch>(rule.kind, rule.table, lists[l].relevance, strided<const double>{},
                       by_lane.subspan(l * rows_, lists[l].size()), scratch);
    V factor(1.0);
    if (rule.over_ideal) {
      const V best = ideal_dcg_of_group<Arch>(ideal::sorted, rule.cutoff, by_lane.data(), rows_, scratch);
      factor = xsimd::select(best > V(0.0), V(1.0) / best, V(0.0));
    }
    for (std::size_t l = 0; l < w; ++l) {
      const std::size_t n = l < lists.size() ? lists[l].size() : 0;
      std::fill_n(by_lane.data() + l * rows_ + n, rows_ - n, 0.0);
    }
    sorted_.rows.gather(by_lane.data(), gains_.data());
    for (std::size_t i = 0; i < rows_; ++i) (row(gains_, i) * factor).store_unaligned(gains_.data() + i * w);
  }

  /// Whether the exponentials of a list have a common centre.
  [[nodiscard]] bool is_narrow(std::size_t lane) const noexcept { return width_[lane] <= 1300.0; }
  [[nodiscard]] bool has_ties(std::size_t lane) const noexcept { return ties_[lane] > 0.0; }
  [[nodiscard]] const pair_totals& totals(std::size_t lane) const noexcept { return totals_[lane]; }

  /// Sums over the pairs of different level. `Function` is a function of `pairs` that has `of_probabilities`.
  template <bool Weighted, class Function>
  void sum(const Function& function) {
    const V zero(0.0), one(1.0);
    V value(zero), weight(zero), count(zero);
    for (std::size_t i = 0; i + 1 < rows_; ++i) {
      const V score = row(scores_, i), level = row(levels_, i), exponential = row(exponentials_, i);
      const V gain = Weighted ? row(gains_, i) : zero;
      V gradient(zero);
      for (std::size_t j = i + 1; j < rows_; ++j) {
        const V other_level = row(levels_, j), other = row(exponentials_, j);
        const auto preferred = level > other_level;
        const auto counts = (preferred || level < other_level) && sorted_.holds(j);
        const V inverse = one / (exponential + other);
        const V d = opaque(score - row(scores_, j));
        // Scores are floats, so the value needs no more digits than they have.
        const auto f = function.template of_probabilities<float>(
            opaque(xsimd::select(preferred, other, exponential) * inverse), opaque(other * inverse),
            xsimd::select(preferred, -d, d));
        V factor(one);
        if constexpr (Weighted) factor = xsimd::abs(gain - row(gains_, j)) * V(discounts_[i] - discounts_[j]);
        factor = xsimd::select(counts, factor, zero);
        const V pull = factor * f.slope;
        const V slope = xsimd::select(preferred, pull, -pull);
        value = xsimd::fma(factor, f.value, value);
        weight = weight + factor;
        count = count + xsimd::select(counts, one, zero);
        gradient = gradient + slope;
        (row(gradient_, j) - slope).store_unaligned(gradient_.data() + j * w);
      }
      (row(gradient_, i) + gradient).store_unaligned(gradient_.data() + i * w);
    }
    alignas(64) double values[w], weights[w], counts[w];
    value.store_aligned(values);
    weight.store_aligned(weights);
    count.store_aligned(counts);
    for (std::size_t l = 0; l < w; ++l) totals_[l] = {values[l], weights[l], counts[l]};
  }

  /// Sums gradients and Hessians of the pairs of which at least one position is below k, as lambda_sums. The
  /// temperature is 1 / rule.sigmoid. Where all scores of a list are equal, no change is divided by a distance.
  void sum_lambdas(const lambda_rule& rule, std::size_t k, workspace& scratch) {
    hessian_ = scratch.take<double>(rows_ * w);
    std::fill(hessian_.begin(), hessian_.end(), 0.0);
    rule.near > 0.0 ? sum_lambdas<true>(rule, k) : sum_lambdas<false>(rule, k);
  }

  /// Whether the rules of lambda_sums take the list of a lane as any other: its exponentials have a common centre,
  /// and not all scores are the smallest one, as they are where all are -infinity.
  template <class T>
  [[nodiscard]] bool has_lambdas(std::size_t lane) const noexcept {
    return is_narrow(lane) && scores_[lane] > static_cast<double>(std::numeric_limits<T>::lowest());
  }

  /// Writes what sum_lambdas has summed for the list of one lane, normalized if asked to, times the items' weights.
  /// Returns its value.
  template <class T, class R>
  double write_lambdas(std::size_t lane, const list<T, R>& items, const list_outputs<T>& out,
                       bool normalized) const noexcept {
    const double factor = normalized ? lambda_norm(totals_[lane].weight) : 1.0;
    const auto put = [&](std::span<const double> from, const strided<T>& to) {
      if (to.empty()) return;
      for (std::size_t i = 0; i < items.size(); ++i) {
        const std::size_t item = sorted_.rows.order[i * w + lane] - lane * rows_;
        const double weight = items.weights.empty() ? 1.0 : items.weights[item];
        to[item] = held_as<T>(factor * from[i * w + lane] * weight);
      }
    };
    put(gradient_, out.gradient);
    put(hessian_, out.hessian);
    return held_as<double>(factor * totals_[lane].value);
  }

  /// Writes the derivatives of the list of one lane, times the factor, to its items.
  template <class T>
  void write(std::size_t lane, std::size_t n, const scaled_factor& scaled,
             const strided<T>& to) const noexcept {
    if (to.empty()) return;
    for (std::size_t i = 0; i < n; ++i)
      to[sorted_.rows.order[i * w + lane] - lane * rows_] =
          held_as<T>(opaque(gradient_[i * w + lane] * scaled.first) * scaled.second);
  }

 private:
  template <bool Near>
  void sum_lambdas(const lambda_rule& rule, std::size_t k) {
    const V zero(0.0), one(1.0);
    const lambda_lanes<Arch> of_pair(rule);
    const V near = xsimd::select(V::load_unaligned(width_.data()) > zero, V(rule.near), one);
    V value(zero), lambda(zero);
    for (std::size_t i = 0; i < k && i + 1 < rows_; ++i) {
      const V score = row(scores_, i), level = row(levels_, i), exponential = row(exponentials_, i);
      const V gain = row(gains_, i);
      V gradient(zero), hessian(zero);
      for (std::size_t j = i + 1; j < rows_; ++j) {
        const V other_level = row(levels_, j), other = row(exponentials_, j);
        const auto preferred = level > other_level;
        const auto counts = (preferred || level < other_level) && sorted_.holds(j);
        const V inverse = one / (exponential + other);
        const V high = opaque(exponential * inverse), low = opaque(other * inverse);
        const V distance = opaque(score - row(scores_, j));
        V change = xsimd::abs(gain - row(gains_, j)) * V(discounts_[i] - discounts_[j]);
        // A list of equal scores has the distance 0, and its change is divided by 1.
        if constexpr (Near) change = change / (distance + near);
        change = xsimd::select(counts, change, zero);
        const auto [own_value, pull, slope, bend] =
            of_pair(preferred, of_pair.sigmoid * distance, low, high, change);
        value = value + own_value;
        lambda = lambda + pull;
        gradient = gradient + slope;
        hessian = hessian + bend;
        (row(gradient_, j) - slope).store_unaligned(gradient_.data() + j * w);
        (row(hessian_, j) + bend).store_unaligned(hessian_.data() + j * w);
      }
      (row(gradient_, i) + gradient).store_unaligned(gradient_.data() + i * w);
      (row(hessian_, i) + hessian).store_unaligned(hessian_.data() + i * w);
    }
    alignas(64) double values[w], lambdas[w];
    value.store_aligned(values);
    lambda.store_aligned(lambdas);
    for (std::size_t l = 0; l < w; ++l) totals_[l] = {values[l], 2.0 * lambdas[l], 0.0};
  }

  [[nodiscard]] [[gnu::always_inline]] static V row(std::span<const double> rows, std::size_t i) noexcept {
    return V::load_unaligned(rows.data() + i * w);
  }

  plain_rows<Arch> sorted_;
  std::size_t rows_;
  std::span<double> scores_, exponentials_, levels_, gains_, gradient_, hessian_;  ///< [rows][lanes]
  std::span<double> discounts_;  ///< [rows], and a vector of padding
  std::array<double, w> ties_{}, width_{};
  std::array<pair_totals, w> totals_{};
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
