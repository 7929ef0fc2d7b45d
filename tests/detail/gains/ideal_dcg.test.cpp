// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/gains/ideal_dcg.hpp>

#include <rankloss/workspace.hpp>

#include "support/reference.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <map>
#include <random>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

namespace detail_gains_ideal_dcg_test {

namespace {

using arch = xsimd::default_arch;
using rankloss::ideal;
using reference::real;

constexpr std::size_t w = rankloss::detail::lane_count<arch>;

template <class T>
std::vector<T> draw(std::mt19937_64& random, std::size_t n, const std::vector<T>& from) {
  std::vector<T> gains(n);
  for (T& g : gains)
    g = from.empty() ? static_cast<T>(std::ldexp(static_cast<double>(random() >> 11), -50))
                     : from[random() % from.size()];
  return gains;
}

/// Gains in a few bits, which are counted; in many, which are sorted; and, the empty one, of any value.
template <class T>
const std::vector<std::vector<T>>& kinds_of_gains() {
  static const std::vector<std::vector<T>> all{
      {1},
      {0},
      {T(1), T(1.25), T(1.5), T(1.75)},
      {T(-3), T(-3.5)},
      {0, 1, 3, 7, 15},
      {0, T(-0.0), T(0.1), T(0.2), 1},
      {0, std::numeric_limits<T>::min(), 1, T(1e30)},
      {T(-2), 0, T(0.3), 5},
      {},
  };
  return all;
}

/// 1 / log2(1 + rank), counted from 1.
real discount(std::size_t rank) { return 1 / std::log2(real(rank) + 1); }

/// The formula, and what it would be were all gains positive: the scale that rounding goes by.
template <class T>
std::pair<real, real> plain(ideal kind, std::size_t cutoff, std::vector<T> gains) {
  std::sort(gains.begin(), gains.end(), std::greater<>());
  const std::size_t k = cutoff > 0 ? cutoff : gains.size();
  real sum = 0;
  real scale = 0;
  for (std::size_t i = 0; i < gains.size(); ++i) {
    std::size_t rank = i + 1;
    if (kind == ideal::competition_ranks)
      rank = 1 + static_cast<std::size_t>(
                     std::count_if(gains.begin(), gains.end(), [&](T g) { return g > gains[i]; }));
    if (rank > k) continue;
    sum += real(gains[i]) * discount(rank);
    scale += std::abs(real(gains[i])) * discount(rank);
  }
  return {sum, scale};
}

}  // namespace

TEMPLATE_TEST_CASE("ideal_dcg: runs of equals are those of a plain count", "", float, double) {
  std::mt19937_64 random(1);
  rankloss::workspace scratch;
  for (const std::vector<TestType>& from : kinds_of_gains<TestType>())
    for (const std::size_t n : {0u, 1u, 2u, 3u, 15u, 16u, 255u, 256u, 1000u, 5000u}) {
      const std::vector<TestType> gains = draw(random, n, from);
      std::map<double, std::size_t, std::greater<>> counts;
      for (const TestType g : gains) ++counts[static_cast<double>(g)];
      std::vector<std::tuple<double, std::size_t, std::size_t>> expected, found;
      std::size_t begin = 0;
      for (const auto& [gain, count] : counts) {
        expected.emplace_back(gain, begin, begin + count);
        begin += count;
      }
      rankloss::detail::runs_of_equals(std::span<const TestType>(gains), scratch,
                                       [&](double gain, std::size_t from_here, std::size_t to) {
                                         found.emplace_back(gain, from_here, to);
                                       });
      INFO("n " << n);
      CHECK(found == expected);
    }
}

TEST_CASE("ideal_dcg: counting takes no more memory than there are items") {
  // Keys that differ in 16 bits: 2^16 counts for a list of 100 would be felt.
  std::mt19937_64 random(2);
  std::vector<float> gains(100);
  for (float& g : gains) g = 1.0F + std::ldexp(static_cast<float>(random() % 0x10000), -23);
  rankloss::workspace scratch;
  rankloss::detail::runs_of_equals(std::span<const float>(gains), scratch,
                                   [](double, std::size_t, std::size_t) {});
  CHECK(scratch.capacity() <= 0x10000);
}

TEST_CASE("ideal_dcg: sums of discounts from anywhere to anywhere") {
  for (std::size_t begin = 0; begin < 3 * w; ++begin) {
    rankloss::detail::discount_row<arch> discounts;  // goes on where it stopped
    std::size_t from = begin;
    for (const std::size_t length :
         {std::size_t{0}, std::size_t{1}, w, std::size_t{1}, 2 * w + 1, std::size_t{3}, std::size_t{1000}}) {
      real expected = 0;
      for (std::size_t i = from; i < from + length; ++i) expected += discount(i + 1);
      const double found = discounts.sum(from, from + length);
      INFO("positions " << from << " to " << from + length);
      CHECK(std::abs(real(found) - expected) <= real(2e-15) * expected);
      from += length;
    }
  }
}

TEMPLATE_TEST_CASE("ideal_dcg: one list", "", float, double) {
  std::mt19937_64 random(3);
  rankloss::workspace scratch;
  for (const std::vector<TestType>& from : kinds_of_gains<TestType>())
    for (const std::size_t n : {0u, 1u, 2u, 7u, 8u, 9u, 33u, 100u, 1025u})
      for (const std::size_t cutoff : {0u, 1u, 2u, 5u, 33u, 2000u})
        for (const ideal kind : {ideal::sorted, ideal::competition_ranks}) {
          const std::vector<TestType> gains = draw(random, n, from);
          const auto [expected, scale] = plain(kind, cutoff, gains);
          const double found =
              rankloss::detail::ideal_dcg<arch>(kind, cutoff, std::span<const TestType>(gains), scratch);
          INFO("n " << n << ", cutoff " << cutoff << ", " << found << " and "
                    << static_cast<double>(expected));
          CHECK(std::abs(real(found) - expected) <= real(1e-14) * scale);
        }
}

TEMPLATE_TEST_CASE("ideal_dcg: lists in lanes", "", float, double) {
  constexpr TestType ended = std::numeric_limits<TestType>::lowest();
  std::mt19937_64 random(4);
  rankloss::workspace scratch;
  for (const std::vector<TestType>& from : kinds_of_gains<TestType>())
    for (const std::size_t rows : {1u, 2u, 7u, 8u, 9u, 16u, 33u, 70u})
      for (const std::size_t cutoff : {0u, 1u, 5u, 33u, 100u})
        for (const ideal kind : {ideal::sorted, ideal::competition_ranks}) {
          std::vector<std::vector<TestType>> lists;
          std::vector<TestType> gains;
          for (std::size_t l = 0; l < w; ++l) {  // one is as long as there is room, one is empty
            lists.push_back(draw(random, l == 0 ? rows : l == 1 ? 0 : random() % (rows + 1), from));
            gains.insert(gains.end(), lists[l].begin(), lists[l].end());
            gains.resize((l + 1) * rows, ended);
          }
          const auto found = rankloss::detail::ideal_dcg<arch>(kind, cutoff, gains.data(), rows, scratch);
          for (std::size_t l = 0; l < w; ++l) {
            const auto [expected, scale] = plain(kind, cutoff, lists[l]);
            INFO("rows " << rows << ", cutoff " << cutoff << ", lane " << l << " of " << lists[l].size()
                         << " items, " << found.get(l) << " and " << static_cast<double>(expected));
            CHECK(std::abs(real(found.get(l)) - expected) <= real(1e-14) * scale);
          }
        }
}

}  // namespace detail_gains_ideal_dcg_test
