// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/host_device.hpp>
#include <rankloss/detail/lists/list_run.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/options.hpp>
#include <rankloss/random.hpp>
#include <rankloss/workspace.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {

/// A Gumbel variable, -log(-log(u)), as a function of its key. It is finite, because u is never 0 or 1.
[[nodiscard]] RANKLOSS_HOST_DEVICE inline double gumbel(std::uint64_t seed, std::uint64_t list,
                                                        std::uint32_t item, std::uint32_t sample) noexcept {
  std::uint32_t bits[4] = {item, sample, detail::low_half(list), detail::high_half(list)};
  detail::philox_rounds(bits, detail::low_half(seed), detail::high_half(seed));
  const double u = (static_cast<double>(std::uint64_t{bits[0]} << 20 | bits[1] >> 12) + 0.5) * 0x1p-52;
  return -std::log(-std::log(u));
}

/// perturb: scores with Gumbel noise, out_i = s_i + noise * gumbel(seed, list, i, sample). Stochastic sorts
/// and ranks, such as the stochastic form of neural_sort, are computed from these. The noise is a constant
/// for the gradient.
template <class T>
void perturb(const strided<const T>& scores, double noise, std::uint64_t seed, std::uint64_t list,
             std::uint32_t sample, std::span<T> out) {
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<T>(static_cast<double>(scores[i]) +
                            noise * gumbel(seed, list, static_cast<std::uint32_t>(i), sample));
}

/// stochastic: a list loss averaged over scores with Gumbel noise.
///
///     loss(s) = 1/samples sum_k L(s + noise G^k),   G^k_i = gumbel(seed, list, i, k)
///
///     const rankloss::stochastic<rankloss::neural_ndcg> loss{
///         .loss = {.temperature = 1}, .noise = 0.1, .samples = 32, .seed = 7};
///
/// Sorting s + G samples an order from the Plackett-Luce model of s (Yellott 1977). Bruch, Han, Bendersky,
/// Najork: A stochastic treatment of learning to rank scoring functions, WSDM 2020; the stochastic form of
/// NeuralNDCG, arXiv 2102.07831. In its stochastic form allRank first takes the logarithm of scores that are
/// shifted by the smallest score of the whole batch, so that lists depend on each other; pass such scores to
/// reproduce this.
///
/// - Time: `samples` times that of the loss. Scratch: that of the loss and O(n). Differentiable, because the
///   noise does not depend on the scores.
/// - Random numbers are Philox of (seed, number of the list in its batch, number of the item among those that
///   the mask keeps, sample): the same for any number of threads. Change the seed from step to step.
/// - Lists of the same number have the same noise: row l and column l of a matrix, and two terms of a
///   weighted_sum with the same seed.
/// - Edge cases: those of the loss. An infinite score stays infinite.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range.
template <class Loss>
struct stochastic {
  Loss loss{};
  double noise = 0.1;        ///< factor on the Gumbel variables, in units of the scores, >= 0
  std::size_t samples = 32;  ///< 1 to 2^32 - 1
  std::uint64_t seed = 0;    ///< of the noise

  static constexpr bool has_hessian = detail::gives_hessian<Loss>;
  static constexpr bool has_gradient = detail::gives_gradient<Loss>;
  static constexpr std::size_t shortest_shared() noexcept { return detail::shortest_shared<Loss>(); }

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("loss", self.loss, options::inner{});
    visit("noise", self.noise, options::at_least_0);
    visit("samples", self.samples, options::whole{.least = 1, .most = 0xffffffffu});
    visit("seed", self.seed, options::seed);
  }

  template <class T, class R>
  requires ranking_loss<Loss, T, R>
  double operator()(const list<T, R>& items, const list_outputs<T>& out, workspace& scratch) const {
    const std::size_t n = items.size();
    const workspace::scope scope(scratch);
    const std::span<T> scores = scratch.take<T>(n);
    const list_outputs<T> own{{scratch.take<T>(out.gradient.size())}, {scratch.take<T>(out.hessian.size())}};
    const std::span<double> gradient = scratch.take<double>(out.gradient.size());
    const std::span<double> hessian = scratch.take<double>(out.hessian.size());
    for (double& g : gradient) g = 0.0;
    for (double& h : hessian) h = 0.0;
    double value = 0.0;
    list<T, R> perturbed = items;
    perturbed.scores = strided<const T>(scores.data(), n);
    for (std::size_t k = 0; k < samples; ++k) {
      perturb<T>(items.scores, noise, seed, items.number, static_cast<std::uint32_t>(k), scores);
      value += detail::compute(loss, perturbed, own, scratch);
      for (std::size_t i = 0; i < gradient.size(); ++i) gradient[i] += static_cast<double>(own.gradient[i]);
      for (std::size_t i = 0; i < hessian.size(); ++i) hessian[i] += static_cast<double>(own.hessian[i]);
    }
    const auto count = static_cast<double>(samples);
    for (std::size_t i = 0; i < gradient.size(); ++i) out.gradient[i] = static_cast<T>(gradient[i] / count);
    for (std::size_t i = 0; i < hessian.size(); ++i) out.hessian[i] = static_cast<T>(hessian[i] / count);
    return value / count;
  }

  /// The loss, so that its own checks of the data are made.
  template <class Visit>
  void for_each_inner(const Visit& visit) const {
    detail::for_each_inner(loss, visit);
  }

  /// Whether the list counts in reduction::mean_of_relevant, by the rule of the loss.
  template <class T, class R>
  [[nodiscard]] bool has_relevance(const list<T, R>& items) const {
    return detail::has_relevance(loss, items);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI
