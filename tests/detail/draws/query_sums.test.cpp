// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/draws/query_sums.hpp>

#include "support/listwise_reference.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <vector>

namespace detail_draws_query_sums_test {

namespace {

using arch = xsimd::default_arch;
using row = rankloss::detail::lanes<arch>;
using rankloss::detail::any_exponents;
using rankloss::detail::by_part;
using rankloss::detail::held_exponent;
using rankloss::detail::linear_exponents;
using rankloss::detail::no_exponent;
using reference::real;

/// Exponents -3 s of positives and 2 s of negatives; negatives above `most` take no part.
template <class T, class Exponents>
void compare(const std::vector<T>& s, const std::vector<int>& y, double most, const Exponents& exponents) {
  rankloss::workspace scratch;
  const rankloss::list<T, int> items{{s.data(), s.size()}, {y.data(), y.size()}};
  const rankloss::detail::query_sums<arch, T, int> sums(items, scratch, exponents);
  real positives = 0, negatives = 0;
  for (std::size_t i = 0; i < s.size(); ++i) {
    if (y[i] > 0) positives += std::exp(-3 * real(s[i]));
    if (!(y[i] > 0) && static_cast<double>(s[i]) <= most) negatives += std::exp(2 * real(s[i]));
  }
  constexpr double digits = sizeof(T) == 4 ? 2e-9 : 1e-14;
  CHECK(sums.has_positives() == (positives > 0));
  CHECK(sums.has_negatives() == (negatives > 0));
  CHECK(sums.positives() == (positives > 0 ? Approx(static_cast<double>(std::log(positives))).margin(digits)
                                           : Approx(no_exponent)));
  CHECK(sums.negatives() == (negatives > 0 ? Approx(static_cast<double>(std::log(negatives))).margin(digits)
                                           : Approx(no_exponent)));

  // Linear exponents have odds where both parts have one sharpness.
  if constexpr (!requires { exponents.sharpness; })
    CHECK(sums.log_odds() ==
          (positives > 0 && negatives > 0
               ? Approx(static_cast<double>(std::log(negatives / positives))).margin(digits)
               : Approx(no_exponent)));

  // The gradient of 5 positives() + 7 negatives().
  std::vector<T> g(s.size(), std::numeric_limits<T>::quiet_NaN());
  sums.differentiate(
      5.0, 7.0,
      [](const row& x) {
        return by_part<row>{row(-3.0), row(2.0) + row(0.0) * x};
      },
      rankloss::strided<T>(g.data(), g.size()));
  for (std::size_t i = 0; i < s.size(); ++i) {
    real expected = 0;
    if (y[i] > 0) expected = -15 * std::exp(-3 * real(s[i])) / positives;
    if (!(y[i] > 0) && static_cast<double>(s[i]) <= most)
      expected = 14 * std::exp(2 * real(s[i])) / negatives;
    CHECK(static_cast<double>(g[i]) ==
          Approx(static_cast<double>(expected)).epsilon(sizeof(T) == 4 ? 1e-6 : 1e-13).margin(1e-300));
  }
}

}  // namespace

TEMPLATE_TEST_CASE("query_sums: the logarithms of the plain sums, and the slopes of their items", "", float,
                   double) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> cosine(-1.0, 1.0);
  for (const std::size_t n : {1u, 2u, 3u, 7u, 8u, 9u, 17u, 100u})
    for (const unsigned one_in : {1u, 2u, 3u, 1000000u})
      for (const double most : {2.0, 0.25, -2.0}) {
        INFO(n << " items, one in " << one_in << " positive, negatives up to " << most);
        std::vector<TestType> s;
        std::vector<int> y;
        for (std::size_t i = 0; i < n; ++i) {
          s.push_back(static_cast<TestType>(cosine(random)));
          y.push_back(random() % one_in == 0 ? 1 : -1);
        }
        const auto part = [most](const row& x, double of_positives, double of_negatives) {
          return by_part<row>{
              held_exponent(x * row(of_positives)),
              xsimd::select(x > row(most), row(no_exponent), held_exponent(x * row(of_negatives)))};
        };
        const auto of = [&](const row& x) { return part(x, -3.0, 2.0); };
        compare(s, y, most, any_exponents<arch, decltype(of)>{of});
        const auto keys = [&](const row& x) { return part(x, -1.0, 1.0); };
        compare(s, y, most, linear_exponents<arch, decltype(keys)>{{3.0, 2.0}, {0.0, 0.0}, keys});
      }
}

TEST_CASE("query_sums: the odds of exponents that are all large keep their digits") {
  rankloss::workspace scratch;
  const std::vector<double> s{0x1p40 + 0.25, 0x1p40};
  const std::vector<int> y{0, 1};
  const rankloss::list<double, int> items{{s.data(), 2}, {y.data(), 2}};
  const auto of = [](const row& x) { return by_part<row>{x, x}; };
  using sums = rankloss::detail::query_sums<arch, double, int>;
  CHECK(sums(items, scratch, any_exponents<arch, decltype(of)>{of}).log_odds() == 0.25);
  // As products with 0.1 they would have none.
  const linear_exponents<arch, decltype(of)> tenths{{0.1, 0.1}, {0.0, 0.0}, of};
  CHECK(sums(items, scratch, tenths).log_odds() == 0.025);
}

TEST_CASE("query_sums: exponents of any size") {
  rankloss::workspace scratch;
  constexpr double big = std::numeric_limits<double>::max();
  const std::vector<double> s{big, -big, 1e289, -1e289, 0.0};
  for (unsigned positives = 0; positives < 32; ++positives) {
    std::vector<int> y;
    for (unsigned i = 0; i < 5; ++i) y.push_back((positives >> i) % 2 == 1 ? 1 : 0);
    const rankloss::list<double, int> items{{s.data(), s.size()}, {y.data(), y.size()}};
    const auto of = [](const row& x) {
      const row held = held_exponent(x * row(1e15));
      return by_part<row>{held, held};
    };
    const rankloss::detail::query_sums<arch, double, int> sums(items, scratch,
                                                               any_exponents<arch, decltype(of)>{of});
    CHECK(sums.has_positives() == (positives != 0));
    CHECK(sums.has_negatives() == (positives != 31));
    if (positives == 1) CHECK(sums.positives() == 1e290);
    if (positives == 2) CHECK(sums.positives() == -1e290);
    std::vector<double> g(5);
    sums.differentiate(
        1.0, 1.0,
        [](const row& x) {
          return by_part<row>{x, x};
        },
        rankloss::strided<double>(g.data(), 5));
    for (const double x : g) CHECK(std::isfinite(x));
  }
}

TEST_CASE("softplus_of: value and slope for any x, with the digits of small ones") {
  using rankloss::detail::softplus_of;
  for (const double x : {-700.0, -40.0, -1.0, 0.0, 1e-9, 1.0, 40.0, 1e6}) {
    CHECK(softplus_of(x).value ==
          Approx(static_cast<double>(reference::softplus(x))).epsilon(1e-15).margin(0));
    CHECK(softplus_of(x).slope ==
          Approx(static_cast<double>(reference::sigmoid(x).value)).epsilon(1e-15).margin(0));
  }
  CHECK(softplus_of(-1e300).value == 0.0);
  CHECK(softplus_of(-1e300).slope == 0.0);
  CHECK(softplus_of(1e300).value == 1e300);
  CHECK(softplus_of(1e300).slope == 1.0);
}

}  // namespace detail_draws_query_sums_test
