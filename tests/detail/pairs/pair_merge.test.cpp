// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/pairs/pair_merge.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace detail_pairs_pair_merge_test {

using rankloss::detail::add_hinges;
using rankloss::detail::exact_centre;
using rankloss::detail::hinge_sum;
using rankloss::detail::merge_hinges;
using rankloss::detail::merge_item;

namespace {

struct sums {
  double value = 0.0;
  std::vector<double> gradient, hessian;
};

/// Pair by pair; `is_preferred(i, j)` whether item i is of a higher level than j.
template <class Preferred>
sums by_pairs(const std::vector<merge_item>& items, const std::vector<hinge_sum>& all, std::size_t n,
              Preferred is_preferred) {
  sums out{0.0, std::vector<double>(n), std::vector<double>(n)};
  for (const merge_item& preferred : items)
    for (const merge_item& other : items) {
      if (!is_preferred(preferred, other)) continue;
      for (const hinge_sum& f : all) {
        const merge_item& first = f.first_preferred ? preferred : other;
        const merge_item& second = f.first_preferred ? other : preferred;
        const double e = std::max(0.0, f.margin - first.shifted_score + second.shifted_score);
        const double w = f.factor * preferred.weight;
        out.value += w * std::pow(e, f.power);
        const double slope = e > 0.0 ? w * f.power * std::pow(e, f.power - 1) : 0.0;
        out.gradient[first.item] -= slope;
        out.gradient[second.item] += slope;
        const double bend = f.power == 2 && e > 0.0 ? 2.0 * w : 0.0;
        out.hessian[first.item] += bend;
        out.hessian[second.item] += bend;
      }
    }
  return out;
}

void check(const sums& expected, double value, const std::vector<double>& gradient,
           const std::vector<double>& hessian) {
  CHECK(value == Approx(expected.value).margin(1e-12));
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    CHECK(gradient[i] == Approx(expected.gradient[i]).margin(1e-11));
    CHECK(hessian[i] == Approx(expected.hessian[i]).margin(1e-11));
  }
}

}  // namespace

TEST_CASE(
    "pair_merge: hinges of every pair of levels, of either power and either way, with ties and weights") {
  std::mt19937 random(5);
  const std::vector<std::vector<hinge_sum>> functions{
      {{.margin = 0.75}},
      {{.margin = 0.0}},
      {{.margin = 1.5, .power = 2}},
      {{.margin = 0.5, .factor = 0.3}, {.factor = 0.7, .first_preferred = false}},
      {{.power = 2}, {.margin = 0.25, .power = 2, .first_preferred = false}}};
  for (const std::vector<std::uint32_t>& sizes : std::vector<std::vector<std::uint32_t>>{
           {1}, {3, 4}, {0, 5, 0, 1}, {1, 1, 1, 1, 1, 1, 1}, {20, 1, 33, 7, 2}})
    for (const auto& all : functions) {
      std::vector<std::uint32_t> starts{0};
      for (const std::uint32_t size : sizes) starts.push_back(starts.back() + size);
      const std::size_t n = starts.back();
      std::vector<merge_item> items(n);
      std::vector<std::size_t> level(n);
      for (std::size_t l = 0; l < sizes.size(); ++l) {
        const auto begin = items.begin() + starts[l];
        const auto end = items.begin() + starts[l + 1];
        for (auto at = begin; at != end; ++at)
          *at = {static_cast<double>(random() % 17) / 4.0, static_cast<double>(random() % 4),
                 static_cast<std::uint32_t>(at - items.begin())};
        for (std::size_t i = starts[l]; i < starts[l + 1]; ++i) level[i] = l;
        std::stable_sort(begin, end, [](const merge_item& a, const merge_item& b) {
          return a.shifted_score > b.shifted_score;
        });
      }
      const sums expected = by_pairs(items, all, n, [&](const merge_item& a, const merge_item& b) {
        return level[a.item] < level[b.item];
      });
      std::vector<double> gradient(n), hessian(n);
      std::vector<merge_item> buffer(n);
      auto merged = items;
      const double value = merge_hinges(merged, starts, all, buffer, gradient, hessian);
      check(expected, value, gradient, hessian);
      if (sizes.size() > 1)
        CHECK(std::is_sorted(merged.begin(), merged.end(), [](const merge_item& a, const merge_item& b) {
          return a.shifted_score > b.shifted_score;
        }));
    }
}

TEST_CASE(
    "pair_merge: what is added lies on what was there, and no digit of a small hinge is lost to far ones") {
  const std::vector<merge_item> first{{1e15, 1.0, 0}, {0.5, 1.0, 1}};
  const std::vector<merge_item> second{{0.25, 1.0, 2}, {-1e15, 1.0, 3}};
  std::vector<double> gradient{10.0, 10.0, 10.0, 10.0};
  const double value = add_hinges(first, second, {.margin = 0.5, .power = 2}, gradient, {});
  CHECK(value == 0.0625);
  CHECK(gradient == std::vector<double>{10.0, 9.5, 10.5, 10.0});
}

TEST_CASE("exact_centre: scores that differ from it by exact numbers, otherwise 0") {
  CHECK(exact_centre(std::vector<double>{3e9, 2e9, 4e9}) == 2e9);
  CHECK(exact_centre(std::vector<float>{-4, -8, -5}) == -8.0);
  CHECK(exact_centre(std::vector<double>{2, 4.5}) == 0.0);
  CHECK(exact_centre(std::vector<double>{-2, -4.5}) == 0.0);
  CHECK(exact_centre(std::vector<double>{-2, 2}) == 0.0);
  CHECK(exact_centre(std::vector<double>{0, 0}) == 0.0);
}

}  // namespace detail_pairs_pair_merge_test
