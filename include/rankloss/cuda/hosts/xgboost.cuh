// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/lambda_sums.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/team_sort.cuh>
#include <rankloss/cuda/evaluate.hpp>
#include <rankloss/hosts/xgboost.hpp>
#include <rankloss/random.hpp>

#include <cstddef>
#include <cstdint>

namespace rankloss::inline RANKLOSS_ABI {
namespace cuda::detail {

/// device_change: a metric together with the changes of it when the items of a pair swap their ranks.
///
///     of(metric, cutoff)      made on the host
///     item_bytes              of scratch, for each item
///     takes(y)                which relevance the metric accepts
///     prepare(team, list, sums, scratch)
///                             what is called with two positions
template <class Metric>
struct device_change;

template <>
struct device_change<xgboost::delta_ndcg> : ndcg_changes {
  [[nodiscard]] static device_change of(const xgboost::delta_ndcg& metric, std::size_t cutoff) {
    return {ndcg_changes::of(metric.gain, metric.gain_table, cutoff, 31.0)};
  }
};

template <>
struct device_change<xgboost::equal> {
  static constexpr std::size_t item_bytes = 0;

  [[nodiscard]] static device_change of(const xgboost::equal&, std::size_t) noexcept { return {}; }
  [[nodiscard]] __device__ bool takes(double) const { return true; }

  struct changes {
    [[nodiscard]] __device__ double operator()(std::uint32_t, std::uint32_t) const { return 1.0; }
  };
  template <class Team, class T, class R>
  [[nodiscard]] __device__ changes prepare(const Team&, const device_list<T, R>&,
                                           const lambda_sums<Team, T, R>&, team_scratch&) const {
    return {};
  }
};

/// As pairs::delta_map has it: see cuda/detail/pair_weights.cuh.
template <>
struct device_change<xgboost::delta_map> {
  static constexpr std::size_t item_bytes = 2 * sizeof(double);

  [[nodiscard]] static device_change of(const xgboost::delta_map&, std::size_t) noexcept { return {}; }
  [[nodiscard]] __device__ bool takes(double y) const { return xgboost::delta_map{}.takes(y); }

  struct changes {
    const double *upper, *lower;  // [n] by position: what it adds where it is the first, and the second one

    [[nodiscard]] __device__ double operator()(std::uint32_t i, std::uint32_t j) const {
      return upper[i] + lower[j];
    }
  };
  template <class Team, class T, class R>
  [[nodiscard]] __device__ changes prepare(const Team& team, const device_list<T, R>& items,
                                           const lambda_sums<Team, T, R>& sums, team_scratch& scratch) const {
    const std::uint32_t n = items.size();
    double* const upper = scratch.take<double>(n);
    double* const lower = scratch.take<double>(n);
    const auto relevant = [&](std::uint32_t p) { return sums.level(p) > 0.0 ? 1.0 : 0.0; };
    const auto rank = [](std::uint32_t p) { return 1.0 + static_cast<double>(p); };
    const two_sums all = scan_items(
        team, n, two_sums{0.0, 0.0},
        [&](std::uint32_t p) {
          return two_sums{relevant(p), relevant(p) / rank(p)};
        },
        [](const two_sums& a, const two_sums& b) { return a + b; },
        [&](std::uint32_t p, const two_sums& up_to) {
          upper[p] = up_to.first;
          lower[p] = up_to.second;
        });
    const double share = all.first > 0.0 ? 1.0 / all.first : 0.0;
    sums.for_own([&](std::uint32_t p) {
      const double count = upper[p], inverse_ranks = lower[p], itself = relevant(p);
      upper[p] = share * ((count - itself + 1.0) / rank(p) - inverse_ranks);
      lower[p] = share * (inverse_ranks - itself / rank(p) - count / rank(p));
    });
    team.sync();
    return {upper, lower};
  }
};

/// lambdamart of one list, pair by pair in the order of the scores.
template <class Weight>
struct lambdamart_list {
  device_change<Weight> change;
  std::uint64_t seed, count;
  bool top, list_normalized, score_normalized;

  static constexpr bool has_hessian = true;
  static constexpr bool counts_pairs = true;
  /// Those of drawn pairs, which need more: levels, which are sorted, with their positions, and draws with theirs.
  template <class T>
  static constexpr std::size_t item_bytes = lambda_sums<warp_team, T, T>::item_bytes +
                                            device_change<Weight>::item_bytes + sizeof(double) +
                                            3 * sizeof(std::uint32_t);

  [[nodiscard]] static lambdamart_list of(const xgboost::lambdamart<Weight>& loss) {
    using enum xgboost::normalize;
    const bool top = loss.pairs == xgboost::pair_method::topk;
    const std::size_t count = loss.pairs_per_item > 0 ? loss.pairs_per_item : top ? 32 : 1;
    return {device_change<Weight>::of(loss.weight, top ? count : 0),
            loss.seed,
            count,
            top,
            loss.list_normalization == on,
            loss.score_normalization == on};
  }
  [[nodiscard]] __device__ bool takes(double y) const { return change.takes(y); }

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items,
                                             const device_sink<T>& sink, team_scratch scratch) const {
    lambda_sums<Team, T, R> sums(team, items, scratch);
    const auto weights = change.prepare(team, items, sums, scratch);
    const bool spread = sums.score(0) != sums.score(sums.size() - 1);
    const lambda_rule rule{
        .near = score_normalized && spread ? 0.01 : 0.0, .hessian_factor = 2.0, .hessian_floor = 1e-16};
    double norm = 1.0;
    if (top) {
      sums.add_top(rule, weights, count, sums.size());
      if (list_normalized) norm = sums.list_norm();
    } else {
      add_drawn(team, rule, weights, items.number, sums, scratch);
      if (list_normalized) norm = 1.0 / static_cast<double>(count);
    }
    return sums.write(sink, norm);
  }

 private:
  static constexpr std::uint32_t none = ~std::uint32_t{0};

  /// Each position draws others, and adds its pairs with them to itself. Then draws are sorted by what has been drawn,
  /// and that adds the pairs to itself, too.
  template <class Team, class Changes, class T, class R>
  __device__ void add_drawn(const Team& team, const lambda_rule& rule, const Changes& changes,
                            std::uint64_t number, lambda_sums<Team, T, R>& sums, team_scratch scratch) const {
    const std::uint32_t n = sums.size();
    double* const levels = scratch.take<double>(n);
    std::uint32_t* const by_level = scratch.take<std::uint32_t>(n);
    std::uint32_t* const drawn = scratch.take<std::uint32_t>(n);
    std::uint32_t* const drawer = scratch.take<std::uint32_t>(n);
    sums.for_own([&](std::uint32_t p) {
      levels[p] = sums.level(p);
      by_level[p] = p;
    });
    sort_falling(team, n, levels, by_level);
    const auto pair = [&](std::uint32_t p, std::uint32_t q) {
      return sums.pair(rule, changes, p < q ? p : q, p < q ? q : p);
    };
    for (std::uint64_t k = 0; k < count; ++k) {
      sums.for_own([&](std::uint32_t p) {
        drawer[p] = p;
        drawn[p] = draw(sums, levels, by_level, number, p, static_cast<std::uint32_t>(k));
        if (drawn[p] == none) return;
        const lambda_pair of = pair(p, drawn[p]);
        sums.add(p, p < drawn[p] ? of.slope : -of.slope, of.bend);
        sums.count(of);
      });
      sort(
          team, n,
          [=](std::uint32_t a, std::uint32_t b) {
            return drawn[a] != drawn[b] ? drawn[a] < drawn[b] : drawer[a] < drawer[b];
          },
          [=](std::uint32_t a, std::uint32_t b) {
            const std::uint32_t of[2] = {drawn[a], drawer[a]};
            drawn[a] = drawn[b];
            drawer[a] = drawer[b];
            drawn[b] = of[0];
            drawer[b] = of[1];
          });
      sums.for_own([&](std::uint32_t q) {
        for (std::uint32_t at = first_of(n, [&](std::uint32_t m) { return drawn[m] >= q; });
             at < n && drawn[at] == q; ++at) {
          const lambda_pair of = pair(drawer[at], q);
          sums.add(q, q < drawer[at] ? of.slope : -of.slope, of.bend);
        }
      });
      team.sync();
    }
  }

  /// The position that position p draws among those of other levels; none where there are none.
  template <class Sums>
  [[nodiscard]] __device__ std::uint32_t draw(const Sums& sums, const double* levels,
                                              const std::uint32_t* by_level, std::uint64_t number,
                                              std::uint32_t p, std::uint32_t k) const {
    using rankloss::detail::high_half;
    using rankloss::detail::low_half;
    const std::uint32_t n = sums.size();
    const double own = sums.level(p);
    const std::uint32_t begin = first_of(n, [&](std::uint32_t m) { return levels[m] <= own; });
    const std::uint32_t end = first_of(n, [&](std::uint32_t m) { return levels[m] < own; });
    const std::uint64_t others = n - (end - begin);
    if (others == 0) return none;
    std::uint32_t bits[4] = {sums.item(p), k, low_half(number), high_half(number)};
    rankloss::detail::philox_rounds(bits, low_half(seed), high_half(seed));
    const auto at = static_cast<std::uint32_t>((bits[0] * others + (bits[1] * others >> 32)) >> 32);
    return by_level[at < begin ? at : at + (end - begin)];
  }

  /// The first number below n from which on it holds; n where it never does.
  template <class Holds>
  [[nodiscard]] static __device__ std::uint32_t first_of(std::uint32_t n, Holds holds) {
    std::uint32_t begin = 0, end = n;
    while (begin < end) {
      const std::uint32_t middle = begin + (end - begin) / 2;
      if (holds(middle))
        end = middle;
      else
        begin = middle + 1;
    }
    return begin;
  }
};

}  // namespace cuda::detail

template <class Weight>
struct engine<xgboost::lambdamart<Weight>, cuda::context>
    : cuda::detail::list_engine<xgboost::lambdamart<Weight>, cuda::detail::lambdamart_list<Weight>> {};

}  // namespace rankloss::inline RANKLOSS_ABI
