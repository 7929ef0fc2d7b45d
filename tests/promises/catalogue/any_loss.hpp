// SPDX-License-Identifier: BSL-1.0
#pragma once

// A loss of lists or of matrices whose type has been forgotten, and what it claims of itself.

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/loss.hpp>

#include <functional>
#include <string>
#include <utility>

namespace promises {

/// What a loss claims of itself: which of the promises it makes, and how exactly it is to be held to them.
struct claims {
  double length = 1.0;  ///< on which the loss bends: slopes are of the order of 1 / length
  double step =
      0x1p-10;  ///< of differences: small against length, and 2 steps against the 0.003 that `distinct` keeps from kinks
  bool smooth = true;           ///< without kinks: differences may be taken at ties
  bool shift_invariant = true;  ///< the value does not change when all scores are shifted
  bool zero_sum = true;         ///< the gradient of a list sums to 0
  double rounding =
      1.0;  ///< how many times the roundings of others its sum may show: gaps of ranks magnify those of a band
  bool by_item_order = false;  ///< the order of the items decides among equals
  bool sloped = true;          ///< the gradient is the slope of the value
  bool jumps =
      false;  ///< where ranks that differ by a rounding pass each other: only equal bits give equal values
  bool rectangular = true;   ///< takes matrices that are not square
  bool transposable = true;  ///< of a matrix: rows and columns are measured alike
  bool takes_below_0 =
      false;  ///< takes relevance below 0: it compares relevance, or asks whether it is above 0, or has gains in a table
};

/// Called with a batch of float or of double, as `rankloss::evaluate` is.
template <class FloatBatch, class DoubleBatch>
struct any_loss {
  std::string name;
  claims claimed;
  bool has_hessian;
  std::function<double(const FloatBatch&, const rankloss::outputs&, rankloss::context&)> in_float;
  std::function<double(const DoubleBatch&, const rankloss::outputs&, rankloss::context&)> in_double;

  template <class Loss>
  any_loss(std::string label, const claims& c, const Loss& loss)
      : name(std::move(label)),
        claimed(c),
        has_hessian(rankloss::detail::gives_hessian<Loss>),
        in_float([loss](const FloatBatch& batch, const rankloss::outputs& out, rankloss::context& ctx) {
          return evaluate(loss, batch, out, ctx);
        }),
        in_double([loss](const DoubleBatch& batch, const rankloss::outputs& out, rankloss::context& ctx) {
          return evaluate(loss, batch, out, ctx);
        }) {}

  double operator()(const FloatBatch& batch, const rankloss::outputs& out, rankloss::context& ctx) const {
    return in_float(batch, out, ctx);
  }
  double operator()(const DoubleBatch& batch, const rankloss::outputs& out, rankloss::context& ctx) const {
    return in_double(batch, out, ctx);
  }
};

}  // namespace promises
