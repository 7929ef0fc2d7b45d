// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/orders/rest_sums.hpp>

#include <rankloss/workspace.hpp>

#include "support/listwise_reference.hpp"
#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>
#include <span>
#include <utility>
#include <vector>

namespace detail_orders_rest_sums_test {

namespace {

using rankloss::strided;
using rankloss::workspace;
using rankloss::detail::rest_sums;
using reference::real;

using order_of_items = std::vector<std::uint32_t>;

template <class T>
struct ordered {
  workspace scratch;
  rest_sums sums;
  ordered(const std::vector<T>& s, const order_of_items& order, double temperature)
      : sums(rankloss::detail::sum_rests<xsimd::default_arch>(strided<const T>(s.data(), s.size()), order,
                                                              temperature, scratch)) {}
};

}  // namespace

TEMPLATE_TEST_CASE("rest_sums: sum_rests are the sums over the rest, relative to its greatest score", "",
                   float, double) {
  using T = TestType;
  std::mt19937_64 random(3);
  for (const std::size_t n : {1u, 2u, 3u, 40u})
    for (const double temperature : {0.01, 1.0, 30.0}) {
      std::vector<T> s = support::numbers<T>(random, n);
      for (std::size_t i = 0; i < n; i += 3) s[i] = s[0];
      order_of_items order(n);
      std::iota(order.rbegin(), order.rend(), 0u);
      const ordered<T> found(s, order, temperature);
      for (std::size_t k = 0; k < n; ++k) {
        real most = real(s[order[k]]), sum = 0;
        for (std::size_t j = k; j < n; ++j) most = std::max(most, real(s[order[j]]));
        for (std::size_t j = k; j < n; ++j) sum += std::exp((real(s[order[j]]) - most) / temperature);
        CHECK(found.sums.s[k] == static_cast<double>(s[order[k]]));
        CHECK(found.sums.most[k] == static_cast<double>(most));
        CHECK(found.sums.sum[k] == Approx(static_cast<double>(sum)).epsilon(1e-14));
        CHECK(found.sums.own[k] ==
              Approx(static_cast<double>(std::exp((real(s[order[k]]) - most) / temperature))).epsilon(1e-13));
        const real next = k + 1 < n ? real(found.sums.most[k + 1]) : most;
        CHECK(found.sums.fall[k] ==
              Approx(static_cast<double>(std::exp((next - most) / temperature))).epsilon(1e-13));
        CHECK(found.sums.exponential(k, 0) ==
              Approx(
                  static_cast<double>(std::exp((real(s[order[k]]) - real(found.sums.most[0])) / temperature)))
                  .epsilon(1e-13));
      }
    }
}

TEMPLATE_TEST_CASE("rest_sums: no distance of scores is too large", "", float, double) {
  using limits = std::numeric_limits<TestType>;
  constexpr auto largest = static_cast<double>(limits::max());
  const std::vector<TestType> s{-limits::infinity(), limits::infinity(), limits::max(), limits::lowest()};
  const ordered<TestType> found(s, {0, 1, 2, 3}, 0.5);
  CHECK(std::vector<double>(found.sums.s.begin(), found.sums.s.end()) ==
        std::vector<double>{-largest, largest, largest, -largest});
  CHECK(std::vector<double>(found.sums.most.begin(), found.sums.most.end()) ==
        std::vector<double>{largest, largest, largest, -largest});
  CHECK(std::vector<double>(found.sums.sum.begin(), found.sums.sum.end()) == std::vector<double>{2, 2, 1, 1});
  CHECK(std::isfinite(found.sums.between(largest, -largest)));
  CHECK(found.sums.between(largest, -largest) >= largest);
  CHECK(found.sums.exponential(0, 0) == 0.0);
}

TEST_CASE("rest_sums: rest_pulls are the sums of a p and b p^2 over the rests added") {
  std::mt19937_64 random(4);
  const std::size_t n = 30;
  // Falling far: what the first items are relative to is nothing to the last ones.
  std::vector<double> s = support::numbers<double>(random, n);
  for (std::size_t k = 0; k < n; ++k) s[k] = 3.0 * s[k] - (k > 20 ? 900.0 : 0.0);
  order_of_items order(n);
  std::iota(order.begin(), order.end(), 0u);
  const ordered<double> found(s, order, 0.7);
  rankloss::detail::rest_pulls pulls(found.sums);
  CHECK(pulls.at(3).first == 0.0);
  CHECK(pulls.at(3).second == 0.0);
  std::vector<std::size_t> added;
  std::vector<std::pair<real, real>> factors;
  for (const std::size_t from : {0u, 0u, 4u, 5u, 20u, 21u, 29u}) {
    const double a = 0.3 + 0.1 * static_cast<double>(from), b = 1.7 - 0.01 * static_cast<double>(from);
    pulls.add(from, a, b);
    added.push_back(from);
    factors.emplace_back(a, b);
    for (std::size_t k = from; k < n; ++k) {
      real first = 0, second = 0;
      for (std::size_t m = 0; m < added.size(); ++m) {
        real sum = 0;
        for (std::size_t j = added[m]; j < n; ++j) sum += std::exp((real(s[j]) - real(s[k])) / 0.7);
        first += factors[m].first / sum;
        second += factors[m].second / sum / sum;
      }
      CHECK(pulls.at(k).first == Approx(static_cast<double>(first)).epsilon(1e-12).margin(1e-290));
      CHECK(pulls.at(k).second == Approx(static_cast<double>(second)).epsilon(1e-12).margin(1e-290));
    }
  }
}

}  // namespace detail_orders_rest_sums_test
