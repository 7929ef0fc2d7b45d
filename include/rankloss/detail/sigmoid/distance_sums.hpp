// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/sigmoid/decay_rows.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Sums, for each item of a sorted list, of exp(-|x_k - x_j|^p / temperature) over all items j: by two scans
/// where p = 1, over the scores within reach where p = 2.
template <class Arch>
class distance_sums {
  using V = lanes<Arch>;
  static constexpr std::size_t w = lane_count<Arch>;

 public:
  /// Sums over all j for item k, with weights a_j, rests r_j and values v_j: of the kernel alone, and of
  /// the kernel times the sign (p = 1) or twice the size (p = 2) of x_k - x_j. They are sums of differences
  /// of values, because where values are smooth a sum of the values themselves would lose digits.
  struct sums {
    double mass = 0.0;   ///< sum_j a_j kernel
    double moved = 0.0;  ///< sum_j (r_j + a_j (v_j - v_k)) kernel
  };
  struct unit_items {
    template <class U>
    U weight(std::size_t) const noexcept {
      return U(1.0);
    }
    template <class U>
    U rest(std::size_t) const noexcept {
      return U(0.0);
    }
  };
  struct weighted_items {
    const double* weights;
    const double* rests;
    template <class U>
    U weight(std::size_t j) const noexcept {
      return load<U>(weights + j);
    }
    template <class U>
    U rest(std::size_t j) const noexcept {
      return load<U>(rests + j);
    }
  };

  /// Which sums are stored until the scan in the other direction arrives. Storing all of them would only
  /// cost memory traffic.
  enum class needed { all, all_and_sided, sided_moved };

  template <class T>
  distance_sums(const sorted_list<T>& by_score, bool squared, double temperature, workspace& scratch)
      : temperature_(temperature), squared_(squared), scratch_(scratch), n_(by_score.x.size()) {
    if (squared) {
      x_ = padded(n_, scratch);
      for (std::size_t i = 0; i < n_; ++i) x_[i] = static_cast<double>(by_score.x[i]);
    } else {
      decay_ = neighbour_decays<Arch>(by_score.x, 1.0 / temperature, -1.0, scratch);
    }
  }

  /// Memory that may be read one row of lanes beyond its end, where it holds zeros.
  [[nodiscard]] static std::span<double> padded(std::size_t count, workspace& scratch) {
    const std::span<double> memory = scratch.take<double>(count + w);
    std::fill_n(memory.data() + count, w, 0.0);
    return memory.first(count);
  }

  /// Calls emit(k, sums, sided sums) once for each item; sums that are not needed are not set.
  template <needed what, class Items, class Emit>
  void for_items(const Items& items, const double* v, Emit emit) const {
    if (squared_)
      sum_band(items, v, emit);
    else
      sum_both_ways<what>(items, v, emit);
  }

 private:
  template <class U>
  static U load(const double* from) noexcept {
    if constexpr (std::is_same_v<U, double>)
      return *from;
    else
      return U::load_unaligned(from);
  }

  /// The sums over the items that a scan in one direction has passed: over all items, and over those with
  /// another score, because equal scores are on neither side.
  struct passed {
    sums all, unequal;
  };
  /// One step of a scan. Arguments are passed by value, here and below, so that they stay in registers:
  /// each step waits for the previous one.
  template <class Items>
  [[gnu::always_inline]] static passed advance(passed before, const Items& items, const double* v,
                                               std::size_t from, std::size_t to, double decay) noexcept {
    const double q = std::abs(decay);
    const bool tied = decay < 0.0;
    const double weight = items.template weight<double>(from);
    const double nearer = v[from] - v[to];
    const double mass = q * before.all.mass + q * weight;
    const double moved =
        q * before.all.moved + q * (items.template rest<double>(from) + nearer * (before.all.mass + weight));
    const double unequal_moved = before.unequal.moved + nearer * before.unequal.mass;
    return {{mass, moved}, {tied ? before.unequal.mass : mass, tied ? unequal_moved : moved}};
  }
  template <class Items, class Emit>
  [[gnu::always_inline]] static void meet(std::size_t k, passed above, passed below, const Items& items,
                                          Emit& emit) {
    emit(k,
         sums{items.template weight<double>(k) + above.all.mass + below.all.mass,
              items.template rest<double>(k) + above.all.moved + below.all.moved},
         sums{below.unequal.mass - above.unequal.mass, below.unequal.moved - above.unequal.moved});
  }
  /// Memory for the states that wait for the scan in the other direction; it holds only what is needed.
  template <needed what>
  class waiting {
   public:
    waiting(std::size_t n, workspace& scratch) {
      if constexpr (what == needed::sided_moved) moved_ = scratch.take<double>(n);
      if constexpr (what != needed::sided_moved) all_ = scratch.take<sums>(n);
      if constexpr (what == needed::all_and_sided) unequal_ = scratch.take<sums>(n);
    }
    /// `decay` belongs to the step that led to the state; the two sums differ only if it is that of a tie.
    [[gnu::always_inline]] void keep(std::size_t k, passed state,
                                     [[maybe_unused]] double decay) const noexcept {
      if constexpr (what == needed::sided_moved) {
        moved_[k] = state.unequal.moved;
      } else {
        all_[k] = state.all;
        if constexpr (what == needed::all_and_sided)
          if (decay < 0.0) unequal_[k] = state.unequal;
      }
    }
    [[gnu::always_inline]] passed operator()(std::size_t k, [[maybe_unused]] double decay) const noexcept {
      if constexpr (what == needed::sided_moved) return {{}, {0.0, moved_[k]}};
      if constexpr (what == needed::all) return {all_[k], {}};
      if constexpr (what == needed::all_and_sided) return {all_[k], decay < 0.0 ? unequal_[k] : all_[k]};
    }

   private:
    std::span<double> moved_;
    std::span<sums> all_, unequal_;
  };

  /// p = 1. A scan downwards and a scan upwards run side by side until they meet. After that, each uses the
  /// states that the other has stored.
  template <needed what, class Items, class Emit>
  void sum_both_ways(const Items& items, const double* v, Emit emit) const {
    const workspace::scope scope(scratch_);
    const waiting<what> waits(n_, scratch_);
    const double* decay = decay_.data();
    const std::size_t half = n_ / 2;
    passed above;
    passed below;
    for (std::size_t i = 0; i < half; ++i) {
      const std::size_t j = n_ - 1 - i;
      waits.keep(i, above, decay[i]);
      waits.keep(j, below, decay[j + 1]);
      above = advance(above, items, v, i, i + 1, decay[i + 1]);
      below = advance(below, items, v, j, j - 1, decay[j]);
    }
    if (n_ % 2 == 1) waits.keep(half, below, decay[half + 1]);
    for (std::size_t i = half; i < n_; ++i) {
      meet(i, above, waits(i, decay[i + 1]), items, emit);
      above = advance(above, items, v, i, i + 1, decay[i + 1]);
    }
    if (n_ % 2 == 1 && half > 0) below = advance(below, items, v, half, half - 1, decay[half]);
    for (std::size_t j = half; j-- > 0;) {
      meet(j, waits(j, decay[j]), below, items, emit);
      if (j > 0) below = advance(below, items, v, j, j - 1, decay[j]);
    }
  }

  /// p = 2. Row by row, over the scores within reach.
  template <class Items, class Emit>
  void sum_band(const Items& items, const double* v, Emit emit) const {
    // As many entries as there are items may be left out; their sum must be negligible beside the peak,
    // which is 1.
    const double reach = std::sqrt((40.0 + std::log(static_cast<double>(n_))) * temperature_);
    const V scale(1.0 / temperature_);
    alignas(64) double numbers[w];
    for (std::size_t l = 0; l < w; ++l) numbers[l] = static_cast<double>(l);
    const V lane_number = V::load_aligned(numbers);
    const double* x = x_.data();
    std::size_t begin = 0;
    std::size_t end = 0;
    for (std::size_t k = 0; k < n_; ++k) {
      while (x[begin] - x[k] > reach) ++begin;
      while (end < n_ && x[k] - x[end] <= reach) ++end;
      V mass(0.0);
      V moved(0.0);
      V sided_mass(0.0);
      V sided_moved(0.0);
      const V own_x(x[k]);
      const V own_v(v[k]);
      const auto add = [&](std::size_t j, const V& d, const V& kernel) {
        const V own_mass = kernel * items.template weight<V>(j);
        const V own_moved =
            xsimd::fma(own_mass, V::load_unaligned(v + j) - own_v, kernel * items.template rest<V>(j));
        mass += own_mass;
        moved += own_moved;
        sided_mass = xsimd::fma(d, own_mass, sided_mass);
        sided_moved = xsimd::fma(d, own_moved, sided_moved);
      };
      std::size_t j = begin;
      for (; j + w <= end; j += w) {
        const V d = own_x - V::load_unaligned(x + j);
        add(j, d, exp_minus(d * d * scale));
      }
      if (j < end) {
        const auto inside = lane_number < V(static_cast<double>(end - j));
        const V d = xsimd::select(inside, own_x - V::load_unaligned(x + j), V(0.0));
        add(j, d, xsimd::select(inside, exp_minus(d * d * scale), V(0.0)));
      }
      emit(k, sums{sum_of(mass), sum_of(moved)}, sums{2.0 * sum_of(sided_mass), 2.0 * sum_of(sided_moved)});
    }
  }

  double temperature_;
  bool squared_;
  workspace& scratch_;
  std::size_t n_;
  std::span<double> x_;            // p = 2: the scores, descending
  std::span<const double> decay_;  // p = 1: [n + 1], -1 where two scores are equal
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
