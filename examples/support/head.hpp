// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/random.hpp>
#include "cca.hpp"
#include "matrix.hpp"

#include <Eigen/Core>

#include <cmath>
#include <cstddef>
#include <utility>

namespace examples {

/// head: frozen features to vectors that are compared by their cosine, by a linear map, through a hidden
/// layer, or by the sum of both.
///
///     output = a + x S + max(0, x B + b) A         with the parts that its shape has
///
/// Their length is left to the loss, which divides by it and whose gradient goes through that; `unit` divides
/// by it where vectors are measured.
///
/// All parameters lie in one array, which is all that an optimiser needs to know: a, S, B, b, A.
template <class T>
class head {
 public:
  struct shape {
    std::size_t features = 0;
    std::size_t outputs = 0;
    std::size_t hidden = 0;  ///< units of the hidden layer; 0: none
    bool linear = true;      ///< whether there is a linear map
  };

  /// What `backward` needs to know of `forward`.
  struct tape {
    matrix<T> hidden;  ///< [rows, hidden] after the ReLU
    matrix<T> output;  ///< [rows, outputs]
  };

  /// Weights uniform in +-sqrt(6 / (inputs + outputs)) (Glorot and Bengio 2010), biases 0.
  head(shape form, rankloss::random_stream random)
      : shape_(form), parameters_(parameter_array<T>::Zero(index(layout(form).end))) {
    for (const block& weights : {layout(form).S, layout(form).B, layout(form).A}) fill(at(weights), random);
  }

  /// The head that does what a projection does. A hidden layer beside it starts with A = 0, so that it has no
  /// say yet.
  head(const projection& start, std::size_t hidden, rankloss::random_stream random)
      : head(
            {.features = size(start.weights.rows()), .outputs = size(start.weights.cols()), .hidden = hidden},
            random) {
    at(layout(shape_).S) = start.weights.template cast<T>();
    at(layout(shape_).a) = -(start.mean * start.weights).template cast<T>();
    at(layout(shape_).A).setZero();
  }

  [[nodiscard]] parameter_array<T>& parameters() { return parameters_; }
  [[nodiscard]] const parameter_array<T>& parameters() const { return parameters_; }

  void forward(const matrix<T>& features, tape& kept) const {
    const parts has = layout(shape_);
    kept.output = at(has.a).row(0).replicate(features.rows(), 1);
    if (shape_.linear) kept.output.noalias() += features * at(has.S);
    if (shape_.hidden > 0) {
      kept.hidden.noalias() = features * at(has.B);
      kept.hidden = (kept.hidden.rowwise() + at(has.b).row(0)).cwiseMax(T{0});
      kept.output.noalias() += kept.hidden * at(has.A);
    }
  }

  /// The outputs, brought to unit length; 0 where they are 0.
  [[nodiscard]] matrix<T> unit(const matrix<T>& features) const {
    tape kept;
    forward(features, kept);
    Eigen::Matrix<T, Eigen::Dynamic, 1> scale = kept.output.rowwise().norm();
    for (T& length : scale) length = length > T{0} ? T{1} / length : T{0};
    kept.output.array().colwise() *= scale.array();
    return std::move(kept.output);
  }

  /// `gradient` [parameters] becomes that of the parameters; `upstream` [rows, outputs] is that of the outputs.
  void backward(const matrix<T>& features, const tape& kept, const matrix<T>& upstream,
                parameter_array<T>& gradient) const {
    const parts has = layout(shape_);
    gradient.resize(parameters_.size());
    const auto part_of = [&](const block& b) {
      return Eigen::Map<matrix<T>>(gradient.data() + b.first, index(b.rows), index(b.columns));
    };

    part_of(has.a) = upstream.colwise().sum();
    if (shape_.linear) part_of(has.S).noalias() = features.transpose() * upstream;
    if (shape_.hidden == 0) return;
    part_of(has.A).noalias() = kept.hidden.transpose() * upstream;
    matrix<T> below(upstream.rows(), kept.hidden.cols());
    below.noalias() = upstream * at(has.A).transpose();
    below.array() *= (kept.hidden.array() > T{0}).template cast<T>();
    part_of(has.B).noalias() = features.transpose() * below;
    part_of(has.b) = below.colwise().sum();
  }

 private:
  /// Where a matrix lies in the array of parameters.
  struct block {
    std::size_t first, rows, columns;
  };
  struct parts {
    block a, S, B, b, A;
    std::size_t end;
  };
  static parts layout(const shape& form) {
    std::size_t end = 0;
    const auto next = [&end](std::size_t rows, std::size_t columns) {
      const block here{end, rows, columns};
      end += rows * columns;
      return here;
    };
    const block a = next(1, form.outputs);
    const block S = next(form.linear ? form.features : 0, form.outputs);
    const block B = next(form.features, form.hidden);
    const block b = next(1, form.hidden);
    const block A = next(form.hidden, form.outputs);
    return {a, S, B, b, A, end};
  }
  [[nodiscard]] auto at(const block& b) {
    return Eigen::Map<matrix<T>>(parameters_.data() + b.first, index(b.rows), index(b.columns));
  }
  [[nodiscard]] auto at(const block& b) const {
    return Eigen::Map<const matrix<T>>(parameters_.data() + b.first, index(b.rows), index(b.columns));
  }

  static void fill(auto weights, rankloss::random_stream& random) {
    const double limit = std::sqrt(6.0 / static_cast<double>(weights.rows() + weights.cols()));
    for (Eigen::Index i = 0; i < weights.size(); ++i)
      weights.data()[i] = static_cast<T>(limit * (2.0 * random.uniform() - 1.0));
  }
  static std::size_t size(Eigen::Index i) { return static_cast<std::size_t>(i); }

  shape shape_;
  parameter_array<T> parameters_;
};

}  // namespace examples
