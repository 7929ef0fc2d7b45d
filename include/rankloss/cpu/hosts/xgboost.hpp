// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/precision.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/pairs/gain_difference.hpp>
#include <rankloss/detail/pairs/lambda_sums.hpp>
#include <rankloss/detail/pairs/lane_pairs.hpp>
#include <rankloss/detail/pairs/ordered_items.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/sorting/argsort.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/hosts/xgboost.hpp>
#include <rankloss/pairs/weight.hpp>
#include <rankloss/random.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {
namespace detail {

[[nodiscard]] inline gain_rule gains_of(const xgboost::delta_ndcg& metric, std::size_t cutoff) noexcept {
  return {metric.gain, metric.gain_table, true, cutoff};
}

/// prepare_change<Arch>(metric, list, order, cutoff, scratch): the changes of a metric when the
/// items of a pair swap their ranks.
template <class Arch, class T, class R>
[[nodiscard]] auto prepare_change(const xgboost::delta_ndcg& metric, const list<T, R>& items,
                                  const ordered_items& at, std::size_t cutoff, workspace& scratch) {
  return prepare_gain_difference<Arch, double, true, false>(gains_of(metric, cutoff), 0, 0.0, items, at,
                                                            scratch);
}
template <class Arch, class T, class R>
[[nodiscard]] auto prepare_change(const xgboost::delta_map&, const list<T, R>& items, const ordered_items& at,
                                  std::size_t, workspace& scratch) {
  return pair_weight<pairs::delta_map>{}.prepare<Arch, double>(items, at, scratch);
}
template <class Arch, class T, class R>
[[nodiscard]] auto prepare_change(const xgboost::equal&, const list<T, R>& items, const ordered_items& at,
                                  std::size_t, workspace& scratch) {
  return pair_weight<pairs::equal>{}.prepare<Arch, double>(items, at, scratch);
}

/// Pair by pair, in the order of the scores.
template <class Weight>
struct lambdamart_engine {
  using Arch = xsimd::default_arch;  // of this translation unit, as the inline namespace says
  using loss_type = xgboost::lambdamart<Weight>;

  template <class T, class R>
  static double run(const loss_type& loss, const list<T, R>& items, const list_outputs<T>& out,
                    workspace& scratch) {
    using enum xgboost::normalize;
    const workspace::scope scope(scratch);
    lambda_sums<Arch> sums(items, scratch);
    const bool spread = sums.score(0) != sums.score(sums.size() - 1);
    const lambda_rule rule = rule_of(loss, spread);
    const bool top = loss.pairs == xgboost::pair_method::topk;
    const std::size_t count = count_of(loss);
    const auto weights = prepare_change<Arch>(loss.weight, items, sums.order(), top ? count : 0, scratch);
    double norm = 1.0;
    if (top) {
      sums.add_top(rule, weights, count, sums.size());
      if (loss.list_normalization == on) norm = lambda_norm(sums.lambda());
    } else {
      add_drawn(loss, rule, weights, count, items.number, sums, scratch);
      if (loss.list_normalization == on) norm = 1.0 / static_cast<double>(count);
    }
    return sums.write(items, out, norm);
  }

  // Short lists of floats, one in each lane.
  static constexpr bool has_lanes = std::same_as<Weight, xgboost::delta_ndcg>;
  static constexpr std::size_t group_size() noexcept requires has_lanes { return lane_count<Arch>; }
  template <class T>
  requires has_lanes static constexpr std::size_t group_longest() noexcept {
    return by_precision<T>(tuning::longest_lambda_lanes, std::size_t{0});
  }

  template <class T, class R>
  requires has_lanes static void run(const loss_type& loss, std::span<const list<T, R>> lists,
                                     std::span<const list_outputs<T>> out, std::span<double> values,
                                     workspace& scratch) {
    if (loss.pairs != xgboost::pair_method::topk) {
      for (std::size_t l = 0; l < lists.size(); ++l) values[l] = run(loss, lists[l], out[l], scratch);
      return;
    }
    const workspace::scope scope(scratch);
    const lambda_rule rule = rule_of(loss, true);
    lane_pairs<Arch> pairs(lists, 1.0 / rule.sigmoid, scratch);
    pairs.weigh(lists, gains_of(loss.weight, count_of(loss)), 0, scratch);
    pairs.sum_lambdas(rule, count_of(loss), scratch);
    const bool normalized = loss.list_normalization == xgboost::normalize::on;
    for (std::size_t l = 0; l < lists.size(); ++l)
      values[l] = pairs.template has_lambdas<T>(l) ? pairs.write_lambdas(l, lists[l], out[l], normalized)
                                                   : run(loss, lists[l], out[l], scratch);
  }

 private:
  [[nodiscard]] static lambda_rule rule_of(const loss_type& loss, bool spread) noexcept {
    return {.near = loss.score_normalization == xgboost::normalize::on && spread ? 0.01 : 0.0,
            .hessian_factor = 2.0,
            .hessian_floor = 1e-16};
  }
  /// The first positions whose pairs count, or how many pairs are drawn for an item.
  [[nodiscard]] static std::size_t count_of(const loss_type& loss) noexcept {
    const bool top = loss.pairs == xgboost::pair_method::topk;
    return loss.pairs_per_item > 0 ? loss.pairs_per_item : top ? 32 : 1;
  }

  template <class Weights>
  static void add_drawn(const loss_type& loss, const lambda_rule& rule, const Weights& weights,
                        std::size_t count, std::size_t number, lambda_sums<Arch>& sums, workspace& scratch) {
    const std::size_t n = sums.size();
    const std::span<const double> levels = sums.levels();
    const workspace::scope scope(scratch);
    const auto by_level =
        items_by_key<key_of<double>>(n, scratch, [&](std::size_t p) { return descending_key(levels[p]); });
    for (std::size_t begin = 0; begin < n;) {
      std::size_t end = begin + 1;
      while (end < n && by_level[end].key == by_level[begin].key) ++end;
      const std::size_t others = n - (end - begin);
      for (std::size_t at = begin; at < end && others > 0; ++at) {
        const std::size_t position = by_level[at].payload;
        for (std::size_t k = 0; k < count; ++k) {
          const std::size_t drawn =
              draw(loss.seed, number, sums.order().item[position], static_cast<std::uint32_t>(k), others);
          const std::size_t other = by_level[drawn < begin ? drawn : drawn + (end - begin)].payload;
          const std::size_t first = std::min(position, other);
          const std::size_t second = std::max(position, other);
          sums.add_pairs(rule, weights.at(first), first, second, second + 1);
        }
      }
      begin = end;
    }
  }

  /// A number in [0, below), below < 2^32, from 64 random bits.
  [[nodiscard]] static std::size_t draw(std::uint64_t seed, std::uint64_t number, std::uint32_t item,
                                        std::uint32_t k, std::uint64_t below) noexcept {
    const std::array<std::uint32_t, 4> bits =
        philox({item, k, low_half(number), high_half(number)}, {low_half(seed), high_half(seed)});
    return static_cast<std::size_t>((bits[0] * below + (bits[1] * below >> 32)) >> 32);
  }
};

}  // namespace detail

template <class Weight>
struct engine<xgboost::lambdamart<Weight>, context> : detail::lambdamart_engine<Weight> {};

}  // namespace rankloss::inline RANKLOSS_ABI
