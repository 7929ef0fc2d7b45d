// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/detail/sigmoid/decay_scan.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/simd/stretched_list.hpp>
#include <rankloss/detail/sorting/sorted_list.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// Sums, for each item of a sorted list, of exp(-|x_k - x_j|^p / temperature) over all items j: by two scans
/// where p = 1, over the scores within reach where p = 2.
///
/// Arrays over the items are taken, filled and read by functions of this class: rows of lanes where p = 1,
/// and the items as they are sorted where p = 2.
template <class Arch>
class distance_sums {
  using V = lanes<Arch>;
  using list_type = stretched_list<Arch>;
  using piece = typename list_type::piece;
  static constexpr std::size_t w = lane_count<Arch>;

 public:
  /// Sums over all j for item k, with weights a_j, rests r_j and values v_j: of the kernel alone, and of
  /// the kernel times the sign (p = 1) or twice the size (p = 2) of x_k - x_j. They are sums of differences
  /// of values, because where values are smooth a sum of the values themselves would lose digits.
  template <class U>
  struct sums {
    U mass = U(0.0);   ///< sum_j a_j kernel
    U moved = U(0.0);  ///< sum_j (r_j + a_j (v_j - v_k)) kernel
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
    U weight(std::size_t at) const noexcept {
      return row_at<U>(weights + at);
    }
    template <class U>
    U rest(std::size_t at) const noexcept {
      return row_at<U>(rests + at);
    }
  };

  template <class T>
  distance_sums(const sorted_list<T>& by_score, bool squared, double temperature, workspace& scratch)
      : temperature_(temperature),
        squared_(squared),
        scratch_(scratch),
        n_(by_score.x.size()),
        scan_(by_score.x, 1.0 / temperature, -1.0, scratch, list_type(squared ? 0 : n_)) {
    if (!squared) return;
    x_ = take();
    for (std::size_t i = 0; i < n_; ++i) x_[i] = static_cast<double>(by_score.x[i]);
  }

  /// An array over the items. Where p = 2, zeros follow it, a row of lanes of them.
  [[nodiscard]] std::span<double> take() const {
    if (!squared_) return scan_.list().take(scratch_);
    const std::span<double> items = scratch_.take<double>(n_ + w);
    std::fill_n(items.data() + n_, w, 0.0);
    return items;
  }

  /// Calls emit(at, sums, sided sums, place) once for each item, or row of items: they are at index `at` of
  /// arrays over the items, and place(numbers, put) calls put(k, number) for the number of each item k of the
  /// sorted list. Sums that are not wanted are 0.
  /// @param prepare  prepare(fill) is called first, for some of the items after the others: fill(array, get)
  ///                 writes get(k) for each item k
  template <bool all, bool sided, class Items, class Prepare, class Emit>
  void for_items(const Items& items, const double* v, const Prepare& prepare, const Emit& emit) const {
    if (squared_) {
      prepare([n = n_](std::span<double> to, const auto& get) {
        for (std::size_t i = 0; i < n; ++i) to[i] = get(i);
      });
      return sum_band(items, v, emit);
    }
    scan_(
        passed<Items>{items, v},
        [&](const piece& of) {
          prepare([&](std::span<double> to, const auto& get) { scan_.list().fill(of, to.data(), get); });
        },
        [](const auto& above) { return keep<all, sided>(above); },
        [=](const piece& of, std::size_t r, const auto& above, const auto& below) {
          using U = std::decay_t<decltype(below.value)>;
          const std::size_t at = of.at + r * row_width<U>;
          sums<U> both, one_sided;
          if constexpr (all)
            both = {items.template weight<U>(at) + above.all.mass + below.all.mass,
                    items.template rest<U>(at) + above.all.moved + below.all.moved};
          if constexpr (all && sided) one_sided.mass = below.unequal.mass - above.unequal.mass;
          if constexpr (sided) one_sided.moved = below.unequal.moved - above.unequal.moved;
          emit(at, both, one_sided,
               [&](const U& numbers, const auto& put) { list_type::for_items(of, r, numbers, put); });
        });
  }

 private:
  /// p = 1. The sums over the items that a scan has passed: over all items, and over those with another
  /// score, because equal scores are on neither side.
  template <class Items>
  struct passed {
    Items items;
    const double* v;

    template <class U>
    struct state {
      sums<U> all, unequal;
      U weight = U(0.0), rest = U(0.0), value = U(0.0);  ///< of the item itself

      template <class Visit>
      [[gnu::always_inline]] void for_each(const Visit& visit) {
        visit(all.mass), visit(all.moved), visit(unequal.mass), visit(unequal.moved);
        visit(weight), visit(rest), visit(value);
      }
    };
    template <class U>
    [[nodiscard]] [[gnu::always_inline]] state<U> advance(const state<U>& before, const U& decay,
                                                          std::size_t at) const noexcept {
      const U own = row_at<U>(v + at);
      const U q = magnitude(decay);
      const U nearer = before.value - own;
      const U counted = before.all.mass + before.weight;
      const U mass = q * counted;
      const U moved = q * (before.all.moved + (before.rest + nearer * counted));
      const U unequal_moved = before.unequal.moved + nearer * before.unequal.mass;
      return {{mass, moved},
              {if_tied(decay, before.unequal.mass, mass), if_tied(decay, unequal_moved, moved)},
              items.template weight<U>(at),
              items.template rest<U>(at),
              own};
    }
    static void join(state<double>& to, const state<double>& more) noexcept {
      to.all.mass += more.all.mass;
      to.all.moved += more.all.moved;
      to.unequal.mass += more.unequal.mass;
      to.unequal.moved += more.unequal.moved;
    }

   private:
    static double magnitude(double x) noexcept { return std::abs(x); }
    static V magnitude(const V& x) noexcept { return xsimd::abs(x); }
    static double if_tied(double decay, double tied, double apart) noexcept {
      return decay < 0.0 ? tied : apart;
    }
    static V if_tied(const V& decay, const V& tied, const V& apart) noexcept {
      return xsimd::select(decay < V(0.0), tied, apart);
    }
  };

  /// What of a state waits for the scan in the other direction. All of it would only cost memory traffic.
  template <class U>
  struct kept_all {
    sums<U> all;
  };
  template <class U>
  struct kept_both {
    sums<U> all, unequal;
  };
  template <class U>
  struct kept_sided {
    struct {
      U moved;
    } unequal;
  };
  template <bool all, bool sided, class State>
  [[gnu::always_inline]] static auto keep(const State& above) noexcept {
    using U = std::decay_t<decltype(above.value)>;
    if constexpr (all && sided)
      return kept_both<U>{above.all, above.unequal};
    else if constexpr (all)
      return kept_all<U>{above.all};
    else
      return kept_sided<U>{{above.unequal.moved}};
  }

  /// p = 2. Row by row, over the scores within reach.
  template <class Items, class Emit>
  void sum_band(const Items& items, const double* v, const Emit& emit) const {
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
      emit(k, sums<double>{sum_of(mass), sum_of(moved)},
           sums<double>{2.0 * sum_of(sided_mass), 2.0 * sum_of(sided_moved)},
           [k](double number, const auto& put) { put(k, number); });
    }
  }

  double temperature_;
  bool squared_;
  workspace& scratch_;
  std::size_t n_;
  std::span<double> x_;    // p = 2: the scores, descending
  decay_scan<Arch> scan_;  // p = 1; decays are -1 where two scores are equal
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
