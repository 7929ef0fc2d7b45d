// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/score_runs.cuh>
#include <rankloss/cuda/detail/team.cuh>

#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// NeuralSort in sorted coordinates, as detail/band/neural_band.hpp has it: rows and columns of
///
///     e_ij = exp(L_ij - L_ii),     P_ij = e_ij / sum_k e_ik
///
/// walked from their diagonal entry, which is 1, to where entries are below `reach`. A thread walks a row or a
/// column by itself, and entries are computed where they are needed. So sums have one order, whatever the
/// team.
///
/// Entries are of type E, that of the scores, and sums are of doubles: those of floats were seen to have errors
/// of 5e-6 of the largest derivative. Floats reach further here than on the CPU, since the small entries are what
/// is left of the derivative where scores are far apart.
template <class E>
class neural_band {
 public:
  /// Entries below exp(-reach) are dropped.
  static constexpr double reach = sizeof(E) == sizeof(float) ? 30.0 : 39.0;

  /// @param scores  [n] sorted, falling
  /// @param gaps    [n] scratch
  template <class Team>
  __device__ neural_band(const Team& team, const double* scores, std::uint32_t n, double temperature, E* gaps)
      : neural_band(gaps, n) {
    const double scale = 1.0 / temperature;
    for (std::uint32_t i = team.rank(); i + 1 < n; i += team.size())
      gaps[i] = gap(scores[i], scores[i + 1], scale);
    team.sync();
  }
  /// gaps[i]: the gap from position i to the next one, as another one has left it.
  __device__ neural_band(const E* gaps, std::uint32_t n) : gaps_(gaps), n_(n) {}

  [[nodiscard]] static __device__ E gap(double upper, double lower, double scale) {
    constexpr double beyond = sizeof(E) == sizeof(float) ? 1e30 : 1e100;  // a gap that no band reaches across
    return static_cast<E>(fmin((upper - lower) * scale, beyond) * unit);
  }

  [[nodiscard]] __device__ std::uint32_t size() const { return n_; }

  /// Calls body(j, e_ij) for the entries of row i but the diagonal.
  template <class Body>
  __device__ void walk_row(std::uint32_t i, Body body) const {
    E sum{0}, factor{1};
    for (std::uint32_t j = i + 1; j < n_; ++j, factor += E{2}) {
      sum = multiply_add(gaps_[j - 1], factor, sum);
      if (sum > bound) break;
      body(j, static_cast<double>(entry(sum)));
    }
    sum = E{0};
    factor = E{1};
    for (std::uint32_t j = i; j-- > 0; factor += E{2}) {
      sum = multiply_add(gaps_[j], factor, sum);
      if (sum > bound) break;
      body(j, static_cast<double>(entry(sum)));
    }
  }
  /// Calls body(i, e_ij) for the entries of column j but the diagonal. With each row further away the weights
  /// of all gaps so far grow by 2, and the new gap has weight 1.
  template <class Body>
  __device__ void walk_column(std::uint32_t j, Body body) const {
    E sum{0}, distance{0};
    const auto add = [&](E gap) {
      sum += multiply_add(E{2}, distance, gap);
      distance += gap;
      return sum <= bound;
    };
    for (std::uint32_t i = j + 1; i < n_ && add(gaps_[i - 1]); ++i) body(i, static_cast<double>(entry(sum)));
    sum = distance = E{0};
    for (std::uint32_t i = j; i-- > 0 && add(gaps_[i]);) body(i, static_cast<double>(entry(sum)));
  }

  /// sum_j e_ij value(j)
  template <class Value>
  [[nodiscard]] __device__ double row_sum(std::uint32_t i, Value value) const {
    double sum = value(i);
    walk_row(i, [&](std::uint32_t j, double e) { sum = fma(e, value(j), sum); });
    return sum;
  }
  /// sum_i e_ij value(i)
  template <class Value>
  [[nodiscard]] __device__ double column_sum(std::uint32_t j, Value value) const {
    double sum = value(j);
    walk_column(j, [&](std::uint32_t i, double e) { sum = fma(e, value(i), sum); });
    return sum;
  }
  /// sum_i e_ij value(i, j), and the same times i - j
  struct column {
    double sum, moment;
  };
  template <class Value>
  [[nodiscard]] __device__ column column_moments(std::uint32_t j, Value value) const {
    column own{value(j, j), 0.0};
    walk_column(j, [&](std::uint32_t i, double e) {
      const double x = e * value(i, j);
      own.sum += x;
      own.moment = fma(x, apart(i, j), own.moment);
    });
    return own;
  }

  /// Calls emit(i, row_sum) for every row.
  template <class Team, class Value, class Emit>
  __device__ void rows(const Team& team, Value value, Emit emit) const {
    for (std::uint32_t i = team.rank(); i < n_; i += team.size()) emit(i, row_sum(i, value));
  }
  /// Calls emit(j, column_sum) for every column.
  template <class Team, class Value, class Emit>
  __device__ void columns(const Team& team, Value value, Emit emit) const {
    for (std::uint32_t j = team.rank(); j < n_; j += team.size()) emit(j, column_sum(j, value));
  }
  /// Calls emit(j, column_moments) for every column.
  template <class Team, class Value, class Emit>
  __device__ void column_moments(const Team& team, Value value, Emit emit) const {
    for (std::uint32_t j = team.rank(); j < n_; j += team.size()) emit(j, column_moments(j, value));
  }

  /// i - j
  [[nodiscard]] static __device__ double apart(std::uint32_t i, std::uint32_t j) {
    return static_cast<double>(static_cast<std::int32_t>(i) - static_cast<std::int32_t>(j));
  }

 private:
  // Logits of floats are in units of ln 2, as a device has an instruction for 2^x.
  static constexpr double unit = sizeof(E) == sizeof(float) ? 1.4426950408889634 : 1.0;
  static constexpr E bound = static_cast<E>(reach * unit);

  [[nodiscard]] static __device__ float multiply_add(float a, float b, float c) { return fmaf(a, b, c); }
  [[nodiscard]] static __device__ double multiply_add(double a, double b, double c) { return fma(a, b, c); }
  [[nodiscard]] static __device__ float entry(float sum) { return exp2f(-sum); }
  [[nodiscard]] static __device__ double entry(double sum) { return exp(-sum); }

  const E* gaps_;  // [n - 1]
  std::uint32_t n_;
};

/// d(f) / d(x_j) from the column sum and the moment of D = d(f) / d(L), whose rows sum to 0: neural_gradient
/// of detail/band/neural_band.hpp. Scores equal to x_j are at [begin, end); above, below: the sums of the
/// columns before these and behind.
[[nodiscard]] __device__ inline double neural_slope(std::uint32_t j, std::uint32_t begin, std::uint32_t end,
                                                    double sum, double moment, double above, double below,
                                                    double temperature) {
  const double offset =
      static_cast<double>(begin) + static_cast<double>(end) - 1.0 - 2.0 * static_cast<double>(j);
  return (sum * offset - 2.0 * moment + above - below) / temperature;
}

/// Calls emit(j, d(f) / d(x_j)) for every position. `prefix` is scratch.
template <class Team, class Emit>
__device__ inline void neural_gradient(const Team& team, const falling_runs& scores, std::uint32_t n,
                                       double temperature, const double* sums, const double* moments,
                                       double* prefix, Emit emit) {
  team.sync();
  const double total = scan_items(
      team, n, 0.0, [&](std::uint32_t j) { return sums[j]; }, [](double a, double b) { return a + b; },
      [&](std::uint32_t j, double up_to) { prefix[j] = up_to; });
  team.sync();
  const auto before = [&](std::uint32_t end) { return end > 0 ? prefix[end - 1] : 0.0; };
  for (std::uint32_t j = team.rank(); j < n; j += team.size()) {
    const std::uint32_t begin = scores.begin(j), end = scores.end(j);
    emit(j,
         neural_slope(j, begin, end, sums[j], moments[j], before(begin), total - before(end), temperature));
  }
}

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
