// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/host_device.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/options.hpp>
#include <rankloss/preference_batch.hpp>

#include <cmath>
#include <cstddef>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI {

/// davidson: minus the log probability of the outcome of a pair, a win or a tie. Ties are a third outcome of
/// the Bradley-Terry model, whose weight is nu times the geometric mean of the other two.
///
///     z                = (r_preferred - r_other - margin of the pair) / t,  t = temperature;
///                        nu = e^log_prevalence
///     P(win)           = 1 / (1 + e^-z + nu e^(-z / 2))
///     P(lose), P(tie)  = the same times e^-z, times nu e^(-z / 2)
///     loss             = -log P(win), or -log P(tie) where the pair is a tie
///     win: d/dz        = -P(lose) - P(tie) / 2,       d/d(log nu) = P(tie)
///     tie: d/dz        = (P(win) - P(lose)) / 2,      d/d(log nu) = P(tie) - 1
///     either: d2/dz2   = P(win) P(lose) + P(tie) (P(win) + P(lose)) / 4
///
/// Davidson: On extending the Bradley-Terry model to accommodate ties in paired comparison experiments, JASA
/// 65 (1970), where p_i = e^(r_i) and P(i beats j) = p_i / (p_i + p_j + nu sqrt(p_i p_j)). The model
/// satisfies Luce's axiom: ties do not change the odds of a win to a loss.
///
/// - The tie parameter is log nu. It has no unit and may be any number in its range; the loss is convex in
///   rewards and log nu together. `evaluate(loss, batch, out, tie_gradient, ctx)` returns the derivative by
///   log nu; divided by nu it is that by nu.
/// - Time O(1) for each pair. Any difference of rewards and any log nu can be computed: sums of exponentials
///   are formed from their largest term.
/// - Invariant under shifts of all rewards; the gradient sums to 0 up to rounding. The margin of a tie is the
///   lead at which ties are most probable.
/// - With log nu = -infinity ties have probability 0, and the loss is bradley_terry, up to rounding. With the
///   default, a pair of equal rewards has three outcomes of probability 1/3.
/// - Losses beyond 1e290 are set to 1e290.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range, or when log_prevalence
/// is -infinity and the batch has a tie.
struct davidson {
  double temperature = 1.0;     ///< 1e-15 to 1e300, in units of the rewards
  double log_prevalence = 0.0;  ///< log nu: -1e100 to 1e100; -infinity: nu = 0, there are no ties

  static constexpr bool has_hessian = true;

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("temperature", self.temperature, options::temperature);
    visit("log_prevalence", self.log_prevalence,
          options::real{.least = -1e100, .most = 1e100, .besides = options::besides::minus_infinity});
  }
  /// Why the options give ties no probability; empty where they give them one.
  [[nodiscard]] std::string_view refuses_ties() const noexcept {
    return never_ties() ? "log_prevalence: -inf, expected a finite number" : "";
  }
  void validate_tie(std::size_t pair) const { detail::require_ties(refuses_ties(), pair); }

  [[nodiscard]] RANKLOSS_HOST_DEVICE preference_term operator()(double preferred, double other,
                                                                double margin) const noexcept {
    const outcomes of(*this, preferred, other, margin);
    return of.term(of.win, -(of.lose.probability + 0.5 * of.tie.probability), of.tie.probability,
                   temperature);
  }

  [[nodiscard]] RANKLOSS_HOST_DEVICE preference_term tie(double preferred, double other,
                                                         double margin) const noexcept {
    const outcomes of(*this, preferred, other, margin);
    return of.term(of.tie, 0.5 * of.lead, -(of.win.probability + of.lose.probability), temperature);
  }

 private:
  struct outcome {
    double loss;  ///< -log of the probability
    double probability;
  };

  struct outcomes {
    RANKLOSS_HOST_DEVICE outcomes(const davidson& loss, double preferred, double other,
                                  double margin) noexcept {
      const double z = detail::bounded_term((preferred - other - margin) / loss.temperature);
      // Logarithms of the three weights, relative to the larger of the first two: 0, -a and that of ties.
      const double a = std::abs(z);
      const double ties = loss.never_ties() ? detail::lowest_number<double> : loss.log_prevalence - 0.5 * a;
      const double most = detail::larger(ties, 0.0);
      const double small = std::exp(-std::abs(ties));
      const double last = std::exp(-a - most);
      const double rest = last + small;  // the largest of the three is 1
      const double log_sum = std::log1p(rest);
      const auto of = [&](double below, double weight) {
        return outcome{below + log_sum, weight / (1.0 + rest)};
      };
      const outcome ahead = of(most, ties > 0.0 ? small : 1.0);
      const outcome behind = of(most + a, last);
      tie = of(most - ties, ties > 0.0 ? 1.0 : small);
      win = z >= 0.0 ? ahead : behind;
      lose = z >= 0.0 ? behind : ahead;
      lead = std::copysign(ahead.probability * -std::expm1(-a), z);
    }

    [[nodiscard]] RANKLOSS_HOST_DEVICE preference_term term(const outcome& came, double slope,
                                                            double slope_of_ties, double t) const noexcept {
      const double pull = slope / t;
      const double apart =
          win.probability * lose.probability + 0.25 * tie.probability * (win.probability + lose.probability);
      const double bend = apart / t / t;
      return {detail::lesser(came.loss, detail::largest_term), pull, -pull, bend, bend, slope_of_ties};
    }

    outcome win, lose, tie;
    double lead;  ///< P(win) - P(lose), computed without cancellation
  };

  [[nodiscard]] RANKLOSS_HOST_DEVICE bool never_ties() const noexcept {
    return detail::is_minus_infinity(log_prevalence);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/davidson.hpp>
#endif
