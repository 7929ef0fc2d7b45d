// SPDX-License-Identifier: BSL-1.0

// Scores, rewards and steps that are huge, tiny or subnormal have finite values and gradients.

#include <rankloss/context.hpp>
#include <rankloss/detail/base/finite.hpp>
#include <rankloss/ranks/laplace_ranks.hpp>
#include <rankloss/ranks/projected_ranks.hpp>
#include <rankloss/ranks/sigmoid_ranks.hpp>
#include <rankloss/sorts/neural_sort.hpp>
#include <rankloss/sorts/projected_sort.hpp>
#include <rankloss/sorts/sinkhorn.hpp>
#include <rankloss/sorts/soft_sort.hpp>
#include <rankloss/sorts/soft_top_k.hpp>
#include <rankloss/sorts/sorting_network.hpp>

#include "promises/catalogue/lists.hpp"
#include "promises/catalogue/matrices.hpp"
#include "promises/catalogue/subjects.hpp"
#include "promises/compare.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <span>
#include <utility>
#include <vector>

namespace promises_huge_and_tiny_test {

namespace {

using namespace promises;
using rankloss::context;
using rankloss::list_batch;
using rankloss::outputs;

template <class Loss, class Batch>
void stays_finite(const Loss& loss, const Batch& batch) {
  for (const wanted want : offered(loss)) {
    const auto r = run(loss, batch, want);
    CHECK(std::isfinite(r.value));
    CHECK(all_finite(r.gradient));
    CHECK(all_finite(r.hessian));
    CHECK(all_finite(r.per_list));
  }
}

TEMPLATE_TEST_CASE("lists: huge and tiny scores stay finite", "", float, double) {
  std::mt19937_64 random(7);
  for (const std::size_t n :
       {std::size_t{1}, std::size_t{2}, std::size_t{5}, std::size_t{128}, std::size_t{300}, longest}) {
    const auto y = grades_of<TestType>(random, n);
    for (const auto& s : extreme_scores<TestType>(random, n))
      for (const list_loss& loss : list_losses()) {
        INFO(loss.name << ", " << n << " items, first of them " << s[0]);
        stays_finite(loss, list_batch<TestType>{.scores = s, .relevance = y});
      }
  }
}

TEMPLATE_TEST_CASE("matrices: huge and tiny scores stay finite", "", float, double) {
  std::mt19937_64 random(10);
  const std::pair<std::size_t, std::size_t> shapes[] = {{2, 2}, {7, 7}, {300, 4}};
  for (const auto& [rows, columns] : shapes) {
    matrix<TestType> m(random, rows, columns);
    m.flags(random, 3).grades(random);
    for (const auto& s : extreme_scores<TestType>(random, rows * columns)) {
      m.s = s;
      for (const matrix_loss& loss : similarity_losses()) {
        if (!m.taken_by(loss)) continue;
        INFO(loss.name << ", " << rows << " x " << columns << ", first " << s[0]);
        stays_finite(loss, m.batch());
      }
    }
  }
}

TEMPLATE_TEST_CASE("preferences and policies: huge and tiny numbers stay finite", "", float, double) {
  using T = TestType;
  const T big = std::numeric_limits<T>::max(), tiny = std::numeric_limits<T>::denorm_min();
  const std::vector<T> mixture{big,  -big,  T{0},    -T{0},   tiny,     -tiny, std::numeric_limits<T>::min(),
                               T{1}, T{-1}, big / 2, T(1e30), T(-1e-30)};
  std::mt19937_64 random(3);
  const auto check = [](const auto& r) {
    CHECK(std::isfinite(r.value));
    const auto finite = [](const auto& values) {
      return std::all_of(values.begin(), values.end(), [](auto x) { return std::isfinite(x); });
    };
    CHECK(finite(r.gradient));
    CHECK(finite(r.hessian));
    CHECK(finite(r.per_list));
  };
  context ctx;
  for (auto& of : [] {
         static auto all = subjects<T>();
         return std::span(all);
       }()) {
    if (!of.of_any_size) continue;
    INFO(of.name);
    for (int turn = 0; turn < 6; ++turn) {
      for (T& x : of.x)
        x = turn < 3 ? mixture[random() % mixture.size()]
                     : mixture[random() % 2] * static_cast<T>(turn == 3 ? 1e-20 : 1.0);
      check(run(of, ctx));
    }
  }
  // What comes with the steps, too.
  for (const auto& loss : step_losses<T>()) {
    INFO(loss.name);
    for (int turn = 0; turn < 6; ++turn) {
      auto s = some_steps<T>(2);
      for (auto* values : {&s.x, &s.before, &s.target})
        for (T& x : *values) x = mixture[random() % mixture.size()];
      for (double& w : s.weights) w = turn % 2 == 0 ? 1e308 : 1e-308;
      check(run(subject<T>{loss.name, s.x, 0, false, true,
                           [&](std::span<const T> x, const outputs& out, context& c) {
                             return loss.call(x, s, out, c);
                           }},
                ctx));
    }
  }
}

/// What a product is with numbers near the largest double, by what it is with numbers near 1: products are
/// linear.
template <class Product>
void keeps_its_digits(std::size_t n, const Product& product) {
  std::mt19937_64 random(11);
  std::vector<double> near_one(n), huge(n), expected(n), computed(n);
  std::uniform_real_distribution<double> uniform(-1.0, 1.0);
  const double size = 0x1p1023;
  for (std::size_t i = 0; i < n; ++i) huge[i] = (near_one[i] = uniform(random)) * size;
  product(near_one, expected);
  product(huge, computed);
  double largest = 0.0;
  for (double& x : expected) {
    x = rankloss::detail::held_as<double>(x * size);
    largest = std::max(largest, std::abs(x));
  }
  for (std::size_t i = 0; i < n; ++i) CHECK(std::abs(computed[i] / 4 - expected[i] / 4) <= 1e-12 * largest);
}

TEST_CASE("ranks and sorts: products with numbers near the largest double keep their digits") {
  for (const std::size_t n : {std::size_t{2}, std::size_t{7}, std::size_t{100}}) {
    std::mt19937_64 random(12);
    std::vector<double> s(n);
    for (double& x : s) x = std::normal_distribution<double>()(random);
    const std::vector<double> ones(n, 1.0);
    INFO(n << " items");
    const auto of_ranks = [&](const char* name, const auto& how) {
      INFO(name);
      keeps_its_digits(n, [&](auto& in, auto& out) { rankloss::rank_pullback(how, s, in, out); });
      keeps_its_digits(n, [&](auto& in, auto& out) { rankloss::rank_push(how, s, in, out); });
    };
    of_ranks("sigmoid_ranks", rankloss::sigmoid_ranks{});
    of_ranks("laplace_ranks", rankloss::laplace_ranks{});
    of_ranks("projected_ranks", rankloss::projected_ranks{});
    of_ranks("projected_ranks, entropic",
             rankloss::projected_ranks{.regularization = rankloss::regularization::entropic});
    of_ranks("projected_sort", rankloss::projected_sort{});
    of_ranks("soft_top_k", rankloss::soft_top_k{.k = 1.5});
    const auto of_sort = [&](const char* name, const auto& how) {
      INFO(name);
      keeps_its_digits(n, [&](auto& in, auto& out) { rankloss::sort_apply(how, s, in, out); });
      keeps_its_digits(n, [&](auto& in, auto& out) { rankloss::sort_apply_transposed(how, s, in, out); });
      keeps_its_digits(n, [&](auto& in, auto& out) { rankloss::sort_pullback(how, s, in, ones, out); });
      keeps_its_digits(n, [&](auto& in, auto& out) { rankloss::sort_pullback(how, s, s, in, out); });
    };
    of_sort("neural_sort", rankloss::neural_sort{});
    of_sort("sinkhorn", rankloss::sinkhorn{});
    of_sort("soft_sort", rankloss::soft_sort{});
    of_sort("sorting_network", rankloss::sorting_network{});
  }
}

}  // namespace

}  // namespace promises_huge_and_tiny_test
