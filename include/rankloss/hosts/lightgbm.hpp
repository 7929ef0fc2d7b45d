// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/pairs/lambda_sums.hpp>
#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/gain.hpp>
#include <rankloss/pairs/weight.hpp>
#include <rankloss/random.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

/// The ranking objectives of LightGBM, for hosts that grow trees: gradients and Hessians by the rules of
/// LightGBM's src/objective/rank_objective.hpp (commit 7e18687), without the position bias of later versions.
/// LightGBM itself is not needed.
namespace rankloss::inline RANKLOSS_ABI::lightgbm {

/// Whether a normalization is applied.
enum class normalize { off, on };

/// lambdarank: logistic losses of pairs, weighted by the change of NDCG.
///
///     loss       = Z sum over the pairs i, j with y_i > y_j:  w_ij log(1 + exp(-sigmoid (s_i - s_j)))
///     gradient_i = derivative of that loss with w and Z held constant
///     hessian_i  = its second derivative with w and Z held constant
///     w_ij       = |G_i - G_j| |1/D(r_i) - 1/D(r_j)| / ideal DCG@truncation_level / (0.01 + |s_i - s_j|)
///     Z          = log2(1 + L) / L,  L the sum of |gradient| over both items of all pairs
///
/// Pairs are those with one of the first `truncation_level` items by score; D(r) = log2(1 + r). With
/// `norm = off`, w is not divided by 0.01 + |s_i - s_j|, and Z is 1. That division is also left out if all
/// scores of a list are equal.
///
///     const rankloss::lightgbm::lambdarank loss{.truncation_level = 10};
///
/// Burges: From RankNet to LambdaRank to LambdaMART: an overview, MSR-TR-2010-82; the other rules are
/// LightGBM's.
///
/// - The gradient is not the derivative of a value, because w and Z depend on the scores. The value is the
///   loss above, for logging.
/// - LightGBM sums over lists: use `reduction::sum`. Its weights of items are `item_weights`: they multiply
///   the outputs of their items.
/// - The sigmoid is exact. LightGBM reads it from a table of 2^20 steps of |sigmoid d| up to 25, and uses the
///   last step beyond. 1 + L keeps the digits of a small L. Lists may have more than LightGBM's 10000 items.
/// - The weight of a pair is the magnitude of its change, also where gain_table decreases; LightGBM would
///   change its sign there.
/// - Discounts divide, as on LightGBM's CPU; its CUDA kernel multiplies with log2(1 + r)
///   (src/objective/cuda/cuda_rank_objective.cu, 20996c9).
/// - Computed pair by pair: time O(k n) after a sort, with k the truncation level; scratch O(n). Equal scores
///   are in the order of the items, as in LightGBM, so alike items have the gradients of their places.
/// - Invariant under shifts of all scores; without item weights the gradient of a list sums to 0 up to
///   rounding. The Hessian is never negative.
/// - Edge cases: for a list without pairs, or without gain, everything is 0. An item of score -infinity has
///   no pairs but counts in the ideal DCG. For the question whether all scores are equal, one such item is
///   ignored, and several are not. Other infinite scores count as the largest finite numbers.
/// @throws std::invalid_argument from `evaluate` when an option is out of its range or a relevance has no
/// gain.
struct lambdarank {
  double sigmoid = 1.0;                               ///< 1e-15 to 1e15, factor on the scores
  std::size_t truncation_level = 30;                  ///< k of pairs and of the ideal DCG; 0: the whole list
  rankloss::gain gain = rankloss::gain::exponential;  ///< the gain of a grade; exponential: grades 0 to 30
  std::span<const double> gain_table{};               ///< [grades] >= 0, for gain::table: LightGBM's `label_gain`
  normalize norm = normalize::on;                     ///< `lambdarank_norm`

  static constexpr bool has_hessian = true;
  static constexpr bool is_slope = false;

  void validate() const {
    rankloss::detail::require(rankloss::detail::within(sigmoid, 1e-15, 1e15), "sigmoid: ", sigmoid, ", expected 1e-15 to 1e15");
    rankloss::detail::check_gain(gain, gain_table);
  }
  [[nodiscard]] bool takes(double y) const noexcept { return rankloss::detail::takes_grade(gain, gain_table, 30.0, y); }
  [[nodiscard]] std::string_view expects() const noexcept {
    if (gain == rankloss::gain::linear) return "at least 0";
    return gain == rankloss::gain::table ? "a whole number, 0 to the last of gain_table" : "a whole number, 0 to 30, or gain::table";
  }

  template <class T, class R, class Arch = xsimd::default_arch>
  double operator()(const list<T, R>& items, const list_outputs<T>& out, workspace& scratch) const {
    const workspace::scope scope(scratch);
    rankloss::detail::lambda_sums<Arch> sums(items, scratch);
    const std::size_t n = sums.size();
    const std::span<const std::uint32_t> item = sums.places().item;
    const auto ends = [&](std::size_t p) {
      return !rankloss::detail::is_finite(items.scores[item[p]]) && rankloss::detail::bounded(items.scores[item[p]]) < T{0};
    };
    const std::size_t worst = n > 1 && ends(n - 1) ? n - 2 : n - 1;
    std::size_t end = n;
    while (end > 0 && ends(end - 1)) --end;
    const bool spread = sums.score(0) != sums.score(worst);
    const rankloss::detail::lambda_rule rule{.sigmoid = sigmoid,
                                             .near = norm == normalize::on && spread ? static_cast<double>(0.01f) : 0.0,  // it is a float in LightGBM
                                             .hessian_factor = sigmoid * sigmoid};
    const auto weights = pairs::detail::prepare_gain_difference<Arch, double, true, false>(gain, gain_table, pairs::scale_by::ideal, truncation_level,
                                                                                           0, 0.0, items, sums.places(), scratch);
    sums.add_top(rule, weights, truncation_level > 0 ? truncation_level : n, end);
    return sums.write(items, out, norm == normalize::on ? sums.list_norm() : 1.0);
  }

  /// Whether the list counts in reduction::mean_of_relevant: whether it has a pair.
  template <class T, class R>
  [[nodiscard]] bool has_relevance(const list<T, R>& items) const noexcept {
    return rankloss::detail::has_pair(items);
  }
};

/// rank_xendcg: the cross-entropy between the softmax of the scores and a random distribution by relevance.
///
///     loss       = -sum_i p_i log rho_i,   p_i = phi_i / sum phi,   phi_i = 2^y_i - gamma_i,   rho = softmax(s)
///     gradient_i = a_i + b_i + c_i
///     a_i        = rho_i - p_i                                       the derivative of the loss
///     b_i        = rho_i sum_{j != i} a_j / (1 - rho_j)
///     c_i        = rho_i sum_{j != i} b_j / (1 - rho_j)
///     hessian_i  = rho_i (1 - rho_i)
///
///     const rankloss::lightgbm::rank_xendcg loss{.seed = round};
///
/// Bruch: An alternative cross entropy loss for learning-to-rank, WWW 2021, arXiv 1911.09798; the terms b and
/// c are LightGBM's.
///
/// - The gradient is not the derivative of the value; that derivative is a. The value is the loss above, for
///   logging.
/// - LightGBM sums over lists: use `reduction::sum`. Its weights of items are `item_weights`: they multiply
///   the outputs of their items.
/// - gamma in (0, 1) is Philox of (seed, number of the list, number of the item). LightGBM's generator
///   continues from round to round instead, so change the seed with the round.
/// - 1 - rho_i of the largest score is computed as a sum over the others, and b and c are taken in the limit
///   where it vanishes; LightGBM divides by it.
/// - Time and scratch O(n). Invariant under shifts of all scores.
/// - Edge cases: for a list of one item everything is 0. Infinite scores count as the largest finite numbers;
///   a value beyond the largest double is set to it.
/// @throws std::invalid_argument from `evaluate` when a relevance is out of its range.
struct rank_xendcg {
  std::uint64_t seed = 0;  ///< of gamma

  static constexpr bool has_hessian = true;
  static constexpr bool is_slope = false;

  [[nodiscard]] bool takes(double y) const noexcept { return y >= 0.0 && y <= most; }
  [[nodiscard]] std::string_view expects() const noexcept { return "0 to 1000, of which the whole part counts"; }

  template <class T, class R>
  double operator()(const list<T, R>& items, const list_outputs<T>& out, workspace& scratch) const {
    const std::size_t n = items.size();
    if (n == 1) {
      if (!out.gradient.empty()) out.gradient[0] = T{0};
      if (!out.hessian.empty()) out.hessian[0] = T{0};
      return 0.0;
    }
    const workspace::scope scope(scratch);
    const std::span<double> p = scratch.take<double>(n);
    const std::span<double> share = scratch.take<double>(n);  // exp(s - second greatest), but for the greatest
    const std::span<double> gradient = scratch.take<double>(n);
    const std::span<double> term = scratch.take<double>(n);  // a_j / (1 - rho_j), then b_j / (1 - rho_j)

    const auto score = [&](std::size_t i) { return static_cast<double>(rankloss::detail::bounded(items.scores[i])); };
    std::size_t top = 0;
    for (std::size_t i = 1; i < n; ++i)
      if (score(i) > score(top)) top = i;
    double second = score(top == 0 ? 1 : 0);
    for (std::size_t i = 0; i < n; ++i)
      if (i != top) second = std::max(second, score(i));

    double phi = 0.0;
    for (std::size_t i = 0; i < n; ++i) phi += p[i] = phi_of(items, i);
    for (double& x : p) x /= phi;
    double others = 0.0;
    for (std::size_t i = 0; i < n; ++i) others += share[i] = i == top ? 0.0 : std::exp(score(i) - second);
    const double gap = std::exp(second - score(top));
    const double inverse = 1.0 / (1.0 + others * gap);  // rho of the largest score
    const double rest = others * gap * inverse;         // 1 minus that
    const auto rho = [&](std::size_t i) { return i == top ? inverse : share[i] * gap * inverse; };
    const auto outside = [&](std::size_t i) { return i == top ? rest : 1.0 - rho(i); };

    // rho_j / (1 - rho_top) is the share of j among the others, however far the largest score is above them.
    const double top_a = inverse - p[top];
    double sum = 0.0;
    for (std::size_t i = 0; i < n; ++i) {
      gradient[i] = rho(i) - p[i];
      term[i] = i == top ? 0.0 : gradient[i] / outside(i);
      sum += term[i];
    }
    const double top_b = inverse * sum;
    double next = 0.0;
    for (std::size_t i = 0; i < n; ++i) {
      const double b = i == top ? top_b : rho(i) * (sum - term[i]) + share[i] / others * top_a;
      gradient[i] += b;
      term[i] = i == top ? 0.0 : b / outside(i);
      next += term[i];
    }
    double value = std::log1p(others * gap);
    for (std::size_t i = 0; i < n; ++i) {
      gradient[i] += i == top ? inverse * next : rho(i) * (next - term[i]) + share[i] / others * top_b;
      if (i != top) value += p[i] * (score(top) - score(i));
      const double weight = items.weights.empty() ? 1.0 : items.weights[i];
      if (!out.gradient.empty()) out.gradient[i] = narrow<T>(gradient[i] * weight);
      if (!out.hessian.empty()) out.hessian[i] = narrow<T>(rho(i) * outside(i) * weight);
    }
    return rankloss::detail::held_as<double>(value);
  }

 private:
  static constexpr double most = 1000.0;

  template <class T>
  [[nodiscard]] static T narrow(double x) noexcept {
    constexpr auto bound = static_cast<double>(std::numeric_limits<T>::max());
    return static_cast<T>(std::clamp(x, -bound, bound));
  }

  template <class T, class R>
  [[nodiscard]] double phi_of(const list<T, R>& items, std::size_t i) const noexcept {
    using rankloss::detail::high_half;
    using rankloss::detail::low_half;
    const std::array<std::uint32_t, 4> bits =
        philox({static_cast<std::uint32_t>(i), 0, low_half(items.number), high_half(items.number)}, {low_half(seed), high_half(seed)});
    const double gamma = (static_cast<double>(bits[0]) + 0.5) * 0x1p-32;
    return std::exp2(std::floor(std::clamp(static_cast<double>(items.relevance[i]), 0.0, most))) - gamma;
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::lightgbm
