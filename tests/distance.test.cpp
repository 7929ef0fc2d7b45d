// SPDX-License-Identifier: BSL-1.0
#include <rankloss/distance.hpp>

#include <catch2/catch.hpp>

#include <cmath>

namespace distance_test {

using rankloss::distance;
using rankloss::distance_of;
using rankloss::distance_slope;

TEST_CASE("distance: of two vectors of length 1, from their cosine") {
  const double a[] = {0.6, 0.8};
  const double b[] = {-0.28, 0.96};
  const double s = a[0] * b[0] + a[1] * b[1];
  const double d = std::hypot(a[0] - b[0], a[1] - b[1]);
  CHECK(distance_of(s, distance::cosine) == Approx(1.0 - s));
  CHECK(distance_of(s, distance::euclidean) == Approx(d));
  CHECK(distance_of(s, distance::squared_euclidean) == Approx(d * d));
  CHECK(distance_of(1.0, distance::euclidean) == 0.0);
  CHECK(distance_of(1.5, distance::euclidean) == 0.0);
  CHECK(distance_of(1.5, distance::cosine) == -0.5);
}

TEST_CASE("distance: a Euclidean one is finite, with its slope, for any finite number") {
  for (const double s : {-1e290, -1e308, -1.7976931348623157e308}) {
    const double d = std::sqrt(2.0) * std::sqrt(1.0 - s);
    CHECK(distance_of(s, distance::euclidean) == Approx(d).epsilon(1e-15));
    CHECK(distance_slope(s, distance::euclidean) == Approx(-1.0 / d).epsilon(1e-15).margin(0));
  }
}

TEST_CASE("distance: the slope is the derivative, and 0 where there is none") {
  for (const distance kind : {distance::cosine, distance::euclidean, distance::squared_euclidean})
    for (const double s : {-1.0, -0.3, 0.0, 0.7, 0.999}) {
      const double step = 1e-6;
      const double change = distance_of(s + step, kind) - distance_of(s - step, kind);
      CHECK(distance_slope(s, kind) == Approx(change / (2.0 * step)).epsilon(1e-5));
    }
  CHECK(distance_slope(1.0, distance::euclidean) == 0.0);
  CHECK(distance_slope(1.5, distance::euclidean) == 0.0);
}

}  // namespace distance_test
