// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/gains/group_gains.hpp>

#include <rankloss/workspace.hpp>

#include "support/gains_reference.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <vector>

namespace detail_gains_group_gains_test {

using arch = xsimd::default_arch;
using gains_reference::draw;
using gains_reference::kinds_of_gains;
using gains_reference::plain;
using rankloss::ideal;
using reference::real;

constexpr std::size_t w = rankloss::detail::lane_count<arch>;

TEMPLATE_TEST_CASE("group_gains: ideal DCGs of lists in lanes", "", float, double) {
  constexpr TestType ended = std::numeric_limits<TestType>::lowest();
  std::mt19937_64 random(4);
  rankloss::workspace scratch;
  for (const std::vector<TestType>& from : kinds_of_gains<TestType>())
    for (const std::size_t rows : {1u, 2u, 7u, 8u, 9u, 16u, 33u, 70u})
      for (const std::size_t cutoff : {0u, 1u, 5u, 33u, 100u})
        for (const ideal kind : {ideal::sorted, ideal::competition_ranks}) {
          std::vector<std::vector<TestType>> lists;
          std::vector<TestType> gains;
          for (std::size_t l = 0; l < w; ++l) {  // one is as long as there is room, one is empty
            lists.push_back(draw(random, l == 0 ? rows : l == 1 ? 0 : random() % (rows + 1), from));
            gains.insert(gains.end(), lists[l].begin(), lists[l].end());
            gains.resize((l + 1) * rows, ended);
          }
          const auto found =
              rankloss::detail::ideal_dcg_of_group<arch>(kind, cutoff, gains.data(), rows, scratch);
          for (std::size_t l = 0; l < w; ++l) {
            const auto [expected, scale] = plain(kind, cutoff, lists[l]);
            INFO("rows " << rows << ", cutoff " << cutoff << ", lane " << l << " of " << lists[l].size()
                         << " items, " << found.get(l) << " and " << static_cast<double>(expected));
            CHECK(std::abs(real(found.get(l)) - expected) <= real(1e-14) * scale);
          }
        }
}

}  // namespace detail_gains_group_gains_test
