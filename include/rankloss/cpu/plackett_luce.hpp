// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/bradley_terry.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/data/outputs.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>
#include <rankloss/detail/draws/pair_order_loss.hpp>
#include <rankloss/detail/draws/stage_draws.hpp>
#include <rankloss/detail/orders/rest_sums.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/partial_order.hpp>
#include <rankloss/plackett_luce.hpp>
#include <rankloss/preference_batch.hpp>
#include <rankloss/ranknet.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {
namespace detail {

/// Likelihoods by pairs are computed by the losses of pairs. Exact likelihoods of levels are computed like
/// the ties of listmle, those of pairs by pair_order_loss.hpp.
struct plackett_luce_engine {
  using Arch = xsimd::default_arch;  // of this translation unit, as the inline namespace says

  template <class T>
  static double run(const plackett_luce& loss, const partial_order_batch<T>& batch, const outputs& out,
                    context& ctx) {
    const partial_order& order = batch.order;
    const std::size_t lists = order.lists();
    workspace& scratch = ctx.scratch();
    const workspace::scope scope(scratch);
    const output_sums sums(out, lists, scratch);
    const std::span<tier_excess> excess = scratch.take<tier_excess>(lists);
    const auto weight = [&](std::size_t l) {
      if (batch.reduction == reduction::mean_of_relevant && !order.has_pair(l)) return 0.0;
      return weight_of(batch.list_weights, l);
    };
    const weighted_mean mean(lists, weight, batch.reduction);

    ctx.run((lists + tuning::task_orders - 1) / tuning::task_orders,
            [&](std::size_t worker, std::size_t task) {
              for (std::size_t l = task * tuning::task_orders;
                   l < std::min(lists, (task + 1) * tuning::task_orders); ++l) {
                const auto of_list = [&](std::span<double> all) {
                  return all.empty() ? all : all.subspan(order.first(l), order.size(l));
                };
                excess[l] = {};
                const strided<const T> scores(batch.scores.subspan(order.first(l), order.size(l)));
                sums.values[l] = list_loss(loss, order, l, scores, of_list(sums.gradient),
                                           of_list(sums.hessian), excess[l], ctx.scratch(worker));
                const double w = mean.scaled(weight(l));
                for (double& g : of_list(sums.gradient)) g *= w;
                for (double& h : of_list(sums.hessian)) h *= w;
              }
            });
    for (std::size_t l = 0; l < lists; ++l) {
      if (excess[l].items == 0) continue;
      require(excess[l].items <= down_sets::most_items, "order: a tier of ", excess[l].items,
              " items in list ", l, ", expected at most ", down_sets::most_items,
              "; order_likelihood::by_pairs has no limit");
      fail("order: a tier of ", excess[l].items, " items in list ", l, " takes a table of ", excess[l].sets,
           " sets, expected at most ", loss.most_sets,
           " (most_sets); order_likelihood::by_pairs has no limit");
    }
    return sums.commit(mean, weight);
  }

 private:
  /// The loss of one list; writes its derivatives to gradient and hessian, which are 0 before, where they are
  /// not empty.
  template <class T>
  static double list_loss(const plackett_luce& loss, const partial_order& order, std::size_t l,
                          const strided<const T>& scores, std::span<double> gradient,
                          std::span<double> hessian, tier_excess& excess, workspace& scratch) {
    if (!order.has_pair(l)) return 0.0;
    const workspace::scope scope(scratch);
    const double value = loss.likelihood == order_likelihood::exact
                             ? exact_loss(loss, order, l, scores, gradient, hessian, excess, scratch)
                             : by_pairs_loss(loss, order, l, scores, gradient, hessian, scratch);
    return std::min(value, largest_term);
  }

  template <class T>
  static double exact_loss(const plackett_luce& loss, const partial_order& order, std::size_t l,
                           const strided<const T>& scores, std::span<double> gradient,
                           std::span<double> hessian, tier_excess& excess, workspace& scratch) {
    const double t = loss.temperature;
    if (order.by_levels()) {
      const rest_sums rests = sum_rests<Arch>(scores, order.sorted(l), t, scratch);
      const list_outputs<double> out{gradient, hessian};
      return levels_loss<Arch, double>(rests, order.levels(l).data(), order.sorted(l), out,
                                       order_outputs<double>(out, order.sorted(l), 1.0, t), scratch);
    }
    const auto worse = [&order, l](std::size_t i) { return order.worse(l, i); };
    const double value = pair_order_loss<Arch, T, decltype(worse)>(
        worse, order.sorted(l), t, loss.most_sets, scores, scratch)(gradient, hessian, excess);
    for (double& g : gradient) g /= t;
    for (double& h : hessian) h = h / t / t;
    return value;
  }

  template <class T>
  static double by_pairs_loss(const plackett_luce& loss, const partial_order& order, std::size_t l,
                              const strided<const T>& scores, std::span<double> gradient,
                              std::span<double> hessian, workspace& scratch) {
    const std::size_t n = order.size(l);
    constexpr double largest = std::min(static_cast<double>(std::numeric_limits<T>::max()), 1e300);
    const std::span<double> s = scratch.take<double>(n);
    for (std::size_t i = 0; i < n; ++i)
      s[i] = std::clamp(static_cast<double>(bounded(scores[i])), -largest, largest);
    if (order.by_levels()) {
      // The items that have a level are packed one after the other, and their results are moved back to where
      // the items are.
      const std::span<const std::uint32_t> levels = order.levels(l);
      const std::span<double> y = scratch.take<double>(n);
      std::size_t count = 0;
      for (std::size_t i = 0; i < n; ++i) {
        if (levels[i] == partial_order::no_level) continue;
        s[count] = s[i];
        y[count++] = -static_cast<double>(levels[i]);
      }
      const list<double, double> items{std::span<const double>(s).first(count),
                                       std::span<const double>(y).first(count)};
      const list_outputs<double> out{gradient.first(std::min(count, gradient.size())),
                                     hessian.first(std::min(count, hessian.size()))};
      const double value =
          compute(ranknet{.function = {.temperature = loss.temperature}}, items, out, scratch);
      for (const std::span<double> derivatives : {gradient, hessian}) {
        std::size_t from = count;
        for (std::size_t i = derivatives.size(); i-- > 0 && from <= i;)
          derivatives[i] = levels[i] == partial_order::no_level ? 0.0 : derivatives[--from];
      }
      return value;
    }
    double value = 0.0;
    const bradley_terry of_pair{.temperature = loss.temperature};
    for (std::size_t i = 0; i < n; ++i)
      for (const std::uint32_t j : order.worse(l, i)) {
        const preference_term term = of_pair(s[i], s[j], 0.0);
        value += term.value;
        if (!gradient.empty()) {
          gradient[i] += term.slope_preferred;
          gradient[j] += term.slope_other;
        }
        if (!hessian.empty()) {
          hessian[i] += term.curvature_preferred;
          hessian[j] += term.curvature_other;
        }
      }
    return value;
  }
};

}  // namespace detail

template <>
struct engine<plackett_luce, context> : detail::plackett_luce_engine {};

}  // namespace rankloss::inline RANKLOSS_ABI
