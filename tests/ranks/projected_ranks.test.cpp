// SPDX-License-Identifier: BSL-1.0
#include <rankloss/ranks/projected_ranks.hpp>

#include "support/projection_reference.hpp"
#include "vectors/projected_vectors.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <span>
#include <stdexcept>
#include <vector>

namespace ranks_projected_ranks_test {

using rankloss::context;
using rankloss::projected_ranks;
using rankloss::regularization;
using rankloss::sort_direction;
using reference::real;

namespace {

template <class T>
using cspan = std::span<const T>;

constexpr regularization both[] = {regularization::quadratic, regularization::entropic};
constexpr sort_direction directions[] = {sort_direction::descending, sort_direction::ascending};

template <class T>
std::vector<T> ranks_of(const projected_ranks& how, const std::vector<T>& s) {
  context ctx;
  std::vector<T> out(s.size());
  rank(how, cspan<T>(s), std::span(out), ctx);
  return out;
}
template <class T>
std::vector<T> pulled(const projected_ranks& how, const std::vector<T>& s, const std::vector<T>& c) {
  context ctx;
  std::vector<T> out(s.size());
  rank_pullback(how, cspan<T>(s), cspan<T>(c), std::span(out), ctx);
  return out;
}
template <class T>
std::vector<T> pushed(const projected_ranks& how, const std::vector<T>& s, const std::vector<T>& c) {
  context ctx;
  std::vector<T> out(s.size());
  rank_push(how, cspan<T>(s), cspan<T>(c), std::span(out), ctx);
  return out;
}

}  // namespace

TEMPLATE_TEST_CASE("projected_ranks: ranks and derivatives are those of the definition", "", float, double) {
  using T = TestType;
  constexpr bool single = sizeof(T) == 4;
  std::mt19937_64 random(11);
  std::normal_distribution<double> normal;
  for (const regularization kind : both)
    for (const sort_direction direction : directions)
      for (const double temperature : {1e-3, 0.03, 0.3, 1.0, 20.0})
        for (const std::size_t n : {1, 2, 3, 5, 17, 40}) {
          std::vector<T> s(n), c(n);
          for (T& x : s)
            x = static_cast<T>(random() % 3 == 0 ? 0.37 * std::round(3 * normal(random)) : normal(random));
          for (T& x : c) x = static_cast<T>(normal(random));
          const projected_ranks how{
              .temperature = temperature, .direction = direction, .regularization = kind};
          const auto plain = [&](const std::vector<real>& x) {
            return reference::projected_ranks(kind, direction, temperature, x);
          };
          const std::vector<real> x = reference::widen(s);
          INFO("entropic " << (kind == regularization::entropic) << ", ascending "
                           << (direction == sort_direction::ascending) << ", n " << n << ", temperature "
                           << temperature);
          CHECK(reference::relative_error(ranks_of(how, s), plain(x)) <= (single ? 1.2e-7 : 1e-14));
          const auto jacobian = reference::jacobian(plain, x, 1e-5L * temperature);
          CHECK(reference::relative_error(pulled(how, s, c), reference::product_from_left(jacobian, c),
                                          0.1L / temperature) <= (single ? 2e-7 : 1e-9));
          CHECK(reference::relative_error(pushed(how, s, c), reference::product(jacobian, c),
                                          0.1L / temperature) <= (single ? 2e-7 : 1e-9));
        }
}

TEST_CASE("projected_ranks: blocks begin and end where they should") {
  // Two scores have hard ranks from a gap of 1 on, entropic ones from log 2 on.
  const double temperature = 0.5;
  const projected_ranks quadratic{.temperature = temperature},
      entropic{.temperature = temperature, .regularization = regularization::entropic};
  for (const double factor : {0.99, 0.9999, 1.0001, 1.01}) {
    const std::vector<double> linear = ranks_of(quadratic, std::vector<double>{temperature * factor, 0.0});
    const double logarithm = factor * std::log(2.0);
    const std::vector<double> ratio = ranks_of(entropic, std::vector<double>{temperature * logarithm, 0.0});
    CHECK(linear[1] - linear[0] == Approx(std::min(factor, 1.0)).epsilon(1e-14));
    CHECK(ratio[1] / ratio[0] == Approx(std::min(std::exp(logarithm), 2.0)).epsilon(1e-14));
  }
  // Spacings about as far apart as ranks: blocks of all sizes.
  std::mt19937_64 random(21);
  std::normal_distribution<double> normal;
  for (const regularization kind : both)
    for (const double spacing : {0.02, 0.1, 0.5, 1.0}) {
      std::vector<double> s(150), c(150);
      for (std::size_t i = 0; i < s.size(); ++i) s[i] = spacing * (static_cast<double>(i) + normal(random));
      for (double& x : c) x = normal(random);
      const auto plain = [&](const std::vector<real>& x) {
        return reference::projected_ranks(kind, sort_direction::descending, 1, x);
      };
      const projected_ranks how{.regularization = kind};
      CHECK(reference::relative_error(ranks_of(how, s), plain(reference::widen(s))) <= 1e-14);
      CHECK(reference::relative_error(
                pulled(how, s, c), reference::product_from_left(
                                       reference::jacobian(plain, reference::widen(s), 1e-6L), c)) <= 1e-9);
    }
}

TEST_CASE("projected_ranks: what fast-soft-sort and torchsort give") {
  for (const peers::projection& peer : peers::soft_ranks) {
    const projected_ranks how{
        .temperature = peer.temperature, .direction = peer.direction, .regularization = peer.regularization};
    const std::vector<double> s(peer.scores.begin(), peer.scores.end()),
        c(peer.cotangent.begin(), peer.cotangent.end());
    const std::vector<double> ranks = ranks_of(how, s), gradient = pulled(how, s, c);
    for (std::size_t i = 0; i < s.size(); ++i) {
      CHECK(ranks[i] == Approx(peer.value[i]).margin(1e-13));
      CHECK(gradient[i] == Approx(peer.gradient[i]).margin(1e-13));
    }
  }
  // The ones of their documentation.
  const auto ascending = [](double temperature, regularization kind, const std::vector<double>& s) {
    return ranks_of(
        projected_ranks{
            .temperature = temperature, .direction = sort_direction::ascending, .regularization = kind},
        s);
  };
  const std::vector<double> s{5, 1, 2};
  CHECK(ascending(2, regularization::quadratic, s) == std::vector<double>{3, 1.25, 1.75});
  CHECK(ascending(1, regularization::quadratic, s) == std::vector<double>{3, 1, 2});
  const std::vector<double> entropic = ascending(2, regularization::entropic, s);
  CHECK(entropic[0] == 3.0);
  CHECK(entropic[1] == Approx(3 / (1 + std::exp(0.5))));  // 1.13262
  CHECK(entropic[2] == Approx(3 / (1 + std::exp(-0.5))));
  const std::vector<double> readme = ascending(1, regularization::quadratic, {1, -2, 2, 3, 0.5, -1});
  const std::vector<double> expected{3.875, 1, 4.875, 5.875, 3.375, 2};
  for (std::size_t i = 0; i < 6; ++i) CHECK(readme[i] == Approx(expected[i]).epsilon(1e-15));
}

TEST_CASE("projected_ranks: direction and base") {
  const std::vector<double> s{0.3, -1.0, 2.0, 0.5, 0.5}, c{1, -2, 0.5, 3, 0};
  for (const regularization kind : both) {
    const projected_ranks one{.temperature = 0.7, .regularization = kind},
        zero{.temperature = 0.7, .base = 0.0, .regularization = kind};
    const std::vector<double> from_one = ranks_of(one, s), from_zero = ranks_of(zero, s);
    for (std::size_t i = 0; i < 5; ++i) CHECK(from_one[i] - 1.0 == Approx(from_zero[i]).margin(1e-15));
    CHECK(pulled(one, s, c) == pulled(zero, s, c));
    double sum = 0;
    for (const double r : from_one) sum += r;
    CHECK(sum == Approx(15.0).epsilon(1e-15));
  }
  const std::vector<double> down = ranks_of(projected_ranks{.temperature = 0.7}, s);
  const std::vector<double> up =
      ranks_of(projected_ranks{.temperature = 0.7, .direction = sort_direction::ascending}, s);
  for (std::size_t i = 0; i < 5; ++i) CHECK(down[i] + up[i] == Approx(6.0).epsilon(1e-15));
  CHECK(down[3] == down[4]);
}

// torchsort has NaN in float where the spread is some 90 temperatures or more.
TEMPLATE_TEST_CASE("projected_ranks: entropic ranks of any spread", "", float, double) {
  using T = TestType;
  for (const sort_direction direction : directions)
    for (const T spread : {T{90}, T{1e4}, T{1e6}}) {
      const projected_ranks how{.direction = direction, .regularization = regularization::entropic};
      std::vector<T> s{0, spread, T{0.125}, -spread, spread, T{0.1875}, spread / 2, T{-0.5}};
      const std::vector<T> c{1, -2, 3, 0.5, 2, -1, 0, 4};
      const auto plain = [&](const std::vector<real>& x) {
        return reference::projected_ranks(how.regularization, direction, 1, x);
      };
      const std::vector<real> x = reference::widen(s);
      const std::vector<T> ranks = ranks_of(how, s), gradient = pulled(how, s, c);
      CHECK(reference::relative_error(ranks, plain(x)) <= (sizeof(T) == 4 ? 1e-7 : 1e-12));
      CHECK(reference::relative_error(
                gradient, reference::product_from_left(reference::jacobian(plain, x, 1e-6L), c)) <= 1e-6);
      CHECK(std::abs(gradient[0]) > T{0.125});
      // Those between do not see how far away the others are.
      for (T& score : s)
        if (std::abs(score) > 1) score *= static_cast<T>(1e32);
      CHECK(ranks_of(how, s) == ranks);
      CHECK(pulled(how, s, c) == gradient);
    }
  // Far apart: hard, without a slope.
  const projected_ranks how{.temperature = 1e-4, .regularization = regularization::entropic};
  CHECK(ranks_of(how, std::vector<T>{3, 1, 2}) == std::vector<T>{1, 3, 2});
  CHECK(pulled(how, std::vector<T>{3, 1, 2}, std::vector<T>{1, 2, 4}) == std::vector<T>{0, 0, 0});
}

TEMPLATE_TEST_CASE("projected_ranks: any finite or infinite score has a rank, at any temperature", "", float,
                   double) {
  using T = TestType;
  constexpr T huge = static_cast<T>(3e38);
  constexpr T most = std::numeric_limits<T>::max();
  constexpr T infinity = std::numeric_limits<T>::infinity();
  const std::vector<T> s{huge, -huge, 0, infinity, -infinity, infinity, 1, most}, c{1, 2, 3, 4, 5, 6, 7, 8};
  for (const regularization kind : both)
    for (const double temperature : {1e-15, 1e-3, 1.0, 1e37, 1e39, 1e300}) {
      const projected_ranks how{.temperature = temperature, .regularization = kind};
      const std::vector<T> ranks = ranks_of(how, s), gradient = pulled(how, s, c);
      double sum = 0;
      for (const T r : ranks) sum += static_cast<double>(r);
      CHECK(sum == Approx(36.0));
      CHECK(std::all_of(gradient.begin(), gradient.end(), [](T g) { return std::isfinite(g); }));
      CHECK(ranks[3] == ranks[5]);
      CHECK(ranks[3] == ranks[7]);
      CHECK(ranks[3] <= ranks[0]);
      CHECK(ranks[0] <= ranks[6]);
      CHECK(ranks[1] <= ranks[4]);
      if (temperature <= 1e-3) CHECK(static_cast<double>(ranks[2]) == 6.0);
      if (temperature == 1e300 && sizeof(T) == 4) CHECK(static_cast<double>(ranks[4]) == Approx(4.5));
    }
  // Differences of neighbours decide, however large the scores beside them.
  const std::vector<double> far{1e16, 0.5, 0.0, -1e16};
  const std::vector<double> ranks = ranks_of(projected_ranks{}, far);
  CHECK(ranks == std::vector<double>{1, 2.25, 2.75, 4});

  const std::vector<T> equal(7, T{3}), one{T{2}}, none;
  for (const regularization kind : both) {
    for (const T r : ranks_of(projected_ranks{.regularization = kind}, equal))
      CHECK(static_cast<double>(r) == Approx(4.0));
    CHECK(ranks_of(projected_ranks{.regularization = kind}, one) == std::vector<T>{1});
    CHECK(pulled(projected_ranks{.regularization = kind}, one, one) == std::vector<T>{0});
    CHECK(ranks_of(projected_ranks{.regularization = kind}, none).empty());
    CHECK(pulled(projected_ranks{.regularization = kind}, none, none).empty());
  }
}

TEST_CASE("projected_ranks: long lists keep the sum, the order and a gradient that sums to 0") {
  std::mt19937_64 random(3);
  std::normal_distribution<double> normal;
  const std::size_t n = 100000;
  std::vector<double> s(n), c(n);
  for (double& x : s) x = normal(random);
  for (double& x : c) x = 100 + normal(random);
  const std::vector<double> constant(n, 0.3);
  std::vector<std::size_t> order(n);
  for (std::size_t i = 0; i < n; ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return s[i] > s[j]; });
  for (const regularization kind : both)
    for (const double temperature : {1e-7, 1e-5, 1e-4, 1.0}) {
      const projected_ranks how{.temperature = temperature, .regularization = kind};
      const std::vector<double> ranks = ranks_of(how, s), gradient = pulled(how, s, c);
      real sum = 0, balance = 0, size = 0;
      for (const double r : ranks) sum += r;
      for (const double g : gradient) {
        balance += g;
        size += std::abs(g);
      }
      CHECK(static_cast<double>(sum / (0.5L * n * (n + 1))) == Approx(1.0).epsilon(1e-12));
      CHECK(static_cast<double>(std::abs(balance)) <= 1e-12 * static_cast<double>(size));
      std::size_t falls = 0;
      for (std::size_t i = 1; i < n; ++i) falls += ranks[order[i]] < ranks[order[i - 1]] - 1e-9 ? 1 : 0;
      CHECK(falls == 0);
      CHECK(pulled(how, s, constant) == std::vector<double>(n, 0.0));
    }
}

TEST_CASE("projected_ranks: what does not fit is named") {
  context ctx;
  const std::vector<double> s{1, 2, 0};
  std::vector<double> out(3);
  using Catch::Matchers::Message;
  CHECK_THROWS_MATCHES(rank(projected_ranks{.temperature = 0}, cspan<double>(s), std::span(out), ctx),
                       std::invalid_argument, Message("rankloss: temperature: 0, expected 1e-15 to 1e300"));
  CHECK_THROWS_MATCHES(rank(projected_ranks{.base = std::nan("")}, cspan<double>(s), std::span(out), ctx),
                       std::invalid_argument, Message("rankloss: base: nan, expected a finite number"));
  CHECK(out == std::vector<double>(3, 0.0));
}

TEST_CASE("projected_ranks: derivatives that a float cannot hold are the largest one that it can") {
  const std::vector<float> s{0.25f, 0.25f}, cotangent{1e30f, -1e30f};
  std::vector<float> g(2);
  rankloss::rank_pullback(rankloss::projected_ranks{.temperature = 1e-15}, s, cotangent, g);
  CHECK(g[0] == -std::numeric_limits<float>::max());
  CHECK(g[1] == std::numeric_limits<float>::max());
}

}  // namespace ranks_projected_ranks_test
