// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/gains.cuh>
#include <rankloss/cuda/detail/line_engine.cuh>
#include <rankloss/cuda/detail/line_sums.cuh>
#include <rankloss/cuda/detail/near_numbers.cuh>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/softplus.hpp>
#include <rankloss/info_nce.hpp>

#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// What the weights of items add to a part of a line: the greatest log w - (top - s) / temperature, to which
/// exponentials are relative, and the sum of log w.
template <bool Weighted>
struct part_weights {
  double lift, log_weights;
};
template <>
struct part_weights<false> {
  static constexpr double lift = 0.0, log_weights = 0.0;
};

/// Of all items of a line: minus the logarithm of the greatest weight of any item, which logarithms are
/// relative to.
template <bool Weighted>
struct line_weights {
  double log_unit;
};
template <>
struct line_weights<false> {
  static constexpr double log_unit = 0.0;
};

/// info_nce of one line, by the formulas of cpu/info_nce.hpp. What is computed of a negative is of T, and
/// differences of exponents that have weights of exact_number<T>; what is computed of a positive, of which
/// there are few, and sums are doubles.
template <class T, bool Weighted>
struct info_nce_lines_of {
  static constexpr double largest_term = rankloss::detail::largest_term;
  using softplus_of = rankloss::detail::softplus_of;

  using number_type = exact_number<T>;

  /// The positives or the negatives.
  struct part : part_weights<Weighted> {
    double count;
    double top;        ///< greatest score
    double total;      ///< sum of w exp((s - top) / temperature - lift)
    double weighted;   ///< sum of those times (top - s) / temperature
    double distances;  ///< sum of (top - s) / temperature

    [[nodiscard]] __device__ bool empty() const { return !(count > 0.0); }
  };
  struct first : line_weights<Weighted> {
    part positives, negatives;

    [[nodiscard]] static __device__ first none() {
      constexpr part empty{{}, 0.0, lowest_number<double>, 0.0, 0.0, 0.0};
      return {{}, empty, empty};
    }
    [[nodiscard]] __device__ bool has_positives() const { return !positives.empty(); }
  };
  /// Of positives that compete with the negatives alone.
  struct second {
    double value;     ///< sum of log(1 + N / e_p)
    double slope;     ///< sum of their derivatives by log N
    double distance;  ///< sum of those times (top of the positives - s) / temperature

    [[nodiscard]] static __device__ second none() { return {0.0, 0.0, 0.0}; }
  };
  /// Of an item: multiple * w exp((s - top) / temperature - lift) + constant; and less for a positive that
  /// competes with the negatives alone: each * sigmoid(level + (top - s) / temperature - log w).
  struct slope : part_weights<Weighted> {  ///< of the positives
    double positive_top, positive_multiple, positive_constant, each, level;
    T negative_top, negative_multiple, negative_constant, negative_lift;
  };

  info_nce loss;
  bool looks_twice;
  bool weighs;  ///< whether weighted distances of negatives are needed, and plain ones
  bool distances;
  bool narrow;  ///< whether products of scores and of the unit are far within the range of T
  T unit;       ///< 1 / temperature
  T unit_rest;  ///< what it lacks
  double half_unit;

  [[nodiscard]] static info_nce_lines_of of(const info_nce& loss, bool several, bool by_temperature) {
    const double inverse = 1.0 / loss.temperature;
    const T unit = held_as<T>(inverse);
    return {.loss = loss,
            .looks_twice = several && loss.positives == positive_share::separate,
            .weighs = by_temperature,
            .distances = loss.label_smoothing > 0.0,
            .narrow = inverse >= 1e-6 && inverse <= 1e6,
            .unit = unit,
            .unit_rest = held_as<T>(inverse - static_cast<double>(unit)),
            .half_unit = 2.0 / loss.temperature};
  }

  template <class Segment>
  [[nodiscard]] __device__ first sum_up(const Segment& segment) const {
    first sums = first::none();
    T positive_top = lowest_number<T>, negative_top = lowest_number<T>;
    unsigned positives = 0, negatives = 0;
    for (unsigned k = 0; k < segment.size(); ++k) {
      const T s = segment.score(k);
      const pair_kind kind = segment.kind(k);
      if (kind == pair_kind::negative) {
        negative_top = negative_top < s ? s : negative_top;
        ++negatives;
      } else if (kind == pair_kind::positive) {
        positive_top = positive_top < s ? s : positive_top;
        ++positives;
      }
    }
    sums.positives.count = static_cast<double>(positives);
    sums.negatives.count = static_cast<double>(negatives);
    T total{0}, weighted{0}, lift{lowest_number<T>};
    if constexpr (Weighted) {
      sums.log_unit = segment.log_unit();
      double positive_lift = rankloss::detail::no_exponent;
      for (unsigned k = 0; k < segment.size(); ++k) {
        const pair_kind kind = segment.kind(k);
        const T s = segment.score(k);
        const number_type log_weight = segment.log_weight(k);
        if (kind == pair_kind::negative) {
          const T own = rounded(log_weight - distance(negative_top, s));
          lift = lift < own ? own : lift;
        } else if (kind == pair_kind::positive) {
          const double w = exact_value(log_weight);
          positive_lift =
              fmax(positive_lift, w - below(static_cast<double>(positive_top), static_cast<double>(s)));
          sums.positives.log_weights += w;
        }
      }
      sums.positives.lift = positives > 0 ? positive_lift : 0.0;
      sums.negatives.lift = negatives > 0 ? static_cast<double>(lift) : 0.0;
    }
    for (unsigned k = 0; k < segment.size(); ++k) {
      const T s = segment.score(k);
      const pair_kind kind = segment.kind(k);
      if (kind == pair_kind::negative) {
        T d, own;
        if constexpr (Weighted) {
          const number_type exact = distance(negative_top, s);
          d = rounded(exact);
          own = exp_of(rounded(segment.log_weight(k) - exact - number<number_type>(lift)));
          if (distances) sums.negatives.log_weights += exact_value(segment.log_weight(k));
        } else {
          d = (negative_top - s) * unit;
          own = exp_minus(d);
        }
        total += own;
        if (weighs) weighted += own * (d < T{10000} ? d : T{10000});
        if (distances)
          sums.negatives.distances += below(static_cast<double>(negative_top), static_cast<double>(s));
      } else if (kind == pair_kind::positive) {
        const double d = below(static_cast<double>(positive_top), static_cast<double>(s));
        const double own = exp_minus(sums.positives.lift - (log_weight_of(segment, k) - d));
        sums.positives.total += own;
        sums.positives.weighted += own * d;
        sums.positives.distances += d;
      }
    }
    if (!sums.positives.empty()) sums.positives.top = static_cast<double>(positive_top);
    if (!sums.negatives.empty()) sums.negatives.top = static_cast<double>(negative_top);
    sums.negatives.total = static_cast<double>(total);
    sums.negatives.weighted = static_cast<double>(weighted);
    return sums;
  }
  [[nodiscard]] __device__ first merge(const first& a, const first& b) const {
    first both{{}, merge(a.positives, b.positives), merge(a.negatives, b.negatives)};
    if constexpr (Weighted) both.log_unit = fmin(a.log_unit, b.log_unit);  // 0 of no items, else the same
    return both;
  }

  template <class Segment>
  [[nodiscard]] __device__ second sum_up(const Segment& segment, const first& known) const {
    second sums = second::none();
    if (known.positives.empty() || known.negatives.empty()) return sums;
    const relative at = greatest_of(known);
    const double level = negatives_of(known, at).log_sum + at.positive_distance;
    for (unsigned k = 0; k < segment.size(); ++k)
      if (segment.kind(k) == pair_kind::positive) {
        const double d = below(known.positives.top, static_cast<double>(segment.score(k)));
        const softplus_of odds(held_exponent(level + d - log_weight_of(segment, k)));
        sums.value += odds.value;
        sums.slope += odds.slope;
        sums.distance += odds.slope * d;
      }
    return sums;
  }
  [[nodiscard]] __device__ second merge(const second& a, const second& b) const {
    return {a.value + b.value, a.slope + b.slope, a.distance + b.distance};
  }

  /// @param seen  null where there was no second look
  [[nodiscard]] __device__ line_outcome finish(const first& sums, const second* seen, double share,
                                               slope& to) const {
    const part& p = sums.positives;
    const part& n = sums.negatives;
    if (p.empty()) {
      to = {{}, 0.0, 0.0, 0.0, 0.0, 0.0, T{0}, T{0}, T{0}, T{0}};
      return {};
    }
    const relative at = greatest_of(sums);
    const bool is_single = p.count == 1.0 && loss.label_smoothing == 0.0 && loss.positive_prior == 0.0;
    double value = 0.0, floor_slope = 0.0;
    // Derivatives by s / temperature: multiples of the exponentials, constants, and those of single
    // positives.
    double of_positives = 0.0, of_negatives = 0.0, positive_constant = 0.0, negative_constant = 0.0;
    double each = 0.0, level = 0.0, along = 0.0;
    if (is_single || loss.positives == positive_share::inside) {
      const softplus_of odds(n.empty() ? rankloss::detail::no_exponent
                                       : at.negative_level - at.positive_level + log(n.total / p.total));
      value = odds.value + log(p.count);
      of_positives = -odds.slope / p.total;
      of_negatives = n.empty() ? 0.0 : odds.slope / n.total;
    } else if (loss.positives == positive_share::outside) {
      const double z = p.total * at.positive_share + n.total * at.negative_share;
      const double smoothing = loss.label_smoothing;
      const double own = (1.0 - smoothing) / p.count;
      const double all = smoothing / (p.count + n.count);
      const double positives_below = p.distances + p.count * at.positive_distance - p.log_weights;
      const double negatives_below =
          n.empty() ? 0.0 : n.distances + n.count * at.negative_distance - n.log_weights;
      of_positives = at.positive_share / z;
      of_negatives = n.empty() ? 0.0 : at.negative_share / z;
      positive_constant = -own - all;
      negative_constant = -all;
      value = fmax(at.level + log(z) + own * positives_below +
                       all * (positives_below + (smoothing > 0.0 ? negatives_below : 0.0)),
                   0.0);
    } else if (!n.empty()) {
      const negative_sum negatives = negatives_of(sums, at);
      level = negatives.log_sum + at.positive_distance;
      second own = second::none();
      if (seen != nullptr) {
        own = *seen;
      } else {  // a single positive
        const softplus_of odds(held_exponent(level - p.log_weights));
        own = {odds.value, odds.slope, 0.0};
      }
      each = 1.0 / p.count;
      value = own.value * each;
      const double slope = own.slope * each;
      of_positives = slope * negatives.of_positives / p.total;
      of_negatives = slope * negatives.of_negatives / n.total;
      along = -each * (own.distance + own.slope * at.positive_distance);
      if (negatives.at_floor) floor_slope = held_as<double>(slope * (1.0 + at.greatest) / loss.temperature);
    }
    along += of_positives * (p.weighted + p.total * at.positive_distance) +
             positive_constant * (p.distances + p.count * at.positive_distance);
    if (!n.empty()) {
      along += of_negatives * (n.weighted + n.total * at.negative_distance);
      if (negative_constant != 0.0)
        along += negative_constant * (n.distances + n.count * at.negative_distance);
    }
    const double factor = held_as<double>(share / loss.temperature);
    to.positive_top = p.top;
    to.positive_multiple = held_as<double>(factor * of_positives);
    to.positive_constant = held_as<double>(factor * positive_constant);
    to.each = held_as<double>(factor * each);
    to.level = level;
    to.negative_top = n.empty() ? T{0} : static_cast<T>(n.top);
    to.negative_lift = static_cast<T>(n.lift);
    const double lift_rest = Weighted ? exp(static_cast<double>(to.negative_lift) - n.lift) : 1.0;
    to.negative_multiple = held_as<T>(factor * of_negatives * lift_rest);
    to.negative_constant = held_as<T>(factor * negative_constant);
    if constexpr (Weighted) to.lift = p.lift;
    return {.value = fmin(fmax(value, -largest_term), largest_term),
            .by_temperature = held_as<double>((along + floor_slope) / loss.temperature)};
  }

  /// @param log_weight  of the item; 0 where items have none
  [[nodiscard]] __device__ T slope_of(const slope& of, T s, bool positive,
                                      number_type log_weight = {}) const {
    if (!positive) {
      T e;
      if constexpr (Weighted)
        e = exp_of(
            rounded(log_weight - distance(of.negative_top, s) - number<number_type>(of.negative_lift)));
      else
        e = exp_minus((of.negative_top - s) * unit);
      return fma(of.negative_multiple, e, of.negative_constant);
    }
    const double d = below(of.positive_top, static_cast<double>(s));
    const double w = Weighted ? exact_value(log_weight) : 0.0;
    double own = fma(of.positive_multiple, exp_minus(of.lift - (w - d)), of.positive_constant);
    if (of.each > 0.0) own -= of.each * softplus_of(held_exponent(of.level + d - w)).slope;
    return held_as<T>(own);
  }
  [[nodiscard]] __device__ double largest_slope(const slope& of) const {
    return fmax(
        fabs(of.positive_multiple) + fabs(of.positive_constant) + of.each,
        fabs(static_cast<double>(of.negative_multiple)) + fabs(static_cast<double>(of.negative_constant)));
  }

 private:
  /// The parts relative to the greatest score of both.
  struct relative {
    double greatest;
    double positive_distance, negative_distance;  ///< (greatest - top) / temperature
    double positive_level, negative_level;        ///< lift - distance
    double level;                                 ///< the greater one of the parts that are not empty
    double positive_share, negative_share;        ///< exp(their level - that one)
  };
  [[nodiscard]] __device__ relative greatest_of(const first& sums) const {
    const part& p = sums.positives;
    const part& n = sums.negatives;
    relative at{};
    at.greatest = fmax(p.empty() ? n.top : p.top, n.empty() ? p.top : n.top);
    at.positive_level = at.negative_level = rankloss::detail::no_exponent;
    if (!p.empty()) at.positive_level = p.lift - (at.positive_distance = below(at.greatest, p.top));
    if (!n.empty()) at.negative_level = n.lift - (at.negative_distance = below(at.greatest, n.top));
    at.level = fmax(at.positive_level, at.negative_level);
    if (!p.empty()) at.positive_share = exp_minus(at.level - at.positive_level);
    if (!n.empty()) at.negative_share = exp_minus(at.level - at.negative_level);
    return at;
  }

  /// The N that positives compete with, relative to the greatest score, as a multiple of both sums.
  struct negative_sum {
    double log_sum, of_positives, of_negatives;
    bool at_floor;
  };
  [[nodiscard]] __device__ negative_sum negatives_of(const first& sums, const relative& at) const {
    const part& p = sums.positives;
    const part& n = sums.negatives;
    const double q = loss.positive_prior;
    if (!(q > 0.0)) return {log(n.total) + at.negative_level, 0.0, 1.0, false};
    const double expected = q * n.count / p.count * (p.total * at.positive_share);
    const double rest = (n.total * at.negative_share - expected) / (1.0 - q);
    const double least = log(n.count) - (1.0 + at.greatest) / loss.temperature + sums.log_unit;
    const double log_rest = rest > 0.0 ? log(rest) + at.level : rankloss::detail::no_exponent;
    if (log_rest <= least) return {least, 0.0, 0.0, true};
    return {log_rest, -expected / (1.0 - q) / rest, n.total * at.negative_share / (1.0 - q) / rest, false};
  }

  /// (top - s) / temperature, so that differences from logarithms of weights keep their digits.
  [[nodiscard]] __device__ number_type distance(T top, T s) const {
    if constexpr (std::is_same_v<T, float>)
      if (narrow && top - s <= 1e15f)
        return (two_floats{top, 0.0f} - two_floats{s, 0.0f}) * two_floats{unit, unit_rest};
    return number<number_type>(fmin(below(static_cast<double>(top), static_cast<double>(s)),
                                    std::is_same_v<T, float> ? 1e30 : largest_term));
  }
  template <class Segment>
  [[nodiscard]] static __device__ double log_weight_of(const Segment& segment, unsigned k) {
    if constexpr (Weighted)
      return exact_value(segment.log_weight(k));
    else
      return 0.0;
  }
  /// (top - s) / temperature, of numbers that are halved first: their difference may overflow.
  [[nodiscard]] __device__ double below(double top, double s) const {
    return fmin(fmax(fma(s, -0.5, 0.5 * top) * half_unit, 0.0), largest_term);
  }
  [[nodiscard]] static __device__ double held_exponent(double x) {
    return fmin(fmax(x, -largest_term), largest_term);
  }
  [[nodiscard]] __device__ part merge(const part& a, const part& b) const {
    const bool rises = a.empty() || (!b.empty() && (a.top < b.top || (a.top == b.top && a.lift < b.lift)));
    const part high = chosen(rises, b, a), low = chosen(rises, a, b);
    if (low.empty()) return high;
    const double d = below(high.top, low.top);
    part both{};
    double high_share = 1.0, share;
    if constexpr (Weighted) {
      both.lift = fmax(high.lift, low.lift - d);
      both.log_weights = high.log_weights + low.log_weights;
      high_share = share_below<T>(both.lift - high.lift);
      share = share_below<T>(both.lift - (low.lift - d));
    } else {
      share = share_below<T>(d);
    }
    both.count = high.count + low.count;
    both.top = high.top;
    both.total = high_share * high.total + share * low.total;
    both.weighted = high_share * high.weighted + (share > 0.0 ? share * (low.weighted + d * low.total) : 0.0);
    both.distances = high.distances + (low.distances + d * low.count);
    return both;
  }
  /// By numbers: references to one or the other would put both into memory.
  [[nodiscard]] static __device__ part chosen(bool first, const part& a, const part& b) {
    part of{};
    of.count = first ? a.count : b.count;
    of.top = first ? a.top : b.top;
    of.total = first ? a.total : b.total;
    of.weighted = first ? a.weighted : b.weighted;
    of.distances = first ? a.distances : b.distances;
    if constexpr (Weighted) {
      of.lift = first ? a.lift : b.lift;
      of.log_weights = first ? a.log_weights : b.log_weights;
    }
    return of;
  }
};

template <class T>
using info_nce_lines = info_nce_lines_of<T, false>;

/// With the inverses of probabilities as weights of items.
template <class T>
struct sampled_info_nce_lines : info_nce_lines_of<T, true> {
  item_weights<exact_number<T>> weights;

  [[nodiscard]] static sampled_info_nce_lines of(const info_nce& loss, bool several, bool by_temperature) {
    return {info_nce_lines_of<T, true>::of(loss, several, by_temperature), {}};
  }
};

}  // namespace cuda::detail

template <>
struct engine<info_nce, cuda::context>
    : cuda::detail::sampled_line_engine<info_nce, cuda::detail::info_nce_lines,
                                        cuda::detail::sampled_info_nce_lines> {};

}  // namespace rankloss::inline RANKLOSS_ABI
