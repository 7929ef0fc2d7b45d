// SPDX-License-Identifier: BSL-1.0
#include <rankloss/vectors.hpp>

#include <catch2/catch.hpp>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

namespace vectors_test {

namespace {

using rankloss::bfloat16;
using rankloss::half;
using rankloss::vectors;

/// By the definition: a sign, an exponent of so many bits, and the digits of what follows the point.
double decoded(std::uint16_t bits, int exponent_bits) {
  const int digits = 15 - exponent_bits, bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = (bits >> digits) & ((1 << exponent_bits) - 1);
  const int fraction = bits & ((1 << digits) - 1);
  const double sign = (bits & 0x8000) != 0 ? -1.0 : 1.0;
  if (exponent == (1 << exponent_bits) - 1)
    return fraction == 0 ? sign * std::numeric_limits<double>::infinity()
                         : std::numeric_limits<double>::quiet_NaN();
  if (exponent == 0) return sign * std::ldexp(fraction, 1 - bias - digits);
  return sign * std::ldexp(fraction + (1 << digits), exponent - bias - digits);
}

/// The same number, with the same sign also where it is 0; any NaN for a NaN.
bool same(double a, double b) {
  return std::isnan(b) ? std::isnan(a) : std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

template <class Number>
void check_all(int exponent_bits) {
  std::size_t wrong = 0;
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const Number x{static_cast<std::uint16_t>(bits)};
    const double expected = decoded(x.bits, exponent_bits);
    const bool right =
        same(static_cast<double>(x), expected) && same(static_cast<double>(static_cast<float>(x)), expected);
    if (!right && wrong++ == 0) FAIL_CHECK("bits " << bits << ": " << static_cast<double>(x));
  }
  CHECK(wrong == 0);
}

TEST_CASE("vectors: each of the 65536 halves is the number that its bits say") { check_all<half>(5); }

TEST_CASE("vectors: each of the 65536 numbers of bfloat16 is the number that its bits say") {
  check_all<bfloat16>(8);
}

#if defined(__SSE2__)
TEST_CASE("vectors: a subnormal half keeps its value where subnormal floats count as 0") {
  const unsigned before = _mm_getcsr();
  _mm_setcsr(before | 0x8040u);  // inputs and results
  const volatile std::uint16_t bits = 0x8155;
  const float x = static_cast<float>(half{bits});
  _mm_setcsr(before);
  CHECK(static_cast<double>(x) == decoded(0x8155, 5));
}
#endif

template <class T, class Element>
const void* seen(const vectors<T>& of) {
  return of.visit([](const auto* memory) -> const void* {
    return std::is_same_v<decltype(memory), const Element*> ? memory : nullptr;
  });
}

TEMPLATE_TEST_CASE("vectors: a view of numbers of the type, of halves or of bfloat16", "", float, double) {
  using T = TestType;
  CHECK(vectors<T>{}.empty());
  const std::vector<T> own(5);
  const std::vector<half> halves(4);
  std::vector<bfloat16> short_floats(3);
  CHECK(vectors<T>(own).size() == 5);
  CHECK(vectors<T>(halves).size() == 4);
  CHECK(vectors<T>(short_floats).size() == 3);
  CHECK(vectors<T>(halves.data(), 2).size() == 2);
  CHECK(seen<T, T>(own) == own.data());
  CHECK(seen<T, half>(halves) == halves.data());
  CHECK(seen<T, bfloat16>(short_floats) == short_floats.data());
  CHECK(seen<T, half>({halves.data() + 1, 2}) == halves.data() + 1);
  STATIC_REQUIRE(sizeof(half) == 2);
  STATIC_REQUIRE(sizeof(bfloat16) == 2);
  STATIC_REQUIRE(std::is_trivially_copyable_v<half>);
}

}  // namespace

}  // namespace vectors_test
