// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/draws/stage_draws.hpp>

#include <rankloss/workspace.hpp>

#include "support/listwise_reference.hpp"
#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>
#include <span>
#include <vector>

namespace detail_draws_stage_draws_test {

namespace {

using arch = xsimd::default_arch;
using rankloss::list_outputs;
using rankloss::strided;
using rankloss::workspace;
using rankloss::detail::order_outputs;
using rankloss::detail::sum_rests;
using reference::real;

template <class T>
constexpr double digits = sizeof(T) == 4 ? 2e-6 : 1e-12;

/// A list in every other element of its arrays, an order of its items, and where derivatives go.
template <class T>
struct ordered_list {
  std::size_t n;
  std::ptrdiff_t stride;
  std::vector<T> s, memory, g, h;
  std::vector<std::uint32_t> order;
  workspace scratch;

  ordered_list(std::vector<T> scores, std::vector<std::uint32_t> by, bool by_column)
      : n(scores.size()),
        stride(by_column ? 2 : 1),
        s(std::move(scores)),
        memory(2 * n, T(50)),
        g(2 * n, T(7)),
        h(2 * n, T(7)),
        order(std::move(by)) {
    for (std::size_t i = 0; i < n; ++i) memory[static_cast<std::size_t>(stride) * i] = s[i];
  }
  [[nodiscard]] strided<const T> scores() const { return {memory.data(), n, stride}; }
  [[nodiscard]] list_outputs<T> outputs(bool gradient, bool hessian) {
    list_outputs<T> out;
    if (gradient) out.gradient = {g.data(), n, stride};
    if (hessian) out.hessian = {h.data(), n, stride};
    return out;
  }
  void check(const reference::derivatives& expected, double value, bool gradient, bool hessian,
             double temperature) {
    CHECK(value == Approx(static_cast<double>(expected.value)).epsilon(digits<T>).margin(digits<T>));
    std::vector<T> found_g, found_h;
    for (std::size_t i = 0; i < n; ++i) {
      found_g.push_back(g[static_cast<std::size_t>(stride) * i]);
      found_h.push_back(h[static_cast<std::size_t>(stride) * i]);
    }
    if (gradient)
      CHECK(reference::relative_error(found_g, expected.gradient, real(0.01) / temperature) <= digits<T>);
    if (!gradient) CHECK(found_g == std::vector<T>(n, T(7)));
    if (hessian)
      CHECK(reference::relative_error(found_h, expected.hessian, real(0.01) / temperature / temperature) <=
            10 * digits<T>);
    if (!hessian) CHECK(found_h == std::vector<T>(n, T(7)));
  }
};

std::vector<std::uint32_t> shuffled(std::mt19937_64& random, std::size_t n) {
  std::vector<std::uint32_t> order(n);
  std::iota(order.begin(), order.end(), 0u);
  for (std::size_t i = n; i > 1; --i) std::swap(order[i - 1], order[random() % i]);
  return order;
}

}  // namespace

TEST_CASE("sums from the end and from the beginning, of any length, in place or not") {
  std::mt19937_64 random(21);
  for (std::size_t n = 0; n <= 13; ++n) {
    const auto x = support::whole_numbers<double>(random, n, 100);  // sums are exact
    std::vector<double> ends(n), begins = x, in_place = x;
    CHECK(rankloss::detail::sums_from_the_end(x.data(), n, 1000.0, ends.data()) ==
          std::accumulate(x.begin(), x.end(), 1000.0));
    CHECK(rankloss::detail::running_sums(begins.data(), n, 2000.0) ==
          std::accumulate(x.begin(), x.end(), 2000.0));
    for (std::size_t k = 0; k < n; ++k) {
      const auto at = x.begin() + static_cast<std::ptrdiff_t>(k);
      CHECK(ends[k] == std::accumulate(at, x.end(), 1000.0));
      CHECK(begins[k] == std::accumulate(x.begin(), at + 1, 2000.0));
    }
    rankloss::detail::sums_from_the_end(in_place.data(), n, 1000.0, in_place.data());
    CHECK(in_place == ends);
  }
}

TEMPLATE_TEST_CASE("plackett_luce: the loss of an order, for near scores and for any", "", float, double) {
  using T = TestType;
  std::mt19937_64 random(1);
  for (const std::size_t n : {1u, 2u, 3u, 4u, 5u, 8u, 9u, 70u})
    for (const double temperature : {0.05, 1.0, 10.0})
      for (unsigned wanted = 0; wanted < 8; ++wanted) {
        INFO("items " << n << ", temperature " << temperature << ", wanted " << wanted);
        const bool gradient = (wanted & 1U) != 0, hessian = (wanted & 2U) != 0;
        const auto s = reference::normal_scores<T>(n, static_cast<unsigned>(n), 1.5);
        const auto order = shuffled(random, n);
        std::vector<double> c(n);
        for (double& x : c) x = static_cast<double>(random() % 4) / 3.0;  // some are 0
        const auto check_near = [&]<bool Unit>(const std::vector<double>& weights,
                                               const reference::derivatives& expected) {
          ordered_list<T> near(s, order, (wanted & 4U) != 0);
          const auto value = rankloss::detail::order_loss_near<arch, Unit, T>(
              near.scores(), near.order, temperature, weights, near.outputs(gradient, hessian),
              1.0 / temperature, 1.0 / temperature / temperature, near.scratch);
          REQUIRE(value.has_value());
          near.check(expected, *value, gradient, hessian, temperature);
        };
        const auto expected_of = [&](const std::vector<double>& weights) {
          return reference::listmle(reference::widen(s), {order.begin(), order.end()},
                                    reference::widen(weights), temperature);
        };
        const std::vector<double> ones(n, 1.0);
        check_near.template operator()<true>(ones, expected_of(ones));
        const auto expected = expected_of(c);
        check_near.template operator()<false>(c, expected);

        ordered_list<T> apart(s, order, (wanted & 4U) != 0);
        const auto out = apart.outputs(gradient, hessian);
        const auto rests = sum_rests<arch, T>(apart.scores(), apart.order, temperature, apart.scratch);
        const order_outputs<T> to(out, apart.order, 1.0, temperature);
        apart.check(expected, rankloss::detail::order_loss_apart<arch>(rests, c, to, apart.scratch), gradient,
                    hessian, temperature);
      }
}

TEMPLATE_TEST_CASE("plackett_luce: scores too far apart for plain sums are left alone, sooner with a Hessian",
                   "", float, double) {
  using T = TestType;
  const auto near = [](T distance, bool hessian) {
    ordered_list<T> in({T(0), -distance}, {0, 1}, false);
    const std::vector<double> c{1, 1};
    const bool done = rankloss::detail::order_loss_near<arch, true, T>(
                          in.scores(), in.order, 1.0, c, in.outputs(true, hessian), 1.0, 1.0, in.scratch)
                          .has_value();
    CHECK((in.g[0] == T(7)) != done);
    return done;
  };
  CHECK(near(T(299), true));
  CHECK(!near(T(301), true));
  CHECK(near(T(599), false));
  CHECK(!near(T(601), false));
}

TEMPLATE_TEST_CASE("plackett_luce: scores of any distance, infinite ones too", "", float, double) {
  using T = TestType;
  ordered_list<T> in({T(0), T(-900), T(800), T(799)}, {2, 0, 1, 3}, false);
  const std::vector<double> c{1, 1, 0.5, 1};
  const auto expected = reference::listmle(reference::widen(in.s), {2, 0, 1, 3}, reference::widen(c), 1);
  const auto out = in.outputs(true, true);
  const auto rests = sum_rests<arch, T>(in.scores(), in.order, 1.0, in.scratch);
  in.check(expected,
           rankloss::detail::order_loss_apart<arch>(rests, c, order_outputs<T>(out, in.order, 1.0, 1.0),
                                                    in.scratch),
           true, true, 1.0);

  constexpr T infinity = std::numeric_limits<T>::infinity();
  ordered_list<T> far({-infinity, infinity, T(0)}, {0, 1, 2}, false);
  const auto far_out = far.outputs(true, true);
  const auto far_rests = sum_rests<arch, T>(far.scores(), far.order, 1e-15, far.scratch);
  const std::vector<double> ones(3, 1.0);
  const order_outputs<T> to(far_out, far.order, 1e300, 1e-15);
  static_cast<void>(rankloss::detail::order_loss_apart<arch>(far_rests, ones, to, far.scratch));
  for (std::size_t i = 0; i < 3; ++i) CHECK((std::isfinite(far.g[i]) && std::isfinite(far.h[i])));
}

TEMPLATE_TEST_CASE(
    "plackett_luce: derivatives are written in units of mass and temperature, kept to what the type holds",
    "", float, double) {
  using T = TestType;
  std::vector<T> g(2, T(7)), h(2, T(7));
  const list_outputs<T> both{.gradient = std::span<T>(g), .hessian = std::span<T>(h)};
  const std::vector<std::uint32_t> order{1, 0};
  const order_outputs<T> to(both, order, 3.0, 0.5);
  CHECK(to.first() == 6.0);
  CHECK(to.second() == 12.0);
  to.write(0, 1.0, 2.0);
  CHECK(g == std::vector<T>{T(7), T(6)});
  CHECK(h == std::vector<T>{T(7), T(24)});
  to.write(1, 1e308, -1e308);
  CHECK(g[0] == std::numeric_limits<T>::max());
  CHECK(h[0] == std::numeric_limits<T>::lowest());
  const list_outputs<T> none;
  order_outputs<T>(none, order, 1.0, 1.0).write(0, 1.0, 1.0);
  CHECK(g[1] == T(6));
}

TEMPLATE_TEST_CASE("plackett_luce: the loss of grades is that of all orders of their ties", "", float,
                   double) {
  using T = TestType;
  std::mt19937_64 random(3);
  for (const std::size_t n : {1u, 2u, 4u, 5u})
    for (const unsigned grades : {1u, 2u, 3u, 9u})
      for (unsigned wanted = 0; wanted < 4; ++wanted) {
        INFO("items " << n << ", grades " << grades << ", wanted " << wanted);
        const bool gradient = (wanted & 1U) != 0, hessian = (wanted & 2U) != 0;
        const auto y = support::whole_numbers<int>(random, n, grades);
        const auto by = reference::by_relevance(y);
        const double t = 0.8;
        ordered_list<T> in(reference::normal_scores<T>(n, grades, 1.0), {by.begin(), by.end()}, true);
        std::vector<real> s = reference::widen(in.s);
        reference::derivatives expected{reference::all_tied_orders(s, y, t), std::vector<real>(n),
                                        std::vector<real>(n)};
        const real step = 1e-4L;
        for (std::size_t i = 0; i < n; ++i) {
          const real at = s[i];
          s[i] = at + step;
          const real up = reference::all_tied_orders(s, y, t);
          s[i] = at - step;
          const real down = reference::all_tied_orders(s, y, t);
          s[i] = at;
          expected.gradient[i] = (up - down) / (2 * step);
          expected.hessian[i] = (up + down - 2 * expected.value) / (step * step);
        }
        const auto out = in.outputs(gradient, hessian);
        const auto rests = sum_rests<arch, T>(in.scores(), in.order, t, in.scratch);
        const double value = rankloss::detail::levels_loss<arch, T, int>(
            rests, y.data(), in.order, out, order_outputs<T>(out, in.order, 1.0, t), in.scratch);
        CHECK(value == Approx(static_cast<double>(expected.value)).epsilon(1e-11).margin(1e-11));
        for (std::size_t i = 0; i < n; ++i) {
          if (gradient)
            CHECK(in.g[2 * i] ==
                  Approx(static_cast<double>(expected.gradient[i])).epsilon(1e-6).margin(1e-6));
          if (hessian)
            CHECK(in.h[2 * i] == Approx(static_cast<double>(expected.hessian[i])).epsilon(1e-5).margin(1e-5));
        }
      }
}

}  // namespace detail_draws_stage_draws_test
