// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/detail/base/require.hpp>
#include <rankloss/detail/data/check_data.hpp>
#include <rankloss/detail/data/vector_rows.hpp>
#include <rankloss/evaluate.hpp>
#include <rankloss/loss.hpp>
#include <rankloss/options.hpp>

#include <cstddef>
#include <string_view>

namespace rankloss::inline RANKLOSS_ABI {

/// cmpc_batch: pairs of embeddings of two kinds, such as an image and its text, their classes, and a weight
/// vector of each class, as views of the host's own memory. They are plain arrays of whole vectors, or
/// matrices whose rows are contiguous, with any row stride. All components are finite.
template <score T>
struct cmpc_batch {
  shaped<array_view<const T>> x;              ///< [pairs, dimension] of one kind: the rows
  shaped<array_view<const T>> y;              ///< [pairs, dimension] of the other kind: the columns
  shaped<array_view<const T>> class_weights;  ///< [classes, dimension]
  indices labels{};                           ///< [pairs] the class of each pair, from 0 to below classes
  std::size_t dimension = 0;                  ///< components of a vector; 0: the columns of the matrices
  reals pair_weights{};                       ///< [pairs] >= 0, finite; empty: all 1
  rankloss::reduction reduction = rankloss::reduction::mean;  ///< mean_of_relevant is the same as mean
};

/// cmpc_outputs: what evaluate writes for a cmpc_batch. Empty outputs are not written. Gradients are float or
/// double, whatever the embeddings are, with layouts of their own.
struct cmpc_outputs {
  shaped<real_output> x{};                                ///< scale * d(value) / d(x)
  shaped<real_output> y{};                                ///< scale * d(value) / d(y)
  shaped<real_output> class_weights{};                    ///< scale * d(value) / d(class_weights)
  array_view<double> per_pair{};                          ///< [pairs] their values, before weights and scale
  double scale = 1.0;                                     ///< factor on the derivatives
  rankloss::update update = rankloss::update::overwrite;  ///< of the derivatives
};

/// cmpc: cross-modal projection classification. The embedding of one kind is projected onto the direction of
/// the one of the other kind that it is paired with, and the projection is classified by a softmax over the
/// classes, such as the identities of persons.
///
///     xhat_i    = (x_i . ybar_i) ybar_i                       v bar: v / |v|
///     rows(i)   = -log softmax_c(wbar_c . xhat_i / t) at c = label_i,       t = temperature
///     columns   = the same with x and y exchanged
///     pair(i)   = 1/2 rows(i) + 1/2 columns(i)                of one direction (`over`) that one alone
///     value     = sum_i w_i pair(i) / sum_i w_i
///
///     with g_ic = p_ic - [c = label_i] and u_i = sum_c g_ic wbar_c, for rows:
///     d(x_i)    = (u_i . ybar_i) ybar_i / t
///     d(y_i)    = P_y(((u_i . ybar_i) x_i + (x_i . ybar_i) u_i) / t)
///     d(w_c)    = P_w(sum_i g_ic xhat_i / t)                  P_v(a) = (a - (a . vbar) vbar) / |v|
///
/// Zhang, Lu: Deep cross-modal projection learning for image-text matching, ECCV 2018, who add up both
/// directions (a `scale` of 2) and have weights of length 1 in their code (t = 1); a length r of the weights
/// is a temperature of 1 / r.
///
/// - The gradient is exact. Time O(pairs classes dimension) for each direction: one product for the value,
///   at most three more for the gradients. In parallel over pairs and over classes; the same bits for any
///   executor. Products are formed in the type of the embeddings, all else in double.
/// - Scratch O(pairs dimension), and a tile of 64 to 512 classes with the logits of all pairs: at most 2^21
///   of them, unless those of 64 classes are more. Logits and their gradients are not kept for all classes.
/// - Independent of the lengths of the class weights; the length of x matters to the rows, that of y to the
///   columns.
/// - Edge cases: without pairs the value is 0 and the gradient by the class weights 0. With one class value
///   and gradient are 0. A projection of a zero vector or onto one is 0, so its logits are equal; the
///   gradient by a zero vector through its direction is 0, and so is that by a zero class weight. A value of
///   a pair, and a factor of its logits, beyond 1e290 counts as that.
struct cmpc {
  double temperature = 1.0;            ///< 1e-15 to 1e300, in units of the embeddings; it divides
  directions over = directions::both;  ///< rows: x is projected onto y; columns: y onto x

  template <class Self, class Visit>
  static constexpr void for_each_option(Self& self, const Visit& visit) {
    visit("temperature", self.temperature, options::temperature);
    visit("over", self.over, options::choice<directions>{});
  }
};

namespace detail {

/// The sizes of a cmpc_batch and of its outputs, which the constructor checks.
template <class T>
struct cmpc_shape {
  cmpc_shape(const cmpc_batch<T>& batch, const cmpc_outputs& out)
      : dimension(dimension_of(batch.dimension, batch.x, batch.y, batch.class_weights)),
        x(vectors_of("x", batch.x, dimension)),
        y(vectors_of("y", batch.y, dimension)),
        class_weights(vectors_of("class_weights", batch.class_weights, dimension)),
        dx(output_vectors("gradient by x", out.x, dimension, x.count, "one per pair")),
        dy(output_vectors("gradient by y", out.y, dimension, x.count, "one per pair")),
        dw(output_vectors("gradient by class_weights", out.class_weights, dimension, class_weights.count,
                          "one per class")) {
    require(y.count == x.count, "y: ", y.count, " vectors, expected ", x.count, " (one per x)");
    check_size("labels", batch.labels.size(), x.count, "one per pair");
    for (std::size_t i = 0; i < x.count; ++i)
      require(batch.labels[i] >= 0 && static_cast<std::size_t>(batch.labels[i]) < class_weights.count,
              "labels: ", batch.labels.number(i), " at pair ", i, ", expected classes from 0 to below ",
              class_weights.count);
    check_optional("per_pair", out.per_pair.size(), x.count, "one per pair");
    require(is_finite(out.scale), "scale: ", out.scale, ", expected a finite number");
  }

  void check_values(const cmpc_batch<T>& batch) const {
    const auto check = [this](std::string_view name, std::string_view unit, const T* data,
                              const vector_rows& rows) {
      for (std::size_t i = 0; i < rows.count; ++i)
        if (largest_bits(data + i * rows.stride, dimension) >= bits_of_infinity<T>)
          refuse_vector(name, unit, i, data + i * rows.stride, dimension);
    };
    check("x", "pair", batch.x.data(), x);
    check("y", "pair", batch.y.data(), y);
    check("class_weights", "class", batch.class_weights.data(), class_weights);
  }

  std::size_t dimension;
  vector_rows x, y, class_weights;
  vector_rows dx, dy, dw;
};

}  // namespace detail

/// evaluate: the value of cmpc over pairs, and on request its gradients.
/// @throws std::invalid_argument naming the field when sizes, labels, options or (data_checks::on) data are
/// invalid; then nothing has been written. std::bad_alloc while scratch grows; then gradients may be partly
/// written.
template <score T>
double evaluate(const cmpc& loss, const cmpc_batch<T>& batch, const cmpc_outputs& out, context& ctx) {
  const detail::sole_use alone(ctx);
  validate(loss);
  const detail::cmpc_shape<T> shape(batch, out);
  const bool check = ctx.checks == data_checks::on;
  detail::check_weights("pair_weights", batch.pair_weights, shape.x.count, "pair", check);
  if (check) shape.check_values(batch);
  return detail::compute(loss, batch, shape, out, ctx);
}

/// evaluate of cmpc for the value alone.
template <score T>
double evaluate(const cmpc& loss, const cmpc_batch<T>& batch, context& ctx) {
  return evaluate(loss, batch, cmpc_outputs{}, ctx);
}

/// evaluate of cmpc on the calling thread with a context of its own.
template <score T>
double evaluate(const cmpc& loss, const cmpc_batch<T>& batch, const cmpc_outputs& out = {}) {
  context ctx;
  return evaluate(loss, batch, out, ctx);
}

}  // namespace rankloss::inline RANKLOSS_ABI

#if !defined(RANKLOSS_FACES_ONLY)
#include <rankloss/cpu/cmpc.hpp>
#endif
