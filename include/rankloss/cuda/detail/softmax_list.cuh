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

/// A score as the softmax takes it.
template <class T, class R>
[[nodiscard]] __device__ inline double score_of(const device_list<T, R>& items, std::uint32_t i) {
  return static_cast<double>(rankloss::detail::bounded(items.score(i)));
}

/// The target that the softmax of the scores is compared with: its sum, without powers of two that it is
/// multiplied by where products of weight and relevance are very large or very small. See
/// detail/draws/softmax_loss.hpp.
struct softmax_target {
  double total, weight_unit, relevance_unit;

  [[nodiscard]] __device__ double mass() const {
    return fmin(total / weight_unit / relevance_unit, rankloss::detail::largest_term);
  }
  /// Whether the target needs no such powers.
  [[nodiscard]] __device__ bool plain() const { return total >= 1e-200 && total <= 1e200; }
  /// Scales the target so that the inverse of its sum is finite.
  [[nodiscard]] __device__ double raise() const { return total < 1e-200 ? 0x1p600 : 1.0; }
  /// That of one item: weight_i * of(i, y_i, unit).
  template <class T, class R, class Of>
  [[nodiscard]] __device__ double of_item(const device_list<T, R>& items, std::uint32_t i, Of of) const {
    double x = of(i, static_cast<double>(items.relevance(i)), relevance_unit);
    if (items.weighted()) x *= items.weight(i) * weight_unit;
    return x;
  }
};

/// Fills v with the target. `scales`: `of` multiplies its result by `unit`, a power of two; otherwise `unit` is
/// always 1.
template <class Team, class T, class R, class Of>
[[nodiscard]] __device__ inline softmax_target fill_target(const Team& team, const device_list<T, R>& items,
                                                           bool scales, double* v, Of of) {
  const std::uint32_t n = items.size();
  const auto fill = [&](double weight_unit, double relevance_unit) {
    softmax_target target{0.0, weight_unit, relevance_unit};
    for (std::uint32_t i = team.rank(); i < n; i += team.size()) {
      v[i] = target.of_item(items, i, of);
      target.total += v[i];
    }
    target.total = sum(team, target.total);
    return target;
  };
  const softmax_target plain = fill(1.0, 1.0);
  if (plain.plain()) return plain;
  double heaviest = 0.0, richest = 0.0;
  for (std::uint32_t i = team.rank(); i < n; i += team.size()) {
    heaviest = fmax(heaviest, items.weight(i));
    richest = fmax(richest, static_cast<double>(items.relevance(i)));
  }
  return fill(items.weighted() ? unit_of(greatest(team, heaviest)) : 1.0,
              scales ? unit_of(greatest(team, richest)) : 1.0);
}

/// Sums over the items of a list: of e, the exponentials of its scores relative to the greatest one; of the
/// target times the distance below that; and of the target times e.
struct softmax_sums {
  double whole, distance, agreement;

  __device__ void add(double v, double d, double e) {
    whole += e;
    distance += v * d;
    agreement = fma(v, e, agreement);
  }
  [[nodiscard]] __device__ softmax_sums with(const softmax_sums& other) const {
    return {whole + other.whole, distance + other.distance, agreement + other.agreement};
  }
  template <class Team>
  [[nodiscard]] __device__ softmax_sums of_all(const Team& team) const {
    return {sum(team, whole), sum(team, distance), sum(team, agreement)};
  }
};

/// The cross entropy of a target with the softmax of the scores, plus the first term of its expansion in 1 -
/// p, as softmax_loss computes it on the CPU.
struct softmax_result {
  double value, q, inverse, agreed;
  double first, second;            ///< factors on the terms of a slope
  double first_bend, second_bend;  ///< and of a curvature

  /// @param total  the sum of the target, raised
  template <class T>
  [[nodiscard]] static __device__ softmax_result of(const softmax_sums& sums, double total, double mass,
                                                    double poly, double temperature) {
    constexpr double largest_term = rankloss::detail::largest_term;
    softmax_result made{};
    made.q = 1.0 / total;
    made.inverse = 1.0 / sums.whole;
    // The sum of v d may be infinite; nothing is subtracted from it, so no NaN arises.
    const double cross = fmin(sums.distance * made.q, largest_term) + log(sums.whole);
    made.agreed = sums.agreement * made.q / sums.whole;
    made.first = bounded_factor<T>(mass / temperature);
    made.second = bounded_factor<T>(poly / temperature);
    made.first_bend = bounded_factor<T>(mass / temperature / temperature);
    made.second_bend = bounded_factor<T>(poly / temperature / temperature);
    made.value = fmin(fmax(mass * cross + poly * (1.0 - made.agreed), -largest_term), largest_term);
    return made;
  }
  /// The derivative by the score of an item.
  [[nodiscard]] __device__ double slope(double v, double e) const {
    const double p = e * inverse;
    const double held = v * q;
    return first * (p - held) - second * p * (held - agreed);
  }
  /// The second derivative.
  [[nodiscard]] __device__ double curvature(double v, double e) const {
    const double p = e * inverse;
    return p * (first_bend * (1.0 - p) - second_bend * (1.0 - 2.0 * p) * (v * q - agreed));
  }
  /// Writes those of an item that are wanted.
  template <class T>
  __device__ void put(const device_sink<T>& sink, std::uint32_t i, double v, double e) const {
    if (sink.wanted()) sink.put(i, static_cast<T>(slope(v, e)));
    if (sink.hessian_wanted()) sink.put_hessian(i, static_cast<T>(curvature(v, e)));
  }
};

/// Value, gradient and Hessian of a list from its target. Sums are of doubles, exponentials of the type of the scores.
///
/// @param v  the target
/// @param e  [items] scratch
template <class Team, class T, class R>
[[nodiscard]] __device__ inline double softmax_loss(const Team& team, const device_list<T, R>& items,
                                                    const device_sink<T>& sink, double* v, double* e,
                                                    const softmax_target& target, double mass, double poly,
                                                    double temperature) {
  const std::uint32_t n = items.size();
  const auto for_own = [&](auto body) {
    for (std::uint32_t i = team.rank(); i < n; i += team.size()) body(i);
  };
  if (n == 1 || !(target.total > 0.0)) {
    for_own([&](std::uint32_t i) { sink.put_wanted(i, T{0}, T{0}); });
    return 0.0;
  }
  const double raise = target.raise();
  double most = lowest_number<double>;
  for_own([&](std::uint32_t i) { most = fmax(most, score_of(items, i)); });
  const score_distance below{greatest(team, most), 2.0 / temperature};
  softmax_sums sums{0.0, 0.0, 0.0};
  for_own([&](std::uint32_t i) {
    const double d = below(score_of(items, i));
    v[i] *= raise;
    e[i] = exp_below<T>(d);
    sums.add(v[i], d, e[i]);
  });
  const auto result = softmax_result::of<T>(sums.of_all(team), target.total * raise, mass, poly, temperature);
  if (sink.derivatives_wanted()) for_own([&](std::uint32_t i) { result.put(sink, i, v[i], e[i]); });
  return result.value;
}

/// The loss of one list from what it says of its target:
///
///     needs_greatest()        whether the target depends on the greatest of the numbers
///     decisive(items, i)      of all items
///     target<T>(most, list)   with that: a function of (i, y_i, unit) that has `scales`, for fill_target
///     mass(target), poly()    factors on the loss and on the first term of its expansion
template <class Compute, class Team, class T, class R>
[[nodiscard]] __device__ inline double loss_of_target(const Compute& compute, const Team& team,
                                                      const device_list<T, R>& items,
                                                      const device_sink<T>& sink, team_scratch scratch) {
  const std::uint32_t n = items.size();
  double* const v = scratch.take<double>(n);
  double* const e = scratch.take<double>(n);
  double most = lowest_number<double>;
  if (compute.needs_greatest()) {
    for (std::uint32_t i = team.rank(); i < n; i += team.size())
      most = fmax(most, compute.decisive(items, i));
    most = greatest(team, most);
  }
  const auto of = compute.template target<T>(most, items.number);
  const softmax_target target = fill_target(team, items, of.scales(), v, of);
  return softmax_loss(team, items, sink, v, e, target, compute.mass(target), compute.poly(),
                      compute.loss.temperature);
}

/// Relevance, or its softmax.
template <class T>
struct relevance_target {
  score_distance below;
  bool by_softmax;

  [[nodiscard]] __device__ bool scales() const { return !by_softmax; }
  [[nodiscard]] __device__ double operator()(std::uint32_t, double y, double unit) const {
    return by_softmax ? exp_below<T>(below(y)) : fmax(y, 0.0) * unit;
  }
};

/// softmax_cross_entropy of one list.
struct softmax_list {
  softmax_cross_entropy loss;

  static constexpr bool has_hessian = true;
  template <class T>
  static constexpr std::size_t item_bytes = 2 * sizeof(double);

  [[nodiscard]] static softmax_list of(const softmax_cross_entropy& loss) { return {loss}; }
  [[nodiscard]] __device__ bool takes(double y) const { return loss.takes(y); }

  [[nodiscard]] __device__ bool needs_greatest() const { return by_softmax(); }
  template <class T, class R>
  [[nodiscard]] __device__ double decisive(const device_list<T, R>& items, std::uint32_t i) const {
    return items.weight(i) > 0.0 ? static_cast<double>(items.relevance(i)) : lowest_number<double>;
  }
  template <class T>
  [[nodiscard]] __device__ relevance_target<T> target(double most, std::uint64_t) const {
    return {{most, 2.0 / loss.relevance_temperature}, by_softmax()};
  }
  [[nodiscard]] __device__ double mass(const softmax_target& target) const {
    return loss.target == rankloss::target::relevance ? target.mass() : 1.0;
  }
  [[nodiscard]] __device__ double poly() const { return loss.poly; }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items,
                                             const device_sink<T>& sink, team_scratch scratch) const {
    return loss_of_target(*this, team, items, sink, scratch);
  }

 private:
  [[nodiscard]] __device__ bool by_softmax() const { return loss.target == rankloss::target::softmax; }
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
