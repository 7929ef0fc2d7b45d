// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/near_numbers.cuh>
#include <rankloss/cuda/detail/score_runs.cuh>
#include <rankloss/cuda/detail/team.cuh>

#include <cstdint>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// A sum of products with numbers of type N, double or two_floats. That of two floats is exact to some 2^-44
/// of the largest of its products.
template <class N>
class band_sum;
template <>
class band_sum<double> {
 public:
  __device__ explicit band_sum(double first) : sum_(first) {}

  template <class E>
  __device__ void add(E e, double x) {
    sum_ = fma(static_cast<double>(e), x, sum_);
  }
  [[nodiscard]] __device__ double number() const { return sum_; }

 private:
  double sum_;
};
template <>
class band_sum<two_floats> {
 public:
  __device__ explicit band_sum(const two_floats& first) : high_(first.high), low_(first.low) {}

  __device__ void add(float e, float x) {
    // What the rounding of the sum takes, from the product itself.
    const float sum = fmaf(e, x, high_), grown = sum - high_;
    low_ += (high_ - (sum - grown)) + fmaf(e, x, -grown);
    high_ = sum;
  }
  __device__ void add(float e, const two_floats& x) {
    low_ = fmaf(e, x.low, low_);
    add(e, x.high);
  }
  [[nodiscard]] __device__ two_floats number() const {
    const float sum = high_ + low_;
    return {sum, low_ - (sum - high_)};
  }

 private:
  float high_, low_;
};

/// A sum of products in lanes of S, to the rounding errors of S. They come in chunks.
template <class S>
class chunked_sum;
template <>
class chunked_sum<double> {
 public:
  template <class E>
  __device__ void add(double x, E y) {
    sum_ = fma(x, static_cast<double>(y), sum_);
  }
  __device__ void fold() {}
  [[nodiscard]] __device__ double number() const { return sum_; }

 private:
  double sum_ = 0.0;
};
template <>
class chunked_sum<float> {
 public:
  __device__ void add(float x, float y) { chunk_ = fmaf(x, y, chunk_); }
  /// Ends a chunk.
  __device__ void fold() {
    sum_.add(chunk_);
    chunk_ = 0.0f;
  }
  [[nodiscard]] __device__ two_floats number() const { return sum_.number(); }

 private:
  long_sum<float> sum_;
  float chunk_ = 0.0f;
};

/// NeuralSort in sorted coordinates, as detail/band/neural_band.hpp has it: rows and columns of
///
///     e_ij = exp(L_ij - L_ii),     P_ij = e_ij / sum_k e_ik
///
/// walked from their diagonal entry, which is 1, to where entries are below `reach`. A thread walks a row or a
/// column by itself, and entries are computed where they are needed. So sums have one order, whatever the
/// team.
///
/// Entries are of type E, that of the scores. Floats reach further here than on the CPU, since the small
/// entries are what is left of the derivative where scores are far apart.
template <class E>
class neural_band {
 public:
  /// Entries below exp(-reach) are dropped, but for some behind the first one.
  static constexpr double reach = sizeof(E) == sizeof(float) ? 30.0 : 39.0;

  /// @param scores  [n] sorted, falling
  /// @param gaps    [n] scratch
  template <class Team, class X>
  __device__ neural_band(const Team& team, const X* scores, std::uint32_t n, double temperature, E* gaps)
      : neural_band(gaps, n) {
    const double scale = 1.0 / temperature;
    for (std::uint32_t i = team.rank(); i + 1 < n; i += team.size())
      gaps[i] = gap(static_cast<double>(scores[i]), static_cast<double>(scores[i + 1]), scale);
    team.sync();
  }
  /// gaps[i]: that from position i to the next one, as another one has left it.
  __device__ neural_band(const E* gaps, std::uint32_t n) : gaps_(gaps), n_(static_cast<std::int32_t>(n)) {}

  /// What the logits lose by it.
  [[nodiscard]] static __device__ E gap(double upper, double lower, double scale) {
    constexpr double beyond = sizeof(E) == sizeof(float) ? 1e30 : 1e100;  // a gap that no band reaches across
    return static_cast<E>(fmax((upper - lower) * (scale * -unit), -beyond));
  }

  [[nodiscard]] __device__ std::uint32_t size() const { return static_cast<std::uint32_t>(n_); }

  /// Calls body(j, e_ij) for the entries of row i but the diagonal, and fold() behind each chunk of them.
  template <class Body, class Fold>
  __device__ void walk_row(std::int32_t i, Body body, Fold fold) const {
    const auto walk_side = [&](auto side) {
      E logit{0};
      walk<decltype(side)::value>(
          i, E{1}, E{2}, [&](E gap, E factor) { return logit = multiply_add(gap, factor, logit); },
          [&](std::int32_t j, E) { body(j, entry(logit)); }, fold);
    };
    walk_side(behind{});
    walk_side(before{});
  }
  /// Calls body(i, i - j, e_ij) for the entries of column j but the diagonal, and fold(). With each row
  /// further away the weights of all gaps so far grow by 2, and the new gap has weight 1.
  template <class Body, class Fold>
  __device__ void walk_column(std::int32_t j, Body body, Fold fold) const {
    const auto walk_side = [&](auto side) {
      constexpr std::int32_t away = decltype(side)::value;
      E logit{0}, fallen{0};
      walk<away>(
          j, E{away}, E{away},
          [&](E gap, E) {
            logit += multiply_add(E{2}, fallen, gap);
            fallen += gap;
            return logit;
          },
          [&](std::int32_t i, E apart) { body(i, apart, entry(logit)); }, fold);
    };
    walk_side(behind{});
    walk_side(before{});
  }

  /// first + sum_j e_ij value(j) over the row without the diagonal.
  template <class N, class Value>
  [[nodiscard]] __device__ N row_sum(std::int32_t i, const N& first, Value value) const {
    band_sum<N> sum(first);
    walk_row(
        i, [&](std::int32_t j, E e) { sum.add(e, value(j)); }, [] {});
    return sum.number();
  }
  /// first + sum_i e_ij value(i) over the column without the diagonal.
  template <class N, class Value>
  [[nodiscard]] __device__ N column_sum(std::int32_t j, const N& first, Value value) const {
    band_sum<N> sum(first);
    walk_column(
        j, [&](std::int32_t i, E, E e) { sum.add(e, value(i)); }, [] {});
    return sum.number();
  }
  /// first + sum_i e_ij value(i), and the same times i - j, over the column without the diagonal.
  struct column {
    double sum, moment;
  };
  template <class N, class Value>
  [[nodiscard]] __device__ column column_moments(std::int32_t j, const N& first, Value value) const {
    band_sum<N> sum(first), moment(number<N>(0.0f));
    walk_column(
        j,
        [&](std::int32_t i, E apart, E e) {
          const N x = product(e, value(i));
          sum.add(E{1}, x);
          moment.add(apart, x);
        },
        [] {});
    return {exact_value(sum.number()), exact_value(moment.number())};
  }

  // Of the softmax alone, to the rounding errors of E.

  /// 1 / sum_j e_ij
  [[nodiscard]] __device__ E share(std::uint32_t i) const {
    chunked_sum<E> sum;
    walk_row(
        static_cast<std::int32_t>(i), [&](std::int32_t, E e) { sum.add(e, E{1}); }, [&] { sum.fold(); });
    return inverse(total(number<exact_number<E>>(E{1}), sum.number()));
  }
  /// column_moments of these shares.
  [[nodiscard]] __device__ column moments_of_shares(std::uint32_t j, const E* shares) const {
    chunked_sum<E> sum, moment;
    walk_column(
        static_cast<std::int32_t>(j),
        [&](std::int32_t i, E apart, E e) {
          const E x = e * shares[i];
          sum.add(x, E{1});
          moment.add(x, apart);
        },
        [&] {
          sum.fold();
          moment.fold();
        });
    return {exact_value(number<exact_number<E>>(shares[j]) + sum.number()), exact_value(moment.number())};
  }

 private:
  // Logits of floats are in units of ln 2, as a device has an instruction for 2^x.
  static constexpr double unit = sizeof(E) == sizeof(float) ? 1.4426950408889634 : 1.0;
  static constexpr E bound = static_cast<E>(-reach * unit);
  /// Entries that are computed before it is asked whether they are within reach.
  static constexpr std::int32_t chunk = sizeof(E) == sizeof(float) ? 4 : 1;

  using behind = std::integral_constant<std::int32_t, 1>;
  using before = std::integral_constant<std::int32_t, -1>;

  /// Walks from the diagonal entry at k to one side, 1 or -1: calls reach_next(gap, number), which returns
  /// the logit of the next entry, and body(index, number) for it; the numbers are first, first + step, ...
  template <std::int32_t side, class Next, class Body, class Fold>
  __device__ void walk(std::int32_t k, E first, E step, Next reach_next, Body body, Fold fold) const {
    const std::int32_t most = side > 0 ? n_ - 1 - k : k;
    const E* gaps = gaps_ + (side > 0 ? k : k - 1);
    E logit{0}, number = first;
    std::int32_t at = k + side, left = most;
    for (; left >= chunk;
         left -= chunk, at += side * chunk, gaps += side * chunk, number += E{chunk} * step) {
#pragma unroll
      for (std::int32_t m = 0; m < chunk; ++m) {
        const E own = number + static_cast<E>(m) * step;
        logit = reach_next(gaps[side * m], own);
        body(at + side * m, own);
      }
      fold();
      if (logit < bound) return;
    }
    if constexpr (chunk > 1) {  // what is left at the end of the list
      for (; left > 0; --left, at += side, gaps += side, number += step) {
        logit = reach_next(*gaps, number);
        if (logit < bound) break;
        body(at, number);
      }
      fold();
    }
  }

  [[nodiscard]] static __device__ float entry(float logit) { return exp2f(logit); }
  [[nodiscard]] static __device__ double entry(double logit) { return exp(logit); }

  const E* gaps_;  // [n - 1]
  std::int32_t n_;
};

/// d(f) / d(x_j) from the column sum and the moment of D = d(f) / d(L), whose rows sum to 0: neural_gradient
/// of detail/band/neural_band.hpp. Scores equal to x_j are at [begin, end); above, below: the sums of the
/// columns before these and behind.
[[nodiscard]] __device__ inline double neural_slope(std::uint32_t j, std::uint32_t begin, std::uint32_t end,
                                                    double sum, double moment, double above, double below,
                                                    double temperature) {
  const double offset = static_cast<double>(static_cast<std::int32_t>(begin + end - 1 - 2 * j));
  return (sum * offset - 2.0 * moment + above - below) / temperature;
}

/// Calls emit(j, d(f) / d(x_j)) for every position. `prefix` is scratch.
template <class Team, class X, class Emit>
__device__ inline void neural_gradient(const Team& team, const runs_of<X>& scores, std::uint32_t n,
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
