// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/all_pairs.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/pair_functions.cuh>
#include <rankloss/cuda/detail/pair_weights.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/data/counted_by.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>
#include <rankloss/pairwise.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// A factor for sums over pairs, as two factors: see scaled_factor.hpp.
struct pair_scale {
  double first, second;

  /// factor / divisor * 2^exponent; 0 where the divisor is 0.
  [[nodiscard]] static __device__ pair_scale of(double factor, double divisor, int exponent) {
    const double quotient = divisor > 0.0 ? factor / divisor : 0.0;
    exponent = exponent < -2000 ? -2000 : exponent > 2000 ? 2000 : exponent;
    return {quotient * ldexp(1.0, exponent / 2), ldexp(1.0, exponent - exponent / 2)};
  }
};

/// pairwise of one list, pair by pair, as pairwise_engine::run_pairs computes it on the CPU: in float lanes
/// where the scores are floats and near enough to each other, else in double. Items stay in their order; what
/// depends on ranks reads the rank of an item, which is the number of items before it.
template <class Function, class Weight>
struct pair_list {
  using function_type = device_pair_function<Function>;
  using weight_type = device_pair_weight<Weight>;

  function_type function;
  weight_type weight;
  double score_scale;
  std::size_t cutoff;
  pairs::keep keep;
  pairs::average average;

  static constexpr bool uses_ranks = requires { requires Weight::uses_ranks; };
  static constexpr bool all_pairs = requires { requires Weight::all_pairs; };
  static constexpr bool binary = requires { requires Weight::binary; };

  static constexpr bool has_hessian = true;
  /// In double lanes, which need more: items, sums of both derivatives and ranks, and the arrays of the
  /// weight.
  template <class T>
  static constexpr std::size_t item_bytes = sizeof(pair_item<double>) +
                                            (2 + weight_type::own + weight_type::by_distance) *
                                                sizeof(double) +
                                            sizeof(std::uint32_t);

  [[nodiscard]] static pair_list of(const pairwise<Function, Weight>& loss) {
    return {function_type::of(loss.function),
            weight_type::of(loss.weight),
            loss.function.score_scale(),
            loss.cutoff,
            loss.keep,
            loss.average};
  }
  [[nodiscard]] __device__ bool takes(double y) const { return weight.takes(y); }

  /// Whether there are ranks of items.
  [[nodiscard]] __device__ bool takes_item_order() const { return uses_ranks || cutoff > 0; }

  /// How a list is computed.
  struct plan {
    weight_scale scale;
    double unit;         ///< of item weights
    double least_level;  ///< whose items are never preferred
    double centre;       ///< of scores
    std::uint64_t in_float;
  };
  /// Whether lists are computed in lanes of float at all.
  template <class T>
  static constexpr bool takes_floats = function_type::in_float && sizeof(T) == sizeof(float);
  template <class Team, class T, class R>
  [[nodiscard]] __device__ plan plan_of(const Team& team, const device_list<T, R>& items) const {
    plan made{weight.scale_of(team, items), 1.0, lowest_number<double>, 0.0, 0};
    if (items.weighted()) {
      // A pair has the weight of its preferred item; items that are never preferred have no say, and weigh nothing.
      if constexpr (!all_pairs) {
        double lowest = greatest_number<double>;
        for (std::uint32_t i = team.rank(); i < items.size(); i += team.size())
          lowest = fmin(lowest, level_of(items, i));
        made.least_level = least(team, lowest);
      }
      double heaviest = 0.0;
      for (std::uint32_t i = team.rank(); i < items.size(); i += team.size())
        heaviest = fmax(heaviest, weight_of(items, i, made));
      made.unit = unit_of(greatest(team, heaviest));
    }
    if constexpr (takes_floats<T>) {
      double lowest = greatest_number<double>, highest = lowest_number<double>;
      bool exact = true;
      for (std::uint32_t i = team.rank(); i < items.size(); i += team.size()) {
        lowest = fmin(lowest, score_of(items, i));
        highest = fmax(highest, score_of(items, i));
        const double y = level_of(items, i);
        exact = exact && static_cast<double>(static_cast<float>(y)) == y;
      }
      highest = greatest(team, highest);
      lowest = exact && made.scale.greatest <= 1e4 && score_scale >= 1e-10 && score_scale <= 1e10
                   ? lowest
                   : lowest_number<double>;
      lowest = least(team, lowest);
      if (highest - lowest <= widest_float * score_scale) {
        made.in_float = 1;
        made.centre = 0.5 * highest + 0.5 * lowest;
      }
    }
    return made;
  }
  /// Calls body(S{}) for lanes of type S.
  template <class T, class Body>
  __device__ static auto in_lanes(const plan& made, Body body) {
    if constexpr (takes_floats<T>)
      if (made.in_float != 0) return body(0.0f);
    return body(0.0);
  }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items,
                                             const device_sink<T>& sink, team_scratch scratch) const {
    plan made = plan_of(team, items);
    double value = 0.0;
    if constexpr (takes_floats<T>) {
      if (made.in_float != 0) {
        if (run<float>(team, items, sink, scratch, made, value)) return value;
        made.in_float = 0;
        team.sync();  // the scratch is used again
      }
    }
    (void)run<double>(team, items, sink, scratch, made, value);
    return value;
  }

  // The steps of a list, of which those that are given a range do what is to do for its items.

  /// Fills what depends on each item alone.
  template <class Team, class T, class R, class S>
  __device__ void prepare(const Team& team, const device_list<T, R>& items, const plan& made,
                          const pair_arrays<S>& at) const {
    for (std::uint32_t i = team.rank(); i < items.size(); i += team.size()) {
      const double s = score_of(items, i);
      pair_item<S> item{};
      item.score = static_cast<S>(s);
      item.level = static_cast<S>(level_of(items, i));
      item.weight = static_cast<S>(weight_of(items, i, made) * made.unit);
      if constexpr (function_type::by_exponentials && sizeof(S) == sizeof(float))
        item.exponential = static_cast<S>(exp((s - made.centre) * function.scale));
      at.item[i] = item;
    }
    weight.prepare(team, items, made.scale, at);
    team.sync();
  }
  /// Fills the ranks: of equal scores the first item is the first one. Returns whether there are any.
  template <class Team, class S>
  [[nodiscard]] static __device__ bool rank_items(const Team& team, std::uint32_t n, const item_range& range,
                                                  const pair_arrays<S>& at) {
    std::uint32_t ties = 0;
    sum_pairs<std::uint32_t>(
        team, range,
        [&](std::uint32_t i, std::uint32_t part) {
          const S s = at.item[i].score;
          return count_before(
              n, i, part,
              [&](std::uint32_t j) {
                const S other = at.item[j].score;
                ties |= other == s ? 1u : 0u;
                return other >= s;
              },
              [&](std::uint32_t j) { return at.item[j].score > s; });
        },
        [&](std::uint32_t i, std::uint32_t above) { at.rank[i] = above; });
    return greatest(team, ties) != 0;
  }
  /// Fills the weights of pairs. `sum`: of weight.sum_up.
  template <class Team, class T, class R, class S>
  __device__ void fill_weights(const Team& team, const device_list<T, R>& items, const plan& made,
                               const pair_arrays<S>& at, const item_range& range, double sum) const {
    if constexpr (sizeof(T) == sizeof(double)) {
      // The difference of two scores has to be finite.
      constexpr double bound = 0.5 * greatest_number<double>;
      range.for_own(team,
                    [&](std::uint32_t i) { at.item[i].score = fmin(fmax(at.item[i].score, -bound), bound); });
    }
    weight.fill(team, items, made.scale, at, range, sum);
    team.sync();
  }

  /// Sums of pairs, and the greatest derivatives; of those that are not wanted the greatest number.
  struct totals {
    double value, weight, count, slope, bend;

    [[nodiscard]] static __device__ totals none() { return {0.0, 0.0, 0.0, 0.0, 0.0}; }
    [[nodiscard]] __device__ totals with(const totals& other) const {
      return {value + other.value, weight + other.weight, count + other.count, fmax(slope, other.slope),
              fmax(bend, other.bend)};
    }
    template <class Team>
    [[nodiscard]] __device__ totals of_all(const Team& team) const {
      return {sum(team, value), sum(team, weight), sum(team, count), greatest(team, slope),
              greatest(team, bend)};
    }
  };
  /// Whether sums in lanes of float are so small that what floats cannot hold may be missing from them; see
  /// lost_in_float in float_pairs.hpp.
  [[nodiscard]] static __device__ bool lost(const plan& made, const totals& all) {
    return made.in_float != 0 && all.count > 0.0 && fmin(fmin(all.value, all.slope), all.bend) < 1e-27;
  }

  /// Sums of the pairs of one thread.
  template <class S>
  struct own_totals {
    long_sum<S> value, weight;
    std::uint64_t count = 0;
  };
  /// Sums up the pairs of each item: its derivatives, and for each thread what does not belong to one item.
  template <class Team, class S>
  [[nodiscard]] __device__ totals sum_range(const Team& team, std::uint32_t n, const pair_arrays<S>& at,
                                            const item_range& range) const {
    own_totals<S> own;
    double steepest = 0.0, most_bent = at.bend != nullptr ? 0.0 : greatest_number<double>;
    if (at.bend != nullptr)
      sum_pairs<two_sums>(
          team, range,
          [&](std::uint32_t i, std::uint32_t part) { return pairs_of<true>(at, n, i, part, own); },
          [&](std::uint32_t i, const two_sums& of) {
            at.sum[i] = of.first;
            at.bend[i] = of.second;
            steepest = fmax(steepest, fabs(of.first));
            most_bent = fmax(most_bent, fabs(of.second));
          });
    else
      sum_pairs<double>(
          team, range,
          [&](std::uint32_t i, std::uint32_t part) { return pairs_of<false>(at, n, i, part, own).first; },
          [&](std::uint32_t i, double slope) {
            at.sum[i] = slope;
            steepest = fmax(steepest, fabs(slope));
          });
    return {own.value.exact_value(), own.weight.exact_value(), static_cast<double>(own.count), steepest,
            most_bent};
  }

  /// What the sums of all pairs are to the value and to the derivatives.
  struct result {
    double value;
    pair_scale slope, bend;
  };
  [[nodiscard]] __device__ result result_of(const totals& all, const plan& made) const {
    const double divisor = average == pairs::average::none    ? 1.0
                           : average == pairs::average::pairs ? all.count
                                                              : all.weight;
    // Weights are scaled in the sum of weights too.
    const int exponent = average == pairs::average::weight ? 0 : made.scale.exponent - ilogb(made.unit);
    const pair_scale by = pair_scale::of(function.value_factor, divisor, exponent);
    return {held_as<double>(held_as<double>(all.value) * by.first * by.second),
            pair_scale::of(function.slope_factor, divisor, exponent),
            pair_scale::of(function.bend_factor, divisor, exponent)};
  }
  /// Puts the derivatives. Where scores are tied, items of equal score, relevance and weight have the mean of
  /// theirs; see alike.hpp.
  template <class Team, class T, class R, class S>
  static __device__ void put(const Team& team, const device_list<T, R>& items, const device_sink<T>& sink,
                             const pair_arrays<S>& at, const item_range& range, const result& found,
                             bool tied) {
    const auto put_one = [&](std::uint32_t i, double slope) {
      sink.put(i, held_as<T>(slope * found.slope.first * found.slope.second));
    };
    const auto put_bend = [&](std::uint32_t i, double bend) {
      sink.put_hessian(i, held_as<T>(bend * found.bend.first * found.bend.second));
    };
    if (!tied) {
      if (sink.wanted()) range.for_own(team, [&](std::uint32_t i) { put_one(i, at.sum[i]); });
      if (at.bend != nullptr) range.for_own(team, [&](std::uint32_t i) { put_bend(i, at.bend[i]); });
      return;
    }
    const std::uint32_t n = items.size();
    const auto alike = [&](std::uint32_t i, std::uint32_t j) {
      return at.item[i].score == at.item[j].score && score_of(items, i) == score_of(items, j) &&
             items.relevance(i) == items.relevance(j) && items.weight(i) == items.weight(j);
    };
    const auto put_means = [&](const double* sums, auto put_mean) {
      sum_pairs<two_sums>(
          team, range,
          [&](std::uint32_t i, std::uint32_t part) {
            two_sums of{};
            for (std::uint32_t j = part; j < n; j += lanes_of_item)
              if (alike(i, j)) of = of + two_sums{sums[j], 1.0};
            return of;
          },
          [&](std::uint32_t i, const two_sums& of) { put_mean(i, of.first / of.second); });
    };
    if (sink.wanted()) put_means(at.sum, put_one);
    if (at.bend != nullptr) put_means(at.bend, put_bend);
  }

 private:
  template <class T, class R>
  [[nodiscard]] static __device__ double score_of(const device_list<T, R>& items, std::uint32_t i) {
    return static_cast<double>(rankloss::detail::bounded(items.score(i)));
  }
  template <class T, class R>
  [[nodiscard]] static __device__ double level_of(const device_list<T, R>& items, std::uint32_t i) {
    const auto y = static_cast<double>(items.relevance(i));
    return binary ? (y > 0.0 ? 1.0 : 0.0) : y;
  }
  template <class T, class R>
  [[nodiscard]] static __device__ double weight_of(const device_list<T, R>& items, std::uint32_t i,
                                                   const plan& made) {
    return all_pairs || level_of(items, i) > made.least_level ? items.weight(i) : 0.0;
  }
  /// In lanes of S. Returns false, and puts nothing, where floats do not hold the sums.
  template <class S, class Team, class T, class R>
  [[nodiscard]] __device__ bool run(const Team& team, const device_list<T, R>& items,
                                    const device_sink<T>& sink, team_scratch scratch, const plan& made,
                                    double& value) const {
    const std::uint32_t n = items.size();
    pair_arrays<S> at{};
    at.sum = scratch.take<double>(n);
    if (sink.hessian_wanted()) at.bend = scratch.take<double>(n);
    if constexpr (weight_type::own > 0) at.own[0] = scratch.take<exact_number<S>>(n);
    if constexpr (weight_type::own > 1) at.own[1] = scratch.take<exact_number<S>>(n);
    at.item = scratch.take<pair_item<S>>(n);
    if constexpr (weight_type::by_distance > 0) at.by_distance = scratch.take<S>(n);
    if (takes_item_order()) at.rank = scratch.take<std::uint32_t>(n);

    const item_range all{0, n};
    prepare(team, items, made, at);
    const bool tied = takes_item_order() && rank_items(team, n, all, at);
    fill_weights(team, items, made, at, all, sum(team, weight.sum_up(team, at, n, all)));
    const totals sums = sum_range(team, n, at, all).of_all(team);
    if (lost(made, sums)) return false;
    const result found = result_of(sums, made);
    if (sink.derivatives_wanted()) put(team, items, sink, at, all, found, tied);
    value = found.value;
    return true;
  }

  /// Whether the cutoff keeps a pair.
  template <class S>
  [[nodiscard]] __device__ bool keeps(const pair_arrays<S>& at, std::uint32_t i, std::uint32_t j) const {
    const bool first = at.rank[i] < cutoff, second = at.rank[j] < cutoff;
    return keep == pairs::keep::both ? first && second : first || second;
  }

  /// The derivatives by score i of the pairs of item i with the items part, part + lanes_of_item, ...; the second
  /// one where `bends`. Adds what does not belong to one item where item i is preferred.
  template <bool bends, class S>
  [[nodiscard]] __device__ two_sums pairs_of(const pair_arrays<S>& at, std::uint32_t n, std::uint32_t i,
                                             std::uint32_t part, own_totals<S>& own) const {
    constexpr std::uint32_t chunk = 16 * lanes_of_item;  // no long sums in float
    const pair_item<S> here = at.item[i];
    long_sum<S> slope, curvature;
    for (std::uint32_t begin = part; begin < n; begin += chunk) {
      const std::uint32_t end = n - begin < chunk ? n : begin + chunk;
      S slopes{0}, curvatures{0}, values{0}, weights{0};
      std::uint32_t count = 0;
      // Without branches: the lanes of a warp would take both of them, and what is read of item i would be
      // read again for each pair.
#pragma unroll 4
      for (std::uint32_t j = begin; j < end; j += lanes_of_item) {
        const bool kept = cutoff == 0 || keeps(at, i, j);
        const pair_item<S> there = at.item[j];
        if constexpr (all_pairs) {
          const S w = kept ? weight(at, i, j) * here.weight : S{0};
          const pair_terms<S> f = function(here, there, S{0});
          values += w * f.value;
          weights += w;
          count += kept ? 1u : 0u;
          const S back = kept && j != i ? weight(at, j, i) * there.weight : S{0};
          const pair_terms<S> g = function(there, here, S{0});
          slopes += (j != i ? w * f.slope : S{0}) - back * g.slope;
          if constexpr (bends) curvatures += (j != i ? w * f.curvature : S{0}) + back * g.curvature;
        } else {
          const bool preferred = here.level > there.level, other = here.level < there.level;
          const pair_item<S> upper = chosen(preferred, here, there), lower = chosen(preferred, there, here);
          const pair_terms<S> f = function(upper, lower, upper.level - lower.level);
          const S w = kept && (preferred || other) ? weight(at, i, j) * upper.weight : S{0};
          const S own_w = preferred ? w : S{0};
          slopes += preferred ? w * f.slope : -(w * f.slope);
          if constexpr (bends) curvatures += w * f.curvature;
          values += own_w * f.value;
          weights += own_w;
          count += kept && preferred ? 1u : 0u;
        }
      }
      slope.add(slopes);
      if constexpr (bends) curvature.add(curvatures);
      own.value.add(values);
      own.weight.add(weights);
      own.count += count;
    }
    return {slope.exact_value(), curvature.exact_value()};
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
