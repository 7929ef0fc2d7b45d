// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/pairs/ordered_items.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>
#include <numeric>
#include <span>

/// The common part of the LambdaMART objectives of the tree libraries: gradients and Hessians of pairs of
/// positions, weighted by the change of a metric.
namespace rankloss::inline RANKLOSS_ABI::detail {

/// The function of a pair. m is the change of the metric when the two items are swapped, and d = s_preferred
/// - s_other the difference of their scores.
struct lambda_rule {
  double sigmoid = 1.0;         ///< the pair's function is m log(1 + exp(-sigmoid d)); 1e-15 to 1e15
  double near = 0.0;            ///< m is divided by near + |d|; 0: m is not divided
  double hessian_factor = 1.0;  ///< the Hessian is factor m max(p (1 - p), floor), p the sigmoid of sigmoid d
  double hessian_floor = 0.0;
};

/// What a pair in each lane adds to the sums: `pull` is |gradient| of either item, `slope` the gradient of the
/// upper item and minus that of the lower one, and `bend` the Hessian of either.
template <class Arch>
struct lambda_lanes {
  using V = lanes<Arch>;
  explicit lambda_lanes(const lambda_rule& rule) noexcept
      : sigmoid(rule.sigmoid), hessian_factor(rule.hessian_factor), hessian_floor(rule.hessian_floor) {}

  struct terms {
    V value, pull, slope, bend;
  };
  /// The upper item stands before the lower one in descending order of scores.
  /// @param preferred  where the upper item is the more relevant one
  /// @param x  sigmoid times the distance of the scores, not negative
  /// @param low, high  the sigmoids of -x and of x
  template <class Lanes>
  [[nodiscard]] [[gnu::always_inline]] terms operator()(const Lanes& preferred, const V& x, const V& low,
                                                        const V& high, const V& change) const noexcept {
    const V pull = change * sigmoid * xsimd::select(preferred, low, high);
    return {change * (xsimd::select(preferred, V(0.0), x) + minus_log_rest(low)), pull,
            xsimd::select(preferred, -pull, pull),
            change * hessian_factor * xsimd::max(low * high, hessian_floor)};
  }

  V sigmoid, hessian_factor, hessian_floor;
};

/// log2(1 + x) / x, by which the gradient of a list is normalized, of the sum x of |gradient| over both items of all
/// pairs; 1 for x = 0.
[[nodiscard]] inline double lambda_norm(double lambda) noexcept {
  return lambda > 0.0 ? std::log1p(lambda) / (std::numbers::ln2 * lambda) : 1.0;
}

/// One list in descending order of scores, the sums over its pairs, and the mapping back to its items.
template <class Arch>
class lambda_sums {
  using V = lanes<Arch>;
  static constexpr std::size_t w = lane_count<Arch>;

 public:
  template <class T, class R>
  lambda_sums(const list<T, R>& items, workspace& scratch) {
    n_ = items.size();
    const sorted_list<T> sorted = sort_list<T>(items.scores, scratch);
    item_ = sorted.order;
    const std::span<std::uint32_t> rank = scratch.take<std::uint32_t>(n_);
    std::iota(rank.begin(), rank.end(), 0u);
    position_by_score_ = rank;
    scores_ = scratch.take<double>(n_ + w);
    levels_ = scratch.take<double>(n_ + w);
    // The difference of two scores has to be finite.
    constexpr double bound = std::numeric_limits<double>::max() / 2;
    for (std::size_t p = 0; p < n_; ++p) {
      scores_[p] = std::clamp(static_cast<double>(sorted.x[p]), -bound, bound);
      levels_[p] = static_cast<double>(items.relevance[item_[p]]);
    }
    std::fill_n(scores_.data() + n_, w, scores_[n_ - 1]);
    std::fill_n(levels_.data() + n_, w, 0.0);
    gradient_ = scratch.take<double>(n_ + w);
    hessian_ = scratch.take<double>(n_ + w);
    std::fill(gradient_.begin(), gradient_.end(), 0.0);
    std::fill(hessian_.begin(), hessian_.end(), 0.0);
  }

  [[nodiscard]] std::size_t size() const noexcept { return n_; }
  [[nodiscard]] ordered_items order() const noexcept { return {item_, position_by_score_}; }
  [[nodiscard]] std::span<const double> levels() const noexcept {
    return levels_.first(n_);
  }  ///< [n] by position
  [[nodiscard]] double score(std::size_t position) const noexcept { return scores_[position]; }
  [[nodiscard]] double value() const noexcept { return value_; }  ///< sum of the pairs' functions
  [[nodiscard]] double lambda() const noexcept {
    return lambda_;
  }  ///< sum of |gradient| over both items of all pairs

  /// Adds the pairs of position i with those positions of [begin, end), all behind i, that have another
  /// level. weight(j) >= 0 is the change of the metric.
  template <class Weight>
  void add_pairs(const lambda_rule& rule, const Weight& weight, std::size_t i, std::size_t begin,
                 std::size_t end) {
    rule.near > 0.0 ? add_pairs<true>(rule, weight, i, begin, end)
                    : add_pairs<false>(rule, weight, i, begin, end);
  }

  /// Adds the pairs of the first `end` positions of which at least one is below k.
  template <class Weights>
  void add_top(const lambda_rule& rule, const Weights& weights, std::size_t k, std::size_t end) {
    for (std::size_t i = 0; i < std::min(k, end); ++i) add_pairs(rule, weights.at(i), i, i + 1, end);
  }

  /// Writes `factor` times the sums, times the items' weights; returns `factor` times the value.
  template <class T, class R>
  double write(const list<T, R>& items, const list_outputs<T>& out, double factor) const {
    const auto put = [&](std::span<const double> from, const strided<T>& to) {
      if (to.empty()) return;
      for (std::size_t p = 0; p < n_; ++p) {
        const double weight = items.weights.empty() ? 1.0 : items.weights[item_[p]];
        to[item_[p]] = held_as<T>(factor * from[p] * weight);
      }
    };
    put(gradient_, out.gradient);
    put(hessian_, out.hessian);
    return held_as<double>(factor * value_);
  }

 private:
  template <bool Near, class Weight>
  void add_pairs(const lambda_rule& rule, const Weight& weight, std::size_t i, std::size_t begin,
                 std::size_t end) {
    const V zero(0.0);
    const V one(1.0);
    const V score(scores_[i]);
    const V level(levels_[i]);
    const lambda_lanes<Arch> of_pair(rule);
    V value(zero), lambda(zero), gradient(zero), hessian(zero);
    for (std::size_t j = begin; j < end; j += w) {
      const V other = V::load_unaligned(levels_.data() + j);
      const auto preferred = level > other;
      const auto counts = (preferred || level < other) && lane_ < V(static_cast<double>(end - j));
      const V distance = opaque(score - V::load_unaligned(scores_.data() + j));  // not negative
      const V x = xsimd::min(of_pair.sigmoid * distance, V(std::numeric_limits<double>::max()));
      const V u = exp_minus(x);
      const V high = one / (one + u);
      const V low = u * high;
      V change = weight(j);
      if constexpr (Near) change = change / (distance + V(rule.near));
      change = xsimd::select(counts, change, zero);
      const auto [own_value, pull, slope, bend] = of_pair(preferred, x, low, high, change);
      value = value + own_value;
      lambda = lambda + pull;
      gradient = gradient + slope;
      hessian = hessian + bend;
      (V::load_unaligned(gradient_.data() + j) - slope).store_unaligned(gradient_.data() + j);
      (V::load_unaligned(hessian_.data() + j) + bend).store_unaligned(hessian_.data() + j);
    }
    value_ += sum_of(value);
    lambda_ += 2.0 * sum_of(lambda);
    gradient_[i] += sum_of(gradient);
    hessian_[i] += sum_of(hessian);
  }

  std::size_t n_ = 0;
  std::span<const std::uint32_t> item_, position_by_score_;  // [n]
  std::span<double> scores_, levels_;                        // [n], and a vector of padding
  std::span<double> gradient_, hessian_;                     // [n], and a vector of padding
  V lane_ = lane_numbers<V>();
  double value_ = 0.0;
  double lambda_ = 0.0;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
