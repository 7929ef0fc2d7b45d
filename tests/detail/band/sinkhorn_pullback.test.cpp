// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/band/sinkhorn_pullback.hpp>

#include <rankloss/detail/band/sinkhorn_band.hpp>

#include "support/neural_bands.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>
#include <vector>

namespace detail_band_sinkhorn_pullback_test {

namespace {

using arch = xsimd::default_arch;
using rankloss::detail::sinkhorn_band;
using support::bands;
using support::falling;

constexpr std::size_t w = rankloss::detail::lane_count<arch>;

}  // namespace

TEST_CASE(
    "sinkhorn_pullback: the implicit derivative is the unrolled one of many steps, where these are slow and where items are islands") {
  using sinkhorn = sinkhorn_band<arch, double>;
  std::mt19937_64 random(4);
  std::vector<std::vector<double>> lists{falling(random, 30),
                                         {100.0, 99.7, 99.6, 0.0, -0.4, -200.0},
                                         {1e300, 0.0, -1e300},
                                         falling(random, 2),
                                         {3.0}};
  const std::vector<double> even = [] {
    std::vector<double> x(37);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = -0.05 * static_cast<double>(i);
    return x;
  }();
  const auto compare = [&](const std::vector<std::vector<double>>& of, bool one_list) {
    bands<double> in(of, one_list, 1.0);
    std::vector<double> values(in.slots, 0.0), cotangent(in.slots, 0.0);
    for (std::size_t l = 0; l < of.size(); ++l)
      for (std::size_t i = 0; i < of[l].size(); ++i) {
        const std::size_t at = (one_list ? 0 : l * in.band.rows()) + i;
        values[at] = static_cast<double>((7 * i + l) % 5);
        cotangent[at] = 1.0 / std::log2(2.0 + static_cast<double>(i));
      }
    const sinkhorn scaling(in.band, one_list, 3000, -1.0, true, in.scratch);
    const auto us = in.band.take(), um = in.band.take(), is = in.band.take(), im = in.band.take();
    scaling.pull(in.load(values), in.load(cotangent), us, um, sinkhorn::derivative::unrolled);
    scaling.pull(in.load(values), in.load(cotangent), is, im, sinkhorn::derivative::implicit);
    const auto s = in.store(us), m = in.store(um), fs = in.store(is), fm = in.store(im);
    for (std::size_t j = 0; j < s.size(); ++j) {
      INFO("slot " << j << " of " << s.size() << ", first item " << of[0][0]);
      CHECK(fs[j] == Approx(s[j]).margin(1e-9));
      CHECK(fm[j] == Approx(m[j]).margin(1e-8));
    }
  };
  compare(std::vector(lists.begin(), lists.begin() + static_cast<std::ptrdiff_t>(std::min(w, lists.size()))),
          false);
  for (const auto& x : lists) compare({x}, true);
  compare({even}, true);
}

TEST_CASE(
    "sinkhorn_pullback: the implicit derivative comes near its limit as the scaling does, whatever the size of what is pulled") {
  using sinkhorn = sinkhorn_band<arch, double>;
  std::mt19937_64 random(5);
  std::vector<std::vector<double>> lists;
  for (std::size_t l = 0; l < w; ++l) lists.push_back(falling(random, 12 + 5 * l));
  const auto pulled = [&](std::size_t steps, double size, sinkhorn::derivative how) {
    bands<double> in(lists, false, 1.0);
    std::vector<double> values(in.slots, 0.0), cotangent(in.slots, 0.0);
    for (std::size_t l = 0; l < lists.size(); ++l)
      for (std::size_t i = 0; i < lists[l].size(); ++i) {
        values[l * in.band.rows() + i] = size * static_cast<double>((7 * i + l) % 5);
        cotangent[l * in.band.rows() + i] = 1.0 / std::log2(2.0 + static_cast<double>(i));
      }
    const sinkhorn scaling(in.band, false, steps, 1e-14, true, in.scratch);
    const auto sums = in.band.take(), moments = in.band.take();
    scaling.pull(in.load(values), in.load(cotangent), sums, moments, how);
    return in.store(moments);
  };
  const auto limit = pulled(20000, 1.0, sinkhorn::derivative::implicit);
  const auto error = [&](const std::vector<double>& found, double size) {
    double worst = 0.0;
    for (std::size_t i = 0; i < limit.size(); ++i)
      worst = std::max(worst, std::abs(found[i] / size - limit[i]));
    return worst;
  };
  CHECK(*std::max_element(limit.begin(), limit.end()) > 0.1);
  // Also far from the fixed point it is not worse than what it is the limit of.
  for (const std::size_t steps : {1u, 3u, 10u, 50u, 200u})
    CHECK(error(pulled(steps, 1.0, sinkhorn::derivative::implicit), 1.0) <=
          1.2 * error(pulled(steps, 1.0, sinkhorn::derivative::unrolled), 1.0) + 1e-9);
  // Squares of these are no numbers.
  for (const double size : {1e-200, 1e200})
    CHECK(error(pulled(20000, size, sinkhorn::derivative::implicit), size) <= 1e-9);
}

}  // namespace detail_band_sinkhorn_pullback_test
