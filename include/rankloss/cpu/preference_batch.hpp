// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/pieces.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/data/outputs.hpp>
#include <rankloss/detail/data/pair_derivatives.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/preference_batch.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <limits>
#include <numeric>
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
  return {xsimd::select(none, V(0.0), e.value), xsimd::select(none, V(-1.0), e.less_1), e.less_line};
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

/// A chunk of pairs. Those with a winner come first and then the ties, so that each row of lanes has one formula; results
/// are in the order given.
template <class Loss, class T>
class preference_chunk {
  using Arch = xsimd::default_arch;
  using V = lanes<Arch>;
  static constexpr std::size_t w = lane_count<Arch>;
  static constexpr std::size_t longest = chunk_items::longest;
  static_assert(longest % w == 0);
  static constexpr double largest = std::min(static_cast<double>(std::numeric_limits<T>::max()), 1e300);

 public:
  preference_chunk(const Loss& loss, const preference_batch<T>& batch)
      : form_(loss), batch_(batch), in_order_(!tie_loss<Loss> || batch.ties.empty()) {}

  /// Reads n pairs from `first` on, up to `longest`.
  /// @returns false, and nothing is read, where a pair is not of two items of the batch
  [[nodiscard]] bool take(std::size_t first, std::size_t n) {
    count_ = n;
    items_.read(batch_.preferred, batch_.other, first, n);
    if (!items_.are_pairs(n, batch_.rewards.size())) return false;
    if (in_order_)
      first_tie_ = end_ = padded_rows(n, w);
    else
      part_ties(first);
    const T* const rewards = batch_.rewards.data();
    for_slots([&](std::size_t k, std::size_t at) {
      preferred_[at] = rewards[items_.preferred[k]];
      other_[at] = rewards[items_.other[k]];
    });
    if (!batch_.margins.empty())
      batch_.margins.visit([&](const auto* margin) {
        for_slots(
            [&](std::size_t k, std::size_t at) { margin_[at] = static_cast<double>(margin[first + k]); });
      });
    return true;
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
  void copy_values(double* to) const { copy(value_, to); }
  void copy_slopes_of_ties(double* to) const { copy(slope_of_ties_, to); }

  /// Gives a derivative of each pair by both of its items, times its factor, which may be 0.
  /// @param factor  [longest], aligned as rows of lanes
  void give_slopes(const double* factor, std::size_t first, const pair_derivatives& to) {
    give(factor, slope_preferred_, slope_other_, first, to);
  }
  void give_curvatures(const double* factor, std::size_t first, const pair_derivatives& to) {
    give(factor, curvature_preferred_, curvature_other_, first, to);
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

  void copy(const double* from, double* to) const {
    for_slots([=](std::size_t k, std::size_t at) { to[k] = from[at]; });
  }

  void give(const double* factor, const double* of_preferred, const double* of_other, std::size_t first,
            const pair_derivatives& to) {
    if (!in_order_) {
      for_slots([&](std::size_t k, std::size_t at) {
        products_[0][k] = of_preferred[at];
        products_[1][k] = of_other[at];
      });
      of_preferred = products_[0];
      of_other = products_[1];
    }
    // All products are rounded, whoever adds them. What has no share adds nothing, whatever it is.
    for (std::size_t k = 0; k < count_; k += w) {
      const V share = V::load_aligned(factor + k);
      const auto counts = share > V(0.0);
      const V a = opaque(share * V::load_aligned(of_preferred + k));
      const V b = opaque(share * V::load_aligned(of_other + k));
      xsimd::select(counts, a, V(0.0)).store_aligned(products_[0] + k);
      xsimd::select(counts, b, V(0.0)).store_aligned(products_[1] + k);
    }
    to.take(items_, first, count_, products_[0], products_[1]);
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
  chunk_items items_;
  std::size_t slot_[longest];
  alignas(64) double products_[2][longest] = {};  // of a derivative by both items and the factor
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
  /// @param equal      whether all factors are the same number, above 0
  void add(const double* factor, const double* x, std::size_t n, bool equal) {
    // All products are rounded, by whichever instructions they are added.
    for (std::size_t k = 0; k < n; k += w)
      (V::load_aligned(factor + k) * V::load_aligned(x + k)).store_aligned(products_ + k);
    bool all = next_ % turns == 0;
    for (std::size_t k = 0; k < n && !equal; ++k) all = all & (factor[k] > 0.0);
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

/// Piece by piece of the pairs, and chunk by chunk of a piece.
struct preference_engine {
  static constexpr bool checks_pair_items = true;

  template <class Loss, class T>
  static double run(const Loss& loss, const preference_batch<T>& batch, const outputs& out,
                    double* tie_gradient, context& ctx) {
    const std::size_t pairs = batch.preferred.size();
    workspace& scratch = ctx.scratch();
    const workspace::scope scope(scratch);
    const bool of_relevant = batch.reduction == reduction::mean_of_relevant;
    const output_sums sums(out, of_relevant || !out.per_list.empty() ? pairs : 0, scratch);

    // Nothing of the host's memory is written before all pairs have been read.
    std::atomic<bool> good{true};
    const auto require_pairs = [&] {
      if (!good) refuse_pair_items(batch.preferred, batch.other, batch.rewards.size());
    };
    // Computes the pairs of a range, and calls visit(chunk, first, count) with each chunk, up to a bad one.
    const auto for_chunks = [&](item_range range, const auto& visit) {
      preference_chunk<Loss, T> chunk(loss, batch);
      for (std::size_t first = range.begin; first < range.end; first += chunk_items::longest) {
        const std::size_t count = std::min(chunk_items::longest, range.end - first);
        if (!chunk.take(first, count)) {
          good = false;
          return;
        }
        chunk.compute();
        if (!sums.values.empty()) chunk.copy_values(sums.values.data() + first);
        visit(chunk, first, count);
      }
    };
    if (of_relevant) {
      const even_pieces pieces(pairs, tuning::piece_items);
      run_pieces(scratch, pieces.count(),
                 [&](workspace&, std::size_t p) { for_chunks(pieces[p], [](const auto&...) {}); });
      require_pairs();
    }
    const auto weight = [&](std::size_t k) {
      return of_relevant && !(sums.values[k] > 0.0) ? 0.0 : weight_of(batch.pair_weights, k);
    };
    const bool equal = batch.pair_weights.empty() && !of_relevant;
    const weighted_mean mean =
        equal ? weighted_mean(pairs, batch.reduction) : weighted_mean(pairs, weight, batch.reduction);
    const auto factor_of = [&](std::size_t k) { return mean.scaled(weight(k)); };

    const counted_pieces pieces(
        pairs, equal, [&](std::size_t k) { return factor_of(k) > 0.0; }, scratch);
    // Several workers keep what pairs give; one at a time adds.
    const bool shared = ctx.workers() > 1 && pairs >= tuning::shortest_shared;
    const std::array derivatives{pair_derivatives(sums.gradient, pairs, shared, scratch),
                                 pair_derivatives(sums.hessian, pairs, shared, scratch)};
    const std::span<double> values = scratch.take<double>(pieces.count());
    const std::span<double> by_ties = scratch.take<double>(pieces.count());
    const auto compute_piece = [&](std::size_t p) {
      alignas(64) double factor[chunk_items::longest], value[chunk_items::longest] = {};
      std::fill_n(factor, chunk_items::longest, mean.scaled(1.0));
      turn_sums value_sum;
      double ties = 0.0;
      for_chunks(pieces[p], [&](auto& chunk, std::size_t first, std::size_t count) {
        for (std::size_t k = 0; k < count && !equal; ++k) factor[k] = factor_of(first + k);
        chunk.copy_values(value);
        value_sum.add(factor, value, count, equal);
        if (derivatives[0].wanted()) chunk.give_slopes(factor, first, derivatives[0]);
        if (derivatives[1].wanted()) chunk.give_curvatures(factor, first, derivatives[1]);
        if (tie_gradient == nullptr) return;
        chunk.copy_slopes_of_ties(value);
        for (std::size_t k = 0; k < count; ++k)
          if (factor[k] > 0.0) ties += factor[k] * value[k];
      });
      values[p] = value_sum();
      by_ties[p] = ties;
    };
    const auto add_piece = [&](std::size_t p) {
      if (!good) return;
      chunk_items items;
      const item_range range = pieces[p];
      for (std::size_t first = range.begin; first < range.end; first += chunk_items::longest) {
        const std::size_t n = std::min(chunk_items::longest, range.end - first);
        items.read(batch.preferred, batch.other, first, n);
        for (const pair_derivatives& one : derivatives)
          if (one.wanted()) one.add_kept(items, first, n);
      }
    };
    if (shared)
      run_pieces_in_order(
          scratch, scratch.take<bool>(pieces.count()), [&](workspace&, std::size_t p) { compute_piece(p); },
          add_piece);
    else
      for (std::size_t p = 0; p < pieces.count(); ++p) compute_piece(p);
    require_pairs();
    sums.commit(mean.factor(out.scale));
    // Terms are far below the largest number, so that a sum is infinite only where one of them is.
    double sum = std::accumulate(values.begin(), values.end(), 0.0);
    const bool finite = is_finite(opaque(sum));
    sum *= mean.factor();
    const double value = finite ? held_as<double>(sum) : sum;
    if (tie_gradient != nullptr) {
      const double all = std::accumulate(by_ties.begin(), by_ties.end(), 0.0);
      write_scaled(std::span(tie_gradient, 1), std::span(&all, 1), mean.factor(out.scale), out.update);
    }
    return value;
  }
};

}  // namespace detail

template <preference_loss Loss>
struct engine<Loss, context> : detail::preference_engine {};

}  // namespace rankloss::inline RANKLOSS_ABI
