// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/sigmoid/short_sums.hpp>

#include <rankloss/batch.hpp>
#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/workspace.hpp>

#include "support/reference.hpp"
#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <span>
#include <vector>

namespace detail_sigmoid_short_sums_test {

using arch = xsimd::default_arch;
using rankloss::strided;
using reference::real;

TEMPLATE_TEST_CASE("short_sums: ranks and pull are those of the plain form, and ties have equal bits", "",
                   float, double) {
  std::mt19937_64 random(1);
  for (std::size_t n = 1; n <= 33; ++n)
    for (const double temperature : {0.01, 1.0, 50.0}) {
      std::vector<TestType> memory(2 * n, TestType(77));  // every other item is one of the list
      const std::vector<TestType> s = support::whole_numbers<TestType>(random, n, static_cast<unsigned>(n));
      for (std::size_t i = 0; i < n; ++i) memory[2 * i] = s[i];
      const std::vector<double> a = support::numbers<double>(random, n);
      std::vector<double> ranks(n, 99.0), pull(n, 99.0);
      rankloss::workspace scratch;
      rankloss::detail::short_sums<arch, TestType> sums(strided<const TestType>(memory.data(), n, 2),
                                                        temperature, scratch);
      sums.ranks(ranks);
      sums.pull(a, pull);
      real scale = std::numeric_limits<float>::min(), worst = 0;
      constexpr double bound = sizeof(TestType) == 4 ? 1e-8 : 1e-14;
      INFO("items " << n << ", temperature " << temperature);
      for (std::size_t i = 0; i < n; ++i) {
        real rank = 1, expected = 0;
        for (std::size_t j = 0; j < n; ++j) {
          if (i == j) continue;
          const reference::sigmoid f((real(s[j]) - real(s[i])) / temperature);
          rank += f.value;
          expected += (real(a[j]) - real(a[i])) * f.slope;
          scale = std::max(scale, std::abs((real(a[j]) - real(a[i])) * f.slope));
          if (s[i] == s[j]) CHECK(ranks[i] == ranks[j]);
        }
        CHECK(std::abs(static_cast<double>((ranks[i] - rank) / rank)) <= bound);
        worst = std::max(worst, std::abs(pull[i] - expected));
      }
      CHECK(static_cast<double>(worst / scale) <= 4 * bound);
    }
}

TEMPLATE_TEST_CASE("short_sums: scores at the ends of the type have the ranks of their order", "", float,
                   double) {
  constexpr TestType most = std::numeric_limits<TestType>::max();
  const std::vector<TestType> s{-most, most, TestType{0}, most};
  const std::vector<double> a{1.0, 2.0, 3.0, 4.0};
  std::vector<double> ranks(4), pull(4);
  rankloss::workspace scratch;
  rankloss::detail::short_sums<arch, TestType> sums(strided<const TestType>(s.data(), s.size()), 0.5,
                                                    scratch);
  sums.ranks(ranks);
  sums.pull(a, pull);
  CHECK(ranks == std::vector<double>{4.0, 1.5, 3.0, 1.5});
  CHECK(pull == std::vector<double>{0.0, 0.5, 0.0, -0.5});
}

/// Scores with ties, of a spread that differs from list to list, and one that is far away.
template <class T>
std::vector<T> some_scores(std::mt19937_64& random, std::size_t n) {
  std::vector<T> s = support::whole_numbers<T>(random, n, static_cast<unsigned>(n));
  const T unit = std::ldexp(T{1}, static_cast<int>(random() % 24) - 12);
  for (T& x : s) x *= unit;
  if (n > 2 && random() % 4 == 0) s[random() % n] = T(random() % 2 == 0 ? 1e30 : -1e30);
  return s;
}

TEMPLATE_TEST_CASE("short_group_sums: the bits of a list are those that it has alone", "", float, double) {
  using V = rankloss::detail::lanes<arch>;
  constexpr std::size_t w = rankloss::detail::lane_count<arch>;
  std::mt19937_64 random(2);
  std::size_t compared = 0;
  for (int turn = 0; turn < 60; ++turn) {
    const std::size_t longest = 1 + static_cast<std::size_t>(random() % 33);
    const double temperature = std::ldexp(1.0, static_cast<int>(random() % 12) - 6);
    std::vector<std::vector<TestType>> scores;
    std::vector<rankloss::list<TestType, TestType>> lists;
    for (std::size_t l = 0; l < 1 + random() % w; ++l)
      scores.push_back(some_scores<TestType>(random, l == 0 ? longest : 1 + random() % longest));
    for (const auto& s : scores) lists.push_back({.scores = {s.data(), s.size()}, .relevance = {}});
    rankloss::workspace scratch;
    const std::span<const rankloss::list<TestType, TestType>> all(lists);
    rankloss::detail::short_group_sums<arch, TestType, true> group(
        rankloss::detail::lay_group<arch>(all, scratch), temperature, scratch);
    REQUIRE(group.rows() == longest);
    const auto take = [&] { return scratch.take<double>(longest * w); };
    const std::span<double> ranks = take(), counts = take(), among = take(), a = take(), pull = take(),
                            pull_among = take();
    for (std::size_t at = 0; at < longest * w; ++at) {
      counts[at] = random() % 2 == 0 ? 1.0 : 0.0;  // in the rows behind a list too
      a[at] = support::numbers<double>(random, 1)[0];
    }
    group.ranks(ranks, counts, among);
    group.pull(a, pull);
    group.pull(a, counts, pull_among);

    for (std::size_t l = 0; l < lists.size(); ++l) {
      INFO("turn " << turn << ", list " << l << " of " << scores[l].size() << ", temperature "
                   << temperature);
      const auto check = [&](bool some, std::span<const double> in_group, std::span<const double> pulled) {
        std::vector<std::size_t> which;
        std::vector<TestType> s;
        std::vector<double> own;
        for (std::size_t i = 0; i < scores[l].size(); ++i) {
          if (some && counts[i * w + l] == 0.0) {
            CHECK(pulled[i * w + l] == 0.0);
            continue;
          }
          which.push_back(i);
          s.push_back(scores[l][i]);
          own.push_back(a[i * w + l]);
        }
        rankloss::detail::short_sums<arch, TestType> alone(strided<const TestType>(s.data(), s.size()),
                                                           temperature, scratch);
        std::vector<double> expected(s.size()), expected_pull(s.size());
        alone.ranks(expected);
        alone.pull(own, expected_pull);
        for (std::size_t k = 0; k < which.size(); ++k) {
          CHECK(in_group[which[k] * w + l] == expected[k]);
          CHECK(pulled[which[k] * w + l] == expected_pull[k]);
          ++compared;
        }
      };
      check(false, ranks, pull);
      check(true, among, pull_among);
    }

    // Curvatures are those of the sigmoid, and 0 behind a list.
    const auto lane = [](const V& numbers, std::size_t l) {
      alignas(64) double row[w];
      numbers.store_aligned(row);
      return row[l];
    };
    std::size_t wrong = 0;
    group.for_pairs([&](std::size_t i, std::size_t j, std::size_t at) {
      for (std::size_t l = 0; l < lists.size(); ++l) {
        const bool holds = j < scores[l].size();
        const reference::sigmoid f(holds ? (real(scores[l][j]) - real(scores[l][i])) / temperature : real(0));
        const real slope = holds ? f.slope : real(0);
        const real curvature = holds ? -f.curvature : real(0);
        const double bound = sizeof(TestType) == 4 ? 1e-8 : 1e-14;
        wrong += std::abs(static_cast<double>(lane(group.slope(at), l) - slope)) > bound;
        wrong += std::abs(static_cast<double>(lane(group.curvature(at), l) - curvature)) > bound;
      }
    });
    CHECK(wrong == 0);
  }
  CHECK(compared > 1000);
}

}  // namespace detail_sigmoid_short_sums_test
