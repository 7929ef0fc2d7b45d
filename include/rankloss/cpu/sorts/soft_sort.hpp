// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/sigmoid/distance_sums.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/simd/stretched_list.hpp>
#include <rankloss/detail/sorting/sorted_list.hpp>
#include <rankloss/sorts/soft_sort.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {

/// Rows of the permutation are ratios of the sums of distance_sums.hpp, along the sorted scores.
template <class T>
class soft_sort::result {
  using Arch = xsimd::default_arch;  // of this translation unit, as the inline namespace says
  using V = detail::lanes<Arch>;
  using distance_sums = detail::distance_sums<Arch>;
  using unit_items = typename distance_sums::unit_items;
  using weighted_items = typename distance_sums::weighted_items;
  static constexpr std::size_t w = detail::lane_count<Arch>;

 public:
  result(const soft_sort& how, const strided<const T>& scores, workspace& scratch)
      : temperature_(how.temperature),
        distance_(how.distance),
        forward_(how.forward),
        scratch_(scratch),
        n_(scores.size()),
        sorted_(detail::sort_list<T>(scores, scratch)),
        sums_(sorted_, how.distance == sort_distance::squared, how.temperature, scratch) {}

  void apply(std::span<const double> values, std::span<double> out) const {
    if (forward_ == sort_forward::hard) {
      for (std::size_t i = 0; i < n_; ++i) out[i] = values[sorted_.order[i]];
      return;
    }
    const workspace::scope scope(scratch_);
    const std::span<double> v = sums_.take();
    sums_.template for_items<true, false>(
        unit_items{}, v.data(), [=, this](const auto& fill) { fill(v, sorted(values)); },
        [=](std::size_t at, const auto& row, const auto&, const auto& place) {
          place(held(row, v, at) + row.moved / row.mass,
                [out](std::size_t i, double number) { out[i] = number; });
        });
  }

  void apply_transposed(std::span<const double> values, std::span<double> out) const {
    if (forward_ == sort_forward::hard) {
      for (std::size_t i = 0; i < n_; ++i) out[sorted_.order[i]] = values[i];
      return;
    }
    const workspace::scope scope(scratch_);
    const std::span<double> weights = sums_.take();
    const std::span<double> zeros = sums_.take();
    std::fill(zeros.begin(), zeros.end(), 0.0);
    sums_.template for_items<true, false>(
        unit_items{}, zeros.data(),
        [=](const auto& fill) { fill(weights, [values](std::size_t i) { return values[i]; }); },
        [=](std::size_t at, const auto& row, const auto&, const auto&) {
          detail::put_row(held(row, weights, at) / row.mass, weights.data() + at);
        });
    sums_.template for_items<true, false>(
        weighted_items{weights.data(), zeros.data()}, zeros.data(), [](const auto&) {},
        [out, order = sorted_.order](std::size_t, const auto& row, const auto&, const auto& place) {
          place(row.mass, [&](std::size_t j, double number) { out[order[j]] = number; });
        });
  }

  void pullback(std::span<const double> values, std::span<const double> cotangent,
                std::span<double> gradient) const {
    const workspace::scope scope(scratch_);
    const std::span<double> v = sums_.take();
    const std::span<double> weights = sums_.take();  // the cotangent, then a_i = cotangent_i / row sum
    const std::span<double> rests = sums_.take();    // a_i ((P v)_i - v_i)
    const std::span<double> as_row = sums_.take();   // the part by s_[i]; the other is by s_j
    sums_.template for_items<true, true>(
        unit_items{}, v.data(),
        [=, this](const auto& fill) {
          fill(v, sorted(values));
          fill(weights, [cotangent](std::size_t i) { return cotangent[i]; });
        },
        [=](std::size_t at, const auto& row, const auto& sided, const auto&) {
          const auto weight = held(row, weights, at) / row.mass;
          const auto moved = row.moved / row.mass;
          detail::put_row(weight, weights.data() + at);
          detail::put_row(weight * moved, rests.data() + at);
          detail::put_row(weight * (sided.moved - moved * sided.mass), as_row.data() + at);
        });
    sums_.template for_items<false, true>(
        weighted_items{weights.data(), rests.data()}, v.data(), [](const auto&) {},
        [=, order = sorted_.order, slope = 1.0 / temperature_](std::size_t at, const auto& row,
                                                               const auto& sided, const auto& place) {
          using U = decltype(sided.moved);
          place(U(slope) * (sided.moved - held(row, as_row, at)),
                [&](std::size_t k, double number) { gradient[order[k]] = number; });
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
        const V kernel = detail::only_items<Arch>(
            std::min(w, n_ - j), detail::exp_minus(V::load_aligned(apart) * V(1.0 / temperature_)));
        detail::store_row<Arch>(row.data() + j, kernel);
        sum += detail::sum_of(kernel);
      }
      for (std::size_t j = 0; j < n_; ++j) to[sorted_.order[j]] = row[j] / sum;
    }
  }

 private:
  [[nodiscard]] double difference(std::size_t upper, std::size_t lower) const noexcept {
    return static_cast<double>(sorted_.x[upper]) - static_cast<double>(sorted_.x[lower]);
  }

  /// Item k of the sorted list.
  [[nodiscard]] auto sorted(std::span<const double> values) const noexcept {
    return [values, order = sorted_.order](std::size_t k) { return values[order[k]]; };
  }
  /// What an array holds of an item, or of a row of items, as the sums of them are.
  template <class Sums>
  [[nodiscard]] static auto held(const Sums&, std::span<const double> numbers, std::size_t at) noexcept {
    return detail::row_at<decltype(Sums::mass)>(numbers.data() + at);
  }

  double temperature_;
  sort_distance distance_;
  sort_forward forward_;
  workspace& scratch_;
  std::size_t n_;
  detail::sorted_list<T> sorted_;
  distance_sums sums_;
};

}  // namespace rankloss::inline RANKLOSS_ABI
