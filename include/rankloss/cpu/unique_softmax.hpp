// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/data/contiguous_items.hpp>
#include <rankloss/detail/draws/stage_draws.hpp>
#include <rankloss/detail/orders/rest_sums.hpp>
#include <rankloss/detail/sorting/relevance_order.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/gain.hpp>
#include <rankloss/unique_softmax.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {
namespace detail {

/// Goes through the grades from the greatest down. The items that are less relevant than a grade are the end
/// of the order, so one sum over them serves all items of the grade.
struct unique_softmax_engine {
  template <class T, class R>
  static double run(const unique_softmax& loss, const list<T, R>& items, const list_outputs<T>& out,
                    workspace& scratch) {
    const std::size_t n = items.size();
    const workspace::scope scope(scratch);
    const R* y = contiguous_items(items.relevance, scratch);
    const std::span<const std::uint32_t> order = order_by_relevance(y, n, nullptr, scratch);
    const std::span<double> gains = scratch.take<double>(n);
    double mass = 0.0;
    for (std::size_t k = 0; k < n; ++k) {
      const std::size_t i = order[k];
      gains[k] =
          std::min(worth(loss, static_cast<double>(y[i])) * (items.weights.empty() ? 1.0 : items.weights[i]),
                   largest_term);
      mass = std::max(mass, gains[k]);
    }
    if (!(mass > 0.0)) {
      clear(out);
      return 0.0;
    }
    const order_outputs<T> outputs(out, order, mass, loss.temperature);
    const rest_sums rests = sum_rests<xsimd::default_arch>(items.scores, order, loss.temperature, scratch);
    const bool derivatives = !out.gradient.empty() || !out.hessian.empty();
    rest_pulls pulls(rests);
    double value = 0.0;
    for_each_level(y, order, [&](std::size_t begin, std::size_t end) {
      double a = 0.0;
      double b = 0.0;
      const double others = end < n ? std::log(rests.sum[end]) : 0.0;
      for (std::size_t k = begin; k < end; ++k) {
        const double own = gains[k] / mass;
        double q = 0.0;  // 1 - p_i
        if (end < n && own > 0.0) {
          const double d = rests.between(rests.s[k], rests.most[end]) - others;
          const double u = std::exp(-std::abs(d));
          q = (d > 0.0 ? u : 1.0) / (1.0 + u);
          value += own * (std::max(-d, 0.0) + std::log1p(u));
        }
        if (derivatives) {
          const auto [first, second] = pulls.at(k);
          outputs.write(k, first - own * q, first - second + own * q * (1.0 - q));
        }
        a += own * q;
        b += own * q * q;
      }
      if (end < n && a > 0.0) pulls.add(end, a, b);
    });
    return std::min(mass * value, largest_term);
  }

 private:
  [[nodiscard]] static double worth(const unique_softmax& loss, double y) noexcept {
    if (loss.gain == rankloss::gain::table)
      return y >= 0.0 && y < static_cast<double>(loss.gain_table.size())
                 ? loss.gain_table[static_cast<std::size_t>(y)]
                 : 0.0;
    // expm1 keeps the digits of small grades.
    return std::clamp(
        loss.gain == rankloss::gain::linear ? y : std::expm1(std::numbers::ln2 * std::min(y, 1000.0)), 0.0,
        largest_term);
  }
};

}  // namespace detail

template <>
struct engine<unique_softmax, context> : detail::unique_softmax_engine {};

}  // namespace rankloss::inline RANKLOSS_ABI
