// SPDX-License-Identifier: BSL-1.0
#pragma once

// The losses of a policy's steps, and steps for them. Which losses there are stands in subjects.cpp.

#include <rankloss/batch.hpp>
#include <rankloss/context.hpp>

#include "data.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace promises {

/// What a loss of steps reads, whatever the names: x is what it has a gradient by.
template <class T>
struct steps {
  std::vector<T> x, before, target;
  std::vector<double> weights;
  std::vector<std::uint8_t> mask;
};

/// A loss of steps whose type has been forgotten.
template <class T>
struct step_loss {
  std::string name;
  std::string fields[3];  ///< x, before, target
  std::function<double(std::span<const T>, const steps<T>&, const rankloss::outputs&, rankloss::context&)>
      call;
};

/// Every loss of steps that keeps the promises, in float and double.
template <class T>
const std::vector<step_loss<T>>& step_losses();

/// Ratios are at least 0.006 in their logarithms from bounds of 0.8, 1.2 and 3, and values 0.01 from where a
/// clipped square takes over.
template <class T>
steps<T> some_steps(unsigned seed, std::size_t n = 120) {
  std::mt19937_64 random(seed);
  steps<T> s;
  for (std::size_t i = 0; i < n; ++i) {
    const double before = -3.0 * static_cast<double>(random() % 1024) * 0x1p-10;
    s.before.push_back(static_cast<T>(before));
    s.x.push_back(static_cast<T>(before + 0.02 * (static_cast<double>(random() % 160) - 80.0) + 0.01));
    s.target.push_back(static_cast<T>(before + 0.01 * (static_cast<double>(random() % 300) - 150.0)));
    s.weights.push_back(
        static_cast<double>(std::uint64_t{1} << random() % 4 >> 1));  // 0, 1, 2 or 4: parts without rounding
    s.mask.push_back(random() % 5 > 0 ? 1 : 0);
  }
  return s;
}

/// The steps in another order, or some of them.
template <class T>
steps<T> taken(const steps<T>& data, const std::vector<std::size_t>& from) {
  steps<T> s;
  for (const std::size_t i : from) {
    s.x.push_back(data.x[i]);
    s.before.push_back(data.before[i]);
    s.target.push_back(data.target[i]);
    s.weights.push_back(data.weights[i]);
    s.mask.push_back(data.mask[i]);
  }
  return s;
}

// Compiled once, in subjects.cpp.
extern template steps<float> some_steps<float>(unsigned, std::size_t);
extern template steps<double> some_steps<double>(unsigned, std::size_t);
extern template steps<float> taken<float>(const steps<float>&, const std::vector<std::size_t>&);
extern template steps<double> taken<double>(const steps<double>&, const std::vector<std::size_t>&);

}  // namespace promises
