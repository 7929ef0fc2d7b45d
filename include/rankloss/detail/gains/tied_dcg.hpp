// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/gains/ideal_dcg.hpp>
#include <rankloss/detail/gains/rank_terms.hpp>
#include <rankloss/detail/sorting/first_positions.hpp>

#include <algorithm>
#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Expected DCG of the first k over the random order of equal scores. Each item of a run of equal scores is
/// at each of its positions equally often, so a run contributes its mean gain times the sum of its discounts.
/// @tparam Scaled  whether the gains are those of scale_of_gains, of which no sum overflows; otherwise sums
///                 are limited to the largest number
/// @param gain_of  gain_of(i): the gain of item i
template <bool Scaled, class T, class GainOf>
[[nodiscard]] double expected_dcg(first_positions<T>& first, std::size_t k, const GainOf& gain_of) {
  // A limited sum has to look at the bits of each of its terms before the next one can be added.
  const auto plus = [](double a, double b) { return Scaled ? a + b : held_sum(a, b); };
  double sum = 0.0;
  first.for_each_run(k, [&](const score_run<T>& run) {
    if (run.items.size() == 1) {
      sum = plus(sum, rounded_product(gain_of(run.items[0].payload), discount_at(run.begin + 1)));
      return;
    }
    double gain = 0.0;
    for (const auto& item : run.items) gain = plus(gain, gain_of(item.payload));
    double discount = 0.0;
    for (std::size_t p = run.begin; p < std::min(run.end, k); ++p) discount += discount_at(p + 1);
    const auto size = static_cast<double>(run.items.size());
    const double worth = gain * discount / size;
    sum = plus(sum, is_finite(opaque(gain)) && !is_finite(opaque(worth)) ? gain * (discount / size) : worth);
  });
  return sum;
}

/// sum_i gains_i cut(rank_i) / log2(1 + rank_i) / best, and its derivatives with respect to the ranks unless
/// by_rank is empty.
[[nodiscard]] inline double dcg_of_ranks(std::span<const double> ranks, std::span<const double> gains,
                                         std::size_t cutoff, double best,
                                         std::span<double> by_rank) noexcept {
  double sum = 0.0;
  std::fill(by_rank.begin(), by_rank.end(), 0.0);
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    const rank_term term = dcg_term(ranks[i], gains[i], cutoff, best);
    sum += term.value;
    if (!by_rank.empty()) by_rank[i] = term.slope;
  }
  return held_as<double>(sum);
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
