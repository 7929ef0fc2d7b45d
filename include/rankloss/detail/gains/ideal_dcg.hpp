// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/data/counted_by.hpp>
#include <rankloss/detail/sorting/value_runs.hpp>
#include <rankloss/gain.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The discount of a rank, counted from 1. Those of the first ranks are computed once in a program.
[[nodiscard]] inline double discount_at(std::size_t rank) noexcept {
  constexpr std::size_t kept = 1024;
  const auto compute = [](std::size_t r) { return 1.0 / std::log2(1.0 + static_cast<double>(r)); };
  static const std::array<double, kept> first = [&] {
    std::array<double, kept> discounts{};
    for (std::size_t r = 1; r < kept; ++r) discounts[r] = compute(r);
    return discounts;
  }();
  return rank < kept ? first[rank] : compute(rank);
}

/// The discounts of one list for ideal_dcg, multiplied and added item by item. A metric uses them because its
/// DCG is summed in this way: the NDCG of an ideal order is then exactly 1.
struct single_discounts {
  /// sum plus gain times the discounts of the ranks [begin, end), counted from 0.
  [[nodiscard]] double add(double sum, double gain, std::size_t begin, std::size_t end) const noexcept {
    for (std::size_t at = begin; at < end; ++at) sum += rounded_product(gain, discount_at(at + 1));
    return sum;
  }
  /// sum plus gain times the discount of one rank, `count` times.
  [[nodiscard]] double add_at(double sum, double gain, std::size_t at, std::size_t count) const noexcept {
    const double term = rounded_product(gain, discount_at(at + 1));
    for (std::size_t i = 0; i < count; ++i) sum += term;
    return sum;
  }
};

/// Sums the ideal DCG from runs of equal gains, the greatest first.
/// @param last  how many of the first ranks count
template <class Discounts>
class ideal_sum {
 public:
  ideal_sum(ideal kind, std::size_t last) : kind_(kind), last_(last) {}

  /// The next run, which has the ranks [begin, end), counted from 0.
  void add(double gain, std::size_t begin, std::size_t end) noexcept {
    if (gain == 0.0 || begin >= last_) return;
    if (kind_ == ideal::competition_ranks)
      sum_ = discounts_.add_at(sum_, gain, begin, end - begin);
    else
      sum_ = discounts_.add(sum_, gain, begin, std::min(end, last_));
  }
  [[nodiscard]] double value() const noexcept { return sum_; }

 private:
  ideal kind_;
  std::size_t last_;
  Discounts discounts_;
  double sum_ = 0.0;
};

/// The largest DCG that the gains of one list allow at a cutoff; 0 means no cutoff. Discounts is
/// single_discounts for metrics and lane_discounts for engines, which also know lists of few different gains; ideal_dcg_of_group is the same for lists in
/// lanes.
template <class Discounts, class T>
[[nodiscard]] double ideal_dcg(ideal kind, std::size_t cutoff, std::span<const T> gains, workspace& scratch) {
  ideal_sum<Discounts> sum(kind, counted_by(cutoff, gains.size()));
  if constexpr (requires { typename Discounts::template few_values<T>; }) {
    if (gains.size() > tuning::longest_short_sort) {
      if (const typename Discounts::template few_values<T> few(gains); few.apply()) {
        for (std::size_t k = 0, begin = 0; k < few.size(); begin += few.count(k), ++k)
          sum.add(static_cast<double>(few.value(k)), begin, begin + few.count(k));
        return sum.value();
      }
    }
  }
  runs_of_equals(gains, scratch,
                 [&](double gain, std::size_t begin, std::size_t end) { sum.add(gain, begin, end); });
  return sum.value();
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
