// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/band/kept_band.hpp>

#include "support/neural_bands.hpp"

#include <catch2/catch.hpp>

#include <cstddef>
#include <random>
#include <span>
#include <vector>

namespace detail_band_kept_band_test {

namespace {

using arch = xsimd::default_arch;
using rankloss::detail::kept_band;
using reference::real;
using support::bands;
using support::falling;
using support::matrix;

using V = rankloss::detail::lanes<arch>;
constexpr std::size_t w = rankloss::detail::lane_count<arch>;

matrix dense(const std::vector<double>& x, double t) {
  matrix p = support::logits(x, t);
  real ignored = 0;
  for (auto& row : p)
    row = reference::softmax(
        row, [](std::size_t) { return true; }, ignored);
  return p;
}

/// One walk, whose x are the products with y times z, and the products and sums alone, against the whole
/// matrix.
template <class T>
void check(const std::vector<std::vector<double>>& lists, bool one_list, std::mt19937_64& random) {
  constexpr double digits = sizeof(T) == 4 ? 1e-5 : 1e-11;
  constexpr double t = 1.3;
  bands<T> in(lists, one_list, t);
  const kept_band<arch, T> kept(in.band, in.scratch);
  const auto a = support::numbers<double>(random, in.slots), b = support::numbers<double>(random, in.slots);
  const auto z = support::numbers<double>(random, in.slots);
  const std::span<const double> by_row = in.load(z);
  const auto y = in.band.take(), product = in.band.take(), alone = in.band.take();
  const auto sums = in.band.take(), moments = in.band.take(), only_sums = in.band.take();
  kept.multiply(in.load(a), in.load(b), y);
  kept.walk(
      y,
      [&](std::size_t at, const V& p) {
        p.store_aligned(product.data() + at);
        return p * V::load_aligned(by_row.data() + at);
      },
      sums, moments);
  kept.products(y, [&](std::size_t at, const V& p) { p.store_aligned(alone.data() + at); });
  kept.column_sums([&](std::size_t at) { return V::load_aligned(by_row.data() + at); }, only_sums, {});
  const auto p = in.store(product), q = in.store(alone), s = in.store(sums), m = in.store(moments),
             o = in.store(only_sums);
  CHECK(p == q);

  for (std::size_t l = 0; l < lists.size(); ++l) {
    const std::size_t n = lists[l].size(), first = one_list ? 0 : l * in.band.rows();
    INFO("list " << l << " of " << n << " items");
    const matrix entries = dense(lists[l], t);
    std::vector<real> expected(n, 0);
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) expected[i] += entries[i][j] * a[first + j] * b[first + j];
      CHECK(p[first + i] == Approx(static_cast<double>(expected[i])).margin(digits));
    }
    for (std::size_t j = 0; j < n; ++j) {
      real sum = 0, moment = 0, only = 0;
      for (std::size_t i = 0; i < n; ++i) {
        const real x = expected[i] * z[first + i];
        sum += entries[i][j] * x;
        moment += entries[i][j] * (real(i) - real(j)) * x;
        only += entries[i][j] * z[first + i];
      }
      CHECK(s[first + j] == Approx(static_cast<double>(sum)).margin(digits));
      CHECK(m[first + j] == Approx(static_cast<double>(moment)).margin(100 * digits));
      CHECK(o[first + j] == Approx(static_cast<double>(only)).margin(digits));
    }
  }
}

}  // namespace

TEMPLATE_TEST_CASE("kept_band: products, sums and moments of one list are those of the whole matrix", "",
                   float, double) {
  std::mt19937_64 random(1);
  for (const std::size_t n : {1u, 2u, 7u, 10u, 33u, 70u}) check<TestType>({falling(random, n)}, true, random);
}

TEMPLATE_TEST_CASE("kept_band: and of a band of several pieces", "", float, double) {
  // Scores so near to each other that the band is the whole matrix.
  std::mt19937_64 random(3);
  std::vector<double> x = falling(random, 400);
  for (double& s : x) s *= 0x1p-12;
  check<TestType>({x}, true, random);
  const bands<TestType> in({x}, true, 1.3);
  rankloss::workspace scratch;
  CHECK(kept_band<arch, TestType>(in.band, scratch).pieces() > 1);
}

TEMPLATE_TEST_CASE("kept_band: and of lists in lanes", "", float, double) {
  std::mt19937_64 random(2);
  std::vector<std::vector<double>> lists;
  for (std::size_t l = 0; l < w; ++l) lists.push_back(falling(random, 1 + (l * 5) % 19));
  check<TestType>(lists, false, random);
}

}  // namespace detail_band_kept_band_test
