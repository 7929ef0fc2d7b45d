// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/all_pairs.cuh>
#include <rankloss/cuda/detail/exponential_scan.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/near_numbers.cuh>
#include <rankloss/cuda/detail/order_rests.cuh>
#include <rankloss/cuda/detail/segmented_sort.cuh>
#include <rankloss/cuda/detail/sigmoid_sums.cuh>
#include <rankloss/cuda/detail/softmax_list.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/team_sort.cuh>
#include <rankloss/detail/base/finite.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

/// Losses of items that are drawn in the order of their relevance, each from itself and the items of later
/// grades: -sum_k w_k log p_k.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// The items of a list by relevance, the greatest first, in grades of equal ones.
class relevance_order {
 public:
  /// Items of equal relevance are sorted by draw(i), if they are `drawn`, and by their index.
  template <class Team, class T, class R, class Draw>
  __device__ relevance_order(const Team& team, const device_list<T, R>& items, bool drawn, Draw draw,
                             team_scratch& scratch)
      : of_(scratch.take<std::uint32_t>(items.size())) {
    const std::uint32_t n = items.size();
    team_scratch sorting = scratch;
    std::uint64_t* const keys = sorting.take<std::uint64_t>(n);
    std::uint32_t* const bits = sorting.take<std::uint32_t>(n);
    std::uint32_t* const of = of_;
    // Relevance of 32 bits and what decides between equal ones are one key.
    constexpr bool whole = sizeof(typename falling_bits<R>::type) == sizeof(std::uint32_t);
    for (std::uint32_t i = team.rank(); i < n; i += team.size()) {
      const std::uint64_t grade = falling_bits<R>::of(items.relevance(i));
      const std::uint32_t further = drawn ? draw(i) : i;
      keys[i] = whole ? grade << 32 | further : grade;
      if constexpr (!whole) bits[i] = further;
      of[i] = i;
    }
    sort(
        team, n,
        [=](std::uint32_t a, std::uint32_t b) {
          if (keys[a] != keys[b]) return keys[a] < keys[b];
          if constexpr (!whole)
            if (bits[a] != bits[b]) return bits[a] < bits[b];
          return of[a] < of[b];
        },
        [=](std::uint32_t a, std::uint32_t b) {
          const std::uint64_t key = keys[a];
          keys[a] = keys[b];
          keys[b] = key;
          const std::uint32_t item = of[a];
          of[a] = of[b];
          of[b] = item;
          if constexpr (!whole) {
            const std::uint32_t further = bits[a];
            bits[a] = bits[b];
            bits[b] = further;
          }
        });
    constexpr unsigned shift = whole ? 32 : 0;
    for (std::uint32_t k = team.rank(); k < n; k += team.size())
      if (k == 0 || keys[k - 1] >> shift != keys[k] >> shift) of[k] |= first;
    team.sync();
  }

  [[nodiscard]] __device__ std::uint32_t item(std::uint32_t k) const { return of_[k] & ~first; }
  /// Whether a grade begins at position k.
  [[nodiscard]] __device__ bool begins(std::uint32_t k) const { return (of_[k] & first) != 0; }

 private:
  static constexpr std::uint32_t first = std::uint32_t{1} << 31;  // lists of a block are shorter

  std::uint32_t* of_;  // [n]
};

/// What a scan of grades has passed: the sum over all items, and that over the grades before the one of the
/// last item.
template <class X>
struct graded {
  X all, before;
  std::uint64_t begins;  ///< whether a grade begins among the items; wide, so that no byte is left unwritten

  [[nodiscard]] static __device__ graded none(const X& nothing) { return {nothing, nothing, 0}; }
  /// One item.
  [[nodiscard]] static __device__ graded of(const X& x, bool begins, const X& nothing) {
    return {x, nothing, begins ? std::uint64_t{1} : 0};
  }
  template <class Combine>
  __device__ void pass(const X& x, bool begins_grade, Combine combine) {
    if (begins_grade) {
      before = all;
      begins = 1;
    }
    all = combine(all, x);
  }
  /// The items of a, and then those of b.
  template <class Combine>
  [[nodiscard]] static __device__ graded joined(const graded& a, const graded& b, Combine combine) {
    return {combine(a.all, b.all), b.begins != 0 ? combine(a.all, b.before) : a.before, a.begins | b.begins};
  }
};

/// Calls emit(p, sum over the grades before that of p) for the positions p < n, where begins(p) says whether a
/// grade begins there. Each thread passes a stretch of neighbours.
template <class Team, class X, class Item, class Begins, class Combine, class Emit>
__device__ inline void scan_grades(const Team& team, std::uint32_t n, const X& nothing, Item item,
                                   Begins begins, Combine combine, Emit emit) {
  const stretch positions = stretch::of(team, n);
  const auto none = graded<X>::none(nothing);
  graded<X> passed = none;
  for (std::uint32_t p = positions.begin; p < positions.end; ++p) passed.pass(item(p), begins(p), combine);
  passed = scan(team, passed, none, [&](const graded<X>& a, const graded<X>& b) {
             return graded<X>::joined(a, b, combine);
           }).before;
  for (std::uint32_t p = positions.begin; p < positions.end; ++p) {
    passed.pass(item(p), begins(p), combine);
    emit(p, passed.before);
  }
  team.sync();
}

/// Scores that are at most so many temperatures apart are near to each other.
inline constexpr double widest_of_near_scores = 90.0;
/// Their exponentials, relative to the greatest one: rests are plain sums of these, and neither sums nor inverses
/// leave the range.
template <class N>
class near_exponentials;
template <>
class near_exponentials<double> {
 public:
  __device__ near_exponentials(double greatest, double temperature) : below_{greatest, 2.0 / temperature} {}
  [[nodiscard]] __device__ bool takes(std::uint32_t, double least) const {
    return below_(least) <= widest_of_near_scores;
  }
  [[nodiscard]] __device__ double operator()(double score) const { return exp(-below_(score)); }
  [[nodiscard]] static __device__ double quotient(double a, double b) { return a / b; }
  /// -log of e / (e + behind)
  [[nodiscard]] static __device__ double term(double behind, double e) { return log1p(behind / e); }

 private:
  score_distance<double> below_;
};
/// Times 2^42: exponentials are then in [2^-88, 2^42], and what a float lacks of them is normal. Subnormal
/// numbers may count as 0.
///
/// The slope of item k is P_k - D_k: what earlier draws pull to it, less what its own pulls from it. All that
/// is pulled to an item is pulled from earlier ones, so both are at most k times the greatest slope of the list.
/// They are within 2^-32 of themselves, as exponentials are within 2^-34, sums and quotients within 2^-36. So
/// slopes of n items are within n 2^-31 of the greatest one, which is 2e-6 for 4096 of them.
///
/// What leaves the range of floats is less than 2^-72 for weights of at most 1, and less than 2^-120 where all
/// of them are `least_weight` or more. The greatest D_k, which is at most n times the greatest slope, says
/// whether that is nothing beside it.
template <>
class near_exponentials<two_floats> {
 public:
  static constexpr float least_weight = 0x1p-36f, least_lost = 0x1p-90f, least_lost_of_light = 0x1p-38f;

  __device__ near_exponentials(float greatest, double temperature)
      : greatest_(greatest), temperature_(temperature), unit_(number<two_floats>(1.0 / temperature)) {}
  [[nodiscard]] __device__ bool takes(std::uint32_t n, float least) const {
    return n <= 4096 && float_bounds::takes_temperature(temperature_) &&
           score_distance<float>{greatest_, 2.0f * unit_.high}(least) <=
               static_cast<float>(widest_of_near_scores);
  }
  [[nodiscard]] __device__ two_floats operator()(float score) const {
    return exp_below<42>((two_floats{greatest_, 0.0f} - two_floats{score, 0.0f}) * unit_);
  }
  [[nodiscard]] static __device__ two_floats quotient(const two_floats& a, const two_floats& b) {
    const float near = near_quotient(a.high, b.high);
    return {near, near_quotient(fmaf(-near, b.low, fmaf(-near, b.high, a.high) + a.low), b.high)};
  }
  [[nodiscard]] static __device__ float term(const two_floats& behind, const two_floats& e) {
    const float all = rounded(behind);
    return all < 0x1p30f * e.high ? log1pf(near_quotient(all, e.high)) : log_of(all) - log_of(e.high);
  }

 private:
  float greatest_;
  double temperature_;
  two_floats unit_;
};

/// The weight of a draw as an N, which is 0 for 0 alone.
template <class N>
[[nodiscard]] __device__ inline N weight_number(double weight) {
  if constexpr (std::is_same_v<N, two_floats>)
    return number<N>(weight > 0.0 ? fmax(weight, 0x1p-126) : 0.0);
  else
    return weight;
}

/// Bytes of scratch of an item, the order included.
inline constexpr std::size_t bytes_of_order_draws = 3 * sizeof(double) + sizeof(std::uint32_t);

/// A loss of draws in an order, of one list. `Draws` has
///
///     item(k)       the item at position k
///     begins(k)     whether a grade begins there: what an item is drawn from is itself and all later grades
///     weight<N>(k)  of its draw, in [0, 1], as a double or as two_floats
template <class T, class R, class Draws>
struct order_draws {
  const device_list<T, R>& items;
  const device_sink<T>& sink;
  const Draws& draws;
  double temperature, mass;  ///< mass: a factor on the loss

  template <class Team>
  [[nodiscard]] __device__ double operator()(const Team& team, team_scratch scratch) const {
    double value = 0.0;
    const bool near = draw_near<state_number<T>>(team, scratch, value);
    if (!near || sink.hessian_wanted()) draw_apart(team, scratch, near, value);
    return fmin(mass * value, rankloss::detail::largest_term);
  }

 private:
  /// Value and gradient of scores that are near to each other, unless N does not do: returns whether it does.
  template <class N, class Team>
  [[nodiscard]] __device__ bool draw_near(const Team& team, team_scratch scratch, double& value) const {
    using S = decltype(rounded(N{}));
    using exponentials = near_exponentials<N>;
    const std::uint32_t n = items.size(), last = n - 1;
    N* const e = scratch.take<N>(n);
    N* const share = scratch.take<N>(n);
    N* const lost = scratch.take<N>(n);
    S most = lowest_number<S>, lowest = greatest_number<S>;
    for (std::uint32_t k = team.rank(); k < n; k += team.size()) {
      const S s = static_cast<S>(rankloss::detail::bounded(items.score(draws.item(k))));
      e[k] = number<N>(s);
      most = s > most ? s : most;
      lowest = s < lowest ? s : lowest;
    }
    const exponentials of(greatest(team, most), temperature);
    const bool near = of.takes(n, least(team, lowest));
    if (near)
      for (std::uint32_t k = team.rank(); k < n; k += team.size()) e[k] = of(rounded(e[k]));
    team.sync();
    if (!near) return false;

    const auto plus = [](const N& a, const N& b) { return a + b; };
    long_sum<S> own;
    [[maybe_unused]] S lightest{1}, most_lost{0};
    scan_grades(
        team, n, N{}, [&](std::uint32_t p) { return e[last - p]; },
        [&](std::uint32_t p) { return p == 0 || draws.begins(n - p); }, plus,
        [&](std::uint32_t p, const N& behind) {
          const std::uint32_t k = last - p;
          const N w = rounded(behind) > S{0} ? draws.template weight<N>(k) : N{};
          share[k] = exponentials::quotient(w, e[k] + behind);
          lost[k] = share[k] * behind;
          const S weight = rounded(w);
          if (!(weight > S{0})) return;
          lightest = weight < lightest ? weight : lightest;
          most_lost = rounded(lost[k]) > most_lost ? rounded(lost[k]) : most_lost;
          own.add(weight * exponentials::term(behind, e[k]));
        });
    if constexpr (sizeof(S) == sizeof(float)) {
      const bool light = least(team, lightest) < exponentials::least_weight;
      if (!(greatest(team, most_lost) >=
            (light ? exponentials::least_lost_of_light : exponentials::least_lost)))
        return false;
    }
    value = sum(team, own).exact_value();
    if (!sink.wanted()) return true;
    const auto factor = static_cast<S>(bounded_factor<T>(mass / temperature));
    scan_grades(
        team, n, N{}, [&](std::uint32_t k) { return share[k]; },
        [&](std::uint32_t k) { return draws.begins(k); }, plus,
        [&](std::uint32_t k, const N& before) {
          sink.put(draws.item(k), held_product(factor, rounded(e[k] * before - lost[k])));
        });
    return true;
  }

  /// The same of scores at any distance, and the Hessian. `known`: value and gradient are.
  template <class Team>
  __device__ void draw_apart(const Team& team, team_scratch scratch, bool known, double& value) const {
    const std::uint32_t n = items.size(), last = n - 1;
    double* const level = scratch.take<double>(n);
    double* const share = scratch.take<double>(n);
    double* const lost = scratch.take<double>(n);
    const leveled_sums by(temperature);
    const auto score = [&](std::uint32_t k) { return score_of(items, draws.item(k)); };
    double own = 0.0;
    scan_grades(
        team, n, leveled_sums::no_rest(),
        [&](std::uint32_t p) {
          return leveled_sum{score(last - p), 1.0};
        },
        [&](std::uint32_t p) { return p == 0 || draws.begins(n - p); },
        [&](const leveled_sum& a, const leveled_sum& b) { return by.rests(a, b); },
        [&](std::uint32_t p, const leveled_sum& behind) {
          const std::uint32_t k = last - p;
          level[k] = greatest_number<double>;
          share[k] = lost[k] = 0.0;
          const double w = behind.sum > 0.0 ? draws.template weight<double>(k) : 0.0;
          if (!(w > 0.0)) return;
          const item_draw drawn = item_draw::of(by, score(k), behind);
          own += w * drawn.term;
          level[k] = behind.level;
          lost[k] = w * drawn.other;
          share[k] = lost[k] / behind.sum;
        });
    if (!known) {
      value = sum(team, own);
      const double factor = bounded_factor<T>(mass / temperature);
      if (sink.wanted())
        scan_grades(
            team, n, leveled_sums::no_pull(),
            [&](std::uint32_t k) {
              return leveled_sum{level[k], share[k]};
            },
            [&](std::uint32_t k) { return draws.begins(k); },
            [&](const leveled_sum& a, const leveled_sum& b) { return by.pulls(a, b); },
            [&](std::uint32_t k, const leveled_sum& before) {
              const double pulled = before.sum * by.power(score(k), before.level);
              sink.put(draws.item(k), held_as<T>(factor * (pulled - lost[k])));
            });
    }
    if (!sink.hessian_wanted()) return;
    const double factor = bounded_factor<T>(mass / temperature / temperature);
    const auto weight = [&](std::uint32_t k) { return draws.template weight<double>(k); };
    scan_grades(
        team, n, leveled_sums::no_pull<leveled_squares>(),
        [&](std::uint32_t k) {
          return leveled_squares{level[k], share[k],
                                 share[k] > 0.0 ? share[k] * (share[k] / weight(k)) : 0.0};
        },
        [&](std::uint32_t k) { return draws.begins(k); },
        [&](const leveled_squares& a, const leveled_squares& b) { return by.pulls(a, b); },
        [&](std::uint32_t k, const leveled_squares& before) {
          const double own_bend = lost[k] > 0.0 ? lost[k] * (1.0 - lost[k] / weight(k)) : 0.0;
          sink.put_hessian(draws.item(k),
                           held_as<T>(factor * (before.bend(by.power(score(k), before.level)) + own_bend)));
        });
  }

  [[nodiscard]] static __device__ T held_product(float factor, float x) {
    return fminf(fmaxf(factor * x, lowest_number<float>), greatest_number<float>);
  }
  [[nodiscard]] static __device__ T held_product(double factor, double x) { return held_as<T>(factor * x); }
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
