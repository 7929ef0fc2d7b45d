// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/pieces.hpp>
#include <rankloss/detail/base/precision.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/draws/tied_draws.hpp>
#include <rankloss/detail/orders/rest_sums.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/sorting/relevance_order.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// to[k] = from[k] + ... + from[n - 1] + after; `to` may be `from`. Returns to[0], or `after` if n is 0.
/// Items are added in fours, so that the chain of dependent additions is a quarter as long.
inline double sums_from_the_end(const double* from, std::size_t n, double after, double* to) noexcept {
  double sum = after;
  std::size_t k = n;
  for (; k >= 4; k -= 4) {
    const double last = from[k - 1];
    const double two = last + from[k - 2];
    const double three = two + from[k - 3];
    const double four = two + (from[k - 3] + from[k - 4]);
    to[k - 1] = sum + last;
    to[k - 2] = sum + two;
    to[k - 3] = sum + three;
    sum += four;
    to[k - 4] = sum;
  }
  for (; k > 0; --k) to[k - 1] = sum += from[k - 1];
  return sum;
}

/// x[k] becomes before + x[0] + ... + x[k]. Returns the last sum.
inline double running_sums(double* x, std::size_t n, double before) noexcept {
  double sum = before;
  std::size_t k = 0;
  for (; k + 4 <= n; k += 4) {
    const double one = x[k];
    const double two = one + x[k + 1];
    const double three = two + x[k + 2];
    const double four = two + (x[k + 2] + x[k + 3]);
    x[k] = sum + one;
    x[k + 1] = sum + two;
    x[k + 2] = sum + three;
    sum += four;
    x[k + 3] = sum;
  }
  for (; k < n; ++k) x[k] = sum += x[k];
  return sum;
}

/// -log of a Plackett-Luce probability and its derivatives, written to the items of an order.
template <class T>
class order_outputs {
 public:
  order_outputs(const list_outputs<T>& out, std::span<const std::uint32_t> order, double mass,
                double temperature)
      : out_(out),
        order_(order),
        first_(bounded_factor<T>(mass / temperature)),
        second_(bounded_factor<T>(mass / temperature / temperature)) {}

  /// The derivatives by the scores of item k of the order, in units of mass and temperature.
  void write(std::size_t k, double gradient, double hessian) const noexcept {
    if (!out_.gradient.empty()) out_.gradient[order_[k]] = held(first_ * gradient);
    if (!out_.hessian.empty()) out_.hessian[order_[k]] = held(second_ * hessian);
  }
  [[nodiscard]] double first() const noexcept { return first_; }
  [[nodiscard]] double second() const noexcept { return second_; }
  /// Whether T can represent the derivatives of any list of n items, so that they need not be clamped to its
  /// largest number.
  [[nodiscard]] bool within(std::size_t n) const noexcept {
    constexpr double limit = 0.25 * static_cast<double>(std::numeric_limits<T>::max());
    return std::max(first_, second_) * static_cast<double>(n) <= limit;
  }

 private:
  [[nodiscard]] static T held(double x) noexcept { return held_as<T>(x); }

  const list_outputs<T>& out_;
  std::span<const std::uint32_t> order_;
  double first_, second_;
};

/// sum_k c_k (log sum_{j >= k} exp(s_j / t) - s_k / t) over an order, c_k in [0, 1], for scores at any
/// distance from each other.
template <class Arch, class T>
[[nodiscard]] double order_loss_apart(const rest_sums& rests, std::span<const double> c,
                                      const order_outputs<T>& out, workspace& scratch) {
  using V = lanes<Arch>;
  const std::size_t n = c.size();
  const workspace::scope scope(scratch);
  const std::span<double> inverses = scratch.take<double>(n);
  V values(0.0);
  for_rows<Arch>(n, [&, unit = V(2.0 / rests.temperature)](std::size_t k, auto count) {
    const V sum = load_items<Arch>(rests.sum.data() + k, count, 1.0),
            own = load_items<Arch>(c.data() + k, count);
    const V halves = load_items<Arch>(rests.most.data() + k, count) * V(0.5) -
                     load_items<Arch>(rests.s.data() + k, count) * V(0.5);
    const V below = xsimd::min(halves * unit, V(std::numeric_limits<double>::max()));
    values = xsimd::fma(own, log_positive(sum, log_tail_7) + below, values);
    store_items<Arch>(inverses.data() + k, count, V(1.0) / sum);
  });
  // Sums over the positions so far of c p and c p^2, where p is the share of an item whose score is the greatest of
  // the rest: those of the position before go on in units of the greatest score of this rest.
  double first = 0.0, second = 0.0, fall = 1.0;
  for (std::size_t k = 0; k < n; ++k) {
    first = first * fall + c[k] * inverses[k];
    second = second * (fall * fall) + c[k] * (inverses[k] * inverses[k]);
    fall = rests.fall[k];
    const double own = rests.own[k];
    const double pull = own * first;
    out.write(k, pull - c[k], pull - own * own * second);
  }
  return sum_of(values);
}

/// The same by plain sums of exponentials relative to the greatest score. If the scores are too far from each
/// other for that, returns nullopt and writes nothing. Unit: all c_k are 1.
template <class Arch, bool Unit, class T>
[[nodiscard]] std::optional<double> order_loss_near(const strided<const T>& scores,
                                                    std::span<const std::uint32_t> order, double temperature,
                                                    std::span<const double> c, const list_outputs<T>& out,
                                                    double first, double second, workspace& scratch) {
  using V = lanes<Arch>;
  constexpr std::size_t w = lane_count<Arch>;
  const std::size_t n = order.size();
  const even_pieces pieces(n, tuning::piece_items);
  const workspace::scope scope(scratch);
  const std::span<T> sorted = scratch.take<T>(n);
  T* x = sorted.data();
  const std::span<T> greatest = scratch.take<T>(pieces.count());
  const std::span<T> least = scratch.take<T>(pieces.count());
  run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
    const auto [begin, end] = pieces[p];
    if (scores.stride() == 1) {
      const T* s = scores.data();
      for (std::size_t k = begin; k < end; ++k) x[k] = s[order[k]];
    } else {
      for (std::size_t k = begin; k < end; ++k) x[k] = scores[order[k]];
    }
    greatest[p] = largest_of<Arch>(x + begin, end - begin);
    least[p] = smallest_of<Arch>(x + begin, end - begin);
  });
  const std::span<double> exponentials = scratch.take<double>(padded_rows(n, w));
  const std::span<double> rests = scratch.take<double>(padded_rows(n, w));
  double* e = exponentials.data();
  double* r = rests.data();

  const auto weights = [&]([[maybe_unused]] std::size_t k, [[maybe_unused]] auto count) {
    if constexpr (Unit)
      return V(1.0);  // also in the padding, where distances and logarithms are 0
    else
      return load_items<Arch>(c.data() + k, count);
  };
  struct piece_sums {
    V distances, logs;
    V summed;  // exponentials, and later what the gradient adds up
  };
  const std::span<piece_sums> of_piece = scratch.take<piece_sums>(pieces.count());
  const score_distance<Arch, T> below(*std::max_element(greatest.begin(), greatest.end()), temperature);
  // The inverse of a sum, times the number of items and squared for the Hessian, must stay far below the
  // largest double.
  alignas(64) double farthest[w];
  below(V(static_cast<double>(*std::min_element(least.begin(), least.end())))).store_aligned(farthest);
  if (!(farthest[0] <= (out.hessian.empty() ? 600.0 : 300.0))) return std::nullopt;
  run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
    const auto [begin, end] = pieces[p];
    const score_distance<Arch, T> below_here = below;  // a local, which no store changes
    V distances_here(0.0), summed(0.0);
    for_rows<Arch>(end - begin, [&, at = begin](std::size_t i, auto count) {
      const std::size_t k = at + i;
      const V d = below_here(load_items<Arch>(x + k, count, below_here.greatest()));
      distances_here = xsimd::fma(weights(k, count), d, distances_here);
      const V exponential = exp_below<T>(d);
      exponential.store_aligned(e + k);
      summed += only_items<Arch>(count, exponential);
    });
    of_piece[p] = {distances_here, V(0.0), summed};
  });
  V distances(0.0);
  for (const piece_sums& sums : of_piece) distances += sums.distances;

  // Of each piece: the sum of exponentials behind it, and later the sum of what the gradient adds up before it.
  const std::span<double> outside = scratch.take<double>(pieces.count());
  double behind = 0.0;
  for (std::size_t p = pieces.count(); p-- > 0;) {
    outside[p] = behind;
    behind += sum_of(of_piece[p].summed);
  }
  std::fill(r + n, r + rests.size(), 1.0);
  run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
    const auto [first_of_piece, end] = pieces[p];
    sums_from_the_end(e + first_of_piece, end - first_of_piece, outside[p], r + first_of_piece);
    V logs(0.0), inverses(0.0);
    log_product<Arch> product;
    constexpr std::size_t chunk = log_product<Arch>::most_factors * w;
    for (std::size_t begin = first_of_piece; begin < end; begin += chunk) {
      for_rows<Arch>(std::min(chunk, end - begin), [&, begin](std::size_t k, auto count) {
        const std::size_t i = begin + k;
        const V rest = V::load_aligned(r + i);
        const V own = weights(i, count);
        if constexpr (Unit)
          product.multiply(rest);
        else if constexpr (single_precision<T>)
          logs = xsimd::fma(own, log_positive(rest, log_tail_4), logs);
        else
          logs = xsimd::fma(own, log_positive(rest, log_tail_7), logs);
        const V inverse = own / rest;
        inverse.store_aligned(r + i);
        inverses += only_items<Arch>(count, inverse);
      });
      if constexpr (Unit) product.settle();
    }
    of_piece[p].logs = Unit ? product.sum() : logs;
    of_piece[p].summed = inverses;
  });
  V logs(0.0);
  for (const piece_sums& sums : of_piece) logs += sums.logs;
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
    double before = 0.0;
    for (std::size_t p = 0; p < pieces.count(); ++p) {
      outside[p] = before;
      before += sum_of(of_piece[p].summed);
    }
    run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
      const auto [begin, end] = pieces[p];
      running_sums(r + begin, end - begin, outside[p]);
      for_rows<Arch>(end - begin, [&, first_at = begin, scaled = V(first)](std::size_t i, auto count) {
        const std::size_t at = first_at + i;
        const V own = weights(at, count);
        store_items<Arch>(x + at, count, scaled * (V::load_aligned(e + at) * V::load_aligned(r + at) - own));
      });
      if (out.gradient.stride() == 1) {
        T* g = out.gradient.data();
        for (std::size_t j = begin; j < end; ++j) g[order[j]] = x[j];
      } else {
        for (std::size_t j = begin; j < end; ++j) out.gradient[order[j]] = x[j];
      }
    });
  }
  return value;
}

/// Items [begin, end) of an order are drawn before all later ones, in any order.
/// @param d                 [end - begin] scratch
/// @param slope, curvature  [end - begin] filled with 0, or empty, as in draw_together
template <class Arch>
[[nodiscard]] tied_draw draw_tier(const rest_sums& rests, std::size_t begin, std::size_t end,
                                  std::span<double> d, std::span<double> slope, std::span<double> curvature,
                                  workspace& scratch) {
  if (end == rests.s.size()) return {0.0, 0.0, 0.0};
  const double others = std::log(rests.sum[end]);
  for (std::size_t j = 0; j < d.size(); ++j)
    d[j] = rests.between(rests.s[begin + j], rests.most[end]) - others;
  return draw_together<Arch>(d, slope, curvature, scratch);
}

/// -log of the probability that the tiers of an order are drawn one after the other, each in the orders that
/// `draw` allows.
///
/// for_each_tier(visit) calls visit(begin, end). draw(begin, end, d, slope, curvature) does for a tier what
/// draw_tier does. write(k, first, second) receives the derivatives by item k of the order, in units of the
/// temperature.
template <class Tiers, class Draw, class Write>
[[nodiscard]] double tiers_loss(const rest_sums& rests, bool sloped, bool curved, Tiers for_each_tier,
                                Draw draw, Write write, workspace& scratch) {
  const std::size_t n = rests.s.size();
  const workspace::scope scope(scratch);
  const std::span<double> d = scratch.take<double>(n);
  const std::span<double> slopes = scratch.take<double>(sloped || curved ? n : 0);
  const std::span<double> curvatures = scratch.take<double>(curved ? n : 0);
  rest_pulls pulls(rests);
  double value = 0.0;
  for_each_tier([&](std::size_t begin, std::size_t end) {
    const std::size_t g = end - begin;
    const std::span<double> slope = slopes.first(slopes.empty() ? 0 : g);
    const std::span<double> curvature = curvatures.first(curved ? g : 0);
    std::fill(slope.begin(), slope.end(), 0.0);
    std::fill(curvature.begin(), curvature.end(), 0.0);
    const tied_draw drawn = draw(begin, end, d.first(g), slope, curvature);
    value += drawn.loss;
    if (slopes.empty()) return;
    for (std::size_t j = 0; j < g; ++j) {
      const auto [first, second] = pulls.at(begin + j);
      write(begin + j, first - slope[j], first - second - (curved ? curvature[j] : 0.0));
    }
    if (end < n) pulls.add(end, drawn.pull, drawn.pull + drawn.bend);
  });
  return value;
}

/// -log of the probability that the items are drawn in any order in which the relevance never rises.
template <class Arch, class T, class R>
[[nodiscard]] double levels_loss(const rest_sums& rests, const R* y, std::span<const std::uint32_t> order,
                                 const list_outputs<T>& wanted, const order_outputs<T>& out,
                                 workspace& scratch) {
  return tiers_loss(
      rests, !wanted.gradient.empty(), !wanted.hessian.empty(),
      [&](auto visit) { for_each_level(y, order, visit); },
      [&](std::size_t begin, std::size_t end, std::span<double> d, std::span<double> slope,
          std::span<double> curvature) {
        return draw_tier<Arch>(rests, begin, end, d, slope, curvature, scratch);
      },
      [&](std::size_t k, double first, double second) { out.write(k, first, second); }, scratch);
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
