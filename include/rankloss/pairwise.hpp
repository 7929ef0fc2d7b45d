// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/pair_loop.hpp>
#include <rankloss/detail/sorted_rows.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/pairs/function.hpp>
#include <rankloss/pairs/weight.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <type_traits>

namespace rankloss {

namespace pairs {

/// Which pairs a cutoff keeps.
enum class cut {
  either,  ///< those with an item among the first k by score
  both,    ///< those with both items among the first k by score
};

/// What the sum over the pairs of a list is divided by.
enum class average {
  none,    ///< 1: a list counts by its pairs
  pairs,   ///< the number of its pairs
  weight,  ///< the sum of the weights of its pairs
};

}  // namespace pairs

/// pairwise: a function of the score difference, summed over the pairs of which one item is more relevant than the other.
///
///     loss         = sum_{i, j: y_i > y_j} w_ij f(s_i - s_j) / Z
///     d(loss)/ds_m = (sum_{j: y_m > y_j} w_mj f'(s_m - s_j) - sum_{i: y_i > y_m} w_im f'(s_i - s_m)) / Z
///
/// f is one of pairs/function.hpp, w of pairs/weight.hpp times the item weight of i, the more relevant one: 1 / propensity of a click, say. Z is
/// 1, the number of the pairs or the sum of their weights. `ranknet`, `lambdarank` and the LambdaLoss family are this.
///
/// - Pair by pair: time O(n^2), with a cutoff k O(n k), after a sort where positions matter; scratch O(n).
/// - Invariant under shifts of all scores; the gradient of a list sums to 0 up to rounding. As convex as f, where w does not look at positions.
/// - Weights are constants to the gradient. Those by position jump where two items change places, and with them the value; between jumps the
///   gradient is its slope. Positions of equal scores are in the order of the items.
/// - Edge cases: without a pair, value and gradient are 0. Infinite scores count as the largest finite numbers; a value beyond the largest double
///   is that.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range.
template <class Function = pairs::logistic, class Weight = pairs::equal>
struct pairwise {
  Function function{};                            ///< f, of the score of the more relevant item less that of the other
  Weight weight{};                                ///< w
  std::size_t cutoff = 0;                         ///< k; 0: all pairs
  pairs::cut cut = pairs::cut::either;            ///< which pairs the cutoff keeps
  pairs::average average = pairs::average::none;  ///< Z

  static constexpr bool has_hessian = true;

  void validate() const {
    function.validate();
    weight.validate();
  }

  template <class T, class R, class Arch = xsimd::default_arch>
  double operator()(const list<T, R>& items, const list_outputs<T>& out, workspace& scratch) const {
    const workspace::scope scope(scratch);
    std::span<const std::uint32_t> order = order_of<T>(items.scores, scratch);
    const std::size_t k = cutoff > 0 ? std::min(cutoff, order.size()) : order.size();
    if (cut == pairs::cut::both) order = order.first(k);
    for (std::size_t i = 0; i < out.gradient.size(); ++i) out.gradient[i] = T{0};
    for (std::size_t i = 0; i < out.hessian.size(); ++i) out.hessian[i] = T{0};
    if constexpr (std::is_same_v<T, float>) {
      if (fits_float(items, order)) return run<Arch, float>(items, order, k, out, scratch);
    }
    return run<Arch, double>(items, order, k, out, scratch);
  }

  /// Whether the list counts in reduction::mean_of_relevant: it has a pair.
  template <class T, class R>
  [[nodiscard]] bool has_relevance(const list<T, R>& items) const noexcept {
    if constexpr (all_pairs) {
      for (std::size_t i = 0; i < items.size(); ++i)
        if (items.relevance[i] > R{0}) return true;
    } else {
      for (std::size_t i = 1; i < items.size(); ++i)
        if (level(items, i) != level(items, 0)) return true;
    }
    return false;
  }

 private:
  static constexpr bool by_position = requires { requires Weight::by_position; };
  static constexpr bool all_pairs = requires { requires Weight::all_pairs; };
  static constexpr bool binary = requires { requires Weight::binary; };
  static constexpr bool has_shares = requires(const Function& f, const xsimd::batch<double>& v) { f.of_shares(v, v, v); };

  template <class T, class R>
  [[nodiscard]] static double level(const list<T, R>& items, std::size_t i) noexcept {
    if constexpr (binary)
      return items.relevance[i] > R{0} ? 1.0 : 0.0;
    else
      return static_cast<double>(items.relevance[i]);
  }

  /// Which item is at which place: by score where positions matter, else as they come.
  template <class T>
  [[nodiscard]] std::span<const std::uint32_t> order_of(const strided<const T>& scores, workspace& scratch) const {
    if (by_position || cutoff > 0) return detail::sort_list<T>(scores, scratch).order;
    detail::require_countable(scores.size());
    const std::span<std::uint32_t> order = scratch.take<std::uint32_t>(scores.size());
    std::iota(order.begin(), order.end(), 0u);
    return order;
  }

  /// Lanes of float take half the time, where no sum is long, no number large, and no two grades become one.
  template <class T, class R>
  [[nodiscard]] bool fits_float(const list<T, R>& items, std::span<const std::uint32_t> order) const noexcept {
    constexpr std::size_t longest = 1024;
    if (order.size() > longest || items.size() == 0) return false;
    const auto [least, most] = detail::extremes_of(items.scores);
    if (!(static_cast<double>(most) - static_cast<double>(least) <= 160.0 * function.length())) return false;
    if (!(function.length() >= 1e-15 && function.length() <= 1e15)) return false;
    if constexpr (!std::is_same_v<R, float> && !(std::integral<R> && sizeof(R) <= 2)) {
      for (std::size_t i = 0; i < items.size(); ++i)
        if (static_cast<double>(static_cast<float>(items.relevance[i])) != static_cast<double>(items.relevance[i])) return false;
    }
    return true;
  }

  template <class Arch, class S, class T, class R>
  double run(const list<T, R>& items, std::span<const std::uint32_t> order, std::size_t first_end, const list_outputs<T>& out,
             workspace& scratch) const {
    const std::size_t n = order.size();
    const auto take = [&] { return pairs::detail::padded<S, Arch>(n, scratch); };
    const std::span<S> scores = take();
    const std::span<S> levels = take();
    const std::span<S> weights = items.weights.empty() ? std::span<S>() : take();
    // The difference of two scores has to be finite.
    constexpr T bound = sizeof(T) == sizeof(S) ? std::numeric_limits<T>::max() / 2 : std::numeric_limits<T>::max();
    for (std::size_t p = 0; p < n; ++p) {
      scores[p] = static_cast<S>(std::clamp(items.scores[order[p]], -bound, bound));
      levels[p] = static_cast<S>(level(items, order[p]));
      if (!weights.empty()) weights[p] = static_cast<S>(items.weights[order[p]]);
    }
    std::fill(levels.begin() + static_cast<std::ptrdiff_t>(n), levels.end(), std::numeric_limits<S>::quiet_NaN());
    const std::span<S> gradient = take();
    const std::span<S> hessian = out.hessian.empty() ? std::span<S>() : take();
    std::fill(gradient.begin(), gradient.end(), S{0});
    std::fill(hessian.begin(), hessian.end(), S{0});
    const detail::pair_items<S> arrays{n, scores, levels, weights, gradient, hessian};

    const auto prepared = weight.template prepare<Arch, S>(items, order, scratch);
    const auto sum = [&](const auto& f) {
      const auto loop = [&]<bool Hessian> {
        if constexpr (all_pairs)
          return detail::loop_over_all_pairs<Arch, Hessian>(arrays, first_end, f, prepared);
        else
          return detail::loop_over_ordered_pairs<Arch, Hessian>(arrays, first_end, f, prepared);
      };
      return hessian.empty() ? loop.template operator()<false>() : loop.template operator()<true>();
    };
    detail::pair_totals totals;
    bool done = false;
    if constexpr (has_shares) {
      const std::span<S> exponentials = take();
      done = fill_exponentials<Arch>(std::span<const S>(scores).first(n), exponentials);
      if (done) totals = sum(detail::by_shares<Arch, S, Function>{function, exponentials});
    }
    if (!done) totals = sum(detail::by_difference<Function>{function});

    const double divisor = average == pairs::average::none ? 1.0 : average == pairs::average::pairs ? totals.count : totals.weight;
    const double share = divisor > 0.0 ? 1.0 / divisor : 0.0;
    const auto write = [&](std::span<const S> from, const strided<T>& to) {
      constexpr auto most = static_cast<double>(std::numeric_limits<T>::max());
      if (to.empty()) return;
      for (std::size_t p = 0; p < n; ++p) to[order[p]] = static_cast<T>(std::clamp(share * static_cast<double>(from[p]), -most, most));
    };
    write(gradient, out.gradient);
    write(hessian, out.hessian);
    return std::min(share * totals.value, std::numeric_limits<double>::max());
  }

  /// exp(s / t), from the middle of the scores; `false` where they do not fit.
  template <class Arch, class S>
  [[nodiscard]] bool fill_exponentials(std::span<const S> scores, std::span<S> to) const {
    using V = xsimd::batch<S, Arch>;
    constexpr S widest = sizeof(S) == 4 ? S(160) : S(1300);
    if (scores.empty()) return false;
    const auto [least, most] = detail::extremes_of(scores);
    const S scale = static_cast<S>(1.0 / function.length());
    if (!((most - least) * scale <= widest)) return false;
    const S middle = least + (most - least) / 2;
    for (std::size_t p = 0; p < scores.size(); p += V::size)
      xsimd::exp((V::load_unaligned(scores.data() + p) - V(middle)) * V(scale)).store_unaligned(to.data() + p);
    std::fill(to.begin() + static_cast<std::ptrdiff_t>(scores.size()), to.end(), S{1});
    return true;
  }
};

}  // namespace rankloss
