// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/pairs/scaled_factor.hpp>

#include <catch2/catch.hpp>

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace detail_pairs_scaled_factor_test {

using rankloss::list;
using rankloss::strided;
using rankloss::workspace;
using rankloss::detail::scaled_factor;
using rankloss::detail::scaled_factor_of;
using rankloss::detail::weight_unit;
using rankloss::detail::write_by_position;

TEST_CASE("scaled_factor: products that no double holds are divided and multiplied in any order") {
  constexpr double most = std::numeric_limits<double>::max();
  CHECK(scaled_factor_of(3.0, 2.0, 0).of(4.0) == 6.0);
  CHECK(scaled_factor_of(3.0, 2.0, 4).of(4.0) == 96.0);
  CHECK(scaled_factor_of(3.0, 2.0, 4).over(8.0).of(4.0) == 12.0);
  CHECK(scaled_factor_of(1.0, 1.0, 1500).of(0x1p-1000) == 0x1p500);
  CHECK(scaled_factor_of(1.0, 0x1p-400, 1200).of(0x1p-1000) == 0x1p600);
  CHECK(scaled_factor_of(1.0, 1.0, 3000).of(1.0) == most);
  CHECK(scaled_factor_of(1.0, 0.0, 7).of(5.0) == 0.0);
}

TEST_CASE("scaled_factor: weights come near 1 by a power of two, and positions go back to items") {
  const std::vector<double> scores{1.0, 2.0};
  const std::vector<double> large{0x1p1000, 0x1.8p1001};
  const list<double, double> plain{{scores.data(), 2}, {scores.data(), 2}};
  CHECK(weight_unit(plain) == 1.0);
  list<double, double> weighted = plain;
  weighted.weights = {large.data(), 2};
  CHECK(weight_unit(weighted) == 0x1p-1001);
  workspace scratch;

  const std::vector<float> from{3.0F, 5.0F};
  const std::vector<std::uint32_t> item{1, 0};
  std::vector<double> to(2);
  write_by_position<double>(std::span<const float>(from), scaled_factor{0.5, 4.0}, item,
                            strided<double>{to.data(), 2}, scratch);
  CHECK(to == std::vector<double>{10.0, 6.0});
  write_by_position<double>(std::span<const float>(from), scaled_factor{0.5, 4.0}, item, strided<double>{},
                            scratch);
}

}  // namespace detail_pairs_scaled_factor_test
