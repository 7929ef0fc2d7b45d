// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/lists/matrix_source.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/options.hpp>

namespace rankloss::inline RANKLOSS_ABI {

/// siglip: the sigmoid loss of SigLIP, a binary cross entropy of every pair of a query and a candidate by
/// itself.
///
///     z_i              = s_i / temperature + bias
///     query(s)         = sum_i softplus(-z_i) over positives + sum_i softplus(z_i) over negatives
///     d(query)/d(s_i)  = (sigmoid(z_i) - [i is a positive]) / temperature
///     d(query)/d(bias) = sum_i (sigmoid(z_i) - [i is a positive])
///     d(query)/d(temperature) = - sum_i (sigmoid(z_i) - [i is a positive]) s_i / temperature^2
///
/// with softplus(x) = log(1 + e^x). Items of relevance > 0 are positives, any number of them, all others
/// negatives. The rows of a matrix are its queries, so that each pair counts once and the mean over the rows
/// is the published loss. directions::both counts each pair twice, as halves.
///
/// Zhai, Mustafa, Kolesnikov, Beyer: Sigmoid Loss for Language Image Pre-Training, ICCV 2023, arXiv
/// 2303.15343. Its t' is a logarithm, log(1 / temperature): the defaults are its start, t = 10 and b = -10.
/// Its gradient by t' is -temperature times the one by the temperature. Temperature and bias are learned by
/// `outputs::temperature_gradient` and `outputs::bias_gradient`.
///
/// - Time O(n), one pass; no scratch, except for the columns of a matrix. Sums are in double. Values keep
///   their digits where all terms are small.
/// - Convex. Not invariant under shifts of the scores: a shift is a bias.
/// - Item weights are not used.
/// - Edge cases: a query without positives or without negatives counts like any other. Infinite scores count
///   as the largest finite number of the type, and s / temperature beyond 1e290 as that. Values beyond 1e290
///   are set to 1e290.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range, or when the matrix is
/// not square and no matches are given.
struct siglip {
  double temperature = 0.1;            ///< 1e-15 to 1e300, in units of the similarities
  double bias = -10.0;                 ///< -1e100 to 1e100, added to s / temperature
  directions over = directions::rows;  ///< which lines of a matrix are queries

  static constexpr bool has_temperature_gradient = true;
  static constexpr bool has_bias_gradient = true;

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("temperature", self.temperature, options::temperature);
    visit("bias", self.bias, options::real{.least = -1e100, .most = 1e100});
    visit("over", self.over, options::choice<directions>{});
  }

  template <class T, class R>
  void validate(const similarity_batch<T, R>& batch) const {
    detail::check_matches(batch);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/siglip.hpp>
#endif
