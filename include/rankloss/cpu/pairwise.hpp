// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/pieces.hpp>
#include <rankloss/detail/base/precision.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/data/contiguous_items.hpp>
#include <rankloss/detail/data/counted_by.hpp>
#include <rankloss/detail/data/extremes.hpp>
#include <rankloss/detail/pairs/alike.hpp>
#include <rankloss/detail/pairs/float_pairs.hpp>
#include <rankloss/detail/pairs/lane_pairs.hpp>
#include <rankloss/detail/pairs/ordered_items.hpp>
#include <rankloss/detail/pairs/pair_levels.hpp>
#include <rankloss/detail/pairs/pair_loop.hpp>
#include <rankloss/detail/pairs/pair_merge.hpp>
#include <rankloss/detail/pairs/pair_scan.hpp>
#include <rankloss/detail/pairs/preferred_weights.hpp>
#include <rankloss/detail/pairs/rank_scan.hpp>
#include <rankloss/detail/pairs/rank_terms.hpp>
#include <rankloss/detail/pairs/scaled_factor.hpp>
#include <rankloss/detail/pairs/weight_channels.hpp>
#include <rankloss/detail/sorting/argsort.hpp>
#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/pairwise.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <type_traits>
#include <utility>

namespace rankloss::inline RANKLOSS_ABI {
namespace detail {

/// Long lists are computed by sums of exponentials or by merging where the function and the weight allow it.
/// All others are computed pair by pair.
template <class Function, class Weight>
struct pairwise_engine {
  using Arch = xsimd::default_arch;  // of this translation unit, as the inline namespace says
  using loss_type = pairwise<Function, Weight>;
  using computed_function = pair_function<Function>;
  using computed_weight = pair_weight<Weight>;

  template <class T, class R>
  static double run(const loss_type& loss, const list<T, R>& items, const list_outputs<T>& out,
                    workspace& scratch) {
    const workspace::scope scope(scratch);
    if constexpr (has_scan || has_rank_scan)
      if (out.hessian.empty() && takes_scan<T>(loss, items.size())) {
        const std::span<std::uint32_t> numbers = scratch.take<std::uint32_t>(items.size());
        const std::uint32_t level_count = levels_of::number_levels(items, numbers, scratch);
        const preferred_weights<levels_of, T, R> weights(items, all_pairs, scratch);
        const auto scan = [&]<bool ByLevel, std::size_t C> {
          bool lost = false;
          double value =
              run_scan<T, ByLevel, C>(loss, items, weights, numbers, level_count, out, lost, scratch);
          if constexpr (single_precision<T>)
            if (lost)
              value = run_scan<double, ByLevel, C>(loss, items, weights, numbers, level_count, out, lost,
                                                   scratch);
          return value;
        };
        if constexpr (requires { computed_weight::level_channel_count; })
          if (level_count <= tuning::most_by_level)
            return scan.template operator()<true, computed_weight::level_channel_count>();
        if constexpr (has_scan) return scan.template operator()<false, computed_weight::channel_count>();
      }
    if constexpr (has_hinges)
      if (loss.cutoff == 0 && items.size() >= tuning::shortest_merge)
        return run_merge(loss, items, out, scratch);
    const sorted_list<T> by_score =
        takes_item_order(loss) ? sort_list<T>(items.scores, scratch) : sorted_list<T>{};
    ordered_items at = arrange(loss, items, by_score, scratch);
    const std::size_t k = counted_by(loss.cutoff, at.size());
    if (loss.keep == pairs::keep::both && loss.cutoff > 0)
      at = {at.item.first(k), at.position_by_score.first(at.position_by_score.empty() ? 0 : k)};
    clear(out);
    const preferred_weights<levels_of, T, R> weights(items, all_pairs, scratch);
    double value = 0.0;
    bool lost = true;
    if constexpr (single_precision<T>)
      if (fits_float<computed_function>(loss.function.score_scale(), items, at.size()))
        value = run_pairs<float>(loss, items, weights, at, k, out, lost, scratch);
    if (lost) value = run_pairs<double>(loss, items, weights, at, k, out, lost, scratch);
    if (takes_item_order(loss)) average_alike(items, by_score, out, scratch);
    return value;
  }

  // Short lists of floats, one in each lane, where the function and the weight allow it.
  static constexpr bool has_lanes = requires(const computed_function& f, const xsimd::batch<double>& v) {
    f.of_probabilities(v, v, v);
  }
  &&(std::same_as<Weight, pairs::equal> || std::same_as<Weight, pairs::delta_ndcg>);
  static constexpr std::size_t group_size() noexcept requires has_lanes { return lane_count<Arch>; }
  template <class T>
  requires has_lanes static constexpr std::size_t group_longest() noexcept {
    return by_precision<T>(uses_ranks ? tuning::longest_ranked_lane_pairs : tuning::longest_lane_pairs,
                           std::size_t{0});
  }

  template <class T, class R>
  requires has_lanes static void run(const loss_type& loss, std::span<const list<T, R>> lists,
                                     std::span<const list_outputs<T>> out, std::span<double> values,
                                     workspace& scratch) {
    const workspace::scope scope(scratch);
    std::array<bool, lane_count<Arch>> done{};
    // Weights of 1 change no bit, so lists that have them are computed as those without.
    const auto is_plain = [](const list<T, R>& items) {
      bool plain = true;
      for (std::size_t i = 0; i < items.weights.size(); ++i) plain = plain && items.weights[i] == 1.0;
      return plain;
    };
    if (loss.cutoff == 0 && out[0].hessian.empty() && std::any_of(lists.begin(), lists.end(), is_plain)) {
      lane_pairs<Arch> pairs(lists, loss.function.score_scale(), scratch);
      if constexpr (uses_ranks) pairs.weigh(lists, gain_rule_of(loss.weight), loss.weight.cutoff, scratch);
      pairs.template sum<uses_ranks>(computed_function{loss.function});
      for (std::size_t l = 0; l < lists.size(); ++l) {
        // Of equal scores, the order of the items decides in ways that average_alike undoes.
        if (!is_plain(lists[l]) || !pairs.is_narrow(l) || (uses_ranks && pairs.has_ties(l))) continue;
        const scaled_factor scaled = factor_of(loss, pairs.totals(l), lists[l], 1.0);
        pairs.write(l, lists[l].size(), scaled, out[l].gradient);
        values[l] = scaled.of(pairs.totals(l).value);
        done[l] = true;
      }
    }
    for (std::size_t l = 0; l < lists.size(); ++l)
      if (!done[l]) values[l] = run(loss, lists[l], out[l], scratch);
  }

 private:
  static constexpr bool uses_ranks = requires { requires Weight::uses_ranks; };
  static constexpr bool all_pairs = requires { requires Weight::all_pairs; };
  static constexpr bool binary = requires { requires Weight::binary; };
  static constexpr bool in_score_order = requires { requires computed_weight::in_score_order; };
  static constexpr bool has_scan = requires {
    computed_weight::channel_count;
    computed_function::kernel;
  };
  static constexpr bool has_rank_scan = requires(const computed_weight& weight) {
    weight.by_distance();
    requires computed_function::kernel == pair_kernel::logistic;
  };
  static constexpr bool has_hinges =
      std::same_as<Weight, pairs::equal> && requires(const computed_function& f) {
    f.hinges();
  };
  static constexpr bool has_probabilities =
      requires(const computed_function& f, const xsimd::batch<double>& v) {
    f.of_probabilities(v, v, v);
  };
  using levels_of = pair_levels<binary>;

  /// Whether the order of the items decides between equal scores.
  [[nodiscard]] static bool takes_item_order(const loss_type& loss) noexcept {
    return uses_ranks || loss.cutoff > 0;
  }

  /// The order of the items: by score where positions are ranks or there is a cutoff, otherwise by level, so
  /// that the pairs of different level need not be searched for. Where all pairs count the items keep their
  /// order.
  template <class T, class R>
  [[nodiscard]] static ordered_items arrange(const loss_type& loss, const list<T, R>& items,
                                             const sorted_list<T>& by_score, workspace& scratch) {
    const std::size_t n = items.size();
    require_countable(n);
    const std::span<std::uint32_t> rank = scratch.take<std::uint32_t>(uses_ranks ? n : 0);
    const std::span<std::uint32_t> item = scratch.take<std::uint32_t>(n);
    const workspace::scope scope(scratch);
    if (in_score_order || loss.cutoff > 0) {
      std::copy(by_score.order.begin(), by_score.order.end(), item.begin());
      std::iota(rank.begin(), rank.end(), 0u);
      return {item, rank};
    }
    if constexpr (uses_ranks) {
      // Ranks by item, temporarily stored in `item`.
      for (std::size_t p = 0; p < n; ++p) item[by_score.order[p]] = static_cast<std::uint32_t>(p);
    }
    std::span<const std::uint32_t> order;
    if (all_pairs) {
      const std::span<std::uint32_t> as_given = scratch.take<std::uint32_t>(n);
      std::iota(as_given.begin(), as_given.end(), 0u);
      order = as_given;
    } else {
      order = levels_of::order_items(items, scratch);
    }
    if constexpr (uses_ranks)
      for (std::size_t p = 0; p < n; ++p) rank[p] = item[order[p]];
    std::copy(order.begin(), order.end(), item.begin());
    return {item, rank};
  }

  /// Whether a list of n items is long enough for a scan, and not too long.
  template <class T>
  [[nodiscard]] static bool takes_scan(const loss_type& loss, std::size_t n) noexcept {
    if constexpr (!has_rank_scan) {
      return n >= tuning::shortest_scan<T>;
    } else {
      // With a cutoff an item has fewer pairs: as many as in a shorter list.
      const std::size_t k = counted_by(loss.cutoff, n);
      const std::size_t as_in = loss.keep == pairs::keep::both ? k : n > 0 ? k + k * (n - k) / n : 0;
      return as_in >= tuning::shortest_rank_scan<T> && n <= rank_terms<T>::longest;
    }
  }

  /// Computes long lists by the sums of pair_scan.hpp and rank_scan.hpp, with weights of type S. `lost`: nothing
  /// is written, since S has not the range that the result asks for.
  template <class S, bool ByLevel, std::size_t C, class T, class R>
  static double run_scan(const loss_type& loss, const list<T, R>& items,
                         const preferred_weights<levels_of, T, R>& weights,
                         std::span<const std::uint32_t> numbers, std::uint32_t level_count,
                         const list_outputs<T>& out, bool& lost, workspace& scratch) {
    const workspace::scope scope(scratch);
    const computed_function function{loss.function};
    const computed_weight weight{loss.weight};
    const std::size_t all = items.size();
    const sorted_list<T> sorted = sort_list<T>(items.scores, scratch);
    const std::size_t k = counted_by(loss.cutoff, all);
    const std::size_t n = loss.keep == pairs::keep::both ? k : all;
    const std::span<std::uint32_t> ranks = scratch.take<std::uint32_t>(n);
    const ordered_items at{sorted.order.first(n), ranks};

    sorted_items<S, C> list_of;
    list_of.n = n;
    list_of.counted = k;
    list_of.scores = scratch.take<double>(n);
    list_of.levels = scratch.take<std::uint32_t>(n);
    const bool weighted = !weights.empty();
    if (weighted) list_of.weights = padded<S, Arch>(n, scratch);
    const auto gather = [&]<bool Weighted> {
      for_each_item(scratch, n, [=](std::size_t p) {
        constexpr double bound = std::numeric_limits<double>::max() / 2;
        const std::uint32_t item = at.item[p];
        ranks[p] = static_cast<std::uint32_t>(p);
        list_of.scores[p] = std::clamp(static_cast<double>(sorted.x[p]), -bound, bound);
        list_of.levels[p] = numbers[item];
        if constexpr (Weighted) list_of.weights[p] = static_cast<S>(weights[item]);
      });
    };
    weighted ? gather.template operator()<true>() : gather.template operator()<false>();
    weight_channels<double, C> channels;
    for (std::size_t c = 0; c < C; ++c) {
      channels.upper[c] = list_of.upper[c] = scratch.take<double>(n);
      channels.lower[c] = list_of.lower[c] = scratch.take<double>(n);
    }
    if constexpr (ByLevel) {
      const std::span<double> gains = scratch.take<double>(level_count);
      weight.template fill_by_level<Arch>(items, at, numbers, channels, gains, scratch);
      list_of.gains = gains;
    } else {
      weight.template fill<Arch>(items, at, channels, scratch);
    }
    const std::span<double> gradient = scratch.take<double>(n);
    for_each_item(scratch, n, [=](std::size_t p) { gradient[p] = 0.0; });
    pair_totals totals;
    const auto sum = [&]<bool Weighted> {
      if constexpr (has_rank_scan)
        if (const double factor = weight.by_distance(); level_count > 1 && factor > 0.0) {
          const rank_scan<Arch, S, C, Weighted, computed_function> scan(
              list_of, level_count, 1.0 / function.score_scale(), factor, gradient, scratch);
          totals = scan.totals();
        }
      if constexpr (C > 0) {
        constexpr bool differences = requires { computed_weight::differences; };
        double wrong_sign = 1.0;
        if constexpr (!ByLevel) wrong_sign = computed_weight::wrong_sign;
        pair_scan<Arch, S, C, Weighted, uses_ranks, ByLevel, differences, computed_function> scan(
            function, wrong_sign, scratch);
        scan.run(list_of, level_count, gradient);
        totals.add(scan.totals());
      }
    };
    // Only lists of weights need scans of another type than their own.
    if constexpr (std::same_as<S, T>)
      weighted ? sum.template operator()<true>() : sum.template operator()<false>();
    else
      sum.template operator()<true>();
    lost = single_precision<S> && weighted && level_count > 1 && lost_in_float(totals.value, gradient);
    if (lost) return 0.0;
    if (loss.average == pairs::average::pairs)
      totals.count = pairs_of_levels(list_of.levels, k, level_count, scratch);
    const scaled_factor scaled = factor_of(loss, totals, items, weights.unit(), function.factor());
    if (n < all) clear(out);
    write_by_position<T>(gradient, scaled.over(function.score_scale()), at.item, out.gradient, scratch);
    if (takes_item_order(loss)) average_alike(items, sorted, out, scratch);
    return scaled.of(totals.value);
  }

  /// Computes long lists by the sums of pair_merge.hpp.
  template <class T, class R>
  static double run_merge(const loss_type& loss, const list<T, R>& items, const list_outputs<T>& out,
                          workspace& scratch) {
    const std::size_t n = items.size();
    const std::span<std::uint32_t> numbers = scratch.take<std::uint32_t>(n);
    const std::uint32_t level_count = levels_of::number_levels(items, numbers, scratch);
    // Scores, margins and relevance are scaled by a power of two so that sums of their squares are finite.
    auto hinges = computed_function{loss.function}.hinges();
    double largest = 0.0;
    for (std::size_t i = 0; i < n; ++i) {
      largest = std::max(largest, std::abs(static_cast<double>(bounded(items.scores[i]))));
      if (computed_function::relevance_shift > 0.0)
        largest = std::max(largest, std::abs(levels_of::of(items, i)));
    }
    for (const hinge_sum& f : hinges) largest = std::max(largest, f.margin);
    const int far = largest > 0x1p480 ? std::ilogb(largest) - 480 : 0;
    const double near = std::ldexp(1.0, -far);
    for (hinge_sum& f : hinges) f.margin *= near;
    const double centre = computed_function::relevance_shift > 0.0 ? exact_centre(items.scores) : 0.0;
    const auto shifted_score_of = [&](std::size_t i) {
      return near * opaque(static_cast<double>(bounded(items.scores[i])) - centre) -
             near * (computed_function::relevance_shift * levels_of::of(items, i));
    };
    const auto sorted = items_by_key<key_of<double>>(
        n, scratch, [&](std::size_t i) { return descending_key(shifted_score_of(i)); });

    const preferred_weights<levels_of, T, R> weights(items, all_pairs, scratch);
    const merge_levels levels(level_count, n, scratch, [&](std::size_t p) {
      const std::uint32_t i = sorted[p].payload;
      const double weight = weights.empty() ? 1.0 : weights[i];
      return std::pair(numbers[i], merge_item{shifted_score_of(i), weight, i});
    });
    pair_totals totals = levels.totals();
    const std::span<double> gradient = scratch.take<double>(n);
    const std::span<double> hessian = scratch.take<double>(out.hessian.empty() ? 0 : n);
    std::fill(gradient.begin(), gradient.end(), 0.0);
    std::fill(hessian.begin(), hessian.end(), 0.0);
    totals.value =
        merge_hinges(levels.items, levels.starts, hinges, scratch.take<merge_item>(n), gradient, hessian);
    const auto scaled = [&](int degree) {
      return factor_of(loss, totals, items, weights.unit(), 1.0, degree * far);
    };
    const std::span<std::uint32_t> itself = numbers;
    std::iota(itself.begin(), itself.end(), 0u);
    write_by_position<T>(gradient, scaled(hinges[0].power - 1), itself, out.gradient, scratch);
    write_by_position<T>(hessian, scaled(0), itself, out.hessian, scratch);
    return scaled(hinges[0].power).of(totals.value);
  }

  /// 2^exponent factor / Z, where Z is the divisor of the average. Undoes the scaling of the weights.
  template <class T, class R>
  [[nodiscard]] static scaled_factor factor_of(const loss_type& loss, const pair_totals& totals,
                                               const list<T, R>& items, double unit, double factor = 1.0,
                                               int exponent = 0) noexcept {
    const double divisor = loss.average == pairs::average::none    ? 1.0
                           : loss.average == pairs::average::pairs ? totals.count
                                                                   : totals.weight;
    if (loss.average != pairs::average::weight) {
      const computed_weight weight{loss.weight};
      if (unit != 1.0) exponent -= std::ilogb(unit);
      if constexpr (requires { weight.exponent(items); }) exponent += weight.exponent(items);
    }
    return scaled_factor_of(factor, divisor, exponent);
  }

  /// Computes the pairs one by one, in lanes of S. `lost`: as in run_scan.
  template <class S, class T, class R>
  static double run_pairs(const loss_type& loss, const list<T, R>& items,
                          const preferred_weights<levels_of, T, R>& item_weights, const ordered_items& at,
                          std::size_t first_end, const list_outputs<T>& out, bool& lost, workspace& scratch) {
    const workspace::scope scope(scratch);
    const computed_function function{loss.function};
    const computed_weight weight{loss.weight};
    const std::size_t n = at.size();
    const auto take = [&] { return padded<S, Arch>(n, scratch); };
    const std::span<S> scores = take();
    const std::span<S> levels = take();
    const std::span<S> weights = item_weights.empty() ? std::span<S>() : take();
    // The difference of two scores has to be finite.
    constexpr T bound =
        sizeof(T) == sizeof(S) ? std::numeric_limits<T>::max() / 2 : std::numeric_limits<T>::max();
    for (std::size_t p = 0; p < n; ++p) {
      scores[p] = static_cast<S>(std::clamp(bounded(items.scores[at.item[p]]), -bound, bound));
      levels[p] = static_cast<S>(levels_of::of(items, at.item[p]));
      if (!weights.empty()) weights[p] = static_cast<S>(item_weights[at.item[p]]);
    }
    const std::span<S> gradient = take();
    const std::span<S> hessian = out.hessian.empty() ? std::span<S>() : take();
    std::fill(gradient.begin(), gradient.end(), S{0});
    std::fill(hessian.begin(), hessian.end(), S{0});
    const std::span<double> slopes = scratch.take<double>(n);
    const std::span<double> bends = scratch.take<double>(hessian.empty() ? 0 : n);
    std::fill(slopes.begin(), slopes.end(), 0.0);
    std::fill(bends.begin(), bends.end(), 0.0);

    const auto prepared = weight.template prepare<Arch, S>(items, at, scratch);
    const auto sum = [&](const auto& f) {
      const auto loop = [&]<bool Hessian>(const pair_items<S>& arrays, std::size_t end) {
        if constexpr (all_pairs)
          return loop_over_all_pairs<Arch, Hessian>(arrays, end, f, prepared);
        else
          return in_score_order || loss.cutoff > 0
                     ? loop_over_positions<Arch, Hessian>(arrays, end, f, prepared)
                     : loop_over_levels<Arch, Hessian>(arrays, end, f, prepared);
      };
      // What an item gets from the items before it is added up one by one: in float lanes from a few of them at a time.
      const std::size_t most =
          single_precision<S> ? tuning::float_summands : std::max(first_end, std::size_t{1});
      pair_totals all;
      for (std::size_t begin = 0; begin < first_end; begin += most) {
        const std::size_t end = std::min(begin + most, first_end);
        const pair_items<S> arrays{begin, n, scores, levels, weights, gradient, hessian};
        const pair_totals some = hessian.empty() ? loop.template operator()<false>(arrays, end)
                                                 : loop.template operator()<true>(arrays, end);
        all.add(some);
        move_sums(gradient, begin, slopes);
        move_sums(hessian, begin, bends);
      }
      return all;
    };
    pair_totals totals;
    bool done = false;
    if constexpr (has_probabilities) {
      const std::span<S> exponentials = take();
      const std::span<const S> kept = scores.first(n);
      if (n > 0) {
        const auto [least, most] = extremes_of(kept);
        done = fill_exponentials<Arch>(kept, least, most, 1.0 / function.score_scale(), exponentials);
      }
      if (done) totals = sum(by_probabilities<Arch, S, computed_function>{function, exponentials});
    }
    if (!done) totals = sum(by_difference<computed_function>{function});

    lost = single_precision<S> && totals.count > 0.0 &&
           (lost_in_float(totals.value, slopes) || (!bends.empty() && lost_in_float(totals.value, bends)));
    if (lost) return 0.0;
    const scaled_factor scaled = factor_of(loss, totals, items, item_weights.unit());
    write_by_position<T>(slopes, scaled, at.item, out.gradient, scratch);
    if (!hessian.empty()) write_by_position<T>(bends, scaled, at.item, out.hessian, scratch);
    return scaled.of(totals.value);
  }
};

}  // namespace detail

template <class Function, class Weight>
struct engine<pairwise<Function, Weight>, context> : detail::pairwise_engine<Function, Weight> {};

}  // namespace rankloss::inline RANKLOSS_ABI
