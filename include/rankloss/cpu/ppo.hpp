// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/pieces.hpp>
#include <rankloss/detail/base/precision.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/data/policy_steps.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/simd/surrogate_floats.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/ppo.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <span>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {
namespace detail {

/// The ratio rho of the new to the old probability of action i.
template <class T>
[[nodiscard]] policy_ratio ratio_of(const policy_batch<T>& batch, std::size_t i) {
  return {static_cast<double>(batch.log_probabilities[i]),
          static_cast<double>(batch.old_log_probabilities[i])};
}

/// The penalty on action i, without its coefficient.
template <class T>
[[nodiscard]] policy_term penalty_of(const policy_batch<T>& batch, const policy_ratio& rho,
                                     kl_estimator estimator, std::size_t i) {
  if (batch.reference_log_probabilities.empty()) return rho.penalty(estimator);
  return policy_ratio::to_reference(static_cast<double>(batch.reference_log_probabilities[i]),
                                    static_cast<double>(batch.log_probabilities[i]), estimator);
}

/// The term of a step in each lane.
template <class Arch>
struct step_terms {
  lanes<Arch> value, slope;
};

/// Calls visit(write) with what writes a row of slopes: write(i, count, slopes) writes them times the scale of
/// the outputs from step i on, or nothing where no gradient is wanted.
template <class Arch, class Visit>
void with_slopes(const outputs& out, const Visit& visit) {
  using V = lanes<Arch>;
  if (out.gradient.empty()) return visit([](std::size_t, auto, const V&) {});
  out.gradient.visit([&](auto* gradient) {
    using G = std::remove_pointer_t<decltype(gradient)>;
    constexpr auto largest = static_cast<double>(std::numeric_limits<G>::max());
    const auto scaled = [scale = V(out.scale)](const V& slopes) {
      return within_magnitude(scale * slopes, largest);
    };
    if (out.update == update::add)
      visit([=](std::size_t i, auto count, const V& slopes) {
        const V sum = load_items<Arch>(gradient + i, count) + scaled(slopes);
        store_items<Arch>(gradient + i, count, within_magnitude(sum, largest));
      });
    else
      visit([=](std::size_t i, auto count, const V& slopes) {
        store_items<Arch>(gradient + i, count, scaled(slopes));
      });
  });
}

/// Sums the terms of the steps of a range that count, each multiplied by its share, and writes their slopes.
template <class Arch, class Write, class Term>
double sum_of_terms(item_range range, const step_shares& shares, const Write write, const Term term) {
  using V = lanes<Arch>;
  constexpr std::size_t chunk = 512, w = lane_count<Arch>;
  if (shares.equal()) {
    const V own(range.size() > 0 ? shares[0] : 0.0);
    V sum(0.0);
    for_rows<Arch>(range.size(), [&, term](std::size_t k, auto count) {
      const std::size_t i = range.begin + k;
      const step_terms<Arch> one = term(i, count);
      write(i, count, own * one.slope);
      // Hidden, since a compiler that may fuse the product with the sum would round otherwise than below.
      sum += only_items<Arch>(count, opaque(own * one.value));
    });
    return sum_of(sum);
  }
  alignas(64) double sums[w] = {};
  double share[chunk], values[chunk];
  std::size_t counted = 0;
  for (std::size_t first = range.begin; first < range.end; first += chunk) {
    const std::size_t steps = std::min(chunk, range.end - first);
    for (std::size_t k = 0; k < steps; ++k) share[k] = shares[first + k];
    for_rows<Arch>(steps, [&](std::size_t k, auto count) {
      const V own = load_items<Arch>(share + k, count);
      const step_terms<Arch> one = term(first + k, count);
      const auto counts = own > V(0.0);
      store_items<Arch>(values + k, count, xsimd::select(counts, own * one.value, V(0.0)));
      write(first + k, count, xsimd::select(counts, own * one.slope, V(0.0)));
    });
    // The steps that count take turns in the lanes, so that the others do not change a bit.
    for (std::size_t k = 0; k < steps; ++k)
      if (share[k] > 0.0) sums[counted++ % w] += values[k];
  }
  return sum_of(V::load_aligned(sums));
}

/// Adds up sum_of(range) over pieces of the steps, of which each has as many steps that count.
template <class Arch, class Sum>
double sum_in_pieces(std::size_t n, const step_shares& shares, workspace& scratch, const Sum& sum_of) {
  const workspace::scope scope(scratch);
  const counted_pieces pieces(
      n, shares.equal(), [&shares](std::size_t i) { return shares[i] > 0.0; }, scratch);
  static_assert(tuning::piece_items % (2 * lane_count<Arch>) == 0);  // rows of steps are those of one piece
  const std::span<double> sums = scratch.take<double>(pieces.count());
  run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) { sums[p] = sum_of(pieces[p]); });
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

/// Sums the terms of the steps that count, each multiplied by its share, and writes the gradient if it is
/// requested. `term(i, count)` returns the terms of a row of steps, and does not throw: steps are written
/// row by row, so that no scratch of their number is needed. What it returns for steps that do not count is
/// not used.
template <class Arch, class Term>
double mean_of_terms(std::size_t n, const step_shares& shares, const outputs& out, workspace& scratch,
                     const Term& term) {
  double mean = 0.0;
  with_slopes<Arch>(out, [&](const auto& write) {
    mean = sum_in_pieces<Arch>(
        n, shares, scratch, [&](item_range range) { return sum_of_terms<Arch>(range, shares, write, term); });
  });
  return mean;
}

/// policy_ratio of an action in each lane, by the same formulas.
template <class Arch>
struct policy_rows {
  using V = lanes<Arch>;
  V log, ratio, above, past_line;

  [[gnu::always_inline]] policy_rows(const V& upper, const V& lower) : log(bounded_term(upper - lower)) {
    const exp_lanes<Arch> e = exp_and_less_1(xsimd::min(log, V(policy_ratio::most)));
    // Where exp(log) would be subnormal.
    const auto none = log < V(-700.0);
    ratio = xsimd::select(none, V(0.0), e.value);
    above = xsimd::select(none, V(-1.0), e.less_1);
    // Below -600 the exponential has no say, and the logarithm is not the one that it is of.
    past_line = xsimd::select(log < V(-policy_ratio::most), above - log, e.less_line);
  }

  /// The estimate of the divergence and its derivative by the logarithm.
  [[nodiscard]] [[gnu::always_inline]] step_terms<Arch> kl(kl_estimator estimator) const noexcept {
    // Chosen by lanes: every estimator is as cheap as the choice.
    const V chosen(static_cast<double>(estimator));
    const auto is_k1 = chosen == V(static_cast<double>(kl_estimator::k1));
    const auto is_k2 = chosen == V(static_cast<double>(kl_estimator::k2));
    return {
        xsimd::select(is_k1, -log,
                      xsimd::select(is_k2, bounded_term(V(0.5) * log * log), xsimd::max(past_line, V(0.0)))),
        xsimd::select(is_k1, V(-1.0), xsimd::select(is_k2, log, above))};
  }
};

/// The surrogate of rows of actions: ppo::surrogate in lanes.
template <class Arch, class T>
struct surrogate_rows {
  using V = lanes<Arch>;

  surrogate_rows(const ppo& loss, const policy_batch<T>& batch)
      : now(batch.log_probabilities.data()),
        old(batch.old_log_probabilities.data()),
        advantages(batch.advantages.data()),
        least(1.0 - loss.clip),
        most(1.0 + loss.clip),
        most_below_0(loss.dual_clip > 0.0 ? loss.dual_clip : std::numeric_limits<double>::max()) {}

  template <class Count>
  [[nodiscard]] [[gnu::always_inline]] step_terms<Arch> operator()(std::size_t i,
                                                                   Count count) const noexcept {
    const V upper = load_items<Arch>(now + i, count), lower = load_items<Arch>(old + i, count);
    const V advantage = load_items<Arch>(advantages + i, count);
    const V ratio = policy_rows<Arch>(upper, lower).ratio;
    const V counted = xsimd::select(advantage >= V(0.0), xsimd::min(ratio, most),
                                    xsimd::min(xsimd::max(ratio, least), most_below_0));
    const auto clipped = (advantage != V(0.0)) & (counted != ratio);
    return {bounded_term(-advantage * counted),
            xsimd::select(clipped, V(0.0), bounded_term(-advantage * ratio))};
  }

  const T *now, *old, *advantages;
  V least, most, most_below_0;
};

/// The same and the penalty.
template <class Arch, class T>
struct penalised_rows {
  using V = lanes<Arch>;

  // Towards a reference the policy that learns is the one that acts: its log probability is the lower one,
  // and the derivative by it has the other sign.
  penalised_rows(const ppo& loss, const policy_batch<T>& batch)
      : surrogate(loss, batch), estimator(loss.estimator), coefficient(loss.kl_coefficient) {
    const bool to_reference = !batch.reference_log_probabilities.empty();
    upper = to_reference ? batch.reference_log_probabilities.data() : surrogate.now;
    lower = to_reference ? surrogate.now : surrogate.old;
    slope_coefficient = to_reference ? -coefficient : coefficient;
  }

  template <class Count>
  [[nodiscard]] [[gnu::always_inline]] step_terms<Arch> operator()(std::size_t i,
                                                                   Count count) const noexcept {
    const step_terms<Arch> term = surrogate(i, count);
    const step_terms<Arch> penalty =
        policy_rows<Arch>(load_items<Arch>(upper + i, count), load_items<Arch>(lower + i, count))
            .kl(estimator);
    return {bounded_term(term.value + coefficient * penalty.value),
            bounded_term(term.slope + slope_coefficient * penalty.slope)};
  }

  surrogate_rows<Arch, T> surrogate;
  kl_estimator estimator;
  V coefficient, slope_coefficient;
  const T *upper, *lower;
};

struct ppo_engine {
  using Arch = xsimd::default_arch;  // of this translation unit, as the inline namespace says

  template <score T>
  static double run(const ppo& loss, const policy_batch<T>& batch, const outputs& out, context& ctx) {
    const std::size_t n = batch.log_probabilities.size();
    const step_shares shares(batch.weights, batch.mask, n);
    if (loss.kl_coefficient > 0.0)
      return mean_of_terms<Arch>(n, shares, out, ctx.scratch(), penalised_rows<Arch, T>(loss, batch));
    const surrogate_rows<Arch, T> surrogate(loss, batch);
    if constexpr (single_precision<T>)
      return mean_of_floats(n, shares, out, ctx.scratch(), surrogate);
    else
      return mean_of_terms<Arch>(n, shares, out, ctx.scratch(), surrogate);
  }

 private:
  /// mean_of_terms in lanes of float.
  static double mean_of_floats(std::size_t n, const step_shares& shares, const outputs& out,
                               workspace& scratch, const surrogate_rows<Arch, float>& exact) {
    const surrogate_floats<Arch> floats(first_of(exact.least), first_of(exact.most),
                                        first_of(exact.most_below_0));
    const auto mean = [&](auto* gradient) {
      using G = std::remove_pointer_t<decltype(gradient)>;
      const float_terms<Arch, G, surrogate_rows<Arch, float>> terms(
          floats, exact, exact.now, exact.old, exact.advantages,
          {gradient, out.scale, out.update == update::add});
      return sum_in_pieces<Arch>(n, shares, scratch, [&](item_range range) { return terms(range, shares); });
    };
    if (out.gradient.empty()) return mean(static_cast<float*>(nullptr));
    double found = 0.0;
    out.gradient.visit([&](auto* gradient) { found = mean(gradient); });
    return found;
  }
};

struct critic_engine {
  using Arch = xsimd::default_arch;  // of this translation unit, as the inline namespace says

  /// The error of a value that is clipped around the one before: that value's error, and what clipping leaves of the
  /// move from it. Lanes of double hold a bound of a float, but a bound of a double has lost digits.
  template <class T>
  [[nodiscard]] [[gnu::always_inline]] static lanes<Arch> clipped_error(const lanes<Arch>& value,
                                                                        const lanes<Arch>& before,
                                                                        const lanes<Arch>& to,
                                                                        const lanes<Arch>& clip,
                                                                        const lanes<Arch>& error) noexcept {
    if constexpr (single_precision<T>)
      return xsimd::min(xsimd::max(value, before - clip), before + clip) - to;
    // Hidden, so that no compiler forms such a bound.
    const lanes<Arch> moved = opaque(value - before), apart = opaque(before - to);
    return xsimd::select(xsimd::abs(moved) <= clip, error,
                         xsimd::min(xsimd::max(moved, -clip), clip) + apart);
  }

  template <score T>
  static double run(const critic& loss, const value_batch<T>& batch, const outputs& out, context& ctx) {
    using V = lanes<Arch>;
    constexpr double largest = std::numeric_limits<double>::max();
    const std::size_t n = batch.values.size();
    const step_shares shares(batch.weights, batch.mask, n);
    const T* const values = batch.values.data();
    const T* const returns = batch.returns.data();
    const T* const old = batch.old_values.data();
    const auto half_square = [](const V& error) { return bounded_term(V(0.5) * error * error); };
    if (batch.old_values.empty())
      return mean_of_terms<Arch>(n, shares, out, ctx.scratch(), [=](std::size_t i, auto count) {
        const V error = within_magnitude(
            load_items<Arch>(values + i, count) - load_items<Arch>(returns + i, count), largest);
        return step_terms<Arch>{half_square(error), error};
      });
    return mean_of_terms<Arch>(n, shares, out, ctx.scratch(), [=](std::size_t i, auto count) {
      const V value = load_items<Arch>(values + i, count), to = load_items<Arch>(returns + i, count);
      const V before = load_items<Arch>(old + i, count);
      const V error = within_magnitude(value - to, largest);
      const V clip(loss.clip);
      const V other = within_magnitude(clipped_error<T>(value, before, to, clip, error), largest);
      const auto clipped = xsimd::abs(other) > xsimd::abs(error);
      return step_terms<Arch>{half_square(xsimd::select(clipped, other, error)),
                              xsimd::select(clipped, V(0.0), error)};
    });
  }
};

}  // namespace detail

template <>
struct engine<ppo, context> : detail::ppo_engine {};

template <>
struct engine<critic, context> : detail::critic_engine {};

template <score T>
[[nodiscard]] policy_diagnostics diagnose(const ppo& loss, const policy_batch<T>& batch, data_checks checks) {
  validate(loss);
  detail::check_policy(batch, {}, checks == data_checks::on);
  const detail::step_shares shares(batch.weights, batch.mask, batch.log_probabilities.size());
  policy_diagnostics found;
  for (std::size_t i = 0; i < batch.log_probabilities.size(); ++i) {
    const double share = shares[i];
    if (!(share > 0.0)) continue;
    const detail::policy_ratio rho = detail::ratio_of(batch, i);
    found.mean_ratio += share * rho.ratio;
    if (loss.surrogate(rho.ratio, static_cast<double>(batch.advantages[i])).clipped)
      found.clip_fraction += share;
    found.kl_k1 += share * rho.kl(kl_estimator::k1);
    found.kl_k3 += share * rho.kl(kl_estimator::k3);
    if (!batch.reference_log_probabilities.empty()) {
      found.reference_kl_k1 += share * detail::penalty_of(batch, rho, kl_estimator::k1, i).value;
      found.reference_kl_k3 += share * detail::penalty_of(batch, rho, kl_estimator::k3, i).value;
    }
    if (!batch.entropies.empty()) found.entropy += share * batch.entropies[i];
  }
  return found;
}

template <score T>
void shape_rewards(std::type_identity_t<array_view<const T>> rewards,
                   std::type_identity_t<array_view<const T>> log_probabilities,
                   std::type_identity_t<array_view<const T>> reference_log_probabilities, double coefficient,
                   kl_estimator estimator, std::span<T> shaped, const flags& mask, data_checks checks) {
  const std::size_t n = shaped.size();
  detail::check_size("rewards", rewards.size(), n, "one per shaped reward");
  detail::check_size("log_probabilities", log_probabilities.size(), n, "one per shaped reward");
  detail::check_size("reference_log_probabilities", reference_log_probabilities.size(), n,
                     "one per shaped reward");
  detail::check_optional("mask", mask.size(), n, "one per shaped reward");
  detail::require(detail::is_finite(coefficient) && coefficient >= 0.0, "coefficient: ", coefficient,
                  ", expected a finite number >= 0");
  if (checks == data_checks::on) {
    detail::check_finite("rewards", rewards, mask);
    detail::check_finite("log_probabilities", log_probabilities, mask);
    detail::check_finite("reference_log_probabilities", reference_log_probabilities, mask);
  }
  for (std::size_t i = 0; i < n; ++i) {
    if (!detail::keeps(mask, i)) {
      shaped[i] = T{0};
      continue;
    }
    const detail::policy_ratio q(static_cast<double>(reference_log_probabilities[i]),
                                 static_cast<double>(log_probabilities[i]));
    const double penalty = detail::held_as<double>(coefficient * q.kl(estimator));
    shaped[i] = detail::held_as<T>(static_cast<double>(rewards[i]) - penalty);
  }
}

template <score T>
[[nodiscard]] double explained_variance(const value_batch<T>& batch, data_checks checks) {
  detail::check_critic(batch, {}, checks == data_checks::on);
  const detail::step_shares shares(batch.weights, batch.mask, batch.values.size());
  const std::size_t n = batch.values.size();
  double largest = 0.0;
  std::size_t first = n;
  for (std::size_t i = 0; i < n; ++i)
    if (shares[i] > 0.0) {
      if (first == n) first = i;
      largest = std::max({largest, std::abs(static_cast<double>(batch.values[i])),
                          std::abs(static_cast<double>(batch.returns[i]))});
    }
  if (!(largest > 0.0)) return 0.0;
  // Numbers are divided by the largest, so that no square overflows, and taken relative to the first, so that
  // the mean of equal numbers has no rounding error.
  // Hidden, since a compiler that may reorder would subtract first.
  const auto return_of = [&](std::size_t i) {
    return detail::opaque(static_cast<double>(batch.returns[i]) / largest);
  };
  const auto rest_of = [&](std::size_t i) {
    return return_of(i) - detail::opaque(static_cast<double>(batch.values[i]) / largest);
  };
  const auto variance = [&](auto of) {
    double mean = 0.0;
    double squares = 0.0;
    for (std::size_t i = first; i < n; ++i)
      if (shares[i] > 0.0) mean += shares[i] * (of(i) - of(first));
    for (std::size_t i = first; i < n; ++i)
      if (shares[i] > 0.0) squares += shares[i] * (of(i) - of(first) - mean) * (of(i) - of(first) - mean);
    return squares;
  };
  const double whole = variance(return_of);
  return whole > 0.0 ? std::max(1.0 - variance(rest_of) / whole, -1e290) : 0.0;
}

}  // namespace rankloss::inline RANKLOSS_ABI
