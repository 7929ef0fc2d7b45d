// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/random.hpp>
#include "matrix.hpp"

#include <Eigen/Core>

#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace examples {

/// net: features of an item to its score, through layers of ReLU units or, without hidden ones, by a linear map.
///
///     h_0 = x,  h_l = max(0, h_{l-1} W_l + b_l),  score = h_last w
///
/// The score has no bias: a list loss looks at differences alone. All parameters lie in one array: W_1, b_1, W_2, ... w.
template <class T>
class net {
 public:
  /// What `backward` needs to know of `forward`.
  struct tape {
    std::vector<matrix<T>> hidden;  ///< [layer][items, units] after the ReLU
    vector<T> scores;               ///< [items]
  };

  /// Weights normal with deviation sqrt(2 / inputs) before a ReLU (He et al. 2015) and sqrt(1 / inputs) before the score; biases 0.
  net(std::size_t features, const std::vector<std::size_t>& hidden, rankloss::random_stream random) {
    std::size_t inputs = features;
    std::size_t end = 0;
    for (const std::size_t units : hidden) {
      layers_.push_back({end, inputs, units});
      end += inputs * units + units;
      inputs = units;
    }
    last_ = {end, inputs, 1};
    parameters_ = parameter_array<T>::Zero(index(end + inputs));
    const auto fill = [&](auto weights, double variance) {
      const double deviation = std::sqrt(variance / static_cast<double>(weights.rows()));
      for (Eigen::Index i = 0; i < weights.size(); ++i)
        weights.data()[i] = static_cast<T>(deviation * random.normal());
    };
    for (const layer& l : layers_) fill(weights_of(l, parameters_), 2.0);
    fill(weights_of(last_, parameters_), 1.0);
  }

  [[nodiscard]] parameter_array<T>& parameters() { return parameters_; }
  [[nodiscard]] const parameter_array<T>& parameters() const { return parameters_; }

  void forward(const matrix<T>& features, tape& kept) const {
    kept.hidden.resize(layers_.size());
    const matrix<T>* below = &features;
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      matrix<T>& h = kept.hidden[l];
      h.noalias() = *below * weights_of(layers_[l], parameters_);
      h = (h.rowwise() + biases_of(layers_[l], parameters_).row(0)).cwiseMax(T{0});
      below = &h;
    }
    kept.scores.noalias() = *below * weights_of(last_, parameters_).col(0);
  }

  [[nodiscard]] vector<T> operator()(const matrix<T>& features) const {
    tape kept;
    forward(features, kept);
    return std::move(kept.scores);
  }

  /// `gradient` [parameters] becomes that of the parameters; `upstream` [items] is that of the scores.
  void backward(const matrix<T>& features, const tape& kept, const vector<T>& upstream,
                parameter_array<T>& gradient) const {
    gradient.resize(parameters_.size());
    const auto below = [&](std::size_t l) -> const matrix<T>& {
      return l == 0 ? features : kept.hidden[l - 1];
    };
    weights_of(last_, gradient).col(0).noalias() = below(layers_.size()).transpose() * upstream;
    matrix<T> slopes = upstream * weights_of(last_, parameters_).transpose();
    for (std::size_t l = layers_.size(); l-- > 0;) {
      slopes.array() *= (kept.hidden[l].array() > T{0}).template cast<T>();
      weights_of(layers_[l], gradient).noalias() = below(l).transpose() * slopes;
      biases_of(layers_[l], gradient) = slopes.colwise().sum();
      if (l > 0) slopes = (slopes * weights_of(layers_[l], parameters_).transpose()).eval();
    }
  }

 private:
  struct layer {
    std::size_t first, inputs, units;
  };
  template <class Array>
  static auto map(Array& array, std::size_t first, std::size_t rows, std::size_t columns) {
    using mapped = std::conditional_t<std::is_const_v<Array>, const matrix<T>, matrix<T>>;
    return Eigen::Map<mapped>(array.data() + first, index(rows), index(columns));
  }
  template <class Array>
  static auto weights_of(const layer& l, Array& array) {
    return map(array, l.first, l.inputs, l.units);
  }
  template <class Array>
  static auto biases_of(const layer& l, Array& array) {
    return map(array, l.first + l.inputs * l.units, 1, l.units);
  }

  std::vector<layer> layers_;
  layer last_{};
  parameter_array<T> parameters_;
};

}  // namespace examples
