// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/data/random_bits.hpp>
#include <rankloss/detail/draws/softmax_loss.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/workspace.hpp>
#include <rankloss/xe_ndcg.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {
namespace detail {

/// Computes the target; the loss is that of softmax_loss.hpp.
struct xe_ndcg_engine {
  using Arch = xsimd::default_arch;  // of this translation unit, as the inline namespace says

  template <class T, class R>
  static double run(const xe_ndcg& loss, const list<T, R>& items, const list_outputs<T>& out,
                    workspace& scratch) {
    const std::size_t n = items.size();
    const workspace::scope scope(scratch);
    if (loss.gammas == rankloss::gammas::constant)
      return against(loss, items, out, scratch, [gamma = V(loss.gamma)](std::size_t, auto) { return gamma; });
    const std::span<std::uint32_t> bits = scratch.take<std::uint32_t>(padded_rows(n, lane_count<Arch>));
    random_bits(loss.seed, items.number, bits);
    return against(loss, items, out, scratch, [drawn = bits.data()](std::size_t i, auto) {
      return (load_row<Arch>(drawn + i) + V(0.5)) * V(0x1p-32);
    });
  }

 private:
  using V = lanes<Arch>;

  /// @param gamma_at  gamma_at(i, count): the gammas of a row of items
  template <class T, class R, class GammaAt>
  static double against(const xe_ndcg& loss, const list<T, R>& items, const list_outputs<T>& out,
                        workspace& scratch, const GammaAt& gamma_at) {
    double most = 0.0;
    for (std::size_t i = 0; i < items.size(); ++i)
      most = std::max(most, static_cast<double>(items.relevance[i]));
    // All terms are divided by 2^shift, which cancels because they are normalised to sum 1. Differences of
    // exponents are bounded by -1000, where the power is negligible.
    const V shift(most > 100.0 ? most : 0.0);
    const auto power = [](const V& x) { return exp2_minus_1(xsimd::max(x, V(-1000.0))) + V(1.0); };
    const V unit = power(-shift);
    // With a gamma of 1 the gains of very small relevance are proportional to it.
    const bool small = loss.gammas == rankloss::gammas::constant && loss.gamma == 1.0 && most < 1e-100;
    const auto with = [&](const auto& gain) {
      const auto target = make_target<Arch>(
          items.relevance, items.weights, small, scratch,
          [=](std::size_t i, auto count, const V& y, double own_unit) {
            return xsimd::max(gain(xsimd::max(y, V(0.0)), gamma_at(i, count), own_unit), V(0.0));
          });
      return softmax_loss<Arch>(
          items.scores, target, [](const auto&, double) { return 1.0; }, 0.0, loss.temperature, out, scratch);
    };
    if (small) return with([](const V& y, const V&, double own_unit) { return y * V(own_unit); });
    if (most > 100.0)
      return with([=](const V& y, const V& less, double) { return power(y - shift) - less * unit; });
    // 2^y - 1 + (1 - gamma) keeps the digits of small y.
    return with([](const V& y, const V& less, double) { return exp2_minus_1(y) + (V(1.0) - less); });
  }
};

}  // namespace detail

template <>
struct engine<xe_ndcg, context> : detail::xe_ndcg_engine {};

}  // namespace rankloss::inline RANKLOSS_ABI
