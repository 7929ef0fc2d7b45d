// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/all_pairs.cuh>
#include <rankloss/cuda/detail/exponential_scan.cuh>
#include <rankloss/cuda/detail/gains.cuh>
#include <rankloss/cuda/detail/near_numbers.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/sigmoid/kernel_terms.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

/// Sums of a sigmoid over all pairs of a list (docs/algorithms/sigmoid_sums.md): pair by pair, or by scans of
/// sums of exponentials over sorted scores. Both give soft ranks, and the pull of a cotangent through them.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// Lists of up to so many items are computed pair by pair by a warp, others by scans over sorted scores.
template <class T>
inline constexpr std::uint32_t longest_by_pairs = sizeof(T) == sizeof(float) ? 64 : 32;

/// Distances of scores in units of a temperature. Scores are halved first, so that no difference overflows.
template <class T>
struct pair_distance {
  T unit;  ///< twice how many units a temperature^-1 is

  /// @param scale  units of a temperature
  [[nodiscard]] static __device__ pair_distance of(double temperature, double scale = 1.0) {
    return {static_cast<T>(fmin(2.0 * scale / temperature, static_cast<double>(greatest_number<T>)))};
  }
  [[nodiscard]] __device__ T operator()(T upper, T lower) const {
    return (T{0.5} * upper - T{0.5} * lower) * unit;
  }
};

/// sigmoid(-x) and the slope of the sigmoid at x >= 0, for x in units of exponent_unit<T>.
template <class T>
struct sigmoid_at {
  T tail, slope;

  __device__ explicit sigmoid_at(T x) {
    const T e = power_of(-x);
    const T r = near_inverse(T{1} + e);
    tail = e * r;
    slope = tail * r;
  }

 private:
  [[nodiscard]] static __device__ float power_of(float x) { return exp2f(x); }
  [[nodiscard]] static __device__ double power_of(double x) { return exp(x); }
  [[nodiscard]] static __device__ float near_inverse(float x) { return near_quotient(1.0f, x); }
  [[nodiscard]] static __device__ double near_inverse(double x) { return 1.0 / x; }
};
template <class T>
inline constexpr double exponent_unit = sizeof(T) == sizeof(float) ? 1.4426950408889634 : 1.0;

/// Soft ranks of short lists, pair by pair. x is in any order; all arrays are [n].
template <class T>
class pair_sums {
 public:
  __device__ pair_sums(const T* x, std::uint32_t n, double temperature)
      : x_(x), n_(n), distance_(pair_distance<T>::of(temperature, exponent_unit<T>)) {}

  /// Calls emit(i, rank, sum_j sigmoid') for each item; the rank is a double. What a pair differs by from a hard
  /// rank is summed up by itself, so that a rank near a whole number is as near to it as it should be.
  template <class Team, class Emit>
  __device__ void ranks(const Team& team, Emit emit) const {
    for (std::uint32_t i = team.rank(); i < n_; i += team.size()) {
      std::uint32_t above = 0, level = 0;
      T tails{0}, slopes{-0.25};  // without the pair of the item with itself
      by_chunks([&](std::uint32_t begin, std::uint32_t end) {
        T of_chunk{0}, slopes_of_chunk{0};
#pragma unroll 4
        for (std::uint32_t j = begin; j < end; ++j) {
          const T x = distance_(x_[j], x_[i]);
          const sigmoid_at<T> at(magnitude(x));
          above += x > T{0} ? 1u : 0u;
          level += x == T{0} ? 1u : 0u;
          of_chunk += x > T{0} ? -at.tail : x < T{0} ? at.tail : T{0};
          slopes_of_chunk += at.slope;
        }
        tails += of_chunk;
        slopes += slopes_of_chunk;
      });
      emit(i, 0.5 * (static_cast<double>(2 * above + level) + 1.0) + static_cast<double>(tails), slopes);
    }
    team.sync();
  }
  /// Calls emit(i, h) for each item, where h is its entry of the Hessian of a function of the ranks, in units of the
  /// temperature: a and a2 are the first two derivatives by the ranks.
  template <class Team, class Emit>
  __device__ void bend(const Team& team, const T* a, const T* a2, const T* slopes, double, T*,
                       Emit emit) const {
    for (std::uint32_t i = team.rank(); i < n_; i += team.size()) {
      T sum = a2[i] * slopes[i] * slopes[i];
      by_chunks([&](std::uint32_t begin, std::uint32_t end) {
        T bends{0}, squares{0};
        for (std::uint32_t j = begin; j < end; ++j) {
          if (j == i) continue;
          const T x = distance_(x_[j], x_[i]);
          const sigmoid_at<T> at(magnitude(x));
          const T curvature = at.slope * (T{1} - at.tail - at.tail);
          bends += (a[j] - a[i]) * (x > T{0} ? curvature : x < T{0} ? -curvature : T{0});
          squares += a2[j] * at.slope * at.slope;
        }
        sum += bends + squares;
      });
      emit(i, sum);
    }
    team.sync();
  }
  /// Calls emit(i, sum_j (a_j - a_i) sigmoid') for each item.
  template <class Team, class Emit>
  __device__ void pull(const Team& team, const T* a, const T*, double, Emit emit) const {
    for (std::uint32_t i = team.rank(); i < n_; i += team.size()) {
      T sum{0};
      by_chunks([&](std::uint32_t begin, std::uint32_t end) {
        T of_chunk{0};
#pragma unroll 4
        for (std::uint32_t j = begin; j < end; ++j)
          of_chunk += (a[j] - a[i]) * sigmoid_at<T>(magnitude(distance_(x_[j], x_[i]))).slope;
        sum += of_chunk;
      });
      emit(i, sum);
    }
    team.sync();
  }

 private:
  /// Calls chunk(begin, end) for all items in turn: sums of few numbers, and then the sum of these, have
  /// smaller rounding errors.
  template <class Chunk>
  __device__ void by_chunks(Chunk chunk) const {
    constexpr std::uint32_t size = 16;
    for (std::uint32_t begin = 0; begin < n_; begin += size)
      chunk(begin, n_ - begin < size ? n_ : begin + size);
  }

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
/// sigmoid(-d) of ranks at which a cut bends, with kernel_terms<T>::cut_count terms.
template <class T>
struct cut_kernel {
  template <std::size_t k>
  static constexpr double term = rankloss::detail::kernel_terms<T>::cut_sigmoid[k];
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

/// The decay from an item to the next one, of lesser score.
template <class N>
struct score_decay {
  N unit;  ///< 2 / temperature

  [[nodiscard]] static __device__ score_decay of(double temperature) {
    constexpr double most =
        std::is_same_v<N, double> ? greatest_number<double> : static_cast<double>(greatest_number<float>);
    return {number<N>(fmin(2.0 / temperature, most))};
  }
  /// Scores are halved first, so that no difference overflows.
  template <class T>
  [[nodiscard]] __device__ N operator()(T upper, T lower) const {
    if constexpr (std::is_same_v<N, double>)
      return exp(-(0.5 * static_cast<double>(upper) - 0.5 * static_cast<double>(lower)) * unit);
    else
      return exp_below((number<N>(0.5f * upper) - number<N>(0.5f * lower)) * unit);
  }
};

/// What scan_sums sums over: all items of a list, or those of a tile, to which others hand on states.
struct whole_list {
  [[nodiscard]] __device__ std::uint32_t first() const { return 0; }
  [[nodiscard]] __device__ nothing_before above() const { return {}; }
  [[nodiscard]] __device__ nothing_before below() const { return {}; }
};
template <std::size_t K, class N>
struct part_of_list {
  std::uint32_t position;  ///< of the first item
  const exponential_states<K, N>*from_above, *from_below;

  [[nodiscard]] __device__ std::uint32_t first() const { return position; }
  [[nodiscard]] __device__ states_before<K, N> above() const { return {from_above}; }
  [[nodiscard]] __device__ states_before<K, N> below() const { return {from_below}; }
};

/// Soft ranks of lists that are sorted, x falling, by scans of K states. Arrays are [n]; `decay`, `above` are
/// scratch.
template <class T, class Range = whole_list, std::size_t K = rankloss::detail::kernel_terms<T>::count>
class scan_sums {
  using N = state_number<T>;

 public:
  /// decay[i]: from item i - 1 to item i, as another one has left it.
  __device__ scan_sums(std::uint32_t n, const N* decay, T* above, Range range = {})
      : n_(n), decay_(decay), above_(above), range_(range) {}
  template <class Team>
  __device__ scan_sums(const Team& team, const T* x, std::uint32_t n, double temperature, N* decay, T* above)
      : scan_sums(n, decay, above, Range{}) {
    const auto between = score_decay<N>::of(temperature);
    for (std::uint32_t i = team.rank(); i < n; i += team.size())
      decay[i] = i > 0 ? between(x[i - 1], x[i]) : N{};
    team.sync();
  }
  /// Calls emit(i, rank, sum_j sigmoid') for each item; the rank is a double or two floats.
  template <class Team, class Emit>
  __device__ void ranks(const Team& team, T* slopes, Emit emit) const {
    ranks_by<sigmoid_kernel<T>>(
        team, slopes, [&](std::uint32_t i, const N& sum) { above_[i] = static_cast<T>(rounded(sum)); },
        [&](std::uint32_t i) { return number<N>(above_[i]); }, emit);
  }
  /// The same with K = cut_count of floats, in which sums over the items above keep what a float lacks.
  /// @param lacking  [n] scratch
  template <class Team, class Emit>
  __device__ void ranks_of_cuts(const Team& team, T* slopes, T* lacking, Emit emit) const {
    ranks_by<cut_kernel<T>>(
        team, slopes,
        [&](std::uint32_t i, const N& sum) {
          const two_floats parts = as_two_floats(sum);
          above_[i] = parts.high;
          lacking[i] = parts.low;
        },
        [&](std::uint32_t i) {
          return number<N>(two_floats{above_[i], lacking[i]});
        },
        emit);
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
        team, [](std::uint32_t) { return number<N>(1.0); }, minus{},
        [&](std::uint32_t i, const N& sum) { curvatures[i] = static_cast<T>(rounded(sum)); });
  }
  /// They become the same sums of (a_j - a_i) times that.
  template <class Team>
  __device__ void bend_by(const Team& team, const T* a, double centre, T* curvatures) const {
    const N middle = number<N>(centre);
    const auto weight = [&](std::uint32_t i) { return number<N>(a[i]) - middle; };
    sum_both<curvature_kernel<T>>(team, weight, minus{}, [&](std::uint32_t i, const N& sum) {
      curvatures[i] = static_cast<T>(rounded(sum - weight(i) * number<N>(curvatures[i])));
    });
  }
  /// Calls emit with these and what else there is of the Hessian.
  template <class Team, class Emit>
  __device__ void add_squares(const Team& team, const T* a2, const T* slopes, const T* bends,
                              Emit emit) const {
    const auto weight = [&](std::uint32_t i) { return number<N>(a2[i]); };
    sum_both<slope_squared_kernel<T>>(team, weight, plus{}, [&](std::uint32_t i, const N& sum) {
      const N slope = number<N>(slopes[i]);
      emit(i, static_cast<T>(rounded(sum + weight(i) * slope * slope + number<N>(bends[i]))));
    });
  }
  /// @param centre  what is subtracted from all a, so that fewer digits are lost
  template <class Team, class Emit>
  __device__ void pull(const Team& team, const T* a, const T* slopes, double centre, Emit emit) const {
    const N middle = number<N>(centre);
    const auto weight = [&](std::uint32_t i) { return number<N>(a[i]) - middle; };
    down(team, weight, [&](std::uint32_t i, const exponential_states<K, N>& s) {
      above_[i] = static_cast<T>(rounded(s.template dot<slope_kernel<T>>()));
    });
    up(team, weight, [&](std::uint32_t i, const exponential_states<K, N>& s) {
      emit(i, static_cast<T>(rounded(number<N>(above_[i]) + s.template dot<slope_kernel<T>>() -
                                     weight(i) * number<N>(slopes[i]))));
    });
  }

 private:
  /// Keeps the sums over the items above by keep(i, sum), and reads them by kept(i).
  template <class Kernel, class Team, class Keep, class Kept, class Emit>
  __device__ void ranks_by(const Team& team, T* slopes, Keep keep, Kept kept, Emit emit) const {
    constexpr std::size_t slope_terms = rankloss::detail::kernel_terms<T>::count;
    const auto one = [](std::uint32_t) { return number<N>(1.0); };
    down(team, one, [&](std::uint32_t i, const exponential_states<K, N>& s) {
      keep(i, s.template dot<Kernel>());
      slopes[i] = static_cast<T>(rounded(s.template dot<slope_kernel<T>, slope_terms>()));
    });
    up(team, one, [&](std::uint32_t i, const exponential_states<K, N>& s) {
      const N rank = (number<N>(range_.first() + i + 1) - kept(i)) + s.template dot<Kernel>();
      emit(i, rank,
           static_cast<T>(rounded(number<N>(slopes[i]) + s.template dot<slope_kernel<T>, slope_terms>())));
    });
  }
  struct plus {
    [[nodiscard]] __device__ N operator()(const N& a, const N& b) const { return a + b; }
  };
  struct minus {
    [[nodiscard]] __device__ N operator()(const N& a, const N& b) const { return a - b; }
  };
  /// Calls emit(i, join(sum over the items above, sum over those below)) for each item.
  template <class Kernel, class Team, class Weight, class Join, class Emit>
  __device__ void sum_both(const Team& team, Weight weight, Join join, Emit emit) const {
    down(team, weight, [&](std::uint32_t i, const exponential_states<K, N>& s) {
      above_[i] = static_cast<T>(rounded(s.template dot<Kernel>()));
    });
    up(team, weight, [&](std::uint32_t i, const exponential_states<K, N>& s) {
      emit(i, join(number<N>(above_[i]), s.template dot<Kernel>()));
    });
  }
  template <class Team, class Weight, class Emit>
  __device__ void down(const Team& team, Weight weight, Emit emit) const {
    scan_states<K, N>(
        team, n_, [this](std::uint32_t p) { return decay_[p + 1]; }, weight, emit, range_.above());
  }
  template <class Team, class Weight, class Emit>
  __device__ void up(const Team& team, Weight weight, Emit emit) const {
    const std::uint32_t last = n_ - 1;
    scan_states<K, N>(
        team, n_, [&](std::uint32_t p) { return decay_[last - p]; },
        [&](std::uint32_t p) { return weight(last - p); },
        [&](std::uint32_t p, const exponential_states<K, N>& s) { emit(last - p, s); }, range_.below());
  }

  std::uint32_t n_;
  const N* decay_;
  T* above_;
  Range range_;
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
