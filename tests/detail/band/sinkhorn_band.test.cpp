// SPDX-License-Identifier: BSL-1.0
#include <rankloss/detail/band/sinkhorn_band.hpp>
#include <rankloss/detail/base/tuning.hpp>
#include <rankloss/neural_ndcg.hpp>
#include <rankloss/threads.hpp>

#include "support/listwise_reference.hpp"
#include "support/neural_bands.hpp"
#include "support/tied_orders.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>
#include <span>
#include <vector>

namespace detail_band_sinkhorn_band_test {

namespace {

using arch = xsimd::default_arch;
using rankloss::detail::sinkhorn_band;
using reference::real;

constexpr std::size_t w = rankloss::detail::lane_count<arch>;

using support::bands;
using support::falling;
using support::logits;
using support::matrix;

/// Softmax of the rows, then columns and rows in turn divided by their sums; stops before a step whose
/// columns are within the tolerance.
matrix scaled(const matrix& l, std::size_t steps, double tolerance, std::size_t& taken) {
  const std::size_t n = l.size();
  matrix p(n);
  real ignored = 0;
  for (std::size_t i = 0; i < n; ++i)
    p[i] = reference::softmax(
        l[i], [](std::size_t) { return true; }, ignored);
  for (taken = 0; taken < steps; ++taken) {
    std::vector<real> sums(n, 0);
    for (const auto& row : p)
      for (std::size_t j = 0; j < n; ++j) sums[j] += row[j];
    real worst = 0;
    for (const real s : sums) worst = std::max(worst, std::abs(s - 1));
    if (taken > 0 && worst <= tolerance) break;
    for (auto& row : p) {
      real sum = 0;
      for (std::size_t j = 0; j < n; ++j) sum += row[j] /= sums[j];
      for (real& e : row) e /= sum;
    }
  }
  return p;
}

template <class T>
void check(const std::vector<std::vector<double>>& lists, bool one_list, std::size_t steps, double tolerance,
           std::mt19937_64& random) {
  using sinkhorn = sinkhorn_band<arch, T>;
  const double t = 1.3;
  constexpr double digits = sizeof(T) == 4 ? 1e-5 : 1e-11;
  bands<T> in(lists, one_list, t);
  const sinkhorn kept(in.band, one_list, steps, tolerance, true, in.scratch);
  const sinkhorn last(in.band, one_list, steps, tolerance, false, in.scratch);
  const auto values = support::numbers<double>(random, in.slots),
             cotangent = support::numbers<double>(random, in.slots);

  const auto product = in.band.take(), transposed = in.band.take(), other = in.band.take(),
             sums = in.band.take(), moments = in.band.take();
  kept.apply(in.load(values), product);
  last.apply(in.load(values), other);
  kept.apply_transposed(in.load(cotangent), transposed);
  kept.pull(in.load(values), in.load(cotangent), sums, moments, sinkhorn::derivative::unrolled);
  const auto p = in.store(product), q = in.store(transposed), again = in.store(other), s = in.store(sums),
             m = in.store(moments);
  const auto fixed_sums = in.band.take(), fixed_moments = in.band.take();
  last.pull(in.load(values), in.load(cotangent), fixed_sums, fixed_moments, sinkhorn::derivative::implicit);
  const auto fs = in.store(fixed_sums), fm = in.store(fixed_moments);

  CHECK(last.steps() == kept.steps());
  std::size_t most_taken = 0;
  for (std::size_t l = 0; l < lists.size(); ++l) {
    const std::size_t n = lists[l].size(), first = one_list ? 0 : l * in.band.rows();
    INFO("list " << l << " of " << n << " items, steps " << steps << ", tolerance " << tolerance);
    matrix at = logits(lists[l], t);
    std::size_t taken = 0;
    const matrix expected = scaled(at, steps, tolerance, taken);
    most_taken = std::max(most_taken, taken);
    const auto of = [&](const matrix& k) {
      real f = 0;
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < n; ++j) f += cotangent[first + i] * k[i][j] * values[first + j];
      return f;
    };
    for (std::size_t i = 0; i < n; ++i) {
      real row = 0, column = 0;
      for (std::size_t j = 0; j < n; ++j) {
        row += expected[i][j] * values[first + j];
        column += expected[j][i] * cotangent[first + j];
      }
      CHECK(p[first + i] == Approx(static_cast<double>(row)).margin(digits));
      CHECK(again[first + i] == p[first + i]);
      CHECK(q[first + i] == Approx(static_cast<double>(column)).margin(digits));
    }
    for (std::size_t j = 0; j < n; ++j) {
      real sum = 0, moment = 0;
      for (std::size_t i = 0; i < n; ++i) {
        const real step = 1e-5L, here = at[i][j];
        std::size_t ignored = 0;
        at[i][j] = here + step;
        const real up = of(scaled(at, taken, -1.0, ignored));
        at[i][j] = here - step;
        const real down = of(scaled(at, taken, -1.0, ignored));
        at[i][j] = here;
        const real d = (up - down) / (2 * step);
        sum += d;
        moment += d * (real(i) - real(j));
      }
      CHECK(s[first + j] == Approx(static_cast<double>(sum)).margin(100 * digits));
      CHECK(m[first + j] == Approx(static_cast<double>(moment)).margin(100 * digits));
      // Where the scaling has converged, the fixed point's derivative is that of the steps to it.
      if (tolerance > 0.0 && tolerance < 1e-10 && sizeof(T) == 8) {
        CHECK(fs[first + j] == Approx(static_cast<double>(sum)).margin(1e-7));
        CHECK(fm[first + j] == Approx(static_cast<double>(moment)).margin(1e-7));
      }
    }
  }
  CHECK(kept.steps() == most_taken);
}

}  // namespace

TEMPLATE_TEST_CASE("sinkhorn_band: one list, as many steps as wanted, and the derivatives of the steps", "",
                   float, double) {
  std::mt19937_64 random(1);
  for (const std::size_t n : {1u, 2u, 10u})
    for (const std::size_t steps : {0u, 1u, 3u})
      check<TestType>({falling(random, n)}, true, steps, -1.0, random);
}

TEMPLATE_TEST_CASE("sinkhorn_band: lists in lanes stop each by itself", "", float, double) {
  std::mt19937_64 random(2);
  std::vector<std::vector<double>> lists;
  for (std::size_t l = 0; l < w; ++l) lists.push_back(falling(random, 1 + (l * 3) % 7));
  check<TestType>(lists, false, 3, -1.0, random);
  check<TestType>(lists, false, 100, 0.01, random);
  check<TestType>({falling(random, 11)}, true, 100, 0.01, random);
}

TEST_CASE("sinkhorn_band: the implicit derivative is that of the fixed point") {
  std::mt19937_64 random(3);
  check<double>({falling(random, 9)}, true, 300, 1e-13, random);
  check<double>({falling(random, 4), falling(random, 5)}, false, 300, 1e-13, random);
}

TEMPLATE_TEST_CASE("sinkhorn_band: a long list has the same bits on any number of workers, and in a batch",
                   "", float, double) {
  using T = TestType;
  constexpr std::size_t n = 1500;
  std::mt19937_64 random(4);
  const auto scores = support::numbers<T>(random, 2 * n);
  std::vector<T> relevance(2 * n);
  for (T& y : relevance) y = static_cast<T>(random() % 5);
  for (const auto derivative :
       {rankloss::sinkhorn_derivative::unrolled, rankloss::sinkhorn_derivative::implicit}) {
    const rankloss::neural_ndcg loss{
        .temperature = 20.0, .steps = 6, .tolerance = 0.0, .derivative = derivative};
    std::vector<T> expected;
    for (const std::size_t workers : {1u, 2u, 7u})
      for (const std::size_t lists : {1u, 2u}) {
        INFO(workers << " workers, " << lists << " lists");
        rankloss::context ctx{rankloss::threads(workers)};
        std::vector<T> gradient(lists * n);
        rankloss::evaluate(loss,
                           rankloss::list_batch<T>{.scores = std::span(scores).first(lists * n),
                                                   .relevance = std::span(relevance).first(lists * n),
                                                   .length = n,
                                                   .reduction = rankloss::reduction::sum},
                           {.gradient = gradient}, ctx);
        gradient.resize(n);
        if (expected.empty()) expected = gradient;
        CHECK(gradient == expected);
      }
  }
}

TEMPLATE_TEST_CASE("sinkhorn_band: a list in a lane does not depend on wider bands beside it", "", float,
                   double) {
  using T = TestType;
  constexpr std::size_t n = rankloss::detail::tuning::longest_band_in_lane;
  std::mt19937_64 random(5);
  auto scores = support::numbers<T>(random, 2 * n);
  for (std::size_t i = n; i < 2 * n; ++i)
    scores[i] *= static_cast<T>(0x1p-12);  // its band is the whole matrix
  std::vector<T> relevance(2 * n), both(2 * n), alone(n);
  for (T& y : relevance) y = static_cast<T>(random() % 5);
  const rankloss::neural_ndcg loss{.steps = 6, .tolerance = 0.0};
  const auto differentiate = [&](std::size_t lists, std::span<T> gradient) {
    rankloss::evaluate(loss,
                       rankloss::list_batch<T>{.scores = std::span(scores).first(lists * n),
                                               .relevance = std::span(relevance).first(lists * n),
                                               .length = n,
                                               .reduction = rankloss::reduction::sum},
                       {.gradient = gradient});
  };
  differentiate(2, both);
  differentiate(1, alone);
  both.resize(n);
  CHECK(both == alone);
}

}  // namespace detail_band_sinkhorn_band_test
