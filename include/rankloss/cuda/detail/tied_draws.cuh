// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/list_kernel.cuh>
#include <rankloss/cuda/detail/order_rests.cuh>
#include <rankloss/cuda/detail/softmax_list.cuh>
#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/cuda/detail/team_sort.cuh>
#include <rankloss/detail/base/finite.hpp>

#include <cstddef>
#include <cstdint>

/// Plackett-Luce probabilities of orders by levels: items of one level are drawn in any order, before all of the
/// next ones.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// What a level is to the value and to the items behind it: see detail/draws/tied_draws.hpp.
struct tied_draw {
  double loss, pull, bend;
};

/// The probability that items are drawn before all others, in any order: the integral over the time of a race that
/// detail/draws/tied_draws.hpp explains, with the same nodes. Every thread of a team has items of its own.
///
///     d(j)           the log weight of item j < size, minus the log of the sum of the others' weights
///     slope, bend    [size] receive d(log P) / d(d_j) and d2(log P) / d(d_j)^2; bend: null where not wanted
///     own            [size] scratch
template <class Team, class Distance>
class tied_race {
 public:
  __device__ tied_race(const Team& team, std::uint32_t size, Distance d, double* slope, double* bend,
                       double* own)
      : team_(team), size_(size), d_(d), slope_(slope), bend_(bend), own_(own) {
    // For an item of less weight than the others, log F(d + u) is close to d + u. Its d is added once here.
    for_own([&](std::uint32_t j) {
      const double x = d_(j);
      if (x > 0.0) return;
      constant_ += x;
      below_ += 1.0;
    });
    constant_ = sum(team_, constant_);
    below_ = sum(team_, below_);
  }

  [[nodiscard]] __device__ tied_draw operator()() {
    // The peak lies where 1 <= e^u <= 1 + size: Newton's method, or a bisection where a step leaves the bracket.
    double low = 0.0, high = log1p(static_cast<double>(size_));
    double u = 0.5 * (low + high);
    node top = at(u);
    for (int step = 0; step < 50 && fabs(top.slope) > 1e-3 * sqrt(-top.curvature); ++step) {
      (top.slope > 0.0 ? low : high) = u;
      const double next = u - top.slope / top.curvature;
      u = next > low && next < high ? next : 0.5 * (low + high);
      top = at(u);
    }

    for_own([&](std::uint32_t j) {
      slope_[j] = 0.0;
      if (bend_ != nullptr) bend_[j] = 0.0;
    });
    double mass = 0.0, square = 0.0;
    const auto add = [&](double v) {
      const double weight = exp(at(v).value - top.value), x = exp(v);
      mass += weight;
      square += weight * (x * x - 3.0 * x + 1.0);
      for_own([&](std::uint32_t j) {
        slope_[j] += weight * own_[j];
        // The second derivative plus the squared slope is slope (1 - e^v); the other terms cancel.
        if (bend_ != nullptr) bend_[j] += weight * (own_[j] * (1.0 - time(d_(j) + v)));
      });
      return weight > 1e-17 * mass;
    };
    double h = fmin(0.4, 1.2 / sqrt(-top.curvature));
    int last = 0, first = 0;
    add(u);
    while (add(u + h * ++last)) {
    }
    while (add(u + h * --first)) {
    }
    // Halves the step until that changes the integral by no more than the square root of the error that may remain.
    for (int halving = 0; halving < 5; ++halving) {
      const double before = mass;
      for (int k = first; k < last; ++k) add(u + h * (k + 0.5));
      h *= 0.5;
      first *= 2;
      last *= 2;
      if (fabs(0.5 * mass - before) <= 1e-8 * before) break;
    }

    double pull = 0.0;
    for_own([&](std::uint32_t j) {
      slope_[j] /= mass;
      pull += slope_[j];
      if (bend_ != nullptr) bend_[j] = bend_[j] / mass - slope_[j] * slope_[j];
    });
    pull = sum(team_, pull);
    return {fmax(-constant_ - top.value - log(mass * h), 0.0), pull, square / mass - pull * pull};
  }

 private:
  /// The logarithm of the integrand and its derivatives by u.
  struct node {
    double value, slope, curvature;
  };

  template <class Body>
  __device__ void for_own(Body body) const {
    for (std::uint32_t j = team_.rank(); j < size_; j += team_.size()) body(j);
  }
  /// e^min(v, 7); exp(-e^7) is 0 in double.
  [[nodiscard]] static __device__ double time(double v) { return exp(fmin(v, 7.0)); }

  /// Leaves the slopes of log F in own_.
  [[nodiscard]] __device__ node at(double u) {
    node of{0.0, 0.0, 0.0};
    for_own([&](std::uint32_t j) {
      const double d = d_(j), v = d + u, x = time(v);
      const double kept = -expm1(-x);
      const bool early = v < -36.0;  // F is e^v
      const double own = early ? 1.0 : x * (1.0 - kept) / kept;
      of.value += (early ? v : log(kept)) - (d <= 0.0 ? v : 0.0);
      of.slope += own;
      of.curvature = fma(own, 1.0 - x - own, of.curvature);
      own_[j] = own;
    });
    of = {sum(team_, of.value), sum(team_, of.slope), sum(team_, of.curvature)};
    const double x = exp(u);
    return {u * (1.0 + below_) - x + of.value, 1.0 - x + of.slope, of.curvature - x};
  }

  const Team& team_;
  std::uint32_t size_;
  Distance d_;
  double *slope_, *bend_, *own_;
  double constant_ = 0.0, below_ = 0.0;
};

/// -log of the probability that the items of a list are drawn in any order in which the relevance never rises, as
/// levels_loss of detail/draws/stage_draws.hpp computes it on the CPU. Single items have a closed form; a level of
/// several is computed by a warp, or by the whole team where it is large. Weights of items have no say.
struct levels_list {
  double temperature;

  static constexpr bool has_hessian = true;
  template <class T>
  static constexpr std::size_t item_bytes = 8 * sizeof(double) + 2 * sizeof(std::uint32_t);

  template <class Team, class T, class R>
  [[nodiscard]] __device__ double operator()(const Team& team, const device_list<T, R>& items,
                                             const device_sink<T>& sink, team_scratch scratch) const {
    const std::uint32_t n = items.size();
    double* const y = scratch.take<double>(n);
    double* const s = scratch.take<double>(n);
    double* const most = scratch.take<double>(n);
    double* const sums = scratch.take<double>(n);
    double* const slope = scratch.take<double>(n);
    double* const bend = scratch.take<double>(n);
    double* const pulls = scratch.take<double>(n);
    double* const squares = scratch.take<double>(n);
    std::uint32_t* const order = scratch.take<std::uint32_t>(n);
    std::uint32_t* const tied = scratch.take<std::uint32_t>(n);
    const bool curved = sink.hessian_wanted();
    const auto for_own = [&](auto body) {
      for (std::uint32_t k = team.rank(); k < n; k += team.size()) body(k);
    };
    for_own([&](std::uint32_t i) {
      y[i] = static_cast<double>(items.relevance(i));
      order[i] = i;
    });
    sort_falling(team, n, y, order);
    for_own([&](std::uint32_t k) { s[k] = score_of(items, order[k]); });
    const order_rests rests(team, n, temperature, s, most, sums);

    const auto begin_of = [&](std::uint32_t k) { return positions_above(y, n, y[k], false); };
    const auto end_of = [&](std::uint32_t k) { return positions_above(y, n, y[k], true); };
    const auto starts = [&](std::uint32_t k) { return k == 0 || y[k - 1] != y[k]; };
    const auto distance = [&](std::uint32_t k, std::uint32_t end) {
      return rests.between(s[k], most[end]) - log(sums[end]);
    };

    // Of a level, the position of its last item has what it pulls.
    double value = 0.0;
    for_own([&](std::uint32_t k) {
      slope[k] = bend[k] = pulls[k] = squares[k] = 0.0;
      const bool alone = starts(k) && k + 1 < n && y[k + 1] != y[k];
      if (!alone) return;
      const double d = distance(k, k + 1), u = exp(-fabs(d));
      const double lost = (d > 0.0 ? u : 1.0) / (1.0 + u), kept = (d > 0.0 ? 1.0 : u) / (1.0 + u);
      value += fmax(-d, 0.0) + log1p(u);
      slope[k] = pulls[k] = lost;
      bend[k] = -lost * kept;
      squares[k] = lost * lost;  // pull + bend
    });
    const std::uint32_t levels = keep_if(team, n, tied, [&](std::uint32_t k) {
      return starts(k) && k + 1 < n && y[k + 1] == y[k] && y[n - 1] != y[k];
    });
    for_each_level(team, levels, tied, end_of, [&](const auto& own, std::uint32_t begin, std::uint32_t end) {
      const auto d = [&](std::uint32_t j) { return distance(begin + j, end); };
      tied_race race(own, end - begin, d, slope + begin, curved ? bend + begin : nullptr, pulls + begin);
      const tied_draw drawn = race();
      for (std::uint32_t k = begin + own.rank(); k < end; k += own.size())
        pulls[k] = k + 1 == end ? drawn.pull : 0.0;
      if (own.rank() != 0) return;
      squares[end - 1] = drawn.pull + drawn.bend;
      value += drawn.loss;
    });
    value = sum(team, value);
    if (sink.derivatives_wanted()) {
      const double first = bounded_factor<T>(1.0 / temperature);
      const double second = bounded_factor<T>(1.0 / temperature / temperature);
      const auto next = [](std::uint32_t k) { return k + 1; };
      rests.pull(
          team, n, next, [&](std::uint32_t k) { return pulls[k] / sums[k + 1]; },
          [&](std::uint32_t k, double pull) { pulls[k] = pull; });
      if (curved)
        rests.pull_squares(
            team, n, next,
            [&](std::uint32_t k) {
              const double inverse = 1.0 / sums[k + 1];
              return squares[k] * inverse * inverse;
            },
            [&](std::uint32_t k, double pull) { squares[k] = pull; });
      for_own([&](std::uint32_t k) {
        const std::uint32_t begin = begin_of(k);
        const double power = begin > 0 ? rests.pulled(1.0, begin, k) : 0.0;
        const double pull = begin > 0 ? power * pulls[begin - 1] : 0.0;
        if (sink.wanted()) sink.put(order[k], held_as<T>(first * (pull - slope[k])));
        if (!curved) return;
        const double square = begin > 0 ? power * power * squares[begin - 1] : 0.0;
        sink.put_hessian(order[k], held_as<T>(second * (pull - square - bend[k])));
      });
    }
    return fmin(value, rankloss::detail::largest_term);
  }

 private:
  /// The number of positions of greater relevance; with `equal` of it, too.
  [[nodiscard]] static __device__ std::uint32_t positions_above(const double* y, std::uint32_t n, double of,
                                                                bool equal) {
    std::uint32_t begin = 0, end = n;
    while (begin < end) {
      const std::uint32_t middle = begin + (end - begin) / 2;
      if (y[middle] > of || (equal && y[middle] == of))
        begin = middle + 1;
      else
        end = middle;
    }
    return begin;
  }

  /// Calls body(team, begin, end) for `count` levels that begin at `starts`: each warp has some of the small ones,
  /// and then all of them have the large ones together.
  template <class Team, class EndOf, class Body>
  static __device__ void for_each_level(const Team& team, std::uint32_t count, const std::uint32_t* starts,
                                        EndOf end_of, Body body) {
    if constexpr (Team::one_warp) {
      for (std::uint32_t l = 0; l < count; ++l) body(team, starts[l], end_of(starts[l]));
    } else {
      for (std::uint32_t l = team.warp(); l < count; l += team.warps()) {
        const std::uint32_t end = end_of(starts[l]);
        if (end - starts[l] <= longest_of_warp) body(warp_team{}, starts[l], end);
      }
      team.sync();
      for (std::uint32_t l = 0; l < count; ++l) {
        const std::uint32_t end = end_of(starts[l]);
        if (end - starts[l] > longest_of_warp) body(team, starts[l], end);
      }
    }
    team.sync();
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
