// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/data/contiguous_items.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>
#include <rankloss/detail/draws/query_sums.hpp>
#include <rankloss/detail/lists/matrix_source.hpp>
#include <rankloss/detail/lists/similarity_run.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/info_nce.hpp>
#include <rankloss/workspace.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <utility>

namespace rankloss::inline RANKLOSS_ABI {
namespace detail {

/// The positives or the negatives of a query: how many there are, and the sum of their weighted exponentials
/// relative to the greatest of them.
struct softmax_part {
  double count = 0.0;
  double top = 0.0;          ///< greatest score
  double lift = 0.0;         ///< greatest log w - (top - s) / temperature; 0 without weights
  double total = 0.0;        ///< sum of w exp((s - top) / temperature - lift), at least 1
  double distance = 0.0;     ///< (greatest score of all - top) / temperature
  double level = 0.0;        ///< lift - distance: what the total is relative to
  double share = 0.0;        ///< exp(level - that of the greater part)
  double log_weights = 0.0;  ///< sum of log w
  double distances = 0.0;    ///< sum of (top - s) / temperature

  [[nodiscard]] bool empty() const noexcept { return !(count > 0.0); }
};

/// The exponentials of a query, and derivatives that are a multiple of them plus a constant in each part.
template <class Arch, class T, class R>
class softmax_parts {
  using V = lanes<Arch>;

 public:
  softmax_parts(const list<T, R>& items, double temperature, workspace& scratch)
      : n_(items.size()),
        s_(contiguous_items(items.scores, scratch)),
        y_(contiguous_items(items.relevance, scratch)),
        e_(scratch.take<double>(padded_rows(n_, lane_count<Arch>)).data()),
        half_unit_(2.0 / temperature),
        scratch_(scratch) {
    find_tops();
    if (items.weights.empty()) {
      sum_up<false>();
    } else {
      take_logarithms(items.weights);
      sum_up<true>();
    }
    negatives.count = static_cast<double>(n_) - positives.count;
    greatest = std::max(positives.count > 0.0 ? positives.top : negatives.top,
                        negatives.count > 0.0 ? negatives.top : positives.top);
    level = no_exponent;
    for (softmax_part* part : {&positives, &negatives}) {
      if (part->empty()) continue;
      part->distance = std::min((0.5 * greatest - 0.5 * part->top) * half_unit_, largest_term);
      part->level = part->lift - part->distance;
      level = std::max(level, part->level);
    }
    for (softmax_part* part : {&positives, &negatives})
      if (!part->empty()) part->share = std::exp(part->level - level);
  }

  /// log of the sum of the negatives minus that of the positives; no_exponent where one of them is empty.
  [[nodiscard]] double log_odds() const noexcept {
    if (positives.empty() || negatives.empty()) return no_exponent;
    return (negatives.level - positives.level) + std::log(negatives.total / positives.total);
  }

  /// Calls visit(i, (from - s_i) / temperature) for the positives.
  template <class Visit>
  void for_each_positive(double from, const Visit& visit) const {
    for (std::size_t i = 0; i < n_; ++i)
      if (y_[i] > R{0}) {
        const double s = static_cast<double>(bounded(s_[i]));
        visit(i, bounded_term((0.5 * from - 0.5 * s) * half_unit_));
      }
  }

  /// Derivatives by s_i / temperature: e_i / total * multiple + constant, of the part of i.
  struct slopes {
    double multiple = 0.0;
    double constant = 0.0;
  };

  /// Makes the derivatives by s / temperature of all items, in place of the exponentials.
  void differentiate(slopes of_positives, slopes of_negatives) {
    const auto over = [](double multiple, const softmax_part& part) {
      return part.empty() ? 0.0 : multiple / part.total;
    };
    const V p(over(of_positives.multiple, positives)), n(over(of_negatives.multiple, negatives));
    const V p_constant(of_positives.constant), n_constant(of_negatives.constant);
    for_rows<Arch>(n_, [&](std::size_t i, auto count) {
      const auto positive = is_positive(i, count);
      const V slope = xsimd::fma(V::load_aligned(e_ + i), xsimd::select(positive, p, n),
                                 xsimd::select(positive, p_constant, n_constant));
      slope.store_aligned(e_ + i);
    });
  }
  void add_slope(std::size_t i, double slope) noexcept { e_[i] += slope; }

  /// Sum over the items of a part of (greatest score - s) / temperature - log w.
  [[nodiscard]] static double below_greatest(const softmax_part& part) noexcept {
    return part.distances + part.count * part.distance - part.log_weights;
  }

  /// Sum of slope_i (from - s_i) / temperature: the derivative by the temperature, times it, where the slopes
  /// sum to 0. Items far from `from` should have next to no slope, because their digits are lost otherwise.
  [[nodiscard]] double slope_sum(double from) const {
    V sum(0.0);
    const V half_from(0.5 * from), most(largest_term);
    for_rows<Arch>(n_, [&](std::size_t i, auto count) {
      const V d = xsimd::fma(score(i, count), V(-0.5), half_from) * V(half_unit_);
      const V held = xsimd::min(xsimd::max(d, -most), most);
      sum += only_items<Arch>(count, V::load_aligned(e_ + i) * held);
    });
    return sum_of(sum);
  }

  /// gradient_i = slope_i * factor
  void write(double factor, const strided<T>& gradient) const {
    T* g = contiguous_output(gradient, scratch_);
    const V by(bounded_factor<T>(factor));
    for_rows<Arch>(n_, [&](std::size_t i, auto count) {
      store_items<Arch>(g + i, count, V::load_aligned(e_ + i) * by);
    });
    spread(g, gradient);
  }

  softmax_part positives;
  softmax_part negatives;
  double greatest = 0.0;  ///< of all scores
  double level = 0.0;     ///< the greater one of the parts that are not empty

  /// log w_i, of weights that have been multiplied by a unit.
  [[nodiscard]] double log_weight(std::size_t i) const noexcept {
    return log_weights_ == nullptr ? 0.0 : log_weights_[i];
  }
  [[nodiscard]] double log_unit() const noexcept { return log_unit_; }

 private:
  /// The logarithms of the weights, times what brings the greatest of them near 1: a factor on all of them is
  /// the same loss. Weights of 1 have 0.
  void take_logarithms(const strided<const double>& weights) {
    const double* w = contiguous_items(weights, scratch_);
    const double unit = unit_of(*std::max_element(w, w + n_));
    log_unit_ = std::log(unit);
    log_weights_ = scratch_.take<double>(padded_rows(n_, lane_count<Arch>)).data();
    const V least(std::numeric_limits<double>::min()), shift(log_unit_);
    for_rows<Arch>(n_, [&](std::size_t i, auto count) {
      const V own = load_items<Arch>(w + i, count);
      const V scaled = own * V(unit);
      const V logarithm = xsimd::select(scaled >= least, log_positive(xsimd::max(scaled, least), log_tail_7),
                                        log_positive(xsimd::max(own, least), log_tail_7) + shift);
      only_items<Arch>(count, logarithm).store_aligned(log_weights_ + i);
    });
  }

  /// The exponentials and their sums. They are those without weights, to the bit, where all weights are 1.
  template <bool Weighted>
  void sum_up() {
    if constexpr (Weighted) {
      const V none(no_exponent);
      V p = none, n = none;
      for_rows<Arch>(n_, [&](std::size_t i, auto count) {
        const auto positive = is_positive(i, count);
        const V listed = only_items<Arch>(count, V(1.0));
        const V x = xsimd::select(listed > V(0.0),
                                  V::load_aligned(log_weights_ + i) - distance(i, count, positive), none);
        p = xsimd::max(p, xsimd::select(positive, x, none));
        n = xsimd::max(n, xsimd::select(positive, none, x));
      });
      for (const auto& [part, lift] : {std::pair{&positives, largest_lane(p)}, {&negatives, largest_lane(n)}})
        part->lift = lift > 0.5 * no_exponent ? lift : 0.0;
    }
    V positive_total(0.0), negative_total(0.0), positive_distances(0.0), negative_distances(0.0);
    V positive_count(0.0);
    for_rows<Arch>(n_, [&](std::size_t i, auto count) {
      const auto positive = is_positive(i, count);
      const V d = distance(i, count, positive);
      V below = d;
      if constexpr (Weighted) {
        const V lift = xsimd::select(positive, V(positives.lift), V(negatives.lift));
        below = xsimd::max(lift - (V::load_aligned(log_weights_ + i) - d), V(0.0));
      }
      const V own = only_items<Arch>(count, exp_below<T>(below));
      own.store_aligned(e_ + i);
      const V listed = only_items<Arch>(count, V(1.0));
      positive_total += xsimd::select(positive, own, V(0.0));
      negative_total += xsimd::select(positive, V(0.0), own);
      positive_distances += xsimd::select(positive, d * listed, V(0.0));
      negative_distances += xsimd::select(positive, V(0.0), d * listed);
      positive_count += xsimd::select(positive, listed, V(0.0));
    });
    positives.total = sum_of(positive_total);
    negatives.total = sum_of(negative_total);
    positives.distances = sum_of(positive_distances);
    negatives.distances = sum_of(negative_distances);
    positives.count = sum_of(positive_count);
    for (std::size_t i = 0; Weighted && i < n_; ++i)
      (y_[i] > R{0} ? positives : negatives).log_weights += log_weights_[i];
  }

  template <class Count>
  [[gnu::always_inline]] auto is_positive(std::size_t i, Count count) const noexcept {
    return load_items<Arch>(y_ + i, count) > V(0.0);
  }
  /// Infinite scores count as the largest finite number.
  template <class Count>
  [[gnu::always_inline]] V score(std::size_t i, Count count) const noexcept {
    const V largest(static_cast<double>(std::numeric_limits<T>::max()));
    return xsimd::min(xsimd::max(load_items<Arch>(s_ + i, count), -largest), largest);
  }
  /// (top of the part - s) / temperature. Scores are halved first: their difference may overflow.
  template <class Count, class Positive>
  [[gnu::always_inline]] V distance(std::size_t i, Count count, const Positive& positive) const noexcept {
    const V half_top = xsimd::select(positive, V(0.5 * positives.top), V(0.5 * negatives.top));
    const V d = xsimd::fma(score(i, count), V(-0.5), half_top) * V(half_unit_);
    return xsimd::min(xsimd::max(d, V(0.0)), V(largest_term));
  }

  void find_tops() {
    const V lowest(std::numeric_limits<double>::lowest());
    V p = lowest, n = lowest;
    for_rows<Arch>(n_, [&](std::size_t i, auto count) {
      const auto positive = is_positive(i, count);
      const V inside = only_items<Arch>(count, V(1.0));
      const V s = xsimd::select(inside > V(0.0), score(i, count), lowest);
      p = xsimd::max(p, xsimd::select(positive, s, lowest));
      n = xsimd::max(n, xsimd::select(positive, lowest, s));
    });
    positives.top = largest_lane(p);
    negatives.top = largest_lane(n);
  }
  [[nodiscard]] static double largest_lane(const V& x) noexcept {
    alignas(64) double row[lane_count<Arch>];
    x.store_aligned(row);
    return *std::max_element(row, row + lane_count<Arch>);
  }

  std::size_t n_;
  const T* s_;
  const R* y_;
  double* e_;                      // [n] exponentials, then derivatives
  double* log_weights_ = nullptr;  // [n] where there are weights
  double log_unit_ = 0.0;
  double half_unit_;
  workspace& scratch_;
};

struct info_nce_engine {
  using Arch = xsimd::default_arch;  // of this translation unit, as the inline namespace says

  template <class T, class R>
  static double run(const info_nce& loss, const list<T, R>& items, const list_outputs<T>& out,
                    workspace& scratch) {
    for (std::size_t i = 0; i < items.weights.size(); ++i)
      if (!(items.weights[i] > 0.0)) return without_weightless(loss, items, out, scratch);
    return of_weighted(loss, items, out, scratch);
  }

  template <class T, class R>
  static double run(const info_nce& loss, const similarity_batch<T, R>& batch, const outputs& out,
                    context& ctx, double factor) {
    return run_directions(loss, batch, loss.over, list_relevance::matches, out, ctx, factor);
  }

  /// Whether for single positives the loss is the logarithm of a softmax in both directions, within the
  /// temperatures at which the least number has no exponential.
  static bool is_two_way_softmax(const info_nce& loss) noexcept {
    return loss.over == directions::both && loss.label_smoothing == 0.0 && loss.positive_prior == 0.0 &&
           loss.temperature <= 1e30;
  }

 private:
  template <class T, class R>
  using parts_of = softmax_parts<Arch, T, R>;

  /// Items of weight 0 are left out.
  template <class T, class R>
  static double without_weightless(const info_nce& loss, const list<T, R>& items, const list_outputs<T>& out,
                                   workspace& scratch) {
    const workspace::scope scope(scratch);
    const std::size_t n = items.size();
    const std::span<T> scores = scratch.take<T>(n);
    const std::span<R> relevance = scratch.take<R>(n);
    const std::span<double> weights = scratch.take<double>(n);
    const std::span<T> gradient = scratch.take<T>(out.gradient.size());
    std::size_t kept = 0;
    for (std::size_t i = 0; i < n; ++i) {
      if (!(items.weights[i] > 0.0)) continue;
      scores[kept] = items.scores[i];
      relevance[kept] = items.relevance[i];
      weights[kept++] = items.weights[i];
    }
    list_outputs<T> own = out;
    if (!out.gradient.empty()) own.gradient = {gradient.data(), kept};
    const double value =
        kept == 0
            ? 0.0
            : of_weighted(
                  loss,
                  list<T, R>{
                      {scores.data(), kept}, {relevance.data(), kept}, {weights.data(), kept}, items.number},
                  own, scratch);
    for (std::size_t i = 0, from = 0; i < out.gradient.size(); ++i)
      out.gradient[i] = items.weights[i] > 0.0 ? gradient[from++] : T{0};
    return value;
  }

  template <class T, class R>
  static double of_weighted(const info_nce& loss, const list<T, R>& items, const list_outputs<T>& out,
                            workspace& scratch) {
    const workspace::scope scope(scratch);
    parts_of<T, R> parts(items, loss.temperature, scratch);
    if (parts.positives.empty()) {
      for (std::size_t i = 0; i < out.gradient.size(); ++i) out.gradient[i] = T{0};
      return 0.0;
    }
    const bool is_single =
        parts.positives.count == 1.0 && loss.label_smoothing == 0.0 && loss.positive_prior == 0.0;
    double value = 0.0;
    double reference = parts.greatest;  // the score from which distances are taken for the temperature
    if (is_single || loss.positives == positive_share::inside) {
      const softplus_of odds(parts.log_odds());
      value = odds.value + std::log(parts.positives.count);
      parts.differentiate({.multiple = -odds.slope}, {.multiple = odds.slope});
    } else if (loss.positives == positive_share::outside) {
      value = outside(loss.label_smoothing, parts);
    } else {
      value = separate(loss, parts, reference);
    }
    if (out.temperature_gradient != nullptr)
      *out.temperature_gradient = held_as<double>(parts.slope_sum(reference) / loss.temperature);
    if (!out.gradient.empty()) parts.write(1.0 / loss.temperature, out.gradient);
    return std::clamp(value, -largest_term, largest_term);
  }

  /// sum_i t_i (log Z - z_i) for the target t.
  template <class T, class R>
  static double outside(double smoothing, parts_of<T, R>& parts) {
    const softmax_part& p = parts.positives;
    const softmax_part& n = parts.negatives;
    const double of_positives = p.total * p.share;
    const double of_negatives = n.total * n.share;
    const double z = of_positives + of_negatives;  // at least one of them has share 1
    const double own = (1.0 - smoothing) / p.count;
    const double each = smoothing / (p.count + n.count);
    parts.differentiate({.multiple = of_positives / z, .constant = -own - each},
                        {.multiple = of_negatives / z, .constant = -each});
    const double below = parts.below_greatest(p);
    const double value = parts.level + std::log(z) + own * below +
                         each * (below + (n.empty() ? 0.0 : parts.below_greatest(n)));
    return std::max(value, 0.0);  // no rounding below it
  }

  /// mean over the positives of log(1 + N / e_p).
  /// @param reference  gets the score from which slope_sum should take its distances
  template <class T, class R>
  static double separate(const info_nce& loss, parts_of<T, R>& parts, double& reference) {
    const softmax_part& p = parts.positives;
    const softmax_part& n = parts.negatives;
    if (n.empty()) {
      parts.differentiate({}, {});
      return 0.0;
    }
    const double q = loss.positive_prior;
    // N is exp(reference / temperature + log_n), for a score near those that it is made of: beside a
    // positive far above them, the distances from the greatest score of all would be equal numbers.
    reference = n.top;
    double log_n = std::log(n.total) + n.lift;
    double of_negatives = 1.0;
    double of_positives = 0.0;
    if (q > 0.0) {
      const double expected = q * n.count / p.count * (p.total * p.share);
      const double rest = (n.total * n.share - expected) / (1.0 - q);
      const double least = std::log(n.count) - (1.0 + parts.greatest) / loss.temperature + parts.log_unit();
      const double log_rest = std::log(std::max(rest, least_normal<double>)) + parts.level;
      const bool at_floor = !(rest > 0.0) || log_rest <= least;
      reference = at_floor ? -1.0 : parts.greatest;
      log_n = at_floor ? std::log(n.count) + parts.log_unit() : log_rest;
      of_negatives = at_floor ? 0.0 : n.total * n.share / (1.0 - q) / rest;
      of_positives = at_floor ? 0.0 : -expected / (1.0 - q) / rest;
    }
    const auto odds_of = [&](std::size_t i, double below) {
      return softplus_of(bounded_term(log_n + below - parts.log_weight(i)));
    };
    double value = 0.0;
    double slope = 0.0;
    parts.for_each_positive(reference, [&](std::size_t i, double below) {
      const softplus_of odds = odds_of(i, below);
      value = held_sum(value, odds.value / p.count);
      slope += odds.slope / p.count;
    });
    parts.differentiate({.multiple = slope * of_positives}, {.multiple = slope * of_negatives});
    parts.for_each_positive(reference, [&](std::size_t i, double below) {
      parts.add_slope(i, -odds_of(i, below).slope / p.count);
    });
    return value;
  }
};

}  // namespace detail

template <>
struct engine<info_nce, context> : detail::info_nce_engine {};

}  // namespace rankloss::inline RANKLOSS_ABI
