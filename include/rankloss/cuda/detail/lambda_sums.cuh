// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/all_pairs.cuh>
#include <rankloss/cuda/detail/gains.cuh>
#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/pair_weights.cuh>
#include <rankloss/cuda/detail/softmax_list.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/team_sort.cuh>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/tree_grades.hpp>
#include <rankloss/gain.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

/// The common part of the LambdaMART objectives of the tree libraries, as detail/pairs/lambda_sums.hpp has it on the
/// CPU: gradients and Hessians of pairs of positions, weighted by the change of a metric.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// The function of a pair. m is the change of the metric when the two items are swapped, and d = s_preferred -
/// s_other the difference of their scores.
struct lambda_rule {
  double sigmoid = 1.0;         ///< the pair's function is m log(1 + exp(-sigmoid d))
  double near = 0.0;            ///< m is divided by near + |d|; 0: m is not divided
  double hessian_factor = 1.0;  ///< the Hessian is factor m max(p (1 - p), floor), p the sigmoid of sigmoid d
  double hessian_floor = 0.0;
};

/// What a pair adds: to its first position the slope, to its second one that less, and to both the bend.
struct lambda_pair {
  double value, pull, slope, bend;
};

/// One list in descending order of scores, and the sums over its pairs. Sums are of doubles, exponentials of the type
/// of the scores. Each position belongs to one thread, which alone adds to its sums.
template <class Team, class T, class R>
class lambda_sums {
 public:
  static constexpr std::size_t item_bytes = 4 * sizeof(double) + sizeof(std::uint32_t);

  __device__ lambda_sums(const Team& team, const device_list<T, R>& items, team_scratch& scratch)
      : team_(team),
        items_(items),
        n_(items.size()),
        scores_(scratch.take<double>(n_)),
        levels_(scratch.take<double>(n_)),
        gradient_(scratch.take<double>(n_)),
        hessian_(scratch.take<double>(n_)),
        item_(scratch.take<std::uint32_t>(n_)) {
    // The difference of two scores has to be finite.
    constexpr double bound = 0.5 * greatest_number<double>;
    for_own([&](std::uint32_t i) {
      scores_[i] = score_of(items, i);
      item_[i] = i;
    });
    sort_falling(team, n_, scores_, item_);
    for_own([&](std::uint32_t p) {
      scores_[p] = fmin(fmax(scores_[p], -bound), bound);
      levels_[p] = static_cast<double>(items.relevance(item_[p]));
      gradient_[p] = hessian_[p] = 0.0;
    });
    team.sync();
  }

  [[nodiscard]] __device__ std::uint32_t size() const { return n_; }
  [[nodiscard]] __device__ double score(std::uint32_t p) const { return scores_[p]; }
  [[nodiscard]] __device__ double level(std::uint32_t p) const { return levels_[p]; }
  [[nodiscard]] __device__ std::uint32_t item(std::uint32_t p) const { return item_[p]; }
  /// Calls body(p) for the positions of a thread.
  template <class Body>
  __device__ void for_own(Body body) const {
    for (std::uint32_t p = team_.rank(); p < n_; p += team_.size()) body(p);
  }

  /// The pair of positions i < j, of which change(i, j) >= 0 is the change of the metric; 0 where they are of one
  /// level.
  template <class Change>
  [[nodiscard]] __device__ lambda_pair pair(const lambda_rule& rule, const Change& change, std::uint32_t i,
                                            std::uint32_t j) const {
    if (levels_[i] == levels_[j]) return {0.0, 0.0, 0.0, 0.0};
    const bool preferred = levels_[i] > levels_[j];
    const double distance = scores_[i] - scores_[j];
    const double x = fmin(rule.sigmoid * distance, greatest_number<double>);
    const T u = static_cast<T>(exp_below<T>(x));
    const T high = inverse(T{1} + u), low = u * high;
    double m = change(i, j);
    if (rule.near > 0.0) m /= distance + rule.near;
    const double pull = m * rule.sigmoid * static_cast<double>(preferred ? low : high);
    return {m * ((preferred ? 0.0 : x) + static_cast<double>(log1p_of(u))), pull, preferred ? -pull : pull,
            m * rule.hessian_factor * fmax(static_cast<double>(low * high), rule.hessian_floor)};
  }

  /// Adds the pairs of the first `end` positions of which at least one is below k.
  template <class Change>
  __device__ void add_top(const lambda_rule& rule, const Change& change, std::size_t k, std::uint32_t end) {
    for (std::uint32_t i = 0; i < end && i < k; ++i) {
      two_sums own{0.0, 0.0};
      // The first position of this thread behind i.
      const std::uint32_t before = (i + team_.size() - team_.rank()) / team_.size();
      for (std::uint32_t j = team_.rank() + before * team_.size(); j < end; j += team_.size()) {
        const lambda_pair of = pair(rule, change, i, j);
        own = own + two_sums{of.slope, of.bend};
        gradient_[j] -= of.slope;
        hessian_[j] += of.bend;
        count(of);
      }
      own = combine_all(team_, own, two_sums{0.0, 0.0},
                        [](const two_sums& a, const two_sums& b) { return a + b; });
      if (i % team_.size() == team_.rank()) add(i, own.first, own.second);
    }
  }
  /// Adds to the sums of a position of this thread.
  __device__ void add(std::uint32_t p, double slope, double bend) {
    gradient_[p] += slope;
    hessian_[p] += bend;
  }
  /// Adds what belongs to no single item, once for each pair.
  __device__ void count(const lambda_pair& of) {
    value_ += of.value;
    lambda_ += 2.0 * of.pull;
  }

  /// log2(1 + x) / x, where x is the sum of |gradient| over both items of all pairs; 1 for x = 0.
  [[nodiscard]] __device__ double list_norm() const {
    const double lambda = sum(team_, lambda_);
    return lambda > 0.0 ? log1p(lambda) / (0.69314718055994530942 * lambda) : 1.0;
  }
  /// Writes `factor` times the sums, times the items' weights; returns `factor` times the value.
  [[nodiscard]] __device__ double write(const device_sink<T>& sink, double factor) const {
    for_own([&](std::uint32_t p) {
      const double weight = items_.weight(item_[p]);
      if (sink.wanted()) sink.put(item_[p], held_as<T>(factor * gradient_[p] * weight));
      if (sink.hessian_wanted()) sink.put_hessian(item_[p], held_as<T>(factor * hessian_[p] * weight));
    });
    return held_as<double>(factor * sum(team_, value_));
  }

 private:
  [[nodiscard]] static __device__ float log1p_of(float x) { return log1pf(x); }
  [[nodiscard]] static __device__ double log1p_of(double x) { return log1p(x); }

  const Team& team_;
  const device_list<T, R>& items_;
  std::uint32_t n_;
  double *scores_, *levels_, *gradient_, *hessian_;  // [n] by position
  std::uint32_t* item_;                              // [n] by position
  double value_ = 0.0, lambda_ = 0.0;                // of the pairs of this thread
};

/// The change of NDCG: |G_i - G_j| |1/D_i - 1/D_j|, with gains divided by the ideal DCG up to the cutoff.
struct ndcg_changes {
  gain_weights gains;
  double most;  ///< the greatest grade that has a gain

  static constexpr std::size_t item_bytes = 2 * sizeof(double);

  /// @param most  the greatest grade of exponential gains
  [[nodiscard]] static ndcg_changes of(gain kind, std::span<const double> table, std::size_t cutoff,
                                       double most) {
    return {{gain_options::of(kind, table, ideal::sorted, cutoff), true},
            rankloss::detail::last_grade(kind, table.size(), most)};
  }
  [[nodiscard]] __device__ bool takes(double y) const {
    return rankloss::detail::is_grade(gains.gains.kind, most, y);
  }

  struct changes {
    const double *gains, *discounts;  // [n] by position

    [[nodiscard]] __device__ double operator()(std::uint32_t i, std::uint32_t j) const {
      return fabs(gains[i] - gains[j]) * fabs(discounts[i] - discounts[j]);
    }
  };
  template <class Team, class T, class R>
  [[nodiscard]] __device__ changes prepare(const Team& team, const device_list<T, R>& items,
                                           const lambda_sums<Team, T, R>& sums, team_scratch& scratch) const {
    const std::uint32_t n = items.size();
    double* const own = scratch.take<double>(n);
    double* const discounts = scratch.take<double>(n);
    auto* const runs = reinterpret_cast<std::uint32_t*>(discounts);  // until there are discounts
    const weight_scale scale = gains.scale_of(team, items);
    pair_arrays<double> by_item{};
    by_item.sum = own;
    gains.prepare(team, items, scale, by_item);
    sums.for_own([&](std::uint32_t i) { runs[i] = i; });
    sort_falling(team, n, own, runs);
    const double best = gains.gains.ideal_dcg_of_sorted(team, own, n, runs);
    const double factor = best > 0.0 ? 1.0 / best : 0.0;
    team.sync();
    gains.prepare(team, items, scale, by_item);
    team.sync();
    // From the order of the items to that of the scores.
    sums.for_own([&](std::uint32_t p) { discounts[p] = factor * own[sums.item(p)]; });
    team.sync();
    sums.for_own([&](std::uint32_t p) {
      own[p] = discounts[p];
      discounts[p] = discount_of(p, 0);
    });
    team.sync();
    return {own, discounts};
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
