// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/line_engine.cuh>
#include <rankloss/cuda/detail/line_sums.cuh>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/softplus.hpp>
#include <rankloss/info_nce.hpp>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// info_nce of one line, by the formulas of cpu/info_nce.hpp. What is computed of a negative is of T; what is
/// computed of a positive, of which there are few, and sums are doubles.
template <class T>
struct info_nce_lines {
  static constexpr double largest_term = rankloss::detail::largest_term;
  using softplus_of = rankloss::detail::softplus_of;

  /// The positives or the negatives.
  struct part {
    double count;
    double top;        ///< greatest score
    double total;      ///< sum of exp((s - top) / temperature)
    double weighted;   ///< sum of those times (top - s) / temperature
    double distances;  ///< sum of (top - s) / temperature

    [[nodiscard]] __device__ bool empty() const { return !(count > 0.0); }
  };
  struct first {
    part positives, negatives;

    [[nodiscard]] static __device__ first none() {
      constexpr part empty{0.0, lowest_number<double>, 0.0, 0.0, 0.0};
      return {empty, empty};
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
  /// Of an item: multiple * exp((s - top) / temperature) + constant; and less for a positive that competes
  /// with the negatives alone: each * sigmoid(level + (top - s) / temperature).
  struct slope {
    double positive_top, positive_multiple, positive_constant, each, level;
    T negative_top, negative_multiple, negative_constant, unused;
  };

  info_nce loss;
  bool looks_twice;
  bool weighs;  ///< whether weighted distances of negatives are needed, and plain ones
  bool distances;
  T unit;  ///< 1 / temperature
  double half_unit;

  [[nodiscard]] static info_nce_lines of(const info_nce& loss, bool several, bool by_temperature) {
    return {.loss = loss,
            .looks_twice = several && loss.positives == positive_share::separate,
            .weighs = by_temperature,
            .distances = loss.label_smoothing > 0.0,
            .unit = held_as<T>(1.0 / loss.temperature),
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
    T total{0}, weighted{0};
    for (unsigned k = 0; k < segment.size(); ++k) {
      const T s = segment.score(k);
      const pair_kind kind = segment.kind(k);
      if (kind == pair_kind::negative) {
        const T d = (negative_top - s) * unit;
        const T own = exp_minus(d);
        total += own;
        if (weighs) weighted += own * (d < T{1000} ? d : T{1000});
        if (distances)
          sums.negatives.distances += below(static_cast<double>(negative_top), static_cast<double>(s));
      } else if (kind == pair_kind::positive) {
        const double d = below(static_cast<double>(positive_top), static_cast<double>(s));
        const double own = exp_minus(d);
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
    return {merge(a.positives, b.positives), merge(a.negatives, b.negatives)};
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
        const softplus_of odds(held_exponent(level + d));
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
      to = {0.0, 0.0, 0.0, 0.0, 0.0, T{0}, T{0}, T{0}, T{0}};
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
      const softplus_of odds(n.empty()
                                 ? rankloss::detail::no_exponent
                                 : at.positive_distance - at.negative_distance + log(n.total / p.total));
      value = odds.value + log(p.count);
      of_positives = -odds.slope / p.total;
      of_negatives = n.empty() ? 0.0 : odds.slope / n.total;
    } else if (loss.positives == positive_share::outside) {
      const double z = p.total * at.positive_share + n.total * at.negative_share;
      const double smoothing = loss.label_smoothing;
      const double own = (1.0 - smoothing) / p.count;
      const double all = smoothing / (p.count + n.count);
      const double positives_below = p.distances + p.count * at.positive_distance;
      const double negatives_below = n.empty() ? 0.0 : n.distances + n.count * at.negative_distance;
      of_positives = at.positive_share / z;
      of_negatives = n.empty() ? 0.0 : at.negative_share / z;
      positive_constant = -own - all;
      negative_constant = -all;
      value = fmax(log(z) + own * positives_below +
                       all * (positives_below + (smoothing > 0.0 ? negatives_below : 0.0)),
                   0.0);
    } else if (!n.empty()) {
      const negative_sum negatives = negatives_of(sums, at);
      level = negatives.log_sum + at.positive_distance;
      second own = second::none();
      if (seen != nullptr) {
        own = *seen;
      } else {  // a single positive
        const softplus_of odds(held_exponent(level));
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
    to = {.positive_top = p.top,
          .positive_multiple = held_as<double>(factor * of_positives),
          .positive_constant = held_as<double>(factor * positive_constant),
          .each = held_as<double>(factor * each),
          .level = level,
          .negative_top = n.empty() ? T{0} : static_cast<T>(n.top),
          .negative_multiple = held_as<T>(factor * of_negatives),
          .negative_constant = held_as<T>(factor * negative_constant),
          .unused = T{0}};
    return {.value = fmin(fmax(value, -largest_term), largest_term),
            .by_temperature = held_as<double>((along + floor_slope) / loss.temperature)};
  }

  [[nodiscard]] __device__ T slope_of(const slope& of, T s, bool positive) const {
    if (!positive)
      return fma(of.negative_multiple, exp_minus((of.negative_top - s) * unit), of.negative_constant);
    const double d = below(of.positive_top, static_cast<double>(s));
    double own = fma(of.positive_multiple, exp_minus(d), of.positive_constant);
    if (of.each > 0.0) own -= of.each * softplus_of(held_exponent(of.level + d)).slope;
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
    double positive_share, negative_share;        ///< exp(-distance)
  };
  [[nodiscard]] __device__ relative greatest_of(const first& sums) const {
    const part& p = sums.positives;
    const part& n = sums.negatives;
    relative at{};
    at.greatest = fmax(p.empty() ? n.top : p.top, n.empty() ? p.top : n.top);
    if (!p.empty()) at.positive_share = exp_minus(at.positive_distance = below(at.greatest, p.top));
    if (!n.empty()) at.negative_share = exp_minus(at.negative_distance = below(at.greatest, n.top));
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
    if (!(q > 0.0)) return {log(n.total) - at.negative_distance, 0.0, 1.0, false};
    const double expected = q * n.count / p.count * (p.total * at.positive_share);
    const double rest = (n.total * at.negative_share - expected) / (1.0 - q);
    const double least = log(n.count) - (1.0 + at.greatest) / loss.temperature;
    const double log_rest = rest > 0.0 ? log(rest) : rankloss::detail::no_exponent;
    if (log_rest <= least) return {least, 0.0, 0.0, true};
    return {log_rest, -expected / (1.0 - q) / rest, n.total * at.negative_share / (1.0 - q) / rest, false};
  }

  /// (top - s) / temperature, of numbers that are halved first: their difference may overflow.
  [[nodiscard]] __device__ double below(double top, double s) const {
    return fmin(fmax(fma(s, -0.5, 0.5 * top) * half_unit, 0.0), largest_term);
  }
  [[nodiscard]] static __device__ double held_exponent(double x) {
    return fmin(fmax(x, -largest_term), largest_term);
  }
  [[nodiscard]] __device__ part merge(const part& a, const part& b) const {
    // By selected numbers: references to one or the other would put both into memory.
    const bool rises = a.empty() || (!b.empty() && a.top < b.top);
    const part high = {rises ? b.count : a.count, rises ? b.top : a.top, rises ? b.total : a.total,
                       rises ? b.weighted : a.weighted, rises ? b.distances : a.distances};
    const part low = {rises ? a.count : b.count, rises ? a.top : b.top, rises ? a.total : b.total,
                      rises ? a.weighted : b.weighted, rises ? a.distances : b.distances};
    if (low.empty()) return high;
    const double d = below(high.top, low.top);
    const double share = exp_minus(d);
    return {high.count + low.count, high.top, high.total + share * low.total,
            high.weighted + (share > 0.0 ? share * (low.weighted + d * low.total) : 0.0),
            high.distances + (low.distances + d * low.count)};
  }
};

}  // namespace cuda::detail

template <>
struct engine<info_nce, cuda::context> : cuda::detail::line_engine<info_nce, cuda::detail::info_nce_lines> {};

}  // namespace rankloss::inline RANKLOSS_ABI
