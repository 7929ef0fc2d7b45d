// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/random_bits.hpp>
#include <rankloss/detail/draws/softmax_loss.hpp>
#include <rankloss/detail/draws/stage_draws.hpp>
#include <rankloss/detail/sorting/argsort.hpp>
#include <rankloss/detail/sorting/relevance_order.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {

/// The order of items of equal relevance.
enum class tie_order {
  stable,  ///< the order of the items in the list
  random,  ///< drawn anew for each seed, list and item
  exact,   ///< none: the likelihoods of all such orders are summed
};

/// The weight of each place of the order.
enum class position_weights {
  none,         ///< all 1
  exponential,  ///< (2^(n - i) - 1) / sum_k (2^(n - k) - 1) at place i of 1 ... n: about 1/2, 1/4, ...
};

/// listmle: minus the log likelihood of the order by relevance under the Plackett-Luce model of the scores.
///
///     pi               sorts y, descending
///     p_ik             = exp(s_pi(k) / t) / sum_{j >= i} exp(s_pi(j) / t),  k >= i,  t = temperature
///     loss             = - sum_{i <= cutoff} c_i log p_ii
///     d(loss)/d(s)     of item pi(k) = (sum_{i <= min(k, cutoff)} c_i p_ik - c_k [k <= cutoff]) / t
///     d2(loss)/d(s)2   of item pi(k) = sum_{i <= min(k, cutoff)} c_i p_ik (1 - p_ik) / t^2
///
/// and with tie_order::exact
///
///     loss             = - log sum_pi prod_i p_ii,  over all pi that sort y
///
/// Xia, Liu, Wang, Zhang, Li: Listwise approach to learning to rank: theory and algorithm, ICML 2008.
/// Position weights: Lan, Zhu, Guo, Niu, Cheng: Position-aware ListMLE, UAI 2014; here they are divided by
/// their sum, so that they can be computed for lists of any length. Cutoff: Xia, Liu, Li: Statistical
/// consistency of top-k ranking, NIPS 2009. The sum over tied orders as an integral: DeLong, Guirguis, So,
/// Biometrika 81 (1994).
///
/// - Time: a sort by relevance (counting for whole grades) and O(n); scratch O(n). Exact ties take O(60 g)
///   for g tied items, for any g. Float gradients are within 2e-6 of the largest entry. Sums are taken
///   relative to the largest score that remains, so scores may be any distance apart.
/// - Invariant under shifts of the scores; the gradient sums to 0 up to rounding. Convex, except with exact
///   ties.
/// - Random orders are a function of (seed, number of the list in its batch, number of the item among those
///   that the mask keeps): the same for any number of threads. Change the seed from step to step.
/// - The order of items of equal relevance is part of the definition. With tie_order::stable and
///   tie_order::random, items that are alike in score, relevance and weight have the derivatives of their
///   places, which differ; with tie_order::exact they have the same derivative.
/// - c_i is the weight of the place times the item weight of pi(i). Exact ties accept no cutoff and no
///   weights of places, and ignore item weights.
/// - Edge cases: a list without relevance counts like any other; its order is that of the ties alone, and
///   exact ties have value 0. One item: 0. Infinite scores count as the largest finite number of the type.
///   Losses beyond 1e290 are set to 1e290. Derivatives that the type cannot hold are scaled down until it
///   can.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range.
struct listmle {
  double temperature = 1.0;                                               ///< 1e-15 to 1e300, in units of the scores
  std::size_t cutoff = 0;                                                 ///< places that count; 0: all
  rankloss::position_weights weights = rankloss::position_weights::none;  ///< weights of the places
  tie_order ties = tie_order::stable;                                     ///< of items of equal relevance
  std::uint64_t seed = 0;                                                 ///< of tie_order::random

  static constexpr bool has_hessian = true;

  void validate() const {
    detail::check_temperature("temperature", temperature);
    detail::require(ties != tie_order::exact || cutoff == 0, "cutoff: ", cutoff, ", expected 0 with tie_order::exact");
    detail::require(ties != tie_order::exact || weights == position_weights::none, "weights: exponential, expected none with tie_order::exact");
  }

  template <class T, class R, class Arch = xsimd::default_arch>
  double operator()(const list<T, R>& items, const list_outputs<T>& out, workspace& scratch) const {
    const std::size_t n = items.size();
    const workspace::scope scope(scratch);
    const R* y = detail::contiguous_items(items.relevance, scratch);
    const std::uint32_t* first = ties == tie_order::random ? shuffled(n, items.number, scratch).data() : nullptr;
    const std::span<const std::uint32_t> order = detail::order_by_relevance(y, n, first, scratch);
    if (ties == tie_order::exact) {
      const detail::order_outputs<T> outputs(out, order, 1.0, temperature);
      const detail::rest_sums rests = detail::sum_rests(items.scores, order, temperature, scratch);
      return std::min(detail::grades_loss<Arch, T>(rests, y, order, out, outputs, scratch), detail::largest_term);
    }
    const std::span<double> c = scratch.take<double>(n);
    const auto [mass, equal] = fill_weights(items.weights, order, c);
    if (!(mass > 0.0)) {
      detail::clear(out);
      return 0.0;
    }
    const detail::order_outputs<T> outputs(out, order, mass, temperature);
    const auto near = [&]<bool Unit> {
      return detail::order_loss_near<Arch, Unit, T>(items.scores, order, temperature, c, out, outputs.first(), outputs.second(), scratch);
    };
    if (outputs.within(n))
      if (const auto value = equal ? near.template operator()<true>() : near.template operator()<false>())
        return std::min(mass * *value, detail::largest_term);
    const detail::rest_sums rests = detail::sum_rests(items.scores, order, temperature, scratch);
    return std::min(mass * detail::order_loss_apart<T>(rests, c, outputs), detail::largest_term);
  }

 private:
  /// The items in random order.
  [[nodiscard]] std::span<const std::uint32_t> shuffled(std::size_t n, std::uint64_t list, workspace& scratch) const {
    using record = detail::keyed<std::uint32_t, std::uint32_t>;
    detail::require_countable(n);
    const std::span<std::uint32_t> order = scratch.take<std::uint32_t>(n);
    const workspace::scope sorting(scratch);
    std::span<record> records = scratch.take<record>(n);
    detail::random_bits(seed, list, order);
    for (std::size_t i = 0; i < n; ++i) records[i] = {order[i], static_cast<std::uint32_t>(i)};
    records = detail::sort_by_key(records, scratch.take<record>(n), scratch);
    for (std::size_t i = 0; i < n; ++i) order[i] = records[i].payload;
    return order;
  }

  struct masses {
    double most;  ///< c_i is divided by it
    bool equal;   ///< whether all weights are 1
  };
  [[nodiscard]] masses fill_weights(const strided<const double>& own, std::span<const std::uint32_t> order, std::span<double> c) const noexcept {
    const std::size_t n = c.size();
    const std::size_t k = cutoff > 0 ? std::min(cutoff, n) : n;
    const bool by_place = weights != position_weights::none;
    if (!by_place) {
      std::fill_n(c.begin(), k, 1.0);
    } else {
      // Numerator and denominator are divided by 2^n.
      const double least = std::ldexp(1.0, -static_cast<int>(std::min<std::size_t>(n, 4096)));
      const double sum = 1.0 - (1.0 + static_cast<double>(n)) * least;
      double half = 1.0;
      for (std::size_t i = 0; i < k; ++i) c[i] = n > 1 ? ((half *= 0.5) - least) / sum : 0.0;
    }
    std::fill(c.begin() + static_cast<std::ptrdiff_t>(k), c.end(), 0.0);
    const bool whole = !by_place && k == n;
    if (own.empty()) return {by_place && n <= 1 ? 0.0 : 1.0, whole};
    double most = 0.0;
    double least = std::numeric_limits<double>::max();
    for (std::size_t i = 0; i < k; ++i) {
      most = std::max(most, own[order[i]]);
      least = std::min(least, own[order[i]]);
    }
    if (!(most > 0.0)) return {0.0, false};
    for (std::size_t i = 0; i < k; ++i) c[i] *= own[order[i]] / most;
    return {most, whole && least == most};
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI
