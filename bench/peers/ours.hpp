// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <rankloss/context.hpp>
#include <rankloss/threads.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

/// The library behind functions of C, so that Python's ctypes can call them. They evaluate losses in the arrays
/// of NumPy; `wide` says that these hold doubles, else floats. An error is NaN, and `peers_error` its text.

namespace peers {

inline std::string& error() {
  static std::string text;
  return text;
}

inline rankloss::context& of(void* context) { return *static_cast<rankloss::context*>(context); }

template <class T>
std::span<const T> input(const void* data, std::size_t count) {
  return {static_cast<const T*>(data), data ? count : 0};
}
template <class T>
std::span<T> output(void* data, std::size_t count) {
  return {static_cast<T*>(data), data ? count : 0};
}

/// body(T{}) for the type T of the arrays.
template <class Body>
double by_type(bool wide, const Body& body) noexcept {
  try {
    return wide ? body(double{}) : body(float{});
  } catch (const std::exception& e) {
    error() = e.what();
  }
  return std::numeric_limits<double>::quiet_NaN();
}

[[noreturn]] inline void unknown(std::string_view name) {
  throw std::invalid_argument("loss: " + std::string(name) + ", expected one that this function knows");
}

}  // namespace peers
