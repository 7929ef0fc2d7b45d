// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/cuda/detail/team.cuh>
#include <rankloss/detail/base/finite.hpp>

#include <cstdint>
#include <type_traits>

/// Sums of exponentials over the rest of an order: over the items from each position on. All are relative to
/// the greatest score of the rest, so scores may be any distance apart. By scans, in double.
namespace rankloss::inline RANKLOSS_ABI::cuda::detail {

/// A sum of exponentials, in units of exp(level / temperature).
struct leveled_sum {
  double level, sum;
};
/// The same, and a sum of what is multiplied by the square of that.
struct leveled_squares {
  double level, sum, squares;

  /// sum a p - sum b p^2 of an item whose exponential in these units is e.
  [[nodiscard]] __device__ double bend(double e) const { return e * sum - e * e * squares; }
};

/// How such sums are combined. The sum of both is at the level of one of them, and the other one only becomes
/// smaller by that: sums over rests are at the greater level, and what pulls is at the lesser one.
class leveled_sums {
 public:
  __device__ explicit leveled_sums(double temperature) : scale_(2.0 / temperature) {}

  [[nodiscard]] static __device__ leveled_sum no_rest() { return {lowest_number<double>, 0.0}; }
  template <class X = leveled_sum>
  [[nodiscard]] static __device__ X no_pull() {
    return pull<X>({greatest_number<double>, 1.0}, 0.0, 0.0);
  }
  /// What a choice from a rest pulls: a p, and b p^2 where X has squares, of an item whose share of the rest
  /// is p.
  template <class X>
  [[nodiscard]] static __device__ X pull(const leveled_sum& rest, double a, double b) {
    if constexpr (std::is_same_v<X, leveled_squares>)
      return {rest.level, a / rest.sum, b / rest.sum / rest.sum};
    else
      return {rest.level, a / rest.sum};
  }
  [[nodiscard]] __device__ leveled_sum rests(const leveled_sum& a, const leveled_sum& b) const {
    return joined(a, b, fmax(a.level, b.level));
  }
  [[nodiscard]] __device__ leveled_sum pulls(const leveled_sum& a, const leveled_sum& b) const {
    return joined(a, b, fmin(a.level, b.level));
  }
  [[nodiscard]] __device__ leveled_squares pulls(const leveled_squares& a, const leveled_squares& b) const {
    const bool of_a = a.level <= b.level;
    const leveled_squares same = of_a ? a : b, other = of_a ? b : a;
    const double step = power(same.level, other.level);
    return {same.level, same.sum + other.sum * step, same.squares + other.squares * (step * step)};
  }
  /// (a - b) / temperature, finite.
  [[nodiscard]] __device__ double between(double a, double b) const {
    return rankloss::detail::held_as<double>((0.5 * a - 0.5 * b) * scale_);
  }
  /// exp((a - b) / temperature)
  [[nodiscard]] __device__ double power(double a, double b) const {
    return a == b ? 1.0 : exp(between(a, b));
  }

 private:
  [[nodiscard]] __device__ leveled_sum joined(const leveled_sum& a, const leveled_sum& b,
                                              double level) const {
    const bool of_a = level == a.level;
    const leveled_sum& same = of_a ? a : b;
    const leveled_sum& other = of_a ? b : a;
    const double step = level < other.level ? power(level, other.level) : power(other.level, level);
    return {level, same.sum + other.sum * step};
  }

  double scale_;
};

/// The draw of an item from itself and a rest: -log p, and 1 - p.
struct item_draw {
  double term, other;

  [[nodiscard]] static __device__ item_draw of(const leveled_sums& sums, double s, const leveled_sum& rest) {
    const double d = sums.between(s, rest.level) - log(rest.sum);
    const double u = exp(-fabs(d));
    return {fmax(-d, 0.0) + log1p(u), (d > 0.0 ? u : 1.0) / (1.0 + u)};
  }
};

/// The sums of the rests of an order, as those of detail/sorting/relevance_order.hpp on the CPU.
class order_rests : public leveled_sums {
 public:
  const double* s;     ///< [n] scores in the order, finite
  const double* most;  ///< [n] the greatest score of the rest
  const double* sum;   ///< [n] in [1, n]

  /// Fills most and sum from s.
  template <class Team>
  __device__ order_rests(const Team& team, std::uint32_t n, double temperature, const double* s, double* most,
                         double* sum)
      : leveled_sums(temperature), s(s), most(most), sum(sum), squares_temperature_(0.5 * temperature) {
    team.sync();
    scan_items(
        team, n, no_rest(),
        [&](std::uint32_t k) {
          return leveled_sum{s[n - 1 - k], 1.0};
        },
        [this](const leveled_sum& a, const leveled_sum& b) { return rests(a, b); },
        [&](std::uint32_t k, const leveled_sum& rest) {
          most[n - 1 - k] = rest.level;
          sum[n - 1 - k] = rest.sum;
        });
    team.sync();
  }

  /// Replaces share(k), what the choice at position k weighs, divided by the sum of the rest that begins at
  /// from(k), by the sum over all positions up to k, relative to most[from(k)]. `from` never falls.
  template <class Team, class From, class Share, class Put>
  __device__ void pull(const Team& team, std::uint32_t n, From from, Share share, Put put) const {
    pull_by(team, n, *this, from, share, put);
  }
  /// The same of what is multiplied by the square of an item's exponential: share(k) is divided by the square of
  /// the sum.
  template <class Team, class From, class Share, class Put>
  __device__ void pull_squares(const Team& team, std::uint32_t n, From from, Share share, Put put) const {
    pull_by(team, n, leveled_sums(squares_temperature_), from, share, put);
  }
  /// What such a sum is to the item at position k.
  [[nodiscard]] __device__ double pulled(double pulls, std::uint32_t from, std::uint32_t k) const {
    return pulls * power(s[k], most[from]);
  }

 private:
  template <class Team, class From, class Share, class Put>
  __device__ void pull_by(const Team& team, std::uint32_t n, const leveled_sums& sums, From from, Share share,
                          Put put) const {
    scan_items(
        team, n, no_pull(),
        [&](std::uint32_t k) {
          const std::uint32_t at = from(k);
          return at < n ? leveled_sum{most[at], share(k)} : no_pull();
        },
        [&](const leveled_sum& a, const leveled_sum& b) { return sums.pulls(a, b); },
        [&](std::uint32_t k, const leveled_sum& of) { put(k, of.sum); });
    team.sync();
  }

  double squares_temperature_;  // at which exponentials are squares
};

}  // namespace rankloss::inline RANKLOSS_ABI::cuda::detail
