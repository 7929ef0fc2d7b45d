// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/exponential_scan.cuh>
#include <rankloss/cuda/detail/laplace_scan.cuh>
#include <rankloss/cuda/detail/near_numbers.cuh>
#include <rankloss/cuda/detail/score_runs.cuh>
#include <rankloss/cuda/detail/sigmoid_sums.cuh>
#include <rankloss/cuda/detail/sort_list.cuh>
#include <rankloss/cuda/detail/team.cuh>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// soft_sort of one list of floats by distances, by scans in state_number<float>. Nothing is emitted, and the
/// answer is false, where the largest number that is asked for is small beside those that it is a sum of:
/// then it may lack digits.
class soft_sort_floats {
  using N = state_number<float>;
  template <std::size_t K>
  using numbers = typename decayed_sums<K, N>::numbers;

 public:
  static constexpr std::size_t item_bytes = 9 * sizeof(N);

  template <class Team>
  __device__ soft_sort_floats(const Team& team, const runs_of<float>& scores, std::uint32_t n,
                              double temperature, team_scratch scratch)
      : scores_(scores),
        n_(n),
        decay_(scratch.take<N>(n)),
        values_(scratch.take<N>(n)),
        weights_(scratch.take<numbers<2>>(n)),
        rows_(scratch.take<N>(n)),
        above_(scratch.take<numbers<2>>(n)),
        below_(scratch.take<numbers<2>>(n)) {
    const auto between = score_decay<N>::of(temperature);
    for_own(team,
            [&](std::uint32_t p) { decay_[p] = p > 0 ? between(scores.keys[p - 1], scores.keys[p]) : N{}; });
    team.sync();
  }

  /// Calls emit(p, x) for each row.
  template <class Team, class X, class Emit>
  [[nodiscard]] __device__ bool apply(const Team& team, const X* v, Emit emit) const {
    const auto range = float_range::of(team, n_, v);
    if (!float_range::hold(range.span())) return false;
    fill_values(team, v, range.centre());
    const N centre = number<N>(range.centre());
    const auto items = [this](std::uint32_t p) { return numbers<2>{{number<N>(1.0), values_[p]}}; };
    float most = 0.0f;
    scan_weights<2, N>(team, n_, down(), items,
                       [&](std::uint32_t p, const numbers<2>& sums) { above_[p] = sums; });
    scan_weights<2, N>(team, n_, up(), items, [&](std::uint32_t p, const numbers<2>& sums) {
      const N mean = quotient(values_[p] + (above_[p].of[1] + sums.of[1]), mass_at(p, sums.of[0]));
      rows_[p] = centre + mean;
      most = fmaxf(most, size_of(rows_[p]));
    });
    if (!(greatest(team, most) >= 0x1p-11f * range.span())) return false;
    for_own(team, [&](std::uint32_t p) { emit(p, as_double(rows_[p])); });
    return true;
  }
  /// Calls emit(i, x) for each item.
  template <class Team, class X, class Emit>
  [[nodiscard]] __device__ bool apply_transposed(const Team& team, const X* v, Emit emit) const {
    const float largest = float_range::of(team, n_, v).largest();
    if (!float_range::hold(largest)) return false;
    const auto one = [](std::uint32_t) { return numbers<1>{{number<N>(1.0)}}; };
    const auto weight = [this](std::uint32_t p) { return numbers<1>{{values_[p]}}; };
    const auto keep = [this](std::uint32_t p, const numbers<1>& sums) { above_[p].of[0] = sums.of[0]; };
    float most = 0.0f;
    scan_weights<1, N>(team, n_, down(), one, keep);
    scan_weights<1, N>(team, n_, up(), one, [&](std::uint32_t p, const numbers<1>& sums) {
      values_[p] = quotient(number<N>(static_cast<float>(v[p])), mass_at(p, sums.of[0]));
    });
    scan_weights<1, N>(team, n_, down(), weight, keep);
    scan_weights<1, N>(team, n_, up(), weight, [&](std::uint32_t p, const numbers<1>& sums) {
      rows_[p] = values_[p] + (above_[p].of[0] + sums.of[0]);
      most = fmaxf(most, size_of(rows_[p]));
    });
    if (!(greatest(team, most) >= 0x1p-11f * largest)) return false;
    for_own(team, [&](std::uint32_t p) { emit(scores_.order[p], as_double(rows_[p])); });
    return true;
  }
  /// Calls emit(i, x) for each item.
  /// @param scale  1 / temperature
  template <class Team, class X, class Emit>
  [[nodiscard]] __device__ bool pull(const Team& team, const X* v, const X* c, double scale,
                                     Emit emit) const {
    const auto range = float_range::of(team, n_, v);
    const float largest = float_range::of(team, n_, c).largest();
    if (!float_range::hold(range.span()) || !(largest >= 1e-30f && largest <= 1e30f)) return false;
    const float unit = ldexpf(1.0f, -ilogbf(largest));  // of cotangents, so that products hold their digits
    fill_values(team, v, range.centre());
    const auto items = [this](std::uint32_t p) { return numbers<2>{{number<N>(1.0), values_[p]}}; };
    float mass = 0.0f, most = 0.0f;
    for_sums(team, items, [&](std::uint32_t p, const numbers<2>& sided) {
      const N beside = above_[p].of[0] + below_[p].of[0];
      const N inverse_mass = inverse(number<N>(1.0) + beside);
      const N mean = (values_[p] + (above_[p].of[1] + below_[p].of[1])) * inverse_mass;
      const N weight = number<N>(static_cast<float>(c[p]) * unit) * inverse_mass;
      weights_[p] = {{weight, weight * mean}};
      rows_[p] = weight * (sided.of[1] - mean * sided.of[0]);
      mass = fmaxf(mass, size_of(beside));
    });
    for_sums(
        team, [this](std::uint32_t p) { return weights_[p]; },
        [&](std::uint32_t p, const numbers<2>& sided) {
          rows_[p] = (sided.of[1] - values_[p] * sided.of[0]) - rows_[p];
          most = fmaxf(most, size_of(rows_[p]));
        });
    // A column of the kernel, divided by the sums of rows, is at most some ones, and little where rows are
    // so.
    mass = fminf(greatest(team, mass), 1.0f);
    const float size = unit * largest * range.span();
    if (!(greatest(team, most) >= size * fmaxf(0x1p-11f * mass, 0x1p-50f))) return false;
    const double slope = scale / static_cast<double>(unit);
    for_own(team, [&](std::uint32_t p) { emit(scores_.order[p], slope * as_double(rows_[p])); });
    return true;
  }

 private:
  template <class Team, class Body>
  __device__ void for_own(const Team& team, Body body) const {
    for (std::uint32_t p = team.rank(); p < n_; p += team.size()) body(p);
  }
  [[nodiscard]] static __device__ float size_of(const N& x) { return fabsf(static_cast<float>(leading(x))); }
  [[nodiscard]] static __device__ double as_double(const N& x) { return static_cast<double>(rounded(x)); }
  [[nodiscard]] static __device__ N quotient(const N& x, const N& y) { return x * inverse(y); }

  template <class Team, class X>
  __device__ void fill_values(const Team& team, const X* v, float centre) const {
    const N middle = number<N>(centre);
    for_own(team, [&](std::uint32_t p) {
      values_[p] = number<N>(static_cast<float>(v[scores_.order[p]])) - middle;
    });
    team.sync();
  }
  /// The sum of a row, from that below its own item.
  [[nodiscard]] __device__ N mass_at(std::uint32_t p, const N& below) const {
    return number<N>(1.0) + (above_[p].of[0] + below);
  }
  /// Fills above_ and below_, and calls meet(p, sums below less those above) for each position. Equal scores
  /// are on neither side: the sums are those at the ends of their run.
  template <class Team, class Weights, class Meet>
  __device__ void for_sums(const Team& team, Weights weights, Meet meet) const {
    scan_weights<2, N>(team, n_, down(), weights,
                       [&](std::uint32_t p, const numbers<2>& sums) { above_[p] = sums; });
    scan_weights<2, N>(team, n_, up(), weights,
                       [&](std::uint32_t p, const numbers<2>& sums) { below_[p] = sums; });
    for_own(team, [&](std::uint32_t p) {
      const numbers<2>&upper = above_[scores_.begin(p)], &lower = below_[scores_.end(p) - 1];
      meet(p, numbers<2>{{lower.of[0] - upper.of[0], lower.of[1] - upper.of[1]}});
    });
    team.sync();
  }
  [[nodiscard]] __device__ downwards<N> down() const { return {decay_}; }
  [[nodiscard]] __device__ upwards<N> up() const { return {n_, decay_}; }

  const runs_of<float>& scores_;
  std::uint32_t n_;
  N* decay_;             // to a position from the one before
  N* values_;            // by position, less their centre
  numbers<2>* weights_;  // of rows, and times their values
  N* rows_;              // what rows give, or what is asked for
  numbers<2>*above_, *below_;
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
