// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/gains/gain_unit.hpp>
#include <rankloss/gain.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// The gains of a list, as fill_gains computes them on the CPU, without item weights. A table lies in the
/// memory of the host: kernels get a copy of it in their arguments.
struct gain_values {
  static constexpr std::size_t most_entries = 64;

  gain kind;
  std::uint32_t entries;
  double table[most_entries];

  /// @throws std::invalid_argument when the table has more than `most_entries`.
  [[nodiscard]] static gain_values of(gain kind, std::span<const double> table) {
    rankloss::detail::require(table.size() <= most_entries, "gain_table: size ", table.size(), ", expected at most ",
                              most_entries, " in a kernel");
    gain_values gains{kind, static_cast<std::uint32_t>(table.size()), {}};
    for (std::size_t k = 0; k < table.size(); ++k) gains.table[k] = table[k];
    return gains;
  }

  [[nodiscard]] __device__ bool takes(double y) const { return rankloss::detail::takes_gain(kind, y); }
  /// Whether an item of this relevance has a gain above 0.
  [[nodiscard]] __device__ bool counts(double y) const { return (kind == gain::table ? worth(y) : y) > 0.0; }

  /// How the gains of one list are scaled; see unit_of_gains.
  struct scaling {
    double unit, largest;
  };
  template <class Team, class T, class R>
  [[nodiscard]] __device__ scaling scaling_of(const Team& team, const device_list<T, R>& items) const {
    double largest = kind == gain::table ? 0.0 : lowest_number<double>;
    for (std::uint32_t i = team.rank(); i < items.size(); i += team.size()) {
      const auto y = static_cast<double>(items.relevance(i));
      largest = fmax(largest, kind == gain::table ? worth(y) : y);
    }
    largest = max(team, largest);
    const bool near = kind == gain::exponential && largest >= 1e-30;
    return {near ? 1.0 : rankloss::detail::gain_unit(largest), largest};
  }
  [[nodiscard]] __device__ double at(const scaling& by, double y) const {
    constexpr double ln2 = 0.69314718055994530942;
    if (kind == gain::table) return by.unit * worth(y);
    y = fmax(y, 0.0);
    if (kind == gain::linear) return by.unit * y;
    if (by.largest < 1e-30) return ln2 * (by.unit * y);  // 2^y - 1 up to rounding
    // Beyond 2^100 the "- 1" is below the rounding error.
    if (by.largest > 100.0) return exp2(fmax(y - by.largest, -1000.0));
    return y < 0.5 ? expm1(ln2 * y) : exp2(y) - 1.0;
  }

 private:
  [[nodiscard]] __device__ double worth(double y) const {
    return y >= 0.0 && y < static_cast<double>(entries) ? table[static_cast<std::uint32_t>(y)] : 0.0;
  }
};

/// The discount of the item at a position, counted from 0; 0 from position `cutoff` on, if that is not 0.
[[nodiscard]] __device__ inline double discount_of(std::uint32_t position, std::size_t cutoff) {
  return cutoff == 0 || position < cutoff ? 1.0 / log2(2.0 + static_cast<double>(position)) : 0.0;
}

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
