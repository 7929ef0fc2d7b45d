// SPDX-License-Identifier: BSL-1.0
#include <rankloss/relaxed_list.hpp>

#include <rankloss/ranks/hard_ranks.hpp>
#include <rankloss/ranks/laplace_ranks.hpp>
#include <rankloss/ranks/projected_ranks.hpp>
#include <rankloss/ranks/sigmoid_ranks.hpp>
#include <rankloss/sorts/neural_sort.hpp>
#include <rankloss/sorts/projected_sort.hpp>
#include <rankloss/sorts/sinkhorn.hpp>
#include <rankloss/sorts/soft_sort.hpp>
#include <rankloss/sorts/soft_top_k.hpp>
#include <rankloss/sorts/sorting_network.hpp>

#include "support/allocations.hpp"
#include "support/counting_threads.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <stdexcept>
#include <type_traits>
#include <vector>

namespace relaxed_list_test {

namespace {

using rankloss::context;
using rankloss::relaxed_list;

template <class T>
std::vector<T> numbers(std::mt19937_64& random, std::size_t n) {
  std::normal_distribution<double> normal;
  std::vector<T> out(n);
  for (T& x : out) x = static_cast<T>(normal(random));
  return out;
}

/// Lengths that grow and shrink, so that what an earlier list left behind would be seen.
constexpr std::size_t lengths[] = {5, 300, 1, 0, 40, 300};

/// Values and products of ranks, of a sort of the scores and of a selection are, bit by bit, those of the
/// functions, forwards, backwards and forwards again.
template <class T, class How>
void check_ranks(const How& how, bool with_push = true) {
  std::mt19937_64 random(1);
  context ctx;
  relaxed_list<How, T> list(how);
  for (const std::size_t n : lengths) {
    auto s = numbers<T>(random, n);
    if (n > 10) s[3] = s[7];
    const auto c = numbers<T>(random, n);
    std::vector<T> expected(n), out(n, T{99});
    const auto scores = s;
    list.assign(s);
    for (T& x : s) x = T{0};  // the list has a copy
    CHECK(list.size() == n);
    for (int round = 0; round < 2; ++round) {
      rankloss::rank(how, scores, expected, ctx);
      list.values(out);
      CHECK(out == expected);
      rankloss::rank_pullback(how, scores, c, expected, ctx);
      list.pullback(c, out);
      CHECK(out == expected);
      if (!with_push) continue;
      rankloss::rank_push(how, scores, c, expected, ctx);
      list.push(c, out);
      CHECK(out == expected);
    }
  }
}

template <class T, class How>
void check_sort(const How& how) {
  std::mt19937_64 random(2);
  context ctx;
  relaxed_list<How, T> list(how);
  for (const std::size_t n : lengths) {
    const auto s = numbers<T>(random, n);
    const auto v = numbers<T>(random, n);
    const auto c = numbers<T>(random, n);
    std::vector<T> expected(n), out(n, T{99}), expected_matrix(n * n), matrix(n * n, T{99});
    list.assign(s);
    for (int round = 0; round < 2; ++round) {
      rankloss::sort_apply(how, s, v, expected, ctx);
      list.apply(v, out);
      CHECK(out == expected);
      rankloss::sort_apply_transposed(how, s, v, expected, ctx);
      list.apply_transposed(v, out);
      CHECK(out == expected);
      rankloss::sort_pullback(how, s, v, c, expected, ctx);
      list.pullback(v, c, out);
      CHECK(out == expected);
      rankloss::sort_matrix(how, s, expected_matrix, ctx);
      list.matrix(matrix);
      CHECK(matrix == expected_matrix);
    }
  }
}

TEMPLATE_TEST_CASE("relaxed_list: the bits of the functions of one list", "", float, double) {
  check_ranks<TestType>(rankloss::laplace_ranks{.temperature = 0.1});
  check_ranks<TestType>(rankloss::sigmoid_ranks{.temperature = 0.1});
  check_ranks<TestType>(rankloss::projected_ranks{.temperature = 0.1});
  check_ranks<TestType>(rankloss::projected_ranks{.regularization = rankloss::regularization::entropic});
  check_ranks<TestType>(rankloss::projected_sort{.temperature = 0.1});
  check_ranks<TestType>(rankloss::soft_top_k{.k = 2.5, .temperature = 0.1});
  check_sort<TestType>(rankloss::neural_sort{.temperature = 0.1});
  check_sort<TestType>(rankloss::soft_sort{.temperature = 0.1});
  check_sort<TestType>(rankloss::sinkhorn{});
  check_sort<TestType>(rankloss::sorting_network{});
}

TEST_CASE("relaxed_list: hard ranks have values only") {
  relaxed_list<rankloss::hard_ranks, double> list;
  std::vector<double> ranks(3);
  list.assign(std::vector<double>{1, 3, 2});
  list.values(ranks);
  CHECK(ranks == std::vector<double>{3, 1, 2});
}

TEST_CASE(
    "relaxed_list: forwards and backwards of several lists may overlap, and a context is free between") {
  std::mt19937_64 random(3);
  const auto first = numbers<double>(random, 70), second = numbers<double>(random, 50);
  const rankloss::laplace_ranks how{.temperature = 0.1};
  context ctx;
  std::vector<double> one(70), other(50), expected_one(70), expected_other(50);
  relaxed_list<rankloss::laplace_ranks, double> a(how), b(how);
  a.assign(first);
  b.assign(second);
  rankloss::rank_pullback(how, first, first, expected_one, ctx);
  b.pullback(second, other);
  rankloss::rank_pullback(how, second, second, expected_other, ctx);
  a.pullback(first, one);
  CHECK(one == expected_one);
  CHECK(other == expected_other);
}

TEST_CASE("relaxed_list: numbers near the ends of the type stay finite") {
  const double most = std::numeric_limits<double>::max();
  const std::vector<double> s{most, -most, 0, 1}, c{most, most, -most, most};
  const rankloss::laplace_ranks how{.temperature = 1.0};
  std::vector<double> out(4), expected(4);
  relaxed_list<rankloss::laplace_ranks, double> list(how);
  list.assign(s);
  list.pullback(c, out);
  rankloss::rank_pullback(how, s, c, expected);
  CHECK(out == expected);
  for (const double g : out) CHECK(std::isfinite(g));
}

TEST_CASE("relaxed_list: nothing is allocated by lists that are no longer than earlier ones") {
  std::mt19937_64 random(4);
  const auto s = numbers<float>(random, 500), c = numbers<float>(random, 500);
  std::vector<float> out(500);
  relaxed_list<rankloss::sigmoid_ranks> list({.temperature = 0.1});
  const auto step = [&] {
    list.assign(s);
    list.values(out);
    list.pullback(c, out);
  };
  step();
  const std::size_t before = support::allocations();
  for (int i = 0; i < 3; ++i) step();
  CHECK(support::allocations() == before);
}

TEST_CASE("relaxed_list: workers of its context share a long list, and no bit depends on them") {
  std::mt19937_64 random(5);
  const std::size_t n = 70001;
  const auto s = numbers<float>(random, n), v = numbers<float>(random, n), c = numbers<float>(random, n);
  std::vector<float> expected(n), out(n);
  const support::counting_threads three(3);
  // Of the products at least the two passes of a scan or a pooling, beside the check of an input and its
  // conversion.
  const auto compare = [&](const auto& how, const auto& compute, std::size_t least = 4) {
    using How = std::decay_t<decltype(how)>;
    relaxed_list<How, float> alone(how), shared(how, context{three});
    for (auto* list : {&alone, &shared}) list->assign(s);
    compute(alone, expected);
    const std::size_t before = three.runs();
    compute(shared, out);
    CHECK(three.runs() >= before + least);
    CHECK(out == expected);
  };
  const auto values = [](auto& list, std::vector<float>& to) { list.values(to); };
  const auto pullback = [&](auto& list, std::vector<float>& to) { list.pullback(c, to); };
  compare(rankloss::laplace_ranks{.temperature = 0.1}, values, 0);
  compare(rankloss::laplace_ranks{.temperature = 0.1}, pullback);
  compare(rankloss::projected_ranks{.temperature = 0.5}, values, 0);
  compare(rankloss::projected_ranks{.temperature = 0.5}, pullback);
  compare(rankloss::sigmoid_ranks{.temperature = 0.1}, pullback);
  compare(rankloss::soft_sort{.temperature = 0.1}, [&](auto& list, auto& to) { list.apply(v, to); });
  compare(rankloss::soft_sort{.temperature = 0.1}, [&](auto& list, auto& to) { list.pullback(v, c, to); });
  const std::vector<float> bad(n, std::numeric_limits<float>::quiet_NaN());
  relaxed_list<rankloss::laplace_ranks> unchecked({}, context{three, rankloss::data_checks::off});
  CHECK_NOTHROW(unchecked.assign(bad));
  CHECK_THROWS_WITH(relaxed_list<rankloss::laplace_ranks>({}, context{three}).assign(bad),
                    "rankloss: scores: nan at item 0, expected a number");
}

TEST_CASE("relaxed_list: what does not fit is named, and changes nothing") {
  using rankloss::laplace_ranks;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  relaxed_list<laplace_ranks, double> list;
  std::vector<double> out(3, 7.0), expected(3);
  const std::vector<double> s{1, 3, 2}, bad{1, nan, 0}, few{1, 2};
  std::vector<double> none;
  list.values(none);  // no list yet
  CHECK_THROWS_WITH(list.values(out), "rankloss: values: size 3, expected 0 (one per score)");
  list.assign(s);
  CHECK_THROWS_WITH(list.assign(bad), "rankloss: scores: nan at item 1, expected a number");
  CHECK_THROWS_WITH(list.pullback(few, out), "rankloss: cotangent: size 2, expected 3 (one per score)");
  CHECK_THROWS_WITH(list.push(bad, out), "rankloss: tangent: nan at item 1, expected a finite number");
  CHECK(out == std::vector<double>(3, 7.0));
  list.values(out);
  rankloss::rank(laplace_ranks{}, s, expected);
  CHECK(out == expected);

  relaxed_list<laplace_ranks, double> cold({.temperature = 0.0});
  CHECK_THROWS_WITH(cold.assign(s), "rankloss: temperature: 0, expected 1e-15 to 1e300");
  CHECK(cold.size() == 0);
  relaxed_list<rankloss::soft_sort, double> sort;
  sort.assign(s);
  CHECK_THROWS_WITH(sort.matrix(out), "rankloss: matrix: size 3, expected 9 (scores times scores)");
  relaxed_list<laplace_ranks, double> unchecked({}, rankloss::data_checks::off);
  CHECK_NOTHROW(unchecked.assign(bad));
}

}  // namespace

}  // namespace relaxed_list_test
