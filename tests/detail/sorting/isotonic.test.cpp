// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/sorting/isotonic.hpp>

#include <rankloss/ranks/projected_ranks.hpp>
#include <rankloss/sorts/projected_sort.hpp>
#include <rankloss/threads.hpp>

#include "support/projection_reference.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <span>
#include <vector>

namespace detail_sorting_isotonic_test {

using rankloss::regularization;
using rankloss::strided;
using rankloss::workspace;
using reference::real;
namespace detail = rankloss::detail;

namespace {

/// Falling regression of any numbers, in pieces of so many items.
std::vector<double> pooled(const std::vector<double>& y, std::size_t piece_items = 1000,
                           std::size_t workers = 1) {
  rankloss::context ctx{rankloss::threads(workers)};
  workspace& scratch = ctx.scratch();
  std::vector<double> total(y.size() + 1, 0.0), out(y.size());
  for (std::size_t i = 0; i < y.size(); ++i) total[i + 1] = total[i] + y[i];
  const auto mean = [&](std::size_t begin, std::size_t end) {
    return (total[end] - total[begin]) / static_cast<double>(end - begin);
  };
  const detail::pooled_blocks blocks(
      y.size(), 1.0, scratch,
      [&](detail::pooled_block& before, const detail::pooled_block& block, std::size_t end) {
        if (mean(before.begin, block.begin) >= mean(block.begin, end)) return false;
        before.sum += block.sum;
        return true;
      },
      piece_items);
  std::vector<std::atomic<int>> visits(y.size());
  std::atomic<bool> sums_are_sizes{true};
  blocks.for_each(scratch, [&](const detail::pooled_block& block, const auto& items) {
    if (block.sum != static_cast<double>(items.size()) || block.begin != items.begin ||
        items.sum([](std::size_t) { return 1.0; }) != block.sum)
      sums_are_sizes = false;
    const double own = mean(items.begin, items.end);
    items.each([&](std::size_t i) {
      out[i] = own;
      ++visits[i];
    });
  });
  CHECK(sums_are_sizes);
  CHECK(std::all_of(visits.begin(), visits.end(), [](const auto& n) { return n == 1; }));
  return out;
}

}  // namespace

TEST_CASE("isotonic: pooled means are those of the minimax form") {
  CHECK(pooled({}).empty());
  CHECK(pooled({4}) == std::vector<double>{4});
  CHECK(pooled({3, 2, 1}) == std::vector<double>{3, 2, 1});
  CHECK(pooled({1, 2, 3}) == std::vector<double>{2, 2, 2});
  CHECK(pooled({5, 1, 3, 2, 0}) == std::vector<double>{5, 2, 2, 2, 0});
  CHECK(pooled({1, 0, 5}) == std::vector<double>{2, 2, 2});  // the last one joins both
  std::mt19937_64 random(2);
  std::normal_distribution<double> normal;
  for (const double trend : {-1.0, -0.1, 0.0, 0.1, 1.0})
    for (const std::size_t n : {2, 3, 10, 100}) {
      std::vector<double> y(n);
      for (std::size_t i = 0; i < n; ++i) y[i] = trend * static_cast<double>(i) + normal(random);
      CHECK(reference::relative_error(pooled(y),
                                      reference::isotonic(regularization::quadratic, reference::widen(y),
                                                          std::vector<real>(n, 0))) <= 1e-13);
    }
}

TEST_CASE("isotonic: pieces that are joined give what the whole list gives") {
  std::mt19937_64 random(4);
  const auto check = [](const std::vector<double>& y) {
    const std::vector<double> whole = pooled(y);
    for (const std::size_t piece_items : {1u, 2u, 3u, 7u, 64u})
      for (const std::size_t workers : {1u, 3u}) {
        INFO(y.size() << " items in pieces of " << piece_items << ", " << workers << " workers");
        CHECK(pooled(y, piece_items, workers) == whole);
      }
  };
  // Whole numbers, whose sums and means are exact enough to be equal in any order of merging.
  for (const int trend : {-40, -3, 0, 1, 3})
    for (const std::size_t n : {0u, 1u, 2u, 5u, 64u, 65u, 300u})
      for (const std::uint64_t spread : {1u, 3u, 50u}) {
        std::vector<double> y(n);
        for (std::size_t i = 0; i < n; ++i)
          y[i] = trend * static_cast<double>(i) + static_cast<double>(random() % spread);
        check(y);
      }
  // A last number that takes the blocks of all pieces with it, and one that stops half way.
  std::vector<double> y(200);
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = static_cast<double>(200 - i);
  y.back() = 1e6;
  check(y);
  for (std::size_t i = 0; i < 100; ++i) y[i] += 1e9;
  check(y);
}

TEST_CASE("isotonic: lists fall either way round") {
  workspace scratch;
  const std::vector<float> s{1, 5, -2, 5, 0};
  const auto down = detail::sort_falling<float>(strided<const float>(s), true, scratch);
  const auto up = detail::sort_falling<float>(strided<const float>(s), false, scratch);
  const std::size_t by_hand[] = {1, 3, 0, 4, 2};
  REQUIRE(down.size() == 5);
  REQUIRE(up.size() == 5);
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK(down.order[i] == by_hand[i]);
    CHECK(down.x[i] == s[by_hand[i]]);
    CHECK(up.order[i] == by_hand[4 - i]);
    CHECK(up.x[i] == s[by_hand[4 - i]]);
  }
  CHECK(down.distance(0, 4) == 7.0);
  CHECK(up.distance(0, 4) == 7.0);
}

TEST_CASE("isotonic: shares are the softmax of each block") {
  workspace scratch;
  const std::vector<double> s{9, 8.5, 8, 3, 2, 2, 1e-3, 0, -1000};
  const auto list = detail::sort_falling<double>(strided<const double>(s), true, scratch);
  const detail::pooled_blocks blocks(
      9, 0.0, scratch, [](detail::pooled_block&, const detail::pooled_block& block, std::size_t) {
        return block.begin != 3 && block.begin != 4;
      });
  const std::span<const double> shares =
      detail::block_softmax<xsimd::default_arch>(list, blocks, 2.0, scratch);
  REQUIRE(shares.size() == 9);
  CHECK(shares[3] == 1.0);
  std::vector<std::size_t> begins;
  blocks.for_each(scratch, [&](const detail::pooled_block&, const auto& items) {
    const std::size_t begin = items.begin, end = items.end;
    begins.push_back(begin);
    real sum = 0;
    for (std::size_t i = begin; i < end; ++i) sum += std::exp(2 * (real(s[i]) - real(s[begin])));
    for (std::size_t i = begin; i < end; ++i)
      CHECK(shares[i] == Approx(static_cast<double>(std::exp(2 * (real(s[i]) - real(s[begin]))) / sum))
                             .epsilon(1e-14)
                             .margin(1e-300));
  });
  CHECK(begins == std::vector<std::size_t>{0, 3, 4});
}

TEMPLATE_TEST_CASE("isotonic: long lists have the same bits on any number of threads, and fall as they must",
                   "", float, double) {
  std::mt19937_64 random(9);
  constexpr std::size_t n = 60001;
  // From many short blocks to one of all items; and a few long blocks, pieces apart.
  for (const double width : {1e7, 6e4, 2e3, 1.0, 0.0})
    for (const auto how : {regularization::quadratic, regularization::entropic}) {
      INFO("width " << width << (how == regularization::quadratic ? ", quadratic" : ", entropic"));
      std::vector<TestType> s(n), expected(n), found(n), c(n), expected_gradient(n), gradient(n);
      for (std::size_t i = 0; i < n; ++i) {
        const double u = static_cast<double>(random() >> 11) * 0x1p-53;
        s[i] = static_cast<TestType>(i % 3 == 0 ? width * std::floor(3.0 * u) : width * u);
        c[i] = static_cast<TestType>(static_cast<double>(random() % 100) / 50.0);
      }
      rankloss::context one, three{rankloss::threads(3)};
      const rankloss::projected_ranks ranks{.temperature = how == regularization::quadratic ? 1.0 : 1e4,
                                            .regularization = how};
      rankloss::rank(ranks, s, std::span<TestType>(expected), one);
      rankloss::rank(ranks, s, std::span<TestType>(found), three);
      CHECK(found == expected);
      rankloss::rank_pullback(ranks, s, c, std::span<TestType>(expected_gradient), one);
      rankloss::rank_pullback(ranks, s, c, std::span<TestType>(gradient), three);
      CHECK(gradient == expected_gradient);
      const rankloss::projected_sort sorts{.temperature = 1.0, .regularization = how};
      rankloss::sort_values(sorts, s, std::span<TestType>(expected), one);
      rankloss::sort_values(sorts, s, std::span<TestType>(found), three);
      CHECK(found == expected);
      CHECK(std::is_sorted(found.begin(), found.end(), std::greater<>{}));
      rankloss::sort_values_pullback(sorts, s, c, std::span<TestType>(expected_gradient), one);
      rankloss::sort_values_pullback(sorts, s, c, std::span<TestType>(gradient), three);
      CHECK(gradient == expected_gradient);
    }
}

}  // namespace detail_sorting_isotonic_test
