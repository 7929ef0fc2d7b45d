// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/softmax_cross_entropy.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// exp(-x) for x >= 0, to the precision that scores of type T require; 0 from 700 on.
template <class T>
[[nodiscard]] __device__ inline double exp_below(double x) {
  if constexpr (sizeof(T) == sizeof(float))
    return static_cast<double>(expf(static_cast<float>(-x)));
  else
    return x < 700.0 ? exp(-x) : 0.0;
}

/// The distance of a score below the greatest one in temperatures, which is finite for all scores. Scores are
/// halved first, since the difference of two doubles may overflow.
struct score_distance {
  double greatest, unit;  ///< unit: 2 / temperature

  [[nodiscard]] __device__ double operator()(double score) const {
    const double d = fma(fmin(score, greatest), -0.5, 0.5 * greatest) * unit;
    return fmin(d, greatest_number<double>);
  }
};

/// A factor on derivatives, limited so that its product with a number of magnitude at most 2 is in the range
/// of T.
template <class T>
[[nodiscard]] __device__ inline double bounded_factor(double factor) {
  constexpr double limit = 0.25 * static_cast<double>(greatest_number<T>);
  return fmin(fmax(factor, -limit), limit);
}

/// softmax_cross_entropy of one list, as detail/draws/softmax_loss.hpp computes it on the CPU. Sums are of
/// doubles, exponentials of the type of the scores.
struct softmax_list {
  softmax_cross_entropy loss;

  template <class T>
  static constexpr std::size_t item_bytes = 2 * sizeof(double);

  [[nodiscard]] static softmax_list of(const softmax_cross_entropy& loss) { return {loss}; }
  [[nodiscard]] __device__ bool takes(double y) const { return loss.takes(y); }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items,
                                             const device_sink<T>& sink, team_scratch scratch) const {
    constexpr double largest_term = rankloss::detail::largest_term;
    const std::uint32_t n = items.size();
    double* const v = scratch.take<double>(n);
    double* const e = scratch.take<double>(n);
    const auto for_own = [&](auto body) {
      for (std::uint32_t i = team.rank(); i < n; i += team.size()) body(i);
    };

    double mass = 1.0;
    double total = target_of(team, items, v, mass);
    if (loss.target != rankloss::target::relevance) mass = 1.0;
    if (n == 1 || !(total > 0.0)) {
      if (sink.wanted()) for_own([&](std::uint32_t i) { sink.put(i, T{0}); });
      return 0.0;
    }
    // Scaled so that the inverse of the sum is finite.
    const double raise = total < 1e-200 ? 0x1p600 : 1.0;
    total *= raise;

    double most = lowest_number<double>;
    for_own([&](std::uint32_t i) { most = fmax(most, score_of(items, i)); });
    const score_distance below{greatest(team, most), 2.0 / loss.temperature};
    double whole = 0.0, distance = 0.0, agreement = 0.0;
    for_own([&](std::uint32_t i) {
      const double d = below(score_of(items, i));
      const double own = exp_below<T>(d);
      v[i] *= raise;
      e[i] = own;
      whole += own;
      distance += v[i] * d;
      agreement = fma(v[i], own, agreement);
    });
    const double z = sum(team, whole);
    const double q = 1.0 / total;
    // The sum of v d may be infinite; nothing is subtracted from it, so no NaN arises.
    const double cross = fmin(sum(team, distance) * q, largest_term) + log(z);
    const double agreed = sum(team, agreement) * q / z;
    if (sink.wanted()) {
      const double inverse = 1.0 / z;
      const double first = bounded_factor<T>(mass / loss.temperature);
      const double second = bounded_factor<T>(loss.poly / loss.temperature);
      for_own([&](std::uint32_t i) {
        const double p = e[i] * inverse;
        const double held = v[i] * q;
        sink.put(i, static_cast<T>(first * (p - held) - second * p * (held - agreed)));
      });
    }
    const double value = mass * cross + loss.poly * (1.0 - agreed);
    return fmin(fmax(value, -largest_term), largest_term);
  }

 private:
  template <class T, class R>
  [[nodiscard]] static __device__ double score_of(const device_list<T, R>& items, std::uint32_t i) {
    return static_cast<double>(rankloss::detail::bounded(items.score(i)));
  }

  /// Fills v with the target of each item, and returns their sum. `mass` is that sum without the powers of
  /// two that v is multiplied by, where products of weight and relevance are very large or very small.
  template <class Team, class T, class R>
  [[nodiscard]] __device__ double target_of(const Team& team, const device_list<T, R>& items, double* v,
                                            double& mass) const {
    const std::uint32_t n = items.size();
    const bool by_softmax = loss.target == rankloss::target::softmax;
    const auto y = [&](std::uint32_t i) { return static_cast<double>(items.relevance(i)); };
    score_distance below{0.0, 2.0 / loss.relevance_temperature};
    if (by_softmax) {
      double most = lowest_number<double>;
      for (std::uint32_t i = team.rank(); i < n; i += team.size())
        if (items.weight(i) > 0.0) most = fmax(most, y(i));
      below.greatest = greatest(team, most);
    }
    const auto fill = [&](double weight_unit, double relevance_unit) {
      double total = 0.0;
      for (std::uint32_t i = team.rank(); i < n; i += team.size()) {
        double x = by_softmax ? exp_below<T>(below(y(i))) : fmax(y(i), 0.0) * relevance_unit;
        if (items.weighted()) x *= items.weight(i) * weight_unit;
        v[i] = x;
        total += x;
      }
      return sum(team, total);
    };
    const double plain = fill(1.0, 1.0);
    mass = fmin(plain, rankloss::detail::largest_term);
    if (plain >= 1e-200 && plain <= 1e200) return plain;
    double heaviest = 0.0, richest = 0.0;
    for (std::uint32_t i = team.rank(); i < n; i += team.size()) {
      heaviest = fmax(heaviest, items.weight(i));
      richest = fmax(richest, y(i));
    }
    const double weight_unit = items.weighted() ? unit_of(greatest(team, heaviest)) : 1.0;
    const double relevance_unit = by_softmax ? 1.0 : unit_of(greatest(team, richest));
    const double total = fill(weight_unit, relevance_unit);
    mass = fmin(total / weight_unit / relevance_unit, rankloss::detail::largest_term);
    return total;
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
