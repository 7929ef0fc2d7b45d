// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/data/extremes.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>
#include <rankloss/workspace.hpp>

#include <cstddef>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The item weights of a pair loss, times the power of two that brings the largest of them near 1, so that no sum of
/// weighted pairs overflows. A pair has the weight of its preferred item: items that are never preferred have no say
/// in that power, and weigh nothing.
/// `Levels` is the pair_levels of the loss.
template <class Levels, class T, class R>
class preferred_weights {
 public:
  /// @param every  whether items of the least level are preferred in some pair, too
  preferred_weights(const list<T, R>& items, bool every, workspace& scratch) : items_(items), every_(every) {
    if (items.weights.empty() || items.size() == 0) return;
    if (!every) {
      struct {
        const list<T, R>& items;
        [[nodiscard]] double operator[](std::size_t i) const noexcept { return Levels::of(items, i); }
        [[nodiscard]] std::size_t size() const noexcept { return items.size(); }
      } const levels{items};
      least_level_ = extremes_of(levels, scratch).least;
    }
    struct {
      const preferred_weights& weights;
      [[nodiscard]] double operator[](std::size_t i) const noexcept { return weights.given(i); }
      [[nodiscard]] std::size_t size() const noexcept { return weights.items_.size(); }
    } const values{*this};
    unit_ = unit_of(extremes_of(values, scratch).most);
  }

  [[nodiscard]] bool empty() const noexcept { return items_.weights.empty(); }
  [[nodiscard]] double unit() const noexcept { return unit_; }
  [[nodiscard]] double operator[](std::size_t i) const noexcept { return given(i) * unit_; }

 private:
  [[nodiscard]] double given(std::size_t i) const noexcept {
    return every_ || Levels::of(items_, i) > least_level_ ? static_cast<double>(items_.weights[i]) : 0.0;
  }

  const list<T, R>& items_;
  bool every_;
  double least_level_ = 0.0;
  double unit_ = 1.0;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
