// SPDX-License-Identifier: BSL-1.0
#include "cuda/detail/team.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

namespace cuda_detail_team_test {
namespace {

void check(std::size_t n, unsigned threads) {
  INFO(n << " numbers, " << threads << " threads");
  std::mt19937 random(static_cast<unsigned>(n * 31 + threads));
  std::vector<float> x(n);
  for (float& number : x) number = static_cast<float>(static_cast<int>(random() % 40) - 20) / 4;
  const findings found = find(x, threads);
  CHECK(found.same_everywhere);

  // Sums of small multiples of 1/4 are exact, whatever the order.
  CHECK(found.sum == std::accumulate(x.begin(), x.end(), 0.0));
  CHECK(found.least == (n > 0 ? 0u : ~0u));
  const auto greatest = std::max_element(x.begin(), x.end());
  if (n > 0) CHECK(found.greatest == *greatest);
  CHECK(found.greatest_index == (n > 0 ? static_cast<std::uint32_t>(greatest - x.begin()) : ~0u));
  double sum = 0.0;
  float slope = 1.0f, offset = 0.0f;
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < n; ++i) {
    sum += static_cast<double>(x[i]);
    const float a = i % 3 == 0 ? 0.5f : 1.0f;
    slope *= a;
    offset = a * offset + x[i];
    wrong += found.scanned[i] != sum || std::abs(found.slope[i] - slope) > 1e-6f ||
             std::abs(found.offset[i] - offset) > 1e-4f;
  }
  CHECK(wrong == 0);

  std::vector<std::uint32_t> order(n);
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) { return x[a] > x[b]; });
  CHECK(found.order == order);
  for (std::size_t i = 0; i < n; ++i) wrong += found.sorted[i] != x[order[i]];
  CHECK(wrong == 0);
}

/// Of n keys some are equal, some of the ends of their type, and of floats some are zeros of either sign.
template <class T>
void check_sort(std::size_t n, unsigned threads) {
  INFO(n << " keys of " << sizeof(T) << " bytes, " << threads << " threads");
  using limits = std::numeric_limits<T>;
  std::mt19937 random(static_cast<unsigned>(n * 31 + threads));
  std::vector<T> keys(n);
  for (T& key : keys) {
    const std::uint32_t kind = random() % 16;
    key = static_cast<T>(static_cast<std::int32_t>(random() % 200) - (limits::is_signed ? 100 : 0));
    if (kind < 4) key = kind == 0 ? limits::max() : kind == 1 ? limits::lowest() : T{0};
    if constexpr (!limits::is_integer) {
      if (kind == 3) key = -key;
      if (kind == 4) key = limits::denorm_min() * static_cast<T>(static_cast<int>(random() % 5) - 2);
      if (kind == 5) key = random() % 2 == 0 ? limits::infinity() : -limits::infinity();
      if (kind > 8) key += static_cast<T>(random()) * T(1e-9);
    }
  }
  std::vector<std::uint32_t> order(n);
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return keys[a] > keys[b]; });
  std::vector<T> sorted = keys;
  CHECK(sort(sorted, threads) == order);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < n; ++i) wrong += sorted[i] != keys[order[i]];
  CHECK(wrong == 0);
}

}  // namespace

TEMPLATE_TEST_CASE("cuda: teams sort keys of every type", "[lengths]", float, double, std::int8_t,
                   std::uint8_t, int) {
  for (const std::size_t n : {0, 1, 2, 31, 32, 33, 63, 64, 65, 100, 128, 129, 200, 255, 256, 257, 520, 1500})
    check_sort<TestType>(n, 0);
  for (const unsigned threads : {32u, 64u, 96u, 256u})
    for (const unsigned n : {0u, 1u, threads - 1, threads + 1, 2 * threads + 1, 3 * threads, 4 * threads + 3,
                             7 * threads, 8 * threads, 11 * threads + 5, 19 * threads + 1})
      check_sort<TestType>(n, threads);
}

TEST_CASE("cuda: teams of every size find sums, the greatest number, scans and orders", "[lengths]") {
  SECTION("a warp") {
    for (std::size_t n = 0; n <= 70; ++n) check(n, 0);
    for (const std::size_t n : {127, 128, 129, 250, 256, 300}) check(n, 0);
  }
  SECTION("a block") {
    for (unsigned threads = 32; threads <= 1024; threads += 32) check(threads + 1, threads);
    for (const unsigned threads : {32u, 64u, 480u, 1024u})
      for (const unsigned n : {0u, 1u, threads - 1, threads, 2 * threads + 7}) check(n, threads);
  }
  SECTION("every ragged length") {
    for (std::size_t n = 2; n <= 130; ++n) check(n, 96);
  }
}

}  // namespace cuda_detail_team_test
