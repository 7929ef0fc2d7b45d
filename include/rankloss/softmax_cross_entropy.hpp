// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/host_device.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/options.hpp>

#include <array>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI {

/// The target with which the softmax of the scores is compared.
enum class target {
  relevance,   ///< y itself: a list counts by the sum of its relevance
  normalised,  ///< y / sum y: all lists with relevance count equally
  softmax,     ///< softmax(y / relevance_temperature); uniform for lists without relevance, which count
};
[[nodiscard]] constexpr std::array<std::string_view, 3> enumerators(target) noexcept {
  return {"relevance", "normalised", "softmax"};
}

/// softmax_cross_entropy: the cross entropy between the relevance and the softmax of the scores.
///
///     p                = softmax(s / temperature)
///     q_i              = y_i / sum_j y_j,  mass = 1                 (target::normalised)
///                        the same,         mass = sum_j y_j         (target::relevance)
///                        softmax(y / relevance_temperature)_i, 1    (target::softmax)
///     loss             = - mass sum_i q_i log p_i + poly (1 - sum_i q_i p_i)
///     d(loss)/d(s_m)   = (mass (p_m - q_m) - poly p_m (q_m - sum_i q_i p_i)) / temperature
///     d2(loss)/d(s_m)2 = (mass p_m (1 - p_m) - poly p_m (1 - 2 p_m) (q_m - sum_i q_i p_i)) / temperature^2
///
/// target::softmax is ListNet, see listnet.hpp. Bruch, Wang, Bendersky, Najork: An analysis of the softmax
/// cross entropy loss for learning-to-rank with binary relevance, ICTIR 2019. poly is the first term of Leng
/// et al.: PolyLoss, ICLR 2022, arXiv 2204.12511. Rax sums like target::relevance. TensorFlow Ranking divides
/// by the sum and uses it as the weight of the list.
///
/// - Time O(n), no scratch. Exponentials are taken relative to the largest score and never overflow. Float
///   gradients are within 2e-6 of the largest entry.
/// - Invariant under shifts of the scores; the gradient sums to 0 up to rounding; convex if poly is 0.
/// - Item weights multiply y, or its exponential with target::softmax.
/// - Edge cases: without relevance the loss and the gradient are 0, except with target::softmax, where the
///   target is uniform. A list of one item has no gradient. Infinite scores count as the largest finite
///   number of the type. Losses beyond 1e290 are set to 1e290, and so is the sum of the relevance with
///   target::relevance. Derivatives that the type cannot hold are scaled down until it can.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range or a relevance is below
/// 0; target::softmax accepts any number.
struct softmax_cross_entropy {
  double temperature = 1.0;                                ///< 1e-15 to 1e300, in units of the scores
  rankloss::target target = rankloss::target::normalised;  ///< what p is compared with
  double relevance_temperature = 1.0;                      ///< of target::softmax, 1e-15 to 1e300
  double poly = 0.0;  ///< factor of the polynomial's first term, -1 to 1e30

  static constexpr bool has_hessian = true;

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("temperature", self.temperature, options::temperature);
    visit("target", self.target, options::choice<rankloss::target>{});
    visit("relevance_temperature", self.relevance_temperature, options::temperature);
    visit("poly", self.poly, options::real{.least = -1.0, .most = 1e30});
  }
  [[nodiscard]] RANKLOSS_HOST_DEVICE bool takes(double y) const noexcept {
    return target == rankloss::target::softmax || y >= 0.0;
  }
  [[nodiscard]] std::string_view expects() const noexcept { return "at least 0"; }
};

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/softmax_cross_entropy.hpp>
#endif
