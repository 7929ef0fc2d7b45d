// SPDX-License-Identifier: BSL-1.0
#include <rankloss/relevance_scores.hpp>
#include <rankloss/relevance_tiles.hpp>

#include <catch2/catch.hpp>

#include <cstddef>
#include <span>
#include <type_traits>
#include <vector>

namespace relevance_tiles_test {

namespace {

using rankloss::context;
using rankloss::relevance_tiles;

/// 10 i + j of row i and column j.
struct numbered {
  std::size_t row_count = 3, column_count = 4;

  void rows(std::size_t first, std::size_t count, std::span<float> to, context&) const {
    for (std::size_t k = 0; k < count * column_count; ++k)
      to[k] = static_cast<float>(10 * (first + k / column_count) + k % column_count);
  }
  void columns(std::size_t first, std::size_t count, std::span<float> to, context&) const {
    for (std::size_t k = 0; k < count * row_count; ++k)
      to[k] = static_cast<float>(10 * (k % row_count) + first + k / row_count);
  }
};
struct rows_alone {
  void rows(std::size_t, std::size_t, std::span<float>, context&) const {}
};
struct changing {
  void rows(std::size_t, std::size_t, std::span<float>, context&) {}
  void columns(std::size_t, std::size_t, std::span<float>, context&) {}
};

TEST_CASE("relevance_tiles: a view of an object that writes rows and columns") {
  CHECK(relevance_tiles<float>{}.empty());
  const numbered object;
  const relevance_tiles<float> tiles = object;
  CHECK_FALSE(tiles.empty());
  context ctx;
  std::vector<float> to(8);
  tiles.fill(false, 1, 2, to, ctx);
  CHECK(to == std::vector<float>{10, 11, 12, 13, 20, 21, 22, 23});
  to.resize(6);
  tiles.fill(true, 2, 2, to, ctx);
  CHECK(to == std::vector<float>{2, 12, 22, 3, 13, 23});
  const relevance_tiles<float> copy = tiles;
  to.resize(3);
  copy.fill(true, 0, 1, to, ctx);
  CHECK(to == std::vector<float>{0, 10, 20});
}

TEST_CASE("relevance_tiles: of objects that write both, of numbers of the type, and that may be const") {
  STATIC_REQUIRE(std::is_convertible_v<const numbered&, relevance_tiles<float>>);
  STATIC_REQUIRE_FALSE(std::is_convertible_v<const numbered&, relevance_tiles<double>>);
  STATIC_REQUIRE_FALSE(std::is_convertible_v<const rows_alone&, relevance_tiles<float>>);
  STATIC_REQUIRE_FALSE(std::is_convertible_v<const changing&, relevance_tiles<float>>);
  STATIC_REQUIRE(std::is_convertible_v<const rankloss::caption_relevance<double>&, relevance_tiles<double>>);
  STATIC_REQUIRE_FALSE(
      std::is_convertible_v<const rankloss::caption_relevance<double>&, relevance_tiles<float>>);
}

}  // namespace

}  // namespace relevance_tiles_test
