// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/sigmoid/sigmoid_sums.hpp>

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

namespace detail_sigmoid_sigmoid_sums_test {

namespace {

using arch = xsimd::default_arch;
using rankloss::strided;
using reference::real;

/// Both sums of a list against the plain ones. A rank's error is relative to the rank, a pull's to the
/// largest pull.
template <class T>
void check(const std::vector<T>& s, double temperature, std::mt19937_64& random) {
  const std::size_t n = s.size();
  INFO("items " << n << ", temperature " << temperature);
  std::vector<double> weights = support::numbers<double>(random, n);
  for (double& x : weights) x += 10.0;  // a constant is nothing to the pull
  rankloss::workspace scratch;
  // Every other item of a longer array.
  std::vector<T> memory(2 * n, T(77));
  for (std::size_t i = 0; i < n; ++i) memory[2 * i] = s[i];
  rankloss::detail::sigmoid_sums<arch, T> sums(strided<const T>(memory.data(), n, 2), temperature, scratch);
  std::vector<double> ranks(n, 99.0), pull(n, 99.0);
  sums.ranks(ranks);
  sums.pull(weights, pull);
  real rank_error = 0, pull_error = 0, largest = std::numeric_limits<float>::min();
  for (std::size_t i = 0; i < n; ++i) {
    real rank = 1, expected = 0;
    for (std::size_t j = 0; j < n; ++j) {
      if (i == j) continue;
      const reference::sigmoid f((real(s[j]) - real(s[i])) / temperature);
      rank += f.value;
      expected += (real(weights[j]) - real(weights[i])) * f.slope;
    }
    const auto keep = [](real& worst, real error) {
      if (!(error <= worst)) worst = error;  // NaN is an error
    };
    keep(rank_error, std::abs(ranks[i] - rank) / rank);
    keep(pull_error, std::abs(pull[i] - expected));
    largest = std::max(largest, std::abs(expected));
  }
  constexpr double bound = sizeof(T) == 4 ? 2e-6 : 1e-13;
  CHECK(static_cast<double>(rank_error) / bound <= 1.0);
  CHECK(static_cast<double>(pull_error / largest) / bound <= 1.0);
}

}  // namespace

TEMPLATE_TEST_CASE("sigmoid_sums: of any length, by the scans", "", float, double) {
  std::mt19937_64 random(1);
  for (std::size_t n = 1; n <= 35; ++n) check(support::numbers<TestType>(random, n), 0.01, random);
  check(support::numbers<TestType>(random, 500), 1e-3, random);
  std::vector<TestType> ties = support::whole_numbers<TestType>(random, 300, 90);
  check(ties, 0.7, random);
  for (TestType& x : ties) x *= TestType(1000);
  check(ties, 1.0, random);
}

TEMPLATE_TEST_CASE("sigmoid_sums: by cells, cut by the grid or along the sorted list", "", float, double) {
  std::mt19937_64 random(2);
  for (const std::size_t n : {8u, 15u, 63u, 400u}) check(support::numbers<TestType>(random, n), 3.0, random);
  check(support::numbers<TestType>(random, 400), 0.1, random);
  check(std::vector<TestType>(50, TestType(0.25)), 1.0, random);
  // One item far away: too many cells for a grid, few for a sorted list.
  std::vector<TestType> far = support::numbers<TestType>(random, 400);
  far[7] = TestType(1e6);
  check(far, 0.5, random);
}

TEMPLATE_TEST_CASE("sigmoid_sums: infinite scores are first or last, tie with each other, and pull nobody",
                   "", float, double) {
  constexpr TestType infinity = std::numeric_limits<TestType>::infinity();
  for (const std::size_t n : {20u, 200u}) {
    std::vector<TestType> s(n, TestType{0});
    s[3] = s[5] = infinity;
    s[4] = -infinity;
    std::vector<double> ranks(n), pull(n), weights(n, 0.0);
    weights[3] = 1.0;
    rankloss::workspace scratch;
    rankloss::detail::sigmoid_sums<arch, TestType> sums(strided<const TestType>(s.data(), n), 1.0, scratch);
    sums.ranks(ranks);
    sums.pull(weights, pull);
    const double middle = 0.5 * static_cast<double>(n - 4);
    constexpr double digits = sizeof(TestType) == 4 ? 1e-6 : 1e-13;
    CHECK(ranks[3] == Approx(1.5).epsilon(digits));
    CHECK(ranks[5] == Approx(1.5).epsilon(digits));
    CHECK(ranks[4] == Approx(static_cast<double>(n)).epsilon(digits));
    CHECK(ranks[0] == Approx(3.0 + middle).epsilon(digits));
    CHECK(pull[3] == Approx(-0.25).epsilon(digits));
    CHECK(pull[5] == Approx(0.25).epsilon(digits));
    CHECK(std::abs(pull[4]) <= digits);
    CHECK(std::abs(pull[0]) <= digits);
  }
}

}  // namespace detail_sigmoid_sigmoid_sums_test
