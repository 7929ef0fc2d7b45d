// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/draws/pair_order_loss.hpp>

#include <rankloss/workspace.hpp>

#include "support/order_reference.hpp"
#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <random>
#include <span>
#include <utility>
#include <vector>

namespace detail_draws_pair_order_loss_test {

namespace {

namespace detail = rankloss::detail;
using numbers = std::vector<double>;
using items = std::vector<std::uint32_t>;
using pair_list = std::vector<std::pair<std::size_t, std::size_t>>;

/// What each item is better than.
std::vector<items> below(std::size_t n, const pair_list& pairs) {
  std::vector<items> worse(n);
  for (const auto& [a, b] : pairs) worse[a].push_back(static_cast<std::uint32_t>(b));
  return worse;
}

struct found {
  double value;
  numbers gradient, hessian;
  detail::tier_excess excess;
};
found loss_of(const numbers& s, const std::vector<items>& worse, const items& sorted, double temperature,
              std::size_t most_sets) {
  rankloss::workspace scratch;
  const auto worse_of = [&](std::size_t i) { return std::span<const std::uint32_t>(worse[i]); };
  const rankloss::strided<const double> scores{std::span<const double>(s)};
  detail::pair_order_loss<xsimd::default_arch, double, decltype(worse_of)> loss(worse_of, sorted, temperature,
                                                                                most_sets, scores, scratch);
  found out{0.0, numbers(s.size(), 0.0), numbers(s.size(), 0.0), {}};
  out.value = loss(out.gradient, out.hessian, out.excess);
  return out;
}

items counted(std::size_t n) {
  items sorted(n);
  std::iota(sorted.begin(), sorted.end(), 0u);
  return sorted;
}

}  // namespace

TEST_CASE(
    "pair_order_loss: value and derivatives are those of all orders one by one, added to what is there") {
  std::mt19937_64 random(2);
  for (const std::size_t n : {1u, 2u, 4u, 6u, 7u})
    for (const double chance : {0.0, 0.2, 0.5, 1.0}) {
      const numbers s = support::numbers<double>(random, n);
      // From smaller to greater numbers, so that counting is an order that is allowed.
      pair_list pairs;
      for (std::size_t a = 0; a < n; ++a)
        for (std::size_t b = a + 1; b < n; ++b)
          if (std::bernoulli_distribution(chance)(random)) pairs.emplace_back(a, b);
      constexpr double t = 0.5;
      std::vector<reference::real> scaled;
      for (const double x : s) scaled.push_back(x / t);
      const auto expected = reference::order_loss(scaled, reference::better_of(n, pairs));
      const found got = loss_of(s, below(n, pairs), counted(n), t, 1u << 10);
      CHECK(got.excess.items == 0);
      CHECK(got.value == Approx(static_cast<double>(expected.value)).epsilon(1e-13).margin(1e-13));
      for (std::size_t i = 0; i < n; ++i) {
        // In units of the temperature, as the reference has them.
        CHECK(got.gradient[i] ==
              Approx(static_cast<double>(expected.gradient[i])).epsilon(1e-12).margin(1e-13));
        CHECK(got.hessian[i] ==
              Approx(static_cast<double>(expected.hessian[i])).epsilon(1e-11).margin(1e-12));
      }
    }
}

TEST_CASE("pair_order_loss: a tier beyond the limits is told, with what it would take") {
  // Two chains of three with a pair across: one tier of 4 * 4 sets.
  const pair_list pairs{{0, 1}, {1, 2}, {3, 4}, {4, 5}, {0, 5}};
  const items sorted{0, 3, 1, 4, 2, 5};
  const numbers s{1, 2, 3, 4, 5, 6};
  CHECK(loss_of(s, below(6, pairs), sorted, 1.0, 16).excess.items == 0);
  const found beyond = loss_of(s, below(6, pairs), sorted, 1.0, 15);
  CHECK(beyond.excess.items == 6);
  CHECK(beyond.excess.sets == 16.0);

  // A fence, each item of the upper row better than the one below it and the next: one tier of more items
  // than a matrix of bits may have.
  constexpr std::size_t n = detail::down_sets::most_items + 2;
  pair_list many;
  for (std::size_t i = 1; i < n / 2; ++i) many.emplace_back(i - 1, n / 2 + i);
  for (std::size_t i = 0; i < n / 2; ++i) many.emplace_back(i, n / 2 + i);
  const found large = loss_of(numbers(n, 0.0), below(n, many), counted(n), 1.0, 1u << 20);
  CHECK(large.excess.items == n);
  CHECK(large.excess.sets == 0.0);
}

}  // namespace detail_draws_pair_order_loss_test
