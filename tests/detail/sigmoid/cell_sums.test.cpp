// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/sigmoid/cell_sums.hpp>

#include <rankloss/detail/sorting/sorted_rows.hpp>
#include <rankloss/workspace.hpp>

#include "support/reference.hpp"
#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <span>
#include <vector>

namespace detail_sigmoid_cell_sums_test {

namespace {

using arch = xsimd::default_arch;
using row = rankloss::detail::lanes<arch>;
using rankloss::strided;
using rankloss::workspace;
using rankloss::detail::cell_constants;
using reference::real;

constexpr std::size_t w = row::size;

/// A list and its cells, cut one way or the other.
template <class T>
struct cut_list {
  using cells_type = rankloss::detail::cell_list<arch, T>;
  static constexpr std::size_t P = cell_constants<T>::coefficients;

  std::vector<T> s;
  double temperature;
  std::vector<T> values, by_slot;
  workspace scratch;
  cells_type cells;
  bool cut;

  cut_list(std::vector<T> scores, double t, bool sorted)
      : s(std::move(scores)), temperature(t), values(s.size()), by_slot(s.size()) {
    for (std::size_t i = 0; i < s.size(); ++i) values[i] = static_cast<T>(i % 1000);
    const strided<const T> items(s.data(), s.size());
    if (!sorted) {
      cut = cells.divide_by_grid(items, temperature, values, by_slot, scratch);
    } else {
      const auto in_order = rankloss::detail::sort_list<T>(items, scratch);
      cut = cells.divide_sorted(in_order.x, in_order.order, temperature, values, by_slot, scratch);
    }
  }

  /// sum_{j} weight_j f(x_j - x_i) by item, j = i included; of the sigmoid, less what the cells above count
  /// in full.
  std::vector<double> sums(const typename cell_constants<T>::kernel& kernel,
                           const std::vector<double>& weights, bool hard_above) {
    const workspace::scope scope(scratch);
    std::vector<double> moments(cells.moment_count()), local(cells.moment_count(), 99.0), weight_at(s.size()),
        out_at(s.size()), out(s.size());
    for (std::size_t i = 0; i < s.size(); ++i) weight_at[cells.slots()[i]] = weights[i];
    for (std::size_t c = 0; c < cells.cells().size(); ++c) {
      typename cells_type::moment_sums own;
      cells.for_vectors(cells.cells()[c], [&](std::size_t i, std::size_t count, const row& coordinate) {
        alignas(64) double weight[w]{};
        std::copy_n(weight_at.begin() + static_cast<std::ptrdiff_t>(i), count, weight);
        own.add(coordinate, row::load_aligned(weight));
      });
      own.store(moments.data() + c * P);
    }
    cells.template spread<1>(moments.data(), {{{kernel, local.data()}}});
    double above = 0.0;
    for (std::size_t c = 0; c < cells.cells().size(); ++c) {
      cells.for_vectors(cells.cells()[c], [&](std::size_t i, std::size_t count, const row& coordinate) {
        alignas(64) double sum[w];
        cells_type::at_coordinate(local.data() + c * P, coordinate).store_aligned(sum);
        for (std::size_t l = 0; l < count; ++l) out_at[i + l] = sum[l] + (hard_above ? above : 0.0);
      });
      for (std::uint32_t i = cells.cells()[c].begin; i < cells.cells()[c].end; ++i) above += weight_at[i];
    }
    for (std::size_t i = 0; i < s.size(); ++i) out[i] = out_at[cells.slots()[i]];
    return out;
  }
};

/// What cells promise whatever the list: every item in one of them, none empty, and no centre closer to the
/// next than a cell is wide.
template <class T>
void check_cells(const cut_list<T>& in) {
  const auto cells = in.cells.cells();
  std::vector<unsigned> taken(in.s.size(), 0);
  for (std::size_t i = 0; i < in.s.size(); ++i) {
    ++taken[in.cells.slots()[i]];
    CHECK(in.by_slot[in.cells.slots()[i]] == in.values[i]);
  }
  CHECK(taken == std::vector<unsigned>(in.s.size(), 1));
  CHECK(in.cells.moment_count() == cells.size() * cut_list<T>::P);
  constexpr double half = cell_constants<T>::half_width, width = 2 * half;
  std::vector<T> at(in.s.size());
  for (std::size_t i = 0; i < in.s.size(); ++i) at[in.cells.slots()[i]] = in.s[i];
  std::uint32_t begin = 0;
  for (std::size_t c = 0; c < cells.size(); ++c) {
    CHECK(cells[c].begin == begin);
    CHECK(cells[c].end > begin);
    begin = cells[c].end;
    if (c == 0) continue;
    CHECK(cells[c].distance >= width * (1 - 1e-12));
    // The distance is that of the centres.
    const double gap =
        (static_cast<double>(at[cells[c - 1].begin]) - static_cast<double>(at[cells[c].begin])) /
        in.temperature;
    CHECK(cells[c].distance ==
          Approx(gap - cells[c - 1].offset + cells[c].offset).epsilon(1e-6).margin(1e-6));
  }
  CHECK(begin == in.s.size());
  // Coordinates are within the cell, and those of missing items 0.
  for (const auto& cell : cells)
    in.cells.for_vectors(cell, [&](std::size_t i, std::size_t count, const row& coordinate) {
      alignas(64) double d[w];
      coordinate.store_aligned(d);
      for (std::size_t l = 0; l < w; ++l) {
        if (l >= count) {
          CHECK(d[l] == 0.0);
          continue;
        }
        CHECK(std::abs(d[l]) <= 1 + 1e-5);
        const double below_first =
            (static_cast<double>(at[cell.begin]) - static_cast<double>(at[i + l])) / in.temperature;
        CHECK(d[l] * half == Approx(cell.offset - below_first).epsilon(1e-9).margin(1e-9));
      }
    });
}

template <class T>
void check_sums(cut_list<T>& in, std::mt19937_64& random) {
  const std::size_t n = in.s.size();
  const std::vector<double> weights = support::numbers<double>(random, n);
  const auto sigmoid = in.sums(cell_constants<T>::for_sigmoid, weights, true);
  const auto slope = in.sums(cell_constants<T>::for_slope, weights, false);
  real sigmoid_error = 0, slope_error = 0;
  for (std::size_t i = 0; i < n; ++i) {
    real rank = 0, pull = 0, rank_scale = 0, pull_scale = 0;
    for (std::size_t j = 0; j < n; ++j) {
      const reference::sigmoid f((real(in.s[j]) - real(in.s[i])) / in.temperature);
      rank += weights[j] * f.value;
      pull += weights[j] * f.slope;
      rank_scale += std::abs(weights[j]);
      pull_scale += std::abs(weights[j]) * f.slope;
    }
    sigmoid_error = std::max(sigmoid_error, std::abs(sigmoid[i] - rank) / rank_scale);
    slope_error = std::max(slope_error, std::abs(slope[i] - pull) / pull_scale);
  }
  constexpr double bound = sizeof(T) == 4 ? 2e-6 : 2e-14;
  CHECK(static_cast<double>(sigmoid_error) / bound <= 1.0);
  CHECK(static_cast<double>(slope_error) / bound <= 1.0);

  std::vector<double> moments(in.cells.moment_count());
  in.cells.unit_moments(moments, in.scratch);
  for (std::size_t c = 0; c < in.cells.cells().size(); ++c)
    CHECK(moments[c * cut_list<T>::P] ==
          static_cast<double>(in.cells.cells()[c].end - in.cells.cells()[c].begin));
}

template <class T>
std::vector<T> made(std::size_t n, std::mt19937_64& random, double (*next)(std::mt19937_64&)) {
  std::vector<T> s(n);
  for (T& x : s) x = static_cast<T>(next(random));
  return s;
}
double uniform(std::mt19937_64& random) { return static_cast<double>(random() >> 11) * 0x1p-53; }

}  // namespace

TEMPLATE_TEST_CASE("cell_sums: both cuts give the sums of the O(n^2) form", "", float, double) {
  std::mt19937_64 random(1);
  for (const bool sorted : {false, true}) {
    const auto check = [&](std::vector<TestType> s, double temperature) {
      cut_list<TestType> in(std::move(s), temperature, sorted);
      INFO("sorted " << sorted << ", items " << in.s.size() << ", temperature " << temperature);
      REQUIRE(in.cut);
      check_cells(in);
      check_sums(in, random);
    };
    check(made<TestType>(24, random, uniform), 2.0);   // one cell
    check(made<TestType>(73, random, uniform), 0.9);   // two or three
    check(made<TestType>(521, random, uniform), 0.1);  // many that touch
    check(std::vector<TestType>(30, TestType(0.7)), 1.0);
    // Ties, on the borders of the grid.
    check(made<TestType>(300, random, [](auto& r) { return 0.5 * static_cast<double>(r() % 9); }), 1.0);
    // Crowds with gaps of whole and odd numbers of cells between, some so far that nothing acts across.
    check(
        made<TestType>(600, random, [](auto& r) { return 7.3 * static_cast<double>(r() % 3) + uniform(r); }),
        1.0);
    if (sorted)
      check(made<TestType>(500, random,
                           [](auto& r) { return 900.0 * static_cast<double>(r() % 3) + uniform(r); }),
            1.0);
  }
}

TEMPLATE_TEST_CASE("cell_sums: lists that cells would hold too little of are refused", "", float, double) {
  std::mt19937_64 random(2);
  const auto cut = [](std::vector<TestType> s, double temperature, bool sorted) {
    return cut_list<TestType>(std::move(s), temperature, sorted).cut;
  };
  const auto spread = made<TestType>(100, random, uniform);
  for (const bool sorted : {false, true}) {
    CHECK(!cut({}, 1.0, false));
    const std::size_t least =
        sorted ? rankloss::detail::tuning::sorted_cell_items : rankloss::detail::tuning::cell_items;
    CHECK(!cut(std::vector<TestType>(least - 1, TestType{0}), 1.0, sorted));
    CHECK(cut(std::vector<TestType>(least, TestType{0}), 1.0, sorted));
    CHECK(!cut(spread, 0.01, sorted));
    CHECK(cut(spread, 1.0, sorted));
  }
  // 32 items of two cells of the grid: those that reach a third are too few.
  std::vector<TestType> few(32, TestType{1});
  few[3] = TestType(0.25);
  CHECK(cut(few, 1.0, false));
  few[3] = TestType{0};
  CHECK(!cut(few, 1.0, false));
  constexpr TestType most = std::numeric_limits<TestType>::max();
  std::vector<TestType> far(100, TestType{0});
  far[1] = most;
  far[2] = -most;
  CHECK(!cut(far, 1.0, false));
}

TEST_CASE(
    "cell_sums: a crowd of 256 makes a list worth cutting that is thin elsewhere, up to four times as many cells") {
  const auto cut = [](std::size_t crowd, std::size_t loners) {
    std::vector<double> s(crowd, 0.0);
    for (std::size_t i = 0; i < loners; ++i) s.push_back(5.0 * static_cast<double>(i + 1));
    return cut_list<double>(s, 1.0, true).cut;
  };
  CHECK(cut(255, 9));
  CHECK(!cut(255, 20));
  CHECK(!cut(255, 40));
  CHECK(cut(256, 40));
  CHECK(!cut(256, 100));
}

TEMPLATE_TEST_CASE("cell_sums: long lists are cut into pieces that cover all slots once", "", float, double) {
  std::mt19937_64 random(3);
  constexpr std::size_t piece = rankloss::detail::tuning::piece_items;
  for (const bool sorted : {false, true})
    for (const std::size_t n : {piece - 1, piece, piece + 1, 3 * piece + 17})
      for (const double temperature : {100.0, 0.5, 0.01}) {  // one cell, two or more, many
        cut_list<TestType> in(made<TestType>(n, random, uniform), temperature, sorted);
        REQUIRE(in.cut);
        REQUIRE(in.cells.pieces() == (n + piece - 1) / piece);
        std::size_t at = 0, wrong = 0;
        for (std::size_t p = 0; p < in.cells.pieces(); ++p)
          for (const auto& part : in.cells.cells_of(p)) {
            const auto& cell = in.cells.cells()[part.cell];
            wrong += part.begin != at || part.end <= part.begin || part.begin < cell.begin ||
                     part.end > cell.end || part.begin / piece != p || (part.end - 1) / piece != p ||
                     (part.further == 0) != (part.begin == cell.begin);
            at = part.end;
          }
        CHECK(at == n);
        CHECK(wrong == 0);
        std::vector<double> moments(in.cells.moment_count());
        in.cells.unit_moments(moments, in.scratch);
        wrong = 0;
        for (std::size_t c = 0; c < in.cells.cells().size(); ++c) {
          const auto& cell = in.cells.cells()[c];
          const double* own = moments.data() + c * cut_list<TestType>::P;
          double first = 0.0, scale = 1.0;
          in.cells.for_vectors(cell, [&](std::size_t, std::size_t count, const row& coordinate) {
            alignas(64) double d[w];
            coordinate.store_aligned(d);
            for (std::size_t l = 0; l < count; ++l) {
              first += d[l];
              scale += std::abs(d[l]);
            }
          });
          wrong += own[0] != static_cast<double>(cell.end - cell.begin) ||
                   std::abs(own[1] - first) > 1e-12 * scale;
        }
        CHECK(wrong == 0);
      }
}

TEST_CASE("cell_sums: a wide_row adds, scales and multiplies all its numbers") {
  using wide = rankloss::detail::wide_row<arch, 16>;
  std::array<double, 16> a{}, found{};
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<double>(i + 1);
  wide x, y;
  x.store(found.data());
  CHECK(found == std::array<double, 16>{});
  x.load(a.data());
  y.add_scaled(2.0, a.data());
  y.add(-3.0, x);
  y.store(found.data());
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(found[i] == -a[i]);
  CHECK(x.dot(y) == -16.0 * 17.0 * 33.0 / 6.0);
}

}  // namespace detail_sigmoid_cell_sums_test
