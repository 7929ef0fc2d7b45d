// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The target that the softmax of the scores is compared with: v_i >= 0, padded with 0 to whole rows of
/// lanes, and their sum. Both are multiplied by powers of two where the products of weight and relevance are
/// very large or very small.
struct softmax_target {
  std::span<double> v;
  double total = 0.0;
  double weight_unit = 1.0, relevance_unit = 1.0;  ///< powers of two that v is multiplied by

  /// The sum without the units, at most largest_term.
  [[nodiscard]] double mass() const noexcept {
    return std::min(total / weight_unit / relevance_unit, largest_term);
  }
};

/// v_i = weight_i * of(i, y_i, unit), where `of` works on lanes. `scales`: `of` multiplies its result by
/// `unit`, a power of two; otherwise `unit` is always 1.
template <class Arch, class R, class Of>
[[nodiscard]] softmax_target make_target(const strided<const R>& relevance,
                                         const strided<const double>& weights, bool scales,
                                         workspace& scratch, Of of) {
  using V = lanes<Arch>;
  const std::size_t n = relevance.size();
  const std::span<double> v = scratch.take<double>(padded_rows(n, lane_count<Arch>));
  const workspace::scope copies(scratch);
  const R* y = contiguous_items(relevance, scratch);
  const double* w = weights.empty() ? nullptr : contiguous_items(weights, scratch);
  const auto fill = [&](double weight_unit, double relevance_unit) {
    V sum(0.0);
    const auto put = [&](std::size_t i, auto count, const V& value) {
      const V own = only_items<Arch>(count, value);
      own.store_aligned(v.data() + i);
      sum += own;
    };
    if (w == nullptr)
      for_rows<Arch>(n, [&](std::size_t i, auto count) {
        put(i, count, of(i, load_items<Arch>(y + i, count), relevance_unit));
      });
    else
      for_rows<Arch>(n, [&](std::size_t i, auto count) {
        put(i, count,
            of(i, load_items<Arch>(y + i, count), relevance_unit) *
                (load_items<Arch>(w + i, count) * V(weight_unit)));
      });
    return softmax_target{v, sum_of(sum), weight_unit, relevance_unit};
  };
  const softmax_target plain = fill(1.0, 1.0);
  if (n == 0 || (plain.total >= 1e-200 && plain.total <= 1e200)) return plain;
  return fill(w == nullptr ? 1.0 : unit_of(largest_of<Arch>(w, n)),
              scales ? unit_of(static_cast<double>(largest_of<Arch>(y, n))) : 1.0);
}

/// The relevance itself; negative relevance counts as 0.
template <class Arch, class R>
[[nodiscard]] softmax_target target_of_relevance(const strided<const R>& relevance,
                                                 const strided<const double>& weights, workspace& scratch) {
  using V = lanes<Arch>;
  return make_target<Arch>(relevance, weights, true, scratch, [](std::size_t, const V& y, double unit) {
    return xsimd::max(y, V(0.0)) * V(unit);
  });
}

/// exp(y / temperature), divided by the greatest such value among the items with a positive weight.
template <class Arch, class T, class R>
[[nodiscard]] softmax_target target_of_softmax(const strided<const R>& relevance,
                                               const strided<const double>& weights, double temperature,
                                               workspace& scratch) {
  using V = lanes<Arch>;
  const std::size_t n = relevance.size();
  double most = std::numeric_limits<double>::lowest();
  if (weights.empty()) {
    const workspace::scope copies(scratch);
    most = static_cast<double>(largest_of<Arch>(contiguous_items(relevance, scratch), n));
  } else {
    for (std::size_t i = 0; i < n; ++i)
      if (weights[i] > 0.0) most = std::max(most, static_cast<double>(relevance[i]));
  }
  const score_distance<Arch, double> below(most, temperature);
  return make_target<Arch>(relevance, weights, false, scratch,
                           [&](std::size_t, const V& y, double) { return exp_below<T>(below(y)); });
}

/// The cross entropy of a target with the softmax of the scores, plus the first term of its expansion in
/// 1 - p:
///
///     q_i = v_i / sum v,  p = softmax(s / temperature)
///     mass * -sum_i q_i log p_i + poly * (1 - sum_i q_i p_i)
template <class Arch, class T>
double softmax_loss(const strided<const T>& scores, softmax_target target, double mass, double poly,
                    double temperature, const list_outputs<T>& out, workspace& scratch) {
  using V = lanes<Arch>;
  const std::size_t n = scores.size();
  if (n == 1 || !(target.total > 0.0)) {
    clear(out);
    return 0.0;
  }
  // Scaled so that the inverse of the sum is finite.
  if (target.total < 1e-200) {
    for (double& x : target.v) x *= 0x1p600;
    target.total *= 0x1p600;
  }
  const workspace::scope scope(scratch);
  const T* s = contiguous_items(scores, scratch);
  const score_distance<Arch, T> below(largest_of<Arch>(s, n), temperature);
  const bool derivatives = !out.gradient.empty() || !out.hessian.empty();
  const std::span<double> exponentials = scratch.take<double>(derivatives ? target.v.size() : 0);
  double* e = exponentials.data();
  const double* v = target.v.data();

  V sum(0.0), distance(0.0), agreement(0.0);
  const auto add_up = [&](const auto& keep) {
    for_rows<Arch>(n, [&](std::size_t i, auto count) {
      const V d = below(load_items<Arch>(s + i, count, below.greatest()));
      const V own = only_items<Arch>(count, exp_below<T>(d));
      const V held = V::load_aligned(v + i);
      keep(i, own);
      sum += own;
      distance += held * d;
      agreement = xsimd::fma(held, own, agreement);
    });
  };
  if (derivatives)
    add_up([e](std::size_t i, const V& own) { own.store_aligned(e + i); });
  else
    add_up([](std::size_t, const V&) {});
  const double z = sum_of(sum);
  const double q = 1.0 / target.total;
  // The sum of v d may be infinite; nothing is subtracted from it, so no NaN arises.
  const double cross = std::min(sum_of(distance) * q, largest_term) + std::log(z);
  const double agreed = sum_of(agreement) * q / z;
  const double value = std::clamp(mass * cross + poly * (1.0 - agreed), -largest_term, largest_term);
  if (!derivatives) return value;

  const V inverse(1.0 / z), normal(q), whole(agreed);
  if (!out.gradient.empty()) {
    T* g = contiguous_output(out.gradient, scratch);
    const V first(bounded_factor<T>(mass / temperature));
    if (poly == 0.0) {
      const V by_e = first * inverse, by_v = first * normal;
      for_rows<Arch>(n, [&](std::size_t i, auto count) {
        store_items<Arch>(g + i, count, V::load_aligned(e + i) * by_e - V::load_aligned(v + i) * by_v);
      });
    } else {
      const V second(bounded_factor<T>(poly / temperature));
      for_rows<Arch>(n, [&](std::size_t i, auto count) {
        const V p = V::load_aligned(e + i) * inverse;
        const V held = V::load_aligned(v + i) * normal;
        store_items<Arch>(g + i, count, first * (p - held) - second * p * (held - whole));
      });
    }
    spread(g, out.gradient);
  }
  if (!out.hessian.empty()) {
    T* h = contiguous_output(out.hessian, scratch);
    const V first(bounded_factor<T>(mass / temperature / temperature));
    const V second(bounded_factor<T>(poly / temperature / temperature));
    for_rows<Arch>(n, [&](std::size_t i, auto count) {
      const V p = V::load_aligned(e + i) * inverse;
      const V held = V::load_aligned(v + i) * normal;
      store_items<Arch>(h + i, count,
                        p * (first * (V(1.0) - p) - second * (V(1.0) - V(2.0) * p) * (held - whole)));
    });
    spread(h, out.hessian);
  }
  return value;
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
