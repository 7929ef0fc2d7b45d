// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>
#include <rankloss/detail/pairs/pair_kernel.hpp>
#include <rankloss/detail/pairs/pair_series.hpp>
#include <rankloss/detail/pairs/sorted_items.hpp>
#include <rankloss/detail/sigmoid/cell_sums.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The levels that occur in a window. Most windows of sparse scores hold one item or a few, so what is done by
/// level is done for these levels only.
class window_levels {
 public:
  window_levels(std::size_t levels, workspace& scratch) : last_(scratch.take<std::uint32_t>(levels)) {
    std::fill(last_.begin(), last_.end(), 0u);
  }
  /// Empties the set, for the next window.
  void clear() noexcept { ++window_; }
  /// Adds a level; returns whether it was not there.
  bool add(std::size_t level) noexcept { return std::exchange(last_[level], window_) != window_; }
  /// Adds all levels.
  void fill() noexcept { std::fill(last_.begin(), last_.end(), window_); }
  [[nodiscard]] bool operator()(std::size_t level) const noexcept { return last_[level] == window_; }
  [[nodiscard]] std::size_t count() const noexcept { return last_.size(); }  ///< of all levels

 private:
  std::span<std::uint32_t> last_;  ///< [levels] the number of the last window that a level was in
  std::uint32_t window_ = 0;
};

/// The states that a scan carries from window to window, how the items of a window enter them, and how they
/// act on items.
template <class Arch, class T, std::size_t C, bool Weighted, bool ByLevel, class Function>
struct pair_states {
  using constants = pair_series<T>;
  using V = lanes<Arch>;
  static constexpr std::size_t w = lane_count<Arch>;
  static constexpr std::size_t K = constants::K;
  static constexpr std::size_t E = constants::exponents;
  static constexpr std::size_t P = constants::coefficients;
  static constexpr std::size_t sets = Weighted ? 2 : 1;  // of the levels below an item and above it
  using exponents = wide_row<Arch, E>;
  using polynomial = wide_row<Arch, P>;

  /// The state of one channel of one level: exponentials, the sum of the weights (`hard`), and the weighted
  /// sum of the distances.
  struct state {
    exponents s;
    double hard = 0.0;
    double distance = 0.0;
  };
  /// The action of the past of a window on an item of one level, by channel and set: polynomials in the
  /// coordinate of the item.
  struct action {
    polynomial slope;
    polynomial value;
    double weight = 0.0;

    [[nodiscard]] static polynomial expand(const exponents& s,
                                           const typename constants::kernel_series& kernel) noexcept {
      alignas(64) double e[E];
      s.store(e);
      polynomial low, high;  // two sums, as in scan_states::dot
      for (std::size_t k = 0; k < K / 2; ++k) {
        low.add_scaled(e[k], kernel.rows[k].data());
        high.add_scaled(e[k + K / 2], kernel.rows[k + K / 2].data());
      }
      for (std::size_t v = 0; v < low.vectors; ++v) low.v[v] = low.v[v] + high.v[v];
      return low;
    }
    void add_to_slope(double one) noexcept { slope.add_scaled(one, constants::unit[0].data()); }
    void add_to_value(double one, double distance) noexcept {
      value.add_scaled(one, constants::unit[0].data());
      value.add_scaled(constants::half_width * distance, constants::unit[1].data());
    }
  };
  /// The same in a wide window: sums of exponentials of the distance of the item from where the window begins, and
  /// multiples of 1 and of the distance.
  struct wide_action {
    exponents slope;
    exponents value;
    double weight = 0.0;
    double slope_one = 0.0;
    double value_one = 0.0;
    double value_distance = 0.0;

    [[nodiscard]] static exponents expand(const exponents& s,
                                          const typename constants::kernel_series& kernel) noexcept {
      exponents terms, product;
      terms.load(kernel.terms.data());
      for (std::size_t v = 0; v < terms.vectors; ++v) product.v[v] = s.v[v] * terms.v[v];
      return product;
    }
    void add_to_slope(double one) noexcept { slope_one += one; }
    void add_to_value(double one, double distance) noexcept {
      value_one += one;
      value_distance += distance;
    }
  };

  /// 1, z, z^2, ...
  [[gnu::always_inline]] static polynomial powers_of(double z) noexcept {
    // z^p is the product of the z^(2^k) for the bits k set in p.
    static constexpr auto factors = [] {
      std::array<std::array<double, P>, 4> bit{};
      for (std::size_t k = 0; k < 4; ++k)
        for (std::size_t p = 0; p < P; ++p) bit[k][p] = (p >> k & 1) != 0 ? 1.0 : 0.0;
      return bit;
    }();
    polynomial powers;
    for (std::size_t v = 0; v < powers.vectors; ++v) {
      V square(z);
      V product(1.0);
      for (std::size_t k = 0; (std::size_t{1} << k) < P; ++k) {
        const V has = V::load_unaligned(factors[k].data() + v * w);
        product = product * xsimd::fma(has, square - V(1.0), V(1.0));
        square = square * square;
      }
      powers.v[v] = product;
    }
    return powers;
  }

  /// exp(-k gap) for k = 1, 2, ... Where the first one is below rounding, all others count as 0, and it does
  /// beyond 690, so that no state becomes subnormal at once.
  [[nodiscard]] static exponents decays(double gap) noexcept {
    const V limit(gap > 35.0 ? std::min(1.5 * gap, 690.0) : 690.0);
    const V lane = lane_numbers<V>();
    exponents powers;
    for (std::size_t v = 0; v < powers.vectors; ++v) {
      const V x = (lane + V(static_cast<double>(v * w + 1))) * V(gap);
      powers.v[v] = xsimd::select(x < limit, exp_minus(x), V(0.0));
    }
    return powers;
  }

  /// q, q^2, q^3, ... Where the second one is nothing beside the first, all but that count as 0, so that none is
  /// subnormal.
  [[nodiscard]] [[gnu::always_inline]] static exponents powers_of_decay(double q) noexcept {
    static constexpr auto bits = [] {
      std::array<std::array<double, w>, 4> bit{};
      for (std::size_t k = 0; k < 4; ++k)
        for (std::size_t l = 0; l < w; ++l) bit[k][l] = (l >> k & 1) != 0 ? 1.0 : 0.0;
      return bit;
    }();
    V square(q < constants::least_decay ? 0.0 : q);
    V product(q);
    for (std::size_t k = 0; (std::size_t{1} << k) < w; ++k) {
      product = product * xsimd::select(V::load_unaligned(bits[k].data()) > V(0.5), square, V(1.0));
      square = square * square;
    }
    exponents powers;
    for (std::size_t v = 0; v < powers.vectors; ++v) {
      powers.v[v] = product;
      product = product * square;
    }
    return powers;
  }

  /// Moves the states on by a distance of `gap`.
  static void carry(std::span<state> states, double gap) noexcept {
    const exponents powers = decays(gap);
    for (state& s : states) {
      for (std::size_t v = 0; v < powers.vectors; ++v) s.s.v[v] = s.s.v[v] * powers.v[v];
      s.distance += s.hard * gap;
    }
  }

  /// Adds the items of a window to a state, by their moments. On the way up coordinates have the other sign, and so
  /// have their odd powers.
  template <bool Down>
  static void enter(const polynomial& moments, state& to) noexcept {
    constexpr double odd = Down ? 1.0 : -1.0;
    alignas(64) double m[P];
    moments.store(m);
    for (std::size_t p = 0; p < P; ++p)
      to.s.add_scaled(p % 2 == 0 ? m[p] : odd * m[p], constants::to_states[p].data());
    to.hard += m[0];
    to.distance -= odd * constants::half_width * m[1];  // coordinate z is ahead of the centre by h z
  }

  /// Adds a window to a state that is `gap` ahead of it; `decay` is decays(gap).
  template <bool Down>
  static void enter(const polynomial& moments, const exponents& decay, double gap, state& to) noexcept {
    state of_window;
    enter<Down>(moments, of_window);
    to.s.add_product(decay, of_window.s);
    to.hard += of_window.hard;
    to.distance += of_window.distance + of_window.hard * gap;
  }

  /// Adds an item to a state that is `distance` ahead of it; `powers` are those of its decay.
  [[gnu::always_inline]] static void enter(const exponents& powers, double distance, double factor,
                                           state& to) noexcept {
    to.s.add(factor, powers);
    to.hard += factor;
    to.distance += factor * distance;
  }

  /// Adds states to others.
  static void add(std::span<const state> from, std::span<state> to) noexcept {
    for (std::size_t i = 0; i < to.size(); ++i) add(to[i], from[i], 1.0);
  }

  /// Computes the actions of the states, by level: of the levels below an item's own and of those above it.
  /// `all_above` is scratch, one state per level; it receives the sums over the levels above, from the set
  /// that is weighted as preferred items. Only the actions on levels that are in the window are computed.
  template <bool Down, class Action>
  static void act(const sorted_items<T, C>& sorted, double wrong_sign, std::span<const state> states,
                  const window_levels& present, std::span<Action> actions, std::span<state> all_above) {
    const std::size_t levels = present.count();
    constexpr bool logistic = Function::kernel == pair_kernel::logistic;
    constexpr const auto& slope_kernel =
        logistic ? constants::slope_of_logistic : constants::slope_of_sigmoid;
    // On the way down the states hold items above in score, so levels below an item's own are in the wrong
    // order with it. On the way up the levels above are.
    const double below_sign = Down ? wrong_sign : 1.0;
    const double above_sign = Down ? 1.0 : wrong_sign;
    for (std::size_t c = 0; c < C; ++c) {
      const auto of = [&](std::size_t set, std::size_t level) -> const state& {
        return states[(set * levels + level) * C + c];
      };
      // Only sums, never differences: subtracting items would leave a rounding error of what was removed.
      if (!ByLevel) {
        exponents sum;
        double hard = 0.0;
        double distance = 0.0;
        all_above[levels - 1] = state{};
        for (std::size_t level = levels - 1; level > 0; --level) {
          const state& next = of(sets - 1, level);
          sum.add(1.0, next.s);
          hard += next.hard;
          distance += next.distance;
          all_above[level - 1] = {sum, hard, distance};
        }
      }
      state below;  // of the set of other items
      for (std::size_t level = 0; level < levels; ++level) {
        if (ByLevel) {
          if (!present(level)) continue;
          below = state{};
          all_above[level] = state{};
          for (std::size_t other = 0; other < level; ++other)
            add(below, of(0, other), sorted.difference(level, other));
          for (std::size_t other = level + 1; other < levels; ++other)
            add(all_above[level], of(sets - 1, other), sorted.difference(level, other));
        } else if (level > 0) {
          add(below, of(0, level - 1), 1.0);
        }
        if (!present(level)) continue;
        const state& above = all_above[level];
        const auto make = [&](double of_below, double of_above) {
          state both;
          add(both, below, of_below);
          add(both, above, of_above);
          Action a;
          const double wrong = Down ? of_below * below.hard : of_above * above.hard;
          if constexpr (logistic) {
            // Down: a preferred item gets -(1 - p) from others wrongly above it, another gets +p. Up: a
            // preferred item gets -p, another gets 1 - p from preferred ones wrongly below it.
            a.slope.add(Down ? 1.0 : -1.0, Action::expand(both.s, slope_kernel));
            a.add_to_slope(Down ? -wrong : wrong);
          } else {
            // A preferred item gets -slope, the other one +slope.
            a.slope = Action::expand(both.s, slope_kernel);
            a.slope.add(-2.0 * of_below, Action::expand(below.s, slope_kernel));
          }
          if constexpr (Down) {
            if constexpr (logistic) {
              a.value = Action::expand(both.s, constants::value_of_logistic);
              a.add_to_value(of_below * below.distance, of_below * below.hard);
            } else {
              // A correctly ordered pair has the value p, a wrongly ordered pair 1 - p.
              state signed_sum;
              add(signed_sum, below, -of_below);
              add(signed_sum, above, of_above);
              a.value = Action::expand(signed_sum.s, constants::slope_of_logistic);
              a.add_to_value(wrong, 0.0);
            }
          }
          a.weight = of_below * below.hard + of_above * above.hard;
          return a;
        };
        if constexpr (Weighted) {
          actions[level * C + c] = make(below_sign, 0.0);
          actions[(levels + level) * C + c] = make(0.0, above_sign);
        } else {
          actions[level * C + c] = make(below_sign, above_sign);
        }
      }
    }
  }

  /// The pairs within a window, where the weight does not depend on which item is above. The action of the
  /// other items on a preferred one is written to `own`, which is multiplied by the upper factor of the
  /// weight. The action of the preferred items on another one is added to `actions`, which are multiplied by
  /// the lower factor.
  static void act_within(std::span<const polynomial> preferred, std::span<const polynomial> others,
                         const window_levels& present, bool add, std::span<action> actions,
                         std::span<action> own) {
    const std::size_t levels = present.count();
    constexpr bool logistic = Function::kernel == pair_kernel::logistic;
    constexpr const auto& slope_rows = logistic ? constants::own_sigmoid : constants::own_slope;
    constexpr const auto& value_rows = logistic ? constants::own_softplus : constants::own_sigmoid;
    const auto expand = [](const polynomial& moments, const typename constants::within& rows) {
      alignas(64) double m[P];
      moments.store(m);
      polynomial sum;
      for (std::size_t q = 0; q < P; ++q) sum.add_scaled(m[q], rows[q].data());
      return sum;
    };
    for (std::size_t c = 0; c < C; ++c) {
      polynomial below;
      for (std::size_t level = 0; level < levels; ++level) {
        if (!present(level)) continue;
        action& a = own[level * C + c];
        a.slope = polynomial{};
        a.slope.add(-1.0, expand(below, slope_rows));
        a.value = expand(below, value_rows);
        alignas(64) double m[P];
        below.store(m);
        a.weight = m[0];
        below.add(1.0, others[level * C + c]);
      }
      polynomial above;
      for (std::size_t level = levels; level-- > 0;) {
        if (!present(level)) continue;
        action& a = actions[((sets - 1) * levels + level) * C + c];
        if (!add) {
          a = action{};
          if (Weighted) actions[level * C + c] = action{};
        }
        // The same from the side of the other item: the signs of the coordinates change, so odd powers change
        // their sign in the moments and in the result.
        alignas(64) double m[P];
        above.store(m);
        for (std::size_t q = 1; q < P; q += 2) m[q] = -m[q];
        polynomial mirrored;
        mirrored.load(m);
        polynomial acted = expand(mirrored, slope_rows);
        acted.store(m);
        for (std::size_t p = 1; p < P; p += 2) m[p] = -m[p];
        acted.load(m);
        a.slope.add(1.0, acted);
        above.add(1.0, preferred[((sets - 1) * levels + level) * C + c]);
      }
    }
  }

 private:
  static void add(state& to, const state& from, double factor) noexcept {
    for (std::size_t v = 0; v < to.s.vectors; ++v) to.s.v[v] = xsimd::fma(V(factor), from.s.v[v], to.s.v[v]);
    to.hard += factor * from.hard;
    to.distance += factor * from.distance;
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
