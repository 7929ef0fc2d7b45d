// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/random_bits.hpp>
#include <rankloss/detail/draws/softmax_loss.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI {

/// The source of the gammas of xe_ndcg.
enum class gammas {
  random,    ///< uniform in (0, 1), one for each item
  constant,  ///< `gamma` for every item
};

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
/// - Time O(n), with random gammas also a quarter of a Philox block for each item; scratch O(n). Otherwise as
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

  void validate() const {
    detail::check_temperature("temperature", temperature);
    detail::require(detail::within(gamma, 0.0, 1.0), "gamma: ", gamma, ", expected 0 to 1");
  }
  [[nodiscard]] bool takes(double y) const noexcept { return y >= 0.0; }
  [[nodiscard]] std::string_view expects() const noexcept { return "at least 0"; }

  template <class T, class R, class Arch = xsimd::default_arch>
  double operator()(const list<T, R>& items, const list_outputs<T>& out, workspace& scratch) const {
    using V = detail::lanes<Arch>;
    constexpr std::size_t w = detail::lane_count<Arch>;
    const std::size_t n = items.size();
    const workspace::scope scope(scratch);
    const std::span<double> drawn = scratch.take<double>(detail::padded_rows(n, w));
    if (gammas == rankloss::gammas::constant) {
      std::fill(drawn.begin(), drawn.end(), gamma);
    } else {
      const workspace::scope drawing(scratch);
      const std::span<std::uint32_t> bits = scratch.take<std::uint32_t>(drawn.size());
      detail::random_bits(seed, items.number, bits);
      for (std::size_t i = 0; i < drawn.size(); ++i) drawn[i] = (static_cast<double>(bits[i]) + 0.5) * 0x1p-32;
    }
    double most = 0.0;
    for (std::size_t i = 0; i < n; ++i) most = std::max(most, static_cast<double>(items.relevance[i]));
    // All terms are divided by 2^shift, which cancels because they are normalised to sum 1. Differences of
    // exponents are cut off where nothing is left.
    const V shift(most > 100.0 ? most : 0.0);
    const auto power = [](const V& x) { return detail::exp2_minus_1(xsimd::max(x, V(-1000.0))) + V(1.0); };
    const V unit = power(-shift);
    // With a gamma of 1 the gains of very small relevance are proportional to it.
    const bool small = gammas == rankloss::gammas::constant && gamma == 1.0 && most < 1e-100;
    const auto target = [&](const auto& gain) {
      return detail::make_target<Arch>(items.relevance, items.weights, small, scratch, [&](std::size_t i, const V& y, double own_unit) {
        return xsimd::max(gain(xsimd::max(y, V(0.0)), V::load_aligned(drawn.data() + i), own_unit), V(0.0));
      });
    };
    const detail::softmax_target held = small ? target([](const V& y, const V&, double own_unit) { return y * V(own_unit); })
                                        : most > 100.0
                                            ? target([&](const V& y, const V& less, double) { return power(y - shift) - less * unit; })
                                            // 2^y - 1 + (1 - gamma) keeps the digits of small y.
                                            : target([](const V& y, const V& less, double) { return detail::exp2_minus_1(y) + (V(1.0) - less); });
    return detail::softmax_loss<Arch>(items.scores, held, 1.0, 0.0, temperature, out, scratch);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI
