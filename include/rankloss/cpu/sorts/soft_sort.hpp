// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/sigmoid/decay_rows.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/sorts/soft_sort.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI {

/// X
template <class T>
class soft_sort::result {
  using Arch = xsimd::default_arch;  // of this translation unit, as the inline namespace says
  using V = detail::lanes<Arch>;
  static constexpr std::size_t w = detail::lane_count<Arch>;

 public:
  result(const soft_sort& how, const strided<const T>& scores, workspace& scratch)
      : temperature_(how.temperature),
        distance_(how.distance),
        forward_(how.forward),
        scratch_(scratch),
        n_(scores.size()),
        sorted_(detail::sort_list<T>(scores, scratch)) {
    if (how.distance == sort_distance::squared) {
      x_ = padded(n_);
      for (std::size_t i = 0; i < n_; ++i) x_[i] = static_cast<double>(sorted_.x[i]);
    } else {
      decay_ = detail::neighbour_decays<Arch>(sorted_.x, 1.0 / how.temperature, -1.0, scratch);
    }
  }

  void apply(std::span<const double> values, std::span<double> out) const {
    if (forward_ == sort_forward::hard) {
      for (std::size_t i = 0; i < n_; ++i) out[i] = values[sorted_.order[i]];
      return;
    }
    const workspace::scope scope(scratch_);
    const std::span<const double> v = gather(values);
    sum_rows<needed::all>(unit_items{}, v.data(), [&](std::size_t i, const sums& row, const sums&) { out[i] = v[i] + row.moved / row.mass; });
  }

  void apply_transposed(std::span<const double> values, std::span<double> out) const {
    if (forward_ == sort_forward::hard) {
      for (std::size_t i = 0; i < n_; ++i) out[sorted_.order[i]] = values[i];
      return;
    }
    const workspace::scope scope(scratch_);
    const std::span<double> weights = padded(n_);
    const std::span<double> zeros = padded(n_);
    std::fill(zeros.begin(), zeros.end(), 0.0);
    sum_rows<needed::all>(unit_items{}, zeros.data(), [&](std::size_t i, const sums& row, const sums&) { weights[i] = values[i] / row.mass; });
    sum_rows<needed::all>(weighted_items{weights.data(), zeros.data()}, zeros.data(),
                          [&](std::size_t j, const sums& row, const sums&) { out[sorted_.order[j]] = row.mass; });
  }

  void pullback(std::span<const double> values, std::span<const double> cotangent, std::span<double> gradient) const {
    const workspace::scope scope(scratch_);
    const std::span<const double> v = gather(values);
    const std::span<double> weights = padded(n_);                // a_i = cotangent_i / row sum
    const std::span<double> rests = padded(n_);                  // a_i ((P v)_i - v_i)
    const std::span<double> as_row = scratch_.take<double>(n_);  // the part of a score as s_[i]; the other is as s_j
    sum_rows<needed::all_and_sided>(unit_items{}, v.data(), [&](std::size_t i, const sums& row, const sums& sided) {
      const double inverse = 1.0 / row.mass;
      const double moved = row.moved * inverse;
      weights[i] = cotangent[i] * inverse;
      rests[i] = weights[i] * moved;
      as_row[i] = weights[i] * (sided.moved - moved * sided.mass);
    });
    const double slope = 1.0 / temperature_;
    sum_rows<needed::sided_moved>(weighted_items{weights.data(), rests.data()}, v.data(), [&](std::size_t k, const sums&, const sums& sided) {
      gradient[sorted_.order[k]] = slope * (sided.moved - as_row[k]);
    });
  }

  void to_matrix(std::span<double> out) const {
    const workspace::scope scope(scratch_);
    const std::span<double> row = scratch_.take<double>(n_ + w);
    for (std::size_t i = 0; i < n_; ++i) {
      double* to = out.data() + i * n_;
      if (forward_ == sort_forward::hard) {
        std::fill(to, to + n_, 0.0);
        to[sorted_.order[i]] = 1.0;
        continue;
      }
      double sum = 0.0;
      for (std::size_t j = 0; j < n_; j += w) {
        alignas(64) double apart[w];
        for (std::size_t l = 0; l < w; ++l) {
          const double d = j + l < n_ ? std::abs(difference(i, j + l)) : 0.0;
          apart[l] = distance_ == sort_distance::squared ? d * d : d;
        }
        const V kernel = detail::only_items<Arch>(std::min(w, n_ - j), detail::exp_minus(V::load_aligned(apart) * V(1.0 / temperature_)));
        detail::store_row<Arch>(row.data() + j, kernel);
        sum += detail::sum_of(kernel);
      }
      for (std::size_t j = 0; j < n_; ++j) to[sorted_.order[j]] = row[j] / sum;
    }
  }

 private:
  /// Sums over all j, of weights a_j, rests r_j and values v_j, for item k: of the kernel alone, and times the sign (p = 1) or twice the size
  /// (p = 2) of x_k - x_j. Differences of values, since where these are smooth the sum of the values themselves would lose the digits.
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

  template <class U>
  static U load(const double* from) noexcept {
    if constexpr (std::is_same_v<U, double>)
      return *from;
    else
      return U::load_unaligned(from);
  }

  [[nodiscard]] double difference(std::size_t upper, std::size_t lower) const noexcept {
    return static_cast<double>(sorted_.x[upper]) - static_cast<double>(sorted_.x[lower]);
  }

  /// Memory that may be read a row of lanes beyond its end, where there are zeros.
  [[nodiscard]] std::span<double> padded(std::size_t count) const {
    const std::span<double> memory = scratch_.take<double>(count + w);
    std::fill_n(memory.data() + count, w, 0.0);
    return memory.first(count);
  }

  [[nodiscard]] std::span<const double> gather(std::span<const double> values) const {
    const std::span<double> sorted = padded(n_);
    for (std::size_t i = 0; i < n_; ++i) sorted[i] = values[sorted_.order[i]];
    return sorted;
  }

  /// What of the sums is kept until the other direction comes by: the rest is memory traffic for nothing.
  enum class needed { all, all_and_sided, sided_moved };

  /// Calls emit(k, sums, sided sums) once an item; what is not needed of these is not set.
  template <needed what, class Items, class Emit>
  void sum_rows(const Items& items, const double* v, Emit emit) const {
    if (distance_ == sort_distance::squared)
      sum_band(items, v, emit);
    else
      sum_both_ways<what>(items, v, emit);
  }

  /// What a scan in one direction has passed by: all items, and those whose score is another: equal ones have no side.
  struct passed {
    sums all, unequal;
  };
  /// From one item to the next. Numbers and no references, here and below, so that they stay in registers: each step waits for the one before.
  template <class Items>
  [[gnu::always_inline]] static passed advance(passed before, const Items& items, const double* v, std::size_t from, std::size_t to,
                                               double decay) noexcept {
    const double q = std::abs(decay);
    const bool tied = decay < 0.0;
    const double weight = items.template weight<double>(from);
    const double nearer = v[from] - v[to];
    const double mass = q * before.all.mass + q * weight;
    const double moved = q * before.all.moved + q * (items.template rest<double>(from) + nearer * (before.all.mass + weight));
    const double unequal_moved = before.unequal.moved + nearer * before.unequal.mass;
    return {{mass, moved}, {tied ? before.unequal.mass : mass, tied ? unequal_moved : moved}};
  }
  template <class Items, class Emit>
  [[gnu::always_inline]] static void meet(std::size_t k, passed above, passed below, const Items& items, Emit& emit) {
    emit(k,
         sums{items.template weight<double>(k) + above.all.mass + below.all.mass, items.template rest<double>(k) + above.all.moved + below.all.moved},
         sums{below.unequal.mass - above.unequal.mass, below.unequal.moved - above.unequal.moved});
  }
  /// Memory for the states that wait for the other direction, of which only what is needed is kept: the rest is traffic for nothing.
  template <needed what>
  class waiting {
   public:
    waiting(std::size_t n, workspace& scratch) {
      if constexpr (what == needed::sided_moved) moved_ = scratch.take<double>(n);
      if constexpr (what != needed::sided_moved) all_ = scratch.take<sums>(n);
      if constexpr (what == needed::all_and_sided) unequal_ = scratch.take<sums>(n);
    }
    /// `decay` is the one that the state came by: the two sums differ only where it is that of a tie.
    [[gnu::always_inline]] void keep(std::size_t k, passed state, [[maybe_unused]] double decay) const noexcept {
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

  /// p = 1. One scan downwards and one upwards, side by side until they meet: what each has passed by then waits for the other.
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
    // As many entries as there are items may be left out: together they are to be nothing beside the peak, which is 1.
    const double reach = std::sqrt((40.0 + std::log(static_cast<double>(n_))) * temperature_);
    const V scale(1.0 / temperature_);
    alignas(64) double places[w];
    for (std::size_t l = 0; l < w; ++l) places[l] = static_cast<double>(l);
    const V place = V::load_aligned(places);
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
        const V own_moved = xsimd::fma(own_mass, V::load_unaligned(v + j) - own_v, kernel * items.template rest<V>(j));
        mass += own_mass;
        moved += own_moved;
        sided_mass = xsimd::fma(d, own_mass, sided_mass);
        sided_moved = xsimd::fma(d, own_moved, sided_moved);
      };
      std::size_t j = begin;
      for (; j + w <= end; j += w) {
        const V d = own_x - V::load_unaligned(x + j);
        add(j, d, detail::exp_minus(d * d * scale));
      }
      if (j < end) {
        const auto inside = place < V(static_cast<double>(end - j));
        const V d = xsimd::select(inside, own_x - V::load_unaligned(x + j), V(0.0));
        add(j, d, xsimd::select(inside, detail::exp_minus(d * d * scale), V(0.0)));
      }
      emit(k, sums{detail::sum_of(mass), detail::sum_of(moved)}, sums{2.0 * detail::sum_of(sided_mass), 2.0 * detail::sum_of(sided_moved)});
    }
  }

  double temperature_;
  sort_distance distance_;
  sort_forward forward_;
  workspace& scratch_;
  std::size_t n_;
  detail::sorted_list<T> sorted_;
  std::span<double> x_;            // p = 2: the scores, descending
  std::span<const double> decay_;  // p = 1: [n + 1], -1 where the two are equal
};

}  // namespace rankloss::inline RANKLOSS_ABI
