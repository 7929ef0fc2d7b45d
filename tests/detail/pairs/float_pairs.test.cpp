// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/pairs/float_pairs.hpp>

#include <catch2/catch.hpp>

#include <vector>

namespace detail_pairs_float_pairs_test {

using rankloss::list;
using rankloss::detail::fits_float;
using rankloss::detail::lost_in_float;

struct plain {};
struct narrow {
  static constexpr double float_range = 10.0;
};
struct with_hinges {
  void hinges() const {}
};

TEST_CASE("float_pairs: lists that are short and narrow, of grades that a float tells apart") {
  const std::vector<float> scores{0, 160, 3};
  const std::vector<double> whole{0, 1, 2}, close{0, 1, 1 + 1e-12};
  const list<float, double> items{{scores.data(), 3}, {whole.data(), 3}};
  CHECK(fits_float<plain>(1.0, items, 3));
  CHECK(!fits_float<plain>(0.99, items, 3));
  CHECK(!fits_float<plain>(1.0, items, 257));
  CHECK(fits_float<plain>(1e10, items, 3));
  CHECK(!fits_float<plain>(1e11, items, 3));
  CHECK(!fits_float<narrow>(1.0, items, 3));
  CHECK(fits_float<narrow>(16.0, items, 3));
  CHECK(!fits_float<with_hinges>(1.0, items, 3));
  CHECK(!fits_float<plain>(1.0, list<float, double>{{scores.data(), 3}, {close.data(), 3}}, 3));
  CHECK(!fits_float<plain>(1.0, list<float, double>{}, 0));
}

TEST_CASE("float_pairs: sums are lost where the value or all derivatives are next to nothing") {
  const std::vector<double> some{0.0, -1.0, 1e-30}, tiny{1e-28, -1e-30};
  CHECK(!lost_in_float(0.5, some));
  CHECK(lost_in_float(1e-28, some));
  CHECK(lost_in_float(0.5, tiny));
}

}  // namespace detail_pairs_float_pairs_test
