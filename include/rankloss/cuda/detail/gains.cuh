// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/float_functions.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>
#include <rankloss/gain.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// Grades of a table of gains that a kernel is given, at most.
inline constexpr std::size_t most_grades = 64;

/// 2^x - 1, exact for small whole x.
[[nodiscard]] __device__ inline float exp2_minus_1(float x) {
  return x < 0.5f ? expm1f(x * 0.693147181f) : exp2f(x) - 1.0f;
}
[[nodiscard]] __device__ inline double exp2_minus_1(double x) {
  return x < 0.5 ? expm1(x * 0.6931471805599453) : exp2(x) - 1.0;
}

/// The options of a loss that say what relevance is worth, and the gains of a list. A table is copied, as the
/// host's memory is not the device's.
struct gain_options {
  rankloss::gain kind;
  rankloss::ideal how;
  std::size_t cutoff;
  std::size_t grades;
  double table[most_grades];

  [[nodiscard]] static gain_options of(gain kind, std::span<const double> table, ideal how,
                                       std::size_t cutoff) {
    rankloss::detail::require(table.size() <= most_grades, "gain_table: size ", table.size(),
                              ", expected at most ", most_grades, " grades on a device");
    gain_options made{kind, how, cutoff, table.size(), {}};
    for (std::size_t y = 0; y < table.size(); ++y) made.table[y] = table[y];
    return made;
  }
  /// Gains that are the relevance itself.
  [[nodiscard]] static __device__ gain_options linear() { return {gain::linear, ideal::sorted, 0, 0, {}}; }

  [[nodiscard]] __device__ double worth(double y) const {
    return y >= 0.0 && y < static_cast<double>(grades) ? table[static_cast<std::size_t>(y)] : 0.0;
  }
  /// Whether an item of this relevance is relevant.
  [[nodiscard]] __device__ bool counts(double y) const {
    return kind == gain::table ? worth(y) > 0.0 : y > 0.0;
  }

  /// What the gains of a list depend on besides each item: the greatest of its numbers that relevance stands
  /// for, and the heaviest weight.
  struct greatest_numbers {
    double largest, heaviest;

    /// With those of an item.
    template <class T, class R>
    __device__ void add(const gain_options& gains, const device_list<T, R>& items, std::uint32_t i) {
      if (items.weighted() && !(items.weight(i) > 0.0)) return;
      largest = fmax(largest, gains.number_of(items, i));
      if (items.weighted() && gains.number_of(items, i) > 0.0) heaviest = fmax(heaviest, items.weight(i));
    }
    [[nodiscard]] __device__ greatest_numbers with(const greatest_numbers& other) const {
      return {fmax(largest, other.largest), fmax(heaviest, other.heaviest)};
    }
    /// The unit of the weights of items whose number is above 0.
    [[nodiscard]] __device__ double weight_unit(bool weighted) const {
      return unit_of(weighted ? heaviest : 1.0);
    }
    template <class Team>
    [[nodiscard]] __device__ greatest_numbers of_all(const Team& team) const {
      return {greatest(team, largest), greatest(team, heaviest)};
    }
  };
  /// Gains are scaled by one factor for the whole list where they would overflow or lose precision.
  struct units {
    double largest, unit, weight_unit;

    [[nodiscard]] static __device__ units of(const greatest_numbers& most, bool weighted) {
      units made{most.largest, 1.0, 1.0};
      if (most.largest > 0.0 && !(most.largest >= 1e-30 && most.largest <= 1e30))
        made.unit = unit_of(most.largest);
      if (weighted && (most.heaviest > 1e3 || most.heaviest < 1e-3))
        made.weight_unit = unit_of(most.heaviest);
      return made;
    }
  };

  /// The gain of an item times its weight, as detail/gains/fill_gains.hpp has it.
  template <class G, class T, class R>
  [[nodiscard]] __device__ G gain_of(const device_list<T, R>& items, std::uint32_t i, const units& by) const {
    const double y = number_of(items, i);
    G g;
    if (kind != gain::exponential)
      g = static_cast<G>(by.unit * fmax(y, 0.0));
    else if (by.largest > 0.0 && by.largest < 1e-30)  // 2^y - 1 is y ln 2 up to rounding
      g = static_cast<G>(0.6931471805599453 * (by.unit * fmax(y, 0.0)));
    else if (by.largest > 100.0) {
      // 2^(y - largest) (1 - 2^-y), so that the least gain keeps its digits beside the greatest one.
      const double held = fmin(fmax(y, 0.0), by.largest);
      g = exp2(static_cast<G>(fmax(held - by.largest, -1000.0))) *
          -exp2_minus_1(static_cast<G>(-fmin(held, 1000.0)));
    } else
      g = exp2_minus_1(static_cast<G>(fmax(y, 0.0)));
    // Not 0 times a weight that is too heavy, nor a gain that is too great times 0.
    if (items.weighted()) {
      const double weight = items.weight(i);
      g = g > G{0} && weight > 0.0 ? static_cast<G>(static_cast<double>(g) * (by.weight_unit * weight))
                                   : G{0};
    }
    return g;
  }

  /// The gains of one list.
  template <class Team, class T, class R, class G>
  __device__ void fill(const Team& team, const device_list<T, R>& items, G* gains) const {
    greatest_numbers most{0.0, 0.0};
    for (std::uint32_t i = team.rank(); i < items.size(); i += team.size()) most.add(*this, items, i);
    const units by = units::of(most.of_all(team), items.weighted());
    for (std::uint32_t i = team.rank(); i < items.size(); i += team.size())
      gains[i] = gain_of<G>(items, i, by);
    team.sync();
  }

  /// The largest DCG that the gains allow, by their ranks: each gain is compared with each other one.
  template <class Team, class T>
  [[nodiscard]] __device__ double ideal_dcg(const Team& team, const T* gains, std::uint32_t n) const {
    double sum = 0.0;
    for (std::uint32_t i = team.rank(); i < n; i += team.size()) {
      const T own = gains[i];
      if (own == T{0}) continue;
      std::uint32_t before = 0;
      if (how == ideal::competition_ranks) {
        for (std::uint32_t j = 0; j < n; ++j) before += gains[j] > own ? 1u : 0u;
      } else {
#pragma unroll 4
        for (std::uint32_t j = 0; j < i; ++j) before += gains[j] >= own ? 1u : 0u;
#pragma unroll 4
        for (std::uint32_t j = i + 1; j < n; ++j) before += gains[j] > own ? 1u : 0u;
      }
      sum += ideal_term(own, before, 0);
    }
    return detail::sum(team, sum);
  }

  /// The same of gains that are sorted, falling. `first` is scratch: where the run of equal gains begins.
  template <class Team, class T>
  [[nodiscard]] __device__ double ideal_dcg_of_sorted(const Team& team, const T* gains, std::uint32_t n,
                                                      std::uint32_t* first) const {
    scan_items(
        team, n, std::uint32_t{0},
        [&](std::uint32_t i) { return i > 0 && gains[i] == gains[i - 1] ? std::uint32_t{0} : i; },
        [](std::uint32_t a, std::uint32_t b) { return a < b ? b : a; },
        [&](std::uint32_t i, std::uint32_t begin) { first[i] = begin; });
    double sum = 0.0;
    for (std::uint32_t i = team.rank(); i < n; i += team.size())
      sum += ideal_term(gains[i], first[i], i - first[i]);
    return detail::sum(team, sum);
  }

  /// What a gain adds to the ideal DCG of which so many are greater, and so many equal and before it.
  template <class T>
  [[nodiscard]] __device__ double ideal_term(T g, std::uint32_t greater, std::uint32_t equal_before) const {
    const std::uint32_t at = how == ideal::competition_ranks ? greater : greater + equal_before;
    if (cutoff > 0 && at >= cutoff) return 0.0;
    return static_cast<double>(
        quotient(g * static_cast<T>(0.6931471805599453), log_of(static_cast<T>(at) + T{2})));
  }

 private:
  /// The number that relevance stands for: that of the table, or itself.
  template <class T, class R>
  [[nodiscard]] __device__ double number_of(const device_list<T, R>& items, std::uint32_t i) const {
    const auto y = static_cast<double>(items.relevance(i));
    return kind == gain::table ? worth(y) : y;
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
