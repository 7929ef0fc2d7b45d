// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/sigmoid/sigmoid_sums.hpp>
#include <rankloss/ranks/sigmoid_ranks.hpp>
#include <rankloss/workspace.hpp>

#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI {

/// The sums are those of sigmoid_sums.hpp.
template <class T>
class sigmoid_ranks::result {
  using Arch = xsimd::default_arch;  // of this translation unit, as the inline namespace says

 public:
  result(const sigmoid_ranks& how, const strided<const T>& scores, workspace& scratch)
      : values_(scratch.take<double>(scores.size())),
        slope_((how.direction == sort_direction::descending ? 1.0 : -1.0) / how.temperature),
        sums_(scores, how.temperature, scratch) {
    sums_.ranks(values_);
    const auto n = static_cast<double>(scores.size());
    for (double& r : values_)
      r = how.direction == sort_direction::descending ? r - 1.0 + how.base : n - r + how.base;
  }

  [[nodiscard]] std::span<const double> values() const noexcept { return values_; }
  void pullback(std::span<const double> cotangent, std::span<double> gradient) const {
    sums_.pull(cotangent, gradient);
    for (double& g : gradient) g *= slope_;
  }
  void push(std::span<const double> tangent, std::span<double> change) const {
    pullback(tangent, change);
  }  // the Jacobian is symmetric

 private:
  std::span<double> values_;
  double slope_;
  detail::sigmoid_sums<Arch, T> sums_;
};

}  // namespace rankloss::inline RANKLOSS_ABI
