// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/sigmoid/few_gains.hpp>

#include <rankloss/sndcg.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <vector>

namespace detail_sigmoid_few_gains_test {

namespace {

using real = long double;
using arch = xsimd::default_arch;

/// DCG of soft ranks, all with all, and its derivatives by s / temperature.
template <class T>
real plain_dcg(const std::vector<T>& s, const std::vector<T>& gains, real temperature,
               std::vector<real>& slopes) {
  const std::size_t n = s.size();
  real dcg = 0;
  slopes.assign(n, 0);
  for (std::size_t i = 0; i < n; ++i) {
    if (!(gains[i] > T{0})) continue;
    real rank = 1;
    std::vector<real> by(n, 0);
    for (std::size_t j = 0; j < n; ++j) {
      if (j == i) continue;
      const real d = (static_cast<real>(s[j]) - static_cast<real>(s[i])) / temperature;
      const real e = std::exp(-std::abs(d));
      rank += (d > 0 ? 1 : e) / (1 + e);
      by[j] = e / ((1 + e) * (1 + e));
      by[i] -= by[j];
    }
    const real logarithm = std::log2(1 + rank);
    dcg += static_cast<real>(gains[i]) / logarithm;
    const real by_rank =
        -static_cast<real>(gains[i]) / (logarithm * logarithm * (1 + rank) * std::log(real(2)));
    for (std::size_t j = 0; j < n; ++j) slopes[j] += by_rank * by[j];
  }
  return dcg;
}

template <class T>
rankloss::strided<const T> view(const std::vector<T>& of) {
  return {of.data(), of.size()};
}

}  // namespace

TEMPLATE_TEST_CASE("few_gains: value and derivatives are those of all pairs", "", float, double) {
  using T = TestType;
  const double digits = sizeof(T) == 4 ? 2e-7 : 1e-13;
  std::mt19937_64 random(1);
  std::normal_distribution<double> normal;
  rankloss::workspace scratch;
  for (const std::size_t n : {1u, 2u, 7u, 9u, 300u, 1000u})
    for (std::size_t count = 1; count <= std::min<std::size_t>(n, 4); ++count)
      for (const double t : {0.01, 1.0}) {
        std::vector<T> s, gains(n, T{0}), g(n, T{7});
        for (std::size_t i = 0; i < n; ++i) s.push_back(static_cast<T>(normal(random)));
        if (n > 2) s[2] = s[0];  // a tie
        for (std::size_t k = 0; k < count; ++k) gains[random() % n] = static_cast<T>(1 + k);
        const rankloss::detail::few_gains<arch, T> few(view(s), gains, scratch);
        REQUIRE(few.apply());
        std::vector<real> slopes;
        const real expected = plain_dcg(s, gains, t, slopes);
        const rankloss::strided<T> out(g.data(), n);
        const double value =
            few.template dcg<rankloss::detail::log2_discount>(gains, t, 0.0, 3.0, out, scratch);
        CHECK(value == Approx(static_cast<double>(expected)).epsilon(digits));
        CHECK(few.template dcg<rankloss::detail::log2_discount>(gains, t, 0.0, 3.0, {}, scratch) ==
              Approx(value).epsilon(1e-15));
        real most = 0;
        for (const real x : slopes) most = std::max(most, std::abs(x));
        for (std::size_t i = 0; i < n; ++i)
          CHECK(std::abs(static_cast<real>(g[i]) - 3 * slopes[i]) <=
                3 * (digits * 10) * most + static_cast<real>(std::numeric_limits<T>::min()));
      }
}

TEST_CASE("few_gains: not where more items have gain, or a score is infinite") {
  rankloss::workspace scratch;
  std::vector<double> s(20, 0.5), gains(20, 0.0);
  const auto applies = [&] {
    return rankloss::detail::few_gains<arch, double>(view(s), gains, scratch).apply();
  };
  for (std::size_t i = 0; i < rankloss::detail::tuning::few_gains; ++i) gains[3 * i] = 1.0;
  CHECK(applies());
  s[7] = std::numeric_limits<double>::infinity();
  CHECK_FALSE(applies());
  s[7] = std::numeric_limits<double>::max();
  s[8] = -s[7];
  CHECK(applies());
  gains[1] = 1.0;
  CHECK_FALSE(applies());
}

TEMPLATE_TEST_CASE("few_gains: sndcg is the same on both sides of the limit", "", float, double) {
  using T = TestType;
  std::mt19937_64 random(5);
  std::normal_distribution<double> normal(0.0, 0.1);
  const std::size_t n = 700;
  std::vector<T> s, columns(3 * n, T{0}), y(n, T{0}), g(n), strided_g(3 * n);
  for (std::size_t i = 0; i < n; ++i) s.push_back(static_cast<T>(normal(random)));
  for (const std::size_t i : {5u, 100u, 350u, 699u}) y[i] = T{1};
  for (const std::size_t cutoff : {std::size_t{0}, std::size_t{20}}) {
    const rankloss::sndcg loss{.temperature = 0.02, .cutoff = cutoff};
    const double value =
        rankloss::evaluate(loss, rankloss::list_batch<T>{.scores = s, .relevance = y}, {.gradient = g});
    // A fifth item of next to no gain: the scan of the whole list, of nearly the same value.
    auto fifth = y;
    fifth[17] = static_cast<T>(1e-9);
    std::vector<T> scanned(n);
    const double other = rankloss::evaluate(loss, rankloss::list_batch<T>{.scores = s, .relevance = fifth},
                                            {.gradient = scanned});
    CHECK(value == Approx(other).epsilon(1e-6));
    double most = 0.0;
    for (const T x : scanned) most = std::max(most, std::abs(static_cast<double>(x)));
    for (std::size_t i = 0; i < n; ++i)
      CHECK(std::abs(static_cast<double>(g[i]) - static_cast<double>(scanned[i])) <= 1e-5 * most);
  }
}

}  // namespace detail_sigmoid_few_gains_test
