// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/base/loops.hpp>
#include <rankloss/detail/data/extremes.hpp>
#include <rankloss/detail/simd/lanes.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <span>
#include <utility>
#include <vector>

namespace detail_simd_lanes_test {

namespace {

using arch = xsimd::default_arch;
using row = rankloss::detail::lanes<arch>;
constexpr std::size_t w = rankloss::detail::lane_count<arch>;

std::vector<double> in_lanes(const row& values) {
  std::vector<double> out(w);
  values.store_unaligned(out.data());
  return out;
}

/// 1, 2, 3, ...
row rising() {
  std::vector<double> values(w);
  for (std::size_t l = 0; l < w; ++l) values[l] = static_cast<double>(l + 1);
  return row::load_unaligned(values.data());
}

}  // namespace

TEST_CASE("simd: sum_of is that of all lanes") {
  CHECK(rankloss::detail::sum_of(rising()) == static_cast<double>(w * (w + 1) / 2));
  CHECK(rankloss::detail::sum_of(xsimd::batch<float, arch>(0.5F)) ==
        0.5F * static_cast<float>(xsimd::batch<float, arch>::size));
}

TEST_CASE("simd: lanes_of picks lanes of two vectors by their numbers, first_of the first one") {
  const row x = rising(), y = rising() * row(-1.0);
  CHECK(rankloss::detail::first_of<arch>(x) == 1.0);
  CHECK(rankloss::detail::first_of<arch>(y) == -1.0);
  // Of x the last lane first, and one of y in the middle.
  [&]<std::size_t... l>(std::index_sequence<l...>) {
    const auto found = in_lanes(rankloss::detail::lanes_of<arch>(
        x, y, std::index_sequence<(l == w / 2 ? w + w / 2 - 1 : w - 1 - l)...>{}));
    for (std::size_t k = 0; k < w; ++k)
      CHECK(found[k] == (k == w / 2 ? -static_cast<double>(w / 2) : static_cast<double>(w - k)));
  }
  (std::make_index_sequence<w>());
}

TEST_CASE("simd: to_bits and from_bits change no bit") {
  std::mt19937_64 random(1);
  for (int round = 0; round < 20; ++round) {
    std::vector<std::uint64_t> patterns(w), found(w);
    for (std::uint64_t& p : patterns) p = random();
    const auto lanes =
        rankloss::detail::from_bits<arch>(rankloss::detail::bits<arch>::load_unaligned(patterns.data()));
    const std::vector<double> values = in_lanes(lanes);
    for (std::size_t l = 0; l < w; ++l) CHECK(std::bit_cast<std::uint64_t>(values[l]) == patterns[l]);
    rankloss::detail::to_bits(lanes).store_unaligned(found.data());
    CHECK(found == patterns);
  }
}

TEMPLATE_TEST_CASE("simd: rows of any arithmetic type are loaded and stored, no more and no less than a row",
                   "", float, double, int, std::uint8_t, std::int64_t) {
  using S = TestType;
  std::vector<S> memory(w + 2);
  for (std::size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<S>(2 * i + 3);
  const std::vector<double> expected(memory.begin() + 1, memory.end() - 1);
  const row values = rankloss::detail::load_row<arch>(memory.data() + 1);  // not aligned
  CHECK(in_lanes(values) == expected);

  std::vector<S> to(w + 2, S{1});
  rankloss::detail::store_row<arch>(to.data() + 1, values);
  CHECK(to.front() == S{1});
  CHECK(to.back() == S{1});
  CHECK(std::vector<S>(to.begin() + 1, to.end() - 1) == std::vector<S>(memory.begin() + 1, memory.end() - 1));
}

TEST_CASE("simd: a double is rounded to the nearest float, not cut") {
  std::vector<float> to(w);
  rankloss::detail::store_row<arch>(to.data(), row(1.0 + 0x1.8p-24));
  CHECK(to == std::vector<float>(w, 1.0F + 0x1p-23F));
}

TEMPLATE_TEST_CASE("simd: extremes_of any number of values", "", float, double, int, std::uint8_t) {
  std::mt19937_64 random(2);
  for (std::size_t n = 1; n <= 21; ++n)
    for (std::size_t at = 0; at < n; ++at) {
      std::vector<TestType> values(n, TestType{50});
      values[at] = TestType{3};
      values[(at + random() % n) % n] = static_cast<TestType>(random() % 100);
      const auto [least, most] = rankloss::detail::extremes_of(std::span<const TestType>(values));
      CHECK(least == *std::min_element(values.begin(), values.end()));
      CHECK(most == *std::max_element(values.begin(), values.end()));
    }
  if constexpr (std::numeric_limits<TestType>::has_infinity) {
    constexpr TestType infinity = std::numeric_limits<TestType>::infinity();
    const std::vector<TestType> values{0, -infinity, infinity};
    CHECK(rankloss::detail::extremes_of(std::span<const TestType>(values)).least == -infinity);
    CHECK(rankloss::detail::extremes_of(std::span<const TestType>(values)).most == infinity);
  }
}

TEST_CASE("simd: unrolled calls for each number in order") {
  std::vector<std::size_t> called;
  rankloss::detail::unrolled<5>([&]<std::size_t k>() { called.push_back(k); });
  CHECK(called == std::vector<std::size_t>{0, 1, 2, 3, 4});
  rankloss::detail::unrolled<0>([&]<std::size_t k>() { called.clear(); });
  CHECK(called.size() == 5);
}

TEST_CASE("simd: prefetching beyond the end of an array is no access") {
  const std::vector<double> values(1, 2.0);
  rankloss::detail::prefetch_ahead(values.data());
  CHECK(values[0] == 2.0);
}

TEMPLATE_TEST_CASE("simd: lane_numbers are 0, 1, 2", "", float, double) {
  using V = xsimd::batch<TestType, arch>;
  std::vector<TestType> found(V::size);
  rankloss::detail::lane_numbers<V>().store_unaligned(found.data());
  for (std::size_t l = 0; l < found.size(); ++l) CHECK(found[l] == static_cast<TestType>(l));
}

}  // namespace detail_simd_lanes_test
