// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/host_device.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/options.hpp>

#include <array>
#include <cstdint>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI {

/// The source of the gammas of xe_ndcg.
enum class gammas {
  random,    ///< uniform in (0, 1), one for each item
  constant,  ///< `gamma` for every item
};
[[nodiscard]] constexpr std::array<std::string_view, 2> enumerators(gammas) noexcept {
  return {"random", "constant"};
}

/// xe_ndcg: the cross entropy between the softmax of the scores and gains that are reduced by a random
/// amount: a convex bound of NDCG.
///
///     p              = softmax(s / temperature)
///     q_i            = (2^y_i - gamma_i) / sum_j (2^y_j - gamma_j),  gamma_i in [0, 1]
///     loss           = - sum_i q_i log p_i
///     d(loss)/d(s_m) = (p_m - q_m) / temperature
///
/// Bruch: An alternative cross entropy loss for learning-to-rank, WWW 2021, arXiv 1911.09798. The gradient
/// takes the gammas as constants.
///
/// - Time O(n), with random gammas also a quarter of a Philox block for each item and scratch O(n). Otherwise as
///   softmax_cross_entropy.
/// - Random gammas are a function of (seed, number of the list in its batch, number of the item among those
///   that the mask keeps): the same for any number of threads. Change the seed from step to step. Lists of
///   the same number have the same gammas, as with `stochastic`.
/// - Item weights multiply 2^y_i - gamma_i. Every list counts, also one without relevance, whose target is
///   nearly uniform; with a constant gamma of 1 such a list has loss 0 and gradient 0.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range or a relevance is below
/// 0.
struct xe_ndcg {
  double temperature = 1.0;                            ///< 1e-15 to 1e300, in units of the scores
  rankloss::gammas gammas = rankloss::gammas::random;  ///< drawn or given
  double gamma = 0.5;                                  ///< of gammas::constant, 0 to 1
  std::uint64_t seed = 0;                              ///< of the random gammas

  static constexpr bool has_hessian = true;

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("temperature", self.temperature, options::temperature);
    visit("gammas", self.gammas, options::choice<rankloss::gammas>{});
    visit("gamma", self.gamma, options::share);
    visit("seed", self.seed, options::seed);
  }
  [[nodiscard]] RANKLOSS_HOST_DEVICE bool takes(double y) const noexcept { return y >= 0.0; }
  [[nodiscard]] std::string_view expects() const noexcept { return "at least 0"; }
};

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/xe_ndcg.hpp>
#endif
