// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/bradley_terry.hpp>
#include <rankloss/cuda/detail/all_pairs.cuh>
#include <rankloss/cuda/detail/near_numbers.cuh>
#include <rankloss/davidson.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/softplus.hpp>
#include <rankloss/margin_ranking.hpp>
#include <rankloss/rao_kupper.hpp>

#include <cmath>

/// Preference losses of floats without doubles. An item adds up the slopes of its pairs, which may all but
/// cancel, so these are numbers of two floats, within 1e-9 of themselves; values are within 2e-7. Pairs for
/// which that is not enough are told, and have to be computed in doubles.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// preference_term in floats.
struct near_pair_term {
  two_floats value, slope_preferred, slope_other, slope_of_ties;
  float curvature;  ///< by either reward
};

/// 1 - exp(-x) for x >= 0, given exp(-x).
[[nodiscard]] __device__ inline two_floats one_less(const two_floats& x, const two_floats& exponential) {
  if (x.high >= 0.1f) return normalised(two_floats{1.0f, 0.0f} - exponential);
  const two_floats square = x * x;
  const float y = x.high;
  const float series = fmaf(-y, fmaf(-y, fmaf(-y, 1.0f / 720.0f, 1.0f / 120.0f), 1.0f / 24.0f), 1.0f / 6.0f);
  const two_floats rest = x - two_floats{0.5f * square.high, 0.5f * square.low};
  return normalised(rest + two_floats{square.high * y * series, 0.0f});
}
[[nodiscard]] __device__ inline two_floats magnitude(const two_floats& x) { return x.high < 0.0f ? -x : x; }
[[nodiscard]] __device__ inline two_floats doubled(const two_floats& x) {
  return {x.high + x.high, x.low + x.low};
}
[[nodiscard]] __device__ inline two_floats halved(const two_floats& x) {
  return {0.5f * x.high, 0.5f * x.low};
}
/// a where `first`, else b, number by number.
[[nodiscard]] __device__ inline two_floats chosen(bool first, const two_floats& a, const two_floats& b) {
  return {first ? a.high : b.high, first ? a.low : b.low};
}

/// The lead of the preferred item beyond the margin, in temperatures.
struct near_lead {
  two_floats inverse;  ///< of the temperature
  float greatest_margin;

  static constexpr double least_temperature = 1e-6, greatest_temperature = 1e6;
  static constexpr float farthest = 30.0f;

  [[nodiscard]] static near_lead of(double temperature) noexcept {
    return {number<two_floats>(1.0 / temperature),
            static_cast<float>(
                500.0 * rankloss::detail::limited(temperature, least_temperature, greatest_temperature))};
  }
  [[nodiscard]] static bool takes(double temperature) noexcept {
    return temperature >= least_temperature && temperature <= greatest_temperature;
  }
  /// Whether floats are enough for it, and then it.
  [[nodiscard]] __device__ bool operator()(float preferred, float other, const two_floats& margin,
                                           two_floats& z) const {
    z = normalised(((two_floats{preferred, 0.0f} - two_floats{other, 0.0f}) - margin) * inverse);
    return fabsf(z.high) <= farthest && fabsf(margin.high) <= greatest_margin;
  }
};

/// near_form<Loss>: the formula of a preference loss in floats. It is made of the loss by `of` on the host.
/// Any other loss is computed in doubles.
///
///     (preferred, other, margin, term), tie(preferred, other, margin, term)
///         whether floats are enough for a pair, and then its term
template <class Loss>
struct near_form;

template <class Loss>
concept has_near_form = requires {
  sizeof(near_form<Loss>);
};

template <>
struct near_form<bradley_terry> {
  near_lead lead;
  two_floats smoothing, rest, centring, twice;  ///< rest: 1 - smoothing, twice: twice the centring
  bool takes_floats, smooths, centres;

  [[nodiscard]] static near_form of(const bradley_terry& loss) noexcept {
    return {.lead = near_lead::of(loss.temperature),
            .smoothing = number<two_floats>(loss.smoothing),
            .rest = number<two_floats>(1.0 - loss.smoothing),
            .centring = number<two_floats>(loss.centring),
            .twice = number<two_floats>(2.0 * loss.centring),
            .takes_floats = near_lead::takes(loss.temperature) &&
                            (loss.smoothing == 0.0 || loss.smoothing >= 1e-6) &&
                            (loss.centring == 0.0 || (loss.centring >= 1e-6 && loss.centring <= 1e6)),
            .smooths = loss.smoothing > 0.0,
            .centres = loss.centring > 0.0};
  }

  [[nodiscard]] __device__ bool operator()(float preferred, float other, const two_floats& margin,
                                           near_pair_term& term) const {
    two_floats z;
    if (!takes_floats || !lead(preferred, other, margin, z)) return false;
    const two_floats a = magnitude(z), small = exp_below(a);
    const two_floats near_one = inverse(two_floats{1.0f, 0.0f} + small), near_zero = small * near_one;
    const bool wins = z.high >= 0.0f;
    const two_floats wrong = chosen(wins, near_zero, near_one);
    two_floats value{log1pf(rounded(small)), 0.0f}, pull = -wrong;
    bool exact = true;
    if (smooths) {
      const two_floats right = smoothing * chosen(wins, near_one, near_zero);
      pull = normalised(right - rest * wrong);
      exact = fabsf(pull.high) >= 0.1f * right.high;
      value = value + chosen(wins, smoothing, rest) * a;
    } else if (!wins) {
      value = value + a;
    }
    pull = pull * lead.inverse;
    const float by_temperature = lead.inverse.high;
    term = {value,
            pull,
            -pull,
            {0.0f, 0.0f},
            (near_one.high * by_temperature) * (near_zero.high * by_temperature)};
    if (centres) {
      const two_floats both = two_floats{preferred, 0.0f} + two_floats{other, 0.0f}, push = twice * both;
      term.slope_preferred = normalised(push + pull);
      term.slope_other = normalised(push - pull);
      term.value = term.value + (centring * both) * both;
      term.curvature += twice.high;
      const float size = fabsf(both.high);
      exact =
          exact && (size == 0.0f || (size >= 1e-6f && size <= 1e6f)) &&
          fminf(fabsf(term.slope_preferred.high), fabsf(term.slope_other.high)) >= 0.1f * fabsf(push.high);
    }
    return exact;
  }
};

template <>
struct near_form<margin_ranking> {
  two_floats margin;

  [[nodiscard]] static near_form of(const margin_ranking& loss) noexcept {
    return {number<two_floats>(loss.margin)};
  }
  [[nodiscard]] __device__ bool operator()(float preferred, float other, const two_floats& own,
                                           near_pair_term& term) const {
    const two_floats apart = two_floats{preferred, 0.0f} - two_floats{other, 0.0f};
    const two_floats gap = normalised((margin + own) - apart);
    term = {};
    const float size = fabsf(gap.high);
    // Written so that a NaN is not enough.
    if (!(size > 1e-6f * (fabsf(margin.high) + fabsf(own.high) + fabsf(apart.high)) && size >= 1e-12f &&
          size <= 1e12f))
      return false;
    if (gap.high > 0.0f) term = {gap, {-1.0f, 0.0f}, {1.0f, 0.0f}, {0.0f, 0.0f}, 0.0f};
    return true;
  }
};

template <>
struct near_form<rao_kupper> {
  near_form<bradley_terry> win;
  two_floats threshold, eta, grown, by_grown;
  bool takes_ties;

  [[nodiscard]] static near_form of(const rao_kupper& loss) noexcept {
    const double eta = loss.threshold / loss.temperature;
    const bool takes_ties = near_lead::takes(loss.temperature) && eta >= 1e-6 && eta <= 20.0;
    return {.win = near_form<bradley_terry>::of({.temperature = loss.temperature}),
            .threshold = number<two_floats>(loss.threshold),
            .eta = number<two_floats>(eta),
            .grown = number<two_floats>(takes_ties ? rankloss::detail::log_of_rest(2.0 * eta) : 0.0),
            .by_grown = number<two_floats>(takes_ties ? 2.0 / std::expm1(2.0 * eta) : 0.0),
            .takes_ties = takes_ties};
  }
  [[nodiscard]] __device__ bool operator()(float preferred, float other, const two_floats& margin,
                                           near_pair_term& term) const {
    const bool exact = win(preferred, other, margin + threshold, term);
    term.slope_of_ties = term.slope_other;
    return exact;
  }
  [[nodiscard]] __device__ bool tie(float preferred, float other, const two_floats& margin,
                                    near_pair_term& term) const {
    two_floats z;
    if (!takes_ties || !win.lead(preferred, other, margin, z)) return false;
    const two_floats a = magnitude(z), apart = normalised(a - eta), one{1.0f, 0.0f};
    const bool leads = apart.high >= 0.0f;
    const two_floats near = exp_below(magnitude(apart)), far = exp_below(a + eta);
    const two_floats by_near = inverse(one + near), by_far = inverse(one + far);
    const two_floats ahead = chosen(leads, by_near, near * by_near), behind = far * by_far;
    const two_floats logs{log1pf(rounded(near)) + log1pf(rounded(far)), 0.0f};
    const two_floats distance = chosen(leads, apart, {0.0f, 0.0f});
    const two_floats twice = doubled(a);
    const two_floats size = (ahead * by_far) * (one_less(twice, exp_below(twice)) * win.lead.inverse);
    const two_floats pull = z.high < 0.0f ? -size : size;
    const float by_temperature = win.lead.inverse.high;
    const float bend = near.high * by_near.high * by_near.high + behind.high * by_far.high;
    term = {(distance + logs) - grown, pull, -pull, -((ahead + behind + by_grown) * win.lead.inverse),
            bend * by_temperature * by_temperature};
    return true;
  }
};

template <>
struct near_form<davidson> {
  near_lead lead;
  two_floats log_prevalence;
  bool takes_floats;

  [[nodiscard]] static near_form of(const davidson& loss) noexcept {
    const bool takes = near_lead::takes(loss.temperature) && std::fabs(loss.log_prevalence) <= 20.0;
    return {near_lead::of(loss.temperature), number<two_floats>(takes ? loss.log_prevalence : 0.0), takes};
  }
  [[nodiscard]] __device__ bool operator()(float preferred, float other, const two_floats& margin,
                                           near_pair_term& term) const {
    outcomes of;
    if (!of.find(*this, preferred, other, margin)) return false;
    const two_floats slope = -(chosen(of.leads, of.behind, of.ahead) + halved(of.tie));
    const two_floats further = chosen(of.leads, {0.0f, 0.0f}, of.distance);
    of.put(term, (of.most + further) + of.log_sum, slope * lead.inverse, of.tie, lead.inverse.high);
    return true;
  }
  [[nodiscard]] __device__ bool tie(float preferred, float other, const two_floats& margin,
                                    near_pair_term& term) const {
    outcomes of;
    if (!of.find(*this, preferred, other, margin)) return false;
    const two_floats size = (of.ahead * one_less(of.distance, of.lost)) * halved(lead.inverse);
    of.put(term, (of.most - of.ties) + of.log_sum, of.leads ? size : -size, -(of.ahead + of.behind),
           lead.inverse.high);
    return true;
  }

 private:
  /// Probabilities of three outcomes: that the item that is ahead wins, the other one, or none.
  struct outcomes {
    two_floats distance, lost, ties, most, log_sum, ahead, behind, tie;
    bool leads;

    [[nodiscard]] __device__ bool find(const near_form& form, float preferred, float other,
                                       const two_floats& margin) {
      two_floats z;
      if (!form.takes_floats || !form.lead(preferred, other, margin, z)) return false;
      const two_floats one{1.0f, 0.0f};
      leads = z.high >= 0.0f;
      distance = magnitude(z);
      ties = normalised(form.log_prevalence - halved(distance));
      const bool ties_lead = ties.high > 0.0f;
      most = chosen(ties_lead, ties, {0.0f, 0.0f});
      const two_floats small = exp_below(magnitude(ties));
      lost = exp_below(distance);
      const two_floats first = chosen(ties_lead, small, one), last = lost * first, rest = last + small;
      const two_floats share = inverse(one + rest);
      log_sum = {log1pf(rounded(rest)), 0.0f};
      ahead = first * share;
      behind = last * share;
      tie = chosen(ties_lead, share, small * share);
      return true;
    }
    __device__ void put(near_pair_term& term, const two_floats& value, const two_floats& pull,
                        const two_floats& by_ties, float by_temperature) const {
      const float bend = ahead.high * behind.high + 0.25f * tie.high * (ahead.high + behind.high);
      term = {value, pull, -pull, by_ties, bend * by_temperature * by_temperature};
    }
  };
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
