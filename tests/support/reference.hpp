// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <vector>

/// The plain O(n^2) forms in long double that the kernels are held against: formulas as in the headers' doc
/// comments, and nothing else.
namespace reference {

using real = long double;

template <class T>
std::vector<real> widen(const std::vector<T>& values) {
  return {values.begin(), values.end()};
}

/// sigmoid(x) and its first two derivatives, without cancellation on either side.
struct sigmoid {
  real value, slope, curvature;
  explicit sigmoid(real x) {
    const real u = std::exp(-std::abs(x));
    const real high = 1 / (1 + u);
    value = x >= 0 ? high : u * high;
    slope = u * high * high;
    curvature = (x >= 0 ? -1 : 1) * u * (1 - u) * high * high * high;
  }
};

struct derivatives {
  real value = 0;
  std::vector<real> gradient, hessian;
};

/// S-NDCG of one list from its gains; cutoff 0: none.
inline derivatives sndcg(const std::vector<real>& s, const std::vector<real>& gains, real temperature,
                         std::size_t cutoff = 0, bool competition = false) {
  const std::size_t n = s.size();
  derivatives out;
  out.gradient.assign(n, 0);
  out.hessian.assign(n, 0);
  const real ln2 = std::numbers::ln2_v<real>;
  std::vector<real> sorted = gains;
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  const std::size_t k = cutoff > 0 ? std::min(cutoff, n) : n;
  real best = 0;
  for (std::size_t i = 0, rank = 0; i < n; ++i) {
    if (!competition || i == 0 || sorted[i] != sorted[i - 1]) rank = i;
    if (rank < k) best += sorted[i] * ln2 / std::log(real(rank) + 2);
  }
  if (!(best > 0)) return out;

  std::vector<real> a(n), b(n);
  real dcg = 0;
  for (std::size_t i = 0; i < n; ++i) {
    real r = 1;
    for (std::size_t j = 0; j < n; ++j)
      if (j != i) r += sigmoid((s[j] - s[i]) / temperature).value;
    const real l = std::log(1 + r);
    real d = ln2 / l;
    real d1 = -ln2 / ((1 + r) * l * l);
    real d2 = ln2 * (l + 2) / ((1 + r) * (1 + r) * l * l * l);
    if (cutoff > 0) {
      const real t = std::clamp(r - real(cutoff), real(0), real(1));
      const real c = 1 - t * t * (3 - 2 * t);
      const real c1 = -6 * t * (1 - t);
      const real c2 = t > 0 && t < 1 ? 12 * t - 6 : 0;
      d2 = d2 * c + 2 * d1 * c1 + d * c2;
      d1 = d1 * c + d * c1;
      d *= c;
    }
    dcg += gains[i] * d;
    a[i] = -gains[i] * d1 / best;
    b[i] = -gains[i] * d2 / best;
  }
  out.value = 1 - dcg / best;
  for (std::size_t m = 0; m < n; ++m) {
    real slopes = 0;
    for (std::size_t j = 0; j < n; ++j) {
      if (j == m) continue;
      const sigmoid f((s[j] - s[m]) / temperature);
      slopes += f.slope;
      out.gradient[m] += (a[j] - a[m]) * f.slope / temperature;
      // rank_j falls, rank_m rises as item j gains on item m
      out.hessian[m] +=
          (b[j] * f.slope * f.slope + (a[m] - a[j]) * f.curvature) / (temperature * temperature);
    }
    out.hessian[m] += b[m] * slopes * slopes / (temperature * temperature);
  }
  return out;
}

/// Largest error relative to the largest entry, or to `least` if that is larger. What the type cannot hold as
/// a normal number counts as nothing.
template <class T>
double relative_error(const std::vector<T>& got, const std::vector<real>& expected, real least = 0) {
  real largest = std::max(least, real(std::numeric_limits<T>::min() / std::numeric_limits<T>::epsilon()));
  real error = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    largest = std::max(largest, std::abs(expected[i]));
    const real off = std::abs(real(got[i]) - expected[i]);
    if (!(off <= error)) error = std::isnan(off) ? std::numeric_limits<real>::infinity() : off;
  }
  return static_cast<double>(error / largest);
}

}  // namespace reference
