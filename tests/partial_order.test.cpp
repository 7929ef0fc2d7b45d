// SPDX-License-Identifier: BSL-1.0
#include <rankloss/partial_order.hpp>

#include <rankloss/bradley_terry.hpp>
#include <rankloss/threads.hpp>

#include "support/order_reference.hpp"
#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <utility>
#include <vector>

namespace partial_order_test {

namespace {

using rankloss::agreement;
using rankloss::ordered_pairs;
using rankloss::pair_agreement;
using rankloss::pair_balance;
using rankloss::partial_order;
using rankloss::rank_zero;

using reals = std::vector<double>;
using ints = std::vector<int>;
using pair_list = std::vector<std::pair<std::size_t, std::size_t>>;
constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

pair_list listed(const ordered_pairs& pairs) {
  REQUIRE(pairs.preferred.size() == pairs.other.size());
  pair_list out;
  for (std::size_t k = 0; k < pairs.preferred.size(); ++k)
    out.emplace_back(pairs.preferred[k], pairs.other[k]);
  return out;
}

TEST_CASE("partial_order: from pairs, several lists, with what follows from them") {
  // Lists of 4, 0 and 3 items; one pair is given twice.
  const auto order = partial_order::from_pairs(ints{0, 4, 4, 7}, ints{2, 0, 2, 6, 2}, ints{0, 3, 0, 4, 3});
  CHECK(order.lists() == 3);
  CHECK(order.items() == 7);
  CHECK(order.size(1) == 0);
  CHECK_FALSE(order.by_levels());
  CHECK(listed(order.pairs()) == pair_list{{0, 3}, {2, 0}, {2, 3}, {6, 4}});
  CHECK(listed(order.closure().pairs()) == pair_list{{0, 3}, {2, 0}, {2, 3}, {6, 4}});
  CHECK(listed(order.reduction().pairs()) == pair_list{{0, 3}, {2, 0}, {6, 4}});
  CHECK(order.count_pairs(0) == 3);
  CHECK(order.count_pairs(1) == 0);
  CHECK(order.has_pair(0));
  CHECK_FALSE(order.has_pair(1));
  CHECK(order.precedes(2, 3));
  CHECK_FALSE(order.precedes(3, 2));
  CHECK_FALSE(order.precedes(2, 2));
  CHECK_FALSE(order.precedes(1, 3));
  CHECK_FALSE(order.precedes(2, 6));
  CHECK(order.reduction().precedes(2, 3));
  CHECK(std::vector<std::size_t>(order.offsets().begin(), order.offsets().end()) ==
        std::vector<std::size_t>{0, 4, 4, 7});
}

TEST_CASE("partial_order: from chains") {
  const auto order =
      partial_order::from_chains(ints{0, 5, 8}, ints{3, 1, 4, 7, 5, 3, 0}, ints{0, 3, 3, 5, 7, 7});
  CHECK(listed(order.pairs()) == pair_list{{1, 4}, {3, 0}, {3, 1}, {7, 5}});
  CHECK(listed(order.closure().pairs()) == pair_list{{1, 4}, {3, 0}, {3, 1}, {3, 4}, {7, 5}});
  CHECK(listed(partial_order::from_chains(ints{0, 3}, ints{2, 0, 1}).pairs()) == pair_list{{0, 1}, {2, 0}});
  CHECK(partial_order::from_chains(ints{0, 3}, ints{}).pairs().other.empty());
}

TEST_CASE("partial_order: from grades and from ranks") {
  const auto by_grade = partial_order::from_grades(ints{0, 4, 4, 6}, reals{0.5, 2, -1, 2, 3, 3});
  CHECK(by_grade.by_levels());
  CHECK(std::vector<std::uint32_t>(by_grade.levels(0).begin(), by_grade.levels(0).end()) ==
        std::vector<std::uint32_t>{1, 0, 2, 0});
  CHECK(std::vector<std::uint32_t>(by_grade.sorted(0).begin(), by_grade.sorted(0).end()) ==
        std::vector<std::uint32_t>{1, 3, 0, 2});
  const pair_list expected{{0, 2}, {1, 0}, {1, 2}, {3, 0}, {3, 2}};
  CHECK(listed(by_grade.pairs()) == expected);
  CHECK(by_grade.count_pairs(0) == 5);
  CHECK(by_grade.has_pair(0));
  CHECK_FALSE(by_grade.has_pair(1));
  CHECK_FALSE(by_grade.has_pair(2));
  CHECK(by_grade.precedes(3, 2));
  CHECK_FALSE(by_grade.precedes(1, 3));
  CHECK_FALSE(by_grade.precedes(4, 3));
  CHECK(listed(by_grade.closure().pairs()) == expected);
  CHECK(listed(by_grade.reduction().pairs()) == pair_list{{0, 2}, {1, 0}, {3, 0}});
  CHECK(listed(by_grade.reduction().closure().pairs()) == expected);
  CHECK(listed(partial_order::from_ranks(ints{0, 4, 4, 6}, ints{2, 1, 9, 1, 5, 5}).pairs()) == expected);
  CHECK(listed(partial_order::from_ranks(ints{0, 4, 4, 6}, std::vector<float>{0.5f, 0, 1, -0.0f, 5, 5},
                                         rank_zero::best)
                   .pairs()) == expected);
  CHECK(listed(partial_order::from_grades({}, std::vector<std::uint8_t>{1, 0}).pairs()) == pair_list{{0, 1}});
  CHECK(partial_order{}.lists() == 0);
  CHECK(partial_order{}.pairs().other.empty());
}

TEST_CASE("partial_order: closure and reduction are those of plain search") {
  std::mt19937_64 random(1);
  for (const std::size_t n : {1u, 2u, 5u, 9u, 70u, 130u})
    for (const double chance : {0.02, 0.1, 0.4, 1.0}) {
      const auto pairs = reference::random_pairs(random, n, chance);
      const auto order = reference::order_of(n, pairs);
      const auto better = reference::better_of(n, pairs);
      pair_list all, fewest;
      for (std::size_t a = 0; a < n; ++a)
        for (std::size_t b = 0; b < n; ++b) {
          if (!better[a][b]) continue;
          all.emplace_back(a, b);
          bool between = false;
          for (std::size_t c = 0; c < n; ++c) between = between || (better[a][c] && better[c][b]);
          if (!between) fewest.emplace_back(a, b);
        }
      CHECK(listed(order.closure().pairs()) == all);
      CHECK(listed(order.reduction().pairs()) == fewest);
      CHECK(listed(order.closure().reduction().pairs()) == fewest);
      CHECK(listed(order.reduction().closure().pairs()) == all);
      bool same = true;
      for (std::size_t a = 0; a < n; ++a)
        for (std::size_t b = 0; b < n; ++b) same = same && order.precedes(a, b) == better[a][b];
      CHECK(same);
      std::vector<std::size_t> position(n);
      for (std::size_t k = 0; k < n; ++k) position[order.sorted(0)[k]] = k;
      CHECK(std::all_of(all.begin(), all.end(),
                        [&](const auto& p) { return position[p.first] < position[p.second]; }));
    }
}

TEST_CASE("partial_order: what rank 0 means") {
  // The second list has nobody ranked, the third one item; 0 > 2, 3 > 2 of the first.
  const ints offsets{0, 5, 7, 9}, ranks{1, 0, 4, 1, 0, 0, 0, 0, 3};
  const auto apart = partial_order::from_ranks(offsets, ranks, rank_zero::unranked);
  CHECK(apart.by_levels());
  CHECK(listed(apart.pairs()) == pair_list{{0, 2}, {3, 2}});
  CHECK(listed(apart.reduction().pairs()) == pair_list{{0, 2}, {3, 2}});
  CHECK(listed(apart.closure().pairs()) == pair_list{{0, 2}, {3, 2}});
  CHECK(apart.count_pairs(0) == 2);
  CHECK(apart.has_pair(0));
  CHECK_FALSE(apart.has_pair(1));
  CHECK_FALSE(apart.has_pair(2));
  CHECK(apart.precedes(0, 2));
  for (const std::size_t i : {0u, 2u, 3u, 4u}) {
    CHECK_FALSE(apart.precedes(i, 1));
    CHECK_FALSE(apart.precedes(1, i));
  }
  constexpr std::uint32_t none = partial_order::no_level;
  CHECK(std::vector<std::uint32_t>(apart.levels(0).begin(), apart.levels(0).end()) ==
        std::vector<std::uint32_t>{0, none, 1, 0, none});
  CHECK(std::vector<std::uint32_t>(apart.sorted(0).begin(), apart.sorted(0).end()) ==
        std::vector<std::uint32_t>{0, 3, 2});
  CHECK(apart.sorted(1).empty());
  CHECK(listed(apart.sample_pairs(1, 7)).size() == 1);
  CHECK(agreement(apart, reals{3, 9, 1, 1, -9, 1, 2, 3, 4}) == rankloss::pair_agreement{1, 0, 1});

  const auto last = partial_order::from_ranks(offsets, ranks, rank_zero::last);
  CHECK(listed(last.pairs()) ==
        listed(partial_order::from_ranks(offsets, ints{1, 5, 4, 1, 5, 1, 1, 4, 3}).pairs()));
  const auto best = partial_order::from_ranks(offsets, ranks, rank_zero::best);
  CHECK(listed(best.pairs()) ==
        listed(partial_order::from_ranks(offsets, ints{2, 1, 5, 2, 1, 1, 1, 1, 4}).pairs()));

  // Of many items, drawn: the pairs are those of the ranked ones.
  std::mt19937_64 random(4);
  ints many(300);
  for (int& rank : many) rank = static_cast<int>(random() % 7);
  const auto order = partial_order::from_ranks({}, many, rank_zero::unranked);
  for (const pair_balance balance : {pair_balance::none, pair_balance::by_level_gap}) {
    const pair_list drawn = listed(order.sample_pairs(500, 3, balance));
    CHECK(drawn.size() == 500);
    CHECK(std::all_of(drawn.begin(), drawn.end(),
                      [&](const auto& p) { return many[p.first] > 0 && many[p.first] < many[p.second]; }));
  }
  std::size_t pairs = 0;
  for (const int a : many)
    for (const int b : many) pairs += a > 0 && a < b ? 1 : 0;
  CHECK(order.count_pairs(0) == pairs);
}

TEST_CASE("partial_order: pairs go into a preference batch") {
  const reals r{1, 0, 2};
  const ordered_pairs pairs = partial_order::from_ranks({}, ints{1, 2, 2}).pairs();
  const double value = rankloss::evaluate(
      rankloss::bradley_terry{},
      rankloss::preference_batch<double>{.rewards = r, .preferred = pairs.preferred, .other = pairs.other});
  CHECK(value == Approx(0.5 * (std::log1p(std::exp(-1.0)) + std::log1p(std::exp(1.0)))).epsilon(1e-15));
}

TEST_CASE("partial_order: samples are of the order, none twice, by seed and list alone") {
  std::mt19937_64 random(2);
  const auto grades = support::whole_numbers<int>(random, 300, 5);
  const std::vector<std::size_t> offsets{0, 100, 103, 300};
  const auto by_levels = partial_order::from_grades(offsets, grades);
  pair_list given;
  for (const auto& [a, b] : reference::random_pairs(random, 100, 0.3)) given.emplace_back(a, b);
  const auto by_pairs = reference::order_of(100, given);
  for (const auto* order : {&by_levels, &by_pairs})
    for (const std::size_t wanted : {0u, 1u, 17u, 500u, 1000000u}) {
      const pair_list drawn = listed(order->sample_pairs(wanted, 7));
      const pair_list all = listed(order->pairs());
      CHECK(std::is_sorted(drawn.begin(), drawn.end()));
      CHECK(std::set<std::pair<std::size_t, std::size_t>>(drawn.begin(), drawn.end()).size() == drawn.size());
      CHECK(std::includes(all.begin(), all.end(), drawn.begin(), drawn.end()));
      std::size_t expected = 0;
      for (std::size_t l = 0; l < order->lists(); ++l)
        expected += std::min<std::size_t>(wanted, order->count_pairs(l));
      CHECK(drawn.size() == expected);
      CHECK(listed(order->sample_pairs(wanted, 7)) == drawn);
      if (wanted == 17) CHECK(listed(order->sample_pairs(wanted, 8)) != drawn);
    }
  // What a list draws does not hang on the lists around it: those of list 0 in front of other lists.
  const auto alone = partial_order::from_grades(std::vector<std::size_t>{0, 100},
                                                std::vector<int>(grades.begin(), grades.begin() + 100));
  const pair_list drawn = listed(alone.sample_pairs(50, 3)), together = listed(by_levels.sample_pairs(50, 3));
  CHECK(std::equal(drawn.begin(), drawn.end(), together.begin()));
}

TEST_CASE("partial_order: every pair is as likely as any other, or every gap") {
  // Levels of 1, 2 and 3 items: 2 + 6 pairs of gap 1, 3 of gap 2.
  const auto order = partial_order::from_ranks({}, ints{1, 2, 2, 3, 3, 3});
  const auto gap_of = [&](const auto& p) { return order.levels(0)[p.second] - order.levels(0)[p.first]; };
  std::map<std::pair<std::size_t, std::size_t>, int> plain, balanced;
  constexpr int draws = 11000;
  for (int seed = 0; seed < draws; ++seed) {
    for (const auto& p : listed(order.sample_pairs(2, static_cast<std::uint64_t>(seed)))) ++plain[p];
    const pair_list both =
        listed(order.sample_pairs(3, static_cast<std::uint64_t>(seed), pair_balance::by_level_gap));
    const auto wide = std::count_if(both.begin(), both.end(), [&](const auto& p) { return gap_of(p) == 2; });
    REQUIRE(both.size() == 3);
    REQUIRE((wide == 1 || wide == 2));
    for (const auto& p : both) ++balanced[p];
  }
  // 5 standard deviations of a count.
  const auto near = [&](int count, double chance) {
    return std::abs(count - draws * chance) <= 5 * std::sqrt(draws * chance * (1 - chance));
  };
  REQUIRE(plain.size() == 11);
  REQUIRE(balanced.size() == 11);
  for (const auto& [pair, count] : plain) CHECK(near(count, 2.0 / 11));
  for (const auto& [pair, count] : balanced) CHECK(near(count, gap_of(pair) == 1 ? 1.5 / 8 : 1.5 / 3));
}

TEST_CASE("partial_order: balanced samples share as evenly as the gaps allow") {
  std::mt19937_64 random(3);
  for (const std::size_t n : {12u, 60u, 400u})
    for (const unsigned grades : {2u, 5u, 1000u})
      for (const std::size_t wanted : {1u, 4u, 40u, 64u}) {
        const auto order = partial_order::from_grades({}, support::whole_numbers<int>(random, n, grades));
        std::map<std::uint32_t, std::size_t> there, drawn;
        const auto gap = [&](const auto& p) { return order.levels(0)[p.second] - order.levels(0)[p.first]; };
        const pair_list all = listed(order.pairs()),
                        some = listed(order.sample_pairs(wanted, 5, pair_balance::by_level_gap));
        for (const auto& p : all) ++there[gap(p)];
        for (const auto& p : some) ++drawn[gap(p)];
        CHECK(some.size() == std::min(wanted, all.size()));
        CHECK(std::set<std::pair<std::size_t, std::size_t>>(some.begin(), some.end()).size() == some.size());
        CHECK(std::includes(all.begin(), all.end(), some.begin(), some.end()));
        std::size_t most = 0;
        for (const auto& [g, count] : drawn) most = std::max(most, count);
        for (const auto& [g, count] : there) CHECK((drawn[g] == count || drawn[g] + 1 >= most));
      }
}

TEST_CASE("partial_order: a long list by levels is drawn from without going through its pairs") {
  // 5e9 pairs, more than 32 bits can count.
  reals y(100000);
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = static_cast<double>((i * 7919) % y.size());
  const auto order = partial_order::from_grades({}, y);
  CHECK(order.count_pairs(0) == 4999950000u);
  for (const auto balance : {pair_balance::none, pair_balance::by_level_gap}) {
    const pair_list drawn = listed(order.sample_pairs(50, 1, balance));
    CHECK(drawn.size() == 50);
    CHECK(std::all_of(drawn.begin(), drawn.end(), [&](const auto& p) { return y[p.first] > y[p.second]; }));
  }
}

TEST_CASE("agreement: counts worked by hand") {
  const auto order = partial_order::from_grades(ints{0, 4, 4, 6}, ints{2, 1, 1, 0, 5, 5});
  std::vector<pair_agreement> lists(3, {9, 9, 9});
  // 0 > 1, 0 > 2, 0 > 3, 1 > 3, 2 > 3
  const pair_agreement all = agreement(order, reals{3, 4, 3, -infinity, 1, 2}, lists);
  CHECK(all == pair_agreement{3, 1, 1});
  CHECK(lists == std::vector<pair_agreement>{{3, 1, 1}, {}, {}});
  CHECK(all.accuracy() == 0.7);
  CHECK(lists[1].accuracy() == 0.0);
  const auto chain = partial_order::from_chains(ints{0, 3, 5}, ints{0, 1, 2, 4, 3}, ints{0, 3, 5});
  CHECK(agreement(chain, std::vector<float>{3, 1, 2, 5, 5}, lists = std::vector<pair_agreement>(2)) ==
        pair_agreement{1, 1, 1});
  CHECK(lists == std::vector<pair_agreement>{{1, 1, 0}, {0, 0, 1}});
  CHECK(agreement(chain.closure(), std::vector<float>{3, 1, 2, 5, 5}) == pair_agreement{2, 1, 1});
  CHECK(agreement(partial_order{}, reals{}) == pair_agreement{});
}

TEST_CASE("agreement: by levels as pair by pair, on any number of threads") {
  std::mt19937_64 random(4);
  const std::vector<std::size_t> offsets{0, 1, 40, 40, 300, 302, 700};
  const auto y = support::whole_numbers<int>(random, 700, 6);
  const auto s = support::whole_numbers<float>(random, 700, 20);
  const auto order = partial_order::from_grades(offsets, y);
  const auto pairs = order.pairs();
  const auto plain = partial_order::from_pairs(offsets, pairs.preferred, pairs.other);
  std::vector<pair_agreement> a(6), b(6), c(6);
  const pair_agreement all = agreement(order, s, a);
  CHECK(all.pairs() == static_cast<double>(pairs.other.size()));
  CHECK(agreement(plain, s, b) == all);
  CHECK(a == b);
  rankloss::context three{rankloss::threads(3)};
  CHECK(agreement(order, s, c, three) == all);
  CHECK(a == c);
}

TEST_CASE("partial_order: cycles are named") {
  const auto of_pairs = [](const ints& offsets, const ints& a, const ints& b) {
    return partial_order::from_pairs(offsets, a, b);
  };
  CHECK_THROWS_WITH(of_pairs({0, 2}, {0, 1}, {1, 0}),
                    "rankloss: pairs: list 0 has the cycle 0 > 1 > 0, expected none");
  // 8 leads into the cycle, 2 out of it.
  CHECK_THROWS_WITH(of_pairs({0, 1, 2, 9}, {8, 3, 7, 5, 7}, {3, 7, 5, 3, 2}),
                    "rankloss: pairs: list 2 has the cycle 3 > 7 > 5 > 3, expected none");
  CHECK_THROWS_WITH(partial_order::from_chains(ints{0, 4}, ints{0, 2, 3, 3, 1, 0}, ints{0, 3, 6}),
                    "rankloss: chains: list 0 has the cycle 0 > 2 > 3 > 1 > 0, expected none");
  CHECK_THROWS_WITH(partial_order::from_chains(ints{0, 4}, ints{0, 2, 0}),
                    "rankloss: chains: list 0 has the cycle 0 > 2 > 0, expected none");
  ints a, b;
  for (int i = 0; i < 20; ++i) {
    a.push_back(i);
    b.push_back((i + 1) % 20);
  }
  CHECK_THROWS_WITH(
      of_pairs({0, 20}, a, b),
      "rankloss: pairs: list 0 has the cycle 0 > 1 > 2 > 3 > 4 > 5 > 6 > 7 > 8 > 9 > 10 > 11 > ... (20 items) > 0, expected none");
}

TEST_CASE("partial_order: what does not fit is named") {
  const auto of_pairs = [](const ints& offsets, const ints& a, const ints& b) {
    return partial_order::from_pairs(offsets, a, b);
  };
  CHECK_THROWS_WITH(of_pairs({}, {}, {}),
                    "rankloss: offsets: size 0, expected one more than there are lists");
  CHECK_THROWS_WITH(of_pairs({1, 2}, {}, {}), "rankloss: offsets: first is 1, expected 0");
  CHECK_THROWS_WITH(of_pairs({0, 3, 2}, {}, {}), "rankloss: offsets: 2 at 2 after 3, expected them to rise");
  CHECK_THROWS_WITH(of_pairs({0, 2}, {0}, {}), "rankloss: other: size 0, expected 1 (one per preferred)");
  CHECK_THROWS_WITH(
      of_pairs({0, 2}, {2}, {0}),
      "rankloss: preferred: 2 at pair 0, expected an item from 0 to below 2 (the number of items)");
  CHECK_THROWS_WITH(
      of_pairs({0, 2}, {0, 1}, {1, -1}),
      "rankloss: other: -1 at pair 1, expected an item from 0 to below 2 (the number of items)");
  CHECK_THROWS_WITH(of_pairs({0, 2}, {1}, {1}),
                    "rankloss: other: 1 at pair 0, expected an item other than the preferred one");
  CHECK_THROWS_WITH(of_pairs({0, 2, 4}, {0, 3}, {1, 1}),
                    "rankloss: other: 1 at pair 1, expected an item of list 1 like the preferred one");
  CHECK_THROWS_WITH(
      partial_order::from_chains(ints{0, 3}, ints{0, 3}),
      "rankloss: chains: 3 at position 1, expected an item from 0 to below 3 (the number of items)");
  CHECK_THROWS_WITH(partial_order::from_chains(ints{0, 3}, ints{0, 0}),
                    "rankloss: chains: 0 at position 1, expected an item other than the one before it");
  CHECK_THROWS_WITH(partial_order::from_chains(ints{0, 2, 3}, ints{0, 2}),
                    "rankloss: chains: 2 at position 1, expected an item of list 0 like the one before it");
  CHECK_THROWS_WITH(partial_order::from_chains(ints{0, 3}, ints{0, 2}, ints{0, 1}),
                    "rankloss: chain_offsets: last is 1, expected 2 (the number of positions in chains)");
  CHECK_THROWS_WITH(partial_order::from_grades(ints{0, 1, 3}, reals{0, 1, nan}),
                    "rankloss: grades: nan at list 1, item 1, expected a finite number");
  CHECK_THROWS_WITH(partial_order::from_grades(ints{0, 2, 4}, reals{0, 1, nan, 2}),
                    "rankloss: grades: nan at list 1, item 0, expected a finite number");
  CHECK_THROWS_WITH(partial_order::from_ranks(ints{0, 2}, reals{1, infinity}),
                    "rankloss: ranks: inf at list 0, item 1, expected a finite number");
  CHECK_THROWS_WITH(
      partial_order::from_ranks(ints{0, 1, 3}, ints{1, 2, 0}),
      "rankloss: ranks: 0 at list 1, item 1, expected above 0; say what 0 means: rank_zero::unranked, rank_zero::last or "
      "rank_zero::best");
  for (const rank_zero zero : {rank_zero::refused, rank_zero::unranked, rank_zero::last, rank_zero::best})
    CHECK_THROWS_WITH(partial_order::from_ranks(ints{0, 1, 3}, ints{1, 2, -1}, zero),
                      "rankloss: ranks: -1 at list 1, item 1, expected above 0");
  CHECK_THROWS_WITH(partial_order::from_ranks(ints{0, 2}, reals{1}),
                    "rankloss: offsets: last is 2, expected 1 (the number of items)");

  const auto order = of_pairs({0, 2}, {0}, {1});
  CHECK_THROWS_WITH(order.precedes(2, 0), "rankloss: item: 2, expected one from 0 to below 2");
  CHECK_THROWS_WITH(
      order.sample_pairs(1, 0, pair_balance::by_level_gap),
      "rankloss: balance: by_level_gap, expected none for an order that is not by grades or ranks");
  std::vector<pair_agreement> lists(1, {9, 9, 9}), two(2);
  CHECK_THROWS_WITH(agreement(order, reals{1}, lists),
                    "rankloss: scores: size 1, expected 2 (one per item of the order)");
  CHECK_THROWS_WITH(agreement(order, reals{1, 2}, two),
                    "rankloss: per_list: size 2, expected 1 (one per list)");
  CHECK_THROWS_WITH(agreement(order, reals{1, nan}, lists),
                    "rankloss: scores: nan at item 1, expected a number");
  CHECK(lists[0] == pair_agreement{9, 9, 9});
}

}  // namespace

}  // namespace partial_order_test
