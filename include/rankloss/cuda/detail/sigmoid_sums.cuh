// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/gains.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/sigmoid/kernel_terms.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>

/// Sums of a sigmoid over all pairs of a list (docs/algorithms/sigmoid_sums.md): pair by pair, or by scans of
/// sums of exponentials over sorted scores. Both give soft ranks, and the pull of a cotangent through them.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// Lists of up to so many items are computed pair by pair, others by scans over sorted scores.
inline constexpr std::uint32_t longest_by_pairs = 32;

/// Arithmetic of a pair: its distance in temperatures. Scores are halved first, so that no difference
/// overflows.
template <class T>
struct pair_distance {
  T unit;  ///< 2 / temperature

  [[nodiscard]] static __device__ pair_distance of(double temperature) {
    return {static_cast<T>(fmin(2.0 / temperature, static_cast<double>(greatest_number<T>)))};
  }
  [[nodiscard]] __device__ T operator()(T upper, T lower) const {
    return (T{0.5} * upper - T{0.5} * lower) * unit;
  }
};

/// sigmoid(-|x|) and the slope of the sigmoid at x.
template <class T>
struct sigmoid_at {
  T tail, slope;

  __device__ explicit sigmoid_at(T x) {
    const T e = exp_of(x < T{0} ? x : -x);
    const T r = T{1} / (T{1} + e);
    tail = e * r;
    slope = tail * r;
  }
};

/// Soft ranks of short lists, pair by pair. x is in any order; all arrays are [n].
template <class T>
class pair_sums {
 public:
  __device__ pair_sums(const T* x, std::uint32_t n, double temperature)
      : x_(x), n_(n), distance_(pair_distance<T>::of(temperature)) {}

  /// Calls emit(i, rank, sum_j sigmoid') for each item; the rank is a double. What a pair differs by from a hard
  /// rank is summed up by itself, so that a rank near a whole number is as near to it as it should be.
  template <class Team, class Emit>
  __device__ void ranks(const Team& team, Emit emit) const {
    for (std::uint32_t i = team.rank(); i < n_; i += team.size()) {
      T hard{0.5}, tails{0}, slopes{-0.25};  // hard: 1, without the pair of the item with itself
      for (std::uint32_t j = 0; j < n_; ++j) {
        const T x = distance_(x_[j], x_[i]);
        const sigmoid_at<T> at(x);
        hard += x > T{0} ? T{1} : x < T{0} ? T{0} : T{0.5};
        tails += x > T{0} ? -at.tail : x < T{0} ? at.tail : T{0};
        slopes += at.slope;
      }
      emit(i, static_cast<double>(hard) + static_cast<double>(tails), slopes);
    }
    team.sync();
  }
  /// Calls emit(i, h) for each item, where h is its entry of the Hessian of a function of the ranks, in units of the
  /// temperature: a and a2 are the first two derivatives by the ranks.
  template <class Team, class Emit>
  __device__ void bend(const Team& team, const T* a, const T* a2, const T* slopes, double, T*,
                       Emit emit) const {
    for (std::uint32_t i = team.rank(); i < n_; i += team.size()) {
      T bends{0}, squares = a2[i] * slopes[i] * slopes[i];
      for (std::uint32_t j = 0; j < n_; ++j) {
        if (j == i) continue;
        const T x = distance_(x_[j], x_[i]);
        const sigmoid_at<T> at(x);
        const T curvature = at.slope * (T{1} - at.tail - at.tail);
        bends += (a[j] - a[i]) * (x > T{0} ? curvature : x < T{0} ? -curvature : T{0});
        squares += a2[j] * at.slope * at.slope;
      }
      emit(i, bends + squares);
    }
    team.sync();
  }
  /// Calls emit(i, sum_j (a_j - a_i) sigmoid') for each item.
  template <class Team, class Emit>
  __device__ void pull(const Team& team, const T* a, const T*, double, Emit emit) const {
    for (std::uint32_t i = team.rank(); i < n_; i += team.size()) {
      T sum{0};
      for (std::uint32_t j = 0; j < n_; ++j)
        sum += (a[j] - a[i]) * sigmoid_at<T>(distance_(x_[j], x_[i])).slope;
      emit(i, sum);
    }
    team.sync();
  }

 private:
  const T* x_;
  std::uint32_t n_;
  pair_distance<T> distance_;
};

/// The functions that are summed, for scores of type T, and their terms as constants that code of the device
/// can name: arrays are the host's.
template <class T>
struct sigmoid_kernel {
  template <std::size_t k>
  static constexpr double term = rankloss::detail::kernel_terms<T>::sigmoid[k];
};
template <class T>
struct slope_kernel {
  template <std::size_t k>
  static constexpr double term = rankloss::detail::kernel_terms<T>::slope[k];
};

/// -sigmoid'' and the square of sigmoid', with kernel_terms<T>::hessian_count terms.
template <class T>
struct curvature_kernel {
  template <std::size_t k>
  static constexpr double term = rankloss::detail::kernel_terms<T>::curvature[k];
};
template <class T>
struct slope_squared_kernel {
  template <std::size_t k>
  static constexpr double term = rankloss::detail::kernel_terms<T>::slope_squared[k];
};

/// The states of a scan: sum_j w_j exp(-k (distance to j)), k = 1..K, over the items that it has passed.
template <std::size_t K>
struct exponential_states {
  double s[K];

  __device__ exponential_states() {
#pragma unroll
    for (std::size_t k = 0; k < K; ++k) s[k] = 0.0;
  }
  /// One step to the next item, with the decay q to it.
  __device__ void advance(double q, double weight) {
    double power = q;
#pragma unroll
    for (std::size_t k = 0; k < K; ++k) {
      s[k] = power * (s[k] + weight);
      power *= q;
    }
  }
  /// sum_k c_k S_k. Two sums over neighbouring terms, whose signs alternate, so that each stays small.
  template <class Kernel>
  [[nodiscard]] __device__ double dot() const {
    return part<Kernel, 0>(std::make_index_sequence<K / 2>{}) +
           part<Kernel, K / 2>(std::make_index_sequence<K / 2>{});
  }

 private:
  template <class Kernel, std::size_t first, std::size_t... k>
  [[nodiscard]] __device__ double part(std::index_sequence<k...>) const {
    double sum = 0.0;
    ((sum = fma(Kernel::template term<first + sizeof...(k) - 1 - k>, s[first + sizeof...(k) - 1 - k], sum)),
     ...);
    return sum;
  }
};

/// What a part of a scan hands on: its states behind its last position, and the decay from its beginning to
/// there, by which states from before it are multiplied.
template <std::size_t K>
struct scan_part {
  double decay;
  exponential_states<K> states;
};
/// The same of one state.
struct decayed_sum {
  double decay, sum;

  [[nodiscard]] static __device__ decayed_sum joined(const decayed_sum& a, const decayed_sum& b) {
    return {a.decay * b.decay, fma(b.decay, a.sum, b.sum)};
  }
};

/// The states at the beginning of what a team scans: none, or those that another part hands on.
struct nothing_before {
  [[nodiscard]] __device__ double joined(std::size_t, const decayed_sum& passed) const { return passed.sum; }
};
template <std::size_t K>
struct states_before {
  const exponential_states<K>* states;

  [[nodiscard]] __device__ double joined(std::size_t k, const decayed_sum& passed) const {
    return fma(passed.decay, states->s[k], passed.sum);
  }
};

/// The positions that a thread scans, which are neighbours.
struct stretch {
  std::uint32_t begin, end;

  template <class Team>
  [[nodiscard]] static __device__ stretch of(const Team& team, std::uint32_t n) {
    std::uint32_t size = (n + team.size() - 1) / team.size();
    if (size > 2 && size % 2 == 0) ++size;  // odd, so that threads meet different banks of shared memory
    const std::uint32_t begin = team.rank() * size < n ? team.rank() * size : n;
    return {begin, begin + size < n ? begin + size : n};
  }
};

/// pass(p, states) leads states from position p to the next one, and returns the decay of that step.
template <std::size_t K, class Pass>
[[nodiscard]] __device__ inline scan_part<K> pass_stretch(const stretch& positions, Pass pass) {
  scan_part<K> own{1.0, {}};
  for (std::uint32_t p = positions.begin; p < positions.end; ++p) own.decay *= pass(p, own.states);
  return own;
}

/// Scans the positions [0, n) by `pass`: each thread a stretch, whose states at the beginning are what the
/// threads before it hand on. Calls emit(p, states) with the states of all positions before p.
template <std::size_t K, class Team, class Pass, class Emit, class Before>
__device__ inline void scan_passes(const Team& team, std::uint32_t n, Pass pass, Emit emit, Before before) {
  const stretch positions = stretch::of(team, n);
  scan_part<K> own = pass_stretch<K>(positions, pass);
  double power = own.decay;
#pragma unroll
  for (std::size_t k = 0; k < K; ++k) {
    own.states.s[k] = before.joined(
        k,
        scan(team, decayed_sum{power, own.states.s[k]}, decayed_sum{1.0, 0.0}, decayed_sum::joined).before);
    power *= own.decay;
  }
  for (std::uint32_t p = positions.begin; p < positions.end; ++p) {
    emit(p, own.states);
    if (p + 1 < positions.end) pass(p, own.states);
  }
  team.sync();
}

/// Scans the positions [0, n).
/// @param decay   decay(p): the decay from position p to p + 1; not called for the last
/// @param weight  weight(p)
template <std::size_t K, class Team, class Decay, class Weight, class Emit, class Before = nothing_before>
__device__ inline void scan_states(const Team& team, std::uint32_t n, Decay decay, Weight weight, Emit emit,
                                   Before before = {}) {
  scan_passes<K>(
      team, n,
      [&](std::uint32_t p, exponential_states<K>& states) {
        const double q = p + 1 < n ? decay(p) : 0.0;
        states.advance(q, weight(p));
        return q;
      },
      emit, before);
}

/// What the positions [0, n) hand on; decay(n - 1) is the decay to what follows them. The same for every
/// thread.
template <std::size_t K, class Team, class Decay, class Weight>
[[nodiscard]] __device__ inline scan_part<K> part_of(const Team& team, std::uint32_t n, Decay decay,
                                                     Weight weight) {
  scan_part<K> own =
      pass_stretch<K>(stretch::of(team, n), [&](std::uint32_t p, exponential_states<K>& states) {
        const double q = decay(p);
        states.advance(q, weight(p));
        return q;
      });
  const double whole = own.decay;
  double power = whole;
#pragma unroll
  for (std::size_t k = 0; k < K; ++k) {
    const decayed_sum total =
        scan(team, decayed_sum{power, own.states.s[k]}, decayed_sum{1.0, 0.0}, decayed_sum::joined).total;
    own.states.s[k] = total.sum;
    if (k == 0) own.decay = total.decay;
    power *= whole;
  }
  return own;
}

/// Scans n parts. Calls emit(p, states) with the states that are handed on to part p.
template <std::size_t K, class Team, class Part, class Emit>
__device__ inline void scan_parts(const Team& team, std::uint32_t n, Part part, Emit emit) {
  scan_passes<K>(
      team, n,
      [&](std::uint32_t p, exponential_states<K>& states) {
        const scan_part<K>& of = part(p);
        double power = of.decay;
#pragma unroll
        for (std::size_t k = 0; k < K; ++k) {
          states.s[k] = fma(power, states.s[k], of.states.s[k]);
          power *= of.decay;
        }
        return of.decay;
      },
      emit, nothing_before{});
}

/// The decay from an item to the next one, of lesser score.
[[nodiscard]] __device__ inline double decay_between(const pair_distance<double>& distance, double upper,
                                                     double lower) {
  return exp(-distance(upper, lower));
}

/// What scan_sums sums over: all items of a list, or those of a tile, to which others hand on states.
struct whole_list {
  [[nodiscard]] __device__ std::uint32_t first() const { return 0; }
  [[nodiscard]] __device__ nothing_before above() const { return {}; }
  [[nodiscard]] __device__ nothing_before below() const { return {}; }
};
template <std::size_t K>
struct part_of_list {
  std::uint32_t position;  ///< of the first item
  const exponential_states<K>*from_above, *from_below;

  [[nodiscard]] __device__ std::uint32_t first() const { return position; }
  [[nodiscard]] __device__ states_before<K> above() const { return {from_above}; }
  [[nodiscard]] __device__ states_before<K> below() const { return {from_below}; }
};

/// Soft ranks of lists that are sorted, x falling, by scans of K states. Arrays are [n]; `decay`, `above` are
/// scratch.
template <class T, class Range = whole_list, std::size_t K = rankloss::detail::kernel_terms<T>::count>
class scan_sums {
 public:
  /// decay[i]: from item i - 1 to item i, as another one has left it.
  __device__ scan_sums(std::uint32_t n, const double* decay, T* above, Range range = {})
      : n_(n), decay_(decay), above_(above), range_(range) {}
  template <class Team>
  __device__ scan_sums(const Team& team, const T* x, std::uint32_t n, double temperature, double* decay,
                       T* above)
      : scan_sums(n, decay, above, Range{}) {
    const auto distance = pair_distance<double>::of(temperature);
    for (std::uint32_t i = team.rank(); i < n; i += team.size())
      decay[i] =
          i > 0 ? decay_between(distance, static_cast<double>(x[i - 1]), static_cast<double>(x[i])) : 0.0;
    team.sync();
  }
  /// Calls emit(i, rank, sum_j sigmoid') for each item; the rank is a double.
  template <class Team, class Emit>
  __device__ void ranks(const Team& team, T* slopes, Emit emit) const {
    const auto one = [](std::uint32_t) { return 1.0; };
    down(team, one, [&](std::uint32_t i, const exponential_states<K>& s) {
      above_[i] = static_cast<T>(s.template dot<sigmoid_kernel<T>>());
      slopes[i] = static_cast<T>(s.template dot<slope_kernel<T>>());
    });
    up(team, one, [&](std::uint32_t i, const exponential_states<K>& s) {
      const double rank = static_cast<double>(range_.first() + i) + 1.0 - static_cast<double>(above_[i]) +
                          s.template dot<sigmoid_kernel<T>>();
      emit(i, rank, static_cast<T>(static_cast<double>(slopes[i]) + s.template dot<slope_kernel<T>>()));
    });
  }
  /// What pair_sums::bend does.
  /// @param bends  [n] scratch
  template <class Team, class Emit>
  __device__ void bend(const Team& team, const T* a, const T* a2, const T* slopes, double centre, T* bends,
                       Emit emit) const {
    const scan_sums<T, Range, rankloss::detail::kernel_terms<T>::hessian_count> sums(n_, decay_, above_,
                                                                                     range_);
    sums.sum_curvatures(team, bends);
    sums.bend_by(team, a, centre, bends);
    sums.add_squares(team, a2, slopes, bends, emit);
  }
  // The steps of that, of K = hessian_count.

  /// curvatures[i]: the sum of -sigmoid'' over the items above less that over those below.
  template <class Team>
  __device__ void sum_curvatures(const Team& team, T* curvatures) const {
    sum_both<curvature_kernel<T>>(
        team, [](std::uint32_t) { return 1.0; }, -1.0,
        [&](std::uint32_t i, double sum) { curvatures[i] = static_cast<T>(sum); });
  }
  /// They become the same sums of (a_j - a_i) times that.
  template <class Team>
  __device__ void bend_by(const Team& team, const T* a, double centre, T* curvatures) const {
    const auto weight = [&](std::uint32_t i) { return static_cast<double>(a[i]) - centre; };
    sum_both<curvature_kernel<T>>(team, weight, -1.0, [&](std::uint32_t i, double sum) {
      curvatures[i] = static_cast<T>(sum - weight(i) * static_cast<double>(curvatures[i]));
    });
  }
  /// Calls emit with these and what else there is of the Hessian.
  template <class Team, class Emit>
  __device__ void add_squares(const Team& team, const T* a2, const T* slopes, const T* bends,
                              Emit emit) const {
    const auto weight = [&](std::uint32_t i) { return static_cast<double>(a2[i]); };
    sum_both<slope_squared_kernel<T>>(team, weight, 1.0, [&](std::uint32_t i, double sum) {
      const auto slope = static_cast<double>(slopes[i]);
      emit(i, static_cast<T>(sum + weight(i) * slope * slope + static_cast<double>(bends[i])));
    });
  }
  /// @param centre  what is subtracted from all a, so that fewer digits are lost
  template <class Team, class Emit>
  __device__ void pull(const Team& team, const T* a, const T* slopes, double centre, Emit emit) const {
    const auto weight = [&](std::uint32_t i) { return static_cast<double>(a[i]) - centre; };
    down(team, weight, [&](std::uint32_t i, const exponential_states<K>& s) {
      above_[i] = static_cast<T>(s.template dot<slope_kernel<T>>());
    });
    up(team, weight, [&](std::uint32_t i, const exponential_states<K>& s) {
      emit(i, static_cast<T>(static_cast<double>(above_[i]) + s.template dot<slope_kernel<T>>() -
                             weight(i) * static_cast<double>(slopes[i])));
    });
  }

 private:
  /// Calls emit(i, sum over the items above + sign * sum over those below) for each item.
  template <class Kernel, class Team, class Weight, class Emit>
  __device__ void sum_both(const Team& team, Weight weight, double sign, Emit emit) const {
    down(team, weight, [&](std::uint32_t i, const exponential_states<K>& s) {
      above_[i] = static_cast<T>(s.template dot<Kernel>());
    });
    up(team, weight, [&](std::uint32_t i, const exponential_states<K>& s) {
      emit(i, fma(sign, s.template dot<Kernel>(), static_cast<double>(above_[i])));
    });
  }
  template <class Team, class Weight, class Emit>
  __device__ void down(const Team& team, Weight weight, Emit emit) const {
    scan_states<K>(
        team, n_, [this](std::uint32_t p) { return decay_[p + 1]; }, weight, emit, range_.above());
  }
  template <class Team, class Weight, class Emit>
  __device__ void up(const Team& team, Weight weight, Emit emit) const {
    const std::uint32_t last = n_ - 1;
    scan_states<K>(
        team, n_, [&](std::uint32_t p) { return decay_[last - p]; },
        [&](std::uint32_t p) { return weight(last - p); },
        [&](std::uint32_t p, const exponential_states<K>& s) { emit(last - p, s); }, range_.below());
  }

  std::uint32_t n_;
  const double* decay_;
  T* above_;
  Range range_;
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
