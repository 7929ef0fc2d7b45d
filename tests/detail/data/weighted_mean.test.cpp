// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/data/weighted_mean.hpp>

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <vector>

namespace detail_data_weighted_mean_test {

using rankloss::reduction;
using rankloss::detail::weighted_mean;

namespace {

constexpr double largest = std::numeric_limits<double>::max();
constexpr double normal = std::numeric_limits<double>::min();
constexpr double least = std::numeric_limits<double>::denorm_min();

struct weights {
  std::vector<double> w;
  [[nodiscard]] auto of() const {
    return [this](std::size_t k) { return w[k]; };
  }
  [[nodiscard]] weighted_mean mean(double share = 1.0) const {
    return {w.size(), of(), reduction::mean, share};
  }
  [[nodiscard]] weighted_mean sum(double share = 1.0) const {
    return {w.size(), of(), reduction::sum, share};
  }
  [[nodiscard]] double value(const weighted_mean& mean, const std::vector<double>& x) const {
    return mean(w.size(), of(), [&](std::size_t k) { return x[k]; });
  }
};

}  // namespace

TEST_CASE("weighted_mean: equal weights of any size give the plain mean") {
  for (const double w : {1.0, 0.3, 1e308, largest, largest / 2, normal, 0.75 * normal, 1e-320, least}) {
    INFO("weights " << w);
    const weights equal{{w, w}};
    CHECK(equal.mean().share(w) == Approx(0.5).epsilon(1e-15));
    CHECK(equal.value(equal.mean(), {3.0, 5.0}) == Approx(4.0).epsilon(1e-15));
    const weights three{{w, 0.0, w, w}};
    CHECK(three.mean().share(w) == Approx(1.0 / 3.0).epsilon(1e-15));
    CHECK(three.mean().share(0.0) == 0.0);
    CHECK(three.value(three.mean(), {3.0, 1e290, 4.0, 5.0}) == Approx(4.0).epsilon(1e-15));
  }
}

TEST_CASE("weighted_mean: shares are those of long double, whatever the range of the weights") {
  std::mt19937_64 random(5);
  for (const int around : {0, 900, 1020, -900, -1010, -1060}) {
    weights some;
    std::vector<double> x;
    for (int k = 0; k < 40; ++k) {
      some.w.push_back(std::ldexp(1.0 + static_cast<double>(random() % 1024),
                                  around - 10 + static_cast<int>(random() % 4)));
      x.push_back(static_cast<double>(random() % 2001) - 1000.0);
    }
    long double total = 0, expected = 0;
    for (const double w : some.w) total += static_cast<long double>(w);
    for (std::size_t k = 0; k < x.size(); ++k)
      expected += static_cast<long double>(some.w[k]) / total * static_cast<long double>(x[k]);
    INFO("weights around 2^" << around);
    const weighted_mean mean = some.mean();
    CHECK(some.value(mean, x) == Approx(static_cast<double>(expected)).epsilon(1e-13));
    for (const double w : some.w) {
      CHECK(mean.share(w) == Approx(static_cast<double>(static_cast<long double>(w) / total)).epsilon(1e-14));
      CHECK(mean.scaled(w) * mean.factor() == Approx(mean.share(w)).epsilon(1e-15));
    }
  }
}

TEST_CASE("weighted_mean: weights of 1 have the bits of a sum over a count") {
  const weights ones{{1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0}};
  const std::vector<double> x{0.1, 0.7, 1e-3, 12.25, -3.3, 1e5, 0.3};
  double sum = 0.0;
  for (const double v : x) sum += v;
  CHECK(ones.value(ones.mean(), x) == sum * (1.0 / 7.0));
  CHECK(ones.value(ones.mean(0.5), x) == sum * (0.5 / 7.0));
  CHECK(ones.value(ones.sum(), x) == sum);
  CHECK(ones.mean().share(1.0) == 1.0 / 7.0);
  CHECK(weighted_mean(7, reduction::mean).share(1.0) == 1.0 / 7.0);
  CHECK(weighted_mean(7, reduction::sum, 0.25).share(1.0) == 0.25);
}

TEST_CASE("weighted_mean: a sum takes weights as they are") {
  const weights some{{1e308, 1e-10, least, 2.0}};
  const weighted_mean sum = some.sum();
  for (const double w : some.w) CHECK(sum.share(w) == w);
  CHECK(some.value(sum, {0.0, 3.0, 0.0, 0.0}) == 3.0 * 1e-10);
  CHECK(some.value(sum, {0.0, 0.0, 0.0, -4.0}) == -8.0);
}

TEST_CASE("weighted_mean: what a double cannot hold is its largest number") {
  const weights large{{1e308, 1e308, 1e308}};
  CHECK(large.value(large.sum(), {2.0, 3.0, 1.0}) == largest);
  CHECK(large.value(large.sum(), {-2.0, -3.0, 1.0}) == -largest);
  CHECK(large.value(large.sum(), {2.0, -3.0, 1.0}) == 0.0);  // no infinity less another
  CHECK(large.value(large.sum(), {20.0, -30.0, 10.5}) == Approx(0.5e308));
  CHECK(large.value(large.mean(), {largest, largest, largest}) == Approx(largest));
  CHECK(large.value(large.mean(), {largest, -largest, largest / 2}) == Approx(largest / 6));
  const weights ones{{1.0, 1.0, 1.0}};
  CHECK(ones.value(ones.mean(), {largest, largest, -largest}) == Approx(largest / 3));
  CHECK(ones.value(ones.mean(1e308), {5.0, 4.0, 6.0}) == largest);
  CHECK(large.sum(1e308).share(1e308) == largest);
  CHECK(large.sum(-1e308).share(1e308) == -largest);
}

TEST_CASE("weighted_mean: nothing that weighs anything is 0") {
  const weights none{{}};
  CHECK(none.value(none.mean(), {}) == 0.0);
  CHECK(none.mean().share(1.0) == 0.0);
  CHECK(none.sum().share(2.0) == 2.0);
  const weights zero{{0.0, 0.0}};
  CHECK(zero.value(zero.mean(), {7.0, 1e308}) == 0.0);
  CHECK(zero.value(zero.sum(), {7.0, 1e308}) == 0.0);
  CHECK(zero.mean().share(0.0) == 0.0);
  CHECK(weighted_mean(0, reduction::mean).share(1.0) == 0.0);
}

}  // namespace detail_data_weighted_mean_test
