// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/data/counted_by.hpp>
#include <rankloss/detail/gains/ideal_dcg.hpp>
#include <rankloss/detail/gains/list_gains.hpp>
#include <rankloss/detail/sorting/first_positions.hpp>
#include <rankloss/gain.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The gains of the items of one list for metrics, including missed items, and its ideal DCG. There are three
/// ways, which give the same numbers:
///
/// - grades from 0 to 31 without weights, in whose order gains rise: one gain a grade, and the ideal DCG from
///   a count of the grades;
/// - other relevance of floating point without weights or a table: the ideal DCG from the first positions by
///   relevance, and of a list of which a cutoff keeps a small part only those gains that are asked for;
/// - all else: all gains, and a sort of them.
template <class T, class R>
class item_gains {
 public:
  /// Takes scratch of the caller's scope.
  /// @param cutoff  how many of the first ranks count; 0: all
  /// @param scaled  whether only quotients of DCGs are wanted, as for scale_of_gains
  item_gains(const list<T, R>& items, gain kind, std::span<const double> table, std::size_t cutoff,
             bool scaled, workspace& scratch)
      : relevance_(items.relevance), last_(counted_by(cutoff, items.size_with_missed())) {
    const std::size_t n = items.size_with_missed();
    if (items.weights.empty()) {
      grades_ = scratch.take<std::uint8_t>(n);
      if (read_grades() && rising_by_grade(kind, table, scaled)) return;
      grades_ = {};
    }
    scale_ = scale_of_gains(items, kind, table, scaled);
    rise_ = std::floating_point<R> && items.weights.empty() && kind != gain::table;
    if (rise_ && last_ < n / 4) return;
    gains_ = scratch.take<double>(n);
    weighted_gains(items, scale_, scaled, gains_);
  }

  /// Calls visit(gain_of), where gain_of(i) is the gain of item i.
  template <class Visit>
  decltype(auto) visit(const Visit& visit) const {
    if (!grades_.empty()) return visit([this](std::size_t i) { return by_grade_[grades_[i]]; });
    if (!gains_.empty()) return visit([this](std::size_t i) { return gains_[i]; });
    return visit([this](std::size_t i) { return scale_.of(static_cast<double>(relevance_[i])); });
  }

  [[nodiscard]] double ideal_dcg(ideal kind, workspace& scratch) const {
    ideal_sum<single_discounts> sum(kind, last_);
    if (!grades_.empty()) {
      std::size_t begin = 0;
      for (std::size_t g = levels_; g-- > 0; begin += counts_[g])
        if (counts_[g] > 0) sum.add(by_grade_[g], begin, begin + counts_[g]);
      return sum.value();
    }
    if (!rise_) return detail::ideal_dcg<single_discounts, double>(kind, last_, gains_, scratch);
    if constexpr (std::floating_point<R>) {
      // Different relevance may have equal gains, where both are small; they are one run.
      const workspace::scope scope(scratch);
      first_positions<R> first(relevance_, last_, scratch);
      double held = 0.0;
      std::size_t from = 0;
      std::size_t to = 0;
      first.for_each_run(last_, [&](const score_run<R>& run) {
        const std::size_t i = run.items[0].payload;
        const double own = gains_.empty() ? scale_.of(static_cast<double>(relevance_[i])) : gains_[i];
        if (own != held || to == 0) {
          if (to > from) sum.add(held, from, to);
          held = own;
          from = run.begin;
        }
        to = run.end;
      });
      if (to > from) sum.add(held, from, to);
    }
    return sum.value();
  }

 private:
  static constexpr std::size_t most_grades = 32;

  /// Writes and counts grades; returns whether relevance is that.
  [[nodiscard]] bool read_grades() noexcept {
    const std::size_t n = grades_.size();
    bool whole = true;
    if (relevance_.stride() == 1)
      whole = grades_from([y = relevance_.data()](std::size_t i) { return y[i]; });
    else
      whole = grades_from([this](std::size_t i) { return relevance_[i]; });
    if (!whole) return false;
    // Neighbours of equal grade increment the same count, and each increment waits for the one before it.
    // Therefore they are counted in different tables.
    constexpr std::size_t tables = 4;
    std::array<std::array<std::uint32_t, most_grades>, tables> counts{};
    std::size_t i = 0;
    for (; i + tables <= n; i += tables)
      for (std::size_t t = 0; t < tables; ++t) ++counts[t][grades_[i + t]];
    for (; i < n; ++i) ++counts[0][grades_[i]];
    for (std::size_t g = 0; g < most_grades; ++g)
      counts_[g] = counts[0][g] + counts[1][g] + counts[2][g] + counts[3][g];
    return true;
  }
  /// Numbers of floating point are compared by their bits, which compilers make vectors of, and which is
  /// right for NaN too; data may be unchecked.
  template <class RelevanceOf>
  [[nodiscard]] bool grades_from(const RelevanceOf& relevance_of) noexcept {
    std::uint8_t* const grades = grades_.data();
    const std::size_t n = grades_.size();
    if constexpr (std::floating_point<R>) {
      constexpr auto most = __builtin_bit_cast(bits_of<R>, static_cast<R>(most_grades - 1));
      bits_of<R> odd = 0;
      int any = 0;
      for (std::size_t i = 0; i < n; ++i) {
        const auto y = __builtin_bit_cast(bits_of<R>, relevance_of(i));
        const bits_of<R> held = y < most ? y : most;
        const int grade = static_cast<int>(__builtin_bit_cast(R, held));
        odd |= __builtin_bit_cast(bits_of<R>, static_cast<R>(grade)) ^ y;
        any |= grade;
        grades[i] = static_cast<std::uint8_t>(grade);
      }
      levels_ = std::size_t{1} << std::bit_width(static_cast<unsigned>(any));
      return odd == 0;
    } else {
      unsigned odd = 0;
      for (std::size_t i = 0; i < n; ++i) {
        const R y = relevance_of(i);
        const bool is_grade = y >= R{0} && static_cast<std::uint64_t>(y) < most_grades;
        odd |= is_grade ? 0u : 1u;
        grades[i] = is_grade ? static_cast<std::uint8_t>(y) : std::uint8_t{0};
      }
      levels_ = most_grades;
      return odd == 0;
    }
  }

  /// Computes the gains of the grades that there are; returns whether they rise with the grade.
  [[nodiscard]] bool rising_by_grade(gain kind, std::span<const double> table, bool scaled) noexcept {
    double largest = 0.0;
    for (std::size_t g = 0; g < levels_; ++g)
      if (counts_[g] > 0)
        largest = kind == gain::table ? std::max(largest, worth_in(table, static_cast<double>(g)))
                                      : static_cast<double>(g);
    scale_ = scaled ? scale_of_gains(kind, table, largest) : gain_scale{kind, table};
    if (kind == gain::exponential) {
      // So small a grade has no shift, and a power of two is exact.
      for (std::size_t g = 0; g < levels_; ++g)
        by_grade_[g] = static_cast<double>((std::uint64_t{1} << g) - 1);
      return true;
    }
    double before = -1.0;
    for (std::size_t g = 0; g < levels_; ++g) {
      if (counts_[g] == 0) continue;
      by_grade_[g] = scale_.of(static_cast<double>(g));
      if (!(by_grade_[g] > before)) return false;
      before = by_grade_[g];
    }
    return true;
  }

  strided<const R> relevance_;
  std::size_t last_;   // how many of the first ranks count
  bool rise_ = false;  // whether gains are those of relevance, in whose order they rise
  gain_scale scale_;
  std::span<std::uint8_t> grades_;  // [n], or empty
  std::span<double> gains_;         // [n], or empty
  std::size_t levels_ = 0;          // above all grades
  std::array<double, most_grades> by_grade_;
  std::array<std::uint32_t, most_grades> counts_;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
