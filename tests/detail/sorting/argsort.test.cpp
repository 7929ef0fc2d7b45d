// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/simd/lanes.hpp>
#include <rankloss/detail/sorting/argsort.hpp>
#include <rankloss/detail/sorting/sort_network.hpp>

#include <rankloss/context.hpp>
#include <rankloss/threads.hpp>
#include <rankloss/workspace.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace detail_sorting_argsort_test {

namespace {

using arch = xsimd::default_arch;
using row = rankloss::detail::lanes<arch>;
using rankloss::detail::descending_key;
using rankloss::detail::key_of;
using rankloss::detail::keyed;
using rankloss::detail::merge_exchange;
using rankloss::detail::value_of;

/// Every kind of number, from the greatest to the least.
template <class T>
std::vector<T> descending_values() {
  using limits = std::numeric_limits<T>;
  std::vector<T> values{limits::infinity(),
                        limits::max(),
                        std::nextafter(limits::max(), T{0}),
                        T{2},
                        std::nextafter(T{1}, T{2}),
                        T{1},
                        limits::min(),
                        std::nextafter(limits::min(), T{0}),
                        2 * limits::denorm_min(),
                        limits::denorm_min()};
  for (std::size_t i = values.size(); i-- > 0;) values.push_back(-values[i]);
  values.insert(values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), T{0});
  return values;
}

/// Sorts keys that carry their positions, and checks order and ties against the standard library.
template <class Key>
void check_sort(const std::vector<Key>& keys, rankloss::workspace& scratch) {
  using record = keyed<Key, std::uint32_t>;
  std::vector<record> records(keys.size()), buffer(keys.size());
  std::vector<std::pair<Key, std::uint32_t>> expected;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    records[i] = {keys[i], static_cast<std::uint32_t>(i)};
    expected.emplace_back(keys[i], static_cast<std::uint32_t>(i));
  }
  std::sort(expected.begin(), expected.end());  // by key, then by position: what a stable sort gives
  const std::span<record> sorted =
      rankloss::detail::sort_by_key(std::span(records), std::span(buffer), scratch);
  REQUIRE(sorted.size() == keys.size());
  CHECK(std::equal(sorted.begin(), sorted.end(), expected.begin(),
                   [](const record& r, const auto& e) { return r.key == e.first && r.payload == e.second; }));
}

template <class Key>
void check_sort(const std::vector<Key>& keys) {
  rankloss::workspace scratch;
  check_sort(keys, scratch);
}

/// Sequences that are hard on a network in different ways.
std::vector<std::vector<int>> sequences(std::mt19937& random, std::size_t n) {
  std::vector<std::vector<int>> all(40, std::vector<int>(n));
  for (std::size_t s = 0; s < all.size(); ++s)
    for (std::size_t i = 0; i < n; ++i)
      all[s][i] = s == 0   ? static_cast<int>(i)
                  : s == 1 ? -static_cast<int>(i)
                           : static_cast<int>(random() % (s % 2 == 0 ? 2 : 100));
  return all;
}

}  // namespace

TEMPLATE_TEST_CASE("argsort: keys rise as values fall, and give the values back", "", float, double) {
  const std::vector<TestType> values = descending_values<TestType>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0) CHECK(descending_key(values[i - 1]) < descending_key(values[i]));
    CHECK(value_of<TestType>(descending_key(values[i])) == values[i]);
  }
  CHECK(descending_key(TestType{0}) == descending_key(-TestType{0}));
}

TEMPLATE_TEST_CASE("argsort: keys of any bit pattern that is a number", "", float, double) {
  using key = key_of<TestType>;
  std::mt19937_64 random(1);
  std::size_t wrong = 0;
  auto previous = TestType{1};
  for (int i = 0; i < 100000; ++i) {
    const auto x = std::bit_cast<TestType>(static_cast<key>(random()));
    if (std::isnan(x)) continue;
    wrong += (descending_key(x) < descending_key(previous)) != (x > previous);
    wrong += value_of<TestType>(descending_key(x)) != x;
    previous = x;
  }
  CHECK(wrong == 0);
}

TEMPLATE_TEST_CASE("argsort: sort_by_key is right and keeps the order of ties", "", std::uint32_t,
                   std::uint64_t) {
  using key = TestType;
  constexpr unsigned width = 8 * sizeof(key);
  std::mt19937_64 random(2);
  // Up to 32 keys are compared each with each. From 512 on digits may have 11 bits.
  for (const std::size_t n :
       {0u, 1u, 2u, 3u, 16u, 31u, 32u, 33u, 254u, 255u, 256u, 511u, 512u, 513u, 1023u, 5000u}) {
    std::vector<key> keys(n);
    const auto fill = [&](auto next) {
      std::generate(keys.begin(), keys.end(), [&] { return static_cast<key>(next()); });
      INFO("n " << n);
      check_sort(keys);
    };
    fill([&] { return random(); });
    fill([&] { return key{7}; });
    // Few distinct keys, in bits that are low, high, astride the border of digits, or at both ends.
    fill([&] { return random() % 3; });
    fill([&] { return static_cast<key>(random() % 4) << (width - 2); });
    for (unsigned low = 5; low + 4 < width; low += 3)
      fill([&] { return (static_cast<key>(random() % 13) << low) + 1; });
    fill([&] { return (static_cast<key>(random() % 2) << (width - 1)) + random() % 2; });
    // As many digits as there may be, one more bit at a time.
    for (unsigned bits = 1; bits <= width; ++bits)
      fill([&] { return static_cast<key>(random()) >> (width - bits); });
  }
}

TEMPLATE_TEST_CASE("argsort: where the leading bits do not tell keys apart, all bits are sorted by", "",
                   std::uint32_t, std::uint64_t) {
  using key = TestType;
  constexpr unsigned width = 8 * sizeof(key);
  std::mt19937_64 random(6);
  for (const std::size_t n : {40u, 100u, 300u, 2000u, 20000u}) {
    std::vector<key> keys(n);
    const auto fill = [&](auto next) {
      std::generate(keys.begin(), keys.end(), [&] { return static_cast<key>(next()); });
      INFO("n " << n);
      check_sort(keys);
    };
    // One key far from the others, which differ in their last bits, somewhere or among each other's ties.
    for (const unsigned bits : {1u, 4u, 8u, 12u}) {
      fill([&] { return random() >> (64 - bits); });
      keys[n / 2] = static_cast<key>(~key{0});
      check_sort(keys);
      keys[n / 2] = 0;
      keys[n / 3] = static_cast<key>(key{1} << (width - 1));
      check_sort(keys);
    }
    // Pairs, and groups, that differ in the last bit alone.
    fill([&] { return (static_cast<key>(random() % (n / 2)) << (width - 20)) + random() % 2; });
    fill([&] { return (static_cast<key>(random() % 5) << (width - 3)) + random() % 4; });
    // Already sorted, and the other way around.
    key next = 0;
    fill([&] { return next += 3; });
    fill([&] { return next -= 3; });
  }
}

TEMPLATE_TEST_CASE("argsort: long lists are brought into parts, on any number of workers", "", std::uint32_t,
                   std::uint64_t) {
  using key = TestType;
  constexpr unsigned width = 8 * sizeof(key);
  std::mt19937_64 random(7);
  rankloss::context alone, several{rankloss::threads(3)};
  for (const std::size_t n : {(std::size_t{1} << 17) - 1, std::size_t{1} << 17, std::size_t{300001}}) {
    std::vector<key> keys(n);
    const auto fill = [&](auto next) {
      std::generate(keys.begin(), keys.end(), [&] { return static_cast<key>(next()); });
      INFO("n " << n);
      check_sort(keys, alone.scratch());
      check_sort(keys, several.scratch());
    };
    fill([&] { return random(); });
    fill([&] { return key{7}; });
    fill([&] { return random() % 3; });
    // One prefix for nearly all keys: few bits, many bits, and a part that is divided again.
    fill([&] { return random() % 100000 == 0 ? random() : random() % 1000; });
    fill([&] { return random() % 100000 == 0 ? random() : static_cast<key>(random()) >> 8; });
    fill([&] { return random() % 2 == 0 ? random() : static_cast<key>(random()) >> (width - 12); });
    // Keys of normal scores.
    std::normal_distribution<double> normal;
    using number = std::conditional_t<sizeof(key) == 4, float, double>;
    fill([&] { return descending_key(static_cast<number>(normal(random))); });
    fill([&, next = key{0}]() mutable { return next += 5; });
  }
}

TEST_CASE("argsort: items and records are sorted by what their functions say") {
  rankloss::workspace scratch;
  for (const std::size_t n : {0u, 5u, 100u}) {
    const rankloss::workspace::scope scope(scratch);
    const std::span<const rankloss::detail::keyed_item<std::uint32_t>> sorted =
        rankloss::detail::items_by_key<std::uint32_t>(
            n, scratch, [](std::size_t i) { return static_cast<std::uint32_t>((i * 7) % 5); });
    std::vector<std::uint32_t> expected(n), order(n);
    std::iota(expected.begin(), expected.end(), 0u);
    std::stable_sort(expected.begin(), expected.end(),
                     [](std::uint32_t i, std::uint32_t j) { return (i * 7) % 5 < (j * 7) % 5; });
    rankloss::detail::write_items(sorted, order.begin());
    CHECK(order == expected);
  }
  using record = keyed<std::uint64_t, double>;
  const std::vector<record> given{{3, 0.5}, {1, 1.5}, {3, 2.5}, {0, 3.5}};
  const auto sorted = rankloss::detail::records_by_key<record>(given.size(), scratch,
                                                               [&](std::size_t k) { return given[k]; });
  CHECK(sorted[0].payload == 3.5);
  CHECK(sorted[1].payload == 1.5);
  CHECK(sorted[2].payload == 0.5);
  CHECK(sorted[3].payload == 2.5);
}

TEST_CASE("argsort: merge_exchange sorts any number of items") {
  std::mt19937 random(3);
  for (std::size_t n = 0; n <= 70; ++n)
    for (std::vector<int>& items : sequences(random, n)) {
      std::vector<int> expected = items;
      std::sort(expected.begin(), expected.end());
      bool in_range = true;
      merge_exchange(n, [&](std::size_t i, std::size_t j) {
        in_range = in_range && i < j && j < n;
        if (in_range && items[j] < items[i]) std::swap(items[i], items[j]);
      });
      INFO("n " << n);
      CHECK(in_range);
      CHECK(items == expected);
    }
}

TEST_CASE("argsort: merge_exchange sorts every sequence of zeros and ones, so every sequence") {
  for (std::size_t n = 0; n <= 12; ++n) {
    std::size_t wrong = 0;
    for (unsigned bits = 0; bits < 1U << n; ++bits) {
      unsigned b = bits;
      merge_exchange(n, [&](std::size_t i, std::size_t j) {
        if ((b >> i & 1U) > (b >> j & 1U)) b ^= 1U << i | 1U << j;
      });
      wrong += b != ((1U << std::popcount(bits)) - 1U) << (n - static_cast<std::size_t>(std::popcount(bits)));
    }
    INFO("n " << n);
    CHECK(wrong == 0);
  }
}

TEST_CASE("argsort: the last phase of merge_exchange merges even and odd positions") {
  std::mt19937 random(4);
  for (std::size_t n = 0; n <= 70; ++n)
    for (std::vector<int>& items : sequences(random, n)) {
      std::vector<int> expected = items;
      std::sort(expected.begin(), expected.end());
      std::vector<int> halves[2];
      for (std::size_t i = 0; i < n; ++i) halves[i % 2].push_back(items[i]);
      for (std::vector<int>& half : halves) std::sort(half.begin(), half.end());
      for (std::size_t i = 0; i < n; ++i) items[i] = halves[i % 2][i / 2];
      merge_exchange(
          n,
          [&](std::size_t i, std::size_t j) {
            if (items[j] < items[i]) std::swap(items[i], items[j]);
          },
          1);
      INFO("n " << n);
      CHECK(items == expected);
    }
}

TEST_CASE("argsort: network_rows is the next multiple of 8") {
  for (std::size_t n = 0; n <= 70; ++n) {
    const std::size_t rows = rankloss::detail::network_rows(n);
    CHECK(rows % 8 == 0);
    CHECK(rows >= n);
    CHECK(rows < n + 8);
  }
}

TEST_CASE("argsort: sort_rows sorts each lane by itself") {
  constexpr std::size_t w = row::size;
  std::mt19937 random(5);
  for (std::size_t n = 0; n <= 70; ++n)
    for (const unsigned below : {2U, 10U, 1000000U}) {
      const std::size_t count = rankloss::detail::network_rows(n);
      std::vector<std::vector<double>> expected(
          w, std::vector<double>(count, std::numeric_limits<double>::infinity()));
      std::vector<double> rows(count * w);
      for (std::size_t l = 0; l < w; ++l) {
        for (std::size_t i = 0; i < n; ++i) expected[l][i] = static_cast<double>(random() % below);
        for (std::size_t i = 0; i < count; ++i) rows[i * w + l] = expected[l][i];
        std::sort(expected[l].begin(), expected[l].end());
      }
      rankloss::detail::sort_rows(
          count, [&](std::size_t i) { return row::load_unaligned(rows.data() + i * w); },
          [&](std::size_t i, const row& r) { r.store_unaligned(rows.data() + i * w); },
          [](row& a, row& b) {
            const row lower = xsimd::min(a, b);
            b = xsimd::max(a, b);
            a = lower;
          });
      std::size_t wrong = 0;
      for (std::size_t l = 0; l < w; ++l)
        for (std::size_t i = 0; i < count; ++i) wrong += rows[i * w + l] != expected[l][i];
      INFO("n " << n);
      CHECK(wrong == 0);
    }
}

TEST_CASE("argsort: a list has fewer items than 32 bits count") {
  constexpr std::size_t most = std::numeric_limits<std::uint32_t>::max();
  CHECK_NOTHROW(rankloss::detail::require_countable(most - 1));
  CHECK_THROWS_WITH(rankloss::detail::require_countable(most),
                    "rankloss: scores: a list of 4294967295 items, expected fewer than 2^32 - 1");
}

}  // namespace detail_sorting_argsort_test
