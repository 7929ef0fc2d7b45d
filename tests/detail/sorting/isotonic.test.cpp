// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/sorting/isotonic.hpp>

#include "support/projection_reference.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
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

/// Falling regression of any numbers by pool_adjacent.
std::vector<double> pooled(const std::vector<double>& y) {
  workspace scratch;
  std::vector<double> total(y.size() + 1, 0.0), out(y.size());
  for (std::size_t i = 0; i < y.size(); ++i) total[i + 1] = total[i] + y[i];
  const auto mean = [&](std::size_t begin, std::size_t end) {
    return (total[end] - total[begin]) / static_cast<double>(end - begin);
  };
  const auto blocks = detail::pool_adjacent(
      y.size(), 1.0, scratch,
      [&](detail::pooled_block& before, const detail::pooled_block& block, std::size_t end) {
        if (mean(before.begin, block.begin) >= mean(block.begin, end)) return false;
        before.sum += block.sum;
        return true;
      });
  detail::for_blocks(blocks, [&](const detail::pooled_block& block, std::size_t begin, std::size_t end) {
    CHECK(block.sum == static_cast<double>(end - begin));
    for (std::size_t i = begin; i < end; ++i) out[i] = mean(begin, end);
  });
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
  const detail::pooled_block blocks[] = {{0, 0}, {0, 3}, {0, 4}, {0, 9}};
  const std::span<const double> shares =
      detail::block_softmax<xsimd::default_arch>(list, blocks, 2.0, scratch);
  REQUIRE(shares.size() == 9);
  CHECK(shares[3] == 1.0);
  detail::for_blocks(blocks, [&](const detail::pooled_block&, std::size_t begin, std::size_t end) {
    real sum = 0;
    for (std::size_t i = begin; i < end; ++i) sum += std::exp(2 * (real(s[i]) - real(s[begin])));
    for (std::size_t i = begin; i < end; ++i)
      CHECK(shares[i] == Approx(static_cast<double>(std::exp(2 * (real(s[i]) - real(s[begin]))) / sum))
                             .epsilon(1e-14)
                             .margin(1e-300));
  });
}

}  // namespace detail_sorting_isotonic_test
