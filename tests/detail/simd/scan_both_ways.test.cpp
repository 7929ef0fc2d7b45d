// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/simd/scan_both_ways.hpp>

#include <rankloss/context.hpp>
#include <rankloss/threads.hpp>

#include <catch2/catch.hpp>

#include <atomic>
#include <cstddef>
#include <random>
#include <vector>

namespace detail_simd_scan_both_ways_test {

namespace {

/// A step that depends on all before it, and notes which were taken.
struct chain {
  std::vector<std::size_t>* taken;
  unsigned state = 1;
  unsigned step(std::size_t k) {
    taken->push_back(k);
    return state = 31 * state + static_cast<unsigned>(k);
  }
};

TEST_CASE("scan_both_ways: each item once, with what the scan from above and that from below are there") {
  for (std::size_t n = 0; n <= 9; ++n) {
    INFO("n " << n);
    std::vector<std::size_t> down, up, ignored, items;
    std::vector<unsigned> expected_above(n), expected_below(n);
    chain above{&ignored}, below{&ignored};
    for (std::size_t k = 0; k < n; ++k) {
      expected_above[k] = above.step(k);
      expected_below[n - 1 - k] = below.step(n - 1 - k);
      items.push_back(k);
    }
    std::vector<unsigned> waiting(n), from_above(n), from_below(n), count(n, 0);
    rankloss::detail::scan_both_ways({0, n}, chain{&down}, chain{&up}, waiting.data(),
                                     [&](std::size_t k, unsigned a, unsigned b) {
                                       from_above[k] = a;
                                       from_below[k] = b;
                                       ++count[k];
                                     });
    CHECK(from_above == expected_above);
    CHECK(from_below == expected_below);
    CHECK(count == std::vector<unsigned>(n, 1));
    CHECK(down == items);
    CHECK(up == std::vector<std::size_t>(items.rbegin(), items.rend()));
  }
}

/// s_k = a_k s_(k-1) + b_k in whole numbers modulo 2^32, where no order of the steps rounds.
struct linear {
  const unsigned* a;
  const unsigned* b;
  unsigned state = 0;
  unsigned step(std::size_t k) { return state = a[k] * state + b[k]; }
  void begin_at(std::size_t k) { state = b[k]; }
  void join(const linear& before, std::size_t from, std::size_t to) {
    unsigned product = 1;
    const std::size_t step = from < to ? 1 : static_cast<std::size_t>(-1);
    for (std::size_t k = from; k != to;) product *= a[k += step];
    state += product * before.state;
  }
};

TEST_CASE("scan_both_ways: lists in pieces have the states of the whole list, on any number of threads") {
  std::mt19937 random(3);
  for (const std::size_t n : {0u, 1u, 4u, 7u, 8u, 9u, 12u, 13u, 100u, 103u, 1000u})
    for (const std::size_t piece_items : {4u, 5u, 16u})
      for (const std::size_t workers : {1u, 3u}) {
        INFO(n << " items in pieces of " << piece_items << ", " << workers << " workers");
        std::vector<unsigned> a(n), b(n), above(n), below(n), from_above(n), from_below(n);
        for (std::size_t k = 0; k < n; ++k)
          a[k] = static_cast<unsigned>(random()), b[k] = static_cast<unsigned>(random());
        linear down{a.data(), b.data()}, up{a.data(), b.data()};
        for (std::size_t k = 0; k < n; ++k) {
          above[k] = down.step(k);
          below[n - 1 - k] = up.step(n - 1 - k);
        }
        std::vector<std::atomic<int>> prepared(n), emitted(n);
        rankloss::context ctx{rankloss::threads(workers)};
        rankloss::detail::scan_list<unsigned>(
            n, linear{a.data(), b.data()}, linear{a.data(), b.data()}, ctx.scratch(),
            [&](rankloss::detail::item_range items) {
              for (std::size_t k = items.begin; k < items.end; ++k) ++prepared[k];
            },
            [&](std::size_t k, unsigned one, unsigned other) {
              from_above[k] = one;
              from_below[k] = other;
              ++emitted[k];
            },
            piece_items, piece_items);
        CHECK(from_above == above);
        CHECK(from_below == below);
        for (std::size_t k = 0; k < n; ++k) {
          CHECK(prepared[k] == 1);
          CHECK(emitted[k] == 1);
        }
      }
}

}  // namespace

}  // namespace detail_simd_scan_both_ways_test
