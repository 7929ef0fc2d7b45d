// SPDX-License-Identifier: BSL-1.0
#include "cuda/detail/segmented_sort.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

namespace cuda_detail_segmented_sort_test {
namespace {

constexpr std::uint32_t shortest = 2304;  // a tile

template <class T>
void check(const std::vector<std::size_t>& lengths, const std::function<T(std::size_t)>& draw) {
  std::vector<std::int64_t> offsets{0};
  for (const std::size_t n : lengths) offsets.push_back(offsets.back() + static_cast<std::int64_t>(n));
  std::vector<T> numbers, alone;
  for (std::size_t i = 0; i < static_cast<std::size_t>(offsets.back()); ++i) {
    numbers.push_back(draw(i));
    alone.push_back(draw(i + 7));
  }
  const sorted<T> found = sort<T>(numbers, alone, offsets, shortest);
  std::size_t wrong = 0;
  for (std::size_t l = 0; l < lengths.size(); ++l) {
    const auto first = static_cast<std::size_t>(offsets[l]);
    std::vector<std::uint32_t> order(lengths[l]);
    std::iota(order.begin(), order.end(), 0u);
    const auto by = [&](const std::vector<T>& x) {
      std::stable_sort(order.begin(), order.end(),
                       [&](std::uint32_t a, std::uint32_t b) { return x[first + a] > x[first + b]; });
    };
    const bool is_long = lengths[l] >= shortest;
    by(numbers);
    for (std::size_t i = 0; i < lengths[l]; ++i) {
      wrong += found.order[first + i] != (is_long ? order[i] : 0);
      wrong += found.numbers[first + i] != (is_long ? numbers[first + order[i]] : T{0});
    }
    by(alone);
    for (std::size_t i = 0; i < lengths[l]; ++i)
      wrong += found.alone[first + i] != (is_long ? alone[first + order[i]] : T{0});
  }
  CHECK(wrong == 0);
}

}  // namespace

TEMPLATE_TEST_CASE("cuda: long lists are sorted, equal numbers by their index", "", float, double) {
  using T = TestType;
  std::mt19937 random(3);
  std::normal_distribution<double> normal;
  const std::vector<std::size_t> lengths{7, 2304, 0, 2303, 2400};
  const auto any = [&](std::size_t) { return static_cast<T>(normal(random)); };
  SECTION("any numbers") { check<T>(lengths, any); }
  SECTION("ties, and zeros of either sign") {
    check<T>(lengths, [&](std::size_t) {
      const int x = static_cast<int>(random() % 7) - 3;
      return x == 0 && random() % 2 == 0 ? T{-0.0} : static_cast<T>(x) / 4;
    });
  }
  SECTION("all equal") {
    check<T>(lengths, [](std::size_t) { return T{-2.5}; });
  }
  SECTION("in order, and the other way round") {
    check<T>(lengths, [](std::size_t i) { return static_cast<T>(i); });
    check<T>(lengths, [](std::size_t i) { return -static_cast<T>(i); });
  }
  SECTION("ends of the type") {
    using limits = std::numeric_limits<T>;
    const std::vector<T> ends{limits::infinity(),
                              -limits::infinity(),
                              limits::max(),
                              limits::lowest(),
                              limits::min(),
                              limits::denorm_min(),
                              -limits::denorm_min(),
                              T{0},
                              T{1}};
    check<T>(lengths, [&](std::size_t) { return ends[random() % ends.size()]; });
  }
}

TEMPLATE_TEST_CASE("cuda: a long list is sorted by grades of any type", "", std::int8_t, std::uint32_t,
                   std::int64_t) {
  using T = TestType;
  std::mt19937_64 random(6);
  std::vector<T> numbers{std::numeric_limits<T>::min(), std::numeric_limits<T>::max(), T{0}};
  for (std::size_t i = 0; i < 2500; ++i)
    numbers.push_back(static_cast<T>(static_cast<T>(random()) / (i % 2 == 0 ? T{1} : T{50})));
  std::vector<std::uint32_t> order(numbers.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return static_cast<double>(numbers[a]) > static_cast<double>(numbers[b]);
  });
  CHECK(order_of(numbers) == order);
}

TEST_CASE("cuda: lists of many tiles are sorted, at every length of the last one", "[lengths]") {
  std::mt19937 random(3);
  std::vector<std::size_t> lengths{20000};
  for (const std::size_t n : {1, 31, 32, 33, 255, 256, 257, 287, 288, 289, 2303}) lengths.push_back(2304 + n);
  check<float>(lengths, [&](std::size_t i) {
    return i % 3 == 0 ? static_cast<float>(random() % 100) : static_cast<float>(random()) * 1e-9f - 2.0f;
  });
}

TEST_CASE("cuda: the counts of more tiles are summed than a warp takes at a time", "[lengths]") {
  std::mt19937 random(4);
  std::vector<std::uint32_t> keys, order(131 * 2304);
  for (std::size_t i = 0; i < order.size(); ++i) keys.push_back(static_cast<std::uint32_t>(random() % 700));
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return keys[a] < keys[b]; });
  CHECK(sort_by_bytes(keys) == order);
}

TEST_CASE("cuda: a sort by a second key keeps the order by the first one where it ties") {
  std::mt19937 random(5);
  std::vector<std::uint32_t> first, second, order(5000);
  for (std::size_t i = 0; i < order.size(); ++i) {
    first.push_back(static_cast<std::uint32_t>(random() % 3) << 30);
    second.push_back(static_cast<std::uint32_t>(random() % 65536));
  }
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return first[a] != first[b] ? first[a] < first[b] : second[a] < second[b];
  });
  CHECK(sort_by_bytes(second, first) == order);
}

}  // namespace cuda_detail_segmented_sort_test
