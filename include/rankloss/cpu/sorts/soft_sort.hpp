// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/sigmoid/distance_sums.hpp>
#include <rankloss/detail/simd/item_rows.hpp>
#include <rankloss/detail/simd/lane_math.hpp>
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/sorting/sorted_rows.hpp>
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
  using needed = typename distance_sums::needed;
  using sums = typename distance_sums::sums;
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
    const std::span<const double> v = gather(values);
    sums_.template for_items<needed::all>(
        unit_items{}, v.data(),
        [&](std::size_t i, const sums& row, const sums&) { out[i] = v[i] + row.moved / row.mass; });
  }

  void apply_transposed(std::span<const double> values, std::span<double> out) const {
    if (forward_ == sort_forward::hard) {
      for (std::size_t i = 0; i < n_; ++i) out[sorted_.order[i]] = values[i];
      return;
    }
    const workspace::scope scope(scratch_);
    const std::span<double> weights = distance_sums::padded(n_, scratch_);
    const std::span<double> zeros = distance_sums::padded(n_, scratch_);
    std::fill(zeros.begin(), zeros.end(), 0.0);
    sums_.template for_items<needed::all>(
        unit_items{}, zeros.data(),
        [&](std::size_t i, const sums& row, const sums&) { weights[i] = values[i] / row.mass; });
    sums_.template for_items<needed::all>(
        weighted_items{weights.data(), zeros.data()}, zeros.data(),
        [&](std::size_t j, const sums& row, const sums&) { out[sorted_.order[j]] = row.mass; });
  }

  void pullback(std::span<const double> values, std::span<const double> cotangent,
                std::span<double> gradient) const {
    const workspace::scope scope(scratch_);
    const std::span<const double> v = gather(values);
    const std::span<double> weights = distance_sums::padded(n_, scratch_);  // a_i = cotangent_i / row sum
    const std::span<double> rests = distance_sums::padded(n_, scratch_);    // a_i ((P v)_i - v_i)
    const std::span<double> as_row = scratch_.take<double>(n_);  // the part by s_[i]; the other is by s_j
    sums_.template for_items<needed::all_and_sided>(
        unit_items{}, v.data(), [&](std::size_t i, const sums& row, const sums& sided) {
          const double inverse = 1.0 / row.mass;
          const double moved = row.moved * inverse;
          weights[i] = cotangent[i] * inverse;
          rests[i] = weights[i] * moved;
          as_row[i] = weights[i] * (sided.moved - moved * sided.mass);
        });
    const double slope = 1.0 / temperature_;
    sums_.template for_items<needed::sided_moved>(weighted_items{weights.data(), rests.data()}, v.data(),
                                                  [&](std::size_t k, const sums&, const sums& sided) {
                                                    gradient[sorted_.order[k]] =
                                                        slope * (sided.moved - as_row[k]);
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

  [[nodiscard]] std::span<const double> gather(std::span<const double> values) const {
    const std::span<double> sorted = distance_sums::padded(n_, scratch_);
    for (std::size_t i = 0; i < n_; ++i) sorted[i] = values[sorted_.order[i]];
    return sorted;
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
