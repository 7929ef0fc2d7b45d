// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/arrays.hpp>
#include <rankloss/batch.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/data/outputs.hpp>
#include <rankloss/matrix_view.hpp>
#include <rankloss/workspace.hpp>

#include <algorithm>
#include <cstddef>
#include <span>

namespace rankloss::inline RANKLOSS_ABI::detail {

/// What several runs add to one gradient, in scratch, so that nothing of the host's memory is written before all
/// of them are done.
class gradient_sums {
 public:
  /// @param shape  of the output
  gradient_sums(const real_output& out, const matrix_shape& shape, workspace& scratch)
      : out_(out), shape_(shape), sums_(scratch.take<double>(out.empty() ? 0 : shape.rows * shape.columns)) {
    std::fill(sums_.begin(), sums_.end(), 0.0);
  }

  /// The output of a run that adds to the sums, and its shape. Empty where the gradient is not wanted.
  [[nodiscard]] real_output output() const { return real_output(sums_.data(), sums_.size()); }
  [[nodiscard]] matrix_shape shape() const { return {shape_.rows, shape_.columns, shape_.columns, 1}; }

  void commit(double scale, update how) const {
    if (sums_.empty()) return;
    out_.visit([&](auto* memory) {
      for (std::size_t i = 0; i < shape_.rows; ++i)
        for (std::size_t k = 0; k < shape_.columns; ++k)
          put(memory[i * shape_.row_stride + k * shape_.column_stride],
              held_as<double>(scale * sums_[i * shape_.columns + k]), how);
    });
  }

 private:
  const real_output& out_;
  matrix_shape shape_;
  std::span<double> sums_;
};

}  // namespace rankloss::inline RANKLOSS_ABI::detail
