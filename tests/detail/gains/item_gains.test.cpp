// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/gains/item_gains.hpp>

#include <rankloss/batch.hpp>
#include <rankloss/workspace.hpp>

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <span>
#include <vector>

namespace detail_gains_item_gains_test {

namespace {

using rankloss::gain;
using rankloss::ideal;
using rankloss::strided;
using rankloss::detail::item_gains;

/// Gains and the ideal DCG are, to the bit, those of all gains and a sort of them.
template <class R>
void check(const std::vector<R>& y, std::size_t stride, const std::vector<double>& weights,
           const std::vector<double>& table = {}) {
  const std::size_t n = y.size() / stride;
  const std::vector<float> scores(n);
  const rankloss::list<float, R> items{{scores.data(), n},
                                       {y.data(), n, static_cast<std::ptrdiff_t>(stride)},
                                       {weights.data(), weights.size()}};
  rankloss::workspace scratch;
  for (const gain kind : {gain::exponential, gain::linear, gain::table}) {
    if ((kind == gain::table) == table.empty()) continue;
    for (const bool scaled : {false, true})
      for (const ideal how : {ideal::sorted, ideal::competition_ranks})
        for (const std::size_t cutoff : {0u, 1u, 10u, 1000u}) {
          const rankloss::workspace::scope scope(scratch);
          const item_gains<float, R> gains(items, kind, table, cutoff, scaled, scratch);
          std::vector<double> all(n);
          rankloss::detail::weighted_gains(items, kind, table, scaled, all);
          bool same = true;
          gains.visit([&](const auto& gain_of) {
            for (std::size_t i = 0; i < n; ++i) same = same && gain_of(i) == all[i];
          });
          CHECK(same);
          const double expected = rankloss::detail::ideal_dcg<rankloss::detail::single_discounts, double>(
              how, cutoff, std::span<const double>(all), scratch);
          CAPTURE(n, stride, cutoff, scaled, static_cast<int>(kind), static_cast<int>(how));
          CHECK(gains.ideal_dcg(how, scratch) == expected);
        }
  }
}

template <class R>
std::vector<R> grades(std::mt19937_64& random, std::size_t n, unsigned levels) {
  std::vector<R> y(n);
  for (R& x : y) x = static_cast<R>(random() % levels);
  return y;
}

}  // namespace

TEMPLATE_TEST_CASE("item_gains: what all gains and a sort of them give", "", float, double, int, std::uint8_t,
                   std::int64_t) {
  std::mt19937_64 random(1);
  const std::vector<double> rising{0, 0.25, 1, 7, 11}, mixed{1, 0, 5, 5, 2};
  for (const std::size_t n : {0u, 1u, 5u, 64u, 301u}) {
    std::vector<double> weights(n);
    for (double& w : weights) w = static_cast<double>(random() % 5) / 3.0;
    for (const std::size_t stride : {1u, 2u})
      for (const unsigned levels : {1u, 2u, 5u, 32u, 33u, 100u}) {
        const auto y = grades<TestType>(random, n * stride, levels);
        check(y, stride, {});
        check(y, stride, weights);
        check(y, stride, {}, rising);
        check(y, stride, {}, mixed);
      }
  }
}

TEMPLATE_TEST_CASE("item_gains: relevance that is no grade", "", float, double) {
  std::mt19937_64 random(2);
  std::uniform_real_distribution<double> real(0.0, 3.0);
  for (const std::size_t n : {1u, 64u, 301u}) {
    std::vector<TestType> y(n), sizes(n), close(n);
    for (TestType& x : y) x = static_cast<TestType>(real(random));
    for (TestType& x : sizes)
      x = static_cast<TestType>(std::exp2(static_cast<double>(random() % 270) - 145.0));
    // Relevance that differs by less than gains of double can show.
    for (TestType& x : close)
      x = static_cast<TestType>(40.0 + static_cast<double>(random() % 9) *
                                           static_cast<double>(std::numeric_limits<TestType>::epsilon()) *
                                           32.0);
    check(y, 1, {});
    check(sizes, 1, {});
    check(close, 1, {});
    y[0] = TestType{-0.0};
    check(y, 1, {});
    auto whole = grades<TestType>(random, n, 4);
    whole[n / 2] = TestType{2.5};
    check(whole, 1, {});
    whole[n / 2] = TestType{-0.0};
    check(whole, 1, {});
  }
}

}  // namespace detail_gains_item_gains_test
