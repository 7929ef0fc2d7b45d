// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/pieces.hpp>
#include <rankloss/detail/sigmoid/decay_rows.hpp>
#include <rankloss/detail/simd/scan_both_ways.hpp>
#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/ranks/laplace_ranks.hpp>
#include <rankloss/workspace.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {

/// Sums over the items above and below are two scans of the sorted scores, which meet at each item.
template <class T>
class laplace_ranks::result {
  using Arch = xsimd::default_arch;  // of this translation unit, as the inline namespace says

 public:
  result(const laplace_ranks& how, const strided<const T>& scores, workspace& scratch)
      : scratch_(scratch),
        values_(scratch.take<double>(scores.size())),
        scale_(1.0 / how.temperature),
        slope_((how.direction == sort_direction::descending ? 0.5 : -0.5) / how.temperature),
        sorted_(detail::sort_list<T>(scores, scratch)),
        decay_(scratch.take<double>(scores.size() + 1)) {
    const std::size_t n = scores.size();
    const double sign = how.direction == sort_direction::descending ? 1.0 : -1.0;
    const double first =
        how.direction == sort_direction::descending ? how.base : how.base + static_cast<double>(n) - 1.0;
    detail::scan_list<double>(
        n, from_above(), from_below(), scratch,
        [this](detail::item_range items) {
          detail::fill_neighbour_decays<Arch, T>(sorted_.x, items, scale_, 1.0, decay_);
        },
        [=, values = values_, order = sorted_.order](std::size_t i, double above, double below) {
          values[order[i]] = first + sign * (static_cast<double>(i) + 0.5 * (below - above));
        });
  }

  [[nodiscard]] std::span<const double> values() const noexcept { return values_; }

  void pullback(std::span<const double> cotangent, std::span<double> gradient) const {
    const std::size_t n = sorted_.x.size();
    const workspace::scope scope(scratch_);
    const std::span<const std::uint32_t> order = sorted_.order;
    const std::span<double> c = scratch_.take<double>(n);
    const auto gather = [=](detail::item_range items) {
      for (std::size_t i = items.begin; i < items.end; ++i) c[i] = cotangent[order[i]];
    };
    detail::scan_list<double>(n, differences{from_above(), c.data()}, differences{from_below(), c.data()},
                              scratch_, gather,
                              [=, slope = slope_](std::size_t i, double above, double below) {
                                gradient[order[i]] = slope * (above + below);
                              });
  }
  void push(std::span<const double> tangent, std::span<double> change) const {
    pullback(tangent, change);
  }  // the Jacobian is symmetric

 private:
  /// sum_j e^-|x_j - x_i| over the items above or below, computed from the sum of the neighbour. `decay` is
  /// the exponential of the gap between the two, and 0 where there is no neighbour.
  struct others {
    const double* decay;
    const T* x;
    double scale;
    double sum = 0.0;

    [[gnu::always_inline]] double step(std::size_t i) noexcept { return sum = decay[i] * sum + decay[i]; }
    void begin_at(std::size_t) noexcept { sum = 0.0; }
    void join(const others& before, std::size_t from, std::size_t to) noexcept {
      sum += decay_between(from, to) * (before.sum + 1.0);
    }
    [[nodiscard]] double decay_between(std::size_t i, std::size_t j) const noexcept {
      return std::exp(-scale * std::abs(static_cast<double>(x[i]) - static_cast<double>(x[j])));
    }
  };
  /// sum_j (c_j - c_i) e^-|x_j - x_i|, in the same way.
  struct differences {
    others counted;
    const double* c;
    double sum = 0.0;
    double neighbour = 0.0;

    [[gnu::always_inline]] double step(std::size_t i) noexcept {
      sum = counted.decay[i] * sum + (neighbour - c[i]) * counted.step(i);
      neighbour = c[i];
      return sum;
    }
    void begin_at(std::size_t i) noexcept {
      counted.begin_at(i);
      sum = 0.0;
      neighbour = c[i];
    }
    void join(const differences& before, std::size_t from, std::size_t to) noexcept {
      const double apart = c[from] - c[to];
      sum += counted.decay_between(from, to) * (before.sum + apart * (before.counted.sum + 1.0));
      counted.join(before.counted, from, to);
    }
  };

  [[nodiscard]] others from_above() const noexcept { return {decay_.data(), sorted_.x.data(), scale_}; }
  [[nodiscard]] others from_below() const noexcept { return {decay_.data() + 1, sorted_.x.data(), scale_}; }

  workspace& scratch_;
  std::span<double> values_;
  double scale_, slope_;
  detail::sorted_list<T> sorted_;
  std::span<double> decay_;  // [n + 1]
};

}  // namespace rankloss::inline RANKLOSS_ABI
