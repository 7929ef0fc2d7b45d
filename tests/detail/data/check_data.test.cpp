// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/data/check_data.hpp>

#include <catch2/catch.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace detail_data_check_data_test {

namespace {

using rankloss::reals;
using rankloss::strided;
using rankloss::detail::check_weights;
using rankloss::detail::find_first;
using rankloss::detail::is_finite;
using rankloss::detail::is_nan;

template <class T>
using bits_of = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

/// Beside infinity on both sides, quiet and signalling, of either sign: made of bits, since a compiler may
/// take it that there are none.
template <class T>
std::vector<T> not_numbers() {
  constexpr auto infinity = std::bit_cast<bits_of<T>>(std::numeric_limits<T>::infinity());
  constexpr bits_of<T> sign = bits_of<T>{1} << (8 * sizeof(T) - 1);
  std::vector<T> out;
  for (const bits_of<T> pattern : {infinity + 1, bits_of<T>(sign - 1), bits_of<T>(infinity | infinity >> 1)})
    for (const bits_of<T> s : {bits_of<T>{0}, sign}) out.push_back(std::bit_cast<T>(bits_of<T>(pattern | s)));
  return out;
}

const auto negative = [](int x) { return x < 0; };

std::string complaint(const reals& weights, std::size_t expected, bool values) {
  try {
    check_weights("list_weights", weights, expected, "list", values);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return {};
}

}  // namespace

TEMPLATE_TEST_CASE("check_data: what is a number, and what is finite, by its bits", "", float, double) {
  using limits = std::numeric_limits<TestType>;
  for (const TestType x : {TestType{0}, -TestType{0}, TestType{1}, limits::max(), limits::lowest(),
                           limits::min(), limits::denorm_min()}) {
    CHECK(!is_nan(x));
    CHECK(is_finite(x));
  }
  for (const TestType x : {limits::infinity(), -limits::infinity()}) {
    CHECK(!is_nan(x));
    CHECK(!is_finite(x));
  }
  for (const TestType x : not_numbers<TestType>()) {
    CHECK(is_nan(x));
    CHECK(!is_finite(x));
  }
}

TEST_CASE("check_data: find_first is the first, wherever it lies in its chunk") {
  for (const std::size_t n : {0u, 1u, 2u, 255u, 256u, 257u, 511u, 512u, 513u, 700u})
    for (const std::ptrdiff_t stride : {1, 3, -2}) {
      INFO("n " << n << ", stride " << stride);
      // Between the items all are bad: they must not be looked at.
      std::vector<int> memory(3 * n + 1, -1);
      int* const first = stride < 0 ? memory.data() + 2 * n : memory.data();
      const auto at = [&](std::size_t i) -> int& { return first[static_cast<std::ptrdiff_t>(i) * stride]; };
      for (std::size_t i = 0; i < n; ++i) at(i) = 1;
      const strided<const int> items(first, n, stride);
      CHECK(find_first(items, negative) == n);
      for (const std::size_t one : {0u, 1u, 254u, 255u, 256u, 257u, 511u, 512u, 699u}) {
        if (one >= n) continue;
        at(one) = -5;
        CHECK(find_first(items, negative) == one);
        at(n - 1) = -5;  // a later one is not the first
        CHECK(find_first(items, negative) == one);
        at(n - 1) = at(one) = 1;
      }
    }
}

TEST_CASE("check_data: an array of another size is named; one that may be left out may be empty") {
  const auto says = [](auto check, std::size_t size) -> std::string {
    try {
      check("values", size, 2, "one per step");
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return {};
  };
  using rankloss::detail::check_optional;
  using rankloss::detail::check_size;
  CHECK(says(check_size, 2).empty());
  CHECK(says(check_size, 0) == "rankloss: values: size 0, expected 2 (one per step)");
  CHECK(says(check_size, 3) == "rankloss: values: size 3, expected 2 (one per step)");
  CHECK(says(check_optional, 2).empty());
  CHECK(says(check_optional, 0).empty());
  CHECK(says(check_optional, 3) == "rankloss: values: size 3, expected 2 (one per step)");
}

TEST_CASE("check_data: weights are as many as there are units, finite and not negative") {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const std::vector<double> right{0.0, 1.5, 1e308};
  CHECK(complaint(reals{}, 7, true).empty());
  CHECK(complaint(right, 3, true).empty());
  CHECK(complaint(right, 2, false) == "rankloss: list_weights: size 3, expected 2 (one per list)");
  CHECK(complaint(std::vector<double>{1, -0.5}, 2, true) ==
        "rankloss: list_weights: -0.5 at list 1, expected a finite number >= 0");
  CHECK(complaint(std::vector<double>{infinity, 1}, 2, true) ==
        "rankloss: list_weights: inf at list 0, expected a finite number >= 0");
  CHECK(complaint(std::vector<float>{1, not_numbers<float>()[0]}, 2, true).find("at list 1") !=
        std::string::npos);
  CHECK(complaint(std::vector<double>{-1, infinity}, 2, false).empty());
}

TEST_CASE("check_data: numbers beyond the type are its largest") {
  CHECK(rankloss::detail::held_as<float>(1e300) == std::numeric_limits<float>::max());
  CHECK(rankloss::detail::held_as<float>(-1e300) == std::numeric_limits<float>::lowest());
  CHECK(rankloss::detail::held_as<double>(0.5) == 0.5);
}

}  // namespace detail_data_check_data_test
