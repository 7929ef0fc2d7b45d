// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/gains/fill_gains.hpp>
#include <rankloss/detail/gains/gain_unit.hpp>
#include <rankloss/gain.hpp>

#include "support/reference.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>
#include <random>
#include <span>
#include <type_traits>
#include <vector>

namespace gain_test {

namespace {

using arch = xsimd::default_arch;
using rankloss::gain;
using rankloss::strided;
using reference::real;

constexpr std::size_t w = rankloss::detail::lane_count<arch>;

/// Gains of relevance[first], relevance[first + stride], ...; weights likewise.
template <class S, class R>
std::vector<S> gains_of(gain kind, const std::vector<double>& table, const std::vector<R>& relevance,
                        const std::vector<double>& weights = {}, std::ptrdiff_t stride = 1) {
  const std::size_t n = relevance.size() / static_cast<std::size_t>(std::abs(stride));
  const auto view = [&]<class X>(const std::vector<X>& all) {
    if (all.empty()) return strided<const X>{};
    return strided<const X>(stride > 0 ? all.data() : all.data() + all.size() - 1, n, stride);
  };
  std::vector<S> gains(n, S{-7});
  rankloss::workspace scratch;
  rankloss::detail::fill_gains<arch>(kind, std::span<const double>(table), view(relevance), view(weights),
                                     std::span<S>(gains), scratch);
  return gains;
}

/// The formula; what is below 0, which no checked data hold, counts as 0.
real plain(gain kind, const std::vector<double>& table, real y) {
  if (kind != gain::table) y = std::max(y, real(0));
  if (kind == gain::linear) return y;
  if (kind == gain::table)
    return y >= 0 && y < static_cast<real>(table.size()) ? real(table[static_cast<std::size_t>(y)]) : 0;
  return std::expm1(y * std::numbers::ln2_v<real>);
}

template <class S>
constexpr double rounding = 4 * static_cast<double>(std::numeric_limits<S>::epsilon());

template <class R>
std::vector<R> grades(std::size_t n, double highest) {
  std::mt19937_64 random(n);
  std::vector<R> y(n);
  for (R& grade : y) {
    const double x = highest * static_cast<double>(random() >> 11) * 0x1p-53;
    grade = static_cast<R>(std::is_integral_v<R> || random() % 2 == 0 ? std::round(x) : x);
  }
  return y;
}

/// The same items, each followed by `gap` others that no one may look at.
template <class X>
std::vector<X> spaced(const std::vector<X>& items, std::size_t gap) {
  std::vector<X> out;
  for (const X& x : items) {
    out.push_back(x);
    out.insert(out.end(), gap, std::numeric_limits<X>::max());
  }
  return out;
}

const std::vector<double> no_table;
const std::vector<double> table{0.0, 0.25, 7.0, 1e30, 3.0};
constexpr gain kinds[] = {gain::exponential, gain::linear, gain::table};

const std::vector<double>& table_for(gain kind) { return kind == gain::table ? table : no_table; }

template <class S, class R>
void check_formula(gain kind, const std::vector<R>& y) {
  const std::vector<S> gains = gains_of<S>(kind, table_for(kind), y);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const real expected = plain(kind, table_for(kind), real(y[i]));
    wrong += !(std::abs(real(gains[i]) - expected) <= real(rounding<S>) * std::abs(expected));
  }
  INFO("n " << y.size() << ", kind " << static_cast<int>(kind));
  CHECK(wrong == 0);
}

}  // namespace

TEMPLATE_TEST_CASE("gain: each kind is its formula, for any type of grade", "", float, double) {
  for (const gain kind : kinds)
    for (std::size_t n = 0; n <= 3 * w + 1; ++n) {
      if (kind != gain::table) {  // whole grades only
        check_formula<TestType>(kind, grades<double>(n, 6.0));
        check_formula<TestType>(kind, grades<float>(n, 6.0));
        check_formula<TestType>(kind, std::vector<double>(n, 1e-7));
        check_formula<TestType>(kind, std::vector<double>(n, -0.75));
        check_formula<TestType>(kind, std::vector<double>(n, 99.5));
      }
      check_formula<TestType>(kind, grades<int>(n, 6.0));
      check_formula<TestType>(kind, grades<std::uint8_t>(n, 6.0));
      check_formula<TestType>(kind, grades<std::int64_t>(n, 6.0));
      check_formula<TestType>(kind, std::vector<int>(n, -1));
      check_formula<TestType>(kind, std::vector<int>(n, 5));
    }
}

TEST_CASE("gain: whole grades have exact gains") {
  std::vector<int> y(25);
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = static_cast<int>(i);
  const std::vector<float> gains = gains_of<float>(gain::exponential, {}, y);
  for (std::size_t i = 0; i < y.size(); ++i) CHECK(gains[i] == static_cast<float>((1U << i) - 1U));
}

TEMPLATE_TEST_CASE("gain: items apart give the bits of items side by side", "", float, double) {
  for (const gain kind : kinds)
    for (std::size_t n = 0; n <= 2 * w + 1; ++n) {
      const auto check = [&](auto y) {
        std::vector<double> weights(n);
        for (std::size_t i = 0; i < n; ++i) weights[i] = static_cast<double>(i % 3);
        const auto expected = gains_of<TestType>(kind, table_for(kind), y, weights);
        CHECK(gains_of<TestType>(kind, table_for(kind), spaced(y, 2), spaced(weights, 2), 3) == expected);
        std::reverse(y.begin(), y.end());
        std::reverse(weights.begin(), weights.end());
        CHECK(gains_of<TestType>(kind, table_for(kind), y, weights, -1) == expected);
      };
      check(grades<double>(n, 4.0));
      check(grades<float>(n, 4.0));
      check(grades<int>(n, 4.0));
      if (kind != gain::exponential) continue;
      // More digits than a float has, and more than it can hold.
      auto large = grades<int>(n, 4.0);
      for (int& y : large) y += 1 << 24;
      check(large);
      check(std::vector<double>(n, 1e39));
    }
}

TEMPLATE_TEST_CASE("gain: weights are factors", "", float, double) {
  const std::vector<int> y{0, 1, 2, 3, 4, 3, 2, 1, 0};
  const std::vector<double> weights{1.0, 0.5, 0.0, 2.0, 1000.0, 0.125, 3.0, 1e-6, 5.0};
  for (const gain kind : kinds) {
    const auto alone = gains_of<TestType>(kind, table_for(kind), y);
    const auto weighted = gains_of<TestType>(kind, table_for(kind), y, weights);
    for (std::size_t i = 0; i < y.size(); ++i)
      CHECK(static_cast<double>(weighted[i]) ==
            Approx(static_cast<double>(alone[i]) * weights[i]).epsilon(rounding<TestType>));
  }
}

TEMPLATE_TEST_CASE("gain: a light weight of a great gain counts", "", float, double) {
  // Both are worth as much as each other, and the light one is no float where weights are in units of the heavy one.
  const auto gains =
      gains_of<TestType>(rankloss::gain::exponential, {}, std::vector<double>{90.0, 1e-20, 0.0},
                         {0x1p-100, 0x1p-10 / (1e-20 * std::numbers::ln2), 1.0});
  CHECK(gains[0] > TestType{0});
  CHECK(gains[1] == Approx(gains[0]).epsilon(2e-6));
  CHECK(gains[2] == TestType{0});
}

TEMPLATE_TEST_CASE("gain: what an item weighs that is worth nothing changes nothing", "", float, double) {
  const std::vector<int> y{0, 1, 0, 3, 0, 0, 0, 2, 0};
  for (const gain kind : kinds)
    for (const double unit : {1.0, 1e-300, 1e300}) {
      std::vector<double> weights(y.size(), 2 * unit);
      for (const bool some : {true, false}) {
        const auto relevance = some ? y : std::vector<int>(y.size());
        const auto expected = gains_of<TestType>(kind, table_for(kind), relevance, weights);
        for (const double weight : {0.0, 1e-308, 1e300, std::numeric_limits<double>::max()}) {
          INFO("unit " << unit << ", weight " << weight);
          for (std::size_t i = 0; i < y.size(); ++i)
            if (expected[i] == 0) weights[i] = weight;
          CHECK(gains_of<TestType>(kind, table_for(kind), relevance, weights) == expected);
        }
      }
    }
}

TEMPLATE_TEST_CASE("gain: what an item is worth that weighs nothing changes nothing", "", float, double) {
  const std::vector<double> weights{1.0, 0.0, 2.0, 0.5, 0.0, 1.0, 3.0, 1.0, 1.0};
  for (const gain kind : {gain::exponential, gain::linear})
    for (const double unit : {1.0, 1e-12, 1e-200, 50.0}) {
      std::vector<double> y{0, 1, 2, 3, 1, 3, 2, 1, 0};
      for (double& grade : y) grade *= unit;
      const auto expected = gains_of<TestType>(kind, {}, y, weights);
      for (const double grade : {0.0, 101.0, 1000.0, 5000.0, 1e300}) {
        INFO("unit " << unit << ", grade " << grade);
        y[1] = grade;
        y[4] = 2 * grade;
        CHECK(gains_of<TestType>(kind, {}, y, weights) == expected);
      }
    }
}

TEMPLATE_TEST_CASE("gain: the least gains keep their digits beside great ones", "", float, double) {
  for (const double most : {90.0, 100.0, 101.0, 110.0}) {
    const std::vector<double> y{most, 3.0, 1.0, 0.25, 1e-9, 0.0, most - 0.5, 20.0, 64.0};
    const auto gains = gains_of<TestType>(gain::exponential, {}, y);
    const auto worth = [](double grade) {
      return std::expm1(static_cast<long double>(grade) * std::log(2.0L));
    };
    INFO("greatest grade " << most);
    CHECK(gains[5] == TestType{0});
    for (std::size_t i = 0; i < y.size(); ++i)
      CHECK(static_cast<double>(gains[i]) / static_cast<double>(gains[0]) ==
            Approx(static_cast<double>(worth(y[i]) / worth(most)))
                .epsilon(2 * rounding<TestType>)
                .margin(static_cast<double>(std::numeric_limits<TestType>::min())));
  }
}

TEMPLATE_TEST_CASE("gain: huge grades and weights do not overflow and keep their ratios", "", float, double) {
  const auto check = [](gain kind, const auto& y, const std::vector<double>& weights,
                        const std::vector<double>& ratios) {
    const auto gains = gains_of<TestType>(kind, {}, y, weights);
    REQUIRE(gains.size() == ratios.size());
    CHECK(gains[0] > 0);
    CHECK(std::isfinite(gains[0]));
    for (std::size_t i = 0; i < gains.size(); ++i)
      CHECK(static_cast<double>(gains[i]) / static_cast<double>(gains[0]) ==
            Approx(ratios[i]).epsilon(rounding<TestType>).margin(1e-15));
  };
  for (const double top : {101.0, 128.0, 1000.0, 1024.0, 1e6, 1e15})
    check(gain::exponential, std::vector<double>{top, top - 1, top - 3, 0.0, top, -1e300}, {},
          {1.0, 0.5, 0.125, 0.0, 1.0, 0.0});
  check(gain::exponential, std::vector<int>{2000000000, 1999999999, 5}, {}, {1.0, 0.5, 0.0});
  for (const double top : {2e30, 1e39, std::numeric_limits<double>::max()})
    check(gain::linear, std::vector<double>{top, top / 2, -top, 0.0}, {}, {1.0, 0.5, 0.0, 0.0});
  check(gain::linear, std::vector<std::uint64_t>{1ULL << 63, 1ULL << 62, 0}, {}, {1.0, 0.5, 0.0});
  const double most = std::numeric_limits<double>::max();
  check(gain::linear, std::vector<float>{2.0F, 2.0F, 1.0F}, {most, most / 4, most}, {1.0, 0.25, 0.5});
  // Both at once.
  check(gain::exponential, std::vector<float>{500.0F, 499.0F}, {most, most / 2}, {1.0, 0.25});
  check(gain::linear, std::vector<double>{1e30, 1e30}, {1e3, 5e2}, {1.0, 0.5});
}

TEMPLATE_TEST_CASE("gain: very small grades, gains and weights keep their ratios", "", float, double) {
  using S = TestType;
  const auto ratios = [](const std::vector<S>& gains) {
    CHECK(gains[0] == S{0});
    CHECK(gains[1] >= std::numeric_limits<S>::min());
    CHECK(static_cast<double>(gains[2]) == Approx(3 * static_cast<double>(gains[1])).epsilon(rounding<S>));
  };
  for (const double least :
       {1e-200, std::numeric_limits<double>::min(), std::numeric_limits<double>::denorm_min()}) {
    INFO("least " << least);
    const std::vector<double> y{0, least, 3 * least};
    ratios(gains_of<S>(gain::linear, {}, y));
    ratios(gains_of<S>(gain::exponential, {}, y));
    ratios(gains_of<S>(gain::table, y, std::vector<int>{0, 1, 2}));
    ratios(gains_of<S>(gain::linear, {}, std::vector<int>{1, 1, 1}, y));
    ratios(gains_of<S>(gain::linear, {}, std::vector<double>{1e308, 1e308, 1e308}, y));
  }
  // The unit is the one that fill_gains takes.
  const std::vector<double> small{1e-300, 2e-300}, plain_grades{1, 2};
  for (const gain kind : {gain::linear, gain::exponential}) {
    const double unit = rankloss::detail::unit_of_gains(kind, {}, strided<const double>(small.data(), 2), {});
    CHECK(static_cast<double>(gains_of<S>(kind, {}, small)[1]) ==
          Approx(static_cast<double>(plain(kind, {}, real(2e-300)) * real(unit))).epsilon(rounding<S>));
    CHECK(rankloss::detail::unit_of_gains(kind, {}, strided<const double>(plain_grades.data(), 2), {}) ==
          1.0);
  }
}

TEST_CASE("gain: the largest gains that are not scaled fit a float") {
  CHECK(gains_of<float>(gain::exponential, {}, std::vector<int>{100}, {1e3})[0] ==
        Approx(std::exp2(100.0) * 1e3).epsilon(1e-6));
  CHECK(gains_of<float>(gain::table, table, std::vector<int>{3}, {1e3})[0] == Approx(1e33).epsilon(1e-6));
}

TEST_CASE("gain: relevance below 0 has a gain by a table alone") {
  for (const double y : {0.0, -0.0, 1e-320, 3.0, 1e300})
    for (const gain kind : kinds) CHECK(rankloss::detail::takes_gain(kind, y));
  for (const double y : {-1e-320, -0.5, -1.0, -1e300}) {
    CHECK_FALSE(rankloss::detail::takes_gain(gain::exponential, y));
    CHECK_FALSE(rankloss::detail::takes_gain(gain::linear, y));
    CHECK(rankloss::detail::takes_gain(gain::table, y));
  }
}

TEST_CASE("gain: a table is asked for, and refused, by name") {
  const auto check = [](gain kind, const std::vector<double>& values) {
    rankloss::detail::check_gain(kind, values);
  };
  CHECK_NOTHROW(check(gain::exponential, {}));
  CHECK_NOTHROW(check(gain::linear, {}));
  CHECK_NOTHROW(check(gain::table, {0.0, 1e30}));
  CHECK_THROWS_WITH(check(gain::table, {}), "rankloss: gain_table: size 0, expected one gain a grade");
  CHECK_THROWS_WITH(check(gain::linear, {1.0, 2.0}),
                    "rankloss: gain_table: size 2, expected none unless gain is gain::table");
}

}  // namespace gain_test
