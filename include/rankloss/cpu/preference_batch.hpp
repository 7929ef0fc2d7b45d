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

/// lane_form<Loss, Arch>: the formula of a preference loss for a pair in each lane. It is made of the loss, whose
/// functions it has,
///
///     term(preferred, other, margin)
///     tie(preferred, other, margin)     of a loss that knows ties
///
/// which return preference_lanes. The loss's engine cpu/NAME.hpp specialises it. Any other loss is asked pair by
/// pair.
template <class Loss, class Arch>
struct lane_form {
  explicit lane_form(const Loss& asked) : of_pair(asked) {}
  const Loss& of_pair;
};

template <class Loss, class Arch>
concept has_lane_form = !requires(const lane_form<Loss, Arch>& form) {
  form.of_pair;
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
  preference_chunk(const Loss& loss, const preference_batch<T>& batch)
      : form_(loss), batch_(batch), in_order_(!tie_loss<Loss> || batch.ties.empty()) {}

  /// Reads the pairs from `first` on, as many as there is room for, and returns how many these are.
  std::size_t take(std::size_t first) {
    const std::size_t n = count_ = std::min(longest, batch_.preferred.size() - first);
    const auto items = [&](const indices& from, std::size_t* to) {
      from.visit([&](const auto* item) {
        for (std::size_t k = 0; k < n; ++k) to[k] = static_cast<std::size_t>(item[first + k]);
      });
    };
    items(batch_.preferred, preferred_item_);
    items(batch_.other, other_item_);
    if (in_order_)
      first_tie_ = end_ = padded_rows(n, w);
    else
      part_ties(first);
    const T* const rewards = batch_.rewards.data();
    for_slots([&](std::size_t k, std::size_t at) {
      preferred_[at] = rewards[preferred_item_[k]];
      other_[at] = rewards[other_item_[k]];
    });
    if (!batch_.margins.empty())
      batch_.margins.visit([&](const auto* margin) {
        for_slots(
            [&](std::size_t k, std::size_t at) { margin_[at] = static_cast<double>(margin[first + k]); });
      });
    return n;
  }

  /// Computes the terms of the pairs.
  void compute() {
    const lane_form<Loss, Arch> form = form_;  // which no store can change
    rows(0, first_tie_, [&](const auto&... of) {
      if constexpr (has_lane_form<Loss, Arch>)
        return form.term(of...);
      else
        return form.of_pair(of...);
    });
    if constexpr (tie_loss<Loss>)
      rows(first_tie_, end_, [&](const auto&... of) {
        if constexpr (has_lane_form<Loss, Arch>)
          return form.tie(of...);
        else
          return form.of_pair.tie(of...);
      });
  }

  /// Copies the values, or the slopes by the tie parameter, in the order given.
  void copy_values(double* to) const {
    for_slots([&](std::size_t k, std::size_t at) { to[k] = value_[at]; });
  }
  void copy_slopes_of_ties(double* to) const {
    for_slots([&](std::size_t k, std::size_t at) { to[k] = slope_of_ties_[at]; });
  }
  /// Adds factor[k] times a derivative of each pair by both of its items to their sums, where it is above 0.
  void add_slopes(const double* factor, double* sums) const {
    add(factor, slope_preferred_, slope_other_, sums);
  }
  void add_curvatures(const double* factor, double* sums) const {
    add(factor, curvature_preferred_, curvature_other_, sums);
  }

 private:
  /// Gives pairs with a winner the first slots, and ties those from the next row on.
  void part_ties(std::size_t first) {
    std::size_t wins = 0, ties = 0;
    for (std::size_t k = 0; k < count_; ++k) wins += batch_.ties[first + k] ? 0u : 1u;
    first_tie_ = ties = padded_rows(wins, w);
    wins = 0;
    for (std::size_t k = 0; k < count_; ++k) {
      // Without a branch, which nobody could predict.
      const std::size_t tie = batch_.ties[first + k] ? 1 : 0;
      slot_[k] = wins + tie * (ties - wins);
      ties += tie;
      wins += 1 - tie;
    }
    end_ = ties;
  }

  /// Calls visit(k, slot) for each pair.
  template <class Visit>
  [[gnu::always_inline]] void for_slots(const Visit& visit) const {
    const std::size_t n = count_;
    if (in_order_)
      for (std::size_t k = 0; k < n; ++k) visit(k, k);
    else
      for (std::size_t k = 0; k < n; ++k) visit(k, slot_[k]);
  }

  void add(const double* factor, const double* of_preferred, const double* of_other, double* sums) const {
    for_slots([&](std::size_t k, std::size_t at) {
      if (!(factor[k] > 0.0)) return;
      sums[preferred_item_[k]] += factor[k] * of_preferred[at];
      sums[other_item_[k]] += factor[k] * of_other[at];
    });
  }

  template <class Form>
  void rows(std::size_t begin, std::size_t end, const Form& form) {
    if constexpr (has_lane_form<Loss, Arch>) {
      for (std::size_t k = begin; k < end; k += w) {
        const auto reward = [&](const T* row) {
          return xsimd::min(xsimd::max(load_row<Arch>(row + k), V(-largest)), V(largest));
        };
        const preference_lanes<Arch> term =
            form(reward(preferred_), reward(other_), V::load_aligned(margin_ + k));
        term.value.store_aligned(value_ + k);
        term.slope_preferred.store_aligned(slope_preferred_ + k);
        term.slope_other.store_aligned(slope_other_ + k);
        term.curvature.store_aligned(curvature_preferred_ + k);
        term.curvature.store_aligned(curvature_other_ + k);
        term.slope_of_ties.store_aligned(slope_of_ties_ + k);
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

  lane_form<Loss, Arch> form_;
  const preference_batch<T>& batch_;
  bool in_order_;  // whether pair k is in slot k
  std::size_t count_ = 0;
  std::size_t first_tie_ = 0, end_ = 0;  // slots
  // [count], in the order given
  std::size_t preferred_item_[longest], other_item_[longest], slot_[longest];
  // [slots], where wins and ties each end with a row
  static constexpr std::size_t slots = longest + 2 * w;
  alignas(64) T preferred_[slots] = {};
  alignas(64) T other_[slots] = {};
  alignas(64) double margin_[slots] = {};
  alignas(64) double value_[slots];
  alignas(64) double slope_preferred_[slots];
  alignas(64) double slope_other_[slots];
  alignas(64) double curvature_preferred_[slots];
  alignas(64) double curvature_other_[slots];
  alignas(64) double slope_of_ties_[slots];
};

/// The sum of numbers times factors, in an order that is the same for any number of lanes. Those of factors
/// above 0 take turns, so that the others do not change a bit.
class turn_sums {
  using Arch = xsimd::default_arch;
  using V = lanes<Arch>;
  static constexpr std::size_t turns = 8, w = lane_count<Arch>, longest = tuning::preference_chunk;

 public:
  /// @param factor, x  [longest], aligned as rows of lanes, of which the first n count
  void add(const double* factor, const double* x, std::size_t n) {
    // All products are rounded, by whichever instructions they are added.
    for (std::size_t k = 0; k < n; k += w)
      (V::load_aligned(factor + k) * V::load_aligned(x + k)).store_aligned(products_ + k);
    bool all = next_ % turns == 0;
    for (std::size_t k = 0; k < n; ++k) all = all & (factor[k] > 0.0);
    const std::size_t whole = all ? n / turns * turns : 0;
    for (std::size_t l = 0; l < turns; l += w) {
      V sum = V::load_aligned(sums_ + l);
      for (std::size_t k = l; k < whole; k += turns) sum += V::load_aligned(products_ + k);
      sum.store_aligned(sums_ + l);
    }
    next_ += whole;
    for (std::size_t k = whole; k < n; ++k)
      if (factor[k] > 0.0) sums_[next_++ % turns] += products_[k];
  }
  [[nodiscard]] double operator()() const {
    double sum = 0.0;
    for (const double x : sums_) sum += x;
    return sum;
  }

 private:
  alignas(64) double sums_[turns] = {};
  alignas(64) double products_[longest];
  std::size_t next_ = 0;
};

/// Chunk by chunk, in the order given, on the calling thread.
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
    alignas(64) double values[tuning::preference_chunk] = {};
    // Calls visit(first, count) with each chunk of pairs and their `values`.
    const auto for_chunks = [&](const auto& visit) {
      for (std::size_t first = 0; first < pairs;) {
        const std::size_t count = chunk.take(first);
        chunk.compute();
        chunk.copy_values(values);
        if (!sums.values.empty()) std::copy_n(values, count, sums.values.data() + first);
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
    alignas(64) double factor[tuning::preference_chunk];
    std::fill_n(factor, tuning::preference_chunk, mean.scaled(1.0));
    turn_sums value_sum;
    double by_ties = 0.0;
    for_chunks([&](std::size_t first, std::size_t count) {
      for (std::size_t k = 0; k < count && !equal; ++k) factor[k] = mean.scaled(weight(first + k));
      value_sum.add(factor, values, count);
      if (!sums.gradient.empty()) chunk.add_slopes(factor, sums.gradient.data());
      if (!sums.hessian.empty()) chunk.add_curvatures(factor, sums.hessian.data());
      if (tie_gradient == nullptr) return;
      chunk.copy_slopes_of_ties(values);
      for (std::size_t k = 0; k < count; ++k)
        if (factor[k] > 0.0) by_ties += factor[k] * values[k];
    });
    sums.commit(mean.factor(out.scale));
    // Terms are far below the largest number, so that a sum is infinite only where one of them is.
    double sum = value_sum();
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
