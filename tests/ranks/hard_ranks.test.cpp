// SPDX-License-Identifier: BSL-1.0
#include <rankloss/ranks/hard_ranks.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <span>
#include <stdexcept>
#include <vector>

namespace ranks_hard_ranks_test {

using rankloss::context;
using rankloss::hard_ranks;
using rankloss::rank_ties;
using rankloss::sort_direction;

static_assert(!hard_ranks::has_gradient);

namespace {

template <class T>
using cspan = std::span<const T>;

template <class T>
std::vector<T> ranks_of(const hard_ranks& how, const std::vector<T>& s) {
  context ctx;
  std::vector<T> out(s.size());
  rank(how, cspan<T>(s), std::span(out), ctx);
  return out;
}

/// By counting.
template <class T>
std::vector<T> counted(const hard_ranks& how, const std::vector<T>& s) {
  std::vector<T> ranks(s.size());
  for (std::size_t i = 0; i < s.size(); ++i) {
    std::size_t before = 0, equal = 0, earlier = 0;
    for (std::size_t j = 0; j < s.size(); ++j) {
      before += (how.direction == sort_direction::descending ? s[j] > s[i] : s[j] < s[i]) ? 1 : 0;
      equal += s[j] == s[i] ? 1 : 0;
      earlier += s[j] == s[i] && j < i ? 1 : 0;
    }
    const double among_equal = how.ties == rank_ties::average   ? 0.5 * static_cast<double>(equal - 1)
                               : how.ties == rank_ties::minimum ? 0.0
                               : how.ties == rank_ties::maximum ? static_cast<double>(equal - 1)
                                                                : static_cast<double>(earlier);
    ranks[i] = static_cast<T>(how.base + static_cast<double>(before) + among_equal);
  }
  return ranks;
}

}  // namespace

TEMPLATE_TEST_CASE("hard_ranks: those of counting, for all ties, directions and bases", "", float, double) {
  using T = TestType;
  std::mt19937_64 random(1);
  for (const rank_ties ties :
       {rank_ties::average, rank_ties::minimum, rank_ties::maximum, rank_ties::ordinal})
    for (const sort_direction direction : {sort_direction::descending, sort_direction::ascending})
      for (const double base : {1.0, 0.0})
        for (const std::size_t n : {1, 2, 3, 10, 100, 700})
          for (const std::size_t distinct : {std::size_t{1}, std::size_t{5}, 10 * n}) {
            std::vector<T> s(n);
            for (T& x : s) x = static_cast<T>(random() % distinct) - static_cast<T>(distinct / 2);
            const hard_ranks how{.direction = direction, .base = base, .ties = ties};
            CHECK(ranks_of(how, s) == counted(how, s));
          }
}

TEST_CASE("hard_ranks: ties by hand") {
  const std::vector<double> s{1, 3, 1, 0, 3, 1};
  CHECK(ranks_of(hard_ranks{}, s) == std::vector<double>{4, 1.5, 4, 6, 1.5, 4});
  CHECK(ranks_of(hard_ranks{.ties = rank_ties::minimum}, s) == std::vector<double>{3, 1, 3, 6, 1, 3});
  CHECK(ranks_of(hard_ranks{.ties = rank_ties::maximum}, s) == std::vector<double>{5, 2, 5, 6, 2, 5});
  CHECK(ranks_of(hard_ranks{.ties = rank_ties::ordinal}, s) == std::vector<double>{3, 1, 4, 6, 2, 5});
  CHECK(ranks_of(hard_ranks{.direction = sort_direction::ascending, .base = 0, .ties = rank_ties::ordinal},
                 s) == std::vector<double>{1, 4, 2, 0, 5, 3});
}

TEMPLATE_TEST_CASE("hard_ranks: any finite or infinite score has a rank", "", float, double) {
  using T = TestType;
  constexpr T huge = static_cast<T>(3e38);
  constexpr T infinity = std::numeric_limits<T>::infinity();
  constexpr T least = std::numeric_limits<T>::denorm_min();
  CHECK(ranks_of(hard_ranks{}, std::vector<T>{huge, -huge, 0, infinity, -infinity, infinity, least}) ==
        std::vector<T>{3, 6, 5, 1.5, 7, 1.5, 4});
  CHECK(ranks_of(hard_ranks{}, std::vector<T>{-0.0, 0.0}) == std::vector<T>{1.5, 1.5});
  CHECK(ranks_of(hard_ranks{}, std::vector<T>{}).empty());
}

TEST_CASE("hard_ranks: what does not fit is named") {
  context ctx;
  std::vector<double> s{1, std::nan(""), 0}, out(3);
  using Catch::Matchers::Message;
  CHECK_THROWS_MATCHES(rank(hard_ranks{}, cspan<double>(s), std::span(out), ctx), std::invalid_argument,
                       Message("rankloss: scores: nan at item 1, expected a number"));
  s[1] = 2;
  CHECK_THROWS_MATCHES(rank(hard_ranks{.base = INFINITY}, cspan<double>(s), std::span(out), ctx),
                       std::invalid_argument, Message("rankloss: base: inf, expected a finite number"));
  CHECK(out == std::vector<double>(3, 0.0));
}

}  // namespace ranks_hard_ranks_test
