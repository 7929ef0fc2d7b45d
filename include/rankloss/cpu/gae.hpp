// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/pieces.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/data/policy_steps.hpp>
#include <rankloss/detail/data/ragged_lists.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/gae.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {
namespace detail {

/// Consecutive steps of a trajectory that count, up to `longest` of them, and the recurrence
///
///     A_k = delta_k + c_k A_(k+1),      c = discount * lambda
///
/// over them. Three passes of rows first combine each step with the 1, 2 and 4 behind it, so that
///
///     A_k = delta_k' + c_k' A_(k+8)
///
/// has eight chains of dependent steps in place of one. The order of all sums is the same for any number of
/// lanes.
template <class T>
class trajectory_chunk {
  using Arch = xsimd::default_arch;
  using V = lanes<Arch>;
  static constexpr std::size_t w = lane_count<Arch>;
  static constexpr std::size_t chains = 8;

 public:
  static constexpr std::size_t longest = 256;

  trajectory_chunk(const trajectory_batch<T>& batch, const gae& options)
      : same_discount_(batch.discounts.empty()), lambda_(options.lambda) {
    std::fill_n(discounts_, longest, options.discount);
  }

  /// The last steps before `end`, none before `begin`. Returns where the steps before them end.
  std::size_t take(const trajectory_batch<T>& batch, std::size_t begin, std::size_t end) {
    if (batch.mask.empty()) {
      first_ = std::max(begin + longest, end) - longest;
      count_ = end - first_;
      for_rows<Arch>(count_, [&](std::size_t k, auto count) {
        load_items<Arch>(batch.rewards.data() + first_ + k, count).store_unaligned(rewards_ + k);
        load_items<Arch>(batch.values.data() + first_ + k, count).store_unaligned(values_ + k);
      });
      for (std::size_t k = 0; !same_discount_ && k < count_; ++k) discounts_[k] = batch.discounts[first_ + k];
      return first_;
    }
    std::size_t i = end, free = longest;
    while (i > begin && free > 0)
      if (batch.mask[--i]) steps_[--free] = i;
    count_ = longest - free;
    std::copy_n(steps_ + free, count_, steps_);
    for (std::size_t k = 0; k < count_; ++k) {
      rewards_[k] = static_cast<double>(batch.rewards[steps_[k]]);
      values_[k] = static_cast<double>(batch.values[steps_[k]]);
      if (!same_discount_) discounts_[k] = batch.discounts[steps_[k]];
    }
    return i;
  }

  /// Computes the advantages, given value and advantage of the step behind.
  void compute(double next_value, double next_advantage) {
    values_[count_] = next_value;
    next_advantage_ = next_advantage;
    // No sum of that many such numbers overflows. Floats are always below it.
    constexpr double far = 1e290;
    double most = std::max(std::abs(next_value), std::abs(next_advantage));
    if constexpr (!single_precision<T>)
      most = std::max(most, largest_of_rows([&](std::size_t k) {
                        return xsimd::max(xsimd::abs(V::load_unaligned(rewards_ + k)),
                                          xsimd::abs(V::load_unaligned(values_ + k)));
                      }));
    if (!(most < far))
      step_by_step();
    else if (same_discount_)
      row_by_row<true>();
    else
      row_by_row<false>();
  }

  /// The largest magnitude among the numbers from which the advantages were summed.
  [[nodiscard]] double largest() const {
    return largest_of_rows([&](std::size_t k) {
      const V discount = V::load_unaligned(discounts_ + k);
      const V behind = V::load_unaligned(advantages_ + k + 1);
      const V own =
          xsimd::max(xsimd::abs(V::load_unaligned(rewards_ + k)), xsimd::abs(V::load_unaligned(values_ + k)));
      const V ahead = xsimd::max(xsimd::abs(discount * V::load_unaligned(values_ + k + 1)),
                                 xsimd::abs(discount * V(lambda_) * behind));
      return xsimd::max(own, ahead);
    });
  }

  void write_advantages(const trajectory_batch<T>& batch, T* to) const {
    write(batch, to, [this](std::size_t k) { return V::load_unaligned(advantages_ + k); });
  }
  void write_returns(const trajectory_batch<T>& batch, T* to) const {
    write(batch, to, [this](std::size_t k) {
      return V::load_unaligned(advantages_ + k) + V::load_unaligned(values_ + k);
    });
  }

  /// The advantages as doubles, each in the place of its step.
  void copy_advantages(const trajectory_batch<T>& batch, double* to) const {
    if (batch.mask.empty()) {
      std::copy_n(advantages_, count_, to + first_);
    } else {
      for (std::size_t k = 0; k < count_; ++k) to[steps_[k]] = advantages_[k];
    }
  }

  [[nodiscard]] std::span<const double> advantages() const { return {advantages_, count_}; }
  [[nodiscard]] double first_value() const { return values_[0]; }

 private:
  template <class At>
  [[nodiscard]] double largest_of_rows(At at) const {
    V most(0.0);
    for (std::size_t k = 0; k < count_; k += w)
      most = xsimd::max(most, only_items<Arch>(std::min(w, count_ - k), at(k)));
    alignas(64) double row[w];
    most.store_aligned(row);
    return *std::max_element(row, row + w);
  }

  /// With `Same` the factor of every step is that of the first.
  template <bool Same>
  void row_by_row() {
    const std::size_t n = count_, padded = padded_rows(n, chains);
    // Rows may reach behind the last step; what they make of it is replaced by zeros.
    for (std::size_t k = 0; k < n; k += w) {
      const V discount = V::load_unaligned(discounts_ + k);
      const V ahead = discount * V::load_unaligned(values_ + k + 1);
      (V::load_unaligned(rewards_ + k) + ahead - V::load_unaligned(values_ + k))
          .store_unaligned(advantages_ + k);
      if constexpr (!Same) (discount * V(lambda_)).store_unaligned(factors_ + k);
    }
    std::fill_n(advantages_ + n, padded + chains - n, 0.0);
    if constexpr (!Same) std::fill_n(factors_ + n, padded + chains - n, 0.0);
    advantages_[n - 1] += discounts_[n - 1] * lambda_ * next_advantage_;
    V factor(discounts_[0] * lambda_);
    for (std::size_t behind = 1; behind < chains; behind *= 2) {
      for (std::size_t k = 0; k < n; k += w) {
        if constexpr (!Same) factor = V::load_unaligned(factors_ + k);
        xsimd::fma(factor, V::load_unaligned(advantages_ + k + behind), V::load_unaligned(advantages_ + k))
            .store_unaligned(advantages_ + k);
        if constexpr (!Same)
          (factor * V::load_unaligned(factors_ + k + behind)).store_unaligned(factors_ + k);
      }
      if constexpr (Same) factor = factor * factor;
    }
    for (std::size_t k = padded; k > 0;) {
      k -= w;
      if constexpr (!Same) factor = V::load_unaligned(factors_ + k);
      xsimd::fma(factor, V::load_unaligned(advantages_ + k + chains), V::load_unaligned(advantages_ + k))
          .store_unaligned(advantages_ + k);
    }
    advantages_[n] = next_advantage_;  // for `largest`
  }

  void step_by_step() {
    double next = advantages_[count_] = next_advantage_;
    for (std::size_t k = count_; k-- > 0;) {
      const double ahead = discounts_[k] * values_[k + 1];
      const double rest = discounts_[k] * lambda_ * next;
      next = advantages_[k] = held_as<double>(held_as<double>(rewards_[k] + ahead - values_[k]) + rest);
    }
  }

  template <class At>
  void write(const trajectory_batch<T>& batch, T* to, At at) const {
    const V largest(static_cast<double>(std::numeric_limits<T>::max()));
    const auto held = [&](std::size_t k) { return xsimd::min(xsimd::max(at(k), -largest), largest); };
    if (batch.mask.empty())
      return for_rows<Arch>(
          count_, [&](std::size_t k, auto count) { store_items<Arch>(to + first_ + k, count, held(k)); });
    alignas(64) double row[w];
    for (std::size_t k = 0; k < count_; k += w) {
      held(k).store_aligned(row);
      for (std::size_t l = 0; l < w && k + l < count_; ++l) to[steps_[k + l]] = static_cast<T>(row[l]);
    }
  }

  bool same_discount_;
  double lambda_;
  double next_advantage_ = 0.0;
  std::size_t count_ = 0;
  std::size_t first_ = 0;            // where there is no mask
  std::size_t steps_[longest];       // where there is one
  double rewards_[longest] = {};     // [count]
  double values_[longest + w] = {};  // [count + 1]
  double discounts_[longest];        // [count]
  double advantages_[longest + chains] = {};
  double factors_[longest + chains] = {};
};

/// Shifts and scales `a` to mean 0 and standard deviation 1, in place. `most` is the magnitude of the numbers
/// from which its entries were summed; entries that differ only by the rounding of such numbers count as
/// equal.
inline void whiten(std::span<double> a, whitening how, double most, workspace& scratch) {
  using Arch = xsimd::default_arch;
  using V = lanes<Arch>;
  if (a.empty()) return;
  const workspace::scope scope(scratch);
  const even_pieces pieces(a.size(), tuning::piece_items);
  const std::span<double> of_piece = scratch.take<double>(pieces.count());
  // Replaces each row x by change(x, count, sum), and returns what that adds to sum over all rows.
  const auto sum_of_rows = [&](const auto& change) {
    run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
      double* const x = a.data() + pieces[p].begin;
      V sum(0.0);
      for_rows<Arch>(pieces[p].size(), [&](std::size_t i, auto count) {
        store_items<Arch>(x + i, count, change(load_items<Arch>(x + i, count), count, sum));
      });
      of_piece[p] = sum_of(sum);
    });
    double all = 0.0;
    for (const double of_one : of_piece) all += of_one;
    return all;
  };
  run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
    const double* const x = a.data() + pieces[p].begin;
    V top(0.0);
    for_rows<Arch>(pieces[p].size(), [&](std::size_t i, auto count) {
      top = xsimd::max(top, xsimd::abs(load_items<Arch>(x + i, count)));
    });
    alignas(64) double row[lane_count<Arch>];
    top.store_aligned(row);
    of_piece[p] = *std::max_element(row, row + lane_count<Arch>);
  });
  const double first = a[0];
  const double largest = *std::max_element(of_piece.begin(), of_piece.end());
  // Numbers are divided by the largest, so that no square overflows, and taken relative to the first, so that
  // the mean of equal numbers has no rounding error. A compiler that may reorder must not subtract first.
  double squares = 0.0;
  if (largest > 0.0) {
    const double sum = sum_of_rows([=](const V& x, auto count, V& to) {
      const V own = opaque(x / V(largest)) - V(first / largest);
      to += only_items<Arch>(count, own);
      return own;
    });
    const double mean = sum / static_cast<double>(a.size());
    squares = sum_of_rows([=](const V& x, auto count, V& to) {
      const V own = x - V(mean);
      to += only_items<Arch>(count, own * own);
      return own;
    });
  }
  const std::size_t freedom = how == whitening::bessel ? a.size() - 1 : a.size();
  const double deviation = freedom > 0 ? std::sqrt(squares / static_cast<double>(freedom)) : 0.0;
  const bool differ = a.size() > 1 && largest > 0.0 && deviation > 1e-13 * (most / largest);
  if (!differ) return std::fill(a.begin(), a.end(), 0.0);
  sum_of_rows([=](const V& x, auto, V&) { return x / V(deviation); });
}

}  // namespace detail

template <score T>
void estimate_advantages(const trajectory_batch<T>& batch, const gae& options,
                         std::type_identity_t<array_view<T>> advantages,
                         std::type_identity_t<array_view<T>> returns, context& ctx) {
  const detail::sole_use alone(ctx);
  validate(options);
  workspace& scratch = ctx.scratch();
  detail::check_trajectories(batch, advantages.size(), returns.size(), ctx.checks == data_checks::on,
                             scratch);
  const std::size_t steps = batch.rewards.size();
  const bool whiten = options.whitening != whitening::none && !advantages.empty();
  const workspace::scope scope(scratch);
  const std::span<double> whitened = scratch.take<double>(whiten ? steps : 0);

  if (!batch.mask.empty())
    detail::for_each_item(scratch, steps, [&batch, advantages, returns](std::size_t i) {
      if (batch.mask[i]) return;
      if (!advantages.empty()) advantages[i] = T{0};
      if (!returns.empty()) returns[i] = T{0};
    });
  const detail::ragged_lists trajectories(batch.offsets, steps);
  // A piece has the trajectories that begin in a stretch of steps.
  const detail::even_pieces pieces(steps, detail::tuning::piece_items);
  const std::span<double> most = scratch.take<double>(pieces.count());
  detail::run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
    detail::trajectory_chunk<T> chunk(batch, options);
    double largest = 0.0;
    for (std::size_t q = trajectories.first_from(pieces[p].begin);
         q < trajectories.count() && trajectories.first(q) < pieces[p].end; ++q) {
      const std::size_t first = trajectories.first(q);
      double next_value = batch.last_values.empty() ? 0.0 : batch.last_values[q];
      double next_advantage = 0.0;
      for (std::size_t end = trajectories.first(q + 1); end > first;) {
        end = chunk.take(batch, first, end);
        const std::span<const double> found = chunk.advantages();
        if (found.empty()) break;
        chunk.compute(next_value, next_advantage);
        next_value = chunk.first_value();
        next_advantage = found[0];
        if (whiten) {
          largest = std::max(largest, chunk.largest());
          chunk.copy_advantages(batch, whitened.data());
        } else if (!advantages.empty()) {
          chunk.write_advantages(batch, advantages.data());
        }
        if (!returns.empty()) chunk.write_returns(batch, returns.data());
      }
    }
    most[p] = largest;
  });
  if (!whiten) return;
  // The steps that count, one behind the other.
  std::size_t kept = steps;
  if (!batch.mask.empty()) {
    kept = 0;
    for (std::size_t i = 0; i < steps; ++i)
      if (batch.mask[i]) whitened[kept++] = whitened[i];
  }
  detail::whiten(whitened.first(kept), options.whitening, *std::max_element(most.begin(), most.end()),
                 scratch);
  // Whitened advantages are small.
  if (batch.mask.empty()) {
    detail::for_each_item(scratch, steps, [advantages, whitened](std::size_t i) {
      advantages[i] = static_cast<T>(whitened[i]);
    });
  } else {
    for (std::size_t i = 0, k = 0; i < steps; ++i)
      if (batch.mask[i]) advantages[i] = static_cast<T>(whitened[k++]);
  }
}

}  // namespace rankloss::inline RANKLOSS_ABI
