// SPDX-License-Identifier: BSL-1.0
#include "cuda/detail/tiles.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <vector>

namespace cuda_detail_tiles_test {
namespace {

/// Each long list is in the table once, and so is each of its tiles; nothing else is.
void check(const std::vector<std::size_t>& lengths, std::uint32_t shortest) {
  std::vector<std::int64_t> offsets{0};
  for (const std::size_t n : lengths) offsets.push_back(offsets.back() + static_cast<std::int64_t>(n));
  const table found = find(offsets, shortest);
  REQUIRE(found.items_of_tile <= shortest);

  std::map<std::size_t, std::size_t> at;  // long list: its element
  for (std::size_t e = 0; e < found.number.size(); ++e) {
    if (found.number[e] == ~std::uint64_t{0}) continue;
    const auto l = static_cast<std::size_t>(found.number[e]);
    REQUIRE(l < lengths.size());
    CHECK(at.emplace(l, e).second);
    CHECK(found.first[e] == static_cast<std::uint64_t>(offsets[l]));
    CHECK(found.size[e] == lengths[l]);
  }
  std::size_t tiles = 0;
  for (std::size_t l = 0; l < lengths.size(); ++l) {
    CHECK(at.count(l) == (lengths[l] >= shortest ? 1u : 0u));
    if (lengths[l] >= shortest) tiles += (lengths[l] + found.items_of_tile - 1) / found.items_of_tile;
  }
  std::map<std::pair<std::uint32_t, std::uint32_t>, int> seen;
  for (std::size_t t = 0; t < found.list_of_tile.size(); ++t)
    if (found.list_of_tile[t] != none) {
      REQUIRE(found.list_of_tile[t] < found.size.size());
      CHECK(found.index_of_tile[t] * found.items_of_tile < found.size[found.list_of_tile[t]]);
      CHECK(++seen[{found.list_of_tile[t], found.index_of_tile[t]}] == 1);
      // Tiles of a list follow each other.
      if (found.index_of_tile[t] > 0) CHECK(found.index_of_tile[t - 1] == found.index_of_tile[t] - 1);
    }
  CHECK(seen.size() == tiles);
}

}  // namespace

TEST_CASE("cuda: every long list has its tiles, wherever it begins") {
  const std::uint32_t tile = find({0}, 10000).items_of_tile;
  check({}, tile);
  check({5}, tile);
  check({tile - 1, tile, tile + 1, 0, tile - 1, 1, tile}, tile);
  check({2 * tile, 2 * tile, 2 * tile + 1, 4 * tile - 1, 2 * tile - 1, 3 * tile}, 2 * tile);
  check({100 * tile + 1}, tile);
  std::mt19937 random(1);
  for (int times = 0; times < 20; ++times) {
    const std::uint32_t shortest = tile + static_cast<std::uint32_t>(random() % (2 * tile));
    std::vector<std::size_t> lengths;
    for (std::size_t l = 0; l < 150; ++l)
      lengths.push_back(random() % 3 == 0 ? random() % 9
                                          : shortest - 3 + random() % (random() % 2 == 0 ? 6 : tile));
    check(lengths, shortest);
  }
}

}  // namespace cuda_detail_tiles_test
