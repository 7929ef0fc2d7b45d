// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/simd/stretched_list.hpp>

#include <rankloss/workspace.hpp>

#include <catch2/catch.hpp>

#include <cstddef>
#include <span>
#include <vector>

namespace detail_simd_stretched_list_test {

namespace {

using arch = xsimd::default_arch;
using row = rankloss::detail::lanes<arch>;
using list_type = rankloss::detail::stretched_list<arch>;
constexpr std::size_t w = row::size;

/// What for_items says of each row of a piece, given the numbers of the array.
void read(const list_type& list, const list_type::piece& of, const double* from, std::vector<double>& to,
          std::vector<int>& times) {
  const auto put = [&](std::size_t i, double number) {
    REQUIRE(i < to.size());
    to[i] = number;
    ++times[i];
  };
  for (std::size_t r = 0; r < of.rows; ++r)
    if (list.width() == 1)
      list_type::for_items(of, r, rankloss::detail::row_at<double>(from + of.at + r), put);
    else
      list_type::for_items(of, r, rankloss::detail::row_at<row>(from + of.at + r * w), put);
}

}  // namespace

TEST_CASE("stretched_list: an array has each item once, zeros for padding, and what is behind each stretch") {
  for (const std::size_t shortest : {0u, 1000u})
    for (const std::size_t piece_items : {w, 3 * w, 8 * w})
      for (std::size_t n = 0; n <= 20 * w + 3; ++n) {
        INFO(n << " items in pieces of " << piece_items << ", shortest " << shortest);
        if (shortest > n && piece_items < n) continue;  // a short list is one piece
        const list_type list(n, piece_items, shortest);
        CHECK(list.width() == (n < shortest ? 1 : w));
        REQUIRE((list.pieces() == 0) == (n == 0));
        rankloss::workspace scratch;
        const std::span<double> array = list.take(scratch);
        std::vector<double> found(n, -1.0);
        std::vector<int> times(n, 0);
        std::size_t items = 0, free = 0;
        for (std::size_t p = 0; p < list.pieces(); ++p) {
          const auto of = list[p];
          REQUIRE(of.begin == items);
          REQUIRE(of.at == free);
          REQUIRE(of.rows * list.width() >= of.size);
          CHECK(of.size < 2 * piece_items);
          items = of.end();
          free = of.at + (of.rows + 1) * list.width();
          REQUIRE(free <= array.size());
          // Item i holds i + 1, and so does the one behind the piece.
          list.fill(of, of.rows + 1, of.end() + 1, array.data(), [&](std::size_t i) {
            REQUIRE(i <= of.end());
            return static_cast<double>(i + 1);
          });
          for (std::size_t r = 0; r <= of.rows; ++r)
            for (std::size_t l = 0; l < list.width(); ++l) {
              const std::size_t i = of.begin + l * of.rows + r;
              CHECK(array[of.at + r * list.width() + l] ==
                    (i <= of.end() ? static_cast<double>(i + 1) : 0.0));
            }
          list.fill(of, array.data(), [&](std::size_t i) {
            REQUIRE(i < of.end());
            return static_cast<double>(2 * i);
          });
          for (std::size_t k = of.size; k < of.rows * list.width(); ++k)
            CHECK(array[of.at + k % of.rows * list.width() + k / of.rows] == 0.0);
          read(list, of, array.data(), found, times);
        }
        CHECK(items == n);
        for (std::size_t i = 0; i < n; ++i) {
          CHECK(found[i] == static_cast<double>(2 * i));
          CHECK(times[i] == 1);
        }
      }
}

}  // namespace detail_simd_stretched_list_test
