// SPDX-License-Identifier: BSL-1.0
#include <rankloss/metrics/spearman.hpp>

#include "support/one_list.hpp"
#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <vector>

namespace metrics_spearman_test {

namespace {

using rankloss::evaluate;
using rankloss::list_batch;
using rankloss::metrics::spearman;
using support::of;

/// Average ranks by counting, then Pearson's correlation.
template <class X>
std::vector<long double> centred(const std::vector<X>& x) {
  std::vector<long double> ranks;
  for (const X& a : x) {
    long double rank = 0;
    for (const X& b : x) rank += b > a ? 1 : b == a ? 0.5L : 0;
    ranks.push_back(rank - static_cast<long double>(x.size()) / 2);
  }
  return ranks;
}

template <class T, class R>
long double plain(const std::vector<T>& s, const std::vector<R>& y) {
  const auto a = centred(s), b = centred(y);
  long double aa = 0, ab = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    aa += a[i] * a[i];
    ab += a[i] * b[i];
    bb += b[i] * b[i];
  }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : 0;
}

TEST_CASE("spearman worked by hand: without ties 1 - 6 sum d^2 / (n^3 - n)") {
  CHECK(of(spearman{}, std::vector<double>{1, 2, 3, 4, 5}, std::vector<int>{2, 1, 4, 3, 5}) ==
        Approx(1.0 - 6.0 * 4.0 / 120.0).epsilon(1e-15));
  CHECK(of(spearman{}, std::vector<float>{1, 2, 3}, std::vector<int>{10, 20, 21}) == 1.0);
  CHECK(of(spearman{}, std::vector<float>{3, 2, 1}, std::vector<int>{10, 20, 21}) == -1.0);
  // Ranks 1, 2, 3, 4 against 1.5, 1.5, 3.5, 3.5.
  CHECK(of(spearman{}, std::vector<double>{1, 2, 3, 4}, std::vector<int>{0, 0, 1, 1}) ==
        Approx(4.0 / std::sqrt(20.0)).epsilon(1e-15));
}

TEMPLATE_TEST_CASE("spearman is that of the plain sums", "", float, double) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 150; ++round) {
    const std::size_t n = 1 + random() % 70;
    const auto s = support::whole_numbers<TestType>(random, n, 1 + static_cast<unsigned>(random() % 90));
    const auto y = support::whole_numbers<int>(random, n, 1 + static_cast<unsigned>(random() % 40));
    const auto real = support::numbers<float>(random, n);
    CHECK(of(spearman{}, s, y) == Approx(static_cast<double>(plain(s, y))).margin(1e-15));
    CHECK(of(spearman{}, s, real) == Approx(static_cast<double>(plain(s, real))).margin(1e-15));
  }
}

TEST_CASE("spearman at the edges") {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  CHECK(of(spearman{}, std::vector<double>{}, std::vector<int>{}) == 0.0);
  CHECK(of(spearman{}, std::vector<double>{1}, std::vector<int>{1}) == 0.0);
  CHECK(of(spearman{}, std::vector<double>{1, 1}, std::vector<int>{0, 1}) == 0.0);
  CHECK(of(spearman{}, std::vector<double>{1, 2}, std::vector<int>{1, 1}) == 0.0);
  CHECK(of(spearman{}, std::vector<double>{-infinity, 0, infinity}, std::vector<double>{0, 1e300, 1.1e300}) ==
        1.0);
  const std::vector<double> s{1, 2, 2, 1};
  const std::vector<int> offsets{0, 2, 4}, y{0, 1, 3, 3};
  list_batch<double, int> batch{.scores = s, .relevance = y, .offsets = offsets};
  CHECK(evaluate(spearman{}, batch) == 0.5);
  batch.reduction = rankloss::reduction::mean_of_relevant;
  CHECK(evaluate(spearman{}, batch) == 1.0);
  std::vector<double> out(4);
  CHECK_THROWS_WITH(evaluate(spearman{}, batch, {.gradient = out}),
                    "rankloss: gradient: a metric has none, expected an empty output");
}

}  // namespace

}  // namespace metrics_spearman_test
