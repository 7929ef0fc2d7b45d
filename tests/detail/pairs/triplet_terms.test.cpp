// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/pairs/triplet_terms.hpp>

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <limits>

namespace detail_pairs_triplet_terms_test {

using namespace rankloss::detail;
using arch = xsimd::default_arch;
constexpr double infinity = std::numeric_limits<double>::infinity();

TEST_CASE("triplet_terms: a hinge and its soft form, for one triplet and for lanes") {
  const auto same_on_lanes = [](const auto& term, double x) {
    const triplet_cost<double> one = term(x);
    const auto all = term.template on_lanes<arch>(lanes<arch>(x));
    alignas(64) double value[lane_count<arch>];
    alignas(64) double slope[lane_count<arch>];
    all.value.store_aligned(value);
    all.slope.store_aligned(slope);
    for (std::size_t l = 0; l < lane_count<arch>; ++l) {
      CHECK(value[l] == Approx(one.value).epsilon(1e-13).margin(1e-300));
      CHECK(slope[l] == Approx(one.slope).epsilon(1e-13).margin(1e-300));
    }
  };
  for (const double x : {-1e290, -690.0, -40.0, -0.5, 0.0, 1e-9, 0.5, 40.0, 690.0, 1e290}) {
    CHECK(hinge_term{}(x).value == (x > 0.0 ? x : 0.0));
    CHECK(hinge_term{}(x).slope == (x > 0.0 ? 1.0 : 0.0));
    same_on_lanes(hinge_term{}, x);
    same_on_lanes(soft_term{}, x);
  }
  CHECK(soft_term{}(0.0).value == Approx(std::log(2.0)));
  CHECK(soft_term{}(0.0).slope == 0.5);
  CHECK(soft_term{}(-40.0).value == Approx(std::exp(-40.0)).epsilon(1e-14));
  CHECK(soft_term{}(1.0).slope == Approx(1.0 / (1.0 + std::exp(-1.0))));
  CHECK(soft_term{}(infinity).value == infinity);
  CHECK(soft_term{}(infinity).slope == 1.0);
}

TEST_CASE("triplet_terms: a triplet falls short by the margin and by how far its negative is above") {
  const triplet_shortfall shortfall{0.5};
  CHECK(shortfall(1.0, 2.0) == -0.5);
  CHECK(shortfall(1e9 + 1.0, 1e9) == 1.5);
  constexpr double most = std::numeric_limits<double>::max();
  CHECK(shortfall(most, -most) == 1e290);
  CHECK(shortfall(infinity, 0.0) == infinity);
  CHECK(shortfall(0.0, -infinity) == infinity);
  CHECK(shortfall(infinity, infinity) < -1e200);
  CHECK(shortfall(-infinity, -infinity) < -1e200);
}

}  // namespace detail_pairs_triplet_terms_test
