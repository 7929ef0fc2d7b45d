// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/pieces.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/data/weighted_mean.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI::detail {

// What all losses do with outputs: check them before anything is computed, and write them after everything
// that can fail.

/// Requires an output that is written item by item to be empty or of the expected size. A matrix is such an
/// output where it is contiguous in the order of rows, or where its rows are `stride` apart like those of a
/// dense batch.
inline void check_output(std::string_view field, const shaped<real_output>& out, std::size_t expected,
                         std::string_view of, std::size_t stride = 0) {
  if (const auto& shape = out.shape()) {
    const std::size_t apart = stride > 0 ? stride : shape->columns;
    require(shape->lies_in_rows(shape->columns) || shape->lies_in_rows(apart), field,
            ": a matrix with strides ", shape->row_stride, " and ", shape->column_stride, ", expected ",
            apart, " and 1, as the scores lie; of lists that are apart rows_of or columns_of make an output");
  }
  check_optional(field, out.size(), expected, of);
}

inline void check_scale(const outputs& out) {
  require(is_finite(out.scale), "scale: ", out.scale, ", expected a finite number");
}

/// Requires the outputs to fit a batch of so many items and so many values of lists, pairs or states.
inline void check_outputs(const outputs& out, std::size_t items, std::string_view of_items,
                          std::size_t values, std::string_view of_values, std::size_t stride = 0) {
  check_output("gradient", out.gradient, items, of_items, stride);
  check_output("hessian", out.hessian, items, of_items, stride);
  check_optional("per_list", out.per_list.size(), values, of_values);
  check_scale(out);
}

/// Writes a number to an output, or adds it to what is there; limited to the range of the output's type.
/// @param blank  what an overwritten number counts as: -0.0 leaves x as it is, 0.0 takes the sign of a zero
template <class G>
void put(G& to, double x, update how, double blank = -0.0) noexcept {
  to = held_as<G>((how == update::add ? static_cast<double>(to) : blank) + x);
}

/// Writes factor * sums to an output, on the calling thread: an executor that fails would leave it half written.
inline void write_scaled(const real_output& out, std::span<const double> sums, double factor, update how) {
  out.visit([&](auto* memory) {
    for (std::size_t i = 0; i < sums.size(); ++i) put(memory[i], held_as<double>(factor * sums[i]), how, 0.0);
  });
}

/// What a loss sums up in double, in scratch: derivatives by all items of the batch, and the values of its
/// lists, pairs or states. Nothing of the host's memory is written before `commit`, and `commit` cannot fail.
/// Therefore a loss that throws leaves all outputs as they were.
class output_sums {
 public:
  /// Derivatives that are not wanted are empty; the others are 0 in the beginning.
  output_sums(const outputs& out, std::size_t count, workspace& scratch)
      : gradient(zeros(out.gradient.size(), scratch)),
        hessian(zeros(out.hessian.size(), scratch)),
        values(scratch.take<double>(count)),
        out_(out) {}

  /// Writes the values, and `factor` times the derivatives.
  void commit(double factor) const {
    if (!gradient.empty()) write_scaled(out_.gradient, gradient, factor, out_.update);
    if (!hessian.empty()) write_scaled(out_.hessian, hessian, factor, out_.update);
    std::copy_n(values.begin(), out_.per_list.size(), out_.per_list.begin());
  }

  /// Reduces the values to one number, which it returns, and writes all outputs. The derivatives are sums
  /// with the scaled weights of the mean.
  template <class Weight>
  double commit(const weighted_mean& mean, Weight weight) const {
    const double value = mean(values.size(), weight, [this](std::size_t k) { return values[k]; });
    commit(mean.factor(out_.scale));
    return value;
  }

  std::span<double> gradient;  ///< by each item
  std::span<double> hessian;   ///< by each item
  std::span<double> values;    ///< of each list, pair or state

 private:
  [[nodiscard]] static std::span<double> zeros(std::size_t size, workspace& scratch) {
    const std::span<double> sums = scratch.take<double>(size);
    for_each_item(scratch, size, [sums](std::size_t i) { sums[i] = 0.0; });
    return sums;
  }

  const outputs& out_;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
