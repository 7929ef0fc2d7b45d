// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/embeddings/index_panels.hpp>

#include <rankloss/threads.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <random>
#include <vector>

namespace detail_embeddings_index_panels_test {

using rankloss::context;
using rankloss::detail::index_panels;
using rankloss::detail::panel_lists;
using rankloss::detail::pieces;
using rankloss::detail::similarity_part;
using rankloss::detail::vector_block;

TEST_CASE("index_panels: numbers of pieces and of the lists of a panel") {
  CHECK(pieces(0, 4) == 0);
  CHECK(pieces(1, 4) == 1);
  CHECK(pieces(4, 4) == 1);
  CHECK(pieces(5, 4) == 2);
  CHECK(panel_lists(0, 10) == 0);
  CHECK(panel_lists(7, 0) == 7);
  CHECK(panel_lists(100, 100) == 100);
  namespace tuning = rankloss::detail::tuning;
  CHECK(panel_lists(1000, 1000) == tuning::most_panel_lists);
  CHECK(panel_lists(100000, 100000) == tuning::least_panel_lists);
  const std::size_t wide = 2 * tuning::panel_items / (tuning::least_panel_lists + tuning::most_panel_lists);
  CHECK(panel_lists(wide, wide) == tuning::panel_items / wide);
}

TEMPLATE_TEST_CASE("index_panels: each similarity once, and matches apart", "", float, double) {
  using T = TestType;
  struct size {
    std::size_t rows, columns;
  };
  for (const size of : {size{1, 1},
                        {1, 2},
                        {2, 1},
                        {255, 255},
                        {256, 256},
                        {257, 257},
                        {511, 513},
                        {512, 512},
                        {600, 513},
                        {3, 1100},
                        {700, 1100},
                        {1100, 3}})
    for (const std::size_t workers : {1u, 3u}) {
      INFO(of.rows << " rows, " << of.columns << " columns");
      const std::size_t d = 3;
      std::mt19937_64 random(of.rows + of.columns);
      std::vector<T> x, y;
      for (std::size_t k = 0; k < of.rows * d; ++k) x.push_back(static_cast<T>(random() % 7) - T(3));
      for (std::size_t k = 0; k < of.columns * d; ++k) y.push_back(static_cast<T>(random() % 7) - T(3));
      const auto product = [&](std::size_t i, std::size_t j) {
        T sum = 0;
        for (std::size_t k = 0; k < d; ++k) sum += x[i * d + k] * y[j * d + k];
        return sum;
      };
      context ctx{rankloss::threads(workers)};
      index_panels<T> panels(vector_block<const T>{x.data(), of.rows, d, d},
                             vector_block<const T>{y.data(), of.columns, d, d}, ctx);
      CHECK(panels.rows() == of.rows);
      CHECK(panels.columns() == of.columns);
      CHECK(panels.matches() == std::min(of.rows, of.columns));
      CHECK(panels.parts() == (of.columns + 511) / 512);
      // Twice, as the second pass does.
      for (int pass = 0; pass < 2; ++pass) {
        std::vector<int> seen(of.rows * of.columns, 0);
        std::vector<char> right(of.rows * of.columns, 0);
        std::size_t done = 0;
        bool numbered = true, in_order = true, whole = true;
        panels.for_each(
            [&](std::size_t worker, const similarity_part<T>& part, std::size_t number) {
              numbered = numbered && worker < workers && part.first_column == number * 512;
              for (std::size_t i = part.first_row; i < part.last_row; ++i)
                for (std::size_t j = part.first_column; j < part.last_column; ++j) {
                  const T s = part.row(i)[j];
                  right[i * of.columns + j] =
                      s == (i == j ? std::numeric_limits<T>::lowest() : product(i, j)) ? 1 : 0;
                  ++seen[i * of.columns + j];
                  part.row(i)[j] = T(1);
                }
            },
            [&](std::size_t first, std::size_t last, const vector_block<T>& panel) {
              in_order = in_order && first == done && last - first <= panels.height();
              done = last;
              for (std::size_t i = first; i < last; ++i)
                for (std::size_t j = 0; j < of.columns; ++j) whole = whole && panel[i - first][j] == T(1);
            });
        CHECK(numbered);
        CHECK(in_order);
        CHECK(whole);
        CHECK(done == of.rows);
        CHECK(std::all_of(seen.begin(), seen.end(), [](int times) { return times == 1; }));
        CHECK(std::all_of(right.begin(), right.end(), [](char good) { return good == 1; }));
        bool matched = true;
        for (std::size_t i = 0; i < panels.matches(); ++i)
          matched = matched && panels.match(i) == static_cast<double>(product(i, i));
        CHECK(matched);
      }
    }
}

}  // namespace detail_embeddings_index_panels_test
