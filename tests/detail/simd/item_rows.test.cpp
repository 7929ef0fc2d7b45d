// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/simd/item_rows.hpp>

#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace detail_simd_item_rows_test {

namespace {

using arch = xsimd::default_arch;
using row = rankloss::detail::lanes<arch>;
using namespace rankloss::detail;

constexpr std::size_t w = row::size;

std::vector<double> in_lanes(const row& values) {
  std::vector<double> out(w);
  values.store_unaligned(out.data());
  return out;
}

}  // namespace

TEST_CASE("item_rows: rows of any number of items, the last with what is left") {
  for (std::size_t n = 0; n <= 3 * w; ++n) {
    std::vector<std::pair<std::size_t, std::size_t>> found, expected;
    for_rows<arch>(n, [&](std::size_t i, auto count) {
      CHECK(std::is_same_v<decltype(count), whole_row<arch>> == (i + w <= n));
      found.emplace_back(i, count);
    });
    for (std::size_t i = 0; i < n; i += w) expected.emplace_back(i, std::min(w, n - i));
    CHECK(found == expected);
    CHECK(padded_rows(n, w) == w * expected.size());
  }
}

TEMPLATE_TEST_CASE("item_rows: items are loaded and stored, and no others", "", float, double, int) {
  std::vector<TestType> items(w);
  for (std::size_t l = 0; l < w; ++l) items[l] = static_cast<TestType>(l + 5);
  const std::vector<double> all(items.begin(), items.end());
  CHECK(in_lanes(load_items<arch>(items.data(), whole_row<arch>{})) == all);
  CHECK(in_lanes(only_items<arch>(whole_row<arch>{}, row(4.0))) == std::vector<double>(w, 4.0));
  for (std::size_t count = 1; count < w; ++count) {
    const std::vector<TestType> few(
        items.begin(), items.begin() + static_cast<std::ptrdiff_t>(count));  // a reader beyond it is caught
    std::vector<double> expected(w, -2.0), only(w, 0.0);
    std::copy(few.begin(), few.end(), expected.begin());
    std::fill_n(only.begin(), count, 4.0);
    CHECK(in_lanes(load_items<arch>(few.data(), count, -2.0)) == expected);
    std::fill(expected.begin() + static_cast<std::ptrdiff_t>(count), expected.end(), 0.0);
    CHECK(in_lanes(load_items<arch>(few.data(), count)) == expected);
    CHECK(in_lanes(only_items<arch>(count, row(4.0))) == only);
    std::vector<TestType> to(w, TestType{1});
    store_items<arch>(to.data(), count, row::load_unaligned(all.data()));
    for (std::size_t l = 0; l < w; ++l) CHECK(to[l] == (l < count ? items[l] : TestType{1}));
  }
  std::vector<TestType> to(w);
  store_items<arch>(to.data(), whole_row<arch>{}, row::load_unaligned(all.data()));
  CHECK(to == items);
}

TEMPLATE_TEST_CASE("item_rows: the greatest, wherever it stands", "", float, double, int) {
  for (std::size_t n = 1; n <= 6 * xsimd::batch<float, arch>::size + 3; ++n)
    for (std::size_t at = 0; at < n; ++at) {
      std::vector<TestType> items(n, TestType{-9});
      items[at] = TestType{-3};
      CHECK(largest_of<arch>(items.data(), n) == TestType{-3});
    }
}

TEMPLATE_TEST_CASE("item_rows: distances below the greatest score, finite for all scores", "", float,
                   double) {
  using T = TestType;
  constexpr T infinity = std::numeric_limits<T>::infinity();
  constexpr auto largest = static_cast<double>(std::numeric_limits<T>::max());
  for (const double temperature : {1e-15, 0.5, 1e300}) {
    const score_distance<arch, T> below(T(3), temperature);
    CHECK(below.greatest() == 3.0);
    for (const T s : {T(3), T(1.25), T(-7)})
      CHECK(in_lanes(below(row(static_cast<double>(s))))[0] ==
            Approx((3.0 - static_cast<double>(s)) / temperature));
    CHECK(in_lanes(below(row(-std::numeric_limits<double>::infinity())))[0] ==
          Approx(std::min(largest / temperature, std::numeric_limits<double>::max())).epsilon(1e-6));
    for (const T most : {infinity, std::numeric_limits<T>::max()}) {
      const score_distance<arch, T> far(most, temperature);
      CHECK(far.greatest() == largest);
      CHECK(in_lanes(far(row(static_cast<double>(infinity)))) == std::vector<double>(w, 0.0));
      const double distance = in_lanes(far(row(-largest)))[w - 1];
      CHECK(std::isfinite(distance));
      if (temperature == 0.5) CHECK(distance >= largest);
    }
    const score_distance<arch, T> lowest(-infinity, temperature);
    CHECK(lowest.greatest() == -largest);
    CHECK(in_lanes(lowest(row(static_cast<double>(-infinity)))) == std::vector<double>(w, 0.0));
  }
}

TEMPLATE_TEST_CASE("item_rows: exp_below is the exponential, and 0 far away", "", float, double) {
  const double bound = sizeof(TestType) == 4 ? 1e-8 : 1e-13;
  for (const double x : {0.0, 1e-300, 1e-9, 0.3, 1.0, 20.0, 300.0, 699.0})
    CHECK(in_lanes(exp_below<TestType>(row(x)))[0] == Approx(std::exp(-x)).epsilon(bound));
  for (const double x : {710.0, 1e10, std::numeric_limits<double>::max()})
    CHECK(in_lanes(exp_below<TestType>(row(x)))[0] == 0.0);
}

TEMPLATE_TEST_CASE("item_rows: a bounded_factor times 2 can be held", "", float, double) {
  constexpr auto largest = static_cast<double>(std::numeric_limits<TestType>::max());
  CHECK(bounded_factor<TestType>(3.5) == 3.5);
  CHECK(bounded_factor<TestType>(-3.5) == -3.5);
  CHECK(bounded_factor<TestType>(std::numeric_limits<double>::infinity()) == 0.25 * largest);
  CHECK(bounded_factor<TestType>(-std::numeric_limits<double>::max()) == -0.25 * largest);
}

}  // namespace detail_simd_item_rows_test
