// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/sigmoid/decay_rows.hpp>

#include <rankloss/detail/sorting/sorted_list.hpp>
#include <rankloss/workspace.hpp>

#include "support/reference.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

namespace detail_sigmoid_decay_rows_test {

using arch = xsimd::default_arch;
using row = rankloss::detail::lanes<arch>;
using reference::real;
constexpr std::size_t w = row::size;

TEMPLATE_TEST_CASE("decay_rows: each stretch of a list begins with the sums of all that is before it", "",
                   float, double) {
  // A stretch is a crowd, some temperatures from it one item, and the next stretch close to that. A crowd upwards begins
  // where it ends downwards. Whatever of the crowd is left out for being far is nothing beside the item.
  constexpr std::size_t K = rankloss::detail::kernel_constants<TestType>::count, in_stretch = 120;
  constexpr std::size_t n = in_stretch * w;
  for (const double distance : {2.0, 5.0, 8.5, 11.0, 14.0, 17.0, 21.0, 26.0, 40.0})
    for (const bool crowd_first : {true, false}) {
      std::vector<TestType> s(n);
      double at = 0.0;
      for (std::size_t i = 0; i < n; ++i) {
        const std::size_t within = i % in_stretch;
        if (i > 0) at -= within == 0 ? 0.125 : within == (crowd_first ? in_stretch - 1 : 1) ? distance : 0.0;
        s[i] = static_cast<TestType>(at);
      }
      rankloss::workspace scratch;
      const auto sorted =
          rankloss::detail::sort_list<TestType>(rankloss::strided<const TestType>(s.data(), n), scratch);
      const auto in = rankloss::detail::lay_in_rows<arch, TestType>(sorted, 1.0, scratch);
      REQUIRE(in.rows == in_stretch);
      const auto unit = [](std::size_t) { return rankloss::detail::unit_weights{}; };
      real worst = 0;
      // The states of the first row of each lane on the way down, and of the last one on the way up.
      const auto compare = [&](std::size_t i, const auto& state, bool down) {
        for (std::size_t l = 0; l < w; ++l) {
          const std::size_t own = l * in_stretch + i;
          for (std::size_t k = 0; k < K; ++k) {
            alignas(64) double found[w];
            state[0].s[k].store_aligned(found);
            real expected = 0;
            for (std::size_t j = down ? 0 : own + 1; j < (down ? own : n); ++j)
              expected += std::exp(-real(k + 1) * std::abs(real(s[j]) - real(s[own])));
            worst = std::max(worst, std::abs(real(found[l]) - expected) / std::max(expected, real(1e-300)));
          }
        }
      };
      rankloss::detail::scan_rows_down<K, 1>(in, unit, [&](std::size_t i, const auto& state) {
        if (i == 0) compare(i, state, true);
      });
      rankloss::detail::scan_rows_up<K, 1>(in, unit, [&](std::size_t i, const auto& state) {
        if (i + 1 == in_stretch) compare(i, state, false);
      });
      INFO("distance " << distance << ", crowd " << (crowd_first ? "first" : "last"));
      CHECK(static_cast<double>(worst) <= (sizeof(TestType) == 4 ? 1e-9 : 2e-14));
    }
}

}  // namespace detail_sigmoid_decay_rows_test
