// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/data/contiguous_items.hpp>
#include <rankloss/detail/lists/matrix_source.hpp>
#include <rankloss/detail/lists/similarity_run.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/siglip.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>

namespace rankloss::inline RANKLOSS_ABI {
namespace detail {

/// A row of items at a time, in one pass. A term softplus(x) is max(x, 0) + log(1 + exp(-|x|)); the second
/// parts are summed as the logarithm of a product.
struct siglip_engine {
  using Arch = xsimd::default_arch;  // of this translation unit, as the inline namespace says

  template <class T, class R>
  static double run(const siglip& loss, const list<T, R>& items, const list_outputs<T>& out,
                    workspace& scratch) {
    using V = lanes<Arch>;
    const std::size_t n = items.size();
    const workspace::scope scope(scratch);
    const T* s = contiguous_items(items.scores, scratch);
    const R* y = contiguous_items(items.relevance, scratch);

    const V largest_score(static_cast<double>(std::numeric_limits<T>::max())), largest(largest_term);
    const V inverse(1.0 / loss.temperature), bias(loss.bias), zero(0.0);
    V above(0.0);
    double logarithms = 0.0;
    const auto sum_up = [&](const auto& differentiate) {
      constexpr std::size_t chunk = log1p_product<Arch>::most_rows * lane_count<Arch>;
      for (std::size_t first = 0; first < n; first += chunk) {
        log1p_product<Arch> product;
        for_rows<Arch>(std::min(chunk, n - first), [&](std::size_t k, auto count) {
          const std::size_t i = first + k;
          const V score =
              xsimd::min(xsimd::max(load_items<Arch>(s + i, count), -largest_score), largest_score);
          const V scaled = xsimd::min(xsimd::max(score * inverse, -largest), largest);
          const V z = scaled + bias;
          const auto positive = load_items<Arch>(y + i, count) > zero;
          const V x = xsimd::select(positive, -z, z);
          const V u = only_items<Arch>(count, exp_below<T>(xsimd::abs(x)));
          above += only_items<Arch>(count, xsimd::max(x, zero));
          product.multiply(u);
          differentiate(i, count, scaled, positive, x, u);
        });
        logarithms += product.sum();
      }
    };

    if (out.gradient.empty() && out.temperature_gradient == nullptr && out.bias_gradient == nullptr) {
      sum_up([](std::size_t, auto, const V&, const auto&, const V&, const V&) {});
    } else {
      // The slopes by the options without the gradient are rare: it is computed and discarded.
      T* g = out.gradient.empty() ? scratch.take<T>(n).data() : contiguous_output(out.gradient, scratch);
      const V unit(bounded_factor<T>(1.0 / loss.temperature)), one(1.0);
      V by_bias(0.0), by_scaled(0.0);
      sum_up([&](std::size_t i, auto count, const V& scaled, const auto& positive, const V& x, const V& u) {
        const V high = one / (one + u);
        const V size = xsimd::select(x >= zero, high, u * high);
        const V slope = only_items<Arch>(count, xsimd::select(positive, -size, size));
        by_bias += slope;
        by_scaled = xsimd::fma(slope, scaled, by_scaled);
        store_items<Arch>(g + i, count, slope * unit);
      });
      spread(g, out.gradient);
      if (out.bias_gradient != nullptr) *out.bias_gradient = sum_of(by_bias);
      if (out.temperature_gradient != nullptr)
        *out.temperature_gradient = held_as<double>(-sum_of(by_scaled) / loss.temperature);
    }
    return std::min(sum_of(above) + logarithms, largest_term);
  }

  template <class T, class R>
  static double run(const siglip& loss, const similarity_batch<T, R>& batch, const outputs& out, context& ctx,
                    double factor) {
    return run_directions(loss, batch, loss.over, list_relevance::matches, out, ctx, factor);
  }
};

}  // namespace detail

template <>
struct engine<siglip, context> : detail::siglip_engine {};

}  // namespace rankloss::inline RANKLOSS_ABI
