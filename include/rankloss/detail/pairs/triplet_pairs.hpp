// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/pairs/triplet_sides.hpp>
#include <rankloss/detail/pairs/triplet_terms.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cstddef>
#include <span>

/// Triplets of each positive with each negative.
namespace rankloss::inline RANKLOSS_ABI::detail {

/// Which of the negatives a positive has triplets with.
enum class negatives_taken {
  all,
  semi_hard,  ///< those below it by at most the margin
};

/// The case of infinite scores.
template <negatives_taken Taken, class Term>
[[nodiscard]] triplet_sums over_pairs_one_by_one(const triplet_shortfall& shortfall, const Term& term,
                                                 std::span<const double> weights, triplet_sides& sides) {
  triplet_sums sums;
  for (std::size_t p = 0; p < sides.positives.size(); ++p)
    for (std::size_t n = 0; n < sides.negatives.size(); ++n) {
      const double x = shortfall(sides.negatives.scores[n], sides.positives.scores[p]);
      if (Taken == negatives_taken::semi_hard &&
          !(x >= 0.0 && sides.negatives.scores[n] < sides.positives.scores[p]))
        continue;
      const double weight = weights.empty() ? 1.0 : weights[n];
      if (!(weight > 0.0)) continue;
      const triplet_cost<double> cost = term(x);
      sums.value += weight * cost.value;
      sums.triplets += weight;
      sums.active += Term::always_active || cost.slope > 0.0 ? weight : 0.0;
      sides.positives.slopes[p] -= weight * cost.slope;
      sides.negatives.slopes[n] += weight * cost.slope;
    }
  return sums;
}

/// Time O(positives negatives), SIMD over the negatives.
/// @param weights  of the negatives; empty: all 1
template <class Arch, negatives_taken Taken, class Term>
[[nodiscard]] triplet_sums over_pairs(const triplet_shortfall& shortfall, const Term& term,
                                      std::span<const double> weights, triplet_sides& sides,
                                      workspace& scratch) {
  using V = lanes<Arch>;
  const std::size_t n = sides.negatives.size();
  if (n == 0) return {};
  if (!sides.finite) return over_pairs_one_by_one<Taken>(shortfall, term, weights, sides);
  const workspace::scope scope(scratch);
  const std::size_t padded = padded_rows(n, lane_count<Arch>);
  const std::span<double> scores = scratch.take<double>(padded);
  const std::span<double> weight = scratch.take<double>(padded);  // 0 in the padding
  const std::span<double> slopes = scratch.take<double>(padded);
  for (std::size_t k = 0; k < padded; ++k) {
    scores[k] = sides.negatives.scores[std::min(k, n - 1)];
    weight[k] = k >= n ? 0.0 : weights.empty() ? 1.0 : weights[k];
    slopes[k] = 0.0;
  }
  const V zero(0.0);
  const V margin(shortfall.margin);
  V value = zero;
  V triplets = zero;
  V active = zero;
  for (std::size_t p = 0; p < sides.positives.size(); ++p) {
    const V own(sides.positives.scores[p]);
    V slope = zero;
    for (std::size_t k = 0; k < padded; k += lane_count<Arch>) {
      const V gap = opaque(V::load_aligned(scores.data() + k) - own);
      const V x = xsimd::min(margin + gap, V(triplet_shortfall::largest));
      V w = V::load_aligned(weight.data() + k);
      if constexpr (Taken == negatives_taken::semi_hard)
        w = xsimd::select((gap < zero) & (x >= zero), w, zero);
      const triplet_cost<V> cost = term.template on_lanes<Arch>(x);
      const V change = w * cost.slope;
      value = xsimd::fma(w, cost.value, value);
      triplets += w;
      if constexpr (!Term::always_active) active += xsimd::select(x > zero, w, zero);
      slope += change;
      (V::load_aligned(slopes.data() + k) + change).store_aligned(slopes.data() + k);
    }
    sides.positives.slopes[p] = -sum_of(slope);
  }
  std::copy_n(slopes.begin(), n, sides.negatives.slopes.begin());
  const double count = sum_of(triplets);
  return {sum_of(value), count, Term::always_active ? count : sum_of(active)};
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
