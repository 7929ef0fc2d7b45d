// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/sorting/score_runs.hpp>

#include <rankloss/workspace.hpp>

#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <tuple>
#include <vector>

namespace detail_sorting_score_runs_test {

namespace {

using rankloss::strided;

/// Begin, end and items of a run.
using run = std::tuple<std::size_t, std::size_t, std::vector<std::uint32_t>>;

template <class T>
std::vector<run> runs_of(const strided<const T>& scores, std::size_t k) {
  std::vector<run> found;
  rankloss::workspace scratch;
  rankloss::detail::for_each_run<T>(scores, k, scratch, [&](const rankloss::detail::score_run<T>& r) {
    std::vector<std::uint32_t> items;
    for (const auto& record : r.items) items.push_back(record.payload);
    found.emplace_back(r.begin, r.end, items);
  });
  return found;
}

/// Run by run: the items of the greatest score that is left, in the order of the list.
template <class T>
std::vector<run> plain_runs(const std::vector<T>& scores, std::size_t k) {
  std::vector<run> out;
  std::vector<bool> gone(scores.size(), false);
  for (std::size_t begin = 0; begin < std::min(k, scores.size());) {
    T most = -std::numeric_limits<T>::infinity();
    for (std::size_t i = 0; i < scores.size(); ++i)
      if (!gone[i]) most = std::max(most, scores[i]);
    std::vector<std::uint32_t> items;
    for (std::size_t i = 0; i < scores.size(); ++i)
      if (!gone[i] && scores[i] == most) {
        gone[i] = true;
        items.push_back(static_cast<std::uint32_t>(i));
      }
    out.emplace_back(begin, begin + items.size(), items);
    begin += items.size();
  }
  return out;
}

}  // namespace

TEMPLATE_TEST_CASE(
    "score_runs: runs of equal scores from the greatest down, those that begin among the first k", "", float,
    double) {
  std::mt19937_64 random(1);
  for (const std::size_t n : {0u, 1u, 2u, 7u, 40u, 300u})
    for (const unsigned below : {1u, 3u, 1000u}) {
      const auto scores = support::whole_numbers<TestType>(random, n, below);
      for (const std::size_t k : {std::size_t{0}, std::size_t{1}, std::size_t{5}, n / 2, n, n + 3}) {
        INFO("n " << n << ", scores below " << below << ", k " << k);
        CHECK(runs_of(strided<const TestType>(scores.data(), n), k) == plain_runs(scores, k));
      }
    }
}

TEMPLATE_TEST_CASE("score_runs: zeros of either sign are equal, infinities too, and columns are read as such",
                   "", float, double) {
  constexpr TestType infinity = std::numeric_limits<TestType>::infinity();
  const std::vector<TestType> scores{
      0, -infinity, infinity, -TestType{0}, -infinity, infinity, std::numeric_limits<TestType>::max()};
  const std::vector<run> expected{{0, 2, {2, 5}}, {2, 3, {6}}, {3, 5, {0, 3}}, {5, 7, {1, 4}}};
  CHECK(runs_of(strided<const TestType>(scores.data(), scores.size()), 100) == expected);
  const std::vector<TestType> matrix{3, -1, 1, -1, 3, -1};
  CHECK(runs_of(strided<const TestType>(matrix.data(), 3, 2), 9) ==
        std::vector<run>{{0, 2, {0, 2}}, {2, 3, {1}}});
}

}  // namespace detail_sorting_score_runs_test
