// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/draws/down_sets.hpp>

#include "support/order_reference.hpp"
#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>
#include <span>
#include <utility>
#include <vector>

namespace detail_draws_down_sets_test {

namespace {

using rankloss::workspace;
using rankloss::detail::down_sets;
using rankloss::detail::draw_in_order;
using rankloss::detail::rest_after;
using reference::real;

using pair_list = std::vector<std::pair<std::size_t, std::size_t>>;
constexpr std::size_t limit = std::size_t{1} << 20;

down_sets sets_of(std::size_t m, const pair_list& pairs, workspace& scratch, std::size_t most = limit) {
  return down_sets(
      m, most,
      [&](std::size_t i, auto visit) {
        for (const auto& [a, b] : pairs)
          if (a == i) visit(b);
      },
      scratch);
}

/// Pairs a < b of m items.
pair_list rising_pairs(std::mt19937_64& random, std::size_t m, double chance) {
  pair_list pairs = reference::random_pairs(random, m, chance);
  for (auto& [a, b] : pairs)
    if (a > b) std::swap(a, b);
  return pairs;
}

/// The most items of which none is better than another: by Dilworth as many as there are chains.
std::size_t width_of(std::size_t m, const std::vector<std::vector<bool>>& better) {
  std::size_t most = 0;
  for (std::size_t set = 0; set < (std::size_t{1} << m); ++set) {
    bool apart = true;
    std::size_t count = 0;
    for (std::size_t a = 0; a < m; ++a) {
      count += set >> a & 1;
      for (std::size_t b = 0; b < m; ++b)
        apart = apart && !((set >> a & 1) != 0 && (set >> b & 1) != 0 && better[a][b]);
    }
    if (apart) most = std::max(most, count);
  }
  return most;
}

TEST_CASE("down_sets: as few chains as can be, and the down-sets are those of plain search") {
  std::mt19937_64 random(1);
  for (const std::size_t m : {1u, 2u, 4u, 4u, 4u, 6u, 7u, 7u, 7u, 7u, 8u, 9u})
    for (const double chance : {0.0, 0.2, 0.3, 0.4, 0.5, 1.0}) {
      const pair_list pairs = rising_pairs(random, m, chance);
      const auto better = reference::better_of(m, pairs);
      workspace scratch;
      const down_sets sets = sets_of(m, pairs, scratch);
      CHECK(sets.chains() == width_of(m, better));
      std::size_t product = 1;
      for (std::size_t c = 0; c < sets.chains(); ++c) {
        CHECK(sets.stride(c) == product);
        product *= sets.length(c) + 1;
        for (std::size_t k = 0; k < sets.length(c); ++k) {
          CHECK(sets.chain(sets.item(c, k)) == c);
          CHECK(sets.position(sets.item(c, k)) == k);
          if (k > 0) CHECK(better[sets.item(c, k - 1)][sets.item(c, k)]);
        }
      }
      CHECK(sets.size() == product);
      CHECK(sets.count() == static_cast<double>(product));
      std::size_t expected = 0;
      for (std::size_t set = 0; set < (std::size_t{1} << m); ++set) {
        bool down = true;
        for (std::size_t a = 0; a < m; ++a)
          for (std::size_t b = 0; b < m; ++b)
            down = down && !(better[a][b] && (set >> b & 1) != 0 && (set >> a & 1) == 0);
        expected += down ? 1 : 0;
      }
      std::size_t held = 0;
      down_sets::digits up{};
      for (std::size_t t = 0; t < product; ++t, sets.next(up)) held += sets.holds(up) ? 1 : 0;
      CHECK(held == expected);
      down_sets::digits back = sets.last(), forth{};
      for (std::size_t t = 1; t < product; ++t) sets.previous(back);
      CHECK(std::equal(std::begin(back.of), std::end(back.of), std::begin(forth.of)));
    }
}

TEST_CASE("down_sets: a pair that was matched gives way") {
  workspace scratch;
  // 0 before 2 and 3, 1 before 2 alone.
  CHECK(sets_of(4, {{0, 2}, {0, 3}, {1, 2}}, scratch).count() == 9.0);
  // Twice: 0 moves on from 3 to 4, and 1 from 4 to 5.
  CHECK(sets_of(6, {{0, 3}, {0, 4}, {1, 4}, {1, 5}, {2, 3}}, scratch).count() == 27.0);
}

TEST_CASE("down_sets: beyond a limit nothing but the count is formed") {
  workspace scratch;
  CHECK(sets_of(6, {}, scratch, 63).count() == 64.0);
  CHECK(sets_of(6, {{0, 1}, {1, 2}, {3, 4}, {4, 5}}, scratch, 16).size() == 16);
  CHECK(sets_of(40, {}, scratch).count() == 0x1p40);
  CHECK(sets_of(2000, {}, scratch).count() > 1e300);
}

TEST_CASE("draw_in_order: all orders of a tier before others, one by one") {
  std::mt19937_64 random(2);
  for (const std::size_t m : {1u, 2u, 3u, 5u, 6u})
    for (const double chance : {0.0, 0.3, 0.6})
      for (const double spread : {0.5, 5.0, 60.0})
        for (const std::size_t rest : {0u, 1u, 2u}) {
          const pair_list pairs = rising_pairs(random, m, chance);
          const std::size_t n = m + rest;
          std::vector<real> s;
          for (const double x : support::numbers<double>(random, n))
            s.push_back(static_cast<real>(x * spread));
          // All of the tier before the others, which are free: their own orders sum to 1.
          pair_list all = pairs;
          for (std::size_t i = 0; i < m; ++i)
            for (std::size_t j = m; j < n; ++j) all.emplace_back(i, j);
          const auto expected = reference::order_loss(s, reference::better_of(n, all));

          workspace scratch;
          std::vector<double> own(s.begin(), s.begin() + static_cast<std::ptrdiff_t>(m)), slope(m),
              curvature(m);
          rest_after others;
          for (std::size_t j = m; j < n; ++j) others.most = std::max(others.most, static_cast<double>(s[j]));
          for (std::size_t j = m; j < n; ++j) others.sum += std::exp(static_cast<double>(s[j]) - others.most);
          const auto draw = draw_in_order(
              sets_of(m, pairs, scratch), own, others, [](double a, double b) { return a - b; }, slope,
              curvature, scratch);
          CHECK(draw.loss == Approx(static_cast<double>(expected.value)).epsilon(1e-13).margin(1e-14));
          double pull = 0.0;
          for (std::size_t i = 0; i < m; ++i) {
            CHECK(std::abs(slope[i] + static_cast<double>(expected.gradient[i])) <= 1e-13);
            CHECK(std::abs(curvature[i] + static_cast<double>(expected.hessian[i])) <= 1e-13);
            pull += slope[i];
          }
          CHECK(std::abs(draw.pull - pull) <= 1e-13);
          for (std::size_t j = m; j < n; ++j) {
            const double share = std::exp(static_cast<double>(s[j]) - others.most) / others.sum;
            CHECK(std::abs(draw.pull * share - static_cast<double>(expected.gradient[j])) <= 1e-13);
            CHECK(std::abs(draw.pull * share * (1 - share) - draw.bend * share * share -
                           static_cast<double>(expected.hessian[j])) <= 1e-13);
          }
          const auto alone = draw_in_order(
              sets_of(m, pairs, scratch), own, others, [](double a, double b) { return a - b; }, {}, {},
              scratch);
          CHECK(alone.loss == draw.loss);
        }
}

}  // namespace

}  // namespace detail_draws_down_sets_test
