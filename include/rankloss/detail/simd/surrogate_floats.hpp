// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/base/abi.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/pieces.hpp>
#include <rankloss/detail/data/policy_steps.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>

#include <xsimd/xsimd.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// The terms of some actions of ppo's surrogate, in lanes of float: twice as many actions a row as in lanes
/// of double. `counted` is what the ratio counts for, see ppo::surrogate.
///
///     gain = A counted     slope = A ratio, or 0 where counted is a bound
///
/// A ratio is within 2e-7 of the exact one. Actions that lanes of float are not enough for are marked, and
/// have to be computed otherwise: those whose ratio is so near a bound that it is not certain on which side,
/// beyond e^2 or below e^-2, or whose advantage is below 1e-30 or beyond 1e30. What is computed of an action
/// does not depend on the others.
template <class Arch>
class surrogate_floats {
  using F = xsimd::batch<float, Arch>;
  using V = lanes<Arch>;
  static constexpr std::size_t w = F::size;
  static_assert(w == 2 * lane_count<Arch>);

 public:
  static constexpr std::size_t size = 512;  ///< the most actions at a time
  static_assert(size % w == 0);

  struct terms {
    alignas(64) std::array<double, size> gains;
    alignas(64) std::array<float, size> slopes;
    alignas(64) std::array<float, size> marked;  ///< 1 or 0; set where any action is marked
  };

  /// @param least, most   bounds of the ratio
  /// @param most_below_0  the bound where the advantage is below 0
  surrogate_floats(double least, double most, double most_below_0) noexcept
      : least_(bound(least)), most_(bound(most)), most_below_0_(bound(most_below_0)) {}

  /// @param now, old, advantages  [n], n at most `size`
  /// @returns whether any action is marked. Terms of those are unspecified.
  bool operator()(const float* now, const float* old, const float* advantages, std::size_t n,
                  terms& to) const noexcept {
    const bool dual = most_below_0_ < std::numeric_limits<float>::max();
    if (dual ? rows<true, false>(now, old, advantages, n, to)
             : rows<false, false>(now, old, advantages, n, to))
      return false;
    // Few chunks have marks, so they are not written along with the terms.
    dual ? rows<true, true>(now, old, advantages, n, to) : rows<false, true>(now, old, advantages, n, to);
    return true;
  }

 private:
  [[nodiscard]] static float bound(double x) noexcept {
    constexpr double largest = std::numeric_limits<float>::max();
    return static_cast<float>(std::clamp(x, -largest, largest));
  }

  /// Whether no action is marked.
  template <bool dual, bool marks>
  [[gnu::noinline]] bool rows(const float* now, const float* old, const float* advantages, std::size_t n,
                              terms& to) const noexcept {
    const bounds of{F(least_), F(most_), F(most_below_0_)};
    xsimd::batch_bool<float, Arch> plain = F(0.0f) == F(0.0f);
    std::size_t k = 0;
    for (; k + w <= n; k += w) plain = plain & row<dual, marks>(of, now + k, old + k, advantages + k, to, k);
    if (k < n) {
      // The last action stands for what is missing, so that nothing else is marked.
      alignas(64) float rest[3][w];
      for (std::size_t l = 0; l < w; ++l) {
        const std::size_t at = std::min(k + l, n - 1);
        rest[0][l] = now[at];
        rest[1][l] = old[at];
        rest[2][l] = advantages[at];
      }
      plain = plain & row<dual, marks>(of, rest[0], rest[1], rest[2], to, k);
    }
    return xsimd::all(plain);
  }

  struct bounds {
    F least, most, most_below_0;
  };

  template <bool dual, bool marks>
  [[nodiscard]] [[gnu::always_inline]] static auto row(const bounds& of, const float* now, const float* old,
                                                       const float* advantages, terms& to,
                                                       std::size_t k) noexcept {
    const F difference = F::load_unaligned(now) - F::load_unaligned(old);
    const F advantage = F::load_unaligned(advantages);
    // exp(difference) = 2^(p + f)
    const F p = rounded(difference * F(std::numbers::log2e_v<float>));
    const F f = xsimd::fma(difference, F(std::numbers::log2e_v<float>), -p);
    const auto power = (to_bits(p + F(12582912.0f)) << 23) + to_bits(F(1.0f));
    const F ratio = xsimd::fma(swift_polynomial(exp2m1_7, f), f, F(1.0f)) * from_bits(power);

    const auto is_gain = advantage >= F(0.0f);
    const F low = xsimd::max(ratio, of.least);
    const F counted =
        xsimd::select(is_gain, xsimd::min(ratio, of.most), dual ? xsimd::min(low, of.most_below_0) : low);
    F apart = xsimd::abs(ratio - xsimd::select(is_gain, of.most, of.least));
    if constexpr (dual) apart = xsimd::min(apart, xsimd::abs(ratio - of.most_below_0));
    const F magnitude = xsimd::abs(advantage);
    // Written so that a NaN is marked.
    const auto plain = (xsimd::abs(difference) < F(2.0f)) & (apart > F(8e-6f)) & (magnitude < F(1e30f)) &
                       ((magnitude > F(1e-30f)) | (magnitude == F(0.0f)));
    if constexpr (marks) xsimd::select(plain, F(0.0f), F(1.0f)).store_aligned(to.marked.data() + k);
    xsimd::select(counted != ratio, F(0.0f), advantage * ratio).store_aligned(to.slopes.data() + k);
    alignas(64) float row[w];
    counted.store_aligned(row);
    for (std::size_t half = 0; half < w; half += w / 2)
      (load_row<Arch>(advantages + half) * load_row<Arch>(row + half))
          .store_aligned(to.gains.data() + k + half);
    return plain;
  }

  float least_, most_, most_below_0_;
};

/// Where a chunk of slopes goes: G is float or double, null where no gradient is wanted.
template <class G>
struct slope_target {
  G* gradient;
  double scale;
  bool adds;
};

/// Sums the terms of the actions of a range that count, each multiplied by its share, and writes their slopes
/// times shares and scale.
/// @param exact  exact(i, count): the terms of a row of actions in lanes of double, for those that lanes of
/// float are not enough for
template <class Arch, class G, class Exact>
class float_terms {
  using F = xsimd::batch<float, Arch>;
  using V = lanes<Arch>;
  static constexpr std::size_t size = surrogate_floats<Arch>::size, w = lane_count<Arch>;

 public:
  float_terms(const surrogate_floats<Arch>& floats, const Exact& exact, const float* now, const float* old,
              const float* advantages, const slope_target<G>& target)
      : floats_(floats), exact_(exact), now_(now), old_(old), advantages_(advantages), target_(target) {}

  double operator()(item_range range, const step_shares& shares) const {
    chunk of;
    const bool equal = shares.equal();
    if (equal)
      of.set_factors(size, target_.scale,
                     [own = range.size() > 0 ? shares[range.begin] : 0.0](std::size_t) { return own; });
    V sum(0.0);
    alignas(64) double sums[w] = {};
    std::size_t counted = 0;
    for (std::size_t first = range.begin; first < range.end; first += size) {
      const std::size_t n = std::min(size, range.end - first);
      if (!equal) of.set_factors(n, target_.scale, [&](std::size_t k) { return shares[first + k]; });
      of.any_marked = floats_(now_ + first, old_ + first, advantages_ + first, n, of.terms);
      if (of.any_odd && !of.any_marked) of.terms.marked.fill(0.0f);
      of.any_marked = of.any_marked || of.any_odd;
      if (of.any_marked) mend(first, n, of);
      if (equal) {
        for_rows<Arch>(n, [&](std::size_t k, auto count) { sum += only_items<Arch>(count, of.product(k)); });
      } else {
        // The actions that count take turns in the lanes, so that the others do not change a bit.
        for (std::size_t k = 0; k < n; ++k)
          if (of.shares[k] > 0.0) sums[counted++ % w] += rounded_product(of.shares[k], of.terms.gains[k]);
      }
      if (target_.gradient) write(first, n, of);
    }
    return -sum_of(equal ? sum : V::load_aligned(sums));
  }

 private:
  struct chunk {
    typename surrogate_floats<Arch>::terms terms;
    alignas(64) std::array<double, size> shares;
    alignas(64) std::array<float, size> factors;  ///< of slopes: -share times scale
    alignas(64) std::array<float, size> odd;      ///< 1 where a factor needs doubles, else 0
    alignas(64) std::array<double, size> exact;   ///< slopes of marked actions, with their factors
    bool any_odd;
    bool any_marked;

    template <class Share>
    void set_factors(std::size_t n, double scale, const Share& share) {
      any_odd = false;
      for (std::size_t k = 0; k < n; ++k) {
        shares[k] = share(k);
        const double factor = scale * shares[k], magnitude = std::abs(factor);
        const bool is_odd = factor != 0.0 && !(magnitude > 1e-30 && magnitude < 1e30);
        factors[k] = is_odd ? 0.0f : static_cast<float>(-factor);
        odd[k] = is_odd ? 1.0f : 0.0f;
        any_odd = any_odd || is_odd;
      }
      for (std::size_t k = n; k % F::size != 0; ++k) shares[k] = 0.0, factors[k] = 0.0f, odd[k] = 0.0f;
    }
    /// Hidden, since a compiler that may fuse the product with a sum would round otherwise where steps have
    /// weights.
    [[nodiscard]] [[gnu::always_inline]] V product(std::size_t k) const noexcept {
      return opaque(V::load_aligned(shares.data() + k) * V::load_aligned(terms.gains.data() + k));
    }
  };

  /// Puts what lanes of double give in place of the gains of marked actions. The slopes of these, and of
  /// those with odd factors, are computed as well, and marked.
  [[gnu::noinline]] void mend(std::size_t first, std::size_t n, chunk& of) const {
    for_rows<Arch>(n, [&](std::size_t k, auto count) {
      const auto one = exact_(first + k, count);
      const V own = V::load_aligned(of.shares.data() + k);
      const auto marked = load_row<Arch>(of.terms.marked.data() + k) > V(0.0);
      const auto exact_slope = (marked | (load_row<Arch>(of.odd.data() + k) > V(0.0))) & (own > V(0.0));
      store_row<Arch>(of.terms.marked.data() + k, xsimd::select(exact_slope, V(1.0), V(0.0)));
      xsimd::select(marked, -one.value, V::load_aligned(of.terms.gains.data() + k))
          .store_aligned(of.terms.gains.data() + k);
      within_magnitude(V(target_.scale) * (own * one.slope), largest).store_aligned(of.exact.data() + k);
    });
  }
  [[gnu::noinline]] static void put_exact(std::size_t n, const chunk& of, G* products) noexcept {
    for_rows<Arch>(n, [&](std::size_t k, auto) {
      store_row<Arch>(products + k,
                      xsimd::select(load_row<Arch>(of.terms.marked.data() + k) > V(0.0),
                                    V::load_aligned(of.exact.data() + k), load_row<Arch>(products + k)));
    });
  }

  /// Writes slopes times factors, 0 for an action that does not count.
  void write(std::size_t first, std::size_t n, const chunk& of) const {
    alignas(64) std::array<G, size> products;
    if constexpr (std::is_same_v<G, float>) {
      for (std::size_t k = 0; k < n; k += F::size) {
        const F factor = F::load_aligned(of.factors.data() + k);
        const F product = factor * F::load_aligned(of.terms.slopes.data() + k);
        xsimd::select(factor == F(0.0f), F(0.0f), within(product)).store_aligned(products.data() + k);
      }
    } else {
      for (std::size_t k = 0; k < n; k += w) {
        const V own = V::load_aligned(of.shares.data() + k);
        const V product = V(-target_.scale) * (own * load_row<Arch>(of.terms.slopes.data() + k));
        store_row<Arch>(products.data() + k,
                        xsimd::select(own > V(0.0), within_magnitude(product, largest), V(0.0)));
      }
    }
    if (of.any_marked) put_exact(n, of, products.data());
    G* const to = target_.gradient + first;
    if (!target_.adds) {
      std::copy_n(products.data(), n, to);
      return;
    }
    for_rows<Arch>(n, [&](std::size_t k, auto count) {
      store_items<Arch>(
          to + k, count,
          within_magnitude(load_items<Arch>(to + k, count) + load_row<Arch>(products.data() + k), largest));
    });
  }

  static constexpr auto largest = static_cast<double>(std::numeric_limits<G>::max());
  [[nodiscard]] [[gnu::always_inline]] static F within(const F& x) noexcept {
    constexpr float most = std::numeric_limits<float>::max();
    return xsimd::min(xsimd::max(x, F(-most)), F(most));
  }

  const surrogate_floats<Arch>& floats_;
  const Exact& exact_;
  const float *now_, *old_, *advantages_;
  slope_target<G> target_;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
