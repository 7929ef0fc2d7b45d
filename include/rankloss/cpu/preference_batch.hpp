// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/data/outputs.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/preference_batch.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {
namespace detail {

/// The preference_term of a pair in each lane. Most losses have one curvature for both items, and the slope of
/// the one is minus that of the other.
template <class Arch>
struct preference_lanes {
  lanes<Arch> value, slope_preferred, slope_other, curvature, slope_of_ties;
};

/// exp(-a) and exp(-a) - 1 for a >= 0, with the digits that they have near 0 and far from it; 0 and -1 beyond 700.
template <class Arch>
[[nodiscard]] [[gnu::always_inline]] inline exp_lanes<Arch> falling_exp(
    const xsimd::batch<double, Arch>& a) noexcept {
  using V = lanes<Arch>;
  const exp_lanes<Arch> e = exp_and_less_1(-a);
  const auto none = a > V(700.0);
  return {xsimd::select(none, V(0.0), e.value), xsimd::select(none, V(-1.0), e.less_1)};
}

/// lane_form<Loss>: the formula of a preference loss for a pair in each lane. It has the functions of the loss,
///
///     term(loss, preferred, other, margin)
///     tie(loss, preferred, other, margin)     of a loss that knows ties
///
/// which return preference_lanes. The loss's engine cpu/NAME.hpp specialises it. A loss without one is computed
/// pair by pair.
template <class Loss>
struct lane_form {};

template <class Loss>
concept has_lane_form = requires(const Loss& loss, const lanes<xsimd::default_arch>& x) {
  lane_form<Loss>::term(loss, x, x, x);
};

/// Pairs in chunks, in the order given, on the calling thread. Of the pairs of a chunk those with a winner come
/// first and then the ties, so that each row of lanes has one formula; sums over pairs are in the order given.
template <class Loss, class T>
class preference_chunk {
  using Arch = xsimd::default_arch;
  using V = lanes<Arch>;
  static constexpr std::size_t w = lane_count<Arch>;
  static constexpr std::size_t longest = tuning::preference_chunk;
  static constexpr double largest = std::min(static_cast<double>(std::numeric_limits<T>::max()), 1e300);

 public:
  preference_chunk(const Loss& loss, const preference_batch<T>& batch) : loss_(loss), batch_(batch) {
    for (std::size_t k = 0; k < longest; ++k) slot_[k] = k;
  }

  /// Reads the pairs from `first` on, as many as there is room for, and returns how many these are.
  std::size_t take(std::size_t first) {
    count_ = std::min(longest, batch_.preferred.size() - first);
    const auto items = [&](const indices& from, std::size_t* to) {
      from.visit([&](const auto* item) {
        for (std::size_t k = 0; k < count_; ++k) to[k] = static_cast<std::size_t>(item[first + k]);
      });
    };
    items(batch_.preferred, preferred_item_);
    items(batch_.other, other_item_);
    if constexpr (tie_loss<Loss>) {
      if (!batch_.ties.empty()) {
        std::size_t wins = 0;
        for (std::size_t k = 0; k < count_; ++k) {
          slot_[k] = wins;
          wins += batch_.ties[first + k] ? 0 : 1;
        }
        first_tie_ = padded_rows(wins, w);
        std::size_t ties = first_tie_;
        for (std::size_t k = 0; k < count_; ++k) {
          const bool tie = batch_.ties[first + k];
          slot_[k] = tie ? ties : slot_[k];
          ties += tie ? 1 : 0;
        }
        end_ = ties;
      }
    }
    if (slots_in_order()) first_tie_ = end_ = padded_rows(count_, w);
    const T* const rewards = batch_.rewards.data();
    for (std::size_t k = 0; k < count_; ++k) {
      preferred_[slot_[k]] = rewards[preferred_item_[k]];
      other_[slot_[k]] = rewards[other_item_[k]];
    }
    if (!batch_.margins.empty())
      batch_.margins.visit([&](const auto* margin) {
        for (std::size_t k = 0; k < count_; ++k) margin_[slot_[k]] = static_cast<double>(margin[first + k]);
      });
    return count_;
  }

  /// Computes the terms of the pairs.
  void compute() {
    rows(0, first_tie_, [&](const auto&... of) {
      if constexpr (has_lane_form<Loss>)
        return lane_form<Loss>::term(loss_, of...);
      else
        return loss_(of...);
    });
    if constexpr (tie_loss<Loss>)
      rows(first_tie_, end_, [&](const auto&... of) {
        if constexpr (has_lane_form<Loss>)
          return lane_form<Loss>::tie(loss_, of...);
        else
          return loss_.tie(of...);
      });
  }

  [[nodiscard]] double value(std::size_t k) const { return value_[slot_[k]]; }
  [[nodiscard]] double slope_of_ties(std::size_t k) const { return slope_of_ties_[slot_[k]]; }
  /// Adds factor[k] times a derivative of each pair by both of its items to their sums, where it is above 0.
  void add_slopes(const double* factor, double* sums) const {
    add(factor, slope_preferred_, slope_other_, sums);
  }
  void add_curvatures(const double* factor, double* sums) const {
    add(factor, curvature_preferred_, curvature_other_, sums);
  }

 private:
  /// Whether no pair is a tie that has to be told from the others.
  [[nodiscard]] bool slots_in_order() const {
    if constexpr (tie_loss<Loss>) return batch_.ties.empty();
    return true;
  }

  void add(const double* factor, const double* of_preferred, const double* of_other, double* sums) const {
    for (std::size_t k = 0; k < count_; ++k) {
      if (!(factor[k] > 0.0)) continue;
      const std::size_t at = slot_[k];
      sums[preferred_item_[k]] += factor[k] * of_preferred[at];
      sums[other_item_[k]] += factor[k] * of_other[at];
    }
  }

  template <class Form>
  void rows(std::size_t begin, std::size_t end, const Form& form) {
    if constexpr (has_lane_form<Loss>) {
      for (std::size_t k = begin; k < end; k += w) {
        const auto reward = [&](const T* row) {
          return xsimd::min(xsimd::max(load_row<Arch>(row + k), V(-largest)), V(largest));
        };
        const preference_lanes<Arch> term =
            form(reward(preferred_), reward(other_), V::load_unaligned(margin_ + k));
        term.value.store_unaligned(value_ + k);
        term.slope_preferred.store_unaligned(slope_preferred_ + k);
        term.slope_other.store_unaligned(slope_other_ + k);
        term.curvature.store_unaligned(curvature_preferred_ + k);
        term.curvature.store_unaligned(curvature_other_ + k);
        term.slope_of_ties.store_unaligned(slope_of_ties_ + k);
      }
    } else {
      for (std::size_t k = begin; k < end; ++k) {
        const auto reward = [](const T& r) {
          return std::clamp(static_cast<double>(bounded(r)), -largest, largest);
        };
        const preference_term term = form(reward(preferred_[k]), reward(other_[k]), margin_[k]);
        value_[k] = term.value;
        slope_preferred_[k] = term.slope_preferred;
        slope_other_[k] = term.slope_other;
        curvature_preferred_[k] = term.curvature_preferred;
        curvature_other_[k] = term.curvature_other;
        slope_of_ties_[k] = term.slope_of_ties;
      }
    }
  }

  const Loss& loss_;
  const preference_batch<T>& batch_;
  std::size_t count_ = 0;
  std::size_t first_tie_ = 0, end_ = 0;  // slots
  // [count] in the order given; slots are [longest + w], because wins and ties each end with a row.
  std::size_t preferred_item_[longest], other_item_[longest], slot_[longest];
  static constexpr std::size_t slots = longest + 2 * w;
  T preferred_[slots] = {}, other_[slots] = {};
  double margin_[slots] = {};
  double value_[slots], slope_preferred_[slots], slope_other_[slots];
  double curvature_preferred_[slots], curvature_other_[slots], slope_of_ties_[slots];
};

struct preference_engine {
  template <class Loss, class T>
  static double run(const Loss& loss, const preference_batch<T>& batch, const outputs& out,
                    double* tie_gradient, context& ctx) {
    const std::size_t pairs = batch.preferred.size();
    workspace& scratch = ctx.scratch();
    const workspace::scope scope(scratch);
    const bool of_relevant = batch.reduction == reduction::mean_of_relevant;
    const output_sums sums(out, of_relevant || !out.per_list.empty() ? pairs : 0, scratch);

    preference_chunk<Loss, T> chunk(loss, batch);
    // Calls visit(first, count) with each chunk of pairs.
    const auto for_chunks = [&](const auto& visit) {
      for (std::size_t first = 0; first < pairs;) {
        const std::size_t count = chunk.take(first);
        chunk.compute();
        for (std::size_t k = 0; k < count && !sums.values.empty(); ++k)
          sums.values[first + k] = chunk.value(k);
        visit(first, count);
        first += count;
      }
    };
    if (of_relevant) for_chunks([](std::size_t, std::size_t) {});
    const auto weight = [&](std::size_t k) {
      return of_relevant && !(sums.values[k] > 0.0) ? 0.0 : weight_of(batch.pair_weights, k);
    };
    const bool equal = batch.pair_weights.empty() && !of_relevant;
    const weighted_mean mean =
        equal ? weighted_mean(pairs, batch.reduction) : weighted_mean(pairs, weight, batch.reduction);
    double factor[tuning::preference_chunk];
    std::fill_n(factor, tuning::preference_chunk, mean.scaled(1.0));
    // The pairs that count take turns in these sums, so that the others do not change a bit.
    constexpr std::size_t turns = 8;
    double value_sums[turns] = {};
    std::size_t counted = 0;
    double by_ties = 0.0;
    for_chunks([&](std::size_t first, std::size_t count) {
      for (std::size_t k = 0; k < count && !equal; ++k) factor[k] = mean.scaled(weight(first + k));
      for (std::size_t k = 0; k < count; ++k)
        if (factor[k] > 0.0) value_sums[counted++ % turns] += factor[k] * chunk.value(k);
      for (std::size_t k = 0; k < count && tie_gradient != nullptr; ++k)
        if (factor[k] > 0.0) by_ties += factor[k] * chunk.slope_of_ties(k);
      if (!sums.gradient.empty()) chunk.add_slopes(factor, sums.gradient.data());
      if (!sums.hessian.empty()) chunk.add_curvatures(factor, sums.hessian.data());
    });
    sums.commit(mean.factor(out.scale));
    // Terms are far below the largest number, so that a sum is infinite only where one of them is.
    double sum = 0.0;
    for (const double x : value_sums) sum += x;
    const bool finite = is_finite(opaque(sum));
    sum *= mean.factor();
    const double value = finite ? held_as<double>(sum) : sum;
    if (tie_gradient != nullptr)
      write_scaled(std::span(tie_gradient, 1), std::span(&by_ties, 1), mean.factor(out.scale), out.update);
    return value;
  }
};

}  // namespace detail

template <preference_loss Loss>
struct engine<Loss, context> : detail::preference_engine {};

}  // namespace rankloss::inline RANKLOSS_ABI
