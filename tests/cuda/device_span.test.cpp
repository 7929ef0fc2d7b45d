// SPDX-License-Identifier: BSL-1.0
#include "cuda/device_span.hpp"

#include "cuda/support/device.hpp"

#include <catch2/catch.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>
#include <vector>

namespace cuda_device_span_test {

using rankloss::cuda::device_flags;
using rankloss::cuda::device_indices;
using rankloss::cuda::device_reals;
using rankloss::cuda::device_span;

namespace {

/// What a kernel reads of `given`, by way of a View.
template <class View, class To, class Element>
std::vector<To> read_as(const std::vector<Element>& given) {
  const cuda_support::stream own;
  const cuda_support::array<Element> from(given);
  const cuda_support::array<To> to(given.size());
  const View view = from.view();
  CHECK(view.size() == given.size());
  CHECK(view.empty() == given.empty());
  read(view, to.view(), own);
  return to.host();
}

}  // namespace

TEST_CASE("device_span: views of the memory of a device come from nothing else") {
  STATIC_REQUIRE(std::is_convertible_v<device_span<float>, device_span<const float>>);
  STATIC_REQUIRE(!std::is_convertible_v<device_span<const float>, device_span<float>>);
  STATIC_REQUIRE(!std::is_convertible_v<device_span<float>, device_span<const double>>);
  STATIC_REQUIRE(!std::is_constructible_v<device_span<float>, std::span<float>>);
  STATIC_REQUIRE(!std::is_constructible_v<device_span<float>, std::vector<float>&>);
  STATIC_REQUIRE(!std::is_convertible_v<device_span<float>, std::span<float>>);
  STATIC_REQUIRE(!std::is_constructible_v<device_indices, device_span<float>>);
  STATIC_REQUIRE(!std::is_constructible_v<device_indices, device_span<std::int16_t>>);
  STATIC_REQUIRE(!std::is_constructible_v<device_reals, device_span<int>>);
  STATIC_REQUIRE(!std::is_constructible_v<device_flags, device_span<int>>);

  float number = 0.0f;
  const device_span<float> one(&number, 1);
  CHECK(one.data() == &number);
  CHECK(one.size() == 1);
  CHECK(!one.empty());
  CHECK(device_span<const float>(one).data() == &number);
  CHECK(device_span<float>{}.empty());
}

TEST_CASE("device_indices: numbers of 32 and 64 bits, with a sign and without") {
  const std::vector<std::int64_t> expected{0, 1, 7, 2147483647};
  CHECK(read_as<device_indices, std::int64_t>(std::vector<std::int32_t>{0, 1, 7, 2147483647}) == expected);
  CHECK(read_as<device_indices, std::int64_t>(std::vector<std::uint32_t>{0, 1, 7, 2147483647}) == expected);
  CHECK(read_as<device_indices, std::int64_t>(std::vector<std::int64_t>{0, 1, 7, 2147483647}) == expected);
  CHECK(read_as<device_indices, std::int64_t>(std::vector<std::uint64_t>{0, 1, 7, 2147483647}) == expected);
  CHECK(read_as<device_indices, std::int64_t>(std::vector<std::uint32_t>{4294967295u}) ==
        std::vector<std::int64_t>{4294967295});
  CHECK(read_as<device_indices, std::int64_t>(std::vector<std::uint64_t>{std::uint64_t{1} << 63})[0] < 0);
}

// An emulator loads 32 bits with a sign into a register of 64 bits as if they had none.
TEST_CASE("device_indices: negative numbers of 32 bits", "[gpu]") {
  CHECK(read_as<device_indices, std::int64_t>(std::vector<std::int32_t>{-1, -2147483647}) ==
        std::vector<std::int64_t>{-1, -2147483647});
}

TEST_CASE("device_reals: floats and doubles") {
  CHECK(read_as<device_reals, double>(std::vector<float>{0.5f, -3.0f, 1e38f}) ==
        std::vector<double>{0.5, -3.0, static_cast<double>(1e38f)});
  CHECK(read_as<device_reals, double>(std::vector<double>{0.1, -1e300}) == std::vector<double>{0.1, -1e300});
}

TEST_CASE("device_flags: zero or not zero, whatever else") {
  CHECK(read_as<device_flags, std::int64_t>(std::vector<std::uint8_t>{0, 1, 255, 128}) ==
        std::vector<std::int64_t>{0, 1, 1, 1});
  CHECK(read_as<device_flags, std::int64_t>(std::vector<std::int8_t>{-1, 0, 1}) ==
        std::vector<std::int64_t>{1, 0, 1});
}

}  // namespace cuda_device_span_test
