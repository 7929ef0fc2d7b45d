// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/precision.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/pairs/gain_difference.hpp>
#include <rankloss/detail/pairs/lambda_sums.hpp>
#include <rankloss/detail/pairs/lane_pairs.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/hosts/lightgbm.hpp>
#include <rankloss/random.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {
namespace detail {

/// Pair by pair, in the order of the scores.
struct lightgbm_lambdarank_engine {
  using Arch = xsimd::default_arch;  // of this translation unit, as the inline namespace says

  template <class T, class R>
  static double run(const lightgbm::lambdarank& loss, const list<T, R>& items, const list_outputs<T>& out,
                    workspace& scratch) {
    const workspace::scope scope(scratch);
    lambda_sums<Arch> sums(items, scratch);
    const std::size_t n = sums.size();
    const std::span<const std::uint32_t> item = sums.order().item;
    const auto ends = [&](std::size_t p) {
      return !is_finite(items.scores[item[p]]) && bounded(items.scores[item[p]]) < T{0};
    };
    const std::size_t worst = n > 1 && ends(n - 1) ? n - 2 : n - 1;
    std::size_t end = n;
    while (end > 0 && ends(end - 1)) --end;
    const bool spread = sums.score(0) != sums.score(worst);
    const auto weights = prepare_gain_difference<Arch, double, true, false>(gains_of(loss), 0, 0.0, items,
                                                                            sums.order(), scratch);
    sums.add_top(rule_of(loss, spread), weights, top_of(loss, n), end);
    return sums.write(items, out, normalized(loss) ? lambda_norm(sums.lambda()) : 1.0);
  }

  // Short lists of floats, one in each lane.
  static constexpr std::size_t group_size() noexcept { return lane_count<Arch>; }
  template <class T>
  static constexpr std::size_t group_longest() noexcept {
    return by_precision<T>(tuning::longest_lambda_lanes, std::size_t{0});
  }

  template <class T, class R>
  static void run(const lightgbm::lambdarank& loss, std::span<const list<T, R>> lists,
                  std::span<const list_outputs<T>> out, std::span<double> values, workspace& scratch) {
    const workspace::scope scope(scratch);
    lane_pairs<Arch> pairs(lists, 1.0 / loss.sigmoid, scratch);
    pairs.weigh(lists, gains_of(loss), 0, scratch);
    pairs.sum_lambdas(rule_of(loss, true), top_of(loss, tuning::longest_lambda_lanes), scratch);
    for (std::size_t l = 0; l < lists.size(); ++l)
      values[l] = pairs.template has_lambdas<T>(l)
                      ? pairs.write_lambdas(l, lists[l], out[l], normalized(loss))
                      : run(loss, lists[l], out[l], scratch);
  }

 private:
  [[nodiscard]] static bool normalized(const lightgbm::lambdarank& loss) noexcept {
    return loss.norm == lightgbm::normalize::on;
  }
  [[nodiscard]] static lambda_rule rule_of(const lightgbm::lambdarank& loss, bool spread) noexcept {
    return {.sigmoid = loss.sigmoid,
            .near = normalized(loss) && spread ? static_cast<double>(0.01f) : 0.0,  // a float in LightGBM
            .hessian_factor = loss.sigmoid * loss.sigmoid};
  }
  [[nodiscard]] static gain_rule gains_of(const lightgbm::lambdarank& loss) noexcept {
    return {loss.gain, loss.gain_table, true, loss.truncation_level};
  }
  [[nodiscard]] static std::size_t top_of(const lightgbm::lambdarank& loss, std::size_t n) noexcept {
    return loss.truncation_level > 0 ? loss.truncation_level : n;
  }
};

/// In a few passes over the list.
struct rank_xendcg_engine {
  template <class T, class R>
  static double run(const lightgbm::rank_xendcg& loss, const list<T, R>& items, const list_outputs<T>& out,
                    workspace& scratch) {
    const std::size_t n = items.size();
    if (n == 1) {
      if (!out.gradient.empty()) out.gradient[0] = T{0};
      if (!out.hessian.empty()) out.hessian[0] = T{0};
      return 0.0;
    }
    const workspace::scope scope(scratch);
    const std::span<double> p = scratch.take<double>(n);
    const std::span<double> exponential =
        scratch.take<double>(n);  // exp(s - second greatest), but for the greatest
    const std::span<double> gradient = scratch.take<double>(n);
    const std::span<double> term = scratch.take<double>(n);  // a_j / (1 - rho_j), then b_j / (1 - rho_j)

    const auto score = [&](std::size_t i) { return static_cast<double>(bounded(items.scores[i])); };
    std::size_t top = 0;
    for (std::size_t i = 1; i < n; ++i)
      if (score(i) > score(top)) top = i;
    double second = score(top == 0 ? 1 : 0);
    for (std::size_t i = 0; i < n; ++i)
      if (i != top) second = std::max(second, score(i));

    double phi = 0.0;
    for (std::size_t i = 0; i < n; ++i) phi += p[i] = phi_of(loss, items, i);
    for (double& x : p) x /= phi;
    double others = 0.0;
    for (std::size_t i = 0; i < n; ++i)
      others += exponential[i] = i == top ? 0.0 : std::exp(score(i) - second);
    const double gap = std::exp(second - score(top));
    const double inverse = 1.0 / (1.0 + others * gap);  // rho of the largest score
    const double rest = others * gap * inverse;         // 1 minus that
    const auto rho = [&](std::size_t i) { return i == top ? inverse : exponential[i] * gap * inverse; };
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
      const double b = i == top ? top_b : rho(i) * (sum - term[i]) + exponential[i] / others * top_a;
      gradient[i] += b;
      term[i] = i == top ? 0.0 : b / outside(i);
      next += term[i];
    }
    double value = std::log1p(others * gap);
    for (std::size_t i = 0; i < n; ++i) {
      gradient[i] += i == top ? inverse * next : rho(i) * (next - term[i]) + exponential[i] / others * top_b;
      if (i != top) value += p[i] * (score(top) - score(i));
      const double weight = items.weights.empty() ? 1.0 : items.weights[i];
      if (!out.gradient.empty()) out.gradient[i] = narrow<T>(gradient[i] * weight);
      if (!out.hessian.empty()) out.hessian[i] = narrow<T>(rho(i) * outside(i) * weight);
    }
    return held_as<double>(value);
  }

 private:
  template <class T>
  [[nodiscard]] static T narrow(double x) noexcept {
    constexpr auto bound = static_cast<double>(std::numeric_limits<T>::max());
    return static_cast<T>(std::clamp(x, -bound, bound));
  }

  template <class T, class R>
  [[nodiscard]] static double phi_of(const lightgbm::rank_xendcg& loss, const list<T, R>& items,
                                     std::size_t i) noexcept {
    const std::array<std::uint32_t, 4> bits =
        philox({static_cast<std::uint32_t>(i), 0, low_half(items.number), high_half(items.number)},
               {low_half(loss.seed), high_half(loss.seed)});
    const double gamma = (static_cast<double>(bits[0]) + 0.5) * 0x1p-32;
    return std::exp2(std::floor(
               std::clamp(static_cast<double>(items.relevance[i]), 0.0, lightgbm::rank_xendcg::most))) -
           gamma;
  }
};

}  // namespace detail

template <>
struct engine<lightgbm::lambdarank, context> : detail::lightgbm_lambdarank_engine {};

template <>
struct engine<lightgbm::rank_xendcg, context> : detail::rank_xendcg_engine {};

}  // namespace rankloss::inline RANKLOSS_ABI
