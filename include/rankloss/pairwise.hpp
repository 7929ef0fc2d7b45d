// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/data/extremes.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>
#include <rankloss/detail/pairs/alike.hpp>
#include <rankloss/detail/pairs/pair_loop.hpp>
#include <rankloss/detail/pairs/pair_scan.hpp>
#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/pairs/function.hpp>
#include <rankloss/pairs/weight.hpp>
#include <rankloss/workspace.hpp>

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

namespace pairs {

/// Which pairs a cutoff keeps.
enum class cut {
  either,  ///< those with an item among the first k by score
  both,    ///< those with both items among the first k by score
};

/// The divisor of the sum over the pairs of a list.
enum class average {
  none,    ///< 1: lists with more pairs count more
  pairs,   ///< the number of its pairs
  weight,  ///< the sum of the weights of its pairs
};

}  // namespace pairs

/// pairwise: a function of the score difference, summed over the pairs in which one item is more relevant
/// than the other.
///
///     loss         = sum_{i, j: y_i > y_j} w_ij f(s_i - s_j) / Z
///     d(loss)/ds_m = (sum_{j: y_m > y_j} w_mj f'(s_m - s_j) - sum_{i: y_i > y_m} w_im f'(s_i - s_m)) / Z
///
/// f is one of pairs/function.hpp. w is one of pairs/weight.hpp, times the item weight of i, the more
/// relevant item; such a weight is, for example, 1 / propensity of a click. Z is 1, the number of the pairs,
/// or the sum of their weights. `ranknet`, `lambdarank` and the LambdaLoss family are special cases.
///
/// - Lists of at least 512 items take near-linear time where f is logistic or soft_zero_one and w is equal,
///   relevance_difference or one of the delta weights: a sort and O(n) for few grades, O(n log n) for
///   real-valued relevance (detail/pairs/pair_scan.hpp). Lists of at least 256 items take O(n log L) for L levels
///   where f is hinge, squared_hinge, squared_difference or quantile, w is equal, and no cutoff is given
///   (detail/pairs/pair_merge.hpp). Everything else, and the Hessians of the first group, is computed pair by pair
///   in O(n^2), or O(n k) with a cutoff k. Scratch is always O(n).
/// - Float gradients are within 2e-6 and double gradients within 1e-13 of the O(n^2) sum, relative to the
///   largest entry.
/// - Invariant under shifts of all scores; the gradient of a list sums to 0 up to rounding. Convex if f is
///   and w does not depend on positions.
/// - The gradient takes weights as constants. Weights by position jump where two items change places, and the
///   value jumps with them; between jumps the gradient is the derivative of the value. Positions of equal
///   scores, for weights and cutoffs, are in the order of the items; items that are alike in score, relevance
///   and weight get the mean of their derivatives, which is the mean over all orders of these items
///   (detail/pairs/alike.hpp).
/// - Edge cases: without a pair, value and gradient are 0. Infinite scores count as the largest finite
///   numbers. The value of a pair beyond 1e290 counts as 1e290, and a value or derivative beyond the largest
///   number of its type as that number. Weights may be of any size.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range or the weight does not
/// accept a relevance.
template <class Function = pairs::logistic, class Weight = pairs::equal>
struct pairwise {
  Function function{};                            ///< f, of the more relevant item's score less the other's
  Weight weight{};                                ///< w
  std::size_t cutoff = 0;                         ///< k; 0: all pairs
  pairs::cut cut = pairs::cut::either;            ///< which pairs the cutoff keeps
  pairs::average average = pairs::average::none;  ///< Z

  static constexpr bool has_hessian = true;

  void validate() const {
    function.validate();
    weight.validate();
  }

  /// The weight, so that its own checks of the data are made.
  template <class Visit>
  void for_each_part(const Visit& visit) const {
    detail::for_each_part(weight, visit);
  }

  template <class T, class R, class Arch = xsimd::default_arch>
  double operator()(const list<T, R>& items, const list_outputs<T>& out, workspace& scratch) const {
    const workspace::scope scope(scratch);
    if constexpr (has_scan)
      if (out.hessian.empty() && items.size() >= shortest_scan) return run_scan<Arch>(items, out, scratch);
    if constexpr (has_hinges)
      if (cutoff == 0 && items.size() >= shortest_merge) return run_merge(items, out, scratch);
    const detail::sorted_list<T> by_score = at_places() ? detail::sort_list<T>(items.scores, scratch) : detail::sorted_list<T>{};
    places at = place(items, by_score, scratch);
    const std::size_t k = cutoff > 0 ? std::min(cutoff, at.size()) : at.size();
    if (cut == pairs::cut::both && cutoff > 0) at = {at.item.first(k), at.rank.first(at.rank.empty() ? 0 : k)};
    for (std::size_t i = 0; i < out.gradient.size(); ++i) out.gradient[i] = T{0};
    for (std::size_t i = 0; i < out.hessian.size(); ++i) out.hessian[i] = T{0};
    double value = 0.0;
    bool narrow = false;
    if constexpr (std::is_same_v<T, float>) {
      narrow = fits_float(items, at);
      if (narrow) value = run<Arch, float>(items, at, k, out, scratch);
    }
    if (!narrow) value = run<Arch, double>(items, at, k, out, scratch);
    if (at_places()) detail::share_among_alike(items, by_score, out, scratch);
    return value;
  }

 private:
  static constexpr bool by_position = requires { requires Weight::by_position; };
  static constexpr bool all_pairs = requires { requires Weight::all_pairs; };
  static constexpr bool binary = requires { requires Weight::binary; };
  static constexpr bool has_scan = requires {
    Weight::channel_count;
    Function::kernel;
  };
  static constexpr std::size_t shortest_scan = 512;
  static constexpr bool has_hinges = std::same_as<Weight, pairs::equal> && requires(const Function& f) { f.hinges(); };
  static constexpr std::size_t shortest_merge = 256;
  static constexpr bool has_shares = requires(const Function& f, const xsimd::batch<double>& v) { f.of_shares(v, v, v); };

  template <class T, class R>
  [[nodiscard]] static double level(const list<T, R>& items, std::size_t i) noexcept {
    if constexpr (binary)
      return items.relevance[i] > R{0} ? 1.0 : 0.0;
    else
      return static_cast<double>(items.relevance[i]);
  }

  /// Whether the order of the items decides between equal scores.
  [[nodiscard]] bool at_places() const noexcept { return by_position || cutoff > 0; }

  using places = pairs::detail::places;
  static constexpr bool by_place = requires { requires Weight::by_place; };

  /// The order of the items: by score where places are ranks or a cutoff counts them; otherwise by level, so
  /// that no pair has to be searched for. For all pairs: the given order.
  template <class T, class R>
  [[nodiscard]] places place(const list<T, R>& items, const detail::sorted_list<T>& by_score, workspace& scratch) const {
    const std::size_t n = items.size();
    detail::require_countable(n);
    const std::span<std::uint32_t> rank = scratch.take<std::uint32_t>(by_position ? n : 0);
    const std::span<std::uint32_t> item = scratch.take<std::uint32_t>(n);
    const workspace::scope scope(scratch);
    if (by_place || cutoff > 0) {
      std::copy(by_score.order.begin(), by_score.order.end(), item.begin());
      std::iota(rank.begin(), rank.end(), 0u);
      return {item, rank};
    }
    if constexpr (by_position) {
      // Ranks by item, temporarily stored in `item`.
      for (std::size_t p = 0; p < n; ++p) item[by_score.order[p]] = static_cast<std::uint32_t>(p);
    }
    const std::span<std::uint32_t> order = scratch.take<std::uint32_t>(n);
    if (all_pairs)
      std::iota(order.begin(), order.end(), 0u);
    else
      order_by_level(items, order, scratch);
    if constexpr (by_position)
      for (std::size_t p = 0; p < n; ++p) rank[p] = item[order[p]];
    std::copy(order.begin(), order.end(), item.begin());
    return {item, rank};
  }

  static constexpr std::size_t most_grades = 64;

  /// The number of items of each grade, where all levels are small whole numbers.
  template <class T, class R>
  [[nodiscard]] static bool count_grades(const list<T, R>& items, std::array<std::uint32_t, most_grades>& counts) noexcept {
    bool all_whole = true;
    for (std::size_t i = 0; i < items.size(); ++i) {
      const double y = level(items, i);
      const bool inside = y >= 0.0 && y < static_cast<double>(most_grades);
      const auto grade = static_cast<std::size_t>(inside ? y : 0.0);
      all_whole = all_whole && inside && static_cast<double>(grade) == y;
      ++counts[grade];
    }
    return all_whole;
  }

  /// The items in descending order of relevance; items of equal relevance keep their order.
  template <class T, class R>
  static void order_by_level(const list<T, R>& items, std::span<std::uint32_t> order, workspace& scratch) {
    std::array<std::uint32_t, most_grades> counts{};
    if (!count_grades(items, counts)) return sort_by_level(items, order, scratch);
    std::uint32_t start = 0;
    for (std::size_t grade = most_grades; grade-- > 0;) start += std::exchange(counts[grade], start);
    for (std::size_t i = 0; i < order.size(); ++i) order[counts[static_cast<std::size_t>(level(items, i))]++] = static_cast<std::uint32_t>(i);
  }
  template <class T, class R>
  static void sort_by_level(const list<T, R>& items, std::span<std::uint32_t> order, workspace& scratch) {
    using key_type = std::conditional_t<std::is_same_v<R, float>, float, double>;
    using record = detail::keyed<detail::key_of<key_type>, std::uint32_t>;
    std::span<record> records = scratch.take<record>(order.size());
    for (std::size_t i = 0; i < order.size(); ++i)
      records[i] = {detail::descending_key(static_cast<key_type>(level(items, i))), static_cast<std::uint32_t>(i)};
    records = detail::sort_by_key(records, scratch.take<record>(order.size()), scratch);
    for (std::size_t p = 0; p < order.size(); ++p) order[p] = records[p].payload;
  }

  /// Lanes of float take half the time. They are used where no sum is long, no number is large, and no two
  /// grades become equal in float.
  template <class T, class R>
  [[nodiscard]] bool fits_float(const list<T, R>& items, const places& at) const noexcept {
    constexpr std::size_t longest = 256;  // with more summands, roundings in the same direction add up
    if (at.size() > longest || items.size() == 0) return false;
    const auto [least, most] = detail::extremes_of(items.scores);
    double range = 160.0;
    if constexpr (requires { Function::float_range; }) range = Function::float_range;
    if (!(static_cast<double>(most) - static_cast<double>(least) <= range * function.length())) return false;
    constexpr double largest = 1e10;  // squares of numbers up to this, summed over all pairs, fit in a float
    if (!(function.length() >= 1.0 / largest && function.length() <= largest)) return false;
    if constexpr (requires { Function::relevance_shift; }) {
      if (Function::relevance_shift > 0.0) {  // the function sees differences of relevance
        const auto levels = detail::extremes_of(items.relevance);
        if (!(static_cast<double>(levels.least) >= -largest && static_cast<double>(levels.most) <= largest)) return false;
      }
    }
    if constexpr (!std::is_same_v<R, float> && !(std::integral<R> && sizeof(R) <= 2)) {
      for (std::size_t i = 0; i < items.size(); ++i)
        if (static_cast<double>(static_cast<float>(items.relevance[i])) != static_cast<double>(items.relevance[i])) return false;
    }
    return true;
  }

  /// Numbers the levels of relevance by item, in ascending order; returns how many there are.
  template <class T, class R>
  [[nodiscard]] static std::uint32_t number_levels(const list<T, R>& items, std::span<std::uint32_t> numbers, workspace& scratch) {
    if constexpr (binary) {
      // This is not a table of two entries: GCC 12 reads outside of such a table when it vectorises the loop
      // (docs/numerics.md).
      const std::size_t n = items.size();
      std::size_t relevant = 0;
      for (std::size_t i = 0; i < n; ++i) relevant += items.relevance[i] > R{0} ? 1 : 0;
      const std::uint32_t upper = relevant < n ? 1 : 0;
      for (std::size_t i = 0; i < n; ++i) numbers[i] = items.relevance[i] > R{0} ? upper : 0;
      return relevant > 0 ? upper + 1 : 1;
    }
    std::array<std::uint32_t, most_grades> grades{};
    if (count_grades(items, grades)) {
      std::uint32_t count = 0;
      for (std::uint32_t& grade : grades) grade = grade > 0 ? count++ : 0;
      for (std::size_t i = 0; i < items.size(); ++i) numbers[i] = grades[static_cast<std::size_t>(level(items, i))];
      return count;
    }
    const workspace::scope scope(scratch);
    const std::span<std::uint32_t> order = scratch.take<std::uint32_t>(items.size());
    sort_by_level(items, order, scratch);
    std::uint32_t number = 0;
    for (std::size_t p = order.size(); p-- > 0;) {
      if (p + 1 < order.size() && level(items, order[p]) != level(items, order[p + 1])) ++number;
      numbers[order[p]] = number;
    }
    return number + 1;
  }

  /// Long lists, by the sums in pair_scan.hpp.
  template <class Arch, class T, class R>
  double run_scan(const list<T, R>& items, const list_outputs<T>& out, workspace& scratch) const {
    const std::span<std::uint32_t> numbers = scratch.take<std::uint32_t>(items.size());
    const std::uint32_t level_count = number_levels(items, numbers, scratch);
    if constexpr (requires { Weight::graded_channel_count; })
      if (level_count <= detail::scan_terms<T>::most_graded)
        return run_scan<Arch, true, Weight::graded_channel_count>(items, numbers, level_count, out, scratch);
    return run_scan<Arch, false, Weight::channel_count>(items, numbers, level_count, out, scratch);
  }
  template <class Arch, bool Graded, std::size_t C, class T, class R>
  double run_scan(const list<T, R>& items, std::span<const std::uint32_t> numbers, std::uint32_t level_count, const list_outputs<T>& out,
                  workspace& scratch) const {
    const std::size_t all = items.size();
    const detail::sorted_list<T> sorted = detail::sort_list<T>(items.scores, scratch);
    const std::size_t k = cutoff > 0 ? std::min(cutoff, all) : all;
    const std::size_t n = cut == pairs::cut::both ? k : all;
    const std::span<std::uint32_t> ranks = scratch.take<std::uint32_t>(n);
    std::iota(ranks.begin(), ranks.end(), 0u);
    const places at{sorted.order.first(n), ranks};

    detail::scan_list<T, C> list_of;
    list_of.n = n;
    list_of.counted = k;
    list_of.scores = scratch.take<double>(n);
    list_of.levels = scratch.take<std::uint32_t>(n);
    const bool weighted = !items.weights.empty();
    const double unit = weight_unit(items);
    if (weighted) list_of.weights = pairs::detail::padded<T, Arch>(n, scratch);
    constexpr double bound = std::numeric_limits<double>::max() / 2;
    for (std::size_t p = 0; p < n; ++p) {
      list_of.scores[p] = std::clamp(static_cast<double>(sorted.x[p]), -bound, bound);
      list_of.levels[p] = numbers[at.item[p]];
      if (weighted) list_of.weights[p] = static_cast<T>(items.weights[at.item[p]] * unit);
    }
    pairs::detail::channels<T, C> channels;
    for (std::size_t c = 0; c < C; ++c) {
      channels.upper[c] = list_of.upper[c] = pairs::detail::padded<T, Arch>(n, scratch);
      channels.lower[c] = list_of.lower[c] = pairs::detail::padded<T, Arch>(n, scratch);
    }
    if constexpr (Graded) {
      const std::span<double> gains = scratch.take<double>(level_count);
      weight.template fill_graded<Arch>(items, at, list_of.levels, channels, gains, scratch);
      list_of.gains = gains;
    } else {
      weight.template fill<Arch>(items, at, channels, scratch);
    }
    const std::span<double> gradient = scratch.take<double>(n);
    std::fill(gradient.begin(), gradient.end(), 0.0);
    const auto sum = [&]<bool Weighted> {
      detail::pair_scan<Arch, T, C, Weighted, by_position, Graded, Function> scan(function, Graded ? 1.0 : Weight::wrong_sign, scratch);
      scan.run(list_of, level_count, gradient);
      return scan.totals();
    };
    detail::pair_totals totals = weighted ? sum.template operator()<true>() : sum.template operator()<false>();
    if (average == pairs::average::pairs) totals.count = count_pairs(list_of.levels, k, level_count, scratch);
    const scaled_share share = share_of(totals, items, unit, function.factor());
    for (std::size_t i = 0; i < out.gradient.size() && n < all; ++i) out.gradient[i] = T{0};
    write<T>(gradient, share.over(function.length()), at.item, out.gradient);
    if (at_places()) detail::share_among_alike(items, sorted, out, scratch);
    return share.of(totals.value);
  }

  /// Long lists, by the sums in pair_merge.hpp.
  template <class T, class R>
  double run_merge(const list<T, R>& items, const list_outputs<T>& out, workspace& scratch) const {
    using record = detail::keyed<std::uint64_t, std::uint32_t>;
    const std::size_t n = items.size();
    const std::span<std::uint32_t> numbers = scratch.take<std::uint32_t>(n);
    const std::uint32_t level_count = number_levels(items, numbers, scratch);
    // In units in which squares of scores, margins and relevance can be summed.
    auto hinges = function.hinges();
    double largest = 0.0;
    for (std::size_t i = 0; i < n; ++i) {
      largest = std::max(largest, std::abs(static_cast<double>(detail::bounded(items.scores[i]))));
      if (Function::relevance_shift > 0.0) largest = std::max(largest, std::abs(level(items, i)));
    }
    for (const detail::hinge_sum& f : hinges) largest = std::max(largest, f.margin);
    const int far = largest > 0x1p480 ? std::ilogb(largest) - 480 : 0;
    const double near = std::ldexp(1.0, -far);
    for (detail::hinge_sum& f : hinges) f.margin *= near;
    std::span<record> records = scratch.take<record>(n);
    const auto place_of = [&](std::size_t i) {
      return near * static_cast<double>(detail::bounded(items.scores[i])) - near * (Function::relevance_shift * level(items, i));
    };
    for (std::size_t i = 0; i < n; ++i) records[i] = {detail::descending_key(place_of(i)), static_cast<std::uint32_t>(i)};
    records = detail::sort_by_key(records, scratch.take<record>(n), scratch);

    // Level by level, the most relevant first.
    const std::span<std::uint32_t> starts = scratch.take<std::uint32_t>(level_count + 1);
    std::fill(starts.begin(), starts.end(), 0u);
    for (std::size_t i = 0; i < n; ++i) ++starts[level_count - numbers[i]];
    std::partial_sum(starts.begin(), starts.end(), starts.begin());
    const std::span<std::uint32_t> next = scratch.take<std::uint32_t>(level_count);
    std::copy_n(starts.begin(), level_count, next.begin());
    const double unit = weight_unit(items);
    const std::span<detail::merge_item> by_level = scratch.take<detail::merge_item>(n);
    for (const record& r : records) {
      const std::uint32_t i = r.payload;
      by_level[next[level_count - 1 - numbers[i]]++] = {place_of(i), items.weights.empty() ? 1.0 : items.weights[i] * unit, i};
    }
    detail::pair_totals totals;
    double all_weight = 0.0;
    for (std::uint32_t l = 0; l < level_count; ++l) {
      const auto losers = static_cast<double>(n - starts[l + 1]);
      for (std::size_t p = starts[l]; p < starts[l + 1]; ++p) all_weight += by_level[p].weight * losers;
      totals.count += losers * static_cast<double>(starts[l + 1] - starts[l]);
    }
    totals.weight = all_weight;
    const std::span<double> gradient = scratch.take<double>(n);
    const std::span<double> hessian = scratch.take<double>(out.hessian.empty() ? 0 : n);
    std::fill(gradient.begin(), gradient.end(), 0.0);
    std::fill(hessian.begin(), hessian.end(), 0.0);
    totals.value = detail::merge_hinges(by_level, starts, hinges, scratch.take<detail::merge_item>(n), gradient, hessian);
    const auto share = [&](int degree) { return share_of(totals, items, unit, 1.0, degree * far); };
    const std::span<std::uint32_t> itself = numbers;
    std::iota(itself.begin(), itself.end(), 0u);
    write<T>(gradient, share(hinges[0].power - 1), itself, out.gradient);
    write<T>(hessian, share(0), itself, out.hessian);
    return share(hinges[0].power).of(totals.value);
  }

  /// Pairs of different level with an item among the first k.
  [[nodiscard]] static double count_pairs(std::span<const std::uint32_t> levels, std::size_t k, std::uint32_t level_count, workspace& scratch) {
    const workspace::scope scope(scratch);
    const std::span<std::uint32_t> seen = scratch.take<std::uint32_t>(level_count);
    std::fill(seen.begin(), seen.end(), 0u);
    double count = 0.0;
    for (std::size_t i = 0; i < levels.size(); ++i) {
      count += static_cast<double>(std::min(i, k) - seen[levels[i]]);
      if (i < k) ++seen[levels[i]];
    }
    return count;
  }

  /// The factor on item weights, a power of two, with which no sum of weighted pairs overflows and none is
  /// lost in a float.
  template <class T, class R>
  [[nodiscard]] static double weight_unit(const list<T, R>& items) noexcept {
    return items.weights.empty() ? 1.0 : detail::unit_of(static_cast<double>(detail::extremes_of(items.weights).most));
  }

  /// A factor on the sums over pairs, in two parts: their product may exceed the largest double where the sum
  /// is so small that the result does not.
  struct scaled_share {
    double first, second;  // second is a power of two

    [[nodiscard]] double of(double sum) const noexcept { return detail::held_as<double>(detail::held_as<double>(sum) * first * second); }
    [[nodiscard]] scaled_share over(double length) const noexcept { return {first / length, second}; }
  };

  /// 2^exponent factor / Z, without the units of the weights.
  template <class T, class R>
  [[nodiscard]] scaled_share share_of(const detail::pair_totals& totals, const list<T, R>& items, double unit, double factor = 1.0,
                                      int exponent = 0) const noexcept {
    const double divisor = average == pairs::average::none ? 1.0 : average == pairs::average::pairs ? totals.count : totals.weight;
    const double share = divisor > 0.0 ? factor / divisor : 0.0;
    if (average != pairs::average::weight) {
      if (unit != 1.0) exponent -= std::ilogb(unit);
      if constexpr (requires { weight.exponent(items); }) exponent += weight.exponent(items);
    }
    if (exponent == 0) return {share, 1.0};
    exponent = std::clamp(exponent, -2000, 2000);
    return {share * std::ldexp(1.0, exponent / 2), std::ldexp(1.0, exponent - exponent / 2)};
  }
  /// From places to items.
  template <class T, class S>
  static void write(std::span<S> from, const scaled_share& share, std::span<const std::uint32_t> item, const strided<T>& to) noexcept {
    if (to.empty()) return;
    for (std::size_t p = 0; p < item.size(); ++p) to[item[p]] = detail::held_as<T>(static_cast<double>(from[p]) * share.first * share.second);
  }

  template <class Arch, class S, class T, class R>
  double run(const list<T, R>& items, const places& at, std::size_t first_end, const list_outputs<T>& out, workspace& scratch) const {
    const std::size_t n = at.size();
    const auto take = [&] { return pairs::detail::padded<S, Arch>(n, scratch); };
    const std::span<S> scores = take();
    const std::span<S> levels = take();
    const std::span<S> weights = items.weights.empty() ? std::span<S>() : take();
    const double unit = weight_unit(items);
    // The difference of two scores has to be finite.
    constexpr T bound = sizeof(T) == sizeof(S) ? std::numeric_limits<T>::max() / 2 : std::numeric_limits<T>::max();
    for (std::size_t p = 0; p < n; ++p) {
      scores[p] = static_cast<S>(std::clamp(detail::bounded(items.scores[at.item[p]]), -bound, bound));
      levels[p] = static_cast<S>(level(items, at.item[p]));
      if (!weights.empty()) weights[p] = static_cast<S>(items.weights[at.item[p]] * unit);
    }
    const std::span<S> gradient = take();
    const std::span<S> hessian = out.hessian.empty() ? std::span<S>() : take();
    std::fill(gradient.begin(), gradient.end(), S{0});
    std::fill(hessian.begin(), hessian.end(), S{0});
    const detail::pair_items<S> arrays{0, n, scores, levels, weights, gradient, hessian};

    const auto prepared = weight.template prepare<Arch, S>(items, at, scratch);
    const auto sum = [&](const auto& f) {
      const auto loop = [&]<bool Hessian> {
        if constexpr (all_pairs)
          return detail::loop_over_all_pairs<Arch, Hessian>(arrays, first_end, f, prepared);
        else
          return by_place || cutoff > 0 ? detail::loop_over_places<Arch, Hessian>(arrays, first_end, f, prepared)
                                        : detail::loop_over_levels<Arch, Hessian>(arrays, f, prepared);
      };
      return hessian.empty() ? loop.template operator()<false>() : loop.template operator()<true>();
    };
    detail::pair_totals totals;
    bool done = false;
    if constexpr (has_shares) {
      const std::span<S> exponentials = take();
      const std::span<const S> kept = scores.first(n);
      if (n > 0) {
        const auto [least, most] = detail::extremes_of(kept);
        done = detail::fill_exponentials<Arch>(kept, least, most, 1.0 / function.length(), exponentials);
      }
      if (done) totals = sum(detail::by_shares<Arch, S, Function>{function, exponentials});
    }
    if (!done) totals = sum(detail::by_difference<Function>{function});

    const scaled_share share = share_of(totals, items, unit);
    write<T>(gradient, share, at.item, out.gradient);
    if (!hessian.empty()) write<T>(hessian, share, at.item, out.hessian);
    return share.of(totals.value);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI
