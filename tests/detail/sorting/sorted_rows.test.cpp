// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/sigmoid/decay_rows.hpp>
#include <rankloss/detail/sorting/sorted_rows.hpp>

#include <rankloss/workspace.hpp>

#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>
#include <span>
#include <stdexcept>
#include <vector>

namespace detail_sorting_sorted_rows_test {

namespace {

using arch = xsimd::default_arch;
using row = rankloss::detail::lanes<arch>;
using rankloss::list;
using rankloss::strided;
using rankloss::workspace;
using rankloss::detail::sorted_rows;

constexpr std::size_t w = row::size;
constexpr double infinity = std::numeric_limits<double>::infinity();

template <class T>
double kept_finite(T x) {
  return static_cast<double>(std::clamp(x, std::numeric_limits<T>::lowest(), std::numeric_limits<T>::max()));
}

/// The items by score, descending and stable; infinite scores are the largest finite ones.
template <class T>
std::vector<std::uint32_t> plain_order(const std::vector<T>& s) {
  std::vector<std::uint32_t> order(s.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::uint32_t i, std::uint32_t j) { return kept_finite(s[i]) > kept_finite(s[j]); });
  return order;
}

/// Scores with ties, of both signs, sometimes infinite.
template <class T>
std::vector<T> draw(std::mt19937_64& random, std::size_t n) {
  std::vector<T> s = support::whole_numbers<T>(random, n, static_cast<unsigned>(n + 2));
  for (T& x : s) x = static_cast<T>(0.37 * static_cast<double>(x) - 1.0);
  if (n > 4 && random() % 2 == 0) {
    s[1] = s[3] = std::numeric_limits<T>::infinity();
    s[2] = -std::numeric_limits<T>::infinity();
    s[0] = std::numeric_limits<T>::max();
  }
  return s;
}

double decay(double upper, double lower, double temperature) {
  const double gap = upper == lower ? 0.0 : (upper - lower) / temperature;
  return gap < 708.0 ? std::exp(-gap) : 0.0;
}

/// Up to w lists of one lane each.
template <class T>
struct group {
  std::vector<std::vector<T>> scores;
  std::vector<list<T, int>> lists;

  explicit group(std::vector<std::vector<T>> all, bool by_column = false) : scores(std::move(all)) {
    for (std::vector<T>& s : scores) {
      const std::size_t n = s.size();
      if (by_column) {
        s.resize(2 * n, T(1e6));
        for (std::size_t i = n; i-- > 0;) std::swap(s[2 * i], s[i]);
      }
      lists.push_back({.scores = {s.data(), n, by_column ? 2 : 1}, .relevance = {}});
    }
  }
  [[nodiscard]] std::span<const list<T, int>> span() const { return lists; }
  [[nodiscard]] std::vector<T> of(std::size_t l) const {
    std::vector<T> s;
    for (std::size_t i = 0; l < lists.size() && i < lists[l].size(); ++i) s.push_back(lists[l].scores[i]);
    return s;
  }
};

}  // namespace

TEMPLATE_TEST_CASE("sorted_rows: one list is sorted, descending and stable", "", float, double) {
  std::mt19937_64 random(1);
  for (const std::size_t n : {0u, 1u, 2u, 30u, 300u}) {
    const auto s = draw<TestType>(random, n);
    workspace scratch;
    const auto sorted = rankloss::detail::sort_list<TestType>(strided<const TestType>(s.data(), n), scratch);
    const auto order = plain_order(s);
    REQUIRE(sorted.x.size() == n);
    CHECK(std::vector<std::uint32_t>(sorted.order.begin(), sorted.order.end()) == order);
    for (std::size_t p = 0; p < n; ++p) CHECK(static_cast<double>(sorted.x[p]) == kept_finite(s[order[p]]));
  }
}

TEMPLATE_TEST_CASE("sorted_rows: neighbour_decays are exp of the gaps, and 0 at both ends", "", float,
                   double) {
  std::mt19937_64 random(2);
  for (std::size_t n = 1; n <= 3 * w + 1; ++n) {
    auto x = support::whole_numbers<TestType>(random, n, 9);
    std::sort(x.begin(), x.end(), std::greater<>());
    if (n > 3) x[0] = TestType(1e6);
    workspace scratch;
    const auto found =
        rankloss::detail::neighbour_decays<arch>(std::span<const TestType>(x), 0.75, 0.5, scratch);
    REQUIRE(found.size() == n + 1);
    CHECK(found.front() == 0.0);
    CHECK(found.back() == 0.0);
    for (std::size_t i = 1; i < n; ++i)
      CHECK(found[i] == Approx(x[i - 1] == x[i] ? 0.5
                                                : decay(static_cast<double>(x[i - 1]),
                                                        static_cast<double>(x[i]), 1 / 0.75))
                            .epsilon(1e-13));
  }
}

TEMPLATE_TEST_CASE("sorted_rows: one list over all lanes, a stretch a lane", "", float, double) {
  using T = TestType;
  std::mt19937_64 random(3);
  for (std::size_t n = 1; n <= 4 * w + 2; ++n)
    for (const double temperature : {0.02, 0.5}) {
      INFO("items " << n << ", temperature " << temperature);
      const auto s = draw<T>(random, n);
      workspace scratch;
      const auto sorted = rankloss::detail::sort_list<T>(strided<const T>(s.data(), n), scratch);
      const sorted_rows<arch> rows = rankloss::detail::lay_in_rows<arch>(sorted, temperature, scratch);
      const std::size_t r = (n + w - 1) / w;
      REQUIRE(rows.rows == r);
      CHECK(rows.items == n);
      CHECK(rows.single);
      const auto x = [&](std::size_t p) { return static_cast<double>(sorted.x[p]); };
      alignas(64) double rank_of_first[w];
      rows.rank_of_first.store_aligned(rank_of_first);
      for (std::size_t l = 0; l < w; ++l) {
        CHECK(rank_of_first[l] == static_cast<double>(l * r + 1));
        for (std::size_t i = 0; i <= r; ++i) {
          const std::size_t p = l * r + i;
          if (i < r) CHECK(rows.order[i * w + l] == (p < n ? sorted.order[p] : n));
          if (i < r && p >= n) CHECK(i >= rows.whole_rows);
          // Row r leads to the next stretch's first item.
          const double expected = p == 0 || p >= n ? 0.0 : decay(x(p - 1), x(p), temperature);
          CHECK(rows.decay[i * w + l] == Approx(expected).epsilon(1e-13).margin(1e-300));
        }
        // From a stretch's first item to the next one's, and from the last of the one before to its own last.
        const std::size_t first = std::min(l * r, n), last = std::min(first + r, n);
        const auto exp_of = [&](double gap) {
          return Approx(std::exp(-gap / temperature)).epsilon(1e-12).margin(1e-300);
        };
        if (first < last) {
          CHECK(rows.seams.decay_down[l] == (last < n ? exp_of(x(first) - x(last)) : Approx(0.0)));
          CHECK(rows.seams.decay_up[l] == (first > 0 ? exp_of(x(first - 1) - x(last - 1)) : Approx(0.0)));
          // What the warming up leaves out is further than the reach of the nearest item.
          const double reach = rankloss::detail::kernel_constants<T>::reach * temperature;
          const double parts[3] = {1.0, 3.0, rankloss::detail::kernel_constants<T>::count / 2 + 1.0};
          for (std::size_t p = first; p < last; ++p)
            for (std::size_t part = 0; part < 3; ++part) {
              if (last < n && p - first < rows.seams.warm_down[part])
                CHECK(x(p) - x(last - 1) > reach / parts[part]);
              if (first > 0 && p - first >= rows.seams.warm_up[part])
                CHECK(x(first) - x(p) > reach / parts[part]);
            }
        }
      }
    }
}

TEST_CASE("sorted_rows: warming up begins as late as it may") {
  // Stretches of 50 items a temperature apart: of each the last 42 + log n + 1 are within reach of its end.
  const std::size_t n = 50 * w;
  std::vector<double> s(n);
  for (std::size_t i = 0; i < n; ++i) s[i] = -2.0 * static_cast<double>(i);
  workspace scratch;
  const auto sorted = rankloss::detail::sort_list<double>(strided<const double>(s.data(), n), scratch);
  const auto rows = rankloss::detail::lay_in_rows<arch>(sorted, 1.0, scratch);
  const auto within = static_cast<std::size_t>((42.0 + std::log(static_cast<double>(n))) / 2.0) + 1;
  // Of those of the third term a third, and of those of the twelfth a twelfth.
  const auto part = [&](double k) {
    return static_cast<std::size_t>((42.0 + std::log(static_cast<double>(n))) / k / 2.0) + 1;
  };
  CHECK(rows.seams.warm_down == std::array<std::size_t, 3>{50 - within, 50 - part(3.0), 50 - part(12.0)});
  CHECK(rows.seams.warm_up == std::array<std::size_t, 3>{within, part(3.0), part(12.0)});
}

TEMPLATE_TEST_CASE("sorted_rows: gather and scatter go by the order, and leave out what has ended", "", float,
                   double) {
  for (const std::size_t n : {1u, 7u, 17u, 32u, 33u}) {
    std::vector<TestType> s(n);
    for (std::size_t i = 0; i < n; ++i) s[i] = static_cast<TestType>((i * 7) % n);
    workspace scratch;
    const auto sorted = rankloss::detail::sort_list<TestType>(strided<const TestType>(s.data(), n), scratch);
    const auto rows = rankloss::detail::lay_in_rows<arch>(sorted, 1.0, scratch);
    std::vector<double> in_rows(rows.rows * w, 99.0), back(2 * n + 1, -1.0);
    rows.gather(s.data(), in_rows.data());
    for (std::size_t at = 0; at < in_rows.size(); ++at)
      CHECK(in_rows[at] == (rows.order[at] < n ? static_cast<double>(s[rows.order[at]]) : 0.0));
    for (std::size_t i = 0; i < rows.rows; ++i)
      rows.scatter(i, row::load_unaligned(in_rows.data() + i * w), strided<double>(back.data(), n, 2));
    for (std::size_t i = 0; i < n; ++i) {
      CHECK(back[2 * i] == static_cast<double>(s[i]));
      CHECK(back[2 * i + 1] == -1.0);
    }
    CHECK(back[2 * n] == -1.0);  // the element of what has ended
  }
}

TEMPLATE_TEST_CASE("sorted_rows: groups lie in lanes as they are, or sorted, each list by itself", "", float,
                   double) {
  using T = TestType;
  std::mt19937_64 random(4);
  for (const std::size_t longest : {1u, 2u, 3u, 5u, 16u, 40u})
    for (const bool by_column : {false, true}) {
      INFO("longest " << longest << ", by column " << by_column);
      std::vector<std::vector<T>> scores;
      for (std::size_t l = 0; l + 1 < w; ++l)
        scores.push_back(draw<T>(random, l == 0 ? longest : random() % (longest + 1)));
      const group<T> lists(scores, by_column);
      CHECK(rankloss::detail::longest_of(lists.span()) == longest);
      workspace scratch;
      const auto plain = rankloss::detail::lay_group<arch>(lists.span(), scratch);
      const auto sorted = rankloss::detail::sort_lanes<arch>(lists.span(), scratch);
      const double temperature = 0.3;
      const auto rows = rankloss::detail::sort_group<arch>(lists.span(), temperature, scratch);
      for (const auto* all : {&plain.rows, &sorted.rows, &rows}) {
        CHECK(all->rows == longest);
        CHECK(all->whole_rows == longest);
        CHECK(all->items == longest * w);
        CHECK(!all->single);
      }
      for (std::size_t l = 0; l < w; ++l) {
        const std::vector<T> s = lists.of(l);
        const auto order = plain_order(s);
        const double lowest = std::numeric_limits<T>::lowest();
        double before = infinity;
        for (std::size_t i = 0; i < longest; ++i) {
          const std::size_t at = i * w + l;
          CHECK(plain.rows.order[at] == l * longest + i);
          CHECK(plain.x[at] == (i < s.size() ? kept_finite(s[i]) : lowest));
          // Padding comes last, in its own order.
          CHECK(sorted.rows.order[at] == l * longest + (i < s.size() ? order[i] : i));
          const double x = i < s.size() ? kept_finite(s[order[i]]) : lowest;
          CHECK(sorted.x[at] == x);
          CHECK(rows.order[at] == sorted.rows.order[at]);
          CHECK(rows.decay[at] == Approx(i > 0 && i < s.size() ? decay(before, x, temperature) : 0.0)
                                      .epsilon(1e-13)
                                      .margin(1e-300));
          before = x;
        }
        CHECK(rows.decay[longest * w + l] == 0.0);
      }
    }
}

TEST_CASE("sorted_rows: a group of floats has to leave room for its indices") {
  const std::vector<float> s((std::size_t{1} << 20) / w + 1, 1.0F);
  const std::vector<list<float, int>> lists{{.scores = {s.data(), s.size()}, .relevance = {}}};
  workspace scratch;
  CHECK_THROWS_AS((rankloss::detail::sort_lanes<arch, float, int>(lists, scratch)), std::invalid_argument);
}

}  // namespace detail_sorting_sorted_rows_test
