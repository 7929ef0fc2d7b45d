// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/sigmoid/few_gains.hpp>

#include "support/reference.hpp"

#include <rankloss/sndcg.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace detail_sigmoid_few_gains_test {

namespace {

using arch = xsimd::default_arch;
using rankloss::strided;
using rankloss::detail::few_gains;
using rankloss::detail::log2_discount;
using reference::real;

/// The smooth DCG of plain sums, and its derivatives by s / temperature.
template <class T>
real plain_dcg(const std::vector<T>& s, const std::vector<T>& gains, real temperature, std::size_t cutoff,
               std::vector<real>& gradient) {
  const std::size_t n = s.size();
  gradient.assign(n, 0);
  real dcg = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (!(gains[i] > 0)) continue;
    real rank = 1;
    std::vector<real> slopes(n, 0);
    for (std::size_t j = 0; j < n; ++j) {
      if (j == i) continue;
      const reference::sigmoid f((real(s[j]) - real(s[i])) / temperature);
      rank += f.value;
      slopes[j] = f.slope;
    }
    const real ln2 = std::numbers::ln2_v<real>, l = std::log(1 + rank);
    real discount = ln2 / l, by_rank = -ln2 / ((1 + rank) * l * l);
    if (cutoff > 0) {
      const real t = std::clamp(rank - real(cutoff), real(0), real(1));
      const real cut = 1 - t * t * (3 - 2 * t);
      by_rank = by_rank * cut - discount * 6 * t * (1 - t);
      discount *= cut;
    }
    dcg += real(gains[i]) * discount;
    for (std::size_t j = 0; j < n; ++j) {
      gradient[j] += real(gains[i]) * by_rank * slopes[j];
      gradient[i] -= real(gains[i]) * by_rank * slopes[j];
    }
  }
  return dcg;
}

/// Value and gradient against the plain ones, of every other item of longer arrays.
template <class T>
void check(const std::vector<T>& s, const std::vector<T>& gains, double temperature, std::size_t cutoff) {
  const std::size_t n = s.size();
  INFO(n << " items, temperature " << temperature << ", cutoff " << cutoff);
  std::vector<T> memory(2 * n, T(77)), slopes(2 * n, T(55));
  for (std::size_t i = 0; i < n; ++i) memory[2 * i] = s[i];
  rankloss::workspace scratch;
  const few_gains<arch, T> few(strided<const T>(memory.data(), n, 2), gains, scratch);
  REQUIRE(few.apply());
  const auto cut = static_cast<double>(cutoff);
  const double value = few.template dcg<log2_discount>(gains, temperature, cut, -2.0,
                                                       strided<T>(slopes.data(), n, 2), scratch);
  CHECK(few.template dcg<log2_discount>(gains, temperature, cut, -2.0, {}, scratch) == value);
  std::vector<real> gradient;
  const real right = plain_dcg(s, gains, temperature, cutoff, gradient);
  const double bound = sizeof(T) == 4 ? 1e-6 : 1e-13;
  const double whole = *std::max_element(gains.begin(), gains.end());
  CHECK(std::abs(static_cast<double>(value - right)) <=
        bound * (cutoff > 0 ? whole : static_cast<double>(right)));
  std::vector<T> found(n);
  bool untouched = true;
  for (std::size_t i = 0; i < n; ++i) {
    found[i] = slopes[2 * i];
    untouched = untouched && slopes[2 * i + 1] == T(55);
    gradient[i] *= -2;
  }
  CHECK(untouched);
  // Near a cutoff a slope is as exact as the rank.
  const real least = cutoff > 0 ? real(1e-3) * whole : real(0);
  CHECK(reference::relative_error(found, gradient, least) <= bound * (cutoff > 0 ? 1e3 : 1.0));
}

template <class T>
std::vector<T> random_scores(std::size_t n, unsigned seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  std::vector<T> s;
  for (std::size_t i = 0; i < n; ++i) s.push_back(static_cast<T>(normal(random)));
  return s;
}

/// `count` items of gain, at places that depend on the seed.
template <class T>
std::vector<T> few_of(std::size_t n, std::size_t count, unsigned seed) {
  std::mt19937_64 random(seed);
  std::vector<T> gains(n, T(0));
  while (static_cast<std::size_t>(std::count_if(gains.begin(), gains.end(), [](T g) { return g > T(0); })) <
         std::min(n, count))
    gains[random() % n] = T(1 + random() % 7);
  return gains;
}

}  // namespace

TEMPLATE_TEST_CASE("few_gains: value and gradient are those of the plain sums", "", float, double) {
  using T = TestType;
  for (const std::size_t n : {1u, 2u, 5u, 7u, 8u, 9u, 63u, 301u})
    for (const std::size_t count : {1u, 2u, 3u, 4u})
      for (const double temperature : {1e-3, 0.05, 1.0, 1e3})
        for (const std::size_t cutoff : {0u, 1u, 10u, 100u})
          check(random_scores<T>(n, 1), few_of<T>(n, count, 2), temperature, cutoff);
}

TEMPLATE_TEST_CASE("few_gains: ties, and all scores equal", "", float, double) {
  using T = TestType;
  auto s = random_scores<T>(200, 3);
  for (T& x : s) x = std::round(x);
  for (const double temperature : {1e-3, 0.1, 10.0}) {
    check(s, few_of<T>(200, 3, 4), temperature, 0);
    check(std::vector<T>(200, T(0.25)), few_of<T>(200, 4, 5), temperature, 0);
  }
}

TEMPLATE_TEST_CASE("few_gains: an item far from all others keeps the digits of its slope", "", float,
                   double) {
  using T = TestType;
  // Items that are 30 temperatures from the next: all slopes are tiny beside that of an item with itself.
  std::vector<T> s;
  for (int i = 0; i < 100; ++i) s.push_back(static_cast<T>(30 * i));
  check(s, few_of<T>(100, 1, 6), 1.0, 0);
  check(s, few_of<T>(100, 4, 7), 1.0, 0);
}

TEMPLATE_TEST_CASE("few_gains: shifts and extreme scores", "", float, double) {
  using T = TestType;
  const T big = std::numeric_limits<T>::max();
  const auto gains = few_of<T>(8, 3, 8);
  check({T(1e6), T(1e6 + 1), T(1e6 + 2), T(1e6 - 1), T(1e6), T(1e6 - 3), T(1e6), T(1e6 + 1)}, gains, 0.5, 0);
  for (const double temperature : {1e-15, 1.0, 1e300}) {
    check({big, -big, T(0), T(1), big, -big, T(-1), T(0.5)}, gains, temperature, 0);
    check(std::vector<T>(8, big), gains, temperature, 0);
    check({std::numeric_limits<T>::denorm_min(), T(0), T(0), T(-0.0), T(1), T(2), T(3), T(4)}, gains,
          temperature, 0);
  }
}

TEMPLATE_TEST_CASE("few_gains: more items of gain, or infinite scores, take the other way", "", float,
                   double) {
  using T = TestType;
  rankloss::workspace scratch;
  auto s = random_scores<T>(50, 1);
  const auto apply = [&](const std::vector<T>& gains) {
    return few_gains<arch, T>(strided<const T>(s.data(), s.size(), 1), gains, scratch).apply();
  };
  CHECK(apply(std::vector<T>(50, T(0))));
  CHECK(apply(few_of<T>(50, 4, 9)));
  CHECK_FALSE(apply(few_of<T>(50, 5, 9)));
  for (const T bad : {std::numeric_limits<T>::infinity(), -std::numeric_limits<T>::infinity()}) {
    s[17] = bad;
    CHECK_FALSE(apply(few_of<T>(50, 2, 9)));
  }
}

TEMPLATE_TEST_CASE("few_gains: sndcg with up to four items of gain, and with five, in long lists", "", float,
                   double) {
  using T = TestType;
  const double bound = sizeof(T) == 4 ? 2e-6 : 1e-13;
  for (const std::size_t n : {257u, 1000u, 2100u})
    for (const std::size_t count : {1u, 4u, 5u})
      for (const double temperature : {0.001, 0.1, 3.0})
        for (const std::size_t cutoff : {0u, 10u}) {
          if (n > 257 && (temperature != 0.1 || cutoff > 0)) continue;
          INFO(n << " items, " << count << " of gain, temperature " << temperature << ", cutoff " << cutoff);
          const auto s = random_scores<T>(n, 11);
          const auto gains = few_of<T>(n, count, 12);
          const rankloss::sndcg loss{
              .temperature = temperature, .gain = rankloss::gain::linear, .cutoff = cutoff};
          const auto right =
              reference::sndcg(reference::widen(s), reference::widen(gains), temperature, cutoff);
          std::vector<T> g(n);
          const double value = rankloss::evaluate(
              loss, rankloss::list_batch<T>{.scores = s, .relevance = gains}, {.gradient = g});
          CHECK(value == Approx(static_cast<double>(right.value)).epsilon(10 * bound));
          CHECK(reference::relative_error(g, right.gradient) <= 4 * bound * (cutoff > 0 ? 100 : 1));
        }
}

}  // namespace detail_sigmoid_few_gains_test
