// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/pieces.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <span>
#include <type_traits>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// x * unit of a number >= 0 in units of others, which may be infinite where x does not count: 0 times it is not a
/// number. The bound is not quite the largest number, with which a compiler that knows no infinities would do nothing.
template <class V>
[[nodiscard]] [[gnu::always_inline]] inline V finite_units(const V& x, const V& unit) noexcept {
  return xsimd::min(x * unit, V(0x1.ffffffffffffep1023));
}

/// The target that the softmax of the scores is compared with:
///
///     v_i = weight_i * of(i, count, y_i, unit) >= 0,
///
/// where `of` works on a row of lanes from item i on. It is computed wherever it is read, so that there is no
/// array of it. Powers of two bring weights and relevance near 1 where their products are very large or very
/// small. `scales`: `of` multiplies its result by `unit`; otherwise `unit` is always 1.
template <class Arch, class R, class Of>
class softmax_target {
  using V = lanes<Arch>;

 public:
  softmax_target(const strided<const R>& relevance, const strided<const double>& weights, bool scales,
                 workspace& scratch, const Of& of)
      : of_(of),
        size_(relevance.size()),
        scales_(scales),
        y_(contiguous_items(relevance, scratch)),
        w_(weights.empty() ? nullptr : contiguous_items(weights, scratch)) {}

  /// Calls body(at), where at(i, count) returns a row of the target.
  template <class Body>
  void visit(const Body& body) const {
    const auto unweighted = [of = of_, y = y_, unit = relevance_unit_](std::size_t i, auto count) {
      return only_items<Arch>(count, of(i, count, load_items<Arch>(y + i, count), unit));
    };
    if (w_ == nullptr) return body(unweighted);
    body([=, w = w_, unit = V(weight_unit_), lift = V(lift_)](std::size_t i, auto count) {
      return unweighted(i, count) * finite_units<V>(load_items<Arch>(w + i, count), unit) * lift;
    });
  }

  /// Given the sum of the target, chooses units if it is so large or small that digits are lost. Returns
  /// whether the target has changed.
  [[nodiscard]] bool rescale(double total) {
    if (!scaled_ && !(total >= 1e-200 && total <= 1e200)) {
      scaled_ = true;
      // What is worth nothing, or weighs nothing, has no say.
      double weight = 0.0, relevance = 0.0;
      for (std::size_t i = 0; i < size_; ++i) {
        const double y = static_cast<double>(y_[i]), w = w_ == nullptr ? 1.0 : w_[i];
        weight = std::max(weight, !scales_ || y > 0.0 ? w : 0.0);
        relevance = std::max(relevance, w > 0.0 ? y : 0.0);
      }
      if (w_ != nullptr) weight_unit_ = unit_of(weight);
      if (scales_) relevance_unit_ = unit_of(relevance);
      if (weight_unit_ != 1.0 || relevance_unit_ != 1.0) return true;
    }
    // So that the inverse of the sum is finite. Only products with weights are that small.
    if (lift_ != 1.0 || !(total > 0.0) || total >= 1e-200) return false;
    lift_ = 0x1p600;
    return true;
  }

  /// The sum without the units, at most largest_term.
  [[nodiscard]] double mass(double total) const noexcept {
    return std::min(total / lift_ / weight_unit_ / relevance_unit_, largest_term);
  }

 private:
  Of of_;
  std::size_t size_;
  bool scales_;
  const R* y_;
  const double* w_;  // null: all 1
  bool scaled_ = false;
  double weight_unit_ = 1.0, relevance_unit_ = 1.0, lift_ = 1.0;
};

template <class Arch, class R, class Of>
[[nodiscard]] auto make_target(const strided<const R>& relevance, const strided<const double>& weights,
                               bool scales, workspace& scratch, const Of& of) {
  return softmax_target<Arch, R, Of>(relevance, weights, scales, scratch, of);
}

/// The relevance itself; negative relevance counts as 0.
template <class Arch, class R>
[[nodiscard]] auto target_of_relevance(const strided<const R>& relevance,
                                       const strided<const double>& weights, workspace& scratch) {
  using V = lanes<Arch>;
  return make_target<Arch>(relevance, weights, true, scratch, [](std::size_t, auto, const V& y, double unit) {
    return finite_units<V>(xsimd::max(y, V(0.0)), V(unit));
  });
}

/// exp(y / temperature), divided by the greatest such value among the items with a positive weight.
template <class Arch, class T, class R>
[[nodiscard]] auto target_of_softmax(const strided<const R>& relevance, const strided<const double>& weights,
                                     double temperature, workspace& scratch) {
  using V = lanes<Arch>;
  const std::size_t n = relevance.size();
  double most = std::numeric_limits<double>::lowest();
  if (weights.empty()) {
    const workspace::scope copies(scratch);
    most = static_cast<double>(largest_of<Arch>(contiguous_items(relevance, scratch), n));
  } else {
    for (std::size_t i = 0; i < n; ++i)
      if (weights[i] > 0.0) most = std::max(most, static_cast<double>(relevance[i]));
  }
  return make_target<Arch>(relevance, weights, false, scratch,
                           [below = score_distance<Arch, double>(most, temperature * log_of_base<T>)](
                               std::size_t, auto, const V& y, double) { return power_below<T>(below(y)); });
}

/// The cross entropy of a target with the softmax of the scores, plus the first term of its expansion in
/// 1 - p:
///
///     q_i = v_i / sum v,  p = softmax(s / temperature)
///     mass * -sum_i q_i log p_i + poly * (1 - sum_i q_i p_i)
///
/// Three passes: for the greatest score, for the sums, and for what is written. Exponentials and target of a list
/// that stays in the cache are kept from the second to the third; those of a long list are computed again, which
/// takes less time than to write them to memory and to read them back.
/// @param mass_of  mass_of(target, total): the mass, given the sum of the target
template <class Arch, class T, class Target, class MassOf>
double softmax_loss(const strided<const T>& scores, Target target, const MassOf& mass_of, double poly,
                    double temperature, const list_outputs<T>& out, workspace& scratch) {
  using V = lanes<Arch>;
  constexpr std::size_t w = lane_count<Arch>;
  const std::size_t n = scores.size();
  if (n == 1) {
    clear(out);
    return 0.0;
  }
  const workspace::scope scope(scratch);
  const T* const s = contiguous_items(scores, scratch);
  const even_pieces pieces(n, tuning::piece_items);
  const std::span<T> greatest = scratch.take<T>(pieces.count());
  run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
    greatest[p] = largest_of<Arch>(s + pieces[p].begin, pieces[p].size());
  });
  const score_distance<Arch, T> below(*std::max_element(greatest.begin(), greatest.end()),
                                      temperature * log_of_base<T>);
  const bool kept = n <= tuning::longest_kept_softmax;
  double* const kept_e = scratch.take<double>(kept ? padded_rows(n, w) : 0).data();
  double* const kept_v = scratch.take<double>(kept ? padded_rows(n, w) : 0).data();

  struct piece_sums {
    V whole, sum, distance, agreement;
  };
  const std::span<piece_sums> of_piece = scratch.take<piece_sums>(pieces.count());
  double total, z, distances, agreements;
  const auto sums = [&](auto with_agreement, auto keeps) {
    target.visit([&](const auto& at) {
      run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
        // Sums of chunks are added up, so that few roundings are behind each other however long the list is.
        piece_sums all{V(0.0), V(0.0), V(0.0), V(0.0)};
        const std::size_t end = pieces[p].end;
        for (std::size_t first = pieces[p].begin; first < end; first += tuning::softmax_chunk) {
          V own_whole(0.0), own_sum(0.0), own_distance(0.0), own_agreement(0.0);
          const auto add = [&, below, s, first, at](std::size_t k, auto count) {
            const V d = below(load_items<Arch>(s + first + k, count, below.greatest()));
            const V own = only_items<Arch>(count, power_below<T>(d));
            const V held = at(first + k, count);
            own_whole += held;
            own_sum += own;
            own_distance = xsimd::fma(held, d, own_distance);
            if constexpr (with_agreement()) own_agreement = xsimd::fma(held, own, own_agreement);
            if constexpr (keeps()) {
              own.store_aligned(kept_e + first + k);
              held.store_aligned(kept_v + first + k);
            }
          };
          for_rows<Arch>(std::min(tuning::softmax_chunk, end - first), add);
          all.whole += own_whole;
          all.sum += own_sum;
          all.distance += own_distance;
          if constexpr (with_agreement()) all.agreement += own_agreement;
        }
        of_piece[p] = all;
      });
    });
    piece_sums all = of_piece[0];
    for (const piece_sums& other : of_piece.subspan(1)) {
      all.whole += other.whole;
      all.sum += other.sum;
      all.distance += other.distance;
      all.agreement += other.agreement;
    }
    total = sum_of(all.whole);
    z = sum_of(all.sum);
    distances = sum_of(all.distance);
    agreements = sum_of(all.agreement);
  };
  do {
    if (poly == 0.0 && kept)
      sums(std::false_type{}, std::true_type{});
    else if (poly == 0.0)
      sums(std::false_type{}, std::false_type{});
    else if (kept)
      sums(std::true_type{}, std::true_type{});
    else
      sums(std::true_type{}, std::false_type{});
  } while (target.rescale(total));
  if (!(total > 0.0)) {
    clear(out);
    return 0.0;
  }
  const double mass = mass_of(target, total);
  const double q = 1.0 / total;
  // The sum of v d may be infinite; nothing is subtracted from it, so no NaN arises.
  const double cross = std::min(distances * q * log_of_base<T>, largest_term) + std::log(z);
  const double agreed = agreements * q / z;
  const double value = std::clamp(mass * cross + poly * (1.0 - agreed), -largest_term, largest_term);

  const V inverse(1.0 / z), normal(q), whole(agreed);
  // Calls write(i, count, e, v) with the exponential and the target of each row.
  const auto for_items = [&](const auto& write) {
    if (kept)
      return for_rows<Arch>(n, [=](std::size_t i, auto count) {
        write(i, count, V::load_aligned(kept_e + i), V::load_aligned(kept_v + i));
      });
    target.visit([&](const auto& at) {
      run_pieces(scratch, pieces.count(), [&](workspace&, std::size_t p) {
        const auto put = [write, at, below, s, first = pieces[p].begin](std::size_t k, auto count) {
          const std::size_t i = first + k;
          write(i, count, power_below<T>(below(load_items<Arch>(s + i, count, below.greatest()))),
                at(i, count));
        };
        for_rows<Arch>(pieces[p].size(), put);
      });
    });
  };
  if (!out.gradient.empty()) {
    T* const g = contiguous_output(out.gradient, scratch);
    const V first(bounded_factor<T>(mass / temperature));
    if (poly == 0.0) {
      for_items([g, by_e = first * inverse, by_v = first * normal](std::size_t i, auto count, const V& e,
                                                                   const V& v) {
        store_items<Arch>(g + i, count, xsimd::fma(e, by_e, -(v * by_v)));
      });
    } else {
      const V second(bounded_factor<T>(poly / temperature));
      for_items([=](std::size_t i, auto count, const V& e, const V& v) {
        const V p = e * inverse, held = v * normal;
        store_items<Arch>(g + i, count, first * (p - held) - second * p * (held - whole));
      });
    }
    spread(g, out.gradient);
  }
  if (!out.hessian.empty()) {
    T* const h = contiguous_output(out.hessian, scratch);
    const V first(bounded_factor<T>(mass / temperature / temperature));
    const V second(bounded_factor<T>(poly / temperature / temperature));
    for_items([=](std::size_t i, auto count, const V& e, const V& v) {
      const V p = e * inverse, held = v * normal;
      store_items<Arch>(h + i, count,
                        p * (first * (V(1.0) - p) - second * (V(1.0) - V(2.0) * p) * (held - whole)));
    });
    spread(h, out.hessian);
  }
  return value;
}

}  // namespace rankloss::inline RANKLOSS_ABI::detail
