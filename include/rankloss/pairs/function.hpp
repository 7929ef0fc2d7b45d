// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/options.hpp>

#include <array>
#include <numbers>
#include <string_view>

/// Functions of a pair, which `pairwise` sums over the pairs in which one item is more relevant than the
/// other (the preferred and the other item of the pair).
///
/// Each is called with vectors of d = s_preferred - s_other and relevance_gap = y_preferred - y_other >= 0,
/// and returns its value and its first two derivatives by d. At the kinks of hinge, squared_hinge and
/// quantile the slope is 0, which is a subgradient. A value or a derivative of a pair beyond 1e290 counts as
/// 1e290.
namespace rankloss::inline RANKLOSS_ABI::pairs {

/// The value of a function and its derivatives by the difference of scores.
template <class V>
struct terms {
  V value, slope, curvature;
};

/// The base of a logarithm.
enum class logarithm {
  natural,  ///< in nats
  binary,   ///< in bits, as in the code of the LambdaLoss papers
};
[[nodiscard]] constexpr std::array<std::string_view, 2> enumerators(logarithm) noexcept {
  return {"natural", "binary"};
}

/// logistic: log(1 + exp(-d / temperature)), used by RankNet and the LambdaLoss family. Convex; slope in (-1,
/// 0) / temperature.
struct logistic {
  double temperature = 1.0;                                ///< 1e-15 to 1e300, in units of the scores
  pairs::logarithm logarithm = pairs::logarithm::natural;  ///< of the value, and thereby of the gradient

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("temperature", self.temperature, options::temperature);
    visit("logarithm", self.logarithm, options::choice<pairs::logarithm>{});
  }
  [[nodiscard]] double score_scale() const noexcept { return temperature; }
  [[nodiscard]] double factor() const noexcept {
    return logarithm == pairs::logarithm::binary ? std::numbers::log2e : 1.0;
  }
};

/// soft_zero_one: sigmoid(-d / temperature), a smooth form of the number of pairs in the wrong order.
/// Bounded, not convex.
struct soft_zero_one {
  double temperature = 1.0;  ///< 1e-15 to 1e300, in units of the scores

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("temperature", self.temperature, options::temperature);
  }
  [[nodiscard]] double score_scale() const noexcept { return temperature; }
  [[nodiscard]] double factor() const noexcept { return 1.0; }
};

/// hinge: max(0, margin - d). Convex; the second derivative is 0 wherever it exists.
struct hinge {
  double margin = 1.0;  ///< 0 to 1e300, in units of the scores

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("margin", self.margin, options::real{.least = 0.0, .most = 1e300});
  }
  [[nodiscard]] double score_scale() const noexcept { return margin > 0.0 ? margin : 1.0; }
};

/// squared_hinge: max(0, margin - d)^2. Convex.
struct squared_hinge {
  double margin = 1.0;  ///< 0 to 1e300, in units of the scores

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("margin", self.margin, options::real{.least = 0.0, .most = 1e300});
  }
  [[nodiscard]] double score_scale() const noexcept { return margin > 0.0 ? margin : 1.0; }
};

/// exponential: exp(-d / temperature), of RankBoost. Convex.
struct exponential {
  double temperature = 1.0;  ///< 1e-15 to 1e300, in units of the scores

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("temperature", self.temperature, options::temperature);
  }
  [[nodiscard]] double score_scale() const noexcept { return temperature; }
};

/// squared_difference: (d - relevance_gap)^2, which is least where differences of scores equal those of the
/// relevance. Convex.
struct squared_difference {
  [[nodiscard]] double score_scale() const noexcept { return 1.0; }
};

/// quantile: the pinball function of relevance_gap - d: tau (relevance_gap - d) if that is positive, (1 -
/// tau) (d - relevance_gap) if not. Convex.
struct quantile {
  double tau = 0.5;  ///< 0 to 1: the quantile of the relevance differences that is estimated

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("tau", self.tau, options::share);
  }
  [[nodiscard]] double score_scale() const noexcept { return 1.0; }
};

}  // namespace rankloss::inline RANKLOSS_ABI::pairs

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/pairs/function.hpp>
#endif
