// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/embeddings/two_way_softmax.hpp>

#include "support/two_way_checks.hpp"

#include <rankloss/info_nce.hpp>

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <vector>

namespace detail_embeddings_two_way_softmax_test {

using rankloss::info_nce;
using rankloss::reduction;
using rankloss::similarity;
using support::two_way_shape;

namespace {

constexpr std::size_t lengths[]{1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 255, 256, 257, 511, 512, 513, 600};

/// Rounding of similarities of some size, in temperatures, and of the sums.
template <class T>
double bound_of(double temperature, double size = 1.0) {
  return (sizeof(T) == 4 ? 1e-6 : 1e-14) * (4.0 + 2.0 * size / temperature);
}

}  // namespace

TEMPLATE_TEST_CASE("two_way_softmax: sums of the negatives of rows and columns are the plain ones", "", float,
                   double) {
  using T = TestType;
  for (const std::size_t n : {1u, 2u, 17u, 300u})
    for (const double t : {0.01, 0.3, 100.0}) {
      if (n > 17 && t != 0.3) continue;
      INFO(n << " rows, temperature " << t);
      const std::size_t m = n, columns = n + n / 2, d = 5;
      std::mt19937_64 random(n);
      std::normal_distribution<double> normal(0.0, 0.4);
      std::vector<T> x(m * d), y(columns * d);
      for (T& v : x) v = static_cast<T>(normal(random));
      for (T& v : y) v = static_cast<T>(normal(random));
      rankloss::context ctx;
      const rankloss::detail::vector_block<const T> rows{x.data(), m, d, d}, others{y.data(), columns, d, d};
      const rankloss::detail::two_way_softmax<xsimd::default_arch, T> softmax(rows, others, t, true, ctx);
      CHECK(softmax.matches() == m);
      const auto product = [&](std::size_t i, std::size_t j) {
        long double sum = 0;
        for (std::size_t k = 0; k < d; ++k)
          sum += static_cast<long double>(x[i * d + k]) * static_cast<long double>(y[j * d + k]);
        return sum;
      };
      const double bound = bound_of<T>(t, 3.0);
      bool near = true;
      const auto check = [&](const auto& line, std::size_t lines, auto&& at) {
        long double top = -std::numeric_limits<long double>::infinity(), total = 0, distance = 0;
        std::vector<long double> s;
        for (std::size_t k = 0; k < lines; ++k)
          if (at(k) != nullptr) s.push_back(*at(k));
        for (const long double v : s) top = std::max(top, v);
        for (const long double v : s) {
          total += std::exp((v - top) / t);
          distance += std::exp((v - top) / t) * (top - v) / t;
        }
        if (s.empty()) {
          near = near && line.total == 0.0 && line.distance == 0.0 &&
                 line.top == std::numeric_limits<T>::lowest();
          return;
        }
        near = near && std::abs(static_cast<double>(line.top - top)) <= bound * t &&
               std::abs(line.total - static_cast<double>(total)) <= bound * static_cast<double>(total) &&
               std::abs(line.distance - static_cast<double>(distance)) <=
                   8 * bound * static_cast<double>(total + distance);
      };
      long double held = 0;
      for (std::size_t i = 0; i < m; ++i)
        check(softmax.rows()[i], columns, [&](std::size_t j) -> const long double* {
          held = product(i, j);
          return i == j ? nullptr : &held;
        });
      CHECK(near);
      near = true;
      for (std::size_t j = 0; j < columns; ++j)
        check(softmax.columns()[j], m, [&](std::size_t i) -> const long double* {
          held = product(i, j);
          return i == j ? nullptr : &held;
        });
      CHECK(near);
      for (std::size_t i = 0; i < m; ++i)
        near = near && std::abs(softmax.match(i) - static_cast<double>(product(i, i))) <= bound * t;
      CHECK(near);
    }
}

TEMPLATE_TEST_CASE("two_way_softmax: info_nce is that of one direction after the other", "", float, double) {
  using T = TestType;
  for (const std::size_t n : lengths)
    for (const double t : {0.01, 0.07, 1.0, 1e3}) {
      if (n > 33 && t != 0.07) continue;  // the sizes of panels, whatever the temperature
      INFO("temperature " << t);
      support::two_ways_agree<T>(info_nce{.temperature = t}, {.rows = n, .columns = n}, bound_of<T>(t));
    }
}

TEMPLATE_TEST_CASE("two_way_softmax: extra columns, weights, reductions and duplicates", "", float, double) {
  using T = TestType;
  for (const reduction how : {reduction::mean, reduction::sum, reduction::mean_of_relevant})
    for (const two_way_shape& shape : {two_way_shape{.rows = 1, .columns = 4},
                                       {.rows = 3, .columns = 20, .duplicates = true},
                                       {.rows = 20, .columns = 33, .duplicates = true, .weights = true},
                                       {.rows = 257, .columns = 257, .duplicates = true, .weights = true},
                                       {.rows = 300, .columns = 613, .weights = true},
                                       {.rows = 257, .columns = 513, .dimension = 1, .constants = 300},
                                       {.rows = 16, .columns = 600, .constants = 590}})
      for (const auto form : {rankloss::positive_share::outside, rankloss::positive_share::inside,
                              rankloss::positive_share::separate}) {
        // For one positive all forms are the same; long lists differ in their panels alone.
        if (shape.rows * shape.columns > 1000 &&
            (how != reduction::mean || form != rankloss::positive_share::outside))
          continue;
        two_way_shape own = shape;
        own.reduction = how;
        support::two_ways_agree<T>(info_nce{.temperature = 0.1, .positives = form}, own, bound_of<T>(0.1));
      }
}

TEMPLATE_TEST_CASE("two_way_softmax: dot products of large components", "", float, double) {
  using T = TestType;
  for (const double size : {1e-3, 10.0, 1e3, 1e6})
    for (const double t : {1.0, 1e3})
      support::two_ways_agree<T>(
          info_nce{.temperature = t * size * size},
          {.rows = 60, .columns = 75, .dimension = 4, .size = size, .similarity = similarity::dot},
          bound_of<T>(t, 10.0));
  // A softmax that is all on the greatest.
  for (const double t : {1e-6, 1e-15})
    support::two_ways_agree<double>(
        info_nce{.temperature = t},
        {.rows = 40, .columns = 40, .dimension = 4, .similarity = similarity::dot}, 1e-8);
}

TEST_CASE("two_way_softmax: temperatures at which the greatest takes all") {
  for (const std::size_t n : {2u, 17u, 300u})
    for (const double t : {1e-6, 1e-4, 1e-3})
      support::two_ways_agree<double>(info_nce{.temperature = t}, {.rows = n, .columns = n},
                                      bound_of<double>(t));
  // What floats leave of similarities may be some temperatures off: values alone.
  for (const double t : {1e-6, 1e-3}) {
    const support::two_way_data<float> data({.rows = 300, .columns = 300});
    const auto found = support::two_way(info_nce{.temperature = t}, data, false);
    const auto right = support::two_way(info_nce{.temperature = t}, data, true);
    CHECK(found.value == Approx(right.value).epsilon(1e-6));
    CHECK(found.temperature == Approx(right.temperature).epsilon(1e-6));
  }
}

TEMPLATE_TEST_CASE("two_way_softmax: the same bits on any number of threads, whatever is asked", "", float,
                   double) {
  for (const std::size_t n : {1u, 17u, 257u, 600u}) {
    support::two_way_has_its_bits<TestType>(info_nce{}, {.rows = n, .columns = n});
    support::two_way_has_its_bits<TestType>(info_nce{.temperature = 1.0},
                                            {.rows = n, .columns = n + 100, .weights = true});
  }
}

TEMPLATE_TEST_CASE("two_way_softmax: finite at the ends of components and temperatures", "", float, double) {
  using T = TestType;
  const double most = std::sqrt(static_cast<double>(std::numeric_limits<T>::max()) / 8);
  for (const double size : {0.0, 1e-30, 1.0, most / 8})
    for (const double t : {1e-15, 1.0, 1e30, 1e300})
      for (const auto kind : {similarity::cosine, similarity::dot}) {
        INFO("components of " << size << ", temperature " << t);
        const support::two_way_data<T> data({.rows = 20,
                                             .columns = 30,
                                             .dimension = 4,
                                             .size = size,
                                             .duplicates = true,
                                             .similarity = kind});
        for (const bool one_after_the_other : {false, true}) {
          const auto found = support::two_way(info_nce{.temperature = t}, data, one_after_the_other);
          bool finite = std::isfinite(found.value) && std::isfinite(found.temperature);
          for (const double v : found.per_list) finite = finite && std::isfinite(v);
          for (const T v : found.x) finite = finite && std::isfinite(v);
          for (const T v : found.y) finite = finite && std::isfinite(v);
          INFO(one_after_the_other << ' ' << found.value << ' ' << found.temperature);
          CHECK(finite);
        }
      }
}

TEST_CASE("two_way_softmax: similarities further apart than the largest number has slopes of the limit") {
  const double big = 0.99 * std::sqrt(std::numeric_limits<double>::max() / 2);
  const std::vector<double> x{big, -big};
  for (const bool right : {true, false})
    for (const double t : {1e-15, 1.0, 1e30}) {
      const std::vector<double> y{right ? big : -big, right ? -big : big};
      double slope = 7.0;
      std::vector<double> g(2), h(2);
      const double value =
          rankloss::evaluate(info_nce{.temperature = t},
                             rankloss::embedding_batch<double>{.row_embeddings = x,
                                                               .column_embeddings = y,
                                                               .rows = 2,
                                                               .columns = 2,
                                                               .dimension = 1,
                                                               .similarity = similarity::dot},
                             {.row_gradient = g, .column_gradient = h, .temperature_gradient = &slope});
      const double limit = std::min(1e290, 4 * big * (big / 4 / t) * 2);
      CHECK(value == Approx(right ? 0.0 : limit));
      CHECK(slope == Approx(right ? 0.0 : -limit / t));
      CHECK((g[0] == 0.0) == right);
      CHECK(std::isfinite(g[0] + g[1] + h[0] + h[1]));
    }
}

}  // namespace detail_embeddings_two_way_softmax_test
