// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/sigmoid/laplace_threshold.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/sorts/soft_top_k.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {

/// The threshold is found on the sorted scores; shares and values are computed in the order of the items.
template <class T>
class soft_top_k::result {
  using Arch = xsimd::default_arch;  // of this translation unit, as the inline namespace says
  using V = detail::lanes<Arch>;
  static constexpr std::size_t w = detail::lane_count<Arch>;

 public:
  result(const soft_top_k& how, const strided<const T>& scores, workspace& scratch)
      : temperature_(how.temperature),
        scores_(scores),
        values_(scratch.take<double>(scores.size() + w)),
        relative_(scratch.take<double>(scores.size() + w)) {
    const std::size_t n = scores.size();
    if (!(how.k > 0.0) || !(how.k < static_cast<double>(n))) {
      std::fill(values_.begin(), values_.end(), how.k > 0.0 ? 1.0 : 0.0);
      std::fill(relative_.begin(), relative_.end(), 0.0);
      return;
    }
    const threshold found = find(how.k, scratch);
    // Shares are relative to the largest one, so that they are right even where all tails underflow.
    const double greatest = found.at.greatest();
    half_ = found.at.vanishes ? 0.0 : 0.5 * greatest;
    near_ = found.at.above >= found.at.below ? found.last_above : found.first_below;
    total_ = 0.0;
    for (std::size_t i = 0; i < n; i += w) {
      alignas(64) double s[w];
      for (std::size_t l = 0; l < w; ++l) s[l] = score(std::min(i + l, n - 1));
      const V own = V::load_aligned(s);
      const auto is_above = own >= V(found.upper) && V(found.any_above ? 1.0 : 0.0) > V(0.0);
      const V apart = xsimd::abs(own - xsimd::select(is_above, V(found.upper), V(found.lower)));
      const V relative = detail::exp_minus(apart * V(1.0 / temperature_)) *
                         xsimd::select(is_above, V(found.at.above / greatest), V(found.at.below / greatest));
      const V tail = V(half_) * relative;
      relative.store_unaligned(relative_.data() + i);
      xsimd::select(is_above, V(1.0) - tail, tail).store_unaligned(values_.data() + i);
      for (std::size_t l = 0; l < w && i + l < n; ++l) total_ += relative_[i + l];
    }
  }

  [[nodiscard]] std::span<const double> values() const noexcept { return values_.first(scores_.size()); }

  void pullback(std::span<const double> cotangent, std::span<double> gradient) const {
    // Cotangents are relative to that of the item with the largest share, which is close to the mean if that
    // item has almost the whole of the shares.
    const auto apart = [&](std::size_t i) { return cotangent[i] - cotangent[near_]; };
    const double mean = mean_of(apart);
    for (std::size_t i = 0; i < gradient.size(); ++i)
      gradient[i] = half_ / temperature_ * relative_[i] * (apart(i) - mean);
  }
  void push(std::span<const double> tangent, std::span<double> change) const {
    pullback(tangent, change);
  }  // the Jacobian is symmetric

  void by_k(std::span<double> out) const {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = relative_[i] / total_;
  }

  void by_temperature(std::span<double> out) const {
    // Where a share is 0 the distance may be infinite; it is bounded, so that the product is 0.
    const auto apart = [&](std::size_t i) {
      return std::clamp((score(i) - score(near_)) / temperature_, -1e100, 1e100);
    };
    const double mean = mean_of(apart);
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] = -half_ / temperature_ * relative_[i] * (apart(i) - mean);
  }

 private:
  /// The two neighbouring scores around b, and where b lies between them.
  struct threshold {
    double upper, lower;
    detail::laplace_threshold at;
    std::size_t last_above, first_below;  ///< the items of these scores
    bool any_above;                       ///< whether a score lies above b
  };

  [[nodiscard]] threshold find(double wanted, workspace& scratch) const {
    const workspace::scope scope(scratch);
    const std::size_t n = scores_.size();
    const detail::sorted_list<T> sorted = detail::sort_list<T>(scores_, scratch);
    const auto x = [&](std::size_t i) { return static_cast<double>(sorted.x[i]); };
    const std::span<double> decay =
        scratch.take<double>(n + w);  // [i] exp(-(x_{i-1} - x_i) / t), 0 at both ends
    for (std::size_t i = 0; i <= n; i += w) {
      alignas(64) double gaps[w];
      for (std::size_t l = 0; l < w; ++l)
        gaps[l] = i + l > 0 && i + l < n ? (x(i + l - 1) - x(i + l)) * (1.0 / temperature_) : 1e300;
      detail::exp_minus(V::load_aligned(gaps)).store_unaligned(decay.data() + i);
    }
    const std::span<double> lower_sums = scratch.take<double>(n + 1);  // [m] L if m scores are above b
    lower_sums[n] = 0.0;
    for (std::size_t i = n; i-- > 0;) lower_sums[i] = 1.0 + decay[i + 1] * lower_sums[i + 1];

    std::size_t m = 0;
    double upper_sum = 0.0;
    for (; m < n; ++m) {
      const double next = 1.0 + decay[m] * upper_sum;
      // The sum of all p if b were the next score.
      if (static_cast<double>(m) + 1.0 + 0.5 * (lower_sums[m] - 1.0 - next) > wanted) break;
      upper_sum = next;
    }
    return {
        .upper = x(m > 0 ? m - 1 : 0),
        .lower = x(std::min(m, n - 1)),
        .at = detail::threshold_between(static_cast<double>(m) - wanted, upper_sum, lower_sums[m], decay[m]),
        .last_above = m > 0 ? sorted.order[m - 1] : 0,
        .first_below = m < n ? sorted.order[m] : 0,
        .any_above = m > 0};
  }

  [[nodiscard]] double score(std::size_t i) const noexcept {
    return static_cast<double>(detail::bounded(scores_[i]));
  }

  template <class Of>
  [[nodiscard]] double mean_of(Of of) const {
    double sum = 0.0;
    for (std::size_t i = 0; i < scores_.size(); ++i) sum += relative_[i] * of(i);
    return sum / total_;
  }

  double temperature_;
  strided<const T> scores_;
  std::span<double> values_;
  std::span<double> relative_;  // densities, scaled so that the largest is 1
  double total_ = 1.0;          // their sum
  double half_ = 0.0;           // the value of min(p, 1 - p) where relative_ is 1
  std::size_t near_ = 0;        // the item whose relative_ is 1
};

}  // namespace rankloss::inline RANKLOSS_ABI
