// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "matrix.hpp"

#include <cmath>

namespace examples {

/// adam: Kingma and Ba 2015, with decay apart from the gradient (Loshchilov and Hutter 2019) that pulls
/// towards `anchor`: the weights that the parameters start from, or zeros for the usual decay of the weights.
template <class T>
class adam {
 public:
  adam(const parameter_array<T>& anchor, double decay)
      : anchor_(anchor), first_(parameter_array<T>::Zero(anchor.size())), second_(first_), decay_(decay) {}

  void step(parameter_array<T>& parameters, const parameter_array<T>& gradient, double rate) {
    ++steps_;
    first_ = T(beta1) * first_ + T(1.0 - beta1) * gradient;
    second_ = T(beta2) * second_ + T(1.0 - beta2) * gradient.square();
    const T stride = static_cast<T>(rate / (1.0 - std::pow(beta1, steps_)));
    const T unbias = static_cast<T>(1.0 / (1.0 - std::pow(beta2, steps_)));
    const T pull = static_cast<T>(rate * decay_);
    parameters -= stride * first_ / ((unbias * second_).sqrt() + T(1e-8)) + pull * (parameters - anchor_);
  }

 private:
  static constexpr double beta1 = 0.9;
  static constexpr double beta2 = 0.999;

  parameter_array<T> anchor_;
  parameter_array<T> first_;
  parameter_array<T> second_;
  double decay_;
  int steps_ = 0;
};

}  // namespace examples
