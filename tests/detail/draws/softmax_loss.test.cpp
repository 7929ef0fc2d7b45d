// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/draws/softmax_loss.hpp>

#include <rankloss/workspace.hpp>

#include "support/listwise_reference.hpp"
#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <span>
#include <stdexcept>
#include <vector>

namespace detail_draws_softmax_loss_test {

namespace {

using arch = xsimd::default_arch;
using rankloss::strided;
using rankloss::workspace;
using rankloss::detail::softmax_loss;
using reference::real;

constexpr std::size_t w = rankloss::detail::lane_count<arch>;

template <class T>
strided<const T> view(const std::vector<T>& items) {
  return {items.data(), items.size()};
}

/// The numbers of a target as it is read, row by row; lanes without an item are checked to be 0.
template <class Target>
std::vector<double> rows_of(const Target& target, std::size_t n) {
  using V = rankloss::detail::lanes<arch>;
  std::vector<double> numbers;
  target.visit([&](const auto& at) {
    rankloss::detail::for_rows<arch>(n, [&](std::size_t i, auto count) {
      alignas(64) double row[w];
      V(at(i, count)).store_aligned(row);
      for (std::size_t l = 0; l < w; ++l)
        if (l < count)
          numbers.push_back(row[l]);
        else
          CHECK(row[l] == 0.0);
    });
  });
  return numbers;
}

double sum_of(const std::vector<double>& numbers) {
  double sum = 0.0;
  for (const double x : numbers) sum += x;
  return sum;
}

/// The numbers of a target and their mass, in the units that it chooses.
struct scaled_numbers {
  std::vector<double> v;
  double total, mass;
};
template <class Target>
scaled_numbers numbers_of(Target target, std::size_t n) {
  std::vector<double> v = rows_of(target, n);
  while (target.rescale(sum_of(v))) v = rows_of(target, n);
  const double total = sum_of(v);
  return {v, total, target.mass(total)};
}

auto target_of(const std::vector<double>& v, workspace& scratch) {
  return rankloss::detail::target_of_relevance<arch>(view(v), {}, scratch);
}

/// A mass, whatever the target is.
auto always(double mass) {
  return [mass](const auto&, double) { return mass; };
}

}  // namespace

TEMPLATE_TEST_CASE("softmax_loss: the target of relevance is what is positive, times the weights", "", float,
                   double, int) {
  std::mt19937_64 random(1);
  for (std::size_t n = 1; n <= 2 * w + 1; ++n) {
    std::vector<TestType> y = support::whole_numbers<TestType>(random, n, 6);
    for (TestType& x : y) x = static_cast<TestType>(x - TestType{2});
    const auto weights = support::whole_numbers<double>(random, n, 3);
    std::vector<double> plain, weighted;
    for (std::size_t i = 0; i < n; ++i) {
      plain.push_back(std::max(static_cast<double>(y[i]), 0.0));
      weighted.push_back(plain[i] * weights[i]);
    }
    workspace scratch;
    CHECK(numbers_of(rankloss::detail::target_of_relevance<arch>(view(y), {}, scratch), n).v == plain);
    CHECK(numbers_of(rankloss::detail::target_of_relevance<arch>(view(y), view(weights), scratch), n).v ==
          weighted);
  }
  workspace scratch;
  const std::vector<double> huge{1e308, 1.0};
  const auto scaled =
      numbers_of(rankloss::detail::target_of_relevance<arch>(view(huge), view(huge), scratch), 2);
  CHECK(scaled.v[1] == 0.0);  // 1e-616 of the other
  CHECK(scaled.mass == rankloss::detail::largest_term);
}

TEST_CASE("softmax_loss: products of weight and relevance of any size have the right shares") {
  workspace scratch;
  const std::vector<double> y{1, 0, 3, 2}, w0{2, 1, 1, 2};
  const std::vector<double> shares{2.0 / 9, 0, 3.0 / 9, 4.0 / 9};
  for (const int of_y : {0, 1020, -1060})
    for (const int of_w : {0, 1020, -1060}) {
      INFO("relevance times 2^" << of_y << ", weights times 2^" << of_w);
      std::vector<double> relevance = y, weights = w0;
      for (double& x : relevance) x = std::ldexp(x, of_y);
      for (double& x : weights) x = std::ldexp(x, of_w);
      const workspace::scope scope(scratch);
      const auto target =
          numbers_of(rankloss::detail::target_of_relevance<arch>(view(relevance), view(weights), scratch), 4);
      for (std::size_t i = 0; i < 4; ++i)
        CHECK(target.v[i] / target.total == Approx(shares[i]).epsilon(1e-15));
      CHECK(target.mass ==
            Approx(std::min(std::ldexp(9.0, of_y + of_w), rankloss::detail::largest_term)).epsilon(1e-15));
    }
}

TEST_CASE("softmax_loss: products that stay tiny when weights and relevance are near 1 have their shares") {
  workspace scratch;
  const std::vector<double> y{1, 1e-300, 0}, weights{1e-300, 3, 1};
  const auto target =
      numbers_of(rankloss::detail::target_of_relevance<arch>(view(y), view(weights), scratch), 3);
  CHECK(target.v[0] / target.total == Approx(0.25).epsilon(1e-15));
  CHECK(target.v[1] / target.total == Approx(0.75).epsilon(1e-15));
  CHECK(1.0 / target.total < std::numeric_limits<double>::max());
  CHECK(target.mass == Approx(4e-300).epsilon(1e-15).margin(0));
}

TEMPLATE_TEST_CASE("softmax_loss: the target of a softmax is relative to the greatest that weighs something",
                   "", float, double) {
  const std::vector<float> y{1.0F, 4.0F, -2.0F, 9.0F, 1.0F};
  const std::vector<double> weights{1, 2, 0.5, 0, 1};
  workspace scratch;
  const auto plain =
      numbers_of(rankloss::detail::target_of_softmax<arch, TestType>(view(y), {}, 2.0, scratch), 5).v;
  const auto weighted =
      numbers_of(rankloss::detail::target_of_softmax<arch, TestType>(view(y), view(weights), 2.0, scratch), 5)
          .v;
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK(plain[i] == Approx(std::exp((static_cast<double>(y[i]) - 9.0) / 2.0)).epsilon(1e-7));
    CHECK(
        weighted[i] ==
        Approx(weights[i] * std::exp((std::min(static_cast<double>(y[i]), 4.0) - 4.0) / 2.0)).epsilon(1e-7));
  }
  const std::vector<double> none(5, 0.0);
  CHECK(numbers_of(rankloss::detail::target_of_softmax<arch, TestType>(view(y), view(none), 2.0, scratch), 5)
            .total == 0.0);
}

TEMPLATE_TEST_CASE("softmax_loss: value and derivatives are those of the plain sums, of whatever is wanted",
                   "", float, double) {
  using T = TestType;
  std::mt19937_64 random(2);
  constexpr double digits = sizeof(T) == 4 ? 1e-6 : 2e-13;
  for (const std::size_t n : {2u, 3u, 8u, 9u, 70u})
    for (const double poly : {0.0, -0.7, 2.0})
      for (const double size : {1.0, 1e-310})
        for (const double temperature : {0.1, 1.0, 20.0}) {
          const double mass = 1.7;
          const auto s = reference::normal_scores<T>(n, static_cast<unsigned>(n), 2.0);
          std::vector<double> v = support::whole_numbers<double>(random, n, 4);
          v[0] = 1.0;
          for (double& x : v) x *= size;
          const auto expected =
              reference::cross_entropy(reference::widen(s), reference::widen(v), temperature, mass, poly);
          for (const bool by_column : {false, true})
            for (unsigned wanted = 0; wanted < 4; ++wanted) {
              const std::size_t step = by_column ? 2 : 1;
              std::vector<T> memory(step * n, T(50)), g(step * n, T(7)), h(step * n, T(7));
              for (std::size_t i = 0; i < n; ++i) memory[step * i] = s[i];
              const auto stride = static_cast<std::ptrdiff_t>(step);
              rankloss::list_outputs<T> out;
              if (wanted & 1U) out.gradient = {g.data(), n, stride};
              if (wanted & 2U) out.hessian = {h.data(), n, stride};
              workspace scratch;
              const double value =
                  softmax_loss<arch>(strided<const T>(memory.data(), n, stride), target_of(v, scratch),
                                     always(mass), poly, temperature, out, scratch);
              CHECK(value == Approx(static_cast<double>(expected.value)).epsilon(digits));
              std::vector<T> gradient, hessian;
              for (std::size_t i = 0; i < n; ++i) {
                gradient.push_back(g[step * i]);
                hessian.push_back(h[step * i]);
                if (by_column) CHECK((g[step * i + 1] == T(7) && h[step * i + 1] == T(7)));
              }
              if (wanted & 1U)
                CHECK(reference::relative_error(gradient, expected.gradient, real(0.01) / temperature) <=
                      digits);
              else
                CHECK(gradient == std::vector<T>(n, T(7)));
              if (wanted & 2U)
                CHECK(reference::relative_error(hessian, expected.hessian,
                                                real(0.01) / temperature / temperature) <= 10 * digits);
              else
                CHECK(hessian == std::vector<T>(n, T(7)));
            }
        }
}

TEMPLATE_TEST_CASE("softmax_loss: 0 of one item and without a target, finite at the extremes", "", float,
                   double) {
  using T = TestType;
  workspace scratch;
  std::vector<T> g(3, T(7)), h(3, T(7));
  const rankloss::list_outputs<T> out{.gradient = std::span<T>(g), .hessian = std::span<T>(h)};
  const std::vector<T> s{1, 2, 3};
  const std::vector<double> nothing{0, 0, 0}, one{2}, large{1, 1e290, 1e290};
  CHECK(softmax_loss<arch>(view(s), target_of(nothing, scratch), always(1.0), 1.0, 1.0, out, scratch) == 0.0);
  CHECK(g == std::vector<T>(3, T(0)));
  CHECK(h == g);
  g[0] = T(7);
  const rankloss::list_outputs<T> first{.gradient = {g.data(), 1}};
  CHECK(softmax_loss<arch>(strided<const T>(s.data(), 1), target_of(one, scratch), always(1.0), 1.0, 1.0,
                           first, scratch) == 0.0);
  CHECK(g[0] == T(0));

  constexpr T infinity = std::numeric_limits<T>::infinity();
  const std::vector<T> far{infinity, -infinity, std::numeric_limits<T>::lowest()};
  for (const double temperature : {1e-15, 1.0, 1e300}) {
    const double value = softmax_loss<arch>(view(far), target_of(large, scratch), always(1e300), -1e300,
                                            temperature, out, scratch);
    CHECK(std::abs(value) <= rankloss::detail::largest_term);
    for (const T x : g) CHECK(std::isfinite(x));
    for (const T x : h) CHECK(std::isfinite(x));
  }
}

}  // namespace detail_draws_softmax_loss_test
