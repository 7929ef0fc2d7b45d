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
#include <utility>

namespace rankloss::inline RANKLOSS_ABI {
namespace detail {

/// Rows from the last one to the first, of which each is asked for the numbers `ahead` steps behind its own.
template <class Arch, std::size_t ahead>
class rows_behind {
  using V = lanes<Arch>;
  static constexpr std::size_t w = lane_count<Arch>, count = ahead < w ? 1 : ahead / w;

 public:
  explicit rows_behind(const V& last = V(0.0)) noexcept {
    for (V& row : rows_) row = last;
  }
  /// Takes a row, and returns the numbers behind it.
  [[nodiscard]] [[gnu::always_inline]] V of(const V& row) noexcept {
    V found = rows_[count - 1];
    if constexpr (ahead < w) found = [&]<std::size_t... l>(std::index_sequence<l...>) {
        return lanes_of<Arch>(row, found, std::index_sequence<(l + ahead)...>{});
      }
    (std::make_index_sequence<w>{});
    for (std::size_t r = count - 1; r > 0; --r) rows_[r] = rows_[r - 1];
    rows_[0] = row;
    return found;
  }

 private:
  V rows_[count];  // from the nearest
};

/// Consecutive steps of a trajectory that count, up to `longest` of them, and the recurrence
///
///     A_k = delta_k + c_k A_(k+1),      c = discount * lambda
///
/// over them, row by row from the last one. Each step is first combined with those 1, 2 and 4 behind it, so that
///
///     A_k = delta_k' + c_k' A_(k+8)
///
/// has eight chains of dependent steps in place of one. The order of all sums is the same for any number of
/// lanes. Where there is no mask, steps are read where they lie; else those that count are copied.
template <class T, bool Masked>
class trajectory_chunk {
  using Arch = xsimd::default_arch;
  using V = lanes<Arch>;
  using S = std::conditional_t<Masked, double, T>;  // of the steps
  static constexpr std::size_t w = lane_count<Arch>;

 public:
  static constexpr std::size_t longest = 256;

  trajectory_chunk(const trajectory_batch<T>& batch, const gae& options)
      : same_discount_(batch.discounts.empty()), lambda_(options.lambda) {
    std::fill_n(discounts_, longest, options.discount);
  }

  /// The last steps before `end`, none before `begin`. Returns where the steps before them end.
  std::size_t take(const trajectory_batch<T>& batch, std::size_t begin, std::size_t end) {
    if constexpr (!Masked) {
      first_ = std::max(begin + longest, end) - longest;
      count_ = end - first_;
      rewards_ = batch.rewards.data() + first_;
      values_ = batch.values.data() + first_;
      for (std::size_t k = 0; !same_discount_ && k < count_; ++k) discounts_[k] = batch.discounts[first_ + k];
      return first_;
    } else {
      std::size_t i = end, free = longest;
      while (i > begin && free > 0)
        if (batch.mask[--i]) copied_.steps[--free] = i;
      count_ = longest - free;
      std::copy_n(copied_.steps + free, count_, copied_.steps);
      for (std::size_t k = 0; k < count_; ++k) {
        copied_.rewards[k] = static_cast<double>(batch.rewards[copied_.steps[k]]);
        copied_.values[k] = static_cast<double>(batch.values[copied_.steps[k]]);
        if (!same_discount_) discounts_[k] = batch.discounts[copied_.steps[k]];
      }
      rewards_ = copied_.rewards;
      values_ = copied_.values;
      return i;
    }
  }

  /// Computes the advantages, given value and advantage of the step behind.
  void compute(double next_value, double next_advantage) {
    next_value_ = next_value;
    advantages_[count_] = next_advantage;
    // No sum of that many such numbers overflows. Floats are always below it.
    constexpr double far = 1e290;
    double most = std::max(std::abs(next_value), std::abs(next_advantage));
    if constexpr (!single_precision<T>)
      most = std::max(
          most, largest_of_rows(count_, [&](std::size_t k, auto count) { return largest_step(k, count); }));
    if (!(most < far))
      step_by_step();
    else if (same_discount_)
      row_by_row<true>();
    else
      row_by_row<false>();
  }

  /// The largest magnitude among the numbers from which the advantages were summed.
  [[nodiscard]] double largest() const {
    const std::size_t last = count_ - 1;
    const double rows = largest_of_rows(last, [&](std::size_t k, auto count) {
      const V discount = load_items<Arch>(discounts_ + k, count);
      const V value = load_items<Arch>(values_ + k + 1, count);
      const V behind = load_items<Arch>(advantages_ + k + 1, count);
      return xsimd::max(largest_step(k, count),
                        xsimd::max(xsimd::abs(discount * value), xsimd::abs(discount * V(lambda_) * behind)));
    });
    return std::max({rows, std::abs(reward(last)), std::abs(value(last)),
                     std::abs(discounts_[last] * next_value_),
                     std::abs(discounts_[last] * lambda_ * advantages_[count_])});
  }

  void write_advantages(T* to) const {
    write(to, [this](std::size_t k, auto count) { return load_items<Arch>(advantages_ + k, count); });
  }
  void write_returns(T* to) const {
    write(to, [this](std::size_t k, auto count) {
      return load_items<Arch>(advantages_ + k, count) + load_items<Arch>(values_ + k, count);
    });
  }

  /// The advantages as doubles, each in the place of its step.
  void copy_advantages(double* to) const {
    if constexpr (!Masked)
      std::copy_n(advantages_, count_, to + first_);
    else
      for (std::size_t k = 0; k < count_; ++k) to[copied_.steps[k]] = advantages_[k];
  }

  [[nodiscard]] std::span<const double> advantages() const noexcept { return {advantages_, count_}; }
  [[nodiscard]] double first_value() const noexcept { return value(0); }

 private:
  [[nodiscard]] double reward(std::size_t k) const noexcept { return static_cast<double>(rewards_[k]); }
  [[nodiscard]] double value(std::size_t k) const noexcept { return static_cast<double>(values_[k]); }

  template <class Count>
  [[nodiscard]] V largest_step(std::size_t k, Count count) const {
    return xsimd::max(xsimd::abs(load_items<Arch>(rewards_ + k, count)),
                      xsimd::abs(load_items<Arch>(values_ + k, count)));
  }
  template <class At>
  [[nodiscard]] static double largest_of_rows(std::size_t n, const At& at) {
    V most(0.0);
    for_rows<Arch>(n, [&](std::size_t k, auto count) { most = xsimd::max(most, at(k, count)); });
    alignas(64) double row[w];
    most.store_aligned(row);
    return *std::max_element(row, row + w);
  }

  /// With `Same` the factor of every step is that of the first.
  template <bool Same>
  void row_by_row() {
    const S* const rewards = rewards_;
    const S* const values = values_;
    const auto delta = [](const V& own_reward, const V& discount, const V& behind, const V& own_value) {
      return own_reward + discount * behind - own_value;
    };
    V factors[4];  // of what lies 1, 2, 4 and 8 steps behind
    factors[0] = V(discounts_[0] * lambda_);
    for (std::size_t p = 1; p < 4; ++p) factors[p] = factors[p - 1] * factors[p - 1];
    rows_behind<Arch, 1> one, one_factors;
    rows_behind<Arch, 2> two, two_factors;
    rows_behind<Arch, 4> four, four_factors;
    V eight[8 / w];
    std::fill_n(eight, 8 / w, V(0.0));
    const auto sums = [&](V x, V factor) {
      const auto combine = [&](const V& of_all, auto& behind, auto& factors_behind) {
        if constexpr (Same) {
          x = xsimd::fma(of_all, behind.of(x), x);
        } else {
          x = xsimd::fma(factor, behind.of(x), x);
          factor = factor * factors_behind.of(factor);
        }
      };
      combine(factors[0], one, one_factors);
      combine(factors[1], two, two_factors);
      combine(factors[2], four, four_factors);
      x = xsimd::fma(Same ? factors[3] : factor, eight[8 / w - 1], x);
      for (std::size_t r = 8 / w - 1; r > 0; --r) eight[r] = eight[r - 1];
      return eight[0] = x;
    };

    // The last row may reach behind the last step, where there are zeros.
    const std::size_t last = padded_rows(count_, w) - w, own = count_ - last;
    alignas(64) double discount[w] = {}, behind[w] = {}, row[w];
    std::copy_n(discounts_ + last, own, discount);
    for (std::size_t k = last; k + 1 < count_; ++k) behind[k - last] = value(k + 1);
    behind[own - 1] = next_value_;
    const V last_values = load_items<Arch>(values + last, own);
    delta(load_items<Arch>(rewards + last, own), V::load_aligned(discount), V::load_aligned(behind),
          last_values)
        .store_aligned(row);
    row[own - 1] += discount[own - 1] * lambda_ * advantages_[count_];
    store_items<Arch>(advantages_ + last, own,
                      sums(V::load_aligned(row), Same ? factors[0] : V::load_aligned(discount) * V(lambda_)));
    rows_behind<Arch, 1> values_behind(last_values);
    for (std::size_t k = last; k > 0;) {
      k -= w;
      const V of_row = Same ? V(discounts_[0]) : V::load_aligned(discounts_ + k);
      const V own_values = load_row<Arch>(values + k);
      const V x = delta(load_row<Arch>(rewards + k), of_row, values_behind.of(own_values), own_values);
      sums(x, Same ? factors[0] : of_row * V(lambda_)).store_aligned(advantages_ + k);
    }
  }

  void step_by_step() {
    double next = advantages_[count_], next_value = next_value_;
    for (std::size_t k = count_; k-- > 0;) {
      const double ahead = discounts_[k] * next_value;
      const double rest = discounts_[k] * lambda_ * next;
      next = advantages_[k] = held_as<double>(held_as<double>(reward(k) + ahead - value(k)) + rest);
      next_value = value(k);
    }
  }

  template <class At>
  void write(T* to, const At& at) const {
    const V largest(static_cast<double>(std::numeric_limits<T>::max()));
    for_rows<Arch>(count_, [&, this](std::size_t k, auto count) {
      const V held = xsimd::min(xsimd::max(at(k, count), -largest), largest);
      if constexpr (!Masked) {
        store_items<Arch>(to + first_ + k, count, held);
      } else {
        alignas(64) double lane[w];
        held.store_aligned(lane);
        for (std::size_t l = 0; l < std::size_t{count}; ++l)
          to[copied_.steps[k + l]] = static_cast<T>(lane[l]);
      }
    });
  }

  struct copied_steps {
    std::size_t steps[longest];
    double rewards[longest], values[longest];
  };
  struct none {};

  bool same_discount_;
  double lambda_;
  double next_value_ = 0.0;
  std::size_t count_ = 0;
  std::size_t first_ = 0;                       // where there is no mask
  const S* rewards_ = nullptr;                  // [count]
  const S* values_ = nullptr;                   // [count]
  alignas(64) double discounts_[longest];       // [count]
  alignas(64) double advantages_[longest + w];  // [count], and that of the step behind
  std::conditional_t<Masked, copied_steps, none> copied_;
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
  const auto compute_piece = [&]<bool Masked>(std::size_t p) {
    detail::trajectory_chunk<T, Masked> chunk(batch, options);
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
        // Returns first: the advantages may lie where the values do.
        if (whiten) {
          largest = std::max(largest, chunk.largest());
          chunk.copy_advantages(whitened.data());
        }
        if (!returns.empty()) chunk.write_returns(returns.data());
        if (!whiten && !advantages.empty()) chunk.write_advantages(advantages.data());
      }
    }
    most[p] = largest;
  };
  detail::run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
    if (batch.mask.empty())
      compute_piece.template operator()<false>(p);
    else
      compute_piece.template operator()<true>(p);
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
