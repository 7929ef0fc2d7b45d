// SPDX-License-Identifier: BSL-1.0
#include <rankloss/sorts/projected_sort.hpp>

#include "support/projection_reference.hpp"
#include "vectors/projected_vectors.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <random>
#include <span>
#include <stdexcept>
#include <vector>

namespace sorts_projected_sort_test {

using rankloss::context;
using rankloss::projected_sort;
using rankloss::regularization;
using rankloss::sort_direction;
using reference::real;

namespace {

template <class T>
using cspan = std::span<const T>;

constexpr regularization both[] = {regularization::quadratic, regularization::entropic};
constexpr sort_direction directions[] = {sort_direction::descending, sort_direction::ascending};

template <class T>
std::vector<T> sorted(const projected_sort& how, const std::vector<T>& s) {
  context ctx;
  std::vector<T> out(s.size());
  sort_values(how, cspan<T>(s), std::span(out), ctx);
  return out;
}
template <class T>
std::vector<T> pulled(const projected_sort& how, const std::vector<T>& s, const std::vector<T>& c) {
  context ctx;
  std::vector<T> out(s.size());
  sort_values_pullback(how, cspan<T>(s), cspan<T>(c), std::span(out), ctx);
  return out;
}
template <class T>
std::vector<T> pushed(const projected_sort& how, const std::vector<T>& s, const std::vector<T>& c) {
  context ctx;
  std::vector<T> out(s.size());
  sort_values_push(how, cspan<T>(s), cspan<T>(c), std::span(out), ctx);
  return out;
}

std::vector<double> vector_of(const peers::five& numbers) { return {numbers.begin(), numbers.end()}; }

/// d(sum_i c_i value_i) / d(s_k) by central differences of sort_values itself.
std::vector<double> differences(const projected_sort& how, std::vector<double> s,
                                const std::vector<double>& c) {
  constexpr double step = 1e-5;
  std::vector<double> gradient(s.size(), 0.0);
  for (std::size_t k = 0; k < s.size(); ++k) {
    const double at = s[k];
    s[k] = at + step;
    const std::vector<double> above = sorted(how, s);
    s[k] = at - step;
    const std::vector<double> below = sorted(how, s);
    s[k] = at;
    for (std::size_t i = 0; i < s.size(); ++i) gradient[k] += c[i] * (above[i] - below[i]) / (2 * step);
  }
  return gradient;
}

}  // namespace

TEMPLATE_TEST_CASE("projected_sort: values and derivatives are those of the definition", "", float, double) {
  using T = TestType;
  constexpr bool single = sizeof(T) == 4;
  std::mt19937_64 random(12);
  std::normal_distribution<double> normal;
  for (const regularization kind : both)
    for (const sort_direction direction : directions)
      for (const double temperature : {1e-3, 0.1, 1.0, 10.0, 1e3})
        for (const std::size_t n : {1, 2, 3, 5, 17, 40}) {
          std::vector<T> s(n), c(n);
          for (T& x : s) x = static_cast<T>(3 * normal(random));
          for (T& x : c) x = static_cast<T>(normal(random));
          const projected_sort how{
              .temperature = temperature, .direction = direction, .regularization = kind};
          const auto plain = [&](const std::vector<real>& x) {
            return reference::projected_sort(kind, direction, temperature, x);
          };
          const std::vector<real> x = reference::widen(s);
          INFO("entropic " << (kind == regularization::entropic) << ", ascending "
                           << (direction == sort_direction::ascending) << ", n " << n << ", temperature "
                           << temperature);
          CHECK(reference::relative_error(sorted(how, s), plain(x), 1) <= (single ? 1e-7 : 1e-13));
          const auto jacobian = reference::jacobian(plain, x, 1e-6L);
          CHECK(reference::relative_error(pulled(how, s, c), reference::product_from_left(jacobian, c), 1) <=
                (single ? 2e-7 : 1e-8));
          CHECK(reference::relative_error(pushed(how, s, c), reference::product(jacobian, c), 1) <=
                (single ? 2e-7 : 1e-8));
        }
}

TEST_CASE("projected_sort: gaps are kept up to 1 / temperature") {
  for (const regularization kind : both)
    for (const sort_direction direction : directions)
      for (const double gap : {0.1, 1.99, 1.9999, 2.0001, 2.01, 50.0}) {
        const std::vector<double> values =
            sorted({.temperature = 0.5, .direction = direction, .regularization = kind},
                   std::vector<double>{7.0, 7.0 + gap});
        CHECK(std::abs(values[1] - values[0]) == Approx(std::min(gap, 2.0)).epsilon(1e-13));
      }
}

TEST_CASE("projected_sort: what fast-soft-sort and torchsort give") {
  for (const peers::projection& peer : peers::soft_sorts) {
    const projected_sort how{
        .temperature = peer.temperature, .direction = peer.direction, .regularization = peer.regularization};
    const std::vector<double> s = vector_of(peer.scores), values = sorted(how, s),
                              gradient = pulled(how, s, vector_of(peer.cotangent));
    for (std::size_t i = 0; i < s.size(); ++i) {
      CHECK(values[i] == Approx(peer.value[i]).margin(3e-15 * 5 / peer.temperature));
      CHECK(gradient[i] == Approx(peer.gradient[i]).margin(1e-8));
    }
  }
  // The ones of their documentation.
  const projected_sort quadratic{.direction = sort_direction::ascending};
  const projected_sort entropic{.direction = sort_direction::ascending,
                                .regularization = regularization::entropic};
  const std::vector<double> three = sorted(quadratic, std::vector<double>{5, 1, 2}),
                            nine = sorted(quadratic, std::vector<double>{8, 0, 5, 3, 2, 1, 6, 7, 9});
  for (std::size_t i = 0; i < 3; ++i) CHECK(three[i] == Approx(5.0 / 3 + static_cast<double>(i)));  // 1.6667
  for (std::size_t i = 0; i < 9; ++i) CHECK(nine[i] == Approx(5.0 / 9 + static_cast<double>(i)));   // 0.5556
  const auto first = [](double z) {
    return -std::log(std::exp(-5.0) + std::exp(-1.0) + std::exp(-2.0)) +
           std::log(1 + std::exp(-z) + std::exp(-2 * z));
  };
  const std::vector<double> wide = sorted(entropic, std::vector<double>{5, 1, 2});
  for (std::size_t i = 0; i < 3; ++i) CHECK(wide[i] == Approx(first(1) + static_cast<double>(i)));  // 1.08104
  CHECK(wide[0] == Approx(1.08104).epsilon(1e-5));
  const std::vector<double> narrow = sorted(
      {.temperature = 2, .direction = sort_direction::ascending, .regularization = regularization::entropic},
      std::vector<double>{5, 1, 2});
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(narrow[i] == Approx(first(0.5) + 0.5 * static_cast<double>(i)));  // 1.3537
  // Entropic values close up around the first.
  const std::vector<double> collapsed = sorted(entropic, std::vector<double>{0, 50, 100});
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(collapsed[i] ==
          Approx(std::log(1 + std::exp(-1.0) + std::exp(-2.0)) + static_cast<double>(i)));  // 0.41
}

TEST_CASE("projected_sort: the entropic derivative is that of the values, where fast-soft-sort's is not") {
  const std::vector<double> s = vector_of(peers::projected::first),
                            c = vector_of(peers::projected::fast_soft_sort);
  for (const sort_direction direction : directions) {
    const projected_sort how{
        .temperature = 10, .direction = direction, .regularization = regularization::entropic};
    const peers::five& wrong =
        direction == sort_direction::ascending ? peers::wrong_ascending : peers::wrong_descending;
    const std::vector<double> gradient = pulled(how, s, c), difference = differences(how, s, c);
    const double sign = direction == sort_direction::ascending ? -1.0 : 1.0;
    double sum = 0, largest = 0;
    for (const double x : s) sum += std::exp(sign * x);
    for (std::size_t k = 0; k < s.size(); ++k) {
      CHECK(gradient[k] == Approx(difference[k]).epsilon(1e-8));
      CHECK(
          gradient[k] ==
          Approx(1.5 * std::exp(sign * s[k]) / sum).epsilon(1e-14));  // one block: softmax times the sum of c
      largest = std::max(largest, std::abs(gradient[k] - wrong[k]));
    }
    CHECK(largest > 0.1);  // 0.24 ascending, 0.23 descending
  }
  // Several blocks.
  std::mt19937_64 random(5);
  std::normal_distribution<double> normal;
  for (const sort_direction direction : directions)
    for (const double temperature : {0.5, 1.0, 2.0, 10.0}) {
      std::vector<double> x(12), y(12);
      for (double& v : x) v = 3 * normal(random);
      for (double& v : y) v = normal(random);
      const projected_sort how{
          .temperature = temperature, .direction = direction, .regularization = regularization::entropic};
      const std::vector<double> gradient = pulled(how, x, y), difference = differences(how, x, y);
      for (std::size_t k = 0; k < 12; ++k) CHECK(gradient[k] == Approx(difference[k]).margin(1e-8));
    }
}

TEMPLATE_TEST_CASE("projected_sort: any finite or infinite score has a place, at any temperature", "", float,
                   double) {
  using T = TestType;
  constexpr T huge = static_cast<T>(3e38);
  constexpr T most = std::numeric_limits<T>::max();
  constexpr T infinity = std::numeric_limits<T>::infinity();
  const std::vector<T> s{huge, -huge, 0, infinity, -infinity, infinity, 1, most}, c{1, 2, 3, 4, 5, 6, 7, 8};
  const auto finite = [](T x) { return std::isfinite(x); };
  for (const regularization kind : both)
    for (const sort_direction direction : directions)
      for (const double temperature : {1e-15, 1e-3, 1.0, 1e37, 1e300}) {
        const projected_sort how{.temperature = temperature, .direction = direction, .regularization = kind};
        const std::vector<T> values = sorted(how, s), gradient = pulled(how, s, c),
                             change = pushed(how, s, c);
        INFO("entropic " << (kind == regularization::entropic) << ", ascending "
                         << (direction == sort_direction::ascending) << ", temperature " << temperature);
        CHECK(std::all_of(values.begin(), values.end(), finite));
        CHECK(std::all_of(gradient.begin(), gradient.end(), finite));
        CHECK(std::all_of(change.begin(), change.end(), finite));
        if (direction == sort_direction::descending)
          CHECK(std::is_sorted(values.begin(), values.end(), std::greater<>()));
        else
          CHECK(std::is_sorted(values.begin(), values.end()));
      }
  // Mixed all together: the mean of what is there.
  const std::vector<T> opposite{most, -most, infinity, -infinity};
  for (const T v : sorted(projected_sort{}, opposite))
    CHECK(std::abs(static_cast<double>(v)) <= 1e-15 * static_cast<double>(most));
  // z farther apart than the scores: a hard sort, exactly.
  const std::vector<T> some{3, -1, 2, 2, 0};
  for (const regularization kind : both) {
    CHECK(sorted({.temperature = 1e-3, .regularization = kind}, some) == std::vector<T>{3, 2, 2, 0, -1});
    CHECK(sorted({.temperature = 1e-3, .direction = sort_direction::ascending, .regularization = kind},
                 some) == std::vector<T>{-1, 0, 2, 2, 3});
    const std::vector<T> gradient =
        pulled({.temperature = 1e-3, .regularization = kind}, some, std::vector<T>{1, 2, 4, 8, 16});
    CHECK(gradient == std::vector<T>{1, 16, 2, 4, 8});
    CHECK(pushed({.temperature = 1e-3, .regularization = kind}, some, std::vector<T>{1, 2, 4, 8, 16}) ==
          std::vector<T>{1, 4, 8, 16, 2});
    const std::vector<T> equal(7, T{3}), one{T{2}}, none;
    for (const T v : sorted({.temperature = 1e6, .regularization = kind}, equal))
      CHECK(static_cast<double>(v) == Approx(3.0));
    CHECK(sorted({.regularization = kind}, one) == one);
    CHECK(pulled({.regularization = kind}, one, one) == one);
    CHECK(sorted({.regularization = kind}, none).empty());
    CHECK(pulled({.regularization = kind}, none, none).empty());
    CHECK(pushed({.regularization = kind}, none, none).empty());
  }
}

TEST_CASE("projected_sort: what is kept") {
  std::mt19937_64 random(4);
  std::normal_distribution<double> normal;
  const std::size_t n = 20000;
  std::vector<double> s(n), c(n);
  for (double& x : s) x = normal(random);
  for (double& x : c) x = normal(random);
  real sum = 0, exponentials = 0, of_c = 0;
  for (const double x : s) {
    sum += x;
    exponentials += std::exp(real(x));
  }
  for (const double x : c) of_c += x;
  for (const double temperature : {10.0, 1e3, 1e4, 1e6}) {
    real values = 0, values_exponentials = 0;
    const std::vector<double> quadratic = sorted({.temperature = temperature}, s);
    const std::vector<double> entropic =
        sorted({.temperature = temperature, .regularization = regularization::entropic}, s);
    for (const double v : quadratic) values += v;
    for (const double v : entropic) values_exponentials += std::exp(real(v));
    CHECK(static_cast<double>(values) == Approx(static_cast<double>(sum)).margin(1e-9));
    CHECK(static_cast<double>(values_exponentials / exponentials) == Approx(1.0).epsilon(1e-12));
    CHECK(std::is_sorted(quadratic.begin(), quadratic.end(), std::greater<>()));
    for (const regularization kind : both) {
      const projected_sort how{.temperature = temperature, .regularization = kind};
      real total = 0;
      for (const double g : pulled(how, s, c)) total += g;
      CHECK(static_cast<double>(total) ==
            Approx(static_cast<double>(of_c)).margin(1e-9));  // it shifts with the scores
    }
  }
}

TEST_CASE("projected_sort: what does not fit is named") {
  context ctx;
  std::vector<double> s{1, 2, std::nan("")}, out(3), short_out(2);
  const std::vector<double> ones(3, 1.0);
  using Catch::Matchers::Message;
  CHECK_THROWS_MATCHES(sort_values(projected_sort{}, cspan<double>(s), std::span(out), ctx),
                       std::invalid_argument, Message("rankloss: scores: nan at item 2, expected a number"));
  s[2] = 0;
  CHECK_THROWS_MATCHES(sort_values(projected_sort{}, cspan<double>(s), std::span(short_out), ctx),
                       std::invalid_argument,
                       Message("rankloss: values: size 2, expected 3 (one per score)"));
  CHECK_THROWS_MATCHES(sort_values(projected_sort{.temperature = 0}, cspan<double>(s), std::span(out), ctx),
                       std::invalid_argument, Message("rankloss: temperature: 0, expected 1e-15 to 1e300"));
  CHECK_THROWS_MATCHES(sort_values_pullback(projected_sort{}, cspan<double>(s), cspan<double>(ones),
                                            std::span(short_out), ctx),
                       std::invalid_argument,
                       Message("rankloss: gradient: size 2, expected 3 (one per score)"));
  CHECK_THROWS_MATCHES(
      sort_values_push(projected_sort{}, cspan<double>(s), cspan<double>(short_out), std::span(out), ctx),
      std::invalid_argument, Message("rankloss: tangent: size 2, expected 3 (one per score)"));
  CHECK(out == std::vector<double>(3, 0.0));
}

TEST_CASE("projected_sort: vectors as they are, without a context") {
  context ctx;
  const projected_sort how{.temperature = 0.5};
  const std::vector<double> s{0.5, -1, 2}, c{1, 0, 2};
  std::vector<double> expected(3), found(3);
  sort_values(how, cspan<double>(s), std::span(expected), ctx);
  sort_values(how, s, found);
  CHECK(found == expected);
  sort_values_pullback(how, cspan<double>(s), cspan<double>(c), std::span(expected), ctx);
  sort_values_pullback(how, s, c, found);
  CHECK(found == expected);
  sort_values_push(how, cspan<double>(s), cspan<double>(c), std::span(expected), ctx);
  sort_values_push(how, s, c, found);
  CHECK(found == expected);
}

}  // namespace sorts_projected_sort_test
