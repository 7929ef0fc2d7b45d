// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/item_rows.hpp>
#include <rankloss/detail/lane_math.hpp>
#include <rankloss/detail/relevance_order.hpp>
#include <rankloss/detail/simd.hpp>
#include <rankloss/detail/tied_draws.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>

namespace rankloss::detail {

/// -log of a Plackett-Luce probability and its derivatives, written to the items of an order.
template <class T>
class order_outputs {
 public:
  order_outputs(const list_outputs<T>& out, std::span<const std::uint32_t> order, double mass, double temperature)
      : out_(out), order_(order), first_(bounded_factor<T>(mass / temperature)), second_(bounded_factor<T>(mass / temperature / temperature)) {}

  /// The derivatives by the scores of item k of the order, in units of mass and temperature.
  void write(std::size_t k, double gradient, double hessian) const noexcept {
    if (!out_.gradient.empty()) out_.gradient[order_[k]] = held(first_ * gradient);
    if (!out_.hessian.empty()) out_.hessian[order_[k]] = held(second_ * hessian);
  }
  [[nodiscard]] double first() const noexcept { return first_; }
  [[nodiscard]] double second() const noexcept { return second_; }

 private:
  [[nodiscard]] static T held(double x) noexcept {
    constexpr double largest = static_cast<double>(std::numeric_limits<T>::max());
    return static_cast<T>(std::clamp(x, -largest, largest));
  }

  const list_outputs<T>& out_;
  std::span<const std::uint32_t> order_;
  double first_, second_;
};

/// sum_k c_k (log sum_{j >= k} exp(s_j / t) - s_k / t) over an order, c_k in [0, 1], for scores of any distance from each other.
template <class T>
[[nodiscard]] double order_loss_apart(const rest_sums& rests, std::span<const double> c, const order_outputs<T>& out) {
  rest_pulls pulls(rests);
  double value = 0.0;
  for (std::size_t k = 0; k < c.size(); ++k) {
    value += c[k] * (std::log(rests.sum[k]) + rests.between(rests.most[k], rests.s[k]));
    pulls.add(k, c[k], c[k]);
    const auto [first, second] = pulls.at(k);
    out.write(k, first - c[k], first - second);
  }
  return value;
}

/// The same by plain sums of exponentials relative to the greatest score, where the scores are near enough to each other; else nothing, and
/// nothing is written.
template <class Arch, class T>
[[nodiscard]] std::optional<double> order_loss_near(const strided<const T>& scores, std::span<const std::uint32_t> order, double temperature,
                                                    std::span<const double> c, const list_outputs<T>& out, double first, double second,
                                                    workspace& scratch) {
  using V = lanes<Arch>;
  constexpr std::size_t w = lane_count<Arch>;
  const std::size_t n = order.size();
  const workspace::scope scope(scratch);
  const std::span<T> sorted = scratch.take<T>(n);
  T* x = sorted.data();
  if (scores.stride() == 1) {
    const T* s = scores.data();
    for (std::size_t k = 0; k < n; ++k) x[k] = s[order[k]];
  } else {
    for (std::size_t k = 0; k < n; ++k) x[k] = scores[order[k]];
  }
  const std::span<double> exponentials = scratch.take<double>(padded_rows(n, w));
  const std::span<double> rests = scratch.take<double>(padded_rows(n, w));
  double* e = exponentials.data();
  double* r = rests.data();

  const score_distance<Arch, T> below(largest_of<Arch>(x, n), temperature);
  V farthest(0.0);
  V distances(0.0);
  for_rows<Arch>(n, [&](std::size_t k, auto count) {
    const V d = below(load_items<Arch>(x + k, count, below.greatest()));
    farthest = xsimd::max(farthest, d);
    distances = xsimd::fma(load_items<Arch>(c.data() + k, count), d, distances);
    exp_below<T>(d).store_aligned(e + k);
  });
  // The inverse of a sum, times a number of items and squared for the Hessian, has to be far from the largest double.
  alignas(64) double row[w];
  farthest.store_aligned(row);
  if (!(*std::max_element(row, row + w) <= (out.hessian.empty() ? 600.0 : 300.0))) return std::nullopt;

  // Sums over the rest; by fours, since each sum waits for the one before it.
  double sum = 0.0;
  std::size_t k = n;
  for (; k >= 4; k -= 4) {
    const double last = e[k - 1];
    const double two = last + e[k - 2];
    const double three = two + e[k - 3];
    const double four = two + (e[k - 3] + e[k - 4]);
    r[k - 1] = sum + last;
    r[k - 2] = sum + two;
    r[k - 3] = sum + three;
    sum += four;
    r[k - 4] = sum;
  }
  for (; k > 0; --k) r[k - 1] = sum += e[k - 1];
  std::fill(r + n, r + rests.size(), 1.0);

  V logs(0.0);
  for_rows<Arch>(n, [&](std::size_t i, auto count) {
    const V rest = V::load_aligned(r + i);
    const V own = load_items<Arch>(c.data() + i, count);
    if constexpr (sizeof(T) == 4)
      logs = xsimd::fma(own, log_positive(rest, log_tail_4), logs);
    else
      logs = xsimd::fma(own, log_positive(rest, log_tail_7), logs);
    (own / rest).store_aligned(r + i);
  });
  const double value = sum_of(distances + logs);
  if (out.gradient.empty() && out.hessian.empty()) return value;

  if (!out.hessian.empty()) {
    double by_first = 0.0;
    double by_second = 0.0;
    for (std::size_t i = 0; i < n; ++i) {
      by_first += r[i];
      if (c[i] > 0.0) by_second += r[i] * r[i] / c[i];
      out.hessian[order[i]] = static_cast<T>(second * (e[i] * by_first - e[i] * e[i] * by_second));
    }
  }
  if (!out.gradient.empty()) {
    double pull = 0.0;
    std::size_t i = 0;
    for (; i + 4 <= n; i += 4) {
      const double one = r[i];
      const double two = one + r[i + 1];
      const double three = two + r[i + 2];
      const double four = two + (r[i + 2] + r[i + 3]);
      r[i] = pull + one;
      r[i + 1] = pull + two;
      r[i + 2] = pull + three;
      pull += four;
      r[i + 3] = pull;
    }
    for (; i < n; ++i) r[i] = pull += r[i];
    const V factor(first);
    for_rows<Arch>(n, [&](std::size_t at, auto count) {
      const V own = load_items<Arch>(c.data() + at, count);
      store_items<Arch>(x + at, count, factor * (V::load_aligned(e + at) * V::load_aligned(r + at) - own));
    });
    if (out.gradient.stride() == 1) {
      T* g = out.gradient.data();
      for (std::size_t j = 0; j < n; ++j) g[order[j]] = x[j];
    } else {
      for (std::size_t j = 0; j < n; ++j) out.gradient[order[j]] = x[j];
    }
  }
  return value;
}

/// -log of the probability of all orders that fall in relevance.
template <class Arch, class T, class R>
[[nodiscard]] double grades_loss(const rest_sums& rests, const R* y, std::span<const std::uint32_t> order, const list_outputs<T>& wanted,
                                 const order_outputs<T>& out, workspace& scratch) {
  const std::size_t n = order.size();
  const workspace::scope scope(scratch);
  const bool derivatives = !wanted.gradient.empty() || !wanted.hessian.empty();
  const std::span<double> d = scratch.take<double>(n);
  const std::span<double> slopes = scratch.take<double>(derivatives ? n : 0);
  const std::span<double> curvatures = scratch.take<double>(wanted.hessian.empty() ? 0 : n);
  rest_pulls pulls(rests);
  double value = 0.0;
  for_each_grade(y, order, [&](std::size_t begin, std::size_t end) {
    const std::size_t g = end - begin;
    tied_draw draw{0.0, 0.0, 0.0};
    const std::span<double> slope = slopes.first(derivatives ? g : 0);
    const std::span<double> curvature = curvatures.first(wanted.hessian.empty() ? 0 : g);
    std::fill(slope.begin(), slope.end(), 0.0);
    std::fill(curvature.begin(), curvature.end(), 0.0);
    if (end < n) {
      const double others = std::log(rests.sum[end]);
      for (std::size_t j = 0; j < g; ++j) d[j] = rests.between(rests.s[begin + j], rests.most[end]) - others;
      draw = draw_together<Arch>(d.first(g), slope, curvature, scratch);
      value += draw.loss;
    }
    if (!derivatives) return;
    for (std::size_t j = 0; j < g; ++j) {
      const auto [first, second] = pulls.at(begin + j);
      out.write(begin + j, first - slope[j], first - second - (curvature.empty() ? 0.0 : curvature[j]));
    }
    if (end < n) pulls.add(end, draw.pull, draw.pull + draw.bend);
  });
  return value;
}

}  // namespace rankloss::detail
