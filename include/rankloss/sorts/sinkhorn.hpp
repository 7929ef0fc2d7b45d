// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/options.hpp>
#include <rankloss/sorts/neural_sort.hpp>
#include <rankloss/sorts/sort.hpp>
#include <rankloss/workspace.hpp>

#include <array>
#include <cstddef>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI {

/// How Sinkhorn's scaling is differentiated.
enum class sinkhorn_derivative {
  unrolled,  ///< through the steps taken: the derivative of exactly what was computed
  implicit,  ///< at the fixed point: exact in the limit of many steps
};
[[nodiscard]] constexpr std::array<std::string_view, 2> enumerators(sinkhorn_derivative) noexcept {
  return {"unrolled", "implicit"};
}

/// sinkhorn: the soft permutation of neural_sort, scaled until its columns sum to 1 like its rows.
///
///     repeat: columns of P / their sums, then rows of P / their sums
///
/// The rows are exact at the end. Sinkhorn: A relationship between arbitrary positive matrices and doubly
/// stochastic matrices, Annals of Mathematical Statistics 35 (1964). Order of the steps and stopping are as
/// in NeuralNDCG (Pobrotyn, Bialobrzeski 2021, arXiv 2102.07831), but each list stops by itself, not with its
/// batch: when all its column sums are within `tolerance` of 1, or after `steps` steps.
///
/// - The band is stored once, and read once for each step forwards and backwards; each step stores three
///   vectors. Time O(steps * band), scratch O(band + steps * n). The implicit derivative takes scratch O(band
///   + n), and as many rounds of conjugate gradients as it needs, at most 10 000.
/// - The unrolled derivative converges later than the column sums by which a list stops; see neural_ndcg. The
///   error of the implicit derivative is of the size of the scaling's error or smaller (docs/numerics.md).
/// - Edge cases: as neural_sort. With `steps` = 0 its matrix is unchanged.
/// @throws std::invalid_argument from the functions of sort.hpp when an option is out of its range.
struct sinkhorn {
  neural_sort sort{};                                              ///< the matrix that is scaled
  std::size_t steps = 50;                                          ///< at most, 0 to 1e6
  double tolerance = 1e-6;                                         ///< 0 to 1: of the column sums from 1
  sinkhorn_derivative derivative = sinkhorn_derivative::unrolled;  ///< how it is differentiated

  static constexpr options::whole step_counts{.most = 1000000};

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("sort", self.sort, options::inner{});
    visit("steps", self.steps, step_counts);
    visit("tolerance", self.tolerance, options::share);
    visit("derivative", self.derivative, options::choice<sinkhorn_derivative>{});
  }

  /// The operator of one list; see soft_sort_operator.
  template <class T>
  class result;

  template <class T>
  [[nodiscard]] result<T> operator()(const strided<const T>& scores, workspace& scratch) const {
    return result<T>(*this, scores, scratch);
  }
};

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/sorts/sinkhorn.hpp>
#endif
