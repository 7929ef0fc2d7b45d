// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/pairs/lambda_sums.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

namespace detail_pairs_lambda_sums_test {

using rankloss::list;
using rankloss::strided;
using rankloss::detail::lambda_norm;
using rankloss::detail::lambda_rule;
using rankloss::detail::lambda_sums;

namespace {

using arch = xsimd::default_arch;
using V = rankloss::detail::lanes<arch>;

/// Weight of positions i and j: 1 + i + 2 j.
struct by_positions {
  struct pairs_of_item {
    double i;
    V operator()(std::size_t j) const {
      alignas(64) double values[V::size];
      for (std::size_t l = 0; l < V::size; ++l) values[l] = 1.0 + i + 2.0 * static_cast<double>(j + l);
      return V::load_aligned(values);
    }
  };
  [[nodiscard]] pairs_of_item at(std::size_t i) const { return {static_cast<double>(i)}; }
};

}  // namespace

TEST_CASE(
    "lambda_sums: gradient, Hessian, value and sum of lambdas of the pairs among the first k, by the rule") {
  std::mt19937 random(3);
  for (const std::size_t n : std::vector<std::size_t>{1, 2, 7, 8, 9, 33})
    for (const lambda_rule rule : {lambda_rule{}, lambda_rule{2.0, 0.01, 2.0, 0.05}})
      for (const std::size_t k : std::vector<std::size_t>{1, 5, 100}) {
        CAPTURE(n, k, rule.near);
        std::vector<double> scores(n);
        std::vector<int> grades(n);
        for (std::size_t i = 0; i < n; ++i) {
          scores[i] = static_cast<double>(random() % 64) / 8.0 - 4.0;
          grades[i] = static_cast<int>(random() % 3);
        }
        std::vector<std::size_t> order(n);
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::stable_sort(order.begin(), order.end(),
                         [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
        std::vector<double> gradient(n), hessian(n);
        double value = 0.0;
        double lambda = 0.0;
        for (std::size_t p = 0; p < std::min(k, n); ++p)
          for (std::size_t q = p + 1; q < n; ++q) {
            const std::size_t i = order[p];
            const std::size_t j = order[q];
            if (grades[i] == grades[j]) continue;
            const double d = grades[i] > grades[j] ? scores[i] - scores[j] : scores[j] - scores[i];
            double change = 1.0 + static_cast<double>(p) + 2.0 * static_cast<double>(q);
            if (rule.near > 0.0) change /= rule.near + std::abs(d);
            const double s = 1.0 / (1.0 + std::exp(-rule.sigmoid * d));
            const double pull = change * rule.sigmoid * (1.0 - s);
            value += change *
                     (std::max(0.0, -rule.sigmoid * d) + std::log1p(std::exp(-rule.sigmoid * std::abs(d))));
            lambda += 2.0 * pull;
            gradient[i] += grades[i] > grades[j] ? -pull : pull;
            gradient[j] += grades[i] > grades[j] ? pull : -pull;
            const double bend = change * rule.hessian_factor * std::max(s * (1.0 - s), rule.hessian_floor);
            hessian[i] += bend;
            hessian[j] += bend;
          }
        rankloss::workspace scratch;
        const list<double, int> items{{scores.data(), n}, {grades.data(), n}};
        lambda_sums<arch> sums(items, scratch);
        sums.add_top(rule, by_positions{}, k, n);
        CHECK(sums.value() == Approx(value).margin(1e-12));
        CHECK(sums.lambda() == Approx(lambda).margin(1e-12));
        CHECK(lambda_norm(sums.lambda()) == Approx(lambda > 0.0 ? std::log2(1.0 + lambda) / lambda : 1.0));
        std::vector<double> g(n), h(n);
        CHECK(sums.write(items, rankloss::list_outputs<double>{{g.data(), n}, {h.data(), n}}, 0.5) ==
              Approx(0.5 * value).margin(1e-12));
        for (std::size_t i = 0; i < n; ++i) {
          CHECK(g[i] == Approx(0.5 * gradient[i]).margin(1e-12));
          CHECK(h[i] == Approx(0.5 * hessian[i]).margin(1e-12));
        }
      }
}

TEST_CASE("lambda_sums: infinite scores keep all finite") {
  constexpr double infinite = std::numeric_limits<double>::infinity();
  const std::vector<double> scores{-infinite, infinite, 0.0};
  const std::vector<int> grades{2, 0, 1};
  rankloss::workspace scratch;
  const list<double, int> items{{scores.data(), 3}, {grades.data(), 3}};
  lambda_sums<arch> sums(items, scratch);
  sums.add_top({.near = 0.01}, by_positions{}, 3, 3);
  CHECK(std::isfinite(sums.value()));
  CHECK(std::isfinite(sums.lambda()));
}

}  // namespace detail_pairs_lambda_sums_test
