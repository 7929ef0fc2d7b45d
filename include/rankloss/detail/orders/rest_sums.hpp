// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Sums of exponentials over the rest of an order, each relative to the greatest score of that rest: most[k]
/// = max_{j >= k} s_j and sum[k] = sum_{j >= k} exp((s_j - most[k]) / temperature), where s are the scores in
/// that order. Scores may be any distance apart.
struct rest_sums {
  std::span<const double> s;     ///< [n] scores in the order, finite
  std::span<const double> most;  ///< [n]
  std::span<const double> sum;   ///< [n] in [1, n]
  std::span<const double> own;   ///< [n] exp((s_k - most[k]) / temperature)
  std::span<const double> fall;  ///< [n] exp((most[k + 1] - most[k]) / temperature); 1 for the last one
  double temperature;

  /// (a - b) / temperature for a, b among the scores, finite.
  [[nodiscard]] double between(double a, double b) const noexcept {
    return held_as<double>((0.5 * a - 0.5 * b) * (2.0 / temperature));
  }
  /// exp((s_k - most[from]) / temperature)
  [[nodiscard]] double exponential(std::size_t k, std::size_t from) const noexcept {
    return std::exp(between(s[k], most[from]));
  }
};

template <class Arch, class T>
[[nodiscard]] rest_sums sum_rests(const strided<const T>& scores, std::span<const std::uint32_t> order,
                                  double temperature, workspace& scratch) {
  using V = lanes<Arch>;
  const std::size_t n = order.size();
  const std::span<double> s = scratch.take<double>(n);
  const std::span<double> most = scratch.take<double>(n + 1);
  const std::span<double> sum = scratch.take<double>(n);
  const std::span<double> own = scratch.take<double>(n);
  const std::span<double> fall = scratch.take<double>(n);
  const rest_sums rests{s, most.first(n), sum, own, fall, temperature};
  if (n == 0) return rests;
  double greatest = most[n] = static_cast<double>(bounded(scores[order[n - 1]]));
  for (std::size_t k = n; k-- > 0;) {
    s[k] = static_cast<double>(bounded(scores[order[k]]));
    most[k] = greatest = std::max(greatest, s[k]);
  }
  // An item is either the greatest of its rest or not: one of its two factors is 1.
  for_rows<Arch>(n, [&, unit = V(2.0 / temperature)](std::size_t k, auto count) {
    const V score = load_items<Arch>(s.data() + k, count),
            next = load_items<Arch>(most.data() + k + 1, count);
    const V halves = xsimd::max(score, next) * V(0.5) - xsimd::min(score, next) * V(0.5);
    const V e = exp_minus(xsimd::min(halves * unit, V(std::numeric_limits<double>::max())));
    const auto rises = score > next;
    store_items<Arch>(own.data() + k, count, xsimd::select(rises, V(1.0), e));
    store_items<Arch>(fall.data() + k, count, xsimd::select(rises, e, V(1.0)));
  });
  double behind = 0.0;
  for (std::size_t k = n; k-- > 0;) sum[k] = behind = behind * fall[k] + own[k];
  return rests;
}

/// The effect of an order's earlier positions on the later items: accumulates a and b of choices among the
/// rests that begin at given positions. Item k, which is in all these rests, receives sum a p and sum b p^2,
/// where p is its share of each rest, exponential(k, from) / sum[from].
class rest_pulls {
 public:
  explicit rest_pulls(const rest_sums& rests) : rests_(rests) {}

  /// Adds a choice among the items from `from` on. `from` must not decrease from one call to the next.
  void add(std::size_t from, double a, double b) noexcept {
    if (any_) {
      const double fall = std::exp(rests_.between(rests_.most[from], rests_.most[from_]));
      a_ *= fall;
      b_ *= fall * fall;
    }
    const double inverse = 1.0 / rests_.sum[from];
    a_ += a * inverse;
    b_ += b * inverse * inverse;
    from_ = from;
    any_ = true;
  }

  struct pull {
    double first, second;
  };
  /// sum a p and sum b p^2 for item k, where p is its share of each rest that was added.
  [[nodiscard]] pull at(std::size_t k) const noexcept {
    if (!any_) return {0.0, 0.0};
    const double e = rests_.exponential(k, from_);
    return {e * a_, e * e * b_};
  }

 private:
  const rest_sums& rests_;
  double a_ = 0.0, b_ = 0.0;
  std::size_t from_ = 0;
  bool any_ = false;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
