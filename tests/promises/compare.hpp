// SPDX-License-Identifier: BSL-1.0
#pragma once

// What two calls gave, held against each other.

#include "catalogue/calls.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace promises {

/// What two computations of the same numbers may differ by, relative to the largest of them.
template <class T>
inline constexpr double rounding = std::is_same_v<T, float> ? 4e-6 : 2e-13;

/// The same of sums as short as those of pairs, steps and orders.
template <class T>
inline constexpr double short_rounding = std::is_same_v<T, float> ? 1e-6 : 1e-13;

template <class T>
std::vector<double> wide(const std::vector<T>& values) {
  return {values.begin(), values.end()};
}

/// Where two arrays first differ in a bit, or nothing.
template <class T>
std::string first_difference(std::span<const T> a, std::span<const T> b) {
  using bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  if (a.size() != b.size()) return "sizes " + std::to_string(a.size()) + " and " + std::to_string(b.size());
  for (std::size_t i = 0; i < a.size(); ++i)
    if (std::bit_cast<bits>(a[i]) != std::bit_cast<bits>(b[i]))
      return Catch::StringMaker<T>::convert(a[i]) + " and " + Catch::StringMaker<T>::convert(b[i]) + " at " +
             std::to_string(i);
  return {};
}

/// Where two arrays are first further apart than `tolerance` times the largest of their numbers (or `least`,
/// if that is larger), or nothing.
inline std::string first_gap(std::span<const double> a, std::span<const double> b, double tolerance,
                             double least) {
  if (a.size() != b.size()) return "sizes " + std::to_string(a.size()) + " and " + std::to_string(b.size());
  double largest = least;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max({largest, std::abs(a[i]), std::abs(b[i])});
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!(std::abs(a[i] - b[i]) <= tolerance * largest))
      return Catch::StringMaker<double>::convert(a[i]) + " and " + Catch::StringMaker<double>::convert(b[i]) +
             " at " + std::to_string(i) + ", the largest being " +
             Catch::StringMaker<double>::convert(largest);
  return {};
}

template <class T>
std::string first_difference(const result<T>& a, const result<T>& b) {
  const auto of = [](const char* what, const std::string& text) {
    return text.empty() ? text : what + (": " + text);
  };
  std::string text = of("value", first_difference<double>(std::span(&a.value, 1), std::span(&b.value, 1)));
  if (text.empty()) text = of("gradient", first_difference<T>(a.gradient, b.gradient));
  if (text.empty()) text = of("hessian", first_difference<T>(a.hessian, b.hessian));
  if (text.empty()) text = of("per_list", first_difference<double>(a.per_list, b.per_list));
  return text;
}

/// Whether all bits are the same; -0 is not 0.
template <class X>
bool same_bits(const std::vector<X>& a, const std::vector<X>& b) {
  using bits = std::conditional_t<sizeof(X) == 4, std::uint32_t, std::uint64_t>;
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](X x, X y) { return std::bit_cast<bits>(x) == std::bit_cast<bits>(y); });
}
template <class T>
bool same_bits(const result<T>& a, const result<T>& b) {
  return same_bits(std::vector{a.value}, std::vector{b.value}) && same_bits(a.gradient, b.gradient) &&
         same_bits(a.hessian, b.hessian) && same_bits(a.per_list, b.per_list);
}

/// The largest difference, in units of the largest number (or of `least`).
inline double gap(const std::vector<double>& a, const std::vector<double>& b, double least = 1e-3) {
  REQUIRE(a.size() == b.size());
  double largest = least, most = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    largest = std::max({largest, std::abs(a[i]), std::abs(b[i])});
    most = std::max(
        most, std::isnan(a[i] - b[i]) ? std::numeric_limits<double>::infinity() : std::abs(a[i] - b[i]));
  }
  return most / largest;
}

template <class T>
bool all_finite(const std::vector<T>& values) {
  return std::all_of(values.begin(), values.end(), [](T x) { return std::isfinite(x); });
}

}  // namespace promises
