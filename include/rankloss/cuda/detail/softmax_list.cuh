// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/gains.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/near_numbers.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/softmax_cross_entropy.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// exp(-x) for x >= 0, to the precision that scores of type T require; 0 from 700 on.
template <class T>
[[nodiscard]] __device__ inline float exp_below(float x) {
  return exp_up_to_88(-x);
}
template <class T>
[[nodiscard]] __device__ inline double exp_below(double x) {
  if constexpr (sizeof(T) == sizeof(float))
    return static_cast<double>(exp_up_to_88(static_cast<float>(-x)));
  else
    return x < 700.0 ? exp(-x) : 0.0;
}

/// The distance of a score below the greatest one in temperatures, which is finite for all scores. Scores are
/// halved first, since the difference of two numbers may overflow.
template <class S>
struct score_distance {
  S greatest, unit;  ///< unit: 2 / temperature

  [[nodiscard]] __device__ S operator()(S score) const {
    const S d = fma(score < greatest ? score : greatest, S{-0.5}, S{0.5} * greatest) * unit;
    return d < greatest_number<S> ? d : greatest_number<S>;
  }
};

/// A factor on derivatives, limited so that its product with a number of magnitude at most 2 is in the range
/// of T.
template <class T>
[[nodiscard]] __device__ inline double bounded_factor(double factor) {
  constexpr double limit = 0.25 * static_cast<double>(greatest_number<T>);
  return fmin(fmax(factor, -limit), limit);
}
template <class T>
[[nodiscard]] __device__ inline float bounded_factor(float factor) {
  constexpr float limit = 0.25f * greatest_number<float>;
  return fminf(fmaxf(factor, -limit), limit);
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
    // What does not count may be infinite in units of what does, and 0 times that is not a number.
    constexpr double most = greatest_number<double>;
    const double x = fmin(of(i, static_cast<double>(items.relevance(i)), relevance_unit), most);
    return items.weighted() ? x * fmin(items.weight(i) * weight_unit, most) : x;
  }
};

/// The greatest numbers by which a target is scaled: relevance that weighs nothing has no say, nor has the weight
/// of what is worth nothing, where the target is proportional to relevance.
struct greatest_parts {
  double weight, weight_of_relevant, relevance;

  template <class T, class R>
  [[nodiscard]] static __device__ greatest_parts of(const device_list<T, R>& items, std::uint32_t i) {
    const double y = static_cast<double>(items.relevance(i)), own = items.weight(i);
    return {own, y > 0.0 ? own : 0.0, own > 0.0 ? y : 0.0};
  }
  [[nodiscard]] __device__ greatest_parts with(const greatest_parts& o) const {
    return {fmax(weight, o.weight), fmax(weight_of_relevant, o.weight_of_relevant),
            fmax(relevance, o.relevance)};
  }
  template <class Team>
  [[nodiscard]] __device__ greatest_parts of_all(const Team& team) const {
    return {greatest(team, weight), greatest(team, weight_of_relevant), greatest(team, relevance)};
  }
  /// The target, before it is summed. `scales`: it is proportional to relevance.
  [[nodiscard]] __device__ softmax_target scaled(bool weighted, bool scales) const {
    return {0.0, weighted ? unit_of(scales ? weight_of_relevant : weight) : 1.0,
            scales ? unit_of(relevance) : 1.0};
  }
};

/// Fills v with the target. `scales`: `of` multiplies its result by `unit`, a power of two; otherwise `unit` is
/// always 1.
template <class Team, class T, class R, class Of>
[[nodiscard]] __device__ inline softmax_target fill_target(const Team& team, const device_list<T, R>& items,
                                                           bool scales, double* v, Of of) {
  const std::uint32_t n = items.size();
  const auto fill = [&](softmax_target target) {
    for (std::uint32_t i = team.rank(); i < n; i += team.size()) {
      v[i] = target.of_item(items, i, of);
      target.total += v[i];
    }
    target.total = sum(team, target.total);
    return target;
  };
  const softmax_target plain = fill({0.0, 1.0, 1.0});
  if (plain.plain()) return plain;
  greatest_parts own{};
  for (std::uint32_t i = team.rank(); i < n; i += team.size()) own = own.with(greatest_parts::of(items, i));
  return fill(own.of_all(team).scaled(items.weighted(), scales));
}

/// Sums over the items of a list: of e, the exponentials of its scores relative to the greatest one; of the
/// target times the distance below that; and of the target times e.
template <class S>
struct softmax_sums {
  long_sum<S> whole, distance, agreement;

  __device__ void add(S v, S d, S e) {
    whole.add(e);
    distance.add(v * d);
    agreement.add(v * e);
  }
  [[nodiscard]] __device__ softmax_sums with(const softmax_sums& other) const {
    return {whole.joined(other.whole), distance.joined(other.distance), agreement.joined(other.agreement)};
  }
  template <class Team>
  [[nodiscard]] __device__ softmax_sums of_all(const Team& team) const {
    return {sum(team, whole), sum(team, distance), sum(team, agreement)};
  }
};

/// The shares of items in the sums of a list: p in that of the exponentials, and that in the target; and
/// `agreed`, the sum of their products.
template <class S>
struct softmax_shares;
template <>
struct softmax_shares<double> {
  double q, inverse, agreed;

  [[nodiscard]] static __device__ softmax_shares of(const softmax_sums<double>& sums, double total) {
    const double q = 1.0 / total, inverse = 1.0 / sums.whole.number();
    return {q, inverse, sums.agreement.number() * q * inverse};
  }
  /// p
  [[nodiscard]] __device__ double share(double e) const { return rounded_product(e, inverse); }
  /// That in the target.
  [[nodiscard]] __device__ double target_share(double v) const { return rounded_product(v, q); }
  /// 1 - p
  [[nodiscard]] __device__ double rest(double e) const { return 1.0 - share(e); }
  /// p less the share in the target: 0 where items are alike, and so both are the same number.
  [[nodiscard]] __device__ double excess(double v, double e) const { return share(e) - target_share(v); }
  /// The share in the target less `agreed`.
  [[nodiscard]] __device__ double advantage(double v) const { return target_share(v) - agreed; }
  /// 1 - agreed
  [[nodiscard]] __device__ double disagreement() const { return 1.0 - agreed; }
};
/// All differences are formed of products of two floats, and divided behind: the quotients of an item that
/// has nearly all of both sums are 1 but for their rounding errors.
template <>
struct softmax_shares<float> {
  two_floats total, whole, scaled_whole,
      agreement;  ///< the scaled ones by a power of two, which makes the total near 1
  float inverse, each;

  [[nodiscard]] static __device__ softmax_shares of(const softmax_sums<float>& sums,
                                                    const two_floats& total) {
    softmax_shares made{};
    const float unit = ldexpf(1.0f, -ilogbf(total.high));
    made.total = {total.high * unit, total.low * unit};
    made.whole = sums.whole.number();
    made.scaled_whole = {made.whole.high * unit, made.whole.low * unit};
    made.agreement = sums.agreement.number();
    made.agreement = {made.agreement.high * unit, made.agreement.low * unit};
    made.inverse = detail::inverse(rounded(made.whole));
    made.each = quotient(made.inverse, rounded(made.total));
    return made;
  }
  [[nodiscard]] __device__ float share(float e) const { return e * inverse; }
  [[nodiscard]] __device__ float rest(float e) const { return difference(whole, {e, 0.0f}) * inverse; }
  [[nodiscard]] __device__ float excess(float v, float e) const {
    return difference(product(e, total), product(v, scaled_whole)) * each;
  }
  [[nodiscard]] __device__ float advantage(float v) const {
    return difference(product(v, scaled_whole), agreement) * each;
  }
  [[nodiscard]] __device__ float disagreement() const {
    return difference(product(total, whole), agreement) * each;
  }
};

/// The cross entropy of a target with the softmax of the scores, plus the first term of its expansion in 1 -
/// p, as softmax_loss computes it on the CPU.
template <class S>
struct softmax_result {
  S value;
  softmax_shares<S> shares;
  S first, second;            ///< factors on the terms of a slope
  S first_bend, second_bend;  ///< and of a curvature

  /// For scores of type T. In lanes of float the numbers of the list are within float_bounds.
  ///
  /// @param total  the sum of the target, raised
  template <class T>
  [[nodiscard]] static __device__ softmax_result of(const softmax_sums<S>& sums, const exact_number<S>& total,
                                                    S mass, S poly, S temperature) {
    constexpr auto largest =
        static_cast<S>(sizeof(S) == sizeof(float) ? static_cast<double>(greatest_number<float>)
                                                  : rankloss::detail::largest_term);
    softmax_result made{};
    made.shares = softmax_shares<S>::of(sums, total);
    // The sum of v d may be infinite; nothing is subtracted from it, so no NaN arises.
    const S scaled = quotient(rounded(sums.distance.number()), rounded(total));
    const S cross = (scaled < largest ? scaled : largest) + log_of_sum(sums.whole.number());
    const S by_mass = quotient(mass, temperature), by_poly = quotient(poly, temperature);
    made.first = bounded_factor<T>(by_mass);
    made.second = bounded_factor<T>(by_poly);
    made.first_bend = bounded_factor<T>(quotient(by_mass, temperature));
    made.second_bend = bounded_factor<T>(quotient(by_poly, temperature));
    const S value = mass * cross + poly * made.shares.disagreement();
    made.value = value < -largest ? -largest : value > largest ? largest : value;
    return made;
  }
  /// The derivative by the score of an item.
  [[nodiscard]] __device__ S slope(S v, S e) const {
    return first * shares.excess(v, e) - second * shares.share(e) * shares.advantage(v);
  }
  /// The second derivative.
  [[nodiscard]] __device__ S curvature(S v, S e) const {
    const S p = shares.share(e), rest = shares.rest(e);
    return p * (first_bend * rest - second_bend * (rest - p) * shares.advantage(v));
  }
  /// Writes those of an item that are wanted.
  template <class T>
  __device__ void put(const device_sink<T>& sink, std::uint32_t i, S v, S e) const {
    if (sink.wanted()) sink.put(i, static_cast<T>(slope(v, e)));
    if (sink.hessian_wanted()) sink.put_hessian(i, static_cast<T>(curvature(v, e)));
  }

 private:
  /// The logarithm of a sum of exponentials of which the greatest is 1.
  [[nodiscard]] static __device__ float log_of_sum(const two_floats& whole) {
    return log1pf((whole.high - 1.0f) + whole.low);
  }
  [[nodiscard]] static __device__ double log_of_sum(double whole) { return log(whole); }
};

/// Lists of floats are computed in lanes of float where nothing of theirs leaves the range of floats and no
/// digit of relevance is lost: temperatures and the sum of the target within these bounds, scores less than
/// `widest` temperatures apart. Of all others the arithmetic is double.
struct float_bounds {
  static constexpr double least_temperature = 1e-6, greatest_temperature = 1e6, greatest_poly = 1e6;
  static constexpr float least_total = 1e-12f, greatest_total = 1e12f, widest = 1e15f;

  [[nodiscard]] static __device__ bool takes_temperature(double temperature) {
    return temperature >= least_temperature && temperature <= greatest_temperature;
  }
  [[nodiscard]] static __device__ bool takes_total(float total) {
    return total >= least_total && total <= greatest_total;
  }
};

/// Value, gradient and Hessian of a list from its target. Sums are of doubles, exponentials of the type of the scores.
template <class Compute, class Team, class T, class R>
[[nodiscard]] __device__ inline double loss_in_doubles(const Compute& compute, const Team& team,
                                                       const device_list<T, R>& items,
                                                       const device_sink<T>& sink, team_scratch scratch) {
  const std::uint32_t n = items.size();
  double* const v = scratch.take<double>(n);
  double* const e = scratch.take<double>(n);
  const auto for_own = [&](auto body) {
    for (std::uint32_t i = team.rank(); i < n; i += team.size()) body(i);
  };
  double decisive = lowest_number<double>;
  if (compute.needs_greatest()) {
    for_own([&](std::uint32_t i) { decisive = fmax(decisive, compute.template decisive<double>(items, i)); });
    decisive = greatest(team, decisive);
  }
  const auto of = compute.template target<T>(decisive, items.number);
  const softmax_target target = fill_target(team, items, of.scales(), v, of);
  if (!(target.total > 0.0)) {
    for_own([&](std::uint32_t i) { sink.put_wanted(i, T{0}, T{0}); });
    return 0.0;
  }
  const double raise = target.raise(), temperature = compute.loss.temperature;
  double most = lowest_number<double>;
  for_own([&](std::uint32_t i) { most = fmax(most, score_of(items, i)); });
  const score_distance<double> below{greatest(team, most), 2.0 / temperature};
  softmax_sums<double> sums;
  for_own([&](std::uint32_t i) {
    const double d = below(score_of(items, i));
    v[i] *= raise;
    e[i] = exp_below<T>(d);
    sums.add(v[i], d, e[i]);
  });
  const auto result = softmax_result<double>::of<T>(sums.of_all(team), target.total * raise,
                                                    compute.mass(target.mass()), compute.poly(), temperature);
  if (sink.derivatives_wanted()) for_own([&](std::uint32_t i) { result.put(sink, i, v[i], e[i]); });
  return result.value;
}

/// The same in lanes of float, if they do: returns whether they do, and then `value`.
template <class Compute, class Team, class T, class R>
[[nodiscard]] __device__ inline bool loss_in_floats(const Compute& compute, const Team& team,
                                                    const device_list<T, R>& items,
                                                    const device_sink<T>& sink, team_scratch scratch,
                                                    float& value) {
  if (!compute.takes_floats()) return false;
  const std::uint32_t n = items.size();
  float* const v = scratch.take<float>(n);
  float* const e = scratch.take<float>(n);
  const auto for_own = [&](auto body) {
    for (std::uint32_t i = team.rank(); i < n; i += team.size()) body(i);
  };
  const auto temperature = static_cast<float>(compute.loss.temperature);
  float most = lowest_number<float>, least_score = greatest_number<float>, decisive = lowest_number<float>;
  bool exact = true;
  for_own([&](std::uint32_t i) {
    const float s = rankloss::detail::bounded(items.score(i));
    most = s > most ? s : most;
    least_score = s < least_score ? s : least_score;
    exact = exact && is_float(items.relevance(i));
    if (compute.needs_greatest()) {
      const float own = compute.template decisive<float>(items, i);
      decisive = own > decisive ? own : decisive;
    }
  });
  most = greatest(team, most);
  if (compute.needs_greatest()) decisive = greatest(team, decisive);
  const score_distance<float> below{most, quotient(2.0f, temperature)};
  const float widest = exact ? below(least_score) : greatest_number<float>;
  const auto of = compute.template target<T>(decisive, items.number);
  long_sum<float> own_total;
  for_own([&](std::uint32_t i) {
    float x = of(i, static_cast<float>(items.relevance(i)), 1.0f);
    if (items.weighted()) x *= static_cast<float>(items.weight(i));
    v[i] = x;
    own_total.add(x);
  });
  const two_floats total = sum(team, own_total).number();
  if (!(greatest(team, widest) <= float_bounds::widest && float_bounds::takes_total(total.high))) {
    team.sync();  // the scratch may be used again
    return false;
  }
  softmax_sums<float> sums;
  for_own([&](std::uint32_t i) {
    const float d = below(rankloss::detail::bounded(items.score(i)));
    e[i] = exp_below<T>(d);
    sums.add(v[i], d, e[i]);
  });
  const auto result = softmax_result<float>::of<T>(sums.of_all(team), total, compute.mass(total.high),
                                                   static_cast<float>(compute.poly()), temperature);
  if (sink.derivatives_wanted()) for_own([&](std::uint32_t i) { result.put(sink, i, v[i], e[i]); });
  value = result.value;
  return true;
}

/// The loss of one list from what it says of its target:
///
///     needs_greatest()        whether the target depends on the greatest of the numbers
///     decisive<S>(items, i)   of all items
///     target<T>(most, list)   with that: a function of (i, y_i, unit) that has `scales`, for fill_target
///     mass(own), poly()       factors on the loss, of a target of this sum, and on the first term of its expansion
///     takes_floats()          whether its options are within float_bounds

/// What lanes hold, float or double, is the type of `most` and of what the functions are given.
template <class Compute, class Team, class T, class R>
[[nodiscard]] __device__ inline double loss_of_target(const Compute& compute, const Team& team,
                                                      const device_list<T, R>& items,
                                                      const device_sink<T>& sink, team_scratch scratch) {
  if (items.size() == 1) {
    if (team.rank() == 0) sink.put_wanted(0, T{0}, T{0});
    return 0.0;
  }
  if constexpr (sizeof(T) == sizeof(float)) {
    float value = 0.0f;
    if (loss_in_floats(compute, team, items, sink, scratch, value)) return static_cast<double>(value);
  }
  return loss_in_doubles(compute, team, items, sink, scratch);
}

/// Relevance, or its softmax.
template <class T, class S>
struct relevance_target {
  score_distance<S> below;
  bool by_softmax;

  [[nodiscard]] __device__ bool scales() const { return !by_softmax; }
  [[nodiscard]] __device__ S operator()(std::uint32_t, S y, S unit) const {
    return by_softmax ? exp_below<T>(below(y)) : (y > S{0} ? y : S{0}) * unit;
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
  template <class S, class T, class R>
  [[nodiscard]] __device__ S decisive(const device_list<T, R>& items, std::uint32_t i) const {
    return !items.weighted() || items.weight(i) > 0.0 ? static_cast<S>(items.relevance(i)) : lowest_number<S>;
  }
  template <class T, class S>
  [[nodiscard]] __device__ relevance_target<T, S> target(S most, std::uint64_t) const {
    return {{most, quotient(S{2}, static_cast<S>(loss.relevance_temperature))}, by_softmax()};
  }
  template <class S>
  [[nodiscard]] __device__ S mass(S own) const {
    return loss.target == rankloss::target::relevance ? own : S{1};
  }
  [[nodiscard]] __device__ bool takes_floats() const {
    return float_bounds::takes_temperature(loss.temperature) && loss.poly <= float_bounds::greatest_poly &&
           (!by_softmax() || float_bounds::takes_temperature(loss.relevance_temperature));
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
