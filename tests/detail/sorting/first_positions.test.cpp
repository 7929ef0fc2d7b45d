// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/sorting/first_positions.hpp>

#include <rankloss/workspace.hpp>

#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

namespace detail_sorting_first_positions_test {

namespace {

using rankloss::strided;
using rankloss::detail::first_positions;
using rankloss::detail::score_run;

/// Runs of the first k positions are those of a stable sort of the whole list.
template <class T>
void check(const std::vector<T>& values, std::size_t stride, std::size_t k) {
  const std::size_t n = values.size() / stride;
  const strided<const T> items(values.data(), n, static_cast<std::ptrdiff_t>(stride));
  std::vector<std::uint32_t> order(n);
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return items[a] > items[b]; });

  rankloss::workspace scratch;
  const rankloss::workspace::scope scope(scratch);
  first_positions<T> first(items, k, scratch);
  std::size_t at = 0;
  bool same = true;
  first.for_each_run(k, [&](const score_run<T>& run) {
    same = same && run.begin == at && at < k && run.end - run.begin == run.items.size();
    for (const auto& item : run.items) {
      same = same && at < n && item.payload == order[at];
      ++at;
    }
    const T own = items[run.items[0].payload];
    same = same && (at == n || items[order[at]] < own);
  });
  CAPTURE(n, stride, k);
  CHECK(same);
  CHECK(at >= std::min(n, k));
  if (k > 0 && n > 0) {
    const std::size_t last = std::min(n, k) - 1;
    CHECK(first.key_at(last) == rankloss::detail::descending_key(items[order[last]]));
  }
}

template <class T>
std::vector<T> spread(std::mt19937_64& random, std::size_t n) {
  // Any exponent and sign: no two values are near each other, and halves of the range hold nearly all.
  std::uniform_real_distribution<double> exponent(std::numeric_limits<T>::min_exponent - 20,
                                                  std::numeric_limits<T>::max_exponent - 1);
  std::vector<T> out(n);
  for (T& x : out) x = static_cast<T>(std::exp2(exponent(random))) * (random() % 2 == 0 ? T{1} : T{-1});
  return out;
}

}  // namespace

TEMPLATE_TEST_CASE("first_positions: the first k of a stable sort, with all that are tied", "", float,
                   double) {
  std::mt19937_64 random(1);
  constexpr TestType infinity = std::numeric_limits<TestType>::infinity();
  for (const std::size_t n : {0u, 1u, 31u, 32u, 33u, 47u, 100u, 129u, 1000u, 5000u})
    for (const std::size_t k : {0u, 1u, 2u, 10u, 17u, 40u, 300u, 6000u})
      for (const std::size_t stride : {1u, 2u}) {
        const std::size_t all = n * stride;
        check(support::numbers<TestType>(random, all), stride, k);
        check(support::whole_numbers<TestType>(random, all, 3), stride, k);
        check(support::whole_numbers<TestType>(random, all, 40), stride, k);
        check(spread<TestType>(random, all), stride, k);
        check(std::vector<TestType>(all, TestType{2}), stride, k);
        auto outliers = support::numbers<TestType>(random, all);
        for (std::size_t i = 0; i < all; i += 7) outliers[i] = i % 2 == 0 ? infinity : -infinity;
        for (std::size_t i = 3; i < all; i += 11) outliers[i] = std::numeric_limits<TestType>::max();
        for (std::size_t i = 5; i < all; i += 13) outliers[i] = i % 2 == 0 ? TestType{0} : -TestType{0};
        check(outliers, stride, k);
      }
}

TEST_CASE("first_positions: memory is safe where numbers are not") {
  std::mt19937_64 random(2);
  for (const std::size_t n : {40u, 300u}) {
    std::vector<float> values(n);
    for (float& x : values) x = __builtin_bit_cast(float, static_cast<std::uint32_t>(random() | 0x7f800000u));
    values[7] = __builtin_bit_cast(float, ~std::uint32_t{0});
    rankloss::workspace scratch;
    const rankloss::workspace::scope scope(scratch);
    first_positions<float> first(strided<const float>(values.data(), n), 10, scratch);
    std::size_t found = 0;
    first.for_each_run(10, [&](const score_run<float>& run) {
      for (const auto& item : run.items) {
        CHECK(item.payload < n);
        ++found;
      }
    });
    CHECK(found >= 10);
  }
}

}  // namespace detail_sorting_first_positions_test
