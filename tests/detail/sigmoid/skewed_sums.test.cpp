// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/sigmoid/skewed_sums.hpp>

#include <rankloss/workspace.hpp>

#include "support/reference.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <span>
#include <vector>

namespace detail_sigmoid_skewed_sums_test {

using arch = xsimd::default_arch;
using row = rankloss::detail::lanes<arch>;
using rankloss::detail::kernel_constants;
using reference::real;
constexpr std::size_t w = row::size;

/// Sums over the items above and below, [n].
struct sums {
  std::vector<double> above, below;
  explicit sums(std::size_t n) : above(n, 77.0), below(n, 77.0) {}
};

TEMPLATE_TEST_CASE("skewed_sums: the bits are those of a lane that holds the list", "", float, double) {
  using constants = kernel_constants<TestType>;
  constexpr std::size_t K = constants::count;
  using skewed = rankloss::detail::skewed_sums<arch, K>;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  std::mt19937_64 random(1);
  const std::vector<std::vector<double>> kinds_of_gaps{
      {0.0}, {0.001, 0.0, 0.02}, {0.1, 0.7, 2.0}, {30.0, 36.0, 0.5}, {infinity, 0.25, 1e-9}};
  for (const std::vector<double>& gaps : kinds_of_gaps)
    for (const std::size_t n : {1u, 2u, 3u, 5u, 9u, 10u, 11u, 21u, 22u, 40u, 100u, 257u}) {
      rankloss::workspace scratch;
      const std::span<double> decay = scratch.take<double>(n + 1);
      for (double& q : decay) q = std::exp(-gaps[random() % gaps.size()]);
      decay[0] = decay[n] = 0.0;
      std::vector<double> weights(n);
      for (double& x : weights) x = static_cast<double>(random() >> 11) * 0x1p-52 - 1.0;
      sums ranks(n), slopes(n), pulls(n);
      skewed found(decay, scratch);
      found.template of_ones<2>({&constants::sigmoid, &constants::slope},
                                {{{ranks.above, ranks.below}, {slopes.above, slopes.below}}});
      found.weighted(weights, constants::slope, {pulls.above, pulls.below});
      sums alone(n);
      found.template of_ones<1>({&constants::sigmoid}, {{{alone.above, alone.below}}});

      // The same list in every lane.
      rankloss::detail::sorted_rows<arch> in;
      const std::span<double> rows = scratch.take<double>((n + 1) * w);
      for (std::size_t at = 0; at < rows.size(); ++at) rows[at] = decay[at / w];
      in.rows = n;
      in.decay = rows;
      std::size_t different = 0;
      const auto compare = [&](const row& expected, double here) {
        different += expected.get(0) == here && expected.get(w - 1) == here ? 0u : 1u;
      };
      const auto unit = [](std::size_t) { return rankloss::detail::unit_weights{}; };
      const auto weight = [&](std::size_t i) { return std::array<row, 1>{row(weights[i])}; };
      rankloss::detail::scan_rows_down<K, 1>(in, unit, [&](std::size_t i, const auto& state) {
        compare(state[0].dot(constants::sigmoid), ranks.above[i]);
        compare(state[0].dot(constants::sigmoid), alone.above[i]);
        compare(state[0].dot(constants::slope), slopes.above[i]);
      });
      rankloss::detail::scan_rows_up<K, 1>(in, unit, [&](std::size_t i, const auto& state) {
        compare(state[0].dot(constants::sigmoid), ranks.below[i]);
        compare(state[0].dot(constants::sigmoid), alone.below[i]);
        compare(state[0].dot(constants::slope), slopes.below[i]);
      });
      rankloss::detail::scan_rows_down<K, 1>(in, weight, [&](std::size_t i, const auto& state) {
        compare(state[0].dot(constants::slope), pulls.above[i]);
      });
      rankloss::detail::scan_rows_up<K, 1>(in, weight, [&](std::size_t i, const auto& state) {
        compare(state[0].dot(constants::slope), pulls.below[i]);
      });
      INFO("items " << n << ", first gap " << gaps[0]);
      CHECK(different == 0);

      // And they are the sums that they are said to be.
      real worst = 0;
      for (std::size_t i = 0; i < n; ++i) {
        real above = 0, pulled = 0, u = 1;
        for (std::size_t j = i; j-- > 0;) {
          u *= decay[j + 1];
          above += u / (1 + u);
          pulled += weights[j] * u / ((1 + u) * (1 + u));
        }
        worst = std::max({worst, std::abs(above - ranks.above[i]), std::abs(pulled - pulls.above[i])});
      }
      CHECK(static_cast<double>(worst) <= (sizeof(TestType) == 4 ? 2.6e-7 : 4e-14) * static_cast<double>(n));
    }
}

}  // namespace detail_sigmoid_skewed_sums_test
