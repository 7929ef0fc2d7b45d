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

/// Scans the positions [0, n): each thread a stretch of neighbours, whose states at the beginning are what
/// the threads before it hand on. Calls emit(p, states) with the states of all positions before p.
/// @param decay   decay(p): the decay from position p to p + 1; any number for the last
/// @param weight  weight(p)
template <std::size_t K, class Team, class Decay, class Weight, class Emit>
__device__ inline void scan_states(const Team& team, std::uint32_t n, Decay decay, Weight weight, Emit emit) {
  struct passed {
    double decay, sum;
  };
  std::uint32_t size = (n + team.size() - 1) / team.size();
  if (size > 2 && size % 2 == 0) ++size;  // odd, so that threads meet different banks of shared memory
  const std::uint32_t begin = team.rank() * size < n ? team.rank() * size : n;
  const std::uint32_t end = begin + size < n ? begin + size : n;
  exponential_states<K> own;
  double whole = 1.0;
  for (std::uint32_t p = begin; p < end; ++p) {
    const double q = p + 1 < n ? decay(p) : 0.0;
    own.advance(q, weight(p));
    whole *= q;
  }
  double power = whole;
#pragma unroll
  for (std::size_t k = 0; k < K; ++k) {
    own.s[k] = scan(team, passed{power, own.s[k]}, passed{1.0, 0.0}, [](const passed& a, const passed& b) {
                 return passed{a.decay * b.decay, fma(b.decay, a.sum, b.sum)};
               }).before.sum;
    power *= whole;
  }
  for (std::uint32_t p = begin; p < end; ++p) {
    emit(p, own);
    if (p + 1 < end) own.advance(decay(p), weight(p));
  }
  team.sync();
}

/// Soft ranks of lists that are sorted, x falling, by scans. Arrays are [n]; `decay`, `above` are scratch.
template <class T>
class scan_sums {
  static constexpr std::size_t K = rankloss::detail::kernel_terms<T>::count;

 public:
  template <class Team>
  __device__ scan_sums(const Team& team, const T* x, std::uint32_t n, double temperature, double* decay,
                       T* above)
      : scan_sums(n, decay, above) {
    const auto distance = pair_distance<double>::of(temperature);
    for (std::uint32_t i = team.rank(); i < n; i += team.size())
      decay[i] = i > 0 ? exp(-distance(static_cast<double>(x[i - 1]), static_cast<double>(x[i]))) : 0.0;
    team.sync();
  }
  /// Of the list whose decays another one has left in `decay`.
  __device__ scan_sums(std::uint32_t n, double* decay, T* above) : n_(n), decay_(decay), above_(above) {}

  /// Calls emit(i, rank, sum_j sigmoid') for each item; the rank is a double.
  template <class Team, class Emit>
  __device__ void ranks(const Team& team, T* slopes, Emit emit) const {
    const auto one = [](std::uint32_t) { return 1.0; };
    down(team, one, [&](std::uint32_t i, const exponential_states<K>& s) {
      above_[i] = static_cast<T>(s.template dot<sigmoid_kernel<T>>());
      slopes[i] = static_cast<T>(s.template dot<slope_kernel<T>>());
    });
    up(team, one, [&](std::uint32_t i, const exponential_states<K>& s) {
      const double rank =
          static_cast<double>(i) + 1.0 - static_cast<double>(above_[i]) + s.template dot<sigmoid_kernel<T>>();
      emit(i, rank, static_cast<T>(static_cast<double>(slopes[i]) + s.template dot<slope_kernel<T>>()));
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
  template <class Team, class Weight, class Emit>
  __device__ void down(const Team& team, Weight weight, Emit emit) const {
    scan_states<K>(
        team, n_, [this](std::uint32_t p) { return decay_[p + 1]; }, weight, emit);
  }
  template <class Team, class Weight, class Emit>
  __device__ void up(const Team& team, Weight weight, Emit emit) const {
    const std::uint32_t last = n_ - 1;
    scan_states<K>(
        team, n_, [&](std::uint32_t p) { return decay_[last - p]; },
        [&](std::uint32_t p) { return weight(last - p); },
        [&](std::uint32_t p, const exponential_states<K>& s) { emit(last - p, s); });
  }

  std::uint32_t n_;
  double* decay_;  // from item i - 1 to i
  T* above_;
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
